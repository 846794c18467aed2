/*
 * PIIX3 IDE. Intel 82371FB/82371SB (PIIX/PIIX3) datasheet (290550), sections 2.3 (PCI function 1)
 * and 2.7 (bus master); the descriptor table as in "Programming Interface for Bus Master IDE
 * Controller" 1.0 (SFF-8038i).
 *
 *   configuration  20 BMIBA   40/42 IDETIM (bit 15: the channel decodes)   44 SIDETIM
 *   bus master     0 BMICOM (bit 0 start, bit 3 to memory)   2 BMISTA (0 active, 1 error,
 *                  2 interrupt, 5 and 6 drives can do DMA)   4-7 BMIDTP; 8-F the second channel
 *   descriptor     u32 address, u16 bytes (0: 64 KiB), u16 bit 15: last
 *
 * A region may not cross 64 KiB (SFF-8038i 1.2); what would wraps within them, as its counter does.
 * NOT MODELLED: cycle times (the timing registers hold what is written), PIO prefetch and posting.
 * Wired by the board: pci_bus_add at slot 1 function 1; each channel's irq to piix_ide_set_irq and
 * its dma to piix_ide_dma; the ports by decode and move.
 */
#include "devices/piix_ide.h"

#include <inttypes.h>

enum { BAR_MASTER = 4, REG_IDETIM = 0x40, REG_SIDETIM = 0x44, IDETIM_DECODE = 0x8000 };
enum { BMICOM = 0, BMISTA = 2, BMIDTP = 4, CHANNEL_PORTS = 8 };
enum { START = 0x01, TO_MEMORY = 0x08 };
enum { ACTIVE = 0x01, FAILED = 0x02, INTERRUPT = 0x04, DMA_CAPABLE = 0x60 };
enum { PRD_BYTES = 8, PRD_LAST = 0x80, REGION = 0x10000 };

STATE_DESC(piix_ide_channel_desc, struct piix_ide_channel_state, 1,
           FIELD_MAX(struct piix_ide_channel_state, table, 0xfffffffc, "BMIDTP"),
           FIELD(struct piix_ide_channel_state, next, "address of the next descriptor"),
           FIELD(struct piix_ide_channel_state, address, "next byte of the present region"),
           FIELD_MAX(struct piix_ide_channel_state, left, REGION, "its bytes still to be moved"),
           FIELD_MAX(struct piix_ide_channel_state, command, START | TO_MEMORY, "BMICOM"),
           FIELD_MAX(struct piix_ide_channel_state, status, 0x67, "BMISTA"),
           FIELD_MAX(struct piix_ide_channel_state, line, 1, "level of INTRQ"),
           FIELD_MAX(struct piix_ide_channel_state, last, 1, "the region is the last one"));

STATE_DESC(piix_ide_desc, struct piix_ide_state, 1,
           FIELD_STRUCT(struct piix_ide_state, pci, struct pci_config, pci_config_desc,
                        "configuration space"),
           FIELD_STRUCT(struct piix_ide_state, channel, struct piix_ide_channel_state, piix_ide_channel_desc,
                        "bus masters"));

static const struct pci_identity identity = {
    .vendor = 0x8086,
    .device = 0x7010,
    .class_code = 0x010180, /* IDE, fixed legacy ports, bus master */
    .status = 0x0280,
};

/* ---- The bus master ---- */

/* Takes the next descriptor; false: the last one is done. */
static bool next_region(struct piix_ide *p, struct piix_ide_channel_state *c)
{
    uint8_t prd[PRD_BYTES];
    if (c->last)
        return false;
    phys_read_bytes(p->w.phys, c->next, prd, sizeof(prd));
    c->next += PRD_BYTES;
    c->address = (prd[0] & 0xfeu) | (uint32_t)prd[1] << 8 | (uint32_t)prd[2] << 16 | (uint32_t)prd[3] << 24;
    c->left = (prd[4] & 0xfeu) | (uint32_t)prd[5] << 8;
    if (c->left == 0)
        c->left = REGION;
    c->last = prd[7] >= PRD_LAST;
    if (trace_on(p->w.log, TRACE_ATA))
        trace_line(p->w.log, TRACE_ATA, "%s descriptor %08" PRIx32 " + %" PRIx32 "%s", p->dev.id,
                   c->address, c->left, c->last ? " last" : "");
    return true;
}

/* Bytes up to the end of the 64 KiB that the address counter stays in. */
static uint32_t run_length(const struct piix_ide_channel_state *c, uint32_t len)
{
    uint32_t n = REGION - (c->address & (REGION - 1));
    n = n < c->left ? n : c->left;
    return n < len ? n : len;
}

static uint32_t move(void *arg, uint8_t *data, uint32_t len, bool to_memory)
{
    struct piix_ide_master *m = arg;
    struct piix_ide *p = m->ide;
    struct piix_ide_channel_state *c = &p->st.channel[m->n];
    uint32_t done = 0;
    m->before = *c;
    while (done < len) {
        if (c->left == 0 && !next_region(p, c))
            break;
        uint32_t n = run_length(c, len - done);
        if (to_memory)
            phys_write_bytes(p->w.phys, c->address, data + done, n);
        else
            phys_read_bytes(p->w.phys, c->address, data + done, n);
        done += n;
        c->left -= n;
        c->address = (c->address & ~(uint32_t)(REGION - 1)) | ((c->address + n) & (REGION - 1));
    }
    if (c->left == 0 && c->last)
        c->status &= (uint8_t)~ACTIVE; /* the table is used up (2.7.2) */
    return done;
}

static void undo(void *arg)
{
    struct piix_ide_master *m = arg;
    m->ide->st.channel[m->n] = m->before;
}

/* Bus mastering must be on in the PCI command register, too. */
static bool ready(void *arg, bool to_memory)
{
    const struct piix_ide_master *m = arg;
    const struct piix_ide_channel_state *c = &m->ide->st.channel[m->n];
    return c->status & ACTIVE && !(c->command & TO_MEMORY) == !to_memory &&
           pci_get(&m->ide->pci, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

struct ata_dma piix_ide_dma(struct piix_ide *p, unsigned channel)
{
    p->master[channel] = (struct piix_ide_master){.ide = p, .n = channel};
    return (struct ata_dma){ready, move, &p->master[channel], undo};
}

/* BMISTA bit 2 is set by the rising edge, whether data moved or not. */
void piix_ide_set_irq(void *ide, unsigned pin, bool level)
{
    struct piix_ide *p = ide;
    struct piix_ide_channel_state *c = &p->st.channel[pin];
    if (level && !c->line)
        c->status |= INTERRUPT;
    c->line = level;
    irq_set(&p->w.irq[pin], level);
}

static void write_command(struct piix_ide *p, unsigned n, uint8_t value)
{
    struct piix_ide_channel_state *c = &p->st.channel[n];
    bool start = value & ~(unsigned)c->command & START;
    c->command = value & (START | TO_MEMORY);
    if (!(value & START)) {
        c->status &= (uint8_t)~ACTIVE;
    } else if (start) {
        c->next = c->table;
        c->left = 0;
        c->last = 0;
        c->status |= ACTIVE;
        ata_dma_started(p->w.channel[n]);
    }
}

static uint32_t piix_ide_read(void *dev, uint32_t offset, enum access_size size)
{
    const struct piix_ide *p = dev;
    const struct piix_ide_channel_state *c = &p->st.channel[offset / CHANNEL_PORTS & 1];
    unsigned reg = offset % CHANNEL_PORTS;
    (void)size;
    if (reg >= BMIDTP)
        return c->table >> (8 * (reg - BMIDTP)) & 0xff;
    return reg == BMICOM ? c->command : reg == BMISTA ? c->status : 0;
}

static void write_table(struct piix_ide_channel_state *c, unsigned byte, uint8_t value)
{
    uint32_t shift = 8 * byte;
    c->table = ((c->table & ~(0xffu << shift)) | (uint32_t)value << shift) & ~3u;
}

static void piix_ide_write(void *dev, uint32_t offset, uint32_t value32, enum access_size size)
{
    struct piix_ide *p = dev;
    unsigned n = offset / CHANNEL_PORTS & 1, reg = offset % CHANNEL_PORTS;
    struct piix_ide_channel_state *c = &p->st.channel[n];
    uint8_t value = (uint8_t)value32;
    (void)size;
    if (reg == BMICOM)
        write_command(p, n, value);
    else if (reg == BMISTA) /* writing ones clears the two events */
        c->status = (uint8_t)((c->status & ~DMA_CAPABLE & ~(value & (FAILED | INTERRUPT))) |
                              (value & DMA_CAPABLE));
    else if (reg >= BMIDTP)
        write_table(c, reg - BMIDTP, value);
}

const struct io_ops piix_ide_io = {piix_ide_read, piix_ide_write, ACCESS_8};

/* ---- Configuration ---- */

/* A channel decodes if its IDETIM and the function's I/O space enable say so. */
static void tell_decode(struct piix_ide *p)
{
    bool io = pci_get(&p->pci, PCI_COMMAND, 2) & PCI_COMMAND_IO;
    for (unsigned n = 0; n < PIIX_IDE_CHANNELS; n++) {
        bool on = io && pci_get(&p->pci, REG_IDETIM + 2 * n, 2) & IDETIM_DECODE;
        if (on == p->decoded[n])
            continue;
        p->decoded[n] = on;
        if (p->w.decode)
            p->w.decode(p->w.arg, n, on);
    }
}

static void config_written(void *dev, unsigned reg, unsigned len)
{
    struct piix_ide *p = dev;
    (void)reg, (void)len;
    tell_decode(p);
    for (unsigned n = 0; n < PIIX_IDE_CHANNELS; n++) {
        if (p->st.channel[n].status & ACTIVE)
            ata_dma_started(p->w.channel[n]); /* bus mastering may have been switched on */
    }
}

static void bar_moved(void *dev, unsigned bar, uint32_t base, bool enabled)
{
    struct piix_ide *p = dev;
    (void)bar;
    if (p->w.move)
        p->w.move(p->w.arg, base, enabled);
}

/* The levels of the lines are the channels'; they change them in their own resets. */
static void piix_ide_reset(void *dev, enum reset_kind kind)
{
    struct piix_ide *p = dev;
    (void)kind;
    for (unsigned n = 0; n < PIIX_IDE_CHANNELS; n++)
        p->st.channel[n] = (struct piix_ide_channel_state){.line = p->st.channel[n].line};
    pci_function_reset(&p->pci);
    pci_function_update(&p->pci);
    tell_decode(p);
}

static enum emu_err piix_ide_post_load(void *dev, struct error *err)
{
    struct piix_ide *p = dev;
    (void)err;
    pci_function_update(&p->pci);
    tell_decode(p);
    for (unsigned n = 0; n < PIIX_IDE_CHANNELS; n++)
        irq_set(&p->w.irq[n], p->st.channel[n].line);
    return EMU_OK;
}

const struct device_class piix_ide_class = {
    .name = "piix_ide",
    .state = &piix_ide_desc,
    .state_offset = offsetof(struct piix_ide, st),
    .reset = piix_ide_reset,
    .post_load = piix_ide_post_load,
};

void piix_ide_init(struct piix_ide *p, const char *id, struct piix_ide_wiring w)
{
    p->dev = (struct device){.cls = &piix_ide_class, .id = id};
    p->w = w;
    pci_function_init(&p->pci, id, p, &p->st.pci, &identity);
    pci_function_add_bar(&p->pci, BAR_MASTER, PCI_BAR_IO, PIIX_IDE_PORTS, bar_moved);
    pci_function_writable(&p->pci, REG_IDETIM, 0xffff, 2);
    pci_function_writable(&p->pci, REG_IDETIM + 2, 0xffff, 2);
    pci_function_writable(&p->pci, REG_SIDETIM, 0xff, 1);
    p->pci.written = config_written;
    for (unsigned n = 0; n < PIIX_IDE_CHANNELS; n++)
        p->master[n] = (struct piix_ide_master){.ide = p, .n = n};
    piix_ide_reset(p, RESET_POWER_ON);
}
