/*
 * String instructions, shared by memory and port strings.
 *
 * One retired instruction is one chunk of a repeated string: it ends where an operand reaches the end
 * of its 4 KiB linear page, where a 16-bit index wraps, at the end of the count, at a CMPS/SCAS
 * condition; it is one element under TF or armed breakpoints. Between chunks EIP stays at the
 * instruction and RF is set (SDM 3B 17.3.1.1), so interrupts and traps are taken there.
 */
#ifndef CPU_OPS_STRING_H
#define CPU_OPS_STRING_H

#include "cpu/exec.h"

typedef void string_fn(struct cpu *c, const struct insn *i);

static inline uint32_t string_index(const struct cpu *c, const struct insn *i, unsigned reg)
{
    return reg_read(c, reg, i->asize);
}

/* Moves an index register over `n` elements by DF. */
static inline void string_advance(struct cpu *c, const struct insn *i, unsigned reg, uint32_t n)
{
    uint32_t step = n * i->size;
    bool down = (c->st.eflags & FLAG_DF) != 0;
    reg_write(c, reg, i->asize, string_index(c, i, reg) + (down ? 0u - step : step));
}

static inline uint32_t string_count(const struct cpu *c, const struct insn *i)
{
    return reg_read(c, REG_ECX, i->asize);
}

static inline void string_count_down(struct cpu *c, const struct insn *i, uint32_t n)
{
    reg_write(c, REG_ECX, i->asize, string_count(c, i) - n);
}

/* The captured 80286 in real mode has moved the index registers and counted before it notices that a
 * word runs over the end of the segment: does this element's operand at `reg`? */
static inline bool string_overruns(const struct cpu *c, const struct insn *i, unsigned reg)
{
    return c->model.level == CPU_286 && in_real_mode(c) && i->size == 2 &&
           string_index(c, i, reg) == 0xffff;
}

/* Then: the index registers having been moved, count and raise. Writes are counted one ahead. */
static inline void string_overrun(struct cpu *c, const struct insn *i, uint32_t counted)
{
    if (i->rep)
        string_count_down(c, i, counted);
    raise_gp(c, 0);
}

/* The string goes on: execute the same instruction again. */
static inline void string_again(struct cpu *c)
{
    c->st.eip = c->insn_eip;
    if (c->model.level >= CPU_386) {
        c->st.eflags |= FLAG_RF;
        c->attn |= ATTN_SLOW;
    }
}

#endif
