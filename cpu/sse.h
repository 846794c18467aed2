/*
 * What the sse*.c files share: the operands of an SSE or SSE2 instruction, and MXCSR with its exceptions. Only
 * cpu/sse*.c and cpu/fpu_env.c include this.
 */
#ifndef CPU_SSE_H
#define CPU_SSE_H

#include "cpu/fpu.h"
#include "cpu/softfp_ieee.h"

/* MXCSR (SDM 1 10.2.3): flags in bits 0-5, in FP_IE .. FP_PE's order, their masks in 7-12. */
enum {
    MXCSR_DAZ = 0x0040,
    MXCSR_MASK_SHIFT = 7,
    MXCSR_RC_SHIFT = 3, /* from bits 13-14 to an x87 control word's 10-11 */
    MXCSR_FTZ = 0x8000,
};

/* An XMM register or 16 bytes of memory: low and high half. */
struct xmm {
    uint64_t q[2];
};

/* The mandatory prefix, which selects among four instructions of one opcode. */
enum sse_prefix { SSE_NP, SSE_66, SSE_F3, SSE_F2 };
enum sse_prefix sse_prefix(const struct insn *i);

static inline bool sse_has_memory(const struct insn *i) { return i->modrm < 0xc0; }

static inline uint32_t dword_of(const struct xmm *v, unsigned n) { return (uint32_t)(v->q[n >> 1] >> (n & 1) * 32); }

static inline void set_dword(struct xmm *v, unsigned n, uint32_t to)
{
    unsigned at = (n & 1) * 32;
    v->q[n >> 1] = (v->q[n >> 1] & ~((uint64_t)0xffffffffu << at)) | (uint64_t)to << at;
}

/* Element n of 32 or 64 bits. */
static inline uint64_t element_of(const struct xmm *v, unsigned bits, unsigned n)
{
    return bits == 32 ? dword_of(v, n) : v->q[n];
}

static inline void set_element(struct xmm *v, unsigned bits, unsigned n, uint64_t to)
{
    if (bits == 32)
        set_dword(v, n, (uint32_t)to);
    else
        v->q[n] = to;
}

struct xmm sse_register(const struct cpu *c, unsigned n);
void sse_set_register(struct cpu *c, unsigned n, struct xmm v);

/* Memory operands of 16 bytes; `aligned`: #GP(0) unless on a 16-byte boundary. */
struct xmm sse_load(struct cpu *c, const struct insn *i, bool aligned);
void sse_store(struct cpu *c, const struct insn *i, struct xmm v, bool aligned);
/* The second operand: a register, or `size` bytes of memory (16: aligned). */
struct xmm sse_source(struct cpu *c, const struct insn *i, unsigned size);

/* Arithmetic under MXCSR; sse_finish enters the flags and raises #XM (or #UD) for unmasked ones. */
struct ieee_ctx sse_context(const struct cpu *c);
void sse_finish(struct cpu *c, const struct ieee_ctx *x);

/* Bits of MXCSR that the model has; the others are reserved (SDM 1 11.6.6). */
uint32_t sse_mxcsr_bits(const struct cpu *c);

/* The instructions, by opcode and prefix: sse.c's table. */
op_fn sse_move_load, sse_move_store, sse_move_aligned_load, sse_move_aligned_store, sse_move_scalar_load,
    sse_move_scalar_store, sse_move_low_load, sse_move_high_load, sse_move_low_store, sse_move_high_store,
    sse_move_nontemporal, sse_move_nti, sse_movd_load, sse_movd_store, sse_movq_load, sse_movq_store, sse_movq2dq,
    sse_movdq2q, sse_move_float_mask, sse_move_byte_mask, sse_masked_store;                       /* sse_move.c */
op_fn sse_arithmetic, sse_approximate, sse_compare, sse_compare_scalar;                           /* sse_float.c */
op_fn sse_convert;                                                                                /* sse_convert.c */
op_fn sse_unpack_float, sse_shuffle_float, sse_shuffle_dwords, sse_shuffle_words, sse_insert_word,
    sse_extract_word;                                                                             /* sse_shuffle.c */
op_fn sse_logic, sse_integer, sse_unpack, sse_pack, sse_shift, sse_shift_immediate;               /* sse_integer.c */

#endif
