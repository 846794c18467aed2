/*
 * A host file as the image formats use it: whole reads and writes at offsets, barriers, sizes,
 * holes, and the lock that keeps two writers off one image. Every failure is a sentence that names
 * the file. Interrupted and short transfers are continued here and seen by nobody else.
 */
#ifndef DISK_HOST_FILE_H
#define DISK_HOST_FILE_H

#include "machine/error.h"
#include "machine/types.h"

enum {
    HOST_FILE_WRITE = 1,    /* to read and write; else only to read */
    HOST_FILE_CREATE = 2,   /* made where missing, emptied after its lock was got */
    HOST_FILE_UNLOCKED = 4, /* takes no lock: looks at an image that another program may change */
    HOST_FILE_OWN = 8,      /* this process may have it open already */
    HOST_FILE_UNSAFE = 16,  /* host_file_sync() does nothing */
};

struct host_file {
    int fd;
    bool read_only, unsafe;
    const char *name; /* for sentences; lives as long as the file is open */
};

/* Opens a regular file or block device; others are refused without waiting for them. Takes a
 * lock, shared to read and exclusive to write; if another process has it, the sentence names it. */
MUST_CHECK enum emu_err host_file_open(struct host_file *f, const char *path, unsigned flags,
                                       struct error *err);
void host_file_close(struct host_file *f);

/* All of the bytes; where the file ends early an error, or zeros (the second function). */
MUST_CHECK enum emu_err host_file_read(const struct host_file *f, uint64_t offset, void *to,
                                       size_t len, struct error *err);
MUST_CHECK enum emu_err host_file_read_padded(const struct host_file *f, uint64_t offset, void *to,
                                              size_t len, struct error *err);
/* All of the bytes; the file grows where they go beyond its end. */
MUST_CHECK enum emu_err host_file_write(const struct host_file *f, uint64_t offset,
                                        const void *from, size_t len, struct error *err);
/* What was written before is on the disk before anything that is written later. */
MUST_CHECK enum emu_err host_file_sync(const struct host_file *f, struct error *err);

MUST_CHECK enum emu_err host_file_size(const struct host_file *f, uint64_t *size,
                                       struct error *err);
MUST_CHECK enum emu_err host_file_truncate(const struct host_file *f, uint64_t size,
                                           struct error *err);
/* Makes a hole that reads as zeros. False: the host cannot. */
bool host_file_punch(const struct host_file *f, uint64_t offset, uint64_t len);
/* Sees to it that the host's disk has room for these bytes, and that they are in the file, without
 * changing what they are. False: the host cannot. */
bool host_file_reserve(const struct host_file *f, uint64_t offset, uint64_t len);
/* Whether there is data at `offset`, and for how many of `len` bytes that is so. */
bool host_file_has_data(const struct host_file *f, uint64_t offset, uint64_t len, uint64_t *run);
/* Bytes of the host's disk that the file occupies; 0 where unknown. */
uint64_t host_file_allocated(const struct host_file *f);

/* What tells whether a file has changed: its size, and its last change in ns since 1970. */
struct host_file_mark {
    uint64_t size, mtime_ns;
};
MUST_CHECK enum emu_err host_file_mark(const char *path, struct host_file_mark *mark,
                                       struct error *err);

#endif
