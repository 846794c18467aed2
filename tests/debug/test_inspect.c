/*
 * Looking at CPU and memory: registers, expressions, dumps, instructions. The forms are those of QEMU's
 * monitor (HMP: info registers, x, xp), where tools read them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/flags.h"
#include "debug/inspect.h"

enum { RAM_SIZE = 1 << 20, MAX_LINES = 32 };

struct fixture {
    struct cpu cpu;
    struct phys *phys;
    struct io_bus *io;
    struct clock clk;
    char line[MAX_LINES][256];
    unsigned lines;
};

static uint8_t no_interrupt(void *arg)
{
    (void)arg;
    return 0;
}

static void on_line(void *arg, const char *line)
{
    struct fixture *f = arg;
    assert_null(strchr(line, '\n'));
    if (f->lines < MAX_LINES)
        snprintf(f->line[f->lines++], sizeof(f->line[0]), "%s", line);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct phys_block *ram;
    struct cpu_model model;
    struct error err = {""};
    f->phys = calloc(1, sizeof(*f->phys));
    f->io = calloc(1, sizeof(*f->io));
    phys_init(f->phys);
    io_bus_init(f->io);
    clock_init(&f->clk, 65536);
    if (phys_block_new(f->phys, "ram", RAM_SIZE, false, &ram, &err) || cpu_model_parse("pentium3", &model, &err))
        return -1;
    phys_map(f->phys, 0, RAM_SIZE, phys_region_memory(f->phys, "ram", ram, 0, 0, RAM_SIZE), PHYS_RW);
    struct cpu_wiring w = {.clk = &f->clk, .phys = f->phys, .io = f->io, .intack = no_interrupt};
    *state = f;
    return cpu_init(&f->cpu, "cpu", &model, CORE_REFERENCE, w, &err) ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    f->cpu.dev.cls->close(&f->cpu);
    phys_free(f->phys);
    free(f->phys);
    free(f->io);
    free(f);
    return 0;
}

/* --- registers --- */

/* SDM 3A table 9-1, in QEMU's lines. */
static void reset_state_prints_as_qemu_prints_it(void **state)
{
    struct fixture *f = *state;
    inspect_registers(&f->cpu, on_line, f);
    assert_memory_equal(f->line[0], "EAX=00000000 EBX=00000000 ECX=00000000 EDX=", 43);
    assert_string_equal(f->line[1], "ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000");
    assert_string_equal(f->line[2], "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0");
    assert_string_equal(f->line[3], "ES =0000 00000000 0000ffff 00009300");
    assert_string_equal(f->line[4], "CS =f000 ffff0000 0000ffff 00009300");
    assert_string_equal(f->line[9], "LDT=0000 00000000 0000ffff 00008200");
    assert_string_equal(f->line[10], "TR =0000 00000000 0000ffff 00008b00");
    assert_string_equal(f->line[11], "GDT=     00000000 0000ffff");
    assert_string_equal(f->line[12], "IDT=     00000000 0000ffff");
    assert_string_equal(f->line[13], "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000");
    assert_string_equal(f->line[15], "DR6=ffff0ff0 DR7=00000400");
}

static void flags_are_letters_and_a20_halt_and_shadow_are_shown(void **state)
{
    struct fixture *f = *state;
    cpu_set_eflags(&f->cpu, FLAG_CF | FLAG_ZF | FLAG_DF | FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF);
    f->cpu.st.halted = 1;
    f->cpu.st.inhibit = INHIBIT_STI;
    f->cpu.st.cpl = 3;
    phys_set_a20(f->phys, false);
    inspect_registers(&f->cpu, on_line, f);
    assert_string_equal(f->line[2], "EIP=0000fff0 EFL=00000cd7 [DOSZAPC] CPL=3 II=1 A20=0 SMM=0 HLT=1");
}

/* Descriptor bits 40-47 and 52-55 where the second dword has them. */
static void flat_segments_show_granularity_and_size(void **state)
{
    struct fixture *f = *state;
    f->cpu.st.seg[SEG_CS] = (struct cpu_seg){.limit = 0xffffffff, .selector = 8, .attr = 0xc09b};
    inspect_registers(&f->cpu, on_line, f);
    assert_string_equal(f->line[4], "CS =0008 00000000 ffffffff 00c09b00");
}

static void the_x87_line_has_top_in_the_status_and_valid_bits(void **state)
{
    struct fixture *f = *state;
    f->cpu.st.x87.top = 7;
    f->cpu.st.x87.status = 0x4100;
    f->cpu.st.x87.control = 0x37f;
    f->cpu.st.x87.empty = 0x7f;
    f->cpu.st.x87.mant[7] = 0x8000000000000000ull;
    f->cpu.st.x87.se[7] = 0x3fff;
    inspect_registers(&f->cpu, on_line, f);
    assert_string_equal(f->line[17], "FCW=037f FSW=7900 [ST=7] FTW=80 MXCSR=00001f80");
    assert_non_null(strstr(f->line[21], "FPR7=8000000000000000 3fff"));
}

/* --- expressions --- */

static uint64_t eval(struct fixture *f, const char *text)
{
    uint64_t v = 0;
    struct error err = {""};
    if (inspect_expr(&f->cpu, text, &v, &err))
        fail_msg("%s", err.text);
    return v;
}

static void numbers_registers_and_operators_combine(void **state)
{
    struct fixture *f = *state;
    f->cpu.st.gpr[REG_EAX] = 0x12345678;
    f->cpu.st.gpr[REG_ESP] = 0x7000;
    assert_int_equal(eval(f, "10"), 10);
    assert_int_equal(eval(f, "0x10"), 16);
    assert_int_equal(eval(f, "010"), 8);
    assert_int_equal(eval(f, "$eax"), 0x12345678);
    assert_int_equal(eval(f, "$ax"), 0x5678);
    assert_int_equal(eval(f, "$ESP + 2*8"), 0x7010);
    assert_int_equal(eval(f, " ( 1 + 2 ) * 3 "), 9);
    assert_int_equal(eval(f, "1+2*3"), 7);
    assert_int_equal(eval(f, "100/7%4"), 2);
    assert_int_equal(eval(f, "0xff00 & 0x0ff0 | 1"), 0x0f01);
    assert_int_equal(eval(f, "6 ^ 3"), 5);
    assert_true(eval(f, "-1") == UINT64_MAX);
    assert_true(eval(f, "~0xf") == ~(uint64_t)0xf);
    assert_int_equal(eval(f, "$cr0"), 0x60000010);
    assert_int_equal(eval(f, "$eflags"), 2);
}

static void segment_colon_offset_uses_the_base(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(eval(f, "0xb800:0x10"), 0xb8010);
    assert_int_equal(eval(f, "0xf000:0xfff0"), 0xffff0);      /* real mode: selector * 16 */
    assert_int_equal(eval(f, "$cs:$eip"), 0xfffffff0);        /* the loaded base, as after reset */
    assert_int_equal(eval(f, "$pc"), 0xfffffff0);
    f->cpu.st.cr0 |= 1;
    f->cpu.st.seg[SEG_DS] = (struct cpu_seg){.base = 0x100000, .limit = 0xffff, .selector = 0x10, .attr = 0x93};
    assert_int_equal(eval(f, "0x10:4"), 0x100004); /* a selector that is loaded */
}

static void a_wrong_expression_is_one_sentence(void **state)
{
    static const char *const wrong[] = {"", "1+", "(1", "1)", "$nosuch", "foo", "1/0", "1%0", "$", "1 2", "((((((((((((((((((((((((((((((((((((1",
                                        "1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1",
                                        "----------------------------------------------------1"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        uint64_t v;
        struct error err = {""};
        assert_int_equal(inspect_expr(&f->cpu, wrong[i], &v, &err), EMU_ARG);
        assert_true(strlen(err.text) > 0);
    }
}

/* --- memory --- */

static void dump(struct fixture *f, bool physical, const char *fmt, const char *expr)
{
    struct error err = {""};
    f->lines = 0;
    if (inspect_memory(&f->cpu, physical, fmt, expr, on_line, f, &err))
        fail_msg("%s", err.text);
}

static void memory_prints_in_qemu_s_columns(void **state)
{
    struct fixture *f = *state;
    phys_write_bytes(f->phys, 0x1000, "\x55\xaa\x01\x80\xff\xff\xff\xff\x0a\x00\x00\x00'\\\n\x7f", 16);
    dump(f, false, "", "0x1000");
    assert_string_equal(f->line[0], "00001000: 0x8001aa55");
    dump(f, false, "5xw", "0x1000");
    assert_string_equal(f->line[0], "00001000: 0x8001aa55 0xffffffff 0x0000000a 0x7f0a5c27");
    assert_string_equal(f->line[1], "00001010: 0x00000000");
    dump(f, false, "10xb", "0x1000");
    assert_string_equal(f->line[0], "00001000: 0x55 0xaa 0x01 0x80 0xff 0xff 0xff 0xff");
    assert_string_equal(f->line[1], "00001008: 0x0a 0x00");
    dump(f, false, "2dh", "0x1000");
    assert_string_equal(f->line[0], "00001000: -21931 -32767");
    dump(f, false, "2uw", "0x1004");
    assert_string_equal(f->line[0], "00001004: 4294967295         10");
    dump(f, false, "1ob", "0x1008");
    assert_string_equal(f->line[0], "00001008: 012");
    dump(f, false, "gx", "0x1000");
    assert_string_equal(f->line[0], "00001000: 0xffffffff8001aa55");
    dump(f, false, "4c", "0x100c");
    assert_string_equal(f->line[0], "0000100c: '\\'' '\\\\' '\\n' '\\x7f'");
}

static void physical_addresses_have_sixteen_digits(void **state)
{
    struct fixture *f = *state;
    phys_write(f->phys, 0x1000, 0xaa55, 2);
    dump(f, true, "1xh", "0x1000");
    assert_string_equal(f->line[0], "0000000000001000: 0xaa55");
}

static void strings_end_at_zero_and_stay_on_their_line(void **state)
{
    struct fixture *f = *state;
    phys_write_bytes(f->phys, 0x1000, "Hello\n\x1b!\0World\0", 15);
    dump(f, false, "2s", "0x1000");
    assert_string_equal(f->line[0], "00001000: \"Hello..!\"");
    assert_string_equal(f->line[1], "00001009: \"World\"");
}

static void instructions_follow_the_code_size_or_the_format(void **state)
{
    struct fixture *f = *state;
    phys_write_bytes(f->phys, 0x1000, "\xb8\x01\x00\x00\x00\xc3", 6);
    dump(f, false, "2i", "0x1000"); /* 16-bit after reset */
    assert_string_equal(f->line[0], "0x00001000:  b8 01 00                 mov ax, 1");
    assert_string_equal(f->line[1], "0x00001003:  00 00                    add [bx+si], al");
    dump(f, false, "2iw", "0x1000");
    assert_string_equal(f->line[0], "0x00001000:  b8 01 00 00 00           mov eax, 1");
    assert_string_equal(f->line[1], "0x00001005:  c3                       ret");
    f->cpu.st.seg[SEG_CS].attr |= SEG_ATTR_DB;
    dump(f, false, "i", "0x1000");
    assert_string_equal(f->line[0], "0x00001000:  b8 01 00 00 00           mov eax, 1");
}

static void branch_targets_are_offsets_in_the_code_segment(void **state)
{
    struct fixture *f = *state;
    char text[100];
    f->cpu.st.seg[SEG_CS] = (struct cpu_seg){.base = 0x10000, .limit = 0xffff, .selector = 0x1000, .attr = 0x93};
    phys_write_bytes(f->phys, 0x10100, "\xeb\xfe", 2);
    assert_int_equal(inspect_insn(&f->cpu, 0x10100, false, text, sizeof(text)), 2);
    assert_string_equal(text, "eb fe                    jmp 0x100");
}

/* Linear 0x0000-0x0fff is mapped, the next page is not (SDM 3A 4.3). */
static void unmapped_memory_is_a_sentence_and_an_instruction_may_end_at_it(void **state)
{
    struct fixture *f = *state;
    uint64_t before = f->cpu.st.cr2;
    struct error err = {""};
    char text[100];
    phys_write(f->phys, 0x10000, 0x11003, 4);
    phys_write(f->phys, 0x11000, 0x5003, 4);
    phys_write_bytes(f->phys, 0x5fff, "\x90", 1);
    f->cpu.st.cr3 = 0x10000;
    f->cpu.st.cr0 |= 0x80000001u;
    cpu_sync(&f->cpu);
    cpu_state_changed(&f->cpu);
    dump(f, false, "1xb", "0xfff");
    assert_string_equal(f->line[0], "00000fff: 0x90");
    assert_int_equal(inspect_memory(&f->cpu, false, "1xw", "0xffe", on_line, f, &err), EMU_ARG);
    assert_non_null(strstr(err.text, "Cannot access memory"));
    assert_int_equal(inspect_insn(&f->cpu, 0xfff, false, text, sizeof(text)), 1);
    assert_string_equal(text + 25, "nop");
    assert_int_equal(inspect_insn(&f->cpu, 0x1000, false, text, sizeof(text)), 1);
    assert_string_equal(text, "(not mapped)");
    assert_int_equal(f->cpu.st.cr2, before); /* looking leaves no trace */
    assert_int_equal(phys_read(f->phys, 0x11000, 4), 0x5003); /* nor A bits */
}

static void linear_addresses_wrap_at_four_gigabytes(void **state)
{
    struct fixture *f = *state;
    phys_write_bytes(f->phys, 0, "\x34\x12", 2);
    dump(f, false, "2xw", "0xfffffffe");
    assert_string_equal(f->line[0], "fffffffe: 0x1234ffff 0x00000000");
    dump(f, false, "xb", "0x100000000");
    assert_string_equal(f->line[0], "00000000: 0x34");
}

static void a_wrong_format_is_one_sentence(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"4z", "4x4", "x-1", "!"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct error err = {""};
        assert_int_equal(inspect_memory(&f->cpu, false, wrong[i], "0", on_line, f, &err), EMU_ARG);
        assert_true(strlen(err.text) > 0);
    }
}

static void a_short_buffer_for_an_instruction_is_not_overrun(void **state)
{
    struct fixture *f = *state;
    for (size_t len = 0; len < 40; len++) {
        char text[64];
        memset(text, 0x55, sizeof(text));
        inspect_insn(&f->cpu, 0x1000, false, text, len);
        assert_int_equal(text[len], 0x55);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(reset_state_prints_as_qemu_prints_it),
        TEST(flags_are_letters_and_a20_halt_and_shadow_are_shown),
        TEST(flat_segments_show_granularity_and_size),
        TEST(the_x87_line_has_top_in_the_status_and_valid_bits),
        TEST(numbers_registers_and_operators_combine),
        TEST(segment_colon_offset_uses_the_base),
        TEST(a_wrong_expression_is_one_sentence),
        TEST(memory_prints_in_qemu_s_columns),
        TEST(physical_addresses_have_sixteen_digits),
        TEST(strings_end_at_zero_and_stay_on_their_line),
        TEST(instructions_follow_the_code_size_or_the_format),
        TEST(branch_targets_are_offsets_in_the_code_segment),
        TEST(unmapped_memory_is_a_sentence_and_an_instruction_may_end_at_it),
        TEST(linear_addresses_wrap_at_four_gigabytes),
        TEST(a_wrong_format_is_one_sentence),
        TEST(a_short_buffer_for_an_instruction_is_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
