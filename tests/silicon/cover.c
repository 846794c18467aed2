/*
 * See cover.h. A form is to be run with every kind of operand that it can have, and to fault where it can. What cannot be
 * asked of a form is left out by applies(): privileged instructions only fault, aligned operands cross no page.
 */
#include "tests/silicon/cover.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/disasm.h"
#include "cpu/fpu.h"

enum {
    RAN, RAN_REGISTER, RAN_MEMORY32, RAN_MEMORY16, RAN_ACROSS, RAN_OPERAND32, RAN_OPERAND16,
    FAULT_PAGE, FAULT_SEGMENT, FAULT_ALIGNMENT, FAULTED, CELLS
};

static const char *const cell_name[CELLS] = {
    "ran to their end", "with a register operand", "with memory, 32-bit addressing", "with memory, 16-bit addressing",
    "with memory across two pages", "with 32-bit operand size", "with 16-bit operand size", "page fault of the operand",
    "limit or type fault of the operand", "alignment check", "privileged: fault",
};

struct form {
    const struct optable_entry *row; /* NULL: x87 */
    uint16_t opcode;
    uint8_t modrm; /* x87 */
    int next;      /* of the same opcode, or -1 */
    uint64_t n[CELLS];
};

enum { FORMS = 2200, OPCODES = 512 };

struct cover {
    const struct cpu *c;
    struct form form[FORMS];
    unsigned nforms;
    int first[OPCODES];
    uint64_t mode16[3][8], mode32[3][8], sib[3][4][9][9]; /* index, base 8: none */
    uint64_t override[6], lock, rep[3], length[16];
};

/* Forms */

static unsigned opcode_index(unsigned opcode) { return (opcode & 0xff) + (opcode > 0xff ? 256 : 0); }

static void add(struct cover *v, const struct optable_entry *row, unsigned opcode, unsigned modrm)
{
    int *first = &v->first[opcode_index(opcode)];
    if (v->nforms == FORMS)
        return;
    v->form[v->nforms] = (struct form){.row = row, .opcode = (uint16_t)opcode, .modrm = (uint8_t)modrm, .next = *first};
    *first = (int)v->nforms++;
}

static void add_x87(struct cover *v)
{
    for (unsigned n = 0; n < 8 * 256; n++) {
        struct insn i = {.opcode = (uint16_t)(0xd8 + n / 256), .modrm = (uint8_t)n};
        bool memory = i.modrm < 0xc0;
        if (memory && (i.modrm & 0xc7)) /* one ModRM for each /reg */
            continue;
        const struct fpu_op *op = memory ? fpu_find_memory_op(&i) : fpu_find_register_op(v->c, &i);
        if (op->kind != FPU_ILLEGAL)
            add(v, NULL, i.opcode, i.modrm);
    }
}

struct cover *cover_new(const struct gen *g, const struct cpu *c)
{
    struct cover *v = calloc(1, sizeof(*v));
    if (!v)
        return NULL;
    v->c = c;
    memset(v->first, -1, sizeof(v->first));
    for (unsigned k = 0; k < g->nint; k++)
        add(v, g->integer[k].row, g->integer[k].opcode, 0);
    for (unsigned k = 0; k < g->nsimd; k++)
        add(v, g->simd[k].row, g->simd[k].opcode, 0);
    add_x87(v);
    return v;
}

void cover_free(struct cover *v) { free(v); }

static struct form *find(struct cover *v, const struct insn *i)
{
    const struct cpu_model *m = &v->c->model;
    const struct optable_entry *row = optable_lookup(i->opcode, i->modrm, optable_prefix(i), m->level, m->features);
    unsigned modrm = i->modrm < 0xc0 ? i->modrm & 0x38u : i->modrm;
    for (int k = v->first[opcode_index(i->opcode)]; k >= 0; k = v->form[k].next)
        if (v->form[k].row ? v->form[k].row == row : v->form[k].modrm == modrm)
            return &v->form[k];
    return NULL;
}

/* What can be asked of a form */

static unsigned kind_at(const struct form *f, unsigned k) { return f->row ? spec_kind(f->row->spec[k]) : OPK_NONE; }

static bool is_string(const struct form *f)
{
    for (unsigned k = 0; k < 3; k++)
        if (kind_at(f, k) == OPK_X || kind_at(f, k) == OPK_Y)
            return true;
    return false;
}

/* The operand that may be in memory, or 0. */
static unsigned memory_spec(const struct form *f)
{
    for (unsigned k = 0; k < 3; k++)
        switch (kind_at(f, k)) {
        case OPK_E: case OPK_M: case OPK_Q: case OPK_W: case OPK_O: case OPK_X: case OPK_Y: return f->row->spec[k];
        default: break;
        }
    return 0;
}

static bool can_be_memory(const struct form *f)
{
    if (!f->row)
        return f->modrm < 0xc0;
    return memory_spec(f) && !(f->row->select & S_REG);
}

static bool can_be_register(const struct form *f)
{
    unsigned kind = spec_kind(memory_spec(f));
    if (!f->row)
        return f->modrm >= 0xc0;
    return f->row->modrm && !(f->row->select & S_MEM) && kind != OPK_M;
}

static bool is_privileged(const struct form *f)
{
    if (!f->row)
        return false;
    switch (f->row->op) {
    case OP_IN: case OP_OUT: case OP_INS: case OP_OUTS: case OP_CLI: case OP_STI: /* IOPL 0 and no I/O map */
    case OP_INT: case OP_INT3: case OP_INT1: case OP_UD:
        return true;
    default: return (f->row->notes & N_CPL0) != 0;
    }
}

static bool touches_memory(const struct form *f)
{
    return can_be_memory(f) && !(f->row && (f->row->op == OP_LEA || f->row->op == OP_NOPRM || f->row->op == OP_FENCE));
}

/* SSE operands of 16 bytes but those of MOVUPS, MOVUPD and MOVDQU. */
static bool is_aligned(const struct form *f)
{
    if (!f->row || f->row->op != OP_SSE || spec_type(memory_spec(f)) != OPT_o)
        return false;
    return strncmp(f->row->mnemonic, "movu", 4) != 0 && strcmp(f->row->mnemonic, "movdqu") != 0;
}

static unsigned operand_bytes(const struct form *f, unsigned word)
{
    return f->row ? gen_operand_bytes(memory_spec(f), word) : gen_x87_bytes(f->opcode, f->modrm >> 3 & 7, word == 2);
}

static bool applies(const struct form *f, unsigned cell)
{
    bool table = f->row && !(f->row->feature & (FEAT_MMX | FEAT_SSE | FEAT_SSE2));
    bool wide = touches_memory(f) && operand_bytes(f, 4) > 1;
    if (is_privileged(f) || cell == FAULTED)
        return is_privileged(f) && cell == FAULTED;
    switch (cell) {
    case RAN: return true;
    case RAN_REGISTER: return can_be_register(f);
    case RAN_MEMORY32: case RAN_MEMORY16: return can_be_memory(f);
    case RAN_ACROSS: return wide && !is_aligned(f);
    case RAN_OPERAND32: return table;
    case RAN_OPERAND16: return table && f->opcode != 0x0fae; /* 66 0F AE: other instructions by now */
    case FAULT_PAGE: case FAULT_SEGMENT: return touches_memory(f);
    case FAULT_ALIGNMENT: return wide && !is_aligned(f) && !(f->row && f->row->feature == FEAT_FXSR); /* dropped */
    default: return false;
    }
}

/* Counting */

static void count_address(struct cover *v, const struct insn *i)
{
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    if (i->asize == 2)
        v->mode16[mod][rm]++;
    else if (rm != 4)
        v->mode32[mod][rm]++;
    else
        v->sib[mod][i->scale & 3][i->index < 8 ? i->index : 8][i->base < 8 ? i->base : 8]++;
    if (i->flags & INSN_SEG)
        v->override[i->seg % 6]++;
}

static void count_operand(struct form *f, const struct watch_step *s)
{
    const struct insn *i = &s->insn;
    unsigned word = i->flags & INSN_OSIZE ? 2 : 4;
    bool memory = can_be_memory(f) && (is_string(f) || spec_kind(memory_spec(f)) == OPK_O || i->modrm < 0xc0);
    f->n[memory ? (i->asize == 2 ? RAN_MEMORY16 : RAN_MEMORY32) : RAN_REGISTER]++;
    f->n[RAN_ACROSS] += memory && (s->address & (PAGE - 1)) + operand_bytes(f, word) > PAGE;
    f->n[word == 2 ? RAN_OPERAND16 : RAN_OPERAND32]++;
}

static void count(struct cover *v, const struct watch_step *s)
{
    struct form *f = find(v, &s->insn);
    if (!f)
        return;
    if (can_be_memory(f) && (!f->row || f->row->modrm) && s->insn.modrm < 0xc0)
        count_address(v, &s->insn);
    v->lock += s->insn.flags & INSN_LOCK;
    v->rep[s->insn.rep]++;
    v->length[s->insn.len & 15]++;
    switch (s->vector) {
    case VECTOR_NONE:
        f->n[RAN]++;
        count_operand(f, s);
        break;
    case VEC_PF: f->n[FAULT_PAGE]++; break;
    case VEC_AC: f->n[FAULT_ALIGNMENT]++; break;
    case VEC_GP: case VEC_SS: f->n[FAULT_SEGMENT]++; break;
    default: break;
    }
    f->n[FAULTED] += s->vector != VECTOR_NONE;
}

void cover_case(struct cover *v, const struct watch *w)
{
    for (unsigned k = 0; k < w->nsteps; k++)
        count(v, &w->step[k]);
}

/* Printing */

static void print_form(const struct form *f, FILE *to)
{
    char text[128];
    uint8_t bytes[16] = {(uint8_t)f->opcode, f->modrm};
    if (!f->row) {
        (void)disasm(bytes, sizeof(bytes), true, 0, text, sizeof(text));
        fprintf(to, " %02x %02x (%s)", f->opcode, f->modrm, text);
    } else if (f->row->select & S_REGMASK) {
        fprintf(to, " %s %02x/%u", f->row->mnemonic, f->opcode, f->row->select & 7u);
    } else {
        fprintf(to, " %s %02x", f->row->mnemonic, f->opcode);
    }
}

static void print_cell(const struct cover *v, unsigned cell, FILE *to)
{
    unsigned all = 0, reached = 0;
    uint64_t least = UINT64_MAX;
    for (unsigned k = 0; k < v->nforms; k++) {
        const struct form *f = &v->form[k];
        if (!applies(f, cell))
            continue;
        all++;
        reached += f->n[cell] != 0;
        least = f->n[cell] < least ? f->n[cell] : least;
    }
    fprintf(to, "  %-36s %4u of %4u forms, at least %llu times each", cell_name[cell], reached, all,
            (unsigned long long)(all ? least : 0));
    if (reached < all)
        fprintf(to, "; never:");
    for (unsigned k = 0; k < v->nforms && reached < all; k++)
        if (applies(&v->form[k], cell) && !v->form[k].n[cell])
            print_form(&v->form[k], to);
    fputc('\n', to);
}

static unsigned nonzero(const uint64_t *n, unsigned count)
{
    unsigned found = 0;
    for (unsigned k = 0; k < count; k++)
        found += n[k] != 0;
    return found;
}

static unsigned count_sib(const struct cover *v)
{
    unsigned n = 0;
    for (unsigned mod = 0; mod < 3; mod++)
        n += nonzero(&v->sib[mod][0][0][0], 4 * 9 * 9);
    return n;
}

static void print_modes(const struct cover *v, FILE *to)
{
    fprintf(to, "  addressing modes: 16-bit %u of 24, 32-bit %u of 21, with SIB %u of 768; segment overrides %u of 6\n",
            nonzero(&v->mode16[0][0], 24), nonzero(&v->mode32[0][0], 24), count_sib(v), nonzero(v->override, 6));
    fprintf(to, "  prefixes: LOCK %llu, F3 %llu, F2 %llu; lengths of 1 to 15 bytes: %u of 15\n", (unsigned long long)v->lock,
            (unsigned long long)v->rep[REP_Z], (unsigned long long)v->rep[REP_NZ], nonzero(v->length + 1, 15));
}

void cover_print(const struct cover *v, FILE *to)
{
    unsigned x87 = 0, simd = 0;
    for (unsigned k = 0; k < v->nforms; k++) {
        x87 += !v->form[k].row;
        simd += v->form[k].row && (v->form[k].row->feature & (FEAT_MMX | FEAT_SSE | FEAT_SSE2));
    }
    fprintf(to, "%u forms: integer and system %u, MMX and SSE %u, x87 %u\n", v->nforms, v->nforms - simd - x87, simd, x87);
    for (unsigned cell = 0; cell < CELLS; cell++)
        print_cell(v, cell, to);
    print_modes(v, to);
}
