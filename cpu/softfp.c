/*
 * 80-bit extended real arithmetic: unpacking, NaN rules, rounding, and the operations +, -, *, / and square root.
 *
 * Models: SDM vol. 1 4.8.3 (NaNs, table 4-7), 4.9.1 (exceptions), 8.2.2 (unsupported encodings), 8.5 (masked and
 * unmasked responses). Tininess is detected after rounding. Precision control shortens the significand
 * only; the exponent keeps its 15 bits.
 *
 * NOT MODELLED: the 8087 and 80287 differences (projective infinity, unnormals as operands, denormals kept
 * unnormalised on loading).
 *
 * Used by cpu/fpu.c through cpu/softfp.h.
 */
#include "cpu/softfp_int.h"

/* Exponent adjustment of unmasked overflow and underflow, SDM 1 8.5.4. */
#define BIAS_ADJUST 24576

bool fp_aborts(const struct fp_ctx *x)
{
    return (x->flags & ~x->cw & (FP_IE | FP_DE | FP_ZE)) != 0;
}

bool fp_aborts_store(const struct fp_ctx *x)
{
    return (x->flags & ~x->cw & (FP_IE | FP_DE | FP_ZE | FP_OE | FP_UE)) != 0;
}

struct f80 fp_pack(bool sign, int32_t exp, uint64_t mant)
{
    struct f80 r = {mant, (uint16_t)((sign ? 0x8000 : 0) | (exp & 0x7FFF))};
    return r;
}

struct f80 fp_zero(bool sign)
{
    return fp_pack(sign, 0, 0);
}

struct f80 fp_infinity(bool sign)
{
    return fp_pack(sign, FP_EXP_SPECIAL, FP_TOP_BIT);
}

struct f80 f80_default_nan(void)
{
    struct f80 r = {F80_DEFAULT_NAN_MANT, F80_DEFAULT_NAN_SE};
    return r;
}

struct f80 fp_invalid(struct fp_ctx *x)
{
    x->flags |= FP_IE;
    return f80_default_nan();
}

/* Schoolbook division in base 2^32 (Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D). */
uint64_t u128_div64_portable(struct u128 n, uint64_t d, uint64_t *remainder)
{
    unsigned shift = u64_clz(d);
    uint64_t quotient = 0;
    d <<= shift;
    n = u128_shl(n, shift);
    for (unsigned digit = 0; digit < 2; digit++) {
        uint64_t next = digit ? (uint32_t)n.lo : n.lo >> 32;
        uint64_t q = n.hi / (d >> 32), r = n.hi % (d >> 32);
        while (q >> 32 || q * (uint32_t)d > (r << 32 | next)) {
            q--;
            r += d >> 32;
            if (r >> 32) {
                break;
            }
        }
        n.hi = (n.hi << 32 | next) - q * d;
        quotient = quotient << 32 | q;
    }
    *remainder = n.hi >> shift;
    return quotient;
}

struct fp_num fp_unpack(struct f80 a)
{
    struct fp_num u = {FP_KIND_FINITE, (a.se & 0x8000) != 0, false, a.se & 0x7FFF, a.mant};
    bool integer_bit = (a.mant & FP_TOP_BIT) != 0;

    if (u.exp == FP_EXP_SPECIAL) {
        if (!integer_bit) {
            u.kind = FP_KIND_UNSUPPORTED;
        } else if (a.mant == FP_TOP_BIT) {
            u.kind = FP_KIND_INF;
        } else {
            u.kind = a.mant & FP_QUIET_BIT ? FP_KIND_QNAN : FP_KIND_SNAN;
        }
    } else if (u.exp == 0 && a.mant == 0) {
        u.kind = FP_KIND_ZERO;
    } else if (u.exp == 0) {
        /* Denormals, and pseudo-denormals (integer bit set): both have the exponent of the least normal. */
        unsigned n = u64_clz(a.mant);
        u.denormal = true;
        u.mant = a.mant << n;
        u.exp = 1 - (int32_t)n;
    } else if (!integer_bit) {
        u.kind = FP_KIND_UNSUPPORTED;
    }
    return u;
}

enum fp_class f80_classify(struct f80 a)
{
    struct fp_num u = fp_unpack(a);
    switch (u.kind) {
    case FP_KIND_ZERO:
        return FP_CLASS_ZERO;
    case FP_KIND_INF:
        return FP_CLASS_INFINITY;
    case FP_KIND_QNAN:
    case FP_KIND_SNAN:
        return FP_CLASS_NAN;
    case FP_KIND_UNSUPPORTED:
        return FP_CLASS_UNSUPPORTED;
    case FP_KIND_FINITE:
        break;
    }
    return u.denormal ? FP_CLASS_DENORMAL : FP_CLASS_NORMAL;
}

bool f80_is_nan(struct f80 a)
{
    return f80_classify(a) == FP_CLASS_NAN;
}

bool fp_denormal_operand(struct fp_ctx *x, const struct fp_num *a)
{
    if (!a->denormal) {
        return false;
    }
    x->flags |= FP_DE;
    return !(x->cw & FP_DE);
}

static bool is_nan(const struct fp_num *u)
{
    return u->kind == FP_KIND_QNAN || u->kind == FP_KIND_SNAN;
}

static struct f80 quieted(struct f80 a)
{
    a.mant |= FP_QUIET_BIT;
    return a;
}

bool fp_special1(struct fp_ctx *x, struct f80 a, const struct fp_num *ua, struct f80 *result)
{
    if (ua->kind == FP_KIND_UNSUPPORTED) {
        *result = fp_invalid(x);
        return true;
    }
    if (ua->kind == FP_KIND_SNAN) {
        x->flags |= FP_IE;
    }
    if (!is_nan(ua)) {
        return false;
    }
    *result = quieted(a);
    return true;
}

/* Of two NaNs the one with the larger significand, of equal ones the positive one (SDM 1 table 4-7). */
static struct f80 larger_nan(struct f80 a, struct f80 b)
{
    if (a.mant != b.mant) {
        return a.mant > b.mant ? a : b;
    }
    return a.se < b.se ? a : b;
}

bool fp_special2(struct fp_ctx *x, struct f80 a, const struct fp_num *ua, struct f80 b, const struct fp_num *ub,
                 struct f80 *result)
{
    if (ua->kind == FP_KIND_UNSUPPORTED || ub->kind == FP_KIND_UNSUPPORTED) {
        *result = fp_invalid(x);
        return true;
    }
    if (ua->kind == FP_KIND_SNAN || ub->kind == FP_KIND_SNAN) {
        x->flags |= FP_IE;
    }
    if (!is_nan(ua) && !is_nan(ub)) {
        return false;
    }
    if (!is_nan(ub) || (ua->kind == FP_KIND_QNAN && ub->kind == FP_KIND_SNAN)) {
        *result = quieted(a);
    } else if (!is_nan(ua) || (ub->kind == FP_KIND_QNAN && ua->kind == FP_KIND_SNAN)) {
        *result = quieted(b);
    } else {
        *result = quieted(larger_nan(a, b));
    }
    return true;
}

/* Whether to go to the next larger magnitude: `odd` is the last bit kept, half and rest are what is cut. */
static bool rounds_up(uint16_t cw, bool sign, bool odd, bool half, bool rest)
{
    switch (cw & FP_RC_FIELD) {
    case FP_RC_NEAREST:
        return half && (rest || odd);
    case FP_RC_DOWN:
        return sign && (half || rest);
    case FP_RC_UP:
        return !sign && (half || rest);
    default:
        return false;
    }
}

struct fp_rounded fp_round_bits(uint16_t cw, bool sign, struct u128 m, unsigned drop)
{
    uint64_t unit = (uint64_t)1 << drop;
    uint64_t cut = m.hi & (unit - 1);
    bool half = drop ? (cut & unit >> 1) != 0 : (m.lo & FP_TOP_BIT) != 0;
    bool rest = drop ? (cut & ((unit >> 1) - 1)) != 0 || m.lo != 0 : (m.lo & ~FP_TOP_BIT) != 0;
    struct fp_rounded r = {m.hi - cut, false, half || rest, false};

    if (rounds_up(cw, sign, (m.hi & unit) != 0, half, rest)) {
        r.up = true;
        r.mant += unit;
        if (r.mant == 0) {
            r.mant = FP_TOP_BIT;
            r.carry = true;
        }
    }
    return r;
}

void fp_note_rounding(struct fp_ctx *x, const struct fp_rounded *r)
{
    x->c1 = r->up;
    if (r->inexact) {
        x->flags |= FP_PE;
    }
}

unsigned fp_precision(const struct fp_ctx *x)
{
    switch (x->cw & FP_PC_FIELD) {
    case FP_PC_24:
        return 24;
    case FP_PC_53:
        return 53;
    default:
        return 64;
    }
}

/* SDM 1 table 4-11: infinity or the largest finite number, by direction. */
static struct f80 overflow_masked(struct fp_ctx *x, bool sign, unsigned drop)
{
    x->flags |= FP_OE | FP_PE;
    x->c1 = rounds_up(x->cw, sign, true, true, true);
    if (x->c1) {
        return fp_infinity(sign);
    }
    return fp_pack(sign, FP_EXP_MAX, ~(uint64_t)0 << drop);
}

static struct f80 overflow(struct fp_ctx *x, bool sign, int32_t exp, const struct fp_rounded *r, unsigned drop)
{
    if (x->cw & FP_OE) {
        return overflow_masked(x, sign, drop);
    }
    x->flags |= FP_OE;
    fp_note_rounding(x, r);
    exp -= BIAS_ADJUST;
    if (exp > FP_EXP_MAX) {
        /* Only FSCALE gets further out than the adjustment reaches (SDM 1 8.5.4): infinity, inexact. */
        x->flags |= FP_PE;
        x->c1 = 1;
        return fp_infinity(sign);
    }
    return fp_pack(sign, exp, r->mant);
}

static struct f80 underflow_unmasked(struct fp_ctx *x, bool sign, int32_t exp, const struct fp_rounded *r)
{
    x->flags |= FP_UE;
    fp_note_rounding(x, r);
    exp += BIAS_ADJUST;
    if (exp < 1) {
        x->flags |= FP_PE;
        x->c1 = 0;
        return fp_zero(sign);
    }
    return fp_pack(sign, exp, r->mant);
}

/* A tiny result becomes a denormal; that is an underflow only if bits get lost (SDM 1 4.9.1.5). */
static struct f80 denormalised(struct fp_ctx *x, bool sign, int32_t exp, struct u128 m, unsigned drop)
{
    struct fp_rounded r = fp_round_bits(x->cw, sign, u128_shr_sticky(m, (uint32_t)(1 - exp)), drop);
    if (r.inexact) {
        x->flags |= FP_UE;
    }
    fp_note_rounding(x, &r);
    return fp_pack(sign, r.mant & FP_TOP_BIT ? 1 : 0, r.mant);
}

struct f80 fp_round_pack(struct fp_ctx *x, bool sign, int32_t exp, struct u128 m, unsigned bits)
{
    unsigned drop = 64 - bits;
    struct fp_rounded r = fp_round_bits(x->cw, sign, m, drop);
    int32_t e = exp + r.carry;

    if (e > FP_EXP_MAX) {
        return overflow(x, sign, e, &r, drop);
    }
    if (e < 1) {
        return x->cw & FP_UE ? denormalised(x, sign, exp, m, drop) : underflow_unmasked(x, sign, e, &r);
    }
    fp_note_rounding(x, &r);
    return fp_pack(sign, e, r.mant);
}

/* a + b of the same sign, |a| having the larger or equal exponent. */
static struct fp_exact add_magnitudes(const struct fp_num *a, const struct fp_num *b)
{
    struct fp_exact r = {{a->mant, 0}, a->exp, a->sign};
    struct u128 small = {b->mant, 0};
    r.mant = u128_add(r.mant, u128_shr_sticky(small, (uint32_t)(a->exp - b->exp)));
    if (r.mant.hi < a->mant) {
        r.mant = u128_shr_sticky(r.mant, 1);
        r.mant.hi |= FP_TOP_BIT;
        r.exp++;
    }
    return r;
}

/* |a| - |b| with the sign of a, |a| > |b|. */
static struct fp_exact sub_magnitudes(const struct fp_num *a, const struct fp_num *b)
{
    struct u128 big = {a->mant, 0}, small = {b->mant, 0};
    small = u128_shr_sticky(small, (uint32_t)(a->exp - b->exp));
    struct u128 diff = u128_sub(big, small);
    unsigned n = diff.hi ? u64_clz(diff.hi) : 64 + u64_clz(diff.lo);
    struct fp_exact r = {u128_shl(diff, n), a->exp - (int32_t)n, a->sign};
    return r;
}

static bool magnitude_less(const struct fp_num *a, const struct fp_num *b)
{
    return a->exp < b->exp || (a->exp == b->exp && a->mant < b->mant);
}

struct fp_exact fp_exact_sum(const struct fp_num *a, const struct fp_num *b)
{
    if (magnitude_less(a, b)) {
        const struct fp_num *t = a;
        a = b;
        b = t;
    }
    if (a->sign == b->sign) {
        return add_magnitudes(a, b);
    }
    if (a->exp == b->exp && a->mant == b->mant) {
        struct fp_exact nothing = {{0, 0}, 0, false};
        return nothing;
    }
    return sub_magnitudes(a, b);
}

/* Rounded to the precision of the control word. */
static struct f80 round_exact(struct fp_ctx *x, struct fp_exact e)
{
    return fp_round_pack(x, e.sign, e.exp, e.mant, fp_precision(x));
}

static struct f80 add_finite(struct fp_ctx *x, const struct fp_num *a, const struct fp_num *b)
{
    struct fp_exact sum = fp_exact_sum(a, b);
    if (sum.mant.hi == 0) {
        return fp_zero((x->cw & FP_RC_FIELD) == FP_RC_DOWN);
    }
    return round_exact(x, sum);
}

/* At least one of a and b is zero, neither is infinite. */
static struct f80 add_zero(struct fp_ctx *x, const struct fp_num *a, const struct fp_num *b)
{
    if (a->kind == b->kind) {
        bool sign = a->sign == b->sign ? a->sign : (x->cw & FP_RC_FIELD) == FP_RC_DOWN;
        return fp_zero(sign);
    }
    const struct fp_num *n = a->kind == FP_KIND_ZERO ? b : a;
    struct u128 m = {n->mant, 0};
    return fp_round_pack(x, n->sign, n->exp, m, fp_precision(x));
}

static struct f80 add_or_sub(struct fp_ctx *x, struct f80 a, struct f80 b, bool negate_b)
{
    struct fp_num ua = fp_unpack(a), ub = fp_unpack(b);
    struct f80 r;

    if (fp_special2(x, a, &ua, b, &ub, &r)) {
        return r;
    }
    ub.sign ^= negate_b;
    if (ua.kind == FP_KIND_INF && ub.kind == FP_KIND_INF && ua.sign != ub.sign) {
        return fp_invalid(x);
    }
    bool stop = fp_denormal_operand(x, &ua);
    stop |= fp_denormal_operand(x, &ub);
    if (stop) {
        return a;
    }
    if (ua.kind == FP_KIND_INF || ub.kind == FP_KIND_INF) {
        return fp_infinity(ua.kind == FP_KIND_INF ? ua.sign : ub.sign);
    }
    if (ua.kind == FP_KIND_ZERO || ub.kind == FP_KIND_ZERO) {
        return add_zero(x, &ua, &ub);
    }
    return add_finite(x, &ua, &ub);
}

struct f80 f80_add(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    return add_or_sub(x, a, b, false);
}

struct f80 f80_sub(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    return add_or_sub(x, a, b, true);
}

struct fp_exact fp_exact_product(const struct fp_num *a, const struct fp_num *b)
{
    struct u128 p = u128_mul64(a->mant, b->mant);
    unsigned n = u64_clz(p.hi);
    struct fp_exact r = {u128_shl(p, n), a->exp + b->exp - FP_BIAS + 1 - (int32_t)n, a->sign != b->sign};
    return r;
}

struct f80 f80_mul(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    struct fp_num ua = fp_unpack(a), ub = fp_unpack(b);
    bool sign = ua.sign != ub.sign;
    struct f80 r;

    if (fp_special2(x, a, &ua, b, &ub, &r)) {
        return r;
    }
    bool inf = ua.kind == FP_KIND_INF || ub.kind == FP_KIND_INF;
    bool zero = ua.kind == FP_KIND_ZERO || ub.kind == FP_KIND_ZERO;
    if (inf && zero) {
        return fp_invalid(x);
    }
    bool stop = fp_denormal_operand(x, &ua);
    stop |= fp_denormal_operand(x, &ub);
    if (stop) {
        return a;
    }
    if (inf || zero) {
        return inf ? fp_infinity(sign) : fp_zero(sign);
    }
    return round_exact(x, fp_exact_product(&ua, &ub));
}

struct fp_exact fp_exact_quotient(const struct fp_num *a, const struct fp_num *b)
{
    struct fp_exact r = {{0, 0}, a->exp - b->exp + FP_BIAS, a->sign != b->sign};
    struct u128 n = {a->mant, 0};
    uint64_t rest;

    if (a->mant < b->mant) {
        r.exp--;
    } else {
        n = u128_shr(n, 1);
    }
    r.mant.hi = u128_div64(n, b->mant, &rest);
    struct u128 more = {rest, 0};
    r.mant.lo = u128_div64(more, b->mant, &rest);
    r.mant.lo |= rest != 0;
    return r;
}

struct f80 f80_div(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    struct fp_num ua = fp_unpack(a), ub = fp_unpack(b);
    bool sign = ua.sign != ub.sign;
    struct f80 r;

    if (fp_special2(x, a, &ua, b, &ub, &r)) {
        return r;
    }
    if (ua.kind == ub.kind && ua.kind != FP_KIND_FINITE) {
        return fp_invalid(x);
    }
    /* Zero divide goes before a denormal dividend (SDM 1 8.5: precedence). */
    if (ub.kind == FP_KIND_ZERO && ua.kind == FP_KIND_FINITE) {
        x->flags |= FP_ZE;
        return fp_infinity(sign);
    }
    bool stop = fp_denormal_operand(x, &ua);
    stop |= fp_denormal_operand(x, &ub);
    if (stop) {
        return a;
    }
    if (ua.kind == FP_KIND_INF) {
        return fp_infinity(sign);
    }
    if (ua.kind == FP_KIND_ZERO || ub.kind == FP_KIND_INF) {
        return fp_zero(sign);
    }
    return round_exact(x, fp_exact_quotient(&ua, &ub));
}

/* Integer square root, one bit per step; *rest is what remains of n. n.hi >= 2^62, so the root has 64 bits. */
static uint64_t root128(struct u128 n, struct u128 *rest)
{
    struct u128 remainder = {0, 0};
    uint64_t root = 0;
    for (unsigned i = 0; i < 64; i++) {
        remainder = u128_shl(remainder, 2);
        remainder.lo |= n.hi >> 62;
        n = u128_shl(n, 2);
        /* Bring down two bits, try the digit 1: (2 * root + 1) with one more binary place. */
        struct u128 trial = {root >> 62, root << 2 | 1};
        root <<= 1;
        if (!u128_less(remainder, trial)) {
            remainder = u128_sub(remainder, trial);
            root |= 1;
        }
    }
    *rest = remainder;
    return root;
}

struct fp_exact fp_exact_root(const struct fp_num *a)
{
    int32_t e = a->exp - FP_BIAS;
    struct u128 n = {a->mant, 0}, rest, m;

    /* An even exponent puts the radicand in [1, 2), an odd one in [2, 4): then its root is in [1, 2). */
    if (e & 1) {
        e--;
    } else {
        n = u128_shr(n, 1);
    }
    m.hi = root128(n, &rest);
    struct u128 half_way = {0, m.hi};
    /* (root + 1/2)^2 = root^2 + root + 1/4: an integer remainder above root is above the half. */
    bool above_half = u128_less(half_way, rest);
    m.lo = (above_half ? FP_TOP_BIT : 0) | ((rest.hi | rest.lo) != 0);
    struct fp_exact r = {m, e / 2 + FP_BIAS, false};
    return r;
}

struct f80 f80_sqrt(struct fp_ctx *x, struct f80 a)
{
    struct fp_num ua = fp_unpack(a);
    struct f80 r;

    if (fp_special1(x, a, &ua, &r)) {
        return r;
    }
    if (ua.kind == FP_KIND_ZERO) {
        return a;
    }
    if (ua.sign) {
        return fp_invalid(x);
    }
    if (fp_denormal_operand(x, &ua) || ua.kind == FP_KIND_INF) {
        return a;
    }
    return round_exact(x, fp_exact_root(&ua));
}
