/*
 * 82371SB (PIIX3) ISA bridge, PCI function 0:1.0: PCI interrupt routing and the reset control
 * register. Its interrupt controllers, timer and DMA controllers are chips of their own.
 */
#ifndef DEVICES_PIIX_H
#define DEVICES_PIIX_H

#include "devices/pci.h"

enum { PIIX_PIRQS = 4, PIIX_IRQS = 16 };

struct piix_state {
    struct pci_config pci;
    uint32_t intx[4];   /* levels of INTA#..INTD#, one bit per slot */
    uint16_t isa_lines; /* levels on the ISA IRQ pins that are wired through this chip */
    uint8_t rcr;        /* reset control register */
    uint8_t reserved;
};

struct piix_wiring {
    struct log *log;
    struct irq_line irq[PIIX_IRQS]; /* to the interrupt controllers */
    /* The reset control register asks for a reset; hard: PCI and CPU, else CPU only. */
    void (*reset)(void *arg, bool hard);
    void *arg;
};

struct piix {
    struct device dev;
    struct piix_wiring w;
    struct piix_state st;
    struct pci_function pci;
    uint16_t told; /* levels last driven to w.irq */
};

extern const struct device_class piix_class;
/* What pci_host passes on: offset 1 is the reset control register, the others are absent. */
extern const struct io_ops piix_reset_io;

/* `p` must be zeroed memory; lines that were driven into it already are kept. */
void piix_init(struct piix *p, const char *id, struct piix_wiring w);

/* Sinks for struct irq_line. */
/* pin = slot * 4 + (0 for INTA# .. 3 for INTD#) */
void piix_set_intx(void *piix, unsigned pin, bool level);
/* An ISA device on an IRQ that PIRQs may share: the output is the OR. pin = IRQ number. */
void piix_set_isa_irq(void *piix, unsigned pin, bool level);

/* The PIRQ (0-3) that INTA#..INTD# (0-3) of `slot` is wired to on this board. */
unsigned piix_pirq_of(unsigned slot, unsigned intx);

#endif
