/*
 * A board without a CPU: a clock, a port bus, a physical map and recording wires. A chip is tested
 * on it as its datasheet describes it: through ports, pins and virtual time.
 *
 * A test file's cmocka setup makes a bench, allocates its chip with bench_alloc, puts it on the
 * bus and names it with bench_add:
 *
 *   static int setup(void **state)
 *   {
 *       struct bench *b = bench_new();
 *       struct i8254 *pit = bench_alloc(b, sizeof(*pit));
 *       i8254_init(pit, "pit", (struct i8254_wiring){.clk = &b->clk, .out = {bench_line(b, 0)}});
 *       bench_map(b, 0x40, 4, 0, &i8254_io, pit);
 *       bench_add(b, &pit->dev);
 *       *state = b;
 *       return 0;
 *   }
 * and uses bench_teardown to free it all. Wires are numbered by the test, 0..BENCH_LINES-1.
 */
#ifndef TESTS_LIB_BENCH_H
#define TESTS_LIB_BENCH_H

#include "machine/bus.h"
#include "machine/clock.h"
#include "machine/device.h"
#include "machine/irq.h"
#include "machine/log.h"
#include "mmu/phys.h"

enum { BENCH_LINES = 64, BENCH_RAM = 1 << 20, BENCH_ALLOCS = 16 };

struct bench {
    struct clock clk; /* 1 virtual ns per instruction; no instruction ever runs */
    struct io_bus io;
    struct phys *phys; /* BENCH_RAM bytes of RAM at address 0 */
    struct log log;    /* dropped; the sink counts lines */
    unsigned log_lines;
    bool line[BENCH_LINES]; /* present level of each recorded wire */
    unsigned rises[BENCH_LINES], falls[BENCH_LINES];
    vtime changed_at[BENCH_LINES]; /* virtual time of the last edge */
    struct device *devices;        /* in the order of bench_add */
    void *dev;                     /* the first bench_alloc: the chip under test */
    void *alloc[BENCH_ALLOCS];
    unsigned allocs;
};

struct bench *bench_new(void);
void bench_free(struct bench *b);        /* closes devices, frees bench_alloc memory */
int bench_teardown(void **state);        /* cmocka: frees the bench in *state */
void *bench_alloc(struct bench *b, size_t size); /* zeroed, freed with the bench */

/* Puts a device on the board's list: its state belongs to the board's saved state. */
void bench_add(struct bench *b, struct device *dev);

/* io_bus_map that fails the test on an error. */
void bench_map(struct bench *b, uint16_t base, uint32_t count, uint32_t first_offset,
               const struct io_ops *ops, void *dev);

/* A wire that records its level and edges under number `pin`. */
struct irq_line bench_line(struct bench *b, unsigned pin);
void bench_clear_edges(struct bench *b); /* rises and falls back to 0 */

uint8_t in8(struct bench *b, uint16_t port);
uint16_t in16(struct bench *b, uint16_t port);
uint32_t in32(struct bench *b, uint16_t port);
void out8(struct bench *b, uint16_t port, uint8_t value);
void out16(struct bench *b, uint16_t port, uint16_t value);
void out32(struct bench *b, uint16_t port, uint32_t value);

/* Moves virtual time forward, firing each timer at its due time on the way. A timer that is armed
 * again for the present time without end fails the test. */
void clock_step(struct bench *b, vtime dt);
void clock_step_to(struct bench *b, vtime t);
/* One jump over everything that falls due, as a CPU in a long instruction would make it: timers
 * fire late. */
void clock_jump(struct bench *b, vtime dt);

/* cmocka assertion of a recorded wire's present level. */
#define assert_line(b, pin, level) assert_int_equal((b)->line[pin], (level))

#endif
