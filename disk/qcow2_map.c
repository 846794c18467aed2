/*
 * The mapping of guest clusters to host clusters (qcow2 spec, Cluster mapping): L1 and L2 tables.
 * An entry is believed only after qcow2_entry_check(), since an image may come from anywhere.
 */
#include "disk/qcow2_int.h"

#include <string.h>

uint32_t qcow2_l2_index(const struct qcow2 *q, uint64_t offset)
{
    return (uint32_t)(cluster_of(q, offset) & ((1u << q->l2_bits) - 1));
}

uint64_t qcow2_l1_index(const struct qcow2 *q, uint64_t offset)
{
    return offset >> (q->h.cluster_bits + q->l2_bits);
}

uint64_t qcow2_l1_for(const struct qcow2 *q, uint64_t size)
{
    unsigned bits = q->h.cluster_bits + q->l2_bits;
    return (size >> bits) + ((size & ((1ull << bits) - 1)) != 0);
}

enum qcow2_kind qcow2_kind_of(const struct qcow2 *q, uint64_t entry)
{
    if (entry & QCOW2_COMPRESSED)
        return QCOW2_PACKED;
    bool host = entry & QCOW2_OFFSET;
    if (entry & QCOW2_ZERO && q->h.version >= 3)
        return host ? QCOW2_RESERVED : QCOW2_ZEROS;
    return host ? QCOW2_DATA : QCOW2_NOTHING;
}

/* qcow2 spec, Compressed Clusters Descriptor: the offset has 62 - (cluster_bits - 8) bits, above it
 * is the number of further sectors. */
void qcow2_packed_range(const struct qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *len)
{
    unsigned bits = 62 - (q->h.cluster_bits - 8);
    uint64_t sectors = (entry & ~(QCOW2_COPIED | QCOW2_COMPRESSED)) >> bits;
    *offset = entry & ((1ull << bits) - 1);
    *len = (sectors + 1) * 512 - (*offset & 511);
}

enum emu_err qcow2_entry_check(const struct qcow2 *q, uint64_t entry, struct error *err)
{
    enum qcow2_kind kind = qcow2_kind_of(q, entry);
    uint64_t offset = entry & QCOW2_OFFSET, len;
    if (kind == QCOW2_PACKED) {
        qcow2_packed_range(q, entry, &offset, &len);
        if (offset >> 56 || offset < q->cluster_size)
            return qcow2_damaged(q, err, "L2 entry %llx points to no compressed data",
                                 (unsigned long long)entry);
    } else if (in_cluster(q, offset)) {
        return qcow2_damaged(q, err, "L2 entry %llx points between two clusters",
                             (unsigned long long)entry);
    }
    return EMU_OK;
}

static enum emu_err l2_offset_check(const struct qcow2 *q, uint64_t offset, struct error *err)
{
    if (in_cluster(q, offset))
        return qcow2_damaged(q, err, "L1 entry %llx points between two clusters",
                             (unsigned long long)offset);
    return EMU_OK;
}

/* The L2 table for a guest offset; NULL: there is none. */
static enum emu_err l2_of(struct qcow2 *q, uint64_t offset, struct qcow2_table **out,
                          struct error *err)
{
    uint64_t index = qcow2_l1_index(q, offset);
    uint64_t at = index < q->h.l1_size ? q->l1[index] & QCOW2_OFFSET : 0;
    *out = NULL;
    if (!at)
        return EMU_OK;
    enum emu_err rc = l2_offset_check(q, at, err);
    return rc == EMU_OK ? qcow2_table_get(q, &q->l2, at, out, err) : rc;
}

/* Bytes up to the end of what the L2 table covers. */
static uint64_t l2_span(const struct qcow2 *q, uint64_t offset)
{
    unsigned bits = q->h.cluster_bits + q->l2_bits;
    return (1ull << bits) - (offset & ((1ull << bits) - 1));
}

/* Whether cluster `i` after the first goes on where the ones before it end. */
static bool continues(const struct qcow2 *q, const struct qcow2_map *m, uint64_t i, uint64_t entry)
{
    if (qcow2_kind_of(q, entry) != m->kind || m->kind == QCOW2_PACKED)
        return false;
    if (m->kind == QCOW2_NOTHING || m->kind == QCOW2_ZEROS)
        return true;
    return !((entry ^ m->entry) & QCOW2_COPIED) &&
           (entry & QCOW2_OFFSET) == (m->entry & QCOW2_OFFSET) + (i << q->h.cluster_bits);
}

enum emu_err qcow2_lookup(struct qcow2 *q, uint64_t offset, uint64_t len, struct qcow2_map *out,
                          struct error *err)
{
    struct qcow2_table *l2;
    uint64_t span = l2_span(q, offset);
    *out = (struct qcow2_map){.len = len < span ? len : span};
    enum emu_err rc = l2_of(q, offset, &l2, err);
    if (rc != EMU_OK || !l2)
        return rc;
    uint32_t index = qcow2_l2_index(q, offset);
    out->entry = get_be64(l2->data + 8ull * index);
    out->kind = qcow2_kind_of(q, out->entry);
    out->copied = out->entry & QCOW2_COPIED && q->l1[qcow2_l1_index(q, offset)] & QCOW2_COPIED;
    out->host = (out->entry & QCOW2_OFFSET) + in_cluster(q, offset);
    rc = qcow2_entry_check(q, out->entry, err);
    if (rc != EMU_OK)
        return rc;
    uint64_t n = 1, most = clusters_for(q, in_cluster(q, offset) + out->len);
    while (n < most && continues(q, out, n, get_be64(l2->data + 8ull * (index + n))))
        n++;
    uint64_t run = (n << q->h.cluster_bits) - in_cluster(q, offset);
    out->len = run < out->len ? run : out->len;
    return EMU_OK;
}

/* Puts a copy of the table (NULL: zeros) into a new cluster. */
static enum emu_err new_l2(struct qcow2 *q, uint32_t index, uint64_t old, struct qcow2_table **out,
                           struct error *err)
{
    uint64_t first, got;
    struct qcow2_table *from = NULL;
    enum emu_err rc = qcow2_alloc(q, 1, 1, &first, &got, err);
    if (rc != EMU_OK)
        return rc;
    if (old)
        rc = qcow2_table_get(q, &q->l2, old, &from, err);
    if (rc == EMU_OK)
        rc = qcow2_table_new(q, &q->l2, first << q->h.cluster_bits, out, err);
    if (rc == EMU_OK && old)
        rc = qcow2_unref(q, cluster_of(q, old), false, err);
    if (rc != EMU_OK) {
        qcow2_table_forget(&q->l2, first << q->h.cluster_bits);
        qcow2_unalloc(q, first, 1);
        return rc;
    }
    if (from)
        memcpy((*out)->data, from->data, q->cluster_size);
    qcow2_l1_set(q, index, first << q->h.cluster_bits | QCOW2_COPIED);
    return EMU_OK;
}

enum emu_err qcow2_l2_own(struct qcow2 *q, uint64_t offset, struct qcow2_table **out,
                          struct error *err)
{
    uint32_t index = (uint32_t)qcow2_l1_index(q, offset);
    uint64_t entry = q->l1[index];
    enum emu_err rc = l2_offset_check(q, entry & QCOW2_OFFSET, err);
    if (rc != EMU_OK)
        return rc;
    if (entry & QCOW2_OFFSET && entry & QCOW2_COPIED)
        return qcow2_table_get(q, &q->l2, entry & QCOW2_OFFSET, out, err);
    return new_l2(q, index, entry & QCOW2_OFFSET, out, err);
}

enum emu_err qcow2_entry_unref(struct qcow2 *q, uint64_t entry, bool punch, struct error *err)
{
    enum qcow2_kind kind = qcow2_kind_of(q, entry);
    if (kind == QCOW2_DATA || kind == QCOW2_RESERVED)
        return qcow2_unref(q, cluster_of(q, entry & QCOW2_OFFSET), punch, err);
    if (kind != QCOW2_PACKED)
        return EMU_OK;
    uint64_t offset, len;
    qcow2_packed_range(q, entry, &offset, &len);
    enum emu_err rc = EMU_OK;
    for (uint64_t c = cluster_of(q, offset); c <= cluster_of(q, offset + len - 1) && rc == EMU_OK;
         c++)
        rc = qcow2_unref(q, c, punch, err);
    return rc;
}

enum emu_err qcow2_map_set(struct qcow2 *q, uint64_t offset, uint64_t n, uint64_t entry,
                           uint64_t step, bool punch, struct error *err)
{
    struct qcow2_table *l2;
    enum emu_err rc = qcow2_l2_own(q, offset, &l2, err);
    uint32_t index = qcow2_l2_index(q, offset);
    for (uint64_t i = 0; i < n && rc == EMU_OK; i++, entry += step) {
        uint8_t *at = l2->data + 8 * (index + i);
        uint64_t old = get_be64(at);
        bool same = (old & QCOW2_OFFSET) == (entry & QCOW2_OFFSET) && !(old & QCOW2_COMPRESSED);
        if (!same || !(entry & QCOW2_OFFSET)) /* else the reserved cluster is now used */
            rc = qcow2_entry_unref(q, old, punch, err);
        if (rc != EMU_OK)
            break;
        put_be64(at, entry);
        qcow2_table_dirty(l2, 8 * (index + (uint32_t)i), 8 * (index + (uint32_t)i) + 8);
    }
    return rc;
}
