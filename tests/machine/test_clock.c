/*
 * Virtual time: conversions that round-trip, time from the instruction count, timers in order.
 * Expected values: the definitions in machine/clock.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/clock.h"
#include "machine/compiler.h"

enum { ROUNDS = 100000, RATE_1NS = 65536 };

/* xorshift64*: the same numbers on every host. */
static uint64_t next_random(uint64_t *s)
{
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return *s * 0x2545f4914f6cdd1dull;
}

/* Numbers of every magnitude up to `bits` bits. */
static uint64_t random_sized(uint64_t *seed, unsigned bits)
{
    uint64_t v = next_random(seed);
    return v >> (64 - 1 - next_random(seed) % bits);
}

/* --- conversions --- */

static void ticks_to_time_and_back_is_exact(void **state)
{
    static const uint32_t fixed[] = {1, 2, 3, 32768, 1193182, 3579545, 14318180, 33333333, 25175000, 999999999, 1000000000};
    uint64_t seed = 1;
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t hz = i % 3 ? 1 + (uint32_t)(next_random(&seed) % NS_PER_SECOND) : fixed[next_random(&seed) % ARRAY_LEN(fixed)];
        uint64_t ticks = random_sized(&seed, 50);
        if (ticks / hz > 9000000000ull) /* 285 years */
            ticks %= hz * 9000000000ull;
        assert_int_equal(vtime_to_ticks(ticks_to_vtime(ticks, hz), hz), ticks);
    }
}

static void time_of_a_tick_is_the_first_nanosecond_that_has_it(void **state)
{
    uint64_t seed = 2;
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t hz = 1 + (uint32_t)(next_random(&seed) % NS_PER_SECOND);
        uint64_t ticks = 1 + random_sized(&seed, 40) % (hz * 1000000ull);
        vtime t = ticks_to_vtime(ticks, hz);
        assert_int_equal(vtime_to_ticks(t - 1, hz), ticks - 1);
    }
}

static void known_conversions(void **state)
{
    (void)state;
    assert_int_equal(ticks_to_vtime(1, 1193182), 839); /* 838.0957 ns, rounded up */
    assert_int_equal(ticks_to_vtime(1193182, 1193182), NS_PER_SECOND);
    assert_int_equal(ticks_to_vtime(65536, 1193182), 54925402); /* the 18.2 Hz period: 54925401.15 ns */
    assert_int_equal(vtime_to_ticks(54925401, 1193182), 65535);
    assert_int_equal(vtime_to_ticks(54925402, 1193182), 65536);
    assert_int_equal(ticks_to_vtime(0, 1), 0);
    assert_int_equal(vtime_to_ticks(999999999, 1), 0);
}

/* --- time from instructions --- */

static void time_is_count_times_rate(void **state)
{
    uint64_t seed = 3;
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct clock clk;
        uint64_t rate = 1 + random_sized(&seed, 32), count = random_sized(&seed, 46);
        clock_init(&clk, rate);
        clk.st.icount = count;
        /* count * rate / 65536 in halves of 32 bits */
        uint64_t exact = ((count >> 32) * rate << 16) + ((count & 0xffffffffu) * rate >> 16);
        assert_true(clock_now(&clk) == exact);
    }
}

static void anchoring_changes_no_time_now_or_later(void **state)
{
    uint64_t seed = 4;
    (void)state;
    for (unsigned i = 0; i < ROUNDS / 100; i++) {
        struct clock a, b;
        clock_init(&a, 1 + random_sized(&seed, 32));
        b = a;
        for (unsigned k = 0; k < 100; k++) {
            uint64_t n = random_sized(&seed, 24);
            a.st.icount += n;
            b.st.icount += n;
            clock_anchor(&a);
            assert_true(clock_now(&a) == clock_now(&b));
            assert_true(a.st.anchor_frac < 65536);
        }
    }
}

static void icount_at_is_the_first_count_that_reaches_the_time(void **state)
{
    uint64_t seed = 5;
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct clock clk;
        clock_init(&clk, 1 + random_sized(&seed, 24));
        clk.st.icount = random_sized(&seed, 40);
        clock_anchor(&clk);
        clk.st.icount += random_sized(&seed, 20);
        vtime t = clock_now(&clk) + 1 + random_sized(&seed, 36);
        uint64_t count = clock_icount_at(&clk, t);
        assert_true(count > clk.st.icount);
        clk.st.icount = count;
        assert_true(clock_now(&clk) >= t);
        clk.st.icount = count - 1;
        assert_true(clock_now(&clk) < t);
    }
}

static void icount_at_the_past_is_now_and_never_is_never(void **state)
{
    struct clock clk;
    (void)state;
    clock_init(&clk, RATE_1NS);
    clk.st.icount = 1000;
    assert_int_equal(clock_icount_at(&clk, 1000), 1000);
    assert_int_equal(clock_icount_at(&clk, 5), 1000);
    assert_true(clock_icount_at(&clk, VTIME_NEVER) == UINT64_MAX);
    assert_true(clock_icount_at(&clk, VTIME_NEVER - 1) == UINT64_MAX);
}

/* A guest that never halts leaves the anchor behind. */
static void deadlines_work_a_year_after_the_anchor(void **state)
{
    struct clock clk;
    (void)state;
    clock_init(&clk, 3 * RATE_1NS);
    clk.st.icount = 365ull * 24 * 3600 * NS_PER_SECOND / 3;
    vtime now = clock_now(&clk);
    assert_true(now == 365ull * 24 * 3600 * NS_PER_SECOND);
    assert_true(clock_icount_at(&clk, now + 300) == clk.st.icount + 100);
    assert_true(clock_icount_at(&clk, now + 301) == clk.st.icount + 101);
}

static void a_new_rate_counts_from_now_on(void **state)
{
    struct clock clk;
    (void)state;
    clock_init(&clk, RATE_1NS);
    clk.st.icount = 1000;
    clock_set_rate(&clk, 4 * RATE_1NS);
    assert_int_equal(clock_now(&clk), 1000);
    assert_true(clk.deadline_moved);
    clk.st.icount = 1100;
    assert_int_equal(clock_now(&clk), 1400);
}

static void skipping_moves_time_without_instructions_and_never_back(void **state)
{
    struct clock clk;
    (void)state;
    clock_init(&clk, RATE_1NS);
    clk.st.icount = 10;
    clock_skip_to(&clk, 5000);
    assert_int_equal(clock_now(&clk), 5000);
    assert_int_equal(clk.st.icount, 10);
    clock_skip_to(&clk, 4000);
    assert_int_equal(clock_now(&clk), 5000);
    clk.st.icount = 11;
    assert_int_equal(clock_now(&clk), 5001);
}

/* --- timers --- */

enum { TIMERS = 8 };

struct fixture {
    struct clock clk;
    struct timer timer[TIMERS];
    struct shot {
        unsigned who;
        vtime now;
    } shot[100];
    unsigned shots;
};

struct who {
    struct fixture *f;
    unsigned index;
};
static void on_fire(void *dev, vtime now)
{
    struct who *w = dev;
    w->f->shot[w->f->shots++] = (struct shot){w->index, now};
}

static void timers_fire_in_order_of_due_time_and_then_of_arming(void **state)
{
    struct fixture f = {.shots = 0};
    struct who who[4];
    static const vtime due[4] = {300, 100, 300, 200};
    (void)state;
    clock_init(&f.clk, RATE_1NS);
    for (unsigned i = 0; i < 4; i++) {
        who[i] = (struct who){&f, i};
        timer_init(&f.timer[i], "t", on_fire, &who[i]);
        timer_arm(&f.clk, &f.timer[i], due[i]);
    }
    assert_int_equal(clock_next_due(&f.clk), 100);
    f.clk.st.icount = 299;
    clock_run_due(&f.clk);
    assert_int_equal(f.shots, 2);
    assert_int_equal(clock_next_due(&f.clk), 300);
    f.clk.st.icount = 300;
    clock_run_due(&f.clk);
    static const unsigned order[4] = {1, 3, 0, 2};
    assert_int_equal(f.shots, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(f.shot[i].who, order[i]);
    assert_int_equal(f.shot[3].now, 300);
    assert_true(clock_next_due(&f.clk) == VTIME_NEVER);
}

static void arming_again_moves_a_timer_and_never_cancels_it(void **state)
{
    struct fixture f = {.shots = 0};
    struct who who = {&f, 0};
    (void)state;
    clock_init(&f.clk, RATE_1NS);
    timer_init(&f.timer[0], "t", on_fire, &who);
    timer_arm(&f.clk, &f.timer[0], 100);
    timer_arm(&f.clk, &f.timer[0], 500);
    f.clk.st.icount = 200;
    clock_run_due(&f.clk);
    assert_int_equal(f.shots, 0);
    timer_arm(&f.clk, &f.timer[0], VTIME_NEVER);
    assert_true(clock_next_due(&f.clk) == VTIME_NEVER);
    timer_cancel(&f.clk, &f.timer[0]); /* not armed: nothing */
    f.clk.st.icount = 1000;
    clock_run_due(&f.clk);
    assert_int_equal(f.shots, 0);
}

static void an_earlier_deadline_tells_the_cpu(void **state)
{
    struct fixture f = {.shots = 0};
    struct who who = {&f, 0};
    (void)state;
    clock_init(&f.clk, RATE_1NS);
    for (unsigned i = 0; i < 2; i++)
        timer_init(&f.timer[i], "t", on_fire, &who);
    timer_arm(&f.clk, &f.timer[0], 100);
    assert_true(f.clk.deadline_moved);
    f.clk.deadline_moved = false;
    timer_arm(&f.clk, &f.timer[1], 200);
    assert_false(f.clk.deadline_moved);
    timer_arm(&f.clk, &f.timer[1], 50);
    assert_true(f.clk.deadline_moved);
}

struct periodic {
    struct clock *clk;
    struct timer t;
    vtime period;
    unsigned fired;
};
static void on_period(void *dev, vtime now)
{
    struct periodic *p = dev;
    p->fired++;
    (void)now;
    timer_arm(p->clk, &p->t, p->period * (p->fired + 1));
}

static void a_timer_may_arm_itself_and_catch_up(void **state)
{
    struct clock clk;
    struct periodic p = {.clk = &clk, .period = 100};
    (void)state;
    clock_init(&clk, RATE_1NS);
    timer_init(&p.t, "p", on_period, &p);
    timer_arm(&clk, &p.t, 100);
    clk.st.icount = 1050;
    clock_run_due(&clk);
    assert_int_equal(p.fired, 10);
    assert_int_equal(clock_next_due(&clk), 1100);
}

/* Against a model without a list: the minimum of all armed timers. */
static void random_arming_and_cancelling_keeps_the_list_sorted(void **state)
{
    struct fixture f = {.shots = 0};
    struct who who[TIMERS];
    uint64_t seed = 6;
    (void)state;
    clock_init(&f.clk, RATE_1NS);
    for (unsigned i = 0; i < TIMERS; i++) {
        who[i] = (struct who){&f, i};
        timer_init(&f.timer[i], "t", on_fire, &who[i]);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct timer *t = &f.timer[next_random(&seed) % TIMERS];
        vtime now = clock_now(&f.clk), least = VTIME_NEVER, before = 0;
        switch (next_random(&seed) % 4) {
        case 0: timer_cancel(&f.clk, t); break;
        case 1: f.clk.st.icount += next_random(&seed) % 50; break;
        default: timer_arm(&f.clk, t, now + next_random(&seed) % 200); break;
        }
        f.shots = 0;
        clock_run_due(&f.clk);
        for (unsigned i = 0; i < TIMERS; i++)
            least = f.timer[i].due < least ? f.timer[i].due : least;
        assert_true(clock_next_due(&f.clk) == least);
        for (struct timer *k = f.clk.first; k; k = k->next) {
            assert_true(k->due >= before && k->due > clock_now(&f.clk));
            before = k->due;
        }
    }
}

static void the_state_description_is_exact(void **state)
{
    struct error err = {""};
    (void)state;
    assert_int_equal(state_check(&clock_state_desc, &err), EMU_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_to_time_and_back_is_exact),
        cmocka_unit_test(time_of_a_tick_is_the_first_nanosecond_that_has_it),
        cmocka_unit_test(known_conversions),
        cmocka_unit_test(time_is_count_times_rate),
        cmocka_unit_test(anchoring_changes_no_time_now_or_later),
        cmocka_unit_test(icount_at_is_the_first_count_that_reaches_the_time),
        cmocka_unit_test(icount_at_the_past_is_now_and_never_is_never),
        cmocka_unit_test(deadlines_work_a_year_after_the_anchor),
        cmocka_unit_test(a_new_rate_counts_from_now_on),
        cmocka_unit_test(skipping_moves_time_without_instructions_and_never_back),
        cmocka_unit_test(timers_fire_in_order_of_due_time_and_then_of_arming),
        cmocka_unit_test(arming_again_moves_a_timer_and_never_cancels_it),
        cmocka_unit_test(an_earlier_deadline_tells_the_cpu),
        cmocka_unit_test(a_timer_may_arm_itself_and_catch_up),
        cmocka_unit_test(random_arming_and_cancelling_keeps_the_list_sorted),
        cmocka_unit_test(the_state_description_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
