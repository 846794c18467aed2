/*
 * The VGA, through its ports, its memory window and its pictures. Expected values come from the IBM
 * VGA/XGA Technical Reference and its mode tables (register values of modes 3, 4, 12h, 13h), from
 * arithmetic on the dot clocks, and from vbe_dispi.txt for the DISPI registers.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/vga.h"
#include "devices/vga_draw.h"
#include "tests/lib/device_tests.h"

enum { IRQ = 0 };

/* A VGA on the bench, and what it told its board. */
struct rig {
    struct vga vga;
    struct phys_block *vram;
    struct surface screen;
    bool direct; /* the last remap */
    uint32_t direct_offset, direct_size;
    uint64_t direct_vram;
    unsigned remaps;
};

static struct rig *rig(struct bench *b)
{
    return b->dev;
}

static void on_remap(void *arg, bool direct, uint32_t window_offset, uint32_t size,
                     uint64_t vram_offset)
{
    struct rig *r = arg;
    r->direct = direct;
    r->direct_offset = window_offset;
    r->direct_size = size;
    r->direct_vram = vram_offset;
    r->remaps++;
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct rig *r = bench_alloc(b, sizeof(*r));
    assert_int_equal(phys_block_new(b->phys, "vga.vram", VGA_VRAM_SIZE, false, &r->vram, NULL), 0);
    vga_init(&r->vga, "vga", (struct vga_wiring){
        .clk = &b->clk, .log = &b->log, .irq = bench_line(b, IRQ), .phys = b->phys,
        .vram = r->vram, .remap = on_remap, .remap_arg = r});
    bench_map(b, 0x3b0, VGA_PORTS, 0, &vga_io, &r->vga);
    bench_map(b, 0x1ce, VBE_PORTS, 0, &vbe_io, &r->vga);
    bench_add(b, &r->vga.dev);
    unsigned window = phys_region_device(b->phys, "vga", &vga_mem_io, &r->vga, 0xa0000, VGA_WINDOW);
    phys_map(b->phys, 0xa0000, VGA_WINDOW, window, PHYS_RW);
    unsigned lfb = phys_region_memory(b->phys, "lfb", r->vram, 0, 0xe0000000, VGA_VRAM_SIZE);
    phys_map(b->phys, 0xe0000000, VGA_VRAM_SIZE, lfb, PHYS_RW);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    surface_free(&rig(b)->screen);
    return bench_teardown(state);
}

static void seq(struct bench *b, uint8_t i, uint8_t v) { out8(b, 0x3c4, i); out8(b, 0x3c5, v); }
static void gc(struct bench *b, uint8_t i, uint8_t v) { out8(b, 0x3ce, i); out8(b, 0x3cf, v); }
static void crtc(struct bench *b, uint8_t i, uint8_t v) { out8(b, 0x3d4, i); out8(b, 0x3d5, v); }
static uint8_t crtc_get(struct bench *b, uint8_t i) { out8(b, 0x3d4, i); return in8(b, 0x3d5); }

static void attr(struct bench *b, uint8_t index, uint8_t value)
{
    in8(b, 0x3da);
    out8(b, 0x3c0, index);
    out8(b, 0x3c0, value);
    out8(b, 0x3c0, 0x20); /* the picture on again */
}

static void dac(struct bench *b, uint8_t index, uint8_t red, uint8_t green, uint8_t blue)
{
    out8(b, 0x3c8, index);
    out8(b, 0x3c9, red);
    out8(b, 0x3c9, green);
    out8(b, 0x3c9, blue);
}

static void vbe(struct bench *b, uint16_t index, uint16_t value)
{
    out16(b, 0x1ce, index);
    out16(b, 0x1cf, value);
}

static uint16_t vbe_get(struct bench *b, uint16_t index)
{
    out16(b, 0x1ce, index);
    return in16(b, 0x1cf);
}

static void poke(struct bench *b, paddr at, uint8_t v) { phys_write(b->phys, at, v, 1); }
static uint8_t peek(struct bench *b, paddr at) { return (uint8_t)phys_read(b->phys, at, 1); }

/* The byte of a plane, past all logic. */
static uint8_t plane(struct bench *b, unsigned p, uint32_t address)
{
    return rig(b)->vram->host[4 * address + p];
}

struct mode {
    uint8_t misc, seq[5], crtc[25], gc[9], attr[21];
};

/* Register values of the IBM mode tables. */
static const struct mode mode_3 = {
    0x67, {0x03, 0x00, 0x03, 0x00, 0x02},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00,
     0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff},
    {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
     0x0c, 0x00, 0x0f, 0x08, 0x00}};
static const struct mode mode_4 = {
    0x63, {0x03, 0x09, 0x03, 0x00, 0x02},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0f, 0x00, 0xff},
    {0x00, 0x13, 0x15, 0x17, 0x02, 0x04, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
     0x01, 0x00, 0x03, 0x00, 0x00}};
static const struct mode mode_12 = {
    0xe3, {0x03, 0x01, 0x0f, 0x00, 0x06},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff},
    {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
     0x01, 0x00, 0x0f, 0x00, 0x00}};
static const struct mode mode_13 = {
    0x63, {0x03, 0x01, 0x0f, 0x00, 0x0e},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff},
    {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
     0x41, 0x00, 0x0f, 0x00, 0x00}};

static void set_mode(struct bench *b, const struct mode *m)
{
    out8(b, 0x3c2, m->misc);
    for (uint8_t i = 0; i < 5; i++)
        seq(b, i, m->seq[i]);
    crtc(b, 0x11, 0);
    for (uint8_t i = 0; i < 25; i++)
        crtc(b, i, m->crtc[i]);
    for (uint8_t i = 0; i < 9; i++)
        gc(b, i, m->gc[i]);
    for (uint8_t i = 0; i < 21; i++)
        attr(b, i, m->attr[i]);
}

/* Grey i for colour i, so that a pixel tells its DAC index: pixel = i * 4 + (i >> 4), three times. */
static void grey_dac(struct bench *b)
{
    for (unsigned i = 0; i < 64; i++)
        dac(b, (uint8_t)i, (uint8_t)i, (uint8_t)i, (uint8_t)i);
}

static uint32_t grey(unsigned i)
{
    return (i << 2 | i >> 4) * 0x010101u;
}

static void draw(struct bench *b)
{
    assert_int_equal(vga_draw(&rig(b)->vga, clock_now(&b->clk), &rig(b)->screen, NULL), EMU_OK);
}

static uint32_t pixel(struct bench *b, unsigned x, unsigned y)
{
    assert_true(x < rig(b)->screen.width && y < rig(b)->screen.height);
    return surface_row(&rig(b)->screen, y)[x];
}

/* Writes a glyph row by row into plane 2, as a font loader does. */
static void load_glyph(struct bench *b, unsigned map_base, uint8_t ch, const uint8_t rows[16])
{
    seq(b, 2, 0x04);
    seq(b, 4, 0x07);
    gc(b, 5, 0x00);
    gc(b, 6, 0x04);
    for (unsigned i = 0; i < 16; i++)
        poke(b, 0xa0000 + map_base + ch * 32u + i, rows[i]);
    seq(b, 2, 0x03);
    seq(b, 4, 0x02);
    gc(b, 5, 0x10);
    gc(b, 6, 0x0e);
}

static void put_cell(struct bench *b, unsigned column, unsigned row, uint8_t ch, uint8_t attribute)
{
    phys_write(b->phys, 0xb8000 + (row * 80 + column) * 2, (uint32_t)ch | (uint32_t)attribute << 8, 2);
}

/* Text mode with no cursor and no blinking. */
static void plain_text(struct bench *b)
{
    set_mode(b, &mode_3);
    grey_dac(b);
    for (uint8_t i = 0; i < 16; i++)
        attr(b, i, i);
    attr(b, 0x10, 0x04);
    crtc(b, 0x0a, 0x20);
}

/* ---- registers ---- */

static void misc_output_chooses_the_crtc_ports(void **state)
{
    struct bench *b = *state;
    out8(b, 0x3c2, 0x01);
    out8(b, 0x3d4, 0x0e);
    out8(b, 0x3d5, 0x5a);
    assert_int_equal(in8(b, 0x3d4), 0x0e);
    assert_int_equal(in8(b, 0x3b4), 0xff);
    out8(b, 0x3c2, 0x00);
    assert_int_equal(in8(b, 0x3d5), 0xff);
    assert_int_equal(in8(b, 0x3b5), 0x5a);
    assert_int_equal(in8(b, 0x3cc), 0x00);
}

static void a_word_to_the_index_port_writes_index_and_data(void **state)
{
    struct bench *b = *state;
    out16(b, 0x3c4, 0x0502);
    assert_int_equal(in8(b, 0x3c4), 2);
    assert_int_equal(in8(b, 0x3c5), 5);
    out16(b, 0x3ce, 0xa508);
    assert_int_equal(in8(b, 0x3cf), 0xa5);
}

/* "CR11 bit 7: protect registers 0-7"; the line compare bit in register 7 is not protected. */
static void protected_crtc_registers_keep_their_value(void **state)
{
    struct bench *b = *state;
    out8(b, 0x3c2, 1);
    crtc(b, 0x00, 0x11);
    crtc(b, 0x07, 0x0f);
    crtc(b, 0x11, 0x80);
    crtc(b, 0x00, 0x22);
    crtc(b, 0x07, 0x10);
    crtc(b, 0x08, 0x03);
    assert_int_equal(crtc_get(b, 0x00), 0x11);
    assert_int_equal(crtc_get(b, 0x07), 0x1f);
    assert_int_equal(crtc_get(b, 0x08), 0x03);
}

static void status_1_resets_the_attribute_flip_flop(void **state)
{
    struct bench *b = *state;
    out8(b, 0x3c2, 1);
    in8(b, 0x3da);
    out8(b, 0x3c0, 0x05); /* index */
    in8(b, 0x3da);
    out8(b, 0x3c0, 0x06); /* index again, not data */
    out8(b, 0x3c0, 0x2a); /* data for 6 */
    assert_int_equal(in8(b, 0x3c1), 0x2a);
    out8(b, 0x3c0, 0x05);
    assert_int_equal(in8(b, 0x3c0), 0x05);
    assert_int_equal(in8(b, 0x3c1), 0x00);
}

static void unused_register_bits_and_indexes_read_zero(void **state)
{
    struct bench *b = *state;
    out8(b, 0x3c2, 1);
    seq(b, 2, 0xff);
    assert_int_equal(in8(b, 0x3c5), 0x0f);
    gc(b, 5, 0xff);
    assert_int_equal(in8(b, 0x3cf), 0x7b);
    seq(b, 9, 0xff);
    assert_int_equal(in8(b, 0x3c5), 0);
    gc(b, 200, 0xff);
    assert_int_equal(in8(b, 0x3cf), 0);
    crtc(b, 0x40, 0xff);
    assert_int_equal(in8(b, 0x3d5), 0);
}

/* ---- DAC ---- */

static void dac_stores_a_color_after_its_third_byte_and_moves_on(void **state)
{
    struct bench *b = *state;
    out8(b, 0x3c8, 10);
    for (unsigned i = 1; i <= 5; i++)
        out8(b, 0x3c9, (uint8_t)i); /* colour 10 whole, 11 only red and green */
    assert_int_equal(in8(b, 0x3c8), 11);
    out8(b, 0x3c7, 10);
    assert_int_equal(in8(b, 0x3c9), 1);
    assert_int_equal(in8(b, 0x3c9), 2);
    assert_int_equal(in8(b, 0x3c9), 3);
    assert_int_equal(in8(b, 0x3c9), 0);
    assert_int_equal(in8(b, 0x3c9), 0);
}

static void dac_state_tells_reading_from_writing(void **state)
{
    struct bench *b = *state;
    out8(b, 0x3c7, 0);
    assert_int_equal(in8(b, 0x3c7) & 3, 3);
    out8(b, 0x3c8, 0);
    assert_int_equal(in8(b, 0x3c7) & 3, 0);
}

static void dac_has_six_bits_and_wraps_after_color_255(void **state)
{
    struct bench *b = *state;
    dac(b, 255, 0xff, 0x7f, 0x40);
    assert_int_equal(in8(b, 0x3c8), 0);
    out8(b, 0x3c7, 255);
    assert_int_equal(in8(b, 0x3c9), 0x3f);
    assert_int_equal(in8(b, 0x3c9), 0x3f);
    assert_int_equal(in8(b, 0x3c9), 0x00);
}

/* ---- timing ---- */

/* Polls 3DA each microsecond; counts rising edges of `bit` and the microseconds it was set. */
static void poll_status(struct bench *b, uint8_t bit, unsigned microseconds, unsigned *rises,
                        unsigned *set)
{
    bool before = in8(b, 0x3da) & bit;
    *rises = *set = 0;
    for (unsigned i = 0; i < microseconds; i++) {
        clock_skip_to(&b->clk, clock_now(&b->clk) + 1000);
        bool now = in8(b, 0x3da) & bit;
        *rises += now && !before;
        *set += now;
        before = now;
    }
}

/* Mode 3: 28.322 MHz / 900 dots / 449 lines = 70.09 Hz, retrace lasts 2 lines of 31.78 us. */
static void mode_3_has_70_retraces_a_second_of_two_lines(void **state)
{
    struct bench *b = *state;
    unsigned rises, set;
    set_mode(b, &mode_3);
    poll_status(b, 0x08, 1000000, &rises, &set);
    assert_in_range(rises, 70, 71);
    assert_in_range(set, 70 * 62, 71 * 65);
    assert_in_range(vga_frame_time(&rig(b)->vga), 14268000, 14269000);
}

/* Mode 12h: 25.175 MHz / 800 dots / 525 lines = 59.94 Hz. */
static void mode_12_has_60_retraces_a_second(void **state)
{
    struct bench *b = *state;
    unsigned rises, set;
    set_mode(b, &mode_12);
    poll_status(b, 0x08, 1000000, &rises, &set);
    assert_in_range(rises, 59, 60);
}

/* Display enable: at 31.47 kHz a line takes 31.78 us; 80 of 100 characters are shown in 400 of 449
 * lines, so bit 0 is clear for 0.8 * 400 / 449 = 71.3% of the time. */
static void status_bit_0_is_clear_while_the_picture_is_displayed(void **state)
{
    struct bench *b = *state;
    unsigned rises, set;
    set_mode(b, &mode_3);
    poll_status(b, 0x01, 142682, &rises, &set); /* ten frames */
    assert_in_range(rises, 3990, 4010);
    assert_in_range(set, 142682 * 0.28, 142682 * 0.294);
}

/* CR11: bit 4 low clears and holds the vertical interrupt, bit 5 high keeps it off the line. */
static void vertical_interrupt_comes_at_the_start_of_retrace(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_3);
    crtc(b, 0x11, 0x1e); /* armed, enabled, retrace end as before */
    vtime retrace = clock_next_due(&b->clk);
    /* Line 412 of 449, 900 dots each: 13.0925 ms. */
    assert_in_range(retrace, 13092000, 13093000);
    clock_skip_to(&b->clk, retrace - 10);
    clock_run_due(&b->clk);
    assert_line(b, IRQ, false);
    assert_int_equal(in8(b, 0x3c2) & 0x80, 0);
    clock_skip_to(&b->clk, retrace);
    clock_run_due(&b->clk);
    assert_line(b, IRQ, true);
    assert_int_equal(in8(b, 0x3c2) & 0x80, 0x80);
    crtc(b, 0x11, 0x0e);
    assert_line(b, IRQ, false);
    assert_int_equal(in8(b, 0x3c2) & 0x80, 0);
    crtc(b, 0x11, 0x3e);
    clock_skip_to(&b->clk, clock_now(&b->clk) + 15000000);
    clock_run_due(&b->clk);
    assert_int_equal(in8(b, 0x3c2) & 0x80, 0x80);
    assert_line(b, IRQ, false);
    assert_int_equal(b->rises[IRQ], 1);
}

/* ---- memory: worked by hand ---- */

/* Planes at A0000+5 hold 11 22 44 88, and the latches too. */
static void prepare_planes(struct bench *b)
{
    set_mode(b, &mode_12);
    for (unsigned p = 0; p < 4; p++) {
        seq(b, 2, (uint8_t)(1u << p));
        poke(b, 0xa0005, (uint8_t)(0x11u << p));
    }
    seq(b, 2, 0x0f);
    peek(b, 0xa0005);
}

static void assert_planes(struct bench *b, uint8_t p0, uint8_t p1, uint8_t p2, uint8_t p3)
{
    assert_int_equal(plane(b, 0, 5), p0);
    assert_int_equal(plane(b, 1, 5), p1);
    assert_int_equal(plane(b, 2, 5), p2);
    assert_int_equal(plane(b, 3, 5), p3);
}

static void map_mask_chooses_the_planes_written(void **state)
{
    struct bench *b = *state;
    prepare_planes(b);
    assert_planes(b, 0x11, 0x22, 0x44, 0x88);
    seq(b, 2, 0x05);
    poke(b, 0xa0005, 0x3c);
    assert_planes(b, 0x3c, 0x22, 0x3c, 0x88);
}

static void read_mode_0_gives_the_plane_of_the_read_map(void **state)
{
    struct bench *b = *state;
    prepare_planes(b);
    for (uint8_t p = 0; p < 4; p++) {
        gc(b, 4, p);
        assert_int_equal(peek(b, 0xa0005), 0x11u << p);
    }
}

/* Write mode 0: C3 rotated right by 4 is 3C; XOR with the latches under bit mask 0F. */
static void write_mode_0_rotates_combines_and_masks(void **state)
{
    struct bench *b = *state;
    prepare_planes(b);
    gc(b, 3, 0x18 | 4);
    gc(b, 8, 0x0f);
    poke(b, 0xa0005, 0xc3);
    assert_planes(b, 0x1d, 0x2e, 0x48, 0x84);
}

static void write_mode_0_takes_enabled_planes_from_set_reset(void **state)
{
    struct bench *b = *state;
    prepare_planes(b);
    gc(b, 0, 0x0a); /* set planes 1 and 3 */
    gc(b, 1, 0x0c); /* for planes 2 and 3 only */
    poke(b, 0xa0005, 0x55);
    assert_planes(b, 0x55, 0x55, 0x00, 0xff);
}

static void write_mode_0_ands_and_ors_with_the_latches(void **state)
{
    struct bench *b = *state;
    prepare_planes(b);
    gc(b, 3, 0x08);
    poke(b, 0xa0005, 0x66);
    assert_planes(b, 0x00, 0x22, 0x44, 0x00);
    prepare_planes(b);
    gc(b, 3, 0x10);
    poke(b, 0xa0005, 0x66);
    assert_planes(b, 0x77, 0x66, 0x66, 0xee);
}

static void write_mode_1_copies_the_latches(void **state)
{
    struct bench *b = *state;
    prepare_planes(b);
    gc(b, 5, 1);
    gc(b, 8, 0); /* the bit mask does not matter */
    poke(b, 0xa0009, 0xff);
    for (unsigned p = 0; p < 4; p++)
        assert_int_equal(plane(b, p, 9), 0x11u << p);
}

static void write_mode_2_spreads_four_bits_over_the_planes(void **state)
{
    struct bench *b = *state;
    prepare_planes(b);
    gc(b, 5, 2);
    gc(b, 8, 0xf0);
    poke(b, 0xa0005, 0x06);
    assert_planes(b, 0x01, 0xf2, 0xf4, 0x08);
}

/* Write mode 3: the rotated data AND the bit mask select between set/reset and the latches. */
static void write_mode_3_masks_set_reset_with_the_data(void **state)
{
    struct bench *b = *state;
    prepare_planes(b);
    gc(b, 0, 0x03);
    gc(b, 3, 1); /* 1F rotated right by 1 is 8F */
    gc(b, 5, 3);
    gc(b, 8, 0x3c); /* 8F & 3C = 0C */
    poke(b, 0xa0005, 0x1f);
    assert_planes(b, 0x1d, 0x2e, 0x40, 0x80);
}

/* Read mode 1: pixel colours at the address, from bit 7: 8 4 2 1 8 4 2 1. */
static void read_mode_1_compares_colors(void **state)
{
    struct bench *b = *state;
    prepare_planes(b);
    gc(b, 5, 0x08);
    gc(b, 2, 0x04);
    gc(b, 7, 0x0f);
    assert_int_equal(peek(b, 0xa0005), 0x44);
    gc(b, 7, 0x03); /* only planes 0 and 1, which must be clear: colours 8 and 4 */
    assert_int_equal(peek(b, 0xa0005), 0xcc);
    gc(b, 7, 0x00);
    assert_int_equal(peek(b, 0xa0005), 0xff);
}

static void odd_even_sends_odd_addresses_to_plane_1(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_3);
    phys_write(b->phys, 0xb8004, 0x1f41, 2);
    assert_int_equal(plane(b, 0, 4), 0x41);
    assert_int_equal(plane(b, 1, 4), 0x1f);
    assert_int_equal(plane(b, 0, 5), 0);
    assert_int_equal(phys_read(b->phys, 0xb8004, 2), 0x1f41);
    assert_int_equal(phys_read(b->phys, 0xb8002, 4), 0x1f410000);
}

static void chain_4_makes_memory_linear(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_13);
    phys_write(b->phys, 0xa0004, 0x44332211, 4);
    for (unsigned p = 0; p < 4; p++)
        assert_int_equal(plane(b, p, 1), 0x11 * (p + 1));
    assert_int_equal(phys_read(b->phys, 0xa0005, 2), 0x3322);
    assert_int_equal(phys_read(b->phys, 0xe0000004, 4), 0x44332211); /* the frame buffer agrees */
    seq(b, 2, 0x02); /* only plane 1: addresses 1, 5, 9.. */
    phys_write(b->phys, 0xa0004, 0xffffffff, 4);
    assert_int_equal(phys_read(b->phys, 0xa0004, 4), 0x4433ff11);
}

static void graphics_register_6_places_the_window(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_12);
    static const struct { uint8_t gc6; uint32_t first, last; } maps[4] = {
        {0x01, 0xa0000, 0xbffff}, {0x05, 0xa0000, 0xaffff}, {0x09, 0xb0000, 0xb7fff},
        {0x0d, 0xb8000, 0xbffff}};
    for (unsigned i = 0; i < 4; i++) {
        gc(b, 6, maps[i].gc6);
        poke(b, maps[i].first, 0x77);
        assert_int_equal(peek(b, maps[i].first), 0x77);
        assert_int_equal(plane(b, 0, 0), 0x77);
        poke(b, maps[i].first, 0);
        if (maps[i].first > 0xa0000)
            assert_int_equal(peek(b, maps[i].first - 1), 0xff);
        if (maps[i].last < 0xbffff)
            assert_int_equal(peek(b, maps[i].last + 1), 0xff);
    }
}

static void closed_memory_reads_ones_and_swallows_writes(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_13);
    out8(b, 0x3c2, 0x61); /* misc output bit 1: enable RAM */
    poke(b, 0xa0000, 0x12);
    assert_int_equal(peek(b, 0xa0000), 0xff);
    assert_int_equal(plane(b, 0, 0), 0);
}

static void a_plain_window_is_offered_for_direct_mapping(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_13);
    assert_true(rig(b)->direct);
    assert_int_equal(rig(b)->direct_offset, 0);
    assert_int_equal(rig(b)->direct_size, 0x10000);
    assert_int_equal(rig(b)->direct_vram, 0);
    gc(b, 8, 0x7f);
    assert_false(rig(b)->direct);
    gc(b, 8, 0xff);
    assert_true(rig(b)->direct);
    seq(b, 4, 0x06);
    assert_false(rig(b)->direct);
    unsigned before = rig(b)->remaps;
    gc(b, 3, 0x08);
    assert_int_equal(rig(b)->remaps, before);
    assert_false(vga_window_linear(&rig(b)->vga).on);
}

/* ---- text ---- */

static const uint8_t test_glyph[16] = {0x80, 0x41, 0x22, 0x14, 0x08, 0x14, 0x22, 0x41,
                                       0xff, 0x00, 0x55, 0xaa, 0x01, 0x7e, 0x18, 0xe7};

/* Compares a cell with the glyph's bits; the ninth dot is paper, or repeats the eighth. */
static void assert_cell(struct bench *b, unsigned column, unsigned row, const uint8_t glyph[16],
                        unsigned ink, unsigned paper, bool ninth_repeats)
{
    for (unsigned y = 0; y < 16; y++) {
        for (unsigned x = 0; x < 9; x++) {
            bool set = x < 8 ? glyph[y] >> (7 - x) & 1 : ninth_repeats && (glyph[y] & 1);
            assert_int_equal(pixel(b, column * 9 + x, row * 16 + y), grey(set ? ink : paper));
        }
    }
}

static void a_character_shows_its_glyph_in_its_colors(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    load_glyph(b, 0, 'A', test_glyph);
    put_cell(b, 3, 2, 'A', 0x1e);
    put_cell(b, 79, 24, 'A', 0xf1);
    draw(b);
    assert_int_equal(rig(b)->screen.width, 720);
    assert_int_equal(rig(b)->screen.height, 400);
    assert_cell(b, 3, 2, test_glyph, 14, 1, false);
    assert_cell(b, 79, 24, test_glyph, 1, 15, false);
}

static void line_drawing_characters_repeat_their_eighth_dot(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    load_glyph(b, 0, 0xc4, test_glyph);
    load_glyph(b, 0, 0xe0, test_glyph);
    put_cell(b, 0, 0, 0xc4, 0x07);
    put_cell(b, 1, 0, 0xe0, 0x07);
    draw(b);
    assert_cell(b, 0, 0, test_glyph, 7, 0, true);
    assert_cell(b, 1, 0, test_glyph, 7, 0, false);
    attr(b, 0x10, 0x00); /* without "enable line graphics" */
    draw(b);
    assert_cell(b, 0, 0, test_glyph, 7, 0, false);
}

/* Character map select: map A (bits 5, 3, 2) for attribute bit 3 = 1; map 1 lies at 4000h and map
 * 4 at 2000h of plane 2. */
static void attribute_bit_3_chooses_the_second_font(void **state)
{
    struct bench *b = *state;
    static const uint8_t solid[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    plain_text(b);
    load_glyph(b, 0x4000, 'A', solid);
    load_glyph(b, 0x2000, 'A', test_glyph);
    seq(b, 3, 0x04 | 0x10); /* A = 1, B = 4 */
    put_cell(b, 0, 0, 'A', 0x0f);
    put_cell(b, 1, 0, 'A', 0x07);
    draw(b);
    assert_cell(b, 0, 0, solid, 15, 0, false);
    assert_cell(b, 1, 0, test_glyph, 7, 0, false);
}

static void eight_dot_characters_have_no_ninth(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    seq(b, 1, 0x01);
    attr(b, 0x13, 0);
    load_glyph(b, 0, 'A', test_glyph);
    put_cell(b, 1, 0, 'A', 0x07);
    draw(b);
    assert_int_equal(rig(b)->screen.width, 640);
    for (unsigned x = 0; x < 8; x++)
        assert_int_equal(pixel(b, 8 + x, 10), grey(0x55 >> (7 - x) & 1 ? 7 : 0));
}

/* Cursor of scan lines 13-14 at row 1, column 2; on for 8 frames, off for 8. */
static void the_cursor_blinks_between_its_scan_lines(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    put_cell(b, 2, 1, ' ', 0x07);
    crtc(b, 0x0a, 13);
    crtc(b, 0x0b, 14);
    crtc(b, 0x0e, 0);
    crtc(b, 0x0f, 82);
    draw(b);
    assert_int_equal(pixel(b, 18, 16 + 12), grey(0));
    assert_int_equal(pixel(b, 18, 16 + 13), grey(7));
    assert_int_equal(pixel(b, 26, 16 + 14), grey(7));
    assert_int_equal(pixel(b, 27, 16 + 14), grey(0));
    assert_int_equal(pixel(b, 18, 16 + 15), grey(0));
    clock_skip_to(&b->clk, 8 * vga_frame_time(&rig(b)->vga) + 1000);
    draw(b);
    assert_int_equal(pixel(b, 18, 16 + 13), grey(0));
    clock_skip_to(&b->clk, 16 * vga_frame_time(&rig(b)->vga) + 1000);
    draw(b);
    assert_int_equal(pixel(b, 18, 16 + 13), grey(7));
    crtc(b, 0x0a, 13 | 0x20);
    draw(b);
    assert_int_equal(pixel(b, 18, 16 + 13), grey(0));
}

static void a_cursor_that_ends_before_it_starts_is_not_shown(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    put_cell(b, 0, 0, ' ', 0x07);
    crtc(b, 0x0a, 8);
    crtc(b, 0x0b, 7);
    draw(b);
    for (unsigned y = 0; y < 16; y++)
        assert_int_equal(pixel(b, 0, y), grey(0));
}

static void attribute_bit_7_blinks_or_brightens_the_paper(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    load_glyph(b, 0, 'A', test_glyph);
    put_cell(b, 0, 0, 'A', 0x94);
    draw(b);
    assert_cell(b, 0, 0, test_glyph, 4, 9, false);
    attr(b, 0x10, 0x0c);
    draw(b);
    assert_cell(b, 0, 0, test_glyph, 4, 1, false);
    clock_skip_to(&b->clk, 16 * vga_frame_time(&rig(b)->vga) + 1000);
    draw(b);
    assert_cell(b, 0, 0, test_glyph, 1, 1, false);
}

static void attribute_1_is_underlined_at_the_underline_location(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    crtc(b, 0x14, 0x0d);
    put_cell(b, 0, 0, ' ', 0x01);
    put_cell(b, 1, 0, ' ', 0x02);
    draw(b);
    assert_int_equal(pixel(b, 0, 12), grey(0));
    assert_int_equal(pixel(b, 0, 13), grey(1));
    assert_int_equal(pixel(b, 8, 13), grey(1));
    assert_int_equal(pixel(b, 9, 13), grey(0));
}

static void start_address_and_preset_row_scroll_the_text(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    load_glyph(b, 0, 'A', test_glyph);
    put_cell(b, 0, 1, 'A', 0x07);
    crtc(b, 0x0c, 0);
    crtc(b, 0x0d, 80);
    draw(b);
    assert_cell(b, 0, 0, test_glyph, 7, 0, false);
    crtc(b, 0x08, 8); /* preset row scan: the picture begins with row 8 of the glyph */
    draw(b);
    for (unsigned x = 0; x < 8; x++)
        assert_int_equal(pixel(b, x, 0), grey(7)); /* FF */
    for (unsigned x = 0; x < 8; x++)
        assert_int_equal(pixel(b, x, 1), grey(0)); /* 00 */
}

/* Nine-dot text: panning 8 is none, 0 moves left by one dot, 7 by eight. */
static void panning_moves_nine_dot_text_left(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    load_glyph(b, 0, 'A', test_glyph);
    put_cell(b, 1, 0, 'A', 0x07);
    static const struct { uint8_t pan, dots; } cases[] = {{8, 0}, {0, 1}, {3, 4}, {7, 8}};
    for (unsigned i = 0; i < 4; i++) {
        attr(b, 0x13, cases[i].pan);
        draw(b);
        assert_int_equal(pixel(b, 9u - cases[i].dots, 0), grey(7)); /* 80 */
        assert_int_equal(pixel(b, 10u - cases[i].dots, 0), grey(0));
    }
}

static void forty_columns_are_as_wide_as_eighty(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    seq(b, 1, 0x08);
    crtc(b, 0x11, 0);
    crtc(b, 0x00, 0x2d);
    crtc(b, 0x01, 0x27);
    crtc(b, 0x13, 0x14);
    load_glyph(b, 0, 'A', test_glyph);
    put_cell(b, 1, 0, 'A', 0x07);
    draw(b);
    assert_int_equal(rig(b)->screen.width, 720);
    assert_int_equal(pixel(b, 18, 0), grey(7));
    assert_int_equal(pixel(b, 19, 0), grey(7));
    assert_int_equal(pixel(b, 20, 0), grey(0));
}

static void the_text_of_the_screen_is_utf8_without_trailing_spaces(void **state)
{
    struct bench *b = *state;
    char text[8192];
    plain_text(b);
    for (unsigned i = 0; i < 2000; i++)
        put_cell(b, i % 80, i / 80, ' ', 7);
    static const uint8_t hello[] = {'C', ':', 0x5c, '>', ' ', 0x81, 0xc4, 0x00, 'x'};
    for (unsigned i = 0; i < sizeof(hello); i++)
        put_cell(b, i, 0, hello[i], 7);
    put_cell(b, 2, 24, '!', 7);
    assert_true(vga_text(&rig(b)->vga, text, sizeof(text)));
    assert_string_equal(text, "C:\\> \xc3\xbc\xe2\x94\x80 x\n"
                              "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n  !\n");
    assert_true(vga_text(&rig(b)->vga, text, 7)); /* cut at a whole character */
    assert_string_equal(text, "C:\\>");
    set_mode(b, &mode_13);
    assert_false(vga_text(&rig(b)->vga, text, sizeof(text)));
    assert_string_equal(text, "");
}

static void the_cursor_position_is_known(void **state)
{
    struct bench *b = *state;
    struct vga_text_screen t;
    plain_text(b);
    crtc(b, 0x0a, 13);
    crtc(b, 0x0e, 1000 >> 8);
    crtc(b, 0x0f, 1000 & 255);
    assert_true(vga_text_screen(&rig(b)->vga, &t));
    assert_int_equal(t.columns, 80);
    assert_int_equal(t.rows, 25);
    assert_true(t.cursor_on);
    assert_int_equal(t.cursor_row, 12);
    assert_int_equal(t.cursor_column, 40);
    crtc(b, 0x0e, 2000 >> 8);
    crtc(b, 0x0f, 2000 & 255);
    assert_true(vga_text_screen(&rig(b)->vga, &t));
    assert_false(t.cursor_on);
}

/* ---- graphics ---- */

/* A mode 13h pixel is two dots wide and two scan lines high. */
static void mode_13_shows_a_byte_as_a_pixel(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_13);
    dac(b, 200, 63, 32, 1);
    poke(b, 0xa0000 + 199 * 320 + 319, 200);
    poke(b, 0xa0000 + 1, 200);
    draw(b);
    assert_int_equal(rig(b)->screen.width, 640);
    assert_int_equal(rig(b)->screen.height, 400);
    /* 63, 32, 1 of 63: 255, 130, 4 */
    assert_int_equal(pixel(b, 639, 399), 0xff8204);
    assert_int_equal(pixel(b, 638, 398), 0xff8204);
    assert_int_equal(pixel(b, 637, 399), 0);
    assert_int_equal(pixel(b, 1, 0), 0);
    assert_int_equal(pixel(b, 2, 0), 0xff8204);
    assert_int_equal(pixel(b, 3, 1), 0xff8204);
    assert_int_equal(pixel(b, 3, 2), 0);
    out8(b, 0x3c6, 0x37); /* PEL mask: 200 becomes 0 */
    draw(b);
    assert_int_equal(pixel(b, 2, 0), 0);
}

static void mode_x_shows_the_four_planes_in_turn(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_13);
    grey_dac(b);
    seq(b, 4, 0x06);
    crtc(b, 0x14, 0x00);
    crtc(b, 0x17, 0xe3);
    seq(b, 2, 0x04); /* plane 2 */
    poke(b, 0xa0000 + 81, 33);
    draw(b);
    /* Address 81 of 80 a row: row 1, pixels 4..7; plane 2 is pixel 6. */
    assert_int_equal(pixel(b, 12, 2), grey(33));
    assert_int_equal(pixel(b, 13, 3), grey(33));
    assert_int_equal(pixel(b, 11, 2), grey(0));
    assert_int_equal(pixel(b, 14, 2), grey(0));
    crtc(b, 0x0d, 80); /* start one row lower */
    attr(b, 0x13, 4);  /* and two pixels to the right */
    draw(b);
    assert_int_equal(pixel(b, 8, 0), grey(33));
    assert_int_equal(pixel(b, 10, 0), grey(0));
}

static void planar_pixels_take_a_bit_of_each_plane(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_12);
    grey_dac(b);
    for (uint8_t i = 0; i < 16; i++)
        attr(b, i, i);
    seq(b, 2, 0x0a);
    poke(b, 0xa0000 + 80 * 479 + 79, 0x01);
    seq(b, 2, 0x01);
    poke(b, 0xa0000 + 80 * 479 + 79, 0x03);
    draw(b);
    assert_int_equal(rig(b)->screen.width, 640);
    assert_int_equal(rig(b)->screen.height, 480);
    assert_int_equal(pixel(b, 639, 479), grey(11));
    assert_int_equal(pixel(b, 638, 479), grey(1));
    assert_int_equal(pixel(b, 637, 479), grey(0));
    attr(b, 0x12, 0x08); /* colour plane enable */
    draw(b);
    assert_int_equal(pixel(b, 639, 479), grey(8));
    assert_int_equal(pixel(b, 638, 479), grey(0));
}

/* Color select: with AR10 bit 7, palette bits 5-4 come from AR14 bits 1-0. */
static void color_select_replaces_the_high_palette_bits(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_12);
    grey_dac(b);
    attr(b, 1, 0x35);
    attr(b, 0x14, 0x02);
    seq(b, 2, 0x01);
    poke(b, 0xa0000, 0x80);
    draw(b);
    assert_int_equal(pixel(b, 0, 0), grey(0x35));
    attr(b, 0x10, 0x81);
    draw(b);
    assert_int_equal(pixel(b, 0, 0), grey(0x25));
}

/* Mode 4: two bits a pixel, odd rows 2000h further on, each pixel 2 by 2. */
static void cga_rows_alternate_between_two_banks(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_4);
    grey_dac(b);
    for (uint8_t i = 0; i < 4; i++)
        attr(b, i, i);
    poke(b, 0xb8000, 0x1b);          /* row 0: 0 1 2 3 */
    poke(b, 0xb8000 + 1, 0xe4);      /* then 3 2 1 0 */
    poke(b, 0xb8000 + 0x2000, 0xc0); /* row 1 */
    poke(b, 0xb8000 + 80, 0x40);     /* row 2 */
    poke(b, 0xb8000 + 0x2000 + 99 * 80 + 79, 0x03); /* row 199, the last pixel */
    draw(b);
    assert_int_equal(rig(b)->screen.width, 640);
    assert_int_equal(rig(b)->screen.height, 400);
    static const uint8_t row_0[8] = {0, 1, 2, 3, 3, 2, 1, 0};
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(pixel(b, 2 * i, 0), grey(row_0[i]));
        assert_int_equal(pixel(b, 2 * i + 1, 1), grey(row_0[i]));
    }
    assert_int_equal(pixel(b, 0, 2), grey(3));
    assert_int_equal(pixel(b, 1, 3), grey(3));
    assert_int_equal(pixel(b, 0, 4), grey(1));
    assert_int_equal(pixel(b, 0, 6), grey(0));
    assert_int_equal(pixel(b, 639, 399), grey(3));
}

/* The line after the one that equals line compare shows memory from address 0. */
static void split_screen_restarts_at_address_0(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_12);
    grey_dac(b);
    seq(b, 2, 0x01);
    poke(b, 0xa0000, 0x80);      /* a pixel at address 0 */
    crtc(b, 0x0c, 0x40);         /* which the upper part does not show */
    crtc(b, 0x11, 0x0c);
    crtc(b, 0x18, 299 & 0xff);   /* line 299 = 12Bh: bit 8 in CR7, bit 9 in CR9 */
    crtc(b, 0x07, 0x3e);
    crtc(b, 0x09, 0x00);
    attr(b, 1, 1);
    draw(b);
    assert_int_equal(pixel(b, 0, 299), grey(0));
    assert_int_equal(pixel(b, 0, 300), grey(1));
    assert_int_equal(pixel(b, 0, 301), grey(0));
    attr(b, 0x13, 4); /* panning moves the lower part too */
    poke(b, 0xa0000, 0x08);
    draw(b);
    assert_int_equal(pixel(b, 0, 300), grey(1));
    attr(b, 0x10, 0x21); /* unless AR10 bit 5 */
    draw(b);
    assert_int_equal(pixel(b, 0, 300), grey(0));
    assert_int_equal(pixel(b, 4, 300), grey(1));
}

static void byte_panning_moves_by_whole_characters(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_12);
    grey_dac(b);
    attr(b, 1, 1);
    seq(b, 2, 0x01);
    poke(b, 0xa0003, 0x80);
    crtc(b, 0x08, 0x60);
    draw(b);
    assert_int_equal(pixel(b, 0, 0), grey(1));
    assert_int_equal(pixel(b, 24, 0), grey(0));
}

static void screen_off_is_black_and_palette_access_shows_overscan(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_12);
    grey_dac(b);
    attr(b, 0, 20);
    attr(b, 0x11, 30);
    draw(b);
    assert_int_equal(pixel(b, 5, 5), grey(20));
    in8(b, 0x3da);
    out8(b, 0x3c0, 0x00);
    draw(b);
    assert_int_equal(pixel(b, 5, 5), grey(30));
    seq(b, 1, 0x21);
    draw(b);
    assert_int_equal(pixel(b, 5, 5), 0);
}

/* ---- DISPI ---- */

static void dispi_identification_reads_back_known_levels(void **state)
{
    struct bench *b = *state;
    for (uint16_t id = 0xb0c0; id <= 0xb0c5; id++) {
        vbe(b, VBE_ID, id);
        assert_int_equal(vbe_get(b, VBE_ID), id);
    }
    vbe(b, VBE_ID, 0xb0c6);
    assert_int_equal(vbe_get(b, VBE_ID), 0xb0c5);
    assert_int_equal(vbe_get(b, VBE_MEMORY_64K), 16 * 1024 / 64);
    assert_int_equal(vbe_get(b, 0x77), 0);
}

static void vbe_mode(struct bench *b, uint16_t x, uint16_t y, uint16_t bpp, uint16_t flags)
{
    vbe(b, VBE_ENABLE, 0);
    vbe(b, VBE_XRES, x);
    vbe(b, VBE_YRES, y);
    vbe(b, VBE_BPP, bpp);
    vbe(b, VBE_ENABLE, VBE_ENABLED | VBE_LFB | flags);
}

static void getcaps_reads_the_limits(void **state)
{
    struct bench *b = *state;
    vbe_mode(b, 800, 600, 16, 0);
    vbe(b, VBE_ENABLE, VBE_ENABLED | VBE_GETCAPS);
    assert_int_equal(vbe_get(b, VBE_XRES), VBE_MAX_XRES);
    assert_int_equal(vbe_get(b, VBE_YRES), VBE_MAX_YRES);
    assert_int_equal(vbe_get(b, VBE_BPP), 32);
    vbe(b, VBE_ENABLE, VBE_ENABLED);
    assert_int_equal(vbe_get(b, VBE_XRES), 800);
    assert_int_equal(vbe_get(b, VBE_YRES), 600);
    assert_int_equal(vbe_get(b, VBE_BPP), 16);
}

static void impossible_geometry_is_ignored(void **state)
{
    struct bench *b = *state;
    vbe_mode(b, 800, 600, 16, 0);
    vbe(b, VBE_XRES, 640); /* while the mode is on */
    assert_int_equal(vbe_get(b, VBE_XRES), 800);
    vbe(b, VBE_ENABLE, 0);
    vbe(b, VBE_XRES, VBE_MAX_XRES + 1);
    vbe(b, VBE_YRES, 0);
    vbe(b, VBE_BPP, 17);
    assert_int_equal(vbe_get(b, VBE_XRES), 800);
    assert_int_equal(vbe_get(b, VBE_YRES), 600);
    assert_int_equal(vbe_get(b, VBE_BPP), 16);
    vbe(b, VBE_BPP, 0); /* means 8 */
    assert_int_equal(vbe_get(b, VBE_BPP), 8);
}

static void virtual_height_is_what_fits_into_memory(void **state)
{
    struct bench *b = *state;
    vbe_mode(b, 1024, 768, 32, 0);
    assert_int_equal(vbe_get(b, VBE_VIRT_WIDTH), 1024);
    assert_int_equal(vbe_get(b, VBE_VIRT_HEIGHT), 4096);
    vbe(b, VBE_VIRT_WIDTH, 2048);
    assert_int_equal(vbe_get(b, VBE_VIRT_HEIGHT), 2048);
    vbe(b, VBE_VIRT_WIDTH, 100); /* never under the width */
    assert_int_equal(vbe_get(b, VBE_VIRT_WIDTH), 1024);
}

static void enabling_clears_the_screen_unless_told_not_to(void **state)
{
    struct bench *b = *state;
    phys_write(b->phys, 0xe0000000, 0x12345678, 4);
    vbe_mode(b, 640, 480, 32, VBE_NOCLEAR);
    assert_int_equal(phys_read(b->phys, 0xe0000000, 4), 0x12345678);
    vbe_mode(b, 640, 480, 32, 0);
    assert_int_equal(phys_read(b->phys, 0xe0000000, 4), 0);
}

static void each_depth_shows_its_pixel_format(void **state)
{
    struct bench *b = *state;
    static const struct { uint16_t bpp; uint32_t value, bytes, rgb; } cases[] = {
        {15, 0x7c1f, 2, 0xff00ff}, {16, 0x07e0, 2, 0x00ff00}, {16, 0x8410, 2, 0x848284},
        {24, 0x123456, 3, 0x123456}, {32, 0xff123456, 4, 0x123456}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vbe_mode(b, 640, 480, cases[i].bpp, 0);
        uint32_t at = 0xe0000000 + (640 * 479 + 639) * cases[i].bytes;
        for (unsigned n = 0; n < cases[i].bytes; n++)
            poke(b, at + n, (uint8_t)(cases[i].value >> (8 * n)));
        draw(b);
        assert_int_equal(rig(b)->screen.width, 640);
        assert_int_equal(rig(b)->screen.height, 480);
        assert_int_equal(pixel(b, 639, 479), cases[i].rgb);
        assert_int_equal(pixel(b, 638, 479), 0);
    }
}

static void eight_bit_depth_uses_the_dac_of_six_or_eight_bits(void **state)
{
    struct bench *b = *state;
    vbe_mode(b, 640, 480, 8, 0);
    dac(b, 77, 0x3f, 0x00, 0x20);
    poke(b, 0xe0000000 + 5, 77);
    draw(b);
    assert_int_equal(pixel(b, 5, 0), 0xff0082);
    vbe(b, VBE_ENABLE, VBE_ENABLED | VBE_8BIT_DAC | VBE_NOCLEAR);
    dac(b, 77, 0xfe, 0x01, 0x80);
    out8(b, 0x3c7, 77);
    assert_int_equal(in8(b, 0x3c9), 0xfe);
    draw(b);
    assert_int_equal(pixel(b, 5, 0), 0xfe0180);
    vbe(b, VBE_ENABLE, 0); /* colours keep their looks in 6 bits */
    out8(b, 0x3c7, 77);
    assert_int_equal(in8(b, 0x3c9), 0x3f);
    assert_int_equal(in8(b, 0x3c9), 0x00);
    assert_int_equal(in8(b, 0x3c9), 0x20);
}

static void offsets_move_the_picture_over_the_virtual_screen(void **state)
{
    struct bench *b = *state;
    vbe_mode(b, 640, 480, 32, 0);
    vbe(b, VBE_VIRT_WIDTH, 1000);
    vbe(b, VBE_X_OFFSET, 7);
    vbe(b, VBE_Y_OFFSET, 500);
    phys_write(b->phys, 0xe0000000 + (1000 * 501 + 9) * 4, 0xabcdef, 4);
    draw(b);
    assert_int_equal(pixel(b, 2, 1), 0xabcdef);
}

static void the_bank_register_moves_the_window(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_3); /* opens memory; the window is then at B8000 */
    vbe_mode(b, 1024, 768, 8, 0);
    vbe(b, VBE_BANK, 3);
    poke(b, 0xa0010, 0x99);
    assert_int_equal(peek(b, 0xe0030010), 0x99);
    assert_int_equal(peek(b, 0xb8000), 0xff);
    assert_true(rig(b)->direct);
    assert_int_equal(rig(b)->direct_vram, 0x30000);
    vbe(b, VBE_BANK, 0x1ff); /* 256 banks: the number wraps */
    assert_int_equal(vbe_get(b, VBE_BANK), 0xff);
    vbe(b, VBE_ENABLE, 0);
    assert_false(rig(b)->direct);
}

static void four_bit_depth_is_planar_with_banks_of_plane_addresses(void **state)
{
    struct bench *b = *state;
    set_mode(b, &mode_12);
    grey_dac(b);
    for (uint8_t i = 0; i < 16; i++)
        attr(b, i, i);
    vbe_mode(b, 1024, 768, 4, 0);
    assert_int_equal(vbe_get(b, VBE_VIRT_HEIGHT), 4 * 1024 * 1024 / 128);
    vbe(b, VBE_BANK, 1); /* plane address 65536 = 128 * 512: row 512 */
    seq(b, 2, 0x09);
    poke(b, 0xa0000 + 1, 0x40);
    draw(b);
    assert_int_equal(rig(b)->screen.width, 1024);
    assert_int_equal(pixel(b, 9, 512), grey(9));
    assert_int_equal(pixel(b, 8, 512), grey(0));
}

static void dispi_modes_have_a_retrace_at_60_hz(void **state)
{
    struct bench *b = *state;
    unsigned rises, set;
    set_mode(b, &mode_3);
    vbe_mode(b, 1024, 768, 8, 0);
    poll_status(b, 0x08, 500000, &rises, &set);
    assert_in_range(rises, 29, 31);
    assert_true(set > 0);
}

static void the_register_bar_reaches_both_register_sets(void **state)
{
    struct bench *b = *state;
    io_ops_write(&vga_mmio_io, &rig(b)->vga, 0x402, 0x67, ACCESS_8);
    assert_int_equal(in8(b, 0x3cc), 0x67);
    io_ops_write(&vga_mmio_io, &rig(b)->vga, 0x404, 0x0402, ACCESS_16);
    assert_int_equal(in8(b, 0x3c5), 4);
    io_ops_write(&vga_mmio_io, &rig(b)->vga, 0x502, 1280, ACCESS_16);
    assert_int_equal(vbe_get(b, VBE_XRES), 1280);
    assert_int_equal(io_ops_read(&vga_mmio_io, &rig(b)->vga, 0x500, ACCESS_16), 0xb0c5);
    assert_int_equal(io_ops_read(&vga_mmio_io, &rig(b)->vga, 0x000, ACCESS_32), 0xffffffff);
}

/* ---- state ---- */

static void a_saved_vga_draws_the_same_after_loading(void **state)
{
    struct bench *b = *state;
    plain_text(b);
    crtc(b, 0x11, 0x1e);
    load_glyph(b, 0, 'A', test_glyph);
    put_cell(b, 0, 0, 'A', 7);
    draw(b);
    uint64_t picture = surface_hash(&rig(b)->screen), hash = state_hash(0, &vga_state_desc, &rig(b)->vga.st);
    vtime due = clock_next_due(&b->clk);
    struct buf saved = {0};
    state_save(&vga_state_desc, &rig(b)->vga.st, &saved);
    set_mode(b, &mode_13);
    vbe_mode(b, 800, 600, 8, VBE_NOCLEAR);
    assert_int_not_equal(state_hash(0, &vga_state_desc, &rig(b)->vga.st), hash);
    assert_int_equal(state_load(&vga_state_desc, &rig(b)->vga.st, saved.data, saved.len, NULL, NULL), 0);
    assert_int_equal(vga_class.post_load(&rig(b)->vga, NULL), EMU_OK);
    assert_int_equal(state_hash(0, &vga_state_desc, &rig(b)->vga.st), hash);
    assert_int_equal(clock_next_due(&b->clk), due);
    assert_int_equal(peek(b, 0xb8000), 'A');
    draw(b);
    assert_int_equal(surface_hash(&rig(b)->screen), picture);
    buf_free(&saved);
}

static void impossible_saved_geometry_is_refused(void **state)
{
    struct bench *b = *state;
    struct error err = {{0}};
    rig(b)->vga.st.vbe[VBE_XRES] = 0;
    assert_int_equal(vga_class.post_load(&rig(b)->vga, &err), EMU_FORMAT);
    assert_true(strlen(err.text) > 0);
}

static uint32_t next_random(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

/* Any registers, any memory access, any picture: nothing leaves the block (run under ASan). */
static void hostile_registers_touch_nothing_outside(void **state)
{
    struct bench *b = *state;
    uint32_t x = 1;
    char text[600];
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 400; i++) {
            uint16_t port = (uint16_t)(0x3b0 + next_random(&x) % VGA_PORTS);
            io_write(&b->io, port, next_random(&x), ACCESS_16);
            out8(b, 0x3d4, (uint8_t)(i % 25));
            out8(b, 0x3d5, (uint8_t)(next_random(&x)));
        }
        if (round & 1)
            out8(b, 0x3c2, 0x03);
        out8(b, 0x3c4, 4);
        out8(b, 0x3c5, (uint8_t)next_random(&x));
        for (unsigned i = 0; i < 12; i++)
            vbe(b, (uint16_t)(next_random(&x) % 12), (uint16_t)next_random(&x));
        if (round % 3 != 0)
            vbe(b, VBE_ENABLE, 0);
        for (unsigned i = 0; i < 400; i++) {
            paddr at = 0xa0000 + next_random(&x) % VGA_WINDOW;
            unsigned size = 1u << next_random(&x) % 3;
            phys_write(b->phys, at, next_random(&x), size);
            phys_read(b->phys, at ^ 0x1234, size);
        }
        io_ops_write(&vga_mem_io, &rig(b)->vga, VGA_WINDOW - 1, 0xffffffff, ACCESS_32);
        io_ops_read(&vga_mem_io, &rig(b)->vga, VGA_WINDOW - 2, ACCESS_32);
        crtc(b, 0x12, 40); /* keep pictures small: the test has to end */
        draw(b);
        vga_text(&rig(b)->vga, text, sizeof(text));
        assert_true(rig(b)->screen.width >= 1 && rig(b)->screen.height >= 1);
        assert_true(vga_frame_time(&rig(b)->vga) > 0);
    }
}

/* A guest in a text mode with the vertical interrupt on, halfway through a colour. */
static void poke_all(struct bench *b)
{
    plain_text(b);
    crtc(b, 0x11, 0x1e);
    put_cell(b, 5, 5, 'x', 0x17);
    peek(b, 0xb8002);
    clock_step(b, 20000000);
    crtc(b, 0x11, 0x0e);
    crtc(b, 0x11, 0x1e);
    out8(b, 0x3c8, 9);
    out8(b, 0x3c9, 1);
    out8(b, 0x3c0, 0x33);
}

DEVICE_TESTS(vga, setup, &rig(b)->vga.dev, poke_all);

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(misc_output_chooses_the_crtc_ports),
        T(a_word_to_the_index_port_writes_index_and_data),
        T(protected_crtc_registers_keep_their_value),
        T(status_1_resets_the_attribute_flip_flop),
        T(unused_register_bits_and_indexes_read_zero),
        T(dac_stores_a_color_after_its_third_byte_and_moves_on),
        T(dac_state_tells_reading_from_writing),
        T(dac_has_six_bits_and_wraps_after_color_255),
        T(mode_3_has_70_retraces_a_second_of_two_lines),
        T(mode_12_has_60_retraces_a_second),
        T(status_bit_0_is_clear_while_the_picture_is_displayed),
        T(vertical_interrupt_comes_at_the_start_of_retrace),
        T(map_mask_chooses_the_planes_written),
        T(read_mode_0_gives_the_plane_of_the_read_map),
        T(write_mode_0_rotates_combines_and_masks),
        T(write_mode_0_takes_enabled_planes_from_set_reset),
        T(write_mode_0_ands_and_ors_with_the_latches),
        T(write_mode_1_copies_the_latches),
        T(write_mode_2_spreads_four_bits_over_the_planes),
        T(write_mode_3_masks_set_reset_with_the_data),
        T(read_mode_1_compares_colors),
        T(odd_even_sends_odd_addresses_to_plane_1),
        T(chain_4_makes_memory_linear),
        T(graphics_register_6_places_the_window),
        T(closed_memory_reads_ones_and_swallows_writes),
        T(a_plain_window_is_offered_for_direct_mapping),
        T(a_character_shows_its_glyph_in_its_colors),
        T(line_drawing_characters_repeat_their_eighth_dot),
        T(attribute_bit_3_chooses_the_second_font),
        T(eight_dot_characters_have_no_ninth),
        T(the_cursor_blinks_between_its_scan_lines),
        T(a_cursor_that_ends_before_it_starts_is_not_shown),
        T(attribute_bit_7_blinks_or_brightens_the_paper),
        T(attribute_1_is_underlined_at_the_underline_location),
        T(start_address_and_preset_row_scroll_the_text),
        T(panning_moves_nine_dot_text_left),
        T(forty_columns_are_as_wide_as_eighty),
        T(the_text_of_the_screen_is_utf8_without_trailing_spaces),
        T(the_cursor_position_is_known),
        T(mode_13_shows_a_byte_as_a_pixel),
        T(mode_x_shows_the_four_planes_in_turn),
        T(planar_pixels_take_a_bit_of_each_plane),
        T(color_select_replaces_the_high_palette_bits),
        T(cga_rows_alternate_between_two_banks),
        T(split_screen_restarts_at_address_0),
        T(byte_panning_moves_by_whole_characters),
        T(screen_off_is_black_and_palette_access_shows_overscan),
        T(dispi_identification_reads_back_known_levels),
        T(getcaps_reads_the_limits),
        T(impossible_geometry_is_ignored),
        T(virtual_height_is_what_fits_into_memory),
        T(enabling_clears_the_screen_unless_told_not_to),
        T(each_depth_shows_its_pixel_format),
        T(eight_bit_depth_uses_the_dac_of_six_or_eight_bits),
        T(offsets_move_the_picture_over_the_virtual_screen),
        T(the_bank_register_moves_the_window),
        T(four_bit_depth_is_planar_with_banks_of_plane_addresses),
        T(dispi_modes_have_a_retrace_at_60_hz),
        T(the_register_bar_reaches_both_register_sets),
        T(a_saved_vga_draws_the_same_after_loading),
        T(impossible_saved_geometry_is_refused),
        T(hostile_registers_touch_nothing_outside),
        DEVICE_TESTS_OF(vga),
    };
    return cmocka_run_group_tests_name("vga", tests, NULL, NULL);
}
