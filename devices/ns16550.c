/*
 * 16550A UART. National Semiconductor PC16550D datasheet (June 1995), sections 8.0 (registers) and
 * 8.3-8.10 (line status, FIFO control, interrupts, modem).
 * Transmitted bytes leave at the end of their stop bit; received ones arrive at line speed. The
 * sender is thought to wait for room in the FIFO, so overruns happen in loopback only.
 * NOT MODELLED: the DMA signals RXRDY and TXRDY (FCR bit 3), BAUDOUT, stick parity and the word
 * length's effect on the data (a byte is a byte).
 * Wired by the board: ns16550_io at the port's eight addresses, irq, back end callbacks.
 */
#include "devices/ns16550.h"

#include <inttypes.h>
#include <string.h>

enum { RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR };
enum { IER_RX = 1, IER_TX = 2, IER_LINE = 4, IER_MODEM = 8 };
enum { FCR_ENABLE = 0x01, FCR_RX_RESET = 0x02, FCR_TX_RESET = 0x04 };
enum { LCR_PARITY = 0x08, LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10 };
enum { LSR_DATA = 0x01, LSR_OVERRUN = 0x02, LSR_THR_EMPTY = 0x20, LSR_EMPTY = 0x40,
       LSR_FIFO = 0x80 };
enum { LSR_CHARACTER = NS16550_PARITY | NS16550_FRAMING | NS16550_BREAK };
enum { LSR_LATCHED = LSR_OVERRUN | LSR_CHARACTER }; /* cleared by reading LSR */
enum { IIR_NONE = 0x01, IIR_LINE = 0x06, IIR_RX = 0x04, IIR_TIMEOUT = 0x0c, IIR_TX = 0x02,
       IIR_MODEM = 0x00 };

STATE_DESC(ns16550_queue_desc, struct ns16550_queue, 1,
           FIELD(struct ns16550_queue, byte, "ring of characters"),
           FIELD_MAX(struct ns16550_queue, error, LSR_CHARACTER, "their LSR error bits"),
           FIELD_MAX(struct ns16550_queue, head, NS16550_FIFO - 1, "index of the oldest"),
           FIELD_MAX(struct ns16550_queue, count, NS16550_FIFO, "characters in the ring"));

STATE_DESC(ns16550_desc, struct ns16550_state, 1,
           FIELD(struct ns16550_state, tx_done, "virtual time at which the shifted byte is out"),
           FIELD(struct ns16550_state, rx_done, "virtual time at which the shifted byte is in"),
           FIELD(struct ns16550_state, timeout_at, "virtual time of the character time-out"),
           FIELD(struct ns16550_state, divisor, "divisor latch"),
           FIELD_MAX(struct ns16550_state, ier, 0x0f, "interrupt enable"),
           FIELD_MAX(struct ns16550_state, fcr, 0xc9, "FIFO control: enable, DMA mode, trigger"),
           FIELD(struct ns16550_state, lcr, "line control"),
           FIELD_MAX(struct ns16550_state, mcr, 0x1f, "modem control"),
           FIELD_MAX(struct ns16550_state, lsr, LSR_LATCHED, "latched line errors"),
           FIELD(struct ns16550_state, scr, "scratch"),
           FIELD_MAX(struct ns16550_state, msr_delta, 0x0f, "modem status changes"),
           FIELD(struct ns16550_state, modem, "modem input pins in bits 7-4"),
           FIELD(struct ns16550_state, tx_shift, "transmit shift register"),
           FIELD_MAX(struct ns16550_state, tx_busy, 1, "it is shifting"),
           FIELD(struct ns16550_state, rx_shift, "receive shift register"),
           FIELD_MAX(struct ns16550_state, rx_shift_error, LSR_CHARACTER, "errors of that byte"),
           FIELD_MAX(struct ns16550_state, rx_busy, 1, "it is shifting"),
           FIELD_MAX(struct ns16550_state, thre_interrupt, 1, "transmitter-empty interrupt latch"),
           FIELD_MAX(struct ns16550_state, timeout_armed, 1, "the character time-out runs"),
           FIELD_MAX(struct ns16550_state, timeout_interrupt, 1, "time-out interrupt latch"),
           FIELD_STRUCT(struct ns16550_state, tx, struct ns16550_queue, ns16550_queue_desc,
                        "transmit FIFO (one deep while FIFOs are off)"),
           FIELD_STRUCT(struct ns16550_state, rx, struct ns16550_queue, ns16550_queue_desc,
                        "receive FIFO (one deep while FIFOs are off)"),
           FIELD_STRUCT(struct ns16550_state, line, struct ns16550_queue, ns16550_queue_desc,
                        "bytes on their way to the receiver"));

/* --- rings --- */

static void queue_push(struct ns16550_queue *q, uint8_t byte, uint8_t error)
{
    unsigned at = (q->head + q->count) % NS16550_FIFO;
    q->byte[at] = byte;
    q->error[at] = error;
    q->count++;
}

static uint8_t queue_pop(struct ns16550_queue *q)
{
    uint8_t byte = q->byte[q->head];
    q->error[q->head] = 0;
    q->head = (uint8_t)((q->head + 1) % NS16550_FIFO);
    q->count--;
    return byte;
}

static bool queue_has_error(const struct ns16550_queue *q)
{
    for (unsigned i = 0; i < q->count; i++) {
        if (q->error[(q->head + i) % NS16550_FIFO])
            return true;
    }
    return false;
}

static bool fifo_on(const struct ns16550_state *st)
{
    return st->fcr & FCR_ENABLE;
}

static unsigned depth(const struct ns16550_state *st)
{
    return fifo_on(st) ? NS16550_FIFO : 1;
}

/* Start bit, 5-8 data bits, parity, 1, 1.5 or 2 stop bits: 16 clocks of the divided rate each. */
static vtime byte_time(const struct ns16550 *u)
{
    const struct ns16550_state *st = &u->st;
    if (u->w.byte_ns)
        return u->w.byte_ns;
    unsigned data = 5 + (st->lcr & 3);
    unsigned stop = !(st->lcr & 4) ? 2 : data == 5 ? 3 : 4; /* in half bits */
    unsigned half_bits = 2 + 2 * data + stop + (st->lcr & LCR_PARITY ? 2 : 0);
    uint32_t divisor = st->divisor ? st->divisor : 65536;
    return ticks_to_vtime((uint64_t)half_bits * 8 * divisor, u->w.clock_hz);
}

/* --- interrupts --- */

static unsigned rx_trigger(const struct ns16550_state *st)
{
    static const uint8_t level[4] = {1, 4, 8, 14}; /* FCR bits 7-6 */
    return fifo_on(st) ? level[st->fcr >> 6] : 1;
}

/* PC16550D table IV: the highest pending source that is enabled. */
static uint8_t interrupt_source(const struct ns16550_state *st)
{
    if ((st->ier & IER_LINE) && (st->lsr & LSR_LATCHED))
        return IIR_LINE;
    if ((st->ier & IER_RX) && st->rx.count >= rx_trigger(st))
        return IIR_RX;
    if ((st->ier & IER_RX) && st->timeout_interrupt)
        return IIR_TIMEOUT;
    if ((st->ier & IER_TX) && st->thre_interrupt)
        return IIR_TX;
    if ((st->ier & IER_MODEM) && st->msr_delta)
        return IIR_MODEM;
    return IIR_NONE;
}

/* OUT2 is inactive while looped back (8.7, bit 4), so a PC's interrupt driver is closed then. */
static bool irq_gate(const struct ns16550 *u)
{
    if (!u->w.out2_gates_irq)
        return true;
    return (u->st.mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
}

/* --- modem lines --- */

static uint8_t modem_inputs(const struct ns16550_state *st)
{
    uint8_t m = st->mcr;
    if (!(m & MCR_LOOP))
        return st->modem & 0xf0;
    return (uint8_t)((m & MCR_RTS ? NS16550_CTS : 0) | (m & MCR_DTR ? NS16550_DSR : 0) |
                     (m & MCR_OUT1 ? NS16550_RI : 0) | (m & MCR_OUT2 ? NS16550_DCD : 0));
}

/* MSR bits 3-0: CTS, DSR and DCD changed; RI only when it goes away (trailing edge). */
static void modem_changed(struct ns16550_state *st, uint8_t before)
{
    uint8_t after = modem_inputs(st), changed = before ^ after;
    uint8_t delta = changed & (NS16550_CTS | NS16550_DSR | NS16550_DCD);
    if (before & ~after & NS16550_RI)
        delta |= NS16550_RI;
    st->msr_delta |= delta >> 4;
}

static void tell_pins(struct ns16550 *u)
{
    const struct ns16550_state *st = &u->st;
    uint8_t out = st->mcr & MCR_LOOP ? 0 : st->mcr & (MCR_DTR | MCR_RTS);
    if (!(st->mcr & MCR_LOOP))
        out |= st->lcr & LCR_BREAK;
    if (out == u->pins_told)
        return;
    u->pins_told = out;
    if (u->w.modem_out)
        u->w.modem_out(u->w.arg, out & MCR_DTR, out & MCR_RTS, out & LCR_BREAK);
}

/* --- receiver --- */

/* The errors of the character at the top show in LSR (8.3, bits 2-4). */
static void show_top_error(struct ns16550_state *st)
{
    if (st->rx.count)
        st->lsr |= st->rx.error[st->rx.head];
}

/* Four character times without a character coming in or being read (8.10, time-out). */
static void restart_timeout(struct ns16550 *u, vtime now)
{
    struct ns16550_state *st = &u->st;
    st->timeout_armed = fifo_on(st) && st->rx.count > 0;
    st->timeout_at = st->timeout_armed ? now + 4 * byte_time(u) : 0;
}

static void rx_deliver(struct ns16550 *u, uint8_t byte, uint8_t error, vtime now)
{
    struct ns16550_state *st = &u->st;
    if (st->rx.count >= depth(st)) {
        st->lsr |= LSR_OVERRUN;
        if (fifo_on(st))
            return; /* the FIFO is kept, the shift register is lost (8.3, bit 1) */
        queue_pop(&st->rx); /* the holding register is overwritten */
    }
    queue_push(&st->rx, byte, error);
    if (st->rx.count == 1)
        show_top_error(st);
    if (!st->timeout_interrupt)
        restart_timeout(u, now);
}

static uint8_t rx_read(struct ns16550 *u, vtime now)
{
    struct ns16550_state *st = &u->st;
    if (!st->rx.count)
        return st->rx.byte[(st->rx.head + NS16550_FIFO - 1) % NS16550_FIFO];
    uint8_t byte = queue_pop(&st->rx);
    show_top_error(st);
    st->timeout_interrupt = 0;
    restart_timeout(u, now);
    return byte;
}

/* The next byte on the line starts, unless loopback has cut the line off or the FIFO is full. */
static void rx_start(struct ns16550 *u, vtime from)
{
    struct ns16550_state *st = &u->st;
    if (!st->line.count || st->rx_busy || (st->mcr & MCR_LOOP) || st->rx.count >= depth(st))
        return;
    st->rx_shift_error = st->line.error[st->line.head];
    st->rx_shift = queue_pop(&st->line);
    st->rx_busy = 1;
    st->rx_done = from + byte_time(u);
}

static void rx_finish(struct ns16550 *u)
{
    struct ns16550_state *st = &u->st;
    vtime at = st->rx_done;
    st->rx_busy = 0;
    rx_deliver(u, st->rx_shift, st->rx_shift_error, at);
    rx_start(u, at);
}

/* --- transmitter --- */

static void tx_start(struct ns16550 *u, vtime from)
{
    struct ns16550_state *st = &u->st;
    st->tx_shift = queue_pop(&st->tx);
    st->tx_busy = 1;
    st->tx_done = from + byte_time(u);
    if (!st->tx.count)
        st->thre_interrupt = 1;
}

static void tx_finish(struct ns16550 *u)
{
    struct ns16550_state *st = &u->st;
    vtime at = st->tx_done;
    uint8_t byte = st->tx_shift;
    st->tx_busy = 0;
    if (st->tx.count)
        tx_start(u, at);
    if (st->mcr & MCR_LOOP)
        rx_deliver(u, byte, 0, at);
    else if (u->w.tx)
        u->w.tx(u->w.arg, byte);
}

static void tx_write(struct ns16550 *u, uint8_t byte, vtime now)
{
    struct ns16550_state *st = &u->st;
    st->thre_interrupt = 0;
    if (st->tx.count >= depth(st)) {
        log_guest(u->w.log, u->dev.id, "transmit FIFO full, byte %02x lost", byte);
        return;
    }
    queue_push(&st->tx, byte, 0);
    if (!st->tx_busy)
        tx_start(u, now);
}

/* --- time --- */

static vtime next_deadline(const struct ns16550_state *st)
{
    vtime due = VTIME_NEVER;
    if (st->tx_busy && st->tx_done < due)
        due = st->tx_done;
    if (st->rx_busy && st->rx_done < due)
        due = st->rx_done;
    if (st->timeout_armed && st->timeout_at < due)
        due = st->timeout_at;
    return due;
}

/* Everything that was due by `now`, in order: at most what the rings hold. */
static void advance(struct ns16550 *u, vtime now)
{
    struct ns16550_state *st = &u->st;
    for (vtime due = next_deadline(st); due <= now; due = next_deadline(st)) {
        if (st->tx_busy && st->tx_done == due) {
            tx_finish(u);
        } else if (st->rx_busy && st->rx_done == due) {
            rx_finish(u);
        } else {
            st->timeout_armed = 0;
            st->timeout_interrupt = 1;
        }
    }
}

static void ns16550_update(struct ns16550 *u, vtime now)
{
    struct ns16550_state *st = &u->st;
    rx_start(u, now);
    tell_pins(u);
    irq_set(&u->w.irq, irq_gate(u) && interrupt_source(st) != IIR_NONE);
    timer_arm(u->w.clk, &u->timer, next_deadline(st));
    if (u->rx_refused && ns16550_room(u)) {
        u->rx_refused = false;
        if (u->w.rx_ready)
            u->w.rx_ready(u->w.arg);
    }
}

static void ns16550_fire(void *dev, vtime now)
{
    advance(dev, now);
    ns16550_update(dev, now);
}

/* --- registers --- */

static uint8_t lsr_read(struct ns16550_state *st)
{
    uint8_t value = st->lsr;
    if (st->rx.count)
        value |= LSR_DATA;
    if (!st->tx.count)
        value |= LSR_THR_EMPTY;
    if (!st->tx.count && !st->tx_busy)
        value |= LSR_EMPTY;
    if (fifo_on(st) && queue_has_error(&st->rx))
        value |= LSR_FIFO;
    if (st->rx.count)
        st->rx.error[st->rx.head] = 0; /* told */
    st->lsr = 0;
    return value;
}

static uint8_t iir_read(struct ns16550_state *st)
{
    uint8_t source = interrupt_source(st);
    if (source == IIR_TX)
        st->thre_interrupt = 0; /* table IV: reset by reading IIR, if the source */
    return source | (fifo_on(st) ? 0xc0 : 0);
}

static uint8_t msr_read(struct ns16550_state *st)
{
    uint8_t value = modem_inputs(st) | st->msr_delta;
    st->msr_delta = 0;
    return value;
}

static uint8_t read_register(struct ns16550 *u, uint32_t offset, vtime now)
{
    struct ns16550_state *st = &u->st;
    bool dlab = st->lcr & LCR_DLAB;
    switch (offset & 7) {
    case RBR_THR_DLL:
        return dlab ? (uint8_t)st->divisor : rx_read(u, now);
    case IER_DLM:
        return dlab ? (uint8_t)(st->divisor >> 8) : st->ier;
    case IIR_FCR:
        return iir_read(st);
    case LCR:
        return st->lcr;
    case MCR:
        return st->mcr;
    case LSR:
        return lsr_read(st);
    case MSR:
        return msr_read(st);
    default:
        return st->scr;
    }
}

/* Turning ETBEI on with an empty holding register interrupts at once (table IV). */
static void ier_write(struct ns16550_state *st, uint8_t value)
{
    value &= 0x0f;
    if ((value & ~st->ier & IER_TX) && !st->tx.count)
        st->thre_interrupt = 1;
    st->ier = value;
}

static void rx_clear(struct ns16550_state *st)
{
    memset(&st->rx, 0, sizeof(st->rx));
    st->timeout_armed = 0;
    st->timeout_at = 0;
    st->timeout_interrupt = 0;
}

static void tx_clear(struct ns16550_state *st)
{
    if (st->tx.count)
        st->thre_interrupt = 1;
    memset(&st->tx, 0, sizeof(st->tx));
}

/* 8.4: changing the enable bit clears both FIFOs; the other bits count only with it set. */
static void fcr_write(struct ns16550_state *st, uint8_t value)
{
    bool toggled = (value ^ st->fcr) & FCR_ENABLE;
    if (toggled || (value & FCR_ENABLE && value & FCR_RX_RESET))
        rx_clear(st);
    if (toggled || (value & FCR_ENABLE && value & FCR_TX_RESET))
        tx_clear(st);
    st->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
}

static void mcr_write(struct ns16550_state *st, uint8_t value)
{
    uint8_t before = modem_inputs(st);
    st->mcr = value & 0x1f;
    modem_changed(st, before);
}

static void lcr_write(struct ns16550 *u, uint8_t value, vtime now)
{
    bool breaks = value & ~u->st.lcr & LCR_BREAK;
    u->st.lcr = value;
    if (breaks && u->st.mcr & MCR_LOOP)
        rx_deliver(u, 0, NS16550_BREAK | NS16550_FRAMING, now);
}

static void write_register(struct ns16550 *u, uint32_t offset, uint8_t value, vtime now)
{
    struct ns16550_state *st = &u->st;
    bool dlab = st->lcr & LCR_DLAB;
    switch (offset & 7) {
    case RBR_THR_DLL:
        if (dlab)
            st->divisor = (uint16_t)((st->divisor & 0xff00) | value);
        else
            tx_write(u, value, now);
        break;
    case IER_DLM:
        if (dlab)
            st->divisor = (uint16_t)((st->divisor & 0xff) | value << 8);
        else
            ier_write(st, value);
        break;
    case IIR_FCR:
        fcr_write(st, value);
        break;
    case LCR:
        lcr_write(u, value, now);
        break;
    case MCR:
        mcr_write(st, value);
        break;
    case LSR:
    case MSR:
        break; /* read-only (writing LSR is for factory tests, 8.3) */
    default:
        st->scr = value;
        break;
    }
}

static uint32_t ns16550_read(void *dev, uint32_t offset, enum access_size size)
{
    (void)size;
    struct ns16550 *u = dev;
    vtime now = clock_now(u->w.clk);
    advance(u, now);
    uint8_t value = read_register(u, offset, now);
    if (trace_on(u->w.log, TRACE_SERIAL))
        trace_line(u->w.log, TRACE_SERIAL, "%s read %" PRIu32 " %02x", u->dev.id, offset, value);
    ns16550_update(u, now);
    return value;
}

static void ns16550_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    (void)size;
    struct ns16550 *u = dev;
    vtime now = clock_now(u->w.clk);
    if (trace_on(u->w.log, TRACE_SERIAL))
        trace_line(u->w.log, TRACE_SERIAL, "%s write %" PRIu32 " %02x", u->dev.id, offset,
                   (unsigned)value);
    advance(u, now);
    write_register(u, offset, (uint8_t)value, now);
    ns16550_update(u, now);
}

const struct io_ops ns16550_io = {ns16550_read, ns16550_write, ACCESS_8};

/* --- the other end of the line --- */

size_t ns16550_room(const struct ns16550 *u)
{
    return NS16550_FIFO - u->st.line.count;
}

bool ns16550_receive_error(struct ns16550 *u, uint8_t byte, uint8_t error)
{
    vtime now = clock_now(u->w.clk);
    advance(u, now);
    bool taken = ns16550_room(u) > 0;
    if (taken)
        queue_push(&u->st.line, byte, error & LSR_CHARACTER);
    else
        u->rx_refused = true;
    ns16550_update(u, now);
    return taken;
}

bool ns16550_receive(struct ns16550 *u, uint8_t byte)
{
    return ns16550_receive_error(u, byte, 0);
}

void ns16550_set_modem(struct ns16550 *u, uint8_t pins)
{
    uint8_t before = modem_inputs(&u->st);
    u->st.modem = pins & 0xf0;
    modem_changed(&u->st, before);
    ns16550_update(u, clock_now(u->w.clk));
}

/* --- device --- */

/* PC16550D table I. MR leaves SCR, the divisor and the shift registers alone; power-on gives
 * them a known value (9600 baud, what a BIOS would choose). */
static void ns16550_reset(void *dev, enum reset_kind kind)
{
    struct ns16550 *u = dev;
    struct ns16550_state *st = &u->st;
    uint8_t scr = st->scr, modem = st->modem;
    uint16_t divisor = st->divisor;
    memset(st, 0, sizeof(*st));
    st->scr = kind == RESET_POWER_ON ? 0 : scr;
    st->divisor = kind == RESET_POWER_ON ? 12 : divisor;
    st->modem = kind == RESET_POWER_ON ? u->w.modem & 0xf0 : modem;
    ns16550_update(u, clock_now(u->w.clk));
}

static enum emu_err ns16550_post_load(void *dev, struct error *err)
{
    struct ns16550 *u = dev;
    (void)err;
    u->st.modem &= 0xf0;
    u->rx_refused = ns16550_room(u) == 0; /* whoever may hold bytes back is asked later */
    advance(u, clock_now(u->w.clk));
    ns16550_update(u, clock_now(u->w.clk));
    return EMU_OK;
}

const struct device_class ns16550_class = {
    .name = "ns16550",
    .state = &ns16550_desc,
    .state_offset = offsetof(struct ns16550, st),
    .reset = ns16550_reset,
    .post_load = ns16550_post_load,
};

void ns16550_init(struct ns16550 *u, const char *id, struct ns16550_wiring w)
{
    memset(u, 0, sizeof(*u));
    u->dev.cls = &ns16550_class;
    u->dev.id = id;
    u->w = w;
    if (!u->w.clock_hz)
        u->w.clock_hz = 1843200;
    timer_init(&u->timer, id, ns16550_fire, u);
    ns16550_reset(u, RESET_POWER_ON);
}
