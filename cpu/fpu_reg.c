/*
 * x87 instructions on registers (ModRM.mod = 3).
 *
 * Models: SDM vol. 2 F2XM1 .. FYL2XP1; vol. 1 8.3. Aliases that only silicon documents (DC D0
 * FCOM2, DF C0 FFREEP and so on; see the opcode map's reserved entries) act as the instruction that
 * they repeat, D9 D8 FSTP1 nearly so.
 */
#include "cpu/fpu.h"

static unsigned sti(const struct insn *i) { return i->modrm & 7; }

/* --- one operand in ST(0), result in ST(0) --- */

typedef struct f80 unary_fn(struct fp_ctx *x, struct f80 a);

/* Empty registers give the default NaN; an unmasked exception keeps ST(0). */
static void unary(struct cpu *c, unary_fn *fn)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 r = fpu_operand(c, &x, 0);
    if (!(x.flags & FPU_SF))
        r = fn(&x, r);
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    if (!keep)
        fpu_set_st(c, 0, r);
}

static struct f80 change_sign(struct fp_ctx *x, struct f80 a)
{
    (void)x;
    return (struct f80){a.mant, a.se ^ 0x8000};
}

static struct f80 absolute(struct fp_ctx *x, struct f80 a)
{
    (void)x;
    return (struct f80){a.mant, a.se & 0x7fff};
}

static void op_fchs(struct cpu *c, const struct insn *i)
{
    (void)i;
    unary(c, change_sign);
}
static void op_fabs(struct cpu *c, const struct insn *i)
{
    (void)i;
    unary(c, absolute);
}
static void op_fsqrt(struct cpu *c, const struct insn *i)
{
    (void)i;
    unary(c, f80_sqrt);
}
static void op_frndint(struct cpu *c, const struct insn *i)
{
    (void)i;
    unary(c, f80_round_to_integer);
}
static void op_f2xm1(struct cpu *c, const struct insn *i)
{
    (void)i;
    unary(c, f80_2xm1);
}

/* --- ST(0) and another register --- */

/* Result of an operation on ST(0) and ST(n) into ST(`to`), then pops. */
static void binary(struct cpu *c, const struct insn *i, unsigned to, bool pop)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 a = fpu_operand(c, &x, 0), b = fpu_operand(c, &x, sti(i));
    struct f80 r = fpu_arithmetic(&x, i->modrm >> 3 & 7, a, b);
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    if (keep)
        return;
    fpu_set_st(c, to, r);
    if (pop)
        fpu_pop(c);
}

/* D8: ST(0) = ST(0) op ST(i); DC: ST(i) = the same; DE: and pop. ModRM.reg has SUB and DIV in the
 * order that makes /4 always ST(0) - ST(i). */
static void op_arith_st0(struct cpu *c, const struct insn *i) { binary(c, i, 0, false); }
static void op_arith_sti(struct cpu *c, const struct insn *i) { binary(c, i, sti(i), false); }
static void op_arith_pop(struct cpu *c, const struct insn *i) { binary(c, i, sti(i), true); }

typedef struct f80 pair_fn(struct fp_ctx *x, struct f80 st0, struct f80 st1);

static void pair(struct cpu *c, pair_fn *fn, unsigned to, bool pop)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 a = fpu_operand(c, &x, 0), b = fpu_operand(c, &x, 1);
    struct f80 r = x.flags & FPU_SF ? f80_default_nan() : fn(&x, a, b);
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    if (keep)
        return;
    fpu_set_st(c, to, r);
    if (pop)
        fpu_pop(c);
}

static struct f80 yl2x(struct fp_ctx *x, struct f80 a, struct f80 b) { return f80_yl2x(x, b, a); }
static struct f80 yl2xp1(struct fp_ctx *x, struct f80 a, struct f80 b)
{
    return f80_yl2xp1(x, b, a);
}
static struct f80 patan(struct fp_ctx *x, struct f80 a, struct f80 b) { return f80_patan(x, b, a); }

static void op_fyl2x(struct cpu *c, const struct insn *i)
{
    (void)i;
    pair(c, yl2x, 1, true);
}
static void op_fyl2xp1(struct cpu *c, const struct insn *i)
{
    (void)i;
    pair(c, yl2xp1, 1, true);
}
static void op_fpatan(struct cpu *c, const struct insn *i)
{
    (void)i;
    pair(c, patan, 1, true);
}
static void op_fscale(struct cpu *c, const struct insn *i)
{
    (void)i;
    pair(c, f80_scale, 0, false);
}

static uint16_t quotient_conditions(const struct fp_quotient *q)
{
    if (q->partial)
        return FPU_C2;
    return (uint16_t)((q->low_bits & 4 ? FPU_C0 : 0) | (q->low_bits & 2 ? FPU_C3 : 0));
}

static void clear_c2(struct cpu *c) { c->st.x87.status &= (uint16_t)~FPU_C2; }

/* FPREM, FPREM1: C2 while the reduction is partial, else C0 C3 C1 = quotient bits 2 1 0. Without a
 * quotient C0 and C3 keep their values. */
static void remainder_step(struct cpu *c, bool nearest)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 a = fpu_operand(c, &x, 0), b = fpu_operand(c, &x, 1);
    struct fp_quotient q = {0, false};
    struct f80 r = x.flags & FPU_SF ? f80_default_nan() : f80_rem(&x, a, b, nearest, &q);
    bool keep = fp_aborts(&x), none = f80_is_nan(r);
    if (!none && !q.partial)
        x.c1 = q.low_bits & 1;
    fpu_finish(c, &x);
    clear_c2(c);
    if (keep)
        return;
    if (!none)
        fpu_set_conditions(c, quotient_conditions(&q));
    fpu_set_st(c, 0, r);
}

static void op_fprem(struct cpu *c, const struct insn *i)
{
    (void)i;
    remainder_step(c, false);
}
static void op_fprem1(struct cpu *c, const struct insn *i)
{
    (void)i;
    remainder_step(c, true);
}

/* --- two results: ST(0) is replaced, another is pushed --- */

/* With no room above, or nothing in ST(0), both are NaN. */
static bool push_pair_ready(struct cpu *c, struct fp_ctx *x, struct f80 *a)
{
    *a = fpu_operand(c, x, 0);
    return !(x->flags & FPU_SF) && fpu_room(c, x);
}

static void push_pair(struct cpu *c, const struct fp_ctx *x, struct f80 st0, struct f80 pushed)
{
    bool keep = fp_aborts(x);
    fpu_finish(c, x);
    if (keep)
        return;
    fpu_set_st(c, 0, st0);
    fpu_push(c, pushed);
}

static void op_fxtract(struct cpu *c, const struct insn *i)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 a, exponent = f80_default_nan(), significand = exponent;
    (void)i;
    if (push_pair_ready(c, &x, &a))
        exponent = f80_extract(&x, a, &significand);
    push_pair(c, &x, exponent, significand);
}

/* |ST(0)| >= 2^63: C2 and nothing else. */
static void out_of_range(struct cpu *c)
{
    struct fp_ctx x = fpu_context(c);
    fpu_finish(c, &x);
    c->st.x87.status |= FPU_C2;
}

static void op_fptan(struct cpu *c, const struct insn *i)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 a, tangent = f80_default_nan(), one = tangent;
    (void)i;
    if (push_pair_ready(c, &x, &a)) {
        if (!f80_ptan(&x, a, &tangent)) {
            out_of_range(c);
            return;
        }
        one = f80_is_nan(tangent) ? tangent : f80_constant(&x, FP_ONE);
    }
    clear_c2(c);
    push_pair(c, &x, tangent, one);
}

static void op_fsincos(struct cpu *c, const struct insn *i)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 a, sine = f80_default_nan(), cosine = sine;
    (void)i;
    if (push_pair_ready(c, &x, &a) && !f80_sincos(&x, a, &sine, &cosine)) {
        out_of_range(c);
        return;
    }
    clear_c2(c);
    push_pair(c, &x, sine, cosine);
}

static void sine_or_cosine(struct cpu *c, bool want_sine)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 a = fpu_operand(c, &x, 0), r = f80_default_nan();
    bool in_range =
        x.flags & FPU_SF || f80_sincos(&x, a, want_sine ? &r : NULL, want_sine ? NULL : &r);
    if (!in_range) {
        out_of_range(c);
        return;
    }
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    clear_c2(c);
    if (!keep)
        fpu_set_st(c, 0, r);
}

static void op_fsin(struct cpu *c, const struct insn *i)
{
    (void)i;
    sine_or_cosine(c, true);
}
static void op_fcos(struct cpu *c, const struct insn *i)
{
    (void)i;
    sine_or_cosine(c, false);
}

/* --- comparisons --- */

static enum fp_relation relation(struct cpu *c, struct fp_ctx *x, unsigned n, bool quiet)
{
    struct f80 a = fpu_operand(c, x, 0), b = fpu_operand(c, x, n);
    return x->flags & FPU_SF ? FP_UNORDERED : f80_compare(x, a, b, quiet);
}

static void compare(struct cpu *c, unsigned n, bool quiet, unsigned pops)
{
    struct fp_ctx x = fpu_context(c);
    enum fp_relation r = relation(c, &x, n, quiet);
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    if (fpu_tells_relation(&x))
        fpu_enter_relation(c, r);
    while (!keep && pops--)
        fpu_pop(c);
}

static void op_fcom(struct cpu *c, const struct insn *i) { compare(c, sti(i), false, 0); }
static void op_fcomp(struct cpu *c, const struct insn *i) { compare(c, sti(i), false, 1); }
static void op_fcompp(struct cpu *c, const struct insn *i)
{
    (void)i;
    compare(c, 1, false, 2);
}
static void op_fucom(struct cpu *c, const struct insn *i) { compare(c, sti(i), true, 0); }
static void op_fucomp(struct cpu *c, const struct insn *i) { compare(c, sti(i), true, 1); }
static void op_fucompp(struct cpu *c, const struct insn *i)
{
    (void)i;
    compare(c, 1, true, 2);
}

/* FCOMI: ZF PF CF as an unsigned comparison, 111 for unordered; OF SF AF cleared (SDM 2A FCOMI). */
static void compare_eflags(struct cpu *c, const struct insn *i, bool quiet, bool pop)
{
    static const uint32_t flags[] = {
        [FP_LESS] = FLAG_CF,
        [FP_EQUAL] = FLAG_ZF,
        [FP_GREATER] = 0,
        [FP_UNORDERED] = FLAG_ZF | FLAG_PF | FLAG_CF,
    };
    struct fp_ctx x = fpu_context(c);
    enum fp_relation r = relation(c, &x, sti(i), quiet);
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    if (fpu_tells_relation(&x))
        flags_set_arith(c, flags[r]);
    if (pop && !keep)
        fpu_pop(c);
}

static void op_fcomi(struct cpu *c, const struct insn *i) { compare_eflags(c, i, false, false); }
static void op_fcomip(struct cpu *c, const struct insn *i) { compare_eflags(c, i, false, true); }
static void op_fucomi(struct cpu *c, const struct insn *i) { compare_eflags(c, i, true, false); }
static void op_fucomip(struct cpu *c, const struct insn *i) { compare_eflags(c, i, true, true); }

static void op_ftst(struct cpu *c, const struct insn *i)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 a = fpu_operand(c, &x, 0);
    enum fp_relation r =
        x.flags & FPU_SF ? FP_UNORDERED : f80_compare(&x, a, (struct f80){0, 0}, false);
    (void)i;
    fpu_finish(c, &x);
    if (fpu_tells_relation(&x))
        fpu_enter_relation(c, r);
}

/* FXAM: the class in C3 C2 C0, the sign in C1, empty or not. */
static void op_fxam(struct cpu *c, const struct insn *i)
{
    struct f80 a = fpu_st(c, 0);
    unsigned class = fpu_is_empty(c, 0) ? FP_CLASS_EMPTY : f80_classify(a);
    struct fp_ctx x = {.c1 = (a.se & 0x8000) != 0};
    (void)i;
    fpu_finish(c, &x);
    fpu_set_conditions(c, (uint16_t)((class & 4 ? FPU_C3 : 0) | (class & 2 ? FPU_C2 : 0) |
                                     (class & 1 ? FPU_C0 : 0)));
}

/* --- moves --- */

static void clear_c1(struct cpu *c) { c->st.x87.status &= (uint16_t)~FPU_C1; }

static void push_or_overflow(struct cpu *c, struct fp_ctx *x, struct f80 v)
{
    if (!fpu_room(c, x))
        v = f80_default_nan();
    bool keep = fp_aborts(x);
    fpu_finish(c, x);
    if (!keep)
        fpu_push(c, v);
}

static void op_fld(struct cpu *c, const struct insn *i)
{
    struct fp_ctx x = fpu_context(c);
    push_or_overflow(c, &x, fpu_operand(c, &x, sti(i)));
}

static void op_fld_constant(struct cpu *c, const struct insn *i)
{
    struct fp_ctx x = fpu_context(c);
    push_or_overflow(c, &x, f80_constant(&x, (enum fp_constant)sti(i)));
}

static void store(struct cpu *c, const struct insn *i, bool pop)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 v = fpu_operand(c, &x, 0);
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    if (keep)
        return;
    fpu_set_st(c, sti(i), v);
    if (pop)
        fpu_pop(c);
}

static void op_fst(struct cpu *c, const struct insn *i) { store(c, i, false); }
static void op_fstp(struct cpu *c, const struct insn *i) { store(c, i, true); }

/* D9 D8+i: as FSTP ST(i), but an empty ST(0) is popped without an exception, ST(i) unchanged. */
static void op_fstp1(struct cpu *c, const struct insn *i)
{
    if (!fpu_is_empty(c, 0)) {
        store(c, i, true);
        return;
    }
    clear_c1(c);
    fpu_pop(c);
}

static void op_fxch(struct cpu *c, const struct insn *i)
{
    struct fp_ctx x = fpu_context(c);
    struct f80 a = fpu_operand(c, &x, 0), b = fpu_operand(c, &x, sti(i));
    bool keep = fp_aborts(&x);
    fpu_finish(c, &x);
    if (keep)
        return;
    fpu_set_st(c, 0, b);
    fpu_set_st(c, sti(i), a);
}

/* FCMOVcc: DA B E BE U, DB their opposites, by ModRM.reg. Only an underflow touches C1 (SDM 2A
 * FCMOVcc). */
static void op_fcmov(struct cpu *c, const struct insn *i)
{
    static const uint8_t conditions[] = {2 /* B */, 4 /* E */, 6 /* BE */, 10 /* P: unordered */};
    struct fp_ctx x = fpu_context(c);
    fpu_operand(c, &x, 0);
    struct f80 v = fpu_operand(c, &x, sti(i));
    bool holds = fl_cond(conditions[i->modrm >> 3 & 3] ^ (i->opcode & 1), c->fr, c->fx);
    if (!(x.flags & FPU_SF)) {
        if (holds)
            fpu_set_st(c, 0, v);
        return;
    }
    fpu_finish(c, &x);
    if (!fp_aborts(&x))
        fpu_set_st(c, 0, f80_default_nan());
}

/* --- control --- */

static void op_ffree(struct cpu *c, const struct insn *i)
{
    fpu_free(c, sti(i));
    clear_c1(c);
}

static void op_ffreep(struct cpu *c, const struct insn *i)
{
    op_ffree(c, i);
    fpu_pop(c);
}

static void op_fincstp(struct cpu *c, const struct insn *i)
{
    (void)i;
    c->st.x87.top = (c->st.x87.top + 1) & 7;
    clear_c1(c);
}

static void op_fdecstp(struct cpu *c, const struct insn *i)
{
    (void)i;
    c->st.x87.top = (c->st.x87.top - 1) & 7;
    clear_c1(c);
}

static void op_nothing(struct cpu *c, const struct insn *i) { (void)c, (void)i; }
static void op_fninit(struct cpu *c, const struct insn *i)
{
    (void)i;
    fpu_init(c);
}

static void op_fnclex(struct cpu *c, const struct insn *i)
{
    (void)i;
    c->st.x87.status &= (uint16_t) ~(FP_EXCEPTIONS | FPU_SF | FPU_ES | FPU_BUSY);
    fpu_update_summary(c);
}

static void op_fnstsw_ax(struct cpu *c, const struct insn *i)
{
    (void)i;
    reg_write(c, REG_EAX, 2, fpu_status_word(c));
}

/* --- tables --- */

#define NUMERIC(fn)                                                                                \
    {                                                                                              \
        fn, FPU_NUMERIC                                                                            \
    }
#define ILLEGAL                                                                                    \
    {                                                                                              \
        0, FPU_ILLEGAL                                                                             \
    }

/* Opcodes whose ModRM.rm is part of the operation: D9 E0-FF, DB E0-E7, and single ones. */
static const struct fpu_op d9_ops[32] = {
    NUMERIC(op_fchs),
    NUMERIC(op_fabs),
    ILLEGAL,
    ILLEGAL,
    NUMERIC(op_ftst),
    NUMERIC(op_fxam),
    ILLEGAL,
    ILLEGAL,
    NUMERIC(op_fld_constant),
    NUMERIC(op_fld_constant),
    NUMERIC(op_fld_constant),
    NUMERIC(op_fld_constant),
    NUMERIC(op_fld_constant),
    NUMERIC(op_fld_constant),
    NUMERIC(op_fld_constant),
    ILLEGAL,
    NUMERIC(op_f2xm1),
    NUMERIC(op_fyl2x),
    NUMERIC(op_fptan),
    NUMERIC(op_fpatan),
    NUMERIC(op_fxtract),
    NUMERIC(op_fprem1),
    NUMERIC(op_fdecstp),
    NUMERIC(op_fincstp),
    NUMERIC(op_fprem),
    NUMERIC(op_fyl2xp1),
    NUMERIC(op_fsqrt),
    NUMERIC(op_fsincos),
    NUMERIC(op_frndint),
    NUMERIC(op_fscale),
    NUMERIC(op_fsin),
    NUMERIC(op_fcos),
};

/* FNENI, FNDISI (8087) and FNSETPM (80287) do nothing on later ones. */
static const struct fpu_op db_ops[8] = {
    {op_nothing, FPU_NO_WAIT},
    {op_nothing, FPU_NO_WAIT},
    {op_fnclex, FPU_NO_WAIT},
    {op_fninit, FPU_NO_WAIT},
    {op_nothing, FPU_NO_WAIT},
    ILLEGAL,
    ILLEGAL,
    ILLEGAL,
};

static const struct fpu_op illegal_op = ILLEGAL;
static const struct fpu_op fnop = NUMERIC(op_nothing);
static const struct fpu_op fucompp = NUMERIC(op_fucompp);
static const struct fpu_op fcompp = NUMERIC(op_fcompp);
static const struct fpu_op fnstsw_ax = {op_fnstsw_ax, FPU_NO_WAIT};

/* By opcode and ModRM.reg where ModRM.rm is ST(i). */
static const struct fpu_op register_ops[8][8] = {
    {NUMERIC(op_arith_st0), NUMERIC(op_arith_st0), NUMERIC(op_fcom), NUMERIC(op_fcomp),
     NUMERIC(op_arith_st0), NUMERIC(op_arith_st0), NUMERIC(op_arith_st0), NUMERIC(op_arith_st0)},
    {NUMERIC(op_fld), NUMERIC(op_fxch), ILLEGAL, NUMERIC(op_fstp1), ILLEGAL, ILLEGAL, ILLEGAL,
     ILLEGAL},
    {NUMERIC(op_fcmov), NUMERIC(op_fcmov), NUMERIC(op_fcmov), NUMERIC(op_fcmov), ILLEGAL, ILLEGAL,
     ILLEGAL, ILLEGAL},
    {NUMERIC(op_fcmov), NUMERIC(op_fcmov), NUMERIC(op_fcmov), NUMERIC(op_fcmov), ILLEGAL,
     NUMERIC(op_fucomi), NUMERIC(op_fcomi), ILLEGAL},
    {NUMERIC(op_arith_sti), NUMERIC(op_arith_sti), NUMERIC(op_fcom), NUMERIC(op_fcomp),
     NUMERIC(op_arith_sti), NUMERIC(op_arith_sti), NUMERIC(op_arith_sti), NUMERIC(op_arith_sti)},
    {NUMERIC(op_ffree), NUMERIC(op_fxch), NUMERIC(op_fst), NUMERIC(op_fstp), NUMERIC(op_fucom),
     NUMERIC(op_fucomp), ILLEGAL, ILLEGAL},
    {NUMERIC(op_arith_pop), NUMERIC(op_arith_pop), NUMERIC(op_fcomp), ILLEGAL,
     NUMERIC(op_arith_pop), NUMERIC(op_arith_pop), NUMERIC(op_arith_pop), NUMERIC(op_arith_pop)},
    {NUMERIC(op_ffreep), NUMERIC(op_fxch), NUMERIC(op_fstp), NUMERIC(op_fstp), ILLEGAL,
     NUMERIC(op_fucomip), NUMERIC(op_fcomip), ILLEGAL},
};

/* Single opcodes in rows that are otherwise illegal or ST(i). */
static const struct fpu_op *find_single(unsigned opcode, uint8_t modrm)
{
    if (opcode == 1 && modrm >= 0xe0)
        return &d9_ops[modrm & 31];
    if (opcode == 1 && modrm == 0xd0)
        return &fnop;
    if (opcode == 2 && modrm == 0xe9)
        return &fucompp;
    if (opcode == 3 && (modrm & 0xf8) == 0xe0)
        return &db_ops[modrm & 7];
    if (opcode == 6 && modrm == 0xd9)
        return &fcompp;
    if (opcode == 7 && modrm == 0xe0)
        return &fnstsw_ax;
    return &register_ops[opcode][modrm >> 3 & 7];
}

/* FCMOVcc and FCOMI came with the P6; FUCOM, FPREM1, FSIN, FCOS and FSINCOS with the 387. */
static bool has_op(const struct cpu *c, const struct fpu_op *op)
{
    op_fn *fn = op->run;
    if (fn == op_fcmov || fn == op_fcomi || fn == op_fcomip || fn == op_fucomi || fn == op_fucomip)
        return (c->model.features & FEAT_CMOV) != 0;
    if (fn == op_fucom || fn == op_fucomp || fn == op_fucompp || fn == op_fprem1 || fn == op_fsin ||
        fn == op_fcos || fn == op_fsincos)
        return c->model.level >= CPU_386;
    return true;
}

const struct fpu_op *fpu_find_register_op(const struct cpu *c, const struct insn *i)
{
    const struct fpu_op *op = find_single(i->opcode & 7, i->modrm);
    return has_op(c, op) ? op : &illegal_op;
}
