/*
 * 80-bit extended real arithmetic: partial remainder, scaling, and splitting into exponent and significand.
 *
 * Models: SDM vol. 2 FPREM, FPREM1, FSCALE, FXTRACT with their tables of special operands. A partial
 * remainder reduces exponent differences below 64 completely; larger ones by 32 to 63 bits per step.
 *
 * Used by cpu/fpu.c through cpu/softfp.h.
 */
#include "cpu/softfp_int.h"

/*
 * a mod 2^shift-aligned b by shift and subtract: one quotient bit for each of `steps` + 1 positions. The
 * remainder stays in units of 2^(exponent of a - steps - 63).
 */
struct reduction {
    uint64_t remainder;
    uint64_t quotient;
};

static struct reduction reduce(uint64_t a, uint64_t b, uint32_t steps)
{
    struct reduction d = {a, 0};
    bool above = false;
    for (uint32_t i = 0; i <= steps; i++) {
        if (i) {
            above = d.remainder >> 63;
            d.remainder <<= 1;
            d.quotient <<= 1;
        }
        if (above || d.remainder >= b) {
            d.remainder -= b;
            d.quotient |= 1;
        }
    }
    return d;
}

/* Exact results with exponent `exp` for bit 63 of the significand. No precision control. */
static struct f80 pack_remainder(struct fp_ctx *x, bool sign, int32_t exp, uint64_t mant)
{
    if (mant == 0) {
        return fp_zero(sign);
    }
    unsigned n = u64_clz(mant);
    struct u128 m = {mant << n, 0};
    return fp_round_pack(x, sign, exp - (int32_t)n, m, 64);
}

/* |a| < |b|, exponents at most one apart: a - b is nearer to zero than a if |a| > |b| / 2. */
static struct f80 nearest_below(struct fp_ctx *x, const struct fp_num *a, const struct fp_num *b,
                                struct fp_quotient *q)
{
    bool above_half = a->exp == b->exp || (a->exp == b->exp - 1 && a->mant > b->mant);
    if (!above_half) {
        return pack_remainder(x, a->sign, a->exp, a->mant);
    }
    q->low_bits = 1;
    if (a->exp == b->exp) {
        return pack_remainder(x, !a->sign, b->exp, b->mant - a->mant);
    }
    /* In units of a's last place: 2b - a, below 2^64 because a > b / 2. */
    return pack_remainder(x, !a->sign, a->exp, (b->mant << 1) - a->mant);
}

/* |a| / |b| >= 1 with an exponent difference below 64: the last step. */
static struct f80 rem_final(struct fp_ctx *x, const struct fp_num *a, const struct fp_num *b, bool nearest,
                            struct fp_quotient *q)
{
    struct reduction d = reduce(a->mant, b->mant, (uint32_t)(a->exp - b->exp));
    bool sign = a->sign;
    uint64_t other = b->mant - d.remainder;

    if (nearest && (d.remainder > other || (d.remainder == other && d.quotient & 1))) {
        d.remainder = other;
        d.quotient++;
        sign = !sign;
    }
    q->low_bits = d.quotient & 7;
    return d.remainder ? pack_remainder(x, sign, b->exp, d.remainder) : fp_zero(a->sign);
}

static struct f80 rem_partial(struct fp_ctx *x, const struct fp_num *a, const struct fp_num *b,
                              struct fp_quotient *q)
{
    uint32_t difference = (uint32_t)(a->exp - b->exp);
    uint32_t steps = (difference & 31) | 32;
    struct reduction d = reduce(a->mant, b->mant, steps);
    q->partial = true;
    return pack_remainder(x, a->sign, a->exp - (int32_t)steps, d.remainder);
}

static struct f80 rem_finite(struct fp_ctx *x, const struct fp_num *a, const struct fp_num *b, bool nearest,
                             struct fp_quotient *q)
{
    int32_t difference = a->exp - b->exp;
    if (difference >= 64) {
        return rem_partial(x, a, b, q);
    }
    if (difference < 0 || (difference == 0 && a->mant < b->mant)) {
        if (nearest) {
            return nearest_below(x, a, b, q);
        }
        return pack_remainder(x, a->sign, a->exp, a->mant);
    }
    return rem_final(x, a, b, nearest, q);
}

struct f80 f80_rem(struct fp_ctx *x, struct f80 a, struct f80 b, bool nearest, struct fp_quotient *q)
{
    struct fp_num ua = fp_unpack(a), ub = fp_unpack(b);
    struct f80 r;

    q->low_bits = 0;
    q->partial = false;
    if (fp_special2(x, a, &ua, b, &ub, &r)) {
        return r;
    }
    if (ua.kind == FP_KIND_INF || ub.kind == FP_KIND_ZERO) {
        return fp_invalid(x);
    }
    bool stop = fp_denormal_operand(x, &ua);
    stop |= fp_denormal_operand(x, &ub);
    if (stop || ua.kind == FP_KIND_ZERO) {
        return a;
    }
    if (ub.kind == FP_KIND_INF) {
        return pack_remainder(x, ua.sign, ua.exp, ua.mant);
    }
    return rem_finite(x, &ua, &ub, nearest, q);
}

/* Truncated to an integer and held within +-0x10000, which is beyond every exponent difference. */
static int32_t scale_count(const struct fp_num *b)
{
    int32_t n = 0x10000;
    if (b->exp < FP_BIAS) {
        n = 0;
    } else if (b->exp < FP_BIAS + 16) {
        n = (int32_t)(b->mant >> (FP_BIAS + 63 - b->exp));
    }
    return b->sign ? -n : n;
}

/* b is infinite: 0 * 2^+inf and inf * 2^-inf are invalid. */
static struct f80 scale_by_infinity(struct fp_ctx *x, const struct fp_num *a, const struct fp_num *b)
{
    enum fp_kind invalid = b->sign ? FP_KIND_INF : FP_KIND_ZERO;
    if (a->kind == invalid) {
        return fp_invalid(x);
    }
    if (fp_denormal_operand(x, a)) {
        return fp_zero(a->sign);
    }
    return b->sign ? fp_zero(a->sign) : fp_infinity(a->sign);
}

struct f80 f80_scale(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    struct fp_num ua = fp_unpack(a), ub = fp_unpack(b);
    struct f80 r;

    if (fp_special2(x, a, &ua, b, &ub, &r)) {
        return r;
    }
    if (ub.kind == FP_KIND_INF) {
        return scale_by_infinity(x, &ua, &ub);
    }
    bool stop = fp_denormal_operand(x, &ua);
    stop |= fp_denormal_operand(x, &ub);
    if (stop || ua.kind != FP_KIND_FINITE) {
        return a;
    }
    int32_t n = ub.kind == FP_KIND_ZERO ? 0 : scale_count(&ub);
    struct u128 m = {ua.mant, 0};
    return fp_round_pack(x, ua.sign, ua.exp + n, m, 64);
}

struct f80 f80_extract(struct fp_ctx *x, struct f80 a, struct f80 *significand)
{
    struct fp_num u = fp_unpack(a);
    struct f80 r;

    *significand = a;
    if (fp_special1(x, a, &u, &r)) {
        *significand = r;
        return r;
    }
    if (u.kind == FP_KIND_ZERO) {
        x->flags |= FP_ZE;
        return fp_infinity(true);
    }
    if (u.kind == FP_KIND_INF) {
        return fp_infinity(false);
    }
    if (!fp_denormal_operand(x, &u)) {
        *significand = fp_pack(u.sign, FP_BIAS, u.mant);
    }
    return f80_from_int64(u.exp - FP_BIAS);
}
