/* Virtual time from the instruction count, and the list of timers. See clock.h. */
#include "machine/clock.h"

STATE_DESC(clock_state_desc, struct clock_state, 1,
           FIELD(struct clock_state, icount, "instructions retired since power-on"),
           FIELD(struct clock_state, anchor_icount, "instruction count of the anchor"),
           FIELD(struct clock_state, anchor_time, "virtual ns at the anchor"),
           FIELD_MAX(struct clock_state, anchor_frac, 65535, "and 1/65536 ns"),
           FIELD_MAX(struct clock_state, rate, 1ull << 32, "ns per instruction, times 65536"));

void clock_init(struct clock *clk, uint64_t rate)
{
    *clk = (struct clock){.st = {.rate = rate}};
}

/* (count * rate + frac) / 65536 without overflow for any sensible run length. */
static uint64_t scale(uint64_t count, uint64_t rate, uint64_t frac, uint64_t *rest)
{
    uint64_t low = (count & 0xffff) * rate + frac;
    *rest = low & 0xffff;
    return (count >> 16) * rate + (low >> 16);
}

vtime clock_now(const struct clock *clk)
{
    uint64_t rest;
    const struct clock_state *s = &clk->st;
    return s->anchor_time + scale(s->icount - s->anchor_icount, s->rate, s->anchor_frac, &rest);
}

void clock_anchor(struct clock *clk)
{
    struct clock_state *s = &clk->st;
    uint64_t rest;
    s->anchor_time += scale(s->icount - s->anchor_icount, s->rate, s->anchor_frac, &rest);
    s->anchor_frac = rest;
    s->anchor_icount = s->icount;
}

void clock_set_rate(struct clock *clk, uint64_t rate)
{
    clock_anchor(clk);
    clk->st.rate = rate;
    clk->deadline_moved = true;
}

void clock_skip_to(struct clock *clk, vtime t)
{
    clock_anchor(clk);
    if (t > clk->st.anchor_time) {
        clk->st.anchor_time = t;
        clk->st.anchor_frac = 0;
    }
}

uint64_t clock_icount_at(const struct clock *clk, vtime t)
{
    const struct clock_state *s = &clk->st;
    uint64_t rest;
    vtime now = s->anchor_time + scale(s->icount - s->anchor_icount, s->rate, s->anchor_frac, &rest);
    if (t <= now)
        return s->icount;
    uint64_t dt = t - now; /* > 0; count = ceil((dt * 65536 - rest) / rate) */
    if (t == VTIME_NEVER || dt >= 1ull << 47)
        return UINT64_MAX;
    return s->icount + ((dt << 16) - rest + s->rate - 1) / s->rate;
}

void timer_init(struct timer *t, const char *name, void (*fire)(void *dev, vtime now), void *dev)
{
    *t = (struct timer){.name = name, .fire = fire, .dev = dev, .due = VTIME_NEVER};
}

void timer_cancel(struct clock *clk, struct timer *t)
{
    if (t->due == VTIME_NEVER)
        return;
    for (struct timer **link = &clk->first; *link; link = &(*link)->next) {
        if (*link == t) {
            *link = t->next;
            break;
        }
    }
    t->due = VTIME_NEVER;
    t->next = NULL;
}

void timer_arm(struct clock *clk, struct timer *t, vtime due)
{
    timer_cancel(clk, t);
    if (due == VTIME_NEVER)
        return;
    t->due = due;
    struct timer **link = &clk->first;
    while (*link && (*link)->due <= due)
        link = &(*link)->next;
    t->next = *link;
    *link = t;
    if (clk->first == t)
        clk->deadline_moved = true;
}

vtime clock_next_due(const struct clock *clk)
{
    return clk->first ? clk->first->due : VTIME_NEVER;
}

void clock_run_due(struct clock *clk)
{
    vtime now = clock_now(clk);
    while (clk->first && clk->first->due <= now) {
        struct timer *t = clk->first;
        timer_cancel(clk, t);
        t->fire(t->dev, now);
    }
}

vtime ticks_to_vtime(uint64_t ticks, uint32_t hz)
{
    uint64_t whole = ticks / hz, part = ticks % hz;
    return whole * NS_PER_SECOND + (part * NS_PER_SECOND + hz - 1) / hz;
}

uint64_t vtime_to_ticks(vtime t, uint32_t hz)
{
    uint64_t whole = t / NS_PER_SECOND, part = t % NS_PER_SECOND;
    return whole * hz + part * hz / NS_PER_SECOND;
}
