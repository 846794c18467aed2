/*
 * The instruction decoder: prefixes, opcode, ModRM, SIB, displacement, immediates (SDM 2A chapter 2;
 * 8086 and 80286 manuals for the older chips), driven by optable.def. A pure function, total on all
 * byte strings: what a CPU model does not have becomes OP_UD.
 *
 * NOT MODELLED: the 8086's unlimited prefix runs (more than 15 bytes end as a NOP of 15 bytes).
 */
#include "cpu/optable.h"

#include <string.h>

#include "machine/compiler.h"

enum { MAX_INSN = 15, MAX_INSN_286 = 10 };

/* Row numbers: ROW_0x0f23 is the first row of that opcode. */
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
enum {
#define OP(code, ...) ROW_##code,
#define OP8 OP
#define OP16 OP
#define ALT(...) PASTE(ROW_further_, __COUNTER__),
#include "cpu/optable.def"
    ROW_COUNT
#undef OP
#undef OP8
#undef OP16
#undef ALT
};

#define USES_MODRM(spec) (SPEC_##spec >> 4 >= OPK_E)
#define ROW(more_, code, select_, name_, op_, a, b, d, written_, undefined_, levels_, feature_, notes_) \
    {.mnemonic = name_, .feature = feature_, .opcode = code, .op = OP_##op_, .select = select_, \
     .spec = {SPEC_##a, SPEC_##b, SPEC_##d}, .written = written_, .undefined = undefined_, \
     .levels = levels_, .notes = notes_, .more = more_, \
     .modrm = USES_MODRM(a) || USES_MODRM(b) || ((select_) & (S_REGMASK | S_MEM | S_REG))},
#define OP(...) ROW(0, __VA_ARGS__)
#define OP8 OP
#define OP16 OP
#define ALT(...) ROW(1, __VA_ARGS__)
static const struct optable_entry rows[ROW_COUNT + 1] = {
#include "cpu/optable.def"
    {.more = 0},
};
#undef OP
#undef OP8
#undef OP16
#undef ALT

/* One-byte opcodes at 0-FF, two-byte ones at 100-1FF; 0 = none (row 0 is opcode 00 itself). */
#define INDEX(code) (((code)&0xff) | ((code) > 0xff ? 0x100 : 0))
#define AT(code, n) [INDEX(code) + n] = ROW_##code
static const uint16_t first_row[512] = {
#define OP(code, ...) AT(code, 0),
#define OP8(code, ...) \
    AT(code, 0), AT(code, 1), AT(code, 2), AT(code, 3), AT(code, 4), AT(code, 5), AT(code, 6), AT(code, 7),
#define OP16(code, ...) \
    OP8(code) AT(code, 8), AT(code, 9), AT(code, 10), AT(code, 11), AT(code, 12), AT(code, 13), \
        AT(code, 14), AT(code, 15),
#define ALT(...)
#include "cpu/optable.def"
#undef OP
#undef OP8
#undef OP16
#undef ALT
};

const struct optable_entry *optable_rows(unsigned *count)
{
    *count = ROW_COUNT;
    return rows;
}

static bool has_row(const struct optable_entry *e, unsigned level, uint64_t features)
{
    return level >= (unsigned)e->levels >> 4 && level <= (e->levels & 15u) &&
           (e->feature & ~features) == 0;
}

const struct optable_entry *optable_first(unsigned opcode, unsigned level, uint64_t features)
{
    unsigned n = first_row[INDEX(opcode) & 511];
    if (n == 0 && opcode != 0)
        return NULL;
    const struct optable_entry *e = &rows[n];
    do {
        if (has_row(e, level, features))
            return e;
        e++;
    } while (e->more);
    return NULL;
}

static bool selector_fits(unsigned select, uint8_t modrm, unsigned prefix, uint64_t features)
{
    if ((select & S_REGMASK) && (select & S_REGMASK & 7) != (modrm >> 3 & 7))
        return false;
    if (select & (S_MEM | S_REG)) {
        if ((modrm >= 0xc0) != ((select & S_REG) != 0))
            return false;
    }
    if ((select & S_NP) && prefix && (features & FEAT_SSE))
        return false;
    unsigned mandatory = select & (S_66 | S_F3 | S_F2);
    return mandatory == 0 || mandatory == prefix;
}

static const struct optable_entry *select_row(const struct optable_entry *e, uint8_t modrm,
                                              unsigned prefix, unsigned level, uint64_t features)
{
    do {
        if (selector_fits(e->select, modrm, prefix, features) && has_row(e, level, features))
            return e;
        e++;
    } while (e->more);
    return NULL;
}

const struct optable_entry *optable_lookup(unsigned opcode, uint8_t modrm, unsigned prefix,
                                           unsigned level, uint64_t features)
{
    const struct optable_entry *e = optable_first(opcode, level, features);
    return e ? select_row(e, modrm, prefix, level, features) : NULL;
}

static unsigned mandatory_prefix(unsigned rep, unsigned flags)
{
    if (rep == REP_Z)
        return S_F3;
    if (rep == REP_NZ)
        return S_F2;
    return (flags & INSN_OSIZE) ? S_66 : 0;
}

unsigned optable_prefix(const struct insn *i)
{
    return mandatory_prefix(i->rep, i->flags);
}

/* The bytes being decoded. Reads past `avail` give 0 and are noticed at the end. */
struct reader {
    const uint8_t *bytes;
    unsigned avail, pos;
    unsigned level;
    uint64_t features;
    unsigned osize; /* operand size attribute in bytes */
    int seg;        /* override, or -1 */
};

static uint32_t get8(struct reader *r)
{
    unsigned at = r->pos++;
    return at < r->avail ? r->bytes[at] : 0;
}

static uint32_t get16(struct reader *r)
{
    uint32_t low = get8(r);
    return low | get8(r) << 8;
}

static uint32_t get32(struct reader *r)
{
    uint32_t low = get16(r);
    return low | get16(r) << 16;
}

static uint32_t get_signed8(struct reader *r)
{
    return (uint32_t)(int32_t)(int8_t)get8(r);
}

static uint32_t get_signed16(struct reader *r)
{
    return (uint32_t)(int32_t)(int16_t)get16(r);
}

/* Takes one prefix byte into account; false: it is no prefix on this model. */
static bool take_prefix(struct reader *r, struct insn *out, uint8_t b)
{
    switch (b) {
    case 0x26: r->seg = SEG_ES; break;
    case 0x2e: r->seg = SEG_CS; break;
    case 0x36: r->seg = SEG_SS; break;
    case 0x3e: r->seg = SEG_DS; break;
    case 0xf0: out->flags |= INSN_LOCK; break;
    case 0xf2: out->rep = REP_NZ; break;
    case 0xf3: out->rep = REP_Z; break;
    case 0xf1: /* the 8086 takes F1 for F0; the 286 ignores it */
        if (r->level >= CPU_386)
            return false;
        break;
    default:
        if (b < 0x64 || b > 0x67 || r->level < CPU_386)
            return false;
        if (b == 0x64)
            r->seg = SEG_FS;
        else if (b == 0x65)
            r->seg = SEG_GS;
        else
            out->flags |= b == 0x66 ? INSN_OSIZE : INSN_ASIZE;
    }
    return true;
}

/* Returns the opcode, 0Fxx for two-byte ones. */
static unsigned take_opcode(struct reader *r, struct insn *out)
{
    uint8_t b;
    do
        b = (uint8_t)get8(r);
    while (take_prefix(r, out, b) && r->pos <= MAX_INSN);
    if (b == 0x0f && r->level >= CPU_286)
        return 0x0f00 | get8(r);
    return b;
}

/* 16-bit addressing forms (SDM 2A table 2-1). */
static void take_memory16(struct reader *r, struct insn *out)
{
    static const uint8_t base[8] = {REG_EBX, REG_EBX, REG_EBP, REG_EBP, REG_ESI, REG_EDI, REG_EBP, REG_EBX};
    static const uint8_t index[8] = {REG_ESI, REG_EDI, REG_ESI, REG_EDI, REG_NONE, REG_NONE, REG_NONE, REG_NONE};
    unsigned mod = out->modrm >> 6, rm = out->modrm & 7;
    if (mod == 0 && rm == 6) {
        out->disp = get16(r);
        return;
    }
    out->base = base[rm];
    out->index = index[rm];
    if (out->base == REG_EBP)
        out->seg = SEG_SS;
    if (mod == 1)
        out->disp = get_signed8(r);
    else if (mod == 2)
        out->disp = get_signed16(r);
}

static void take_sib(struct reader *r, struct insn *out, unsigned mod)
{
    uint8_t sib = (uint8_t)get8(r);
    uint8_t base = sib & 7, index = sib >> 3 & 7;
    out->scale = sib >> 6;
    if (index != REG_ESP)
        out->index = index;
    if (base == REG_EBP && mod == 0)
        out->disp = get32(r);
    else
        out->base = base;
}

/* 32-bit addressing forms (SDM 2A tables 2-2, 2-3). */
static void take_memory32(struct reader *r, struct insn *out)
{
    unsigned mod = out->modrm >> 6;
    uint8_t rm = out->modrm & 7;
    if (rm == 4)
        take_sib(r, out, mod);
    else if (rm == 5 && mod == 0)
        out->disp = get32(r);
    else
        out->base = rm;
    if (out->base == REG_ESP || out->base == REG_EBP)
        out->seg = SEG_SS;
    if (mod == 1)
        out->disp = get_signed8(r);
    else if (mod == 2)
        out->disp = get32(r);
}

/* MOV to and from control, debug and test registers ignores `mod` (SDM 2B MOV). */
static bool ignores_mod(const struct optable_entry *e)
{
    return spec_kind(e->spec[0]) == OPK_R || spec_kind(e->spec[1]) == OPK_R;
}

static void take_modrm(struct reader *r, const struct optable_entry *e, struct insn *out)
{
    out->modrm = (uint8_t)get8(r);
    if (out->modrm >= 0xc0 || ignores_mod(e))
        return;
    if (out->asize == 2)
        take_memory16(r, out);
    else
        take_memory32(r, out);
}

static bool is_memory(unsigned spec, const struct insn *i)
{
    switch (spec_kind(spec)) {
    case OPK_O: return true;
    case OPK_E: case OPK_M: case OPK_Q: case OPK_W: return i->modrm < 0xc0;
    default: return false;
    }
}

static bool is_register(unsigned spec, const struct insn *i)
{
    switch (spec_kind(spec)) {
    case OPK_REG8: case OPK_REGV: case OPK_SREG: case OPK_DX: case OPK_Z: case OPK_G: case OPK_S:
    case OPK_R: case OPK_C: case OPK_D: case OPK_T: case OPK_P: case OPK_N: case OPK_V: case OPK_U:
        return true;
    case OPK_E: case OPK_M: case OPK_Q: case OPK_W: return i->modrm >= 0xc0;
    default: return false;
    }
}

static bool is_immediate(unsigned spec)
{
    unsigned kind = spec_kind(spec);
    return kind == OPK_I || kind == OPK_J || kind == OPK_ONE || kind == OPK_A || kind == OPK_CL;
}

static uint8_t register_number(unsigned spec, const struct insn *i)
{
    switch (spec_kind(spec)) {
    case OPK_REG8: case OPK_REGV: case OPK_SREG: return (uint8_t)spec_type(spec);
    case OPK_DX: return REG_EDX;
    case OPK_Z: return i->opcode & 7;
    case OPK_G: case OPK_S: case OPK_C: case OPK_D: case OPK_T: case OPK_P: case OPK_V:
        return i->modrm >> 3 & 7;
    default: return i->modrm & 7;
    }
}

/* Fetches what an operand has in the instruction stream after ModRM. */
static void take_immediate(struct reader *r, struct insn *out, unsigned spec, bool second)
{
    unsigned type = spec_type(spec);
    uint32_t v = 0;
    switch (spec_kind(spec)) {
    case OPK_ONE: v = 1; break;
    case OPK_CL: out->flags |= INSN_CL; return;
    case OPK_O: out->disp = out->asize == 4 ? get32(r) : get16(r); return;
    case OPK_J: v = type == OPT_b ? get_signed8(r) : r->osize == 4 ? get32(r) : get_signed16(r); break;
    case OPK_A:
        out->imm = r->osize == 4 ? get32(r) : get16(r);
        out->imm2 = (uint16_t)get16(r);
        return;
    case OPK_I:
        if (type == OPT_b)
            v = get8(r);
        else if (type == OPT_bs)
            v = get_signed8(r);
        else
            v = type == OPT_v && r->osize == 4 ? get32(r) : get16(r);
        break;
    default: return;
    }
    if (second)
        out->imm2 = (uint16_t)v;
    else
        out->imm = v;
}

/* Operand size in bytes that an operand implies; 0 = none. */
static uint8_t size_of_spec(unsigned spec, const struct insn *i, unsigned osize)
{
    switch (spec_kind(spec)) {
    case OPK_REG8: return 1;
    case OPK_NONE: case OPK_SREG: case OPK_DX: case OPK_ONE: case OPK_CL: case OPK_A: case OPK_I:
    case OPK_J: return 0;
    default: break;
    }
    switch (spec_type(spec)) {
    case OPT_b: return spec_kind(spec) == OPK_REGV ? (uint8_t)osize : 1;
    case OPT_w: return 2;
    case OPT_d: case OPT_ss: return 4;
    case OPT_q: case OPT_sd: return 8;
    case OPT_o: return 16;
    case OPT_vw: return i->modrm < 0xc0 ? 2 : (uint8_t)osize;
    default: return (uint8_t)osize;
    }
}

static uint8_t operand_size(const struct optable_entry *e, const struct insn *i, unsigned osize)
{
    for (unsigned k = 0; k < 3; k++) {
        if (spec_kind(e->spec[k]) == OPK_S)
            continue; /* the other operand tells */
        uint8_t size = size_of_spec(e->spec[k], i, osize);
        if (size)
            return size;
    }
    return (uint8_t)osize;
}

/* Form and register numbers of the operands, the first being the destination. */
static void place_operands(const struct optable_entry *e, struct insn *i)
{
    unsigned a = e->spec[0], b = e->spec[1];
    bool three = e->spec[2] != SPEC__;
    if (is_register(a, i))
        i->dst = register_number(a, i);
    if (is_register(b, i))
        i->src = register_number(b, i);
    else if (!is_memory(b, i) && !is_immediate(b))
        b = SPEC__;
    if (is_register(a, i)) {
        i->form = b == SPEC__ ? FORM_R : is_register(b, i) ? FORM_RR : is_memory(b, i) ? FORM_RM : FORM_RI;
        if (three && i->form == FORM_RR)
            i->form = (i->flags & INSN_CL) ? FORM_RR : FORM_RRI;
        else if (three && i->form == FORM_RM)
            i->form = FORM_RMI;
    } else if (is_memory(a, i)) {
        i->form = b == SPEC__ ? FORM_M : is_register(b, i) ? FORM_MR : FORM_MI;
        if (three && !(i->flags & INSN_CL))
            i->form = FORM_MRI;
    } else if (is_immediate(a)) {
        i->form = FORM_I;
    }
}

/* IN and OUT: FORM_RI with the port in imm, FORM_RR with the port in DX; the accumulator is dst. */
static void place_port_operands(const struct optable_entry *e, struct insn *i)
{
    bool dx = spec_kind(e->spec[0]) == OPK_DX || spec_kind(e->spec[1]) == OPK_DX;
    i->form = dx ? FORM_RR : FORM_RI;
    i->dst = REG_EAX;
    i->src = REG_EDX;
}

/* Segment registers that exist: the 8086 decodes two bits; CS cannot be loaded from the 186 on. */
static bool segment_legal(unsigned level, struct insn *i)
{
    uint8_t *seg = i->op == OP_MOVTOSEG ? &i->dst : &i->src;
    if (level == CPU_8086) {
        *seg &= 3;
        return true;
    }
    if (*seg > (level >= CPU_386 ? SEG_GS : SEG_DS))
        return false;
    return i->op != OP_MOVTOSEG || *seg != SEG_CS;
}

static uint16_t far_segment(unsigned opcode)
{
    switch (opcode) {
    case 0xc4: return SEG_ES;
    case 0xc5: return SEG_DS;
    case 0x0fb2: return SEG_SS;
    case 0x0fb4: return SEG_FS;
    default: return SEG_GS;
    }
}

static bool lock_legal(const struct reader *r, const struct optable_entry *e, const struct insn *i)
{
    if (!(i->flags & INSN_LOCK) || r->level < CPU_386)
        return true;
    return (e->notes & N_LOCK) && i->modrm < 0xc0;
}

/* What single ops need beyond the general scheme; false: undefined after all. */
static bool finish(const struct reader *r, const struct optable_entry *e, struct insn *i)
{
    switch (i->op) {
    case OP_IN: case OP_OUT: place_port_operands(e, i); break;
    case OP_MOVTOSEG: case OP_MOVFROMSEG:
        if (!segment_legal(r->level, i))
            return false;
        break;
    case OP_LOADFAR: i->imm2 = far_segment(i->opcode); break;
    default: break;
    }
    return lock_legal(r, e, i);
}

static void decode_operands(struct reader *r, const struct optable_entry *e, struct insn *out)
{
    out->op = e->op;
    for (unsigned k = 0; k < 3; k++)
        take_immediate(r, out, e->spec[k], k > 0 && is_immediate(e->spec[0]));
    out->size = operand_size(e, out, r->osize);
    place_operands(e, out);
    if (r->seg >= 0) {
        out->seg = (uint8_t)r->seg;
        out->flags |= INSN_SEG;
    }
    if (!finish(r, e, out))
        out->op = OP_UD;
}

static void decode_body(struct reader *r, unsigned mode, struct insn *out)
{
    unsigned opcode = take_opcode(r, out);
    bool wide = (mode & DECODE_CODE32) != 0;
    out->opcode = (uint16_t)opcode;
    out->cc = opcode & 15;
    r->osize = wide != ((out->flags & INSN_OSIZE) != 0) ? 4 : 2;
    out->asize = wide != ((out->flags & INSN_ASIZE) != 0) ? 4 : 2;
    out->size = (uint8_t)r->osize;
    if (out->rep && (out->flags & INSN_OSIZE))
        out->flags |= INSN_REP66;
    const struct optable_entry *e = optable_first(opcode, r->level, r->features);
    if (!e)
        return;
    if (e->modrm)
        take_modrm(r, e, out);
    e = select_row(e, out->modrm, optable_prefix(out), r->level, r->features);
    if (e)
        decode_operands(r, e, out);
}

unsigned decode(const uint8_t *bytes, unsigned avail, unsigned mode, unsigned level,
                uint64_t features, struct insn *out)
{
    unsigned limit = level == CPU_286 ? MAX_INSN_286 : MAX_INSN;
    struct reader r = {bytes, avail, 0, level, features, 0, -1};
    memset(out, 0, sizeof(*out));
    out->base = out->index = REG_NONE;
    out->seg = SEG_DS;
    decode_body(&r, mode, out);
    if (r.pos > limit && avail >= limit) {
        out->op = level >= CPU_286 ? OP_TOO_LONG : OP_NOP;
        r.pos = limit;
    } else if (r.pos > avail) {
        return 0;
    }
    out->len = (uint8_t)r.pos;
    return r.pos;
}
