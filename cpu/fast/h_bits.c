/*
 * Shifts, rotates, double shifts, bit tests and scans, multiplication and division. What they compute
 * and which undefined flags they leave is as in ops_bits.c and ops_arith.c.
 */
#include "cpu/fast/core.h"

/* Shifts by immediate (1..31) and by CL; on the 8086 CL counts go to the reference tier. */
#define SHIFT_FORM(name, f, N, OPERAND, GET, PUT) \
    HANDLER(name##N##_i_##OPERAND) \
    { \
        uint32_t n = i->b; \
        ASSUME(n >= 1 && n <= 31); \
        GET(N); \
        PUT(N, f(BYTES_##N, v, n, &FR, &FX)); \
        NEXT; \
    } \
    HANDLER(name##N##_c_##OPERAND) \
    { \
        uint32_t n = REG32(REG_ECX) & 31; \
        GET(N); \
        PUT(N, f(BYTES_##N, v, n, &FR, &FX)); \
        NEXT; \
    }
#define GET_R(N) uint32_t v = reg##N(c, i->d)
#define PUT_R(N, value) set##N(c, i->d, value)
#define GET_M0(N) TARGET(0, BYTES_##N); uint32_t v = load##N(p)
#define GET_M1(N) TARGET(1, BYTES_##N); uint32_t v = load##N(p)
#define GET_M2(N) TARGET(2, BYTES_##N); uint32_t v = load##N(p)
#define PUT_M(N, value) store##N(p, value)
#define SHIFT_SIZE(name, f, N) \
    SHIFT_FORM(name, f, N, r, GET_R, PUT_R) SHIFT_FORM(name, f, N, m0, GET_M0, PUT_M) \
    SHIFT_FORM(name, f, N, m1, GET_M1, PUT_M) SHIFT_FORM(name, f, N, m2, GET_M2, PUT_M)
#define SHIFT(name, f) SHIFT_SIZE(name, f, 8) SHIFT_SIZE(name, f, 16) SHIFT_SIZE(name, f, 32)

SHIFT(rol, alu_rol)
SHIFT(ror, alu_ror)
SHIFT(rcl, alu_rcl)
SHIFT(rcr, alu_rcr)
SHIFT(shl, alu_shl)
SHIFT(shr, alu_shr)
SHIFT(sar, alu_sar)

#define FORMS1(n) {n##_r, n##_m0, n##_m1, n##_m2}
#define SHIFT_ROW(n) \
    {{FORMS1(n##8_i), FORMS1(n##8_c)}, {FORMS1(n##16_i), FORMS1(n##16_c)}, {FORMS1(n##32_i), FORMS1(n##32_c)}}
fast_handler *const fast_shift_table[8][3][2][4] = {
    SHIFT_ROW(rol), SHIFT_ROW(ror), SHIFT_ROW(rcl), SHIFT_ROW(rcr),
    SHIFT_ROW(shl), SHIFT_ROW(shr), SHIFT_ROW(shl), SHIFT_ROW(sar),
};

/* SHLD, SHRD r, r */
#define DOUBLE_SHIFT(name, N) \
    HANDLER(name##N##_i) \
    { \
        set##N(c, i->d, alu_##name(BYTES_##N, reg##N(c, i->d), reg##N(c, i->s), i->b, &FR, &FX)); \
        NEXT; \
    } \
    HANDLER(name##N##_c) \
    { \
        uint32_t n = REG32(REG_ECX) & 31; \
        if (n) \
            set##N(c, i->d, alu_##name(BYTES_##N, reg##N(c, i->d), reg##N(c, i->s), n, &FR, &FX)); \
        NEXT; \
    }
DOUBLE_SHIFT(shld, 16)
DOUBLE_SHIFT(shld, 32)
DOUBLE_SHIFT(shrd, 16)
DOUBLE_SHIFT(shrd, 32)
fast_handler *const fast_double_shift_table[2][2][2] = {
    {{shld16_i, shld16_c}, {shld32_i, shld32_c}},
    {{shrd16_i, shrd16_c}, {shrd32_i, shrd32_c}},
};

/* Bit tests. A memory operand with its bit number in a register reaches beyond the operand. */
INLINE void bit_carry(uint64_t *fr, uint64_t *fx, uint32_t value, uint32_t bit)
{
    fl_set_cf_of(fr, fx, value >> bit & 1, fl_of(*fr, *fx));
}
INLINE uint32_t bit_bts(uint32_t v, uint32_t m) { return v | m; }
INLINE uint32_t bit_btr(uint32_t v, uint32_t m) { return v & ~m; }
INLINE uint32_t bit_btc(uint32_t v, uint32_t m) { return v ^ m; }

/* Distance of the addressed word from the operand. */
INLINE uint32_t bit_distance(unsigned size, uint32_t index)
{
    return (uint32_t)((int32_t)alu_sext(size, index) >> (size == 4 ? 5 : 4)) * size;
}

INLINE bool bit_read_0(struct cpu *c, const struct slot *i, const uint64_t *tl, uint32_t at, unsigned size, bool write, uint8_t **p)
{
    return fast_host(tl + (write ? MMU_PAGES : 0), fast_ea0(c, i) + at, size, p);
}
INLINE bool bit_read_1(struct cpu *c, const struct slot *i, const uint64_t *tl, uint32_t at, unsigned size, bool write, uint8_t **p)
{
    return fast_host(tl + (write ? MMU_PAGES : 0), fast_ea1(c, i) + at, size, p);
}
INLINE bool bit_read_2(struct cpu *c, const struct slot *i, const uint64_t *tl, uint32_t at, unsigned size, bool write, uint8_t **p)
{
    return fast_segment(c, tl, i->sc >> 5, (fast_ea2(c, i) + at) & i->mask, size, write, p);
}

#define BT_MEMORY(N, K) \
    HANDLER(bt##N##_r_m##K) \
    { \
        uint32_t index = reg##N(c, i->d); \
        uint8_t *p; \
        if (UNLIKELY(!bit_read_##K(c, i, TL, bit_distance(BYTES_##N, index), BYTES_##N, false, &p))) \
            SLOW; \
        bit_carry(&FR, &FX, load##N(p), index & (N - 1)); \
        NEXT; \
    } \
    HANDLER(bt##N##_i_m##K) \
    { \
        SOURCE(K, BYTES_##N); \
        bit_carry(&FR, &FX, load##N(p), i->b & (N - 1)); \
        NEXT; \
    }
#define BT(N) \
    HANDLER(bt##N##_r_r) \
    { \
        bit_carry(&FR, &FX, reg##N(c, i->d), reg##N(c, i->s) & (N - 1)); \
        NEXT; \
    } \
    HANDLER(bt##N##_i_r) \
    { \
        bit_carry(&FR, &FX, reg##N(c, i->d), i->b & (N - 1)); \
        NEXT; \
    } \
    BT_MEMORY(N, 0) BT_MEMORY(N, 1) BT_MEMORY(N, 2)
#define BITOP_MEMORY(name, N, K) \
    HANDLER(name##N##_r_m##K) \
    { \
        uint32_t index = reg##N(c, i->d), bit = index & (N - 1); \
        uint8_t *p; \
        if (UNLIKELY(!bit_read_##K(c, i, TL, bit_distance(BYTES_##N, index), BYTES_##N, true, &p))) \
            SLOW; \
        uint32_t v = load##N(p); \
        store##N(p, bit_##name(v, 1u << bit)); \
        bit_carry(&FR, &FX, v, bit); \
        NEXT; \
    } \
    HANDLER(name##N##_i_m##K) \
    { \
        TARGET(K, BYTES_##N); \
        uint32_t v = load##N(p), bit = i->b & (N - 1); \
        store##N(p, bit_##name(v, 1u << bit)); \
        bit_carry(&FR, &FX, v, bit); \
        NEXT; \
    }
#define BITOP(name, N) \
    HANDLER(name##N##_r_r) \
    { \
        uint32_t v = reg##N(c, i->d), bit = reg##N(c, i->s) & (N - 1); \
        set##N(c, i->d, bit_##name(v, 1u << bit)); \
        bit_carry(&FR, &FX, v, bit); \
        NEXT; \
    } \
    HANDLER(name##N##_i_r) \
    { \
        uint32_t v = reg##N(c, i->d), bit = i->b & (N - 1); \
        set##N(c, i->d, bit_##name(v, 1u << bit)); \
        bit_carry(&FR, &FX, v, bit); \
        NEXT; \
    } \
    BITOP_MEMORY(name, N, 0) BITOP_MEMORY(name, N, 1) BITOP_MEMORY(name, N, 2)

BT(16)
BT(32)
BITOP(bts, 16)
BITOP(bts, 32)
BITOP(btr, 16)
BITOP(btr, 32)
BITOP(btc, 16)
BITOP(btc, 32)

#define BIT_ROW(n) {{FORMS1(n##16_r), FORMS1(n##16_i)}, {FORMS1(n##32_r), FORMS1(n##32_i)}}
fast_handler *const fast_bit_table[4][2][2][4] = {BIT_ROW(bt), BIT_ROW(bts), BIT_ROW(btr), BIT_ROW(btc)};

/* BSF, BSR */
#if defined(__GNUC__)
INLINE uint32_t find_bsf(uint32_t v) { return (uint32_t)__builtin_ctz(v); }
INLINE uint32_t find_bsr(uint32_t v) { return 31u - (uint32_t)__builtin_clz(v); }
#else
INLINE uint32_t find_bsf(uint32_t v)
{
    uint32_t n = 0;
    for (; !(v & 1); v >>= 1)
        n++;
    return n;
}
INLINE uint32_t find_bsr(uint32_t v)
{
    uint32_t n = 0;
    for (; v > 1; v >>= 1)
        n++;
    return n;
}
#endif
#define SCAN_VALUE(name, N, value) \
    uint32_t v = value; \
    if (v) \
        set##N(c, i->d, find_##name(v)); \
    alu_logic(BYTES_##N, v, &FR, &FX); \
    NEXT
#define SCAN(name, N) \
    HANDLER(name##N##_r) { SCAN_VALUE(name, N, reg##N(c, i->s)); } \
    HANDLER(name##N##_m0) { SOURCE(0, BYTES_##N); SCAN_VALUE(name, N, load##N(p)); } \
    HANDLER(name##N##_m1) { SOURCE(1, BYTES_##N); SCAN_VALUE(name, N, load##N(p)); } \
    HANDLER(name##N##_m2) { SOURCE(2, BYTES_##N); SCAN_VALUE(name, N, load##N(p)); }
SCAN(bsf, 16)
SCAN(bsf, 32)
SCAN(bsr, 16)
SCAN(bsr, 32)
fast_handler *const fast_scan_table[2][2][4] = {{FORMS1(bsf16), FORMS1(bsf32)}, {FORMS1(bsr16), FORMS1(bsr32)}};

/* Multiplication: CF = OF = the upper half is significant, the others from the lower half. */
INLINE void multiply_flags(unsigned size, uint32_t low, bool overflow, uint64_t *fr, uint64_t *fx)
{
    alu_logic(size, low & alu_mask(size), fr, fx);
    fl_set_cf_of(fr, fx, overflow, overflow);
}
INLINE int64_t signed_value(unsigned size, uint32_t v) { return (int32_t)alu_sext(size, v); }
INLINE bool fits_signed(unsigned size, int64_t v) { return v == signed_value(size, (uint32_t)v); }

INLINE uint32_t imul(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    int64_t v = signed_value(size, a) * signed_value(size, b);
    multiply_flags(size, (uint32_t)v, !fits_signed(size, v), fr, fx);
    return (uint32_t)v;
}

#define IMUL_MEMORY(N, K) \
    HANDLER(imul2##N##_m##K) \
    { \
        SOURCE(K, BYTES_##N); \
        set##N(c, i->d, imul(BYTES_##N, reg##N(c, i->d), load##N(p), &FR, &FX)); \
        NEXT; \
    } \
    HANDLER(imul3##N##_m##K) \
    { \
        SOURCE(K, BYTES_##N); \
        set##N(c, i->d, imul(BYTES_##N, load##N(p), i->b, &FR, &FX)); \
        NEXT; \
    }
#define IMUL(N) \
    HANDLER(imul2##N##_r) \
    { \
        set##N(c, i->d, imul(BYTES_##N, reg##N(c, i->d), reg##N(c, i->s), &FR, &FX)); \
        NEXT; \
    } \
    HANDLER(imul3##N##_r) \
    { \
        set##N(c, i->d, imul(BYTES_##N, reg##N(c, i->s), i->b, &FR, &FX)); \
        NEXT; \
    } \
    IMUL_MEMORY(N, 0) IMUL_MEMORY(N, 1) IMUL_MEMORY(N, 2)
IMUL(16)
IMUL(32)
fast_handler *const fast_imul2_table[2][4] = {FORMS1(imul216), FORMS1(imul232)};
fast_handler *const fast_imul3_table[2][4] = {FORMS1(imul316), FORMS1(imul332)};

INLINE void write_product(struct cpu *c, unsigned size, uint64_t product)
{
    if (size == 1) {
        set16(c, GPR_OFFSET(REG_EAX), (uint32_t)product);
    } else if (size == 2) {
        set16(c, GPR_OFFSET(REG_EAX), (uint32_t)product);
        set16(c, GPR_OFFSET(REG_EDX), (uint32_t)product >> 16);
    } else {
        GPR(REG_EAX) = (uint32_t)product;
        GPR(REG_EDX) = product >> 32;
    }
}

INLINE void multiply_unsigned(struct cpu *c, unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    uint64_t v = (uint64_t)a * b;
    write_product(c, size, v);
    multiply_flags(size, (uint32_t)v, v >> 8 * size != 0, fr, fx);
}
INLINE void multiply_signed(struct cpu *c, unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    int64_t v = signed_value(size, a) * signed_value(size, b);
    write_product(c, size, (uint64_t)v);
    multiply_flags(size, (uint32_t)v, !fits_signed(size, v), fr, fx);
}

/* Division: false = divide error, which the reference tier raises. */
INLINE uint64_t dividend(struct cpu *c, unsigned size)
{
    if (size == 1)
        return (uint16_t)REG32(REG_EAX);
    if (size == 2)
        return (uint64_t)(uint16_t)REG32(REG_EDX) << 16 | (uint16_t)REG32(REG_EAX);
    return (uint64_t)REG32(REG_EDX) << 32 | REG32(REG_EAX);
}
INLINE void write_quotient(struct cpu *c, unsigned size, uint32_t quotient, uint32_t rest)
{
    if (size == 1) {
        set16(c, GPR_OFFSET(REG_EAX), (quotient & 0xff) | (rest & 0xff) << 8);
    } else if (size == 2) {
        set16(c, GPR_OFFSET(REG_EAX), quotient);
        set16(c, GPR_OFFSET(REG_EDX), rest);
    } else {
        GPR(REG_EAX) = quotient;
        GPR(REG_EDX) = rest;
    }
}
INLINE bool divide_unsigned(struct cpu *c, unsigned size, uint32_t d)
{
    uint64_t n = dividend(c, size);
    if (UNLIKELY(n >> 8 * size >= d)) /* d = 0 or the quotient does not fit */
        return false;
    write_quotient(c, size, (uint32_t)(n / d), (uint32_t)(n % d));
    return true;
}
INLINE bool divide_signed(struct cpu *c, unsigned size, uint32_t divisor)
{
    unsigned unused = 64 - 16 * size;
    int64_t n = (int64_t)(dividend(c, size) << unused) >> unused, d = signed_value(size, divisor);
    if (UNLIKELY(d == 0 || n == INT64_MIN))
        return false;
    int64_t q = n / d;
    /* The most negative quotient is for the reference tier: models differ. */
    if (UNLIKELY(!fits_signed(size, q) || q == -(int64_t)(alu_mask(size) / 2 + 1)))
        return false;
    write_quotient(c, size, (uint32_t)q, (uint32_t)(n % d));
    return true;
}

#define MUL_FORM(N, F, GET) \
    HANDLER(mul##N##_##F) \
    { \
        GET(N); \
        multiply_unsigned(c, BYTES_##N, reg##N(c, GPR_OFFSET(REG_EAX)), v, &FR, &FX); \
        NEXT; \
    } \
    HANDLER(imul1##N##_##F) \
    { \
        GET(N); \
        multiply_signed(c, BYTES_##N, reg##N(c, GPR_OFFSET(REG_EAX)), v, &FR, &FX); \
        NEXT; \
    } \
    HANDLER(div##N##_##F) \
    { \
        GET(N); \
        if (UNLIKELY(!divide_unsigned(c, BYTES_##N, v))) \
            SLOW; \
        NEXT; \
    } \
    HANDLER(idiv##N##_##F) \
    { \
        GET(N); \
        if (UNLIKELY(!divide_signed(c, BYTES_##N, v))) \
            SLOW; \
        NEXT; \
    }
#define SOURCE_M0(N) SOURCE(0, BYTES_##N); uint32_t v = load##N(p)
#define SOURCE_M1(N) SOURCE(1, BYTES_##N); uint32_t v = load##N(p)
#define SOURCE_M2(N) SOURCE(2, BYTES_##N); uint32_t v = load##N(p)
#define MULTIPLY(N) \
    MUL_FORM(N, r, GET_R) MUL_FORM(N, m0, SOURCE_M0) MUL_FORM(N, m1, SOURCE_M1) MUL_FORM(N, m2, SOURCE_M2)
MULTIPLY(8)
MULTIPLY(16)
MULTIPLY(32)
fast_handler *const fast_multiply_table[4][3][4] = {
    {FORMS1(mul8), FORMS1(mul16), FORMS1(mul32)},
    {FORMS1(imul18), FORMS1(imul116), FORMS1(imul132)},
    {FORMS1(div8), FORMS1(div16), FORMS1(div32)},
    {FORMS1(idiv8), FORMS1(idiv16), FORMS1(idiv32)},
};
