/*
 * Internal snapshots (qcow2 spec, Snapshots): other L1 tables in the same file, and a directory
 * of them. A change of directory or L1 table is written to new clusters; the header then switches
 * over in one write, so that a crash finds the old state or the new one.
 */
#include "disk/qcow2_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRY = 40,     /* bytes before the extra data */
    OUR_EXTRA = 24, /* size of the VM state, disk size, icount */
    MAX_EXTRA = 1024,
    MAX_TABLE = 64 << 20,
};

void qcow2_snapshots_free(struct qcow2_snapshot *s, unsigned n)
{
    for (unsigned i = 0; s && i < n; i++) {
        free(s[i].id);
        free(s[i].name);
        free(s[i].extra);
    }
    free(s);
}

/* --- reading --- */

enum emu_err qcow2_l1_read(struct qcow2 *q, uint64_t offset, uint32_t size, uint64_t **out,
                           struct error *err)
{
    if (size > QCOW2_MAX_L1 / 8 || in_cluster(q, offset))
        return qcow2_damaged(q, err, "a snapshot's L1 table cannot be where it is said to be");
    uint64_t *table = calloc(size + 1u, 8);
    if (!table)
        return qcow2_nomem(q, err);
    enum emu_err rc = host_file_read_padded(&q->file, offset, table, size * 8ull, err);
    if (rc != EMU_OK) {
        free(table);
        return rc;
    }
    for (uint32_t i = 0; i < size; i++)
        table[i] = get_be64((const uint8_t *)&table[i]);
    *out = table;
    return EMU_OK;
}

static char *read_string(const struct qcow2 *q, uint64_t at, unsigned len, struct error *err)
{
    char *s = calloc(1, len + 1u);
    if (s && host_file_read_padded(&q->file, at, s, len, err) == EMU_OK)
        return s;
    free(s);
    return NULL;
}

/* The optional fields, as far as the extra data has them. */
static void parse_extra(const struct qcow2 *q, struct qcow2_snapshot *s)
{
    s->disk_size = s->extra_size >= 16 ? get_be64(s->extra + 8) : q->h.size;
    s->icount = s->extra_size >= 24 ? get_be64(s->extra + 16) : UINT64_MAX;
    if (s->extra_size >= 8)
        s->vm_state_size = get_be64(s->extra);
}

static enum emu_err read_entry(const struct qcow2 *q, uint64_t *at, struct qcow2_snapshot *s,
                               struct error *err)
{
    uint8_t e[ENTRY];
    enum emu_err rc = host_file_read_padded(&q->file, *at, e, sizeof(e), err);
    if (rc != EMU_OK)
        return rc;
    unsigned id = get_be16(e + 12), name = get_be16(e + 14);
    *s = (struct qcow2_snapshot){
        .l1_offset = get_be64(e),
        .l1_size = get_be32(e + 8),
        .date_sec = get_be32(e + 16),
        .date_nsec = get_be32(e + 20),
        .vm_clock_nsec = get_be64(e + 24),
        .vm_state_size = get_be32(e + 32),
        .extra_size = get_be32(e + 36),
    };
    if (s->extra_size > MAX_EXTRA) {
        s->extra_size = 0;
        return qcow2_damaged(q, err, "a snapshot's extra data is too long");
    }
    s->extra = (uint8_t *)read_string(q, *at + ENTRY, s->extra_size, err);
    s->id = read_string(q, *at + ENTRY + s->extra_size, id, err);
    s->name = read_string(q, *at + ENTRY + s->extra_size + id, name, err);
    if (!s->extra || !s->id || !s->name)
        return qcow2_nomem(q, err);
    parse_extra(q, s);
    *at += (ENTRY + s->extra_size + id + name + 7u) & ~7ull;
    return EMU_OK;
}

enum emu_err qcow2_snapshots_read(struct qcow2 *q, struct error *err)
{
    uint64_t at = q->h.snapshots_offset, size;
    enum emu_err rc = host_file_size(&q->file, &size, err);
    if (rc == EMU_OK && q->h.nb_snapshots)
        q->snapshot = calloc(q->h.nb_snapshots, sizeof(*q->snapshot));
    if (rc == EMU_OK && q->h.nb_snapshots && !q->snapshot)
        rc = qcow2_nomem(q, err);
    for (unsigned i = 0; q->snapshot && i < q->h.nb_snapshots && rc == EMU_OK; i++) {
        if (at > size || at - q->h.snapshots_offset > MAX_TABLE)
            return qcow2_damaged(q, err, "its snapshot table does not end");
        rc = read_entry(q, &at, &q->snapshot[i], err);
    }
    return rc;
}

const struct qcow2_snapshot *qcow2_snapshot_at(const struct blk *b, unsigned index)
{
    return &qcow2_of(b)->snapshot[index];
}

int qcow2_snapshot_find(const struct blk *b, const char *id_or_name)
{
    const struct qcow2 *q = qcow2_of(b);
    for (unsigned i = 0; i < q->h.nb_snapshots; i++)
        if (strcmp(q->snapshot[i].id, id_or_name) == 0)
            return (int)i;
    for (unsigned i = 0; i < q->h.nb_snapshots; i++)
        if (strcmp(q->snapshot[i].name, id_or_name) == 0)
            return (int)i;
    return -1;
}

/* --- references --- */

enum walk { WALK_CHECK, WALK_REF, WALK_UNREF };

static enum emu_err walk_cluster(struct qcow2 *q, uint64_t cluster, enum walk walk,
                                 struct error *err)
{
    uint64_t count;
    if (walk == WALK_UNREF)
        return qcow2_unref(q, cluster, false, err);
    if (walk == WALK_REF)
        return qcow2_ref(q, cluster, err);
    enum emu_err rc = qcow2_refcount(q, cluster, &count, err);
    if (rc == EMU_OK && count == qcow2_refcount_max(q))
        rc = error_set(err, EMU_UNSUPPORTED,
                       "%s: refcounts of %u bits are too small for another snapshot", q->blk.name,
                       1u << q->h.refcount_order);
    if (rc == EMU_OK && count == 0)
        rc = qcow2_damaged(q, err, "cluster %llu is in use, but counted as free",
                           (unsigned long long)cluster);
    return rc;
}

static enum emu_err walk_entry(struct qcow2 *q, uint64_t entry, enum walk walk, struct error *err)
{
    uint64_t offset = entry & QCOW2_OFFSET, len = q->cluster_size;
    enum qcow2_kind kind = qcow2_kind_of(q, entry);
    if (kind == QCOW2_NOTHING || kind == QCOW2_ZEROS)
        return EMU_OK;
    enum emu_err rc = qcow2_entry_check(q, entry, err);
    if (kind == QCOW2_PACKED)
        qcow2_packed_range(q, entry, &offset, &len);
    uint64_t last = cluster_of(q, offset + len - 1);
    for (uint64_t c = cluster_of(q, offset); c <= last && rc == EMU_OK; c++)
        rc = walk_cluster(q, c, walk, err);
    return rc;
}

/* Everything that an L1 table reaches. */
static enum emu_err walk_l1(struct qcow2 *q, const uint64_t *l1, uint32_t size, enum walk walk,
                            struct error *err)
{
    enum emu_err rc = EMU_OK;
    for (uint32_t i = 0; i < size && rc == EMU_OK; i++) {
        uint64_t at = l1[i] & QCOW2_OFFSET;
        struct qcow2_table *l2;
        if (!at)
            continue;
        if (in_cluster(q, at))
            return qcow2_damaged(q, err, "an L1 entry points between two clusters");
        rc = qcow2_table_get(q, &q->l2, at, &l2, err);
        for (uint32_t j = 0; j < 1u << q->l2_bits && rc == EMU_OK; j++)
            rc = walk_entry(q, get_be64(l2->data + 8ull * j), walk, err);
        if (rc == EMU_OK)
            rc = walk_cluster(q, cluster_of(q, at), walk, err);
    }
    return rc;
}

static bool copied_at(enum qcow2_kind kind) { return kind == QCOW2_DATA || kind == QCOW2_RESERVED; }

/* Sets the flag of one entry to what the refcount says, or clears it. */
static enum emu_err entry_flag(struct qcow2 *q, uint64_t *entry, bool clear, struct error *err)
{
    uint64_t count = 0;
    enum emu_err rc =
        clear ? EMU_OK : qcow2_refcount(q, cluster_of(q, *entry & QCOW2_OFFSET), &count, err);
    if (rc == EMU_OK)
        *entry = (*entry & ~QCOW2_COPIED) | (count == 1 ? QCOW2_COPIED : 0);
    return rc;
}

static enum emu_err l2_flags(struct qcow2 *q, uint64_t at, bool clear, struct error *err)
{
    struct qcow2_table *l2;
    enum emu_err rc = qcow2_table_get(q, &q->l2, at, &l2, err);
    for (uint32_t j = 0; j < 1u << q->l2_bits && rc == EMU_OK; j++) {
        uint64_t old = get_be64(l2->data + 8ull * j), entry = old;
        if (!copied_at(qcow2_kind_of(q, entry)))
            continue;
        rc = entry_flag(q, &entry, clear, err);
        if (rc != EMU_OK || entry == old)
            continue;
        put_be64(l2->data + 8ull * j, entry);
        qcow2_table_dirty(l2, 8 * j, 8 * j + 8);
    }
    return rc;
}

/* The flags of the present L1 table and its L2 tables. */
static enum emu_err all_flags(struct qcow2 *q, bool clear, struct error *err)
{
    enum emu_err rc = EMU_OK;
    for (uint32_t i = 0; i < q->h.l1_size && rc == EMU_OK; i++) {
        uint64_t entry = q->l1[i];
        if (!(entry & QCOW2_OFFSET))
            continue;
        if (in_cluster(q, entry & QCOW2_OFFSET))
            return qcow2_damaged(q, err, "an L1 entry points between two clusters");
        rc = l2_flags(q, entry & QCOW2_OFFSET, clear, err);
        if (rc == EMU_OK)
            rc = entry_flag(q, &entry, clear, err);
        if (rc == EMU_OK && entry != q->l1[i])
            qcow2_l1_set(q, i, entry);
    }
    return rc;
}

enum emu_err qcow2_fix_copied(struct qcow2 *q, struct error *err)
{
    enum emu_err rc = all_flags(q, false, err);
    return rc == EMU_OK ? qcow2_commit(q, err) : rc;
}

/* --- tables in new places --- */

static enum emu_err unref_range(struct qcow2 *q, uint64_t offset, uint64_t bytes, struct error *err)
{
    enum emu_err rc = EMU_OK;
    for (uint64_t i = 0; i < clusters_for(q, bytes) && rc == EMU_OK; i++)
        rc = qcow2_unref(q, cluster_of(q, offset) + i, false, err);
    return rc;
}

/* New clusters in a row with the bytes, padded with zeros. */
static enum emu_err store_bytes(struct qcow2 *q, const uint8_t *bytes, uint64_t len, uint64_t *at,
                                struct error *err)
{
    uint64_t first, got, n = clusters_for(q, len);
    enum emu_err rc = qcow2_alloc(q, n, n, &first, &got, err);
    if (rc != EMU_OK)
        return rc;
    uint64_t padded = n << q->h.cluster_bits;
    uint8_t *buf = calloc(1, (size_t)padded);
    if (!buf)
        return qcow2_nomem(q, err);
    memcpy(buf, bytes, (size_t)len);
    *at = first << q->h.cluster_bits;
    rc = host_file_write(&q->file, *at, buf, (size_t)padded, err);
    free(buf);
    if (rc != EMU_OK)
        qcow2_unalloc(q, first, got);
    return rc;
}

static enum emu_err store_l1(struct qcow2 *q, const uint64_t *l1, uint32_t size, uint64_t keep,
                             uint64_t *at, struct error *err)
{
    *at = 0;
    if (!size)
        return EMU_OK;
    uint8_t *bytes = malloc(size * 8ull);
    if (!bytes)
        return qcow2_nomem(q, err);
    for (uint32_t i = 0; i < size; i++)
        put_be64(bytes + 8ull * i, l1[i] & keep);
    enum emu_err rc = store_bytes(q, bytes, size * 8ull, at, err);
    free(bytes);
    return rc;
}

/* Everything is on the disk, and then fields [from, to) of the header too, in one write. */
static enum emu_err switch_header(struct qcow2 *q, const struct qcow2_header *h, uint32_t from,
                                  uint32_t to, struct error *err)
{
    enum emu_err rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = host_file_sync(&q->file, err);
    if (rc != EMU_OK)
        return rc;
    struct qcow2_header old = q->h;
    q->h.size = h->size;
    q->h.l1_size = h->l1_size;
    q->h.l1_offset = h->l1_offset;
    q->h.nb_snapshots = h->nb_snapshots;
    q->h.snapshots_offset = h->snapshots_offset;
    rc = qcow2_header_update(q, from, to, err);
    if (rc == EMU_OK)
        rc = host_file_sync(&q->file, err);
    if (rc != EMU_OK) {
        q->h = old;
        q->broken = true; /* which state the file has is unknown */
    }
    return rc;
}

/* The present L1 table becomes `l1`, whose references the caller has taken. Without COPIED flags.
 */
static enum emu_err replace_l1(struct qcow2 *q, const uint64_t *l1, uint32_t size,
                               uint64_t disk_size, uint64_t keep, struct error *err)
{
    struct qcow2_header h = q->h;
    uint64_t *copy = calloc(size + 1u, sizeof(*copy)), old = q->h.l1_offset,
             old_size = q->h.l1_size;
    if (!copy)
        return qcow2_nomem(q, err);
    for (uint32_t i = 0; i < size; i++)
        copy[i] = l1[i] & keep;
    h.l1_size = size;
    h.size = disk_size;
    enum emu_err rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = store_l1(q, copy, size, keep, &h.l1_offset, err);
    if (rc == EMU_OK)
        rc = switch_header(q, &h, 24, 48, err);
    if (rc != EMU_OK) {
        free(copy);
        return rc;
    }
    free(q->l1);
    q->l1 = copy;
    q->l1_dirty_from = q->l1_dirty_to = 0;
    q->blk.size = disk_size;
    return unref_range(q, old, old_size * 8, err);
}

enum emu_err qcow2_l1_replace(struct qcow2 *q, const uint64_t *l1, uint32_t size,
                              uint64_t disk_size, struct error *err)
{
    return replace_l1(q, l1, size, disk_size, UINT64_MAX, err);
}

/* --- the directory --- */

static uint64_t entry_size(const struct qcow2_snapshot *s)
{
    return (ENTRY + s->extra_size + strlen(s->id) + strlen(s->name) + 7u) & ~7ull;
}

static void put_entry(const struct qcow2_snapshot *s, uint8_t *e)
{
    size_t id = strlen(s->id), name = strlen(s->name);
    put_be64(e, s->l1_offset);
    put_be32(e + 8, s->l1_size);
    put_be16(e + 12, (uint16_t)id);
    put_be16(e + 14, (uint16_t)name);
    put_be32(e + 16, s->date_sec);
    put_be32(e + 20, s->date_nsec);
    put_be64(e + 24, s->vm_clock_nsec);
    put_be32(e + 32, s->vm_state_size > UINT32_MAX ? 0 : (uint32_t)s->vm_state_size);
    put_be32(e + 36, s->extra_size);
    memcpy(e + ENTRY, s->extra, s->extra_size);
    memcpy(e + ENTRY + s->extra_size, s->id, id);
    memcpy(e + ENTRY + s->extra_size + id, s->name, name);
}

/* Makes `s` the directory; takes it over. */
static enum emu_err switch_directory(struct qcow2 *q, struct qcow2_snapshot *s, unsigned n,
                                     struct error *err)
{
    uint64_t bytes = 0, old_bytes = 0, at = 0, old_at = q->h.snapshots_offset;
    for (unsigned i = 0; i < q->h.nb_snapshots; i++)
        old_bytes += entry_size(&q->snapshot[i]);
    for (unsigned i = 0; i < n; i++)
        bytes += entry_size(&s[i]);
    uint8_t *table = calloc(1, (size_t)bytes + 1);
    if (!table)
        return qcow2_nomem(q, err);
    for (unsigned i = 0; i < n; at += entry_size(&s[i]), i++)
        put_entry(&s[i], table + at);
    at = 0;
    enum emu_err rc = n ? store_bytes(q, table, bytes, &at, err) : EMU_OK;
    free(table);
    struct qcow2_header h = q->h;
    h.nb_snapshots = n;
    h.snapshots_offset = at;
    if (rc == EMU_OK)
        rc = switch_header(q, &h, 60, 72, err);
    if (rc != EMU_OK)
        return rc;
    free(q->snapshot);
    q->snapshot = s;
    return old_at ? unref_range(q, old_at, old_bytes, err) : EMU_OK;
}

/* --- create, apply, delete, view --- */

static enum emu_err writable(const struct qcow2 *q, struct error *err)
{
    if (q->broken || q->blk.read_only)
        return error_set(err, EMU_ARG, "%s: cannot change snapshots: the image is read-only",
                         q->blk.name);
    return EMU_OK;
}

/* One more than the greatest numeric id, as QEMU does. */
static void new_id(const struct qcow2 *q, char id[24])
{
    unsigned long greatest = 0;
    for (unsigned i = 0; i < q->h.nb_snapshots; i++) {
        unsigned long v = strtoul(q->snapshot[i].id, NULL, 10);
        greatest = v > greatest ? v : greatest;
    }
    snprintf(id, 24, "%lu", greatest + 1);
}

static enum emu_err fill_snapshot(struct qcow2 *q, struct qcow2_snapshot *s, const char *name,
                                  uint64_t now_ns, struct error *err)
{
    char id[24];
    new_id(q, id);
    *s = (struct qcow2_snapshot){
        .l1_size = q->h.l1_size,
        .date_sec = (uint32_t)(now_ns / NS_PER_SECOND),
        .date_nsec = (uint32_t)(now_ns % NS_PER_SECOND),
        .disk_size = q->blk.size,
        .icount = UINT64_MAX,
        .id = strdup(id),
        .name = strdup(name),
        .extra = calloc(1, OUR_EXTRA),
        .extra_size = OUR_EXTRA,
    };
    if (!s->id || !s->name || !s->extra)
        return qcow2_nomem(q, err);
    put_be64(s->extra + 8, s->disk_size);
    put_be64(s->extra + 16, s->icount);
    return EMU_OK;
}

/* References, then flags: a crash between leaves counts too high, never a cluster that two share
 * and one writes. */
static enum emu_err take_snapshot(struct qcow2 *q, struct qcow2_snapshot *s, struct error *err)
{
    enum emu_err rc = walk_l1(q, q->l1, q->h.l1_size, WALK_REF, err);
    if (rc == EMU_OK)
        rc = store_l1(q, q->l1, q->h.l1_size, ~QCOW2_COPIED, &s->l1_offset, err);
    return rc == EMU_OK ? all_flags(q, true, err) : rc;
}

enum emu_err qcow2_snapshot_create(struct blk *b, const char *name, uint64_t now_ns,
                                   struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    unsigned n = q->h.nb_snapshots;
    enum emu_err rc = writable(q, err);
    if (rc == EMU_OK && n >= QCOW2_MAX_SNAPSHOTS)
        rc = error_set(err, EMU_UNSUPPORTED, "%s: the image has %u snapshots; more do not work",
                       b->name, n);
    if (rc == EMU_OK && (!*name || strlen(name) > QCOW2_MAX_NAME))
        rc = error_set(err, EMU_ARG, "a snapshot's name has 1 to %d bytes", QCOW2_MAX_NAME);
    if (rc == EMU_OK)
        rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = walk_l1(q, q->l1, q->h.l1_size, WALK_CHECK, err);
    if (rc != EMU_OK)
        return rc;
    struct qcow2_snapshot *s = calloc(n + 1u, sizeof(*s));
    if (!s)
        return qcow2_nomem(q, err);
    if (n)
        memcpy(s, q->snapshot, n * sizeof(*s));
    rc = fill_snapshot(q, &s[n], name, now_ns, err);
    if (rc == EMU_OK)
        rc = take_snapshot(q, &s[n], err);
    if (rc == EMU_OK)
        rc = switch_directory(q, s, n + 1, err);
    if (rc != EMU_OK && q->snapshot != s) {
        free(s[n].id);
        free(s[n].name);
        free(s[n].extra);
        free(s);
    }
    return rc == EMU_OK ? blk_flush(b, err) : rc;
}

enum emu_err qcow2_snapshot_apply(struct blk *b, unsigned index, struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    const struct qcow2_snapshot *s = &q->snapshot[index];
    uint64_t *l1 = NULL, *old = NULL;
    uint32_t old_size = q->h.l1_size, size = s->l1_size;
    enum emu_err rc = writable(q, err);
    if (rc == EMU_OK)
        rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = qcow2_l1_read(q, s->l1_offset, size, &l1, err);
    if (rc == EMU_OK && (s->disk_size > QCOW2_OFFSET || qcow2_l1_for(q, s->disk_size) > size))
        rc = qcow2_damaged(q, err, "snapshot \"%.64s\" has an L1 table that is too small", s->name);
    if (rc == EMU_OK)
        rc = walk_l1(q, l1, size, WALK_CHECK, err);
    old = rc == EMU_OK ? malloc(old_size * 8ull + 8) : NULL;
    if (rc == EMU_OK && !old)
        rc = qcow2_nomem(q, err);
    if (rc == EMU_OK && old) {
        memcpy(old, q->l1, old_size * 8ull);
        rc = walk_l1(q, l1, size, WALK_REF, err);
    }
    if (rc == EMU_OK)
        rc = replace_l1(q, l1, size, s->disk_size, ~QCOW2_COPIED, err);
    if (rc == EMU_OK)
        rc = walk_l1(q, old, old_size, WALK_UNREF, err);
    if (rc == EMU_OK)
        rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = qcow2_fix_copied(q, err);
    free(l1);
    free(old);
    return rc == EMU_OK ? blk_flush(b, err) : rc;
}

enum emu_err qcow2_snapshot_delete(struct blk *b, unsigned index, struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    unsigned n = q->h.nb_snapshots;
    struct qcow2_snapshot gone = q->snapshot[index];
    uint64_t *l1 = NULL;
    enum emu_err rc = writable(q, err);
    if (rc == EMU_OK)
        rc = qcow2_l1_read(q, gone.l1_offset, gone.l1_size, &l1, err);
    struct qcow2_snapshot *s = rc == EMU_OK ? calloc(n, sizeof(*s)) : NULL;
    if (rc == EMU_OK && !s)
        rc = qcow2_nomem(q, err);
    if (rc == EMU_OK && s) {
        memcpy(s, q->snapshot, index * sizeof(*s));
        memcpy(s + index, q->snapshot + index + 1, (n - index - 1) * sizeof(*s));
        rc = switch_directory(q, s, n - 1, err);
        if (rc != EMU_OK && q->snapshot != s)
            free(s);
    }
    bool switched = s && q->snapshot == s;
    if (rc == EMU_OK)
        rc = walk_l1(q, l1, gone.l1_size, WALK_UNREF, err);
    if (rc == EMU_OK)
        rc = unref_range(q, gone.l1_offset, gone.l1_size * 8ull, err);
    if (rc == EMU_OK)
        rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = qcow2_fix_copied(q, err);
    if (switched) {
        free(gone.id);
        free(gone.name);
        free(gone.extra);
    }
    free(l1);
    return rc == EMU_OK ? blk_flush(b, err) : rc;
}

enum emu_err qcow2_snapshot_view(struct blk *b, unsigned index, struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    const struct qcow2_snapshot *s = &q->snapshot[index];
    uint64_t *l1;
    if (!b->read_only)
        return error_set(err, EMU_ARG, "%s: a snapshot is looked at read-only", b->name);
    enum emu_err rc = qcow2_l1_read(q, s->l1_offset, s->l1_size, &l1, err);
    if (rc != EMU_OK)
        return rc;
    free(q->l1);
    q->l1 = l1;
    q->h.l1_size = s->l1_size;
    q->blk.size = s->disk_size;
    q->viewing = true;
    return EMU_OK;
}
