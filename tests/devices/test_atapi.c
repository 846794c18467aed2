/*
 * A CD-ROM drive by packets. Expected values: ATA/ATAPI-4 8.21 and 9.9 (protocol), SFF-8020i and MMC-3
 * (packets, sense codes).
 */
#include "tests/devices/ata_board.h"

enum { BLOCKS = 1000, REASON = COUNT };
enum { TO_HOST = 2, COMMAND_OUT = 1 };

struct board {
    struct ata ata;
    struct test_disk *disc[2];
};

static struct board *board(struct bench *b) { return b->dev; }

static int setup_with(void **state, bool disc)
{
    struct bench *b = bench_new();
    struct board *x = bench_alloc(b, sizeof(*x));
    x->disc[0] = new_disk(b, BLOCKS * 4);
    x->disc[1] = new_disk(b, 2 * BLOCKS * 4);
    ata_init(&x->ata, "ide1",
             (struct ata_wiring){
                 .clk = &b->clk,
                 .log = &b->log,
                 .irq = bench_line(b, LINE),
                 .drive[0] = {.kind = ATA_CDROM, .medium = disc ? &x->disc[0]->blk : NULL, .serial = "CD1"}});
    bench_map(b, BASE, 8, 0, &ata_io, &x->ata);
    bench_map(b, CONTROL, 1, 0, &ata_control_io, &x->ata);
    bench_add(b, &x->ata.dev);
    clock_step(b, 10 * MS);
    *state = b;
    return 0;
}

static int setup(void **state) { return setup_with(state, true); }
static int setup_empty(void **state) { return setup_with(state, false); }

/* Sends a packet; the data blocks are at most `limit` bytes. Returns the status after it. */
static uint8_t packet(struct bench *b, const uint8_t p[12], unsigned limit)
{
    out8(b, DEVICE, 0xa0);
    out8(b, FEATURE, 0);
    out8(b, MID, (uint8_t)limit);
    out8(b, HIGH, (uint8_t)(limit >> 8));
    out8(b, COMMAND, 0xa0);
    assert_int_equal(wait_ready(b) & (DRQ | ERR), DRQ);
    assert_int_equal(in8(b, REASON) & 3, COMMAND_OUT); /* 9.9: C/D set, I/O clear */
    in8(b, STATUS);
    write_words(b, p, 12);
    return wait_ready(b);
}

/* Reads all data blocks of the running command; returns how many bytes came. */
static unsigned take_data(struct bench *b, uint8_t *to, unsigned room, unsigned *blocks)
{
    unsigned all = 0;
    *blocks = 0;
    while (wait_ready(b) & DRQ) {
        unsigned n = in8(b, MID) | (unsigned)in8(b, HIGH) << 8;
        assert_int_equal(in8(b, REASON) & 3, TO_HOST);
        assert_line(b, LINE, true);
        in8(b, STATUS);
        assert_true(n > 0 && all + n + 1 <= room);
        read_words(b, to + all, n);
        all += n;
        ++*blocks;
    }
    assert_line(b, LINE, true); /* the end is told by an interrupt, too */
    assert_int_equal(in8(b, REASON) & 3, TO_HOST | COMMAND_OUT);
    return all;
}

/* A packet whose data are wanted: how many bytes came. */
static unsigned ask(struct bench *b, const uint8_t p[12], uint8_t *to, unsigned room)
{
    unsigned blocks;
    assert_int_equal(packet(b, p, 0xfffe) & ERR, 0);
    return take_data(b, to, room, &blocks);
}

static void assert_sense(struct bench *b, unsigned key, unsigned code, unsigned qualifier)
{
    uint8_t d[64];
    assert_int_equal(ask(b, (const uint8_t[12]){0x03, 0, 0, 0, 18}, d, sizeof(d)), 18);
    assert_int_equal(d[0], 0x70);
    assert_int_equal(d[2], key);
    assert_int_equal(d[12], code);
    assert_int_equal(d[13], qualifier);
}

static void assert_fails(struct bench *b, const uint8_t p[12], unsigned key, unsigned code, unsigned qualifier)
{
    assert_int_equal(packet(b, p, 0xfffe) & (ERR | DRQ), ERR);
    assert_int_equal(in8(b, ERROR) >> 4, key);
    assert_line(b, LINE, true);
    assert_sense(b, key, code, qualifier);
}

static const uint8_t test_unit_ready[12];

/* The first command after power-on meets a unit attention. */
static void wake_up(struct bench *b)
{
    packet(b, test_unit_ready, 0);
    assert_int_equal(packet(b, test_unit_ready, 0) & ERR, 0);
}

static void the_signature_is_that_of_a_packet_device(void **state) /* 9.12 */
{
    struct bench *b = *state;
    assert_int_equal(in8(b, STATUS), 0);
    assert_int_equal(in8(b, MID), 0x14);
    assert_int_equal(in8(b, HIGH), 0xeb);
    out8(b, MID, 0);
    issue(b, 0xec, 0, 0, 0, 0xa0); /* IDENTIFY DEVICE is aborted and shows it again (8.12.5) */
    assert_int_equal(wait_ready(b) & (ERR | DRQ), ERR);
    assert_int_equal(in8(b, ERROR), ABRT);
    assert_int_equal(in8(b, MID), 0x14);
    assert_int_equal(in8(b, HIGH), 0xeb);
}

static void identify_packet_device_names_a_removable_cd_rom(void **state) /* 8.13 */
{
    struct bench *b = *state;
    uint8_t d[512];
    issue(b, 0xa1, 0, 0, 0, 0xa0);
    assert_int_equal(wait_ready(b) & DRQ, DRQ);
    read_words(b, d, 512);
    assert_int_equal(word_at(d, 0) >> 14, 2);         /* ATAPI */
    assert_int_equal(word_at(d, 0) >> 8 & 0x1f, 5);   /* CD-ROM */
    assert_int_equal(word_at(d, 0) & 0x80, 0x80);     /* removable */
    assert_int_equal(word_at(d, 0) & 3, 0);           /* 12 bytes */
}

static void device_reset_brings_the_signature_without_an_interrupt(void **state) /* 8.7 */
{
    struct bench *b = *state;
    wake_up(b);
    in8(b, STATUS);
    out8(b, COMMAND, 0x08);
    wait_ready(b);
    assert_int_equal(in8(b, MID), 0x14);
    assert_line(b, LINE, false);
}

static void power_on_is_a_unit_attention_once(void **state)
{
    struct bench *b = *state;
    assert_fails(b, test_unit_ready, 6, 0x29, 0);
    assert_int_equal(packet(b, test_unit_ready, 0) & ERR, 0);
}

static void inquiry_answers_in_spite_of_an_attention(void **state)
{
    struct bench *b = *state;
    uint8_t d[64];
    assert_int_equal(ask(b, (const uint8_t[12]){0x12, 0, 0, 0, 36}, d, sizeof(d)), 36);
    assert_int_equal(d[0], 5);
    assert_int_equal(d[1], 0x80);
    assert_memory_equal(d + 8, "RETRACE ", 8);
    assert_int_equal(ask(b, (const uint8_t[12]){0x12, 0, 0, 0, 5}, d, sizeof(d)), 5); /* an odd length */
    assert_fails(b, test_unit_ready, 6, 0x29, 0);
}

static void capacity_is_the_last_block(void **state)
{
    struct bench *b = *state;
    uint8_t d[16];
    wake_up(b);
    assert_int_equal(ask(b, (const uint8_t[12]){0x25}, d, sizeof(d)), 8);
    assert_memory_equal(d, ((const uint8_t[]){0, 0, 3, 0xe7, 0, 0, 8, 0}), 8); /* 999, 2048 */
}

static void read_10_moves_blocks_within_the_byte_count(void **state) /* 9.9 */
{
    struct bench *b = *state;
    static uint8_t d[8 * 2048];
    uint8_t want[512];
    unsigned blocks;
    wake_up(b);
    packet(b, (const uint8_t[12]){0x28, 0, 0, 0, 1, 0, 0, 0, 6}, 1024); /* 6 blocks from 256 */
    assert_int_equal(take_data(b, d, sizeof(d), &blocks), 6 * 2048);
    assert_int_equal(blocks, 12);
    for (unsigned i = 0; i < 24; i++) {
        disk_sector(board(b)->disc[0], 1024 + i, want);
        assert_memory_equal(d + 512 * i, want, 512);
    }
    packet(b, (const uint8_t[12]){0xa8, 0, 0, 0, 1, 0, 0, 0, 0, 2}, 0xfffe); /* READ(12) */
    assert_int_equal(take_data(b, d, sizeof(d), &blocks), 2 * 2048);
    disk_sector(board(b)->disc[0], 1024 + 7, want);
    assert_memory_equal(d + 512 * 7, want, 512);
}

static void reading_behind_the_end_or_bad_blocks_fails(void **state)
{
    struct bench *b = *state;
    wake_up(b);
    assert_fails(b, (const uint8_t[12]){0x28, 0, 0, 0, 3, 0xe7, 0, 0, 2}, 5, 0x21, 0);
    board(b)->disc[0]->bad = 40;
    assert_fails(b, (const uint8_t[12]){0x28, 0, 0, 0, 0, 10, 0, 0, 1}, 3, 0x11, 0);
}

static void read_cd_can_deliver_raw_blocks(void **state) /* MMC 5.17 */
{
    struct bench *b = *state;
    static uint8_t d[2 * 2352 + 2];
    uint8_t want[512];
    wake_up(b);
    assert_int_equal(ask(b, (const uint8_t[12]){0xbe, 0, 0, 0, 0, 16, 0, 0, 2, 0xf8}, d, sizeof(d)), 2 * 2352);
    assert_int_equal(d[0], 0);
    assert_int_equal(d[1], 0xff);
    assert_memory_equal(d + 12, ((const uint8_t[]){0x00, 0x02, 0x16, 1}), 4); /* 00:02:16, mode 1 */
    disk_sector(board(b)->disc[0], 64, want);
    assert_memory_equal(d + 16, want, 512);
    assert_fails(b, (const uint8_t[12]){0xbe, 4, 0, 0, 0, 16, 0, 0, 1, 0x10}, 5, 0x64, 0); /* audio */
}

static void the_toc_has_one_data_track_and_a_lead_out(void **state) /* MMC 5.24 */
{
    struct bench *b = *state;
    uint8_t d[64];
    wake_up(b);
    assert_int_equal(ask(b, (const uint8_t[12]){0x43, 0, 0, 0, 0, 0, 0, 0, 60}, d, sizeof(d)), 20);
    assert_memory_equal(d, ((const uint8_t[]){0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0,
                                              3, 0xe8}), 20);
    assert_int_equal(ask(b, (const uint8_t[12]){0x43, 2, 0, 0, 0, 0, 0xaa, 0, 60}, d, sizeof(d)), 12);
    assert_memory_equal(d + 8, ((const uint8_t[]){0, 0, 15, 25}), 4); /* 1150 frames */
    assert_int_equal(ask(b, (const uint8_t[12]){0x43, 0, 1, 0, 0, 0, 0, 0, 60}, d, sizeof(d)), 12);
    assert_fails(b, (const uint8_t[12]){0x43, 0, 0, 0, 0, 0, 2, 0, 60}, 5, 0x24, 0);
}

static void an_empty_drive_says_so(void **state)
{
    struct bench *b = *state;
    packet(b, test_unit_ready, 0);
    assert_fails(b, test_unit_ready, 2, 0x3a, 1);
    assert_fails(b, (const uint8_t[12]){0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 2, 0x3a, 1);
}

static void a_changed_disc_is_told_by_attention_and_event(void **state)
{
    struct bench *b = *state;
    uint8_t d[16];
    const uint8_t event[12] = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8};
    wake_up(b);
    ata_set_medium(&board(b)->ata, 0, &board(b)->disc[1]->blk);
    assert_int_equal(ask(b, event, d, sizeof(d)), 8);
    assert_memory_equal(d, ((const uint8_t[]){0, 6, 4, 0x10, 2, 2}), 6); /* new medium, present */
    ask(b, event, d, sizeof(d));
    assert_int_equal(d[4], 0);
    assert_fails(b, test_unit_ready, 6, 0x28, 0);
    ask(b, (const uint8_t[12]){0x25}, d, sizeof(d));
    assert_int_equal(d[2] << 8 | d[3], 2 * BLOCKS - 1);
    ata_set_medium(&board(b)->ata, 0, NULL);
    ask(b, event, d, sizeof(d));
    assert_int_equal(d[4], 3);
    assert_fails(b, test_unit_ready, 2, 0x3a, 1);
}

static void a_locked_tray_stays_in(void **state) /* MMC 5.11, 5.16 */
{
    struct bench *b = *state;
    uint8_t d[16];
    const uint8_t eject[12] = {0x1b, 0, 0, 0, 2}, load[12] = {0x1b, 0, 0, 0, 3};
    wake_up(b);
    packet(b, (const uint8_t[12]){0x1e, 0, 0, 0, 1}, 0);
    assert_true(ata_locked(&board(b)->ata, 0));
    assert_fails(b, eject, 5, 0x53, 2);
    ata_request_eject(&board(b)->ata, 0);
    ask(b, (const uint8_t[12]){0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}, d, sizeof(d));
    assert_int_equal(d[4], 1);
    packet(b, (const uint8_t[12]){0x1e}, 0);
    assert_int_equal(packet(b, eject, 0) & ERR, 0);
    assert_fails(b, test_unit_ready, 2, 0x3a, 2); /* tray open */
    assert_int_equal(packet(b, load, 0) & ERR, 0);
    assert_fails(b, test_unit_ready, 6, 0x28, 0);
    assert_int_equal(packet(b, test_unit_ready, 0) & ERR, 0);
}

static void mode_sense_tells_capabilities(void **state) /* MMC 6.3.11 */
{
    struct bench *b = *state;
    uint8_t d[128];
    wake_up(b);
    assert_int_equal(ask(b, (const uint8_t[12]){0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128}, d, sizeof(d)), 28);
    assert_int_equal(d[0] << 8 | d[1], 26);
    assert_int_equal(d[8], 0x2a);
    assert_int_equal(d[9], 18);
    assert_fails(b, (const uint8_t[12]){0x5a, 0, 0xea, 0, 0, 0, 0, 0, 128}, 5, 0x39, 0); /* saved values */
    assert_fails(b, (const uint8_t[12]){0x5a, 0, 0x11, 0, 0, 0, 0, 0, 128}, 5, 0x24, 0);
}

static void get_configuration_names_the_cd_profile(void **state)
{
    struct bench *b = *state;
    uint8_t d[128];
    wake_up(b);
    unsigned n = ask(b, (const uint8_t[12]){0x46, 0, 0, 0, 0, 0, 0, 0, 128}, d, sizeof(d));
    assert_int_equal((unsigned)d[2] << 8 | d[3], n - 4);
    assert_int_equal(d[6] << 8 | d[7], 0x08);
    assert_int_equal(d[8] << 8 | d[9], 0); /* the profile list comes first */
    assert_int_equal(ask(b, (const uint8_t[12]){0x46, 2, 0, 0x1e, 0, 0, 0, 0, 128}, d, sizeof(d)), 12);
    assert_int_equal(d[9], 0x1e);
}

static void an_unknown_packet_is_an_illegal_request(void **state)
{
    struct bench *b = *state;
    wake_up(b);
    assert_fails(b, (const uint8_t[12]){0xff}, 5, 0x20, 0);
    assert_fails(b, (const uint8_t[12]){0x2a, 0, 0, 0, 0, 0, 0, 0, 1}, 5, 0x20, 0); /* WRITE */
}

static void poke_packet(struct bench *b, const uint8_t p[12])
{
    settle(b);
    issue(b, 0xa0, 0, 0, 0x080000, 0xa0); /* 2048 bytes a block */
    settle(b);
    write_words(b, p, 12);
    settle(b);
}

static void poke(struct bench *b)
{
    uint8_t d[2048];
    poke_packet(b, test_unit_ready);
    poke_packet(b, (const uint8_t[12]){0x1e, 0, 0, 0, 1});
    poke_packet(b, (const uint8_t[12]){0x28, 0, 0, 0, 0, 16, 0, 0, 4});
    read_words(b, d, 2048);
    clock_step(b, 1000);
}

DEVICE_TESTS(atapi, setup, &((struct board *)b->dev)->ata.dev, poke);

#define T(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_signature_is_that_of_a_packet_device),
        T(identify_packet_device_names_a_removable_cd_rom),
        T(device_reset_brings_the_signature_without_an_interrupt),
        T(power_on_is_a_unit_attention_once),
        T(inquiry_answers_in_spite_of_an_attention),
        T(capacity_is_the_last_block),
        T(read_10_moves_blocks_within_the_byte_count),
        T(reading_behind_the_end_or_bad_blocks_fails),
        T(read_cd_can_deliver_raw_blocks),
        T(the_toc_has_one_data_track_and_a_lead_out),
        cmocka_unit_test_setup_teardown(an_empty_drive_says_so, setup_empty, bench_teardown),
        T(a_changed_disc_is_told_by_attention_and_event),
        T(a_locked_tray_stays_in),
        T(mode_sense_tells_capabilities),
        T(get_configuration_names_the_cd_profile),
        T(an_unknown_packet_is_an_illegal_request),
        DEVICE_TESTS_OF(atapi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
