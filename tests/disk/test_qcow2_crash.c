/*
 * qcow2 against a host that fails: the process dies at every host write in turn, the power fails
 * and takes any of the unsynced sectors with it, the disk is full, writes fail or come back short.
 * Afterwards the check finds no corruption, and everything that was flushed is there.
 *
 * pwrite, fdatasync and ftruncate are replaced here for the whole program. What the power leaves is
 * made from a copy of the file as of the last sync: each sector that differs is old or new by
 * chance.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "disk/image.h"
#include "disk/qcow2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 300 * 1024 + 512, CLUSTER_BITS = 9, MAX_FILE = 4 << 20 };

static struct {
    long until; /* host writes until `how` happens; 0: never */
    enum { NOTHING, DIE, FAIL, SHORT } how;
    int error;       /* of FAIL */
    long count;      /* host writes seen */
    char path[64];   /* the file under test */
    uint8_t *synced; /* its contents at the last sync */
    size_t synced_len;
    unsigned power; /* seed of what the power takes; 0: the host survives */
} host;

static size_t slurp(const char *path, uint8_t *to)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(to, 1, MAX_FILE, f) : 0;
    if (f)
        fclose(f);
    return n;
}

static unsigned chance(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void power_fails(void)
{
    static uint8_t now[MAX_FILE];
    unsigned seed = host.power;
    size_t len = slurp(host.path, now);
    for (size_t at = 0; at < len; at += 512) {
        static const uint8_t zeros[512];
        const uint8_t *old = at + 512 <= host.synced_len ? host.synced + at : zeros;
        if (at + 512 <= len && memcmp(now + at, old, 512) != 0 && chance(&seed) % 2)
            memcpy(now + at, old, 512);
    }
    FILE *f = fopen(host.path, "r+b");
    if (f && fwrite(now, 1, len, f) == len)
        fclose(f);
}

static void die(void)
{
    if (host.power)
        power_fails();
    _exit(42);
}

ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at);
ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at)
{
    host.count++;
    if (host.until && --host.until == 0) {
        if (host.how == DIE)
            die();
        if (host.how == FAIL) {
            host.until = 1; /* and so on, until the test says otherwise */
            errno = host.error;
            return -1;
        }
    }
    if (host.how == SHORT && len > 1)
        len = len / 2;
    return syscall(SYS_pwrite64, fd, from, len, at);
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at);
ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
    return pwrite64(fd, from, len, at);
}

int fdatasync(int fd);
int fdatasync(int fd)
{
    struct stat a, b;
    if (host.synced && fstat(fd, &a) == 0 && stat(host.path, &b) == 0 && a.st_ino == b.st_ino)
        host.synced_len = slurp(host.path, host.synced);
    return 0;
}

/* --- the workload --- */

struct fixture {
    char dir[32], base[64];
    struct error err;
};

struct shared {
    uint8_t disk[SIZE];    /* what was flushed last */
    uint8_t allowed[SIZE]; /* 1: written after that; old and new contents are right */
    uint8_t pending[SIZE];
};

static int setup(void **state)
{
    static struct fixture f;
    memset(&host, 0, sizeof(host));
    strcpy(f.dir, "/tmp/qcow2-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    snprintf(host.path, sizeof(host.path), "%s/a.qcow2", f.dir);
    snprintf(f.base, sizeof(f.base), "%s/base", f.dir);
    f.err.text[0] = 0;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    host.how = NOTHING;
    host.until = 0;
    unlink(host.path);
    unlink(f->base);
    rmdir(f->dir);
    free(host.synced);
    return 0;
}

#define MUST(e)                                                                                    \
    do {                                                                                           \
        if ((e) != EMU_OK) {                                                                       \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, err.text);                          \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void put(struct blk *b, struct shared *s, unsigned at, unsigned len, uint8_t value)
{
    struct error err;
    memset(s->allowed + at, 1, len);
    memset(s->pending + at, value, len);
    MUST(blk_write(b, at, s->pending + at, len, &err));
}

static void flush(struct blk *b, struct shared *s)
{
    struct error err;
    MUST(blk_flush(b, &err));
    /* One moment for the parent: it looks only after this process is dead. */
    memcpy(s->disk, s->pending, SIZE);
    memset(s->allowed, 0, SIZE);
}

/* Everything that may change the tables, in 512-byte clusters: an L2 table has 64 entries, a
 * refcount block 256. */
static void workload(struct shared *s)
{
    struct error err;
    struct blk *b;
    MUST(image_open(host.path, NULL, 0, &b, &err));
    put(b, s, 0, 5000, 1);
    flush(b, s);
    put(b, s, 2000, 40000, 2);
    put(b, s, 100000, 512, 3);
    flush(b, s);
    MUST(qcow2_snapshot_create(b, "one", 1, &err));
    put(b, s, 1000, 3000, 4);
    flush(b, s);
    MUST(qcow2_snapshot_create(b, "two", 2, &err));
    put(b, s, 200000, 60000, 5);
    memset(s->allowed + 3000, 1, 8000);
    memset(s->pending + 3000, 0, 8000);
    MUST(blk_zero(b, 3000, 8000, &err));
    flush(b, s);
    MUST(qcow2_snapshot_delete(b, 0, &err));
    put(b, s, 150000, 20000, 6);
    flush(b, s);
    put(b, s, 0, 100, 7);
    MUST(blk_close(b, &err));
    memcpy(s->disk, s->pending, SIZE);
    memset(s->allowed, 0, SIZE);
}

static void make_image(unsigned version, unsigned refcount_order)
{
    struct error err;
    struct qcow2_create how = qcow2_create_default;
    how.size = SIZE;
    how.version = version;
    how.cluster_bits = CLUSTER_BITS;
    how.refcount_order = refcount_order;
    unlink(host.path); /* some hosts flush a file that is emptied and written again: slow */
    assert_int_equal(qcow2_create(host.path, &how, &err), EMU_OK);
}

static void print_line(void *arg, const char *line)
{
    (void)arg;
    if (strncmp(line, "Leaked", 6) != 0)
        print_message("%s\n", line);
}

static void assert_sound(struct fixture *f, const struct shared *s, long at)
{
    static uint8_t back[SIZE];
    struct qcow2_check c = {.say = print_line};
    struct blk *b;
    enum emu_err rc = image_open(host.path, NULL, 0, &b, &f->err);
    if (rc != EMU_OK)
        print_message("after write %ld: %s\n", at, f->err.text);
    assert_int_equal(rc, EMU_OK);
    rc = qcow2_check(b, QCOW2_REPAIR_NONE, &c, &f->err);
    if (rc != EMU_OK || c.corruptions)
        print_message("after write %ld: %llu corruptions\n", at, (unsigned long long)c.corruptions);
    assert_int_equal(rc, EMU_OK);
    assert_int_equal(c.corruptions, 0);
    assert_int_equal(blk_read(b, 0, back, SIZE, &f->err), EMU_OK);
    for (unsigned i = 0; i < SIZE; i++)
        if (back[i] != s->disk[i] && !s->allowed[i])
            fail_msg("after write %ld: byte %u is %u, but %u was flushed", at, i, back[i],
                     s->disk[i]);
    assert_int_equal(blk_close(b, &f->err), EMU_OK);
}

/* Runs the workload in a process that dies at host write `n`. False: it came to its end. */
static bool run_until(struct shared *s, long n, unsigned power)
{
    memset(s, 0, sizeof(*s));
    pid_t child = fork();
    if (child == 0) {
        host.how = DIE;
        host.until = n;
        host.power = power;
        host.synced = malloc(MAX_FILE);
        host.synced_len = slurp(host.path, host.synced);
        workload(s);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 42);
    return WEXITSTATUS(status) == 42;
}

static void die_everywhere(struct fixture *f, unsigned version, unsigned order, unsigned power)
{
    struct shared *s =
        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    bool died = true;
    long n;
    for (n = 1; died; n++) {
        make_image(version, order);
        died = run_until(s, n, power ? power + (unsigned)n : 0);
        assert_sound(f, s, n);
    }
    assert_true(n > 60); /* else the workload was not what it should be */
    munmap(s, sizeof(*s));
}

static void a_process_killed_at_any_write_leaves_a_sound_image(void **state)
{
    die_everywhere(*state, 3, 4, 0);
}

static void a_killed_process_leaves_a_sound_version_2_image(void **state)
{
    die_everywhere(*state, 2, 4, 0);
}

static void wide_refcounts_that_need_a_larger_table_are_crash_safe_too(void **state)
{
    die_everywhere(*state, 3, 6, 0);
}

static void power_that_fails_at_any_write_leaves_a_sound_image(void **state)
{
    for (unsigned seed = 1; seed <= 3; seed++)
        die_everywhere(*state, 3, 4, 1000 * seed);
}

/* --- commit and resize, killed --- */

static void resize_workload(void)
{
    struct error err;
    struct blk *b;
    MUST(image_open(host.path, NULL, 0, &b, &err));
    MUST(blk_resize(b, 40 << 20, &err));
    MUST(blk_resize(b, 100000, &err));
    MUST(qcow2_make_empty(b, &err));
    MUST(blk_close(b, &err));
}

static void a_resize_killed_at_any_write_leaves_a_sound_image(void **state)
{
    struct fixture *f = *state;
    static uint8_t data[SIZE], back[100000];
    bool died = true;
    for (long n = 1; died; n++) {
        struct blk *b;
        make_image(3, 4);
        memset(data, 0x5a, sizeof(data));
        assert_int_equal(image_open(host.path, NULL, 0, &b, &f->err), EMU_OK);
        assert_int_equal(blk_write(b, 0, data, SIZE, &f->err), EMU_OK);
        assert_int_equal(qcow2_snapshot_create(b, "kept", 1, &f->err), EMU_OK);
        assert_int_equal(blk_close(b, &f->err), EMU_OK);
        pid_t child = fork();
        if (child == 0) {
            host.how = DIE;
            host.until = n;
            resize_workload();
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
        died = WEXITSTATUS(status) == 42;
        struct qcow2_check c = {.say = print_line};
        assert_int_equal(image_open(host.path, NULL, 0, &b, &f->err), EMU_OK);
        assert_int_equal(qcow2_check(b, QCOW2_REPAIR_NONE, &c, &f->err), EMU_OK);
        assert_int_equal(c.corruptions, 0);
        assert_int_equal(qcow2_snapshot_apply(b, 0, &f->err), EMU_OK);
        assert_int_equal(b->size, SIZE);
        assert_int_equal(blk_read(b, 0, back, sizeof(back), &f->err), EMU_OK);
        assert_memory_equal(back, data, sizeof(back));
        assert_int_equal(qcow2_check(b, QCOW2_REPAIR_NONE, &c, &f->err), EMU_OK);
        assert_int_equal(c.corruptions, 0);
        assert_int_equal(blk_close(b, &f->err), EMU_OK);
    }
}

/* --- errors that the host reports --- */

static void fail_at(struct fixture *f, long n, int error)
{
    static uint8_t data[60000], back[60000], old[SIZE];
    struct blk *b;
    make_image(3, 4);
    memset(old, 9, sizeof(old));
    memset(data, 7, sizeof(data));
    assert_int_equal(image_open(host.path, NULL, 0, &b, &f->err), EMU_OK);
    assert_int_equal(blk_write(b, 0, old, 30000, &f->err), EMU_OK);
    assert_int_equal(blk_flush(b, &f->err), EMU_OK);
    host.how = FAIL;
    host.error = error;
    host.until = n;
    enum emu_err wrote = blk_write(b, 20000, data, sizeof(data), &f->err);
    enum emu_err flushed = blk_flush(b, &f->err);
    if (wrote != EMU_OK || flushed != EMU_OK) {
        assert_non_null(strstr(f->err.text, strerror(error)));
        assert_non_null(strstr(f->err.text, host.path));
    }
    host.how = NOTHING; /* somebody made room */
    host.until = 0;
    assert_int_equal(blk_read(b, 0, back, 20000, &f->err), EMU_OK);
    assert_memory_equal(back, old, 20000);
    assert_int_equal(blk_write(b, 20000, data, sizeof(data), &f->err), EMU_OK);
    assert_int_equal(blk_close(b, &f->err), EMU_OK);
    assert_int_equal(image_open(host.path, NULL, 0, &b, &f->err), EMU_OK);
    assert_int_equal(blk_read(b, 20000, back, sizeof(back), &f->err), EMU_OK);
    assert_memory_equal(back, data, sizeof(back));
    struct qcow2_check c = {.say = print_line};
    assert_int_equal(qcow2_check(b, QCOW2_REPAIR_NONE, &c, &f->err), EMU_OK);
    assert_int_equal(c.corruptions, 0);
    assert_int_equal(blk_close(b, &f->err), EMU_OK);
}

static void a_full_disk_is_an_error_and_loses_nothing(void **state)
{
    for (long n = 1; n < 30; n++)
        fail_at(*state, n, ENOSPC);
}

static void a_failing_disk_is_an_error_and_loses_nothing(void **state)
{
    for (long n = 1; n < 30; n++)
        fail_at(*state, n, EIO);
}

static void short_writes_are_continued(void **state)
{
    struct fixture *f = *state;
    struct shared *s = calloc(1, sizeof(*s));
    make_image(3, 4);
    host.how = SHORT;
    workload(s);
    host.how = NOTHING;
    assert_sound(f, s, 0);
    free(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_process_killed_at_any_write_leaves_a_sound_image),
        T(a_killed_process_leaves_a_sound_version_2_image),
        T(wide_refcounts_that_need_a_larger_table_are_crash_safe_too),
        T(power_that_fails_at_any_write_leaves_a_sound_image),
        T(a_resize_killed_at_any_write_leaves_a_sound_image),
        T(a_full_disk_is_an_error_and_loses_nothing),
        T(a_failing_disk_is_an_error_and_loses_nothing),
        T(short_writes_are_continued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
