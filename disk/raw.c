/*
 * Raw images: a host file, or a host block device, whose bytes are the disk's bytes.
 *
 * Nothing is created, truncated or grown here: a raw image keeps the size it had when it was
 * opened. If somebody else shortens the file meanwhile, reads behind its new end fail with a
 * sentence instead of delivering zeros, and writes there fail before the file would grow.
 *
 * NOT MODELLED: sizes that are no multiple of a sector are passed on as they are; who needs
 * sectors checks (ATA, floppy).
 */
#define _FILE_OFFSET_BITS 64

#include "disk/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct raw {
    struct blk blk;
    int fd;
    char path[]; /* blk.name points here */
};

static struct raw *raw_of(struct blk *b)
{
    return CONTAINER_OF(b, struct raw, blk);
}

static enum emu_err shrunk(const struct blk *b, uint64_t at, struct error *err)
{
    return error_set(err, EMU_IO,
                     "%s: the file ends at byte %llu, but it had %llu bytes when it was opened: "
                     "another program shortened it",
                     b->name, (unsigned long long)at, (unsigned long long)b->size);
}

static enum emu_err raw_read(struct blk *b, uint64_t offset, void *to, size_t len,
                             struct error *err)
{
    for (uint8_t *p = to; len > 0;) {
        ssize_t n = pread(raw_of(b)->fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, EMU_IO, "%s: cannot read at offset %llu: %s", b->name,
                             (unsigned long long)offset, strerror(errno));
        if (n == 0)
            return shrunk(b, offset, err);
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return EMU_OK;
}

/* The present size of a regular file or block device, or -1. */
static off_t size_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -1;
    return S_ISREG(st.st_mode) ? st.st_size : lseek(fd, 0, SEEK_END);
}

static enum emu_err raw_write(struct blk *b, uint64_t offset, const void *from, size_t len,
                              struct error *err)
{
    int fd = raw_of(b)->fd;
    off_t size = size_of(fd);
    if (size >= 0 && (uint64_t)size < offset + len)
        return shrunk(b, (uint64_t)size, err);
    for (const uint8_t *p = from; len > 0;) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(err, EMU_IO, "%s: cannot write at offset %llu: %s", b->name,
                             (unsigned long long)offset, strerror(n < 0 ? errno : ENOSPC));
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return EMU_OK;
}

static enum emu_err raw_flush(struct blk *b, struct error *err)
{
    while (fsync(raw_of(b)->fd) != 0) {
        if (errno == EINVAL || errno == EROFS)
            return EMU_OK; /* a special file that has nothing to flush */
        if (errno != EINTR)
            return error_set(err, EMU_IO, "%s: cannot flush to the host's disk: %s", b->name,
                             strerror(errno));
    }
    return EMU_OK;
}

static void raw_close(struct blk *b)
{
    close(raw_of(b)->fd);
    free(raw_of(b));
}

static const struct blk_ops raw_ops = {
    .format = "raw",
    .read = raw_read,
    .write = raw_write,
    .flush = raw_flush,
    .close = raw_close,
};

/* Says why open() refused. */
static enum emu_err open_failed(const char *path, bool read_only, int why, struct error *err)
{
    if (why == ENOENT)
        return error_set(err, EMU_IO, "%s: there is no such file; check the name and the directory",
                         path);
    if (!read_only && (why == EACCES || why == EPERM || why == EROFS))
        return error_set(err, EMU_IO,
                         "%s: the image may not be written (%s); make it writable, or use it "
                         "read-only or with -snapshot",
                         path, strerror(why));
    return error_set(err, EMU_IO, "%s: cannot open: %s", path, strerror(why));
}

/* Opens without waiting (a FIFO would) and refuses what has no bytes at offsets. */
static enum emu_err open_file(const char *path, bool read_only, int *out, struct error *err)
{
    int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 && errno == EISDIR)
        return error_set(err, EMU_FORMAT, "%s: is a directory, not an image file", path);
    if (fd < 0)
        return open_failed(path, read_only, errno, err);
    if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))) {
        *out = fd;
        return EMU_OK;
    }
    close(fd);
    return error_set(err, EMU_FORMAT, "%s: is %s, not an image file", path,
                     S_ISDIR(st.st_mode) ? "a directory" : "a special file");
}

enum emu_err raw_open(const char *path, bool read_only, struct blk **out, struct error *err)
{
    int fd = -1;
    enum emu_err rc = open_file(path, read_only, &fd, err);
    if (rc != EMU_OK)
        return rc;
    off_t size = size_of(fd);
    size_t name_len = strlen(path) + 1;
    struct raw *r = size < 0 ? NULL : malloc(sizeof(*r) + name_len);
    if (!r) {
        close(fd);
        return size < 0 ? error_set(err, EMU_IO, "%s: cannot find out the size of the file", path)
                        : error_set(err, EMU_NOMEM, "%s: out of memory", path);
    }
    memcpy(r->path, path, name_len);
    r->fd = fd;
    r->blk = (struct blk){&raw_ops, r->path, (uint64_t)size, read_only};
    *out = &r->blk;
    return EMU_OK;
}
