/*
 * Particular registers in 8 and 16 bits, the one-operand forms in flat memory, and 32-bit moves through a
 * segment with a base of its own (per-CPU and thread data behind FS and GS). See special.h for why, h_alu.c
 * and h_mov.c for the general handlers.
 */
#include "cpu/fast/special.h"

#ifdef RETRACE_SMALL
fast_handler *fast_special_narrow(const struct insn *o, bool flat)
{
    (void)o, (void)flat;
    return NULL;
}
#else

#define EACH_WORD(X, ...) \
    X(AX, __VA_ARGS__) X(CX, __VA_ARGS__) X(DX, __VA_ARGS__) X(BX, __VA_ARGS__) \
    X(SP, __VA_ARGS__) X(BP, __VA_ARGS__) X(SI, __VA_ARGS__) X(DI, __VA_ARGS__)
#define EACH_WORD_S(X, ...) \
    X(AX, __VA_ARGS__) X(CX, __VA_ARGS__) X(DX, __VA_ARGS__) X(BX, __VA_ARGS__) \
    X(SP, __VA_ARGS__) X(BP, __VA_ARGS__) X(SI, __VA_ARGS__) X(DI, __VA_ARGS__)
#define EACH_BYTE_S(X, ...) \
    X(AL, __VA_ARGS__) X(CL, __VA_ARGS__) X(DL, __VA_ARGS__) X(BL, __VA_ARGS__) \
    X(AH, __VA_ARGS__) X(CH, __VA_ARGS__) X(DH, __VA_ARGS__) X(BH, __VA_ARGS__)

/* Bytes: dst = f(dst, src) */
#define BYTE_RR(S, D, n, f) HANDLER(n##_rr_##D##_##S) { SET_##D(f(1, V_##D, V_##S, &FR, &FX)); NEXT; }
#define BYTE_RR_D(D, n, f) EACH_BYTE_S(BYTE_RR, D, n, f)
#define BYTE_RI(D, n, f) HANDLER(n##_ri_##D) { SET_##D(f(1, V_##D, i->b, &FR, &FX)); NEXT; }
#define BYTE_RM(B, D, n, f) HANDLER(n##_rm_##D##_##B) { READ_AT(EA(B), 1); SET_##D(f(1, V_##D, load8(p), &FR, &FX)); NEXT; }
#define BYTE_RM_D(D, n, f) EACH_BASE(BYTE_RM, D, n, f)
#define BYTE_MR(B, D, n, f) HANDLER(n##_mr_##D##_##B) { WRITE_AT(EA(B), 1); store8(p, f(1, load8(p), V_##D, &FR, &FX)); NEXT; }
#define BYTE_MR_D(D, n, f) EACH_BASE(BYTE_MR, D, n, f)
#define BYTE_MI(B, n, f) HANDLER(n##_mi_##B) { WRITE_AT(EA(B), 1); store8(p, f(1, load8(p), i->b, &FR, &FX)); NEXT; }
#define BYTES(n, f) \
    EACH_BYTE(BYTE_RR_D, n, f) EACH_BYTE(BYTE_RI, n, f) EACH_BYTE(BYTE_RM_D, n, f) EACH_BYTE(BYTE_MR_D, n, f) \
    EACH_BASE(BYTE_MI, n, f)
BYTES(add8, alu_add)
BYTES(or8, alu_or)
BYTES(adc8, alu_adc)
BYTES(sbb8, alu_sbb)
BYTES(and8, alu_and)
BYTES(sub8, alu_sub)
BYTES(xor8, alu_xor)

/* Flags only */
#define SEE8_RR(S, D, n, f) HANDLER(n##_rr_##D##_##S) { f(1, V_##D, V_##S, &FR, &FX); NEXT; }
#define SEE8_RR_D(D, n, f) EACH_BYTE_S(SEE8_RR, D, n, f)
#define SEE8_RI(D, n, f) HANDLER(n##_ri_##D) { f(1, V_##D, i->b, &FR, &FX); NEXT; }
#define SEE8_RM(B, D, n, f) HANDLER(n##_rm_##D##_##B) { READ_AT(EA(B), 1); f(1, V_##D, load8(p), &FR, &FX); NEXT; }
#define SEE8_RM_D(D, n, f) EACH_BASE(SEE8_RM, D, n, f)
#define SEE8_MR(B, D, n, f) HANDLER(n##_mr_##D##_##B) { READ_AT(EA(B), 1); f(1, load8(p), V_##D, &FR, &FX); NEXT; }
#define SEE8_MR_D(D, n, f) EACH_BASE(SEE8_MR, D, n, f)
#define SEE8_MI(B, n, f) HANDLER(n##_mi_##B) { READ_AT(EA(B), 1); f(1, load8(p), i->b, &FR, &FX); NEXT; }
#define SEES8(n, f) \
    EACH_BYTE(SEE8_RR_D, n, f) EACH_BYTE(SEE8_RI, n, f) EACH_BYTE(SEE8_RM_D, n, f) EACH_BYTE(SEE8_MR_D, n, f) \
    EACH_BASE(SEE8_MI, n, f)
SEES8(cmp8, alu_sub)
SEES8(test8, alu_and)

/* Words: registers and immediates */
#define WORD_RR(S, D, n, f) HANDLER(n##_rr_##D##_##S) { SET_##D(f(2, V_##D, V_##S, &FR, &FX)); NEXT; }
#define WORD_RR_D(D, n, f) EACH_WORD_S(WORD_RR, D, n, f)
#define WORD_RI(D, n, f) HANDLER(n##_ri_##D) { SET_##D(f(2, V_##D, i->b, &FR, &FX)); NEXT; }
#define WORDS(n, f) EACH_WORD(WORD_RR_D, n, f) EACH_WORD(WORD_RI, n, f)
WORDS(add16, alu_add)
WORDS(or16, alu_or)
WORDS(adc16, alu_adc)
WORDS(sbb16, alu_sbb)
WORDS(and16, alu_and)
WORDS(sub16, alu_sub)
WORDS(xor16, alu_xor)
#define SEE16_RR(S, D, n, f) HANDLER(n##_rr_##D##_##S) { f(2, V_##D, V_##S, &FR, &FX); NEXT; }
#define SEE16_RR_D(D, n, f) EACH_WORD_S(SEE16_RR, D, n, f)
#define SEE16_RI(D, n, f) HANDLER(n##_ri_##D) { f(2, V_##D, i->b, &FR, &FX); NEXT; }
#define SEES16(n, f) EACH_WORD(SEE16_RR_D, n, f) EACH_WORD(SEE16_RI, n, f)
SEES16(cmp16, alu_sub)
SEES16(test16, alu_and)
#define SHIFT(D, n, f) HANDLER(n##_##D) { uint32_t k = i->b; ASSUME(k >= 1 && k <= 31); SET_##D(f(2, V_##D, k, &FR, &FX)); NEXT; }
EACH_WORD(SHIFT, shl16, alu_shl)
EACH_WORD(SHIFT, shr16, alu_shr)
EACH_WORD(SHIFT, sar16, alu_sar)
EACH_WORD(WORD_RI, inc16, alu_inc)
EACH_WORD(WORD_RI, dec16, alu_dec)

/* Moves */
#define MOV_RR(S, D, n) HANDLER(n##_##D##_##S) { SET_##D(V_##S); NEXT; }
#define MOV8_D(D, ...) EACH_BYTE_S(MOV_RR, D, mov8)
#define MOV16_D(D, ...) EACH_WORD_S(MOV_RR, D, mov16)
EACH_BYTE(MOV8_D, )
EACH_WORD(MOV16_D, )
#define MOV_RI(D, ...) HANDLER(mov16_ri_##D) { SET_##D(i->b); NEXT; }
EACH_WORD(MOV_RI, )
#define LOAD16(B, D, ...) HANDLER(ld16_##D##_##B) { READ_AT(EA(B), 2); SET_##D(load16(p)); NEXT; }
#define LOAD16_D(D, ...) EACH_BASE(LOAD16, D, )
EACH_WORD(LOAD16_D, )
#define STORE8X(X, B, D, ...) HANDLER(st8_##D##_##B##_##X) { WRITE_AT(EAX(B, X), 1); store8(p, V_##D); NEXT; }
#define STORE8X_B(B, D, ...) EACH_INDEX(STORE8X, B, D, )
#define STORE8X_D(D, ...) EACH_BASE(STORE8X_B, D, )
EACH_BYTE(STORE8X_D, )

/* One operand in memory */
#define ONE(B, n, f) HANDLER(n##_##B) { WRITE_AT(EA(B), 4); store32(p, f(load32(p), &FR, &FX)); NEXT; }
EACH_BASE(ONE, inc_m, q_inc)
EACH_BASE(ONE, dec_m, q_dec)

/* [seg:disp] */
#define THROUGH(write) \
    uint8_t *p; \
    if (UNLIKELY(!fast_segment(c, TL, i->sc >> 5, i->a, 4, write, &p))) SLOW
#define SEG_MOVE(D, ...) \
    HANDLER(mov_seg_##D) { THROUGH(false); SET(D, load32(p)); NEXT; } \
    HANDLER(st_seg_##D) { THROUGH(true); store32(p, V_##D); NEXT; } \
    HANDLER(add_seg_##D) { THROUGH(false); SET(D, q_add(V_##D, load32(p), &FR, &FX)); NEXT; }
EACH_D(SEG_MOVE, )
HANDLER(inc_seg) { THROUGH(true); store32(p, q_inc(load32(p), &FR, &FX)); NEXT; }
HANDLER(dec_seg) { THROUGH(true); store32(p, q_dec(load32(p), &FR, &FX)); NEXT; }

/* Tables, in the order of OP_ADD.. OP_TEST */
#define NAME2(S, D, n) n##_rr_##D##_##S,
#define NAME2_D8(D, n) {EACH_BYTE_S(NAME2, D, n)},
#define NAME2_D16(D, n) {EACH_WORD_S(NAME2, D, n)},
#define NAME_RI(D, n) n##_ri_##D,
#define NAME_RM(B, D, n) n##_rm_##D##_##B,
#define NAME_RM_D(D, n) {EACH_BASE(NAME_RM, D, n)},
#define NAME_MR(B, D, n) n##_mr_##D##_##B,
#define NAME_MR_D(D, n) {EACH_BASE(NAME_MR, D, n)},
#define NAME_MI(B, n) n##_mi_##B,
#define ROW8_RR(n) {EACH_BYTE(NAME2_D8, n)}
#define ROW8_RI(n) {EACH_BYTE(NAME_RI, n)}
#define ROW8_RM(n) {EACH_BYTE(NAME_RM_D, n)}
#define ROW8_MR(n) {EACH_BYTE(NAME_MR_D, n)}
#define ROW8_MI(n) {EACH_BASE(NAME_MI, n)}
#define ROW16_RR(n) {EACH_WORD(NAME2_D16, n)}
#define ROW16_RI(n) {EACH_WORD(NAME_RI, n)}
#define ALL_8(ROW) \
    ROW(add8), ROW(or8), ROW(adc8), ROW(sbb8), ROW(and8), ROW(sub8), ROW(xor8), ROW(cmp8), ROW(test8)
#define ALL_16(ROW) \
    ROW(add16), ROW(or16), ROW(adc16), ROW(sbb16), ROW(and16), ROW(sub16), ROW(xor16), ROW(cmp16), ROW(test16)
static fast_handler *const byte_rr[9][8][8] = {ALL_8(ROW8_RR)};
static fast_handler *const byte_ri[9][8] = {ALL_8(ROW8_RI)};
static fast_handler *const byte_rm[9][8][9] = {ALL_8(ROW8_RM)};
static fast_handler *const byte_mr[9][8][9] = {ALL_8(ROW8_MR)};
static fast_handler *const byte_mi[9][9] = {ALL_8(ROW8_MI)};
static fast_handler *const word_rr[9][8][8] = {ALL_16(ROW16_RR)};
static fast_handler *const word_ri[9][8] = {ALL_16(ROW16_RI)};

#define NAME1(D, n) n##_##D,
#define NAME_S(S, D, n) n##_##D##_##S,
#define NAME_S8_D(D, n) {EACH_BYTE_S(NAME_S, D, n)},
#define NAME_S16_D(D, n) {EACH_WORD_S(NAME_S, D, n)},
#define NAME_B_D(D, n) {EACH_BASE(NAME_S, D, n)},
#define NAME_X(X, B, D, n) n##_##D##_##B##_##X,
#define NAME_X_B(B, D, n) {EACH_INDEX(NAME_X, B, D, n)},
#define NAME_X_D(D, n) {EACH_BASE(NAME_X_B, D, n)},
static fast_handler *const shl16[8] = {EACH_WORD(NAME1, shl16)};
static fast_handler *const shr16[8] = {EACH_WORD(NAME1, shr16)};
static fast_handler *const sar16[8] = {EACH_WORD(NAME1, sar16)};
static fast_handler *const inc16[8] = {EACH_WORD(NAME_RI, inc16)};
static fast_handler *const dec16[8] = {EACH_WORD(NAME_RI, dec16)};
static fast_handler *const mov8[8][8] = {EACH_BYTE(NAME_S8_D, mov8)};
static fast_handler *const mov16[8][8] = {EACH_WORD(NAME_S16_D, mov16)};
static fast_handler *const mov16_ri[8] = {EACH_WORD(NAME1, mov16_ri)};
static fast_handler *const ld16[8][9] = {EACH_WORD(NAME_B_D, ld16)};
static fast_handler *const st8x[8][9][7] = {EACH_BYTE(NAME_X_D, st8)};
static fast_handler *const inc_m[9] = {EACH_BASE(NAME1, inc_m)};
static fast_handler *const dec_m[9] = {EACH_BASE(NAME1, dec_m)};
static fast_handler *const mov_seg[8] = {EACH_D(NAME1, mov_seg)};
static fast_handler *const st_seg[8] = {EACH_D(NAME1, st_seg)};
static fast_handler *const add_seg[8] = {EACH_D(NAME1, add_seg)};

/* Selection */

static bool plain(const struct insn *o, bool flat) { return flat && o->index == REG_NONE; }

static fast_handler *narrow_alu(const struct insn *o, bool flat)
{
    unsigned op = o->op - OP_ADD;
    bool byte = o->size == 1;
    switch (o->form) {
    case FORM_RR: return byte ? byte_rr[op][o->dst][o->src] : word_rr[op][o->dst][o->src];
    case FORM_RI: return byte ? byte_ri[op][o->dst] : word_ri[op][o->dst];
    case FORM_RM: return byte && plain(o, flat) ? byte_rm[op][o->dst][o->base] : NULL;
    case FORM_MR: return byte && plain(o, flat) ? byte_mr[op][o->src][o->base] : NULL;
    case FORM_MI: return byte && plain(o, flat) ? byte_mi[op][o->base] : NULL;
    default: return NULL;
    }
}

static fast_handler *narrow_mov(const struct insn *o, bool flat)
{
    bool byte = o->size == 1;
    switch (o->form) {
    case FORM_RR: return byte ? mov8[o->dst][o->src] : mov16[o->dst][o->src];
    case FORM_RI: return byte ? NULL : mov16_ri[o->dst];
    case FORM_RM: return !byte && plain(o, flat) ? ld16[o->dst][o->base] : NULL;
    case FORM_MR:
        if (!byte || !flat || o->index == REG_NONE)
            return NULL;
        return st8x[o->src][o->base][o->index - (o->index > REG_ESP)];
    default: return NULL;
    }
}

static fast_handler *narrow_one(const struct insn *o, bool flat, fast_handler *const word[8], fast_handler *const memory[9])
{
    if (o->form == FORM_R)
        return o->size == 2 ? word[o->dst] : NULL;
    return o->size == 4 && plain(o, flat) ? memory[o->base] : NULL;
}

static fast_handler *narrow_shift(const struct insn *o, fast_handler *const word[8])
{
    bool by_imm = (o->form == FORM_R || o->form == FORM_RI) && !(o->flags & INSN_CL);
    return by_imm && o->size == 2 ? word[o->dst] : NULL;
}

/* 32 bits at [seg:disp] */
static fast_handler *through_segment(const struct insn *o)
{
    if (o->size != 4 || o->asize != 4 || o->base != REG_NONE || o->index != REG_NONE)
        return NULL;
    switch (o->op) {
    case OP_MOV: return o->form == FORM_RM ? mov_seg[o->dst] : o->form == FORM_MR ? st_seg[o->src] : NULL;
    case OP_ADD: return o->form == FORM_RM ? add_seg[o->dst] : NULL;
    case OP_INC: return o->form == FORM_M ? inc_seg : NULL;
    case OP_DEC: return o->form == FORM_M ? dec_seg : NULL;
    default: return NULL;
    }
}

fast_handler *fast_special_narrow(const struct insn *o, bool flat)
{
    fast_handler *fn = !flat ? through_segment(o) : NULL;
    if (fn)
        return fn;
    if (o->size != 4 && o->op >= OP_ADD && o->op <= OP_TEST)
        return narrow_alu(o, flat);
    switch (o->op) {
    case OP_MOV: return o->size != 4 ? narrow_mov(o, flat) : NULL;
    case OP_INC: return narrow_one(o, flat, inc16, inc_m);
    case OP_DEC: return narrow_one(o, flat, dec16, dec_m);
    case OP_SHL: case OP_SAL: return narrow_shift(o, shl16);
    case OP_SHR: return narrow_shift(o, shr16);
    case OP_SAR: return narrow_shift(o, sar16);
    default: return NULL;
    }
}
#endif
