/*
 * PCI configuration space: mechanism 1 (PCI 2.1, 3.7.4.1) and what every function has in common
 * (chapter 6): identity, command register, base address registers with sizing, expansion ROM.
 *
 * A device that is a PCI function embeds a struct pci_config in its state and a struct
 * pci_function beside it. It fills in its identity, base address registers and writable bits
 * once, resets the function with its own reset, and is told when a window moved.
 *
 * NOT MODELLED: bridges to further busses, configuration mechanism 2, parity and system errors,
 * 64-bit base address registers, capabilities.
 */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS = 0x09, /* programming interface, sub-class, class */
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM = 0x2e,
    PCI_ROM_BASE = 0x30,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
};
enum { PCI_COMMAND_IO = 1, PCI_COMMAND_MEMORY = 2, PCI_COMMAND_MASTER = 4 };
enum { PCI_MULTIFUNCTION = 0x80 }; /* of the header type */
enum { PCI_BARS = 7, PCI_ROM = 6 /* index of the expansion ROM among the bars */ };

/* State of a function; part of its device's state struct (FIELD_STRUCT with pci_config_desc). */
struct pci_config {
    uint8_t space[256];
};
extern const struct state_desc pci_config_desc;

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEMORY, PCI_BAR_PREFETCH, PCI_BAR_ROM };

struct pci_bar {
    enum pci_bar_kind kind;
    uint32_t size; /* a power of two */
    void (*moved)(void *dev, unsigned bar, uint32_t base, bool enabled);
    uint32_t base; /* as last told to moved() */
    bool enabled;
};

struct pci_identity {
    uint16_t vendor, device;
    uint32_t class_code; /* 24 bits: class, sub-class, programming interface */
    uint8_t revision, header_type;
    uint8_t interrupt_pin; /* 0 none, 1 INTA# .. 4 INTD# */
    uint16_t command, status; /* after reset */
    uint16_t subsystem_vendor, subsystem;
};

struct pci_function {
    const char *name;
    void *dev;
    struct pci_config *cfg;
    const struct pci_identity *id;
    uint8_t writable[256]; /* bits that software can write */
    uint8_t clear[256];    /* bits that software clears by writing ones */
    struct pci_bar bar[PCI_BARS];
    void (*written)(void *dev, unsigned reg, unsigned len); /* after each write; may be NULL */
};

/* `id` must outlive the function. No window yet, generic registers writable. */
void pci_function_init(struct pci_function *fn, const char *name, void *dev, struct pci_config *cfg,
                       const struct pci_identity *id);
/* Adds a window of `size` (a power of two; I/O at least 4, memory at least 16, ROM at least 2048).
 * `moved` is called whenever the window appears, moves or goes away. */
void pci_function_add_bar(struct pci_function *fn, unsigned index, enum pci_bar_kind kind,
                          uint32_t size,
                          void (*moved)(void *dev, unsigned bar, uint32_t base, bool enabled));
/* Software may write `mask` of the `len` (1, 2 or 4) bytes at `reg`. */
void pci_function_writable(struct pci_function *fn, unsigned reg, uint32_t mask, unsigned len);
/* Header from the identity, everything else zero; the device then sets its own registers. */
void pci_function_reset(struct pci_function *fn);
/* Tells the windows that changed; ends every reset, write and load. */
void pci_function_update(struct pci_function *fn);

/* Registers without side effects, for the device itself. */
uint32_t pci_get(const struct pci_function *fn, unsigned reg, unsigned len);
void pci_set(struct pci_function *fn, unsigned reg, uint32_t value, unsigned len);

/* What software does through the host bridge. */
uint32_t pci_function_read(struct pci_function *fn, unsigned reg, unsigned len);
void pci_function_write(struct pci_function *fn, unsigned reg, uint32_t value, unsigned len);

/* --- the host: address register and data window, one bus of 32 slots with 8 functions --- */

struct pci_host_state {
    uint32_t address; /* CONFADD */
};

struct pci_host_wiring {
    struct log *log;
    /* Where accesses to the address port that are not 32 bits wide go, with offset 0-3: they
     * belong to the I/O bus (PIIX has its reset control register there). NULL ops: nothing. */
    const struct io_ops *pass;
    void *pass_dev;
};

struct pci_host {
    struct device dev;
    struct pci_host_wiring w;
    struct pci_host_state st;
    struct pci_function *fn[256]; /* by slot * 8 + function */
};

extern const struct device_class pci_host_class;
extern const struct io_ops pci_host_io; /* 8 ports: 0-3 address, 4-7 data */

void pci_host_init(struct pci_host *h, const char *id, struct pci_host_wiring w);
/* Puts a function on the bus; a taken or impossible place is EMU_ARG. */
MUST_CHECK enum emu_err pci_bus_add(struct pci_host *h, unsigned slot, unsigned function,
                                    struct pci_function *fn, struct error *err);
/* "info pci": a few lines per function. */
void pci_host_print(const struct pci_host *h, void (*emit)(void *arg, const char *line), void *arg);

/* --- I/O windows that software moves ---
 * After every change all windows are mapped anew in the order of their registration, so what is
 * where depends only on the present registers, also when two windows overlap. A window that
 * overlaps ports in use stays unmapped and is reported in the log. */

struct pci_io_window {
    const char *name;
    const struct io_ops *ops;
    void *dev;
    uint32_t count; /* ports */
    uint32_t first_offset;
    uint32_t base; /* wanted */
    bool enabled;  /* wanted */
    bool mapped;
    struct pci_io_window *next;
};

struct pci_io_map {
    struct io_bus *bus;
    struct log *log;
    struct pci_io_window *first;
};

void pci_io_map_add(struct pci_io_map *m, struct pci_io_window *win);
void pci_io_map_move(struct pci_io_map *m, struct pci_io_window *win, uint32_t base, bool enabled);

#endif
