/*
 * Flag instructions: CLC to STD, LAHF, SAHF, CLI and STI, PUSHF and POPF with their IOPL, VME and PVI
 * rules (SDM 2A, 2B; 3A 20.3, 20.4).
 */
#include "cpu/desc.h"
#include "cpu/operand.h"

static void set_carry(struct cpu *c, uint32_t cf)
{
    fl_set_cf_of(&c->fr, &c->fx, cf, fl_of(c->fr, c->fx));
}

/* CLC -- F8; STC -- F9; CMC -- F5. */
void op_clc(struct cpu *c, const struct insn *i) { (void)i; set_carry(c, 0); }
void op_stc(struct cpu *c, const struct insn *i) { (void)i; set_carry(c, 1); }
void op_cmc(struct cpu *c, const struct insn *i) { (void)i; set_carry(c, !fl_cf(c->fr)); }

/* CLD -- FC; STD -- FD. */
void op_cld(struct cpu *c, const struct insn *i) { (void)i; c->st.eflags &= ~(uint64_t)FLAG_DF; }
void op_std(struct cpu *c, const struct insn *i) { (void)i; c->st.eflags |= FLAG_DF; }

/* LAHF -- 9F. */
void op_lahf(struct cpu *c, const struct insn *i)
{
    (void)i;
    reg_write(c, 4, 1, cpu_eflags(c) & 0xff);
}

/* SAHF -- 9E. OF stays. */
void op_sahf(struct cpu *c, const struct insn *i)
{
    (void)i;
    uint32_t low = reg_read(c, 4, 1) & (FLAGS_ARITH & 0xff);
    flags_set_arith(c, low | fl_of(c->fr, c->fx) << 11);
}

/* SALC -- D6: AL = CF ? FF : 0. */
void op_salc(struct cpu *c, const struct insn *i)
{
    (void)i;
    reg_write(c, REG_EAX, 1, fl_cf(c->fr) ? 0xff : 0);
}

/* Who may change IF: IF itself, VIF in its place, or nobody (SDM 2A CLI, STI). */
enum if_access { IF_REAL, IF_VIRTUAL, IF_DENIED };

static enum if_access interrupt_flag_access(const struct cpu *c)
{
    if (in_real_mode(c))
        return IF_REAL;
    if (in_v86(c))
        return cpu_iopl(c) == 3 ? IF_REAL : (c->st.cr4 & CR4_VME) ? IF_VIRTUAL : IF_DENIED;
    if (c->st.cpl <= cpu_iopl(c))
        return IF_REAL;
    return c->st.cpl == 3 && (c->st.cr4 & CR4_PVI) ? IF_VIRTUAL : IF_DENIED;
}

/* CLI -- FA. */
void op_cli(struct cpu *c, const struct insn *i)
{
    (void)i;
    switch (interrupt_flag_access(c)) {
    case IF_REAL: flags_replace(c, 0, FLAG_IF); break;
    case IF_VIRTUAL: flags_replace(c, 0, FLAG_VIF); break;
    default: raise_gp(c, 0);
    }
}

/* STI -- FB. Interrupts are recognized after the instruction that follows. */
void op_sti(struct cpu *c, const struct insn *i)
{
    (void)i;
    switch (interrupt_flag_access(c)) {
    case IF_REAL:
        if (!(c->st.eflags & FLAG_IF))
            c->st.inhibit |= INHIBIT_STI;
        flags_replace(c, FLAG_IF, FLAG_IF);
        break;
    case IF_VIRTUAL:
        if (c->st.eflags & FLAG_VIP)
            raise_gp(c, 0);
        flags_replace(c, FLAG_VIF, FLAG_VIF);
        break;
    default: raise_gp(c, 0);
    }
}

/* PUSHF and POPF in V86 mode below IOPL 3: with VME and 16 bits VIF stands for IF. */
static bool uses_virtual_if(struct cpu *c, const struct insn *i)
{
    if (!in_v86(c) || cpu_iopl(c) == 3)
        return false;
    if (!(c->st.cr4 & CR4_VME) || i->size != 2)
        raise_gp(c, 0);
    return true;
}

/* PUSHF -- 9C. VM and RF read as 0. */
void op_pushf(struct cpu *c, const struct insn *i)
{
    uint32_t f = flags_image(c) & ~(uint32_t)(FLAG_VM | FLAG_RF);
    if (uses_virtual_if(c, i))
        f = (f & ~(uint32_t)FLAG_IF) | FLAG_IOPL | ((c->st.eflags & FLAG_VIF) ? FLAG_IF : 0);
    stack_push(c, i->size, f);
}

/* Bits that POPF changes in the present mode. */
static uint32_t popf_mask(const struct cpu *c, unsigned size)
{
    uint32_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;
    if (size == 4)
        mask |= FLAG_AC | FLAG_ID;
    if (in_real_mode(c)) {
        mask |= FLAG_IF;
        if (c->model.level == CPU_286)
            return mask & ~(uint32_t)FLAG_NT; /* the 286 holds NT and IOPL at 0 (80286PRM 3.3) */
        return mask | FLAG_IOPL;
    }
    if (c->st.cpl == 0 && !in_v86(c))
        mask |= FLAG_IOPL;
    if (in_v86(c) || c->st.cpl <= cpu_iopl(c))
        mask |= FLAG_IF;
    return mask;
}

/* POPF -- 9D. RF is cleared by every instruction that completes. */
void op_popf(struct cpu *c, const struct insn *i)
{
    bool virtual_if = uses_virtual_if(c, i);
    uint32_t v = stack_peek(c, 0, i->size), mask = popf_mask(c, i->size);
    if (virtual_if) {
        if ((v & FLAG_TF) || ((v & FLAG_IF) && (c->st.eflags & FLAG_VIP)))
            raise_gp(c, 0);
        v = (v & ~(uint32_t)FLAG_VIF) | ((v & FLAG_IF) ? FLAG_VIF : 0);
        mask = (mask & ~(uint32_t)(FLAG_IF | FLAG_IOPL)) | FLAG_VIF;
    }
    stack_set_pointer(c, stack_pointer(c) + i->size);
    flags_replace(c, v, mask);
}
