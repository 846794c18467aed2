/*
 * Finds the sequences of sequences.def in decoded code: a tree of steps, kept as a table of (node, step) pairs.
 */
#include <stdlib.h>

#include "cpu/fast/sequence.h"
#include "cpu/fast/steps.h"

enum { INDEX_BITS = 17, INDEX_SIZE = 1 << INDEX_BITS, ROOT = 1, INDEX_LIMIT = INDEX_SIZE / 4 * 3 /* look-ups end at free places */ };

const struct fast_sequences *const fast_sequences[SEQUENCE_PARTS] = {
    &fast_sequences_0, &fast_sequences_1, &fast_sequences_2, &fast_sequences_3,
    &fast_sequences_4, &fast_sequences_5, &fast_sequences_6, &fast_sequences_7,
};

struct sequence_node {
    uint32_t parent; /* number of the node before, 0 = free place */
    uint32_t key;
    uint32_t number;
    fast_handler *fn; /* of the sequence that ends here, or NULL */
};

struct sequence_index {
    uint32_t last; /* number given out */
    struct sequence_node node[INDEX_SIZE];
};

static uint32_t place(const struct sequence_index *x, uint32_t parent, uint32_t key)
{
    uint32_t h = (uint32_t)(((uint64_t)parent << 32 | key) * 0x9e3779b97f4a7c15ull >> (64 - INDEX_BITS));
    while (x->node[h].parent && (x->node[h].parent != parent || x->node[h].key != key))
        h = (h + 1) % INDEX_SIZE;
    return h;
}

static void add(struct sequence_index *x, const struct fast_sequence *s)
{
    uint32_t parent = ROOT, h = 0;
    if (x->last + SEQUENCE_STEPS > INDEX_LIMIT)
        return; /* so long a list needs greater INDEX_BITS */
    for (unsigned k = 0; k < SEQUENCE_STEPS && s->key[k]; k++) {
        h = place(x, parent, s->key[k]);
        if (!x->node[h].parent)
            x->node[h] = (struct sequence_node){parent, s->key[k], ++x->last, NULL};
        parent = x->node[h].number;
    }
    x->node[h].fn = s->fn;
}

struct sequence_index *fast_sequence_index(void)
{
    struct sequence_index *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->last = ROOT;
    for (size_t p = 0; p < SEQUENCE_PARTS; p++) {
        for (size_t k = 0; k < fast_sequences[p]->n; k++)
            add(x, &fast_sequences[p]->at[k]);
    }
    return x;
}

fast_handler *fast_sequence_find(const struct sequence_index *x, const uint32_t *key, unsigned n)
{
    uint32_t parent = ROOT;
    fast_handler *fn = NULL;
    for (unsigned k = 0; k < n && key[k]; k++) {
        const struct sequence_node *node = &x->node[place(x, parent, key[k])];
        if (!node->parent)
            break;
        if (node->fn)
            fn = node->fn;
        parent = node->number;
    }
    return fn;
}

/* --- steps ----------------------------------------------------------------------------------- */

static uint32_t transfer(const struct insn *o, bool near)
{
    bool far = !near && o->op != OP_JCC && o->op != OP_RET;
    return o->size == 4 ? STEP_KEY(o->op, 0, 4, 0, 0, 0, o->op == OP_JCC ? o->cc : 0, far) : 0;
}

/* Without memory operands. */
static uint32_t registers(const struct insn *o)
{
    bool cl = (o->flags & INSN_CL) != 0;
    bool pair = o->form == FORM_RR || o->form == FORM_RRI, conditional = o->op == OP_CMOV || o->op == OP_SETCC;
    if (o->form == FORM_I || o->form == FORM_NONE)
        return STEP_KEY(o->op, o->form, o->size, 0, 0, 0, 0, 0);
    return STEP_KEY(o->op, o->form, o->op == OP_SETCC ? 1 : o->size, o->dst, pair ? o->src : 0, 0, conditional ? o->cc : 0, cl);
}

/* Of a register by an immediate; by none is not a step. */
static uint32_t shift(const struct insn *o)
{
    uint32_t n = o->imm & 31;
    if (o->flags & INSN_CL)
        return registers(o);
    if (n == 0)
        return 0;
    return o->form == FORM_RRI ? STEP_KEY(o->op, o->form, o->size, o->dst, o->src, n & 15, n >> 4, 0)
                               : STEP_KEY(o->op, o->form, o->size, o->dst, n & 15, n >> 4, 0, 0);
}

static uint32_t with_memory(const struct insn *o)
{
    unsigned reg = o->form == FORM_MR ? o->src : o->form == FORM_RM ? o->dst : 0;
    bool cl = (o->flags & INSN_CL) != 0, conditional = o->op == OP_CMOV || o->op == OP_SETCC;
    unsigned scale = o->index != REG_NONE ? 1u << o->scale : 0;
    if (!fast_flat_operand(o, MODE_FLAT) && !(o->op == OP_LEA && o->asize == 4))
        return 0;
    return STEP_KEY(o->op, o->form, o->size, reg, o->base, o->index, conditional ? o->cc : scale, cl);
}

uint32_t fast_step(const struct insn *o, bool near)
{
    if (o->rep || o->size > 4)
        return 0;
    switch (o->op) {
    case OP_JCC: case OP_JMP: case OP_CALL: case OP_RET: return transfer(o, near);
    case OP_NOP: return KEY_NOP;
    case OP_LEAVE: case OP_CWD: case OP_CBW: return STEP_KEY(o->op, 0, o->size, 0, 0, 0, 0, 0);
    case OP_RETF: case OP_JMPI: case OP_CALLI: return 0;
    default: break;
    }
    switch (o->form) {
    case FORM_RM: case FORM_MR: case FORM_MI: case FORM_M: return with_memory(o);
    default: break;
    }
    switch (o->op) {
    case OP_ROL: case OP_ROR: case OP_SHL: case OP_SHR: case OP_SAR: case OP_SHLD: case OP_SHRD: return shift(o);
    default: break;
    }
    switch (o->form) {
    case FORM_RR: case FORM_RI: case FORM_R: case FORM_I: case FORM_RRI: return registers(o);
    default: return 0;
    }
}
