/*
 * PCnet-PCI II: Am79C970A datasheet (AMD 19436). Driven through its ports and through rings in memory, in
 * the 16-bit form of the LANCE and in both 32-bit forms.
 */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/pcnet.h"

enum { BASE = 0x400, LINE = 0, BYTE_NS = 80 };
enum { RDP = 0x10, RAP = 0x12, RESET = 0x14, BDP = 0x16 };
enum { INIT = 1, STRT = 2, STOP = 4, TDMD = 8, TXON = 0x10, RXON = 0x20, IENA = 0x40, INTR = 0x80, IDON = 0x100 };
enum { TINT = 0x200, RINT = 0x400, MERR = 0x800, MISS = 0x1000, BABL = 0x4000, ERR = 0x8000 };
enum { BLOCK = 0x1000, RX_RING = 0x2000, TX_RING = 0x3000, RX_DATA = 0x10000, TX_DATA = 0x20000, RING = 4 };

struct far_end {
    uint8_t frame[2048];
    size_t len;
    unsigned frames;
    bool no_master;
    unsigned style;
};

static const uint8_t our_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static void hear(void *arg, const uint8_t *frame, size_t len)
{
    struct far_end *f = arg;
    memcpy(f->frame, frame, len);
    f->len = len;
    f->frames++;
}

static bool is_master(void *arg) { return !((struct far_end *)arg)->no_master; }

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct pcnet *x = bench_alloc(b, sizeof(*x));
    struct far_end *f = bench_alloc(b, sizeof(*f));
    struct pcnet_wiring w = {.clk = &b->clk,
                             .log = &b->log,
                             .phys = b->phys,
                             .irq = bench_line(b, LINE),
                             .byte_ns = BYTE_NS,
                             .is_master = is_master,
                             .send = hear,
                             .arg = f};
    memcpy(w.mac, our_mac, 6);
    pcnet_init(x, "nic", w);
    bench_map(b, BASE, PCNET_PORTS, 0, &pcnet_io, x);
    bench_add(b, &x->dev);
    *state = b;
    return 0;
}

static struct far_end *far_end(struct bench *b) { return b->alloc[1]; }
static struct pcnet *card(struct bench *b) { return b->dev; }

static void csr(struct bench *b, unsigned r, uint16_t v)
{
    out16(b, BASE + RAP, (uint16_t)r);
    out16(b, BASE + RDP, v);
}

static uint16_t get_csr(struct bench *b, unsigned r)
{
    out16(b, BASE + RAP, (uint16_t)r);
    return in16(b, BASE + RDP);
}

static void bcr(struct bench *b, unsigned r, uint16_t v)
{
    out16(b, BASE + RAP, (uint16_t)r);
    out16(b, BASE + BDP, v);
}

static void poke8(struct bench *b, uint32_t a, uint8_t v) { phys_write(b->phys, a, v, 1); }
static void poke16(struct bench *b, uint32_t a, uint16_t v) { phys_write(b->phys, a, v, 2); }
static void poke32(struct bench *b, uint32_t a, uint32_t v) { phys_write(b->phys, a, v, 4); }

static uint32_t desc(struct bench *b, uint32_t ring, unsigned i) { return ring + i * (far_end(b)->style ? 16 : 8); }

/* A descriptor in the style in use: buffer, length, upper status byte. */
static void put_desc(struct bench *b, uint32_t ring, unsigned i, uint32_t buffer, unsigned len, uint8_t status)
{
    uint32_t at = desc(b, ring, i);
    uint16_t count = (uint16_t)(0xf000 | (4096 - len));
    unsigned style = far_end(b)->style;
    if (style == 0) {
        poke32(b, at, buffer | (uint32_t)status << 24);
        poke16(b, at + 4, count);
        poke16(b, at + 6, 0);
    } else {
        poke32(b, at + (style == 3 ? 8 : 0), buffer);
        poke32(b, at + (style == 3 ? 0 : 8), 0);
        poke32(b, at + 4, (uint32_t)status << 24 | count);
    }
}

static uint8_t status_of(struct bench *b, uint32_t ring, unsigned i)
{
    return (uint8_t)phys_read(b->phys, desc(b, ring, i) + (far_end(b)->style ? 7 : 3), 1);
}

static unsigned length_of(struct bench *b, unsigned i)
{
    unsigned style = far_end(b)->style;
    return phys_read(b->phys, desc(b, RX_RING, i) + (style == 0 ? 6 : style == 3 ? 0 : 8), 2);
}

/* Rings of four: the initialization block (datasheet, figures of 16- and 32-bit form). */
static void start_rings(struct bench *b, unsigned style, uint16_t mode, unsigned buffer_len)
{
    far_end(b)->style = style;
    in16(b, BASE + RESET);
    bcr(b, 20, (uint16_t)style);
    poke16(b, BLOCK, mode);
    if (style == 0) {
        for (unsigned i = 0; i < 6; i++)
            poke8(b, BLOCK + 2 + i, our_mac[i]);
        poke32(b, BLOCK + 8, 0);
        poke32(b, BLOCK + 12, 0);
        poke32(b, BLOCK + 16, RX_RING | 2u << 29);
        poke32(b, BLOCK + 20, TX_RING | 2u << 29);
    } else {
        poke16(b, BLOCK + 2, 0x2020);
        for (unsigned i = 0; i < 6; i++)
            poke8(b, BLOCK + 4 + i, our_mac[i]);
        poke32(b, BLOCK + 12, 0);
        poke32(b, BLOCK + 16, 0);
        poke32(b, BLOCK + 20, RX_RING);
        poke32(b, BLOCK + 24, TX_RING);
    }
    for (unsigned i = 0; i < RING; i++) {
        put_desc(b, RX_RING, i, RX_DATA + i * 0x1000, buffer_len, 0x80);
        put_desc(b, TX_RING, i, TX_DATA + i * 0x1000, 60, 0);
    }
    csr(b, 1, BLOCK);
    csr(b, 2, 0);
    csr(b, 0, INIT);
    csr(b, 0, IDON | STRT | IENA);
}

static size_t make_frame(uint8_t *frame, const uint8_t *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(i * 5 + 3);
    memcpy(frame, to, 6);
    return len;
}

static void arrive(struct bench *b, const uint8_t *to, size_t len)
{
    uint8_t frame[2048];
    pcnet_receive(card(b), frame, make_frame(frame, to, len));
}

/* What drivers look for: STOP after reset, the address port reads back, the part number (CSR88, CSR89). */
static void it_is_an_am79c970a(void **state)
{
    struct bench *b = *state;
    in16(b, BASE + RESET);
    assert_int_equal(get_csr(b, 0), STOP);
    out16(b, BASE + RAP, 88);
    assert_int_equal(in16(b, BASE + RAP), 88);
    uint32_t id = get_csr(b, 88) | (uint32_t)get_csr(b, 89) << 16;
    assert_int_equal(id >> 12 & 0xffff, 0x2621);
    assert_int_equal(id & 0xfff, 0x003);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(in8(b, (uint16_t)(BASE + i)), our_mac[i]);
    assert_int_equal(in16(b, BASE + 14), 0x5757);
}

/* A 32-bit write to RDP makes the registers 32 bits wide, until the next hardware reset. */
static void a_doubleword_write_selects_32_bit_ports(void **state)
{
    struct bench *b = *state;
    out32(b, BASE + 0x10, 0);
    out32(b, BASE + 0x14, 88);
    assert_int_equal(in32(b, BASE + 0x10), 0x1003);
    in32(b, BASE + 0x18); /* soft reset keeps the width */
    out32(b, BASE + 0x14, 0);
    assert_int_equal(in32(b, BASE + 0x10), STOP);
    assert_int_equal(in16(b, BASE + RDP), 0xffff);
}

static void initialization_takes_the_block(void **state)
{
    struct bench *b = *state;
    for (unsigned style = 0; style <= 3; style += style ? 1 : 2) {
        start_rings(b, style, 0, 1536);
        uint16_t c = get_csr(b, 0);
        assert_int_equal(c & (STRT | RXON | TXON), STRT | RXON | TXON);
        assert_int_equal(c & (STOP | IDON), 0);
        assert_int_equal(get_csr(b, 12), 0x5452);
        assert_int_equal(get_csr(b, 24), RX_RING);
        assert_int_equal(get_csr(b, 30), TX_RING);
        assert_int_equal(get_csr(b, 76), 0xfffc); /* -4 */
        assert_int_equal(get_csr(b, 78), 0xfffc);
    }
}

static void idon_interrupts_until_cleared(void **state)
{
    struct bench *b = *state;
    in16(b, BASE + RESET);
    csr(b, 1, BLOCK);
    csr(b, 0, INIT | IENA);
    assert_line(b, LINE, true);
    assert_int_equal(get_csr(b, 0) & (IDON | INTR), IDON | INTR);
    csr(b, 0, IDON | IENA);
    assert_line(b, LINE, false);
    csr(b, 0, STOP);
    csr(b, 3, IDON); /* masked */
    csr(b, 0, INIT | IENA);
    assert_line(b, LINE, false);
}

static void without_bus_mastering_it_reports_a_memory_error(void **state)
{
    struct bench *b = *state;
    far_end(b)->no_master = true;
    csr(b, 0, INIT);
    assert_int_equal(get_csr(b, 0) & (MERR | ERR | IDON), MERR | ERR);
}

static void a_frame_goes_to_the_next_buffer(void **state)
{
    struct bench *b = *state;
    uint8_t frame[100], got[104];
    for (unsigned style = 0; style <= 3; style += style ? 1 : 2) {
        start_rings(b, style, 0, 1536);
        arrive(b, our_mac, 100);
        make_frame(frame, our_mac, 100);
        assert_line(b, LINE, true);
        assert_int_equal(get_csr(b, 0) & RINT, RINT);
        assert_int_equal(status_of(b, RX_RING, 0), 0x03); /* STP ENP */
        assert_int_equal(length_of(b, 0), 104);           /* with CRC */
        phys_read_bytes(b->phys, RX_DATA, got, sizeof(got));
        assert_memory_equal(got, frame, 100);
        uint32_t crc = 0xffffffff; /* over frame and CRC: the residue of 802.3 */
        for (unsigned i = 0; i < 8 * sizeof(got); i++)
            crc = crc >> 1 ^ ((crc ^ got[i / 8] >> (i % 8)) & 1 ? 0xedb88320 : 0);
        assert_int_equal(crc, 0xdebb20e3);
        arrive(b, our_mac, 20); /* padded to 60 by its sender */
        assert_int_equal(length_of(b, 1), 64);
        assert_int_equal(get_csr(b, 72), 2); /* two of four to go */
    }
}

static void long_frames_are_chained(void **state)
{
    struct bench *b = *state;
    start_rings(b, 2, 0, 64);
    arrive(b, our_mac, 150); /* 154 bytes with CRC: 64 + 64 + 26 */
    assert_int_equal(status_of(b, RX_RING, 0), 0x02);
    assert_int_equal(status_of(b, RX_RING, 1), 0x00);
    assert_int_equal(status_of(b, RX_RING, 2), 0x01);
    assert_int_equal(length_of(b, 2), 154);
    arrive(b, our_mac, 150); /* one buffer left: BUFF */
    assert_int_equal(status_of(b, RX_RING, 3), 0x46);
}

static void without_a_buffer_the_frame_is_missed(void **state)
{
    struct bench *b = *state;
    start_rings(b, 0, 0, 1536);
    for (unsigned i = 0; i < RING; i++)
        arrive(b, our_mac, 60);
    assert_false(pcnet_ready(card(b), 60));
    assert_int_equal(get_csr(b, 0) & MISS, 0);
    arrive(b, our_mac, 60);
    assert_int_equal(get_csr(b, 0) & (MISS | ERR), MISS | ERR);
    assert_int_equal(get_csr(b, 112), 1);
    put_desc(b, RX_RING, 0, RX_DATA, 1536, 0x80);
    assert_true(pcnet_ready(card(b), 60));
}

static void addresses_are_filtered(void **state)
{
    static const uint8_t other[6] = {0x52, 0x54, 0, 1, 2, 3}, all[6] = {255, 255, 255, 255, 255, 255};
    static const uint8_t group[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01};
    static const struct {
        uint16_t mode;
        bool ours, other, all, group;
    } cases[] = {{0, true, false, true, false}, {0x8000, true, true, true, true},
                 {0x4000, true, false, false, false}, {0x2000, false, false, true, false}};
    struct bench *b = *state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        const uint8_t *to[] = {our_mac, other, all, group};
        const bool taken[] = {cases[i].ours, cases[i].other, cases[i].all, cases[i].group};
        for (unsigned k = 0; k < 4; k++) {
            start_rings(b, 2, cases[i].mode, 1536);
            arrive(b, to[k], 60);
            assert_int_equal(!(status_of(b, RX_RING, 0) & 0x80), taken[k]);
        }
    }
    start_rings(b, 2, 0, 1536);
    csr(b, 0, STOP);
    for (unsigned i = 0; i < 4; i++)
        csr(b, 8 + i, 0xffff);
    csr(b, 0, STRT);
    arrive(b, group, 60);
    assert_int_equal(status_of(b, RX_RING, 0), 0x03);
}

static void a_frame_leaves_from_its_buffers(void **state)
{
    struct bench *b = *state;
    uint8_t frame[120];
    for (unsigned style = 0; style <= 3; style += style ? 1 : 2) {
        start_rings(b, style, 0, 1536);
        unsigned before = far_end(b)->frames;
        make_frame(frame, our_mac, sizeof(frame));
        phys_write_bytes(b->phys, TX_DATA, frame, 50);
        phys_write_bytes(b->phys, TX_DATA + 0x1000, frame + 50, 70);
        put_desc(b, TX_RING, 0, TX_DATA, 50, 0x82);
        put_desc(b, TX_RING, 1, TX_DATA + 0x1000, 70, 0x81);
        csr(b, 0, TDMD | IENA);
        clock_step(b, 100 * BYTE_NS);
        assert_int_equal(far_end(b)->frames, before + 1);
        assert_int_equal(far_end(b)->len, 120);
        assert_memory_equal(far_end(b)->frame, frame, 120);
        assert_int_equal(status_of(b, TX_RING, 0), 0x02);
        assert_int_equal(status_of(b, TX_RING, 1), 0x01);
        assert_int_equal(get_csr(b, 0) & TINT, TINT);
        assert_line(b, LINE, true);
        csr(b, 0, TINT | IENA);
        assert_line(b, LINE, false);
    }
}

static void frames_follow_each_other_at_the_pace_of_the_wire(void **state)
{
    struct bench *b = *state;
    start_rings(b, 2, 0, 1536);
    for (unsigned i = 0; i < RING; i++)
        put_desc(b, TX_RING, i, TX_DATA, 1000, 0x83);
    csr(b, 0, TDMD);
    clock_step(b, 1000 * BYTE_NS);
    assert_int_equal(far_end(b)->frames, 1);
    clock_step(b, 1004 * BYTE_NS);
    assert_int_equal(far_end(b)->frames, 2);
    clock_step(b, 10000 * BYTE_NS);
    assert_int_equal(far_end(b)->frames, 4);
}

static void oversized_frames_are_babble(void **state)
{
    struct bench *b = *state;
    start_rings(b, 2, 0, 1536);
    put_desc(b, TX_RING, 0, TX_DATA, 1000, 0x82);
    put_desc(b, TX_RING, 1, TX_DATA, 1000, 0x81);
    csr(b, 0, TDMD);
    clock_step(b, 10000 * BYTE_NS);
    assert_int_equal(far_end(b)->frames, 0);
    assert_int_equal(get_csr(b, 0) & (BABL | TINT), BABL | TINT);
}

static void loopback_comes_back_through_the_rings(void **state)
{
    struct bench *b = *state;
    uint8_t frame[60], got[60];
    start_rings(b, 2, 0x0044, 1536); /* INTL, LOOP */
    make_frame(frame, our_mac, sizeof(frame));
    phys_write_bytes(b->phys, TX_DATA, frame, sizeof(frame));
    put_desc(b, TX_RING, 0, TX_DATA, sizeof(frame), 0x83);
    csr(b, 0, TDMD);
    clock_step(b, 1000 * BYTE_NS);
    assert_int_equal(far_end(b)->frames, 0);
    assert_int_equal(status_of(b, RX_RING, 0), 0x03);
    phys_read_bytes(b->phys, RX_DATA, got, sizeof(got));
    assert_memory_equal(got, frame, sizeof(frame));
}

/* Some drivers (iPXE's) acknowledge causes by writing back all of CSR0, INIT and STRT included: neither happens twice. */
static void writing_csr0_back_does_not_begin_again(void **state)
{
    struct bench *b = *state;
    start_rings(b, 2, 0, 2048);
    arrive(b, our_mac, 100);
    csr(b, 0, get_csr(b, 0));
    assert_int_equal(get_csr(b, 0) & (RINT | TXON | RXON | STRT | INIT), TXON | RXON | STRT | INIT);
    arrive(b, our_mac, 100); /* into the second buffer */
    assert_int_equal(phys_read(b->phys, desc(b, RX_RING, 1) + 7, 1) & 0x80, 0);
    csr(b, 0, STOP);
    csr(b, 0, INIT); /* after STOP it does */
    assert_int_equal(get_csr(b, 0) & (IDON | RXON), IDON);
}

/* What no Ethernet carries, from a host's wire: runts are padded by their sender (they count as such), less than a header
 * is nothing; up to 1518 bytes fit (a VLAN tag; two with 1500 bytes of data do not); jumbo frames are nobody's. */
static void runts_and_jumbo_frames_are_defined(void **state)
{
    static const struct {
        size_t len, stored; /* 0: dropped; else with CRC */
    } cases[] = {{0, 0}, {1, 0}, {13, 0}, {14, 64}, {59, 64}, {60, 64}, {1514, 1518}, {1518, 1522}, {1519, 0}, {1522, 0}, {9018, 0}};
    static uint8_t frame[9018];
    struct bench *b = *state;
    memcpy(frame, our_mac, 6);
    memcpy(frame + 12, "\x81\x00\x00\x05\x81\x00\x00\x06\x08\x00", 10); /* tags are data to the card */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        csr(b, 0, STOP);
        start_rings(b, 2, 0, 2048);
        pcnet_receive(card(b), frame, cases[i].len);
        bool taken = !(phys_read(b->phys, desc(b, RX_RING, 0) + 7, 1) & 0x80);
        assert_int_equal(taken, cases[i].stored != 0);
        assert_int_equal((get_csr(b, 0) & RINT) != 0, taken);
        if (taken)
            assert_int_equal(length_of(b, 0), cases[i].stored);
    }
}

/* A buffer of 4096 bytes (count 0) and one of 1 byte are both legal descriptors; what leaves is what a wire carries. */
static void transmits_of_odd_lengths_are_defined(void **state)
{
    static const unsigned lens[] = {1, 13, 1518, 1519, 4096};
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        csr(b, 0, STOP);
        start_rings(b, 2, 0, 2048);
        unsigned before = far_end(b)->frames;
        put_desc(b, TX_RING, 0, TX_DATA, lens[i], 0x83);
        csr(b, 0, TDMD);
        clock_step(b, 100000000);
        assert_int_equal(far_end(b)->frames - before, lens[i] <= 1518);
        assert_int_equal((get_csr(b, 0) & BABL) != 0, lens[i] > 1518);
        assert_int_equal(phys_read(b->phys, desc(b, TX_RING, 0) + 7, 1) & 0x80, 0); /* given back either way */
        if (lens[i] <= 1518)
            assert_int_equal(far_end(b)->len, lens[i]);
    }
}

static void the_link_shows_in_bcr4(void **state)
{
    struct bench *b = *state;
    out16(b, BASE + RAP, 4);
    assert_int_equal(in16(b, BASE + BDP), 0x80c0);
    pcnet_set_link(card(b), false);
    assert_int_equal(in16(b, BASE + BDP), 0x00c0);
}

/* Rings anywhere, lengths of any value: no access outside, no endless loop. */
static void wild_registers_do_no_harm(void **state)
{
    struct bench *b = *state;
    uint32_t seed = 4711;
    for (unsigned i = 0; i < 60000; i++) {
        seed = seed * 1664525 + 1013904223;
        uint16_t port = (uint16_t)(BASE + (seed >> 8 & 0x1e)), v = (uint16_t)(seed >> 13);
        switch (seed >> 29) {
        case 0: in16(b, port); break;
        case 1: csr(b, v & 0x7f, (uint16_t)(seed >> 3)); break;
        case 2: csr(b, 0, v & (INIT | STRT | TDMD | IENA)); break;
        case 3: bcr(b, v & 0x1f, (uint16_t)(seed >> 3)); break;
        case 4: arrive(b, our_mac, v & 0x7ff); break;
        case 5: clock_step(b, seed >> 12 & 0xffff); break;
        case 6: poke32(b, (seed >> 6 & 0x3fff) * 4, seed); break;
        default: start_rings(b, v % 4, (uint16_t)(seed >> 20 & 0xf), 1 + (v & 0x7ff)); break;
        }
    }
}

static void poke(struct bench *b) /* as a busy guest would */
{
    start_rings(b, 2, 0, 1536);
    for (unsigned i = 0; i < RING; i++)
        put_desc(b, TX_RING, i, TX_DATA, 1500, 0x83);
    arrive(b, our_mac, 300);
    csr(b, 0, TDMD | IENA);
}

DEVICE_TESTS(pcnet, setup, &((struct pcnet *)b->dev)->dev, poke);

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_is_an_am79c970a),
        TEST(a_doubleword_write_selects_32_bit_ports),
        TEST(initialization_takes_the_block),
        TEST(idon_interrupts_until_cleared),
        TEST(without_bus_mastering_it_reports_a_memory_error),
        TEST(a_frame_goes_to_the_next_buffer),
        TEST(long_frames_are_chained),
        TEST(without_a_buffer_the_frame_is_missed),
        TEST(addresses_are_filtered),
        TEST(a_frame_leaves_from_its_buffers),
        TEST(frames_follow_each_other_at_the_pace_of_the_wire),
        TEST(oversized_frames_are_babble),
        TEST(loopback_comes_back_through_the_rings),
        TEST(writing_csr0_back_does_not_begin_again),
        TEST(runts_and_jumbo_frames_are_defined),
        TEST(transmits_of_odd_lengths_are_defined),
        TEST(the_link_shows_in_bcr4),
        TEST(wild_registers_do_no_harm),
        DEVICE_TESTS_OF(pcnet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
