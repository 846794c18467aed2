/*
 * The run loop and the reference tier on a CPU with memory and ports only: reset, counting, interrupt
 * windows, HLT, repeated strings, fetches and accesses at the borders of pages and segments, breakpoints.
 * Expected behaviour: SDM 3A chapters 5, 6, 9; SDM 2B REP; 80286PRM; 8086 Family User's Manual.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "cpu/exec.h"
#include "mmu/access.h"

enum { RAM = 4 << 20, CODE = 0x10000, HANDLER = 0x500, VECTOR = 0x40 };

struct fixture {
    struct cpu cpu;
    struct phys *phys;
    struct io_bus *io;
    struct clock clk;
    unsigned acknowledged;
};

static uint8_t acknowledge(void *arg)
{
    struct fixture *f = arg;
    f->acknowledged++;
    cpu_set_intr(&f->cpu, 0, false);
    return VECTOR;
}

/* A CPU in real mode at CODE:0 with SS:SP = 0:8000, all vectors at 0:HANDLER (an IRET). */
static struct fixture *machine(const char *model)
{
    struct error err;
    struct cpu_model m;
    struct fixture *f = calloc(1, sizeof(*f));
    f->phys = calloc(1, sizeof(*f->phys));
    f->io = calloc(1, sizeof(*f->io));
    phys_init(f->phys);
    io_bus_init(f->io);
    clock_init(&f->clk, 65536);
    struct phys_block *ram;
    assert_int_equal(phys_block_new(f->phys, "ram", RAM, false, &ram, &err), EMU_OK);
    phys_map(f->phys, 0, RAM, phys_region_memory(f->phys, "ram", ram, 0, 0, RAM), PHYS_RW);
    assert_int_equal(cpu_model_parse(model, &m, &err), EMU_OK);
    struct cpu_wiring w = {.clk = &f->clk, .phys = f->phys, .io = f->io, .intack = acknowledge,
                           .intack_arg = f, .tsc_hz = 1000000};
    assert_int_equal(cpu_init(&f->cpu, "cpu", &m, CORE_REFERENCE, w, &err), EMU_OK);
    for (unsigned v = 0; v < 256; v++)
        phys_write(f->phys, v * 4, HANDLER, 4);
    phys_write(f->phys, HANDLER, 0xcf, 1);
    seg_load_real(&f->cpu, SEG_CS, CODE >> 4);
    f->cpu.st.eip = 0;
    f->cpu.st.gpr[REG_ESP] = 0x8000;
    return f;
}

static void done(struct fixture *f)
{
    cpu_class.close(&f->cpu);
    phys_free(f->phys);
    free(f->phys);
    free(f->io);
    free(f);
}

static void put(struct fixture *f, paddr at, const char *bytes, size_t n) { phys_write_bytes(f->phys, at, bytes, n); }
#define PUT(f, at, bytes) put(f, at, bytes, sizeof(bytes) - 1)

/* Runs n instructions' worth. */
static enum cpu_stop run(struct fixture *f, uint64_t n)
{
    uint64_t limit = f->clk.st.icount + n;
    return cpu_run(&f->cpu, limit);
}

static void the_state_description_covers_the_state_exactly(void **state)
{
    (void)state;
    struct error err = {""};
    if (state_check(cpu_class.state, &err))
        fail_msg("%s", err.text);
}

/* SDM 3A table 9-1; 80286PRM 10.2; 8086: FFFF:0000. */
static void reset_starts_at_the_top_of_the_address_space(void **state)
{
    (void)state;
    static const struct { const char *model; uint32_t pc; uint16_t cs; } cases[] = {
        {"8086", 0xffff0, 0xffff}, {"286", 0xfffff0, 0xf000}, {"386", 0xfffffff0, 0xf000}, {"pentium", 0xfffffff0, 0xf000},
    };
    for (unsigned k = 0; k < 4; k++) {
        struct fixture *f = machine(cases[k].model);
        cpu_class.reset(&f->cpu, RESET_HARD);
        assert_int_equal(cpu_pc(&f->cpu), cases[k].pc);
        assert_int_equal(f->cpu.st.seg[SEG_CS].selector, cases[k].cs);
        assert_int_equal(cpu_eflags(&f->cpu) & 0xfff, 2);
        done(f);
    }
}

static void the_run_ends_exactly_at_its_limit(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\x40\x40\x40\xeb\xfb"); /* inc ax x3; jmp -5 */
    assert_int_equal(run(f, 10), CPU_LIMIT);
    assert_int_equal(f->clk.st.icount, 10);
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 8);
    assert_int_equal(f->cpu.st.eip, 2);
    done(f);
}

/* SDM 2B STI: the instruction after STI runs before an interrupt is taken. */
static void sti_lets_one_more_instruction_run(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\xfb\x40\x43"); /* sti; inc ax; inc bx */
    cpu_set_intr(&f->cpu, 0, true);
    run(f, 3); /* sti, inc ax, the handler's IRET */
    assert_int_equal(f->acknowledged, 1);
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 1);
    assert_int_equal(f->cpu.st.gpr[REG_EBX], 0);
    done(f);
}

/* SDM 3A 6.8.3: MOV SS inhibits interrupts until after the next instruction. */
static void mov_ss_holds_off_interrupts_and_nmi(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\x8e\xd0\x89\xc4\x43"); /* mov ss, ax; mov sp, ax; inc bx */
    f->cpu.st.eflags |= FLAG_IF;
    f->cpu.st.gpr[REG_EAX] = 0x700;
    run(f, 1);
    cpu_set_intr(&f->cpu, 0, true);
    cpu_set_nmi(&f->cpu, 0, true);
    run(f, 1);
    assert_int_equal(f->cpu.st.eip, 4);
    assert_int_equal(f->acknowledged, 0);
    run(f, 1);
    assert_int_equal(f->cpu.st.eip, 4); /* NMI taken, its IRET ran */
    assert_int_equal(f->cpu.st.nmi_pending, 0);
    done(f);
}

static void hlt_waits_for_an_interrupt_and_goes_on_behind_it(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\xfb\xf4\x40"); /* sti; hlt; inc ax */
    assert_int_equal(run(f, 100), CPU_HALTED);
    assert_int_equal(f->clk.st.icount, 2);
    assert_int_equal(run(f, 100), CPU_HALTED);
    cpu_set_intr(&f->cpu, 0, true);
    run(f, 2); /* IRET, inc ax */
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 1);
    done(f);
}

/* SDM 3A 6.7.1: no further NMI until IRET. */
static void a_second_nmi_waits_for_iret(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\x90\x90\x90\x90");
    PUT(f, HANDLER, "\x43\xcf"); /* inc bx; iret */
    cpu_set_nmi(&f->cpu, 0, true);
    run(f, 1);
    cpu_set_nmi(&f->cpu, 0, false);
    cpu_set_nmi(&f->cpu, 0, true);
    assert_int_equal(f->cpu.st.nmi_blocked, 1);
    run(f, 2); /* iret, then the second NMI's inc bx */
    assert_int_equal(f->cpu.st.gpr[REG_EBX], 2);
    done(f);
}

/* An interrupt line that never falls must not stop the program for good. */
static void a_stuck_interrupt_line_still_lets_time_pass(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, HANDLER, "\xfb\xeb\xfd"); /* sti; jmp -3 */
    PUT(f, CODE, "\xfb\xeb\xfd");
    f->cpu.w.intack_arg = f;
    for (unsigned k = 0; k < 1000; k++) {
        cpu_set_intr(&f->cpu, 0, true);
        assert_int_equal(run(f, 1), CPU_LIMIT);
    }
    assert_int_equal(f->clk.st.icount, 1000);
    done(f);
}

static void rep_movs_retires_one_chunk_per_page(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\xf3\xa4\x40"); /* rep movsb; inc ax */
    for (unsigned k = 0; k < 0x1800; k++)
        phys_write(f->phys, 0x20800 + k, k * 7 & 0xff, 1);
    seg_load_real(&f->cpu, SEG_DS, 0x2080);
    seg_load_real(&f->cpu, SEG_ES, 0x3000);
    f->cpu.st.gpr[REG_ECX] = 0x1800;
    run(f, 1); /* source page ends after 800 bytes */
    assert_int_equal(f->cpu.st.gpr[REG_ECX], 0x1000);
    assert_int_equal(f->cpu.st.eip, 0);
    run(f, 1); /* destination page */
    assert_int_equal(f->cpu.st.gpr[REG_ECX], 0x800);
    run(f, 1);
    assert_int_equal(f->cpu.st.gpr[REG_ECX], 0);
    assert_int_equal(f->cpu.st.eip, 2);
    for (unsigned k = 0; k < 0x1800; k++)
        assert_int_equal(phys_read(f->phys, 0x30000 + k, 1), k * 7 & 0xff);
    done(f);
}

/* SDM 2B MOVS: elements are moved one after the other, so that an overlap replicates. */
static void overlapping_rep_movs_replicates_its_pattern(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\xf3\xa4");
    PUT(f, 0x20000, "AB");
    seg_load_real(&f->cpu, SEG_DS, 0x2000);
    seg_load_real(&f->cpu, SEG_ES, 0x2000);
    f->cpu.st.gpr[REG_EDI] = 2;
    f->cpu.st.gpr[REG_ECX] = 10;
    run(f, 1);
    char text[13] = "";
    phys_read_bytes(f->phys, 0x20000, text, 12);
    assert_string_equal(text, "ABABABABABAB");
    done(f);
}

/* SDM 2B REP: the count alone ends MOVS, wherever a 32-bit index starts. The segment's base is not that of a page. */
static void string_indexes_start_at_either_end_of_32_bits(void **state)
{
    (void)state;
    static const struct { const char *code; uint32_t edi, after; } cases[] = {
        {"\xfc\x67\xf3\xa4", 0, 4},                       /* cld; a32 rep movsb */
        {"\xfd\x67\xf3\xa4", 0xffffffff, 0xfffffffb},     /* std */
    };
    for (unsigned k = 0; k < 2; k++) {
        struct fixture *f = machine("386");
        put(f, CODE, cases[k].code, 4);
        put(f, 0x20000, "abcd", 4);
        seg_load_real(&f->cpu, SEG_DS, 0x2000);
        seg_load_real(&f->cpu, SEG_ES, 0x3061);
        f->cpu.st.seg[SEG_ES].limit = 0xffffffff;
        f->cpu.st.gpr[REG_ESI] = k ? 3 : 0;
        f->cpu.st.gpr[REG_EDI] = cases[k].edi;
        f->cpu.st.gpr[REG_ECX] = 4;
        run(f, 2);
        assert_int_equal(f->cpu.st.gpr[REG_ECX], 0);
        assert_int_equal(f->cpu.st.eip, 4);
        assert_int_equal((uint32_t)f->cpu.st.gpr[REG_EDI], cases[k].after);
        char text[5] = "";
        phys_read_bytes(f->phys, k ? 0x30610 - 4 : 0x30610, text, 4);
        assert_string_equal(text, "abcd");
        done(f);
    }
}

/* SDM 2A ENTER: with 32-bit operands FrameTemp is ESP, not SP, whatever the stack's size. */
static void enter_with_32_bits_copies_all_of_esp(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    put(f, CODE, "\x66\xc8\x00\x00\x01", 5); /* o32 enter 0, 1 */
    f->cpu.st.gpr[REG_ESP] = 0x00905000;
    f->cpu.st.gpr[REG_EBP] = 0x12345678;
    run(f, 1);
    uint32_t pushed[2];
    phys_read_bytes(f->phys, (uint32_t)f->cpu.st.seg[SEG_SS].base + 0x4ff8, pushed, 8);
    assert_int_equal(f->cpu.st.gpr[REG_EBP], 0x00904ffc);
    assert_int_equal(f->cpu.st.gpr[REG_ESP], 0x00904ff8);
    assert_int_equal(load_le32((const uint8_t *)&pushed[0]), 0x00904ffc);
    assert_int_equal(load_le32((const uint8_t *)&pushed[1]), 0x12345678);
    done(f);
}

static void backward_rep_movsw_and_stosd_fill_downwards(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\xfd\xf3\xa5\x66\xf3\xab"); /* std; rep movsw; rep stosd */
    PUT(f, 0x20100, "abcdef");
    seg_load_real(&f->cpu, SEG_DS, 0x2000);
    seg_load_real(&f->cpu, SEG_ES, 0x2000);
    f->cpu.st.gpr[REG_ESI] = 0x104;
    f->cpu.st.gpr[REG_EDI] = 0x204;
    f->cpu.st.gpr[REG_ECX] = 3;
    run(f, 2);
    char text[7] = "";
    phys_read_bytes(f->phys, 0x20200, text, 6);
    assert_string_equal(text, "abcdef");
    assert_int_equal(f->cpu.st.gpr[REG_EDI], 0x1fe);
    f->cpu.st.gpr[REG_EAX] = 0x11223344;
    f->cpu.st.gpr[REG_ECX] = 2;
    run(f, 1);
    assert_int_equal(phys_read(f->phys, 0x201fe, 4), 0x11223344);
    assert_int_equal(phys_read(f->phys, 0x201fa, 4), 0x11223344);
    done(f);
}

static void repne_scasb_stops_behind_the_match(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\xf2\xae");
    PUT(f, 0x20000, "hello, world");
    seg_load_real(&f->cpu, SEG_ES, 0x2000);
    f->cpu.st.gpr[REG_EAX] = ',';
    f->cpu.st.gpr[REG_ECX] = 100;
    run(f, 1);
    assert_int_equal(f->cpu.st.gpr[REG_EDI], 6);
    assert_int_equal(f->cpu.st.gpr[REG_ECX], 94);
    assert_true(cpu_eflags(&f->cpu) & FLAG_ZF);
    done(f);
}

/* SDM 3B 17.3.1.4: single-step traps come after each iteration. */
static void single_step_traps_every_iteration(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\xf3\xaa\x90");
    PUT(f, HANDLER, "\x43\xcf"); /* inc bx; iret */
    seg_load_real(&f->cpu, SEG_ES, 0x2000);
    f->cpu.st.gpr[REG_ECX] = 3;
    f->cpu.st.eflags |= FLAG_TF;
    cpu_state_changed(&f->cpu);
    run(f, 3 * 4); /* iteration, trap, inc bx, iret */
    assert_int_equal(f->cpu.st.gpr[REG_ECX], 0);
    assert_int_equal(f->cpu.st.gpr[REG_EBX], 3);
    done(f);
}

/* 286 and later: an operand over the end of the segment is #GP; the 8086 wraps. */
static void words_at_ffff_wrap_on_the_8086_only(void **state)
{
    (void)state;
    struct fixture *f = machine("8086");
    PUT(f, CODE, "\xa1\xff\xff"); /* mov ax, [ffff] */
    phys_write(f->phys, 0x20000, 0x12, 1);
    phys_write(f->phys, 0x2ffff, 0x34, 1);
    seg_load_real(&f->cpu, SEG_DS, 0x2000);
    run(f, 1);
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 0x1234);
    done(f);
    f = machine("386");
    PUT(f, CODE, "\xa1\xff\xff");
    phys_write(f->phys, VEC_GP * 4, 0x600, 4);
    run(f, 1);
    assert_int_equal(f->cpu.st.eip, 0x600);
    assert_int_equal(phys_read(f->phys, 0x7ffa, 2), 0); /* return to the instruction */
    done(f);
}

static void instructions_may_cross_pages(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE + 0xffe, "\x66\xb8\x78\x56\x34\x12"); /* mov eax, 12345678 */
    f->cpu.st.eip = 0xffe;
    run(f, 1);
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 0x12345678);
    assert_int_equal(f->cpu.st.eip, 0x1004);
    done(f);
}

/* SDM 3A 6.15 #GP: code beyond the limit. */
static void running_over_the_end_of_cs_is_gp(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE + 0xffff, "\x90");
    phys_write(f->phys, VEC_GP * 4, 0x600, 4);
    f->cpu.st.eip = 0xffff;
    run(f, 2);
    assert_int_equal(f->cpu.st.eip, 0x600);
    done(f);
}

/* 8086 Family User's Manual: PUSH SP stores the new value; 80286PRM C.1: later chips the old one. */
static void push_sp_differs_between_8086_and_286(void **state)
{
    (void)state;
    static const char *const models[] = {"8086", "286"};
    static const unsigned pushed[] = {0x7ffe, 0x8000};
    for (unsigned k = 0; k < 2; k++) {
        struct fixture *f = machine(models[k]);
        PUT(f, CODE, "\x54");
        run(f, 1);
        assert_int_equal(phys_read(f->phys, 0x7ffe, 2), pushed[k]);
        done(f);
    }
}

/* Cases of the captured chips (SingleStepTests 8086 and 80286), of one instruction with registers. */
static void undefined_flags_after_arithmetic_are_those_of_the_captured_chips(void **state)
{
    static const struct {
        const char *model, *code;
        uint16_t ax, bx, cx, dx, flags, ax_after, flags_after;
    } cases[] = {
        {"8086", "\xf6\xf0", 0x5fa4, 0x9469, 0x51f0, 0x337a, 0x880, 0x3095, 0x004}, /* div al */
        {"8086", "\xf6\xf3", 0x3c87, 0x0a5d, 0x2eda, 0x2eb9, 0x804, 0x39a6, 0x090}, /* div bl */
        {"8086", "\xf6\xfe", 0x23d4, 0x72ff, 0x0000, 0xb88e, 0x041, 0x1c81, 0x010}, /* idiv dh */
        {"8086", "\xf6\xfd", 0x0000, 0x2ca9, 0x1408, 0xf29d, 0x814, 0x0000, 0x090}, /* idiv ch */
        {"8086", "\xf6\xee", 0xd09b, 0xcaf6, 0x6e1a, 0x1726, 0x041, 0xf6ed, 0x881}, /* imul dh */
        {"8086", "\xf7\xef", 0x05d8, 0xadc0, 0x7b66, 0x968f, 0x014, 0xfcf0, 0x801}, /* imul di, DI = 0BFA */
        {"8086", "\x3f\x90", 0x9882, 0xf21e, 0x2f02, 0x4e76, 0x0d4, 0x970c, 0x811}, /* aas */
        {"286", "\xf6\xf7", 0x0900, 0xad73, 0x02c4, 0xdf07, 0x8c1, 0x370d, 0x010}, /* div bh */
        {"286", "\xf6\xf0", 0xa1e3, 0xa529, 0x04b6, 0xd073, 0x084, 0x81b6, 0x895}, /* div al */
        {"286", "\xf6\xf9", 0x0f04, 0x1518, 0xe139, 0xdc19, 0x800, 0x1943, 0x811}, /* idiv cl */
        {"286", "\xf6\xe0", 0xda56, 0x49cc, 0x9ffd, 0xda17, 0x041, 0x1ce4, 0x811}, /* mul al */
        {"286", "\xd5\xf9", 0xa47c, 0xc599, 0x7ca4, 0x7899, 0x080, 0x0000, 0x855}, /* aad f9 */
        {"286", "\xd5\x84", 0x87de, 0xa91a, 0x27dd, 0xe4d6, 0x850, 0x007a, 0x811}, /* aad 84 */
    };
    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        struct fixture *f = machine(cases[k].model);
        put(f, CODE, cases[k].code, 2);
        f->cpu.st.gpr[REG_EAX] = cases[k].ax;
        f->cpu.st.gpr[REG_EBX] = cases[k].bx;
        f->cpu.st.gpr[REG_ECX] = cases[k].cx;
        f->cpu.st.gpr[REG_EDX] = cases[k].dx;
        f->cpu.st.gpr[REG_EDI] = 0x0bfa;
        flags_set_arith(&f->cpu, cases[k].flags);
        run(f, 1);
        assert_int_equal(f->cpu.st.gpr[REG_EAX], cases[k].ax_after);
        assert_int_equal(cpu_eflags(&f->cpu) & FLAGS_ARITH, cases[k].flags_after);
        done(f);
    }
}

static void breakpoints_stop_before_their_instruction_once(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\x40\x40\xeb\xfc"); /* inc ax; inc ax; jmp -4 */
    assert_true(cpu_break_add(&f->cpu, CODE + 1));
    assert_int_equal(run(f, 100), CPU_BREAK);
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 1);
    assert_int_equal(run(f, 100), CPU_BREAK);
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 3);
    assert_true(cpu_break_remove(&f->cpu, CODE + 1));
    assert_int_equal(run(f, 100), CPU_LIMIT);
    done(f);
}

/* A self-modified next instruction is seen at once. */
static void stores_to_the_next_instruction_take_effect(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    PUT(f, CODE, "\x2e\xc6\x06\x06\x00\x43\x40"); /* mov byte cs:[6], 43; (inc ax -> inc bx) */
    run(f, 2);
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 0);
    assert_int_equal(f->cpu.st.gpr[REG_EBX], 1);
    done(f);
}

static void the_debugger_reads_and_writes_memory(void **state)
{
    (void)state;
    struct fixture *f = machine("386");
    char text[6] = "";
    assert_true(cpu_poke(&f->cpu, 0x1ffe, "hello", 5));
    assert_true(cpu_peek(&f->cpu, 0x1ffe, text, 5));
    assert_string_equal(text, "hello");
    done(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_description_covers_the_state_exactly),
        cmocka_unit_test(reset_starts_at_the_top_of_the_address_space),
        cmocka_unit_test(the_run_ends_exactly_at_its_limit),
        cmocka_unit_test(sti_lets_one_more_instruction_run),
        cmocka_unit_test(mov_ss_holds_off_interrupts_and_nmi),
        cmocka_unit_test(hlt_waits_for_an_interrupt_and_goes_on_behind_it),
        cmocka_unit_test(a_second_nmi_waits_for_iret),
        cmocka_unit_test(a_stuck_interrupt_line_still_lets_time_pass),
        cmocka_unit_test(rep_movs_retires_one_chunk_per_page),
        cmocka_unit_test(overlapping_rep_movs_replicates_its_pattern),
        cmocka_unit_test(string_indexes_start_at_either_end_of_32_bits),
        cmocka_unit_test(enter_with_32_bits_copies_all_of_esp),
        cmocka_unit_test(backward_rep_movsw_and_stosd_fill_downwards),
        cmocka_unit_test(repne_scasb_stops_behind_the_match),
        cmocka_unit_test(single_step_traps_every_iteration),
        cmocka_unit_test(words_at_ffff_wrap_on_the_8086_only),
        cmocka_unit_test(instructions_may_cross_pages),
        cmocka_unit_test(running_over_the_end_of_cs_is_gp),
        cmocka_unit_test(push_sp_differs_between_8086_and_286),
        cmocka_unit_test(undefined_flags_after_arithmetic_are_those_of_the_captured_chips),
        cmocka_unit_test(breakpoints_stop_before_their_instruction_once),
        cmocka_unit_test(stores_to_the_next_instruction_take_effect),
        cmocka_unit_test(the_debugger_reads_and_writes_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
