/*
 * Near transfers: Jcc, JMP, CALL, RET, LOOP, direct and indirect. Far ones are rare (run.c).
 *
 * Branches within a page hold the distance to the target's slot; to another page a linear address
 * computed from the page's base, checked against a link. FLAT handlers know CS to have base 0 and
 * limit 4G; ANY handlers check the limit and cut EIP to the operand size (slot.mask).
 *
 * Slots: a = distance or page offset of the target, b = instructions to charge, calls: also the page
 * offset of the return address << 16.
 */
#include "cpu/fast/core.h"

/* EIP of a page offset; lin and back. */
INLINE uint32_t eip_at(const struct fast *f, uint32_t page_base, uint32_t off)
{
    return (page_base + off - f->cs_base) & f->lin_mask;
}
INLINE uint32_t lin_of(const struct fast *f, uint32_t eip) { return (eip + f->cs_base) & f->lin_mask; }

/* Jcc within the page: one handler a condition */
#define CONDITIONS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define JCC(cc) \
    HANDLER(jcc_##cc) \
    { \
        if (fl_cond(cc, FR, FX)) \
            JUMP_NEAR((int32_t)i->b); \
        NEXT; \
    }
#define NAME(cc) jcc_##cc,
CONDITIONS(JCC)
fast_handler *const fast_jcc_table[16] = {CONDITIONS(NAME)};

HANDLER(jmp) { JUMP_NEAR((int32_t)i->b); }

/* To another page: JMP, the end of a page, or the taken half of a Jcc. */
HANDLER(far_flat) { JUMP_LINKED(PAGE_BASE + i->a, (int32_t)i->b); }

HANDLER(far_any)
{
    const struct fast *f = c->fast;
    uint32_t eip = eip_at(f, PAGE_BASE, i->a) & i->mask;
    if (UNLIKELY(eip > f->cs_limit))
        SLOW;
    JUMP_LINKED(lin_of(f, eip), (int32_t)i->b);
}

/* CALL */
HANDLER(call_flat)
{
    PUSH_RETURN_FLAT(i + 1);
    JUMP_NEAR(CALL_CHARGE);
}

HANDLER(call_far_flat)
{
    uint32_t target = PAGE_BASE + i->a;
    PUSH_RETURN_FLAT(i + 2);
    JUMP_LINKED(target, CALL_CHARGE);
}

/* Pushes the return address of a call with operand size `size`; false: slow. */
INLINE bool push_return(struct cpu *c, const uint64_t *tl, uint32_t off, unsigned size, struct slot *next)
{
    struct fast *f = c->fast;
    uint32_t eip = eip_at(f, PAGE_BASE, off), sp = (REG32(REG_ESP) - size) & f->sp_mask;
    uint64_t mask = f->sp_mask;
    uint8_t *p;
    if (UNLIKELY(!fast_segment(c, tl, SEG_SS, sp, size, true, &p)))
        return false;
    if (size == 2)
        store16(p, eip);
    else
        store32(p, eip);
    GPR(REG_ESP) = (REG32(REG_ESP) & ~mask) | sp;
    return_push(f, lin_of(f, size == 2 ? eip & 0xffff : eip), next);
    return true;
}

HANDLER(call_any)
{
    if (UNLIKELY(!push_return(c, TL, i->b >> 16, i->x, i + 1)))
        SLOW;
    JUMP_NEAR(CALL_CHARGE);
}

HANDLER(call_far_any)
{
    const struct fast *f = c->fast;
    uint32_t eip = eip_at(f, PAGE_BASE, i->a) & i->mask;
    if (UNLIKELY(eip > f->cs_limit) || UNLIKELY(!push_return(c, TL, i->b >> 16, i->x, i + 2)))
        SLOW;
    JUMP_LINKED(lin_of(f, eip), CALL_CHARGE);
}

/* RET; a = bytes to release, x = operand size */
HANDLER(ret_flat)
{
    uint32_t esp = REG32(REG_ESP);
    uint8_t *p;
    if (UNLIKELY(!fast_host(TL, esp, 4, &p)))
        SLOW;
    uint32_t target = load32(p);
    GPR(REG_ESP) = (uint32_t)(esp + 4 + i->a);
    JUMP_RETURN(target, (int32_t)i->b);
}

HANDLER(ret_any)
{
    const struct fast *f = c->fast;
    uint64_t mask = f->sp_mask;
    uint32_t sp = REG32(REG_ESP) & f->sp_mask;
    uint8_t *p;
    if (UNLIKELY(!fast_segment(c, TL, SEG_SS, sp, i->x, false, &p)))
        SLOW;
    uint32_t eip = i->x == 2 ? load16(p) : load32(p);
    if (UNLIKELY(eip > f->cs_limit))
        SLOW;
    GPR(REG_ESP) = (REG32(REG_ESP) & ~mask) | ((sp + i->x + i->a) & mask);
    JUMP_RETURN(lin_of(f, eip), (int32_t)i->b);
}

/* LOOP, JCXZ within the page; mask = of the count by address size */
#define LOOP(name, condition) \
    HANDLER(name) \
    { \
        uint64_t mask = i->mask; \
        uint32_t count = (REG32(REG_ECX) - 1) & i->mask; \
        GPR(REG_ECX) = (REG32(REG_ECX) & ~mask) | count; \
        if (count != 0 && (condition)) \
            JUMP_NEAR((int32_t)i->b); \
        NEXT; \
    }
LOOP(loop, true)
LOOP(loopz, fl_zf(FR))
LOOP(loopnz, !fl_zf(FR))

HANDLER(jcxz)
{
    if ((REG32(REG_ECX) & i->mask) == 0)
        JUMP_NEAR((int32_t)i->b);
    NEXT;
}

fast_handler *const fast_jump_table[J_COUNT] = {
    [J_JMP] = jmp,
    [J_FAR_FLAT] = far_flat,
    [J_FAR_ANY] = far_any,
    [J_CALL_FLAT] = call_flat,
    [J_CALL_ANY] = call_any,
    [J_CALL_FAR_FLAT] = call_far_flat,
    [J_CALL_FAR_ANY] = call_far_any,
    [J_RET_FLAT] = ret_flat,
    [J_RET_ANY] = ret_any,
    [J_LOOP] = loop,
    [J_LOOPZ] = loopz,
    [J_LOOPNZ] = loopnz,
    [J_JCXZ] = jcxz,
};

/* Indirect JMP and CALL. ANY: d of a memory form = operand size, x of the register form. */
#define JMP_CALL_FLAT(F, GET) \
    HANDLER(jmp_##F##_flat) \
    { \
        GET; \
        JUMP_INDIRECT(target, (int32_t)i->b); \
    } \
    HANDLER(call_##F##_flat) \
    { \
        GET; \
        PUSH_RETURN_FLAT(i + 1 + LINKS); \
        JUMP_INDIRECT(target, CALL_CHARGE); \
    }
JMP_CALL_FLAT(r, uint32_t target = reg32(c, i->d))
JMP_CALL_FLAT(m0, SOURCE(0, 4); uint32_t target = load32(p))
JMP_CALL_FLAT(m1, SOURCE(1, 4); uint32_t target = load32(p))
JMP_CALL_FLAT(m2, SOURCE(2, 4); uint32_t target = load32(p))

#define JMP_CALL_ANY(F, size, GET) \
    HANDLER(jmp_##F##_any) \
    { \
        const struct fast *f = c->fast; \
        GET; \
        if (UNLIKELY(eip > f->cs_limit)) \
            SLOW; \
        JUMP_INDIRECT(lin_of(f, eip), (int32_t)i->b); \
    } \
    HANDLER(call_##F##_any) \
    { \
        const struct fast *f = c->fast; \
        GET; \
        if (UNLIKELY(eip > f->cs_limit) || \
            UNLIKELY(!push_return(c, TL, i->b >> 16, (size), i + 1 + LINKS))) \
            SLOW; \
        JUMP_INDIRECT(lin_of(f, eip), CALL_CHARGE); \
    }
JMP_CALL_ANY(r, i->x, uint32_t eip = i->x == 2 ? reg16(c, i->d) : reg32(c, i->d))
JMP_CALL_ANY(m, i->d, SOURCE(2, i->d); uint32_t eip = i->d == 2 ? load16(p) : load32(p))

fast_handler *const fast_indirect_table[2][2][4] = {
    {{jmp_r_flat, jmp_m0_flat, jmp_m1_flat, jmp_m2_flat}, {jmp_r_any, jmp_m_any, jmp_m_any, jmp_m_any}},
    {{call_r_flat, call_m0_flat, call_m1_flat, call_m2_flat}, {call_r_any, call_m_any, call_m_any, call_m_any}},
};
