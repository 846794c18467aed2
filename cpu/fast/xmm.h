/*
 * What the fast tier's SSE files share: XMM registers as vectors, memory operands of 16 bytes.
 *
 * Registers are read and written whole: a wide load of two narrow stores stalls the host. Vectors are GNU C's. In a
 * 64-bit half on a big-endian host the elements lie the other way round, for all operands alike: element by
 * element that makes no difference, and what mixes elements is there for little-endian hosts only (XMM_ORDERED).
 */
#ifndef CPU_FAST_XMM_H
#define CPU_FAST_XMM_H

#include <float.h>

#include "cpu/fast/unit.h"
#include "cpu/sse.h"

#if defined(__GNUC__) && FLT_EVAL_METHOD == 0 && DBL_MANT_DIG == 53 && FLT_MANT_DIG == 24 && !defined(__FAST_MATH__)
#define XMM_FAST 1
#endif
#if defined(XMM_FAST) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define XMM_ORDERED 1
#endif
#endif

/* Handlers of one instruction: second operand a register, flat memory, any memory. */
enum { XMM_R, XMM_M1, XMM_M2, XMM_FORMS };
#define XMM_FORMS_OF(n) {n##_r, n##_1, n##_2}
typedef fast_handler *const xmm_handlers[XMM_FORMS];

/* By the second opcode byte; NULL: none. */
fast_handler *fast_sse_move(unsigned opcode, enum sse_prefix prefix, unsigned form);    /* sse.c */
fast_handler *fast_sse_integer(unsigned opcode, enum sse_prefix prefix, unsigned form); /* sse_int.c */
fast_handler *fast_sse_shift(unsigned opcode, unsigned reg); /* 66 0F 71-73 /reg ib */
fast_handler *fast_sse_float(unsigned opcode, enum sse_prefix prefix, unsigned form);   /* sse_float.c */

#ifdef XMM_FAST
#define XMM_VECTOR(type) type __attribute__((vector_size(16)))
typedef XMM_VECTOR(uint8_t) v16u8;
typedef XMM_VECTOR(int8_t) v16i8;
typedef XMM_VECTOR(uint16_t) v8u16;
typedef XMM_VECTOR(int16_t) v8i16;
typedef XMM_VECTOR(uint32_t) v4u32;
typedef XMM_VECTOR(int32_t) v4i32;
typedef XMM_VECTOR(uint64_t) v2u64;
typedef XMM_VECTOR(int64_t) v2i64;
typedef XMM_VECTOR(float) v4f32;
typedef XMM_VECTOR(double) v2f64;

INLINE v2u64 xmm_get(const struct cpu *c, unsigned n)
{
    v2u64 v;
    memcpy(&v, c->st.xmm[n], 16);
    return v;
}

INLINE void xmm_set(struct cpu *c, unsigned n, v2u64 v) { memcpy(c->st.xmm[n], &v, 16); }

INLINE v2u64 xmm_load(const uint8_t *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v2u64 v;
    memcpy(&v, p, 16);
    return v;
#else
    return (v2u64){load_le64(p), load_le64(p + 8)};
#endif
}

INLINE void xmm_store(uint8_t *p, v2u64 v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(p, &v, 16);
#else
    store_le64(p, v[0]);
    store_le64(p + 8, v[1]);
#endif
}

INLINE void xmm_set_low64(struct cpu *c, unsigned n, uint64_t low)
{
    v2u64 v = xmm_get(c, n);
    v[0] = low;
    xmm_set(c, n, v);
}
INLINE void xmm_set_high64(struct cpu *c, unsigned n, uint64_t high)
{
    v2u64 v = xmm_get(c, n);
    v[1] = high;
    xmm_set(c, n, v);
}
INLINE void xmm_set_low32(struct cpu *c, unsigned n, uint32_t low)
{
    v2u64 v = xmm_get(c, n);
    v[0] = (v[0] & ~(uint64_t)0xffffffffu) | low;
    xmm_set(c, n, v);
}

/* SDM 3A table 13-1. */
INLINE bool xmm_available(const struct cpu *c)
{
    return !((c->st.cr0 & (CR0_EM | CR0_TS)) | (~c->st.cr4 & CR4_OSFXSR));
}

/* On a 16-byte boundary; K as in fast_ea. */
INLINE bool xmm_aligned_1(struct cpu *c, const struct slot *i) { return (fast_ea1(c, i) & 15) == 0; }
INLINE bool xmm_aligned_2(struct cpu *c, const struct slot *i)
{
    return ((fast_ea2(c, i) + c->fast->seg[i->sc >> 5].base) & 15) == 0;
}

/* Declares `b`, the second operand: all of it, or the low 64 or 32 bits. */
#define OPERAND128_r v2u64 b = xmm_get(c, i->s)
#define OPERAND128_1 REQUIRE(xmm_aligned_1(c, i)); SOURCE(1, 16); v2u64 b = xmm_load(p)
#define OPERAND128_2 REQUIRE(xmm_aligned_2(c, i)); SOURCE(2, 16); v2u64 b = xmm_load(p)
#define OPERAND64_r uint64_t b = c->st.xmm[i->s][0]
#define OPERAND64_1 SOURCE(1, 8); uint64_t b = load_le64(p)
#define OPERAND64_2 SOURCE(2, 8); uint64_t b = load_le64(p)
#define OPERAND32_r uint32_t b = (uint32_t)c->st.xmm[i->s][0]
#define OPERAND32_1 SOURCE(1, 4); uint32_t b = load32(p)
#define OPERAND32_2 SOURCE(2, 4); uint32_t b = load32(p)
/* An integer. */
#define OPERANDGPR_r uint32_t b = (uint32_t)GPR(i->s)
#define OPERANDGPR_1 OPERAND32_1
#define OPERANDGPR_2 OPERAND32_2

/* Three handlers NAME_r, NAME_1, NAME_2 with the same body, after `b` was read as SIZE says. */
#define XMM_HANDLER(name, size, form, ...) \
    HANDLER(name##_##form) \
    { \
        REQUIRE(xmm_available(c)); \
        OPERAND##size##_##form; \
        __VA_ARGS__; \
        NEXT; \
    }
#define XMM_HANDLERS(name, size, ...) \
    XMM_HANDLER(name, size, r, __VA_ARGS__) XMM_HANDLER(name, size, 1, __VA_ARGS__) \
    XMM_HANDLER(name, size, 2, __VA_ARGS__)
#endif

#endif
