/*
 * Control, debug and test registers: MOV CR, LMSW, SMSW, CLTS, MOV DR, MOV TR, and what their changes
 * bring about (SDM 3A 2.5, 4.1, 4.4.1, 4.10.4; 3B 17.2).
 *
 * Bits that a model does not have read as zero; setting one in CR4 is #GP(0).
 * NOT MODELLED: caches (CD, NW), the 386/486 test registers (they read as zero).
 */
#include "cpu/desc.h"
#include "cpu/fpu.h"

static void require_cpl0(struct cpu *c)
{
    if (c->st.cpl != 0)
        raise_gp(c, 0);
}

/* CR0 */

static uint32_t cr0_mask(const struct cpu *c)
{
    uint32_t m = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
    if (c->model.level >= CPU_386)
        m |= CR0_ET | CR0_PG;
    if (c->model.level >= CPU_486)
        m |= CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD;
    return m;
}

bool control_read_pdptes(struct cpu *c, uint32_t cr3, uint64_t out[4])
{
    const uint64_t reserved = 0xfffffff0000001e6ull; /* SDM 3A table 4-8, MAXPHYADDR 36 */
    for (unsigned i = 0; i < 4; i++) {
        paddr at = (cr3 & 0xffffffe0u) + i * 8;
        uint64_t e = phys_read(c->w.phys, at, 4);
        e |= (uint64_t)phys_read(c->w.phys, at + 4, 4) << 32;
        if ((e & 1) && (e & reserved))
            return false;
        out[i] = e;
    }
    return true;
}

/* PDPTEs for the registers' future values; #GP(0) if they are bad. */
static void load_pdptes(struct cpu *c, uint32_t cr0, uint32_t cr3, uint32_t cr4)
{
    uint64_t e[4];
    if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE))
        return;
    if (!control_read_pdptes(c, cr3, e))
        raise_gp(c, 0);
    for (unsigned i = 0; i < 4; i++)
        c->st.pdpte[i] = e[i];
}

static void set_cr0(struct cpu *c, uint32_t value)
{
    uint32_t old = (uint32_t)c->st.cr0;
    value &= cr0_mask(c);
    if (c->model.level >= CPU_486)
        value |= CR0_ET;
    if ((value & CR0_PG) && !(value & CR0_PE))
        raise_gp(c, 0);
    if ((value & CR0_NW) && !(value & CR0_CD))
        raise_gp(c, 0);
    uint32_t changed = old ^ value;
    if (changed & value & CR0_PG)
        load_pdptes(c, value, (uint32_t)c->st.cr3, (uint32_t)c->st.cr4);
    c->st.cr0 = value;
    if (changed & (CR0_PG | CR0_WP)) /* PE changes alone only while nothing is translated */
        cpu_update_mmu(c, false);
    cpu_update_attn(c);
    if (changed & CR0_NE)
        fpu_update_summary(c); /* FERR# follows NE (SDM 1 8.7) */
}

/* CR3 */

bool control_load_cr3(struct cpu *c, uint32_t cr3)
{
    uint64_t e[4];
    bool pae = (c->st.cr0 & CR0_PG) && (c->st.cr4 & CR4_PAE);
    if (pae && !control_read_pdptes(c, cr3, e))
        return false;
    for (unsigned i = 0; pae && i < 4; i++)
        c->st.pdpte[i] = e[i];
    c->st.cr3 = c->model.level >= CPU_486 ? cr3 : cr3 & 0xfffff000u;
    cpu_update_mmu(c, true);
    return true;
}

/* CR4 */

static uint32_t cr4_mask(const struct cpu *c)
{
    static const struct {
        uint64_t feature;
        uint32_t bits;
    } table[] = {
        {FEAT_VME, CR4_VME | CR4_PVI}, {FEAT_TSC, CR4_TSD}, {FEAT_DE, CR4_DE}, {FEAT_PSE, CR4_PSE},
        {FEAT_PAE, CR4_PAE}, {FEAT_MCE, CR4_MCE}, {FEAT_PGE, CR4_PGE}, {FEAT_FXSR, CR4_OSFXSR},
        {FEAT_SSE, CR4_OSXMMEXCPT},
    };
    uint32_t m = 0;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++)
        if (c->model.features & table[i].feature)
            m |= table[i].bits;
    if (c->model.level >= CPU_P6)
        m |= CR4_PCE;
    return m;
}

static void set_cr4(struct cpu *c, uint32_t value)
{
    uint32_t changed = (uint32_t)c->st.cr4 ^ value;
    if (value & ~cr4_mask(c))
        raise_gp(c, 0);
    bool paging_changes = (changed & (CR4_PAE | CR4_PSE | CR4_PGE)) != 0;
    if (paging_changes) /* SDM 3A 4.4.1: PDPTEs are loaded as by MOV CR3 */
        load_pdptes(c, (uint32_t)c->st.cr0, (uint32_t)c->st.cr3, value);
    c->st.cr4 = value;
    if (paging_changes)
        cpu_update_mmu(c, false); /* 4.10.4.1: global pages too */
    cpu_update_attn(c);
}

static bool control_exists(const struct cpu *c, unsigned n)
{
    return n == 0 || n == 2 || n == 3 || (n == 4 && cr4_mask(c));
}

/* MOV r32, CRn -- 0F 20 /r. */
void op_movfromcr(struct cpu *c, const struct insn *i)
{
    if (!control_exists(c, i->src))
        raise_ud(c);
    require_cpl0(c);
    const uint64_t value[] = {c->st.cr0, 0, c->st.cr2, c->st.cr3, c->st.cr4};
    reg_write(c, i->dst, 4, (uint32_t)value[i->src]);
}

/* MOV CRn, r32 -- 0F 22 /r. */
void op_movtocr(struct cpu *c, const struct insn *i)
{
    uint32_t value = reg_read(c, i->src, 4);
    if (!control_exists(c, i->dst))
        raise_ud(c);
    require_cpl0(c);
    switch (i->dst) {
    case 0: set_cr0(c, value); break;
    case 2: c->st.cr2 = value; break;
    case 3:
        if (!control_load_cr3(c, value))
            raise_gp(c, 0);
        break;
    default: set_cr4(c, value); break;
    }
}

/* LMSW r/m16 -- 0F 01 /6. PE can be set, not cleared. */
void op_lmsw(struct cpu *c, const struct insn *i)
{
    require_cpl0(c);
    uint32_t v = i->form == FORM_M ? (uint32_t)mem_read(c, i->seg, insn_ea(c, i), 2) : reg_read(c, i->dst, 2);
    uint32_t low = (v & 0xf) | ((uint32_t)c->st.cr0 & CR0_PE);
    set_cr0(c, ((uint32_t)c->st.cr0 & ~0xfu) | low);
}

/* SMSW -- 0F 01 /4. Memory gets 16 bits; the 286's unused bits read as ones. */
void op_smsw(struct cpu *c, const struct insn *i)
{
    uint32_t v = (uint32_t)c->st.cr0;
    if (c->model.level <= CPU_286)
        v |= 0xfff0;
    if (i->form == FORM_M)
        mem_write(c, i->seg, insn_ea(c, i), 2, v & 0xffff);
    else
        reg_write(c, i->dst, i->size, v);
}

/* CLTS -- 0F 06. */
void op_clts(struct cpu *c, const struct insn *i)
{
    (void)i;
    require_cpl0(c);
    c->st.cr0 &= ~(uint64_t)CR0_TS;
}

/* Debug registers */

enum { DR7_GD = 1 << 13, DR6_BD = 1 << 13 };

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE is set; GD guards all of them (SDM 3B 17.2.2, 17.2.4). */
static unsigned debug_register(struct cpu *c, unsigned n)
{
    if (n == 4 || n == 5) {
        if (c->st.cr4 & CR4_DE)
            raise_ud(c);
        n += 2;
    }
    require_cpl0(c);
    if (c->st.dr[7] & DR7_GD) {
        c->st.dr[6] |= DR6_BD;
        cpu_raise(c, VEC_DB, 0);
    }
    return n;
}

/* MOV r32, DRn -- 0F 21 /r. */
void op_movfromdr(struct cpu *c, const struct insn *i)
{
    unsigned n = debug_register(c, i->src);
    reg_write(c, i->dst, 4, (uint32_t)c->st.dr[n]);
}

/* MOV DRn, r32 -- 0F 23 /r. Reserved bits keep their fixed values. */
void op_movtodr(struct cpu *c, const struct insn *i)
{
    uint32_t value = reg_read(c, i->src, 4);
    unsigned n = debug_register(c, i->dst);
    if (n == 6)
        value = (value & 0xe00f) | 0xffff0ff0u;
    else if (n == 7)
        value = (value & 0xffff2fffu) | 0x400;
    c->st.dr[n] = value;
    cpu_update_attn(c);
}

/* MOV r32, TRn; MOV TRn, r32 -- 0F 24, 0F 26. */
void op_movtr(struct cpu *c, const struct insn *i)
{
    require_cpl0(c);
    if (i->opcode == 0x0f24)
        reg_write(c, i->dst, 4, 0);
}
