/* 82077AA floppy controller with an 8237, wired as in a PC/AT. */
#include "devices/i82077.h"
#include "devices/i8237.h"
#include "tests/lib/device_tests.h"

#include <string.h>

enum { IRQ = 0, BUFFER = 0x8000, MS = 1000000, LONG = 2000 * MS, SIZE_1440K = 80 * 2 * 18 * 512 };

struct board {
    struct i82077 fdc;
    struct i8237 dma;
    struct dma_page pages;
    struct blk *image[4];
};

static struct board *board(struct bench *b)
{
    return b->dev;
}

/* A medium in the bench's memory. */
struct memory_blk {
    struct blk blk;
    uint8_t data[];
};

static enum emu_err memory_read(struct blk *b, uint64_t offset, void *to, size_t len,
                                struct error *err)
{
    (void)err;
    memcpy(to, CONTAINER_OF(b, struct memory_blk, blk)->data + offset, len);
    return EMU_OK;
}

static enum emu_err memory_write(struct blk *b, uint64_t offset, const void *from, size_t len,
                                 struct error *err)
{
    (void)err;
    memcpy(CONTAINER_OF(b, struct memory_blk, blk)->data + offset, from, len);
    return EMU_OK;
}

static const struct blk_ops memory_ops = {.read = memory_read, .write = memory_write};

/* An image whose sectors carry their number, so that a sector tells where it came from. */
static struct blk *new_image(struct bench *b, uint64_t bytes)
{
    struct memory_blk *m = bench_alloc(b, sizeof(*m) + bytes);
    m->blk = (struct blk){&memory_ops, "test.img", bytes, false};
    for (uint32_t i = 0; i < bytes / 512; i++) {
        memset(m->data + i * 512, (int)(i & 0xff), 512);
        m->data[i * 512] = (uint8_t)(i >> 8);
    }
    return &m->blk;
}

/* Sector number of sector data as made above. */
static unsigned number_at(struct bench *b, paddr at)
{
    return phys_read(b->phys, at, 1) << 8 | phys_read(b->phys, at + 1, 1);
}

static void insert(struct bench *b, unsigned drive, uint64_t bytes, bool read_only)
{
    struct board *d = board(b);
    struct error err;
    unsigned slot = 0;
    while (d->image[slot])
        slot++;
    assert_in_range(slot, 0, 3);
    d->image[slot] = new_image(b, bytes);
    assert_int_equal(i82077_insert(&d->fdc, drive, d->image[slot], read_only, &err), EMU_OK);
}

static int setup_drives(void **state, uint8_t type_a, uint8_t type_b, bool ps2)
{
    struct bench *b = bench_new();
    struct board *d = bench_alloc(b, sizeof(*d));
    dma_page_init(&d->pages, "dma_page");
    i8237_init(&d->dma, "dma0",
               (struct i8237_wiring){
                   .phys = b->phys, .pages = &d->pages, .page_of = {0x7, 0x3, 0x1, 0x2}});
    i82077_init(&d->fdc, "fdc",
                (struct i82077_wiring){.clk = &b->clk,
                                       .log = &b->log,
                                       .irq = bench_line(b, IRQ),
                                       .dma = i8237_line(&d->dma, 2),
                                       .drive_type = {type_a, type_b},
                                       .ps2 = ps2});
    bench_map(b, 0x3f0, 6, 0, &i82077_io, &d->fdc);
    bench_map(b, 0x3f7, 1, 7, &i82077_io, &d->fdc);
    bench_map(b, 0x00, 16, 0, &i8237_io, &d->dma);
    bench_map(b, 0x81, 15, 1, &dma_page_io, &d->pages);
    bench_add(b, &d->fdc.dev);
    bench_add(b, &d->dma.dev);
    bench_add(b, &d->pages.dev);
    *state = b;
    return 0;
}

static int setup(void **state)
{
    setup_drives(state, FLOPPY_1440K, FLOPPY_1440K, false);
    insert(*state, 0, SIZE_1440K, false);
    return 0;
}

static int setup_empty(void **state)
{
    return setup_drives(state, FLOPPY_1440K, FLOPPY_NONE, false);
}

static int setup_1200k(void **state)
{
    return setup_drives(state, FLOPPY_1200K, FLOPPY_NONE, false);
}

static int setup_ps2(void **state)
{
    return setup_drives(state, FLOPPY_1440K, FLOPPY_NONE, true);
}

/* ---- A driver ---- */

/* Waits for INT; false after two seconds. */
static bool wait_int(struct bench *b)
{
    for (unsigned i = 0; i < 20000 && !b->line[IRQ]; i++)
        clock_step(b, MS / 10);
    return b->line[IRQ];
}

static void send(struct bench *b, unsigned n, const uint8_t *bytes)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(in8(b, 0x3f4) & 0xc0, 0x80);
        out8(b, 0x3f5, bytes[i]);
    }
}
#define SEND(b, ...) send(b, sizeof((uint8_t[]){__VA_ARGS__}), (uint8_t[]){__VA_ARGS__})

/* Reads the whole result; returns its length. */
static unsigned result(struct bench *b, uint8_t r[10])
{
    unsigned n = 0;
    memset(r, 0xee, 10);
    while ((in8(b, 0x3f4) & 0xd0) == 0xd0) {
        assert_in_range(n, 0, 9);
        r[n++] = in8(b, 0x3f5);
    }
    assert_int_equal(in8(b, 0x3f4) & 0xf0, 0x80);
    return n;
}

static void assert_result(struct bench *b, unsigned n, const uint8_t *expected)
{
    uint8_t r[10];
    assert_int_equal(result(b, r), n);
    assert_memory_equal(r, expected, n);
}
#define RESULT(b, ...) assert_result(b, sizeof((uint8_t[]){__VA_ARGS__}), (uint8_t[]){__VA_ARGS__})

static void sense_interrupt(struct bench *b, uint8_t st0, uint8_t pcn)
{
    SEND(b, 0x08);
    RESULT(b, st0, pcn);
}

/* Reset, four SENSE INTERRUPTs, motors on, 500 kbit/s, SPECIFY with DMA. */
static void start_controller(struct bench *b)
{
    out8(b, 0x3f2, 0x00);
    out8(b, 0x3f2, 0x3c);
    assert_true(wait_int(b));
    for (uint8_t unit = 0; unit < 4; unit++)
        sense_interrupt(b, 0xc0 | unit, 0);
    out8(b, 0x3f7, 0x00);
    SEND(b, 0x03, 0xdf, 0x02);
}

static void seek(struct bench *b, uint8_t unit, uint8_t cylinder)
{
    SEND(b, 0x0f, unit, cylinder);
    assert_true(wait_int(b));
    sense_interrupt(b, 0x20 | (unit & 3), cylinder);
}

/* Channel 2, to or from BUFFER. */
static void program_dma(struct bench *b, uint8_t mode, unsigned bytes)
{
    out8(b, 0x0a, 0x06);
    out8(b, 0x0b, mode);
    out8(b, 0x0c, 0);
    out8(b, 0x04, (uint8_t)BUFFER);
    out8(b, 0x04, (uint8_t)(BUFFER >> 8));
    out8(b, 0x81, 0);
    out8(b, 0x05, (uint8_t)(bytes - 1));
    out8(b, 0x05, (uint8_t)((bytes - 1) >> 8));
    out8(b, 0x0a, 0x02);
}
enum { TO_MEMORY = 0x46, FROM_MEMORY = 0x4a };

/* ---- Resets and registers ---- */

/* 82077AA 2.1.3: the RESET pin clears the DOR, which holds the chip. */
static void after_power_on_the_chip_is_held_in_reset(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in8(b, 0x3f2), 0);
    assert_int_equal(in8(b, 0x3f4) & 0x80, 0);
    clock_step(b, LONG);
    assert_line(b, IRQ, false);
}

/* 5.2.2: four SENSE INTERRUPTs after a reset, the fifth is invalid; the first drops INT. */
static void a_reset_interrupts_once_and_is_sensed_four_times(void **state)
{
    struct bench *b = *state;
    out8(b, 0x3f2, 0x0c);
    assert_int_equal(in8(b, 0x3f4), 0);
    assert_true(wait_int(b));
    assert_int_equal(in8(b, 0x3f4), 0x80);
    sense_interrupt(b, 0xc0, 0);
    assert_line(b, IRQ, false);
    sense_interrupt(b, 0xc1, 0);
    sense_interrupt(b, 0xc2, 0);
    sense_interrupt(b, 0xc3, 0);
    SEND(b, 0x08);
    RESULT(b, 0x80);
    assert_int_equal(b->rises[IRQ], 1);
}

/* 2.1.5: bit 7 of the DSR resets and clears itself. */
static void the_dsr_resets_too(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0x0f, 0);
    out8(b, 0x3f4, 0x80);
    assert_int_equal(in8(b, 0x3f4), 0);
    assert_true(wait_int(b));
    for (uint8_t unit = 0; unit < 4; unit++)
        sense_interrupt(b, 0xc0 | unit, 0);
}

/* 2.1.3: DMAGATE off tri-states INT and DRQ. */
static void without_the_dma_gate_int_stays_low(void **state)
{
    struct bench *b = *state;
    out8(b, 0x3f2, 0x04);
    clock_step(b, LONG);
    assert_line(b, IRQ, false);
    out8(b, 0x3f2, 0x0c);
    assert_line(b, IRQ, true);
}

static void in_at_mode_sra_and_srb_float(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in8(b, 0x3f0), 0xff);
    assert_int_equal(in8(b, 0x3f1), 0xff);
    out8(b, 0x3f3, 0x02);
    assert_int_equal(in8(b, 0x3f3) & 3, 2);
}

/* 2.1.1, 2.1.2, 2.1.8: one drive, head at track 0, interrupt pending after a reset. */
static void in_ps2_mode_sra_srb_and_dir_answer(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in8(b, 0x3f0), 0x46); /* DRV2#, INDX#, WP# high; TRK0# low */
    out8(b, 0x3f2, 0x14);
    assert_true(wait_int(b)); /* no gate in PS/2 mode */
    assert_int_equal(in8(b, 0x3f0), 0xc6);
    assert_int_equal(in8(b, 0x3f1), 0xc1);
    assert_int_equal(in8(b, 0x3f7), 0xfd); /* changed, 250 kbit/s, low density */
    out8(b, 0x3f7, 0x00);
    assert_int_equal(in8(b, 0x3f7), 0xf8);
}

/* ---- Commands that only talk to the controller ---- */

static void version_is_90h_and_unknown_commands_give_80h(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0x10);
    RESULT(b, 0x90);
    static const uint8_t unknown[] = {0x00, 0x01, 0x0b, 0x11, 0x18, 0x19, 0x1d, 0x1f, 0xff};
    for (unsigned i = 0; i < sizeof(unknown); i++) {
        send(b, 1, &unknown[i]);
        RESULT(b, 0x80);
    }
    assert_line(b, IRQ, false);
}

/* Table 5-1, DUMPREG. */
static void dumpreg_shows_what_was_set(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    seek(b, 0, 5);
    SEND(b, 0x13, 0x00, 0x57, 0x12);
    SEND(b, 0x12, 0x84 | 0x03);
    SEND(b, 0x0e);
    RESULT(b, 5, 0, 0, 0, 0xdf, 0x02, 0, 0x07, 0x57, 0x12);
    SEND(b, 0x12, 0x38); /* without OW the drive bits stay */
    SEND(b, 0x0e);
    RESULT(b, 5, 0, 0, 0, 0xdf, 0x02, 0, 0x04, 0x57, 0x12);
}

/* 5.2.9: LOCK keeps EFIFO, FIFOTHR and PRETRK over a software reset. */
static void lock_keeps_the_fifo_configuration_over_a_reset(void **state)
{
    struct bench *b = *state;
    uint8_t r[10];
    start_controller(b);
    SEND(b, 0x13, 0x00, 0x0a, 0x33);
    SEND(b, 0x94);
    RESULT(b, 0x10);
    start_controller(b);
    SEND(b, 0x0e);
    assert_int_equal(result(b, r), 10);
    assert_int_equal(r[7], 0x80);
    assert_int_equal(r[8], 0x0a);
    assert_int_equal(r[9], 0x33);
    SEND(b, 0x14);
    RESULT(b, 0x00);
    start_controller(b);
    SEND(b, 0x0e);
    assert_int_equal(result(b, r), 10);
    assert_int_equal(r[8], 0x20); /* FIFO off */
    assert_int_equal(r[9], 0x00);
}

static void sense_drive_tells_track_0_and_write_protection(void **state)
{
    struct bench *b = *state;
    insert(b, 1, SIZE_1440K, true);
    start_controller(b);
    SEND(b, 0x04, 0x04);
    RESULT(b, 0x3c);
    seek(b, 0, 3);
    SEND(b, 0x04, 0x00);
    RESULT(b, 0x28);
    SEND(b, 0x04, 0x01);
    RESULT(b, 0x79);
}

/* ---- Seeks ---- */

static void a_seek_shows_the_busy_drive_and_ends_with_an_interrupt(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0x0f, 0x00, 40);
    assert_int_equal(in8(b, 0x3f4), 0x81);
    assert_line(b, IRQ, false);
    assert_true(wait_int(b));
    assert_int_equal(in8(b, 0x3f4), 0x80);
    sense_interrupt(b, 0x20, 40);
    assert_line(b, IRQ, false);
}

static void two_drives_seek_at_the_same_time(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0x0f, 0x00, 40);
    SEND(b, 0x0f, 0x01, 10);
    assert_int_equal(in8(b, 0x3f4), 0x83);
    clock_step(b, LONG);
    sense_interrupt(b, 0x20, 40);
    assert_line(b, IRQ, true);
    sense_interrupt(b, 0x21, 10);
    assert_line(b, IRQ, false);
    SEND(b, 0x08);
    RESULT(b, 0x80);
}

/* Table 5-8: a step takes (16 - SRT) ms at 500 kbit/s; these drives run 16 times faster. */
static void the_step_rate_sets_the_time_of_a_seek(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0x03, 0x8f, 0x02); /* SRT 8: 8 ms */
    vtime start = clock_now(&b->clk);
    SEND(b, 0x0f, 0x00, 32);
    clock_step(b, LONG);
    vtime took = b->changed_at[IRQ] - start;
    assert_in_range(took, 32 * 8 * MS / 16, 34 * 8 * MS / 16);
}

/* 5.2.1: 79 steps at most; a head that was farther out needs a second RECALIBRATE. */
static void recalibrate_gives_up_after_79_steps(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    seek(b, 0, 82);
    SEND(b, 0x07, 0x00);
    assert_true(wait_int(b));
    sense_interrupt(b, 0x70, 0);
    SEND(b, 0x07, 0x00);
    assert_true(wait_int(b));
    sense_interrupt(b, 0x20, 0);
    SEND(b, 0x04, 0x00);
    RESULT(b, 0x38);
}

static void recalibrating_a_drive_that_is_not_there_reports_equipment_check(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0x07, 0x02);
    assert_true(wait_int(b));
    sense_interrupt(b, 0x72, 0);
}

static void a_relative_seek_moves_by_a_number_of_steps(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    seek(b, 0, 10);
    SEND(b, 0xcf, 0x00, 5);
    assert_true(wait_int(b));
    sense_interrupt(b, 0x20, 15);
    SEND(b, 0x8f, 0x00, 7);
    assert_true(wait_int(b));
    sense_interrupt(b, 0x20, 8);
}

/* ---- Reading and writing ---- */

static void read_data_ends_with_terminal_count(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    seek(b, 0, 3);
    program_dma(b, TO_MEMORY, 2 * 512);
    SEND(b, 0x46, 0x04, 3, 1, 5, 2, 18, 0x1b, 0xff);
    assert_int_equal(in8(b, 0x3f4), 0x10);
    assert_true(wait_int(b));
    RESULT(b, 0x04, 0, 0, 3, 1, 7, 2);
    assert_line(b, IRQ, false);
    assert_int_equal(number_at(b, BUFFER), (3 * 2 + 1) * 18 + 4);
    assert_int_equal(number_at(b, BUFFER + 512), (3 * 2 + 1) * 18 + 5);
    assert_int_equal(phys_read(b->phys, BUFFER + 1024, 1), 0);
}

/* Table 5-5: MT, both heads; TC with the last sector gives the next cylinder, head 0, sector 1. */
static void a_multi_track_read_goes_on_to_the_second_head(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    program_dma(b, TO_MEMORY, 36 * 512);
    SEND(b, 0xe6, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0, 1, 0, 1, 2);
    for (unsigned i = 0; i < 36; i++)
        assert_int_equal(number_at(b, BUFFER + i * 512), i);
}

/* Without TC the command runs into the end of the cylinder: EN. */
static void without_terminal_count_the_end_of_the_cylinder_is_an_error(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    program_dma(b, TO_MEMORY, 4 * 512);
    SEND(b, 0x46, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x40, 0x80, 0, 0, 0, 18, 2);
    assert_int_equal(number_at(b, BUFFER + 512), 17);
}

static void write_data_stores_sectors(void **state)
{
    struct bench *b = *state;
    uint8_t back[3 * 512];
    struct error err;
    start_controller(b);
    seek(b, 0, 7);
    for (unsigned i = 0; i < 1024; i++)
        phys_write(b->phys, BUFFER + i, 0xa0 + i / 512, 1);
    program_dma(b, FROM_MEMORY, 1024);
    SEND(b, 0x45, 0x00, 7, 0, 2, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0, 7, 0, 4, 2);
    assert_int_equal(blk_read(board(b)->image[0], (7 * 36 + 1) * 512, back, sizeof(back), &err), 0);
    assert_int_equal(back[0], 0xa0);
    assert_int_equal(back[511], 0xa0);
    assert_int_equal(back[512], 0xa1);
    assert_int_equal(back[1023], 0xa1);
    assert_int_equal(back[1025], (7 * 36 + 3) & 0xff);
}

/* 5.1.3: TC within a sector; the rest of the sector is filled with zeros. */
static void a_short_write_fills_its_sector_with_zeros(void **state)
{
    struct bench *b = *state;
    uint8_t back[512];
    struct error err;
    start_controller(b);
    phys_write_bytes(b->phys, BUFFER, "short", 5);
    program_dma(b, FROM_MEMORY, 5);
    SEND(b, 0x45, 0x00, 0, 0, 2, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0, 0, 0, 3, 2);
    assert_int_equal(blk_read(board(b)->image[0], 512, back, 512, &err), 0);
    assert_memory_equal(back, "short", 6);
    assert_int_equal(back[511], 0);
}

static void a_write_protected_medium_is_not_writable(void **state)
{
    struct bench *b = *state;
    insert(b, 1, SIZE_1440K, true);
    start_controller(b);
    program_dma(b, FROM_MEMORY, 512);
    SEND(b, 0x45, 0x01, 0, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x41, 0x02, 0, 0, 0, 1, 2);
    SEND(b, 0x4d, 0x01, 2, 18, 0x54, 0xf6);
    assert_true(wait_int(b));
    uint8_t r[10];
    assert_int_equal(result(b, r), 7);
    assert_int_equal(r[0] & 0xc0, 0x40);
    assert_int_equal(r[1], 0x02);
}

/* Table 6-2 (ND), 6-3 (WC). */
static void sectors_and_cylinders_that_are_not_there_are_reported(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    program_dma(b, TO_MEMORY, 512);
    SEND(b, 0x46, 0x00, 0, 0, 19, 2, 20, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x40, 0x04, 0, 0, 0, 19, 2);
    SEND(b, 0x46, 0x00, 1, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x40, 0x04, 0x10, 1, 0, 1, 2);
    SEND(b, 0x46, 0x00, 0, 1, 1, 2, 18, 0x1b, 0xff); /* H is not the head selected */
    assert_true(wait_int(b));
    RESULT(b, 0x40, 0x04, 0, 0, 0, 1, 2);
}

static void a_wrong_data_rate_finds_no_address_mark(void **state)
{
    struct bench *b = *state;
    uint8_t r[10];
    start_controller(b);
    program_dma(b, TO_MEMORY, 512);
    out8(b, 0x3f7, 0x02);
    SEND(b, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    assert_int_equal(result(b, r), 7);
    assert_int_equal(r[0], 0x40);
    assert_int_equal(r[1], 0x01);
    out8(b, 0x3f7, 0x00);
    SEND(b, 0x4a, 0x00);
    assert_true(wait_int(b));
    assert_int_equal(result(b, r), 7);
    assert_int_equal(r[0], 0x00);
}

static void a_masked_dma_channel_gives_an_overrun(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x40, 0x10, 0, 0, 0, 1, 2);
}

static void an_implied_seek_moves_the_head_first(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0x13, 0x00, 0x40, 0x00);
    program_dma(b, TO_MEMORY, 512);
    SEND(b, 0x46, 0x00, 60, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0, 60, 0, 2, 2);
    assert_int_equal(number_at(b, BUFFER), 60 * 36);
}

/* The drives turn 16 times faster than 300 rpm; 18 sectors make a revolution. */
static void a_track_takes_one_revolution(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    program_dma(b, TO_MEMORY, 18 * 512);
    vtime start = clock_now(&b->clk);
    SEND(b, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    clock_step(b, LONG);
    assert_in_range(b->changed_at[IRQ] - start, 200 * MS / 16, 201 * MS / 16);
}

static void read_id_returns_ids_of_the_track(void **state)
{
    struct bench *b = *state;
    uint32_t seen = 0;
    start_controller(b);
    seek(b, 0, 9);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t r[10];
        SEND(b, 0x4a, 0x04);
        assert_true(wait_int(b));
        assert_int_equal(result(b, r), 7);
        assert_memory_equal(r, ((uint8_t[]){0x04, 0, 0, 9, 1}), 5);
        assert_in_range(r[5], 1, 18);
        assert_int_equal(r[6], 2);
        seen |= 1u << r[5];
        clock_step(b, MS / 3);
    }
    assert_int_equal(seen, 0x7fffe); /* sectors 1 to 18, each of them some time */
}

/* Table 5-7: with EC, SC sectors. No data moves. */
static void verify_checks_sectors_without_dma(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0xd6, 0x80, 0, 0, 1, 2, 18, 0x1b, 20);
    assert_true(wait_int(b));
    RESULT(b, 0x04, 0, 0, 0, 1, 3, 2);
    SEND(b, 0x56, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0, 1, 0, 1, 2);
    SEND(b, 0x56, 0x00, 0, 0, 1, 2, 19, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x40, 0x04, 0, 0, 0, 19, 2);
}

static void read_track_delivers_a_whole_track(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    seek(b, 0, 2);
    program_dma(b, TO_MEMORY, 18 * 512);
    SEND(b, 0x42, 0x00, 2, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    uint8_t r[10];
    assert_int_equal(result(b, r), 7);
    assert_int_equal(r[0], 0x00);
    assert_int_equal(r[1], 0x00);
    for (unsigned i = 0; i < 18; i++)
        assert_int_equal(number_at(b, BUFFER + i * 512), 2 * 36 + i);
}

/* Table 5-6: a normal mark met by READ DELETED DATA without SK is read, CM set, and the end. */
static void read_deleted_data_on_normal_sectors_sets_the_control_mark(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    program_dma(b, TO_MEMORY, 3 * 512);
    SEND(b, 0x4c, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0x40, 0, 0, 2, 2);
    assert_int_equal(phys_read(b->phys, BUFFER + 2 * 512, 1), 0);
}

static void format_track_fills_the_sectors_with_the_filler(void **state)
{
    struct bench *b = *state;
    uint8_t track[19 * 512];
    struct error err;
    start_controller(b);
    seek(b, 0, 4);
    for (unsigned i = 0; i < 18; i++)
        phys_write(b->phys, BUFFER + i * 4, 4 | 1 << 8 | (i * 2 % 18 + i / 9 + 1) << 16 | 2 << 24,
                   4);
    program_dma(b, FROM_MEMORY, 18 * 4);
    SEND(b, 0x4d, 0x04, 2, 18, 0x54, 0xf6);
    assert_true(wait_int(b));
    uint8_t r[10];
    assert_int_equal(result(b, r), 7);
    assert_int_equal(r[0], 0x04);
    assert_int_equal(blk_read(board(b)->image[0], (4 * 36 + 18) * 512, track, sizeof(track), &err),
                     0);
    for (unsigned i = 0; i < 18 * 512; i++)
        assert_int_equal(track[i], 0xf6);
    assert_int_equal(track[18 * 512 + 1], (5 * 36) & 0xff);
}

/* ---- Non-DMA ---- */

/* 2.1.6: in the execution phase NON DMA, DIO and RQM tell of each byte; INT comes with each. */
static void without_dma_the_host_reads_byte_by_byte(void **state)
{
    struct bench *b = *state;
    uint8_t data[2 * 512];
    start_controller(b);
    SEND(b, 0x03, 0xdf, 0x03);
    SEND(b, 0x46, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < sizeof(data); i++) {
        assert_true(wait_int(b));
        assert_int_equal(in8(b, 0x3f4), 0xf0);
        data[i] = in8(b, 0x3f5);
        assert_line(b, IRQ, false);
    }
    assert_true(wait_int(b));
    RESULT(b, 0x40, 0x80, 0, 0, 0, 18, 2); /* no TC: end of cylinder */
    assert_int_equal(data[1], 16);
    assert_int_equal(data[513], 17);
}

static void without_dma_the_host_writes_byte_by_byte(void **state)
{
    struct bench *b = *state;
    uint8_t back[512];
    struct error err;
    start_controller(b);
    SEND(b, 0x03, 0xdf, 0x03);
    SEND(b, 0x45, 0x00, 0, 0, 18, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 512; i++) {
        assert_true(wait_int(b));
        assert_int_equal(in8(b, 0x3f4), 0xb0);
        out8(b, 0x3f5, (uint8_t)(i ^ 0x33));
    }
    assert_true(wait_int(b));
    RESULT(b, 0x40, 0x80, 0, 0, 0, 18, 2);
    assert_int_equal(blk_read(board(b)->image[0], 17 * 512, back, 512, &err), 0);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(back[i], (uint8_t)(i ^ 0x33));
}

/* ---- Media ---- */

/* DSKCHG is set when the medium leaves and cleared by a step with a medium in. */
static void the_change_line_is_cleared_by_a_step_with_a_medium(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    assert_int_equal(in8(b, 0x3f7) & 0x80, 0x80); /* since power-on */
    seek(b, 0, 1);
    assert_int_equal(in8(b, 0x3f7) & 0x80, 0);
    i82077_eject(&board(b)->fdc, 0);
    assert_int_equal(in8(b, 0x3f7) & 0x80, 0x80);
    seek(b, 0, 2);
    assert_int_equal(in8(b, 0x3f7) & 0x80, 0x80);
    insert(b, 0, SIZE_1440K, false);
    assert_int_equal(in8(b, 0x3f7) & 0x80, 0x80);
    seek(b, 0, 1);
    assert_int_equal(in8(b, 0x3f7) & 0x80, 0);
}

static void without_a_medium_a_read_waits_until_there_is_one(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    program_dma(b, TO_MEMORY, 512);
    SEND(b, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    clock_step(b, LONG);
    assert_line(b, IRQ, false);
    assert_int_equal(in8(b, 0x3f4), 0x10);
    insert(b, 0, SIZE_1440K, false);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0, 0, 0, 2, 2);
}

static void a_reset_ends_a_command_that_waits_for_a_medium(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    SEND(b, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    clock_step(b, LONG);
    start_controller(b);
    SEND(b, 0x10);
    RESULT(b, 0x90);
}

static void a_read_starts_when_the_motor_does(void **state)
{
    struct bench *b = *state;
    start_controller(b);
    out8(b, 0x3f2, 0x0c);
    program_dma(b, TO_MEMORY, 512);
    SEND(b, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    clock_step(b, LONG);
    assert_line(b, IRQ, false);
    out8(b, 0x3f2, 0x1c);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0, 0, 0, 2, 2);
}

static void image_sizes_name_their_formats(void **state)
{
    static const struct {
        uint32_t kib;
        uint8_t cylinders, heads, sectors, drive_type;
    } known[] = {
        {160, 40, 1, 8, 1},   {180, 40, 1, 9, 1},   {320, 40, 2, 8, 1},   {360, 40, 2, 9, 1},
        {720, 80, 2, 9, 3},   {1200, 80, 2, 15, 2}, {1440, 80, 2, 18, 4}, {1680, 80, 2, 21, 4},
        {1722, 82, 2, 21, 4}, {1760, 80, 2, 22, 4}, {2880, 80, 2, 36, 5},
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        const struct floppy_format *f = floppy_format_of(known[i].kib * 1024ull);
        assert_non_null(f);
        assert_int_equal(f->cylinders, known[i].cylinders);
        assert_int_equal(f->heads, known[i].heads);
        assert_int_equal(f->sectors, known[i].sectors);
        assert_int_equal(floppy_drive_type_for(known[i].kib * 1024ull), known[i].drive_type);
    }
    static const uint64_t unknown[] = {0, 511, 513, 1474560 + 512, 33546240, UINT64_MAX};
    for (unsigned i = 0; i < ARRAY_LEN(unknown); i++)
        assert_null(floppy_format_of(unknown[i]));
}

static void an_image_of_no_known_size_is_refused_and_the_old_medium_stays(void **state)
{
    struct bench *b = *state;
    struct board *d = board(b);
    struct error err;
    d->image[1] = new_image(b, 1000 * 512);
    assert_int_equal(i82077_insert(&d->fdc, 0, d->image[1], false, &err), EMU_FORMAT);
    assert_non_null(strstr(err.text, "no known floppy size"));
    assert_ptr_equal(i82077_medium(&d->fdc, 0), d->image[0]);
    assert_int_equal(i82077_cmos_types(&d->fdc), 0x44);
    assert_int_equal(i82077_insert(&d->fdc, 2, d->image[0], false, &err), EMU_ARG);
}

/* A boot sector alone: what is not in the file reads zero and cannot be written. */
static void a_boot_sector_image_is_the_beginning_of_a_floppy(void **state)
{
    struct bench *b = *state;
    uint8_t r[10];
    insert(b, 0, 512, false);
    start_controller(b);
    phys_write(b->phys, BUFFER + 513, 0x55, 1);
    program_dma(b, TO_MEMORY, 1024);
    SEND(b, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0, 0, 0, 3, 2);
    assert_int_equal(phys_read(b->phys, BUFFER + 513, 1), 0);
    program_dma(b, FROM_MEMORY, 512);
    SEND(b, 0x45, 0x00, 0, 0, 2, 2, 18, 0x1b, 0xff);
    assert_true(wait_int(b));
    assert_int_equal(result(b, r), 7);
    assert_int_equal(r[0], 0x40);
    assert_int_equal(board(b)->image[0]->size, 512);
}

static void a_720k_medium_reads_at_250_kbit(void **state)
{
    struct bench *b = *state;
    insert(b, 0, 720 * 1024, false);
    start_controller(b);
    seek(b, 0, 79);
    out8(b, 0x3f7, 0x02);
    program_dma(b, TO_MEMORY, 512);
    SEND(b, 0xe6, 0x04, 79, 1, 9, 2, 9, 0x2a, 0xff);
    assert_true(wait_int(b));
    RESULT(b, 0x00, 0, 0, 80, 0, 1, 2);
    assert_int_equal(number_at(b, BUFFER), 1439);
}

static void head_1_of_a_single_sided_medium_has_no_address_marks(void **state)
{
    struct bench *b = *state;
    uint8_t r[10];
    insert(b, 0, 180 * 1024, false);
    start_controller(b);
    out8(b, 0x3f7, 0x02);
    SEND(b, 0x4a, 0x04);
    assert_true(wait_int(b));
    assert_int_equal(result(b, r), 7);
    assert_int_equal(r[0], 0x44);
    assert_int_equal(r[1], 0x01);
}

/* A 48 tpi disk in a 96 tpi, 360 rpm drive: 300 kbit/s, every other step has a track. */
static void a_360k_medium_in_a_1200k_drive_needs_double_steps(void **state)
{
    struct bench *b = *state;
    uint8_t r[10];
    insert(b, 0, 360 * 1024, false);
    start_controller(b);
    out8(b, 0x3f7, 0x01);
    seek(b, 0, 20);
    SEND(b, 0x4a, 0x00);
    assert_true(wait_int(b));
    assert_int_equal(result(b, r), 7);
    assert_int_equal(r[0], 0x00);
    assert_int_equal(r[3], 10);
    seek(b, 0, 21);
    SEND(b, 0x4a, 0x00);
    assert_true(wait_int(b));
    assert_int_equal(result(b, r), 7);
    assert_int_equal(r[1], 0x01);
}

static void a_state_with_another_medium_is_refused_with_a_sentence(void **state)
{
    struct bench *b = *state;
    struct i82077 *f = &board(b)->fdc;
    struct error err;
    f->st.drive[0].medium_sectors = 1440;
    assert_int_equal(f->dev.cls->post_load(f, &err), EMU_FORMAT);
    assert_non_null(strstr(err.text, "drive A"));
}

/* ---- The generated suite ---- */

/* These run on altered states too: they look at nothing and assert nothing. */
static void blind(struct bench *b, unsigned n, const uint8_t *bytes)
{
    for (unsigned i = 0; i < n; i++)
        out8(b, 0x3f5, bytes[i]);
}
#define BLIND(b, ...) blind(b, sizeof((uint8_t[]){__VA_ARGS__}), (uint8_t[]){__VA_ARGS__})

static void blind_start(struct bench *b, uint8_t specify)
{
    out8(b, 0x3f2, 0x00);
    out8(b, 0x3f2, 0x3c);
    clock_step(b, MS);
    out8(b, 0x3f7, 0x00);
    BLIND(b, 0x03, 0xdf, specify);
}

static void poke(struct bench *b)
{
    blind_start(b, 0x02);
    BLIND(b, 0x0f, 0x01, 30);
    program_dma(b, TO_MEMORY, 40 * 512);
    BLIND(b, 0xe6, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    clock_step(b, MS);
}

static void poke_bytes(struct bench *b)
{
    blind_start(b, 0x03);
    BLIND(b, 0x45, 0x00, 0, 0, 18, 2, 18, 0x1b, 0xff);
    clock_step(b, MS);
    for (unsigned i = 0; i < 100; i++) {
        out8(b, 0x3f5, (uint8_t)i);
        clock_step(b, MS / 100);
    }
}

DEVICE_TESTS(i82077, setup_empty, &board(b)->fdc.dev, poke);
DEVICE_TESTS(i82077_medium, setup, &board(b)->fdc.dev, poke);
DEVICE_TESTS(i82077_bytes, setup, &board(b)->fdc.dev, poke_bytes);

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)
#define E(name) cmocka_unit_test_setup_teardown(name, setup_empty, bench_teardown)
    const struct CMUnitTest tests[] = {
        T(after_power_on_the_chip_is_held_in_reset),
        T(a_reset_interrupts_once_and_is_sensed_four_times),
        T(the_dsr_resets_too),
        T(without_the_dma_gate_int_stays_low),
        T(in_at_mode_sra_and_srb_float),
        cmocka_unit_test_setup_teardown(in_ps2_mode_sra_srb_and_dir_answer, setup_ps2,
                                        bench_teardown),
        T(version_is_90h_and_unknown_commands_give_80h),
        T(dumpreg_shows_what_was_set),
        T(lock_keeps_the_fifo_configuration_over_a_reset),
        T(sense_drive_tells_track_0_and_write_protection),
        T(a_seek_shows_the_busy_drive_and_ends_with_an_interrupt),
        T(two_drives_seek_at_the_same_time),
        T(the_step_rate_sets_the_time_of_a_seek),
        T(recalibrate_gives_up_after_79_steps),
        T(recalibrating_a_drive_that_is_not_there_reports_equipment_check),
        T(a_relative_seek_moves_by_a_number_of_steps),
        T(read_data_ends_with_terminal_count),
        T(a_multi_track_read_goes_on_to_the_second_head),
        T(without_terminal_count_the_end_of_the_cylinder_is_an_error),
        T(write_data_stores_sectors),
        T(a_short_write_fills_its_sector_with_zeros),
        T(a_write_protected_medium_is_not_writable),
        T(sectors_and_cylinders_that_are_not_there_are_reported),
        T(a_wrong_data_rate_finds_no_address_mark),
        T(a_masked_dma_channel_gives_an_overrun),
        T(an_implied_seek_moves_the_head_first),
        T(a_track_takes_one_revolution),
        T(read_id_returns_ids_of_the_track),
        T(verify_checks_sectors_without_dma),
        T(read_track_delivers_a_whole_track),
        T(read_deleted_data_on_normal_sectors_sets_the_control_mark),
        T(format_track_fills_the_sectors_with_the_filler),
        T(without_dma_the_host_reads_byte_by_byte),
        T(without_dma_the_host_writes_byte_by_byte),
        T(the_change_line_is_cleared_by_a_step_with_a_medium),
        E(without_a_medium_a_read_waits_until_there_is_one),
        E(a_reset_ends_a_command_that_waits_for_a_medium),
        T(a_read_starts_when_the_motor_does),
        T(image_sizes_name_their_formats),
        T(an_image_of_no_known_size_is_refused_and_the_old_medium_stays),
        E(a_boot_sector_image_is_the_beginning_of_a_floppy),
        E(a_720k_medium_reads_at_250_kbit),
        E(head_1_of_a_single_sided_medium_has_no_address_marks),
        cmocka_unit_test_setup_teardown(a_360k_medium_in_a_1200k_drive_needs_double_steps,
                                        setup_1200k, bench_teardown),
        T(a_state_with_another_medium_is_refused_with_a_sentence),
        DEVICE_TESTS_OF(i82077),
        DEVICE_TESTS_OF(i82077_medium),
        DEVICE_TESTS_OF(i82077_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
