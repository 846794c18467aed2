/*
 * Parallel port on a board without a CPU: ports 378-37A, IRQ wire 7.
 * Expected values: IBM PC/XT Technical Reference, "IBM Printer Adapter".
 */
#include "tests/lib/device_tests.h"

#include "devices/lpt.h"

enum { DATA = 0x378, STATUS, CONTROL, IRQ = 7 };

struct paper {
    uint8_t byte[16];
    unsigned count;
};

static void print(void *arg, uint8_t byte)
{
    struct paper *p = arg;
    p->byte[p->count++ % 16] = byte;
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct lpt *l = bench_alloc(b, sizeof(*l));
    struct paper *p = bench_alloc(b, sizeof(*p));
    lpt_init(l, "lpt1", (struct lpt_wiring){.clk = &b->clk, .log = &b->log,
                                            .irq = bench_line(b, IRQ), .out = print, .arg = p});
    bench_map(b, DATA, 3, 0, &lpt_io, l);
    bench_add(b, &l->dev);
    *state = b;
    return 0;
}

static struct paper *paper(struct bench *b)
{
    return b->alloc[1];
}

/* SeaBIOS clears the direction bit, writes AA and reads it back. */
static void seabios_finds_the_port(void **state)
{
    struct bench *b = *state;
    out8(b, CONTROL, in8(b, CONTROL) & 0xdf);
    out8(b, DATA, 0xaa);
    assert_int_equal(in8(b, DATA), 0xaa);
}

static void control_bits_read_back(void **state)
{
    struct bench *b = *state;
    out8(b, CONTROL, 0x0c);
    assert_int_equal(in8(b, CONTROL) & 0x1f, 0x0c);
    out8(b, CONTROL, 0x0e);
    assert_int_equal(in8(b, CONTROL) & 0x1f, 0x0e);
}

static void an_input_port_reads_the_open_pins(void **state)
{
    struct bench *b = *state;
    out8(b, DATA, 0x55);
    out8(b, CONTROL, 0x20);
    assert_int_equal(in8(b, DATA), 0xff);
    out8(b, CONTROL, 0x00);
    assert_int_equal(in8(b, DATA), 0x55);
}

static void a_ready_printer_is_selected_and_not_busy(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in8(b, STATUS) & 0xf8, 0xd8);
}

static void without_a_printer_the_status_is_busy_and_out_of_paper(void **state)
{
    struct bench *b = *state;
    struct lpt *l = b->dev;
    l->w.out = NULL;
    assert_int_equal(in8(b, STATUS) & 0xf8, 0x78);
}

static void the_leading_edge_of_strobe_prints_the_byte(void **state)
{
    struct bench *b = *state;
    out8(b, CONTROL, 0x0c);
    out8(b, DATA, 'P');
    assert_int_equal(paper(b)->count, 0);
    out8(b, CONTROL, 0x0d);
    out8(b, CONTROL, 0x0c);
    assert_int_equal(paper(b)->count, 1);
    assert_int_equal(paper(b)->byte[0], 'P');
}

/* Busy for 10 us, then -ACK low for 5 us, then ready again. */
static void busy_then_acknowledge_then_ready(void **state)
{
    struct bench *b = *state;
    out8(b, CONTROL, 0x0d);
    assert_int_equal(in8(b, STATUS) & 0xc0, 0x40);
    clock_step(b, 10000);
    assert_int_equal(in8(b, STATUS) & 0xc0, 0x80);
    clock_step(b, 5000);
    assert_int_equal(in8(b, STATUS) & 0xc0, 0xc0);
}

/* "...allows an interrupt to occur when -ACK changes from true to false." */
static void the_end_of_acknowledge_interrupts_if_enabled(void **state)
{
    struct bench *b = *state;
    out8(b, CONTROL, 0x0d);
    clock_step(b, 20000);
    assert_int_equal(b->rises[IRQ], 0);
    out8(b, CONTROL, 0x1c);
    bench_clear_edges(b);
    out8(b, CONTROL, 0x1d);
    clock_step(b, 14999);
    assert_int_equal(b->rises[IRQ], 0);
    clock_step(b, 1);
    assert_int_equal(b->rises[IRQ], 1);
}

static void a_strobe_into_a_busy_printer_is_lost(void **state)
{
    struct bench *b = *state;
    out8(b, CONTROL, 0x0d);
    out8(b, CONTROL, 0x0c);
    out8(b, CONTROL, 0x0d);
    assert_int_equal(paper(b)->count, 1);
}

static void poke(struct bench *b)
{
    out8(b, DATA, 0x42);
    out8(b, CONTROL, 0x1c);
    out8(b, CONTROL, 0x1d);
    clock_step(b, 12000);
}

DEVICE_TESTS(lpt, setup, &((struct lpt *)b->dev)->dev, poke);

#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(seabios_finds_the_port),
        T(control_bits_read_back),
        T(an_input_port_reads_the_open_pins),
        T(a_ready_printer_is_selected_and_not_busy),
        T(without_a_printer_the_status_is_busy_and_out_of_paper),
        T(the_leading_edge_of_strobe_prints_the_byte),
        T(busy_then_acknowledge_then_ready),
        T(the_end_of_acknowledge_interrupts_if_enabled),
        T(a_strobe_into_a_busy_printer_is_lost),
        DEVICE_TESTS_OF(lpt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
