/* Debug console port: what SeaBIOS (port 402) and Bochs's guests (port E9) rely on. */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/debugcon.h"

enum { PORT = 0x402 };

struct text {
    char s[64];
    unsigned len;
};

static void put(void *arg, uint8_t byte)
{
    struct text *t = arg;
    t->s[t->len++ % sizeof(t->s)] = (char)byte;
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct debugcon *d = bench_alloc(b, sizeof(*d));
    struct text *t = bench_alloc(b, sizeof(*t));
    debugcon_init(d, "debugcon", (struct debugcon_wiring){.readback = 0xe9, .out = put, .arg = t});
    bench_map(b, PORT, 1, 0, &debugcon_io, d);
    bench_add(b, &d->dev);
    *state = b;
    return 0;
}

static void reads_give_e9(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in8(b, PORT), 0xe9);
    out8(b, PORT, 'x');
    assert_int_equal(in8(b, PORT), 0xe9);
}

static void written_bytes_come_out_in_order(void **state)
{
    struct bench *b = *state;
    for (const char *p = "SeaBIOS (version"; *p; p++)
        out8(b, PORT, (uint8_t)*p);
    const struct text *t = b->alloc[1];
    assert_int_equal(t->len, 16);
    assert_memory_equal(t->s, "SeaBIOS (version", 16);
}

static void a_console_without_listener_swallows(void **state)
{
    struct bench *b = *state;
    ((struct debugcon *)b->dev)->w.out = NULL;
    out8(b, PORT, 'x');
    assert_int_equal(((struct text *)b->alloc[1])->len, 0);
}

static void poke(struct bench *b)
{
    out8(b, PORT, 'p');
}

DEVICE_TESTS(debugcon, setup, &((struct debugcon *)b->dev)->dev, poke);

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_give_e9, setup, bench_teardown),
        cmocka_unit_test_setup_teardown(written_bytes_come_out_in_order, setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_console_without_listener_swallows, setup, bench_teardown),
        DEVICE_TESTS_OF(debugcon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
