/*
 * x87 instructions on numbers: stack and tags, loads and stores, arithmetic, comparisons, remainders. Expected
 * values are those of IEEE 754, of SDM volume 1 chapters 4 and 8, and of the tables in SDM volume 2. Exceptions and
 * saved images are in test_fpu_env.c.
 */
#include "tests/cpu/fpu_bench.h"

/* --- the register stack (SDM 1 8.1.2) --- */

/* SDM 3A table 9-1. */
static void reset_leaves_zeros_that_are_not_empty(void **state)
{
    struct fpu_bench *b = *state;
    cpu_class.reset(&b->cpu, RESET_HARD);
    assert_int_equal(b->cpu.st.x87.control, 0x0040);
    assert_int_equal(status(b), 0);
    for (unsigned n = 0; n < 8; n++)
        assert_st(b, n, 0, 0);
}

/* SDM 2A FINIT. */
static void fninit_masks_everything_and_empties_the_stack(void **state)
{
    struct fpu_bench *b = *state;
    RUN_OK(b, "\xd9\xe8\xd9\xf7\xdb\xe3"); /* fld1; fincstp; fninit */
    assert_int_equal(b->cpu.st.x87.control, 0x037f);
    assert_int_equal(status(b), 0);
    for (unsigned n = 0; n < 8; n++)
        assert_empty(b, n);
}

static void loads_push_and_stores_with_p_pop(void **state)
{
    struct fpu_bench *b = *state;
    RUN_OK(b, "\xd9\xe8\xd9\xee"); /* fld1; fldz */
    assert_int_equal(top(b), 6);
    assert_int_equal(b->cpu.st.x87.empty, 0x3f);
    assert_st(b, 0, 0, 0);
    assert_st_int(b, 1, 1);
    RUN_OK(b, "\xdd\xd9"); /* fstp st(1) */
    assert_int_equal(top(b), 7);
    assert_st(b, 0, 0, 0);
    RUN_OK(b, "\xd9\x1d" AT_DATA); /* fstp dword */
    assert_int_equal(top(b), 0);
    assert_int_equal(b->cpu.st.x87.empty, 0xff);
}

/* SDM 1 8.5.1.1: masked, the default NaN goes to the new top; C1 tells overflow from underflow. */
static void a_ninth_load_overflows(void **state)
{
    struct fpu_bench *b = *state;
    for (int n = 1; n <= 8; n++)
        push_int(b, n);
    assert_int_equal(status(b), 0);
    RUN_OK(b, "\xd9\xe8");
    assert_int_equal(status(b), 7 << 11 | FPU_C1 | FPU_SF | FP_IE);
    assert_default_nan(b, 0);
    assert_st_int(b, 1, 8);
}

static void an_unmasked_overflow_keeps_the_stack(void **state)
{
    struct fpu_bench *b = *state;
    for (int n = 1; n <= 8; n++)
        push_int(b, n);
    set_control(b, 0x037e);
    RUN_OK(b, "\xd9\xe8");
    assert_int_equal(status(b), FPU_BUSY | FPU_C1 | FPU_ES | FPU_SF | FP_IE);
    assert_st_int(b, 0, 8);
}

static void an_empty_operand_underflows(void **state)
{
    struct fpu_bench *b = *state;
    put(b, DATA, 4, 0);
    RUN_OK(b, "\xd9\x1d" AT_DATA); /* fstp dword */
    assert_int_equal(get(b, DATA, 4), 0xffc00000);
    assert_int_equal(status(b), 1 << 11 | FPU_SF | FP_IE);
    RUN_OK(b, "\xdb\xe3\xd9\xe8\xd8\xc1"); /* fninit; fld1; fadd st(1) */
    assert_int_equal(status(b), 7 << 11 | FPU_SF | FP_IE);
    assert_default_nan(b, 0);
}

static void an_unmasked_underflow_keeps_destination_and_stack(void **state)
{
    struct fpu_bench *b = *state;
    set_control(b, 0x037e);
    put(b, DATA, 4, 0x12345678);
    RUN_OK(b, "\xd9\x1d" AT_DATA);
    assert_int_equal(get(b, DATA, 4), 0x12345678);
    assert_int_equal(status(b), FPU_BUSY | FPU_ES | FPU_SF | FP_IE);
}

static void fxch_swaps_and_gives_nan_for_an_empty_register(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 1);
    push_int(b, 2);
    RUN_OK(b, "\xd9\xc9"); /* fxch st(1) */
    assert_st_int(b, 0, 1);
    assert_st_int(b, 1, 2);
    RUN_OK(b, "\xd9\xca"); /* fxch st(2) */
    assert_default_nan(b, 0);
    assert_st_int(b, 2, 1);
    assert_int_equal(status(b) & 0xff, FPU_SF | FP_IE);
}

/* SDM 2A FINCSTP: not a pop, the tag of the old top stays. */
static void fincstp_and_fdecstp_move_top_alone(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 5);
    RUN_OK(b, "\xd9\xf7"); /* fincstp */
    assert_int_equal(top(b), 0);
    assert_int_equal(b->cpu.st.x87.empty, 0x7f);
    RUN_OK(b, "\xd9\xf6"); /* fdecstp */
    assert_st_int(b, 0, 5);
    RUN_OK(b, "\xdd\xc0"); /* ffree st(0) */
    assert_int_equal(top(b), 7);
    assert_empty(b, 0);
}

/* --- loads and stores --- */

/* SDM 2A FLD1: the constants are rounded from longer ones, by the rounding control. */
static void constants_follow_the_rounding_control(void **state)
{
    static const struct f80 nearest[] = {
        {0x8000000000000000u, 0x3fff}, {0xd49a784bcd1b8afeu, 0x4000}, {0xb8aa3b295c17f0bcu, 0x3fff},
        {0xc90fdaa22168c235u, 0x4000}, {0x9a209a84fbcff799u, 0x3ffd}, {0xb17217f7d1cf79acu, 0x3ffe}, {0, 0},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(nearest); k++) {
        uint8_t code[] = {0xd9, (uint8_t)(0xe8 + k)};
        assert_int_equal(bench_run(b, code, 2), NO_FAULT);
        assert_st(b, 0, nearest[k].se, nearest[k].mant);
    }
    set_control(b, 0x077f);
    RUN_OK(b, "\xd9\xeb"); /* fldpi, down */
    assert_st(b, 0, 0x4000, 0xc90fdaa22168c234u);
}

static void real_formats_convert_without_loss(void **state)
{
    struct fpu_bench *b = *state;
    put(b, DATA, 4, 0xc0490fdb); /* -3.14159274 */
    RUN_OK(b, "\xd9\x05" AT_DATA);
    assert_st(b, 0, 0xc000, 0xc90fdb0000000000u);
    RUN_OK(b, "\xdd\x1d" AT_DATA); /* fstp qword */
    assert_int_equal(get(b, DATA, 8), 0xc00921fb60000000u);
    push_f80(b, 0x7fff, 0x8000000000000000u);
    RUN_OK(b, "\xd9\x1d" AT_DATA);
    assert_int_equal(get(b, DATA, 4), 0x7f800000);
    assert_int_equal(status(b), 0);
}

/* SDM 1 4.8.3.4, 4.9.1.2. */
static void loading_a_signalling_nan_or_a_denormal_is_noted(void **state)
{
    struct fpu_bench *b = *state;
    put(b, DATA, 4, 0x7f800001);
    RUN_OK(b, "\xd9\x05" AT_DATA);
    assert_st(b, 0, 0x7fff, 0xc000010000000000u);
    assert_int_equal(status(b) & 0xff, FP_IE);
    RUN_OK(b, "\xdb\xe2"); /* fnclex */
    put(b, DATA, 4, 0x00000001); /* 2^-149 */
    RUN_OK(b, "\xd9\x05" AT_DATA);
    assert_st(b, 0, 0x3fff - 149, 0x8000000000000000u);
    assert_int_equal(status(b) & 0xff, FP_DE);
    push_f80(b, 0x7fff, 0x8000000000000001u); /* as is: the register's own format */
    assert_st(b, 0, 0x7fff, 0x8000000000000001u);
}

/* SDM 1 table 4-8: nearest (even), down, up, toward zero. */
static void integer_stores_round_as_the_control_word_says(void **state)
{
    static const struct { double v; int16_t rounded[4]; } cases[] = {
        {2.5, {2, 2, 3, 2}}, {3.5, {4, 3, 4, 3}}, {-2.5, {-2, -3, -2, -2}}, {-0.25, {0, -1, 0, 0}},
        {0.75, {1, 0, 1, 0}},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        push_f64(b, cases[k].v);
        for (unsigned rc = 0; rc < 4; rc++) {
            set_control(b, (uint16_t)(0x037f | rc << 10));
            RUN_OK(b, "\xdf\x15" AT_DATA); /* fist word */
            assert_int_equal((int16_t)get(b, DATA, 2), cases[k].rounded[rc]);
        }
        RUN_OK(b, "\xdd\xd8"); /* fstp st(0) */
    }
    assert_int_equal(status(b) & 0xff, FP_PE);
}

/* SDM 1 4.8.3.8 (integer indefinite). */
static void integers_out_of_range_store_the_indefinite(void **state)
{
    struct fpu_bench *b = *state;
    push_f64(b, 32768.0);
    RUN_OK(b, "\xdf\x15" AT_DATA); /* fist word */
    assert_int_equal(get(b, DATA, 2), 0x8000);
    assert_int_equal(status(b) & 0xff, FP_IE);
    RUN_OK(b, "\xdb\xe2\xdb\x15" AT_DATA); /* fnclex; fist dword */
    assert_int_equal(get(b, DATA, 4), 32768);
    assert_int_equal(status(b) & 0xff, 0);
    push_f80(b, 0x403e, 0x8000000000000000u); /* 2^63 */
    RUN_OK(b, "\xdf\x3d" AT_DATA); /* fistp qword */
    assert_int_equal(get(b, DATA, 8), 0x8000000000000000u);
    assert_int_equal(status(b) & 0xff, FP_IE);
}

static void qword_integers_survive_a_load_and_a_store(void **state)
{
    static const int64_t values[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX};
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(values); k++) {
        push_int(b, values[k]);
        put(b, DATA, 8, 0x5555);
        RUN_OK(b, "\xdf\x3d" AT_DATA); /* fistp qword */
        assert_int_equal((int64_t)get(b, DATA, 8), values[k]);
    }
    assert_int_equal(status(b), 0);
}

/* SDM 1 4.7: 18 digits and a sign byte. */
static void packed_decimals_load_and_store(void **state)
{
    struct fpu_bench *b = *state;
    put(b, DATA, 8, 0x3456789012345678u);
    put(b, DATA + 8, 2, 0x8012);
    RUN_OK(b, "\xdf\x25" AT_DATA); /* fbld */
    assert_st_int(b, 0, -123456789012345678);
    put(b, DATA, 8, 0);
    put(b, DATA + 8, 2, 0);
    RUN_OK(b, "\xdf\x35" AT_DATA); /* fbstp */
    assert_int_equal(get(b, DATA, 8), 0x3456789012345678u);
    assert_int_equal(get(b, DATA + 8, 2), 0x8012);
    push_f64(b, 1e18);
    RUN_OK(b, "\xdf\x35" AT_DATA);
    assert_int_equal(get(b, DATA, 8), 0xc000000000000000u);
    assert_int_equal(get(b, DATA + 8, 2), 0xffff);
    assert_int_equal(status(b) & 0xff, FP_IE);
}

/* --- arithmetic --- */

/* SDM 2A FSUB, FSUBR, FDIV, FDIVR: who is subtracted from whom, and where it goes. ST(0) = 6, ST(1) = 2. */
static void the_reversed_forms_reverse_the_operands(void **state)
{
    static const struct { uint8_t code[2]; int st0, st1; } cases[] = {
        {{0xd8, 0xc1}, 8, 2},  {{0xdc, 0xc1}, 6, 8},  {{0xd8, 0xc9}, 12, 2}, {{0xdc, 0xc9}, 6, 12},
        {{0xd8, 0xe1}, 4, 2},  {{0xd8, 0xe9}, -4, 2}, {{0xdc, 0xe1}, 6, 4},  {{0xdc, 0xe9}, 6, -4},
        {{0xd8, 0xf1}, 3, 2},  {{0xdc, 0xf1}, 6, 3},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        RUN_OK(b, "\xdb\xe3");
        push_int(b, 2);
        push_int(b, 6);
        assert_int_equal(bench_run(b, cases[k].code, 2), NO_FAULT);
        assert_st_int(b, 0, cases[k].st0);
        assert_st_int(b, 1, cases[k].st1);
    }
}

/* 2 / 6 in the forms that the table above cannot show, and the popping forms. */
static void popping_forms_leave_the_result_on_top(void **state)
{
    static const struct { uint8_t code[2]; uint16_t se; uint64_t mant; } cases[] = {
        {{0xd8, 0xf9}, 0x3ffd, 0xaaaaaaaaaaaaaaabu}, /* fdivr st(0), st(1) */
        {{0xde, 0xf9}, 0x3ffd, 0xaaaaaaaaaaaaaaabu}, /* fdivp: st(1) / st(0) */
        {{0xde, 0xf1}, 0x4000, 0xc000000000000000u}, /* fdivrp */
        {{0xde, 0xe9}, 0xc001, 0x8000000000000000u}, /* fsubp: st(1) - st(0) = -4 */
        {{0xde, 0xe1}, 0x4001, 0x8000000000000000u}, /* fsubrp */
        {{0xde, 0xc1}, 0x4002, 0x8000000000000000u}, /* faddp */
        {{0xde, 0xc9}, 0x4002, 0xc000000000000000u}, /* fmulp */
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        RUN_OK(b, "\xdb\xe3");
        push_int(b, 2);
        push_int(b, 6);
        assert_int_equal(bench_run(b, cases[k].code, 2), NO_FAULT);
        assert_st(b, 0, cases[k].se, cases[k].mant);
        assert_int_equal(top(b), cases[k].code[0] == 0xde ? 7 : 6);
    }
}

static void memory_operands_come_in_four_formats(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 10);
    put(b, DATA, 4, 0x40000000); /* 2.0f */
    RUN_OK(b, "\xd8\x0d" AT_DATA); /* fmul dword */
    assert_st_int(b, 0, 20);
    put(b, DATA, 4, (uint32_t)-7);
    RUN_OK(b, "\xda\x05" AT_DATA); /* fiadd dword */
    assert_st_int(b, 0, 13);
    put(b, DATA, 8, 0x4028000000000000u); /* 12.0 */
    RUN_OK(b, "\xdc\x2d" AT_DATA); /* fsubr qword */
    assert_st_int(b, 0, -1);
    put(b, DATA, 2, (uint16_t)-300);
    RUN_OK(b, "\xde\x3d" AT_DATA); /* fidivr word */
    assert_st_int(b, 0, 300);
    assert_int_equal(status(b) & 0xff, 0);
}

/* SDM 1 8.1.5.2: the significand is rounded to 24 or 53 bits, the exponent keeps its range. */
static void precision_control_shortens_the_significand(void **state)
{
    static const struct { uint16_t control; uint64_t third; } cases[] = {
        {0x007f, 0xaaaaab0000000000u}, {0x027f, 0xaaaaaaaaaaaaa800u}, {0x037f, 0xaaaaaaaaaaaaaaabu},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        set_control(b, cases[k].control);
        push_int(b, 3);
        RUN_OK(b, "\xd9\xe8\xde\xf1"); /* fld1; fdivrp: 1 / 3 */
        assert_st(b, 0, 0x3ffd, cases[k].third);
        assert_int_equal(status(b) & FP_EXCEPTIONS, FP_PE);
    }
}

static void invalid_operations_give_the_default_nan(void **state)
{
    static const struct { struct f80 a, b; uint8_t code[2]; } cases[] = {
        {{0x8000000000000000u, 0x7fff}, {0x8000000000000000u, 0x7fff}, {0xde, 0xe9}}, /* inf - inf */
        {{0x8000000000000000u, 0x7fff}, {0, 0}, {0xde, 0xc9}},                        /* inf * 0 */
        {{0, 0}, {0, 0}, {0xde, 0xf9}},                                               /* 0 / 0 */
        {{0x8000000000000000u, 0x7fff}, {0x8000000000000000u, 0xffff}, {0xde, 0xf9}}, /* inf / inf */
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        RUN_OK(b, "\xdb\xe3");
        push_f80(b, cases[k].a.se, cases[k].a.mant);
        push_f80(b, cases[k].b.se, cases[k].b.mant);
        assert_int_equal(bench_run(b, cases[k].code, 2), NO_FAULT);
        assert_default_nan(b, 0);
        assert_int_equal(status(b) & 0xff, FP_IE);
    }
}

/* SDM 1 4.9.2: NaNs go before the denormal exception, stack faults before everything. */
static void a_nan_or_an_empty_register_hides_a_denormal_in_memory(void **state)
{
    struct fpu_bench *b = *state;
    push_f80(b, 0x7fff, 0xc000000000000123u);
    put(b, DATA, 4, 1);
    RUN_OK(b, "\xd8\x05" AT_DATA); /* fadd dword */
    assert_st(b, 0, 0x7fff, 0xc000000000000123u);
    assert_int_equal(status(b) & 0xff, 0);
    RUN_OK(b, "\xdb\xe3\xd8\x05" AT_DATA);
    assert_int_equal(status(b) & 0xff, FPU_SF | FP_IE);
}

/* SDM 1 table 4-7: of a QNaN and an SNaN the QNaN, also if the SNaN comes from memory. */
static void a_quiet_nan_wins_over_a_signalling_one_in_memory(void **state)
{
    struct fpu_bench *b = *state;
    push_f80(b, 0x7fff, 0xc000000000000001u);
    put(b, DATA, 4, 0x7fbfffff);
    RUN_OK(b, "\xd8\x05" AT_DATA); /* fadd dword */
    assert_st(b, 0, 0x7fff, 0xc000000000000001u);
    assert_int_equal(status(b) & 0xff, FP_IE);
}

static void square_root_scale_and_extract(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 2);
    RUN_OK(b, "\xd9\xfa"); /* fsqrt */
    assert_st(b, 0, 0x3fff, 0xb504f333f9de6484u);
    push_int(b, -3);
    push_int(b, 12);
    RUN_OK(b, "\xd9\xfd"); /* fscale: 12 * 2^-3 */
    assert_st(b, 0, 0x3fff, 0xc000000000000000u);
    RUN_OK(b, "\xdb\xe3");
    push_int(b, 12);
    RUN_OK(b, "\xd9\xf4"); /* fxtract: 1.5 and 3 */
    assert_st(b, 0, 0x3fff, 0xc000000000000000u);
    assert_st_int(b, 1, 3);
    RUN_OK(b, "\xdb\xe3\xd9\xee\xd9\xf4"); /* of zero: -infinity, ZE */
    assert_st(b, 0, 0, 0);
    assert_st(b, 1, 0xffff, 0x8000000000000000u);
    assert_int_equal(status(b) & 0xff, FP_ZE);
}

static void frndint_keeps_the_sign_of_zero(void **state)
{
    struct fpu_bench *b = *state;
    push_f64(b, -0.25);
    RUN_OK(b, "\xd9\xfc");
    assert_st(b, 0, 0x8000, 0);
    assert_int_equal(status(b) & 0xff, FP_PE);
}

/* C1 after an inexact result: rounded up or not (SDM 1 8.1.3.3). */
static void c1_tells_that_a_result_was_rounded_up(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 3);
    RUN_OK(b, "\xd9\xe8\xd8\xf1"); /* 1 / 3: up */
    assert_int_equal(status(b) & FPU_C1, FPU_C1);
    push_int(b, 2);
    RUN_OK(b, "\xd8\xf2"); /* 2 / 3: ...aaaa|aaaa, up too */
    assert_int_equal(status(b) & FPU_C1, FPU_C1);
    push_int(b, 7);
    push_int(b, 10);
    RUN_OK(b, "\xd8\xf1"); /* 10 / 7 = b6db6db6db6db6db|6d: down */
    assert_st(b, 0, 0x3fff, 0xb6db6db6db6db6dbu);
    assert_int_equal(status(b) & FPU_C1, 0);
}

/* --- remainders (SDM 2A FPREM, FPREM1) --- */

static void fprem_reports_the_low_quotient_bits(void **state)
{
    static const struct { int a, d, rem; unsigned conditions; } cases[] = {
        {10, 3, 1, FPU_C3 | FPU_C1},          /* quotient 3 */
        {-10, 3, -1, FPU_C3 | FPU_C1},        /* truncated: -3 */
        {20, 4, 0, FPU_C0 | FPU_C1},          /* 5 */
        {13, 2, 1, FPU_C0 | FPU_C3},          /* 6 */
        {3, 10, 3, 0},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        RUN_OK(b, "\xdb\xe3");
        push_int(b, cases[k].d);
        push_int(b, cases[k].a);
        RUN_OK(b, "\xd9\xf8");
        assert_st_int(b, 0, cases[k].rem);
        assert_int_equal(status(b) & (FPU_CONDITION | FPU_C1), cases[k].conditions);
    }
}

static void fprem1_takes_the_nearest_quotient(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 4);
    push_int(b, 11);
    RUN_OK(b, "\xd9\xf5"); /* 2.75: quotient 3 */
    assert_st_int(b, 0, -1);
    assert_int_equal(status(b) & (FPU_CONDITION | FPU_C1), FPU_C3 | FPU_C1);
}

static void a_partial_remainder_sets_c2_until_it_is_done(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 3);
    push_f80(b, 0x3fff + 100, 0x8000000000000000u); /* 2^100 mod 3 = 1 */
    RUN_OK(b, "\xd9\xf8");
    assert_int_equal(status(b) & FPU_C2, FPU_C2);
    for (unsigned k = 0; k < 4 && status(b) & FPU_C2; k++)
        RUN_OK(b, "\xd9\xf8");
    assert_int_equal(status(b) & FPU_C2, 0);
    assert_st_int(b, 0, 1);
}

/* --- transcendentals: exact cases and ranges --- */

static void angles_from_2_to_the_63_on_set_c2(void **state)
{
    static const uint8_t codes[] = {0xfe, 0xff, 0xfb, 0xf2}; /* fsin fcos fsincos fptan */
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(codes); k++) {
        uint8_t code[] = {0xd9, codes[k]};
        RUN_OK(b, "\xdb\xe3");
        push_f80(b, 0x403e, 0x8000000000000000u);
        assert_int_equal(bench_run(b, code, 2), NO_FAULT);
        assert_int_equal(status(b), 7 << 11 | FPU_C2);
        assert_st(b, 0, 0x403e, 0x8000000000000000u);
    }
}

/* SDM 2 FPTAN, FSINCOS, FPATAN, FYL2X, F2XM1: results without rounding. */
static void exact_transcendental_results(void **state)
{
    struct fpu_bench *b = *state;
    push_f80(b, 0x8000, 0);
    RUN_OK(b, "\xd9\xf2"); /* fptan of -0: -0, and 1.0 pushed */
    assert_st(b, 1, 0x8000, 0);
    assert_st_int(b, 0, 1);
    RUN_OK(b, "\xdb\xe3\xd9\xee\xd9\xfb"); /* fsincos of 0 */
    assert_st_int(b, 0, 1);
    assert_st_int(b, 1, 0);
    RUN_OK(b, "\xdb\xe3");
    push_int(b, 3);
    push_int(b, 1024);
    RUN_OK(b, "\xd9\xf1"); /* fyl2x: 3 * 10 */
    assert_st_int(b, 0, 30);
    assert_int_equal(top(b), 7);
    RUN_OK(b, "\xdb\xe3");
    push_int(b, -1);
    RUN_OK(b, "\xd9\xf0"); /* f2xm1: -1/2 */
    assert_st(b, 0, 0xbffe, 0x8000000000000000u);
    RUN_OK(b, "\xdb\xe3\xd9\xe8\xd9\xe8\xd9\xf3"); /* fpatan(1, 1): pi/4 */
    assert_st(b, 0, 0x3ffe, 0xc90fdaa22168c235u);
}

/* --- comparisons --- */

/* SDM 2A table 3-20 (FCOM results): > 000, < C0, = C3, unordered all. */
static void fcom_and_ftst_set_the_condition_codes(void **state)
{
    static const struct { double a, b; unsigned conditions; } cases[] = {
        {2, 1, 0}, {1, 2, FPU_C0}, {1, 1, FPU_C3}, {0.0, -0.0, FPU_C3}, {-1, 1, FPU_C0},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        RUN_OK(b, "\xdb\xe3");
        push_f64(b, cases[k].b);
        push_f64(b, cases[k].a);
        RUN_OK(b, "\xd8\xd1"); /* fcom st(1) */
        assert_int_equal(status(b) & FPU_CONDITION, cases[k].conditions);
        assert_int_equal(top(b), 6);
        RUN_OK(b, "\xda\xe9"); /* fucompp */
        assert_int_equal(status(b) & FPU_CONDITION, cases[k].conditions);
        assert_int_equal(top(b), 0);
    }
    push_int(b, -5);
    RUN_OK(b, "\xd9\xe4"); /* ftst */
    assert_int_equal(status(b) & FPU_CONDITION, FPU_C0);
    put(b, DATA, 2, (uint16_t)-5);
    RUN_OK(b, "\xde\x1d" AT_DATA); /* ficomp word */
    assert_int_equal(status(b), FPU_C3);
}

/* SDM 2A FUCOM: a QNaN is invalid for FCOM only; an SNaN for both. */
static void unordered_operands(void **state)
{
    struct fpu_bench *b = *state;
    push_f80(b, 0x7fff, 0xc000000000000000u);
    push_int(b, 1);
    RUN_OK(b, "\xdd\xe1"); /* fucom st(1) */
    assert_int_equal(status(b) & (FPU_CONDITION | 0xff), FPU_CONDITION);
    RUN_OK(b, "\xd8\xd1"); /* fcom st(1) */
    assert_int_equal(status(b) & (FPU_CONDITION | 0xff), FPU_CONDITION | FP_IE);
    RUN_OK(b, "\xdb\xe3");
    push_f80(b, 0x7fff, 0x8000000000000001u);
    push_int(b, 1);
    RUN_OK(b, "\xdd\xe1");
    assert_int_equal(status(b) & (FPU_CONDITION | 0xff), FPU_CONDITION | FP_IE);
}

/* SDM 2A FCOM: unmasked, the condition codes are not set and nothing is popped. */
static void an_unmasked_invalid_comparison_tells_nothing(void **state)
{
    struct fpu_bench *b = *state;
    push_f80(b, 0x7fff, 0xc000000000000000u);
    set_control(b, 0x037e);
    RUN_OK(b, "\xd8\xd8"); /* fcomp st(0) */
    assert_int_equal(status(b), FPU_BUSY | 7 << 11 | FPU_ES | FP_IE);
}

/* SDM 2A FCOMI: ZF PF CF as after an unsigned comparison; OF SF AF cleared. */
static void fcomi_sets_eflags(void **state)
{
    static const struct { double a, b; uint32_t flags; } cases[] = {
        {2, 1, 0}, {1, 2, FLAG_CF}, {1, 1, FLAG_ZF},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        push_f64(b, cases[k].b);
        push_f64(b, cases[k].a);
        cpu_set_eflags(&b->cpu, 2 | FLAGS_ARITH);
        RUN_OK(b, "\xdb\xf1"); /* fcomi st, st(1) */
        assert_int_equal(cpu_eflags(&b->cpu), 2 | cases[k].flags);
        cpu_set_eflags(&b->cpu, 2 | FLAGS_ARITH);
        RUN_OK(b, "\xdf\xe9\xdd\xd8"); /* fucomip st, st(1); fstp st(0) */
        assert_int_equal(cpu_eflags(&b->cpu), 2 | cases[k].flags);
        assert_int_equal(top(b), 0);
    }
    push_f80(b, 0x7fff, 0xc000000000000000u);
    RUN_OK(b, "\xdb\xe8"); /* fucomi st, st(0) */
    assert_int_equal(cpu_eflags(&b->cpu), 2 | FLAG_ZF | FLAG_PF | FLAG_CF);
    assert_int_equal(status(b) & 0xff, 0);
}

/* SDM 2A table 3-41: C3 C2 C0; C1 is the sign. */
static void fxam_classifies(void **state)
{
    static const struct { uint16_t se; uint64_t mant; unsigned conditions; } cases[] = {
        {0x3fff, 0x4000000000000000u, 0}, {0x7fff, 0xc000000000000000u, FPU_C0},
        {0xffff, 0x8000000000000001u, FPU_C0 | FPU_C1}, {0x3fff, 0x8000000000000000u, FPU_C2},
        {0xffff, 0x8000000000000000u, FPU_C2 | FPU_C0 | FPU_C1}, {0x8000, 0, FPU_C3 | FPU_C1},
        {0x0000, 1, FPU_C3 | FPU_C2}, {0x0000, 0x8000000000000000u, FPU_C3 | FPU_C2},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        push_f80(b, cases[k].se, cases[k].mant);
        RUN_OK(b, "\xd9\xe5");
        assert_int_equal(status(b) & (FPU_CONDITION | FPU_C1), cases[k].conditions);
        RUN_OK(b, "\xdd\xc0\xd9\xe5\xd9\xf7"); /* ffree st(0); fxam; fincstp */
        assert_int_equal(status(b) & (FPU_CONDITION), FPU_C3 | FPU_C0);
    }
}

/* SDM 2A FCMOVcc. */
static void fcmov_moves_on_its_condition(void **state)
{
    static const struct { uint8_t code[2]; uint32_t flag; bool when; } cases[] = {
        {{0xda, 0xc1}, FLAG_CF, true},  {{0xdb, 0xc1}, FLAG_CF, false}, {{0xda, 0xc9}, FLAG_ZF, true},
        {{0xdb, 0xc9}, FLAG_ZF, false}, {{0xda, 0xd1}, FLAG_ZF, true},  {{0xda, 0xd1}, FLAG_CF, true},
        {{0xdb, 0xd1}, FLAG_CF, false}, {{0xda, 0xd9}, FLAG_PF, true},  {{0xdb, 0xd9}, FLAG_PF, false},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < 2 * ARRAY_LEN(cases); k++) {
        bool set = k & 1;
        RUN_OK(b, "\xdb\xe3");
        push_int(b, 2);
        push_int(b, 6);
        cpu_set_eflags(&b->cpu, 2 | (set ? cases[k / 2].flag : 0));
        assert_int_equal(bench_run(b, cases[k / 2].code, 2), NO_FAULT);
        assert_st_int(b, 0, set == cases[k / 2].when ? 2 : 6);
        assert_st_int(b, 1, 2);
    }
}

/* SDM 3A table 6-2: a page fault, and with it #GP of the operand, goes before an x87 exception. */
static void a_store_looks_at_memory_before_it_reports_an_invalid_operand(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.x87.control &= (uint16_t)~FP_IE;
    b->cpu.st.seg[SEG_DS].limit = DATA + 2;
    assert_int_equal(RUN(b, "\xdb\x15" AT_DATA), VEC_GP); /* fist dword, the stack is empty */
    assert_int_equal(status(b), 0);
    b->cpu.st.seg[SEG_DS].limit = 0xffffffff;
    assert_int_equal(RUN(b, "\xdb\x15" AT_DATA), NO_FAULT);
    assert_int_equal(status(b) & (FP_IE | FPU_SF), FP_IE | FPU_SF);
}

/* A fault in a store finds nothing changed. */
static void a_store_that_faults_pops_nothing(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 1);
    b->cpu.st.seg[SEG_DS].limit = DATA + 8; /* the last byte of ten is beyond */
    put(b, DATA, 8, 0x1111111111111111u);
    assert_int_equal(RUN(b, "\xdb\x3d" AT_DATA), VEC_GP); /* fstp tbyte */
    assert_int_equal(get(b, DATA, 8), 0x1111111111111111u);
    assert_int_equal(status(b), 7 << 11);
    assert_st_int(b, 0, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reset_leaves_zeros_that_are_not_empty),
        TEST(fninit_masks_everything_and_empties_the_stack),
        TEST(loads_push_and_stores_with_p_pop),
        TEST(a_ninth_load_overflows),
        TEST(an_unmasked_overflow_keeps_the_stack),
        TEST(an_empty_operand_underflows),
        TEST(an_unmasked_underflow_keeps_destination_and_stack),
        TEST(fxch_swaps_and_gives_nan_for_an_empty_register),
        TEST(fincstp_and_fdecstp_move_top_alone),
        TEST(constants_follow_the_rounding_control),
        TEST(real_formats_convert_without_loss),
        TEST(loading_a_signalling_nan_or_a_denormal_is_noted),
        TEST(integer_stores_round_as_the_control_word_says),
        TEST(integers_out_of_range_store_the_indefinite),
        TEST(qword_integers_survive_a_load_and_a_store),
        TEST(packed_decimals_load_and_store),
        TEST(the_reversed_forms_reverse_the_operands),
        TEST(popping_forms_leave_the_result_on_top),
        TEST(memory_operands_come_in_four_formats),
        TEST(precision_control_shortens_the_significand),
        TEST(invalid_operations_give_the_default_nan),
        TEST(a_nan_or_an_empty_register_hides_a_denormal_in_memory),
        TEST(a_quiet_nan_wins_over_a_signalling_one_in_memory),
        TEST(square_root_scale_and_extract),
        TEST(frndint_keeps_the_sign_of_zero),
        TEST(c1_tells_that_a_result_was_rounded_up),
        TEST(fprem_reports_the_low_quotient_bits),
        TEST(fprem1_takes_the_nearest_quotient),
        TEST(a_partial_remainder_sets_c2_until_it_is_done),
        TEST(angles_from_2_to_the_63_on_set_c2),
        TEST(exact_transcendental_results),
        TEST(fcom_and_ftst_set_the_condition_codes),
        TEST(unordered_operands),
        TEST(an_unmasked_invalid_comparison_tells_nothing),
        TEST(fcomi_sets_eflags),
        TEST(fxam_classifies),
        TEST(fcmov_moves_on_its_condition),
        TEST(a_store_that_faults_pops_nothing),
        TEST(a_store_looks_at_memory_before_it_reports_an_invalid_operand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
