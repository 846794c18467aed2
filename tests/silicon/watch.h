/*
 * Looks over the shoulder of the emulated CPU, instruction by instruction, for what cannot be compared: system
 * calls, other makers' extensions, undefined flags that get used, values that processors are free to choose.
 * docs/SILICON.md lists these and where makers differ.
 */
#ifndef TESTS_SILICON_WATCH_H
#define TESTS_SILICON_WATCH_H

#include "tests/silicon/guest.h"

#include "cpu/decode.h"

/* An instruction of the case and how it ended, for cover.c. */
struct watch_step {
    struct insn insn;
    uint32_t address; /* linear, of its ModRM or moffs operand */
    uint8_t vector;   /* VECTOR_NONE: completed */
};
enum { WATCH_STEPS = 32 };

struct watch {
    struct cpu *c;
    struct silicon_case *in;
    struct guest_verdict *v;
    struct insn insn;  /* the instruction about to run */
    bool have_insn;
    uint32_t eip, at; /* where it is; linear */
    uint32_t esp, address; /* before it; linear, of its operand */
    uint8_t bytes[15];
    unsigned nbytes;
    struct watch_step step[WATCH_STEPS]; /* the first of the case */
    unsigned nsteps;
    bool unknown_stored; /* x87 pointers or a selector's upper half went to memory */
    uint32_t flags_written, flags_undefined; /* by `insn`, if it completes */
};

void watch_init(struct watch *w, struct cpu *c);
void watch_begin(struct watch *w, struct silicon_case *in, struct guest_verdict *v);
void watch_before(struct watch *w);
void watch_after(struct watch *w);
void watch_end(struct watch *w, const struct silicon_result *out);

/* Address in a case's memory as an offset in the work block; false: not there for `len` bytes. */
bool work_offset(uint32_t addr, uint32_t len, uint32_t *at);

#endif
