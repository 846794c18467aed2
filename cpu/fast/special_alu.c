/*
 * Arithmetic for particular registers, 32 bits: register, immediate and flat memory operands. See
 * special.h for why, h_alu.c for the general handlers.
 */
#include "cpu/fast/special.h"

#ifdef RETRACE_SMALL
fast_handler *fast_special(const struct insn *o, enum fast_mode mode)
{
    (void)o, (void)mode;
    return NULL;
}
#else

/* dst = f(dst, src): r,r  r,imm  r,m  m,r  m,imm */
#define ALU_RR(S, D, f) HANDLER(f##_rr_##D##_##S) { SET(D, q_##f(W_##D, W_##S, &FR, &FX)); NEXT; }
#define ALU_RR_D(D, f) EACH_S(ALU_RR, D, f)
#define ALU_RI(D, f) HANDLER(f##_ri_##D) { SET(D, q_##f(W_##D, i->b, &FR, &FX)); NEXT; }
#define ALU_RM(B, D, f) HANDLER(f##_rm_##D##_##B) { READ_AT(EA(B), 4); SET(D, q_##f(W_##D, load_whole(p), &FR, &FX)); NEXT; }
#define ALU_RM_D(D, f) EACH_BASE(ALU_RM, D, f)
#define ALU_MR(B, D, f) HANDLER(f##_mr_##D##_##B) { WRITE_AT(EA(B), 4); store32(p, q_##f(load_whole(p), W_##D, &FR, &FX)); NEXT; }
#define ALU_MR_D(D, f) EACH_BASE(ALU_MR, D, f)
#define ALU_MI(B, f) HANDLER(f##_mi_##B) { WRITE_AT(EA(B), 4); store32(p, q_##f(load_whole(p), i->b, &FR, &FX)); NEXT; }
#define ALU(f, ...) EACH_D(ALU_RR_D, f) EACH_D(ALU_RI, f) EACH_D(ALU_RM_D, f) EACH_D(ALU_MR_D, f) EACH_BASE(ALU_MI, f)

ALU(add)
ALU(or)
ALU(adc)
ALU(sbb)
ALU(and)
ALU(sub)
ALU(xor)

/* With index: the commonest */
#define ALU_RX(X, B, D, f) HANDLER(f##_rx_##D##_##B##_##X) { READ_AT(EAX(B, X), 4); SET(D, q_##f(W_##D, load_whole(p), &FR, &FX)); NEXT; }
#define ALU_RX_B(B, D, f) EACH_INDEX(ALU_RX, B, D, f)
#define ALU_RX_D(D, f) EACH_BASE(ALU_RX_B, D, f)
EACH_D(ALU_RX_D, add)
EACH_D(ALU_RX_D, xor)

/* CMP, TEST: flags of f(dst, src) */
#define CMP_RR(S, D, n, f) HANDLER(n##_rr_##D##_##S) { q_##f(W_##D, W_##S, &FR, &FX); NEXT; }
#define CMP_RR_D(D, n, f) EACH_S(CMP_RR, D, n, f)
#define CMP_RI(D, n, f) HANDLER(n##_ri_##D) { q_##f(W_##D, i->b, &FR, &FX); NEXT; }
#define CMP_RM(B, D, n, f) HANDLER(n##_rm_##D##_##B) { READ_AT(EA(B), 4); q_##f(W_##D, load_whole(p), &FR, &FX); NEXT; }
#define CMP_RM_D(D, n, f) EACH_BASE(CMP_RM, D, n, f)
#define CMP_MR(B, D, n, f) HANDLER(n##_mr_##D##_##B) { READ_AT(EA(B), 4); q_##f(load_whole(p), W_##D, &FR, &FX); NEXT; }
#define CMP_MR_D(D, n, f) EACH_BASE(CMP_MR, D, n, f)
#define CMP_MI(B, n, f) HANDLER(n##_mi_##B) { READ_AT(EA(B), 4); q_##f(load_whole(p), i->b, &FR, &FX); NEXT; }
#define CMP(n, f) \
    EACH_D(CMP_RR_D, n, f) EACH_D(CMP_RI, n, f) EACH_D(CMP_RM_D, n, f) EACH_D(CMP_MR_D, n, f) EACH_BASE(CMP_MI, n, f)

CMP(cmp, sub)
CMP(test, and)

/* Tables in the order of OP_ADD.. OP_TEST */
#define NAME_RR(S, D, f) f##_rr_##D##_##S,
#define NAME_RR_D(D, f) {EACH_S(NAME_RR, D, f)},
#define NAME_RI(D, f) f##_ri_##D,
#define NAME_RM(B, D, f) f##_rm_##D##_##B,
#define NAME_RM_D(D, f) {EACH_BASE(NAME_RM, D, f)},
#define NAME_MR(B, D, f) f##_mr_##D##_##B,
#define NAME_MR_D(D, f) {EACH_BASE(NAME_MR, D, f)},
#define NAME_MI(B, f) f##_mi_##B,
#define ALL_OPS(ROW) \
    ROW(add), ROW(or), ROW(adc), ROW(sbb), ROW(and), ROW(sub), ROW(xor), ROW(cmp), ROW(test)
#define ROW_RR(f) {EACH_D(NAME_RR_D, f)}
#define ROW_RI(f) {EACH_D(NAME_RI, f)}
#define ROW_RM(f) {EACH_D(NAME_RM_D, f)}
#define ROW_MR(f) {EACH_D(NAME_MR_D, f)}
#define ROW_MI(f) {EACH_BASE(NAME_MI, f)}
static fast_handler *const alu_rr[9][8][8] = {ALL_OPS(ROW_RR)};
static fast_handler *const alu_ri[9][8] = {ALL_OPS(ROW_RI)};
static fast_handler *const alu_rm[9][8][9] = {ALL_OPS(ROW_RM)};
static fast_handler *const alu_mr[9][8][9] = {ALL_OPS(ROW_MR)};
static fast_handler *const alu_mi[9][9] = {ALL_OPS(ROW_MI)};

#define NAME_RX(X, B, D, f) f##_rx_##D##_##B##_##X,
#define NAME_RX_B(B, D, f) {EACH_INDEX(NAME_RX, B, D, f)},
#define NAME_RX_D(D, f) {EACH_BASE(NAME_RX_B, D, f)},
static fast_handler *const add_rx[8][9][7] = {EACH_D(NAME_RX_D, add)};
static fast_handler *const xor_rx[8][9][7] = {EACH_D(NAME_RX_D, xor)};

/* One operand */
#define ONE(D, ...) \
    HANDLER(inc_##D) { SET(D, q_inc(W_##D, &FR, &FX)); NEXT; } \
    HANDLER(dec_##D) { SET(D, q_dec(W_##D, &FR, &FX)); NEXT; } \
    HANDLER(not_##D) { SET(D, ~V_##D); NEXT; } \
    HANDLER(neg_##D) { SET(D, q_neg(W_##D, &FR, &FX)); NEXT; } \
    HANDLER(zero_##D) { SET(D, 0); FR = FX = 0; NEXT; } \
    HANDLER(rol_##D) { uint32_t n = i->b; ASSUME(n >= 1 && n <= 31); SET(D, q_rol(V_##D, n, &FR, &FX)); NEXT; } \
    HANDLER(ror_##D) { uint32_t n = i->b; ASSUME(n >= 1 && n <= 31); SET(D, q_ror(V_##D, n, &FR, &FX)); NEXT; } \
    HANDLER(shl_##D) { SET(D, q_shl(W_##D, i->b, &FR, &FX)); NEXT; } \
    HANDLER(shr_##D) { SET(D, q_shr(W_##D, i->b, &FR, &FX)); NEXT; } \
    HANDLER(sar_##D) { SET(D, q_sar(W_##D, i->b, &FR, &FX)); NEXT; } \
    HANDLER(shl_cl_##D) { uint32_t n = V_ECX & 31; if (n) SET(D, q_shl(W_##D, n, &FR, &FX)); NEXT; } \
    HANDLER(shr_cl_##D) { uint32_t n = V_ECX & 31; if (n) SET(D, q_shr(W_##D, n, &FR, &FX)); NEXT; } \
    HANDLER(sar_cl_##D) { uint32_t n = V_ECX & 31; if (n) SET(D, q_sar(W_##D, n, &FR, &FX)); NEXT; }
EACH_D(ONE, )
#define NAME_ONE(D, n) n##_##D,
#define ROW_ONE(n) {EACH_D(NAME_ONE, n)}
static fast_handler *const unary[4][8] = {ROW_ONE(inc), ROW_ONE(dec), ROW_ONE(not), ROW_ONE(neg)};
static fast_handler *const zero[8] = ROW_ONE(zero);
/* ROL ROR RCL RCR SHL SHR SAL SAR */
static fast_handler *const shift_imm[8][8] = {ROW_ONE(rol), ROW_ONE(ror), {NULL}, {NULL},
                                              ROW_ONE(shl), ROW_ONE(shr), ROW_ONE(shl), ROW_ONE(sar)};
static fast_handler *const shift_cl[8][8] = {{NULL}, {NULL}, {NULL}, {NULL},
                                             ROW_ONE(shl_cl), ROW_ONE(shr_cl), ROW_ONE(shl_cl), ROW_ONE(sar_cl)};

/* IMUL r, r and r, r, imm; SHRD, SHLD r, r, imm */
#define TWO(S, D, ...) \
    HANDLER(imul2_##D##_##S) { SET(D, q_imul(W_##D, W_##S, &FR, &FX)); NEXT; } \
    HANDLER(imul3_##D##_##S) { SET(D, q_imul(W_##S, i->b, &FR, &FX)); NEXT; } \
    HANDLER(shld_##D##_##S) { uint32_t n = i->b; ASSUME(n >= 1 && n <= 31); SET(D, alu_shld(4, V_##D, V_##S, n, &FR, &FX)); NEXT; } \
    HANDLER(shrd_##D##_##S) { uint32_t n = i->b; ASSUME(n >= 1 && n <= 31); SET(D, alu_shrd(4, V_##D, V_##S, n, &FR, &FX)); NEXT; }
#define TWO_D(D, ...) EACH_S(TWO, D, )
EACH_D(TWO_D, )
#define NAME_TWO(S, D, n) n##_##D##_##S,
#define NAME_TWO_D(D, n) {EACH_S(NAME_TWO, D, n)},
#define ROW_TWO(n) {EACH_D(NAME_TWO_D, n)}
static fast_handler *const two[4][8][8] = {ROW_TWO(imul2), ROW_TWO(imul3), ROW_TWO(shld), ROW_TWO(shrd)};

#define IMUL_RM(B, D, ...) HANDLER(imul_rm_##D##_##B) { READ_AT(EA(B), 4); SET(D, q_imul(W_##D, load_whole(p), &FR, &FX)); NEXT; }
#define IMUL_RM_D(D, ...) EACH_BASE(IMUL_RM, D, )
EACH_D(IMUL_RM_D, )
static fast_handler *const imul_rm[8][9] = {EACH_D(NAME_RM_D, imul)};

/* Selection */

static bool plain_memory(const struct insn *o, bool flat) { return flat && o->index == REG_NONE; }

static fast_handler *special_indexed(const struct insn *o)
{
    unsigned x = o->index - (o->index > REG_ESP); /* no ESP in the tables */
    switch (o->op) {
    case OP_ADD: return add_rx[o->dst][o->base][x];
    case OP_XOR: return xor_rx[o->dst][o->base][x];
    default: return NULL;
    }
}

static fast_handler *special_alu(const struct insn *o, bool flat)
{
    unsigned op = o->op - OP_ADD;
    switch (o->form) {
    case FORM_RR:
        if (o->dst == o->src && (o->op == OP_XOR || o->op == OP_SUB))
            return zero[o->dst];
        return alu_rr[op][o->dst][o->src];
    case FORM_RI: return alu_ri[op][o->dst];
    case FORM_RM: return plain_memory(o, flat) ? alu_rm[op][o->dst][o->base] : flat ? special_indexed(o) : NULL;
    case FORM_MR: return plain_memory(o, flat) ? alu_mr[op][o->src][o->base] : NULL;
    case FORM_MI: return plain_memory(o, flat) ? alu_mi[op][o->base] : NULL;
    default: return NULL;
    }
}

static fast_handler *special_shift(const struct insn *o)
{
    if (o->form != FORM_R && o->form != FORM_RI && o->form != FORM_RR)
        return NULL;
    return ((o->flags & INSN_CL) ? shift_cl : shift_imm)[o->op - OP_ROL][o->dst];
}

static fast_handler *special_two(const struct insn *o, bool flat)
{
    switch (o->op) {
    case OP_IMUL2:
        if (o->form == FORM_RM)
            return plain_memory(o, flat) ? imul_rm[o->dst][o->base] : NULL;
        return o->form == FORM_RR ? two[0][o->dst][o->src] : NULL;
    case OP_IMUL3: return o->form == FORM_RRI ? two[1][o->dst][o->src] : NULL;
    case OP_SHLD: return o->form == FORM_RRI && !(o->flags & INSN_CL) ? two[2][o->dst][o->src] : NULL;
    default: return o->form == FORM_RRI && !(o->flags & INSN_CL) ? two[3][o->dst][o->src] : NULL;
    }
}

fast_handler *fast_special(const struct insn *o, enum fast_mode mode)
{
    bool flat = fast_flat_operand(o, mode);
    fast_handler *fn = fast_special_move(o, mode == MODE_FLAT, flat);
    if (!fn)
        fn = fast_special_narrow(o, flat);
    if (fn || o->size != 4)
        return fn;
    if (o->op >= OP_ADD && o->op <= OP_TEST)
        return special_alu(o, flat);
    if (o->op >= OP_ROL && o->op <= OP_SAR)
        return special_shift(o);
    switch (o->op) {
    case OP_INC: case OP_DEC: case OP_NOT: case OP_NEG: return o->form == FORM_R ? unary[o->op - OP_INC][o->dst] : NULL;
    case OP_IMUL2: case OP_IMUL3: case OP_SHLD: case OP_SHRD: return special_two(o, flat);
    default: return NULL;
    }
}
#endif
