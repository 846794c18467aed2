/*
 * ATA hard disks through their registers. Expected values: ATA/ATAPI-4 (T13 1153D) chapters 8 and 9,
 * ATA/ATAPI-6 for 48-bit addresses.
 */
#include "tests/devices/ata_board.h"

enum { SECTORS = 4096, BIG = 300000000 };
enum { LBA = 0xe0, CHS = 0xa0 };

struct board {
    struct ata ata;
    struct test_disk *disk;
};

static struct test_disk *disk(struct bench *b)
{
    return ((struct board *)b->dev)->disk;
}

static int setup_disk(void **state, uint64_t sectors, bool real)
{
    struct bench *b = bench_new();
    struct board *x = bench_alloc(b, sizeof(*x));
    uint8_t mbr[512] = {0};
    x->disk = new_disk(b, sectors);
    ata_init(&x->ata, "ide0",
             (struct ata_wiring){.clk = &b->clk,
                                 .log = &b->log,
                                 .irq = bench_line(b, LINE),
                                 .drive[0] = {.kind = ATA_DISK,
                                              .medium = &x->disk->blk,
                                              .real = real,
                                              .geometry = ata_guess_geometry(sectors, mbr),
                                              .serial = "SN1"}});
    bench_map(b, BASE, 8, 0, &ata_io, &x->ata);
    bench_map(b, CONTROL, 1, 0, &ata_control_io, &x->ata);
    bench_add(b, &x->ata.dev);
    *state = b;
    clock_step(b, 10 * MS);
    return 0;
}

static int setup(void **state) { return setup_disk(state, SECTORS, false); }
static int setup_big(void **state) { return setup_disk(state, BIG, false); }
static int setup_real(void **state) { return setup_disk(state, SECTORS, true); }

static int setup_none(void **state)
{
    struct bench *b = bench_new();
    struct board *x = bench_alloc(b, sizeof(*x));
    ata_init(&x->ata, "ide0", (struct ata_wiring){.clk = &b->clk, .irq = bench_line(b, LINE)});
    bench_map(b, BASE, 8, 0, &ata_io, &x->ata);
    bench_map(b, CONTROL, 1, 0, &ata_control_io, &x->ata);
    *state = b;
    return 0;
}

/* A block with its number, read by the host. */
static void assert_sector(struct bench *b, uint64_t n)
{
    uint8_t got[512], want[512];
    disk_sector(disk(b), n, want);
    read_words(b, got, 512);
    assert_memory_equal(got, want, 512);
}

static void identify(struct bench *b, uint8_t *to)
{
    issue(b, 0xec, 0, 0, 0, CHS);
    assert_int_equal(wait_ready(b) & (DRQ | ERR), DRQ);
    read_words(b, to, 512);
}

/* ---- Presence and reset ---- */

static void after_reset_the_signature_of_a_disk_is_there(void **state) /* 9.12 */
{
    struct bench *b = *state;
    assert_int_equal(in8(b, STATUS), DRDY | DSC);
    assert_int_equal(in8(b, ERROR), 1);
    assert_int_equal(in8(b, COUNT), 1);
    assert_int_equal(in8(b, LOW), 1);
    assert_int_equal(in8(b, MID), 0);
    assert_int_equal(in8(b, HIGH), 0);
}

static void srst_holds_the_drive_busy_until_it_is_cleared(void **state) /* 9.2 */
{
    struct bench *b = *state;
    out8(b, DEVICE, 0xb0);
    out8(b, MID, 0x55);
    out8(b, CONTROL, 0x04);
    clock_step(b, 100 * MS);
    out8(b, DEVICE, 0xa0);
    assert_int_equal(in8(b, CONTROL) & BSY, BSY);
    out8(b, CONTROL, 0);
    assert_int_equal(in8(b, CONTROL) & BSY, BSY);
    wait_ready(b);
    assert_int_equal(in8(b, MID), 0);
    assert_int_equal(in8(b, DEVICE) & 0x10, 0);
    assert_line(b, LINE, false);
}

static void a_missing_second_drive_reads_status_zero(void **state) /* 9.16.1 */
{
    struct bench *b = *state;
    out8(b, DEVICE, 0xb0);
    assert_int_equal(in8(b, STATUS), 0);
    out8(b, COMMAND, 0xec);
    clock_step(b, 10 * MS);
    assert_int_equal(in8(b, STATUS), 0);
    assert_line(b, LINE, false);
}

static void a_channel_without_drives_floats(void **state)
{
    struct bench *b = *state;
    out8(b, COUNT, 0x55);
    assert_int_equal(in8(b, COUNT), 0xff);
    assert_int_equal(in8(b, STATUS), 0xff);
    out8(b, COMMAND, 0x90);
    assert_int_equal(in8(b, STATUS), 0xff);
}

static void diagnostic_passes_and_interrupts(void **state) /* 8.11 */
{
    struct bench *b = *state;
    out8(b, DEVICE, 0xb0);
    out8(b, COMMAND, 0x90);
    out8(b, DEVICE, 0xa0);
    wait_ready(b);
    assert_line(b, LINE, true);
    assert_int_equal(in8(b, ERROR), 1);
    assert_int_equal(in8(b, LOW), 1);
}

/* ---- Interrupts ---- */

static void reading_status_clears_the_interrupt_alternate_status_does_not(void **state) /* 7.15.3 */
{
    struct bench *b = *state;
    issue(b, 0x10, 0, 0, 0, CHS);
    wait_ready(b);
    assert_line(b, LINE, true);
    in8(b, CONTROL);
    assert_line(b, LINE, true);
    in8(b, STATUS);
    assert_line(b, LINE, false);
}

static void nien_keeps_the_line_down(void **state) /* 7.9 */
{
    struct bench *b = *state;
    out8(b, CONTROL, 2);
    issue(b, 0x10, 0, 0, 0, CHS);
    wait_ready(b);
    assert_line(b, LINE, false);
    out8(b, CONTROL, 0);
    assert_line(b, LINE, true);
}

static void the_line_follows_the_selected_drive(void **state)
{
    struct bench *b = *state;
    issue(b, 0x10, 0, 0, 0, CHS);
    wait_ready(b);
    out8(b, DEVICE, 0xb0);
    assert_line(b, LINE, false);
    out8(b, DEVICE, 0xa0);
    assert_line(b, LINE, true);
}

/* ---- IDENTIFY ---- */

static void identify_tells_size_and_geometry(void **state) /* 8.12 */
{
    struct bench *b = *state;
    uint8_t d[512], sum = 0;
    identify(b, d);
    assert_int_equal(word_at(d, 0) & 0x8000, 0); /* ATA */
    assert_int_equal(word_at(d, 1), SECTORS / (16 * 63));
    assert_int_equal(word_at(d, 3), 16);
    assert_int_equal(word_at(d, 6), 63);
    assert_int_equal(word_at(d, 60) | word_at(d, 61) << 16, SECTORS);
    assert_int_equal(word_at(d, 100), SECTORS);
    assert_int_equal(word_at(d, 49) & 0x0200, 0x0200); /* LBA */
    assert_int_equal(word_at(d, 49) & 0x0100, 0);      /* no bus master on this board */
    assert_int_equal(word_at(d, 83) & 0xc400, 0x4400); /* valid, 48-bit */
    assert_memory_equal(d + 20, "NS 1", 4);            /* bytes of words are swapped */
    assert_int_equal(d[510], 0xa5);
    for (unsigned i = 0; i < 512; i++)
        sum = (uint8_t)(sum + d[i]);
    assert_int_equal(sum, 0);
}

static void a_big_disk_tells_its_size_in_48_bits(void **state)
{
    struct bench *b = *state;
    uint8_t d[512];
    identify(b, d);
    assert_int_equal(word_at(d, 60) | word_at(d, 61) << 16, 0x0fffffff);
    assert_int_equal(word_at(d, 100) | word_at(d, 101) << 16, BIG);
    assert_int_equal(word_at(d, 1), 16383);
}

/* ---- Reading and writing ---- */

static void read_sectors_interrupts_before_each_sector(void **state) /* 9.7 */
{
    struct bench *b = *state;
    issue(b, 0x20, 0, 3, 100, LBA);
    assert_int_equal(in8(b, CONTROL) & BSY, BSY);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(wait_ready(b) & (DRQ | ERR), DRQ);
        assert_line(b, LINE, true);
        in8(b, STATUS);
        assert_sector(b, 100 + i);
        assert_line(b, LINE, false);
    }
    assert_int_equal(wait_ready(b), DRDY | DSC);
    assert_line(b, LINE, false); /* none at the end */
    assert_int_equal(in8(b, COUNT), 0);
    assert_int_equal(in8(b, LOW), 102);
}

static void write_sectors_interrupts_after_each_sector(void **state) /* 9.8 */
{
    struct bench *b = *state;
    uint8_t data[512], got[512];
    issue(b, 0x30, 0, 2, 7, LBA);
    assert_int_equal(wait_ready(b) & (DRQ | ERR), DRQ);
    assert_line(b, LINE, false); /* none for the first */
    for (unsigned i = 0; i < 2; i++) {
        memset(data, 0xc0 + (int)i, 512);
        write_words(b, data, 512);
        assert_int_equal(in8(b, CONTROL) & BSY, BSY);
        wait_ready(b);
        assert_line(b, LINE, true);
        in8(b, STATUS);
        disk_sector(disk(b), 7 + i, got);
        assert_memory_equal(got, data, 512);
    }
    assert_int_equal(in8(b, STATUS), DRDY | DSC);
}

static void count_zero_means_256(void **state)
{
    struct bench *b = *state;
    issue(b, 0x20, 0, 0, 0, LBA);
    for (unsigned i = 0; i < 256; i++) {
        wait_ready(b);
        assert_sector(b, i);
    }
    assert_int_equal(wait_ready(b) & DRQ, 0);
}

static void double_words_and_bytes_move_the_same_data(void **state)
{
    struct bench *b = *state;
    issue(b, 0x20, 0, 2, 0x1234 % SECTORS, LBA);
    wait_ready(b);
    assert_int_equal(in32(b, DATA), 0x1234 % SECTORS);
    for (unsigned i = 4; i < 512; i += 4)
        in32(b, DATA);
    wait_ready(b);
    assert_int_equal(in8(b, DATA), (0x1234 % SECTORS + 1) & 0xff);
    assert_int_equal(in8(b, DATA), (0x1234 % SECTORS + 1) >> 8);
}

static void chs_addresses_follow_the_translation(void **state) /* 8.16 */
{
    struct bench *b = *state;
    issue(b, 0x91, 0, 17, 0, CHS | 3); /* 4 heads, 17 sectors */
    wait_ready(b);
    out8(b, COUNT, 1);
    out8(b, LOW, 5); /* cylinder 2, head 3, sector 5 */
    out8(b, MID, 2);
    out8(b, HIGH, 0);
    out8(b, DEVICE, CHS | 3);
    out8(b, COMMAND, 0x20);
    wait_ready(b);
    assert_sector(b, (2 * 4 + 3) * 17 + 4);
    issue(b, 0x20, 0, 1, 0x000012, CHS); /* sector 18 of 17 */
    assert_int_equal(wait_ready(b) & ERR, ERR);
    assert_int_equal(in8(b, ERROR), IDNF);
    issue(b, 0x20, 0, 1, 0, CHS); /* sector 0 */
    assert_int_equal(wait_ready(b) & ERR, ERR);
    uint8_t d[512];
    identify(b, d);
    assert_int_equal(word_at(d, 55), 4);
    assert_int_equal(word_at(d, 56), 17);
}

static void read_multiple_moves_blocks(void **state) /* 8.24 */
{
    struct bench *b = *state;
    uint8_t got[512];
    issue(b, 0xc4, 0, 2, 0, LBA);
    assert_int_equal(wait_ready(b) & ERR, ERR); /* SET MULTIPLE has not come yet */
    assert_int_equal(in8(b, ERROR), ABRT);
    issue(b, 0xc6, 0, 3, 0, CHS);
    assert_int_equal(wait_ready(b) & ERR, ERR); /* no power of two */
    issue(b, 0xc6, 0, 4, 0, CHS);
    assert_int_equal(wait_ready(b) & ERR, 0);
    in8(b, STATUS);
    issue(b, 0xc4, 0, 6, 10, LBA);
    for (unsigned block = 0; block < 2; block++) {
        wait_ready(b);
        assert_line(b, LINE, true);
        in8(b, STATUS);
        for (unsigned i = 0; i < (block ? 2 : 4); i++)
            assert_sector(b, 10 + 4 * block + i);
    }
    assert_int_equal(wait_ready(b), DRDY | DSC);
    memset(got, 0x77, 512);
    issue(b, 0xc5, 0, 3, 20, LBA);
    wait_ready(b);
    for (unsigned i = 0; i < 3; i++)
        write_words(b, got, 512);
    assert_int_equal(wait_ready(b), DRDY | DSC);
    disk_sector(disk(b), 22, got);
    assert_int_equal(got[0], 0x77);
}

static void forty_eight_bit_addresses_take_two_writes(void **state) /* ATA-6 8.27 */
{
    struct bench *b = *state;
    uint64_t lba = 0x11000001; /* behind 2^28 */
    out8(b, DEVICE, 0xe0);
    static const uint16_t order[] = {COUNT, LOW, MID, HIGH};
    const uint8_t high[] = {0, 0x11, 0, 0}, low[] = {2, 0x01, 0, 0};
    for (unsigned i = 0; i < 4; i++)
        out8(b, order[i], high[i]);
    for (unsigned i = 0; i < 4; i++)
        out8(b, order[i], low[i]);
    out8(b, COMMAND, 0x24);
    wait_ready(b);
    assert_sector(b, lba);
    wait_ready(b);
    assert_sector(b, lba + 1);
    out8(b, CONTROL, 0x80); /* HOB: the former halves */
    assert_int_equal(in8(b, LOW), 0x11);
    out8(b, CONTROL, 0);
    assert_int_equal(in8(b, LOW), 0x02);
}

static void behind_the_end_there_is_nothing(void **state)
{
    struct bench *b = *state;
    static const uint8_t commands[] = {0x20, 0x30, 0x40};
    for (unsigned i = 0; i < 3; i++) {
        issue(b, commands[i], 0, 2, SECTORS - 1, LBA);
        assert_int_equal(wait_ready(b) & (ERR | DRQ), ERR);
        assert_int_equal(in8(b, ERROR), IDNF);
        assert_line(b, LINE, true);
        in8(b, STATUS);
    }
}

static void a_bad_sector_is_uncorrectable_and_named(void **state)
{
    struct bench *b = *state;
    disk(b)->bad = 51;
    issue(b, 0x20, 0, 4, 50, LBA);
    wait_ready(b);
    assert_sector(b, 50);
    assert_int_equal(wait_ready(b) & (ERR | DRQ), ERR);
    assert_int_equal(in8(b, ERROR), UNC);
    assert_int_equal(in8(b, LOW), 51);
    issue(b, 0x40, 0, 4, 50, LBA); /* VERIFY meets it, too */
    assert_int_equal(wait_ready(b) & ERR, ERR);
}

static void a_read_only_image_refuses_writes(void **state)
{
    struct bench *b = *state;
    disk(b)->blk.read_only = true;
    issue(b, 0x30, 0, 1, 0, LBA);
    assert_int_equal(wait_ready(b) & (ERR | DRQ), ERR);
    assert_int_equal(in8(b, ERROR), ABRT);
}

static void flush_and_a_switched_off_cache_reach_the_image(void **state)
{
    struct bench *b = *state;
    uint8_t data[512] = {1};
    issue(b, 0xe7, 0, 0, 0, CHS);
    assert_int_equal(wait_ready(b), DRDY | DSC);
    assert_int_equal(disk(b)->flushes, 1);
    issue(b, 0xef, 0x82, 0, 0, CHS); /* write cache off */
    wait_ready(b);
    issue(b, 0x30, 0, 1, 3, LBA);
    wait_ready(b);
    write_words(b, data, 512);
    wait_ready(b);
    assert_int_equal(disk(b)->flushes, 2);
}

/* ---- Other commands ---- */

static void what_is_not_supported_is_aborted(void **state)
{
    struct bench *b = *state;
    static const uint8_t codes[] = {0x00, 0x08, 0xa0, 0xa1, 0xf1, 0x22, 0xff, 0xc8 /* no DMA here */};
    for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
        issue(b, codes[i], 0, 1, 0, LBA);
        assert_int_equal(wait_ready(b) & (ERR | DRQ), ERR);
        assert_int_equal(in8(b, ERROR), ABRT);
    }
}

static void power_modes_are_told_and_left_by_access(void **state) /* 8.9 */
{
    struct bench *b = *state;
    issue(b, 0xe0, 0, 0, 0, CHS);
    wait_ready(b);
    issue(b, 0xe5, 0, 0x55, 0, CHS);
    wait_ready(b);
    assert_int_equal(in8(b, COUNT), 0x00);
    issue(b, 0x40, 0, 1, 0, LBA);
    wait_ready(b);
    issue(b, 0xe5, 0, 0x55, 0, CHS);
    wait_ready(b);
    assert_int_equal(in8(b, COUNT), 0xff);
}

static void a_sleeping_drive_wakes_by_reset_only(void **state) /* 8.40 */
{
    struct bench *b = *state;
    issue(b, 0xe6, 0, 0, 0, CHS);
    wait_ready(b);
    issue(b, 0x20, 0, 1, 0, LBA);
    assert_int_equal(wait_ready(b) & ERR, ERR);
    out8(b, CONTROL, 4);
    out8(b, CONTROL, 0);
    wait_ready(b);
    issue(b, 0x20, 0, 1, 0, LBA);
    assert_int_equal(wait_ready(b) & (DRQ | ERR), DRQ);
}

static void set_max_hides_the_end_of_the_disk(void **state) /* 8.25, 8.38 */
{
    struct bench *b = *state;
    uint8_t d[512];
    issue(b, 0xf9, 0, 0, 1999, LBA);
    assert_int_equal(wait_ready(b) & ERR, ERR); /* READ NATIVE MAX comes first */
    issue(b, 0xf8, 0, 0, 0, LBA);
    wait_ready(b);
    assert_int_equal(in8(b, LOW) | in8(b, MID) << 8, SECTORS - 1);
    issue(b, 0xf9, 0, 0, 1999, LBA);
    assert_int_equal(wait_ready(b) & ERR, 0);
    identify(b, d);
    assert_int_equal(word_at(d, 60), 2000);
    issue(b, 0x20, 0, 1, 2000, LBA);
    assert_int_equal(wait_ready(b) & ERR, ERR);
}

static void smart_tells_of_good_health(void **state) /* 8.41 */
{
    struct bench *b = *state;
    uint8_t d[512], sum = 0;
    issue(b, 0xb0, 0xd0, 1, 0, CHS); /* without the key */
    assert_int_equal(wait_ready(b) & ERR, ERR);
    issue(b, 0xb0, 0xd0, 1, 0xc24f00, CHS);
    assert_int_equal(wait_ready(b) & DRQ, DRQ);
    read_words(b, d, 512);
    for (unsigned i = 0; i < 512; i++)
        sum = (uint8_t)(sum + d[i]);
    assert_int_equal(sum, 0);
    issue(b, 0xb0, 0xda, 0, 0xc24f00, CHS);
    wait_ready(b);
    assert_int_equal(in8(b, MID), 0x4f);
    assert_int_equal(in8(b, HIGH), 0xc2);
}

static void the_buffer_holds_what_was_written(void **state) /* 8.22, 8.45 */
{
    struct bench *b = *state;
    uint8_t data[512], got[512];
    memset(data, 0x3c, 512);
    issue(b, 0xe8, 0, 0, 0, CHS);
    wait_ready(b);
    write_words(b, data, 512);
    wait_ready(b);
    issue(b, 0xe4, 0, 0, 0, CHS);
    wait_ready(b);
    read_words(b, got, 512);
    assert_memory_equal(got, data, 512);
}

static void a_command_to_a_busy_drive_is_ignored(void **state)
{
    struct bench *b = *state;
    issue(b, 0x20, 0, 1, 5, LBA);
    out8(b, COMMAND, 0xe7);
    wait_ready(b);
    assert_sector(b, 5);
    assert_int_equal(disk(b)->flushes, 0);
}

/* ---- Time ---- */

/* The model of ata_time.c: what follows is buffered; a far sector costs a seek and a turn. */
static void a_real_drive_seeks_and_turns(void **state)
{
    struct bench *b = *state;
    vtime start, far, next;
    start = clock_now(&b->clk);
    issue(b, 0x20, 0, 1, 4000, LBA);
    wait_ready(b);
    far = clock_now(&b->clk) - start;
    assert_sector(b, 4000);
    start = clock_now(&b->clk);
    issue(b, 0x20, 0, 1, 4001, LBA);
    wait_ready(b);
    next = clock_now(&b->clk) - start;
    assert_in_range(far, 1 * MS, 23 * MS);
    assert_in_range(next, 200000, 300000); /* command and one sector */
}

static void geometry_comes_from_the_partition_table(void **state)
{
    uint8_t mbr[512] = {0};
    struct ata_geometry g;
    (void)state;
    mbr[510] = 0x55;
    mbr[511] = 0xaa;
    mbr[446 + 4] = 6;
    mbr[446 + 5] = 3;         /* ends at head 3 */
    mbr[446 + 6] = 0x40 | 17; /* sector 17 */
    g = ata_guess_geometry(41820, mbr);
    assert_int_equal(g.heads, 4);
    assert_int_equal(g.sectors, 17);
    assert_int_equal(g.cylinders, 41820 / (4 * 17));
    mbr[446 + 5] = 254; /* a translated geometry is no drive's own */
    g = ata_guess_geometry(41820, mbr);
    assert_int_equal(g.heads, 16);
    assert_int_equal(g.sectors, 63);
}

/* A snapshot of another disk is refused. */
static void state_of_another_medium_is_refused(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    struct error err;
    x->ata.st.drive[0].sectors--;
    assert_int_not_equal(x->ata.dev.cls->post_load(&x->ata, &err), EMU_OK);
}

static void poke(struct bench *b)
{
    uint8_t data[512];
    memset(data, 0x5a, 512);
    settle(b);
    issue(b, 0xc6, 0, 2, 0, CHS);
    settle(b);
    issue(b, 0x30, 0, 1, 9, LBA);
    settle(b);
    write_words(b, data, 512);
    settle(b);
    issue(b, 0xc4, 0, 5, 40, LBA);
    clock_step(b, 1000000);
    read_words(b, data, 512);
}

DEVICE_TESTS(ata, setup, &((struct board *)b->dev)->ata.dev, poke);

#define T(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(after_reset_the_signature_of_a_disk_is_there),
        T(srst_holds_the_drive_busy_until_it_is_cleared),
        T(a_missing_second_drive_reads_status_zero),
        cmocka_unit_test_setup_teardown(a_channel_without_drives_floats, setup_none, bench_teardown),
        T(diagnostic_passes_and_interrupts),
        T(reading_status_clears_the_interrupt_alternate_status_does_not),
        T(nien_keeps_the_line_down),
        T(the_line_follows_the_selected_drive),
        T(identify_tells_size_and_geometry),
        cmocka_unit_test_setup_teardown(a_big_disk_tells_its_size_in_48_bits, setup_big,
                                        bench_teardown),
        T(read_sectors_interrupts_before_each_sector),
        T(write_sectors_interrupts_after_each_sector),
        T(count_zero_means_256),
        T(double_words_and_bytes_move_the_same_data),
        T(chs_addresses_follow_the_translation),
        T(read_multiple_moves_blocks),
        cmocka_unit_test_setup_teardown(forty_eight_bit_addresses_take_two_writes, setup_big,
                                        bench_teardown),
        T(behind_the_end_there_is_nothing),
        T(a_bad_sector_is_uncorrectable_and_named),
        T(a_read_only_image_refuses_writes),
        T(flush_and_a_switched_off_cache_reach_the_image),
        T(what_is_not_supported_is_aborted),
        T(power_modes_are_told_and_left_by_access),
        T(a_sleeping_drive_wakes_by_reset_only),
        T(set_max_hides_the_end_of_the_disk),
        T(smart_tells_of_good_health),
        T(the_buffer_holds_what_was_written),
        T(a_command_to_a_busy_drive_is_ignored),
        cmocka_unit_test_setup_teardown(a_real_drive_seeks_and_turns, setup_real, bench_teardown),
        cmocka_unit_test(geometry_comes_from_the_partition_table),
        T(state_of_another_medium_is_refused),
        DEVICE_TESTS_OF(ata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
