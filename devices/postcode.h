/*
 * POST code latch (port 80): remembers and shows the last code that firmware wrote.
 */
#ifndef DEVICES_POSTCODE_H
#define DEVICES_POSTCODE_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

struct postcode_state {
    uint8_t code;
};

struct postcode_wiring {
    struct log *log;
    void (*changed)(void *arg, uint8_t code); /* every write; may be NULL */
    void *arg;
};

struct postcode {
    struct device dev;
    struct postcode_wiring w;
    struct postcode_state st;
};

extern const struct device_class postcode_class;
extern const struct io_ops postcode_io; /* 1 port */

void postcode_init(struct postcode *p, const char *id, struct postcode_wiring w);

#endif
