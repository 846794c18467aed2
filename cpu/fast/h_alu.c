/*
 * Two-operand arithmetic and logic, one-operand INC DEC NOT NEG, for 8, 16 and 32 bits and every
 * operand form. One line of a list makes the handlers of an operation; what they compute is in
 * cpu/alu.h. Slots: d = register operand, s and x = base and index, a = displacement, b = immediate.
 */
#include "cpu/fast/special.h"

static inline uint32_t alu_not(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    (void)b, (void)fr, (void)fx;
    return ~a & alu_mask(size);
}

/* The common size in its shortest form. */
INLINE uint32_t fast_inc(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return size == 4 ? q_inc(a, fr, fx) : alu_inc(size, a, b, fr, fx);
}
INLINE uint32_t fast_dec(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return size == 4 ? q_dec(a, fr, fx) : alu_dec(size, a, b, fr, fx);
}

/* dst = f(dst, src) */
#define BINARY_MEMORY(name, f, N, K) \
    HANDLER(name##N##_rm##K) \
    { \
        SOURCE(K, BYTES_##N); \
        set##N(c, i->d, f(BYTES_##N, reg##N(c, i->d), load##N(p), &FR, &FX)); \
        NEXT; \
    } \
    HANDLER(name##N##_mr##K) \
    { \
        TARGET(K, BYTES_##N); \
        store##N(p, f(BYTES_##N, load##N(p), reg##N(c, i->d), &FR, &FX)); \
        NEXT; \
    } \
    HANDLER(name##N##_mi##K) \
    { \
        TARGET(K, BYTES_##N); \
        store##N(p, f(BYTES_##N, load##N(p), i->b, &FR, &FX)); \
        NEXT; \
    }
#define BINARY(name, f, N) \
    HANDLER(name##N##_rr) \
    { \
        set##N(c, i->d, f(BYTES_##N, reg##N(c, i->d), reg##N(c, i->s), &FR, &FX)); \
        NEXT; \
    } \
    HANDLER(name##N##_ri) \
    { \
        set##N(c, i->d, f(BYTES_##N, reg##N(c, i->d), i->b, &FR, &FX)); \
        NEXT; \
    } \
    BINARY_MEMORY(name, f, N, 0) BINARY_MEMORY(name, f, N, 1) BINARY_MEMORY(name, f, N, 2)

/* Flags of f(dst, src) only */
#define COMPARE_MEMORY(name, f, N, K) \
    HANDLER(name##N##_rm##K) \
    { \
        SOURCE(K, BYTES_##N); \
        f(BYTES_##N, reg##N(c, i->d), load##N(p), &FR, &FX); \
        NEXT; \
    } \
    HANDLER(name##N##_mr##K) \
    { \
        SOURCE(K, BYTES_##N); \
        f(BYTES_##N, load##N(p), reg##N(c, i->d), &FR, &FX); \
        NEXT; \
    } \
    HANDLER(name##N##_mi##K) \
    { \
        SOURCE(K, BYTES_##N); \
        f(BYTES_##N, load##N(p), i->b, &FR, &FX); \
        NEXT; \
    }
#define COMPARE(name, f, N) \
    HANDLER(name##N##_rr) \
    { \
        f(BYTES_##N, reg##N(c, i->d), reg##N(c, i->s), &FR, &FX); \
        NEXT; \
    } \
    HANDLER(name##N##_ri) \
    { \
        f(BYTES_##N, reg##N(c, i->d), i->b, &FR, &FX); \
        NEXT; \
    } \
    COMPARE_MEMORY(name, f, N, 0) COMPARE_MEMORY(name, f, N, 1) COMPARE_MEMORY(name, f, N, 2)

/* dst = f(dst) */
#define UNARY_MEMORY(name, f, N, K) \
    HANDLER(name##N##_m##K) \
    { \
        TARGET(K, BYTES_##N); \
        store##N(p, f(BYTES_##N, load##N(p), 0, &FR, &FX)); \
        NEXT; \
    }
#define UNARY(name, f, N) \
    HANDLER(name##N##_r) \
    { \
        set##N(c, i->d, f(BYTES_##N, reg##N(c, i->d), 0, &FR, &FX)); \
        NEXT; \
    } \
    UNARY_MEMORY(name, f, N, 0) UNARY_MEMORY(name, f, N, 1) UNARY_MEMORY(name, f, N, 2)

#define ALL_SIZES(KIND, name, f) KIND(name, f, 8) KIND(name, f, 16) KIND(name, f, 32)

ALL_SIZES(BINARY, add, alu_add)
ALL_SIZES(BINARY, or, alu_or)
ALL_SIZES(BINARY, adc, alu_adc)
ALL_SIZES(BINARY, sbb, alu_sbb)
ALL_SIZES(BINARY, and, alu_and)
ALL_SIZES(BINARY, sub, alu_sub)
ALL_SIZES(BINARY, xor, alu_xor)
ALL_SIZES(COMPARE, cmp, alu_sub)
ALL_SIZES(COMPARE, test, alu_and)
ALL_SIZES(UNARY, inc, fast_inc)
ALL_SIZES(UNARY, dec, fast_dec)
ALL_SIZES(UNARY, not, alu_not)
ALL_SIZES(UNARY, neg, alu_neg)

#define FORMS(n) \
    {n##_rr, n##_ri, n##_rm0, n##_rm1, n##_rm2, n##_mr0, n##_mr1, n##_mr2, n##_mi0, n##_mi1, n##_mi2}
#define FORMS1(n) {n##_r, n##_m0, n##_m1, n##_m2}

fast_handler *const fast_alu_table[9][3][F_COUNT] = {
    {FORMS(add8), FORMS(add16), FORMS(add32)},    {FORMS(or8), FORMS(or16), FORMS(or32)},
    {FORMS(adc8), FORMS(adc16), FORMS(adc32)},    {FORMS(sbb8), FORMS(sbb16), FORMS(sbb32)},
    {FORMS(and8), FORMS(and16), FORMS(and32)},    {FORMS(sub8), FORMS(sub16), FORMS(sub32)},
    {FORMS(xor8), FORMS(xor16), FORMS(xor32)},    {FORMS(cmp8), FORMS(cmp16), FORMS(cmp32)},
    {FORMS(test8), FORMS(test16), FORMS(test32)},
};

fast_handler *const fast_unary_table[4][3][4] = {
    {FORMS1(inc8), FORMS1(inc16), FORMS1(inc32)}, {FORMS1(dec8), FORMS1(dec16), FORMS1(dec32)},
    {FORMS1(not8), FORMS1(not16), FORMS1(not32)}, {FORMS1(neg8), FORMS1(neg16), FORMS1(neg32)},
};
