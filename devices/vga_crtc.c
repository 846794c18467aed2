/*
 * VGA timing: where the beam is at a virtual time. A pure function of the registers and the time:
 * the frame began at time 0 and repeats with the period that the CRTC registers give.
 * IBM VGA/XGA Technical Reference: CRT controller registers 00-12, clocking mode, misc output.
 *
 * A DISPI mode has no CRTC registers of its own (its guests leave those of some older mode behind):
 * it runs at 60 Hz with blanking of a fifth of a line and of a twentieth of the lines.
 */
#include "devices/vga_int.h"

enum { CLOCK_25 = 25175000, CLOCK_28 = 28322000 }; /* Hz: misc output bits 3-2 */
enum { VBE_FRAME_HZ = 60 };

/* A 10-bit vertical value: low byte, and its bits 8 and 9 at two places of the overflow register. */
static uint32_t vertical(const struct vga_state *st, unsigned low, unsigned bit8, unsigned bit9)
{
    uint32_t overflow = st->crtc[CR_OVERFLOW];
    return st->crtc[low] | (overflow >> bit8 & 1) << 8 | (overflow >> bit9 & 1) << 9;
}

/* CR17 bit 2 clocks the vertical counter every second scan line. */
static unsigned vertical_shift(const struct vga_state *st)
{
    return st->crtc[CR_MODE] >> 2 & 1;
}

uint32_t vga_lines_shown(const struct vga *v)
{
    return (vertical(&v->st, CR_V_DISPLAY_END, 1, 6) + 1) << vertical_shift(&v->st);
}

uint32_t vga_line_compare(const struct vga *v)
{
    const struct vga_state *st = &v->st;
    uint32_t line = st->crtc[CR_LINE_COMPARE] | (st->crtc[CR_OVERFLOW] >> 4 & 1u) << 8 |
                    (st->crtc[CR_MAX_SCAN] >> 6 & 1u) << 9;
    return ((line + 1) << vertical_shift(st)) - 1;
}

static struct vga_timing vbe_timing(const struct vga *v)
{
    uint32_t width = v->st.vbe[VBE_XRES], height = v->st.vbe[VBE_YRES];
    struct vga_timing t = {.shown_dots = width, .shown_lines = height};
    t.line_dots = width + width / 4 + 1;
    t.lines = height + height / 20 + 4;
    t.retrace_start = height + 1;
    t.retrace_lines = 2;
    t.clock_hz = t.line_dots * t.lines * VBE_FRAME_HZ;
    return t;
}

struct vga_timing vga_timing(const struct vga *v)
{
    const struct vga_state *st = &v->st;
    if (vbe_on(v))
        return vbe_timing(v);
    struct vga_timing t = {.clock_hz = (st->misc >> 2 & 3) == 1 ? CLOCK_28 : CLOCK_25};
    uint32_t dots = st->seq[SEQ_CLOCKING] & 0x01 ? 8 : 9;
    unsigned shift = vertical_shift(st);
    if (st->seq[SEQ_CLOCKING] & 0x08)
        t.clock_hz /= 2;
    t.line_dots = (st->crtc[CR_H_TOTAL] + 5u) * dots;
    t.shown_dots = (st->crtc[CR_H_DISPLAY_END] + 1u) * dots;
    t.lines = (vertical(st, CR_V_TOTAL, 0, 5) + 2) << shift;
    t.shown_lines = vga_lines_shown(v);
    t.retrace_start = vertical(st, CR_V_RETRACE_START, 2, 7) << shift;
    /* The end register holds the low 4 bits of the line at which retrace is over. */
    uint32_t length = (st->crtc[CR_V_RETRACE_END] - st->crtc[CR_V_RETRACE_START]) & 15;
    t.retrace_lines = (length ? length : 16) << shift;
    return t;
}

struct vga_beam vga_beam(const struct vga_timing *t, vtime now)
{
    uint64_t line = vtime_to_ticks(now, t->clock_hz) / t->line_dots;
    uint64_t dot = vtime_to_ticks(now, t->clock_hz) % t->line_dots;
    return (struct vga_beam){.frame = line / t->lines, .line = (uint32_t)(line % t->lines),
                             .dot = (uint32_t)dot};
}

bool vga_in_retrace(const struct vga_timing *t, const struct vga_beam *b)
{
    return b->line >= t->retrace_start && b->line - t->retrace_start < t->retrace_lines;
}

vtime vga_next_retrace(const struct vga_timing *t, vtime now)
{
    if (t->retrace_start >= t->lines)
        return VTIME_NEVER;
    uint64_t frame_dots = (uint64_t)t->line_dots * t->lines;
    uint64_t start = (uint64_t)t->line_dots * t->retrace_start;
    uint64_t dot = vtime_to_ticks(now, t->clock_hz);
    uint64_t next = dot / frame_dots * frame_dots + start;
    if (next <= dot)
        next += frame_dots;
    vtime due = ticks_to_vtime(next, t->clock_hz);
    return due > now ? due : now + 1;
}

vtime vga_frame_time(const struct vga *v)
{
    struct vga_timing t = vga_timing(v);
    return ticks_to_vtime((uint64_t)t.line_dots * t.lines, t.clock_hz);
}
