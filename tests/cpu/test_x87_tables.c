/*
 * The tables of special operands in SDM vol. 2, cell by cell, for every sign of zero, finite and infinite operands: FPATAN
 * (table 3-30), FYL2X, FYL2XP1, FSCALE, FPREM and FPREM1, F2XM1, FSIN, FCOS, FPTAN; NaNs and unsupported encodings
 * in each; the six exceptions, masked and unmasked, up to #MF, FERR# and IRQ 13. No host FPU is asked: this
 * runs everywhere.
 */
#include "machine/pc.h"
#include "tests/cpu/fpu_bench.h"
#include "tests/lib/rom_machine.h"

#define TOP_BIT UINT64_C(0x8000000000000000)

/* --- cells --- */

/* What a cell says: an exact value, only a sign for a finite result, or an exception. */
enum cell {
    MINUS_INF, MINUS_FINITE, MINUS_ZERO, PLUS_ZERO, PLUS_FINITE, PLUS_INF, /* also the operands */
    INVALID, /* the manual's * */
    ZERO_DIVIDE_PLUS, ZERO_DIVIDE_MINUS, /* the manual's **, and the infinity of the masked response */
    P4_3, M4_3, P4_2, M4_2, P4_1, M4_1, P4_4, M4_4, /* plus, minus n/4 of pi */
    OPERANDS = 6,
};

static const struct f80 operands[OPERANDS] = {
    {TOP_BIT, 0xFFFF}, {UINT64_C(0xA000000000000000), 0xBFFE}, {0, 0x8000},
    {0, 0}, {UINT64_C(0xA000000000000000), 0x3FFE}, {TOP_BIT, 0x7FFF},
};

static bool is_default_nan(struct f80 v)
{
    return v.se == 0xFFFF && v.mant == (TOP_BIT | TOP_BIT >> 1);
}

/* 3 pi/4 in 64 bits: 2.356194490192344928846982537459627163147877049531 = 0x2.5B2F8FE6643A469E4E5327A28294567B. */
static bool is_quarters_of_pi(struct f80 v, unsigned quarters)
{
    static const struct f80 of[5] = {
        {0, 0}, {UINT64_C(0xC90FDAA22168C235), 0x3FFE}, {UINT64_C(0x96CBE3F9990E91A8), 0x4000},
        {UINT64_C(0x96CBE3F9990E91A8), 0x4000}, {UINT64_C(0xC90FDAA22168C235), 0x4000}};
    struct f80 want = quarters == 2 ? (struct f80){of[1].mant, 0x3FFF} : of[quarters];
    return v.mant == want.mant && (v.se & 0x7FFF) == want.se;
}

static bool fits(enum cell cell, struct f80 v, uint16_t flags)
{
    bool minus = v.se >> 15, finite = (v.se & 0x7FFF) != 0x7FFF && v.mant != 0;
    bool inf = (v.se & 0x7FFF) == 0x7FFF && v.mant == TOP_BIT;
    if (cell == INVALID)
        return flags == FP_IE && is_default_nan(v);
    if (cell == ZERO_DIVIDE_PLUS || cell == ZERO_DIVIDE_MINUS)
        return flags == FP_ZE && inf && minus == (cell == ZERO_DIVIDE_MINUS);
    if (flags & ~FP_PE)
        return false;
    switch (cell) {
    case MINUS_INF: case PLUS_INF: return flags == 0 && inf && minus == (cell == MINUS_INF);
    case MINUS_ZERO: case PLUS_ZERO:
        return flags == 0 && v.mant == 0 && v.se == (cell == MINUS_ZERO ? 0x8000 : 0);
    case MINUS_FINITE: case PLUS_FINITE: return finite && minus == (cell == MINUS_FINITE);
    default: break;
    }
    static const uint8_t quarters[] = {3, 3, 2, 2, 1, 1, 4, 4};
    return flags == FP_PE && is_quarters_of_pi(v, quarters[cell - P4_3]) && minus == ((cell - P4_3) & 1);
}

typedef struct f80 binary_fn(struct fp_ctx *x, struct f80 row, struct f80 column);

static struct fp_ctx masked(void)
{
    return (struct fp_ctx){FP_EXCEPTIONS | FP_PC_64, 0, 0};
}

static void check_cell(const char *what, binary_fn *fn, struct f80 row, struct f80 column, enum cell cell)
{
    struct fp_ctx x = masked();
    struct f80 r = fn(&x, row, column);
    if (!fits(cell, r, x.flags))
        fail_msg("%s of %04x:%016llx and %04x:%016llx: %04x:%016llx, flags %02x; cell %d", what, row.se,
                 (unsigned long long)row.mant, column.se, (unsigned long long)column.mant, r.se,
                 (unsigned long long)r.mant, x.flags, cell);
}

/* Rows and columns are the operands in the order of the enum. */
static void check_table(const char *what, binary_fn *fn, const uint8_t table[OPERANDS][OPERANDS])
{
    for (unsigned row = 0; row < OPERANDS; row++)
        for (unsigned column = 0; column < OPERANDS; column++)
            check_cell(what, fn, operands[row], operands[column], (enum cell)table[row][column]);
}

/* --- the tables; rows ST(1), columns ST(0) unless it says otherwise --- */

static void fpatan_table_3_30(void **state)
{
    /* For finite operands +-5/8 each the angles are pi/4 and 3pi/4. */
    static const uint8_t table[OPERANDS][OPERANDS] = {
        {M4_3, M4_2, M4_2, M4_2, M4_2, M4_1},
        {M4_4, M4_3, M4_2, M4_2, M4_1, MINUS_ZERO},
        {M4_4, M4_4, M4_4, MINUS_ZERO, MINUS_ZERO, MINUS_ZERO},
        {P4_4, P4_4, P4_4, PLUS_ZERO, PLUS_ZERO, PLUS_ZERO},
        {P4_4, P4_3, P4_2, P4_2, P4_1, PLUS_ZERO},
        {P4_3, P4_2, P4_2, P4_2, P4_2, P4_1},
    };
    (void)state;
    check_table("FPATAN", f80_patan, table);
}

static void fyl2x_table(void **state)
{
    static const struct f80 columns[7] = {
        {TOP_BIT, 0xFFFF}, {TOP_BIT, 0xBFFF}, {0, 0x8000}, {TOP_BIT, 0x3FFE}, /* -inf, -1, -0, 1/2 */
        {TOP_BIT, 0x3FFF}, {TOP_BIT, 0x4000}, {TOP_BIT, 0x7FFF}}; /* 1, 2, inf */
    static const uint8_t table[OPERANDS][7] = {
        {INVALID, INVALID, PLUS_INF, PLUS_INF, INVALID, MINUS_INF, MINUS_INF},
        {INVALID, INVALID, ZERO_DIVIDE_PLUS, PLUS_FINITE, MINUS_ZERO, MINUS_FINITE, MINUS_INF},
        {INVALID, INVALID, INVALID, PLUS_ZERO, MINUS_ZERO, MINUS_ZERO, INVALID},
        {INVALID, INVALID, INVALID, MINUS_ZERO, PLUS_ZERO, PLUS_ZERO, INVALID},
        {INVALID, INVALID, ZERO_DIVIDE_MINUS, MINUS_FINITE, PLUS_ZERO, PLUS_FINITE, PLUS_INF},
        {INVALID, INVALID, MINUS_INF, MINUS_INF, INVALID, PLUS_INF, PLUS_INF},
    };
    (void)state;
    for (unsigned row = 0; row < OPERANDS; row++)
        for (unsigned column = 0; column < 7; column++)
            check_cell("FYL2X", f80_yl2x, operands[row], columns[column], (enum cell)table[row][column]);
    for (unsigned row = 0; row < OPERANDS; row++) /* +0 is as -0 */
        check_cell("FYL2X", f80_yl2x, operands[row], operands[PLUS_ZERO], (enum cell)table[row][2]);
}

static void fyl2xp1_table(void **state)
{
    static const struct f80 columns[4] = {{TOP_BIT, 0xBFFC}, {0, 0x8000}, {0, 0}, {TOP_BIT, 0x3FFC}}; /* +-1/8 */
    static const uint8_t table[OPERANDS][4] = {
        {PLUS_INF, INVALID, INVALID, MINUS_INF}, {PLUS_FINITE, PLUS_ZERO, MINUS_ZERO, MINUS_FINITE},
        {PLUS_ZERO, PLUS_ZERO, MINUS_ZERO, MINUS_ZERO}, {MINUS_ZERO, MINUS_ZERO, PLUS_ZERO, PLUS_ZERO},
        {MINUS_FINITE, MINUS_ZERO, PLUS_ZERO, PLUS_FINITE}, {MINUS_INF, INVALID, INVALID, PLUS_INF},
    };
    (void)state;
    for (unsigned row = 0; row < OPERANDS; row++)
        for (unsigned column = 0; column < 4; column++)
            check_cell("FYL2XP1", f80_yl2xp1, operands[row], columns[column], (enum cell)table[row][column]);
}

/* Rows ST(0), columns ST(1). */
static void fscale_table(void **state)
{
    static const uint8_t table[OPERANDS][OPERANDS] = {
        {INVALID, MINUS_INF, MINUS_INF, MINUS_INF, MINUS_INF, MINUS_INF},
        {MINUS_ZERO, MINUS_FINITE, MINUS_FINITE, MINUS_FINITE, MINUS_FINITE, MINUS_INF},
        {MINUS_ZERO, MINUS_ZERO, MINUS_ZERO, MINUS_ZERO, MINUS_ZERO, INVALID},
        {PLUS_ZERO, PLUS_ZERO, PLUS_ZERO, PLUS_ZERO, PLUS_ZERO, INVALID},
        {PLUS_ZERO, PLUS_FINITE, PLUS_FINITE, PLUS_FINITE, PLUS_FINITE, PLUS_INF},
        {INVALID, PLUS_INF, PLUS_INF, PLUS_INF, PLUS_INF, PLUS_INF},
    };
    (void)state;
    check_table("FSCALE", f80_scale, table);
}

static struct f80 rem_toward_zero(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    struct fp_quotient q;
    return f80_rem(x, a, b, false, &q);
}

static struct f80 rem_nearest(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    struct fp_quotient q;
    return f80_rem(x, a, b, true, &q);
}

/* Rows ST(0), columns ST(1). +-5/8 by +-5/8 leaves a zero with the dividend's sign; a zero modulus is invalid. */
static void fprem_table(void **state)
{
    static const uint8_t table[OPERANDS][OPERANDS] = {
        {INVALID, INVALID, INVALID, INVALID, INVALID, INVALID},
        {MINUS_FINITE, MINUS_ZERO, INVALID, INVALID, MINUS_ZERO, MINUS_FINITE},
        {MINUS_ZERO, MINUS_ZERO, INVALID, INVALID, MINUS_ZERO, MINUS_ZERO},
        {PLUS_ZERO, PLUS_ZERO, INVALID, INVALID, PLUS_ZERO, PLUS_ZERO},
        {PLUS_FINITE, PLUS_ZERO, INVALID, INVALID, PLUS_ZERO, PLUS_FINITE},
        {INVALID, INVALID, INVALID, INVALID, INVALID, INVALID},
    };
    (void)state;
    check_table("FPREM", rem_toward_zero, table);
    check_table("FPREM1", rem_nearest, table);
}

static struct f80 just_2xm1(struct fp_ctx *x, struct f80 a, struct f80 b) { (void)b; return f80_2xm1(x, a); }
static struct f80 just_sin(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    (void)f80_sincos(x, a, &b, NULL);
    return b;
}
static struct f80 just_cos(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    (void)f80_sincos(x, a, NULL, &b);
    return b;
}
static struct f80 just_tan(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    (void)f80_ptan(x, a, &b);
    return b;
}
static struct f80 just_sqrt(struct fp_ctx *x, struct f80 a, struct f80 b) { (void)b; return f80_sqrt(x, a); }
static struct f80 just_rint(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    (void)b;
    return f80_round_to_integer(x, a);
}
static struct f80 just_extract(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    struct f80 exponent = f80_extract(x, a, &b);
    return f80_is_nan(exponent) ? b : exponent;
}

static void one_operand_tables(void **state)
{
    static const struct { const char *what; binary_fn *fn; uint8_t cell[OPERANDS]; } rows[] = {
        {"FSIN", just_sin, {INVALID, MINUS_FINITE, MINUS_ZERO, PLUS_ZERO, PLUS_FINITE, INVALID}},
        {"FCOS", just_cos, {INVALID, PLUS_FINITE, PLUS_FINITE, PLUS_FINITE, PLUS_FINITE, INVALID}},
        {"FPTAN", just_tan, {INVALID, MINUS_FINITE, MINUS_ZERO, PLUS_ZERO, PLUS_FINITE, INVALID}},
        {"FSQRT", just_sqrt, {INVALID, INVALID, MINUS_ZERO, PLUS_ZERO, PLUS_FINITE, PLUS_INF}},
        {"FRNDINT", just_rint, {MINUS_INF, MINUS_FINITE, MINUS_ZERO, PLUS_ZERO, PLUS_FINITE, PLUS_INF}},
        {"FXTRACT", just_extract, /* exponent of 5/8: -1 */
         {PLUS_INF, MINUS_FINITE, ZERO_DIVIDE_MINUS, ZERO_DIVIDE_MINUS, MINUS_FINITE, PLUS_INF}},
        /* F2XM1 of an infinity is not defined; processors give -1 and infinity. */
        {"F2XM1", just_2xm1, {MINUS_FINITE, MINUS_FINITE, MINUS_ZERO, PLUS_ZERO, PLUS_FINITE, PLUS_INF}},
    };
    (void)state;
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++)
        for (unsigned n = 0; n < OPERANDS; n++)
            check_cell(rows[r].what, rows[r].fn, operands[n], operands[n], (enum cell)rows[r].cell[n]);
}

/* --- NaNs and unsupported encodings in every operation (SDM 1 4.8.3.5, 8.2.2) --- */

static struct f80 add(struct fp_ctx *x, struct f80 a, struct f80 b) { return f80_add(x, a, b); }
static const struct { const char *what; binary_fn *fn; bool two; } every[] = {
    {"FADD", add, true}, {"FSUB", f80_sub, true}, {"FMUL", f80_mul, true}, {"FDIV", f80_div, true},
    {"FSCALE", f80_scale, true}, {"FPREM", rem_toward_zero, true}, {"FPREM1", rem_nearest, true},
    {"FPATAN", f80_patan, true}, {"FYL2X", f80_yl2x, true}, {"FYL2XP1", f80_yl2xp1, true},
    {"FSQRT", just_sqrt, false}, {"FRNDINT", just_rint, false}, {"F2XM1", just_2xm1, false},
    {"FSIN", just_sin, false}, {"FCOS", just_cos, false}, {"FPTAN", just_tan, false},
    {"FXTRACT", just_extract, false},
};

static void expect_nan(unsigned op, struct f80 a, struct f80 b, struct f80 want, uint16_t flags)
{
    struct fp_ctx x = masked();
    struct f80 r = every[op].fn(&x, a, b);
    if (r.mant != want.mant || r.se != want.se || x.flags != flags)
        fail_msg("%s of %04x:%016llx: %04x:%016llx, flags %02x", every[op].what, a.se, (unsigned long long)a.mant, r.se,
                 (unsigned long long)r.mant, x.flags);
}

static void nans_go_through_every_operation(void **state)
{
    const struct f80 one = {TOP_BIT, 0x3FFF};
    const struct f80 quiet = {UINT64_C(0xC000000000001234), 0x7FFF}, signalling = {UINT64_C(0x8000000000001234), 0x7FFF};
    (void)state;
    for (unsigned op = 0; op < ARRAY_LEN(every); op++) {
        expect_nan(op, quiet, one, quiet, 0);
        expect_nan(op, signalling, one, quiet, FP_IE);
        if (every[op].two) {
            expect_nan(op, one, quiet, quiet, 0);
            expect_nan(op, one, signalling, quiet, FP_IE);
        }
    }
}

/* Since the 387: pseudo-NaN, pseudo-infinity and unnormals are invalid operands. */
static void unsupported_encodings_are_invalid_in_every_operation(void **state)
{
    static const struct f80 bad[] = {{UINT64_C(0x4000000000000000), 0x7FFF}, {0, 0x7FFF},
                                     {UINT64_C(0x4000000000000000), 0x3FFF}, {0, 0x0001}, {1, 0xFFFE}};
    const struct f80 one = {TOP_BIT, 0x3FFF};
    (void)state;
    for (unsigned op = 0; op < ARRAY_LEN(every); op++) {
        for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
            expect_nan(op, bad[n], one, f80_default_nan(), FP_IE);
            if (every[op].two)
                expect_nan(op, one, bad[n], f80_default_nan(), FP_IE);
        }
    }
}

/* SDM 1 8.2.2: a pseudo-denormal has the value of the normal number with exponent 1, and raises DE. */
static void pseudo_denormals_are_read_as_their_value(void **state)
{
    const struct f80 pseudo = {TOP_BIT | 5, 0}, normal = {TOP_BIT | 5, 1}, two = {TOP_BIT, 0x4000};
    (void)state;
    for (unsigned op = 0; op < ARRAY_LEN(every); op++) {
        struct fp_ctx x = masked(), y = masked();
        struct f80 r = every[op].fn(&x, pseudo, two), want = every[op].fn(&y, normal, two);
        if (r.mant != want.mant || r.se != want.se || x.flags != (y.flags | FP_DE))
            fail_msg("%s of a pseudo-denormal: %04x:%016llx, flags %02x", every[op].what, r.se,
                     (unsigned long long)r.mant, x.flags);
    }
}

/*
 * What a model makes of them: the same from the 80387 on (SDM 1 8.2.2; docs/X87.md has those before). FLD and FSTP of 80
 * bits copy any encoding, FXAM calls a pseudo-denormal denormal and the others unsupported.
 */
static const struct { struct f80 v, plus_zero; uint16_t flags, condition; } encodings[] = {
    {{UINT64_C(0x4000000000000000), 0x3FFF}, {TOP_BIT | TOP_BIT >> 1, 0xFFFF}, FP_IE, 0}, /* unnormal */
    {{0, 0x0001}, {TOP_BIT | TOP_BIT >> 1, 0xFFFF}, FP_IE, 0},                            /* pseudo-zero */
    {{0, 0x7FFF}, {TOP_BIT | TOP_BIT >> 1, 0xFFFF}, FP_IE, 0},                            /* pseudo-infinity */
    {{UINT64_C(0x4000000000000001), 0x7FFF}, {TOP_BIT | TOP_BIT >> 1, 0xFFFF}, FP_IE, 0}, /* pseudo-NaN */
    {{TOP_BIT | 5, 0}, {TOP_BIT | 5, 1}, FP_DE, FPU_C3 | FPU_C2},                         /* pseudo-denormal */
    {{5, 0}, {5, 0}, FP_DE, FPU_C3 | FPU_C2},                                             /* denormal */
};

static void check_encoding(struct fpu_bench *b, unsigned n)
{
    RUN_OK(b, "\xdb\xe3"); /* fninit */
    push_f80(b, encodings[n].v.se, encodings[n].v.mant);
    put(b, DATA, 8, 0);
    RUN_OK(b, "\xd9\xe5"); /* fxam */
    assert_int_equal(status(b) & FPU_CONDITION, encodings[n].condition);
    RUN_OK(b, "\xd9\xc0\xdb\x3d" AT_DATA); /* fld st(0); fstp tbyte */
    assert_int_equal(get(b, DATA, 8), encodings[n].v.mant);
    assert_int_equal(get(b, DATA + 8, 2), encodings[n].v.se);
    assert_int_equal(status(b) & FP_EXCEPTIONS, 0);
    RUN_OK(b, "\xd9\xee\xde\xc1"); /* fldz; faddp */
    assert_st(b, 0, encodings[n].plus_zero.se, encodings[n].plus_zero.mant);
    assert_int_equal(status(b) & FP_EXCEPTIONS, encodings[n].flags);
}

static void every_model_with_the_387s_rules_judges_encodings_alike(void **state)
{
    static const char *const models[] = {"386", "486", "pentium", "pentium-mmx", "pentium2", "pentium3", "pentium4"};
    (void)state;
    for (unsigned m = 0; m < ARRAY_LEN(models); m++) {
        struct fpu_bench *b = bench_new(models[m]);
        fpu_init(&b->cpu);
        for (unsigned n = 0; n < ARRAY_LEN(encodings); n++)
            check_encoding(b, n);
        bench_free(b);
    }
}

/* --- the six exceptions, masked and unmasked (SDM 1 8.5) --- */

static const struct {
    const char *name;
    uint16_t flag;
    struct f80 st1, st0;
    uint8_t op[2];            /* on ST(0), ST(1) */
    struct f80 masked;        /* ST(0) afterwards */
    bool stored;              /* unmasked: the result is stored, else ST(0) keeps st0 */
    struct f80 unmasked;
} exceptions[] = {
    {"invalid", FP_IE, {TOP_BIT, 0x7FFF}, {TOP_BIT, 0xFFFF}, {0xd8, 0xc1}, {0xC000000000000000, 0xFFFF}, false, {0, 0}},
    {"denormal", FP_DE, {0, 0}, {1, 0}, {0xd8, 0xc1}, {1, 0}, false, {0, 0}},
    {"zero divide", FP_ZE, {0, 0x8000}, {TOP_BIT, 0x3FFF}, {0xd8, 0xf1}, {TOP_BIT, 0xFFFF}, false, {0, 0}},
    /* 2^16383 * 2: unmasked 2^(16384 - 24576) */
    {"overflow", FP_OE, {TOP_BIT, 0x4000}, {TOP_BIT, 0x7FFE}, {0xd8, 0xc9}, {TOP_BIT, 0x7FFF}, true,
     {TOP_BIT, 0x7FFF - 24576}},
    /* 1.00..01b * 2^-16382 / 2, not exact as a denormal: unmasked 2^(-16383 + 24576) */
    {"underflow", FP_UE, {TOP_BIT, 0x3FFE}, {TOP_BIT | 1, 0x0001}, {0xd8, 0xc9}, {TOP_BIT >> 1, 0}, true,
     {TOP_BIT | 1, 24576}},
    {"precision", FP_PE, {UINT64_C(0xC000000000000000), 0x4000}, {TOP_BIT, 0x3FFF}, {0xd8, 0xf1},
     {UINT64_C(0xAAAAAAAAAAAAAAAB), 0x3FFD}, true, {UINT64_C(0xAAAAAAAAAAAAAAAB), 0x3FFD}},
};

static void load_pair(struct fpu_bench *b, unsigned e, uint16_t control)
{
    RUN_OK(b, "\xdb\xe3"); /* fninit */
    push_f80(b, exceptions[e].st1.se, exceptions[e].st1.mant);
    push_f80(b, exceptions[e].st0.se, exceptions[e].st0.mant);
    set_control(b, control);
}

static void masked_exceptions_set_their_flag_and_go_on(void **state)
{
    struct fpu_bench *b = *state;
    for (unsigned e = 0; e < ARRAY_LEN(exceptions); e++) {
        load_pair(b, e, 0x037f);
        assert_int_equal(bench_run(b, exceptions[e].op, 2), NO_FAULT);
        assert_st(b, 0, exceptions[e].masked.se, exceptions[e].masked.mant);
        assert_int_equal(status(b) & exceptions[e].flag, exceptions[e].flag);
        assert_int_equal(status(b) & (FPU_ES | FPU_BUSY), 0);
        assert_false(b->ferr);
        RUN_OK(b, "\x9b");
    }
}

static void unmasked_exceptions_wait_for_the_next_instruction(void **state)
{
    struct fpu_bench *b = *state;
    for (unsigned e = 0; e < ARRAY_LEN(exceptions); e++) {
        load_pair(b, e, (uint16_t)(0x037f & ~exceptions[e].flag));
        assert_int_equal(bench_run(b, exceptions[e].op, 2), NO_FAULT);
        struct f80 want = exceptions[e].stored ? exceptions[e].unmasked : exceptions[e].st0;
        assert_st(b, 0, want.se, want.mant);
        assert_int_equal(status(b) & (exceptions[e].flag | FPU_ES | FPU_BUSY), exceptions[e].flag | FPU_ES | FPU_BUSY);
        assert_int_equal(RUN(b, "\x9b"), VEC_MF);
        RUN_OK(b, "\xdb\xe2\x9b"); /* fnclex; wait */
    }
}

static void unmasked_exceptions_raise_ferr_without_ne(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.cr0 &= ~(uint64_t)CR0_NE;
    for (unsigned e = 0; e < ARRAY_LEN(exceptions); e++) {
        load_pair(b, e, (uint16_t)(0x037f & ~exceptions[e].flag));
        assert_false(b->ferr);
        assert_int_equal(bench_run(b, exceptions[e].op, 2), NO_FAULT);
        assert_true(b->ferr);
        RUN_OK(b, "\xdb\xe2"); /* fnclex */
        assert_false(b->ferr);
    }
}

/*
 * The PC/AT's path: FERR# raises IRQ 13, its handler (INT 75h) writes port F0, which ends the request and asserts IGNNE#.
 * The program installs a handler that counts at 0:500 and reads the status word, divides 1 by 0, then clears up.
 */
static const uint8_t irq13_program[] = {
    0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, /* xor ax,ax; mov ds,ax; mov ss,ax; mov sp,7c00 */
    0xc7, 0x06, 0xd4, 0x01, 0x60, 0x00, /* mov word [75h*4],60h */
    0xc7, 0x06, 0xd6, 0x01, 0x00, 0xf0, /* mov word [75h*4+2],f000 */
    0xb0, 0x11, 0xe6, 0x20, 0xe6, 0xa0, 0xb0, 0x08, 0xe6, 0x21, 0xb0, 0x70, 0xe6, 0xa1, /* ICW1, ICW2 */
    0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x02, 0xe6, 0xa1, 0xb0, 0x01, 0xe6, 0x21, 0xe6, 0xa1, /* ICW3, ICW4 */
    0xb0, 0xfb, 0xe6, 0x21, 0xb0, 0xdf, 0xe6, 0xa1, 0xfb, /* masks: only 2 and 13; sti */
    0xdb, 0xe3, /* fninit */
    0xc7, 0x06, 0x02, 0x05, 0x7b, 0x03, 0xd9, 0x2e, 0x02, 0x05, /* mov word [502],37b; fldcw [502] */
    0xd9, 0xee, 0xd9, 0xe8, 0xd8, 0xf1, 0x90, 0x9b, /* fldz; fld1; fdiv; nop; wait */
    0xc6, 0x06, 0x08, 0x05, 0x01, 0xeb, 0xfe, /* mov byte [508],1; jmp $ */
};
static const uint8_t irq13_handler[] = { /* at 60h */
    0xe6, 0xf0, 0xff, 0x06, 0x00, 0x05, 0xdd, 0x3e, 0x04, 0x05, /* out f0,al; inc word [500]; fnstsw [504] */
    0xdb, 0xe2, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0xcf, /* fnclex; EOIs; iret */
};

static void irq_13_comes_once_and_port_f0_ends_it(void **state)
{
    uint8_t program[0x60 + sizeof(irq13_handler)] = {0};
    struct rom_machine r;
    struct machine_host host = {0};
    uint8_t seen[10];
    (void)state;
    assert_true(sizeof(irq13_program) <= 0x60);
    memcpy(program, irq13_program, sizeof(irq13_program));
    memcpy(program + 0x60, irq13_handler, sizeof(irq13_handler));
    rom_machine_new(&r, program, sizeof(program), &host);
    (void)machine_run(r.m, VTIME_NEVER, 1000);
    phys_read_bytes(r.m->pc->phys, 0x500, seen, sizeof(seen));
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[4] | seen[5] << 8, FPU_BUSY | 6 << 11 | FPU_ES | FP_ZE);
    assert_int_equal(seen[8], 1);
    rom_machine_free(&r);
}

#define WITH_BENCH(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fpatan_table_3_30),
        cmocka_unit_test(fyl2x_table),
        cmocka_unit_test(fyl2xp1_table),
        cmocka_unit_test(fscale_table),
        cmocka_unit_test(fprem_table),
        cmocka_unit_test(one_operand_tables),
        cmocka_unit_test(nans_go_through_every_operation),
        cmocka_unit_test(unsupported_encodings_are_invalid_in_every_operation),
        cmocka_unit_test(pseudo_denormals_are_read_as_their_value),
        cmocka_unit_test(every_model_with_the_387s_rules_judges_encodings_alike),
        WITH_BENCH(masked_exceptions_set_their_flag_and_go_on),
        WITH_BENCH(unmasked_exceptions_wait_for_the_next_instruction),
        WITH_BENCH(unmasked_exceptions_raise_ferr_without_ne),
        cmocka_unit_test(irq_13_comes_once_and_port_f0_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
