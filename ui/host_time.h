/* The host's clock: the only place that reads it. */
#ifndef UI_HOST_TIME_H
#define UI_HOST_TIME_H

#include "machine/machine.h"

uint64_t host_now(void);            /* monotonic ns */
void host_sleep(uint64_t ns);

/* Keeps virtual time level with the wall clock: tells how far the machine may run now, and, unless
 * the rate is fixed, adapts it to what the host can do (an input event, so that replay is exact). */
struct pacer {
    uint64_t wall_base;
    vtime virt_base;
    uint64_t wall_checked;
    vtime virt_checked;
    uint64_t idle_ns; /* wall time slept since the last check */
    bool fixed_rate;
};

void pacer_start(struct pacer *p, const struct machine *m, bool fixed_rate);
/* The virtual time that corresponds to now. */
vtime pacer_target(struct pacer *p, struct machine *m);
void pacer_slept(struct pacer *p, uint64_t ns);

#endif
