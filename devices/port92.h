/*
 * System control port A (PS/2; 82371SB 3.8.4): bit 1 opens the A20 gate, bit 0 going to 1 resets
 * the CPU. The other bits read 0. The board ORs `a20` with the keyboard controller's line and takes
 * a rise of `reset` as a reset request, to be carried out after the instruction.
 */
#ifndef DEVICES_PORT92_H
#define DEVICES_PORT92_H

#include "machine/bus.h"
#include "machine/device.h"

struct port92_wiring {
    struct irq_line a20, reset;
};

struct port92_state {
    uint8_t control; /* bits 1-0 as written */
};

struct port92 {
    struct device dev;
    struct port92_wiring w;
    struct port92_state st;
};

extern const struct device_class port92_class;
extern const struct io_ops port92_io; /* 1 port */

void port92_init(struct port92 *x, const char *id, struct port92_wiring w);

#endif
