/*
 * What the fast tier's x87 and SSE files share. A slot of theirs has its struct insn kept, so that what they leave to the reference tier is not decoded again.
 */
#ifndef CPU_FAST_UNIT_H
#define CPU_FAST_UNIT_H

#include "cpu/fast/core.h"

/* x87.c, sse.c: `kind` is that of the memory operand, which is in the slot already. */
bool fast_select_x87(const struct cpu *c, const struct insn *o, unsigned kind, struct slot *s);
bool fast_select_sse(const struct cpu *c, const struct insn *o, unsigned kind, struct slot *s);
/* run.c: keeps o for fast_slow; there may be no room, then it is decoded again. */
void fast_keep_insn(struct fast *f, const struct slot *i, const struct insn *o);

/* Goes to the reference tier unless x. */
#define REQUIRE(x) if (UNLIKELY(!(x))) SLOW

/* FCOMI, COMISD: ZF PF CF as an unsigned comparison; OF SF AF are cleared. Not for unordered operands. */
INLINE void unit_set_relation(uint64_t *fr, uint64_t *fx, uint64_t less, uint64_t equal)
{
    *fr = (equal ^ 1) << 8 | less << 32;
    *fx = less << 32 | 1ull << 48;
}

#endif
