/*
 * New qcow2 images. The file begins: header, refcount table, first refcount block, L1 table; then
 * refcount blocks as far as the table and preallocation need. Everything is written into an
 * empty file, the header's magic number last, so that a file that was not finished is no image.
 */
#include "disk/image.h"
#include "disk/qcow2_int.h"

#include <stdlib.h>
#include <string.h>

const struct qcow2_create qcow2_create_default = {
    .version = 3,
    .cluster_bits = 16,
    .refcount_order = 4,
};

enum emu_err qcow2_create_check(const char *path, const struct qcow2_create *how, struct error *err)
{
    if (how->version != 2 && how->version != 3)
        return error_set(err, EMU_ARG, "%s: there are qcow2 versions 2 (compat=0.10) and 3 (1.1)",
                         path);
    if (how->cluster_bits < 9 || how->cluster_bits > 21)
        return error_set(err, EMU_ARG, "%s: clusters have 512 bytes to 2 MiB, a power of two",
                         path);
    if (how->refcount_order > 6 || (how->version == 2 && how->refcount_order != 4))
        return error_set(err, EMU_ARG,
                         "%s: refcounts have 1, 2, 4, 8, 16, 32 or 64 bits, in version 2 only 16",
                         path);
    if (how->version == 2 && (how->lazy_refcounts || how->compression != QCOW2_ZLIB))
        return error_set(err, EMU_ARG, "%s: lazy refcounts and zstd need version 3 (compat=1.1)",
                         path);
#ifndef HAVE_ZSTD
    if (how->compression == QCOW2_ZSTD)
        return error_set(err, EMU_UNSUPPORTED, "%s: this program was built without libzstd", path);
#endif
    if (how->backing && how->preallocation != QCOW2_PREALLOC_OFF)
        return error_set(err, EMU_ARG,
                         "%s: an image with a backing file cannot be preallocated here", path);
    unsigned span = how->cluster_bits + how->cluster_bits - 3;
    if (how->size > QCOW2_OFFSET || how->size >> span >= QCOW2_MAX_L1 / 8)
        return error_set(
            err, EMU_ARG,
            "%s: %llu bytes are too much for clusters of %u bytes; use larger clusters", path,
            (unsigned long long)how->size, 1u << how->cluster_bits);
    return EMU_OK;
}

/* The names of the feature bits, for programs that do not know them. */
static enum emu_err add_feature_names(struct qcow2 *q, struct error *err)
{
    static const struct {
        uint8_t type, bit;
        char name[46];
    } names[] = {
        {0, 0, "dirty bit"},        {0, 1, "corrupt bit"},         {0, 2, "external data file"},
        {0, 3, "compression type"}, {0, 4, "extended L2 entries"}, {1, 0, "lazy refcounts"},
        {2, 0, "bitmaps"},          {2, 1, "raw external data"},
    };
    if (q->h.version < 3 || q->cluster_size < 4096)
        return EMU_OK;
    return qcow2_extension_set(q, QCOW2_EXT_FEATURES, names, sizeof(names), err);
}

/* The first clusters, all in the first refcount block: 512 * 8 / 64 = 64 clusters at least. */
static enum emu_err write_first(struct qcow2 *q, uint32_t l1_clusters, struct error *err)
{
    uint32_t fixed = 3;
    bool l1_fits = fixed + l1_clusters <= 1u << q->refblock_bits;
    uint8_t *buf = calloc(1, q->cluster_size);
    if (!buf)
        return qcow2_nomem(q, err);
    for (uint32_t i = 0; i < fixed + (l1_fits ? l1_clusters : 0); i++)
        qcow2_refcount_write(buf, q->h.refcount_order, i, 1);
    enum emu_err rc = host_file_write(&q->file, 2ull * q->cluster_size, buf, q->cluster_size, err);
    memset(buf, 0, q->cluster_size);
    put_be64(buf, 2ull * q->cluster_size);
    if (rc == EMU_OK)
        rc = host_file_write(&q->file, q->cluster_size, buf, q->cluster_size, err);
    memset(buf, 0, q->cluster_size);
    for (uint32_t i = 0; l1_fits && i < l1_clusters && rc == EMU_OK; i++)
        rc = host_file_write(&q->file, (3ull + i) << q->h.cluster_bits, buf, q->cluster_size, err);
    free(buf);
    q->h.l1_size = l1_fits ? q->h.l1_size : 0; /* then it is made by growth */
    q->h.l1_offset = 3ull * q->cluster_size;
    return rc;
}

static struct qcow2 *blank(const char *path, const struct qcow2_create *how)
{
    size_t name_len = strlen(path) + 1;
    struct qcow2 *q = calloc(1, sizeof(*q) + name_len);
    if (!q)
        return NULL;
    memcpy(q->path, path, name_len);
    q->blk.name = q->path;
    q->cluster_size = 1u << how->cluster_bits;
    q->l2_bits = how->cluster_bits - 3;
    q->refblock_bits = how->cluster_bits + 3 - how->refcount_order;
    q->h = (struct qcow2_header){
        .version = how->version,
        .cluster_bits = how->cluster_bits,
        .reftable_offset = q->cluster_size,
        .reftable_clusters = 1,
        .refcount_order = how->refcount_order,
        .length = how->version == 2 ? 72 : 112,
        .compression = (uint8_t)how->compression,
        .incompatible = how->compression != QCOW2_ZLIB ? QCOW2_INCOMPAT_COMPRESSION : 0,
        .compatible = how->lazy_refcounts ? QCOW2_COMPAT_LAZY : 0,
    };
    q->backing_name = how->backing ? strdup(how->backing) : NULL;
    q->backing_format = how->backing && how->backing_format ? strdup(how->backing_format) : NULL;
    return q;
}

static enum emu_err write_new_file(struct qcow2 *q, const struct qcow2_create *how,
                                   struct error *err)
{
    uint64_t l1 = qcow2_l1_for(q, how->size);
    q->h.l1_size = l1 ? (uint32_t)l1 : 1;
    q->h.size = how->size;
    uint32_t l1_clusters = (uint32_t)clusters_for(q, q->h.l1_size * 8ull);
    enum emu_err rc = add_feature_names(q, err);
    if (rc == EMU_OK && how->backing && how->mark)
        rc = qcow2_put_mark(q, how->mark, err);
    if (rc == EMU_OK)
        rc = write_first(q, l1_clusters, err);
    if (!q->h.l1_size)
        q->h.size = 0;
    if (rc == EMU_OK)
        rc = host_file_sync(&q->file, err);
    return rc == EMU_OK ? qcow2_header_write(q, err) : rc;
}

/* Gives every guest cluster a host cluster that reads as zeros (version 2: that holds zeros). */
static enum emu_err preallocate(struct blk *b, enum qcow2_preallocation how, struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    enum emu_err rc = EMU_OK;
    for (uint64_t at = 0; at < b->size && rc == EMU_OK;) {
        uint64_t in_table = (1u << q->l2_bits) - qcow2_l2_index(q, at), first, got;
        uint64_t want = clusters_for(q, b->size - at), flags = QCOW2_COPIED;
        rc = qcow2_alloc(q, want < in_table ? want : in_table, 1, &first, &got, err);
        if (rc != EMU_OK)
            return rc;
        uint64_t host = first << q->h.cluster_bits;
        if (q->h.version >= 3)
            flags |= QCOW2_ZERO;
        bool reserved = how == QCOW2_PREALLOC_FALLOC &&
                        host_file_reserve(&q->file, host, got << q->h.cluster_bits);
        if (how != QCOW2_PREALLOC_METADATA && !reserved)
            for (uint64_t i = 0; i < got && rc == EMU_OK; i++) {
                memset(q->bounce, 0, q->cluster_size);
                rc = host_file_write(&q->file, host + (i << q->h.cluster_bits), q->bounce,
                                     q->cluster_size, err);
            }
        else if (how == QCOW2_PREALLOC_METADATA)
            (void)host_file_punch(&q->file, host, got << q->h.cluster_bits);
        if (rc == EMU_OK)
            rc = qcow2_map_set(q, at, got, host | flags, q->cluster_size, false, err);
        at += got << q->h.cluster_bits;
    }
    uint64_t size, end = q->free_hint << q->h.cluster_bits;
    if (rc == EMU_OK)
        rc = host_file_size(&q->file, &size, err);
    if (rc == EMU_OK && size < end)
        rc = host_file_truncate(&q->file, end, err);
    return rc;
}

/* What is done with the finished image: a large L1 table, preallocation. */
static enum emu_err complete(const char *path, const struct qcow2_create *how, bool resize,
                             struct error *err)
{
    struct blk *b;
    if (!resize && how->preallocation == QCOW2_PREALLOC_OFF)
        return EMU_OK;
    enum emu_err rc = qcow2_open(path, IMAGE_TOP_ONLY, &b, err);
    if (rc != EMU_OK)
        return rc;
    char *name = qcow2_of(b)->backing_name;
    qcow2_of(b)->backing_name = NULL; /* growth need not hide anything: the image is new */
    if (resize)
        rc = blk_resize(b, how->size, err);
    qcow2_of(b)->backing_name = name;
    if (rc == EMU_OK && how->preallocation != QCOW2_PREALLOC_OFF)
        rc = preallocate(b, how->preallocation, err);
    enum emu_err closed = blk_close(b, rc == EMU_OK ? err : NULL);
    return rc == EMU_OK ? closed : rc;
}

enum emu_err qcow2_create(const char *path, const struct qcow2_create *how, struct error *err)
{
    enum emu_err rc = qcow2_create_check(path, how, err);
    if (rc == EMU_OK)
        rc = template_check(path, NULL, err);
    if (rc != EMU_OK)
        return rc;
    struct qcow2 *q = blank(path, how);
    if (!q)
        return error_set(err, EMU_NOMEM, "%s: out of memory", path);
    rc = host_file_open(&q->file, q->path, HOST_FILE_WRITE | HOST_FILE_CREATE, err);
    if (rc == EMU_OK) {
        rc = write_new_file(q, how, err);
        if (rc == EMU_OK)
            rc = host_file_sync(&q->file, err);
        host_file_close(&q->file);
    }
    bool resize = q->h.size != how->size;
    qcow2_header_free(q);
    free(q);
    return rc == EMU_OK ? complete(path, how, resize, err) : rc;
}

uint64_t qcow2_measure(const struct qcow2_create *how)
{
    uint64_t cs = 1ull << how->cluster_bits, per_l2 = cs / 8;
    uint64_t per_block = cs * 8 >> how->refcount_order;
    uint64_t guest = how->size / cs + (how->size % cs != 0);
    uint64_t l2 = guest / per_l2 + (guest % per_l2 != 0), l1 = (l2 * 8 + cs - 1) / cs;
    uint64_t all = guest + l2 + (l1 ? l1 : 1) + 1;
    uint64_t blocks = 0, table = 0;
    for (;;) { /* the refcounts count themselves */
        uint64_t b = (all + blocks + table + per_block - 1) / per_block, t = (b * 8 + cs - 1) / cs;
        if (b == blocks && t == table)
            break;
        blocks = b;
        table = t;
    }
    return (all + blocks + table) * cs;
}
