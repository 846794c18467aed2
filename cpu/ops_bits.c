/*
 * Shifts, rotates, bit tests and scans, NOT, byte swap (SDM 2A, 2B). Shift counts are taken modulo 32
 * from the 186 on; the 8086 executes all of CL's 256 counts.
 */
#include "cpu/operand.h"

static uint32_t shift_count(const struct cpu *c, const struct insn *i)
{
    uint32_t n = (i->flags & INSN_CL) ? reg_read(c, REG_ECX, 1) : i->imm;
    return c->model.level == CPU_8086 ? n & 0xff : n & 31;
}

static void shift(struct cpu *c, const struct insn *i, alu_fn *f)
{
    uint32_t ea, a = dst_read(c, i, &ea);
    uint64_t fr = c->fr, fx = c->fx;
    dst_write(c, i, ea, f(i->size, a, shift_count(c, i), &fr, &fx));
    c->fr = fr;
    c->fx = fx;
}

/* C0-C1, D0-D3 /0../7. */
void op_rol(struct cpu *c, const struct insn *i) { shift(c, i, alu_rol); }
void op_ror(struct cpu *c, const struct insn *i) { shift(c, i, alu_ror); }
void op_rcl(struct cpu *c, const struct insn *i) { shift(c, i, alu_rcl); }
void op_rcr(struct cpu *c, const struct insn *i) { shift(c, i, alu_rcr); }
void op_shl(struct cpu *c, const struct insn *i) { shift(c, i, alu_shl); }

/* Right shifts clear AF, but the captured 286 sets it. */
static void shift_right(struct cpu *c, const struct insn *i, alu_fn *f)
{
    uint32_t n = shift_count(c, i); /* before it: CL may be the operand */
    shift(c, i, f);
    if (c->model.level == CPU_286 && n != 0)
        c->fx ^= 16;
}

void op_shr(struct cpu *c, const struct insn *i) { shift_right(c, i, alu_shr); }
void op_sar(struct cpu *c, const struct insn *i) { shift_right(c, i, alu_sar); }

/* All ones: OR with -1 in the 8086's microcode. */
static uint32_t set_minus_one(unsigned size, uint32_t a, uint32_t b, uint64_t *fr, uint64_t *fx)
{
    return b == 0 ? a : alu_logic(size, alu_mask(size), fr, fx);
}

/* SETMO, SETMOC -- 8086: D0-D3 /6. */
void op_setmo(struct cpu *c, const struct insn *i) { shift(c, i, set_minus_one); }

typedef uint32_t double_shift_fn(unsigned size, uint32_t a, uint32_t fill, uint32_t n, uint64_t *fr, uint64_t *fx);

static void double_shift(struct cpu *c, const struct insn *i, double_shift_fn *f)
{
    uint32_t ea, a = dst_read(c, i, &ea), n = shift_count(c, i);
    uint64_t fr = c->fr, fx = c->fx;
    dst_write(c, i, ea, n ? f(i->size, a, reg_read(c, i->src, i->size), n, &fr, &fx) : a);
    c->fr = fr;
    c->fx = fx;
}

/* SHLD -- 0F A4, A5. */
void op_shld(struct cpu *c, const struct insn *i) { double_shift(c, i, alu_shld); }
/* SHRD -- 0F AC, AD. */
void op_shrd(struct cpu *c, const struct insn *i) { double_shift(c, i, alu_shrd); }

/* NOT -- F6-F7 /2. No flags. */
void op_not(struct cpu *c, const struct insn *i)
{
    uint32_t ea, a = dst_read(c, i, &ea);
    dst_write(c, i, ea, ~a & alu_mask(i->size));
}

/* Bit number of a bit test. */
static uint32_t bit_index(const struct cpu *c, const struct insn *i)
{
    bool reg = i->form == FORM_RR || i->form == FORM_MR;
    return reg ? reg_read(c, i->src, i->size) : i->imm;
}

/* A bit offset in a register reaches beyond the operand in memory (SDM 2A 3.1.1.9). */
static uint32_t bit_address(const struct cpu *c, const struct insn *i, uint32_t index)
{
    uint32_t ea = insn_ea(c, i);
    if (i->form == FORM_MR) {
        int32_t bit = (int32_t)alu_sext(i->size, index);
        ea += (uint32_t)(bit >> (i->size == 4 ? 5 : 4)) * i->size;
    }
    return ea & address_mask(i);
}

static uint32_t bit_result(unsigned op, uint32_t value, uint32_t mask)
{
    switch (op) {
    case OP_BTS: return value | mask;
    case OP_BTR: return value & ~mask;
    default: return value ^ mask;
    }
}

static void bit_carry(struct cpu *c, uint32_t value, uint32_t bit)
{
    fl_set_cf_of(&c->fr, &c->fx, value >> bit & 1, fl_of(c->fr, c->fx));
}

/* BT -- 0F A3, BA /4. CF = the bit. */
void op_bt(struct cpu *c, const struct insn *i)
{
    uint32_t index = bit_index(c, i), value;
    if (dst_is_memory(i))
        value = (uint32_t)mem_read(c, i->seg, bit_address(c, i, index), i->size);
    else
        value = reg_read(c, i->dst, i->size);
    bit_carry(c, value, index & (8u * i->size - 1));
}

static void bit_change(struct cpu *c, const struct insn *i)
{
    uint32_t index = bit_index(c, i), bit = index & (8u * i->size - 1), ea = 0, value;
    if (dst_is_memory(i)) {
        ea = bit_address(c, i, index);
        value = (uint32_t)mem_read_rmw(c, i->seg, ea, i->size);
    } else {
        value = reg_read(c, i->dst, i->size);
    }
    dst_write(c, i, ea, bit_result(i->op, value, 1u << bit));
    bit_carry(c, value, bit);
}

/* BTS -- 0F AB, BA /5; BTR -- 0F B3, BA /6; BTC -- 0F BB, BA /7. */
void op_bts(struct cpu *c, const struct insn *i) { bit_change(c, i); }
void op_btr(struct cpu *c, const struct insn *i) { bit_change(c, i); }
void op_btc(struct cpu *c, const struct insn *i) { bit_change(c, i); }

static uint32_t lowest_bit(uint32_t v)
{
    uint32_t n = 0;
    for (; !(v & 1); v >>= 1)
        n++;
    return n;
}

static uint32_t highest_bit(uint32_t v)
{
    uint32_t n = 0;
    for (; v > 1; v >>= 1)
        n++;
    return n;
}

/* BSF, BSR: a zero source sets ZF and leaves the destination alone, as all chips do. */
static void bit_scan(struct cpu *c, const struct insn *i, uint32_t (*find)(uint32_t))
{
    uint32_t v = src_read(c, i);
    if (v)
        reg_write(c, i->dst, i->size, find(v));
    alu_logic(i->size, v, &c->fr, &c->fx);
}

/* BSF -- 0F BC. */
void op_bsf(struct cpu *c, const struct insn *i) { bit_scan(c, i, lowest_bit); }
/* BSR -- 0F BD. */
void op_bsr(struct cpu *c, const struct insn *i) { bit_scan(c, i, highest_bit); }

/* BSWAP -- 0F C8+r. With a 16-bit operand (undefined) the register's low word becomes 0. */
void op_bswap(struct cpu *c, const struct insn *i)
{
    uint32_t v = reg_read(c, i->dst, 4);
    v = v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
    reg_write(c, i->dst, i->size, i->size == 4 ? v : 0);
}
