/*
 * What the firmware finds: ROM files, CMOS bytes, fw_cfg items, the Linux kernel for our option
 * ROM. CMOS bytes as IBM's PC/AT BIOS and SeaBIOS read them; fw_cfg as QEMU's specification says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/pc.h"

/* --- files --- */

static enum emu_err read_file(const char *path, const char *what, const char *advice, struct buf *b,
                              struct error *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return error_set(err, EMU_IO, "cannot open the %s %s: %s; %s", what, path, strerror(errno),
                         advice);
    uint8_t part[65536];
    size_t n;
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_put(b, part, n);
    bool bad = ferror(f) != 0;
    fclose(f);
    if (bad)
        return error_set(err, EMU_IO, "cannot read the %s %s: %s", what, path, strerror(errno));
    if (b->failed)
        return error_set(err, EMU_NOMEM, "the host has no memory for the %s %s", what, path);
    return b->len ? EMU_OK
                  : error_set(err, EMU_FORMAT, "the %s %s is empty; %s", what, path, advice);
}

enum { MAX_BIOS = 16 << 20, MAX_OPTION_ROM = 128 << 10 };

static enum emu_err load_bios(struct pc *pc, struct error *err)
{
    struct buf b = {0};
    const char *path = pc->m->cfg.bios_path;
    enum emu_err e = read_file(
        path, "firmware",
        "install the package seabios, or name a ROM with -bios or a directory with -L", &b, err);
    if (!e && b.len > MAX_BIOS)
        e = error_set(err, EMU_FORMAT, "the firmware %s is larger than %d MiB; is it a ROM image?",
                      path, MAX_BIOS >> 20);
    if (!e)
        e = phys_block_new(pc->phys, "bios", b.len, true, &pc->bios, err);
    if (!e) { /* it ends at the top of memory */
        memset(pc->bios->host, 0xff, (size_t)pc->bios->size);
        memcpy(pc->bios->host + pc->bios->size - b.len, b.data, b.len);
    }
    buf_free(&b);
    return e;
}

enum emu_err pc_load_card_rom(struct pc *pc, const char *path, const char *what, const char *advice,
                              const char *name, struct phys_block **out, struct error *err)
{
    struct buf b = {0};
    uint64_t size = 2048;
    enum emu_err e = read_file(path, what, advice, &b, err);
    if (!e && b.len > MAX_OPTION_ROM)
        e = error_set(err, EMU_FORMAT, "the %s %s is larger than %d KiB", what, path, MAX_OPTION_ROM >> 10);
    while (size < b.len || size < PHYS_PAGE_SIZE) /* a window is a power of two */
        size *= 2;
    if (!e)
        e = phys_block_new(pc->phys, name, size, true, out, err);
    if (!e)
        memcpy((*out)->host, b.data, b.len);
    buf_free(&b);
    return e;
}

/* The VGA BIOS: a ROM of the PCI adapter, or a file for the firmware on isapc. */
static enum emu_err load_vga_rom(struct pc *pc, struct error *err)
{
    if (pc->m->cfg.board != BOARD_PC || !pc->m->cfg.vgabios_path)
        return EMU_OK;
    return pc_load_card_rom(pc, pc->m->cfg.vgabios_path, "VGA BIOS",
                            "install the package seabios, or name a directory with -L", "vga.rom", &pc->vga_rom, err);
}

enum emu_err pc_load_roms(struct pc *pc, struct error *err)
{
    enum emu_err e = load_bios(pc, err);
    return e ? e : load_vga_rom(pc, err);
}

/* --- CMOS (PC/AT; 34/35, 38, 3D as SeaBIOS reads them) --- */

enum {
    CMOS_FLOPPY = 0x10,
    CMOS_DISKS = 0x12,
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_KB = 0x15,
    CMOS_EXT_KB = 0x17,
    CMOS_DISK_TYPE = 0x19,
    CMOS_DISK_47 = 0x1b,
    CMOS_EXT_KB2 = 0x30,
    CMOS_ABOVE_16M = 0x34,
    CMOS_BOOT3 = 0x38,
    CMOS_TRANSLATION = 0x39,
    CMOS_BOOT12 = 0x3d,
};

static void cmos16(struct pc *pc, unsigned index, uint64_t value, uint64_t max)
{
    if (value > max)
        value = max;
    mc146818_set_cmos(&pc->rtc, (uint8_t)index, (uint8_t)value);
    mc146818_set_cmos(&pc->rtc, (uint8_t)(index + 1), (uint8_t)(value >> 8));
}

static void describe_memory(struct pc *pc)
{
    uint64_t ram = pc->m->cfg.ram_size, kb = ram >> 10;
    uint64_t above_1m = kb > 1024 ? kb - 1024 : 0;
    cmos16(pc, CMOS_BASE_KB, kb, 640);
    cmos16(pc, CMOS_EXT_KB, above_1m, 0xffff);
    cmos16(pc, CMOS_EXT_KB2, above_1m, 0xffff);
    cmos16(pc, CMOS_ABOVE_16M, ram > 16 << 20 ? (ram - (16 << 20)) >> 16 : 0, 0xffff);
}

/* Equipment (PC/AT): bit 0 floppies, bits 7-6 their count - 1, bits 5-4 display 00 = VGA, bit 1
 * FPU, bit 2 keyboard. */
static void describe_equipment(struct pc *pc)
{
    unsigned drives = (pc->m->floppy_type[0] != 0) + (pc->m->floppy_type[1] != 0);
    unsigned equipment =
        4 | (drives ? 1 | (drives - 1) << 6 : 0) | (pc->m->cfg.cpu.features & FEAT_FPU ? 2 : 0);
    mc146818_set_cmos(&pc->rtc, CMOS_FLOPPY, i82077_cmos_types(&pc->fdc));
    mc146818_set_cmos(&pc->rtc, CMOS_EQUIPMENT, (uint8_t)equipment);
}

static void cmos8(struct pc *pc, unsigned index, unsigned value)
{
    mc146818_set_cmos(&pc->rtc, (uint8_t)index, (uint8_t)value);
}

/* The geometry of a disk, or NULL. */
static const struct ata_geometry *disk_geometry(const struct pc *pc, unsigned drive)
{
    const struct ata_drive_wiring *w = &pc->ide[drive / ATA_DRIVES].w.drive[drive % ATA_DRIVES];
    return w->kind == ATA_DISK ? &w->geometry : NULL;
}

/* Type 47 of a disk of the first channel (PS/2 BIOSes, AMI): cylinders, heads, no write
 * precompensation, control byte, landing zone, sectors a track. */
static void describe_type_47(struct pc *pc, unsigned drive, const struct ata_geometry *g)
{
    unsigned at = CMOS_DISK_47 + 9 * drive;
    cmos8(pc, CMOS_DISK_TYPE + drive, 47);
    cmos16(pc, at, g->cylinders, 0xffff);
    cmos8(pc, at + 2, g->heads);
    cmos16(pc, at + 3, 0xffff, 0xffff);
    cmos8(pc, at + 5, 0xc0 | (g->heads > 8 ? 8 : 0));
    cmos16(pc, at + 6, g->cylinders, 0xffff);
    cmos8(pc, at + 8, g->sectors);
}

/* Byte 12: a nibble a disk, F: see byte 19 or 1A. Byte 39: how SeaBIOS translates each disk's
 * geometry for INT 13, two bits each: 0 not at all, 1 by the size ("LBA assist"). */
static void describe_disks(struct pc *pc)
{
    unsigned types = 0, translation = 0;
    for (unsigned d = 0; d < IDE_DRIVES; d++) {
        const struct ata_geometry *g = disk_geometry(pc, d);
        if (!g)
            continue;
        if (d < ATA_DRIVES) {
            types |= d ? 0x0f : 0xf0;
            describe_type_47(pc, d, g);
        }
        translation |= (unsigned)(g->cylinders > 1024) << (2 * d);
    }
    cmos8(pc, CMOS_DISKS, types);
    cmos8(pc, CMOS_TRANSLATION, translation);
}

/* SeaBIOS's device numbers: 1 floppy, 2 hard disk, 3 CD, 4 network. */
static unsigned boot_nibble(char letter)
{
    const char *at = letter ? strchr("acdn", letter) : NULL;
    return at ? (unsigned)(at - "acdn") + 1 : 0;
}

static void describe_boot_order(struct pc *pc)
{
    bool disk = false;
    for (unsigned d = 0; d < IDE_DRIVES; d++)
        disk |= disk_geometry(pc, d) != NULL;
    char order[4];
    snprintf(order, sizeof(order), "%s", disk ? "cad" : "acd");
    if (pc->m->cfg.boot_order)
        snprintf(order, sizeof(order), "%s", pc->m->cfg.boot_order);
    unsigned n[3] = {0};
    for (unsigned i = 0; i < 3 && order[i]; i++)
        n[i] = boot_nibble(order[i]);
    mc146818_set_cmos(&pc->rtc, CMOS_BOOT12, (uint8_t)(n[0] | n[1] << 4));
    mc146818_set_cmos(&pc->rtc, CMOS_BOOT3,
                      (uint8_t)(n[2] << 4 | 1)); /* bit 0: boot sectors need no 55AA */
}

/* --- fw_cfg --- */

/* E820 entries {u64 address, u64 length, u32 type}: type 1 RAM. */
static enum emu_err add_e820(struct pc *pc, struct error *err)
{
    struct buf b = {0};
    buf_put_u64(&b, 0);
    buf_put_u64(&b, pc->m->cfg.ram_size);
    buf_put_u32(&b, 1);
    enum emu_err e = fw_cfg_add_file(&pc->fw_cfg, "etc/e820", b.data, b.len, err);
    buf_free(&b);
    return e;
}

static enum emu_err add_rom_file(struct pc *pc, const char *path, const char *what,
                                 const char *name, struct error *err)
{
    struct buf b = {0};
    enum emu_err e =
        read_file(path, what, "check the installation, or name its directory with -L", &b, err);
    if (!e)
        e = fw_cfg_add_file(&pc->fw_cfg, name, b.data, b.len, err);
    buf_free(&b);
    return e;
}

/* A bzImage's real-mode part is (setup_sects + 1) sectors, 4 standing for 0 (Linux boot protocol).
 */
static enum emu_err split_kernel(const struct buf *k, const char *path, size_t *setup,
                                 struct error *err)
{
    enum { SETUP_SECTS = 0x1f1, MAGIC = 0x202 };
    if (k->len < 0x300 || memcmp(k->data + MAGIC, "HdrS", 4) != 0)
        return error_set(err, EMU_FORMAT, "%s is no Linux kernel (bzImage); give -kernel a bzImage",
                         path);
    unsigned sects = k->data[SETUP_SECTS] ? k->data[SETUP_SECTS] : 4;
    *setup = (sects + 1) * 512u;
    return *setup < k->len
               ? EMU_OK
               : error_set(err, EMU_FORMAT, "the kernel %s is cut off; copy it again", path);
}

static enum emu_err add_block(struct pc *pc, uint16_t size_key, uint16_t data_key, const void *data,
                              size_t len, struct error *err)
{
    enum emu_err e = fw_cfg_add_u32(&pc->fw_cfg, size_key, (uint32_t)len, err);
    return e ? e : fw_cfg_add_bytes(&pc->fw_cfg, data_key, data, len, err);
}

static enum emu_err add_kernel_file(struct pc *pc, struct error *err)
{
    struct buf k = {0};
    size_t setup = 0;
    const char *path = pc->m->cfg.kernel_path;
    enum emu_err e = read_file(path, "kernel", "check the name", &k, err);
    if (!e)
        e = split_kernel(&k, path, &setup, err);
    if (!e)
        e = add_block(pc, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA, k.data, setup, err);
    if (!e)
        e = add_block(pc, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, k.data + setup, k.len - setup,
                      err);
    buf_free(&k);
    return e;
}

static enum emu_err add_kernel(struct pc *pc, struct error *err)
{
    const struct machine_config *cfg = &pc->m->cfg;
    char rom[4096];
    struct buf initrd = {0};
    const char *line = cfg->append ? cfg->append : "";
    if (!cfg->kernel_path)
        return EMU_OK;
    enum emu_err e = add_kernel_file(pc, err);
    if (!e && cfg->initrd_path)
        e = read_file(cfg->initrd_path, "initial RAM disk", "check the name", &initrd, err);
    if (!e)
        e = add_block(pc, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, initrd.data, initrd.len, err);
    buf_free(&initrd);
    if (!e)
        e = add_block(pc, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA, line, strlen(line) + 1, err);
    snprintf(rom, sizeof(rom), "%s/linuxboot.bin", cfg->rom_dir ? cfg->rom_dir : ".");
    return e ? e : add_rom_file(pc, rom, "Linux loader", "genroms/linuxboot.bin", err);
}

/* The card to be tried after the one with priority `last`, or MAX_NICS. */
static unsigned next_boot_card(const struct machine_config *cfg, unsigned last)
{
    unsigned best = MAX_NICS;
    for (unsigned i = 0; i < cfg->nics; i++) {
        unsigned p = cfg->nic[i].boot_priority;
        if (p > last && (best == MAX_NICS || p < cfg->nic[best].boot_priority))
            best = i;
    }
    return best;
}

/* What goes before the order in the CMOS, as the paths of Open Firmware. */
static enum emu_err add_boot_order(struct pc *pc, struct error *err)
{
    const struct machine_config *cfg = &pc->m->cfg;
    char text[64 + 32 * MAX_NICS] = "";
    size_t n = 0;
    if (cfg->kernel_path)
        n = (size_t)snprintf(text, sizeof(text), "/rom@genroms/linuxboot.bin\n");
    for (unsigned last = 0, i; (i = next_boot_card(cfg, last)) < MAX_NICS; last = cfg->nic[i].boot_priority)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "/pci@i0cf8/ethernet@%x\n", pc_nic_slot(i));
    return n ? fw_cfg_add_file(&pc->fw_cfg, "bootorder", text, n + 1, err) : EMU_OK;
}

static enum emu_err add_numbers(struct pc *pc, struct error *err)
{
    static const struct {
        uint16_t key, value;
    } items[] = {
        {FW_CFG_NOGRAPHIC, 0},   {FW_CFG_NB_CPUS, 1},        {FW_CFG_MAX_CPUS, 1},
        {FW_CFG_ACPI_TABLES, 0}, {FW_CFG_SMBIOS_ENTRIES, 0},
    };
    enum emu_err e = fw_cfg_add_u64(&pc->fw_cfg, FW_CFG_RAM_SIZE, pc->m->cfg.ram_size, err);
    for (size_t i = 0; !e && i < ARRAY_LEN(items); i++)
        e = fw_cfg_add_u16(&pc->fw_cfg, items[i].key, items[i].value, err);
    return e ? e : fw_cfg_add_u16(&pc->fw_cfg, FW_CFG_BOOT_MENU, pc->m->cfg.boot_menu, err);
}

enum emu_err pc_describe(struct pc *pc, struct error *err)
{
    describe_memory(pc);
    describe_equipment(pc);
    describe_disks(pc);
    describe_boot_order(pc);
    enum emu_err e = add_numbers(pc, err);
    if (!e)
        e = add_e820(pc, err);
    if (!e && pc->m->cfg.board == BOARD_ISAPC && pc->m->cfg.vgabios_path)
        e = add_rom_file(pc, pc->m->cfg.vgabios_path, "VGA BIOS", "vgaroms/vgabios.bin", err);
    if (!e)
        e = add_boot_order(pc, err);
    return e ? e : add_kernel(pc, err);
}
