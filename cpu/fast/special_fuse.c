/*
 * Two instructions in one handler: a comparison or count with the conditional jump behind it, pairs of
 * pushes and pops, moves to and from the stack, a copy with its shift. The pair keeps both slots (jumping
 * to the second one works as before); only the first slot's handler does the work of both and reads the
 * second slot's operands at i[1]. The conditions are computed from the operands, but the flag words are
 * set as always. A first half that goes slow leaves the second to its own slot.
 */
#include "cpu/fast/special.h"

#ifdef RETRACE_SMALL
fast_handler *fast_fuse(const struct insn *first, const struct insn *second, enum fast_mode mode)
{
    (void)first, (void)second, (void)mode;
    return NULL;
}
#else

/* Conditions after a - b, by number; those of OF and PF alone are rare and left out. */
#define EACH_CC(X, ...) \
    X(2, __VA_ARGS__) X(3, __VA_ARGS__) X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__) X(7, __VA_ARGS__) \
    X(8, __VA_ARGS__) X(9, __VA_ARGS__) X(12, __VA_ARGS__) X(13, __VA_ARGS__) X(14, __VA_ARGS__) X(15, __VA_ARGS__)
enum { CC_KINDS = 12 };
#define HOLDS_2(T, a, b) ((a) < (b))
#define HOLDS_3(T, a, b) ((a) >= (b))
#define HOLDS_4(T, a, b) ((a) == (b))
#define HOLDS_5(T, a, b) ((a) != (b))
#define HOLDS_6(T, a, b) ((a) <= (b))
#define HOLDS_7(T, a, b) ((a) > (b))
#define HOLDS_8(T, a, b) ((T)((a) - (b)) < 0)
#define HOLDS_9(T, a, b) ((T)((a) - (b)) >= 0)
#define HOLDS_12(T, a, b) ((T)(a) < (T)(b))
#define HOLDS_13(T, a, b) ((T)(a) >= (T)(b))
#define HOLDS_14(T, a, b) ((T)(a) <= (T)(b))
#define HOLDS_15(T, a, b) ((T)(a) > (T)(b))

/* Where a condition stands in the tables, -1 = not there. */
static int cc_place(unsigned cc)
{
    static const int8_t place[16] = {-1, -1, 0, 1, 2, 3, 4, 5, 6, 7, -1, -1, 8, 9, 10, 11};
    return place[cc];
}

/* The jump in the next slot. */
#define BRANCH(condition) \
    do { \
        STAY; \
        if (condition) { \
            i++; \
            JUMP_NEAR((int32_t)i->b); \
        } \
        ADVANCE(2); \
        DISPATCH; \
    } while (0)

#define COMPARE32(cc, a_, b_) \
    uint64_t a = (a_), b = (b_); \
    q_sub(a, b, &FR, &FX); \
    BRANCH(HOLDS_##cc(int32_t, a, b))
#define COMPARE8(cc, a_, b_) \
    uint32_t a = (a_), b = (b_); \
    alu_sub(1, a, b, &FR, &FX); \
    BRANCH(HOLDS_##cc(int8_t, a, b))
#define COMPARE16(cc, a_, b_) \
    uint32_t a = (a_), b = (b_); \
    alu_sub(2, a, b, &FR, &FX); \
    BRANCH(HOLDS_##cc(int16_t, a, b))
#define MASKED8(cc, a_, b_) \
    uint32_t r = alu_and(1, (a_), (b_), &FR, &FX), none = 0; \
    BRANCH(HOLDS_##cc(int8_t, r, none))
#define RESULT32(cc, v) \
    uint32_t r = (v), none = 0; \
    BRANCH(HOLDS_##cc(int32_t, r, none))

/* CMP */
#define CMP_RR(cc, S, D) HANDLER(cmp_##D##_##S##_##cc) { COMPARE32(cc, W_##D, W_##S); }
#define CMP_RR_S(S, D, ...) EACH_CC(CMP_RR, S, D)
#define CMP_RR_D(D, ...) EACH_S(CMP_RR_S, D, )
EACH_D(CMP_RR_D, )
#define CMP_RI(cc, D) \
    HANDLER(cmp_ri_##D##_##cc) { COMPARE32(cc, W_##D, i->b); } \
    HANDLER(cmp16_ri_##D##_##cc) { COMPARE16(cc, (uint16_t)V_##D, i->b); }
#define CMP_RI_D(D, ...) EACH_CC(CMP_RI, D)
EACH_D(CMP_RI_D, )
#define CMP_MI(cc, B) \
    HANDLER(cmp_mi_##B##_##cc) { READ_AT(EA(B), 4); COMPARE32(cc, load_whole(p), i->b); } \
    HANDLER(cmp16_mi_##B##_##cc) { READ_AT(EA(B), 2); COMPARE16(cc, load16(p), i->b); } \
    HANDLER(cmp8_mi_##B##_##cc) { READ_AT(EA(B), 1); COMPARE8(cc, load8(p), i->b); } \
    HANDLER(test8_mi_##B##_##cc) { READ_AT(EA(B), 1); MASKED8(cc, load8(p), i->b); }
#define CMP_MI_B(B, ...) EACH_CC(CMP_MI, B)
EACH_BASE(CMP_MI_B, )
#define CMP_RM(cc, B, D) \
    HANDLER(cmp_rm_##D##_##B##_##cc) { READ_AT(EA(B), 4); COMPARE32(cc, W_##D, load_whole(p)); } \
    HANDLER(cmp_mr_##D##_##B##_##cc) { READ_AT(EA(B), 4); COMPARE32(cc, load_whole(p), W_##D); }
#define CMP_RM_B(B, D, ...) EACH_CC(CMP_RM, B, D)
#define CMP_RM_D(D, ...) EACH_BASE(CMP_RM_B, D, )
EACH_D(CMP_RM_D, )
#define CMP8_RI(cc, D) \
    HANDLER(cmp8_ri_##D##_##cc) { COMPARE8(cc, V_##D, i->b); } \
    HANDLER(test8_ri_##D##_##cc) { MASKED8(cc, V_##D, i->b); } \
    HANDLER(test8_##D##_##cc) { MASKED8(cc, V_##D, V_##D); }
#define CMP8_RI_D(D, ...) EACH_CC(CMP8_RI, D)
EACH_BYTE(CMP8_RI_D, )

/* TEST r, r of one register; results of counting and masking */
#define ON_RESULT(cc, D) \
    HANDLER(test_##D##_##cc) { RESULT32(cc, q_and(W_##D, W_##D, &FR, &FX)); } \
    HANDLER(test_ri_##D##_##cc) { RESULT32(cc, q_and(W_##D, i->b, &FR, &FX)); }
#define ON_RESULT_D(D, ...) EACH_CC(ON_RESULT, D)
EACH_D(ON_RESULT_D, )
/* E, NE, S, NS of a result, whatever CF and OF */
#define EACH_SIGN(X, ...) X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(8, __VA_ARGS__) X(9, __VA_ARGS__)
enum { SIGN_KINDS = 4 };
#define COUNT(cc, D) \
    HANDLER(dec_##D##_##cc) { uint32_t v = q_dec(W_##D, &FR, &FX); SET(D, v); RESULT32(cc, v); } \
    HANDLER(inc_##D##_##cc) { uint32_t v = q_inc(W_##D, &FR, &FX); SET(D, v); RESULT32(cc, v); } \
    HANDLER(add_##D##_##cc) { uint32_t v = q_add(W_##D, i->b, &FR, &FX); SET(D, v); RESULT32(cc, v); } \
    HANDLER(sub_##D##_##cc) { uint32_t v = q_sub(W_##D, i->b, &FR, &FX); SET(D, v); RESULT32(cc, v); } \
    HANDLER(and_##D##_##cc) { uint32_t v = q_and(W_##D, i->b, &FR, &FX); SET(D, v); RESULT32(cc, v); }
#define COUNT_D(D, ...) EACH_SIGN(COUNT, D)
EACH_D(COUNT_D, )

static int sign_place(unsigned cc)
{
    return cc == 4 || cc == 5 ? (int)cc - 4 : cc == 8 || cc == 9 ? (int)cc - 6 : -1;
}

/* PUSH, PUSH and POP, POP: both in one page, or slow one by one. */
#define PAIR(S, D, ...) \
    HANDLER(push_##D##_##S) \
    { \
        uint32_t esp = V_ESP - 8; \
        WRITE_AT(esp, 8); \
        store32(p + 4, V_##D); \
        store32(p, V_##S); \
        SET(ESP, esp); \
        ADVANCE(2); \
        DISPATCH; \
    } \
    HANDLER(pop_##D##_##S) \
    { \
        uint32_t esp = V_ESP; \
        READ_AT(esp, 8); \
        uint32_t v = load_le32(p), w = load_le32(p + 4); \
        SET(ESP, esp + 8); \
        SET(D, v); \
        SET(S, w); \
        ADVANCE(2); \
        DISPATCH; \
    }
#define PAIR_D(D, ...) EACH_S(PAIR, D, )
EACH_D(PAIR_D, )

/* Half of a pair: MOV from memory, MOV to memory */
#define LOAD_HALF(R, B) \
    { \
        READ_AT(EA(B), 4); \
        SET(R, load_le32(p)); \
    }
#define STORE_HALF(R, B) \
    { \
        WRITE_AT(EA(B), 4); \
        store32(p, V_##R); \
    }

/* MOV from memory twice, to memory twice, by the same base */
#define LOADS(S, D, B) \
    HANDLER(loads_##B##_##D##_##S) { LOAD_HALF(D, B) i++; LOAD_HALF(S, B) NEXT; } \
    HANDLER(stores_##B##_##D##_##S) { STORE_HALF(D, B) i++; STORE_HALF(S, B) NEXT; }
#define LOADS_D(D, B) EACH_S(LOADS, D, B)
#define EACH_PAIR_BASE(X, ...) \
    X(EAX, __VA_ARGS__) X(ECX, __VA_ARGS__) X(EDX, __VA_ARGS__) X(EBX, __VA_ARGS__) \
    X(ESP, __VA_ARGS__) X(EBP, __VA_ARGS__) X(ESI, __VA_ARGS__) X(EDI, __VA_ARGS__)
#define LOADS_B(B, ...) EACH_D(LOADS_D, B)
EACH_PAIR_BASE(LOADS_B, )

/* MOV from memory and MOV to memory, in either order, both on the stack */
#define TURN(S, D, B) \
    HANDLER(turn_##B##_##D##_##S) { LOAD_HALF(D, B) i++; STORE_HALF(S, B) NEXT; } \
    HANDLER(return_##B##_##D##_##S) { STORE_HALF(D, B) i++; LOAD_HALF(S, B) NEXT; }
#define TURN_D(D, B) EACH_S(TURN, D, B)
EACH_D(TURN_D, ESP)
EACH_D(TURN_D, EBP)

/* MOV from a register, and a shift or rotation of the copy by a number */
#define MOVED(S, D, f) \
    HANDLER(f##_##D##_##S) \
    { \
        uint32_t n = i[1].b; \
        ASSUME(n >= 1 && n <= 31); \
        SET(D, q_##f(V_##S, n, &FR, &FX)); \
        ADVANCE(2); \
        DISPATCH; \
    }
#define MOVED_D(D, f) EACH_S(MOVED, D, f)
EACH_D(MOVED_D, rol)
EACH_D(MOVED_D, ror)
EACH_D(MOVED_D, shl)
EACH_D(MOVED_D, shr)
EACH_D(MOVED_D, sar)

/* Tables */
#define NAME_BASED(S, D, n, B) n##_##B##_##D##_##S,
#define NAME_BASED_D(D, n, B) {EACH_S(NAME_BASED, D, n, B)},
#define NAME_BASED_B(B, n) {EACH_D(NAME_BASED_D, n, B)},
#define NAME_CC(cc, n) n##_##cc,
#define NAME_RR_S(S, D, n) {EACH_CC(NAME_CC, n##_##D##_##S)},
#define NAME_RR_D(D, n) {EACH_S(NAME_RR_S, D, n)},
#define NAME_D(D, n) {EACH_CC(NAME_CC, n##_##D)},
#define NAME_SIGN(D, n) {EACH_SIGN(NAME_CC, n##_##D)},
#define NAME_PAIR(S, D, n) n##_##D##_##S,
#define NAME_PAIR_D(D, n) {EACH_S(NAME_PAIR, D, n)},
static fast_handler *const cmp_rr[8][8][CC_KINDS] = {EACH_D(NAME_RR_D, cmp)};
static fast_handler *const cmp_ri[3][8][CC_KINDS] = {{EACH_BYTE(NAME_D, cmp8_ri)}, {EACH_D(NAME_D, cmp16_ri)}, {EACH_D(NAME_D, cmp_ri)}};
static fast_handler *const cmp_mi[3][9][CC_KINDS] = {{EACH_BASE(NAME_D, cmp8_mi)}, {EACH_BASE(NAME_D, cmp16_mi)}, {EACH_BASE(NAME_D, cmp_mi)}};
#define NAME_RM(cc, B, D, n) n##_##D##_##B##_##cc,
#define NAME_RM_B(B, D, n) {EACH_CC(NAME_RM, B, D, n)},
#define NAME_RM_D(D, n) {EACH_BASE(NAME_RM_B, D, n)},
static fast_handler *const cmp_rm[8][9][CC_KINDS] = {EACH_D(NAME_RM_D, cmp_rm)};
static fast_handler *const cmp_mr[8][9][CC_KINDS] = {EACH_D(NAME_RM_D, cmp_mr)};
static fast_handler *const test8_ri[8][CC_KINDS] = {EACH_BYTE(NAME_D, test8_ri)};
static fast_handler *const test8_mi[9][CC_KINDS] = {EACH_BASE(NAME_D, test8_mi)};
static fast_handler *const test8[8][CC_KINDS] = {EACH_BYTE(NAME_D, test8)};
static fast_handler *const test[8][CC_KINDS] = {EACH_D(NAME_D, test)};
static fast_handler *const test_ri[8][CC_KINDS] = {EACH_D(NAME_D, test_ri)};
static fast_handler *const dec[8][SIGN_KINDS] = {EACH_D(NAME_SIGN, dec)};
static fast_handler *const inc[8][SIGN_KINDS] = {EACH_D(NAME_SIGN, inc)};
static fast_handler *const add[8][SIGN_KINDS] = {EACH_D(NAME_SIGN, add)};
static fast_handler *const sub[8][SIGN_KINDS] = {EACH_D(NAME_SIGN, sub)};
static fast_handler *const and[8][SIGN_KINDS] = {EACH_D(NAME_SIGN, and)};
static fast_handler *const push[8][8] = {EACH_D(NAME_PAIR_D, push)};
static fast_handler *const pop[8][8] = {EACH_D(NAME_PAIR_D, pop)};
static fast_handler *const loads[8][8][8] = {EACH_PAIR_BASE(NAME_BASED_B, loads)};
static fast_handler *const stores[8][8][8] = {EACH_PAIR_BASE(NAME_BASED_B, stores)};
static fast_handler *const turn[2][8][8] = {{EACH_D(NAME_BASED_D, turn, ESP)}, {EACH_D(NAME_BASED_D, turn, EBP)}};
static fast_handler *const returns[2][8][8] = {{EACH_D(NAME_BASED_D, return, ESP)}, {EACH_D(NAME_BASED_D, return, EBP)}};
/* ROL ROR RCL RCR SHL SHR SAL SAR */
static fast_handler *const moved[8][8][8] = {{EACH_D(NAME_PAIR_D, rol)}, {EACH_D(NAME_PAIR_D, ror)}, {{NULL}}, {{NULL}},
                                             {EACH_D(NAME_PAIR_D, shl)}, {EACH_D(NAME_PAIR_D, shr)},
                                             {EACH_D(NAME_PAIR_D, shl)}, {EACH_D(NAME_PAIR_D, sar)}};

/* Selection */

/* Flat [base + disp]. */
static bool plain_memory(const struct insn *o, enum fast_mode mode)
{
    return fast_flat_operand(o, mode) && o->index == REG_NONE;
}

static fast_handler *fuse_cmp(const struct insn *o, unsigned cc, enum fast_mode mode)
{
    int k = cc_place(cc), size = o->size / 2;
    bool memory = plain_memory(o, mode), wide = o->size == 4;
    if (k < 0)
        return NULL;
    switch (o->form) {
    case FORM_MI: return memory ? cmp_mi[size][o->base][k] : NULL;
    case FORM_RI: return cmp_ri[size][o->dst][k];
    case FORM_RR: return wide ? cmp_rr[o->dst][o->src][k] : NULL;
    case FORM_RM: return wide && memory ? cmp_rm[o->dst][o->base][k] : NULL;
    case FORM_MR: return wide && memory ? cmp_mr[o->src][o->base][k] : NULL;
    default: return NULL;
    }
}

static fast_handler *fuse_test(const struct insn *o, unsigned cc, enum fast_mode mode)
{
    int k = cc_place(cc);
    if (k < 0 || o->size == 2)
        return NULL;
    if (o->form == FORM_MI)
        return o->size == 1 && plain_memory(o, mode) ? test8_mi[o->base][k] : NULL;
    if (o->form == FORM_RI)
        return o->size == 4 ? test_ri[o->dst][k] : test8_ri[o->dst][k];
    if (o->form != FORM_RR || o->dst != o->src)
        return NULL;
    return o->size == 4 ? test[o->dst][k] : test8[o->dst][k];
}

static fast_handler *fuse_count(const struct insn *o, unsigned cc)
{
    int k = sign_place(cc);
    if (k < 0 || o->size != 4)
        return NULL;
    switch (o->op) {
    case OP_DEC: return o->form == FORM_R ? dec[o->dst][k] : NULL;
    case OP_INC: return o->form == FORM_R ? inc[o->dst][k] : NULL;
    case OP_ADD: return o->form == FORM_RI ? add[o->dst][k] : NULL;
    case OP_SUB: return o->form == FORM_RI ? sub[o->dst][k] : NULL;
    case OP_AND: return o->form == FORM_RI ? and[o->dst][k] : NULL;
    default: return NULL;
    }
}

static bool plain_register(const struct insn *o, unsigned op)
{
    return o->op == op && o->form == FORM_R && o->size == 4 && o->dst != REG_ESP;
}

/* A 32-bit MOV with such an operand that has a base. */
static bool plain_move(const struct insn *o, unsigned form, enum fast_mode mode)
{
    return o->op == OP_MOV && o->form == form && o->size == 4 && o->base != REG_NONE && plain_memory(o, mode);
}

static fast_handler *fuse_moves(const struct insn *first, const struct insn *second, enum fast_mode mode)
{
    bool load = plain_move(first, FORM_RM, mode), load2 = plain_move(second, FORM_RM, mode);
    bool store = plain_move(first, FORM_MR, mode), store2 = plain_move(second, FORM_MR, mode);
    unsigned base = first->base, frame = base - REG_ESP; /* 0 ESP, 1 EBP */
    if (base != second->base || (load && first->dst == base))
        return NULL;
    if (load && load2)
        return loads[base][first->dst][second->dst];
    if (store && store2)
        return stores[base][first->src][second->src];
    if (load && store2 && frame <= 1)
        return turn[frame][first->dst][second->src];
    return store && load2 && frame <= 1 ? returns[frame][first->src][second->dst] : NULL;
}

static fast_handler *fuse_moved(const struct insn *first, const struct insn *second)
{
    bool by_number = second->form == FORM_RI && !(second->flags & INSN_CL) && (second->imm & 31);
    if (first->op != OP_MOV || first->form != FORM_RR || first->size != 4 || second->size != 4)
        return NULL;
    return by_number && first->dst == second->dst ? moved[second->op - OP_ROL][first->dst][first->src] : NULL;
}

fast_handler *fast_fuse(const struct insn *first, const struct insn *second, enum fast_mode mode)
{
    if (second->op == OP_JCC) {
        if (second->size == 2 && mode != MODE_16)
            return NULL; /* cuts EIP: has no handler */
        if (first->op == OP_CMP)
            return fuse_cmp(first, second->cc, mode);
        return first->op == OP_TEST ? fuse_test(first, second->cc, mode) : fuse_count(first, second->cc);
    }
    if (second->op >= OP_ROL && second->op <= OP_SAR)
        return fuse_moved(first, second);
    if (mode != MODE_FLAT)
        return NULL;
    if (plain_register(first, OP_PUSH) && plain_register(second, OP_PUSH))
        return push[first->dst][second->dst];
    if (plain_register(first, OP_POP) && plain_register(second, OP_POP) && first->dst != second->dst)
        return pop[first->dst][second->dst];
    return fuse_moves(first, second, mode);
}
#endif
