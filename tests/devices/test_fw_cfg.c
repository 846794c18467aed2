/*
 * fw_cfg on a board without a CPU: ports 510 and 511, read as SeaBIOS reads it.
 * Expected values: QEMU docs/specs/fw_cfg.
 */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/fw_cfg.h"

enum { SELECTOR = 0x510, DATA = 0x511 };

#define OK(call) assert_int_equal((call), EMU_OK)

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct fw_cfg *fw = bench_alloc(b, sizeof(*fw));
    struct error err;
    fw_cfg_init(fw, "fw_cfg", (struct fw_cfg_wiring){.log = &b->log});
    OK(fw_cfg_add_file(fw, "etc/show-boot-menu", "\0", 2, &err));
    OK(fw_cfg_add_file(fw, "bootorder", "/pci@i0cf8/isa@1/fdc@03f0/floppy@0", 35, &err));
    OK(fw_cfg_add_file(fw, "vgaroms/vgabios.bin", "\x55\xaa", 2, &err));
    OK(fw_cfg_add_u16(fw, FW_CFG_NB_CPUS, 0x0102, &err));
    OK(fw_cfg_add_u32(fw, FW_CFG_KERNEL_SIZE, 0x12345678, &err));
    bench_map(b, SELECTOR, 2, 0, &fw_cfg_io, fw);
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

static void the_signature_is_qemu_and_the_interface_traditional(void **state)
{
    struct bench *b = *state;
    uint8_t got[5];
    read_bytes(b, 0x00, got, 5);
    assert_memory_equal(got, "QEMU\0", 5);
    read_bytes(b, 0x01, got, 4);
    assert_memory_equal(got, "\x01\0\0\0", 4);
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

static void poke(struct bench *b)
{
    out16(b, SELECTOR, 0x20);
    in8(b, DATA);
    in8(b, DATA);
}

DEVICE_TESTS(fw_cfg, setup, &((struct fw_cfg *)b->dev)->dev, poke);

#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_signature_is_qemu_and_the_interface_traditional),
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
        DEVICE_TESTS_OF(fw_cfg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
