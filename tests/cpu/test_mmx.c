/*
 * MMX instructions on a CPU with memory only. Expected values come from the descriptions in SDM volume 2 and from
 * SDM volume 1 chapter 9 (saturation, table 9-1); effects on the x87 state and exceptions from SDM volume 3A
 * chapter 12.
 */
#include "tests/cpu/fpu_bench.h"

static uint64_t mm(const struct fpu_bench *b, unsigned n) { return b->cpu.st.x87.mant[n]; }

static void set_mm(struct fpu_bench *b, unsigned n, uint64_t v) { b->cpu.st.x87.mant[n] = v; }

/* --- results: MM1 = MM1 op MM2, by the second opcode byte --- */

struct mmx_case {
    uint8_t opcode;
    uint64_t a, b, result;
};

static void check(struct fpu_bench *b, const struct mmx_case *t)
{
    uint8_t reg_form[] = {0x0f, t->opcode, 0xca};
    uint8_t mem_form[] = {0x0f, t->opcode, 0x0d, 0, 0, 2, 0}; /* [DATA] */
    set_mm(b, 1, t->a);
    set_mm(b, 2, t->b);
    assert_int_equal(bench_run(b, reg_form, sizeof(reg_form)), NO_FAULT);
    assert_int_equal(mm(b, 1), t->result);
    assert_int_equal(mm(b, 2), t->b);
    set_mm(b, 1, t->a);
    put(b, DATA, 8, t->b);
    assert_int_equal(bench_run(b, mem_form, sizeof(mem_form)), NO_FAULT);
    assert_int_equal(mm(b, 1), t->result);
}

#define CHECK_ALL(b, cases)                                                                        \
    for (unsigned k_ = 0; k_ < ARRAY_LEN(cases); k_++)                                             \
    check((b), &(cases)[k_])

static void additions_and_subtractions_wrap_around(void **state)
{
    static const struct mmx_case cases[] = {
        {0xfc, 0xff017f8000ff10f0u, 0x0101018080010f10u, 0x0002800080001f00u}, /* paddb */
        {0xfd, 0xffff7fff80000001u, 0x0001000180000001u, 0x0000800000000002u}, /* paddw */
        {0xfe, 0xffffffff7fffffffu, 0x0000000100000001u, 0x0000000080000000u}, /* paddd */
        {0xf8, 0x0001800000ff1010u, 0x010101017f010f11u, 0xff007fff81fe01ffu}, /* psubb */
        {0xf9, 0x0000800000010001u, 0x00010001ffff0002u, 0xffff7fff0002ffffu}, /* psubw */
        {0xfa, 0x0000000080000000u, 0x0000000100000001u, 0xffffffff7fffffffu}, /* psubd */
    };
    CHECK_ALL((struct fpu_bench *)*state, cases);
}

/* SDM 1 table 9-1: bytes 80..7F or 00..FF, words 8000..7FFF or 0000..FFFF. */
static void saturating_forms_stop_at_the_range(void **state)
{
    static const struct mmx_case cases[] = {
        {0xec, 0x7f80017f80ff0001u, 0x01ff027f80010080u, 0x7f80037f80000081u}, /* paddsb */
        {0xed, 0x7fff800000017fffu, 0x0001ffff00027fffu, 0x7fff800000037fffu}, /* paddsw */
        {0xdc, 0xff80017fff000180u, 0x01800180ff00fe80u, 0xffff02ffff00ffffu}, /* paddusb */
        {0xdd, 0xffff800000017fffu, 0x0001800000028000u, 0xffffffff0003ffffu}, /* paddusw */
        {0xe8, 0x7f80017f80000001u, 0xff01020180800180u, 0x7f80ff7e007fff7fu}, /* psubsb */
        {0xe9, 0x7fff800000018000u, 0xffff000100027fffu, 0x7fff8000ffff8000u}, /* psubsw */
        {0xd8, 0x00800180ff010203u, 0x0180028100010302u, 0x00000000ff000001u}, /* psubusb */
        {0xd9, 0x0000800000018001u, 0x0001800100028000u, 0x0000000000000001u}, /* psubusw */
    };
    CHECK_ALL((struct fpu_bench *)*state, cases);
}

static void products_keep_the_low_or_the_high_word(void **state)
{
    static const struct mmx_case cases[] = {
        {0xd5, 0x8000ffff7fff0003u, 0x8000ffff7fff0004u, 0x000000010001000cu}, /* pmullw */
        {0xe5, 0x8000ffff7fff0003u, 0x8000ffff7fff0004u, 0x400000003fff0000u}, /* pmulhw */
        {0xe5, 0x00018000ffff0000u, 0xffff000100012345u, 0xffffffffffff0000u},
        {0xf5, 0x0002000300040005u, 0x000600070008fff7u, 0x00000021fffffff3u}, /* pmaddwd: 12+21, 32-45 */
        {0xf5, 0x8000800000000000u, 0x8000800000000000u, 0x8000000000000000u}, /* its only overflow */
    };
    CHECK_ALL((struct fpu_bench *)*state, cases);
}

static void comparisons_give_masks(void **state)
{
    static const struct mmx_case cases[] = {
        {0x74, 0x0011223344556677u, 0x0010223044506670u, 0xff00ff00ff00ff00u}, /* pcmpeqb */
        {0x75, 0x0011223344556677u, 0x0011223044556670u, 0xffff0000ffff0000u}, /* pcmpeqw */
        {0x76, 0x0011223344556677u, 0x0011223344556670u, 0xffffffff00000000u}, /* pcmpeqd */
        {0x64, 0x7f80ff0001000102u, 0x807f00ff00010201u, 0xff0000ffff0000ffu}, /* pcmpgtb: signed */
        {0x65, 0x7fff8000ffff0001u, 0x80007fff00000001u, 0xffff000000000000u}, /* pcmpgtw */
        {0x66, 0x0000000180000000u, 0xffffffff7fffffffu, 0xffffffff00000000u}, /* pcmpgtd */
    };
    CHECK_ALL((struct fpu_bench *)*state, cases);
}

static void logical_operations(void **state)
{
    static const struct mmx_case cases[] = {
        {0xdb, 0xff00ff00f0f0f0f0u, 0x0ff00ff0ffff0000u, 0x0f000f00f0f00000u}, /* pand */
        {0xdf, 0xff00ff00f0f0f0f0u, 0x0ff00ff0ffff0000u, 0x00f000f00f0f0000u}, /* pandn: not MM1 and MM2 */
        {0xeb, 0xff00ff00f0f0f0f0u, 0x0ff00ff0ffff0000u, 0xfff0fff0fffff0f0u}, /* por */
        {0xef, 0xff00ff00f0f0f0f0u, 0x0ff00ff0ffff0000u, 0xf0f0f0f00f0ff0f0u}, /* pxor */
    };
    CHECK_ALL((struct fpu_bench *)*state, cases);
}

/* The first operand becomes the low half. */
static void packing_saturates(void **state)
{
    static const struct mmx_case cases[] = {
        {0x63, 0x007f0080ff80ff7fu, 0x0001ffff7fff8000u, 0x01ff7f807f7f8080u}, /* packsswb */
        {0x67, 0x00ff0100ffff0001u, 0x007f008080007fffu, 0x7f8000ffffff0001u}, /* packuswb */
        {0x6b, 0x00007fff00008000u, 0xffff8000ffff7fffu, 0x800080007fff7fffu}, /* packssdw */
    };
    CHECK_ALL((struct fpu_bench *)*state, cases);
}

static void unpacking_interleaves_the_halves(void **state)
{
    static const struct mmx_case cases[] = {
        {0x60, 0x0706050403020100u, 0x1716151413121110u, 0x1303120211011000u}, /* punpcklbw */
        {0x61, 0x0706050403020100u, 0x1716151413121110u, 0x1312030211100100u}, /* punpcklwd */
        {0x62, 0x0706050403020100u, 0x1716151413121110u, 0x1312111003020100u}, /* punpckldq */
        {0x68, 0x0706050403020100u, 0x1716151413121110u, 0x1707160615051404u}, /* punpckhbw */
        {0x69, 0x0706050403020100u, 0x1716151413121110u, 0x1716070615140504u}, /* punpckhwd */
        {0x6a, 0x0706050403020100u, 0x1716151413121110u, 0x1716151407060504u}, /* punpckhdq */
    };
    CHECK_ALL((struct fpu_bench *)*state, cases);
}

/* Counts beyond the element give zeros, or signs only; all 64 bits of the count count. */
static void shifts_by_a_register(void **state)
{
    static const struct mmx_case cases[] = {
        {0xf1, 0x8001800180018001u, 4, 0x0010001000100010u},            /* psllw */
        {0xf1, 0x8001800180018001u, 16, 0},
        {0xf2, 0x8000000180000001u, 31, 0x8000000080000000u},           /* pslld */
        {0xf3, 0x8000000000000001u, 63, 0x8000000000000000u},           /* psllq */
        {0xf3, 0x8000000000000001u, 64, 0},
        {0xf3, 0x8000000000000001u, 0x100000000u, 0},
        {0xd1, 0x8001800180018001u, 15, 0x0001000100010001u},           /* psrlw */
        {0xd2, 0x8000000180000001u, 1, 0x4000000040000000u},            /* psrld */
        {0xd2, 0x8000000180000001u, 32, 0},
        {0xd3, 0x8000000000000001u, 1, 0x4000000000000000u},            /* psrlq */
        {0xe1, 0x80017fff80017fffu, 4, 0xf80007fff80007ffu},            /* psraw */
        {0xe1, 0x80017fff80017fffu, 1000, 0xffff0000ffff0000u},
        {0xe2, 0x800000017fffffffu, 4, 0xf800000007ffffffu},            /* psrad */
        {0xe2, 0x800000017fffffffu, 0x8000000000000000u, 0xffffffff00000000u},
    };
    CHECK_ALL((struct fpu_bench *)*state, cases);
}

/* 0F 71 72 73: /2 right, /4 right signed, /6 left. */
static void shifts_by_an_immediate(void **state)
{
    static const struct { uint8_t opcode, modrm, count; uint64_t result; } cases[] = {
        {0x71, 0xd1, 4, 0x0800080008000800u}, {0x71, 0xe1, 4, 0xf800f800f800f800u},
        {0x71, 0xf1, 4, 0x0010001000100010u}, {0x72, 0xd1, 8, 0x0080018000800180u},
        {0x72, 0xe1, 8, 0xff800180ff800180u}, {0x72, 0xf1, 8, 0x0180010001800100u},
        {0x73, 0xd1, 32, 0x0000000080018001u}, {0x73, 0xf1, 32, 0x8001800100000000u},
        {0x73, 0xf1, 64, 0}, {0x71, 0xe1, 255, 0xffffffffffffffffu}, {0x72, 0xd1, 32, 0},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        uint8_t code[] = {0x0f, cases[k].opcode, cases[k].modrm, cases[k].count};
        set_mm(b, 1, 0x8001800180018001u);
        assert_int_equal(bench_run(b, code, sizeof(code)), NO_FAULT);
        assert_int_equal(mm(b, 1), cases[k].result);
    }
}

/* There is no PSRAQ, and no shift of memory. */
static void other_shifts_by_an_immediate_are_undefined(void **state)
{
    struct fpu_bench *b = *state;
    assert_int_equal(RUN(b, "\x0f\x73\xe1\x04"), VEC_UD);
    assert_int_equal(RUN(b, "\x0f\x71\xc1\x04"), VEC_UD);
    assert_int_equal(RUN(b, "\x0f\x71\x11\x04"), VEC_UD);
}

/* --- moves --- */

static void movd_moves_32_bits_and_clears_the_rest(void **state)
{
    struct fpu_bench *b = *state;
    set_mm(b, 3, ~(uint64_t)0);
    b->cpu.st.gpr[REG_EDX] = 0x89abcdef;
    RUN_OK(b, "\x0f\x6e\xda"); /* movd mm3, edx */
    assert_int_equal(mm(b, 3), 0x89abcdef);
    set_mm(b, 4, 0x0123456776543210u);
    RUN_OK(b, "\x0f\x7e\xe0"); /* movd eax, mm4 */
    assert_int_equal(b->cpu.st.gpr[REG_EAX], 0x76543210);
    put(b, DATA, 8, 0x1111111122222222u);
    RUN_OK(b, "\x0f\x7e\x25" AT_DATA); /* movd [DATA], mm4 */
    assert_int_equal(get(b, DATA, 8), 0x1111111176543210u);
    RUN_OK(b, "\x0f\x6e\x2d" AT_DATA); /* movd mm5, [DATA] */
    assert_int_equal(mm(b, 5), 0x76543210);
}

static void movq_moves_64_bits(void **state)
{
    struct fpu_bench *b = *state;
    set_mm(b, 6, 0x0123456789abcdefu);
    RUN_OK(b, "\x0f\x7f\x35" AT_DATA); /* movq [DATA], mm6 */
    assert_int_equal(get(b, DATA, 8), 0x0123456789abcdefu);
    RUN_OK(b, "\x0f\x6f\x3d" AT_DATA); /* movq mm7, [DATA] */
    assert_int_equal(mm(b, 7), 0x0123456789abcdefu);
    RUN_OK(b, "\x0f\x7f\xf0\x0f\x6f\xc8"); /* movq mm0, mm6; movq mm1, mm0 */
    assert_int_equal(mm(b, 0), 0x0123456789abcdefu);
    assert_int_equal(mm(b, 1), 0x0123456789abcdefu);
}

/* SDM 2B PUNPCKLBW mm, mm/m32: the four bytes behind the operand need not exist. */
static void unpacking_low_halves_reads_32_bits_of_memory(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.seg[SEG_DS].limit = DATA + 3;
    RUN_OK(b, "\x0f\x60\x0d" AT_DATA);
    RUN_OK(b, "\x0f\x62\x0d" AT_DATA);
    assert_int_equal(RUN(b, "\x0f\x68\x0d" AT_DATA), VEC_GP); /* punpckhbw reads 64 */
}

/* --- the x87 state (SDM 3A table 12-2) --- */

static void a_write_fills_tags_clears_top_and_sets_the_exponent(void **state)
{
    struct fpu_bench *b = *state;
    RUN_OK(b, "\xd9\xe8\xd9\xeb"); /* fld1; fldpi: TOP = 6 */
    RUN_OK(b, "\x0f\xef\xdb"); /* pxor mm3, mm3 */
    assert_int_equal(top(b), 0);
    assert_int_equal(b->cpu.st.x87.empty, 0);
    assert_int_equal(b->cpu.st.x87.se[3], 0xffff);
    assert_int_equal(b->cpu.st.x87.mant[3], 0);
    assert_int_equal(b->cpu.st.x87.se[7], 0x3fff); /* the others keep theirs */
    assert_int_equal(status(b), 0);
    assert_int_equal(b->cpu.st.x87.control, 0x037f);
}

static void a_read_fills_tags_and_keeps_the_registers(void **state)
{
    struct fpu_bench *b = *state;
    RUN_OK(b, "\xd9\xe8");
    RUN_OK(b, "\x0f\x7e\xf8"); /* movd eax, mm7 */
    assert_int_equal(top(b), 0);
    assert_int_equal(b->cpu.st.x87.empty, 0);
    assert_int_equal(b->cpu.st.x87.se[7], 0x3fff);
    assert_int_equal(b->cpu.st.x87.mant[7], 0x8000000000000000u);
}

static void emms_empties_the_tags_and_keeps_the_registers(void **state)
{
    struct fpu_bench *b = *state;
    set_mm(b, 2, 0x1234);
    RUN_OK(b, "\x0f\x6f\xca\x0f\x77"); /* movq mm1, mm2; emms */
    assert_int_equal(b->cpu.st.x87.empty, 0xff);
    assert_int_equal(top(b), 0);
    assert_int_equal(mm(b, 1), 0x1234);
    assert_int_equal(b->cpu.st.x87.se[1], 0xffff);
    RUN_OK(b, "\xd9\xe8"); /* the x87 has its stack back */
    assert_int_equal(status(b), 7 << 11);
}

/* MMn is Rn whatever TOP was: what x87 code calls ST(n - TOP). */
static void registers_are_the_physical_ones(void **state)
{
    struct fpu_bench *b = *state;
    RUN_OK(b, "\xd9\xeb"); /* fldpi: R7 */
    RUN_OK(b, "\x0f\x6f\xc7"); /* movq mm0, mm7 */
    assert_int_equal(mm(b, 0), 0xc90fdaa22168c235u);
}

/* --- exceptions (SDM 3A table 12-1, 12.1) --- */

static void em_is_ud_and_ts_is_nm(void **state)
{
    static const struct { uint32_t cr0; int vector; } cases[] = {
        {0, NO_FAULT}, {CR0_MP, NO_FAULT}, {CR0_TS, VEC_NM}, {CR0_TS | CR0_MP, VEC_NM},
        {CR0_EM, VEC_UD}, {CR0_EM | CR0_TS, VEC_UD},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        b->cpu.st.cr0 = CR0_PE | CR0_ET | CR0_NE | cases[k].cr0;
        assert_int_equal(RUN(b, "\x0f\xfc\xca"), cases[k].vector);
        assert_int_equal(RUN(b, "\x0f\x77"), cases[k].vector); /* emms */
    }
}

static void a_pending_x87_exception_comes_first(void **state)
{
    struct fpu_bench *b = *state;
    set_control(b, 0x037b);
    RUN_OK(b, "\xd9\xee\xd9\xe8\xd8\xf1"); /* 1 / 0 */
    assert_int_equal(RUN(b, "\x0f\xfc\xca"), VEC_MF);
    assert_int_equal(RUN(b, "\x0f\x77"), VEC_MF);
    assert_int_equal(top(b), 6);
}

static void a_memory_fault_changes_nothing(void **state)
{
    struct fpu_bench *b = *state;
    RUN_OK(b, "\xd9\xe8");
    struct cpu_x87 before = b->cpu.st.x87;
    b->cpu.st.seg[SEG_DS].limit = DATA + 6;
    assert_int_equal(RUN(b, "\x0f\xfc\x0d" AT_DATA), VEC_GP);
    assert_int_equal(RUN(b, "\x0f\x7f\x0d" AT_DATA), VEC_GP);
    assert_memory_equal(&b->cpu.st.x87, &before, sizeof(before));
}

static void models_without_mmx_have_no_mmx(void **state)
{
    struct fpu_bench *b = bench_new("pentium");
    (void)state;
    assert_int_equal(RUN(b, "\x0f\xfc\xca"), VEC_UD);
    assert_int_equal(RUN(b, "\x0f\x77"), VEC_UD);
    bench_free(b);
    b = bench_new("pentium-mmx");
    RUN_OK(b, "\x0f\xfc\xca\x0f\x77");
    bench_free(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(additions_and_subtractions_wrap_around),
        TEST(saturating_forms_stop_at_the_range),
        TEST(products_keep_the_low_or_the_high_word),
        TEST(comparisons_give_masks),
        TEST(logical_operations),
        TEST(packing_saturates),
        TEST(unpacking_interleaves_the_halves),
        TEST(shifts_by_a_register),
        TEST(shifts_by_an_immediate),
        TEST(other_shifts_by_an_immediate_are_undefined),
        TEST(movd_moves_32_bits_and_clears_the_rest),
        TEST(movq_moves_64_bits),
        TEST(unpacking_low_halves_reads_32_bits_of_memory),
        TEST(a_write_fills_tags_clears_top_and_sets_the_exponent),
        TEST(a_read_fills_tags_and_keeps_the_registers),
        TEST(emms_empties_the_tags_and_keeps_the_registers),
        TEST(registers_are_the_physical_ones),
        TEST(em_is_ud_and_ts_is_nm),
        TEST(a_pending_x87_exception_comes_first),
        TEST(a_memory_fault_changes_nothing),
        cmocka_unit_test(models_without_mmx_have_no_mmx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
