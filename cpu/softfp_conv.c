/*
 * 80-bit extended real arithmetic: comparison, conversions, rounding to an integer, and the constants.
 *
 * Models: SDM vol. 1 4.2 (numeric formats), 4.7 (packed BCD), 8.3.2-8.3.4; SDM vol. 2 FIST, FBSTP, FCOM, FLD1.
 * The x87 only loads and stores single and double reals; computing with them is cpu/softfp_ieee.c.
 *
 * NOT MODELLED: FBLD of digits above 9 is undefined on hardware; here they simply count.
 *
 * Used by cpu/fpu*.c through cpu/softfp.h.
 */
#include "cpu/softfp_int.h"

const struct fp_format fp_single = {24, 0xFF, 127};
const struct fp_format fp_double = {53, 0x7FF, 1023};

static enum fp_relation compare_magnitudes(const struct fp_num *a, const struct fp_num *b)
{
    if (a->exp != b->exp) {
        return a->exp < b->exp ? FP_LESS : FP_GREATER;
    }
    if (a->mant != b->mant) {
        return a->mant < b->mant ? FP_LESS : FP_GREATER;
    }
    return FP_EQUAL;
}

/* No NaNs. Infinities have the largest exponent, zeros are made the smallest. */
enum fp_relation fp_compare_numbers(const struct fp_num *a, const struct fp_num *b)
{
    bool zero_a = a->kind == FP_KIND_ZERO, zero_b = b->kind == FP_KIND_ZERO;
    if (zero_a && zero_b) {
        return FP_EQUAL;
    }
    if (zero_a) {
        return b->sign ? FP_GREATER : FP_LESS;
    }
    if (zero_b || a->sign != b->sign) {
        return a->sign ? FP_LESS : FP_GREATER;
    }
    return a->sign ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}

enum fp_relation f80_compare(struct fp_ctx *x, struct f80 a, struct f80 b, bool quiet)
{
    struct fp_num ua = fp_unpack(a), ub = fp_unpack(b);
    struct f80 unused;

    if (fp_special2(x, a, &ua, b, &ub, &unused)) {
        if (!quiet) {
            x->flags |= FP_IE;
        }
        return FP_UNORDERED;
    }
    fp_denormal_operand(x, &ua);
    fp_denormal_operand(x, &ub);
    return fp_compare_numbers(&ua, &ub);
}

struct u128 fp_fixed_point(const struct fp_num *a)
{
    struct u128 m = {a->mant, 0};
    return u128_shr_sticky(m, (uint32_t)(FP_BIAS + 63 - a->exp));
}

struct f80 f80_round_to_integer(struct fp_ctx *x, struct f80 a)
{
    struct fp_num u = fp_unpack(a);
    struct f80 r;

    if (fp_special1(x, a, &u, &r)) {
        return r;
    }
    if (fp_denormal_operand(x, &u) || u.kind != FP_KIND_FINITE || u.exp >= FP_BIAS + 63) {
        return a;
    }
    struct fp_rounded i = fp_round_bits(x->cw, u.sign, fp_fixed_point(&u), 0);
    fp_note_rounding(x, &i);
    if (i.mant == 0) {
        return fp_zero(u.sign);
    }
    unsigned n = u64_clz(i.mant);
    return fp_pack(u.sign, FP_BIAS + 63 - (int32_t)n, i.mant << n);
}

struct f80 f80_from_int64(int64_t v)
{
    uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    if (m == 0) {
        return fp_zero(false);
    }
    unsigned n = u64_clz(m);
    return fp_pack(v < 0, FP_BIAS + 63 - (int32_t)n, m << n);
}

/* The rounded magnitude, if it is at most `limit`; otherwise IE and false. */
static bool to_magnitude(struct fp_ctx *x, const struct fp_num *u, uint64_t limit, uint64_t *magnitude)
{
    if (u->kind == FP_KIND_ZERO) {
        *magnitude = 0;
        return true;
    }
    if (u->kind != FP_KIND_FINITE || u->exp > FP_BIAS + 63) {
        x->flags |= FP_IE;
        return false;
    }
    struct fp_rounded i = fp_round_bits(x->cw, u->sign, fp_fixed_point(u), 0);
    if (i.carry || i.mant > limit) {
        x->flags |= FP_IE;
        return false;
    }
    fp_note_rounding(x, &i);
    *magnitude = i.mant;
    return true;
}

/* Two's complement of `bits` bits; out of range: IE and the integer indefinite, the most negative value. */
static int64_t to_integer(struct fp_ctx *x, struct f80 a, unsigned bits)
{
    struct fp_num u = fp_unpack(a);
    uint64_t edge = (uint64_t)1 << (bits - 1);
    uint64_t m;

    if (!to_magnitude(x, &u, u.sign ? edge : edge - 1, &m)) {
        return -(int64_t)(edge - 1) - 1;
    }
    if (u.sign) {
        return m ? -(int64_t)(m - 1) - 1 : 0;
    }
    return (int64_t)m;
}

int16_t f80_to_int16(struct fp_ctx *x, struct f80 a)
{
    return (int16_t)to_integer(x, a, 16);
}

int32_t f80_to_int32(struct fp_ctx *x, struct f80 a)
{
    return (int32_t)to_integer(x, a, 32);
}

int64_t f80_to_int64(struct fp_ctx *x, struct f80 a)
{
    return to_integer(x, a, 64);
}

/* `fraction` is left-aligned in 63 bits. */
static struct f80 from_real(struct fp_ctx *x, bool sign, int32_t exp, uint64_t fraction, const struct fp_format *f)
{
    if (exp == f->exp_special) {
        if (fraction && !(fraction & FP_QUIET_BIT)) {
            x->flags |= FP_IE;
            fraction |= FP_QUIET_BIT;
        }
        return fp_pack(sign, FP_EXP_SPECIAL, FP_TOP_BIT | fraction);
    }
    if (exp) {
        return fp_pack(sign, exp - f->bias + FP_BIAS, FP_TOP_BIT | fraction);
    }
    if (!fraction) {
        return fp_zero(sign);
    }
    unsigned n = u64_clz(fraction);
    x->flags |= FP_DE;
    return fp_pack(sign, 1 - f->bias + FP_BIAS - (int32_t)n, fraction << n);
}

struct f80 f80_from_f32(struct fp_ctx *x, uint32_t bits)
{
    return from_real(x, bits >> 31, (int32_t)(bits >> 23 & 0xFF), (uint64_t)(bits & 0x7FFFFF) << 40, &fp_single);
}

struct f80 f80_from_f64(struct fp_ctx *x, uint64_t bits)
{
    return from_real(x, bits >> 63, (int32_t)(bits >> 52 & 0x7FF), (bits & 0xFFFFFFFFFFFFFu) << 11, &fp_double);
}

uint64_t fp_format_bits(const struct fp_format *f, bool sign, int32_t exp, uint64_t mant)
{
    unsigned fraction_bits = f->precision - 1;
    uint64_t fraction = (mant & ~FP_TOP_BIT) >> (64 - f->precision);
    unsigned sign_pos = f->precision == 24 ? 31 : 63;
    return (uint64_t)sign << sign_pos | (uint64_t)exp << fraction_bits | fraction;
}

static uint64_t real_overflow(struct fp_ctx *x, bool sign, const struct fp_format *f)
{
    unsigned rc = x->cw & FP_RC_FIELD;
    bool to_infinity = rc == FP_RC_NEAREST || rc == (sign ? FP_RC_DOWN : FP_RC_UP);
    x->flags |= FP_OE | FP_PE;
    x->c1 = to_infinity;
    if (to_infinity) {
        return fp_format_bits(f, sign, f->exp_special, FP_TOP_BIT);
    }
    return fp_format_bits(f, sign, f->exp_special - 1, ~(uint64_t)0);
}

/* A tiny value: a denormal of the narrow format, underflow if inexact or unmasked. */
static uint64_t real_underflow(struct fp_ctx *x, bool sign, int32_t exp, struct u128 m, const struct fp_format *f)
{
    struct fp_rounded r = fp_round_bits(x->cw, sign, u128_shr_sticky(m, (uint32_t)(1 - exp)), 64 - f->precision);
    if (r.inexact || !(x->cw & FP_UE)) {
        x->flags |= FP_UE;
    }
    fp_note_rounding(x, &r);
    return fp_format_bits(f, sign, r.mant & FP_TOP_BIT ? 1 : 0, r.mant);
}

static uint64_t to_real(struct fp_ctx *x, struct f80 a, const struct fp_format *f)
{
    struct fp_num u = fp_unpack(a);
    struct f80 nan;

    if (fp_special1(x, a, &u, &nan)) {
        return fp_format_bits(f, nan.se & 0x8000, f->exp_special, nan.mant);
    }
    if (u.kind == FP_KIND_ZERO) {
        return fp_format_bits(f, u.sign, 0, 0);
    }
    if (u.kind == FP_KIND_INF) {
        return fp_format_bits(f, u.sign, f->exp_special, FP_TOP_BIT);
    }
    struct u128 m = {u.mant, 0};
    struct fp_rounded r = fp_round_bits(x->cw, u.sign, m, 64 - f->precision);
    int32_t exp = u.exp - FP_BIAS + f->bias;
    if (exp + r.carry >= f->exp_special) {
        return real_overflow(x, u.sign, f);
    }
    if (exp + r.carry < 1) {
        return real_underflow(x, u.sign, exp, m, f);
    }
    fp_note_rounding(x, &r);
    return fp_format_bits(f, u.sign, exp + r.carry, r.mant);
}

uint32_t f80_to_f32(struct fp_ctx *x, struct f80 a)
{
    return (uint32_t)to_real(x, a, &fp_single);
}

uint64_t f80_to_f64(struct fp_ctx *x, struct f80 a)
{
    return to_real(x, a, &fp_double);
}

struct f80 f80_from_bcd(const uint8_t bcd[10])
{
    int64_t v = 0;
    for (int i = 8; i >= 0; i--) {
        v = v * 100 + (bcd[i] >> 4) * 10 + (bcd[i] & 15);
    }
    struct f80 r = f80_from_int64(v);
    r.se |= (uint16_t)((bcd[9] & 0x80) << 8);
    return r;
}

void f80_to_bcd(struct fp_ctx *x, struct f80 a, uint8_t bcd[10])
{
    struct fp_num u = fp_unpack(a);
    uint64_t m;

    if (!to_magnitude(x, &u, 999999999999999999u, &m)) {
        /* The packed BCD indefinite, SDM 1 4.7. */
        for (int i = 0; i < 10; i++) {
            bcd[i] = i < 7 ? 0 : i == 7 ? 0xC0 : 0xFF;
        }
        return;
    }
    for (int i = 0; i < 9; i++) {
        bcd[i] = (uint8_t)(m % 10 | m / 10 % 10 << 4);
        m /= 100;
    }
    bcd[9] = u.sign ? 0x80 : 0;
}

/* Each constant with the bits that follow its 64-bit significand, so that it rounds as the rounding control says. */
static const struct {
    uint64_t mant;
    uint64_t more;
    uint16_t exp;
} constants[FP_CONSTANTS] = {
    [FP_ONE] = {0x8000000000000000u, 0, 0x3FFF},
    [FP_LOG2_10] = {0xD49A784BCD1B8AFEu, 0x492BF6FF4DAFDB4Cu, 0x4000},
    [FP_LOG2_E] = {0xB8AA3B295C17F0BBu, 0xBE87FED0691D3E88u, 0x3FFF},
    [FP_PI] = {0xC90FDAA22168C234u, 0xC4C6628B80DC1CD1u, 0x4000},
    [FP_LOG10_2] = {0x9A209A84FBCFF798u, 0x8F8959AC0B7C9178u, 0x3FFD},
    [FP_LN_2] = {0xB17217F7D1CF79ABu, 0xC9E3B39803F2F6AFu, 0x3FFE},
    [FP_ZERO] = {0, 0, 0},
};

struct f80 f80_constant(const struct fp_ctx *x, enum fp_constant which)
{
    struct u128 m = {constants[which].mant, constants[which].more};
    struct fp_rounded r = fp_round_bits(x->cw, false, m, 0);
    return fp_pack(false, constants[which].exp, r.mant);
}
