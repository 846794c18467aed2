/*
 * 80-bit extended real arithmetic: 2^x - 1, logarithms, sine, cosine, tangent, arctangent.
 *
 * Models: SDM vol. 1 8.3.6-8.3.10 and the tables of special operands in SDM vol. 2 F2XM1, FYL2X, FYL2XP1, FSIN,
 * FPTAN, FPATAN. Everything between operand and result is done with 128-bit significands, so that the one
 * rounding at the end is practically always the correct one; the SDM asks for an error below 1 ulp. Angles are reduced
 * exactly, by the 66-bit pi of SDM 1 8.3.8.
 *
 * NOT MODELLED: the last-place differences between processor generations; what F2XM1 gives outside -1..1.
 * docs/X87.md has the choices; tests/cpu/test_mpfr.c shows correct rounding.
 *
 * Used by cpu/fpu.c through cpu/softfp.h.
 */
#include <stddef.h>

#include "cpu/softfp_int.h"

/* A wide real: m / 2^127 * 2^(exp - 16383), m.hi with its top bit set; zero has m = 0. */
struct wide {
    bool sign;
    int32_t exp;
    struct u128 m;
};

static const struct wide WIDE_ONE = {false, FP_BIAS, {FP_TOP_BIT, 0}};
static const struct wide WIDE_TWO = {false, FP_BIAS + 1, {FP_TOP_BIT, 0}};
static const struct wide LN_2 = {false, FP_BIAS - 1, {0xB17217F7D1CF79ABu, 0xC9E3B39803F2F6AFu}};
static const struct wide LOG2_E = {false, FP_BIAS, {0xB8AA3B295C17F0BBu, 0xBE87FED0691D3E88u}};
static const struct wide PI = {false, FP_BIAS + 1, {0xC90FDAA22168C234u, 0xC4C6628B80DC1CD1u}};
static const struct wide HALF_PI = {false, FP_BIAS, {0xC90FDAA22168C234u, 0xC4C6628B80DC1CD1u}};

static bool wide_is_zero(const struct wide *a)
{
    return a->m.hi == 0;
}

static struct wide normalised(bool sign, int32_t exp, struct u128 m)
{
    struct wide r = {sign, exp, m};
    if (m.hi | m.lo) {
        unsigned n = m.hi ? u64_clz(m.hi) : 64 + u64_clz(m.lo);
        r.m = u128_shl(m, n);
        r.exp -= (int32_t)n;
    }
    return r;
}

static struct wide widened(const struct fp_num *a)
{
    struct wide r = {a->sign, a->exp, {a->mant, 0}};
    return r;
}

static struct wide from_integer(int32_t v)
{
    struct u128 m = {v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 0};
    return normalised(v < 0, FP_BIAS + 63, m);
}

static struct wide negated(struct wide a)
{
    a.sign = !a.sign;
    return a;
}

static struct wide wide_mul(struct wide a, struct wide b)
{
    struct u128 high = u128_mul64(a.m.hi, b.m.hi);
    struct u128 mid1 = u128_mul64(a.m.hi, b.m.lo), mid2 = u128_mul64(a.m.lo, b.m.hi);
    struct u128 low = {0, u128_mul64(a.m.lo, b.m.lo).hi};
    struct u128 part1 = {0, mid1.hi}, part2 = {0, mid2.hi}, rest1 = {0, mid1.lo}, rest2 = {0, mid2.lo};
    struct u128 carries = u128_add(u128_add(low, rest1), rest2), carry = {0, carries.hi};

    if (wide_is_zero(&a) || wide_is_zero(&b)) {
        struct wide zero = {a.sign != b.sign, 0, {0, 0}};
        return zero;
    }
    high = u128_add(u128_add(u128_add(high, part1), part2), carry);
    return normalised(a.sign != b.sign, a.exp + b.exp - FP_BIAS + 1, high);
}

static bool wide_less(const struct wide *a, const struct wide *b)
{
    return a->exp < b->exp || (a->exp == b->exp && u128_less(a->m, b->m));
}

static struct wide wide_add(struct wide a, struct wide b)
{
    if (wide_is_zero(&a) || wide_is_zero(&b)) {
        return wide_is_zero(&a) ? b : a;
    }
    if (wide_less(&a, &b)) {
        struct wide t = a;
        a = b;
        b = t;
    }
    struct u128 small = u128_shr_sticky(b.m, (uint32_t)(a.exp - b.exp));
    if (a.sign != b.sign) {
        return normalised(a.sign, a.exp, u128_sub(a.m, small));
    }
    struct u128 sum = u128_add(a.m, small);
    if (u128_less(sum, a.m)) {
        sum = u128_shr_sticky(sum, 1);
        sum.hi |= FP_TOP_BIT;
        a.exp++;
    }
    a.m = sum;
    return a;
}

/* Bit by bit, the last one sticky; both operands not zero. */
static struct wide wide_div(struct wide a, struct wide b)
{
    struct u128 rest = a.m, quotient = {0, 0};
    int32_t exp = a.exp - b.exp + FP_BIAS;
    bool above = false;

    for (unsigned i = 0; i < 128; i++) {
        quotient = u128_shl(quotient, 1);
        if (above || !u128_less(rest, b.m)) {
            rest = u128_sub(rest, b.m);
            quotient.lo |= 1;
        }
        above = rest.hi >> 63;
        rest = u128_shl(rest, 1);
    }
    struct wide r = normalised(a.sign != b.sign, exp, quotient);
    r.m.lo |= (rest.hi | rest.lo) != 0 || above;
    return r;
}

/* a / d for a small integer d. */
static struct wide over(struct wide a, uint64_t d)
{
    struct u128 q, n = {0, a.m.hi};
    uint64_t rest;
    q.hi = u128_div64(n, d, &rest);
    n.hi = rest;
    n.lo = a.m.lo;
    q.lo = u128_div64(n, d, &rest);
    return normalised(a.sign, a.exp, q);
}

/* The one rounding. An inexact value has bits beyond the 128. */
static struct f80 rounded(struct fp_ctx *x, struct wide a, bool exact)
{
    if (wide_is_zero(&a)) {
        return fp_zero(a.sign);
    }
    a.m.lo |= !exact;
    return fp_round_pack(x, a.sign, a.exp, a.m, 64);
}

/* 1 + z / d(1) (1 + z / d(2) (1 + ...)), evaluated from the inside. For sine and cosine z is -r^2. */
enum series { SERIES_EXP, SERIES_SIN, SERIES_COS };

static uint64_t series_divisor(enum series which, uint64_t k)
{
    switch (which) {
    case SERIES_SIN:
        return 2 * k * (2 * k + 1);
    case SERIES_COS:
        return (2 * k - 1) * 2 * k;
    case SERIES_EXP:
        break;
    }
    return k + 1;
}

static struct wide factorial_series(enum series which, struct wide z, unsigned terms)
{
    struct wide sum = WIDE_ONE;
    for (unsigned k = terms; k; k--) {
        sum = wide_add(WIDE_ONE, over(wide_mul(z, sum), series_divisor(which, k)));
    }
    return sum;
}

/* s + s^3/3 + s^5/5 ... for arctanh, with alternating signs for arctan; |s| <= 1/3, s not zero. */
static struct wide arc_series(struct wide s, bool alternating)
{
    struct wide z = wide_mul(s, s);
    int32_t bits = FP_BIAS - 1 - z.exp;
    int32_t terms = 126 / bits + 2;
    struct wide sum = {false, 0, {0, 0}};

    if (alternating) {
        z = negated(z);
    }
    for (int32_t k = terms; k >= 0; k--) {
        sum = wide_add(over(WIDE_ONE, (uint64_t)(2 * k + 1)), wide_mul(z, sum));
    }
    return wide_mul(s, sum);
}

/* ---- 2^x - 1 ---- */

struct f80 f80_2xm1(struct fp_ctx *x, struct f80 a)
{
    struct fp_num u = fp_unpack(a);
    struct f80 r;

    if (fp_special1(x, a, &u, &r)) {
        return r;
    }
    if (fp_denormal_operand(x, &u) || u.kind == FP_KIND_ZERO) {
        return a;
    }
    if (u.kind == FP_KIND_INF) {
        return u.sign ? fp_pack(true, FP_BIAS, FP_TOP_BIT) : a;
    }
    if (u.exp >= FP_BIAS) {
        bool one = u.exp == FP_BIAS && u.mant == FP_TOP_BIT;
        return one && u.sign ? fp_pack(true, FP_BIAS - 1, FP_TOP_BIT) : a;
    }
    /* e^z - 1 = z (1 + z/2 (1 + z/3 (...))), |z| < 0.694: 30 terms leave less than 2^-120. */
    struct wide z = wide_mul(widened(&u), LN_2);
    return rounded(x, wide_mul(z, factorial_series(SERIES_EXP, z, 30)), false);
}

/* ---- logarithms ---- */

struct logarithm {
    struct wide value;
    bool exact;
};

/* log2((1 + s) / (1 - s)) = 2 log2(e) arctanh(s) */
static struct wide log2_of_ratio(struct wide s)
{
    struct wide r = wide_mul(arc_series(s, false), LOG2_E);
    r.exp++;
    return r;
}

/* a > 0: split into 2^k * m with m in sqrt(1/2) .. sqrt(2). */
static struct logarithm wide_log2(struct wide a)
{
    int32_t k = a.exp - FP_BIAS;
    struct logarithm r = {from_integer(k), true};

    a.exp = FP_BIAS;
    if (a.m.hi == FP_TOP_BIT && a.m.lo == 0) {
        return r;
    }
    if (a.m.hi > 0xB504F333F9DE6484u) {
        a.exp--;
        r.value = from_integer(k + 1);
    }
    struct wide s = wide_div(wide_add(a, negated(WIDE_ONE)), wide_add(a, WIDE_ONE));
    r.value = wide_add(r.value, log2_of_ratio(s));
    r.exact = false;
    return r;
}

/* y * infinity: the limit of y * log2(v) for v -> 0 (negative) or v -> infinity. */
static struct f80 times_infinity(struct fp_ctx *x, const struct fp_num *y, bool negative)
{
    if (y->kind == FP_KIND_ZERO) {
        return fp_invalid(x);
    }
    return fp_infinity(y->sign != negative);
}

/* y * log2(0) */
static struct f80 log_of_zero(struct fp_ctx *x, const struct fp_num *y)
{
    if (y->kind == FP_KIND_FINITE) {
        x->flags |= FP_ZE;
    }
    return times_infinity(x, y, true);
}

/* y * log2 where y is not a NaN: zero and infinite factors, then the product. */
static struct f80 log_product(struct fp_ctx *x, const struct fp_num *y, struct logarithm l)
{
    bool zero = wide_is_zero(&l.value), sign = y->sign != l.value.sign;

    if (y->kind == FP_KIND_INF) {
        return zero ? fp_invalid(x) : fp_infinity(sign);
    }
    if (zero || y->kind == FP_KIND_ZERO) {
        return fp_zero(sign);
    }
    return rounded(x, wide_mul(widened(y), l.value), l.exact);
}

struct f80 f80_yl2x(struct fp_ctx *x, struct f80 y, struct f80 v)
{
    struct fp_num uy = fp_unpack(y), uv = fp_unpack(v);
    struct f80 r;

    if (fp_special2(x, y, &uy, v, &uv, &r)) {
        return r;
    }
    /* Zero divide goes before a denormal y (SDM 1 4.9.2). */
    if (uv.kind == FP_KIND_ZERO) {
        return log_of_zero(x, &uy);
    }
    if (uv.sign) {
        return fp_invalid(x);
    }
    bool stop = fp_denormal_operand(x, &uy);
    stop |= fp_denormal_operand(x, &uv);
    if (stop) {
        return y;
    }
    if (uv.kind == FP_KIND_INF) {
        return times_infinity(x, &uy, false);
    }
    return log_product(x, &uy, wide_log2(widened(&uv)));
}

/* log2(1 + v), v not zero and above -1. */
static struct logarithm log2_plus_one(const struct fp_num *v)
{
    struct wide w = widened(v);
    if (v->exp < FP_BIAS - 1) {
        struct logarithm r = {log2_of_ratio(wide_div(w, wide_add(w, WIDE_TWO))), false};
        return r;
    }
    return wide_log2(wide_add(w, WIDE_ONE));
}

struct f80 f80_yl2xp1(struct fp_ctx *x, struct f80 y, struct f80 v)
{
    struct fp_num uy = fp_unpack(y), uv = fp_unpack(v);
    struct logarithm l = {{uv.sign, 0, {0, 0}}, true};
    struct f80 r;

    if (fp_special2(x, y, &uy, v, &uv, &r)) {
        return r;
    }
    if (uv.sign && uv.kind != FP_KIND_ZERO && (uv.kind == FP_KIND_INF || uv.exp >= FP_BIAS)) {
        bool minus_one = uv.exp == FP_BIAS && uv.mant == FP_TOP_BIT;
        return minus_one ? log_of_zero(x, &uy) : fp_invalid(x);
    }
    bool stop = fp_denormal_operand(x, &uy);
    stop |= fp_denormal_operand(x, &uv);
    if (stop) {
        return y;
    }
    if (uv.kind == FP_KIND_INF) {
        return times_infinity(x, &uy, false);
    }
    if (uv.kind == FP_KIND_FINITE) {
        l = log2_plus_one(&uv);
    }
    return log_product(x, &uy, l);
}

/* ---- sine, cosine, tangent ---- */

/* An angle as quadrant * pi/2 + r, |r| <= pi/4. */
struct angle {
    struct wide r;
    unsigned quadrant;
};

/* pi/2 in units of 2^-65: the 66-bit pi of SDM 1 8.3.8. */
static const struct u128 HALF_PI_66 = {0x3, 0x243F6A8885A308D3u};

/* |a| mod pi/2 by doubling, exactly: one step for each bit above the unit 2^-65. */
static struct angle reduced(const struct fp_num *a)
{
    struct angle g = {widened(a), 0};
    struct u128 r = {0, a->mant};

    g.r.sign = false;
    if (a->exp < FP_BIAS - 1) {
        return g;
    }
    for (int32_t steps = a->exp - FP_BIAS + 2; steps; steps--) {
        r = u128_shl(r, 1);
        g.quadrant <<= 1;
        if (!u128_less(r, HALF_PI_66)) {
            r = u128_sub(r, HALF_PI_66);
            g.quadrant |= 1;
        }
    }
    bool upper = !u128_less(u128_shl(r, 1), HALF_PI_66);
    if (upper) {
        r = u128_sub(HALF_PI_66, r);
        g.quadrant++;
    }
    g.r = normalised(upper, FP_BIAS + 62, r);
    return g;
}

/* Sine of g.r in quadrant q; |r| <= 0.786: 16 terms leave less than 2^-120. */
static struct wide sine_in(const struct angle *g, unsigned q)
{
    struct wide z = negated(wide_mul(g->r, g->r)), s;
    if (q & 1) {
        s = factorial_series(SERIES_COS, z, 16);
    } else {
        s = wide_mul(g->r, factorial_series(SERIES_SIN, z, 16));
    }
    return q & 2 ? negated(s) : s;
}

/* For small r, tan r = r (1 + r^2/3) and cot r = (1 - r^2/3) / r: the quotient of sine and cosine would lose on
 * which side of r or 1/r the value lies. */
static struct wide tangent_in(const struct angle *g)
{
    if (g->r.exp < FP_BIAS - 32 && !wide_is_zero(&g->r)) {
        struct wide third = over(wide_mul(g->r, g->r), 3);
        if (!(g->quadrant & 1)) {
            return wide_mul(g->r, wide_add(WIDE_ONE, third));
        }
        return negated(wide_mul(wide_div(WIDE_ONE, g->r), wide_add(WIDE_ONE, negated(third))));
    }
    return wide_div(sine_in(g, g->quadrant), sine_in(g, g->quadrant + 1));
}

/* Common to all three: true if *result says it all (special operand), *in_range false if C2 must be set. */
static bool angle_special(struct fp_ctx *x, struct f80 a, const struct fp_num *u, struct f80 *result, bool *in_range)
{
    *in_range = true;
    if (fp_special1(x, a, u, result)) {
        return true;
    }
    if (u->kind == FP_KIND_INF) {
        *result = fp_invalid(x);
        return true;
    }
    if (u->kind == FP_KIND_FINITE && u->exp >= FP_BIAS + 63) {
        *in_range = false;
        return true;
    }
    return fp_denormal_operand(x, u);
}

static void store(struct f80 *to, struct f80 v)
{
    if (to) {
        *to = v;
    }
}

bool f80_sincos(struct fp_ctx *x, struct f80 a, struct f80 *sine, struct f80 *cosine)
{
    struct fp_num u = fp_unpack(a);
    struct f80 r = a;
    bool in_range;

    if (angle_special(x, a, &u, &r, &in_range)) {
        store(sine, r);
        store(cosine, r);
        return in_range;
    }
    if (u.kind == FP_KIND_ZERO) {
        store(sine, a);
        store(cosine, fp_pack(false, FP_BIAS, FP_TOP_BIT));
        return true;
    }
    struct angle g = reduced(&u);
    if (cosine) {
        *cosine = rounded(x, sine_in(&g, g.quadrant + 1), false);
    }
    if (sine) {
        struct wide s = sine_in(&g, g.quadrant);
        s.sign ^= u.sign;
        *sine = rounded(x, s, false);
    }
    return true;
}

bool f80_ptan(struct fp_ctx *x, struct f80 a, struct f80 *tangent)
{
    struct fp_num u = fp_unpack(a);
    bool in_range;

    *tangent = a;
    if (angle_special(x, a, &u, tangent, &in_range) || u.kind == FP_KIND_ZERO) {
        return in_range;
    }
    struct angle g = reduced(&u);
    struct wide t = tangent_in(&g);
    t.sign ^= u.sign;
    *tangent = rounded(x, t, false);
    return true;
}

/* ---- arctangent ---- */

/* arctan(k / 8), k = 1 .. 8 */
static const struct wide arctan_eighths[8] = {
    {false, FP_BIAS - 4, {0xFEADD4D5617B6E32u, 0xC897989F3E888EF7u}},
    {false, FP_BIAS - 3, {0xFADBAFC96406EB15u, 0x6DC79EF5F7A217E5u}},
    {false, FP_BIAS - 2, {0xB7B0CA0F26F78473u, 0x8AA32122DCFE4483u}},
    {false, FP_BIAS - 2, {0xED63382B0DDA7B45u, 0x6FE445ECBC3A8D03u}},
    {false, FP_BIAS - 1, {0x8F005D5EF7F59F9Bu, 0x5C835E1665C43747u}},
    {false, FP_BIAS - 1, {0xA4BC7D1934F70924u, 0x19A87F2A457DAC9Eu}},
    {false, FP_BIAS - 1, {0xB8053E2BC2319E73u, 0xCB2DA55210A4443Du}},
    {false, FP_BIAS - 1, {0xC90FDAA22168C234u, 0xC4C6628B80DC1CD1u}},
};

/* arctan(s) for 0 < s <= 1/8. A small one lies below s by less than its last bit: if s is a quotient with more bits
 * than fit, that changes nothing, else it is the next lower value (a quotient of 64-bit numbers that ends here has
 * at most 64 bits). */
static struct wide small_arctan(struct wide s)
{
    if (s.exp >= FP_BIAS - 63) {
        return arc_series(s, true);
    }
    if (!(s.m.lo & 1)) {
        struct u128 last = {0, 1};
        s = normalised(s.sign, s.exp, u128_sub(s.m, last));
    }
    return s;
}

/* arctan(n / d), 0 < n <= d: arctan(k/8) + arctan((8n - kd) / (8d + kn)) for the nearest k. */
static struct wide arctan_of_ratio(struct wide n, struct wide d)
{
    uint64_t eighths = 0;
    if (d.exp - n.exp <= 4) {
        /* Both significands cut to 32 bits give n / d * 16 closely enough. */
        uint64_t sixteenths = ((n.m.hi >> 28) >> (d.exp - n.exp)) / (d.m.hi >> 32);
        eighths = (sixteenths + 1) / 2;
    }
    if (eighths == 0) {
        return small_arctan(wide_div(n, d));
    }
    struct wide k = from_integer((int32_t)eighths), kn = wide_mul(k, n), kd = wide_mul(k, d);
    n.exp += 3;
    d.exp += 3;
    struct wide top = wide_add(n, negated(kd));
    if (wide_is_zero(&top)) {
        return arctan_eighths[eighths - 1];
    }
    return wide_add(arctan_eighths[eighths - 1], arc_series(wide_div(top, wide_add(d, kn)), true));
}

/* Of |y| and |v|, both finite and not zero, v's sign apart: the angle in the first two quadrants. */
static struct wide arctan_upper(const struct fp_num *y, const struct fp_num *v)
{
    struct wide wy = widened(y), wv = widened(v), r;
    wy.sign = wv.sign = false;
    if (wide_less(&wv, &wy)) {
        r = arctan_of_ratio(wv, wy);
        return wide_add(HALF_PI, v->sign ? r : negated(r));
    }
    r = arctan_of_ratio(wy, wv);
    return v->sign ? wide_add(PI, negated(r)) : r;
}

/* One operand is zero or infinite (SDM 2 FPATAN, table 3-30): multiples of pi/4. */
static struct f80 arctan_axis(struct fp_ctx *x, const struct fp_num *y, const struct fp_num *v)
{
    bool y_inf = y->kind == FP_KIND_INF, v_inf = v->kind == FP_KIND_INF;
    struct wide r = HALF_PI;

    if (y_inf && v_inf) {
        r = PI;
        r.exp -= 2;
        if (v->sign) {
            r = wide_add(HALF_PI, r);
        }
    } else if (y->kind == FP_KIND_ZERO || v_inf) {
        if (!v->sign) {
            return fp_zero(y->sign);
        }
        r = PI;
    }
    r.sign = y->sign;
    return rounded(x, r, false);
}

struct f80 f80_patan(struct fp_ctx *x, struct f80 y, struct f80 v)
{
    struct fp_num uy = fp_unpack(y), uv = fp_unpack(v);
    struct f80 r;

    if (fp_special2(x, y, &uy, v, &uv, &r)) {
        return r;
    }
    bool stop = fp_denormal_operand(x, &uy);
    stop |= fp_denormal_operand(x, &uv);
    if (stop) {
        return y;
    }
    if (uy.kind != FP_KIND_FINITE || uv.kind != FP_KIND_FINITE) {
        return arctan_axis(x, &uy, &uv);
    }
    struct wide a = arctan_upper(&uy, &uv);
    a.sign = uy.sign;
    return rounded(x, a, false);
}
