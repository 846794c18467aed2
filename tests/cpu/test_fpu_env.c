/*
 * The x87 as an operating system sees it: unmasked exceptions with #MF and with FERR#, device-not-available faults,
 * undefined opcodes, the saved images of FNSTENV, FNSAVE and FXSAVE in all their formats. Expected values come from
 * SDM volume 1 chapters 8.1 and 8.6 to 8.7, volume 2 (FXSAVE), volume 3A chapters 2.5 and 9.2.
 */
#include "tests/cpu/fpu_bench.h"

/* --- unmasked exceptions (SDM 1 8.6) --- */

/* 1.0 / 0.0 with zero divide unmasked. */
static void divide_by_zero(struct fpu_bench *b)
{
    set_control(b, 0x037b);
    RUN_OK(b, "\xd9\xee\xd9\xe8\xd8\xf1"); /* fldz; fld1; fdiv st(1) */
}

static void an_unmasked_exception_keeps_the_operands_and_sets_es(void **state)
{
    struct fpu_bench *b = *state;
    divide_by_zero(b);
    assert_int_equal(status(b), FPU_BUSY | 6 << 11 | FPU_ES | FP_ZE);
    assert_st_int(b, 0, 1);
    assert_false(b->ferr);
}

static void the_next_waiting_instruction_raises_mf(void **state)
{
    struct fpu_bench *b = *state;
    divide_by_zero(b);
    assert_int_equal(RUN(b, "\xd9\xe8"), VEC_MF); /* fld1 */
    assert_int_equal(top(b), 6);
    assert_int_equal(get(b, STACK - 12, 4), CODE); /* at that instruction; no error code */
    assert_int_equal(RUN(b, "\x9b"), VEC_MF); /* wait */
    assert_int_equal(RUN(b, "\xd9\x2d" AT_DATA), VEC_MF); /* fldcw waits, too */
    assert_int_equal(RUN(b, "\xd9\xd0"), VEC_MF); /* fnop */
}

static void instructions_with_fn_do_not_wait(void **state)
{
    struct fpu_bench *b = *state;
    divide_by_zero(b);
    RUN_OK(b, "\xdf\xe0"); /* fnstsw ax */
    assert_int_equal(b->cpu.st.gpr[REG_EAX] & 0xffff, FPU_BUSY | 6 << 11 | FPU_ES | FP_ZE);
    RUN_OK(b, "\xd9\x3d" AT_DATA); /* fnstcw */
    RUN_OK(b, "\xdb\xe0\xdb\xe1\xdb\xe4"); /* fneni, fndisi, fnsetpm do nothing */
    RUN_OK(b, "\xdb\xe2\xd9\xe8"); /* fnclex; fld1 */
    assert_int_equal(status(b), 5 << 11);
}

/* SDM 1 8.7.1: with CR0.NE = 0 the error goes out on a pin. */
static void without_ne_ferr_rises_and_no_mf_comes(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.cr0 &= ~(uint64_t)CR0_NE;
    divide_by_zero(b);
    assert_true(b->ferr);
    RUN_OK(b, "\x9b"); /* wait */
    RUN_OK(b, "\xdb\xe2"); /* fnclex */
    assert_false(b->ferr);
}

/* SDM 3A D.2.1.2: IGNNE# stays active until FERR# goes. */
static void ignne_lasts_as_long_as_ferr(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.cr0 &= ~(uint64_t)CR0_NE;
    cpu_set_ignne(&b->cpu, true);
    assert_int_equal(b->cpu.st.x87.ignne, 0);
    divide_by_zero(b);
    cpu_set_ignne(&b->cpu, true);
    assert_int_equal(b->cpu.st.x87.ignne, 1);
    RUN_OK(b, "\xdb\xe3"); /* fninit */
    assert_false(b->ferr);
    assert_int_equal(b->cpu.st.x87.ignne, 0);
}

/* SDM 1 8.1.5: unmasking a flag that is set makes it pending, masking it takes it back. */
static void fldcw_can_raise_and_withdraw_an_exception(void **state)
{
    struct fpu_bench *b = *state;
    RUN_OK(b, "\xd9\xee\xd9\xe8\xd8\xf1"); /* masked: infinity */
    assert_st(b, 0, 0x7fff, 0x8000000000000000u);
    assert_int_equal(status(b) & (FPU_BUSY | 0xff), FP_ZE);
    set_control(b, 0x037b);
    assert_int_equal(status(b) & (FPU_BUSY | 0xff), FPU_BUSY | FPU_ES | FP_ZE);
    assert_int_equal(RUN(b, "\xd9\xe8"), VEC_MF);
}

static void the_control_word_keeps_defined_bits_and_bit_6(void **state)
{
    struct fpu_bench *b = *state;
    set_control(b, 0xffff);
    assert_int_equal(b->cpu.st.x87.control, 0x1f7f);
    set_control(b, 0x003f);
    assert_int_equal(b->cpu.st.x87.control, 0x007f);
}

/* SDM 1 8.5.4, 8.5.5: a register gets the result with its exponent moved by 24576; memory gets nothing. */
static void an_unmasked_underflow_stores_a_scaled_result_in_registers_only(void **state)
{
    struct fpu_bench *b = *state;
    set_control(b, 0x036f);
    push_f80(b, 0x0001, 0x8000000000000000u);
    put(b, DATA, 4, 0x3f000000); /* 0.5f */
    RUN_OK(b, "\xd8\x0d" AT_DATA); /* fmul dword */
    assert_st(b, 0, 24576, 0x8000000000000000u);
    assert_int_equal(status(b) & (FPU_BUSY | 0xff), FPU_BUSY | FPU_ES | FP_UE);
    RUN_OK(b, "\xdb\xe2");
    put(b, DATA, 8, 0x1111);
    push_f80(b, 0x0001, 0x8000000000000001u);
    put(b, DATA, 8, 0x1111);
    RUN_OK(b, "\xdd\x1d" AT_DATA); /* fstp qword */
    assert_int_equal(get(b, DATA, 8), 0x1111);
    assert_int_equal(top(b), 6);
    assert_int_equal(status(b) & 0xff, FPU_ES | FP_UE);
}

/* Processors complete a load whose operand is an unmasked denormal, and report it. */
static void a_load_of_an_unmasked_denormal_pushes(void **state)
{
    struct fpu_bench *b = *state;
    set_control(b, 0x037d);
    put(b, DATA, 8, 1); /* 2^-1074 */
    RUN_OK(b, "\xdd\x05" AT_DATA);
    assert_st(b, 0, 0x3fff - 1074, 0x8000000000000000u);
    assert_int_equal(status(b) & 0xff, FPU_ES | FP_DE);
}

/* --- CR0 (SDM 3A 2.5, table 9-3) --- */

static void em_ts_and_mp_decide_between_the_unit_and_nm(void **state)
{
    static const struct { uint32_t cr0; int esc, wait; } cases[] = {
        {0, NO_FAULT, NO_FAULT},
        {CR0_MP, NO_FAULT, NO_FAULT},
        {CR0_TS, VEC_NM, NO_FAULT},
        {CR0_TS | CR0_MP, VEC_NM, VEC_NM},
        {CR0_EM, VEC_NM, NO_FAULT},
        {CR0_EM | CR0_TS, VEC_NM, NO_FAULT},
        {CR0_EM | CR0_TS | CR0_MP, VEC_NM, VEC_NM},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        b->cpu.st.cr0 = CR0_PE | CR0_ET | CR0_NE | cases[k].cr0;
        assert_int_equal(RUN(b, "\xd9\xd0"), cases[k].esc); /* fnop */
        assert_int_equal(RUN(b, "\xdb\xe3"), cases[k].esc); /* fninit */
        assert_int_equal(RUN(b, "\x9b"), cases[k].wait);
    }
}

/* SDM 3A 6.15, #NM before #MF: the pending exception may belong to another task. */
static void nm_goes_before_mf(void **state)
{
    struct fpu_bench *b = *state;
    divide_by_zero(b);
    b->cpu.st.cr0 |= CR0_TS | CR0_MP;
    assert_int_equal(RUN(b, "\xd9\xe8"), VEC_NM);
    assert_int_equal(RUN(b, "\x9b"), VEC_NM);
}

/* SDM 2D tables: reserved encodings. */
static void reserved_opcodes_are_undefined(void **state)
{
    static const uint8_t codes[][2] = {
        {0xd9, 0xd1}, {0xd9, 0xe2}, {0xd9, 0xe3}, {0xd9, 0xe6}, {0xd9, 0xef}, {0xda, 0xe0}, {0xda, 0xe8},
        {0xda, 0xea}, {0xdb, 0xe5}, {0xdb, 0xf8}, {0xdd, 0xf0}, {0xde, 0xd8}, {0xde, 0xda}, {0xdf, 0xe1},
        {0xdf, 0xf8}, {0xd9, 0x08}, {0xdb, 0x20}, {0xdb, 0x30}, {0xdd, 0x28},
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(codes); k++)
        assert_int_equal(bench_run(b, codes[k], 2), VEC_UD);
}

/* SDM 2A FCMOVcc, FCOMI: P6 and later, with CPUID.CMOV. */
static void fcmov_and_fcomi_need_cmov(void **state)
{
    static const uint8_t codes[][2] = {{0xda, 0xc0}, {0xdb, 0xd8}, {0xdb, 0xf0},
                                       {0xdb, 0xe8}, {0xdf, 0xf0}, {0xdf, 0xe8}};
    struct fpu_bench *b = bench_new("pentium");
    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(codes); k++)
        assert_int_equal(bench_run(b, codes[k], 2), VEC_UD);
    bench_free(b);
}

/* --- the environment (SDM 1 8.1.10) --- */

/* Leaves known pointers: FADD dword [DATA] at CODE, or in real mode at CODE:0 with DS = DATA. */
static void note_an_instruction(struct fpu_bench *b)
{
    fpu_init(&b->cpu);
    put(b, DATA, 4, 0);
    if (b->cpu.st.cr0 & CR0_PE)
        RUN_OK(b, "\xd8\x05" AT_DATA); /* fadd dword */
    else
        RUN_OK(b, "\xd8\x06\x00\x00");
}

/* Figure 8-9. The stack fault of the empty ST(0) leaves the default NaN in R0. */
static void fnstenv_32_bit_protected_mode(void **state)
{
    struct fpu_bench *b = *state;
    note_an_instruction(b);
    set_control(b, 0x037e);
    RUN_OK(b, "\xd9\x35\x00\x01\x02\x00"); /* fnstenv [DATA + 100] */
    assert_int_equal(get(b, DATA + 0x100, 4), 0xffff037e);
    assert_int_equal(get(b, DATA + 0x104, 4), 0xffff0000 | FPU_BUSY | FPU_ES | FPU_SF | FP_IE);
    assert_int_equal(get(b, DATA + 0x108, 4), 0xfffffffe);
    assert_int_equal(get(b, DATA + 0x10c, 4), CODE);
    assert_int_equal(get(b, DATA + 0x110, 4), 0x0005 << 16 | CODE_SELECTOR);
    assert_int_equal(get(b, DATA + 0x114, 4), DATA);
    assert_int_equal(get(b, DATA + 0x118, 2), DATA_SELECTOR);
    /* Afterwards everything is masked (SDM 2A FSTENV). */
    assert_int_equal(b->cpu.st.x87.control, 0x037f);
    assert_int_equal(status(b) & FPU_ES, 0);
}

/* Figure 8-11: no opcode. */
static void fnstenv_16_bit_protected_mode(void **state)
{
    static const uint16_t expected[7] = {0x037f, FPU_SF | FP_IE, 0xfffe, (uint16_t)CODE, CODE_SELECTOR,
                                         (uint16_t)DATA, DATA_SELECTOR};
    struct fpu_bench *b = *state;
    note_an_instruction(b);
    put(b, DATA + 0x10e, 2, 0x5555);
    RUN_OK(b, "\x66\xd9\x35\x00\x01\x02\x00");
    for (unsigned k = 0; k < 7; k++)
        assert_int_equal(get(b, DATA + 0x100 + 2 * k, 2), expected[k]);
    assert_int_equal(get(b, DATA + 0x10e, 2), 0x5555);
}

/* Figures 8-10 and 8-12: linear addresses, bits 16 and up next to the opcode. */
static void fnstenv_real_mode(void **state)
{
    static const uint16_t expected[7] = {0x037f, FPU_SF | FP_IE, 0xfffe, (uint16_t)CODE, (CODE >> 16) << 12 | 0x006,
                                         (uint16_t)DATA, (DATA >> 16) << 12};
    struct fpu_bench *b = *state;
    bench_real_mode(b);
    note_an_instruction(b);
    RUN_OK(b, "\xd9\x36\x00\x01"); /* fnstenv [100] */
    for (unsigned k = 0; k < 7; k++)
        assert_int_equal(get(b, DATA + 0x100 + 2 * k, 2), expected[k]);
    RUN_OK(b, "\x66\xd9\x36\x00\x01");
    assert_int_equal(get(b, DATA + 0x10c, 2), (uint16_t)CODE);
    assert_int_equal(get(b, DATA + 0x110, 4), (CODE >> 16) << 12 | 0x006);
    assert_int_equal(get(b, DATA + 0x114, 2), (uint16_t)DATA);
    assert_int_equal(get(b, DATA + 0x118, 4), (DATA >> 16) << 12);
}

/* SDM 1 figure 8-7: 00 valid, 01 zero, 10 special, 11 empty, two bits for each of R0 .. R7. */
static void tags_describe_the_physical_registers(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 1);                               /* R7 valid */
    push_int(b, 0);                               /* R6 zero */
    push_f80(b, 0x7fff, 0x8000000000000000u);     /* R5 infinity */
    push_f80(b, 0x0000, 1);                       /* R4 denormal */
    push_f80(b, 0x3fff, 0x4000000000000000u);     /* R3 unsupported */
    RUN_OK(b, "\xd9\x35\x00\x01\x02\x00");
    assert_int_equal(get(b, DATA + 0x108, 2), 0x1abf);
}

static void fldenv_loads_everything_but_the_registers(void **state)
{
    static const uint32_t words[7] = {0x0c7f, 0x3800 | FPU_C3, 0xbfff, 0x12345, 0x1c100023, 0x67890, 0x2b};
    struct fpu_bench *b = *state;
    push_f80(b, 0x4000, 0xc90fdaa22168c235u);
    for (unsigned k = 0; k < 7; k++)
        put(b, DATA + 4 * k, 4, words[k]);
    RUN_OK(b, "\xd9\x25" AT_DATA);
    assert_int_equal(b->cpu.st.x87.control, 0x0c7f);
    assert_int_equal(status(b), 0x3800 | FPU_C3);
    /* The tag "special" only tells full from empty; the register's contents make it "valid". */
    assert_st(b, 0, 0x4000, 0xc90fdaa22168c235u);
    RUN_OK(b, "\xd9\x35\x00\x01\x02\x00"); /* fnstenv */
    assert_int_equal(get(b, DATA + 0x108, 2), 0x3fff);
    assert_int_equal(get(b, DATA + 0x10c, 4), 0x12345);
    assert_int_equal(get(b, DATA + 0x110, 4), 0x04100023); /* an opcode of 11 bits */
    assert_int_equal(get(b, DATA + 0x114, 4), 0x67890);
    assert_int_equal(get(b, DATA + 0x118, 2), 0x2b);
}

/* SDM 2A FSAVE: registers follow the environment in stack order; then as FNINIT. */
static void fnsave_stores_and_initializes(void **state)
{
    static const unsigned sizes[] = {108, 94};
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < 2; k++) {
        unsigned first = DATA + 0x100 + sizes[k] - 80;
        push_f80(b, 0x4000, 0xc90fdaa22168c235u);
        push_int(b, -1);
        put(b, DATA + 0x100 + sizes[k], 2, 0x5555);
        if (k == 0)
            RUN_OK(b, "\xdd\x35\x00\x01\x02\x00");
        else
            RUN_OK(b, "\x66\xdd\x35\x00\x01\x02\x00");
        assert_int_equal(get(b, first, 8), 0x8000000000000000u);
        assert_int_equal(get(b, first + 8, 2), 0xbfff);
        assert_int_equal(get(b, first + 10, 8), 0xc90fdaa22168c235u);
        assert_int_equal(get(b, first + 18, 2), 0x4000);
        assert_int_equal(get(b, DATA + 0x100 + sizes[k], 2), 0x5555);
        assert_int_equal(status(b), 0);
        assert_int_equal(b->cpu.st.x87.empty, 0xff);
    }
}

static void frstor_brings_the_state_back(void **state)
{
    struct fpu_bench *b = *state;
    push_f80(b, 0x4000, 0xc90fdaa22168c235u);
    push_int(b, -1);
    set_control(b, 0x0f7e);
    struct cpu_x87 before = b->cpu.st.x87;
    RUN_OK(b, "\xdd\x35\x00\x01\x02\x00\xdd\x25\x00\x01\x02\x00"); /* fnsave; frstor */
    assert_memory_equal(&b->cpu.st.x87, &before, sizeof(before));
    RUN_OK(b, "\x66\xdd\x35\x00\x01\x02\x00\x66\xdd\x25\x00\x01\x02\x00");
    assert_st_int(b, 0, -1);
    assert_st(b, 1, 0x4000, 0xc90fdaa22168c235u);
    assert_int_equal(b->cpu.st.x87.control, 0x0f7e);
}

/*
 * Figures 8-10 and 8-12: the two formats of real mode. FCHS at CODE:4 was last, R0 holds the NaN of an empty operand
 * before it, -1 and pi are on the stack; the data pointer is FADD's.
 */
static void real_mode_state(struct fpu_bench *b)
{
    note_an_instruction(b);
    RUN_OK(b, "\xd9\xeb\xd9\xe8\xd9\xe0"); /* fldpi; fld1; fchs */
}

static void assert_state_image(struct fpu_bench *b, unsigned step)
{
    static const uint16_t expected[7] = {0x037f, 6 << 11 | FPU_SF | FP_IE, 0x0ffe, 4, (CODE >> 16) << 12 | 0x1e0,
                                         (uint16_t)DATA, (DATA >> 16) << 12};
    unsigned first = DATA + 0x100 + 7 * step;
    for (unsigned k = 0; k < 7; k++)
        assert_int_equal(get(b, DATA + 0x100 + k * step, 2), expected[k]);
    assert_int_equal(get(b, first, 8), 0x8000000000000000u);
    assert_int_equal(get(b, first + 8, 2), 0xbfff);
    assert_int_equal(get(b, first + 10, 8), 0xc90fdaa22168c235u);
    assert_int_equal(get(b, first + 18, 2), 0x4000);
    assert_int_equal(get(b, first + 20, 8), 0xc000000000000000u); /* R0, the third from the top */
    assert_int_equal(get(b, first + 28, 2), 0xffff);
    assert_int_equal(get(b, first + 80, 2), 0x5555);
}

static void fnsave_and_frstor_in_real_mode(void **state)
{
    struct fpu_bench *b = *state;
    for (unsigned wide = 0; wide < 2; wide++) {
        bench_real_mode(b);
        real_mode_state(b);
        struct cpu_x87 before = b->cpu.st.x87;
        put(b, DATA + 0x100 + (wide ? 108 : 94), 2, 0x5555);
        if (wide)
            RUN_OK(b, "\x66\xdd\x36\x00\x01"); /* fnsave [100] */
        else
            RUN_OK(b, "\xdd\x36\x00\x01");
        assert_state_image(b, wide ? 4 : 2);
        assert_int_equal(b->cpu.st.x87.empty, 0xff);
        if (wide)
            RUN_OK(b, "\x66\xdd\x26\x00\x01"); /* frstor [100] */
        else
            RUN_OK(b, "\xdd\x26\x00\x01");
        assert_st_int(b, 0, -1);
        assert_st(b, 1, 0x4000, 0xc90fdaa22168c235u);
        assert_int_equal(status(b), 6 << 11 | FPU_SF | FP_IE);
        assert_int_equal(b->cpu.st.x87.empty, before.empty);
        assert_int_equal(b->cpu.st.x87.opcode, 0x1e0);
        assert_int_equal(b->cpu.st.x87.ip, CODE + 4);
        assert_int_equal(b->cpu.st.x87.dp, DATA);
    }
}

/* SDM 1 8.1.8: which instructions move the pointers. */
static void control_instructions_leave_the_pointers(void **state)
{
    struct fpu_bench *b = *state;
    note_an_instruction(b);
    RUN_OK(b, "\x90\xdb\xe2\xdf\xe0\xd9\x3d" AT_DATA "\x9b"); /* fnclex; fnstsw ax; fnstcw; wait */
    set_control(b, 0x037f);
    assert_int_equal(b->cpu.st.x87.ip, CODE);
    assert_int_equal(b->cpu.st.x87.opcode, 0x005);
    RUN_OK(b, "\x90\xd9\xd0"); /* fnop: the instruction, not the operand */
    assert_int_equal(b->cpu.st.x87.ip, CODE + 1);
    assert_int_equal(b->cpu.st.x87.opcode, 0x1d0);
    assert_int_equal(b->cpu.st.x87.dp, DATA);
}

/* --- FXSAVE, FXRSTOR (SDM 2A FXSAVE, table 3-43) --- */

static void fxsave_writes_the_documented_layout(void **state)
{
    struct fpu_bench *b = *state;
    note_an_instruction(b);
    RUN_OK(b, "\xdb\xe2\x90");
    push_f80(b, 0xc000, 0xc90fdaa22168c235u); /* R7 */
    RUN_OK(b, "\x0f\xae\x05\x00\x01\x02\x00");
    assert_int_equal(get(b, DATA + 0x100, 2), 0x037f);
    assert_int_equal(get(b, DATA + 0x102, 2), 7 << 11);
    assert_int_equal(get(b, DATA + 0x104, 1), 0x81); /* R0 and R7 are full */
    assert_int_equal(get(b, DATA + 0x106, 2), 0x32d); /* fld tbyte [DATA] */
    assert_int_equal(get(b, DATA + 0x108, 4), CODE);
    assert_int_equal(get(b, DATA + 0x10c, 2), CODE_SELECTOR);
    assert_int_equal(get(b, DATA + 0x110, 4), DATA);
    assert_int_equal(get(b, DATA + 0x114, 2), DATA_SELECTOR);
    assert_int_equal(get(b, DATA + 0x120, 8), 0xc90fdaa22168c235u); /* ST(0) */
    assert_int_equal(get(b, DATA + 0x128, 2), 0xc000);
    assert_int_equal(get(b, DATA + 0x130, 8), 0xc000000000000000u); /* ST(1) = R0 */
}

/* It neither waits nor initializes, and FXRSTOR takes everything back. */
static void fxrstor_brings_the_state_back(void **state)
{
    struct fpu_bench *b = *state;
    divide_by_zero(b);
    struct cpu_x87 before = b->cpu.st.x87;
    RUN_OK(b, "\x0f\xae\x05\x00\x01\x02\x00");
    assert_memory_equal(&b->cpu.st.x87, &before, sizeof(before));
    RUN_OK(b, "\xdb\xe3\x0f\xae\x0d\x00\x01\x02\x00"); /* fninit; fxrstor */
    assert_memory_equal(&b->cpu.st.x87, &before, sizeof(before));
}

static void fxsave_checks_alignment_and_cr0(void **state)
{
    struct fpu_bench *b = *state;
    assert_int_equal(RUN(b, "\x0f\xae\x05\x08\x01\x02\x00"), VEC_GP);
    assert_int_equal(RUN(b, "\x0f\xae\x0d\x08\x01\x02\x00"), VEC_GP);
    b->cpu.st.cr0 |= CR0_TS;
    assert_int_equal(RUN(b, "\x0f\xae\x05\x00\x01\x02\x00"), VEC_NM);
    b->cpu.st.cr0 ^= CR0_TS | CR0_EM;
    assert_int_equal(RUN(b, "\x0f\xae\x05\x00\x01\x02\x00"), VEC_NM);
}

/* A fault anywhere in the image finds memory and registers unchanged. */
static void images_are_written_whole_or_not_at_all(void **state)
{
    struct fpu_bench *b = *state;
    push_int(b, 1);
    struct cpu_x87 before = b->cpu.st.x87;
    b->cpu.st.seg[SEG_DS].limit = DATA + 0x100 + 106;
    put(b, DATA + 0x100, 4, 0x5555);
    assert_int_equal(RUN(b, "\xdd\x35\x00\x01\x02\x00"), VEC_GP); /* fnsave */
    assert_int_equal(get(b, DATA + 0x100, 4), 0x5555);
    assert_memory_equal(&b->cpu.st.x87, &before, sizeof(before));
    assert_int_equal(RUN(b, "\xdd\x25\x00\x01\x02\x00"), VEC_GP); /* frstor */
    assert_memory_equal(&b->cpu.st.x87, &before, sizeof(before));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unmasked_exception_keeps_the_operands_and_sets_es),
        TEST(the_next_waiting_instruction_raises_mf),
        TEST(instructions_with_fn_do_not_wait),
        TEST(without_ne_ferr_rises_and_no_mf_comes),
        TEST(ignne_lasts_as_long_as_ferr),
        TEST(fldcw_can_raise_and_withdraw_an_exception),
        TEST(the_control_word_keeps_defined_bits_and_bit_6),
        TEST(an_unmasked_underflow_stores_a_scaled_result_in_registers_only),
        TEST(a_load_of_an_unmasked_denormal_pushes),
        TEST(em_ts_and_mp_decide_between_the_unit_and_nm),
        TEST(nm_goes_before_mf),
        TEST(reserved_opcodes_are_undefined),
        TEST(fnstenv_32_bit_protected_mode),
        TEST(fnstenv_16_bit_protected_mode),
        TEST(fnstenv_real_mode),
        TEST(tags_describe_the_physical_registers),
        TEST(fldenv_loads_everything_but_the_registers),
        TEST(fnsave_stores_and_initializes),
        TEST(frstor_brings_the_state_back),
        TEST(fnsave_and_frstor_in_real_mode),
        TEST(control_instructions_leave_the_pointers),
        TEST(fxsave_writes_the_documented_layout),
        TEST(fxrstor_brings_the_state_back),
        TEST(fxsave_checks_alignment_and_cr0),
        TEST(images_are_written_whole_or_not_at_all),
        cmocka_unit_test(fcmov_and_fcomi_need_cmov),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
