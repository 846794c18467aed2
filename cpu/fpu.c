/*
 * The x87 unit: register stack, exceptions, and the way in from ESC opcodes and WAIT.
 *
 * Models: SDM vol. 1 ch. 8 (register stack, status and control word, stack faults 8.5.1.1, exception handling
 * 8.6, 8.7), vol. 3A 2.5 (CR0.EM, MP, TS, NE), 9.2 (state after reset). All arithmetic is cpu/softfp.h.
 *
 * NOT MODELLED: with CR0.NE = 0 and IRQ 13 masked, a 486 stands still before the next waiting x87 instruction; here it
 * goes on. FERR# rises with the exception, not with the next instruction. A model without an x87 ignores ESC
 * opcodes, as a socket without a coprocessor does.
 *
 * Wired by cpu.c: fpu_reset; by ref.c's table: fpu_esc, fpu_wait, fpu_fxsave, fpu_fxrstor. w.ferr goes to IRQ 13.
 */
#include "cpu/fpu.h"

static unsigned physical(const struct cpu *c, unsigned n)
{
    return (c->st.x87.top + n) & 7;
}

bool fpu_is_empty(const struct cpu *c, unsigned n)
{
    return c->st.x87.empty >> physical(c, n) & 1;
}

struct f80 fpu_st(const struct cpu *c, unsigned n)
{
    unsigned r = physical(c, n);
    struct f80 v = {c->st.x87.mant[r], c->st.x87.se[r]};
    return v;
}

void fpu_set_st(struct cpu *c, unsigned n, struct f80 v)
{
    unsigned r = physical(c, n);
    c->st.x87.mant[r] = v.mant;
    c->st.x87.se[r] = v.se;
    c->st.x87.empty &= (uint8_t)~(1u << r);
}

void fpu_free(struct cpu *c, unsigned n)
{
    c->st.x87.empty |= (uint8_t)(1u << physical(c, n));
}

void fpu_push(struct cpu *c, struct f80 v)
{
    c->st.x87.top = (c->st.x87.top - 1) & 7;
    fpu_set_st(c, 0, v);
}

void fpu_pop(struct cpu *c)
{
    fpu_free(c, 0);
    c->st.x87.top = (c->st.x87.top + 1) & 7;
}

struct fp_ctx fpu_context(const struct cpu *c)
{
    struct fp_ctx x = {c->st.x87.control, 0, 0};
    return x;
}

struct f80 fpu_operand(const struct cpu *c, struct fp_ctx *x, unsigned n)
{
    if (fpu_is_empty(c, n)) {
        x->flags |= FP_IE | FPU_SF;
        return f80_default_nan();
    }
    return fpu_st(c, n);
}

bool fpu_room(const struct cpu *c, struct fp_ctx *x)
{
    if (fpu_is_empty(c, 7)) {
        return true;
    }
    x->flags |= FP_IE | FPU_SF;
    x->c1 = 1;
    return false;
}

void fpu_update_summary(struct cpu *c)
{
    struct cpu_x87 *f = &c->st.x87;
    bool pending = (f->status & ~f->control & FP_EXCEPTIONS) != 0;
    bool ferr = pending && !(c->st.cr0 & CR0_NE);

    f->status &= (uint16_t)~(FPU_ES | FPU_BUSY);
    if (pending) {
        f->status |= FPU_ES | FPU_BUSY;
    }
    /* The latch of port F0 lasts as long as the error that it silences. */
    if (!ferr) {
        f->ignne = 0;
    }
    if (f->ferr != ferr) {
        f->ferr = ferr;
        irq_set(&c->w.ferr, ferr);
    }
}

void fpu_finish(struct cpu *c, const struct fp_ctx *x)
{
    c->st.x87.status &= (uint16_t)~FPU_C1;
    c->st.x87.status |= (uint16_t)(x->flags | (x->c1 ? FPU_C1 : 0));
    fpu_update_summary(c);
}

void fpu_set_conditions(struct cpu *c, uint16_t conditions)
{
    c->st.x87.status = (uint16_t)((c->st.x87.status & ~FPU_CONDITION) | conditions);
}

void fpu_check_pending(struct cpu *c)
{
    if (c->st.x87.status & FPU_ES && c->st.cr0 & CR0_NE) {
        cpu_raise(c, VEC_MF, 0);
    }
}

uint16_t fpu_status_word(const struct cpu *c)
{
    return (uint16_t)(c->st.x87.status | c->st.x87.top << FPU_TOP_SHIFT);
}

void fpu_load_control(struct cpu *c, uint16_t control)
{
    c->st.x87.control = (uint16_t)((control & FPU_CW_DEFINED) | FPU_CW_ONE);
    fpu_update_summary(c);
}

void fpu_init(struct cpu *c)
{
    struct cpu_x87 *f = &c->st.x87;
    f->status = 0;
    f->top = 0;
    f->empty = 0xFF;
    f->opcode = 0;
    f->ip = f->dp = 0;
    f->cs = f->ds = 0;
    fpu_load_control(c, FPU_CW_INIT);
}

/* SDM 3A table 9-1: at power-up +0.0 in all registers, none of them empty. */
void fpu_reset(struct cpu *c)
{
    fpu_init(c);
    c->st.x87.control = FPU_CW_RESET;
    c->st.x87.empty = 0;
    for (unsigned i = 0; i < 8; i++) {
        c->st.x87.mant[i] = 0;
        c->st.x87.se[i] = 0;
    }
}

uint32_t fpu_area(const struct insn *i, uint32_t ea, uint32_t at)
{
    return i->asize == 2 ? (ea + at) & 0xFFFF : ea + at;
}

/* The pointers of SDM 1 8.1.8; kept as offset and selector, made linear when saved in real mode. */
static void note_pointers(struct cpu *c, const struct insn *i)
{
    struct cpu_x87 *f = &c->st.x87;
    f->opcode = (uint16_t)((i->opcode & 7) << 8 | i->modrm);
    f->ip = c->insn_eip;
    f->cs = c->st.seg[SEG_CS].selector;
    if (i->modrm < 0xC0) {
        f->dp = insn_ea(c, i);
        f->ds = c->st.seg[i->seg].selector;
    }
}

void fpu_esc(struct cpu *c, const struct insn *i)
{
    const struct fpu_op *op;

    if (c->st.cr0 & (CR0_EM | CR0_TS)) {
        cpu_raise(c, VEC_NM, 0);
    }
    if (!(c->model.features & FEAT_FPU)) {
        return;
    }
    op = i->modrm < 0xC0 ? fpu_find_memory_op(i) : fpu_find_register_op(c, i);
    if (op->kind == FPU_ILLEGAL) {
        raise_ud(c);
    }
    if (op->kind != FPU_NO_WAIT) {
        fpu_check_pending(c);
    }
    op->run(c, i);
    if (op->kind == FPU_NUMERIC) {
        note_pointers(c, i);
    }
}

void fpu_wait(struct cpu *c)
{
    if ((c->st.cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) {
        cpu_raise(c, VEC_NM, 0);
    }
    if (c->model.features & FEAT_FPU) {
        fpu_check_pending(c);
    }
}
