/*
 * Virtual time. Time is a function of the count of retired guest instructions: an anchor pair
 * (instruction count, time) and a rate. HLT moves the anchor's time forward; following the wall
 * clock changes the rate; both are events at a known instruction count, so time is deterministic.
 *
 * Timers are intrusive, owned by their device, kept in a list sorted by due time; equal times
 * fire in the order in which they were armed. Timers are not saved: a device arms them again from
 * its own state in post_load.
 */
#ifndef MACHINE_CLOCK_H
#define MACHINE_CLOCK_H

#include "machine/state.h"
#include "machine/types.h"

struct clock_state {
    uint64_t icount;        /* instructions retired since power-on, kept current by the CPU */
    uint64_t anchor_icount; /* time at anchor_icount is anchor_time + anchor_frac / 65536 */
    uint64_t anchor_time;
    uint64_t anchor_frac; /* 0..65535 */
    uint64_t rate;        /* virtual ns per instruction, times 65536; 1..2^32 */
};

struct timer {
    const char *name;
    void (*fire)(void *dev, vtime now); /* now = the time at which it was due, or later */
    void *dev;
    vtime due;          /* VTIME_NEVER while not armed */
    struct timer *next; /* private to clock.c */
};

struct clock {
    struct clock_state st;
    struct timer *first;  /* armed timers, earliest first */
    bool deadline_moved;  /* an earlier deadline was armed since the CPU last asked: it must stop
                             running on its old limit and ask again */
};

extern const struct state_desc clock_state_desc;

/* `rate` as in clock_state. Time starts at 0. */
void clock_init(struct clock *clk, uint64_t rate);

/* The present virtual time; st.icount must be current. */
vtime clock_now(const struct clock *clk);

/* Sets a new rate from the present instruction on. */
void clock_set_rate(struct clock *clk, uint64_t rate);

/* Moves the anchor to the present: time does not change, only how it is written down, so that equal
 * machines have equal clock states (before saving and hashing). */
void clock_anchor(struct clock *clk);

/* Moves time forward to `t` without executing instructions (HLT); `t` in the past changes nothing. */
void clock_skip_to(struct clock *clk, vtime t);

/* The first instruction count at which clock_now() would be >= t (the present count if t is past;
 * UINT64_MAX for VTIME_NEVER or beyond the range). */
uint64_t clock_icount_at(const struct clock *clk, vtime t);

void timer_init(struct timer *t, const char *name, void (*fire)(void *dev, vtime now), void *dev);
void timer_arm(struct clock *clk, struct timer *t, vtime due); /* re-arms if armed; NEVER cancels */
void timer_cancel(struct clock *clk, struct timer *t);

vtime clock_next_due(const struct clock *clk); /* VTIME_NEVER if none */
void clock_run_due(struct clock *clk);         /* fires all timers with due <= now, in order */

/* Conversions that round-trip exactly: vtime_to_ticks(ticks_to_vtime(n, hz), hz) == n for
 * 1 <= hz <= 1e9. ticks_to_vtime rounds up, vtime_to_ticks down. */
vtime ticks_to_vtime(uint64_t ticks, uint32_t hz);
uint64_t vtime_to_ticks(vtime t, uint32_t hz);

#endif
