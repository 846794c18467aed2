/*
 * The physical address map: RAM, ROM, devices, A20, PAM-style shadowing, dirty and code marks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/phys.h"

enum { RAM_SIZE = 4 << 20, ROM_SIZE = 0x10000, ROM_BASE = 0xf0000, DEV_BASE = 0xa0000, DEV_SIZE = 0x2000 };

struct access {
    bool write;
    uint32_t offset, value;
    enum access_size size;
};

struct fixture {
    struct phys *p;
    struct phys_block *ram, *rom;
    unsigned ram_region, rom_region, dev_region;
    struct access dev[32];
    unsigned dev_calls;
    unsigned changed;
    struct {
        struct phys_block *block;
        uint64_t offset;
        uint32_t len;
    } code[8];
    unsigned code_calls;
};

static uint32_t dev_read(void *dev, uint32_t offset, enum access_size size)
{
    struct fixture *f = dev;
    f->dev[f->dev_calls++ % 32] = (struct access){false, offset, 0, size};
    return 0x40 + offset;
}

static void dev_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct fixture *f = dev;
    f->dev[f->dev_calls++ % 32] = (struct access){true, offset, value, size};
}

static const struct io_ops dev_io = {dev_read, dev_write, ACCESS_8};

static void on_changed(void *arg)
{
    ((struct fixture *)arg)->changed++;
}

static void on_code(void *arg, struct phys_block *block, uint64_t offset, uint32_t len)
{
    struct fixture *f = arg;
    f->code[f->code_calls].block = block;
    f->code[f->code_calls].offset = offset;
    f->code[f->code_calls++ % 8].len = len;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct phys *p = f->p = calloc(1, sizeof(*p));
    struct error err;
    phys_init(p);
    if (phys_block_new(p, "ram", RAM_SIZE, false, &f->ram, &err) || phys_block_new(p, "rom", ROM_SIZE, true, &f->rom, &err))
        return -1;
    memset(f->rom->host, 0x11, ROM_SIZE);
    f->ram_region = phys_region_memory(p, "ram", f->ram, 0, 0, RAM_SIZE);
    f->rom_region = phys_region_memory(p, "rom", f->rom, 0, ROM_BASE, ROM_SIZE);
    f->dev_region = phys_region_device(p, "dev", &dev_io, f, DEV_BASE, DEV_SIZE);
    phys_map(p, 0, RAM_SIZE, f->ram_region, PHYS_RW);
    phys_map(p, DEV_BASE, DEV_SIZE, f->dev_region, PHYS_RW);
    phys_map(p, ROM_BASE, ROM_SIZE, f->rom_region, PHYS_RW);
    p->changed = on_changed;
    p->changed_arg = p->code_written_arg = f;
    p->code_written = on_code;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    phys_free(f->p);
    free(f->p);
    free(f);
    return 0;
}

/* --- where addresses lead --- */

static void ram_is_zero_and_little_endian(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(phys_read(f->p, 0x1000, 4), 0);
    phys_write(f->p, 0x1001, 0x11223344, 4);
    assert_int_equal(phys_read(f->p, 0x1001, 1), 0x44);
    assert_int_equal(phys_read(f->p, 0x1002, 2), 0x2233);
    assert_int_equal(phys_read(f->p, 0x1000, 4), 0x22334400);
    assert_int_equal(f->ram->host[0x1004], 0x11);
}

static void accesses_may_cross_pages(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[0x3000], back[0x3000];
    phys_write(f->p, 0x1ffe, 0xaabbccdd, 4);
    assert_int_equal(phys_read(f->p, 0x1fff, 2), 0xbbcc);
    assert_int_equal(phys_read(f->p, 0x1ffe, 4), 0xaabbccdd);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
    phys_write_bytes(f->p, 0x2345, bytes, sizeof(bytes));
    phys_read_bytes(f->p, 0x2345, back, sizeof(back));
    assert_memory_equal(bytes, back, sizeof(bytes));
}

static void nothing_reads_all_ones_and_swallows_writes(void **state)
{
    struct fixture *f = *state;
    static const paddr nowhere[] = {RAM_SIZE, 0x80000000u, 0xfffffffcu, 0x100000000ull, 0x123456789000ull};
    for (unsigned i = 0; i < 5; i++) {
        phys_write(f->p, nowhere[i], 0, 4);
        assert_int_equal(phys_read(f->p, nowhere[i], 4), 0xffffffff);
        assert_int_equal(phys_read(f->p, nowhere[i], 2), 0xffff);
        assert_int_equal(phys_read(f->p, nowhere[i], 1), 0xff);
        assert_null(phys_lookup(f->p, nowhere[i], false).region);
    }
    /* Half in RAM, half in nothing. */
    phys_write(f->p, RAM_SIZE - 2, 0x11223344, 4);
    assert_int_equal(phys_read(f->p, RAM_SIZE - 2, 4), 0xffff3344);
}

static void rom_is_read_and_never_written(void **state)
{
    struct fixture *f = *state;
    phys_write(f->p, ROM_BASE + 5, 0, 4);
    phys_write_bytes(f->p, ROM_BASE, "abc", 3);
    assert_int_equal(phys_read(f->p, ROM_BASE, 4), 0x11111111);
    assert_int_equal(phys_read(f->p, ROM_BASE + 5, 4), 0x11111111);
    assert_int_equal(f->ram->host[ROM_BASE], 0);
}

static void a_device_sees_offsets_in_sizes_that_it_has(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(phys_read(f->p, DEV_BASE + 0x10, 2), 0x5150);
    assert_int_equal(f->dev_calls, 2);
    assert_int_equal(f->dev[1].offset, 0x11);
    assert_int_equal(f->dev[1].size, ACCESS_8);
    phys_write(f->p, DEV_BASE + DEV_SIZE - 1, 0xbbaa, 2); /* its last byte, then RAM */
    assert_true(f->dev[2].write);
    assert_int_equal(f->dev[2].offset, DEV_SIZE - 1);
    assert_int_equal(f->dev[2].value, 0xaa);
    assert_int_equal(f->ram->host[DEV_BASE + DEV_SIZE], 0xbb);
    assert_int_equal(f->dev_calls, 3);
}

static void a_debugger_s_look_does_not_touch_devices(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[4];
    f->ram->host[DEV_BASE - 1] = 0x42;
    phys_peek_bytes(f->p, DEV_BASE - 1, bytes, 4);
    assert_memory_equal(bytes, "\x42\xff\xff\xff", 4);
    assert_int_equal(f->dev_calls, 0);
    phys_peek_bytes(f->p, 0xffffffffu, bytes, 2); /* over the end of the map */
    assert_int_equal(bytes[1], 0xff);
}

static void lookup_tells_host_block_and_offset(void **state)
{
    struct fixture *f = *state;
    struct phys_target t = phys_lookup(f->p, 0x12345, true);
    assert_ptr_equal(t.host, f->ram->host + 0x12345);
    assert_ptr_equal(t.block, f->ram);
    assert_int_equal(t.offset, 0x12345);
    assert_null(phys_lookup(f->p, DEV_BASE, false).host);
    assert_string_equal(phys_lookup(f->p, DEV_BASE, false).region->name, "dev");
    assert_non_null(phys_lookup(f->p, ROM_BASE, false).host);
    assert_null(phys_lookup(f->p, ROM_BASE, true).host);
}

/* --- A20 --- */

/* With A20 masked, bit 20 of every address is 0 (IBM PC/AT Technical Reference, system board). */
static void a20_folds_odd_megabytes(void **state)
{
    struct fixture *f = *state;
    phys_write(f->p, 0x000500, 0x11, 1);
    phys_write(f->p, 0x100500, 0x22, 1);
    phys_write(f->p, 0x300500, 0x44, 1);
    phys_set_a20(f->p, false);
    assert_int_equal(f->changed, 1);
    assert_int_equal(phys_read(f->p, 0x100500, 1), 0x11);
    assert_int_equal(phys_read(f->p, 0x300500, 1), 0);
    phys_write(f->p, 0x100500, 0x33, 1);
    phys_write(f->p, 0, 0x77, 1);
    assert_int_equal(phys_read(f->p, 0x0fffff, 2), 0x7711); /* wraps at 1 MiB: the ROM's last byte, then 0 */
    phys_set_a20(f->p, false);
    assert_int_equal(f->changed, 1); /* no change, no flush */
    phys_set_a20(f->p, true);
    assert_int_equal(phys_read(f->p, 0x000500, 1), 0x33);
    assert_int_equal(phys_read(f->p, 0x100500, 1), 0x22);
}

static void a20_reaches_devices_too(void **state)
{
    struct fixture *f = *state;
    phys_set_a20(f->p, false);
    assert_int_equal(phys_read(f->p, 0x100000 + DEV_BASE + 2, 1), 0x42);
    assert_int_equal(f->dev[0].offset, 2);
}

/* --- PAM --- */

/* 440FX: each 16 KiB from C0000 can read and write RAM or the bus, one by one. */
static void shadowing_sends_reads_and_writes_to_different_places(void **state)
{
    struct fixture *f = *state;
    phys_map(f->p, ROM_BASE, ROM_SIZE, f->ram_region, PHYS_WRITE); /* write-only shadow: copying the BIOS */
    phys_write(f->p, ROM_BASE, 0xab, 1);
    assert_int_equal(phys_read(f->p, ROM_BASE, 1), 0x11);
    assert_int_equal(f->ram->host[ROM_BASE], 0xab);
    phys_map(f->p, ROM_BASE, ROM_SIZE, f->ram_region, PHYS_READ);
    phys_map(f->p, ROM_BASE, ROM_SIZE, 0, PHYS_WRITE); /* read-only shadow: in use */
    phys_write(f->p, ROM_BASE, 0xcd, 1);
    assert_int_equal(phys_read(f->p, ROM_BASE, 1), 0xab);
    assert_int_equal(f->changed, 3);
}

static void a_region_moves_and_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    phys_region_move(f->p, f->dev_region, 0xe0000000u);
    assert_int_equal(phys_read(f->p, DEV_BASE, 1), 0xff);
    phys_map(f->p, 0xe0000000u, DEV_SIZE, f->dev_region, PHYS_RW);
    assert_int_equal(phys_read(f->p, 0xe0000003u, 1), 0x43);
    assert_int_equal(f->dev[f->dev_calls - 1].offset, 3);
}

static void mapping_beyond_the_end_is_cut(void **state)
{
    struct fixture *f = *state;
    phys_map(f->p, 0xfffff000u, 0x10000, f->dev_region, PHYS_RW);
    phys_map(f->p, 0x100000000ull, 0x1000, f->dev_region, PHYS_RW);
    (void)phys_read(f->p, 0xffffffffu, 4); /* one byte of it exists */
    assert_int_equal(f->dev_calls, 1);
    /* A region that is mapped wider than it is has nothing there. */
    phys_map(f->p, RAM_SIZE, 0x1000, f->ram_region, PHYS_RW);
    phys_write(f->p, RAM_SIZE, 1, 4);
    assert_int_equal(phys_read(f->p, RAM_SIZE, 4), 0xffffffff);
}

static void tables_have_ends(void **state)
{
    struct fixture *f = *state;
    struct phys_block *b;
    struct error err = {""};
    for (unsigned i = 3; i < PHYS_REGIONS - 1; i++)
        assert_int_equal(phys_region_device(f->p, "r", &dev_io, f, 0, 0x1000), i + 1);
    assert_int_equal(phys_region_device(f->p, "r", &dev_io, f, 0, 0x1000), 0);
    for (unsigned i = 2; i < PHYS_BLOCKS; i++)
        assert_int_equal(phys_block_new(f->p, "b", 1, false, &b, &err), EMU_OK);
    assert_int_equal(b->size, PHYS_PAGE_SIZE); /* rounded up */
    assert_int_equal(phys_block_new(f->p, "b", 1, false, &b, &err), EMU_ARG);
    assert_true(strlen(err.text) > 0);
}

/* --- marks --- */

static void writes_mark_their_pages_dirty(void **state)
{
    struct fixture *f = *state;
    assert_false(phys_dirty_test(f->ram, 0, RAM_SIZE));
    phys_write(f->p, 0x2fff, 0, 2); /* the last byte of one page, the first of the next */
    assert_true(phys_dirty_test(f->ram, 0x2000, 1));
    assert_true(phys_dirty_test(f->ram, 0x3000, 0x1000));
    assert_false(phys_dirty_test(f->ram, 0x4000, RAM_SIZE - 0x4000));
    (void)phys_read(f->p, 0x5000, 4);
    assert_false(phys_dirty_test(f->ram, 0x5000, 1));
    assert_false(phys_dirty_test(f->ram, 0x2000, 0)); /* an empty range */
    phys_write_bytes(f->p, 0x10ff0, "0123456789abcdef0", 17);
    assert_true(phys_dirty_test(f->ram, 0x11000, 1));
}

static void clearing_dirty_marks_drops_translations_once(void **state)
{
    struct fixture *f = *state;
    phys_write(f->p, 0x2000, 0, 1);
    phys_write(f->p, 0x4000, 0, 1);
    phys_dirty_clear(f->p, f->ram, 0x2000, 0x1000);
    assert_int_equal(f->changed, 1);
    assert_false(phys_dirty_test(f->ram, 0x2000, 0x1000));
    assert_true(phys_dirty_test(f->ram, 0x4000, 0x1000));
    phys_dirty_clear(f->p, f->ram, 0x2000, 0x1000);
    assert_int_equal(f->changed, 1);
}

static void writes_to_code_pages_are_told_by_page(void **state)
{
    struct fixture *f = *state;
    f->ram->flags[2] |= PHYS_CODE;
    f->ram->flags[3] |= PHYS_CODE;
    phys_write(f->p, 0x1000, 0, 4);
    assert_int_equal(f->code_calls, 0);
    phys_write(f->p, 0x2010, 0x1200, 2);
    assert_int_equal(f->code_calls, 1);
    assert_ptr_equal(f->code[0].block, f->ram);
    assert_int_equal(f->code[0].offset, 0x2010);
    assert_int_equal(f->code[0].len, 2);
    phys_write(f->p, 0x2011, 0xff12, 1); /* what is there */
    phys_write(f->p, 0x2011, 0x13, 1);
    assert_int_equal(f->code_calls, 3);
    assert_int_equal(f->code[1].offset, 0x2011);
    assert_int_equal(f->code[1].len, 0);
    assert_int_equal(f->code[2].len, 1);
    f->code_calls = 0;
    phys_touch(f->p, f->ram, 0x1ff0, 0x3000); /* pages 1 to 4 */
    assert_int_equal(f->code_calls, 2);
    assert_int_equal(f->code[0].offset, 0x2000);
    assert_int_equal(f->code[0].len, 0x1000);
    assert_int_equal(f->code[1].offset, 0x3000);
    assert_int_equal(f->code[1].len, 0x1000);
    f->code_calls = 0;
    phys_touch(f->p, f->ram, 0x2ff8, 0x10);
    assert_int_equal(f->code[0].offset, 0x2ff8);
    assert_int_equal(f->code[0].len, 8);
    assert_int_equal(f->code[1].offset, 0x3000);
    assert_int_equal(f->code[1].len, 8);
    phys_touch(f->p, f->ram, 0x2000, 0);
    assert_int_equal(f->code_calls, 2);
}

/* Two addresses of the same memory (aliases): marks belong to the memory. */
static void marks_follow_the_memory_and_not_the_address(void **state)
{
    struct fixture *f = *state;
    unsigned alias = phys_region_memory(f->p, "alias", f->ram, 0x100000, 0xc0000000u, 0x100000);
    phys_map(f->p, 0xc0000000u, 0x100000, alias, PHYS_RW);
    f->ram->flags[0x100] |= PHYS_CODE;
    phys_write(f->p, 0xc0000004u, 0x12345678, 4);
    assert_int_equal(phys_read(f->p, 0x100004, 4), 0x12345678);
    assert_int_equal(f->code_calls, 1);
    assert_int_equal(f->code[0].offset, 0x100004);
    assert_true(phys_dirty_test(f->ram, 0x100000, 1));
}

/* --- against a flat model --- */

static void random_accesses_agree_with_a_plain_array(void **state)
{
    struct fixture *f = *state;
    enum { SPAN = 0x9000 };
    uint8_t *model = calloc(1, SPAN + 8);
    uint64_t seed = 1;
    for (unsigned round = 0; round < 200000; round++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        unsigned size = 1u << (seed >> 62) % 3;
        uint32_t at = (uint32_t)(seed >> 33) % SPAN, v = (uint32_t)(seed >> 13);
        if (round & 1) /* near the ends of pages */
            at = ((at | 0xfff) - 3 + (uint32_t)(seed >> 20) % 4) % SPAN;
        if (seed >> 40 & 1) {
            phys_write(f->p, at, v, size);
            for (unsigned i = 0; i < size; i++)
                model[at + i] = (uint8_t)(v >> (8 * i));
        } else {
            uint32_t expected = 0;
            for (unsigned i = 0; i < size; i++)
                expected |= (uint32_t)model[at + i] << (8 * i);
            assert_int_equal(phys_read(f->p, at, size), expected);
        }
    }
    free(model);
}

struct lines {
    unsigned n;
    char text[16][160];
};
static void on_line(void *arg, const char *line)
{
    struct lines *l = arg;
    snprintf(l->text[l->n++ % 16], sizeof(l->text[0]), "%s", line);
}

static void the_map_prints_one_line_a_stretch(void **state)
{
    struct fixture *f = *state;
    struct lines l = {.n = 0};
    phys_print(f->p, on_line, &l);
    assert_int_equal(l.n, 5);
    assert_string_equal(l.text[0], "00000000-0009ffff read: ram, write: ram");
    assert_string_equal(l.text[1], "000a0000-000a1fff read: dev, write: dev");
    assert_string_equal(l.text[3], "000f0000-000fffff read: rom, write: nothing");
    assert_string_equal(l.text[4], "00100000-003fffff read: ram, write: ram");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(ram_is_zero_and_little_endian),
        TEST(accesses_may_cross_pages),
        TEST(nothing_reads_all_ones_and_swallows_writes),
        TEST(rom_is_read_and_never_written),
        TEST(a_device_sees_offsets_in_sizes_that_it_has),
        TEST(a_debugger_s_look_does_not_touch_devices),
        TEST(lookup_tells_host_block_and_offset),
        TEST(a20_folds_odd_megabytes),
        TEST(a20_reaches_devices_too),
        TEST(shadowing_sends_reads_and_writes_to_different_places),
        TEST(a_region_moves_and_leaves_nothing_behind),
        TEST(mapping_beyond_the_end_is_cut),
        TEST(tables_have_ends),
        TEST(writes_mark_their_pages_dirty),
        TEST(clearing_dirty_marks_drops_translations_once),
        TEST(writes_to_code_pages_are_told_by_page),
        TEST(marks_follow_the_memory_and_not_the_address),
        TEST(random_accesses_agree_with_a_plain_array),
        TEST(the_map_prints_one_line_a_stretch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
