/*
 * Intel 8042 as the PS/2 keyboard controller, with its auxiliary (mouse) port (IBM PS/2 hardware
 * interface technical reference, "Keyboard and auxiliary device controller").
 *
 *   port 60h r/w  data                 port 64h r  status        port 64h w  command
 *   status: 7 parity 6 time-out 5 AUX data 4 not locked 3 last write was a command
 *           2 system flag 1 input buffer full 0 output buffer full
 *   command byte: 6 translate 5 disable AUX 4 disable keyboard 2 system flag 1 IRQ12 0 IRQ1
 *
 * The board wires the devices' ready lines to i8042_ready(), ORs `a20` with port 92's line and
 * takes a rise of `reset` as a reset request, to be carried out after the instruction.
 */
#ifndef DEVICES_I8042_H
#define DEVICES_I8042_H

#include "devices/ps2.h"
#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

enum { I8042_KEYBOARD, I8042_AUX };

struct i8042_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line irq_keyboard, irq_aux;
    struct irq_line a20;      /* output port bit 1 */
    struct irq_line reset;    /* high while output port bit 0 is low */
    struct ps2_port port[2];  /* I8042_KEYBOARD, I8042_AUX */
};

enum { I8042_REPLIES = 32 };

struct i8042_state {
    uint64_t arrive_at;             /* a byte from a device is in the output buffer then;
                                       UINT64_MAX: none under way */
    uint8_t ram[32];                /* the command byte first */
    uint8_t reply[I8042_REPLIES];   /* the controller's own answers, oldest first */
    uint8_t reply_aux[I8042_REPLIES]; /* and whether each appears as AUX data (command D3) */
    uint8_t replies;
    uint8_t output;                 /* output buffer */
    uint8_t full;                   /* OBF */
    uint8_t aux;                    /* and what is in it came from AUX */
    uint8_t last_was_command;       /* status bit 3 */
    uint8_t command;                /* waits for its data byte; 0: none */
    uint8_t output_port;            /* P2 as written */
    uint8_t break_prefix;           /* translation: F0 came before */
    uint8_t ready;                  /* levels of the ready lines */
    uint8_t poll_input;             /* C1, C2: input port bits in the status; 0: none */
    uint8_t reserved[6];
};

struct i8042 {
    struct device dev;
    struct i8042_wiring w;
    struct i8042_state st;
    struct timer timer;
};

extern const struct device_class i8042_class;
extern const struct io_ops i8042_io; /* offset 0 data, offset 4 status and command (map both) */

void i8042_init(struct i8042 *x, const char *id, struct i8042_wiring w);

/* The wire for the ready line of the device on a port. */
struct irq_line i8042_ready(struct i8042 *x, unsigned port);

/* Scan code set 2 to set 1, as the controller's table has it (one byte, F0 prefix apart). */
uint8_t i8042_translate(uint8_t code);

#endif
