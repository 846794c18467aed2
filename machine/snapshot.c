/*
 * Snapshot files: the whole machine in one file (docs/FORMATS.md).
 *
 *   header  "RETRACE\x1a", u32 format version, shape string (u32 length, bytes)
 *   chunks  u8 id length, id, u8 class length, class, u32 version, u64 length, u32 CRC, payload
 *   end     a chunk with id "end" and no payload
 *
 * A device's payload is its declared state; a memory block's is its non-zero pages, compressed; a
 * medium's is its identity and the clusters that -snapshot keeps in memory.
 * Loading builds a new board, fills it, checks it, and only then lets it take the old one's place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "machine/pc.h"

static const char magic[8] = {'R', 'E', 'T', 'R', 'A', 'C', 'E', 0x1a};
enum { FORMAT_VERSION = 1, MEMORY_VERSION = 1, MEDIUM_VERSION = 1 };

/* --- shape: what must agree between the file and the machine --- */

static void shape_text(const struct machine *m, char *text, size_t len)
{
    int n = snprintf(text, len, "board=%s cpu=%s features=%llx ram=%llu devices=",
                     m->cfg.board == BOARD_PC ? "pc" : "isapc", m->cfg.cpu.name,
                     (unsigned long long)m->cfg.cpu.features, (unsigned long long)m->cfg.ram_size);
    for (const struct device *d = m->pc->devices; d && n > 0 && (size_t)n < len; d = d->next)
        n += snprintf(text + n, len - (size_t)n, "%s%s", d->id, d->next ? "," : "");
}

/* --- writing --- */

static void put_name(struct buf *out, const char *name)
{
    size_t len = strlen(name);
    buf_put_u8(out, (uint8_t)len);
    buf_put(out, name, len);
}

static void put_chunk(struct buf *out, const char *id, const char *cls, uint32_t version,
                      const struct buf *payload)
{
    put_name(out, id);
    put_name(out, cls);
    buf_put_u32(out, version);
    buf_put_u64(out, payload->len);
    buf_put_u32(out, (uint32_t)crc32(0, payload->data, (uInt)payload->len));
    buf_put(out, payload->data, payload->len);
    if (payload->failed)
        out->failed = true;
}

static void put_device(struct buf *out, struct device *d)
{
    struct buf payload = {0};
    if (d->cls->pre_save)
        d->cls->pre_save(d);
    state_save(d->cls->state, device_state(d), &payload);
    put_chunk(out, d->id, d->cls->name, d->cls->state->version, &payload);
    buf_free(&payload);
}

static bool page_is_zero(const uint8_t *page)
{
    static const uint8_t zero[PHYS_PAGE_SIZE];
    return memcmp(page, zero, PHYS_PAGE_SIZE) == 0;
}

/* Feeds bytes to the compressor, growing `out`; false: out of memory. */
static bool deflate_bytes(z_stream *z, const void *data, size_t len, int flush, struct buf *out)
{
    uint8_t chunk[16384];
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    do {
        z->next_out = chunk;
        z->avail_out = sizeof(chunk);
        if (deflate(z, flush) == Z_STREAM_ERROR)
            return false;
        buf_put(out, chunk, sizeof(chunk) - z->avail_out);
    } while (z->avail_out == 0);
    return !out->failed;
}

static bool deflate_pages(z_stream *z, const struct phys_block *b, struct buf *out)
{
    static const uint8_t end[4] = {0xff, 0xff, 0xff, 0xff};
    for (uint64_t at = 0; at < b->size; at += PHYS_PAGE_SIZE) {
        const uint8_t *page = b->host + at;
        if (page_is_zero(page))
            continue;
        uint32_t i = (uint32_t)(at >> PHYS_PAGE_SHIFT);
        uint8_t index[4] = {(uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16), (uint8_t)(i >> 24)};
        if (!deflate_bytes(z, index, 4, Z_NO_FLUSH, out) ||
            !deflate_bytes(z, page, PHYS_PAGE_SIZE, Z_NO_FLUSH, out))
            return false;
    }
    return deflate_bytes(z, end, 4, Z_FINISH, out);
}

/* u64 size, then for ROM u64 hash, for RAM the zlib stream of {u32 page index, 4096 bytes}...
 * FFFFFFFF. */
static void put_block(struct buf *out, const struct phys_block *b)
{
    struct buf payload = {0};
    buf_put_u64(&payload, b->size);
    if (b->rom) {
        buf_put_u64(&payload, hash_bytes(0, b->host, (size_t)b->size));
    } else {
        z_stream z = {0};
        if (deflateInit(&z, 1) != Z_OK || !deflate_pages(&z, b, &payload))
            payload.failed = true;
        deflateEnd(&z);
    }
    put_chunk(out, b->name, b->rom ? "rom" : "memory", MEMORY_VERSION, &payload);
    buf_free(&payload);
}

static const char *const medium_ids[MEDIA_DRIVES] = {"floppy0", "floppy1", "disk0",
                                                     "disk1",   "disk2",   "disk3"};

static void put_medium(struct buf *out, const struct machine *m, unsigned drive)
{
    struct buf payload = {0};
    struct blk *b = machine_medium(m, drive);
    buf_put_u64(&payload, b ? b->size : 0);
    buf_put_u8(&payload, b && b->read_only);
    overlay_save(b, &payload);
    put_chunk(out, medium_ids[drive], "medium", MEDIUM_VERSION, &payload);
    buf_free(&payload);
}

static void put_machine(struct machine *m, struct buf *out)
{
    char shape[1024];
    struct buf nothing = {0}, clk = {0};
    shape_text(m, shape, sizeof(shape));
    buf_put(out, magic, sizeof(magic));
    buf_put_u32(out, FORMAT_VERSION);
    buf_put_u32(out, (uint32_t)strlen(shape));
    buf_put(out, shape, strlen(shape));
    clock_anchor(&m->pc->clk);
    state_save(&clock_state_desc, &m->pc->clk.st, &clk);
    put_chunk(out, "clock", "clock", clock_state_desc.version, &clk);
    buf_free(&clk);
    for (struct device *d = m->pc->devices; d; d = d->next)
        put_device(out, d);
    for (unsigned i = 0; i < m->pc->phys->nblocks; i++)
        put_block(out, &m->pc->phys->block[i]);
    for (unsigned d = 0; d < MEDIA_DRIVES; d++)
        put_medium(out, m, d);
    put_chunk(out, "end", "end", 0, &nothing);
}

static enum emu_err write_file(const char *path, const struct buf *b, struct error *err)
{
    char temp[4096];
    if ((size_t)snprintf(temp, sizeof(temp), "%s.tmp", path) >= sizeof(temp))
        return error_set(err, EMU_ARG, "the file name %.100s... is too long", path);
    FILE *f = fopen(temp, "wb");
    if (!f)
        return error_set(err, EMU_IO, "cannot write %s: %m; choose a folder that can be written",
                         temp);
    bool ok = fwrite(b->data, 1, b->len, f) == b->len && fflush(f) == 0 && fsync(fileno(f)) == 0;
    ok = (fclose(f) == 0) && ok;
    if (ok && rename(temp, path) == 0)
        return EMU_OK;
    error_set(err, EMU_IO, "cannot write the snapshot %s: %m; nothing was saved", path);
    remove(temp);
    return EMU_IO;
}

enum emu_err machine_save_to(struct machine *m, struct buf *out, struct error *err)
{
    enum emu_err e = machine_flush(m, err);
    if (!e) {
        put_machine(m, out);
        if (out->failed)
            e = error_set(err, EMU_NOMEM, "the host is out of memory; nothing was saved");
    }
    return e;
}

enum emu_err machine_save(struct machine *m, const char *path, struct error *err)
{
    struct buf b = {0};
    enum emu_err e = machine_save_to(m, &b, err);
    if (!e)
        e = write_file(path, &b, err);
    buf_free(&b);
    return e;
}

/* --- reading --- */

struct source {
    const char *path;
    const uint8_t *at, *end;
    struct error *err;
};

struct chunk {
    char id[256], cls[256];
    uint32_t version;
    const uint8_t *data;
    size_t len;
};

static enum emu_err damaged(const struct source *s, const char *what)
{
    return error_set(s->err, EMU_FORMAT,
                     "%s is not a usable snapshot: %s; the machine was not changed", s->path, what);
}

static enum emu_err take(struct source *s, void *to, size_t len)
{
    if ((size_t)(s->end - s->at) < len)
        return damaged(s, "it ends too early");
    memcpy(to, s->at, len);
    s->at += len;
    return EMU_OK;
}

static enum emu_err take_le(struct source *s, uint64_t *v, unsigned bytes)
{
    uint8_t le[8] = {0};
    enum emu_err e = take(s, le, bytes);
    *v = 0;
    for (unsigned i = 0; i < bytes; i++)
        *v |= (uint64_t)le[i] << (8 * i);
    return e;
}

static enum emu_err take_name(struct source *s, char name[256])
{
    uint64_t len;
    enum emu_err e = take_le(s, &len, 1);
    if (!e)
        e = take(s, name, (size_t)len);
    name[e ? 0 : len] = 0;
    return e;
}

static enum emu_err take_chunk(struct source *s, struct chunk *c)
{
    uint64_t version, len, crc;
    enum emu_err e = take_name(s, c->id);
    if (!e)
        e = take_name(s, c->cls);
    if (!e)
        e = take_le(s, &version, 4);
    if (!e)
        e = take_le(s, &len, 8);
    if (!e)
        e = take_le(s, &crc, 4);
    if (e)
        return e;
    if (len > (uint64_t)(s->end - s->at))
        return damaged(s, "it ends too early");
    c->version = (uint32_t)version;
    c->data = s->at;
    c->len = (size_t)len;
    s->at += len;
    if (crc32(0, c->data, (uInt)c->len) != crc)
        return damaged(s, "its contents were altered (checksum)");
    return EMU_OK;
}

static enum emu_err load_state(struct source *s, const struct chunk *c, const struct state_desc *d,
                               void *obj)
{
    if (c->version > d->version)
        return damaged(s, "it was made by a newer version of Retrace");
    enum emu_err e = state_load(d, obj, c->data, c->len, NULL, s->err);
    return e ? error_prefix(s->err, e, "%s: %s", s->path, c->id) : EMU_OK;
}

static bool inflate_exact(z_stream *z, void *to, size_t len)
{
    z->next_out = to;
    z->avail_out = (uInt)len;
    while (z->avail_out) {
        int r = inflate(z, Z_NO_FLUSH);
        if (r != Z_OK && !(r == Z_STREAM_END && z->avail_out == 0))
            return false;
    }
    return true;
}

static bool inflate_pages(z_stream *z, struct phys_block *b)
{
    for (;;) {
        uint8_t le[4];
        if (!inflate_exact(z, le, 4))
            return false;
        uint64_t index = le[0] | le[1] << 8 | le[2] << 16 | (uint64_t)le[3] << 24;
        if (index == 0xffffffffu)
            return true;
        if (index >= b->size >> PHYS_PAGE_SHIFT ||
            !inflate_exact(z, b->host + (index << PHYS_PAGE_SHIFT), PHYS_PAGE_SIZE))
            return false;
    }
}

static uint64_t le64(const uint8_t *p)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* The board was just reset: forget what its own start wrote into memory. */
static enum emu_err load_memory(struct source *s, const struct chunk *c, struct phys_block *b)
{
    if (c->len < 8 || le64(c->data) != b->size)
        return damaged(s, "a memory block has another size");
    for (uint64_t at = 0; at < b->size; at += PHYS_PAGE_SIZE) {
        if (!page_is_zero(b->host + at))
            memset(b->host + at, 0, PHYS_PAGE_SIZE);
    }
    z_stream z = {.next_in = (Bytef *)(uintptr_t)(c->data + 8), .avail_in = (uInt)(c->len - 8)};
    bool ok = inflateInit(&z) == Z_OK && inflate_pages(&z, b);
    inflateEnd(&z);
    return ok ? EMU_OK : damaged(s, "its memory contents do not unpack");
}

static enum emu_err check_rom(struct source *s, const struct chunk *c, const struct phys_block *b)
{
    if (c->len < 16 || le64(c->data) != b->size ||
        le64(c->data + 8) != hash_bytes(0, b->host, (size_t)b->size))
        return error_set(
            s->err, EMU_FORMAT,
            "%s was saved with another %s ROM; start with the same firmware files (-bios, -L)",
            s->path, c->id);
    return EMU_OK;
}

static enum emu_err load_block(struct source *s, const struct chunk *c, struct phys *p)
{
    for (unsigned i = 0; i < p->nblocks; i++) {
        if (strcmp(p->block[i].name, c->id) == 0)
            return p->block[i].rom ? check_rom(s, c, &p->block[i])
                                   : load_memory(s, c, &p->block[i]);
    }
    return damaged(s, "it has a memory block that this machine lacks");
}

static struct device *find_device(struct pc *pc, const char *id)
{
    for (struct device *d = pc->devices; d; d = d->next) {
        if (strcmp(d->id, id) == 0)
            return d;
    }
    return NULL;
}

static unsigned medium_number(const char *id)
{
    unsigned drive = 0;
    while (drive < MEDIA_DRIVES && strcmp(medium_ids[drive], id) != 0)
        drive++;
    return drive;
}

/* The medium in the drive must be the one that was there; its in-memory writes come back. */
static enum emu_err load_medium(struct source *s, const struct chunk *c, struct machine *m)
{
    unsigned drive = medium_number(c->id);
    if (c->len < 9 || drive >= MEDIA_DRIVES)
        return damaged(s, "a medium's chunk is not right");
    struct blk *image = machine_medium(m, drive);
    uint64_t size = le64(c->data);
    if (size != (image ? image->size : 0))
        return error_set(s->err, EMU_FORMAT,
                         "%s was saved with %s in %s; put the same image there first", s->path,
                         size ? "another disk" : "no disk", c->id);
    enum emu_err e = overlay_check(image, c->data + 9, c->len - 9, s->err);
    return e ? error_prefix(s->err, e, "%s", s->path) : EMU_OK;
}

static enum emu_err load_chunk(struct source *s, const struct chunk *c, struct machine *m,
                               struct pc *pc)
{
    if (strcmp(c->cls, "clock") == 0)
        return load_state(s, c, &clock_state_desc, &pc->clk.st);
    bool block = strcmp(c->cls, "memory") == 0 || strcmp(c->cls, "rom") == 0;
    bool medium = strcmp(c->cls, "medium") == 0;
    if ((block && c->version != MEMORY_VERSION) || (medium && c->version != MEDIUM_VERSION))
        return damaged(s, "it was made by another version of Retrace");
    if (block)
        return load_block(s, c, pc->phys);
    if (medium)
        return load_medium(s, c, m);
    struct device *d = find_device(pc, c->id);
    if (!d || strcmp(d->cls->name, c->cls) != 0)
        return damaged(s, "it has a device that this machine lacks");
    return load_state(s, c, d->cls->state, device_state(d));
}

static enum emu_err check_header(struct source *s, const struct machine *m)
{
    char file_magic[8], shape[1024], mine[1024];
    uint64_t version, len;
    if (take(s, file_magic, 8) || memcmp(file_magic, magic, 8) != 0)
        return damaged(s, "it does not start as one");
    enum emu_err e = take_le(s, &version, 4);
    if (!e && version != FORMAT_VERSION)
        return damaged(s, "it was made by another version of Retrace");
    if (!e)
        e = take_le(s, &len, 4);
    if (!e && len >= sizeof(shape))
        return damaged(s, "its header is too long");
    if (!e)
        e = take(s, shape, (size_t)len);
    if (e)
        return e;
    shape[len] = 0;
    shape_text(m, mine, sizeof(mine));
    if (strcmp(shape, mine) != 0)
        return error_set(
            s->err, EMU_FORMAT,
            "%s is of another machine (%.150s); start Retrace with the same -M, -cpu and -m",
            s->path, shape);
    return EMU_OK;
}

static enum emu_err load_chunks(struct source *s, struct machine *m, struct pc *pc)
{
    for (;;) {
        struct chunk c;
        enum emu_err e = take_chunk(s, &c);
        if (e)
            return e;
        if (strcmp(c.cls, "end") == 0)
            return s->at == s->end ? EMU_OK : damaged(s, "something follows its end");
        e = load_chunk(s, &c, m, pc);
        if (e)
            return e;
    }
}

static enum emu_err post_load_all(struct pc *pc, struct error *err)
{
    for (struct device *d = pc->devices; d; d = d->next) {
        enum emu_err e = d->cls->post_load ? d->cls->post_load(d, err) : EMU_OK;
        if (e)
            return error_prefix(err, e, "snapshot: %s", d->id);
    }
    return EMU_OK;
}

/* Second pass over an accepted file: the media take their saved writes. */
static enum emu_err load_media(const struct source *whole, struct machine *m)
{
    struct source s = *whole;
    struct chunk c;
    uint64_t len;
    s.at += sizeof(magic) + 4;
    enum emu_err e = take_le(&s, &len, 4);
    s.at += e ? 0 : len;
    while (!e && !(e = take_chunk(&s, &c)) && strcmp(c.cls, "end") != 0) {
        if (strcmp(c.cls, "medium") == 0)
            e = overlay_load(machine_medium(m, medium_number(c.id)), c.data + 9, c.len - 9, s.err);
    }
    return e;
}

static enum emu_err read_file(const char *path, struct buf *b, struct error *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return error_set(err, EMU_IO, "cannot open the snapshot %s: %m; check the name", path);
    uint8_t part[65536];
    size_t n;
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_put(b, part, n);
    bool bad = ferror(f) != 0;
    fclose(f);
    if (bad)
        return error_set(err, EMU_IO, "cannot read the snapshot %s: %m", path);
    return b->failed ? error_set(err, EMU_NOMEM, "the host has no memory for %s", path) : EMU_OK;
}

static enum emu_err load_board(struct machine *m, struct source *s, struct pc **out)
{
    struct pc *pc = NULL;
    enum emu_err e = check_header(s, m);
    if (!e)
        e = pc_new(m, &pc, s->err);
    for (unsigned d = 0; !e && d < FLOPPY_DRIVES; d++) {
        if (m->floppy[d])
            e = pc_insert_floppy(pc, d, m->floppy[d], m->floppy[d]->read_only, s->err);
    }
    if (!e)
        e = load_chunks(s, m, pc);
    if (!e)
        e = post_load_all(pc, s->err);
    if (e)
        pc_free(pc);
    else
        *out = pc;
    return e;
}

enum emu_err machine_load_from(struct machine *m, const void *data, size_t len, const char *name,
                               struct error *err)
{
    const uint8_t *bytes = data;
    struct pc *pc = NULL;
    struct source whole = {name, bytes, bytes + len, err}, s = whole;
    enum emu_err e = load_board(m, &s, &pc);
    if (!e)
        e = load_media(&whole, m);
    if (e) {
        pc_free(pc);
        return e;
    }
    pc_take_session(pc, m->pc);
    pc_free(m->pc);
    m->pc = pc;
    return EMU_OK;
}

/* The snapshot remembers the cables of its time. */
static void plug_as_now(struct machine *m)
{
    for (unsigned i = 0; i < m->cfg.nics; i++) {
        if (pc_link(m->pc, i) == m->unplugged[i])
            machine_set_link(m, i, !m->unplugged[i]);
    }
}

enum emu_err machine_load(struct machine *m, const char *path, struct error *err)
{
    struct buf b = {0};
    if (m->recorder || m->player)
        return error_set(err, EMU_ARG, "a session is being %s, and cannot go on from %s; give it with -loadvm at the start",
                         m->recorder ? "recorded" : "replayed", path);
    enum emu_err e = read_file(path, &b, err);
    if (!e)
        e = machine_load_from(m, b.data, b.len, path, err);
    if (!e)
        plug_as_now(m);
    buf_free(&b);
    return e;
}

/* --- hash --- */

static uint64_t hash_block(uint64_t h, const struct phys_block *b)
{
    for (uint64_t at = 0; at < b->size; at += PHYS_PAGE_SIZE) {
        if (!page_is_zero(b->host + at))
            h = hash_bytes(h ^ at, b->host + at, PHYS_PAGE_SIZE);
    }
    return h;
}

uint64_t machine_hash(struct machine *m)
{
    clock_anchor(&m->pc->clk);
    uint64_t h = state_hash(0, &clock_state_desc, &m->pc->clk.st);
    for (struct device *d = m->pc->devices; d; d = d->next) {
        if (d->cls->pre_save)
            d->cls->pre_save(d);
        h = state_hash(h, d->cls->state, device_state(d));
    }
    for (unsigned i = 0; i < m->pc->phys->nblocks; i++)
        h = hash_block(h, &m->pc->phys->block[i]);
    return h;
}
