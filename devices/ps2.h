/*
 * The PS/2 wire between a device (keyboard, mouse) and its host controller, in whole bytes. The
 * device raises its `ready` line while it has bytes to send; the host fetches one at a time when it
 * lets the clock run, and sends command bytes.
 */
#ifndef DEVICES_PS2_H
#define DEVICES_PS2_H

#include "machine/types.h"

struct ps2_ops {
    void (*write)(void *dev, uint8_t byte); /* host to device */
    uint8_t (*read)(void *dev);             /* the next byte; 0 if there is none */
};

struct ps2_port {
    const struct ps2_ops *ops; /* NULL: nothing plugged in */
    void *dev;
};

/* The basic assurance test of a device after a reset command: 300 to 500 ms in real ones, in which
 * guests only wait; ours is shorter but never immediate. */
#define PS2_BAT_NS 50000000ull

#endif
