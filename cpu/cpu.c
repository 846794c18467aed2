/*
 * The CPU as a device: declared state, reset by model, the run loop with everything that happens
 * between two instructions, and the debugger's doors.
 *
 * At every instruction boundary (SDM 3A 6.9, table 6-2): debug traps of the previous instruction, NMI,
 * INTR, then code breakpoints, fetch and execution. STI and MOV SS open their one-instruction shadow
 * in st.inhibit. c->attn tells with one test that none of this applies.
 *
 * NOT MODELLED: SMI, machine checks, INIT.
 */
#include "cpu/desc.h"

#if defined(RETRACE_FAST) && __has_include("cpu/fast/fast.h")
#include "cpu/fast/fast.h"
#define HAVE_FAST 1
#endif

/* State */

STATE_DESC(cpu_seg_desc, struct cpu_seg, 1,
    FIELD(struct cpu_seg, base, "linear base address"),
    FIELD(struct cpu_seg, limit, "last byte, granularity applied"),
    FIELD(struct cpu_seg, selector, "visible part"),
    FIELD(struct cpu_seg, attr, "descriptor bits 40-47 and 52-55"));

STATE_DESC(cpu_dtr_desc, struct cpu_dtr, 1,
    FIELD(struct cpu_dtr, base, "linear base address"),
    FIELD(struct cpu_dtr, limit, "last byte"),
    FIELD_MAX(struct cpu_dtr, reserved, 0, "0"));

STATE_DESC(cpu_x87_desc, struct cpu_x87, 1,
    FIELD(struct cpu_x87, mant, "significands of R0-R7"),
    FIELD(struct cpu_x87, se, "signs and exponents of R0-R7"),
    FIELD(struct cpu_x87, control, "control word"),
    FIELD(struct cpu_x87, status, "status word without TOP"),
    FIELD_MAX(struct cpu_x87, top, 7, "TOP"),
    FIELD(struct cpu_x87, empty, "bit i: R_i is empty"),
    FIELD(struct cpu_x87, opcode, "last non-control instruction"),
    FIELD(struct cpu_x87, ip, "its offset"),
    FIELD(struct cpu_x87, dp, "offset of its memory operand"),
    FIELD(struct cpu_x87, cs, "its code segment"),
    FIELD(struct cpu_x87, ds, "segment of its memory operand"),
    FIELD_MAX(struct cpu_x87, ferr, 1, "FERR# pin"),
    FIELD_MAX(struct cpu_x87, ignne, 1, "IGNNE# latch"),
    FIELD_MAX(struct cpu_x87, reserved, 0, "0"));

#define ST struct cpu_state
STATE_DESC(cpu_state_desc, struct cpu_state, 1,
    FIELD_MAX(ST, gpr, UINT32_MAX, "EAX ECX EDX EBX ESP EBP ESI EDI"),
    FIELD_MAX(ST, zero, 0, "reads as the absent base or index"),
    FIELD_MAX(ST, eip, UINT32_MAX, "instruction pointer"),
    FIELD_MAX(ST, eflags, UINT32_MAX, "EFLAGS"),
    FIELD_STRUCT(ST, seg, struct cpu_seg, cpu_seg_desc, "ES CS SS DS FS GS LDTR TR"),
    FIELD_STRUCT(ST, gdtr, struct cpu_dtr, cpu_dtr_desc, "GDTR"),
    FIELD_STRUCT(ST, idtr, struct cpu_dtr, cpu_dtr_desc, "IDTR"),
    FIELD(ST, cr0, "CR0"), FIELD(ST, cr2, "CR2"), FIELD(ST, cr3, "CR3"), FIELD(ST, cr4, "CR4"),
    FIELD(ST, dr, "DR0-DR7"),
    FIELD(ST, pdpte, "PDPTE registers (PAE)"),
    FIELD(ST, efer, "IA32_EFER"),
    FIELD(ST, sysenter_cs, "SYSENTER_CS"), FIELD(ST, sysenter_esp, "SYSENTER_ESP"),
    FIELD(ST, sysenter_eip, "SYSENTER_EIP"),
    FIELD(ST, apic_base, "APIC_BASE"), FIELD(ST, pat, "PAT"),
    FIELD(ST, tsc_base, "TSC minus virtual time"),
    FIELD(ST, mtrr_def_type, "MTRRdefType"), FIELD(ST, mtrr_fixed, "fixed-range MTRRs"),
    FIELD(ST, mtrr_var, "variable-range MTRRs"),
    FIELD(ST, mcg_status, "MCG_STATUS"), FIELD(ST, misc_enable, "MISC_ENABLE"),
    FIELD(ST, bios_sign, "BIOS_SIGN_ID"), FIELD(ST, test_ctl, "TEST_CTL"),
    FIELD_STRUCT(ST, x87, struct cpu_x87, cpu_x87_desc, "x87 and MMX registers"),
    {"xmm", "XMM0-XMM7, low and high half", (uint32_t)offsetof(ST, xmm), 8, 16, STATE_U64, UINT64_MAX, NULL},
    FIELD_MAX(ST, mxcsr, 0xffff, "MXCSR"),
    FIELD_MAX(ST, cpl, 3, "current privilege level"),
    FIELD_MAX(ST, halted, 1, "HLT: waiting for an interrupt"),
    FIELD_MAX(ST, shutdown, 1, "triple fault"),
    FIELD_MAX(ST, inhibit, INHIBIT_STI | INHIBIT_MOV_SS, "shadow of STI or MOV SS"),
    FIELD_MAX(ST, intr_pin, 1, "INTR"),
    FIELD_MAX(ST, nmi_pin, 1, "NMI"),
    FIELD_MAX(ST, nmi_pending, 1, "an NMI edge is latched"),
    FIELD_MAX(ST, nmi_blocked, 1, "until IRET"),
    FIELD(ST, pending_db, "DR6 bits of a debug trap to come"),
    FIELD_MAX(ST, reserved, 0, "0"));
#undef ST

void cpu_sync(struct cpu *c)
{
    c->st.eflags = cpu_eflags(c);
}

static void cpu_pre_save(void *dev)
{
    cpu_sync(dev);
}

/* Attention */

/* Would INTR be taken now, leaving shadows aside? */
static bool interrupts_on(const struct cpu *c)
{
    return c->st.intr_pin && (c->st.eflags & FLAG_IF);
}

static bool runs_slow(const struct cpu *c)
{
    return (c->st.eflags & (FLAG_TF | FLAG_RF)) || debug_armed(c) || c->nbreak || c->trace;
}

void cpu_update_attn(struct cpu *c)
{
    uint32_t a = c->attn & ATTN_EXIT;
    if (interrupts_on(c))
        a |= ATTN_INTR;
    if (c->st.nmi_pending && !c->st.nmi_blocked)
        a |= ATTN_NMI;
    if (c->st.pending_db)
        a |= ATTN_DB;
    if (c->st.inhibit)
        a |= ATTN_INHIBIT;
    if (runs_slow(c))
        a |= ATTN_SLOW;
    if (c->st.halted || c->st.shutdown)
        a |= ATTN_HALT;
    c->attn = a;
}

void cpu_set_intr(void *cpu, unsigned pin, bool level)
{
    struct cpu *c = cpu;
    (void)pin;
    c->st.intr_pin = level;
    cpu_update_attn(c);
}

void cpu_set_nmi(void *cpu, unsigned pin, bool level)
{
    struct cpu *c = cpu;
    (void)pin;
    if (level && !c->st.nmi_pin)
        c->st.nmi_pending = 1;
    c->st.nmi_pin = level;
    cpu_update_attn(c);
}

/* Port F0: IGNNE# is active from the write until FERR# goes. */
void cpu_set_ignne(struct cpu *c, bool asserted)
{
    c->st.x87.ignne = asserted && c->st.x87.ferr;
}

void cpu_request_exit(struct cpu *c)
{
    c->attn |= ATTN_EXIT;
}

/* MMU and privilege */

void cpu_set_cpl(struct cpu *c, unsigned cpl)
{
    c->st.cpl = (uint8_t)cpl;
    mmu_set_user(&c->mmu, cpl == 3);
}

void cpu_update_mmu(struct cpu *c, bool keep_global)
{
    struct mmu_controls ctl = {
        .cr0 = c->st.cr0, .cr3 = c->st.cr3, .cr4 = c->st.cr4,
        .nxe = (c->st.efer >> 11 & 1) != 0,
        .pse36 = (c->model.features & FEAT_PSE36) != 0,
        .level486 = c->model.level >= CPU_486,
    };
    for (unsigned k = 0; k < 4; k++)
        ctl.pdpte[k] = c->st.pdpte[k];
    mmu_set_controls(&c->mmu, &ctl, keep_global);
}

void cpu_state_changed(struct cpu *c)
{
    fl_encode((uint32_t)c->st.eflags, &c->fr, &c->fx);
    mmu_set_user(&c->mmu, c->st.cpl == 3);
    cpu_update_mmu(c, false);
    cpu_update_attn(c);
}

static enum emu_err cpu_post_load(void *dev, struct error *err)
{
    struct cpu *c = dev;
    (void)err;
    c->attn = 0;
    c->delivering = c->delivering_ext = 0;
    c->skip_break_once = false;
    cpu_state_changed(c);
    irq_set(&c->w.ferr, c->st.x87.ferr);
    return EMU_OK;
}

/* Reset (SDM 3A 9.1, table 9-1; 80286PRM 10.2; 8086 Family User's Manual 2.3) */

static void reset_segments(struct cpu *c)
{
    for (unsigned s = 0; s < SEG_COUNT; s++) {
        uint16_t attr = s == SEG_LDTR ? 0x82 : s == SEG_TR ? 0x8b : 0x93;
        c->st.seg[s] = (struct cpu_seg){.limit = 0xffff, .attr = attr};
    }
    struct cpu_seg *cs = &c->st.seg[SEG_CS];
    if (c->model.level <= CPU_186) {
        cs->selector = 0xffff;
        cs->base = 0xffff0;
        c->st.eip = 0;
        return;
    }
    cs->selector = 0xf000;
    cs->base = c->model.level == CPU_286 ? 0xff0000 : 0xffff0000u;
    c->st.eip = 0xfff0;
}

static void reset_control(struct cpu *c)
{
    struct cpu_state *s = &c->st;
    if (c->model.level >= CPU_486)
        s->cr0 = CR0_CD | CR0_NW | CR0_ET;
    s->idtr.limit = c->model.level <= CPU_286 ? 0x3ff : 0xffff;
    s->gdtr.limit = 0xffff;
    s->dr[6] = 0xffff0ff0;
    s->dr[7] = 0x400;
    s->mxcsr = 0x1f80;
    s->pat = 0x0007040600070406ull;
    if (c->model.level >= CPU_P6)
        s->apic_base = 0xfee00100;
}

static void cpu_reset(void *dev, enum reset_kind kind)
{
    struct cpu *c = dev;
    uint8_t intr = c->st.intr_pin, nmi = c->st.nmi_pin;
    uint64_t tsc = c->st.tsc_base - msr_tsc(c); /* counts from 0 again */
    (void)kind;
    c->st = (struct cpu_state){.intr_pin = intr, .nmi_pin = nmi, .tsc_base = tsc};
    reset_segments(c);
    reset_control(c);
    if (c->model.level >= CPU_386)
        c->st.gpr[REG_EDX] = c->model.signature;
    fpu_reset(c);
    irq_set(&c->w.ferr, false);
    c->attn = 0;
    c->delivering = c->delivering_ext = c->fault_pending = 0;
    c->skip_break_once = false;
    cpu_set_eflags(c, 0);
    cpu_state_changed(c);
}

static void cpu_close(void *dev)
{
    struct cpu *c = dev;
#ifdef HAVE_FAST
    fast_free(c);
#endif
    ref_free(c);
    mmu_free(&c->mmu);
}

const struct device_class cpu_class = {
    .name = "cpu",
    .state = &cpu_state_desc,
    .state_offset = offsetof(struct cpu, st),
    .reset = cpu_reset,
    .post_load = cpu_post_load,
    .pre_save = cpu_pre_save,
    .close = cpu_close,
};

enum emu_err cpu_init(struct cpu *c, const char *id, const struct cpu_model *model,
                      enum cpu_core core, struct cpu_wiring w, struct error *err)
{
    c->dev = (struct device){.cls = &cpu_class, .id = id};
    c->w = w;
    c->model = *model;
    c->core = core;
    enum emu_err e = mmu_init(&c->mmu, w.phys, err);
    if (e)
        return e;
    ref_init(c);
#ifdef HAVE_FAST
    if (core == CORE_FAST)
        c->fast = fast_new(c); /* NULL: out of memory, the reference tier runs */
#endif
    cpu_reset(c, RESET_POWER_ON);
    return EMU_OK;
}

/* Between two instructions */

/* Ends HLT and takes an event from outside. The next maskable one waits for an instruction, so that
 * a storm of interrupts cannot stop time. */
static void take_event(struct cpu *c, unsigned vector)
{
    c->st.halted = 0;
    cpu_interrupt(c, vector, INT_EXTERNAL, false, 0);
    c->st.inhibit |= INHIBIT_STI;
    cpu_update_attn(c);
}

static void take_nmi(struct cpu *c)
{
    c->st.nmi_pending = 0;
    c->st.nmi_blocked = 1;
    take_event(c, VEC_NMI);
}

/* Debug traps, NMI, INTR; true: one was taken. May raise. */
static bool take_events(struct cpu *c)
{
    bool held = (c->st.inhibit & INHIBIT_MOV_SS) != 0;
    c->insn_eip = c->st.eip;
    if (c->st.pending_db && !held) {
        c->st.halted = 0;
        debug_trap(c);
    }
    if (c->st.nmi_pending && !c->st.nmi_blocked && !held) {
        take_nmi(c);
        return true;
    }
    if (interrupts_on(c) && !c->st.inhibit) {
        take_event(c, c->w.intack(c->w.intack_arg));
        return true;
    }
    return false;
}

static bool at_breakpoint(const struct cpu *c)
{
    laddr pc = cpu_pc(c);
    for (uint32_t k = 0; k < c->nbreak; k++) {
        if (c->breakpoint[k] == pc)
            return true;
    }
    return false;
}

enum { DR6_BS = 1 << 14 };

/* The parts of an instruction that only matter under debugging: before it ... */
static void slow_before(struct cpu *c)
{
    if (debug_armed(c))
        debug_check_code(c);
    if (c->trace)
        c->trace(c->trace_arg, c);
    c->st.eflags &= ~(uint64_t)FLAG_RF;
}

/* ... and after it: the single-step trap, if TF was set when it began. INT n clears TF and is not
 * trapped after; MOV SS holds the trap off. */
static void slow_after(struct cpu *c, bool tf)
{
    bool interrupted = c->last_op >= OP_INT && c->last_op <= OP_INTO && !(c->st.eflags & FLAG_TF);
    if (tf && !(c->st.inhibit & INHIBIT_MOV_SS) && !interrupted)
        c->st.pending_db |= DR6_BS;
    cpu_update_attn(c);
}

static void execute_slowly(struct cpu *c)
{
    bool tf = (c->st.eflags & FLAG_TF) != 0;
    slow_before(c);
    c->st.inhibit = 0;
    ref_execute_one(c);
    c->w.clk->st.icount++;
    slow_after(c, tf);
}

static void execute(struct cpu *c)
{
    if (LIKELY((c->attn & (ATTN_SLOW | ATTN_INHIBIT | ATTN_DB)) == 0)) {
        ref_execute_one(c);
        c->w.clk->st.icount++;
    } else {
        execute_slowly(c);
    }
}

/* The run loop */

/* Why cpu_run would come back before the next instruction; CPU_LIMIT: it does not. */
static enum cpu_stop reason_to_stop(struct cpu *c)
{
    if (c->st.shutdown)
        return CPU_SHUTDOWN;
    if (c->attn & ATTN_EXIT) {
        c->attn &= ~(uint32_t)ATTN_EXIT;
        return CPU_EXIT;
    }
    return CPU_LIMIT;
}

/* One instruction, or one event. CPU_LIMIT: done, go on. */
static enum cpu_stop advance(struct cpu *c)
{
    if (UNLIKELY(c->attn)) {
        enum cpu_stop why = reason_to_stop(c);
        if (why != CPU_LIMIT)
            return why;
        if (take_events(c)) {
            c->skip_break_once = false;
            return CPU_LIMIT;
        }
        if (c->st.halted)
            return CPU_HALTED;
        if (c->nbreak && !c->skip_break_once && at_breakpoint(c))
            return CPU_BREAK;
        c->skip_break_once = false;
    }
    execute(c);
    return CPU_LIMIT;
}

/* Lets the fast tier run as far as it will; false: not at all, the reference tier is to go on. */
static bool run_fast(struct cpu *c, uint64_t limit)
{
#ifdef HAVE_FAST
    uint64_t before = c->w.clk->st.icount;
    if (!c->fast || c->attn)
        return false;
    fast_run(c, limit);
    return c->w.clk->st.icount != before || c->attn;
#else
    (void)c;
    (void)limit;
    return false;
#endif
}

static enum cpu_stop run_loop(struct cpu *c, uint64_t limit)
{
    for (;;) {
        if (UNLIKELY(c->w.clk->deadline_moved)) {
            c->w.clk->deadline_moved = false;
            return CPU_EXIT;
        }
        if (UNLIKELY(c->w.clk->st.icount >= limit))
            return CPU_LIMIT;
        if (run_fast(c, limit))
            continue;
        enum cpu_stop why = advance(c);
        if (UNLIKELY(why != CPU_LIMIT))
            return why;
    }
}

/* A fault landed: delivers it; that counts as one instruction. Delivery may fault again. */
static void fault_landed(struct cpu *c)
{
    c->st.inhibit = 0;
    cpu_deliver_fault(c);
    c->w.clk->st.icount++;
    cpu_update_attn(c);
}

enum cpu_stop cpu_run(struct cpu *c, uint64_t limit)
{
    if (setjmp(c->fault_jump))
        fault_landed(c);
    enum cpu_stop why = run_loop(c, limit);
    if (why == CPU_BREAK)
        c->skip_break_once = true;
    return why;
}

enum cpu_stop cpu_step(struct cpu *c)
{
    if (setjmp(c->fault_jump)) {
        fault_landed(c);
        return c->st.shutdown ? CPU_SHUTDOWN : CPU_LIMIT;
    }
    c->skip_break_once = true;
    enum cpu_stop why = advance(c);
    c->skip_break_once = false;
    return why;
}

/* The debugger's doors */

bool cpu_linear_to_phys(struct cpu *c, laddr addr, paddr *out)
{
    return mmu_probe(&c->mmu, (uint32_t)addr, out);
}

/* Physical address of `addr` and how many of `len` bytes lie on its page; 0: not mapped. */
static size_t peek_span(struct cpu *c, laddr addr, size_t len, paddr *out)
{
    size_t left = PHYS_PAGE_SIZE - (size_t)(addr & (PHYS_PAGE_SIZE - 1));
    if (!cpu_linear_to_phys(c, addr, out))
        return 0;
    return left < len ? left : len;
}

bool cpu_peek(struct cpu *c, laddr addr, void *to, size_t len)
{
    uint8_t *p = to;
    while (len > 0) {
        paddr at = 0;
        size_t n = peek_span(c, addr, len, &at);
        if (n == 0)
            return false;
        phys_peek_bytes(c->w.phys, at, p, n);
        p += n;
        addr += n;
        len -= n;
    }
    return true;
}

bool cpu_poke(struct cpu *c, laddr addr, const void *from, size_t len)
{
    const uint8_t *p = from;
    while (len > 0) {
        paddr at = 0;
        size_t n = peek_span(c, addr, len, &at);
        if (n == 0)
            return false;
        phys_write_bytes(c->w.phys, at, p, n);
        p += n;
        addr += n;
        len -= n;
    }
    return true;
}

static int find_break(const struct cpu *c, laddr addr)
{
    for (uint32_t k = 0; k < c->nbreak; k++) {
        if (c->breakpoint[k] == addr)
            return (int)k;
    }
    return -1;
}

bool cpu_break_add(struct cpu *c, laddr addr)
{
    if (find_break(c, addr) >= 0)
        return true;
    if (c->nbreak == CPU_BREAKPOINTS)
        return false;
    c->breakpoint[c->nbreak++] = addr;
    cpu_update_attn(c);
    return true;
}

bool cpu_break_remove(struct cpu *c, laddr addr)
{
    int k = find_break(c, addr);
    if (k < 0)
        return false;
    c->breakpoint[k] = c->breakpoint[--c->nbreak];
    cpu_update_attn(c);
    return true;
}

void cpu_set_trace(struct cpu *c, void (*fn)(void *arg, struct cpu *c), void *arg)
{
    c->trace = fn;
    c->trace_arg = arg;
    cpu_update_attn(c);
}
