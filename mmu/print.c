/* "info tlb" and "info mem": what the present page tables map, in QEMU's forms. No side effects. */
#include <stdio.h>

#include "mmu/walk.h"

static void print_page(laddr addr, const struct mmu_page *p, void (*emit)(void *, const char *),
                       void *arg)
{
    char line[80];
    uint64_t f = p->flags;
    paddr base = p->addr;
    snprintf(line, sizeof(line), "%08llx: %016llx %c%c%c%c%c%c%c%c%c", (unsigned long long)addr,
             (unsigned long long)base, p->nx ? 'X' : '-', f & PTE_G ? 'G' : '-',
             p->large ? 'P' : '-', f & PTE_D ? 'D' : '-', f & PTE_A ? 'A' : '-',
             f & PTE_PCD ? 'C' : '-', f & PTE_PWT ? 'T' : '-', p->user ? 'U' : '-',
             p->writable ? 'W' : '-');
    emit(arg, line);
}

void mmu_print_tlb(struct mmu *m, void (*emit)(void *arg, const char *line), void *arg)
{
    if (!mmu_paging_on(m)) {
        emit(arg, "PG disabled");
        return;
    }
    struct mmu_page p;
    laddr step;
    for (laddr addr = 0; addr < 1ull << 32; addr += step) {
        bool mapped = mmu_walk_peek(m, addr, &p);
        step = mapped && p.large ? 2ull << 20 : PHYS_PAGE_SIZE;
        if (mapped)
            print_page(addr, &p, emit, arg);
    }
}

/* Rights of a page as one number; -1: not mapped. */
static int page_rights(struct mmu *m, laddr addr)
{
    struct mmu_page p;
    if (!mmu_walk_peek(m, addr, &p))
        return -1;
    return (p.user ? 2 : 0) | (p.writable ? 1 : 0);
}

static void print_stretch(laddr from, laddr to, int rights, void (*emit)(void *, const char *),
                          void *arg)
{
    char line[80];
    snprintf(line, sizeof(line), "%08llx-%08llx %08llx %cr%c", (unsigned long long)from,
             (unsigned long long)to, (unsigned long long)(to - from), rights & 2 ? 'u' : '-',
             rights & 1 ? 'w' : '-');
    emit(arg, line);
}

void mmu_print_mem(struct mmu *m, void (*emit)(void *arg, const char *line), void *arg)
{
    if (!mmu_paging_on(m)) {
        emit(arg, "PG disabled");
        return;
    }
    laddr from = 0;
    int rights = -1;
    for (laddr addr = 0; addr <= 1ull << 32; addr += PHYS_PAGE_SIZE) {
        int now = addr < 1ull << 32 ? page_rights(m, addr) : -1;
        if (now == rights)
            continue;
        if (rights >= 0)
            print_stretch(from, addr, rights, emit, arg);
        from = addr;
        rights = now;
    }
}
