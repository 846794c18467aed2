/*
 * x87 instructions with a memory operand, and the arithmetic that they share with the register
 * forms.
 *
 * Models: SDM vol. 2 FLD .. FBSTP; vol. 1 8.5 for what an unmasked exception leaves unchanged.
 * A body reads memory first (it may fault), computes, writes memory (it may fault), and only then
 * enters exceptions and changes registers.
 *
 * NOT MODELLED: FISTTP (SSE3).
 */
#include "cpu/fpu.h"

struct f80 fpu_arithmetic(struct fp_ctx *x, unsigned which, struct f80 a, struct f80 b)
{
    if (x->flags & FPU_SF) /* an operand was an empty register */
        return f80_default_nan();
    switch (which) {
    case 0: return f80_add(x, a, b);
    case 1: return f80_mul(x, a, b);
    case 4: return f80_sub(x, a, b);
    case 5: return f80_sub(x, b, a);
    case 6: return f80_div(x, a, b);
    default: return f80_div(x, b, a);
    }
}

void fpu_enter_relation(struct cpu *c, enum fp_relation r)
{
    static const uint16_t conditions[] = {
        [FP_LESS] = FPU_C0,
        [FP_EQUAL] = FPU_C3,
        [FP_GREATER] = 0,
        [FP_UNORDERED] = FPU_CONDITION,
    };
    fpu_set_conditions(c, conditions[r]);
}

/* --- operands --- */

static uint64_t read_memory(struct cpu *c, const struct insn *i, unsigned size)
{
    return mem_read(c, i->seg, insn_ea(c, i), size);
}

static struct f80 read_f32(struct cpu *c, const struct insn *i, struct fp_ctx *x)
{
    return f80_from_f32(x, (uint32_t)read_memory(c, i, 4));
}

static struct f80 read_f64(struct cpu *c, const struct insn *i, struct fp_ctx *x)
{
    return f80_from_f64(x, read_memory(c, i, 8));
}

static struct f80 read_i16(struct cpu *c, const struct insn *i, struct fp_ctx *x)
{
    (void)x;
    return f80_from_int64((int16_t)read_memory(c, i, 2));
}

static struct f80 read_i32(struct cpu *c, const struct insn *i, struct fp_ctx *x)
{
    (void)x;
    return f80_from_int64((int32_t)read_memory(c, i, 4));
}

static struct f80 read_i64(struct cpu *c, const struct insn *i, struct fp_ctx *x)
{
    (void)x;
    return f80_from_int64((int64_t)read_memory(c, i, 8));
}

static struct f80 read_f80(struct cpu *c, const struct insn *i, struct fp_ctx *x)
{
    uint32_t ea = insn_ea(c, i);
    (void)x;
    uint64_t mant = mem_read(c, i->seg, ea, 8);
    return (struct f80){mant, (uint16_t)mem_read(c, i->seg, fpu_area(i, ea, 8), 2)};
}

static struct f80 read_bcd(struct cpu *c, const struct insn *i, struct fp_ctx *x)
{
    uint8_t bcd[10];
    uint32_t ea = insn_ea(c, i);
    (void)x;
    uint64_t low = mem_read(c, i->seg, ea, 8), high = mem_read(c, i->seg, fpu_area(i, ea, 8), 2);
    for (unsigned k = 0; k < 8; k++)
        bcd[k] = (uint8_t)(low >> 8 * k);
    bcd[8] = (uint8_t)high;
    bcd[9] = (uint8_t)(high >> 8);
    return f80_from_bcd(bcd);
}

typedef struct f80 read_fn(struct cpu *c, const struct insn *i, struct fp_ctx *x);

/* A second operand in memory. The conversion raises nothing yet: which exceptions count is decided
 * together with ST(0) (SDM 1 4.9.2). A signalling NaN stays one; a denormal is an ordinary number
 * in the wider format. */
struct source {
    struct f80 value;
    bool denormal;
};

static struct source read_source(struct cpu *c, const struct insn *i, read_fn *read)
{
    struct fp_ctx x = {.cw = FP_EXCEPTIONS};
    struct source s = {read(c, i, &x), false};
    if (x.flags & FP_IE)
        s.value.mant &= ~F80_QUIET_BIT;
    s.denormal = (x.flags & FP_DE) != 0;
    return s;
}

/* After the operation: DE comes behind invalid operation, zero divide and NaNs; unmasked, nothing
 * else happened. */
static void note_denormal_source(struct fp_ctx *x, const struct source *s, struct f80 a)
{
    if (!s->denormal || x->flags & (FP_IE | FP_ZE) || f80_is_nan(a))
        return;
    if (!(x->cw & FP_DE)) {
        x->flags = 0;
        x->c1 = 0;
    }
    x->flags |= FP_DE;
}

/* --- FADD m .. FDIVR m --- */

static void arithmetic(struct cpu *c, const struct insn *i, read_fn *read)
{
    struct fp_ctx x = fpu_context(c);
    struct source b = read_source(c, i, read);
    struct f80 a = fpu_operand(c, &x, 0);
    struct f80 r = fpu_arithmetic(&x, i->modrm >> 3 & 7, a, b.value);
    note_denormal_source(&x, &b, a);
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    if (!keep)
        fpu_set_st(c, 0, r);
}

/* D8 /r, DA /r, DC /r, DE /r with memory: ST(0) = ST(0) op m32fp, m32int, m64fp, m16int. */
static void op_arith_f32(struct cpu *c, const struct insn *i) { arithmetic(c, i, read_f32); }
static void op_arith_i32(struct cpu *c, const struct insn *i) { arithmetic(c, i, read_i32); }
static void op_arith_f64(struct cpu *c, const struct insn *i) { arithmetic(c, i, read_f64); }
static void op_arith_i16(struct cpu *c, const struct insn *i) { arithmetic(c, i, read_i16); }

/* --- FCOM m, FCOMP m: /2 and /3 --- */

static void compare(struct cpu *c, const struct insn *i, read_fn *read)
{
    struct fp_ctx x = fpu_context(c);
    struct source b = read_source(c, i, read);
    struct f80 a = fpu_operand(c, &x, 0);
    enum fp_relation r = x.flags & FPU_SF ? FP_UNORDERED : f80_compare(&x, a, b.value, false);
    note_denormal_source(&x, &b, a);
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    if (fpu_tells_relation(&x))
        fpu_enter_relation(c, r);
    if ((i->modrm >> 3 & 7) == 3 && !keep)
        fpu_pop(c);
}

static void op_com_f32(struct cpu *c, const struct insn *i) { compare(c, i, read_f32); }
static void op_com_i32(struct cpu *c, const struct insn *i) { compare(c, i, read_i32); }
static void op_com_f64(struct cpu *c, const struct insn *i) { compare(c, i, read_f64); }
static void op_com_i16(struct cpu *c, const struct insn *i) { compare(c, i, read_i16); }

/* --- FLD, FILD, FBLD --- */

/* An unmasked denormal exception is reported, but the value is there: processors push it. */
static void load(struct cpu *c, const struct insn *i, read_fn *read)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 v = read(c, i, &x);
    if (!fpu_is_empty(c, 7)) { /* the overflow is the only exception then */
        x.flags = 0;
        fpu_room(c, &x);
        v = f80_default_nan();
    }
    bool keep = (x.flags & ~x.cw & FP_IE) != 0;
    fpu_finish(c, &x);
    if (!keep)
        fpu_push(c, v);
}

static void op_fld_f32(struct cpu *c, const struct insn *i) { load(c, i, read_f32); }
static void op_fld_f64(struct cpu *c, const struct insn *i) { load(c, i, read_f64); }
static void op_fld_f80(struct cpu *c, const struct insn *i) { load(c, i, read_f80); }
static void op_fild16(struct cpu *c, const struct insn *i) { load(c, i, read_i16); }
static void op_fild32(struct cpu *c, const struct insn *i) { load(c, i, read_i32); }
static void op_fild64(struct cpu *c, const struct insn *i) { load(c, i, read_i64); }
static void op_fbld(struct cpu *c, const struct insn *i) { load(c, i, read_bcd); }

/* --- FST, FIST, FBSTP: what goes to memory as 64-bit words, low first --- */

struct stored {
    uint64_t low;
    uint16_t high; /* of ten-byte forms */
};

typedef struct stored convert_fn(struct fp_ctx *x, struct f80 v);

static struct stored to_f32(struct fp_ctx *x, struct f80 v)
{
    return (struct stored){f80_to_f32(x, v), 0};
}
static struct stored to_f64(struct fp_ctx *x, struct f80 v)
{
    return (struct stored){f80_to_f64(x, v), 0};
}
static struct stored to_i16(struct fp_ctx *x, struct f80 v)
{
    return (struct stored){(uint16_t)f80_to_int16(x, v), 0};
}
static struct stored to_i32(struct fp_ctx *x, struct f80 v)
{
    return (struct stored){(uint32_t)f80_to_int32(x, v), 0};
}
static struct stored to_i64(struct fp_ctx *x, struct f80 v)
{
    return (struct stored){(uint64_t)f80_to_int64(x, v), 0};
}

static struct stored to_f80(struct fp_ctx *x, struct f80 v)
{
    (void)x;
    return (struct stored){v.mant, v.se};
}

static struct stored to_bcd(struct fp_ctx *x, struct f80 v)
{
    uint8_t bcd[10];
    struct stored s = {0, 0};
    f80_to_bcd(x, v, bcd);
    for (unsigned k = 8; k--;)
        s.low = s.low << 8 | bcd[k];
    s.high = (uint16_t)(bcd[8] | bcd[9] << 8);
    return s;
}

static void probe_stored(struct cpu *c, const struct insn *i, unsigned size)
{
    uint32_t ea = insn_ea(c, i);
    mem_probe_write(c, i->seg, ea, size < 8 ? size : 8);
    if (size > 8)
        mem_probe_write(c, i->seg, fpu_area(i, ea, 8), 2);
}

static void write_stored(struct cpu *c, const struct insn *i, const struct stored *s, unsigned size)
{
    uint32_t ea = insn_ea(c, i);
    if (size <= 8) {
        mem_write(c, i->seg, ea, size, s->low);
        return;
    }
    probe_stored(c, i, size);
    mem_write(c, i->seg, ea, 8, s->low);
    mem_write(c, i->seg, fpu_area(i, ea, 8), 2, s->high);
}

static void store(struct cpu *c, const struct insn *i, convert_fn *convert, unsigned size, bool pop)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 v = fpu_operand(c, &x, 0);
    struct stored s = convert(&x, v);
    bool keep = fp_aborts_store(&x);
    if (!keep) {
        write_stored(c, i, &s, size);
    } else { /* nothing was rounded (SDM 1 8.5.4, 8.5.5); a page fault goes first (SDM 3A table 6-2) */
        probe_stored(c, i, size);
        x.flags &= (uint16_t)~FP_PE;
        x.c1 = 0;
    }
    fpu_finish(c, &x);
    if (!keep && pop)
        fpu_pop(c);
}

static void op_fst_f32(struct cpu *c, const struct insn *i) { store(c, i, to_f32, 4, false); }
static void op_fstp_f32(struct cpu *c, const struct insn *i) { store(c, i, to_f32, 4, true); }
static void op_fst_f64(struct cpu *c, const struct insn *i) { store(c, i, to_f64, 8, false); }
static void op_fstp_f64(struct cpu *c, const struct insn *i) { store(c, i, to_f64, 8, true); }
static void op_fstp_f80(struct cpu *c, const struct insn *i) { store(c, i, to_f80, 10, true); }
static void op_fist16(struct cpu *c, const struct insn *i) { store(c, i, to_i16, 2, false); }
static void op_fistp16(struct cpu *c, const struct insn *i) { store(c, i, to_i16, 2, true); }
static void op_fist32(struct cpu *c, const struct insn *i) { store(c, i, to_i32, 4, false); }
static void op_fistp32(struct cpu *c, const struct insn *i) { store(c, i, to_i32, 4, true); }
static void op_fistp64(struct cpu *c, const struct insn *i) { store(c, i, to_i64, 8, true); }
static void op_fbstp(struct cpu *c, const struct insn *i) { store(c, i, to_bcd, 10, true); }

/* --- control --- */

static void op_fldcw(struct cpu *c, const struct insn *i)
{
    fpu_load_control(c, (uint16_t)read_memory(c, i, 2));
}

static void op_fnstcw(struct cpu *c, const struct insn *i)
{
    mem_write(c, i->seg, insn_ea(c, i), 2, c->st.x87.control);
}

static void op_fnstsw(struct cpu *c, const struct insn *i)
{
    mem_write(c, i->seg, insn_ea(c, i), 2, fpu_status_word(c));
}

/* --- the table: opcode D8..DF by ModRM.reg --- */

#define NUMERIC(fn)                                                                                \
    {                                                                                              \
        fn, FPU_NUMERIC                                                                            \
    }
#define ARITHMETIC(a, com)                                                                         \
    {                                                                                              \
        NUMERIC(a), NUMERIC(a), NUMERIC(com), NUMERIC(com), NUMERIC(a), NUMERIC(a), NUMERIC(a),    \
            NUMERIC(a)                                                                             \
    }
#define ILLEGAL                                                                                    \
    {                                                                                              \
        0, FPU_ILLEGAL                                                                             \
    }

static const struct fpu_op memory_ops[8][8] = {
    ARITHMETIC(op_arith_f32, op_com_f32),
    {NUMERIC(op_fld_f32),
     ILLEGAL,
     NUMERIC(op_fst_f32),
     NUMERIC(op_fstp_f32),
     {fpu_op_fldenv, FPU_CONTROL},
     {op_fldcw, FPU_CONTROL},
     {fpu_op_fnstenv, FPU_NO_WAIT},
     {op_fnstcw, FPU_NO_WAIT}},
    ARITHMETIC(op_arith_i32, op_com_i32),
    {NUMERIC(op_fild32), ILLEGAL, NUMERIC(op_fist32), NUMERIC(op_fistp32), ILLEGAL,
     NUMERIC(op_fld_f80), ILLEGAL, NUMERIC(op_fstp_f80)},
    ARITHMETIC(op_arith_f64, op_com_f64),
    {NUMERIC(op_fld_f64),
     ILLEGAL,
     NUMERIC(op_fst_f64),
     NUMERIC(op_fstp_f64),
     {fpu_op_frstor, FPU_CONTROL},
     ILLEGAL,
     {fpu_op_fnsave, FPU_NO_WAIT},
     {op_fnstsw, FPU_NO_WAIT}},
    ARITHMETIC(op_arith_i16, op_com_i16),
    {NUMERIC(op_fild16), ILLEGAL, NUMERIC(op_fist16), NUMERIC(op_fistp16), NUMERIC(op_fbld),
     NUMERIC(op_fild64), NUMERIC(op_fbstp), NUMERIC(op_fistp64)},
};

const struct fpu_op *fpu_find_memory_op(const struct insn *i)
{
    return &memory_ops[i->opcode & 7][i->modrm >> 3 & 7];
}
