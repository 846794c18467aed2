/*
 * The boards. This file reads like the manual's map: tables of ports, IRQs and addresses, and the
 * wires between chips. IBM PC/AT Technical Reference; 82371SB (PIIX3) and 82441FX datasheets.
 *
 * isapc has no bridge, so C0000-FFFFF is plain RAM, loaded with the firmware at reset.
 */
#include "machine/pc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debug/inspect.h"
#include "disk/image.h"

enum {
    IRQ_TIMER = 0,
    IRQ_KEYBOARD = 1,
    IRQ_CASCADE = 2,
    IRQ_COM2 = 3,
    IRQ_COM1 = 4,
    IRQ_FLOPPY = 6,
    IRQ_LPT = 7,
    IRQ_RTC = 8,
    IRQ_SCI = 9,
    IRQ_MOUSE = 12,
    IRQ_FPU = 13,
    IRQ_IDE0 = 14,
    IRQ_IDE1 = 15,
};
enum { DMA_FLOPPY = 2 };
/* A byte on a serial line takes this long whatever the divisor says: the other end is a file or a
 * terminal, and 87 us a byte at 115200 baud would be most of a kernel's boot. */
enum { SERIAL_BYTE_NS = 2000 };
enum { SLOT_VGA = 2 };
enum { LOW_RAM_END = 0xa0000, ROM_AREA = 0xc0000, BIOS_AREA = 0xe0000, ONE_MIB = 0x100000 };
static const paddr ISA_LFB_BASE =
    0xe0000000; /* isapc: where the VGA BIOS expects the frame buffer */

/* --- IRQ lines: every source goes through here to its controller --- */

static void set_irq(void *arg, unsigned pin, bool level)
{
    struct pc *pc = arg;
    struct irq_line line = i8259_pin(&pc->pic[pin >> 3], pin & 7);
    irq_set(&line, level);
}

/* On `pc` the PIIX can add PIRQs to ISA lines. */
static struct irq_line irq_line(struct pc *pc, unsigned irq)
{
    if (pc->m->cfg.board == BOARD_PC)
        return (struct irq_line){piix_set_isa_irq, &pc->isa_bridge, irq};
    return (struct irq_line){set_irq, pc, irq};
}

struct irq_line pc_isa_irq(struct pc *pc, unsigned irq) { return irq_line(pc, irq); }

static uint8_t intack(void *arg)
{
    struct pc *pc = arg;
    return i8259_acknowledge(&pc->pic[0]);
}

/* --- glue: A20, reset, NMI, coprocessor error --- */

STATE_DESC(glue_desc, struct glue_state, 1,
           FIELD_MAX(struct glue_state, a20_8042, 1, "A20 gate of the keyboard controller"),
           FIELD_MAX(struct glue_state, a20_port92, 1, "A20 gate of port 92"),
           FIELD_MAX(struct glue_state, nmi_masked, 1, "port 70 bit 7"),
           FIELD_MAX(struct glue_state, irq13, 1, "coprocessor error latch"));

static void update_a20(struct pc *pc)
{
    phys_set_a20(pc->phys, pc->glue.st.a20_8042 || pc->glue.st.a20_port92);
}

static void set_a20_8042(void *arg, unsigned pin, bool level)
{
    struct pc *pc = arg;
    (void)pin;
    pc->glue.st.a20_8042 = level;
    update_a20(pc);
}

static void set_a20_port92(void *arg, unsigned pin, bool level)
{
    struct pc *pc = arg;
    (void)pin;
    pc->glue.st.a20_port92 = level;
    update_a20(pc);
}

static void request_reset(void *arg, unsigned pin, bool level)
{
    struct pc *pc = arg;
    (void)pin;
    if (level) {
        pc->reset_requested = true;
        cpu_request_exit(&pc->cpu);
    }
}

static void request_reset_rcr(void *arg, bool hard)
{
    (void)hard;
    request_reset(arg, 0, true);
}

static void request_poweroff(void *arg)
{
    struct pc *pc = arg;
    pc->poweroff_requested = true;
    cpu_request_exit(&pc->cpu);
}

/* Bulk DMA takes host time but hardly any instructions: a guest that does nothing else must not keep
 * the front end waiting. Only where the stretch ends depends on it, nothing that a guest sees. */
static void count_bulk(void *arg, uint32_t bytes)
{
    struct pc *pc = arg;
    pc->bulk_moved += bytes;
    if (pc->bulk_moved >= PC_BULK_TURN)
        cpu_request_exit(&pc->cpu);
}

static void set_nmi_mask(void *arg, unsigned pin, bool level)
{
    struct pc *pc = arg;
    (void)pin;
    pc->glue.st.nmi_masked = level;
}

void pc_pulse_nmi(struct pc *pc)
{
    if (pc->glue.st.nmi_masked)
        return;
    cpu_set_nmi(&pc->cpu, 0, true);
    cpu_set_nmi(&pc->cpu, 0, false);
}

/* FERR# raises IRQ 13 until port F0 is written (PC/AT: the busy latch). */
static void set_ferr(void *arg, unsigned pin, bool level)
{
    struct pc *pc = arg;
    (void)pin;
    pc->glue.st.irq13 = level;
    irq_set(&(struct irq_line){set_irq, pc, IRQ_FPU}, pc->glue.st.irq13);
}

static void coprocessor_write(void *arg, uint32_t offset, uint32_t value, enum access_size size)
{
    struct pc *pc = arg;
    (void)value, (void)size;
    if (offset != 0)
        return;
    if (pc->glue.st.irq13)
        cpu_set_ignne(&pc->cpu, true);
    pc->glue.st.irq13 = 0;
    irq_set(&(struct irq_line){set_irq, pc, IRQ_FPU}, false);
}

static uint32_t coprocessor_read(void *arg, uint32_t offset, enum access_size size)
{
    (void)arg, (void)offset, (void)size;
    return 0xff;
}

static const struct io_ops coprocessor_io = {coprocessor_read, coprocessor_write, ACCESS_8};

static void glue_reset(void *dev, enum reset_kind kind)
{
    struct glue *g = dev;
    (void)kind;
    g->st = (struct glue_state){.a20_8042 = 1};
    update_a20(CONTAINER_OF(g, struct pc, glue));
}

static enum emu_err glue_post_load(void *dev, struct error *err)
{
    (void)err;
    update_a20(CONTAINER_OF((struct glue *)dev, struct pc, glue));
    return EMU_OK;
}

static const struct device_class glue_class = {
    .name = "glue",
    .state = &glue_desc,
    .state_offset = offsetof(struct glue, st),
    .reset = glue_reset,
    .post_load = glue_post_load,
};

/* --- outputs to the host --- */

static void serial_out(struct pc *pc, unsigned port, uint8_t byte)
{
    const struct machine_host *h = &pc->m->host;
    if (h->serial_out)
        h->serial_out(h->arg, port, byte);
}

static void serial0_out(void *arg, uint8_t byte) { serial_out(arg, 0, byte); }
static void serial1_out(void *arg, uint8_t byte) { serial_out(arg, 1, byte); }

static void parallel_out(void *arg, uint8_t byte)
{
    const struct machine_host *h = &((struct pc *)arg)->m->host;
    if (h->parallel_out)
        h->parallel_out(h->arg, byte);
}

static void debug_out(struct pc *pc, uint16_t port, uint8_t byte)
{
    const struct machine_host *h = &pc->m->host;
    if (h->debug_out)
        h->debug_out(h->arg, port, byte);
}

static void debug402_out(void *arg, uint8_t byte) { debug_out(arg, 0x402, byte); }
static void debugE9_out(void *arg, uint8_t byte) { debug_out(arg, 0xe9, byte); }

static void log_out(void *arg, const char *line)
{
    const struct machine_host *h = &((struct pc *)arg)->m->host;
    if (h->log_line)
        h->log_line(h->arg, line);
}

static void where(void *arg, char *text, size_t len)
{
    struct pc *pc = arg;
    snprintf(text, len, "%04x:%08x", pc->cpu.st.seg[SEG_CS].selector, (uint32_t)pc->cpu.insn_eip);
}

/* --- memory map --- */

/* Sends a part of C0000-FFFFF to RAM or to the bus, where the firmware ROM is (82441FX 3.2.16). */
static void set_pam(void *arg, uint32_t base, uint32_t size, bool read_ram, bool write_ram)
{
    struct pc *pc = arg;
    unsigned bus = base >= BIOS_AREA ? pc->bios_region : 0;
    phys_map(pc->phys, base, size, read_ram ? pc->ram_region : bus, PHYS_READ);
    phys_map(pc->phys, base, size, write_ram ? pc->ram_region : 0, PHYS_WRITE);
}

/* The VGA window is plain memory in linear modes; elsewhere the VGA sees every access. */
static void remap_vga(void *arg, bool direct, uint32_t window_offset, uint32_t size,
                      uint64_t vram_offset)
{
    struct pc *pc = arg;
    paddr base = LOW_RAM_END + window_offset;
    if (direct) {
        struct phys_region *r = &pc->phys->region[pc->vga_direct_region];
        r->base = base;
        r->size = size;
        r->block_offset = vram_offset;
    }
    phys_map(pc->phys, base, size, direct ? pc->vga_direct_region : pc->vga_window_region, PHYS_RW);
}

static void move_lfb(void *dev, unsigned bar, uint32_t base, bool enabled)
{
    struct pc *pc = CONTAINER_OF((struct vga_pci *)dev, struct pc, vga_pci);
    unsigned region = bar == 0 ? pc->lfb_region : bar == 2 ? pc->mmio_region : pc->rom_region;
    phys_region_move(pc->phys, region, base);
    if (enabled)
        phys_map(pc->phys, base, pc->phys->region[region].size, region, PHYS_RW);
}

static enum emu_err make_memory(struct pc *pc, struct error *err)
{
    uint64_t ram = pc->m->cfg.ram_size;
    struct phys *p = pc->phys;
    enum emu_err e = phys_block_new(p, "ram", ram < ONE_MIB ? ONE_MIB : ram, false, &pc->ram, err);
    if (!e)
        e = phys_block_new(p, "vga.vram", VGA_VRAM_SIZE, false, &pc->vram, err);
    if (!e)
        e = pc_load_roms(pc, err);
    if (e)
        return e;
    pc->ram_region = phys_region_memory(p, "ram", pc->ram, 0, 0, pc->ram->size);
    pc->vga_window_region =
        phys_region_device(p, "vga window", &vga_mem_io, &pc->vga, LOW_RAM_END, VGA_WINDOW);
    pc->vga_direct_region =
        phys_region_memory(p, "vga window (direct)", pc->vram, 0, LOW_RAM_END, VGA_WINDOW);
    pc->lfb_region = phys_region_memory(p, "vga frame buffer", pc->vram, 0, 0, VGA_VRAM_SIZE);
    phys_map(p, 0, ram < LOW_RAM_END ? ram : LOW_RAM_END, pc->ram_region, PHYS_RW);
    if (ram > ONE_MIB)
        phys_map(p, ONE_MIB, ram - ONE_MIB, pc->ram_region, PHYS_RW);
    phys_map(p, LOW_RAM_END, VGA_WINDOW, pc->vga_window_region, PHYS_RW);
    return EMU_OK;
}

/* The firmware at the top of the 4 GiB and, up to 128 KiB of it, below 1 MiB. */
static void map_firmware(struct pc *pc)
{
    uint64_t size = pc->bios->size, low = size < 0x20000 ? size : 0x20000;
    struct phys *p = pc->phys;
    unsigned high = phys_region_memory(p, "firmware", pc->bios, 0, 0x100000000ull - size, size);
    phys_map(p, 0x100000000ull - size, size, high, PHYS_READ);
    if (pc->m->cfg.cpu.level == CPU_286) { /* 24 address lines: its reset vector is at FFFFF0 */
        unsigned top =
            phys_region_memory(p, "firmware (below 16 MiB)", pc->bios, 0, 0x1000000 - size, size);
        phys_map(p, 0x1000000 - size, size, top, PHYS_READ);
    }
    pc->bios_region =
        phys_region_memory(p, "firmware (below 1 MiB)", pc->bios, size - low, ONE_MIB - low, low);
    if (pc->m->cfg.board == BOARD_ISAPC)
        phys_map(p, ROM_AREA, ONE_MIB - ROM_AREA, pc->ram_region, PHYS_RW);
    else
        phys_map(p, ONE_MIB - low, low, pc->bios_region, PHYS_READ);
}

/* isapc: what a ROM would show is copied into RAM at every reset. */
static void preload_firmware(struct pc *pc)
{
    uint64_t low = pc->bios->size < 0x20000 ? pc->bios->size : 0x20000;
    if (pc->m->cfg.board != BOARD_ISAPC)
        return;
    memset(pc->ram->host + ROM_AREA, 0, ONE_MIB - ROM_AREA);
    memcpy(pc->ram->host + ONE_MIB - low, pc->bios->host + pc->bios->size - low, low);
    phys_touch(pc->phys, pc->ram, ROM_AREA, ONE_MIB - ROM_AREA);
}

/* --- devices --- */

static bool timer2_out(void *arg) { return i8254_out(&((struct pc *)arg)->pit, 2); }

static void make_interrupts_and_time(struct pc *pc)
{
    struct clock *clk = &pc->clk;
    struct log *log = &pc->log;
    bool pci = pc->m->cfg.board == BOARD_PC; /* the PIIX has edge/level control registers */
    i8259_init(&pc->pic[1], "pic1",
               (struct i8259_wiring){.log = log,
                                     .intr = i8259_pin(&pc->pic[0], IRQ_CASCADE),
                                     .elcr_writable = pci ? 0xde : 0});
    i8259_init(&pc->pic[0], "pic0",
               (struct i8259_wiring){.log = log,
                                     .intr = {cpu_set_intr, &pc->cpu, 0},
                                     .slave = &pc->pic[1],
                                     .slave_pin = IRQ_CASCADE,
                                     .elcr_writable = pci ? 0xf8 : 0});
    i8254_init(&pc->pit, "pit",
               (struct i8254_wiring){.clk = clk, .log = log, .out = {irq_line(pc, IRQ_TIMER)}});
    mc146818_init(&pc->rtc, "rtc",
                  (struct mc146818_wiring){.clk = clk,
                                           .log = log,
                                           .irq = irq_line(pc, IRQ_RTC),
                                           .nmi_mask = {set_nmi_mask, pc, 0},
                                           .start = pc->m->cfg.rtc_base});
    port61_init(
        &pc->port61, "port61",
        (struct port61_wiring){
            .clk = clk, .gate2 = i8254_gate(&pc->pit, 2), .out2 = timer2_out, .out2_arg = pc});
    port92_init(
        &pc->port92, "port92",
        (struct port92_wiring){.a20 = {set_a20_port92, pc, 0}, .reset = {request_reset, pc, 0}});
}

static void make_input(struct pc *pc)
{
    struct clock *clk = &pc->clk;
    struct log *log = &pc->log;
    i8042_init(&pc->kbc, "i8042",
               (struct i8042_wiring){
                   .clk = clk,
                   .log = log,
                   .irq_keyboard = irq_line(pc, IRQ_KEYBOARD),
                   .irq_aux = irq_line(pc, IRQ_MOUSE),
                   .a20 = {set_a20_8042, pc, 0},
                   .reset = {request_reset, pc, 0},
                   .port = {{&ps2_kbd_ops, &pc->keyboard}, {&ps2_mouse_ops, &pc->mouse}}});
    ps2_kbd_init(&pc->keyboard, "kbd",
                 (struct ps2_kbd_wiring){
                     .clk = clk, .log = log, .ready = i8042_ready(&pc->kbc, I8042_KEYBOARD)});
    ps2_mouse_init(&pc->mouse, "mouse",
                   (struct ps2_mouse_wiring){
                       .clk = clk, .log = log, .ready = i8042_ready(&pc->kbc, I8042_AUX)});
}

static void make_dma_and_floppy(struct pc *pc)
{
    dma_page_init(&pc->dma_page, "dma_page");
    struct i8237_wiring w = {.log = &pc->log, .phys = pc->phys, .pages = &pc->dma_page};
    w.wide = true;
    memcpy(w.page_of, (const uint8_t[]){0xf, 0xb, 0x9, 0xa}, 4); /* ports 8F 8B 89 8A */
    i8237_init(&pc->dma[1], "dma1", w);
    w.wide = false;
    memcpy(w.page_of, (const uint8_t[]){0x7, 0x3, 0x1, 0x2}, 4); /* ports 87 83 81 82 */
    w.cascade = i8237_line(&pc->dma[1], 0);
    i8237_init(&pc->dma[0], "dma0", w);
    struct i82077_wiring f = {.clk = &pc->clk,
                              .log = &pc->log,
                              .irq = irq_line(pc, IRQ_FLOPPY),
                              .dma = i8237_line(&pc->dma[0], DMA_FLOPPY)};
    for (unsigned d = 0; d < FLOPPY_DRIVES; d++)
        f.drive_type[d] = pc->m->floppy_type[d];
    i82077_init(&pc->fdc, "fdc", f);
}

/* --- IDE: two channels, on `pc` behind the PIIX3's function 1 --- */

static const uint16_t ide_ports[2] = {0x1f0, 0x170}, ide_control_port[2] = {0x3f6, 0x376};

static struct ata_drive_wiring ide_drive(struct pc *pc, unsigned drive)
{
    const struct ide_config *c = &pc->m->cfg.ide[drive];
    struct ata_drive_wiring w = {.real = c->real, .no_write_cache = c->write_through};
    uint8_t first[ATA_SECTOR] = {0};
    struct blk *medium = pc->m->ide[drive];
    if (!c->present || (!c->cdrom && !medium))
        return w;
    w.kind = c->cdrom ? ATA_CDROM : ATA_DISK;
    w.medium = medium;
    snprintf(w.serial, sizeof(w.serial), "RT%05u", drive + 1);
    if (!c->cdrom && !blk_read(medium, 0, first, sizeof(first), NULL))
        w.geometry = ata_guess_geometry(medium->size / ATA_SECTOR, first);
    return w;
}

/* -drive werror=, rerror=. A drive that waits is said once for each pause. */
static enum ata_on_error ide_failed(void *arg, const struct ata *a, unsigned drive, bool write,
                                    enum emu_err code, const struct error *err)
{
    struct pc *pc = arg;
    const struct machine *m = pc->m;
    unsigned index = ATA_DRIVES * (unsigned)(a - pc->ide) + drive;
    const struct ide_config *c = &m->cfg.ide[index];
    enum drive_on_error how = write ? c->werror : c->rerror;
    char line[sizeof(err->text) + 200];
    if (how == DRIVE_DEFAULT)
        how = write ? DRIVE_ENOSPC : DRIVE_REPORT;
    if (how == DRIVE_ENOSPC)
        how = code == EMU_NOSPC ? DRIVE_STOP : DRIVE_REPORT;
    if (how != DRIVE_STOP)
        return how == DRIVE_IGNORE ? ATA_IGNORE : ATA_REPORT;
    snprintf(line, sizeof(line),
             "%s: %s; the machine is paused and nothing is lost: %s, then type cont in the monitor",
             pc_ide_name(m, index), err->text,
             code == EMU_NOSPC ? "make room on the host's disk" : "mend the cause");
    if (!pc->stop_requested && m->host.log_line)
        m->host.log_line(m->host.arg, line);
    pc->stop_requested = true;
    return ATA_RETRY;
}

static void make_ide(struct pc *pc)
{
    static const unsigned irq[2] = {IRQ_IDE0, IRQ_IDE1};
    static const char *const id[2] = {"ide0", "ide1"};
    bool pci = pc->m->cfg.board == BOARD_PC;
    for (unsigned i = 0; i < 2; i++) {
        struct ata_wiring w = {
            .clk = &pc->clk, .log = &pc->log, .on_error = ide_failed, .on_error_arg = pc};
        w.irq = pci ? (struct irq_line){piix_ide_set_irq, &pc->ide_bridge, i} : irq_line(pc, irq[i]);
        if (pci)
            w.dma = piix_ide_dma(&pc->ide_bridge, i);
        for (unsigned d = 0; d < ATA_DRIVES; d++)
            w.drive[d] = ide_drive(pc, ATA_DRIVES * i + d);
        ata_init(&pc->ide[i], id[i], w);
    }
}

void pc_set_cdrom(struct pc *pc, unsigned drive, struct blk *image)
{
    ata_set_medium(&pc->ide[drive / ATA_DRIVES], drive % ATA_DRIVES, image);
}

static void decode_ide(void *arg, unsigned channel, bool enabled)
{
    struct pc *pc = arg;
    pci_io_map_move(&pc->io_windows, &pc->ide_window[channel], enabled ? ide_ports[channel] : 0, enabled);
    pci_io_map_move(&pc->io_windows, &pc->ide_control_window[channel],
                    enabled ? ide_control_port[channel] : 0, enabled);
}

static void move_ide_master(void *arg, uint32_t base, bool enabled)
{
    struct pc *pc = arg;
    pci_io_map_move(&pc->io_windows, &pc->ide_master_window, base, enabled);
}

static void make_ide_function(struct pc *pc)
{
    static const char *const name[2][2] = {{"ide0", "ide0 control"}, {"ide1", "ide1 control"}};
    struct piix_ide_wiring w = {.log = &pc->log,
                                .phys = pc->phys,
                                .irq = {irq_line(pc, IRQ_IDE0), irq_line(pc, IRQ_IDE1)},
                                .channel = {&pc->ide[0], &pc->ide[1]},
                                .decode = decode_ide,
                                .move = move_ide_master,
                                .arg = pc};
    for (unsigned i = 0; i < 2; i++) {
        pc->ide_window[i] = (struct pci_io_window){
            .name = name[i][0], .ops = &ata_io, .dev = &pc->ide[i], .count = 8};
        pc->ide_control_window[i] = (struct pci_io_window){
            .name = name[i][1], .ops = &ata_control_io, .dev = &pc->ide[i], .count = 1};
        pci_io_map_add(&pc->io_windows, &pc->ide_window[i]);
        pci_io_map_add(&pc->io_windows, &pc->ide_control_window[i]);
    }
    pc->ide_master_window = (struct pci_io_window){
        .name = "ide bus master", .ops = &piix_ide_io, .dev = &pc->ide_bridge, .count = PIIX_IDE_PORTS};
    pci_io_map_add(&pc->io_windows, &pc->ide_master_window);
    piix_ide_init(&pc->ide_bridge, "piix3_ide", w);
}

static void make_ports(struct pc *pc)
{
    static const unsigned irq[SERIAL_PORTS] = {IRQ_COM1, IRQ_COM2};
    static const char *const id[SERIAL_PORTS] = {"com1", "com2"};
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        ns16550_init(&pc->serial[i], id[i],
                     (struct ns16550_wiring){.clk = &pc->clk,
                                             .log = &pc->log,
                                             .irq = irq_line(pc, irq[i]),
                                             .out2_gates_irq = true,
                                             .byte_ns = SERIAL_BYTE_NS,
                                             .modem = NS16550_CTS | NS16550_DSR | NS16550_DCD,
                                             .tx = i ? serial1_out : serial0_out,
                                             .arg = pc});
    lpt_init(&pc->lpt, "lpt",
             (struct lpt_wiring){.clk = &pc->clk,
                                 .log = &pc->log,
                                 .irq = irq_line(pc, IRQ_LPT),
                                 .out = parallel_out,
                                 .arg = pc});
    postcode_init(&pc->post, "post", (struct postcode_wiring){.log = &pc->log});
    debugcon_init(&pc->debug[0], "debug402",
                  (struct debugcon_wiring){.readback = 0xe9, .out = debug402_out, .arg = pc});
    debugcon_init(&pc->debug[1], "debugE9",
                  (struct debugcon_wiring){.readback = 0xe9, .out = debugE9_out, .arg = pc});
    fw_cfg_init(&pc->fw_cfg, "fw_cfg", (struct fw_cfg_wiring){
                    .log = &pc->log, .phys = pc->phys, .moved = count_bulk, .arg = pc});
    vga_init(&pc->vga, "vga",
             (struct vga_wiring){.clk = &pc->clk,
                                 .log = &pc->log,
                                 .phys = pc->phys,
                                 .vram = pc->vram,
                                 .remap = remap_vga,
                                 .remap_arg = pc});
}

/* The display adapter's PCI side. */
STATE_DESC(vga_pci_desc, struct vga_pci_state, 1,
           FIELD_STRUCT(struct vga_pci_state, pci, struct pci_config, pci_config_desc,
                        "configuration space"));

static const struct pci_identity vga_identity = {
    .vendor = 0x1234,
    .device = 0x1111,
    .class_code = 0x030000,
    .revision = 2,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
};

static void vga_pci_reset(void *dev, enum reset_kind kind)
{
    struct vga_pci *v = dev;
    (void)kind;
    pci_function_reset(&v->fn);
    pci_function_update(&v->fn);
}

static enum emu_err vga_pci_post_load(void *dev, struct error *err)
{
    (void)err;
    pci_function_update(&((struct vga_pci *)dev)->fn);
    return EMU_OK;
}

static const struct device_class vga_pci_class = {
    .name = "vga_pci",
    .state = &vga_pci_desc,
    .state_offset = offsetof(struct vga_pci, st),
    .reset = vga_pci_reset,
    .post_load = vga_pci_post_load,
};

static void make_vga_pci(struct pc *pc)
{
    struct vga_pci *v = &pc->vga_pci;
    v->dev = (struct device){&vga_pci_class, "vga_pci", NULL};
    pci_function_init(&v->fn, "VGA", v, &v->st.pci, &vga_identity);
    pci_function_add_bar(&v->fn, 0, PCI_BAR_PREFETCH, VGA_VRAM_SIZE, move_lfb);
    pc->mmio_region =
        phys_region_device(pc->phys, "vga registers", &vga_mmio_io, &pc->vga, 0, VGA_MMIO_SIZE);
    pci_function_add_bar(&v->fn, 2, PCI_BAR_MEMORY, VGA_MMIO_SIZE, move_lfb);
    if (pc->vga_rom) {
        pc->rom_region =
            phys_region_memory(pc->phys, "vga ROM", pc->vga_rom, 0, 0, pc->vga_rom->size);
        pci_function_add_bar(&v->fn, PCI_ROM, PCI_BAR_ROM, (uint32_t)pc->vga_rom->size, move_lfb);
    }
}

static void move_pm(void *arg, uint32_t base, bool enabled)
{
    struct pc *pc = arg;
    pci_io_map_move(&pc->io_windows, &pc->pm_window, base, enabled);
}

static void move_smb(void *arg, uint32_t base, bool enabled)
{
    struct pc *pc = arg;
    pci_io_map_move(&pc->io_windows, &pc->smb_window, base, enabled);
}

static enum emu_err make_pci(struct pc *pc, struct error *err)
{
    struct log *log = &pc->log;
    pc->io_windows = (struct pci_io_map){.bus = &pc->io, .log = log};
    pc->pm_window = (struct pci_io_window){
        .name = "pm", .ops = &piix_pm_io, .dev = &pc->pm, .count = PIIX_PM_PORTS};
    pc->smb_window = (struct pci_io_window){
        .name = "smbus", .ops = &piix_smb_io, .dev = &pc->pm, .count = PIIX_SMB_PORTS};
    pci_io_map_add(&pc->io_windows, &pc->pm_window);
    pci_io_map_add(&pc->io_windows, &pc->smb_window);
    struct piix_wiring isa = {.log = log, .reset = request_reset_rcr, .arg = pc};
    for (unsigned i = 0; i < PIIX_IRQS; i++)
        isa.irq[i] = (struct irq_line){set_irq, pc, i};
    piix_init(&pc->isa_bridge, "piix3", isa);
    pci_host_init(
        &pc->pci, "pci",
        (struct pci_host_wiring){.log = log, .pass = &piix_reset_io, .pass_dev = &pc->isa_bridge});
    i440fx_init(
        &pc->host_bridge, "i440fx",
        (struct i440fx_wiring){
            .log = log, .set_pam = set_pam, .arg = pc, .ram_mib = (uint32_t)(pc->ram->size >> 20)});
    piix_pm_init(&pc->pm, "piix4_pm",
                 (struct piix_pm_wiring){.clk = &pc->clk,
                                         .log = log,
                                         .sci = irq_line(pc, IRQ_SCI),
                                         .lpt = true,
                                         .com1 = true,
                                         .com2 = true,
                                         .move_pm = move_pm,
                                         .move_smb = move_smb,
                                         .power_off = request_poweroff,
                                         .arg = pc});
    make_ide_function(pc);
    make_vga_pci(pc);
    enum emu_err e = pci_bus_add(&pc->pci, 0, 0, &pc->host_bridge.pci, err);
    if (!e)
        e = pci_bus_add(&pc->pci, 1, 0, &pc->isa_bridge.pci, err);
    if (!e)
        e = pci_bus_add(&pc->pci, 1, 1, &pc->ide_bridge.pci, err);
    if (!e)
        e = pci_bus_add(&pc->pci, 1, 3, &pc->pm.pci, err);
    return e ? e : pci_bus_add(&pc->pci, SLOT_VGA, 0, &pc->vga_pci.fn, err);
}

/* --- the port map --- */

struct port_range {
    const char *name;
    uint16_t base;
    uint16_t count, first_offset;
    const struct io_ops *ops;
    void *dev;
};

static enum emu_err map_ports(struct pc *pc, const struct port_range *r, size_t n,
                              struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        enum emu_err e = io_bus_map(&pc->io, r[i].name, r[i].base, r[i].count, r[i].first_offset,
                                    r[i].ops, r[i].dev, err);
        if (e)
            return e;
    }
    return EMU_OK;
}

static enum emu_err map_isa_ports(struct pc *pc, struct error *err)
{
    const struct port_range map[] = {
        {"dma0", 0x00, 16, 0, &i8237_io, &pc->dma[0]},
        {"pic0", 0x20, 2, 0, &i8259_io, &pc->pic[0]},
        {"pit", 0x40, 4, 0, &i8254_io, &pc->pit},
        {"i8042 data", 0x60, 1, 0, &i8042_io, &pc->kbc},
        {"port61", 0x61, 1, 0, &port61_io, &pc->port61},
        {"i8042 command", 0x64, 1, 4, &i8042_io, &pc->kbc},
        {"rtc", 0x70, 4, 0, &mc146818_io, &pc->rtc},
        {"post", 0x80, 1, 0, &postcode_io, &pc->post},
        {"dma page", 0x81, 15, 1, &dma_page_io, &pc->dma_page},
        {"port92", 0x92, 1, 0, &port92_io, &pc->port92},
        {"pic1", 0xa0, 2, 0, &i8259_io, &pc->pic[1]},
        {"dma1", 0xc0, 32, 0, &i8237_io, &pc->dma[1]},
        {"debugE9", 0xe9, 1, 0, &debugcon_io, &pc->debug[1]},
        {"coprocessor", 0xf0, 2, 0, &coprocessor_io, pc},
        {"vbe", 0x1ce, VBE_PORTS, 0, &vbe_io, &pc->vga},
        {"com2", 0x2f8, 8, 0, &ns16550_io, &pc->serial[1]},
        {"lpt", 0x378, 3, 0, &lpt_io, &pc->lpt},
        {"vga", 0x3b0, VGA_PORTS, 0, &vga_io, &pc->vga},
        {"fdc", 0x3f0, 6, 0, &i82077_io, &pc->fdc},
        {"fdc rate", 0x3f7, 1, 7, &i82077_io, &pc->fdc},
        {"com1", 0x3f8, 8, 0, &ns16550_io, &pc->serial[0]},
        {"debug402", 0x402, 1, 0, &debugcon_io, &pc->debug[0]},
        {"fw_cfg", 0x510, 2, 0, &fw_cfg_io, &pc->fw_cfg},
        {"fw_cfg dma", 0x514, 8, 0, &fw_cfg_dma_io, &pc->fw_cfg},
    };
    return map_ports(pc, map, ARRAY_LEN(map), err);
}

static enum emu_err map_isa_ide_ports(struct pc *pc, struct error *err)
{
    const struct port_range map[] = {
        {"ide1", ide_ports[1], 8, 0, &ata_io, &pc->ide[1]},
        {"ide0", ide_ports[0], 8, 0, &ata_io, &pc->ide[0]},
        {"ide1 control", ide_control_port[1], 1, 0, &ata_control_io, &pc->ide[1]},
        {"ide0 control", ide_control_port[0], 1, 0, &ata_control_io, &pc->ide[0]},
    };
    return map_ports(pc, map, ARRAY_LEN(map), err);
}

static enum emu_err map_pci_ports(struct pc *pc, struct error *err)
{
    const struct port_range map[] = {
        {"elcr0", 0x4d0, 1, 0, &i8259_elcr_io, &pc->pic[0]},
        {"elcr1", 0x4d1, 1, 0, &i8259_elcr_io, &pc->pic[1]},
        {"apm", 0xb2, 2, 0, &piix_apm_io, &pc->pm},
        {"pci", 0xcf8, 8, 0, &pci_host_io, &pc->pci},
        {"pci hotplug", 0xae00, 16, 0, &piix_hotplug_io, &pc->pm},
        {"gpe", 0xafe0, 4, 0, &piix_gpe_io, &pc->pm},
    };
    return map_ports(pc, map, ARRAY_LEN(map), err);
}

/* --- the whole board --- */

static void add_device(struct pc *pc, struct device *dev)
{
    struct device **link = &pc->devices;
    while (*link)
        link = &(*link)->next;
    *link = dev;
}

static void list_devices(struct pc *pc)
{
    struct device *isa[] = {
        &pc->cpu.dev,       &pc->glue.dev,      &pc->pic[0].dev, &pc->pic[1].dev, &pc->pit.dev,
        &pc->rtc.dev,       &pc->port61.dev,    &pc->port92.dev, &pc->kbc.dev,    &pc->keyboard.dev,
        &pc->mouse.dev,     &pc->dma_page.dev,  &pc->dma[0].dev, &pc->dma[1].dev, &pc->fdc.dev,
        &pc->serial[0].dev, &pc->serial[1].dev, &pc->lpt.dev,    &pc->post.dev,   &pc->debug[0].dev,
        &pc->debug[1].dev,  &pc->fw_cfg.dev,    &pc->vga.dev,    &pc->ide[0].dev, &pc->ide[1].dev,
    };
    struct device *pci[] = {
        &pc->pci.dev, &pc->host_bridge.dev, &pc->isa_bridge.dev, &pc->ide_bridge.dev, &pc->pm.dev, &pc->vga_pci.dev,
    };
    for (size_t i = 0; i < ARRAY_LEN(isa); i++)
        add_device(pc, isa[i]);
    for (size_t i = 0; pc->m->cfg.board == BOARD_PC && i < ARRAY_LEN(pci); i++)
        add_device(pc, pci[i]);
    pc_list_nics(pc, add_device);
}

static uint64_t clock_rate(const struct machine_config *cfg)
{
    enum { DEFAULT_SHIFT = 1 }; /* 2 ns an instruction until the host's speed is known */
    return 65536ull << (cfg->icount_fixed ? cfg->icount_shift : DEFAULT_SHIFT);
}

static enum emu_err make_board(struct pc *pc, struct error *err)
{
    const struct machine_config *cfg = &pc->m->cfg;
    clock_init(&pc->clk, clock_rate(cfg));
    io_bus_init(&pc->io);
    pc->log = (struct log){.enabled = pc->m->trace_enabled,
                           .sink = log_out,
                           .arg = pc,
                           .clk = &pc->clk,
                           .where = where,
                           .where_arg = pc};
    enum emu_err e = make_memory(pc, err);
    if (e)
        return e;
    map_firmware(pc);
    e = cpu_init(&pc->cpu, "cpu", &cfg->cpu, cfg->core,
                 (struct cpu_wiring){.clk = &pc->clk,
                                     .log = &pc->log,
                                     .phys = pc->phys,
                                     .io = &pc->io,
                                     .intack = intack,
                                     .intack_arg = pc,
                                     .ferr = {set_ferr, pc, 0},
                                     .tsc_hz = 1000000000},
                 err);
    if (e)
        return e;
    pc->cpu_ready = true;
    pc->glue.dev = (struct device){&glue_class, "glue", NULL};
    make_interrupts_and_time(pc);
    make_input(pc);
    make_dma_and_floppy(pc);
    make_ide(pc);
    make_ports(pc);
    if (cfg->board == BOARD_PC) {
        e = make_pci(pc, err);
    } else {
        phys_region_move(pc->phys, pc->lfb_region, ISA_LFB_BASE);
        phys_map(pc->phys, ISA_LFB_BASE, VGA_VRAM_SIZE, pc->lfb_region, PHYS_RW);
    }
    if (!e)
        e = map_isa_ports(pc, err);
    if (!e)
        e = cfg->board == BOARD_PC ? map_pci_ports(pc, err) : map_isa_ide_ports(pc, err);
    if (!e)
        e = pc_make_nics(pc, err);
    list_devices(pc);
    return e;
}

enum emu_err pc_new(struct machine *m, struct pc **out, struct error *err)
{
    struct pc *pc = calloc(1, sizeof(*pc));
    struct phys *phys = calloc(1, sizeof(*phys));
    if (!pc || !phys) {
        free(pc);
        free(phys);
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    }
    pc->m = m;
    pc->phys = phys;
    phys_init(phys);
    enum emu_err e = make_board(pc, err);
    if (!e) {
        pc_reset(pc, RESET_POWER_ON);
        e = pc_describe(pc, err);
    }
    if (e) {
        pc_free(pc);
        return e;
    }
    *out = pc;
    return EMU_OK;
}

void pc_free(struct pc *pc)
{
    if (!pc)
        return;
    for (struct device *d = pc->devices; d; d = d->next) {
        if (d->cls->close)
            d->cls->close(d);
    }
    if (pc->cpu_ready && !pc->devices && pc->cpu.dev.cls->close)
        pc->cpu.dev.cls->close(&pc->cpu);
    phys_free(pc->phys);
    free(pc->phys);
    free(pc);
}

void pc_reset(struct pc *pc, enum reset_kind kind)
{
    preload_firmware(pc);
    for (struct device *d = pc->devices; d; d = d->next)
        d->cls->reset(d, kind);
}

void pc_power_button(struct pc *pc)
{
    if (pc->m->cfg.board == BOARD_PC)
        piix_pm_power_button(&pc->pm);
    else
        pc->poweroff_requested = true; /* an AT switch cuts the power */
}

/* --- media --- */

/* The user is told what backing files are opened, and what image_open() noticed. */
static enum emu_err open_image(const struct machine *m, const char *path, const char *format, unsigned flags,
                               struct blk **image, struct error *err)
{
    struct image_show show = {m->host.log_line, m->host.arg};
    enum emu_err e = image_open_shown(path, format, flags, show.say ? &show : NULL, image, err);
    if (!e && image_notice(*image) && m->host.log_line)
        m->host.log_line(m->host.arg, image_notice(*image));
    return e;
}

enum emu_err pc_open_floppy(const struct machine *m, const char *path, const char *format, bool *readonly,
                            struct blk **out, struct error *err)
{
    struct blk *image;
    bool snapshot = m->cfg.snapshot;
    enum emu_err e = open_image(m, path, format, *readonly || snapshot ? IMAGE_READ_ONLY : 0, &image, err);
    if (e)
        return e;
    if (!floppy_format_of(image->size)) {
        e = error_set(err, EMU_FORMAT, "%s has %llu bytes, which is no floppy size (160K to 2.88M)",
                      path, (unsigned long long)image->size);
    } else if (snapshot && !*readonly) {
        e = overlay_open(image, out, err);
        if (!e)
            return EMU_OK;
    }
    if (e)
        blk_close(image, NULL);
    else
        *out = image;
    return e;
}

enum emu_err pc_insert_floppy(struct pc *pc, unsigned drive, struct blk *image, bool readonly,
                              struct error *err)
{
    return i82077_insert(&pc->fdc, drive, image, readonly, err);
}

void pc_eject_floppy(struct pc *pc, unsigned drive) { i82077_eject(&pc->fdc, drive); }

enum emu_err pc_open_ide(const struct machine *m, unsigned drive, const char *path, const char *format,
                         bool *readonly, struct blk **out, struct error *err)
{
    const struct ide_config *c = &m->cfg.ide[drive];
    struct blk *image;
    bool snapshot = (m->cfg.snapshot || c->snapshot) && !c->cdrom && !*readonly;
    unsigned least = c->cdrom ? ATAPI_BLOCK : ATA_SECTOR;
    *readonly |= c->cdrom;
    unsigned flags = (*readonly || snapshot ? IMAGE_READ_ONLY : 0) | (c->no_backing ? IMAGE_NO_BACKING : 0);
    enum emu_err e = open_image(m, path, format, flags, &image, err);
    if (e)
        return e;
    if (image->size < least)
        e = error_set(err, EMU_FORMAT, "%s has %llu bytes, which is not one %s", path,
                      (unsigned long long)image->size, c->cdrom ? "block of a CD" : "sector of a disk");
    else if (snapshot)
        e = overlay_open(image, &image, err);
    if (e)
        blk_close(image, NULL);
    else
        *out = image;
    return e;
}

const char *pc_ide_name(const struct machine *m, unsigned drive)
{
    static const char *const names[IDE_DRIVES][2] = {{"ide0-hd0", "ide0-cd0"},
                                                     {"ide0-hd1", "ide0-cd1"},
                                                     {"ide1-hd0", "ide1-cd0"},
                                                     {"ide1-hd1", "ide1-cd1"}};
    return names[drive][m->cfg.ide[drive].cdrom];
}

/* --- for the monitor --- */

static void trace_instruction(void *arg, struct cpu *c)
{
    struct pc *pc = arg;
    char text[160];
    inspect_insn(c, cpu_pc(c), (c->st.seg[SEG_CS].attr & SEG_ATTR_DB) != 0, text, sizeof(text));
    if (trace_on(&pc->log, TRACE_IN_ASM))
        trace_line(&pc->log, TRACE_IN_ASM, "%s", text);
    if (!trace_on(&pc->log, TRACE_EXEC))
        return;
    const uint64_t *r = c->st.gpr;
    cpu_sync(c);
    trace_line(&pc->log, TRACE_EXEC,
               "a=%08x c=%08x d=%08x b=%08x sp=%08x bp=%08x si=%08x di=%08x fl=%08x  %s",
               (uint32_t)r[0], (uint32_t)r[1], (uint32_t)r[2], (uint32_t)r[3], (uint32_t)r[4],
               (uint32_t)r[5], (uint32_t)r[6], (uint32_t)r[7], (uint32_t)c->st.eflags, text);
}

static void trace_port(void *arg, bool write, uint16_t port, uint32_t value, enum access_size size,
                       bool present)
{
    struct pc *pc = arg;
    trace_line(&pc->log, TRACE_IO, "%s%u %04x %0*x%s", write ? "out" : "in", 8 * size, port,
               2 * (int)size, value, present ? "" : " (nothing there)");
}

void pc_set_trace(struct pc *pc, uint32_t mask)
{
    bool insns = mask & (1u << TRACE_EXEC | 1u << TRACE_IN_ASM);
    pc->m->trace_enabled = pc->log.enabled = mask;
    cpu_set_trace(&pc->cpu, insns ? trace_instruction : NULL, pc);
    pc->io.observe = mask >> TRACE_IO & 1 ? trace_port : NULL;
    pc->io.observe_arg = pc;
}

void pc_take_session(struct pc *pc, const struct pc *old)
{
    for (uint32_t i = 0; i < old->cpu.nbreak; i++) {
        bool ok = cpu_break_add(&pc->cpu, old->cpu.breakpoint[i]);
        ASSERT(ok); /* both hold as many */
    }
    pc_set_trace(pc, old->log.enabled);
}

void pc_print_pic(struct pc *pc, void (*emit)(void *arg, const char *line), void *arg)
{
    for (int i = 1; i >= 0; i--) { /* QEMU's order and form */
        char line[160];
        const struct i8259_state *s = &pc->pic[i].st;
        snprintf(
            line, sizeof(line),
            "pic%d: irr=%02x imr=%02x isr=%02x hprio=%d irq_base=%02x rr_sel=%d elcr=%02x fnm=%d",
            i, s->irr, s->imr, s->isr, (s->lowest + 1) & 7, s->icw2, s->read_isr, s->elcr,
            s->icw4 >> 4 & 1);
        emit(arg, line);
    }
}

void pc_print_pci(struct pc *pc, void (*emit)(void *arg, const char *line), void *arg)
{
    if (pc->m->cfg.board == BOARD_PC)
        pci_host_print(&pc->pci, emit, arg);
    else
        emit(arg, "this board has no PCI");
}
