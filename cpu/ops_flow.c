/*
 * Near transfers of control: jumps, calls, returns, loops (SDM 2A, 2B). The target is checked against
 * CS's limit before anything changes. Far ones and software interrupts are in ops_system.c.
 */
#include "cpu/operand.h"

static void jump_relative(struct cpu *c, const struct insn *i)
{
    c->st.eip = near_target(c, (uint32_t)c->st.eip + i->imm, i->size);
}

/* Jcc -- 70-7F, 0F 80-8F. */
void op_jcc(struct cpu *c, const struct insn *i)
{
    if (fl_cond(i->cc, c->fr, c->fx))
        jump_relative(c, i);
}

/* JMP rel -- E9, EB. */
void op_jmp(struct cpu *c, const struct insn *i)
{
    jump_relative(c, i);
}

/* JMP r/m -- FF /4. */
void op_jmpi(struct cpu *c, const struct insn *i)
{
    c->st.eip = near_target(c, src_read(c, i), i->size);
}

static void call_near(struct cpu *c, uint32_t target, unsigned size)
{
    stack_push(c, size, (uint32_t)c->st.eip);
    c->st.eip = target;
}

/* CALL rel -- E8. */
void op_call(struct cpu *c, const struct insn *i)
{
    call_near(c, near_target(c, (uint32_t)c->st.eip + i->imm, i->size), i->size);
}

/* CALL r/m -- FF /2. */
void op_calli(struct cpu *c, const struct insn *i)
{
    call_near(c, near_target(c, src_read(c, i), i->size), i->size);
}

/* RET -- C2 iw, C3. */
void op_ret(struct cpu *c, const struct insn *i)
{
    uint32_t target = near_target(c, stack_peek(c, 0, i->size), i->size);
    stack_set_pointer(c, stack_pointer(c) + i->size + i->imm);
    c->st.eip = target;
}

/* Loops: CX or ECX by address size; the target is checked before the count changes. */

static void loop_if(struct cpu *c, const struct insn *i, bool condition)
{
    uint32_t count = (reg_read(c, REG_ECX, i->asize) - 1) & address_mask(i);
    if (count != 0 && condition)
        jump_relative(c, i);
    reg_write(c, REG_ECX, i->asize, count);
}

/* LOOP -- E2; LOOPE -- E1; LOOPNE -- E0. */
void op_loop(struct cpu *c, const struct insn *i) { loop_if(c, i, true); }
void op_loopz(struct cpu *c, const struct insn *i) { loop_if(c, i, fl_zf(c->fr)); }
void op_loopnz(struct cpu *c, const struct insn *i) { loop_if(c, i, !fl_zf(c->fr)); }

/* JCXZ, JECXZ -- E3. */
void op_jcxz(struct cpu *c, const struct insn *i)
{
    if (reg_read(c, REG_ECX, i->asize) == 0)
        jump_relative(c, i);
}
