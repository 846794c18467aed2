/*
 * A qcow2 image as a block device: open, read, write, zero, discard, flush, resize. See qcow2.h
 * for what is not there, qcow2_int.h for the order in which things reach the file.
 *
 * Guest data goes to the file at once, into clusters that nothing points to yet (or in place where
 * the cluster is the image's own); the tables follow at the next flush.
 */
#include "disk/image.h"
#include "disk/qcow2_int.h"

#include <stdlib.h>
#include <string.h>

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* --- read --- */

static enum emu_err read_below(struct qcow2 *q, uint64_t offset, uint8_t *to, size_t len,
                               struct error *err)
{
    uint64_t have = q->backing && offset < q->backing->size ? q->backing->size - offset : 0;
    size_t n = (size_t)min_u64(len, have);
    memset(to + n, 0, len - n);
    return n ? blk_read(q->backing, offset, to, n, err) : EMU_OK;
}

static enum emu_err read_packed(struct qcow2 *q, const struct qcow2_map *m, uint64_t offset,
                                uint8_t *to, struct error *err)
{
    const uint8_t *cluster;
    enum emu_err rc = qcow2_unpack(q, m->entry, &cluster, err);
    if (rc == EMU_OK)
        memcpy(to, cluster + in_cluster(q, offset), (size_t)m->len);
    return rc;
}

static enum emu_err read_run(struct qcow2 *q, const struct qcow2_map *m, uint64_t offset,
                             uint8_t *to, struct error *err)
{
    switch (m->kind) {
    case QCOW2_NOTHING: return read_below(q, offset, to, (size_t)m->len, err);
    case QCOW2_DATA: return host_file_read_padded(&q->file, m->host, to, (size_t)m->len, err);
    case QCOW2_PACKED: return read_packed(q, m, offset, to, err);
    default: memset(to, 0, (size_t)m->len); return EMU_OK;
    }
}

enum emu_err qcow2_guest_read(struct qcow2 *q, uint64_t offset, void *to, size_t len,
                              struct error *err)
{
    for (uint8_t *p = to; len > 0;) {
        struct qcow2_map m;
        enum emu_err rc = qcow2_lookup(q, offset, len, &m, err);
        if (rc == EMU_OK)
            rc = read_run(q, &m, offset, p, err);
        if (rc != EMU_OK)
            return rc;
        p += m.len;
        offset += m.len;
        len -= (size_t)m.len;
    }
    return EMU_OK;
}

static enum emu_err op_read(struct blk *b, uint64_t offset, void *to, size_t len, struct error *err)
{
    return qcow2_guest_read(qcow2_of(b), offset, to, len, err);
}

/* --- write --- */

/* Refuses where damage was found; tells readers of dirty bitmaps that these are out of date. */
static enum emu_err begin_writing(struct qcow2 *q, struct error *err)
{
    if (q->broken)
        return qcow2_damaged(q, err, "writing was stopped to save what is left");
    if (!q->h.autoclear || q->h.version < 3)
        return EMU_OK;
    q->h.autoclear = 0;
    enum emu_err rc = qcow2_header_update(q, 88, 96, err);
    return rc == EMU_OK ? host_file_sync(&q->file, err) : rc;
}

/* One cluster that the guest's bytes do not fill: the rest is what was there. */
static enum emu_err write_part(struct qcow2 *q, uint64_t offset, const uint8_t *from, size_t len,
                               uint64_t host, struct error *err)
{
    uint64_t within = in_cluster(q, offset), start = offset - within;
    uint64_t have = min_u64(q->cluster_size, q->blk.size - start);
    memset(q->bounce, 0, q->cluster_size);
    enum emu_err rc = EMU_OK;
    if (within)
        rc = qcow2_guest_read(q, start, q->bounce, (size_t)within, err);
    if (rc == EMU_OK && within + len < have)
        rc = qcow2_guest_read(q, offset + len, q->bounce + within + len,
                              (size_t)(have - within - len), err);
    if (rc != EMU_OK)
        return rc;
    memcpy(q->bounce + within, from, len);
    return host_file_write(&q->file, host, q->bounce, q->cluster_size, err);
}

/* Fills the host clusters from `host` on, with the guest's bytes and what is around them. */
static enum emu_err fill(struct qcow2 *q, uint64_t offset, const uint8_t *from, size_t len,
                         uint64_t host, struct error *err)
{
    enum emu_err rc = EMU_OK;
    while (len > 0 && rc == EMU_OK) {
        uint64_t within = in_cluster(q, offset);
        size_t n = (size_t)min_u64(len, q->cluster_size - within);
        if (n == q->cluster_size) { /* all whole ones at once */
            n = len & ~(size_t)(q->cluster_size - 1u);
            rc = host_file_write(&q->file, host, from, n, err);
        } else {
            rc = write_part(q, offset, from, n, host, err);
        }
        from += n;
        len -= n;
        offset += n;
        host += within + n;
    }
    return rc;
}

/* Writes as much as goes into one run of new clusters; *done says how much. */
static enum emu_err write_new(struct qcow2 *q, uint64_t offset, const uint8_t *from, size_t len,
                              size_t *done, struct error *err)
{
    uint64_t first, got, within = in_cluster(q, offset);
    enum emu_err rc = qcow2_alloc(q, clusters_for(q, within + len), 1, &first, &got, err);
    if (rc != EMU_OK)
        return rc;
    uint64_t host = first << q->h.cluster_bits;
    *done = (size_t)min_u64(len, (got << q->h.cluster_bits) - within);
    rc = fill(q, offset, from, *done, host, err);
    if (rc == EMU_OK)
        rc = qcow2_map_set(q, offset, got, host | QCOW2_COPIED, q->cluster_size, false, err);
    else
        qcow2_unalloc(q, first, got);
    return rc;
}

/* Clusters that are reserved and read as zeros: now they are used. */
static enum emu_err write_reserved(struct qcow2 *q, const struct qcow2_map *m, uint64_t offset,
                                   const uint8_t *from, struct error *err)
{
    uint64_t host = m->entry & QCOW2_OFFSET;
    enum emu_err rc = fill(q, offset, from, (size_t)m->len, host, err);
    if (rc != EMU_OK)
        return rc;
    return qcow2_map_set(q, offset, clusters_for(q, in_cluster(q, offset) + m->len),
                         host | QCOW2_COPIED, q->cluster_size, false, err);
}

/* Bytes from `offset` on, at most `len`, whose clusters all need new places. */
static enum emu_err need_new(struct qcow2 *q, uint64_t offset, size_t len, struct qcow2_map *first,
                             size_t *n, struct error *err)
{
    struct qcow2_map m = *first;
    *n = (size_t)m.len;
    while (*n < len && qcow2_l2_index(q, offset + *n) != 0) {
        enum emu_err rc = qcow2_lookup(q, offset + *n, len - *n, &m, err);
        if (rc != EMU_OK)
            return rc;
        if (m.copied && (m.kind == QCOW2_DATA || m.kind == QCOW2_RESERVED))
            break;
        *n += (size_t)m.len;
    }
    return EMU_OK;
}

enum emu_err qcow2_guest_write(struct qcow2 *q, uint64_t offset, const void *from, size_t len,
                               struct error *err)
{
    const uint8_t *p = from;
    enum emu_err rc = begin_writing(q, err);
    while (rc == EMU_OK && len > 0) {
        struct qcow2_map m;
        size_t n = 0;
        rc = qcow2_lookup(q, offset, len, &m, err);
        if (rc != EMU_OK)
            break;
        if (m.copied && m.kind == QCOW2_DATA) {
            n = (size_t)m.len;
            rc = host_file_write(&q->file, m.host, p, n, err);
        } else if (m.copied && m.kind == QCOW2_RESERVED) {
            n = (size_t)m.len;
            rc = write_reserved(q, &m, offset, p, err);
        } else {
            rc = need_new(q, offset, len, &m, &n, err);
            if (rc == EMU_OK)
                rc = write_new(q, offset, p, n, &n, err);
        }
        p += n;
        offset += n;
        len -= n;
    }
    return rc;
}

static enum emu_err op_write(struct blk *b, uint64_t offset, const void *from, size_t len,
                             struct error *err)
{
    return qcow2_guest_write(qcow2_of(b), offset, from, len, err);
}

/* --- zero and discard --- */

static bool reads_zero(const struct qcow2 *q, const struct qcow2_map *m, uint64_t offset)
{
    if (m->kind == QCOW2_NOTHING)
        return !q->backing_name || (q->backing && offset >= q->backing->size);
    return m->kind == QCOW2_ZEROS || m->kind == QCOW2_RESERVED;
}

/* Part of a cluster: real zeros, unless that is what it holds. */
static enum emu_err zero_part(struct qcow2 *q, uint64_t offset, size_t len, struct error *err)
{
    struct qcow2_map m;
    enum emu_err rc = qcow2_lookup(q, offset, len, &m, err);
    if (rc != EMU_OK || reads_zero(q, &m, offset))
        return rc;
    uint8_t *zeros = calloc(1, len);
    if (!zeros)
        return qcow2_nomem(q, err);
    rc = qcow2_guest_write(q, offset, zeros, len, err);
    free(zeros);
    return rc;
}

/* Whole clusters of one kind. Version 2 has no zero clusters: nothing will do without a backing
 * file, else zeros are written. */
static enum emu_err zero_run(struct qcow2 *q, const struct qcow2_map *m, uint64_t offset,
                             bool discard, struct error *err)
{
    uint64_t n = clusters_for(q, m->len);
    bool below = q->backing_name != NULL;
    if (m->kind == QCOW2_ZEROS || (m->kind == QCOW2_NOTHING && !below) ||
        (m->kind == QCOW2_RESERVED && !discard))
        return EMU_OK;
    if (q->h.version >= 3)
        return qcow2_map_set(q, offset, n, QCOW2_ZERO, 0, discard, err);
    if (!below)
        return qcow2_map_set(q, offset, n, 0, 0, discard, err);
    enum emu_err rc = EMU_OK;
    for (uint64_t at = 0; !discard && at < m->len && rc == EMU_OK; at += q->cluster_size)
        rc = zero_part(q, offset + at, (size_t)min_u64(q->cluster_size, m->len - at), err);
    return rc;
}

static enum emu_err zero(struct qcow2 *q, uint64_t offset, uint64_t len, bool discard,
                         struct error *err)
{
    enum emu_err rc = begin_writing(q, err);
    while (rc == EMU_OK && len > 0) {
        uint64_t within = in_cluster(q, offset), n = min_u64(len, q->cluster_size - within);
        struct qcow2_map m;
        if (within || (n < q->cluster_size && offset + n < q->blk.size)) {
            rc = discard ? EMU_OK : zero_part(q, offset, (size_t)n, err);
        } else {
            uint64_t all = offset + len == q->blk.size ? len : len & ~(q->cluster_size - 1ull);
            rc = qcow2_lookup(q, offset, all, &m, err);
            n = m.len;
            if (rc == EMU_OK)
                rc = zero_run(q, &m, offset, discard, err);
        }
        offset += n;
        len -= n;
    }
    return rc;
}

static enum emu_err op_zero(struct blk *b, uint64_t offset, uint64_t len, struct error *err)
{
    return zero(qcow2_of(b), offset, len, false, err);
}

static enum emu_err op_discard(struct blk *b, uint64_t offset, uint64_t len, struct error *err)
{
    return zero(qcow2_of(b), offset, len, true, err);
}

/* --- flush, extents --- */

static enum emu_err op_flush(struct blk *b, struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    if (q->broken)
        return qcow2_damaged(q, err, "writing was stopped to save what is left");
    enum emu_err rc = qcow2_commit(q, err);
    return rc == EMU_OK ? host_file_sync(&q->file, err) : rc;
}

static enum emu_err extent_below(struct qcow2 *q, uint64_t offset, struct blk_extent *out,
                                 struct error *err)
{
    uint64_t len = out->len;
    if (!q->backing || offset >= q->backing->size) {
        *out = (struct blk_extent){.len = len, .zero = true, .depth = 0};
        return EMU_OK;
    }
    enum emu_err rc =
        blk_extent(q->backing, offset, min_u64(len, q->backing->size - offset), out, err);
    out->depth++;
    return rc;
}

static enum emu_err op_extent(struct blk *b, uint64_t offset, uint64_t len, struct blk_extent *out,
                              struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    struct qcow2_map m;
    enum emu_err rc = qcow2_lookup(q, offset, len, &m, err);
    *out = (struct blk_extent){.len = m.len, .file = b, .present = true};
    if (rc != EMU_OK)
        return rc;
    if (m.kind == QCOW2_NOTHING)
        return extent_below(q, offset, out, err);
    out->zero = m.kind == QCOW2_ZEROS || m.kind == QCOW2_RESERVED;
    out->data = !out->zero;
    out->compressed = m.kind == QCOW2_PACKED;
    out->has_offset = m.kind == QCOW2_DATA || m.kind == QCOW2_RESERVED;
    out->offset = m.host;
    if (m.kind == QCOW2_DATA) /* the host may know that it was never written */
        out->zero = !host_file_has_data(&q->file, m.host, m.len, &out->len);
    return EMU_OK;
}

/* --- resize --- */

static enum emu_err refuse_resize(const struct qcow2 *q, uint64_t size, struct error *err)
{
    if (q->h.nb_snapshots && q->h.version < 3)
        return error_set(err, EMU_UNSUPPORTED,
                         "%s: an image of version 2 with snapshots cannot be resized", q->blk.name);
    if (size > QCOW2_OFFSET || qcow2_l1_for(q, size) > QCOW2_MAX_L1 / 8)
        return error_set(err, EMU_ARG, "%s: %llu bytes are too much for clusters of %u bytes",
                         q->blk.name, (unsigned long long)size, q->cluster_size);
    return EMU_OK;
}

static uint64_t round_up(const struct qcow2 *q, uint64_t offset)
{
    return clusters_for(q, offset) << q->h.cluster_bits;
}

/* New bytes must read as zeros, also where the backing file is longer than the image was, and in
 * the rest of what was the last cluster. */
static enum emu_err clear_new(struct qcow2 *q, uint64_t old, struct error *err)
{
    uint64_t size = q->blk.size, edge = min_u64(size, round_up(q, old));
    uint64_t below = q->backing ? q->backing->size : q->backing_name ? size : 0;
    uint64_t end = min_u64(size, round_up(q, min_u64(size, below)));
    enum emu_err rc = zero(q, old, edge - old, false, err);
    return rc == EMU_OK && end > edge ? zero(q, edge, end - edge, false, err) : rc;
}

static enum emu_err grow(struct qcow2 *q, uint64_t size, struct error *err)
{
    uint64_t old = q->blk.size, entries = qcow2_l1_for(q, size);
    enum emu_err rc = EMU_OK;
    if (entries > q->h.l1_size) {
        uint64_t *l1 = calloc((size_t)entries, sizeof(*l1));
        if (!l1)
            return qcow2_nomem(q, err);
        memcpy(l1, q->l1, q->h.l1_size * sizeof(*l1));
        rc = qcow2_l1_replace(q, l1, (uint32_t)entries, old, err);
        free(l1);
        if (rc != EMU_OK)
            return rc;
    }
    /* First what the new bytes are, then that they are there. */
    q->blk.size = size;
    rc = clear_new(q, old, err);
    if (rc == EMU_OK)
        rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = host_file_sync(&q->file, err);
    if (rc == EMU_OK) {
        q->h.size = size;
        rc = qcow2_header_update(q, 24, 32, err);
    }
    if (rc != EMU_OK)
        q->h.size = q->blk.size = old;
    return rc;
}

static enum emu_err shrink(struct qcow2 *q, uint64_t size, struct error *err)
{
    uint64_t edge = min_u64(round_up(q, size), q->blk.size);
    bool can_discard = q->h.version >= 3 || !q->backing_name;
    enum emu_err rc = zero(q, size, edge - size, false, err);
    if (rc == EMU_OK)
        rc = zero(q, edge, q->blk.size - edge, can_discard, err);
    if (rc == EMU_OK)
        rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = host_file_sync(&q->file, err);
    if (rc != EMU_OK)
        return rc;
    q->h.size = q->blk.size = size;
    return qcow2_header_update(q, 24, 32, err);
}

static enum emu_err op_resize(struct blk *b, uint64_t size, struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    enum emu_err rc = refuse_resize(q, size, err);
    if (rc == EMU_OK)
        rc = begin_writing(q, err);
    if (rc != EMU_OK || size == b->size)
        return rc;
    rc = size > b->size ? grow(q, size, err) : shrink(q, size, err);
    return rc == EMU_OK ? host_file_sync(&q->file, err) : rc;
}

enum emu_err qcow2_make_empty(struct blk *b, struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    enum emu_err rc = begin_writing(q, err);
    for (uint64_t at = 0; at < b->size && rc == EMU_OK;) {
        struct qcow2_map m;
        rc = qcow2_lookup(q, at, b->size - at, &m, err);
        if (rc == EMU_OK && m.kind != QCOW2_NOTHING)
            rc = qcow2_map_set(q, at, clusters_for(q, m.len), 0, 0, true, err);
        at += m.len;
    }
    return rc == EMU_OK ? op_flush(b, err) : rc;
}

/* --- open and close --- */

static void destroy(struct qcow2 *q)
{
    host_file_close(&q->file);
    qcow2_snapshots_free(q->snapshot, q->h.nb_snapshots);
    qcow2_header_free(q);
    qcow2_cache_free(&q->l2);
    qcow2_cache_free(&q->refblocks);
    free(q->l1);
    free(q->reftable);
    free(q->frees);
    free(q->unpacked);
    free(q->bounce);
    free(q);
}

static void op_close(struct blk *b)
{
    struct qcow2 *q = qcow2_of(b);
    blk_close(q->backing, NULL);
    destroy(q);
}

static const struct blk_ops qcow2_ops = {
    .format = "qcow2",
    .read = op_read,
    .write = op_write,
    .flush = op_flush,
    .close = op_close,
    .zero = op_zero,
    .discard = op_discard,
    .extent = op_extent,
    .resize = op_resize,
};

bool qcow2_is(const struct blk *b) { return b->ops == &qcow2_ops; }

static enum emu_err read_tables(struct qcow2 *q, struct error *err)
{
    q->reftable_size = q->h.reftable_clusters << (q->h.cluster_bits - 3);
    q->bounce = malloc(q->cluster_size);
    if (!q->bounce || qcow2_cache_init(q, &q->l2) != EMU_OK ||
        qcow2_cache_init(q, &q->refblocks) != EMU_OK)
        return qcow2_nomem(q, err);
    enum emu_err rc = qcow2_l1_read(q, q->h.l1_offset, q->h.l1_size, &q->l1, err);
    if (rc == EMU_OK)
        rc = qcow2_l1_read(q, q->h.reftable_offset, q->reftable_size, &q->reftable, err);
    return rc;
}

/* A dirty image was not closed by a program with lazy refcounts: they are counted anew. */
static enum emu_err clean_up(struct qcow2 *q, unsigned flags, struct error *err)
{
    struct qcow2_check found = {0};
    if (!(q->h.incompatible & QCOW2_INCOMPAT_DIRTY) || q->blk.read_only || flags & IMAGE_FOR_CHECK)
        return EMU_OK;
    return qcow2_check(&q->blk, QCOW2_REPAIR_ALL, &found, err);
}

enum emu_err qcow2_open(const char *path, unsigned flags, struct blk **out, struct error *err)
{
    bool read_only = flags & IMAGE_READ_ONLY;
    size_t name_len = strlen(path) + 1;
    struct qcow2 *q = calloc(1, sizeof(*q) + name_len);
    if (!q)
        return error_set(err, EMU_NOMEM, "%s: out of memory", path);
    memcpy(q->path, path, name_len);
    q->blk = (struct blk){&qcow2_ops, q->path, 0, read_only};
    enum emu_err rc = host_file_open(&q->file, q->path,
                                     (read_only ? 0u : HOST_FILE_WRITE) |
                                         (flags & IMAGE_UNLOCKED ? HOST_FILE_UNLOCKED : 0u) |
                                         (flags & IMAGE_UNSAFE ? HOST_FILE_UNSAFE : 0u),
                                     err);
    if (rc != EMU_OK) {
        free(q);
        return rc;
    }
    rc = qcow2_header_read(q, flags, err);
    q->blk.size = q->h.size;
    if (rc == EMU_OK)
        rc = read_tables(q, err);
    if (rc == EMU_OK)
        rc = qcow2_snapshots_read(q, err);
    if (rc == EMU_OK)
        rc = clean_up(q, flags, err);
    if (rc != EMU_OK) {
        destroy(q);
        return rc;
    }
    *out = &q->blk;
    return EMU_OK;
}

/* --- the backing file --- */

const char *qcow2_backing_name(const struct blk *b) { return qcow2_of(b)->backing_name; }
const char *qcow2_backing_format(const struct blk *b) { return qcow2_of(b)->backing_format; }
struct blk *qcow2_attached(const struct blk *b) { return qcow2_of(b)->backing; }
const char *qcow2_notice(const struct blk *b) { return qcow2_of(b)->notice; }

void qcow2_attach(struct blk *b, struct blk *backing) { qcow2_of(b)->backing = backing; }

void qcow2_set_notice(struct blk *b, const char *text)
{
    struct qcow2 *q = qcow2_of(b);
    free(q->notice);
    q->notice = text ? strdup(text) : NULL;
}

static enum emu_err rewrite_header(struct qcow2 *q, struct error *err)
{
    enum emu_err rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = host_file_sync(&q->file, err);
    if (rc == EMU_OK)
        rc = qcow2_header_write(q, err);
    return rc == EMU_OK ? host_file_sync(&q->file, err) : rc;
}

enum emu_err qcow2_set_backing(struct blk *b, const char *name, const char *format,
                               struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    char *old_name = q->backing_name, *old_format = q->backing_format;
    if (name && strlen(name) > QCOW2_MAX_NAME)
        return error_set(err, EMU_ARG, "%s: a backing file's name has at most %d bytes", b->name,
                         QCOW2_MAX_NAME);
    q->backing_name = name ? strdup(name) : NULL;
    q->backing_format = name && format ? strdup(format) : NULL;
    enum emu_err rc = qcow2_extension_set(q, QCOW2_EXT_MARK, NULL, 0, err);
    if (rc == EMU_OK && name && !q->backing_name)
        rc = qcow2_nomem(q, err);
    if (rc == EMU_OK)
        rc = rewrite_header(q, err);
    if (rc != EMU_OK) {
        free(q->backing_name);
        free(q->backing_format);
        q->backing_name = old_name;
        q->backing_format = old_format;
        return rc;
    }
    free(old_name);
    free(old_format);
    return EMU_OK;
}

/* FNV-1a: a record counts only for the name for which it was made, since other programs change
 * the name and keep the record. */
static uint64_t name_hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; name && *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001b3u;
    return h;
}

bool qcow2_backing_mark(const struct blk *b, struct host_file_mark *mark)
{
    const struct qcow2 *q = qcow2_of(b);
    const struct qcow2_extension *e = qcow2_extension(q, QCOW2_EXT_MARK);
    if (!e || e->len != 24 || get_be64(e->data + 16) != name_hash(q->backing_name))
        return false;
    mark->size = get_be64(e->data);
    mark->mtime_ns = get_be64(e->data + 8);
    return true;
}

enum emu_err qcow2_put_mark(struct qcow2 *q, const struct host_file_mark *mark, struct error *err)
{
    uint8_t data[24];
    put_be64(data, mark->size);
    put_be64(data + 8, mark->mtime_ns);
    put_be64(data + 16, name_hash(q->backing_name));
    return qcow2_extension_set(q, QCOW2_EXT_MARK, data, sizeof(data), err);
}

enum emu_err qcow2_record_backing(struct blk *b, const struct host_file_mark *mark,
                                  struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    enum emu_err rc = qcow2_put_mark(q, mark, err);
    return rc == EMU_OK ? rewrite_header(q, err) : rc;
}

void qcow2_info(const struct blk *b, struct qcow2_info *info)
{
    const struct qcow2 *q = qcow2_of(b);
    *info = (struct qcow2_info){
        .version = q->h.version,
        .cluster_size = q->cluster_size,
        .refcount_bits = 1u << q->h.refcount_order,
        .compression = q->h.compression,
        .lazy_refcounts = q->h.compatible & QCOW2_COMPAT_LAZY,
        .dirty = q->h.incompatible & QCOW2_INCOMPAT_DIRTY,
        .corrupt = q->h.incompatible & QCOW2_INCOMPAT_CORRUPT,
        .nb_snapshots = q->h.nb_snapshots,
        .allocated_bytes = host_file_allocated(&q->file),
    };
    if (host_file_size(&q->file, &info->file_bytes, NULL) != EMU_OK)
        info->file_bytes = 0;
}
