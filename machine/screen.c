/*
 * Pictures of the screen. See screen.h.
 *
 * PNG through libpng where the build has it (HAVE_PNG), PPM always. Only the front end and the
 * monitor come here: it is host work, outside the deterministic machine.
 */
#include "machine/screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "machine/state.h"

#ifdef HAVE_PNG
#include <png.h>
#include <setjmp.h>
#endif

enum emu_err surface_resize(struct surface *s, uint32_t width, uint32_t height, struct error *err)
{
    ASSERT(width >= 1 && width <= SURFACE_MAX && height >= 1 && height <= SURFACE_MAX);
    size_t need = (size_t)width * height;
    if (need > s->capacity) {
        uint32_t *fresh =
            need <= SIZE_MAX / sizeof(*fresh) ? malloc(need * sizeof(*fresh)) : NULL;
        if (!fresh)
            return error_set(err, EMU_NOMEM, "no memory for a screen of %ux%u pixels",
                             (unsigned)width, (unsigned)height);
        free(s->pixels);
        s->pixels = fresh;
        s->capacity = need;
    }
    s->width = width;
    s->height = height;
    s->stride = width;
    return EMU_OK;
}

void surface_free(struct surface *s)
{
    free(s->pixels);
    memset(s, 0, sizeof(*s));
}

/* One row as bytes R, G, B. */
static void row_to_rgb(const struct surface *s, uint32_t y, uint8_t *rgb)
{
    const uint32_t *row = surface_row(s, y);
    for (uint32_t x = 0; x < s->width; x++) {
        rgb[3 * x] = (uint8_t)(row[x] >> 16);
        rgb[3 * x + 1] = (uint8_t)(row[x] >> 8);
        rgb[3 * x + 2] = (uint8_t)row[x];
    }
}

uint64_t surface_hash(const struct surface *s)
{
    static const uint64_t seed = 0x53637265656e; /* "Screen" */
    uint8_t size[8];
    for (unsigned i = 0; i < 4; i++) {
        size[i] = (uint8_t)(s->width >> (8 * i));
        size[4 + i] = (uint8_t)(s->height >> (8 * i));
    }
    uint64_t hash = hash_bytes(seed, size, sizeof(size));
    for (uint32_t y = 0; y < s->height; y++) {
        const uint32_t *row = surface_row(s, y);
        for (uint32_t x = 0; x < s->width; x++) {
            uint8_t rgb[3] = {(uint8_t)(row[x] >> 16), (uint8_t)(row[x] >> 8), (uint8_t)row[x]};
            hash = hash_bytes(hash, rgb, sizeof(rgb));
        }
    }
    return hash;
}

static bool write_ppm(const struct surface *s, uint8_t *rgb, FILE *f)
{
    if (fprintf(f, "P6\n%u %u\n255\n", (unsigned)s->width, (unsigned)s->height) < 0)
        return false;
    for (uint32_t y = 0; y < s->height; y++) {
        row_to_rgb(s, y, rgb);
        if (fwrite(rgb, 3, s->width, f) != s->width)
            return false;
    }
    return true;
}

#ifdef HAVE_PNG
/* The caller reports; libpng itself stays silent. */
static void png_failed(png_structp png, png_const_charp why)
{
    (void)why;
    longjmp(png_jmpbuf(png), 1);
}

static void png_warned(png_structp png, png_const_charp why)
{
    (void)png, (void)why;
}

/* libpng reports a failure by a longjmp to here; nothing that changes after setjmp is used then. */
static bool write_png(const struct surface *s, uint8_t *rgb, FILE *f)
{
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, png_failed, png_warned);
    if (!png)
        return false;
    png_infop info = png_create_info_struct(png);
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_init_io(png, f);
    png_set_IHDR(png, info, s->width, s->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < s->height; y++) {
        row_to_rgb(s, y, rgb);
        png_write_row(png, rgb);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return true;
}
#else
static bool write_png(const struct surface *s, uint8_t *rgb, FILE *f)
{
    (void)s, (void)rgb, (void)f;
    return false;
}
#endif

static bool ends_in_ppm(const char *path)
{
    size_t len = strlen(path);
    return len >= 4 && strcasecmp(path + len - 4, ".ppm") == 0;
}

static enum emu_err save_as(const struct surface *s, const char *path, const char *temporary,
                            struct error *err)
{
    FILE *f = fopen(temporary, "wb");
    if (!f)
        return error_set(err, EMU_IO, "cannot write the screen to %s: %s", path, strerror(errno));
    uint8_t *rgb = malloc((size_t)s->width * 3);
    bool good = rgb && (ends_in_ppm(path) ? write_ppm(s, rgb, f) : write_png(s, rgb, f));
    free(rgb);
    if (fclose(f) != 0)
        good = false;
    if (good && rename(temporary, path) == 0)
        return EMU_OK;
    enum emu_err code = error_set(err, EMU_IO, "cannot write the screen to %s: %s", path,
                                  strerror(errno ? errno : EIO));
    remove(temporary);
    return code;
}

enum emu_err screen_save(const struct surface *s, const char *path, struct error *err)
{
    if (!s->width || !s->height)
        return error_set(err, EMU_ARG, "%s: there is no picture to save yet", path);
#ifndef HAVE_PNG
    if (!ends_in_ppm(path))
        return error_set(err, EMU_UNSUPPORTED,
                         "%s: this build has no PNG (libpng was missing); use a name ending in .ppm",
                         path);
#endif
    static const char suffix[] = ".part";
    size_t len = strlen(path);
    char *temporary = malloc(len + sizeof(suffix));
    if (!temporary)
        return error_set(err, EMU_NOMEM, "%s: out of memory", path);
    memcpy(temporary, path, len);
    memcpy(temporary + len, suffix, sizeof(suffix));
    enum emu_err code = save_as(s, path, temporary, err);
    free(temporary);
    return code;
}

/* IBM PC code page 437 with the pictures of the control codes (IBM GCGID table of CP437). */
static const uint16_t cp437[256] = {
    0x0020, 0x263A, 0x263B, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022,
    0x25D8, 0x25CB, 0x25D9, 0x2642, 0x2640, 0x266A, 0x266B, 0x263C,
    0x25BA, 0x25C4, 0x2195, 0x203C, 0x00B6, 0x00A7, 0x25AC, 0x21A8,
    0x2191, 0x2193, 0x2192, 0x2190, 0x221F, 0x2194, 0x25B2, 0x25BC,
    0x0020, 0x0021, 0x0022, 0x0023, 0x0024, 0x0025, 0x0026, 0x0027,
    0x0028, 0x0029, 0x002A, 0x002B, 0x002C, 0x002D, 0x002E, 0x002F,
    0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x0035, 0x0036, 0x0037,
    0x0038, 0x0039, 0x003A, 0x003B, 0x003C, 0x003D, 0x003E, 0x003F,
    0x0040, 0x0041, 0x0042, 0x0043, 0x0044, 0x0045, 0x0046, 0x0047,
    0x0048, 0x0049, 0x004A, 0x004B, 0x004C, 0x004D, 0x004E, 0x004F,
    0x0050, 0x0051, 0x0052, 0x0053, 0x0054, 0x0055, 0x0056, 0x0057,
    0x0058, 0x0059, 0x005A, 0x005B, 0x005C, 0x005D, 0x005E, 0x005F,
    0x0060, 0x0061, 0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067,
    0x0068, 0x0069, 0x006A, 0x006B, 0x006C, 0x006D, 0x006E, 0x006F,
    0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075, 0x0076, 0x0077,
    0x0078, 0x0079, 0x007A, 0x007B, 0x007C, 0x007D, 0x007E, 0x2302,
    0x00C7, 0x00FC, 0x00E9, 0x00E2, 0x00E4, 0x00E0, 0x00E5, 0x00E7,
    0x00EA, 0x00EB, 0x00E8, 0x00EF, 0x00EE, 0x00EC, 0x00C4, 0x00C5,
    0x00C9, 0x00E6, 0x00C6, 0x00F4, 0x00F6, 0x00F2, 0x00FB, 0x00F9,
    0x00FF, 0x00D6, 0x00DC, 0x00A2, 0x00A3, 0x00A5, 0x20A7, 0x0192,
    0x00E1, 0x00ED, 0x00F3, 0x00FA, 0x00F1, 0x00D1, 0x00AA, 0x00BA,
    0x00BF, 0x2310, 0x00AC, 0x00BD, 0x00BC, 0x00A1, 0x00AB, 0x00BB,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556,
    0x2555, 0x2563, 0x2551, 0x2557, 0x255D, 0x255C, 0x255B, 0x2510,
    0x2514, 0x2534, 0x252C, 0x251C, 0x2500, 0x253C, 0x255E, 0x255F,
    0x255A, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256C, 0x2567,
    0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256B,
    0x256A, 0x2518, 0x250C, 0x2588, 0x2584, 0x258C, 0x2590, 0x2580,
    0x03B1, 0x00DF, 0x0393, 0x03C0, 0x03A3, 0x03C3, 0x00B5, 0x03C4,
    0x03A6, 0x0398, 0x03A9, 0x03B4, 0x221E, 0x03C6, 0x03B5, 0x2229,
    0x2261, 0x00B1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00F7, 0x2248,
    0x00B0, 0x2219, 0x00B7, 0x221A, 0x207F, 0x00B2, 0x25A0, 0x0020,
};

uint16_t cp437_to_unicode(uint8_t ch)
{
    return cp437[ch];
}

unsigned cp437_to_utf8(uint8_t ch, char *out)
{
    unsigned u = cp437[ch];
    if (u < 0x80) {
        out[0] = (char)u;
        return 1;
    }
    if (u < 0x800) {
        out[0] = (char)(0xc0 | u >> 6);
        out[1] = (char)(0x80 | (u & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | u >> 12);
    out[1] = (char)(0x80 | (u >> 6 & 0x3f));
    out[2] = (char)(0x80 | (u & 0x3f));
    return 3;
}

void screen_text_begin(struct screen_text *t, char *out, size_t size)
{
    *t = (struct screen_text){.out = out, .size = size, .full = size == 0};
    if (size)
        out[0] = '\0';
}

static void append(struct screen_text *t, const char *bytes, unsigned n)
{
    if (t->full || t->size - t->len <= n) {
        t->full = true;
        return;
    }
    memcpy(t->out + t->len, bytes, n);
    t->len += n;
    t->out[t->len] = '\0';
}

void screen_text_put(struct screen_text *t, uint8_t ch)
{
    char bytes[CP437_UTF8_MAX];
    unsigned n = cp437_to_utf8(ch, bytes);
    append(t, bytes, n);
    if (cp437[ch] != ' ' && !t->full)
        t->kept = t->len;
}

void screen_text_end_row(struct screen_text *t)
{
    t->len = t->kept;
    if (t->size)
        t->out[t->len] = '\0';
    append(t, "\n", 1);
    t->kept = t->len;
}
