/* System control port B, wired to an 8254 as on the PC/AT. */
#include "devices/i8254.h"
#include "devices/port61.h"
#include "tests/lib/device_tests.h"

enum { PORT = 0x61, SPEAKER_LINE = 3 };

struct board {
    struct i8254 pit;
    struct port61 port;
};

static bool out2(void *arg)
{
    return i8254_out(arg, 2);
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct board *x = bench_alloc(b, sizeof(*x));
    i8254_init(&x->pit, "pit", (struct i8254_wiring){.clk = &b->clk});
    port61_init(&x->port, "port61",
                (struct port61_wiring){.clk = &b->clk, .gate2 = i8254_gate(&x->pit, 2),
                                       .speaker = bench_line(b, SPEAKER_LINE), .out2 = out2,
                                       .out2_arg = &x->pit});
    bench_map(b, 0x40, 4, 0, &i8254_io, &x->pit);
    bench_map(b, PORT, 1, 0, &port61_io, &x->port);
    bench_add(b, &x->pit.dev);
    bench_add(b, &x->port.dev);
    *state = b;
    return 0;
}

static void the_low_four_bits_read_back(void **state)
{
    struct bench *b = *state;
    out8(b, PORT, 0xff);
    assert_int_equal(in8(b, PORT) & 0xcf, 0x0f);
    out8(b, PORT, 0x05);
    assert_int_equal(in8(b, PORT) & 0xcf, 0x05);
}

/* The way kernels time their delays: mode 0 on counter 2, gate on, poll bit 5. */
static void out2_shows_when_counter_2_has_run_down(void **state)
{
    struct bench *b = *state;
    out8(b, PORT, 0x00);
    out8(b, 0x43, 0xb0);
    out8(b, 0x42, 100);
    out8(b, 0x42, 0);
    clock_step(b, NS_PER_SECOND / 100);
    assert_int_equal(in8(b, PORT) & 0x20, 0); /* the gate is closed: nothing counts */
    out8(b, PORT, 0x01);
    clock_step(b, ticks_to_vtime(98, I8254_HZ));
    assert_int_equal(in8(b, PORT) & 0x20, 0);
    clock_step(b, ticks_to_vtime(3, I8254_HZ));
    assert_int_equal(in8(b, PORT) & 0x20, 0x20);
}

/* The refresh toggle changes with each refresh request, every 15.085 us. */
static void refresh_bit_toggles_every_15_us(void **state)
{
    struct bench *b = *state;
    unsigned changes = 0;
    uint8_t old = in8(b, PORT) & 0x10;
    for (unsigned i = 0; i < 10000; i++) {
        clock_step(b, 1000);
        uint8_t now = in8(b, PORT) & 0x10;
        changes += now != old;
        old = now;
    }
    assert_in_range(changes, 661, 664); /* 10 ms / 15.085 us */
}

static void speaker_data_goes_to_its_wire(void **state)
{
    struct bench *b = *state;
    out8(b, PORT, 0x02);
    assert_line(b, SPEAKER_LINE, true);
    out8(b, PORT, 0x01);
    assert_line(b, SPEAKER_LINE, false);
}

static void poke(struct bench *b)
{
    out8(b, PORT, 0x03);
    out8(b, 0x43, 0xb6);
    out8(b, 0x42, 100);
    out8(b, 0x42, 0);
    clock_step(b, 12345);
}

DEVICE_TESTS(port61, setup, &((struct board *)b->dev)->port.dev, poke);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_low_four_bits_read_back),
        TEST(out2_shows_when_counter_2_has_run_down),
        TEST(refresh_bit_toggles_every_15_us),
        TEST(speaker_data_goes_to_its_wire),
        DEVICE_TESTS_OF(port61),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
