/*
 * SSE and SSE2: instructions that move data and change none of it. See cpu/sse.h.
 *
 * Models: SDM vol. 2 for each instruction. A load of less than 16 bytes into an XMM register clears the rest of it,
 * a move between registers keeps it, except for MOVQ.
 *
 * Wired by cpu/sse.c's table.
 */
#include "cpu/sse.h"

static uint64_t read_memory(struct cpu *c, const struct insn *i, unsigned size)
{
    return mem_read(c, i->seg, insn_ea(c, i), size);
}

static void write_memory(struct cpu *c, const struct insn *i, unsigned size, uint64_t v)
{
    mem_write(c, i->seg, insn_ea(c, i), size, v);
}

static void load(struct cpu *c, const struct insn *i, bool aligned)
{
    sse_set_register(c, i->dst, sse_has_memory(i) ? sse_load(c, i, aligned) : sse_register(c, i->src));
}

static void store(struct cpu *c, const struct insn *i, bool aligned)
{
    struct xmm v = sse_register(c, i->src);
    if (sse_has_memory(i))
        sse_store(c, i, v, aligned);
    else
        sse_set_register(c, i->dst, v);
}

/* MOVUPS, MOVUPD -- 0F 10, 0F 11; MOVDQU -- F3 0F 6F, 7F. */
void sse_move_load(struct cpu *c, const struct insn *i) { load(c, i, false); }
void sse_move_store(struct cpu *c, const struct insn *i) { store(c, i, false); }

/* MOVAPS, MOVAPD -- 0F 28, 0F 29; MOVDQA -- 66 0F 6F, 7F. */
void sse_move_aligned_load(struct cpu *c, const struct insn *i) { load(c, i, true); }
void sse_move_aligned_store(struct cpu *c, const struct insn *i) { store(c, i, true); }

/* MOVNTPS, MOVNTPD -- 0F 2B; MOVNTDQ -- 66 0F E7. */
void sse_move_nontemporal(struct cpu *c, const struct insn *i) { store(c, i, true); }

/* MOVNTI m32, r32 -- 0F C3. */
void sse_move_nti(struct cpu *c, const struct insn *i) { write_memory(c, i, 4, reg_read(c, i->src, 4)); }

static unsigned scalar_bits(const struct insn *i) { return sse_prefix(i) == SSE_F3 ? 32 : 64; }

static void move_scalar_registers(struct cpu *c, const struct insn *i)
{
    struct xmm from = sse_register(c, i->src), to = sse_register(c, i->dst);
    set_element(&to, scalar_bits(i), 0, element_of(&from, scalar_bits(i), 0));
    sse_set_register(c, i->dst, to);
}

/* MOVSS -- F3 0F 10, 11; MOVSD -- F2 0F 10, 11. */
void sse_move_scalar_load(struct cpu *c, const struct insn *i)
{
    if (sse_has_memory(i)) {
        struct xmm v = {{read_memory(c, i, scalar_bits(i) / 8), 0}};
        sse_set_register(c, i->dst, v);
    } else {
        move_scalar_registers(c, i);
    }
}

void sse_move_scalar_store(struct cpu *c, const struct insn *i)
{
    struct xmm v = sse_register(c, i->src);
    if (sse_has_memory(i))
        write_memory(c, i, scalar_bits(i) / 8, element_of(&v, scalar_bits(i), 0));
    else
        move_scalar_registers(c, i);
}

/* MOVLPS, MOVLPD -- 0F 12 with memory; MOVHLPS -- with a register. */
void sse_move_low_load(struct cpu *c, const struct insn *i)
{
    c->st.xmm[i->dst][0] = sse_has_memory(i) ? read_memory(c, i, 8) : c->st.xmm[i->src][1];
}

/* MOVHPS, MOVHPD -- 0F 16 with memory; MOVLHPS -- with a register. */
void sse_move_high_load(struct cpu *c, const struct insn *i)
{
    c->st.xmm[i->dst][1] = sse_has_memory(i) ? read_memory(c, i, 8) : c->st.xmm[i->src][0];
}

/* MOVLPS, MOVLPD -- 0F 13; MOVHPS, MOVHPD -- 0F 17. */
void sse_move_low_store(struct cpu *c, const struct insn *i) { write_memory(c, i, 8, c->st.xmm[i->src][0]); }
void sse_move_high_store(struct cpu *c, const struct insn *i) { write_memory(c, i, 8, c->st.xmm[i->src][1]); }

/* MOVD xmm, r/m32 -- 66 0F 6E. */
void sse_movd_load(struct cpu *c, const struct insn *i)
{
    struct xmm v = {{sse_has_memory(i) ? read_memory(c, i, 4) : reg_read(c, i->src, 4), 0}};
    sse_set_register(c, i->dst, v);
}

/* MOVD r/m32, xmm -- 66 0F 7E. */
void sse_movd_store(struct cpu *c, const struct insn *i)
{
    uint32_t v = (uint32_t)c->st.xmm[i->src][0];
    if (sse_has_memory(i))
        write_memory(c, i, 4, v);
    else
        reg_write(c, i->dst, 4, v);
}

/* MOVQ xmm, xmm/m64 -- F3 0F 7E. */
void sse_movq_load(struct cpu *c, const struct insn *i)
{
    struct xmm v = {{sse_has_memory(i) ? read_memory(c, i, 8) : c->st.xmm[i->src][0], 0}};
    sse_set_register(c, i->dst, v);
}

/* MOVQ xmm/m64, xmm -- 66 0F D6. */
void sse_movq_store(struct cpu *c, const struct insn *i)
{
    struct xmm v = {{c->st.xmm[i->src][0], 0}};
    if (sse_has_memory(i))
        write_memory(c, i, 8, v.q[0]);
    else
        sse_set_register(c, i->dst, v);
}

/* MOVQ2DQ xmm, mm -- F3 0F D6; MOVDQ2Q mm, xmm -- F2 0F D6. */
void sse_movq2dq(struct cpu *c, const struct insn *i)
{
    struct xmm v = {{c->st.x87.mant[i->src], 0}};
    sse_set_register(c, i->dst, v);
}

void sse_movdq2q(struct cpu *c, const struct insn *i) { mmx_write(c, i->dst, c->st.xmm[i->src][0]); }

/* MOVMSKPS, MOVMSKPD r32, xmm -- 0F 50: the signs. */
void sse_move_float_mask(struct cpu *c, const struct insn *i)
{
    struct xmm v = sse_register(c, i->src);
    unsigned bits = sse_prefix(i) == SSE_66 ? 64 : 32;
    uint32_t mask = 0;
    for (unsigned n = 0; n < 128 / bits; n++)
        mask |= (uint32_t)(element_of(&v, bits, n) >> (bits - 1)) << n;
    reg_write(c, i->dst, 4, mask);
}

/* PMOVMSKB r32, xmm -- 66 0F D7: the signs of the bytes. */
void sse_move_byte_mask(struct cpu *c, const struct insn *i)
{
    reg_write(c, i->dst, 4, mmx_byte_signs(c->st.xmm[i->src][0]) | mmx_byte_signs(c->st.xmm[i->src][1]) << 8);
}

/* MASKMOVDQU xmm, xmm -- 66 0F F7: the bytes of the first operand whose mask byte has its sign set, to DS:rDI. */
void sse_masked_store(struct cpu *c, const struct insn *i)
{
    mmx_masked_store(c, i, c->st.xmm[i->dst], c->st.xmm[i->src], 16);
}
