/*
 * Shortcuts through the x87's arithmetic for what programs mostly do: operands that are normal or zero, rounding to
 * nearest, results that are normal or zero. Inline, for the fast tier.
 *
 * Models: the same as softfp.c, which stays the specification: where a shortcut gives an answer (true), value and
 * flags are those of the general routine; where it gives none (false), nothing was done and the general routine
 * has to be asked. Then an exception other than PE may be due. `status` gets PE and C1 as in the status word. Rounding
 * control is the caller's to check, except where said otherwise.
 *
 * Used by cpu/fast/x87.c; tests/cpu/test_softfp_quick.c compares both.
 */
#ifndef CPU_SOFTFP_QUICK_H
#define CPU_SOFTFP_QUICK_H

#include "cpu/softfp_int.h"
#include "machine/compiler.h"

#if defined(__GNUC__)
#define QUICK static inline __attribute__((always_inline))
#else
#define QUICK static inline
#endif

enum { QUICK_PE_SHIFT = 5, QUICK_C1_SHIFT = 9 };

QUICK int32_t quick_exp(struct f80 a) { return a.se & 0x7FFF; }

QUICK bool quick_is_operand(struct f80 a)
{
    uint32_t e = a.se & 0x7FFF;
    return (LIKELY(e - 1 < FP_EXP_MAX) && a.mant >> 63) || (e == 0 && a.mant == 0);
}

QUICK uint16_t quick_status(bool inexact, uint64_t up)
{
    return (uint16_t)((uint32_t)inexact << QUICK_PE_SHIFT | (uint32_t)up << QUICK_C1_SHIFT);
}

/* To the nearest, to even between two: 1 if the magnitude grows; `lo` is what is cut, its top bit one half. */
QUICK uint64_t quick_nearest(uint64_t hi, uint64_t lo) { return lo >> 63 & ((lo << 1 != 0) | (hi & 1)); }

QUICK bool quick_pack(bool sign, int32_t exp, uint64_t mant, struct f80 *r)
{
    if (UNLIKELY((uint32_t)(exp - 1) >= FP_EXP_MAX))
        return false;
    r->mant = mant;
    r->se = (uint16_t)((uint32_t)sign << 15 | (uint32_t)exp);
    return true;
}

/* hi has its top bit set; the last bit of lo may be sticky. */
QUICK bool quick_round(uint16_t cw, bool sign, int32_t exp, uint64_t hi, uint64_t lo, struct f80 *r, uint16_t *status)
{
    unsigned pc = cw & FP_PC_FIELD, drop = 0;
    if (UNLIKELY(pc == FP_PC_53 || pc == FP_PC_24)) {
        drop = pc == FP_PC_53 ? 11 : 40;
        lo = hi << (64 - drop) | (lo != 0);
        hi >>= drop;
    }
    uint64_t up = quick_nearest(hi, lo);
    hi = (hi + up) << drop;
    uint64_t carry = hi == 0;
    *status = quick_status(lo != 0, up);
    return quick_pack(sign, exp + (int32_t)carry, hi | carry << 63, r);
}

/* hi:lo = m / 2^n, the last bit sticky. */
QUICK void quick_shift(uint64_t m, uint32_t n, uint64_t *hi, uint64_t *lo)
{
    *hi = 0;
    if (LIKELY(n < 64)) {
        *hi = m >> n;
        *lo = m << 1 << (63 - n);
    } else if (n < 128) {
        n -= 64;
        *lo = m >> n | (m << 1 << (63 - n) != 0);
    } else {
        *lo = m != 0;
    }
}

QUICK bool quick_add_magnitudes(uint16_t cw, struct f80 big, uint64_t hi, uint64_t lo, struct f80 *r, uint16_t *status)
{
    uint64_t sum = big.mant + hi, carry = sum < hi;
    lo = lo >> carry | (lo & carry) | (sum & carry) << 63;
    sum = sum >> carry | carry << 63;
    return quick_round(cw, big.se >> 15, quick_exp(big) + (int32_t)carry, sum, lo, r, status);
}

QUICK bool quick_sub_magnitudes(uint16_t cw, struct f80 big, uint64_t hi, uint64_t lo, struct f80 *r, uint16_t *status)
{
    int32_t exp = quick_exp(big);
    hi = big.mant - hi - (lo != 0);
    lo = 0 - lo;
    if (UNLIKELY(hi == 0)) {
        hi = lo;
        lo = 0;
        exp -= 64;
        if (hi == 0) { /* equal: +0 when rounding to nearest */
            *r = (struct f80){0, 0};
            *status = 0;
            return true;
        }
    }
    unsigned n = u64_clz(hi);
    hi = hi << n | lo >> 1 >> (63 - n);
    return quick_round(cw, big.se >> 15, exp - (int32_t)n, hi, lo << n, r, status);
}

QUICK bool quick_add(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *status)
{
    uint64_t hi, lo;
    if (UNLIKELY(!quick_is_operand(a)) || UNLIKELY(!quick_is_operand(b)))
        return false;
    int32_t apart = quick_exp(a) - quick_exp(b);
    bool less = apart < 0 || (apart == 0 && a.mant < b.mant);
    struct f80 big = less ? b : a, small = less ? a : b;
    bool same_sign = !((a.se ^ b.se) >> 15);
    if (UNLIKELY(big.mant == 0)) {
        *r = (struct f80){0, same_sign ? a.se : 0};
        *status = 0;
        return true;
    }
    quick_shift(small.mant, (uint32_t)(less ? -apart : apart), &hi, &lo);
    return same_sign ? quick_add_magnitudes(cw, big, hi, lo, r, status)
                     : quick_sub_magnitudes(cw, big, hi, lo, r, status);
}

QUICK struct f80 quick_negated(struct f80 a) { return (struct f80){a.mant, a.se ^ 0x8000}; }

QUICK bool quick_sub(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *status)
{
    return quick_add(cw, a, quick_negated(b), r, status);
}

QUICK bool quick_zero(bool sign, struct f80 *r, uint16_t *status)
{
    *r = (struct f80){0, (uint16_t)((uint32_t)sign << 15)};
    *status = 0;
    return true;
}

QUICK bool quick_mul(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *status)
{
    if (UNLIKELY(!quick_is_operand(a)) || UNLIKELY(!quick_is_operand(b)))
        return false;
    bool sign = (a.se ^ b.se) >> 15;
    struct u128 p = u128_mul64(a.mant, b.mant);
    if (UNLIKELY(p.hi == 0))
        return quick_zero(sign, r, status);
    uint64_t n = ~p.hi >> 63;
    p.hi = p.hi << n | (p.lo >> 63 & n);
    p.lo <<= n;
    return quick_round(cw, sign, quick_exp(a) + quick_exp(b) - FP_BIAS + 1 - (int32_t)n, p.hi, p.lo, r, status);
}

QUICK bool quick_div(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *status)
{
    if (UNLIKELY(!quick_is_operand(a)) || UNLIKELY(!quick_is_operand(b)) || UNLIKELY(b.mant == 0))
        return false;
    bool sign = (a.se ^ b.se) >> 15;
    if (UNLIKELY(a.mant == 0))
        return quick_zero(sign, r, status);
    uint64_t half = a.mant >= b.mant, rest; /* the quotient of the halved dividend has 64 bits */
    struct u128 n = {a.mant >> half, (a.mant & half) << 63};
    uint64_t q = u128_div64(n, b.mant, &rest), above = b.mant - rest;
    uint64_t lo = (uint64_t)(rest >= above) << 63 | (rest != 0 && rest != above);
    return quick_round(cw, sign, quick_exp(a) - quick_exp(b) + FP_BIAS - 1 + (int32_t)half, q, lo, r, status);
}

/* Integer square roots (Zimmermann, Karatsuba Square Root, INRIA RR-3805): from that of the upper half by one division;
 * of 16 bits by a table. All want one of the top two bits set. *rest is what remains. */
QUICK uint32_t quick_root32(uint32_t n, uint32_t *rest)
{
    static const uint8_t roots[192] = { /* of k * 256, k = 64 .. 255 */
        128, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 144, 145, 146, 147, 148, 149,
        150, 150, 151, 152, 153, 154, 155, 155, 156, 157, 158, 159, 160, 160, 161, 162, 163, 163, 164, 165, 166, 167, 167, 168,
        169, 170, 170, 171, 172, 173, 173, 174, 175, 176, 176, 177, 178, 178, 179, 180, 181, 181, 182, 183, 183, 184, 185, 185,
        186, 187, 187, 188, 189, 189, 190, 191, 192, 192, 193, 193, 194, 195, 195, 196, 197, 197, 198, 199, 199, 200, 201, 201,
        202, 203, 203, 204, 204, 205, 206, 206, 207, 208, 208, 209, 209, 210, 211, 211, 212, 212, 213, 214, 214, 215, 215, 216,
        217, 217, 218, 218, 219, 219, 220, 221, 221, 222, 222, 223, 224, 224, 225, 225, 226, 226, 227, 227, 228, 229, 229, 230,
        230, 231, 231, 232, 232, 233, 234, 234, 235, 235, 236, 236, 237, 237, 238, 238, 239, 240, 240, 241, 241, 242, 242, 243,
        243, 244, 244, 245, 245, 246, 246, 247, 247, 248, 248, 249, 249, 250, 250, 251, 251, 252, 252, 253, 253, 254, 254, 255,
    };
    uint32_t high = n >> 16, s = roots[(high >> 8) - 64];
    s += (s + 1) * (s + 1) <= high;
    uint32_t r = high - s * s, part = r << 8 | (n >> 8 & 0xFF), q = part / (2 * s), u = part % (2 * s);
    int32_t left = (int32_t)(u << 8 | (n & 0xFF)) - (int32_t)(q * q);
    s = (s << 8) + q;
    if (left < 0) {
        left += (int32_t)(2 * s - 1);
        s--;
    }
    *rest = (uint32_t)left;
    return s;
}

QUICK uint64_t quick_root64(uint64_t n, uint64_t *rest)
{
    uint32_t r;
    uint64_t s = quick_root32((uint32_t)(n >> 32), &r);
    uint64_t part = (uint64_t)r << 16 | (n >> 16 & 0xFFFF), q = part / (2 * s), u = part % (2 * s);
    int64_t left = (int64_t)(u << 16 | (n & 0xFFFF)) - (int64_t)(q * q);
    s = (s << 16) + q;
    if (left < 0) {
        left += (int64_t)(2 * s - 1);
        s--;
    }
    *rest = (uint64_t)left;
    return s;
}

/* `lo`: of the root, as for quick_round. */
QUICK uint64_t quick_root128(struct u128 n, uint64_t *lo)
{
    uint64_t r, u, s = quick_root64(n.hi, &r);
    struct u128 part = {r >> 32, r << 32 | n.lo >> 32};
    uint64_t q = u128_div64(part, 2 * s, &u);
    struct u128 left = {u >> 32, u << 32 | (uint32_t)n.lo}, square = u128_mul64(q, q);
    bool over = u128_less(left, square);
    left = u128_sub(left, square);
    s = (s << 32) + q;
    if (over) {
        s--;
        left = u128_add(left, (struct u128){s >> 63, s << 1 | 1});
    }
    /* (s + 1/2)^2 = s^2 + s + 1/4 */
    bool above_half = u128_less((struct u128){0, s}, left);
    *lo = (uint64_t)above_half << 63 | ((left.hi | left.lo) != 0);
    return s;
}

QUICK bool quick_sqrt(uint16_t cw, struct f80 a, struct f80 *r, uint16_t *status)
{
    if (UNLIKELY(!quick_is_operand(a)))
        return false;
    if (UNLIKELY(a.mant == 0)) {
        *r = a;
        *status = 0;
        return true;
    }
    if (UNLIKELY(a.se >> 15))
        return false;
    int32_t odd = ~quick_exp(a) & 1; /* of the unbiased exponent: the radicand is in [2, 4) */
    struct u128 n = odd ? (struct u128){a.mant, 0} : (struct u128){a.mant >> 1, a.mant << 63};
    uint64_t lo, root = quick_root128(n, &lo);
    return quick_round(cw, false, (quick_exp(a) - FP_BIAS - odd) / 2 + FP_BIAS, root, lo, r, status);
}

/* FRNDINT, by any rounding control. */
QUICK bool quick_to_whole(uint16_t cw, struct f80 a, struct f80 *r, uint16_t *status)
{
    uint64_t hi, lo, up;
    bool sign = a.se >> 15;
    int32_t shift = FP_BIAS + 63 - quick_exp(a);
    unsigned rc = cw & FP_RC_FIELD;
    if (UNLIKELY(!quick_is_operand(a)))
        return false;
    *r = a;
    *status = 0;
    if (shift <= 0 || a.mant == 0)
        return true;
    quick_shift(a.mant, (uint32_t)shift, &hi, &lo);
    if (rc == FP_RC_NEAREST)
        up = quick_nearest(hi, lo);
    else
        up = (lo != 0) & (rc == (sign ? FP_RC_DOWN : FP_RC_UP));
    hi += up;
    *status = quick_status(lo != 0, up);
    *r = (struct f80){0, (uint16_t)((uint32_t)sign << 15)};
    if (hi == 0)
        return true;
    unsigned n = u64_clz(hi);
    return quick_pack(sign, FP_BIAS + 63 - (int32_t)n, hi << n, r);
}

/* FPREM in one step, that is for exponents less than 64 apart; always exact. *quotient: its low bits. */
QUICK bool quick_rem(struct f80 a, struct f80 b, struct f80 *r, uint64_t *quotient)
{
    if (UNLIKELY(!quick_is_operand(a)) || UNLIKELY(!quick_is_operand(b)) || UNLIKELY(b.mant == 0))
        return false;
    int32_t apart = quick_exp(a) - quick_exp(b);
    *r = a;
    *quotient = 0;
    if (apart < 0 || a.mant == 0)
        return true;
    if (UNLIKELY(apart > 63))
        return false;
    struct u128 n = {a.mant >> 1 >> (63 - apart), a.mant << apart};
    uint64_t rest;
    *quotient = u128_div64(n, b.mant, &rest);
    *r = (struct f80){0, a.se & 0x8000};
    if (rest == 0)
        return true;
    unsigned shift = u64_clz(rest);
    return quick_pack(a.se >> 15, quick_exp(b) - (int32_t)shift, rest << shift, r);
}

/* Without branches, since outcomes are what programs cannot foretell either. */
struct quick_relation {
    uint32_t less, equal;
};

QUICK bool quick_compare(struct f80 a, struct f80 b, struct quick_relation *r)
{
    if (UNLIKELY(!quick_is_operand(a)) || UNLIKELY(!quick_is_operand(b)))
        return false;
    uint32_t ea = a.se & 0x7FFF, eb = b.se & 0x7FFF, same_exp = ea == eb;
    uint32_t smaller = (uint32_t)(ea < eb) | (same_exp & (uint32_t)(a.mant < b.mant));
    uint32_t negative = a.se >> 15, differ = (uint32_t)(a.se ^ b.se) >> 15;
    r->equal = same_exp & (uint32_t)(a.mant == b.mant) & ((differ ^ 1) | (uint32_t)(a.mant == 0));
    r->less = ((differ & negative) | ((differ ^ 1) & (smaller ^ negative))) & (r->equal ^ 1);
    return true;
}

/* --- conversions --- */

QUICK bool quick_from_f64(uint64_t bits, struct f80 *r)
{
    uint32_t exp = (uint32_t)(bits >> 52) & 0x7FF, sign = (uint32_t)(bits >> 63) << 15;
    if (LIKELY(exp - 1 < 0x7FE)) {
        *r = (struct f80){FP_TOP_BIT | bits << 11, (uint16_t)(sign | (exp + FP_BIAS - 1023))};
        return true;
    }
    *r = (struct f80){0, (uint16_t)sign};
    return bits << 1 == 0;
}

QUICK bool quick_from_f32(uint32_t bits, struct f80 *r)
{
    uint32_t exp = bits >> 23 & 0xFF, sign = bits >> 31 << 15;
    if (LIKELY(exp - 1 < 0xFE)) {
        *r = (struct f80){FP_TOP_BIT | (uint64_t)bits << 40, (uint16_t)(sign | (exp + FP_BIAS - 127))};
        return true;
    }
    *r = (struct f80){0, (uint16_t)sign};
    return bits << 1 == 0;
}

QUICK struct f80 quick_from_int64(int64_t v)
{
    uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    if (UNLIKELY(m == 0))
        return (struct f80){0, 0};
    unsigned n = u64_clz(m);
    return (struct f80){m << n, (uint16_t)((uint32_t)(v < 0) << 15 | (FP_BIAS + 63 - n))};
}

/* The bits without the sign of a number in a format of `precision` bits and exponents up to `max`. */
QUICK bool quick_to_real(struct f80 a, unsigned precision, uint32_t max, uint64_t *bits, uint16_t *status)
{
    unsigned drop = 64 - precision;
    int32_t exp = quick_exp(a) - FP_BIAS + (int32_t)(max / 2);
    *bits = 0;
    *status = 0;
    if (UNLIKELY(!quick_is_operand(a)))
        return false;
    if (UNLIKELY(a.mant == 0))
        return true;
    uint64_t hi = a.mant >> drop, lo = a.mant << precision, up = quick_nearest(hi, lo);
    *bits = ((uint64_t)(uint32_t)(exp - 1) << (precision - 1)) + hi + up; /* a carry reaches the exponent */
    *status = quick_status(lo != 0, up);
    return (uint32_t)(exp - 1) < max && *bits >> (precision - 1) <= max;
}

QUICK bool quick_to_f64(struct f80 a, uint64_t *bits, uint16_t *status)
{
    bool done = quick_to_real(a, 53, 0x7FE, bits, status);
    *bits |= (uint64_t)(a.se >> 15) << 63;
    return done;
}

QUICK bool quick_to_f32(struct f80 a, uint32_t *bits, uint16_t *status)
{
    uint64_t wide;
    bool done = quick_to_real(a, 24, 0xFE, &wide, status);
    *bits = (uint32_t)wide | (uint32_t)(a.se >> 15) << 31;
    return done;
}

/* Any rounding control. `bits`: of the integer, two's complement. */
QUICK bool quick_to_integer(uint16_t cw, struct f80 a, unsigned bits, uint64_t *v, uint16_t *status)
{
    uint64_t hi, lo, up, limit = (uint64_t)1 << (bits - 1);
    bool sign = a.se >> 15;
    int32_t shift = FP_BIAS + 63 - quick_exp(a);
    unsigned rc = cw & FP_RC_FIELD;
    if (UNLIKELY(!quick_is_operand(a)) || UNLIKELY(shift <= 0))
        return false;
    quick_shift(a.mant, (uint32_t)shift, &hi, &lo);
    if (rc == FP_RC_NEAREST)
        up = quick_nearest(hi, lo);
    else
        up = (lo != 0) & (rc == (sign ? FP_RC_DOWN : FP_RC_UP));
    hi += up;
    *v = sign ? 0 - hi : hi;
    *status = quick_status(lo != 0, up);
    return LIKELY(hi <= limit - !sign);
}

#endif
