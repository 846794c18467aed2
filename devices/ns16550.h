/*
 * 16550A UART: FIFOs, trigger levels, character time-out, loopback, modem lines, line errors.
 * Bytes take their time on the line (divisor latch and frame format) in virtual time.
 */
#ifndef DEVICES_NS16550_H
#define DEVICES_NS16550_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

enum { NS16550_FIFO = 16 };

/* Line status bits that a received character can carry (LSR). */
enum { NS16550_PARITY = 0x04, NS16550_FRAMING = 0x08, NS16550_BREAK = 0x10 };
/* Modem inputs, as in the upper half of MSR. */
enum { NS16550_CTS = 0x10, NS16550_DSR = 0x20, NS16550_RI = 0x40, NS16550_DCD = 0x80 };

struct ns16550_queue {
    uint8_t byte[NS16550_FIFO];
    uint8_t error[NS16550_FIFO]; /* LSR bits of the character */
    uint8_t head, count;
};

struct ns16550_state {
    uint64_t tx_done;    /* when the last bit of the byte in the transmit shift register is out */
    uint64_t rx_done;    /* when the byte in the receive shift register has arrived */
    uint64_t timeout_at; /* character time-out, while timeout_armed */
    uint16_t divisor;
    uint8_t ier, fcr, lcr, mcr, lsr, scr;
    uint8_t msr_delta; /* MSR bits 3-0 */
    uint8_t modem;     /* input pins, MSR bits 7-4 */
    uint8_t tx_shift, tx_busy;
    uint8_t rx_shift, rx_shift_error, rx_busy;
    uint8_t thre_interrupt; /* the transmitter-empty interrupt is latched */
    uint8_t timeout_armed, timeout_interrupt;
    struct ns16550_queue tx, rx, line; /* line: sent to us, not yet in the shift register */
};

struct ns16550_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line irq;
    uint32_t clock_hz;     /* of the crystal, 1843200 on a PC; 0 means that */
    bool out2_gates_irq;   /* PC adapters: OUT2 opens the interrupt driver */
    uint8_t modem;         /* input pins at power-on */
    uint32_t byte_ns;      /* 0: line speed from the divisor; else a fixed time for every byte */
    void (*tx)(void *arg, uint8_t byte);                        /* a byte left; may be NULL */
    void (*modem_out)(void *arg, bool dtr, bool rts, bool brk); /* pins changed; may be NULL */
    void (*rx_ready)(void *arg); /* ns16550_receive() was refused and has room again; may be NULL */
    void *arg;
};

struct ns16550 {
    struct device dev;
    struct ns16550_wiring w;
    struct ns16550_state st;
    struct timer timer;
    bool rx_refused; /* tell rx_ready when there is room */
    uint8_t pins_told; /* DTR, RTS, break as last given to modem_out */
};

extern const struct device_class ns16550_class;
extern const struct io_ops ns16550_io; /* 8 ports */

void ns16550_init(struct ns16550 *u, const char *id, struct ns16550_wiring w);
/* Sends a byte to the port. It waits on the line for its turn and for room in the FIFO, as behind a
 * modem with flow control. False when the line holds NS16550_FIFO bytes: offer it again later. */
bool ns16550_receive(struct ns16550 *u, uint8_t byte);
size_t ns16550_room(const struct ns16550 *u); /* how many bytes ns16550_receive() takes now */
/* The same with parity, framing or break errors (a break comes with byte 0). */
bool ns16550_receive_error(struct ns16550 *u, uint8_t byte, uint8_t error);
/* Sets the four modem input pins. */
void ns16550_set_modem(struct ns16550 *u, uint8_t pins);

#endif
