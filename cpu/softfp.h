/*
 * The 80-bit extended real arithmetic of the x87, as pure functions on integers.
 *
 * Models: SDM vol. 1 ch. 4.8 (formats, NaN rules), ch. 8.3-8.5 (operations, exceptions), IEEE 754-1985.
 * Every function takes its rounding and precision control and its exception masks from `cw` (the layout of
 * the x87 control word), ORs the exceptions it raises into `flags` (the layout of the status word) and sets `c1`
 * when the significand of the result was rounded up. Nothing here reads host floating point, so the results
 * are the same on every host.
 *
 * Masks matter to a result only where the architecture says so: an unmasked overflow or underflow gives a result
 * with its exponent biased by 24576, an unmasked denormal operand ends the operation. Whether a result may
 * be stored at all is the caller's question: fp_aborts().
 */
#ifndef CPU_SOFTFP_H
#define CPU_SOFTFP_H

#include <stdbool.h>
#include <stdint.h>

/* An extended real in registers or memory: sign in bit 15 of `se`, explicit integer bit in bit 63 of `mant`. */
struct f80 {
    uint64_t mant;
    uint16_t se;
};

struct fp_ctx {
    uint16_t cw;
    uint16_t flags;
    uint8_t c1;
};

/* Exception bits: positions of the status word and, as masks, of the control word (SDM 1 8.1.3, 8.1.5). */
enum {
    FP_IE = 0x01,
    FP_DE = 0x02,
    FP_ZE = 0x04,
    FP_OE = 0x08,
    FP_UE = 0x10,
    FP_PE = 0x20,
    FP_EXCEPTIONS = 0x3F
};

/* Control word fields: precision in bits 8-9, rounding in bits 10-11. */
enum { FP_PC_24 = 0x000, FP_PC_53 = 0x200, FP_PC_64 = 0x300, FP_PC_FIELD = 0x300 };
enum { FP_RC_NEAREST = 0x000, FP_RC_DOWN = 0x400, FP_RC_UP = 0x800, FP_RC_CHOP = 0xC00, FP_RC_FIELD = 0xC00 };

enum fp_relation { FP_LESS, FP_EQUAL, FP_GREATER, FP_UNORDERED };

/* In the order of FXAM's C3:C2:C0 (SDM 2A FXAM, table 3-41); 5 is the empty register, which only the caller knows. */
enum fp_class {
    FP_CLASS_UNSUPPORTED = 0,
    FP_CLASS_NAN = 1,
    FP_CLASS_NORMAL = 2,
    FP_CLASS_INFINITY = 3,
    FP_CLASS_ZERO = 4,
    FP_CLASS_EMPTY = 5,
    FP_CLASS_DENORMAL = 6
};

/* The constants of FLD1 .. FLDZ in the order of their opcodes D9 E8 .. D9 EE. */
enum fp_constant { FP_ONE, FP_LOG2_10, FP_LOG2_E, FP_PI, FP_LOG10_2, FP_LN_2, FP_ZERO, FP_CONSTANTS };

#define F80_DEFAULT_NAN_SE 0xFFFFu
#define F80_DEFAULT_NAN_MANT 0xC000000000000000u
#define F80_QUIET_BIT 0x4000000000000000u

/* True if an unmasked invalid, denormal or zero-divide exception keeps the destination unchanged (SDM 1 8.5). */
bool fp_aborts(const struct fp_ctx *x);
/* True if, besides, an unmasked overflow or underflow keeps a memory destination unchanged (SDM 1 8.5.4, 8.5.5). */
bool fp_aborts_store(const struct fp_ctx *x);

struct f80 f80_default_nan(void);
struct f80 f80_constant(const struct fp_ctx *x, enum fp_constant which);
enum fp_class f80_classify(struct f80 a);
bool f80_is_nan(struct f80 a);

/* Basic operations, rounded to the precision of the control word. */
struct f80 f80_add(struct fp_ctx *x, struct f80 a, struct f80 b);
struct f80 f80_sub(struct fp_ctx *x, struct f80 a, struct f80 b);
struct f80 f80_mul(struct fp_ctx *x, struct f80 a, struct f80 b);
struct f80 f80_div(struct fp_ctx *x, struct f80 a, struct f80 b);
struct f80 f80_sqrt(struct fp_ctx *x, struct f80 a);
/* FCOM (quiet false: any NaN is invalid) and FUCOM (quiet true: only a signalling NaN is). */
enum fp_relation f80_compare(struct fp_ctx *x, struct f80 a, struct f80 b, bool quiet);

/* Result of one FPREM or FPREM1 step: low three quotient bits, and whether the reduction is still partial (C2). */
struct fp_quotient {
    uint8_t low_bits;
    bool partial;
};
struct f80 f80_rem(struct fp_ctx *x, struct f80 a, struct f80 b, bool nearest, struct fp_quotient *q);
/* FSCALE: a * 2^trunc(b). */
struct f80 f80_scale(struct fp_ctx *x, struct f80 a, struct f80 b);
/* FXTRACT: returns the exponent as a number and stores the significand, 1 <= |s| < 2. */
struct f80 f80_extract(struct fp_ctx *x, struct f80 a, struct f80 *significand);
struct f80 f80_round_to_integer(struct fp_ctx *x, struct f80 a);

/* Conversions. To an integer: out of range is invalid and gives the integer indefinite. */
struct f80 f80_from_int64(int64_t v);
struct f80 f80_from_f32(struct fp_ctx *x, uint32_t bits);
struct f80 f80_from_f64(struct fp_ctx *x, uint64_t bits);
int16_t f80_to_int16(struct fp_ctx *x, struct f80 a);
int32_t f80_to_int32(struct fp_ctx *x, struct f80 a);
int64_t f80_to_int64(struct fp_ctx *x, struct f80 a);
uint32_t f80_to_f32(struct fp_ctx *x, struct f80 a);
uint64_t f80_to_f64(struct fp_ctx *x, struct f80 a);
/* Packed BCD of FBLD and FBSTP: 18 digits, low byte first, sign in bit 7 of byte 9. */
struct f80 f80_from_bcd(const uint8_t bcd[10]);
void f80_to_bcd(struct fp_ctx *x, struct f80 a, uint8_t bcd[10]);

/* Transcendentals, always rounded to 64 bits by the rounding control; under 1 ulp of error. */
struct f80 f80_2xm1(struct fp_ctx *x, struct f80 a);
/* y * log2(v) and y * log2(v + 1). */
struct f80 f80_yl2x(struct fp_ctx *x, struct f80 y, struct f80 v);
struct f80 f80_yl2xp1(struct fp_ctx *x, struct f80 y, struct f80 v);
/* arctan(y / v) in the quadrant of the point (v, y). */
struct f80 f80_patan(struct fp_ctx *x, struct f80 y, struct f80 v);
/* False, with nothing computed, if |a| >= 2^63 (C2). Either result pointer may be NULL. */
bool f80_sincos(struct fp_ctx *x, struct f80 a, struct f80 *sine, struct f80 *cosine);
bool f80_ptan(struct fp_ctx *x, struct f80 a, struct f80 *tangent);

#endif
