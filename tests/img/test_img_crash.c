/*
 * commit, rebase and resize as retrace-img does them, killed at every host write in turn, by a
 * signal or by power: no image is corrupt, and each shows exactly what it showed before (commit and
 * rebase change where contents are, not what they are). Runs the verbs of img/ in this process.
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
#include "img/img.h"
#include "tests/lib/faults.h"

#include <getopt.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { SIZE = 200 * 1024, BASE_SIZE = 150 * 1024 };

static struct {
    char dir[32], base[64], mid[64], top[64];
    uint8_t want[SIZE]; /* what the top shows */
    struct error err;
} fx;

static int setup(void **state)
{
    *state = &fx;
    memset(&host, 0, sizeof(host));
    strcpy(fx.dir, access("/dev/shm", W_OK) ? "/tmp/img-XXXXXX" : "/dev/shm/img-XXXXXX");
    assert_non_null(mkdtemp(fx.dir));
    snprintf(fx.base, sizeof(fx.base), "%s/base", fx.dir);
    snprintf(fx.mid, sizeof(fx.mid), "%s/mid", fx.dir);
    snprintf(fx.top, sizeof(fx.top), "%s/top", fx.dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(fx.base);
    unlink(fx.mid);
    unlink(fx.top);
    return rmdir(fx.dir);
}

static void must(enum emu_err rc)
{
    if (rc != EMU_OK)
        fail_msg("%s", fx.err.text);
}

static void put(const char *path, unsigned at, unsigned len, int value, bool seen)
{
    static uint8_t data[SIZE];
    struct blk *b;
    memset(data, value, len);
    if (seen)
        memset(fx.want + at, value, len);
    must(image_open(path, NULL, 0, &b, &fx.err));
    must(blk_write(b, at, data, len, &fx.err));
    must(blk_close(b, &fx.err));
}

static void make(const char *path, const char *backing, uint64_t size)
{
    struct qcow2_create how = qcow2_create_default;
    how.size = size;
    how.cluster_bits = 9;
    how.backing = backing;
    how.backing_format = backing ? "qcow2" : NULL;
    unlink(path);
    must(qcow2_create(path, &how, &fx.err));
}

/* A base that is smaller than what is on it, an image between, and the top. */
static void make_chain(void)
{
    struct blk *b;
    memset(fx.want, 0, SIZE);
    make(fx.base, NULL, BASE_SIZE);
    put(fx.base, 0, 100000, 1, true);
    make(fx.mid, "base", SIZE);
    put(fx.mid, 50000, 20000, 2, true);
    make(fx.top, "mid", SIZE);
    put(fx.top, 60000, 100000, 3, true);
    put(fx.top, 0, 700, 4, true);
    must(image_open(fx.top, NULL, 0, &b, &fx.err));
    must(blk_zero(b, 20000, 5000, &fx.err));
    memset(fx.want + 20000, 0, 5000);
    must(blk_close(b, &fx.err));
    strcpy(host.file[0].path, fx.top);
    strcpy(host.file[1].path, fx.mid);
}

static void assert_sound(const char *path, long n)
{
    struct qcow2_check c = {0};
    struct blk *b;
    must(image_open(path, NULL, IMAGE_READ_ONLY | IMAGE_TOP_ONLY, &b, &fx.err));
    must(qcow2_check(b, QCOW2_REPAIR_NONE, &c, &fx.err));
    if (c.corruptions)
        fail_msg("after write %ld: %s has %llu corruptions", n, path,
                 (unsigned long long)c.corruptions);
    must(blk_close(b, &fx.err));
}

static void assert_shows(const char *path, const uint8_t *want, size_t len, long n)
{
    static uint8_t back[SIZE];
    struct blk *b;
    must(image_open(path, NULL, IMAGE_READ_ONLY, &b, &fx.err));
    assert_true(b->size >= len);
    must(blk_read(b, 0, back, len, &fx.err));
    for (size_t i = 0; i < len; i++)
        if (back[i] != want[i])
            fail_msg("after write %ld: byte %zu of %s is %u, not %u", n, i, path, back[i], want[i]);
    must(blk_close(b, &fx.err));
}

static void qemu_agrees(const char *path, long n)
{
    char line[256];
    static int there = -1;
    if (there < 0)
        there = system("qemu-img --version >/dev/null 2>&1") == 0;
    if (!there || (n % 37 != 5 && !getenv("QCOW2_CRASH_QEMU")))
        return;
    snprintf(line, sizeof(line), "qemu-img check %s 2>&1 | grep ERROR | grep -v OFLAG_COPIED",
             path);
    if (system(line) == 0)
        fail_msg("after write %ld: qemu-img check finds errors in %s", n, path);
}

/* Runs a verb in a process that dies at host write `n`. False: it came to its end. */
static bool run_until(long n, unsigned power, int (*verb)(int, char **), char **argv)
{
    int argc = 0, status;
    while (argv[argc])
        argc++;
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(1);
        faults_arm(n, power);
        optind = 1;
        _exit(verb(argc, argv) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    return WEXITSTATUS(status) == FAULTS_DIED;
}

/* With power every third write will do, since sectors are lost by chance anyway. */
static void die_everywhere(unsigned power, int (*verb)(int, char **), char **argv,
                           void (*after)(long n))
{
    bool died = true;
    long n;
    for (n = 1; died; n += power ? 3 : 1) {
        make_chain();
        died = run_until(n, power ? power + (unsigned)n : 0, verb, argv);
        assert_sound(fx.base, n);
        assert_sound(fx.mid, n);
        assert_sound(fx.top, n);
        qemu_agrees(fx.top, n);
        qemu_agrees(fx.mid, n);
        assert_shows(fx.top, fx.want, SIZE, n);
        if (!died && after)
            after(n);
    }
    assert_true(n > 4); /* else the verb did not do what it should */
}

/* --- commit: the image below changes, the top is emptied --- */

static void mid_has_it(long n) { assert_shows(fx.mid, fx.want, SIZE, n); }

static void commit_killed(unsigned power)
{
    char *argv[] = {"commit", "-q", fx.top, NULL};
    die_everywhere(power, img_commit, argv, mid_has_it);
}

static void a_commit_killed_at_any_write_changes_nothing_that_the_top_shows(void **state)
{
    (void)state;
    commit_killed(0);
}

static void a_commit_that_loses_power_changes_nothing_that_the_top_shows(void **state)
{
    (void)state;
    commit_killed(1000);
    commit_killed(2000);
}

static void base_has_it(long n) { assert_shows(fx.base, fx.want, SIZE, n); }

static void a_commit_into_a_smaller_base_over_two_images_is_safe_too(void **state)
{
    (void)state;
    char *argv[] = {"commit", "-q", "-b", fx.base, fx.top, NULL};
    die_everywhere(0, img_commit, argv, base_has_it);
}

/* --- rebase: the name in the header changes --- */

static void rebase_killed(unsigned power, char *to)
{
    char *argv[] = {"rebase", "-q", "-b", to, "-F", "qcow2", fx.top, NULL};
    die_everywhere(power, img_rebase, argv, NULL);
}

static void a_rebase_killed_at_any_write_changes_nothing_that_the_image_shows(void **state)
{
    (void)state;
    rebase_killed(0, "base");
    rebase_killed(0, "");
}

static void a_rebase_that_loses_power_changes_nothing_that_the_image_shows(void **state)
{
    (void)state;
    rebase_killed(300, "base");
    rebase_killed(400, "");
}

/* --- resize: what stays is what it was --- */

static void a_resize_of_a_chain_killed_at_any_write_keeps_what_stays(void **state)
{
    (void)state;
    char *shrink[] = {"resize", "-q", "--shrink", fx.top, "120k", NULL};
    char *grow[] = {"resize", "-q", fx.top, "30M", NULL};
    for (unsigned i = 0; i < 2; i++) {
        bool died = true;
        for (long n = 1; died; n++) {
            make_chain();
            died = run_until(n, 0, img_resize, i ? grow : shrink);
            assert_sound(fx.top, n);
            qemu_agrees(fx.top, n);
            assert_shows(fx.top, fx.want, 120 * 1024, n);
            if (i)
                assert_shows(fx.top, fx.want, SIZE, n);
        }
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_commit_killed_at_any_write_changes_nothing_that_the_top_shows),
        T(a_commit_that_loses_power_changes_nothing_that_the_top_shows),
        T(a_commit_into_a_smaller_base_over_two_images_is_safe_too),
        T(a_rebase_killed_at_any_write_changes_nothing_that_the_image_shows),
        T(a_rebase_that_loses_power_changes_nothing_that_the_image_shows),
        T(a_resize_of_a_chain_killed_at_any_write_keeps_what_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
