/*
 * System control port B of the PC/AT (IBM PC/AT technical reference, "I/O port 61"; 82371SB 3.8.1,
 * NMISC):
 *   7 SERR/parity NMI status (r)   3 channel check disable
 *   6 channel check NMI status (r) 2 parity check disable
 *   5 OUT of timer counter 2 (r)   1 speaker data enable
 *   4 refresh request toggle (r)   0 gate of timer counter 2
 * The board wires `gate2` and `out2` to the timer.
 * NOT MODELLED: the sources of the two status bits (they read 0: this machine's memory has no
 * errors), sound.
 */
#ifndef DEVICES_PORT61_H
#define DEVICES_PORT61_H

#include "machine/bus.h"
#include "machine/device.h"

struct port61_wiring {
    struct clock *clk;
    struct irq_line gate2;          /* GATE of timer counter 2 */
    struct irq_line speaker;        /* speaker data enable, for a sound back end */
    bool (*out2)(void *arg);        /* level of OUT of timer counter 2 now */
    void *out2_arg;
};

struct port61_state {
    uint8_t control; /* bits 3-0 as written */
};

struct port61 {
    struct device dev;
    struct port61_wiring w;
    struct port61_state st;
};

extern const struct device_class port61_class;
extern const struct io_ops port61_io; /* 1 port */

void port61_init(struct port61 *x, const char *id, struct port61_wiring w);

#endif
