/*
 * PC parallel port. IBM PC/XT Technical Reference (1983), "IBM Printer Adapter"; the direction
 * bit 5 of the control register as on the PS/2 (bidirectional data port). Bits 2-0 of the status, which
 * the adapter leaves open, are zero as in later super I/O chips (SMSC FDC37C665, "Status Port"): SeaBIOS
 * hands bit 0 on as "time-out".
 *
 *   data     7-0 to the printer
 *   status   7 not BUSY   6 not ACK   5 PE   4 SLCT   3 not ERROR   2-0 read as zeros
 *   control  5 input   4 IRQ enable   3 SLCT IN   2 not INIT   1 AUTO FD XT   0 STROBE
 *
 * The printer latches the data on the leading edge of STROBE, is busy for 10 us and then pulses -ACK for
 * 5 us, in which it takes the next byte (IEEE 1284-1994 lets BUSY fall before -ACK; SeaBIOS sends as soon
 * as it sees -ACK). The IRQ driver, while enabled, follows the -ACK pin: the end of the pulse interrupts.
 * NOT MODELLED: EPP and ECP, a printer that runs out of paper, reading bytes from the printer.
 * Wired by the board: lpt_io at three ports, irq, out.
 */
#include "devices/lpt.h"

#include <inttypes.h>
#include <string.h>

enum { REG_DATA, REG_STATUS, REG_CONTROL };
enum { STROBE = 0x01, IRQ_ENABLE = 0x10, INPUT = 0x20 };
enum { NOT_BUSY = 0x80, NOT_ACK = 0x40, PAPER_END = 0x20, SELECTED = 0x10, NOT_ERROR = 0x08 };
enum phase { PHASE_IDLE, PHASE_BUSY, PHASE_ACK, PHASE_LAST = PHASE_ACK };
enum { BUSY_NS = 10000, ACK_NS = 5000 };

STATE_DESC(lpt_desc, struct lpt_state, 1,
           FIELD(struct lpt_state, phase_end, "virtual time at which the printer's phase ends"),
           FIELD(struct lpt_state, data, "data register"),
           FIELD_MAX(struct lpt_state, control, 0x3f, "control register"),
           FIELD_MAX(struct lpt_state, phase, PHASE_LAST, "0 idle, 1 busy, 2 acknowledging"),
           FIELD_MAX(struct lpt_state, reserved, 0, "zero"));

static void advance(struct lpt *l, vtime now)
{
    struct lpt_state *st = &l->st;
    if (st->phase == PHASE_BUSY && st->phase_end <= now) {
        st->phase = PHASE_ACK;
        st->phase_end += ACK_NS;
    }
    if (st->phase == PHASE_ACK && st->phase_end <= now) {
        st->phase = PHASE_IDLE;
        st->phase_end = 0;
    }
}

static void lpt_update(struct lpt *l)
{
    const struct lpt_state *st = &l->st;
    irq_set(&l->w.irq, (st->control & IRQ_ENABLE) && st->phase != PHASE_ACK);
    timer_arm(l->w.clk, &l->timer, st->phase == PHASE_IDLE ? VTIME_NEVER : st->phase_end);
}

static void lpt_fire(void *dev, vtime now)
{
    advance(dev, now);
    lpt_update(dev);
}

static uint8_t status(const struct lpt *l)
{
    uint8_t value = NOT_ACK | SELECTED | NOT_ERROR;
    if (!l->w.out)
        return value | PAPER_END; /* open inputs are high, and BUSY is inverted */
    if (l->st.phase == PHASE_ACK)
        value &= (uint8_t)~NOT_ACK;
    if (l->st.phase != PHASE_BUSY)
        value |= NOT_BUSY;
    return value;
}

static void strobe(struct lpt *l, vtime now)
{
    struct lpt_state *st = &l->st;
    if (!l->w.out)
        return;
    if (st->phase == PHASE_BUSY) {
        log_guest(l->w.log, l->dev.id, "strobe while the printer is busy, byte %02x lost",
                  st->data);
        return;
    }
    st->phase = PHASE_BUSY;
    st->phase_end = now + BUSY_NS;
    l->w.out(l->w.arg, st->data);
}

static uint32_t lpt_read(void *dev, uint32_t offset, enum access_size size)
{
    (void)size;
    struct lpt *l = dev;
    advance(l, clock_now(l->w.clk));
    switch (offset) {
    case REG_DATA:
        return l->st.control & INPUT ? 0xff : l->st.data;
    case REG_STATUS:
        return status(l);
    case REG_CONTROL:
        return 0xc0 | l->st.control;
    default:
        return 0xff;
    }
}

static void lpt_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    (void)size;
    struct lpt *l = dev;
    vtime now = clock_now(l->w.clk);
    advance(l, now);
    if (offset == REG_DATA) {
        l->st.data = (uint8_t)value;
    } else if (offset == REG_CONTROL) {
        bool strobed = value & ~(uint32_t)l->st.control & STROBE;
        l->st.control = value & 0x3f;
        if (strobed)
            strobe(l, now);
    }
    lpt_update(l);
}

const struct io_ops lpt_io = {lpt_read, lpt_write, ACCESS_8};

static void lpt_reset(void *dev, enum reset_kind kind)
{
    struct lpt *l = dev;
    (void)kind;
    memset(&l->st, 0, sizeof(l->st));
    lpt_update(l);
}

static enum emu_err lpt_post_load(void *dev, struct error *err)
{
    struct lpt *l = dev;
    (void)err;
    lpt_update(l);
    return EMU_OK;
}

const struct device_class lpt_class = {
    .name = "lpt",
    .state = &lpt_desc,
    .state_offset = offsetof(struct lpt, st),
    .reset = lpt_reset,
    .post_load = lpt_post_load,
};

void lpt_init(struct lpt *l, const char *id, struct lpt_wiring w)
{
    memset(l, 0, sizeof(*l));
    l->dev.cls = &lpt_class;
    l->dev.id = id;
    l->w = w;
    timer_init(&l->timer, id, lpt_fire, l);
    lpt_reset(l, RESET_POWER_ON);
}
