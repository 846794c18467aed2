/*
 * SSE and SSE2: arithmetic on and comparison of packed and scalar numbers. See cpu/sse.h.
 *
 * Models: SDM vol. 2 for each instruction; the arithmetic itself is cpu/softfp_ieee.h. The prefix tells which
 * elements an instruction works on: none four singles, 66 two doubles, F3 the lowest single, F2 the lowest double;
 * the elements beside a scalar keep the first operand's value.
 *
 * Wired by cpu/sse.c's table.
 */
#include "cpu/sse.h"

struct shape {
    const struct fp_format *format;
    unsigned bits, count;
};

static struct shape shape_of(enum sse_prefix prefix)
{
    static const uint8_t count[] = {[SSE_NP] = 4, [SSE_66] = 2, [SSE_F3] = 1, [SSE_F2] = 1};
    bool single = prefix == SSE_NP || prefix == SSE_F3;
    struct shape s = {single ? &fp_single : &fp_double, single ? 32 : 64, count[prefix]};
    return s;
}

static struct xmm source(struct cpu *c, const struct insn *i, struct shape s)
{
    return sse_source(c, i, s.bits / 8 * s.count);
}

/* The operation on each pair of elements. */
static void each_element(struct cpu *c, const struct insn *i, ieee_binary *operation)
{
    struct shape s = shape_of(sse_prefix(i));
    struct xmm a = sse_register(c, i->dst), b = source(c, i, s);
    struct ieee_ctx x = sse_context(c);

    for (unsigned n = 0; n < s.count; n++) {
        uint64_t v = operation(&x, s.format, element_of(&a, s.bits, n), element_of(&b, s.bits, n));
        set_element(&a, s.bits, n, v);
    }
    sse_finish(c, &x);
    sse_set_register(c, i->dst, a);
}

static uint64_t root_of_second(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b)
{
    (void)a;
    return ieee_sqrt(x, f, b);
}

/* SQRT -- 0F 51; ADD MUL -- 0F 58 59; SUB MIN DIV MAX -- 0F 5C 5D 5E 5F; each PS PD SS SD. */
void sse_arithmetic(struct cpu *c, const struct insn *i)
{
    static ieee_binary *const operations[16] = {
        [0x1] = root_of_second, [0x8] = ieee_add, [0x9] = ieee_mul, [0xc] = ieee_sub,
        [0xd] = ieee_min, [0xe] = ieee_div, [0xf] = ieee_max,
    };
    each_element(c, i, operations[i->opcode & 15]);
}

/* RSQRTPS, RSQRTSS -- 0F 52; RCPPS, RCPSS -- 0F 53. They know neither MXCSR nor exceptions. */
void sse_approximate(struct cpu *c, const struct insn *i)
{
    struct shape s = shape_of(sse_prefix(i));
    struct xmm a = sse_register(c, i->dst), b = source(c, i, s);
    bool root = (i->opcode & 0xff) == 0x52;

    for (unsigned n = 0; n < s.count; n++) {
        uint32_t v = dword_of(&b, n);
        set_dword(&a, n, root ? ieee_approx_root(v) : ieee_approx_reciprocal(v));
    }
    sse_set_register(c, i->dst, a);
}

/* Predicates of CMPPS (SDM 2A table 3-7): bits 0-1 the relation, bit 2 its negation. Only equality and order are
 * indifferent to quiet NaNs. */
static bool holds(struct ieee_ctx *x, const struct fp_format *f, uint64_t a, uint64_t b, unsigned predicate)
{
    bool quiet = (predicate & 3) == 0 || (predicate & 3) == 3;
    enum fp_relation r = ieee_compare(x, f, a, b, quiet);
    bool yes;
    switch (predicate & 3) {
    case 0: yes = r == FP_EQUAL; break;
    case 1: yes = r == FP_LESS; break;
    case 2: yes = r == FP_LESS || r == FP_EQUAL; break;
    default: yes = r == FP_UNORDERED; break;
    }
    return yes != ((predicate & 4) != 0);
}

/* CMPPS, CMPPD, CMPSS, CMPSD -- 0F C2 ib: masks of ones where the predicate holds. */
void sse_compare(struct cpu *c, const struct insn *i)
{
    struct shape s = shape_of(sse_prefix(i));
    struct xmm a = sse_register(c, i->dst), b = source(c, i, s);
    struct ieee_ctx x = sse_context(c);

    for (unsigned n = 0; n < s.count; n++) {
        bool yes = holds(&x, s.format, element_of(&a, s.bits, n), element_of(&b, s.bits, n), i->imm & 7);
        set_element(&a, s.bits, n, yes ? ~(uint64_t)0 : 0);
    }
    sse_finish(c, &x);
    sse_set_register(c, i->dst, a);
}

/* UCOMISS, UCOMISD -- 0F 2E; COMISS, COMISD -- 0F 2F (any NaN is invalid). OF, SF and AF are cleared. */
void sse_compare_scalar(struct cpu *c, const struct insn *i)
{
    static const uint32_t flags[] = {
        [FP_LESS] = FLAG_CF, [FP_EQUAL] = FLAG_ZF, [FP_GREATER] = 0, [FP_UNORDERED] = FLAG_ZF | FLAG_PF | FLAG_CF,
    };
    struct shape s = shape_of(sse_prefix(i) == SSE_66 ? SSE_F2 : SSE_F3);
    struct xmm a = sse_register(c, i->dst), b = source(c, i, s);
    struct ieee_ctx x = sse_context(c);
    bool quiet = (i->opcode & 0xff) == 0x2e;

    enum fp_relation r =
        ieee_compare(&x, s.format, element_of(&a, s.bits, 0), element_of(&b, s.bits, 0), quiet);
    sse_finish(c, &x);
    flags_set_arith(c, flags[r]);
}
