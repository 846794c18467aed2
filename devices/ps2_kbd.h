/*
 * PS/2 keyboard (IBM PS/2 hardware interface technical reference, "101- and 102-key keyboards"):
 * scan code sets 1, 2 and 3, typematic repeat, LEDs, the 16-byte buffer. The board wires `ready` to
 * the controller and gives the controller ps2_kbd_ops.
 */
#ifndef DEVICES_PS2_KBD_H
#define DEVICES_PS2_KBD_H

#include "devices/ps2.h"
#include "machine/device.h"
#include "machine/log.h"

struct ps2_kbd_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line ready; /* there are bytes to fetch */
    void (*leds)(void *arg, uint8_t leds); /* they changed: 1 Scroll, 2 Num, 4 Caps; may be NULL */
    void *arg;
};

enum { PS2_KBD_BUFFER = 16, PS2_KBD_REPLIES = 8 };

struct ps2_kbd_state {
    uint64_t repeat_at;              /* next typematic code; UINT64_MAX: none */
    uint64_t bat_at;                 /* end of the self-test; UINT64_MAX: not in one */
    uint8_t buffer[PS2_KBD_BUFFER];  /* scan codes, oldest first */
    uint8_t reply[PS2_KBD_REPLIES];  /* answers to commands go before them */
    uint8_t down[32];                /* keys held, a bit each by HID usage */
    uint8_t no_break[32];            /* set 3: keys without break code, a bit each by code */
    uint8_t no_repeat[32];           /* set 3: keys without typematic repeat */
    uint8_t buffered, replies;       /* bytes in them */
    uint8_t set;                     /* 1..3 */
    uint8_t enabled;                 /* keys are scanned */
    uint8_t leds;                    /* 1 Scroll, 2 Num, 4 Caps */
    uint8_t typematic;               /* delay and rate as commanded */
    uint8_t command;                 /* waits for its parameter; 0: none */
    uint8_t last_sent;
    uint8_t repeat_key;              /* HID usage of the key that repeats */
    uint8_t print_form;              /* enum ps2_key_form in which Print Screen went down */
    uint8_t reserved[6];
};

struct ps2_kbd {
    struct device dev;
    struct ps2_kbd_wiring w;
    struct ps2_kbd_state st;
    struct timer timer;
};

extern const struct device_class ps2_kbd_class;
extern const struct ps2_ops ps2_kbd_ops;

void ps2_kbd_init(struct ps2_kbd *x, const char *id, struct ps2_kbd_wiring w);

/* A key (USB HID usage, page 7) goes down or up. The host's own repeats must not come here; they
 * are dropped if they do. */
void ps2_kbd_key(struct ps2_kbd *x, uint8_t hid, bool down);

/* 1 Scroll Lock, 2 Num Lock, 4 Caps Lock. */
uint8_t ps2_kbd_leds(const struct ps2_kbd *x);

#endif
