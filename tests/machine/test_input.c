/*
 * The input queue: order, growth, owned text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/input.h"

static void post(struct input_log *log, struct input_event ev)
{
    struct error err = {""};
    assert_int_equal(input_post(log, &ev, &err), EMU_OK);
}

static void events_keep_their_order_and_contents(void **state)
{
    struct input_log log = {0};
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        post(&log, (struct input_event){.kind = INPUT_MOUSE, .a = (uint8_t)i, .x = (int16_t)-(int)i, .value = i * 7ull});
    assert_int_equal(log.count, 1000);
    assert_int_equal(log.applied, 0);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(log.event[i].kind, INPUT_MOUSE);
        assert_int_equal(log.event[i].a, i & 0xff);
        assert_int_equal(log.event[i].x, -(int)i);
        assert_int_equal(log.event[i].value, i * 7ull);
    }
    input_free(&log);
}

static void text_is_copied(void **state)
{
    struct input_log log = {0};
    char path[] = "a.img";
    (void)state;
    post(&log, (struct input_event){.kind = INPUT_INSERT, .text = path});
    post(&log, (struct input_event){.kind = INPUT_EJECT});
    path[0] = 'x';
    assert_string_equal(log.event[0].text, "a.img");
    assert_true(log.event[0].text != path);
    assert_null(log.event[1].text);
    input_free(&log);
}

static void freeing_leaves_an_empty_queue_that_works(void **state)
{
    struct input_log log = {0};
    (void)state;
    input_free(&log);
    post(&log, (struct input_event){.kind = INPUT_RESET, .text = (char[]){"t"}});
    input_free(&log);
    assert_int_equal(log.count, 0);
    assert_null(log.event);
    post(&log, (struct input_event){.kind = INPUT_NMI});
    assert_int_equal(log.event[0].kind, INPUT_NMI);
    input_free(&log);
}

/* The machine marks the past by `applied`; posting does not touch it. */
static void the_applied_part_stays_as_the_queue_grows(void **state)
{
    struct input_log log = {0};
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        post(&log, (struct input_event){.kind = INPUT_KEY, .a = (uint8_t)i});
    log.event[0].icount = 1234;
    log.applied = 10;
    for (unsigned i = 0; i < 500; i++)
        post(&log, (struct input_event){.kind = INPUT_KEY, .a = 99});
    assert_int_equal(log.applied, 10);
    assert_int_equal(log.event[0].icount, 1234);
    assert_int_equal(log.event[9].a, 9);
    assert_int_equal(log.event[10].a, 99);
    input_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_keep_their_order_and_contents),
        cmocka_unit_test(text_is_copied),
        cmocka_unit_test(freeing_leaves_an_empty_queue_that_works),
        cmocka_unit_test(the_applied_part_stays_as_the_queue_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
