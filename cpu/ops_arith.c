/*
 * Integer arithmetic: addition, subtraction, comparison, multiplication, division, decimal and ASCII
 * adjustment (SDM 2A, 2B; 80286PRM; 8086 Family User's Manual). Logic and shifts are in ops_bits.c.
 *
 * Undefined flags follow the captured chips where the corpus shows them.
 */
#include "cpu/operand.h"

/* dst = f(dst, src) */
static void binary(struct cpu *c, const struct insn *i, alu_fn *f)
{
    uint32_t ea, b = src_read(c, i), a = dst_read(c, i, &ea);
    uint64_t fr = c->fr, fx = c->fx;
    dst_write(c, i, ea, f(i->size, a, b, &fr, &fx));
    c->fr = fr;
    c->fx = fx;
}

/* dst = f(dst) */
static void unary(struct cpu *c, const struct insn *i, alu_fn *f)
{
    uint32_t ea, a = dst_read(c, i, &ea);
    uint64_t fr = c->fr, fx = c->fx;
    dst_write(c, i, ea, f(i->size, a, 0, &fr, &fx));
    c->fr = fr;
    c->fx = fx;
}

/* The first operand of an instruction that does not write it. */
static uint32_t first_read(struct cpu *c, const struct insn *i)
{
    return dst_is_memory(i) ? memory_operand(c, i, i->size) : reg_read(c, i->dst, i->size);
}

/* ADD -- 00-05, 80-83 /0. OSZAPC from the sum. */
void op_add(struct cpu *c, const struct insn *i) { binary(c, i, alu_add); }
/* ADC -- 10-15, 80-83 /2. */
void op_adc(struct cpu *c, const struct insn *i) { binary(c, i, alu_adc); }
/* SUB -- 28-2D, 80-83 /5. */
void op_sub(struct cpu *c, const struct insn *i) { binary(c, i, alu_sub); }
/* SBB -- 18-1D, 80-83 /3. */
void op_sbb(struct cpu *c, const struct insn *i) { binary(c, i, alu_sbb); }
/* AND, OR, XOR: CF = OF = 0. */
void op_and(struct cpu *c, const struct insn *i) { binary(c, i, alu_and); }
void op_or(struct cpu *c, const struct insn *i) { binary(c, i, alu_or); }
void op_xor(struct cpu *c, const struct insn *i) { binary(c, i, alu_xor); }

/* CMP -- 38-3D, 80-83 /7. */
void op_cmp(struct cpu *c, const struct insn *i)
{
    uint32_t b = src_read(c, i), a = first_read(c, i);
    alu_sub(i->size, a, b, &c->fr, &c->fx);
}

/* TEST -- 84, 85, A8, A9, F6-F7 /0, /1. */
void op_test(struct cpu *c, const struct insn *i)
{
    uint32_t b = src_read(c, i), a = first_read(c, i);
    alu_and(i->size, a, b, &c->fr, &c->fx);
}

/* INC, DEC -- 40-4F, FE-FF /0, /1. CF stays. */
void op_inc(struct cpu *c, const struct insn *i) { unary(c, i, alu_inc); }
void op_dec(struct cpu *c, const struct insn *i) { unary(c, i, alu_dec); }
/* NEG -- F6-F7 /3. CF = operand not 0. */
void op_neg(struct cpu *c, const struct insn *i) { unary(c, i, alu_neg); }

/* XADD -- 0F C0-C1 /r. The source register gets the old destination. */
void op_xadd(struct cpu *c, const struct insn *i)
{
    uint32_t ea, b = reg_read(c, i->src, i->size), a = dst_read(c, i, &ea);
    uint64_t fr = c->fr, fx = c->fx;
    uint32_t sum = alu_add(i->size, a, b, &fr, &fx);
    if (dst_is_memory(i))
        dst_write(c, i, ea, sum);
    reg_write(c, i->src, i->size, a);
    if (!dst_is_memory(i))
        dst_write(c, i, ea, sum);
    c->fr = fr;
    c->fx = fx;
}

/* CMPXCHG -- 0F B0-B1 /r. Memory is written in either case. */
void op_cmpxchg(struct cpu *c, const struct insn *i)
{
    uint32_t ea, b = reg_read(c, i->src, i->size), old = dst_read(c, i, &ea);
    uint64_t fr = c->fr, fx = c->fx;
    uint32_t diff = alu_sub(i->size, reg_read(c, REG_EAX, i->size), old, &fr, &fx);
    dst_write(c, i, ea, diff == 0 ? b : old);
    if (diff != 0)
        reg_write(c, REG_EAX, i->size, old);
    c->fr = fr;
    c->fx = fx;
}

/* CMPXCHG8B -- 0F C7 /1. Only ZF changes. */
void op_cmpxchg8b(struct cpu *c, const struct insn *i)
{
    uint32_t ea = insn_ea(c, i);
    uint64_t old = mem_read_rmw(c, i->seg, ea, 8);
    uint64_t expected = c->st.gpr[REG_EDX] << 32 | c->st.gpr[REG_EAX];
    uint64_t fresh = c->st.gpr[REG_ECX] << 32 | c->st.gpr[REG_EBX];
    bool equal = old == expected;
    mem_write(c, i->seg, ea, 8, equal ? fresh : old);
    if (!equal) {
        c->st.gpr[REG_EAX] = (uint32_t)old;
        c->st.gpr[REG_EDX] = old >> 32;
    }
    uint32_t f = fl_arith(c->fr, c->fx) & ~(uint32_t)FLAG_ZF;
    flags_set_arith(c, f | (equal ? FLAG_ZF : 0));
}

/* Multiplication */

/* CF = OF = the upper half is significant. Undefined: SF ZF PF are those of the lower half, up to the
 * 286 of the upper half, and AF is set on the 286. */
static void multiply_flags(struct cpu *c, unsigned size, uint64_t product, bool overflow)
{
    bool upper = c->model.level <= CPU_286;
    uint32_t v = (uint32_t)(upper ? product >> 8 * size : product) & alu_mask(size);
    alu_logic(size, v, &c->fr, &c->fx);
    fl_set_cf_of(&c->fr, &c->fx, overflow, overflow);
    if (c->model.level == CPU_286)
        c->fx ^= 16;
}

/* Low and high half of a product to AX or to (E)DX:(E)AX. */
static void write_product(struct cpu *c, unsigned size, uint64_t product)
{
    if (size == 1) {
        reg_write(c, REG_EAX, 2, (uint32_t)product & 0xffff);
        return;
    }
    reg_write(c, REG_EAX, size, (uint32_t)product);
    reg_write(c, REG_EDX, size, (uint32_t)(product >> 8 * size));
}

static bool fits_signed(unsigned size, int64_t v)
{
    return v == (int32_t)alu_sext(size, (uint32_t)v);
}

static int64_t signed_value(unsigned size, uint32_t v)
{
    return (int32_t)alu_sext(size, v);
}

/* MUL -- F6-F7 /4. */
void op_mul(struct cpu *c, const struct insn *i)
{
    uint64_t p = (uint64_t)reg_read(c, REG_EAX, i->size) * src_read(c, i);
    write_product(c, i->size, p);
    multiply_flags(c, i->size, p, (p >> 8 * i->size) != 0);
}

/* The 8086 adds the lower half's sign to the upper half to see whether that is significant (microcode IMULCOF). */
static void imul_flags_8086(struct cpu *c, unsigned size, uint64_t product)
{
    uint32_t lower = (uint32_t)product & alu_mask(size), upper = (uint32_t)(product >> 8 * size) & alu_mask(size);
    uint32_t sum = alu_add(size, upper, alu_msb(size, lower), &c->fr, &c->fx);
    fl_set_cf_of(&c->fr, &c->fx, sum != 0, sum != 0);
}

/* IMUL r/m -- F6-F7 /5. */
void op_imul1(struct cpu *c, const struct insn *i)
{
    int64_t p = signed_value(i->size, reg_read(c, REG_EAX, i->size)) * signed_value(i->size, src_read(c, i));
    write_product(c, i->size, (uint64_t)p);
    if (c->model.level <= CPU_186)
        imul_flags_8086(c, i->size, (uint64_t)p);
    else
        multiply_flags(c, i->size, (uint64_t)p, !fits_signed(i->size, p));
}

static void imul_to_register(struct cpu *c, const struct insn *i, uint32_t a, uint32_t b)
{
    int64_t p = signed_value(i->size, a) * signed_value(i->size, b);
    reg_write(c, i->dst, i->size, (uint32_t)p);
    multiply_flags(c, i->size, (uint64_t)p, !fits_signed(i->size, p));
}

/* IMUL r, r/m -- 0F AF /r. */
void op_imul2(struct cpu *c, const struct insn *i)
{
    imul_to_register(c, i, reg_read(c, i->dst, i->size), src_read(c, i));
}

/* IMUL r, r/m, imm -- 69, 6B /r. */
void op_imul3(struct cpu *c, const struct insn *i)
{
    imul_to_register(c, i, src_read(c, i), i->imm & alu_mask(i->size));
}

/* Division */

/* The 8086 pushes the address of the next instruction, later chips that of the division itself. */
static COLD void divide_error(struct cpu *c)
{
    if (c->model.level <= CPU_186)
        c->insn_eip = c->st.eip;
    cpu_raise(c, VEC_DE, 0);
}

static uint64_t dividend(const struct cpu *c, unsigned size)
{
    if (size == 1)
        return reg_read(c, REG_EAX, 2);
    return (uint64_t)reg_read(c, REG_EDX, size) << 8 * size | reg_read(c, REG_EAX, size);
}

static void write_quotient(struct cpu *c, unsigned size, uint32_t quotient, uint32_t rest)
{
    reg_write(c, REG_EAX, size, quotient);
    reg_write(c, size == 1 ? 4u /* AH */ : REG_EDX, size, rest);
}

/* Flags of a division on the 8086, which makes the quotient bit by bit: those of its last comparison, and CF from its last
 * rotation, the quotient's upper bit inverted (microcode CORD, as disassembled by A. Jenner). */
static void divide_flags(struct cpu *c, unsigned size, uint64_t n, uint32_t d)
{
    uint32_t rest = (uint32_t)(n >> 8 * size), mask = alu_mask(size);
    alu_sub(size, rest, d, &c->fr, &c->fx);
    if (d == 0 || rest >= d)
        return; /* divide error */
    for (unsigned k = 8 * size; k-- > 0;) {
        bool out = alu_msb(size, rest);
        rest = (rest << 1 | (uint32_t)(n >> k & 1)) & mask;
        uint32_t less = out ? (rest - d) & mask : alu_sub(size, rest, d, &c->fr, &c->fx);
        if (out || !fl_cf(c->fr))
            rest = less;
    }
    fl_set_cf_of(&c->fr, &c->fx, !alu_msb(size, (uint32_t)(n / d)), fl_of(c->fr, c->fx));
}

/* The same on the captured 286 where it gives a result (what it pushes with a divide error has no known rule): SF ZF PF of
 * the remainder, AF set, CF = OF = whether the last step needed no subtraction or had a carry out of its shift; after IDIV
 * whether the divisor was positive. */
static void divide_flags_286(struct cpu *c, unsigned size, uint32_t rest, bool carry)
{
    alu_logic(size, rest & alu_mask(size), &c->fr, &c->fx);
    c->fx ^= 16;
    fl_set_cf_of(&c->fr, &c->fx, carry, carry);
}

static uint64_t magnitude(int64_t v) { return v < 0 ? 0 - (uint64_t)v : (uint64_t)v; }

/* DIV -- F6-F7 /6. */
void op_div(struct cpu *c, const struct insn *i)
{
    uint64_t n = dividend(c, i->size), d = src_read(c, i);
    if (c->model.level <= CPU_186)
        divide_flags(c, i->size, n, (uint32_t)d);
    if (d == 0 || n / d > alu_mask(i->size))
        divide_error(c);
    if (c->model.level == CPU_286)
        divide_flags_286(c, i->size, (uint32_t)(n % d), !(n / d & 1) || n % d + d > alu_mask(i->size));
    write_quotient(c, i->size, (uint32_t)(n / d), (uint32_t)(n % d));
}

/* IDIV -- F6-F7 /7. The 8086 refuses the most negative quotient too. */
void op_idiv(struct cpu *c, const struct insn *i)
{
    unsigned unused = 64 - 16u * i->size;
    int64_t n = (int64_t)(dividend(c, i->size) << unused) >> unused;
    int64_t d = signed_value(i->size, src_read(c, i));
    if (c->model.level <= CPU_186)
        divide_flags(c, i->size, magnitude(n), (uint32_t)magnitude(d));
    if (d == 0 || (n == INT64_MIN && d == -1))
        divide_error(c);
    int64_t q = n / d;
    bool most_negative = q == -(int64_t)(alu_mask(i->size) / 2 + 1);
    if (!fits_signed(i->size, q) || (most_negative && c->model.level <= CPU_186))
        divide_error(c);
    if (i->rep && c->model.level <= CPU_186) /* REP flips the microcode's sign flag */
        q = -q;
    if (c->model.level <= CPU_186)
        fl_set_cf_of(&c->fr, &c->fx, 0, 0);
    if (c->model.level == CPU_286)
        divide_flags_286(c, i->size, (uint32_t)(n % d), d > 0);
    write_quotient(c, i->size, (uint32_t)q, (uint32_t)(n % d));
}

/* Decimal and ASCII adjustment */

static void set_szp(struct cpu *c, uint32_t al, uint32_t oac)
{
    uint64_t fr, fx;
    alu_logic(1, al & 0xff, &fr, &fx);
    flags_set_arith(c, (fl_arith(fr, fx) & (FLAG_SF | FLAG_ZF | FLAG_PF)) | oac);
}

/* Is the high digit to be adjusted? With AF the 8086 compares against 9F, later chips against 99. */
static bool adjust_high(const struct cpu *c, uint32_t al)
{
    bool af = fl_af(c->fr, c->fx);
    uint32_t top = af && c->model.level <= CPU_186 ? 0x9f : 0x99;
    return al > top || fl_cf(c->fr);
}

/* DAA -- 27; DAS -- 2F (SDM 2A). OF as of the whole adjustment; `borrow`: DAS's CF from the low digit. */
static void decimal_adjust(struct cpu *c, alu_fn *f, bool borrow)
{
    uint32_t al = reg_read(c, REG_EAX, 1), by = 0, carry = 0;
    uint64_t fr, fx;
    if ((al & 15) > 9 || fl_af(c->fr, c->fx))
        by = 6;
    if (borrow && by && al < 6 && c->model.level > CPU_186)
        carry = FLAG_CF;
    if (adjust_high(c, al)) {
        by |= 0x60;
        carry = FLAG_CF;
    }
    uint32_t r = f(1, al, by, &fr, &fx);
    reg_write(c, REG_EAX, 1, r);
    set_szp(c, r, carry | (by & 6 ? FLAG_AF : 0) | fl_of(fr, fx) << 11);
}

void op_daa(struct cpu *c, const struct insn *i)
{
    (void)i;
    decimal_adjust(c, alu_add, false);
}

void op_das(struct cpu *c, const struct insn *i)
{
    (void)i;
    decimal_adjust(c, alu_sub, true);
}

/* OF of adding 6 to AL (AAA) or subtracting it (AAS); undefined, but so on the captured chips. */
static uint32_t ascii_overflow(int step, uint32_t before, uint32_t after)
{
    uint32_t sign = step > 0 ? ~before & after : before & ~after;
    return sign & 0x80 ? FLAG_OF : 0;
}

/* The step of AAA (step 1) and AAS (step -1). Up to the 186 AL and AH are adjusted apart, later
 * chips adjust AX, so that AL carries into AH. */
static void ascii_adjust(struct cpu *c, int step)
{
    uint32_t ax = reg_read(c, REG_EAX, 2), old = ax;
    bool adjust = (ax & 15) > 9 || fl_af(c->fr, c->fx);
    if (adjust && c->model.level >= CPU_286)
        ax = (uint32_t)((int)ax + step * 0x106);
    else if (adjust)
        ax = ((uint32_t)((int)ax + step * 0x100) & 0xff00) | ((uint32_t)((int)ax + step * 6) & 0xff);
    reg_write(c, REG_EAX, 2, ax & 0xff0f);
    set_szp(c, ax & 0xff, (adjust ? FLAG_AF | FLAG_CF : 0) | ascii_overflow(step, old, ax));
}

/* AAA -- 37. */
void op_aaa(struct cpu *c, const struct insn *i)
{
    (void)i;
    ascii_adjust(c, 1);
}

/* AAS -- 3F. */
void op_aas(struct cpu *c, const struct insn *i)
{
    (void)i;
    ascii_adjust(c, -1);
}

/* AAM -- D4 ib. */
void op_aam(struct cpu *c, const struct insn *i)
{
    uint32_t al = reg_read(c, REG_EAX, 1), base = i->imm & 0xff;
    if (base == 0) {
        if (c->model.level <= CPU_186)
            set_szp(c, 0, 0);
        divide_error(c);
    }
    reg_write(c, REG_EAX, 2, al / base << 8 | al % base);
    set_szp(c, al % base, 0);
}

/* AAD -- D5 ib. */
void op_aad(struct cpu *c, const struct insn *i)
{
    uint32_t al = reg_read(c, REG_EAX, 1), ah = reg_read(c, 4, 1);
    uint64_t fr, fx;
    uint32_t r = alu_add(1, al, ah * i->imm & 0xff, &fr, &fx);
    reg_write(c, REG_EAX, 2, r);
    c->fr = fr;
    c->fx = fx;
    if (c->model.level == CPU_286) /* OF is undefined */
        fl_set_cf_of(&c->fr, &c->fx, fl_cf(fr), fl_cf(fr));
}

/* CBW, CWDE -- 98. */
void op_cbw(struct cpu *c, const struct insn *i)
{
    reg_write(c, REG_EAX, i->size, alu_sext(i->size / 2, reg_read(c, REG_EAX, i->size / 2)));
}

/* CWD, CDQ -- 99. */
void op_cwd(struct cpu *c, const struct insn *i)
{
    bool negative = alu_msb(i->size, reg_read(c, REG_EAX, i->size));
    reg_write(c, REG_EDX, i->size, negative ? 0xffffffffu : 0);
}
