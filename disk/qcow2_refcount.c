/*
 * Reference counts of host clusters (qcow2 spec, Host cluster management), and allocation.
 *
 * A new refcount block is put behind the clusters for which it is needed. If nothing counts the
 * cluster where it would go, that cluster first becomes the block that counts itself. A refcount
 * table that is too short moves behind the last cluster that it covers, together with the blocks
 * that count it there.
 */
#include "disk/qcow2_int.h"

#include <stdlib.h>
#include <string.h>

uint64_t qcow2_refcount_max(const struct qcow2 *q)
{
    unsigned bits = 1u << q->h.refcount_order;
    return bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
}

uint64_t qcow2_refcount_read(const uint8_t *block, unsigned order, uint64_t index)
{
    if (order < 3) { /* several in a byte, the first in the lowest bits */
        unsigned bits = 1u << order, shift = (unsigned)(index << order & 7u);
        return block[index << order >> 3] >> shift & ((1u << bits) - 1);
    }
    const uint8_t *p = block + (index << (order - 3));
    switch (order) {
    case 3: return *p;
    case 4: return get_be16(p);
    case 5: return get_be32(p);
    default: return get_be64(p);
    }
}

void qcow2_refcount_write(uint8_t *block, unsigned order, uint64_t index, uint64_t count)
{
    if (order < 3) {
        unsigned bits = 1u << order, shift = (unsigned)(index << order & 7u);
        uint8_t *p = block + (index << order >> 3), mask = (uint8_t)(((1u << bits) - 1) << shift);
        *p = (uint8_t)((*p & ~mask) | ((unsigned)count << shift & mask));
        return;
    }
    uint8_t *p = block + (index << (order - 3));
    switch (order) {
    case 3: *p = (uint8_t)count; break;
    case 4: put_be16(p, (uint16_t)count); break;
    case 5: put_be32(p, (uint32_t)count); break;
    default: put_be64(p, count); break;
    }
}

static uint64_t in_block(const struct qcow2 *q, uint64_t cluster)
{
    return cluster & ((1ull << q->refblock_bits) - 1);
}

/* The block that counts the cluster; NULL: there is none, and all its counts are 0. */
static enum emu_err block_of(struct qcow2 *q, uint64_t cluster, struct qcow2_table **out,
                             struct error *err)
{
    uint64_t index = cluster >> q->refblock_bits;
    *out = NULL;
    uint64_t offset = index < q->reftable_size ? q->reftable[index] : 0;
    if (!offset)
        return EMU_OK;
    if (in_cluster(q, offset) || offset & ~QCOW2_OFFSET)
        return qcow2_damaged(q, err, "refcount table entry %llu is %llx", (unsigned long long)index,
                             (unsigned long long)offset);
    return qcow2_table_get(q, &q->refblocks, offset, out, err);
}

enum emu_err qcow2_refcount(struct qcow2 *q, uint64_t cluster, uint64_t *count, struct error *err)
{
    struct qcow2_table *block;
    enum emu_err rc = block_of(q, cluster, &block, err);
    *count = 0;
    if (rc == EMU_OK && block)
        *count = qcow2_refcount_read(block->data, q->h.refcount_order, in_block(q, cluster));
    return rc;
}

static void set_in(struct qcow2 *q, struct qcow2_table *block, uint64_t cluster, uint64_t count)
{
    uint64_t index = in_block(q, cluster);
    uint32_t at = (uint32_t)(index << q->h.refcount_order >> 3);
    uint32_t width = q->h.refcount_order < 3 ? 1 : 1u << (q->h.refcount_order - 3);
    qcow2_refcount_write(block->data, q->h.refcount_order, index, count);
    qcow2_table_dirty(block, at, at + width);
}

enum emu_err qcow2_refcount_set(struct qcow2 *q, uint64_t cluster, uint64_t count,
                                struct error *err)
{
    struct qcow2_table *block;
    enum emu_err rc = block_of(q, cluster, &block, err);
    if (rc != EMU_OK)
        return rc;
    if (!block)
        return qcow2_damaged(q, err, "cluster %llu is used, but has no refcount",
                             (unsigned long long)cluster);
    set_in(q, block, cluster, count);
    return EMU_OK;
}

enum emu_err qcow2_ref(struct qcow2 *q, uint64_t cluster, struct error *err)
{
    uint64_t count;
    enum emu_err rc = qcow2_refcount(q, cluster, &count, err);
    if (rc != EMU_OK)
        return rc;
    if (count == qcow2_refcount_max(q))
        return error_set(err, EMU_UNSUPPORTED,
                         "%s: refcounts of %u bits are too small for another snapshot", q->blk.name,
                         1u << q->h.refcount_order);
    return qcow2_refcount_set(q, cluster, count + 1, err);
}

enum emu_err qcow2_unref(struct qcow2 *q, uint64_t cluster, bool punch, struct error *err)
{
    if (cluster == 0) /* the header is never free, whatever a damaged entry says */
        return EMU_OK;
    if (q->nfrees == q->frees_cap) {
        size_t cap = q->frees_cap ? 2 * q->frees_cap : 256;
        struct qcow2_free *more = realloc(q->frees, cap * sizeof(*more));
        if (!more)
            return qcow2_nomem(q, err);
        q->frees = more;
        q->frees_cap = cap;
    }
    q->frees[q->nfrees++] = (struct qcow2_free){cluster, punch};
    return EMU_OK;
}

/* The cluster has one reference less, now. */
static enum emu_err drop(struct qcow2 *q, uint64_t cluster, bool *freed, struct error *err)
{
    uint64_t count;
    *freed = false;
    enum emu_err rc = qcow2_refcount(q, cluster, &count, err);
    if (rc != EMU_OK || count == 0) /* 0: damaged; there is nothing left to free */
        return rc;
    rc = qcow2_refcount_set(q, cluster, count - 1, err);
    if (rc != EMU_OK || count > 1)
        return rc;
    uint64_t offset = cluster << q->h.cluster_bits;
    qcow2_table_forget(&q->l2, offset);
    q->unpacked_entry = 0;
    if (q->packed_at && cluster_of(q, q->packed_at) == cluster)
        q->packed_at = 0;
    if (cluster < q->free_hint)
        q->free_hint = cluster;
    *freed = true;
    return EMU_OK;
}

/* Clusters in a row that go back to the host, in one call since that is slow. */
struct hole {
    uint64_t from, to;
};

static void punch_hole(struct qcow2 *q, struct hole *h)
{
    if (h->from < h->to)
        (void)host_file_punch(&q->file, h->from << q->h.cluster_bits,
                              (h->to - h->from) << q->h.cluster_bits);
    h->from = h->to = 0;
}

static void extend_hole(struct qcow2 *q, struct hole *h, uint64_t cluster)
{
    if (h->from == h->to || (cluster + 1 != h->from && cluster != h->to)) {
        punch_hole(q, h);
        *h = (struct hole){cluster, cluster + 1};
    } else if (cluster == h->to) {
        h->to++;
    } else {
        h->from--;
    }
}

enum emu_err qcow2_apply_frees(struct qcow2 *q, struct error *err)
{
    struct hole hole = {0, 0};
    enum emu_err rc = EMU_OK;
    while (q->nfrees > 0 && rc == EMU_OK) {
        struct qcow2_free f = q->frees[q->nfrees - 1];
        bool freed;
        rc = drop(q, f.cluster, &freed, err);
        if (freed && f.punch)
            extend_hole(q, &hole, f.cluster);
        if (rc == EMU_OK)
            q->nfrees--;
    }
    punch_hole(q, &hole);
    return rc;
}

void qcow2_unalloc(struct qcow2 *q, uint64_t first, uint64_t n)
{
    bool freed;
    while (n > 0) /* if it fails the cluster leaks, and nothing else happens */
        if (drop(q, first + --n, &freed, NULL) != EMU_OK)
            return;
}

/* --- growth of the refcount structures --- */

/* A table of `entries` and `blocks` more blocks in front of it, from `first` on. Counts
 * clusters of the new area only: nothing else is there. */
static enum emu_err write_area(struct qcow2 *q, uint64_t first, uint64_t blocks,
                               uint64_t table_clusters, const uint64_t *table, uint64_t entries,
                               struct error *err)
{
    uint64_t per_block = 1ull << q->refblock_bits;
    uint8_t *buf = malloc(q->cluster_size);
    enum emu_err rc = EMU_OK;
    if (!buf)
        return qcow2_nomem(q, err);
    for (uint64_t i = 0; i < blocks && rc == EMU_OK; i++) {
        memset(buf, 0, q->cluster_size);
        for (uint64_t j = i * per_block; j < (i + 1) * per_block && j < blocks + table_clusters;
             j++)
            qcow2_refcount_write(buf, q->h.refcount_order, j - i * per_block, 1);
        rc = host_file_write(&q->file, (first + i) << q->h.cluster_bits, buf, q->cluster_size, err);
    }
    for (uint64_t i = 0; i < table_clusters && rc == EMU_OK; i++) {
        memset(buf, 0, q->cluster_size);
        for (uint64_t j = 0, k = i * (q->cluster_size / 8);
             j < q->cluster_size / 8 && k + j < entries; j++)
            put_be64(buf + 8 * j, table[k + j]);
        rc = host_file_write(&q->file, (first + blocks + i) << q->h.cluster_bits, buf,
                             q->cluster_size, err);
    }
    free(buf);
    return rc;
}

/* Takes over the new table after everything that it needs is on the disk. */
static enum emu_err switch_reftable(struct qcow2 *q, uint64_t offset, uint64_t clusters,
                                    uint64_t *table, struct error *err)
{
    struct qcow2_header old = q->h;
    enum emu_err rc = host_file_sync(&q->file, err);
    q->h.reftable_offset = offset;
    q->h.reftable_clusters = (uint32_t)clusters;
    if (rc == EMU_OK)
        rc = qcow2_header_update(q, 48, 60, err);
    if (rc == EMU_OK)
        rc = host_file_sync(&q->file, err);
    if (rc != EMU_OK) {
        q->h = old;
        q->broken = true; /* which of the two tables the file has is unknown */
        free(table);
        return rc;
    }
    free(q->reftable);
    q->reftable = table;
    q->reftable_size = (uint32_t)(clusters << (q->h.cluster_bits - 3));
    q->reftable_dirty_from = q->reftable_dirty_to = 0;
    for (uint64_t i = 0; i < old.reftable_clusters && rc == EMU_OK; i++)
        rc = qcow2_unref(q, cluster_of(q, old.reftable_offset) + i, false, err);
    return rc;
}

static enum emu_err grow_reftable(struct qcow2 *q, struct error *err)
{
    uint64_t per_block = 1ull << q->refblock_bits,
             first = (uint64_t)q->reftable_size << q->refblock_bits;
    uint64_t blocks = 1, clusters, entries;
    for (;;) { /* more blocks may need a larger table, and that more blocks */
        entries = q->reftable_size + q->reftable_size / 2 + blocks;
        clusters = clusters_for(q, entries * 8);
        uint64_t need = (blocks + clusters + per_block - 1) >> q->refblock_bits;
        if (need <= blocks)
            break;
        blocks = need;
    }
    entries = clusters << (q->h.cluster_bits - 3);
    if (entries * 8 > QCOW2_MAX_REFTABLE)
        return error_set(err, EMU_UNSUPPORTED,
                         "%s: the image is full: its refcount table cannot grow beyond 8 MiB",
                         q->blk.name);
    uint64_t *table = calloc((size_t)entries, sizeof(*table));
    if (!table)
        return qcow2_nomem(q, err);
    memcpy(table, q->reftable, q->reftable_size * sizeof(*table));
    for (uint64_t i = 0; i < blocks; i++)
        table[q->reftable_size + i] = (first + i) << q->h.cluster_bits;
    enum emu_err rc = write_area(q, first, blocks, clusters, table, entries, err);
    /* The new table also has entries whose blocks are only in memory so far. */
    for (unsigned i = 0; i < q->refblocks.n && rc == EMU_OK; i++) {
        struct qcow2_table *t = &q->refblocks.slot[i];
        if (t->dirty_from == t->dirty_to)
            continue;
        rc = host_file_write(&q->file, t->offset, t->data, q->cluster_size, err);
        if (rc == EMU_OK)
            t->dirty_from = t->dirty_to = 0;
    }
    if (rc != EMU_OK) {
        free(table);
        return rc;
    }
    return switch_reftable(q, (first + blocks) << q->h.cluster_bits, clusters, table, err);
}

/* --- allocation --- */

/* An empty block for a range of clusters, in cluster `at`, which this block or another one counts.
 */
static enum emu_err put_block(struct qcow2 *q, uint64_t range, uint64_t at, struct error *err)
{
    struct qcow2_table *block;
    uint64_t offset = at << q->h.cluster_bits;
    if (at >> q->refblock_bits != range) {
        enum emu_err rc = qcow2_refcount_set(q, at, 1, err);
        if (rc != EMU_OK)
            return rc;
    }
    enum emu_err rc = qcow2_table_new(q, &q->refblocks, offset, &block, err);
    if (rc != EMU_OK)
        return rc;
    if (at >> q->refblock_bits == range)
        set_in(q, block, at, 1);
    qcow2_reftable_set(q, (uint32_t)range, offset);
    return EMU_OK;
}

static bool has_block(const struct qcow2 *q, uint64_t range)
{
    return range < q->reftable_size && q->reftable[range];
}

/* Makes the block for a range, in the first free cluster from *at on, and before that the block
 * that counts that cluster, which counts itself. */
static enum emu_err make_block(struct qcow2 *q, uint64_t range, uint64_t *at, struct error *err)
{
    enum emu_err rc = EMU_OK;
    while (rc == EMU_OK && !has_block(q, range)) {
        uint64_t count, own = *at >> q->refblock_bits;
        if (own >= q->reftable_size)
            rc = grow_reftable(q, err);
        if (rc == EMU_OK)
            rc = qcow2_refcount(q, *at, &count, err);
        if (rc == EMU_OK && count == 0)
            rc = put_block(q, has_block(q, own) ? range : own, *at, err);
        ++*at;
    }
    return rc;
}

/* Nothing may be put over the header and the tables, whatever a damaged image's refcounts say. */
static bool reserved(const struct qcow2 *q, uint64_t cluster)
{
    uint64_t at = cluster << q->h.cluster_bits;
    uint64_t l1_end = q->h.l1_offset + q->h.l1_size * 8ull;
    uint64_t ref_end =
        q->h.reftable_offset + ((uint64_t)q->h.reftable_clusters << q->h.cluster_bits);
    return cluster == 0 || (at >= q->h.l1_offset && at < l1_end) ||
           (at >= q->h.reftable_offset && at < ref_end) ||
           (q->h.nb_snapshots && at == q->h.snapshots_offset);
}

static enum emu_err check_free(struct qcow2 *q, uint64_t cluster, struct error *err)
{
    if (!reserved(q, cluster) && cluster < QCOW2_OFFSET >> q->h.cluster_bits)
        return EMU_OK;
    q->broken = true;
    return qcow2_damaged(q, err, "cluster %llu is in use, but counted as free",
                         (unsigned long long)cluster);
}

/* Finds `min` to `want` free clusters in a row. */
static enum emu_err find_free(struct qcow2 *q, uint64_t want, uint64_t min, uint64_t *first,
                              uint64_t *got, struct error *err)
{
    enum { MOST_BEHIND = 1 << 22 };
    uint64_t size, count, behind = 0;
    enum emu_err rc = host_file_size(&q->file, &size, err);
    *first = q->free_hint;
    *got = 0;
    for (uint64_t c = *first; rc == EMU_OK && *got < want; c++) {
        rc = qcow2_refcount(q, c, &count, err);
        if (rc == EMU_OK && count == 0) {
            ++*got;
            continue;
        }
        if (rc != EMU_OK || *got >= min)
            break;
        *first = c + 1;
        *got = 0;
        if (c > cluster_of(q, size) && ++behind > MOST_BEHIND)
            return qcow2_damaged(q, err, "clusters behind the end of the file are counted as used");
    }
    return rc;
}

/* Sees to it that all the clusters that were found have counts. */
static enum emu_err cover(struct qcow2 *q, uint64_t first, uint64_t n, struct error *err)
{
    uint64_t at = first + n;
    enum emu_err rc = EMU_OK;
    for (uint64_t r = first >> q->refblock_bits;
         r <= (first + n - 1) >> q->refblock_bits && rc == EMU_OK; r++)
        rc = make_block(q, r, &at, err);
    return rc;
}

enum emu_err qcow2_alloc(struct qcow2 *q, uint64_t want, uint64_t min, uint64_t *first,
                         uint64_t *got, struct error *err)
{
    enum emu_err rc = find_free(q, want, min, first, got, err);
    while (rc == EMU_OK && (*first + *got - 1) >> q->refblock_bits >= q->reftable_size) {
        rc = grow_reftable(q, err); /* which may take what was found */
        if (rc == EMU_OK)
            rc = find_free(q, want, min, first, got, err);
    }
    if (rc == EMU_OK)
        rc = cover(q, *first, *got, err);
    for (uint64_t i = 0; i < *got && rc == EMU_OK; i++) {
        rc = check_free(q, *first + i, err);
        if (rc == EMU_OK)
            rc = qcow2_refcount_set(q, *first + i, 1, err);
    }
    if (rc == EMU_OK && (min == 1 || *first == q->free_hint))
        q->free_hint = *first + *got;
    return rc;
}
