/*
 * Two machines, one of each tier, that do the same: a CPU with memory and nothing else. For tests that take the
 * reference tier as the oracle of the fast one.
 */
#ifndef TESTS_LIB_PAIR_H
#define TESTS_LIB_PAIR_H

#include "cpu/cpu.h"
#include "cpu/exec.h"

enum { PAIR_VECTOR = 0x21 /* of the interrupt that cpu_set_intr() asks for */ };

struct pair_machine {
    struct cpu cpu;
    struct phys *phys;
    struct phys_block *ram;
    struct io_bus *io;
    struct clock clk;
};

struct pair {
    struct pair_machine m[2]; /* reference, fast */
    uint32_t ram;             /* bytes */
};

struct pair *pair_new(const char *model, uint32_t ram);
void pair_free(struct pair *p);

void pair_put(struct pair *p, paddr at, const void *bytes, size_t n);
void pair_put32(struct pair *p, paddr at, uint32_t v);

/* 32-bit protected mode: a flat code segment (selector 8) and data segments with a limit (16), and one handler for all
 * exceptions and interrupts. */
struct pair_protected {
    uint32_t gdt, idt, handler, data_limit;
    uint32_t directory; /* of pages, 0: no paging */
};
void pair_enter_protected(struct pair *p, const struct pair_protected *how);
void pair_set_segment(struct cpu *c, unsigned s, uint16_t selector, uint32_t base, uint32_t limit, uint16_t attr);

/* Fail the test where the tiers differ. */
void pair_check(const char *name, uint64_t reference, uint64_t fast, const char *where);
void pair_compare(struct pair *p, const char *where);
void pair_compare_memory(struct pair *p, const char *where);

/* Random numbers, the same everywhere. */
struct rng {
    uint64_t s;
};

static inline uint32_t rnd(struct rng *r)
{
    r->s = r->s * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(r->s >> 33);
}

static inline uint32_t below(struct rng *r, uint32_t n) { return rnd(r) % n; }

#endif
