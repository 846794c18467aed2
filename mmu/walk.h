/* Page walks (paging.c) as the TLB (tlb.c) and the printers (print.c) use them. Private to mmu/. */
#ifndef MMU_WALK_H
#define MMU_WALK_H

#include "mmu/mmu.h"

/* Bits of page-table entries (SDM 3A 4.3, 4.4). */
enum {
    PTE_P = 1 << 0, PTE_W = 1 << 1, PTE_U = 1 << 2, PTE_PWT = 1 << 3, PTE_PCD = 1 << 4,
    PTE_A = 1 << 5, PTE_D = 1 << 6, PTE_PS = 1 << 7, PTE_G = 1 << 8,
};

/* The translation of one linear page. */
struct mmu_page {
    paddr addr;    /* of the 4 KiB that hold the linear address */
    uint64_t flags; /* of the entry that maps the page */
    bool writable, user; /* by all levels */
    bool nx;
    bool global; /* G, with CR4.PGE on */
    bool large;  /* 4M or 2M page */
};

bool mmu_paging_on(const struct mmu *m);

/* Walks the tables as an access does: permission checks, A and D bits. false: fault_addr and
 * fault_error are set. */
bool mmu_walk(struct mmu *m, laddr addr, enum mmu_access access, bool user, struct mmu_page *out);

/* Walks without checks or side effects; false: not mapped. */
bool mmu_walk_peek(struct mmu *m, laddr addr, struct mmu_page *out);

#endif
