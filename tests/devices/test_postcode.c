/* POST code latch: the AT's port 80 is a readable register that shows checkpoints. */
#include "tests/lib/device_tests.h"

#include "devices/postcode.h"

enum { PORT = 0x80 };

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct postcode *p = bench_alloc(b, sizeof(*p));
    postcode_init(p, "post", (struct postcode_wiring){.log = &b->log});
    bench_map(b, PORT, 1, 0, &postcode_io, p);
    bench_add(b, &p->dev);
    *state = b;
    return 0;
}

static void the_last_code_reads_back(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in8(b, PORT), 0x00);
    out8(b, PORT, 0x3e);
    assert_int_equal(in8(b, PORT), 0x3e);
}

static void a_reset_keeps_the_code_and_power_on_clears_it(void **state)
{
    struct bench *b = *state;
    out8(b, PORT, 0x3e);
    postcode_class.reset(b->dev, RESET_HARD);
    assert_int_equal(in8(b, PORT), 0x3e);
    postcode_class.reset(b->dev, RESET_POWER_ON);
    assert_int_equal(in8(b, PORT), 0x00);
}

static void only_changes_are_traced_and_only_when_asked(void **state)
{
    struct bench *b = *state;
    out8(b, PORT, 1);
    assert_int_equal(b->log_lines, 0);
    b->log.enabled = 1u << TRACE_POST;
    out8(b, PORT, 2);
    assert_int_equal(b->log_lines, 1);
    out8(b, PORT, 2);
    assert_int_equal(b->log_lines, 1);
}

static void poke(struct bench *b)
{
    out8(b, PORT, 0x77);
}

DEVICE_TESTS(postcode, setup, &((struct postcode *)b->dev)->dev, poke);

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_last_code_reads_back, setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_reset_keeps_the_code_and_power_on_clears_it, setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(only_changes_are_traced_and_only_when_asked, setup,
                                        bench_teardown),
        DEVICE_TESTS_OF(postcode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
