/* The 8254 through its ports, gates and OUT pins. Expected values come from data sheet 231164-005
 * ("p.N"): the waveforms of modes 0 to 5 and the read-back command. */
#include "devices/i8254.h"
#include "tests/lib/device_tests.h"

enum { CH0 = 0x40, CH1 = 0x41, CH2 = 0x42, CONTROL = 0x43 };

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct i8254 *pit = bench_alloc(b, sizeof(*pit));
    struct i8254_wiring w = {.clk = &b->clk,
                             .log = &b->log,
                             .out = {bench_line(b, 0), bench_line(b, 1), bench_line(b, 2)}};
    i8254_init(pit, "pit", w);
    bench_map(b, CH0, 4, 0, &i8254_io, pit);
    bench_add(b, &pit->dev);
    *state = b;
    return 0;
}

static struct i8254 *pit_of(struct bench *b)
{
    return b->dev;
}

/* To the instant of CLK pulse n. */
static void to_pulse(struct bench *b, uint64_t n)
{
    clock_step_to(b, ticks_to_vtime(n, I8254_HZ));
}

static void program(struct bench *b, unsigned channel, unsigned mode, uint16_t count)
{
    out8(b, CONTROL, (uint8_t)(channel << 6 | 0x30 | mode << 1));
    out8(b, (uint16_t)(CH0 + channel), (uint8_t)count);
    out8(b, (uint16_t)(CH0 + channel), (uint8_t)(count >> 8));
}

static uint16_t latched(struct bench *b, unsigned channel)
{
    out8(b, CONTROL, (uint8_t)(channel << 6));
    uint8_t low = in8(b, (uint16_t)(CH0 + channel));
    return (uint16_t)(low | in8(b, (uint16_t)(CH0 + channel)) << 8);
}

static uint8_t status_of(struct bench *b, unsigned channel)
{
    out8(b, CONTROL, (uint8_t)(0xe0 | 2u << channel));
    return in8(b, (uint16_t)(CH0 + channel));
}

/* p.8: OUT is low after the control word and rises N + 1 CLK pulses after the count is written. */
static void mode0_out_rises_n_plus_1_pulses_after_the_count(void **state)
{
    struct bench *b = *state;
    program(b, 0, 0, 4);
    bench_clear_edges(b);
    assert_line(b, 0, false);
    to_pulse(b, 4);
    assert_line(b, 0, false);
    to_pulse(b, 5);
    assert_line(b, 0, true);
    to_pulse(b, 100000);
    assert_line(b, 0, true);
    assert_int_equal(b->rises[0], 1);
}

/* p.8: it counts on after zero, from FFFF. */
static void mode0_counts_on_past_zero(void **state)
{
    struct bench *b = *state;
    program(b, 0, 0, 4);
    to_pulse(b, 1);
    assert_int_equal(latched(b, 0), 4);
    to_pulse(b, 5);
    assert_int_equal(latched(b, 0), 0);
    to_pulse(b, 6);
    assert_int_equal(latched(b, 0), 0xffff);
}

/* p.8: GATE = 0 disables counting; GATE has no effect on OUT. */
static void mode0_gate_low_holds_the_count(void **state)
{
    struct bench *b = *state;
    program(b, 2, 0, 10);
    to_pulse(b, 4);
    i8254_set_gate(pit_of(b), 2, false);
    to_pulse(b, 1000);
    assert_int_equal(latched(b, 2), 7);
    i8254_set_gate(pit_of(b), 2, true);
    to_pulse(b, 1006);
    assert_line(b, 2, false);
    to_pulse(b, 1007);
    assert_line(b, 2, true);
}

/* p.8: writing the first byte stops counting and sets OUT low at once. */
static void mode0_first_byte_of_a_new_count_stops_counting(void **state)
{
    struct bench *b = *state;
    program(b, 0, 0, 2);
    to_pulse(b, 10);
    assert_line(b, 0, true);
    out8(b, CH0, 3);
    assert_line(b, 0, false);
    to_pulse(b, 1000);
    assert_line(b, 0, false);
    out8(b, CH0, 0);
    to_pulse(b, 1003);
    assert_line(b, 0, false);
    to_pulse(b, 1004);
    assert_line(b, 0, true);
}

/* p.9: the one-shot starts on the CLK pulse after the trigger and lasts N pulses. */
static void mode1_one_shot_is_low_for_n_pulses_after_a_trigger(void **state)
{
    struct bench *b = *state;
    i8254_set_gate(pit_of(b), 1, false);
    program(b, 1, 1, 3);
    to_pulse(b, 10);
    assert_line(b, 1, true);
    i8254_set_gate(pit_of(b), 1, true);
    assert_line(b, 1, true);
    to_pulse(b, 11);
    assert_line(b, 1, false);
    to_pulse(b, 13);
    assert_line(b, 1, false);
    to_pulse(b, 14);
    assert_line(b, 1, true);
}

/* p.9: retriggerable: OUT stays low until N pulses after the last trigger. */
static void mode1_retrigger_lengthens_the_pulse(void **state)
{
    struct bench *b = *state;
    i8254_set_gate(pit_of(b), 1, false);
    program(b, 1, 1, 5);
    i8254_set_gate(pit_of(b), 1, true);
    to_pulse(b, 4);
    i8254_set_gate(pit_of(b), 1, false);
    i8254_set_gate(pit_of(b), 1, true);
    to_pulse(b, 9);
    assert_line(b, 1, false);
    to_pulse(b, 10);
    assert_line(b, 1, true);
    assert_int_equal(b->falls[1], 1);
}

/* p.9: OUT goes low when the count is one, for one CLK; the sequence repeats every N pulses. */
static void mode2_out_pulses_low_for_one_clock_after_n(void **state)
{
    struct bench *b = *state;
    program(b, 0, 2, 16);
    to_pulse(b, 15);
    assert_line(b, 0, true);
    to_pulse(b, 16);
    assert_line(b, 0, false);
    to_pulse(b, 17);
    assert_line(b, 0, true);
    to_pulse(b, 32);
    assert_line(b, 0, false);
}

static void mode2_keeps_its_rate_exactly_over_an_hour(void **state)
{
    struct bench *b = *state;
    program(b, 0, 2, 11932); /* near 100 Hz */
    bench_clear_edges(b);
    clock_step(b, 3600 * NS_PER_SECOND);
    /* Rises at pulses 1 + k * 11932, k >= 1, up to 3600 * 1193182. */
    assert_int_equal(b->rises[0], (3600ull * I8254_HZ - 1) / 11932);
}

/* The counter's own pulses count, not the moments at which the board's timer ran. */
static void mode2_shows_a_rising_edge_for_a_pulse_that_a_late_timer_missed(void **state)
{
    struct bench *b = *state;
    program(b, 0, 2, 1000);
    bench_clear_edges(b);
    clock_jump(b, ticks_to_vtime(1500, I8254_HZ));
    assert_line(b, 0, true);
    assert_int_equal(b->rises[0], 1);
    clock_jump(b, ticks_to_vtime(200, I8254_HZ)); /* nothing in there */
    assert_int_equal(b->rises[0], 1);
}

/* p.9: a new count takes effect at the end of the current counting cycle. */
static void mode2_new_count_waits_for_the_end_of_the_cycle(void **state)
{
    struct bench *b = *state;
    program(b, 0, 2, 16);
    to_pulse(b, 5);
    out8(b, CH0, 4);
    out8(b, CH0, 0);
    to_pulse(b, 15);
    assert_line(b, 0, true);
    to_pulse(b, 16);
    assert_line(b, 0, false);
    to_pulse(b, 17);
    assert_int_equal(latched(b, 0), 4);
    to_pulse(b, 20);
    assert_line(b, 0, false);
    to_pulse(b, 21);
    assert_line(b, 0, true);
    to_pulse(b, 24);
    assert_line(b, 0, false);
}

/* p.9: GATE = 0 sets OUT high at once; the trigger reloads, so GATE synchronizes the counter. */
static void mode2_gate_reloads_the_counter(void **state)
{
    struct bench *b = *state;
    program(b, 2, 2, 8);
    to_pulse(b, 8);
    assert_line(b, 2, false);
    i8254_set_gate(pit_of(b), 2, false);
    assert_line(b, 2, true);
    to_pulse(b, 100);
    i8254_set_gate(pit_of(b), 2, true);
    to_pulse(b, 101);
    assert_int_equal(latched(b, 2), 8);
    to_pulse(b, 107);
    assert_line(b, 2, true);
    to_pulse(b, 108);
    assert_line(b, 2, false);
}

/* p.10: even counts: N/2 high, N/2 low, decremented by two. */
static void mode3_even_count_is_a_square_wave(void **state)
{
    struct bench *b = *state;
    static const uint16_t contents[] = {6, 4, 2, 6, 4, 2, 6};
    program(b, 0, 3, 6);
    for (unsigned i = 0; i < ARRAY_LEN(contents); i++) {
        to_pulse(b, 1 + i);
        assert_int_equal(latched(b, 0), contents[i]);
        assert_line(b, 0, i % 6 < 3);
    }
}

/* p.10: odd counts: (N + 1)/2 high, (N - 1)/2 low. */
static void mode3_odd_count_is_high_for_one_pulse_more(void **state)
{
    struct bench *b = *state;
    static const uint16_t contents[] = {4, 2, 0, 4, 2, 4, 2, 0};
    program(b, 0, 3, 5);
    for (unsigned i = 0; i < ARRAY_LEN(contents); i++) {
        to_pulse(b, 1 + i);
        assert_int_equal(latched(b, 0), contents[i]);
        assert_line(b, 0, i % 5 < 3);
    }
}

/* p.10: a new count is loaded at the end of the current half-cycle. */
static void mode3_new_count_waits_for_the_end_of_the_half_cycle(void **state)
{
    struct bench *b = *state;
    program(b, 0, 3, 20);
    to_pulse(b, 5);
    out8(b, CH0, 8);
    out8(b, CH0, 0);
    to_pulse(b, 10);
    assert_line(b, 0, true);
    to_pulse(b, 11); /* end of the high half: 4 pulses low from here */
    assert_line(b, 0, false);
    assert_int_equal(latched(b, 0), 8);
    to_pulse(b, 14);
    assert_line(b, 0, false);
    to_pulse(b, 15);
    assert_line(b, 0, true);
    to_pulse(b, 19);
    assert_line(b, 0, false);
}

/* p.9: a count of 0 is 2^16: 18.2065 Hz, the PC's tick. */
static void mode3_count_0_gives_the_18_hz_tick(void **state)
{
    struct bench *b = *state;
    program(b, 0, 3, 0);
    bench_clear_edges(b);
    clock_step(b, 100 * NS_PER_SECOND);
    assert_int_equal(b->rises[0], 1820); /* floor((119318200 - 1) / 65536) */
}

/* p.10: OUT goes low for one CLK, N + 1 pulses after the count is written, once. */
static void mode4_strobe_is_one_pulse_low_after_n_plus_1(void **state)
{
    struct bench *b = *state;
    program(b, 0, 4, 3);
    assert_line(b, 0, true);
    to_pulse(b, 3);
    assert_line(b, 0, true);
    to_pulse(b, 4);
    assert_line(b, 0, false);
    to_pulse(b, 5);
    assert_line(b, 0, true);
    to_pulse(b, 200000);
    assert_int_equal(b->falls[0], 1);
}

/* p.11: the strobe comes N + 1 pulses after the trigger. */
static void mode5_strobe_follows_a_trigger(void **state)
{
    struct bench *b = *state;
    i8254_set_gate(pit_of(b), 2, false);
    program(b, 2, 5, 3);
    to_pulse(b, 50);
    i8254_set_gate(pit_of(b), 2, true);
    to_pulse(b, 53);
    assert_line(b, 2, true);
    to_pulse(b, 54);
    assert_line(b, 2, false);
    to_pulse(b, 55);
    assert_line(b, 2, true);
}

static void bcd_counts_in_decimal_digits(void **state)
{
    struct bench *b = *state;
    out8(b, CONTROL, 0x31); /* counter 0, both bytes, mode 0, BCD */
    out8(b, CH0, 0x00);
    out8(b, CH0, 0x10); /* 1000 */
    to_pulse(b, 2);
    assert_int_equal(latched(b, 0), 0x0999);
    to_pulse(b, 1000);
    assert_line(b, 0, false);
    to_pulse(b, 1001);
    assert_line(b, 0, true);
    to_pulse(b, 1002);
    assert_int_equal(latched(b, 0), 0x9999);
}

/* p.7: a second latch command before the first is read is ignored. */
static void counter_latch_holds_until_it_is_read(void **state)
{
    struct bench *b = *state;
    program(b, 0, 2, 1000);
    to_pulse(b, 11);
    out8(b, CONTROL, 0x00);
    to_pulse(b, 100);
    out8(b, CONTROL, 0x00);
    assert_int_equal(in8(b, CH0), 990 & 0xff);
    to_pulse(b, 200);
    assert_int_equal(in8(b, CH0), 990 >> 8);
    assert_int_equal(in8(b, CH0), (1000 - 199) & 0xff); /* no longer latched */
}

static void single_byte_formats_read_and_write_one_byte(void **state)
{
    struct bench *b = *state;
    out8(b, CONTROL, 0x24); /* counter 0, high byte, mode 2 */
    out8(b, CH0, 0x12);
    to_pulse(b, 1);
    assert_int_equal(in8(b, CH0), 0x12);
    assert_int_equal(in8(b, CH0), 0x12);
    out8(b, CONTROL, 0x14); /* low byte */
    out8(b, CH0, 0x80);
    to_pulse(b, 2);
    assert_int_equal(in8(b, CH0), 0x80);
}

/* p.8: status = OUT, NULL COUNT, RW1, RW0, M2-M0, BCD. */
static void read_back_gives_the_status(void **state)
{
    struct bench *b = *state;
    program(b, 0, 3, 100);
    assert_int_equal(status_of(b, 0), 0xc0 | 0x30 | 3 << 1); /* not loaded yet */
    to_pulse(b, 1);
    assert_int_equal(status_of(b, 0), 0x80 | 0x30 | 3 << 1);
    to_pulse(b, 51);
    assert_int_equal(status_of(b, 0), 0x30 | 3 << 1);
}

/* p.8: if both are latched, the first read returns the status, the next ones the count. */
static void read_back_latches_status_and_count_of_several_counters(void **state)
{
    struct bench *b = *state;
    program(b, 0, 2, 500);
    program(b, 2, 0, 300);
    to_pulse(b, 101);
    out8(b, CONTROL, 0xca); /* count and status of counters 0 and 2 */
    to_pulse(b, 150);
    assert_int_equal(in8(b, CH0), 0x80 | 0x30 | 2 << 1);
    assert_int_equal(in8(b, CH0), 400 & 0xff);
    assert_int_equal(in8(b, CH0), 400 >> 8);
    assert_int_equal(in8(b, CH2), 0x30);
    assert_int_equal(in8(b, CH2), 200);
    assert_int_equal(in8(b, CH2), 0);
}

/* Read-back command 0xd2: latch the count of counter 0, as firmware without a TSC polls it. */
static void read_back_of_the_count_alone(void **state)
{
    struct bench *b = *state;
    program(b, 0, 2, 0);
    to_pulse(b, 1 + 0x1234);
    out8(b, CONTROL, 0xd2);
    assert_int_equal(in8(b, CH0), (0x10000 - 0x1234) & 0xff);
    assert_int_equal(in8(b, CH0), (0x10000 - 0x1234) >> 8);
}

static void mode_numbers_6_and_7_are_2_and_3(void **state)
{
    struct bench *b = *state;
    out8(b, CONTROL, 0x3c);
    assert_int_equal(status_of(b, 0) >> 1 & 7, 2);
    out8(b, CONTROL, 0x3e);
    assert_int_equal(status_of(b, 0) >> 1 & 7, 3);
}

static void control_port_reads_all_ones(void **state)
{
    assert_int_equal(in8(*state, CONTROL), 0xff);
}

static void counts_of_1_do_not_stop_time(void **state)
{
    struct bench *b = *state;
    program(b, 0, 2, 1);
    program(b, 1, 3, 1);
    clock_step(b, NS_PER_SECOND);
    assert_line(b, 0, true);
    program(b, 0, 2, 2);
    bench_clear_edges(b);
    clock_step(b, 1000000);
    assert_in_range(b->rises[0], 595, 597); /* 596591 Hz for a millisecond */
}

static void poke(struct bench *b)
{
    program(b, 0, 2, 1193);
    program(b, 1, 3, 77);
    program(b, 2, 0, 40000);
    clock_step(b, 12345);
    out8(b, CH0, 99);
    out8(b, CH0, 3);
    out8(b, CONTROL, 0x80);
    i8254_set_gate(pit_of(b), 2, !pit_of(b)->st.channel[2].gate);
    clock_step(b, 54321);
}

DEVICE_TESTS(i8254, setup, &pit_of(b)->dev, poke);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(mode0_out_rises_n_plus_1_pulses_after_the_count),
        TEST(mode0_counts_on_past_zero),
        TEST(mode0_gate_low_holds_the_count),
        TEST(mode0_first_byte_of_a_new_count_stops_counting),
        TEST(mode1_one_shot_is_low_for_n_pulses_after_a_trigger),
        TEST(mode1_retrigger_lengthens_the_pulse),
        TEST(mode2_out_pulses_low_for_one_clock_after_n),
        TEST(mode2_keeps_its_rate_exactly_over_an_hour),
        TEST(mode2_shows_a_rising_edge_for_a_pulse_that_a_late_timer_missed),
        TEST(mode2_new_count_waits_for_the_end_of_the_cycle),
        TEST(mode2_gate_reloads_the_counter),
        TEST(mode3_even_count_is_a_square_wave),
        TEST(mode3_odd_count_is_high_for_one_pulse_more),
        TEST(mode3_new_count_waits_for_the_end_of_the_half_cycle),
        TEST(mode3_count_0_gives_the_18_hz_tick),
        TEST(mode4_strobe_is_one_pulse_low_after_n_plus_1),
        TEST(mode5_strobe_follows_a_trigger),
        TEST(bcd_counts_in_decimal_digits),
        TEST(counter_latch_holds_until_it_is_read),
        TEST(single_byte_formats_read_and_write_one_byte),
        TEST(read_back_gives_the_status),
        TEST(read_back_latches_status_and_count_of_several_counters),
        TEST(read_back_of_the_count_alone),
        TEST(mode_numbers_6_and_7_are_2_and_3),
        TEST(control_port_reads_all_ones),
        TEST(counts_of_1_do_not_stop_time),
        DEVICE_TESTS_OF(i8254),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
