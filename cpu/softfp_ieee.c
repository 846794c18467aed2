/*
 * Single and double arithmetic for SSE: see cpu/softfp_ieee.h.
 *
 * An operation unpacks its operands, deals with NaNs and the other exceptions that are found before computing (in
 * the order of SDM 1 4.9.2: signalling NaN, quiet NaN, other invalid operations and zero divide, denormal),
 * computes exactly (softfp_int.h) and rounds. Tininess is detected after rounding (SDM 1 4.9.1.5).
 *
 * Used by cpu/sse_float.c and cpu/sse_convert.c.
 */
#include "cpu/softfp_ieee.h"

static unsigned fraction_shift(const struct fp_format *f) { return 64 - f->precision; }

static uint64_t sign_bit(const struct fp_format *f) { return f->precision == 24 ? 0x80000000u : FP_TOP_BIT; }
static uint64_t quiet_bit(const struct fp_format *f) { return (uint64_t)1 << (f->precision - 2); }

static uint64_t zero(const struct fp_format *f, bool sign) { return sign ? sign_bit(f) : 0; }

static uint64_t infinity(const struct fp_format *f, bool sign)
{
    return fp_format_bits(f, sign, f->exp_special, FP_TOP_BIT);
}

/* Raises IE; the default NaN (SDM 1 4.8.3.7) is negative. */
static uint64_t invalid(struct ieee_ctx *x, const struct fp_format *f)
{
    x->flags |= FP_IE;
    return infinity(f, true) | quiet_bit(f);
}

static bool is_nan(const struct fp_num *u) { return u->kind == FP_KIND_QNAN || u->kind == FP_KIND_SNAN; }

static void unpack_denormal(const struct ieee_ctx *x, struct fp_num *u, const struct fp_format *f, uint64_t fraction)
{
    u->kind = FP_KIND_ZERO;
    if (fraction == 0 || x->daz)
        return;
    unsigned n = u64_clz(fraction);
    u->kind = FP_KIND_FINITE;
    u->denormal = true;
    u->mant = fraction << n;
    u->exp = 1 - f->bias + FP_BIAS - (int32_t)n;
}

/* Of a NaN `mant` is the significand too. */
static struct fp_num unpack(const struct ieee_ctx *x, const struct fp_format *f, uint64_t bits)
{
    int32_t exp = (int32_t)(bits >> (f->precision - 1)) & f->exp_special;
    uint64_t fraction = bits << fraction_shift(f) & ~FP_TOP_BIT;
    struct fp_num u = {FP_KIND_FINITE, (bits & sign_bit(f)) != 0, false, exp - f->bias + FP_BIAS, FP_TOP_BIT | fraction};

    if (exp == f->exp_special) {
        u.exp = FP_EXP_SPECIAL;
        u.kind = fraction == 0 ? FP_KIND_INF : fraction & FP_QUIET_BIT ? FP_KIND_QNAN : FP_KIND_SNAN;
    } else if (exp == 0) {
        unpack_denormal(x, &u, f, fraction);
    }
    return u;
}

static void note_denormals(struct ieee_ctx *x, const struct fp_num *a, const struct fp_num *b)
{
    if (a->denormal || b->denormal)
        x->flags |= FP_DE;
}

/* SDM 1 table 4-7, the SSE column. */
static bool nan_result(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, const struct fp_num *ua, uint64_t b,
                       const struct fp_num *ub, uint64_t *result)
{
    if (ua->kind == FP_KIND_SNAN || ub->kind == FP_KIND_SNAN)
        x->flags |= FP_IE;
    if (!is_nan(ua) && !is_nan(ub))
        return false;
    *result = (is_nan(ua) ? a : b) | quiet_bit(f);
    return true;
}

/* --- rounding --- */

/* SDM 1 table 4-11: infinity or the largest finite number, by direction. */
static uint64_t overflow(struct ieee_ctx *x, const struct fp_format *f, bool sign, bool inexact)
{
    unsigned rc = x->cw & FP_RC_FIELD;
    bool to_infinity = rc == FP_RC_NEAREST || rc == (sign ? FP_RC_DOWN : FP_RC_UP);
    x->flags |= FP_OE;
    if (inexact || (x->cw & FP_OE))
        x->flags |= FP_PE;
    return to_infinity ? infinity(f, sign) : fp_format_bits(f, sign, f->exp_special - 1, ~(uint64_t)0);
}

/* A denormal, or zero under FTZ; `exp` is the biased exponent, below 1. */
static uint64_t underflow_masked(struct ieee_ctx *x, const struct fp_format *f, const struct fp_exact *e, int32_t exp)
{
    struct u128 m = u128_shr_sticky(e->mant, (uint32_t)(1 - exp));
    struct fp_rounded r = fp_round_bits(x->cw, e->sign, m, fraction_shift(f));

    if (x->ftz) {
        x->flags |= FP_UE | FP_PE;
        return zero(f, e->sign);
    }
    if (r.inexact)
        x->flags |= FP_UE | FP_PE;
    return fp_format_bits(f, e->sign, r.mant & FP_TOP_BIT ? 1 : 0, r.mant);
}

/* Unmasked, a tiny result is an underflow even if exact (SDM 1 11.5.2.5); precision is a question of the result that
 * a handler may compute, with the exponent unbounded (SDM 1 E.4.2.3). */
static uint64_t underflow(struct ieee_ctx *x, const struct fp_format *f, const struct fp_exact *e, int32_t exp,
                          bool inexact)
{
    if (x->cw & FP_UE)
        return underflow_masked(x, f, e, exp);
    x->flags |= FP_UE | (inexact ? FP_PE : 0);
    return zero(f, e->sign);
}

static uint64_t rounded(struct ieee_ctx *x, const struct fp_format *f, struct fp_exact e)
{
    struct fp_rounded r = fp_round_bits(x->cw, e.sign, e.mant, fraction_shift(f));
    int32_t exp = e.exp - FP_BIAS + f->bias;

    if (exp + r.carry >= f->exp_special)
        return overflow(x, f, e.sign, r.inexact);
    if (exp + r.carry < 1)
        return underflow(x, f, &e, exp, r.inexact);
    if (r.inexact)
        x->flags |= FP_PE;
    return fp_format_bits(f, e.sign, exp + r.carry, r.mant);
}

static struct fp_exact exactly(const struct fp_num *a)
{
    struct fp_exact e = {{a->mant, 0}, a->exp, a->sign};
    return e;
}

/* --- addition and subtraction --- */

static bool zero_sign(const struct ieee_ctx *x) { return (x->cw & FP_RC_FIELD) == FP_RC_DOWN; }

/* No NaNs, no two infinities of different signs. */
static uint64_t sum(struct ieee_ctx *x, const struct fp_format *f, const struct fp_num *a, const struct fp_num *b)
{
    if (a->kind == FP_KIND_INF || b->kind == FP_KIND_INF)
        return infinity(f, a->kind == FP_KIND_INF ? a->sign : b->sign);
    if (a->kind == FP_KIND_ZERO && b->kind == FP_KIND_ZERO)
        return zero(f, a->sign == b->sign ? a->sign : zero_sign(x));
    if (a->kind == FP_KIND_ZERO || b->kind == FP_KIND_ZERO)
        return rounded(x, f, exactly(a->kind == FP_KIND_ZERO ? b : a));
    struct fp_exact e = fp_exact_sum(a, b);
    return e.mant.hi ? rounded(x, f, e) : zero(f, zero_sign(x));
}

static uint64_t add_or_sub(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b, bool negate_b)
{
    struct fp_num ua = unpack(x, f, a), ub = unpack(x, f, b);
    uint64_t r;

    if (nan_result(x, f, a, &ua, b, &ub, &r))
        return r;
    ub.sign ^= negate_b;
    if (ua.kind == FP_KIND_INF && ub.kind == FP_KIND_INF && ua.sign != ub.sign)
        return invalid(x, f);
    note_denormals(x, &ua, &ub);
    return sum(x, f, &ua, &ub);
}

uint64_t ieee_add(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b)
{
    return add_or_sub(x, f, a, b, false);
}

uint64_t ieee_sub(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b)
{
    return add_or_sub(x, f, a, b, true);
}

/* --- multiplication, division, square root --- */

uint64_t ieee_mul(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b)
{
    struct fp_num ua = unpack(x, f, a), ub = unpack(x, f, b);
    bool sign = ua.sign != ub.sign;
    bool inf = ua.kind == FP_KIND_INF || ub.kind == FP_KIND_INF;
    bool has_zero = ua.kind == FP_KIND_ZERO || ub.kind == FP_KIND_ZERO;
    uint64_t r;

    if (nan_result(x, f, a, &ua, b, &ub, &r))
        return r;
    if (inf && has_zero)
        return invalid(x, f);
    note_denormals(x, &ua, &ub);
    if (inf || has_zero)
        return inf ? infinity(f, sign) : zero(f, sign);
    return rounded(x, f, fp_exact_product(&ua, &ub));
}

uint64_t ieee_div(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b)
{
    struct fp_num ua = unpack(x, f, a), ub = unpack(x, f, b);
    bool sign = ua.sign != ub.sign;
    uint64_t r;

    if (nan_result(x, f, a, &ua, b, &ub, &r))
        return r;
    if (ua.kind == ub.kind && ua.kind != FP_KIND_FINITE)
        return invalid(x, f);
    if (ub.kind == FP_KIND_ZERO && ua.kind == FP_KIND_FINITE) {
        x->flags |= FP_ZE;
        return infinity(f, sign);
    }
    note_denormals(x, &ua, &ub);
    if (ua.kind == FP_KIND_INF)
        return infinity(f, sign);
    if (ua.kind == FP_KIND_ZERO || ub.kind == FP_KIND_INF)
        return zero(f, sign);
    return rounded(x, f, fp_exact_quotient(&ua, &ub));
}

uint64_t ieee_sqrt(struct ieee_ctx *x, const struct fp_format *f, uint64_t a)
{
    struct fp_num u = unpack(x, f, a);
    uint64_t r;

    if (nan_result(x, f, a, &u, a, &u, &r))
        return r;
    if (u.kind == FP_KIND_ZERO)
        return zero(f, u.sign);
    if (u.sign)
        return invalid(x, f);
    note_denormals(x, &u, &u);
    return u.kind == FP_KIND_INF ? a : rounded(x, f, fp_exact_root(&u));
}

/* --- comparison --- */

enum fp_relation ieee_compare(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b, bool quiet)
{
    struct fp_num ua = unpack(x, f, a), ub = unpack(x, f, b);

    if (is_nan(&ua) || is_nan(&ub)) {
        if (!quiet || ua.kind == FP_KIND_SNAN || ub.kind == FP_KIND_SNAN)
            x->flags |= FP_IE;
        return FP_UNORDERED;
    }
    note_denormals(x, &ua, &ub);
    return fp_compare_numbers(&ua, &ub);
}

/* An operand as it is passed on. */
static uint64_t without_denormal(const struct ieee_ctx *x, const struct fp_format *f, uint64_t a)
{
    struct fp_num u = unpack(x, f, a);
    return u.kind == FP_KIND_ZERO ? zero(f, u.sign) : a;
}

/* SDM 2A MINPS, MAXPS: a only if the relation holds. */
static uint64_t choose(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b, enum fp_relation relation)
{
    bool first = ieee_compare(x, f, a, b, false) == relation;
    return without_denormal(x, f, first ? a : b);
}

uint64_t ieee_min(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b)
{
    return choose(x, f, a, b, FP_LESS);
}

uint64_t ieee_max(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b)
{
    return choose(x, f, a, b, FP_GREATER);
}

/* --- conversion --- */

uint64_t ieee_convert(struct ieee_ctx *x, const struct fp_format *from, const struct fp_format *to, uint64_t a)
{
    struct fp_num u = unpack(x, from, a);

    if (u.kind == FP_KIND_SNAN)
        x->flags |= FP_IE;
    if (is_nan(&u))
        return fp_format_bits(to, u.sign, to->exp_special, u.mant | FP_QUIET_BIT);
    note_denormals(x, &u, &u);
    if (u.kind == FP_KIND_INF)
        return infinity(to, u.sign);
    return u.kind == FP_KIND_ZERO ? zero(to, u.sign) : rounded(x, to, exactly(&u));
}

uint64_t ieee_from_int32(struct ieee_ctx *x, const struct fp_format *f, int32_t v)
{
    uint64_t magnitude = v < 0 ? 0 - (uint64_t)(int64_t)v : (uint64_t)v;
    if (v == 0)
        return 0;
    unsigned n = u64_clz(magnitude);
    struct fp_exact e = {{magnitude << n, 0}, FP_BIAS + 63 - (int32_t)n, v < 0};
    return rounded(x, f, e);
}

uint32_t ieee_to_int32(struct ieee_ctx *x, const struct fp_format *f, uint64_t a)
{
    struct fp_num u = unpack(x, f, a);
    uint64_t limit = u.sign ? 0x80000000u : 0x7fffffffu;

    if (u.kind == FP_KIND_ZERO)
        return 0;
    if (u.kind == FP_KIND_FINITE && u.exp <= FP_BIAS + 32) {
        struct fp_rounded r = fp_round_bits(x->cw, u.sign, fp_fixed_point(&u), 0);
        if (r.mant <= limit) {
            x->flags |= r.inexact ? FP_PE : 0;
            return u.sign ? 0 - (uint32_t)r.mant : (uint32_t)r.mant;
        }
    }
    x->flags |= FP_IE;
    return 0x80000000u;
}

/* --- approximations --- */

/* SDM 2B RCPPS asks for a relative error of at most 1.5 * 2^-12 and leaves the bits open. Intel's processors up to
 * Skylake cut the operand to 11 bits (RSQRTPS: 10 bits and the exponent's parity) and give the result for the middle
 * of that interval, rounded to 13 bits; so do we (docs/TRICKS.md). Denormals are zeros on both sides. */

static uint32_t approximation(uint32_t sign, uint32_t exp, uint32_t bits13)
{
    return sign | exp << 23 | (bits13 & 0xfff) << 11;
}

uint32_t ieee_approx_reciprocal(uint32_t a)
{
    uint32_t sign = a & 0x80000000u, exp = a >> 23 & 0xff, middle = 0x1000 | (a >> 12 & 0x7ff) << 1 | 1;

    if (exp == 0)
        return sign | 0x7f800000;
    if (exp == 0xff)
        return a & 0x7fffff ? a | 0x400000 : sign;
    if (exp >= 253)
        return sign; /* tiny: below 2^-126 */
    return approximation(sign, 253 - exp, ((1u << 25) + middle / 2) / middle);
}

/* The integer nearest to sqrt(2^37 / v), for 2^11 < v < 2^13. */
static uint32_t nearest_root(uint32_t v)
{
    uint32_t n = 0x1000;
    for (uint32_t bit = 0x800; bit; bit >>= 1) {
        uint64_t edge = 2 * (n | bit) - 1; /* twice the lower end of what rounds to n | bit */
        if (edge * edge * v <= (uint64_t)1 << 39)
            n |= bit;
    }
    return n;
}

uint32_t ieee_approx_root(uint32_t a)
{
    uint32_t sign = a & 0x80000000u, exp = a >> 23 & 0xff, middle = 0x800 | (a >> 13 & 0x3ff) << 1 | 1;

    if (exp == 0)
        return sign | 0x7f800000;
    if (exp == 0xff && (a & 0x7fffff))
        return a | 0x400000;
    if (sign)
        return 0xffc00000u;
    if (exp == 0xff)
        return 0;
    return approximation(0, 190 - (exp + 1) / 2, nearest_root(exp & 1 ? middle : middle << 1));
}
