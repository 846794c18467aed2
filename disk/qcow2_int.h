/*
 * What the files of qcow2 share and nobody else sees.
 *
 * Metadata is changed in memory and reaches the file in qcow2_commit(), in three steps with
 * barriers between them, so that the file is consistent at every instant:
 *   A  refcounts that have grown, the refcount table, L2 tables that nothing in the file points to
 *      yet. Data was written before, when the guest wrote it.
 *   B  L2 tables in place, the L1 table: now the file points to what A made safe.
 *   C  what nothing points to any more is freed: refcounts shrink.
 * A crash between them leaves clusters that are counted and not used, never the other way.
 */
#ifndef DISK_QCOW2_INT_H
#define DISK_QCOW2_INT_H

#include "disk/qcow2.h"

#define QCOW2_MAGIC 0x514649fbu
#define QCOW2_COPIED (1ull << 63) /* the refcount is exactly 1 */
#define QCOW2_COMPRESSED (1ull << 62)
#define QCOW2_ZERO 1ull
#define QCOW2_OFFSET 0x00fffffffffffe00ull

enum {
    QCOW2_INCOMPAT_DIRTY = 1,
    QCOW2_INCOMPAT_CORRUPT = 2,
    QCOW2_INCOMPAT_DATA_FILE = 4,
    QCOW2_INCOMPAT_COMPRESSION = 8,
    QCOW2_INCOMPAT_EXTENDED_L2 = 16,
    QCOW2_COMPAT_LAZY = 1,
    QCOW2_AUTOCLEAR_BITMAPS = 1,
    QCOW2_MAX_L1 = 32 << 20,      /* bytes, as QEMU */
    QCOW2_MAX_REFTABLE = 8 << 20, /* bytes, as QEMU */
    QCOW2_MAX_SNAPSHOTS = 65536,
    QCOW2_MAX_NAME = 1023,
};

/* The fields of the header in the file's order (qcow2 spec, Header). */
struct qcow2_header {
    uint32_t version;
    uint64_t backing_offset;
    uint32_t backing_size, cluster_bits;
    uint64_t size;
    uint32_t crypt, l1_size;
    uint64_t l1_offset, reftable_offset;
    uint32_t reftable_clusters, nb_snapshots;
    uint64_t snapshots_offset;
    uint64_t incompatible, compatible, autoclear;
    uint32_t refcount_order, length;
    uint8_t compression;
};

struct qcow2_extension {
    uint32_t type, len;
    uint8_t *data;
};
enum {
    QCOW2_MAX_EXTENSIONS = 64,
    QCOW2_EXT_END = 0,
    QCOW2_EXT_FORMAT = (int)0xe2792aca,
    QCOW2_EXT_FEATURES = 0x6803f857,
    QCOW2_EXT_BITMAPS = 0x23852875,
    QCOW2_EXT_MARK = 0x52547243, /* ours: what the backing file looked like */
};

/* A cached L2 table or refcount block, in the file's byte order. */
struct qcow2_table {
    uint64_t offset;               /* in the file; 0: the slot is free */
    uint8_t *data;                 /* one cluster */
    uint32_t dirty_from, dirty_to; /* equal: clean */
    bool fresh;                    /* nothing in the file points to it yet */
    uint64_t used;                 /* when, for eviction */
};
struct qcow2_cache {
    struct qcow2_table *slot;
    unsigned n;
    uint64_t clock;
};

struct qcow2_free {
    uint64_t cluster;
    bool punch; /* the guest gave it up: give the space back to the host */
};

struct qcow2 {
    struct blk blk;
    struct host_file file;
    struct qcow2_header h;
    uint8_t *rest; /* of the header: h.length - 112 unknown bytes, kept */
    struct qcow2_extension ext[QCOW2_MAX_EXTENSIONS];
    unsigned next;
    char *backing_name, *backing_format, *notice;
    struct blk *backing;

    uint32_t cluster_size;
    unsigned l2_bits;       /* log2 of the entries of an L2 table */
    unsigned refblock_bits; /* log2 of the refcounts in a block */
    uint64_t *l1;           /* h.l1_size entries, host order */
    uint32_t l1_dirty_from, l1_dirty_to;
    uint64_t *reftable; /* host order */
    uint32_t reftable_size;
    uint32_t reftable_dirty_from, reftable_dirty_to;
    struct qcow2_cache l2, refblocks;
    struct qcow2_free *frees; /* what step C is to free */
    size_t nfrees, frees_cap;
    uint64_t free_hint; /* no free cluster below this one */
    bool viewing;       /* the L1 table in memory is a snapshot's */
    bool broken;        /* damage was found while writing: no more writes */

    struct qcow2_snapshot *snapshot; /* h.nb_snapshots */
    uint64_t packed_at;              /* where the next compressed cluster may go on; 0: nowhere */
    uint8_t *unpacked;               /* the cluster decompressed last */
    uint64_t unpacked_entry;         /* its L2 entry; 0: none */
    uint8_t *bounce;                 /* one cluster */
    char path[];                     /* blk.name and file.name point here */
};

static inline struct qcow2 *qcow2_of(const struct blk *b)
{
    return CONTAINER_OF((struct blk *)(uintptr_t)b, struct qcow2, blk);
}

/* --- big-endian numbers --- */
static inline uint16_t get_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t get_be64(const uint8_t *p)
{
    return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}
static inline void put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void put_be32(uint8_t *p, uint32_t v)
{
    put_be16(p, (uint16_t)(v >> 16));
    put_be16(p + 2, (uint16_t)v);
}
static inline void put_be64(uint8_t *p, uint64_t v)
{
    put_be32(p, (uint32_t)(v >> 32));
    put_be32(p + 4, (uint32_t)v);
}

static inline uint64_t cluster_of(const struct qcow2 *q, uint64_t offset)
{
    return offset >> q->h.cluster_bits;
}
static inline uint64_t in_cluster(const struct qcow2 *q, uint64_t offset)
{
    return offset & (q->cluster_size - 1u);
}
/* Clusters that `bytes` need. */
static inline uint64_t clusters_for(const struct qcow2 *q, uint64_t bytes)
{
    return (bytes >> q->h.cluster_bits) + (in_cluster(q, bytes) != 0);
}

/* "name: the image is damaged: ...; run `retrace-img check`" */
enum emu_err qcow2_damaged(const struct qcow2 *q, struct error *err, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
enum emu_err qcow2_nomem(const struct qcow2 *q, struct error *err);

/* --- qcow2_header.c --- */
MUST_CHECK enum emu_err qcow2_header_read(struct qcow2 *q, unsigned flags, struct error *err);
/* The whole header cluster: fields, extensions and backing name. */
MUST_CHECK enum emu_err qcow2_header_write(struct qcow2 *q, struct error *err);
/* Puts the record of the backing file among the extensions. */
MUST_CHECK enum emu_err qcow2_put_mark(struct qcow2 *q, const struct host_file_mark *mark,
                                       struct error *err);
/* The fixed fields from byte `from` to `to`, in one write: they change together. */
MUST_CHECK enum emu_err qcow2_header_update(struct qcow2 *q, uint32_t from, uint32_t to,
                                            struct error *err);
void qcow2_header_free(struct qcow2 *q);
const struct qcow2_extension *qcow2_extension(const struct qcow2 *q, uint32_t type);
/* A copy of the data; len 0 removes the extension. */
MUST_CHECK enum emu_err qcow2_extension_set(struct qcow2 *q, uint32_t type, const void *data,
                                            uint32_t len, struct error *err);

/* --- qcow2_cache.c --- */
MUST_CHECK enum emu_err qcow2_cache_init(struct qcow2 *q, struct qcow2_cache *c);
void qcow2_cache_free(struct qcow2_cache *c);
/* The table stays where it is until the cache was asked for two others. */
MUST_CHECK enum emu_err qcow2_table_get(struct qcow2 *q, struct qcow2_cache *c, uint64_t offset,
                                        struct qcow2_table **out, struct error *err);
/* All zero, dirty and fresh, without reading the file. */
MUST_CHECK enum emu_err qcow2_table_new(struct qcow2 *q, struct qcow2_cache *c, uint64_t offset,
                                        struct qcow2_table **out, struct error *err);
void qcow2_table_dirty(struct qcow2_table *t, uint32_t from, uint32_t to);
void qcow2_table_forget(struct qcow2_cache *c, uint64_t offset);
void qcow2_l1_set(struct qcow2 *q, uint32_t index, uint64_t entry);
void qcow2_reftable_set(struct qcow2 *q, uint32_t index, uint64_t entry);
MUST_CHECK enum emu_err qcow2_commit(struct qcow2 *q, struct error *err);

/* --- qcow2_refcount.c --- */
MUST_CHECK enum emu_err qcow2_refcount(struct qcow2 *q, uint64_t cluster, uint64_t *count,
                                       struct error *err);
MUST_CHECK enum emu_err qcow2_refcount_set(struct qcow2 *q, uint64_t cluster, uint64_t count,
                                           struct error *err);
uint64_t qcow2_refcount_max(const struct qcow2 *q);
uint64_t qcow2_refcount_read(const uint8_t *block, unsigned order, uint64_t index);
void qcow2_refcount_write(uint8_t *block, unsigned order, uint64_t index, uint64_t count);
/* One more reference. */
MUST_CHECK enum emu_err qcow2_ref(struct qcow2 *q, uint64_t cluster, struct error *err);
/* One less, once nothing in the file needs it any more (step C). */
MUST_CHECK enum emu_err qcow2_unref(struct qcow2 *q, uint64_t cluster, bool punch,
                                    struct error *err);
MUST_CHECK enum emu_err qcow2_apply_frees(struct qcow2 *q, struct error *err);
/* Takes `min` to `want` clusters in a row, with refcount 1. */
MUST_CHECK enum emu_err qcow2_alloc(struct qcow2 *q, uint64_t want, uint64_t min, uint64_t *first,
                                    uint64_t *got, struct error *err);
/* Takes back clusters of qcow2_alloc() that nothing ever pointed to. */
void qcow2_unalloc(struct qcow2 *q, uint64_t first, uint64_t n);

/* --- qcow2_map.c --- */
enum qcow2_kind { QCOW2_NOTHING, QCOW2_ZEROS, QCOW2_RESERVED, QCOW2_DATA, QCOW2_PACKED };
/* RESERVED: reads as zeros, but has a host cluster. */
struct qcow2_map {
    enum qcow2_kind kind;
    bool copied;
    uint64_t host;  /* of the byte asked for (DATA, RESERVED) */
    uint64_t entry; /* of the first cluster */
    uint64_t len;   /* bytes alike, and in a row in the file */
};
enum qcow2_kind qcow2_kind_of(const struct qcow2 *q, uint64_t entry);
/* An error if the entry cannot be one. */
MUST_CHECK enum emu_err qcow2_entry_check(const struct qcow2 *q, uint64_t entry, struct error *err);
MUST_CHECK enum emu_err qcow2_lookup(struct qcow2 *q, uint64_t offset, uint64_t len,
                                     struct qcow2_map *out, struct error *err);
/* The L2 table for a guest offset, own and writable, made where there is none. */
MUST_CHECK enum emu_err qcow2_l2_own(struct qcow2 *q, uint64_t offset, struct qcow2_table **out,
                                     struct error *err);
/* Sets `n` entries from a guest offset on (in one table), to `entry`, `entry` + step, ...; frees
 * what they had. */
MUST_CHECK enum emu_err qcow2_map_set(struct qcow2 *q, uint64_t offset, uint64_t n, uint64_t entry,
                                      uint64_t step, bool punch, struct error *err);
MUST_CHECK enum emu_err qcow2_entry_unref(struct qcow2 *q, uint64_t entry, bool punch,
                                          struct error *err);
/* Host clusters of a compressed cluster. */
void qcow2_packed_range(const struct qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *len);
uint32_t qcow2_l2_index(const struct qcow2 *q, uint64_t offset);
uint64_t qcow2_l1_index(const struct qcow2 *q, uint64_t offset);

/* --- qcow2_compress.c --- */
/* Points to the decompressed cluster, which stays until the next call. */
MUST_CHECK enum emu_err qcow2_unpack(struct qcow2 *q, uint64_t entry, const uint8_t **out,
                                     struct error *err);

/* --- qcow2_snapshot.c --- */
MUST_CHECK enum emu_err qcow2_snapshots_read(struct qcow2 *q, struct error *err);
void qcow2_snapshots_free(struct qcow2_snapshot *s, unsigned n);
/* An L1 table of the file, in host order; freed by the caller. */
MUST_CHECK enum emu_err qcow2_l1_read(struct qcow2 *q, uint64_t offset, uint32_t size,
                                      uint64_t **out, struct error *err);
/* Makes the COPIED flags of the present tables right. */
MUST_CHECK enum emu_err qcow2_fix_copied(struct qcow2 *q, struct error *err);
/* A new L1 table of the same contents for a larger disk, and the disk's new size. */
MUST_CHECK enum emu_err qcow2_l1_replace(struct qcow2 *q, const uint64_t *l1, uint32_t size,
                                         uint64_t disk_size, struct error *err);

/* Entries of the L1 table that a disk of `size` bytes needs. */
uint64_t qcow2_l1_for(const struct qcow2 *q, uint64_t size);

/* --- qcow2.c --- */
MUST_CHECK enum emu_err qcow2_guest_read(struct qcow2 *q, uint64_t offset, void *to, size_t len,
                                         struct error *err);
MUST_CHECK enum emu_err qcow2_guest_write(struct qcow2 *q, uint64_t offset, const void *from,
                                          size_t len, struct error *err);

#endif
