/*
 * Running slots: entering and leaving the handlers, what they do out of line, and the bridge to the
 * reference tier. Whoever calls the reference tier first makes st.eip, insn_eip, the flag words and
 * the clock exact, because a fault in there leaves fast_run by longjmp.
 */
#include <stdlib.h>

#include "cpu/fast/core.h"
#include "cpu/fast/sequence.h"
#include "cpu/fast/unit.h"

enum { INSN_MAX = 15 };
enum { SLOW_LIMIT = 8 /* a slot that goes slow this often without a TLB miss gets its struct insn cached */ };

static struct slot_meta *meta_of(const struct fast *f, const struct slot *i) { return &f->meta[i - f->pool]; }

static uint32_t eip_of(const struct fast *f, uint32_t lin) { return (lin - f->cs_base) & f->lin_mask; }

static uint32_t page_base(const struct fast *f) { return f->cur_lin & ~(uint32_t)(FAST_PAGE - 1); }

static void set_icount(struct cpu *c, uint32_t cnt)
{
    const struct fast *f = c->fast;
    c->w.clk->st.icount = f->limit - (uint64_t)f->rem + cnt;
}

/* --- context --------------------------------------------------------------------------------- */

/* Limits for data accesses (SDM 3A 5.3, 5.5); in real and V86 mode only the limit counts, and the
 * 8086 has none but that of 16 bits. */
static struct fast_seg segment_cache(const struct cpu *c, const struct cpu_seg *s, bool slow)
{
    struct fast_seg g = {-1, -1, (uint32_t)s->base, 0};
    if (slow)
        return g;
    if (c->model.level <= CPU_186) {
        g.read_limit = g.write_limit = 0xffff;
        return g;
    }
    bool code = (s->attr & SEG_ATTR_CODE) != 0, rw = (s->attr & SEG_ATTR_WRITABLE) != 0;
    bool checks = in_protected(c);
    if (!(s->attr & SEG_ATTR_P) || (!code && (s->attr & SEG_ATTR_EXPAND_DOWN)))
        return g;
    if (!checks || !code || rw)
        g.read_limit = s->limit;
    if (!checks || (!code && rw))
        g.write_limit = s->limit;
    return g;
}

static bool checks_alignment(const struct cpu *c)
{
    return c->st.cpl == 3 && (c->st.cr0 & CR0_AM) && (c->st.eflags & FLAG_AC);
}

static bool covers_all(const struct fast_seg *g)
{
    return g->base == 0 && g->read_limit == 0xffffffffll && g->write_limit == 0xffffffffll;
}

static enum fast_mode mode_of(const struct cpu *c)
{
    const struct fast *f = c->fast;
    if (!code32(c))
        return MODE_16;
    bool flat = f->cs_base == 0 && f->cs_limit == 0xffffffffu && stack32(c) &&
                covers_all(&f->seg[SEG_DS]) && covers_all(&f->seg[SEG_ES]) && covers_all(&f->seg[SEG_SS]);
    return flat ? MODE_FLAT : MODE_32;
}

static uint64_t context_key(struct cpu *c)
{
    struct fast *f = c->fast;
    struct fast_context want = {0, f->mode, c->mmu.user, false, f->cs_base, f->cs_limit};
    uint32_t h = (f->cs_base >> 4 ^ f->cs_base >> 16 ^ f->mode * 7u ^ want.user * 31u) % CONTEXTS;
    struct fast_context *x = &f->context[h];
    bool same = x->number && x->mode == want.mode && x->user == want.user &&
                x->cs_base == want.cs_base && x->cs_limit == want.cs_limit;
    if (!same) {
        if (f->last_context == UINT32_MAX) {
            fast_drop_all(c);
            f->last_context = 0;
            memset(f->line, 0, sizeof(f->line));
            memset(f->returns, 0, sizeof(f->returns));
        }
        want.number = ++f->last_context;
        *x = want;
    }
    f->current = x;
    return (uint64_t)x->number << 32;
}

void fast_update_context(struct cpu *c)
{
    struct fast *f = c->fast;
    const struct cpu_seg *cs = &c->st.seg[SEG_CS];
    bool wraps = c->model.level <= CPU_186;
    bool aligned = checks_alignment(c);
    for (unsigned s = SEG_ES; s <= SEG_GS; s++)
        f->seg[s] = segment_cache(c, &c->st.seg[s], aligned);
    f->cs_base = (uint32_t)cs->base;
    f->lin_mask = wraps ? 0xfffff : 0xffffffffu;
    f->cs_limit = wraps ? 0xffff : cs->limit;
    if (!code32(c) && f->cs_limit > 0xffff)
        f->cs_limit = 0xffff; /* 16-bit jumps cut EIP: beyond, one by one */
    f->sp_mask = stack32(c) ? 0xffffffffu : 0xffff;
    f->mode = (uint8_t)mode_of(c);
    f->key = context_key(c);
    f->stale = false;
}

/* --- entering -------------------------------------------------------------------------------- */

static void step_by_ref(struct cpu *c)
{
    struct fast *f = c->fast;
    set_icount(c, 0);
    ref_execute_one(c);
    f->rem--;
    set_icount(c, 0);
    fast_update_context(c);
}

static bool must_leave(const struct cpu *c)
{
    return c->attn != 0 || c->w.clk->deadline_moved;
}

/* From an exact st.eip and rem to a slot; NULL: leave fast_run (all is exact then). */
static struct slot *resume(struct cpu *c)
{
    struct fast *f = c->fast;
    for (;;) {
        set_icount(c, 0);
        if (f->stale)
            fast_update_context(c);
        if (must_leave(c) || f->rem < 0)
            return NULL;
        f->cur_lin = (uint32_t)(c->st.eip + f->cs_base) & f->lin_mask;
        struct slot *i = c->st.eip <= f->cs_limit ? fast_find(c) : NULL;
        if (i) {
            f->rem += meta_of(f, i)->cnt;
            return i;
        }
        step_by_ref(c);
    }
}

/* After the reference tier did the instruction of slot i: usually on to the next slot. */
static struct slot *after(struct cpu *c, struct slot *i, bool context)
{
    struct fast *f = c->fast;
    uint32_t cnt = meta_of(f, i)->cnt;
    uint64_t key = f->key;
    if (context)
        fast_update_context(c);
    set_icount(c, cnt + 1);
    if (LIKELY(!f->stale && f->key == key && !must_leave(c))) {
        const struct slot_meta *next = meta_of(f, i) + 1;
        uint32_t lin = (uint32_t)(c->st.eip + f->cs_base) & f->lin_mask;
        if (next->cnt == cnt + 1 && lin == page_base(f) + next->off)
            return i + 1;
    }
    f->rem -= cnt + 1;
    return resume(c);
}

/* The exact state before the instruction of slot i. */
static void expose(struct cpu *c, const struct slot *i)
{
    struct fast *f = c->fast;
    const struct slot_meta *m = meta_of(f, i);
    uint32_t lin = m->off == META_HERE ? f->cur_lin : page_base(f) + m->off;
    set_icount(c, m->cnt);
    c->st.eip = c->insn_eip = eip_of(f, lin);
}

/* --- out of line ----------------------------------------------------------------------------- */

/* Can the instruction change what fast_update_context looks at? */
static bool may_change_context(unsigned op)
{
    switch (op) {
    case OP_MOVTOSEG: case OP_POPSEG: case OP_LOADFAR: case OP_JMPF: case OP_JMPFI: case OP_CALLF:
    case OP_CALLFI: case OP_RETF: case OP_IRET: case OP_INT: case OP_INT3: case OP_INT1: case OP_INTO:
    case OP_MOVTOCR: case OP_LMSW: case OP_SYSENTER: case OP_SYSEXIT: case OP_LOADALL286: case OP_WRMSR:
    case OP_POPF:
        return true;
    default:
        return false;
    }
}

static bool changes_context(const struct cpu *c, unsigned op)
{
    if (op == OP_POPF)
        return c->st.cpl == 3 && (c->st.cr0 & CR0_AM);
    return may_change_context(op);
}

static bool is_repeated_string(const struct insn *o)
{
    return o->rep && o->op >= OP_MOVS && o->op <= OP_OUTS;
}

static uint32_t keep_insn(struct fast *f, const struct insn *o)
{
    if (f->insns_used == POOL_INSNS)
        return 0;
    f->insns[f->insns_used] = *o;
    return f->insns_used++;
}

static unsigned rare_kind(const struct insn *o)
{
    if (is_repeated_string(o))
        return RARE_STRING;
    if ((o->op == OP_MOVTOSEG || o->op == OP_POPSEG) && o->dst != SEG_SS)
        return RARE_SEGMENT;
    return may_change_context(o->op) || fast_ends_run(o) ? RARE_OTHER : RARE_PLAIN;
}

bool fast_make_rare(struct fast *f, struct slot *i, const struct insn *o)
{
    uint32_t n = keep_insn(f, o);
    if (!n)
        return false;
    meta_of(f, i)->insn = n;
    i->fn = fast_rare;
    i->d = (uint8_t)rare_kind(o);
    return true;
}

void fast_keep_insn(struct fast *f, const struct slot *i, const struct insn *o)
{
    meta_of(f, i)->insn = keep_insn(f, o);
}

/* MMIO, code pages, page crossings: from now on without decoding again. The handler stays, for the times that go well:
 * a push at a place where the stack seldom crosses a page. */
static void remember(struct cpu *c, const struct slot *i)
{
    struct fast *f = c->fast;
    struct code_page *pg = fast_page(c);
    struct insn o;
    if (!f->stale && pg && fast_decode_at(c, pg, meta_of(f, i)->off, &o))
        fast_keep_insn(f, i, &o);
}

/* Instructions that lie in two pages: the slot is dropped when the first is written, what lies in the second is
 * compared each time. It is kept in the place behind the struct insn. */
_Static_assert(sizeof(struct insn) >= INSN_MAX, "room for the bytes");

/* Bytes of a linear page that code was looked up in, NULL: not lately. */
static const uint8_t *known_code(const struct fast *f, uint32_t page)
{
    uint32_t n = page & (MMU_PAGES - 1);
    bool known = f->line[n % CODE_LINES].key == (f->key | n);
    const struct code_page *pg = f->line[n % CODE_LINES].page;
    return known ? pg->block->host + pg->offset : NULL;
}

static void remember_spanning(struct cpu *c, const struct slot *i)
{
    struct fast *f = c->fast;
    uint32_t page = f->cur_lin >> PHYS_PAGE_SHIFT, off = meta_of(f, i)->off, have = FAST_PAGE - off;
    const uint8_t *first = known_code(f, page), *second = known_code(f, page + 1);
    uint8_t bytes[INSN_MAX];
    struct insn o;
    if (f->mode != MODE_FLAT || !first || !second || have >= INSN_MAX || f->insns_used + 2 > POOL_INSNS)
        return;
    memcpy(bytes, first + off, have);
    memcpy(bytes + have, second, INSN_MAX - have);
    if (decode(bytes, INSN_MAX, DECODE_CODE32, c->model.level, c->model.features, &o) <= have)
        return;
    meta_of(f, i)->insn = keep_insn(f, &o);
    memcpy(&f->insns[f->insns_used++], second, INSN_MAX - have);
}

/* The instruction of slot i as it was remembered, or NULL. */
static const struct insn *remembered(struct cpu *c, const struct slot *i, bool span)
{
    const struct fast *f = c->fast;
    const struct slot_meta *m = meta_of(f, i);
    const struct insn *o = &f->insns[m->insn];
    if (!m->insn || !span)
        return m->insn ? o : NULL;
    const uint8_t *second = known_code(f, (f->cur_lin >> PHYS_PAGE_SHIFT) + 1);
    uint32_t tail = o->len - (uint32_t)(FAST_PAGE - m->off);
    return second && memcmp(second, o + 1, tail) == 0 ? o : NULL;
}

static uint32_t tlb_fills(const struct cpu *c) { return c->mmu.nlog[0] + c->mmu.nlog[1]; }

static struct slot *do_slow(struct cpu *c, struct slot *i, bool span)
{
    struct fast *f = c->fast;
    uint32_t fills = tlb_fills(c);
    struct slot_meta *m = meta_of(f, i);
    if (span && !m->insn)
        remember_spanning(c, i);
    const struct insn *o = remembered(c, i, span);
    expose(c, i);
    f->stats.slow++;
    if (o) {
        c->last_op = o->op;
        ref_execute(c, o);
    } else {
        ref_execute_one(c);
    }
    if (!m->insn && !span && fills == tlb_fills(c) && !f->stale && ++m->slow >= SLOW_LIMIT)
        remember(c, i);
    if (f->stored.block && !f->stale)
        fast_keep_beside(c);
    return after(c, i, span && changes_context(c, c->last_op));
}

#define GO_ON(next) \
    do { \
        i = (next); \
        if (!i) \
            return NULL; \
        FILL; \
        DISPATCH; \
    } while (0)

COLD struct slot *fast_slow(ARGS)
{
    SPILL;
    GO_ON(do_slow(c, i, false));
}

COLD struct slot *fast_general(ARGS)
{
    TAIL(meta_of(c->fast, i)->general);
}

COLD struct slot *fast_span(ARGS)
{
    SPILL;
    GO_ON(do_slow(c, i, true));
}

/* Between two chunks of a repeated string there is a boundary with RF set; where nothing but RF asks
 * for attention, the next chunk follows at once. */
static void repeat_chunks(struct cpu *c, const struct slot *i, const struct insn *o)
{
    struct fast *f = c->fast;
    while (c->st.eip == c->insn_eip && c->attn == ATTN_SLOW && (c->st.eflags & FLAG_RF) &&
           f->rem > 0 && !f->stale && !c->w.clk->deadline_moved) {
        f->rem--;
        set_icount(c, meta_of(f, i)->cnt);
        c->st.eflags &= ~(uint64_t)FLAG_RF;
        ref_execute(c, o);
        cpu_update_attn(c);
    }
}

/* A data segment was loaded: does all else in the context stay? */
static bool segment_loaded(struct cpu *c, unsigned seg)
{
    struct fast *f = c->fast;
    f->seg[seg] = segment_cache(c, &c->st.seg[seg], false);
    return !checks_alignment(c) && f->mode == mode_of(c);
}

/* Usually nothing happened but the instruction: on to the next slot, which goes on in the same run. */
static bool went_on(struct cpu *c, const struct slot *i, const struct insn *o)
{
    if (c->st.eip != c->insn_eip + o->len || must_leave(c) || c->fast->stale)
        return false;
    return i->d == RARE_PLAIN || (i->d == RARE_SEGMENT && segment_loaded(c, o->dst));
}

static struct slot *do_rare(struct cpu *c, struct slot *i)
{
    struct fast *f = c->fast;
    const struct insn *o = &f->insns[meta_of(f, i)->insn];
    f->stats.rare++;
    expose(c, i);
    ref_execute(c, o);
    if (LIKELY(went_on(c, i, o)))
        return i + 1;
    if (i->d == RARE_STRING)
        repeat_chunks(c, i, o);
    return after(c, i, changes_context(c, o->op));
}

NOINLINE struct slot *fast_rare(ARGS)
{
    SPILL;
    GO_ON(do_rare(c, i));
}

/* The slot at cur_lin, charged with what lies before it in its run; NULL: leave. */
static struct slot *arrive(struct cpu *c)
{
    struct fast *f = c->fast;
    struct slot *to = fast_find(c);
    if (to) {
        f->rem += meta_of(f, to)->cnt;
        return to;
    }
    c->st.eip = eip_of(f, f->cur_lin);
    return resume(c);
}

#define GO_ON_CHECKED(next) \
    do { \
        i = (next); \
        if (!i) \
            return NULL; \
        FILL; \
        ENTER; \
    } while (0)

COLD struct slot *fast_goto(ARGS)
{
    SPILL;
    GO_ON_CHECKED(arrive(c));
}

NOINLINE struct slot *fast_here(ARGS)
{
    SPILL;
    GO_ON_CHECKED(arrive(c));
}

/* The slot was entered by a link, a return or a jump of another run: look again where it leads. */
static struct slot *bury(struct cpu *c, struct slot *i)
{
    struct fast *f = c->fast;
    const struct slot_meta *m = meta_of(f, i);
    f->rem -= m->cnt;
    f->cur_lin = page_base(f) + m->off;
    return arrive(c);
}

COLD struct slot *fast_dead(ARGS)
{
    SPILL;
    GO_ON_CHECKED(bury(c, i));
}

static struct slot *relink(struct cpu *c, struct slot *from, struct link *l)
{
    struct fast *f = c->fast;
    uint32_t epoch = f->epoch, target = f->cur_lin;
    struct slot *to = fast_find(c);
    (void)from;
    if (!to)
        return arrive(c);
    if (epoch == f->epoch)
        *l = (struct link){.to = to, .key = f->key | target, .adjust = meta_of(f, to)->cnt};
    f->rem += meta_of(f, to)->cnt;
    return to;
}

COLD struct slot *fast_relink(ARGS)
{
    SPILL;
    GO_ON_CHECKED(relink(c, i, link_of(i)));
}

/* A link of another context first, else any. */
static struct link *victim(const struct fast *f, struct link *l)
{
    for (unsigned k = 0; k < LINKS; k++)
        if (l[k].key >> 32 != f->key >> 32)
            return &l[k];
    return &l[(f->cur_lin >> 2) % LINKS];
}

COLD struct slot *fast_relink_indirect(ARGS)
{
    SPILL;
    GO_ON_CHECKED(relink(c, i, victim(c->fast, link_of(i))));
}

/* Stub of a branch within the page: b = page offset of the target, a = distance to the branch. */
static struct slot *resolve(struct cpu *c, struct slot *i)
{
    struct fast *f = c->fast;
    struct slot *branch = (struct slot *)(void *)((char *)i + (int32_t)i->a);
    uint32_t epoch = f->epoch;
    f->rem -= meta_of(f, i)->cnt + 1;
    f->cur_lin = page_base(f) + i->b;
    struct slot *to = fast_find(c);
    if (!to)
        return arrive(c);
    if (epoch == f->epoch)
        fast_bind(f, branch, to);
    f->rem += meta_of(f, to)->cnt;
    return to;
}

COLD struct slot *fast_resolve(ARGS)
{
    SPILL;
    GO_ON_CHECKED(resolve(c, i));
}

COLD struct slot *fast_expired(ARGS)
{
    (void)TL;
    SPILL;
    expose(c, i);
    return NULL;
}

/* --- interface ------------------------------------------------------------------------------- */

static void run_slots(struct cpu *c, struct slot *i)
{
#ifdef FAST_LOOPCALL
    while (i)
        i = i->fn(c, i);
#else
    i->fn(c, i, c->fr, c->fx, c->mmu.current, c->fast->rem);
#endif
}

/* Too few left for a run: one by one. */
static void run_last(struct cpu *c, uint64_t limit)
{
    while (!must_leave(c) && c->w.clk->st.icount < limit) {
        ref_execute_one(c);
        c->w.clk->st.icount++;
    }
}

void fast_run(struct cpu *c, uint64_t limit)
{
    struct fast *f = c->fast;
    uint64_t now = c->w.clk->st.icount;
    if (limit < now || limit - now <= SLACK) {
        run_last(c, limit);
        return;
    }
    f->limit = limit - SLACK;
    if (f->limit - now > INT64_MAX / 2)
        f->limit = now + INT64_MAX / 2;
    f->rem = (int64_t)(f->limit - now);
    fast_update_context(c);
    struct slot *i = resume(c);
    if (i)
        run_slots(c, i);
}

struct fast *fast_new(struct cpu *c)
{
    struct fast *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->pool = calloc(POOL_SLOTS, sizeof(*f->pool));
    f->meta = calloc(POOL_SLOTS, sizeof(*f->meta));
    f->insns = calloc(POOL_INSNS, sizeof(*f->insns));
    f->sequences = fast_sequence_index();
    c->fast = f;
    if (!f->pool || !f->meta || !f->insns || !f->sequences) {
        fast_free(c);
        return NULL;
    }
    f->pool_used = f->insns_used = 1;
    c->w.phys->code_written = fast_code_written;
    c->w.phys->code_written_arg = c;
    c->mmu.flushed = fast_translations_dropped;
    c->mmu.flushed_arg = c;
    return f;
}

void fast_free(struct cpu *c)
{
    struct fast *f = c->fast;
    if (!f)
        return;
    if (c->w.phys->code_written_arg == c)
        c->w.phys->code_written = NULL;
    c->mmu.flushed = NULL;
    fast_drop_all(c);
    while (f->free_pages) {
        struct code_page *pg = f->free_pages;
        f->free_pages = pg->next;
        free(pg);
    }
    free(f->sequences);
    free(f->pool);
    free(f->meta);
    free(f->insns);
    free(f);
    c->fast = NULL;
}

void fast_flush_code(struct cpu *c)
{
    if (c->fast)
        fast_drop_all(c);
}

const struct fast_stats *fast_stats(const struct cpu *c)
{
    return c->fast ? &c->fast->stats : NULL;
}
