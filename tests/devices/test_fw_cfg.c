/*
 * fw_cfg on a board without a CPU: ports 510, 511 and 514-51B, read as SeaBIOS reads it.
 * Expected values: QEMU docs/specs/fw_cfg.
 */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/fw_cfg.h"

enum { SELECTOR = 0x510, DATA = 0x511, DMA_HIGH = 0x514, DMA_LOW = 0x518 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
enum { ACCESS_AT = 0x7c40, BUFFER = 0x8ff0 }; /* the buffer crosses a page */

struct chip {
    struct fw_cfg fw;
    unsigned moves;
    uint64_t moved;
};

#define OK(call) assert_int_equal((call), EMU_OK)

static void count_moved(void *arg, uint32_t bytes)
{
    struct chip *c = arg;
    c->moves++;
    c->moved += bytes;
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct chip *c = bench_alloc(b, sizeof(*c));
    struct fw_cfg *fw = &c->fw;
    struct error err;
    fw_cfg_init(fw, "fw_cfg", (struct fw_cfg_wiring){
                    .log = &b->log, .phys = b->phys, .moved = count_moved, .arg = c});
    OK(fw_cfg_add_file(fw, "etc/show-boot-menu", "\0", 2, &err));
    OK(fw_cfg_add_file(fw, "bootorder", "/pci@i0cf8/isa@1/fdc@03f0/floppy@0", 35, &err));
    OK(fw_cfg_add_file(fw, "vgaroms/vgabios.bin", "\x55\xaa", 2, &err));
    OK(fw_cfg_add_u16(fw, FW_CFG_NB_CPUS, 0x0102, &err));
    OK(fw_cfg_add_u32(fw, FW_CFG_KERNEL_SIZE, 0x12345678, &err));
    bench_map(b, SELECTOR, 2, 0, &fw_cfg_io, fw);
    bench_map(b, DMA_HIGH, 8, 0, &fw_cfg_dma_io, fw);
    bench_add(b, &fw->dev);
    *state = b;
    return 0;
}

static void read_bytes(struct bench *b, uint16_t key, uint8_t *to, unsigned len)
{
    out16(b, SELECTOR, key);
    for (unsigned i = 0; i < len; i++)
        to[i] = in8(b, DATA);
}

static void the_signature_is_qemu_and_both_interfaces_are_there(void **state)
{
    struct bench *b = *state;
    uint8_t got[5];
    read_bytes(b, 0x00, got, 5);
    assert_memory_equal(got, "QEMU\0", 5);
    read_bytes(b, 0x01, got, 4);
    assert_memory_equal(got, "\x03\0\0\0", 4);
}

static void numbers_are_little_endian(void **state)
{
    struct bench *b = *state;
    uint8_t got[4];
    read_bytes(b, 0x05, got, 2);
    assert_memory_equal(got, "\x02\x01", 2);
    read_bytes(b, 0x08, got, 4);
    assert_memory_equal(got, "\x78\x56\x34\x12", 4);
}

/* Big-endian count; 64-byte entries {size, key, 0, name}; keys from 20 in the names' order. */
static void the_directory_lists_files_by_name(void **state)
{
    struct bench *b = *state;
    static const struct { const char *name; uint8_t size; } want[] = {
        {"bootorder", 35}, {"etc/show-boot-menu", 2}, {"vgaroms/vgabios.bin", 2}};
    uint8_t dir[4 + 3 * 64];
    read_bytes(b, 0x19, dir, sizeof(dir));
    assert_memory_equal(dir, "\0\0\0\x03", 4);
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *e = dir + 4 + 64 * i;
        uint8_t head[8] = {0, 0, 0, want[i].size, 0, (uint8_t)(0x20 + i), 0, 0};
        assert_memory_equal(e, head, 8);
        assert_string_equal((const char *)e + 8, want[i].name);
    }
}

static void a_file_is_read_by_the_key_of_the_directory(void **state)
{
    struct bench *b = *state;
    uint8_t got[35];
    read_bytes(b, 0x20, got, 35);
    assert_string_equal((char *)got, "/pci@i0cf8/isa@1/fdc@03f0/floppy@0");
    read_bytes(b, 0x22, got, 3);
    assert_memory_equal(got, "\x55\xaa\0", 3);
}

static void selecting_rewinds_and_the_end_reads_zeros(void **state)
{
    struct bench *b = *state;
    out16(b, SELECTOR, 0x00);
    assert_int_equal(in8(b, DATA), 'Q');
    out16(b, SELECTOR, 0x00);
    assert_int_equal(in8(b, DATA), 'Q');
    for (unsigned i = 0; i < 3; i++)
        in8(b, DATA);
    assert_int_equal(in8(b, DATA), 0);
}

static void unknown_keys_read_zeros(void **state)
{
    struct bench *b = *state;
    static const uint16_t keys[] = {0x07, 0x23, 0x3fff, 0x8003, 0xffff};
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        out16(b, SELECTOR, keys[i]);
        assert_int_equal(in8(b, DATA), 0);
    }
}

static void writing_data_changes_nothing(void **state)
{
    struct bench *b = *state;
    out16(b, SELECTOR, 0x00);
    out8(b, DATA, 'Z');
    assert_int_equal(in8(b, DATA), 'Q');
}

static void adding_again_replaces(void **state)
{
    struct bench *b = *state;
    struct error err;
    uint8_t got[2];
    OK(fw_cfg_add_u16(b->dev, FW_CFG_NB_CPUS, 7, &err));
    read_bytes(b, FW_CFG_NB_CPUS, got, 2);
    assert_memory_equal(got, "\x07\0", 2);
    OK(fw_cfg_add_file(b->dev, "bootorder", "HALT", 5, &err));
    uint8_t dir[4];
    read_bytes(b, 0x19, dir, 4);
    assert_int_equal(dir[3], 3);
    read_bytes(b, 0x20, got, 2);
    assert_memory_equal(got, "HA", 2);
}

static void names_that_do_not_fit_are_refused(void **state)
{
    struct bench *b = *state;
    struct error err = {""};
    char name[57];
    memset(name, 'n', 56);
    name[56] = 0;
    assert_int_equal(fw_cfg_add_file(b->dev, name, "", 0, &err), EMU_ARG);
    assert_non_null(strstr(err.text, "55"));
    assert_int_equal(fw_cfg_add_file(b->dev, "", "", 0, &err), EMU_ARG);
    assert_int_equal(fw_cfg_add_bytes(b->dev, 0x20, "", 0, &err), EMU_ARG);
}

static void a_full_table_is_refused_with_a_sentence(void **state)
{
    struct bench *b = *state;
    struct error err = {""};
    enum emu_err e = EMU_OK;
    for (unsigned i = 0; i < FW_CFG_ITEMS && e == EMU_OK; i++) {
        char name[8] = {'f', (char)('0' + i / 10), (char)('0' + i % 10)};
        e = fw_cfg_add_file(b->dev, name, "x", 1, &err);
    }
    assert_int_equal(e, EMU_ARG);
    assert_true(err.text[0] != 0);
}

/* A snapshot of a machine with another kernel must not be continued with this one. */
static void a_state_of_other_contents_is_refused(void **state)
{
    struct bench *b = *state;
    struct fw_cfg *fw = b->dev;
    struct error err = {""};
    struct fw_cfg_state saved = fw->st;
    OK(fw_cfg_add_u32(fw, FW_CFG_KERNEL_SIZE, 1, &err));
    struct fw_cfg_state now = fw->st;
    fw->st = saved;
    assert_int_equal(fw_cfg_class.post_load(fw, &err), EMU_FORMAT);
    assert_true(err.text[0] != 0);
    fw->st = now;
    OK(fw_cfg_class.post_load(fw, &err));
}

/* The register is big-endian, OUT puts the low byte at the lowest port. */
static void out_be32(struct bench *b, uint16_t port, uint32_t value)
{
    out32(b, port, value >> 24 | (value >> 8 & 0xff00) | (value << 8 & 0xff0000) | value << 24);
}

static void put_be(uint8_t *to, uint64_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        to[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
}

static void put_access(struct bench *b, uint32_t control, uint32_t length, uint64_t address)
{
    uint8_t access[16];
    put_be(access, control, 4);
    put_be(access + 4, length, 4);
    put_be(access + 8, address, 8);
    phys_write_bytes(b->phys, ACCESS_AT, access, 16);
}

static uint32_t control_field(struct bench *b)
{
    uint8_t be[4];
    phys_read_bytes(b->phys, ACCESS_AT, be, 4);
    return (uint32_t)be[0] << 24 | (uint32_t)be[1] << 16 | (uint32_t)be[2] << 8 | be[3];
}

/* Does one operation with a single write to the low half, as SeaBIOS does; returns the control
 * field after it. */
static uint32_t dma(struct bench *b, uint32_t control, uint32_t length, uint64_t address)
{
    put_access(b, control, length, address);
    out_be32(b, DMA_LOW, ACCESS_AT);
    return control_field(b);
}

static void fill_buffer(struct bench *b)
{
    uint8_t fill[64];
    memset(fill, 0xee, sizeof(fill));
    phys_write_bytes(b->phys, BUFFER, fill, sizeof(fill));
}

static void assert_buffer(struct bench *b, const void *want, size_t len)
{
    uint8_t got[64];
    assert_true(len < sizeof(got));
    phys_read_bytes(b->phys, BUFFER, got, len + 1);
    assert_memory_equal(got, want, len);
    assert_int_equal(got[len], 0xee);
}

/* Reading the register returns 0x51454d5520434647, big-endian. */
static void the_dma_address_register_reads_qemu_cfg(void **state)
{
    struct bench *b = *state;
    static const char want[] = "QEMU CFG";
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(in8(b, (uint16_t)(DMA_HIGH + i)), want[i]);
    assert_int_equal(in16(b, DMA_HIGH), 'Q' | 'E' << 8);
    assert_int_equal(in32(b, DMA_HIGH), 0x554d4551);
    assert_int_equal(in32(b, DMA_LOW), 0x47464320);
    out_be32(b, DMA_HIGH, 1);
    assert_int_equal(in32(b, DMA_HIGH), 0x554d4551);
}

static void dma_selects_and_reads_and_clears_the_control_field(void **state)
{
    struct bench *b = *state;
    fill_buffer(b);
    assert_int_equal(dma(b, 0x20u << 16 | DMA_SELECT | DMA_READ, 35, BUFFER), 0);
    assert_buffer(b, "/pci@i0cf8/isa@1/fdc@03f0/floppy@0", 35);
}

/* The other fields of the structure stay as they are. */
static void dma_writes_nothing_but_control_and_buffer(void **state)
{
    struct bench *b = *state;
    uint8_t got[32], want[32];
    memset(want, 0xee, sizeof(want));
    phys_write_bytes(b->phys, ACCESS_AT - 8, want, sizeof(want));
    memset(want + 8, 0, 16);
    put_be(want + 12, 4, 4);
    put_be(want + 16, BUFFER, 8);
    dma(b, DMA_SELECT | DMA_READ, 4, BUFFER);
    phys_read_bytes(b->phys, ACCESS_AT - 8, got, sizeof(got));
    assert_memory_equal(got, want, sizeof(want));
}

static void dma_continues_where_the_port_stopped_and_the_other_way_round(void **state)
{
    struct bench *b = *state;
    fill_buffer(b);
    out16(b, SELECTOR, 0x20);
    assert_int_equal(in8(b, DATA), '/');
    assert_int_equal(dma(b, DMA_READ, 3, BUFFER), 0);
    assert_buffer(b, "pci", 3);
    assert_int_equal(in8(b, DATA), '@');
    assert_int_equal(dma(b, 0x20u << 16 | DMA_SELECT, 99, BUFFER), 0);
    assert_int_equal(in8(b, DATA), '/');
    assert_buffer(b, "pci", 3);
}

static void skip_advances_the_offset(void **state)
{
    struct bench *b = *state;
    assert_int_equal(dma(b, 0x20u << 16 | DMA_SELECT | DMA_SKIP, 11, 0), 0);
    assert_int_equal(in8(b, DATA), 'i');
    assert_int_equal(dma(b, DMA_SKIP, 3, 0), 0);
    assert_int_equal(in8(b, DATA), '1');
    assert_int_equal(dma(b, DMA_SKIP, 0xffffffff, 0), 0);
    assert_int_equal(in8(b, DATA), 0);
    assert_int_equal(dma(b, DMA_SKIP, 0xffffffff, 0), 0);
    assert_int_equal(in8(b, DATA), 0);
}

/* Read comes before write, write before skip. */
static void read_wins_over_write_and_write_over_skip(void **state)
{
    struct bench *b = *state;
    fill_buffer(b);
    assert_int_equal(dma(b, DMA_SELECT | DMA_READ | DMA_WRITE | DMA_SKIP, 4, BUFFER), 0);
    assert_buffer(b, "QEMU", 4);
    assert_int_equal(dma(b, DMA_SELECT | DMA_WRITE | DMA_SKIP, 2, BUFFER), DMA_ERROR);
    assert_int_equal(in8(b, DATA), 'Q');
}

static void a_dma_read_beyond_the_end_gives_zeros(void **state)
{
    struct bench *b = *state;
    fill_buffer(b);
    assert_int_equal(dma(b, DMA_SELECT | DMA_READ, 40, BUFFER), 0);
    uint8_t want[40] = "QEMU";
    assert_buffer(b, want, 40);
    fill_buffer(b);
    assert_int_equal(dma(b, 0x3fffu << 16 | DMA_SELECT | DMA_READ, 5, BUFFER), 0);
    assert_buffer(b, "\0\0\0\0\0", 5);
}

static void dma_writes_are_refused_with_the_error_bit(void **state)
{
    struct bench *b = *state;
    fill_buffer(b);
    assert_int_equal(dma(b, 0x20u << 16 | DMA_SELECT | DMA_WRITE, 1, BUFFER), DMA_ERROR);
    assert_int_equal(in8(b, DATA), '/');
    assert_int_equal(dma(b, 0x3fffu << 16 | DMA_SELECT | DMA_WRITE, 1, BUFFER), DMA_ERROR);
}

static void dma_to_where_there_is_no_ram_ends_with_the_error_bit(void **state)
{
    struct bench *b = *state;
    static const uint64_t nowhere[] = {BENCH_RAM, 0xfffffff0, 1ull << 32, UINT64_MAX - 1,
                                       0xffffffff00000000};
    for (unsigned i = 0; i < ARRAY_LEN(nowhere); i++)
        assert_int_equal(dma(b, DMA_SELECT | DMA_READ, 4, nowhere[i]), DMA_ERROR);
    assert_int_equal(dma(b, DMA_SELECT | DMA_READ, 4, BENCH_RAM - 2), DMA_ERROR);
    uint8_t got[2];
    phys_read_bytes(b->phys, BENCH_RAM - 2, got, 2);
    assert_memory_equal(got, "QE", 2);
    assert_int_equal(dma(b, DMA_SELECT | DMA_READ, 0, 1ull << 40), 0);
}

static void a_length_of_4_gib_ends_with_ram(void **state)
{
    struct bench *b = *state;
    uint8_t got[4];
    put_access(b, DMA_SELECT | DMA_READ, 0xffffffff, BENCH_RAM / 2);
    phys_write(b->phys, BENCH_RAM - 4, 0xeeeeeeee, 4);
    out_be32(b, DMA_LOW, ACCESS_AT);
    assert_int_equal(control_field(b), DMA_ERROR);
    phys_read_bytes(b->phys, BENCH_RAM / 2, got, 4);
    assert_memory_equal(got, "QEMU", 4);
    phys_read_bytes(b->phys, BENCH_RAM - 4, got, 4);
    assert_memory_equal(got, "\0\0\0\0", 4);
}

/* A request over itself: what was read first counts, the result is written last. */
static void a_buffer_over_the_structure_is_harmless(void **state)
{
    struct bench *b = *state;
    uint8_t got[17];
    assert_int_equal(dma(b, 0x20u << 16 | DMA_SELECT | DMA_READ, 17, ACCESS_AT), 0);
    phys_read_bytes(b->phys, ACCESS_AT, got, 17);
    assert_memory_equal(got + 4, "@i0cf8/isa@1/", 13);
}

static void a_structure_outside_ram_does_nothing(void **state)
{
    struct bench *b = *state;
    static const uint32_t at[] = {BENCH_RAM, BENCH_RAM - 8, BENCH_RAM - 2, 0xffffffff, 0xfffffffc};
    for (unsigned i = 0; i < ARRAY_LEN(at); i++)
        out_be32(b, DMA_LOW, at[i]);
    uint8_t got[4];
    phys_read_bytes(b->phys, BENCH_RAM - 8, got, 4);
    assert_memory_equal(got, "\0\0\0\1", 4); /* the one whose control field is in RAM */
    assert_int_equal(in8(b, DATA), 'Q');
}

/* The register is 0 at startup and after an operation; its high half waits for the low one. */
static void the_high_half_counts_for_one_operation(void **state)
{
    struct bench *b = *state;
    put_access(b, DMA_SELECT | DMA_READ, 4, BUFFER);
    out_be32(b, DMA_HIGH, 1);
    assert_int_equal(control_field(b), DMA_SELECT | DMA_READ);
    out_be32(b, DMA_LOW, ACCESS_AT);
    assert_int_equal(control_field(b), DMA_SELECT | DMA_READ);
    out_be32(b, DMA_LOW, ACCESS_AT);
    assert_int_equal(control_field(b), 0);
}

static void a_reset_clears_the_high_half(void **state)
{
    struct bench *b = *state;
    out_be32(b, DMA_HIGH, 1);
    fw_cfg_class.reset(b->dev, RESET_HARD);
    assert_int_equal(dma(b, DMA_SELECT | DMA_READ, 4, BUFFER), 0);
}

static void narrow_writes_to_the_dma_address_start_nothing(void **state)
{
    struct bench *b = *state;
    put_access(b, DMA_SELECT | DMA_READ, 4, BUFFER);
    for (unsigned i = 0; i < 4; i++)
        out8(b, (uint16_t)(DMA_LOW + i), (uint8_t)((uint32_t)ACCESS_AT >> (24 - 8 * i)));
    out16(b, DMA_LOW + 2, (uint16_t)(ACCESS_AT >> 8 | (ACCESS_AT & 0xff) << 8));
    out32(b, DMA_LOW + 2, 0);
    out32(b, DMA_HIGH + 2, 0);
    assert_int_equal(control_field(b), DMA_SELECT | DMA_READ);
}

/* The board is told how much was done, so that it can give the host a turn. */
static void what_dma_moves_is_reported(void **state)
{
    struct bench *b = *state;
    const struct chip *c = b->dev;
    dma(b, DMA_SELECT | DMA_READ, 40, BUFFER);
    assert_int_equal(c->moved, 40);
    dma(b, DMA_SKIP, 40, 0);
    assert_int_equal(c->moved, 40);
    assert_int_equal(c->moves, 1);
}

/* Ends within an item and with the high half of an address waiting. */
static void poke(struct bench *b)
{
    out16(b, SELECTOR, 0x20);
    in8(b, DATA);
    dma(b, DMA_READ, 2, BUFFER);
    out_be32(b, DMA_HIGH, 0x12345678);
}

DEVICE_TESTS(fw_cfg, setup, &((struct fw_cfg *)b->dev)->dev, poke);

#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_signature_is_qemu_and_both_interfaces_are_there),
        T(numbers_are_little_endian),
        T(the_directory_lists_files_by_name),
        T(a_file_is_read_by_the_key_of_the_directory),
        T(selecting_rewinds_and_the_end_reads_zeros),
        T(unknown_keys_read_zeros),
        T(writing_data_changes_nothing),
        T(adding_again_replaces),
        T(names_that_do_not_fit_are_refused),
        T(a_full_table_is_refused_with_a_sentence),
        T(a_state_of_other_contents_is_refused),
        T(the_dma_address_register_reads_qemu_cfg),
        T(dma_selects_and_reads_and_clears_the_control_field),
        T(dma_writes_nothing_but_control_and_buffer),
        T(dma_continues_where_the_port_stopped_and_the_other_way_round),
        T(skip_advances_the_offset),
        T(read_wins_over_write_and_write_over_skip),
        T(a_dma_read_beyond_the_end_gives_zeros),
        T(dma_writes_are_refused_with_the_error_bit),
        T(dma_to_where_there_is_no_ram_ends_with_the_error_bit),
        T(a_length_of_4_gib_ends_with_ram),
        T(a_buffer_over_the_structure_is_harmless),
        T(a_structure_outside_ram_does_nothing),
        T(the_high_half_counts_for_one_operation),
        T(a_reset_clears_the_high_half),
        T(narrow_writes_to_the_dma_address_start_nothing),
        T(what_dma_moves_is_reported),
        DEVICE_TESTS_OF(fw_cfg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
