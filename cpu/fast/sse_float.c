/*
 * SSE and SSE2 in the fast tier: arithmetic, comparison and conversion of singles and doubles, by the host's.
 *
 * The host computes in IEEE 754's formats, rounding to nearest (xmm.h: FLT_EVAL_METHOD 0, Makefile: no
 * contraction). Its result is the only one possible where operands are normal or zero and the result is zero by the
 * operands or well inside the normal range; then PE is the only flag that may be due. It is sticky: once it is set
 * there is nothing to find out. Before that, sums are checked by their exact error, products by their low
 * bits, conversions by converting back. All else (other rounding, PE unmasked, NaNs, denormals, infinities, results
 * at the ends of the range) goes to the reference tier, which remains the specification.
 *
 * Slots: xmm.h.
 */
#include "cpu/fast/xmm.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef XMM_FAST

enum { MXCSR_PM = FP_PE << MXCSR_MASK_SHIFT, MXCSR_RC = FP_RC_FIELD << MXCSR_RC_SHIFT };

/* PE is masked; and, rounding is to nearest. */
INLINE bool pe_masked(const struct cpu *c) { return (c->st.mxcsr & MXCSR_PM) != 0; }
INLINE bool to_nearest(const struct cpu *c) { return (c->st.mxcsr & (MXCSR_PM | MXCSR_RC)) == MXCSR_PM; }
INLINE bool pe_set(const struct cpu *c) { return (c->st.mxcsr & FP_PE) != 0; }

INLINE double f64_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, 8);
    return v;
}
INLINE uint64_t bits_of_f64(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    return bits;
}
INLINE float f32_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, 4);
    return v;
}
INLINE uint32_t bits_of_f32(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, 4);
    return bits;
}

INLINE bool zero64(uint64_t v) { return v << 1 == 0; }
INLINE bool zero32(uint32_t v) { return v << 1 == 0; }
/* Normal. */
INLINE bool normal64(uint64_t v) { return ((uint32_t)(v >> 52) & 0x7ff) - 1 < 0x7fe; }
INLINE bool normal32(uint32_t v) { return (v >> 23 & 0xff) - 1 < 0xfe; }
/* Normal or zero: an operand without a flag of its own. */
INLINE bool usual64(uint64_t v) { return LIKELY(normal64(v)) || zero64(v); }
INLINE bool usual32(uint32_t v) { return LIKELY(normal32(v)) || zero32(v); }
/* Normal, and not the least: that may have been rounded up to. */
INLINE bool inside64(uint64_t v) { return ((uint32_t)(v >> 52) & 0x7ff) - 2 < 0x7fd; }
INLINE bool inside32(uint32_t v) { return (v >> 23 & 0xff) - 2 < 0xfd; }

/* --- scalar arithmetic --- */

/* What s = a + b lost (Knuth, The Art of Computer Programming 2, 4.2.2, theorem B). */
INLINE bool exact_add64(double a, double b, double s)
{
    double v = s - a, u = s - v;
    return (a - u) + (b - v) == 0;
}
INLINE bool exact_add32(float a, float b, float s)
{
    float v = s - a, u = s - v;
    return (a - u) + (b - v) == 0;
}
INLINE bool exact_sub64(double a, double b, double s) { return exact_add64(a, -b, s); }
INLINE bool exact_sub32(float a, float b, float s) { return exact_add32(a, -b, s); }
/* False where in doubt. */
INLINE bool exact_mul64(double a, double b, double s)
{
    uint64_t one = 1ull << 52, x = (bits_of_f64(a) & (one - 1)) | one, y = (bits_of_f64(b) & (one - 1)) | one;
    return x * y << (64 - 53) == 0 || s == 0;
}
INLINE bool exact_mul32(float a, float b, float s) { return (double)a * b == (double)s; }
INLINE bool exact_div64(double a, double b, double s) { return (void)b, (void)s, a == 0; }
INLINE bool exact_div32(float a, float b, float s) { return (void)b, (void)s, a == 0; }

/* May a result be zero? A sum is exact then; a product must have had a zero. */
#define ZERO_add(N, a, b) 1
#define ZERO_sub(N, a, b) 1
#define ZERO_mul(N, a, b) (zero##N(a) || zero##N(b))
#define ZERO_div(N, a, b) zero##N(a)
#define DIVISOR_add(N, b) usual##N(b)
#define DIVISOR_sub(N, b) usual##N(b)
#define DIVISOR_mul(N, b) usual##N(b)
#define DIVISOR_div(N, b) normal##N(b)

#define SCALAR(op, sign, N, name) \
    XMM_HANDLERS(name, N, \
        REQUIRE(to_nearest(c)); \
        uint##N##_t a = (uint##N##_t)c->st.xmm[i->d][0]; \
        REQUIRE(usual##N(a) && DIVISOR_##op(N, b)); \
        uint##N##_t r = bits_of_f##N(f##N##_of(a) sign f##N##_of(b)); \
        REQUIRE(inside##N(r) || (zero##N(r) && ZERO_##op(N, a, b))); \
        REQUIRE(pe_set(c) || exact_##op##N(f##N##_of(a), f##N##_of(b), f##N##_of(r))); \
        xmm_set_low##N(c, i->d, r))
#define SCALARS(op, sign) SCALAR(op, sign, 64, op##sd) SCALAR(op, sign, 32, op##ss)
SCALARS(add, +)
SCALARS(sub, -)
SCALARS(mul, *)
SCALARS(div, /)

/* The second operand unless the relation holds. */
#define CHOICE(name, N, relation) \
    XMM_HANDLERS(name, N, \
        uint##N##_t a = (uint##N##_t)c->st.xmm[i->d][0]; \
        REQUIRE(usual##N(a) && usual##N(b)); \
        xmm_set_low##N(c, i->d, f##N##_of(a) relation f##N##_of(b) ? a : b))
CHOICE(minsd, 64, <)
CHOICE(minss, 32, <)
CHOICE(maxsd, 64, >)
CHOICE(maxss, 32, >)

/* --- packed arithmetic --- */

#define MASK64 0x7fffffffffffffffull
#define MASK32 0x7fffffffu
#define LEAST64 DBL_MIN
#define LEAST32 FLT_MIN
#define MOST64 DBL_MAX
#define MOST32 FLT_MAX
#define BITS64 v2u64
#define BITS32 v4u32
#define REALS64 v2f64
#define REALS32 v4f32

/* Masks of ones, element by element, as the functions above. */
#define EACH_FUNCTIONS(N) \
    INLINE REALS##N each_absolute##N(REALS##N v) { return (REALS##N)((BITS##N)v & MASK##N); } \
    INLINE BITS##N each_zero##N(REALS##N v) { return (BITS##N)(v == 0); } \
    INLINE BITS##N each_normal##N(REALS##N v) \
    { \
        REALS##N m = each_absolute##N(v); \
        return (BITS##N)(m >= LEAST##N) & (BITS##N)(m <= MOST##N); \
    } \
    INLINE BITS##N each_usual##N(REALS##N v) { return each_normal##N(v) | each_zero##N(v); } \
    INLINE BITS##N each_inside##N(REALS##N v) \
    { \
        REALS##N m = each_absolute##N(v); \
        return (BITS##N)(m >= 2 * LEAST##N) & (BITS##N)(m <= MOST##N); \
    }
EACH_FUNCTIONS(64)
EACH_FUNCTIONS(32)

INLINE bool all_ones(v2u64 m) { return (m[0] & m[1]) == ~0ull; }

#define EACH_ZERO_add(N, a, b) each_zero##N(r)
#define EACH_ZERO_sub(N, a, b) each_zero##N(r)
#define EACH_ZERO_mul(N, a, b) (each_zero##N(a) | each_zero##N(b))
#define EACH_ZERO_div(N, a, b) each_zero##N(a)
#define EACH_DIVISOR_add(N, b) each_usual##N(b)
#define EACH_DIVISOR_sub(N, b) each_usual##N(b)
#define EACH_DIVISOR_mul(N, b) each_usual##N(b)
#define EACH_DIVISOR_div(N, b) each_normal##N(b)

#define PACKED(op, sign, N, name) \
    XMM_HANDLERS(name, 128, \
        REQUIRE(to_nearest(c) && pe_set(c)); \
        REALS##N x = (REALS##N)xmm_get(c, i->d); \
        REALS##N y = (REALS##N)b; \
        REALS##N r = x sign y; \
        BITS##N fine = each_usual##N(x) & EACH_DIVISOR_##op(N, y) & (each_inside##N(r) | EACH_ZERO_##op(N, x, y)); \
        REQUIRE(all_ones((v2u64)fine)); \
        xmm_set(c, i->d, (v2u64)r))
#define PACKEDS(op, sign) PACKED(op, sign, 64, op##pd) PACKED(op, sign, 32, op##ps)
PACKEDS(add, +)
PACKEDS(sub, -)
PACKEDS(mul, *)
PACKEDS(div, /)

#define PACKED_CHOICE(name, N, relation) \
    XMM_HANDLERS(name, 128, \
        REALS##N x = (REALS##N)xmm_get(c, i->d); \
        REALS##N y = (REALS##N)b; \
        REQUIRE(all_ones((v2u64)(each_usual##N(x) & each_usual##N(y)))); \
        BITS##N m = (BITS##N)(x relation y); \
        xmm_set(c, i->d, (v2u64)(((BITS##N)x & m) | ((BITS##N)y & ~m))))
PACKED_CHOICE(minpd, 64, <)
PACKED_CHOICE(minps, 32, <)
PACKED_CHOICE(maxpd, 64, >)
PACKED_CHOICE(maxps, 32, >)

/* Square roots, where the host has them without libm. The root of a normal number is well inside. */
#ifdef __SSE2__
INLINE v2f64 root64(v2f64 v) { return (v2f64)_mm_sqrt_pd((__m128d)v); }
INLINE v4f32 root32(v4f32 v) { return (v4f32)_mm_sqrt_ps((__m128)v); }
#define ROOTS(N, single, packed) \
    XMM_HANDLERS(single, N, \
        REQUIRE(to_nearest(c) && pe_set(c) && (zero##N(b) || (normal##N(b) && !(b >> (N - 1))))); \
        REALS##N r = {f##N##_of(b)}; \
        xmm_set_low##N(c, i->d, bits_of_f##N(root##N(r)[0]))) \
    XMM_HANDLERS(packed, 128, \
        REALS##N x = (REALS##N)b; \
        REQUIRE(to_nearest(c) && pe_set(c)); \
        REQUIRE(all_ones((v2u64)(each_zero##N(x) | (each_normal##N(x) & (BITS##N)(x > 0))))); \
        xmm_set(c, i->d, (v2u64)root##N(x)))
ROOTS(64, sqrtsd, sqrtpd)
ROOTS(32, sqrtss, sqrtps)
#define ROOT(n) XMM_FORMS_OF(n)
#else
#define ROOT(n) {NULL}
#endif

/* --- comparison --- */

/* UCOMISD and COMISD differ in NaNs only. */
#define COMPARE(name, N) \
    XMM_HANDLERS(name, N, \
        uint##N##_t a = (uint##N##_t)c->st.xmm[i->d][0]; \
        REQUIRE(usual##N(a) && usual##N(b)); \
        unit_set_relation(&FR, &FX, f##N##_of(a) < f##N##_of(b), f##N##_of(a) == f##N##_of(b)))
COMPARE(comisd, 64)
COMPARE(comiss, 32)

/* CMPPS's predicates (SDM 2A table 3-7) of numbers: bit 2 negates; unordered they are not. */
#define HOLDS(bits, x, y, predicate) \
    ((((predicate) & 3) == 0 ? (bits)((x) == (y)) : ((predicate) & 3) == 1 ? (bits)((x) < (y)) \
      : ((predicate) & 3) == 2 ? (bits)((x) <= (y)) : (bits)((x) != (x))) ^ ((bits)((x) == (x)) * (((predicate) >> 2) & 1)))
#define COMPARE_TO_MASK(scalar, packed, N) \
    XMM_HANDLERS(scalar, N, \
        uint##N##_t a = (uint##N##_t)c->st.xmm[i->d][0]; \
        REQUIRE(usual##N(a) && usual##N(b)); \
        uint##N##_t yes = HOLDS(uint##N##_t, f##N##_of(a), f##N##_of(b), i->b); \
        xmm_set_low##N(c, i->d, (uint##N##_t)(0 - yes))) \
    XMM_HANDLERS(packed, 128, \
        REALS##N x = (REALS##N)xmm_get(c, i->d); \
        REALS##N y = (REALS##N)b; \
        REQUIRE(all_ones((v2u64)(each_usual##N(x) & each_usual##N(y)))); \
        xmm_set(c, i->d, (v2u64)HOLDS(BITS##N, x, y, i->b)))
COMPARE_TO_MASK(cmpsd, cmppd, 64)
COMPARE_TO_MASK(cmpss, cmpps, 32)

/* --- conversion --- */

INLINE void note_inexact(struct cpu *c, bool inexact) { c->st.mxcsr |= (uint32_t)inexact << 5; }

XMM_HANDLERS(cvtsi2sd, GPR, xmm_set_low64(c, i->d, bits_of_f64((int32_t)b)))
XMM_HANDLERS(cvtsi2ss, GPR,
    REQUIRE(to_nearest(c));
    float r = (float)(int32_t)b;
    note_inexact(c, (double)r != (double)(int32_t)b);
    xmm_set_low32(c, i->d, bits_of_f32(r)))
XMM_HANDLERS(cvtss2sd, 32,
    REQUIRE(usual32(b));
    xmm_set_low64(c, i->d, bits_of_f64(f32_of(b))))
XMM_HANDLERS(cvtsd2ss, 64,
    REQUIRE(to_nearest(c) && usual64(b));
    uint32_t r = bits_of_f32((float)f64_of(b));
    REQUIRE(inside32(r) || zero64(b));
    note_inexact(c, (double)f32_of(r) != f64_of(b));
    xmm_set_low32(c, i->d, r))

/* To an integer: adding and taking away 2^52 + 2^51 leaves the nearest one. */
INLINE double nearest_integer(double v) { return v + 0x1.8p52 - 0x1.8p52; }
INLINE double toward_zero(double v) { return (double)(int32_t)v; }

#define TO_INTEGER(name, N, ready, round) \
    XMM_HANDLERS(name, N, \
        REQUIRE(ready(c) && usual##N(b)); \
        double v = f##N##_of(b); \
        REQUIRE(v > -2147483648.0 && v < 2147483647.0); \
        double r = round(v); \
        note_inexact(c, r != v); \
        GPR(i->d) = (uint32_t)(int32_t)r)
TO_INTEGER(cvttsd2si, 64, pe_masked, toward_zero)
TO_INTEGER(cvttss2si, 32, pe_masked, toward_zero)
TO_INTEGER(cvtsd2si, 64, to_nearest, nearest_integer)
TO_INTEGER(cvtss2si, 32, to_nearest, nearest_integer)

/* Packed: the low 64 bits are two integers or singles. */
INLINE uint64_t two32(uint32_t low, uint32_t high) { return low | (uint64_t)high << 32; }
XMM_HANDLERS(cvtdq2pd, 64,
    xmm_set(c, i->d, (v2u64){bits_of_f64((int32_t)(uint32_t)b), bits_of_f64((int32_t)(b >> 32))}))
XMM_HANDLERS(cvtps2pd, 64,
    REQUIRE(usual32((uint32_t)b) && usual32((uint32_t)(b >> 32)));
    xmm_set(c, i->d, (v2u64){bits_of_f64(f32_of((uint32_t)b)), bits_of_f64(f32_of((uint32_t)(b >> 32)))}))
XMM_HANDLERS(cvtpd2ps, 128,
    REQUIRE(to_nearest(c) && usual64(b[0]) && usual64(b[1]));
    uint32_t low = bits_of_f32((float)f64_of(b[0]));
    uint32_t high = bits_of_f32((float)f64_of(b[1]));
    REQUIRE((inside32(low) || zero64(b[0])) && (inside32(high) || zero64(b[1])));
    note_inexact(c, (double)f32_of(low) != f64_of(b[0]) || (double)f32_of(high) != f64_of(b[1]));
    xmm_set(c, i->d, (v2u64){two32(low, high), 0}))
XMM_HANDLERS(cvttpd2dq, 128,
    double v = f64_of(b[0]);
    double w = f64_of(b[1]);
    REQUIRE(pe_masked(c) && usual64(b[0]) && usual64(b[1]));
    REQUIRE(v > -2147483648.0 && v < 2147483647.0 && w > -2147483648.0 && w < 2147483647.0);
    note_inexact(c, toward_zero(v) != v || toward_zero(w) != w);
    xmm_set(c, i->d, (v2u64){two32((uint32_t)(int32_t)v, (uint32_t)(int32_t)w), 0}))
XMM_HANDLERS(cvtdq2ps, 128,
    REQUIRE(to_nearest(c) && pe_set(c));
    xmm_set(c, i->d, (v2u64)__builtin_convertvector((v4i32)b, v4f32)))

/* --- which handler --- */

#define FOUR(op) {XMM_FORMS_OF(op##ps), XMM_FORMS_OF(op##pd), XMM_FORMS_OF(op##ss), XMM_FORMS_OF(op##sd)}

static xmm_handlers floats[256][4] = {
    [0x2a] = {[SSE_F3] = XMM_FORMS_OF(cvtsi2ss), [SSE_F2] = XMM_FORMS_OF(cvtsi2sd)},
    [0x2c] = {[SSE_F3] = XMM_FORMS_OF(cvttss2si), [SSE_F2] = XMM_FORMS_OF(cvttsd2si)},
    [0x2d] = {[SSE_F3] = XMM_FORMS_OF(cvtss2si), [SSE_F2] = XMM_FORMS_OF(cvtsd2si)},
    [0x2e] = {XMM_FORMS_OF(comiss), XMM_FORMS_OF(comisd)},
    [0x2f] = {XMM_FORMS_OF(comiss), XMM_FORMS_OF(comisd)},
    [0x51] = {ROOT(sqrtps), ROOT(sqrtpd), ROOT(sqrtss), ROOT(sqrtsd)},
    [0x58] = FOUR(add),
    [0x59] = FOUR(mul),
    [0x5a] = {XMM_FORMS_OF(cvtps2pd), XMM_FORMS_OF(cvtpd2ps), XMM_FORMS_OF(cvtss2sd), XMM_FORMS_OF(cvtsd2ss)},
    [0x5b] = {[SSE_NP] = XMM_FORMS_OF(cvtdq2ps)},
    [0x5c] = FOUR(sub),
    [0x5d] = FOUR(min),
    [0x5e] = FOUR(div),
    [0x5f] = FOUR(max),
    [0xc2] = FOUR(cmp),
    [0xe6] = {[SSE_66] = XMM_FORMS_OF(cvttpd2dq), [SSE_F3] = XMM_FORMS_OF(cvtdq2pd)},
};

fast_handler *fast_sse_float(unsigned opcode, enum sse_prefix prefix, unsigned form)
{
    return floats[opcode & 0xff][prefix][form];
}

#endif
