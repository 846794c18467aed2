/*
 * Data movement: MOV and its extending forms, XCHG, LEA, conditional moves, the stack instructions,
 * ENTER and LEAVE (SDM 2A, 2B). Segment registers are in ops_system.c.
 *
 * The 8086 pushes SP as it is after the push.
 */
#include "cpu/operand.h"

/* MOV -- 88-8B, A0-A3, B0-BF, C6-C7. */
void op_mov(struct cpu *c, const struct insn *i)
{
    dst_store(c, i, src_read(c, i));
}

/* MOVZX -- 0F B6, B7. */
void op_movzx8(struct cpu *c, const struct insn *i) { dst_store(c, i, src_read_size(c, i, 1)); }
void op_movzx16(struct cpu *c, const struct insn *i) { dst_store(c, i, src_read_size(c, i, 2)); }
/* MOVSX -- 0F BE, BF. */
void op_movsx8(struct cpu *c, const struct insn *i) { dst_store(c, i, alu_sext(1, src_read_size(c, i, 1))); }
void op_movsx16(struct cpu *c, const struct insn *i) { dst_store(c, i, alu_sext(2, src_read_size(c, i, 2))); }

/* LEA -- 8D. The address by address size, cut or extended to the operand size. */
void op_lea(struct cpu *c, const struct insn *i)
{
    reg_write(c, i->dst, i->size, insn_ea(c, i));
}

/* XCHG -- 86-87, 90-97. Locks the bus with a memory operand. */
void op_xchg(struct cpu *c, const struct insn *i)
{
    uint32_t ea, a = dst_read(c, i, &ea), b = reg_read(c, i->src, i->size);
    dst_write(c, i, ea, b);
    reg_write(c, i->src, i->size, a);
}

/* XLAT -- D7. */
void op_xlat(struct cpu *c, const struct insn *i)
{
    uint32_t ea = (uint32_t)c->st.gpr[REG_EBX] + reg_read(c, REG_EAX, 1);
    reg_write(c, REG_EAX, 1, (uint32_t)mem_read(c, i->seg, ea & address_mask(i), 1));
}

/* CMOVcc -- 0F 40-4F. The source is read in any case; 32-bit destinations too stay when false. */
void op_cmov(struct cpu *c, const struct insn *i)
{
    uint32_t v = src_read(c, i);
    if (fl_cond(i->cc, c->fr, c->fx))
        reg_write(c, i->dst, i->size, v);
}

/* SETcc -- 0F 90-9F. */
void op_setcc(struct cpu *c, const struct insn *i)
{
    dst_store(c, i, fl_cond(i->cc, c->fr, c->fx));
}

/* The stack */

/* PUSH -- 50-57, 68, 6A, FF /6. */
void op_push(struct cpu *c, const struct insn *i)
{
    uint32_t v = src_read(c, i);
    bool after = c->model.level <= CPU_186 && i->form == FORM_R && i->dst == REG_ESP;
    stack_push(c, i->size, after ? v - 2 : v);
}

/* POP r/m -- 8F /0. An address through (E)SP is formed after the pop; a fault leaves (E)SP. */
static void pop_to_memory(struct cpu *c, const struct insn *i)
{
    uint64_t esp = c->st.gpr[REG_ESP];
    uint32_t v = stack_pop(c, i->size);
    uint64_t moved = c->st.gpr[REG_ESP];
    uint32_t ea = insn_ea(c, i);
    c->st.gpr[REG_ESP] = esp;
    mem_write(c, i->seg, ea, i->size, v);
    c->st.gpr[REG_ESP] = moved;
}

/* POP -- 58-5F, 8F /0. */
void op_pop(struct cpu *c, const struct insn *i)
{
    if (dst_is_memory(i))
        pop_to_memory(c, i);
    else
        reg_write(c, i->dst, i->size, stack_pop(c, i->size));
}

/* PUSHA -- 60. All eight slots are checked before the first is written. */
void op_pusha(struct cpu *c, const struct insn *i)
{
    uint32_t mask = stack32(c) ? 0xffffffffu : 0xffff, sp = stack_pointer(c);
    for (unsigned k = 1; k <= 8; k++)
        mem_probe_write(c, SEG_SS, (sp - k * i->size) & mask, i->size);
    for (unsigned k = 0; k < 8; k++)
        mem_write(c, SEG_SS, (sp - (k + 1) * i->size) & mask, i->size, reg_read(c, k, i->size));
    stack_set_pointer(c, sp - 8 * i->size);
}

/* POPA -- 61. The slot of (E)SP is skipped. */
void op_popa(struct cpu *c, const struct insn *i)
{
    uint32_t v[8];
    for (unsigned k = 0; k < 8; k++)
        v[7 - k] = stack_peek(c, k * i->size, i->size);
    stack_set_pointer(c, stack_pointer(c) + 8 * i->size);
    for (unsigned k = 0; k < 8; k++) {
        if (k != REG_ESP)
            reg_write(c, k, i->size, v[k]);
    }
}

/* Copies the frame pointers of ENTER's outer levels; returns the stack offset below them. */
static uint32_t copy_display(struct cpu *c, const struct insn *i, uint32_t sp, uint32_t frame, unsigned level)
{
    uint32_t mask = stack32(c) ? 0xffffffffu : 0xffff, bp = (uint32_t)c->st.gpr[REG_EBP];
    for (unsigned k = 1; k < level; k++) {
        bp -= i->size;
        uint32_t v = (uint32_t)mem_read(c, SEG_SS, bp & mask, i->size);
        sp = (sp - i->size) & mask;
        mem_write(c, SEG_SS, sp, i->size, v);
    }
    sp = (sp - i->size) & mask;
    mem_write(c, SEG_SS, sp, i->size, frame);
    return sp;
}

/* ENTER -- C8 iw ib. The registers change last, so that it restarts after a fault. */
void op_enter(struct cpu *c, const struct insn *i)
{
    uint32_t mask = stack32(c) ? 0xffffffffu : 0xffff;
    unsigned level = i->imm2 & 31;
    uint32_t sp = (stack_pointer(c) - i->size) & mask;
    mem_write(c, SEG_SS, sp, i->size, reg_read(c, REG_EBP, i->size));
    uint32_t frame = ((uint32_t)c->st.gpr[REG_ESP] & ~mask) | sp; /* all of ESP, also on a 16-bit stack */
    if (level > 0)
        sp = copy_display(c, i, sp, frame, level);
    sp = (sp - i->imm) & mask;
    if (c->model.level >= CPU_386)
        mem_probe_write(c, SEG_SS, sp, i->size); /* SDM 2A: a push to the new top would fault */
    stack_set_pointer(c, sp);
    reg_write(c, REG_EBP, i->size, frame);
}

/* LEAVE -- C9. */
void op_leave(struct cpu *c, const struct insn *i)
{
    uint32_t mask = stack32(c) ? 0xffffffffu : 0xffff;
    uint32_t bp = (uint32_t)c->st.gpr[REG_EBP] & mask;
    uint32_t v = (uint32_t)mem_read(c, SEG_SS, bp, i->size);
    stack_set_pointer(c, bp + i->size);
    reg_write(c, REG_EBP, i->size, v);
}
