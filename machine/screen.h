/*
 * A picture of a screen: pixels 0x00RRGGBB in host words, row 0 on top, and what people do with one:
 * save it as PNG or PPM, or show the characters of code page 437 as UTF-8.
 * A zeroed struct surface is a valid empty one.
 */
#ifndef MACHINE_SCREEN_H
#define MACHINE_SCREEN_H

#include "machine/error.h"
#include "machine/types.h"

enum { SURFACE_MAX = 16384 }; /* pixels in either direction */

struct surface {
    uint32_t width, height;
    uint32_t stride;  /* pixels from one row to the next */
    uint32_t *pixels; /* height * stride; owned by the surface */
    size_t capacity;  /* pixels allocated */
};

/* Makes room for width x height (1..SURFACE_MAX each), stride = width. The contents are undefined
 * afterwards; on EMU_NOMEM the surface is unchanged. */
MUST_CHECK enum emu_err surface_resize(struct surface *s, uint32_t width, uint32_t height,
                                       struct error *err);
void surface_free(struct surface *s);

static inline uint32_t *surface_row(const struct surface *s, uint32_t y)
{
    return s->pixels + (size_t)y * s->stride;
}

/* Hash of size and pixels, the same on every host. */
uint64_t surface_hash(const struct surface *s);

/* Saves the picture: as PPM (P6) where the name ends in ".ppm", else as PNG. A build without libpng
 * refuses other names. The file is written under a temporary name and then renamed, so that a
 * failure leaves no partial file and keeps an older one. */
MUST_CHECK enum emu_err screen_save(const struct surface *s, const char *path, struct error *err);

/* Longest UTF-8 form of a character of code page 437, without a final NUL. */
enum { CP437_UTF8_MAX = 3 };

/* The Unicode character that the PC's screen shows for a byte (its control codes have pictures;
 * 00 and FF look like a space). */
uint16_t cp437_to_unicode(uint8_t ch);

/* Its UTF-8 form into `out` (CP437_UTF8_MAX bytes, no NUL); returns the length. */
unsigned cp437_to_utf8(uint8_t ch, char *out);

/* A text under construction in a fixed buffer; always NUL-terminated, whole characters only. */
struct screen_text {
    char *out;
    size_t size, len;
    size_t kept; /* length up to the last character of this row that is not a space */
    bool full;   /* something did not fit */
};
void screen_text_begin(struct screen_text *t, char *out, size_t size);
void screen_text_put(struct screen_text *t, uint8_t ch);
void screen_text_end_row(struct screen_text *t); /* drops trailing spaces, adds a newline */

#endif
