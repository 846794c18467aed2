/*
 * The transcendental functions against MPFR, whose results are correctly rounded. cpu/softfp_trans.c computes with 128
 * bits and rounds once, so more is asked here than the 1 ulp of SDM 1 8.3.10: a result equals the correctly rounded
 * one bit for bit, in all four rounding modes, with its PE, UE and C1; a value so near a tie that 128 bits do not tell
 * its side (counted; the arguments next to round numbers find some) may go to the other side. Correct rounding keeps a function monotonic; that is
 * also looked at directly, on runs of neighbouring arguments.
 *
 * Angles: SDM 1 8.3.8 has the unit reduce by a pi of 66 bits. The expected value is the exact sine (cosine,
 * tangent) of the remainder that this pi leaves, and up to pi/4, where nothing is reduced, the true function.
 * docs/X87.md says what that means for large angles.
 *
 * Usage: test_mpfr [N]: N arguments per function, by default few enough for `make check`; `make mpfr N=1000000`.
 */
#include <stdio.h>

#if defined(HAVE_MPFR)
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <mpfr.h>

#include "cpu/softfp.h"

enum { WIDE = 320, REDUCED = 256, BIAS = 16383, EMIN = -16444, EMAX = 16384 };

static unsigned long arguments = 50000, ties;

/* --- arguments --- */

static uint64_t next_random(uint64_t *seed)
{
    uint64_t v = *seed += 0x9E3779B97F4A7C15u; /* splitmix64 */
    v = (v ^ v >> 30) * 0xBF58476D1CE4E5B9u;
    v = (v ^ v >> 27) * 0x94D049BB133111EBu;
    return v ^ v >> 31;
}

/* Significands: random, and those next to round numbers. */
static uint64_t any_significand(uint64_t *seed)
{
    uint64_t r = next_random(seed), few = next_random(seed) & 7;
    uint64_t top = UINT64_C(1) << 63;
    switch (r & 7) {
    case 0: return top | few;
    case 1: return ~few;
    case 2: return top | UINT64_C(1) << (r >> 8 & 63) | few;
    case 3: return top | next_random(seed) << 32;
    default: return top | next_random(seed);
    }
}

/* 2^low <= |v| < 2^high, either sign. */
static struct f80 between(uint64_t *seed, int low, int high)
{
    uint64_t r = next_random(seed);
    int exp = low + (int)(r % (uint64_t)(high - low));
    struct f80 v = {any_significand(seed), (uint16_t)((exp + BIAS) | (r >> 63) << 15)};
    return v;
}

static struct f80 denormal(uint64_t *seed)
{
    uint64_t r = next_random(seed);
    struct f80 v = {(next_random(seed) >> 1 >> (r & 63)) | 1, (uint16_t)(r >> 63 << 15)};
    return v;
}

static struct f80 positive(struct f80 v)
{
    v.se &= 0x7FFF;
    return v;
}

/* Any number of the format. */
static struct f80 anything(uint64_t *seed)
{
    switch (next_random(seed) & 15) {
    case 0: return denormal(seed);
    case 1: return between(seed, -16382, 16384);
    case 2: case 3: case 4: return between(seed, -70, 70);
    default: return between(seed, -8, 8);
    }
}

/* -1 < v < 1, v not zero: F2XM1. */
static struct f80 below_one(uint64_t *seed)
{
    switch (next_random(seed) & 15) {
    case 0: return denormal(seed);
    case 1: return between(seed, -16382, 0);
    case 2: case 3: case 4: return between(seed, -80, 0);
    default: return between(seed, -4, 0);
    }
}

/* v > 0, often next to 1: FYL2X. */
static struct f80 for_log(uint64_t *seed)
{
    struct f80 v = positive(anything(seed));
    uint64_t r = next_random(seed);
    if (r & 1) {
        v.se = (uint16_t)(BIAS - (r >> 1 & 1));
        uint64_t off = next_random(seed) >> (r >> 8 & 63) >> 1;
        v.mant = r & 2 ? ~off : off | UINT64_C(1) << 63;
    }
    return v;
}

/* FYL2XP1 is defined from -(1 - sqrt(2)/2) on; it works to above -1. */
static struct f80 for_log_plus_one(uint64_t *seed)
{
    struct f80 v = anything(seed);
    return (v.se & 0x7FFF) < BIAS ? v : positive(v);
}

static void put(mpfr_t to, struct f80 v)
{
    int exp = (v.se & 0x7FFF) ? v.se & 0x7FFF : 1;
    mpfr_set_uj_2exp(to, v.mant, exp - BIAS - 63, MPFR_RNDN); /* 64 bits: exact */
    if (v.se & 0x8000)
        mpfr_neg(to, to, MPFR_RNDN);
}

/* Up to 2^63, a quarter of them as near to a multiple of pi/2 as the format allows. */
static struct f80 angle(uint64_t *seed)
{
    uint64_t r = next_random(seed);
    struct f80 v = (r & 3) == 1 ? between(seed, -2, 63) : positive(anything(seed));
    if ((v.se & 0x7FFF) >= BIAS + 63)
        v.se = (uint16_t)(BIAS + (r >> 8) % 63);
    if ((r & 3) == 0) {
        mpfr_t m, half_pi;
        mpfr_inits2(WIDE, m, half_pi, (mpfr_ptr)0);
        mpfr_const_pi(half_pi, MPFR_RNDN);
        mpfr_div_2ui(half_pi, half_pi, 1, MPFR_RNDN);
        mpfr_set_uj(m, next_random(seed) >> (2 + (r >> 8) % 62) | 1, MPFR_RNDN);
        mpfr_mul(m, m, half_pi, MPFR_RNDN);
        mpfr_prec_round(m, 64, MPFR_RNDN);
        mpfr_exp_t exp;
        mpz_t z;
        mpz_init(z);
        exp = mpfr_get_z_2exp(z, m);
        v.mant = (uint64_t)mpz_get_ui(z);
        v.se = (uint16_t)(exp + 63 + BIAS);
        mpz_clear(z);
        mpfr_clears(m, half_pi, (mpfr_ptr)0);
    }
    v.se |= (uint16_t)(r >> 63 << 15);
    return v;
}

/* --- one case --- */

struct reference {
    mpfr_t value; /* 64 bits */
    int ternary;  /* its sign: value above, equal to, below the exact one */
};

typedef int true_fn(mpfr_t to, const struct f80 *a, const struct f80 *b, mpfr_rnd_t mode);
typedef struct f80 soft_fn(struct fp_ctx *x, struct f80 a, struct f80 b);

static const struct {
    uint16_t rc;
    mpfr_rnd_t mode;
} roundings[] = {
    {FP_RC_NEAREST, MPFR_RNDN}, {FP_RC_DOWN, MPFR_RNDD}, {FP_RC_UP, MPFR_RNDU}, {FP_RC_CHOP, MPFR_RNDZ}};

static int into_format(mpfr_t v, int ternary, mpfr_rnd_t mode)
{
    mpfr_exp_t emin = mpfr_get_emin(), emax = mpfr_get_emax();
    mpfr_set_emin(EMIN);
    mpfr_set_emax(EMAX);
    ternary = mpfr_check_range(v, ternary, mode);
    ternary = mpfr_subnormalize(v, ternary, mode);
    mpfr_set_emin(emin);
    mpfr_set_emax(emax);
    return ternary;
}

/* The magnitude was rounded up. */
static bool grew(const mpfr_t v, int ternary)
{
    return mpfr_signbit(v) ? ternary < 0 : ternary > 0;
}

static bool same(struct f80 got, const mpfr_t want)
{
    if ((got.se & 0x7FFF) == 0x7FFF)
        return mpfr_inf_p(want) && got.mant == UINT64_C(1) << 63 && !mpfr_signbit(want) == !(got.se & 0x8000);
    mpfr_t v;
    mpfr_init2(v, 64);
    put(v, got);
    bool equal = mpfr_equal_p(v, want) && !mpfr_signbit(want) == !(got.se & 0x8000);
    mpfr_clear(v);
    return equal;
}

/* 128 bits do not decide: the exact value lies within 2^-40 ulp of a point where rounding changes its mind. */
static bool tie(true_fn *exact, const struct f80 *a, const struct f80 *b, struct f80 got, unsigned rounding)
{
    mpfr_t want, v;
    mpfr_inits2(WIDE, want, v, (mpfr_ptr)0);
    exact(want, a, b, MPFR_RNDN);
    put(v, got);
    mpfr_sub(want, want, v, MPFR_RNDN);
    mpfr_set_ui_2exp(v, 1, (got.se & 0x7FFF) - BIAS - 63, MPFR_RNDN); /* an ulp */
    mpfr_div(want, want, v, MPFR_RNDN);
    double ulps = mpfr_get_d(want, MPFR_RNDA);
    double limit = roundings[rounding].mode == MPFR_RNDN ? 0.5 : 1;
    mpfr_clears(want, v, (mpfr_ptr)0);
    return ulps < limit + 0x1p-40 && -ulps < limit + 0x1p-40 && (got.se & 0x7FFF);
}

static void check(const char *what, soft_fn *soft, true_fn *exact, struct f80 a, struct f80 b, unsigned rounding)
{
    mpfr_t want;
    struct fp_ctx x = {(uint16_t)(FP_EXCEPTIONS | FP_PC_64 | roundings[rounding].rc), 0, 0};
    struct f80 got = soft(&x, a, b);

    mpfr_init2(want, 64);
    int ternary = into_format(want, exact(want, &a, &b, roundings[rounding].mode), roundings[rounding].mode);
    bool inexact = ternary != 0, overflow = (got.se & 0x7FFF) == 0x7FFF || (got.se & 0x7FFF) == 0x7FFE;
    bool right = same(got, want) && inexact == ((x.flags & FP_PE) != 0);
    if (!overflow)
        right = right && (inexact && grew(want, ternary)) == (x.c1 != 0);
    if ((got.se & 0x7FFF) == 0 && got.mant >> 62 == 0) /* clearly below the normal numbers */
        right = right && inexact == ((x.flags & FP_UE) != 0);
    if (!right && tie(exact, &a, &b, got, rounding)) {
        ties++;
    } else if (!right) {
        mpfr_printf("%s of %04x:%016llx, %04x:%016llx, rounding %u: got %04x:%016llx flags %02x c1 %u,\n"
                    "  MPFR has %Ra, ternary %d\n",
                    what, a.se, (unsigned long long)a.mant, b.se, (unsigned long long)b.mant, rounding, got.se,
                    (unsigned long long)got.mant, x.flags, x.c1, want, ternary);
        fail();
    }
    mpfr_clear(want);
}

/* --- the true functions --- */

/* A value known to far more than 64 bits and not representable in 64: one rounding. */
static int rounded(mpfr_t to, mpfr_t wide, mpfr_rnd_t mode)
{
    int ternary = mpfr_set(to, wide, mode);
    mpfr_clear(wide);
    return ternary;
}

static int true_2xm1(mpfr_t to, const struct f80 *a, const struct f80 *b, mpfr_rnd_t mode)
{
    mpfr_t v, ln2;
    (void)b;
    mpfr_inits2(WIDE, v, ln2, (mpfr_ptr)0);
    put(v, *a);
    mpfr_const_log2(ln2, MPFR_RNDN);
    mpfr_mul(v, v, ln2, MPFR_RNDN);
    mpfr_expm1(v, v, MPFR_RNDN);
    mpfr_clear(ln2);
    return rounded(to, v, mode);
}

/* a = y, b = v, as FYL2X has them in ST(1) and ST(0). */
static int true_yl2x(mpfr_t to, const struct f80 *a, const struct f80 *b, mpfr_rnd_t mode)
{
    mpfr_t v, y;
    mpfr_inits2(WIDE, v, y, (mpfr_ptr)0);
    put(v, *b);
    put(y, *a);
    mpfr_log2(v, v, MPFR_RNDN); /* exact for powers of two */
    mpfr_mul(v, v, y, MPFR_RNDN);
    mpfr_clear(y);
    return rounded(to, v, mode);
}

static int true_yl2xp1(mpfr_t to, const struct f80 *a, const struct f80 *b, mpfr_rnd_t mode)
{
    mpfr_t v, y, sum;
    mpfr_inits2(WIDE, v, y, (mpfr_ptr)0);
    mpfr_init2(sum, 2 * 64 + 2);
    put(v, *b);
    put(y, *a);
    if (mpfr_add_ui(sum, v, 1, MPFR_RNDN) == 0) { /* exact: so is log2 of a power of two */
        mpfr_log2(v, sum, MPFR_RNDN);
    } else if (mpfr_get_exp(v) > 64) { /* log2(v), and a trace more */
        if (mpfr_log2(v, v, MPFR_RNDN) == 0)
            mpfr_nextabove(v);
    } else {
        mpfr_t ln2;
        mpfr_init2(ln2, WIDE);
        mpfr_const_log2(ln2, MPFR_RNDN);
        mpfr_log1p(v, v, MPFR_RNDN);
        mpfr_div(v, v, ln2, MPFR_RNDN);
        mpfr_clear(ln2);
    }
    mpfr_mul(v, v, y, MPFR_RNDN);
    mpfr_clears(y, sum, (mpfr_ptr)0);
    return rounded(to, v, mode);
}

static int true_patan(mpfr_t to, const struct f80 *a, const struct f80 *b, mpfr_rnd_t mode)
{
    mpfr_t y, v;
    mpfr_inits2(64, y, v, (mpfr_ptr)0);
    put(y, *a);
    put(v, *b);
    int ternary = mpfr_atan2(to, y, v, mode);
    mpfr_clears(y, v, (mpfr_ptr)0);
    return ternary;
}

/* SDM 1 8.3.8: pi = 0.f * 2^2, f = C90FDAA2 2168C234 C (hexadecimal). Exact remainder and quadrant. */
static unsigned reduce(mpfr_t r, const struct f80 *a)
{
    mpfr_t half_pi, n;
    mpfr_init2(half_pi, 68);
    mpfr_init2(n, 64);
    mpfr_set_prec(r, REDUCED);
    put(r, *a);
    mpfr_set_str(half_pi, "C90FDAA22168C234C", 16, MPFR_RNDN);
    mpfr_div_2ui(half_pi, half_pi, 67, MPFR_RNDN);
    mpfr_t q;
    mpfr_init2(q, REDUCED);
    mpfr_div(q, r, half_pi, MPFR_RNDN);
    mpfr_rint(n, q, MPFR_RNDN);
    unsigned quadrant = (unsigned)mpfr_get_sj(n, MPFR_RNDN) & 3;
    mpfr_mul(q, n, half_pi, MPFR_RNDN);
    if (mpfr_sub(r, r, q, MPFR_RNDN) != 0)
        fail_msg("the reduction is not exact");
    mpfr_clears(half_pi, n, q, (mpfr_ptr)0);
    return quadrant;
}

typedef int mpfr_fn(mpfr_t to, const mpfr_t v, mpfr_rnd_t mode);

static mpfr_rnd_t opposite(mpfr_rnd_t mode)
{
    return mode == MPFR_RNDU ? MPFR_RNDD : mode == MPFR_RNDD ? MPFR_RNDU : mode;
}

/* `even` of the remainder in quadrants 0 and 2, `odd` in 1 and 3; negative where the bit of `signs` is set. */
static int by_quadrant(mpfr_t to, const struct f80 *a, mpfr_fn *even, mpfr_fn *odd, unsigned signs, mpfr_rnd_t mode)
{
    mpfr_t r;
    mpfr_init2(r, REDUCED);
    unsigned q = reduce(r, a);
    bool negative = signs >> q & 1;
    int ternary = (q & 1 ? odd : even)(to, r, negative ? opposite(mode) : mode);
    mpfr_clear(r);
    if (!negative)
        return ternary;
    mpfr_neg(to, to, MPFR_RNDN);
    return -ternary;
}

static int true_sin(mpfr_t to, const struct f80 *a, const struct f80 *b, mpfr_rnd_t mode)
{
    (void)b;
    return by_quadrant(to, a, mpfr_sin, mpfr_cos, 0xC, mode);
}

static int true_cos(mpfr_t to, const struct f80 *a, const struct f80 *b, mpfr_rnd_t mode)
{
    (void)b;
    return by_quadrant(to, a, mpfr_cos, mpfr_sin, 0x6, mode);
}

static int true_tan(mpfr_t to, const struct f80 *a, const struct f80 *b, mpfr_rnd_t mode)
{
    (void)b;
    return by_quadrant(to, a, mpfr_tan, mpfr_cot, 0xA, mode);
}

/* --- ours --- */

static struct f80 soft_2xm1(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    (void)b;
    return f80_2xm1(x, a);
}

static struct f80 soft_sin(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    struct f80 r = b;
    assert_true(f80_sincos(x, a, &r, NULL));
    return r;
}

static struct f80 soft_cos(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    struct f80 r = b;
    assert_true(f80_sincos(x, a, NULL, &r));
    return r;
}

static struct f80 soft_tan(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    struct f80 r = b;
    assert_true(f80_ptan(x, a, &r));
    return r;
}

/* --- tests --- */

typedef struct f80 make_fn(uint64_t *seed);

static void sweep(const char *what, soft_fn *soft, true_fn *exact, make_fn *make_a, make_fn *make_b, uint64_t seed)
{
    ties = 0;
    for (unsigned long n = 0; n < arguments; n++) {
        struct f80 a = make_a(&seed), b = make_b(&seed);
        check(what, soft, exact, a, b, n & 1 ? 0 : n >> 1 & 3);
    }
    printf("%s: %lu arguments, %lu too near a tie for 128 bits\n", what, arguments, ties);
    assert_true(ties <= arguments / 10000);
}

static void f2xm1_is_correctly_rounded(void **state)
{
    (void)state;
    sweep("F2XM1", soft_2xm1, true_2xm1, below_one, below_one, 1);
}

static void fyl2x_is_correctly_rounded(void **state)
{
    (void)state;
    sweep("FYL2X", f80_yl2x, true_yl2x, anything, for_log, 2);
}

static void fyl2xp1_is_correctly_rounded(void **state)
{
    (void)state;
    sweep("FYL2XP1", f80_yl2xp1, true_yl2xp1, anything, for_log_plus_one, 3);
}

static void fpatan_is_correctly_rounded(void **state)
{
    (void)state;
    sweep("FPATAN", f80_patan, true_patan, anything, anything, 4);
}

static void fsin_is_correctly_rounded_after_the_66_bit_reduction(void **state)
{
    (void)state;
    sweep("FSIN", soft_sin, true_sin, angle, angle, 5);
}

static void fcos_is_correctly_rounded_after_the_66_bit_reduction(void **state)
{
    (void)state;
    sweep("FCOS", soft_cos, true_cos, angle, angle, 6);
}

static void fptan_is_correctly_rounded_after_the_66_bit_reduction(void **state)
{
    (void)state;
    sweep("FPTAN", soft_tan, true_tan, angle, angle, 7);
}

/* FSINCOS gives what FSIN and FCOS give; its flags are of both. */
static void fsincos_equals_fsin_and_fcos(void **state)
{
    uint64_t seed = 8;
    (void)state;
    for (unsigned long n = 0; n < arguments; n++) {
        struct f80 a = angle(&seed), s, c;
        struct fp_ctx x = {(uint16_t)(FP_EXCEPTIONS | FP_PC_64 | roundings[n & 3].rc), 0, 0}, y = x, z = x;
        assert_true(f80_sincos(&x, a, &s, &c));
        struct f80 s1 = soft_sin(&y, a, a), c1 = soft_cos(&z, a, a);
        assert_true(s.mant == s1.mant && s.se == s1.se && c.mant == c1.mant && c.se == c1.se);
        assert_int_equal(x.flags, y.flags | z.flags);
    }
}

/* Rising functions on runs of neighbours: no result below the one before. */
static void neighbours_never_fall(void **state)
{
    static const struct {
        const char *what;
        soft_fn *soft;
        int low, high;
        bool argument_is_b;
    } rising[] = {
        {"F2XM1", soft_2xm1, -20, 0, false}, {"FYL2X", f80_yl2x, -20, 20, true},
        {"FYL2XP1", f80_yl2xp1, -20, 20, true}, {"FPATAN", f80_patan, -20, 20, false},
        {"FSIN", soft_sin, -20, 0, false}, {"FPTAN", soft_tan, -20, 0, false},
    };
    const struct f80 one = {UINT64_C(1) << 63, BIAS};
    uint64_t seed = 9;
    (void)state;
    for (unsigned long n = 0; n < arguments; n++) {
        unsigned f = n % (sizeof(rising) / sizeof(rising[0]));
        struct f80 v = positive(between(&seed, rising[f].low, rising[f].high)), before = {0, 0xBFFF};
        v.mant &= ~UINT64_C(7);
        for (unsigned step = 0; step < 8; step++, v.mant++) {
            struct fp_ctx x = {FP_EXCEPTIONS | FP_PC_64, 0, 0};
            struct f80 r = rising[f].argument_is_b ? rising[f].soft(&x, one, v) : rising[f].soft(&x, v, one);
            struct fp_ctx ignore = {FP_EXCEPTIONS | FP_PC_64, 0, 0};
            if (step && f80_compare(&ignore, r, before, false) == FP_LESS)
                fail_msg("%s falls at %04x:%016llx", rising[f].what, v.se, (unsigned long long)v.mant);
            before = r;
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f2xm1_is_correctly_rounded),
        cmocka_unit_test(fyl2x_is_correctly_rounded),
        cmocka_unit_test(fyl2xp1_is_correctly_rounded),
        cmocka_unit_test(fpatan_is_correctly_rounded),
        cmocka_unit_test(fsin_is_correctly_rounded_after_the_66_bit_reduction),
        cmocka_unit_test(fcos_is_correctly_rounded_after_the_66_bit_reduction),
        cmocka_unit_test(fptan_is_correctly_rounded_after_the_66_bit_reduction),
        cmocka_unit_test(fsincos_equals_fsin_and_fcos),
        cmocka_unit_test(neighbours_never_fall),
    };
    if (argc > 1)
        arguments = strtoul(argv[1], NULL, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
    puts("skipped: built without MPFR (./configure --install-deps)");
    return 0;
}
#endif
