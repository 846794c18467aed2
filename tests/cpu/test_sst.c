/*
 * The CPU against instructions captured from real chips: every test of the sample corpora passes, flags
 * compared under the given masks (corpus/cpu/README.md). The corpus is looked for in $RETRACE_CORPUS and
 * ../shared/corpus.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/sst.h"

static bool find_corpus(const char *name, char *path, size_t len)
{
    const char *roots[] = {getenv("RETRACE_CORPUS"), "../shared/corpus"};
    for (unsigned k = 0; k < 2; k++) {
        if (!roots[k])
            continue;
        snprintf(path, len, "%s/cpu/%s", roots[k], name);
        FILE *f = fopen(path, "rb");
        if (f) {
            fclose(f);
            return true;
        }
    }
    return false;
}

static void print_failure(void *arg, const char *text)
{
    unsigned *shown = arg;
    if ((*shown)++ < 5)
        print_error("%s", text);
}

/* `least_exact`: how many must also agree in undefined flags, so that the number cannot get worse. */
static void run_corpus(const char *model, const char *name, unsigned least, unsigned least_exact)
{
    char path[512];
    struct error err = {""};
    unsigned shown = 0;
    if (!find_corpus(name, path, sizeof(path))) {
        print_message("skipped: no corpus/cpu/%s (set RETRACE_CORPUS)\n", name);
        skip();
    }
    struct sst *s = sst_new(model, &err);
    struct sst_totals *t = calloc(1, sizeof(*t));
    assert_non_null(s);
    assert_non_null(t);
    if (!sst_run_file(s, path, t, print_failure, &shown, &err))
        fail_msg("%s", err.text);
    print_message("%s: %u passed, %u failed, %u with undefined flags\n", model, t->passed, t->failed, t->exact);
    assert_int_equal(t->failed, 0);
    assert_true(t->passed >= least);
    assert_true(t->exact >= least_exact);
    sst_free(s);
    free(t);
}

static void the_8086_agrees_with_captured_silicon(void **state)
{
    (void)state;
    run_corpus("8086", "8086.txt.gz", 32200, 32200);
}

static void the_286_agrees_with_captured_silicon(void **state)
{
    (void)state;
    run_corpus("286", "80286.txt.gz", 32500, 32285);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_8086_agrees_with_captured_silicon),
        cmocka_unit_test(the_286_agrees_with_captured_silicon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
