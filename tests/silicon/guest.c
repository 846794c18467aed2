/* See guest.h. What a program could tell apart on its own (undefined results, other makers' extensions) is in
 * watch.c; here is the machine. */
#include "tests/silicon/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/exec.h"
#include "tests/silicon/watch.h"

/* Physical and, from SYSTEM on, linear memory of the machine. */
enum {
    RAM = 2 << 20, WORK = 0x10000, TABLES = 0x30000 /* 4 pages: GDT, IDT, TSS and stack, handlers */,
    PDPT = 0x40000, PD = 0x41000, PT = 0x45000, STEPS = 300,
};
#define SYSTEM GUEST_SYSTEM
enum { GDT = 0, LDT = 0x400, IDT = PAGE, TSS = 2 * PAGE, RING0_STACK = 3 * PAGE - 16, HANDLERS = GUEST_HANDLERS, GDT_ENTRIES = 16 };

struct guest {
    struct cpu cpu;
    struct phys *phys;
    struct phys_block *ram;
    struct io_bus *io;
    struct clock clk;
    struct watch watch;
    const uint8_t *base;
    struct cpu_seg user[6]; /* segments of a fresh program */
    unsigned npt;
    uint32_t table_of[16], table_at[16];
};

static void put32(struct guest *g, paddr at, uint32_t v) { phys_write(g->phys, at, v, 4); }

static void put64(struct guest *g, paddr at, uint64_t v)
{
    put32(g, at, (uint32_t)v);
    put32(g, at + 4, (uint32_t)(v >> 32));
}

/* Page tables */

/* The page table for `addr`'s 2 MiB. */
static uint32_t page_table(struct guest *g, uint32_t addr)
{
    uint32_t region = addr >> 21;
    for (unsigned k = 0; k < g->npt; k++)
        if (g->table_of[k] == region)
            return g->table_at[k];
    uint32_t at = PT + g->npt * PAGE;
    g->table_of[g->npt] = region;
    g->table_at[g->npt++] = at;
    put64(g, PD + region * 8, at | 7);
    return at;
}

enum { MAP_WRITE = 2, MAP_USER = 4, MAP_EXEC = 8 };

static void map(struct guest *g, uint32_t addr, uint32_t to, unsigned pages, unsigned how)
{
    for (unsigned k = 0; k < pages; k++, addr += PAGE, to += PAGE) {
        uint64_t entry = to | 1 | (how & (MAP_WRITE | MAP_USER)) | (how & MAP_EXEC ? 0 : 1ull << 63);
        put64(g, page_table(g, addr) + (addr >> 12 & 511) * 8, entry);
    }
}

static void make_pages(struct guest *g, bool low)
{
    for (unsigned k = 0; k < 4; k++)
        put64(g, PDPT + 8 * k, (PD + k * PAGE) | 1);
    map(g, AT_CODE, WORK + WORK_CODE, 2, MAP_WRITE | MAP_USER | MAP_EXEC);
    map(g, AT_DATA, WORK + WORK_DATA, 2, MAP_WRITE | MAP_USER);
    map(g, AT_DATA + 2 * PAGE, WORK + WORK_READONLY, 1, MAP_USER);
    map(g, AT_STACK, WORK + WORK_STACK, 1, MAP_WRITE | MAP_USER);
    if (low) {
        map(g, AT_LOW, WORK + WORK_DATA, 2, MAP_WRITE | MAP_USER);
        map(g, AT_LOW + 2 * PAGE, WORK + WORK_READONLY, 1, MAP_USER);
    }
    map(g, SYSTEM, TABLES, 4, MAP_WRITE | MAP_EXEC);
    memset(g->ram->host + TABLES + HANDLERS, 0xf4, PAGE); /* HLT */
}

/* Descriptor tables, as arch/x86 of 64-bit Linux lays them out: entries 1 to 6 */

static void descriptor(struct guest *g, unsigned n, uint32_t low, uint32_t high)
{
    put32(g, TABLES + GDT + 8 * n, low);
    put32(g, TABLES + GDT + 8 * n + 4, high);
}

static void make_tables(struct guest *g)
{
    descriptor(g, 1, 0x0000ffff, 0x00cf9b00);
    descriptor(g, 2, 0x0000ffff, 0x00af9b00);
    descriptor(g, 3, 0x0000ffff, 0x00cf9300);
    descriptor(g, 4, 0x0000ffff, 0x00cffb00);
    descriptor(g, 5, 0x0000ffff, 0x00cff300);
    descriptor(g, 6, 0x0000ffff, 0x00affb00);
    for (unsigned v = 0; v < 256; v++) {
        bool user = v == VEC_BP || v == VEC_OF;
        uint32_t at = SYSTEM + HANDLERS + 16 * v;
        put32(g, TABLES + IDT + 8 * v, 8u << 16 | (at & 0xffff));
        put32(g, TABLES + IDT + 8 * v + 4, (at & 0xffff0000u) | (user ? 0xee00 : 0x8e00));
    }
    put32(g, TABLES + TSS + 4, SYSTEM + RING0_STACK);
    put32(g, TABLES + TSS + 8, 0x18);
    put32(g, TABLES + TSS + 0x64, 0x68u << 16); /* no I/O permission map */
}

/* As the kernel makes them of struct user_desc: accessed, DPL 3, AVL set, byte granularity. */
static void make_ldt(struct guest *g)
{
    static const struct silicon_segment ldt[LDT_ENTRIES] = SILICON_LDT;
    for (unsigned n = 0; n < LDT_ENTRIES; n++) {
        const struct silicon_segment *s = &ldt[n];
        uint32_t type = (s->readonly ? 0u : 2u) | (uint32_t)s->contents << 2 | 1;
        uint32_t attr = type | 0x70 | (s->absent ? 0 : 0x80) | 0x1000 | (s->wide ? 0x4000u : 0);
        put32(g, TABLES + LDT + 8 * n, s->base << 16 | (s->limit & 0xffff));
        put32(g, TABLES + LDT + 8 * n + 4, (s->base & 0xff000000u) | (s->base >> 16 & 0xff) | attr << 8 |
                                               (s->limit & 0xf0000));
    }
}

static void make_state(struct guest *g, bool ldt)
{
    struct cpu_state *st = &g->cpu.st;
    for (unsigned s = 0; s < 6; s++)
        g->user[s] = (struct cpu_seg){.limit = 0xffffffffu, .selector = USER_DS, .attr = 0xc0f3};
    g->user[SEG_CS] = (struct cpu_seg){.limit = 0xffffffffu, .selector = USER_CS, .attr = 0xc0fb};
    g->user[SEG_FS] = g->user[SEG_GS] = (struct cpu_seg){.base = 0};
    st->seg[SEG_LDTR] = (struct cpu_seg){.base = 0};
    if (ldt)
        st->seg[SEG_LDTR] = (struct cpu_seg){.base = SYSTEM + LDT, .limit = 8 * LDT_ENTRIES - 1, .selector = 0x50, .attr = 0x82};
    st->seg[SEG_TR] = (struct cpu_seg){.base = SYSTEM + TSS, .limit = 0x67, .selector = 0x40, .attr = 0x8b};
    st->gdtr.base = SYSTEM + GDT;
    st->gdtr.limit = 8 * GDT_ENTRIES - 1;
    st->idtr.base = SYSTEM + IDT;
    st->idtr.limit = 0x7ff;
    st->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    st->cr3 = PDPT;
    st->cr4 = CR4_PAE | (g->cpu.model.features & FEAT_FXSR ? CR4_OSFXSR : 0) |
              (g->cpu.model.features & FEAT_SSE ? CR4_OSXMMEXCPT : 0);
    st->efer = 1 << 11;
    for (unsigned k = 0; k < 4; k++)
        st->pdpte[k] = (PD + k * PAGE) | 1;
    cpu_state_changed(&g->cpu);
}

struct guest *guest_new(const char *model, enum cpu_core core, bool low, bool ldt, const uint8_t *base)
{
    struct guest *g = calloc(1, sizeof(*g));
    struct error err = {""};
    struct cpu_model cm;
    if (!g || !(g->phys = calloc(1, sizeof(*g->phys))) || !(g->io = calloc(1, sizeof(*g->io))))
        goto fail;
    phys_init(g->phys);
    io_bus_init(g->io);
    clock_init(&g->clk, 65536);
    if (phys_block_new(g->phys, "ram", RAM, false, &g->ram, &err))
        goto fail;
    phys_map(g->phys, 0, RAM, phys_region_memory(g->phys, "ram", g->ram, 0, 0, RAM), PHYS_RW);
    struct cpu_wiring w = {.clk = &g->clk, .phys = g->phys, .io = g->io, .tsc_hz = 1000000};
    if (cpu_model_parse(model, &cm, &err) || cpu_init(&g->cpu, "cpu", &cm, core, w, &err))
        goto fail;
    make_pages(g, low);
    make_tables(g);
    if (ldt)
        make_ldt(g);
    make_state(g, ldt);
    watch_init(&g->watch, &g->cpu);
    guest_set_base(g, base);
    return g;
fail:
    fprintf(stderr, "silicon: %s\n", err.text[0] ? err.text : "not enough memory");
    exit(2);
}

void guest_free(struct guest *g)
{
    cpu_class.close(&g->cpu);
    phys_free(g->phys);
    free(g->phys);
    free(g->io);
    free(g);
}

const struct cpu *guest_cpu(const struct guest *g) { return &g->cpu; }
const struct watch *guest_watch(const struct guest *g) { return &g->watch; }
const uint8_t *guest_work(const struct guest *g) { return g->ram->host + WORK; }

void guest_set_base(struct guest *g, const uint8_t *base)
{
    g->base = base;
    phys_write_bytes(g->phys, WORK, base, WORK_SIZE);
}

/* A case into the CPU */

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store_le(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        p[k] = (uint8_t)(v >> 8 * k);
}

static uint64_t le64(const uint8_t *p) { return le32(p) | (uint64_t)le32(p + 4) << 32; }

/* FXRSTOR image (SDM 2A FXSAVE, table 3-43) */
static void load_fx(struct cpu *c, const uint8_t *fx)
{
    struct cpu_x87 *x = &c->st.x87;
    uint16_t status = (uint16_t)le32(fx + 2);
    x->control = (uint16_t)((le32(fx) & 0x1f3f) | 0x40);
    x->status = status & ~0x3800;
    x->top = status >> 11 & 7;
    x->empty = (uint8_t)~fx[4];
    x->opcode = 0;
    x->ip = x->dp = x->cs = x->ds = 0;
    for (unsigned k = 0; k < 8; k++) {
        unsigned r = (x->top + k) & 7;
        x->mant[r] = le64(fx + 32 + 16 * k);
        x->se[r] = (uint16_t)le32(fx + 40 + 16 * k);
    }
    for (unsigned k = 0; k < 8; k++) {
        c->st.xmm[k][0] = le64(fx + 160 + 16 * k);
        c->st.xmm[k][1] = le64(fx + 168 + 16 * k);
    }
    c->st.mxcsr = le32(fx + 24);
}

static void store_fx(const struct cpu *c, uint8_t *fx)
{
    const struct cpu_x87 *x = &c->st.x87;
    memset(fx, 0, FX_SIZE);
    store_le(fx, x->control, 2);
    store_le(fx + 2, x->status | x->top << 11, 2);
    fx[4] = (uint8_t)~x->empty;
    for (unsigned k = 0; k < 8; k++) {
        unsigned r = (x->top + k) & 7;
        store_le(fx + 32 + 16 * k, x->mant[r], 8);
        store_le(fx + 40 + 16 * k, x->se[r], 2);
    }
    for (unsigned k = 0; k < 8; k++) {
        store_le(fx + 160 + 16 * k, c->st.xmm[k][0], 8);
        store_le(fx + 168 + 16 * k, c->st.xmm[k][1], 8);
    }
    store_le(fx + 24, c->st.mxcsr, 4);
}

/* The hidden part of a selector that the generator gives out: flat, null, or of the LDT. */
static void load_segment(struct guest *g, unsigned s, uint32_t selector)
{
    struct cpu_seg *seg = &g->cpu.st.seg[s];
    if (!(selector & 4)) {
        *seg = g->user[selector == 0 ? SEG_FS : selector == USER_CS ? SEG_CS : SEG_DS];
        return;
    }
    const uint8_t *d = g->ram->host + TABLES + LDT + (selector & ~7u);
    uint32_t low = le32(d), high = le32(d + 4);
    *seg = (struct cpu_seg){.base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000u),
                            .limit = (low & 0xffff) | (high & 0xf0000), .selector = (uint16_t)selector,
                            .attr = (uint16_t)(high >> 8 & 0xf0ff)};
}

static void load(struct guest *g, const struct silicon_case *in)
{
    struct cpu *c = &g->cpu;
    struct cpu_state *st = &c->st;
    phys_write_bytes(g->phys, WORK + in->code_at, in->code, in->code_len);
    for (unsigned k = 0; k < in->npatch; k++)
        put32(g, WORK + in->patch[k].at, in->patch[k].value);
    for (unsigned r = 0; r < 8; r++)
        st->gpr[r] = in->gpr[r];
    for (unsigned s = 0; s < 6; s++)
        load_segment(g, s, in->seg[s]);
    st->eip = in->eip;
    st->eflags = in->eflags | FLAG_IF | FLAG_ONE;
    st->halted = st->shutdown = st->inhibit = 0;
    st->pending_db = 0;
    st->cr2 = 0;
    load_fx(c, in->fx);
    fl_encode((uint32_t)st->eflags, &c->fr, &c->fx);
    cpu_set_cpl(c, 3);
    cpu_update_attn(c);
}

/* The result out of the CPU */

static bool has_error_code(unsigned vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) || vector == VEC_AC;
}

/* The exception's frame on the ring 0 stack. */
static void read_frame(struct guest *g, struct silicon_result *out)
{
    struct cpu_state *st = &g->cpu.st;
    const uint8_t *f = g->ram->host + TABLES + (st->gpr[REG_ESP] - SYSTEM);
    out->vector = (uint32_t)(st->eip - SYSTEM - HANDLERS) / 16;
    if (has_error_code(out->vector)) {
        out->error = le32(f);
        f += 4;
    }
    out->eip = le32(f);
    out->seg[SEG_CS] = (uint16_t)le32(f + 4);
    out->eflags = le32(f + 8);
    out->gpr[REG_ESP] = le32(f + 12);
    out->seg[SEG_SS] = (uint16_t)le32(f + 16);
    out->cr2 = (uint32_t)st->cr2;
    if (out->vector == VEC_PF && out->eip == AT_EXIT && out->cr2 == AT_EXIT) { /* there is nothing: a case comes to its end there */
        out->vector = VECTOR_NONE;
        out->error = out->cr2 = 0;
        out->eflags &= ~(uint32_t)FLAG_RF;
    }
}

static void store(struct guest *g, struct silicon_result *out)
{
    struct cpu *c = &g->cpu;
    memset(out, 0, offsetof(struct silicon_result, fx));
    for (unsigned r = 0; r < 8; r++)
        out->gpr[r] = (uint32_t)c->st.gpr[r];
    for (unsigned s = 0; s < 6; s++)
        out->seg[s] = c->st.seg[s].selector;
    store_fx(c, out->fx);
    if (c->st.cpl == 0) {
        read_frame(g, out);
    } else {
        out->vector = VECTOR_TIMEOUT;
        out->eip = (uint32_t)c->st.eip;
    }
}

void guest_run(struct guest *g, struct silicon_case *in, struct silicon_result *out, struct guest_verdict *v)
{
    unsigned n = 0;
    load(g, in);
    memset(v, 0, sizeof(*v));
    watch_begin(&g->watch, in, v);
    while (!v->skip && g->cpu.st.cpl == 3 && n++ < STEPS) {
        watch_before(&g->watch);
        if (v->skip)
            break;
        (void)cpu_step(&g->cpu);
        watch_after(&g->watch);
    }
    store(g, out);
    if (!v->skip && out->vector == VECTOR_TIMEOUT)
        v->skip = "runs on";
    if (!v->skip)
        watch_end(&g->watch, out);
}

void guest_run_free(struct guest *g, const struct silicon_case *in, struct silicon_result *out)
{
    load(g, in);
    uint64_t limit = g->clk.st.icount + 100000;
    while (g->cpu.st.cpl == 3 && g->clk.st.icount < limit)
        if (cpu_run(&g->cpu, limit) == CPU_SHUTDOWN)
            break;
    store(g, out);
}

void guest_hash(struct guest *g, const struct silicon_case *in, struct silicon_result *out)
{
    for (unsigned k = 0; k < in->nmask; k++)
        phys_write_bytes(g->phys, WORK + in->mask[k].at, g->base + in->mask[k].at, in->mask[k].len);
    const uint8_t *work = g->ram->host + WORK;
    out->hash[0] = out->hash[1] = 0;
    for (uint32_t at = 0; at < WORK_SIZE; at += 64) {
        if (memcmp(work + at, g->base + at, 64) == 0)
            continue;
        for (uint32_t b = at; b < at + 64; b += 16) {
            uint32_t words[4] = {le32(work + b), le32(work + b + 4), le32(work + b + 8), le32(work + b + 12)};
            if (memcmp(work + b, g->base + b, 16) != 0)
                silicon_hash(out->hash, b, words);
        }
        phys_write_bytes(g->phys, WORK + at, g->base + at, 64);
    }
}
