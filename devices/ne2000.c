/*
 * NE2000: National Semiconductor DP8390D/NS32490D network interface controller (datasheet of 1995),
 * 16 KiB (ISA) or 32 KiB (PCI) of packet memory, a PROM with the station address, and Novell's glue: a
 * data port for the remote DMA and a port whose reading resets the chip. With `pci` set it is the chip
 * side of Realtek's RTL8029AS (datasheet 1997, 6.1): identification registers in page 0.
 *
 * Frames have no CRC on the host's wires: one is computed where the chip would store it or count it.
 * What datasheets leave open is defined so: a transmit of 0 bytes sends nothing and completes; one
 * of more than 1518 bytes is jabber, which nobody receives, and completes; a data port without a
 * remote DMA under way reads all ones.
 *
 * NOT MODELLED: collisions and deferral (full duplex wire), CRC and alignment errors on reception, FIFO
 * over- and underruns, the crossing of 64 KiB by remote DMA of the 8-bit NE1000, bus retries (CRDA and
 * CLDA follow at once), the EEPROM and configuration pages 3 of Realtek's chips.
 *
 * Wired by the board: ne2000_io at 32 ports, irq, send.
 */
#include "devices/ne2000.h"

#include <string.h>

enum { CR_STP = 0x01, CR_STA = 0x02, CR_TXP = 0x04, CR_RD = 0x38, CR_PAGE = 0xc0 };
enum { RD_READ = 0x08, RD_WRITE = 0x10, RD_SEND = 0x18, RD_ABORT = 0x20 };
enum {
    ISR_PRX = 0x01,
    ISR_PTX = 0x02,
    ISR_RXE = 0x04,
    ISR_TXE = 0x08,
    ISR_OVW = 0x10,
    ISR_CNT = 0x20,
    ISR_RDC = 0x40,
    ISR_RST = 0x80,
};
enum { DCR_WTS = 0x01, DCR_LS = 0x08 /* set: normal operation */ };
enum { TCR_CRC = 0x01, TCR_LB = 0x06 };
enum { RCR_AR = 0x02, RCR_AB = 0x04, RCR_AM = 0x08, RCR_PRO = 0x10, RCR_MON = 0x20 };
enum { TSR_PTX = 0x01, TSR_ND = 0x02, TSR_CRS = 0x10, TSR_CDH = 0x40 };
enum { RSR_PRX = 0x01, RSR_CRC = 0x02, RSR_MPA = 0x10, RSR_PHY = 0x20, RSR_DIS = 0x40 };
enum { CNTR_ALIGN, CNTR_CRC, CNTR_MISSED, COUNTER_FULL = 192, COUNTER_HALF = 128 };
enum { HEADER = 4, CRC_LEN = 4, MIN_FRAME = 60, ISA_RAM = 16384, RAM_BASE = 0x4000 };

STATE_DESC(ne2000_desc, struct ne2000_state, 1,
           FIELD(struct ne2000_state, tx_done, "virtual time at which the frame has left"),
           FIELD(struct ne2000_state, rsar, "remote DMA address"),
           FIELD(struct ne2000_state, rbcr, "remote DMA bytes left"),
           FIELD(struct ne2000_state, tbcr, "transmit byte count"),
           FIELD(struct ne2000_state, cr, "command"),
           FIELD(struct ne2000_state, isr, "interrupt status"),
           FIELD_MAX(struct ne2000_state, imr, 0x7f, "interrupt mask"),
           FIELD_MAX(struct ne2000_state, dcr, 0x7f, "data configuration"),
           FIELD_MAX(struct ne2000_state, tcr, 0x1f, "transmit configuration"),
           FIELD_MAX(struct ne2000_state, rcr, 0x3f, "receive configuration"),
           FIELD(struct ne2000_state, tsr, "transmit status"),
           FIELD(struct ne2000_state, rsr, "receive status"),
           FIELD(struct ne2000_state, pstart, "first page of the ring"),
           FIELD(struct ne2000_state, pstop, "page behind the ring"),
           FIELD(struct ne2000_state, bnry, "first page that may not be overwritten"),
           FIELD(struct ne2000_state, curr, "page for the next frame"),
           FIELD(struct ne2000_state, tpsr, "page of the frame to send"),
           FIELD_MAX(struct ne2000_state, cntr, COUNTER_FULL, "tally counters"),
           FIELD(struct ne2000_state, fifo, "bytes that a loopback left"),
           FIELD_MAX(struct ne2000_state, fifo_at, 7, "next of them"),
           FIELD(struct ne2000_state, par, "station address"),
           FIELD(struct ne2000_state, mar, "multicast hash"),
           FIELD(struct ne2000_state, mac, "address in the PROM"),
           FIELD_MAX(struct ne2000_state, link, 1, "the cable is plugged in"),
           FIELD_MAX(struct ne2000_state, send_packet, 1, "remote DMA is a Send Packet"),
           FIELD(struct ne2000_state, send_next, "boundary at its end"),
           FIELD_MAX(struct ne2000_state, reserved, 0, "zero"),
           FIELD(struct ne2000_state, ram, "packet memory"));

/* Lines and timer follow from the state: called after every change. */
static void update(struct ne2000 *x)
{
    struct ne2000_state *s = &x->st;
    bool stopped = s->cr & CR_STP && s->tx_done == VTIME_NEVER;
    s->isr = (uint8_t)((s->isr & ~ISR_RST) | (stopped ? ISR_RST : 0));
    timer_arm(x->w.clk, &x->timer, s->tx_done);
    irq_set(&x->w.irq, (s->isr & s->imr) != 0); /* IMR has no bit for RST */
}

static void count_up(struct ne2000_state *s, unsigned which)
{
    if (s->cntr[which] < COUNTER_FULL)
        s->cntr[which]++;
    if (s->cntr[which] >= COUNTER_HALF)
        s->isr |= ISR_CNT;
}

/* --- packet memory --- */

/* PROM below 4000h, each byte twice for 16-bit hosts; "WW" tells that the card is a 16-bit one. */
static uint8_t prom_byte(const struct ne2000_state *s, uint16_t addr)
{
    unsigned i = addr >> 1 & 0xf;
    return i < 6 ? s->mac[i] : i >= 14 ? 0x57 : 0;
}

/* The RAM cell at a chip address, or NULL. Novell's card decodes A14 only. */
static uint8_t *cell(struct ne2000 *x, uint16_t addr)
{
    if (!x->w.pci)
        return addr & RAM_BASE ? &x->st.ram[addr & (ISA_RAM - 1)] : NULL;
    return addr >= RAM_BASE && addr < RAM_BASE + NE2000_RAM ? &x->st.ram[addr - RAM_BASE] : NULL;
}

static uint8_t mem_read(struct ne2000 *x, uint16_t addr)
{
    const uint8_t *p = cell(x, addr);
    if (p)
        return *p;
    return x->w.pci && addr >= RAM_BASE ? 0xff : prom_byte(&x->st, addr);
}

static void mem_write(struct ne2000 *x, uint16_t addr, uint8_t value)
{
    uint8_t *p = cell(x, addr);
    if (p)
        *p = value;
}

/* --- CRC (IEEE 802.3): for the multicast hash and what is stored behind a frame --- */

static uint32_t crc_bytes(uint32_t crc, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return crc;
}

/* The six bits first out of the CRC generator, which holds them in the other order (DP8390D 7.0). */
static unsigned hash_bit(const uint8_t *address)
{
    uint32_t crc = crc_bytes(0xffffffffu, address, 6);
    unsigned bit = 0;
    for (unsigned i = 0; i < 6; i++)
        bit = bit << 1 | (crc >> i & 1);
    return bit;
}

/* --- reception (DP8390D 7.0, 9.0) --- */

static bool address_matches(const struct ne2000_state *s, const uint8_t *frame)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (memcmp(frame, broadcast, 6) == 0)
        return s->rcr & RCR_AB;
    if (frame[0] & 1) {
        unsigned bit = hash_bit(frame);
        return s->rcr & RCR_AM && s->mar[bit >> 3] >> (bit & 7) & 1;
    }
    return s->rcr & RCR_PRO || memcmp(frame, s->par, 6) == 0;
}

static unsigned pages_for(size_t len)
{
    if (len < MIN_FRAME)
        len = MIN_FRAME;
    return (unsigned)((len + HEADER + CRC_LEN + 255) / 256);
}

/* The chip stops before it enters BNRY. CURR = BNRY is an empty ring: reception never makes it so. Drivers
 * that keep BNRY one page behind the next frame write PSTART - 1 for the last page of the ring. */
static bool fits(const struct ne2000_state *s, size_t len)
{
    if (s->pstop <= s->pstart || s->curr < s->pstart || s->curr >= s->pstop)
        return false;
    unsigned size = (unsigned)s->pstop - s->pstart;
    unsigned boundary = s->bnry < s->pstart || s->bnry >= s->pstop ? s->pstop - 1u : s->bnry;
    unsigned free_pages = boundary > s->curr ? boundary - s->curr : size - (s->curr - boundary);
    return pages_for(len) < free_pages;
}

static bool receiving(const struct ne2000_state *s)
{
    return !(s->cr & CR_STP) && s->cr & CR_STA && !(s->tcr & TCR_LB);
}

bool ne2000_listens(const struct ne2000 *x) { return receiving(&x->st) && x->st.link; }

static bool ring_empty(const struct ne2000_state *s)
{
    unsigned next = s->bnry + 1u >= s->pstop ? s->pstart : s->bnry + 1u;
    return s->bnry == s->curr || next == s->curr; /* drivers keep BNRY there, or one behind */
}

/* Whoever takes interrupts acknowledges them; whoever polls empties the ring. */
bool ne2000_attends(const struct ne2000 *x)
{
    const struct ne2000_state *s = &x->st;
    return !(s->isr & ISR_PRX) || (!(s->imr & ISR_PRX) && ring_empty(s));
}

bool ne2000_ready(const struct ne2000 *x, size_t len)
{
    const struct ne2000_state *s = &x->st;
    return !ne2000_listens(x) || s->rcr & RCR_MON || len > NE2000_MAX_FRAME || fits(s, len);
}

/* Bytes from *at on; in the ring the page behind the last is the first. */
static void ring_put(struct ne2000 *x, uint16_t *at, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        mem_write(x, (*at)++, p[i]);
        if ((*at & 0xff) == 0 && *at >> 8 == x->st.pstop)
            *at = (uint16_t)(x->st.pstart << 8);
    }
}

static void put_le(uint8_t *to, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

/* Header, frame, padding, CRC; then CURR moves to the next page (figure 11). */
static void store(struct ne2000 *x, const uint8_t *frame, size_t len)
{
    static const uint8_t zero[MIN_FRAME];
    struct ne2000_state *s = &x->st;
    size_t pad = len < MIN_FRAME ? MIN_FRAME - len : 0;
    uint8_t header[HEADER], crc[CRC_LEN];
    unsigned next = s->curr + pages_for(len);
    uint16_t at = (uint16_t)(s->curr << 8);
    if (next >= s->pstop)
        next -= (unsigned)s->pstop - s->pstart;
    header[0] = s->rsr;
    header[1] = (uint8_t)next;
    put_le(header + 2, (uint32_t)(len + pad + CRC_LEN), 2);
    put_le(crc, ~crc_bytes(crc_bytes(0xffffffffu, frame, len), zero, pad), 4);
    ring_put(x, &at, header, HEADER);
    ring_put(x, &at, frame, len);
    ring_put(x, &at, zero, pad);
    ring_put(x, &at, crc, CRC_LEN);
    s->curr = (uint8_t)next;
}

void ne2000_receive(struct ne2000 *x, const uint8_t *frame, size_t len)
{
    struct ne2000_state *s = &x->st;
    if (!ne2000_listens(x) || len < 14 || len > NE2000_MAX_FRAME || !address_matches(s, frame))
        return;
    s->rsr = (uint8_t)(frame[0] & 1 ? RSR_PHY : 0);
    if (s->rcr & RCR_MON) { /* looked at, counted, not stored */
        s->rsr |= RSR_MPA | RSR_DIS;
        count_up(s, CNTR_MISSED);
    } else if (!fits(s, len)) {
        s->rsr |= RSR_MPA;
        s->isr |= ISR_OVW;
        count_up(s, CNTR_MISSED);
    } else {
        s->rsr |= RSR_PRX;
        store(x, frame, len);
        s->isr |= ISR_PRX;
    }
    update(x);
}

void ne2000_set_link(struct ne2000 *x, bool up)
{
    x->st.link = up;
    update(x);
}

/* --- transmission (DP8390D 8.0) and loopback (12.0) --- */

/* The frame goes through the CRC generator and back into the FIFO, of which the last 8 bytes stay: byte
 * count, its upper half twice, last byte, CRC (table "FIFO contents"). The receiver sees an error where it
 * had no generator left to check with: the CRC was appended by the transmitter. */
static void loop_back(struct ne2000_state *s, const uint8_t *frame, size_t len)
{
    static const uint8_t tsr[4] = {0, TSR_CDH | TSR_CRS, TSR_CDH, 0}; /* by mode */
    bool own_crc = s->tcr & TCR_CRC; /* the guest put one behind its data */
    size_t total = len + (own_crc ? 0 : CRC_LEN);
    uint32_t crc = ~crc_bytes(0xffffffffu, frame, len);
    bool good = own_crc && crc == 0x2144df1c; /* the residue of data with its CRC */
    put_le(s->fifo, (uint32_t)total, 2);
    s->fifo[2] = s->fifo[1];
    s->fifo[3] = frame[own_crc && len > CRC_LEN ? len - CRC_LEN - 1 : len - 1];
    if (own_crc && len > CRC_LEN)
        memcpy(s->fifo + 4, frame + len - CRC_LEN, CRC_LEN);
    else
        put_le(s->fifo + 4, crc, 4);
    s->fifo_at = 0;
    s->tsr = (uint8_t)(TSR_PTX | TSR_ND | tsr[(s->tcr & TCR_LB) >> 1]);
    s->rsr = good ? RSR_PRX : RSR_CRC;
}

static void transmit(struct ne2000 *x)
{
    struct ne2000_state *s = &x->st;
    uint8_t frame[NE2000_MAX_FRAME];
    size_t len = s->tbcr;
    s->tsr = TSR_PTX;
    if (len == 0 || len > sizeof(frame)) {
        log_guest(x->w.log, x->dev.id, "a transmit of %u bytes; nothing was sent", (unsigned)len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        frame[i] = mem_read(x, (uint16_t)((s->tpsr << 8) + i));
    if (s->tcr & TCR_LB)
        loop_back(s, frame, len);
    else if (!s->link)
        s->tsr |= TSR_CRS; /* carrier sense lost */
    else if (x->w.send)
        x->w.send(x->w.arg, frame, len);
}

static void fire(void *dev, vtime now)
{
    struct ne2000 *x = dev;
    (void)now;
    x->st.tx_done = VTIME_NEVER;
    x->st.cr &= (uint8_t)~CR_TXP;
    transmit(x);
    x->st.isr |= ISR_PTX;
    update(x);
}

/* --- remote DMA (DP8390D 5.0) --- */

static void end_remote(struct ne2000_state *s)
{
    s->isr |= ISR_RDC;
    if (s->send_packet)
        s->bnry = s->send_next;
    s->send_packet = 0;
}

static void start_remote(struct ne2000 *x)
{
    struct ne2000_state *s = &x->st;
    unsigned kind = s->cr & CR_RD;
    s->send_packet = kind == RD_SEND;
    if (kind == RD_SEND) { /* the frame at BNRY, header included (5.5) */
        s->rsar = (uint16_t)(s->bnry << 8);
        s->send_next = mem_read(x, (uint16_t)(s->rsar + 1));
        s->rbcr = (uint16_t)(mem_read(x, (uint16_t)(s->rsar + 2)) |
                             mem_read(x, (uint16_t)(s->rsar + 3)) << 8);
    }
    if (kind != 0 && !(kind & RD_ABORT) && s->rbcr == 0)
        end_remote(s);
}

/* One byte was moved: the address wraps at the end of the ring. */
static void remote_step(struct ne2000_state *s)
{
    s->rsar++;
    if ((s->rsar & 0xff) == 0 && s->rsar >> 8 == s->pstop)
        s->rsar = (uint16_t)(s->pstart << 8);
    if (s->rbcr)
        s->rbcr--;
}

/* Bytes that one access of `size` to the data port moves: whole words where WTS says so. */
static unsigned remote_width(const struct ne2000_state *s, unsigned size)
{
    return s->dcr & DCR_WTS ? (size < 2 ? 2 : size) : 1;
}

static bool remote_active(const struct ne2000_state *s, bool write)
{
    unsigned kind = s->cr & CR_RD;
    return s->rbcr && !(s->cr & CR_STP) && (write ? kind == RD_WRITE : kind == RD_READ || kind == RD_SEND);
}

static uint32_t data_read(struct ne2000 *x, unsigned size)
{
    struct ne2000_state *s = &x->st;
    uint32_t value = 0;
    if (!remote_active(s, false))
        return 0xffffffffu;
    for (unsigned i = 0; i < remote_width(s, size); i++) {
        value |= (uint32_t)mem_read(x, s->rsar) << (8 * i);
        remote_step(s);
    }
    if (!s->rbcr) {
        end_remote(s);
        update(x);
    }
    return value;
}

static void data_write(struct ne2000 *x, uint32_t value, unsigned size)
{
    struct ne2000_state *s = &x->st;
    if (!remote_active(s, true))
        return;
    for (unsigned i = 0; i < remote_width(s, size); i++) {
        mem_write(x, s->rsar, (uint8_t)(value >> (8 * i)));
        remote_step(s);
    }
    if (!s->rbcr) {
        end_remote(s);
        update(x);
    }
}

/* --- registers (DP8390D 10.0) --- */

static void write_command(struct ne2000 *x, uint8_t value)
{
    struct ne2000_state *s = &x->st;
    uint8_t started = s->cr & CR_STA; /* stays until the chip stops */
    s->cr = (uint8_t)((value & ~CR_TXP) | (s->cr & CR_TXP));
    if (!(value & CR_STP))
        s->cr |= started;
    if (!(s->cr & CR_RD))
        s->cr |= RD_ABORT; /* 000 is not allowed */
    if (value & CR_RD)
        start_remote(x);
    if (value & CR_TXP && s->cr & CR_STA && !(s->cr & (CR_STP | CR_TXP))) {
        s->cr |= CR_TXP;
        s->tx_done = clock_now(x->w.clk) + (uint64_t)(s->tbcr + CRC_LEN) * x->w.byte_ns;
    }
    if (x->w.room)
        x->w.room(x->w.arg);
}

static void set_low(uint16_t *reg, uint8_t value) { *reg = (uint16_t)((*reg & 0xff00) | value); }
static void set_high(uint16_t *reg, uint8_t value) { *reg = (uint16_t)((*reg & 0xff) | value << 8); }

static void write_page0(struct ne2000 *x, unsigned reg, uint8_t value)
{
    struct ne2000_state *s = &x->st;
    switch (reg) {
    case 0x1: s->pstart = value; break;
    case 0x2: s->pstop = value; break;
    case 0x3:
        s->bnry = value;
        if (x->w.room)
            x->w.room(x->w.arg);
        break;
    case 0x4: s->tpsr = value; break;
    case 0x5: set_low(&s->tbcr, value); break;
    case 0x6: set_high(&s->tbcr, value); break;
    case 0x7:
        s->isr &= (uint8_t)~value;
        if (x->w.room)
            x->w.room(x->w.arg);
        break;
    case 0x8: set_low(&s->rsar, value); break;
    case 0x9: set_high(&s->rsar, value); break;
    case 0xa: set_low(&s->rbcr, value); break;
    case 0xb: set_high(&s->rbcr, value); break;
    case 0xc: s->rcr = value & 0x3f; break;
    case 0xd: s->tcr = value & 0x1f; break;
    case 0xe: s->dcr = value & 0x7f; break;
    case 0xf: s->imr = value & 0x7f; break;
    default: break;
    }
}

static void write_page1(struct ne2000_state *s, unsigned reg, uint8_t value)
{
    if (reg < 7)
        s->par[reg - 1] = value;
    else if (reg == 7)
        s->curr = value;
    else
        s->mar[reg - 8] = value;
}

static void register_write(struct ne2000 *x, unsigned reg, uint8_t value)
{
    unsigned page = x->st.cr >> 6;
    if (reg == 0)
        write_command(x, value);
    else if (page == 0)
        write_page0(x, reg, value);
    else if (page == 1)
        write_page1(&x->st, reg, value);
    update(x);
}

static uint8_t read_counter(struct ne2000_state *s, unsigned which)
{
    uint8_t value = s->cntr[which];
    s->cntr[which] = 0; /* 10.2: cleared by reading */
    return value;
}

static uint8_t read_fifo(struct ne2000_state *s)
{
    uint8_t value = s->fifo[s->fifo_at];
    s->fifo_at = (s->fifo_at + 1) & 7;
    return value;
}

static uint8_t read_page0(struct ne2000 *x, unsigned reg)
{
    struct ne2000_state *s = &x->st;
    switch (reg) {
    case 0x1: return 0;       /* CLDA: local DMA rests at the page of the next frame */
    case 0x2: return s->curr;
    case 0x3: return s->bnry;
    case 0x4: return s->tsr;
    case 0x5: return 0; /* no collisions */
    case 0x6: return read_fifo(s);
    case 0x7: return s->isr;
    case 0x8: return (uint8_t)s->rsar;
    case 0x9: return (uint8_t)(s->rsar >> 8);
    case 0xa: return x->w.pci ? 0x50 : 0xff; /* 8029ID0, 8029ID1: "PC" */
    case 0xb: return x->w.pci ? 0x43 : 0xff;
    case 0xc: return s->rsr;
    default: return read_counter(s, reg - 0xd);
    }
}

static uint8_t read_page1(const struct ne2000_state *s, unsigned reg)
{
    return reg < 7 ? s->par[reg - 1] : reg == 7 ? s->curr : s->mar[reg - 8];
}

/* What page 0 only lets be written; unused bits are ones. */
static uint8_t read_page2(const struct ne2000_state *s, unsigned reg)
{
    switch (reg) {
    case 0x1: return s->pstart;
    case 0x2: return s->pstop;
    case 0x4: return s->tpsr;
    case 0xc: return s->rcr | 0xc0;
    case 0xd: return s->tcr | 0xe0;
    case 0xe: return s->dcr | 0x80;
    case 0xf: return s->imr | 0x80;
    default: return 0xff;
    }
}

static uint8_t register_read(struct ne2000 *x, unsigned reg)
{
    unsigned page = x->st.cr >> 6;
    if (reg == 0)
        return x->st.cr;
    return page == 0   ? read_page0(x, reg)
           : page == 1 ? read_page1(&x->st, reg)
           : page == 2 ? read_page2(&x->st, reg)
                       : 0xff;
}

/* --- reset --- */

/* The RESET pin (DP8390D 11.0): the rest keeps its contents. */
static void reset_chip(struct ne2000 *x)
{
    struct ne2000_state *s = &x->st;
    s->cr = CR_STP | RD_ABORT;
    s->isr = ISR_RST;
    s->imr = 0;
    s->tcr &= (uint8_t)~TCR_LB;
    s->tx_done = VTIME_NEVER;
    s->send_packet = 0;
    update(x);
}

static void ne2000_reset(void *dev, enum reset_kind kind)
{
    struct ne2000 *x = dev;
    uint8_t link = x->st.link; /* the cable does not notice */
    (void)kind;
    x->st = (struct ne2000_state){.link = link, .pstart = 0x40, .pstop = 0x80, .bnry = 0x40, .curr = 0x40};
    memcpy(x->st.mac, x->w.mac, sizeof(x->st.mac));
    reset_chip(x);
}

/* --- ports: 00-0F registers, 10-17 data, 18-1F reset --- */

static uint32_t ne2000_read(void *dev, uint32_t offset, enum access_size size)
{
    struct ne2000 *x = dev;
    uint32_t value = 0;
    if (offset >= 0x18) {
        reset_chip(x);
        return 0;
    }
    if (offset >= 0x10)
        return data_read(x, size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)register_read(x, (offset + i) & 0xf) << (8 * i);
    return value;
}

static void ne2000_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct ne2000 *x = dev;
    if (offset >= 0x18)
        return; /* the reset began with the reading */
    if (offset >= 0x10) {
        data_write(x, value, size);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        register_write(x, (offset + i) & 0xf, (uint8_t)(value >> (8 * i)));
}

const struct io_ops ne2000_io = {ne2000_read, ne2000_write, ACCESS_8 | ACCESS_16 | ACCESS_32};

static enum emu_err ne2000_post_load(void *dev, struct error *err)
{
    struct ne2000 *x = dev;
    uint64_t longest = (uint64_t)(UINT16_MAX + CRC_LEN) * x->w.byte_ns;
    if (x->st.tx_done != VTIME_NEVER && x->st.tx_done > clock_now(x->w.clk) + longest)
        return error_set(err, EMU_FORMAT, "%s: a transmission ends too far in the future", x->dev.id);
    if ((x->st.tx_done != VTIME_NEVER) != ((x->st.cr & CR_TXP) != 0))
        return error_set(err, EMU_FORMAT, "%s: a transmission without its command bit", x->dev.id);
    update(x);
    return EMU_OK;
}

const struct device_class ne2000_class = {
    .name = "ne2000",
    .state = &ne2000_desc,
    .state_offset = offsetof(struct ne2000, st),
    .reset = ne2000_reset,
    .post_load = ne2000_post_load,
};

void ne2000_init(struct ne2000 *x, const char *id, struct ne2000_wiring w)
{
    *x = (struct ne2000){.dev = {.cls = &ne2000_class, .id = id}, .w = w};
    x->st.link = 1;
    timer_init(&x->timer, "ne2000", fire, x);
    ne2000_reset(x, RESET_POWER_ON);
}
