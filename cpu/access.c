/*
 * What instruction bodies reach: registers by number and size, effective addresses, memory through
 * segmentation and paging, the stack (SDM 3A 5.3 limit checks, 5.5 type checks, 6.15 #AC; SDM 1 3.7.5).
 *
 * The 8086 and 186 have no limits: offsets wrap at 64 KiB within an operand, addresses at 1 MiB. From
 * the 286 on an operand must lie within the limit. In real and V86 mode only the limit is checked.
 *
 * NOT MODELLED: bus locking, split-access order as seen by devices.
 */
#include "cpu/desc.h"

uint32_t reg_read(const struct cpu *c, unsigned reg, unsigned size)
{
    if (size == 4)
        return (uint32_t)c->st.gpr[reg];
    if (size == 2)
        return (uint16_t)c->st.gpr[reg];
    return reg < 4 ? (uint8_t)c->st.gpr[reg] : (uint8_t)(c->st.gpr[reg & 3] >> 8);
}

static void replace_bits(uint64_t *reg, uint64_t mask, uint64_t value)
{
    *reg = (*reg & ~mask) | (value & mask);
}

void reg_write(struct cpu *c, unsigned reg, unsigned size, uint32_t value)
{
    if (size == 4)
        c->st.gpr[reg] = value;
    else if (size == 2)
        replace_bits(&c->st.gpr[reg], 0xffff, value);
    else if (reg < 4)
        replace_bits(&c->st.gpr[reg], 0xff, value);
    else
        replace_bits(&c->st.gpr[reg & 3], 0xff00, value << 8);
}

static uint32_t address_register(const struct cpu *c, unsigned reg)
{
    return reg == REG_NONE ? 0 : (uint32_t)c->st.gpr[reg];
}

uint32_t insn_ea(const struct cpu *c, const struct insn *i)
{
    uint32_t ea = address_register(c, i->base) + (address_register(c, i->index) << i->scale) + i->disp;
    return i->asize == 2 ? ea & 0xffff : ea;
}

/* Segmentation */

static bool wraps(const struct cpu *c)
{
    return c->model.level <= CPU_186;
}

/* The 286 in real mode has one exception for all segments (80286PRM 9.7, segment overrun). */
static COLD void segment_fault(struct cpu *c, unsigned seg)
{
    bool stack = seg == SEG_SS && !(c->model.level == CPU_286 && in_real_mode(c));
    cpu_raise(c, stack ? VEC_SS : VEC_GP, 0);
}

/* Type rules of protected mode: writes need writable data, reads anything but execute-only code. */
static bool type_allows(const struct cpu *c, uint16_t attr, bool write)
{
    if (!in_protected(c))
        return true;
    if (write)
        return (attr & (SEG_ATTR_CODE | SEG_ATTR_WRITABLE)) == SEG_ATTR_WRITABLE;
    return (attr & SEG_ATTR_CODE) == 0 || (attr & SEG_ATTR_WRITABLE);
}

laddr seg_linear(struct cpu *c, unsigned seg, uint32_t offset, unsigned size, bool write)
{
    const struct cpu_seg *s = &c->st.seg[seg];
    if (wraps(c))
        return (uint32_t)(s->base + offset) & 0xfffff;
    if (UNLIKELY(!(s->attr & SEG_ATTR_P) || !type_allows(c, s->attr, write)))
        segment_fault(c, seg);
    if (UNLIKELY(!seg_limit_ok(s, offset, size)))
        segment_fault(c, seg);
    return (uint32_t)(s->base + offset);
}

/* Linear memory */

/* #AC at CPL 3 with CR0.AM and EFLAGS.AC (SDM 3A 6.15); MMX and larger operands check 8 bytes. */
void lin_check_alignment(struct cpu *c, laddr addr, unsigned size)
{
    bool on = c->st.cpl == 3 && (c->st.cr0 & CR0_AM) && (c->st.eflags & FLAG_AC);
    if (UNLIKELY(on) && (addr & (size - 1)) != 0)
        cpu_raise(c, VEC_AC, 0);
}

static void watch(struct cpu *c, laddr addr, unsigned size, bool write)
{
    if (UNLIKELY(debug_armed(c)))
        debug_check_data(c, addr, size, write);
}

/* Byte `k` of an operand on the 8086. */
static laddr wrapped(const struct cpu *c, unsigned seg, uint32_t offset, unsigned k)
{
    return (uint32_t)(c->st.seg[seg].base + ((offset + k) & 0xffff)) & 0xfffff;
}

static bool splits(const struct cpu *c, unsigned seg, uint32_t offset, unsigned size)
{
    return wraps(c) && wrapped(c, seg, offset, size - 1) != wrapped(c, seg, offset, 0) + size - 1;
}

static uint64_t read_split(struct cpu *c, unsigned seg, uint32_t offset, unsigned size)
{
    uint64_t v = 0;
    for (unsigned k = 0; k < size; k++)
        v |= (uint64_t)lin_read(c, wrapped(c, seg, offset, k), 1, false) << 8 * k;
    return v;
}

static void write_split(struct cpu *c, unsigned seg, uint32_t offset, unsigned size, uint64_t value)
{
    for (unsigned k = 0; k < size; k++)
        lin_write(c, wrapped(c, seg, offset, k), 1, false, (uint32_t)(value >> 8 * k) & 0xff);
}

uint64_t mem_read(struct cpu *c, unsigned seg, uint32_t offset, unsigned size)
{
    uint64_t v;
    if (UNLIKELY(splits(c, seg, offset, size)))
        return read_split(c, seg, offset, size);
    laddr addr = seg_linear(c, seg, offset, size, false);
    lin_check_alignment(c, addr, size);
    if (UNLIKELY(!mmu_read(&c->mmu, addr, size, c->mmu.user, &v)))
        raise_page_fault(c);
    watch(c, addr, size, false);
    return v;
}

void mem_write(struct cpu *c, unsigned seg, uint32_t offset, unsigned size, uint64_t value)
{
    if (UNLIKELY(splits(c, seg, offset, size))) {
        write_split(c, seg, offset, size, value);
        return;
    }
    laddr addr = seg_linear(c, seg, offset, size, true);
    lin_check_alignment(c, addr, size);
    if (UNLIKELY(!mmu_write(&c->mmu, addr, size, c->mmu.user, value)))
        raise_page_fault(c);
    watch(c, addr, size, true);
}

void mem_probe_write(struct cpu *c, unsigned seg, uint32_t offset, unsigned size)
{
    if (wraps(c))
        return;
    laddr addr = seg_linear(c, seg, offset, size, true);
    lin_check_alignment(c, addr, size);
    if (UNLIKELY(!mmu_probe_write(&c->mmu, addr, size, c->mmu.user)))
        raise_page_fault(c);
}

uint64_t mem_read_rmw(struct cpu *c, unsigned seg, uint32_t offset, unsigned size)
{
    mem_probe_write(c, seg, offset, size);
    return mem_read(c, seg, offset, size);
}

uint32_t sys_read(struct cpu *c, laddr addr, unsigned size)
{
    return lin_read(c, addr, size, false);
}

void sys_write(struct cpu *c, laddr addr, unsigned size, uint32_t value)
{
    lin_write(c, addr, size, false, value);
}

/* The stack */

static uint32_t stack_mask(const struct cpu *c)
{
    return stack32(c) ? 0xffffffffu : 0xffff;
}

uint32_t stack_pointer(const struct cpu *c)
{
    return (uint32_t)c->st.gpr[REG_ESP] & stack_mask(c);
}

void stack_set_pointer(struct cpu *c, uint32_t sp)
{
    replace_bits(&c->st.gpr[REG_ESP], stack_mask(c), sp);
}

void stack_push(struct cpu *c, unsigned size, uint32_t value)
{
    uint32_t sp = (stack_pointer(c) - size) & stack_mask(c);
    mem_write(c, SEG_SS, sp, size, value);
    stack_set_pointer(c, sp);
}

uint32_t stack_peek(struct cpu *c, uint32_t offset, unsigned size)
{
    return (uint32_t)mem_read(c, SEG_SS, (stack_pointer(c) + offset) & stack_mask(c), size);
}

uint32_t stack_pop(struct cpu *c, unsigned size)
{
    uint32_t v = stack_peek(c, 0, size);
    stack_set_pointer(c, stack_pointer(c) + size);
    return v;
}
