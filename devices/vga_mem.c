/*
 * The CPU's window on VGA display memory, A0000-BFFFF: which part answers, which planes and plane
 * address a CPU address leads to, and the graphics controller's logic in between. See vga.h.
 * IBM VGA/XGA Technical Reference: "Graphics Controller Registers", memory mode register (SEQ4).
 *
 * A datum travels as one word that holds a byte per plane, in memory order, so that no result
 * depends on the host's byte order.
 *
 * Deviations: chain-4 address A is byte A of the block, that is plane A & 3 at plane address A / 4
 * (the IBM adapter leaves gaps: A & ~3), which the display of such a mode undoes; a program sees it
 * only by writing chained and displaying unchained. Plain chain-4 and DISPI windows do not load the
 * latches, so that they are exactly memory. Odd/even ignores the chain bit of GR6 and takes A16 for
 * A0 in the 128K map only, not the page bit of misc output.
 */
#include "devices/vga_int.h"

#include <string.h>

enum { MISC_RAM = 0x02, SEQ4_SEQUENTIAL = 0x04, SEQ4_CHAIN4 = 0x08, GC5_ODD_EVEN = 0x10,
       GC5_READ_COMPARE = 0x08 };
enum { EVEN_PLANES = 0x5, ODD_PLANES = 0xa };

/* ---- words of a byte per plane ---- */

static inline uint32_t load_planes(const uint8_t *bytes)
{
    uint32_t planes;
    memcpy(&planes, bytes, sizeof(planes));
    return planes;
}

static inline void store_planes(uint8_t *bytes, uint32_t planes)
{
    memcpy(bytes, &planes, sizeof(planes));
}

/* Bit p becomes byte p, all zeros or all ones. */
static inline uint32_t expand(unsigned bits)
{
    static const uint8_t table[16][4] = {
        {0x00, 0x00, 0x00, 0x00}, {0xff, 0x00, 0x00, 0x00}, {0x00, 0xff, 0x00, 0x00},
        {0xff, 0xff, 0x00, 0x00}, {0x00, 0x00, 0xff, 0x00}, {0xff, 0x00, 0xff, 0x00},
        {0x00, 0xff, 0xff, 0x00}, {0xff, 0xff, 0xff, 0x00}, {0x00, 0x00, 0x00, 0xff},
        {0xff, 0x00, 0x00, 0xff}, {0x00, 0xff, 0x00, 0xff}, {0xff, 0xff, 0x00, 0xff},
        {0x00, 0x00, 0xff, 0xff}, {0xff, 0x00, 0xff, 0xff}, {0x00, 0xff, 0xff, 0xff},
        {0xff, 0xff, 0xff, 0xff}};
    return load_planes(table[bits & 15]);
}

static inline uint32_t repeat(uint8_t byte)
{
    return byte * 0x01010101u;
}

static inline uint8_t rotate_right(uint8_t byte, unsigned count)
{
    return (uint8_t)((byte | byte << 8) >> count);
}

static inline void touch(struct vga *v, uint32_t index, uint32_t len)
{
    /* Nearly always the page is dirty already and holds no decoded instructions. */
    uint8_t flags = v->w.vram->flags[index >> PHYS_PAGE_SHIFT];
    if (UNLIKELY((flags & (PHYS_DIRTY | PHYS_CODE)) != PHYS_DIRTY))
        phys_touch(v->w.phys, v->w.vram, index, len);
}

/* ---- graphics controller ---- */

/* "Data Rotate Register": replace, AND, OR or XOR with the latches. */
static inline uint32_t combine(unsigned function, uint32_t data, uint32_t latch)
{
    switch (function) {
    case 1: return data & latch;
    case 2: return data | latch;
    case 3: return data ^ latch;
    default: return data;
    }
}

/* The four planes that a CPU byte becomes ("Graphics Mode Register", write modes 0 to 3). */
static inline uint32_t write_logic(const struct vga_window *w, uint8_t byte, uint32_t latch)
{
    uint32_t data, mask = w->bit_mask;
    switch (w->write_mode) {
    case 0:
        data = repeat(rotate_right(byte, w->rotate));
        data = (data & ~w->set_reset_enable) | (w->set_reset & w->set_reset_enable);
        break;
    case 1: return latch;
    case 2: data = expand(byte); break;
    default:
        mask &= repeat(rotate_right(byte, w->rotate));
        data = w->set_reset;
        break;
    }
    data = combine(w->function, data, latch);
    return (data & mask) | (latch & ~mask);
}

static void write_planes(struct vga *v, uint32_t plane_address, unsigned planes, uint8_t byte)
{
    uint32_t index = (plane_address & v->win.plane_limit) * 4;
    uint8_t *at = v->w.vram->host + index;
    uint32_t mask = expand(planes & v->win.map_mask);
    uint32_t data = write_logic(&v->win, byte, load_planes(v->st.latch));
    store_planes(at, (load_planes(at) & ~mask) | (data & mask));
    touch(v, index, 4);
}

/* Loads the latches and gives the byte of one plane or the result of the colour compare: a bit is
 * set where all planes that matter have the colour ("Color Compare", "Color Don't Care"). */
static uint8_t read_planes(struct vga *v, uint32_t plane_address, unsigned plane)
{
    const uint8_t *at = v->w.vram->host + (plane_address & v->win.plane_limit) * 4;
    uint32_t data = load_planes(at);
    store_planes(v->st.latch, data);
    if (!v->win.read_mode)
        return at[plane & 3];
    uint32_t differ = (data ^ v->win.compare) & v->win.care;
    differ |= differ >> 16;
    differ |= differ >> 8;
    return (uint8_t)~differ;
}

/* ---- from a window address to planes ---- */

/* Odd/even: A0 chooses the planes; in the 128K map A16 takes its place in the plane address. */
static inline uint32_t odd_even_address(uint32_t a)
{
    return (a & 0xfffe) | (a >> 16 & 1);
}

static void write_byte(struct vga *v, uint32_t a, uint8_t byte)
{
    switch (v->win.write_path) {
    case VGA_PATH_LINEAR: {
        uint32_t index = (v->win.bank + a) & v->win.linear_limit;
        v->w.vram->host[index] = byte;
        touch(v, index, 1);
        break;
    }
    case VGA_PATH_TEXT: {
        uint32_t index = odd_even_address(a) * 4 + (a & 1);
        v->w.vram->host[index] = byte;
        touch(v, index, 1);
        break;
    }
    case VGA_PATH_CHAIN4: write_planes(v, a >> 2, 1u << (a & 3), byte); break;
    case VGA_PATH_ODD_EVEN:
        write_planes(v, odd_even_address(a), a & 1 ? ODD_PLANES : EVEN_PLANES, byte);
        break;
    case VGA_PATH_PLANAR: write_planes(v, v->win.bank + a, 0xf, byte); break;
    default: break;
    }
}

static uint8_t read_byte(struct vga *v, uint32_t a)
{
    const struct vga_window *w = &v->win;
    switch (w->read_path) {
    case VGA_PATH_LINEAR: return v->w.vram->host[(w->bank + a) & w->linear_limit];
    case VGA_PATH_CHAIN4: return read_planes(v, a >> 2, a & 3);
    case VGA_PATH_TEXT:
    case VGA_PATH_ODD_EVEN:
        return read_planes(v, odd_even_address(a), (w->read_plane & 2u) | (a & 1));
    case VGA_PATH_PLANAR: return read_planes(v, w->bank + a, w->read_plane);
    default: return 0xff;
    }
}

static uint32_t mem_read(void *dev, uint32_t offset, enum access_size size)
{
    struct vga *v = dev;
    uint32_t value = 0;
    for (unsigned i = 0; i < (unsigned)size; i++) {
        uint32_t a = offset + i - v->win.base;
        value |= (uint32_t)(a < v->win.size ? read_byte(v, a) : 0xff) << (8 * i);
    }
    return value;
}

static void mem_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct vga *v = dev;
    for (unsigned i = 0; i < (unsigned)size; i++) {
        uint32_t a = offset + i - v->win.base;
        if (a < v->win.size)
            write_byte(v, a, (uint8_t)(value >> (8 * i)));
    }
}

const struct io_ops vga_mem_io = {mem_read, mem_write, ACCESS_8 | ACCESS_16 | ACCESS_32};

/* ---- derived values ---- */

/* "Miscellaneous Register" (GR6) bits 3-2. */
static void choose_window(struct vga_window *w, unsigned map)
{
    static const struct { uint32_t base, size; } maps[4] = {
        {0x00000, 0x20000}, {0x00000, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
    w->base = maps[map].base;
    w->size = maps[map].size;
}

/* The graphics controller passes the CPU's byte on as it is. */
static bool no_write_logic(const struct vga_state *st)
{
    return (st->gc[GC_MODE] & 3) == 0 && st->gc[GC_ROTATE] == 0 && st->gc[GC_ENABLE_SR] == 0 &&
           st->gc[GC_BIT_MASK] == 0xff;
}

static enum vga_path standard_write_path(const struct vga_state *st)
{
    bool plain = no_write_logic(st);
    if (st->seq[SEQ_MEMORY] & SEQ4_CHAIN4) {
        bool linear = plain && st->seq[SEQ_MAP_MASK] == 0xf &&
                      !(st->gc[GC_MODE] & GC5_READ_COMPARE);
        return linear ? VGA_PATH_LINEAR : VGA_PATH_CHAIN4;
    }
    if (st->seq[SEQ_MEMORY] & SEQ4_SEQUENTIAL)
        return VGA_PATH_PLANAR;
    return plain && st->seq[SEQ_MAP_MASK] == 3 ? VGA_PATH_TEXT : VGA_PATH_ODD_EVEN;
}

static enum vga_path standard_read_path(const struct vga_state *st, enum vga_path write_path)
{
    if (write_path == VGA_PATH_LINEAR || write_path == VGA_PATH_CHAIN4)
        return write_path;
    return st->gc[GC_MODE] & GC5_ODD_EVEN ? VGA_PATH_ODD_EVEN : VGA_PATH_PLANAR;
}

static void derive_standard(struct vga_window *w, const struct vga_state *st)
{
    choose_window(w, st->gc[GC_MISC] >> 2 & 3);
    w->bank = 0;
    w->plane_limit = 0xffff;
    w->linear_limit = 0x3ffff;
    w->write_path = standard_write_path(st);
    w->read_path = standard_read_path(st, w->write_path);
}

/* A DISPI mode has 64K at A0000, moved by the bank register: of bytes, or of plane addresses. */
static void derive_vbe(struct vga_window *w, const struct vga *v)
{
    choose_window(w, 1);
    w->bank = (uint32_t)v->st.vbe[VBE_BANK] << 16;
    w->linear_limit = (uint32_t)v->w.vram->size - 1;
    w->plane_limit = w->linear_limit >> 2;
    w->write_path = w->read_path = vbe_planar(v) ? VGA_PATH_PLANAR : VGA_PATH_LINEAR;
}

static void derive_logic(struct vga_window *w, const struct vga_state *st)
{
    w->map_mask = st->seq[SEQ_MAP_MASK];
    w->set_reset = expand(st->gc[GC_SET_RESET]);
    w->set_reset_enable = expand(st->gc[GC_ENABLE_SR]);
    w->bit_mask = repeat(st->gc[GC_BIT_MASK]);
    w->compare = expand(st->gc[GC_COMPARE]);
    w->care = expand(st->gc[GC_CARE]);
    w->write_mode = st->gc[GC_MODE] & 3;
    w->read_mode = st->gc[GC_MODE] >> 3 & 1;
    w->rotate = st->gc[GC_ROTATE] & 7;
    w->function = st->gc[GC_ROTATE] >> 3 & 3;
    w->read_plane = st->gc[GC_READ_MAP];
}

struct vga_direct vga_window_linear(const struct vga *v)
{
    const struct vga_window *w = &v->win;
    if (w->write_path != VGA_PATH_LINEAR)
        return (struct vga_direct){.on = false};
    return (struct vga_direct){.on = true, .window_offset = w->base, .size = w->size,
                               .vram_offset = w->bank & w->linear_limit};
}

static bool same_window(const struct vga_direct *a, const struct vga_direct *b)
{
    return a->on && b->on && a->window_offset == b->window_offset && a->size == b->size;
}

static void tell_board(struct vga *v)
{
    struct vga_direct old = v->direct, now = vga_window_linear(v);
    bool same = same_window(&old, &now);
    v->direct = now;
    if (!v->w.remap)
        return;
    if (old.on && !same)
        v->w.remap(v->w.remap_arg, false, old.window_offset, old.size, old.vram_offset);
    if (now.on && !(same && old.vram_offset == now.vram_offset))
        v->w.remap(v->w.remap_arg, true, now.window_offset, now.size, now.vram_offset);
}

void vga_mem_update(struct vga *v)
{
    struct vga_window *w = &v->win;
    const struct vga_state *st = &v->st;
    derive_logic(w, st);
    if (vbe_on(v))
        derive_vbe(w, v);
    else
        derive_standard(w, st);
    if (!(st->misc & MISC_RAM) || !st->subsystem) {
        w->size = 0;
        w->write_path = w->read_path = VGA_PATH_CLOSED;
    }
    tell_board(v);
}
