/* See watch.h. */
#include "ui/watch.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/flags.h"
#include "machine/pc.h"

/* A megabyte takes long enough to compare that a still one is looked at only every third time. */
enum { LARGE = 1 << 20, LARGE_STILL = 30, LARGE_SKIP = 2 };

static bool make_room(struct watch *w, size_t len)
{
    if (len <= w->shown_cap)
        return true;
    uint8_t *bigger = realloc(w->shown, len);
    if (!bigger)
        return false;
    w->shown = bigger;
    w->shown_cap = len;
    w->shown_len = 0;
    return true;
}

/* Compares display memory with the copy, and brings the copy up to date. */
static bool memory_changed(struct watch *w, const struct vga *v)
{
    size_t len = (size_t)vga_shown_bytes(v);
    if (!make_room(w, len))
        return true; /* no memory for a copy: always draw */
    if (len == w->shown_len && memcmp(w->shown, v->w.vram->host, len) == 0)
        return false;
    memcpy(w->shown, v->w.vram->host, len);
    w->shown_len = len;
    return true;
}

static bool memory_due(struct watch *w)
{
    if (w->shown_len < LARGE || w->still < LARGE_STILL || w->skip == 0) {
        w->skip = LARGE_SKIP;
        return true;
    }
    w->skip--;
    return false;
}

bool watch_picture(struct watch *w, struct machine *m)
{
    const struct vga *v = &m->pc->vga;
    uint64_t registers = hash_bytes(0, &v->st, sizeof(v->st));
    uint64_t phase = vga_blink_phase(v, machine_now(m)), icount = machine_icount(m);
    bool changed = registers != w->registers || phase != w->phase;
    if (changed || (icount != w->icount && memory_due(w))) {
        changed |= memory_changed(w, v);
        w->icount = icount;
    }
    w->still = changed && phase == w->phase ? 0 : w->still + 1;
    w->registers = registers;
    w->phase = phase;
    return changed;
}

static bool in_bios(const struct cpu *c)
{
    bool real = !(c->st.cr0 & 1) || (c->st.eflags & FLAG_VM);
    return real && !c->st.halted && cpu_pc(c) >= 0xe0000 && cpu_pc(c) < 0x100000;
}

/* Input since the last look; changes of the clock's rate are no input. */
static bool new_input(struct watch *w, const struct input_log *log)
{
    bool found = log->count < w->inputs; /* a loaded machine has a log of its own */
    for (; w->inputs < log->count; w->inputs++)
        found |= log->event[w->inputs].kind != INPUT_RATE;
    w->inputs = log->count;
    return found;
}

/* What a guest that does more than wait would change: typed keys, disk transfers, the picture (a
 * blinking cursor apart). */
static bool something_happened(struct watch *w, const struct machine *m, bool picture_changed)
{
    uint64_t h = hash_bytes(0, &m->pc->dma[0].st, sizeof(m->pc->dma[0].st));
    h = hash_bytes(h, m->pc->fdc.st.command, sizeof(m->pc->fdc.st.command));
    for (unsigned i = 0; i < ARRAY_LEN(m->pc->ide); i++)
        h = hash_bytes(h, &m->pc->ide[i].st.lba, sizeof(m->pc->ide[i].st.lba));
    bool happened = h != w->transfers || (picture_changed && w->still == 0);
    w->transfers = h;
    return new_input(w, &m->input) || happened;
}

bool watch_polling(struct watch *w, const struct machine *m, bool picture_changed)
{
    enum { WINDOW = 90 }; /* looks: a second and a half */
    if (something_happened(w, m, picture_changed)) {
        w->quiet = w->in_bios = 0;
        return false;
    }
    w->quiet++;
    w->in_bios += in_bios(&m->pc->cpu);
    bool enough = w->quiet >= WINDOW && w->in_bios * 4 > w->quiet;
    if (w->quiet >= 2 * WINDOW) { /* old looks count half */
        w->quiet /= 2;
        w->in_bios /= 2;
    }
    return enough;
}

void watch_free(struct watch *w)
{
    free(w->shown);
    *w = (struct watch){0};
}
