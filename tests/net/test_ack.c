/* Held acknowledgements: frames laid out by RFC 791 and RFC 793. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "net/ack.h"

enum { NUMBER = 14 + 20 + 8, FLAGS = 14 + 20 + 13, WINDOW = 14 + 20 + 14, PORT = 14 + 20 };

static void make(uint8_t f[ACK_FRAME], uint32_t number)
{
    static const uint8_t bare[ACK_FRAME] = {
        0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x52, 0x55, 10, 0, 2, 2, 8, 0,                /* Ethernet */
        0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 2, 2, 10, 0, 2, 15,            /* IPv4 */
        0, 80, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 0x40, 0, 0, 0, 0, 0,       /* TCP */
    };
    memcpy(f, bare, ACK_FRAME);
    for (unsigned i = 0; i < 4; i++)
        f[NUMBER + i] = (uint8_t)(number >> (24 - 8 * i));
}

static void the_last_of_several_acknowledgements_stands_for_all(void **state)
{
    struct held_ack h = {0};
    uint8_t f[ACK_FRAME];
    (void)state;
    for (uint32_t i = 0; i < ACK_EVERY; i++) {
        assert_false(ack_is_due(&h));
        make(f, 0xfffff800u + i * 1448); /* across the end of the numbers */
        assert_true(ack_hold(&h, f, sizeof(f)));
    }
    assert_true(ack_is_due(&h));
    assert_int_equal(h.len, ACK_FRAME);
    assert_memory_equal(h.frame, f, ACK_FRAME);
}

static void a_repeated_or_an_older_number_is_not_held_back(void **state)
{
    struct held_ack h = {0};
    uint8_t f[ACK_FRAME];
    (void)state;
    make(f, 5000);
    assert_true(ack_hold(&h, f, sizeof(f)));
    f[WINDOW] ^= 1;
    assert_false(ack_hold(&h, f, sizeof(f)));
    make(f, 4000);
    assert_false(ack_hold(&h, f, sizeof(f)));
    assert_int_equal(h.count, 1);
}

static void another_connection_does_not_take_the_place(void **state)
{
    struct held_ack h = {0};
    uint8_t f[ACK_FRAME];
    (void)state;
    make(f, 1);
    assert_true(ack_hold(&h, f, sizeof(f)));
    make(f, 2000);
    f[PORT + 1]++;
    assert_false(ack_hold(&h, f, sizeof(f)));
}

static void only_bare_acknowledgements_are_held(void **state)
{
    static const struct {
        unsigned at;
        uint8_t value;
    } other[] = {{FLAGS, 0x11}, {FLAGS, 0x12}, {FLAGS, 0x14}, {FLAGS, 0x18}, {FLAGS, 0x50}, {12, 0x86}, {14, 0x46},
                 {17, 41}, {20, 0x20}, {21, 1}, {23, 17}, {14 + 20 + 12, 0x60}};
    uint8_t f[ACK_FRAME];
    (void)state;
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        struct held_ack h = {0};
        make(f, 1);
        f[other[i].at] = other[i].value;
        assert_false(ack_hold(&h, f, sizeof(f)));
        assert_int_equal(h.len, 0);
    }
    struct held_ack h = {0};
    uint8_t longer[ACK_MAX + 1] = {0};
    make(longer, 1);
    assert_false(ack_hold(&h, longer, ACK_FRAME - 1));
    assert_false(ack_hold(&h, longer, sizeof(longer)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_several_acknowledgements_stands_for_all),
        cmocka_unit_test(a_repeated_or_an_older_number_is_not_held_back),
        cmocka_unit_test(another_connection_does_not_take_the_place),
        cmocka_unit_test(only_bare_acknowledgements_are_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
