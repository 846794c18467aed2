/*
 * 82441FX (440FX PMC) host bridge, PCI function 0:0.0: memory controller registers, PAM shadowing,
 * SMRAM. See i440fx.c.
 */
#ifndef DEVICES_I440FX_H
#define DEVICES_I440FX_H

#include "devices/pci.h"

struct i440fx_state {
    struct pci_config pci;
};

struct i440fx_wiring {
    struct log *log;
    uint32_t ram_mib; /* for the DRAM row boundary registers */
    /* Reads (writes) of this part of C0000-FFFFF go to RAM rather than to the PCI bus, where the
     * ROMs are. Called after a change and for every part after reset and load. */
    void (*set_pam)(void *arg, uint32_t base, uint32_t size, bool read_ram, bool write_ram);
    /* A0000-BFFFF is RAM (SMRAM opened) rather than VGA; may be NULL. */
    void (*set_smram)(void *arg, bool open);
    void *arg;
};

struct i440fx {
    struct device dev;
    struct i440fx_wiring w;
    struct i440fx_state st;
    struct pci_function pci;
    uint8_t pam_told[7]; /* PAM registers as last told to set_pam */
    bool smram_told;
};

extern const struct device_class i440fx_class;

void i440fx_init(struct i440fx *b, const char *id, struct i440fx_wiring w);

#endif
