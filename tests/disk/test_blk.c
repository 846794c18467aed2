/* Block devices: bounds, raw files and their failures, copy-on-write in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/blk.h"

enum { SIZE = 300 * 1024 };

struct fixture {
    char dir[64], path[96];
    struct error err;
};

static uint8_t pattern(uint64_t offset)
{
    return (uint8_t)(offset * 7 + offset / 251);
}

static int setup(void **state)
{
    static const char template[] = "/tmp/retrace-blk-XXXXXX";
    struct fixture *f = calloc(1, sizeof(*f));
    memcpy(f->dir, template, sizeof(template));
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/disk.img", f->dir);
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    for (unsigned i = 0; i < SIZE; i++)
        fputc(pattern(i), file);
    fclose(file);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    rmdir(f->dir);
    free(f);
    return 0;
}

static struct blk *open_raw(struct fixture *f, bool read_only)
{
    struct blk *b = NULL;
    assert_int_equal(raw_open(f->path, read_only, &b, &f->err), EMU_OK);
    return b;
}

static struct blk *open_overlay(struct fixture *f)
{
    struct blk *b = NULL;
    assert_int_equal(overlay_open(open_raw(f, true), &b, &f->err), EMU_OK);
    return b;
}

static void assert_pattern(struct fixture *f, struct blk *b, uint64_t offset, size_t len)
{
    uint8_t *data = malloc(len);
    assert_int_equal(blk_read(b, offset, data, len, &f->err), EMU_OK);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(data[i], pattern(offset + i));
    free(data);
}

static void a_raw_image_reads_the_bytes_of_the_file(void **state)
{
    struct fixture *f = *state;
    struct blk *b = open_raw(f, true);
    assert_int_equal(b->size, SIZE);
    assert_pattern(f, b, 0, SIZE);
    assert_pattern(f, b, 70001, 513);
    assert_int_equal(blk_close(b, &f->err), EMU_OK);
}

static void a_raw_write_changes_its_bytes_and_no_others(void **state)
{
    struct fixture *f = *state;
    uint8_t ones[512], back[512];
    memset(ones, 0xff, sizeof(ones));
    struct blk *b = open_raw(f, false);
    assert_int_equal(blk_write(b, 1024, ones, sizeof(ones), &f->err), EMU_OK);
    assert_int_equal(blk_close(b, &f->err), EMU_OK);

    b = open_raw(f, true);
    assert_int_equal(b->size, SIZE);
    assert_pattern(f, b, 0, 1024);
    assert_pattern(f, b, 1536, SIZE - 1536);
    assert_int_equal(blk_read(b, 1024, back, sizeof(back), &f->err), EMU_OK);
    assert_memory_equal(back, ones, sizeof(ones));
    blk_close(b, NULL);
}

static void accesses_outside_the_image_are_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t data[512] = {0};
    struct blk *b = open_raw(f, false);
    assert_int_equal(blk_read(b, SIZE - 511, data, 512, &f->err), EMU_ARG);
    assert_int_equal(blk_read(b, SIZE + 1, data, 0, &f->err), EMU_ARG);
    assert_int_equal(blk_read(b, UINT64_MAX, data, 512, &f->err), EMU_ARG);
    assert_int_equal(blk_write(b, SIZE, data, 1, &f->err), EMU_ARG);
    assert_non_null(strstr(f->err.text, "disk.img"));
    assert_int_equal(blk_read(b, SIZE, data, 0, &f->err), EMU_OK);
    assert_pattern(f, b, 0, SIZE);
    blk_close(b, NULL);
}

static void a_read_only_image_refuses_writes(void **state)
{
    struct fixture *f = *state;
    uint8_t data[1] = {0};
    struct blk *b = open_raw(f, true);
    assert_int_equal(blk_write(b, 0, data, 1, &f->err), EMU_ARG);
    assert_non_null(strstr(f->err.text, "read-only"));
    blk_close(b, NULL);
}

static void a_missing_image_is_named_and_not_created(void **state)
{
    struct fixture *f = *state;
    struct blk *b = NULL;
    unlink(f->path);
    assert_int_equal(raw_open(f->path, false, &b, &f->err), EMU_IO);
    assert_null(b);
    assert_non_null(strstr(f->err.text, f->path));
    assert_non_null(strstr(f->err.text, "no such file"));
    assert_int_not_equal(access(f->path, F_OK), 0);
}

static void a_directory_and_a_fifo_are_no_images(void **state)
{
    struct fixture *f = *state;
    struct blk *b = NULL;
    assert_int_equal(raw_open(f->dir, false, &b, &f->err), EMU_FORMAT);
    assert_int_equal(raw_open(f->dir, true, &b, &f->err), EMU_FORMAT);
    unlink(f->path);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_equal(raw_open(f->path, false, &b, &f->err), EMU_FORMAT);
    assert_null(b);
}

static void an_unwritable_file_opened_for_write_says_what_to_do(void **state)
{
    struct fixture *f = *state;
    struct blk *b = NULL;
    if (geteuid() == 0) {
        print_message("skipped: root may write every file\n");
        skip();
    }
    assert_int_equal(chmod(f->path, 0400), 0);
    assert_int_equal(raw_open(f->path, false, &b, &f->err), EMU_IO);
    assert_non_null(strstr(f->err.text, "-snapshot"));
}

static void a_file_shortened_meanwhile_is_an_error_not_zeros(void **state)
{
    struct fixture *f = *state;
    uint8_t data[1024] = {0};
    struct blk *b = open_raw(f, false);
    assert_int_equal(truncate(f->path, 1536), 0);
    assert_int_equal(blk_read(b, 1024, data, 1024, &f->err), EMU_IO);
    assert_non_null(strstr(f->err.text, "1536"));
    assert_int_equal(blk_write(b, 1024, data, 1024, &f->err), EMU_IO);
    assert_pattern(f, b, 0, 1536);
    blk_close(b, NULL);
}

static void a_device_without_offsets_is_no_image(void **state)
{
    struct fixture *f = *state;
    struct blk *b = NULL;
    assert_int_equal(raw_open("/dev/full", false, &b, &f->err), EMU_FORMAT);
    assert_null(b);
}

/* A file size limit stands in for a full disk: the host refuses bytes from some offset on. */
static void a_write_that_the_host_refuses_is_a_sentence_and_hurts_no_other_byte(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, low;
    uint8_t data[512] = {0};
    struct blk *b = open_raw(f, false);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 100 * 1024;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum emu_err rc = blk_write(b, 200 * 1024, data, sizeof(data), &f->err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(rc, EMU_IO);
    assert_non_null(strstr(f->err.text, "cannot write"));
    assert_pattern(f, b, 0, SIZE);
    blk_close(b, NULL);
}

static void an_overlay_shows_its_base_until_written(void **state)
{
    struct fixture *f = *state;
    struct blk *b = open_overlay(f);
    assert_int_equal(b->size, SIZE);
    assert_false(b->read_only);
    assert_pattern(f, b, 0, SIZE);
    blk_close(b, NULL);
}

static void an_overlay_write_is_seen_there_and_not_in_the_file(void **state)
{
    struct fixture *f = *state;
    static uint8_t data[100000], back[100000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)~pattern(i * 3);
    struct blk *b = open_overlay(f);
    /* not aligned, over a cluster boundary */
    assert_int_equal(blk_write(b, 65000, data, sizeof(data), &f->err), EMU_OK);
    assert_int_equal(blk_read(b, 65000, back, sizeof(back), &f->err), EMU_OK);
    assert_memory_equal(back, data, sizeof(data));
    assert_pattern(f, b, 0, 65000);
    assert_pattern(f, b, 165000, SIZE - 165000);
    assert_int_equal(blk_close(b, &f->err), EMU_OK);

    b = open_raw(f, true);
    assert_pattern(f, b, 0, SIZE);
    blk_close(b, NULL);
}

static void an_overlay_write_fails_whole_if_its_base_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    static uint8_t data[200000];
    struct blk *b = open_overlay(f);
    assert_int_equal(truncate(f->path, 66000), 0);
    assert_int_equal(blk_write(b, 100, data, sizeof(data), &f->err), EMU_IO);
    assert_pattern(f, b, 0, 66000);
    blk_close(b, NULL);
}

static void a_blank_overlay_reads_zero_and_keeps_writes(void **state)
{
    struct fixture *f = *state;
    struct blk *b = NULL;
    uint8_t data[3] = {1, 2, 3}, back[5];
    assert_int_equal(overlay_blank("blank", 1ull << 40, &b, &f->err), EMU_OK);
    assert_int_equal(blk_write(b, (1ull << 40) - 4, data, 3, &f->err), EMU_OK);
    assert_int_equal(blk_read(b, (1ull << 40) - 5, back, 5, &f->err), EMU_OK);
    assert_memory_equal(back, ((uint8_t[]){0, 1, 2, 3, 0}), 5);
    assert_int_equal(blk_write(b, (1ull << 40) - 2, data, 3, &f->err), EMU_ARG);
    blk_close(b, NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_raw_image_reads_the_bytes_of_the_file),
        T(a_raw_write_changes_its_bytes_and_no_others),
        T(accesses_outside_the_image_are_refused),
        T(a_read_only_image_refuses_writes),
        T(a_missing_image_is_named_and_not_created),
        T(a_directory_and_a_fifo_are_no_images),
        T(an_unwritable_file_opened_for_write_says_what_to_do),
        T(a_file_shortened_meanwhile_is_an_error_not_zeros),
        T(a_device_without_offsets_is_no_image),
        T(a_write_that_the_host_refuses_is_a_sentence_and_hurts_no_other_byte),
        T(an_overlay_shows_its_base_until_written),
        T(an_overlay_write_is_seen_there_and_not_in_the_file),
        T(an_overlay_write_fails_whole_if_its_base_cannot_be_read),
        T(a_blank_overlay_reads_zero_and_keeps_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
