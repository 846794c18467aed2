/*
 * The text of a step in sequences.def, by its number. `sequences check` holds what is written here against what
 * the macros of steps.h make of the text.
 */
#include <string.h>

#include "cpu/decode.h"
#include "cpu/state.h"
#include "tools/sequences/sequences.h"

static const char *const op_name[OP_COUNT] = {
#define INSN_OP(name, handler) #name,
#include "cpu/ops.def"
#undef INSN_OP
};

/* STEP_KEY of steps.h, taken apart. */
struct parts {
    unsigned op, form, size, reg, base, index, cc, flag;
};

static struct parts take_apart(uint32_t s)
{
    return (struct parts){.op = s & 0xff, .form = s >> 8 & 15, .size = 1u << (s >> 12 & 3), .reg = s >> 14 & 15,
                          .base = s >> 18 & 15, .index = s >> 22 & 15, .cc = s >> 26 & 15, .flag = s >> 30};
}

static const char *register_name(unsigned size, unsigned n)
{
    static const char *const name[3][9] = {
        {"AL", "CL", "DL", "BL", "AH", "CH", "DH", "BH", "NONE"},
        {"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "NONE"},
        {"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI", "NONE"},
    };
    return name[size / 2][n < REG_NONE ? n : REG_NONE];
}

#define NAMED(...) (snprintf(to, len, __VA_ARGS__), true)
#define REG(size, n) register_name(size, n)

/* Transfers, and what has no operands. */
static bool name_fixed(const struct parts *p, char *to, size_t len)
{
    const char *far = p->flag ? "_FAR" : "";
    switch (p->op) {
    case OP_NOP: return NAMED("NOP");
    case OP_JCC: return NAMED("JCC(%u)", p->cc);
    case OP_JMP: case OP_CALL: return NAMED("%s%s", op_name[p->op], far);
    case OP_RET: return NAMED("RET");
    case OP_LEAVE: return p->size == 4 && NAMED("LEAVE");
    case OP_CWD: return p->size == 4 && NAMED("CDQ");
    case OP_CBW: return p->size == 4 && NAMED("CWDE");
    default: return false;
    }
}

static bool name_stack(const struct parts *p, char *to, size_t len)
{
    bool push = p->op == OP_PUSH;
    if (p->size != 4)
        return false;
    switch (p->form) {
    case FORM_R: return NAMED("%s_R(%s)", op_name[p->op], REG(4, p->reg));
    case FORM_I: return push && NAMED("PUSH_I");
    case FORM_M: return push && p->index == REG_NONE && NAMED("PUSH_M(%s)", REG(4, p->base));
    default: return false;
    }
}

static bool name_conditional(const struct parts *p, char *to, size_t len)
{
    if (p->op == OP_SETCC)
        return p->form == FORM_R && NAMED("SETCC(%u, %s)", p->cc, REG(1, p->reg));
    if (p->size != 4)
        return false;
    if (p->form == FORM_RR)
        return NAMED("CMOV_RR(%u, %s, %s)", p->cc, REG(4, p->reg), REG(4, p->base));
    return p->form == FORM_RM && p->index == REG_NONE && NAMED("CMOV_RM(%u, %s, %s)", p->cc, REG(4, p->reg), REG(4, p->base));
}

/* Two operands, the first being a register or not; `source` is the size of a register that is only read. */
static bool name_two(const struct parts *p, unsigned source, char *to, size_t len)
{
    const char *op = op_name[p->op], *reg = REG(p->size, p->reg), *base = REG(4, p->base), *index = REG(4, p->index);
    bool indexed = p->index != REG_NONE;
    switch (p->form) {
    case FORM_RR: return NAMED("RR(%s, %u, %s, %s)", op, p->size, reg, REG(source, p->base));
    case FORM_RI: return NAMED("RI(%s, %u, %s)", op, p->size, reg);
    case FORM_RM:
        return indexed ? NAMED("RX(%s, %u, %s, %s, %s, %u)", op, p->size, reg, base, index, p->cc)
                       : NAMED("RM(%s, %u, %s, %s)", op, p->size, reg, base);
    case FORM_MR:
        return indexed ? NAMED("XR(%s, %u, %s, %s, %u, %s)", op, p->size, base, index, p->cc, reg)
                       : NAMED("MR(%s, %u, %s, %s)", op, p->size, base, reg);
    case FORM_MI:
        return indexed ? NAMED("XI(%s, %u, %s, %s, %u)", op, p->size, base, index, p->cc)
                       : NAMED("MI(%s, %u, %s)", op, p->size, base);
    default: return false;
    }
}

static bool name_shift(const struct parts *p, char *to, size_t len)
{
    bool rotation = p->op == OP_ROL || p->op == OP_ROR;
    if (p->form != FORM_RI || (rotation && (p->size < 4 || p->flag)) || (p->flag && p->size < 4))
        return false;
    const char *op = op_name[p->op], *reg = REG(p->size, p->reg);
    return p->flag ? NAMED("CL(%s, %u, %s)", op, p->size, reg)
                   : NAMED("RN(%s, %u, %s, %u)", op, p->size, reg, p->base | p->index << 4);
}

static bool name_one(const struct parts *p, char *to, size_t len)
{
    bool counts = p->op == OP_INC || p->op == OP_DEC;
    if (p->size != 4)
        return false;
    if (p->form == FORM_R)
        return NAMED("R(%s, 4, %s)", op_name[p->op], REG(4, p->reg));
    return counts && p->form == FORM_M && p->index == REG_NONE && NAMED("M(%s, 4, %s)", op_name[p->op], REG(4, p->base));
}

static bool name_three(const struct parts *p, char *to, size_t len)
{
    const char *op = op_name[p->op], *reg = REG(4, p->reg), *source = REG(4, p->base);
    if (p->form != FORM_RRI || p->size != 4 || p->flag)
        return false;
    return p->op == OP_IMUL3 ? NAMED("RRI(%s, 4, %s, %s)", op, reg, source)
                             : NAMED("RRN(%s, 4, %s, %s, %u)", op, reg, source, p->index | p->cc << 4);
}

bool step_name(uint32_t step, char *to, size_t len)
{
    struct parts p = take_apart(step);
    bool wide = p.size == 4, to_register = p.form == FORM_RR || p.form == FORM_RM;
    switch (p.op) {
    case OP_ADD: case OP_OR: case OP_ADC: case OP_SBB: case OP_AND: case OP_SUB: case OP_XOR: case OP_CMP: case OP_TEST:
    case OP_MOV: return name_two(&p, p.size, to, len);
    case OP_IMUL2: return wide && to_register && name_two(&p, 4, to, len);
    case OP_LEA: return wide && p.form == FORM_RM && name_two(&p, 4, to, len);
    case OP_MOVZX8: case OP_MOVSX8: return wide && to_register && name_two(&p, 1, to, len);
    case OP_MOVZX16: case OP_MOVSX16: return wide && to_register && name_two(&p, 2, to, len);
    case OP_PUSH: case OP_POP: return name_stack(&p, to, len);
    case OP_SETCC: case OP_CMOV: return name_conditional(&p, to, len);
    case OP_ROL: case OP_ROR: case OP_SHL: case OP_SHR: case OP_SAR: return name_shift(&p, to, len);
    case OP_INC: case OP_DEC: case OP_NEG: case OP_NOT: case OP_BSWAP: return name_one(&p, to, len);
    case OP_IMUL3: case OP_SHLD: case OP_SHRD: return name_three(&p, to, len);
    default: return name_fixed(&p, to, len);
    }
}

bool step_is_last(uint32_t step)
{
    unsigned op = take_apart(step).op;
    return op == OP_JMP || op == OP_CALL || op == OP_RET;
}

void row_name(const struct row *r, char *to, size_t len)
{
    size_t at = 0;
    *to = 0;
    for (unsigned k = 0; k < r->n; k++) {
        char name[64];
        if (!step_name(r->step[k], name, sizeof(name)))
            snprintf(name, sizeof(name), "(unnamed %#x)", r->step[k]);
        at += (size_t)snprintf(to + at, len - at, "%s%s", k ? ", " : "", name);
        if (at >= len)
            return;
    }
}
