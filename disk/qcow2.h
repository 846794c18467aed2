/*
 * qcow2 images, versions 2 and 3 (QEMU's docs/interop/qcow2, "qcow2 spec" below; our own
 * summary and the order of writes are in docs/FORMATS.md). An opened image is a struct blk; what
 * only qcow2 has is below. All offsets and sizes are in bytes.
 *
 * NOT MODELLED: encryption, external data files, extended L2 entries: refused by name. Dirty
 * bitmaps are kept, but marked out of date at the first write.
 */
#ifndef DISK_QCOW2_H
#define DISK_QCOW2_H

#include "disk/blk.h"
#include "disk/host_file.h"

enum qcow2_compression { QCOW2_ZLIB = 0, QCOW2_ZSTD = 1 };

enum qcow2_preallocation {
    QCOW2_PREALLOC_OFF,
    QCOW2_PREALLOC_METADATA,
    QCOW2_PREALLOC_FALLOC, /* room on the host's disk, but nothing written there */
    QCOW2_PREALLOC_FULL,
};

struct qcow2_create {
    uint64_t size;
    unsigned version;        /* 2 or 3 */
    unsigned cluster_bits;   /* 9 to 21 */
    unsigned refcount_order; /* 0 to 6: 1 << order bits per refcount */
    bool lazy_refcounts;
    enum qcow2_compression compression;
    enum qcow2_preallocation preallocation;
    const char *backing, *backing_format; /* NULL: none; not opened here */
    const struct host_file_mark *mark;    /* what the backing file looks like now; NULL: unknown */
};

extern const struct qcow2_create qcow2_create_default; /* as qemu-img: 3, 64 KiB, 16 bits, zlib */

/* Writes a new, empty image. An existing file is emptied after its lock was got. */
MUST_CHECK enum emu_err qcow2_create(const char *path, const struct qcow2_create *how,
                                     struct error *err);
/* The file's length when every guest cluster is allocated. */
uint64_t qcow2_measure(const struct qcow2_create *how);
/* Whether an image can be made so; `path` is for the sentence. */
MUST_CHECK enum emu_err qcow2_create_check(const char *path, const struct qcow2_create *how,
                                           struct error *err);

/* Opens only the image itself; `flags` are image.h's. */
MUST_CHECK enum emu_err qcow2_open(const char *path, unsigned flags, struct blk **out,
                                   struct error *err);
bool qcow2_is(const struct blk *b);

/* The header's backing file, as written there; NULL: none. The format may be NULL too. */
const char *qcow2_backing_name(const struct blk *b);
const char *qcow2_backing_format(const struct blk *b);
/* Puts an opened image below; it is closed together with this one. */
void qcow2_attach(struct blk *b, struct blk *backing);
struct blk *qcow2_attached(const struct blk *b);
/* Writes another backing file into the header (NULL: none); what is attached stays. */
MUST_CHECK enum emu_err qcow2_set_backing(struct blk *b, const char *name, const char *format,
                                          struct error *err);

/* What the backing file looked like when it was last recorded; false: not recorded. */
bool qcow2_backing_mark(const struct blk *b, struct host_file_mark *mark);
MUST_CHECK enum emu_err qcow2_record_backing(struct blk *b, const struct host_file_mark *mark,
                                             struct error *err);
/* The notice of image_notice(): qcow2 keeps it for the whole chain below. */
void qcow2_set_notice(struct blk *b, const char *text);
const char *qcow2_notice(const struct blk *b);

/* One cluster or the rest of the image, from a cluster's boundary, compressed if that helps. */
MUST_CHECK enum emu_err qcow2_write_compressed(struct blk *b, uint64_t offset, const void *from,
                                               size_t len, struct error *err);
/* The same in two steps. The first changes nothing, and several threads may do it at once: `to` has
 * room for a cluster; the length, or 0 where compression does not help. */
size_t qcow2_compress(const struct blk *b, const void *from, size_t len, void *to);
MUST_CHECK enum emu_err qcow2_write_packed(struct blk *b, uint64_t offset, const void *from,
                                           size_t len, const void *packed, size_t packed_len,
                                           struct error *err);
/* Forgets the present data, so that the backing file shows through. Snapshots keep theirs. */
MUST_CHECK enum emu_err qcow2_make_empty(struct blk *b, struct error *err);

struct qcow2_info {
    unsigned version;
    uint32_t cluster_size;
    unsigned refcount_bits;
    enum qcow2_compression compression;
    bool lazy_refcounts, dirty, corrupt;
    unsigned nb_snapshots;
    uint64_t file_bytes, allocated_bytes; /* length, and what the host's disk gives for it */
};
void qcow2_info(const struct blk *b, struct qcow2_info *info);

/* --- internal snapshots --- */

struct qcow2_snapshot {
    uint64_t l1_offset;
    uint32_t l1_size; /* entries */
    uint32_t date_sec, date_nsec;
    uint64_t vm_clock_nsec, vm_state_size, disk_size;
    uint64_t icount; /* UINT64_MAX: none */
    char *id, *name;
    uint8_t *extra; /* as found in the file */
    uint32_t extra_size;
};

/* `index` counts from 0 to nb_snapshots - 1. */
const struct qcow2_snapshot *qcow2_snapshot_at(const struct blk *b, unsigned index);
/* By id, else by name; -1: there is none. */
int qcow2_snapshot_find(const struct blk *b, const char *id_or_name);
MUST_CHECK enum emu_err qcow2_snapshot_create(struct blk *b, const char *name, uint64_t now_ns,
                                              struct error *err);
/* Makes the snapshot the present contents; what was written since any snapshot is lost. */
MUST_CHECK enum emu_err qcow2_snapshot_apply(struct blk *b, unsigned index, struct error *err);
MUST_CHECK enum emu_err qcow2_snapshot_delete(struct blk *b, unsigned index, struct error *err);
/* Shows the snapshot's contents in place of the present ones, until close; needs a read-only
 * image. */
MUST_CHECK enum emu_err qcow2_snapshot_view(struct blk *b, unsigned index, struct error *err);

/* --- check --- */

enum qcow2_repair { QCOW2_REPAIR_NONE, QCOW2_REPAIR_LEAKS, QCOW2_REPAIR_ALL };

struct qcow2_check {
    uint64_t corruptions, leaks, corruptions_fixed, leaks_fixed;
    uint64_t total_clusters, allocated, fragmented, compressed; /* guest clusters */
    uint64_t end_offset;                                        /* of the last used cluster */
    void (*say)(void *arg, const char *line); /* may be NULL; one finding a call */
    void *arg;
};

/* Compares all references with the refcounts. An error means that the check could not be finished;
 * what it found is in `out`, whose `say` and `arg` the caller has set. */
MUST_CHECK enum emu_err qcow2_check(struct blk *b, enum qcow2_repair repair,
                                    struct qcow2_check *out, struct error *err);

#endif
