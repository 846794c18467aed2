/* See watch.h. The flags that instructions leave undefined come from optable.def, refined for counts. */
#include "tests/silicon/watch.h"

#include <string.h>

#include "cpu/desc.h"
#include "cpu/fpu.h"
#include "cpu/optable.h"

bool work_offset(uint32_t addr, uint32_t len, uint32_t *at)
{
    static const struct { uint32_t addr, len, work; } region[] = {
        {AT_CODE, 2 * PAGE, WORK_CODE}, {AT_DATA, 3 * PAGE, WORK_DATA}, {AT_STACK, PAGE, WORK_STACK},
        {AT_LOW, 3 * PAGE, WORK_DATA},
    };
    for (unsigned k = 0; k < ARRAY_LEN(region); k++) {
        uint32_t off = addr - region[k].addr;
        if (off < region[k].len && len <= region[k].len - off) {
            *at = region[k].work + off;
            return true;
        }
    }
    return false;
}

void watch_init(struct watch *w, struct cpu *c)
{
    memset(w, 0, sizeof(*w));
    w->c = c;
}

void watch_begin(struct watch *w, struct silicon_case *in, struct guest_verdict *v)
{
    w->in = in;
    w->v = v;
    w->unknown_stored = false;
    w->nsteps = 0;
    in->nmask = 0;
}

/* Flags */

static uint32_t condition_reads(unsigned cc)
{
    static const uint16_t reads[8] = {FLAG_OF, FLAG_CF, FLAG_ZF, FLAG_CF | FLAG_ZF, FLAG_SF, FLAG_PF,
                                      FLAG_SF | FLAG_OF, FLAG_ZF | FLAG_SF | FLAG_OF};
    return reads[cc >> 1 & 7];
}

static uint32_t flags_read(const struct insn *i)
{
    switch (i->op) {
    case OP_ADC: case OP_SBB: case OP_RCL: case OP_RCR: case OP_SALC: case OP_CMC: return FLAG_CF;
    case OP_JCC: case OP_SETCC: case OP_CMOV: return condition_reads(i->cc);
    case OP_LAHF: case OP_PUSHF: return FLAGS_ARITH;
    case OP_INTO: return FLAG_OF;
    case OP_LOOPZ: case OP_LOOPNZ: return FLAG_ZF;
    case OP_DAA: case OP_DAS: case OP_AAA: case OP_AAS: return FLAG_CF | FLAG_AF;
    case OP_ESC:
        if ((i->opcode & 0xfe) == 0xda && i->modrm >= 0xc0 && i->modrm < 0xe0)
            return FLAG_CF | FLAG_ZF | FLAG_PF; /* FCMOVcc */
        return 0;
    default: return 0;
    }
}

static unsigned shift_count(const struct watch *w)
{
    return (w->insn.flags & INSN_CL ? (unsigned)w->c->st.gpr[REG_ECX] : w->insn.imm) & 31;
}

/* What a shift or rotate defines depends on its count (SDM 2B SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD). */
static void flags_of_shift(struct watch *w)
{
    unsigned count = shift_count(w), bits = w->insn.size * 8u;
    bool rotate = w->insn.op <= OP_RCR, pair = w->insn.op == OP_SHLD || w->insn.op == OP_SHRD;
    if (count == 0)
        return;
    w->flags_written = rotate ? FLAG_CF : FLAGS_ARITH & ~(FLAG_AF | FLAG_OF);
    w->flags_undefined = rotate ? 0 : FLAG_AF;
    if (count == 1)
        w->flags_written |= FLAG_OF;
    else
        w->flags_undefined |= FLAG_OF;
    if ((w->insn.op == OP_SHL || w->insn.op == OP_SHR || w->insn.op == OP_SAL) && count > bits)
        w->flags_undefined |= FLAG_CF;
    if (pair && count > bits)
        w->v->skip = "SHLD or SHRD by more than the operand has bits: result undefined";
}

static bool counts_out(const struct watch *w)
{
    uint32_t ecx = (uint32_t)w->c->st.gpr[REG_ECX];
    return w->insn.rep && (w->insn.asize == 2 ? (uint16_t)ecx : ecx) == 0;
}

static void flags_of(struct watch *w, const struct optable_entry *e)
{
    const struct insn *i = &w->insn;
    w->flags_written = w->flags_undefined = 0;
    if ((i->op >= OP_ROL && i->op <= OP_SAR) || i->op == OP_SHLD || i->op == OP_SHRD) {
        flags_of_shift(w);
    } else if (i->op == OP_ESC) {
        if ((i->opcode == 0xdb || i->opcode == 0xdf) && i->modrm >= 0xe8 && i->modrm < 0xf8)
            w->flags_written = FLAGS_ARITH; /* FCOMI */
    } else if (e && !((i->op == OP_CMPS || i->op == OP_SCAS) && counts_out(w))) {
        w->flags_written = e->written;
        w->flags_undefined = e->undefined;
    }
}

/* Instructions that must not run natively, or cannot be compared */

/* UD that every processor agrees on: documented ones, and holes that nobody has filled. */
static bool is_agreed_ud(const struct watch *w)
{
    const struct insn *i = &w->insn;
    unsigned reg = i->modrm >> 3 & 7;
    if (w->nbytes < sizeof(w->bytes))
        return false; /* how much is fetched before */
    if (i->flags & INSN_LOCK && i->opcode >= 0x0f00 && i->opcode <= 0x0f23)
        return false; /* AMD: LOCK VERW is taken, LOCK MOV CR0 is MOV CR8 */
    if (i->flags & INSN_LOCK)
        return optable_first(i->opcode, w->c->model.level, w->c->model.features) != NULL && !i->rep;
    switch (i->opcode) {
    case 0x8c: case 0x8d: case 0x8e: return true;
    case 0xc6: return i->modrm != 0xf8; /* XABORT */
    case 0xc7: case 0xff: return reg == 7 ? i->modrm < 0xc0 || i->opcode == 0xff : true;
    case 0xfe: return true;
    case 0x0f0b: case 0x0faa: case 0x0fba: return i->rep == 0;
    default: return false;
    }
}

static bool is_foreign_selector(unsigned selector)
{
    unsigned at = selector & 0xfffc;
    return at >= 0x40 && at < 0x80; /* TSS, LDT, TLS, CPU number of the host's kernel */
}

static uint32_t operand_address(const struct watch *w)
{
    return (uint32_t)w->c->st.seg[w->insn.seg].base + insn_ea(w->c, &w->insn);
}

/* LAR, LSL, VERR, VERW of the host's own system segments. */
static bool asks_for_foreign_selector(const struct watch *w)
{
    const struct insn *i = &w->insn;
    unsigned reg = i->op == OP_VERR || i->op == OP_VERW ? i->dst : i->src;
    uint32_t at, selector, addr = operand_address(w);
    if (i->modrm >= 0xc0)
        return is_foreign_selector((unsigned)w->c->st.gpr[reg] & 0xffff);
    uint8_t bytes[2];
    if (!work_offset(addr, 2, &at) || !cpu_peek(w->c, addr, bytes, 2))
        return false;
    selector = bytes[0] | (uint32_t)bytes[1] << 8;
    return is_foreign_selector(selector);
}

/* Whether the case can read there without a fault. */
static bool readable(const struct watch *w, unsigned seg, uint32_t offset, unsigned len)
{
    const struct cpu_seg *s = &w->c->st.seg[seg];
    uint32_t addr = (uint32_t)s->base + offset, at;
    bool aligned = !(w->c->st.eflags & FLAG_AC) || addr % len == 0;
    return (s->selector & ~3) != 0 && aligned && seg_limit_ok(s, offset, len) && work_offset(addr, len, &at);
}

static bool stack_missing(const struct watch *w, unsigned words, uint32_t offset)
{
    uint32_t sp = (uint32_t)w->c->st.gpr[REG_ESP] + offset, mask = stack32(w->c) ? 0xffffffffu : 0xffff;
    for (unsigned k = 0; k < words; k++)
        if (!readable(w, SEG_SS, (sp + k * w->insn.size) & mask, w->insn.size))
            return true;
    return false;
}

static bool push_faults(const struct watch *w)
{
    uint32_t at = 0, sp = (uint32_t)(w->c->st.gpr[REG_ESP] - w->insn.size) & (stack32(w->c) ? 0xffffffffu : 0xffff);
    (void)work_offset((uint32_t)w->c->st.seg[SEG_SS].base + sp, 1, &at);
    (void)work_offset((uint32_t)w->c->st.seg[SEG_SS].base + sp + w->insn.size - 1, 1, &at);
    return stack_missing(w, 1, 0u - w->insn.size) || (at >= WORK_READONLY && at < WORK_STACK);
}

/* Is the far transfer's selector, where it can be read, that of 64-bit code? */
static bool goes_to_64_bits(const struct watch *w)
{
    const struct insn *i = &w->insn;
    uint32_t sp = (uint32_t)w->c->st.gpr[REG_ESP] & (stack32(w->c) ? 0xffffffffu : 0xffff);
    uint8_t s[2] = {(uint8_t)i->imm2, (uint8_t)(i->imm2 >> 8)};
    if (i->op == OP_RETF || i->op == OP_IRET)
        (void)cpu_peek(w->c, (uint32_t)w->c->st.seg[SEG_SS].base + sp + i->size, s, 2);
    else if (i->op != OP_CALLF && i->op != OP_JMPF)
        (void)cpu_peek(w->c, operand_address(w) + i->size, s, 2);
    return (s[0] & 0xfc) == 0x30 && s[1] == 0;
}

/* AMD's processors read the SS:ESP of an outer level before they look at the CS that tells whether there is one. */
static bool outer_stack_missing(const struct watch *w)
{
    return stack_missing(w, 2, 0) || stack_missing(w, 2, 2 * w->insn.size + w->insn.imm);
}

/* MXCSR at `at` of the operand has a bit that the model lacks and the host may have: MM, DAZ. */
static bool sets_foreign_mxcsr(const struct watch *w, uint32_t at)
{
    uint8_t b[4], daz = w->c->model.features & FEAT_SSE2 ? 0 : 0x40;
    return cpu_peek(w->c, operand_address(w) + at, b, sizeof(b)) && ((b[2] & 2) || (b[0] & daz));
}

/* All of what MASKMOVQ, MASKMOVDQU may write is there to be written, so that the mask does not matter. */
static bool masked_store_faults(const struct watch *w)
{
    const struct insn *i = &w->insn;
    const struct cpu_seg *s = &w->c->st.seg[i->seg];
    unsigned len = i->flags & INSN_OSIZE ? 16 : 8;
    uint32_t edi = (uint32_t)w->c->st.gpr[REG_EDI], to = i->asize == 2 ? edi & 0xffff : edi, at = 0;
    bool writable = (s->attr & (SEG_ATTR_CODE | SEG_ATTR_WRITABLE)) == SEG_ATTR_WRITABLE;
    if ((w->c->st.eflags & FLAG_AC) || !writable || !readable(w, i->seg, to, len))
        return true;
    return !work_offset((uint32_t)s->base + to, len, &at) || at >= WORK_READONLY - 16;
}

/* MOVUPS, MOVUPD, MOVDQU of an operand that is not aligned on 16 bytes. */
static bool is_misaligned_move(const struct watch *w)
{
    const struct insn *i = &w->insn;
    bool wide = i->opcode == 0x0f10 || i->opcode == 0x0f11 ? !i->rep : i->opcode == 0x0f6f || i->opcode == 0x0f7f;
    return wide && i->modrm < 0xc0 && (operand_address(w) & 15) != 0;
}

/* Enters MMX state on Intel's processors only. */
static bool is_cvtpi2ps_of_memory(const struct insn *i)
{
    return i->opcode == 0x0f2a && !i->rep && !(i->flags & INSN_OSIZE) && i->modrm < 0xc0;
}

static bool may_enter_mmx(const struct insn *i)
{
    return (i->opcode == 0x0f2a || i->opcode == 0x0f2c || i->opcode == 0x0f2d) && !i->rep;
}

static const char *refuse_sse(const struct watch *w)
{
    const struct insn *i = &w->insn;
    if (w->v->xmm_near)
        return "SSE after an approximate result";
    if (is_cvtpi2ps_of_memory(i) && (w->c->st.x87.status & FPU_ES))
        return "CVTPI2PS from memory with an x87 exception pending: whether the x87 is entered";
    if (i->opcode == 0x0ff7 && masked_store_faults(w))
        return "MASKMOVQ, MASKMOVDQU: which bytes are looked at";
    if ((w->c->st.eflags & FLAG_AC) && is_misaligned_move(w))
        return "MOVUPS, MOVDQU misaligned: whether that is #AC";
    return NULL;
}

/* FXSAVE, FXRSTOR of a misaligned operand beyond the limit of SS. */
static bool is_misaligned_beyond_stack(const struct watch *w)
{
    const struct insn *i = &w->insn;
    return i->seg == SEG_SS && (operand_address(w) & 15) &&
           !seg_limit_ok(&w->c->st.seg[SEG_SS], insn_ea(w->c, i), 512);
}

static const char *refuse_image(const struct watch *w)
{
    if (!(w->c->model.features & FEAT_SSE))
        return "FXSAVE with SSE";
    if (w->c->st.eflags & FLAG_AC)
        return "FXSAVE, FXRSTOR: #AC or #GP";
    return is_misaligned_beyond_stack(w) ? "FXSAVE, FXRSTOR misaligned beyond the stack: #GP or #SS" : NULL;
}

/* POPF or IRET of flags that a 386 does not have. */
static bool pops_later_flags(const struct watch *w)
{
    const struct insn *i = &w->insn;
    uint32_t sp = (uint32_t)w->c->st.gpr[REG_ESP] + (i->op == OP_IRET ? 8 : 0);
    uint8_t b[4];
    sp &= stack32(w->c) ? 0xffffffffu : 0xffff;
    return w->c->model.level == CPU_386 && i->size == 4 &&
           cpu_peek(w->c, (uint32_t)w->c->st.seg[SEG_SS].base + sp, b, sizeof(b)) && (b[2] & (FLAG_AC | FLAG_ID) >> 16);
}

/* Those that long mode or a 386 lacks. */
static bool is_own_cr(const struct watch *w, unsigned cr)
{
    return cr == 1 || cr > 4 || (cr == 4 && w->c->model.level == CPU_386);
}

/* More than 15 bytes. */
static const char *refuse_too_long(const struct watch *w)
{
    switch (w->insn.opcode) {
    case 0x0fb9: return "UD1: whether it has ModRM";
    case 0x0f24: case 0x0f26: return "test registers";
    default: return AT_CODE + 2 * PAGE - w->at < 2 * sizeof(w->bytes) ? "too long an instruction at the end of the code" : NULL;
    }
}

static const char *refuse_system(const struct watch *w)
{
    const struct insn *i = &w->insn;
    unsigned reg = i->modrm >> 3 & 7;
    bool far = i->op == OP_CALLF || i->op == OP_CALLFI || i->op == OP_JMPF || i->op == OP_JMPFI || i->op == OP_RETF ||
               i->op == OP_IRET;
    if (far && goes_to_64_bits(w))
        return "64-bit code";
    if ((i->op == OP_POPF || i->op == OP_IRET) && pops_later_flags(w))
        return "EFLAGS.AC, ID, which a 386 does not have";
    switch (i->op) {
    case OP_INT: return i->imm == 0x80 ? "system call" : NULL;
    case OP_SGDT: case OP_SIDT: case OP_SMSW: case OP_SLDT: case OP_STR: return "UMIP";
    case OP_RDTSC: case OP_RDPMC: case OP_CPUID: return "tells the processor";
    case OP_SYSENTER: case OP_SYSEXIT: return "system call";
    case OP_CALL: case OP_CALLI:
        if (w->c->st.seg[SEG_CS].limit != 0xffffffffu && push_faults(w))
            return "CALL beyond the limit without a stack: which fault";
        return NULL;
    case OP_LOOPZ: case OP_LOOPNZ: return i->rep ? "REP LOOPcc: AMD lets the prefix choose the condition" : NULL;
    case OP_RETF: return outer_stack_missing(w) ? "RETF, IRET: whether the outer stack is looked at first" : NULL;
    case OP_IRET:
        if (w->c->st.eflags & FLAG_NT)
            return "IRET to a task (none in long mode)";
        return stack_missing(w, 5, 0) ? "RETF, IRET: whether the outer stack is looked at first" : NULL;
    case OP_MOVFROMCR: case OP_MOVTOCR: return is_own_cr(w, reg) ? "CR that not all have" : NULL;
    case OP_MOVTR: return "test registers";
    case OP_MOVFROMDR: case OP_MOVTODR: return reg == 4 || reg == 5 ? "DR4, DR5" : NULL;
    case OP_LAR: case OP_LSL: case OP_VERR: case OP_VERW:
        return asks_for_foreign_selector(w) ? "the host's selectors" : NULL;
    case OP_FXSAVE: return refuse_image(w);
    case OP_FXRSTOR:
        if (refuse_image(w))
            return refuse_image(w);
        return sets_foreign_mxcsr(w, 24) ? "MXCSR.MM, which only AMD has, or DAZ before SSE2" : NULL;
    case OP_LDMXCSR: return sets_foreign_mxcsr(w, 0) ? "MXCSR.MM, which only AMD has, or DAZ before SSE2" : NULL;
    case OP_SSE: return refuse_sse(w);
    case OP_TOO_LONG: return refuse_too_long(w);
    case OP_UD: return is_agreed_ud(w) ? NULL : "unknown opcode";
    default: return NULL;
    }
}

static const char *refuse_prefixes(const struct watch *w, const struct optable_entry *e)
{
    const struct insn *i = &w->insn;
    bool sse = e && (e->feature & (FEAT_SSE | FEAT_SSE2));
    if (i->opcode == 0x0fae && optable_prefix(i))
        return "66, F2, F3 on 0F AE";
    if (i->opcode < 0x0f00 || sse)
        return NULL;
    if (i->rep)
        return "REP on a two-byte opcode";
    return i->op == OP_MMX && (i->flags & INSN_OSIZE) ? "66 on an MMX opcode" : NULL;
}

/* x87 */

static bool is_near_op(const struct insn *i)
{
    static const uint32_t near = 1u << 0x10 | 1u << 0x11 | 1u << 0x12 | 1u << 0x13 | 1u << 0x19 | 1u << 0x1b |
                                 1u << 0x1e | 1u << 0x1f;
    return i->opcode == 0xd9 && i->modrm >= 0xe0 && (near >> (i->modrm & 31) & 1);
}

static unsigned exponent(const struct cpu *c, unsigned n)
{
    return c->st.x87.se[(c->st.x87.top + n) & 7] & 0x7fffu;
}

/* Approximate: compared within some units in the last place, where arguments are tame. */
static void watch_near(struct watch *w)
{
    unsigned e = exponent(w->c, 0);
    bool any = w->insn.modrm == 0xf1 || w->insn.modrm == 0xf3; /* FYL2X, FPATAN */
    w->v->x87_near = true;
    w->v->status_ignored |= FP_PE | FP_UE | FP_OE | FPU_C1;
    if ((!any && e > 0x3ffc && e != 0x7fff) || (~w->c->st.x87.control & (FP_PE | FP_UE | FP_OE)))
        w->v->skip = "wild argument of an approximate x87 instruction";
}

static void mask(struct watch *w, uint32_t addr, uint32_t len)
{
    uint32_t at;
    if (!work_offset(addr, len, &at))
        return;
    if (w->in->nmask == MASKS) {
        w->v->skip = "too many environments";
        return;
    }
    w->in->mask[w->in->nmask].at = at;
    w->in->mask[w->in->nmask++].len = len;
}

/* FNSTENV, FNSAVE store the last instruction's pointers, which AMD loses between threads. */
static void watch_environment(struct watch *w)
{
    const struct insn *i = &w->insn;
    uint32_t ea = operand_address(w);
    w->unknown_stored = true;
    if (i->size == 2)
        mask(w, ea + 6, 8);
    else
        mask(w, ea + 12, 16);
}

/* PUSH Sreg and POP Sreg with 32 bits: two bytes of the stack or four (SDM 3B 22.31.1). */
static const char *watch_selector(struct watch *w)
{
    bool push = w->insn.op == OP_PUSHSEG;
    uint32_t sp = (uint32_t)(w->c->st.gpr[REG_ESP] - 4) & (stack32(w->c) ? 0xffffffffu : 0xffff);
    if (w->insn.size != 4)
        return NULL;
    if (push ? push_faults(w) : stack_missing(w, 1, 0))
        return "PUSH Sreg, POP Sreg: two bytes or four";
    w->unknown_stored |= push;
    if (push)
        mask(w, (uint32_t)w->c->st.seg[SEG_SS].base + sp + 2, 2);
    return NULL;
}

/* The same pointers in FXSAVE's format, and MXCSR_MASK, which tells the processor. */
static void watch_fxsave(struct watch *w)
{
    uint32_t ea = operand_address(w);
    if (w->v->status_ignored)
        w->v->skip = "undefined status is read";
    w->unknown_stored = true;
    mask(w, ea + 6, 18);
    mask(w, ea + 28, 4);
}

static bool bcd_is_valid(const struct watch *w)
{
    uint8_t b[9];
    if (!cpu_peek(w->c, operand_address(w), b, 9))
        return true;
    for (unsigned k = 0; k < 9; k++)
        if ((b[k] & 15) > 9 || b[k] >> 4 > 9)
            return false;
    return true;
}

static const char *watch_esc(struct watch *w)
{
    const struct insn *i = &w->insn;
    unsigned reg = i->modrm >> 3 & 7;
    if (w->v->x87_near)
        return "x87 after an approximate result";
    if (i->modrm >= 0xc0) {
        const struct fpu_op *op = fpu_find_register_op(w->c, i);
        if (op->kind == FPU_ILLEGAL)
            return w->c->model.features & FEAT_CMOV ? NULL : "x87 opcode of a later processor";
        if (i->opcode == 0xdf && i->modrm == 0xe0 && w->v->status_ignored)
            return "undefined status is read";
        if (is_near_op(i))
            watch_near(w);
        if (w->v->skip)
            return w->v->skip;
        if (i->opcode == 0xd9 && (i->modrm == 0xf8 || i->modrm == 0xf5) && exponent(w->c, 0) > exponent(w->c, 1) + 60)
            return "partial remainder";
        return NULL;
    }
    if (fpu_find_memory_op(i)->kind == FPU_ILLEGAL)
        return reg == 1 && i->opcode != 0xd9 ? "FISTTP, which came later" : NULL;
    bool environment = (i->opcode == 0xd9 || i->opcode == 0xdd) && reg == 6;
    if ((environment || (i->opcode == 0xdd && reg == 7)) && w->v->status_ignored)
        return "undefined status is read";
    if (environment)
        watch_environment(w);
    if (i->opcode == 0xdf && reg == 4 && !bcd_is_valid(w))
        return "FBLD of no digits";
    return NULL;
}

static bool compares(const struct insn *i)
{
    unsigned reg = i->modrm >> 3 & 7;
    bool memory = i->modrm < 0xc0;
    switch (i->opcode) {
    case 0xd8: case 0xdc: case 0xde: return reg == 2 || reg == 3;
    case 0xd9: return i->modrm == 0xe4;
    case 0xda: return memory ? reg == 2 || reg == 3 : i->modrm == 0xe9;
    case 0xdb: case 0xdf: return !memory && (reg == 5 || reg == 6);
    case 0xdd: return !memory && (reg == 4 || reg == 5);
    default: return false;
    }
}

/* What x87 instructions leave differently on AMD; the sources are in docs/SILICON.md. */
static void after_esc(struct watch *w)
{
    const struct insn *i = &w->insn;
    const struct cpu_x87 *x = &w->c->st.x87;
    if (compares(i) && (x->status & ~x->control & FP_IE)) {
        w->v->status_ignored |= FPU_CONDITION;
        if (i->opcode == 0xdb || i->opcode == 0xdf)
            w->v->flags_ignored |= FLAGS_ARITH;
    }
    if (compares(i) && i->modrm >= 0xc0 && (i->opcode == 0xdb || i->opcode == 0xdf))
        w->v->status_ignored |= FPU_C1;
    if (i->opcode == 0xd9 && i->modrm >= 0xc0 && i->modrm < 0xc8 && (x->status & FPU_SF))
        w->v->status_ignored |= FPU_C1;
}

/* Around an instruction */

static bool fetch(struct watch *w)
{
    struct cpu *c = w->c;
    uint32_t off;
    w->eip = (uint32_t)c->st.eip;
    w->at = (uint32_t)(c->st.seg[SEG_CS].base + c->st.eip);
    off = w->at - AT_CODE;
    if (off >= 2 * PAGE)
        return false;
    w->nbytes = 2 * PAGE - off < sizeof(w->bytes) ? 2 * PAGE - off : (unsigned)sizeof(w->bytes);
    if (!cpu_peek(c, w->at, w->bytes, w->nbytes))
        return false;
    w->have_insn = decode(w->bytes, w->nbytes, code32(c) ? DECODE_CODE32 : 0, c->model.level, c->model.features,
                          &w->insn) != 0;
    if (!w->have_insn && w->insn.op == OP_TOO_LONG)
        w->v->skip = refuse_too_long(w);
    else if (!w->have_insn && (w->insn.op == OP_UD || w->insn.opcode == 0x0f24 || w->insn.opcode == 0x0f26))
        w->v->skip = "#UD at the end of the code";
    return w->have_insn;
}

static bool is_exit_jump(const struct watch *w)
{
    if (w->insn.op == OP_JMPF)
        return w->insn.imm == AT_EXIT;
    return w->insn.op == OP_JMP && (uint32_t)(w->c->st.eip + w->insn.len + w->insn.imm) == AT_EXIT;
}

static bool uses_x87(const struct insn *i)
{
    return i->op == OP_ESC || i->op == OP_WAIT || i->op == OP_MMX || i->op == OP_SSE || i->op == OP_FXSAVE ||
           i->op == OP_FXRSTOR;
}

/* Of what ModRM, a string instruction or an offset names; a bit test's register reaches beyond that. */
static uint32_t accessed_address(const struct watch *w)
{
    const struct insn *i = &w->insn;
    const struct cpu_state *st = &w->c->st;
    uint32_t mask = i->asize == 2 ? 0xffff : 0xffffffffu, bit = (uint32_t)st->gpr[i->src & 7];
    switch (i->op) {
    case OP_MOVS: case OP_CMPS: case OP_STOS: case OP_SCAS:
        return (uint32_t)st->seg[SEG_ES].base + ((uint32_t)st->gpr[REG_EDI] & mask);
    case OP_LODS: return (uint32_t)st->seg[i->seg].base + ((uint32_t)st->gpr[REG_ESI] & mask);
    case OP_BT: case OP_BTS: case OP_BTR: case OP_BTC:
        if (i->form == FORM_MR)
            return operand_address(w) + (uint32_t)((i->size == 2 ? (int16_t)bit : (int32_t)bit) >> (i->size == 2 ? 4 : 5)) *
                                            i->size;
        return operand_address(w);
    default: return operand_address(w);
    }
}

static void note_step(struct watch *w)
{
    w->address = accessed_address(w);
    if (w->nsteps < WATCH_STEPS)
        w->step[w->nsteps++] = (struct watch_step){w->insn, w->address, VECTOR_NONE};
}

void watch_before(struct watch *w)
{
    struct cpu *c = w->c;
    uint32_t eip = (uint32_t)c->st.eip;
    w->have_insn = false;
    w->esp = (uint32_t)c->st.gpr[REG_ESP];
    if ((uint32_t)c->st.seg[SEG_CS].base + eip - AT_HELPER < HELPER_SIZE && eip != AT_EXIT) {
        w->v->skip = "jumps into the helper";
        return;
    }
    if (!fetch(w))
        return;
    w->v->insns++;
    note_step(w);
    const struct optable_entry *e =
        optable_lookup(w->insn.opcode, w->insn.modrm, optable_prefix(&w->insn), c->model.level, c->model.features);
    w->v->skip = refuse_system(w);
    if (!w->v->skip)
        w->v->skip = refuse_prefixes(w, e);
    if (!w->v->skip && (flags_read(&w->insn) & w->v->flags_ignored))
        w->v->skip = "undefined flags are read";
    if (!w->v->skip && w->unknown_stored && !is_exit_jump(w))
        w->v->skip = "x87 environment or pushed selector before the end";
    if (!w->v->skip && w->insn.op == OP_ESC)
        w->v->skip = watch_esc(w);
    if (!w->v->skip && w->v->mmx_ignored && uses_x87(&w->insn))
        w->v->skip = "x87 after CVTPI2PS from memory: whether it has been entered";
    if (!w->v->skip && w->v->xmm_near && w->insn.op == OP_FXSAVE)
        w->v->skip = "SSE after an approximate result";
    if (!w->v->skip && w->v->x87_near && (w->insn.op == OP_WAIT || w->insn.op == OP_MMX || w->insn.op == OP_SSE))
        w->v->skip = "x87 after an approximate result";
    if (!w->v->skip && w->insn.op == OP_FXSAVE)
        watch_fxsave(w);
    if (!w->v->skip && (w->insn.op == OP_PUSHSEG || w->insn.op == OP_POPSEG))
        w->v->skip = watch_selector(w);
    if (!w->v->skip)
        flags_of(w, e);
}

/* Several words, any of which may be the first to be found missing. */
static bool has_many_words(const struct insn *i)
{
    unsigned reg = i->modrm >> 3 & 7;
    switch (i->op) {
    case OP_PUSHA: case OP_POPA: case OP_ENTER: case OP_IRET: case OP_RETF: case OP_CALLF: case OP_CALLFI: case OP_JMPFI:
    case OP_LOADFAR: case OP_BOUND: case OP_FXSAVE: case OP_FXRSTOR:
        return true;
    case OP_ESC: return i->modrm < 0xc0 && (i->opcode == 0xd9 || i->opcode == 0xdd) && (reg == 4 || reg == 6);
    default: return false;
    }
}

/* Writes several words, of which some may be written before the one that faults. */
static bool writes_much(const struct insn *i)
{
    switch (i->op) {
    case OP_PUSHA: case OP_ENTER: case OP_CALL: case OP_CALLI: case OP_CALLF: case OP_CALLFI: case OP_FXSAVE: return true;
    case OP_ESC: return i->modrm < 0xc0;
    default: return false;
    }
}

static const char *odd_segments(const struct cpu *c)
{
    if ((c->st.seg[SEG_CS].selector & 0xfffc) == 0x30)
        return "64-bit code";
    for (unsigned s = 0; s < 6; s++)
        if (is_foreign_selector(c->st.seg[s].selector))
            return "the host's selectors";
    return NULL;
}

static bool has_null_selector(const struct cpu *c)
{
    for (unsigned s = 0; s < 6; s++)
        if (c->st.seg[s].selector - 1u < 3)
            return true;
    return false;
}

/* Processors go on with what they have fetched, or do not. */
static bool rep_overwrote_itself(const struct watch *w)
{
    uint8_t now[sizeof(w->bytes)];
    unsigned len = w->c->st.eip == w->eip ? w->nbytes : w->insn.len;
    return w->insn.rep && cpu_peek(w->c, w->at, now, len) && memcmp(now, w->bytes, len) != 0;
}

/* RCPPS, RSQRTPS and their scalar forms: every maker has tables of its own. */
static uint32_t approximate_lanes(const struct insn *i)
{
    if (i->op != OP_SSE || (i->opcode != 0x0f52 && i->opcode != 0x0f53))
        return 0;
    return (i->rep ? 1u : 15u) << 4 * (i->dst & 7);
}

static void after_sse(struct watch *w, unsigned vector)
{
    const struct insn *i = &w->insn;
    if (vector == VECTOR_NONE)
        w->v->xmm_near |= approximate_lanes(i);
    if ((vector == VEC_XM && may_enter_mmx(i)) || (vector == VECTOR_NONE && is_cvtpi2ps_of_memory(i)))
        w->v->mmx_ignored = true;
}

/* MOVD, MOVQ, MOVNTQ from an MMX register. */
static bool stores_mmx(const struct insn *i)
{
    return !(i->flags & INSN_OSIZE) && !i->rep && (i->opcode == 0x0f7e || i->opcode == 0x0f7f || i->opcode == 0x0fe7);
}

/* FST, FIST, FBSTP to memory; not the state. */
static bool stores_a_number(const struct insn *i)
{
    unsigned reg = i->modrm >> 3 & 7;
    if (i->op != OP_ESC || i->modrm >= 0xc0 || !(i->opcode & 1))
        return false;
    return reg == 2 || reg == 3 || (reg == 7 && (i->opcode == 0xdb || i->opcode == 0xdf)) || (reg == 6 && i->opcode == 0xdf);
}

/* An operand across the end of the 4 GiB: beyond a limit of 4 GiB or not (SDM 3A 5.3). */
static bool is_at_the_end(const struct watch *w)
{
    enum { NEAR = 512 };
    const uint64_t *gpr = w->c->st.gpr;
    return w->address + NEAR < NEAR || (uint32_t)gpr[REG_ESI] + NEAR < NEAR || w->esp + NEAR < 2 * NEAR ||
           ((w->insn.op == OP_ENTER || w->insn.op == OP_LEAVE) && (uint32_t)gpr[REG_EBP] + NEAR < 2 * NEAR);
}

/* Faults that processors find in another order, or not at all. */
static const char *disputed_fault(const struct watch *w, unsigned vector)
{
    const struct insn *i = &w->insn;
    if (vector < VEC_SS || vector > VEC_AC)
        return NULL;
    if (stores_a_number(i) && (~w->c->st.x87.control & FP_EXCEPTIONS))
        return "x87 store that faults: whether an x87 exception comes first";
    if (i->op == OP_CMPS && i->rep && i->size == 1)
        return "REP CMPSB that faults: which operand first";
    if (i->op == OP_BOUND)
        return "BOUND: whether the upper bound is read";
    return is_at_the_end(w) ? "operand across the end of the 4 GiB" : NULL;
}

/* Hosts that watch for these ("split locks") enter the kernel after them. */
static bool locks_across_lines(const struct watch *w)
{
    enum { LINE = 64 };
    const struct insn *i = &w->insn;
    bool locks = (i->flags & INSN_LOCK) || i->op == OP_XCHG;
    return locks && i->modrm < 0xc0 && (w->address & (LINE - 1)) + (i->op == OP_CMPXCHG8B ? 8 : i->size) > LINE;
}

void watch_after(struct watch *w)
{
    struct cpu *c = w->c;
    bool faulted = c->st.cpl == 0;
    unsigned vector = faulted ? (unsigned)(c->st.eip - GUEST_SYSTEM - GUEST_HANDLERS) / 16 : VECTOR_NONE;
    if (!w->have_insn)
        return;
    if (w->v->insns <= WATCH_STEPS)
        w->step[w->nsteps - 1].vector = (uint8_t)vector;
    if (vector == VEC_DB) /* instead of the instruction; Intel sets RF between the rounds of a REP, AMD does not */
        w->v->flags_ignored |= FLAG_RF;
    w->v->null_selector |= has_null_selector(c);
    if (!faulted || vector == VEC_BP || vector == VEC_OF)
        w->v->flags_ignored = (w->v->flags_ignored & ~w->flags_written) | w->flags_undefined;
    if (w->insn.op == OP_SSE)
        after_sse(w, vector);
    if (faulted) {
        w->v->eip_ignored = w->insn.op == OP_INT1;
        w->v->registers_ignored = w->insn.op == OP_POPA;
        w->v->memory_ignored = writes_much(&w->insn);
        w->v->address_ignored = has_many_words(&w->insn);
        w->v->mmx_ignored |= stores_mmx(&w->insn);
        if (w->insn.rep && (w->insn.op == OP_CMPS || w->insn.op == OP_SCAS))
            w->v->flags_ignored |= FLAGS_ARITH;
        w->v->skip = rep_overwrote_itself(w) ? "REP overwrites itself" : disputed_fault(w, vector);
        return;
    }
    w->v->skip = rep_overwrote_itself(w) ? "REP overwrites itself" : odd_segments(c);
    if (!w->v->skip && w->v->null_selector && locks_across_lines(w))
        w->v->skip = "LOCK across lines with a null selector: whether the kernel is entered";
    if (w->insn.op == OP_ESC)
        after_esc(w);
}

static bool is_hidden(uint32_t addr)
{
    return addr - AT_HELPER < HELPER_SIZE || addr - AT_SHARED < sizeof(struct silicon_shared) ||
           addr - GUEST_SYSTEM < GUEST_SYSTEM_SIZE;
}

void watch_end(struct watch *w, const struct silicon_result *out)
{
    if (out->vector == VECTOR_NONE && out->eflags & FLAG_TF)
        w->v->skip = "single step into the exit";
    if (out->vector == VEC_PF && is_hidden(out->cr2))
        w->v->skip = "touches what is mapped for the harness";
    if (out->gpr[REG_ESP] - AT_HELPER < HELPER_SIZE) /* to the kernel the signal stack is in use then */
        w->v->skip = "ESP in the helper";
    if (out->vector >= VEC_TS && out->vector <= VEC_GP && !(out->error & 2) && is_foreign_selector(out->error))
        w->v->skip = "the host's selectors";
}
