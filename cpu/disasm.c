/*
 * Disassembler: instruction bytes to NASM-like Intel syntax, a pure function over decode() and
 * optable.def (SDM 2A-2D for the forms; the x87 escapes D8-DF have tables of their own here, SDM 2D
 * appendix A.5). Names are those of the SDM; sizes are written only where no register tells them;
 * a prefix that changes what no operand shows is written out (`o32 ret`, `a16 movsb`).
 *
 * NOT MODELLED: the 8086's undocumented opcodes (60-6F and others); a LOCK that raises #UD makes the
 * instruction "(bad)"; prefixes without effect are left out of the text.
 *
 * debug/inspect.c and the monitor's traces use it.
 */
#include "cpu/disasm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cpu/optable.h"
#include "machine/compiler.h"

struct line {
    char *text;
    size_t len, used;
    const struct insn *i;
    const struct optable_entry *e;
    unsigned osize; /* operand size attribute in bytes */
    uint32_t next;  /* EIP of the following instruction */
};

static void put(struct line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(struct line *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(l->text + l->used, l->len - l->used, fmt, ap);
    va_end(ap);
    if (n > 0)
        l->used += (size_t)n < l->len - l->used ? (size_t)n : l->len - l->used - 1;
}

/* Digits alone up to 9, hex above: 8, 0x10. */
static void put_number(struct line *l, uint32_t v)
{
    put(l, v < 10 ? "%u" : "0x%x", v);
}

static void put_signed(struct line *l, uint32_t v, bool plus)
{
    bool negative = v >> 31;
    if (negative || plus)
        put(l, negative ? "-" : "+");
    put_number(l, negative ? 0 - v : v);
}

/* --- registers --- */

static const char seg_name[8][3] = {"es", "cs", "ss", "ds", "fs", "gs", "?6", "?7"};

static const char *reg_name(unsigned reg, unsigned size)
{
    static const char byte[8][3] = {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"};
    static const char wide[8][4] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    return size == 1 ? byte[reg & 7] : wide[reg & 7] + (size == 2);
}

/* --- memory operands --- */

static bool shows_segment(const struct line *l)
{
    return l->i->flags & INSN_SEG;
}

/* [dword 0x1234], [word 0x1234]: the address size is not the mode's and no register shows it. */
static void put_bare_address(struct line *l)
{
    const struct insn *i = l->i;
    if (i->flags & INSN_ASIZE)
        put(l, "%s ", i->asize == 4 ? "dword" : "word");
    if (shows_segment(l))
        put(l, "%s:", seg_name[i->seg]);
    put_number(l, i->asize == 4 ? i->disp : i->disp & 0xffff);
}

static void put_address(struct line *l)
{
    const struct insn *i = l->i;
    bool base = i->base != REG_NONE, index = i->index != REG_NONE;
    put(l, "[");
    if (!base && !index) {
        put_bare_address(l);
    } else {
        if (shows_segment(l))
            put(l, "%s:", seg_name[i->seg]);
        if (base)
            put(l, "%s", reg_name(i->base, i->asize));
        if (index)
            put(l, "%s%s", base ? "+" : "", reg_name(i->index, i->asize));
        if (index && (i->scale || !base))
            put(l, "*%u", 1u << i->scale);
        if (i->disp)
            put_signed(l, i->disp, true);
    }
    put(l, "]");
}

/* Bytes of a register or memory operand; 0 where the type does not say. */
static unsigned size_of(const struct line *l, unsigned type, bool memory)
{
    switch (type) {
    case OPT_b: return 1;
    case OPT_w: return l->i->op == OP_SSE && !memory ? 4 : 2; /* PINSRW takes a 32-bit register */
    case OPT_d: case OPT_ss: return 4;
    case OPT_q: case OPT_sd: return 8;
    case OPT_v: return l->osize;
    case OPT_vw: return memory ? 2 : l->osize;
    default: return 0;
    }
}

/* Does another operand tell how wide a memory operand of `size` bytes is? */
static bool size_is_shown(const struct line *l, unsigned size)
{
    bool shown = false;
    for (unsigned k = 0; k < 3; k++) {
        unsigned spec = l->e->spec[k], type = spec_type(spec);
        switch (spec_kind(spec)) {
        case OPK_P: case OPK_V: return true;
        case OPK_REG8: shown |= size == 1; break;
        case OPK_REGV: shown |= size == l->osize; break;
        case OPK_G: case OPK_S: case OPK_Z: shown |= size == size_of(l, type, false); break;
        default: break;
        }
    }
    return shown;
}

static void put_memory(struct line *l, unsigned spec)
{
    static const char *const word[9] = {[1] = "byte ", [2] = "word ", [4] = "dword ", [8] = "qword "};
    unsigned size = size_of(l, spec_type(spec), true);
    if (spec_kind(spec) == OPK_E && size && !size_is_shown(l, size))
        put(l, "%s", word[size]);
    else if (spec_type(spec) == OPT_p && l->i->op != OP_LOADFAR && (l->i->flags & INSN_OSIZE))
        put(l, "%s", word[l->osize]);
    put_address(l);
}

/* --- operands --- */

static void put_register(struct line *l, unsigned kind, unsigned type)
{
    unsigned reg = l->i->modrm >> 3 & 7, rm = l->i->modrm & 7;
    switch (kind) {
    case OPK_Z: put(l, "%s", reg_name(l->i->opcode & 7, size_of(l, type, false))); break;
    case OPK_E: case OPK_R: put(l, "%s", reg_name(rm, size_of(l, type, false))); break;
    case OPK_G: put(l, "%s", reg_name(reg, size_of(l, type, false))); break;
    case OPK_S: put(l, "%s", seg_name[reg]); break;
    case OPK_C: put(l, "cr%u", reg); break;
    case OPK_D: put(l, "dr%u", reg); break;
    case OPK_T: put(l, "tr%u", reg); break;
    case OPK_P: put(l, "mm%u", reg); break;
    case OPK_Q: case OPK_N: put(l, "mm%u", rm); break;
    case OPK_V: put(l, "xmm%u", reg); break;
    default: put(l, "xmm%u", rm); break;
    }
}

static void put_immediate(struct line *l, unsigned k)
{
    const struct insn *i = l->i;
    bool second = k > 0 && spec_kind(l->e->spec[0]) == OPK_I;
    uint32_t v = second ? i->imm2 : i->imm;
    if (i->op == OP_PUSH && (i->flags & INSN_OSIZE))
        put(l, "%s ", l->osize == 4 ? "dword" : "word");
    if (spec_type(l->e->spec[k]) == OPT_bs)
        put_signed(l, v, false);
    else
        put_number(l, v);
}

static void put_far_pointer(struct line *l)
{
    if (l->i->flags & INSN_OSIZE)
        put(l, "%s ", l->osize == 4 ? "dword" : "word");
    put_number(l, l->i->imm2);
    put(l, ":");
    put_number(l, l->i->imm);
}

static void put_target(struct line *l)
{
    uint32_t target = l->next + l->i->imm;
    put(l, "0x%x", l->osize == 2 ? target & 0xffff : target);
}

static void put_operand(struct line *l, unsigned k)
{
    unsigned spec = l->e->spec[k], kind = spec_kind(spec), type = spec_type(spec);
    switch (kind) {
    case OPK_REG8: put(l, "%s", reg_name(type, 1)); break;
    case OPK_REGV: put(l, "%s", reg_name(type, l->osize)); break;
    case OPK_SREG: put(l, "%s", seg_name[type & 7]); break;
    case OPK_DX: put(l, "dx"); break;
    case OPK_ONE: put(l, "1"); break;
    case OPK_CL: put(l, "cl"); break;
    case OPK_A: put_far_pointer(l); break;
    case OPK_I: put_immediate(l, k); break;
    case OPK_J: put_target(l); break;
    case OPK_O: put_address(l); break;
    case OPK_E: case OPK_M: case OPK_Q: case OPK_W:
        if (l->i->modrm < 0xc0)
            put_memory(l, spec);
        else
            put_register(l, kind, type);
        break;
    default: put_register(l, kind, type);
    }
}

static void put_operands(struct line *l)
{
    for (unsigned k = 0; k < 3 && l->e->spec[k] != SPEC__; k++) {
        put(l, k ? ", " : " ");
        put_operand(l, k);
    }
}

/* --- mnemonics --- */

/* Names that depend on the operand size attribute. */
static const struct {
    uint16_t op;
    char name16[7], name32[7];
} sized_names[] = {
    {OP_CBW, "cbw", "cwde"}, {OP_CWD, "cwd", "cdq"}, {OP_PUSHA, "pusha", "pushad"},
    {OP_POPA, "popa", "popad"}, {OP_PUSHF, "pushf", "pushfd"}, {OP_POPF, "popf", "popfd"},
    {OP_IRET, "iret", "iretd"},
};

static const char cond_name[16][3] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                      "s", "ns", "p", "np", "l", "ge", "le", "g"};

static bool is_string_op(unsigned op)
{
    return op == OP_MOVS || op == OP_CMPS || op == OP_STOS || op == OP_LODS || op == OP_SCAS ||
           op == OP_INS || op == OP_OUTS;
}

static const char *string_suffix(const struct line *l)
{
    if (!(l->i->opcode & 1))
        return "b";
    return l->osize == 4 ? "d" : "w";
}

/* CMPPS and its kin with a predicate that has a name (SDM 2A, CMPPD, table 3-1). */
static bool put_compare(struct line *l)
{
    static const char predicate[8][6] = {"eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"};
    if (l->i->opcode != 0x0fc2 || l->i->imm >= 8)
        return false;
    put(l, "cmp%s%s ", predicate[l->i->imm], l->e->mnemonic + 3);
    put_operand(l, 0);
    put(l, ", ");
    put_operand(l, 1);
    return true;
}

static void put_mnemonic(struct line *l)
{
    const char *name = l->e->mnemonic;
    size_t n = strlen(name);
    for (size_t k = 0; k < ARRAY_LEN(sized_names); k++) {
        if (sized_names[k].op == l->i->op)
            name = l->osize == 4 ? sized_names[k].name32 : sized_names[k].name16;
    }
    if (n && name[n - 1] == '*')
        put(l, "%.*s%s", (int)n - 1, name, cond_name[l->i->cc & 15]);
    else if (is_string_op(l->i->op))
        put(l, "%s%s", name, string_suffix(l));
    else if (l->i->op == OP_JCXZ)
        put(l, "%s", l->i->asize == 4 ? "jecxz" : "jcxz");
    else if (l->i->op == OP_XLAT)
        put(l, "xlatb");
    else if (l->i->op == OP_JMPF || l->i->op == OP_CALLF)
        put(l, "%.*s", (int)strcspn(name, " "), name);
    else
        put(l, "%s", name);
}

/* Does the operand size matter although no operand and no name shows it? */
static bool osize_is_hidden(unsigned op)
{
    switch (op) {
    case OP_RET: case OP_RETF: case OP_LEAVE: case OP_ENTER: case OP_PUSHSEG: case OP_POPSEG:
    case OP_SGDT: case OP_SIDT: case OP_LGDT: case OP_LIDT: case OP_JCC: case OP_JMP: case OP_CALL:
    case OP_LOOP: case OP_LOOPZ: case OP_LOOPNZ: case OP_JCXZ:
        return true;
    default: return false;
    }
}

static void put_prefixes(struct line *l)
{
    const struct insn *i = l->i;
    bool scan = i->op == OP_CMPS || i->op == OP_SCAS;
    bool implied = is_string_op(i->op) || i->op == OP_XLAT; /* operands are not written */
    if (i->flags & INSN_LOCK)
        put(l, "lock ");
    if (implied && (i->flags & INSN_ASIZE))
        put(l, i->asize == 4 ? "a32 " : "a16 ");
    if ((i->flags & INSN_OSIZE) && osize_is_hidden(i->op))
        put(l, l->osize == 4 ? "o32 " : "o16 ");
    if (is_string_op(i->op) && i->rep)
        put(l, i->rep == REP_NZ ? "repne " : scan ? "repe " : "rep ");
    if (implied && shows_segment(l) && i->op != OP_STOS && i->op != OP_SCAS && i->op != OP_INS)
        put(l, "%s ", seg_name[i->seg]);
}

/* --- x87 --- */

struct x87_form {
    char name[8];
    uint8_t size; /* of the memory operand; 0: not shown */
};

/* The eight operations of D8, DA, DC and DE, in reg field order. */
#define X87_ARITH(p, what) \
    {p "add", what}, {p "mul", what}, {p "com", what}, {p "comp", what}, \
    {p "sub", what}, {p "subr", what}, {p "div", what}, {p "divr", what}

static const struct x87_form x87_memory[8][8] = {
    {X87_ARITH("f", 4)},
    {{"fld", 4}, {"", 0}, {"fst", 4}, {"fstp", 4},
     {"fldenv", 0}, {"fldcw", 2}, {"fnstenv", 0}, {"fnstcw", 2}},
    {X87_ARITH("fi", 4)},
    {{"fild", 4}, {"", 0}, {"fist", 4}, {"fistp", 4}, {"", 0}, {"fld", 10}, {"", 0}, {"fstp", 10}},
    {X87_ARITH("f", 8)},
    {{"fld", 8}, {"", 0}, {"fst", 8}, {"fstp", 8},
     {"frstor", 0}, {"", 0}, {"fnsave", 0}, {"fnstsw", 2}},
    {X87_ARITH("fi", 2)},
    {{"fild", 2}, {"", 0}, {"fist", 2}, {"fistp", 2},
     {"fbld", 10}, {"fild", 8}, {"fbstp", 10}, {"fistp", 8}},
};

/* Register forms by opcode and reg field: "0" st0, sti; "i" sti, st0; "1" sti alone; "" none or below.
 * Among them the undocumented aliases that every x87 has (DC D0, DC D8, DD C8, DE D0, DF C0-DF). */
static const struct {
    char name[9], operands;
} x87_register[8][8] = {
    {X87_ARITH("f", '0')},
    {{"fld", '1'}, {"fxch", '1'}, {"", 0}, {"fstp", '1'}, {"", 0}, {"", 0}, {"", 0}, {"", 0}},
    {{"fcmovb", '0'}, {"fcmove", '0'}, {"fcmovbe", '0'}, {"fcmovu", '0'},
     {"", 0}, {"", 0}, {"", 0}, {"", 0}},
    {{"fcmovnb", '0'}, {"fcmovne", '0'}, {"fcmovnbe", '0'}, {"fcmovnu", '0'},
     {"", 0}, {"fucomi", '0'}, {"fcomi", '0'}, {"", 0}},
    {{"fadd", 'i'}, {"fmul", 'i'}, {"fcom", '1'}, {"fcomp", '1'},
     {"fsubr", 'i'}, {"fsub", 'i'}, {"fdivr", 'i'}, {"fdiv", 'i'}},
    {{"ffree", '1'}, {"fxch", '1'}, {"fst", '1'}, {"fstp", '1'},
     {"fucom", '1'}, {"fucomp", '1'}, {"", 0}, {"", 0}},
    {{"faddp", 'i'}, {"fmulp", 'i'}, {"fcomp", '1'}, {"", 0},
     {"fsubrp", 'i'}, {"fsubp", 'i'}, {"fdivrp", 'i'}, {"fdivp", 'i'}},
    {{"ffreep", '1'}, {"fxch", '1'}, {"fstp", '1'}, {"fstp", '1'},
     {"", 0}, {"fucomip", '0'}, {"fcomip", '0'}, {"", 0}},
};

/* Register forms that take the whole ModRM byte. */
static const struct {
    uint8_t opcode, modrm;
    char name[10];
} x87_single[] = {
    {0xd9, 0xd0, "fnop"}, {0xd9, 0xe0, "fchs"}, {0xd9, 0xe1, "fabs"}, {0xd9, 0xe4, "ftst"},
    {0xd9, 0xe5, "fxam"}, {0xd9, 0xe8, "fld1"}, {0xd9, 0xe9, "fldl2t"}, {0xd9, 0xea, "fldl2e"},
    {0xd9, 0xeb, "fldpi"}, {0xd9, 0xec, "fldlg2"}, {0xd9, 0xed, "fldln2"}, {0xd9, 0xee, "fldz"},
    {0xd9, 0xf0, "f2xm1"}, {0xd9, 0xf1, "fyl2x"}, {0xd9, 0xf2, "fptan"}, {0xd9, 0xf3, "fpatan"},
    {0xd9, 0xf4, "fxtract"}, {0xd9, 0xf5, "fprem1"}, {0xd9, 0xf6, "fdecstp"}, {0xd9, 0xf7, "fincstp"},
    {0xd9, 0xf8, "fprem"}, {0xd9, 0xf9, "fyl2xp1"}, {0xd9, 0xfa, "fsqrt"}, {0xd9, 0xfb, "fsincos"},
    {0xd9, 0xfc, "frndint"}, {0xd9, 0xfd, "fscale"}, {0xd9, 0xfe, "fsin"}, {0xd9, 0xff, "fcos"},
    {0xda, 0xe9, "fucompp"}, {0xdb, 0xe0, "fneni"}, {0xdb, 0xe1, "fndisi"}, {0xdb, 0xe2, "fnclex"},
    {0xdb, 0xe3, "fninit"}, {0xdb, 0xe4, "fnsetpm"}, {0xde, 0xd9, "fcompp"}, {0xdf, 0xe0, "fnstsw ax"},
};

static bool put_x87_single(struct line *l)
{
    for (size_t k = 0; k < ARRAY_LEN(x87_single); k++) {
        if (x87_single[k].opcode == l->i->opcode && x87_single[k].modrm == l->i->modrm) {
            put(l, "%s", x87_single[k].name);
            return true;
        }
    }
    return false;
}

static bool put_x87_register(struct line *l)
{
    unsigned row = l->i->opcode & 7, reg = l->i->modrm >> 3 & 7, rm = l->i->modrm & 7;
    const char *name = x87_register[row][reg].name;
    if (!*name)
        return put_x87_single(l);
    switch (x87_register[row][reg].operands) {
    case 'i': put(l, "%s st%u, st0", name, rm); break;
    case '1': put(l, "%s st%u", name, rm); break;
    default: put(l, "%s st0, st%u", name, rm); break;
    }
    return true;
}

static bool put_x87(struct line *l)
{
    static const char *const word[11] = {[0] = "", [2] = "word ", [4] = "dword ", [8] = "qword ", [10] = "tword "};
    if (l->i->modrm >= 0xc0)
        return put_x87_register(l);
    const struct x87_form *f = &x87_memory[l->i->opcode & 7][l->i->modrm >> 3 & 7];
    if (!*f->name)
        return false;
    bool environment = f->size == 0;
    if (environment && (l->i->flags & INSN_OSIZE))
        put(l, l->osize == 4 ? "o32 " : "o16 ");
    put(l, "%s %s", f->name, word[f->size]);
    put_address(l);
    return true;
}

/* --- whole instructions --- */

static bool put_insn(struct line *l)
{
    const struct insn *i = l->i;
    if (i->op == OP_ESC)
        return put_x87(l);
    put_prefixes(l);
    if (put_compare(l))
        return true;
    put_mnemonic(l);
    if (is_string_op(i->op) || ((i->op == OP_AAM || i->op == OP_AAD) && i->imm == 10))
        return true;
    put_operands(l);
    bool loops = i->op == OP_LOOP || i->op == OP_LOOPZ || i->op == OP_LOOPNZ;
    if (loops && (i->flags & INSN_ASIZE))
        put(l, i->asize == 4 ? ", ecx" : ", cx");
    return true;
}

/* Decodes for the newest model, or for the last one that had the instruction (MOV to and from test
 * registers; the 286's LOADALL). NULL: undefined. */
static const struct optable_entry *find(const uint8_t *bytes, unsigned avail, bool code32, struct insn *i)
{
    static const uint8_t levels[] = {CPU_P6, CPU_486, CPU_286};
    const uint64_t features = ~(uint64_t)0;
    for (size_t k = 0; k < sizeof(levels); k++) {
        if (!decode(bytes, avail, code32 ? DECODE_CODE32 : 0, levels[k], features, i) || i->op == OP_TOO_LONG)
            return NULL;
        const struct optable_entry *e = optable_lookup(i->opcode, i->modrm, optable_prefix(i), levels[k], features);
        bool lock_legal = !(i->flags & INSN_LOCK) || (e && (e->notes & N_LOCK));
        bool last = levels[k] == CPU_P6 || (e && (e->levels & 15) == levels[k]);
        if (e && e->op == i->op && lock_legal && last)
            return e;
    }
    return NULL;
}

unsigned disasm(const uint8_t *bytes, unsigned avail, bool code32, uint32_t eip, char *text, size_t len)
{
    struct insn i;
    const struct optable_entry *e = find(bytes, avail, code32, &i);
    if (!len)
        return e ? i.len : 1;
    text[0] = 0;
    if (e) {
        bool wide = code32 != ((i.flags & INSN_OSIZE) != 0);
        struct line l = {text, len, 0, &i, e, wide ? 4 : 2, eip + i.len};
        if (put_insn(&l))
            return i.len;
    }
    snprintf(text, len, "(bad)");
    return 1;
}
