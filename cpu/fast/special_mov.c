/*
 * Moves for particular registers: MOV in 32 and 8 bits, 16-bit stores, MOVZX, MOVSX, LEA, PUSH, POP, with
 * flat memory operands with and without index. See special.h for why, h_mov.c for the general handlers.
 */
#include "cpu/fast/special.h"

#ifndef RETRACE_SMALL

/* Registers and immediates */
#define MOV_RR(S, D, ...) HANDLER(mov_##D##_##S) { GPR(REG_##D) = GPR(REG_##S); NEXT; }
#define MOV_RR_D(D, ...) EACH_S(MOV_RR, D, )
EACH_D(MOV_RR_D, )
#define MOV_RI(D, ...) HANDLER(mov_ri_##D) { SET(D, i->b); NEXT; }
EACH_D(MOV_RI, )
#define MOV8_RI(D, ...) HANDLER(mov8_ri_##D) { SET_##D(i->b); NEXT; }
EACH_BYTE(MOV8_RI, )

/* Loads into a 32-bit register: kind(value) */
#define GET_mov(p) load_le32(p)
#define GET_zx8(p) load8(p)
#define GET_zx16(p) load16(p)
#define GET_sx8(p) alu_sext(1, load8(p))
#define GET_sx16(p) alu_sext(2, load16(p))
#define SIZE_mov 4
#define SIZE_zx8 1
#define SIZE_zx16 2
#define SIZE_sx8 1
#define SIZE_sx16 2
#define LOAD(B, D, k) HANDLER(k##_##D##_at_##B) { READ_AT(EA(B), SIZE_##k); SET(D, GET_##k(p)); NEXT; }
#define LOAD_D(D, k) EACH_BASE(LOAD, D, k)
#define LOADX(X, B, D, k) HANDLER(k##_##D##_at_##B##_##X) { READ_AT(EAX(B, X), SIZE_##k); SET(D, GET_##k(p)); NEXT; }
#define LOADX_B(B, D, k) EACH_INDEX(LOADX, B, D, k)
#define LOADX_D(D, k) EACH_BASE(LOADX_B, D, k)
EACH_D(LOAD_D, mov)
EACH_D(LOAD_D, zx8)
EACH_D(LOAD_D, zx16)
EACH_D(LOAD_D, sx8)
EACH_D(LOAD_D, sx16)
EACH_D(LOADX_D, mov)
EACH_D(LOADX_D, zx8)
EACH_D(LOADX_D, zx16)

/* Between registers */
#define EXTEND(S, D, ...) \
    HANDLER(zx8_##D##_##S) { SET(D, (uint8_t)V_##S); NEXT; } \
    HANDLER(zx16_##D##_##S) { SET(D, (uint16_t)V_##S); NEXT; } \
    HANDLER(sx8_##D##_##S) { SET(D, alu_sext(1, V_##S)); NEXT; } \
    HANDLER(sx16_##D##_##S) { SET(D, alu_sext(2, V_##S)); NEXT; }
#define EXTEND_D(D, ...) EACH_S(EXTEND, D, )
EACH_D(EXTEND_D, )

/* LEA */
#define LEA0(B, D, ...) HANDLER(lea_##D##_at_##B) { SET(D, EA(B)); NEXT; }
#define LEA0_D(D, ...) EACH_BASE(LEA0, D, )
#define LEA1(X, B, D, ...) HANDLER(lea_##D##_at_##B##_##X) { SET(D, EAX(B, X)); NEXT; }
#define LEA1_B(B, D, ...) EACH_INDEX(LEA1, B, D, )
#define LEA1_D(D, ...) EACH_BASE(LEA1_B, D, )
EACH_D(LEA0_D, )
EACH_D(LEA1_D, )

/* Stores */
#define STORE(B, D, ...) \
    HANDLER(st_##D##_at_##B) { WRITE_AT(EA(B), 4); store32(p, V_##D); NEXT; } \
    HANDLER(st16_##D##_at_##B) { WRITE_AT(EA(B), 2); store16(p, V_##D); NEXT; }
#define STORE_D(D, ...) EACH_BASE(STORE, D, )
EACH_D(STORE_D, )
#define STOREX(X, B, D, ...) HANDLER(st_##D##_at_##B##_##X) { WRITE_AT(EAX(B, X), 4); store32(p, V_##D); NEXT; }
#define STOREX_B(B, D, ...) EACH_INDEX(STOREX, B, D, )
#define STOREX_D(D, ...) EACH_BASE(STOREX_B, D, )
EACH_D(STOREX_D, )
#define STORE_I(B, ...) \
    HANDLER(st_imm_at_##B) { WRITE_AT(EA(B), 4); store32(p, i->b); NEXT; } \
    HANDLER(st8_imm_at_##B) { WRITE_AT(EA(B), 1); store8(p, i->b); NEXT; }
EACH_BASE(STORE_I, )

/* Bytes */
#define BYTE0(B, D, ...) \
    HANDLER(ld8_##D##_at_##B) { READ_AT(EA(B), 1); SET_##D(load8(p)); NEXT; } \
    HANDLER(st8_##D##_at_##B) { WRITE_AT(EA(B), 1); store8(p, V_##D); NEXT; }
#define BYTE0_D(D, ...) EACH_BASE(BYTE0, D, )
EACH_BYTE(BYTE0_D, )

#define BYTE1(X, B, D, ...) HANDLER(ld8_##D##_at_##B##_##X) { READ_AT(EAX(B, X), 1); SET_##D(load8(p)); NEXT; }
#define BYTE1_B(B, D, ...) EACH_INDEX(BYTE1, B, D, )
#define BYTE1_D(D, ...) EACH_BASE(BYTE1_B, D, )
EACH_BYTE(BYTE1_D, )

/* SETcc, CMOVcc: a handler for every condition */
#define EACH_CC(X, ...) \
    X(0, __VA_ARGS__) X(1, __VA_ARGS__) X(2, __VA_ARGS__) X(3, __VA_ARGS__) X(4, __VA_ARGS__) X(5, __VA_ARGS__) \
    X(6, __VA_ARGS__) X(7, __VA_ARGS__) X(8, __VA_ARGS__) X(9, __VA_ARGS__) X(10, __VA_ARGS__) X(11, __VA_ARGS__) \
    X(12, __VA_ARGS__) X(13, __VA_ARGS__) X(14, __VA_ARGS__) X(15, __VA_ARGS__)
#define SETCC(cc, D) HANDLER(set_##D##_##cc) { SET_##D(fl_cond(cc, FR, FX)); NEXT; }
#define SETCC_D(D, ...) EACH_CC(SETCC, D)
EACH_BYTE(SETCC_D, )
#define CMOV(cc, S, D) HANDLER(cmov_##D##_##S##_##cc) { uint32_t v = V_##S, old = V_##D; SET(D, fl_cond(cc, FR, FX) ? v : old); NEXT; }
#define CMOV_S(S, D, ...) EACH_CC(CMOV, S, D)
#define CMOV_D(D, ...) EACH_S(CMOV_S, D, )
EACH_D(CMOV_D, )
#define CMOVM(cc, B, D) \
    HANDLER(cmovm_##D##_##B##_##cc) \
    { \
        READ_AT(EA(B), 4); \
        uint32_t v = load32(p), old = V_##D; \
        SET(D, fl_cond(cc, FR, FX) ? v : old); \
        NEXT; \
    }
#define CMOVM_B(B, D, ...) EACH_CC(CMOVM, B, D)
#define CMOVM_D(D, ...) EACH_BASE(CMOVM_B, D, )
EACH_D(CMOVM_D, )

/* The stack */
#define STACK(D, ...) \
    HANDLER(push_##D) \
    { \
        uint32_t esp = V_ESP - 4; \
        WRITE_AT(esp, 4); \
        store32(p, V_##D); \
        SET(ESP, esp); \
        NEXT; \
    } \
    HANDLER(pop_##D) \
    { \
        uint32_t esp = V_ESP; \
        READ_AT(esp, 4); \
        SET(ESP, esp + 4); \
        SET(D, load_le32(p)); \
        NEXT; \
    }
EACH_D(STACK, )

/* Tables */
#define NAME_R(D, n) n##_##D,
#define NAME_RR(S, D, n) n##_##D##_##S,
#define NAME_RR_D(D, n) {EACH_S(NAME_RR, D, n)},
#define NAME_AT(B, D, n) n##_##D##_at_##B,
#define NAME_AT_D(D, n) {EACH_BASE(NAME_AT, D, n)},
#define NAME_X(X, B, D, n) n##_##D##_at_##B##_##X,
#define NAME_X_B(B, D, n) {EACH_INDEX(NAME_X, B, D, n)},
#define NAME_X_D(D, n) {EACH_BASE(NAME_X_B, D, n)},
#define NAME_I(B, n) n##_at_##B,
static fast_handler *const mov_rr[8][8] = {EACH_D(NAME_RR_D, mov)};
static fast_handler *const mov_ri[8] = {EACH_D(NAME_R, mov_ri)};
static fast_handler *const mov8_ri[8] = {EACH_BYTE(NAME_R, mov8_ri)};
/* MOV MOVZX8 MOVZX16 MOVSX8 MOVSX16 */
static fast_handler *const load[5][8][9] = {{EACH_D(NAME_AT_D, mov)}, {EACH_D(NAME_AT_D, zx8)}, {EACH_D(NAME_AT_D, zx16)},
                                            {EACH_D(NAME_AT_D, sx8)}, {EACH_D(NAME_AT_D, sx16)}};
static fast_handler *const loadx[3][8][9][7] = {{EACH_D(NAME_X_D, mov)}, {EACH_D(NAME_X_D, zx8)}, {EACH_D(NAME_X_D, zx16)}};
static fast_handler *const extend[4][8][8] = {{EACH_D(NAME_RR_D, zx8)}, {EACH_D(NAME_RR_D, zx16)},
                                              {EACH_D(NAME_RR_D, sx8)}, {EACH_D(NAME_RR_D, sx16)}};
static fast_handler *const lea[8][9] = {EACH_D(NAME_AT_D, lea)};
static fast_handler *const leax[8][9][7] = {EACH_D(NAME_X_D, lea)};
static fast_handler *const store[2][8][9] = {{EACH_D(NAME_AT_D, st)}, {EACH_D(NAME_AT_D, st16)}};
static fast_handler *const storex[8][9][7] = {EACH_D(NAME_X_D, st)};
static fast_handler *const store_imm[2][9] = {{EACH_BASE(NAME_I, st8_imm)}, {EACH_BASE(NAME_I, st_imm)}};
static fast_handler *const load8_at[8][9] = {EACH_BYTE(NAME_AT_D, ld8)};
static fast_handler *const store8_at[8][9] = {EACH_BYTE(NAME_AT_D, st8)};
static fast_handler *const load8_x[8][9][7] = {EACH_BYTE(NAME_X_D, ld8)};
#define NAME_CC(cc, n) n##_##cc,
#define NAME_CC_D(D, n) {EACH_CC(NAME_CC, n##_##D)},
static fast_handler *const setcc[8][16] = {EACH_BYTE(NAME_CC_D, set)};
#define NAME_CC2(cc, S, D, n) n##_##D##_##S##_##cc,
#define NAME_CC2_S(S, D, n) {EACH_CC(NAME_CC2, S, D, n)},
#define NAME_CC2_D(D, n) {EACH_S(NAME_CC2_S, D, n)},
#define NAME_CC2_DM(D, n) {EACH_BASE(NAME_CC2_S, D, n)},
static fast_handler *const cmov[8][8][16] = {EACH_D(NAME_CC2_D, cmov)};
static fast_handler *const cmov_m[8][9][16] = {EACH_D(NAME_CC2_DM, cmovm)};
static fast_handler *const push[8] = {EACH_D(NAME_R, push)};
static fast_handler *const pop[8] = {EACH_D(NAME_R, pop)};

/* Place of an index register in the tables: without ESP. */
static unsigned index_place(unsigned reg) { return reg - (reg > REG_ESP); }

static fast_handler *special_load(const struct insn *o, unsigned kind)
{
    if (o->index == REG_NONE)
        return load[kind][o->dst][o->base];
    return kind < 3 ? loadx[kind][o->dst][o->base][index_place(o->index)] : NULL;
}

static fast_handler *special_mov32(const struct insn *o, bool flat)
{
    bool plain = o->index == REG_NONE;
    switch (o->form) {
    case FORM_RR: return mov_rr[o->dst][o->src];
    case FORM_RI: return mov_ri[o->dst];
    case FORM_RM: return flat ? special_load(o, 0) : NULL;
    case FORM_MR:
        if (!flat)
            return NULL;
        return plain ? store[0][o->src][o->base] : storex[o->src][o->base][index_place(o->index)];
    case FORM_MI: return flat && plain ? store_imm[1][o->base] : NULL;
    default: return NULL;
    }
}

static fast_handler *special_mov8(const struct insn *o, bool flat)
{
    if (o->form == FORM_RI)
        return mov8_ri[o->dst];
    if (flat && o->index != REG_NONE && o->form == FORM_RM)
        return load8_x[o->dst][o->base][index_place(o->index)];
    if (!flat || o->index != REG_NONE)
        return NULL;
    switch (o->form) {
    case FORM_RM: return load8_at[o->dst][o->base];
    case FORM_MR: return store8_at[o->src][o->base];
    case FORM_MI: return store_imm[0][o->base];
    default: return NULL;
    }
}

static fast_handler *special_mov(const struct insn *o, bool flat)
{
    if (o->size == 4)
        return special_mov32(o, flat);
    if (o->size == 1)
        return special_mov8(o, flat);
    return o->form == FORM_MR && flat && o->index == REG_NONE ? store[1][o->src][o->base] : NULL;
}

static fast_handler *special_extend(const struct insn *o, bool flat)
{
    unsigned kind = o->op - OP_MOVZX8;
    if (o->size != 4)
        return NULL;
    if (o->form == FORM_RM)
        return flat ? special_load(o, kind + 1) : NULL;
    bool high_byte = (o->op == OP_MOVZX8 || o->op == OP_MOVSX8) && o->src >= 4;
    return high_byte ? NULL : extend[kind][o->dst][o->src];
}

static fast_handler *special_cmov(const struct insn *o, bool flat)
{
    if (o->size != 4)
        return NULL;
    if (o->form == FORM_RM)
        return flat && o->index == REG_NONE ? cmov_m[o->dst][o->base][o->cc] : NULL;
    return cmov[o->dst][o->src][o->cc];
}

fast_handler *fast_special_move(const struct insn *o, bool flat_stack, bool flat)
{
    switch (o->op) {
    case OP_MOV: return special_mov(o, flat);
    case OP_MOVZX8: case OP_MOVZX16: case OP_MOVSX8: case OP_MOVSX16: return special_extend(o, flat);
    case OP_LEA:
        if (o->size != 4 || !flat)
            return NULL;
        return o->index == REG_NONE ? lea[o->dst][o->base] : leax[o->dst][o->base][index_place(o->index)];
    case OP_SETCC: return o->form == FORM_R ? setcc[o->dst][o->cc] : NULL;
    case OP_CMOV: return special_cmov(o, flat);
    case OP_PUSH: return o->size == 4 && flat_stack && o->form == FORM_R ? push[o->dst] : NULL;
    case OP_POP: return o->size == 4 && flat_stack && o->form == FORM_R ? pop[o->dst] : NULL;
    default: return NULL;
    }
}
#endif
