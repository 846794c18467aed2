/*
 * Interrupts and exceptions: raising, double and triple faults, delivery through the real-mode
 * vector table or the IDT (SDM 3A chapter 6; V86: 3B 20.2, 20.3).
 *
 * One table tells an exception's class for the double-fault rules (SDM 3A table 6-4, 6-5) and
 * whether it pushes an error code. cpu_raise() jumps to the outer function of the run, which calls
 * cpu_deliver_fault(); a fault in there comes back the same way and finds in c->delivering what was
 * being delivered. Every check is made before the first push, so that a failed delivery has changed
 * nothing but accessed bits.
 *
 * NOT MODELLED: shadow stacks, IST (long mode), the 8086's missing vectors 5 and up.
 */
#include "cpu/desc.h"

/* Classes of c->delivering; 0 is "nothing". */
enum { BENIGN = 1, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static const struct {
    uint8_t cls;
    bool has_error;
} exceptions[32] = {
    [VEC_DE] = {CONTRIBUTORY, false}, [VEC_TS] = {CONTRIBUTORY, true},
    [VEC_NP] = {CONTRIBUTORY, true},  [VEC_SS] = {CONTRIBUTORY, true},
    [VEC_GP] = {CONTRIBUTORY, true},  [VEC_PF] = {PAGE_FAULT, true},
    [VEC_DF] = {DOUBLE_FAULT, true},  [VEC_AC] = {BENIGN, true},
};

static uint8_t class_of(unsigned vector)
{
    return vector < 32 && exceptions[vector].cls ? exceptions[vector].cls : BENIGN;
}

/* Error codes of #TS, #NP, #SS and #GP carry EXT (SDM 3A 6.13). */
static bool error_has_ext(unsigned vector)
{
    return vector >= VEC_TS && vector <= VEC_GP;
}

void cpu_raise(struct cpu *c, unsigned vector, uint32_t error)
{
    if (vector == VEC_PF)
        c->st.cr2 = (uint32_t)c->mmu.fault_addr;
    if (error_has_ext(vector) && c->delivering_ext)
        error |= 1;
    c->fault_vector = (uint8_t)vector;
    c->fault_has_error = vector < 32 && exceptions[vector].has_error;
    c->fault_error = c->fault_has_error ? error : 0;
    c->fault_pending = 1;
    longjmp(c->fault_jump, 1);
}

/* SDM 3A table 6-5. */
static bool makes_double_fault(uint8_t first, uint8_t second)
{
    if (first == PAGE_FAULT)
        return second == CONTRIBUTORY || second == PAGE_FAULT;
    return first == CONTRIBUTORY && second == CONTRIBUTORY;
}

static void triple_fault(struct cpu *c)
{
    c->delivering = c->delivering_ext = 0;
    c->st.shutdown = 1;
    c->attn |= ATTN_EXIT;
    if (trace_on(c->w.log, TRACE_INT))
        trace_line(c->w.log, TRACE_INT, "triple fault (vector %02x while delivering #DF)", c->fault_vector);
}

/* Faults set RF in the image of EFLAGS, so that a breakpoint on the instruction is not hit again
 * when it restarts (SDM 3B 17.3.1.1); #DB does not. */
static void set_rf(struct cpu *c, unsigned vector)
{
    if (c->model.level >= CPU_386 && vector != VEC_DB)
        c->st.eflags |= FLAG_RF;
}

void cpu_deliver_fault(struct cpu *c)
{
    unsigned vector = c->fault_vector;
    uint32_t error = c->fault_error;
    bool has_error = c->fault_has_error;
    c->fault_pending = 0;
    c->st.eip = c->insn_eip;
    if (c->delivering == DOUBLE_FAULT && class_of(vector) != BENIGN) {
        triple_fault(c);
        return;
    }
    if (makes_double_fault(c->delivering, class_of(vector))) {
        vector = VEC_DF;
        has_error = true;
        error = 0;
    }
    set_rf(c, vector);
    c->delivering = 0;
    cpu_interrupt(c, vector, INT_EXCEPTION, has_error, error);
}

/* Real mode (SDM 3A 20.1.4) */

/* Enters the 8086-style handler of `vector` in the table at `table`. */
static void enter_8086(struct cpu *c, laddr table, unsigned vector, uint32_t image, uint32_t clear)
{
    struct frame f;
    uint16_t ip = (uint16_t)sys_read(c, (uint32_t)(table + vector * 4), 2);
    uint16_t cs = (uint16_t)sys_read(c, (uint32_t)(table + vector * 4 + 2), 2);
    frame_on_current(c, &f, 2);
    frame_push(&f, image & 0xffff);
    frame_push(&f, c->st.seg[SEG_CS].selector);
    frame_push(&f, (uint32_t)c->st.eip & 0xffff);
    frame_check(c, &f);
    frame_write(c, &f);
    frame_load_sp(c, &f);
    seg_load_real(c, SEG_CS, cs);
    c->st.eip = ip;
    flags_replace(c, 0, clear);
}

static void interrupt_real(struct cpu *c, unsigned vector)
{
    if (vector * 4 + 3 > c->st.idtr.limit && c->model.level >= CPU_286)
        raise_gp(c, vector * 8 + 2);
    enter_8086(c, c->st.idtr.base, vector, flags_image(c), FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
}

/* V86 mode with VME (SDM 3B 20.3) */

/* Bit of the software interrupt redirection bitmap, the 32 bytes below the I/O permission bitmap;
 * set: the protected-mode handler. */
static bool redirection_bit(struct cpu *c, unsigned vector)
{
    const struct cpu_seg *tr = &c->st.seg[SEG_TR];
    if (!(tr->attr & TYPE_32BIT) || tr->limit < 0x67)
        raise_gp(c, 0);
    uint32_t at = (sys_read(c, (uint32_t)(tr->base + 0x66), 2) - 32 + vector / 8) & 0xffff;
    if (at > tr->limit)
        raise_gp(c, 0);
    return sys_read(c, (uint32_t)(tr->base + at), 1) >> (vector & 7) & 1;
}

/* INT n in V86 mode; true: it went to the 8086 program's own handler. */
static bool v86_software_interrupt(struct cpu *c, unsigned vector)
{
    bool own_handler = (c->st.cr4 & CR4_VME) && !redirection_bit(c, vector);
    if (!own_handler) {
        if (cpu_iopl(c) < 3)
            raise_gp(c, 0);
        return false;
    }
    uint32_t image = cpu_eflags(c), clear = FLAG_IF | FLAG_TF;
    if (cpu_iopl(c) < 3) { /* VIF stands for IF */
        image = (image & ~(uint32_t)FLAG_IF) | FLAG_IOPL | (image & FLAG_VIF ? FLAG_IF : 0);
        clear = FLAG_VIF | FLAG_TF;
    }
    enter_8086(c, 0, vector, image, clear | FLAG_RF);
    return true;
}

/* Protected mode (SDM 3A 6.12) */

/* One delivery through an IDT gate. */
struct delivery {
    unsigned vector;
    bool software; /* INT n, INT3, INTO: the gate's DPL counts */
    bool has_error;
    uint32_t error;
    struct desc gate;
    struct desc cs;
};

static void read_gate(struct cpu *c, struct delivery *v)
{
    uint32_t error = v->vector * 8 + 2; /* IDT bit */
    if (v->vector * 8 + 7 > c->st.idtr.limit)
        raise_gp(c, error);
    laddr at = (uint32_t)(c->st.idtr.base + v->vector * 8);
    uint32_t lo = sys_read(c, at, 4), hi = sys_read(c, (uint32_t)(at + 4), 4);
    desc_unpack(c, 0, lo, hi, &v->gate);
    uint16_t attr = v->gate.seg.attr;
    unsigned type = desc_type(&v->gate) & ~(unsigned)TYPE_32BIT;
    bool valid = attr_system(attr) && (desc_type(&v->gate) == TYPE_TASK_GATE || type == TYPE_INT16 ||
                                       type == TYPE_TRAP16);
    if (!valid || (v->software && attr_dpl(attr) < c->st.cpl))
        raise_gp(c, error);
    if (!attr_present(attr))
        cpu_raise(c, VEC_NP, error);
}

/* The handler's code segment. */
static void read_handler_cs(struct cpu *c, struct delivery *v)
{
    uint16_t sel = gate_selector(&v->gate);
    if (sel_null(sel))
        raise_gp(c, 0);
    desc_fetch(c, sel, VEC_GP, &v->cs);
    uint16_t attr = v->cs.seg.attr;
    if (!attr_code(attr) || attr_dpl(attr) > c->st.cpl)
        raise_gp(c, sel_error(sel));
    if (!attr_present(attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    bool inner = !attr_conforming(attr) && attr_dpl(attr) < c->st.cpl;
    if (in_v86(c) && (!inner || attr_dpl(attr) != 0)) /* SDM 3B 20.3.1 */
        raise_gp(c, sel_error(sel));
}

static void push_v86_segments(const struct cpu *c, struct frame *f)
{
    frame_push(f, c->st.seg[SEG_GS].selector);
    frame_push(f, c->st.seg[SEG_FS].selector);
    frame_push(f, c->st.seg[SEG_DS].selector);
    frame_push(f, c->st.seg[SEG_ES].selector);
}

static void push_return(const struct cpu *c, const struct delivery *v, struct frame *f)
{
    frame_push(f, cpu_eflags(c));
    frame_push(f, c->st.seg[SEG_CS].selector);
    frame_push(f, (uint32_t)c->st.eip);
    if (v->has_error)
        frame_push(f, v->error);
}

static void enter_handler(struct cpu *c, struct delivery *v, const struct frame *f, unsigned cpl)
{
    bool from_v86 = in_v86(c);
    frame_write(c, f);
    bool trap_gate = (desc_type(&v->gate) & 1) != 0;
    flags_replace(c, 0, FLAG_TF | FLAG_VM | FLAG_RF | FLAG_NT | (trap_gate ? 0 : FLAG_IF));
    if (from_v86) {
        static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
        for (unsigned i = 0; i < ARRAY_LEN(data); i++)
            seg_set_null(c, data[i], 0);
    }
    c->st.seg[SEG_SS] = f->ss;
    frame_load_sp(c, f);
    seg_set_cs(c, &v->cs, cpl);
    c->st.eip = gate_offset(&v->gate);
}

static void check_entry(struct cpu *c, struct delivery *v, const struct frame *f)
{
    frame_check(c, f);
    if (gate_offset(&v->gate) > v->cs.seg.limit)
        raise_gp(c, 0);
    desc_touch(c, &v->cs);
}

static void enter_inner(struct cpu *c, struct delivery *v, unsigned size)
{
    struct frame f;
    unsigned cpl = attr_dpl(v->cs.seg.attr);
    frame_on_inner(c, &f, cpl, size);
    if (in_v86(c))
        push_v86_segments(c, &f);
    frame_push(&f, c->st.seg[SEG_SS].selector);
    frame_push(&f, (uint32_t)c->st.gpr[REG_ESP]);
    push_return(c, v, &f);
    check_entry(c, v, &f);
    enter_handler(c, v, &f, cpl);
}

static void enter_same(struct cpu *c, struct delivery *v, unsigned size)
{
    struct frame f;
    frame_on_current(c, &f, size);
    push_return(c, v, &f);
    check_entry(c, v, &f);
    enter_handler(c, v, &f, c->st.cpl);
}

static void enter_task(struct cpu *c, const struct delivery *v)
{
    task_switch(c, gate_selector(&v->gate), TASK_GATE, v->has_error, v->error);
}

static void interrupt_protected(struct cpu *c, struct delivery *v)
{
    read_gate(c, v);
    if (desc_type(&v->gate) == TYPE_TASK_GATE) {
        enter_task(c, v);
        return;
    }
    read_handler_cs(c, v);
    unsigned size = desc_type(&v->gate) & TYPE_32BIT ? 4 : 2;
    if (!attr_conforming(v->cs.seg.attr) && attr_dpl(v->cs.seg.attr) < c->st.cpl)
        enter_inner(c, v, size);
    else
        enter_same(c, v, size);
}

static void trace_interrupt(const struct cpu *c, unsigned vector, enum int_kind kind, bool has_error,
                            uint32_t error)
{
    static const char *const names[] = {"irq", "int", "brk", "exc"};
    trace_line(c->w.log, TRACE_INT, "%s v=%02x e=%04x cpl=%u IP=%04x:%08x SP=%04x:%08x AX=%08x CR2=%08x",
               names[kind], vector, has_error ? error : 0, c->st.cpl, c->st.seg[SEG_CS].selector,
               (uint32_t)c->st.eip, c->st.seg[SEG_SS].selector, (uint32_t)c->st.gpr[REG_ESP],
               (uint32_t)c->st.gpr[REG_EAX], (uint32_t)c->st.cr2);
}

static void deliver(struct cpu *c, unsigned vector, enum int_kind kind, bool has_error, uint32_t error)
{
    if (in_real_mode(c)) {
        interrupt_real(c, vector);
        return;
    }
    if (in_v86(c) && kind == INT_SOFTWARE && v86_software_interrupt(c, vector))
        return;
    struct delivery v = {.vector = vector, .has_error = has_error, .error = error,
                         .software = kind == INT_SOFTWARE || kind == INT_BREAKPOINT};
    interrupt_protected(c, &v);
}

enum { DR7_GD = 1 << 13 };

/* EXT: the event is not an instruction that asks for an interrupt (SDM 3A 6.13). */
void cpu_interrupt(struct cpu *c, unsigned vector, enum int_kind kind, bool has_error, uint32_t error)
{
    if (UNLIKELY(trace_on(c->w.log, TRACE_INT)))
        trace_interrupt(c, vector, kind, has_error, error);
    if (kind == INT_EXTERNAL)
        c->insn_eip = c->st.eip;
    c->delivering = kind == INT_EXCEPTION ? class_of(vector) : BENIGN;
    c->delivering_ext = kind == INT_EXTERNAL || kind == INT_EXCEPTION;
    deliver(c, vector, kind, has_error, error);
    if (vector == VEC_DB) /* the handler may use the debug registers (SDM 3B 17.2.4) */
        c->st.dr[7] &= ~(uint64_t)DR7_GD;
    c->delivering = c->delivering_ext = 0;
}
