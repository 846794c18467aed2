/*
 * build/sst MODEL FILE.txt.gz...: runs hardware-captured tests, prints the first failures in full, the
 * passes per form that has failures or inexact undefined flags, and totals. Exit status 0: all passed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/sst.h"

enum { FAILURES_SHOWN = 20 };

static void show_failure(void *arg, const char *text)
{
    unsigned *shown = arg;
    if ((*shown)++ < FAILURES_SHOWN)
        printf("FAIL %s", text);
}

static void show_forms(const struct sst_totals *t)
{
    for (unsigned k = 0; k < t->nforms; k++) {
        const struct sst_form *f = &t->form[k];
        unsigned all = f->passed + f->failed;
        printf("%-8s %u/%u", f->name, f->passed, all);
        if (f->exact != f->passed)
            printf("  (%u with undefined flags)", f->exact);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    struct error err = {""};
    unsigned shown = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: sst MODEL FILE.txt.gz...\n");
        return 2;
    }
    struct sst *s = sst_new(argv[1], &err);
    struct sst_totals *t = calloc(1, sizeof(*t));
    bool good = s && t;
    for (int k = 2; good && k < argc; k++)
        good = sst_run_file(s, argv[k], t, show_failure, &shown, &err);
    if (!good) {
        fprintf(stderr, "sst: %s\n", err.text);
        return 2;
    }
    show_forms(t);
    printf("%u of %u pass with undefined flags compared too\n", t->exact, t->passed + t->failed);
    printf("%u passed, %u failed\n", t->passed, t->failed);
    int status = t->failed ? 1 : 0;
    sst_free(s);
    free(t);
    return status;
}
