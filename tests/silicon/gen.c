/*
 * See gen.h. A case is one to six instructions, then the jump to the exit. An operand's address is chosen
 * first (in a page, across two, into a read-only or missing one) and the registers are then set so that the
 * operand lies there, as far as earlier instructions leave them alone.
 */
#include "tests/silicon/gen.h"

#include <string.h>

#include "tests/silicon/watch.h"

enum { INSNS_MAX = 8, EXIT_MAX = 8 };

struct fixup {
    uint8_t at, size; /* of a relative offset in the code; size 0: an absolute dword */
};

struct maker {
    const struct gen *g;
    struct silicon_case *c;
    uint64_t s;
    bool pinned[8]; /* registers whose first value matters */
    unsigned n, ninsns, nfixups;
    uint8_t start[INSNS_MAX];
    struct fixup fixup[INSNS_MAX];
    int target_patch; /* index of a patch that is to hold a code address, or -1 */
    bool code16;
    unsigned exit_at;
    /* of the instruction being made */
    bool osize16, asize16;
    int override; /* segment, or -1 */
};

static uint64_t rnd64(struct maker *m)
{
    m->s += 0x9e3779b97f4a7c15u;
    uint64_t z = m->s;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t rnd(struct maker *m) { return (uint32_t)rnd64(m); }
static uint32_t below(struct maker *m, uint32_t n) { return (uint32_t)((rnd64(m) >> 32) * n >> 32); }
static bool percent(struct maker *m, uint32_t p) { return below(m, 100) < p; }

/* Values */

static uint32_t boundary(struct maker *m)
{
    static const uint32_t v[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff,
                                 0x80000000u, 0xffffffffu, 0xffff8000u, 0xffffff80u, 0x7f7f7f7f, 0x80808080u,
                                 0x01010101, 0x00ff00ff, 0x99999999u, 0x0f0f0f0f};
    uint32_t x = v[below(m, ARRAY_LEN(v))];
    return percent(m, 30) ? x + below(m, 5) - 2 : x;
}

static uint32_t value(struct maker *m)
{
    switch (below(m, 5)) {
    case 0: case 1: return boundary(m);
    case 2: return 1u << below(m, 32);
    case 3: return rnd(m) >> below(m, 32);
    default: return rnd(m);
    }
}

static uint64_t value64(struct maker *m)
{
    return percent(m, 30) ? rnd64(m) : value(m) | (uint64_t)value(m) << 32;
}

static uint16_t selector(struct maker *m)
{
    static const uint16_t v[] = {0x2b, 0x2b, 0x2b, 0x2b, 0x23, 0x23, 0, 1, 2, 3, 0x28, 0x29, 0x20, 0x33, 0x18, 0x1b,
                                 0x10, 0x08, 0x80, 0xfff8, 0x04, 0x07, 0x2f, 0x84, 0xffff};
    if (m->g && m->g->ldt && percent(m, 25))
        return (uint16_t)(below(m, LDT_ENTRIES) << 3 | 4 | (percent(m, 80) ? 3 : below(m, 4)));
    return percent(m, 3) ? (uint16_t)rnd(m) : v[below(m, ARRAY_LEN(v))];
}

static uint32_t segment_base(const struct maker *m, unsigned seg)
{
    static const struct silicon_segment ldt[LDT_ENTRIES] = SILICON_LDT;
    uint32_t selector = m->c->seg[seg];
    return selector & 4 ? ldt[selector >> 3].base : 0;
}

/* Base of the segment that an operand addressed through `reg` lies in. */
static uint32_t operand_base(const struct maker *m, unsigned reg)
{
    unsigned seg = reg == REG_ESP || reg == REG_EBP ? SEG_SS : SEG_DS;
    return segment_base(m, m->override >= 0 ? (unsigned)m->override : seg);
}

/* The linear address of the top of the stack. */
static uint32_t stack(const struct maker *m)
{
    return segment_base(m, SEG_SS) + m->c->gpr[REG_ESP];
}

/* Memory */

static void patch(struct maker *m, uint32_t addr, uint32_t v)
{
    uint32_t at;
    if (m->c->npatch < PATCHES && work_offset(addr, 4, &at))
        m->c->patch[m->c->npatch++] = (struct silicon_patch){at, v};
}

/* Near the end of something: the last byte of an operand of `len` lies before, on or behind `end`. */
static uint32_t around(struct maker *m, uint32_t end, uint32_t len)
{
    return end - len - 2 + below(m, len + 4);
}

static uint32_t address(struct maker *m, uint32_t len)
{
    uint32_t data = m->asize16 && !segment_base(m, SEG_DS) ? AT_LOW : AT_DATA, where = below(m, 100), a = len ? len : 1;
    if (where < 64)
        return data + (below(m, 2 * PAGE - 64) & (percent(m, 60) ? ~(a & (0 - a)) + 1 : ~0u));
    if (where < 74)
        return around(m, data + PAGE, a);
    if (where < 80)
        return around(m, data + 2 * PAGE, a);
    if (where < 84)
        return data + 2 * PAGE + below(m, PAGE - 64);
    if (where < 87)
        return around(m, data + 3 * PAGE, a);
    if (where < 89)
        return around(m, data, a);
    if (where < 95 && !m->asize16)
        return stack(m) + below(m, 64) - 32;
    if (where < 98 && !m->asize16)
        return AT_CODE + below(m, 2 * PAGE);
    return rnd(m);
}

/* Bytes */

static void put(struct maker *m, uint32_t v, unsigned bytes)
{
    for (unsigned k = 0; k < bytes && m->n < CODE_MAX - EXIT_MAX; k++)
        m->c->code[m->n++] = (uint8_t)(v >> 8 * k);
}

static uint32_t reg_value(const struct maker *m, unsigned r) { return m->c->gpr[r]; }

/* Gives a register its first value, unless an earlier operand counts on it. */
static void pin(struct maker *m, unsigned r, uint32_t v)
{
    if (!m->pinned[r])
        m->c->gpr[r] = v;
    m->pinned[r] = true;
}

static void put_memory16(struct maker *m, unsigned reg, uint32_t target)
{
    static const uint8_t base[8] = {REG_EBX, REG_EBX, REG_EBP, REG_EBP, REG_ESI, REG_EDI, REG_EBP, REG_EBX};
    static const uint8_t index[8] = {REG_ESI, REG_EDI, REG_ESI, REG_EDI, 8, 8, 8, 8};
    unsigned mod = below(m, 3), rm = below(m, 8);
    put(m, mod << 6 | reg << 3 | rm, 1);
    if (mod == 0 && rm == 6) {
        put(m, target - operand_base(m, 8), 2);
        return;
    }
    target -= operand_base(m, base[rm]);
    uint32_t disp = mod == 1 ? (uint32_t)(int32_t)(int8_t)value(m) : 0;
    uint32_t rest = index[rm] < 8 ? reg_value(m, index[rm]) : 0;
    if (mod < 2)
        pin(m, base[rm], (rnd(m) & 0xffff0000u) | ((target - disp - rest) & 0xffff));
    else
        disp = target - rest - reg_value(m, base[rm]);
    if (index[rm] < 8)
        m->pinned[index[rm]] = true;
    m->pinned[base[rm]] = true;
    put(m, disp, mod);
}

static void put_memory32(struct maker *m, unsigned reg, uint32_t target)
{
    unsigned mod = below(m, 3), base = below(m, 8), index = 8, scale = 0;
    bool sib = base == REG_ESP || percent(m, 25);
    put(m, mod << 6 | reg << 3 | (sib ? 4 : base), 1);
    if (sib) {
        base = percent(m, 10) ? REG_ESP : below(m, 8);
        index = below(m, 8);
        scale = below(m, 4);
        put(m, scale << 6 | index << 3 | base, 1);
        index = index == REG_ESP ? 8 : index;
    }
    uint32_t rest = index < 8 ? reg_value(m, index) << scale : 0;
    if (index < 8)
        m->pinned[index] = true;
    target -= operand_base(m, mod == 0 && base == REG_EBP ? 8 : base);
    if (mod == 0 && base == REG_EBP) {
        put(m, target - rest, 4);
        return;
    }
    uint32_t disp = mod == 1 ? (uint32_t)(int32_t)(int8_t)value(m) : 0;
    if (mod < 2 && base != index && base != REG_ESP)
        pin(m, base, target - disp - rest);
    else if (mod == 2)
        disp = target - rest - reg_value(m, base);
    m->pinned[base] = true;
    put(m, disp, mod == 2 ? 4 : mod);
}

static void put_memory(struct maker *m, unsigned reg, uint32_t target)
{
    if (m->asize16)
        put_memory16(m, reg, target);
    else
        put_memory32(m, reg, target);
}

/* Branches */

static void fix(struct maker *m, unsigned size)
{
    if (m->nfixups < INSNS_MAX)
        m->fixup[m->nfixups++] = (struct fixup){(uint8_t)m->n, (uint8_t)size};
    put(m, percent(m, 3) ? rnd(m) : 0x55aa55aa, size);
}

/* A pointer to code in memory at `addr`: filled in when the code is complete. */
static void patch_target(struct maker *m, uint32_t addr)
{
    if (percent(m, 90))
        m->target_patch = m->c->npatch;
    patch(m, addr, percent(m, 50) ? rnd(m) : AT_DATA);
}

static uint32_t code_selector(struct maker *m, uint32_t good)
{
    if (!percent(m, good))
        return selector(m);
    return percent(m, 50) ? m->c->seg[SEG_CS] : USER_CS;
}

static unsigned word_size(const struct maker *m) { return m->osize16 ? 2 : 4; }

static void far_pointer(struct maker *m, uint32_t addr)
{
    patch_target(m, addr);
    patch(m, addr + word_size(m), code_selector(m, 70));
}

/* Set-up that single operations need to do something interesting. */

static void setup_divide(struct maker *m, unsigned size, bool is_signed)
{
    uint32_t a = value(m);
    if (percent(m, 30))
        return;
    pin(m, REG_EAX, size == 1 ? value(m) & 0x3fff : a);
    if (percent(m, 50))
        pin(m, REG_EDX, is_signed && a >> (8 * size - 1) & 1 ? 0xffffffffu : 0);
    else
        pin(m, REG_EDX, value(m) >> below(m, 32));
}

static void setup_string(struct maker *m, const struct optable_entry *e, bool rep)
{
    unsigned size = spec_type(e->spec[0]) == OPT_b ? 1 : word_size(m);
    uint32_t from = address(m, size), to = percent(m, 20) ? from + below(m, 16) - 8 : address(m, size);
    pin(m, REG_ESI, from - operand_base(m, 8));
    pin(m, REG_EDI, to - segment_base(m, SEG_ES));
    if (rep)
        pin(m, REG_ECX, percent(m, 80) ? below(m, 40) : percent(m, 50) ? below(m, 0x900) : value(m));
    if ((e->op == OP_SCAS || e->op == OP_CMPS) && percent(m, 50))
        for (unsigned k = 0; k < 3; k++) {
            patch(m, to + 4 * k, reg_value(m, REG_EAX));
            patch(m, from + 4 * k, reg_value(m, REG_EAX));
        }
}

static void setup_return(struct maker *m, unsigned op)
{
    unsigned w = word_size(m);
    patch_target(m, stack(m));
    if (op == OP_RET)
        return;
    patch(m, stack(m) + w, code_selector(m, 80));
    if (op == OP_IRET)
        patch(m, stack(m) + 2 * w, rnd(m) & (percent(m, 90) ? ~0x4100u : ~0u));
}

static void setup(struct maker *m, const struct optable_entry *e, bool rep)
{
    switch (e->op) {
    case OP_DIV: case OP_IDIV:
        setup_divide(m, spec_type(e->spec[0]) == OPT_b ? 1 : word_size(m), e->op == OP_IDIV);
        break;
    case OP_MOVS: case OP_CMPS: case OP_STOS: case OP_LODS: case OP_SCAS: case OP_INS: case OP_OUTS:
        setup_string(m, e, rep);
        break;
    case OP_LOOP: case OP_LOOPZ: case OP_LOOPNZ: case OP_JCXZ:
        pin(m, REG_ECX, percent(m, 80) ? below(m, 3) : value(m));
        break;
    case OP_RET: case OP_RETF: case OP_IRET: setup_return(m, e->op); break;
    case OP_POPSEG: patch(m, stack(m), selector(m) | (rnd(m) & 0xffff0000u)); break;
    case OP_POPF: patch(m, stack(m), rnd(m) & (percent(m, 95) ? ~0x100u : ~0u)); break;
    case OP_LEAVE: pin(m, REG_EBP, reg_value(m, REG_ESP) + below(m, 128) - 32); break;
    case OP_XLAT: pin(m, REG_EBX, address(m, 1) - operand_base(m, 8) - (reg_value(m, REG_EAX) & 0xff)); break;
    case OP_SHLD: case OP_SHRD: case OP_ROL: case OP_ROR: case OP_RCL: case OP_RCR: case OP_SHL: case OP_SHR:
    case OP_SAR: case OP_SAL:
        if (percent(m, 80))
            pin(m, REG_ECX, (rnd(m) & ~0xffu) | below(m, percent(m, 20) ? 256 : 34));
        break;
    default: break;
    }
}

/* What the memory operand holds. */
static void setup_memory(struct maker *m, const struct optable_entry *e, uint32_t at)
{
    switch (e->op) {
    case OP_LOADFAR:
        patch(m, at, rnd(m));
        patch(m, at + word_size(m), selector(m));
        break;
    case OP_CALLFI: case OP_JMPFI: far_pointer(m, at); break;
    case OP_CALLI: case OP_JMPI: patch_target(m, at); break;
    case OP_CMPXCHG:
        if (percent(m, 50))
            patch(m, at, reg_value(m, REG_EAX));
        break;
    case OP_CMPXCHG8B:
        if (percent(m, 50)) {
            patch(m, at, reg_value(m, REG_EAX));
            patch(m, at + 4, reg_value(m, REG_EDX));
        }
        break;
    case OP_LDMXCSR: patch(m, at, percent(m, 90) ? 0x1f80 ^ (rnd(m) & 0xffff & ~(rnd(m) & 0x1f80)) : value(m)); break;
    case OP_FXRSTOR: patch(m, at + 24, 0x1f80 ^ (rnd(m) & 0x607f)); break;
    case OP_BOUND:
        patch(m, at, value(m));
        patch(m, at + word_size(m), value(m));
        break;
    case OP_MOVTOSEG: case OP_LAR: case OP_LSL: case OP_VERR: case OP_VERW: case OP_ARPL:
        patch(m, at, selector(m));
        break;
    default:
        if (percent(m, 40))
            patch(m, at, value(m));
    }
}

static void setup_register(struct maker *m, const struct optable_entry *e, unsigned r)
{
    switch (e->op) {
    case OP_MOVTOSEG: case OP_LAR: case OP_LSL: case OP_VERR: case OP_VERW: case OP_ARPL:
        if (!m->pinned[r] && r != REG_ESP)
            pin(m, r, selector(m) | (rnd(m) & 0xffff0000u));
        break;
    case OP_CALLI: case OP_JMPI:
        if (!m->pinned[r] && r != REG_ESP)
            pin(m, r, AT_EXIT);
        break;
    case OP_CMPXCHG:
        if (percent(m, 50) && r != REG_ESP)
            pin(m, r, reg_value(m, REG_EAX));
        break;
    default: break;
    }
}

/* One instruction of the table */

unsigned gen_operand_bytes(unsigned spec, unsigned word)
{
    switch (spec_type(spec)) {
    case OPT_b: return 1;
    case OPT_w: case OPT_vw: return 2;
    case OPT_d: case OPT_ss: return 4;
    case OPT_q: case OPT_sd: return 8;
    case OPT_o: return 16;
    case OPT_NONE: return 512; /* FXSAVE, or only an address */
    case OPT_p: case OPT_s: return word + 2;
    case OPT_a: return 2 * word;
    default: return word;
    }
}

static bool is_rm(unsigned spec)
{
    unsigned k = spec_kind(spec);
    return k == OPK_E || k == OPK_M || k == OPK_Q || k == OPK_W || k == OPK_N || k == OPK_U || k == OPK_R;
}

static void put_immediate(struct maker *m, const struct optable_entry *e, unsigned spec)
{
    unsigned w = word_size(m), bytes = m->asize16 ? 2 : 4;
    switch (spec_kind(spec)) {
    case OPK_I:
        if (spec_type(spec) == OPT_b || spec_type(spec) == OPT_bs)
            put(m, e->op == OP_ENTER ? below(m, 4) : value(m), 1);
        else if (spec_type(spec) == OPT_w)
            put(m, e->op == OP_ENTER || percent(m, 80) ? below(m, 0x40) : value(m), 2);
        else
            put(m, value(m), w);
        break;
    case OPK_J: fix(m, spec_type(spec) == OPT_b ? 1 : w); break;
    case OPK_A:
        put(m, w == 4 ? AT_EXIT : rnd(m), w);
        put(m, code_selector(m, 70), 2);
        break;
    case OPK_O: put(m, address(m, w) - operand_base(m, 8), bytes); break;
    default: break;
    }
}

static void put_size(struct maker *m, bool osize, bool asize)
{
    m->osize16 = m->code16 != osize;
    m->asize16 = m->code16 != asize;
    m->override = -1;
}

/* A segment override in so many percent. */
static void put_override(struct maker *m, uint32_t p)
{
    static const uint8_t prefix[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    static const uint8_t segment[] = {SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
    unsigned k = below(m, ARRAY_LEN(prefix));
    if (!percent(m, p))
        return;
    put(m, prefix[k], 1);
    m->override = segment[k];
}

static void put_prefixes(struct maker *m, const struct optable_entry *e, bool memory, bool *rep)
{
    static const uint8_t segment[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    static const uint8_t number[] = {SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
    bool simd = e->op == OP_MMX || e->op == OP_SSE || (e->feature & (FEAT_SSE | FEAT_SSE2));
    bool branch = spec_kind(e->spec[0]) == OPK_J || e->op == OP_RET || e->op == OP_RETF || e->op == OP_IRET ||
                  e->op == OP_CALLI || e->op == OP_JMPI;
    uint8_t p[20];
    unsigned n = 0;
    bool osize = !simd && percent(m, branch ? 2 : 20), asize = percent(m, memory || (e->notes & N_REP) ? 15 : 2);
    put_size(m, osize, asize);
    *rep = false;
    if (osize)
        p[n++] = 0x66;
    if (asize)
        p[n++] = 0x67;
    if (percent(m, 10)) {
        unsigned k = below(m, ARRAY_LEN(segment));
        p[n++] = segment[k];
        m->override = number[k];
    }
    if (percent(m, e->notes & N_LOCK && memory ? 20 : 1))
        p[n++] = 0xf0;
    if ((e->notes & N_REP && percent(m, 60)) || (e->opcode < 0x100 && percent(m, 1))) {
        p[n++] = 0xf2 + below(m, 2);
        *rep = true;
    }
    if (percent(m, 1) && !simd)
        for (unsigned k = below(m, 12); k > 0; k--)
            p[n++] = 0x3e;
    for (unsigned k = n; k > 1; k--) { /* in any order */
        unsigned j = below(m, k);
        uint8_t t = p[k - 1];
        p[k - 1] = p[j];
        p[j] = t;
    }
    for (unsigned k = 0; k < n; k++)
        put(m, p[k], 1);
    if (e->select & S_66)
        put(m, 0x66, 1);
    if (e->select & S_F3)
        put(m, 0xf3, 1);
    if (e->select & S_F2)
        put(m, 0xf2, 1);
}

static void put_row(struct maker *m, const struct gen_form *f)
{
    const struct optable_entry *e = f->row;
    bool memory = e->modrm && !(e->select & S_REG) && ((e->select & S_MEM) || percent(m, 60)), rep;
    unsigned reg = e->select & S_REGMASK ? e->select & 7 : below(m, 8), spec = 0, rm = below(m, 8);
    put_prefixes(m, e, memory, &rep);
    setup(m, e, rep);
    if (f->opcode > 0xff)
        put(m, 0x0f, 1);
    put(m, f->opcode & 0xff, 1);
    for (unsigned k = 0; k < 3; k++)
        if (is_rm(e->spec[k]))
            spec = e->spec[k];
    if (e->op == OP_MOVTOSEG || e->op == OP_MOVFROMSEG)
        reg = percent(m, 95) ? below(m, 6) : reg;
    if (e->modrm && memory) {
        uint32_t at = address(m, gen_operand_bytes(spec, word_size(m)));
        bool bit = e->op >= OP_BT && e->op <= OP_BTC && spec_kind(e->spec[1]) == OPK_G;
        if (bit && percent(m, 80))
            pin(m, reg, (uint32_t)(int32_t)(int16_t)value(m) >> below(m, 16));
        if (bit)
            at -= (uint32_t)((int32_t)(reg_value(m, reg)) >> 3) & ~(word_size(m) - 1);
        put_memory(m, reg, at);
        setup_memory(m, e, at);
    } else if (e->modrm) {
        setup_register(m, e, rm);
        put(m, 0xc0 | reg << 3 | rm, 1);
    }
    for (unsigned k = 0; k < 3; k++)
        put_immediate(m, e, e->spec[k]);
}

/* x87 */

static void extended(struct maker *m, uint64_t *mant, uint16_t *se)
{
    static const uint16_t exps[] = {0, 1, 2, 0x3fff, 0x3ffe, 0x4000, 0x3fff + 63, 0x3fff + 62, 0x3fff + 31, 0x3fff + 15,
                                    0x7ffe, 0x7ffd, 0x7fff, 0x7fff, 0x3fff - 1023, 0x3fff + 1023, 0x3fff - 127,
                                    0x3fff + 128, 0x3fff - 149, 0x3fff - 1074, 0x3fff + 1024};
    static const uint64_t mants[] = {0, 1, 0x8000000000000000u, 0x8000000000000001u, 0xffffffffffffffffu,
                                     0xc000000000000000u, 0x8000000000000800u, 0xfffffffffffff800u,
                                     0xfffffffffffffc00u, 0x8000008000000000u, 0xffffff8000000000u,
                                     0x4000000000000000u, 0xa000000000000000u, 0x7fffffffffffffffu};
    *mant = percent(m, 50) ? mants[below(m, ARRAY_LEN(mants))] : rnd64(m);
    uint16_t e = percent(m, 55) ? exps[below(m, ARRAY_LEN(exps))]
                 : percent(m, 70) ? (uint16_t)(0x3fff - 40 + below(m, 110)) : (uint16_t)(rnd(m) & 0x7fff);
    if (e && percent(m, 93))
        *mant |= 1ull << 63;
    if (percent(m, 8)) {
        *mant = percent(m, 50) ? 0 : 1ull << 63;
        e = *mant ? 0x3fff : 0;
    }
    *se = e | (uint16_t)(below(m, 2) << 15);
}

static uint64_t as_double(struct maker *m)
{
    static const uint64_t v[] = {0, 1, 0x3ff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001,
                                 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x41e0000000000000,
                                 0x43e0000000000000, 0x3fe0000000000000, 0x40e0000000000000};
    uint64_t x = percent(m, 50) ? v[below(m, ARRAY_LEN(v))] : rnd64(m);
    if (percent(m, 30))
        x = (x & ~0x7ff0000000000000u) | (uint64_t)(1023 - 40 + below(m, 110)) << 52;
    return x ^ (uint64_t)below(m, 2) << 63;
}

static uint32_t as_single(struct maker *m)
{
    static const uint32_t v[] = {0, 1, 0x3f800000, 0x7f800000, 0x7fc00000, 0x7f800001, 0x007fffff, 0x00800000,
                                 0x7f7fffff, 0x4f000000, 0x5f000000, 0x3f000000, 0x47000000};
    uint32_t x = percent(m, 50) ? v[below(m, ARRAY_LEN(v))] : rnd(m);
    if (percent(m, 30))
        x = (x & ~0x7f800000u) | (127 - 30 + below(m, 60)) << 23;
    return x ^ below(m, 2) << 31;
}

static void patch64(struct maker *m, uint32_t at, uint64_t v)
{
    patch(m, at, (uint32_t)v);
    patch(m, at + 4, (uint32_t)(v >> 32));
}

static void patch_bcd(struct maker *m, uint32_t at)
{
    uint32_t w[3];
    for (unsigned k = 0; k < 3; k++) {
        w[k] = 0;
        for (unsigned d = 0; d < 8; d++)
            w[k] |= below(m, percent(m, 95) ? 10 : 16) << 4 * d;
    }
    patch64(m, at, w[0] | (uint64_t)w[1] << 32);
    patch(m, at + 8, (w[2] & 0xff) | below(m, 2) << 15);
}

/* The operand of an ESC opcode: its size, and something of its type there. */
unsigned gen_x87_bytes(unsigned opcode, unsigned reg, bool small)
{
    switch (opcode) {
    case 0xd9: return reg == 4 || reg == 6 ? (small ? 14 : 28) : reg == 5 || reg == 7 ? 2 : 4;
    case 0xdb: return reg == 5 || reg == 7 ? 10 : 4;
    case 0xdc: return 8;
    case 0xdd: return reg == 4 || reg == 6 ? (small ? 94 : 108) : reg == 7 ? 2 : 8;
    case 0xde: return 2;
    case 0xdf: return reg == 4 || reg == 6 ? 10 : reg == 5 || reg == 7 ? 8 : 2;
    default: return 4;
    }
}

static void patch_x87(struct maker *m, unsigned opcode, unsigned reg, uint32_t at)
{
    unsigned size = gen_x87_bytes(opcode, reg, m->osize16);
    uint64_t mant;
    uint16_t se;
    if (opcode == 0xdf && reg == 4) {
        patch_bcd(m, at);
    } else if (size == 10) {
        extended(m, &mant, &se);
        patch64(m, at, mant);
        patch(m, at + 8, se);
    } else if (opcode == 0xdd || opcode == 0xdc) {
        patch64(m, at, as_double(m));
    } else if (opcode == 0xd8 || (opcode == 0xd9 && reg < 4)) {
        patch(m, at, as_single(m));
    } else if (opcode == 0xd9 && reg == 5) {
        patch(m, at, 0x37f ^ (below(m, 4) << 10 | below(m, 4) << 8 | (percent(m, 10) ? below(m, 64) : 0)));
    } else {
        patch64(m, at, value64(m));
    }
    if (size > 20 && percent(m, 80)) { /* an environment */
        patch(m, at, 0x37f ^ (percent(m, 20) ? rnd(m) & 0xfff : 0));
        patch(m, at + (m->osize16 ? 2 : 4), rnd(m) & (percent(m, 80) ? 0x7f00 : 0xffff));
    }
}

static void put_x87(struct maker *m)
{
    unsigned opcode = 0xd8 + below(m, 8), reg = below(m, 8);
    if (percent(m, 3)) {
        put(m, 0x9b, 1);
        return;
    }
    bool asize = percent(m, 8), osize = percent(m, opcode == 0xd9 || opcode == 0xdd ? 25 : 3);
    put_size(m, osize, asize);
    bool memory = percent(m, 45), environment = (opcode == 0xd9 || opcode == 0xdd) && (reg == 4 || reg == 6);
    if (environment && percent(m, 60))
        memory = false;
    put_override(m, 8);
    if (asize)
        put(m, 0x67, 1);
    if (osize)
        put(m, 0x66, 1);
    if (percent(m, 1))
        put(m, 0xf0, 1);
    put(m, opcode, 1);
    if (!memory) {
        put(m, 0xc0 | below(m, 64), 1);
        return;
    }
    uint32_t at = address(m, gen_x87_bytes(opcode, reg, m->osize16));
    put_memory(m, reg, at);
    patch_x87(m, opcode, reg, at);
}

/* The state before */

static void store(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        p[k] = (uint8_t)(v >> 8 * k);
}

static void make_fx(struct maker *m, uint8_t *fx)
{
    uint32_t control = 0x37f, status = rnd(m) & 0x7f00;
    memset(fx, 0, FX_SIZE);
    if (percent(m, 60))
        control = 0x7f | below(m, 4) << 8 | below(m, 4) << 10;
    if (percent(m, 20))
        control &= ~(rnd(m) & 0x3f);
    if (percent(m, 30))
        status |= rnd(m) & 0x7f & (control | 0x40); /* none pending ... */
    if (percent(m, 2))
        status |= rnd(m) & 0x3f; /* ... or rarely */
    if (status & ~control & 0x3f)
        status |= 0x8080;
    store(fx, control, 2);
    store(fx + 2, status, 2);
    fx[4] = percent(m, 60) ? 0xff : (uint8_t)rnd(m);
    for (unsigned k = 0; k < 8; k++) {
        uint64_t mant;
        uint16_t se;
        extended(m, &mant, &se);
        if (percent(m, 20)) {
            mant = value64(m);
            se = 0xffff;
        }
        store(fx + 32 + 16 * k, mant, 8);
        store(fx + 40 + 16 * k, se, 2);
    }
    store(fx + 24, 0x1f80, 4);
    store(fx + 28, 0xffff, 4);
}

static void make_sse(struct maker *m, uint8_t *fx)
{
    uint32_t mxcsr = 0x1f80;
    if (percent(m, 40))
        mxcsr |= below(m, 4) << 13 | (percent(m, 30) ? 0x8000 : 0) | (percent(m, 30) ? 0x40 : 0) | (rnd(m) & 0x3f);
    if (percent(m, 15))
        mxcsr &= ~(rnd(m) & 0x1f80);
    store(fx + 24, mxcsr, 4);
    for (unsigned k = 0; k < 16; k++) {
        switch (below(m, 3)) {
        case 0: store(fx + 160 + 8 * k, as_double(m), 8); break;
        case 1: store(fx + 160 + 8 * k, as_single(m) | (uint64_t)as_single(m) << 32, 8); break;
        default: store(fx + 160 + 8 * k, value64(m), 8);
        }
    }
}

static uint32_t first_stack(struct maker *m)
{
    if (percent(m, 84))
        return AT_STACK + 0x400 + (below(m, 0x800) & ~3u);
    if (percent(m, 60))
        return AT_STACK + 0x400 + below(m, 0x800);
    if (percent(m, 50))
        return AT_STACK + below(m, 2) * PAGE + below(m, 80) - 40;
    return percent(m, 50) ? AT_DATA + 2 * PAGE + below(m, 64) : rnd(m);
}

static void make_segments(struct maker *m)
{
    static const uint16_t data[] = {LDT_DATA, LDT_DATA, LDT_SMALL, LDT_DOWN, LDT_READONLY, LDT_CODE, USER_CS, 0, USER_DS};
    static const uint8_t reg[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint32_t *seg = m->c->seg;
    seg[SEG_CS] = USER_CS;
    seg[SEG_ES] = seg[SEG_SS] = seg[SEG_DS] = USER_DS;
    seg[SEG_FS] = seg[SEG_GS] = percent(m, 50) ? USER_DS : 0;
    if (!m->g->ldt || !percent(m, 25))
        return;
    for (unsigned k = 0; k < ARRAY_LEN(reg); k++)
        if (percent(m, 60))
            seg[reg[k]] = data[below(m, ARRAY_LEN(data))];
    if (percent(m, 30))
        seg[SEG_SS] = percent(m, 80) ? LDT_STACK16 : LDT_DATA;
    if (percent(m, 30))
        seg[SEG_CS] = percent(m, 60) ? LDT_CODE16 : LDT_CODE;
    m->code16 = seg[SEG_CS] == LDT_CODE16;
}

static void make_state(struct maker *m)
{
    struct silicon_case *c = m->c;
    for (unsigned r = 0; r < 8; r++)
        c->gpr[r] = percent(m, 75) ? value(m) : AT_DATA + below(m, 2 * PAGE);
    make_segments(m);
    c->gpr[REG_ESP] = first_stack(m) - segment_base(m, SEG_SS);
    m->pinned[REG_ESP] = true;
    c->eflags = (rnd(m) & 0x8d5) | 0x202 | (percent(m, 15) ? 0x400 : 0) | (percent(m, 6) ? 1u << 18 : 0) |
                (percent(m, 2) ? 1u << 14 : 0) | (percent(m, 10) ? 1u << 21 : 0);
    c->eflags &= m->g->eflags;
    make_fx(m, c->fx);
    if (m->g->sse)
        make_sse(m, c->fx);
}

/* The whole */

static void put_noise(struct maker *m)
{
    for (unsigned k = 4 + below(m, 12); k > 0; k--)
        put(m, rnd(m), 1);
}

/* Only the rows asked for, or x87 where there are none. */
static void put_named(struct maker *m)
{
    uint32_t n = m->g->nint + m->g->nsimd, k = below(m, n + !n);
    if (n == 0)
        put_x87(m);
    else
        put_row(m, k < m->g->nint ? &m->g->integer[k] : &m->g->simd[k - m->g->nint]);
}

static void put_instruction(struct maker *m)
{
    uint32_t kind = below(m, 100);
    put_size(m, false, false);
    if (m->g->name)
        put_named(m);
    else if (kind < 22)
        put_x87(m);
    else if (kind < (m->g->sse ? 50u : 34u) && m->g->nsimd)
        put_row(m, &m->g->simd[below(m, m->g->nsimd)]);
    else if (kind < 98)
        put_row(m, &m->g->integer[below(m, m->g->nint)]);
    else
        put_noise(m);
}

static unsigned sequence_length(struct maker *m)
{
    return percent(m, 60) ? 1 : percent(m, 70) ? 2 + below(m, 2) : 4 + below(m, 3);
}

/* Where the code lies: mostly within a page, at times across two, or up to the end of the last. */
static void place(struct maker *m)
{
    struct silicon_case *c = m->c;
    uint32_t at = WORK_CODE + 0x200 + below(m, 0x800);
    if (percent(m, 12))
        at = WORK_CODE + PAGE - 1 - below(m, m->n);
    if (percent(m, 2))
        at = WORK_CODE + 2 * PAGE - 1 - below(m, m->n);
    c->code_at = at;
    c->code_len = m->n < 2 * PAGE - at ? m->n : 2 * PAGE - at;
    c->eip = AT_CODE + at - WORK_CODE - segment_base(m, SEG_CS);
}

static void put_exit(struct maker *m)
{
    uint8_t *p = m->c->code + m->n;
    m->exit_at = m->n;
    if (m->c->seg[SEG_CS] == USER_CS) {
        *p = 0xe9;
        m->n += 5;
        return;
    }
    if (m->code16)
        *p++ = 0x66;
    *p = 0xea;
    store(p + 1, AT_EXIT, 4);
    store(p + 5, USER_CS, 2);
    m->n += m->code16 ? 8 : 7;
}

static void link_code(struct maker *m)
{
    struct silicon_case *c = m->c;
    unsigned exit = m->exit_at;
    if (c->seg[SEG_CS] == USER_CS)
        store(c->code + exit + 1, AT_EXIT - (c->eip + m->n), 4);
    for (unsigned k = 0; k < m->nfixups; k++) {
        struct fixup f = m->fixup[k];
        unsigned end = f.at + f.size, to = exit;
        if (end > exit)
            continue;
        for (unsigned i = 0; i < m->ninsns; i++) /* one of the next instructions */
            if (m->start[i] >= end && percent(m, 50)) {
                to = m->start[i];
                break;
            }
        if (percent(m, 95))
            store(c->code + f.at, to - end, f.size);
    }
    if (m->target_patch >= 0 && (uint32_t)m->target_patch < c->npatch)
        c->patch[m->target_patch].value = percent(m, 70) || c->seg[SEG_CS] != USER_CS ? c->eip + exit : AT_EXIT;
}

void gen_case(const struct gen *g, uint64_t seed, unsigned index, struct silicon_case *out)
{
    struct maker m = {.g = g, .c = out, .s = seed * 0x2545f4914f6cdd1du + index * 0xd1342543de82ef95u, .target_patch = -1};
    memset(out, 0, offsetof(struct silicon_case, fx));
    make_state(&m);
    unsigned count = sequence_length(&m);
    for (unsigned k = 0; k < count && m.n < CODE_MAX - 32; k++) {
        m.start[m.ninsns++] = (uint8_t)m.n;
        put_instruction(&m);
    }
    put_exit(&m);
    place(&m);
    link_code(&m);
}

void gen_image(uint64_t seed, uint8_t *image)
{
    struct maker m = {.s = seed ^ 0x5851f42d4c957f2du};
    memset(image, 0xcc, WORK_SIZE);
    for (uint32_t at = WORK_DATA; at < WORK_SIZE; at += 8) {
        switch (below(&m, 5)) {
        case 0: store(image + at, as_double(&m), 8); break;
        case 1: store(image + at, as_single(&m) | (uint64_t)as_single(&m) << 32, 8); break;
        case 2: store(image + at, AT_EXIT | (uint64_t)selector(&m) << 32, 8); break;
        default: store(image + at, value64(&m), 8);
        }
    }
}

/* The forms */

/* Rows that tell the processor or belong to the host's kernel; watch.c refuses them anyway. */
static bool is_out_of_reach(const struct optable_entry *e)
{
    switch (e->op) {
    case OP_SGDT: case OP_SIDT: case OP_SMSW: case OP_SLDT: case OP_STR: case OP_RDTSC: case OP_RDPMC: case OP_CPUID:
    case OP_SYSENTER: case OP_SYSEXIT: case OP_RSM: case OP_ESC:
        return true;
    default: return false;
    }
}

static bool is_announced(const struct optable_entry *e, const struct cpu_model *model)
{
    return model->level >= (unsigned)e->levels >> 4 && model->level <= (e->levels & 15u) &&
           (e->feature & ~model->features) == 0;
}

static void add_form(struct gen *g, const struct optable_entry *e, unsigned opcode)
{
    if (g->name && strcmp(e->mnemonic, g->name) != 0)
        return;
    bool simd = e->op == OP_MMX || (e->feature & (FEAT_SSE | FEAT_SSE2));
    struct gen_form f = {e, (uint16_t)opcode};
    if (simd && g->nsimd < ARRAY_LEN(g->simd))
        g->simd[g->nsimd++] = f;
    else if (!simd && g->nint < ARRAY_LEN(g->integer))
        g->integer[g->nint++] = f;
}

void gen_init(struct gen *g, const struct cpu_model *model, const char *name, bool low, bool ldt)
{
    memset(g, 0, sizeof(*g));
    g->name = name;
    g->low = low;
    g->ldt = ldt;
    g->eflags = model->level == CPU_386 ? 0xffff : 0xffffffffu; /* AC and ID came with the 486 */
    g->sse = (model->features & FEAT_SSE) != 0;
    for (unsigned n = 0; n < 512; n++) {
        unsigned opcode = n < 256 ? n : 0x0f00 | (n & 0xff);
        const struct optable_entry *e = optable_first(opcode, model->level, model->features);
        for (bool first = true; e && (first || e->more); e++, first = false)
            if (is_announced(e, model) && !is_out_of_reach(e))
                add_form(g, e, opcode);
    }
}
