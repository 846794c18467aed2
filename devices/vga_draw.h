/*
 * From the VGA's state to what a person sees: pixels, or the text of a text mode. All functions are
 * pure: the same registers, display memory and time give the same result, on every host.
 */
#ifndef DEVICES_VGA_DRAW_H
#define DEVICES_VGA_DRAW_H

#include "devices/vga.h"
#include "machine/screen.h"

/* Draws the picture at time `now` (blinking) into `out`, which takes the size of the mode: one
 * pixel per dot of the full dot clock and one row per scan line, so mode 13h is 640 x 400 and 80
 * columns of 9 dots are 720 x 400; DISPI modes have their own size. EMU_NOMEM leaves `out` alone. */
MUST_CHECK enum emu_err vga_draw(const struct vga *v, vtime now, struct surface *out,
                                 struct error *err);

/* For a front end that draws only what changed: without a change of the registers, of the first
 * vga_shown_bytes() of display memory, or of this number, the picture stays the same. */
uint64_t vga_blink_phase(const struct vga *v, vtime now);
uint64_t vga_shown_bytes(const struct vga *v);

struct vga_text_screen {
    unsigned columns, rows;
    unsigned cursor_column, cursor_row; /* 0-based; valid where cursor_on */
    bool cursor_on;                     /* enabled, and on the visible part */
};

/* Size and cursor of a text mode; false in a graphics mode. */
bool vga_text_screen(const struct vga *v, struct vga_text_screen *out);

/* The screen as UTF-8, a line per row, trailing spaces dropped, cut to `size` bytes with its NUL.
 * False (and an empty text) in a graphics mode. */
bool vga_text(const struct vga *v, char *out, size_t size);

/* The same with attributes: columns * rows cells (vga_text_screen), at most `max` of them. */
struct vga_cell {
    uint8_t ch, attribute;
};
bool vga_text_cells(const struct vga *v, struct vga_cell *cells, size_t max);

#endif
