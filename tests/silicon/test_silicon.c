/*
 * Our CPU against the host's, over fixed seeds: registers, defined flags, memory, faults and x87/MMX state after
 * generated instruction sequences. docs/SILICON.md tells what is compared. Skipped on hosts that are not x86-64 Linux.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "machine/compiler.h"
#include "tests/silicon/silicon.h"

static void run(const char *model, uint64_t seed, uint64_t cases, bool fast)
{
    struct silicon_options o = {.model = model, .helper = SILICON_HELPER, .seed = seed, .cases = cases,
                                .only = -1, .fast = fast, .max_prints = 5};
    struct silicon_totals t;
    const char *why = silicon_run(&o, stdout, &t);
    if (why) {
        print_message("skipped: %s\n", why);
        skip();
    }
    assert_true(t.compared >= cases);
    assert_int_equal(t.differences, 0);
}

static void the_reference_tier_does_what_the_host_does(void **state)
{
    (void)state;
    run(SILICON_MODEL, 1, 170000, false);
}

static void the_fast_tier_does_what_the_host_does(void **state)
{
    (void)state;
    run(SILICON_MODEL, 1000001, 30000, true);
}

/* Each with its own opcodes and flags; what the host alone has is left out. */
static void earlier_models_do_what_the_host_does(void **state)
{
    static const char *const models[] = {"386,+nx",         "486,+nx",      "pentium,+nx",
                                         "pentium-mmx,+nx", "pentium2,+nx", "pentium3,+nx"};
    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(models); k++)
        run(models[k], 2000001, 10000, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_tier_does_what_the_host_does),
        cmocka_unit_test(the_fast_tier_does_what_the_host_does),
        cmocka_unit_test(earlier_models_do_what_the_host_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
