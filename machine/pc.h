/*
 * The boards: `pc` (i440FX, PIIX3, PIIX4 PM, PCI) and `isapc`. pc.c is the only file that knows port
 * numbers, IRQ numbers and physical addresses; pc_firmware.c knows what the firmware is told.
 */
#ifndef MACHINE_PC_H
#define MACHINE_PC_H

#include "cpu/cpu.h"
#include "devices/ata.h"
#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i82077.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/lpt.h"
#include "devices/mc146818.h"
#include "devices/ns16550.h"
#include "devices/ne2000.h"
#include "devices/pci.h"
#include "devices/pci_card.h"
#include "devices/pcnet.h"
#include "devices/piix.h"
#include "devices/piix_ide.h"
#include "devices/piix_pm.h"
#include "devices/port61.h"
#include "devices/port92.h"
#include "devices/postcode.h"
#include "devices/ps2_kbd.h"
#include "devices/ps2_mouse.h"
#include "devices/vga.h"
#include "devices/vga_draw.h"
#include "machine/machine.h"

/* The display adapter as a PCI function: identity, frame buffer and ROM windows. */
struct vga_pci_state {
    struct pci_config pci;
};

struct vga_pci {
    struct device dev;
    struct vga_pci_state st;
    struct pci_function fn;
};

/* Glue that no chip holds: the OR of the two A20 gates, the coprocessor error latch. */
struct glue_state {
    uint8_t a20_8042, a20_port92;
    uint8_t nmi_masked; /* port 70 bit 7 */
    uint8_t irq13;
};

struct glue {
    struct device dev;
    struct glue_state st;
};

enum { PC_BULK_TURN = 64 << 20 }; /* the front end has its turn after so many bytes of bulk DMA */

/* A network card: which of its parts there are depends on the model. */
struct nic {
    struct ne2000 ne2000;
    struct pcnet pcnet;
    struct pci_card card;
    struct pci_io_window window;
    struct phys_block *rom; /* NULL: none */
    unsigned rom_region;
    struct pc *pc;
    unsigned index;
};

struct pc {
    struct machine *m;
    struct clock clk;
    struct log log;
    struct io_bus io;
    struct phys *phys;
    struct cpu cpu;
    struct i8259 pic[2];
    struct i8254 pit;
    struct i8237 dma[2];
    struct dma_page dma_page;
    struct mc146818 rtc;
    struct i8042 kbc;
    struct ps2_kbd keyboard;
    struct ps2_mouse mouse;
    struct port61 port61;
    struct port92 port92;
    struct postcode post;
    struct debugcon debug[2]; /* 0x402, 0xE9 */
    struct ns16550 serial[SERIAL_PORTS];
    struct lpt lpt;
    struct i82077 fdc;
    struct ata ide[IDE_DRIVES / ATA_DRIVES];
    struct vga vga;
    struct fw_cfg fw_cfg;
    struct pci_host pci;
    struct i440fx host_bridge;
    struct piix isa_bridge;
    struct piix_ide ide_bridge;
    struct piix_pm pm;
    struct vga_pci vga_pci;
    struct nic nic[MAX_NICS]; /* the first cfg.nics of them */
    struct glue glue;
    struct device *devices; /* in wiring order */
    struct phys_block *ram, *bios, *vram, *vga_rom;
    unsigned ram_region, vga_window_region, vga_direct_region, lfb_region, mmio_region, rom_region;
    unsigned bios_region;
    struct pci_io_map io_windows;
    struct pci_io_window pm_window, smb_window, ide_window[2], ide_control_window[2], ide_master_window;
    bool reset_requested, poweroff_requested;
    bool stop_requested; /* a disk waits for the user (-drive werror=stop) */
    uint64_t bulk_moved; /* bytes of bulk DMA since the front end had its turn */
    bool cpu_ready; /* cpu_init() was done: there is something to close */
};

MUST_CHECK enum emu_err pc_new(struct machine *m, struct pc **out, struct error *err);
void pc_free(struct pc *pc); /* NULL is nothing */
void pc_reset(struct pc *pc, enum reset_kind kind);

/* Opens an image as this machine's configuration says (-snapshot); *readonly becomes what it is. `format`: NULL, found out. */
MUST_CHECK enum emu_err pc_open_floppy(const struct machine *m, const char *path, const char *format,
                                       bool *readonly, struct blk **out, struct error *err);
MUST_CHECK enum emu_err pc_insert_floppy(struct pc *pc, unsigned drive, struct blk *image, bool readonly,
                                         struct error *err);
void pc_eject_floppy(struct pc *pc, unsigned drive);

/* The same for IDE drives; a hard disk's medium is there from the start and stays. */
MUST_CHECK enum emu_err pc_open_ide(const struct machine *m, unsigned drive, const char *path, const char *format,
                                    bool *readonly, struct blk **out, struct error *err);
void pc_set_cdrom(struct pc *pc, unsigned drive, struct blk *image); /* NULL: empty */
/* "ide0-hd0", "ide1-cd0": QEMU's names. */
const char *pc_ide_name(const struct machine *m, unsigned drive);
/* The line of an ISA card. */
struct irq_line pc_isa_irq(struct pc *pc, unsigned irq);
/* pc_nic.c: network cards. */
MUST_CHECK enum emu_err pc_make_nics(struct pc *pc, struct error *err);
void pc_list_nics(struct pc *pc, void (*add)(struct pc *pc, struct device *dev));
bool pc_nic_listens(const struct pc *pc, unsigned nic);
bool pc_nic_attends(const struct pc *pc, unsigned nic); /* the guest is done with what came before */
bool pc_nic_ready(const struct pc *pc, unsigned nic, size_t len); /* it has room for a frame, or drops it */
void pc_packet_in(struct pc *pc, unsigned nic, const uint8_t *frame, size_t len);
void pc_set_link(struct pc *pc, unsigned nic, bool up);
bool pc_link(const struct pc *pc, unsigned nic);
unsigned pc_nic_slot(unsigned nic); /* on the PCI bus */

void pc_power_button(struct pc *pc);
void pc_pulse_nmi(struct pc *pc);
void pc_set_trace(struct pc *pc, uint32_t mask); /* bits of enum trace_category */

/* What belongs to the session, not to the machine, moves to the board that replaces `old`: breakpoints,
 * tracing. */
void pc_take_session(struct pc *pc, const struct pc *old);

void pc_print_pic(struct pc *pc, void (*emit)(void *arg, const char *line), void *arg);
void pc_print_pci(struct pc *pc, void (*emit)(void *arg, const char *line), void *arg);

/* pc_firmware.c: CMOS bytes, fw_cfg items, ROM files. */
MUST_CHECK enum emu_err pc_load_roms(struct pc *pc, struct error *err);
/* A PCI card's expansion ROM as a block of its own, a power of two large. */
MUST_CHECK enum emu_err pc_load_card_rom(struct pc *pc, const char *path, const char *what, const char *advice,
                                         const char *name, struct phys_block **out, struct error *err);
MUST_CHECK enum emu_err pc_describe(struct pc *pc, struct error *err);

#endif
