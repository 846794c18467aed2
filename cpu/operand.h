/*
 * The operands of a decoded instruction: the first one is the destination. Memory destinations are
 * read with the write checks first (a read-modify-write faults before anything changes).
 */
#ifndef CPU_OPERAND_H
#define CPU_OPERAND_H

#include "cpu/alu.h"
#include "cpu/exec.h"

static inline bool dst_is_memory(const struct insn *i)
{
    return i->form == FORM_MR || i->form == FORM_MI || i->form == FORM_M || i->form == FORM_MRI;
}

static inline uint32_t memory_operand(struct cpu *c, const struct insn *i, unsigned size)
{
    return (uint32_t)mem_read(c, i->seg, insn_ea(c, i), size);
}

/* The second operand; of a one-operand instruction the only one. `size` may differ from i->size. */
static inline uint32_t src_read_size(struct cpu *c, const struct insn *i, unsigned size)
{
    switch (i->form) {
    case FORM_RR: case FORM_MR: case FORM_RRI: case FORM_MRI: return reg_read(c, i->src, size);
    case FORM_RM: case FORM_RMI: case FORM_M: return memory_operand(c, i, size);
    case FORM_R: return reg_read(c, i->dst, size);
    default: return i->imm & alu_mask(size);
    }
}

static inline uint32_t src_read(struct cpu *c, const struct insn *i)
{
    return src_read_size(c, i, i->size);
}

/* The destination, about to be overwritten; *ea is for dst_write. */
static inline uint32_t dst_read(struct cpu *c, const struct insn *i, uint32_t *ea)
{
    *ea = 0;
    if (!dst_is_memory(i))
        return reg_read(c, i->dst, i->size);
    *ea = insn_ea(c, i);
    return (uint32_t)mem_read_rmw(c, i->seg, *ea, i->size);
}

static inline void dst_write(struct cpu *c, const struct insn *i, uint32_t ea, uint32_t value)
{
    if (dst_is_memory(i))
        mem_write(c, i->seg, ea, i->size, value);
    else
        reg_write(c, i->dst, i->size, value);
}

/* The destination of a pure write. */
static inline void dst_store(struct cpu *c, const struct insn *i, uint32_t value)
{
    dst_write(c, i, dst_is_memory(i) ? insn_ea(c, i) : 0, value);
}

static inline uint32_t address_mask(const struct insn *i)
{
    return i->asize == 2 ? 0xffff : 0xffffffffu;
}

/* Near transfers: the target of operand size `size`, checked against CS's limit (#GP(0)). */
static inline uint32_t near_target(struct cpu *c, uint32_t eip, unsigned size)
{
    if (size == 2)
        eip &= 0xffff;
    if (eip > c->st.seg[SEG_CS].limit)
        raise_gp(c, 0);
    return eip;
}

#endif
