/*
 * SSE and SSE2: instructions that select and rearrange elements. See cpu/sse.h.
 *
 * Models: SDM vol. 2, SHUFPS, SHUFPD, UNPCKLPS .., PSHUFD, PSHUFLW, PSHUFHW, PINSRW, PEXTRW. Immediates give two bits
 * (SHUFPD: one) for each element of the result, lowest first.
 *
 * Wired by cpu/sse.c's table.
 */
#include "cpu/sse.h"

/* UNPCKLPS, UNPCKLPD -- 0F 14; UNPCKHPS, UNPCKHPD -- 0F 15: the low or high halves in turn, the first operand's
 * element first. */
void sse_unpack_float(struct cpu *c, const struct insn *i)
{
    struct xmm a = sse_register(c, i->dst), b = sse_source(c, i, 16);
    unsigned half = i->opcode & 1;
    struct xmm r = {{a.q[half], b.q[half]}};
    if (sse_prefix(i) == SSE_NP) {
        r.q[0] = mmx_interleave_dwords(a.q[half], b.q[half]);
        r.q[1] = mmx_interleave_dwords(a.q[half] >> 32, b.q[half] >> 32);
    }
    sse_set_register(c, i->dst, r);
}

static struct xmm shuffle_singles(const struct xmm *a, const struct xmm *b, unsigned imm)
{
    struct xmm r = {{0, 0}};
    for (unsigned n = 0; n < 4; n++)
        set_dword(&r, n, dword_of(n < 2 ? a : b, imm >> 2 * n & 3));
    return r;
}

/* SHUFPS, SHUFPD -- 0F C6 ib: the low half of the result from the first operand, the high half from the second. */
void sse_shuffle_float(struct cpu *c, const struct insn *i)
{
    struct xmm a = sse_register(c, i->dst), b = sse_source(c, i, 16);
    struct xmm doubles = {{a.q[i->imm & 1], b.q[i->imm >> 1 & 1]}};
    sse_set_register(c, i->dst, sse_prefix(i) == SSE_NP ? shuffle_singles(&a, &b, i->imm) : doubles);
}

/* PSHUFD -- 66 0F 70 ib. */
void sse_shuffle_dwords(struct cpu *c, const struct insn *i)
{
    struct xmm b = sse_source(c, i, 16);
    sse_set_register(c, i->dst, shuffle_singles(&b, &b, i->imm));
}

/* PSHUFHW -- F3 0F 70 ib; PSHUFLW -- F2 0F 70 ib: one half; the other is copied. */
void sse_shuffle_words(struct cpu *c, const struct insn *i)
{
    struct xmm b = sse_source(c, i, 16);
    unsigned half = sse_prefix(i) == SSE_F3;
    b.q[half] = mmx_shuffle_words(b.q[half], i->imm);
    sse_set_register(c, i->dst, b);
}

/* PINSRW xmm, r32/m16, imm8 -- 66 0F C4. */
void sse_insert_word(struct cpu *c, const struct insn *i)
{
    unsigned half = i->imm >> 2 & 1;
    c->st.xmm[i->dst][half] = mmx_insert_word(c, i, c->st.xmm[i->dst][half]);
}

/* PEXTRW r32, xmm, imm8 -- 66 0F C5. */
void sse_extract_word(struct cpu *c, const struct insn *i)
{
    reg_write(c, i->dst, 4, mmx_extract_word(c->st.xmm[i->src][i->imm >> 2 & 1], i->imm));
}
