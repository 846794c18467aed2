/*
 * Moves: MOV, MOVZX, MOVSX, LEA, XCHG, CMOVcc, SETcc, the stack, and the small instructions without
 * a memory operand. Slots as in h_alu.c; conditional ones are one handler a condition through fl_cond
 * with a constant.
 */
#include "cpu/fast/core.h"

/* MOV */
#define MOV_MEMORY(N, K) \
    HANDLER(mov##N##_rm##K) \
    { \
        SOURCE(K, BYTES_##N); \
        set##N(c, i->d, load##N(p)); \
        NEXT; \
    } \
    HANDLER(mov##N##_mr##K) \
    { \
        TARGET(K, BYTES_##N); \
        store##N(p, reg##N(c, i->d)); \
        NEXT; \
    } \
    HANDLER(mov##N##_mi##K) \
    { \
        TARGET(K, BYTES_##N); \
        store##N(p, i->b); \
        NEXT; \
    }
#define MOV(N) \
    HANDLER(mov##N##_rr) \
    { \
        set##N(c, i->d, reg##N(c, i->s)); \
        NEXT; \
    } \
    HANDLER(mov##N##_ri) \
    { \
        set##N(c, i->d, i->b); \
        NEXT; \
    } \
    MOV_MEMORY(N, 0) MOV_MEMORY(N, 1) MOV_MEMORY(N, 2)

MOV(8)
MOV(16)
MOV(32)

#define FORMS(n) \
    {n##_rr, n##_ri, n##_rm0, n##_rm1, n##_rm2, n##_mr0, n##_mr1, n##_mr2, n##_mi0, n##_mi1, n##_mi2}
fast_handler *const fast_mov_table[3][F_COUNT] = {FORMS(mov8), FORMS(mov16), FORMS(mov32)};

/* MOVZX, MOVSX from N to TO bits */
INLINE uint32_t zx8(uint32_t v) { return v; }
INLINE uint32_t zx16(uint32_t v) { return v; }
INLINE uint32_t sx8(uint32_t v) { return alu_sext(1, v); }
INLINE uint32_t sx16(uint32_t v) { return alu_sext(2, v); }

#define EXTEND_MEMORY(kind, N, TO, K) \
    HANDLER(kind##N##_##TO##_m##K) \
    { \
        SOURCE(K, BYTES_##N); \
        set##TO(c, i->d, kind##N(load##N(p))); \
        NEXT; \
    }
#define EXTEND(kind, N, TO) \
    HANDLER(kind##N##_##TO##_r) \
    { \
        set##TO(c, i->d, kind##N(reg##N(c, i->s))); \
        NEXT; \
    } \
    EXTEND_MEMORY(kind, N, TO, 0) EXTEND_MEMORY(kind, N, TO, 1) EXTEND_MEMORY(kind, N, TO, 2)
#define FORMS1(n) {n##_r, n##_m0, n##_m1, n##_m2}

EXTEND(zx, 8, 16)
EXTEND(zx, 16, 16)
EXTEND(sx, 8, 16)
EXTEND(sx, 16, 16)
EXTEND(zx, 8, 32)
EXTEND(zx, 16, 32)
EXTEND(sx, 8, 32)
EXTEND(sx, 16, 32)

fast_handler *const fast_extend_table[4][2][4] = {
    {FORMS1(zx8_16), FORMS1(zx8_32)}, {FORMS1(zx16_16), FORMS1(zx16_32)},
    {FORMS1(sx8_16), FORMS1(sx8_32)}, {FORMS1(sx16_16), FORMS1(sx16_32)},
};

/* LEA */
#define LEA(N, K) \
    HANDLER(lea##N##_##K) \
    { \
        set##N(c, i->d, fast_ea##K(c, i)); \
        NEXT; \
    }
LEA(16, 0)
LEA(16, 1)
LEA(16, 2)
LEA(32, 0)
LEA(32, 1)
LEA(32, 2)
fast_handler *const fast_lea_table[2][3] = {{lea16_0, lea16_1, lea16_2}, {lea32_0, lea32_1, lea32_2}};

/* XCHG */
#define XCHG_MEMORY(N, K) \
    HANDLER(xchg##N##_m##K) \
    { \
        TARGET(K, BYTES_##N); \
        uint32_t v = load##N(p); \
        store##N(p, reg##N(c, i->d)); \
        set##N(c, i->d, v); \
        NEXT; \
    }
#define XCHG(N) \
    HANDLER(xchg##N##_r) \
    { \
        uint32_t v = reg##N(c, i->d); \
        set##N(c, i->d, reg##N(c, i->s)); \
        set##N(c, i->s, v); \
        NEXT; \
    } \
    XCHG_MEMORY(N, 0) XCHG_MEMORY(N, 1) XCHG_MEMORY(N, 2)
XCHG(8)
XCHG(16)
XCHG(32)
fast_handler *const fast_xchg_table[3][4] = {FORMS1(xchg8), FORMS1(xchg16), FORMS1(xchg32)};

/* CMOVcc (the source is read in any case), SETcc; b = condition, i->b of a slot with memory too */
#define CMOV_MEMORY(N, K) \
    HANDLER(cmov##N##_m##K) \
    { \
        SOURCE(K, BYTES_##N); \
        uint32_t v = load##N(p); \
        set##N(c, i->d, fl_cond(i->b, FR, FX) ? v : reg##N(c, i->d)); \
        NEXT; \
    }
#define CMOV(N) \
    HANDLER(cmov##N##_r) \
    { \
        set##N(c, i->d, fl_cond(i->b, FR, FX) ? reg##N(c, i->s) : reg##N(c, i->d)); \
        NEXT; \
    } \
    CMOV_MEMORY(N, 0) CMOV_MEMORY(N, 1) CMOV_MEMORY(N, 2)
CMOV(16)
CMOV(32)
fast_handler *const fast_cmov_table[2][4] = {FORMS1(cmov16), FORMS1(cmov32)};

#define SETCC_MEMORY(K) \
    HANDLER(setcc_m##K) \
    { \
        TARGET(K, 1); \
        store8(p, fl_cond(i->b, FR, FX)); \
        NEXT; \
    }
HANDLER(setcc_r)
{
    set8(c, i->d, fl_cond(i->b, FR, FX));
    NEXT;
}
SETCC_MEMORY(0)
SETCC_MEMORY(1)
SETCC_MEMORY(2)
fast_handler *const fast_setcc_table[4] = FORMS1(setcc);

/* XADD and CMPXCHG with memory, as locks and counters of kernels have them. */
#define EXCHANGE(K) \
    HANDLER(xadd32_m##K) \
    { \
        TARGET(K, 4); \
        uint32_t v = load32(p); \
        store32(p, alu_add(4, v, reg32(c, i->d), &FR, &FX)); \
        set32(c, i->d, v); \
        NEXT; \
    } \
    HANDLER(cmpxchg32_m##K) \
    { \
        TARGET(K, 4); \
        uint32_t v = load32(p); \
        if (alu_sub(4, REG32(REG_EAX), v, &FR, &FX) == 0) \
            store32(p, reg32(c, i->d)); \
        else \
            set32(c, GPR_OFFSET(REG_EAX), v); \
        NEXT; \
    }
/* CMPXCHG8B: only ZF changes. */
#define CMPXCHG8B(K) \
    HANDLER(cmpxchg8b_m##K) \
    { \
        TARGET(K, 8); \
        uint32_t low = load32(p), high = load32(p + 4); \
        bool equal = low == REG32(REG_EAX) && high == REG32(REG_EDX); \
        if (equal) { \
            store32(p, REG32(REG_EBX)); \
            store32(p + 4, REG32(REG_ECX)); \
        } else { \
            set32(c, GPR_OFFSET(REG_EAX), low); \
            set32(c, GPR_OFFSET(REG_EDX), high); \
        } \
        fl_encode((fl_arith(FR, FX) & ~(uint32_t)FLAG_ZF) | (equal ? FLAG_ZF : 0), &FR, &FX); \
        NEXT; \
    }
EXCHANGE(0)
EXCHANGE(1)
EXCHANGE(2)
CMPXCHG8B(0)
CMPXCHG8B(1)
CMPXCHG8B(2)
fast_handler *const fast_xadd_table[3] = {xadd32_m0, xadd32_m1, xadd32_m2};
fast_handler *const fast_cmpxchg_table[3] = {cmpxchg32_m0, cmpxchg32_m1, cmpxchg32_m2};
fast_handler *const fast_cmpxchg8b_table[3] = {cmpxchg8b_m0, cmpxchg8b_m1, cmpxchg8b_m2};

/* The stack, flat: SS base 0, limit 4G, 32 bits. */
#define PUSH_FLAT(value) \
    do { \
        uint32_t v_ = (value), esp_ = REG32(REG_ESP) - 4; \
        uint8_t *top_; \
        if (UNLIKELY(!fast_host_write(c, TL, esp_, 4, &top_))) \
            SLOW; \
        store32(top_, v_); \
        GPR(REG_ESP) = esp_; \
        NEXT; \
    } while (0)

HANDLER(push_r_flat) { PUSH_FLAT(reg32(c, i->d)); }
HANDLER(push_i_flat) { PUSH_FLAT(i->b); }
HANDLER(push_segment_flat) /* two bytes of the four: op_pushseg() */
{
    uint32_t esp = REG32(REG_ESP) - 4;
    uint8_t *p;
    if (UNLIKELY(!fast_host_write(c, TL, esp, 2, &p)))
        SLOW;
    store16(p, c->st.seg[i->d].selector);
    GPR(REG_ESP) = esp;
    NEXT;
}
HANDLER(pushf_flat)
{
    uint32_t f = ((uint32_t)c->st.eflags & ~(uint32_t)(FLAGS_ARITH | FLAG_VM | FLAG_RF)) | FLAG_ONE | fl_arith(FR, FX);
    PUSH_FLAT(f);
}
#define PUSH_MEMORY_FLAT(K) \
    HANDLER(push_m##K##_flat) \
    { \
        SOURCE(K, 4); \
        PUSH_FLAT(load32(p)); \
    }
PUSH_MEMORY_FLAT(0)
PUSH_MEMORY_FLAT(1)
PUSH_MEMORY_FLAT(2)

HANDLER(pop_r_flat)
{
    uint32_t esp = REG32(REG_ESP);
    uint8_t *p;
    if (UNLIKELY(!fast_host(TL, esp, 4, &p)))
        SLOW;
    GPR(REG_ESP) = (uint32_t)(esp + 4);
    set32(c, i->d, load32(p));
    NEXT;
}

HANDLER(leave_flat)
{
    uint32_t ebp = REG32(REG_EBP);
    uint8_t *p;
    if (UNLIKELY(!fast_host(TL, ebp, 4, &p)))
        SLOW;
    GPR(REG_ESP) = (uint32_t)(ebp + 4);
    GPR(REG_EBP) = load32(p);
    NEXT;
}

/* The stack, any: x = operand size, 2 or 4 (memory operands: in mask's place none, see select.c). */
INLINE void set_sp(struct cpu *c, uint32_t sp)
{
    uint64_t mask = c->fast->sp_mask;
    GPR(REG_ESP) = (REG32(REG_ESP) & ~mask) | (sp & mask);
}

#define PUSH_ANY(value, size) \
    do { \
        uint32_t v_ = (value), sp_ = (REG32(REG_ESP) - (size)) & c->fast->sp_mask; \
        uint8_t *top_; \
        if (UNLIKELY(!fast_segment(c, TL, SEG_SS, sp_, (size), true, &top_))) \
            SLOW; \
        if ((size) == 2) \
            store16(top_, v_); \
        else \
            store32(top_, v_); \
        set_sp(c, sp_); \
        NEXT; \
    } while (0)

HANDLER(push_r_any) { PUSH_ANY(reg32(c, i->d), i->x); }
HANDLER(push_i_any) { PUSH_ANY(i->b, i->x); }
HANDLER(push_m2_any)
{
    SOURCE(2, i->d);
    PUSH_ANY(i->d == 2 ? load16(p) : load32(p), i->d);
}

INLINE bool top_of_stack(struct cpu *c, const uint64_t *tl, uint32_t sp, unsigned size, uint32_t *v)
{
    uint8_t *p;
    if (UNLIKELY(!fast_segment(c, tl, SEG_SS, sp, size, false, &p)))
        return false;
    *v = size == 2 ? load16(p) : load32(p);
    return true;
}

HANDLER(pop_r_any)
{
    uint32_t v, sp = REG32(REG_ESP) & c->fast->sp_mask;
    if (UNLIKELY(!top_of_stack(c, TL, sp, i->x, &v)))
        SLOW;
    set_sp(c, sp + i->x);
    if (i->x == 2)
        set16(c, i->d, v);
    else
        set32(c, i->d, v);
    NEXT;
}

HANDLER(leave_any)
{
    uint32_t v, bp = REG32(REG_EBP) & c->fast->sp_mask;
    if (UNLIKELY(!top_of_stack(c, TL, bp, i->x, &v)))
        SLOW;
    set_sp(c, bp + i->x);
    if (i->x == 2)
        set16(c, GPR_OFFSET(REG_EBP), v);
    else
        GPR(REG_EBP) = v;
    NEXT;
}

fast_handler *const fast_stack_table[2][P_COUNT] = {
    {push_r_flat, push_i_flat, push_m0_flat, push_m1_flat, push_m2_flat, pop_r_flat, leave_flat},
    {push_r_any, push_i_any, push_m2_any, push_m2_any, push_m2_any, pop_r_any, leave_any},
};

/* Without a memory operand */
HANDLER(nop) { NEXT; }
HANDLER(cbw)
{
    set16(c, GPR_OFFSET(REG_EAX), alu_sext(1, (uint8_t)REG32(REG_EAX)));
    NEXT;
}
HANDLER(cwde)
{
    GPR(REG_EAX) = alu_sext(2, (uint16_t)REG32(REG_EAX));
    NEXT;
}
HANDLER(cwd)
{
    set16(c, GPR_OFFSET(REG_EDX), 0u - alu_msb(2, (uint16_t)REG32(REG_EAX)));
    NEXT;
}
HANDLER(cdq)
{
    GPR(REG_EDX) = (uint32_t)(0u - alu_msb(4, REG32(REG_EAX)));
    NEXT;
}
HANDLER(clc)
{
    fl_set_cf_of(&FR, &FX, 0, fl_of(FR, FX));
    NEXT;
}
HANDLER(stc)
{
    fl_set_cf_of(&FR, &FX, 1, fl_of(FR, FX));
    NEXT;
}
HANDLER(cmc)
{
    fl_set_cf_of(&FR, &FX, !fl_cf(FR), fl_of(FR, FX));
    NEXT;
}
HANDLER(cld)
{
    c->st.eflags &= ~(uint64_t)FLAG_DF;
    NEXT;
}
HANDLER(std)
{
    c->st.eflags |= FLAG_DF;
    NEXT;
}
/* IF is changed here where the program may and it is IF (not VIF). */
INLINE bool changes_if(const struct cpu *c)
{
    return !(c->st.eflags & FLAG_VM) && c->st.cpl <= cpu_iopl(c);
}
HANDLER(cli)
{
    if (UNLIKELY(!changes_if(c)))
        SLOW;
    c->st.eflags &= ~(uint64_t)FLAG_IF;
    c->attn &= ~(uint32_t)ATTN_INTR;
    NEXT;
}
/* That interrupts wait for one more instruction shows only where one is pending: nothing else arrives before the next
 * deadline, and handlers end at least SLACK - MAX_RUN instructions before it. */
HANDLER(sti)
{
    if (UNLIKELY(!changes_if(c)) || UNLIKELY(c->st.intr_pin || c->attn))
        SLOW;
    c->st.eflags |= FLAG_IF;
    NEXT;
}
HANDLER(lahf)
{
    set8(c, GPR_OFFSET(REG_EAX) | 1, (fl_arith(FR, FX) & 0xff) | FLAG_ONE);
    NEXT;
}
HANDLER(sahf)
{
    uint32_t low = reg8(c, GPR_OFFSET(REG_EAX) | 1) & (FLAGS_ARITH & 0xff);
    fl_encode(low | fl_of(FR, FX) << 11, &FR, &FX);
    NEXT;
}
HANDLER(bswap)
{
    uint32_t v = reg32(c, i->d);
    set32(c, i->d, v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24);
    NEXT;
}
/* XOR r,r and SUB r,r */
HANDLER(zero)
{
    set32(c, i->d, 0);
    FR = FX = 0;
    NEXT;
}

fast_handler *const fast_simple_table[S_COUNT] = {nop, cbw, cwde, cwd,  cdq,  clc,   stc,
                                                  cmc, cld, std,  lahf, sahf, bswap, zero,
                                                  pushf_flat, push_segment_flat, cli, sti};
