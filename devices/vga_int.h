/* What the files of the VGA share with one another; see vga.h. */
#ifndef DEVICES_VGA_INT_H
#define DEVICES_VGA_INT_H

#include "devices/vga.h"

enum { SEQ_RESET, SEQ_CLOCKING, SEQ_MAP_MASK, SEQ_CHAR_MAP, SEQ_MEMORY };
enum { GC_SET_RESET, GC_ENABLE_SR, GC_COMPARE, GC_ROTATE, GC_READ_MAP, GC_MODE, GC_MISC, GC_CARE,
       GC_BIT_MASK };
enum {
    CR_H_TOTAL = 0x00, CR_H_DISPLAY_END = 0x01, CR_V_TOTAL = 0x06, CR_OVERFLOW = 0x07,
    CR_PRESET_ROW = 0x08, CR_MAX_SCAN = 0x09, CR_CURSOR_START = 0x0a, CR_CURSOR_END = 0x0b,
    CR_START_HIGH = 0x0c, CR_START_LOW = 0x0d, CR_CURSOR_HIGH = 0x0e, CR_CURSOR_LOW = 0x0f,
    CR_V_RETRACE_START = 0x10, CR_V_RETRACE_END = 0x11, CR_V_DISPLAY_END = 0x12, CR_OFFSET = 0x13,
    CR_UNDERLINE = 0x14, CR_MODE = 0x17, CR_LINE_COMPARE = 0x18,
};
enum { AR_MODE = 0x10, AR_OVERSCAN = 0x11, AR_PLANES = 0x12, AR_PANNING = 0x13, AR_COLOR = 0x14 };
enum { ATTR_PAS = 0x20 };
enum { VINT_CLEAR_N = 0x10, VINT_DISABLE = 0x20, CRTC_PROTECT = 0x80 }; /* of CR11 */

/* The frame in dots of the pixel clock and scan lines. */
struct vga_timing {
    uint32_t clock_hz;
    uint32_t line_dots, shown_dots; /* of a scan line: all, and the part that is displayed */
    uint32_t lines, shown_lines;
    uint32_t retrace_start, retrace_lines; /* retrace_start >= lines: never */
};

/* Where the beam is. */
struct vga_beam {
    uint64_t frame; /* since power-on */
    uint32_t line, dot;
};

struct vga_timing vga_timing(const struct vga *v);
struct vga_beam vga_beam(const struct vga_timing *t, vtime now);
bool vga_in_retrace(const struct vga_timing *t, const struct vga_beam *b);
vtime vga_next_retrace(const struct vga_timing *t, vtime now); /* strictly later; VTIME_NEVER */
uint32_t vga_lines_shown(const struct vga *v); /* scan lines of the standard modes */
uint32_t vga_line_compare(const struct vga *v);

void vga_mem_update(struct vga *v); /* derives v->win and tells remap */
void vga_update(struct vga *v);     /* after any change: window, interrupt, timer */

/* DISPI. */
static inline bool vbe_on(const struct vga *v)
{
    return (v->st.vbe[VBE_ENABLE] & VBE_ENABLED) != 0;
}
static inline bool vbe_planar(const struct vga *v)
{
    return v->st.vbe[VBE_BPP] == 4;
}
uint32_t vbe_pitch(const struct vga *v); /* bytes of a line, or plane addresses of a planar one */
void vbe_reset(struct vga *v);
bool vbe_valid(const struct vga_state *st); /* what no register write could leave behind */
uint16_t vbe_read(struct vga *v, unsigned index);
void vbe_write(struct vga *v, unsigned index, uint16_t value);

#endif
