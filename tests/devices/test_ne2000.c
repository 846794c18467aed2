/*
 * NE2000: DP8390D datasheet (National Semiconductor, 1995), Novell's card as its drivers know it. Driven
 * through its ports; frames come in and go out as a cable's other end would see them.
 */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/ne2000.h"

enum { BASE = 0x300, DATA = BASE + 0x10, RESET = BASE + 0x1f, LINE = 0, BYTE_NS = 800 };
/* Registers by page (datasheet 10.1). */
enum { CR = 0, PSTART = 1, PSTOP, BNRY, TPSR, TBCR0, TBCR1, ISR, RSAR0, RSAR1, RBCR0, RBCR1, RCR, TCR, DCR, IMR };
enum { PAR0 = 1, CURR = 7, MAR0 = 8, TSR = 4, FIFO = 6, RSR = 12, CNTR0 = 13, CNTR2 = 15 };
enum { STOP = 0x21, START = 0x22, TRANSMIT = 0x26, READ = 0x0a, WRITE = 0x12, SEND = 0x1a, PAGE1 = 0x40, PAGE2 = 0x80 };
enum { PRX = 0x01, PTX = 0x02, OVW = 0x10, CNT = 0x20, RDC = 0x40, RST = 0x80 };
enum { RING = 0x46, RING_END = 0x60, TX_PAGE = 0x40 };

struct far_end {
    struct ne2000 *card;
    uint8_t frame[2048];
    size_t len;
    unsigned frames, rooms;
};

static const uint8_t our_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static void hear(void *arg, const uint8_t *frame, size_t len)
{
    struct far_end *f = arg;
    assert_true(len <= sizeof(f->frame));
    memcpy(f->frame, frame, len);
    f->len = len;
    f->frames++;
}

static void room(void *arg) { ((struct far_end *)arg)->rooms++; }

static int make(void **state, bool pci)
{
    struct bench *b = bench_new();
    struct ne2000 *x = bench_alloc(b, sizeof(*x));
    struct far_end *f = bench_alloc(b, sizeof(*f));
    struct ne2000_wiring w = {.clk = &b->clk,
                              .log = &b->log,
                              .irq = bench_line(b, LINE),
                              .pci = pci,
                              .byte_ns = BYTE_NS,
                              .send = hear,
                              .room = room,
                              .arg = f};
    memcpy(w.mac, our_mac, 6);
    f->card = x;
    ne2000_init(x, "nic", w);
    bench_map(b, BASE, NE2000_PORTS, 0, &ne2000_io, x);
    bench_add(b, &x->dev);
    *state = b;
    return 0;
}

static int setup(void **state) { return make(state, false); }
static int setup_pci(void **state) { return make(state, true); }

static struct far_end *far_end(struct bench *b) { return b->alloc[1]; }
static struct ne2000 *card(struct bench *b) { return b->dev; }

static void reg(struct bench *b, unsigned r, uint8_t v) { out8(b, (uint16_t)(BASE + r), v); }
static uint8_t get(struct bench *b, unsigned r) { return in8(b, (uint16_t)(BASE + r)); }

/* A register of another page, back to page 0. */
static void reg1(struct bench *b, unsigned r, uint8_t v)
{
    reg(b, CR, PAGE1 | START);
    reg(b, r, v);
    reg(b, CR, START);
}

static uint8_t get_page(struct bench *b, uint8_t page, unsigned r)
{
    reg(b, CR, page | START);
    uint8_t v = get(b, r);
    reg(b, CR, START);
    return v;
}

static void dma(struct bench *b, uint16_t addr, uint16_t count, uint8_t command)
{
    reg(b, RSAR0, (uint8_t)addr);
    reg(b, RSAR1, (uint8_t)(addr >> 8));
    reg(b, RBCR0, (uint8_t)count);
    reg(b, RBCR1, (uint8_t)(count >> 8));
    reg(b, CR, command);
}

static void upload(struct bench *b, uint16_t addr, const uint8_t *p, uint16_t len)
{
    dma(b, addr, len, WRITE);
    for (unsigned i = 0; i < len; i += 2)
        out16(b, DATA, (uint16_t)(p[i] | (i + 1 < len ? p[i + 1] : 0) << 8));
}

static void download(struct bench *b, uint16_t addr, uint8_t *p, uint16_t len)
{
    dma(b, addr, len, READ);
    for (unsigned i = 0; i < len; i += 2) {
        uint16_t v = in16(b, DATA);
        p[i] = (uint8_t)v;
        if (i + 1 < len)
            p[i + 1] = (uint8_t)(v >> 8);
    }
}

/* The initialisation sequence of the datasheet, 9.0, with word-wide DMA. */
static void start(struct bench *b, uint8_t rcr)
{
    reg(b, CR, STOP);
    reg(b, DCR, 0x49);
    reg(b, RBCR0, 0);
    reg(b, RBCR1, 0);
    reg(b, RCR, rcr);
    reg(b, TCR, 0x02);
    reg(b, PSTART, RING);
    reg(b, PSTOP, RING_END);
    reg(b, BNRY, RING);
    reg(b, ISR, 0xff);
    reg(b, IMR, 0x3f);
    reg(b, CR, PAGE1 | STOP);
    for (unsigned i = 0; i < 6; i++)
        reg(b, PAR0 + i, our_mac[i]);
    for (unsigned i = 0; i < 8; i++)
        reg(b, MAR0 + i, 0);
    reg(b, CURR, RING + 1);
    reg(b, CR, START);
    reg(b, TCR, 0);
}

static size_t frame_to(uint8_t *frame, const uint8_t *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(i * 7 + 1);
    memcpy(frame, to, 6);
    return len;
}

static void arrive(struct bench *b, const uint8_t *to, size_t len)
{
    uint8_t frame[2048];
    ne2000_receive(card(b), frame, frame_to(frame, to, len));
}

static uint8_t curr(struct bench *b) { return get_page(b, PAGE1, CURR); }

/* --- PROM, registers, reset --- */

static void the_prom_holds_the_address_doubled_and_ww(void **state)
{
    struct bench *b = *state;
    uint8_t prom[32];
    reg(b, CR, START);
    reg(b, DCR, 0x48); /* byte wide */
    dma(b, 0, 32, READ);
    for (unsigned i = 0; i < 32; i++)
        prom[i] = in8(b, DATA);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(prom[2 * i], our_mac[i]);
        assert_int_equal(prom[2 * i + 1], our_mac[i]);
    }
    for (unsigned i = 28; i < 32; i++)
        assert_int_equal(prom[i], 'W');
}

/* 11.0: after RESET the chip is stopped, remote DMA aborted, ISR has RST, IMR is clear. */
static void the_reset_port_stops_the_chip(void **state)
{
    struct bench *b = *state;
    start(b, 0x04);
    arrive(b, our_mac, 60);
    assert_line(b, LINE, true);
    in8(b, RESET);
    assert_int_equal(get(b, CR), STOP);
    assert_int_equal(get(b, ISR), RST);
    assert_line(b, LINE, false);
    assert_int_equal(get_page(b, PAGE2, IMR) & 0x7f, 0);
}

/* 10.3: RST is cleared by Start, not by writing to ISR, and causes no interrupt. */
static void rst_follows_stop_and_start(void **state)
{
    struct bench *b = *state;
    reg(b, CR, STOP);
    reg(b, IMR, 0x7f);
    reg(b, ISR, 0xff);
    assert_int_equal(get(b, ISR), RST);
    assert_line(b, LINE, false);
    reg(b, CR, START);
    assert_int_equal(get(b, ISR), 0);
}

static void page_2_shows_what_page_0_was_given(void **state)
{
    struct bench *b = *state;
    start(b, 0x1f);
    assert_int_equal(get_page(b, PAGE2, PSTART), RING);
    assert_int_equal(get_page(b, PAGE2, PSTOP), RING_END);
    assert_int_equal(get_page(b, PAGE2, RCR) & 0x3f, 0x1f);
    assert_int_equal(get_page(b, PAGE2, TCR) & 0x1f, 0);
    assert_int_equal(get_page(b, PAGE2, DCR) & 0x7f, 0x49);
    assert_int_equal(get_page(b, PAGE2, IMR) & 0x7f, 0x3f);
}

/* RTL8029AS datasheet, 6.1: 8029ID0 and 8029ID1. */
static void the_pci_chip_identifies_itself(void **state)
{
    struct bench *b = *state;
    reg(b, CR, START);
    assert_int_equal(get(b, 0x0a), 0x50);
    assert_int_equal(get(b, 0x0b), 0x43);
}

/* --- remote DMA --- */

static void remote_dma_moves_bytes_and_words(void **state)
{
    struct bench *b = *state;
    uint8_t in[64], out[64];
    start(b, 0);
    for (unsigned i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(200 - i);
    upload(b, 0x4000, in, sizeof(in));
    assert_int_equal(get(b, ISR) & RDC, RDC);
    reg(b, ISR, RDC);
    reg(b, DCR, 0x48);
    dma(b, 0x4000, sizeof(out), READ);
    for (unsigned i = 0; i < sizeof(out); i++) {
        assert_int_equal(get(b, ISR) & RDC, 0);
        out[i] = in8(b, DATA);
    }
    assert_int_equal(get(b, ISR) & RDC, RDC);
    assert_memory_equal(in, out, sizeof(in));
}

static void doublewords_go_through_the_pci_data_port(void **state)
{
    struct bench *b = *state;
    start(b, 0);
    dma(b, 0x7000, 8, WRITE);
    out32(b, DATA, 0x44332211);
    out32(b, DATA, 0x88776655);
    dma(b, 0x7002, 4, READ);
    assert_int_equal(in32(b, DATA), 0x66554433);
}

/* 5.0: the remote address goes from PSTOP to PSTART, so that a frame can be read in one go. */
static void remote_dma_wraps_at_the_end_of_the_ring(void **state)
{
    struct bench *b = *state;
    uint8_t a[2] = {0x12, 0x34}, z[2] = {0x56, 0x78}, both[4];
    start(b, 0);
    upload(b, RING_END * 256 - 2, a, 2);
    upload(b, RING * 256, z, 2);
    download(b, RING_END * 256 - 2, both, 4);
    assert_memory_equal(both, ((uint8_t[]){0x12, 0x34, 0x56, 0x78}), 4);
}

static void an_idle_data_port_reads_ones_and_takes_nothing(void **state)
{
    struct bench *b = *state;
    uint8_t byte[2] = {0xaa, 0xbb}, back[2];
    start(b, 0);
    upload(b, 0x4000, byte, 2);
    out16(b, DATA, 0x1111);
    assert_int_equal(in16(b, DATA), 0xffff);
    reg(b, CR, READ); /* a count of 0 completes at once */
    assert_int_equal(in16(b, DATA), 0xffff);
    download(b, 0x4000, back, 2);
    assert_memory_equal(back, byte, 2);
}

/* Novell's card has 16 KiB and decodes A14 only. */
static void isa_memory_repeats_and_the_prom_cannot_be_written(void **state)
{
    struct bench *b = *state;
    uint8_t v[2] = {0x99, 0x98}, back[2];
    start(b, 0);
    upload(b, 0x4100, v, 2);
    download(b, 0xc100, back, 2);
    assert_memory_equal(back, v, 2);
    upload(b, 0, v, 2);
    download(b, 0, back, 2);
    assert_int_equal(back[0], our_mac[0]);
}

/* --- transmission --- */

static void a_frame_leaves_when_its_last_bit_has(void **state)
{
    struct bench *b = *state;
    uint8_t frame[100];
    start(b, 0);
    upload(b, TX_PAGE * 256, frame, (uint16_t)frame_to(frame, our_mac, sizeof(frame)));
    reg(b, ISR, RDC);
    reg(b, TPSR, TX_PAGE);
    reg(b, TBCR0, sizeof(frame));
    reg(b, TBCR1, 0);
    reg(b, CR, TRANSMIT);
    assert_int_equal(get(b, CR), TRANSMIT);
    clock_step(b, (sizeof(frame) + 4) * BYTE_NS - 1);
    assert_int_equal(far_end(b)->frames, 0);
    clock_step(b, 1);
    assert_int_equal(far_end(b)->frames, 1);
    assert_int_equal(far_end(b)->len, sizeof(frame));
    assert_memory_equal(far_end(b)->frame, frame, sizeof(frame));
    assert_int_equal(get(b, CR), START);
    assert_int_equal(get(b, ISR), PTX);
    assert_int_equal(get(b, TSR) & 0x01, 0x01);
    assert_line(b, LINE, true);
    reg(b, ISR, PTX);
    assert_line(b, LINE, false);
}

static void transmit(struct bench *b, uint16_t len)
{
    reg(b, TPSR, TX_PAGE);
    reg(b, TBCR0, (uint8_t)len);
    reg(b, TBCR1, (uint8_t)(len >> 8));
    reg(b, CR, TRANSMIT);
    clock_step(b, 70000ull * BYTE_NS);
}

static void empty_and_oversized_transmits_complete_without_a_frame(void **state)
{
    static const uint16_t lengths[] = {0, 1519, 4096, 0xffff};
    struct bench *b = *state;
    start(b, 0);
    for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
        transmit(b, lengths[i]);
        assert_int_equal(get(b, ISR), PTX);
        reg(b, ISR, PTX);
        assert_int_equal(far_end(b)->frames, 0);
    }
    transmit(b, 1514);
    assert_int_equal(far_end(b)->frames, 1);
}

static void a_stopped_chip_does_not_transmit(void **state)
{
    struct bench *b = *state;
    start(b, 0);
    reg(b, CR, 0x25); /* STP and TXP */
    clock_step(b, 1000000);
    assert_int_equal(get(b, CR) & 0x04, 0);
    assert_int_equal(far_end(b)->frames, 0);
}

static void without_a_link_the_carrier_is_missing(void **state)
{
    struct bench *b = *state;
    start(b, 0x04);
    ne2000_set_link(card(b), false);
    transmit(b, 60);
    assert_int_equal(far_end(b)->frames, 0);
    assert_int_equal(get(b, TSR) & 0x10, 0x10); /* CRS */
    arrive(b, our_mac, 60);
    assert_int_equal(curr(b), RING + 1);
}

/* --- loopback (12.0) --- */

static const struct {
    uint8_t tcr, tsr; /* datasheet, "Loopback modes": CDH and CRS by what is cut off */
} loops[] = {{0x02, 0x53}, {0x04, 0x43}, {0x06, 0x03}};

static void loopback_leaves_count_and_crc_in_the_fifo(void **state)
{
    struct bench *b = *state;
    uint8_t frame[64], fifo[8];
    uint32_t crc = 0xffffffff;
    for (unsigned m = 0; m < ARRAY_LEN(loops); m++) {
        start(b, 0x1f);
        upload(b, TX_PAGE * 256, frame, (uint16_t)frame_to(frame, our_mac, sizeof(frame)));
        reg(b, ISR, 0xff);
        reg(b, TCR, loops[m].tcr);
        transmit(b, sizeof(frame));
        assert_int_equal(far_end(b)->frames, 0);
        assert_int_equal(get(b, TSR), loops[m].tsr);
        assert_int_equal(get(b, RSR), 0x02); /* the CRC generator was the transmitter's */
        assert_int_equal(get(b, ISR), PTX);
        for (unsigned i = 0; i < 8; i++)
            fifo[i] = get(b, FIFO);
    }
    crc = 0xffffffff; /* IEEE 802.3, bit by bit */
    for (unsigned i = 0; i < 8 * sizeof(frame); i++)
        crc = crc >> 1 ^ ((crc ^ frame[i / 8] >> (i % 8)) & 1 ? 0xedb88320 : 0);
    crc = ~crc;
    assert_int_equal(fifo[0], 68);
    assert_int_equal(fifo[1], 0);
    assert_int_equal(fifo[3], frame[63]);
    assert_int_equal(fifo[4] | fifo[5] << 8 | fifo[6] << 16 | (uint32_t)fifo[7] << 24, crc);
}

static void nothing_is_received_in_loopback(void **state)
{
    struct bench *b = *state;
    start(b, 0x1f);
    reg(b, TCR, 0x02);
    arrive(b, our_mac, 60);
    assert_int_equal(curr(b), RING + 1);
}

/* --- reception --- */

/* Figure 11: status, next page, count with CRC; then the frame, here padded to the minimum of 60. */
static void a_frame_is_stored_behind_its_header(void **state)
{
    struct bench *b = *state;
    uint8_t got[72], frame[42];
    start(b, 0x04);
    arrive(b, our_mac, 42);
    frame_to(frame, our_mac, 42);
    assert_int_equal(get(b, ISR), PRX);
    assert_line(b, LINE, true);
    assert_int_equal(curr(b), RING + 2);
    download(b, (RING + 1) * 256, got, sizeof(got));
    assert_int_equal(got[0], 0x01);
    assert_int_equal(got[1], RING + 2);
    assert_int_equal(got[2] | got[3] << 8, 64);
    assert_memory_equal(got + 4, frame, 42);
    for (unsigned i = 42; i < 60; i++)
        assert_int_equal(got[4 + i], 0);
}

/* The CRC behind it: over frame and CRC the generator ends at the residue DEBB20E3 (802.3). */
static void the_crc_is_stored_behind_the_frame(void **state)
{
    struct bench *b = *state;
    uint8_t got[4 + 128 + 4];
    uint32_t crc = 0xffffffff;
    start(b, 0x04);
    arrive(b, our_mac, 128);
    download(b, (RING + 1) * 256, got, sizeof(got));
    for (unsigned i = 8 * 4; i < 8 * sizeof(got); i++)
        crc = crc >> 1 ^ ((crc ^ got[i / 8] >> (i % 8)) & 1 ? 0xedb88320 : 0);
    assert_int_equal(crc, 0xdebb20e3);
}

static void a_frame_wraps_to_the_start_of_the_ring(void **state)
{
    struct bench *b = *state;
    uint8_t got[604], frame[600];
    start(b, 0x04);
    reg1(b, CURR, RING_END - 1);
    reg(b, BNRY, RING_END - 2);
    arrive(b, our_mac, 600); /* 608 bytes: 3 pages */
    frame_to(frame, our_mac, 600);
    assert_int_equal(curr(b), RING + 2);
    download(b, (RING_END - 1) * 256, got, sizeof(got)); /* wraps, too */
    assert_int_equal(got[1], RING + 2);
    assert_memory_equal(got + 4, frame, 600);
}

static void addresses_are_filtered(void **state)
{
    static const uint8_t other[6] = {0x52, 0x54, 0, 1, 2, 3}, all[6] = {255, 255, 255, 255, 255, 255};
    static const uint8_t group[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01};
    static const struct {
        uint8_t rcr;
        bool ours, other, all, group; /* 10.10 */
    } cases[] = {{0x00, true, false, false, false}, {0x04, true, false, true, false},
                 {0x08, true, false, false, false}, {0x10, true, true, false, false},
                 {0x14, true, true, true, false}};
    struct bench *b = *state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        const uint8_t *to[] = {our_mac, other, all, group};
        const bool taken[] = {cases[i].ours, cases[i].other, cases[i].all, cases[i].group};
        for (unsigned k = 0; k < 4; k++) {
            start(b, cases[i].rcr);
            arrive(b, to[k], 60);
            assert_int_equal(curr(b), RING + 1 + taken[k]);
        }
    }
}

/* The six most significant bits of the generator with the polynomial 04C11DB7, fed as Ethernet sends: the
 * lowest bit of each byte first (802.3, 3.2.9). */
static unsigned reference_hash(const uint8_t *a)
{
    uint32_t crc = 0xffffffff;
    for (unsigned i = 0; i < 48; i++) {
        unsigned bit = a[i / 8] >> (i % 8) & 1;
        crc = (crc << 1) ^ ((crc >> 31 ^ bit) & 1 ? 0x04c11db7 : 0);
    }
    return crc >> 26;
}

static void multicast_goes_by_the_hash(void **state)
{
    static const uint8_t groups[][6] = {{0x01, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1}, {0x01, 0x80, 0xc2, 0, 0, 0}};
    struct bench *b = *state;
    for (unsigned i = 0; i < ARRAY_LEN(groups); i++) {
        unsigned bit = reference_hash(groups[i]);
        start(b, 0x08);
        reg1(b, MAR0 + bit / 8, (uint8_t)~(1u << (bit % 8)));
        arrive(b, groups[i], 60);
        assert_int_equal(curr(b), RING + 1);
        reg1(b, MAR0 + bit / 8, (uint8_t)(1u << (bit % 8)));
        arrive(b, groups[i], 60);
        assert_int_equal(curr(b), RING + 2);
        assert_int_equal(get(b, RSR) & 0x20, 0x20); /* PHY: not by the station address */
    }
}

/* 10.10: in monitor mode frames are checked and counted, not buffered. */
static void monitor_mode_counts_only(void **state)
{
    struct bench *b = *state;
    start(b, 0x24);
    for (unsigned i = 0; i < 5; i++)
        arrive(b, our_mac, 60);
    assert_int_equal(curr(b), RING + 1);
    assert_int_equal(get(b, ISR), 0);
    assert_int_equal(get(b, CNTR2), 5);
    assert_int_equal(get(b, CNTR2), 0); /* cleared by reading */
}

/* 10.12: CNT at 128, the counter stays at 192. */
static void counters_interrupt_at_128_and_stop_at_192(void **state)
{
    struct bench *b = *state;
    start(b, 0x24);
    for (unsigned i = 0; i < 127; i++)
        arrive(b, our_mac, 60);
    assert_int_equal(get(b, ISR), 0);
    arrive(b, our_mac, 60);
    assert_int_equal(get(b, ISR), CNT);
    assert_line(b, LINE, true);
    for (unsigned i = 0; i < 200; i++)
        arrive(b, our_mac, 60);
    assert_int_equal(get(b, CNTR2), 192);
}

static void runts_and_jumbo_frames_are_not_stored(void **state)
{
    struct bench *b = *state;
    start(b, 0x04);
    arrive(b, our_mac, 13);
    arrive(b, our_mac, 1519);
    assert_int_equal(curr(b), RING + 1);
    arrive(b, our_mac, 1518); /* with a VLAN tag */
    assert_int_equal(curr(b), RING + 7);
}

/* --- overflow (7.0, "Buffer ring overflow") --- */

static unsigned fill(struct bench *b)
{
    unsigned n = 0;
    while (!(get(b, ISR) & OVW) && n < 100) {
        arrive(b, our_mac, 500); /* 508 bytes: 2 pages */
        n++;
    }
    return n;
}

static void a_full_ring_overflows_and_keeps_what_it_has(void **state)
{
    struct bench *b = *state;
    uint8_t before[16], after[16];
    start(b, 0x04);
    download(b, RING * 256, before, sizeof(before));
    unsigned n = fill(b);
    assert_int_equal(n, (RING_END - RING - 1) / 2 + 1); /* 25 usable pages hold 12; the 13th does not fit */
    assert_int_equal(get(b, CNTR2), 1);
    assert_int_equal(get(b, RSR) & 0x10, 0x10);
    assert_line(b, LINE, true);
    download(b, RING * 256, after, sizeof(after)); /* BNRY's page */
    assert_memory_equal(before, after, sizeof(after));
}

/* The recovery procedure of the datasheet, after which everything goes on. */
static void the_recovery_procedure_makes_room(void **state)
{
    struct bench *b = *state;
    start(b, 0x04);
    fill(b);
    reg(b, CR, STOP);
    clock_step(b, 1600000);
    reg(b, RBCR0, 0);
    reg(b, RBCR1, 0);
    reg(b, TCR, 0x02);
    reg(b, CR, START);
    uint8_t header[4];
    download(b, (RING + 1) * 256, header, 4);
    assert_int_equal(header[2] | header[3] << 8, 504);
    reg(b, BNRY, (uint8_t)(header[1] - 1));
    reg(b, ISR, OVW | PRX);
    reg(b, TCR, 0);
    uint8_t at = curr(b);
    arrive(b, our_mac, 200); /* one page; the ring has two free ones */
    assert_int_not_equal(curr(b), at);
    assert_int_equal(get(b, ISR) & (OVW | PRX), PRX);
}

/* Drivers that keep BNRY one page behind write PSTART - 1, which is no page of the ring. */
static void a_boundary_below_the_ring_means_its_last_page(void **state)
{
    struct bench *b = *state;
    start(b, 0x04);
    reg1(b, CURR, RING);
    reg(b, BNRY, RING - 1);
    fill(b);
    uint8_t header[4];
    download(b, RING * 256, header, 4);
    assert_int_equal(header[1], RING + 2); /* the first frame is still there */
    assert_true(curr(b) < RING_END && curr(b) >= RING);
}

/* What the board asks before it hands a frame over. */
static void readiness_follows_ring_and_acknowledgement(void **state)
{
    struct bench *b = *state;
    start(b, 0x04);
    assert_true(ne2000_attends(card(b)));
    assert_true(ne2000_ready(card(b), 1514));
    fill(b);
    assert_false(ne2000_ready(card(b), 1514));
    assert_false(ne2000_attends(card(b)));
    unsigned rooms = far_end(b)->rooms;
    reg(b, ISR, PRX);
    assert_true(far_end(b)->rooms > rooms);
    assert_true(ne2000_attends(card(b)));
    rooms = far_end(b)->rooms;
    reg(b, BNRY, curr(b) - 1);
    assert_true(far_end(b)->rooms > rooms);
    assert_true(ne2000_ready(card(b), 1514));
    reg(b, CR, STOP);
    assert_false(ne2000_listens(card(b)));
    assert_true(ne2000_ready(card(b), 1514)); /* it drops it: no reason to wait */
}

/* 5.5: Send Packet reads the frame at BNRY by the length in its header and then frees it. */
static void send_packet_reads_the_oldest_frame_and_frees_it(void **state)
{
    struct bench *b = *state;
    uint8_t frame[60];
    start(b, 0x04);
    reg1(b, CURR, RING);
    reg(b, BNRY, RING);
    arrive(b, our_mac, 60);
    frame_to(frame, our_mac, 60);
    reg(b, ISR, 0xff);
    reg(b, CR, SEND);
    uint8_t got[64];
    for (unsigned i = 0; i < 64; i += 2) {
        uint16_t v = in16(b, DATA);
        got[i] = (uint8_t)v;
        got[i + 1] = (uint8_t)(v >> 8);
    }
    assert_memory_equal(got + 4, frame, 60);
    assert_int_equal(get(b, ISR), RDC);
    assert_int_equal(get(b, BNRY), RING + 1);
}

/* Whatever the registers say: no access outside, no endless loop. */
static void wild_registers_do_no_harm(void **state)
{
    struct bench *b = *state;
    uint32_t seed = 12345;
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * 1664525 + 1013904223;
        uint16_t port = (uint16_t)(BASE + (seed >> 8 & 0x1f));
        switch (seed >> 29) {
        case 0: in8(b, port); break;
        case 1: in16(b, port); break;
        case 2: in32(b, (uint16_t)(port & ~3)); break;
        case 3: out16(b, port & (uint16_t)~1, (uint16_t)(seed >> 13)); break;
        case 4: arrive(b, seed & 0x10000 ? our_mac : (const uint8_t *)"\377\377\377\377\377\377", seed >> 13 & 0x7ff); break;
        case 5: clock_step(b, seed >> 12 & 0xffff); break;
        default: out8(b, port, (uint8_t)(seed >> 13)); break;
        }
    }
}

static void poke(struct bench *b) /* as a busy guest would */
{
    uint8_t frame[64];
    start(b, 0x0c);
    upload(b, TX_PAGE * 256, frame, (uint16_t)frame_to(frame, our_mac, sizeof(frame)));
    arrive(b, our_mac, 300);
    dma(b, (RING + 1) * 256, 300, READ);
    in16(b, DATA);
    reg(b, TPSR, TX_PAGE);
    reg(b, TBCR0, sizeof(frame));
    reg(b, TBCR1, 0);
    reg(b, CR, 0x0e); /* remote read goes on, transmit */
}

DEVICE_TESTS(ne2000, setup, &((struct ne2000 *)b->dev)->dev, poke);

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)
#define PCI_TEST(f) cmocka_unit_test_setup_teardown(f, setup_pci, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_prom_holds_the_address_doubled_and_ww),
        TEST(the_reset_port_stops_the_chip),
        TEST(rst_follows_stop_and_start),
        TEST(page_2_shows_what_page_0_was_given),
        PCI_TEST(the_pci_chip_identifies_itself),
        TEST(remote_dma_moves_bytes_and_words),
        PCI_TEST(doublewords_go_through_the_pci_data_port),
        TEST(remote_dma_wraps_at_the_end_of_the_ring),
        TEST(an_idle_data_port_reads_ones_and_takes_nothing),
        TEST(isa_memory_repeats_and_the_prom_cannot_be_written),
        TEST(a_frame_leaves_when_its_last_bit_has),
        TEST(empty_and_oversized_transmits_complete_without_a_frame),
        TEST(a_stopped_chip_does_not_transmit),
        TEST(without_a_link_the_carrier_is_missing),
        TEST(loopback_leaves_count_and_crc_in_the_fifo),
        TEST(nothing_is_received_in_loopback),
        TEST(a_frame_is_stored_behind_its_header),
        TEST(the_crc_is_stored_behind_the_frame),
        TEST(a_frame_wraps_to_the_start_of_the_ring),
        TEST(addresses_are_filtered),
        TEST(multicast_goes_by_the_hash),
        TEST(monitor_mode_counts_only),
        TEST(counters_interrupt_at_128_and_stop_at_192),
        TEST(runts_and_jumbo_frames_are_not_stored),
        TEST(a_full_ring_overflows_and_keeps_what_it_has),
        TEST(the_recovery_procedure_makes_room),
        TEST(a_boundary_below_the_ring_means_its_last_page),
        TEST(readiness_follows_ring_and_acknowledgement),
        TEST(send_packet_reads_the_oldest_frame_and_frees_it),
        TEST(wild_registers_do_no_harm),
        PCI_TEST(wild_registers_do_no_harm),
        DEVICE_TESTS_OF(ne2000),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
