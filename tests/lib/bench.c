/* The board without a CPU. See bench.h. */
#include "tests/lib/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FIRES_PER_STEP = 20000000 }; /* more in one clock_step is an endless loop */

static void count_line(void *arg, const char *line)
{
    struct bench *b = arg;
    (void)line;
    b->log_lines++;
}

static void add_ram(struct bench *b)
{
    struct phys_block *ram;
    struct error err = {""};
    if (phys_block_new(b->phys, "ram", BENCH_RAM, false, &ram, &err) != EMU_OK)
        fail_msg("%s", err.text);
    unsigned region = phys_region_memory(b->phys, "ram", ram, 0, 0, BENCH_RAM);
    phys_map(b->phys, 0, BENCH_RAM, region, PHYS_RW);
}

struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    clock_init(&b->clk, 65536);
    io_bus_init(&b->io);
    b->phys = calloc(1, sizeof(*b->phys));
    assert_non_null(b->phys);
    phys_init(b->phys);
    add_ram(b);
    b->log.sink = count_line;
    b->log.arg = b;
    b->log.clk = &b->clk;
    return b;
}

void bench_free(struct bench *b)
{
    if (!b)
        return;
    for (struct device *d = b->devices; d; d = d->next) {
        if (d->cls->close)
            d->cls->close(d);
    }
    phys_free(b->phys);
    free(b->phys);
    for (unsigned i = 0; i < b->allocs; i++)
        free(b->alloc[i]);
    free(b);
}

int bench_teardown(void **state)
{
    bench_free(*state);
    *state = NULL;
    return 0;
}

void *bench_alloc(struct bench *b, size_t size)
{
    assert_true(b->allocs < BENCH_ALLOCS);
    void *p = calloc(1, size);
    assert_non_null(p);
    b->alloc[b->allocs++] = p;
    if (!b->dev)
        b->dev = p;
    return p;
}

void bench_add(struct bench *b, struct device *dev)
{
    struct device **link = &b->devices;
    while (*link)
        link = &(*link)->next;
    dev->next = NULL;
    *link = dev;
}

void bench_map(struct bench *b, uint16_t base, uint32_t count, uint32_t first_offset,
               const struct io_ops *ops, void *dev)
{
    struct error err = {""};
    if (io_bus_map(&b->io, "test", base, count, first_offset, ops, dev, &err) != EMU_OK)
        fail_msg("%s", err.text);
}

static void record(void *sink, unsigned pin, bool level)
{
    struct bench *b = sink;
    if (b->line[pin] == level)
        return;
    b->line[pin] = level;
    b->changed_at[pin] = clock_now(&b->clk);
    if (level)
        b->rises[pin]++;
    else
        b->falls[pin]++;
}

struct irq_line bench_line(struct bench *b, unsigned pin)
{
    assert_true(pin < BENCH_LINES);
    return (struct irq_line){record, b, pin};
}

void bench_clear_edges(struct bench *b)
{
    memset(b->rises, 0, sizeof(b->rises));
    memset(b->falls, 0, sizeof(b->falls));
}

uint8_t in8(struct bench *b, uint16_t port)
{
    return (uint8_t)io_read(&b->io, port, ACCESS_8);
}

uint16_t in16(struct bench *b, uint16_t port)
{
    return (uint16_t)io_read(&b->io, port, ACCESS_16);
}

uint32_t in32(struct bench *b, uint16_t port)
{
    return io_read(&b->io, port, ACCESS_32);
}

void out8(struct bench *b, uint16_t port, uint8_t value)
{
    io_write(&b->io, port, value, ACCESS_8);
}

void out16(struct bench *b, uint16_t port, uint16_t value)
{
    io_write(&b->io, port, value, ACCESS_16);
}

void out32(struct bench *b, uint16_t port, uint32_t value)
{
    io_write(&b->io, port, value, ACCESS_32);
}

void clock_step_to(struct bench *b, vtime t)
{
    for (unsigned fires = 0; clock_next_due(&b->clk) <= t; fires++) {
        if (fires > FIRES_PER_STEP)
            fail_msg("timer %s is armed again without end", b->clk.first->name);
        clock_skip_to(&b->clk, clock_next_due(&b->clk));
        clock_run_due(&b->clk);
    }
    clock_skip_to(&b->clk, t);
}

void clock_step(struct bench *b, vtime dt)
{
    clock_step_to(b, clock_now(&b->clk) + dt);
}

void clock_jump(struct bench *b, vtime dt)
{
    clock_skip_to(&b->clk, clock_now(&b->clk) + dt);
    clock_run_due(&b->clk);
}
