/*
 * ls and cp: files of a FAT file system inside an image, by mtools. mtools reads raw files only, so
 * it gets a copy: a temporary file without a name, as sparse as the image, which it opens through
 * /dev/fd. What mtools changed there is then written into the image, in pieces of GRAIN bytes, with
 * one flush at the end. The image is locked all the while.
 *
 * The file system is the whole image (a floppy, a superfloppy) or a partition: the first with a FAT
 * type, or the one that --partition names (1 to 4 primary, 5 and up logical, as Linux counts).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "img/img.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEP = 1 << 20, GRAIN = 4096, SECTOR = 512, MOST_LOGICAL = 60, MOST_ARGS = 256 };

struct fat {
    struct blk *image;
    struct host_file copy;
    unsigned partition; /* as asked for; 0: find one */
    uint64_t offset;    /* of the file system */
    uint8_t *a, *b;
};

/* --- where the file system is --- */

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A FAT boot sector: a jump, 512 to 4096 bytes a sector, a power of two of sectors a cluster. */
static bool is_boot_sector(const uint8_t s[SECTOR])
{
    unsigned bytes = s[11] | (unsigned)s[12] << 8, cluster = s[13];
    return (s[0] == 0xeb || s[0] == 0xe9) && bytes >= 512 && bytes <= 4096 &&
           !(bytes & (bytes - 1)) && cluster && !(cluster & (cluster - 1)) && s[16] >= 1 &&
           s[16] <= 2 && s[21] >= 0xf0;
}

static bool is_fat_type(uint8_t type)
{
    static const uint8_t types[] = {0x01, 0x04, 0x06, 0x0b, 0x0c, 0x0e};
    return memchr(types, type & 0xef, sizeof(types)) != NULL; /* 1x: hidden */
}
static bool is_extended(uint8_t type) { return type == 0x05 || type == 0x0f || type == 0x85; }

/* Partition `number` at sector `at`: takes it if it is the one. */
static bool take(struct fat *f, const uint8_t *entry, unsigned number, uint64_t at)
{
    if (f->partition ? number != f->partition : !is_fat_type(entry[4]))
        return false;
    f->partition = number;
    f->offset = at * SECTOR;
    return true;
}

/* The chain of logical partitions: in each of its sectors one partition and the next link. */
static enum emu_err find_logical(struct fat *f, uint64_t extended, bool *found, struct error *err)
{
    uint8_t s[SECTOR];
    uint64_t at = extended;
    for (unsigned n = 5; n < 5 + MOST_LOGICAL && !*found; n++) {
        enum emu_err rc = blk_read(f->image, at * SECTOR, s, SECTOR, err);
        if (rc != EMU_OK || s[510] != 0x55 || s[511] != 0xaa)
            return rc;
        if (s[446 + 4])
            *found = take(f, s + 446, n, at + le32(s + 446 + 8));
        if (!is_extended(s[462 + 4]))
            break;
        at = extended + le32(s + 462 + 8);
    }
    return EMU_OK;
}

static enum emu_err find_file_system(struct fat *f, struct error *err)
{
    uint8_t s[SECTOR];
    bool found = false;
    enum emu_err rc = blk_read(f->image, 0, s, SECTOR, err);
    if (rc != EMU_OK || (!f->partition && is_boot_sector(s)))
        return rc;
    if (s[510] == 0x55 && s[511] == 0xaa) {
        for (unsigned i = 0; i < 4 && !found; i++)
            if (s[446 + 16 * i + 4])
                found = take(f, s + 446 + 16 * i, i + 1, le32(s + 446 + 16 * i + 8));
        for (unsigned i = 0; i < 4 && !found && rc == EMU_OK; i++)
            if (is_extended(s[446 + 16 * i + 4]))
                rc = find_logical(f, le32(s + 446 + 16 * i + 8), &found, err);
    }
    if (rc != EMU_OK)
        return rc;
    if (!found && f->partition)
        return error_set(err, EMU_ARG, "%s: there is no partition %u", f->image->name,
                         f->partition);
    if (!found)
        return error_set(err, EMU_FORMAT,
                         "%s: there is no FAT file system, nor a partition with one",
                         f->image->name);
    if (f->offset >= f->image->size)
        return error_set(err, EMU_FORMAT, "%s: partition %u begins behind the end of the image",
                         f->image->name, f->partition);
    return EMU_OK;
}

/* --- the copy --- */

static enum emu_err open_copy(struct fat *f, struct error *err)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof(path), "%s/retrace-img-XXXXXX", dir && *dir ? dir : "/tmp");
    f->copy = (struct host_file){.fd = mkstemp(path), .unsafe = true, .name = "the temporary copy"};
    if (f->copy.fd < 0)
        return error_set(err, EMU_IO, "%s: cannot make a temporary file: %s", path,
                         strerror(errno));
    unlink(path);
    f->a = malloc(STEP);
    f->b = malloc(STEP);
    if (!f->a || !f->b)
        return error_set(err, EMU_NOMEM, "out of memory");
    return host_file_truncate(&f->copy, f->image->size, err);
}

static enum emu_err copy_out(struct fat *f, struct error *err)
{
    struct blk_extent e;
    enum emu_err rc = EMU_OK;
    for (uint64_t at = 0; at < f->image->size && rc == EMU_OK; at += e.len) {
        rc = blk_extent(f->image, at, f->image->size - at, &e, err);
        if (rc != EMU_OK || e.zero || !e.present)
            continue;
        e.len = e.len < STEP ? e.len : STEP;
        rc = blk_read(f->image, at, f->a, (size_t)e.len, err);
        if (rc == EMU_OK && !img_is_zero(f->a, (size_t)e.len))
            rc = host_file_write(&f->copy, at, f->a, (size_t)e.len, err);
    }
    return rc;
}

static enum emu_err write_changes(struct fat *f, uint64_t at, size_t len, struct error *err)
{
    enum emu_err rc = host_file_read(&f->copy, at, f->a, len, err);
    if (rc == EMU_OK)
        rc = blk_read(f->image, at, f->b, len, err);
    for (size_t i = 0, n; i < len && rc == EMU_OK; i += n) {
        n = len - i < GRAIN ? len - i : GRAIN;
        if (memcmp(f->a + i, f->b + i, n) != 0)
            rc = blk_write(f->image, at + i, f->a + i, n, err);
    }
    return rc;
}

/* Holes of the copy are zeros in the image too: mtools makes none. */
static enum emu_err copy_back(struct fat *f, struct error *err)
{
    enum emu_err rc = EMU_OK;
    for (uint64_t at = 0, n; at < f->image->size && rc == EMU_OK; at += n) {
        if (!host_file_has_data(&f->copy, at, f->image->size - at, &n))
            continue;
        n = n < STEP ? n : STEP;
        rc = write_changes(f, at, (size_t)n, err);
    }
    return rc == EMU_OK ? blk_flush(f->image, err) : rc;
}

/* --- mtools --- */

extern char **environ;

/* Runs it on the copy; its exit status in *status. */
static enum emu_err run_mtools(char **args, int *status, struct error *err)
{
    pid_t child;
    setenv("MTOOLS_SKIP_CHECK", "1", 1); /* partitions may be shorter than their disk says */
    fflush(NULL);
    int why = posix_spawnp(&child, args[0], NULL, NULL, args, environ);
    if (why == ENOENT)
        return error_set(err, EMU_UNSUPPORTED,
                         "%s is missing: ls and cp need mtools; install the package mtools",
                         args[0]);
    if (why != 0)
        return error_set(err, EMU_IO, "cannot run %s: %s", args[0], strerror(why));
    while (waitpid(child, status, 0) < 0)
        if (errno != EINTR)
            return error_set(err, EMU_IO, "cannot wait for %s: %s", args[0], strerror(errno));
    *status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 1;
    return EMU_OK;
}

struct fat_options {
    const char *path, *format;
    unsigned partition, flags;
};

/* args[2] becomes the name of the copy. */
static int with_copy(const struct fat_options *o, char **args)
{
    struct fat f = {.partition = o->partition, .copy = {.fd = -1}};
    struct error err;
    char name[64];
    int status = 1;
    enum emu_err rc = img_open(o->path, o->format, o->flags, &f.image, &err);
    if (rc == EMU_OK)
        rc = find_file_system(&f, &err);
    if (rc == EMU_OK)
        rc = open_copy(&f, &err);
    if (rc == EMU_OK)
        rc = copy_out(&f, &err);
    if (rc == EMU_OK) {
        snprintf(name, sizeof(name), "/dev/fd/%d@@%llu", f.copy.fd, (unsigned long long)f.offset);
        args[2] = name;
        rc = run_mtools(args, &status, &err);
    }
    if (rc == EMU_OK && !(o->flags & IMAGE_READ_ONLY))
        rc = copy_back(&f, &err); /* also after a failure: what mcopy did is whole files */
    host_file_close(&f.copy);
    enum emu_err closed = blk_close(f.image, rc == EMU_OK ? &err : NULL);
    free(f.a);
    free(f.b);
    return rc == EMU_OK && closed == EMU_OK ? status : img_fail(&err);
}

/* "::/DIR/FILE" is mtools's name for what is in the image; a plain path will do for ls. */
static bool is_inside(const char *name) { return strncmp(name, "::", 2) == 0; }

static bool option(struct fat_options *o, int c)
{
    uint64_t n;
    switch (c) {
    case 'f': o->format = optarg; return true;
    case 'U': o->flags |= IMAGE_UNLOCKED; return true;
    case 1:
        if (!img_size(optarg, &n) || n < 1 || n > 4 + MOST_LOGICAL)
            return false;
        o->partition = (unsigned)n;
        return true;
    default: return false;
    }
}

static const struct option longs[] = {{"partition", required_argument, NULL, 1}, {0}};

int img_ls(int argc, char **argv)
{
    struct fat_options o = {.flags = IMAGE_READ_ONLY};
    char mdir[] = "mdir", image[] = "-i", all[] = "-a", deep[] = "-/", brief[] = "-b",
         root[] = "::/";
    char *args[MOST_ARGS] = {mdir, image, NULL, all}, *inside = NULL;
    int n = 4;
    for (int c; (c = getopt_long(argc, argv, "f:URb", longs, NULL)) != -1;) {
        if (c == 'R')
            args[n == 4 ? 4 : 5] = deep, n++;
        else if (c == 'b')
            args[n == 4 ? 4 : 5] = brief, n++;
        else if (!option(&o, c))
            return img_usage(argv);
        if (n > 6)
            return img_usage(argv);
    }
    if (argc - optind < 1 || argc - optind > 2)
        return img_usage(argv);
    o.path = argv[optind];
    char *path = argv[optind + 1];
    if (path && !is_inside(path)) {
        inside = malloc(strlen(path) + 3);
        if (!inside)
            return img_failf("out of memory");
        sprintf(inside, "::%s", path);
        path = inside;
    }
    args[n] = path ? path : root;
    int rc = with_copy(&o, args);
    free(inside);
    return rc;
}

int img_cp(int argc, char **argv)
{
    struct fat_options o = {0};
    char mcopy[] = "mcopy", image[] = "-i", times[] = "-m", over[] = "-o", deep[] = "-s";
    char *args[MOST_ARGS] = {mcopy, image, NULL, times, over};
    int n = 5;
    for (int c; (c = getopt_long(argc, argv, "f:Ur", longs, NULL)) != -1;) {
        if (c == 'r' && n == 5)
            args[n++] = deep;
        else if (c != 'r' && !option(&o, c))
            return img_usage(argv);
    }
    if (argc - optind < 3 || argc - optind > MOST_ARGS - 8)
        return img_usage(argv);
    o.path = argv[optind++];
    if (!is_inside(argv[argc - 1]))
        o.flags |= IMAGE_READ_ONLY;
    for (int i = optind; i < argc - 1; i++)
        if (is_inside(argv[i]) != !!(o.flags & IMAGE_READ_ONLY))
            return img_failf("cp copies either into the image or out of it: names in the image "
                             "begin with \"::\"");
    if (o.flags & IMAGE_UNLOCKED && !(o.flags & IMAGE_READ_ONLY))
        return img_failf("-U is only for copying out of the image");
    while (optind < argc)
        args[n++] = argv[optind++];
    return with_copy(&o, args);
}
