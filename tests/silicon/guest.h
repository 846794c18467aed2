/*
 * The emulated half of the silicon harness: one CPU in ring 3 with PAE paging, the pages of layout.h, and kernel tables
 * that look to a program like those of 64-bit Linux.
 */
#ifndef TESTS_SILICON_GUEST_H
#define TESTS_SILICON_GUEST_H

#include "cpu/cpu.h"
#include "tests/silicon/layout.h"

/* The tables of the emulated kernel; not mapped natively. */
#define GUEST_SYSTEM 0xc0000000u
enum { GUEST_SYSTEM_SIZE = 4 * PAGE, GUEST_HANDLERS = 3 * PAGE /* 16 bytes per vector */ };

struct guest;
struct watch;

/* What running a case told about it, beside the result. */
struct guest_verdict {
    const char *skip;       /* why it must not run natively, or NULL */
    uint32_t flags_ignored; /* bits of EFLAGS that are undefined */
    unsigned insns;         /* instructions begun */
    bool memory_ignored;    /* what a faulting instruction has written of its many words is not defined */
    bool address_ignored;   /* of a page fault: which of several words is found missing */
    uint16_t status_ignored; /* bits of the x87 status word */
    bool null_selector; /* DS, ES, FS or GS held a null selector with an RPL, which an interrupt's return makes 0 */
    bool eip_ignored;       /* of the exception */
    bool registers_ignored; /* all but ESP: which a faulting POPA has loaded is not defined */
    bool mmx_ignored;       /* whether the x87's tags and TOP have become MMX's */
    uint32_t xmm_near;      /* approximate lanes: 4 bits of each XMM register */
    bool x87_near; /* registers within some units in the last place */
};

struct guest *guest_new(const char *model, enum cpu_core core, bool low, bool ldt, const uint8_t *base);
void guest_free(struct guest *g);
const struct cpu *guest_cpu(const struct guest *g);
const struct watch *guest_watch(const struct guest *g);

/* A new base image; kept by reference. */
void guest_set_base(struct guest *g, const uint8_t *base);

/* Loads and runs a case, watching every instruction, and completes in->mask. Memory stays as it was left until the
 * next call, or guest_hash(). */
void guest_run(struct guest *g, struct silicon_case *in, struct silicon_result *out, struct guest_verdict *v);
/* As guest_run, but free-running: what the fast tier makes of a case that guest_run has accepted. */
void guest_run_free(struct guest *g, const struct silicon_case *in, struct silicon_result *out);

/* The hash of the work pages; puts the base image back. */
void guest_hash(struct guest *g, const struct silicon_case *in, struct silicon_result *out);
const uint8_t *guest_work(const struct guest *g); /* WORK_SIZE bytes */

#endif
