/*
 * What the softfp*.c files share and nobody else includes: 128-bit integer helpers, unpacked operands, and the
 * rounding step that every operation ends with.
 *
 * An unpacked number is significand / 2^63 * 2^(exp - 16383) with bit 63 of the significand set; `exp` may lie
 * outside the range of the format. Significands wider than 64 bits are hi:lo with the last bit sticky.
 */
#ifndef CPU_SOFTFP_INT_H
#define CPU_SOFTFP_INT_H

#include "cpu/softfp.h"

#define FP_BIAS 16383
#define FP_EXP_MAX 0x7FFE
#define FP_EXP_SPECIAL 0x7FFF
#define FP_TOP_BIT 0x8000000000000000u
#define FP_QUIET_BIT 0x4000000000000000u

enum fp_kind { FP_KIND_ZERO, FP_KIND_FINITE, FP_KIND_INF, FP_KIND_QNAN, FP_KIND_SNAN, FP_KIND_UNSUPPORTED };

struct fp_num {
    enum fp_kind kind;
    bool sign;
    bool denormal;
    int32_t exp;
    uint64_t mant;
};

struct u128 {
    uint64_t hi;
    uint64_t lo;
};

/* A significand after rounding. `carry`: it rounded up to the next power of two, mant is that power's. */
struct fp_rounded {
    uint64_t mant;
    bool carry;
    bool inexact;
    bool up;
};

/* The outcome of an operation before rounding: top bit set, the last bit sticky; mant 0: exactly zero. */
struct fp_exact {
    struct u128 mant;
    int32_t exp;
    bool sign;
};

/* A format of 32 or 64 bits: significand bits with the leading one, exponent field of all ones, bias. */
struct fp_format {
    uint32_t precision;
    int32_t exp_special;
    int32_t bias;
};
extern const struct fp_format fp_single, fp_double;
/* Puts a number together; `exp` is the biased exponent field, `mant` has the leading one in bit 63. */
uint64_t fp_format_bits(const struct fp_format *f, bool sign, int32_t exp, uint64_t mant);

static inline struct u128 u128_add(struct u128 a, struct u128 b)
{
    struct u128 r = {a.hi + b.hi, a.lo + b.lo};
    r.hi += r.lo < a.lo;
    return r;
}

static inline struct u128 u128_sub(struct u128 a, struct u128 b)
{
    struct u128 r = {a.hi - b.hi - (a.lo < b.lo), a.lo - b.lo};
    return r;
}

static inline bool u128_less(struct u128 a, struct u128 b)
{
    return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
}

/* n < 128 */
static inline struct u128 u128_shl(struct u128 a, unsigned n)
{
    if (n >= 64) {
        struct u128 r = {a.lo << (n - 64), 0};
        return r;
    }
    if (n) {
        a.hi = a.hi << n | a.lo >> (64 - n);
        a.lo <<= n;
    }
    return a;
}

/* n < 128 */
static inline struct u128 u128_shr(struct u128 a, unsigned n)
{
    if (n >= 64) {
        struct u128 r = {0, a.hi >> (n - 64)};
        return r;
    }
    if (n) {
        a.lo = a.lo >> n | a.hi << (64 - n);
        a.hi >>= n;
    }
    return a;
}

/* Any n; the bits that leave are ORed into bit 0. */
static inline struct u128 u128_shr_sticky(struct u128 a, uint32_t n)
{
    struct u128 r = {0, 0};
    if (n < 128) {
        r = u128_shr(a, n);
        struct u128 back = u128_shl(r, n);
        r.lo |= (back.hi != a.hi || back.lo != a.lo);
    } else {
        r.lo = (a.hi | a.lo) != 0;
    }
    return r;
}

static inline struct u128 u128_mul64(uint64_t a, uint64_t b)
{
    struct u128 r;
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide p = (wide)a * b;
    r.hi = (uint64_t)(p >> 64);
    r.lo = (uint64_t)p;
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t low = al * bl, mid1 = ah * bl, mid2 = al * bh;
    uint64_t mid = (low >> 32) + (uint32_t)mid1 + (uint32_t)mid2;
    r.hi = ah * bh + (mid1 >> 32) + (mid2 >> 32) + (mid >> 32);
    r.lo = mid << 32 | (uint32_t)low;
#endif
    return r;
}

/* Leading zeros; a != 0. */
static inline unsigned u64_clz(uint64_t a)
{
#ifdef __GNUC__
    return (unsigned)__builtin_clzll(a);
#else
    unsigned n = 0;
    for (unsigned step = 32; step; step /= 2) {
        if (!(a >> (64 - step))) {
            a <<= step;
            n += step;
        }
    }
    return n;
#endif
}

/* Quotient of n / d, where n.hi < d, and its remainder: by the host's instruction, or by hand. */
uint64_t u128_div64_portable(struct u128 n, uint64_t d, uint64_t *remainder);
static inline uint64_t u128_div64(struct u128 n, uint64_t d, uint64_t *remainder)
{
#if defined(__GNUC__) && defined(__x86_64__)
    uint64_t q;
    __asm__("divq %4" : "=a"(q), "=d"(*remainder) : "0"(n.lo), "1"(n.hi), "r"(d) : "cc");
    return q;
#else
    return u128_div64_portable(n, d, remainder);
#endif
}

struct fp_num fp_unpack(struct f80 a);
struct f80 fp_pack(bool sign, int32_t exp, uint64_t mant);
struct f80 fp_zero(bool sign);
struct f80 fp_infinity(bool sign);
/* Raises IE; returns the default NaN. */
struct f80 fp_invalid(struct fp_ctx *x);
/* Raises DE if the operand is denormal; true if the exception is unmasked and the operation must end. */
bool fp_denormal_operand(struct fp_ctx *x, const struct fp_num *a);
/* NaNs and unsupported encodings: if true, *result is the result of the operation. */
bool fp_special1(struct fp_ctx *x, struct f80 a, const struct fp_num *ua, struct f80 *result);
bool fp_special2(struct fp_ctx *x, struct f80 a, const struct fp_num *ua, struct f80 b, const struct fp_num *ub,
                 struct f80 *result);

/* Of finite numbers other than zero, whatever their format was. A sum may be exactly zero. */
struct fp_exact fp_exact_sum(const struct fp_num *a, const struct fp_num *b);
struct fp_exact fp_exact_product(const struct fp_num *a, const struct fp_num *b);
struct fp_exact fp_exact_quotient(const struct fp_num *a, const struct fp_num *b);
struct fp_exact fp_exact_root(const struct fp_num *a);
/* Of anything but NaNs; zeros are equal. */
enum fp_relation fp_compare_numbers(const struct fp_num *a, const struct fp_num *b);
/* Of a finite number below 2^64: the integer in hi, the fraction in lo. */
struct u128 fp_fixed_point(const struct fp_num *a);

/* Cuts the low `drop` (< 64) bits of m.hi and all of m.lo, rounding by the rounding control in cw. */
struct fp_rounded fp_round_bits(uint16_t cw, bool sign, struct u128 m, unsigned drop);
/* Sets PE and C1 from a rounding. */
void fp_note_rounding(struct fp_ctx *x, const struct fp_rounded *r);
/* Rounds to `bits` (24, 53 or 64) of precision, with overflow and underflow; m.hi has its top bit set. */
struct f80 fp_round_pack(struct fp_ctx *x, bool sign, int32_t exp, struct u128 m, unsigned bits);
/* Bits of precision that the precision control selects. */
unsigned fp_precision(const struct fp_ctx *x);

#endif
