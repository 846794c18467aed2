/* System control port A: A20 gate and fast reset. */
#include "devices/port92.h"
#include "tests/lib/device_tests.h"

enum { PORT = 0x92, A20_LINE = 0, RESET_LINE = 1 };

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct port92 *x = bench_alloc(b, sizeof(*x));
    port92_init(x, "port92",
                (struct port92_wiring){.a20 = bench_line(b, A20_LINE),
                                       .reset = bench_line(b, RESET_LINE)});
    bench_map(b, PORT, 1, 0, &port92_io, x);
    bench_add(b, &x->dev);
    *state = b;
    return 0;
}

static void bit_1_opens_a20_and_reads_back(void **state)
{
    struct bench *b = *state;
    assert_line(b, A20_LINE, false);
    out8(b, PORT, in8(b, PORT) | 2);
    assert_line(b, A20_LINE, true);
    assert_int_equal(in8(b, PORT), 2);
    out8(b, PORT, 0);
    assert_line(b, A20_LINE, false);
}

/* Firmware writes with bit 0 clear all the time: that must not reset. */
static void only_bit_0_going_to_1_resets(void **state)
{
    struct bench *b = *state;
    out8(b, PORT, 2);
    out8(b, PORT, 0);
    assert_int_equal(b->rises[RESET_LINE], 0);
    out8(b, PORT, 1);
    assert_int_equal(b->rises[RESET_LINE], 1);
    out8(b, PORT, 3);
    assert_int_equal(b->rises[RESET_LINE], 1);
}

static void a_reset_drops_both_lines(void **state)
{
    struct bench *b = *state;
    struct port92 *x = b->dev;
    out8(b, PORT, 3);
    x->dev.cls->reset(x, RESET_HARD);
    assert_line(b, RESET_LINE, false);
    assert_line(b, A20_LINE, false);
}

static void poke(struct bench *b)
{
    out8(b, PORT, 2);
}

DEVICE_TESTS(port92, setup, &((struct port92 *)b->dev)->dev, poke);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bit_1_opens_a20_and_reads_back),
        TEST(only_bit_0_going_to_1_resets),
        TEST(a_reset_drops_both_lines),
        DEVICE_TESTS_OF(port92),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
