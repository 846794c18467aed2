/*
 * IBM VGA (PS/2 and VGA adapter) with the Bochs "DISPI" VBE extension: sequencer, graphics
 * controller, CRTC, attribute controller, DAC, 64K x 4 planes; and above them the linear frame
 * buffer of the extension. Registers as in the IBM VGA/XGA Technical Reference (1992); the DISPI
 * registers as in Bochs' vbe_dispi.txt.
 *
 * vga.c      registers behind the ports                vga_crtc.c  timing: retrace, blink phase
 * vga_mem.c  the CPU's window on display memory        vbe.c       DISPI registers
 * vga_draw.c the picture, and the text of text modes
 *
 * Display memory is one block: the byte of plane p at plane address a lies at 4 * a + p. Chain-4
 * and the linear frame buffer see the same bytes in order. The planes of standard VGA modes are
 * the first 64K addresses (256 KiB); the DISPI modes use all of the block.
 *
 * NOT MODELLED: light pen; the border (overscan) around the picture; display-enable skew; character
 * clocks that load every second or fourth character (SEQ1 bits 2 and 4); the colour diagnostic bits
 * of input status 1; mid-frame register changes (a picture is drawn from one state); interlace.
 *
 * The board wires: ports 3B0-3DF to vga_io (offset = port - 3B0), three ports from 1CE to vbe_io,
 * the window A0000-BFFFF to vga_mem_io, the linear frame buffer as plain memory of the block.
 */
#ifndef DEVICES_VGA_H
#define DEVICES_VGA_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"
#include "machine/screen.h"
#include "mmu/phys.h"

enum {
    VGA_VRAM_SIZE = 16 << 20,
    VGA_PORTS = 0x30,       /* 3B0-3DF */
    VBE_PORTS = 3,          /* 1CE index, 1CF data (16 bits wide, so it reaches into 1D0) */
    VGA_WINDOW = 0x20000,   /* A0000-BFFFF */
    VGA_MMIO_SIZE = 0x1000, /* the PCI device's register BAR */
    VGA_SEQ_REGS = 5,
    VGA_GC_REGS = 9,
    VGA_CRTC_REGS = 25,
    VGA_ATTR_REGS = 21,
    VBE_REGS = 10,
};

/* DISPI register numbers and the bits of VBE_ENABLE (vbe_dispi.txt). */
enum vbe_register {
    VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH, VBE_VIRT_HEIGHT,
    VBE_X_OFFSET, VBE_Y_OFFSET, VBE_MEMORY_64K,
};
enum { VBE_ENABLED = 0x01, VBE_GETCAPS = 0x02, VBE_8BIT_DAC = 0x20, VBE_LFB = 0x40,
       VBE_NOCLEAR = 0x80 };
enum { VBE_ID_FIRST = 0xb0c0, VBE_ID_LAST = 0xb0c5, VBE_MAX_XRES = 2560, VBE_MAX_YRES = 1600,
       VBE_MAX_BPP = 32 };

struct vga_state {
    uint64_t vint_due;         /* when the armed vertical interrupt comes; VTIME_NEVER */
    uint16_t vbe[VBE_REGS];
    uint16_t vbe_index;
    uint8_t misc, feature;     /* 3C2/3CC, 3DA/3CA */
    uint8_t subsystem;         /* 3C3 bit 0: display memory answers */
    uint8_t vint_pending;      /* input status 0 bit 7 */
    uint8_t seq_index, gc_index, crtc_index;
    uint8_t attr_index;        /* with bit 5, palette address source */
    uint8_t attr_data_next;    /* the flip-flop: the next write to 3C0 is data */
    uint8_t seq[VGA_SEQ_REGS];
    uint8_t gc[VGA_GC_REGS];
    uint8_t crtc[VGA_CRTC_REGS];
    uint8_t attr[VGA_ATTR_REGS];
    uint8_t latch[4];          /* by plane */
    uint8_t dac_mask, dac_address, dac_component, dac_reading;
    uint8_t dac_latch[3];      /* components on their way in or out */
    uint8_t dac[768];          /* R, G, B as the guest sees them: 6 bits, or 8 with VBE_8BIT_DAC */
    uint8_t reserved[2];
};

struct vga_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line irq;      /* vertical interrupt; most adapters leave it open */
    struct phys *phys;
    struct phys_block *vram;  /* a power of two of 256 KiB or more */
    /* The window can (direct) or can no longer be mapped straight to display memory: `size` bytes
     * from `window_offset` in the window are those from `vram_offset` in the block. Called on every
     * change, first for the part that ends, then for the new one. May be NULL. */
    void (*remap)(void *arg, bool direct, uint32_t window_offset, uint32_t size,
                  uint64_t vram_offset);
    void *remap_arg;
};

/* How the CPU's window leads to the planes. */
enum vga_path {
    VGA_PATH_CLOSED,
    VGA_PATH_LINEAR,   /* bytes in order, no logic: as plain memory */
    VGA_PATH_TEXT,     /* odd/even without logic on planes 0 and 1 */
    VGA_PATH_CHAIN4,
    VGA_PATH_ODD_EVEN,
    VGA_PATH_PLANAR,
};

/* Derived from the registers by vga_mem.c. */
struct vga_window {
    enum vga_path write_path, read_path;
    uint32_t base, size;   /* in the window, bytes */
    uint32_t bank;         /* byte (linear) or plane address of the window's first byte */
    uint32_t plane_limit;  /* mask of plane addresses */
    uint32_t linear_limit; /* mask of byte addresses */
    uint32_t set_reset, set_reset_enable, bit_mask, compare, care; /* a byte per plane */
    uint8_t map_mask, write_mode, rotate, function, read_mode, read_plane;
};

struct vga_direct {
    bool on;
    uint32_t window_offset, size;
    uint64_t vram_offset;
};

struct vga {
    struct device dev;
    struct vga_wiring w;
    struct vga_state st;
    struct vga_window win;    /* derived */
    struct vga_direct direct; /* what remap was last told */
    struct timer vint;
};

extern const struct device_class vga_class;
extern const struct state_desc vga_state_desc;
extern const struct io_ops vga_io;      /* 8-bit registers; offset = port - 3B0 */
extern const struct io_ops vbe_io;      /* 16-bit; offset 0 index, 1 data */
extern const struct io_ops vga_mem_io;  /* the window; offset from A0000 */
extern const struct io_ops vga_mmio_io; /* both register sets for a PCI BAR: 400 = port 3C0,
                                           500 = DISPI register 0, two bytes each */

/* `w.vram` must stay; resets with RESET_POWER_ON. */
void vga_init(struct vga *v, const char *id, struct vga_wiring w);

/* Whether (on) the window is plain memory now, and where it leads. */
struct vga_direct vga_window_linear(const struct vga *v);

/* Time of one frame in virtual ns (never 0): the rate at which a front end may draw. */
vtime vga_frame_time(const struct vga *v);

#endif
