/*
 * SSE2: integers in XMM registers, and the bitwise operations of SSE. See cpu/sse.h.
 *
 * Models: SDM vol. 2 for each instruction. They are the MMX instructions on twice the bits, so that the operations on
 * 64 bits come from mmx.c; what mixes the elements of both halves says here how.
 *
 * Wired by cpu/sse.c's table.
 */
#include "cpu/sse.h"

/* The operation on each half. */
static struct xmm halves(mmx_fn *fn, struct xmm a, struct xmm b)
{
    struct xmm r = {{fn(a.q[0], b.q[0]), fn(a.q[1], b.q[1])}};
    return r;
}

/* ANDPS ANDNPS ORPS XORPS and PD -- 0F 54-57. */
void sse_logic(struct cpu *c, const struct insn *i)
{
    static const uint8_t mmx_opcode[] = {0xdb, 0xdf, 0xeb, 0xef}; /* PAND PANDN POR PXOR */
    struct xmm b = sse_source(c, i, 16);
    sse_set_register(c, i->dst, halves(mmx_binary(mmx_opcode[i->opcode & 3]), sse_register(c, i->dst), b));
}

/* Whatever works on each element by itself, and PSADBW, PMADDWD, PMULUDQ -- 66 0F 64 .. FE. */
void sse_integer(struct cpu *c, const struct insn *i)
{
    struct xmm b = sse_source(c, i, 16);
    sse_set_register(c, i->dst, halves(mmx_binary(i->opcode & 0xff), sse_register(c, i->dst), b));
}

/* PUNPCKLBW/WD/DQ -- 66 0F 60-62, PUNPCKHBW/WD/DQ -- 66 0F 68-6A: one half of each operand makes a register;
 * PUNPCKLQDQ -- 66 0F 6C, PUNPCKHQDQ -- 66 0F 6D. */
void sse_unpack(struct cpu *c, const struct insn *i)
{
    struct xmm a = sse_register(c, i->dst), b = sse_source(c, i, 16), r;
    unsigned opcode = i->opcode & 0xff;
    if (opcode >= 0x6c) {
        unsigned half = opcode & 1;
        r = (struct xmm){{a.q[half], b.q[half]}};
    } else {
        unsigned half = opcode >= 0x68, size = opcode & 3;
        r = (struct xmm){{mmx_binary(0x60 + size)(a.q[half], b.q[half]),
                          mmx_binary(0x68 + size)(a.q[half], b.q[half])}};
    }
    sse_set_register(c, i->dst, r);
}

/* PACKSSWB PACKUSWB PACKSSDW -- 66 0F 63 67 6B: the first operand becomes the low half. */
void sse_pack(struct cpu *c, const struct insn *i)
{
    struct xmm a = sse_register(c, i->dst), b = sse_source(c, i, 16);
    mmx_fn *fn = mmx_binary(i->opcode & 0xff);
    struct xmm r = {{fn(a.q[0], a.q[1]), fn(b.q[0], b.q[1])}};
    sse_set_register(c, i->dst, r);
}

/* PSRLW/D/Q PSRAW/D PSLLW/D/Q -- 66 0F D1-D3 E1 E2 F1-F3: the count is the low half of the second operand. */
void sse_shift(struct cpu *c, const struct insn *i)
{
    struct xmm count = sse_source(c, i, 16);
    count.q[1] = count.q[0];
    sse_set_register(c, i->dst, halves(mmx_binary(i->opcode & 0xff), sse_register(c, i->dst), count));
}

/* PSLLDQ -- 66 0F 73 /7 ib. */
static struct xmm bytes_left(struct xmm a, unsigned count)
{
    struct u128 v = {a.q[1], a.q[0]};
    if (count < 16)
        v = u128_shl(v, 8 * count);
    struct xmm r = {{count < 16 ? v.lo : 0, count < 16 ? v.hi : 0}};
    return r;
}

/* PSRLDQ -- 66 0F 73 /3 ib. */
static struct xmm bytes_right(struct xmm a, unsigned count)
{
    struct u128 v = {a.q[1], a.q[0]};
    if (count < 16)
        v = u128_shr(v, 8 * count);
    struct xmm r = {{count < 16 ? v.lo : 0, count < 16 ? v.hi : 0}};
    return r;
}

/* Shifts by an immediate -- 66 0F 71 72 73, /2 right, /4 right signed, /6 left; by bytes /3 right, /7 left. */
void sse_shift_immediate(struct cpu *c, const struct insn *i)
{
    struct xmm a = sse_register(c, i->dst), count = {{i->imm & 0xff, i->imm & 0xff}}, r;
    switch (i->modrm >> 3 & 7) {
    case 3: r = bytes_right(a, i->imm & 0xff); break;
    case 7: r = bytes_left(a, i->imm & 0xff); break;
    default: r = halves(mmx_immediate_shift(i), a, count); break;
    }
    sse_set_register(c, i->dst, r);
}
