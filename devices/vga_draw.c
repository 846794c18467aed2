/*
 * The picture of a VGA: CRTC addressing, serializers of the graphics controller, character
 * generator, attribute controller, DAC. See vga_draw.h; IBM VGA/XGA Technical Reference.
 *
 * Each scan line is made in two steps: dots as colour numbers (4 bits, or 8 in 256-colour modes),
 * then panned, looked up and stretched to pixels. A picture is drawn from one state of the
 * registers; what a program changes while the beam runs is not seen.
 */
#include "devices/vga_draw.h"

#include <string.h>

#include "devices/vga_int.h"

enum { SEQ1_8_DOTS = 0x01, SEQ1_HALF_CLOCK = 0x08, SEQ1_SCREEN_OFF = 0x20 };
enum { GC5_SHIFT_INTERLEAVE = 0x20, GC5_SHIFT_256 = 0x40, GC6_GRAPHICS = 0x01 };
enum { CR9_DOUBLE_SCAN = 0x80, CR14_DWORD = 0x40, CR14_COUNT_4 = 0x20, CR17_COUNT_2 = 0x08,
       CR17_ROW0_A13_N = 0x01, CR17_ROW1_A14_N = 0x02, CR17_WRAP_A15 = 0x20, CR17_BYTE = 0x40,
       CR17_RUN = 0x80 };
enum { AR10_LINE_GRAPHICS = 0x04, AR10_BLINK = 0x08, AR10_SPLIT_NO_PAN = 0x20, AR10_8_BIT = 0x40,
       AR10_P54_SELECT = 0x80 };
enum { CURSOR_OFF = 0x20 };
enum { MAX_CHARACTERS = 257, MAX_DOTS = MAX_CHARACTERS * 9 + 16 }; /* one more than shown: panning */
enum { CURSOR_PHASE = 8, TEXT_PHASE = 16 }; /* frames on, and as many off */

/* ---- colours ---- */

static uint32_t dac_color(const struct vga_state *st, uint8_t index)
{
    const uint8_t *c = &st->dac[(index & st->dac_mask) * 3];
    uint8_t rgb[3];
    for (unsigned i = 0; i < 3; i++)
        rgb[i] = st->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? c[i]
                                                    : (uint8_t)(c[i] << 2 | (c[i] >> 4 & 3));
    return (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
}

/* Attribute controller: 4 bits to 8 ("Color Select Register", "Color Plane Enable"). */
static uint8_t attribute_color(const struct vga_state *st, unsigned index)
{
    uint8_t color = st->attr[index & st->attr[AR_PLANES] & 0x0f];
    if (st->attr[AR_MODE] & AR10_P54_SELECT)
        color = (uint8_t)((color & 0x0f) | (st->attr[AR_COLOR] & 0x03) << 4);
    return (uint8_t)(color | (st->attr[AR_COLOR] & 0x0c) << 4);
}

static void colors_16(const struct vga_state *st, uint32_t lut[256])
{
    for (unsigned i = 0; i < 16; i++)
        lut[i] = dac_color(st, attribute_color(st, i));
}

static void colors_256(const struct vga_state *st, uint32_t lut[256])
{
    for (unsigned i = 0; i < 256; i++)
        lut[i] = dac_color(st, (uint8_t)i);
}

/* ---- CRTC ---- */

/* The address counters while the beam goes down the screen. */
struct raster {
    uint32_t line;
    uint32_t address;  /* counter at the start of this row */
    uint8_t row;       /* scan line of the character row */
    bool again;        /* second showing of a double-scanned line */
    bool split;        /* below the line compare */
    bool new_row;      /* a character row begins at this line */
};

static unsigned byte_panning(const struct vga_state *st)
{
    return st->crtc[CR_PRESET_ROW] >> 5 & 3;
}

static struct raster raster_top(const struct vga_state *st)
{
    uint32_t start = (uint32_t)st->crtc[CR_START_HIGH] << 8 | st->crtc[CR_START_LOW];
    return (struct raster){.address = start + byte_panning(st),
                           .row = st->crtc[CR_PRESET_ROW] & 0x1f, .new_row = true};
}

static bool split_pans(const struct vga_state *st)
{
    return !(st->attr[AR_MODE] & AR10_SPLIT_NO_PAN);
}

/* Goes to the next line. "Line Compare Register": after the line that compares equal the address
 * counter starts from 0. */
static void raster_next(struct raster *r, const struct vga *v)
{
    const struct vga_state *st = &v->st;
    r->new_row = false;
    if (r->line++ == vga_line_compare(v)) {
        *r = (struct raster){.line = r->line, .split = true, .new_row = true,
                             .address = split_pans(st) ? byte_panning(st) : 0};
        return;
    }
    if ((st->crtc[CR_MAX_SCAN] & CR9_DOUBLE_SCAN) && !r->again) {
        r->again = true;
        return;
    }
    r->again = false;
    if (r->row == (st->crtc[CR_MAX_SCAN] & 0x1f)) {
        r->row = 0;
        r->new_row = true;
        r->address += st->crtc[CR_OFFSET] * 2u;
    } else {
        r->row = (r->row + 1) & 0x1f;
    }
}

/* From the counter to a plane address: byte, word or doubleword addressing, then the row scan
 * counter in place of bits 13 and 14 ("CRT Mode Control", "Underline Location"). In this memory
 * layout a doubleword is one plane address already, see vga_mem.c. */
static uint32_t plane_address(const struct vga_state *st, uint32_t counter, uint8_t row)
{
    uint8_t mode = st->crtc[CR_MODE];
    unsigned bit13 = 13;
    counter &= 0xffff;
    if (st->crtc[CR_UNDERLINE] & CR14_DWORD)
        bit13 = 11;
    else if (!(mode & CR17_BYTE))
        counter = counter << 1 | (counter >> (mode & CR17_WRAP_A15 ? 15 : 13) & 1);
    if (!(mode & CR17_ROW0_A13_N))
        counter = (counter & ~(1u << bit13)) | (uint32_t)(row & 1) << bit13;
    if (!(mode & CR17_ROW1_A14_N))
        counter = (counter & ~(2u << bit13)) | (uint32_t)(row >> 1 & 1) << (bit13 + 1);
    return counter & 0xffff;
}

static const uint8_t *planes_at(const struct vga *v, uint32_t plane_address_)
{
    return v->w.vram->host + ((size_t)plane_address_ * 4 & (v->w.vram->size - 1));
}

static uint32_t columns_shown(const struct vga_state *st)
{
    return st->crtc[CR_H_DISPLAY_END] + 1u;
}

static unsigned character_dots(const struct vga_state *st)
{
    return st->seq[SEQ_CLOCKING] & SEQ1_8_DOTS ? 8 : 9;
}

/* "Horizontal PEL Panning Register": 9-dot characters count 8, 0, 1 .. 7; others 0 .. 7. */
static unsigned panning(const struct vga_state *st, const struct raster *r)
{
    unsigned pan = st->attr[AR_PANNING];
    if (r->split && !split_pans(st))
        return 0;
    if (character_dots(st) == 9)
        return pan < 8 ? pan + 1 : 0;
    if (st->attr[AR_MODE] & AR10_8_BIT)
        return pan & 6;
    return pan < 8 ? pan : 0;
}

/* ---- text ---- */

struct text_phase {
    bool cursor_shown, blink_shown;
};

/* "Character Map Select Register": three bits to an address in plane 2. */
static uint32_t font_address(unsigned map)
{
    return (map & 3) << 14 | (map & 4) << 11;
}

static uint32_t cursor_address(const struct vga_state *st)
{
    uint32_t skew = st->crtc[CR_CURSOR_END] >> 5 & 3;
    return (((uint32_t)st->crtc[CR_CURSOR_HIGH] << 8 | st->crtc[CR_CURSOR_LOW]) + skew) & 0xffff;
}

static bool cursor_on_row(const struct vga_state *st, uint8_t row)
{
    return !(st->crtc[CR_CURSOR_START] & CURSOR_OFF) &&
           row >= (st->crtc[CR_CURSOR_START] & 0x1f) && row <= (st->crtc[CR_CURSOR_END] & 0x1f);
}

/* The pattern of one character on one scan line, 9 bits, leftmost dot in bit 8. */
static unsigned glyph_dots(const struct vga *v, uint8_t ch, uint8_t attribute, uint8_t row)
{
    const struct vga_state *st = &v->st;
    unsigned select = st->seq[SEQ_CHAR_MAP];
    unsigned map_a = (select >> 2 & 3) | (select >> 3 & 4); /* of attribute bit 3 = 1 */
    unsigned map_b = (select & 3) | (select >> 2 & 4);
    uint32_t font = font_address(attribute & 0x08 ? map_a : map_b);
    unsigned dots = (unsigned)planes_at(v, font + ch * 32u + row)[2] << 1;
    /* "Enable Line Graphics Character Code": the ninth dot of C0-DF repeats the eighth. */
    if ((st->attr[AR_MODE] & AR10_LINE_GRAPHICS) && (ch & 0xe0) == 0xc0)
        dots |= dots >> 1 & 1;
    if ((attribute & 0x77) == 0x01 && row == (st->crtc[CR_UNDERLINE] & 0x1f))
        dots = 0x1ff;
    return dots;
}

static void text_line(const struct vga *v, const struct raster *r, struct text_phase phase,
                      uint8_t *dots)
{
    const struct vga_state *st = &v->st;
    bool blinks = st->attr[AR_MODE] & AR10_BLINK;
    bool cursor_row = phase.cursor_shown && cursor_on_row(st, r->row);
    uint32_t cursor = cursor_address(st), columns = columns_shown(st) + 1;
    unsigned width = character_dots(st);
    for (uint32_t i = 0; i < columns; i++) {
        uint32_t counter = (r->address + i) & 0xffff;
        const uint8_t *cell = planes_at(v, plane_address(st, counter, r->row));
        uint8_t attribute = cell[1], ink = attribute & 0x0f, paper = attribute >> 4;
        unsigned pattern = glyph_dots(v, cell[0], attribute, r->row);
        if (blinks) {
            if ((paper & 8) && !phase.blink_shown)
                pattern = 0;
            paper &= 7;
        }
        if (cursor_row && counter == cursor)
            pattern = 0x1ff;
        for (unsigned d = 0; d < width; d++)
            *dots++ = pattern >> (8 - d) & 1 ? ink : paper;
    }
}

/* ---- graphics ---- */

/* Four bits to four bytes 0 or 1, the highest bit first in memory. */
static const uint8_t spread[16][4] = {
    {0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 1, 0}, {0, 0, 1, 1}, {0, 1, 0, 0}, {0, 1, 0, 1},
    {0, 1, 1, 0}, {0, 1, 1, 1}, {1, 0, 0, 0}, {1, 0, 0, 1}, {1, 0, 1, 0}, {1, 0, 1, 1},
    {1, 1, 0, 0}, {1, 1, 0, 1}, {1, 1, 1, 0}, {1, 1, 1, 1}};

static void planar_half(const uint8_t *p, unsigned shift, uint8_t *dots)
{
    uint32_t sum = 0;
    for (unsigned plane = 0; plane < 4; plane++) {
        uint32_t bits; /* bytes of 0 or 1: shifting by up to 3 moves nothing across bytes */
        memcpy(&bits, spread[p[plane] >> shift & 15], sizeof(bits));
        sum |= bits << plane;
    }
    memcpy(dots, &sum, sizeof(sum));
}

/* Shift register "interleave": two bits a pixel, even planes first (CGA modes 4 and 5). */
static void interleaved_8(const uint8_t *p, uint8_t *dots)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned odd = i >> 2, shift = 6 - 2 * (i & 3);
        dots[i] = (uint8_t)((p[odd] >> shift & 3) | (p[odd + 2] >> shift & 3) << 2);
    }
}

/* Shift register "256 colours": both halves of plane 0, of plane 1 and so on. */
static void nibbles_8(const uint8_t *p, uint8_t *dots)
{
    for (unsigned i = 0; i < 4; i++) {
        dots[2 * i] = p[i] >> 4;
        dots[2 * i + 1] = p[i] & 15;
    }
}

/* The 8 dots of one character clock ("Graphics Mode Register" bits 6-5). */
static void serialize(const struct vga_state *st, const uint8_t *planes, uint8_t *dots)
{
    if (st->gc[GC_MODE] & GC5_SHIFT_256) {
        nibbles_8(planes, dots);
    } else if (st->gc[GC_MODE] & GC5_SHIFT_INTERLEAVE) {
        interleaved_8(planes, dots);
    } else {
        planar_half(planes, 4, dots);
        planar_half(planes, 0, dots + 4);
    }
}

/* The attribute controller joins two colour numbers to one of 8 bits, shown for two dots. */
static void join_pairs(uint8_t *dots)
{
    for (unsigned i = 0; i < 8; i += 2)
        dots[i] = dots[i + 1] = (uint8_t)(dots[i] << 4 | dots[i + 1]);
}

static void graphics_line(const struct vga *v, const struct raster *r, uint8_t *dots)
{
    const struct vga_state *st = &v->st;
    unsigned slow = st->crtc[CR_UNDERLINE] & CR14_COUNT_4 ? 2
                    : st->crtc[CR_MODE] & CR17_COUNT_2   ? 1 : 0;
    uint32_t columns = columns_shown(st) + 1;
    unsigned width = character_dots(st);
    for (uint32_t i = 0; i < columns; i++, dots += width) {
        uint32_t at = plane_address(st, r->address + (i >> slow), r->row);
        serialize(st, planes_at(v, at), dots);
        if (st->attr[AR_MODE] & AR10_8_BIT)
            join_pairs(dots);
        if (width == 9)
            dots[8] = 0;
    }
}

/* ---- a picture of the standard modes ---- */

static void fill(const struct surface *out, uint32_t color)
{
    for (uint32_t y = 0; y < out->height; y++) {
        uint32_t *row = surface_row(out, y);
        for (uint32_t x = 0; x < out->width; x++)
            row[x] = color;
    }
}

static void store_line(const uint8_t *dots, const uint32_t lut[256], bool twice, uint32_t *to,
                       uint32_t width)
{
    if (twice) {
        for (uint32_t x = 0; x < width; x += 2)
            to[x] = to[x + 1] = lut[dots[x / 2]];
    } else {
        for (uint32_t x = 0; x < width; x++)
            to[x] = lut[dots[x]];
    }
}

static struct text_phase phase_at(const struct vga *v, vtime now)
{
    struct vga_timing t = vga_timing(v);
    uint64_t frame = vga_beam(&t, now).frame;
    return (struct text_phase){.cursor_shown = frame / CURSOR_PHASE % 2 == 0,
                               .blink_shown = frame / TEXT_PHASE % 2 == 0};
}

static bool is_graphics(const struct vga_state *st)
{
    return (st->gc[GC_MISC] & GC6_GRAPHICS) != 0;
}

/* Blinking of graphics modes: colours 8-15 alternate with 0-7. */
static void blink_colors(const struct vga_state *st, struct text_phase phase, uint32_t lut[256])
{
    if (is_graphics(st) && (st->attr[AR_MODE] & AR10_BLINK) && !phase.blink_shown)
        memcpy(lut + 8, lut, 8 * sizeof(*lut));
}

static void standard_colors(const struct vga_state *st, struct text_phase phase, uint32_t lut[256])
{
    memset(lut, 0, 256 * sizeof(*lut));
    if (is_graphics(st) && (st->attr[AR_MODE] & AR10_8_BIT)) {
        colors_256(st, lut);
    } else {
        colors_16(st, lut);
        blink_colors(st, phase, lut);
    }
}

/* A graphics line that shows what the one above shows (scan doubling). */
static bool repeats(const struct vga_state *st, const struct raster *r, const struct raster *above)
{
    uint8_t rows = CR17_ROW0_A13_N | CR17_ROW1_A14_N;
    return is_graphics(st) && r->line && r->address == above->address && r->split == above->split &&
           ((st->crtc[CR_MODE] & rows) == rows || r->row == above->row);
}

static void draw_lines(const struct vga *v, vtime now, const struct surface *out)
{
    const struct vga_state *st = &v->st;
    uint32_t lut[256];
    uint8_t dots[MAX_DOTS] = {0};
    struct text_phase phase = phase_at(v, now);
    bool twice = (st->seq[SEQ_CLOCKING] & SEQ1_HALF_CLOCK) != 0;
    standard_colors(st, phase, lut);
    struct raster above = {0};
    for (struct raster r = raster_top(st); r.line < out->height; raster_next(&r, v)) {
        uint32_t *row = surface_row(out, r.line);
        if (repeats(st, &r, &above)) {
            memcpy(row, surface_row(out, r.line - 1), out->width * sizeof(*row));
            continue;
        }
        if (is_graphics(st))
            graphics_line(v, &r, dots);
        else
            text_line(v, &r, phase, dots);
        store_line(dots + panning(st, &r), lut, twice, row, out->width);
        above = r;
    }
}

static enum emu_err draw_standard(const struct vga *v, vtime now, struct surface *out,
                                  struct error *err)
{
    const struct vga_state *st = &v->st;
    uint32_t width = columns_shown(st) * character_dots(st);
    if (st->seq[SEQ_CLOCKING] & SEQ1_HALF_CLOCK)
        width *= 2;
    enum emu_err code = surface_resize(out, width, vga_lines_shown(v), err);
    if (code)
        return code;
    if ((st->seq[SEQ_CLOCKING] & SEQ1_SCREEN_OFF) || !(st->crtc[CR_MODE] & CR17_RUN))
        fill(out, 0);
    else if (!(st->attr_index & ATTR_PAS))
        fill(out, dac_color(st, st->attr[AR_OVERSCAN]));
    else
        draw_lines(v, now, out);
    return EMU_OK;
}

/* ---- DISPI modes ---- */

static uint32_t rgb_555(unsigned c)
{
    unsigned r = c >> 10 & 31, g = c >> 5 & 31, b = c & 31;
    return (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
}

static uint32_t rgb_565(unsigned c)
{
    unsigned r = c >> 11 & 31, g = c >> 5 & 63, b = c & 31;
    return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

/* `len` bytes of display memory from `start`, which may run over its end: `scratch` joins them. */
static const uint8_t *memory_row(const struct vga *v, uint64_t start, uint32_t len, uint8_t *scratch)
{
    uint64_t size = v->w.vram->size, room;
    start &= size - 1;
    room = size - start;
    if (len <= room)
        return v->w.vram->host + start;
    memcpy(scratch, v->w.vram->host + start, (size_t)room);
    memcpy(scratch + room, v->w.vram->host, (size_t)(len - room));
    return scratch;
}

static void packed_line(const struct vga *v, const uint8_t *p, const uint32_t lut[256], uint32_t *to)
{
    uint32_t width = v->st.vbe[VBE_XRES];
    switch (v->st.vbe[VBE_BPP]) {
    case 8:
        for (uint32_t x = 0; x < width; x++)
            to[x] = lut[p[x]];
        break;
    case 15:
        for (uint32_t x = 0; x < width; x++)
            to[x] = rgb_555(p[2 * x] | (unsigned)p[2 * x + 1] << 8);
        break;
    case 16:
        for (uint32_t x = 0; x < width; x++)
            to[x] = rgb_565(p[2 * x] | (unsigned)p[2 * x + 1] << 8);
        break;
    case 24:
        for (uint32_t x = 0; x < width; x++)
            to[x] = p[3 * x] | (uint32_t)p[3 * x + 1] << 8 | (uint32_t)p[3 * x + 2] << 16;
        break;
    default:
        for (uint32_t x = 0; x < width; x++)
            to[x] = p[4 * x] | (uint32_t)p[4 * x + 1] << 8 | (uint32_t)p[4 * x + 2] << 16;
        break;
    }
}

static void draw_packed(const struct vga *v, const struct surface *out)
{
    const uint16_t *reg = v->st.vbe;
    uint8_t scratch[VBE_MAX_XRES * 4];
    uint32_t lut[256];
    uint32_t bytes = (reg[VBE_BPP] + 7u) / 8;
    uint64_t pitch = vbe_pitch(v);
    colors_256(&v->st, lut);
    for (uint32_t y = 0; y < out->height; y++) {
        uint64_t start = (reg[VBE_Y_OFFSET] + y) * pitch + (uint64_t)reg[VBE_X_OFFSET] * bytes;
        packed_line(v, memory_row(v, start, out->width * bytes, scratch), lut, surface_row(out, y));
    }
}

static void draw_planar(const struct vga *v, const struct surface *out)
{
    const uint16_t *reg = v->st.vbe;
    uint8_t dots[VBE_MAX_XRES + 16];
    uint32_t lut[256] = {0};
    uint64_t pitch = vbe_pitch(v);
    colors_16(&v->st, lut);
    for (uint32_t y = 0; y < out->height; y++) {
        uint64_t at = (reg[VBE_Y_OFFSET] + y) * pitch + reg[VBE_X_OFFSET] / 8;
        for (uint32_t x = 0; x < out->width + 8; x += 8, at++) {
            const uint8_t *planes = v->w.vram->host + (at * 4 & (v->w.vram->size - 1));
            planar_half(planes, 4, dots + x);
            planar_half(planes, 0, dots + x + 4);
        }
        store_line(dots + reg[VBE_X_OFFSET] % 8, lut, false, surface_row(out, y), out->width);
    }
}

static enum emu_err draw_vbe(const struct vga *v, struct surface *out, struct error *err)
{
    enum emu_err code = surface_resize(out, v->st.vbe[VBE_XRES], v->st.vbe[VBE_YRES], err);
    if (code)
        return code;
    if (v->st.seq[SEQ_CLOCKING] & SEQ1_SCREEN_OFF)
        fill(out, 0);
    else if (vbe_planar(v))
        draw_planar(v, out);
    else
        draw_packed(v, out);
    return EMU_OK;
}

enum emu_err vga_draw(const struct vga *v, vtime now, struct surface *out, struct error *err)
{
    return vbe_on(v) ? draw_vbe(v, out, err) : draw_standard(v, now, out, err);
}

uint64_t vga_blink_phase(const struct vga *v, vtime now)
{
    struct vga_timing t = vga_timing(v);
    bool blinks = !vbe_on(v) && (!is_graphics(&v->st) || (v->st.attr[AR_MODE] & AR10_BLINK));
    return blinks ? vga_beam(&t, now).frame / CURSOR_PHASE : 0;
}

uint64_t vga_shown_bytes(const struct vga *v)
{
    const uint16_t *reg = v->st.vbe;
    uint64_t size = v->w.vram->size, bytes = 4 * 65536; /* the planes of the standard modes */
    if (vbe_on(v))
        bytes = (uint64_t)vbe_pitch(v) * (reg[VBE_Y_OFFSET] + reg[VBE_YRES] + 1u) * (vbe_planar(v) ? 4 : 1);
    return bytes < size ? bytes : size;
}

/* ---- text as text ---- */

static bool is_text(const struct vga *v)
{
    return !vbe_on(v) && !is_graphics(&v->st);
}

/* Finds the cursor on a row that begins at `address`. */
static void find_cursor(const struct vga_state *st, uint32_t address, struct vga_text_screen *out)
{
    uint32_t column = (cursor_address(st) - address) & 0xffff;
    if (column >= out->columns || out->cursor_on)
        return;
    out->cursor_on = !(st->crtc[CR_CURSOR_START] & CURSOR_OFF);
    out->cursor_column = column;
    out->cursor_row = out->rows;
}

bool vga_text_screen(const struct vga *v, struct vga_text_screen *out)
{
    *out = (struct vga_text_screen){0};
    if (!is_text(v))
        return false;
    uint32_t lines = vga_lines_shown(v);
    out->columns = columns_shown(&v->st);
    for (struct raster r = raster_top(&v->st); r.line < lines; raster_next(&r, v)) {
        if (!r.new_row)
            continue;
        find_cursor(&v->st, r.address, out);
        out->rows++;
    }
    return true;
}

bool vga_text(const struct vga *v, char *out, size_t size)
{
    struct screen_text text;
    screen_text_begin(&text, out, size);
    if (!is_text(v))
        return false;
    const struct vga_state *st = &v->st;
    uint32_t lines = vga_lines_shown(v), columns = columns_shown(st);
    for (struct raster r = raster_top(st); r.line < lines; raster_next(&r, v)) {
        if (!r.new_row)
            continue;
        for (uint32_t i = 0; i < columns; i++)
            screen_text_put(&text, planes_at(v, plane_address(st, r.address + i, r.row))[0]);
        screen_text_end_row(&text);
    }
    return true;
}

bool vga_text_cells(const struct vga *v, struct vga_cell *cells, size_t max)
{
    const struct vga_state *st = &v->st;
    if (!is_text(v))
        return false;
    uint32_t lines = vga_lines_shown(v), columns = columns_shown(st);
    for (struct raster r = raster_top(st); r.line < lines; raster_next(&r, v)) {
        for (uint32_t i = 0; r.new_row && i < columns && max; i++, max--) {
            const uint8_t *planes = planes_at(v, plane_address(st, r.address + i, r.row));
            *cells++ = (struct vga_cell){planes[0], planes[1]};
        }
    }
    return true;
}
