/*
 * Segment registers: reading and checking descriptors, loading data and stack segments (SDM 3A 3.4,
 * 5.6, 5.7), real-mode and V86 values, several pushes on one stack as a unit.
 *
 * On the 286 system descriptors of types 8 and above and the upper 16 descriptor bits do not exist.
 * NOT MODELLED: #AC on the pushes of interrupts.
 */
#include "cpu/desc.h"

bool seg_limit_ok(const struct cpu_seg *s, uint32_t offset, uint32_t size)
{
    uint64_t last = (uint64_t)offset + size - 1;
    if ((s->attr & (SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_EXPAND_DOWN)) ==
        (SEG_ATTR_S | SEG_ATTR_EXPAND_DOWN)) /* expand-down: SDM 3A 5.3 */
        return offset > s->limit && last <= (s->attr & SEG_ATTR_DB ? 0xffffffffu : 0xffffu);
    return last <= s->limit;
}

/* Linear accesses with a privilege of their own */

void raise_page_fault(struct cpu *c)
{
    cpu_raise(c, VEC_PF, c->mmu.fault_error);
}

uint32_t lin_read(struct cpu *c, laddr addr, unsigned size, bool user)
{
    uint64_t v;
    if (!mmu_read(&c->mmu, addr, size, user, &v))
        raise_page_fault(c);
    return (uint32_t)v;
}

void lin_probe_write(struct cpu *c, laddr addr, unsigned size, bool user)
{
    if (!mmu_probe_write(&c->mmu, addr, size, user))
        raise_page_fault(c);
}

void lin_write(struct cpu *c, laddr addr, unsigned size, bool user, uint32_t value)
{
    if (!mmu_write(&c->mmu, addr, size, user, value))
        raise_page_fault(c);
}

/* Descriptors */

static uint32_t unpack_limit(uint32_t lo, uint32_t hi)
{
    uint32_t limit = (lo & 0xffff) | (hi & 0x000f0000);
    return hi & 1u << 23 ? limit << 12 | 0xfff : limit;
}

void desc_unpack(const struct cpu *c, uint16_t sel, uint32_t lo, uint32_t hi, struct desc *d)
{
    if (c->model.level <= CPU_286)
        hi &= 0xffff;
    d->lo = lo;
    d->hi = hi;
    d->seg.selector = sel;
    d->seg.base = (hi & 0xff000000u) | (hi & 0xff) << 16 | lo >> 16;
    d->seg.limit = unpack_limit(lo, hi);
    d->seg.attr = (uint16_t)(hi >> 8 & 0xf0ff);
    bool no_such_type = c->model.level <= CPU_286 && attr_system(d->seg.attr) && (d->seg.attr & TYPE_32BIT);
    if (no_such_type)
        d->seg.attr = (uint16_t)(d->seg.attr & ~SEG_ATTR_TYPE); /* type 0 is reserved */
}

bool desc_read(struct cpu *c, uint16_t sel, struct desc *d)
{
    laddr base = c->st.gdtr.base;
    uint32_t limit = c->st.gdtr.limit;
    if (sel & 4) {
        const struct cpu_seg *ldtr = &c->st.seg[SEG_LDTR];
        if (!attr_present(ldtr->attr))
            return false;
        base = ldtr->base;
        limit = ldtr->limit;
    }
    if ((sel | 7u) > limit)
        return false;
    laddr at = (uint32_t)(base + (sel & 0xfff8u));
    uint32_t lo = sys_read(c, at, 4), hi = sys_read(c, (uint32_t)(at + 4), 4);
    desc_unpack(c, sel, lo, hi, d);
    d->at = at;
    return true;
}

void desc_fetch(struct cpu *c, uint16_t sel, unsigned vector, struct desc *d)
{
    if (sel_null(sel) || !desc_read(c, sel, d))
        cpu_raise(c, vector, sel_error(sel));
}

void desc_touch(struct cpu *c, struct desc *d)
{
    if (d->seg.attr & SEG_ATTR_ACCESSED)
        return;
    d->seg.attr |= SEG_ATTR_ACCESSED;
    sys_write(c, (uint32_t)(d->at + 5), 1, d->seg.attr & 0xffu);
}

/* Segment registers */

void seg_set_cs(struct cpu *c, const struct desc *d, unsigned cpl)
{
    c->st.seg[SEG_CS] = d->seg;
    c->st.seg[SEG_CS].selector = (uint16_t)((d->seg.selector & 0xfffc) | cpl);
    if (cpl != c->st.cpl)
        cpu_set_cpl(c, cpl);
}

void seg_set_null(struct cpu *c, unsigned seg, uint16_t sel)
{
    c->st.seg[seg] = (struct cpu_seg){.selector = sel};
}

void seg_set_v86(struct cpu *c, unsigned seg, uint16_t sel)
{
    c->st.seg[seg] = (struct cpu_seg){.base = (uint32_t)sel << 4, .limit = 0xffff, .selector = sel,
                                      .attr = 0xf3};
}

/* Real mode changes base and selector alone, so that limits set in protected mode last ("unreal
 * mode"); up to the 486 a load of CS gives fixed values. */
void seg_load_real(struct cpu *c, unsigned seg, uint16_t sel)
{
    struct cpu_seg *s = &c->st.seg[seg];
    if (in_v86(c)) {
        seg_set_v86(c, seg, sel);
        return;
    }
    s->selector = sel;
    s->base = (uint32_t)sel << 4;
    bool fixed = seg == SEG_CS && c->model.level <= CPU_486;
    if (fixed || !attr_present(s->attr)) {
        s->limit = 0xffff;
        s->attr = 0x93;
    }
}

/* SDM 2B MOV: the stack segment. */
static void load_ss(struct cpu *c, uint16_t sel)
{
    struct desc d;
    if (sel_null(sel))
        raise_gp(c, 0);
    desc_fetch(c, sel, VEC_GP, &d);
    if (sel_rpl(sel) != c->st.cpl || !attr_writable(d.seg.attr) || attr_dpl(d.seg.attr) != c->st.cpl)
        raise_gp(c, sel_error(sel));
    if (!attr_present(d.seg.attr))
        cpu_raise(c, VEC_SS, sel_error(sel));
    desc_touch(c, &d);
    c->st.seg[SEG_SS] = d.seg;
}

/* SDM 2B MOV: DS, ES, FS, GS; privilege by 3A 5.6. */
static void load_data(struct cpu *c, unsigned seg, uint16_t sel)
{
    struct desc d;
    if (sel_null(sel)) {
        seg_set_null(c, seg, sel);
        return;
    }
    desc_fetch(c, sel, VEC_GP, &d);
    uint16_t attr = d.seg.attr;
    unsigned dpl = attr_dpl(attr);
    if (!attr_readable(attr))
        raise_gp(c, sel_error(sel));
    if (!attr_conforming(attr) && (sel_rpl(sel) > dpl || c->st.cpl > dpl))
        raise_gp(c, sel_error(sel));
    if (!attr_present(attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    desc_touch(c, &d);
    c->st.seg[seg] = d.seg;
}

void seg_load(struct cpu *c, unsigned seg, uint16_t sel)
{
    if (!in_protected(c))
        seg_load_real(c, seg, sel);
    else if (seg == SEG_SS)
        load_ss(c, sel);
    else
        load_data(c, seg, sel);
}

void seg_drop_inner(struct cpu *c)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        const struct cpu_seg *s = &c->st.seg[data[i]];
        bool null = !attr_present(s->attr), inner = !attr_conforming(s->attr) && attr_dpl(s->attr) < c->st.cpl;
        if (null || inner) /* a null selector loses its RPL (SDM 2B RET, operation) */
            seg_set_null(c, data[i], 0);
    }
}

/* SDM 2B RET, 2A IRET: the return CS, its RPL being the level returned to. */
void seg_check_return_cs(struct cpu *c, uint16_t sel, struct desc *d)
{
    if (sel_null(sel))
        raise_gp(c, 0);
    desc_fetch(c, sel, VEC_GP, d);
    uint16_t attr = d->seg.attr;
    unsigned rpl = sel_rpl(sel), dpl = attr_dpl(attr);
    bool wrong_level = attr_conforming(attr) ? dpl > rpl : dpl != rpl;
    if (rpl < c->st.cpl || !attr_code(attr) || wrong_level)
        raise_gp(c, sel_error(sel));
    if (!attr_present(attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
}

void cpu_set_cs_eip(struct cpu *c, uint32_t eip)
{
    if (eip > c->st.seg[SEG_CS].limit)
        raise_gp(c, 0);
    c->st.eip = eip;
}

/* Frames */

static uint32_t frame_offset(const struct frame *f, unsigned i)
{
    uint32_t sp = f->sp - (i + 1) * f->size;
    return f->ss.attr & SEG_ATTR_DB ? sp : sp & 0xffff;
}

void frame_on_current(const struct cpu *c, struct frame *f, unsigned size)
{
    f->ss = c->st.seg[SEG_SS];
    f->sp = (uint32_t)c->st.gpr[REG_ESP];
    f->error = 0;
    f->size = size;
    f->count = 0;
    f->user = c->st.cpl == 3;
}

/* SS:ESP of level `cpl` in the current TSS: #TS where the TSS is too short. */
static uint16_t read_inner_stack(struct cpu *c, unsigned cpl, uint32_t *sp)
{
    const struct cpu_seg *tr = &c->st.seg[SEG_TR];
    bool wide = (tr->attr & TYPE_32BIT) != 0;
    uint32_t at = wide ? 4 + cpl * 8 : 2 + cpl * 4, size = wide ? 4 : 2;
    if (at + size + 1 > tr->limit)
        cpu_raise(c, VEC_TS, sel_error(tr->selector));
    *sp = sys_read(c, (uint32_t)(tr->base + at), size);
    return (uint16_t)sys_read(c, (uint32_t)(tr->base + at + size), 2);
}

void frame_on_inner(struct cpu *c, struct frame *f, unsigned cpl, unsigned size)
{
    struct desc d;
    uint16_t ss = read_inner_stack(c, cpl, &f->sp);
    desc_fetch(c, ss, VEC_TS, &d);
    if (sel_rpl(ss) != cpl || attr_dpl(d.seg.attr) != cpl || !attr_writable(d.seg.attr))
        cpu_raise(c, VEC_TS, sel_error(ss));
    if (!attr_present(d.seg.attr))
        cpu_raise(c, VEC_SS, sel_error(ss));
    desc_touch(c, &d);
    f->ss = d.seg;
    f->error = sel_error(ss);
    f->size = size;
    f->count = 0;
    f->user = cpl == 3;
}

/* The 8086 and 186 have no limits and wrap within the segment; mem_write knows. */
static bool no_limits(const struct cpu *c)
{
    return c->model.level <= CPU_186;
}

void frame_check(struct cpu *c, const struct frame *f)
{
    if (no_limits(c))
        return;
    if (!attr_present(f->ss.attr))
        cpu_raise(c, VEC_SS, f->error);
    for (unsigned i = 0; i < f->count; i++) {
        uint32_t offset = frame_offset(f, i);
        if (!seg_limit_ok(&f->ss, offset, f->size))
            cpu_raise(c, VEC_SS, f->error);
        if (f->user)
            lin_check_alignment(c, (uint32_t)(f->ss.base + offset), f->size);
        lin_probe_write(c, (uint32_t)(f->ss.base + offset), f->size, f->user);
    }
}

void frame_write(struct cpu *c, const struct frame *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        uint32_t offset = frame_offset(f, i);
        if (no_limits(c))
            mem_write(c, SEG_SS, offset, f->size, f->value[i]);
        else
            lin_write(c, (uint32_t)(f->ss.base + offset), f->size, f->user, f->value[i]);
    }
}

void frame_load_sp(struct cpu *c, const struct frame *f)
{
    uint32_t sp = f->sp - f->count * f->size;
    if (f->ss.attr & SEG_ATTR_DB)
        c->st.gpr[REG_ESP] = sp;
    else
        c->st.gpr[REG_ESP] = (c->st.gpr[REG_ESP] & 0xffff0000u) | (sp & 0xffff);
}

/* EFLAGS */

uint32_t flags_of_model(const struct cpu *c)
{
    uint32_t f = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF;
    if (c->model.level >= CPU_286)
        f |= FLAG_IOPL | FLAG_NT;
    if (c->model.level >= CPU_386)
        f |= FLAG_RF | FLAG_VM;
    if (c->model.level >= CPU_486)
        f |= FLAG_AC;
    if (c->model.has_cpuid)
        f |= FLAG_ID;
    if (c->model.features & FEAT_VME)
        f |= FLAG_VIF | FLAG_VIP;
    return f;
}

uint32_t flags_image(const struct cpu *c)
{
    uint32_t f = cpu_eflags(c);
    return c->model.level <= CPU_186 ? f | 0xf000 : f;
}

void flags_replace(struct cpu *c, uint32_t value, uint32_t mask)
{
    mask &= flags_of_model(c);
    cpu_set_eflags(c, (cpu_eflags(c) & ~mask) | (value & mask));
    cpu_update_attn(c);
}
