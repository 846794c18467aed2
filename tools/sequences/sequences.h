/*
 * sequences: finds the instructions that programs execute in a row and writes cpu/fast/sequences.def
 * (bench/README.md). A tool of the build host, linked with libretrace.
 *
 * Steps are the numbers of fast_step(); what steps.h has no handler for is not a step. A piece is a
 * row of steps that was executed in a straight line.
 */
#ifndef TOOLS_SEQUENCES_H
#define TOOLS_SEQUENCES_H

#include <stdio.h>

#include "cpu/fast/sequence.h"

enum { PIECE_STEPS = 64 /* longer ones are cut */ };

/* A row of steps that has, or may get, a handler. */
struct row {
    uint32_t step[SEQUENCE_STEPS];
    unsigned n;
    double use; /* weighted share of all instructions that it saves a dispatch */
};

struct list {
    struct row *row;
    size_t n;
};

struct program {
    char name[32];
    double weight;      /* 0: only to be measured */
    double insns;       /* recorded */
    double others;      /* of them those that are no steps */
    double dispatches;  /* an instruction; by list_measure() */
};

struct piece {
    size_t at; /* in corpus.step */
    unsigned n, program;
    double count;
};

/* What programs executed. */
struct corpus {
    struct program *program;
    size_t programs;
    struct piece *piece;
    size_t pieces;
    uint32_t *step;
    size_t steps;
};

/* main.c: realloc() that ends the tool when there is no memory; the same for one sentence. */
void *grow(void *p, size_t count, size_t size);
_Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* names.c: the step as sequences.def has it; false: steps.h has no such step. */
bool step_name(uint32_t step, char *to, size_t len);
bool step_is_last(uint32_t step); /* nothing follows it in a sequence */
void row_name(const struct row *r, char *to, size_t len);

/* record.c: boots Linux, types `command` (NULL: the boot itself) and writes the pieces of every `interval`th stretch
 * of `length` instructions to `out`. */
struct recording {
    const char *kernel, *initrd, *command;
    unsigned memory_mib;
    uint64_t stretches, interval, length;
};
void record(const struct recording *r, FILE *out);

/* corpus.c: adds a file of record(); `argument` is FILE=WEIGHT. */
void corpus_add(struct corpus *c, const char *argument);
/* Sets row.use and program.dispatches: the longest sequence at every place, as the fast tier does it. */
void list_measure(struct list *l, struct corpus *c);
void corpus_free(struct corpus *c);

/* choose.c: the `wanted` best sequences. */
struct list list_choose(struct corpus *c, size_t wanted);

/* list.c: what this build has; sequences.def written, and compared with what this build has. */
struct list list_of_build(void);
void list_write(const struct list *l, FILE *f);
bool list_agrees(FILE *f);

#endif
