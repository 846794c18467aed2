/*
 * The fast tier: decoded instructions in slots, executed by tail-called handlers (core.h explains the
 * machinery, docs/ the why). Every rare case and every possible fault goes to the reference tier, so
 * that both tiers retire the same instructions with the same results.
 */
#ifndef CPU_FAST_FAST_H
#define CPU_FAST_FAST_H

#include "cpu/cpu.h"

/* Makes the code cache, connects the code and TLB hooks, sets c->fast; NULL: out of memory. */
struct fast *fast_new(struct cpu *c);
void fast_free(struct cpu *c); /* disconnects; c->fast may be NULL */

/* Executes while c->attn is 0, no deadline moved and icount < limit; makes some progress. On return
 * st.eip, fr, fx and the clock's icount are exact. A fault leaves by longjmp from the reference tier
 * with the same exactness. */
void fast_run(struct cpu *c, uint64_t limit);

/* Drops all decoded code. */
void fast_flush_code(struct cpu *c);

/* Counters for the monitor and the benchmarks; not part of the machine's state. */
struct fast_stats {
    uint64_t decoded;  /* instructions */
    uint64_t slow;     /* handler gave up, reference tier did it */
    uint64_t rare;     /* instructions without a handler */
    uint64_t killed;   /* pages of code dropped because they were written */
    uint64_t flushes;  /* whole cache dropped */
};
const struct fast_stats *fast_stats(const struct cpu *c);

#endif
