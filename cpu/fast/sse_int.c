/*
 * SSE2 in the fast tier: integers in XMM registers, and the bitwise operations of SSE. One line a form; each is what
 * cpu/sse_integer.c and mmx.c do element by element, here on vectors (xmm.h, with the slots).
 */
#include "cpu/fast/xmm.h"

#ifdef XMM_FAST

/* Masks choose between two vectors. */
#define CHOOSE(mask, yes, no) (((yes) & (mask)) | ((no) & ~(mask)))

/* a OP b as vectors of T. */
#define BINARY(name, T, expression) \
    INLINE v2u64 name(v2u64 a_, v2u64 b_) \
    { \
        T a = (T)a_, b = (T)b_; \
        return (v2u64)(expression); \
    } \
    XMM_HANDLERS(name, 128, xmm_set(c, i->d, name(xmm_get(c, i->d), b)))

BINARY(pand, v2u64, a & b)
BINARY(pandn, v2u64, ~a & b)
BINARY(por, v2u64, a | b)
BINARY(pxor, v2u64, a ^ b)
BINARY(paddb, v16u8, a + b)
BINARY(paddw, v8u16, a + b)
BINARY(paddd, v4u32, a + b)
BINARY(paddq, v2u64, a + b)
BINARY(psubb, v16u8, a - b)
BINARY(psubw, v8u16, a - b)
BINARY(psubd, v4u32, a - b)
BINARY(psubq, v2u64, a - b)
BINARY(pcmpeqb, v16u8, a == b)
BINARY(pcmpeqw, v8u16, a == b)
BINARY(pcmpeqd, v4u32, a == b)
BINARY(pcmpgtb, v16i8, a > b)
BINARY(pcmpgtw, v8i16, a > b)
BINARY(pcmpgtd, v4i32, a > b)
BINARY(pminub, v16u8, CHOOSE((v16u8)(a < b), a, b))
BINARY(pmaxub, v16u8, CHOOSE((v16u8)(a > b), a, b))
BINARY(pminsw, v8i16, CHOOSE(a < b, a, b))
BINARY(pmaxsw, v8i16, CHOOSE(a > b, a, b))
BINARY(pavgb, v16u8, (a | b) - ((a ^ b) >> 1))
BINARY(pavgw, v8u16, (a | b) - ((a ^ b) >> 1))
BINARY(pmullw, v8u16, a * b)
BINARY(pmuludq, v2u64, (a & 0xffffffffu) * (b & 0xffffffffu))

/* Unsigned saturation: a wrapped sum is less than its parts, a wrapped difference more. */
BINARY(paddusb, v16u8, (a + b) | (v16u8)((v16u8)(a + b) < a))
BINARY(paddusw, v8u16, (a + b) | (v8u16)((v8u16)(a + b) < a))
BINARY(psubusb, v16u8, (a - b) & (v16u8)(a >= b))
BINARY(psubusw, v8u16, (a - b) & (v8u16)(a >= b))

/* Signed saturation: `over` has the sign where the sum left the range, which it did on a's side. */
#define SATURATING(name, T, U, most, operator, over) \
    INLINE v2u64 name(v2u64 a_, v2u64 b_) \
    { \
        T a = (T)a_, b = (T)b_, r = (T)((U)a operator(U) b), edge = (a < 0) ^ most; \
        return (v2u64)CHOOSE((over) < 0, edge, r); \
    } \
    XMM_HANDLERS(name, 128, xmm_set(c, i->d, name(xmm_get(c, i->d), b)))
SATURATING(paddsb, v16i8, v16u8, 0x7f, +, (a ^ r) & (b ^ r))
SATURATING(paddsw, v8i16, v8u16, 0x7fff, +, (a ^ r) & (b ^ r))
SATURATING(psubsb, v16i8, v16u8, 0x7f, -, (a ^ b) & (a ^ r))
SATURATING(psubsw, v8i16, v8u16, 0x7fff, -, (a ^ b) & (a ^ r))

/* Products of words, their upper halves; the sums of two neighbours. */
#define MULTIPLY_HIGH(name, T, part, wide) \
    INLINE v2u64 name(v2u64 a_, v2u64 b_) \
    { \
        T a = (T)a_, b = (T)b_, r = a; \
        for (unsigned k = 0; k < 8; k++) \
            r[k] = (part)((wide)((wide)a[k] * (wide)b[k]) >> 16); \
        return (v2u64)r; \
    } \
    XMM_HANDLERS(name, 128, xmm_set(c, i->d, name(xmm_get(c, i->d), b)))
MULTIPLY_HIGH(pmulhw, v8i16, int16_t, int32_t)
MULTIPLY_HIGH(pmulhuw, v8u16, uint16_t, uint32_t)

INLINE v2u64 pmaddwd(v2u64 a_, v2u64 b_)
{
    v8i16 a = (v8i16)a_, b = (v8i16)b_;
    v4u32 r = (v4u32)a_;
    for (unsigned k = 0; k < 4; k++)
        r[k] = (uint32_t)(a[2 * k] * b[2 * k]) + (uint32_t)(a[2 * k + 1] * b[2 * k + 1]);
    return (v2u64)r;
}
XMM_HANDLERS(pmaddwd, 128, xmm_set(c, i->d, pmaddwd(xmm_get(c, i->d), b)))

/* Differences of bytes, summed in words, and these by a multiplication in its top word. */
INLINE v2u64 psadbw(v2u64 a_, v2u64 b_)
{
    v16u8 a = (v16u8)a_, b = (v16u8)b_, less = (v16u8)(a < b);
    v8u16 d = (v8u16)(CHOOSE(less, b, a) - CHOOSE(less, a, b));
    v2u64 sums = (v2u64)((d & 0xff) + (d >> 8));
    return (v2u64){sums[0] * 0x0001000100010001u >> 48, sums[1] * 0x0001000100010001u >> 48};
}
XMM_HANDLERS(psadbw, 128, xmm_set(c, i->d, psadbw(xmm_get(c, i->d), b)))

/* PMOVMSKB: the signs of eight bytes, gathered by a multiplication. */
INLINE uint32_t xmm_signs(uint64_t q) { return (uint32_t)((q >> 7 & 0x0101010101010101u) * 0x0102040810204080u >> 56); }
XMM_HANDLER(pmovmskb, 128, r, GPR(i->d) = xmm_signs(b[0]) | xmm_signs(b[1]) << 8)

/* --- shifts --- */

#define SHIFT(name, T, bits, expression) \
    INLINE v2u64 name(v2u64 a_, uint64_t n) \
    { \
        T a = (T)a_; \
        return n < (bits) ? (v2u64)(expression) : (v2u64){0, 0}; \
    } \
    SHIFT_HANDLERS(name)
#define SHIFT_SIGNED(name, T, bits) \
    INLINE v2u64 name(v2u64 a_, uint64_t n) { return (v2u64)((T)a_ >> (int)(n < (bits) ? n : (bits)-1)); } \
    SHIFT_HANDLERS(name)
#define SHIFT_HANDLERS(name) \
    XMM_HANDLERS(name, 128, xmm_set(c, i->d, name(xmm_get(c, i->d), b[0]))) \
    HANDLER(name##_imm) \
    { \
        REQUIRE(xmm_available(c)); \
        xmm_set(c, i->d, name(xmm_get(c, i->d), i->b)); \
        NEXT; \
    }
SHIFT(psrlw, v8u16, 16, a >> (int)n)
SHIFT(psrld, v4u32, 32, a >> (int)n)
SHIFT(psrlq, v2u64, 64, a >> (int)n)
SHIFT(psllw, v8u16, 16, a << (int)n)
SHIFT(pslld, v4u32, 32, a << (int)n)
SHIFT(psllq, v2u64, 64, a << (int)n)
SHIFT_SIGNED(psraw, v8i16, 16)
SHIFT_SIGNED(psrad, v4i32, 32)

/* By bytes. */
INLINE v2u64 xmm_bytes_left(v2u64 a, unsigned n)
{
    struct u128 v = n < 16 ? u128_shl((struct u128){a[1], a[0]}, 8 * n) : (struct u128){0, 0};
    return (v2u64){v.lo, v.hi};
}
INLINE v2u64 xmm_bytes_right(v2u64 a, unsigned n)
{
    struct u128 v = n < 16 ? u128_shr((struct u128){a[1], a[0]}, 8 * n) : (struct u128){0, 0};
    return (v2u64){v.lo, v.hi};
}
HANDLER(pslldq)
{
    REQUIRE(xmm_available(c));
    xmm_set(c, i->d, xmm_bytes_left(xmm_get(c, i->d), i->b));
    NEXT;
}
HANDLER(psrldq)
{
    REQUIRE(xmm_available(c));
    xmm_set(c, i->d, xmm_bytes_right(xmm_get(c, i->d), i->b));
    NEXT;
}

/* --- elements in another order --- */

#ifdef XMM_ORDERED
#define SHUFFLE(name, T, ...) BINARY(name, T, __builtin_shufflevector(a, b, __VA_ARGS__))
SHUFFLE(punpcklbw, v16u8, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
SHUFFLE(punpckhbw, v16u8, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
SHUFFLE(punpcklwd, v8u16, 0, 8, 1, 9, 2, 10, 3, 11)
SHUFFLE(punpckhwd, v8u16, 4, 12, 5, 13, 6, 14, 7, 15)
SHUFFLE(punpckldq, v4u32, 0, 4, 1, 5)
SHUFFLE(punpckhdq, v4u32, 2, 6, 3, 7)

#define CLAMP(T, v, low, high) \
    CHOOSE((T)((v) > (high)), (T){0} + (high), CHOOSE((T)((v) < (low)), (T){0} + (low), (v)))
/* Elements of T, clamped, become those of half their size: first a's, then b's. */
#define PACK(name, T, half, low, high, ...) \
    BINARY(name, T, \
           __builtin_shufflevector((half)CLAMP(T, a, low, high), (half)CLAMP(T, b, low, high), __VA_ARGS__))
PACK(packsswb, v8i16, v16u8, -0x80, 0x7f, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
PACK(packuswb, v8i16, v16u8, 0, 0xff, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
PACK(packssdw, v4i32, v8u16, -0x8000, 0x7fff, 0, 2, 4, 6, 8, 10, 12, 14)
#define ORDERED(n) XMM_FORMS_OF(n)
#else
#define ORDERED(n) {NULL}
#endif

/* --- which handler --- */

/* 66 0F xx */
static xmm_handlers integers[256] = {
    [0x60] = ORDERED(punpcklbw), [0x61] = ORDERED(punpcklwd), [0x62] = ORDERED(punpckldq),
    [0x63] = ORDERED(packsswb), [0x67] = ORDERED(packuswb), [0x68] = ORDERED(punpckhbw),
    [0x69] = ORDERED(punpckhwd), [0x6a] = ORDERED(punpckhdq), [0x6b] = ORDERED(packssdw),
    [0x64] = XMM_FORMS_OF(pcmpgtb), [0x65] = XMM_FORMS_OF(pcmpgtw), [0x66] = XMM_FORMS_OF(pcmpgtd),
    [0x74] = XMM_FORMS_OF(pcmpeqb), [0x75] = XMM_FORMS_OF(pcmpeqw), [0x76] = XMM_FORMS_OF(pcmpeqd),
    [0xd1] = XMM_FORMS_OF(psrlw), [0xd2] = XMM_FORMS_OF(psrld), [0xd3] = XMM_FORMS_OF(psrlq),
    [0xd4] = XMM_FORMS_OF(paddq), [0xd5] = XMM_FORMS_OF(pmullw), [0xd7] = {pmovmskb_r},
    [0xd8] = XMM_FORMS_OF(psubusb), [0xd9] = XMM_FORMS_OF(psubusw), [0xda] = XMM_FORMS_OF(pminub),
    [0xdb] = XMM_FORMS_OF(pand), [0xdc] = XMM_FORMS_OF(paddusb), [0xdd] = XMM_FORMS_OF(paddusw),
    [0xde] = XMM_FORMS_OF(pmaxub), [0xdf] = XMM_FORMS_OF(pandn), [0xe0] = XMM_FORMS_OF(pavgb),
    [0xe1] = XMM_FORMS_OF(psraw), [0xe2] = XMM_FORMS_OF(psrad), [0xe3] = XMM_FORMS_OF(pavgw),
    [0xe4] = XMM_FORMS_OF(pmulhuw), [0xe5] = XMM_FORMS_OF(pmulhw), [0xe8] = XMM_FORMS_OF(psubsb),
    [0xe9] = XMM_FORMS_OF(psubsw), [0xea] = XMM_FORMS_OF(pminsw), [0xeb] = XMM_FORMS_OF(por),
    [0xec] = XMM_FORMS_OF(paddsb), [0xed] = XMM_FORMS_OF(paddsw), [0xee] = XMM_FORMS_OF(pmaxsw),
    [0xef] = XMM_FORMS_OF(pxor), [0xf1] = XMM_FORMS_OF(psllw), [0xf2] = XMM_FORMS_OF(pslld),
    [0xf3] = XMM_FORMS_OF(psllq), [0xf4] = XMM_FORMS_OF(pmuludq), [0xf5] = XMM_FORMS_OF(pmaddwd),
    [0xf6] = XMM_FORMS_OF(psadbw), [0xf8] = XMM_FORMS_OF(psubb), [0xf9] = XMM_FORMS_OF(psubw),
    [0xfa] = XMM_FORMS_OF(psubd), [0xfb] = XMM_FORMS_OF(psubq), [0xfc] = XMM_FORMS_OF(paddb),
    [0xfd] = XMM_FORMS_OF(paddw), [0xfe] = XMM_FORMS_OF(paddd),
};

/* ANDPS ANDNPS ORPS XORPS and PD */
static xmm_handlers logic[4] = {XMM_FORMS_OF(pand), XMM_FORMS_OF(pandn), XMM_FORMS_OF(por), XMM_FORMS_OF(pxor)};
/* UNPCKLPS, UNPCKHPS: as PUNPCKLDQ, PUNPCKHDQ. */
static xmm_handlers unpack[2] = {ORDERED(punpckldq), ORDERED(punpckhdq)};

fast_handler *fast_sse_integer(unsigned opcode, enum sse_prefix prefix, unsigned form)
{
    unsigned code = opcode & 0xff;
    if (prefix <= SSE_66 && code >= 0x54 && code <= 0x57)
        return logic[code & 3][form];
    if (prefix == SSE_NP && (code == 0x14 || code == 0x15))
        return unpack[code & 1][form];
    return prefix == SSE_66 ? integers[code][form] : NULL;
}

fast_handler *fast_sse_shift(unsigned opcode, unsigned reg)
{
    /* By opcode 71-73 and ModRM.reg. */
    static fast_handler *const shifts[3][8] = {
        {[2] = psrlw_imm, [4] = psraw_imm, [6] = psllw_imm},
        {[2] = psrld_imm, [4] = psrad_imm, [6] = pslld_imm},
        {[2] = psrlq_imm, [3] = psrldq, [6] = psllq_imm, [7] = pslldq},
    };
    return shifts[(opcode & 0xff) - 0x71][reg];
}

#endif
