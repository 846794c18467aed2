/*
 * 82441FX host bridge: PAM, SMRAM and DRAM row boundaries through configuration mechanism 1.
 * Expected values: Intel 82441FX datasheet (290549), 3.2; what SeaBIOS's shadow.c writes.
 */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/i440fx.h"

enum { ADDRESS = 0xcf8, DATA = 0xcfc, PAGES = 64 /* 4 KiB pages of C0000-FFFFF */ };

struct board {
    struct i440fx bridge;
    struct pci_host host;
    bool read_ram[PAGES], write_ram[PAGES];
    bool smram;
    unsigned pam_calls;
};

static void set_pam(void *arg, uint32_t base, uint32_t size, bool read_ram, bool write_ram)
{
    struct board *x = arg;
    x->pam_calls++;
    for (uint32_t at = base; at < base + size; at += 4096) {
        assert_in_range(at, 0xc0000, 0xfffff);
        x->read_ram[(at - 0xc0000) / 4096] = read_ram;
        x->write_ram[(at - 0xc0000) / 4096] = write_ram;
    }
}

static void set_smram(void *arg, bool open)
{
    struct board *x = arg;
    x->smram = open;
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct board *x = bench_alloc(b, sizeof(*x));
    struct error err;
    i440fx_init(&x->bridge, "i440fx", (struct i440fx_wiring){
        .log = &b->log, .ram_mib = 128, .set_pam = set_pam, .set_smram = set_smram, .arg = x});
    pci_host_init(&x->host, "pci", (struct pci_host_wiring){.log = &b->log});
    assert_int_equal(pci_bus_add(&x->host, 0, 0, &x->bridge.pci, &err), EMU_OK);
    bench_map(b, ADDRESS, 8, 0, &pci_host_io, &x->host);
    bench_add(b, &x->bridge.dev);
    bench_add(b, &x->host.dev);
    *state = b;
    return 0;
}

static void set8(struct bench *b, unsigned reg, uint8_t value)
{
    out32(b, ADDRESS, 0x80000000u | (reg & 0xfc));
    out8(b, (uint16_t)(DATA + (reg & 3)), value);
}

static uint8_t get8(struct bench *b, unsigned reg)
{
    out32(b, ADDRESS, 0x80000000u | (reg & 0xfc));
    return in8(b, (uint16_t)(DATA + (reg & 3)));
}

static void assert_pages(const bool *pages, uint32_t from, uint32_t to, bool want)
{
    for (uint32_t at = from; at < to; at += 4096)
        assert_int_equal(pages[(at - 0xc0000) / 4096], want);
}

static void it_is_the_bridge_that_seabios_looks_for(void **state)
{
    struct bench *b = *state;
    out32(b, ADDRESS, 0x80000000);
    assert_int_equal(in32(b, DATA), 0x12378086);
    out32(b, ADDRESS, 0x80000008);
    assert_int_equal(in32(b, DATA) >> 8, 0x060000);
}

static void after_reset_the_roms_are_read_and_not_written(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    assert_pages(x->read_ram, 0xc0000, 0x100000, false);
    assert_pages(x->write_ram, 0xc0000, 0x100000, false);
    assert_true(x->pam_calls > 0);
}

/* PAM table: register, nibble, segment. */
static void each_pam_nibble_governs_its_segment(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    static const struct { uint8_t reg, value; uint32_t base, size; } cases[] = {
        {0x59, 0x10, 0xf0000, 0x10000}, {0x5a, 0x01, 0xc0000, 0x4000},
        {0x5a, 0x10, 0xc4000, 0x4000}, {0x5b, 0x01, 0xc8000, 0x4000},
        {0x5b, 0x10, 0xcc000, 0x4000}, {0x5c, 0x01, 0xd0000, 0x4000},
        {0x5c, 0x10, 0xd4000, 0x4000}, {0x5d, 0x01, 0xd8000, 0x4000},
        {0x5d, 0x10, 0xdc000, 0x4000}, {0x5e, 0x01, 0xe0000, 0x4000},
        {0x5e, 0x10, 0xe4000, 0x4000}, {0x5f, 0x01, 0xe8000, 0x4000},
        {0x5f, 0x10, 0xec000, 0x4000},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t base = cases[i].base, end = base + cases[i].size;
        set8(b, cases[i].reg, cases[i].value);
        assert_pages(x->read_ram, base, end, true);
        assert_pages(x->read_ram, 0xc0000, base, false);
        assert_pages(x->read_ram, end, 0x100000, false);
        assert_pages(x->write_ram, 0xc0000, 0x100000, false);
        set8(b, cases[i].reg, (uint8_t)(cases[i].value << 1));
        assert_pages(x->write_ram, base, end, true);
        assert_pages(x->read_ram, 0xc0000, 0x100000, false);
        set8(b, cases[i].reg, 0);
    }
}

/* SeaBIOS: PAM0 = 30, the others 33 to unlock; 10 and 11 to write-protect. */
static void seabios_unlocks_and_protects_the_shadow(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    set8(b, 0x59, 0x30);
    for (unsigned reg = 0x5a; reg <= 0x5f; reg++)
        set8(b, reg, 0x33);
    assert_pages(x->read_ram, 0xc0000, 0x100000, true);
    assert_pages(x->write_ram, 0xc0000, 0x100000, true);
    set8(b, 0x59, 0x10);
    for (unsigned reg = 0x5a; reg <= 0x5f; reg++)
        set8(b, reg, 0x11);
    assert_pages(x->read_ram, 0xc0000, 0x100000, true);
    assert_pages(x->write_ram, 0xc0000, 0x100000, false);
    assert_int_equal(get8(b, 0x59), 0x10);
}

static void a_reset_shows_the_roms_again(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    set8(b, 0x59, 0x30);
    i440fx_class.reset(&x->bridge, RESET_HARD);
    assert_pages(x->read_ram, 0xf0000, 0x100000, false);
    assert_int_equal(get8(b, 0x59), 0x00);
}

static void smram_opens_closes_and_locks(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    assert_int_equal(get8(b, 0x72), 0x02);
    set8(b, 0x72, 0x48);
    assert_true(x->smram);
    assert_int_equal(get8(b, 0x72), 0x4a);
    set8(b, 0x72, 0x68);
    assert_false(x->smram);
    set8(b, 0x72, 0x18); /* lock */
    set8(b, 0x72, 0x4a);
    assert_false(x->smram);
    assert_int_equal(get8(b, 0x72), 0x1a);
}

/* 128 MiB = 16 units of 8 MiB; cumulative boundaries end there. */
static void the_last_row_boundary_is_the_size_of_ram(void **state)
{
    struct bench *b = *state;
    assert_int_equal(get8(b, 0x60), 16);
    assert_int_equal(get8(b, 0x67), 16);
}

static void poke(struct bench *b)
{
    set8(b, 0x59, 0x30);
    set8(b, 0x5c, 0x13);
    set8(b, 0x72, 0x48);
}

DEVICE_TESTS(i440fx, setup, &((struct board *)b->dev)->bridge.dev, poke);

#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_the_bridge_that_seabios_looks_for),
        T(after_reset_the_roms_are_read_and_not_written),
        T(each_pam_nibble_governs_its_segment),
        T(seabios_unlocks_and_protects_the_shadow),
        T(a_reset_shows_the_roms_again),
        T(smram_opens_closes_and_locks),
        T(the_last_row_boundary_is_the_size_of_ram),
        DEVICE_TESTS_OF(i440fx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
