/*
 * SSE and SSE2 in the fast tier: which instruction has a handler, and those that only move data. Whatever may fault
 * goes to the reference tier (cpu/sse*.c) with its struct insn at hand.
 *
 * Slots: d, s = numbers of XMM or general registers; memory operands as everywhere, with the segment in sc; b = the
 * immediate. One copy of these handlers is enough.
 */
#include "cpu/fast/xmm.h"

#ifdef XMM_FAST

/* --- whole registers --- */

XMM_HANDLERS(movaps, 128, xmm_set(c, i->d, b))

#define MOVE_UNALIGNED(K) \
    HANDLER(movups_##K) \
    { \
        REQUIRE(xmm_available(c)); \
        SOURCE(K, 16); \
        xmm_set(c, i->d, xmm_load(p)); \
        NEXT; \
    } \
    HANDLER(movups_store_##K) \
    { \
        REQUIRE(xmm_available(c)); \
        TARGET(K, 16); \
        xmm_store(p, xmm_get(c, i->d)); \
        NEXT; \
    } \
    HANDLER(movaps_store_##K) \
    { \
        REQUIRE(xmm_available(c) && xmm_aligned_##K(c, i)); \
        TARGET(K, 16); \
        xmm_store(p, xmm_get(c, i->d)); \
        NEXT; \
    }
MOVE_UNALIGNED(1)
MOVE_UNALIGNED(2)

/* --- parts --- */

/* From memory the rest is cleared, from a register it stays. */
XMM_HANDLER(movsd, 64, r, xmm_set_low64(c, i->d, b))
XMM_HANDLER(movsd, 64, 1, xmm_set(c, i->d, (v2u64){b, 0}))
XMM_HANDLER(movsd, 64, 2, xmm_set(c, i->d, (v2u64){b, 0}))
XMM_HANDLER(movss, 32, r, xmm_set_low32(c, i->d, b))
XMM_HANDLER(movss, 32, 1, xmm_set(c, i->d, (v2u64){b, 0}))
XMM_HANDLER(movss, 32, 2, xmm_set(c, i->d, (v2u64){b, 0}))
XMM_HANDLERS(movq, 64, xmm_set(c, i->d, (v2u64){b, 0}))
XMM_HANDLERS(movd, GPR, xmm_set(c, i->d, (v2u64){b, 0}))

/* MOVLPS, MOVHPS; between registers MOVHLPS, MOVLHPS. */
XMM_HANDLER(movlps, 64, 1, xmm_set_low64(c, i->d, b))
XMM_HANDLER(movlps, 64, 2, xmm_set_low64(c, i->d, b))
XMM_HANDLER(movhps, 64, 1, xmm_set_high64(c, i->d, b))
XMM_HANDLER(movhps, 64, 2, xmm_set_high64(c, i->d, b))
XMM_HANDLER(movhlps, 128, r, xmm_set_low64(c, i->d, b[1]))
XMM_HANDLER(movlhps, 128, r, xmm_set_high64(c, i->d, b[0]))

#define STORE_PART(name, size, value, K) \
    HANDLER(name##_store_##K) \
    { \
        REQUIRE(xmm_available(c)); \
        TARGET(K, size); \
        store_le(p, size, value); \
        NEXT; \
    }
#define STORE_PARTS(name, size, value) STORE_PART(name, size, value, 1) STORE_PART(name, size, value, 2)
STORE_PARTS(movq, 8, c->st.xmm[i->d][0])
STORE_PARTS(movhps, 8, c->st.xmm[i->d][1])
STORE_PARTS(movd, 4, (uint32_t)c->st.xmm[i->d][0])

HANDLER(movd_store_r)
{
    REQUIRE(xmm_available(c));
    GPR(i->d) = (uint32_t)c->st.xmm[i->s][0];
    NEXT;
}

#define MOVNTI(K) \
    HANDLER(movnti_##K) \
    { \
        TARGET(K, 4); \
        store32(p, (uint32_t)GPR(i->d)); \
        NEXT; \
    }
MOVNTI(1)
MOVNTI(2)

/* MOVMSKPS, MOVMSKPD: the signs. */
XMM_HANDLER(movmskps, 128, r,
            GPR(i->d) = (uint32_t)((b[0] >> 31 & 1) | (b[0] >> 63) << 1 | (b[1] >> 31 & 1) << 2 | (b[1] >> 63) << 3))
XMM_HANDLER(movmskpd, 128, r, GPR(i->d) = (uint32_t)(b[0] >> 63 | (b[1] >> 63) << 1))

/* --- shuffles by value: elements of 64-bit halves --- */

INLINE uint32_t xmm_dword(v2u64 v, unsigned n) { return (uint32_t)((n & 2 ? v[1] : v[0]) >> (n & 1) * 32); }
INLINE uint64_t xmm_two(v2u64 v, unsigned imm) { return xmm_dword(v, imm) | (uint64_t)xmm_dword(v, imm >> 2) << 32; }
INLINE v2u64 xmm_shuffle_words(v2u64 v, unsigned half, unsigned imm)
{
    uint64_t q = v[half];
    v[half] = (q >> 16 * (imm & 3) & 0xffff) | (q >> 16 * (imm >> 2 & 3) & 0xffff) << 16 |
              (q >> 16 * (imm >> 4 & 3) & 0xffff) << 32 | (q >> 16 * (imm >> 6 & 3)) << 48;
    return v;
}

XMM_HANDLERS(pshufd, 128, xmm_set(c, i->d, (v2u64){xmm_two(b, i->b), xmm_two(b, i->b >> 4)}))
XMM_HANDLERS(pshuflw, 128, xmm_set(c, i->d, xmm_shuffle_words(b, 0, i->b)))
XMM_HANDLERS(pshufhw, 128, xmm_set(c, i->d, xmm_shuffle_words(b, 1, i->b)))
XMM_HANDLERS(shufps, 128, v2u64 a = xmm_get(c, i->d); xmm_set(c, i->d, (v2u64){xmm_two(a, i->b), xmm_two(b, i->b >> 4)}))
XMM_HANDLERS(shufpd, 128, v2u64 a = xmm_get(c, i->d);
             xmm_set(c, i->d, (v2u64){i->b & 1 ? a[1] : a[0], i->b & 2 ? b[1] : b[0]}))
XMM_HANDLERS(unpcklpd, 128, v2u64 a = xmm_get(c, i->d); xmm_set(c, i->d, (v2u64){a[0], b[0]}))
XMM_HANDLERS(unpckhpd, 128, v2u64 a = xmm_get(c, i->d); xmm_set(c, i->d, (v2u64){a[1], b[1]}))
XMM_HANDLER(pextrw, 128, r, GPR(i->d) = (uint16_t)((i->b & 4 ? b[1] : b[0]) >> 16 * (i->b & 3)))

#define ALL(handlers) {handlers, handlers, handlers, handlers}
#define BOTH(...) {__VA_ARGS__, __VA_ARGS__}
#define IF_66(...) {[SSE_66] = __VA_ARGS__}
#define F3_F2(f3, f2) [SSE_F3] = f3, [SSE_F2] = f2
#define STORES(n) {NULL, n##_store_1, n##_store_2}
#define UNALIGNED {movaps_r, movups_1, movups_2}
#define STORE_UNALIGNED {movaps_r, movups_store_1, movups_store_2}
#define STORE_ALIGNED {movaps_r, movaps_store_1, movaps_store_2}
#define STORE_MEMORY {NULL, movaps_store_1, movaps_store_2}

/* By the second opcode byte, prefix and form. */
static xmm_handlers moves[256][4] = {
    [0x10] = {UNALIGNED, UNALIGNED, XMM_FORMS_OF(movss), XMM_FORMS_OF(movsd)},
    [0x11] = {STORE_UNALIGNED, STORE_UNALIGNED, {movss_r, movd_store_1, movd_store_2}, {movsd_r, movq_store_1, movq_store_2}},
    [0x12] = {{movhlps_r, movlps_1, movlps_2}, {NULL, movlps_1, movlps_2}},
    [0x13] = BOTH(STORES(movq)),
    [0x14] = IF_66(XMM_FORMS_OF(unpcklpd)),
    [0x15] = IF_66(XMM_FORMS_OF(unpckhpd)),
    [0x16] = {{movlhps_r, movhps_1, movhps_2}, {NULL, movhps_1, movhps_2}},
    [0x17] = BOTH(STORES(movhps)),
    [0x28] = BOTH(XMM_FORMS_OF(movaps)),
    [0x29] = BOTH(STORE_ALIGNED),
    [0x2b] = BOTH(STORE_MEMORY),
    [0x50] = {{movmskps_r}, {movmskpd_r}},
    [0x6c] = IF_66(XMM_FORMS_OF(unpcklpd)),
    [0x6d] = IF_66(XMM_FORMS_OF(unpckhpd)),
    [0x6e] = IF_66(XMM_FORMS_OF(movd)),
    [0x6f] = {[SSE_66] = XMM_FORMS_OF(movaps), [SSE_F3] = UNALIGNED},
    [0x70] = {[SSE_66] = XMM_FORMS_OF(pshufd), [SSE_F3] = XMM_FORMS_OF(pshufhw), [SSE_F2] = XMM_FORMS_OF(pshuflw)},
    [0x7e] = {[SSE_66] = {movd_store_r, movd_store_1, movd_store_2}, [SSE_F3] = XMM_FORMS_OF(movq)},
    [0x7f] = {[SSE_66] = STORE_ALIGNED, [SSE_F3] = STORE_UNALIGNED},
    [0xc3] = {{NULL, movnti_1, movnti_2}},
    [0xc5] = IF_66({pextrw_r}),
    [0xc6] = {XMM_FORMS_OF(shufps), XMM_FORMS_OF(shufpd)},
    [0xd6] = IF_66({movq_r, movq_store_1, movq_store_2}),
    [0xe7] = IF_66(STORE_MEMORY),
};

fast_handler *fast_sse_move(unsigned opcode, enum sse_prefix prefix, unsigned form)
{
    return moves[opcode & 0xff][prefix][form];
}

bool fast_select_sse(const struct cpu *c, const struct insn *o, unsigned kind, struct slot *s)
{
    bool memory = o->modrm < 0xc0;
    unsigned form = !memory ? XMM_R : kind == 2 ? XMM_M2 : XMM_M1;
    enum sse_prefix prefix = sse_prefix(o);
    (void)c;
    s->d = o->form == FORM_MR ? o->src : o->dst;
    if (!memory)
        s->s = o->src;
    s->b = o->imm & 0xff;
    if (o->opcode >= 0x0f71 && o->opcode <= 0x0f73) {
        s->fn = fast_sse_shift(o->opcode, o->modrm >> 3 & 7);
        return s->fn != NULL;
    }
    s->fn = fast_sse_move(o->opcode, prefix, form);
    if (!s->fn)
        s->fn = fast_sse_integer(o->opcode, prefix, form);
    if (!s->fn)
        s->fn = fast_sse_float(o->opcode, prefix, form);
    return s->fn != NULL;
}

#else

bool fast_select_sse(const struct cpu *c, const struct insn *o, unsigned kind, struct slot *s)
{
    (void)c, (void)o, (void)kind, (void)s;
    return false;
}

#endif
