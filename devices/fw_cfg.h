/*
 * QEMU firmware configuration device: numbered items and named files that firmware reads byte by
 * byte or by DMA. The contents are configuration, put in before the machine runs; which item is
 * selected and how far it was read is state.
 */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"
#include "mmu/phys.h"

/* Keys (QEMU docs/specs/fw_cfg). */
enum {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_MACHINE_ID = 0x06,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_KERNEL_CMDLINE = 0x09,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_DEVICE = 0x0c,
    FW_CFG_NUMA = 0x0d,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_ARCH_LOCAL = 0x8000,
    FW_CFG_ACPI_TABLES = 0x8000,
    FW_CFG_SMBIOS_ENTRIES = 0x8001,
    FW_CFG_IRQ0_OVERRIDE = 0x8002,
    FW_CFG_E820_TABLE = 0x8003,
};

enum { FW_CFG_ITEMS = 96, FW_CFG_NAME = 56 /* with the final NUL */ };

struct fw_cfg_item {
    char name[FW_CFG_NAME]; /* "" for a numbered item */
    uint16_t key;
    uint32_t len;
    uint8_t *data; /* owned */
    uint64_t hash; /* of data, as added */
};

struct fw_cfg_state {
    uint64_t identity; /* hash of all contents, checked when a state is loaded */
    uint32_t offset;   /* next byte of the selected item */
    uint32_t dma_high; /* upper half of the DMA address, until the lower one is written */
    uint16_t key;      /* selected */
    uint8_t reserved[6];
};

struct fw_cfg_wiring {
    struct log *log;
    struct phys *phys; /* for DMA */
    /* May be NULL: up to so many bytes went to memory within one instruction. */
    void (*moved)(void *arg, uint32_t bytes);
    void *arg;
};

struct fw_cfg {
    struct device dev;
    struct fw_cfg_wiring w;
    struct fw_cfg_state st;
    struct fw_cfg_item item[FW_CFG_ITEMS]; /* files sorted by name, numbered items by key */
    unsigned items;
    const struct fw_cfg_item *selected; /* of st.key, or NULL: reads zeros */
    uint64_t contents; /* identity of what is held */
};

extern const struct device_class fw_cfg_class;
extern const struct io_ops fw_cfg_io; /* 2 ports: selector (16 bits), data (8 bits) */
extern const struct io_ops fw_cfg_dma_io; /* 8 ports: the DMA address, big-endian */

void fw_cfg_init(struct fw_cfg *fw, const char *id, struct fw_cfg_wiring w);

/* Adds or replaces an item; the data are copied. */
MUST_CHECK enum emu_err fw_cfg_add_bytes(struct fw_cfg *fw, uint16_t key, const void *data,
                                         size_t len, struct error *err);
/* Little-endian numbers. */
MUST_CHECK enum emu_err fw_cfg_add_u16(struct fw_cfg *fw, uint16_t key, uint16_t v,
                                       struct error *err);
MUST_CHECK enum emu_err fw_cfg_add_u32(struct fw_cfg *fw, uint16_t key, uint32_t v,
                                       struct error *err);
MUST_CHECK enum emu_err fw_cfg_add_u64(struct fw_cfg *fw, uint16_t key, uint64_t v,
                                       struct error *err);
/* Adds or replaces a file; the data are copied. The keys of all files follow from the order of
 * their names. */
MUST_CHECK enum emu_err fw_cfg_add_file(struct fw_cfg *fw, const char *name, const void *data,
                                        size_t len, struct error *err);

#endif
