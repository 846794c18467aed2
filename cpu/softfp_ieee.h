/*
 * IEEE 754 arithmetic in single and double format as SSE and SSE2 do it: pure functions on the bits of the numbers.
 *
 * Models: SDM vol. 1 4.8.3 (NaNs, table 4-7), 11.5.2 (exceptions), 10.2.3 (MXCSR: rounding, masks, DAZ, FTZ). Every
 * function ORs the exceptions it raises into `flags`. What it returns under an unmasked exception is of no use:
 * the instruction writes nothing then. A NaN result is the first operand if that is a NaN.
 */
#ifndef CPU_SOFTFP_IEEE_H
#define CPU_SOFTFP_IEEE_H

#include "cpu/softfp_int.h"

struct ieee_ctx {
    uint16_t cw;    /* rounding (FP_RC_*) and exception masks (FP_IE .. FP_PE) as in an x87 control word */
    uint16_t flags; /* FP_IE .. FP_PE */
    bool daz;       /* denormal operands count as zeros */
    bool ftz;       /* tiny results become zeros, if underflow is masked */
};

typedef uint64_t ieee_binary(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b);
ieee_binary ieee_add, ieee_sub, ieee_mul, ieee_div;
/* Not symmetric: b where a NaN is among them, and of two zeros. */
ieee_binary ieee_min, ieee_max;
uint64_t ieee_sqrt(struct ieee_ctx *x, const struct fp_format *f, uint64_t a);
/* `quiet`: only a signalling NaN is invalid. */
enum fp_relation ieee_compare(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b, bool quiet);

uint64_t ieee_convert(struct ieee_ctx *x, const struct fp_format *from, const struct fp_format *to, uint64_t a);
uint64_t ieee_from_int32(struct ieee_ctx *x, const struct fp_format *f, int32_t v);
/* Out of range: invalid, and the integer indefinite 80000000. Rounds as cw says. */
uint32_t ieee_to_int32(struct ieee_ctx *x, const struct fp_format *f, uint64_t a);

/* 1 / a and 1 / sqrt(a) of singles to 12 bits, without exceptions (RCPPS, RSQRTPS). */
uint32_t ieee_approx_reciprocal(uint32_t a);
uint32_t ieee_approx_root(uint32_t a);

#endif
