/*
 * What system software does with registers that user programs never see: control, debug and model-specific registers,
 * CPUID, descriptor-table registers, LOADALL, and the interrupt flag by mode and IOPL. Expected values come from SDM
 * vol. 2 (each instruction), vol. 3A 2.5, 4.4.1, 20.3, AP-485 (CPUID), and the 80286's LOADALL application note.
 */
#include <stdio.h>

#include "tests/cpu/fpu_bench.h"

#define AT_DATA_PLUS(n) #n "\x00\x02\x00"

enum { TSS = 0x3000, LDT_AT = 0x3800, PDPT = 0x4000, PAGE_DIR = 0x5000, SEL_TSS = 0x18, SEL_LDT = 0x20, SEL_BAD = 0x28 };

static uint32_t eax(const struct fpu_bench *b) { return (uint32_t)b->cpu.st.gpr[REG_EAX]; }
static void set_eax(struct fpu_bench *b, uint32_t v) { b->cpu.st.gpr[REG_EAX] = v; }

static void descriptor(struct fpu_bench *b, unsigned sel, uint32_t base, uint32_t limit, unsigned access)
{
    put(b, GDT + sel, 8, (uint64_t)limit | (uint64_t)base << 16 | (uint64_t)access << 40);
    b->cpu.st.gdtr.limit = 0x3f;
}

/* CPL 3 with a TSS whose level-0 stack is STACK - 0x100; `flags` has IOPL and VM. */
static void level_3(struct fpu_bench *b, uint32_t flags)
{
    struct cpu *c = &b->cpu;
    bench_protected_mode(b);
    put(b, TSS + 4, 4, STACK - 0x100);
    put(b, TSS + 8, 4, DATA_SELECTOR);
    c->st.seg[SEG_TR] = (struct cpu_seg){.base = TSS, .limit = 0x67, .selector = SEL_TSS, .attr = 0x8b};
    for (unsigned s = 0; s < 6; s++) {
        c->st.seg[s].attr |= 0x60;
        c->st.seg[s].selector |= 3;
        if (flags & FLAG_VM)
            c->st.seg[s] = (struct cpu_seg){.limit = 0xffff, .attr = 0xf3};
    }
    if (flags & FLAG_VM) {
        c->st.seg[SEG_CS].base = CODE;
        c->st.seg[SEG_CS].selector = CODE >> 4;
    }
    c->st.cpl = 3;
    cpu_set_eflags(c, 2 | flags);
    cpu_state_changed(c);
}

/* As bench_run, in V86 mode, where EIP starts at 0. */
static int run_v86(struct fpu_bench *b, const char *code, size_t len)
{
    struct cpu *c = &b->cpu;
    phys_write_bytes(b->phys, CODE, code, len);
    c->st.eip = 0;
    c->st.gpr[REG_ESP] = STACK;
    for (unsigned steps = 0; c->st.eip < len && steps < len; steps++)
        (void)cpu_step(c);
    return c->st.eip >= HANDLERS ? (int)(c->st.eip - HANDLERS) / 16 : NO_FAULT;
}
#define RUN_V86(b, code) run_v86((b), (code), sizeof(code) - 1)

static uint32_t flags_of(struct fpu_bench *b)
{
    cpu_sync(&b->cpu);
    return (uint32_t)b->cpu.st.eflags;
}

/* --- control registers (SDM 3A 2.5) --- */

static void control_registers_hold_what_is_moved_to_them(void **state)
{
    struct fpu_bench *b = *state;
    set_eax(b, 0x12345678);
    RUN_OK(b, "\x0f\x22\xd0\x0f\x20\xd3"); /* mov cr2,eax; mov ebx,cr2 */
    assert_int_equal(b->cpu.st.gpr[REG_EBX], 0x12345678);
    set_eax(b, 0x00123000);
    RUN_OK(b, "\x0f\x22\xd8\x0f\x20\xdb"); /* cr3 */
    assert_int_equal(b->cpu.st.gpr[REG_EBX], 0x00123000);
    set_eax(b, CR4_PSE | CR4_PGE | CR4_DE | CR4_PCE);
    RUN_OK(b, "\x0f\x22\xe0\x0f\x20\xe3"); /* cr4 */
    assert_int_equal(b->cpu.st.gpr[REG_EBX], CR4_PSE | CR4_PGE | CR4_DE | CR4_PCE);
    set_eax(b, CR0_PE | CR0_WP | CR0_AM | CR0_CD | CR0_NW);
    RUN_OK(b, "\x0f\x22\xc0\x0f\x20\xc3"); /* cr0: ET is fixed */
    assert_int_equal(b->cpu.st.gpr[REG_EBX], CR0_PE | CR0_WP | CR0_AM | CR0_CD | CR0_NW | CR0_ET);
    assert_int_equal(RUN(b, "\x0f\x20\xc8"), VEC_UD); /* mov eax,cr1 */
}

static void the_machine_status_word_reads_16_bits_in_memory(void **state)
{
    struct fpu_bench *b = *state;
    put(b, DATA, 4, 0xaaaaaaaa);
    RUN_OK(b, "\x0f\x01\x25" AT_DATA "\x0f\x01\xe0"); /* smsw [data]; smsw eax */
    assert_int_equal(get(b, DATA, 4), 0xaaaa0000 | (b->cpu.st.cr0 & 0xffff));
    assert_int_equal(eax(b), b->cpu.st.cr0);
    put(b, DATA, 2, CR0_TS | CR0_MP);
    RUN_OK(b, "\x0f\x01\x35" AT_DATA); /* lmsw [data] */
    assert_int_equal(b->cpu.st.cr0 & 0xf, CR0_PE | CR0_TS | CR0_MP);
    RUN_OK(b, "\x0f\x06"); /* clts */
    assert_int_equal(b->cpu.st.cr0 & 0xf, CR0_PE | CR0_MP);
}

/* SDM 3A 4.4.1: with PAE, MOV CR3 and setting PG load four PDPTEs; reserved bits in a present one are #GP(0). */
static void pae_loads_its_four_pointers_and_checks_them(void **state)
{
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < 4; k++)
        put(b, PDPT + 8 * k, 8, k == 0 ? PAGE_DIR | 1 : 0);
    put(b, PAGE_DIR, 8, 0x83); /* 2 MiB page */
    set_eax(b, PDPT);
    RUN_OK(b, "\x0f\x22\xd8"); /* mov cr3,eax */
    set_eax(b, CR4_PAE);
    RUN_OK(b, "\x0f\x22\xe0");
    set_eax(b, CR0_PG | CR0_PE | CR0_NE);
    RUN_OK(b, "\x0f\x22\xc0");
    assert_int_equal(b->cpu.st.pdpte[0], PAGE_DIR | 1);
    RUN_OK(b, "\x90");
    put(b, PDPT + 8, 8, UINT64_C(1) << 40 | 1); /* beyond the physical addresses */
    set_eax(b, PDPT);
    assert_int_equal(RUN(b, "\x0f\x22\xd8"), VEC_GP);
    put(b, PDPT + 8, 8, 0x1e6); /* not present: anything goes */
    set_eax(b, PDPT);
    RUN_OK(b, "\x0f\x22\xd8");
    assert_int_equal(b->cpu.st.pdpte[1], 0x1e6);
    put(b, PDPT + 8, 8, 0x1e7);
    set_eax(b, CR4_PAE | CR4_PGE);
    assert_int_equal(RUN(b, "\x0f\x22\xe0"), VEC_GP); /* PGE changes: they are loaded again */
    assert_int_equal(b->cpu.st.cr4, CR4_PAE);
}

static void debug_and_test_registers_keep_their_fixed_bits(void **state)
{
    struct fpu_bench *b = *state;
    set_eax(b, 0xffffffff & ~(1u << 13));
    RUN_OK(b, "\x0f\x23\xf0\x0f\x21\xf3"); /* mov dr6,eax; mov ebx,dr6 */
    assert_int_equal(b->cpu.st.gpr[REG_EBX], 0xffffcfff);
    set_eax(b, 0);
    RUN_OK(b, "\x0f\x23\xf8\x0f\x21\xfb"); /* dr7 */
    assert_int_equal(b->cpu.st.gpr[REG_EBX], 0x400);
    set_eax(b, 0x1234);
    RUN_OK(b, "\x0f\x23\xd8\x0f\x21\xdb"); /* dr3 */
    assert_int_equal(b->cpu.st.gpr[REG_EBX], 0x1234);
    RUN_OK(b, "\x0f\x09\x0f\x08"); /* wbinvd; invd */
    RUN_OK(b, "\x0f\x01\x3d" AT_DATA); /* invlpg */
}

static void a_386_has_test_registers_and_no_cr4(void **state)
{
    struct fpu_bench *b = bench_new("386");
    (void)state;
    set_eax(b, 0xffffffff);
    RUN_OK(b, "\x0f\x26\xf0\x0f\x24\xf0"); /* mov tr6,eax; mov eax,tr6 */
    assert_int_equal(eax(b), 0);
    assert_int_equal(RUN(b, "\x0f\x20\xe0"), VEC_UD);
    set_eax(b, 0x12345fff);
    RUN_OK(b, "\x0f\x22\xd8\x0f\x20\xdb"); /* the low bits of CR3 are not there */
    assert_int_equal(b->cpu.st.gpr[REG_EBX], 0x12345000);
    bench_free(b);
}

/* --- model-specific registers --- */

static int rdmsr(struct fpu_bench *b, uint32_t index, uint64_t *value)
{
    b->cpu.st.gpr[REG_ECX] = index;
    int fault = RUN(b, "\x0f\x32");
    *value = b->cpu.st.gpr[REG_EDX] << 32 | b->cpu.st.gpr[REG_EAX];
    return fault;
}

static int wrmsr(struct fpu_bench *b, uint32_t index, uint64_t value)
{
    b->cpu.st.gpr[REG_ECX] = index;
    b->cpu.st.gpr[REG_EAX] = (uint32_t)value;
    b->cpu.st.gpr[REG_EDX] = value >> 32;
    return RUN(b, "\x0f\x30");
}

static void assert_keeps(struct fpu_bench *b, uint32_t index, uint64_t value)
{
    uint64_t got;
    assert_int_equal(wrmsr(b, index, value), NO_FAULT);
    assert_int_equal(rdmsr(b, index, &got), NO_FAULT);
    assert_int_equal(got, value);
}

static void a_pentium_4_keeps_the_documented_msrs(void **state)
{
    static const uint32_t plain[] = {0x174, 0x175, 0x176, 0x1b, 0x33, 0x8b, 0x17a, 0x1a0, 0x200, 0x20f};
    static const uint32_t types[] = {0x250, 0x258, 0x259, 0x268, 0x26f, 0x277};
    static const uint32_t nothing_behind[] = {0x00, 0x01, 0x2a, 0x79, 0xc1, 0xc2, 0x186, 0x187, 0x1d9};
    struct fpu_bench *b = bench_new("pentium4,+nx");
    uint64_t v;
    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(plain); k++)
        assert_keeps(b, plain[k], 0x5678);
    for (unsigned k = 0; k < ARRAY_LEN(types); k++) {
        assert_keeps(b, types[k], UINT64_C(0x0605040100060606));
        assert_int_equal(wrmsr(b, types[k], 2), VEC_GP); /* no memory type 2 */
    }
    assert_keeps(b, 0x277, UINT64_C(0x0007040600070406)); /* PAT alone has UC- */
    assert_int_equal(wrmsr(b, 0x250, 7), VEC_GP);
    assert_keeps(b, 0x2ff, 0xc06);
    assert_int_equal(wrmsr(b, 0x2ff, 0x1006), VEC_GP);
    for (unsigned k = 0; k < ARRAY_LEN(nothing_behind); k++) {
        assert_int_equal(wrmsr(b, nothing_behind[k], 1), NO_FAULT);
        assert_int_equal(rdmsr(b, nothing_behind[k], &v), NO_FAULT);
        assert_int_equal(v, 0);
    }
    assert_keeps(b, 0xc0000080, 0x800); /* EFER.NXE */
    assert_int_equal(wrmsr(b, 0xc0000080, 1), VEC_GP);
    for (uint32_t index = 0xfe; index <= 0x179; index += 0x179 - 0xfe) { /* MTRRCAP, MCG_CAP: read only */
        assert_int_equal(rdmsr(b, index, &v), NO_FAULT);
        assert_int_equal(wrmsr(b, index, 0), VEC_GP);
    }
    assert_int_equal(rdmsr(b, 0x17, &v), NO_FAULT);
    bench_free(b);
}

static void a_pentium_has_its_own_and_a_486_none(void **state)
{
    struct fpu_bench *b = bench_new("pentium");
    uint64_t v;
    (void)state;
    assert_int_equal(rdmsr(b, 0x00, &v), NO_FAULT);
    assert_int_equal(rdmsr(b, 0x11, &v), NO_FAULT);
    assert_int_equal(wrmsr(b, 0x0e, 1), NO_FAULT);
    assert_int_equal(rdmsr(b, 0xfe, &v), VEC_GP);
    assert_int_equal(rdmsr(b, 0x174, &v), VEC_GP);
    bench_free(b);
    b = bench_new("486");
    assert_int_equal(rdmsr(b, 0x00, &v), VEC_UD);
    bench_free(b);
}

static void the_time_stamp_is_written_and_goes_on(void **state)
{
    struct fpu_bench *b = *state;
    assert_int_equal(wrmsr(b, 0x10, UINT64_C(0x500000000)), NO_FAULT);
    RUN_OK(b, "\x0f\x31"); /* rdtsc */
    assert_int_equal(b->cpu.st.gpr[REG_EDX], 5);
    level_3(b, 0);
    RUN_OK(b, "\x0f\x31");
    b->cpu.st.cr4 |= CR4_TSD;
    assert_int_equal(RUN(b, "\x0f\x31"), VEC_GP);
}

static void performance_counters_are_two_and_guarded_by_pce(void **state)
{
    struct fpu_bench *b = *state;
    b->cpu.st.gpr[REG_ECX] = 1;
    RUN_OK(b, "\x0f\x33");
    b->cpu.st.gpr[REG_ECX] = 2;
    assert_int_equal(RUN(b, "\x0f\x33"), VEC_GP);
    level_3(b, 0);
    b->cpu.st.gpr[REG_ECX] = 0;
    assert_int_equal(RUN(b, "\x0f\x33"), VEC_GP);
    level_3(b, 0);
    b->cpu.st.cr4 |= CR4_PCE;
    RUN_OK(b, "\x0f\x33");
}

/* --- CPUID (AP-485) --- */

static void cpuid(struct fpu_bench *b, uint32_t leaf)
{
    set_eax(b, leaf);
    RUN_OK(b, "\x0f\xa2");
}

static void cpuid_describes_caches_and_beyond_the_last_leaf_repeats_it(void **state)
{
    static const struct { const char *model; uint32_t low; } models[] = {
        {"pentium2", 0x43}, {"pentium3", 0x82}, {"pentium4", 0x40}};
    (void)state;
    for (unsigned m = 0; m < ARRAY_LEN(models); m++) {
        struct fpu_bench *b = bench_new(models[m].model);
        cpuid(b, 2);
        assert_int_equal(eax(b) & 0xff, 1); /* one call says all */
        assert_int_equal(b->cpu.st.gpr[REG_EDX] & 0xff, models[m].low);
        uint32_t edx = (uint32_t)b->cpu.st.gpr[REG_EDX];
        cpuid(b, 0x1000);
        assert_int_equal(b->cpu.st.gpr[REG_EDX], edx);
        bench_free(b);
    }
}

static void a_pentium_4_has_a_brand_string(void **state)
{
    struct fpu_bench *b = bench_new("pentium4");
    char text[49] = "";
    (void)state;
    cpuid(b, 0x80000000);
    assert_int_equal(eax(b), 0x80000004);
    cpuid(b, 0x80000001);
    for (uint32_t part = 0; part < 3; part++) {
        cpuid(b, 0x80000002 + part);
        const uint32_t r[4] = {eax(b), (uint32_t)b->cpu.st.gpr[REG_EBX], (uint32_t)b->cpu.st.gpr[REG_ECX],
                               (uint32_t)b->cpu.st.gpr[REG_EDX]};
        for (unsigned k = 0; k < 16; k++)
            text[16 * part + k] = (char)(r[k / 4] >> k % 4 * 8);
    }
    assert_non_null(strstr(text, "Pentium"));
    bench_free(b);
}

static void count_lines(void *arg, const char *line)
{
    unsigned *n = arg;
    if (!strncmp(line, "pentium3 ", 9) || strstr(line, " mmx"))
        ++*n;
}

static void the_list_of_models_has_their_features(void **state)
{
    unsigned found = 0;
    struct cpu_model m;
    struct error err = {""};
    char longest[300];
    (void)state;
    cpu_model_list(count_lines, &found);
    assert_int_equal(found, 2);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    assert_int_equal(cpu_model_parse(longest, &m, &err), EMU_ARG);
    assert_int_equal(cpu_model_parse("486,mmx", &m, &err), EMU_ARG);
    assert_int_equal(cpu_model_parse("486,+nonsense", &m, &err), EMU_ARG);
}

/* --- descriptor-table registers --- */

static void table_registers_load_and_store(void **state)
{
    struct fpu_bench *b = *state;
    descriptor(b, SEL_TSS, TSS, 0x67, 0x89);
    descriptor(b, SEL_LDT, LDT_AT, 0x1f, 0x82);
    RUN_OK(b, "\x0f\x01\x05" AT_DATA "\x0f\x01\x0d" AT_DATA_PLUS(\x08)); /* sgdt; sidt */
    assert_int_equal(get(b, DATA, 6), (uint64_t)GDT << 16 | 0x3f);
    assert_int_equal(get(b, DATA + 8, 6), (uint64_t)IDT << 16 | 0xff);
    put(b, DATA, 6, UINT64_C(0xff0018000017));
    RUN_OK(b, "\x66\x0f\x01\x1d" AT_DATA); /* o16 lidt: 24 bits of base */
    assert_int_equal(b->cpu.st.idtr.base, 0x001800);
    b->cpu.st.idtr.limit = 0xff;
    set_eax(b, SEL_LDT);
    RUN_OK(b, "\x0f\x00\xd0\x0f\x00\xc3"); /* lldt ax; sldt ebx */
    assert_int_equal(b->cpu.st.gpr[REG_EBX] & 0xffff, SEL_LDT);
    assert_int_equal(b->cpu.st.seg[SEG_LDTR].base, LDT_AT);
    set_eax(b, SEL_TSS);
    RUN_OK(b, "\x0f\x00\xd8\x0f\x00\xcb"); /* ltr ax; str ebx */
    assert_int_equal(b->cpu.st.gpr[REG_EBX] & 0xffff, SEL_TSS);
    assert_int_equal(get(b, GDT + SEL_TSS + 5, 1), 0x8b); /* busy */
    set_eax(b, 0);
    RUN_OK(b, "\x0f\x00\xd0"); /* lldt null */
}

static void bad_system_selectors_fault_with_their_value(void **state)
{
    static const struct { uint8_t modrm; unsigned access; uint16_t selector; int vector; } cases[] = {
        {0xd0, 0x89, SEL_BAD, VEC_GP}, /* lldt: not an LDT */
        {0xd0, 0x02, SEL_BAD, VEC_NP},
        {0xd0, 0x92, SEL_BAD, VEC_GP}, /* a data segment */
        {0xd0, 0x82, SEL_BAD | 4, VEC_GP}, /* from the LDT */
        {0xd8, 0x8b, SEL_BAD, VEC_GP}, /* ltr: busy */
        {0xd8, 0x82, SEL_BAD, VEC_GP},
        {0xd8, 0x09, SEL_BAD, VEC_NP},
        {0xd8, 0x89, 0, VEC_GP},
        {0xd8, 0x89, 0x1000, VEC_GP}, /* beyond the limit */
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        const uint8_t code[] = {0x0f, 0x00, cases[k].modrm};
        descriptor(b, SEL_BAD, TSS, 0x67, cases[k].access);
        set_eax(b, cases[k].selector);
        assert_int_equal(bench_run(b, code, 3), cases[k].vector);
        assert_int_equal(get(b, (uint32_t)b->cpu.st.gpr[REG_ESP], 4), cases[k].selector & 0xfffc);
    }
}

/* The 80286 loads everything from 00800: MSW at 806, TR at 816, registers at 826, caches from 836 on. */
static void loadall_fills_the_whole_286(void **state)
{
    struct fpu_bench *b = bench_new("286");
    struct cpu *c = &b->cpu;
    (void)state;
    bench_real_mode(b);
    for (uint32_t at = 0x800; at < 0x866; at += 2)
        put(b, at, 2, 0);
    put(b, 0x818, 2, 0x0003); /* flags: CF */
    put(b, 0x81a, 2, 0x1234); /* IP */
    put(b, 0x81e, 2, 0x0555); /* DS */
    put(b, 0x822, 2, 0x0777); /* CS */
    for (uint32_t k = 0; k < 8; k++)
        put(b, 0x826 + 2 * k, 2, 0x1000 + k); /* DI SI BP SP BX DX CX AX */
    put(b, 0x836 + 12, 6, UINT64_C(0x008093100000)); /* SS: base 100000, access 93, limit 80 */
    put(b, 0x836 + 12 + 0, 2, 0x0000);
    put(b, 0x836 + 12 + 2, 2, 0x9310);
    put(b, 0x836 + 12 + 4, 2, 0xfffe);
    put(b, 0x848 + 2, 2, 0x9320); /* DS: base 200000 */
    put(b, 0x84e, 2, 0x4321), put(b, 0x84e + 4, 2, 0x00ff); /* GDT */
    phys_write_bytes(b->phys, CODE, "\x0f\x05", 2);
    c->st.eip = 0;
    (void)cpu_step(c);
    assert_int_equal(c->st.eip, 0x1234);
    assert_int_equal(c->st.gpr[REG_EDI], 0x1000);
    assert_int_equal(c->st.gpr[REG_EAX], 0x1007);
    assert_int_equal(c->st.seg[SEG_DS].base, 0x200000);
    assert_int_equal(c->st.seg[SEG_DS].selector, 0x555);
    assert_int_equal(c->st.seg[SEG_CS].selector, 0x777);
    assert_int_equal(c->st.seg[SEG_SS].base, 0x100000);
    assert_int_equal(c->st.seg[SEG_SS].limit, 0xfffe);
    assert_int_equal(c->st.gdtr.base, 0x4321);
    assert_int_equal(c->st.gdtr.limit, 0xff);
    assert_int_equal(flags_of(b) & FLAG_CF, FLAG_CF);
    bench_free(b);
}

/* --- the interrupt flag by mode, IOPL, VME and PVI (SDM 3A 20.3, 20.4) --- */

static void cli_and_sti_below_iopl_are_gp_or_virtual(void **state)
{
    struct fpu_bench *b = *state;
    level_3(b, 0);
    assert_int_equal(RUN(b, "\xfa"), VEC_GP);
    level_3(b, 0);
    assert_int_equal(RUN(b, "\xfb"), VEC_GP);
    level_3(b, 3 << 12);
    RUN_OK(b, "\xfb");
    assert_int_equal(flags_of(b) & FLAG_IF, FLAG_IF);
    RUN_OK(b, "\xfa");
    assert_int_equal(flags_of(b) & FLAG_IF, 0);
    level_3(b, 0);
    b->cpu.st.cr4 |= CR4_PVI;
    RUN_OK(b, "\xfb");
    assert_int_equal(flags_of(b) & (FLAG_IF | FLAG_VIF), FLAG_VIF);
    RUN_OK(b, "\xfa");
    assert_int_equal(flags_of(b) & (FLAG_IF | FLAG_VIF), 0);
    level_3(b, FLAG_VIP);
    assert_int_equal(RUN(b, "\xfb"), VEC_GP); /* an interrupt is pending */
}

static void v86_mode_pushes_and_pops_the_virtual_flag(void **state)
{
    struct fpu_bench *b = *state;
    level_3(b, FLAG_VM | FLAG_VIF);
    assert_int_equal(RUN_V86(b, "\x9c"), VEC_GP); /* pushf below IOPL 3 */
    level_3(b, FLAG_VM | FLAG_VIF);
    b->cpu.st.cr4 |= CR4_VME;
    assert_int_equal(RUN_V86(b, "\x9c\x58\xfa"), NO_FAULT); /* pushf; pop ax; cli */
    assert_int_equal(eax(b) & (FLAG_IF | 3 << 12), FLAG_IF | 3 << 12);
    assert_int_equal(flags_of(b) & FLAG_VIF, 0);
    assert_int_equal(RUN_V86(b, "\x50\x9d"), NO_FAULT); /* push ax; popf */
    assert_int_equal(flags_of(b) & (FLAG_IF | FLAG_VIF | 3 << 12), FLAG_VIF);
    b->cpu.st.gpr[REG_EAX] = FLAG_TF;
    assert_int_equal(RUN_V86(b, "\x50\x9d"), VEC_GP);
    level_3(b, FLAG_VM);
    assert_int_equal(RUN_V86(b, "\x66\x9c"), VEC_GP); /* no 32-bit image */
    level_3(b, FLAG_VM | 3 << 12);
    assert_int_equal(RUN_V86(b, "\x9c\x58\xfb\xfa\x50\x9d"), NO_FAULT);
}

static void iret_in_v86_mode_follows_iopl_and_vme(void **state)
{
    struct fpu_bench *b = *state;
    const uint32_t both = FLAG_IF | FLAG_VIF;
    b->cpu.st.cr4 |= CR4_VME;
    for (unsigned k = 0; k < 3; k++) {
        static const struct { uint32_t flags, image; int vector; uint32_t after; } cases[] = {
            {FLAG_VM | 3 << 12, FLAG_IF, NO_FAULT, FLAG_IF},
            {FLAG_VM, FLAG_IF | FLAG_CF, NO_FAULT, FLAG_VIF},
            {FLAG_VM, FLAG_TF, VEC_GP, 0}};
        level_3(b, cases[k].flags);
        put(b, STACK, 2, 5), put(b, STACK + 2, 2, CODE >> 4), put(b, STACK + 4, 2, cases[k].image | 2);
        assert_int_equal(RUN_V86(b, "\xcf\x90\x90\x90\x90"), cases[k].vector);
        if (cases[k].vector == NO_FAULT) {
            assert_int_equal(b->cpu.st.eip, 5);
            assert_int_equal(flags_of(b) & both, cases[k].after);
        }
    }
    level_3(b, FLAG_VM);
    put(b, STACK, 4, 5), put(b, STACK + 4, 4, CODE >> 4), put(b, STACK + 8, 4, 2);
    assert_int_equal(RUN_V86(b, "\x66\xcf\x90\x90"), VEC_GP); /* a 32-bit image below IOPL 3 */
}

/* SDM 1 8.1.10: the x87's images have real mode's format in V86 mode: figures 8-10 and 8-12. */
static void v86_mode_has_the_x87_formats_of_real_mode(void **state)
{
    struct fpu_bench *b = *state;
    level_3(b, FLAG_VM);
    assert_int_equal(RUN_V86(b, "\xd9\xeb\xd9\x36\x00\x01"), NO_FAULT); /* fldpi; fnstenv [100] */
    assert_int_equal(get(b, 0x104, 2), 0x3fff);
    assert_int_equal(get(b, 0x106, 2), (uint16_t)CODE);
    assert_int_equal(get(b, 0x108, 2), (CODE >> 16) << 12 | 0x1eb);
    assert_int_equal(RUN_V86(b, "\xd9\xeb\x66\xd9\x36\x00\x01"), NO_FAULT);
    assert_int_equal(get(b, 0x10c, 2), (uint16_t)CODE);
    assert_int_equal(get(b, 0x110, 4), (CODE >> 16) << 12 | 0x1eb);
}

/* --- what the machine around the CPU may do --- */

static void keep_text(void *arg, const char *line)
{
    snprintf(arg, 256, "%s", line);
}

static void interrupts_and_faults_are_traced(void **state)
{
    struct fpu_bench *b = *state;
    char text[256] = "";
    struct log log = {.enabled = 1u << TRACE_INT, .sink = keep_text, .arg = text};
    b->cpu.w.log = &log;
    set_eax(b, 0x1234abcd);
    assert_int_equal(RUN(b, "\x0f\x0b"), VEC_UD);
    assert_non_null(strstr(text, "exc v=06 e=0000 cpl=0 IP=0008:00010000 SP=0010:00007000 AX=1234abcd"));
    assert_int_equal(RUN(b, "\xcd\x10"), 0x10);
    assert_non_null(strstr(text, "int v=10"));
    b->cpu.st.idtr.limit = 0; /* no vector has a gate: shutdown */
    phys_write_bytes(b->phys, CODE, "\x0f\x0b", 2);
    b->cpu.st.eip = CODE;
    (void)cpu_step(&b->cpu);
    assert_non_null(strstr(text, "triple fault"));
    assert_int_equal(b->cpu.st.shutdown, 1);
    b->cpu.w.log = NULL;
}

static void a_request_ends_the_run_after_one_instruction(void **state)
{
    struct fpu_bench *b = *state;
    phys_write_bytes(b->phys, CODE, "\x40\xeb\xfd", 3); /* inc eax; jmp to it */
    b->cpu.st.eip = CODE;
    set_eax(b, 0);
    cpu_request_exit(&b->cpu);
    assert_int_equal(cpu_run(&b->cpu, b->clk.st.icount + 1000), CPU_EXIT);
    assert_true(eax(b) <= 1);
    uint64_t limit = b->clk.st.icount + 1000;
    assert_int_equal(cpu_run(&b->cpu, limit), CPU_LIMIT);
    assert_int_equal(b->clk.st.icount, limit);
}

/* --- CMPXCHG8B (SDM 2A) --- */

static void cmpxchg8b_exchanges_or_loads(void **state)
{
    struct fpu_bench *b = *state;
    struct cpu_state *st = &b->cpu.st;
    put(b, DATA, 8, UINT64_C(0x1111111122222222));
    st->gpr[REG_EDX] = 0x11111111, st->gpr[REG_EAX] = 0x22222222;
    st->gpr[REG_ECX] = 0x33333333, st->gpr[REG_EBX] = 0x44444444;
    RUN_OK(b, "\x0f\xc7\x0d" AT_DATA);
    assert_int_equal(get(b, DATA, 8), UINT64_C(0x3333333344444444));
    assert_int_equal(flags_of(b) & FLAG_ZF, FLAG_ZF);
    RUN_OK(b, "\x0f\xc7\x0d" AT_DATA);
    assert_int_equal(st->gpr[REG_EDX] << 32 | st->gpr[REG_EAX], UINT64_C(0x3333333344444444));
    assert_int_equal(flags_of(b) & FLAG_ZF, 0);
}

/* --- far transfers (SDM 3A 5.8) --- */

/* Far pointer 100h:SELECTOR to itself, and what JMP and CALL say. */
static void far_transfers_check_the_target(void **state)
{
    static const struct { unsigned access; int vector; bool null_error; } cases[] = {
        {0x9a, NO_FAULT, false}, /* code */
        {0x1a, VEC_NP, false},
        {0x92, VEC_GP, false},   /* data */
        {0xfa, VEC_GP, false},   /* code of another level */
        {0x82, VEC_GP, false},   /* an LDT */
        {0x0c, VEC_NP, false},   /* a call gate that is not there */
        {0x8c, VEC_GP, true},    /* a call gate that names no segment */
    };
    struct fpu_bench *b = *state;
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        for (unsigned call = 0; call < 2; call++) {
            /* jmp or call far SEL_BAD:10007h, the next instruction */
            const uint8_t code[] = {call ? 0x9a : 0xea, 0x07, 0x00, 0x01, 0x00, SEL_BAD, 0x00};
            bench_protected_mode(b);
            descriptor(b, SEL_BAD, 0, 0xffff, cases[k].access);
            if (cases[k].null_error)
                put(b, GDT + SEL_BAD + 2, 2, 0);
            else
                put(b, GDT + SEL_BAD + 6, 1, 0xcf);
            assert_int_equal(bench_run(b, code, sizeof(code)), cases[k].vector);
            if (cases[k].vector != NO_FAULT) {
                uint64_t error = get(b, (uint32_t)b->cpu.st.gpr[REG_ESP], 4);
                assert_int_equal(error, cases[k].null_error ? 0 : SEL_BAD);
            }
        }
    }
}

#define WITH_BENCH(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(control_registers_hold_what_is_moved_to_them),
        WITH_BENCH(the_machine_status_word_reads_16_bits_in_memory),
        WITH_BENCH(pae_loads_its_four_pointers_and_checks_them),
        WITH_BENCH(debug_and_test_registers_keep_their_fixed_bits),
        cmocka_unit_test(a_386_has_test_registers_and_no_cr4),
        cmocka_unit_test(a_pentium_4_keeps_the_documented_msrs),
        cmocka_unit_test(a_pentium_has_its_own_and_a_486_none),
        WITH_BENCH(the_time_stamp_is_written_and_goes_on),
        WITH_BENCH(performance_counters_are_two_and_guarded_by_pce),
        cmocka_unit_test(cpuid_describes_caches_and_beyond_the_last_leaf_repeats_it),
        cmocka_unit_test(a_pentium_4_has_a_brand_string),
        cmocka_unit_test(the_list_of_models_has_their_features),
        WITH_BENCH(table_registers_load_and_store),
        WITH_BENCH(bad_system_selectors_fault_with_their_value),
        cmocka_unit_test(loadall_fills_the_whole_286),
        WITH_BENCH(cli_and_sti_below_iopl_are_gp_or_virtual),
        WITH_BENCH(v86_mode_pushes_and_pops_the_virtual_flag),
        WITH_BENCH(iret_in_v86_mode_follows_iopl_and_vme),
        WITH_BENCH(v86_mode_has_the_x87_formats_of_real_mode),
        WITH_BENCH(interrupts_and_faults_are_traced),
        WITH_BENCH(a_request_ends_the_run_after_one_instruction),
        WITH_BENCH(cmpxchg8b_exchanges_or_loads),
        WITH_BENCH(far_transfers_check_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
