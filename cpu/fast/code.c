/*
 * The code cache: pages of decoded instructions, runs of slots, invalidation (docs: the execution core).
 *
 * A page belongs to a physical page (block and offset), a mode and the part of the page that CS covers.
 * It knows for every offset the slot decoded there. A run is decoded from an entry up to an
 * unconditional transfer, the end of the page, MAX_RUN instructions or an instruction that is decoded
 * already. Slots are never moved; a page that was written is forgotten as a whole, and its slots, which
 * stay in the pool until that is full, send whoever comes there to a new look-up.
 */
#include <stdlib.h>

#include "cpu/fast/core.h"
#include "cpu/fast/sequence.h"
#include "cpu/fast/unit.h"

enum { IS_CALL = 1 /* slot.d of a direct call */ };
enum { ROOM = MAX_RUN * (LINKS + 4) + 64 };

/* --- pages ----------------------------------------------------------------------------------- */

static uint32_t hash_of(const struct cpu *c, const struct phys_block *block, uint64_t offset)
{
    uint64_t n = (uint64_t)(block - c->w.phys->block);
    return (uint32_t)((offset >> PHYS_PAGE_SHIFT) + n * 1021) % PAGE_HASH;
}

static void forget_beside(struct fast *f)
{
    for (unsigned k = 0; k < BESIDE; k++)
        f->beside[k].map = NULL;
}

/* All numbers given out so far are dead: links, returns and lines with them do not match any more. */
static void forget_contexts(struct fast *f)
{
    memset(f->context, 0, sizeof(f->context));
    memset(f->seen, 0, sizeof(f->seen));
    f->stale = true;
}

/* The same for those that depend on translations which a change of CR3 drops. */
static void forget_local_contexts(struct fast *f)
{
    for (unsigned k = 0; k < CONTEXTS; k++) {
        if (f->context[k].local)
            f->context[k] = (struct fast_context){0};
    }
    f->stale = true;
}

void fast_drop_all(struct cpu *c)
{
    struct fast *f = c->fast;
    for (uint32_t h = 0; h < PAGE_HASH; h++) {
        while (f->hash[h]) {
            struct code_page *pg = f->hash[h];
            f->hash[h] = pg->next;
            pg->block->flags[pg->offset >> PHYS_PAGE_SHIFT] &= (uint8_t)~PHYS_CODE;
            pg->next = f->free_pages;
            f->free_pages = pg;
        }
    }
    f->pool_used = f->insns_used = 1;
    f->epoch++;
    f->stats.flushes++;
    forget_contexts(f);
}

static struct code_page *new_page(struct fast *f)
{
    struct code_page *pg = f->free_pages;
    if (pg) {
        f->free_pages = pg->next;
        memset(pg, 0, sizeof(*pg));
        return pg;
    }
    if (f->npages == MAX_PAGES)
        return NULL;
    pg = calloc(1, sizeof(*pg));
    if (pg)
        f->npages++;
    return pg;
}

/* The part of cur_lin's page within CS; eip is known to be within the limit. */
static void page_range(const struct fast *f, uint16_t *lo, uint16_t *hi)
{
    uint32_t off = f->cur_lin & (FAST_PAGE - 1);
    uint32_t eip = (f->cur_lin - f->cs_base) & f->lin_mask;
    uint64_t end = (uint64_t)off + (f->cs_limit - eip) + 1;
    *lo = (uint16_t)(eip < off ? off - eip : 0);
    *hi = (uint16_t)(end < FAST_PAGE ? end : FAST_PAGE);
}

static struct code_page *find_or_make(struct cpu *c, struct phys_block *block, uint64_t offset)
{
    struct fast *f = c->fast;
    uint16_t lo, hi;
    uint32_t h = hash_of(c, block, offset);
    page_range(f, &lo, &hi);
    for (struct code_page *pg = f->hash[h]; pg; pg = pg->next) {
        if (pg->block == block && pg->offset == offset && pg->mode == f->mode && pg->lo == lo && pg->hi == hi)
            return pg;
    }
    struct code_page *pg = new_page(f);
    if (!pg)
        return NULL;
    pg->block = block;
    pg->offset = offset;
    pg->mode = f->mode;
    pg->lo = lo;
    pg->hi = hi;
    pg->next = f->hash[h];
    f->hash[h] = pg;
    uint8_t *flags = &block->flags[offset >> PHYS_PAGE_SHIFT];
    if (!(*flags & PHYS_CODE)) {
        *flags |= PHYS_CODE;
        mmu_protect_code(&c->mmu, block, offset);
    }
    return pg;
}

/* Translates cur_lin as a fetch; NULL: it faults, or there is no memory there. */
static struct code_page *walk_to_page(struct cpu *c)
{
    struct fast *f = c->fast;
    paddr pa;
    bool global;
    laddr lin = f->cur_lin & ~(uint32_t)(FAST_PAGE - 1);
    if (!mmu_translate_code(&c->mmu, lin, c->mmu.user, &pa, &global))
        return NULL;
    if (f->stale) /* an accessed bit was written into a page with code */
        fast_update_context(c);
    struct phys_target t = phys_lookup(c->w.phys, pa, false);
    if (!t.host)
        return NULL;
    struct code_page *pg = find_or_make(c, t.block, t.offset);
    if (!pg) {
        fast_drop_all(c);
        fast_update_context(c);
        pg = find_or_make(c, t.block, t.offset);
    }
    /* Of the context that it is found in: dropping all forgets the others. */
    f->current->local |= !global;
    f->seen[lin >> PHYS_PAGE_SHIFT >> 6] |= 1ull << (lin >> PHYS_PAGE_SHIFT & 63);
    return pg;
}

struct code_page *fast_page(struct cpu *c)
{
    struct fast *f = c->fast;
    uint32_t n = f->cur_lin >> PHYS_PAGE_SHIFT;
    if (f->line[n % CODE_LINES].key == (f->key | n))
        return f->line[n % CODE_LINES].page;
    struct code_page *pg = walk_to_page(c);
    if (pg) {
        f->line[n % CODE_LINES].key = f->key | n;
        f->line[n % CODE_LINES].page = pg;
    }
    return pg;
}

/* --- invalidation ---------------------------------------------------------------------------- */

static bool was_seen(const struct fast *f, laddr page)
{
    return f->seen[page >> PHYS_PAGE_SHIFT >> 6] >> (page >> PHYS_PAGE_SHIFT & 63) & 1;
}

void fast_translations_dropped(void *cpu, enum mmu_dropped what, laddr page)
{
    struct cpu *c = cpu;
    struct fast *f = c->fast;
    forget_beside(f);
    if (what == MMU_DROPPED_LOCAL)
        forget_local_contexts(f);
    else if (what == MMU_DROPPED_ALL || was_seen(f, page))
        forget_contexts(f);
}

/* Bits of word `w` of code_page.covered for bytes [from, to) of the page. */
static uint64_t cover_bits(uint32_t w, uint32_t from, uint32_t to)
{
    uint32_t first = from > 64 * w ? from - 64 * w : 0, end = to - 64 * w;
    uint64_t upto = end >= 64 ? ~0ull : (1ull << end) - 1;
    return upto & ~((1ull << first) - 1);
}

static void cover(struct fast *f, struct code_page *pg, uint32_t from, uint32_t to)
{
    forget_beside(f);
    for (uint32_t w = from / 64; w <= (to - 1) / 64; w++)
        pg->covered[w] |= cover_bits(w, from, to);
}

/* Data next to code is common in firmware: only bytes of instructions count. */
static bool is_covered(const struct code_page *pg, uint32_t from, uint32_t to)
{
    uint64_t hit = 0;
    for (uint32_t w = from / 64; w <= (to - 1) / 64; w++)
        hit |= pg->covered[w] & cover_bits(w, from, to);
    return hit != 0;
}

/* Whoever still gets to the page's slots, by a link or a return, goes on to a new look-up. */
static void kill_slots(struct fast *f, const struct code_page *pg)
{
    for (uint32_t off = 0; off < FAST_PAGE; off++) {
        if ((off & 63) == 0 && pg->covered[off / 64] == 0)
            off += 63;
        else if (pg->slot[off])
            f->pool[pg->slot[off]].fn = fast_dead;
    }
}

static void kill_page(struct fast *f, struct code_page *pg)
{
    kill_slots(f, pg);
    for (uint32_t k = 0; k < CODE_LINES; k++) {
        if (f->line[k].page == pg)
            f->line[k].key = 0;
    }
    pg->next = f->free_pages;
    f->free_pages = pg;
    f->stats.killed++;
    f->stale = true;
}

void fast_code_written(void *cpu, struct phys_block *block, uint64_t offset, uint32_t len)
{
    struct cpu *c = cpu;
    struct fast *f = c->fast;
    uint64_t page = offset & ~(uint64_t)(FAST_PAGE - 1);
    uint32_t from = (uint32_t)(offset - page);
    bool left = false, killed = false;
    for (struct code_page **at = &f->hash[hash_of(c, block, page)]; *at;) {
        struct code_page *pg = *at;
        bool here = pg->block == block && pg->offset == page;
        if (here && len && is_covered(pg, from, from + len)) {
            *at = pg->next;
            kill_page(f, pg);
            killed = true;
            continue;
        }
        left |= here;
        at = &pg->next;
    }
    if (!left)
        block->flags[page >> PHYS_PAGE_SHIFT] &= (uint8_t)~PHYS_CODE;
    else if (!killed)
        f->stored.block = block, f->stored.page = page;
}

void fast_keep_beside(struct cpu *c)
{
    struct fast *f = c->fast;
    struct phys_block *block = f->stored.block;
    uint64_t offset = f->stored.page;
    laddr page;
    f->stored.block = NULL;
    if (!mmu_stored_to_code(&c->mmu, &block->flags[offset >> PHYS_PAGE_SHIFT], &page))
        return;
    struct fast_beside *b = &f->beside[page >> PHYS_PAGE_SHIFT & (BESIDE - 1)];
    if (b->map == c->mmu.current && b->page == page)
        return;
    *b = (struct fast_beside){c->mmu.current, block->host + offset, (uint32_t)page, {0}};
    for (const struct code_page *pg = f->hash[hash_of(c, block, offset)]; pg; pg = pg->next) {
        for (unsigned w = 0; w < FAST_PAGE / 64 && pg->block == block && pg->offset == offset; w++)
            b->covered[w] |= pg->covered[w];
    }
}

/* --- decoding -------------------------------------------------------------------------------- */

/* A run being decoded. */
struct run {
    struct cpu *c;
    struct fast *f;
    struct code_page *pg;
    uint32_t off; /* of the next instruction */
    uint32_t cnt; /* instructions since the run or the last call */
    uint32_t total;
    bool after_call;
    struct insn previous;
    struct slot *previous_slot; /* NULL: not the neighbour */
    struct slot *slot[MAX_RUN];
    uint32_t step[MAX_RUN + 1]; /* of the instructions as parts of sequences, 0 = none */
    unsigned npending;
    struct {
        struct slot *branch;
        uint32_t target; /* page offset, may lie outside */
        uint32_t mask;
    } pending[MAX_RUN + 1];
};

bool fast_decode_at(struct cpu *c, const struct code_page *pg, uint32_t off, struct insn *o)
{
    unsigned mode = pg->mode == MODE_16 ? 0 : DECODE_CODE32;
    return off < pg->hi && decode(pg->block->host + pg->offset + off, pg->hi - off, mode,
                                  c->model.level, c->model.features, o) != 0;
}

static struct slot *emit(struct run *r, fast_handler *fn, uint32_t a, uint32_t b)
{
    struct fast *f = r->f;
    struct slot *s = &f->pool[f->pool_used];
    *s = (struct slot){.fn = fn, .a = a, .b = b, .mask = 0xffffffffu};
    f->meta[f->pool_used++] = (struct slot_meta){.off = (uint16_t)r->off, .cnt = (uint8_t)r->cnt, .general = fn};
    return s;
}

static void emit_links(struct run *r, unsigned n)
{
    while (n-- > 0)
        *(struct link *)(void *)emit(r, NULL, 0, 0) = (struct link){.to = NULL};
}

static struct slot_meta *meta_of(const struct fast *f, const struct slot *s) { return &f->meta[s - f->pool]; }

static uint32_t distance(const struct slot *from, const struct slot *to)
{
    return (uint32_t)((const char *)to - (const char *)from);
}

static bool is_flat(const struct run *r) { return r->pg->mode == MODE_FLAT; }

static fast_handler *flat_or_any(const struct run *r, unsigned flat, unsigned any)
{
    return fast_jump_table[is_flat(r) ? flat : any];
}

/* A transfer out of the page, or into it again where the run ends. */
static struct slot *emit_far(struct run *r, uint32_t target, uint32_t charge, uint32_t mask)
{
    struct slot *s = emit(r, flat_or_any(r, J_FAR_FLAT, J_FAR_ANY), target, charge);
    s->mask = mask;
    emit_links(r, 1);
    return s;
}

static struct slot *emit_rare(struct run *r, const struct insn *o)
{
    struct slot *s = emit(r, fast_span, 0, 0);
    fast_handler *repeated = fast_repeated(o, r->pg->mode);
    if (fast_make_rare(r->f, s, o) && repeated)
        s->fn = repeated;
    return s;
}

/* Near transfers whose operand size cuts EIP in 32-bit code are rare. */
static bool plain_size(const struct run *r, const struct insn *o)
{
    return o->size == 4 || r->pg->mode == MODE_16;
}

static bool in_page(const struct run *r, uint32_t target)
{
    return (int32_t)target >= (int32_t)r->pg->lo && (int32_t)target < (int32_t)r->pg->hi;
}

static uint32_t eip_mask(const struct insn *o) { return o->size == 2 ? 0xffff : 0xffffffffu; }

static void pend(struct run *r, struct slot *s, uint32_t target, uint32_t mask)
{
    r->pending[r->npending].branch = s;
    r->pending[r->npending].target = target;
    r->pending[r->npending++].mask = mask;
}

static struct slot *emit_jcc(struct run *r, const struct insn *o, uint32_t next)
{
    if (!plain_size(r, o))
        return emit_rare(r, o);
    struct slot *s = emit(r, fast_jcc_table[o->cc], 0, 0);
    pend(r, s, next + o->imm, eip_mask(o));
    return s;
}

/* LOOPcc, JCXZ: the count changes before the jump, so that only targets in the page will do. */
static struct slot *emit_loop(struct run *r, const struct insn *o, uint32_t next)
{
    if (!plain_size(r, o) || !in_page(r, next + o->imm))
        return emit_rare(r, o);
    struct slot *s = emit(r, fast_jump_table[J_LOOP + (o->op - OP_LOOP)], 0, 0);
    s->mask = o->asize == 2 ? 0xffff : 0xffffffffu;
    pend(r, s, next + o->imm, 0);
    return s;
}

static struct slot *emit_jmp(struct run *r, const struct insn *o, uint32_t next)
{
    uint32_t target = next + o->imm;
    if (!plain_size(r, o))
        return emit_rare(r, o);
    if (!in_page(r, target))
        return emit_far(r, target, r->cnt + 1, eip_mask(o));
    struct slot *s = emit(r, fast_jump_table[J_JMP], 0, 0);
    pend(r, s, target, 0);
    return s;
}

/* What follows a call is entered by return: its count starts at 0 (-1: the caller adds one). */
static void call_done(struct run *r)
{
    r->cnt = (uint32_t)-1;
    r->after_call = true;
}

static struct slot *emit_call(struct run *r, const struct insn *o, uint32_t next)
{
    uint32_t target = next + o->imm, b = next << 16;
    if (!plain_size(r, o))
        return emit_rare(r, o);
    struct slot *s;
    if (in_page(r, target)) {
        s = emit(r, flat_or_any(r, J_CALL_FLAT, J_CALL_ANY), 0, b);
        pend(r, s, target, 0);
    } else {
        s = emit(r, flat_or_any(r, J_CALL_FAR_FLAT, J_CALL_FAR_ANY), target, b | (r->cnt + 1));
        s->mask = eip_mask(o);
        emit_links(r, 1);
    }
    s->d = IS_CALL;
    s->x = o->size;
    call_done(r);
    return s;
}

static struct slot *emit_ret(struct run *r, const struct insn *o)
{
    if (!plain_size(r, o))
        return emit_rare(r, o);
    struct slot *s = emit(r, flat_or_any(r, J_RET_FLAT, J_RET_ANY), o->imm & 0xffff, r->cnt + 1);
    s->x = o->size;
    return s;
}

static struct slot *emit_indirect(struct run *r, const struct insn *o, uint32_t next)
{
    struct slot s = {.mask = 0xffffffffu};
    bool call = o->op == OP_CALLI;
    if (!plain_size(r, o) || !fast_select_indirect(o, r->pg->mode, &s))
        return emit_rare(r, o);
    struct slot *at = emit(r, s.fn, 0, 0);
    *at = s;
    at->b = (r->cnt + 1) | (call ? next << 16 : 0);
    emit_links(r, LINKS);
    if (call)
        call_done(r);
    return at;
}

static struct slot *emit_plain(struct run *r, const struct insn *o)
{
    struct slot s = {.mask = 0xffffffffu};
    if (!fast_select(r->c, o, r->pg->mode, &s))
        return emit_rare(r, o);
    struct slot *at = emit(r, s.fn, 0, 0);
    fast_handler *special = fast_special(o, r->pg->mode);
    *at = s;
    if (special)
        at->fn = special;
    if (o->op == OP_ESC) /* x87.c: where it is */
        at->b |= r->off;
    if (o->op == OP_ESC || o->op == OP_SSE)
        fast_keep_insn(r->f, at, o);
    return at;
}

bool fast_ends_run(const struct insn *o)
{
    switch (o->op) {
    case OP_JMP: case OP_JMPI: case OP_JMPF: case OP_JMPFI: case OP_RET: case OP_RETF: case OP_IRET:
    case OP_UD: case OP_TOO_LONG: case OP_SYSENTER: case OP_SYSEXIT:
        return true;
    default:
        return false;
    }
}

static struct slot *translate(struct run *r, const struct insn *o, uint32_t next)
{
    switch (o->op) {
    case OP_JCC: return emit_jcc(r, o, next);
    case OP_LOOP: case OP_LOOPZ: case OP_LOOPNZ: case OP_JCXZ: return emit_loop(r, o, next);
    case OP_JMP: return emit_jmp(r, o, next);
    case OP_CALL: return emit_call(r, o, next);
    case OP_RET: return emit_ret(r, o);
    case OP_JMPI: case OP_CALLI: return emit_indirect(r, o, next);
    default: return emit_plain(r, o);
    }
}

static void fuse(struct run *r, struct slot *s, const struct insn *o)
{
    if (r->previous_slot && s == r->previous_slot + 1) {
        fast_handler *fn = fast_fuse(&r->previous, o, r->pg->mode);
        if (fn)
            r->previous_slot->fn = fn;
    }
    r->previous = *o;
    r->previous_slot = s;
}

/* A transfer whose slot goes to another page by itself, not by way of a stub. */
static bool goes_near(const struct run *r, const struct insn *o)
{
    return in_page(r, r->off + o->len + o->imm);
}

static void note_step(struct run *r, struct slot *s, const struct insn *o)
{
    bool handled = s->fn != fast_rare && s->fn != fast_span;
    r->slot[r->total] = s;
    r->step[r->total] = r->pg->mode == MODE_FLAT && handled ? fast_step(o, goes_near(r, o)) : 0;
}

/* Instructions in a row that have a handler together get it; the slots behind the first stay what they are. */
static void join_steps(struct run *r)
{
    for (uint32_t k = 0; k < r->total; k++) {
        fast_handler *fn = r->step[k] ? fast_sequence_find(r->f->sequences, &r->step[k], r->total - k) : NULL;
        if (fn)
            r->slot[k]->fn = fn;
    }
}

/* Ends the run where there is nothing (more) to decode; false: decode. */
static bool stop_before(struct run *r)
{
    struct code_page *pg = r->pg;
    if (r->off >= pg->hi && r->after_call && r->cnt == 0) {
        struct slot *s = emit(r, fast_here, 0, 0);
        meta_of(r->f, s)->off = META_HERE;
        return true;
    }
    if (r->total >= MAX_RUN && r->off < pg->hi && r->cnt > 0) {
        struct slot *s = emit(r, fast_jump_table[J_JMP], 0, 0);
        meta_of(r->f, s)->cnt--; /* an instruction less to charge than for a JMP */
        pend(r, s, r->off, 0);
        return true;
    }
    if (r->off >= pg->hi || r->total >= MAX_RUN) {
        emit_far(r, r->off, r->cnt, r->c->model.level <= CPU_286 ? 0xffff : 0xffffffffu);
        return true;
    }
    if (r->total > 0 && pg->slot[r->off]) {
        const struct slot *to = &r->f->pool[pg->slot[r->off]];
        struct slot *s = emit(r, fast_jump_table[J_JMP], 0, r->cnt - meta_of(r->f, to)->cnt);
        s->a = distance(s, to);
        return true;
    }
    return false;
}

/* One instruction; false: the run ends. */
static bool decode_next(struct run *r)
{
    struct code_page *pg = r->pg;
    struct insn o;
    if (stop_before(r))
        return false;
    if (!pg->slot[r->off])
        pg->slot[r->off] = r->f->pool_used;
    if (!fast_decode_at(r->c, pg, r->off, &o)) {
        emit(r, fast_span, 0, 0);
        cover(r->f, pg, r->off, pg->hi);
        return false;
    }
    cover(r->f, pg, r->off, r->off + o.len);
    struct slot *s = translate(r, &o, r->off + o.len);
    note_step(r, s, &o);
    fuse(r, s, &o);
    r->f->stats.decoded++;
    r->off += o.len;
    r->cnt++;
    r->total++;
    return !fast_ends_run(&o);
}

/* Points a branch within the page at its target and charges for it. */
void fast_bind(struct fast *f, struct slot *branch, const struct slot *to)
{
    uint32_t charge = meta_of(f, branch)->cnt + 1u - meta_of(f, to)->cnt;
    branch->a = distance(branch, to);
    branch->b = branch->d == IS_CALL ? (branch->b & 0xffff0000u) | (charge & 0xffff) : charge;
}

/* Branches go to their slots, or to stubs that stand for the branch itself and charge for it. */
static void bind_branches(struct run *r)
{
    struct fast *f = r->f;
    for (unsigned k = 0; k < r->npending; k++) {
        struct slot *s = r->pending[k].branch;
        uint32_t target = r->pending[k].target;
        r->off = meta_of(f, s)->off;
        r->cnt = meta_of(f, s)->cnt;
        if (in_page(r, target) && r->pg->slot[target]) {
            fast_bind(f, s, &f->pool[r->pg->slot[target]]);
            continue;
        }
        struct slot *stub;
        if (in_page(r, target)) {
            stub = emit(r, fast_resolve, 0, target);
            stub->a = distance(stub, s);
        } else {
            stub = emit_far(r, target, r->cnt + 1, r->pending[k].mask);
        }
        s->a = distance(s, stub);
    }
}

static uint32_t decode_run(struct cpu *c, struct code_page *pg, uint32_t off)
{
    struct fast *f = c->fast;
    struct run r = {.c = c, .f = f, .pg = pg, .off = off};
    uint32_t first = f->pool_used;
    while (decode_next(&r))
        ;
    join_steps(&r);
    bind_branches(&r);
    f->meta[f->pool_used] = (struct slot_meta){0};
    return first;
}

static bool has_room(const struct fast *f)
{
    return f->pool_used + ROOM < POOL_SLOTS && f->insns_used + MAX_RUN < POOL_INSNS;
}

struct slot *fast_find(struct cpu *c)
{
    struct fast *f = c->fast;
    if (UNLIKELY(!has_room(f))) {
        fast_drop_all(c);
        fast_update_context(c);
    }
    struct code_page *pg = fast_page(c);
    uint32_t off = f->cur_lin & (FAST_PAGE - 1);
    if (UNLIKELY(!pg) || UNLIKELY(off < pg->lo) || UNLIKELY(off >= pg->hi))
        return NULL;
    uint32_t n = pg->slot[off];
    return &f->pool[n ? n : decode_run(c, pg, off)];
}
