/*
 * Chooses sequences by byte-pair encoding: the two neighbours that programs execute most become one token, again and
 * again, so that long rows grow out of common short ones. Of more tokens than are wanted those stay that
 * save most dispatches when the longest sequence is taken at every place, as the fast tier takes it.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/sequences/map.h"
#include "tools/sequences/sequences.h"

/* What is merged: single steps first, then rows. */
struct token {
    struct row row;
    bool last;     /* nothing may follow */
    uint32_t used; /* round in which it was merged */
};

/* A piece as tokens. */
struct text {
    size_t at; /* in chooser.code */
    unsigned n;
    double weight;
};

struct chooser {
    struct token *token; /* 0 is none */
    size_t tokens, room;
    size_t steps; /* tokens that are single steps, with 0 */
    uint32_t *code;
    struct text *text;
    size_t texts;
};

struct candidate {
    double weight;
    uint64_t pair;
};

static uint32_t add_token(struct chooser *c, struct token t)
{
    if (c->tokens == c->room) {
        c->room = c->room ? 2 * c->room : 1024;
        c->token = grow(c->token, c->room, sizeof(*c->token));
    }
    c->token[c->tokens] = t;
    return (uint32_t)c->tokens++;
}

/* Pieces of programs that count, in tokens of one step. */
static void read_corpus(struct chooser *c, const struct corpus *from)
{
    struct map known = {0};
    c->code = grow(NULL, from->steps + 1, sizeof(*c->code));
    c->text = grow(NULL, from->pieces + 1, sizeof(*c->text));
    add_token(c, (struct token){0});
    for (size_t k = 0; k < from->steps; k++) {
        uint32_t *token = map_at(&known, 1ull << 32 | from->step[k]);
        if (!*token)
            *token = add_token(c, (struct token){{{from->step[k]}, 1, 0}, step_is_last(from->step[k]), 0});
        c->code[k] = *token;
    }
    for (size_t k = 0; k < from->pieces; k++) {
        const struct piece *p = &from->piece[k];
        const struct program *program = &from->program[p->program];
        if (program->weight > 0)
            c->text[c->texts++] = (struct text){p->at, p->n, p->count * program->weight / program->insns};
    }
    c->steps = c->tokens;
    map_free(&known);
}

/* --- a round of merges ----------------------------------------------------------------------- */

static bool may_merge(const struct chooser *c, uint32_t a, uint32_t b)
{
    return !c->token[a].last && c->token[a].row.n + c->token[b].row.n <= SEQUENCE_STEPS;
}

static uint64_t pair_of(const uint32_t *code) { return (uint64_t)code[0] << 32 | code[1]; }

static int by_weight(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return x->pair < y->pair ? -1 : x->pair > y->pair;
}

static void count_text(const struct chooser *c, const struct text *t, struct map *place, struct candidate *found, size_t *n)
{
    const uint32_t *code = &c->code[t->at];
    for (unsigned k = 0; k + 1 < t->n; k++) {
        if (!may_merge(c, code[k], code[k + 1]))
            continue;
        uint32_t *at = map_at(place, pair_of(&code[k]));
        if (!*at) {
            found[*n] = (struct candidate){0, pair_of(&code[k])};
            *at = (uint32_t)++*n;
        }
        found[*at - 1].weight += t->weight;
        if (code[k] == code[k + 1] && k + 2 < t->n && code[k + 2] == code[k])
            k++; /* AAA is one AA */
    }
}

/* All pairs of neighbours, the heaviest first. */
static size_t count_pairs(const struct chooser *c, struct candidate *found)
{
    struct map place = {0};
    size_t n = 0;
    for (size_t k = 0; k < c->texts; k++)
        count_text(c, &c->text[k], &place, found, &n);
    map_free(&place);
    qsort(found, n, sizeof(*found), by_weight);
    return n;
}

static uint32_t join(struct chooser *c, uint32_t a, uint32_t b)
{
    struct token t = c->token[a];
    for (unsigned k = 0; k < c->token[b].row.n; k++)
        t.row.step[t.row.n++] = c->token[b].row.step[k];
    t.last = c->token[b].last;
    return add_token(c, t);
}

/* Makes tokens of the heaviest pairs, at most `most` of them; none has a part in common, so that they do not depend
 * on each other. */
static size_t take_pairs(struct chooser *c, const struct candidate *found, size_t n, size_t most, uint32_t round, struct map *merged)
{
    size_t taken = 0;
    for (size_t k = 0; k < n && taken < most && found[k].weight >= 0.7 * found[0].weight; k++) {
        uint32_t a = (uint32_t)(found[k].pair >> 32), b = (uint32_t)found[k].pair;
        if (c->token[a].used == round || c->token[b].used == round)
            continue;
        c->token[a].used = c->token[b].used = round;
        *map_at(merged, found[k].pair) = join(c, a, b);
        taken++;
    }
    return taken;
}

static void rewrite(struct chooser *c, const struct map *merged)
{
    for (size_t k = 0; k < c->texts; k++) {
        struct text *t = &c->text[k];
        uint32_t *code = &c->code[t->at];
        unsigned n = 0;
        for (unsigned from = 0; from < t->n; from++) {
            uint32_t whole = from + 1 < t->n ? map_get(merged, pair_of(&code[from])) : 0;
            code[n++] = whole ? whole : code[from];
            from += whole != 0;
        }
        t->n = n;
    }
}

/* Merges until there are `wanted` rows, or nothing is left. */
static void merge(struct chooser *c, size_t steps, size_t wanted)
{
    struct candidate *found = grow(NULL, steps + 1, sizeof(*found));
    size_t done = 0, taken = 1;
    for (uint32_t round = 1; done < wanted && taken > 0; round++) {
        struct map merged = {0};
        size_t n = count_pairs(c, found), most = done < 40 ? 1 : done / 20;
        taken = take_pairs(c, found, n, most < wanted - done ? most : wanted - done, round, &merged);
        rewrite(c, &merged);
        map_free(&merged);
        done += taken;
    }
    free(found);
}

/* --- the best -------------------------------------------------------------------------------- */

static int by_use(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->use != y->use)
        return x->use < y->use ? 1 : -1;
    return memcmp(x->step, y->step, sizeof(x->step));
}

/* Measures and keeps the `most` best of those that are of any use. */
static void drop_worst(struct list *l, struct corpus *c, size_t most)
{
    list_measure(l, c);
    qsort(l->row, l->n, sizeof(*l->row), by_use);
    if (l->n > most)
        l->n = most;
    while (l->n > 0 && l->row[l->n - 1].use <= 0)
        l->n--;
}

struct list list_choose(struct corpus *corpus, size_t wanted)
{
    struct chooser c = {0};
    read_corpus(&c, corpus);
    merge(&c, corpus->steps, wanted + wanted * 2 / 5);
    struct list l = {grow(NULL, c.tokens, sizeof(*l.row)), c.tokens - c.steps};
    for (size_t k = 0; k < l.n; k++)
        l.row[k] = c.token[c.steps + k].row;
    drop_worst(&l, corpus, wanted + wanted / 4);
    drop_worst(&l, corpus, wanted);
    drop_worst(&l, corpus, wanted); /* in the order of what they are worth now */
    free(c.token);
    free(c.code);
    free(c.text);
    return l;
}
