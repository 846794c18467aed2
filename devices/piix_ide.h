/*
 * The IDE function of the 82371SB (PIIX3), PCI function 0:1.1: where the two channels decode, and
 * the bus master that moves their data. See piix_ide.c.
 */
#ifndef DEVICES_PIIX_IDE_H
#define DEVICES_PIIX_IDE_H

#include "devices/ata.h"
#include "devices/pci.h"
#include "mmu/phys.h"

enum { PIIX_IDE_CHANNELS = 2, PIIX_IDE_PORTS = 16 };

struct piix_ide_channel_state {
    uint32_t table;   /* descriptor table pointer */
    uint32_t next;    /* next descriptor */
    uint32_t address; /* next byte of the present region */
    uint32_t left;    /* and its bytes still to be moved */
    uint8_t command;  /* BMICOM */
    uint8_t status;   /* BMISTA */
    uint8_t line;     /* level of the channel's INTRQ */
    uint8_t last;     /* the present region is the last one */
};

struct piix_ide_state {
    struct pci_config pci;
    struct piix_ide_channel_state channel[PIIX_IDE_CHANNELS];
};

struct piix_ide_wiring {
    struct log *log;
    struct phys *phys;
    struct irq_line irq[PIIX_IDE_CHANNELS];
    struct ata *channel[PIIX_IDE_CHANNELS];
    /* The ports of a channel appear or go away. */
    void (*decode)(void *arg, unsigned channel, bool enabled);
    /* The bus master's ports moved. */
    void (*move)(void *arg, uint32_t base, bool enabled);
    void *arg;
};

struct piix_ide {
    struct device dev;
    struct piix_ide_wiring w;
    struct piix_ide_state st;
    struct pci_function pci;
    struct piix_ide_master {
        struct piix_ide *ide;
        unsigned n;
        struct piix_ide_channel_state before; /* the last move(), within one step of the drive */
    } master[PIIX_IDE_CHANNELS];
    bool decoded[PIIX_IDE_CHANNELS]; /* as last told */
};

extern const struct device_class piix_ide_class;
extern const struct io_ops piix_ide_io; /* 16 ports: the bus master's registers */

void piix_ide_init(struct piix_ide *p, const char *id, struct piix_ide_wiring w);

/* The bus master of a channel, for its wiring; may be called before piix_ide_init. */
struct ata_dma piix_ide_dma(struct piix_ide *p, unsigned channel);
/* Sink for a channel's INTRQ: pin = channel. */
void piix_ide_set_irq(void *ide, unsigned pin, bool level);

#endif
