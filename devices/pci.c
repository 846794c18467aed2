/*
 * PCI configuration space and mechanism 1. PCI Local Bus Specification 2.1, chapters 3.7.4 and 6;
 * the address register as in the 82441FX datasheet (290549), CONFADD.
 * Wired by the board: pci_host_io at the address and data ports, one pci_bus_add per function.
 */
#include "devices/pci.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

STATE_DESC(pci_config_desc, struct pci_config, 1,
           FIELD(struct pci_config, space, "configuration registers"));
STATE_DESC(pci_host_desc, struct pci_host_state, 1,
           FIELD_MAX(struct pci_host_state, address, 0x80fffffc, "CONFADD"));

/* --- a function --- */

uint32_t pci_get(const struct pci_function *fn, unsigned reg, unsigned len)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < len; i++)
        value |= (uint32_t)fn->cfg->space[(reg + i) & 0xff] << (8 * i);
    return value;
}

void pci_set(struct pci_function *fn, unsigned reg, uint32_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        fn->cfg->space[(reg + i) & 0xff] = (uint8_t)(value >> (8 * i));
}

void pci_function_writable(struct pci_function *fn, unsigned reg, uint32_t mask, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        fn->writable[(reg + i) & 0xff] = (uint8_t)(mask >> (8 * i));
}

void pci_function_init(struct pci_function *fn, const char *name, void *dev, struct pci_config *cfg,
                       const struct pci_identity *id)
{
    *fn = (struct pci_function){.name = name, .dev = dev, .cfg = cfg, .id = id};
    /* I/O, memory, bus master, parity response, SERR# (PCI 2.1, 6.2.2). */
    pci_function_writable(fn, PCI_COMMAND, 0x0147, 2);
    pci_function_writable(fn, 0x0c, 0xffff, 2); /* cache line size, latency timer */
    pci_function_writable(fn, PCI_INTERRUPT_LINE, 0xff, 1);
    fn->clear[PCI_STATUS + 1] = 0xf9; /* the error bits 15-11 and 8 (6.2.3) */
}

static unsigned bar_register(unsigned index)
{
    return index == PCI_ROM ? PCI_ROM_BASE : PCI_BAR0 + 4 * index;
}

/* The read-only low bits that tell the kind (PCI 2.1, 6.2.5.1). */
static uint32_t bar_flags(enum pci_bar_kind kind)
{
    return kind == PCI_BAR_IO ? 1 : kind == PCI_BAR_PREFETCH ? 8 : 0;
}

void pci_function_add_bar(struct pci_function *fn, unsigned index, enum pci_bar_kind kind,
                          uint32_t size,
                          void (*moved)(void *dev, unsigned bar, uint32_t base, bool enabled))
{
    ASSERT(index < PCI_BARS && (index == PCI_ROM) == (kind == PCI_BAR_ROM));
    ASSERT(size >= 4 && (size & (size - 1)) == 0);
    fn->bar[index] = (struct pci_bar){.kind = kind, .size = size, .moved = moved};
    uint32_t mask = ~(size - 1);
    if (kind == PCI_BAR_ROM)
        mask |= 1; /* the ROM's own enable bit, 6.2.5.2 */
    pci_function_writable(fn, bar_register(index), mask, 4);
}

void pci_function_reset(struct pci_function *fn)
{
    const struct pci_identity *id = fn->id;
    memset(fn->cfg->space, 0, sizeof(fn->cfg->space));
    pci_set(fn, PCI_VENDOR_ID, id->vendor, 2);
    pci_set(fn, PCI_DEVICE_ID, id->device, 2);
    pci_set(fn, PCI_COMMAND, id->command, 2);
    pci_set(fn, PCI_STATUS, id->status, 2);
    pci_set(fn, PCI_REVISION, id->revision, 1);
    pci_set(fn, PCI_CLASS, id->class_code, 3);
    pci_set(fn, PCI_HEADER_TYPE, id->header_type, 1);
    pci_set(fn, PCI_SUBSYSTEM_VENDOR, id->subsystem_vendor, 2);
    pci_set(fn, PCI_SUBSYSTEM, id->subsystem, 2);
    pci_set(fn, PCI_INTERRUPT_PIN, id->interrupt_pin, 1);
    for (unsigned i = 0; i < PCI_BARS; i++) {
        if (fn->bar[i].kind != PCI_BAR_NONE)
            pci_set(fn, bar_register(i), bar_flags(fn->bar[i].kind), 4);
    }
}

/* Whether and where a window answers. Base 0 and one that ends beyond the address space are what
 * sizing leaves behind; they never answer. */
static bool bar_decodes(const struct pci_function *fn, unsigned index, uint32_t *base)
{
    const struct pci_bar *bar = &fn->bar[index];
    uint32_t reg = pci_get(fn, bar_register(index), 4);
    uint32_t command = pci_get(fn, PCI_COMMAND, 2);
    bool io = bar->kind == PCI_BAR_IO;
    uint64_t limit = io ? IO_PORTS : 1ull << 32;
    *base = reg & ~(bar->size - 1);
    if (!(command & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
        return false;
    if (bar->kind == PCI_BAR_ROM && !(reg & 1))
        return false;
    return *base != 0 && (uint64_t)*base + bar->size < limit;
}

void pci_function_update(struct pci_function *fn)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        struct pci_bar *bar = &fn->bar[i];
        uint32_t base;
        if (bar->kind == PCI_BAR_NONE)
            continue;
        bool enabled = bar_decodes(fn, i, &base);
        if (!enabled)
            base = 0;
        if (enabled == bar->enabled && base == bar->base)
            continue;
        bar->enabled = enabled;
        bar->base = base;
        if (bar->moved)
            bar->moved(fn->dev, i, base, enabled);
    }
}

uint32_t pci_function_read(struct pci_function *fn, unsigned reg, unsigned len)
{
    return pci_get(fn, reg, len);
}

void pci_function_write(struct pci_function *fn, unsigned reg, uint32_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        unsigned at = (reg + i) & 0xff;
        uint8_t *byte = &fn->cfg->space[at];
        uint8_t in = (uint8_t)(value >> (8 * i)), mask = fn->writable[at];
        *byte = (uint8_t)((*byte & ~mask) | (in & mask));
        *byte &= (uint8_t)~(in & fn->clear[at]);
    }
    pci_function_update(fn);
    if (fn->written)
        fn->written(fn->dev, reg, len);
}

/* --- the host --- */

static uint32_t ones(enum access_size size)
{
    return size == ACCESS_32 ? 0xffffffffu : (1u << (8 * size)) - 1;
}

/* The function that the address register selects, or NULL: bit 31 off, another bus, empty place. */
static struct pci_function *selected(const struct pci_host *h)
{
    uint32_t a = h->st.address;
    if (!(a >> 31) || (a >> 16 & 0xff) != 0)
        return NULL;
    return h->fn[a >> 8 & 0xff];
}

static uint32_t data_read(struct pci_host *h, uint32_t offset, enum access_size size)
{
    struct pci_function *fn = selected(h);
    unsigned reg = (h->st.address & 0xfc) + (offset & 3);
    uint32_t value = fn ? pci_function_read(fn, reg, size) : ones(size);
    if (trace_on(h->w.log, TRACE_PCI))
        trace_line(h->w.log, TRACE_PCI, "read %08" PRIx32 "+%x %s %0*" PRIx32, h->st.address,
                   (unsigned)(offset & 3), fn ? fn->name : "-", 2 * (int)size, value);
    return value;
}

static void data_write(struct pci_host *h, uint32_t offset, uint32_t value, enum access_size size)
{
    struct pci_function *fn = selected(h);
    unsigned reg = (h->st.address & 0xfc) + (offset & 3);
    if (trace_on(h->w.log, TRACE_PCI))
        trace_line(h->w.log, TRACE_PCI, "write %08" PRIx32 "+%x %s %0*" PRIx32, h->st.address,
                   (unsigned)(offset & 3), fn ? fn->name : "-", 2 * (int)size, value);
    if (fn)
        pci_function_write(fn, reg, value, size);
}

/* An access that runs from the address port over into the data window, or beyond it, goes byte by
 * byte, as separate bus cycles do. */
static bool straddles(uint32_t offset, enum access_size size)
{
    return (offset & 3) + size > 4;
}

static uint32_t pci_host_read(void *dev, uint32_t offset, enum access_size size)
{
    struct pci_host *h = dev;
    uint32_t value = 0;
    if (straddles(offset, size)) {
        for (unsigned i = 0; i < size; i++)
            value |= pci_host_read(h, (offset + i) & 7, ACCESS_8) << (8 * i);
        return value;
    }
    if (offset >= 4)
        return data_read(h, offset, size);
    if (offset == 0 && size == ACCESS_32)
        return h->st.address;
    return h->w.pass ? io_ops_read(h->w.pass, h->w.pass_dev, offset, size) : ones(size);
}

static void pci_host_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct pci_host *h = dev;
    if (straddles(offset, size)) {
        for (unsigned i = 0; i < size; i++)
            pci_host_write(h, (offset + i) & 7, value >> (8 * i) & 0xff, ACCESS_8);
    } else if (offset >= 4) {
        data_write(h, offset, value, size);
    } else if (offset == 0 && size == ACCESS_32) {
        h->st.address = value & 0x80fffffc; /* 30-24 and 1-0 are reserved and read 0 */
    } else if (h->w.pass) {
        io_ops_write(h->w.pass, h->w.pass_dev, offset, value, size);
    }
}

const struct io_ops pci_host_io = {pci_host_read, pci_host_write, ACCESS_8 | ACCESS_16 | ACCESS_32};

static void pci_host_reset(void *dev, enum reset_kind kind)
{
    (void)kind;
    struct pci_host *h = dev;
    h->st.address = 0;
}

const struct device_class pci_host_class = {
    .name = "pci_host",
    .state = &pci_host_desc,
    .state_offset = offsetof(struct pci_host, st),
    .reset = pci_host_reset,
};

void pci_host_init(struct pci_host *h, const char *id, struct pci_host_wiring w)
{
    memset(h, 0, sizeof(*h));
    h->dev.cls = &pci_host_class;
    h->dev.id = id;
    h->w = w;
    pci_host_reset(h, RESET_POWER_ON);
}

enum emu_err pci_bus_add(struct pci_host *h, unsigned slot, unsigned function,
                         struct pci_function *fn, struct error *err)
{
    if (slot >= 32 || function >= 8)
        return error_set(err, EMU_ARG, "%s: PCI has no slot %u function %u", fn->name, slot,
                         function);
    struct pci_function **place = &h->fn[slot * 8 + function];
    if (*place)
        return error_set(err, EMU_ARG, "%s: PCI slot %u function %u belongs to %s already",
                         fn->name, slot, function, (*place)->name);
    *place = fn;
    return EMU_OK;
}

static void print_bar(const struct pci_function *fn, unsigned index,
                      void (*emit)(void *arg, const char *line), void *arg)
{
    const struct pci_bar *bar = &fn->bar[index];
    char line[128], where[16] = "off";
    if (bar->enabled)
        snprintf(where, sizeof(where), "0x%08" PRIx32, bar->base);
    snprintf(line, sizeof(line), "      BAR%u: %s at %s, size 0x%" PRIx32, index,
             bar->kind == PCI_BAR_IO    ? "I/O"
             : bar->kind == PCI_BAR_ROM ? "ROM"
                                        : "32 bit memory",
             where, bar->size);
    emit(arg, line);
}

void pci_host_print(const struct pci_host *h, void (*emit)(void *arg, const char *line), void *arg)
{
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        const struct pci_function *fn = h->fn[devfn];
        char line[128];
        if (!fn)
            continue;
        snprintf(line, sizeof(line), "  Bus  0, device %3u, function %u:", devfn >> 3, devfn & 7);
        emit(arg, line);
        snprintf(line, sizeof(line), "    %s: PCI device %04x:%04x, class %04x, IRQ %u pin %u",
                 fn->name, (unsigned)pci_get(fn, PCI_VENDOR_ID, 2),
                 (unsigned)pci_get(fn, PCI_DEVICE_ID, 2), (unsigned)pci_get(fn, PCI_CLASS + 1, 2),
                 (unsigned)pci_get(fn, PCI_INTERRUPT_LINE, 1),
                 (unsigned)pci_get(fn, PCI_INTERRUPT_PIN, 1));
        emit(arg, line);
        for (unsigned i = 0; i < PCI_BARS; i++) {
            if (fn->bar[i].kind != PCI_BAR_NONE)
                print_bar(fn, i, emit, arg);
        }
    }
}

/* --- I/O windows that software moves --- */

void pci_io_map_add(struct pci_io_map *m, struct pci_io_window *win)
{
    struct pci_io_window **link = &m->first;
    while (*link)
        link = &(*link)->next;
    win->next = NULL;
    win->mapped = false;
    *link = win;
}

static void unmap_all(struct pci_io_map *m)
{
    for (struct pci_io_window *win = m->first; win; win = win->next) {
        if (win->mapped)
            io_bus_unmap(m->bus, (uint16_t)win->base, win->dev);
        win->mapped = false;
    }
}

void pci_io_map_move(struct pci_io_map *m, struct pci_io_window *win, uint32_t base, bool enabled)
{
    struct error err;
    if (win->base == base && win->enabled == enabled)
        return;
    unmap_all(m);
    win->base = base;
    win->enabled = enabled;
    for (struct pci_io_window *each = m->first; each; each = each->next) {
        if (!each->enabled || each->base + each->count > IO_PORTS)
            continue;
        each->mapped = io_bus_map(m->bus, each->name, (uint16_t)each->base, each->count,
                                  each->first_offset, each->ops, each->dev, &err) == EMU_OK;
        if (!each->mapped)
            log_guest(m->log, each->name, "%s; not mapped", err.text);
    }
}
