/* The PS/2 keyboard behind an 8042. Expected bytes: IBM PS/2 hardware interface technical
 * reference, "101- and 102-key keyboards", and the USB HID to PS/2 scan code translation table. */
#include "devices/ps2_keys.h"
#include "tests/devices/ps2_board.h"

enum { KEY_A = 0x04, KEY_ENTER = 0x28, KEY_F7 = 0x40, KEY_HOME = 0x4a, KEY_RIGHT_CTRL = 0xe4 };

/* Translation off: the keyboard's own bytes. */
static int setup(void **state)
{
    struct bench *b = new_ps2_board();
    command_byte(b, 0x21);
    *state = b;
    return 0;
}

static void key(struct bench *b, uint8_t hid, bool down)
{
    ps2_kbd_key(&board_of(b)->keyboard, hid, down);
}

static void select_set(struct bench *b, uint8_t set)
{
    to_keyboard(b, 0xf0);
    to_keyboard(b, set);
}

static void set_2_is_the_default(void **state)
{
    struct bench *b = *state;
    key(b, KEY_A, true);
    key(b, KEY_A, false);
    assert_receives(b, "\x1c\xf0\x1c", 3);
    key(b, KEY_HOME, true);
    key(b, KEY_HOME, false);
    assert_receives(b, "\xe0\x6c\xe0\xf0\x6c", 5);
    key(b, KEY_F7, true);
    key(b, KEY_F7, false);
    assert_receives(b, "\x83\xf0\x83", 3);
}

static void set_1_codes(void **state)
{
    struct bench *b = *state;
    select_set(b, 1);
    key(b, KEY_A, true);
    key(b, KEY_A, false);
    assert_receives(b, "\x1e\x9e", 2);
    key(b, KEY_RIGHT_CTRL, true);
    key(b, KEY_RIGHT_CTRL, false);
    assert_receives(b, "\xe0\x1d\xe0\x9d", 4);
}

/* Set 3 as it wakes up: letters without break codes; Shift with one. */
static void set_3_codes_and_key_types(void **state)
{
    struct bench *b = *state;
    select_set(b, 3);
    key(b, KEY_A, true);
    key(b, KEY_A, false);
    assert_int_equal(receive(b), 0x1c);
    assert_silent(b);
    key(b, 0xe1, true);
    key(b, 0xe1, false);
    assert_receives(b, "\x12\xf0\x12", 3);
    to_keyboard(b, 0xf8); /* all keys make and break */
    key(b, KEY_HOME, true);
    key(b, KEY_HOME, false);
    assert_receives(b, "\x6e\xf0\x6e", 3);
    to_keyboard(b, 0xfd); /* Home only makes */
    to_keyboard(b, 0x6e);
    key(b, KEY_HOME, true);
    key(b, KEY_HOME, false);
    assert_int_equal(receive(b), 0x6e);
    assert_silent(b);
}

static void f0_00_tells_the_set(void **state)
{
    struct bench *b = *state;
    to_keyboard(b, 0xf0);
    to_keyboard(b, 0x00);
    assert_int_equal(receive(b), 2);
}

static void print_screen_depends_on_the_modifiers(void **state)
{
    struct bench *b = *state;
    select_set(b, 1);
    key(b, 0x46, true);
    key(b, 0x46, false);
    assert_receives(b, "\xe0\x2a\xe0\x37\xe0\xb7\xe0\xaa", 8);
    key(b, 0xe0, true); /* Ctrl */
    key(b, 0x46, true);
    key(b, 0x46, false);
    key(b, 0xe0, false);
    assert_receives(b, "\x1d\xe0\x37\xe0\xb7\x9d", 6);
    key(b, 0xe2, true); /* Alt: SysRq, also when Alt goes up first */
    key(b, 0x46, true);
    key(b, 0xe2, false);
    key(b, 0x46, false);
    assert_receives(b, "\x38\x54\xb8\xd4", 4);
}

static void pause_makes_and_breaks_at_once(void **state)
{
    struct bench *b = *state;
    key(b, 0x48, true);
    assert_receives(b, "\xe1\x14\x77\xe1\xf0\x14\xf0\x77", 8);
    clock_step(b, NS_PER_SECOND);
    key(b, 0x48, false);
    assert_silent(b);
    key(b, 0xe0, true);
    key(b, 0x48, true);
    assert_receives(b, "\x14\xe0\x7e\xe0\xf0\x7e", 6);
}

/* What the controller's translation makes of set 2 is set 1, for every key. */
static void set_2_translated_is_set_1_for_every_key(void **state)
{
    (void)state;
    unsigned keys = 0;
    for (unsigned hid = 0; hid < 256; hid++) {
        uint8_t one[PS2_KEY_BYTES], two[PS2_KEY_BYTES];
        for (int down = 0; down < 2; down++) {
            unsigned n1 = ps2_key_bytes((uint8_t)hid, 1, down, PS2_KEY_PLAIN, one);
            unsigned n2 = ps2_key_bytes((uint8_t)hid, 2, down, PS2_KEY_PLAIN, two);
            unsigned at = 0;
            uint8_t prefix = 0;
            for (unsigned i = 0; i < n2; i++) {
                if (two[i] == 0xf0) {
                    prefix = 0x80;
                    continue;
                }
                assert_true(at < n1);
                assert_int_equal(one[at++], i8042_translate(two[i]) | prefix);
                prefix = 0;
            }
            assert_int_equal(at, n1);
            keys += n1 != 0 && down;
        }
    }
    assert_in_range(keys, 104, 130);
}

static void a_held_key_repeats_after_half_a_second(void **state)
{
    struct bench *b = *state;
    key(b, KEY_A, true);
    assert_int_equal(receive(b), 0x1c);
    clock_step(b, 490000000);
    assert_int_equal(in8(b, STATUS) & 1, 0);
    unsigned n = 0; /* 10.9 codes a second */
    for (unsigned i = 0; i < 2000; i++) {
        clock_step(b, 1000000);
        if (in8(b, STATUS) & 1) {
            assert_int_equal(in8(b, DATA), 0x1c);
            n++;
        }
    }
    assert_in_range(n, 20, 22);
    key(b, KEY_A, false);
    assert_receives(b, "\xf0\x1c", 2);
    assert_silent(b);
}

/* F3 00: 250 ms, 30 a second. The last key pressed is the one that repeats. */
static void typematic_rate_can_be_set(void **state)
{
    struct bench *b = *state;
    to_keyboard(b, 0xf3);
    to_keyboard(b, 0x00);
    key(b, KEY_A, true);
    key(b, KEY_ENTER, true);
    assert_receives(b, "\x1c\x5a", 2);
    unsigned n = 0;
    for (unsigned i = 0; i < 1250; i++) {
        clock_step(b, 1000000);
        if (in8(b, STATUS) & 1) {
            assert_int_equal(in8(b, DATA), 0x5a);
            n++;
        }
    }
    assert_in_range(n, 29, 31);
}

static void repeats_of_the_host_are_dropped(void **state)
{
    struct bench *b = *state;
    key(b, KEY_A, true);
    key(b, KEY_A, true);
    key(b, KEY_A, true);
    assert_int_equal(receive(b), 0x1c);
    assert_silent(b);
}

static void reset_acknowledges_then_reports_bat(void **state)
{
    struct bench *b = *state;
    select_set(b, 1);
    out8(b, DATA, 0xff);
    assert_int_equal(receive(b), 0xfa);
    clock_step(b, 10000000);
    assert_int_equal(in8(b, STATUS) & 1, 0); /* it takes its time */
    assert_int_equal(receive(b), 0xaa);
    key(b, KEY_A, true);
    assert_int_equal(receive(b), 0x1c); /* set 2 again */
}

static void id_is_ab_83(void **state)
{
    struct bench *b = *state;
    to_keyboard(b, 0xf2);
    assert_receives(b, "\xab\x83", 2);
    command_byte(b, 0x61);
    to_keyboard(b, 0xf2);
    assert_receives(b, "\xab\x41", 2); /* translated: what AT drivers expect */
}

static void leds_are_remembered(void **state)
{
    struct bench *b = *state;
    to_keyboard(b, 0xed);
    to_keyboard(b, 0x02);
    assert_int_equal(ps2_kbd_leds(&board_of(b)->keyboard), 2);
}

static void a_command_may_replace_a_parameter(void **state)
{
    struct bench *b = *state;
    to_keyboard(b, 0xed);
    to_keyboard(b, 0xf4);
    assert_silent(b);
    assert_int_equal(ps2_kbd_leds(&board_of(b)->keyboard), 0);
}

static void echo_resend_and_unknown_commands(void **state)
{
    struct bench *b = *state;
    out8(b, DATA, 0xee);
    assert_int_equal(receive(b), 0xee);
    out8(b, DATA, 0xfe);
    assert_int_equal(receive(b), 0xee);
    out8(b, DATA, 0xef);
    assert_int_equal(receive(b), 0xfe);
}

static void disabled_keyboard_sends_no_keys(void **state)
{
    struct bench *b = *state;
    to_keyboard(b, 0xf5);
    key(b, KEY_A, true);
    assert_silent(b);
    to_keyboard(b, 0xf4);
    key(b, KEY_A, false);
    assert_receives(b, "\xf0\x1c", 2);
}

/* The 16-byte buffer: when it is full, 00 (sets 2 and 3) stands for what was lost. */
static void overrun_puts_00_last(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x31); /* clock held low */
    for (uint8_t hid = 0x04; hid < 0x04 + 20; hid++)
        key(b, hid, true);
    command_byte(b, 0x21);
    uint8_t got[16];
    for (unsigned i = 0; i < 16; i++)
        got[i] = (uint8_t)receive(b);
    assert_int_equal(got[0], 0x1c);
    assert_int_equal(got[14], 0x44); /* O, the 15th */
    assert_int_equal(got[15], 0x00);
}

static void poke(struct bench *b)
{
    command_byte(b, 0x31);
    key(b, KEY_A, true);
    key(b, KEY_HOME, true);
    key(b, KEY_A, false);
    out8(b, DATA, 0xed);
    clock_step(b, 1500000);
    in8(b, DATA);
    out8(b, DATA, 0x05);
    out8(b, DATA, 0xf3);
    key(b, KEY_HOME, false);
    key(b, KEY_ENTER, true);
    clock_step(b, 600000000);
}

DEVICE_TESTS(ps2_kbd, setup, &board_of(b)->keyboard.dev, poke);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set_2_is_the_default),
        TEST(set_1_codes),
        TEST(set_3_codes_and_key_types),
        TEST(f0_00_tells_the_set),
        TEST(print_screen_depends_on_the_modifiers),
        TEST(pause_makes_and_breaks_at_once),
        TEST(set_2_translated_is_set_1_for_every_key),
        TEST(a_held_key_repeats_after_half_a_second),
        TEST(typematic_rate_can_be_set),
        TEST(repeats_of_the_host_are_dropped),
        TEST(reset_acknowledges_then_reports_bat),
        TEST(id_is_ab_83),
        TEST(leds_are_remembered),
        TEST(a_command_may_replace_a_parameter),
        TEST(echo_resend_and_unknown_commands),
        TEST(disabled_keyboard_sends_no_keys),
        TEST(overrun_puts_00_last),
        DEVICE_TESTS_OF(ps2_kbd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
