/* sequences.def: what this build has of it, writing it, and comparing the two. */
#include <stdlib.h>
#include <string.h>

#include "tools/sequences/sequences.h"

enum { LINE = 1024 };

static struct row row_of(const struct fast_sequence *s)
{
    struct row r = {.n = 0};
    while (r.n < SEQUENCE_STEPS && s->key[r.n]) {
        r.step[r.n] = s->key[r.n];
        r.n++;
    }
    return r;
}

struct list list_of_build(void)
{
    struct list l = {NULL, 0};
    for (size_t p = 0; p < SEQUENCE_PARTS; p++) {
        l.row = grow(l.row, l.n + fast_sequences[p]->n + 1, sizeof(*l.row));
        for (size_t k = 0; k < fast_sequences[p]->n; k++)
            l.row[l.n++] = row_of(&fast_sequences[p]->at[k]);
    }
    return l;
}

/* --- writing --------------------------------------------------------------------------------- */

static unsigned least(const size_t *load)
{
    unsigned best = 0;
    for (unsigned p = 1; p < SEQUENCE_PARTS; p++) {
        if (load[p] < load[best])
            best = p;
    }
    return best;
}

/* Parts of about as many steps each, which take the compiler about as long. */
static void share_out(const struct list *l, unsigned *part)
{
    size_t load[SEQUENCE_PARTS] = {0};
    for (size_t k = 0; k < l->n; k++) {
        part[k] = least(load);
        load[part[k]] += l->row[k].n;
    }
}

void list_write(const struct list *l, FILE *f)
{
    unsigned *part = grow(NULL, l->n + 1, sizeof(*part));
    share_out(l, part);
    fputs("/*\n"
          " * Instructions that programs execute in a row, each row as one handler (steps.h). SEQUENCE(number of steps, steps).\n"
          " * Made by bench/sequences.sh (bench/README.md).\n"
          " */\n", f);
    for (unsigned p = 0; p < SEQUENCE_PARTS; p++) {
        fprintf(f, "#if PART == %u\n", p);
        for (size_t k = 0; k < l->n; k++) {
            char text[LINE];
            row_name(&l->row[k], text, sizeof(text));
            if (part[k] == p)
                fprintf(f, "SEQUENCE(%u, %s)\n", l->row[k].n, text);
        }
        fputs("#endif\n", f);
    }
    free(part);
}

/* --- comparing ------------------------------------------------------------------------------- */

/* Is this line the row of the build? Its numbers come from the macros of steps.h, the text from names.c. */
static bool same_row(const char *line, const struct row *r)
{
    char text[LINE], whole[LINE + 40];
    row_name(r, text, sizeof(text));
    snprintf(whole, sizeof(whole), "SEQUENCE(%u, %s)\n", r->n, text);
    if (strcmp(whole, line) == 0)
        return true;
    fprintf(stderr, "sequences: this build has %s    for %s", whole, line);
    return false;
}

bool list_agrees(FILE *f)
{
    struct list l = list_of_build();
    char line[LINE];
    size_t n = 0, wrong = 0;
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, "SEQUENCE(", 9) != 0)
            continue;
        wrong += n < l.n && !same_row(line, &l.row[n]);
        n++;
    }
    if (n != l.n)
        fprintf(stderr, "sequences: the file has %zu rows, this build %zu\n", n, l.n);
    printf("%zu rows, %zu differ\n", n, wrong);
    bool same = !wrong && n == l.n;
    free(l.row);
    return same;
}
