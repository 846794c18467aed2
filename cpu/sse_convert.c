/*
 * SSE and SSE2: conversions among 32-bit integers, singles and doubles. See cpu/sse.h.
 *
 * Models: SDM vol. 2, CVTxxx; SDM vol. 1 11.4.1.6, figure 11-8. Integers that do not fit are invalid operands and
 * give 80000000; the forms with an extra T in their name cut, whatever MXCSR's rounding control says.
 *
 * Wired by cpu/sse.c's table.
 */
#include "cpu/sse.h"

enum element { INT32, SINGLE, DOUBLE };
enum place { XMM, MM, GPR };
/* The rest of an XMM register: kept, or cleared. */
enum rest { KEEP, CLEAR };

struct conversion {
    uint8_t from, to; /* enum element */
    uint8_t count;    /* elements */
    uint8_t source, destination; /* enum place; a source may be memory as well */
    uint8_t rest;
    uint8_t truncate;
};

/* In the order of the prefixes: none, 66, F3, F2. */
static const struct conversion conversions_2a[4] = {
    {INT32, SINGLE, 2, MM, XMM, KEEP, 0}, {INT32, DOUBLE, 2, MM, XMM, KEEP, 0},   /* CVTPI2PS, CVTPI2PD */
    {INT32, SINGLE, 1, GPR, XMM, KEEP, 0}, {INT32, DOUBLE, 1, GPR, XMM, KEEP, 0}, /* CVTSI2SS, CVTSI2SD */
};
static const struct conversion conversions_2c[4] = {
    {SINGLE, INT32, 2, XMM, MM, KEEP, 1}, {DOUBLE, INT32, 2, XMM, MM, KEEP, 1},   /* CVTTPS2PI, CVTTPD2PI */
    {SINGLE, INT32, 1, XMM, GPR, KEEP, 1}, {DOUBLE, INT32, 1, XMM, GPR, KEEP, 1}, /* CVTTSS2SI, CVTTSD2SI */
};
static const struct conversion conversions_2d[4] = {
    {SINGLE, INT32, 2, XMM, MM, KEEP, 0}, {DOUBLE, INT32, 2, XMM, MM, KEEP, 0},   /* CVTPS2PI, CVTPD2PI */
    {SINGLE, INT32, 1, XMM, GPR, KEEP, 0}, {DOUBLE, INT32, 1, XMM, GPR, KEEP, 0}, /* CVTSS2SI, CVTSD2SI */
};
static const struct conversion conversions_5a[4] = {
    {SINGLE, DOUBLE, 2, XMM, XMM, CLEAR, 0}, {DOUBLE, SINGLE, 2, XMM, XMM, CLEAR, 0}, /* CVTPS2PD, CVTPD2PS */
    {SINGLE, DOUBLE, 1, XMM, XMM, KEEP, 0}, {DOUBLE, SINGLE, 1, XMM, XMM, KEEP, 0},   /* CVTSS2SD, CVTSD2SS */
};
static const struct conversion conversions_5b[4] = {
    {INT32, SINGLE, 4, XMM, XMM, CLEAR, 0}, {SINGLE, INT32, 4, XMM, XMM, CLEAR, 0}, /* CVTDQ2PS, CVTPS2DQ */
    {SINGLE, INT32, 4, XMM, XMM, CLEAR, 1},                                         /* CVTTPS2DQ */
};
static const struct conversion conversions_e6[4] = {
    [SSE_66] = {DOUBLE, INT32, 2, XMM, XMM, CLEAR, 1}, /* CVTTPD2DQ */
    [SSE_F3] = {INT32, DOUBLE, 2, XMM, XMM, CLEAR, 0}, /* CVTDQ2PD */
    [SSE_F2] = {DOUBLE, INT32, 2, XMM, XMM, CLEAR, 0}, /* CVTPD2DQ */
};

static const struct conversion *conversion_of(const struct insn *i)
{
    enum sse_prefix p = sse_prefix(i);
    switch (i->opcode & 0xff) {
    case 0x2a: return &conversions_2a[p];
    case 0x2c: return &conversions_2c[p];
    case 0x2d: return &conversions_2d[p];
    case 0x5a: return &conversions_5a[p];
    case 0x5b: return &conversions_5b[p];
    default: return &conversions_e6[p];
    }
}

static unsigned bits_of(enum element e) { return e == DOUBLE ? 64 : 32; }
static const struct fp_format *format_of(enum element e) { return e == DOUBLE ? &fp_double : &fp_single; }

static uint64_t convert(struct ieee_ctx *x, const struct conversion *k, uint64_t v)
{
    if (k->from == INT32)
        return ieee_from_int32(x, format_of(k->to), (int32_t)v);
    if (k->to == INT32)
        return ieee_to_int32(x, format_of(k->from), v);
    return ieee_convert(x, format_of(k->from), format_of(k->to), v);
}

static struct xmm source(struct cpu *c, const struct insn *i, const struct conversion *k)
{
    struct xmm v = {{0, 0}};
    if (k->source == XMM || sse_has_memory(i))
        return sse_source(c, i, bits_of(k->from) / 8 * k->count);
    v.q[0] = k->source == MM ? c->st.x87.mant[i->src] : reg_read(c, i->src, 4);
    return v;
}

static void write_result(struct cpu *c, const struct insn *i, const struct conversion *k, struct xmm v)
{
    switch (k->destination) {
    case XMM: sse_set_register(c, i->dst, v); break;
    case MM: mmx_write(c, i->dst, v.q[0]); break;
    default: reg_write(c, i->dst, 4, (uint32_t)v.q[0]); break;
    }
}

void sse_convert(struct cpu *c, const struct insn *i)
{
    const struct conversion *k = conversion_of(i);
    struct xmm from = source(c, i, k), to = {{0, 0}};
    struct ieee_ctx x = sse_context(c);

    if (k->destination == XMM && k->rest == KEEP)
        to = sse_register(c, i->dst);
    if (k->truncate)
        x.cw |= FP_RC_CHOP;
    for (unsigned n = 0; n < k->count; n++)
        set_element(&to, bits_of(k->to), n, convert(&x, k, element_of(&from, bits_of(k->from), n)));
    sse_finish(c, &x);
    write_result(c, i, k, to);
}
