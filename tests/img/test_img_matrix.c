/*
 * The interoperation matrix: random sequences of operations, done twice on two sets of images. At
 * every step one set is worked on by retrace-img (guest writes: by the library, as the machine
 * does them), the other by qemu-img and qemu-io, and which by which is drawn anew: so each program
 * goes on with what the other has made. A model in memory says what every byte must be; our library
 * reads both sets after every step, and at the end QEMU does, and both programs check all images.
 *
 * IMAGES=N (default 20) and SEED=N choose how many and where to begin; `make images N=200` is the
 * long run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "disk/image.h"
#include "disk/qcow2.h"
#include "tests/lib/img_tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The host's disk is not under test here. */
int fdatasync(int fd);
int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

enum { MAX_SIZE = 6 << 20, MAX_CHAIN = 4, MAX_SNAPS = 3, SETS = 2, STEPS = 10 };

struct level {
    unsigned number; /* of the file: a3.qcow2, b3.qcow2 */
    size_t size;
    bool v2;
    bool snapshots; /* it has some that are not followed, from before there was an overlay on it */
};

struct run {
    struct img_tool *t;
    uint64_t seed, rnd;
    struct level chain[MAX_CHAIN]; /* the last one is the top */
    unsigned depth, files;
    uint8_t disk[MAX_SIZE]; /* what the top shows */
    struct {
        char name[16];
        size_t size;
        uint8_t disk[MAX_SIZE];
    } snap[MAX_SNAPS]; /* of the top */
    unsigned nsnaps;
    bool swapped; /* this step: set b is ours */
    char log[8192];
};

static unsigned below(struct run *r, unsigned n)
{
    r->rnd = r->rnd * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(r->rnd >> 33) % n;
}

static struct level *top(struct run *r) { return &r->chain[r->depth - 1]; }

static void note(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note(struct run *r, const char *fmt, ...)
{
    size_t n = strlen(r->log);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->log + n, sizeof(r->log) - n, fmt, ap);
    va_end(ap);
}

static void wrong(struct run *r, const char *what)
{
    fail_msg("seed %" PRIu64 ": %s; the steps were:\n%s%s", r->seed, what, r->log,
             img_tool_out(r->t));
}

static bool ours(const struct run *r, unsigned set) { return (set == 0) != r->swapped; }

/* The line for both sets; in it $P is the letter of the set and $I the program. */
static void both(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void both(struct run *r, const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    note(r, "  %s   (%s first)\n", line, r->swapped ? "qemu-img" : "retrace-img");
    for (unsigned set = 0; set < SETS; set++)
        if (img_tool_sh(r->t, "P=%c; I=%s; %s 2>&1", 'a' + set, ours(r, set) ? "\"$T\"" : "$Q",
                        line) != 0)
            wrong(r, ours(r, set) ? "retrace-img fails" : "qemu-img fails");
}

static void path_of(const struct run *r, unsigned set, unsigned number, char path[128])
{
    snprintf(path, 128, "%s/%c%u.qcow2", r->t->dir, 'a' + set, number);
}

static void must(struct run *r, enum emu_err rc, const struct error *err)
{
    if (rc != EMU_OK)
        wrong(r, err->text);
}

/* --- the steps --- */

static const char *options(struct run *r, bool *v2)
{
    static char text[128];
    static const char *const clusters[] = {"512", "4k", "64k", "64k", "64k", "1M"};
    static const char *const bits[] = {"16", "16", "8", "32", "64"};
    *v2 = below(r, 4) == 0;
    snprintf(text, sizeof(text), "cluster_size=%s,compat=%s,refcount_bits=%s%s",
             clusters[below(r, 6)], *v2 ? "0.10" : "1.1", *v2 ? "16" : bits[below(r, 5)],
#ifdef HAVE_ZSTD
             !*v2 && below(r, 3) == 0 ? ",compression_type=zstd" : "");
#else
             "");
#endif
    return text;
}

static void step_create(struct run *r)
{
    size_t size = 512 * (1 + (size_t)below(r, MAX_SIZE / 512));
    struct level l = {.number = r->files++, .size = size};
    const char *o = options(r, &l.v2);
    memset(r->disk, 0, sizeof(r->disk));
    r->depth = 1;
    r->nsnaps = 0;
    r->chain[0] = l;
    both(r, "$I create -q -f qcow2 -o %s ${P}%u.qcow2 %zu", o, l.number, size);
}

struct guest_write {
    size_t at, len;
    uint8_t pattern; /* 0: written as zeros */
};

static void write_ours(struct run *r, unsigned set, const struct guest_write *w, unsigned n)
{
    static uint8_t data[MAX_SIZE];
    char path[128];
    struct error err;
    struct blk *b;
    path_of(r, set, top(r)->number, path);
    must(r, image_open(path, "qcow2", 0, &b, &err), &err);
    for (unsigned i = 0; i < n; i++) {
        memset(data, w[i].pattern, w[i].len);
        must(r,
             w[i].pattern ? blk_write(b, w[i].at, data, w[i].len, &err)
                          : blk_zero(b, w[i].at, w[i].len, &err),
             &err);
        if (w[i].pattern % 5 == 0)
            must(r, blk_flush(b, &err), &err);
    }
    must(r, blk_close(b, &err), &err);
}

static void write_theirs(struct run *r, unsigned set, const struct guest_write *w, unsigned n)
{
    char line[2048] = "qemu-io -f qcow2";
    for (unsigned i = 0; i < n; i++)
        if (w[i].pattern)
            sprintf(line + strlen(line), " -c 'write -P %u %zu %zu'", w[i].pattern, w[i].at,
                    w[i].len);
        else
            sprintf(line + strlen(line), " -c 'write -z %zu %zu'", w[i].at, w[i].len);
    if (img_tool_sh(r->t, "%s %c%u.qcow2 2>&1; ! grep failed out", line, 'a' + set,
                    top(r)->number) != 0)
        wrong(r, "qemu-io fails");
}

/* As a guest's file system writes: a few runs of sectors, small and large, some over others. */
static void step_write(struct run *r)
{
    struct guest_write w[12];
    unsigned n = 1 + below(r, 12);
    size_t sectors = top(r)->size / 512;
    for (unsigned i = 0; i < n; i++) {
        size_t at = below(r, (unsigned)sectors), most = sectors - at;
        size_t len = 1 + (below(r, 3) ? below(r, 40) : below(r, 2000));
        len = len < most ? len : most;
        w[i] = (struct guest_write){at * 512, len * 512,
                                    below(r, 5) ? (uint8_t)(1 + below(r, 255)) : 0};
        memset(r->disk + w[i].at, w[i].pattern, w[i].len);
        note(r, "  write %zu %zu pattern %u\n", w[i].at, w[i].len, w[i].pattern);
    }
    for (unsigned set = 0; set < SETS; set++)
        (ours(r, set) ? write_ours : write_theirs)(r, set, w, n);
}

static void step_snapshot(struct run *r)
{
    unsigned what = below(r, 3), i = r->nsnaps ? below(r, r->nsnaps) : 0, number = top(r)->number;
    if (what == 0 || !r->nsnaps) {
        if (r->nsnaps == MAX_SNAPS)
            return;
        snprintf(r->snap[r->nsnaps].name, 16, "s%u", below(r, 1000000));
        r->snap[r->nsnaps].size = top(r)->size;
        memcpy(r->snap[r->nsnaps].disk, r->disk, top(r)->size);
        both(r, "$I snapshot -c %s ${P}%u.qcow2", r->snap[r->nsnaps++].name, number);
    } else if (what == 1) {
        both(r, "$I snapshot -a %s ${P}%u.qcow2", r->snap[i].name, number);
        memcpy(r->disk, r->snap[i].disk, r->snap[i].size);
    } else {
        both(r, "$I snapshot -d %s ${P}%u.qcow2", r->snap[i].name, number);
        r->snap[i] = r->snap[--r->nsnaps];
    }
}

static void step_resize(struct run *r)
{
    size_t size = 512 * (1 + (size_t)below(r, MAX_SIZE / 512)), old = top(r)->size;
    if (r->nsnaps || top(r)->snapshots) /* QEMU refuses some of them, we others */
        return;
    if (size > old)
        memset(r->disk + old, 0, size - old);
    /* A shorter overlay whose bytes show again when it grows: QEMU of version 2 has no zeros for
     * them. */
    if (size < old && r->depth > 1)
        return;
    both(r, "$I resize -q --shrink -f qcow2 ${P}%u.qcow2 %zu", top(r)->number, size);
    top(r)->size = size;
}

static void step_overlay(struct run *r)
{
    if (r->depth == MAX_CHAIN)
        return;
    struct level l = {.number = r->files++, .size = top(r)->size};
    unsigned base = top(r)->number;
    const char *o = options(r, &l.v2);
    top(r)->snapshots |= r->nsnaps > 0;
    both(r, "$I create -q -f qcow2 -o %s -b ${P}%u.qcow2 -F qcow2 ${P}%u.qcow2", o, base, l.number);
    r->chain[r->depth++] = l;
    r->nsnaps = 0;
}

static void step_commit(struct run *r)
{
    if (r->depth < 2)
        return;
    struct level *base = &r->chain[r->depth - 2];
    if (base->size > top(r)->size || r->nsnaps ||
        (base->snapshots && base->size < top(r)->size)) /* as for step_resize */
        return;
    both(r, "$I commit -q ${P}%u.qcow2 && $I compare -q ${P}%u.qcow2 ${P}%u.qcow2", top(r)->number,
         top(r)->number, base->number);
    base->size = top(r)->size;
    r->depth--;
    r->nsnaps = 0; /* what the base has of them is no longer followed */
}

static void step_rebase(struct run *r)
{
    if (r->depth < 2 || r->nsnaps)
        return;
    unsigned to = below(r, r->depth);
    struct level l = *top(r);
    if (to == r->depth - 1) {
        both(r, "$I rebase -b '' ${P}%u.qcow2", l.number);
        to = 0;
    } else {
        both(r, "$I rebase -b ${P}%u.qcow2 -F qcow2 ${P}%u.qcow2", r->chain[to].number, l.number);
        to++;
    }
    r->chain[to] = l;
    r->depth = to + 1;
}

static void step_convert(struct run *r)
{
    struct level l = {.number = r->files++, .size = top(r)->size};
    bool raw = below(r, 4) == 0, packed = !raw && below(r, 2);
    unsigned from = top(r)->number;
    const char *o = options(r, &l.v2);
    if (raw) /* there and back */
        both(r,
             "$I convert -O raw ${P}%u.qcow2 ${P}.raw && $I convert -f raw -O qcow2 -o %s ${P}.raw "
             "${P}%u.qcow2",
             from, o, l.number);
    else
        both(r, "$I convert %s -O qcow2 -o %s ${P}%u.qcow2 ${P}%u.qcow2", packed ? "-c" : "", o,
             from, l.number);
    r->chain[0] = l;
    r->depth = 1;
    r->nsnaps = 0;
}

/* --- what must be true --- */

static void assert_model(struct run *r)
{
    static uint8_t back[MAX_SIZE];
    char path[128];
    struct error err;
    for (unsigned set = 0; set < SETS; set++) {
        struct qcow2_check c = {0};
        struct blk *b;
        path_of(r, set, top(r)->number, path);
        must(r, image_open(path, "qcow2", IMAGE_READ_ONLY, &b, &err), &err);
        if (b->size != top(r)->size)
            wrong(r, "the size is another one");
        must(r, blk_read(b, 0, back, b->size, &err), &err);
        for (size_t i = 0; i < b->size; i++)
            if (back[i] != r->disk[i]) {
                note(r, "set %c: byte %zu is %u, not %u\n", 'a' + set, i, back[i], r->disk[i]);
                wrong(r, "the contents are other ones");
            }
        must(r, qcow2_check(b, QCOW2_REPAIR_NONE, &c, &err), &err);
        if (c.corruptions || c.leaks)
            wrong(r, "our check finds something");
        must(r, blk_close(b, &err), &err);
    }
}

static void write_model(struct run *r)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/model", r->t->dir);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(r->disk, 1, top(r)->size, f) != top(r)->size || fclose(f) != 0)
        wrong(r, "the model cannot be written");
}

/* QEMU reads both tops as the model says, and finds nothing wrong with any image of the chains. */
static void assert_qemu(struct run *r)
{
    write_model(r);
    for (unsigned set = 0; set < SETS; set++) {
        char p = (char)('a' + set);
        if (img_tool_sh(r->t, "$Q compare -f qcow2 -F raw %c%u.qcow2 model 2>&1", p,
                        top(r)->number) != 0)
            wrong(r, "QEMU reads something else");
        for (unsigned i = 0; i < r->depth; i++)
            if (img_tool_sh(r->t, "$Q check %c%u.qcow2 2>&1", p, r->chain[i].number) != 0)
                wrong(r, "qemu-img check finds something");
    }
    for (unsigned i = 0; i < r->nsnaps; i++) {
        memcpy(r->disk, r->snap[i].disk, r->snap[i].size);
        note(r, "  snapshot %s at the end\n", r->snap[i].name);
        both(r, "$I snapshot -a %s ${P}%u.qcow2", r->snap[i].name, top(r)->number);
        top(r)->size = r->snap[i].size;
        assert_model(r);
    }
}

static void one_image(struct run *r, uint64_t seed)
{
    static void (*const steps[])(struct run *) = {
        step_write,  step_write,   step_write,   step_write,  step_snapshot, step_snapshot,
        step_resize, step_overlay, step_overlay, step_commit, step_rebase,   step_convert};
    memset(r->log, 0, sizeof(r->log));
    r->seed = seed;
    r->rnd = seed * 0x9e3779b97f4a7c15u;
    r->files = 0;
    r->swapped = below(r, 2);
    step_create(r);
    for (unsigned i = 0; i < STEPS; i++) {
        r->swapped = below(r, 2);
        steps[below(r, sizeof(steps) / sizeof(steps[0]))](r);
        assert_model(r);
    }
    assert_qemu(r);
    img_tool_sh(r->t, "rm -f *.qcow2 *.raw model");
}

static void both_programs_agree_on_random_images(void **state)
{
    struct img_tool *t = *state;
    const char *n = getenv("IMAGES"), *seed = getenv("SEED");
    unsigned count = n ? (unsigned)atoi(n) : 20;
    uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
    struct run *r = calloc(1, sizeof(*r));
    if (!t->tool || !t->qemu) {
        print_message("skipped: retrace-img or qemu-img cannot be run (package qemu-utils)\n");
        free(r);
        skip();
    }
    r->t = t;
    for (unsigned i = 0; i < count; i++) {
        one_image(r, first + i);
        if (n && i % 10 == 9)
            print_message("%u of %u images\n", i + 1, count);
    }
    free(r);
}

static int setup(void **state)
{
    static struct img_tool t;
    img_tool_setup(&t);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    img_tool_remove(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_programs_agree_on_random_images, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
