/* PCnet-PCI II: AMD's Am79C970A single-chip Ethernet controller. See pcnet.c. */
#ifndef DEVICES_PCNET_H
#define DEVICES_PCNET_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"
#include "mmu/phys.h"

enum { PCNET_PORTS = 32, PCNET_CSRS = 128, PCNET_BCRS = 32, PCNET_MAX_FRAME = 1518 };

struct pcnet_state {
    uint64_t tx_due;       /* virtual time of the next look at the transmit ring; VTIME_NEVER: none */
    uint32_t rdra, tdra;   /* descriptor rings */
    uint16_t rx_at, tx_at; /* present descriptors */
    uint16_t csr[PCNET_CSRS];
    uint16_t bcr[PCNET_BCRS];
    uint16_t rap;
    uint8_t dwio; /* registers are 32 bits wide */
    uint8_t link;
    uint8_t prom[16];
};

struct pcnet_wiring {
    struct clock *clk;
    struct log *log;
    struct phys *phys;
    struct irq_line irq;
    uint32_t byte_ns; /* virtual time that a byte takes on the wire */
    uint8_t mac[6];
    bool (*is_master)(void *arg); /* PCI lets it use the bus */
    void (*send)(void *arg, const uint8_t *frame, size_t len); /* a frame leaves, without CRC */
    void (*room)(void *arg); /* there may be room for a frame that did not fit before */
    void *arg;
};

struct pcnet {
    struct device dev; /* first */
    struct pcnet_wiring w;
    struct pcnet_state st;
    struct timer timer;
};

extern const struct device_class pcnet_class;
extern const struct io_ops pcnet_io; /* 32 ports */

void pcnet_init(struct pcnet *x, const char *id, struct pcnet_wiring w);

/* As in ne2000.h. */
void pcnet_receive(struct pcnet *x, const uint8_t *frame, size_t len);
bool pcnet_ready(const struct pcnet *x, size_t len);
bool pcnet_listens(const struct pcnet *x);
void pcnet_set_link(struct pcnet *x, bool up);

#endif
