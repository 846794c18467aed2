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
#define V_AX reg16(c, GPR_OFFSET(REG_EAX))
#define V_CX reg16(c, GPR_OFFSET(REG_ECX))
#define V_DX reg16(c, GPR_OFFSET(REG_EDX))
#define V_BX reg16(c, GPR_OFFSET(REG_EBX))
#define V_SP reg16(c, GPR_OFFSET(REG_ESP))
#define V_BP reg16(c, GPR_OFFSET(REG_EBP))
#define V_SI reg16(c, GPR_OFFSET(REG_ESI))
#define V_DI reg16(c, GPR_OFFSET(REG_EDI))
#define SET_AX(v) set16(c, GPR_OFFSET(REG_EAX), v)
#define SET_CX(v) set16(c, GPR_OFFSET(REG_ECX), v)
#define SET_DX(v) set16(c, GPR_OFFSET(REG_EDX), v)
#define SET_BX(v) set16(c, GPR_OFFSET(REG_EBX), v)
#define SET_SP(v) set16(c, GPR_OFFSET(REG_ESP), v)
#define SET_BP(v) set16(c, GPR_OFFSET(REG_EBP), v)
#define SET_SI(v) set16(c, GPR_OFFSET(REG_ESI), v)
#define SET_DI(v) set16(c, GPR_OFFSET(REG_EDI), v)
#define SET(R, v) (GPR(REG_##R) = (uint32_t)(v))

/* Operands of arithmetic: 64 bits, as they were written, with zeros in the upper half, so that sums with their carries
 * need no extension. That the cpu is named keeps it in its register (STAY). */
#ifdef FAST_STAY
#define OPAQUE_AT(v) __asm__("" : "+r"(v) : "D"(c))
#else
#define OPAQUE_AT(v) OPAQUE(v)
#endif
INLINE uint64_t reg_whole(struct cpu *c, unsigned off)
{
    uint64_t v = REG_AT(off);
    OPAQUE_AT(v);
    return v;
}
INLINE uint64_t load_whole(const uint8_t *p)
{
    uint64_t v = load_le32(p);
    OPAQUE(v);
    return v;
}
#define W_EAX reg_whole(c, GPR_OFFSET(REG_EAX))
#define W_ECX reg_whole(c, GPR_OFFSET(REG_ECX))
#define W_EDX reg_whole(c, GPR_OFFSET(REG_EDX))
#define W_EBX reg_whole(c, GPR_OFFSET(REG_EBX))
#define W_ESP reg_whole(c, GPR_OFFSET(REG_ESP))
#define W_EBP reg_whole(c, GPR_OFFSET(REG_EBP))
#define W_ESI reg_whole(c, GPR_OFFSET(REG_ESI))
#define W_EDI reg_whole(c, GPR_OFFSET(REG_EDI))

/* Declares `p`: host address for reading or writing at linear address `ea`, or leaves it to the general handler. */
#define READ_AT(ea, size) \
    uint8_t *p; \
    STAY; \
    if (UNLIKELY(!fast_host(TL, (ea), (size), &p))) GENERAL; \
    STAY
#define WRITE_AT(ea, size) \
    uint8_t *p; \
    STAY; \
    if (UNLIKELY(!fast_host(TL + MMU_PAGES, (ea), (size), &p))) GENERAL; \
    STAY
#define EA(B) (V_##B + i->a)
#define EAX(B, X) (V_##B + (V_##X << (i->sc & 31)) + i->a)

/* 32-bit arithmetic as in cpu/alu.h, on operands with zeros in the upper half; bits of fr above the carry may be
 * anything. */
#define CARRY (1ull << 32)
INLINE uint32_t q_add(uint64_t a, uint64_t b, uint64_t *fr, uint64_t *fx)
{
    *fr = a + b;
    *fx = a ^ b;
    return (uint32_t)(a + b);
}
INLINE uint32_t q_adc(uint64_t a, uint64_t b, uint64_t *fr, uint64_t *fx)
{
    *fr = a + b + (*fr >> 32 & 1);
    *fx = a ^ b;
    return (uint32_t)*fr;
}
INLINE uint32_t q_sub(uint64_t a, uint64_t b, uint64_t *fr, uint64_t *fx)
{
    *fr = a - b;
    *fx = a ^ b;
    return (uint32_t)(a - b);
}
INLINE uint32_t q_sbb(uint64_t a, uint64_t b, uint64_t *fr, uint64_t *fx)
{
    *fr = a - b - (*fr >> 32 & 1);
    *fx = a ^ b;
    return (uint32_t)*fr;
}
INLINE uint32_t q_and(uint64_t a, uint64_t b, uint64_t *fr, uint64_t *fx) { return (uint32_t)(*fr = *fx = a & b); }
INLINE uint32_t q_or(uint64_t a, uint64_t b, uint64_t *fr, uint64_t *fx) { return (uint32_t)(*fr = *fx = a | b); }
INLINE uint32_t q_xor(uint64_t a, uint64_t b, uint64_t *fr, uint64_t *fx) { return (uint32_t)(*fr = *fx = a ^ b); }

/* INC and DEC: `t` = a + 1 or a - 1 in 64 bits; CF stays, OF comes right by fx. */
INLINE uint32_t q_step(uint64_t a, uint64_t t, uint64_t *fr, uint64_t *fx)
{
    uint64_t n = (uint32_t)t | (*fr & CARRY);
    *fx = (a ^ 1) ^ ((t ^ n) & CARRY);
    *fr = n;
    return (uint32_t)t;
}
INLINE uint32_t q_inc(uint64_t a, uint64_t *fr, uint64_t *fx) { return q_step(a, a + 1, fr, fx); }
INLINE uint32_t q_dec(uint64_t a, uint64_t *fr, uint64_t *fx) { return q_step(a, a - 1, fr, fx); }
INLINE uint32_t q_neg(uint64_t a, uint64_t *fr, uint64_t *fx) { return q_sub(0, a, fr, fx); }

/* Shifts by 1..31. `last` is the operand before the last single step. AF = 0, OF of the last step. */
INLINE uint32_t q_shl(uint64_t a, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    *fr = a << n;
    *fx = 0;
    return (uint32_t)*fr;
}
INLINE uint32_t q_shr(uint64_t a, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    uint64_t last = (uint32_t)a >> (n - 1), r = last >> 1;
    *fr = r | last << 32;
    *fx = (*fr & (CARRY | 16)) ^ last >> 31 << 32;
    return (uint32_t)r;
}
INLINE uint32_t q_sar(uint64_t a, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    int32_t last = (int32_t)a >> (n - 1);
    uint32_t r = (uint32_t)(last >> 1);
    *fr = r | (uint64_t)(uint32_t)last << 32;
    *fx = *fr & (CARRY | 1u << 31 | 16);
    return r;
}
/* Rotates by 1..31. CF is bit 0 or 31 of the result and OF its exclusive or with a bit: with it, bit 31 of fr ^ fx
 * cancels out in the bit of fx that gives OF. */
INLINE uint32_t q_rol(uint32_t a, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    uint32_t r = a << n | a >> (32 - n);
    uint64_t of = (r ^ *fr ^ *fx) << 1 & CARRY;
    *fr = (uint32_t)*fr | (uint64_t)r << 32;
    *fx = (*fx & ~CARRY) | of;
    return r;
}
INLINE uint32_t q_ror(uint32_t a, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    uint32_t r = a >> n | a << (32 - n);
    uint64_t of = ((uint64_t)r << 1 ^ *fr ^ *fx) << 1 & CARRY;
    *fr = (uint32_t)*fr | (uint64_t)(r >> 31) << 32;
    *fx = (*fx & ~CARRY) | of;
    return r;
}
INLINE uint32_t q_imul(uint64_t a, uint64_t b, uint64_t *fr, uint64_t *fx)
{
    int64_t v = (int64_t)(int32_t)a * (int32_t)b;
    *fr = (uint32_t)v | (uint64_t)(v != (int32_t)v) << 32;
    *fx = (uint32_t)v;
    return (uint32_t)v;
}

#endif
