/*
 * Task switching with 16- and 32-bit TSSs (SDM 3A chapter 7).
 *
 * Everything that can fault in the old task (descriptor, both TSSs' pages) is read or probed first;
 * then the switch is committed, and what is wrong with the new task's segments is reported in the
 * new task (7.3: "the exception is generated in the context of the new task").
 */
#include "cpu/desc.h"

/* Layout of the TSS (SDM 3A figures 7-2, 7-10). */
struct layout {
    uint32_t min_limit;
    uint32_t cr3; /* 0: none */
    uint32_t eip, eflags, gpr, seg, ldt;
    unsigned size;     /* of a register slot */
    unsigned seg_step; /* of a selector slot */
    unsigned segs;     /* ES CS SS DS [FS GS] */
    uint32_t save_from, save_to; /* what the outgoing task's TSS gets */
};

static const struct layout layout16 = {
    .min_limit = 0x2b, .cr3 = 0, .eip = 0x0e, .eflags = 0x10, .gpr = 0x12, .seg = 0x22, .ldt = 0x2a,
    .size = 2, .seg_step = 2, .segs = 4, .save_from = 0x0e, .save_to = 0x29,
};
static const struct layout layout32 = {
    .min_limit = 0x67, .cr3 = 0x1c, .eip = 0x20, .eflags = 0x24, .gpr = 0x28, .seg = 0x48, .ldt = 0x60,
    .size = 4, .seg_step = 4, .segs = 6, .save_from = 0x20, .save_to = 0x5f,
};

/* What the new TSS holds. */
struct task_image {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t sel[6], ldt;
    bool trap; /* T bit */
};

/* ES CS SS DS FS GS: numbers of the segment registers are in TSS order. */

static const struct layout *layout_of(uint16_t attr)
{
    return attr & TYPE_32BIT ? &layout32 : &layout16;
}

static laddr tss_at(const struct cpu_seg *tss, uint32_t offset)
{
    return (uint32_t)(tss->base + offset);
}

/* Descriptor of the task to switch to: SDM 3A 7.3 steps 1-5. */
static void read_tss_desc(struct cpu *c, uint16_t sel, enum task_cause cause, struct desc *d)
{
    unsigned bad = cause == TASK_IRET ? VEC_TS : VEC_GP;
    if ((sel & 4) || sel_null(sel) || !desc_read(c, sel, d))
        cpu_raise(c, bad, sel_error(sel));
    unsigned type = desc_type(d) & ~(unsigned)TYPE_32BIT;
    unsigned wanted = cause == TASK_IRET ? TYPE_TSS16_BUSY : TYPE_TSS16;
    if (!attr_system(d->seg.attr) || type != wanted)
        cpu_raise(c, bad, sel_error(sel));
    if (!attr_present(d->seg.attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    if (d->seg.limit < layout_of(d->seg.attr)->min_limit)
        cpu_raise(c, VEC_TS, sel_error(sel));
}

static void read_image(struct cpu *c, const struct cpu_seg *tss, struct task_image *t)
{
    const struct layout *l = layout_of(tss->attr);
    *t = (struct task_image){0};
    if (l->cr3)
        t->cr3 = sys_read(c, tss_at(tss, l->cr3), 4);
    t->eip = sys_read(c, tss_at(tss, l->eip), l->size);
    t->eflags = sys_read(c, tss_at(tss, l->eflags), l->size);
    for (unsigned i = 0; i < 8; i++)
        t->gpr[i] = sys_read(c, tss_at(tss, l->gpr + i * l->size), l->size);
    for (unsigned i = 0; i < l->segs; i++)
        t->sel[i] = (uint16_t)sys_read(c, tss_at(tss, l->seg + i * l->seg_step), 2);
    t->ldt = (uint16_t)sys_read(c, tss_at(tss, l->ldt), 2);
    if (l == &layout32)
        t->trap = sys_read(c, tss_at(tss, 0x64), 2) & 1;
}

/* Pages of [first, last] must be writable now, because later nothing may fault. */
static void probe_range(struct cpu *c, const struct cpu_seg *tss, uint32_t first, uint32_t last)
{
    lin_probe_write(c, tss_at(tss, first), 1, false);
    lin_probe_write(c, tss_at(tss, last), 1, false);
}

static void save_old(struct cpu *c, enum task_cause cause)
{
    const struct cpu_seg *tss = &c->st.seg[SEG_TR];
    const struct layout *l = layout_of(tss->attr);
    uint32_t flags = flags_image(c);
    if (cause == TASK_IRET)
        flags &= ~(uint32_t)FLAG_NT;
    sys_write(c, tss_at(tss, l->eip), l->size, (uint32_t)c->st.eip);
    sys_write(c, tss_at(tss, l->eflags), l->size, flags);
    for (unsigned i = 0; i < 8; i++)
        sys_write(c, tss_at(tss, l->gpr + i * l->size), l->size, (uint32_t)c->st.gpr[i]);
    for (unsigned i = 0; i < l->segs; i++)
        sys_write(c, tss_at(tss, l->seg + i * l->seg_step), 2, c->st.seg[i].selector);
}

static laddr tss_desc_at(const struct cpu *c, uint16_t sel)
{
    return (uint32_t)(c->st.gdtr.base + (sel & 0xfff8u) + 5);
}

static void set_busy(struct cpu *c, uint16_t sel, bool busy)
{
    laddr at = tss_desc_at(c, sel);
    uint32_t type = sys_read(c, at, 1);
    sys_write(c, at, 1, busy ? type | TYPE_BUSY : type & ~(uint32_t)TYPE_BUSY);
}

/* Old context's writes, all probed before. */
static void leave_old(struct cpu *c, const struct desc *d, enum task_cause cause)
{
    uint16_t old = c->st.seg[SEG_TR].selector;
    save_old(c, cause);
    if (cause == TASK_JMP || cause == TASK_IRET)
        set_busy(c, old, false);
    if (cause == TASK_CALL || cause == TASK_GATE)
        sys_write(c, d->seg.base, 2, old);
    if (cause != TASK_IRET)
        set_busy(c, d->seg.selector, true);
}

static void probe_all(struct cpu *c, const struct desc *d, enum task_cause cause)
{
    const struct cpu_seg *old = &c->st.seg[SEG_TR];
    const struct layout *l = layout_of(old->attr);
    if (old->limit < l->min_limit)
        cpu_raise(c, VEC_TS, sel_error(old->selector));
    probe_range(c, old, l->save_from, l->save_to);
    lin_probe_write(c, tss_desc_at(c, old->selector), 1, false);
    lin_probe_write(c, tss_desc_at(c, d->seg.selector), 1, false);
    if (cause == TASK_CALL || cause == TASK_GATE)
        probe_range(c, &d->seg, 0, 1);
}

/* Registers of the new task; its segments are selectors only until they are checked. */
static void load_registers(struct cpu *c, const struct task_image *t, bool wide)
{
    c->st.eip = t->eip;
    for (unsigned i = 0; i < 8; i++)
        c->st.gpr[i] = wide ? t->gpr[i] : (c->st.gpr[i] & 0xffff0000u) | t->gpr[i];
    for (unsigned i = 0; i < 6; i++)
        seg_set_null(c, i, t->sel[i]);
    seg_set_null(c, SEG_LDTR, t->ldt);
    c->st.dr[7] &= ~(uint64_t)0x155; /* L0-L3, LE: SDM 3B 17.2.4 */
}

/* SDM 3A table 7-1: #TS(selector) for what does not fit. */
_Noreturn static void bad_selector(struct cpu *c, uint16_t sel)
{
    cpu_raise(c, VEC_TS, sel_error(sel));
}

static void load_ldt(struct cpu *c, uint16_t sel)
{
    struct desc d;
    if (sel_null(sel))
        return;
    if ((sel & 4) || !desc_read(c, sel, &d) || !attr_system(d.seg.attr) || desc_type(&d) != TYPE_LDT ||
        !attr_present(d.seg.attr))
        bad_selector(c, sel);
    c->st.seg[SEG_LDTR] = d.seg;
}

static void load_task_cs(struct cpu *c, uint16_t sel)
{
    struct desc d;
    desc_fetch(c, sel, VEC_TS, &d);
    uint16_t attr = d.seg.attr;
    unsigned dpl = attr_dpl(attr), rpl = sel_rpl(sel);
    if (!attr_code(attr) || (attr_conforming(attr) ? dpl > rpl : dpl != rpl))
        bad_selector(c, sel);
    if (!attr_present(attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    desc_touch(c, &d);
    c->st.seg[SEG_CS] = d.seg;
}

static void load_task_ss(struct cpu *c, uint16_t sel)
{
    struct desc d;
    desc_fetch(c, sel, VEC_TS, &d);
    if (!attr_writable(d.seg.attr) || attr_dpl(d.seg.attr) != c->st.cpl || sel_rpl(sel) != c->st.cpl)
        bad_selector(c, sel);
    if (!attr_present(d.seg.attr))
        cpu_raise(c, VEC_SS, sel_error(sel));
    desc_touch(c, &d);
    c->st.seg[SEG_SS] = d.seg;
}

static void load_task_data(struct cpu *c, unsigned seg, uint16_t sel)
{
    struct desc d;
    if (sel_null(sel))
        return;
    desc_fetch(c, sel, VEC_TS, &d);
    uint16_t attr = d.seg.attr;
    unsigned dpl = attr_dpl(attr);
    if (!attr_readable(attr) || (!attr_conforming(attr) && (dpl < c->st.cpl || dpl < sel_rpl(sel))))
        bad_selector(c, sel);
    if (!attr_present(attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    desc_touch(c, &d);
    c->st.seg[seg] = d.seg;
}

/* SS is loaded before CS so that both faults see the new CPL. */
static void load_segments(struct cpu *c, const struct task_image *t)
{
    if (in_v86(c)) {
        for (unsigned i = 0; i < 6; i++)
            seg_set_v86(c, i, t->sel[i]);
        cpu_set_cpl(c, 3);
        load_ldt(c, t->ldt);
        return;
    }
    cpu_set_cpl(c, sel_rpl(t->sel[SEG_CS]));
    load_ldt(c, t->ldt);
    load_task_ss(c, t->sel[SEG_SS]);
    load_task_cs(c, t->sel[SEG_CS]);
    load_task_data(c, SEG_ES, t->sel[SEG_ES]);
    load_task_data(c, SEG_DS, t->sel[SEG_DS]);
    load_task_data(c, SEG_FS, t->sel[SEG_FS]);
    load_task_data(c, SEG_GS, t->sel[SEG_GS]);
}

static void push_error(struct cpu *c, uint32_t error, bool wide)
{
    struct frame f;
    frame_on_current(c, &f, wide ? 4 : 2);
    frame_push(&f, error);
    frame_check(c, &f);
    frame_write(c, &f);
    frame_load_sp(c, &f);
}

static void load_task_register(struct cpu *c, const struct desc *d)
{
    c->st.seg[SEG_TR] = d->seg;
    c->st.seg[SEG_TR].attr |= TYPE_BUSY;
    c->st.cr0 |= CR0_TS;
}

/* From here on everything happens in the new task. */
static void enter_new(struct cpu *c, const struct desc *d, enum task_cause cause,
                      const struct task_image *t)
{
    bool wide = (d->seg.attr & TYPE_32BIT) != 0;
    load_task_register(c, d);
    load_registers(c, t, wide);
    c->insn_eip = c->st.eip;
    cpu_set_eflags(c, t->eflags & flags_of_model(c) & (wide ? UINT32_MAX : 0xffff));
    if (cause == TASK_CALL || cause == TASK_GATE)
        c->st.eflags |= FLAG_NT;
    cpu_update_attn(c);
    if (wide && (c->st.cr0 & CR0_PG) && !control_load_cr3(c, t->cr3))
        raise_gp(c, 0);
    load_segments(c, t);
}

void task_switch(struct cpu *c, uint16_t selector, enum task_cause cause, bool has_error, uint32_t error)
{
    struct desc d;
    struct task_image t;
    read_tss_desc(c, selector, cause, &d);
    read_image(c, &d.seg, &t);
    probe_all(c, &d, cause);
    leave_old(c, &d, cause);
    enter_new(c, &d, cause, &t);
    if (has_error)
        push_error(c, error, (d.seg.attr & TYPE_32BIT) != 0);
    if (t.trap) {
        c->st.pending_db |= 1u << 15; /* BT */
        cpu_update_attn(c);
    }
    if (c->st.eip > c->st.seg[SEG_CS].limit)
        raise_gp(c, 0);
}
