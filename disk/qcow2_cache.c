/*
 * The tables of a qcow2 image in memory: two caches of clusters (L2 tables, refcount blocks), and
 * qcow2_commit(), which brings changes to the file in the order that qcow2_int.h explains.
 *
 * A changed refcount block may be written at any time: it holds growth, which is always safe, and
 * shrinkage that step C entered after its barrier. A changed L2 table may not: if a cache is full
 * of them, a commit makes room.
 */
#include "disk/qcow2_int.h"

#include <stdlib.h>
#include <string.h>

#ifdef STRESS
enum { CACHE_BYTES = 0, CACHE_MIN = 4, CACHE_MAX = 4 };
#else
enum { CACHE_BYTES = 4 << 20, CACHE_MIN = 4, CACHE_MAX = 256 };
#endif

enum emu_err qcow2_cache_init(struct qcow2 *q, struct qcow2_cache *c)
{
    unsigned n = (unsigned)CACHE_BYTES >> q->h.cluster_bits;
    c->n = n < CACHE_MIN ? CACHE_MIN : n > CACHE_MAX ? CACHE_MAX : n;
    c->slot = calloc(c->n, sizeof(*c->slot));
    return c->slot ? EMU_OK : EMU_NOMEM;
}

void qcow2_cache_free(struct qcow2_cache *c)
{
    for (unsigned i = 0; c->slot && i < c->n; i++)
        free(c->slot[i].data);
    free(c->slot);
    c->slot = NULL;
}

static bool dirty(const struct qcow2_table *t) { return t->dirty_from != t->dirty_to; }

void qcow2_table_dirty(struct qcow2_table *t, uint32_t from, uint32_t to)
{
    if (!dirty(t)) {
        t->dirty_from = from;
        t->dirty_to = to;
        return;
    }
    t->dirty_from = from < t->dirty_from ? from : t->dirty_from;
    t->dirty_to = to > t->dirty_to ? to : t->dirty_to;
}

/* Whole sectors, so that the host need not read to write. */
static enum emu_err write_table(struct qcow2 *q, struct qcow2_table *t, struct error *err)
{
    if (!dirty(t))
        return EMU_OK;
    uint32_t from = t->dirty_from & ~511u, to = (t->dirty_to + 511u) & ~511u;
    enum emu_err rc = host_file_write(&q->file, t->offset + from, t->data + from, to - from, err);
    if (rc == EMU_OK)
        t->dirty_from = t->dirty_to = 0;
    return rc;
}

static struct qcow2_table *find(struct qcow2_cache *c, uint64_t offset)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->slot[i].offset == offset && c->slot[i].data)
            return &c->slot[i];
    return NULL;
}

void qcow2_table_forget(struct qcow2_cache *c, uint64_t offset)
{
    struct qcow2_table *t = find(c, offset);
    if (t) {
        t->offset = 0;
        t->used = 0;
        t->fresh = false;
        t->dirty_from = t->dirty_to = 0;
    }
}

/* The slot unused for longest, clean ones first; NULL where all are dirty and `any` is false. */
static struct qcow2_table *oldest(struct qcow2_cache *c, bool any)
{
    struct qcow2_table *best = NULL;
    for (unsigned i = 0; i < c->n; i++) {
        struct qcow2_table *t = &c->slot[i];
        bool recent = t->used && t->used + 2 > c->clock; /* the caller may still hold it */
        if (!recent && (any || !dirty(t)) && (!best || t->used < best->used))
            best = t;
    }
    return best;
}

/* A clean slot with memory. */
static enum emu_err make_room(struct qcow2 *q, struct qcow2_cache *c, struct qcow2_table **out,
                              struct error *err)
{
    struct qcow2_table *t = oldest(c, false);
    enum emu_err rc = EMU_OK;
    if (!t) {
        t = oldest(c, true);
        rc = c == &q->refblocks || t->fresh ? write_table(q, t, err) : qcow2_commit(q, err);
        t = dirty(t) ? oldest(c, false) : t;
    }
    if (rc != EMU_OK)
        return rc;
    if (!t)
        return qcow2_nomem(q, err);
    if (!t->data && !(t->data = malloc(q->cluster_size)))
        return qcow2_nomem(q, err);
    *out = t;
    return EMU_OK;
}

enum emu_err qcow2_table_get(struct qcow2 *q, struct qcow2_cache *c, uint64_t offset,
                             struct qcow2_table **out, struct error *err)
{
    *out = find(c, offset);
    enum emu_err rc = EMU_OK;
    if (!*out) {
        rc = make_room(q, c, out, err);
        struct qcow2_table *t = *out;
        if (rc != EMU_OK || !t)
            return rc;
        t->offset = 0;
        t->fresh = false;
        rc = host_file_read_padded(&q->file, offset, t->data, q->cluster_size, err);
        if (rc == EMU_OK)
            t->offset = offset;
    }
    (*out)->used = ++c->clock;
    return rc;
}

enum emu_err qcow2_table_new(struct qcow2 *q, struct qcow2_cache *c, uint64_t offset,
                             struct qcow2_table **out, struct error *err)
{
    struct qcow2_table *t = find(c, offset);
    enum emu_err rc = t ? EMU_OK : make_room(q, c, &t, err);
    if (rc != EMU_OK || !t)
        return rc;
    memset(t->data, 0, q->cluster_size);
    t->offset = offset;
    t->fresh = true;
    t->used = ++c->clock;
    t->dirty_from = 0;
    t->dirty_to = q->cluster_size;
    *out = t;
    return EMU_OK;
}

static void widen(uint32_t *from, uint32_t *to, uint32_t index)
{
    if (*from == *to) {
        *from = index;
        *to = index + 1;
    }
    *from = index < *from ? index : *from;
    *to = index >= *to ? index + 1 : *to;
}

void qcow2_l1_set(struct qcow2 *q, uint32_t index, uint64_t entry)
{
    q->l1[index] = entry;
    widen(&q->l1_dirty_from, &q->l1_dirty_to, index);
}

void qcow2_reftable_set(struct qcow2 *q, uint32_t index, uint64_t entry)
{
    q->reftable[index] = entry;
    widen(&q->reftable_dirty_from, &q->reftable_dirty_to, index);
}

/* Writes the changed entries [*from, *to) of a table of the first level. */
static enum emu_err write_entries(struct qcow2 *q, uint64_t offset, const uint64_t *table,
                                  uint32_t *from, uint32_t *to, struct error *err)
{
    if (*from == *to)
        return EMU_OK;
    size_t n = *to - *from;
    uint8_t *bytes = malloc(n * 8);
    if (!bytes)
        return qcow2_nomem(q, err);
    for (size_t i = 0; i < n; i++)
        put_be64(bytes + 8 * i, table[*from + i]);
    enum emu_err rc = host_file_write(&q->file, offset + *from * 8ull, bytes, n * 8, err);
    free(bytes);
    if (rc == EMU_OK)
        *from = *to = 0;
    return rc;
}

static enum emu_err write_refblocks(struct qcow2 *q, struct error *err)
{
    enum emu_err rc = EMU_OK;
    for (unsigned i = 0; i < q->refblocks.n && rc == EMU_OK; i++)
        rc = write_table(q, &q->refblocks.slot[i], err);
    return rc;
}

/* L2 tables in place, or only those that nothing in the file points to. */
static enum emu_err write_l2(struct qcow2 *q, bool fresh, struct error *err)
{
    enum emu_err rc = EMU_OK;
    for (unsigned i = 0; i < q->l2.n && rc == EMU_OK; i++)
        if (q->l2.slot[i].fresh == fresh)
            rc = write_table(q, &q->l2.slot[i], err);
    return rc;
}

static bool anything_dirty(const struct qcow2 *q)
{
    bool any = q->l1_dirty_from != q->l1_dirty_to ||
               q->reftable_dirty_from != q->reftable_dirty_to || q->nfrees;
    for (unsigned i = 0; i < q->l2.n && !any; i++)
        any = dirty(&q->l2.slot[i]);
    for (unsigned i = 0; i < q->refblocks.n && !any; i++)
        any = dirty(&q->refblocks.slot[i]);
    return any;
}

static enum emu_err step_a(struct qcow2 *q, struct error *err)
{
    enum emu_err rc = write_refblocks(q, err);
    if (rc == EMU_OK && q->reftable_dirty_from != q->reftable_dirty_to) {
        rc = host_file_sync(&q->file, err); /* a block is there before the table points to it */
        if (rc == EMU_OK)
            rc = write_entries(q, q->h.reftable_offset, q->reftable, &q->reftable_dirty_from,
                               &q->reftable_dirty_to, err);
    }
    return rc == EMU_OK ? write_l2(q, true, err) : rc;
}

static enum emu_err step_b(struct qcow2 *q, struct error *err)
{
    bool map = q->l1_dirty_from != q->l1_dirty_to;
    for (unsigned i = 0; i < q->l2.n && !map; i++)
        map = dirty(&q->l2.slot[i]) || q->l2.slot[i].fresh;
    if (!map)
        return EMU_OK;
    enum emu_err rc = host_file_sync(&q->file, err);
    if (rc != EMU_OK)
        return rc;
    /* From here on the file may point to them, even if a write fails. */
    for (unsigned i = 0; i < q->l2.n; i++)
        q->l2.slot[i].fresh = false;
    rc = write_l2(q, false, err);
    if (rc == EMU_OK)
        rc = write_entries(q, q->h.l1_offset, q->l1, &q->l1_dirty_from, &q->l1_dirty_to, err);
    return rc;
}

static enum emu_err step_c(struct qcow2 *q, struct error *err)
{
    if (!q->nfrees)
        return EMU_OK;
    enum emu_err rc = host_file_sync(&q->file, err);
    if (rc == EMU_OK)
        rc = qcow2_apply_frees(q, err);
    return rc == EMU_OK ? write_refblocks(q, err) : rc;
}

enum emu_err qcow2_commit(struct qcow2 *q, struct error *err)
{
    if (q->blk.read_only || !anything_dirty(q))
        return EMU_OK;
    enum emu_err rc = step_a(q, err);
    if (rc == EMU_OK)
        rc = step_b(q, err);
    return rc == EMU_OK ? step_c(q, err) : rc;
}
