/* Runs cases on the host's processor and on ours and compares. See docs/SILICON.md. */
#ifndef TESTS_SILICON_SILICON_H
#define TESTS_SILICON_SILICON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct silicon_options {
    const char *model;  /* as -cpu */
    const char *mnemonic; /* only this one, "x87" for all of the x87, or NULL */
    const char *helper; /* path of the helper program */
    uint64_t seed;      /* of the first batch; the next has seed + 1 */
    uint64_t cases;
    int64_t only;       /* run this case of the first batch alone and print it; -1: all */
    bool fast;          /* compare the fast tier too */
    unsigned max_prints; /* differences shown in full */
    bool brief;         /* one line per difference instead */
    bool cover;         /* which forms were reached, and how */
    bool statistics;    /* what was skipped and why */
};

struct silicon_totals {
    uint64_t compared, skipped, differences, faults, insns;
    uint64_t again; /* runs repeated because of an interrupt of the host */
};

/* NULL: done, see totals; else why nothing could be compared. */
const char *silicon_run(const struct silicon_options *o, FILE *to, struct silicon_totals *totals);

#endif
