/*
 * Model-specific registers that kernels and firmware probe (SDM 4 chapter 2: tables for P5 and P6
 * families, architectural MSRs). An unknown index is #GP(0), as on hardware.
 *
 * NOT MODELLED: performance counters and branch records (they read as zero and ignore writes),
 * machine check banks (none), microcode update, the memory types that MTRRs and PAT stand for.
 */
#include "cpu/desc.h"

enum {
    MSR_P5_MC_ADDR = 0x00, MSR_P5_MC_TYPE = 0x01, MSR_P5_TR12 = 0x0e, MSR_TSC = 0x10,
    MSR_P5_CESR = 0x11, MSR_P5_CTR1 = 0x13, MSR_PLATFORM_ID = 0x17, MSR_APIC_BASE = 0x1b,
    MSR_EBL_CR_POWERON = 0x2a, MSR_TEST_CTL = 0x33, MSR_BIOS_UPDT_TRIG = 0x79,
    MSR_BIOS_SIGN_ID = 0x8b, MSR_PERFCTR0 = 0xc1, MSR_PERFCTR1 = 0xc2, MSR_MTRRCAP = 0xfe,
    MSR_BBL_CR_CTL = 0x119, MSR_BBL_CR_CTL3 = 0x11e, MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176, MSR_MCG_CAP = 0x179, MSR_MCG_STATUS = 0x17a,
    MSR_EVNTSEL0 = 0x186, MSR_EVNTSEL1 = 0x187, MSR_MISC_ENABLE = 0x1a0, MSR_DEBUGCTL = 0x1d9,
    MSR_LBR_FIRST = 0x1db, MSR_LBR_LAST = 0x1de, MSR_MTRR_VAR = 0x200, MSR_MTRR_FIX64K = 0x250,
    MSR_MTRR_FIX16K = 0x258, MSR_MTRR_FIX4K = 0x268, MSR_PAT = 0x277, MSR_MTRR_DEF = 0x2ff,
};
#define MSR_EFER 0xc0000080u
#define EFER_NXE (1ull << 11)

enum { MTRR_VAR_COUNT = 16, MTRR_CAP = 0x508 /* 8 variable pairs, fixed ranges, WC */ };

/* TSC: virtual time at w.tsc_hz, plus what WRMSR set. */
static uint64_t tsc_ticks(const struct cpu *c)
{
    vtime t = clock_now(c->w.clk);
    uint64_t hz = c->w.tsc_hz;
    return t / NS_PER_SECOND * hz + t % NS_PER_SECOND * hz / NS_PER_SECOND;
}

uint64_t msr_tsc(const struct cpu *c)
{
    return tsc_ticks(c) + c->st.tsc_base;
}

static bool has(const struct cpu *c, uint64_t feature)
{
    return (c->model.features & feature) != 0;
}

static bool is_p6(const struct cpu *c) { return c->model.level >= CPU_P6; }
static bool is_p5(const struct cpu *c) { return c->model.level == CPU_PENTIUM; }

/* Family 15: Pentium 4. */
static bool is_netburst(const struct cpu *c)
{
    return (c->model.signature >> 8 & 15) == 15;
}

/* The 88-entry fixed-range MTRRs lie at 250, 258-259, 268-26F. */
static int fixed_mtrr(uint32_t index)
{
    if (index == MSR_MTRR_FIX64K)
        return 0;
    if (index >= MSR_MTRR_FIX16K && index < MSR_MTRR_FIX16K + 2)
        return (int)(index - MSR_MTRR_FIX16K) + 1;
    if (index >= MSR_MTRR_FIX4K && index < MSR_MTRR_FIX4K + 8)
        return (int)(index - MSR_MTRR_FIX4K) + 3;
    return -1;
}

/* Where a plainly stored MSR lies; NULL: it is not one, or the model lacks it. */
static uint64_t *stored_msr(struct cpu *c, uint32_t index)
{
    struct cpu_state *s = &c->st;
    bool mtrr = has(c, FEAT_MTRR);
    if (mtrr && index >= MSR_MTRR_VAR && index < MSR_MTRR_VAR + MTRR_VAR_COUNT)
        return &s->mtrr_var[index - MSR_MTRR_VAR];
    if (mtrr && fixed_mtrr(index) >= 0)
        return &s->mtrr_fixed[fixed_mtrr(index)];
    switch (index) {
    case MSR_SYSENTER_CS: return has(c, FEAT_SEP) ? &s->sysenter_cs : NULL;
    case MSR_SYSENTER_ESP: return has(c, FEAT_SEP) ? &s->sysenter_esp : NULL;
    case MSR_SYSENTER_EIP: return has(c, FEAT_SEP) ? &s->sysenter_eip : NULL;
    case MSR_APIC_BASE: return is_p6(c) ? &s->apic_base : NULL;
    case MSR_TEST_CTL: return is_p6(c) ? &s->test_ctl : NULL;
    case MSR_BIOS_SIGN_ID: return is_p6(c) ? &s->bios_sign : NULL;
    case MSR_MCG_STATUS: return has(c, FEAT_MCA) ? &s->mcg_status : NULL;
    case MSR_MISC_ENABLE: return is_netburst(c) ? &s->misc_enable : NULL;
    case MSR_PAT: return has(c, FEAT_PAT) ? &s->pat : NULL;
    case MSR_MTRR_DEF: return mtrr ? &s->mtrr_def_type : NULL;
    default: return NULL;
    }
}

/* Known, but nothing is behind it: reads zero, swallows writes. */
static bool empty_msr(const struct cpu *c, uint32_t index)
{
    if (is_p5(c))
        return index <= MSR_P5_MC_TYPE || index == MSR_P5_TR12 || (index >= MSR_P5_CESR && index <= MSR_P5_CTR1);
    if (!is_p6(c))
        return false;
    switch (index) {
    case MSR_P5_MC_ADDR: case MSR_P5_MC_TYPE: case MSR_EBL_CR_POWERON: case MSR_BIOS_UPDT_TRIG:
    case MSR_PERFCTR0: case MSR_PERFCTR1: case MSR_EVNTSEL0: case MSR_EVNTSEL1: case MSR_DEBUGCTL:
    case MSR_BBL_CR_CTL: case MSR_BBL_CR_CTL3:
        return true;
    default:
        return index >= MSR_LBR_FIRST && index <= MSR_LBR_LAST;
    }
}

static bool read_only_msr(const struct cpu *c, uint32_t index, uint64_t *value)
{
    *value = 0;
    if (index == MSR_PLATFORM_ID)
        return is_p6(c);
    if (index == MSR_MCG_CAP)
        return has(c, FEAT_MCA);
    if (index == MSR_MTRRCAP)
        *value = MTRR_CAP;
    return index == MSR_MTRRCAP && has(c, FEAT_MTRR);
}

bool msr_read(struct cpu *c, uint32_t index, uint64_t *value)
{
    const uint64_t *s = stored_msr(c, index);
    if (s)
        *value = *s;
    else if (index == MSR_TSC && has(c, FEAT_TSC))
        *value = msr_tsc(c);
    else if (index == MSR_EFER && has(c, FEAT_NX))
        *value = c->st.efer;
    else if (empty_msr(c, index))
        *value = 0;
    else
        return read_only_msr(c, index, value);
    return true;
}

/* Memory types: 0 UC, 1 WC, 4 WT, 5 WP, 6 WB; PAT has 7 UC- as well (SDM 3A 11.12.2). */
static bool bad_types(uint64_t value, unsigned bytes, bool pat)
{
    for (unsigned i = 0; i < bytes; i++) {
        unsigned t = value >> 8 * i & 0xff;
        if (t > (pat ? 7u : 6u) || t == 2 || t == 3)
            return true;
    }
    return false;
}

static bool acceptable(uint32_t index, uint64_t value)
{
    if (index == MSR_PAT)
        return !bad_types(value, 8, true);
    if (fixed_mtrr(index) >= 0)
        return !bad_types(value, 8, false);
    if (index == MSR_MTRR_DEF)
        return !bad_types(value, 1, false) && !(value & ~0xcffull);
    return true;
}

static bool write_efer(struct cpu *c, uint64_t value)
{
    if (value & ~EFER_NXE)
        return false;
    c->st.efer = value;
    cpu_update_mmu(c, false);
    return true;
}

/* SDM 4: a write to the whole TSC; up to the P4 the upper half is cleared by some models, not here. */
static void write_tsc(struct cpu *c, uint64_t value)
{
    c->st.tsc_base = value - tsc_ticks(c);
}

bool msr_write(struct cpu *c, uint32_t index, uint64_t value)
{
    uint64_t *s = stored_msr(c, index);
    if (s) {
        if (!acceptable(index, value))
            return false;
        *s = value;
        return true;
    }
    if (index == MSR_EFER && has(c, FEAT_NX))
        return write_efer(c, value);
    if (index == MSR_TSC && has(c, FEAT_TSC)) {
        write_tsc(c, value);
        return true;
    }
    return empty_msr(c, index);
}
