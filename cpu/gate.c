/*
 * Far transfers: JMP, CALL and RET between segments, call gates with a change of privilege, IRET with
 * its returns to V86 mode, outer levels and the previous task (SDM 3A 5.8, 2A CALL IRET JMP, 2B RET;
 * V86: 3B 20.2.5, 20.3).
 *
 * All checks come before the first change of state; stack frames are read or probed as a whole.
 */
#include "cpu/desc.h"

/* Offset and stack mask of the operand size. */
static uint32_t size_mask(unsigned size)
{
    return size == 2 ? 0xffff : 0xffffffffu;
}

/* Code segment rules of JMP and CALL without a gate (SDM 3A 5.8.1). */
static void check_direct_cs(struct cpu *c, const struct desc *d)
{
    uint16_t sel = d->seg.selector, attr = d->seg.attr;
    unsigned dpl = attr_dpl(attr);
    bool allowed = attr_conforming(attr) ? dpl <= c->st.cpl : sel_rpl(sel) <= c->st.cpl && dpl == c->st.cpl;
    if (!allowed)
        raise_gp(c, sel_error(sel));
    if (!attr_present(attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
}

static void check_offset(struct cpu *c, const struct cpu_seg *cs, uint32_t offset)
{
    if (offset > cs->limit)
        raise_gp(c, 0);
}

/* The code segment that a call gate names; true: to an inner level. */
static bool read_gate_target(struct cpu *c, const struct desc *gate, bool call, struct desc *cs)
{
    uint16_t sel = gate_selector(gate);
    if (sel_null(sel))
        raise_gp(c, 0);
    desc_fetch(c, sel, VEC_GP, cs);
    uint16_t attr = cs->seg.attr;
    unsigned dpl = attr_dpl(attr);
    bool same_only = !call && !attr_conforming(attr); /* JMP never changes the level */
    if (!attr_code(attr) || dpl > c->st.cpl || (same_only && dpl != c->st.cpl))
        raise_gp(c, sel_error(sel));
    if (!attr_present(attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    return !attr_conforming(attr) && dpl < c->st.cpl;
}

/* Gates and TSSs: reachable with max(CPL, RPL) <= DPL (SDM 3A 5.8.4, 7.2.2). */
static void check_system_access(struct cpu *c, uint16_t sel, const struct desc *d)
{
    unsigned dpl = attr_dpl(d->seg.attr);
    if (dpl < c->st.cpl || dpl < sel_rpl(sel))
        raise_gp(c, sel_error(sel));
}

static bool is_tss(const struct desc *d)
{
    unsigned type = desc_type(d);
    return type == TYPE_TSS16 || type == TYPE_TSS16_BUSY || type == TYPE_TSS32 || type == TYPE_TSS32_BUSY;
}

static bool is_call_gate(const struct desc *d)
{
    return desc_type(d) == TYPE_CALL16 || desc_type(d) == TYPE_CALL32;
}

void gate_task_jump(struct cpu *c, uint16_t sel, const struct desc *d, enum task_cause cause)
{
    check_system_access(c, sel, d);
    uint16_t tss = sel;
    if (desc_type(d) == TYPE_TASK_GATE) {
        if (!attr_present(d->seg.attr))
            cpu_raise(c, VEC_NP, sel_error(sel));
        tss = gate_selector(d);
    }
    task_switch(c, tss, cause, false, 0);
}

/* JMP */

static void jump_real(struct cpu *c, uint16_t sel, uint32_t offset)
{
    check_offset(c, &c->st.seg[SEG_CS], offset);
    seg_load_real(c, SEG_CS, sel);
    c->st.eip = offset;
}

static void jump_to(struct cpu *c, struct desc *cs, uint32_t offset)
{
    check_offset(c, &cs->seg, offset);
    desc_touch(c, cs);
    seg_set_cs(c, cs, c->st.cpl);
    c->st.eip = offset;
}

static void jump_gate(struct cpu *c, uint16_t sel, const struct desc *gate)
{
    struct desc cs;
    check_system_access(c, sel, gate);
    if (!attr_present(gate->seg.attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    read_gate_target(c, gate, false, &cs);
    jump_to(c, &cs, gate_offset(gate));
}

static void jump_system(struct cpu *c, uint16_t sel, const struct desc *d)
{
    if (is_call_gate(d))
        jump_gate(c, sel, d);
    else if (is_tss(d) || desc_type(d) == TYPE_TASK_GATE)
        gate_task_jump(c, sel, d, TASK_JMP);
    else
        raise_gp(c, sel_error(sel));
}

void far_jump(struct cpu *c, uint16_t selector, uint32_t offset, unsigned size)
{
    offset &= size_mask(size);
    if (!in_protected(c)) {
        jump_real(c, selector, offset);
        return;
    }
    struct desc d;
    desc_fetch(c, selector, VEC_GP, &d);
    if (attr_system(d.seg.attr)) {
        jump_system(c, selector, &d);
        return;
    }
    if (!attr_code(d.seg.attr))
        raise_gp(c, sel_error(selector));
    check_direct_cs(c, &d);
    jump_to(c, &d, offset);
}

/* CALL */

static void push_return_address(const struct cpu *c, struct frame *f)
{
    frame_push(f, c->st.seg[SEG_CS].selector);
    frame_push(f, (uint32_t)c->st.eip);
}

static void call_real(struct cpu *c, uint16_t sel, uint32_t offset, unsigned size)
{
    struct frame f;
    frame_on_current(c, &f, size);
    push_return_address(c, &f);
    frame_check(c, &f);
    check_offset(c, &c->st.seg[SEG_CS], offset);
    frame_write(c, &f);
    frame_load_sp(c, &f);
    seg_load_real(c, SEG_CS, sel);
    c->st.eip = offset;
}

static void call_same(struct cpu *c, struct desc *cs, uint32_t offset, unsigned size)
{
    struct frame f;
    frame_on_current(c, &f, size);
    push_return_address(c, &f);
    frame_check(c, &f);
    check_offset(c, &cs->seg, offset);
    desc_touch(c, cs);
    frame_write(c, &f);
    frame_load_sp(c, &f);
    seg_set_cs(c, cs, c->st.cpl);
    c->st.eip = offset;
}

/* Parameters are copied from the caller's stack, the last pushed ends at the lowest address. */
static void copy_parameters(struct cpu *c, const struct desc *gate, struct frame *f)
{
    unsigned count = gate->hi & 0x1f;
    for (unsigned i = count; i > 0; i--)
        frame_push(f, stack_peek(c, (i - 1) * f->size, f->size));
}

/* SDM 3A 5.8.5. */
static void call_inner(struct cpu *c, const struct desc *gate, struct desc *cs, unsigned size)
{
    struct frame f;
    unsigned cpl = attr_dpl(cs->seg.attr);
    frame_on_inner(c, &f, cpl, size);
    frame_push(&f, c->st.seg[SEG_SS].selector);
    frame_push(&f, (uint32_t)c->st.gpr[REG_ESP]);
    copy_parameters(c, gate, &f);
    push_return_address(c, &f);
    frame_check(c, &f);
    check_offset(c, &cs->seg, gate_offset(gate));
    desc_touch(c, cs);
    frame_write(c, &f);
    c->st.seg[SEG_SS] = f.ss;
    frame_load_sp(c, &f);
    seg_set_cs(c, cs, cpl);
    c->st.eip = gate_offset(gate);
}

static void call_gate(struct cpu *c, uint16_t sel, const struct desc *gate)
{
    struct desc cs;
    unsigned size = desc_type(gate) & TYPE_32BIT ? 4 : 2;
    check_system_access(c, sel, gate);
    if (!attr_present(gate->seg.attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    if (read_gate_target(c, gate, true, &cs))
        call_inner(c, gate, &cs, size);
    else
        call_same(c, &cs, gate_offset(gate), size);
}

static void call_system(struct cpu *c, uint16_t sel, const struct desc *d)
{
    if (is_call_gate(d))
        call_gate(c, sel, d);
    else if (is_tss(d) || desc_type(d) == TYPE_TASK_GATE)
        gate_task_jump(c, sel, d, TASK_CALL);
    else
        raise_gp(c, sel_error(sel));
}

void far_call(struct cpu *c, uint16_t selector, uint32_t offset, unsigned size)
{
    offset &= size_mask(size);
    if (!in_protected(c)) {
        call_real(c, selector, offset, size);
        return;
    }
    struct desc d;
    desc_fetch(c, selector, VEC_GP, &d);
    if (attr_system(d.seg.attr)) {
        call_system(c, selector, &d);
        return;
    }
    if (!attr_code(d.seg.attr))
        raise_gp(c, sel_error(selector));
    check_direct_cs(c, &d);
    call_same(c, &d, offset, size);
}

/* RET */

/* (E)SP moves up by `bytes`; only the 16 bits of a 16-bit stack. */
static void release_stack(struct cpu *c, uint32_t bytes)
{
    stack_set_pointer(c, stack_pointer(c) + bytes);
}

static void return_real(struct cpu *c, unsigned size, uint32_t release)
{
    uint32_t eip = stack_peek(c, 0, size);
    uint16_t cs = (uint16_t)stack_peek(c, size, size);
    check_offset(c, &c->st.seg[SEG_CS], eip);
    release_stack(c, 2 * size + release);
    seg_load_real(c, SEG_CS, cs);
    c->st.eip = eip;
}

/* SS of a return to outer level `cpl` (SDM 2B RET, 2A IRET). */
static void read_outer_ss(struct cpu *c, uint16_t sel, unsigned cpl, struct desc *d)
{
    if (sel_null(sel))
        raise_gp(c, 0);
    desc_fetch(c, sel, VEC_GP, d);
    if (sel_rpl(sel) != cpl || !attr_writable(d->seg.attr) || attr_dpl(d->seg.attr) != cpl)
        raise_gp(c, sel_error(sel));
    if (!attr_present(d->seg.attr))
        cpu_raise(c, VEC_SS, sel_error(sel));
}

/* The stack of the outer level; its (E)SP and SS lie `offset` bytes up the present one. */
struct outer_stack {
    struct desc ss;
    uint32_t sp;
};

static void read_outer_stack(struct cpu *c, uint32_t offset, unsigned size, unsigned cpl,
                             struct outer_stack *o)
{
    o->sp = stack_peek(c, offset, size);
    read_outer_ss(c, (uint16_t)stack_peek(c, offset + size, size), cpl, &o->ss);
}

static void enter_outer(struct cpu *c, const struct desc *cs, const struct outer_stack *o, uint32_t eip)
{
    seg_set_cs(c, cs, sel_rpl(cs->seg.selector));
    c->st.eip = eip;
    c->st.seg[SEG_SS] = o->ss.seg;
    stack_set_pointer(c, o->sp);
    seg_drop_inner(c);
}

static void return_protected(struct cpu *c, unsigned size, uint32_t release)
{
    struct desc cs;
    uint32_t eip = stack_peek(c, 0, size);
    uint16_t sel = (uint16_t)stack_peek(c, size, size);
    seg_check_return_cs(c, sel, &cs);
    if (sel_rpl(sel) == c->st.cpl) {
        check_offset(c, &cs.seg, eip);
        desc_touch(c, &cs);
        release_stack(c, 2 * size + release);
        seg_set_cs(c, &cs, c->st.cpl);
        c->st.eip = eip;
        return;
    }
    struct outer_stack o;
    read_outer_stack(c, 2 * size + release, size, sel_rpl(sel), &o);
    check_offset(c, &cs.seg, eip);
    desc_touch(c, &cs);
    desc_touch(c, &o.ss);
    enter_outer(c, &cs, &o, eip);
    stack_set_pointer(c, o.sp + release);
}

void far_return(struct cpu *c, unsigned size, uint32_t release)
{
    if (in_protected(c))
        return_protected(c, size, release);
    else
        return_real(c, size, release);
}

/* IRET */

enum { IRET_REAL = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID,
       IRET_LOW = 0xffff };

static void iret_real(struct cpu *c, unsigned size)
{
    uint32_t eip = stack_peek(c, 0, size);
    uint16_t cs = (uint16_t)stack_peek(c, size, size);
    uint32_t flags = stack_peek(c, 2 * size, size);
    uint32_t mask = IRET_REAL;
    if (c->model.level == CPU_286)
        mask &= ~(uint32_t)(FLAG_IOPL | FLAG_NT); /* always 0 in the 286's real mode */
    check_offset(c, &c->st.seg[SEG_CS], eip);
    release_stack(c, 3 * size);
    seg_load_real(c, SEG_CS, cs);
    c->st.eip = eip;
    c->st.nmi_blocked = 0;
    flags_replace(c, flags, size == 2 ? mask & IRET_LOW : mask);
}

/* IOPL < 3 with VME: IF of the image goes to VIF (SDM 3B 20.3, 2A IRET). */
static uint32_t v86_virtual_flags(struct cpu *c, uint32_t flags, unsigned size)
{
    if (!(c->st.cr4 & CR4_VME) || size != 2)
        raise_gp(c, 0);
    bool opens = (flags & FLAG_IF) && (c->st.eflags & FLAG_VIP);
    if (opens || (flags & FLAG_TF))
        raise_gp(c, 0);
    return (flags & ~(uint32_t)FLAG_VIF) | (flags & FLAG_IF ? FLAG_VIF : 0);
}

static void iret_v86(struct cpu *c, unsigned size)
{
    uint32_t mask = IRET_REAL & ~(uint32_t)FLAG_IOPL;
    uint32_t eip = stack_peek(c, 0, size);
    uint16_t cs = (uint16_t)stack_peek(c, size, size);
    uint32_t flags = stack_peek(c, 2 * size, size);
    if (size == 2)
        mask &= IRET_LOW;
    if (cpu_iopl(c) < 3) {
        flags = v86_virtual_flags(c, flags, size);
        mask = (mask & ~(uint32_t)FLAG_IF) | FLAG_VIF;
    }
    check_offset(c, &c->st.seg[SEG_CS], eip);
    release_stack(c, 3 * size);
    seg_load_real(c, SEG_CS, cs);
    c->st.eip = eip;
    c->st.nmi_blocked = 0;
    flags_replace(c, flags, mask);
}

/* NT: back to the task whose TSS the link field names (SDM 3A 7.4). */
static void iret_task(struct cpu *c)
{
    uint16_t link = (uint16_t)sys_read(c, c->st.seg[SEG_TR].base, 2);
    task_switch(c, link, TASK_IRET, false, 0);
}

/* From level 0 to V86 mode: EIP CS EFLAGS ESP SS ES DS FS GS (SDM 3B 20.2.5). */
static void iret_to_v86(struct cpu *c)
{
    static const uint8_t order[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint32_t word[9];
    for (unsigned i = 0; i < 9; i++)
        word[i] = stack_peek(c, i * 4, 4);
    if (word[0] > 0xffff)
        raise_gp(c, 0);
    c->st.nmi_blocked = 0;
    flags_replace(c, word[2], UINT32_MAX);
    c->st.gpr[REG_ESP] = word[3];
    seg_set_v86(c, SEG_CS, (uint16_t)word[1]);
    for (unsigned i = 0; i < ARRAY_LEN(order); i++)
        seg_set_v86(c, order[i], (uint16_t)word[4 + i]);
    c->st.eip = word[0];
    cpu_set_cpl(c, 3);
}

/* EFLAGS bits that IRET may change at the present CPL. */
static uint32_t iret_mask(const struct cpu *c, unsigned size)
{
    uint32_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID;
    if (c->st.cpl <= cpu_iopl(c))
        mask |= FLAG_IF;
    if (c->st.cpl == 0)
        mask |= FLAG_IOPL | FLAG_VIF | FLAG_VIP;
    return size == 2 ? mask & IRET_LOW : mask;
}

static void iret_protected(struct cpu *c, unsigned size)
{
    struct desc cs;
    struct outer_stack o;
    uint32_t eip = stack_peek(c, 0, size);
    uint16_t sel = (uint16_t)stack_peek(c, size, size);
    uint32_t flags = stack_peek(c, 2 * size, size);
    if (size == 4 && (flags & FLAG_VM & flags_of_model(c)) && c->st.cpl == 0) {
        iret_to_v86(c);
        return;
    }
    seg_check_return_cs(c, sel, &cs);
    bool outer = sel_rpl(sel) > c->st.cpl;
    if (outer)
        read_outer_stack(c, 3 * size, size, sel_rpl(sel), &o);
    check_offset(c, &cs.seg, eip);
    desc_touch(c, &cs);
    if (outer)
        desc_touch(c, &o.ss);
    uint32_t mask = iret_mask(c, size);
    c->st.nmi_blocked = 0;
    if (outer) {
        enter_outer(c, &cs, &o, eip);
    } else {
        release_stack(c, 3 * size);
        seg_set_cs(c, &cs, c->st.cpl);
        c->st.eip = eip;
    }
    flags_replace(c, flags, mask);
}

void interrupt_return(struct cpu *c, unsigned size)
{
    if (in_real_mode(c))
        iret_real(c, size);
    else if (in_v86(c))
        iret_v86(c, size);
    else if (c->st.eflags & FLAG_NT)
        iret_task(c);
    else
        iret_protected(c, size);
}
