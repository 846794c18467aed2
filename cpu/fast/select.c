/*
 * From a decoded instruction to its handler and slot: which operand form, which size, which table.
 * What has no handler is executed by the reference tier from its struct insn (fast_rare).
 */
#include "cpu/fast/core.h"
#include "cpu/fast/unit.h"

/* 8, 16, 32 bits to 0, 1, 2; -1: another size. */
static int size_index(unsigned size)
{
    return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : -1;
}

static uint8_t reg_offset(unsigned reg, unsigned size)
{
    if (size == 1)
        return (uint8_t)(GPR_OFFSET(reg & 3) + (reg >> 2 & 1));
    return (uint8_t)GPR_OFFSET(reg);
}

static bool has_memory(const struct insn *o)
{
    return o->form == FORM_RM || o->form == FORM_MR || o->form == FORM_MI || o->form == FORM_M ||
           o->form == FORM_RMI || o->form == FORM_MRI;
}

bool fast_flat_operand(const struct insn *o, enum fast_mode mode)
{
    bool checked = o->seg == SEG_CS || o->seg >= SEG_FS; /* code is not writable */
    return mode == MODE_FLAT && o->asize == 4 && !checked;
}

/* Address kind of the memory operand, and its part of the slot. */
static unsigned place_memory(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    s->s = reg_offset(o->base, 4);
    s->x = reg_offset(o->index, 4);
    s->a = o->disp;
    if (fast_flat_operand(o, mode)) {
        s->sc = o->scale;
        return o->index == REG_NONE ? 0 : 1;
    }
    s->sc = (uint8_t)(o->scale | o->seg << 5);
    s->mask = o->asize == 2 ? 0xffff : 0xffffffffu;
    return 2;
}

static uint32_t immediate(const struct insn *o, unsigned size)
{
    return o->imm & alu_mask(size);
}

/* F_* of a two-operand instruction; -1: none of them. */
static int place_two(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    s->d = reg_offset(o->form == FORM_MR ? o->src : o->dst, o->size);
    s->b = immediate(o, o->size);
    switch (o->form) {
    case FORM_RR: s->s = reg_offset(o->src, o->size); return F_RR;
    case FORM_RI: return F_RI;
    case FORM_RM: return F_RM0 + (int)place_memory(o, mode, s);
    case FORM_MR: return F_MR0 + (int)place_memory(o, mode, s);
    case FORM_MI: return F_MI0 + (int)place_memory(o, mode, s);
    default: return -1;
    }
}

/* Tables of four: register, memory by address kind. The register of the pair is `reg`. */
static unsigned place_one(const struct insn *o, enum fast_mode mode, struct slot *s, unsigned reg, unsigned size)
{
    if (has_memory(o))
        return 1 + place_memory(o, mode, s);
    s->s = reg_offset(reg, size);
    return 0;
}

static bool set(struct slot *s, fast_handler *fn)
{
    s->fn = fn;
    return fn != NULL;
}

static bool select_alu(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    int z = size_index(o->size), form = place_two(o, mode, s);
    if (z < 0 || form < 0)
        return false;
    bool zero = form == F_RR && o->size == 4 && o->dst == o->src && (o->op == OP_XOR || o->op == OP_SUB);
    return set(s, zero ? fast_simple_table[S_ZERO] : fast_alu_table[o->op - OP_ADD][z][form]);
}

static bool select_unary(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    int z = size_index(o->size);
    s->d = reg_offset(o->dst, o->size);
    return z >= 0 && set(s, fast_unary_table[o->op - OP_INC][z][place_one(o, mode, s, o->dst, o->size)]);
}

static bool select_shift(const struct cpu *c, const struct insn *o, enum fast_mode mode, struct slot *s)
{
    int z = size_index(o->size);
    bool cl = (o->flags & INSN_CL) != 0;
    s->d = reg_offset(o->dst, o->size);
    s->b = o->imm & 31;
    if (z < 0 || (cl && c->model.level == CPU_8086) || (!cl && s->b == 0))
        return false;
    return set(s, fast_shift_table[o->op - OP_ROL][z][cl][place_one(o, mode, s, o->dst, o->size)]);
}

static bool select_double_shift(const struct insn *o, struct slot *s)
{
    int z = size_index(o->size);
    bool cl = (o->flags & INSN_CL) != 0;
    s->d = reg_offset(o->dst, o->size);
    s->s = reg_offset(o->src, o->size);
    s->b = o->imm & 31;
    if (has_memory(o) || z < 1 || (!cl && s->b == 0))
        return false;
    return set(s, fast_double_shift_table[o->op - OP_SHLD][z - 1][cl]);
}

static bool select_bit(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    int z = size_index(o->size);
    bool imm = o->form == FORM_RI || o->form == FORM_MI;
    s->d = reg_offset(o->form == FORM_MR ? o->src : o->dst, o->size);
    s->b = o->imm;
    return z >= 1 && set(s, fast_bit_table[o->op - OP_BT][z - 1][imm][place_one(o, mode, s, o->src, o->size)]);
}

/* Destination register and a source of size `source`: MOVZX, MOVSX, CMOV, IMUL, BSF, BSR. */
static bool select_to_register(const struct insn *o, enum fast_mode mode, struct slot *s,
                               fast_handler *const table[2][4], unsigned source)
{
    int z = size_index(o->size);
    s->d = reg_offset(o->dst, o->size);
    return z >= 1 && set(s, table[z - 1][place_one(o, mode, s, o->src, source)]);
}

static bool select_lea(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    int z = size_index(o->size);
    struct insn flat = *o; /* LEA does not look at the segment */
    flat.seg = SEG_DS;
    s->d = reg_offset(o->dst, o->size);
    return z >= 1 && set(s, fast_lea_table[z - 1][place_memory(&flat, mode, s)]);
}

static bool select_xchg(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    int z = size_index(o->size);
    s->d = reg_offset(has_memory(o) ? o->src : o->dst, o->size);
    return z >= 0 && set(s, fast_xchg_table[z][place_one(o, mode, s, o->src, o->size)]);
}

static bool select_exchange(const struct insn *o, enum fast_mode mode, struct slot *s, fast_handler *const table[3])
{
    if (!has_memory(o) || o->size < 4)
        return false;
    s->d = reg_offset(o->src, 4);
    return set(s, table[place_memory(o, mode, s)]);
}

static bool select_setcc(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    s->d = reg_offset(o->dst, 1);
    s->b = o->cc;
    return set(s, fast_setcc_table[place_one(o, mode, s, o->dst, 1)]);
}

static bool select_multiply(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    static const uint8_t row[] = {[OP_MUL - OP_MUL] = 0, [OP_IMUL1 - OP_MUL] = 1, [OP_DIV - OP_MUL] = 2, [OP_IDIV - OP_MUL] = 3};
    int z = size_index(o->size);
    s->d = reg_offset(o->dst, o->size);
    return z >= 0 && set(s, fast_multiply_table[row[o->op - OP_MUL]][z][place_one(o, mode, s, o->dst, o->size)]);
}

static bool select_push(const struct cpu *c, const struct insn *o, enum fast_mode mode, struct slot *s)
{
    bool any = mode != MODE_FLAT || o->size != 4;
    if (o->form == FORM_M) {
        unsigned kind = place_memory(o, mode, s);
        s->d = o->size;
        return (!any || kind == 2) && set(s, fast_stack_table[any][P_PUSH_M0 + kind]);
    }
    s->x = o->size;
    s->b = immediate(o, o->size);
    if (o->form == FORM_I)
        return set(s, fast_stack_table[any][P_PUSH_I]);
    s->d = reg_offset(o->dst, 4);
    bool old_sp = c->model.level <= CPU_186 && o->dst == REG_ESP; /* pushed after the decrement */
    return !old_sp && set(s, fast_stack_table[any][P_PUSH_R]);
}

static bool select_pop(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    s->x = o->size;
    s->d = reg_offset(o->dst, 4);
    return o->form == FORM_R && set(s, fast_stack_table[mode != MODE_FLAT || o->size != 4][P_POP_R]);
}

static bool select_leave(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    s->x = o->size;
    return set(s, fast_stack_table[mode != MODE_FLAT || o->size != 4][P_LEAVE]);
}

/* Without REP. */
static bool select_string(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    bool flat = fast_flat_operand(o, mode);
    s->sc = (uint8_t)(o->seg << 5);
    s->mask = o->asize == 2 ? 0xffff : 0xffffffffu;
    int z = size_index(o->size);
    return !o->rep && z >= 0 && set(s, fast_string_table[o->op - OP_MOVS][z][!flat]);
}

static bool select_simple(const struct insn *o, struct slot *s)
{
    bool wide = o->size == 4;
    s->d = reg_offset(o->dst, 4);
    switch (o->op) {
    case OP_NOP: case OP_PAUSE: case OP_NOPRM: case OP_FENCE: return set(s, fast_simple_table[S_NOP]);
    case OP_CBW: return set(s, fast_simple_table[wide ? S_CWDE : S_CBW]);
    case OP_CWD: return set(s, fast_simple_table[wide ? S_CDQ : S_CWD]);
    case OP_CLC: return set(s, fast_simple_table[S_CLC]);
    case OP_STC: return set(s, fast_simple_table[S_STC]);
    case OP_CMC: return set(s, fast_simple_table[S_CMC]);
    case OP_CLI: return set(s, fast_simple_table[S_CLI]);
    case OP_STI: return set(s, fast_simple_table[S_STI]);
    case OP_CLD: return set(s, fast_simple_table[S_CLD]);
    case OP_STD: return set(s, fast_simple_table[S_STD]);
    case OP_BSWAP: return wide && set(s, fast_simple_table[S_BSWAP]);
    default: return false;
    }
}

/* x87, SSE: the segment is always in the slot, and flat is flat, with an index or without. */
static unsigned place_unit_memory(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    unsigned kind = has_memory(o) ? place_memory(o, mode, s) : 0;
    if (has_memory(o))
        s->sc = (uint8_t)(o->scale | o->seg << 5);
    return kind;
}

/* What the older models do in their own way: undefined flags, LOCK by IOPL. */
static bool differs_by_model(const struct cpu *c, const struct insn *o)
{
    if (c->model.level > CPU_286)
        return false;
    switch (o->op) {
    case OP_SHR: case OP_SAR: case OP_MUL: case OP_IMUL1: case OP_IMUL2: case OP_IMUL3: case OP_DIV: case OP_IDIV:
        return true;
    default:
        return (o->flags & INSN_LOCK) != 0;
    }
}

bool fast_select(const struct cpu *c, const struct insn *o, enum fast_mode mode, struct slot *s)
{
    if (differs_by_model(c, o))
        return false;
    if (o->op >= OP_ADD && o->op <= OP_TEST)
        return select_alu(o, mode, s);
    switch (o->op) {
    case OP_MOV: {
        int z = size_index(o->size), form = place_two(o, mode, s);
        return z >= 0 && form >= 0 && set(s, fast_mov_table[z][form]);
    }
    case OP_INC: case OP_DEC: case OP_NOT: case OP_NEG: return select_unary(o, mode, s);
    case OP_ROL: case OP_ROR: case OP_RCL: case OP_RCR: case OP_SHL: case OP_SHR: case OP_SAL: case OP_SAR:
        return select_shift(c, o, mode, s);
    case OP_SHLD: case OP_SHRD: return select_double_shift(o, s);
    case OP_BT: case OP_BTS: case OP_BTR: case OP_BTC: return select_bit(o, mode, s);
    case OP_BSF: return select_to_register(o, mode, s, fast_scan_table[0], o->size);
    case OP_BSR: return select_to_register(o, mode, s, fast_scan_table[1], o->size);
    case OP_MOVZX8: return select_to_register(o, mode, s, fast_extend_table[0], 1);
    case OP_MOVZX16: return select_to_register(o, mode, s, fast_extend_table[1], 2);
    case OP_MOVSX8: return select_to_register(o, mode, s, fast_extend_table[2], 1);
    case OP_MOVSX16: return select_to_register(o, mode, s, fast_extend_table[3], 2);
    case OP_IMUL2: return select_to_register(o, mode, s, fast_imul2_table, o->size);
    case OP_IMUL3:
        s->b = immediate(o, o->size);
        return select_to_register(o, mode, s, fast_imul3_table, o->size);
    case OP_CMOV:
        s->b = o->cc;
        return select_to_register(o, mode, s, fast_cmov_table, o->size);
    case OP_MUL: case OP_IMUL1: case OP_DIV: case OP_IDIV: return select_multiply(o, mode, s);
    case OP_LEA: return select_lea(o, mode, s);
    case OP_XCHG: return select_xchg(o, mode, s);
    case OP_XADD: return select_exchange(o, mode, s, fast_xadd_table);
    case OP_CMPXCHG: return select_exchange(o, mode, s, fast_cmpxchg_table);
    case OP_CMPXCHG8B: return select_exchange(o, mode, s, fast_cmpxchg8b_table);
    case OP_SETCC: return select_setcc(o, mode, s);
    case OP_PUSH: return select_push(c, o, mode, s);
    case OP_POP: return select_pop(o, mode, s);
    case OP_LEAVE: return select_leave(o, mode, s);
    case OP_MOVS: case OP_CMPS: case OP_STOS: case OP_LODS: case OP_SCAS: return select_string(o, mode, s);
    case OP_ESC: case OP_WAIT: return fast_select_x87(c, o, place_unit_memory(o, mode, s), s);
    case OP_SSE: return fast_select_sse(c, o, place_unit_memory(o, mode, s), s);
    case OP_PUSHF: return mode == MODE_FLAT && o->size == 4 && set(s, fast_simple_table[S_PUSHF_FLAT]);
    case OP_PUSHSEG:
        s->d = o->dst;
        return mode == MODE_FLAT && o->size == 4 && c->model.level != CPU_PENTIUM &&
               set(s, fast_simple_table[S_PUSHSEG_FLAT]);
    case OP_LAHF: return set(s, fast_simple_table[S_LAHF]);
    case OP_SAHF: return set(s, fast_simple_table[S_SAHF]);
    default: return select_simple(o, s);
    }
}

fast_handler *fast_repeated(const struct insn *o, enum fast_mode mode)
{
    int z = size_index(o->size);
    if (!o->rep || z < 0 || !fast_flat_operand(o, mode))
        return NULL;
    return o->op == OP_MOVS ? fast_repeat_table[0][z] : o->op == OP_STOS ? fast_repeat_table[1][z] : NULL;
}

bool fast_select_indirect(const struct insn *o, enum fast_mode mode, struct slot *s)
{
    bool any = mode != MODE_FLAT;
    unsigned call = o->op == OP_CALLI;
    if (o->form == FORM_M) {
        unsigned kind = place_memory(o, mode, s);
        s->d = o->size;
        return set(s, fast_indirect_table[call][any][1 + kind]);
    }
    s->d = reg_offset(o->dst, 4);
    s->x = o->size;
    return o->form == FORM_R && set(s, fast_indirect_table[call][any][0]);
}
