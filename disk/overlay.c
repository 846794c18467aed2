/*
 * A writable copy-on-write view in memory of another block device (-snapshot), or of nothing (all
 * zero). Clusters are copied at their first write; a two-level table finds them, so that a large
 * disk costs memory only for what was written.
 *
 * A write copies all clusters that it needs before it changes the first byte: if the base cannot
 * be read or memory runs out, nothing has changed.
 */
#include "disk/blk.h"

#include <stdlib.h>
#include <string.h>

#ifdef STRESS
enum { CLUSTER = 512, PER_TABLE = 2 }; /* many boundaries in small images */
#else
enum { CLUSTER = 65536, PER_TABLE = 1024 };
#endif

struct table {
    uint8_t *cluster[PER_TABLE]; /* NULL: as in the base */
};

struct overlay {
    struct blk blk;
    struct blk *base;     /* owned; NULL: zeros */
    struct table **table; /* NULL entries: nothing written there */
    size_t ntables;
    char name[]; /* blk.name points here */
};

static struct overlay *overlay_of(struct blk *b)
{
    return CONTAINER_OF(b, struct overlay, blk);
}

/* The written copy of the cluster, or NULL. */
static uint8_t *find(const struct overlay *o, uint64_t cluster)
{
    const struct table *t = o->table[cluster / PER_TABLE];
    return t ? t->cluster[cluster % PER_TABLE] : NULL;
}

static size_t at_most(size_t len, uint64_t limit)
{
    return len < limit ? len : (size_t)limit;
}

static enum emu_err base_read(const struct overlay *o, uint64_t offset, void *to, size_t len,
                              struct error *err)
{
    if (o->base)
        return blk_read(o->base, offset, to, len, err);
    memset(to, 0, len);
    return EMU_OK;
}

static enum emu_err overlay_read(struct blk *b, uint64_t offset, void *to, size_t len,
                                 struct error *err)
{
    const struct overlay *o = overlay_of(b);
    for (uint8_t *p = to; len > 0;) {
        uint64_t within = offset % CLUSTER;
        size_t n = at_most(len, CLUSTER - within);
        const uint8_t *copy = find(o, offset / CLUSTER);
        enum emu_err rc = EMU_OK;
        if (copy)
            memcpy(p, copy + within, n);
        else
            rc = base_read(o, offset, p, n, err);
        if (rc != EMU_OK)
            return rc;
        p += n;
        len -= n;
        offset += n;
    }
    return EMU_OK;
}

/* Makes the cluster writable: copies it from the base unless it was copied before. */
static enum emu_err copy_up(struct overlay *o, uint64_t cluster, struct error *err)
{
    struct table **t = &o->table[cluster / PER_TABLE];
    if (!*t)
        *t = calloc(1, sizeof(**t));
    uint8_t *copy = *t ? calloc(1, CLUSTER) : NULL;
    if (!copy)
        return error_set(err, EMU_NOMEM, "%s: out of memory for what the guest has written",
                         o->blk.name);
    uint64_t offset = cluster * CLUSTER;
    enum emu_err rc = base_read(o, offset, copy, at_most(CLUSTER, o->blk.size - offset), err);
    if (rc != EMU_OK) {
        free(copy);
        return rc;
    }
    (*t)->cluster[cluster % PER_TABLE] = copy;
    return EMU_OK;
}

static enum emu_err overlay_write(struct blk *b, uint64_t offset, const void *from, size_t len,
                                  struct error *err)
{
    struct overlay *o = overlay_of(b);
    for (uint64_t c = offset / CLUSTER; c <= (offset + len - 1) / CLUSTER; c++) {
        enum emu_err rc = find(o, c) ? EMU_OK : copy_up(o, c, err);
        if (rc != EMU_OK)
            return rc;
    }
    for (const uint8_t *p = from; len > 0;) {
        uint64_t within = offset % CLUSTER;
        size_t n = at_most(len, CLUSTER - within);
        memcpy(find(o, offset / CLUSTER) + within, p, n);
        p += n;
        len -= n;
        offset += n;
    }
    return EMU_OK;
}

/* Back to the base. */
static void overlay_forget(struct overlay *o)
{
    for (size_t i = 0; i < o->ntables; i++) {
        for (size_t j = 0; o->table[i] && j < PER_TABLE; j++)
            free(o->table[i]->cluster[j]);
        free(o->table[i]);
        o->table[i] = NULL;
    }
}

static void overlay_close(struct blk *b)
{
    struct overlay *o = overlay_of(b);
    overlay_forget(o);
    free(o->table);
    blk_close(o->base, NULL);
    free(o);
}

static const struct blk_ops overlay_ops = {
    .format = "overlay",
    .read = overlay_read,
    .write = overlay_write,
    .close = overlay_close,
};

static enum emu_err new_overlay(struct blk *base, const char *name, uint64_t size, struct blk **out,
                                struct error *err)
{
    uint64_t span = (uint64_t)CLUSTER * PER_TABLE;
    uint64_t ntables = size / span + 1;
    size_t name_len = strlen(name) + 1;
    struct overlay *o = calloc(1, sizeof(*o) + name_len);
    if (o && ntables <= SIZE_MAX / sizeof(struct table *))
        o->table = calloc((size_t)ntables, sizeof(struct table *));
    if (!o || !o->table) {
        free(o);
        return error_set(err, EMU_NOMEM, "%s: out of memory for a temporary overlay", name);
    }
    memcpy(o->name, name, name_len);
    o->blk = (struct blk){&overlay_ops, o->name, size, false};
    o->base = base;
    o->ntables = (size_t)ntables;
    *out = &o->blk;
    return EMU_OK;
}

enum emu_err overlay_open(struct blk *base, struct blk **out, struct error *err)
{
    return new_overlay(base, base->name, base->size, out, err);
}

enum emu_err overlay_blank(const char *name, uint64_t size, struct blk **out, struct error *err)
{
    return new_overlay(NULL, name, size, out, err);
}

/* --- what a snapshot file keeps of an overlay: {u64 offset, u32 length, bytes}... --- */

void overlay_save(struct blk *b, struct buf *out)
{
    if (!b || b->ops != &overlay_ops)
        return;
    const struct overlay *o = overlay_of(b);
    for (uint64_t c = 0; c * CLUSTER < b->size; c++) {
        const uint8_t *copy = find(o, c);
        if (!copy)
            continue;
        size_t n = at_most(CLUSTER, b->size - c * CLUSTER);
        buf_put_u64(out, c * CLUSTER);
        buf_put_u32(out, (uint32_t)n);
        buf_put(out, copy, n);
    }
}

struct overlay_piece {
    uint64_t offset;
    uint32_t len;
    const uint8_t *data;
};

/* The next piece of [*at, end); false: damaged. */
static bool next_piece(const uint8_t **at, const uint8_t *end, struct overlay_piece *piece)
{
    if (end - *at < 12)
        return false;
    *piece = (struct overlay_piece){0};
    for (unsigned i = 0; i < 8; i++)
        piece->offset |= (uint64_t)(*at)[i] << (8 * i);
    for (unsigned i = 0; i < 4; i++)
        piece->len |= (uint32_t)(*at)[8 + i] << (8 * i);
    piece->data = *at + 12;
    if (piece->len == 0 || piece->len > (size_t)(end - piece->data))
        return false;
    *at = piece->data + piece->len;
    return true;
}

enum emu_err overlay_check(const struct blk *b, const uint8_t *data, size_t len, struct error *err)
{
    const uint8_t *end = data + len;
    if (len && (!b || b->ops != &overlay_ops))
        return error_set(err, EMU_FORMAT, "it was saved with -snapshot; start with -snapshot to load it");
    while (data < end) {
        struct overlay_piece p;
        if (!next_piece(&data, end, &p) || p.offset > b->size || p.len > b->size - p.offset)
            return error_set(err, EMU_FORMAT, "what it holds of %s is damaged", b->name);
    }
    return EMU_OK;
}

enum emu_err overlay_load(struct blk *b, const uint8_t *data, size_t len, struct error *err)
{
    const uint8_t *end = data + len;
    if (!b || b->ops != &overlay_ops)
        return EMU_OK;
    overlay_forget(overlay_of(b));
    while (data < end) {
        struct overlay_piece p;
        if (!next_piece(&data, end, &p))
            return error_set(err, EMU_FORMAT, "what it holds of %s is damaged", b->name);
        enum emu_err rc = blk_write(b, p.offset, p.data, p.len, err);
        if (rc != EMU_OK)
            return rc;
    }
    return EMU_OK;
}
