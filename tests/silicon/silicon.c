/* See silicon.h. While the helper runs one batch, the next one is made and run on our CPU. */
#include "tests/silicon/silicon.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/disasm.h"
#include "cpu/exec.h"
#include "cpu/fpu.h"
#include "tests/silicon/cover.h"
#include "tests/silicon/gen.h"
#include "tests/silicon/guest.h"
#include "tests/silicon/native.h"

enum { REASONS = 40 };

struct slot_info {
    unsigned index; /* of the case in its batch's seed */
    struct guest_verdict verdict;
    struct silicon_result reference, fast;
};

struct batch {
    uint64_t seed;
    unsigned count;
    struct silicon_buffer *buffer;
    struct slot_info info[BATCH];
};

struct runner {
    const struct silicon_options *o;
    struct silicon_totals *totals;
    FILE *to;
    struct native native;
    struct guest *guest, *fast;
    struct gen gen;
    struct cover *cover;
    struct batch batch[2];
    unsigned printed;
    struct { const char *why; uint64_t n; } reason[REASONS];
    uint64_t vectors[256];
};

/* Comparing */

enum { FLAGS_COMPARED = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID };
enum { PRESENT = 1 }; /* in a page fault's error code */

static uint16_t le16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static bool near_enough(const uint8_t *a, const uint8_t *b)
{
    uint64_t ma, mb;
    uint16_t ea = le16(a + 8), eb = le16(b + 8);
    memcpy(&ma, a, 8);
    memcpy(&mb, b, 8);
    ea |= (ea & 0x7fff) == 0;
    eb |= (eb & 0x7fff) == 0;
    if (ea == eb)
        return ma - mb <= 2 || mb - ma <= 2;
    return (uint16_t)(ea - eb) == 1 ? ma << 1 <= 2 && ~mb <= 2 : (uint16_t)(eb - ea) == 1 && mb << 1 <= 2 && ~ma <= 2;
}

/* Register R`k` in an FXSAVE image, which has them from TOP on. */
static const uint8_t *x87_register(const uint8_t *fx, unsigned k)
{
    unsigned top = le16(fx + 2) >> 11 & 7;
    return fx + 32 + 16 * ((k - top) & 7);
}

static const char *compare_x87(const uint8_t *a, const uint8_t *b, const struct guest_verdict *v)
{
    enum { TOP = 7 << 11 };
    uint16_t ignored = v->status_ignored | (v->mmx_ignored ? TOP : 0);
    if (le16(a) != le16(b))
        return "x87 control word";
    if ((le16(a + 2) ^ le16(b + 2)) & 0xffff & ~ignored)
        return "x87 status word";
    if (a[4] != b[4] && !v->mmx_ignored)
        return "x87 tags";
    for (unsigned k = 0; k < 8; k++) {
        const uint8_t *x = x87_register(a, k), *y = x87_register(b, k);
        if (memcmp(x, y, 10) != 0 && !(v->x87_near && near_enough(x, y)))
            return "x87 registers";
    }
    return NULL;
}

/* Approximations of at most 1.5 * 2^-12 relative error (SDM 2B RCPPS, RSQRTPS); tiny ones may be 0. */
static bool near_enough_single(uint32_t a, uint32_t b)
{
    uint32_t ea = a >> 23 & 255, eb = b >> 23 & 255;
    uint32_t apart = a > b ? a - b : b - a;
    if (a == b)
        return true;
    if ((a ^ b) >> 31 || ea == 255 || eb == 255)
        return false;
    return (ea <= 1 && eb <= 1) || apart <= 1u << 13; /* 2^-11 to 2^-10 of the value */
}

static bool compare_xmm(const uint8_t *a, const uint8_t *b, uint32_t near)
{
    for (unsigned k = 0; k < 32; k++) {
        uint32_t x, y;
        memcpy(&x, a + 4 * k, 4);
        memcpy(&y, b + 4 * k, 4);
        if (x != y && !(near >> k & 1 && near_enough_single(x, y)))
            return false;
    }
    return true;
}

static const char *compare_sse(const struct runner *r, const uint8_t *a, const uint8_t *b, uint32_t near)
{
    if (!r->gen.sse)
        return NULL;
    if (memcmp(a + 24, b + 24, 4) != 0)
        return "MXCSR";
    return compare_xmm(a + 160, b + 160, near) ? NULL : "XMM registers";
}

/* What differs, or NULL. */
static const char *compare(const struct runner *r, const struct silicon_result *a, const struct silicon_result *b,
                           const struct guest_verdict *v)
{
    if (a->vector != b->vector)
        return "exception";
    uint32_t unknown = a->vector == VEC_PF && v->address_ignored ? PRESENT : 0;
    if (a->vector < 32 && (a->error ^ b->error) & ~unknown)
        return "error code";
    if (a->vector == VEC_PF && a->cr2 != b->cr2 && !v->address_ignored)
        return "fault address";
    if (a->vector != VECTOR_NONE && a->eip != b->eip && !v->eip_ignored)
        return "eip";
    if (a->gpr[REG_ESP] != b->gpr[REG_ESP] || (memcmp(a->gpr, b->gpr, sizeof(a->gpr)) != 0 && !v->registers_ignored))
        return "registers";
    if (memcmp(a->seg, b->seg, sizeof(a->seg)) != 0)
        return "segment registers";
    if ((a->eflags ^ b->eflags) & FLAGS_COMPARED & ~v->flags_ignored)
        return "flags";
    if (memcmp(a->hash, b->hash, sizeof(a->hash)) != 0 && !v->memory_ignored)
        return "memory";
    const char *x87 = compare_x87(a->fx, b->fx, v);
    return x87 ? x87 : compare_sse(r, a->fx, b->fx, v->xmm_near);
}

/* Printing */

static void print_fx(FILE *f, const uint8_t *fx, bool sse)
{
    fprintf(f, "    cw %04x sw %04x tags %02x", le16(fx), le16(fx + 2), fx[4]);
    if (sse)
        fprintf(f, " mxcsr %04x", le16(fx + 24));
    for (unsigned k = 0; k < 8; k++) {
        uint64_t m;
        memcpy(&m, fx + 32 + 16 * k, 8);
        fprintf(f, "%sst%u %04x:%016llx", k % 4 ? "  " : "\n    ", k, le16(fx + 40 + 16 * k), (unsigned long long)m);
    }
    for (unsigned k = 0; k < 8 && sse; k++) {
        uint64_t x[2];
        memcpy(x, fx + 160 + 16 * k, 16);
        fprintf(f, "%sxmm%u %016llx:%016llx", k % 2 ? "  " : "\n    ", k, (unsigned long long)x[1],
                (unsigned long long)x[0]);
    }
    fputc('\n', f);
}

static void print_registers(FILE *f, const uint32_t *gpr, const uint32_t *seg, uint32_t eip, uint32_t eflags)
{
    fprintf(f, "    eax %08x ecx %08x edx %08x ebx %08x esp %08x ebp %08x esi %08x edi %08x\n", gpr[0], gpr[1], gpr[2],
            gpr[3], gpr[4], gpr[5], gpr[6], gpr[7]);
    fprintf(f, "    eip %08x eflags %06x es %04x cs %04x ss %04x ds %04x fs %04x gs %04x\n", eip, eflags, seg[0], seg[1],
            seg[2], seg[3], seg[4], seg[5]);
}

static void print_result(FILE *f, const char *name, const struct silicon_result *x, bool sse)
{
    fprintf(f, "  %s: ", name);
    if (x->vector == VECTOR_NONE)
        fprintf(f, "came to the exit\n");
    else if (x->vector == VECTOR_TIMEOUT)
        fprintf(f, "ran on at %08x\n", x->eip);
    else
        fprintf(f, "exception %u, error code %x, cr2 %08x\n", x->vector, x->error, x->cr2);
    print_registers(f, x->gpr, x->seg, x->eip, x->eflags);
    print_fx(f, x->fx, sse);
}

static void print_code(FILE *f, const struct silicon_case *c)
{
    for (unsigned at = 0; at < c->code_len;) {
        char text[128];
        unsigned n = disasm(c->code + at, c->code_len - at, c->seg[SEG_CS] != LDT_CODE16, c->eip + at, text, sizeof(text));
        fprintf(f, "    %08x ", c->eip + at);
        for (unsigned k = 0; k < n; k++)
            fprintf(f, "%02x", c->code[at + k]);
        fprintf(f, "%*s%s\n", n < 12 ? (int)(26 - 2 * n) : 2, "", text);
        at += n;
    }
}

static void print_memory(FILE *f, const uint8_t *host, const uint8_t *ours)
{
    unsigned lines = 0;
    for (uint32_t at = 0; at < WORK_SIZE && lines < 8; at += 16) {
        if (memcmp(host + at, ours + at, 16) == 0)
            continue;
        fprintf(f, "  work block %04x:\n    host ", at);
        for (unsigned k = 0; k < 16; k++)
            fprintf(f, " %02x", host[at + k]);
        fprintf(f, "\n    ours ");
        for (unsigned k = 0; k < 16; k++)
            fprintf(f, " %02x", ours[at + k]);
        fputc('\n', f);
        lines++;
    }
}

/* Runs the case once more on both, for the memory. Nothing else is under way. */
static void print_again(struct runner *r, const struct batch *b, unsigned k)
{
    unsigned n = (unsigned)(b - r->batch);
    struct silicon_case in = b->buffer->slot[k].in;
    struct silicon_result out;
    struct guest_verdict v;
    if (!native_send(&r->native, n, k, 1, true) || !native_wait(&r->native))
        return;
    guest_set_base(r->guest, b->buffer->base);
    guest_run(r->guest, &in, &out, &v);
    for (unsigned q = 0; q < in.nmask; q++)
        memcpy(r->native.shared->work + in.mask[q].at, guest_work(r->guest) + in.mask[q].at, in.mask[q].len);
    print_memory(r->to, r->native.shared->work, guest_work(r->guest));
    guest_hash(r->guest, &in, &out);
}

static void print_case(struct runner *r, const struct batch *b, unsigned k, const char *what)
{
    const struct silicon_slot *s = &b->buffer->slot[k];
    const struct slot_info *i = &b->info[k];
    FILE *f = r->to;
    fprintf(f, "%s differs: replay with: build/silicon -m %s%s%s%s -s %llu -i %u\n", what, r->o->model,
            r->o->fast ? " -f" : "", r->o->mnemonic ? " -o " : "", r->o->mnemonic ? r->o->mnemonic : "", (unsigned long long)b->seed, i->index);
    print_code(f, &s->in);
    fprintf(f, "  before:\n");
    print_registers(f, s->in.gpr, s->in.seg, s->in.eip, s->in.eflags);
    print_fx(f, s->in.fx, r->gen.sse);
    for (unsigned p = 0; p < s->in.npatch; p++)
        fprintf(f, "    work block %04x = %08x\n", s->in.patch[p].at, s->in.patch[p].value);
    print_result(f, "host", &s->out, r->gen.sse);
    print_result(f, "ours", &i->reference, r->gen.sse);
    if (r->fast && memcmp(&i->reference, &i->fast, sizeof(i->fast)) != 0)
        print_result(f, "ours, fast", &i->fast, r->gen.sse);
    fprintf(f, "  not compared: flags %x, status %x%s\n", i->verdict.flags_ignored, i->verdict.status_ignored,
            i->verdict.memory_ignored ? ", memory" : "");
    print_again(r, b, k);
}

/* One line per difference, to sort and count. */
static void print_brief(const struct runner *r, const struct batch *b, unsigned k, const char *what)
{
    const struct silicon_case *c = &b->buffer->slot[k].in;
    fprintf(r->to, "%s | host %u ours %u | -s %llu -i %u |", what, b->buffer->slot[k].out.vector,
            b->info[k].reference.vector, (unsigned long long)b->seed, b->info[k].index);
    for (unsigned at = 0; at < c->code_len;) {
        char text[128];
        at += disasm(c->code + at, c->code_len - at, c->seg[SEG_CS] != LDT_CODE16, c->eip + at, text, sizeof(text));
        if (at < c->code_len)
            fprintf(r->to, " %s;", text);
    }
    fputc('\n', r->to);
}

/* Batches */

static void count_reason(struct runner *r, const char *why)
{
    unsigned k = 0;
    while (k < REASONS - 1 && r->reason[k].why && strcmp(r->reason[k].why, why) != 0)
        k++;
    r->reason[k].why = why;
    r->reason[k].n++;
}

static void add_case(struct runner *r, struct batch *b, unsigned index)
{
    struct silicon_case *in = &b->buffer->slot[b->count].in;
    struct slot_info *i = &b->info[b->count];
    gen_case(&r->gen, b->seed, index, in);
    i->index = index;
    guest_run(r->guest, in, &i->reference, &i->verdict);
    guest_hash(r->guest, in, &i->reference);
    if (i->verdict.skip) {
        count_reason(r, i->verdict.skip);
        r->totals->skipped++;
        if (r->o->only >= 0)
            fprintf(r->to, "skipped: %s\n", i->verdict.skip);
        return;
    }
    r->totals->insns += i->verdict.insns;
    if (r->cover)
        cover_case(r->cover, guest_watch(r->guest));
    if (r->fast) {
        guest_run_free(r->fast, in, &i->fast);
        guest_hash(r->fast, in, &i->fast);
    }
    b->count++;
}

/* Makes the batch of a seed, up to `want` cases of it. */
static void make_batch(struct runner *r, struct batch *b, uint64_t seed, uint64_t want)
{
    b->seed = seed;
    b->count = 0;
    gen_image(seed, b->buffer->base);
    guest_set_base(r->guest, b->buffer->base);
    if (r->fast)
        guest_set_base(r->fast, b->buffer->base);
    if (r->o->only >= 0)
        add_case(r, b, (unsigned)r->o->only);
    else
        for (unsigned k = 0; k < BATCH && b->count < want; k++)
            add_case(r, b, k);
}

/* With another stack segment than the flat one the helper's exit faults at its first instruction. */
static void normalize(struct silicon_result *host)
{
    if (host->eip != AT_EXIT || host->vector < VEC_SS || host->vector > VEC_PF)
        return;
    host->vector = VECTOR_NONE;
    host->error = 0;
    host->eflags &= ~(uint32_t)FLAG_RF;
}

static const char *compare_both(const struct runner *r, const struct batch *b, unsigned k)
{
    struct silicon_result *host = &b->buffer->slot[k].out;
    const struct slot_info *i = &b->info[k];
    normalize(host);
    const char *what = compare(r, host, &i->reference, &i->verdict);
    return !what && r->fast ? compare(r, host, &i->fast, &i->verdict) : what;
}

/* When an interrupt of the host has made a null selector with an RPL 0: once more. What differs then, or NULL. */
static const char *compare_again(struct runner *r, const struct batch *b, unsigned k, const char *what)
{
    enum { TRIES = 3 };
    for (unsigned n = 0; what && n < TRIES && b->info[k].verdict.null_selector; n++) {
        r->totals->again++;
        if (!native_send(&r->native, (unsigned)(b - r->batch), k, 1, false) || !native_wait(&r->native))
            return what;
        what = compare_both(r, b, k);
    }
    return what;
}

static void compare_batch(struct runner *r, struct batch *b)
{
    for (unsigned k = 0; k < b->count; k++) {
        const struct silicon_result *host = &b->buffer->slot[k].out;
        const char *what = compare_again(r, b, k, compare_both(r, b, k));
        r->totals->compared++;
        r->totals->faults += host->vector != VECTOR_NONE;
        r->vectors[host->vector & 0xff]++;
        if (what)
            r->totals->differences++;
        if (what && r->o->brief)
            print_brief(r, b, k, what);
        else if ((what && r->printed < r->o->max_prints) || r->o->only >= 0) {
            r->printed++;
            print_case(r, b, k, what ? what : "nothing");
        }
    }
}

static bool run_batches(struct runner *r)
{
    uint64_t seed = r->o->seed, begun = 0;
    struct batch *running = NULL;
    for (unsigned n = 0; begun < r->o->cases || running; n ^= 1) {
        struct batch *next = NULL;
        if (begun < r->o->cases) {
            next = &r->batch[n];
            make_batch(r, next, seed++, r->o->cases - begun);
            begun += r->o->only >= 0 ? r->o->cases : next->count;
        }
        if (running && !native_wait(&r->native))
            return false;
        if (running)
            compare_batch(r, running);
        if (next && !native_send(&r->native, n, 0, next->count, false))
            return false;
        running = next;
    }
    return true;
}

static void print_statistics(const struct runner *r)
{
    for (unsigned k = 0; k < REASONS && r->reason[k].why; k++)
        fprintf(r->to, "  skipped %8llu: %s\n", (unsigned long long)r->reason[k].n, r->reason[k].why);
    for (unsigned k = 0; k < 256; k++)
        if (r->vectors[k])
            fprintf(r->to, "  exception %3u: %llu\n", k, (unsigned long long)r->vectors[k]);
}

static struct runner *runner_new(const struct silicon_options *o, FILE *to, struct silicon_totals *totals)
{
    struct runner *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->o = o;
    r->to = to;
    r->totals = totals;
    return r;
}

const char *silicon_run(const struct silicon_options *o, FILE *to, struct silicon_totals *totals)
{
    struct runner *r = runner_new(o, to, totals);
    memset(totals, 0, sizeof(*totals));
    if (!r)
        return "not enough memory";
    const char *why = native_start(&r->native, o->helper);
    if (why) {
        free(r);
        return why;
    }
    for (unsigned n = 0; n < 2; n++)
        r->batch[n].buffer = &r->native.shared->buffer[n];
    r->guest = guest_new(o->model, CORE_REFERENCE, r->native.low, r->native.ldt, r->batch[0].buffer->base);
    if (o->fast)
        r->fast = guest_new(o->model, CORE_FAST, r->native.low, r->native.ldt, r->batch[0].buffer->base);
    gen_init(&r->gen, &guest_cpu(r->guest)->model, o->mnemonic, r->native.low, r->native.ldt);
    r->cover = o->cover ? cover_new(&r->gen, guest_cpu(r->guest)) : NULL;
    if (!run_batches(r))
        why = "the helper died";
    if (o->statistics)
        print_statistics(r);
    if (r->cover)
        cover_print(r->cover, to);
    cover_free(r->cover);
    guest_free(r->guest);
    if (r->fast)
        guest_free(r->fast);
    native_stop(&r->native);
    free(r);
    return why;
}
