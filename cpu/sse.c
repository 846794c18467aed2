/*
 * SSE and SSE2: the way in (which instruction, may it run), operands, MXCSR and its exceptions.
 *
 * Models: SDM vol. 1 ch. 10 and 11; vol. 3A 2.5 and 13.1 (CR0.EM, TS, CR4.OSFXSR, OSXMMEXCPT), 6.15 (#XM); SDM
 * vol. 2 for each instruction; its exception classes tell the order: #UD, #NM, #MF, then memory faults, of which
 * #GP(0) for a misaligned 16-byte operand goes first, then #XM. Nothing is written if an exception is unmasked.
 *
 * NOT MODELLED: caches and write combining, so that non-temporal stores are stores and fences and prefetches do
 * nothing. Where #AC is on, unaligned 16-byte operands are checked as two of 8.
 *
 * Wired by ref.c: op_sse, op_ldmxcsr, op_stmxcsr. The MMX-register instructions of SSE and SSE2 are in mmx.c.
 */
#include "cpu/sse.h"

/* --- operands --- */

enum sse_prefix sse_prefix(const struct insn *i)
{
    if (i->rep)
        return i->rep == REP_Z ? SSE_F3 : SSE_F2;
    return i->flags & INSN_OSIZE ? SSE_66 : SSE_NP;
}

struct xmm sse_register(const struct cpu *c, unsigned n)
{
    struct xmm v = {{c->st.xmm[n][0], c->st.xmm[n][1]}};
    return v;
}

void sse_set_register(struct cpu *c, unsigned n, struct xmm v)
{
    c->st.xmm[n][0] = v.q[0];
    c->st.xmm[n][1] = v.q[1];
}

/* Alignment, which is #GP(0) "regardless of segment" (SDM 2A MOVAPS), so before a limit that SS may break; then the
 * segment checks of all 16 bytes; paging comes with the access. */
static uint32_t operand_address(struct cpu *c, const struct insn *i, bool write, bool aligned)
{
    uint32_t ea = insn_ea(c, i);
    if (aligned && ((c->st.seg[i->seg].base + ea) & 15))
        raise_gp(c, 0);
    (void)seg_linear(c, i->seg, ea, 16, write);
    return ea;
}

struct xmm sse_load(struct cpu *c, const struct insn *i, bool aligned)
{
    uint32_t ea = operand_address(c, i, false, aligned);
    struct xmm v;
    v.q[0] = mem_read(c, i->seg, ea, 8);
    v.q[1] = mem_read(c, i->seg, ea + 8, 8);
    return v;
}

void sse_store(struct cpu *c, const struct insn *i, struct xmm v, bool aligned)
{
    uint32_t ea = operand_address(c, i, true, aligned);
    mem_probe_write(c, i->seg, ea, 8);
    mem_probe_write(c, i->seg, ea + 8, 8);
    mem_write(c, i->seg, ea, 8, v.q[0]);
    mem_write(c, i->seg, ea + 8, 8, v.q[1]);
}

struct xmm sse_source(struct cpu *c, const struct insn *i, unsigned size)
{
    if (!sse_has_memory(i))
        return sse_register(c, i->src);
    if (size == 16)
        return sse_load(c, i, true);
    struct xmm v = {{mem_read(c, i->seg, insn_ea(c, i), size), 0}};
    return v;
}

/* --- MXCSR --- */

/* DAZ came with the Pentium 4. */
uint32_t sse_mxcsr_bits(const struct cpu *c)
{
    return c->model.features & FEAT_SSE2 ? 0xffff : 0xffff & ~(uint32_t)MXCSR_DAZ;
}

struct ieee_ctx sse_context(const struct cpu *c)
{
    uint32_t m = c->st.mxcsr;
    struct ieee_ctx x = {0, 0, (m & MXCSR_DAZ) != 0, (m & MXCSR_FTZ) != 0};
    x.cw = (uint16_t)((m >> MXCSR_MASK_SHIFT & FP_EXCEPTIONS) | (m >> MXCSR_RC_SHIFT & FP_RC_FIELD));
    return x;
}

/* An unmasked exception that is found before computing keeps the whole operation from being done, so that the
 * others of its elements are not seen (SDM 1 11.5.3.2). */
void sse_finish(struct cpu *c, const struct ieee_ctx *x)
{
    uint32_t flags = x->flags, unmasked = flags & ~(uint32_t)x->cw & FP_EXCEPTIONS;
    if (unmasked & (FP_IE | FP_DE | FP_ZE))
        flags &= FP_IE | FP_DE | FP_ZE;
    c->st.mxcsr |= flags;
    if (unmasked)
        cpu_raise(c, c->st.cr4 & CR4_OSXMMEXCPT ? VEC_XM : VEC_UD, 0);
}

/* --- which instruction --- */

/* What an instruction touches decides what must be enabled. */
enum unit { UNIT_XMM, UNIT_MMX, UNIT_XMM_AND_MMX, UNIT_NONE };

struct sse_op {
    op_fn *run;
    enum unit unit;
};

#define MMX_ONLY {mmx_op, UNIT_MMX}
#define ALL_FOUR(fn) {{fn, UNIT_XMM}, {fn, UNIT_XMM}, {fn, UNIT_XMM}, {fn, UNIT_XMM}}
#define NP_66(fn) {{fn, UNIT_XMM}, {fn, UNIT_XMM}}
#define XMM_MMX(fn) {{fn, UNIT_XMM_AND_MMX}, {fn, UNIT_XMM_AND_MMX}, {fn, UNIT_XMM}, {fn, UNIT_XMM}}
#define WITH_MMX(fn) {MMX_ONLY, {fn, UNIT_XMM}}
#define ONLY_66(fn) {[SSE_66] = {fn, UNIT_XMM}}

/* By the second opcode byte and the prefix. */
static const struct sse_op ops[256][4] = {
    [0x10] = {{sse_move_load, 0}, {sse_move_load, 0}, {sse_move_scalar_load, 0}, {sse_move_scalar_load, 0}},
    [0x11] = {{sse_move_store, 0}, {sse_move_store, 0}, {sse_move_scalar_store, 0}, {sse_move_scalar_store, 0}},
    [0x12] = NP_66(sse_move_low_load), [0x13] = NP_66(sse_move_low_store),
    [0x14] = NP_66(sse_unpack_float), [0x15] = NP_66(sse_unpack_float),
    [0x16] = NP_66(sse_move_high_load), [0x17] = NP_66(sse_move_high_store),
    [0x28] = NP_66(sse_move_aligned_load), [0x29] = NP_66(sse_move_aligned_store),
    [0x2a] = XMM_MMX(sse_convert), [0x2b] = NP_66(sse_move_nontemporal),
    [0x2c] = XMM_MMX(sse_convert), [0x2d] = XMM_MMX(sse_convert),
    [0x2e] = NP_66(sse_compare_scalar), [0x2f] = NP_66(sse_compare_scalar),
    [0x50] = NP_66(sse_move_float_mask), [0x51] = ALL_FOUR(sse_arithmetic),
    [0x52] = ALL_FOUR(sse_approximate), [0x53] = ALL_FOUR(sse_approximate),
    [0x54] = NP_66(sse_logic), [0x55] = NP_66(sse_logic), [0x56] = NP_66(sse_logic), [0x57] = NP_66(sse_logic),
    [0x58] = ALL_FOUR(sse_arithmetic), [0x59] = ALL_FOUR(sse_arithmetic),
    [0x5a] = ALL_FOUR(sse_convert), [0x5b] = ALL_FOUR(sse_convert),
    [0x5c] = ALL_FOUR(sse_arithmetic), [0x5d] = ALL_FOUR(sse_arithmetic),
    [0x5e] = ALL_FOUR(sse_arithmetic), [0x5f] = ALL_FOUR(sse_arithmetic),
    [0x60] = ONLY_66(sse_unpack), [0x61] = ONLY_66(sse_unpack), [0x62] = ONLY_66(sse_unpack),
    [0x63] = ONLY_66(sse_pack), [0x64] = ONLY_66(sse_integer), [0x65] = ONLY_66(sse_integer),
    [0x66] = ONLY_66(sse_integer), [0x67] = ONLY_66(sse_pack), [0x68] = ONLY_66(sse_unpack),
    [0x69] = ONLY_66(sse_unpack), [0x6a] = ONLY_66(sse_unpack), [0x6b] = ONLY_66(sse_pack),
    [0x6c] = ONLY_66(sse_unpack), [0x6d] = ONLY_66(sse_unpack), [0x6e] = ONLY_66(sse_movd_load),
    [0x6f] = {[SSE_66] = {sse_move_aligned_load, 0}, [SSE_F3] = {sse_move_load, 0}},
    [0x70] = {MMX_ONLY, {sse_shuffle_dwords, 0}, {sse_shuffle_words, 0}, {sse_shuffle_words, 0}},
    [0x71] = ONLY_66(sse_shift_immediate), [0x72] = ONLY_66(sse_shift_immediate),
    [0x73] = ONLY_66(sse_shift_immediate),
    [0x74] = ONLY_66(sse_integer), [0x75] = ONLY_66(sse_integer), [0x76] = ONLY_66(sse_integer),
    [0x7e] = {[SSE_66] = {sse_movd_store, 0}, [SSE_F3] = {sse_movq_load, 0}},
    [0x7f] = {[SSE_66] = {sse_move_aligned_store, 0}, [SSE_F3] = {sse_move_store, 0}},
    [0xc2] = ALL_FOUR(sse_compare), [0xc3] = {{sse_move_nti, UNIT_NONE}},
    [0xc4] = WITH_MMX(sse_insert_word), [0xc5] = WITH_MMX(sse_extract_word), [0xc6] = NP_66(sse_shuffle_float),
    [0xd1] = ONLY_66(sse_shift), [0xd2] = ONLY_66(sse_shift), [0xd3] = ONLY_66(sse_shift),
    [0xd4] = WITH_MMX(sse_integer), [0xd5] = ONLY_66(sse_integer),
    [0xd6] = {[SSE_66] = {sse_movq_store, 0}, [SSE_F3] = {sse_movq2dq, UNIT_XMM_AND_MMX},
              [SSE_F2] = {sse_movdq2q, UNIT_XMM_AND_MMX}},
    [0xd7] = WITH_MMX(sse_move_byte_mask),
    [0xd8] = ONLY_66(sse_integer), [0xd9] = ONLY_66(sse_integer), [0xda] = WITH_MMX(sse_integer),
    [0xdb] = ONLY_66(sse_integer), [0xdc] = ONLY_66(sse_integer), [0xdd] = ONLY_66(sse_integer),
    [0xde] = WITH_MMX(sse_integer), [0xdf] = ONLY_66(sse_integer), [0xe0] = WITH_MMX(sse_integer),
    [0xe1] = ONLY_66(sse_shift), [0xe2] = ONLY_66(sse_shift), [0xe3] = WITH_MMX(sse_integer),
    [0xe4] = WITH_MMX(sse_integer), [0xe5] = ONLY_66(sse_integer),
    [0xe6] = {[SSE_66] = {sse_convert, 0}, [SSE_F3] = {sse_convert, 0}, [SSE_F2] = {sse_convert, 0}},
    [0xe7] = WITH_MMX(sse_move_nontemporal), [0xe8] = ONLY_66(sse_integer), [0xe9] = ONLY_66(sse_integer),
    [0xea] = WITH_MMX(sse_integer), [0xeb] = ONLY_66(sse_integer), [0xec] = ONLY_66(sse_integer),
    [0xed] = ONLY_66(sse_integer), [0xee] = WITH_MMX(sse_integer), [0xef] = ONLY_66(sse_integer),
    [0xf1] = ONLY_66(sse_shift), [0xf2] = ONLY_66(sse_shift), [0xf3] = ONLY_66(sse_shift),
    [0xf4] = WITH_MMX(sse_integer), [0xf5] = ONLY_66(sse_integer), [0xf6] = WITH_MMX(sse_integer),
    [0xf7] = WITH_MMX(sse_masked_store), [0xf8] = ONLY_66(sse_integer), [0xf9] = ONLY_66(sse_integer),
    [0xfa] = ONLY_66(sse_integer), [0xfb] = WITH_MMX(sse_integer), [0xfc] = ONLY_66(sse_integer),
    [0xfd] = ONLY_66(sse_integer), [0xfe] = ONLY_66(sse_integer),
};

/* SDM 3A table 13-1. */
static void check_available(struct cpu *c)
{
    if ((c->st.cr0 & CR0_EM) || !(c->st.cr4 & CR4_OSFXSR))
        raise_ud(c);
    if (c->st.cr0 & CR0_TS)
        cpu_raise(c, VEC_NM, 0);
}

/* CVTPI2PD is the one that has no business with the x87 state if its operand is in memory (SDM 2A). */
static bool touches_mmx(const struct insn *i, const struct sse_op *op)
{
    bool memory_to_double = i->opcode == 0x0f2a && sse_prefix(i) == SSE_66 && sse_has_memory(i);
    return op->unit == UNIT_XMM_AND_MMX && !memory_to_double;
}

void op_sse(struct cpu *c, const struct insn *i)
{
    const struct sse_op *op = &ops[i->opcode & 0xff][sse_prefix(i)];
    bool mmx = touches_mmx(i, op);

    if (!op->run)
        raise_ud(c);
    if (op->unit == UNIT_XMM || op->unit == UNIT_XMM_AND_MMX)
        check_available(c);
    if (mmx)
        fpu_check_pending(c);
    op->run(c, i);
    if (mmx)
        mmx_enter(c);
}

/* LDMXCSR m32 -- 0F AE /2. Flags that it sets raise nothing (SDM 1 10.2.3). */
void op_ldmxcsr(struct cpu *c, const struct insn *i)
{
    check_available(c);
    uint32_t v = (uint32_t)mem_read(c, i->seg, insn_ea(c, i), 4);
    if (v & ~sse_mxcsr_bits(c))
        raise_gp(c, 0);
    c->st.mxcsr = v;
}

/* STMXCSR m32 -- 0F AE /3. */
void op_stmxcsr(struct cpu *c, const struct insn *i)
{
    check_available(c);
    mem_write(c, i->seg, insn_ea(c, i), 4, c->st.mxcsr);
}
