/*
 * PIIX3 ISA bridge. Intel 82371FB/82371SB (PIIX/PIIX3) datasheet (290550), sections 2.2 (PCI
 * function 0) and 2.5.6 (reset control register).
 *
 *   60-63  PIRQRC A-D   bit 7 routing off, bits 3-0 IRQ (3-7, 9-12, 14, 15)
 *   CF9    RCR          bit 2 0->1 resets, bit 1 chooses a hard (1) or soft (0) reset
 *
 * Interrupts: each slot's INTx# wires are rotated over the PIRQs; an output is the OR of the PIRQs
 * routed to it and the ISA pin. Whether it is level-triggered is the interrupt controller's ELCR.
 * NOT MODELLED: SMI, X-bus chip selects, ISA clock and recovery times, USB, the I/O APIC: their
 * registers hold what is written. IDE (function 1) is piix_ide.c.
 * Wired by the board: pci_bus_add at slot 1 function 0, irq outputs to the interrupt controllers,
 * PCI devices' lines to piix_set_intx, piix_reset_io behind pci_host's address port.
 */
#include "devices/piix.h"

enum { REG_IORT = 0x4c, REG_XBCS = 0x4e, REG_PIRQ = 0x60, REG_TOM = 0x69, REG_MBIRQ = 0x70,
       REG_MBDMA = 0x76, REG_PCSC = 0x78, REG_SMICNTL = 0xa0, REG_FTMR = 0xa8 };
enum { PIRQ_OFF = 0x80 };
enum { RCR_OFFSET = 1, RCR_HARD = 0x02, RCR_RESET = 0x04 };
enum { ROUTABLE_IRQS = 0xdef8 }; /* 3-7, 9-12, 14, 15; the others are reserved (PIRQRC) */

STATE_DESC(piix_desc, struct piix_state, 1,
           FIELD_STRUCT(struct piix_state, pci, struct pci_config, pci_config_desc,
                        "configuration space"),
           FIELD(struct piix_state, intx, "levels of INTA#..INTD#, one bit per slot"),
           FIELD(struct piix_state, isa_lines, "levels of the ISA IRQ pins"),
           FIELD_MAX(struct piix_state, rcr, 0x06, "reset control register"),
           FIELD_MAX(struct piix_state, reserved, 0, "zero"));

static const struct pci_identity identity = {
    .vendor = 0x8086,
    .device = 0x7000,
    .class_code = 0x060100,
    .header_type = PCI_MULTIFUNCTION,
    .command = 0x0007,
    .status = 0x0200,
};

unsigned piix_pirq_of(unsigned slot, unsigned intx)
{
    return (slot + intx + 3) & 3; /* slot 1's INTA# is PIRQA */
}

static unsigned pirq_levels(const struct piix_state *st)
{
    unsigned levels = 0;
    for (unsigned intx = 0; intx < 4; intx++) {
        for (unsigned slot = 0; slot < 32; slot++)
            levels |= (st->intx[intx] >> slot & 1) << piix_pirq_of(slot, intx);
    }
    return levels;
}

/* Drives the outputs in `always` and those that changed. */
static void piix_update(struct piix *p, unsigned always)
{
    if (!p->pci.cfg)
        return; /* a device drives its line before piix_init, which takes it over */
    unsigned pirqs = pirq_levels(&p->st), lines = p->st.isa_lines;
    for (unsigned i = 0; i < PIIX_PIRQS; i++) {
        uint32_t route = pci_get(&p->pci, REG_PIRQ + i, 1);
        if (!(route & PIRQ_OFF) && (pirqs >> i & 1))
            lines |= (1u << (route & 15)) & ROUTABLE_IRQS;
    }
    unsigned drive = always | (lines ^ p->told);
    p->told = (uint16_t)lines;
    for (unsigned i = 0; drive >> i; i++) {
        if (drive >> i & 1)
            irq_set(&p->w.irq[i], lines >> i & 1);
    }
}

void piix_set_intx(void *piix, unsigned pin, bool level)
{
    struct piix *p = piix;
    uint32_t *lines = &p->st.intx[pin & 3];
    uint32_t bit = 1u << (pin >> 2 & 31);
    *lines = level ? *lines | bit : *lines & ~bit;
    piix_update(p, 0);
}

void piix_set_isa_irq(void *piix, unsigned pin, bool level)
{
    struct piix *p = piix;
    unsigned bit = 1u << (pin & 15), lines = p->st.isa_lines;
    if (p->pci.cfg && ((lines & bit) != 0) == level) { /* as before: only drive it again */
        irq_set(&p->w.irq[pin & 15], p->told & bit);
        return;
    }
    p->st.isa_lines = (uint16_t)(level ? lines | bit : lines & ~bit);
    piix_update(p, bit);
}

static void config_written(void *dev, unsigned reg, unsigned len)
{
    (void)reg;
    (void)len;
    piix_update(dev, 0);
}

/* --- reset control register --- */

static uint32_t piix_reset_read(void *dev, uint32_t offset, enum access_size size)
{
    const struct piix *p = dev;
    (void)size;
    return offset == RCR_OFFSET ? p->st.rcr : 0xff;
}

static void piix_reset_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct piix *p = dev;
    (void)size;
    if (offset != RCR_OFFSET)
        return;
    bool reset = value & ~(uint32_t)p->st.rcr & RCR_RESET;
    p->st.rcr = value & (RCR_HARD | RCR_RESET);
    if (reset && p->w.reset)
        p->w.reset(p->w.arg, value & RCR_HARD);
}

const struct io_ops piix_reset_io = {piix_reset_read, piix_reset_write, ACCESS_8};

/* --- device --- */

/* Defaults of 290550, table 2-2. */
static void reset_config(struct pci_function *fn)
{
    pci_function_reset(fn);
    pci_set(fn, REG_IORT, 0x4d, 1);
    pci_set(fn, REG_XBCS, 0x0003, 2);
    pci_set(fn, REG_PIRQ, 0x80808080, 4);
    pci_set(fn, REG_TOM, 0x02, 1);
    pci_set(fn, REG_MBIRQ, 0x80, 1);
    pci_set(fn, REG_MBDMA, 0x0c0c, 2);
    pci_set(fn, REG_PCSC, 0x0002, 2);
    pci_set(fn, REG_SMICNTL, 0x08, 1);
    pci_set(fn, REG_FTMR, 0x0f, 1);
    pci_function_update(fn);
}

/* The levels on the input pins are the devices' and stay; they change them in their own resets.
 * Outputs that are high are driven again, as the receiver may have been reset. */
static void piix_reset(void *dev, enum reset_kind kind)
{
    struct piix *p = dev;
    (void)kind;
    p->st.rcr = 0;
    p->st.reserved = 0;
    reset_config(&p->pci);
    piix_update(p, p->st.isa_lines);
}

static enum emu_err piix_post_load(void *dev, struct error *err)
{
    struct piix *p = dev;
    (void)err;
    pci_function_update(&p->pci);
    piix_update(p, p->st.isa_lines);
    return EMU_OK;
}

const struct device_class piix_class = {
    .name = "piix3",
    .state = &piix_desc,
    .state_offset = offsetof(struct piix, st),
    .reset = piix_reset,
    .post_load = piix_post_load,
};

static void set_writable_registers(struct pci_function *fn)
{
    pci_function_writable(fn, REG_IORT, 0xff, 1);
    pci_function_writable(fn, REG_XBCS, 0xffff, 2);
    pci_function_writable(fn, REG_PIRQ, 0x8f8f8f8f, 4);
    pci_function_writable(fn, REG_TOM, 0xff, 1);
    pci_function_writable(fn, 0x6a, 0xffff, 2); /* MSTAT */
    pci_function_writable(fn, REG_MBIRQ, 0xff, 1);
    pci_function_writable(fn, REG_MBDMA, 0x8f8f, 2);
    pci_function_writable(fn, REG_PCSC, 0xffff, 2);
    pci_function_writable(fn, 0x80, 0x7f, 1); /* APICBASE */
    pci_function_writable(fn, 0x82, 0x0f, 1); /* DLC */
    pci_function_writable(fn, REG_SMICNTL, 0x1f, 1);
    pci_function_writable(fn, 0xa2, 0xffff, 2);     /* SMIEN */
    pci_function_writable(fn, 0xa4, 0xffffffff, 4); /* SEE */
    pci_function_writable(fn, REG_FTMR, 0xff, 1);
    pci_function_writable(fn, 0xac, 0xff, 1); /* CTLTMR */
    pci_function_writable(fn, 0xae, 0xff, 1); /* CTHTMR */
}

void piix_init(struct piix *p, const char *id, struct piix_wiring w)
{
    p->dev.cls = &piix_class;
    p->dev.id = id;
    p->w = w;
    pci_function_init(&p->pci, id, p, &p->st.pci, &identity);
    p->pci.written = config_written;
    set_writable_registers(&p->pci);
    piix_reset(p, RESET_POWER_ON);
}
