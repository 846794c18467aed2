/*
 * Arithmetic and logic on the two flag words (flags.h), shared by both tiers. Operands are
 * zero-extended to 32 bits, results come back so; `size` is 1, 2 or 4 and constant after inlining in
 * the fast tier. Undefined flags: what the manual leaves open is a by-product of the formulas here,
 * which agree with the captured 8086 and 286 where the corpus shows it.
 */
#ifndef CPU_ALU_H
#define CPU_ALU_H

#include "cpu/flags.h"

typedef uint32_t alu_fn(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx);

static inline uint32_t alu_mask(unsigned size) { return size == 4 ? 0xffffffffu : (1u << 8 * size) - 1; }

/* Sign extension to 32 bits. */
static inline uint32_t alu_sext(unsigned size, uint32_t v)
{
    return size == 4 ? v : size == 2 ? (uint32_t)(int32_t)(int16_t)v : (uint32_t)(int32_t)(int8_t)v;
}

static inline uint32_t alu_msb(unsigned size, uint32_t v) { return v >> (8 * size - 1) & 1; }

/* Result `t` (with carry or borrow above it) of a sum or difference of a and b. */
static inline uint32_t alu_arith(unsigned size, uint64_t t, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    *fr = alu_sext(size, (uint32_t)t) | t >> 8 * size << 32;
    *fx = alu_sext(size, a ^ b);
    return (uint32_t)t & alu_mask(size);
}

static inline uint32_t alu_logic(unsigned size, uint32_t r, uint64_t *fr, uint64_t *fx)
{
    *fr = *fx = alu_sext(size, r);
    return r;
}

static inline uint32_t alu_add(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return alu_arith(size, (uint64_t)a + b, a, b, fr, fx);
}
static inline uint32_t alu_adc(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return alu_arith(size, (uint64_t)a + b + fl_cf(*fr), a, b, fr, fx);
}
static inline uint32_t alu_sub(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return alu_arith(size, (uint64_t)a - b, a, b, fr, fx);
}
static inline uint32_t alu_sbb(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return alu_arith(size, (uint64_t)a - b - fl_cf(*fr), a, b, fr, fx);
}
static inline uint32_t alu_and(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return alu_logic(size, a & b, fr, fx);
}
static inline uint32_t alu_or(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return alu_logic(size, a | b, fr, fx);
}
static inline uint32_t alu_xor(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return alu_logic(size, a ^ b, fr, fx);
}

/* INC and DEC leave CF alone; b is not used. */
static inline uint32_t alu_inc(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    uint32_t cf = fl_cf(*fr);
    (void)b;
    uint32_t r = alu_add(size, a, 1, fr, fx);
    fl_set_cf_of(fr, fx, cf, fl_of(*fr, *fx));
    return r;
}
static inline uint32_t alu_dec(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    uint32_t cf = fl_cf(*fr);
    (void)b;
    uint32_t r = alu_sub(size, a, 1, fr, fx);
    fl_set_cf_of(fr, fx, cf, fl_of(*fr, *fx));
    return r;
}
static inline uint32_t alu_neg(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    (void)b;
    return alu_sub(size, 0, a, fr, fx);
}

/*
 * Shifts and rotates; b is the count, already masked as the model does (0..31, on the 8086 0..255).
 * A count of 0 changes nothing. CF is the last bit shifted out, OF what the last single step gives.
 */
static inline uint32_t alu_shl(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    if (b == 0)
        return a;
    uint64_t w = (uint64_t)a << (b < 32 ? b : 31);
    w = b < 32 ? w : 0;
    *fr = alu_sext(size, (uint32_t)w) | (w >> 8 * size & 1) << 32;
    *fx = 0; /* OF = CF ^ SF; AF = bit 4, as of a + a */
    return (uint32_t)w & alu_mask(size);
}

static inline uint32_t alu_shr(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    if (b == 0)
        return a;
    uint32_t last = b <= 32 ? a >> (b - 1) : 0; /* before the last step */
    uint32_t r = last >> 1;
    *fr = r;
    *fx = r & 16; /* AF = 0 */
    fl_set_cf_of(fr, fx, last & 1, alu_msb(size, last));
    return r;
}

static inline uint32_t alu_sar(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    if (b == 0)
        return a;
    int32_t last = (int32_t)alu_sext(size, a) >> (b <= 32 ? b - 1 : 31);
    uint32_t r = (uint32_t)(last >> 1);
    *fr = r;
    *fx = r & 16; /* AF = 0 */
    fl_set_cf_of(fr, fx, (uint32_t)last & 1, 0);
    return r & alu_mask(size);
}

static inline uint32_t alu_rol(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    unsigned bits = 8 * size, n = b & (bits - 1);
    if (b == 0)
        return a;
    uint32_t r = n ? (a << n | a >> (bits - n)) & alu_mask(size) : a;
    fl_set_cf_of(fr, fx, r & 1, (r & 1) ^ alu_msb(size, r));
    return r;
}

static inline uint32_t alu_ror(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    unsigned bits = 8 * size, n = b & (bits - 1);
    if (b == 0)
        return a;
    uint32_t r = n ? (a >> n | a << (bits - n)) & alu_mask(size) : a;
    fl_set_cf_of(fr, fx, alu_msb(size, r), alu_msb(size, r) ^ alu_msb(size, r << 1));
    return r;
}

/* Rotation through CF: of a (bits + 1)-bit word with CF on top. */
static inline uint32_t alu_rcl(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    unsigned bits = 8 * size, n = b % (bits + 1);
    if (b == 0)
        return a;
    uint64_t w = (uint64_t)fl_cf(*fr) << bits | a;
    if (n)
        w = w << n | w >> (bits + 1 - n);
    uint32_t r = (uint32_t)w & alu_mask(size), cf = (uint32_t)(w >> bits) & 1;
    fl_set_cf_of(fr, fx, cf, cf ^ alu_msb(size, r));
    return r;
}

static inline uint32_t alu_rcr(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    unsigned bits = 8 * size, n = b % (bits + 1);
    if (b == 0)
        return a;
    uint64_t w = (uint64_t)fl_cf(*fr) << bits | a;
    if (n)
        w = w >> n | w << (bits + 1 - n);
    uint32_t r = (uint32_t)w & alu_mask(size);
    fl_set_cf_of(fr, fx, (uint32_t)(w >> bits) & 1, alu_msb(size, r) ^ alu_msb(size, r << 1));
    return r;
}

/* SHLD and SHRD, count 1..31; `fill` gives the bits shifted in. 16-bit counts over 16 (undefined in
 * the manual) shift on through fill and then a again, as Intel chips do. */
static inline uint32_t alu_shld(unsigned size, uint32_t a, uint32_t fill, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    uint32_t r, cf;
    if (size == 4) {
        uint64_t w = ((uint64_t)a << 32 | fill) << n;
        r = (uint32_t)(w >> 32);
        cf = a >> (32 - n) & 1;
    } else {
        uint64_t w = (uint64_t)a << 32 | fill << 16 | a;
        r = (uint32_t)(w << n >> 32) & 0xffff;
        cf = (uint32_t)(w >> (48 - n)) & 1;
    }
    *fr = alu_sext(size, r);
    *fx = r & 16;
    fl_set_cf_of(fr, fx, cf, alu_msb(size, r ^ a));
    return r;
}

static inline uint32_t alu_shrd(unsigned size, uint32_t a, uint32_t fill, uint32_t n, uint64_t *fr, uint64_t *fx)
{
    uint64_t w = size == 4 ? (uint64_t)fill << 32 | a : (uint64_t)a << 32 | (uint64_t)fill << 16 | a;
    uint32_t r = (uint32_t)(w >> n) & alu_mask(size);
    uint32_t cf = (uint32_t)(w >> (n - 1)) & 1;
    *fr = alu_sext(size, r);
    *fx = r & 16;
    fl_set_cf_of(fr, fx, cf, alu_msb(size, r ^ (r << 1)));
    return r;
}

#endif
