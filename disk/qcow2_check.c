/*
 * The check of a qcow2 image: counts every reference to every host cluster and compares that with
 * the refcounts in the file; repairs what can be repaired.
 *
 * Corruptions are what can lose data: clusters referenced more often than counted, entries that
 * point nowhere, a COPIED flag on a cluster that really has several owners. Counts that are
 * too high, and the flags that go with them, only waste space: leaks. That is also how a crash
 * between two steps of qcow2_commit() looks.
 *
 * The counts are kept in chunks made when first needed, and looked for only where there are some,
 * so that memory and time go with the number of references and not with what a crafted image, or a
 * sparse file, claims to be.
 */
#include "disk/image.h"
#include "disk/qcow2_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BITS = 12,
    CHUNK = 1 << CHUNK_BITS, /* counts, and chunks of a shelf */
    MAX_SHELVES = 1 << 16,   /* 2^40 clusters */
};

struct shelf {
    uint32_t *chunk[CHUNK]; /* CHUNK counts each; NULL: all zero */
};
struct counts {
    struct shelf **shelf; /* NULL: all zero */
    uint64_t n;
};

struct check {
    struct qcow2 *q;
    struct qcow2_check *out;
    struct counts refs;
    uint64_t file_clusters; /* entries may point below this one */
    uint64_t last_used;
    uint64_t next_host; /* where the guest's next cluster would be if nothing were fragmented */
    uint64_t cells;     /* table entries looked at */
    bool fix;
    struct error *err;
};

static void say(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct check *c, const char *fmt, ...)
{
    char line[256];
    va_list ap;
    if (!c->out->say)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    c->out->say(c->out->arg, line);
}

/* --- counting --- */

/* The chunk that holds the cluster's count, or NULL. */
static uint32_t *chunk_of(const struct counts *k, uint64_t cluster)
{
    uint64_t i = cluster >> 2 * CHUNK_BITS;
    return i < k->n && k->shelf[i] ? k->shelf[i]->chunk[cluster >> CHUNK_BITS & (CHUNK - 1)] : NULL;
}

static uint32_t count_of(const struct counts *k, uint64_t cluster)
{
    const uint32_t *chunk = chunk_of(k, cluster);
    return chunk ? chunk[cluster % CHUNK] : 0;
}

/* The first cluster from this one on, before `end`, that a chunk has; UINT64_MAX: there is none. */
static uint64_t next_counted(const struct counts *k, uint64_t cluster, uint64_t end)
{
    while (cluster < end && cluster >> 2 * CHUNK_BITS < k->n) {
        if (chunk_of(k, cluster))
            return cluster;
        unsigned bits = k->shelf[cluster >> 2 * CHUNK_BITS] ? CHUNK_BITS : 2 * CHUNK_BITS;
        cluster = ((cluster >> bits) + 1) << bits;
    }
    return UINT64_MAX;
}

static struct shelf *shelf_at(struct counts *k, uint64_t i)
{
    if (i >= k->n) {
        uint64_t n = i + i / 2 + 1;
        struct shelf **more = i > MAX_SHELVES ? NULL : realloc(k->shelf, (size_t)n * sizeof(*more));
        if (!more)
            return NULL;
        memset(more + k->n, 0, (size_t)(n - k->n) * sizeof(*more));
        k->shelf = more;
        k->n = n;
    }
    if (!k->shelf[i])
        k->shelf[i] = calloc(1, sizeof(*k->shelf[i]));
    return k->shelf[i];
}

static uint32_t *count_at(struct counts *k, uint64_t cluster)
{
    struct shelf *shelf = shelf_at(k, cluster >> 2 * CHUNK_BITS);
    if (!shelf)
        return NULL;
    uint32_t **chunk = &shelf->chunk[cluster >> CHUNK_BITS & (CHUNK - 1)];
    if (!*chunk)
        *chunk = calloc(CHUNK, sizeof(uint32_t));
    return *chunk ? &(*chunk)[cluster % CHUNK] : NULL;
}

static void counts_free(struct counts *k)
{
    for (uint64_t i = 0; i < k->n; i++) {
        for (unsigned j = 0; k->shelf[i] && j < CHUNK; j++)
            free(k->shelf[i]->chunk[j]);
        free(k->shelf[i]);
    }
    free(k->shelf);
    *k = (struct counts){0};
}

/* Whether [offset, offset + len) lies in the file, up to the end of its last cluster. */
static bool inside(const struct check *c, uint64_t offset, uint64_t len)
{
    uint64_t end = c->file_clusters << c->q->h.cluster_bits;
    return offset <= end && len <= end - offset;
}

static enum emu_err refer(struct check *c, uint64_t offset, uint64_t len)
{
    struct qcow2 *q = c->q;
    for (uint64_t k = cluster_of(q, offset); len && k <= cluster_of(q, offset + len - 1); k++) {
        uint32_t *n = count_at(&c->refs, k);
        if (!n)
            return qcow2_nomem(q, c->err);
        if (*n < UINT32_MAX)
            ++*n;
        c->last_used = k > c->last_used ? k : c->last_used;
    }
    return EMU_OK;
}

/* --- walking --- */

static void statistics(struct check *c, enum qcow2_kind kind, uint64_t entry)
{
    if (kind == QCOW2_NOTHING || kind == QCOW2_ZEROS)
        return;
    c->out->allocated++;
    if (kind == QCOW2_PACKED) {
        c->out->compressed++;
        c->out->fragmented++; /* by definition, as qemu-img counts */
        return;
    }
    uint64_t host = entry & QCOW2_OFFSET;
    if (c->next_host && host != c->next_host)
        c->out->fragmented++;
    c->next_host = host + c->q->cluster_size;
}

/* Whether the entry points to something; false: a corruption was noted. */
static bool sound(struct check *c, enum qcow2_kind kind, uint64_t entry)
{
    uint64_t offset = entry & QCOW2_OFFSET, len = c->q->cluster_size;
    if (kind == QCOW2_PACKED)
        qcow2_packed_range(c->q, entry, &offset, &len);
    if (qcow2_entry_check(c->q, entry, NULL) == EMU_OK &&
        inside(c, offset, kind == QCOW2_PACKED ? 1 : len))
        return true;
    c->out->corruptions++;
    say(c, "ERROR L2 entry %llx points to no cluster of the file", (unsigned long long)entry);
    return false;
}

/* An unsound entry of the present tables becomes one that reads as zeros: its data is nowhere. */
static void mend_entry(struct check *c, struct qcow2_table *l2, uint32_t index, bool active)
{
    if (!c->fix || !active)
        return;
    put_be64(l2->data + 8ull * index, c->q->h.version >= 3 ? QCOW2_ZERO : 0);
    qcow2_table_dirty(l2, 8 * index, 8 * index + 8);
    c->out->corruptions_fixed++;
}

static enum emu_err walk_l2(struct check *c, uint64_t at, bool active)
{
    struct qcow2 *q = c->q;
    struct qcow2_table *l2;
    enum emu_err rc = qcow2_table_get(q, &q->l2, at, &l2, c->err);
    for (uint32_t j = 0; j < 1u << q->l2_bits && rc == EMU_OK; j++) {
        uint64_t entry = get_be64(l2->data + 8ull * j), offset = entry & QCOW2_OFFSET;
        uint64_t len = q->cluster_size;
        enum qcow2_kind kind = qcow2_kind_of(q, entry);
        if (kind == QCOW2_NOTHING || kind == QCOW2_ZEROS)
            continue;
        if (!sound(c, kind, entry)) {
            mend_entry(c, l2, j, active);
            continue;
        }
        if (kind == QCOW2_PACKED)
            qcow2_packed_range(q, entry, &offset, &len);
        if (active)
            statistics(c, kind, entry);
        rc = refer(c, offset, len);
    }
    return rc;
}

static enum emu_err walk_l1(struct check *c, const uint64_t *l1, uint32_t size, bool active)
{
    struct qcow2 *q = c->q;
    enum emu_err rc = EMU_OK;
    for (uint32_t i = 0; i < size && rc == EMU_OK; i++) {
        uint64_t at = l1[i] & QCOW2_OFFSET;
        if (!at)
            continue;
        if (in_cluster(q, at) || !inside(c, at, q->cluster_size)) {
            c->out->corruptions++;
            say(c, "ERROR L1 entry %u is %llx, which is no cluster of the file", i,
                (unsigned long long)l1[i]);
            if (c->fix && active) {
                qcow2_l1_set(q, i, 0);
                c->out->corruptions_fixed++;
            }
            continue;
        }
        rc = refer(c, at, q->cluster_size);
        if (rc == EMU_OK)
            rc = walk_l2(c, at, active);
    }
    return rc;
}

static enum emu_err walk_snapshots(struct check *c)
{
    struct qcow2 *q = c->q;
    uint64_t bytes = 0;
    enum emu_err rc = EMU_OK;
    for (unsigned i = 0; i < q->h.nb_snapshots && rc == EMU_OK; i++) {
        const struct qcow2_snapshot *s = &q->snapshot[i];
        uint64_t *l1 = NULL;
        bytes += (40 + s->extra_size + strlen(s->id) + strlen(s->name) + 7u) & ~7ull;
        if (!inside(c, s->l1_offset, s->l1_size * 8ull) || s->l1_size > QCOW2_MAX_L1 / 8 ||
            in_cluster(q, s->l1_offset)) {
            c->out->corruptions++;
            say(c, "ERROR snapshot \"%.64s\" has an L1 table that is no part of the file", s->name);
            continue;
        }
        rc = qcow2_l1_read(q, s->l1_offset, s->l1_size, &l1, c->err);
        if (rc == EMU_OK)
            rc = refer(c, s->l1_offset, s->l1_size * 8ull);
        if (rc == EMU_OK)
            rc = walk_l1(c, l1, s->l1_size, false);
        free(l1);
    }
    return rc == EMU_OK ? refer(c, q->h.snapshots_offset, bytes) : rc;
}

/* qcow2 spec, Bitmaps: directory, tables and data, if they are up to date. */
static enum emu_err walk_bitmap(struct check *c, const uint8_t *e)
{
    struct qcow2 *q = c->q;
    uint64_t at = get_be64(e), n = get_be32(e + 8), *table = NULL;
    if (!inside(c, at, n * 8) || n > QCOW2_MAX_L1 / 8 || in_cluster(q, at)) {
        c->out->corruptions++;
        say(c, "ERROR a bitmap's table is no part of the file");
        return EMU_OK;
    }
    enum emu_err rc = qcow2_l1_read(q, at, (uint32_t)n, &table, c->err);
    if (rc == EMU_OK)
        rc = refer(c, at, n * 8);
    for (uint64_t i = 0; i < n && rc == EMU_OK; i++)
        if (table[i] & QCOW2_OFFSET && inside(c, table[i] & QCOW2_OFFSET, q->cluster_size))
            rc = refer(c, table[i] & QCOW2_OFFSET, q->cluster_size);
    free(table);
    return rc;
}

static enum emu_err walk_bitmaps(struct check *c)
{
    struct qcow2 *q = c->q;
    const struct qcow2_extension *ext = qcow2_extension(q, QCOW2_EXT_BITMAPS);
    if (!ext || ext->len < 24 || !(q->h.autoclear & QCOW2_AUTOCLEAR_BITMAPS))
        return EMU_OK;
    uint64_t size = get_be64(ext->data + 8), at = get_be64(ext->data + 16);
    if (size > QCOW2_MAX_L1 || !inside(c, at, size) || in_cluster(q, at)) {
        c->out->corruptions++;
        say(c, "ERROR the directory of bitmaps is no part of the file");
        return EMU_OK;
    }
    uint8_t *dir = calloc(1, (size_t)size + 32);
    if (!dir)
        return qcow2_nomem(q, c->err);
    enum emu_err rc = host_file_read_padded(&q->file, at, dir, (size_t)size, c->err);
    if (rc == EMU_OK)
        rc = refer(c, at, size);
    for (uint64_t i = 0; i + 24 <= size && rc == EMU_OK;) {
        rc = walk_bitmap(c, dir + i);
        i += (24 + get_be16(dir + i + 18) + (uint64_t)get_be32(dir + i + 20) + 7) & ~7ull;
    }
    free(dir);
    return rc;
}

static enum emu_err walk_refcounts(struct check *c)
{
    struct qcow2 *q = c->q;
    enum emu_err rc =
        refer(c, q->h.reftable_offset, (uint64_t)q->h.reftable_clusters << q->h.cluster_bits);
    for (uint32_t i = 0; i < q->reftable_size && rc == EMU_OK; i++) {
        uint64_t at = q->reftable[i];
        if (!at)
            continue;
        if (in_cluster(q, at) || at & ~QCOW2_OFFSET || !inside(c, at, q->cluster_size)) {
            c->out->corruptions++;
            say(c, "ERROR refcount table entry %u is %llx, which is no cluster of the file", i,
                (unsigned long long)at);
            continue;
        }
        rc = refer(c, at, q->cluster_size);
    }
    return rc;
}

/* Everything that refers to clusters; the structures of the refcounts themselves only if asked. */
static enum emu_err walk_all(struct check *c, bool refcounts)
{
    struct qcow2 *q = c->q;
    enum emu_err rc = refer(c, 0, q->cluster_size);
    if (rc == EMU_OK)
        rc = refer(c, q->h.l1_offset, q->h.l1_size * 8ull);
    if (rc == EMU_OK)
        rc = walk_l1(c, q->l1, q->h.l1_size, true);
    if (rc == EMU_OK)
        rc = walk_snapshots(c);
    if (rc == EMU_OK)
        rc = walk_bitmaps(c);
    return rc == EMU_OK && refcounts ? walk_refcounts(c) : rc;
}

/* --- comparing --- */

/* The stored count; 0 and no error where the block cannot be found. */
static enum emu_err stored_count(struct check *c, uint64_t cluster, uint64_t *count)
{
    uint64_t i = cluster >> c->q->refblock_bits;
    *count = 0;
    if (i >= c->q->reftable_size || !c->q->reftable[i] || in_cluster(c->q, c->q->reftable[i]) ||
        c->q->reftable[i] & ~QCOW2_OFFSET || !inside(c, c->q->reftable[i], c->q->cluster_size))
        return EMU_OK;
    return qcow2_refcount(c->q, cluster, count, c->err);
}

/* The first cluster from this one on that has a refcount block; UINT64_MAX: there is none. */
static uint64_t next_stored(const struct check *c, uint64_t cluster)
{
    const struct qcow2 *q = c->q;
    uint64_t i = cluster >> q->refblock_bits;
    if (i < q->reftable_size && q->reftable[i])
        return cluster;
    while (i < q->reftable_size && !q->reftable[i])
        i++;
    return i < q->reftable_size ? i << q->refblock_bits : UINT64_MAX;
}

static enum emu_err compare_count(struct check *c, uint64_t cluster, bool fix_leaks)
{
    uint64_t stored, real = count_of(&c->refs, cluster);
    enum emu_err rc = stored_count(c, cluster, &stored);
    if (rc != EMU_OK || stored == real)
        return rc;
    bool leak = stored > real;
    say(c, "%s cluster %llu refcount=%llu reference=%llu", leak ? "Leaked" : "ERROR",
        (unsigned long long)cluster, (unsigned long long)stored, (unsigned long long)real);
    if (!leak) {
        c->out->corruptions++;
        return EMU_OK;
    }
    c->out->leaks++;
    if (!fix_leaks)
        return EMU_OK;
    c->out->leaks_fixed++;
    return qcow2_refcount_set(c->q, cluster, real, c->err);
}

static enum emu_err compare_counts(struct check *c, bool fix_leaks)
{
    uint64_t end = c->file_clusters > c->last_used ? c->file_clusters : c->last_used + 1;
    uint64_t stored = next_stored(c, 0), counted = next_counted(&c->refs, 0, end);
    enum emu_err rc = EMU_OK;
    for (uint64_t k = 0; rc == EMU_OK; k++) {
        stored = stored < k ? next_stored(c, k) : stored; /* else it is still the next one */
        counted = counted < k ? next_counted(&c->refs, k, end) : counted;
        k = stored < counted ? stored : counted;
        if (k >= end)
            break;
        rc = compare_count(c, k, fix_leaks);
    }
    return rc;
}

static void compare_flag(struct check *c, const char *what, uint64_t entry)
{
    uint64_t cluster = cluster_of(c->q, entry & QCOW2_OFFSET);
    if (!(entry & QCOW2_COPIED) || count_of(&c->refs, cluster) <= 1)
        return;
    c->out->corruptions++;
    say(c, "ERROR %s entry %llx may be written in place, but its cluster has %u owners", what,
        (unsigned long long)entry, count_of(&c->refs, cluster));
}

static enum emu_err compare_flags(struct check *c)
{
    struct qcow2 *q = c->q;
    enum emu_err rc = EMU_OK;
    for (uint32_t i = 0; i < q->h.l1_size && rc == EMU_OK; i++) {
        uint64_t at = q->l1[i] & QCOW2_OFFSET;
        struct qcow2_table *l2;
        if (!at || in_cluster(q, at) || !inside(c, at, q->cluster_size))
            continue;
        compare_flag(c, "L1", q->l1[i]);
        rc = qcow2_table_get(q, &q->l2, at, &l2, c->err);
        for (uint32_t j = 0; j < 1u << q->l2_bits && rc == EMU_OK; j++) {
            uint64_t entry = get_be64(l2->data + 8ull * j);
            enum qcow2_kind kind = qcow2_kind_of(q, entry);
            if (kind == QCOW2_DATA || kind == QCOW2_RESERVED)
                compare_flag(c, "L2", entry);
        }
    }
    return rc;
}

/* --- repair --- */

/* Whether one of `n` clusters from `k` on has a reference. */
static bool any_reference(const struct check *c, uint64_t k, uint64_t n)
{
    uint64_t end = k + n;
    while ((k = next_counted(&c->refs, k, end)) < end) {
        if (count_of(&c->refs, k))
            return true;
        k++;
    }
    return false;
}

/* Lists where the blocks of a new refcount structure go: one for every range of clusters with
 * references, behind everything. They and the table count themselves too. */
static enum emu_err plan_refcounts(struct check *c, uint64_t first, uint64_t *table,
                                   uint64_t entries, uint64_t *next)
{
    struct qcow2 *q = c->q;
    enum emu_err rc = EMU_OK;
    uint64_t table_clusters = clusters_for(q, entries * 8);
    rc = refer(c, first << q->h.cluster_bits, table_clusters << q->h.cluster_bits);
    *next = first + table_clusters;
    for (uint64_t i = 0; i < entries && rc == EMU_OK; i++) {
        if (table[i] || !any_reference(c, i << q->refblock_bits, 1ull << q->refblock_bits))
            continue;
        table[i] = *next << q->h.cluster_bits;
        rc = refer(c, table[i], q->cluster_size);
        ++*next;
    }
    return rc;
}

static enum emu_err write_refcounts(struct check *c, uint64_t first, const uint64_t *table,
                                    uint64_t entries)
{
    struct qcow2 *q = c->q;
    uint64_t max = qcow2_refcount_max(q), n = clusters_for(q, entries * 8);
    size_t bytes = (size_t)(n << q->h.cluster_bits);
    uint8_t *buf = calloc(1, bytes);
    if (!buf)
        return qcow2_nomem(q, c->err);
    for (uint64_t i = 0; i < entries; i++)
        put_be64(buf + 8 * i, table[i]);
    enum emu_err rc = host_file_write(&q->file, first << q->h.cluster_bits, buf, bytes, c->err);
    for (uint64_t i = 0; i < entries && rc == EMU_OK; i++) {
        if (!table[i])
            continue;
        memset(buf, 0, q->cluster_size);
        for (uint64_t j = 0; j < 1ull << q->refblock_bits; j++) {
            uint64_t count = count_of(&c->refs, (i << q->refblock_bits) + j);
            qcow2_refcount_write(buf, q->h.refcount_order, j, count < max ? count : max);
        }
        rc = host_file_write(&q->file, table[i], buf, q->cluster_size, c->err);
    }
    free(buf);
    return rc;
}

/* The caches hold what was; nothing of that is wanted any more. */
static void forget_refblocks(struct qcow2 *q)
{
    for (unsigned i = 0; i < q->refblocks.n; i++)
        if (q->refblocks.slot[i].offset)
            qcow2_table_forget(&q->refblocks, q->refblocks.slot[i].offset);
}

/* New refcounts from the references alone, behind the end of the file; then the header switches. */
static enum emu_err rebuild(struct check *c)
{
    struct qcow2 *q = c->q;
    uint64_t first = c->file_clusters > c->last_used ? c->file_clusters : c->last_used + 1, next;
    uint64_t most = first + first / 8 + 64; /* room for the blocks, whatever their width */
    uint64_t entries = (most >> q->refblock_bits) + 2;
    entries = clusters_for(q, entries * 8) << (q->h.cluster_bits - 3);
    if (entries * 8 > QCOW2_MAX_REFTABLE)
        return error_set(c->err, EMU_UNSUPPORTED, "%s: the image is too large to be repaired",
                         q->blk.name);
    uint64_t *table = calloc((size_t)entries, sizeof(*table));
    if (!table)
        return qcow2_nomem(q, c->err);
    enum emu_err rc = plan_refcounts(c, first, table, entries, &next);
    if (rc == EMU_OK)
        rc = write_refcounts(c, first, table, entries);
    if (rc == EMU_OK)
        rc = host_file_sync(&q->file, c->err);
    if (rc != EMU_OK) {
        free(table);
        return rc;
    }
    free(q->reftable);
    q->reftable = table;
    q->reftable_size = (uint32_t)entries;
    q->reftable_dirty_from = q->reftable_dirty_to = 0;
    q->free_hint = 0;
    q->nfrees = 0;
    forget_refblocks(q);
    q->h.reftable_offset = first << q->h.cluster_bits;
    q->h.reftable_clusters = (uint32_t)clusters_for(q, entries * 8);
    rc = qcow2_header_update(q, 48, 60, c->err);
    return rc == EMU_OK ? host_file_sync(&q->file, c->err) : rc;
}

static enum emu_err clear_marks(struct check *c)
{
    struct qcow2 *q = c->q;
    const uint64_t marks = QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT;
    enum emu_err rc = host_file_sync(&q->file, c->err);
    if (rc != EMU_OK || q->h.version < 3 || !(q->h.incompatible & marks))
        return rc;
    q->h.incompatible &= ~marks;
    rc = qcow2_header_update(q, 72, 80, c->err);
    return rc == EMU_OK ? host_file_sync(&q->file, c->err) : rc;
}

/* Old findings are repaired: L2 entries already were; refcounts are made new. */
static enum emu_err repair_all(struct check *c)
{
    struct qcow2 *q = c->q;
    c->fix = false;
    counts_free(&c->refs);
    struct qcow2_check again = {0}, *out = c->out;
    c->out = &again;
    enum emu_err rc = walk_all(c, false);
    c->out = out;
    if (rc == EMU_OK)
        rc = rebuild(c);
    if (rc == EMU_OK)
        rc = qcow2_fix_copied(q, c->err);
    if (rc == EMU_OK && again.corruptions == 0) {
        out->corruptions_fixed = out->corruptions;
        out->leaks_fixed = out->leaks;
    }
    return rc;
}

static enum emu_err finish(struct check *c, enum qcow2_repair repair)
{
    struct qcow2_check *out = c->out;
    enum emu_err rc = EMU_OK;
    bool dirty = c->q->h.incompatible & QCOW2_INCOMPAT_DIRTY;
    if (repair == QCOW2_REPAIR_ALL && (out->corruptions || dirty))
        rc = repair_all(c);
    else if (repair != QCOW2_REPAIR_NONE && (out->leaks_fixed || repair == QCOW2_REPAIR_ALL))
        rc = qcow2_fix_copied(c->q, c->err);
    if (rc == EMU_OK && repair != QCOW2_REPAIR_NONE)
        rc = qcow2_commit(c->q, c->err);
    if (rc == EMU_OK && repair == QCOW2_REPAIR_ALL && out->corruptions == out->corruptions_fixed)
        rc = clear_marks(c);
    out->corruptions -= out->corruptions_fixed;
    out->leaks -= out->leaks_fixed;
    return rc;
}

enum emu_err qcow2_check(struct blk *b, enum qcow2_repair repair, struct qcow2_check *out,
                         struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    struct check c = {.q = q, .out = out, .err = err, .fix = repair == QCOW2_REPAIR_ALL};
    void (*sayer)(void *, const char *) = out->say;
    void *arg = out->arg;
    uint64_t size;
    *out = (struct qcow2_check){.say = sayer, .arg = arg};
    out->total_clusters = clusters_for(q, b->size);
    if (repair != QCOW2_REPAIR_NONE && b->read_only)
        return error_set(err, EMU_ARG, "%s: cannot repair: the image was opened read-only",
                         b->name);
    enum emu_err rc = qcow2_commit(q, err);
    if (rc == EMU_OK)
        rc = host_file_size(&q->file, &size, err);
    if (rc != EMU_OK)
        return rc;
    c.file_clusters = clusters_for(q, size);
    rc = walk_all(&c, true);
    if (rc == EMU_OK)
        rc = compare_flags(&c);
    if (rc == EMU_OK)
        rc = compare_counts(&c, repair != QCOW2_REPAIR_NONE && !out->corruptions);
    out->end_offset = (c.last_used + 1) << q->h.cluster_bits;
    if (rc == EMU_OK)
        rc = finish(&c, repair);
    counts_free(&c.refs);
    return rc;
}
