/*
 * IBM VGA: the registers behind ports 3B0-3DF. See vga.h for the whole chip.
 * Register references: IBM VGA/XGA Technical Reference (1992), "VGA Function", by register name.
 *
 * Deviations, each seen by no known software: the palette registers can be written whatever the
 * palette address source bit says; CR10 and CR11 read as the vertical retrace registers even where
 * CR3 bit 7 asks for the light pen; port 3C3 closes the display memory but not the other ports.
 */
#include "devices/vga_int.h"

#include <string.h>

/* Offsets of the ports from 3B0; the CRTC group is at 3Bx or 3Dx by misc output bit 0. */
enum {
    PORT_CRTC_INDEX = 0x04, PORT_CRTC_DATA = 0x05, PORT_STATUS1 = 0x0a, /* of either group */
    PORT_COLOR_GROUP = 0x20,
    PORT_ATTR = 0x10, PORT_ATTR_READ = 0x11, PORT_MISC = 0x12, PORT_SUBSYSTEM = 0x13,
    PORT_SEQ_INDEX = 0x14, PORT_SEQ_DATA = 0x15, PORT_DAC_MASK = 0x16, PORT_DAC_READ = 0x17,
    PORT_DAC_WRITE = 0x18, PORT_DAC_DATA = 0x19, PORT_FEATURE_READ = 0x1a, PORT_MISC_READ = 0x1c,
    PORT_GC_INDEX = 0x1e, PORT_GC_DATA = 0x1f,
};

enum { MISC_COLOR = 0x01, FEATURE_BITS = 0x0b };

/* The bits that exist in each register. */
static const uint8_t seq_mask[VGA_SEQ_REGS] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t gc_mask[VGA_GC_REGS] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
static const uint8_t attr_mask[VGA_ATTR_REGS] = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

STATE_DESC(vga_state_desc, struct vga_state, 1,
    FIELD(struct vga_state, vint_due, "virtual time of the armed vertical interrupt"),
    FIELD(struct vga_state, vbe, "DISPI registers 0 to 9"),
    FIELD(struct vga_state, vbe_index, "selected DISPI register"),
    FIELD(struct vga_state, misc, "miscellaneous output"),
    FIELD(struct vga_state, feature, "feature control"),
    FIELD_MAX(struct vga_state, subsystem, 1, "video subsystem enable"),
    FIELD_MAX(struct vga_state, vint_pending, 1, "vertical interrupt pending"),
    FIELD(struct vga_state, seq_index, "selected sequencer register"),
    FIELD(struct vga_state, gc_index, "selected graphics controller register"),
    FIELD(struct vga_state, crtc_index, "selected CRTC register"),
    FIELD_MAX(struct vga_state, attr_index, 0x3f, "attribute index and palette address source"),
    FIELD_MAX(struct vga_state, attr_data_next, 1, "attribute flip-flop: data is next"),
    FIELD(struct vga_state, seq, "sequencer registers"),
    FIELD(struct vga_state, gc, "graphics controller registers"),
    FIELD(struct vga_state, crtc, "CRTC registers"),
    FIELD(struct vga_state, attr, "attribute controller registers"),
    FIELD(struct vga_state, latch, "read latches by plane"),
    FIELD(struct vga_state, dac_mask, "PEL mask"),
    FIELD(struct vga_state, dac_address, "DAC address register"),
    FIELD_MAX(struct vga_state, dac_component, 2, "next component: 0 red, 1 green, 2 blue"),
    FIELD_MAX(struct vga_state, dac_reading, 1, "the address was written through 3C7"),
    FIELD(struct vga_state, dac_latch, "components on their way"),
    FIELD(struct vga_state, dac, "256 colours of red, green, blue"),
    FIELD_MAX(struct vga_state, reserved, 0, "zero"));

/* ---- DAC: one address register for both directions, as the Inmos G171 of the PS/2 ---- */

static void dac_fetch(struct vga_state *st)
{
    memcpy(st->dac_latch, &st->dac[st->dac_address * 3], 3);
    st->dac_address++;
}

static void dac_set_read_address(struct vga_state *st, uint8_t address)
{
    st->dac_address = address;
    st->dac_component = 0;
    st->dac_reading = 1;
    dac_fetch(st);
}

static void dac_set_write_address(struct vga_state *st, uint8_t address)
{
    st->dac_address = address;
    st->dac_component = 0;
    st->dac_reading = 0;
}

static uint8_t dac_read(struct vga_state *st)
{
    uint8_t value = st->dac_latch[st->dac_component];
    if (++st->dac_component == 3) {
        st->dac_component = 0;
        dac_fetch(st);
    }
    return value;
}

/* A colour changes only when its third component has arrived. */
static void dac_write(struct vga_state *st, uint8_t value)
{
    if (!(st->vbe[VBE_ENABLE] & VBE_8BIT_DAC))
        value &= 0x3f;
    st->dac_latch[st->dac_component] = value;
    if (++st->dac_component < 3)
        return;
    st->dac_component = 0;
    memcpy(&st->dac[st->dac_address * 3], st->dac_latch, 3);
    st->dac_address++;
}

/* ---- attribute controller ---- */

static void attr_write(struct vga_state *st, uint8_t value)
{
    bool data = st->attr_data_next;
    st->attr_data_next = !data;
    if (!data) {
        st->attr_index = value & 0x3f;
        return;
    }
    unsigned index = st->attr_index & 0x1f;
    if (index < VGA_ATTR_REGS)
        st->attr[index] = value & attr_mask[index];
}

static uint8_t attr_read(const struct vga_state *st)
{
    unsigned index = st->attr_index & 0x1f;
    return index < VGA_ATTR_REGS ? st->attr[index] : 0;
}

/* ---- CRTC ---- */

static bool sets_timing(unsigned index)
{
    return index <= CR_OVERFLOW || (index >= CR_V_RETRACE_START && index <= CR_V_DISPLAY_END) ||
           index == CR_MODE;
}

static void crtc_write(struct vga *v, uint8_t value)
{
    struct vga_state *st = &v->st;
    unsigned index = st->crtc_index;
    if (index >= VGA_CRTC_REGS)
        return;
    if (index <= CR_OVERFLOW && (st->crtc[CR_V_RETRACE_END] & CRTC_PROTECT)) {
        /* "Protect Registers 0-7": the line compare bit of the overflow register stays open. */
        if (index == CR_OVERFLOW)
            st->crtc[index] = (st->crtc[index] & ~0x10) | (value & 0x10);
        return;
    }
    st->crtc[index] = value;
    if (sets_timing(index)) {
        st->vint_due = VTIME_NEVER; /* it is computed again */
        vga_update(v);
    }
}

static uint8_t crtc_read(const struct vga_state *st)
{
    return st->crtc_index < VGA_CRTC_REGS ? st->crtc[st->crtc_index] : 0;
}

/* ---- sequencer, graphics controller, miscellaneous ---- */

static void seq_write(struct vga *v, uint8_t value)
{
    unsigned index = v->st.seq_index;
    if (index >= VGA_SEQ_REGS)
        return;
    v->st.seq[index] = value & seq_mask[index];
    if (index == SEQ_CLOCKING) {
        v->st.vint_due = VTIME_NEVER;
        vga_update(v);
    } else if (index != SEQ_CHAR_MAP) {
        vga_mem_update(v);
    }
}

static void gc_write(struct vga *v, uint8_t value)
{
    unsigned index = v->st.gc_index;
    if (index >= VGA_GC_REGS)
        return;
    v->st.gc[index] = value & gc_mask[index];
    vga_mem_update(v);
}

static void misc_write(struct vga *v, uint8_t value)
{
    v->st.misc = value;
    v->st.vint_due = VTIME_NEVER;
    vga_update(v);
}

/* Input status 0: bit 7 the vertical interrupt, bit 4 the monitor is there (switch sense). */
static uint8_t read_status0(const struct vga_state *st)
{
    return (uint8_t)(st->vint_pending << 7 | 0x10);
}

/* Input status 1: bit 3 vertical retrace, bit 0 set while no picture is displayed. */
static uint8_t read_status1(struct vga *v)
{
    v->st.attr_data_next = 0;
    struct vga_timing t = vga_timing(v);
    vtime now = clock_now(v->w.clk);
    uint64_t dot = vtime_to_ticks(now, t.clock_hz) % ((uint64_t)t.line_dots * t.lines);
    struct vga_beam b = {.line = (uint32_t)(dot / t.line_dots), .dot = (uint32_t)(dot % t.line_dots)};
    bool retrace = vga_in_retrace(&t, &b);
    bool blank = retrace || b.line >= t.shown_lines || b.dot >= t.shown_dots;
    return (uint8_t)(retrace << 3 | blank);
}

/* ---- ports ---- */

/* CRTC, status and feature ports answer in one of two groups; false: not in the chosen one. */
static bool in_group(const struct vga *v, uint32_t offset, uint32_t *port)
{
    bool color = offset >= PORT_COLOR_GROUP;
    if (!color && offset >= PORT_ATTR)
        return false;
    *port = color ? offset - PORT_COLOR_GROUP : offset;
    return color == ((v->st.misc & MISC_COLOR) != 0);
}

static uint8_t read_group(struct vga *v, uint32_t port)
{
    switch (port) {
    case PORT_CRTC_INDEX: return v->st.crtc_index;
    case PORT_CRTC_DATA: return crtc_read(&v->st);
    case PORT_STATUS1: return read_status1(v);
    default: return 0xff;
    }
}

static uint8_t read_common(struct vga *v, uint32_t offset)
{
    struct vga_state *st = &v->st;
    switch (offset) {
    case PORT_ATTR: return st->attr_index;
    case PORT_ATTR_READ: return attr_read(st);
    case PORT_MISC: return read_status0(st);
    case PORT_SUBSYSTEM: return st->subsystem;
    case PORT_SEQ_INDEX: return st->seq_index;
    case PORT_SEQ_DATA: return st->seq_index < VGA_SEQ_REGS ? st->seq[st->seq_index] : 0;
    case PORT_DAC_MASK: return st->dac_mask;
    case PORT_DAC_READ: return st->dac_reading ? 3 : 0;
    case PORT_DAC_WRITE: return st->dac_address;
    case PORT_DAC_DATA: return dac_read(st);
    case PORT_FEATURE_READ: return st->feature;
    case PORT_MISC_READ: return st->misc;
    case PORT_GC_INDEX: return st->gc_index;
    case PORT_GC_DATA: return st->gc_index < VGA_GC_REGS ? st->gc[st->gc_index] : 0;
    default: return 0xff;
    }
}

static uint32_t vga_read(void *dev, uint32_t offset, enum access_size size)
{
    (void)size;
    struct vga *v = dev;
    uint32_t port;
    if (in_group(v, offset, &port))
        return read_group(v, port);
    return read_common(v, offset);
}

static void write_group(struct vga *v, uint32_t port, uint8_t value)
{
    if (port == PORT_CRTC_INDEX)
        v->st.crtc_index = value;
    else if (port == PORT_CRTC_DATA)
        crtc_write(v, value);
    else if (port == PORT_STATUS1)
        v->st.feature = value & FEATURE_BITS;
}

static void write_common(struct vga *v, uint32_t offset, uint8_t value)
{
    struct vga_state *st = &v->st;
    switch (offset) {
    case PORT_ATTR: attr_write(st, value); break;
    case PORT_MISC: misc_write(v, value); break;
    case PORT_SUBSYSTEM:
        st->subsystem = value & 1;
        vga_mem_update(v);
        break;
    case PORT_SEQ_INDEX: st->seq_index = value; break;
    case PORT_SEQ_DATA: seq_write(v, value); break;
    case PORT_DAC_MASK: st->dac_mask = value; break;
    case PORT_DAC_READ: dac_set_read_address(st, value); break;
    case PORT_DAC_WRITE: dac_set_write_address(st, value); break;
    case PORT_DAC_DATA: dac_write(st, value); break;
    case PORT_GC_INDEX: st->gc_index = value; break;
    case PORT_GC_DATA: gc_write(v, value); break;
    default: break;
    }
}

static void vga_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    (void)size;
    struct vga *v = dev;
    uint32_t port;
    if (trace_on(v->w.log, TRACE_VGA))
        trace_line(v->w.log, TRACE_VGA, "write 3%02X = %02X", (unsigned)(0xb0 + offset),
                   (unsigned)value);
    if (in_group(v, offset, &port))
        write_group(v, port, (uint8_t)value);
    else
        write_common(v, offset, (uint8_t)value);
}

const struct io_ops vga_io = {vga_read, vga_write, ACCESS_8};

/* ---- the register BAR of the PCI device: what the ports do, at fixed offsets ---- */

enum { MMIO_VGA = 0x400, MMIO_VGA_END = 0x420, MMIO_VBE = 0x500, MMIO_VBE_END = 0x516 };

static uint32_t mmio_read(void *dev, uint32_t offset, enum access_size size)
{
    if (offset >= MMIO_VBE && offset < MMIO_VBE_END) {
        uint16_t value = vbe_read(dev, (offset - MMIO_VBE) / 2);
        return offset & 1 ? value >> 8 : size == ACCESS_8 ? value & 0xffu : value;
    }
    if (offset < MMIO_VGA || offset + size > MMIO_VGA_END)
        return size == ACCESS_8 ? 0xff : 0xffff;
    uint32_t port = offset - MMIO_VGA + PORT_ATTR;
    uint32_t value = vga_read(dev, port, ACCESS_8);
    if (size == ACCESS_16)
        value |= vga_read(dev, port + 1, ACCESS_8) << 8;
    return value;
}

static void mmio_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    if (offset >= MMIO_VBE && offset < MMIO_VBE_END) {
        if (size == ACCESS_16 && !(offset & 1))
            vbe_write(dev, (offset - MMIO_VBE) / 2, (uint16_t)value);
        return;
    }
    if (offset < MMIO_VGA || offset + size > MMIO_VGA_END)
        return;
    uint32_t port = offset - MMIO_VGA + PORT_ATTR;
    vga_write(dev, port, value & 0xff, ACCESS_8);
    if (size == ACCESS_16)
        vga_write(dev, port + 1, value >> 8, ACCESS_8);
}

const struct io_ops vga_mmio_io = {mmio_read, mmio_write, ACCESS_8 | ACCESS_16};

/* ---- life ---- */

/* The vertical interrupt: CR11 bit 4 = 0 clears and holds it, 1 lets the next retrace set it;
 * bit 5 = 0 lets it out to the line ("Vertical Retrace End Register"). */
static void update_interrupt(struct vga *v)
{
    struct vga_state *st = &v->st;
    uint8_t control = st->crtc[CR_V_RETRACE_END];
    if (!(control & VINT_CLEAR_N)) {
        st->vint_pending = 0;
        st->vint_due = VTIME_NEVER;
    } else if (!st->vint_pending && st->vint_due == VTIME_NEVER) {
        struct vga_timing t = vga_timing(v);
        st->vint_due = vga_next_retrace(&t, clock_now(v->w.clk));
    }
    timer_arm(v->w.clk, &v->vint, st->vint_due);
    irq_set(&v->w.irq, st->vint_pending && !(control & VINT_DISABLE));
}

void vga_update(struct vga *v)
{
    vga_mem_update(v);
    update_interrupt(v);
}

static void vint_fire(void *dev, vtime now)
{
    (void)now;
    struct vga *v = dev;
    v->st.vint_due = VTIME_NEVER;
    v->st.vint_pending = 1;
    update_interrupt(v);
}

/* Zeroes what is not zero, so that untouched display memory goes on costing the host nothing. */
static void clear_memory(struct vga *v)
{
    static const uint8_t zero[PHYS_PAGE_SIZE];
    struct phys_block *b = v->w.vram;
    for (uint64_t at = 0; at < b->size; at += PHYS_PAGE_SIZE) {
        if (memcmp(b->host + at, zero, PHYS_PAGE_SIZE) == 0)
            continue;
        memset(b->host + at, 0, PHYS_PAGE_SIZE);
        phys_touch(v->w.phys, b, at, PHYS_PAGE_SIZE);
    }
}

/* Before the VGA BIOS runs: all registers zero, so no picture and no memory; the DAC lets all
 * bits through. The reset line leaves display memory and colours alone. */
static void vga_reset(void *dev, enum reset_kind kind)
{
    struct vga *v = dev;
    struct vga_state old = v->st;
    memset(&v->st, 0, sizeof(v->st));
    if (kind == RESET_POWER_ON)
        clear_memory(v);
    else
        memcpy(v->st.dac, old.dac, sizeof(v->st.dac));
    v->st.subsystem = 1;
    v->st.dac_mask = 0xff;
    v->st.vint_due = VTIME_NEVER;
    vbe_reset(v);
    vga_update(v);
}

static enum emu_err vga_post_load(void *dev, struct error *err)
{
    struct vga *v = dev;
    if (!vbe_valid(&v->st))
        return error_set(err, EMU_FORMAT, "%s: its VBE registers hold no possible mode", v->dev.id);
    for (unsigned i = 0; i < VGA_SEQ_REGS; i++)
        v->st.seq[i] &= seq_mask[i];
    for (unsigned i = 0; i < VGA_GC_REGS; i++)
        v->st.gc[i] &= gc_mask[i];
    for (unsigned i = 0; i < VGA_ATTR_REGS; i++)
        v->st.attr[i] &= attr_mask[i];
    vga_update(v);
    return EMU_OK;
}

const struct device_class vga_class = {
    .name = "vga",
    .state = &vga_state_desc,
    .state_offset = offsetof(struct vga, st),
    .reset = vga_reset,
    .post_load = vga_post_load,
};

void vga_init(struct vga *v, const char *id, struct vga_wiring w)
{
    ASSERT(w.vram->size >= 0x40000 && (w.vram->size & (w.vram->size - 1)) == 0);
    memset(v, 0, sizeof(*v));
    v->dev.cls = &vga_class;
    v->dev.id = id;
    v->w = w;
    timer_init(&v->vint, "vga.vertical", vint_fire, v);
    vga_reset(v, RESET_POWER_ON);
}
