/*
 * SSE and SSE2 as the manual has them: what must be enabled, which fault goes first, alignment, MXCSR, unmasked
 * exceptions, the saved image, the x87 state under the MMX forms, NaNs, rounding, DAZ and FTZ. Expected values come
 * from SDM volume 1 chapters 4, 10 and 11, volume 2, volume 3A chapters 9 and 13. (That every form computes what
 * hardware computes is shown by test_sse_host.c, on hosts that have such hardware.)
 */
#include "tests/cpu/fpu_bench.h"

enum { MXCSR_RESET = 0x1f80, MASK_SHIFT = 7, DAZ = 0x40, FTZ = 0x8000, PAGE_DIR = 0x40000, PAGE_TAB = 0x41000 };

/* Singles */
enum {
    ONE = 0x3f800000, TWO = 0x40000000, THREE = 0x40400000, INF = 0x7f800000, QNAN_A = 0x7fc00aaa, QNAN_B = 0x7fc0bbbb,
    SNAN_A = 0x7f800aaa, MAX = 0x7f7fffff, MIN_NORMAL = 0x00800000, DENORMAL = 0x00000001, HALF = 0x3f000000,
};
#define DEFAULT_NAN 0xffc00000u
#define MINUS_ONE 0xbf800000u
#define MINUS_ZERO 0x80000000u

static int setup_model(void **state, const char *model)
{
    struct fpu_bench *b = bench_new(model);
    fpu_init(&b->cpu);
    b->cpu.st.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    *state = b;
    return 0;
}

static int setup(void **state) { return setup_model(state, "pentium4"); }
static int setup_p3(void **state) { return setup_model(state, "pentium3"); }

static void set_xmm(struct fpu_bench *b, unsigned n, uint64_t high, uint64_t low)
{
    b->cpu.st.xmm[n][0] = low;
    b->cpu.st.xmm[n][1] = high;
}

#define assert_xmm(b, n, high, low)                                                                \
    do {                                                                                           \
        assert_int_equal((b)->cpu.st.xmm[n][1], (high));                                           \
        assert_int_equal((b)->cpu.st.xmm[n][0], (low));                                            \
    } while (0)

static void put16(struct fpu_bench *b, uint32_t at, uint64_t high, uint64_t low)
{
    put(b, at, 8, low);
    put(b, at + 8, 8, high);
}

/* --- what must be enabled (SDM 3A 2.5, table 13-1) --- */

static void xmm_instructions_need_osfxsr_and_no_em_and_no_ts(void **state)
{
    struct fpu_bench *b = *state;
    struct cpu_state *s = &b->cpu.st;
    RUN_OK(b, "\x0f\x58\xc1"); /* addps xmm0, xmm1 */
    s->cr0 |= CR0_TS;
    assert_int_equal(RUN(b, "\x0f\x58\xc1"), VEC_NM);
    assert_int_equal(RUN(b, "\x0f\xae\x1d" AT_DATA), VEC_NM); /* stmxcsr */
    s->cr0 |= CR0_EM; /* #UD goes first */
    assert_int_equal(RUN(b, "\x0f\x58\xc1"), VEC_UD);
    assert_int_equal(RUN(b, "\x0f\xae\x15" AT_DATA), VEC_UD); /* ldmxcsr */
    s->cr0 &= ~(uint64_t)(CR0_EM | CR0_TS);
    s->cr4 &= ~(uint64_t)CR4_OSFXSR;
    assert_int_equal(RUN(b, "\x66\x0f\xfe\xc1"), VEC_UD); /* paddd xmm0, xmm1 */
    assert_int_equal(RUN(b, "\x0f\xae\x1d" AT_DATA), VEC_UD);
}

static void mmx_forms_do_not_need_osfxsr(void **state)
{
    struct fpu_bench *b = *state;
    struct cpu_state *s = &b->cpu.st;
    s->cr4 &= ~(uint64_t)CR4_OSFXSR;
    RUN_OK(b, "\x0f\xe0\xc1\x0f\xd4\xc1"); /* pavgb mm0, mm1; paddq mm0, mm1 */
    assert_int_equal(RUN(b, "\x0f\x2a\xc1"), VEC_UD); /* cvtpi2ps xmm0, mm1 */
    s->cr0 |= CR0_TS;
    assert_int_equal(RUN(b, "\x0f\xe0\xc1"), VEC_NM);
    s->cr0 |= CR0_EM;
    assert_int_equal(RUN(b, "\x0f\xe0\xc1"), VEC_UD);
}

static void cache_instructions_need_nothing(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.cr4 = 0;
    b->cpu.st.cr0 |= CR0_EM | CR0_TS;
    b->cpu.st.gpr[REG_ECX] = 0x12345678;
    RUN_OK(b, "\x0f\xae\xf8\x0f\xae\xe8\x0f\xae\xf0\xf3\x90"); /* sfence; lfence; mfence; pause */
    RUN_OK(b, "\x0f\x18\x0d" AT_DATA "\x0f\xae\x3d" AT_DATA);  /* prefetcht0; clflush */
    RUN_OK(b, "\x0f\xc3\x0d" AT_DATA);                         /* movnti [DATA], ecx */
    assert_int_equal(get(b, DATA, 4), 0x12345678);
    b->cpu.st.seg[SEG_DS].limit = DATA - 1;
    RUN_OK(b, "\x0f\x18\x05" AT_DATA); /* a prefetch never faults */
    assert_int_equal(RUN(b, "\x0f\xae\x3d" AT_DATA), VEC_GP);
}

static void without_the_feature_they_are_undefined(void **state)
{
    struct fpu_bench *b = *state; /* a Pentium III */
    RUN_OK(b, "\x0f\x58\xc1");                                /* addps */
    assert_int_equal(RUN(b, "\x66\x0f\x58\xc1"), VEC_UD);     /* addpd */
    assert_int_equal(RUN(b, "\xf2\x0f\x58\xc1"), VEC_UD);     /* addsd */
    assert_int_equal(RUN(b, "\x0f\xc3\x0d" AT_DATA), VEC_UD); /* movnti */
    assert_int_equal(RUN(b, "\x0f\xae\xe8"), VEC_UD);         /* lfence */
    RUN_OK(b, "\xf3\x90");                                    /* is nop */
    assert_int_equal(RUN(b, "\xf3\x0f\x28\xc1"), VEC_UD);     /* no movaps with F3 */
    assert_int_equal(RUN(b, "\x0f\xd4\xc1"), VEC_UD);         /* paddq mm0, mm1 is SSE2 */
}

/* --- memory operands --- */

static void sixteen_byte_operands_must_be_aligned(void **state)
{
    struct fpu_bench *b = *state;
    put16(b, DATA + 0x18, 0x1111222233334444u, 0x5555666677778888u);
    b->cpu.st.gpr[REG_ECX] = DATA + 0x18;
    b->cpu.st.gpr[REG_EBP] = DATA + 0x18;
    assert_int_equal(RUN(b, "\x0f\x28\x01"), VEC_GP);     /* movaps xmm0, [ecx] */
    assert_int_equal(get(b, STACK - 16, 4), 0);           /* error code */
    assert_int_equal(RUN(b, "\x0f\x58\x01"), VEC_GP);     /* addps */
    assert_int_equal(RUN(b, "\x66\x0f\xfe\x01"), VEC_GP); /* paddd */
    assert_int_equal(RUN(b, "\x66\x0f\x7f\x01"), VEC_GP); /* movdqa [ecx], xmm0 */
    assert_int_equal(RUN(b, "\x66\x0f\xe7\x01"), VEC_GP); /* movntdq */
    assert_int_equal(RUN(b, "\x0f\x28\x45\x00"), VEC_GP); /* movaps xmm0, [ebp]: not #SS */
    RUN_OK(b, "\x0f\x10\x09");                            /* movups xmm1, [ecx] */
    assert_xmm(b, 1, 0x1111222233334444u, 0x5555666677778888u);
    RUN_OK(b, "\xf3\x0f\x6f\x51\x01"); /* movdqu xmm2, [ecx+1] */
    RUN_OK(b, "\xf3\x0f\x7f\x51\x21"); /* movdqu [ecx+33], xmm2 */
    assert_int_equal(get(b, DATA + 0x39, 8), 0x4455556666777788u);
    RUN_OK(b, "\xf3\x0f\x58\x41\x01\x0f\x5a\x41\x01"); /* addss xmm0, [ecx+1]; cvtps2pd xmm0, [ecx+1] */
}

/* #GP(0) "regardless of segment" (SDM 2A MOVAPS); a limit of SS that is broken as well would be #SS. */
static void alignment_goes_before_the_segment_limit(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.seg[SEG_SS].limit = DATA + 0x1f;
    b->cpu.st.gpr[REG_EBP] = DATA + 0x18;
    assert_int_equal(RUN(b, "\x0f\x28\x45\x00"), VEC_GP);     /* movaps xmm0, [ebp] */
    assert_int_equal(RUN(b, "\x66\x0f\x7f\x45\x00"), VEC_GP); /* movdqa [ebp], xmm0 */
    assert_int_equal(RUN(b, "\x0f\x10\x45\x00"), VEC_SS);     /* movups needs no alignment */
    assert_int_equal(RUN(b, "\x0f\x28\x45\x08"), VEC_SS);     /* aligned, beyond the limit */
    RUN_OK(b, "\x0f\x28\x45\xf8");
}

static void enable_paging(struct fpu_bench *b, uint32_t absent)
{
    put(b, PAGE_DIR, 4, PAGE_TAB | 3);
    for (uint32_t page = 0; page < RAM_SIZE; page += 0x1000)
        put(b, PAGE_TAB + page / 0x400, 4, page == absent ? 0 : page | 3);
    b->cpu.st.cr3 = PAGE_DIR;
    b->cpu.st.cr0 |= CR0_PG;
    cpu_state_changed(&b->cpu);
}

/* MOVUPS [ecx], xmm0 over the end of a page: nothing is written if the next one is absent. */
static void a_store_is_whole_or_not_at_all(void **state)
{
    struct fpu_bench *b = *state;
    enable_paging(b, DATA + 0x1000);
    set_xmm(b, 0, ~(uint64_t)0, ~(uint64_t)0);
    for (uint32_t at = DATA + 0xff1; at < DATA + 0x1000; at++) {
        b->cpu.st.gpr[REG_ECX] = at;
        assert_int_equal(RUN(b, "\x0f\x11\x01"), VEC_PF);
        assert_int_equal(b->cpu.st.cr2, DATA + 0x1000);
        assert_int_equal(get(b, STACK - 16, 4), 2); /* a write, not present */
        assert_int_equal(get(b, at, 1), 0);
        assert_int_equal(RUN(b, "\x0f\x10\x09"), VEC_PF); /* movups xmm1, [ecx] */
    }
}

static void masked_stores_touch_only_the_selected_bytes(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.gpr[REG_EDI] = DATA;
    put16(b, DATA, ~(uint64_t)0, ~(uint64_t)0);
    set_xmm(b, 0, 0x0f0e0d0c0b0a0908u, 0x0706050403020100u);
    set_xmm(b, 1, 0x8000000000000000u, 0x7fff007f00ff8001u);
    RUN_OK(b, "\x66\x0f\xf7\xc1"); /* maskmovdqu xmm0, xmm1 */
    assert_int_equal(get(b, DATA, 8), 0xff06ffffff0201ffu);
    assert_int_equal(get(b, DATA + 8, 8), 0x0fffffffffffffffu);
    b->cpu.st.x87.mant[0] = 0x1122334455667788u;
    b->cpu.st.x87.mant[1] = 0x0000000000000080u;
    RUN_OK(b, "\x0f\xf7\xc1"); /* maskmovq mm0, mm1 */
    assert_int_equal(get(b, DATA, 8), 0xff06ffffff020188u);
}

static void a_masked_store_that_faults_writes_nothing(void **state)
{
    struct fpu_bench *b = *state;
    enable_paging(b, DATA + 0x1000);
    b->cpu.st.gpr[REG_EDI] = DATA + 0xff8;
    set_xmm(b, 0, 0x1111111111111111u, 0x2222222222222222u);
    set_xmm(b, 1, 0, ~(uint64_t)0);
    RUN_OK(b, "\x66\x0f\xf7\xc1"); /* the page beyond is not selected */
    assert_int_equal(get(b, DATA + 0xff8, 8), 0x2222222222222222u);
    set_xmm(b, 0, 0x3333333333333333u, 0x3333333333333333u);
    set_xmm(b, 1, 0x80, ~(uint64_t)0);
    assert_int_equal(RUN(b, "\x66\x0f\xf7\xc1"), VEC_PF);
    assert_int_equal(get(b, DATA + 0xff8, 8), 0x2222222222222222u);
}

/* --- MXCSR (SDM 1 10.2.3) --- */

static void reset_gives_1f80_and_cleared_registers(void **state)
{
    struct fpu_bench *b = *state;
    set_xmm(b, 7, 1, 2);
    b->cpu.st.mxcsr = 0;
    cpu_class.reset(&b->cpu, RESET_HARD);
    assert_int_equal(b->cpu.st.mxcsr, MXCSR_RESET);
    assert_xmm(b, 7, 0, 0);
}

static void ldmxcsr_refuses_reserved_bits(void **state)
{
    struct fpu_bench *b = *state;
    put(b, DATA, 4, 0xffff);
    RUN_OK(b, "\x0f\xae\x15" AT_DATA);
    RUN_OK(b, "\x0f\xae\x1d\x10\x00\x02\x00"); /* stmxcsr [DATA+16] */
    assert_int_equal(get(b, DATA + 16, 4), 0xffff);
    put(b, DATA, 4, 0x10000 | MXCSR_RESET);
    assert_int_equal(RUN(b, "\x0f\xae\x15" AT_DATA), VEC_GP);
    assert_int_equal(b->cpu.st.mxcsr, 0xffff);
}

/* SDM 1 11.6.6: a processor whose mask is FFBF has no DAZ. */
static void the_pentium_iii_has_no_daz(void **state)
{
    struct fpu_bench *b = *state;
    put(b, DATA, 4, MXCSR_RESET | DAZ);
    assert_int_equal(RUN(b, "\x0f\xae\x15" AT_DATA), VEC_GP);
    RUN_OK(b, "\x0f\xae\x05\x00\x01\x02\x00"); /* fxsave [DATA+256] */
    assert_int_equal(get(b, DATA + 0x11c, 4), 0);
}

static void setting_a_flag_whose_mask_is_clear_raises_nothing(void **state)
{
    struct fpu_bench *b = *state;
    put(b, DATA, 4, 0x3f);
    set_xmm(b, 0, 0, ONE);
    RUN_OK(b, "\x0f\xae\x15" AT_DATA "\xf3\x0f\x58\xc0"); /* ldmxcsr; addss xmm0, xmm0: exact */
    assert_xmm(b, 0, 0, TWO);
}

/* --- exceptions (SDM 1 11.5) --- */

static void an_unmasked_exception_is_xm_and_leaves_the_destination(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.mxcsr = MXCSR_RESET & ~(FP_ZE << MASK_SHIFT);
    set_xmm(b, 0, 7, ONE);
    set_xmm(b, 1, 0, 0);
    assert_int_equal(RUN(b, "\x90\xf3\x0f\x5e\xc1"), VEC_XM); /* nop; divss xmm0, xmm1 */
    assert_int_equal(get(b, STACK - 12, 4), CODE + 1);        /* a fault; no error code */
    assert_xmm(b, 0, 7, ONE);
    assert_int_equal(b->cpu.st.mxcsr & FP_EXCEPTIONS, FP_ZE);
    b->cpu.st.cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
    assert_int_equal(RUN(b, "\xf3\x0f\x5e\xc1"), VEC_UD);
}

static void memory_faults_go_before_numeric_ones(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.mxcsr = 0;
    b->cpu.st.seg[SEG_DS].limit = DATA - 1;
    set_xmm(b, 0, 0, SNAN_A);
    assert_int_equal(RUN(b, "\xf3\x0f\x58\x05" AT_DATA), VEC_GP);
    assert_int_equal(b->cpu.st.mxcsr, 0);
}

/* 11.5.3.2: 1 / 0 unmasked in one element, 1 / 3 in another: the latter is not done, so that PE stays clear. */
static void an_exception_before_computing_hides_those_after(void **state)
{
    struct fpu_bench *b = *state;
    set_xmm(b, 0, 0, (uint64_t)ONE << 32 | ONE);
    set_xmm(b, 1, (uint64_t)ONE << 32 | ONE, (uint64_t)THREE << 32);
    b->cpu.st.mxcsr = MXCSR_RESET & ~(FP_ZE << MASK_SHIFT);
    assert_int_equal(RUN(b, "\x0f\x5e\xc1"), VEC_XM); /* divps */
    assert_int_equal(b->cpu.st.mxcsr & FP_EXCEPTIONS, FP_ZE);
    b->cpu.st.mxcsr = MXCSR_RESET & ~(FP_PE << MASK_SHIFT);
    assert_int_equal(RUN(b, "\x0f\x5e\xc1"), VEC_XM); /* both are seen now */
    assert_int_equal(b->cpu.st.mxcsr & FP_EXCEPTIONS, FP_ZE | FP_PE);
}

static void an_unmasked_comparison_keeps_eflags(void **state)
{
    struct fpu_bench *b = *state;
    set_xmm(b, 0, 0, QNAN_A);
    cpu_set_eflags(&b->cpu, 2 | FLAG_OF | FLAG_SF);
    b->cpu.st.mxcsr = MXCSR_RESET & ~(FP_IE << MASK_SHIFT);
    RUN_OK(b, "\x0f\x2e\xc1"); /* ucomiss: a quiet NaN is no exception */
    assert_int_equal(cpu_eflags(&b->cpu) & FLAGS_ARITH, FLAG_ZF | FLAG_PF | FLAG_CF);
    cpu_set_eflags(&b->cpu, 2 | FLAG_OF | FLAG_SF);
    assert_int_equal(RUN(b, "\x0f\x2f\xc1"), VEC_XM); /* comiss: it is */
    assert_int_equal(cpu_eflags(&b->cpu) & FLAGS_ARITH, FLAG_OF | FLAG_SF);
}

/* --- results --- */

struct scalar_case {
    uint8_t opcode;
    uint32_t mxcsr; /* beside the masks */
    uint32_t a, b, result, flags;
};

/* opcode xmm0, xmm1 with prefix F3, all exceptions masked */
static void check_scalars(struct fpu_bench *b, const struct scalar_case *t, size_t count)
{
    for (; count--; t++) {
        uint8_t code[] = {0xf3, 0x0f, t->opcode, 0xc1};
        set_xmm(b, 0, 5, 0x600000000u | t->a);
        set_xmm(b, 1, 0, t->b);
        b->cpu.st.mxcsr = MXCSR_RESET | t->mxcsr;
        assert_int_equal(bench_run(b, code, sizeof(code)), NO_FAULT);
        assert_xmm(b, 0, 5, 0x600000000u | t->result); /* the other elements stay */
        assert_int_equal(b->cpu.st.mxcsr, MXCSR_RESET | t->mxcsr | t->flags);
    }
}

enum { ADD = 0x58, MUL = 0x59, SUB = 0x5c, MIN_ = 0x5d, DIV = 0x5e, MAX_ = 0x5f, SQRT = 0x51 };

/* SDM 1 table 4-7: the first operand, if it is a NaN. */
static void nans_are_chosen_by_position(void **state)
{
    static const struct scalar_case cases[] = {
        {ADD, 0, QNAN_A, QNAN_B, QNAN_A, 0},
        {ADD, 0, QNAN_B, QNAN_A, QNAN_B, 0},
        {ADD, 0, SNAN_A, QNAN_B, SNAN_A | 0x400000, FP_IE},
        {ADD, 0, QNAN_B, SNAN_A, QNAN_B, FP_IE},
        {MUL, 0, ONE, SNAN_A, SNAN_A | 0x400000, FP_IE},
        {DIV, 0, ONE, QNAN_A, QNAN_A, 0},
        {SUB, 0, DENORMAL, QNAN_A, QNAN_A, 0}, /* a NaN goes before a denormal */
        {SUB, 0, INF, INF, DEFAULT_NAN, FP_IE},
        {MUL, 0, INF, 0, DEFAULT_NAN, FP_IE},
        {DIV, 0, 0, 0, DEFAULT_NAN, FP_IE},
        {SQRT, 0, 0, MINUS_ONE, DEFAULT_NAN, FP_IE},
        {SQRT, 0, 0, MINUS_ZERO, MINUS_ZERO, 0},
    };
    check_scalars(*state, cases, ARRAY_LEN(cases));
}

/* SDM 2A MINSS, MAXSS: the second operand for NaNs and zeros; any NaN is invalid. */
static void min_and_max_return_the_second_operand(void **state)
{
    static const struct scalar_case cases[] = {
        {MIN_, 0, ONE, TWO, ONE, 0},
        {MAX_, 0, ONE, TWO, TWO, 0},
        {MIN_, 0, 0, MINUS_ZERO, MINUS_ZERO, 0},
        {MAX_, 0, MINUS_ZERO, 0, 0, 0},
        {MIN_, 0, QNAN_A, ONE, ONE, FP_IE},
        {MAX_, 0, ONE, SNAN_A, SNAN_A, FP_IE},
        {MAX_, 0, DENORMAL, 0, DENORMAL, FP_DE},
        {MAX_, DAZ, DENORMAL, MINUS_ZERO, MINUS_ZERO, 0},
    };
    check_scalars(*state, cases, ARRAY_LEN(cases));
}

/* RC in bits 13-14: nearest, down, up, toward zero; 1 + 2^-25 and the ends of the range (SDM 1 tables 4-8, 4-11). */
static void rounding_modes(void **state)
{
    enum { SMALL = 0x33000000, DOWN = 0x2000, UP = 0x4000, CHOP = 0x6000 };
    static const struct scalar_case cases[] = {
        {ADD, 0, ONE, SMALL, ONE, FP_PE},
        {ADD, UP, ONE, SMALL, ONE + 1, FP_PE},
        {ADD, DOWN, MINUS_ONE, SMALL | MINUS_ZERO, MINUS_ONE + 1, FP_PE},
        {ADD, CHOP, MINUS_ONE, SMALL | MINUS_ZERO, MINUS_ONE, FP_PE},
        {SUB, 0, ONE, ONE, 0, 0},
        {SUB, DOWN, ONE, ONE, MINUS_ZERO, 0},
        {MUL, 0, MAX, TWO, INF, FP_OE | FP_PE},
        {MUL, DOWN, MAX, TWO, MAX, FP_OE | FP_PE},
        {MUL, CHOP, MAX, TWO, MAX, FP_OE | FP_PE},
        {MUL, UP, MAX, TWO, INF, FP_OE | FP_PE},
        {DIV, 0, ONE, 0, INF, FP_ZE},
    };
    check_scalars(*state, cases, ARRAY_LEN(cases));
}

/* SDM 1 10.2.3.3, 10.2.3.4, 4.9.1.5. */
static void denormals_and_the_two_ways_around_them(void **state)
{
    static const struct scalar_case cases[] = {
        {MUL, 0, MIN_NORMAL, HALF, 0x400000, 0},            /* tiny but exact: no underflow */
        {MUL, 0, MIN_NORMAL + 1, HALF, 0x400000, FP_UE | FP_PE},
        {MUL, FTZ, MIN_NORMAL, HALF, 0, FP_UE | FP_PE},
        {MUL, FTZ, MIN_NORMAL | MINUS_ZERO, HALF, MINUS_ZERO, FP_UE | FP_PE},
        {ADD, 0, DENORMAL, DENORMAL, 2, FP_DE},
        {ADD, DAZ, DENORMAL, DENORMAL | MINUS_ZERO, 0, 0},
        {DIV, 0, ONE, DENORMAL, INF, FP_DE | FP_OE | FP_PE},
        {DIV, DAZ, ONE, DENORMAL, INF, FP_ZE},
        {SQRT, DAZ, 0, DENORMAL | MINUS_ZERO, MINUS_ZERO, 0},
        {ADD, FTZ, DENORMAL, DENORMAL, 0, FP_DE | FP_UE | FP_PE},
    };
    check_scalars(*state, cases, ARRAY_LEN(cases));
}

/* Unmasked, a tiny result is an underflow even if exact; FTZ does not matter (SDM 1 11.5.2.5). */
static void underflow_unmasked(void **state)
{
    struct fpu_bench *b = *state;
    set_xmm(b, 0, 0, MIN_NORMAL);
    set_xmm(b, 1, 0, HALF);
    b->cpu.st.mxcsr = (MXCSR_RESET | FTZ) & ~(FP_UE << MASK_SHIFT);
    assert_int_equal(RUN(b, "\xf3\x0f\x59\xc1"), VEC_XM); /* mulss */
    assert_int_equal(b->cpu.st.mxcsr & FP_EXCEPTIONS, FP_UE);
}

static void comparison_predicates(void **state)
{
    /* eq lt le unord neq nlt nle ord (SDM 2A table 3-7) */
    static const struct {
        uint32_t a, b, true_for, invalid_for;
    } cases[] = {
        {ONE, ONE, 0xa5, 0}, {ONE, TWO, 0x96, 0}, {TWO, ONE, 0xf0, 0}, {0, MINUS_ZERO, 0xa5, 0},
        {ONE, QNAN_A, 0x78, 0x66}, {SNAN_A, ONE, 0x78, 0xff},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        for (unsigned predicate = 0; predicate < 8; predicate++) {
            uint8_t code[] = {0xf3, 0x0f, 0xc2, 0xc1, (uint8_t)predicate};
            set_xmm(b, 0, 0, cases[k].a);
            set_xmm(b, 1, 0, cases[k].b);
            b->cpu.st.mxcsr = MXCSR_RESET;
            assert_int_equal(bench_run(b, code, sizeof(code)), NO_FAULT);
            assert_xmm(b, 0, 0, cases[k].true_for >> predicate & 1 ? 0xffffffffu : 0u);
            assert_int_equal(b->cpu.st.mxcsr & FP_EXCEPTIONS, cases[k].invalid_for >> predicate & 1);
        }
    }
}

/* SDM 2A CVTSS2SI, CVTTSS2SI: the integer indefinite. */
static void conversions_to_integers(void **state)
{
    static const struct {
        uint32_t value;
        uint32_t nearest, truncated, flags;
    } cases[] = {
        {0x40200000, 2, 2, FP_PE}, {0x40600000, 4, 3, FP_PE}, {0xc0600000u, (uint32_t)-4, (uint32_t)-3, FP_PE}, /* 2.5, 3.5, -3.5 */
        {0x4f000000, 0x80000000u, 0x80000000u, FP_IE}, {0xcf000000u, 0x80000000u, 0x80000000u, 0}, /* 2^31, -2^31 */
        {0x4effffff, 0x7fffff80, 0x7fffff80, 0}, {QNAN_A, 0x80000000u, 0x80000000u, FP_IE},
        {DENORMAL, 0, 0, FP_PE}, {MINUS_ZERO, 0, 0, 0},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        set_xmm(b, 1, 0, cases[k].value);
        b->cpu.st.mxcsr = MXCSR_RESET;
        RUN_OK(b, "\xf3\x0f\x2d\xc1\xf3\x0f\x2c\xc9"); /* cvtss2si eax, xmm1; cvttss2si ecx, xmm1 */
        assert_int_equal(b->cpu.st.gpr[REG_EAX], cases[k].nearest);
        assert_int_equal(b->cpu.st.gpr[REG_ECX], cases[k].truncated);
        assert_int_equal(b->cpu.st.mxcsr & FP_EXCEPTIONS, cases[k].flags);
    }
}

/* --- RCPSS, RSQRTSS (SDM 2B): |relative error| <= 1.5 * 2^-12 --- */

static uint32_t approximate(struct fpu_bench *b, uint8_t opcode, uint32_t v)
{
    uint8_t code[] = {0xf3, 0x0f, opcode, 0xc1};
    set_xmm(b, 1, 0, v);
    b->cpu.st.mxcsr = 0; /* it raises nothing */
    assert_int_equal(bench_run(b, code, sizeof(code)), NO_FAULT);
    assert_int_equal(b->cpu.st.mxcsr, 0);
    return (uint32_t)b->cpu.st.xmm[0][0];
}

static double value_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, 4);
    return (double)f;
}

static void approximations_are_good_to_12_bits(void **state)
{
    struct fpu_bench *b = *state;
    double bound = 1.5 / 4096;
    for (uint32_t k = 0; k < 8192; k++) {
        uint32_t v = 0x3f000000 + k * 2053; /* 1/2 to 2, at all distances from the edges of the intervals */
        double x = value_of(v), r = value_of(approximate(b, 0x53, v)), q = value_of(approximate(b, 0x52, v));
        assert_true(r * x - 1 < bound && r * x - 1 > -bound);
        assert_true(q * q * x < (1 + bound) * (1 + bound) && q * q * x > (1 - bound) * (1 - bound));
    }
}

static void approximations_of_special_values(void **state)
{
    struct fpu_bench *b = *state;
    static const struct {
        uint32_t v, reciprocal, root;
    } cases[] = {
        {0, INF, INF}, {MINUS_ZERO, INF | MINUS_ZERO, INF | MINUS_ZERO}, {DENORMAL, INF, INF}, {INF, 0, 0},
        {INF | MINUS_ZERO, MINUS_ZERO, DEFAULT_NAN}, {SNAN_A, SNAN_A | 0x400000, SNAN_A | 0x400000},
        {QNAN_B, QNAN_B, QNAN_B},
    };
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        assert_int_equal(approximate(b, 0x53, cases[k].v), cases[k].reciprocal);
        assert_int_equal(approximate(b, 0x52, cases[k].v), cases[k].root);
    }
    assert_int_equal(approximate(b, 0x53, 0x7e800c02), 0); /* above 2^126: the tiny reciprocal is zero */
    assert_int_equal(approximate(b, 0x52, MINUS_ONE), DEFAULT_NAN);
}

/* --- the x87 state (SDM 3A 12.1, SDM 2A CVTPI2PS) --- */

static void mmx_forms_make_all_tags_valid(void **state)
{
    static const struct {
        uint8_t bytes[4];
        bool enters;
    } cases[] = {
        {{0x3e, 0x0f, 0xd7, 0xc1}, true},  /* pmovmskb eax, mm1 */
        {{0x3e, 0x0f, 0xf6, 0xc1}, true},  /* psadbw mm0, mm1 */
        {{0xf3, 0x0f, 0xd6, 0xc1}, true},  /* movq2dq xmm0, mm1 */
        {{0xf2, 0x0f, 0xd6, 0xc1}, true},  /* movdq2q mm0, xmm1 */
        {{0x3e, 0x0f, 0x2a, 0xc1}, true},  /* cvtpi2ps xmm0, mm1 */
        {{0x66, 0x0f, 0x2d, 0xc1}, true},  /* cvtpd2pi mm0, xmm1 */
        {{0x66, 0x0f, 0x2a, 0xc1}, true},  /* cvtpi2pd xmm0, mm1 */
        {{0x66, 0x0f, 0x2a, 0x01}, false}, /* cvtpi2pd xmm0, [ecx] */
        {{0x66, 0x0f, 0xd7, 0xc1}, false}, /* pmovmskb eax, xmm1 */
        {{0xf3, 0x0f, 0x2a, 0xc1}, false}, /* cvtsi2ss xmm0, ecx */
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        fpu_init(&b->cpu);
        b->cpu.st.x87.top = 5;
        b->cpu.st.gpr[REG_ECX] = DATA;
        assert_int_equal(bench_run(b, cases[k].bytes, 4), NO_FAULT);
        assert_int_equal(b->cpu.st.x87.empty, cases[k].enters ? 0 : 0xff);
        assert_int_equal(top(b), cases[k].enters ? 0 : 5);
        b->cpu.st.x87.status = FP_IE | FPU_ES | FPU_BUSY; /* pending */
        b->cpu.st.x87.control &= (uint16_t)~FP_IE;
        assert_int_equal(bench_run(b, cases[k].bytes, 4), cases[k].enters ? VEC_MF : NO_FAULT);
    }
}

/* --- FXSAVE, FXRSTOR (SDM 2A, table 3-43) --- */

static void the_image_holds_xmm_registers_and_mxcsr(void **state)
{
    struct fpu_bench *b = *state;
    for (unsigned n = 0; n < 8; n++)
        set_xmm(b, n, 0x1111111111111111u * n, 0x0123456789abcdefu + n);
    b->cpu.st.mxcsr = 0x9fc1;
    RUN_OK(b, "\x0f\xae\x05\x00\x01\x02\x00"); /* fxsave [DATA+256] */
    assert_int_equal(get(b, DATA + 0x118, 4), 0x9fc1);
    assert_int_equal(get(b, DATA + 0x11c, 4), 0xffff);
    for (unsigned n = 0; n < 8; n++) {
        assert_int_equal(get(b, DATA + 0x1a0 + 16 * n, 8), 0x0123456789abcdefu + n);
        assert_int_equal(get(b, DATA + 0x1a8 + 16 * n, 8), 0x1111111111111111u * n);
        set_xmm(b, n, 0, 0);
    }
    b->cpu.st.mxcsr = MXCSR_RESET;
    RUN_OK(b, "\x0f\xae\x0d\x00\x01\x02\x00"); /* fxrstor */
    assert_int_equal(b->cpu.st.mxcsr, 0x9fc1);
    assert_xmm(b, 7, 0x7777777777777777u, 0x0123456789abcdefu + 7);
}

static void fxrstor_refuses_reserved_bits_of_mxcsr(void **state)
{
    struct fpu_bench *b = *state;
    set_xmm(b, 3, 1, 2);
    RUN_OK(b, "\x0f\xae\x05\x00\x01\x02\x00");
    put(b, DATA + 0x118, 4, 0x10000);
    set_xmm(b, 3, 3, 4);
    assert_int_equal(RUN(b, "\x0f\xae\x0d\x00\x01\x02\x00"), VEC_GP);
    assert_xmm(b, 3, 3, 4);
    assert_int_equal(b->cpu.st.mxcsr, MXCSR_RESET);
}

/* Bytes 10-15 of each slot of a register are reserved; those from 464 on are left to software. */
static void the_image_has_zeros_behind_each_x87_register(void **state)
{
    struct fpu_bench *b = *state;
    for (unsigned n = 0; n < 512; n += 8)
        put(b, DATA + 0x100 + n, 8, ~(uint64_t)0);
    RUN_OK(b, "\x0f\xae\x05\x00\x01\x02\x00");
    for (unsigned n = 0; n < 8; n++) {
        assert_int_equal(get(b, DATA + 0x120 + 16 * n + 10, 4), 0);
        assert_int_equal(get(b, DATA + 0x120 + 16 * n + 14, 2), 0);
    }
    for (unsigned n = 464; n < 512; n += 8)
        assert_int_equal(get(b, DATA + 0x100 + n, 8), ~(uint64_t)0);
}

static void a_missing_image_is_a_fault_of_writing(void **state)
{
    struct fpu_bench *b = *state;
    enable_paging(b, (DATA + 0x1000) & ~(uint32_t)0xfff);
    assert_int_equal(RUN(b, "\x0f\xae\x05\x00\x0f\x02\x00"), VEC_PF); /* fxsave [DATA+0xf00] */
    assert_int_equal(get(b, STACK - 16, 4), 2); /* W, not present (SDM 3A figure 4-12) */
}

static void without_osfxsr_the_image_leaves_xmm_alone(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.cr4 &= ~(uint64_t)CR4_OSFXSR;
    set_xmm(b, 0, 1, 2);
    RUN_OK(b, "\x0f\xae\x05\x00\x01\x02\x00");
    assert_int_equal(get(b, DATA + 0x1a0, 8), 0);
    RUN_OK(b, "\x0f\xae\x0d\x00\x01\x02\x00");
    assert_xmm(b, 0, 1, 2);
}

/* --- models --- */

static uint64_t features_of(const char *text)
{
    struct cpu_model m;
    struct error err = {""};
    assert_int_equal(cpu_model_parse(text, &m, &err), EMU_OK);
    return m.features & (FEAT_MMX | FEAT_FXSR | FEAT_SSE | FEAT_SSE2);
}

static void models_and_features(void **state)
{
    struct cpu_model m;
    struct error err = {""};
    (void)state;
    assert_int_equal(features_of("pentium2"), FEAT_MMX | FEAT_FXSR);
    assert_int_equal(features_of("pentium3"), FEAT_MMX | FEAT_FXSR | FEAT_SSE);
    assert_int_equal(features_of("pentium4"), FEAT_MMX | FEAT_FXSR | FEAT_SSE | FEAT_SSE2);
    assert_int_equal(features_of("pentium4,-sse2"), FEAT_MMX | FEAT_FXSR | FEAT_SSE);
    assert_int_equal(features_of("pentium4,-sse"), FEAT_MMX | FEAT_FXSR);
    assert_int_equal(features_of("pentium4,-fxsr"), FEAT_MMX);
    assert_int_equal(features_of("pentiumpro,+sse2"), FEAT_MMX | FEAT_FXSR | FEAT_SSE | FEAT_SSE2);
    assert_int_equal(cpu_model_parse("pentium-mmx,+sse", &m, &err), EMU_UNSUPPORTED);
    assert_non_null(strstr(err.text, "sse"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)
#define TEST_P3(name) cmocka_unit_test_setup_teardown(name, setup_p3, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(xmm_instructions_need_osfxsr_and_no_em_and_no_ts),
        TEST(mmx_forms_do_not_need_osfxsr),
        TEST(cache_instructions_need_nothing),
        TEST_P3(without_the_feature_they_are_undefined),
        TEST(sixteen_byte_operands_must_be_aligned),
        TEST(alignment_goes_before_the_segment_limit),
        TEST(a_store_is_whole_or_not_at_all),
        TEST(masked_stores_touch_only_the_selected_bytes),
        TEST(a_masked_store_that_faults_writes_nothing),
        TEST(reset_gives_1f80_and_cleared_registers),
        TEST(ldmxcsr_refuses_reserved_bits),
        TEST_P3(the_pentium_iii_has_no_daz),
        TEST(setting_a_flag_whose_mask_is_clear_raises_nothing),
        TEST(an_unmasked_exception_is_xm_and_leaves_the_destination),
        TEST(memory_faults_go_before_numeric_ones),
        TEST(an_exception_before_computing_hides_those_after),
        TEST(an_unmasked_comparison_keeps_eflags),
        TEST(nans_are_chosen_by_position),
        TEST(min_and_max_return_the_second_operand),
        TEST(rounding_modes),
        TEST(denormals_and_the_two_ways_around_them),
        TEST(underflow_unmasked),
        TEST(comparison_predicates),
        TEST(conversions_to_integers),
        TEST(approximations_are_good_to_12_bits),
        TEST(approximations_of_special_values),
        TEST(mmx_forms_make_all_tags_valid),
        TEST(the_image_holds_xmm_registers_and_mxcsr),
        TEST(fxrstor_refuses_reserved_bits_of_mxcsr),
        TEST(the_image_has_zeros_behind_each_x87_register),
        TEST(a_missing_image_is_a_fault_of_writing),
        TEST(without_osfxsr_the_image_leaves_xmm_alone),
        cmocka_unit_test(models_and_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
