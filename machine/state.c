/*
 * Walks over state descriptions: check, save, load, hash, print. See state.h; the encoding is
 * described byte by byte in docs/FORMATS.md.
 */
#include "machine/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- growing buffer --- */

void buf_put(struct buf *b, const void *data, size_t len)
{
    if (b->failed)
        return;
    if (b->cap - b->len < len) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap - b->len < len)
            cap *= 2;
        uint8_t *grown = realloc(b->data, cap);
        if (!grown) {
            b->failed = true;
            return;
        }
        b->data = grown;
        b->cap = cap;
    }
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void put_le(struct buf *b, uint64_t v, unsigned bytes)
{
    uint8_t le[8];
    for (unsigned i = 0; i < bytes; i++)
        le[i] = (uint8_t)(v >> (8 * i));
    buf_put(b, le, bytes);
}

void buf_put_u8(struct buf *b, uint8_t v) { put_le(b, v, 1); }
void buf_put_u16(struct buf *b, uint16_t v) { put_le(b, v, 2); }
void buf_put_u32(struct buf *b, uint32_t v) { put_le(b, v, 4); }
void buf_put_u64(struct buf *b, uint64_t v) { put_le(b, v, 8); }

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

/* --- check --- */

enum emu_err state_check(const struct state_desc *d, struct error *err)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < d->nfields; i++) {
        const struct state_field *f = &d->fields[i];
        if (f->offset != at)
            return error_set(err, EMU_FORMAT, "%s: byte %u is not described (next field %s at %u)",
                             d->name, at, f->name, f->offset);
        if (f->kind == STATE_UNKNOWN || f->count == 0)
            return error_set(err, EMU_FORMAT, "%s.%s: not a fixed-width unsigned member", d->name,
                             f->name);
        if (f->kind == STATE_STRUCT) {
            if (f->sub->size != f->size)
                return error_set(err, EMU_FORMAT, "%s.%s: sub-description of another size", d->name,
                                 f->name);
            enum emu_err e = state_check(f->sub, err);
            if (e)
                return error_prefix(err, e, "%s.%s", d->name, f->name);
        }
        at += f->size * f->count;
    }
    if (at != d->size)
        return error_set(err, EMU_FORMAT, "%s: bytes %u to %u are not described", d->name, at,
                         d->size - 1);
    return EMU_OK;
}

/* --- values --- */

static uint64_t get_value(const struct state_field *f, const uint8_t *at)
{
    switch (f->kind) {
    case STATE_U8: return *at;
    case STATE_U16: {
        uint16_t v;
        memcpy(&v, at, 2);
        return v;
    }
    case STATE_U32: {
        uint32_t v;
        memcpy(&v, at, 4);
        return v;
    }
    default: {
        uint64_t v;
        memcpy(&v, at, 8);
        return v;
    }
    }
}

static void set_value(const struct state_field *f, uint8_t *at, uint64_t v)
{
    switch (f->kind) {
    case STATE_U8: *at = (uint8_t)v; break;
    case STATE_U16: {
        uint16_t t = (uint16_t)v;
        memcpy(at, &t, 2);
        break;
    }
    case STATE_U32: {
        uint32_t t = (uint32_t)v;
        memcpy(at, &t, 4);
        break;
    }
    default: memcpy(at, &v, 8); break;
    }
}

/* --- save --- */

void state_save(const struct state_desc *d, const void *obj, struct buf *out)
{
    buf_put_u32(out, d->nfields);
    for (uint32_t i = 0; i < d->nfields; i++) {
        const struct state_field *f = &d->fields[i];
        const uint8_t *at = (const uint8_t *)obj + f->offset;
        size_t name_len = strlen(f->name);
        buf_put_u8(out, (uint8_t)name_len);
        buf_put(out, f->name, name_len);
        buf_put_u8(out, (uint8_t)f->kind);
        buf_put_u32(out, f->count);
        if (f->kind == STATE_U8) { /* memories: in one piece */
            buf_put(out, at, f->count);
            continue;
        }
        for (uint32_t k = 0; k < f->count; k++, at += f->size) {
            if (f->kind == STATE_STRUCT)
                state_save(f->sub, at, out);
            else
                put_le(out, get_value(f, at), f->size);
        }
    }
}

/* --- load --- */

struct reader {
    const uint8_t *at, *end;
    const char *what; /* struct name for messages */
    unsigned unknown;
    struct error *err;
};

static enum emu_err truncated(struct reader *r)
{
    return error_set(r->err, EMU_FORMAT, "state of %s ends too early", r->what);
}

static enum emu_err take(struct reader *r, void *to, size_t len)
{
    if ((size_t)(r->end - r->at) < len)
        return truncated(r);
    if (to)
        memcpy(to, r->at, len);
    r->at += len;
    return EMU_OK;
}

static enum emu_err take_le(struct reader *r, uint64_t *v, unsigned bytes)
{
    uint8_t le[8] = {0};
    enum emu_err e = take(r, le, bytes);
    *v = 0;
    for (unsigned i = 0; i < bytes; i++)
        *v |= (uint64_t)le[i] << (8 * i);
    return e;
}

static const struct state_field *find_field(const struct state_desc *d, const char *name)
{
    for (uint32_t i = 0; i < d->nfields; i++) {
        if (strcmp(d->fields[i].name, name) == 0)
            return &d->fields[i];
    }
    return NULL;
}

static unsigned kind_size(uint64_t kind)
{
    return kind >= STATE_U8 && kind <= STATE_U64 ? 1u << (kind - STATE_U8) : 0;
}

enum { MAX_NESTING = 8 };

static enum emu_err load_struct(struct reader *r, const struct state_desc *d, uint8_t *obj,
                                int depth);

/* Steps over a field that this program does not know. */
static enum emu_err skip_field(struct reader *r, uint64_t kind, uint64_t count, int depth)
{
    static const struct state_desc nothing = {.name = "an unknown field"};
    unsigned size = kind_size(kind);
    if (size)
        return count > (uint64_t)(r->end - r->at) / size ? truncated(r)
                                                         : take(r, NULL, (size_t)count * size);
    if (kind != STATE_STRUCT)
        return error_set(r->err, EMU_FORMAT, "state of %s has a field of unknown kind", r->what);
    for (uint64_t k = 0; k < count; k++) {
        enum emu_err e = load_struct(r, &nothing, NULL, depth + 1);
        if (e)
            return e;
    }
    return EMU_OK;
}

static enum emu_err load_values(struct reader *r, const struct state_desc *d,
                                const struct state_field *f, uint8_t *at, int depth)
{
    if (f->kind == STATE_U8 && f->max >= UINT8_MAX) /* any value is allowed: in one piece */
        return take(r, at, f->count);
    for (uint32_t k = 0; k < f->count; k++, at += f->size) {
        enum emu_err e;
        if (f->kind == STATE_STRUCT) {
            e = load_struct(r, f->sub, at, depth + 1);
        } else {
            uint64_t v;
            e = take_le(r, &v, f->size);
            if (!e && v > f->max)
                e = error_set(r->err, EMU_FORMAT, "state of %s: %s is out of range", d->name,
                              f->name);
            if (!e)
                set_value(f, at, v);
        }
        if (e)
            return e;
    }
    return EMU_OK;
}

static enum emu_err load_field(struct reader *r, const struct state_desc *d, uint8_t *obj,
                               int depth)
{
    uint64_t name_len, kind, count;
    char name[256];
    enum emu_err e = take_le(r, &name_len, 1);
    if (!e)
        e = take(r, name, (size_t)name_len);
    name[e ? 0 : name_len] = 0;
    if (!e)
        e = take_le(r, &kind, 1);
    if (!e)
        e = take_le(r, &count, 4);
    if (e)
        return e;
    const struct state_field *f = obj ? find_field(d, name) : NULL;
    if (!f) {
        r->unknown++;
        return skip_field(r, kind, count, depth);
    }
    if (f->kind != (enum state_kind)kind || f->count != count)
        return error_set(r->err, EMU_FORMAT, "state of %s: %s has another shape", d->name, name);
    return load_values(r, d, f, obj + f->offset, depth);
}

static enum emu_err load_struct(struct reader *r, const struct state_desc *d, uint8_t *obj,
                                int depth)
{
    uint64_t nfields;
    if (depth > MAX_NESTING)
        return error_set(r->err, EMU_FORMAT, "state of %s is nested too deeply", r->what);
    enum emu_err e = take_le(r, &nfields, 4);
    for (uint64_t i = 0; !e && i < nfields; i++)
        e = load_field(r, d, obj, depth);
    return e;
}

enum emu_err state_load(const struct state_desc *d, void *obj, const uint8_t *data, size_t len,
                        unsigned *unknown, struct error *err)
{
    struct reader r = {data, data + len, d->name, 0, err};
    enum emu_err e = load_struct(&r, d, obj, 0);
    if (!e && r.at != r.end)
        e = error_set(err, EMU_FORMAT, "state of %s has %zu bytes too many", d->name,
                      (size_t)(r.end - r.at));
    if (unknown)
        *unknown = r.unknown;
    return e;
}

/* --- hash: FNV-1a over 64-bit words with a final mix, byte order fixed --- */

static uint64_t hash_word(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x100000001b3ull;
    return h ^ h >> 29;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t h = hash_word(seed ^ 0xcbf29ce484222325ull, len);
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t v = 0;
        for (unsigned i = 0; i < 8; i++)
            v |= (uint64_t)p[i] << (8 * i);
        h = hash_word(h, v);
    }
    for (; len; len--, p++)
        h = hash_word(h, *p);
    return h ^ h >> 32;
}

uint64_t state_hash(uint64_t seed, const struct state_desc *d, const void *obj)
{
    struct buf b = {0};
    state_save(d, obj, &b);
    uint64_t h = hash_bytes(seed, b.data, b.len);
    buf_free(&b);
    return h;
}

/* --- print --- */

static void print_field(const char *prefix, const struct state_field *f, const uint8_t *at,
                        void (*emit)(void *arg, const char *line), void *arg)
{
    enum { PER_LINE = 16 };
    for (uint32_t k = 0; k < f->count; k += PER_LINE) {
        char line[512];
        int n = f->count > PER_LINE ? snprintf(line, sizeof(line), "%s%s[%u] =", prefix, f->name, k)
                                    : snprintf(line, sizeof(line), "%s%s =", prefix, f->name);
        for (uint32_t j = k; j < f->count && j < k + PER_LINE && n > 0 && (size_t)n < sizeof(line);
             j++)
            n += snprintf(line + n, sizeof(line) - (size_t)n, " %0*llx", (int)f->size * 2,
                          (unsigned long long)get_value(f, at + (size_t)j * f->size));
        emit(arg, line);
    }
}

static void print_struct(const char *prefix, const struct state_desc *d, const uint8_t *obj,
                         void (*emit)(void *arg, const char *line), void *arg)
{
    for (uint32_t i = 0; i < d->nfields; i++) {
        const struct state_field *f = &d->fields[i];
        if (f->kind != STATE_STRUCT) {
            print_field(prefix, f, obj + f->offset, emit, arg);
            continue;
        }
        for (uint32_t k = 0; k < f->count; k++) {
            char sub[128];
            if (f->count > 1)
                snprintf(sub, sizeof(sub), "%.60s%s[%u].", prefix, f->name, k);
            else
                snprintf(sub, sizeof(sub), "%.60s%s.", prefix, f->name);
            print_struct(sub, f->sub, obj + f->offset + (size_t)k * f->size, emit, arg);
        }
    }
}

void state_print(const struct state_desc *d, const void *obj,
                 void (*emit)(void *arg, const char *line), void *arg)
{
    print_struct("", d, obj, emit, arg);
}
