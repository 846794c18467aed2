/*
 * Intel 8259A programmable interrupt controller, 8086 mode, one or two in cascade, with the
 * edge/level control register of the PIIX beside it (Intel 8259A data sheet 231468; 82371SB data
 * sheet 3.6).
 *
 * The board wires the devices to i8259_pin(), the slave's `intr` to a pin of the master and the
 * master's `intr` to the CPU; the CPU runs the INTA cycles by i8259_acknowledge(master).
 */
#ifndef DEVICES_I8259_H
#define DEVICES_I8259_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

struct i8259;

struct i8259_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line intr;  /* the INT output */
    struct i8259 *slave;   /* answers the INTA cycles of its pin; NULL: none (and for a slave) */
    uint8_t slave_pin;     /* of this chip, where the slave's INT arrives */
    uint8_t elcr_writable; /* pins that the ELCR can make level-triggered; 0: no ELCR */
};

struct i8259_state {
    uint8_t pins;        /* levels of IR0-7, so that edges can be found */
    uint8_t irr, isr, imr;
    uint8_t icw1, icw2, icw3, icw4;
    uint8_t init_step;   /* the ICW that is expected next: 2..4; 0 = initialized */
    uint8_t lowest;      /* the pin with the lowest priority */
    uint8_t rotate_aeoi; /* rotate in automatic EOI mode */
    uint8_t special_mask;
    uint8_t poll;        /* the next read is a poll */
    uint8_t read_isr;    /* reads at A0=0 give ISR instead of IRR */
    uint8_t elcr;
};

struct i8259 {
    struct device dev;
    struct i8259_wiring w;
    struct i8259_state st;
};

extern const struct device_class i8259_class;
extern const struct io_ops i8259_io;      /* 2 ports: A0=0, A0=1 */
extern const struct io_ops i8259_elcr_io; /* 1 port */

void i8259_init(struct i8259 *x, const char *id, struct i8259_wiring w);

/* The wire to input IR0..IR7. */
struct irq_line i8259_pin(struct i8259 *x, unsigned pin);

/* Two INTA cycles: the vector of the highest request, which becomes in service. With no request
 * left it is IR7's vector and nothing is in service (spurious interrupt, 8259A p.18). */
uint8_t i8259_acknowledge(struct i8259 *master);

/* Whether INT is high: a request that mask and priority let through. */
bool i8259_int(const struct i8259 *x);

#endif
