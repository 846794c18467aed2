/*
 * The MMX instructions of the Pentium MMX, on the significands of the x87 registers.
 *
 * Models: SDM vol. 1 ch. 9 (data types, saturation 9.3.1), vol. 3A ch. 12 (tables 12-1 and 12-2: CR0 and effects on
 * the x87 state: every instruction but EMMS makes all tags valid and TOP 0, a write sets sign and exponent
 * to ones), SDM vol. 2 for each instruction. MMn is the physical register Rn, whatever TOP was.
 *
 * An operation is a pure function of two 64-bit words, first operand and second; `lanes` maps one of its
 * elements. Plain C on integers, the same on every host.
 *
 * The MMX-register instructions that came with SSE and SSE2 (PSHUFW, PADDQ ..) are here as well; the XMM forms of
 * all of them (sse_integer.c) use the same operations.
 *
 * NOT MODELLED: 3DNow!.
 *
 * Wired by ref.c: op_mmx; by sse.c's table.
 */
#include "cpu/fpu.h"

/* --- element by element --- */

typedef int64_t lane_fn(int64_t a, int64_t b);

static inline uint64_t lane(uint64_t v, unsigned bits, unsigned at)
{
    return v >> at & (((uint64_t)1 << bits) - 1);
}

static inline int64_t signed_lane(uint64_t v, unsigned bits, unsigned at)
{
    int64_t sign = (int64_t)1 << (bits - 1);
    return ((int64_t)lane(v, bits, at) ^ sign) - sign;
}

/* The operation on each pair of signed elements of `bits` bits, cut to them. */
static inline uint64_t lanes(uint64_t a, uint64_t b, unsigned bits, lane_fn *fn)
{
    uint64_t r = 0;
    for (unsigned at = 0; at < 64; at += bits)
        r |= lane((uint64_t)fn(signed_lane(a, bits, at), signed_lane(b, bits, at)), bits, 0) << at;
    return r;
}

static inline uint64_t unsigned_lanes(uint64_t a, uint64_t b, unsigned bits, lane_fn *fn)
{
    uint64_t r = 0;
    for (unsigned at = 0; at < 64; at += bits)
        r |= lane((uint64_t)fn((int64_t)lane(a, bits, at), (int64_t)lane(b, bits, at)), bits, 0) << at;
    return r;
}

static inline int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

static inline int64_t saturate_sb(int64_t v) { return clamp(v, -0x80, 0x7f); }
static inline int64_t saturate_sw(int64_t v) { return clamp(v, -0x8000, 0x7fff); }
static inline int64_t saturate_ub(int64_t v) { return clamp(v, 0, 0xff); }
static inline int64_t saturate_uw(int64_t v) { return clamp(v, 0, 0xffff); }

static inline int64_t add(int64_t a, int64_t b) { return a + b; }
static inline int64_t sub(int64_t a, int64_t b) { return a - b; }
static inline int64_t add_sb(int64_t a, int64_t b) { return saturate_sb(a + b); }
static inline int64_t add_sw(int64_t a, int64_t b) { return saturate_sw(a + b); }
static inline int64_t add_ub(int64_t a, int64_t b) { return saturate_ub(a + b); }
static inline int64_t add_uw(int64_t a, int64_t b) { return saturate_uw(a + b); }
static inline int64_t sub_sb(int64_t a, int64_t b) { return saturate_sb(a - b); }
static inline int64_t sub_sw(int64_t a, int64_t b) { return saturate_sw(a - b); }
static inline int64_t sub_ub(int64_t a, int64_t b) { return saturate_ub(a - b); }
static inline int64_t sub_uw(int64_t a, int64_t b) { return saturate_uw(a - b); }
static inline int64_t equal(int64_t a, int64_t b) { return a == b ? -1 : 0; }
static inline int64_t greater(int64_t a, int64_t b) { return a > b ? -1 : 0; }
static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t average(int64_t a, int64_t b) { return (a + b + 1) >> 1; }
static inline int64_t multiply(int64_t a, int64_t b) { return a * b; }
static inline int64_t multiply_high(int64_t a, int64_t b) { return (int64_t)((uint64_t)(a * b) >> 16); }

/* PADDB/W/D -- 0F FC FD FE; PSUBB/W/D -- 0F F8 F9 FA. */
static uint64_t paddb(uint64_t a, uint64_t b) { return lanes(a, b, 8, add); }
static uint64_t paddw(uint64_t a, uint64_t b) { return lanes(a, b, 16, add); }
static uint64_t paddd(uint64_t a, uint64_t b) { return lanes(a, b, 32, add); }
static uint64_t psubb(uint64_t a, uint64_t b) { return lanes(a, b, 8, sub); }
static uint64_t psubw(uint64_t a, uint64_t b) { return lanes(a, b, 16, sub); }
static uint64_t psubd(uint64_t a, uint64_t b) { return lanes(a, b, 32, sub); }

/* PADDSB/W, PADDUSB/W -- 0F EC ED DC DD; PSUBSB/W, PSUBUSB/W -- 0F E8 E9 D8 D9. */
static uint64_t paddsb(uint64_t a, uint64_t b) { return lanes(a, b, 8, add_sb); }
static uint64_t paddsw(uint64_t a, uint64_t b) { return lanes(a, b, 16, add_sw); }
static uint64_t paddusb(uint64_t a, uint64_t b) { return unsigned_lanes(a, b, 8, add_ub); }
static uint64_t paddusw(uint64_t a, uint64_t b) { return unsigned_lanes(a, b, 16, add_uw); }
static uint64_t psubsb(uint64_t a, uint64_t b) { return lanes(a, b, 8, sub_sb); }
static uint64_t psubsw(uint64_t a, uint64_t b) { return lanes(a, b, 16, sub_sw); }
static uint64_t psubusb(uint64_t a, uint64_t b) { return unsigned_lanes(a, b, 8, sub_ub); }
static uint64_t psubusw(uint64_t a, uint64_t b) { return unsigned_lanes(a, b, 16, sub_uw); }

/* PCMPEQB/W/D -- 0F 74 75 76; PCMPGTB/W/D -- 0F 64 65 66. */
static uint64_t pcmpeqb(uint64_t a, uint64_t b) { return lanes(a, b, 8, equal); }
static uint64_t pcmpeqw(uint64_t a, uint64_t b) { return lanes(a, b, 16, equal); }
static uint64_t pcmpeqd(uint64_t a, uint64_t b) { return lanes(a, b, 32, equal); }
static uint64_t pcmpgtb(uint64_t a, uint64_t b) { return lanes(a, b, 8, greater); }
static uint64_t pcmpgtw(uint64_t a, uint64_t b) { return lanes(a, b, 16, greater); }
static uint64_t pcmpgtd(uint64_t a, uint64_t b) { return lanes(a, b, 32, greater); }

/* PMULLW -- 0F D5; PMULHW -- 0F E5. */
static uint64_t pmullw(uint64_t a, uint64_t b) { return lanes(a, b, 16, multiply); }
static uint64_t pmulhw(uint64_t a, uint64_t b) { return lanes(a, b, 16, multiply_high); }

/* SSE: PMULHUW -- 0F E4; PAVGB/W -- 0F E0 E3, of unsigned elements. */
static uint64_t pmulhuw(uint64_t a, uint64_t b) { return unsigned_lanes(a, b, 16, multiply_high); }
static uint64_t pavgb(uint64_t a, uint64_t b) { return unsigned_lanes(a, b, 8, average); }
static uint64_t pavgw(uint64_t a, uint64_t b) { return unsigned_lanes(a, b, 16, average); }

/* SSE: PMINUB, PMAXUB -- 0F DA DE, unsigned; PMINSW, PMAXSW -- 0F EA EE, signed. */
static uint64_t pminub(uint64_t a, uint64_t b) { return unsigned_lanes(a, b, 8, smaller); }
static uint64_t pmaxub(uint64_t a, uint64_t b) { return unsigned_lanes(a, b, 8, larger); }
static uint64_t pminsw(uint64_t a, uint64_t b) { return lanes(a, b, 16, smaller); }
static uint64_t pmaxsw(uint64_t a, uint64_t b) { return lanes(a, b, 16, larger); }

/* SSE: PSADBW -- 0F F6: the sum of the differences of the bytes. */
static uint64_t psadbw(uint64_t a, uint64_t b)
{
    uint64_t r = 0;
    for (unsigned at = 0; at < 64; at += 8) {
        uint64_t x = lane(a, 8, at), y = lane(b, 8, at);
        r += x > y ? x - y : y - x;
    }
    return r;
}

/* SSE2: PADDQ, PSUBQ -- 0F D4 FB; PMULUDQ -- 0F F4, of the low dwords. */
static uint64_t paddq(uint64_t a, uint64_t b) { return a + b; }
static uint64_t psubq(uint64_t a, uint64_t b) { return a - b; }
static uint64_t pmuludq(uint64_t a, uint64_t b) { return (uint64_t)(uint32_t)a * (uint32_t)b; }

/* PMADDWD -- 0F F5. Only 8000 * 8000 twice overflows; the sum wraps to 80000000. */
static uint64_t pmaddwd(uint64_t a, uint64_t b)
{
    uint64_t r = 0;
    for (unsigned at = 0; at < 64; at += 32) {
        int64_t low = signed_lane(a, 16, at) * signed_lane(b, 16, at);
        int64_t high = signed_lane(a, 16, at + 16) * signed_lane(b, 16, at + 16);
        r |= lane((uint64_t)(low + high), 32, 0) << at;
    }
    return r;
}

/* PAND, PANDN, POR, PXOR -- 0F DB DF EB EF. */
static uint64_t pand(uint64_t a, uint64_t b) { return a & b; }
static uint64_t pandn(uint64_t a, uint64_t b) { return ~a & b; }
static uint64_t por(uint64_t a, uint64_t b) { return a | b; }
static uint64_t pxor(uint64_t a, uint64_t b) { return a ^ b; }

/* --- narrowing and interleaving --- */

/* The elements of a become the low half, those of b the high half. */
static inline uint64_t pack(uint64_t a, uint64_t b, unsigned bits, int64_t (*saturate)(int64_t))
{
    uint64_t r = 0;
    for (unsigned at = 0; at < 64; at += bits) {
        r |= lane((uint64_t)saturate(signed_lane(a, bits, at)), bits / 2, 0) << at / 2;
        r |= lane((uint64_t)saturate(signed_lane(b, bits, at)), bits / 2, 0) << (32 + at / 2);
    }
    return r;
}

/* PACKSSWB -- 0F 63; PACKSSDW -- 0F 6B; PACKUSWB -- 0F 67. */
static uint64_t packsswb(uint64_t a, uint64_t b) { return pack(a, b, 16, saturate_sb); }
static uint64_t packssdw(uint64_t a, uint64_t b) { return pack(a, b, 32, saturate_sw); }
static uint64_t packuswb(uint64_t a, uint64_t b) { return pack(a, b, 16, saturate_ub); }

/* Elements of the low halves in turn, a's first. */
static inline uint64_t interleave(uint64_t a, uint64_t b, unsigned bits)
{
    uint64_t r = 0;
    for (unsigned at = 0; at < 32; at += bits)
        r |= (lane(a, bits, at) | lane(b, bits, at) << bits) << 2 * at;
    return r;
}

/* PUNPCKLBW/WD/DQ -- 0F 60 61 62; PUNPCKHBW/WD/DQ -- 0F 68 69 6A. */
static uint64_t punpcklbw(uint64_t a, uint64_t b) { return interleave(a, b, 8); }
static uint64_t punpcklwd(uint64_t a, uint64_t b) { return interleave(a, b, 16); }
static uint64_t punpckldq(uint64_t a, uint64_t b) { return interleave(a, b, 32); }
static uint64_t punpckhbw(uint64_t a, uint64_t b) { return interleave(a >> 32, b >> 32, 8); }
static uint64_t punpckhwd(uint64_t a, uint64_t b) { return interleave(a >> 32, b >> 32, 16); }
static uint64_t punpckhdq(uint64_t a, uint64_t b) { return interleave(a >> 32, b >> 32, 32); }

uint64_t mmx_interleave_dwords(uint64_t a, uint64_t b) { return interleave(a, b, 32); }

/* Each word of the result by two bits of `imm`. */
uint64_t mmx_shuffle_words(uint64_t a, unsigned imm)
{
    uint64_t r = 0;
    for (unsigned n = 0; n < 4; n++)
        r |= lane(a, 16, 16 * (imm >> 2 * n & 3)) << 16 * n;
    return r;
}

uint32_t mmx_extract_word(uint64_t a, unsigned n) { return (uint32_t)lane(a, 16, 16 * (n & 3)); }

uint32_t mmx_byte_signs(uint64_t a)
{
    uint32_t r = 0;
    for (unsigned n = 0; n < 8; n++)
        r |= (uint32_t)lane(a, 1, 8 * n + 7) << n;
    return r;
}

/* --- shifts: the count is the whole second operand --- */

static inline uint64_t shift_left(uint64_t a, uint64_t count, unsigned bits)
{
    uint64_t r = 0;
    for (unsigned at = 0; at < 64 && count < bits; at += bits)
        r |= lane(lane(a, bits, at) << count, bits, 0) << at;
    return r;
}

static inline uint64_t shift_right(uint64_t a, uint64_t count, unsigned bits)
{
    uint64_t r = 0;
    for (unsigned at = 0; at < 64 && count < bits; at += bits)
        r |= lane(a, bits, at) >> count << at;
    return r;
}

/* Fills with the sign; a count beyond the element leaves signs only. */
static inline uint64_t shift_signed(uint64_t a, uint64_t count, unsigned bits)
{
    uint64_t ones = lane(~(uint64_t)0, bits, 0), r = 0;
    unsigned n = count < bits ? (unsigned)count : bits - 1;
    for (unsigned at = 0; at < 64; at += bits) {
        uint64_t v = lane(a, bits, at), fill = v >> (bits - 1) ? ones & ~(ones >> n) : 0;
        r |= (v >> n | fill) << at;
    }
    return r;
}

/* PSLLW/D/Q -- 0F F1 F2 F3; PSRLW/D/Q -- 0F D1 D2 D3; PSRAW/D -- 0F E1 E2. */
static uint64_t psllw(uint64_t a, uint64_t b) { return shift_left(a, b, 16); }
static uint64_t pslld(uint64_t a, uint64_t b) { return shift_left(a, b, 32); }
static uint64_t psllq(uint64_t a, uint64_t b) { return b < 64 ? a << b : 0; }
static uint64_t psrlw(uint64_t a, uint64_t b) { return shift_right(a, b, 16); }
static uint64_t psrld(uint64_t a, uint64_t b) { return shift_right(a, b, 32); }
static uint64_t psrlq(uint64_t a, uint64_t b) { return b < 64 ? a >> b : 0; }
static uint64_t psraw(uint64_t a, uint64_t b) { return shift_signed(a, b, 16); }
static uint64_t psrad(uint64_t a, uint64_t b) { return shift_signed(a, b, 32); }

/* --- operands and effects on the x87 (SDM 3A table 12-2) --- */

void mmx_enter(struct cpu *c)
{
    c->st.x87.top = 0;
    c->st.x87.empty = 0;
}

void mmx_write(struct cpu *c, unsigned n, uint64_t v)
{
    mmx_enter(c);
    c->st.x87.mant[n] = v;
    c->st.x87.se[n] = 0xffff;
}

/* The second operand. The interleaving of low halves reads 32 bits of memory. */
static uint64_t source(struct cpu *c, const struct insn *i)
{
    bool low_half = i->opcode >= 0x0f60 && i->opcode <= 0x0f62;
    if (i->modrm < 0xc0)
        return mem_read(c, i->seg, insn_ea(c, i), low_half ? 4 : 8);
    return c->st.x87.mant[i->src];
}

/* By the second opcode byte. */
static mmx_fn *const binary_ops[256] = {
    [0x60] = punpcklbw, [0x61] = punpcklwd, [0x62] = punpckldq, [0x63] = packsswb, [0x64] = pcmpgtb,
    [0x65] = pcmpgtw, [0x66] = pcmpgtd, [0x67] = packuswb, [0x68] = punpckhbw, [0x69] = punpckhwd,
    [0x6a] = punpckhdq, [0x6b] = packssdw, [0x74] = pcmpeqb, [0x75] = pcmpeqw, [0x76] = pcmpeqd,
    [0xd1] = psrlw, [0xd2] = psrld, [0xd3] = psrlq, [0xd4] = paddq, [0xd5] = pmullw, [0xd8] = psubusb,
    [0xd9] = psubusw, [0xda] = pminub, [0xdb] = pand, [0xdc] = paddusb, [0xdd] = paddusw, [0xde] = pmaxub,
    [0xdf] = pandn, [0xe0] = pavgb, [0xe1] = psraw, [0xe2] = psrad, [0xe3] = pavgw, [0xe4] = pmulhuw,
    [0xe5] = pmulhw, [0xe8] = psubsb, [0xe9] = psubsw, [0xea] = pminsw, [0xeb] = por, [0xec] = paddsb,
    [0xed] = paddsw, [0xee] = pmaxsw, [0xef] = pxor, [0xf1] = psllw, [0xf2] = pslld, [0xf3] = psllq,
    [0xf4] = pmuludq, [0xf5] = pmaddwd, [0xf6] = psadbw, [0xf8] = psubb, [0xf9] = psubw, [0xfa] = psubd,
    [0xfb] = psubq, [0xfc] = paddb, [0xfd] = paddw, [0xfe] = paddd,
};

mmx_fn *mmx_binary(unsigned opcode) { return binary_ops[opcode]; }

static void binary(struct cpu *c, const struct insn *i)
{
    mmx_fn *fn = binary_ops[i->opcode & 0xff];
    if (!fn)
        raise_ud(c);
    uint64_t b = source(c, i);
    mmx_write(c, i->dst, fn(c->st.x87.mant[i->dst], b));
}

/* Shifts by an immediate -- 0F 71 72 73, /2 right, /4 right signed, /6 left: by opcode and ModRM.reg / 2. */
mmx_fn *mmx_immediate_shift(const struct insn *i)
{
    static mmx_fn *const ops[3][4] = {
        {NULL, psrlw, psraw, psllw}, {NULL, psrld, psrad, pslld}, {NULL, psrlq, NULL, psllq},
    };
    return ops[i->opcode - 0x0f71][i->modrm >> 4 & 3];
}

static void shift_by_immediate(struct cpu *c, const struct insn *i)
{
    mmx_fn *fn = mmx_immediate_shift(i);
    if (!fn)
        raise_ud(c);
    mmx_write(c, i->dst, fn(c->st.x87.mant[i->dst], i->imm & 0xff));
}

/* MOVD mm, r/m32 -- 0F 6E. */
static void movd_load(struct cpu *c, const struct insn *i)
{
    uint64_t v = i->form == FORM_RM ? mem_read(c, i->seg, insn_ea(c, i), 4) : reg_read(c, i->src, 4);
    mmx_write(c, i->dst, v);
}

/* MOVD r/m32, mm -- 0F 7E. */
static void movd_store(struct cpu *c, const struct insn *i)
{
    uint32_t v = (uint32_t)c->st.x87.mant[i->src];
    if (i->form == FORM_MR)
        mem_write(c, i->seg, insn_ea(c, i), 4, v);
    else
        reg_write(c, i->dst, 4, v);
    mmx_enter(c);
}

/* MOVQ mm/m64, mm -- 0F 7F; MOVNTQ m64, mm -- 0F E7. */
static void movq_store(struct cpu *c, const struct insn *i)
{
    uint64_t v = c->st.x87.mant[i->src];
    if (i->form != FORM_MR) {
        mmx_write(c, i->dst, v);
        return;
    }
    mem_write(c, i->seg, insn_ea(c, i), 8, v);
    mmx_enter(c);
}

uint64_t mmx_insert_word(struct cpu *c, const struct insn *i, uint64_t v)
{
    unsigned at = 16 * (i->imm & 3);
    uint64_t word = i->modrm < 0xc0 ? mem_read(c, i->seg, insn_ea(c, i), 2) : reg_read(c, i->src, 2);
    return (v & ~((uint64_t)0xffff << at)) | word << at;
}

/* PEXTRW r32, mm, imm8 -- 0F C5. */
static void extract_word(struct cpu *c, const struct insn *i)
{
    reg_write(c, i->dst, 4, mmx_extract_word(c->st.x87.mant[i->src], i->imm));
    mmx_enter(c);
}

/* PMOVMSKB r32, mm -- 0F D7. */
static void byte_mask(struct cpu *c, const struct insn *i)
{
    reg_write(c, i->dst, 4, mmx_byte_signs(c->st.x87.mant[i->src]));
    mmx_enter(c);
}

static bool byte_selected(const uint64_t *mask, unsigned n) { return mask[n / 8] >> (8 * (n % 8) + 7) & 1; }

/* All bytes are checked before the first one is written; those left out are not looked at. */
void mmx_masked_store(struct cpu *c, const struct insn *i, const uint64_t *v, const uint64_t *mask, unsigned size)
{
    uint32_t edi = reg_read(c, REG_EDI, 4);
    for (unsigned n = 0; n < size; n++)
        if (byte_selected(mask, n))
            mem_probe_write(c, i->seg, fpu_area(i, edi, n), 1);
    for (unsigned n = 0; n < size; n++)
        if (byte_selected(mask, n))
            mem_write(c, i->seg, fpu_area(i, edi, n), 1, v[n / 8] >> 8 * (n % 8) & 0xff);
}

/* MASKMOVQ mm, mm -- 0F F7. */
static void masked_store(struct cpu *c, const struct insn *i)
{
    mmx_masked_store(c, i, &c->st.x87.mant[i->dst], &c->st.x87.mant[i->src], 8);
    mmx_enter(c);
}

/* EMMS -- 0F 77. */
static void emms(struct cpu *c)
{
    c->st.x87.top = 0;
    c->st.x87.empty = 0xff;
}

/* SDM 3A table 12-1: EM is #UD whatever TS; then TS, then a pending x87 exception. */
static void check_available(struct cpu *c)
{
    if (c->st.cr0 & CR0_EM)
        raise_ud(c);
    if (c->st.cr0 & CR0_TS)
        cpu_raise(c, VEC_NM, 0);
    fpu_check_pending(c);
}

void mmx_op(struct cpu *c, const struct insn *i)
{
    check_available(c);
    switch (i->opcode) {
    case 0x0f6e: movd_load(c, i); break;
    case 0x0f6f: mmx_write(c, i->dst, source(c, i)); break;
    case 0x0f70: mmx_write(c, i->dst, mmx_shuffle_words(source(c, i), i->imm)); break; /* PSHUFW */
    case 0x0f71: case 0x0f72: case 0x0f73: shift_by_immediate(c, i); break;
    case 0x0f77: emms(c); break;
    case 0x0f7e: movd_store(c, i); break;
    case 0x0f7f: case 0x0fe7: movq_store(c, i); break;
    case 0x0fc4: mmx_write(c, i->dst, mmx_insert_word(c, i, c->st.x87.mant[i->dst])); break; /* PINSRW */
    case 0x0fc5: extract_word(c, i); break;
    case 0x0fd7: byte_mask(c, i); break;
    case 0x0ff7: masked_store(c, i); break;
    default: binary(c, i); break;
    }
}
