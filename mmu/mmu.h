/*
 * Linear to physical: page walks and the flat TLB (INTERPRETER.md 4.3).
 *
 * The MMU does not know the CPU: it is given copies of the control registers and answers with a
 * translation or a fault, which the CPU raises. Maps hold, per linear page, the host address of the
 * page minus the linear address, with MMU_VALID in bit 0 (host memory is at least 2-aligned). A
 * zero entry is invalid, so the untouched part of the 32 MiB of maps never becomes resident. The
 * fast tier's check: `h = map[l >> 12]; if (!(h & MMU_VALID)) SLOW; p = h - MMU_VALID + l`.
 *
 * Memory tables are read and written through phys_read and phys_write, so that A and D bits are
 * seen by dirty and code tracking. mmu_init() takes the `changed` hook of the physical map.
 */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include "mmu/phys.h"

enum { MMU_PAGES = 1 << 20 };
#define MMU_VALID 1ull

/* Translations that were dropped: all, all but the global ones, those of one page. */
enum mmu_dropped { MMU_DROPPED_ALL, MMU_DROPPED_LOCAL, MMU_DROPPED_PAGE };

enum mmu_access { MMU_READ = 0, MMU_WRITE = 1, MMU_EXEC = 2 };

struct mmu_controls {
    uint64_t cr0, cr3, cr4;
    uint64_t pdpte[4];
    bool nxe;   /* EFER.NXE */
    bool pse36; /* 36-bit PSE */
    bool level486; /* CR0.WP exists */
};

/* The host page behind the last instruction fetch; valid while `gen` is the MMU's. */
struct mmu_window {
    laddr page;
    const uint8_t *host;
    uint32_t gen;
    bool user;
};

/* A page that may have no entry in a map, for it is a device's or holds decoded code: where it is.
 * Valid while `gen` is the MMU's and, where `flags` is not NULL, those of the page have PHYS_CODE. */
struct mmu_slow_page {
    laddr page;
    paddr addr;
    const uint8_t *flags;
    uint32_t gen;
    bool user;
};

enum { MMU_SLOW_PAGES = 8 };

struct mmu {
    struct phys *phys;
    uint64_t *map;     /* [2 privileges][2: read, write][MMU_PAGES] */
    uint64_t *current; /* map of the current privilege: read, write at + MMU_PAGES */
    bool user;         /* current privilege: CPL 3 */
    struct mmu_controls ctl;
    uint32_t *log[2];  /* indices of filled entries of `map`: [0] non-global, [1] global pages */
    uint32_t nlog[2];
    uint32_t large[32]; /* bit per 4 MiB: entries there may come from 2M or 4M pages */
    struct mmu_window fetch;
    struct mmu_slow_page slow[2][MMU_SLOW_PAGES]; /* reads, writes; by the low bits of the page number */
    uint32_t gen;      /* bumped by every flush or entry removal: invalidates fetch windows, links */
    void (*flushed)(void *arg, enum mmu_dropped what, laddr page); /* the fast tier drops its code map; may be NULL */
    void *flushed_arg;
    laddr fault_addr;  /* of the last failed translation: CR2 and the #PF error code */
    uint32_t fault_error;
};

/* The host address of the byte at `addr` by a valid entry of a map. */
static inline uint8_t *mmu_entry_host(uint64_t entry, laddr addr)
{
    return (uint8_t *)(uintptr_t)(entry - MMU_VALID + addr);
}

MUST_CHECK enum emu_err mmu_init(struct mmu *m, struct phys *phys, struct error *err);
void mmu_free(struct mmu *m);

/* New control registers (flushes as SDM 3A 4.10.4.1 says: `keep_global` for MOV CR3 with PGE). */
void mmu_set_controls(struct mmu *m, const struct mmu_controls *ctl, bool keep_global);
void mmu_set_user(struct mmu *m, bool user); /* CPL changed */
void mmu_flush(struct mmu *m, bool keep_global);
void mmu_invlpg(struct mmu *m, laddr addr);

/* Translates one byte's page, setting A/D bits as an access of this kind does; false: fault_addr and
 * fault_error are set and nothing changed but A bits of the levels passed. */
bool mmu_translate(struct mmu *m, laddr addr, enum mmu_access access, bool user, paddr *out);
/* The same for a fetch; `global`: only a flush of all translations drops this one (no paging, or G). */
bool mmu_translate_code(struct mmu *m, laddr addr, bool user, paddr *out, bool *global);

/* Without any side effect (debugger, INVLPG-free peeks). */
bool mmu_probe(struct mmu *m, laddr addr, paddr *out);

/* The pages behind an access: translate and, where it is plain RAM, fill the map entry. Writes fill
 * only pages without PHYS_CODE; they mark PHYS_DIRTY. */
bool mmu_fill(struct mmu *m, laddr addr, enum mmu_access access, bool user);

/* Data accesses at the given privilege, size 1, 2, 4 (or 8); may cross a page (both halves are
 * translated before anything is written), may reach devices. false: fault. The fast path is a map hit. */
bool mmu_read(struct mmu *m, laddr addr, unsigned size, bool user, uint64_t *value);
bool mmu_write(struct mmu *m, laddr addr, unsigned size, bool user, uint64_t value);
/* Would writing fault? (read-modify-write, multi-part writes). Sets A/D as the write would. */
bool mmu_probe_write(struct mmu *m, laddr addr, unsigned size, bool user);

/* Instruction bytes from `addr` up to the end of its page and at most `max`; returns how many were
 * read (0: fault). Reading from a device page is allowed. */
unsigned mmu_fetch(struct mmu *m, laddr addr, uint8_t *to, unsigned max, bool user);

/* A page got (or lost) decoded code: take it out of all write maps. */
void mmu_protect_code(struct mmu *m, struct phys_block *block, uint64_t offset);

/* The linear page by which the current privilege stored to the page with these flags while it held code;
 * false: not lately. */
bool mmu_stored_to_code(const struct mmu *m, const uint8_t *flags, laddr *page);

/* "info tlb" and "info mem": the present page tables, one line each. */
void mmu_print_tlb(struct mmu *m, void (*emit)(void *arg, const char *line), void *arg);
void mmu_print_mem(struct mmu *m, void (*emit)(void *arg, const char *line), void *arg);

#endif
