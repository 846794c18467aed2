/*
 * PC parallel port (data, status, control) and the printer at its other end, which takes every
 * byte that is strobed and acknowledges it. See lpt.c.
 */
#ifndef DEVICES_LPT_H
#define DEVICES_LPT_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

struct lpt_state {
    uint64_t phase_end; /* virtual time at which the printer's present phase ends */
    uint8_t data, control;
    uint8_t phase; /* of the printer: idle, busy, acknowledging */
    uint8_t reserved[5];
};

struct lpt_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line irq;
    void (*out)(void *arg, uint8_t byte); /* a strobed byte; NULL: no printer is attached */
    void *arg;
};

struct lpt {
    struct device dev;
    struct lpt_wiring w;
    struct lpt_state st;
    struct timer timer;
};

extern const struct device_class lpt_class;
extern const struct io_ops lpt_io; /* 3 ports */

void lpt_init(struct lpt *l, const char *id, struct lpt_wiring w);

#endif
