/*
 * PS/2 mouse (IBM PS/2 hardware interface technical reference, "Mouse"), with the wheel protocol of
 * the Microsoft IntelliMouse and the five buttons of the IntelliMouse Explorer once a driver has
 * knocked. The board wires `ready` to the controller and gives the controller ps2_mouse_ops.
 */
#ifndef DEVICES_PS2_MOUSE_H
#define DEVICES_PS2_MOUSE_H

#include "devices/ps2.h"
#include "machine/device.h"
#include "machine/log.h"

struct ps2_mouse_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line ready; /* there are bytes to fetch */
};

enum { PS2_MOUSE_QUEUE = 16 };

struct ps2_mouse_state {
    uint64_t report_at; /* the earliest time of the next report */
    uint64_t bat_at;    /* end of the self-test; UINT64_MAX: not in one */
    uint32_t dx, dy, dz; /* motion not reported yet, two's complement; y up, z towards the user */
    uint8_t queue[PS2_MOUSE_QUEUE]; /* bytes to send, oldest first */
    uint8_t queued;
    uint8_t buttons;    /* 1 left, 2 right, 4 middle, 8 fourth, 16 fifth */
    uint8_t reported;   /* buttons in the last report */
    uint8_t id;         /* 0 mouse, 3 with wheel, 4 with wheel and five buttons */
    uint8_t enabled;    /* reports in stream mode */
    uint8_t remote;     /* remote mode */
    uint8_t wrap;       /* echo mode */
    uint8_t scaling;    /* 2:1 */
    uint8_t resolution; /* 0..3: 1, 2, 4, 8 counts a mm */
    uint8_t rate;       /* reports a second */
    uint8_t knock[2];   /* the two rates set before */
    uint8_t command;    /* waits for its parameter; 0: none */
    uint8_t last_sent;
    uint8_t reserved[6];
};

struct ps2_mouse {
    struct device dev;
    struct ps2_mouse_wiring w;
    struct ps2_mouse_state st;
    struct timer timer;
};

extern const struct device_class ps2_mouse_class;
extern const struct ps2_ops ps2_mouse_ops;

void ps2_mouse_init(struct ps2_mouse *x, const char *id, struct ps2_mouse_wiring w);

/* Relative motion in counts: dx to the right, dy down (as on a screen), dz wheel clicks away from
 * the user; buttons as in ps2_mouse_state. */
void ps2_mouse_move(struct ps2_mouse *x, int dx, int dy, int dz, unsigned buttons);

#endif
