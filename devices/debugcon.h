/*
 * Debug console: one port whose written bytes go to the host and that reads as a fixed byte, by
 * which software finds it (Bochs's port E9; SeaBIOS's port 402 reads E9 as well).
 */
#ifndef DEVICES_DEBUGCON_H
#define DEVICES_DEBUGCON_H

#include "machine/bus.h"
#include "machine/device.h"

struct debugcon_state {
    uint64_t count; /* bytes written since reset: tells how far a run came */
};

struct debugcon_wiring {
    uint8_t readback;
    void (*out)(void *arg, uint8_t byte); /* may be NULL */
    void *arg;
};

struct debugcon {
    struct device dev;
    struct debugcon_wiring w;
    struct debugcon_state st;
};

extern const struct device_class debugcon_class;
extern const struct io_ops debugcon_io; /* 1 port */

void debugcon_init(struct debugcon *d, const char *id, struct debugcon_wiring w);

#endif
