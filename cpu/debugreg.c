/*
 * Hardware breakpoints: matching of DR0-DR3 by DR7 and the report in DR6 (SDM 3B 17.2, 17.3.1).
 * They cost nothing while none is enabled: only then does ATTN_SLOW route execution through here.
 *
 * NOT MODELLED: branch trace (DEBUGCTL.BTF), 8-byte breakpoints of later CPUs.
 */
#include "cpu/desc.h"

enum { RW_EXECUTE = 0, RW_WRITE = 1, RW_IO = 2, RW_ACCESS = 3 };
enum { DR6_BITS = 0xf };

static unsigned kind_of(const struct cpu *c, unsigned i)
{
    return (unsigned)(c->st.dr[7] >> (16 + 4 * i)) & 3;
}

static bool enabled(const struct cpu *c, unsigned i)
{
    return (c->st.dr[7] >> (2 * i) & 3) != 0;
}

/* LEN: 0, 1, 3 = 1, 2, 4 bytes; the low address bits are masked by it. */
static bool overlaps(const struct cpu *c, unsigned i, laddr addr, unsigned size)
{
    static const uint32_t lengths[4] = {1, 2, 1, 4};
    uint32_t len = lengths[c->st.dr[7] >> (18 + 4 * i) & 3];
    uint64_t first = (uint32_t)c->st.dr[i] & ~(len - 1);
    return first < addr + size && addr < first + len;
}

/* DR6 bits of the breakpoints of the kinds in `kinds` (a mask) that match; 0 unless one of them is
 * enabled (17.2.3: bits of disabled ones may be set as well). */
static uint32_t matches(const struct cpu *c, unsigned kinds, laddr addr, unsigned size)
{
    uint32_t hit = 0;
    bool any = false;
    for (unsigned i = 0; i < 4; i++) {
        if (!(kinds >> kind_of(c, i) & 1) || !overlaps(c, i, addr, size))
            continue;
        hit |= 1u << i;
        any |= enabled(c, i);
    }
    return any ? hit : 0;
}

static void note(struct cpu *c, uint32_t hit)
{
    if (!hit)
        return;
    c->st.pending_db |= (uint16_t)hit;
    c->attn |= ATTN_DB;
}

static void report(struct cpu *c, uint32_t bits)
{
    c->st.dr[6] = (c->st.dr[6] & ~(uint64_t)DR6_BITS) | bits;
}

void debug_check_code(struct cpu *c)
{
    if ((c->st.eflags & FLAG_RF) || (c->st.inhibit & INHIBIT_MOV_SS))
        return;
    uint32_t hit = matches(c, 1u << RW_EXECUTE, cpu_pc(c), 1);
    if (!hit)
        return;
    report(c, hit);
    c->insn_eip = c->st.eip;
    cpu_raise(c, VEC_DB, 0);
}

void debug_check_data(struct cpu *c, laddr addr, unsigned size, bool write)
{
    unsigned kinds = write ? 1u << RW_WRITE | 1u << RW_ACCESS : 1u << RW_ACCESS;
    note(c, matches(c, kinds, (uint32_t)addr, size));
}

void debug_check_io(struct cpu *c, uint16_t port, unsigned size)
{
    if (c->st.cr4 & CR4_DE)
        note(c, matches(c, 1u << RW_IO, port, size));
}

void debug_trap(struct cpu *c)
{
    uint32_t bits = c->st.pending_db;
    c->st.pending_db = 0;
    report(c, bits);
    cpu_update_attn(c);
    cpu_raise(c, VEC_DB, 0);
}
