/* Frames on their way into the machine: the bounded queue, and what stays of them in the input log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/pc.h"
#include "tests/lib/rom_machine.h"

static void the_queue_keeps_order_and_copies(void **state)
{
    struct packet_queue q = {0};
    uint8_t frame[3] = {0};
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (uint8_t i = 0; i < 200; i++) {
            frame[0] = i;
            assert_true(packets_put(&q, frame, 1u + i % 3));
        }
        for (uint8_t i = 0; i < 200; i++) {
            assert_int_equal(packets_first(&q)->data[0], i);
            assert_int_equal(packets_first(&q)->len, 1 + i % 3);
            packets_drop_first(&q);
        }
        assert_null(packets_first(&q));
    }
    packets_free(&q);
}

static void the_queue_is_bounded(void **state)
{
    static const uint8_t frame[PACKET_BYTES + 1];
    struct packet_queue q = {0};
    (void)state;
    assert_false(packets_put(&q, frame, 0));
    assert_false(packets_put(&q, frame, PACKET_BYTES + 1));
    for (unsigned i = 0; i < PACKETS_MAX; i++)
        assert_true(packets_put(&q, frame, 60));
    assert_false(packets_put(&q, frame, 60));
    packets_free(&q);
    assert_true(packets_put(&q, frame, 60));
    packets_free(&q);
}

static void frames_leave_the_log_unless_somebody_records(void **state)
{
    struct input_log log = {0};
    struct error err;
    struct input_event ev = {.kind = INPUT_PACKET, .text = "a\0b", .len = 3};
    (void)state;
    assert_int_equal(input_post(&log, &ev, &err), EMU_OK);
    assert_memory_equal(log.event[0].text, "a\0b", 3);
    log.applied = 1;
    input_forget(&log);
    assert_int_equal(log.count, 0);
    log.keep_packets = true;
    assert_int_equal(input_post(&log, &ev, &err), EMU_OK);
    log.applied = 1;
    input_forget(&log);
    assert_int_equal(log.count, 1);
    assert_int_equal(log.event[0].len, 3);
    input_free(&log);
}

/* F000:0000  jmp $ */
static const uint8_t program[] = {0xeb, 0xfe};

static void a_machine_without_cards_ignores_frames(void **state)
{
    struct rom_machine r;
    struct machine_host host = {0};
    struct error err;
    struct input_event ev = {.kind = INPUT_PACKET, .a = 3, .text = "abc", .len = 3};
    (void)state;
    rom_machine_new(&r, program, sizeof(program), &host);
    assert_int_equal(machine_post(r.m, &ev, &err), EMU_OK);
    ev = (struct input_event){.kind = INPUT_LINK, .a = 200};
    assert_int_equal(machine_post(r.m, &ev, &err), EMU_OK);
    assert_int_equal(machine_run(r.m, VTIME_NEVER, 1000), MACHINE_SLICE);
    rom_machine_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_keeps_order_and_copies),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(frames_leave_the_log_unless_somebody_records),
        cmocka_unit_test(a_machine_without_cards_ignores_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
