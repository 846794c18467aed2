/*
 * Damaged and crafted qcow2 images: bytes of the metadata are changed at random, and everything is
 * done with the image that can be done. Nothing may crash, hang or leave the two files; a refusal
 * is one sentence. Run under the address sanitizer this is the fuzz test; QCOW2_FUZZ=N makes it
 * longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "disk/image.h"
#include "disk/qcow2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The host's disk is not under test here, and waiting for it takes most of the time. */
int fdatasync(int fd);
int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

enum { SIZE = 200 * 1024, MAX_FILE = 1 << 20 };

static struct {
    char dir[32], path[64], base[64];
    uint8_t image[4][MAX_FILE];
    size_t len[4];
    uint64_t seed;
} fz;

static unsigned rnd(unsigned below)
{
    fz.seed = fz.seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(fz.seed >> 33) % below;
}

static struct error err_of_setup;

static void must(enum emu_err rc)
{
    if (rc != EMU_OK)
        print_message("%s\n", err_of_setup.text);
    assert_int_equal(rc, EMU_OK);
}

/* Images with everything: snapshots, compressed, zero and shared clusters, a backing file. */
static void make(unsigned which)
{
    static uint8_t data[SIZE];
    struct qcow2_create how = qcow2_create_default;
    struct blk *b;
    FILE *f;
    how.size = SIZE;
    how.cluster_bits = which == 2 ? 12 : 9;
    how.version = which == 1 ? 2 : 3;
    how.refcount_order = which == 3 ? 2 : 4;
    if (which < 2)
        how.backing = fz.base;
    how.backing_format = "raw";
    memset(data, 7, sizeof(data));
    must(qcow2_create(fz.path, &how, &err_of_setup));
    must(image_open(fz.path, NULL, 0, &b, &err_of_setup));
    must(blk_write(b, 3000, data, 50000, &err_of_setup));
    must(qcow2_write_compressed(b, 65536, data, 512, &err_of_setup));
    must(qcow2_write_compressed(b, 69632, data, 512, &err_of_setup));
    must(qcow2_snapshot_create(b, "one", 1, &err_of_setup));
    must(blk_write(b, 10000, data, 20000, &err_of_setup));
    must(blk_zero(b, 30000, 9000, &err_of_setup));
    must(blk_close(b, &err_of_setup));
    f = fopen(fz.path, "rb");
    assert_non_null(f);
    fz.len[which] = fread(fz.image[which], 1, MAX_FILE, f);
    fclose(f);
    unlink(fz.path);
}

static int setup(void **state)
{
    (void)state;
    strcpy(fz.dir, "/tmp/qcow2-XXXXXX");
    assert_non_null(mkdtemp(fz.dir));
    snprintf(fz.path, sizeof(fz.path), "%s/a", fz.dir);
    snprintf(fz.base, sizeof(fz.base), "%s/base", fz.dir);
    must(raw_create(fz.base, 100000, &err_of_setup));
    for (unsigned i = 0; i < 4; i++)
        make(i);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(fz.path);
    unlink(fz.base);
    return rmdir(fz.dir);
}

static const uint8_t *damaged(unsigned which, size_t *len)
{
    static uint8_t copy[MAX_FILE];
    static const uint8_t odd[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x40, 0xc0};
    *len = fz.len[which];
    memcpy(copy, fz.image[which], *len);
    for (unsigned n = 1 + rnd(6); n > 0; n--) {
        size_t at = rnd(3) == 0 ? rnd(120)
                    : rnd(2)    ? 512 * rnd((unsigned)(*len / 512)) + rnd(64)
                                : rnd((unsigned)*len);
        copy[at] = rnd(2) ? odd[rnd(sizeof(odd))] : (uint8_t)rnd(256);
    }
    if (rnd(10) == 0) /* a table entry of another place */
        memcpy(copy + 8 * rnd((unsigned)(*len / 8)), copy + 8 * rnd((unsigned)(*len / 8)), 8);
    if (rnd(20) == 0)
        *len = rnd((unsigned)*len);
    return copy;
}

static void quiet(enum emu_err rc, const struct error *err)
{
    if (rc != EMU_OK) { /* one sentence, no rubbish */
        assert_true(strlen(err->text) > 10);
        for (const char *p = err->text; *p; p++)
            assert_true((uint8_t)*p >= ' ' || (uint8_t)*p >= 0x80);
    }
}

static void try_all(unsigned flags)
{
    static uint8_t data[SIZE];
    struct error err = {0};
    struct blk *b;
    struct qcow2_check c = {0};
    struct blk_extent e;
    enum emu_err rc = image_open(fz.path, "qcow2", flags, &b, &err);
    quiet(rc, &err);
    if (rc != EMU_OK)
        return;
    size_t n = b->size < SIZE ? (size_t)b->size : SIZE;
    quiet(blk_read(b, 0, data, n, &err), &err);
    quiet(qcow2_check(b, QCOW2_REPAIR_NONE, &c, &err), &err);
    for (uint64_t at = 0, k = 0; at < b->size && k < 1000; at += e.len, k++)
        if (blk_extent(b, at, b->size - at, &e, &err) != EMU_OK || e.len == 0)
            break;
    if (!b->read_only) {
        for (unsigned i = 0; i < 5 && n > 9000; i++) {
            unsigned at = rnd((unsigned)n - 8999);
            quiet(blk_write(b, at, data, 1 + rnd(8999), &err), &err);
            at = rnd((unsigned)n - 8999);
            quiet(blk_zero(b, at, 1 + rnd(8999), &err), &err);
        }
        if (n > 1024)
            quiet(qcow2_write_compressed(b, 0, data, 512, &err), &err);
        quiet(blk_flush(b, &err), &err);
        struct qcow2_info info;
        qcow2_info(b, &info);
        quiet(qcow2_snapshot_create(b, "new", 1, &err), &err);
        if (info.nb_snapshots && info.nb_snapshots < 10)
            quiet(rnd(2) ? qcow2_snapshot_apply(b, 0, &err) : qcow2_snapshot_delete(b, 0, &err),
                  &err);
        if (b->size < 1u << 30)
            quiet(blk_resize(b, b->size + 100000, &err), &err);
        if (rnd(3) == 0)
            quiet(qcow2_check(b, QCOW2_REPAIR_ALL, &c, &err), &err);
    }
    quiet(blk_close(b, &err), &err);
}

static void damaged_images_give_sentences_and_no_crashes(void **state)
{
    (void)state;
    const char *more = getenv("QCOW2_FUZZ");
    unsigned rounds = more ? (unsigned)strtoul(more, NULL, 10) : 1500;
    unsigned first =
        getenv("QCOW2_FUZZ_SEED") ? (unsigned)strtoul(getenv("QCOW2_FUZZ_SEED"), NULL, 10) : 1;
    static const unsigned flags[] = {0, 0, IMAGE_READ_ONLY, IMAGE_FOR_CHECK, IMAGE_TOP_ONLY};
    for (unsigned i = first; i < first + rounds; i++) {
        size_t len;
        fz.seed = i;
        rnd(2);
        const uint8_t *image = damaged(rnd(4), &len);
        unlink(fz.path);
        FILE *f = fopen(fz.path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(image, 1, len, f), len);
        fclose(f);
        if (getenv("QCOW2_FUZZ_SAY"))
            fprintf(stderr, "seed %u\n", i);
        try_all(flags[rnd(5)]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_images_give_sentences_and_no_crashes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
