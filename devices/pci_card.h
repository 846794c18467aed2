/*
 * What an expansion card that is otherwise complete needs to sit in a PCI slot: an identity, windows, and
 * nothing else. Two chips share it: the RTL8029AS (an NE2000 with PCI pins) and the PCnet-PCI.
 *
 * An expansion ROM is the board's to add, as the windows are.
 *
 * NOT MODELLED: what pci.h says.
 */
#ifndef DEVICES_PCI_CARD_H
#define DEVICES_PCI_CARD_H

#include "devices/pci.h"

struct pci_card_state {
    struct pci_config pci;
};

struct pci_card {
    struct device dev; /* first */
    struct pci_card_state st;
    struct pci_identity identity;
    struct pci_function fn;
};

extern const struct device_class pci_card_class;

/* The board adds the windows, then resets it with all others. `name` is for "info pci". */
void pci_card_init(struct pci_card *c, const char *id, const char *name, const struct pci_identity *identity);
/* The guest lets the card read and write memory. */
bool pci_card_is_master(const struct pci_card *c);

#endif
