/*
 * The Bochs "DISPI" VBE extension: an index and a data register of 16 bits (vbe_dispi.txt, Bochs).
 * Geometry can be set while the mode is off; enabling it makes the virtual width equal the width,
 * clears the offsets and the bank and, unless told not to, the memory of the new screen. Values
 * that cannot be are ignored. Register 7 (virtual height) follows from the pitch and memory size.
 *
 * NOT MODELLED: 32-bit bank windows, the DDC register; the frame buffer and the banked window
 * answer at the same time, whatever the LFB bit says.
 */
#include "devices/vga_int.h"

#include <string.h>

enum { ENABLE_BITS = VBE_ENABLED | VBE_GETCAPS | VBE_8BIT_DAC | VBE_LFB | VBE_NOCLEAR };

/* Bytes of `pixels` pixels; plane addresses in the planar depth. */
static uint32_t pixel_bytes(uint16_t bpp, uint32_t pixels)
{
    return bpp == 4 ? pixels / 8 : pixels * ((bpp + 7u) / 8);
}

static bool valid_bpp(uint16_t bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

uint32_t vbe_pitch(const struct vga *v)
{
    uint32_t pitch = pixel_bytes(v->st.vbe[VBE_BPP], v->st.vbe[VBE_VIRT_WIDTH]);
    return pitch ? pitch : 1;
}

/* In units of the pitch: bytes, or plane addresses. */
static uint32_t memory_units(const struct vga *v)
{
    return (uint32_t)(vbe_planar(v) ? v->w.vram->size / 4 : v->w.vram->size);
}

static void update_virt_height(struct vga *v)
{
    uint32_t lines = memory_units(v) / vbe_pitch(v);
    v->st.vbe[VBE_VIRT_HEIGHT] = (uint16_t)(lines > UINT16_MAX ? UINT16_MAX : lines);
}

bool vbe_valid(const struct vga_state *st)
{
    return st->vbe[VBE_ID] >= VBE_ID_FIRST && st->vbe[VBE_ID] <= VBE_ID_LAST &&
           st->vbe[VBE_XRES] >= 1 && st->vbe[VBE_XRES] <= VBE_MAX_XRES &&
           st->vbe[VBE_YRES] >= 1 && st->vbe[VBE_YRES] <= VBE_MAX_YRES &&
           valid_bpp(st->vbe[VBE_BPP]) && st->vbe[VBE_VIRT_WIDTH] >= 1;
}

void vbe_reset(struct vga *v)
{
    uint16_t *r = v->st.vbe;
    memset(r, 0, sizeof(v->st.vbe));
    r[VBE_ID] = VBE_ID_LAST;
    r[VBE_XRES] = r[VBE_VIRT_WIDTH] = 640;
    r[VBE_YRES] = 480;
    r[VBE_BPP] = 8;
    update_virt_height(v);
}

/* Colours keep their looks when the width of the DAC changes. */
static void set_dac_width(struct vga_state *st, bool eight)
{
    if (eight == ((st->vbe[VBE_ENABLE] & VBE_8BIT_DAC) != 0))
        return;
    for (unsigned i = 0; i < sizeof(st->dac); i++)
        st->dac[i] = (uint8_t)(eight ? st->dac[i] << 2 : st->dac[i] >> 2);
}

static void clear_screen(struct vga *v)
{
    uint64_t len = (uint64_t)vbe_pitch(v) * v->st.vbe[VBE_YRES] * (vbe_planar(v) ? 4 : 1);
    if (len > v->w.vram->size)
        len = v->w.vram->size;
    memset(v->w.vram->host, 0, (size_t)len);
    phys_touch(v->w.phys, v->w.vram, 0, (uint32_t)len);
}

static void switch_on(struct vga *v, bool clear)
{
    uint16_t *r = v->st.vbe;
    r[VBE_VIRT_WIDTH] = r[VBE_XRES];
    r[VBE_X_OFFSET] = r[VBE_Y_OFFSET] = r[VBE_BANK] = 0;
    update_virt_height(v);
    if (clear)
        clear_screen(v);
}

static void write_enable(struct vga *v, uint16_t value)
{
    value &= ENABLE_BITS;
    bool was = vbe_on(v);
    set_dac_width(&v->st, (value & VBE_8BIT_DAC) != 0);
    v->st.vbe[VBE_ENABLE] = value;
    if ((value & VBE_ENABLED) && !was)
        switch_on(v, !(value & VBE_NOCLEAR));
    v->st.vint_due = VTIME_NEVER; /* other timing */
    vga_update(v);
}

/* Width, height and depth stand still while a mode is on. */
static void write_geometry(struct vga *v, unsigned index, uint16_t value, bool possible)
{
    if (possible && !vbe_on(v)) {
        v->st.vbe[index] = value;
        if (v->st.vbe[VBE_VIRT_WIDTH] < v->st.vbe[VBE_XRES])
            v->st.vbe[VBE_VIRT_WIDTH] = v->st.vbe[VBE_XRES];
        update_virt_height(v);
    } else if (v->st.vbe[index] != value) {
        log_guest(v->w.log, v->dev.id, "VBE register %u: %u ignored (%s)", index, value,
                  possible ? "the mode is on" : "not supported");
    }
}

static void write_virt_width(struct vga *v, uint16_t value)
{
    uint32_t needed = v->st.vbe[VBE_XRES];
    v->st.vbe[VBE_VIRT_WIDTH] = value < needed ? (uint16_t)needed : value;
    update_virt_height(v);
}

static void write_bank(struct vga *v, uint16_t value)
{
    uint32_t banks = memory_units(v) >> 16;
    v->st.vbe[VBE_BANK] = (uint16_t)(value & (banks - 1));
    vga_mem_update(v);
}

/* The identification is a level that the guest asks for; levels that exist read back. */
static void write_id(struct vga *v, uint16_t value)
{
    if (value >= VBE_ID_FIRST && value <= VBE_ID_LAST)
        v->st.vbe[VBE_ID] = value;
}

static uint16_t capability(unsigned index)
{
    return index == VBE_XRES ? VBE_MAX_XRES : index == VBE_YRES ? VBE_MAX_YRES : VBE_MAX_BPP;
}

uint16_t vbe_read(struct vga *v, unsigned index)
{
    if (index == VBE_MEMORY_64K)
        return (uint16_t)(v->w.vram->size >> 16);
    if (index >= VBE_REGS)
        return 0;
    if ((v->st.vbe[VBE_ENABLE] & VBE_GETCAPS) && index >= VBE_XRES && index <= VBE_BPP)
        return capability(index);
    return v->st.vbe[index];
}

void vbe_write(struct vga *v, unsigned index, uint16_t value)
{
    if (trace_on(v->w.log, TRACE_VGA))
        trace_line(v->w.log, TRACE_VGA, "write VBE register %u = %04X", index, value);
    switch (index) {
    case VBE_ID: write_id(v, value); break;
    case VBE_XRES: write_geometry(v, index, value, value >= 1 && value <= VBE_MAX_XRES); break;
    case VBE_YRES: write_geometry(v, index, value, value >= 1 && value <= VBE_MAX_YRES); break;
    case VBE_BPP:
        value = value ? value : 8; /* 0 is 8 bits, from the first version of the interface */
        write_geometry(v, index, value, valid_bpp(value));
        break;
    case VBE_ENABLE: write_enable(v, value); break;
    case VBE_BANK: write_bank(v, value); break;
    case VBE_VIRT_WIDTH: write_virt_width(v, value); break;
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET: v->st.vbe[index] = value; break;
    default: break;
    }
}

enum { PORT_INDEX = 0 };

static uint32_t port_read(void *dev, uint32_t offset, enum access_size size)
{
    (void)size;
    struct vga *v = dev;
    return offset == PORT_INDEX ? v->st.vbe_index : vbe_read(v, v->st.vbe_index);
}

static void port_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    (void)size;
    struct vga *v = dev;
    if (offset == PORT_INDEX)
        v->st.vbe_index = (uint16_t)value;
    else
        vbe_write(v, v->st.vbe_index, (uint16_t)value);
}

const struct io_ops vbe_io = {port_read, port_write, ACCESS_16};
