/*
 * NE2000: a DP8390D network controller with its packet memory and address PROM, as Novell's ISA card
 * and Realtek's RTL8029AS (PCI) have it. See ne2000.c.
 */
#ifndef DEVICES_NE2000_H
#define DEVICES_NE2000_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

enum { NE2000_PORTS = 32, NE2000_RAM = 32768, NE2000_MAX_FRAME = 1518 /* with a VLAN tag, without CRC */ };

struct ne2000_state {
    uint64_t tx_done;    /* virtual time at which the frame has left; VTIME_NEVER: none under way */
    uint16_t rsar, rbcr; /* remote DMA: present address, bytes left */
    uint16_t tbcr;
    uint8_t cr, isr, imr, dcr, tcr, rcr, tsr, rsr;
    uint8_t pstart, pstop, bnry, curr, tpsr;
    uint8_t cntr[3];      /* tally counters: alignment, CRC, missed */
    uint8_t fifo[8];      /* what a loopback leaves behind */
    uint8_t fifo_at;      /* next byte of it to be read */
    uint8_t par[6], mar[8];
    uint8_t mac[6];       /* in the PROM */
    uint8_t link;         /* the cable is plugged in */
    uint8_t send_packet;  /* remote DMA is a Send Packet: BNRY follows at its end */
    uint8_t send_next;    /* to this page */
    uint8_t reserved[2];
    uint8_t ram[NE2000_RAM];
};

struct ne2000_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line irq;
    bool pci;          /* RTL8029AS: 32 KiB of packet memory, identification registers */
    uint32_t byte_ns;  /* virtual time that a byte takes on the wire */
    uint8_t mac[6];
    /* A frame leaves, without CRC. Never called while the link is down or in loopback. */
    void (*send)(void *arg, const uint8_t *frame, size_t len);
    /* There may be room for a frame that did not fit before. */
    void (*room)(void *arg);
    void *arg;
};

struct ne2000 {
    struct device dev; /* first */
    struct ne2000_wiring w;
    struct ne2000_state st;
    struct timer timer;
};

extern const struct device_class ne2000_class;
extern const struct io_ops ne2000_io; /* 32 ports */

void ne2000_init(struct ne2000 *x, const char *id, struct ne2000_wiring w);

/* A frame arrives from the wire, without CRC; short ones count as padded by their sender. */
void ne2000_receive(struct ne2000 *x, const uint8_t *frame, size_t len);
/* Whether a frame of `len` bytes would be dealt with now: stored, or dropped for a reason that waiting
 * does not change. False: the ring has no room for it at present. */
bool ne2000_ready(const struct ne2000 *x, size_t len);
/* The guest has dealt with the frames that it was told of, so that the next ones can come. On a wire they
 * would come anyway; but a host's frames come in bursts that no 10 Mbit/s wire carries, and drivers that
 * take a limited number at a time rely on the next one to remind them of the rest. */
bool ne2000_attends(const struct ne2000 *x);
/* Whether the receiver runs at all. */
bool ne2000_listens(const struct ne2000 *x);
void ne2000_set_link(struct ne2000 *x, bool up);

#endif
