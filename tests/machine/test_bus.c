/*
 * The port bus: offsets, splitting by size (low byte first), ranges' edges, overlap, absent ports.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine/bus.h"

/* A device that notes what it is asked; reads give offset + 0x10 in every byte. */
struct probe {
    unsigned calls;
    struct {
        bool write;
        uint32_t offset, value;
        enum access_size size;
    } call[16];
};

static uint32_t probe_read(void *dev, uint32_t offset, enum access_size size)
{
    struct probe *p = dev;
    uint32_t v = 0;
    for (unsigned i = 0; i < size; i++)
        v |= (offset + i + 0x10) << (8 * i);
    p->call[p->calls].offset = offset;
    p->call[p->calls].size = size;
    p->call[p->calls++].write = false;
    return v | (size < 4 ? 0xff000000u : 0); /* the bus cuts what is too wide */
}

static void probe_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct probe *p = dev;
    p->call[p->calls].offset = offset;
    p->call[p->calls].size = size;
    p->call[p->calls].value = value;
    p->call[p->calls++].write = true;
}

static const struct io_ops bytes_only = {probe_read, probe_write, ACCESS_8};
static const struct io_ops words_too = {probe_read, probe_write, ACCESS_8 | ACCESS_16};
static const struct io_ops all_sizes = {probe_read, probe_write, ACCESS_8 | ACCESS_16 | ACCESS_32};
static const struct io_ops dwords_only = {probe_read, probe_write, ACCESS_32};

struct fixture {
    struct io_bus bus;
    struct probe a, b;
    struct error err;
    unsigned observed;
    uint32_t seen_value;
    uint16_t seen_port;
    bool seen_present, seen_write;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    io_bus_init(&f->bus);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void map(struct fixture *f, uint16_t base, uint32_t count, uint32_t first, const struct io_ops *ops, struct probe *p)
{
    assert_int_equal(io_bus_map(&f->bus, "probe", base, count, first, ops, p, &f->err), EMU_OK);
}

static void absent_ports_read_all_ones_and_swallow_writes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(io_read(&f->bus, 0x1234, ACCESS_8), 0xff);
    assert_int_equal(io_read(&f->bus, 0x1234, ACCESS_16), 0xffff);
    assert_int_equal(io_read(&f->bus, 0x1234, ACCESS_32), 0xffffffff);
    io_write(&f->bus, 0xffff, 0x12345678, ACCESS_32);
}

static void a_device_sees_its_offset_and_not_its_address(void **state)
{
    struct fixture *f = *state;
    map(f, 0x3f8, 8, 0, &bytes_only, &f->a);
    map(f, 0x2f8, 8, 0x100, &bytes_only, &f->b);
    assert_int_equal(io_read(&f->bus, 0x3fb, ACCESS_8), 0x13);
    assert_int_equal(f->a.call[0].offset, 3);
    io_write(&f->bus, 0x2ff, 0x42, ACCESS_8);
    assert_int_equal(f->b.call[0].offset, 0x107);
    assert_int_equal(f->b.call[0].value, 0x42);
}

static void wide_accesses_are_split_low_byte_first(void **state)
{
    struct fixture *f = *state;
    map(f, 0x40, 4, 0, &bytes_only, &f->a);
    assert_int_equal(io_read(&f->bus, 0x40, ACCESS_32), 0x13121110);
    assert_int_equal(f->a.calls, 4);
    f->a.calls = 0;
    io_write(&f->bus, 0x40, 0xddccbbaa, ACCESS_32);
    static const uint8_t expected[] = {0xaa, 0xbb, 0xcc, 0xdd};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(f->a.call[i].offset, i);
        assert_int_equal(f->a.call[i].size, ACCESS_8);
        assert_int_equal(f->a.call[i].value, expected[i]);
    }
}

static void a_dword_becomes_two_words_where_the_device_has_words(void **state)
{
    struct fixture *f = *state;
    map(f, 0x1f0, 8, 0, &words_too, &f->a);
    assert_int_equal(io_read(&f->bus, 0x1f0, ACCESS_32), 0x13121110);
    assert_int_equal(f->a.calls, 2);
    assert_int_equal(f->a.call[1].offset, 2);
    assert_int_equal(f->a.call[1].size, ACCESS_16);
}

static void implemented_sizes_arrive_whole(void **state)
{
    struct fixture *f = *state;
    map(f, 0xcf8, 8, 0, &all_sizes, &f->a);
    io_write(&f->bus, 0xcf8, 0x80000000, ACCESS_32);
    assert_int_equal(f->a.calls, 1);
    assert_int_equal(f->a.call[0].value, 0x80000000);
    io_write(&f->bus, 0xcf9, 0x12345, ACCESS_16); /* wider than the access */
    assert_int_equal(f->a.call[1].value, 0x2345);
    assert_int_equal(f->a.call[1].offset, 1);
}

static void a_byte_of_a_device_with_dwords_only_is_not_answered(void **state)
{
    struct fixture *f = *state;
    map(f, 0xcf8, 4, 0, &dwords_only, &f->a);
    assert_int_equal(io_read(&f->bus, 0xcf8, ACCESS_8), 0xff);
    assert_int_equal(io_read(&f->bus, 0xcf8, ACCESS_16), 0xffff);
    io_write(&f->bus, 0xcf8, 1, ACCESS_8);
    assert_int_equal(f->a.calls, 0);
}

static void values_are_cut_to_the_size_of_the_access(void **state)
{
    struct fixture *f = *state;
    map(f, 0x60, 1, 0, &bytes_only, &f->a);
    assert_int_equal(io_read(&f->bus, 0x60, ACCESS_8), 0x10);
}

static void an_access_over_a_range_s_end_reaches_both_neighbours_by_bytes(void **state)
{
    struct fixture *f = *state;
    map(f, 0x60, 2, 0, &all_sizes, &f->a);
    map(f, 0x62, 1, 8, &all_sizes, &f->b);
    assert_int_equal(io_read(&f->bus, 0x60, ACCESS_32), 0xff181110); /* 0x63 is absent */
    assert_int_equal(f->a.calls, 2);
    assert_int_equal(f->b.calls, 1);
    f->a.calls = f->b.calls = 0;
    io_write(&f->bus, 0x61, 0xccbb, ACCESS_16);
    assert_int_equal(f->a.call[0].value, 0xbb);
    assert_int_equal(f->b.call[0].value, 0xcc);
    assert_int_equal(f->b.call[0].offset, 8);
}

/* The 80386's ports end at FFFF; a word there takes its high byte from port 0. */
static void an_access_at_the_last_port_wraps(void **state)
{
    struct fixture *f = *state;
    map(f, 0xffff, 1, 0, &all_sizes, &f->a);
    map(f, 0, 1, 4, &all_sizes, &f->b);
    assert_int_equal(io_read(&f->bus, 0xffff, ACCESS_16), 0x1410);
    io_write(&f->bus, 0xffff, 0xbbaa, ACCESS_16);
    assert_int_equal(f->a.call[1].value, 0xaa);
    assert_int_equal(f->b.call[1].value, 0xbb);
}

static void overlap_is_an_error_that_names_both(void **state)
{
    struct fixture *f = *state;
    map(f, 0x3c0, 16, 0, &all_sizes, &f->a);
    assert_int_equal(io_bus_map(&f->bus, "mono", 0x3b0, 32, 0, &all_sizes, &f->b, &f->err), EMU_ARG);
    assert_non_null(strstr(f->err.text, "mono"));
    assert_non_null(strstr(f->err.text, "probe"));
    assert_int_equal(io_read(&f->bus, 0x3b0, ACCESS_8), 0xff); /* nothing of it is mapped */
    assert_int_equal(f->b.calls, 0);
}

static void ranges_that_do_not_fit_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(io_bus_map(&f->bus, "x", 0xfff8, 9, 0, &all_sizes, &f->a, &f->err), EMU_ARG);
    assert_int_equal(io_bus_map(&f->bus, "x", 0x100, 0, 0, &all_sizes, &f->a, &f->err), EMU_ARG);
    assert_int_equal(io_bus_map(&f->bus, "x", 1, 0xffffffffu, 0, &all_sizes, &f->a, &f->err), EMU_ARG);
    map(f, 0xfff8, 8, 0, &all_sizes, &f->a);
}

static void the_table_of_ranges_has_an_end_and_unmapping_makes_room(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < IO_RANGES; i++)
        map(f, (uint16_t)(i * 4), 1, 0, &all_sizes, &f->a);
    assert_int_equal(io_bus_map(&f->bus, "late", 0x8000, 1, 0, &all_sizes, &f->b, &f->err), EMU_ARG);
    io_bus_unmap(&f->bus, 0x10, &f->b); /* another device's: nothing */
    assert_int_equal(io_read(&f->bus, 0x10, ACCESS_8), 0x10);
    io_bus_unmap(&f->bus, 0x10, &f->a);
    assert_int_equal(io_read(&f->bus, 0x10, ACCESS_8), 0xff);
    map(f, 0x8000, 1, 0, &all_sizes, &f->b);
    assert_int_equal(io_read(&f->bus, 0x8000, ACCESS_8), 0x10);
}

static void observe(void *arg, bool write, uint16_t port, uint32_t value, enum access_size size, bool present)
{
    struct fixture *f = arg;
    (void)size;
    f->observed++;
    f->seen_write = write;
    f->seen_port = port;
    f->seen_value = value;
    f->seen_present = present;
}

static void every_access_can_be_observed_once(void **state)
{
    struct fixture *f = *state;
    map(f, 0x80, 1, 0, &bytes_only, &f->a);
    f->bus.observe = observe;
    f->bus.observe_arg = f;
    io_read(&f->bus, 0x80, ACCESS_16);
    assert_int_equal(f->observed, 1);
    assert_int_equal(f->seen_value, 0xff10);
    assert_true(f->seen_present);
    io_write(&f->bus, 0x90, 7, ACCESS_8);
    assert_int_equal(f->observed, 2);
    assert_true(f->seen_write);
    assert_false(f->seen_present);
    assert_int_equal(f->seen_port, 0x90);
}

/* Every size at every alignment: a read gives the bytes, whatever the device implements. */
static void splitting_never_changes_what_is_read(void **state)
{
    static const struct io_ops *const ops[] = {&bytes_only, &words_too, &all_sizes};
    struct fixture *f = *state;
    for (unsigned k = 0; k < 3; k++) {
        map(f, (uint16_t)(0x100 + 0x40 * k), 16, 0, ops[k], &f->a);
        for (unsigned at = 0; at < 16; at++) {
            for (unsigned size = 1; size <= 4; size *= 2) {
                uint32_t expected = 0;
                for (unsigned i = 0; i < size; i++)
                    expected |= (at + i < 16 ? at + i + 0x10 : 0xffu) << (8 * i);
                f->a.calls = 0;
                assert_int_equal(io_read(&f->bus, (uint16_t)(0x100 + 0x40 * k + at), size), expected);
            }
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(absent_ports_read_all_ones_and_swallow_writes),
        TEST(a_device_sees_its_offset_and_not_its_address),
        TEST(wide_accesses_are_split_low_byte_first),
        TEST(a_dword_becomes_two_words_where_the_device_has_words),
        TEST(implemented_sizes_arrive_whole),
        TEST(a_byte_of_a_device_with_dwords_only_is_not_answered),
        TEST(values_are_cut_to_the_size_of_the_access),
        TEST(an_access_over_a_range_s_end_reaches_both_neighbours_by_bytes),
        TEST(an_access_at_the_last_port_wraps),
        TEST(overlap_is_an_error_that_names_both),
        TEST(ranges_that_do_not_fit_are_refused),
        TEST(the_table_of_ranges_has_an_end_and_unmapping_makes_room),
        TEST(every_access_can_be_observed_once),
        TEST(splitting_never_changes_what_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
