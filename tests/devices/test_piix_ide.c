/*
 * The PIIX3's IDE function with a hard disk and a CD-ROM drive, programmed as a driver does it.
 * Expected values: Intel 82371SB datasheet (290550), 2.3 and 2.7; SFF-8038i (descriptors, status).
 */
#include "tests/devices/ata_board.h"

#include "devices/piix_ide.h"

enum { ADDRESS = 0xcf8, CONFIG = 0xcfc, MASTER = 0xc000, MASTER2 = MASTER + 8, BASE2 = 0x170,
       CONTROL2 = 0x376, LINE2 = 15 };
enum { BMICOM = MASTER, BMISTA = MASTER + 2, BMIDTP = MASTER + 4 };
enum { TABLE = 0x1000, SECTORS = 100000, BLOCKS = 1000 };

struct board {
    struct piix_ide ide;
    struct ata ata[2];
    struct pci_host host;
    struct pci_io_map map;
    struct pci_io_window window[2], control[2], master;
    struct test_disk *disk, *disc;
    enum ata_on_error on_error;
    unsigned asked; /* failures that the board was told of */
};

static struct board *board(struct bench *b) { return b->dev; }

static enum ata_on_error on_error(void *arg, const struct ata *a, unsigned drive, bool write,
                                  enum emu_err code, const struct error *err)
{
    struct board *x = arg;
    assert_ptr_equal(a, &x->ata[0]);
    assert_int_equal(drive, 0);
    assert_int_equal(code, EMU_IO);
    assert_string_not_equal(err->text, "");
    (void)write;
    x->asked++;
    return x->on_error;
}

static void decode(void *arg, unsigned channel, bool enabled)
{
    struct board *x = arg;
    pci_io_map_move(&x->map, &x->window[channel], !enabled ? 0 : channel ? BASE2 : BASE, enabled);
    pci_io_map_move(&x->map, &x->control[channel], !enabled ? 0 : channel ? CONTROL2 : CONTROL, enabled);
}

static void move_master(void *arg, uint32_t base, bool enabled)
{
    struct board *x = arg;
    pci_io_map_move(&x->map, &x->master, base, enabled);
}

static void make_channels(struct bench *b, struct board *x)
{
    uint8_t mbr[512] = {0};
    for (unsigned i = 0; i < 2; i++) {
        struct ata_wiring w = {.clk = &b->clk, .log = &b->log, .irq = {piix_ide_set_irq, &x->ide, i}};
        w.dma = piix_ide_dma(&x->ide, i);
        w.on_error = on_error;
        w.on_error_arg = x;
        w.drive[0] = i ? (struct ata_drive_wiring){.kind = ATA_CDROM, .medium = &x->disc->blk}
                       : (struct ata_drive_wiring){.kind = ATA_DISK,
                                                   .medium = &x->disk->blk,
                                                   .geometry = ata_guess_geometry(SECTORS, mbr)};
        x->window[i] = (struct pci_io_window){.name = "ide", .ops = &ata_io, .dev = &x->ata[i], .count = 8};
        x->control[i] =
            (struct pci_io_window){.name = "control", .ops = &ata_control_io, .dev = &x->ata[i], .count = 1};
        pci_io_map_add(&x->map, &x->window[i]);
        pci_io_map_add(&x->map, &x->control[i]);
        ata_init(&x->ata[i], i ? "ide1" : "ide0", w);
    }
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct board *x = bench_alloc(b, sizeof(*x));
    struct error err;
    x->map = (struct pci_io_map){.bus = &b->io, .log = &b->log};
    x->disk = new_disk(b, SECTORS);
    x->disc = new_disk(b, BLOCKS * 4);
    make_channels(b, x);
    x->master = (struct pci_io_window){.name = "master", .ops = &piix_ide_io, .dev = &x->ide,
                                       .count = PIIX_IDE_PORTS};
    pci_io_map_add(&x->map, &x->master);
    piix_ide_init(&x->ide, "ide", (struct piix_ide_wiring){
        .log = &b->log, .phys = b->phys, .irq = {bench_line(b, LINE), bench_line(b, LINE2)},
        .channel = {&x->ata[0], &x->ata[1]}, .decode = decode, .move = move_master, .arg = x});
    pci_host_init(&x->host, "pci", (struct pci_host_wiring){.log = &b->log});
    assert_int_equal(pci_bus_add(&x->host, 1, 1, &x->ide.pci, &err), EMU_OK);
    bench_map(b, ADDRESS, 8, 0, &pci_host_io, &x->host);
    bench_add(b, &x->ata[0].dev);
    bench_add(b, &x->ata[1].dev);
    bench_add(b, &x->ide.dev);
    bench_add(b, &x->host.dev);
    *state = b;
    return 0;
}

static void config(struct bench *b, unsigned reg) { out32(b, ADDRESS, 0x80000900u | reg); }

/* What SeaBIOS does (pciinit.c), and a driver that turns bus mastering on. */
static void set_up(struct bench *b)
{
    config(b, 0x40);
    out32(b, CONFIG, 0x80008000);
    config(b, 0x20);
    out32(b, CONFIG, MASTER);
    config(b, 0x04);
    out16(b, CONFIG, 0x0005);
    clock_step(b, 10 * MS);
}

static int setup_ready(void **state)
{
    setup(state);
    set_up(*state);
    return 0;
}

static void descriptor(struct bench *b, unsigned i, uint32_t address, unsigned bytes, bool last)
{
    phys_write(b->phys, TABLE + 8 * i, address, 4);
    phys_write(b->phys, TABLE + 8 * i + 4, (bytes & 0xffff) | (last ? 0x80000000u : 0), 4);
}

static void start(struct bench *b, bool to_memory)
{
    out32(b, BMIDTP, TABLE);
    out8(b, BMISTA, 0x06);
    out8(b, BMICOM, to_memory ? 8 : 0);
    out8(b, BMICOM, to_memory ? 9 : 1);
}

static void assert_memory_sector(struct bench *b, paddr at, uint64_t n)
{
    uint8_t got[512], want[512];
    phys_read_bytes(b->phys, at, got, 512);
    disk_sector(board(b)->disk, n, want);
    assert_memory_equal(got, want, 512);
}

/* ---- Configuration ---- */

static void it_is_an_ide_function_with_legacy_ports(void **state)
{
    struct bench *b = *state;
    config(b, 0x00);
    assert_int_equal(in32(b, CONFIG), 0x70108086);
    config(b, 0x08);
    assert_int_equal(in32(b, CONFIG) >> 8, 0x010180);
    config(b, 0x20);
    out32(b, CONFIG, 0xffffffff);
    assert_int_equal(in32(b, CONFIG), 0xfffffff1); /* 16 I/O ports */
}

static void channels_decode_when_idetim_and_command_say_so(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in8(b, DEVICE), 0xff);
    config(b, 0x04);
    out16(b, CONFIG, 1);
    assert_int_equal(in8(b, DEVICE), 0xff);
    config(b, 0x40);
    out16(b, CONFIG, 0x8000);
    assert_int_equal(in8(b, DEVICE), 0xa0);
    assert_int_equal(in8(b, BASE2 + 6), 0xff);
    out16(b, CONFIG + 2, 0x8000);
    assert_int_equal(in8(b, BASE2 + 6), 0xa0);
    config(b, 0x04);
    out16(b, CONFIG, 0);
    assert_int_equal(in8(b, DEVICE), 0xff);
}

/* ---- Transfers ---- */

static void read_dma_fills_the_described_memory(void **state)
{
    struct bench *b = *state;
    descriptor(b, 0, 0x8000, 512, false);
    descriptor(b, 1, 0x20000, 1024, true);
    issue(b, 0xc8, 0, 3, 70, 0xe0); /* the command first, as most drivers do it */
    clock_step(b, 5 * MS);
    assert_line(b, LINE, false);
    start(b, true);
    assert_int_equal(in8(b, BMISTA) & 7, 1);
    clock_step(b, 5 * MS);
    assert_line(b, LINE, true);
    assert_int_equal(in8(b, BMISTA) & 7, 4); /* memory used up, interrupt */
    assert_memory_sector(b, 0x8000, 70);
    assert_memory_sector(b, 0x20000, 71);
    assert_memory_sector(b, 0x20200, 72);
    out8(b, BMICOM, 0);
    assert_int_equal(in8(b, STATUS), DRDY | DSC);
    assert_line(b, LINE, false);
    out8(b, BMISTA, 4);
    assert_int_equal(in8(b, BMISTA) & 7, 0);
}

static void write_dma_takes_from_memory(void **state)
{
    struct bench *b = *state;
    uint8_t got[512];
    for (unsigned i = 0; i < 1024; i += 4)
        phys_write(b->phys, 0x9000 + i, 0x11110000 + i, 4);
    descriptor(b, 0, 0x9000, 1024, true);
    start(b, false); /* the bus master first */
    issue(b, 0xca, 0, 2, 5, 0xe0);
    clock_step(b, 5 * MS);
    assert_int_equal(in8(b, BMISTA) & 7, 4);
    assert_int_equal(in8(b, STATUS), DRDY | DSC);
    disk_sector(board(b)->disk, 6, got);
    assert_memory_equal(got, ((const uint8_t[]){0x00, 0x02, 0x11, 0x11}), 4);
}

static void sixty_four_kib_is_written_as_zero(void **state)
{
    struct bench *b = *state;
    descriptor(b, 0, 0x20000, 0, false);
    descriptor(b, 1, 0x40000, 0, true);
    issue(b, 0xc8, 0, 0, 300, 0xe0); /* 256 sectors: 128 KiB */
    start(b, true);
    clock_step(b, 50 * MS);
    assert_int_equal(in8(b, BMISTA) & 7, 4);
    assert_memory_sector(b, 0x20000 + 127 * 512, 300 + 127);
    assert_memory_sector(b, 0x40000 + 127 * 512, 300 + 255);
}

/* SFF-8038i 3.1: active and interrupt both set: the device needed less. */
static void memory_left_over_keeps_the_master_active(void **state)
{
    struct bench *b = *state;
    descriptor(b, 0, 0x8000, 4096, true);
    issue(b, 0xc8, 0, 1, 9, 0xe0);
    start(b, true);
    clock_step(b, 5 * MS);
    assert_int_equal(in8(b, BMISTA) & 7, 5);
    out8(b, BMICOM, 0);
    assert_int_equal(in8(b, BMISTA) & 7, 4);
}

/* SFF-8038i 3.1: neither set: the table was too short; the drive waits until it is reset. */
static void too_little_memory_leaves_the_drive_waiting(void **state)
{
    struct bench *b = *state;
    descriptor(b, 0, 0x8000, 512, true);
    issue(b, 0xc8, 0, 2, 9, 0xe0);
    start(b, true);
    clock_step(b, 50 * MS);
    assert_int_equal(in8(b, BMISTA) & 7, 0);
    assert_line(b, LINE, false);
    assert_int_equal(in8(b, CONTROL) & (DRQ | BSY), DRQ);
    out8(b, CONTROL, 4);
    out8(b, CONTROL, 0);
    clock_step(b, 10 * MS);
    assert_int_equal(in8(b, STATUS), DRDY | DSC);
}

static void nothing_moves_without_bus_mastering_or_in_the_wrong_direction(void **state)
{
    struct bench *b = *state;
    descriptor(b, 0, 0x8000, 512, true);
    issue(b, 0xc8, 0, 1, 9, 0xe0);
    start(b, false);
    clock_step(b, 5 * MS);
    assert_line(b, LINE, false);
    out8(b, BMICOM, 0);
    config(b, 0x04);
    out16(b, CONFIG, 1);
    start(b, true);
    clock_step(b, 5 * MS);
    assert_line(b, LINE, false);
    config(b, 0x04);
    out16(b, CONFIG, 5);
    clock_step(b, 5 * MS);
    assert_line(b, LINE, true);
    assert_memory_sector(b, 0x8000, 9);
}

static void descriptors_outside_memory_do_no_harm(void **state)
{
    struct bench *b = *state;
    out32(b, BMIDTP, 0xfffffffc);
    out8(b, BMICOM, 9);
    issue(b, 0xc8, 0, 0, 9, 0xe0);
    clock_step(b, 100 * MS);
    assert_int_equal(in8(b, BMISTA) & 2, 0);
    descriptor(b, 0, 0xfffffff0, 0, true);
    out8(b, CONTROL, 4);
    out8(b, CONTROL, 0);
    clock_step(b, 10 * MS);
    issue(b, 0xc8, 0, 128, 9, 0xe0);
    start(b, true);
    clock_step(b, 100 * MS);
    assert_int_equal(in8(b, BMISTA) & 7, 4);
}

static void the_second_channel_reads_a_cd_by_dma(void **state)
{
    struct bench *b = *state;
    static const uint8_t packets[2][12] = {{0}, {0x28, 0, 0, 0, 0, 3, 0, 0, 2}};
    uint8_t got[512], want[512];
    descriptor(b, 0, 0x30000, 4096, true);
    for (unsigned i = 0; i < 2; i++) {
        out8(b, BASE2 + 6, 0xa0);
        out8(b, BASE2 + 1, 1); /* DMA */
        out8(b, BASE2 + 7, 0xa0);
        for (unsigned k = 0; k < 12; k += 2)
            out16(b, BASE2, (uint16_t)(packets[i][k] | packets[i][k + 1] << 8));
        clock_step(b, 5 * MS);
    }
    assert_int_equal(in8(b, BASE2 + 7) & BSY, 0);
    out32(b, MASTER2 + 4, TABLE);
    out8(b, MASTER2 + 2, 6);
    out8(b, MASTER2, 9);
    clock_step(b, 5 * MS);
    assert_line(b, LINE2, true);
    assert_line(b, LINE, false);
    assert_int_equal(in8(b, MASTER2 + 2) & 7, 4);
    assert_int_equal(in8(b, BASE2 + 2) & 3, 3);
    phys_read_bytes(b->phys, 0x30000 + 2048, got, 512);
    disk_sector(board(b)->disc, 16, want);
    assert_memory_equal(got, want, 512);
}

static void identify_offers_dma_and_tells_the_mode(void **state)
{
    struct bench *b = *state;
    uint8_t d[512];
    issue(b, 0xef, 0x03, 0x22, 0, 0xa0); /* multiword DMA mode 2 */
    assert_int_equal(wait_ready(b) & ERR, 0);
    issue(b, 0xec, 0, 0, 0, 0xa0);
    wait_ready(b);
    read_words(b, d, 512);
    assert_int_equal(word_at(d, 49) & 0x100, 0x100);
    assert_int_equal(word_at(d, 63), 0x0407);
    issue(b, 0xef, 0x03, 0x2f, 0, 0xa0);
    assert_int_equal(wait_ready(b) & ERR, ERR);
}

static void trim(struct bench *b, uint8_t feature, uint8_t blocks)
{
    out8(b, COUNT, 0); /* the high byte */
    issue(b, 0x06, feature, blocks, 0, 0xe0);
    clock_step(b, 5 * MS);
}

/* ATA8-ACS2 7.10: 8 bytes a range; those of length 0 are none. */
static void trim_reaches_the_image(void **state)
{
    struct bench *b = *state;
    struct test_disk *d = board(b)->disk;
    phys_write(b->phys, 0x9000, 0x64, 4);
    phys_write(b->phys, 0x9004, 0x00080000, 4); /* sectors 100 to 107 */
    for (unsigned i = 8; i < 512; i += 4)
        phys_write(b->phys, 0x9000 + i, 0, 4);
    descriptor(b, 0, 0x9000, 512, true);
    start(b, false);
    trim(b, 1, 1);
    assert_int_equal(in8(b, STATUS), DRDY | DSC);
    assert_int_equal(d->discards, 1);
    assert_int_equal(d->discarded, 100 * 512);
    assert_int_equal(d->discarded_len, 8 * 512);
    phys_write(b->phys, 0x900c, 0x00010fff, 4); /* far behind the end */
    out8(b, BMICOM, 0);
    start(b, false);
    trim(b, 1, 1);
    assert_int_equal(in8(b, STATUS) & ERR, ERR);
    assert_int_equal(in8(b, ERROR), IDNF);
    trim(b, 1, 9); /* more than word 105 allows */
    assert_int_equal(in8(b, STATUS) & ERR, ERR);
    assert_int_equal(in8(b, ERROR), ABRT);
    trim(b, 2, 1);
    assert_int_equal(in8(b, STATUS) & ERR, ERR);
}

static void identify_offers_trim(void **state)
{
    struct bench *b = *state;
    uint8_t d[512];
    issue(b, 0xec, 0, 0, 0, 0xa0);
    wait_ready(b);
    read_words(b, d, 512);
    assert_int_equal(word_at(d, 169) & 1, 1);
    assert_int_equal(word_at(d, 105), 8);
    assert_int_equal(word_at(d, 80) & 0x80, 0x80);
}

static void poke(struct bench *b)
{
    set_up(b);
    descriptor(b, 0, 0x8000, 0x8000, false);
    descriptor(b, 1, 0x18000, 0, true);
    settle(b);
    issue(b, 0xc8, 0, 0, 300, 0xe0);
    start(b, true);
    clock_step(b, 100000); /* between two steps */
}

/* ---- What the board says of a failing host (no datasheet: -drive werror=, rerror=) ---- */

static const uint8_t pattern[512] = {1, 2, 3};

/* WRITE DMA of three sectors from two regions, the second of them bad; the drive stays busy. */
static void a_dma_write_that_waits_is_done_when_the_host_is_well_again(void **state)
{
    struct bench *b = *state;
    struct board *x = board(b);
    uint8_t got[512];
    x->on_error = ATA_RETRY;
    x->disk->bad = 101;
    for (unsigned i = 0; i < 3; i++)
        phys_write_bytes(b->phys, 0x8000 + 512 * i, pattern, 512);
    descriptor(b, 0, 0x8000, 700, false);
    descriptor(b, 1, 0x8000 + 700, 3 * 512 - 700, true);
    start(b, false);
    issue(b, 0xca, 0, 3, 100, 0xe0);
    clock_step(b, 200 * MS);
    assert_true(in8(b, CONTROL) & BSY);
    assert_true(in8(b, BMISTA) & 1); /* the bus master waits too */
    assert_true(x->asked > 2);
    assert_line(b, LINE, false);
    x->disk->bad = UINT64_MAX;
    clock_step(b, 20 * MS);
    assert_int_equal(in8(b, CONTROL) & (BSY | DRQ | ERR), 0);
    assert_line(b, LINE, true);
    for (unsigned i = 0; i < 3; i++) {
        disk_sector(x->disk, 100 + i, got);
        assert_memory_equal(got, pattern, 512);
    }
}

static void a_pio_write_and_a_read_wait_likewise(void **state)
{
    struct bench *b = *state;
    struct board *x = board(b);
    uint8_t got[512], want[512];
    x->on_error = ATA_RETRY;
    x->disk->bad = 7;
    issue(b, 0x30, 0, 1, 7, 0xe0);
    wait_ready(b);
    write_words(b, pattern, 512);
    clock_step(b, 100 * MS);
    assert_true(in8(b, CONTROL) & BSY);
    x->disk->bad = 8;
    assert_int_equal(wait_ready(b) & (DRQ | ERR), 0);
    disk_sector(x->disk, 7, got);
    assert_memory_equal(got, pattern, 512);
    issue(b, 0x20, 0, 2, 7, 0xe0);
    assert_int_equal(wait_ready(b) & (DRQ | ERR), DRQ);
    read_words(b, got, 512);
    assert_memory_equal(got, pattern, 512);
    clock_step(b, 100 * MS);
    assert_true(in8(b, CONTROL) & BSY);
    x->disk->bad = UINT64_MAX;
    assert_int_equal(wait_ready(b) & (DRQ | ERR), DRQ);
    read_words(b, got, 512);
    disk_sector(x->disk, 8, want);
    assert_memory_equal(got, want, 512);
}

static void an_ignored_error_is_none_and_reads_zeros(void **state)
{
    struct bench *b = *state;
    struct board *x = board(b);
    uint8_t got[512], zeros[512] = {0};
    x->on_error = ATA_IGNORE;
    x->disk->bad = 7;
    issue(b, 0x20, 0, 1, 7, 0xe0);
    assert_int_equal(wait_ready(b) & (DRQ | ERR), DRQ);
    read_words(b, got, 512);
    assert_memory_equal(got, zeros, 512);
    issue(b, 0x30, 0, 1, 7, 0xe0);
    wait_ready(b);
    write_words(b, pattern, 512);
    assert_int_equal(wait_ready(b) & (DRQ | ERR), 0);
    assert_int_equal(x->asked, 2);
}

DEVICE_TESTS(piix_ide, setup, &((struct board *)b->dev)->ide.dev, poke);
DEVICE_TESTS(ata_by_dma, setup, &((struct board *)b->dev)->ata[0].dev, poke);

#define T(name) cmocka_unit_test_setup_teardown(name, setup_ready, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_an_ide_function_with_legacy_ports, setup, bench_teardown),
        cmocka_unit_test_setup_teardown(channels_decode_when_idetim_and_command_say_so, setup,
                                        bench_teardown),
        T(read_dma_fills_the_described_memory),
        T(write_dma_takes_from_memory),
        T(sixty_four_kib_is_written_as_zero),
        T(memory_left_over_keeps_the_master_active),
        T(too_little_memory_leaves_the_drive_waiting),
        T(nothing_moves_without_bus_mastering_or_in_the_wrong_direction),
        T(descriptors_outside_memory_do_no_harm),
        T(the_second_channel_reads_a_cd_by_dma),
        T(identify_offers_dma_and_tells_the_mode),
        T(trim_reaches_the_image),
        T(identify_offers_trim),
        T(a_dma_write_that_waits_is_done_when_the_host_is_well_again),
        T(a_pio_write_and_a_read_wait_likewise),
        T(an_ignored_error_is_none_and_reads_zeros),
        DEVICE_TESTS_OF(piix_ide),
        DEVICE_TESTS_OF(ata_by_dma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
