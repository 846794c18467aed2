/*
 * Motorola MC146818A real-time clock with CMOS RAM, as the PC/AT uses it: index and data port, 128
 * bytes, NMI mask in bit 7 of the index, century in byte 0x32; and the second bank of 128 bytes of
 * the PIIX (MC146818A data sheet ADI-856; 82371SB 3.7).
 *
 * Time is virtual: the clock shows `start` at virtual time 0. The board fills the other CMOS bytes.
 */
#ifndef DEVICES_MC146818_H
#define DEVICES_MC146818_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

struct mc146818_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line irq;
    struct irq_line nmi_mask; /* bit 7 of the index port: high = NMI masked */
    uint64_t start;           /* seconds since 1970-01-01 00:00 that the clock shows at time 0 */
};

struct mc146818_state {
    uint64_t divider; /* crystal pulse at which a second began; updates follow every 32768 */
    uint64_t seen;    /* crystal pulse up to which updates and periods were accounted for */
    uint8_t ram[256]; /* time, registers A-D, CMOS; from 128 on the second bank */
    uint8_t index;
    uint8_t index_high; /* of the second bank */
    uint8_t nmi_mask;
    uint8_t reserved[5];
};

struct mc146818 {
    struct device dev;
    struct mc146818_wiring w;
    struct mc146818_state st;
    struct timer timer;
};

extern const struct device_class mc146818_class;
extern const struct io_ops mc146818_io; /* 4 ports: index, data, second index, second data */

void mc146818_init(struct mc146818 *x, const char *id, struct mc146818_wiring w);

/* A CMOS byte (0..255) as the battery keeps it; for the board's set-up, not for registers A-D. */
void mc146818_set_cmos(struct mc146818 *x, unsigned index, uint8_t value);
uint8_t mc146818_cmos(const struct mc146818 *x, unsigned index);

#endif
