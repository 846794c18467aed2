/*
 * Protection, gates, tasks, exceptions and debug registers, shown by small machine programs on a CPU
 * with memory and ports only. Expected values come from SDM volume 3 chapters 5, 6, 7, 17 and 20.
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

enum {
    RAM_SIZE = 4 << 20, GDT = 0x1000, IDT = 0x1800, TSS_A = 0x2000, TSS_B = 0x3000, TSS_16 = 0x4000,
    LDT = 0x5000, HANDLERS = 0x8000, GATE_TARGET = 0x9000, CODE = 0x10000, STACK0 = 0x20000,
    STACK3 = 0x30000, PAGE_DIR = 0x40000, PAGE_TAB = 0x41000,
};
/* Selectors */
enum {
    CODE0 = 0x08, DATA0 = 0x10, CODE3 = 0x1b, DATA3 = 0x23, SEL_TSS_A = 0x28, SEL_TSS_B = 0x30,
    CALL_GATE = 0x3b, CODE16 = 0x40, DATA16 = 0x48, SEL_TSS_16 = 0x50, TASK_GATE_SEL = 0x5b,
    ABSENT = 0x60, CONFORMING = 0x68, SEL_LDT = 0x70, EXECUTE_ONLY = 0x78, GDT_ENTRIES = 16,
};

struct fixture {
    struct cpu cpu;
    struct phys *phys;
    struct io_bus *io;
    struct clock clk;
};

static uint8_t no_interrupt(void *arg)
{
    (void)arg;
    return 0;
}

static void put32(struct fixture *f, uint32_t at, uint32_t v) { phys_write(f->phys, at, v, 4); }
static uint32_t get32(struct fixture *f, uint32_t at) { return phys_read(f->phys, at, 4); }
static uint32_t get16(struct fixture *f, uint32_t at) { return phys_read(f->phys, at, 2); }
static uint32_t get8(struct fixture *f, uint32_t at) { return phys_read(f->phys, at, 1); }

/* `access` = type, S, DPL, P; `flags` = G 8, D 4. */
static void put_desc(struct fixture *f, uint32_t at, uint32_t base, uint32_t limit, unsigned access,
                     unsigned flags)
{
    put32(f, at, base << 16 | (limit & 0xffff));
    put32(f, at + 4, (base & 0xff000000u) | flags << 20 | (limit & 0xf0000) | access << 8 | (base >> 16 & 0xff));
}

static void put_gate(struct fixture *f, uint32_t at, uint16_t sel, uint32_t offset, unsigned access,
                     unsigned count)
{
    put32(f, at, (uint32_t)sel << 16 | (offset & 0xffff));
    put32(f, at + 4, (offset & 0xffff0000u) | access << 8 | count);
}

static void gdt(struct fixture *f, unsigned sel, uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    put_desc(f, GDT + (sel & ~7u), base, limit, access, flags);
}

static void build_tables(struct fixture *f)
{
    gdt(f, CODE0, 0, 0xfffff, 0x9a, 0xc);
    gdt(f, DATA0, 0, 0xfffff, 0x92, 0xc);
    gdt(f, CODE3, 0, 0xfffff, 0xfa, 0xc);
    gdt(f, DATA3, 0, 0xfffff, 0xf2, 0xc);
    gdt(f, SEL_TSS_A, TSS_A, 0x100, 0x8b, 0);
    gdt(f, SEL_TSS_B, TSS_B, 0x67, 0x89, 0);
    gdt(f, CODE16, 0, 0xffff, 0x9a, 0);
    gdt(f, DATA16, 0, 0xffff, 0x92, 0);
    gdt(f, SEL_TSS_16, TSS_16, 0x2b, 0x81, 0);
    gdt(f, ABSENT, 0, 0xfffff, 0x12, 0xc);
    gdt(f, CONFORMING, 0, 0xfffff, 0x9e, 0xc);
    gdt(f, SEL_LDT, LDT, 0x0f, 0x82, 0);
    gdt(f, EXECUTE_ONLY, 0, 0xfffff, 0x98, 0xc);
    put_gate(f, GDT + (CALL_GATE & ~7), CODE0, GATE_TARGET, 0xec, 2);
    put_gate(f, GDT + (TASK_GATE_SEL & ~7), SEL_TSS_B, 0, 0xe5, 0);
    for (unsigned v = 0; v < 256; v++)
        put_gate(f, IDT + v * 8, CODE0, HANDLERS + v * 16, v >= 0x80 ? 0xee : 0x8e, 0);
    put32(f, TSS_A + 4, STACK0);
    put32(f, TSS_A + 8, DATA0);
    put32(f, TSS_A + 0x64, 0x00800000); /* I/O map at 0x80 */
}

static void load_cache(struct cpu *c, unsigned seg, uint16_t sel, uint32_t base, uint32_t limit, unsigned attr)
{
    c->st.seg[seg] = (struct cpu_seg){.base = base, .limit = limit, .selector = sel, .attr = (uint16_t)attr};
}

/* 32-bit protected mode at CODE with the given CPL. */
static void enter_protected(struct fixture *f, unsigned cpl)
{
    struct cpu *c = &f->cpu;
    unsigned dpl = cpl << 5;
    c->st.cr0 |= CR0_PE;
    c->st.gdtr = (struct cpu_dtr){.base = GDT, .limit = GDT_ENTRIES * 8 - 1};
    c->st.idtr = (struct cpu_dtr){.base = IDT, .limit = 0x7ff};
    load_cache(c, SEG_CS, cpl ? CODE3 : CODE0, 0, 0xffffffff, 0xc09b | dpl);
    static const uint8_t data[] = {SEG_DS, SEG_ES, SEG_SS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < 5; i++)
        load_cache(c, data[i], cpl ? DATA3 : DATA0, 0, 0xffffffff, 0xc093 | dpl);
    load_cache(c, SEG_TR, SEL_TSS_A, TSS_A, 0x100, 0x8b);
    load_cache(c, SEG_LDTR, 0, 0, 0, 0);
    c->st.cpl = (uint8_t)cpl;
    c->st.eip = CODE;
    c->st.gpr[REG_ESP] = cpl ? STACK3 : STACK0;
    cpu_set_eflags(c, 2);
    cpu_state_changed(c);
}

static void enter_real(struct fixture *f)
{
    struct cpu *c = &f->cpu;
    for (unsigned i = 0; i < 6; i++)
        load_cache(c, i, 0, 0, 0xffff, 0x93);
    load_cache(c, SEG_CS, CODE >> 4, CODE, 0xffff, 0x93);
    c->st.idtr = (struct cpu_dtr){.base = 0, .limit = 0x3ff};
    c->st.eip = 0;
    c->st.gpr[REG_ESP] = 0x7000;
    cpu_set_eflags(c, 2);
    cpu_state_changed(c);
}

static int setup_model(void **state, const char *model)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct phys_block *ram;
    struct cpu_model m;
    struct error err = {""};
    f->phys = calloc(1, sizeof(*f->phys));
    f->io = calloc(1, sizeof(*f->io));
    phys_init(f->phys);
    io_bus_init(f->io);
    clock_init(&f->clk, 65536);
    assert_int_equal(phys_block_new(f->phys, "ram", RAM_SIZE, false, &ram, &err), EMU_OK);
    phys_map(f->phys, 0, RAM_SIZE, phys_region_memory(f->phys, "ram", ram, 0, 0, RAM_SIZE), PHYS_RW);
    assert_int_equal(cpu_model_parse(model, &m, &err), EMU_OK);
    struct cpu_wiring w = {.clk = &f->clk, .phys = f->phys, .io = f->io, .intack = no_interrupt, .tsc_hz = 1000000000};
    assert_int_equal(cpu_init(&f->cpu, "cpu", &m, CORE_REFERENCE, w, &err), EMU_OK);
    build_tables(f);
    *state = f;
    return 0;
}

static int setup(void **state) { return setup_model(state, "pentium2,+nx"); }
static int setup_286(void **state) { return setup_model(state, "286"); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->cpu.dev.cls->close)
        f->cpu.dev.cls->close(&f->cpu);
    phys_free(f->phys);
    free(f->phys);
    free(f->io);
    free(f);
    return 0;
}

static void code_at(struct fixture *f, uint32_t at, const char *bytes, size_t n)
{
    phys_write_bytes(f->phys, at, bytes, n);
}
/* Puts bytes at CODE; the string's final NUL is not part of it. */
#define CODE_BYTES(f, s) code_at((f), CODE, (s), sizeof(s) - 1)

static void steps(struct fixture *f, unsigned n)
{
    while (n--)
        (void)cpu_step(&f->cpu);
}

static uint32_t reg(struct fixture *f, unsigned r) { return (uint32_t)f->cpu.st.gpr[r]; }
static uint32_t eip(struct fixture *f) { return (uint32_t)f->cpu.st.eip; }
static uint32_t flags(struct fixture *f)
{
    cpu_sync(&f->cpu);
    return (uint32_t)f->cpu.st.eflags;
}
static uint16_t sel(struct fixture *f, unsigned s) { return f->cpu.st.seg[s].selector; }
/* Dword `n` above ESP, in the flat level-0 stack. */
static uint32_t stacked(struct fixture *f, unsigned n) { return get32(f, reg(f, REG_ESP) + n * 4); }

/* The handler of `vector` was entered with this error code and a return address at `at`. */
static void assert_fault(struct fixture *f, unsigned vector, uint32_t error, uint32_t at)
{
    assert_int_equal(eip(f), HANDLERS + vector * 16);
    assert_int_equal(stacked(f, 0), error);
    assert_int_equal(stacked(f, 1), at);
}

/* Real mode */

static void real_mode_interrupt_pushes_flags_cs_ip_and_clears_if_tf(void **state)
{
    struct fixture *f = *state;
    enter_real(f);
    CODE_BYTES(f, "\xfb\xcd\x21"); /* sti; int 21h */
    put32(f, 0x21 * 4, 0x12340010);
    steps(f, 2);
    assert_int_equal(sel(f, SEG_CS), 0x1234);
    assert_int_equal(eip(f), 0x10);
    assert_int_equal(reg(f, REG_ESP), 0x6ffa);
    assert_int_equal(get16(f, 0x6ffa), 3);
    assert_int_equal(get16(f, 0x6ffc), CODE >> 4);
    assert_int_equal(get16(f, 0x6ffe), 0x0202);
    assert_int_equal(flags(f) & (FLAG_IF | FLAG_TF), 0);
}

static void empty_idt_in_real_mode_is_a_triple_fault(void **state)
{
    struct fixture *f = *state;
    enter_real(f);
    f->cpu.st.idtr.limit = 0;
    CODE_BYTES(f, "\xcc");
    assert_int_equal(cpu_run(&f->cpu, 100), CPU_SHUTDOWN);
    assert_true(f->cpu.st.shutdown);
}

static void unreal_mode_keeps_the_limit_of_protected_mode(void **state)
{
    struct fixture *f = *state;
    enter_real(f);
    f->cpu.st.seg[SEG_DS].limit = 0xffffffff;
    CODE_BYTES(f, "\x31\xc0\x8e\xd8\x67\x66\xa1\x00\x00\x20\x00"); /* xor ax,ax; mov ds,ax; mov eax,[200000h] */
    put32(f, 0x200000, 0xcafe1234);
    steps(f, 3);
    assert_int_equal(reg(f, REG_EAX), 0xcafe1234);
}

/* Interrupts (SDM 3A 6.12) */

static void interrupt_from_level_3_switches_to_the_stack_of_the_tss_and_iret_returns(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    CODE_BYTES(f, "\xcd\x80");
    code_at(f, HANDLERS + 0x80 * 16, "\xcf", 1);
    steps(f, 1);
    assert_int_equal(sel(f, SEG_CS), CODE0);
    assert_int_equal(sel(f, SEG_SS), DATA0);
    assert_int_equal(f->cpu.st.cpl, 0);
    assert_int_equal(reg(f, REG_ESP), STACK0 - 20);
    assert_int_equal(stacked(f, 0), CODE + 2);
    assert_int_equal(stacked(f, 1), CODE3);
    assert_int_equal(stacked(f, 2), 2);
    assert_int_equal(stacked(f, 3), STACK3);
    assert_int_equal(stacked(f, 4), DATA3);
    steps(f, 1);
    assert_int_equal(eip(f), CODE + 2);
    assert_int_equal(sel(f, SEG_CS), CODE3);
    assert_int_equal(reg(f, REG_ESP), STACK3);
    assert_int_equal(f->cpu.st.cpl, 3);
}

/* SDM 2A IRET, operation, RETURN-TO-OUTER-PRIVILEGE-LEVEL: programs count interrupts that way. */
static void a_return_to_level_3_makes_null_selectors_zero(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    CODE_BYTES(f, "\xb8\x03\x00\x00\x00\x8e\xe8\xcd\x80"); /* mov eax, 3; mov gs, ax; int 80h */
    code_at(f, HANDLERS + 0x80 * 16, "\xcf", 1);
    steps(f, 3);
    assert_int_equal(sel(f, SEG_GS), 3);
    steps(f, 1);
    assert_int_equal(sel(f, SEG_GS), 0);
    assert_int_equal(sel(f, SEG_DS), DATA3);
}

static void software_interrupt_needs_the_gates_dpl(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    CODE_BYTES(f, "\xcd\x20");
    steps(f, 1);
    assert_fault(f, VEC_GP, 0x20 * 8 + 2, CODE);
    assert_int_equal(stacked(f, 3), 2 | FLAG_RF); /* a fault's image has RF */
}

static void not_present_gate_is_np_with_the_idt_bit(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    put_gate(f, IDT + 0x80 * 8, CODE0, 0, 0x6e, 0);
    CODE_BYTES(f, "\xcd\x80");
    steps(f, 1);
    assert_fault(f, VEC_NP, 0x80 * 8 + 2, CODE);
}

static void interrupt_gate_clears_if_and_trap_gate_keeps_it(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    put_gate(f, IDT + 0x81 * 8, CODE0, 0x7000, 0xef, 0);
    CODE_BYTES(f, "\xcd\x81");
    cpu_set_eflags(&f->cpu, FLAG_IF | FLAG_NT);
    steps(f, 1);
    assert_int_equal(flags(f) & (FLAG_IF | FLAG_NT), FLAG_IF);
    enter_protected(f, 0);
    CODE_BYTES(f, "\xcd\x80");
    cpu_set_eflags(&f->cpu, FLAG_IF);
    steps(f, 1);
    assert_int_equal(flags(f) & FLAG_IF, 0);
}

static void sixteen_bit_gate_pushes_words(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    put_gate(f, IDT + 0x80 * 8, CODE0, 0x12347000, 0x86, 0);
    CODE_BYTES(f, "\xcd\x80");
    steps(f, 1);
    assert_int_equal(eip(f), 0x7000);
    assert_int_equal(reg(f, REG_ESP), STACK0 - 6);
    assert_int_equal(get16(f, STACK0 - 6), (CODE + 2) & 0xffff);
}

static void bad_inner_stack_is_ts_with_its_selector(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    put32(f, TSS_A + 8, DATA3); /* RPL and DPL 3 for level 0 */
    put_gate(f, IDT + VEC_TS * 8, SEL_TSS_B, 0, 0x85, 0);
    put32(f, TSS_B + 0x20, 0x7777), put32(f, TSS_B + 0x38, 0x25000);
    put32(f, TSS_B + 0x4c, CODE0), put32(f, TSS_B + 0x50, DATA0);
    CODE_BYTES(f, "\xcd\x80");
    steps(f, 1);
    assert_int_equal(eip(f), 0x7777);
    assert_int_equal(stacked(f, 0), DATA3 & ~3); /* INT n: EXT = 0 */
}

/* Double and triple fault (SDM 3A table 6-5) */

static void contributory_while_delivering_contributory_is_a_double_fault(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    put_gate(f, IDT + VEC_GP * 8, CODE0, 0, 0x0e, 0); /* not present: #NP while delivering #GP */
    CODE_BYTES(f, "\x31\xc0\x8e\xd0"); /* xor eax,eax; mov ss,ax */
    steps(f, 2);
    assert_fault(f, VEC_DF, 0, CODE + 2);
}

static void benign_then_contributory_is_delivered_in_turn_with_ext(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    put_gate(f, IDT + VEC_UD * 8, CODE0, 0, 0x0e, 0);
    CODE_BYTES(f, "\x0f\x0b");
    steps(f, 1);
    assert_fault(f, VEC_NP, VEC_UD * 8 + 3, CODE);
}

static void fault_while_delivering_a_double_fault_shuts_down(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.idtr.limit = 8 * 8 - 1;
    CODE_BYTES(f, "\x31\xc0\x8e\xd0");
    assert_int_equal(cpu_run(&f->cpu, 100), CPU_SHUTDOWN);
}

static void start_paging(struct fixture *f, unsigned cpl)
{
    enter_protected(f, cpl);
    put32(f, PAGE_DIR, PAGE_TAB | 7);
    for (unsigned i = 0; i < 1024; i++)
        put32(f, PAGE_TAB + i * 4, i << 12 | 7);
    f->cpu.st.cr3 = PAGE_DIR;
    f->cpu.st.cr0 |= CR0_PG | CR0_WP;
    cpu_state_changed(&f->cpu);
}

static void page_fault_sets_cr2_and_pushes_its_error_code(void **state)
{
    struct fixture *f = *state;
    start_paging(f, 3);
    CODE_BYTES(f, "\xc7\x05\x04\x00\x50\x00\x01\x00\x00\x00"); /* mov dword [500004h],1 */
    steps(f, 1);
    assert_int_equal(f->cpu.st.cr2, 0x500004);
    assert_fault(f, VEC_PF, 2 | 4, CODE);
}

/* As Zen 4 does; no manual says (docs/SILICON.md). */
static void cmps_finds_es_edi_missing_first_but_repe_cmpsb_ds_esi(void **state)
{
    static const struct {
        const char *code;
        uint32_t cr2;
    } cases[] = {{"\xa6", 0x51000}, {"\xa7", 0x51000}, {"\xf3\xa7", 0x51000}, {"\xf2\xa6", 0x51000}, {"\xf3\xa6", 0x50000}};
    struct fixture *f = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        start_paging(f, 3);
        put32(f, PAGE_TAB + 0x50 * 4, 0), put32(f, PAGE_TAB + 0x51 * 4, 0);
        f->cpu.st.gpr[REG_ESI] = 0x50000;
        f->cpu.st.gpr[REG_EDI] = 0x51000;
        f->cpu.st.gpr[REG_ECX] = 1;
        code_at(f, CODE, cases[k].code, strlen(cases[k].code));
        steps(f, 1);
        assert_int_equal(f->cpu.st.cr2, cases[k].cr2);
        assert_fault(f, VEC_PF, 4, CODE);
    }
}

static void page_fault_on_the_handlers_stack_is_a_double_fault(void **state)
{
    struct fixture *f = *state;
    start_paging(f, 0);
    put_gate(f, IDT + VEC_DF * 8, SEL_TSS_B, 0, 0x85, 0);
    put32(f, TSS_B + 0x1c, PAGE_DIR), put32(f, TSS_B + 0x20, 0x7777), put32(f, TSS_B + 0x38, 0x25000);
    put32(f, TSS_B + 0x4c, CODE0), put32(f, TSS_B + 0x50, DATA0);
    CODE_BYTES(f, "\xbc\x00\x00\x60\x00\x50"); /* mov esp,600000h; push eax */
    steps(f, 2);
    assert_int_equal(eip(f), 0x7777);
    assert_int_equal(sel(f, SEG_TR), SEL_TSS_B);
    assert_int_equal(stacked(f, 0), 0);
    assert_int_equal(f->cpu.st.cr2, 0x5ffffc);
}

/* Segment registers (SDM 2B MOV; 3A 5.6, 5.7) */

static void loading_a_segment_checks_type_privilege_and_presence(void **state)
{
    static const struct {
        uint16_t cpl, ax;
        char modrm; /* D8 = DS, D0 = SS */
        uint8_t vector;
        uint16_t error;
    } cases[] = {
        {0, 0, '\xd0', VEC_GP, 0},           {0, ABSENT, '\xd8', VEC_NP, ABSENT},
        {0, ABSENT, '\xd0', VEC_SS, ABSENT}, {0, DATA3, '\xd0', VEC_GP, DATA3 & ~3},
        {3, DATA0, '\xd8', VEC_GP, DATA0},   {3, DATA0 | 3, '\xd8', VEC_GP, DATA0},
        {0, EXECUTE_ONLY, '\xd8', VEC_GP, EXECUTE_ONLY}, {0, CODE0, '\xd0', VEC_GP, CODE0},
        {0, 0xf8, '\xd8', VEC_GP, 0xf8},     {0, 0x0c, '\xd8', VEC_GP, 0x0c},
        {0, SEL_TSS_B, '\xd8', VEC_GP, SEL_TSS_B},
    };
    struct fixture *f = *state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char code[2] = {'\x8e', cases[i].modrm};
        enter_protected(f, cases[i].cpl);
        f->cpu.st.gpr[REG_EAX] = cases[i].ax;
        code_at(f, CODE, code, 2);
        steps(f, 1);
        assert_fault(f, cases[i].vector, cases[i].error, CODE);
    }
}

static void null_data_segment_loads_but_faults_on_use(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    CODE_BYTES(f, "\x31\xc0\x8e\xd8\xa1\x00\x00\x00\x00");
    steps(f, 2);
    assert_int_equal(eip(f), CODE + 4);
    steps(f, 1);
    assert_fault(f, VEC_GP, 0, CODE + 4);
}

static void loading_a_segment_sets_the_accessed_bit(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_EAX] = DATA16;
    CODE_BYTES(f, "\x8e\xd8");
    assert_int_equal(get8(f, GDT + DATA16 + 5), 0x92);
    steps(f, 1);
    assert_int_equal(get8(f, GDT + DATA16 + 5), 0x93);
}

static void ldt_selectors_reach_the_ldt(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    put_desc(f, LDT + 8, 0x100000, 0xfff, 0x92, 4);
    f->cpu.st.gpr[REG_EAX] = SEL_LDT;
    f->cpu.st.gpr[REG_EBX] = 0x0c;
    CODE_BYTES(f, "\x0f\x00\xd0\x8e\xdb"); /* lldt ax; mov ds,bx */
    steps(f, 2);
    assert_int_equal(f->cpu.st.seg[SEG_DS].base, 0x100000);
    assert_int_equal(f->cpu.st.seg[SEG_DS].limit, 0xfff);
}

/* Far transfers (SDM 3A 5.8) */

static void call_gate_switches_stacks_and_copies_parameters(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    CODE_BYTES(f, "\x6a\x11\x6a\x22\x9a\x00\x00\x00\x00\x3b\x00"); /* push 11h; push 22h; call 3b:0 */
    code_at(f, GATE_TARGET, "\xca\x08\x00", 3);                     /* retf 8 */
    steps(f, 3);
    assert_int_equal(eip(f), GATE_TARGET);
    assert_int_equal(f->cpu.st.cpl, 0);
    assert_int_equal(sel(f, SEG_CS), CODE0);
    assert_int_equal(reg(f, REG_ESP), STACK0 - 24);
    assert_int_equal(stacked(f, 0), CODE + 11);
    assert_int_equal(stacked(f, 1), CODE3);
    assert_int_equal(stacked(f, 2), 0x22);
    assert_int_equal(stacked(f, 3), 0x11);
    assert_int_equal(stacked(f, 4), STACK3 - 8);
    assert_int_equal(stacked(f, 5), DATA3);
    load_cache(&f->cpu, SEG_FS, DATA0, 0, 0xffffffff, 0xc093);
    steps(f, 1);
    assert_int_equal(eip(f), CODE + 11);
    assert_int_equal(reg(f, REG_ESP), STACK3);
    assert_int_equal(f->cpu.st.cpl, 3);
    assert_int_equal(sel(f, SEG_FS), 0); /* level 3 must not keep it */
    assert_int_equal(sel(f, SEG_GS), DATA3);
}

static void far_jump_may_not_raise_privilege_but_may_enter_conforming_code(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    CODE_BYTES(f, "\xea\x00\x70\x00\x00\x08\x00");
    steps(f, 1);
    assert_fault(f, VEC_GP, CODE0, CODE);
    enter_protected(f, 3);
    CODE_BYTES(f, "\xea\x00\x70\x00\x00\x68\x00");
    steps(f, 1);
    assert_int_equal(eip(f), 0x7000);
    assert_int_equal(sel(f, SEG_CS), CONFORMING | 3);
    assert_int_equal(f->cpu.st.cpl, 3);
}

static void far_return_to_an_inner_level_is_gp(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    CODE_BYTES(f, "\x6a\x08\x6a\x00\xcb"); /* push 8; push 0; retf */
    steps(f, 3);
    assert_fault(f, VEC_GP, CODE0, CODE + 4);
}

/* V86 mode (SDM 3B 20.2, 20.3) */

static void enter_v86(struct fixture *f, uint32_t eflags)
{
    static const uint32_t frame[] = {0x0000, CODE >> 4, 0, 0x7000, 0x1111, 0x2222, 0x3333, 0x4444, 0x5555};
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_ESP] = STACK0 - sizeof(frame);
    for (unsigned i = 0; i < 9; i++)
        put32(f, STACK0 - (uint32_t)sizeof(frame) + i * 4, i == 2 ? eflags | FLAG_VM : frame[i]);
    code_at(f, HANDLERS, "\xcf", 1);
    f->cpu.st.eip = HANDLERS;
    steps(f, 1);
}

static void iret_enters_v86_and_an_exception_leaves_it_with_all_segments_saved(void **state)
{
    struct fixture *f = *state;
    CODE_BYTES(f, "\xcd\x21"); /* IOPL 0: #GP(0) */
    enter_v86(f, FLAG_IF);
    assert_int_equal(f->cpu.st.cpl, 3);
    assert_int_equal(f->cpu.st.seg[SEG_DS].base, 0x33330);
    assert_int_equal(f->cpu.st.seg[SEG_GS].selector, 0x5555);
    assert_int_equal(reg(f, REG_ESP), 0x7000);
    steps(f, 1);
    assert_int_equal(eip(f), HANDLERS + VEC_GP * 16);
    assert_int_equal(reg(f, REG_ESP), STACK0 - 40);
    static const uint32_t expected[] = {0, 0, CODE >> 4, FLAG_VM | FLAG_IF | FLAG_RF | 2, 0x7000, 0x1111,
                                        0x2222, 0x3333, 0x4444, 0x5555};
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(stacked(f, i), expected[i]);
    assert_int_equal(sel(f, SEG_DS), 0);
    assert_int_equal(flags(f) & (FLAG_VM | FLAG_IF), 0);
}

static void iopl_3_lets_int_n_through_to_the_monitor(void **state)
{
    struct fixture *f = *state;
    CODE_BYTES(f, "\xcd\x80");
    enter_v86(f, FLAG_IOPL);
    steps(f, 1);
    assert_int_equal(eip(f), HANDLERS + 0x80 * 16);
    assert_int_equal(stacked(f, 0), 2);
}

static void vme_redirects_int_n_to_the_8086_handler(void **state)
{
    struct fixture *f = *state;
    CODE_BYTES(f, "\xcd\x21\xcd\x22");
    f->cpu.st.cr4 |= CR4_VME;
    put32(f, TSS_A + 0x60, 0);
    put32(f, TSS_A + 0x64, 0x00a00000);  /* redirection map at 80h */
    put32(f, TSS_A + 0x84, 1 << 2);      /* INT 22h: to the monitor */
    put32(f, 0x21 * 4, 0x20000040);
    enter_v86(f, FLAG_VIF);
    steps(f, 1);
    assert_int_equal(eip(f), 0x40);
    assert_int_equal(sel(f, SEG_CS), 0x2000);
    assert_true(flags(f) & FLAG_VM);
    assert_false(flags(f) & FLAG_VIF);
    assert_int_equal(get16(f, 0x11110 + 0x6ffe), 0x3202); /* IF = VIF, IOPL = 3 */
    enter_v86(f, 0);
    f->cpu.st.eip = 2;
    steps(f, 1);
    assert_fault(f, VEC_GP, 0, 2);
}

static void int3_in_v86_mode_goes_to_the_monitor_whatever_iopl(void **state)
{
    struct fixture *f = *state;
    put_gate(f, IDT + 3 * 8, CODE0, 0x7000, 0xee, 0);
    CODE_BYTES(f, "\xcc");
    enter_v86(f, 0);
    steps(f, 1);
    assert_int_equal(eip(f), 0x7000);
}

/* Tasks (SDM 3A chapter 7) */

static void build_task_b(struct fixture *f)
{
    put32(f, TSS_B + 0x20, 0x7000);
    put32(f, TSS_B + 0x24, 2);
    for (unsigned i = 0; i < 8; i++)
        put32(f, TSS_B + 0x28 + i * 4, 0xb000 + i);
    put32(f, TSS_B + 0x38, 0x25000);
    static const uint16_t segs[] = {DATA0, CODE0, DATA0, DATA0, 0, DATA3};
    for (unsigned i = 0; i < 6; i++)
        put32(f, TSS_B + 0x48 + i * 4, segs[i]);
}

static void jump_to_a_tss_switches_tasks_and_moves_the_busy_bit(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    build_task_b(f);
    f->cpu.st.gpr[REG_EBX] = 0x1234;
    f->cpu.st.dr[7] |= 1;
    CODE_BYTES(f, "\xea\x00\x00\x00\x00\x30\x00");
    steps(f, 1);
    assert_int_equal(eip(f), 0x7000);
    assert_int_equal(reg(f, REG_EBX), 0xb003);
    assert_int_equal(reg(f, REG_ESP), 0x25000);
    assert_int_equal(sel(f, SEG_GS), DATA3);
    assert_int_equal(sel(f, SEG_TR), SEL_TSS_B);
    assert_true(f->cpu.st.cr0 & CR0_TS);
    assert_int_equal(f->cpu.st.dr[7] & 1, 0);
    assert_int_equal(get8(f, GDT + SEL_TSS_A + 5), 0x89);
    assert_int_equal(get8(f, GDT + SEL_TSS_B + 5), 0x8b);
    assert_int_equal(get32(f, TSS_A + 0x20), CODE + 7);
    assert_int_equal(get32(f, TSS_A + 0x34), 0x1234);
    assert_int_equal(get16(f, TSS_A + 0x4c), CODE0);
    assert_int_equal(flags(f) & FLAG_NT, 0);
}

static void call_to_a_task_links_back_and_iret_returns(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    build_task_b(f);
    code_at(f, 0x7000, "\xcf", 1);
    CODE_BYTES(f, "\x9a\x00\x00\x00\x00\x5b\x00"); /* through the task gate, DPL 3 */
    steps(f, 1);
    assert_int_equal(f->cpu.st.cpl, 0);
    assert_true(flags(f) & FLAG_NT);
    assert_int_equal(get16(f, TSS_B), SEL_TSS_A);
    assert_int_equal(get8(f, GDT + SEL_TSS_A + 5), 0x8b);
    steps(f, 1);
    assert_int_equal(eip(f), CODE + 7);
    assert_int_equal(f->cpu.st.cpl, 3);
    assert_int_equal(sel(f, SEG_TR), SEL_TSS_A);
    assert_int_equal(get8(f, GDT + SEL_TSS_B + 5), 0x89);
    assert_int_equal(get32(f, TSS_B + 0x24) & FLAG_NT, 0);
}

static void sixteen_bit_tss_holds_words(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    phys_write(f->phys, TSS_16 + 0x0e, 0x7000, 2);
    phys_write(f->phys, TSS_16 + 0x10, 2, 2);
    phys_write(f->phys, TSS_16 + 0x12, 0xaaaa, 2);
    phys_write(f->phys, TSS_16 + 0x1a, 0x5000, 2);
    static const uint16_t segs[] = {DATA16, CODE16, DATA16, DATA16, 0};
    for (unsigned i = 0; i < 5; i++)
        phys_write(f->phys, TSS_16 + 0x22 + i * 2, segs[i], 2);
    CODE_BYTES(f, "\xea\x00\x00\x00\x00\x50\x00");
    steps(f, 1);
    assert_int_equal(eip(f), 0x7000);
    assert_int_equal(reg(f, REG_EAX) & 0xffff, 0xaaaa);
    assert_int_equal(reg(f, REG_ESP) & 0xffff, 0x5000);
    assert_int_equal(sel(f, SEG_CS), CODE16);
    assert_int_equal(get8(f, GDT + SEL_TSS_16 + 5), 0x83);
}

static void bad_segment_of_the_new_task_faults_in_the_new_task(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    build_task_b(f);
    put32(f, TSS_B + 0x54, ABSENT); /* DS */
    CODE_BYTES(f, "\xea\x00\x00\x00\x00\x30\x00");
    steps(f, 1);
    assert_fault(f, VEC_NP, ABSENT, 0x7000);
    assert_int_equal(sel(f, SEG_TR), SEL_TSS_B);
}

static void busy_or_short_tss_is_refused(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    CODE_BYTES(f, "\xea\x00\x00\x00\x00\x28\x00"); /* itself: busy */
    steps(f, 1);
    assert_fault(f, VEC_GP, SEL_TSS_A, CODE);
    enter_protected(f, 0);
    gdt(f, SEL_TSS_B, TSS_B, 0x66, 0x89, 0);
    CODE_BYTES(f, "\xea\x00\x00\x00\x00\x30\x00");
    steps(f, 1);
    assert_fault(f, VEC_TS, SEL_TSS_B, CODE);
}

static void t_bit_of_the_tss_raises_a_debug_trap(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    build_task_b(f);
    put32(f, TSS_B + 0x64, 1);
    CODE_BYTES(f, "\xea\x00\x00\x00\x00\x30\x00");
    steps(f, 2);
    assert_int_equal(stacked(f, 0), 0x7000);
    assert_int_equal(f->cpu.st.dr[6] & 0xe00f, 0x8000);
}

static void task_gate_pf(struct fixture *f)
{
    build_task_b(f);
    put32(f, TSS_B + 0x1c, PAGE_DIR);
    put_gate(f, IDT + VEC_PF * 8, SEL_TSS_B, 0, 0x85, 0);
}

static void a_call_gate_whose_stack_runs_into_a_missing_page_changes_nothing(void **state)
{
    struct fixture *f = *state;
    start_paging(f, 3);
    task_gate_pf(f);
    put32(f, TSS_A + 4, STACK0 + 8); /* two pushes fit on the page */
    put32(f, PAGE_TAB + (STACK0 / 4096 - 1) * 4, 0);
    CODE_BYTES(f, "\x9a\x00\x00\x00\x00\x3b\x00");
    steps(f, 1);
    assert_int_equal(eip(f), 0x7000);
    assert_int_equal(stacked(f, 0), 2); /* not present, write, supervisor */
    assert_int_equal(f->cpu.st.cr2, STACK0 - 4);
    assert_int_equal(get32(f, TSS_A + 0x20), CODE);
    assert_int_equal(get32(f, TSS_A + 0x38), STACK3);
    assert_int_equal(get16(f, TSS_A + 0x4c), CODE3);
    assert_int_equal(get32(f, STACK0) | get32(f, STACK0 + 4), 0);
}

static void iret_from_a_missing_page_changes_nothing(void **state)
{
    struct fixture *f = *state;
    start_paging(f, 0);
    task_gate_pf(f);
    put32(f, PAGE_TAB + STACK0 / 4096 * 4, 0);
    f->cpu.st.gpr[REG_ESP] = STACK0 - 12; /* EIP CS EFLAGS here, ESP SS missing */
    put32(f, STACK0 - 12, 0x7000), put32(f, STACK0 - 8, CODE3), put32(f, STACK0 - 4, 0x3202);
    CODE_BYTES(f, "\xcf");
    steps(f, 1);
    assert_int_equal(f->cpu.st.cr2, STACK0);
    assert_int_equal(get32(f, TSS_A + 0x20), CODE);
    assert_int_equal(get32(f, TSS_A + 0x24), 2 | FLAG_RF);
    assert_int_equal(get32(f, TSS_A + 0x38), STACK0 - 12);
    assert_int_equal(get16(f, TSS_A + 0x4c), CODE0);
}

/* Debug registers (SDM 3B 17.2, 17.3) */

static void single_step_traps_after_one_instruction(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    CODE_BYTES(f, "\x68\x02\x01\x00\x00\x9d\x40\x40"); /* push 102h; popf; inc eax; inc eax */
    code_at(f, HANDLERS + VEC_DB * 16, "\xf4", 1);
    (void)cpu_run(&f->cpu, 1000);
    assert_int_equal(reg(f, REG_EAX) & 3, 1);
    assert_int_equal(stacked(f, 0), CODE + 7);
    assert_int_equal(stacked(f, 2), 0x102);
    assert_int_equal(f->cpu.st.dr[6] & 0xe00f, 0x4000);
    assert_int_equal(flags(f) & FLAG_TF, 0);
}

static void code_breakpoint_faults_before_and_rf_lets_it_pass(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_EAX] = 0;
    f->cpu.st.dr[0] = CODE + 1;
    f->cpu.st.dr[7] = 0x401;
    cpu_state_changed(&f->cpu);
    CODE_BYTES(f, "\x40\x40\x40\xf4");
    code_at(f, HANDLERS + VEC_DB * 16, "\x81\x4c\x24\x08\x00\x00\x01\x00\xcf", 9); /* or [esp+8],RF; iret */
    steps(f, 2);
    assert_int_equal(eip(f), HANDLERS + VEC_DB * 16);
    assert_int_equal(stacked(f, 0), CODE + 1);
    assert_int_equal(f->cpu.st.dr[6] & 0xe00f, 1);
    steps(f, 3);
    assert_int_equal(reg(f, REG_EAX), 2);
    assert_int_equal(eip(f), CODE + 2);
    assert_int_equal(flags(f) & FLAG_RF, 0);
}

static void data_breakpoint_traps_after_the_write(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.dr[1] = 0x50002;
    f->cpu.st.dr[7] = 0x400 | 1 << 3 | 0x5u << 20; /* G1, write, 2 bytes */
    cpu_state_changed(&f->cpu);
    CODE_BYTES(f, "\xa1\x00\x00\x05\x00\xa3\x00\x00\x05\x00\x40"); /* mov eax,[50000h]; mov [50000h],eax */
    code_at(f, HANDLERS + VEC_DB * 16, "\xf4", 1);
    (void)cpu_run(&f->cpu, 1000);
    assert_int_equal(stacked(f, 0), CODE + 10);
    assert_int_equal(f->cpu.st.dr[6] & 0xe00f, 2);
}

static void mov_ss_holds_off_the_single_step_trap(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_EAX] = DATA0;
    CODE_BYTES(f, "\x8e\xd0\x90\x90\x90");
    code_at(f, HANDLERS + VEC_DB * 16, "\xf4", 1);
    cpu_set_eflags(&f->cpu, FLAG_TF);
    cpu_state_changed(&f->cpu);
    (void)cpu_run(&f->cpu, 1000);
    assert_int_equal(stacked(f, 0), CODE + 3);
}

static void general_detect_guards_the_debug_registers(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.dr[7] = 0x2400;
    CODE_BYTES(f, "\x0f\x21\xc0"); /* mov eax,dr0 */
    steps(f, 1);
    assert_int_equal(stacked(f, 0), CODE);
    assert_int_equal(f->cpu.st.dr[6] & 0xe00f, 0x2000);
    assert_int_equal(f->cpu.st.dr[7] & 0x2000, 0);
}

static void dr4_is_dr6_unless_de_is_set(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    CODE_BYTES(f, "\x0f\x21\xe0"); /* mov eax,dr4 */
    steps(f, 1);
    assert_int_equal(reg(f, REG_EAX), 0xffff0ff0u);
    enter_protected(f, 0);
    f->cpu.st.cr4 |= CR4_DE;
    steps(f, 1);
    assert_int_equal(eip(f), HANDLERS + VEC_UD * 16);
}

/* Ports (SDM 1 19.5) */

static void io_bitmap_decides_below_iopl(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    put32(f, TSS_A + 0x80, 0xfffffffb); /* port 2 only */
    CODE_BYTES(f, "\xe4\x02\xe5\x02");  /* in al,2; in eax,2 */
    steps(f, 1);
    assert_int_equal(reg(f, REG_EAX) & 0xff, 0xff);
    assert_int_equal(eip(f), CODE + 2);
    steps(f, 1);
    assert_fault(f, VEC_GP, 0, CODE + 2);
}

/* Control registers, system instructions */

static void lmsw_sets_pe_but_never_clears_it(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_EAX] = 0x0e;
    CODE_BYTES(f, "\x0f\x01\xf0");
    steps(f, 1);
    assert_int_equal(f->cpu.st.cr0 & 0xf, 0xf);
}

static void bad_control_register_values_are_gp(void **state)
{
    static const struct {
        uint32_t value;
        char modrm;
    } cases[] = {{CR0_PG | CR0_ET, '\xc0'}, {CR0_PE | CR0_NW, '\xc0'}, {1u << 31, '\xe0'}};
    struct fixture *f = *state;
    for (unsigned i = 0; i < 3; i++) {
        char code[3] = {'\x0f', '\x22', cases[i].modrm};
        enter_protected(f, 0);
        f->cpu.st.gpr[REG_EAX] = cases[i].value;
        code_at(f, CODE, code, 3);
        steps(f, 1);
        assert_fault(f, VEC_GP, 0, CODE);
    }
    char cr1[3] = {'\x0f', '\x22', '\xc8'};
    enter_protected(f, 0);
    code_at(f, CODE, cr1, 3);
    steps(f, 1);
    assert_int_equal(eip(f), HANDLERS + VEC_UD * 16);
}

static void privileged_instructions_are_gp_at_level_3(void **state)
{
    static const char code[][3] = {
        {'\x0f', '\x20', '\xc0'}, {'\x0f', '\x22', '\xc0'}, {'\x0f', '\x21', '\xc0'}, {'\x0f', '\x06', 0},
        {'\x0f', '\x08', 0}, {'\x0f', '\x09', 0}, {'\x0f', '\x30', 0}, {'\x0f', '\x32', 0}, {'\xf4', 0, 0},
        {'\x0f', '\x01', '\x10'}, {'\x0f', '\x01', '\x38'}, {'\x0f', '\x00', '\xd8'}, {'\x0f', '\x00', '\xd0'},
        {'\x0f', '\x01', '\xf0'},
    };
    struct fixture *f = *state;
    for (unsigned i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
        enter_protected(f, 3);
        code_at(f, CODE, code[i], 3);
        steps(f, 1);
        assert_fault(f, VEC_GP, 0, CODE);
    }
}

static void selectors_are_queried_without_faults(void **state)
{
    static const struct {
        uint16_t cpl, ax;
        char op, modrm; /* 0F op modrm */
        bool zf;
        uint32_t ecx; /* result of LAR, LSL; LAR's bits 19-16 are undefined, the chips' are the descriptor's */
    } cases[] = {
        {0, DATA0, '\x02', '\xc8', true, 0x00cf9200}, {3, DATA0, '\x02', '\xc8', false, 0},
        {3, CONFORMING, '\x02', '\xc8', true, 0x00cf9e00}, {0, 0, '\x02', '\xc8', false, 0},
        {0, SEL_TSS_16, '\x03', '\xc8', true, 0x2b}, {0, DATA0, '\x03', '\xc8', true, 0xffffffff},
        {3, CALL_GATE, '\x03', '\xc8', false, 0}, {3, CALL_GATE, '\x02', '\xc8', true, 0x0000ec00},
        {0, EXECUTE_ONLY, '\x00', '\xe0', false, 0}, {0, CODE0, '\x00', '\xe0', true, 0},
        {0, CODE0, '\x00', '\xe8', false, 0}, {0, DATA0, '\x00', '\xe8', true, 0},
    };
    struct fixture *f = *state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char code[3] = {'\x0f', cases[i].op, cases[i].modrm};
        enter_protected(f, cases[i].cpl);
        build_tables(f);
        f->cpu.st.gpr[REG_EAX] = cases[i].ax;
        f->cpu.st.gpr[REG_ECX] = 0;
        code_at(f, CODE, code, 3);
        steps(f, 1);
        assert_int_equal(eip(f), CODE + 3);
        assert_int_equal(!!(flags(f) & FLAG_ZF), cases[i].zf);
        assert_int_equal(reg(f, REG_ECX), cases[i].ecx);
    }
}

static void arpl_raises_the_rpl_to_the_callers(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_EAX] = 0x11110011;
    f->cpu.st.gpr[REG_ECX] = 3;
    CODE_BYTES(f, "\x63\xc8");
    steps(f, 1);
    assert_int_equal(reg(f, REG_EAX), 0x11110013);
    assert_true(flags(f) & FLAG_ZF);
}

/* SDM 3B 22.31.1: PUSH and POP of a selector with 32 bits write and read two bytes, the Pentium's four. */
static void a_selector_on_the_stack_has_two_bytes_but_on_the_pentium(void **state)
{
    struct fixture *f = *state;
    for (int pentium = 0; pentium < 2; pentium++) {
        f->cpu.model.level = pentium ? CPU_PENTIUM : CPU_P6;
        enter_protected(f, 0);
        put32(f, STACK0 - 4, 0xaaaaaaaa);
        CODE_BYTES(f, "\x1e\x07"); /* push ds; pop es */
        steps(f, 1);
        assert_int_equal(reg(f, REG_ESP), STACK0 - 4);
        assert_int_equal(get32(f, STACK0 - 4), (pentium ? 0 : 0xaaaa0000) | DATA0);
        f->cpu.st.seg[SEG_SS].limit = STACK0 - 3;
        load_cache(&f->cpu, SEG_ES, 0, 0, 0, 0);
        cpu_state_changed(&f->cpu);
        steps(f, 1);
        if (pentium) {
            assert_fault(f, VEC_SS, 0, CODE + 1);
            continue;
        }
        assert_int_equal(f->cpu.st.seg[SEG_ES].selector, DATA0);
        assert_int_equal(reg(f, REG_ESP), STACK0);
    }
}

/* SDM 2A ARPL: the destination is written only where its RPL is the lower one. */
static void arpl_writes_only_what_it_changes(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.seg[SEG_DS].attr &= (uint16_t)~SEG_ATTR_WRITABLE;
    put32(f, 0x7000, 0x1112);
    CODE_BYTES(f, "\x63\x0d\x00\x70\x00\x00\x63\x0d\x00\x70\x00\x00"); /* arpl [7000h], cx, twice */
    f->cpu.st.gpr[REG_ECX] = 1;
    steps(f, 1);
    assert_int_equal(eip(f), CODE + 6);
    f->cpu.st.gpr[REG_ECX] = 3;
    steps(f, 1);
    assert_fault(f, VEC_GP, 0, CODE + 6);
}

/* SDM 2A CLFLUSH: "allowed to flush a linear address in an execute-only segment". */
static void clflush_takes_an_execute_only_segment(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    f->cpu.model.features |= FEAT_CLFSH;
    f->cpu.st.seg[SEG_CS].attr &= (uint16_t)~SEG_ATTR_WRITABLE;
    CODE_BYTES(f, "\x2e\x0f\xae\x3d\x00\x70\x00\x00\x2e\xa0\x00\x70\x00\x00"); /* clflush, mov al, cs:[7000h] */
    steps(f, 1);
    assert_int_equal(eip(f), CODE + 8);
    steps(f, 1);
    assert_fault(f, VEC_GP, 0, CODE + 8);
}

/* SDM 3A 6.15 and table 6-7: pushes of a far call, packed BCD as ten-byte reals, environments by operand size. */
static void misaligned_implicit_and_x87_operands_are_ac_in_ring_3(void **state)
{
    static const struct {
        const char *code;
        unsigned len;
        uint32_t esp;
    } cases[] = {
        {"\x9a\x00\x70\x00\x00\x1b\x00", 7, STACK3 - 2}, /* call CODE3:7000h */
        {"\xdf\x25\x04\x70\x00\x00", 6, STACK3},         /* fbld [7004h] */
        {"\xd9\x25\x02\x70\x00\x00", 6, STACK3},         /* fldenv [7002h] */
        {"\xdd\x25\x02\x70\x00\x00", 6, STACK3},         /* frstor [7002h] */
        {"\xdd\x35\x02\x70\x00\x00", 6, STACK3},         /* fnsave [7002h] */
    };
    struct fixture *f = *state;
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        enter_protected(f, 3);
        build_tables(f);
        f->cpu.st.cr0 |= CR0_AM;
        f->cpu.st.gpr[REG_ESP] = cases[k].esp;
        cpu_set_eflags(&f->cpu, FLAG_AC);
        code_at(f, CODE, cases[k].code, cases[k].len);
        steps(f, 1);
        assert_fault(f, VEC_AC, 0, CODE);
    }
}

static void sysenter_and_sysexit_load_flat_segments(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 3);
    f->cpu.st.sysenter_cs = CODE0;
    f->cpu.st.sysenter_esp = STACK0;
    f->cpu.st.sysenter_eip = 0x7000;
    CODE_BYTES(f, "\x0f\x34");
    code_at(f, 0x7000, "\x0f\x35", 2);
    steps(f, 1);
    assert_int_equal(eip(f), 0x7000);
    assert_int_equal(f->cpu.st.cpl, 0);
    assert_int_equal(sel(f, SEG_SS), DATA0);
    f->cpu.st.gpr[REG_EDX] = CODE + 2;
    f->cpu.st.gpr[REG_ECX] = STACK3;
    steps(f, 1);
    assert_int_equal(eip(f), CODE + 2);
    assert_int_equal(sel(f, SEG_CS), CODE3);
    assert_int_equal(sel(f, SEG_SS), DATA3);
    assert_int_equal(f->cpu.st.cpl, 3);
}

static void unknown_msrs_are_gp_and_known_ones_hold_their_value(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_ECX] = 0x12345678;
    CODE_BYTES(f, "\x0f\x32");
    steps(f, 1);
    assert_fault(f, VEC_GP, 0, CODE);
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_ECX] = 0x174;
    f->cpu.st.gpr[REG_EAX] = 0x60;
    f->cpu.st.gpr[REG_EDX] = 0;
    CODE_BYTES(f, "\x0f\x30\x31\xc0\x0f\x32"); /* wrmsr; xor eax,eax; rdmsr */
    steps(f, 3);
    assert_int_equal(reg(f, REG_EAX), 0x60);
}

static void cpuid_names_vendor_signature_and_features(void **state)
{
    struct fixture *f = *state;
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_EAX] = 0;
    CODE_BYTES(f, "\x0f\xa2");
    steps(f, 1);
    assert_int_equal(reg(f, REG_EAX), 2);
    assert_int_equal(reg(f, REG_EBX), 0x756e6547); /* "Genu" */
    assert_int_equal(reg(f, REG_EDX), 0x49656e69);
    assert_int_equal(reg(f, REG_ECX), 0x6c65746e);
    enter_protected(f, 0);
    f->cpu.st.gpr[REG_EAX] = 1;
    steps(f, 1);
    assert_int_equal(reg(f, REG_EAX), 0x652);
    assert_int_equal(reg(f, REG_EDX) & (FEAT_PAE | FEAT_SEP | FEAT_APIC | FEAT_SSE), FEAT_PAE | FEAT_SEP);
}

static void models_parse_with_features_and_suggest_names(void **state)
{
    struct cpu_model m;
    struct error err;
    (void)state;
    assert_int_equal(cpu_model_parse("486,-fpu,+tsc", &m, &err), EMU_OK);
    assert_int_equal(m.features & (FEAT_FPU | FEAT_TSC), FEAT_TSC);
    assert_int_equal(cpu_model_parse("pentuim", &m, &err), EMU_ARG);
    assert_non_null(strstr(err.text, "\"pentium\""));
    assert_int_equal(cpu_model_parse("486,+mxx", &m, &err), EMU_ARG);
    assert_non_null(strstr(err.text, "\"mmx\""));
    assert_int_equal(cpu_model_parse("pentium3,+apic", &m, &err), EMU_UNSUPPORTED);
}

/* 80286 (286 manual 10.2) */

static void the_286_enters_protected_mode_by_lmsw_and_uses_24_bit_bases(void **state)
{
    struct fixture *f = *state;
    enter_real(f);
    f->cpu.st.gdtr = (struct cpu_dtr){.base = GDT, .limit = GDT_ENTRIES * 8 - 1};
    put_desc(f, GDT + 8, CODE, 0xffff, 0x9a, 0);
    put_desc(f, GDT + 16, 0xff200000, 0xffff, 0x92, 0xc); /* the upper word does not count */
    f->cpu.st.gpr[REG_EAX] = 0xfff1;
    f->cpu.st.gpr[REG_EBX] = 16;
    CODE_BYTES(f, "\x0f\x01\xf0\xea\x08\x00\x08\x00\x8e\xdb"); /* lmsw ax; jmp 8:8; mov ds,bx */
    steps(f, 3);
    assert_int_equal(eip(f), 10);
    assert_int_equal(f->cpu.st.seg[SEG_DS].base, 0x200000);
    assert_int_equal(f->cpu.st.seg[SEG_DS].limit, 0xffff);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(real_mode_interrupt_pushes_flags_cs_ip_and_clears_if_tf),
        T(empty_idt_in_real_mode_is_a_triple_fault),
        T(unreal_mode_keeps_the_limit_of_protected_mode),
        T(interrupt_from_level_3_switches_to_the_stack_of_the_tss_and_iret_returns),
        T(a_return_to_level_3_makes_null_selectors_zero),
        T(software_interrupt_needs_the_gates_dpl),
        T(not_present_gate_is_np_with_the_idt_bit),
        T(interrupt_gate_clears_if_and_trap_gate_keeps_it),
        T(sixteen_bit_gate_pushes_words),
        T(bad_inner_stack_is_ts_with_its_selector),
        T(contributory_while_delivering_contributory_is_a_double_fault),
        T(benign_then_contributory_is_delivered_in_turn_with_ext),
        T(fault_while_delivering_a_double_fault_shuts_down),
        T(page_fault_sets_cr2_and_pushes_its_error_code),
        T(cmps_finds_es_edi_missing_first_but_repe_cmpsb_ds_esi),
        T(page_fault_on_the_handlers_stack_is_a_double_fault),
        T(loading_a_segment_checks_type_privilege_and_presence),
        T(null_data_segment_loads_but_faults_on_use),
        T(loading_a_segment_sets_the_accessed_bit),
        T(ldt_selectors_reach_the_ldt),
        T(call_gate_switches_stacks_and_copies_parameters),
        T(far_jump_may_not_raise_privilege_but_may_enter_conforming_code),
        T(far_return_to_an_inner_level_is_gp),
        T(iret_enters_v86_and_an_exception_leaves_it_with_all_segments_saved),
        T(iopl_3_lets_int_n_through_to_the_monitor),
        T(vme_redirects_int_n_to_the_8086_handler),
        T(int3_in_v86_mode_goes_to_the_monitor_whatever_iopl),
        T(jump_to_a_tss_switches_tasks_and_moves_the_busy_bit),
        T(call_to_a_task_links_back_and_iret_returns),
        T(sixteen_bit_tss_holds_words),
        T(bad_segment_of_the_new_task_faults_in_the_new_task),
        T(busy_or_short_tss_is_refused),
        T(t_bit_of_the_tss_raises_a_debug_trap),
        T(a_call_gate_whose_stack_runs_into_a_missing_page_changes_nothing),
        T(iret_from_a_missing_page_changes_nothing),
        T(single_step_traps_after_one_instruction),
        T(code_breakpoint_faults_before_and_rf_lets_it_pass),
        T(data_breakpoint_traps_after_the_write),
        T(mov_ss_holds_off_the_single_step_trap),
        T(general_detect_guards_the_debug_registers),
        T(dr4_is_dr6_unless_de_is_set),
        T(io_bitmap_decides_below_iopl),
        T(lmsw_sets_pe_but_never_clears_it),
        T(bad_control_register_values_are_gp),
        T(privileged_instructions_are_gp_at_level_3),
        T(selectors_are_queried_without_faults),
        T(arpl_raises_the_rpl_to_the_callers),
        T(a_selector_on_the_stack_has_two_bytes_but_on_the_pentium),
        T(arpl_writes_only_what_it_changes),
        T(clflush_takes_an_execute_only_segment),
        T(misaligned_implicit_and_x87_operands_are_ac_in_ring_3),
        T(sysenter_and_sysexit_load_flat_segments),
        T(unknown_msrs_are_gp_and_known_ones_hold_their_value),
        T(cpuid_names_vendor_signature_and_features),
        T(models_parse_with_features_and_suggest_names),
        cmocka_unit_test_setup_teardown(the_286_enters_protected_mode_by_lmsw_and_uses_24_bit_bases, setup_286,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
