/*
 * The generated suite that every device must pass (docs: adding a device).
 *
 *   DEVICE_TESTS(i8254, setup, &((struct i8254 *)b->dev)->dev, poke);
 *   int main(void)
 *   {
 *       const struct CMUnitTest tests[] = {
 *           cmocka_unit_test_setup_teardown(a_test_of_our_own, setup, bench_teardown),
 *           DEVICE_TESTS_OF(i8254),
 *       };
 *       return cmocka_run_group_tests(tests, NULL, NULL);
 *   }
 *
 * `setup` is the file's cmocka setup (*state becomes a struct bench). The expression gives the
 * struct device under test from `b`; further devices on the bench (bench_add) are saved and loaded
 * with it. `poke(b)` acts as a busy guest would: port accesses and some time, such that the state
 * differs from that after reset and things are under way (timers armed, lines driven).
 * cmocka.h and the headers it wants come with this one.
 */
#ifndef TESTS_LIB_DEVICE_TESTS_H
#define TESTS_LIB_DEVICE_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/bench.h"

struct device_case {
    const char *name;
    int (*setup)(void **state);
    struct device *(*device)(struct bench *b);
    void (*poke)(struct bench *b);
};

void device_test_description(void **state);
void device_test_reset(void **state);
void device_test_round_trip(void **state);
void device_test_poke_and_restore(void **state);
void device_test_replay(void **state);
void device_test_late_timers(void **state);
void device_test_truncated(void **state);
void device_test_bit_flips(void **state);
void device_test_hostile(void **state);

#define DEVICE_TESTS(name_, setup_, expr_, poke_) \
    static struct device *name_##_device_(struct bench *b) \
    { \
        return (expr_); \
    } \
    static struct device_case name_##_case_ = {#name_, setup_, name_##_device_, poke_}

#define DEVICE_TEST_(name_, text_, func_) {#name_ ": " text_, func_, NULL, NULL, &name_##_case_}

#define DEVICE_TESTS_OF(name_) \
    DEVICE_TEST_(name_, "the description tiles the state exactly", device_test_description), \
        DEVICE_TEST_(name_, "a second reset changes nothing", device_test_reset), \
        DEVICE_TEST_(name_, "what is saved loads equal, lines too", device_test_round_trip), \
        DEVICE_TEST_(name_, "a poke changes the hash, a load restores it", \
                     device_test_poke_and_restore), \
        DEVICE_TEST_(name_, "a run resumed from any step ends as the unbroken one", \
                     device_test_replay), \
        DEVICE_TEST_(name_, "timers that fire late do no harm", device_test_late_timers), \
        DEVICE_TEST_(name_, "a truncated state is refused", device_test_truncated), \
        DEVICE_TEST_(name_, "bit-flipped state is refused or harmless", device_test_bit_flips), \
        DEVICE_TEST_(name_, "hostile field values are refused or harmless", device_test_hostile)

#endif
