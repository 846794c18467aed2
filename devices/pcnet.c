/*
 * PCnet-PCI II: Am79C970A datasheet (AMD, 1996; publication 19436). Registers behind an address port (CSR
 * and BCR), an initialization block and two descriptor rings in memory, in the LANCE's 16-bit form and
 * both 32-bit forms.
 *
 * It is the second family beside the NE2000, rather than the RTL8139 of 1997, since more old systems
 * have its driver on their disks: NT 3.51 and 4, Windows 95 to XP, OS/2 Warp, NetWare, Solaris, SCO, BeOS,
 * Linux from 2.0, every BSD; and in LANCE form it serves drivers of the ISA bus's Am7990 days.
 *
 * NOT MODELLED: transmit polling (a frame waits for TDMD, as every driver writes it), collisions, the ISA and
 * VESA relatives, GPSI, magic packets, look-ahead, the EEPROM behind BCR19, big-endian buffers (BSWP),
 * stopping in the middle of a frame.
 *
 * Wired by the board: pcnet_io at 32 ports, irq, phys, send.
 */
#include "devices/pcnet.h"

#include <string.h>

enum {
    C0_INIT = 0x0001,
    C0_STRT = 0x0002,
    C0_STOP = 0x0004,
    C0_TDMD = 0x0008,
    C0_TXON = 0x0010,
    C0_RXON = 0x0020,
    C0_IENA = 0x0040,
    C0_INTR = 0x0080,
    C0_IDON = 0x0100,
    C0_TINT = 0x0200,
    C0_RINT = 0x0400,
    C0_MERR = 0x0800,
    C0_MISS = 0x1000,
    C0_CERR = 0x2000,
    C0_BABL = 0x4000,
    C0_ERR = 0x8000,
    C0_CAUSES = 0x5f00, /* that CSR3 can mask, at the same places */
    C0_CLEARED = 0x7f00, /* by writing ones */
};
enum { C4_UINTCMD = 0x80, C4_UINT = 0x40, C4_CAUSES = 0x022a, C4_MASKS = 0x0115, C4_APAD = 0x0800, C4_ASTRP = 0x0400 };
enum { C15_DRX = 1, C15_DTX = 2, C15_LOOP = 4, C15_DXMTFCS = 8, C15_DRCVPA = 0x2000, C15_DRCVBC = 0x4000, C15_PROM = 0x8000 };
enum {
    CSR_IADR = 1,
    CSR_MASK = 3,
    CSR_TEST = 4,
    CSR_EXT = 5,
    CSR_LADRF = 8,
    CSR_PADR = 12,
    CSR_MODE = 15,
    CSR_BADR = 24,
    CSR_BADX = 30,
    CSR_STYLE = 58,
    CSR_RCVRC = 72,
    CSR_XMTRC = 74,
    CSR_RCVRL = 76,
    CSR_XMTRL = 78,
    CSR_CHIP = 88,
    CSR_MISSED = 112,
};
enum { BCR_LNKST = 4, BCR_BSBC = 18, BCR_STYLE = 20, STYLE_32 = 0x0100, LEDOUT = 0x8000 };
/* Status byte of a descriptor. */
enum { D_ENP = 0x01, D_STP = 0x02, D_BUFF = 0x04, D_LTINT = 0x10, D_ADD_FCS = 0x20, D_ERR = 0x40, D_OWN = 0x80 };
enum { RX_PAM = 0x40, RX_LAFM = 0x20, RX_BAM = 0x10 }; /* of the byte below, 32-bit forms */
enum { CRC_LEN = 4, MIN_FRAME = 60, MAX_RING = 512, POLL_BYTES = 8, BETWEEN = 20 /* preamble and gap, 802.3 4.4.2 */ };

STATE_DESC(pcnet_desc, struct pcnet_state, 1,
           FIELD(struct pcnet_state, tx_due, "virtual time of the next look at the transmit ring"),
           FIELD(struct pcnet_state, rdra, "receive ring"),
           FIELD(struct pcnet_state, tdra, "transmit ring"),
           FIELD(struct pcnet_state, rx_at, "present receive descriptor"),
           FIELD(struct pcnet_state, tx_at, "present transmit descriptor"),
           FIELD(struct pcnet_state, csr, "control and status registers"),
           FIELD(struct pcnet_state, bcr, "bus configuration registers"),
           FIELD_MAX(struct pcnet_state, rap, 0x7f, "register address port"),
           FIELD_MAX(struct pcnet_state, dwio, 1, "registers are 32 bits wide"),
           FIELD_MAX(struct pcnet_state, link, 1, "the cable is plugged in"),
           FIELD(struct pcnet_state, prom, "address PROM"));

/* Lines and timer follow from the state: called after every change. */
static void update(struct pcnet *x)
{
    uint16_t *c = x->st.csr;
    bool intr = (c[0] & C0_CAUSES & ~c[CSR_MASK]) || (c[CSR_TEST] & C4_CAUSES & ~(c[CSR_TEST] << 1)) ||
                c[CSR_TEST] & C4_UINT;
    c[0] &= (uint16_t) ~(C0_INTR | C0_ERR);
    if (intr)
        c[0] |= C0_INTR;
    if (c[0] & (C0_BABL | C0_CERR | C0_MISS | C0_MERR))
        c[0] |= C0_ERR;
    timer_arm(x->w.clk, &x->timer, x->st.tx_due);
    irq_set(&x->w.irq, intr && c[0] & C0_IENA);
}

/* --- memory --- */

static bool dma(struct pcnet *x)
{
    if (!x->w.is_master || x->w.is_master(x->w.arg))
        return true;
    x->st.csr[0] |= C0_MERR; /* the bus is never granted (CSR0, bit 11) */
    return false;
}

static uint32_t mem32(const struct pcnet *x, uint32_t addr) { return phys_read(x->w.phys, addr, 4); }
static uint16_t mem16(const struct pcnet *x, uint32_t addr) { return (uint16_t)phys_read(x->w.phys, addr, 2); }

static bool wide(const struct pcnet *x) { return x->st.bcr[BCR_STYLE] & STYLE_32; }

/* The 16-bit form has 24 address bits; the rest comes from CSR2. */
static uint32_t full_address(const struct pcnet *x, uint32_t low)
{
    return (low & 0xffffff) | (uint32_t)(x->st.csr[CSR_IADR + 1] & 0xff00) << 16;
}

/* A descriptor, whatever its form. */
struct desc {
    uint32_t at; /* in memory */
    uint32_t buffer;
    unsigned len;
    uint8_t status;
};

static uint32_t desc_address(const struct pcnet *x, uint32_t ring, unsigned index)
{
    return ring + index * (wide(x) ? 16 : 8);
}

static struct desc get_desc(const struct pcnet *x, uint32_t ring, unsigned index)
{
    struct desc d = {.at = desc_address(x, ring, index)};
    uint16_t count;
    if (wide(x)) {
        uint32_t status = mem32(x, d.at + 4);
        d.buffer = mem32(x, d.at + ((x->st.bcr[BCR_STYLE] & 0xff) == 3 ? 8 : 0));
        d.status = (uint8_t)(status >> 24);
        count = (uint16_t)status;
    } else {
        uint32_t first = mem32(x, d.at);
        d.buffer = full_address(x, first);
        d.status = (uint8_t)(first >> 24);
        count = mem16(x, d.at + 4);
    }
    d.len = 4096 - (count & 0xfff); /* two's complement of 12 bits */
    return d;
}

/* The status byte goes last: with it the descriptor is the guest's. */
static void put_status(struct pcnet *x, const struct desc *d, uint8_t status)
{
    phys_write(x->w.phys, d->at + (wide(x) ? 7 : 3), status, 1);
}

static void put_count(struct pcnet *x, const struct desc *d, size_t len)
{
    if (wide(x))
        phys_write(x->w.phys, d->at + ((x->st.bcr[BCR_STYLE] & 0xff) == 3 ? 0 : 8), (uint32_t)len, 4);
    else
        phys_write(x->w.phys, d->at + 6, (uint32_t)len, 2);
}

/* --- rings --- */

/* The lengths are kept as two's complements (CSR76, CSR78); 0 would be 65536. */
static unsigned ring_length(const struct pcnet *x, unsigned csr)
{
    unsigned n = (0x10000u - x->st.csr[csr]) & 0xffff;
    return n ? n : 0x10000;
}

static unsigned after(const struct pcnet *x, unsigned index, unsigned csr)
{
    return index + 1 < ring_length(x, csr) ? index + 1 : 0;
}

static unsigned length_code(unsigned code) { return code > 9 ? MAX_RING : 1u << code; }

static void set_ring_length(struct pcnet *x, unsigned csr, unsigned code)
{
    x->st.csr[csr] = (uint16_t)(0x10000 - length_code(code));
}

/* The initialization block (datasheet, "Initialization Block", 16- and 32-bit). */
static void initialize(struct pcnet *x)
{
    struct pcnet_state *s = &x->st;
    uint32_t at = s->csr[CSR_IADR] | (uint32_t)s->csr[CSR_IADR + 1] << 16;
    unsigned rlen, tlen;
    if (!dma(x))
        return;
    s->csr[CSR_MODE] = mem16(x, at);
    if (wide(x)) {
        rlen = mem16(x, at + 2) >> 4 & 0xf;
        tlen = mem16(x, at + 2) >> 12;
    } else {
        rlen = mem16(x, at + 18) >> 13;
        tlen = mem16(x, at + 22) >> 13;
    }
    for (unsigned i = 0; i < 3; i++)
        s->csr[CSR_PADR + i] = mem16(x, at + (wide(x) ? 4 : 2) + 2 * i);
    for (unsigned i = 0; i < 4; i++)
        s->csr[CSR_LADRF + i] = mem16(x, at + (wide(x) ? 12 : 8) + 2 * i);
    s->rdra = wide(x) ? mem32(x, at + 20) : full_address(x, mem32(x, at + 16));
    s->tdra = wide(x) ? mem32(x, at + 24) : full_address(x, mem32(x, at + 20));
    set_ring_length(x, CSR_RCVRL, rlen);
    set_ring_length(x, CSR_XMTRL, tlen);
    s->rx_at = s->tx_at = 0;
    s->csr[0] |= C0_IDON;
}

/* --- reception --- */

static uint32_t crc_bytes(uint32_t crc, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return crc;
}

/* Which filter takes the frame: RX_PAM, RX_LAFM, RX_BAM; 0: only promiscuity would. */
static uint8_t address_match(const struct pcnet *x, const uint8_t *frame)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const uint16_t *c = x->st.csr;
    if (memcmp(frame, broadcast, 6) == 0)
        return c[CSR_MODE] & C15_DRCVBC ? 0 : RX_BAM;
    if (frame[0] & 1) {
        unsigned bit = crc_bytes(0xffffffffu, frame, 6) >> 26;
        return c[CSR_LADRF + (bit >> 4)] >> (bit & 15) & 1 ? RX_LAFM : 0;
    }
    for (unsigned i = 0; i < 6; i++) {
        if (frame[i] != (uint8_t)(c[CSR_PADR + i / 2] >> (8 * (i & 1))))
            return 0;
    }
    return c[CSR_MODE] & C15_DRCVPA ? 0 : RX_PAM;
}

static bool receiver_on(const struct pcnet *x) { return x->st.csr[0] & C0_RXON; }

bool pcnet_listens(const struct pcnet *x)
{
    return receiver_on(x) && x->st.link && !(x->st.csr[CSR_MODE] & C15_LOOP);
}

/* A look without an access: when the host asks must leave no trace in the machine. */
bool pcnet_ready(const struct pcnet *x, size_t len)
{
    uint8_t status;
    (void)len;
    phys_peek_bytes(x->w.phys, desc_address(x, x->st.rdra, x->st.rx_at) + (wide(x) ? 7 : 3), &status, 1);
    return !pcnet_listens(x) || status & D_OWN;
}

/* Frame and CRC into as many buffers as it takes; the first has STP, the last ENP and the length. */
static void store(struct pcnet *x, const uint8_t *data, size_t len, uint8_t match)
{
    struct pcnet_state *s = &x->st;
    uint8_t status = D_STP;
    for (size_t done = 0;;) {
        struct desc d = get_desc(x, s->rdra, s->rx_at);
        size_t n = len - done < d.len ? len - done : d.len;
        phys_write_bytes(x->w.phys, d.buffer, data + done, n);
        done += n;
        s->rx_at = (uint16_t)after(x, s->rx_at, CSR_RCVRL);
        bool last = done == len;
        bool stuck = !last && !(get_desc(x, s->rdra, s->rx_at).status & D_OWN);
        if (last) {
            status |= D_ENP;
            put_count(x, &d, len);
            if (wide(x))
                phys_write(x->w.phys, d.at + 6, match, 1);
        }
        put_status(x, &d, stuck ? status | D_ERR | D_BUFF : status);
        if (last || stuck)
            return;
        status = 0;
    }
}

static void take_frame(struct pcnet *x, const uint8_t *frame, size_t len)
{
    struct pcnet_state *s = &x->st;
    uint8_t data[PCNET_MAX_FRAME + CRC_LEN] = {0};
    uint8_t match = address_match(x, frame);
    if (!match && !(s->csr[CSR_MODE] & C15_PROM))
        return;
    if (!dma(x))
        return;
    if (!(get_desc(x, s->rdra, s->rx_at).status & D_OWN)) {
        s->csr[0] |= C0_MISS;
        s->csr[CSR_MISSED]++;
        if (s->csr[CSR_MISSED] == 0)
            s->csr[CSR_TEST] |= 0x0200; /* MFCO */
        return;
    }
    memcpy(data, frame, len);
    if (len < MIN_FRAME)
        len = MIN_FRAME;
    unsigned length_field = (unsigned)data[12] << 8 | data[13];
    if (s->csr[CSR_TEST] & C4_ASTRP && length_field < MIN_FRAME - 14) { /* an 802.3 frame with padding */
        store(x, data, 14 + length_field, match);
    } else {
        uint32_t crc = ~crc_bytes(0xffffffffu, data, len);
        for (unsigned i = 0; i < CRC_LEN; i++)
            data[len + i] = (uint8_t)(crc >> (8 * i));
        store(x, data, len + CRC_LEN, match);
    }
    s->csr[0] |= C0_RINT;
}

void pcnet_receive(struct pcnet *x, const uint8_t *frame, size_t len)
{
    if (!pcnet_listens(x) || len < 14 || len > PCNET_MAX_FRAME)
        return;
    take_frame(x, frame, len);
    update(x);
}

void pcnet_set_link(struct pcnet *x, bool up)
{
    x->st.link = up;
    update(x);
}

/* --- transmission --- */

/* `frame` has room for padding. The guest may have put the CRC behind its data itself. */
static void emit(struct pcnet *x, uint8_t *frame, size_t len, bool has_crc)
{
    struct pcnet_state *s = &x->st;
    if (has_crc && len > CRC_LEN)
        len -= CRC_LEN;
    if (s->csr[CSR_TEST] & C4_APAD && len < MIN_FRAME) {
        memset(frame + len, 0, MIN_FRAME - len);
        len = MIN_FRAME;
    }
    if (s->csr[CSR_MODE] & C15_LOOP) {
        if (receiver_on(x) && len >= 14)
            take_frame(x, frame, len);
    } else if (s->link && x->w.send) {
        x->w.send(x->w.arg, frame, len);
    }
}

/* CSR5 chooses which frames interrupt: not good ones (TOKINTD), or those that say so (LTINTEN). */
static void end_of_frame(struct pcnet_state *s, uint8_t status, bool too_long)
{
    bool wanted = !(s->csr[CSR_EXT] & 0x8000) && (!(s->csr[CSR_EXT] & 0x4000) || status & D_LTINT);
    if (wanted || too_long)
        s->csr[0] |= C0_TINT;
    if (too_long)
        s->csr[0] |= C0_BABL;
}

/* One frame of the ring, which may be in several buffers; its length, or 0: there was none. */
static size_t transmit_one(struct pcnet *x)
{
    struct pcnet_state *s = &x->st;
    uint8_t frame[PCNET_MAX_FRAME + CRC_LEN];
    size_t len = 0;
    bool started = false, too_long = false, has_crc = s->csr[CSR_MODE] & C15_DXMTFCS;
    for (unsigned i = 0; i < MAX_RING; i++) {
        struct desc d = get_desc(x, s->tdra, s->tx_at);
        if (!(d.status & D_OWN))
            break;
        started |= (d.status & D_STP) != 0;
        if (started) {
            has_crc &= !(d.status & D_ADD_FCS);
            size_t n = d.len < sizeof(frame) - len ? d.len : sizeof(frame) - len;
            too_long |= n < d.len;
            phys_read_bytes(x->w.phys, d.buffer, frame + len, n);
            len += n;
        }
        put_status(x, &d, d.status & (uint8_t)~(D_OWN | D_ERR));
        s->tx_at = (uint16_t)after(x, s->tx_at, CSR_XMTRL);
        if (started && d.status & D_ENP) {
            too_long |= !has_crc && len > PCNET_MAX_FRAME;
            end_of_frame(s, d.status, too_long);
            if (!too_long)
                emit(x, frame, len, has_crc);
            return len;
        }
    }
    return 0;
}

/* On the wire until the next one can start: short frames take as long as a padded one, so that a ring which the guest
 * put where no memory is, all of it the card's for ever, costs no more than a busy wire. */
static uint64_t frame_time(const struct pcnet *x, size_t len)
{
    return (uint64_t)((len < MIN_FRAME ? MIN_FRAME : len) + CRC_LEN + BETWEEN) * x->w.byte_ns;
}

static void fire(void *dev, vtime now)
{
    struct pcnet *x = dev;
    size_t len = 0;
    (void)now;
    x->st.tx_due = VTIME_NEVER;
    x->st.csr[0] &= (uint16_t)~C0_TDMD;
    if (x->st.csr[0] & C0_TXON && dma(x))
        len = transmit_one(x);
    if (len)
        x->st.tx_due = clock_now(x->w.clk) + frame_time(x, len);
    update(x);
}

/* --- registers --- */

static void stop(struct pcnet *x)
{
    struct pcnet_state *s = &x->st;
    s->csr[0] = C0_STOP;
    s->csr[CSR_TEST] &= (uint16_t) ~(C4_CAUSES | C4_UINT | C4_UINTCMD);
    s->tx_due = VTIME_NEVER;
}

static void start(struct pcnet_state *s)
{
    if (!(s->csr[CSR_MODE] & C15_DRX))
        s->csr[0] |= C0_RXON;
    if (!(s->csr[CSR_MODE] & C15_DTX))
        s->csr[0] |= C0_TXON;
}

static void write_csr0(struct pcnet *x, uint16_t value)
{
    struct pcnet_state *s = &x->st;
    s->csr[0] &= (uint16_t) ~(value & C0_CLEARED);
    s->csr[0] = (uint16_t)((s->csr[0] & ~C0_IENA) | (value & C0_IENA));
    if (value & C0_STOP) {
        stop(x);
        return;
    }
    if (value & (C0_INIT | C0_STRT))
        s->csr[0] &= (uint16_t)~C0_STOP;
    value &= (uint16_t)~(s->csr[0] & (C0_INIT | C0_STRT)); /* done once until STOP: drivers write back what they read */
    if (value & C0_INIT)
        initialize(x);
    s->csr[0] |= value & (C0_INIT | C0_STRT);
    if (value & C0_STRT)
        start(s);
    if (value & (C0_TDMD | C0_STRT) && s->csr[0] & C0_TXON && s->tx_due == VTIME_NEVER) {
        s->csr[0] |= value & C0_TDMD;
        s->tx_due = clock_now(x->w.clk) + POLL_BYTES * x->w.byte_ns;
    }
}

/* Causes are cleared by writing ones; masks and modes are what is written. */
static void write_csr4(struct pcnet_state *s, uint16_t value)
{
    uint16_t causes = s->csr[CSR_TEST] & (C4_CAUSES | C4_UINT) & (uint16_t)~value;
    s->csr[CSR_TEST] = (uint16_t)((value & ~(C4_CAUSES | C4_UINT | C4_UINTCMD)) | causes);
    if (value & C4_UINTCMD)
        s->csr[CSR_TEST] |= C4_UINT;
}

static void set_style(struct pcnet_state *s, uint16_t value)
{
    unsigned style = value & 0xff;
    s->bcr[BCR_STYLE] = (uint16_t)(style | (style >= 1 && style <= 3 ? STYLE_32 : 0));
}

static bool writable_while_running(unsigned csr)
{
    return csr == 0 || csr == CSR_MASK || csr == CSR_TEST || csr == CSR_EXT || csr == CSR_MISSED;
}

static void write_csr(struct pcnet *x, unsigned csr, uint16_t value)
{
    struct pcnet_state *s = &x->st;
    bool suspended = s->csr[CSR_EXT] & 1;
    if (!writable_while_running(csr) && !(s->csr[0] & C0_STOP) && !suspended)
        return;
    switch (csr) {
    case 0: write_csr0(x, value); break;
    case CSR_MASK: s->csr[csr] = value & 0x5f7c; break;
    case CSR_TEST: write_csr4(s, value); break;
    case CSR_EXT: s->csr[csr] = value & 0xc56f; break; /* its causes never arise */
    case CSR_BADR: s->rdra = (s->rdra & 0xffff0000) | value; break;
    case CSR_BADR + 1: s->rdra = (s->rdra & 0xffff) | (uint32_t)value << 16; break;
    case CSR_BADX: s->tdra = (s->tdra & 0xffff0000) | value; break;
    case CSR_BADX + 1: s->tdra = (s->tdra & 0xffff) | (uint32_t)value << 16; break;
    case CSR_STYLE: set_style(s, value); break;
    case CSR_RCVRC: s->rx_at = (uint16_t)(value ? (ring_length(x, CSR_RCVRL) - value) & 0xffff : 0); break;
    case CSR_XMTRC: s->tx_at = (uint16_t)(value ? (ring_length(x, CSR_XMTRL) - value) & 0xffff : 0); break;
    case CSR_CHIP:
    case CSR_CHIP + 1: break;
    default: s->csr[csr] = value; break;
    }
}

static uint16_t read_csr(const struct pcnet *x, unsigned csr)
{
    const struct pcnet_state *s = &x->st;
    switch (csr) {
    case CSR_BADR: return (uint16_t)s->rdra;
    case CSR_BADR + 1: return (uint16_t)(s->rdra >> 16);
    case CSR_BADX: return (uint16_t)s->tdra;
    case CSR_BADX + 1: return (uint16_t)(s->tdra >> 16);
    case CSR_STYLE: return s->bcr[BCR_STYLE];
    case CSR_RCVRC: return (uint16_t)(ring_length(x, CSR_RCVRL) - s->rx_at);
    case CSR_XMTRC: return (uint16_t)(ring_length(x, CSR_XMTRL) - s->tx_at);
    case CSR_CHIP: return 0x1003; /* part 2621, AMD (CSR88, CSR89) */
    case CSR_CHIP + 1: return 0x0262;
    default: return s->csr[csr];
    }
}

static void write_bcr(struct pcnet *x, unsigned bcr, uint16_t value)
{
    struct pcnet_state *s = &x->st;
    if (bcr == BCR_STYLE && (s->csr[0] & C0_STOP || s->csr[CSR_EXT] & 1))
        set_style(s, value);
    else if (bcr == 2 || bcr == 9 || (bcr >= 4 && bcr <= 7))
        s->bcr[bcr] = value & 0x7fff;
    else if (bcr == BCR_BSBC)
        s->bcr[bcr] = (uint16_t)((value & 0xff6f) | (s->bcr[bcr] & 0x0080)); /* DWIO is read-only */
    else if (bcr == 22)
        s->bcr[bcr] = value;
}

static uint16_t read_bcr(const struct pcnet *x, unsigned bcr)
{
    const struct pcnet_state *s = &x->st;
    if (bcr >= PCNET_BCRS)
        return 0;
    bool lit = bcr == BCR_LNKST && s->bcr[bcr] & 0x40 && s->link; /* LNKSTE */
    return s->bcr[bcr] | (lit ? LEDOUT : 0);
}

/* S_RESET: reading the reset port; the bus configuration stays. */
static void soft_reset(struct pcnet *x)
{
    struct pcnet_state *s = &x->st;
    memset(s->csr, 0, sizeof(s->csr));
    s->csr[CSR_TEST] = C4_MASKS;
    for (unsigned i = 0; i < 3; i++)
        s->csr[CSR_PADR + i] = (uint16_t)(s->prom[2 * i] | s->prom[2 * i + 1] << 8);
    s->csr[80] = 0x1410;
    s->csr[100] = 0x0200;
    stop(x);
    set_style(s, 0);
    s->rdra = s->tdra = 0;
    s->rx_at = s->tx_at = 0;
    update(x);
}

static void pcnet_reset(void *dev, enum reset_kind kind)
{
    struct pcnet *x = dev;
    struct pcnet_state *s = &x->st;
    uint8_t link = s->link; /* the cable does not notice */
    unsigned sum = 0;
    (void)kind;
    *s = (struct pcnet_state){.link = link, .tx_due = VTIME_NEVER};
    memcpy(s->prom, x->w.mac, 6);
    s->prom[14] = s->prom[15] = 0x57;
    for (unsigned i = 0; i < 16; i++)
        sum += i == 12 || i == 13 ? 0 : s->prom[i];
    s->prom[12] = (uint8_t)sum; /* over bytes 0-11, 14 and 15 */
    s->prom[13] = (uint8_t)(sum >> 8);
    static const uint16_t bcr[PCNET_BCRS] = {5, 5, 2, 0, 0xc0, 0x84, 0x88, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x9001, 2, 0x0200, 0, 0xff06};
    memcpy(s->bcr, bcr, sizeof(s->bcr));
    soft_reset(x);
}

/* --- ports: 00-0F the PROM; 10-17 (16 bits) or 10-1F (32 bits) RDP, RAP, reset, BDP --- */

static uint32_t read_register(struct pcnet *x, unsigned which)
{
    switch (which) {
    case 0: return read_csr(x, x->st.rap);
    case 1: return x->st.rap;
    case 2: soft_reset(x); return 0;
    default: return read_bcr(x, x->st.rap);
    }
}

static void write_register(struct pcnet *x, unsigned which, uint32_t value)
{
    if (which == 0)
        write_csr(x, x->st.rap, (uint16_t)value);
    else if (which == 1)
        x->st.rap = value & 0x7f;
    else if (which == 3 && x->st.rap < PCNET_BCRS)
        write_bcr(x, x->st.rap, (uint16_t)value);
    update(x);
    if (which == 0 && x->w.room)
        x->w.room(x->w.arg);
}

static uint32_t pcnet_read(void *dev, uint32_t offset, enum access_size size)
{
    struct pcnet *x = dev;
    uint32_t value = 0;
    if (offset < 0x10) {
        for (unsigned i = 0; i < size; i++)
            value |= (uint32_t)x->st.prom[(offset + i) & 0xf] << (8 * i);
        return value;
    }
    unsigned width = x->st.dwio ? 4 : 2, which = (offset - 0x10) / width;
    if (size != width || (offset & (width - 1)) || which > 3)
        return 0xffffffffu;
    return read_register(x, which);
}

static void pcnet_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct pcnet *x = dev;
    if (offset < 0x10)
        return; /* the PROM; writable only with APROMWE */
    if (offset == 0x10 && size == ACCESS_32 && !x->st.dwio) { /* the way into 32-bit mode */
        x->st.dwio = 1;
        x->st.bcr[BCR_BSBC] |= 0x0080;
    }
    unsigned width = x->st.dwio ? 4 : 2, which = (offset - 0x10) / width;
    if (size == width && !(offset & (width - 1)) && which <= 3)
        write_register(x, which, value);
}

const struct io_ops pcnet_io = {pcnet_read, pcnet_write, ACCESS_8 | ACCESS_16 | ACCESS_32};

static enum emu_err pcnet_post_load(void *dev, struct error *err)
{
    struct pcnet *x = dev;
    uint64_t longest = frame_time(x, PCNET_MAX_FRAME + CRC_LEN);
    if (x->st.tx_due != VTIME_NEVER && x->st.tx_due > clock_now(x->w.clk) + longest)
        return error_set(err, EMU_FORMAT, "%s: a transmission is too far in the future", x->dev.id);
    update(x);
    return EMU_OK;
}

const struct device_class pcnet_class = {
    .name = "pcnet",
    .state = &pcnet_desc,
    .state_offset = offsetof(struct pcnet, st),
    .reset = pcnet_reset,
    .post_load = pcnet_post_load,
};

void pcnet_init(struct pcnet *x, const char *id, struct pcnet_wiring w)
{
    *x = (struct pcnet){.dev = {.cls = &pcnet_class, .id = id}, .w = w};
    x->st.link = 1;
    timer_init(&x->timer, "pcnet", fire, x);
    pcnet_reset(x, RESET_POWER_ON);
}
