/*
 * Page walks: 32-bit paging with 4K and 4M pages (SDM 3A 4.3) and PAE paging with 4K and 2M pages
 * (4.4), access rights (4.6), page-fault error codes (4.7), accessed and dirty flags (4.8).
 *
 * The A flag of a directory entry is set when the walk passes it; A and D of the entry that maps the
 * page only when the access is allowed. MAXPHYADDR is 36 with PAE or PSE-36, else 32.
 *
 * NOT MODELLED: paging-structure caches (every miss of the TLB walks from CR3, which SDM 3A 4.10.3
 * allows), SMEP, SMAP, memory types.
 */
#include "mmu/walk.h"

#define CR0_WP_BIT (1u << 16)
#define CR0_PG_BIT (1u << 31)
#define CR4_PSE_BIT (1u << 4)
#define CR4_PAE_BIT (1u << 5)
#define CR4_PGE_BIT (1u << 7)
#define PTE_NX (1ull << 63)
#define PAE_ADDR 0x0000000ffffff000ull /* bits 35-12 */
#define PAE_RESERVED 0x7ffffff000000000ull /* bits 62-36 */

/* Error code bits (SDM 3A figure 4-12). */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

/* One access under translation. */
struct walk {
    struct mmu *m;
    laddr addr;
    enum mmu_access access;
    bool user;
    bool peek; /* no checks, no effects */
};

bool mmu_paging_on(const struct mmu *m)
{
    return (m->ctl.cr0 & CR0_PG_BIT) != 0;
}

static bool nx_on(const struct mmu *m)
{
    return m->ctl.nxe && (m->ctl.cr4 & CR4_PAE_BIT);
}

static bool fault(const struct walk *w, uint32_t cause)
{
    if (w->peek)
        return false;
    w->m->fault_addr = w->addr;
    if (w->access == MMU_WRITE)
        cause |= PF_W;
    if (w->user)
        cause |= PF_U;
    if (w->access == MMU_EXEC && nx_on(w->m)) /* SDM 3A 4.7: I/D needs PAE and NXE */
        cause |= PF_I;
    w->m->fault_error = cause;
    return false;
}

/* SDM 3A 4.6.1. */
static bool allowed(const struct walk *w, const struct mmu_page *p)
{
    if (w->user && !p->user)
        return false;
    if (w->access == MMU_EXEC)
        return !p->nx;
    if (w->access == MMU_READ || p->writable)
        return true;
    return !w->user && !(w->m->ctl.level486 && (w->m->ctl.cr0 & CR0_WP_BIT));
}

static void set_flags(const struct walk *w, paddr at, uint64_t entry, uint32_t flags)
{
    if (!w->peek && (entry & flags) != flags)
        phys_write(w->m->phys, at, (uint32_t)entry | flags, 4);
}

/* The entry at `at` maps the page: rights, then A and D. */
static bool finish(const struct walk *w, paddr at, uint64_t entry, struct mmu_page *out)
{
    out->flags = entry;
    out->global = (entry & PTE_G) && (w->m->ctl.cr4 & CR4_PGE_BIT);
    if (w->peek)
        return true;
    if (!allowed(w, out))
        return fault(w, PF_P);
    set_flags(w, at, entry, w->access == MMU_WRITE ? PTE_A | PTE_D : PTE_A);
    return true;
}

/* SDM 3A table 4-4. Bits 20-13 hold address bits 39-32, of which PSE-36 has four. */
static bool large_32(const struct walk *w, paddr at, uint32_t pde, struct mmu_page *out)
{
    uint32_t reserved = w->m->ctl.pse36 ? 0x003e0000u : 0x003fe000u;
    if (pde & reserved)
        return fault(w, PF_P | PF_RSVD);
    out->large = true;
    out->addr = (pde & 0xffc00000u) | (w->addr & 0x003ff000u) | (paddr)(pde >> 13 & 0xff) << 32;
    return finish(w, at, pde, out);
}

static bool walk_32(const struct walk *w, struct mmu_page *out)
{
    struct phys *phys = w->m->phys;
    paddr at = (w->m->ctl.cr3 & 0xfffff000u) + (w->addr >> 22) * 4;
    uint32_t pde = phys_read(phys, at, 4);
    if (!(pde & PTE_P))
        return fault(w, 0);
    out->writable = (pde & PTE_W) != 0;
    out->user = (pde & PTE_U) != 0;
    if ((pde & PTE_PS) && (w->m->ctl.cr4 & CR4_PSE_BIT))
        return large_32(w, at, pde, out);
    set_flags(w, at, pde, PTE_A);

    at = (pde & 0xfffff000u) + (w->addr >> 12 & 0x3ff) * 4;
    uint32_t pte = phys_read(phys, at, 4);
    if (!(pte & PTE_P))
        return fault(w, 0);
    out->writable = out->writable && (pte & PTE_W);
    out->user = out->user && (pte & PTE_U);
    out->addr = pte & 0xfffff000u;
    return finish(w, at, pte, out);
}

static uint64_t read_entry64(const struct walk *w, paddr at)
{
    uint64_t low = phys_read(w->m->phys, at, 4);
    return low | (uint64_t)phys_read(w->m->phys, at + 4, 4) << 32;
}

static uint64_t pae_reserved(const struct walk *w)
{
    return nx_on(w->m) ? PAE_RESERVED : PAE_RESERVED | PTE_NX;
}

/* SDM 3A table 4-9. */
static bool large_pae(const struct walk *w, paddr at, uint64_t pde, struct mmu_page *out)
{
    if (pde & 0x1fe000u)
        return fault(w, PF_P | PF_RSVD);
    out->large = true;
    out->addr = (pde & PAE_ADDR & ~0x1fffffull) | (w->addr & 0x1ff000u);
    return finish(w, at, pde, out);
}

/* Starts from the PDPTE registers that MOV CR3 loaded and checked (SDM 3A 4.4.1). */
static bool walk_pae(const struct walk *w, struct mmu_page *out)
{
    uint64_t pdpte = w->m->ctl.pdpte[w->addr >> 30 & 3];
    if (!(pdpte & PTE_P))
        return fault(w, 0);
    paddr at = (pdpte & PAE_ADDR) + (w->addr >> 21 & 0x1ff) * 8;
    uint64_t pde = read_entry64(w, at);
    if (!(pde & PTE_P))
        return fault(w, 0);
    if (pde & pae_reserved(w))
        return fault(w, PF_P | PF_RSVD);
    out->writable = (pde & PTE_W) != 0;
    out->user = (pde & PTE_U) != 0;
    out->nx = (pde & PTE_NX) != 0;
    if (pde & PTE_PS)
        return large_pae(w, at, pde, out);
    set_flags(w, at, pde, PTE_A);

    at = (pde & PAE_ADDR) + (w->addr >> 12 & 0x1ff) * 8;
    uint64_t pte = read_entry64(w, at);
    if (!(pte & PTE_P))
        return fault(w, 0);
    if (pte & pae_reserved(w))
        return fault(w, PF_P | PF_RSVD);
    out->writable = out->writable && (pte & PTE_W);
    out->user = out->user && (pte & PTE_U);
    out->nx = out->nx || (pte & PTE_NX);
    out->addr = pte & PAE_ADDR;
    return finish(w, at, pte, out);
}

static bool run_walk(const struct walk *w, struct mmu_page *out)
{
    *out = (struct mmu_page){0};
    if (!mmu_paging_on(w->m)) {
        out->addr = w->addr & ~0xfffull;
        out->writable = out->user = true;
        return true;
    }
    return w->m->ctl.cr4 & CR4_PAE_BIT ? walk_pae(w, out) : walk_32(w, out);
}

bool mmu_walk(struct mmu *m, laddr addr, enum mmu_access access, bool user, struct mmu_page *out)
{
    struct walk w = {m, (uint32_t)addr, access, user, false};
    return run_walk(&w, out);
}

bool mmu_walk_peek(struct mmu *m, laddr addr, struct mmu_page *out)
{
    struct walk w = {m, (uint32_t)addr, MMU_READ, false, true};
    return run_walk(&w, out);
}
