/*
 * Host files (see host_file.h). The lock is flock(2)'s: it belongs to the open file and dies with
 * the process, so that a crash leaves no stale lock behind. Who holds it is read from /proc/locks,
 * where there is one; elsewhere the sentence says "another program".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* fallocate, SEEK_DATA */
#endif
#define _FILE_OFFSET_BITS 64

#include "disk/host_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <unistd.h>

/* Says why open() refused. */
static enum emu_err open_failed(const char *path, bool write, int why, struct error *err)
{
    if (why == EISDIR)
        return error_set(err, EMU_FORMAT, "%s: is a directory, not an image file", path);
    if (why == ENOENT)
        return error_set(err, EMU_IO, "%s: there is no such file; check the name and the directory",
                         path);
    if (write && (why == EACCES || why == EPERM || why == EROFS))
        return error_set(err, EMU_IO,
                         "%s: the image may not be written (%s); make it writable, or use it "
                         "read-only or with -snapshot",
                         path, strerror(why));
    return error_set(err, EMU_IO, "%s: cannot open: %s", path, strerror(why));
}

/* The process that holds a flock on the file, or 0. A line of /proc/locks (proc(5)):
 * "1: FLOCK  ADVISORY  WRITE 4711 08:01:393220 0 EOF". */
static long lock_holder(const struct stat *st)
{
    FILE *locks = fopen("/proc/locks", "re");
    char line[256];
    long found = 0;
    while (locks && !found && fgets(line, sizeof(line), locks)) {
        long pid;
        unsigned maj, min;
        unsigned long long inode;
        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%llu", &pid, &maj, &min, &inode) == 4 &&
            maj == major(st->st_dev) && min == minor(st->st_dev) && inode == st->st_ino)
            found = pid;
    }
    if (locks)
        fclose(locks);
    return found;
}

static enum emu_err lock(const struct host_file *f, const struct stat *st, bool own,
                         struct error *err)
{
    if (flock(f->fd, (f->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return EMU_OK; /* or a file system without locks */
    const char *doing = f->read_only ? "writes to it" : "uses it";
    long pid = lock_holder(st);
    if (own && pid == (long)getpid())
        return EMU_OK;
    if (pid == (long)getpid())
        return error_set(err, EMU_IO, "%s: the image is in use: this program already %s", f->name,
                         doing);
    if (pid > 0)
        return error_set(err, EMU_IO, "%s: the image is in use: process %ld %s", f->name, pid,
                         doing);
    return error_set(err, EMU_IO, "%s: the image is in use: another program %s", f->name, doing);
}

static enum emu_err accept_file(const struct host_file *f, unsigned flags, struct error *err)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return error_set(err, EMU_IO, "%s: cannot examine: %s", f->name, strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(err, EMU_FORMAT, "%s: is %s, not an image file", f->name,
                         S_ISDIR(st.st_mode) ? "a directory" : "a special file");
    enum emu_err rc =
        flags & HOST_FILE_UNLOCKED ? EMU_OK : lock(f, &st, flags & HOST_FILE_OWN, err);
    if (rc == EMU_OK && flags & HOST_FILE_CREATE && S_ISREG(st.st_mode))
        rc = host_file_truncate(f, 0, err);
    return rc;
}

enum emu_err host_file_open(struct host_file *f, const char *path, unsigned flags,
                            struct error *err)
{
    bool write = flags & (HOST_FILE_WRITE | HOST_FILE_CREATE);
    int mode = (write ? O_RDWR : O_RDONLY) | (flags & HOST_FILE_CREATE ? O_CREAT : 0);
    *f = (struct host_file){-1, !write, flags & HOST_FILE_UNSAFE, path};
    f->fd = open(path, mode | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
    if (f->fd < 0)
        return open_failed(path, write, errno, err);
    enum emu_err rc = accept_file(f, flags, err);
    if (rc != EMU_OK)
        host_file_close(f);
    return rc;
}

void host_file_close(struct host_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

/* Reads until the end of the file; *got says how much there was. */
static enum emu_err read_some(const struct host_file *f, uint64_t offset, uint8_t *to, size_t len,
                              size_t *got, struct error *err)
{
    for (*got = 0; *got < len;) {
        ssize_t n = pread(f->fd, to + *got, len - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, EMU_IO, "%s: cannot read at offset %llu: %s", f->name,
                             (unsigned long long)offset, strerror(errno));
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return EMU_OK;
}

enum emu_err host_file_read(const struct host_file *f, uint64_t offset, void *to, size_t len,
                            struct error *err)
{
    size_t got;
    enum emu_err rc = read_some(f, offset, to, len, &got, err);
    if (rc == EMU_OK && got < len)
        rc = error_set(err, EMU_IO, "%s: the file ends at byte %llu, before what is to be read",
                       f->name, (unsigned long long)(offset + got));
    return rc;
}

enum emu_err host_file_read_padded(const struct host_file *f, uint64_t offset, void *to, size_t len,
                                   struct error *err)
{
    size_t got;
    enum emu_err rc = read_some(f, offset, to, len, &got, err);
    if (rc == EMU_OK)
        memset((uint8_t *)to + got, 0, len - got);
    return rc;
}

static enum emu_err write_error(int why)
{
    return why == ENOSPC || why == EDQUOT ? EMU_NOSPC : EMU_IO;
}

enum emu_err host_file_write(const struct host_file *f, uint64_t offset, const void *from,
                             size_t len, struct error *err)
{
    for (const uint8_t *p = from; len > 0;) {
        ssize_t n = pwrite(f->fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(err, write_error(n < 0 ? errno : ENOSPC),
                             "%s: cannot write at offset %llu: %s", f->name,
                             (unsigned long long)offset, strerror(n < 0 ? errno : ENOSPC));
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return EMU_OK;
}

enum emu_err host_file_sync(const struct host_file *f, struct error *err)
{
    while (!f->unsafe && fdatasync(f->fd) != 0) {
        if (errno == EINVAL || errno == EROFS)
            return EMU_OK; /* a special file that has nothing to flush */
        if (errno != EINTR)
            return error_set(err, write_error(errno), "%s: cannot flush to the host's disk: %s", f->name,
                             strerror(errno));
    }
    return EMU_OK;
}

enum emu_err host_file_size(const struct host_file *f, uint64_t *size, struct error *err)
{
    struct stat st;
    off_t end = -1;
    if (fstat(f->fd, &st) == 0)
        end = S_ISREG(st.st_mode) ? st.st_size : lseek(f->fd, 0, SEEK_END);
    if (end < 0)
        return error_set(err, EMU_IO, "%s: cannot find out the size of the file", f->name);
    *size = (uint64_t)end;
    return EMU_OK;
}

enum emu_err host_file_truncate(const struct host_file *f, uint64_t size, struct error *err)
{
    if (size > INT64_MAX)
        return error_set(err, EMU_ARG, "%s: %llu bytes are more than a file can have", f->name,
                         (unsigned long long)size);
    while (ftruncate(f->fd, (off_t)size) != 0)
        if (errno != EINTR)
            return error_set(err, write_error(errno),
                             "%s: cannot make the file %llu bytes long: %s", f->name,
                             (unsigned long long)size, strerror(errno));
    return EMU_OK;
}

bool host_file_punch(const struct host_file *f, uint64_t offset, uint64_t len)
{
#ifdef FALLOC_FL_PUNCH_HOLE
    return fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                     (off_t)len) == 0;
#else
    (void)f, (void)offset, (void)len;
    return false;
#endif
}

bool host_file_reserve(const struct host_file *f, uint64_t offset, uint64_t len)
{
#ifdef FALLOC_FL_PUNCH_HOLE
    return len == 0 || fallocate(f->fd, 0, (off_t)offset, (off_t)len) == 0;
#else
    (void)f, (void)offset, (void)len;
    return false;
#endif
}

bool host_file_has_data(const struct host_file *f, uint64_t offset, uint64_t len, uint64_t *run)
{
    *run = len;
#ifdef SEEK_DATA
    off_t data = lseek(f->fd, (off_t)offset, SEEK_DATA);
    if (data < 0)
        return errno != ENXIO; /* ENXIO: nothing but a hole follows; others: holes are unknown */
    if ((uint64_t)data > offset) {
        if ((uint64_t)data - offset < len)
            *run = (uint64_t)data - offset;
        return false;
    }
    off_t hole = lseek(f->fd, (off_t)offset, SEEK_HOLE);
    if (hole > 0 && (uint64_t)hole > offset && (uint64_t)hole - offset < len)
        *run = (uint64_t)hole - offset;
#else
    (void)f, (void)offset;
#endif
    return true;
}

uint64_t host_file_allocated(const struct host_file *f)
{
    struct stat st;
    return fstat(f->fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

enum emu_err host_file_mark(const char *path, struct host_file_mark *mark, struct error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return error_set(err, EMU_IO, "%s: cannot examine: %s", path, strerror(errno));
    mark->size = (uint64_t)st.st_size;
    mark->mtime_ns = (uint64_t)st.st_mtim.tv_sec * NS_PER_SECOND + (uint64_t)st.st_mtim.tv_nsec;
    return EMU_OK;
}
