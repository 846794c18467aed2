/*
 * System instructions: descriptor-table registers, segment register moves, protection queries, far
 * transfers and software interrupts, MSRs, time stamp, CPUID, SYSENTER/SYSEXIT, the 286's LOADALL
 * (SDM volumes 2A, 2B; LOADALL: Intel 80286 LOADALL note of 1984). Control and debug registers are in
 * control.c.
 *
 * NOT MODELLED: SMM (RSM is #UD), caches (INVD, WBINVD, CLFLUSH check and do nothing).
 */
#include "cpu/desc.h"

static void require_cpl0(struct cpu *c)
{
    if (c->st.cpl != 0)
        raise_gp(c, 0);
}

/* Instructions that real and V86 mode do not recognize. */
static void require_protected(struct cpu *c)
{
    if (!in_protected(c))
        raise_ud(c);
}

/* A 16-bit register or memory operand in first (R, M) or second place (RR, RM). */
static uint16_t operand16(struct cpu *c, const struct insn *i)
{
    switch (i->form) {
    case FORM_R: return (uint16_t)reg_read(c, i->dst, 2);
    case FORM_RR: return (uint16_t)reg_read(c, i->src, 2);
    default: return (uint16_t)mem_read(c, i->seg, insn_ea(c, i), 2);
    }
}

/* A 16-bit value to a register (zero-extended to the operand size) or to a word of memory. */
static void store16(struct cpu *c, const struct insn *i, uint16_t value)
{
    if (i->form == FORM_R || i->form == FORM_RR)
        reg_write(c, i->dst, i->size, value);
    else
        mem_write(c, i->seg, insn_ea(c, i), 2, value);
}

/* Offset of the next part of a memory operand, wrapped to the address size. */
static uint32_t ea_plus(const struct insn *i, uint32_t ea, uint32_t n)
{
    return i->asize == 2 ? (ea + n) & 0xffff : ea + n;
}

static unsigned far_size(const struct insn *i)
{
    return i->size == 4 ? 4 : 2;
}

static void set_zf(struct cpu *c, bool zf)
{
    uint32_t f = fl_arith(c->fr, c->fx) & ~(uint32_t)FLAG_ZF;
    flags_set_arith(c, f | (zf ? FLAG_ZF : 0));
}

/* Segment registers */

/* MOV SS and POP SS hold off interrupts and debug traps for one instruction (SDM 3A 6.8.3); the 8086
 * and 80186 do so after every segment register. */
static void inhibit_after(struct cpu *c, unsigned seg)
{
    if (seg != SEG_SS && c->model.level > CPU_186)
        return;
    c->st.inhibit |= INHIBIT_MOV_SS;
    c->attn |= ATTN_INHIBIT;
}

static void load_seg_operand(struct cpu *c, unsigned seg, uint16_t sel)
{
    if (seg > SEG_GS || (seg == SEG_CS && c->model.level > CPU_8086))
        raise_ud(c);
    seg_load(c, seg, sel);
    inhibit_after(c, seg);
}

/* MOV r/m16, Sreg -- 8C /r. */
void op_movfromseg(struct cpu *c, const struct insn *i)
{
    if (i->src > SEG_GS)
        raise_ud(c);
    store16(c, i, c->st.seg[i->src].selector);
}

/* MOV Sreg, r/m16 -- 8E /r. */
void op_movtoseg(struct cpu *c, const struct insn *i)
{
    load_seg_operand(c, i->dst, operand16(c, i));
}

/* A selector on the stack has two bytes, however far (E)SP moves; on the Pentium those that (E)SP moves (SDM 3B 22.31.1). */
static unsigned selector_size(const struct cpu *c, const struct insn *i)
{
    return c->model.level == CPU_PENTIUM ? far_size(i) : 2;
}

/* PUSH Sreg -- 06, 0E, 16, 1E, 0F A0, 0F A8. */
void op_pushseg(struct cpu *c, const struct insn *i)
{
    uint32_t sp = stack_pointer(c) - far_size(i);
    mem_write(c, SEG_SS, stack32(c) ? sp : sp & 0xffff, selector_size(c, i), c->st.seg[i->dst].selector);
    stack_set_pointer(c, sp);
}

/* POP Sreg -- 07, 17, 1F, 0F A1, 0F A9. (E)SP moves by the old stack's width. */
void op_popseg(struct cpu *c, const struct insn *i)
{
    uint32_t sp = stack_pointer(c) + far_size(i);
    bool wide = stack32(c);
    uint16_t sel = (uint16_t)stack_peek(c, 0, selector_size(c, i));
    load_seg_operand(c, i->dst, sel);
    if (wide)
        c->st.gpr[REG_ESP] = sp;
    else
        c->st.gpr[REG_ESP] = (c->st.gpr[REG_ESP] & 0xffff0000u) | (sp & 0xffff);
}

/* LES LDS LSS LFS LGS -- C4, C5, 0F B2, 0F B4, 0F B5. */
void op_loadfar(struct cpu *c, const struct insn *i)
{
    uint32_t ea = insn_ea(c, i);
    uint32_t offset = (uint32_t)mem_read(c, i->seg, ea, far_size(i));
    uint16_t sel = (uint16_t)mem_read(c, i->seg, ea_plus(i, ea, far_size(i)), 2);
    seg_load(c, i->imm2, sel);
    reg_write(c, i->dst, far_size(i), offset);
}

/* Descriptor-table registers */

static void store_table(struct cpu *c, const struct insn *i, const struct cpu_dtr *t)
{
    uint32_t ea = insn_ea(c, i), base = (uint32_t)t->base;
    if (c->model.level <= CPU_286)
        base |= 0xff000000u;
    mem_probe_write(c, i->seg, ea, 2);
    mem_probe_write(c, i->seg, ea_plus(i, ea, 2), 4);
    mem_write(c, i->seg, ea, 2, t->limit & 0xffff);
    mem_write(c, i->seg, ea_plus(i, ea, 2), 4, base);
}

/* SGDT, SIDT -- 0F 01 /0, /1. */
void op_sgdt(struct cpu *c, const struct insn *i) { store_table(c, i, &c->st.gdtr); }
void op_sidt(struct cpu *c, const struct insn *i) { store_table(c, i, &c->st.idtr); }

static void load_table(struct cpu *c, const struct insn *i, struct cpu_dtr *t)
{
    require_cpl0(c);
    uint32_t ea = insn_ea(c, i);
    uint32_t limit = (uint32_t)mem_read(c, i->seg, ea, 2);
    uint32_t base = (uint32_t)mem_read(c, i->seg, ea_plus(i, ea, 2), 4);
    t->limit = limit;
    t->base = i->size == 4 ? base : base & 0x00ffffff;
}

/* LGDT, LIDT -- 0F 01 /2, /3. A 16-bit operand size loads 24 bits of base. */
void op_lgdt(struct cpu *c, const struct insn *i) { load_table(c, i, &c->st.gdtr); }
void op_lidt(struct cpu *c, const struct insn *i) { load_table(c, i, &c->st.idtr); }

/* SLDT, STR -- 0F 00 /0, /1. */
void op_sldt(struct cpu *c, const struct insn *i)
{
    require_protected(c);
    store16(c, i, c->st.seg[SEG_LDTR].selector);
}

void op_str(struct cpu *c, const struct insn *i)
{
    require_protected(c);
    store16(c, i, c->st.seg[SEG_TR].selector);
}

/* A system descriptor of the GDT for LLDT and LTR. */
static void fetch_system(struct cpu *c, uint16_t sel, struct desc *d)
{
    if (sel & 4)
        raise_gp(c, sel_error(sel));
    desc_fetch(c, sel, VEC_GP, d);
    if (!attr_system(d->seg.attr))
        raise_gp(c, sel_error(sel));
}

/* LLDT -- 0F 00 /2. */
void op_lldt(struct cpu *c, const struct insn *i)
{
    struct desc d;
    require_protected(c);
    require_cpl0(c);
    uint16_t sel = operand16(c, i);
    if (sel_null(sel)) {
        seg_set_null(c, SEG_LDTR, sel);
        return;
    }
    fetch_system(c, sel, &d);
    if (desc_type(&d) != TYPE_LDT)
        raise_gp(c, sel_error(sel));
    if (!attr_present(d.seg.attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    c->st.seg[SEG_LDTR] = d.seg;
}

/* LTR -- 0F 00 /3. */
void op_ltr(struct cpu *c, const struct insn *i)
{
    struct desc d;
    require_protected(c);
    require_cpl0(c);
    uint16_t sel = operand16(c, i);
    fetch_system(c, sel, &d);
    if (desc_type(&d) != TYPE_TSS16 && desc_type(&d) != TYPE_TSS32)
        raise_gp(c, sel_error(sel));
    if (!attr_present(d.seg.attr))
        cpu_raise(c, VEC_NP, sel_error(sel));
    d.seg.attr |= TYPE_BUSY;
    sys_write(c, (uint32_t)(d.at + 5), 1, d.seg.attr & 0xffu);
    c->st.seg[SEG_TR] = d.seg;
}

/* Protection queries (SDM 3A 5.10) */

/* ARPL r/m16, r16 -- 63 /r. */
void op_arpl(struct cpu *c, const struct insn *i)
{
    require_protected(c);
    bool memory = i->form != FORM_RR;
    uint32_t ea = memory ? insn_ea(c, i) : 0;
    uint32_t dst = memory ? (uint32_t)mem_read(c, i->seg, ea, 2) : reg_read(c, i->dst, 2);
    uint32_t rpl = reg_read(c, i->src, 2) & 3;
    bool raise = (dst & 3) < rpl;
    if (raise && memory)
        mem_write(c, i->seg, ea, 2, (dst & ~3u) | rpl);
    else if (raise)
        reg_write(c, i->dst, 2, (dst & ~3u) | rpl);
    set_zf(c, raise);
}

/* Is the descriptor visible at CPL and RPL, and of a type in `types` (system) or code/data? */
static bool visible(struct cpu *c, uint16_t sel, unsigned types, struct desc *d)
{
    if (sel_null(sel) || !desc_read(c, sel, d))
        return false;
    uint16_t attr = d->seg.attr;
    if (attr_system(attr) && !(types >> desc_type(d) & 1))
        return false;
    return attr_conforming(attr) || (attr_dpl(attr) >= c->st.cpl && attr_dpl(attr) >= sel_rpl(sel));
}

/* LAR r, r/m16 -- 0F 02 /r. Bits 19-16, limit bits in the descriptor, are undefined; processors leave them in. */
void op_lar(struct cpu *c, const struct insn *i)
{
    const unsigned types = 1 << TYPE_TSS16 | 1 << TYPE_LDT | 1 << TYPE_TSS16_BUSY | 1 << TYPE_CALL16 |
                           1 << TYPE_TASK_GATE | 1 << TYPE_TSS32 | 1 << TYPE_TSS32_BUSY | 1 << TYPE_CALL32;
    struct desc d;
    require_protected(c);
    bool ok = visible(c, operand16(c, i), types, &d);
    if (ok)
        reg_write(c, i->dst, i->size, d.hi & (i->size == 4 ? 0x00ffff00 : 0xff00));
    set_zf(c, ok);
}

/* LSL r, r/m16 -- 0F 03 /r. */
void op_lsl(struct cpu *c, const struct insn *i)
{
    const unsigned types = 1 << TYPE_TSS16 | 1 << TYPE_LDT | 1 << TYPE_TSS16_BUSY | 1 << TYPE_TSS32 |
                           1 << TYPE_TSS32_BUSY;
    struct desc d;
    require_protected(c);
    bool ok = visible(c, operand16(c, i), types, &d);
    if (ok)
        reg_write(c, i->dst, i->size, d.seg.limit);
    set_zf(c, ok);
}

/* VERR, VERW -- 0F 00 /4, /5. */
void op_verr(struct cpu *c, const struct insn *i)
{
    struct desc d;
    require_protected(c);
    set_zf(c, visible(c, operand16(c, i), 0, &d) && attr_readable(d.seg.attr));
}

void op_verw(struct cpu *c, const struct insn *i)
{
    struct desc d;
    require_protected(c);
    set_zf(c, visible(c, operand16(c, i), 0, &d) && attr_writable(d.seg.attr));
}

/* Far transfers */

void op_jmpf(struct cpu *c, const struct insn *i) { far_jump(c, i->imm2, i->imm, far_size(i)); }
void op_callf(struct cpu *c, const struct insn *i) { far_call(c, i->imm2, i->imm, far_size(i)); }
void op_retf(struct cpu *c, const struct insn *i) { far_return(c, far_size(i), i->imm & 0xffff); }
void op_iret(struct cpu *c, const struct insn *i) { interrupt_return(c, far_size(i)); }

static uint16_t far_operand(struct cpu *c, const struct insn *i, uint32_t *offset)
{
    uint32_t ea = insn_ea(c, i);
    *offset = (uint32_t)mem_read(c, i->seg, ea, far_size(i));
    return (uint16_t)mem_read(c, i->seg, ea_plus(i, ea, far_size(i)), 2);
}

void op_jmpfi(struct cpu *c, const struct insn *i)
{
    uint32_t offset;
    uint16_t sel = far_operand(c, i, &offset);
    far_jump(c, sel, offset, far_size(i));
}

void op_callfi(struct cpu *c, const struct insn *i)
{
    uint32_t offset;
    uint16_t sel = far_operand(c, i, &offset);
    far_call(c, sel, offset, far_size(i));
}

/* Software interrupts */

void op_int(struct cpu *c, const struct insn *i)
{
    cpu_interrupt(c, i->imm & 0xff, INT_SOFTWARE, false, 0);
}

void op_int3(struct cpu *c, const struct insn *i)
{
    (void)i;
    cpu_interrupt(c, VEC_BP, INT_BREAKPOINT, false, 0);
}

/* INT1 -- F1: a #DB trap without a DPL check; DR6 tells nothing of it. */
void op_int1(struct cpu *c, const struct insn *i)
{
    (void)i;
    cpu_interrupt(c, VEC_DB, INT_EXCEPTION, false, 0);
}

void op_into(struct cpu *c, const struct insn *i)
{
    (void)i;
    if (fl_of(c->fr, c->fx))
        cpu_interrupt(c, VEC_OF, INT_BREAKPOINT, false, 0);
}

static int32_t sign_extended(uint32_t v, unsigned size)
{
    return size == 2 ? (int16_t)v : (int32_t)v;
}

/* BOUND r, m -- 62 /r: signed lower <= r <= upper. */
void op_bound(struct cpu *c, const struct insn *i)
{
    uint32_t ea = insn_ea(c, i);
    unsigned size = far_size(i);
    int32_t index = sign_extended(reg_read(c, i->dst, size), size);
    int32_t lower = sign_extended((uint32_t)mem_read(c, i->seg, ea, size), size);
    int32_t upper = sign_extended((uint32_t)mem_read(c, i->seg, ea_plus(i, ea, size), size), size);
    if (index < lower || index > upper)
        cpu_raise(c, VEC_BR, 0);
}

/* Processor control */

/* HLT -- F4. */
void op_hlt(struct cpu *c, const struct insn *i)
{
    (void)i;
    require_cpl0(c);
    c->st.halted = 1;
}

/* INVD, WBINVD -- 0F 08, 0F 09. */
void op_invd(struct cpu *c, const struct insn *i)
{
    (void)i;
    require_cpl0(c);
}

void op_wbinvd(struct cpu *c, const struct insn *i)
{
    (void)i;
    require_cpl0(c);
}

/* INVLPG m -- 0F 01 /7. */
void op_invlpg(struct cpu *c, const struct insn *i)
{
    require_cpl0(c);
    mmu_invlpg(&c->mmu, (uint32_t)(c->st.seg[i->seg].base + insn_ea(c, i)));
}

/* CLFLUSH m8 -- 0F AE /7: faults like a byte load, but takes an execute-only segment too. */
void op_clflush(struct cpu *c, const struct insn *i)
{
    const struct cpu_seg *s = &c->st.seg[i->seg];
    uint32_t ea = insn_ea(c, i);
    if (!attr_code(s->attr) || attr_readable(s->attr)) {
        mem_read(c, i->seg, ea, 1);
        return;
    }
    if (!seg_limit_ok(s, ea, 1))
        raise_gp(c, 0);
    lin_read(c, (uint32_t)(s->base + ea), 1, c->st.cpl == 3);
}

static void write_edx_eax(struct cpu *c, uint64_t v)
{
    c->st.gpr[REG_EAX] = (uint32_t)v;
    c->st.gpr[REG_EDX] = v >> 32;
}

/* RDTSC -- 0F 31. */
void op_rdtsc(struct cpu *c, const struct insn *i)
{
    (void)i;
    if ((c->st.cr4 & CR4_TSD) && c->st.cpl != 0)
        raise_gp(c, 0);
    write_edx_eax(c, msr_tsc(c));
}

/* RDPMC -- 0F 33: two counters, which do not count. */
void op_rdpmc(struct cpu *c, const struct insn *i)
{
    (void)i;
    bool allowed = c->st.cpl == 0 || (c->st.cr4 & CR4_PCE);
    if (!allowed || (uint32_t)c->st.gpr[REG_ECX] > 1)
        raise_gp(c, 0);
    write_edx_eax(c, 0);
}

/* RDMSR, WRMSR -- 0F 32, 0F 30. */
void op_rdmsr(struct cpu *c, const struct insn *i)
{
    uint64_t v = 0;
    (void)i;
    require_cpl0(c);
    if (!msr_read(c, (uint32_t)c->st.gpr[REG_ECX], &v)) {
        log_guest(c->w.log, "cpu", "read of unknown MSR %08x", (uint32_t)c->st.gpr[REG_ECX]);
        raise_gp(c, 0);
    }
    write_edx_eax(c, v);
}

void op_wrmsr(struct cpu *c, const struct insn *i)
{
    uint64_t v = (uint32_t)c->st.gpr[REG_EAX] | c->st.gpr[REG_EDX] << 32;
    (void)i;
    require_cpl0(c);
    if (!msr_write(c, (uint32_t)c->st.gpr[REG_ECX], v)) {
        log_guest(c->w.log, "cpu", "write of %llx to MSR %08x", (unsigned long long)v,
                  (uint32_t)c->st.gpr[REG_ECX]);
        raise_gp(c, 0);
    }
}

/* CPUID -- 0F A2. */
void op_cpuid(struct cpu *c, const struct insn *i)
{
    uint32_t out[4];
    (void)i;
    cpuid_leaf(c, (uint32_t)c->st.gpr[REG_EAX], out);
    c->st.gpr[REG_EAX] = out[0];
    c->st.gpr[REG_EBX] = out[1];
    c->st.gpr[REG_ECX] = out[2];
    c->st.gpr[REG_EDX] = out[3];
}

/* SYSENTER, SYSEXIT (SDM 3A 5.8.7): flat segments with fixed attributes */

static void set_flat(struct cpu *c, unsigned seg, uint32_t sel, unsigned dpl, unsigned type)
{
    c->st.seg[seg] = (struct cpu_seg){
        .limit = 0xffffffffu, .selector = (uint16_t)(sel | dpl),
        .attr = (uint16_t)(SEG_ATTR_G | SEG_ATTR_DB | SEG_ATTR_P | SEG_ATTR_S | dpl << SEG_ATTR_DPL_SHIFT | type)};
}

static uint32_t sysenter_selector(struct cpu *c)
{
    uint32_t cs = (uint32_t)c->st.sysenter_cs & 0xfffc;
    if (in_real_mode(c) || cs == 0)
        raise_gp(c, 0);
    return cs;
}

/* SYSENTER -- 0F 34. */
void op_sysenter(struct cpu *c, const struct insn *i)
{
    (void)i;
    uint32_t cs = sysenter_selector(c);
    flags_replace(c, 0, FLAG_VM | FLAG_IF | FLAG_RF);
    set_flat(c, SEG_CS, cs, 0, 0xb);
    set_flat(c, SEG_SS, cs + 8, 0, 0x3);
    c->st.gpr[REG_ESP] = (uint32_t)c->st.sysenter_esp;
    c->st.eip = (uint32_t)c->st.sysenter_eip;
    cpu_set_cpl(c, 0);
}

/* SYSEXIT -- 0F 35. */
void op_sysexit(struct cpu *c, const struct insn *i)
{
    (void)i;
    uint32_t cs = sysenter_selector(c);
    require_cpl0(c);
    set_flat(c, SEG_CS, (cs + 16) & 0xfffc, 3, 0xb);
    set_flat(c, SEG_SS, (cs + 24) & 0xfffc, 3, 0x3);
    c->st.eip = (uint32_t)c->st.gpr[REG_EDX];
    c->st.gpr[REG_ESP] = (uint32_t)c->st.gpr[REG_ECX];
    cpu_set_cpl(c, 3);
}

/* LOADALL of the 286 -- 0F 05: the whole CPU from physical 00800 */

enum { LOADALL_MSW = 0x806, LOADALL_REGS = 0x826 };

static uint32_t loadall16(struct cpu *c, paddr at)
{
    return phys_read(c->w.phys, at, 2);
}

/* A descriptor cache: base (24 bits), access byte, limit. */
static void loadall_cache(struct cpu *c, paddr at, unsigned seg, paddr selector_at)
{
    uint32_t hi = loadall16(c, at + 2);
    c->st.seg[seg] = (struct cpu_seg){.base = loadall16(c, at) | (hi & 0xff) << 16, .limit = loadall16(c, at + 4),
                                      .selector = (uint16_t)loadall16(c, selector_at),
                                      .attr = (uint16_t)(hi >> 8)};
}

static void loadall_table(struct cpu *c, paddr at, struct cpu_dtr *t)
{
    t->base = loadall16(c, at) | (loadall16(c, at + 2) & 0xff) << 16;
    t->limit = loadall16(c, at + 4);
}

static void loadall_segments(struct cpu *c)
{
    static const struct {
        uint8_t seg;
        uint16_t cache, selector;
    } map[] = {{SEG_ES, 0x836, 0x824}, {SEG_CS, 0x83c, 0x822}, {SEG_SS, 0x842, 0x820},
               {SEG_DS, 0x848, 0x81e}, {SEG_LDTR, 0x854, 0x81c}, {SEG_TR, 0x860, 0x816}};
    for (unsigned n = 0; n < ARRAY_LEN(map); n++)
        loadall_cache(c, map[n].cache, map[n].seg, map[n].selector);
    loadall_table(c, 0x84e, &c->st.gdtr);
    loadall_table(c, 0x85a, &c->st.idtr);
}

void op_loadall286(struct cpu *c, const struct insn *i)
{
    (void)i;
    require_cpl0(c);
    uint64_t pe = c->st.cr0 & CR0_PE; /* cannot be cleared */
    c->st.cr0 = (loadall16(c, LOADALL_MSW) & 0xf) | pe;
    for (unsigned n = 0; n < 8; n++) /* DI SI BP SP BX DX CX AX */
        c->st.gpr[7 - n] = loadall16(c, LOADALL_REGS + n * 2);
    loadall_segments(c);
    c->st.eip = loadall16(c, 0x81a);
    flags_replace(c, loadall16(c, 0x818), 0xffff);
    cpu_set_cpl(c, attr_dpl(c->st.seg[SEG_SS].attr));
    cpu_update_mmu(c, false);
}
