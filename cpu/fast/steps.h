/*
 * Steps of sequences: what one instruction does in a handler that stands for several (sequences.def).
 * Private to cpu/fast/.
 *
 * A step is written FORM(op, size, registers): RM(ADD, 4, EAX, EBP) is ADD EAX, [EBP + disp]. Forms: R register, M flat
 * memory [base + disp], X the same with an index and its scale, I immediate, N a constant count; the first is the destination. STEP_* does it and moves
 * on to the next slot, where displacements and immediates are; KEY_* is its number, by which decoded
 * instructions are compared (fast_step()). A step that goes slow leaves the rest to the single slots.
 *
 * The compiler sees the steps together: flags that the next step overwrites are not computed, except for
 * the way out. `known` carries what the flags come from, so that a condition is a comparison.
 */
#ifndef CPU_FAST_STEPS_H
#define CPU_FAST_STEPS_H

#include "cpu/fast/special.h"

#define PASTE(a, b) PASTE_(a, b)
#define PASTE_(a, b) a##b

/* --- conditions ------------------------------------------------------------------------------ */
enum known_kind { KNOWN_WORDS, /* nothing but the flag words */
                  KNOWN_SUB1 = 1, KNOWN_SUB2 = 2, KNOWN_SUB4 = 4, /* a - b */
                  KNOWN_LOGIC, /* a, sign-extended; CF = OF = 0 */
                  KNOWN_RESULT /* a, sign-extended; CF and OF by the words */ };
struct known {
    enum known_kind kind;
    uint32_t a, b;
};

INLINE bool holds_after_sub(unsigned cc, unsigned size, uint32_t a, uint32_t b)
{
    int32_t sa = (int32_t)alu_sext(size, a), sb = (int32_t)alu_sext(size, b);
    switch (cc >> 1) {
    case 1: return a < b;
    case 2: return a == b;
    case 3: return a <= b;
    case 4: return (int32_t)alu_sext(size, a - b) < 0;
    case 6: return sa < sb;
    default: return sa <= sb;
    }
}

INLINE bool holds_after_logic(unsigned cc, int32_t r)
{
    switch (cc >> 1) {
    case 1: return false;
    case 2: case 3: return r == 0;
    case 4: case 6: return r < 0;
    default: return r <= 0;
    }
}

/* Condition cc; all but the flag words are constants or come from the steps before. */
INLINE bool step_holds(unsigned cc, struct known k, uint64_t fr, uint64_t fx)
{
    bool wanted = !(cc & 1), by_result = cc >> 1 == 2 || cc >> 1 == 4;
    if (k.kind == KNOWN_WORDS || cc >> 1 == 0 || cc >> 1 == 5 || (k.kind == KNOWN_RESULT && !by_result))
        return fl_cond(cc, fr, fx);
    if (k.kind == KNOWN_LOGIC || k.kind == KNOWN_RESULT)
        return holds_after_logic(cc, (int32_t)k.a) == wanted;
    return holds_after_sub(cc, k.kind, k.a, k.b) == wanted;
}

#define KNOW(kind_, a_, b_) (known = (struct known){.kind = (kind_), .a = (uint32_t)(a_), .b = (uint32_t)(b_)})
#define HOLDS(cc) step_holds(cc, known, FR, FX)

/* --- operands -------------------------------------------------------------------------------- */
#define GET_1(R) V_##R
#define GET_2(R) V_##R
#define GET_4(R) W_##R
#define PUT_1(R, v) SET_##R(v)
#define PUT_2(R, v) SET_##R(v)
#define PUT_4(R, v) SET(R, v)
#define LOAD_1(p) load8(p)
#define LOAD_2(p) load16(p)
#define LOAD_4(p) load_whole(p)
#define STORE_1(p, v) store8(p, v)
#define STORE_2(p, v) store16(p, v)
#define STORE_4(p, v) store32(p, v)

#define FOR_READ(ea, size) \
    uint8_t *p; \
    if (UNLIKELY(!fast_host(TL, (ea), (size), &p))) GENERAL
#define FOR_WRITE(ea, size) \
    uint8_t *p; \
    if (UNLIKELY(!fast_host(TL + MMU_PAGES, (ea), (size), &p))) GENERAL

/* The stack in a sequence: one look-up serves pushes, or pops, in a row, with other steps between that leave ESP alone.
 * Where they do not fit in the page, the general handlers do them one by one. All but `entry` are constants. */
struct stack_steps {
    unsigned pushes, pops; /* to come in the sequence */
    unsigned left;         /* bytes looked up and not used yet */
    bool up;               /* by pops */
    uint64_t entry;        /* of the TLB map */
};

INLINE bool stack_host(const uint64_t *map, struct stack_steps *s, bool up, uint32_t l, uint8_t **p)
{
    unsigned steps = up ? s->pops-- : s->pushes--;
    if (s->left == 0 || s->up != up) {
        uint32_t lowest = up ? l : l - 4 * (steps - 1);
        s->left = 0;
        if (steps == 1)
            return fast_host(map, l, 4, p);
        s->entry = map[lowest >> PHYS_PAGE_SHIFT];
        s->left = 4 * steps;
        s->up = up;
        if (UNLIKELY(!(s->entry & MMU_VALID)) || UNLIKELY((lowest & (FAST_PAGE - 1)) > FAST_PAGE - 4 * steps))
            return false;
    }
    s->left -= 4;
    *p = mmu_entry_host(s->entry, l);
    return true;
}
#define FOR_PUSH(esp) \
    uint8_t *p; \
    if (UNLIKELY(!stack_host(TL + MMU_PAGES, &stack, false, (esp), &p))) GENERAL
#define FOR_POP(esp) \
    uint8_t *p; \
    if (UNLIKELY(!stack_host(TL, &stack, true, (esp), &p))) GENERAL

#define EA_SCALED(B, X, scale) (V_##B + V_##X * (scale) + i->a)

/* --- operations ------------------------------------------------------------------------------ */
/* COMPUTE(op, size, a, b): the result, with flags and `known`. */
#define ALU_1(f, a, b) alu_##f(1, a, b, &FR, &FX)
#define ALU_2(f, a, b) alu_##f(2, a, b, &FR, &FX)
#define ALU_4(f, a, b) q_##f(a, b, &FR, &FX)
#define RESULT_OF(z, kind, v) \
    uint32_t r = (v); \
    KNOW(kind, alu_sext(z, r), 0)
#define COMPUTE(op, z, a_, b_) \
    PASTE(WIDE_, z) a = (a_), b = (b_); \
    COMPUTE_##op(z)
#define WIDE_1 uint32_t
#define WIDE_2 uint32_t
#define WIDE_4 uint64_t
#define COMPUTE_ADD(z) RESULT_OF(z, KNOWN_RESULT, ALU_##z(add, a, b))
#define COMPUTE_ADC(z) RESULT_OF(z, KNOWN_RESULT, ALU_##z(adc, a, b))
#define COMPUTE_SBB(z) RESULT_OF(z, KNOWN_RESULT, ALU_##z(sbb, a, b))
#define COMPUTE_OR(z) RESULT_OF(z, KNOWN_LOGIC, ALU_##z(or, a, b))
#define COMPUTE_AND(z) RESULT_OF(z, KNOWN_LOGIC, ALU_##z(and, a, b))
#define COMPUTE_XOR(z) RESULT_OF(z, KNOWN_LOGIC, ALU_##z(xor, a, b))
#define COMPUTE_SUB(z) \
    uint32_t r = ALU_##z(sub, a, b); \
    KNOW(KNOWN_SUB##z, a, b)
#define COMPUTE_IMUL2(z) \
    uint32_t r = ALU_##z(imul, a, b); \
    KNOW(KNOWN_WORDS, 0, 0)

/* Two operands: RESULT operations write the first, FLAGS operations neither. */
#define TWO_RR(op, z, D, S) COMPUTE(op, z, GET_##z(D), NUM_##D == NUM_##S ? a : GET_##z(S))
#define TWO_RI(op, z, D) COMPUTE(op, z, GET_##z(D), i->b)
#define TWO_RM(op, z, D, ea) FOR_READ(ea, z); COMPUTE(op, z, GET_##z(D), LOAD_##z(p))
#define RESULT_RR(op, z, D, S) { TWO_RR(op, z, D, S); PUT_##z(D, r); } i++;
#define RESULT_RI(op, z, D) { TWO_RI(op, z, D); PUT_##z(D, r); } i++;
#define RESULT_RM(op, z, D, ea) { TWO_RM(op, z, D, ea); PUT_##z(D, r); } i++;
#define RESULT_MR(op, z, ea, S) { FOR_WRITE(ea, z); COMPUTE(op, z, LOAD_##z(p), GET_##z(S)); STORE_##z(p, r); } i++;
#define RESULT_MI(op, z, ea) { FOR_WRITE(ea, z); COMPUTE(op, z, LOAD_##z(p), i->b); STORE_##z(p, r); } i++;
#define FLAGS_RR(op, z, D, S) { TWO_RR(op, z, D, S); (void)r; } i++;
#define FLAGS_RI(op, z, D) { TWO_RI(op, z, D); (void)r; } i++;
#define FLAGS_RM(op, z, D, ea) { TWO_RM(op, z, D, ea); (void)r; } i++;
#define FLAGS_MR(op, z, ea, S) { FOR_READ(ea, z); COMPUTE(op, z, LOAD_##z(p), GET_##z(S)); (void)r; } i++;
#define FLAGS_MI(op, z, ea) { FOR_READ(ea, z); COMPUTE(op, z, LOAD_##z(p), i->b); (void)r; } i++;

/* MOV, and loads that extend, which have the size of what they write */
#define MOVE_RR(op, z, D, S) { PASTE(PUT_, z)(D, PASTE(EXTEND_, op)(V_##S)); } i++;
#define MOVE_RI(op, z, D) { PUT_##z(D, i->b); } i++;
#define MOVE_RM(op, z, D, ea) { FOR_READ(ea, BYTES_##op(z)); PUT_##z(D, LOADED_##op(z, p)); } i++;
#define MOVE_MR(op, z, ea, S) { FOR_WRITE(ea, z); STORE_##z(p, V_##S); } i++;
#define MOVE_MI(op, z, ea) { FOR_WRITE(ea, z); STORE_##z(p, i->b); } i++;
#define EXTEND_MOV(v) (v)
#define EXTEND_MOVZX8(v) ((uint8_t)(v))
#define EXTEND_MOVZX16(v) ((uint16_t)(v))
#define EXTEND_MOVSX8(v) alu_sext(1, (v))
#define EXTEND_MOVSX16(v) alu_sext(2, (v))
#define BYTES_MOV(z) z
#define BYTES_MOVZX8(z) 1
#define BYTES_MOVZX16(z) 2
#define BYTES_MOVSX8(z) 1
#define BYTES_MOVSX16(z) 2
#define LOADED_MOV(z, p) PLAIN_##z(p)
#define PLAIN_1(p) load8(p)
#define PLAIN_2(p) load16(p)
#define PLAIN_4(p) load_le32(p)
#define LOADED_MOVZX8(z, p) load8(p)
#define LOADED_MOVZX16(z, p) load16(p)
#define LOADED_MOVSX8(z, p) alu_sext(1, load8(p))
#define LOADED_MOVSX16(z, p) alu_sext(2, load16(p))

/* LEA */
#define ADDRESS_RM(op, z, D, ea) { uint32_t l = (ea); SET(D, l); } i++;

/* Shifts by a constant of 1 to 31, or by CL */
#define SHIFTED(op, z, D, n) \
    uint32_t r = SHIFT_##z(op, V_##D, n); \
    PUT_##z(D, r)
#define SHIFT_1(op, v, n) PASTE(alu_, NAME_##op)(1, v, n, &FR, &FX)
#define SHIFT_2(op, v, n) PASTE(alu_, NAME_##op)(2, v, n, &FR, &FX)
#define SHIFT_4(op, v, n) PASTE(q_, NAME_##op)(v, n, &FR, &FX)
#define NAME_ROL rol
#define NAME_ROR ror
#define NAME_SHL shl
#define NAME_SHR shr
#define NAME_SAR sar
#define SHIFT_RN(op, z, D, n) { SHIFTED(op, z, D, n); KNOW(KNOWN_RESULT, alu_sext(z, r), 0); } i++;
#define ROTATE_RN(op, z, D, n) { SHIFTED(op, z, D, n); KNOW(KNOWN_WORDS, 0, 0); } i++;
#define STEP_CL(op, z, D) \
    { \
        uint32_t by = V_ECX & 31; \
        if (by) { \
            SHIFTED(op, z, D, by); \
        } \
        KNOW(KNOWN_WORDS, 0, 0); \
    } \
    i++;

/* What kind of operation */
#define KIND_ADD RESULT
#define KIND_OR RESULT
#define KIND_ADC RESULT
#define KIND_SBB RESULT
#define KIND_AND RESULT
#define KIND_SUB RESULT
#define KIND_XOR RESULT
#define KIND_IMUL2 RESULT
#define KIND_CMP FLAGS
#define KIND_TEST FLAGS
#define KIND_MOV MOVE
#define KIND_MOVZX8 MOVE
#define KIND_MOVZX16 MOVE
#define KIND_MOVSX8 MOVE
#define KIND_MOVSX16 MOVE
#define KIND_LEA ADDRESS
#define KIND_ROL ROTATE
#define KIND_ROR ROTATE
#define KIND_SHL SHIFT
#define KIND_SHR SHIFT
#define KIND_SAR SHIFT
#define COMPUTE_CMP(z) COMPUTE_SUB(z)
#define COMPUTE_TEST(z) COMPUTE_AND(z)

/* --- steps ----------------------------------------------------------------------------------- */
#define STEP_RR(op, z, D, S) PASTE(KIND_##op, _RR)(op, z, D, S)
#define STEP_RI(op, z, D) PASTE(KIND_##op, _RI)(op, z, D)
#define STEP_RM(op, z, D, B) PASTE(KIND_##op, _RM)(op, z, D, EA(B))
#define STEP_RX(op, z, D, B, X, scale) PASTE(KIND_##op, _RM)(op, z, D, EA_SCALED(B, X, scale))
#define STEP_MR(op, z, B, S) PASTE(KIND_##op, _MR)(op, z, EA(B), S)
#define STEP_XR(op, z, B, X, scale, S) PASTE(KIND_##op, _MR)(op, z, EA_SCALED(B, X, scale), S)
#define STEP_MI(op, z, B) PASTE(KIND_##op, _MI)(op, z, EA(B))
#define STEP_XI(op, z, B, X, scale) PASTE(KIND_##op, _MI)(op, z, EA_SCALED(B, X, scale))
#define STEP_RN(op, z, D, n) PASTE(KIND_##op, _RN)(op, z, D, n)
#define STEP_R(op, z, D) STEP_R_##op(D)
#define STEP_M(op, z, B) { FOR_WRITE(EA(B), 4); uint32_t r = STEPPED_##op(load_whole(p)); store32(p, r); KNOW(KNOWN_RESULT, r, 0); } i++;
#define STEPPED_INC(v) q_inc(v, &FR, &FX)
#define STEPPED_DEC(v) q_dec(v, &FR, &FX)
#define STEP_R_INC(D) { uint32_t r = q_inc(W_##D, &FR, &FX); SET(D, r); KNOW(KNOWN_RESULT, r, 0); } i++;
#define STEP_R_DEC(D) { uint32_t r = q_dec(W_##D, &FR, &FX); SET(D, r); KNOW(KNOWN_RESULT, r, 0); } i++;
#define STEP_R_NEG(D) { uint32_t r = q_neg(W_##D, &FR, &FX); SET(D, r); KNOW(KNOWN_RESULT, r, 0); } i++;
#define STEP_R_NOT(D) { SET(D, ~V_##D); } i++;
#define STEP_R_BSWAP(D) { SET(D, __builtin_bswap32(V_##D)); } i++;
#define STEP_RRI(op, z, D, S) STEP_RRI_##op(D, S)
#define STEP_RRN(op, z, D, S, n) STEP_RRN_##op(D, S, n)
#define STEP_RRI_IMUL3(D, S) { SET(D, q_imul(W_##S, i->b, &FR, &FX)); KNOW(KNOWN_WORDS, 0, 0); } i++;
#define STEP_RRN_SHLD(D, S, n) { SET(D, alu_shld(4, V_##D, V_##S, n, &FR, &FX)); KNOW(KNOWN_WORDS, 0, 0); } i++;
#define STEP_RRN_SHRD(D, S, n) { SET(D, alu_shrd(4, V_##D, V_##S, n, &FR, &FX)); KNOW(KNOWN_WORDS, 0, 0); } i++;
#define STEP_SETCC(cc, D) { SET_##D(HOLDS(cc)); } i++;
#define STEP_CMOV_RR(cc, D, S) { uint32_t v = V_##S, old = V_##D; SET(D, HOLDS(cc) ? v : old); } i++;
#define STEP_CMOV_RM(cc, D, B) { FOR_READ(EA(B), 4); uint32_t v = load32(p), old = V_##D; SET(D, HOLDS(cc) ? v : old); } i++;
#define STEP_CDQ { SET(EDX, 0u - (V_EAX >> 31)); } i++;
#define STEP_CWDE { SET(EAX, alu_sext(2, (uint16_t)V_EAX)); } i++;
#define STEP_NOP i++;
#define PUSHED(v_) \
    { \
        uint32_t v = (v_), esp = V_ESP - 4; \
        FOR_PUSH(esp); \
        store32(p, v); \
        SET(ESP, esp); \
    } \
    i++;
#define STEP_PUSH_R(S) PUSHED(V_##S)
#define STEP_PUSH_I PUSHED(i->b)
#define STEP_PUSH_M(B) \
    { \
        uint32_t value; \
        { \
            FOR_READ(EA(B), 4); \
            value = load32(p); \
        } \
        PUSHED(value) \
    }
#define STEP_POP_R(D) \
    { \
        uint32_t esp = V_ESP; \
        FOR_POP(esp); \
        SET(ESP, esp + 4); \
        SET(D, load_le32(p)); \
    } \
    i++;
#define STEP_LEAVE \
    { \
        uint32_t ebp = V_EBP; \
        stack.left = 0; \
        FOR_POP(ebp); \
        SET(ESP, ebp + 4); \
        SET(EBP, load_le32(p)); \
    } \
    i++;

/* Transfers. After all but JCC nothing follows. */
#define STEP_JCC(cc) \
    if (HOLDS(cc)) \
        JUMP_NEAR((int32_t)i->b); \
    i++;
#define STEP_JMP JUMP_NEAR((int32_t)i->b);
#define STEP_JMP_FAR JUMP_LINKED(PAGE_BASE + i->a, (int32_t)i->b);
#define STEP_CALL \
    { \
        uint32_t esp = V_ESP - 4; \
        FOR_PUSH(esp); \
        PUSH_RETURN_AT(p, esp, i + 1); \
        JUMP_NEAR(CALL_CHARGE); \
    }
#define STEP_CALL_FAR \
    { \
        uint32_t target = PAGE_BASE + i->a, esp = V_ESP - 4; \
        FOR_PUSH(esp); \
        PUSH_RETURN_AT(p, esp, i + 2); \
        JUMP_LINKED(target, CALL_CHARGE); \
    }
#define STEP_RET \
    { \
        uint32_t esp = V_ESP; \
        FOR_POP(esp); \
        uint32_t target = load32(p); \
        SET(ESP, esp + 4 + i->a); \
        JUMP_RETURN(target, (int32_t)i->b); \
    }

/* --- keys ------------------------------------------------------------------------------------ */
/* op | form | size | register | base or source | index | condition or scale | CL or another page; a count has the next two
 * places that its form leaves free */
#define STEP_KEY(op, form, size, reg, base, index, cc, flag) \
    ((uint32_t)(op) | (uint32_t)(form) << 8 | (uint32_t)(size) / 2 << 12 | (uint32_t)(reg) << 14 | (uint32_t)(base) << 18 | \
     (uint32_t)(index) << 22 | (uint32_t)(cc) << 26 | (uint32_t)(flag) << 30)
/* What a step does with the stack, by its key: registers that are named first may be destinations. */
#define STEP_OP(key) ((key) & 0xff)
#define STEP_PUSHES(key) (STEP_OP(key) == OP_PUSH || STEP_OP(key) == OP_CALL)
#define STEP_POPS(key) (STEP_OP(key) == OP_POP || STEP_OP(key) == OP_RET || STEP_OP(key) == OP_LEAVE)
#define STEP_SETS_ESP(key) (((key) >> 14 & 15) == REG_ESP && STEP_OP(key) != OP_PUSH)
#define KEY_RR(op, z, D, S) STEP_KEY(OP_##op, FORM_RR, z, NUM_##D, NUM_##S, 0, 0, 0)
#define KEY_RI(op, z, D) STEP_KEY(OP_##op, FORM_RI, z, NUM_##D, 0, 0, 0, 0)
#define KEY_RM(op, z, D, B) STEP_KEY(OP_##op, FORM_RM, z, NUM_##D, NUM_##B, REG_NONE, 0, 0)
#define KEY_RX(op, z, D, B, X, scale) STEP_KEY(OP_##op, FORM_RM, z, NUM_##D, NUM_##B, NUM_##X, scale, 0)
#define KEY_MR(op, z, B, S) STEP_KEY(OP_##op, FORM_MR, z, NUM_##S, NUM_##B, REG_NONE, 0, 0)
#define KEY_XR(op, z, B, X, scale, S) STEP_KEY(OP_##op, FORM_MR, z, NUM_##S, NUM_##B, NUM_##X, scale, 0)
#define KEY_MI(op, z, B) STEP_KEY(OP_##op, FORM_MI, z, 0, NUM_##B, REG_NONE, 0, 0)
#define KEY_XI(op, z, B, X, scale) STEP_KEY(OP_##op, FORM_MI, z, 0, NUM_##B, NUM_##X, scale, 0)
#define KEY_RN(op, z, D, n) STEP_KEY(OP_##op, FORM_RI, z, NUM_##D, (n) & 15, (n) >> 4, 0, 0)
#define KEY_R(op, z, D) STEP_KEY(OP_##op, FORM_R, z, NUM_##D, 0, 0, 0, 0)
#define KEY_M(op, z, B) STEP_KEY(OP_##op, FORM_M, z, 0, NUM_##B, REG_NONE, 0, 0)
#define KEY_CL(op, z, D) STEP_KEY(OP_##op, FORM_RI, z, NUM_##D, 0, 0, 0, 1)
#define KEY_RRI(op, z, D, S) STEP_KEY(OP_##op, FORM_RRI, z, NUM_##D, NUM_##S, 0, 0, 0)
#define KEY_RRN(op, z, D, S, n) STEP_KEY(OP_##op, FORM_RRI, z, NUM_##D, NUM_##S, (n) & 15, (n) >> 4, 0)
#define KEY_SETCC(cc, D) STEP_KEY(OP_SETCC, FORM_R, 1, NUM_##D, 0, 0, cc, 0)
#define KEY_CMOV_RR(cc, D, S) STEP_KEY(OP_CMOV, FORM_RR, 4, NUM_##D, NUM_##S, 0, cc, 0)
#define KEY_CMOV_RM(cc, D, B) STEP_KEY(OP_CMOV, FORM_RM, 4, NUM_##D, NUM_##B, REG_NONE, cc, 0)
#define KEY_CDQ STEP_KEY(OP_CWD, 0, 4, 0, 0, 0, 0, 0)
#define KEY_CWDE STEP_KEY(OP_CBW, 0, 4, 0, 0, 0, 0, 0)
#define KEY_NOP STEP_KEY(OP_NOP, 0, 0, 0, 0, 0, 0, 0)
#define KEY_PUSH_R(S) STEP_KEY(OP_PUSH, FORM_R, 4, NUM_##S, 0, 0, 0, 0)
#define KEY_PUSH_I STEP_KEY(OP_PUSH, FORM_I, 4, 0, 0, 0, 0, 0)
#define KEY_PUSH_M(B) STEP_KEY(OP_PUSH, FORM_M, 4, 0, NUM_##B, REG_NONE, 0, 0)
#define KEY_POP_R(D) STEP_KEY(OP_POP, FORM_R, 4, NUM_##D, 0, 0, 0, 0)
#define KEY_LEAVE STEP_KEY(OP_LEAVE, 0, 4, 0, 0, 0, 0, 0)
#define KEY_JCC(cc) STEP_KEY(OP_JCC, 0, 4, 0, 0, 0, cc, 0)
#define KEY_JMP STEP_KEY(OP_JMP, 0, 4, 0, 0, 0, 0, 0)
#define KEY_JMP_FAR STEP_KEY(OP_JMP, 0, 4, 0, 0, 0, 0, 1)
#define KEY_CALL STEP_KEY(OP_CALL, 0, 4, 0, 0, 0, 0, 0)
#define KEY_CALL_FAR STEP_KEY(OP_CALL, 0, 4, 0, 0, 0, 0, 1)
#define KEY_RET STEP_KEY(OP_RET, 0, 4, 0, 0, 0, 0, 0)
#define NUM_EAX 0
#define NUM_ECX 1
#define NUM_EDX 2
#define NUM_EBX 3
#define NUM_ESP 4
#define NUM_EBP 5
#define NUM_ESI 6
#define NUM_EDI 7
#define NUM_NONE REG_NONE
#define NUM_AX 0
#define NUM_CX 1
#define NUM_DX 2
#define NUM_BX 3
#define NUM_SP 4
#define NUM_BP 5
#define NUM_SI 6
#define NUM_DI 7
#define NUM_AL 0
#define NUM_CL 1
#define NUM_DL 2
#define NUM_BL 3
#define NUM_AH 4
#define NUM_CH 5
#define NUM_DH 6
#define NUM_BH 7

#endif
