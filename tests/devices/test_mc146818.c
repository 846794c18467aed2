/* The MC146818A through its ports and interrupt pin. Expected behaviour: data sheet ADI-856R2
 * ("p.N"); dates by the calendar. */
#include "devices/mc146818.h"
#include "tests/lib/device_tests.h"

enum { INDEX = 0x70, DATA = 0x71, IRQ = 0, NMI = 1 };

/* 2000-02-28 23:59:58 UTC, a Monday: `date -ud '2000-02-28 23:59:58' +%s`. */
static const uint64_t LEAP_EVE = 951782398;

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct mc146818 *x = bench_alloc(b, sizeof(*x));
    mc146818_init(x, "rtc",
                  (struct mc146818_wiring){.clk = &b->clk, .log = &b->log,
                                           .irq = bench_line(b, IRQ),
                                           .nmi_mask = bench_line(b, NMI), .start = LEAP_EVE});
    bench_map(b, INDEX, 4, 0, &mc146818_io, x);
    bench_add(b, &x->dev);
    *state = b;
    return 0;
}

static uint8_t get(struct bench *b, uint8_t index)
{
    out8(b, INDEX, index);
    return in8(b, DATA);
}

static void set(struct bench *b, uint8_t index, uint8_t value)
{
    out8(b, INDEX, index);
    out8(b, DATA, value);
}

static void assert_clock(struct bench *b, uint8_t hours, uint8_t minutes, uint8_t seconds)
{
    assert_int_equal(get(b, 4), hours);
    assert_int_equal(get(b, 2), minutes);
    assert_int_equal(get(b, 0), seconds);
}

static void assert_date(struct bench *b, uint16_t year, uint8_t month, uint8_t day, uint8_t weekday)
{
    assert_int_equal(get(b, 0x32) << 8 | get(b, 9), year);
    assert_int_equal(get(b, 8), month);
    assert_int_equal(get(b, 7), day);
    assert_int_equal(get(b, 6), weekday);
}

static void it_starts_at_the_configured_time_in_bcd_and_24_hours(void **state)
{
    struct bench *b = *state;
    assert_clock(b, 0x23, 0x59, 0x58);
    assert_date(b, 0x2000, 0x02, 0x28, 2);
}

static void it_counts_seconds_over_midnight_into_a_leap_day(void **state)
{
    struct bench *b = *state;
    clock_step(b, NS_PER_SECOND - 1);
    assert_clock(b, 0x23, 0x59, 0x58);
    clock_step(b, 1);
    assert_clock(b, 0x23, 0x59, 0x59);
    clock_step(b, NS_PER_SECOND);
    assert_clock(b, 0, 0, 0);
    assert_date(b, 0x2000, 0x02, 0x29, 3);
}

static void it_keeps_time_over_years(void **state)
{
    struct bench *b = *state;
    clock_step(b, 86400ull * 366 * NS_PER_SECOND); /* nobody looks for a leap year */
    assert_clock(b, 0x23, 0x59, 0x58);
    assert_date(b, 0x2001, 0x02, 0x28, 4);
}

static void the_century_turns(void **state)
{
    struct bench *b = *state;
    set(b, 11, 0x82);
    set(b, 0x32, 0x19);
    set(b, 9, 0x99);
    set(b, 8, 0x12);
    set(b, 7, 0x31);
    set(b, 11, 0x02);
    clock_step(b, 2 * NS_PER_SECOND);
    assert_date(b, 0x2000, 0x01, 0x01, 7); /* a Saturday */
}

/* p.16: SET = 1 stops the updates, so that the program can set the time. */
static void set_stops_the_clock_and_clears_uie(void **state)
{
    struct bench *b = *state;
    set(b, 11, 0x92);
    assert_int_equal(get(b, 11), 0x82);
    set(b, 4, 0x12);
    set(b, 2, 0x34);
    set(b, 0, 0x56);
    clock_step(b, 10 * NS_PER_SECOND);
    assert_clock(b, 0x12, 0x34, 0x56);
    set(b, 11, 0x02);
    clock_step(b, NS_PER_SECOND);
    assert_clock(b, 0x12, 0x34, 0x57);
}

/* p.16 and table 3: DM = 1 binary; 12-hour mode has PM in bit 7. */
static void binary_and_12_hour_formats(void **state)
{
    struct bench *b = *state;
    set(b, 11, 0x84);
    set(b, 4, 0x80 | 11);
    set(b, 2, 59);
    set(b, 0, 59);
    set(b, 7, 30);
    set(b, 8, 6);
    set(b, 9, 95);
    set(b, 0x32, 19);
    set(b, 11, 0x04);
    clock_step(b, NS_PER_SECOND);
    assert_clock(b, 12, 0, 0); /* midnight is 12 AM */
    assert_date(b, 19 << 8 | 95, 7, 1, 7);
    clock_step(b, 12ull * 3600 * NS_PER_SECOND);
    assert_clock(b, 0x80 | 12, 0, 0);
}

/* p.14: UIP is set at least 244 us before the update, which lasts 1984 us. */
static void uip_announces_the_update(void **state)
{
    struct bench *b = *state;
    assert_int_equal(get(b, 10), 0x26);
    clock_step(b, NS_PER_SECOND - 2300000);
    assert_int_equal(get(b, 10), 0x26);
    clock_step(b, 100000);
    assert_int_equal(get(b, 10), 0xa6);
    clock_step(b, 2200000);
    assert_int_equal(get(b, 10), 0x26);
    assert_int_equal(get(b, 0), 0x59);
}

static void update_ended_interrupt_comes_every_second_once_c_is_read(void **state)
{
    struct bench *b = *state;
    set(b, 11, 0x12);
    clock_step(b, NS_PER_SECOND - 1);
    assert_line(b, IRQ, false);
    clock_step(b, 1);
    assert_line(b, IRQ, true);
    assert_int_equal(get(b, 12) & 0xb0, 0x90);
    assert_line(b, IRQ, false);
    clock_step(b, NS_PER_SECOND);
    assert_line(b, IRQ, true);
    assert_int_equal(b->rises[IRQ], 2);
}

/* p.17: flags are set whether enabled or not; reading register C clears them. */
static void flags_are_set_without_an_enable(void **state)
{
    struct bench *b = *state;
    get(b, 12);
    clock_step(b, NS_PER_SECOND);
    assert_line(b, IRQ, false);
    assert_int_equal(get(b, 12), 0x50); /* UF and PF, no IRQF */
    assert_int_equal(get(b, 12), 0x00);
}

/* Table 5: rate 6 is 1024 Hz. */
static void periodic_interrupt_runs_at_1024_hz(void **state)
{
    struct bench *b = *state;
    set(b, 11, 0x42);
    for (unsigned i = 0; i < 10000; i++) {
        clock_step(b, NS_PER_SECOND / 10000);
        if (b->line[IRQ])
            assert_int_equal(get(b, 12) & 0xc0, 0xc0);
    }
    assert_int_equal(b->rises[IRQ], 1024);
}

/* Table 5: rates 1 and 2 are 256 and 128 Hz, 15 is 2 Hz, 0 none. */
static void periodic_rates_follow_the_table(void **state)
{
    static const struct { uint8_t rate; unsigned hz; } rates[] = {
        {0, 0}, {1, 256}, {2, 128}, {3, 8192}, {8, 256}, {9, 128}, {15, 2},
    };
    for (unsigned r = 0; r < ARRAY_LEN(rates); r++) {
        struct bench *b = *state;
        set(b, 10, 0x20 | rates[r].rate);
        set(b, 11, 0x42);
        get(b, 12);
        bench_clear_edges(b);
        for (unsigned i = 0; i < 50000; i++) {
            clock_step(b, NS_PER_SECOND / 50000);
            if (b->line[IRQ])
                get(b, 12);
        }
        assert_int_equal(b->rises[IRQ], rates[r].hz);
    }
}

static void alarm_rings_at_its_time(void **state)
{
    struct bench *b = *state;
    set(b, 5, 0x00);
    set(b, 3, 0x00);
    set(b, 1, 0x10);
    set(b, 11, 0x22);
    clock_step(b, 12 * NS_PER_SECOND - 1);
    assert_line(b, IRQ, false);
    clock_step(b, 1);
    assert_line(b, IRQ, true);
    assert_int_equal(get(b, 12) & 0xa0, 0xa0);
    clock_step(b, 86399 * NS_PER_SECOND);
    assert_line(b, IRQ, false);
    clock_step(b, NS_PER_SECOND);
    assert_line(b, IRQ, true);
}

/* p.11: C0-FF in an alarm byte matches any value: with hours and minutes so, every minute. */
static void dont_care_alarm_rings_every_minute(void **state)
{
    struct bench *b = *state;
    set(b, 5, 0xff);
    set(b, 3, 0xc0);
    set(b, 1, 0x30);
    set(b, 11, 0x22);
    for (unsigned i = 0; i < 300; i++) {
        clock_step(b, NS_PER_SECOND);
        if (b->line[IRQ])
            get(b, 12);
    }
    assert_int_equal(b->rises[IRQ], 5);
}

static void a_polled_alarm_flag_survives_until_it_is_read(void **state)
{
    struct bench *b = *state;
    set(b, 5, 0x03);
    set(b, 3, 0x00);
    set(b, 1, 0x00);
    clock_step(b, 2 * 3600 * NS_PER_SECOND);
    assert_int_equal(get(b, 12) & 0x20, 0);
    clock_step(b, 2 * 3600 * NS_PER_SECOND);
    assert_int_equal(get(b, 12) & 0x20, 0x20);
}

/* p.15: after the divider reset is let go, the first update comes half a second later. */
static void divider_reset_starts_the_second_anew(void **state)
{
    struct bench *b = *state;
    clock_step(b, 300000000);
    set(b, 10, 0x76);
    clock_step(b, 5 * NS_PER_SECOND);
    assert_clock(b, 0x23, 0x59, 0x58);
    set(b, 10, 0x26);
    clock_step(b, 490000000);
    assert_clock(b, 0x23, 0x59, 0x58);
    clock_step(b, 20000000);
    assert_clock(b, 0x23, 0x59, 0x59);
}

static void cmos_keeps_bytes_in_both_banks_over_a_reset(void **state)
{
    struct bench *b = *state;
    struct mc146818 *x = b->dev;
    mc146818_set_cmos(x, 0x10, 0x44);
    set(b, 0x7f, 0xab);
    out8(b, 0x72, 0x10);
    out8(b, 0x73, 0xcd);
    x->dev.cls->reset(x, RESET_HARD);
    assert_int_equal(get(b, 0x10), 0x44);
    assert_int_equal(get(b, 0x7f), 0xab);
    out8(b, 0x72, 0x10);
    assert_int_equal(in8(b, 0x73), 0xcd);
    assert_int_equal(mc146818_cmos(x, 0x90), 0xcd);
}

static void registers_c_and_d_cannot_be_written(void **state)
{
    struct bench *b = *state;
    set(b, 13, 0x00);
    assert_int_equal(get(b, 13), 0x80);
    set(b, 12, 0xff);
    assert_int_equal(get(b, 12), 0x00);
}

static void bit_7_of_the_index_masks_nmi(void **state)
{
    struct bench *b = *state;
    out8(b, INDEX, 0x8f);
    assert_line(b, NMI, true);
    out8(b, INDEX, 0x0f);
    assert_line(b, NMI, false);
}

static void a_reset_disables_interrupts(void **state)
{
    struct bench *b = *state;
    struct mc146818 *x = b->dev;
    set(b, 11, 0x72);
    clock_step(b, NS_PER_SECOND);
    assert_line(b, IRQ, true);
    x->dev.cls->reset(x, RESET_HARD);
    assert_line(b, IRQ, false);
    assert_int_equal(get(b, 11), 0x02);
    assert_int_equal(get(b, 12), 0x00);
}

static void poke(struct bench *b)
{
    set(b, 11, 0x72);
    set(b, 10, 0x2d);
    set(b, 1, 0xff);
    set(b, 0x90, 0x55);
    clock_step(b, 123456789);
    get(b, 12);
    clock_step(b, 1000000);
}

DEVICE_TESTS(mc146818, setup, &((struct mc146818 *)b->dev)->dev, poke);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_starts_at_the_configured_time_in_bcd_and_24_hours),
        TEST(it_counts_seconds_over_midnight_into_a_leap_day),
        TEST(it_keeps_time_over_years),
        TEST(the_century_turns),
        TEST(set_stops_the_clock_and_clears_uie),
        TEST(binary_and_12_hour_formats),
        TEST(uip_announces_the_update),
        TEST(update_ended_interrupt_comes_every_second_once_c_is_read),
        TEST(flags_are_set_without_an_enable),
        TEST(periodic_interrupt_runs_at_1024_hz),
        TEST(periodic_rates_follow_the_table),
        TEST(alarm_rings_at_its_time),
        TEST(dont_care_alarm_rings_every_minute),
        TEST(a_polled_alarm_flag_survives_until_it_is_read),
        TEST(divider_reset_starts_the_second_anew),
        TEST(cmos_keeps_bytes_in_both_banks_over_a_reset),
        TEST(registers_c_and_d_cannot_be_written),
        TEST(bit_7_of_the_index_masks_nmi),
        TEST(a_reset_disables_interrupts),
        DEVICE_TESTS_OF(mc146818),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
