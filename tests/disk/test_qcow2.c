/*
 * qcow2 images: random operations against a model in memory, what QEMU's tools say of the results
 * and what is read of theirs (skipped where qemu-img is not installed), refusals, locks, backing
 * files. Formats and values: qcow2 spec (QEMU docs/interop/qcow2).
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
#include <sys/wait.h>
#include <unistd.h>

/* The host's disk is not under test here, and waiting for it takes most of the time. */
int fdatasync(int fd);
int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

struct fixture {
    char dir[32], a[64], b[64], c[64];
    struct error err;
    bool qemu;
};

static int setup(void **state)
{
    static struct fixture f;
    strcpy(f.dir, "/tmp/qcow2-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.a, sizeof(f.a), "%s/a", f.dir);
    snprintf(f.b, sizeof(f.b), "%s/b", f.dir);
    snprintf(f.c, sizeof(f.c), "%s/c", f.dir);
    f.err.text[0] = 0;
    f.qemu = system("qemu-img --version >/dev/null 2>&1") == 0;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    return system(command);
}

/* Runs a shell command in the fixture's directory; its exit status. */
static int sh(const struct fixture *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int sh(const struct fixture *f, const char *fmt, ...)
{
    char text[512], all[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    snprintf(all, sizeof(all), "cd %s && { %s; } >/dev/null 2>&1", f->dir, text);
    int status = system(all);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void need_qemu(const struct fixture *f)
{
    if (!f->qemu) {
        print_message("skipped: qemu-img is not installed (package qemu-utils)\n");
        skip();
    }
}

#define OK(e)                                                                                      \
    do {                                                                                           \
        enum emu_err rc_ = (e);                                                                    \
        if (rc_ != EMU_OK)                                                                         \
            print_message("%s\n", f->err.text);                                                    \
        assert_int_equal(rc_, EMU_OK);                                                             \
    } while (0)

static struct blk *open_image(struct fixture *f, const char *path, unsigned flags)
{
    struct blk *b = NULL;
    OK(image_open(path, NULL, flags, &b, &f->err));
    return b;
}

static void print_line(void *arg, const char *line)
{
    (void)arg;
    print_message("%s\n", line);
}

/* Neither corruptions nor leaks. */
static void assert_clean(struct fixture *f, struct blk *b)
{
    struct qcow2_check c = {.say = print_line};
    OK(qcow2_check(b, QCOW2_REPAIR_NONE, &c, &f->err));
    assert_int_equal(c.corruptions, 0);
    assert_int_equal(c.leaks, 0);
}

static void create(struct fixture *f, const char *path, const struct qcow2_create *how)
{
    OK(qcow2_create(path, how, &f->err));
}

static struct qcow2_create plain(uint64_t size)
{
    struct qcow2_create how = qcow2_create_default;
    how.size = size;
    return how;
}

static void write_file(const char *path, const uint8_t *data, size_t len)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, len, out), len);
    fclose(out);
}

/* --- random operations against a model --- */

enum { MODEL_MAX = 600000, MODEL_SNAPSHOTS = 4 };

struct model {
    uint8_t disk[MODEL_MAX], snap[MODEL_SNAPSHOTS][MODEL_MAX];
    size_t size, snap_size[MODEL_SNAPSHOTS];
    unsigned nsnaps;
    uint64_t seed;
};

static unsigned rnd(struct model *m, unsigned below)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(m->seed >> 33) % below;
}

static void model_range(struct model *m, size_t *at, size_t *len)
{
    *at = rnd(m, (unsigned)m->size);
    size_t most = m->size - *at;
    *len = rnd(m, 4) ? 1 + rnd(m, 5000) : 1 + rnd(m, 200000);
    *len = *len < most ? *len : most;
    if (rnd(m, 2)) {
        *at &= ~(size_t)4095;
        *len = *len < 4096 ? *len : *len & ~(size_t)4095;
    }
}

static void op_write(struct fixture *f, struct model *m, struct blk *b)
{
    size_t at, len;
    model_range(m, &at, &len);
    uint8_t value = (uint8_t)rnd(m, 256);
    for (size_t i = 0; i < len; i++)
        m->disk[at + i] = (uint8_t)(value + (i >> 9));
    OK(blk_write(b, at, m->disk + at, len, &f->err));
}

static void op_zero(struct fixture *f, struct model *m, struct blk *b, bool discard)
{
    size_t at, len;
    model_range(m, &at, &len);
    if (discard) {
        OK(blk_discard(b, at, len, &f->err)); /* what is read then is the format's choice */
        OK(blk_read(b, at, m->disk + at, len, &f->err));
        return;
    }
    memset(m->disk + at, 0, len);
    OK(blk_zero(b, at, len, &f->err));
}

static void op_compressed(struct fixture *f, struct model *m, struct blk *b)
{
    struct qcow2_info info;
    qcow2_info(b, &info);
    size_t at = rnd(m, (unsigned)m->size) / info.cluster_size * info.cluster_size;
    size_t len = m->size - at < info.cluster_size ? m->size - at : info.cluster_size;
    bool random = rnd(m, 4) == 0;
    for (size_t i = 0; i < len; i++)
        m->disk[at + i] = (uint8_t)(random ? rnd(m, 256) : i >> 6);
    OK(qcow2_write_compressed(b, at, m->disk + at, len, &f->err));
}

static void op_snapshot(struct fixture *f, struct model *m, struct blk *b)
{
    char name[16];
    unsigned what = rnd(m, 3), i = m->nsnaps ? rnd(m, m->nsnaps) : 0;
    if (what == 0 && m->nsnaps < MODEL_SNAPSHOTS) {
        snprintf(name, sizeof(name), "s%u", rnd(m, 1000000));
        OK(qcow2_snapshot_create(b, name, 1, &f->err));
        memcpy(m->snap[m->nsnaps], m->disk, m->size);
        m->snap_size[m->nsnaps++] = m->size;
    } else if (what == 1 && m->nsnaps) {
        OK(qcow2_snapshot_apply(b, i, &f->err));
        m->size = m->snap_size[i];
        memcpy(m->disk, m->snap[i], m->size);
    } else if (m->nsnaps) {
        OK(qcow2_snapshot_delete(b, i, &f->err));
        for (m->nsnaps--; i < m->nsnaps; i++) {
            memcpy(m->snap[i], m->snap[i + 1], m->snap_size[i + 1]);
            m->snap_size[i] = m->snap_size[i + 1];
        }
    }
}

static void op_resize(struct fixture *f, struct model *m, struct blk *b)
{
    size_t size = 512 * (1 + rnd(m, MODEL_MAX / 512 - 1));
    struct qcow2_info info;
    qcow2_info(b, &info);
    if (info.version == 2)
        return;
    if (size > m->size)
        memset(m->disk + m->size, 0, size - m->size);
    OK(blk_resize(b, size, &f->err));
    m->size = size;
}

static void assert_model(struct fixture *f, struct model *m, struct blk *b)
{
    static uint8_t back[MODEL_MAX];
    assert_int_equal(b->size, m->size);
    OK(blk_read(b, 0, back, m->size, &f->err));
    assert_memory_equal(back, m->disk, m->size);
}

static void one_op(struct fixture *f, struct model *m, struct blk **b)
{
    switch (rnd(m, 12)) {
    case 0: op_zero(f, m, *b, false); break;
    case 1: op_zero(f, m, *b, true); break;
    case 2: op_compressed(f, m, *b); break;
    case 3: op_snapshot(f, m, *b); break;
    case 4: OK(blk_flush(*b, &f->err)); break;
    case 5:
        OK(blk_close(*b, &f->err));
        *b = open_image(f, f->a, 0);
        break;
    case 6:
        if (rnd(m, 4) == 0)
            op_resize(f, m, *b);
        break;
    default: op_write(f, m, *b);
    }
}

static void random_image(struct fixture *f, struct model *m, unsigned seed)
{
    static const uint8_t orders[] = {4, 4, 4, 5, 6, 3};
    struct qcow2_create how =
        plain((1 + seed * 7919u % (MODEL_MAX / 512 - 1)) * 512); /* QEMU: sectors */
    memset(m, 0, sizeof(*m));
    m->seed = seed;
    m->size = (size_t)how.size;
    how.cluster_bits = 9 + rnd(m, 8);
    how.version = rnd(m, 4) ? 3 : 2;
    how.refcount_order = how.version == 2 ? 4 : orders[rnd(m, sizeof(orders))];
#ifdef HAVE_ZSTD
    how.compression = how.version == 3 && rnd(m, 2) ? QCOW2_ZSTD : QCOW2_ZLIB;
#endif
    unlink(f->a);
    if (rnd(m, 2)) { /* over a raw file of another size */
        size_t n = 1 + rnd(m, MODEL_MAX - 1);
        for (size_t i = 0; i < n; i++)
            m->disk[i] = (uint8_t)(i / 300 * 7);
        write_file(f->b, m->disk, n);
        memset(m->disk + n, 0, MODEL_MAX - n);
        how.backing = f->b;
        how.backing_format = "raw";
    }
    create(f, f->a, &how);
}

static void random_operations_read_back_what_a_model_says(void **state)
{
    struct fixture *f = *state;
    struct model *m = malloc(sizeof(*m));
    const char *more = getenv("QCOW2_RUNS");
    for (unsigned seed = 1; seed <= (more ? (unsigned)atoi(more) : 30); seed++) {
        random_image(f, m, seed);
        struct blk *b = open_image(f, f->a, 0);
        for (unsigned i = 0; i < 60; i++) {
            one_op(f, m, &b);
            if (i % 10 == 9)
                assert_model(f, m, b);
        }
        assert_model(f, m, b);
        assert_clean(f, b);
        for (unsigned i = 0; i < m->nsnaps; i++) { /* each snapshot still has its contents */
            OK(qcow2_snapshot_apply(b, i, &f->err));
            m->size = m->snap_size[i];
            memcpy(m->disk, m->snap[i], m->size);
            assert_model(f, m, b);
        }
        OK(blk_close(b, &f->err));
        if (!f->qemu)
            continue;
        write_file(f->c, m->disk, m->size);
        if (sh(f, "qemu-img check a") != 0)
            fail_msg("qemu-img check refuses the image of seed %u", seed);
        if (sh(f, "qemu-img compare -f qcow2 -F raw a c") != 0)
            fail_msg("QEMU reads the image of seed %u otherwise", seed);
    }
    free(m);
}

/* --- images made by QEMU --- */

static void read_theirs(struct fixture *f, const char *options, const char *convert_flags)
{
    static uint8_t data[3000 * 512], back[sizeof(data)];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i / 100000 % 3 == 1 ? 0 : (i * 2654435761u) >> (i / 500000 * 4 + 8));
    write_file(f->c, data, sizeof(data));
    unlink(f->a);
    if (sh(f, "qemu-img convert %s -f raw -O qcow2 -o %s c a", convert_flags, options) != 0)
        fail_msg("qemu-img cannot make %s %s", options, convert_flags);
    struct blk *b = open_image(f, f->a, 0);
    assert_clean(f, b);
    assert_int_equal(b->size, sizeof(data));
    OK(blk_read(b, 0, back, sizeof(back), &f->err));
    assert_memory_equal(back, data, sizeof(data));
    memset(data + 70000, 0x77, 123456); /* and write into it */
    OK(blk_write(b, 70000, data + 70000, 123456, &f->err));
    OK(blk_close(b, &f->err));
    write_file(f->c, data, sizeof(data));
    assert_int_equal(sh(f, "qemu-img check a"), 0);
    assert_int_equal(sh(f, "qemu-img compare -f qcow2 -F raw a c"), 0);
}

static void images_made_by_qemu_img_are_read_and_written(void **state)
{
    struct fixture *f = *state;
    static const char *const options[] = {
        "compat=1.1",
        "compat=0.10",
        "cluster_size=512",
        "cluster_size=2M",
        "refcount_bits=1",
        "refcount_bits=64,cluster_size=512",
        "lazy_refcounts=on",
        "preallocation=metadata",
        "preallocation=full,compat=0.10",
#ifdef HAVE_ZSTD
        "compression_type=zstd",
#endif
    };
    need_qemu(f);
    for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        read_theirs(f, options[i], "");
        if (!strstr(options[i], "preallocation"))
            read_theirs(f, options[i], "-c");
    }
}

static void snapshots_go_both_ways(void **state)
{
    struct fixture *f = *state;
    uint8_t byte[1];
    need_qemu(f);
    assert_int_equal(sh(f, "qemu-img create -f qcow2 a 10M && qemu-io -c 'write -P 17 0 1M' a && "
                           "qemu-img snapshot -c theirs a && qemu-io -c 'write -P 34 0 64k' a"),
                     0);
    struct blk *b = open_image(f, f->a, 0);
    assert_string_equal(qcow2_snapshot_at(b, 0)->name, "theirs");
    OK(qcow2_snapshot_create(b, "ours", 1700000000ull * NS_PER_SECOND, &f->err));
    OK(qcow2_snapshot_apply(b, 0, &f->err));
    OK(blk_read(b, 5, byte, 1, &f->err));
    assert_int_equal(byte[0], 17);
    OK(blk_close(b, &f->err));
    assert_int_equal(sh(f, "qemu-img check a && qemu-img snapshot -a ours a && "
                           "qemu-io -c 'read -P 34 0 64k' -c 'read -P 17 64k 900k' a && "
                           "qemu-img snapshot -d theirs a && qemu-img check a"),
                     0);
    b = open_image(f, f->a, 0);
    assert_clean(f, b);
    assert_int_equal(qcow2_snapshot_find(b, "theirs"), -1);
    assert_int_equal(qcow2_snapshot_find(b, "2"), 0);
    OK(blk_close(b, &f->err));
}

static void an_image_left_dirty_by_lazy_refcounts_is_repaired_when_it_is_opened(void **state)
{
    struct fixture *f = *state;
    uint8_t byte;
    need_qemu(f);
    /* The process is killed before the refcounts are written. */
    sh(f, "qemu-img create -f qcow2 -o lazy_refcounts=on a 10M && "
          "qemu-io -c 'write -P 85 0 2M' -c flush -c 'sigraise 9' a");
    struct blk *b = open_image(f, f->a, IMAGE_READ_ONLY);
    struct qcow2_info info;
    qcow2_info(b, &info);
    assert_true(info.dirty);
    blk_close(b, NULL);
    b = open_image(f, f->a, 0);
    qcow2_info(b, &info);
    assert_false(info.dirty);
    assert_clean(f, b);
    OK(blk_read(b, 1 << 20, &byte, 1, &f->err));
    assert_int_equal(byte, 85);
    OK(blk_close(b, &f->err));
    assert_int_equal(sh(f, "qemu-img check a"), 0);
}

/* --- the header, spec "Header" --- */

static void poke(const char *path, long at, uint8_t value)
{
    FILE *out = fopen(path, "r+b");
    assert_non_null(out);
    fseek(out, at, SEEK_SET);
    fputc(value, out);
    fclose(out);
}

static void assert_refused(struct fixture *f, unsigned flags, const char *word)
{
    struct blk *b;
    assert_int_not_equal(image_open(f->a, NULL, flags, &b, &f->err), EMU_OK);
    if (!strstr(f->err.text, word))
        fail_msg("\"%s\" does not say \"%s\"", f->err.text, word);
}

static void unknown_features_are_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1 << 20);
    create(f, f->a, &how);
    poke(f->a, 79, 4); /* incompatible_features, bit 2 */
    assert_refused(f, 0, "external data file");
    poke(f->a, 79, 16);
    assert_refused(f, IMAGE_READ_ONLY, "extended L2 entries");
    poke(f->a, 79, 0);
    poke(f->a, 78, 1);
    assert_refused(f, 0, "incompatible feature bit 8");
    poke(f->a, 78, 0);
    poke(f->a, 35, 2); /* crypt_method */
    assert_refused(f, 0, "encryption");
}

static void a_corrupt_image_can_be_read_but_not_written_until_it_is_repaired(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1 << 20);
    create(f, f->a, &how);
    poke(f->a, 79, 2);
    assert_refused(f, 0, "marked as corrupt");
    blk_close(open_image(f, f->a, IMAGE_READ_ONLY), NULL);
    struct blk *b = open_image(f, f->a, IMAGE_FOR_CHECK);
    struct qcow2_check c = {0};
    OK(qcow2_check(b, QCOW2_REPAIR_ALL, &c, &f->err));
    OK(blk_close(b, &f->err));
    blk_close(open_image(f, f->a, 0), NULL);
}

static void lost_refcounts_are_found_and_repaired(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1 << 20);
    static uint8_t data[300000], back[sizeof(data)];
    memset(data, 3, sizeof(data));
    create(f, f->a, &how);
    struct blk *b = open_image(f, f->a, 0);
    OK(blk_write(b, 0, data, sizeof(data), &f->err));
    OK(blk_close(b, &f->err));
    for (long i = 0; i < 20; i++)
        poke(f->a, 2 * 65536 + i, 0); /* the first refcount block */
    b = open_image(f, f->a, IMAGE_FOR_CHECK);
    struct qcow2_check c = {0};
    OK(qcow2_check(b, QCOW2_REPAIR_NONE, &c, &f->err));
    assert_true(c.corruptions > 5);
    OK(qcow2_check(b, QCOW2_REPAIR_ALL, &c, &f->err));
    assert_int_equal(c.corruptions, 0);
    assert_true(c.corruptions_fixed > 5);
    assert_clean(f, b);
    OK(blk_read(b, 0, back, sizeof(back), &f->err));
    assert_memory_equal(back, data, sizeof(data));
    OK(blk_close(b, &f->err));
    if (f->qemu)
        assert_int_equal(sh(f, "qemu-img check a"), 0);
}

/* --- chains and locks --- */

static void an_overlay_shows_its_backing_file_and_hides_what_is_beyond_it(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1 << 20);
    uint8_t data[70000], back[70000];
    memset(data, 0xab, sizeof(data));
    write_file(f->b, data, sizeof(data));
    how.backing = "b"; /* relative to the image */
    how.backing_format = "raw";
    create(f, f->a, &how);
    struct blk *b = open_image(f, f->a, 0);
    OK(blk_write(b, 1000, "x", 1, &f->err));
    OK(blk_read(b, 0, back, sizeof(back), &f->err));
    data[1000] = 'x';
    assert_memory_equal(back, data, sizeof(data));
    OK(blk_read(b, 70000, back, sizeof(back), &f->err));
    memset(data, 0, sizeof(data));
    assert_memory_equal(back, data, sizeof(data));
    OK(blk_close(b, &f->err));
    assert_refused(f, IMAGE_NO_BACKING, "backing files are denied");
}

static void a_chain_that_leads_back_to_itself_is_refused(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1 << 20);
    how.backing_format = "qcow2";
    how.backing = "b";
    create(f, f->a, &how);
    how.backing = "a";
    create(f, f->b, &how);
    assert_refused(f, 0, "leads back");
}

static void a_backing_file_on_another_host_is_refused(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1 << 20);
    how.backing = "nbd://example.org/disk";
    how.backing_format = "raw";
    create(f, f->a, &how);
    assert_refused(f, IMAGE_READ_ONLY, "not a file on this host");
}

static void a_backing_file_that_changed_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1 << 20);
    struct host_file_mark mark;
    write_file(f->b, (const uint8_t *)"1234", 4);
    how.backing = "b";
    how.backing_format = "raw";
    create(f, f->a, &how);
    struct blk *b = open_image(f, f->a, 0);
    assert_null(image_notice(b));
    OK(host_file_mark(f->b, &mark, &f->err));
    OK(qcow2_record_backing(b, &mark, &f->err));
    OK(blk_close(b, &f->err));
    b = open_image(f, f->a, 0);
    assert_null(image_notice(b));
    OK(blk_close(b, &f->err));
    write_file(f->b, (const uint8_t *)"12345", 5);
    b = open_image(f, f->a, 0);
    assert_non_null(image_notice(b));
    assert_non_null(strstr(image_notice(b), "changed"));
    OK(blk_close(b, &f->err));
    if (f->qemu) /* QEMU keeps our record, and needs it not */
        assert_int_equal(sh(f, "qemu-img check a && qemu-img info a"), 0);
}

static void two_writers_are_refused_and_the_other_is_named(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1 << 20);
    int ready[2], done[2];
    char byte, pid[32];
    create(f, f->a, &how);
    assert_int_equal(pipe(ready) | pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        struct blk *b;
        bool ok = image_open(f->a, NULL, 0, &b, NULL) == EMU_OK;
        _exit(write(ready[1], "x", 1) == 1 && read(done[0], &byte, 1) == 1 && ok ? 0 : 1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_refused(f, 0, "in use");
    assert_refused(f, IMAGE_READ_ONLY, "in use");
    snprintf(pid, sizeof(pid), "process %d", (int)child);
    if (access("/proc/locks", R_OK) == 0 && !strstr(f->err.text, pid))
        print_message("the other process is not named: %s\n", f->err.text);
    blk_close(open_image(f, f->a, IMAGE_READ_ONLY | IMAGE_UNLOCKED), NULL);
    assert_int_equal(write(done[1], "x", 1), 1);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    blk_close(open_image(f, f->a, 0), NULL);
}

static void a_template_is_not_written_while_its_clones_exist(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1 << 20);
    create(f, f->a, &how);
    create(f, f->b, &how);
    OK(template_add(f->a, "b", &f->err));
    assert_refused(f, 0, "linked clones");
    blk_close(open_image(f, f->a, IMAGE_READ_ONLY), NULL);
    OK(template_check(f->a, f->b, &f->err));
    unlink(f->b);
    blk_close(open_image(f, f->a, 0), NULL);
}

/* The attack: a guest writes a header that names a file of the host, and the next start, which
 * finds out the format from the first bytes, gives it that file. */
static void a_raw_image_found_by_probing_cannot_become_another_format(void **state)
{
    struct fixture *f = *state;
    uint8_t sector[512] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};
    write_file(f->a, (const uint8_t[512]){0}, 512);
    struct blk *b = open_image(f, f->a, 0);
    assert_int_equal(blk_write(b, 0, sector, 512, &f->err), EMU_IO);
    assert_int_equal(blk_write(b, 0, sector, 4, &f->err), EMU_OK); /* no known version: harmless */
    assert_int_equal(blk_write(b, 4, sector + 4, 4, &f->err), EMU_IO);
    OK(blk_close(b, &f->err));
    OK(image_open(f->a, "raw", 0, &b, &f->err)); /* the user said so */
    OK(blk_write(b, 0, sector, 512, &f->err));
    OK(blk_close(b, &f->err));
}

static void a_large_image_takes_no_time_and_no_space(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = plain(1ull << 40);
    struct qcow2_info info;
    create(f, f->a, &how);
    struct blk *b = open_image(f, f->a, 0);
    OK(blk_write(b, (1ull << 40) - 1, "x", 1, &f->err));
    OK(blk_flush(b, &f->err));
    qcow2_info(b, &info);
    assert_true(info.file_bytes < 1 << 20);
    assert_clean(f, b);
    OK(blk_close(b, &f->err));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(random_operations_read_back_what_a_model_says),
        T(images_made_by_qemu_img_are_read_and_written),
        T(snapshots_go_both_ways),
        T(an_image_left_dirty_by_lazy_refcounts_is_repaired_when_it_is_opened),
        T(unknown_features_are_refused_by_name),
        T(a_corrupt_image_can_be_read_but_not_written_until_it_is_repaired),
        T(lost_refcounts_are_found_and_repaired),
        T(an_overlay_shows_its_backing_file_and_hides_what_is_beyond_it),
        T(a_chain_that_leads_back_to_itself_is_refused),
        T(a_backing_file_on_another_host_is_refused),
        T(a_backing_file_that_changed_is_noticed),
        T(two_writers_are_refused_and_the_other_is_named),
        T(a_template_is_not_written_while_its_clones_exist),
        T(a_raw_image_found_by_probing_cannot_become_another_format),
        T(a_large_image_takes_no_time_and_no_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
