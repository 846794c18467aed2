/*
 * The shortcuts of cpu/softfp_quick.h against the general routines, which have tests of their own: where a shortcut
 * gives an answer, bits, PE and C1 are theirs and no other exception is due; and it does give one for
 * ordinary numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu/fpu.h"
#include "cpu/softfp_quick.h"

struct rng {
    uint64_t s;
};

static uint64_t rnd(struct rng *r)
{
    r->s = r->s * 6364136223846793005ull + 1442695040888963407ull;
    uint64_t high = r->s >> 32;
    r->s = r->s * 6364136223846793005ull + 1442695040888963407ull;
    return high << 32 | r->s >> 32;
}

/* Significands with long runs of equal bits, where roundings carry and ties occur. */
static uint64_t mantissa(struct rng *r)
{
    uint64_t v = rnd(r);
    switch (rnd(r) % 6) {
    case 0: v &= ~(uint64_t)0 << rnd(r) % 64; break;
    case 1: v |= ((uint64_t)1 << rnd(r) % 64) - 1; break;
    case 2: v = ~(uint64_t)0 << rnd(r) % 64; break;
    case 3: v = ((uint64_t)1 << rnd(r) % 64) | (rnd(r) & 1); break;
    default: break;
    }
    return v | FP_TOP_BIT;
}

/* Mostly near 1; at times zeros, ends of the range, denormals, NaNs, unsupported encodings. */
static struct f80 operand(struct rng *r)
{
    uint32_t sign = (uint32_t)(rnd(r) & 0x8000), exp = FP_BIAS - 70 + (uint32_t)(rnd(r) % 140);
    struct f80 v = {mantissa(r), 0};
    switch (rnd(r) % 32) {
    case 0: exp = 0, v.mant = 0; break;
    case 1: exp = (uint32_t)rnd(r) & 0x7fff; break;
    case 2: exp = FP_BIAS - 1023 - 2 + (uint32_t)rnd(r) % 5; break;
    case 3: exp = FP_BIAS + 1023 - 2 + (uint32_t)rnd(r) % 5; break;
    case 4: exp = (uint32_t)rnd(r) % 2 ? 0x7fff : 0x7ffe; break;
    case 5: exp = (uint32_t)rnd(r) % 3; break;
    case 6: v.mant &= ~FP_TOP_BIT; break;
    case 7: exp = FP_BIAS - 127 - 2 + (uint32_t)rnd(r) % 5; break;
    case 8: exp = FP_BIAS + 127 - 2 + (uint32_t)rnd(r) % 5; break;
    default: exp = rnd(r) % 2 ? exp : FP_BIAS + (uint32_t)rnd(r) % 3; break;
    }
    v.se = (uint16_t)(sign | exp);
    return v;
}

static struct fp_ctx context(struct rng *r, bool nearest)
{
    static const uint16_t precisions[] = {FP_PC_64, FP_PC_53, FP_PC_24, FP_PC_64};
    uint16_t cw = FP_EXCEPTIONS | precisions[rnd(r) % 4];
    if (!nearest)
        cw |= (uint16_t)(rnd(r) & FP_RC_FIELD);
    return (struct fp_ctx){cw, 0, 0};
}

static uint16_t status_of(const struct fp_ctx *x) { return (uint16_t)(x->flags | (x->c1 ? FPU_C1 : 0)); }

enum { ROUNDS = 400000 };

typedef struct f80 general_fn(struct fp_ctx *x, struct f80 a, struct f80 b);
typedef bool quick_fn(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *status);

static bool q_add(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *s) { return quick_add(cw, a, b, r, s); }
static bool q_sub(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *s) { return quick_sub(cw, a, b, r, s); }
static bool q_mul(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *s) { return quick_mul(cw, a, b, r, s); }
static bool q_div(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *s) { return quick_div(cw, a, b, r, s); }

static void operations_agree(general_fn *general, quick_fn *quick)
{
    struct rng r = {7};
    unsigned answers = 0;
    for (unsigned k = 0; k < ROUNDS; k++) {
        struct fp_ctx x = context(&r, true);
        struct f80 a = operand(&r), b = operand(&r), got = {0, 0};
        uint16_t status = 0;
        if (rnd(&r) % 16 == 0)
            b = (struct f80){a.mant + rnd(&r) % 3 - 1, (uint16_t)(a.se ^ (rnd(&r) & 0x8000))};
        if (!quick(x.cw, a, b, &got, &status))
            continue;
        struct f80 want = general(&x, a, b);
        if (want.mant != got.mant || want.se != got.se || status_of(&x) != status)
            fail_msg("cw %x: %x:%llx and %x:%llx give %x:%llx status %x, not %x:%llx status %x", x.cw, a.se,
                     (unsigned long long)a.mant, b.se, (unsigned long long)b.mant, want.se,
                     (unsigned long long)want.mant, status_of(&x), got.se, (unsigned long long)got.mant, status);
        answers++;
    }
    assert_true(answers > ROUNDS / 3);
}

static void sums_agree(void **state)
{
    (void)state;
    operations_agree(f80_add, q_add);
    operations_agree(f80_sub, q_sub);
}

static void products_agree(void **state)
{
    (void)state;
    operations_agree(f80_mul, q_mul);
}

static void quotients_agree(void **state)
{
    (void)state;
    operations_agree(f80_div, q_div);
}

static struct f80 sqrt_of_first(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    (void)b;
    return f80_sqrt(x, a);
}
static bool q_sqrt(uint16_t cw, struct f80 a, struct f80 b, struct f80 *r, uint16_t *s)
{
    (void)b;
    return quick_sqrt(cw, a, r, s);
}

/* Knuth's division and the host's. */
static void divisions_of_128_bits_agree(void **state)
{
    struct rng r = {3};
    (void)state;
    for (unsigned k = 0; k < ROUNDS; k++) {
        uint64_t d = mantissa(&r) >> rnd(&r) % 64, rest, rest2;
        struct u128 n = {rnd(&r) % 4 ? rnd(&r) % d : d - 1, mantissa(&r) - rnd(&r) % 2};
        uint64_t q = u128_div64(n, d, &rest);
        assert_true(q == u128_div64_portable(n, d, &rest2));
        assert_true(rest == rest2 && rest < d);
        struct u128 back = u128_add(u128_mul64(q, d), (struct u128){0, rest});
        assert_true(back.hi == n.hi && back.lo == n.lo);
    }
}

static void square_roots_agree(void **state)
{
    (void)state;
    struct rng r = {5};
    unsigned answers = 0;
    operations_agree(sqrt_of_first, q_sqrt);
    for (unsigned k = 0; k < ROUNDS; k++) { /* squares and their neighbours */
        struct fp_ctx x = context(&r, true);
        uint64_t n = rnd(&r) % 2 ? rnd(&r) >> 32 : ~(uint64_t)0 - rnd(&r) % 1000;
        n = n < ((uint64_t)1 << 32) ? n * n + rnd(&r) % 3 - 1 : n;
        struct f80 got = {0, 0}, a = f80_from_int64((int64_t)(n >> 1)), want;
        uint16_t status;
        a.se = (uint16_t)(a.se + (rnd(&r) & 1));
        if (a.mant == 0 || !quick_sqrt(x.cw, a, &got, &status))
            continue;
        want = f80_sqrt(&x, a);
        assert_true(got.mant == want.mant && got.se == want.se && status == status_of(&x));
        answers++;
    }
    assert_true(answers > ROUNDS / 2);
}

static void comparisons_agree(void **state)
{
    struct rng r = {9};
    (void)state;
    for (unsigned k = 0; k < ROUNDS; k++) {
        struct fp_ctx x = context(&r, true);
        struct f80 a = operand(&r), b = rnd(&r) % 8 ? operand(&r) : (struct f80){a.mant, (uint16_t)(a.se ^ (rnd(&r) & 0x8000))};
        struct quick_relation got;
        if (!quick_compare(a, b, &got))
            continue;
        enum fp_relation want = f80_compare(&x, a, b, false);
        assert_int_equal(got.less, want == FP_LESS);
        assert_int_equal(got.equal, want == FP_EQUAL);
        assert_int_equal(x.flags, 0);
    }
}

static void numbers_from_memory_agree(void **state)
{
    struct rng r = {11};
    (void)state;
    for (unsigned k = 0; k < ROUNDS; k++) {
        struct fp_ctx x = context(&r, true);
        uint64_t bits = rnd(&r) & (rnd(&r) % 16 ? ~(uint64_t)0 : (uint64_t)0x800fffffffffffffu);
        struct f80 got, want;
        if (rnd(&r) % 64 == 0)
            bits &= FP_TOP_BIT;
        if (quick_from_f64(bits, &got)) {
            want = f80_from_f64(&x, bits);
            assert_true(got.mant == want.mant && got.se == want.se && x.flags == 0);
        }
        if (quick_from_f32((uint32_t)bits, &got)) {
            want = f80_from_f32(&x, (uint32_t)bits);
            assert_true(got.mant == want.mant && got.se == want.se && x.flags == 0);
        }
        got = quick_from_int64((int64_t)bits >> rnd(&r) % 64);
        bits = bits & 1 ? bits : 0 - bits;
        got = quick_from_int64((int64_t)bits);
        want = f80_from_int64((int64_t)bits);
        assert_true(got.mant == want.mant && got.se == want.se);
    }
}

static void numbers_to_memory_agree(void **state)
{
    struct rng r = {13};
    (void)state;
    for (unsigned k = 0; k < ROUNDS; k++) {
        struct fp_ctx x = context(&r, true), y = x;
        struct f80 a = operand(&r);
        uint64_t wide;
        uint32_t narrow;
        uint16_t status;
        if (quick_to_f64(a, &wide, &status)) {
            assert_true(wide == f80_to_f64(&x, a));
            assert_int_equal(status, status_of(&x));
        }
        if (quick_to_f32(a, &narrow, &status)) {
            assert_int_equal(narrow, f80_to_f32(&y, a));
            assert_int_equal(status, status_of(&y));
        }
    }
}

static void whole_numbers_and_remainders_agree(void **state)
{
    struct rng r = {19};
    unsigned answers = 0;
    (void)state;
    for (unsigned k = 0; k < ROUNDS; k++) {
        struct fp_ctx x = context(&r, false), y = x;
        struct f80 a = operand(&r), b = operand(&r), got;
        struct fp_quotient q;
        uint64_t quotient;
        uint16_t status;
        if (quick_to_whole(x.cw, a, &got, &status)) {
            struct f80 want = f80_round_to_integer(&x, a);
            assert_true(got.mant == want.mant && got.se == want.se && status == status_of(&x));
        }
        if (!quick_rem(a, b, &got, &quotient))
            continue;
        struct f80 want = f80_rem(&y, a, b, false, &q);
        assert_true(got.mant == want.mant && got.se == want.se && y.flags == 0 && !q.partial);
        assert_int_equal(quotient & 7, q.low_bits);
        answers++;
    }
    assert_true(answers > ROUNDS / 3);
}

static void integers_agree(void **state)
{
    struct rng r = {17};
    unsigned answers = 0;
    (void)state;
    for (unsigned k = 0; k < ROUNDS; k++) {
        static const uint8_t sizes[] = {16, 32, 64};
        struct fp_ctx x = context(&r, false);
        struct f80 a = operand(&r);
        unsigned bits = sizes[rnd(&r) % 3];
        uint64_t got;
        uint16_t status;
        if (!quick_to_integer(x.cw, a, bits, &got, &status))
            continue;
        int64_t want = bits == 16 ? f80_to_int16(&x, a) : bits == 32 ? f80_to_int32(&x, a) : f80_to_int64(&x, a);
        assert_true(got == (uint64_t)want);
        assert_int_equal(status, status_of(&x));
        answers++;
    }
    assert_true(answers > ROUNDS / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_agree),
        cmocka_unit_test(products_agree),
        cmocka_unit_test(quotients_agree),
        cmocka_unit_test(divisions_of_128_bits_agree),
        cmocka_unit_test(square_roots_agree),
        cmocka_unit_test(comparisons_agree),
        cmocka_unit_test(numbers_from_memory_agree),
        cmocka_unit_test(numbers_to_memory_agree),
        cmocka_unit_test(whole_numbers_and_remainders_agree),
        cmocka_unit_test(integers_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
