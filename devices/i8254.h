/*
 * Intel 8254 programmable interval timer (data sheet 231164): three counters, all six modes, binary
 * and BCD, counter latch and read-back. The board gives it its clock pulses (I8254_HZ, counted from
 * power-on), drives the gates and takes the OUT pins.
 */
#ifndef DEVICES_I8254_H
#define DEVICES_I8254_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

enum { I8254_HZ = 1193182 }; /* CLK: 14.31818 MHz / 12 */

struct i8254_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line out[3]; /* OUT pins; an unconnected one costs no timer events */
};

struct i8254_channel {
    uint64_t start;      /* CLK pulse that loads (or loaded) the counting element with `count` */
    uint64_t next_start; /* and the one that will load next_count; UINT64_MAX: the next trigger */
    uint64_t held;       /* while held: pulses counted since start */
    uint64_t shown_at;   /* CLK pulse up to which the OUT pin has been driven */
    uint32_t count;      /* initial count, 1..65536 */
    uint32_t next_count;
    uint16_t before;     /* what the counting element shows before `start`, and while idle */
    uint16_t latch;      /* counter latch */
    uint8_t phase;       /* enum i8254_phase */
    uint8_t mode;        /* 0..5 */
    uint8_t bcd;
    uint8_t rw;          /* 1 low byte, 2 high byte, 3 low then high */
    uint8_t pending;     /* next_count waits for next_start */
    uint8_t out_before;  /* OUT before `start`, and while idle */
    uint8_t gate;
    uint8_t write_high;  /* the next write is the high byte */
    uint8_t write_low;   /* the low byte that came before it */
    uint8_t read_high;   /* the next read gives the high byte */
    uint8_t latched;     /* `latch` is to be read first */
    uint8_t status;      /* status latch */
    uint8_t status_latched;
    uint8_t shown;       /* level that OUT was driven to */
    uint8_t reserved[6];
};

struct i8254_state {
    struct i8254_channel channel[3];
};

struct i8254 {
    struct device dev;
    struct i8254_wiring w;
    struct i8254_state st;
    struct timer timer;
};

extern const struct device_class i8254_class;
extern const struct io_ops i8254_io; /* 4 ports: counters 0, 1, 2, control word */

void i8254_init(struct i8254 *x, const char *id, struct i8254_wiring w);

/* Drives a GATE input; all are high after power-on until driven. */
void i8254_set_gate(struct i8254 *x, unsigned channel, bool level);
struct irq_line i8254_gate(struct i8254 *x, unsigned channel);

/* The level of an OUT pin now. */
bool i8254_out(struct i8254 *x, unsigned channel);

#endif
