/*
 * Sequences: handlers for several instructions in a row, chosen by profiles of real programs (sequences.def).
 * Private to cpu/fast/.
 */
#ifndef CPU_FAST_SEQUENCE_H
#define CPU_FAST_SEQUENCE_H

#include "cpu/fast/core.h"

enum { SEQUENCE_STEPS = 8, SEQUENCE_PARTS = 8 };

struct fast_sequence {
    fast_handler *fn;
    uint32_t key[SEQUENCE_STEPS]; /* steps.h; 0 after the last */
};

struct fast_sequences {
    const struct fast_sequence *at;
    size_t n;
};

/* The parts of sequences.def. */
extern const struct fast_sequences fast_sequences_0, fast_sequences_1, fast_sequences_2, fast_sequences_3,
    fast_sequences_4, fast_sequences_5, fast_sequences_6, fast_sequences_7;
extern const struct fast_sequences *const fast_sequences[SEQUENCE_PARTS];

struct sequence_index;

/* An index of all sequences, NULL without memory; free() it. */
struct sequence_index *fast_sequence_index(void);

/* The number of an instruction of flat code as a step, 0 = it cannot be one. `near`: a transfer's target lies in its page. */
uint32_t fast_step(const struct insn *o, bool near);

/* The longest sequence that the steps key[0..n) begin with: its handler, or NULL. */
fast_handler *fast_sequence_find(const struct sequence_index *x, const uint32_t *key, unsigned n);

#endif
