/* The PS/2 mouse behind an 8042. Expected bytes: IBM PS/2 hardware interface technical reference,
 * "Mouse", and Microsoft's description of the IntelliMouse wheel protocol. */
#include "tests/devices/ps2_board.h"

static int setup(void **state)
{
    struct bench *b = new_ps2_board();
    command_byte(b, 0x02);
    *state = b;
    return 0;
}

static void move(struct bench *b, int dx, int dy, int dz, unsigned buttons)
{
    ps2_mouse_move(&board_of(b)->mouse, dx, dy, dz, buttons);
}

static void set_rate(struct bench *b, uint8_t rate)
{
    to_mouse(b, 0xf3);
    to_mouse(b, rate);
}

static void assert_id(struct bench *b, uint8_t id)
{
    to_mouse(b, 0xf2);
    assert_int_equal(receive(b), id);
}

static void reset_reports_bat_and_id_and_is_silent_after(void **state)
{
    struct bench *b = *state;
    to_mouse(b, 0xff);
    clock_step(b, 10000000);
    assert_int_equal(in8(b, STATUS) & 1, 0);
    assert_receives(b, "\xaa\x00", 2);
    move(b, 5, 5, 0, 1);
    assert_silent(b);
}

/* Byte 0: YO XO YS XS 1 M R L; x to the right, y up. */
static void reports_in_stream_mode(void **state)
{
    struct bench *b = *state;
    to_mouse(b, 0xf4);
    move(b, 10, -3, 0, 0); /* up on the screen */
    assert_receives(b, "\x08\x0a\x03", 3);
    move(b, -1, 2, 0, 1);
    assert_receives(b, "\x39\xff\xfe", 3);
    move(b, 0, 0, 0, 6);
    assert_receives(b, "\x0e\x00\x00", 3);
    assert_silent(b);
}

static void motion_gathers_while_the_host_is_busy(void **state)
{
    struct bench *b = *state;
    to_mouse(b, 0xf4);
    move(b, 1, 0, 0, 0);
    for (unsigned i = 0; i < 50; i++)
        move(b, 10, 0, 0, 0);
    assert_receives(b, "\x08\x01\x00", 3);
    assert_receives(b, "\x08\xff\x00", 3); /* 500 = 255 + 245: nothing overflows */
    assert_receives(b, "\x08\xf5\x00", 3);
    assert_silent(b);
}

static void sample_rate_limits_the_reports(void **state)
{
    struct bench *b = *state;
    set_rate(b, 20);
    to_mouse(b, 0xf4);
    unsigned bytes = 0;
    for (unsigned i = 0; i < 1000; i++) {
        move(b, 1, 0, 0, 0);
        clock_step(b, 1000000);
        if (in8(b, STATUS) & 1) {
            in8(b, DATA);
            bytes++;
        }
    }
    assert_in_range(bytes, 18 * 3, 21 * 3);
}

static void the_wheel_knock_gives_id_3_and_4_bytes(void **state)
{
    struct bench *b = *state;
    assert_id(b, 0);
    set_rate(b, 200);
    set_rate(b, 100);
    set_rate(b, 80);
    assert_id(b, 3);
    to_mouse(b, 0xf4);
    move(b, 1, 0, 1, 0); /* wheel away from the user: -1 */
    assert_receives(b, "\x08\x01\x00\xff", 4);
    move(b, 0, 0, -1, 0);
    assert_receives(b, "\x08\x00\x00\x01", 4);
}

static void the_explorer_knock_gives_five_buttons(void **state)
{
    struct bench *b = *state;
    set_rate(b, 200);
    set_rate(b, 200);
    set_rate(b, 80);
    assert_id(b, 4);
    to_mouse(b, 0xf4);
    move(b, 0, 0, 1, 0x19);
    assert_receives(b, "\x09\x00\x00\x3f", 4);
}

static void reset_takes_the_wheel_away(void **state)
{
    struct bench *b = *state;
    set_rate(b, 200);
    set_rate(b, 100);
    set_rate(b, 80);
    to_mouse(b, 0xff);
    assert_receives(b, "\xaa\x00", 2);
    assert_id(b, 0);
}

/* E9: 0 remote enabled scaling 0 left middle right; resolution; rate. */
static void status_request_tells_the_settings(void **state)
{
    struct bench *b = *state;
    to_mouse(b, 0xe9);
    assert_receives(b, "\x00\x02\x64", 3);
    to_mouse(b, 0xe8);
    to_mouse(b, 0x03);
    set_rate(b, 40);
    to_mouse(b, 0xe7);
    to_mouse(b, 0xf4);
    move(b, 0, 0, 0, 1);
    assert_receives(b, "\x09\x00\x00", 3);
    to_mouse(b, 0xe9);
    assert_receives(b, "\x34\x03\x28", 3);
    to_mouse(b, 0xf6);
    to_mouse(b, 0xe9);
    assert_receives(b, "\x04\x02\x64", 3);
}

/* 2:1 scaling: 0 1 1 3 6 9, then twice the count; in stream mode only. */
static void scaling_2_to_1(void **state)
{
    static const uint8_t scaled[] = {1, 1, 3, 6, 9, 12, 14};
    struct bench *b = *state;
    to_mouse(b, 0xe7);
    to_mouse(b, 0xf4);
    for (uint8_t i = 0; i < sizeof(scaled); i++) {
        const uint8_t want[3] = {0x08, scaled[i], 0};
        move(b, i + 1, 0, 0, 0);
        assert_receives(b, want, 3);
    }
}

static void remote_mode_reports_when_asked(void **state)
{
    struct bench *b = *state;
    to_mouse(b, 0xf0);
    to_mouse(b, 0xf4);
    move(b, 3, 0, 0, 2);
    assert_silent(b);
    to_mouse(b, 0xeb);
    assert_receives(b, "\x0a\x03\x00", 3);
    to_mouse(b, 0xeb);
    assert_receives(b, "\x0a\x00\x00", 3);
}

static void wrap_mode_echoes_until_ec(void **state)
{
    struct bench *b = *state;
    to_mouse(b, 0xee);
    out8(b, COMMAND, 0xd4);
    out8(b, DATA, 0xf4);
    assert_int_equal(receive(b), 0xf4);
    to_mouse(b, 0xec);
    to_mouse(b, 0xe9);
    assert_receives(b, "\x00\x02\x64", 3);
}

static void a_command_cuts_a_report_off(void **state)
{
    struct bench *b = *state;
    to_mouse(b, 0xf4);
    move(b, 1, 1, 0, 0);
    assert_int_equal(receive(b), 0x28);
    to_mouse(b, 0xf5);
    assert_silent(b);
}

static void unknown_commands_ask_for_a_resend(void **state)
{
    struct bench *b = *state;
    out8(b, COMMAND, 0xd4);
    out8(b, DATA, 0xe1);
    assert_int_equal(receive(b), 0xfe);
}

static void poke(struct bench *b)
{
    static const uint8_t bytes[] = {0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4};
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        out8(b, COMMAND, 0xd4);
        out8(b, DATA, bytes[i]);
        clock_step(b, 1000000);
        in8(b, DATA);
    }
    move(b, 300, -20, 1, 1);
    move(b, 30, 20, 1, 2);
    clock_step(b, 1000000);
}

DEVICE_TESTS(ps2_mouse, setup, &board_of(b)->mouse.dev, poke);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reset_reports_bat_and_id_and_is_silent_after),
        TEST(reports_in_stream_mode),
        TEST(motion_gathers_while_the_host_is_busy),
        TEST(sample_rate_limits_the_reports),
        TEST(the_wheel_knock_gives_id_3_and_4_bytes),
        TEST(the_explorer_knock_gives_five_buttons),
        TEST(reset_takes_the_wheel_away),
        TEST(status_request_tells_the_settings),
        TEST(scaling_2_to_1),
        TEST(remote_mode_reports_when_asked),
        TEST(wrap_mode_echoes_until_ec),
        TEST(a_command_cuts_a_report_off),
        TEST(unknown_commands_ask_for_a_resend),
        DEVICE_TESTS_OF(ps2_mouse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
