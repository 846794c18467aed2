/*
 * Log and trace lines, the words of -trace, and "did you mean".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine/log.h"
#include "machine/nearest.h"

struct sink {
    unsigned lines;
    char last[2000];
};

static void on_line(void *arg, const char *line)
{
    struct sink *s = arg;
    s->lines++;
    snprintf(s->last, sizeof(s->last), "%s", line);
}

/* --- -trace --- */

static void words_become_bits(void **state)
{
    struct error err = {""};
    uint32_t mask = 0;
    (void)state;
    assert_int_equal(trace_parse("pit", &mask, &err), EMU_OK);
    assert_int_equal(mask, 1u << TRACE_PIT);
    assert_int_equal(trace_parse("exec,guest_errors", &mask, &err), EMU_OK);
    assert_int_equal(mask, 1u << TRACE_PIT | 1u << TRACE_EXEC | 1u << TRACE_GUEST); /* they add up */
    mask = 0;
    assert_int_equal(trace_parse("all", &mask, &err), EMU_OK);
    for (unsigned i = 0; i < TRACE_CATEGORIES; i++)
        assert_true(mask >> i & 1);
    mask = 0;
    assert_int_equal(trace_parse("", &mask, &err), EMU_OK);
    assert_int_equal(trace_parse(",pic,", &mask, &err), EMU_OK);
    assert_int_equal(mask, 1u << TRACE_PIC);
}

static void every_category_s_word_parses_to_its_bit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TRACE_CATEGORIES; i++) {
        uint32_t mask = 0;
        assert_int_equal(trace_parse(trace_word(i), &mask, NULL), EMU_OK);
        assert_int_equal(mask, 1u << i);
    }
}

static void an_unknown_word_names_the_nearest(void **state)
{
    struct error err = {""};
    uint32_t mask = 0;
    (void)state;
    assert_int_equal(trace_parse("pit,seriel", &mask, &err), EMU_ARG);
    assert_non_null(strstr(err.text, "\"seriel\""));
    assert_non_null(strstr(err.text, "\"serial\""));
    assert_int_equal(trace_parse("a_very_long_word_that_is_in_no_list_of_words_at_all", &mask, &err), EMU_ARG);
    assert_int_equal(trace_parse("PIT", &mask, &err), EMU_ARG);
}

static void help_lists_all_words(void **state)
{
    struct error err = {""};
    uint32_t mask = 0;
    (void)state;
    assert_int_equal(trace_parse("help", &mask, &err), EMU_ARG);
    for (unsigned i = 0; i < TRACE_CATEGORIES; i++)
        assert_non_null(strstr(err.text, trace_word(i)));
}

/* --- nearest --- */

static void the_nearest_word_has_the_smallest_edit_distance(void **state)
{
    static const char *const words[] = {"memory", "monitor", "mouse", "serial", NULL}, *const none[] = {NULL};
    (void)state;
    assert_string_equal(nearest_word("memroy", words), "memory");
    assert_string_equal(nearest_word("mous", words), "mouse");
    assert_string_equal(nearest_word("xserialx", words), "serial");
    assert_string_equal(nearest_word("moniter", words), "monitor");
    assert_string_equal(nearest_word("x", none), "");
    assert_string_equal(nearest_word("", words), "mouse"); /* five insertions */
}

static void the_first_of_equals_wins_and_long_words_are_survived(void **state)
{
    static const char *const words[] = {"cat", "car", NULL};
    char text[500];
    (void)state;
    assert_string_equal(nearest_word("cab", words), "cat");
    memset(text, 'c', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_string_equal(nearest_word(text, words), "cat");
    const char *const one[] = {text, NULL};
    assert_true(nearest_word("c", one) == text);
}

/* --- lines --- */

static void where(void *arg, char *text, size_t len)
{
    (void)arg;
    snprintf(text, len, "f000:fff0");
}

static void a_trace_line_has_time_place_and_category(void **state)
{
    struct sink s = {0, ""};
    struct clock clk;
    (void)state;
    clock_init(&clk, 65536);
    clk.st.icount = 1500000007;
    struct log log = {.sink = on_line, .arg = &s, .clk = &clk, .where = where};
    assert_false(trace_on(&log, TRACE_PIT));
    log.enabled = 1u << TRACE_PIT;
    assert_true(trace_on(&log, TRACE_PIT));
    assert_false(trace_on(NULL, TRACE_PIT));
    trace_line(&log, TRACE_PIT, "counter %u", 2);
    assert_string_equal(s.last, "[1.500000007 f000:fff0] pit: counter 2");
}

static void a_long_line_is_cut(void **state)
{
    struct sink s = {0, ""};
    struct log log = {.sink = on_line, .arg = &s};
    char text[3000];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    trace_line(&log, TRACE_PIT, "%s", text);
    assert_true(strlen(s.last) > 500 && strlen(s.last) < 1024);
}

static void odd_guests_get_twenty_lines_a_second_and_a_notice(void **state)
{
    struct sink s = {0, ""};
    struct clock clk;
    (void)state;
    clock_init(&clk, 65536);
    struct log log = {.sink = on_line, .arg = &s, .clk = &clk};
    for (unsigned i = 0; i < 1000; i++)
        log_guest(&log, "dma", "odd %u", i);
    assert_int_equal(s.lines, 21);
    assert_non_null(strstr(s.last, "left out"));
    clk.st.icount = NS_PER_SECOND;
    log_guest(&log, "dma", "again");
    assert_int_equal(s.lines, 22);
    assert_non_null(strstr(s.last, "dma: again"));
}

static void with_guest_errors_traced_there_is_no_limit(void **state)
{
    struct sink s = {0, ""};
    struct log log = {.sink = on_line, .arg = &s};
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        log_guest(&log, "dma", "odd");
    s.lines = 0;
    log.enabled = 1u << TRACE_GUEST;
    for (unsigned i = 0; i < 100; i++)
        log_guest(&log, "dma", "odd");
    assert_int_equal(s.lines, 100);
}

static void without_log_or_sink_nothing_happens(void **state)
{
    struct log log = {.enabled = 0};
    (void)state;
    log_guest(NULL, "x", "y");
    log_guest(&log, "x", "y");
    trace_line(&log, TRACE_PIT, "z");
    assert_int_equal(log.odd_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_bits),
        cmocka_unit_test(every_category_s_word_parses_to_its_bit),
        cmocka_unit_test(an_unknown_word_names_the_nearest),
        cmocka_unit_test(help_lists_all_words),
        cmocka_unit_test(the_nearest_word_has_the_smallest_edit_distance),
        cmocka_unit_test(the_first_of_equals_wins_and_long_words_are_survived),
        cmocka_unit_test(a_trace_line_has_time_place_and_category),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(odd_guests_get_twenty_lines_a_second_and_a_notice),
        cmocka_unit_test(with_guest_errors_traced_there_is_no_limit),
        cmocka_unit_test(without_log_or_sink_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
