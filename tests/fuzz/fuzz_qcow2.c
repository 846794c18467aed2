/*
 * libFuzzer target for qcow2 images: the input is a whole image file, followed by a short program
 * that reads, writes, flushes, takes and applies snapshots, resizes, checks and repairs it.
 * Besides crashes and sanitizer findings it looks for two promises: an image makes the program
 * open no file but its own (open() is replaced, -Wl,--wrap), and memory stays bounded
 * (-rss_limit_mb). `make fuzz FUZZ=qcow2 FUZZ_SECONDS=n` runs it; each finding becomes a test in
 * tests/disk/test_qcow2_fuzz.c.
 *
 * The image is a file in memory, so that nothing depends on the host's disk.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "disk/image.h"
#include "disk/qcow2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_PROGRAM = 64, MAX_IO = 70000, HEADER = 112 };

/* The names the library may open while an input runs; NULL: everything (libFuzzer's own files). */
static const char *own_path;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    if (own_path && flags & (O_CREAT | O_TRUNC))
        abort(); /* an image made the program create a file */
    if (own_path && strcmp(path, own_path) != 0) {
        if ((flags & O_ACCMODE) != O_RDONLY)
            abort(); /* an image made the program write to another file */
        errno = ENOENT;
        return -1;
    }
    return __real_open(path, flags, mode);
}

/* The name that large-file builds use. */
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    return __wrap_open(path, flags, mode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static void quiet(enum emu_err rc, const struct error *err)
{
    if (rc != EMU_OK && !err->text[0])
        abort(); /* an error without a sentence */
}

static void ignore_line(void *arg, const char *line) { *(size_t *)arg += strlen(line); }

static void check(struct blk *b, enum qcow2_repair repair)
{
    struct error err = {0};
    size_t said = 0;
    struct qcow2_check c = {.say = ignore_line, .arg = &said};
    quiet(qcow2_check(b, repair, &c, &err), &err);
}

/* The image's own clusters are few; what a header claims to be the size is most often not. */
static uint64_t place(const struct blk *b, uint8_t at, size_t *len)
{
    uint64_t offset = (uint64_t)at * 1021 + (at & 1 ? 0 : (uint64_t)at << 8);
    if (at > 240 && b->size > 100000)
        offset = b->size - 1 - (uint64_t)(at - 241) * 4000;
    if (offset >= b->size)
        offset = b->size ? offset % b->size : 0;
    *len = *len < b->size - offset ? *len : (size_t)(b->size - offset);
    return offset;
}

static void snapshot(struct blk *b, uint8_t what)
{
    struct error err = {0};
    struct qcow2_info info;
    qcow2_info(b, &info);
    if (what % 4 == 0 || !info.nb_snapshots)
        quiet(qcow2_snapshot_create(b, "s", 1, &err), &err);
    else if (what % 4 == 1)
        quiet(qcow2_snapshot_delete(b, what % info.nb_snapshots, &err), &err);
    else
        quiet(qcow2_snapshot_apply(b, what % info.nb_snapshots, &err), &err);
}

static void extents(struct blk *b)
{
    struct error err = {0};
    struct blk_extent e;
    for (uint64_t at = 0, k = 0; at < b->size && k < 200; at += e.len, k++)
        if (blk_extent(b, at, b->size - at, &e, &err) != EMU_OK)
            return quiet(EMU_IO, &err);
        else if (e.len == 0)
            abort(); /* no progress: a loop over extents would hang */
}

static void one_step(struct blk *b, uint8_t what, uint8_t arg)
{
    static uint8_t buf[MAX_IO];
    struct error err = {0};
    size_t len = what & 0x80 ? MAX_IO : 1 + (size_t)arg * 37;
    uint64_t at = place(b, arg, &len);
    switch (what % 12) {
    case 0: quiet(blk_flush(b, &err), &err); break;
    case 1: quiet(blk_zero(b, at, len, &err), &err); break;
    case 2: quiet(blk_discard(b, at, len, &err), &err); break;
    case 3: snapshot(b, arg); break;
    case 4: extents(b); break;
    case 5:
        if (b->size < 1ull << 40)
            quiet(blk_resize(b, arg & 1 ? b->size / 2 : b->size + ((uint64_t)arg << 14), &err),
                  &err);
        break;
    case 6:
        len = 512;
        at = place(b, (uint8_t)(arg & 0xf0), &len) & ~0x1fffffull;
        quiet(b->size - at < len ? EMU_OK : qcow2_write_compressed(b, at, buf, len, &err), &err);
        break;
    case 7: check(b, QCOW2_REPAIR_NONE); break;
    case 8: check(b, arg & 1 ? QCOW2_REPAIR_ALL : QCOW2_REPAIR_LEAKS); break;
    case 9: quiet(blk_read(b, at, buf, len, &err), &err); break;
    default: memset(buf, arg, len); quiet(blk_write(b, at, buf, len, &err), &err);
    }
}

/* Files are not made for every input: one is emptied and filled again. */
static int memory_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[32];
    if (fd < 0) {
        fd = memfd_create("qcow2", 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    own_path = path;
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        _exit(1);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned flags[] = {0,
                                     IMAGE_NO_BACKING,
                                     IMAGE_TOP_ONLY,
                                     IMAGE_READ_ONLY | IMAGE_TOP_ONLY,
                                     IMAGE_FOR_CHECK | IMAGE_TOP_ONLY,
                                     IMAGE_TOP_ONLY,
                                     IMAGE_TOP_ONLY,
                                     IMAGE_READ_ONLY};
    if (size < HEADER + 2)
        return 0;
    size_t steps = data[size - 1] % MAX_PROGRAM, n = 2 + 2 * steps;
    if (n > size - HEADER)
        return 0;
    const uint8_t *program = data + size - n;
    memory_file(data, size - n);
    struct error err = {0};
    struct blk *b;
    enum emu_err rc = image_open(own_path, "qcow2", flags[data[size - 2] % 8], &b, &err);
    quiet(rc, &err);
    if (rc == EMU_OK) {
        for (size_t i = 0; i < steps; i++)
            if (!b->read_only || program[2 * i] % 12 == 4 || program[2 * i] % 12 == 7 ||
                program[2 * i] % 12 == 9)
                one_step(b, program[2 * i], program[2 * i + 1]);
        rc = blk_close(b, &err);
        quiet(rc, &err);
    }
    own_path = NULL;
    return 0;
}

static void put_be64(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* Half the time a number where the format has numbers: a header field or a table's entry. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    static const uint64_t flag[] = {0, 0, 1ull << 63, 1ull << 62, 3ull << 62, 1, 1ull << 63 | 1};
    uint64_t r = seed * 6364136223846793005u + 1442695040888963407u;
    if (seed % 2 || size < 1024)
        return LLVMFuzzerMutate(data, size, max);
    size_t sectors = size / 512;
    size_t at = r >> 60 == 0 ? (r >> 33) % 14 * 8 : (r >> 33) % sectors * 512 + (r >> 20) % 16 * 8;
    uint64_t value = (r >> 10) % (sectors + 3) * 512;
    if (r >> 58 & 1 && at + 8 <= size)
        data[at + 7 - (r >> 40) % 8] = (uint8_t)(r >> 50);
    else if (at + 8 <= size)
        put_be64(data + at, value | flag[(r >> 5) % 7]);
    return size;
}
