/*
 * For handlers made for particular registers (special_*.c): the registers' names as constants, lists
 * of them, 32-bit arithmetic in its shortest form. Why: hosts rename memory at constant addresses, so
 * that a chain of such handlers keeps guest registers in host registers; one handler that computes the
 * address of a register breaks the chain.
 *
 * A list calls X(register, further arguments...). There is one copy of it for each level of nesting,
 * because the preprocessor does not recurse.
 */
#ifndef CPU_FAST_SPECIAL_H
#define CPU_FAST_SPECIAL_H

#include "cpu/fast/core.h"

#ifdef RETRACE_FEW
/* configure --few: two registers have handlers of their own, the others (NULL in tables) take the general ones. */
#define EACH_D(X, ...) X(EAX, __VA_ARGS__) X(ECX, __VA_ARGS__)
#define EACH_S(X, ...) X(EAX, __VA_ARGS__) X(ECX, __VA_ARGS__)
#define EACH_BASE(X, ...) EACH_S(X, __VA_ARGS__)
#define EACH_INDEX(X, ...) X(EAX, __VA_ARGS__) X(ECX, __VA_ARGS__)
#define EACH_BYTE(X, ...) X(AL, __VA_ARGS__) X(CL, __VA_ARGS__)
#else
#define EACH_D(X, ...) \
    X(EAX, __VA_ARGS__) X(ECX, __VA_ARGS__) X(EDX, __VA_ARGS__) X(EBX, __VA_ARGS__) \
    X(ESP, __VA_ARGS__) X(EBP, __VA_ARGS__) X(ESI, __VA_ARGS__) X(EDI, __VA_ARGS__)
#define EACH_S(X, ...) \
    X(EAX, __VA_ARGS__) X(ECX, __VA_ARGS__) X(EDX, __VA_ARGS__) X(EBX, __VA_ARGS__) \
    X(ESP, __VA_ARGS__) X(EBP, __VA_ARGS__) X(ESI, __VA_ARGS__) X(EDI, __VA_ARGS__)
/* Bases: all registers and none; indices: all but ESP, which cannot be one (NULL in tables) */
#define EACH_BASE(X, ...) EACH_S(X, __VA_ARGS__) X(NONE, __VA_ARGS__)
#define EACH_INDEX(X, ...) \
    X(EAX, __VA_ARGS__) X(ECX, __VA_ARGS__) X(EDX, __VA_ARGS__) X(EBX, __VA_ARGS__) \
    X(EBP, __VA_ARGS__) X(ESI, __VA_ARGS__) X(EDI, __VA_ARGS__)
#define EACH_BYTE(X, ...) \
    X(AL, __VA_ARGS__) X(CL, __VA_ARGS__) X(DL, __VA_ARGS__) X(BL, __VA_ARGS__) \
    X(AH, __VA_ARGS__) X(CH, __VA_ARGS__) X(DH, __VA_ARGS__) X(BH, __VA_ARGS__)
#endif

/* Values */
#define V_EAX reg32(c, GPR_OFFSET(REG_EAX))
#define V_ECX reg32(c, GPR_OFFSET(REG_ECX))
#define V_EDX reg32(c, GPR_OFFSET(REG_EDX))
#define V_EBX reg32(c, GPR_OFFSET(REG_EBX))
#define V_ESP reg32(c, GPR_OFFSET(REG_ESP))
#define V_EBP reg32(c, GPR_OFFSET(REG_EBP))
#define V_ESI reg32(c, GPR_OFFSET(REG_ESI))
#define V_EDI reg32(c, GPR_OFFSET(REG_EDI))
#define V_NONE 0u
#define V_AL reg8(c, GPR_OFFSET(REG_EAX))
#define V_CL reg8(c, GPR_OFFSET(REG_ECX))
#define V_DL reg8(c, GPR_OFFSET(REG_EDX))
#define V_BL reg8(c, GPR_OFFSET(REG_EBX))
#define V_AH reg8(c, GPR_OFFSET(REG_EAX) + 1)
#define V_CH reg8(c, GPR_OFFSET(REG_ECX) + 1)
#define V_DH reg8(c, GPR_OFFSET(REG_EDX) + 1)
#define V_BH reg8(c, GPR_OFFSET(REG_EBX) + 1)
#define SET_AL(v) set8(c, GPR_OFFSET(REG_EAX), v)
#define SET_CL(v) set8(c, GPR_OFFSET(REG_ECX), v)
#define SET_DL(v) set8(c, GPR_OFFSET(REG_EDX), v)
#define SET_BL(v) set8(c, GPR_OFFSET(REG_EBX), v)
#define SET_AH(v) set8(c, GPR_OFFSET(REG_EAX) + 1, v)
#define SET_CH(v) set8(c, GPR_OFFSET(REG_ECX) + 1, v)
#define SET_DH(v) set8(c, GPR_OFFSET(REG_EDX) + 1, v)
#define SET_BH(v) set8(c, GPR_OFFSET(REG_EBX) + 1, v)
#define SET(R, v) (GPR(REG_##R) = (uint32_t)(v))

/* Declares `p`: host address for reading or writing at linear address `ea`, or goes slow. */
#define READ_AT(ea, size) \
    uint8_t *p; \
    if (UNLIKELY(!fast_host(TL, (ea), (size), &p))) SLOW
#define WRITE_AT(ea, size) \
    uint8_t *p; \
    if (UNLIKELY(!fast_host(TL + MMU_PAGES, (ea), (size), &p))) SLOW
#define EA(B) (V_##B + i->a)
#define EAX(B, X) (V_##B + (V_##X << (i->sc & 31)) + i->a)

/* 32-bit arithmetic as in cpu/alu.h; bits of fr above the carry may be anything. */
INLINE uint32_t q_add(uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    *fr = (uint64_t)a + b;
    *fx = a ^ b;
    return a + b;
}
INLINE uint32_t q_adc(uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    *fr = (uint64_t)a + b + (*fr >> 32 & 1);
    *fx = a ^ b;
    return (uint32_t)*fr;
}
INLINE uint32_t q_sub(uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    *fr = (uint64_t)a - b;
    *fx = a ^ b;
    return a - b;
}
INLINE uint32_t q_sbb(uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    *fr = (uint64_t)a - b - (*fr >> 32 & 1);
    *fx = a ^ b;
    return (uint32_t)*fr;
}
INLINE uint32_t q_and(uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx) { return (uint32_t)(*fr = *fx = a & b); }
INLINE uint32_t q_or(uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx) { return (uint32_t)(*fr = *fx = a | b); }
INLINE uint32_t q_xor(uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx) { return (uint32_t)(*fr = *fx = a ^ b); }

/* INC and DEC: `t` = a + 1 or a - 1 in 64 bits; CF stays, OF comes right by fx. */
INLINE uint32_t q_step(uint32_t a, uint64_t t, uint64_t *fr, uint64_t *fx)
{
    uint64_t n = (uint32_t)t | (*fr & (1ull << 32));
    *fx = (a ^ 1) ^ ((t ^ n) & (1ull << 32));
    *fr = n;
    return (uint32_t)t;
}
INLINE uint32_t q_inc(uint32_t a, uint64_t *fr, uint64_t *fx) { return q_step(a, (uint64_t)a + 1, fr, fx); }
INLINE uint32_t q_dec(uint32_t a, uint64_t *fr, uint64_t *fx) { return q_step(a, (uint64_t)a - 1, fr, fx); }
INLINE uint32_t q_neg(uint32_t a, uint64_t *fr, uint64_t *fx) { return q_sub(0, a, fr, fx); }

/* Shifts by 1..31. `last` is the operand before the last single step. AF = 0, OF of the last step. */
INLINE uint32_t q_shl(uint32_t a, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    *fr = (uint64_t)a << n;
    *fx = 0;
    return (uint32_t)*fr;
}
INLINE uint32_t q_shr(uint32_t a, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    uint32_t last = a >> (n - 1), r = last >> 1;
    *fr = r | (uint64_t)(last & 1) << 32;
    *fx = (r & 16) | (uint64_t)((last ^ last >> 31) & 1) << 32;
    return r;
}
INLINE uint32_t q_sar(uint32_t a, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    int32_t last = (int32_t)a >> (n - 1);
    uint32_t r = (uint32_t)(last >> 1);
    *fr = r | (uint64_t)((uint32_t)last & 1) << 32;
    *fx = *fr & (1ull << 32 | 1u << 31 | 16);
    return r;
}
INLINE uint32_t q_imul(uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    int64_t v = (int64_t)(int32_t)a * (int32_t)b;
    *fr = (uint32_t)v | (uint64_t)(v != (int32_t)v) << 32;
    *fx = (uint32_t)v;
    return (uint32_t)v;
}

#endif
