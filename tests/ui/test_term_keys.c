/*
 * Keys of terminals. Sequences: ECMA-48 5.4; "Xterm Control Sequences", PC-style function keys (the
 * modifier parameter is 1 + shift 1 + alt 2 + ctrl 4); console_codes(4) for the Linux console.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "machine/compiler.h"
#include "machine/typist.h"
#include "ui/term_keys.c"

struct key_case {
    const char *bytes, *keys;
};

/* All bytes belong to one key with that name, and sendkey knows the name. */
static void check(const struct key_case *c)
{
    char keys[TERM_KEY_NAME], ch;
    struct typist t = {0};
    struct error err;
    size_t len = strlen(c->bytes);
    assert_int_equal(term_key(c->bytes, len, true, keys, &ch), len);
    assert_string_equal(keys, c->keys);
    assert_int_equal(ch, 0);
    assert_int_equal(typist_keys(&t, keys, 10, 0, &err), EMU_OK);
    typist_free(&t);
}

static void cursor_and_function_keys(void **state)
{
    static const struct key_case cases[] = {
        {"\x1b[A", "up"}, {"\x1b[B", "down"}, {"\x1b[C", "right"}, {"\x1b[D", "left"}, {"\x1bOA", "up"},
        {"\x1b[H", "home"}, {"\x1b[F", "end"}, {"\x1b[1~", "home"}, {"\x1b[2~", "insert"}, {"\x1b[3~", "delete"},
        {"\x1b[4~", "end"}, {"\x1b[5~", "pgup"}, {"\x1b[6~", "pgdn"}, {"\x1bOP", "f1"}, {"\x1bOS", "f4"},
        {"\x1b[11~", "f1"}, {"\x1b[15~", "f5"}, {"\x1b[17~", "f6"}, {"\x1b[21~", "f10"}, {"\x1b[23~", "f11"},
        {"\x1b[24~", "f12"}, {"\x1b[[A", "f1"}, {"\x1b[[E", "f5"}, {"\x1b[Z", "shift-tab"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&cases[i]);
}

static void modifiers(void **state)
{
    static const struct key_case cases[] = {
        {"\x1b[1;5A", "ctrl-up"}, {"\x1b[1;2D", "shift-left"}, {"\x1b[1;3C", "alt-right"}, {"\x1b[3;5~", "ctrl-delete"},
        {"\x1b[15;8~", "ctrl-alt-shift-f5"}, {"\x1b[1;6P", "ctrl-shift-f1"}, {"\x1bx", "alt-x"}, {"\x1bX", "alt-shift-x"},
        {"\x1b\r", "alt-ret"}, {"\x1b-", "alt-minus"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&cases[i]);
}

static void control_characters(void **state)
{
    static const struct key_case cases[] = {
        {"\r", "ret"}, {"\n", "ret"}, {"\t", "tab"}, {"\x7f", "backspace"}, {"\b", "backspace"}, {"\x1b", "esc"},
        {"\x01", "ctrl-a"}, {"\x03", "ctrl-c"}, {"\x1a", "ctrl-z"}, {"\x1c", "ctrl-backslash"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&cases[i]);
}

static void characters_are_given_as_they_are(void **state)
{
    char keys[TERM_KEY_NAME], ch;
    (void)state;
    for (int c = ' '; c < 0x7f; c++) {
        char byte = (char)c;
        assert_int_equal(term_key(&byte, 1, true, keys, &ch), 1);
        assert_int_equal(ch, c);
        assert_string_equal(keys, "");
    }
}

static void what_is_no_key_is_passed_over(void **state)
{
    static const char *const bytes[] = {"\xc3", "\x1b[99~", "\x1b[?25h", "\x1b[200~", "\x1b[M"};
    char keys[TERM_KEY_NAME], ch;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bytes) - 1; i++) {
        assert_int_equal(term_key(bytes[i], strlen(bytes[i]), true, keys, &ch), strlen(bytes[i]));
        assert_string_equal(keys, "");
        assert_int_equal(ch, 0);
    }
}

static void a_sequence_may_come_in_pieces(void **state)
{
    static const char bytes[] = "\x1b[1;5A";
    char keys[TERM_KEY_NAME], ch;
    (void)state;
    for (size_t n = 0; n < strlen(bytes); n++)
        assert_int_equal(term_key(bytes, n, false, keys, &ch), 0);
    assert_int_equal(term_key(bytes, strlen(bytes), false, keys, &ch), 6);
    assert_string_equal(keys, "ctrl-up");
}

static void escape_twice_is_the_key_twice(void **state)
{
    char keys[TERM_KEY_NAME], ch;
    (void)state;
    assert_int_equal(term_key("\x1b\x1b", 2, false, keys, &ch), 1);
    assert_string_equal(keys, "esc");
}

/* Whatever comes: every byte is used up, and nothing reads beyond the end. */
static void noise_is_used_up(void **state)
{
    char keys[TERM_KEY_NAME], ch, data[40];
    uint32_t seed = 1;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = 1 + (size_t)round % sizeof(data), at = 0;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            data[i] = seed >> 30 ? (char)(seed >> 16 & 0x7f) : "\x1b[O;1"[seed >> 16 & 3];
        }
        while (at < len) {
            size_t used = term_key(data + at, len - at, true, keys, &ch);
            assert_in_range(used, 1, len - at);
            at += used;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_and_function_keys),
        cmocka_unit_test(modifiers),
        cmocka_unit_test(control_characters),
        cmocka_unit_test(characters_are_given_as_they_are),
        cmocka_unit_test(what_is_no_key_is_passed_over),
        cmocka_unit_test(a_sequence_may_come_in_pieces),
        cmocka_unit_test(escape_twice_is_the_key_twice),
        cmocka_unit_test(noise_is_used_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
