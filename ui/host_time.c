/* The host's clock and pacing. See host_time.h. */
#include "ui/host_time.h"

#include <time.h>

#include "machine/pc.h"

uint64_t host_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

void host_sleep(uint64_t ns)
{
    struct timespec ts = {(time_t)(ns / NS_PER_SECOND), (long)(ns % NS_PER_SECOND)};
    nanosleep(&ts, NULL);
}

static void rebase(struct pacer *p, const struct machine *m)
{
    p->wall_base = p->wall_checked = host_now();
    p->virt_base = p->virt_checked = machine_now(m);
    p->idle_ns = 0;
}

void pacer_start(struct pacer *p, const struct machine *m, bool fixed_rate)
{
    *p = (struct pacer){.fixed_rate = fixed_rate};
    rebase(p, m);
}

enum { CHECK_NS = 100000000, MIN_RATE = 65536 / 4, MAX_RATE = 65536 * 100 };
static const uint64_t MAX_LAG_NS = 250000000;

static void set_rate(struct machine *m, uint64_t rate)
{
    struct error err;
    struct input_event ev = {.kind = INPUT_RATE, .value = rate < MIN_RATE ? MIN_RATE : rate > MAX_RATE ? MAX_RATE : rate};
    if (machine_post(m, &ev, &err))
        return; /* the host is out of memory: the old rate stays */
}

/* Ten times a second: if the guest was busy and time ran late, an instruction takes longer from now
 * on; if the host had to wait for it while it was busy, shorter. */
static void adapt_rate(struct pacer *p, struct machine *m, uint64_t wall)
{
    uint64_t wall_dt = wall - p->wall_checked, virt_dt = machine_now(m) - p->virt_checked;
    uint64_t busy = wall_dt > p->idle_ns ? wall_dt - p->idle_ns : 1;
    uint64_t rate = m->pc->clk.st.rate;
    if (virt_dt < wall_dt - wall_dt / 20)
        set_rate(m, rate + rate * (wall_dt - virt_dt) / wall_dt);
    else if (busy < wall_dt / 2 && !machine_idle(m))
        set_rate(m, rate - rate / 8);
    p->wall_checked = wall;
    p->virt_checked = machine_now(m);
    p->idle_ns = 0;
}

vtime pacer_target(struct pacer *p, struct machine *m)
{
    uint64_t wall = host_now();
    if (!p->fixed_rate && wall - p->wall_checked >= CHECK_NS)
        adapt_rate(p, m, wall);
    vtime target = p->virt_base + (wall - p->wall_base);
    if (target > machine_now(m) + MAX_LAG_NS) { /* the host was away, or is too slow: do not catch up */
        rebase(p, m);
        target = p->virt_base + 1000000;
    }
    return target;
}

void pacer_slept(struct pacer *p, uint64_t ns)
{
    p->idle_ns += ns;
}
