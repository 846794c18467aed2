/* What the tool is asked for; see usage(). */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sequences/sequences.h"

static int usage(void)
{
    fputs("usage: sequences record KERNEL INITRD MIB STRETCHES INTERVAL LENGTH FILE [COMMAND]\n"
          "           records what Linux executes while it runs COMMAND (none: while it boots): every INTERVAL\n"
          "           instructions LENGTH of them, STRETCHES times or until it ends\n"
          "       sequences choose NUMBER OUT FILE=WEIGHT...\n"
          "           writes the best sequences for these records as sequences.def; weight 0: only measured\n"
          "       sequences measure FILE=WEIGHT...\n"
          "           how well this build's sequences serve these records\n"
          "       sequences check SEQUENCES.DEF\n"
          "           is it what this build has, and are the steps' names the same both ways?\n", stderr);
    return 2;
}

void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("sequences: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

void *grow(void *p, size_t count, size_t size)
{
    void *q = count <= SIZE_MAX / size ? realloc(p, count * size) : NULL;
    if (!q)
        die("out of memory");
    return q;
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);
    if (!f)
        die("%s cannot be opened", path);
    return f;
}

static void close_written(FILE *f, const char *path)
{
    if (fclose(f))
        die("%s cannot be written", path);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t n = strtoull(text, &end, 10);
    if (end == text || *end || n == 0)
        die("\"%s\" is not a number above 0", text);
    return n;
}

/* --- the table ------------------------------------------------------------------------------- */

static void keep_dispatches(const struct corpus *c, double *to)
{
    for (size_t k = 0; k < c->programs; k++)
        to[k] = c->program[k].dispatches;
}

/* Dispatches an instruction with this build's sequences, and with others where there are some. */
static void print_table(const struct corpus *c, const double *before, const double *after)
{
    double total = 0, sum = 0, sum_after = 0;
    printf("%-12s %6s %12s %8s %8s %8s\n", "program", "weight", "instructions", "no step", "build", after ? "new" : "");
    for (size_t k = 0; k < c->programs; k++) {
        const struct program *p = &c->program[k];
        printf("%-12s %6.1f %12.0f %8.3f %8.3f", p->name, p->weight, p->insns, p->others / p->insns, before[k]);
        if (after)
            printf(" %8.3f", after[k]);
        putchar('\n');
        total += p->weight;
        sum += p->weight * before[k];
        sum_after += after ? p->weight * after[k] : 0;
    }
    if (total > 0)
        printf("%-12s %6.1f %12s %8s %8.3f", "all", total, "", "", sum / total);
    if (total > 0 && after)
        printf(" %8.3f", sum_after / total);
    putchar('\n');
}

/* Measures this build's list; the result is the caller's to free. */
static double *measure_build(struct corpus *c)
{
    double *before = grow(NULL, c->programs + 1, sizeof(*before));
    struct list l = list_of_build();
    list_measure(&l, c);
    keep_dispatches(c, before);
    free(l.row);
    return before;
}

/* --- what can be asked for ------------------------------------------------------------------- */

static int do_record(int argc, char **argv)
{
    if (argc != 7 && argc != 8)
        return usage();
    struct recording r = {.kernel = argv[0], .initrd = argv[1], .memory_mib = (unsigned)number(argv[2]),
                          .stretches = number(argv[3]), .interval = number(argv[4]), .length = number(argv[5]),
                          .command = argc == 8 ? argv[7] : NULL};
    if (r.length > r.interval)
        die("a stretch is longer than the interval");
    FILE *f = open_file(argv[6], "w");
    record(&r, f);
    close_written(f, argv[6]);
    return 0;
}

static int do_choose(int argc, char **argv)
{
    struct corpus c = {0};
    if (argc < 3)
        return usage();
    for (int k = 2; k < argc; k++)
        corpus_add(&c, argv[k]);
    double *before = measure_build(&c), *after = grow(NULL, c.programs + 1, sizeof(*after));
    struct list l = list_choose(&c, number(argv[0]));
    FILE *f = open_file(argv[1], "w");
    list_write(&l, f);
    close_written(f, argv[1]);
    list_measure(&l, &c);
    keep_dispatches(&c, after);
    print_table(&c, before, after);
    printf("%zu sequences\n", l.n);
    free(l.row);
    free(before);
    free(after);
    corpus_free(&c);
    return 0;
}

static int do_measure(int argc, char **argv)
{
    struct corpus c = {0};
    if (argc < 1)
        return usage();
    for (int k = 0; k < argc; k++)
        corpus_add(&c, argv[k]);
    double *before = measure_build(&c);
    print_table(&c, before, NULL);
    free(before);
    corpus_free(&c);
    return 0;
}

static int do_check(int argc, char **argv)
{
    if (argc != 1)
        return usage();
    FILE *f = open_file(argv[0], "r");
    bool same = list_agrees(f);
    fclose(f);
    return !same;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*fn)(int argc, char **argv);
    } verbs[] = {{"record", do_record}, {"choose", do_choose}, {"measure", do_measure}, {"check", do_check}};
    for (size_t k = 0; argc > 1 && k < ARRAY_LEN(verbs); k++) {
        if (strcmp(argv[1], verbs[k].word) == 0)
            return verbs[k].fn(argc - 2, argv + 2);
    }
    return usage();
}
