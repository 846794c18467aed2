/* Recording and replaying. See record.h; file format: docs/FORMATS.md, "Recording". */
#include "machine/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[8] = {'R', 'E', 'T', 'R', 'L', 'O', 'G', 0x1a};
enum { VERSION = 1, HEADER = 8 + 4 + 8 + 8 + 1 + 1, EVENT = 1 + 1 + 1 + 6 + 8 + 8 + 8 + 4, END = 0xff };

static uint64_t get_le(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* --- writing --- */

struct recorder {
    FILE *file;
    bool failed; /* said once, at the end */
    int failure;
    char path[4096];
};

static void put(struct recorder *r, const void *data, size_t len)
{
    if (r->failed || len == 0 || fwrite(data, 1, len, r->file) == len)
        return;
    r->failed = true;
    r->failure = errno;
}

static void put_buf(struct recorder *r, struct buf *b)
{
    put(r, b->data, b->len);
    if (b->failed && !r->failed) {
        r->failed = true;
        r->failure = ENOMEM;
    }
    buf_free(b);
}

static void put_header(struct recorder *r, struct machine *m)
{
    struct buf b = {0};
    buf_put(&b, magic, sizeof(magic));
    buf_put_u32(&b, VERSION);
    buf_put_u64(&b, machine_hash(m));
    buf_put_u64(&b, m->cfg.rtc_base);
    buf_put_u8(&b, m->cfg.icount_fixed);
    buf_put_u8(&b, (uint8_t)m->cfg.icount_shift);
    put_buf(r, &b);
}

enum emu_err recorder_open(const char *path, struct machine *m, struct recorder **out, struct error *err)
{
    struct recorder *r = calloc(1, sizeof(*r));
    if (!r)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    snprintf(r->path, sizeof(r->path), "%s", path);
    r->file = fopen(path, "wb");
    if (!r->file) {
        free(r);
        return error_set(err, EMU_IO, "cannot write the recording %s: %s", path, strerror(errno));
    }
    put_header(r, m);
    *out = r;
    return EMU_OK;
}

void recorder_event(struct recorder *r, const struct input_event *ev)
{
    struct buf b = {0};
    size_t len = ev->len ? ev->len : ev->text ? strlen(ev->text) + 1 : 0;
    buf_put_u8(&b, (uint8_t)ev->kind);
    buf_put_u8(&b, ev->a);
    buf_put_u8(&b, ev->b);
    buf_put_u16(&b, (uint16_t)ev->x);
    buf_put_u16(&b, (uint16_t)ev->y);
    buf_put_u16(&b, (uint16_t)ev->z);
    buf_put_u64(&b, ev->icount);
    buf_put_u64(&b, ev->when);
    buf_put_u64(&b, ev->value);
    buf_put_u32(&b, (uint32_t)len);
    buf_put(&b, ev->text, len);
    put_buf(r, &b);
}

enum emu_err recorder_close(struct recorder *r, struct machine *m, struct error *err)
{
    if (!r)
        return EMU_OK;
    machine_settle(m);
    struct input_event end = {.kind = (enum input_kind)END, .icount = machine_icount(m), .when = machine_now(m)};
    end.value = machine_hash(m);
    recorder_event(r, &end);
    if (fclose(r->file) != 0 && !r->failed) {
        r->failed = true;
        r->failure = errno;
    }
    enum emu_err e = r->failed ? error_set(err, EMU_IO, "cannot write the recording %s: %s; it is not complete", r->path,
                                           strerror(r->failure))
                               : EMU_OK;
    free(r);
    return e;
}

/* --- reading --- */

struct player {
    FILE *file;
    struct input_event next, taken; /* `next` is what comes; text is owned */
    bool at_end;  /* `next` is the mark, its value the hash */
    bool over;
    enum emu_err result;
    struct error verdict;
    uint64_t start_hash, events;
    const struct machine *m;
    char path[4096];
};

static void finish(struct player *p, enum emu_err result)
{
    p->over = true;
    p->result = result;
}

static void damaged(struct player *p, const char *what)
{
    finish(p, error_set(&p->verdict, EMU_FORMAT, "the recording %s is damaged after %llu inputs: %s", p->path,
                        (unsigned long long)p->events, what));
}

static bool is_text(const struct input_event *ev) { return ev->len && memchr(ev->text, 0, ev->len) == ev->text + ev->len - 1; }

/* What the machine can take: a recording may come from anybody. */
static bool possible(const struct player *p, const struct input_event *ev)
{
    const struct machine_config *cfg = &p->m->cfg;
    bool medium = ev->a < FLOPPY_DRIVES || (ev->a < MEDIA_DRIVES && cfg->ide[ev->a - MEDIA_IDE].present &&
                                            cfg->ide[ev->a - MEDIA_IDE].cdrom);
    switch (ev->kind) {
    case INPUT_SERIAL: return ev->a < SERIAL_PORTS && !ev->len;
    case INPUT_RATE: return ev->value >= 1 && ev->value <= 1ull << 32 && !ev->len;
    case INPUT_INSERT: return medium && is_text(ev);
    case INPUT_EJECT: return medium && !ev->len;
    case INPUT_PACKET: return ev->a < cfg->nics && ev->len && ev->len <= PACKET_BYTES;
    case INPUT_LINK: return ev->a < cfg->nics && !ev->len;
    default: return ev->kind < INPUT_KINDS && !ev->len;
    }
}

static void read_next(struct player *p)
{
    uint8_t b[EVENT];
    struct input_event *ev = &p->next;
    *ev = (struct input_event){0};
    size_t n = fread(b, 1, sizeof(b), p->file);
    if (n == 0) {
        damaged(p, "it has no end, so the emulator that made it did not end well");
        return;
    }
    ev->kind = (enum input_kind)b[0];
    ev->a = b[1];
    ev->b = b[2];
    ev->x = (int16_t)get_le(b + 3, 2);
    ev->y = (int16_t)get_le(b + 5, 2);
    ev->z = (int16_t)get_le(b + 7, 2);
    ev->icount = get_le(b + 9, 8);
    ev->when = get_le(b + 17, 8);
    ev->value = get_le(b + 25, 8);
    ev->len = (size_t)get_le(b + 33, 4);
    p->at_end = b[0] == END;
    if (n != sizeof(b) || ev->len > PACKET_BYTES) {
        damaged(p, "an input is incomplete");
        return;
    }
    ev->text = ev->len ? malloc(ev->len) : NULL;
    if (ev->len && (!ev->text || fread(ev->text, 1, ev->len, p->file) != ev->len))
        damaged(p, "an input is incomplete");
    else if (!p->at_end && !possible(p, ev))
        damaged(p, "it has an input that this machine cannot have had");
}

enum emu_err player_open(const char *path, struct machine_config *cfg, struct player **out, struct error *err)
{
    uint8_t b[HEADER];
    struct player *p = calloc(1, sizeof(*p));
    if (!p)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    snprintf(p->path, sizeof(p->path), "%s", path);
    p->file = fopen(path, "rb");
    enum emu_err e = EMU_OK;
    if (!p->file)
        e = error_set(err, EMU_IO, "cannot open the recording %s: %s", path, strerror(errno));
    else if (fread(b, 1, sizeof(b), p->file) != sizeof(b) || memcmp(b, magic, sizeof(magic)) != 0)
        e = error_set(err, EMU_FORMAT, "%s is no recording of Retrace", path);
    else if (get_le(b + 8, 4) != VERSION || b[28] > 1 || b[29] > 31)
        e = error_set(err, EMU_FORMAT, "the recording %s was made by another version of Retrace", path);
    if (e) {
        player_close(p);
        return e;
    }
    p->start_hash = get_le(b + 12, 8);
    cfg->rtc_base = get_le(b + 20, 8);
    cfg->icount_fixed = b[28];
    cfg->icount_shift = b[29];
    cfg->snapshot = true;
    *out = p;
    return EMU_OK;
}

void player_close(struct player *p)
{
    if (!p)
        return;
    if (p->file)
        fclose(p->file);
    free(p->next.text);
    free(p->taken.text);
    free(p);
}

enum emu_err player_start(struct player *p, struct machine *m, struct error *err)
{
    p->m = m;
    if (machine_hash(m) != p->start_hash)
        return error_set(err, EMU_ARG, "this is not the machine that %s recorded; start with the same options, firmware and "
                                       "snapshot", p->path);
    read_next(p);
    return EMU_OK;
}

bool player_next(const struct player *p, uint64_t *icount, vtime *when)
{
    if (p->over)
        return false;
    *icount = p->next.icount;
    *when = p->next.when;
    return true;
}

static void compare(struct player *p, struct machine *m)
{
    uint64_t hash = machine_hash(m);
    if (hash != p->next.value) {
        finish(p, error_set(&p->verdict, EMU_FORMAT, "replay: %llu inputs and %llu instructions later the machine is not the "
                            "recorded one (hash %016llx, recorded %016llx); are the images those of the start?",
                            (unsigned long long)p->events, (unsigned long long)machine_icount(m), (unsigned long long)hash,
                            (unsigned long long)p->next.value));
        return;
    }
    error_set(&p->verdict, EMU_OK, "replay: the same machine after %llu inputs and %llu instructions, hash %016llx",
              (unsigned long long)p->events, (unsigned long long)machine_icount(m), (unsigned long long)hash);
    finish(p, EMU_OK);
}

struct input_event *player_take(struct player *p, struct machine *m)
{
    if (p->over)
        return NULL;
    if (p->at_end) {
        compare(p, m);
        return NULL;
    }
    free(p->taken.text);
    p->taken = p->next;
    p->events++;
    read_next(p);
    return &p->taken;
}

void player_lost(struct player *p, const struct machine *m)
{
    if (p->over)
        return;
    finish(p, error_set(&p->verdict, EMU_FORMAT, "replay: after %llu inputs the machine went another way (instruction %llu, "
                        "virtual time %llu ns; the recorded one had its next input at %llu, %llu ns); are the images those "
                        "of the start?", (unsigned long long)p->events, (unsigned long long)machine_icount(m),
                        (unsigned long long)machine_now(m), (unsigned long long)p->next.icount,
                        (unsigned long long)p->next.when));
}

enum emu_err player_verdict(const struct player *p, struct error *sentence)
{
    if (!p->over)
        return error_set(sentence, EMU_ARG, "replay: it ended before the recording %s did, after %llu inputs", p->path,
                         (unsigned long long)p->events);
    *sentence = p->verdict;
    return p->result;
}
