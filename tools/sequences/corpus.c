/* What was recorded, and how well a list of sequences serves it. */
#include <stdlib.h>
#include <string.h>

#include "tools/sequences/map.h"
#include "tools/sequences/sequences.h"

enum { ROOT = 1 };

static void add_piece(struct corpus *c, double count, char *steps)
{
    struct piece p = {.at = c->steps, .program = (unsigned)(c->programs - 1), .count = count};
    char *save = NULL;
    for (char *w = strtok_r(steps, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
        if (!(c->steps & (c->steps - 1)))
            c->step = grow(c->step, c->steps ? 2 * c->steps : 1, sizeof(*c->step));
        c->step[c->steps++] = (uint32_t)strtoul(w, NULL, 16);
        p.n++;
    }
    if (!(c->pieces & (c->pieces - 1)))
        c->piece = grow(c->piece, c->pieces ? 2 * c->pieces : 1, sizeof(*c->piece));
    c->piece[c->pieces++] = p;
    c->program[p.program].insns += count * p.n;
}

/* FILE=WEIGHT: the file's own name is the program's. Returns the length of FILE. */
static int add_program(struct corpus *c, const char *argument)
{
    const char *end = strrchr(argument, '=');
    struct program p = {.weight = end ? atof(end + 1) : 1};
    int len = end ? (int)(end - argument) : (int)strlen(argument), name = len;
    while (name > 0 && argument[name - 1] != '/')
        name--;
    snprintf(p.name, sizeof(p.name), "%.*s", len - name, argument + name);
    c->program = grow(c->program, c->programs + 1, sizeof(*c->program));
    c->program[c->programs++] = p;
    return len;
}

void corpus_add(struct corpus *c, const char *argument)
{
    char line[PIECE_STEPS * 10 + 40], path[4096];
    snprintf(path, sizeof(path), "%.*s", add_program(c, argument), argument);
    struct program *p = &c->program[c->programs - 1];
    FILE *f = fopen(path, "r");
    if (!f || !fgets(line, sizeof(line), f))
        die("%s cannot be read", path);
    p->others = atof(line);
    p->insns = p->others;
    while (fgets(line, sizeof(line), f)) {
        char *steps;
        double count = strtod(line, &steps);
        add_piece(c, count, steps);
    }
    fclose(f);
    if (p->insns <= 0)
        die("%s holds no instructions", path);
}

void corpus_free(struct corpus *c)
{
    free(c->program);
    free(c->piece);
    free(c->step);
    *c = (struct corpus){0};
}

/* --- measuring ------------------------------------------------------------------------------- */

/* Sequences as a tree: the number of a node by (node, step), and which row ends at a node, plus 1. */
struct tree {
    struct map node, end;
    uint32_t last;
};

static void tree_add(struct tree *t, const struct row *r, uint32_t number)
{
    uint32_t at = ROOT;
    for (unsigned k = 0; k < r->n; k++) {
        uint32_t *next = map_at(&t->node, (uint64_t)at << 32 | r->step[k]);
        if (!*next)
            *next = ++t->last;
        at = *next;
    }
    *map_at(&t->end, at) = number + 1;
}

/* How many steps go at once; *row is the sequence, or NULL. */
static unsigned longest(const struct tree *t, struct list *l, const uint32_t *step, unsigned n, struct row **row)
{
    uint32_t at = ROOT;
    unsigned best = 1;
    *row = NULL;
    for (unsigned k = 0; k < n && k < SEQUENCE_STEPS; k++) {
        at = map_get(&t->node, (uint64_t)at << 32 | step[k]);
        if (!at)
            break;
        uint32_t end = map_get(&t->end, at);
        if (end) {
            *row = &l->row[end - 1];
            best = k + 1;
        }
    }
    return best;
}

static void measure_piece(const struct tree *t, struct list *l, struct corpus *c, const struct piece *p)
{
    struct program *program = &c->program[p->program];
    for (unsigned k = 0; k < p->n;) {
        struct row *row;
        unsigned n = longest(t, l, &c->step[p->at + k], p->n - k, &row);
        if (row)
            row->use += p->count * program->weight / program->insns * (n - 1);
        program->dispatches += p->count / program->insns;
        k += n;
    }
}

void list_measure(struct list *l, struct corpus *c)
{
    struct tree t = {.last = ROOT};
    for (size_t k = 0; k < l->n; k++) {
        tree_add(&t, &l->row[k], (uint32_t)k);
        l->row[k].use = 0;
    }
    for (size_t k = 0; k < c->programs; k++)
        c->program[k].dispatches = c->program[k].others / c->program[k].insns;
    for (size_t k = 0; k < c->pieces; k++)
        measure_piece(&t, l, c, &c->piece[k]);
    map_free(&t.node);
    map_free(&t.end);
}
