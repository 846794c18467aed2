/*
 * x87 instructions in the fast tier: loads, stores, arithmetic, comparisons and control on normal numbers and zeros
 * (cpu/softfp_quick.h). What is not selected here, and whatever may raise an exception other than a masked PE (empty
 * registers, NaNs, denormals, a pending exception, CR0.EM or TS, another rounding), goes to the reference tier with its
 * struct insn at hand.
 *
 * Slots: d = ST(i), or the condition of FCMOVcc (with ST(i) in x); memory operands as everywhere, but always with the
 * segment in sc; b = page offset of the instruction and its opcode << 16, for the pointers of SDM 1 8.1.8.
 *
 * One copy of these handlers is enough: they are long, so their dispatch counts for little.
 */
#include "cpu/fast/core.h"
#include "cpu/fast/unit.h"
#include "cpu/fpu.h"
#include "cpu/softfp_quick.h"

/* --- what all of them check and note --- */

#define X87 (&c->st.x87)
#define NOT_READY (FPU_ES | FPU_BUSY)

INLINE bool x87_available(const struct cpu *c) { return !(c->st.cr0 & (CR0_EM | CR0_TS)); }

/* No exception is pending, and PE, the only one to be raised here, is masked. */
INLINE bool x87_ready(const struct cpu *c)
{
    uint32_t not_masked = ~(uint32_t)X87->control & FP_PE;
    return !((c->st.cr0 & (CR0_EM | CR0_TS)) | (X87->status & NOT_READY) | not_masked);
}

/* Rounding is to nearest, too. */
INLINE bool x87_nearest(const struct cpu *c)
{
    uint32_t other = (~(uint32_t)X87->control & FP_PE) | (X87->control & FP_RC_FIELD);
    return !((c->st.cr0 & (CR0_EM | CR0_TS)) | (X87->status & NOT_READY) | other);
}

INLINE unsigned x87_register(const struct cpu *c, unsigned n) { return (X87->top + n) & 7; }
INLINE bool x87_empty(const struct cpu *c, unsigned r) { return X87->empty >> r & 1; }
INLINE bool x87_any_empty(const struct cpu *c, unsigned r, unsigned s)
{
    return (X87->empty & (1u << r | 1u << s)) != 0;
}
INLINE struct f80 x87_get(const struct cpu *c, unsigned r) { return (struct f80){X87->mant[r], X87->se[r]}; }
INLINE void x87_set(struct cpu *c, unsigned r, struct f80 v)
{
    X87->mant[r] = v.mant;
    X87->se[r] = v.se;
}

INLINE void x87_pop(struct cpu *c, unsigned r0)
{
    X87->empty |= (uint8_t)(1u << r0);
    X87->top = (uint8_t)((r0 + 1) & 7);
}

INLINE void x87_push(struct cpu *c, unsigned r, struct f80 v)
{
    x87_set(c, r, v);
    X87->empty &= (uint8_t)~(1u << r);
    X87->top = (uint8_t)r;
}

/* PE and C1 of a result; the other exceptions are sticky. */
INLINE void x87_raise(struct cpu *c, uint16_t status) { X87->status = (uint16_t)((X87->status & ~FPU_C1) | status); }

/* C1 is cleared. */
INLINE void x87_relate(struct cpu *c, struct quick_relation r)
{
    uint32_t conditions = (r.less ? FPU_C0 : 0) | (r.equal ? FPU_C3 : 0);
    X87->status = (uint16_t)((X87->status & ~(FPU_CONDITION | FPU_C1)) | conditions);
}

INLINE void x87_note(struct cpu *c, const struct slot *i)
{
    const struct fast *f = c->fast;
    X87->opcode = (uint16_t)(i->b >> 16);
    X87->ip = (uint32_t)((PAGE_BASE | (i->b & (FAST_PAGE - 1))) - f->cs_base);
    X87->cs = c->st.seg[SEG_CS].selector;
}

INLINE void x87_note_operand(struct cpu *c, const struct slot *i, uint32_t ea)
{
    x87_note(c, i);
    X87->dp = ea;
    X87->ds = c->st.seg[i->sc >> 5].selector;
}

#define DONE \
    do { \
        x87_note(c, i); \
        NEXT; \
    } while (0)
#define DONE_MEMORY(K) \
    do { \
        x87_note_operand(c, i, fast_ea##K(c, i)); \
        NEXT; \
    } while (0)

/* Declares `v`, the number at `p`. */
#define READ_f32 struct f80 v; REQUIRE(quick_from_f32(load32(p), &v))
#define READ_f64 struct f80 v; REQUIRE(quick_from_f64(load_le64(p), &v))
#define READ_f80 struct f80 v = {load_le64(p), load_le16(p + 8)}
#define READ_i16 struct f80 v = quick_from_int64((int16_t)load16(p))
#define READ_i32 struct f80 v = quick_from_int64((int32_t)load32(p))
#define READ_i64 struct f80 v = quick_from_int64((int64_t)load_le64(p))
#define SIZE_f32 4
#define SIZE_f64 8
#define SIZE_f80 10
#define SIZE_i16 2
#define SIZE_i32 4
#define SIZE_i64 8

/* --- arithmetic --- */

#define quick_subr(cw, a, b, r, status) quick_sub(cw, b, a, r, status)
#define quick_divr(cw, a, b, r, status) quick_div(cw, b, a, r, status)

/* ST(0) op ST(i) to either, and to ST(i) with a pop. */
#define ARITH_REGISTER(op, form, to, pop) \
    HANDLER(op##_##form) \
    { \
        unsigned r0 = x87_register(c, 0), ri = x87_register(c, i->d); \
        struct f80 r; \
        uint16_t status; \
        REQUIRE(x87_nearest(c)); \
        REQUIRE(!x87_any_empty(c, r0, ri)); \
        REQUIRE(quick_##op(X87->control, x87_get(c, r0), x87_get(c, ri), &r, &status)); \
        x87_set(c, to, r); \
        x87_raise(c, status); \
        if (pop) \
            x87_pop(c, r0); \
        DONE; \
    }
#define ARITH_MEMORY(op, type, K) \
    HANDLER(op##_##type##_##K) \
    { \
        unsigned r0 = x87_register(c, 0); \
        struct f80 r; \
        uint16_t status; \
        REQUIRE(x87_nearest(c)); \
        REQUIRE(!x87_empty(c, r0)); \
        SOURCE(K, SIZE_##type); \
        READ_##type; \
        REQUIRE(quick_##op(X87->control, x87_get(c, r0), v, &r, &status)); \
        x87_set(c, r0, r); \
        x87_raise(c, status); \
        DONE_MEMORY(K); \
    }
#define ARITH(op) \
    ARITH_REGISTER(op, st0, r0, false) ARITH_REGISTER(op, sti, ri, false) ARITH_REGISTER(op, pop, ri, true) \
    ARITH_MEMORY(op, f32, 1) ARITH_MEMORY(op, f32, 2) ARITH_MEMORY(op, f64, 1) ARITH_MEMORY(op, f64, 2) \
    ARITH_MEMORY(op, i32, 1) ARITH_MEMORY(op, i32, 2)
ARITH(add)
ARITH(mul)
ARITH(sub)
ARITH(subr)
ARITH(div)
ARITH(divr)

HANDLER(fsqrt)
{
    unsigned r0 = x87_register(c, 0);
    struct f80 r;
    uint16_t status;
    REQUIRE(x87_nearest(c));
    REQUIRE(!x87_empty(c, r0));
    REQUIRE(quick_sqrt(X87->control, x87_get(c, r0), &r, &status));
    x87_set(c, r0, r);
    x87_raise(c, status);
    DONE;
}

HANDLER(frndint)
{
    unsigned r0 = x87_register(c, 0);
    struct f80 r;
    uint16_t status;
    REQUIRE(x87_ready(c));
    REQUIRE(!x87_empty(c, r0));
    REQUIRE(quick_to_whole(X87->control, x87_get(c, r0), &r, &status));
    x87_set(c, r0, r);
    x87_raise(c, status);
    DONE;
}

/* C0 C3 C1 = quotient bits 2 1 0; C2 clear: done. */
HANDLER(fprem)
{
    unsigned r0 = x87_register(c, 0), r1 = x87_register(c, 1);
    struct f80 r;
    uint64_t q;
    REQUIRE(x87_ready(c));
    REQUIRE(!x87_any_empty(c, r0, r1));
    REQUIRE(quick_rem(x87_get(c, r0), x87_get(c, r1), &r, &q));
    uint32_t conditions = (q & 4 ? FPU_C0 : 0) | (q & 2 ? FPU_C3 : 0) | (q & 1 ? FPU_C1 : 0);
    x87_set(c, r0, r);
    X87->status = (uint16_t)((X87->status & ~(FPU_CONDITION | FPU_C1)) | conditions);
    DONE;
}

/* --- comparisons --- */

/* FCOM, FUCOM: the same without NaNs. */
#define COMPARE_REGISTER(name, pops) \
    HANDLER(name) \
    { \
        unsigned r0 = x87_register(c, 0), ri = x87_register(c, i->d); \
        struct quick_relation r; \
        REQUIRE(x87_ready(c)); \
        REQUIRE(!x87_any_empty(c, r0, ri)); \
        REQUIRE(quick_compare(x87_get(c, r0), x87_get(c, ri), &r)); \
        x87_relate(c, r); \
        if (pops > 0) \
            x87_pop(c, r0); \
        if (pops > 1) \
            x87_pop(c, (r0 + 1) & 7); \
        DONE; \
    }
COMPARE_REGISTER(com, 0)
COMPARE_REGISTER(comp, 1)
COMPARE_REGISTER(compp, 2)

#define COMPARE_MEMORY(name, type, K, pop) \
    HANDLER(name##_##type##_##K) \
    { \
        unsigned r0 = x87_register(c, 0); \
        struct quick_relation r; \
        REQUIRE(x87_ready(c)); \
        REQUIRE(!x87_empty(c, r0)); \
        SOURCE(K, SIZE_##type); \
        READ_##type; \
        REQUIRE(quick_compare(x87_get(c, r0), v, &r)); \
        x87_relate(c, r); \
        if (pop) \
            x87_pop(c, r0); \
        DONE_MEMORY(K); \
    }
#define COMPARE(type) \
    COMPARE_MEMORY(com, type, 1, false) COMPARE_MEMORY(com, type, 2, false) \
    COMPARE_MEMORY(comp, type, 1, true) COMPARE_MEMORY(comp, type, 2, true)
COMPARE(f32)
COMPARE(f64)
COMPARE(i32)

#define COMPARE_FLAGS(name, pop) \
    HANDLER(name) \
    { \
        unsigned r0 = x87_register(c, 0), ri = x87_register(c, i->d); \
        struct quick_relation r; \
        REQUIRE(x87_ready(c)); \
        REQUIRE(!x87_any_empty(c, r0, ri)); \
        REQUIRE(quick_compare(x87_get(c, r0), x87_get(c, ri), &r)); \
        unit_set_relation(&FR, &FX, r.less, r.equal); \
        x87_raise(c, 0); \
        if (pop) \
            x87_pop(c, r0); \
        DONE; \
    }
COMPARE_FLAGS(comi, false)
COMPARE_FLAGS(comip, true)

HANDLER(ftst)
{
    unsigned r0 = x87_register(c, 0);
    struct quick_relation r;
    REQUIRE(x87_ready(c));
    REQUIRE(!x87_empty(c, r0));
    REQUIRE(quick_compare(x87_get(c, r0), (struct f80){0, 0}, &r));
    x87_relate(c, r);
    DONE;
}

/* The class in C3 C2 C0 (empty, zero, normal), the sign in C1. */
HANDLER(fxam)
{
    unsigned r0 = x87_register(c, 0);
    struct f80 a = x87_get(c, r0);
    REQUIRE(x87_ready(c));
    REQUIRE(x87_empty(c, r0) || quick_is_operand(a));
    uint32_t class = x87_empty(c, r0) ? FPU_C3 | FPU_C0 : a.mant ? FPU_C2 : FPU_C3;
    uint32_t conditions = class | (a.se >> 15 ? FPU_C1 : 0);
    X87->status = (uint16_t)((X87->status & ~(FPU_CONDITION | FPU_C1)) | conditions);
    DONE;
}

/* --- loads and stores --- */

#define LOAD(type, K) \
    HANDLER(fld_##type##_##K) \
    { \
        unsigned r = x87_register(c, 7); \
        REQUIRE(x87_ready(c)); \
        REQUIRE(x87_empty(c, r)); \
        SOURCE(K, SIZE_##type); \
        READ_##type; \
        x87_push(c, r, v); \
        x87_raise(c, 0); \
        DONE_MEMORY(K); \
    }
LOAD(f32, 1)
LOAD(f32, 2)
LOAD(f64, 1)
LOAD(f64, 2)
LOAD(f80, 1)
LOAD(i16, 1)
LOAD(i16, 2)
LOAD(i32, 1)
LOAD(i32, 2)
LOAD(i64, 1)
LOAD(i64, 2)

/* FST: conversions to the nearest. */
#define STORE_REAL(name, N, K, pop) \
    HANDLER(name##_f##N##_##K) \
    { \
        unsigned r0 = x87_register(c, 0); \
        uint##N##_t v; \
        uint16_t status; \
        REQUIRE(x87_nearest(c)); \
        REQUIRE(!x87_empty(c, r0)); \
        TARGET(K, N / 8); \
        REQUIRE(quick_to_f##N(x87_get(c, r0), &v, &status)); \
        store_le##N(p, v); \
        x87_raise(c, status); \
        if (pop) \
            x87_pop(c, r0); \
        DONE_MEMORY(K); \
    }
/* FIST: by any rounding control. */
#define STORE_INTEGER(name, N, K, pop) \
    HANDLER(name##_i##N##_##K) \
    { \
        unsigned r0 = x87_register(c, 0); \
        uint64_t v; \
        uint16_t status; \
        REQUIRE(x87_ready(c)); \
        REQUIRE(!x87_empty(c, r0)); \
        TARGET(K, N / 8); \
        REQUIRE(quick_to_integer(X87->control, x87_get(c, r0), N, &v, &status)); \
        store_le##N(p, (uint##N##_t)v); \
        x87_raise(c, status); \
        if (pop) \
            x87_pop(c, r0); \
        DONE_MEMORY(K); \
    }
#define STORES(kind, N) \
    STORE_##kind(fst, N, 1, false) STORE_##kind(fst, N, 2, false) STORE_##kind(fstp, N, 1, true) \
    STORE_##kind(fstp, N, 2, true)
STORES(REAL, 32)
STORES(REAL, 64)
STORES(INTEGER, 16)
STORES(INTEGER, 32)
STORE_INTEGER(fstp, 64, 1, true)
STORE_INTEGER(fstp, 64, 2, true)

HANDLER(fstp_f80_1)
{
    unsigned r0 = x87_register(c, 0);
    REQUIRE(x87_ready(c));
    REQUIRE(!x87_empty(c, r0));
    TARGET(1, 10);
    struct f80 v = x87_get(c, r0);
    store_le64(p, v.mant);
    store_le16(p + 8, v.se);
    x87_raise(c, 0);
    x87_pop(c, r0);
    DONE_MEMORY(1);
}

/* --- moves between registers --- */

HANDLER(fld_sti)
{
    unsigned r = x87_register(c, 7), ri = x87_register(c, i->d);
    REQUIRE(x87_ready(c));
    REQUIRE(x87_empty(c, r) && !x87_empty(c, ri));
    x87_push(c, r, x87_get(c, ri));
    x87_raise(c, 0);
    DONE;
}

HANDLER(fxch)
{
    unsigned r0 = x87_register(c, 0), ri = x87_register(c, i->d);
    REQUIRE(x87_ready(c));
    REQUIRE(!x87_any_empty(c, r0, ri));
    struct f80 a = x87_get(c, r0);
    x87_set(c, r0, x87_get(c, ri));
    x87_set(c, ri, a);
    x87_raise(c, 0);
    DONE;
}

#define STORE_REGISTER(name, pop) \
    HANDLER(name) \
    { \
        unsigned r0 = x87_register(c, 0), ri = x87_register(c, i->d); \
        REQUIRE(x87_ready(c)); \
        REQUIRE(!x87_empty(c, r0)); \
        x87_set(c, ri, x87_get(c, r0)); \
        X87->empty &= (uint8_t)~(1u << ri); \
        x87_raise(c, 0); \
        if (pop) \
            x87_pop(c, r0); \
        DONE; \
    }
STORE_REGISTER(fst_sti, false)
STORE_REGISTER(fstp_sti, true)

/* C1 stays. */
HANDLER(fcmov)
{
    unsigned r0 = x87_register(c, 0), ri = x87_register(c, i->x);
    REQUIRE(x87_ready(c));
    REQUIRE(!x87_any_empty(c, r0, ri));
    if (fl_cond(i->d, FR, FX))
        x87_set(c, r0, x87_get(c, ri));
    DONE;
}

#define SIGN(name, expression) \
    HANDLER(name) \
    { \
        unsigned r0 = x87_register(c, 0); \
        REQUIRE(x87_ready(c)); \
        REQUIRE(!x87_empty(c, r0)); \
        uint32_t se = X87->se[r0]; \
        X87->se[r0] = (uint16_t)(expression); \
        x87_raise(c, 0); \
        DONE; \
    }
SIGN(fchs, se ^ 0x8000)
SIGN(fabs_, se & 0x7fff)

#define CONSTANT(name, m, e) \
    HANDLER(name) \
    { \
        unsigned r = x87_register(c, 7); \
        REQUIRE(x87_ready(c)); \
        REQUIRE(x87_empty(c, r)); \
        x87_push(c, r, (struct f80){m, e}); \
        x87_raise(c, 0); \
        DONE; \
    }
CONSTANT(fld1, FP_TOP_BIT, FP_BIAS)
CONSTANT(fldz, 0, 0)

HANDLER(ffree)
{
    REQUIRE(x87_ready(c));
    X87->empty |= (uint8_t)(1u << x87_register(c, i->d));
    x87_raise(c, 0);
    DONE;
}

/* --- control --- */

HANDLER(fnstsw_ax)
{
    REQUIRE(x87_available(c));
    set16(c, GPR_OFFSET(REG_EAX), (uint32_t)(X87->status | X87->top << FPU_TOP_SHIFT));
    NEXT;
}

#define CONTROL(K) \
    HANDLER(fnstsw_##K) \
    { \
        REQUIRE(x87_available(c)); \
        TARGET(K, 2); \
        store16(p, (uint32_t)(X87->status | X87->top << FPU_TOP_SHIFT)); \
        NEXT; \
    } \
    HANDLER(fnstcw_##K) \
    { \
        REQUIRE(x87_available(c)); \
        TARGET(K, 2); \
        store16(p, X87->control); \
        NEXT; \
    } \
    HANDLER(fldcw_##K) \
    { \
        REQUIRE(x87_available(c) && !(X87->status & NOT_READY)); \
        SOURCE(K, 2); \
        uint32_t v = (load16(p) & FPU_CW_DEFINED) | FPU_CW_ONE; \
        REQUIRE(!(X87->status & ~v & FP_EXCEPTIONS)); \
        X87->control = (uint16_t)v; \
        NEXT; \
    }
CONTROL(1)
CONTROL(2)

HANDLER(fwait)
{
    REQUIRE((c->st.cr0 & (CR0_MP | CR0_TS)) != (CR0_MP | CR0_TS) && !(X87->status & FPU_ES));
    NEXT;
}

/* --- which handler: as in fpu_ops.c and fpu_reg.c --- */

#define KINDS(n) {n##_1, n##_2}
#define ARITHMETIC(type) \
    {KINDS(add_##type), KINDS(mul_##type), KINDS(com_##type), KINDS(comp_##type), KINDS(sub_##type), \
     KINDS(subr_##type), KINDS(div_##type), KINDS(divr_##type)}
/* By opcode, ModRM.reg, and whether segmentation counts. */
static fast_handler *const memory_handlers[8][8][2] = {
    ARITHMETIC(f32),
    {KINDS(fld_f32), {NULL}, KINDS(fst_f32), KINDS(fstp_f32), {NULL}, KINDS(fldcw), {NULL}, KINDS(fnstcw)},
    ARITHMETIC(i32),
    {KINDS(fld_i32), {NULL}, KINDS(fst_i32), KINDS(fstp_i32), {NULL}, {fld_f80_1}, {NULL}, {fstp_f80_1}},
    ARITHMETIC(f64),
    {KINDS(fld_f64), {NULL}, KINDS(fst_f64), KINDS(fstp_f64), {NULL}, {NULL}, {NULL}, KINDS(fnstsw)},
    {{NULL}},
    {KINDS(fld_i16), {NULL}, KINDS(fst_i16), KINDS(fstp_i16), {NULL}, KINDS(fld_i64), {NULL}, KINDS(fstp_i64)},
};

#define ON_REGISTERS(form, last, last2) \
    {add_##form, mul_##form, last, last2, sub_##form, subr_##form, div_##form, divr_##form}
/* By opcode and ModRM.reg where ModRM.rm is ST(i). */
static fast_handler *const register_handlers[8][8] = {
    ON_REGISTERS(st0, com, comp),
    {fld_sti, fxch},
    {fcmov, fcmov, fcmov, fcmov},
    {fcmov, fcmov, fcmov, fcmov, NULL, comi, comi},
    ON_REGISTERS(sti, NULL, NULL),
    {ffree, NULL, fst_sti, fstp_sti, com, comp},
    ON_REGISTERS(pop, NULL, NULL),
    {NULL, NULL, NULL, NULL, NULL, comip, comip},
};

static fast_handler *find_register_handler(const struct insn *o)
{
    switch ((o->opcode & 7) << 8 | o->modrm) {
    case 0x1e0: return fchs;
    case 0x1e1: return fabs_;
    case 0x1e4: return ftst;
    case 0x1e8: return fld1;
    case 0x1ee: return fldz;
    case 0x1e5: return fxam;
    case 0x1f8: return fprem;
    case 0x1fa: return fsqrt;
    case 0x1fc: return frndint;
    case 0x2e9: case 0x6d9: return compp;
    case 0x7e0: return fnstsw_ax;
    default: break;
    }
    return register_handlers[o->opcode & 7][o->modrm >> 3 & 7];
}

static bool is_fcmov(fast_handler *fn) { return fn == fcmov; }

/* What the models before the P6 lack (fpu_reg.c). */
static bool has_handler(const struct cpu *c, fast_handler *fn)
{
    return fn && ((c->model.features & FEAT_CMOV) || !(is_fcmov(fn) || fn == comi || fn == comip));
}

bool fast_select_x87(const struct cpu *c, const struct insn *o, unsigned kind, struct slot *s)
{
    static const uint8_t conditions[] = {2 /* B */, 4 /* E */, 6 /* BE */, 10 /* P: unordered */};
    if (!(c->model.features & FEAT_FPU) || c->model.level < CPU_386)
        return false;
    s->b = (uint32_t)((o->opcode & 7) << 8 | o->modrm) << 16;
    if (o->op == OP_WAIT) {
        s->fn = fwait;
    } else if (o->modrm < 0xc0) {
        s->fn = memory_handlers[o->opcode & 7][o->modrm >> 3 & 7][kind == 2];
    } else {
        s->fn = find_register_handler(o);
        s->d = o->modrm & 7;
        if (is_fcmov(s->fn)) {
            s->x = s->d;
            s->d = conditions[o->modrm >> 3 & 3] ^ (o->opcode & 1);
        }
    }
    return has_handler(c, s->fn);
}
