/*
 * Typing in virtual time. Key numbers: USB HID Usage Tables 1.12, page 7 (US keyboard).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine/compiler.h"
#include "machine/typist.h"

/* Types everything there is; "4d 4u " = HID 4 down, up. Returns the time of the last stroke. */
static vtime play(struct typist *t, char *text, size_t len)
{
    vtime now = 0;
    size_t n = 0;
    text[0] = 0;
    while (typist_due(t) != VTIME_NEVER) {
        assert_true(typist_due(t) >= now);
        now = typist_due(t);
        struct typist_stroke s = typist_take(t, now);
        n += (size_t)snprintf(text + n, len - n, "%u%c ", s.hid, s.down ? 'd' : 'u');
    }
    return now;
}

static void assert_types(const char *what, const char *strokes)
{
    struct typist t = {0};
    struct error err = {""};
    char text[2000];
    assert_int_equal(typist_text(&t, what, 1000, &err), EMU_OK);
    play(&t, text, sizeof(text));
    assert_string_equal(text, strokes);
    typist_free(&t);
}

static void a_letter_is_a_press_and_a_release(void **state)
{
    (void)state;
    assert_types("a", "4d 4u ");
    assert_types("z", "29d 29u ");
    assert_types("1", "30d 30u ");
    assert_types("0", "39d 39u ");
    assert_types("", "");
}

static void capitals_and_signs_hold_shift(void **state)
{
    (void)state;
    assert_types("A", "225d 4d 4u 225u ");
    assert_types("!", "225d 30d 30u 225u ");
    assert_types(")", "225d 39d 39u 225u ");
    assert_types("(", "225d 38d 38u 225u ");
    assert_types("#", "225d 32d 32u 225u ");
    assert_types(":", "225d 51d 51u 225u ");
    assert_types("\"", "225d 52d 52u 225u ");
    assert_types("~", "225d 53d 53u 225u ");
    assert_types("|", "225d 49d 49u 225u ");
    assert_types("?", "225d 56d 56u 225u ");
    assert_types("_", "225d 45d 45u 225u ");
}

static void signs_without_shift(void **state)
{
    static const struct {
        char ch;
        unsigned hid;
    } keys[] = {{' ', 44}, {'-', 45}, {'=', 46}, {'[', 47}, {']', 48}, {';', 51}, {'\'', 52}, {'`', 53}, {',', 54}, {'.', 55}, {'/', 56}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        char text[2] = {keys[i].ch, 0}, expected[20];
        snprintf(expected, sizeof(expected), "%ud %uu ", keys[i].hid, keys[i].hid);
        assert_types(text, expected);
    }
}

static void escapes_are_keys(void **state)
{
    (void)state;
    assert_types("\\n", "40d 40u ");
    assert_types("\n", "40d 40u ");
    assert_types("\\e", "41d 41u ");
    assert_types("\\b", "42d 42u ");
    assert_types("\\t", "43d 43u ");
    assert_types("\\\\", "49d 49u ");
    assert_types("c:\\\\n", "6d 6u 225d 51d 51u 225u 49d 49u 17d 17u ");
    assert_types("\\", "49d 49u "); /* alone at the end: itself */
}

static void every_printable_character_has_a_key_of_its_own(void **state)
{
    unsigned char seen[512] = {0};
    (void)state;
    for (int ch = 32; ch < 127; ch++) {
        struct typist t = {0};
        struct error err = {""};
        char text[3] = {'\\', (char)ch, 0};
        const char *what = ch == '\\' ? text : text + 1;
        assert_int_equal(typist_text(&t, what, 0, &err), EMU_OK);
        bool shift = t.count == 4;
        assert_true(shift || t.count == 2);
        unsigned key = t.stroke[shift].hid + (shift ? 256u : 0);
        assert_int_equal(seen[key], 0);
        seen[key] = 1;
        typist_free(&t);
    }
}

static void other_characters_are_refused_and_nothing_is_typed(void **state)
{
    static const char *const wrong[] = {"ab\x01", "\x7f", "\xc3\xa4", "x\x80"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct typist t = {0};
        struct error err = {""};
        assert_int_equal(typist_text(&t, wrong[i], 0, &err), EMU_ARG);
        assert_true(strlen(err.text) > 0);
        assert_true(typist_due(&t) == VTIME_NEVER);
        typist_free(&t);
    }
}

/* A keyboard sends some 10 characters a second in typematic repeat, 30 at most (8042: 33 ms). */
static void strokes_have_pauses_that_a_keyboard_buffer_survives(void **state)
{
    struct typist t = {0};
    struct error err;
    char text[4000], what[101];
    (void)state;
    memset(what, 'a', 100);
    what[100] = 0;
    assert_int_equal(typist_text(&t, what, 0, &err), EMU_OK);
    vtime end = play(&t, text, sizeof(text));
    assert_true(end >= 100 * 33000000ull);
    assert_true(end <= 100 * 100000000ull);
    typist_free(&t);
}

static void the_first_stroke_is_due_now_and_later_text_waits_its_turn(void **state)
{
    struct typist t = {0};
    struct error err;
    char text[100];
    (void)state;
    assert_int_equal(typist_text(&t, "a", 5000, &err), EMU_OK);
    assert_int_equal(typist_due(&t), 5000);
    assert_int_equal(typist_text(&t, "b", 6000, &err), EMU_OK);
    assert_int_equal(typist_due(&t), 5000);
    play(&t, text, sizeof(text));
    assert_string_equal(text, "4d 4u 5d 5u ");
    typist_free(&t);
}

static void a_new_phrase_keeps_the_pause_after_the_last_one(void **state)
{
    struct typist t = {0};
    struct error err;
    (void)state;
    assert_int_equal(typist_text(&t, "a", 0, &err), EMU_OK);
    typist_take(&t, typist_due(&t));
    vtime last = typist_due(&t);
    typist_take(&t, last);
    assert_true(typist_due(&t) == VTIME_NEVER);
    assert_int_equal(typist_text(&t, "a", last, &err), EMU_OK);
    assert_true(typist_due(&t) >= last + 10000000);
    typist_free(&t);
    /* Time went back (a snapshot was loaded): it does not wait for the old time. */
    t = (struct typist){.due = 1000 * NS_PER_SECOND};
    assert_int_equal(typist_text(&t, "a", NS_PER_SECOND, &err), EMU_OK);
    assert_int_equal(typist_due(&t), NS_PER_SECOND);
    typist_free(&t);
}

static void assert_keys(const char *keys, const char *strokes)
{
    struct typist t = {0};
    struct error err = {""};
    char text[200];
    assert_int_equal(typist_keys(&t, keys, 100, 0, &err), EMU_OK);
    play(&t, text, sizeof(text));
    assert_string_equal(text, strokes);
    typist_free(&t);
}

/* QEMU's key names; released in the opposite order. */
static void chords_are_pressed_in_order_and_released_backwards(void **state)
{
    (void)state;
    assert_keys("ctrl-alt-delete", "224d 226d 76d 76u 226u 224u ");
    assert_keys("ret", "40d 40u ");
    assert_keys("a", "4d 4u ");
    assert_keys("5", "34d 34u ");
    assert_keys("shift-f1", "225d 58d 58u 225u ");
    assert_keys("f12", "69d 69u ");
    assert_keys("kp_enter", "88d 88u ");
    assert_keys("alt_r-meta_l", "230d 227d 227u 230u ");
}

static void a_chord_is_held_as_long_as_asked(void **state)
{
    struct typist t = {0};
    struct error err;
    (void)state;
    assert_int_equal(typist_keys(&t, "a", 500, 0, &err), EMU_OK);
    typist_take(&t, 0);
    assert_int_equal(typist_due(&t), 500000000);
    typist_free(&t);
}

static void an_unknown_key_names_the_nearest(void **state)
{
    struct typist t = {0};
    struct error err = {""};
    (void)state;
    assert_int_equal(typist_keys(&t, "ctrl-delet", 100, 0, &err), EMU_ARG);
    assert_non_null(strstr(err.text, "\"delete\""));
    assert_int_equal(typist_keys(&t, "A", 100, 0, &err), EMU_ARG); /* shift-a is meant */
    assert_int_equal(typist_keys(&t, "", 100, 0, &err), EMU_ARG);
    assert_int_equal(typist_keys(&t, "-", 100, 0, &err), EMU_ARG);
    assert_int_equal(typist_keys(&t, "a-b-c-d-e-f-g-h-i", 100, 0, &err), EMU_ARG);
    assert_true(typist_due(&t) == VTIME_NEVER);
    typist_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_is_a_press_and_a_release),
        cmocka_unit_test(capitals_and_signs_hold_shift),
        cmocka_unit_test(signs_without_shift),
        cmocka_unit_test(escapes_are_keys),
        cmocka_unit_test(every_printable_character_has_a_key_of_its_own),
        cmocka_unit_test(other_characters_are_refused_and_nothing_is_typed),
        cmocka_unit_test(strokes_have_pauses_that_a_keyboard_buffer_survives),
        cmocka_unit_test(the_first_stroke_is_due_now_and_later_text_waits_its_turn),
        cmocka_unit_test(a_new_phrase_keeps_the_pause_after_the_last_one),
        cmocka_unit_test(chords_are_pressed_in_order_and_released_backwards),
        cmocka_unit_test(a_chord_is_held_as_long_as_asked),
        cmocka_unit_test(an_unknown_key_names_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
