/*
 * Two machines, one of each tier (pair.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/pair.h"

static uint8_t acknowledge(void *arg)
{
    struct pair_machine *m = arg;
    cpu_set_intr(&m->cpu, 0, false);
    return PAIR_VECTOR;
}

static void machine_init(struct pair_machine *m, const char *model, enum cpu_core core, uint32_t ram)
{
    struct error err;
    struct cpu_model cm;
    m->phys = calloc(1, sizeof(*m->phys));
    m->io = calloc(1, sizeof(*m->io));
    assert_non_null(m->phys);
    assert_non_null(m->io);
    phys_init(m->phys);
    io_bus_init(m->io);
    clock_init(&m->clk, 65536);
    assert_int_equal(phys_block_new(m->phys, "ram", ram, false, &m->ram, &err), EMU_OK);
    phys_map(m->phys, 0, ram, phys_region_memory(m->phys, "ram", m->ram, 0, 0, ram), PHYS_RW);
    assert_int_equal(cpu_model_parse(model, &cm, &err), EMU_OK);
    struct cpu_wiring w = {.clk = &m->clk, .phys = m->phys, .io = m->io, .intack = acknowledge,
                           .intack_arg = m, .tsc_hz = 1000000};
    assert_int_equal(cpu_init(&m->cpu, "cpu", &cm, core, w, &err), EMU_OK);
}

struct pair *pair_new(const char *model, uint32_t ram)
{
    struct pair *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->ram = ram;
    machine_init(&p->m[0], model, CORE_REFERENCE, ram);
    machine_init(&p->m[1], model, CORE_FAST, ram);
    return p;
}

void pair_free(struct pair *p)
{
    for (unsigned k = 0; k < 2; k++) {
        cpu_class.close(&p->m[k].cpu);
        phys_free(p->m[k].phys);
        free(p->m[k].phys);
        free(p->m[k].io);
    }
    free(p);
}

void pair_put(struct pair *p, paddr at, const void *bytes, size_t n)
{
    for (unsigned k = 0; k < 2; k++)
        phys_write_bytes(p->m[k].phys, at, bytes, n);
}

void pair_put32(struct pair *p, paddr at, uint32_t v)
{
    uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    pair_put(p, at, b, 4);
}

/* --- protected mode --------------------------------------------------------------------------- */

static void descriptor(struct pair *p, paddr at, uint32_t limit, uint32_t attr)
{
    bool big = limit > 0xfffff;
    uint32_t l = big ? limit >> 12 : limit;
    pair_put32(p, at, l & 0xffff);
    pair_put32(p, at + 4, (l & 0xf0000) | attr << 8 | (big ? 0x800000u : 0) | 0x400000u);
}

void pair_set_segment(struct cpu *c, unsigned s, uint16_t selector, uint32_t base, uint32_t limit, uint16_t attr)
{
    c->st.seg[s] = (struct cpu_seg){.base = base, .limit = limit, .selector = selector, .attr = attr};
}

static void set_registers(struct cpu *c, const struct pair_protected *how)
{
    c->st.cr0 |= CR0_PE | (how->directory ? CR0_PG | CR0_WP : 0);
    c->st.cr3 = how->directory;
    if (c->model.features & FEAT_SSE)
        c->st.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    c->st.gdtr.base = how->gdt;
    c->st.gdtr.limit = 0x2f;
    c->st.idtr.base = how->idt;
    c->st.idtr.limit = 0x7ff;
    pair_set_segment(c, SEG_CS, 8, 0, 0xffffffffu, 0xc09b);
    for (unsigned s = 0; s < 6; s++) {
        if (s != SEG_CS)
            pair_set_segment(c, s, 16, 0, how->data_limit, 0xc093);
    }
}

void pair_enter_protected(struct pair *p, const struct pair_protected *how)
{
    descriptor(p, how->gdt + 8, 0xffffffffu, 0x9b);
    descriptor(p, how->gdt + 16, how->data_limit, 0x93);
    for (unsigned v = 0; v < 256; v++) {
        pair_put32(p, how->idt + 8 * v, 8u << 16 | how->handler);
        pair_put32(p, how->idt + 8 * v + 4, 0x8e00);
    }
    for (unsigned k = 0; k < 2; k++)
        set_registers(&p->m[k].cpu, how);
}

/* --- comparison ------------------------------------------------------------------------------- */

void pair_check(const char *name, uint64_t reference, uint64_t fast, const char *where)
{
    if (reference != fast)
        fail_msg("%s: %s is %llx in the reference tier, %llx in the fast one", where, name,
                 (unsigned long long)reference, (unsigned long long)fast);
}

void pair_compare(struct pair *p, const char *where)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    struct cpu *a = &p->m[0].cpu, *b = &p->m[1].cpu;
    cpu_sync(a);
    cpu_sync(b);
    pair_check("icount", p->m[0].clk.st.icount, p->m[1].clk.st.icount, where);
    pair_check("eip", a->st.eip, b->st.eip, where);
    for (unsigned k = 0; k < 8; k++)
        pair_check(names[k], a->st.gpr[k], b->st.gpr[k], where);
    pair_check("eflags", a->st.eflags, b->st.eflags, where);
    if (memcmp(&a->st, &b->st, sizeof(a->st)) != 0)
        fail_msg("%s: other state differs", where);
}

void pair_compare_memory(struct pair *p, const char *where)
{
    const uint8_t *a = p->m[0].ram->host, *b = p->m[1].ram->host;
    if (memcmp(a, b, p->ram) == 0)
        return;
    for (uint32_t k = 0; k < p->ram; k++) {
        if (a[k] != b[k])
            fail_msg("%s: memory at %x is %02x in the reference tier, %02x in the fast one", where, k, a[k], b[k]);
    }
}
