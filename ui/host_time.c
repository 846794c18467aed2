/* The host's clock and pacing. See host_time.h. */
#include "ui/host_time.h"

#include <time.h>

#include "machine/pc.h"

enum { LOOK_NS = 10000000, MEASURE_NS = 20000000, MAX_LEAD_NS = 100000000, LATE_NS = 30000000, EARLY_NS = 5000000 };
enum { ONE = 65536, FIRST_COST = 20 * ONE, MIN_RATE = ONE / 8, MAX_RATE = 20000 * ONE };
enum { IDLE_FACTOR = 100 }; /* a guest that only polls takes this part of a host core */
static const uint64_t MAX_LAG_NS = 2 * NS_PER_SECOND;

uint64_t host_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

void pacer_init(struct pacer *p, const struct machine *m, bool fixed_rate)
{
    *p = (struct pacer){.fixed_rate = fixed_rate, .cost = FIRST_COST};
    pacer_resume(p, m);
}

void pacer_resume(struct pacer *p, const struct machine *m)
{
    p->wall_base = host_now();
    p->virt_base = machine_now(m);
    p->busy_ns = p->busy_insns = 0;
}

static void say_late(struct pacer *p, struct machine *m)
{
    if (p->fixed_rate && !p->late)
        log_guest(&m->pc->log, "pace", "this host is too slow for -icount shift=%u; the guest's clock runs late",
                  m->cfg.icount_shift);
    p->late = true;
}

vtime pacer_target(struct pacer *p, struct machine *m)
{
    vtime now = machine_now(m), target = p->virt_base + (host_now() - p->wall_base);
    if (target > now + MAX_LAG_NS)
        say_late(p, m);
    if (target > now + MAX_LAG_NS || now > target + MAX_LEAD_NS) { /* time jumped here, or in the machine */
        pacer_resume(p, m);
        return p->virt_base + 1000000;
    }
    return target;
}

uint64_t pacer_limit(const struct pacer *p, const struct machine *m)
{
    return machine_icount(m) + (uint64_t)LOOK_NS * ONE / p->cost + 1;
}

/* By how much virtual time is ahead of the wall clock, ns; negative: behind. */
static int64_t lead(const struct pacer *p, const struct machine *m)
{
    return (int64_t)(machine_now(m) - p->virt_base) - (int64_t)(host_now() - p->wall_base);
}

/* Sets the rate that fits the cost: level with it, a seventh more to catch up, an eighth less to let the
 * wall clock catch up. A rate that is not far off stays, since every change is an entry in the input log. */
static void fit_rate(struct pacer *p, struct machine *m)
{
    struct error err;
    int64_t ahead = lead(p, m);
    uint64_t cost = p->cost * (p->idle ? IDLE_FACTOR : 1), old = m->pc->clk.st.rate;
    uint64_t rate = cost, least = cost - cost / 16, most = cost + cost / 16;
    if (ahead < -LATE_NS) {
        rate = cost + cost / 7;
        least = cost + cost / 16;
        most = cost + cost / 2;
    } else if (ahead > EARLY_NS) {
        rate = cost - cost / 8;
        least = cost / 2;
        most = cost - cost / 16;
    }
    rate = rate < MIN_RATE ? MIN_RATE : rate > MAX_RATE ? MAX_RATE : rate;
    if (p->fixed_rate || (old > least && old < most) || rate == old)
        return;
    struct input_event ev = {.kind = INPUT_RATE, .value = rate};
    if (machine_post(m, &ev, &err))
        return; /* the host is out of memory: the old rate stays */
}

void pacer_ran(struct pacer *p, struct machine *m, uint64_t ns, uint64_t insns)
{
    p->busy_ns += ns;
    p->busy_insns += insns;
    if (p->busy_ns < MEASURE_NS || p->busy_insns == 0 || p->idle)
        return;
    uint64_t cost = p->busy_ns * ONE / p->busy_insns;
    bool jump = cost > p->cost + p->cost / 4 || cost < p->cost - p->cost / 4;
    p->cost = p->measured && !jump ? (3 * p->cost + cost) / 4 : cost;
    if (p->cost == 0)
        p->cost = 1;
    p->measured = true;
    p->busy_ns = p->busy_insns = 0;
    fit_rate(p, m);
}

void pacer_idle(struct pacer *p, struct machine *m, bool idle)
{
    if (p->idle == idle)
        return;
    p->idle = idle;
    p->busy_ns = p->busy_insns = 0;
    fit_rate(p, m);
}
