/*
 * PCI configuration mechanism 1 and the generic part of a function, on a board without a CPU:
 * address port CF8, data port CFC, one function with an I/O window, a memory window and a ROM.
 * Expected values: PCI Local Bus Specification 2.1, 3.7.4.1 and 6.
 */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/pci.h"

enum { ADDRESS = 0xcf8, DATA = 0xcfc, SLOT = 3 };

/* A card with 16 ports that answer with their offset, 4 KiB of memory and a 32 KiB ROM. */
struct card {
    struct device dev;
    struct pci_config st;
    struct pci_function pci;
    struct pci_io_map *map;
    struct pci_io_window io;
    uint32_t mem_base, rom_base;
    bool mem_on, rom_on;
    unsigned written;
};

struct board {
    struct pci_host host;
    struct card card;
    struct pci_io_map map;
    uint32_t passed; /* last write that the host passed on: offset << 8 | value */
};

static const struct pci_identity card_identity = {
    .vendor = 0x1234, .device = 0x5678, .class_code = 0x020000, .revision = 0x42,
    .interrupt_pin = 1, .status = 0x0280, .subsystem_vendor = 0x1af4, .subsystem = 0x1100};

static uint32_t card_io_read(void *dev, uint32_t offset, enum access_size size)
{
    (void)dev;
    (void)size;
    return offset;
}

static void card_io_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    (void)dev;
    (void)offset;
    (void)value;
    (void)size;
}

static const struct io_ops card_io = {card_io_read, card_io_write, ACCESS_8};

static void io_moved(void *dev, unsigned bar, uint32_t base, bool enabled)
{
    struct card *c = dev;
    assert_int_equal(bar, 0);
    pci_io_map_move(c->map, &c->io, base, enabled);
}

static void mem_moved(void *dev, unsigned bar, uint32_t base, bool enabled)
{
    struct card *c = dev;
    assert_int_equal(bar, 1);
    c->mem_base = base;
    c->mem_on = enabled;
}

static void rom_moved(void *dev, unsigned bar, uint32_t base, bool enabled)
{
    struct card *c = dev;
    assert_int_equal(bar, PCI_ROM);
    c->rom_base = base;
    c->rom_on = enabled;
}

static void card_written(void *dev, unsigned reg, unsigned len)
{
    struct card *c = dev;
    (void)reg;
    (void)len;
    c->written++;
}

static void card_reset(void *dev, enum reset_kind kind)
{
    struct card *c = dev;
    (void)kind;
    pci_function_reset(&c->pci);
    pci_function_update(&c->pci);
}

static enum emu_err card_post_load(void *dev, struct error *err)
{
    struct card *c = dev;
    (void)err;
    pci_function_update(&c->pci);
    return EMU_OK;
}

static const struct device_class card_class = {
    .name = "card", .state = &pci_config_desc, .state_offset = offsetof(struct card, st),
    .reset = card_reset, .post_load = card_post_load};

static void card_init(struct card *c, struct pci_io_map *map)
{
    c->dev.cls = &card_class;
    c->dev.id = "card";
    c->map = map;
    c->io = (struct pci_io_window){.name = "card", .ops = &card_io, .dev = c, .count = 16};
    pci_io_map_add(map, &c->io);
    pci_function_init(&c->pci, "card", c, &c->st, &card_identity);
    pci_function_add_bar(&c->pci, 0, PCI_BAR_IO, 16, io_moved);
    pci_function_add_bar(&c->pci, 1, PCI_BAR_MEMORY, 4096, mem_moved);
    pci_function_add_bar(&c->pci, PCI_ROM, PCI_BAR_ROM, 32768, rom_moved);
    c->pci.written = card_written;
    card_reset(c, RESET_POWER_ON);
}

static uint32_t pass_read(void *dev, uint32_t offset, enum access_size size)
{
    (void)dev;
    (void)size;
    return 0xa0 + offset;
}

static void pass_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct board *x = dev;
    (void)size;
    x->passed = offset << 8 | value;
}

static const struct io_ops pass_io = {pass_read, pass_write, ACCESS_8};

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct board *x = bench_alloc(b, sizeof(*x));
    struct error err;
    x->map = (struct pci_io_map){.bus = &b->io, .log = &b->log};
    card_init(&x->card, &x->map);
    pci_host_init(&x->host, "pci", (struct pci_host_wiring){.log = &b->log, .pass = &pass_io,
                                                            .pass_dev = x});
    assert_int_equal(pci_bus_add(&x->host, SLOT, 0, &x->card.pci, &err), EMU_OK);
    bench_map(b, ADDRESS, 8, 0, &pci_host_io, &x->host);
    bench_add(b, &x->host.dev);
    bench_add(b, &x->card.dev);
    *state = b;
    return 0;
}

static void select(struct bench *b, unsigned bus, unsigned slot, unsigned function, unsigned reg)
{
    out32(b, ADDRESS, 0x80000000u | bus << 16 | slot << 11 | function << 8 | (reg & 0xfc));
}

static uint32_t config_read(struct bench *b, unsigned reg)
{
    select(b, 0, SLOT, 0, reg);
    return in32(b, DATA);
}

static void config_write(struct bench *b, unsigned reg, uint32_t value)
{
    select(b, 0, SLOT, 0, reg);
    out32(b, DATA, value);
}

/* Linux pci_check_type1 and SeaBIOS: 80000000 reads back; reserved bits read 0. */
static void the_address_port_reads_back_without_reserved_bits(void **state)
{
    struct bench *b = *state;
    out32(b, ADDRESS, 0x80000000);
    assert_int_equal(in32(b, ADDRESS), 0x80000000);
    out32(b, ADDRESS, 0xffffffff);
    assert_int_equal(in32(b, ADDRESS), 0x80fffffc);
}

/* 3.7.4.1: only a double word access reaches CONFADD; others pass through to the I/O bus. */
static void narrow_accesses_to_the_address_port_pass_through(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    out32(b, ADDRESS, 0x80001234);
    out8(b, ADDRESS + 1, 0x06);
    assert_int_equal(x->passed, 0x106);
    assert_int_equal(in8(b, ADDRESS + 1), 0xa1);
    out16(b, ADDRESS, 0x5555);
    assert_int_equal(in16(b, ADDRESS + 2), 0xa3a2);
    assert_int_equal(in32(b, ADDRESS), 0x80001234);
}

static void the_header_holds_the_identity(void **state)
{
    struct bench *b = *state;
    assert_int_equal(config_read(b, 0x00), 0x56781234);
    assert_int_equal(config_read(b, 0x08), 0x02000042);
    assert_int_equal(config_read(b, 0x2c), 0x11001af4);
    assert_int_equal(config_read(b, 0x3c), 0x00000100);
}

static void bytes_and_words_of_the_data_port_select_parts(void **state)
{
    struct bench *b = *state;
    select(b, 0, SLOT, 0, 0x00);
    assert_int_equal(in16(b, DATA), 0x1234);
    assert_int_equal(in16(b, DATA + 2), 0x5678);
    assert_int_equal(in8(b, DATA + 1), 0x12);
    assert_int_equal(in8(b, DATA + 3), 0x56);
    select(b, 0, SLOT, 0, 0x3c);
    out8(b, DATA, 0x0b);
    assert_int_equal(in32(b, DATA), 0x0000010b);
}

/* 6.1: a read of an absent device is all ones. */
static void empty_slots_functions_and_busses_read_ones(void **state)
{
    struct bench *b = *state;
    select(b, 0, SLOT + 1, 0, 0);
    assert_int_equal(in32(b, DATA), 0xffffffff);
    select(b, 0, SLOT, 1, 0);
    assert_int_equal(in16(b, DATA), 0xffff);
    select(b, 1, SLOT, 0, 0);
    assert_int_equal(in8(b, DATA), 0xff);
    out32(b, ADDRESS, SLOT << 11); /* enable bit off */
    assert_int_equal(in32(b, DATA), 0xffffffff);
}

static void read_only_registers_keep_their_values(void **state)
{
    struct bench *b = *state;
    config_write(b, 0x00, 0);
    config_write(b, 0x08, 0xffffffff);
    config_write(b, 0x2c, 0);
    config_write(b, 0x3c, 0xffffff55);
    assert_int_equal(config_read(b, 0x00), 0x56781234);
    assert_int_equal(config_read(b, 0x08), 0x02000042);
    assert_int_equal(config_read(b, 0x2c), 0x11001af4);
    assert_int_equal(config_read(b, 0x3c), 0x00000155);
}

/* 6.2.5.1: write all ones, read the size mask and the kind. */
static void base_registers_are_sized_by_writing_ones(void **state)
{
    struct bench *b = *state;
    config_write(b, 0x10, 0xffffffff);
    config_write(b, 0x14, 0xffffffff);
    config_write(b, 0x18, 0xffffffff);
    config_write(b, 0x30, 0xfffffffe);
    assert_int_equal(config_read(b, 0x10), 0xfffffff1);
    assert_int_equal(config_read(b, 0x14), 0xfffff000);
    assert_int_equal(config_read(b, 0x18), 0x00000000);
    assert_int_equal(config_read(b, 0x30), 0xffff8000);
}

static void the_command_register_switches_the_windows(void **state)
{
    struct bench *b = *state;
    struct card *c = &((struct board *)b->dev)->card;
    config_write(b, 0x10, 0xc000);
    config_write(b, 0x14, 0xfebf0000);
    assert_int_equal(in8(b, 0xc005), 0xff);
    config_write(b, 0x04, 0x0001);
    assert_int_equal(in8(b, 0xc005), 0x05);
    assert_false(c->mem_on);
    config_write(b, 0x04, 0x0002);
    assert_int_equal(in8(b, 0xc005), 0xff);
    assert_true(c->mem_on);
    assert_int_equal(c->mem_base, 0xfebf0000);
}

static void a_window_moves_with_its_register(void **state)
{
    struct bench *b = *state;
    config_write(b, 0x04, 0x0003);
    config_write(b, 0x10, 0xc000);
    config_write(b, 0x10, 0xd010);
    assert_int_equal(in8(b, 0xc000), 0xff);
    assert_int_equal(in8(b, 0xd013), 0x03);
}

/* 6.2.5.2: the ROM decodes with its own enable bit and memory space both set. */
static void the_rom_needs_both_enables(void **state)
{
    struct bench *b = *state;
    struct card *c = &((struct board *)b->dev)->card;
    config_write(b, 0x30, 0xfeb00001);
    assert_false(c->rom_on);
    config_write(b, 0x04, 0x0002);
    assert_true(c->rom_on);
    assert_int_equal(c->rom_base, 0xfeb00000);
    config_write(b, 0x30, 0xfeb00000);
    assert_false(c->rom_on);
}

static void what_sizing_leaves_behind_never_decodes(void **state)
{
    struct bench *b = *state;
    struct card *c = &((struct board *)b->dev)->card;
    config_write(b, 0x04, 0x0003);
    assert_false(c->mem_on);
    config_write(b, 0x10, 0xffffffff);
    config_write(b, 0x14, 0xffffffff);
    assert_false(c->mem_on);
    assert_false(c->io.mapped);
}

static void a_window_over_ports_in_use_stays_away_and_is_logged(void **state)
{
    struct bench *b = *state;
    struct card *c = &((struct board *)b->dev)->card;
    config_write(b, 0x04, 0x0001);
    config_write(b, 0x10, 0x0cf0); /* would cover the configuration ports */
    assert_false(c->io.mapped);
    assert_int_equal(b->log_lines, 1);
    config_write(b, 0x10, 0xc000);
    assert_true(c->io.mapped);
}

/* 6.2.3: status bits are cleared by writing ones. */
static void error_status_bits_clear_by_ones(void **state)
{
    struct bench *b = *state;
    struct card *c = &((struct board *)b->dev)->card;
    pci_set(&c->pci, PCI_STATUS, 0xa280, 2);
    config_write(b, 0x04, 0x80000000);
    assert_int_equal(config_read(b, 0x04), 0x22800000);
}

static void a_slot_holds_one_function_each(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    struct error err = {""};
    assert_int_equal(pci_bus_add(&x->host, SLOT, 0, &x->card.pci, &err), EMU_ARG);
    assert_non_null(strstr(err.text, "card"));
    assert_int_equal(pci_bus_add(&x->host, 32, 0, &x->card.pci, &err), EMU_ARG);
    assert_int_equal(pci_bus_add(&x->host, 0, 8, &x->card.pci, &err), EMU_ARG);
}

static void the_owner_hears_of_every_write(void **state)
{
    struct bench *b = *state;
    struct card *c = &((struct board *)b->dev)->card;
    config_write(b, 0x40, 1);
    config_write(b, 0x04, 0);
    assert_int_equal(c->written, 2);
}

static void poke(struct bench *b)
{
    config_write(b, 0x10, 0xc100);
    config_write(b, 0x14, 0xfe000000);
    config_write(b, 0x30, 0xfe100001);
    config_write(b, 0x04, 0x0007);
    config_write(b, 0x3c, 0x0b);
}

DEVICE_TESTS(pci_host, setup, &((struct board *)b->dev)->host.dev, poke);
DEVICE_TESTS(pci_function, setup, &((struct board *)b->dev)->card.dev, poke);

#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_address_port_reads_back_without_reserved_bits),
        T(narrow_accesses_to_the_address_port_pass_through),
        T(the_header_holds_the_identity),
        T(bytes_and_words_of_the_data_port_select_parts),
        T(empty_slots_functions_and_busses_read_ones),
        T(read_only_registers_keep_their_values),
        T(base_registers_are_sized_by_writing_ones),
        T(the_command_register_switches_the_windows),
        T(a_window_moves_with_its_register),
        T(the_rom_needs_both_enables),
        T(what_sizing_leaves_behind_never_decodes),
        T(a_window_over_ports_in_use_stays_away_and_is_logged),
        T(error_status_bits_clear_by_ones),
        T(a_slot_holds_one_function_each),
        T(the_owner_hears_of_every_write),
        DEVICE_TESTS_OF(pci_host),
        DEVICE_TESTS_OF(pci_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
