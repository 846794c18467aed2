/*
 * The host's clock, the only place that reads it, and pacing: virtual time keeps level with the wall
 * clock. The guest's speed follows what this host can do: the cost of an instruction is measured
 * while the guest is busy, and the clock rate set level with it (an input event, so that replay is
 * exact). A host that falls behind catches up; after more than MAX_LAG the guest's clock lets go.
 */
#ifndef UI_HOST_TIME_H
#define UI_HOST_TIME_H

#include "machine/machine.h"

/* A busy guest may be ahead of the wall clock by this much: the rate brings it back, without a pause. */
enum { PACER_LEAD_NS = 30000000 };

uint64_t host_now(void);            /* monotonic ns */

struct pacer {
    uint64_t wall_base;
    vtime virt_base;
    uint64_t busy_ns, busy_insns; /* since the cost was last measured */
    uint64_t cost;                /* host ns an instruction, times 65536 */
    bool fixed_rate, measured;
    bool idle;                    /* the guest only polls: it runs slowly */
    bool late;                    /* a fixed rate that this host cannot keep; said once */
};

void pacer_init(struct pacer *p, const struct machine *m, bool fixed_rate);
/* Virtual time goes on from here: after a stop, after a snapshot was loaded. */
void pacer_resume(struct pacer *p, const struct machine *m);
/* The virtual time that corresponds to now. */
vtime pacer_target(struct pacer *p, struct machine *m);
/* How far the machine may run before the front end should look at the user again (about 10 ms). */
uint64_t pacer_limit(const struct pacer *p, const struct machine *m);
/* It ran `insns` instructions in `ns` of host time, without what files took: an instruction that seems to cost as much
 * as a flush makes the guest's clock run away, and then the host sleeps to let the wall clock catch up. */
void pacer_ran(struct pacer *p, struct machine *m, uint64_t ns, uint64_t insns);
/* The guest waits for input by polling (or does so no longer). */
void pacer_idle(struct pacer *p, struct machine *m, bool idle);

#endif
