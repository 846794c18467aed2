/* The keyboard controller through ports 60h and 64h. Expected behaviour: IBM PS/2 hardware
 * interface technical reference, "Keyboard and auxiliary device controller". */
#include "tests/devices/ps2_board.h"

static int setup(void **state)
{
    *state = new_ps2_board();
    return 0;
}

static uint8_t ask(struct bench *b, uint8_t command)
{
    out8(b, COMMAND, command);
    assert_int_equal(in8(b, STATUS) & 0x21, 0x01);
    return in8(b, DATA);
}

static void self_test_answers_55_and_sets_the_system_flag(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in8(b, STATUS) & 0x04, 0);
    assert_int_equal(ask(b, 0xaa), 0x55);
    assert_int_equal(in8(b, STATUS) & 0x04, 0x04);
}

static void interface_tests_answer_0(void **state)
{
    struct bench *b = *state;
    assert_int_equal(ask(b, 0xab), 0);
    assert_int_equal(ask(b, 0xa9), 0);
    assert_int_equal(ask(b, 0xa4), 0xf1);
}

static void ram_reads_back(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x65);
    assert_int_equal(ask(b, 0x20), 0x65);
    out8(b, COMMAND, 0x7f);
    out8(b, DATA, 0x99);
    assert_int_equal(ask(b, 0x3f), 0x99);
    assert_int_equal(ask(b, 0x20), 0x65);
}

static void status_tells_commands_from_data(void **state)
{
    struct bench *b = *state;
    out8(b, COMMAND, 0x60);
    assert_int_equal(in8(b, STATUS) & 0x08, 0x08);
    out8(b, DATA, 0x00);
    assert_int_equal(in8(b, STATUS) & 0x08, 0x00);
    assert_int_equal(in8(b, STATUS) & 0x10, 0x10);
}

/* A7 and A8, AD and AE are bits 5 and 4 of the command byte: drivers probe the mouse port by it. */
static void disable_and_enable_commands_show_in_the_command_byte(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x00);
    out8(b, COMMAND, 0xa7);
    assert_int_equal(ask(b, 0x20), 0x20);
    out8(b, COMMAND, 0xad);
    assert_int_equal(ask(b, 0x20), 0x30);
    out8(b, COMMAND, 0xa8);
    out8(b, COMMAND, 0xae);
    assert_int_equal(ask(b, 0x20), 0x00);
}

static void d3_loops_a_byte_back_as_mouse_data(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x47);
    out8(b, COMMAND, 0xd3);
    out8(b, DATA, 0x5a);
    assert_int_equal(in8(b, STATUS) & 0x21, 0x21);
    assert_line(b, IRQ12, true);
    assert_line(b, IRQ1, false);
    assert_int_equal(in8(b, DATA), 0x5a);
    assert_line(b, IRQ12, false);
}

static void d2_puts_a_byte_in_as_keyboard_data(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x43);
    out8(b, COMMAND, 0xd2);
    out8(b, DATA, 0x1c);
    assert_int_equal(in8(b, STATUS) & 0x21, 0x01);
    assert_line(b, IRQ1, true);
    assert_int_equal(in8(b, DATA), 0x1c); /* not translated */
    assert_line(b, IRQ1, false);
}

static void a20_follows_the_output_port(void **state)
{
    struct bench *b = *state;
    assert_line(b, A20, true);
    out8(b, COMMAND, 0xd1);
    out8(b, DATA, 0xdd);
    assert_line(b, A20, false);
    assert_int_equal(ask(b, 0xd0) & 0x03, 0x01);
    out8(b, COMMAND, 0xd1);
    out8(b, DATA, 0xdf);
    assert_line(b, A20, true);
    assert_int_equal(ask(b, 0xd0) & 0x03, 0x03);
    out8(b, COMMAND, 0xdd);
    assert_line(b, A20, false);
    out8(b, COMMAND, 0xdf);
    assert_line(b, A20, true);
}

static void fe_pulses_the_reset_line(void **state)
{
    struct bench *b = *state;
    out8(b, COMMAND, 0xff); /* pulses nothing */
    assert_int_equal(b->rises[RESET], 0);
    out8(b, COMMAND, 0xfe);
    assert_int_equal(b->rises[RESET], 1);
    assert_line(b, RESET, false);
}

static void output_port_bit_0_low_resets(void **state)
{
    struct bench *b = *state;
    out8(b, COMMAND, 0xd1);
    out8(b, DATA, 0xde);
    assert_line(b, RESET, true);
}

static void set_2_is_translated_to_set_1(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x41);
    ps2_kbd_key(&board_of(b)->keyboard, 0x04, true); /* A: 1C in set 2, 1E in set 1 */
    assert_int_equal(receive(b), 0x1e);
    ps2_kbd_key(&board_of(b)->keyboard, 0x04, false);
    assert_int_equal(receive(b), 0x9e);
    command_byte(b, 0x01);
    ps2_kbd_key(&board_of(b)->keyboard, 0x04, true);
    ps2_kbd_key(&board_of(b)->keyboard, 0x04, false);
    assert_receives(b, "\x1c\xf0\x1c", 3);
}

/* Every byte of a sequence is an interrupt of its own, with time to serve it in between. */
static void each_byte_is_an_edge_of_irq1(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x41);
    bench_clear_edges(b);
    ps2_kbd_key(&board_of(b)->keyboard, 0x4f, true); /* Right: E0 4D */
    clock_step(b, 10000000);
    assert_int_equal(b->rises[IRQ1], 1);
    assert_int_equal(in8(b, DATA), 0xe0);
    assert_line(b, IRQ1, false);
    assert_int_equal(in8(b, DATA), 0xe0); /* handlers read twice */
    clock_step(b, 100000);
    assert_line(b, IRQ1, false);
    clock_step(b, 1000000);
    assert_int_equal(b->rises[IRQ1], 2);
    assert_int_equal(in8(b, DATA), 0x4d);
}

static void a_disabled_keyboard_keeps_its_bytes(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x51);
    ps2_kbd_key(&board_of(b)->keyboard, 0x04, true);
    assert_silent(b);
    assert_line(b, IRQ1, false);
    out8(b, COMMAND, 0xae);
    assert_int_equal(receive(b), 0x1e);
}

static void a_byte_for_the_keyboard_enables_it(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x50);
    out8(b, DATA, 0xee);
    assert_int_equal(receive(b), 0xee);
    assert_int_equal(ask(b, 0x20), 0x40);
}

static void mouse_bytes_come_marked_and_on_irq12(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x43);
    bench_clear_edges(b);
    out8(b, COMMAND, 0xd4);
    out8(b, DATA, 0xf2);
    clock_step(b, 10000000);
    assert_int_equal(in8(b, STATUS) & 0x21, 0x21);
    assert_int_equal(b->rises[IRQ12], 1);
    assert_int_equal(b->rises[IRQ1], 0);
    assert_int_equal(in8(b, DATA), 0xfa);
    assert_int_equal(receive(b), 0x00);
}

static void mouse_bytes_are_never_translated(void **state)
{
    struct bench *b = *state;
    command_byte(b, 0x40);
    to_mouse(b, 0xe9);
    assert_receives(b, "\x00\x02\x64", 3);
}

/* Power-on firmware's sequence: flush, disable, test, reset the keyboard, set 2, enable. */
static void firmware_start_up_sequence_works(void **state)
{
    struct bench *b = *state;
    out8(b, COMMAND, 0xad);
    out8(b, COMMAND, 0xa7);
    assert_int_equal(in8(b, STATUS) & 1, 0);
    assert_int_equal(ask(b, 0xaa), 0x55);
    assert_int_equal(ask(b, 0xab), 0x00);
    command_byte(b, 0x30);
    command_byte(b, 0x20); /* keyboard on */
    to_keyboard(b, 0xff);
    assert_int_equal(receive(b), 0xaa);
    to_keyboard(b, 0xf5);
    to_keyboard(b, 0xf0);
    to_keyboard(b, 0x02);
    to_keyboard(b, 0xf4);
    command_byte(b, 0x61);
    ps2_kbd_key(&board_of(b)->keyboard, 0x28, true);
    assert_int_equal(receive(b), 0x1c);
}

static void an_unknown_command_is_logged_and_harmless(void **state)
{
    struct bench *b = *state;
    out8(b, COMMAND, 0xb7);
    assert_int_equal(b->log_lines, 1);
    assert_int_equal(in8(b, STATUS) & 1, 0);
}

static void a_flood_of_answers_is_bounded(void **state)
{
    struct bench *b = *state;
    for (unsigned i = 0; i < 100; i++)
        out8(b, COMMAND, 0xac);
    unsigned n = 0;
    while (in8(b, STATUS) & 1) {
        in8(b, DATA);
        n++;
    }
    assert_int_equal(n, I8042_REPLIES + 1);
}

static void poke(struct bench *b)
{
    struct ps2_board *x = board_of(b);
    command_byte(b, 0x43);
    ps2_kbd_key(&x->keyboard, 0x4f, true);
    ps2_kbd_key(&x->keyboard, 0x4f, false);
    out8(b, COMMAND, 0xd4);
    out8(b, DATA, 0xf4);
    ps2_mouse_move(&x->mouse, 5, -3, 1, 1);
    clock_step(b, 1000000);
    in8(b, DATA);
    out8(b, COMMAND, 0xd1);
    out8(b, DATA, 0xdd);
    out8(b, COMMAND, 0x20);
    out8(b, COMMAND, 0xd3);
    clock_step(b, 100000);
}

DEVICE_TESTS(i8042, setup, &board_of(b)->kbc.dev, poke);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(self_test_answers_55_and_sets_the_system_flag),
        TEST(interface_tests_answer_0),
        TEST(ram_reads_back),
        TEST(status_tells_commands_from_data),
        TEST(disable_and_enable_commands_show_in_the_command_byte),
        TEST(d3_loops_a_byte_back_as_mouse_data),
        TEST(d2_puts_a_byte_in_as_keyboard_data),
        TEST(a20_follows_the_output_port),
        TEST(fe_pulses_the_reset_line),
        TEST(output_port_bit_0_low_resets),
        TEST(set_2_is_translated_to_set_1),
        TEST(each_byte_is_an_edge_of_irq1),
        TEST(a_disabled_keyboard_keeps_its_bytes),
        TEST(a_byte_for_the_keyboard_enables_it),
        TEST(mouse_bytes_come_marked_and_on_irq12),
        TEST(mouse_bytes_are_never_translated),
        TEST(firmware_start_up_sequence_works),
        TEST(an_unknown_command_is_logged_and_harmless),
        TEST(a_flood_of_answers_is_bounded),
        DEVICE_TESTS_OF(i8042),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
