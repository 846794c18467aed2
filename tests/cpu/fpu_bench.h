/*
 * A CPU with memory only, for x87 and MMX tests: runs a few bytes of code and tells which exception they raised.
 *
 * Flat 32-bit protected mode at CPL 0 without paging, or real mode. Exceptions go to HANDLERS + 16 * vector. FERR#
 * is a flag of the bench. Shared by tests/cpu/test_fpu*.c and test_mmx.c.
 */
#ifndef TESTS_CPU_FPU_BENCH_H
#define TESTS_CPU_FPU_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/fpu.h"

enum {
    RAM_SIZE = 1 << 20, GDT = 0x1000, IDT = 0x1800, HANDLERS = 0x8000, STACK = 0x7000, CODE = 0x10000,
    DATA = 0x20000, CODE_SELECTOR = 0x08, DATA_SELECTOR = 0x10,
};

/* DATA as the displacement of ModRM 05 + 8 * reg. */
#define AT_DATA "\x00\x00\x02\x00"

struct fpu_bench {
    struct cpu cpu;
    struct phys *phys;
    struct io_bus *io;
    struct clock clk;
    bool ferr;
};

static inline void bench_ferr(void *sink, unsigned pin, bool level)
{
    struct fpu_bench *b = sink;
    (void)pin;
    b->ferr = level;
}

static inline void bench_tables(struct fpu_bench *b)
{
    static const uint32_t gdt[] = {0, 0, 0x0000ffff, 0x00cf9a00, 0x0000ffff, 0x00cf9200};
    for (unsigned k = 0; k < ARRAY_LEN(gdt); k++)
        phys_write(b->phys, GDT + 4 * k, gdt[k], 4);
    for (uint32_t v = 0; v < 32; v++) {
        phys_write(b->phys, IDT + 8 * v, CODE_SELECTOR << 16 | (HANDLERS + 16 * v), 4);
        phys_write(b->phys, IDT + 8 * v + 4, 0x8e00, 4);
    }
}

static inline void bench_protected_mode(struct fpu_bench *b)
{
    struct cpu *c = &b->cpu;
    for (unsigned s = 0; s < 6; s++)
        c->st.seg[s] = (struct cpu_seg){.limit = 0xffffffff, .selector = DATA_SELECTOR, .attr = 0xc093};
    c->st.seg[SEG_CS].selector = CODE_SELECTOR;
    c->st.seg[SEG_CS].attr = 0xc09b;
    c->st.gdtr = (struct cpu_dtr){.base = GDT, .limit = 0x17};
    c->st.idtr = (struct cpu_dtr){.base = IDT, .limit = 0xff};
    c->st.cr0 = CR0_PE | CR0_ET | CR0_NE;
    cpu_set_eflags(c, 2);
    cpu_state_changed(c);
}

/* CS = CODE / 16, the other segments DATA / 16. */
static inline void bench_real_mode(struct fpu_bench *b)
{
    struct cpu *c = &b->cpu;
    for (unsigned s = 0; s < 6; s++)
        c->st.seg[s] = (struct cpu_seg){.base = DATA, .limit = 0xffff, .selector = DATA >> 4, .attr = 0x93};
    c->st.seg[SEG_CS].base = CODE;
    c->st.seg[SEG_CS].selector = CODE >> 4;
    c->st.cr0 = CR0_ET | CR0_NE;
    cpu_set_eflags(c, 2);
    cpu_state_changed(c);
}

static inline struct fpu_bench *bench_new(const char *model)
{
    struct fpu_bench *b = calloc(1, sizeof(*b));
    struct phys_block *ram;
    struct cpu_model m;
    struct error err = {""};
    b->phys = calloc(1, sizeof(*b->phys));
    b->io = calloc(1, sizeof(*b->io));
    phys_init(b->phys);
    io_bus_init(b->io);
    clock_init(&b->clk, 65536);
    assert_int_equal(phys_block_new(b->phys, "ram", RAM_SIZE, false, &ram, &err), EMU_OK);
    phys_map(b->phys, 0, RAM_SIZE, phys_region_memory(b->phys, "ram", ram, 0, 0, RAM_SIZE), PHYS_RW);
    assert_int_equal(cpu_model_parse(model, &m, &err), EMU_OK);
    struct cpu_wiring w = {.clk = &b->clk, .phys = b->phys, .io = b->io, .tsc_hz = 1000000000,
                           .ferr = {.set = bench_ferr, .sink = b}};
    assert_int_equal(cpu_init(&b->cpu, "cpu", &m, CORE_REFERENCE, w, &err), EMU_OK);
    bench_tables(b);
    bench_protected_mode(b);
    return b;
}

static inline void bench_free(struct fpu_bench *b)
{
    cpu_class.close(&b->cpu);
    phys_free(b->phys);
    free(b->phys);
    free(b->io);
    free(b);
}

/* A Pentium II after FNINIT. */
static inline int bench_setup(void **state)
{
    struct fpu_bench *b = bench_new("pentium2");
    fpu_init(&b->cpu);
    *state = b;
    return 0;
}

static inline int bench_teardown(void **state)
{
    bench_free(*state);
    return 0;
}

enum { NO_FAULT = -1 };

/* Runs straight-line code from CODE to its end. Returns the vector of the exception that stopped it. */
static inline int bench_run(struct fpu_bench *b, const void *code, size_t len)
{
    struct cpu *c = &b->cpu;
    uint32_t start = c->st.cr0 & CR0_PE ? CODE : 0;
    phys_write_bytes(b->phys, CODE, code, len);
    c->st.eip = start;
    c->st.gpr[REG_ESP] = STACK;
    for (unsigned steps = 0; c->st.eip - start < len; steps++) {
        assert_true(steps < len); /* else it shut down */
        (void)cpu_step(c);
        if (c->st.eip >= HANDLERS && c->st.eip < HANDLERS + 32 * 16)
            return (int)(c->st.eip - HANDLERS) / 16;
    }
    return NO_FAULT;
}
/* Of a string literal; its final NUL is no code. */
#define RUN(b, code) bench_run((b), (code), sizeof(code) - 1)
#define RUN_OK(b, code) assert_int_equal(RUN((b), (code)), NO_FAULT)

static inline void put(struct fpu_bench *b, uint32_t at, unsigned size, uint64_t v)
{
    for (unsigned k = 0; k < size; k++)
        phys_write(b->phys, at + k, (uint8_t)(v >> 8 * k), 1);
}

static inline uint64_t get(struct fpu_bench *b, uint32_t at, unsigned size)
{
    uint64_t v = 0;
    while (size--)
        v = v << 8 | phys_read(b->phys, at + size, 1);
    return v;
}

static inline void push_f80(struct fpu_bench *b, uint16_t se, uint64_t mant)
{
    put(b, DATA, 8, mant);
    put(b, DATA + 8, 2, se);
    RUN_OK(b, "\xdb\x2d" AT_DATA);
}

static inline void push_f64(struct fpu_bench *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    put(b, DATA, 8, bits);
    RUN_OK(b, "\xdd\x05" AT_DATA);
}

static inline void push_int(struct fpu_bench *b, int64_t v)
{
    put(b, DATA, 8, (uint64_t)v);
    RUN_OK(b, "\xdf\x2d" AT_DATA);
}

static inline void set_control(struct fpu_bench *b, uint16_t control)
{
    put(b, DATA, 2, control);
    RUN_OK(b, "\xd9\x2d" AT_DATA);
}

static inline unsigned status(const struct fpu_bench *b) { return fpu_status_word(&b->cpu); }
static inline unsigned top(const struct fpu_bench *b) { return b->cpu.st.x87.top; }

#define assert_st(b, n, se_, mant_)                                                                \
    do {                                                                                           \
        struct f80 got_ = fpu_st(&(b)->cpu, (n));                                                  \
        assert_false(fpu_is_empty(&(b)->cpu, (n)));                                                \
        assert_int_equal(got_.se, (se_));                                                          \
        assert_int_equal(got_.mant, (mant_));                                                      \
    } while (0)
#define assert_empty(b, n) assert_true(fpu_is_empty(&(b)->cpu, (n)))
#define assert_default_nan(b, n) assert_st((b), (n), 0xffff, 0xc000000000000000u)
/* Of small integers, so that the expected value needs no table. */
#define assert_st_int(b, n, v)                                                                     \
    do {                                                                                           \
        struct f80 want_ = f80_from_int64(v);                                                      \
        assert_st((b), (n), want_.se, want_.mant);                                                 \
    } while (0)

#endif
