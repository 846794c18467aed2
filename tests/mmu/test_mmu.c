/*
 * The MMU through hand-built page tables: rights, error codes, A/D flags, global and large pages, PAE,
 * NX. Expected values come from SDM 3A chapter 4.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/mmu.h"

enum { RAM_SIZE = 16 << 20, PD = 0x1000, PT = 0x2000, PD2 = 0x3000 };
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };
#define CR0_PG 0x80000000u
#define CR0_WP 0x00010000u
enum { CR4_PSE = 0x10, CR4_PAE = 0x20, CR4_PGE = 0x80 };

struct fixture {
    struct phys *phys;
    struct phys_block *ram;
    struct mmu mmu;
    struct mmu_controls ctl;
    unsigned code_written;
};

static void put32(struct fixture *f, paddr at, uint32_t v) { phys_write(f->phys, at, v, 4); }
static uint32_t get32(struct fixture *f, paddr at) { return phys_read(f->phys, at, 4); }
static void put64(struct fixture *f, paddr at, uint64_t v)
{
    put32(f, at, (uint32_t)v);
    put32(f, at + 4, (uint32_t)(v >> 32));
}
static void apply(struct fixture *f) { mmu_set_controls(&f->mmu, &f->ctl, false); }

static void code_written(void *arg, struct phys_block *block, uint64_t offset, uint32_t len)
{
    struct fixture *f = arg;
    (void)block, (void)offset, (void)len;
    f->code_written++;
}

/* Linear 00400000 (PDE 1, PTE 0) -> physical 00100000 with the given rights at both levels. */
static void map_one(struct fixture *f, uint32_t pde, uint32_t pte)
{
    put32(f, PD + 4, PT | pde);
    put32(f, PT, 0x00100000u | pte);
    apply(f);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->phys = calloc(1, sizeof(*f->phys));
    phys_init(f->phys);
    assert_int_equal(phys_block_new(f->phys, "ram", RAM_SIZE, false, &f->ram, NULL), EMU_OK);
    phys_map(f->phys, 0, RAM_SIZE, phys_region_memory(f->phys, "ram", f->ram, 0, 0, RAM_SIZE), PHYS_RW);
    f->phys->code_written = code_written;
    f->phys->code_written_arg = f;
    assert_int_equal(mmu_init(&f->mmu, f->phys, NULL), EMU_OK);
    f->ctl = (struct mmu_controls){.cr0 = CR0_PG | 1, .cr3 = PD, .pse36 = true, .level486 = true};
    apply(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mmu_free(&f->mmu);
    phys_free(f->phys);
    free(f->phys);
    free(f);
    return 0;
}

static bool rd(struct fixture *f, laddr at, bool user)
{
    uint64_t v;
    return mmu_read(&f->mmu, at, 4, user, &v);
}
static bool wr(struct fixture *f, laddr at, bool user) { return mmu_write(&f->mmu, at, 4, user, 0x55aa); }
static bool ex(struct fixture *f, laddr at, bool user)
{
    uint8_t b[15];
    return mmu_fetch(&f->mmu, at, b, 15, user) != 0;
}
#define assert_fault(f, ok, address, code) \
    do { \
        assert_false(ok); \
        assert_int_equal((f)->mmu.fault_addr, (address)); \
        assert_int_equal((f)->mmu.fault_error, (code)); \
    } while (0)

static void paging_off_is_identity_and_wraps_at_4_gib(void **state)
{
    struct fixture *f = *state;
    f->ctl.cr0 = 1;
    apply(f);
    uint64_t v;
    put32(f, 0x5000, 0x12345678);
    assert_true(mmu_read(&f->mmu, 0x5000, 4, false, &v));
    assert_int_equal(v, 0x12345678);
    put32(f, 0, 0x0000beef);
    assert_true(mmu_read(&f->mmu, 0xfffffffe, 4, false, &v)); /* open bus, then address 0 */
    assert_int_equal(v, 0xbeefffffu);
}

static void a20_gate_takes_effect_at_once(void **state)
{
    struct fixture *f = *state;
    f->ctl.cr0 = 1;
    apply(f);
    put32(f, 0x100000, 1);
    put32(f, 0, 2);
    uint64_t v;
    assert_true(mmu_read(&f->mmu, 0x100000, 4, false, &v));
    assert_int_equal(v, 1);
    phys_set_a20(f->phys, false);
    assert_true(mmu_read(&f->mmu, 0x100000, 4, false, &v));
    assert_int_equal(v, 2);
}

/* SDM 3A 4.7: P = 0 not present, W/R, U/S of the access. */
static void not_present_faults_tell_access_and_privilege(void **state)
{
    struct fixture *f = *state;
    assert_fault(f, rd(f, 0x400010, false), 0x400010, 0);
    assert_fault(f, wr(f, 0x400010, false), 0x400010, PF_W);
    assert_fault(f, wr(f, 0x400010, true), 0x400010, PF_W | PF_U);
    assert_fault(f, ex(f, 0x400010, true), 0x400010, PF_U); /* no I bit without NX */
    map_one(f, P | W | U, W | U);
    assert_fault(f, rd(f, 0x400ffc, true), 0x400ffc, PF_U);
    assert_int_equal(get32(f, PD + 4) & A, A); /* the level that was used */
}

/* SDM 3A 4.6.1: U/S and R/W are combined over both levels. */
static void rights_are_the_least_of_both_levels(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 16; i++) {
        uint32_t pde = P | (i & 1 ? W : 0) | (i & 2 ? U : 0), pte = P | (i & 4 ? W : 0) | (i & 8 ? U : 0);
        bool w = (pde & pte & W) != 0, u = (pde & pte & U) != 0;
        map_one(f, pde, pte);
        assert_int_equal(rd(f, 0x400000, true), u);
        assert_int_equal(wr(f, 0x400000, true), u && w);
        if (!(u && w))
            assert_int_equal(f->mmu.fault_error, PF_P | PF_W | PF_U);
        assert_true(rd(f, 0x400000, false));
        assert_true(wr(f, 0x400000, false)); /* WP = 0 */
    }
}

static void wp_stops_the_supervisor_from_the_486_on(void **state)
{
    struct fixture *f = *state;
    f->ctl.cr0 |= CR0_WP;
    map_one(f, P | W, P);
    assert_fault(f, wr(f, 0x400000, false), 0x400000, PF_P | PF_W);
    assert_int_equal(get32(f, PT) & (A | D), 0); /* a refused access marks nothing */
    f->ctl.level486 = false;
    apply(f);
    assert_true(wr(f, 0x400000, false));
}

/* SDM 3A 4.8. */
static void reads_set_a_and_only_writes_set_d(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W, P | W);
    assert_true(rd(f, 0x400000, false));
    assert_int_equal(get32(f, PD + 4), PT | P | W | A);
    assert_int_equal(get32(f, PT), 0x100000 | P | W | A);
    assert_true(wr(f, 0x400000, false)); /* the read's TLB entry must not hide the first write */
    assert_int_equal(get32(f, PD + 4), PT | P | W | A);
    assert_int_equal(get32(f, PT), 0x100000 | P | W | A | D);
}

static void probing_a_write_faults_or_marks_like_the_write(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W, P | W);
    assert_true(mmu_probe_write(&f->mmu, 0x400000, 4, false));
    assert_int_equal(get32(f, PT) & D, D);
    assert_int_equal(get32(f, 0x100000), 0);
    assert_fault(f, mmu_probe_write(&f->mmu, 0x400ffe, 4, false), 0x401000, PF_W);
}

static void a_write_over_two_pages_changes_nothing_when_the_second_faults(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W, P | W);
    assert_fault(f, wr(f, 0x400ffd, false), 0x401000, PF_W);
    assert_int_equal(get32(f, 0x100ffc), 0);
    put32(f, PT + 4, 0x200000 | P | W);
    assert_true(mmu_write(&f->mmu, 0x400ffd, 8, false, 0x8877665544332211));
    assert_int_equal(get32(f, 0x100ffc), 0x33221100);
    assert_int_equal(get32(f, 0x200000), 0x77665544);
    uint64_t v;
    assert_true(mmu_read(&f->mmu, 0x400ffd, 8, false, &v));
    assert_true(v == 0x8877665544332211);
}

static void invlpg_drops_the_old_translation(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W, P | W);
    uint32_t gen = f->mmu.gen;
    assert_true(wr(f, 0x400000, false));
    put32(f, PT, 0);
    mmu_invlpg(&f->mmu, 0x400123);
    assert_int_not_equal(f->mmu.gen, gen);
    assert_fault(f, rd(f, 0x400000, false), 0x400000, 0);
}

#ifndef STRESS
/* SDM 3A 4.10.2.4, 4.10.4.1: with CR4.PGE, G pages survive MOV CR3. */
static void global_pages_survive_a_cr3_write_only_with_pge(void **state)
{
    struct fixture *f = *state;
    f->ctl.cr4 = CR4_PGE;
    map_one(f, P | W, P | W | G);
    put32(f, PT + 4, 0x200000 | P | W);
    assert_true(rd(f, 0x400000, false) && rd(f, 0x401000, false));
    put32(f, PT, 0);
    put32(f, PT + 4, 0);
    mmu_set_controls(&f->mmu, &f->ctl, true);
    assert_true(rd(f, 0x400000, false));
    assert_false(rd(f, 0x401000, false));
    f->ctl.cr4 = 0;
    mmu_set_controls(&f->mmu, &f->ctl, true);
    assert_false(rd(f, 0x400000, false));
}
#endif

static void pse_maps_4_mib_and_invlpg_drops_all_of_it(void **state)
{
    struct fixture *f = *state;
    f->ctl.cr4 = CR4_PSE;
    put32(f, PD + 4, 0x00800000 | PS | P | W);
    apply(f);
    assert_true(wr(f, 0x7ff000, false));
    assert_int_equal(get32(f, 0xbff000), 0x55aa);
    assert_int_equal(get32(f, PD + 4), 0x00800000 | PS | P | W | A | D);
    assert_true(rd(f, 0x400000, false));
    put32(f, PD + 4, 0);
    mmu_invlpg(&f->mmu, 0x400000);
    assert_fault(f, rd(f, 0x7ff000, false), 0x7ff000, 0);
}

static void without_pse_the_ps_bit_means_nothing(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W | PS, P | W);
    assert_true(wr(f, 0x400000, false));
    assert_int_equal(get32(f, 0x100000), 0x55aa);
}

/* SDM 3A table 4-4: bits 20-13 are address bits 39-32, 21 reserved; without PSE-36 all are. */
static void reserved_bits_of_a_4_mib_page_fault(void **state)
{
    struct fixture *f = *state;
    f->ctl.cr4 = CR4_PSE;
    put32(f, PD + 4, 0x00800000 | 1 << 21 | PS | P | W | U);
    apply(f);
    assert_fault(f, wr(f, 0x400000, true), 0x400000, PF_P | PF_W | PF_U | PF_RSVD);
    put32(f, PD + 4, 0x00800000 | 1 << 13 | PS | P | W | U);
    uint64_t v;
    assert_true(mmu_read(&f->mmu, 0x400000, 4, false, &v));
    assert_int_equal(v, 0xffffffffu); /* 1_00800000 is beyond memory */
    f->ctl.pse36 = false;
    apply(f);
    assert_fault(f, rd(f, 0x400000, false), 0x400000, PF_P | PF_RSVD);
}

static void use_pae(struct fixture *f, bool nxe)
{
    f->ctl.cr4 = CR4_PAE;
    f->ctl.nxe = nxe;
    f->ctl.pdpte[3] = PD2 | P;
    put64(f, PD2 + 8 * 1, PT | P | W | U); /* C0200000 */
    put64(f, PT, 0x100000 | P | W | U);
    apply(f);
}

static void pae_walks_three_levels_from_the_pdpte_registers(void **state)
{
    struct fixture *f = *state;
    use_pae(f, false);
    assert_true(wr(f, 0xc0200000, true));
    assert_int_equal(get32(f, 0x100000), 0x55aa);
    assert_int_equal(get32(f, PD2 + 8), PT | P | W | U | A);
    assert_int_equal(get32(f, PT), 0x100000 | P | W | U | A | D);
    assert_fault(f, rd(f, 0x200000, false), 0x200000, 0); /* PDPTE 0 */
    assert_fault(f, rd(f, 0xc0000000, false), 0xc0000000, 0);
}

static void pae_maps_2_mib_pages_without_pse(void **state)
{
    struct fixture *f = *state;
    use_pae(f, false);
    put64(f, PD2 + 16, 0x00a00000 | PS | P | W);
    assert_true(wr(f, 0xc05ff000, false));
    assert_int_equal(get32(f, 0x00bff000), 0x55aa);
    put64(f, PD2 + 16, 0x00a02000 | PS | P | W); /* bits 20-13 are reserved */
    apply(f);
    assert_fault(f, rd(f, 0xc0400000, false), 0xc0400000, PF_P | PF_RSVD);
}

static void pae_reserved_bits_fault_at_both_levels(void **state)
{
    struct fixture *f = *state;
    use_pae(f, false);
    put64(f, PT, 1ull << 36 | 0x100000 | P | W);
    assert_fault(f, rd(f, 0xc0200000, false), 0xc0200000, PF_P | PF_RSVD);
    put64(f, PT, 1ull << 63 | 0x100000 | P | W); /* XD is reserved while NXE = 0 */
    assert_fault(f, ex(f, 0xc0200000, false), 0xc0200000, PF_P | PF_RSVD);
    put64(f, PD2 + 8, 1ull << 62 | PT | P | W);
    assert_fault(f, wr(f, 0xc0200000, true), 0xc0200000, PF_P | PF_RSVD | PF_W | PF_U);
}

static void nx_stops_only_fetches_and_sets_the_i_bit(void **state)
{
    struct fixture *f = *state;
    use_pae(f, true);
    assert_true(ex(f, 0xc0200000, true));
    put64(f, PT, 1ull << 63 | 0x100000 | P | W | U);
    apply(f);
    assert_true(rd(f, 0xc0200000, true) && wr(f, 0xc0200000, true));
    assert_fault(f, ex(f, 0xc0200004, true), 0xc0200004, PF_P | PF_U | PF_I);
    put64(f, PT, 0);
    apply(f);
    assert_fault(f, ex(f, 0xc0200000, false), 0xc0200000, PF_I);
}

static void fetch_ends_at_the_page_and_sets_a(void **state)
{
    struct fixture *f = *state;
    uint8_t b[15];
    map_one(f, P, P);
    put32(f, 0x100ffc, 0x44332211);
    assert_int_equal(mmu_fetch(&f->mmu, 0x400ffc, b, 15, false), 4);
    assert_memory_equal(b, "\x11\x22\x33\x44", 4);
    assert_int_equal(get32(f, PT), 0x100000 | P | A);
    put32(f, 0x100ffc, 0x88776655);
    assert_int_equal(mmu_fetch(&f->mmu, 0x400ffd, b, 15, false), 3);
    assert_memory_equal(b, "\x66\x77\x88", 3);
}

static void pages_with_code_report_every_store(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W, P | W);
    assert_true(wr(f, 0x400000, false));
    assert_int_equal(f->code_written, 0);
    f->ram->flags[0x100] |= PHYS_CODE;
    mmu_protect_code(&f->mmu, f->ram, 0x100040);
    assert_true(wr(f, 0x400000, false) && wr(f, 0x400004, false));
    assert_int_equal(f->code_written, 2);
    f->ram->flags[0x100] &= (uint8_t)~PHYS_CODE;
    assert_true(wr(f, 0x400000, false) && wr(f, 0x400004, false));
    assert_int_equal(f->code_written, 2);
    f->ram->flags[0x100] |= PHYS_CODE; /* and again, after stores that were not seen */
    mmu_protect_code(&f->mmu, f->ram, 0x100000);
    mmu_protect_code(&f->mmu, f->ram, 0x100000);
    assert_true(wr(f, 0x400000, false));
    assert_int_equal(f->code_written, 3);
}

/* SDM 3A 4.10.4.1: INVLPG, and 4.6.1: rights are those of each access, also where the page is never cached
 * as memory because code is in it. */
static void a_page_with_code_keeps_to_its_entry_rights_and_invlpg(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W | U, P | W);
    f->ram->flags[0x100] |= PHYS_CODE;
    assert_true(wr(f, 0x400000, false) && wr(f, 0x400000, false));
    assert_fault(f, wr(f, 0x400000, true), 0x400000, 7);
    put32(f, PT, 0x00101000u | P); /* another page, read only for users */
    mmu_invlpg(&f->mmu, 0x400000);
    assert_true(wr(f, 0x400008, false));
    assert_int_equal(get32(f, 0x101008), 0x55aa);
    assert_int_equal(get32(f, 0x100008), 0);
    assert_int_equal(get32(f, PT), 0x101000 | P | A | D);
}

static void stores_mark_pages_dirty_again_after_a_clear(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W, P | W);
    assert_true(wr(f, 0x400000, false));
    assert_true(phys_dirty_test(f->ram, 0x100000, 4096));
    phys_dirty_clear(f->phys, f->ram, 0x100000, 4096);
    assert_false(phys_dirty_test(f->ram, 0x100000, 4096));
    assert_true(wr(f, 0x400000, false));
    assert_true(phys_dirty_test(f->ram, 0x100000, 4096));
}

static void the_debuggers_probe_changes_nothing(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W, P | W);
    paddr pa;
    assert_true(mmu_probe(&f->mmu, 0x400123, &pa));
    assert_int_equal(pa, 0x100123);
    assert_false(mmu_probe(&f->mmu, 0x800000, &pa));
    assert_int_equal(get32(f, PD + 4) | get32(f, PT), PT | 0x100000 | P | W);
}

static void keep_line(void *arg, const char *line)
{
    char *text = arg;
    strncat(text, line, 300 - strlen(text));
    strncat(text, "\n", 300 - strlen(text));
}

static void info_mem_and_info_tlb_print_what_is_mapped(void **state)
{
    struct fixture *f = *state;
    map_one(f, P | W | U, P | U);
    put32(f, PT + 4, 0x101000 | P | U);
    put32(f, PT + 8, 0x300000 | P | W | G);
    char text[301] = "";
    mmu_print_mem(&f->mmu, keep_line, text);
    assert_string_equal(text, "00400000-00402000 00002000 ur-\n00402000-00403000 00001000 -rw\n");
    text[0] = 0;
    mmu_print_tlb(&f->mmu, keep_line, text);
    assert_string_equal(text, "00400000: 0000000000100000 -------U-\n00401000: 0000000000101000 -------U-\n"
                              "00402000: 0000000000300000 -G------W\n");
    f->ctl.cr0 = 1;
    apply(f);
    text[0] = 0;
    mmu_print_mem(&f->mmu, keep_line, text);
    mmu_print_tlb(&f->mmu, keep_line, text);
    assert_string_equal(text, "PG disabled\nPG disabled\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(paging_off_is_identity_and_wraps_at_4_gib),
        T(a20_gate_takes_effect_at_once),
        T(not_present_faults_tell_access_and_privilege),
        T(rights_are_the_least_of_both_levels),
        T(wp_stops_the_supervisor_from_the_486_on),
        T(reads_set_a_and_only_writes_set_d),
        T(probing_a_write_faults_or_marks_like_the_write),
        T(a_write_over_two_pages_changes_nothing_when_the_second_faults),
        T(invlpg_drops_the_old_translation),
#ifndef STRESS
        T(global_pages_survive_a_cr3_write_only_with_pge),
#endif
        T(pse_maps_4_mib_and_invlpg_drops_all_of_it),
        T(without_pse_the_ps_bit_means_nothing),
        T(reserved_bits_of_a_4_mib_page_fault),
        T(pae_walks_three_levels_from_the_pdpte_registers),
        T(pae_maps_2_mib_pages_without_pse),
        T(pae_reserved_bits_fault_at_both_levels),
        T(nx_stops_only_fetches_and_sets_the_i_bit),
        T(fetch_ends_at_the_page_and_sets_a),
        T(pages_with_code_report_every_store),
        T(a_page_with_code_keeps_to_its_entry_rights_and_invlpg),
        T(stores_mark_pages_dirty_again_after_a_clear),
        T(the_debuggers_probe_changes_nothing),
        T(info_mem_and_info_tlb_print_what_is_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
