/*
 * 8042 keyboard controller: see i8042.h.
 *
 * A byte from a device takes a bus frame's time (11 bits at 16.7 kHz) from the moment at which the
 * output buffer is free, so that every byte of a sequence is an interrupt of its own; commands and
 * the controller's answers are immediate: the input buffer is never seen full.
 *
 * NOT MODELLED: parity and time-out errors, the password (A4 says that none is installed), the
 * keyboard lock, pulses on output port bits other than the reset line, AT (non-PS/2) mode.
 */
#include "devices/i8042.h"

#include <string.h>

enum {
    ST_FULL = 0x01, ST_SYSTEM = 0x04, ST_COMMAND = 0x08, ST_UNLOCKED = 0x10, ST_AUX = 0x20,
    CB_IRQ1 = 0x01, CB_IRQ12 = 0x02, CB_SYSTEM = 0x04, CB_NO_KEYBOARD = 0x10, CB_NO_AUX = 0x20,
    CB_TRANSLATE = 0x40,
    P2_RUN = 0x01, P2_A20 = 0x02, P2_IRQ1 = 0x10, P2_IRQ12 = 0x20,
    INPUT_PORT = 0xa0, /* P1: not locked, manufacturing jumper not installed */
    FRAME_NS = 660000,
    CMD_AUX_OFF = 0xa7, CMD_AUX_ON = 0xa8, CMD_KEYBOARD_OFF = 0xad, CMD_KEYBOARD_ON = 0xae,
    CMD_WRITE_OUTPUT_PORT = 0xd1, CMD_FAKE_KEYBOARD = 0xd2, CMD_FAKE_AUX = 0xd3,
    CMD_TO_AUX = 0xd4,
};

STATE_DESC(i8042_state_desc, struct i8042_state, 1,
           FIELD(struct i8042_state, arrive_at, "time at which a byte arrives"),
           FIELD(struct i8042_state, ram, "controller RAM, command byte first"),
           FIELD(struct i8042_state, reply, "the controller's answers, oldest first"),
           FIELD_MAX(struct i8042_state, reply_aux, 1, "answers that appear as AUX data"),
           FIELD_MAX(struct i8042_state, replies, I8042_REPLIES, "answers waiting"),
           FIELD(struct i8042_state, output, "output buffer"),
           FIELD_MAX(struct i8042_state, full, 1, "output buffer full"),
           FIELD_MAX(struct i8042_state, aux, 1, "output buffer holds AUX data"),
           FIELD_MAX(struct i8042_state, last_was_command, 1, "status bit 3"),
           FIELD(struct i8042_state, command, "command that waits for its data byte"),
           FIELD(struct i8042_state, output_port, "P2 as written"),
           FIELD_MAX(struct i8042_state, break_prefix, 1, "F0 came before"),
           FIELD_MAX(struct i8042_state, ready, 3, "levels of the ready lines"),
           FIELD_MAX(struct i8042_state, poll_input, 2, "input port bits in the status"),
           FIELD_MAX(struct i8042_state, reserved, 0, "zero"));

/* Scan code set 2 to 1 for 00-7F ("Keyboard controller, scan code translation"). */
static const uint8_t set2_to_1[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

uint8_t i8042_translate(uint8_t code)
{
    if (code < 0x80)
        return set2_to_1[code];
    return code == 0x83 ? 0x41 : code == 0x84 ? 0x54 : code;
}

/* --- buffers --- */

static bool port_open(const struct i8042_state *s, unsigned port)
{
    return !(s->ram[0] & (port == I8042_AUX ? CB_NO_AUX : CB_NO_KEYBOARD));
}

/* The port whose device may send now, or -1; the keyboard goes first. */
static int sending_port(const struct i8042 *x)
{
    const struct i8042_state *s = &x->st;
    for (int port = I8042_KEYBOARD; port <= I8042_AUX; port++) {
        if ((s->ready >> port & 1) && port_open(s, (unsigned)port) && x->w.port[port].ops)
            return port;
    }
    return -1;
}

static void drive_irqs(struct i8042 *x)
{
    const struct i8042_state *s = &x->st;
    uint8_t cb = s->ram[0];
    irq_set(&x->w.irq_keyboard,
            s->full && !s->aux && (cb & CB_IRQ1) && !(cb & CB_NO_KEYBOARD));
    irq_set(&x->w.irq_aux, s->full && s->aux && (cb & CB_IRQ12));
}

static void fill(struct i8042_state *s, uint8_t byte, bool aux)
{
    s->output = byte;
    s->full = 1;
    s->aux = aux;
}

static void next_reply(struct i8042_state *s)
{
    fill(s, s->reply[0], s->reply_aux[0]);
    s->replies--;
    memmove(s->reply, s->reply + 1, s->replies);
    memmove(s->reply_aux, s->reply_aux + 1, s->replies);
}

static void update(struct i8042 *x, vtime now)
{
    struct i8042_state *s = &x->st;
    if (!s->full && s->replies)
        next_reply(s);
    if (s->full || sending_port(x) < 0)
        s->arrive_at = VTIME_NEVER; /* the clock line holds the devices off */
    else if (s->arrive_at == VTIME_NEVER)
        s->arrive_at = now + FRAME_NS;
    timer_arm(x->w.clk, &x->timer, s->arrive_at);
    drive_irqs(x);
    irq_set(&x->w.a20, (s->output_port & P2_A20) != 0);
    irq_set(&x->w.reset, !(s->output_port & P2_RUN));
}

static void reply(struct i8042_state *s, uint8_t byte, bool aux)
{
    if (s->replies == I8042_REPLIES)
        return;
    s->reply[s->replies] = byte;
    s->reply_aux[s->replies++] = aux;
}

/* A byte from the keyboard, translated if asked for; F0 only marks the next one as a break code. */
static void keyboard_byte(struct i8042_state *s, uint8_t byte)
{
    if (!(s->ram[0] & CB_TRANSLATE)) {
        fill(s, byte, false);
    } else if (byte == 0xf0) {
        s->break_prefix = 1;
    } else {
        fill(s, i8042_translate(byte) | (s->break_prefix ? 0x80 : 0), false);
        s->break_prefix = 0;
    }
}

static void fetch(struct i8042 *x, unsigned port)
{
    uint8_t byte = x->w.port[port].ops->read(x->w.port[port].dev);
    if (trace_on(x->w.log, TRACE_KBD))
        trace_line(x->w.log, TRACE_KBD, "%s: %s sends %02x", x->dev.id,
                   port == I8042_AUX ? "AUX" : "keyboard", byte);
    if (port == I8042_AUX)
        fill(&x->st, byte, true);
    else
        keyboard_byte(&x->st, byte);
}

static void fire(void *dev, vtime now)
{
    struct i8042 *x = dev;
    int port = sending_port(x);
    x->st.arrive_at = VTIME_NEVER;
    if (port >= 0 && !x->st.full)
        fetch(x, (unsigned)port);
    update(x, now);
}

static void set_ready(void *sink, unsigned port, bool level)
{
    struct i8042 *x = sink;
    struct i8042_state *s = &x->st;
    uint8_t old = s->ready;
    s->ready = (uint8_t)((old & ~(1u << port)) | (unsigned)level << port);
    if (s->ready != old)
        update(x, clock_now(x->w.clk));
}

struct irq_line i8042_ready(struct i8042 *x, unsigned port)
{
    return (struct irq_line){set_ready, x, port & 1};
}

/* --- commands --- */

static void send(struct i8042 *x, unsigned port, uint8_t byte)
{
    /* Sending to a device lets its clock run again. */
    x->st.ram[0] &= (uint8_t) ~(port == I8042_AUX ? CB_NO_AUX : CB_NO_KEYBOARD);
    if (port == I8042_KEYBOARD)
        x->st.break_prefix = 0;
    if (x->w.port[port].ops)
        x->w.port[port].ops->write(x->w.port[port].dev, byte);
}

static void pulse_reset(struct i8042 *x)
{
    irq_set(&x->w.reset, true);
    irq_set(&x->w.reset, false);
}

/* AC: the controller's RAM, input port, output port and program status word. */
static void diagnostic_dump(struct i8042_state *s)
{
    for (unsigned i = 0; i < 16; i++)
        reply(s, s->ram[i], false);
    reply(s, INPUT_PORT, false);
    reply(s, s->output_port, false);
    reply(s, 0, false);
}

static uint8_t output_port(const struct i8042_state *s)
{
    uint8_t irqs = s->full ? (s->aux ? P2_IRQ12 : P2_IRQ1) : 0;
    return (uint8_t)((s->output_port & ~(P2_IRQ1 | P2_IRQ12)) | irqs);
}

/* Test inputs: the clock lines, low while a port is off. */
static uint8_t test_inputs(const struct i8042_state *s)
{
    return (uint8_t)(port_open(s, I8042_KEYBOARD) | port_open(s, I8042_AUX) << 1);
}

static void set_ram_bit(struct i8042_state *s, uint8_t bit, bool on)
{
    s->ram[0] = (uint8_t)(on ? s->ram[0] | bit : s->ram[0] & ~bit);
}

/* Commands that switch something; false: not one of them. */
static bool switch_command(struct i8042_state *s, uint8_t c)
{
    switch (c) {
    case CMD_AUX_OFF:
    case CMD_AUX_ON:
        set_ram_bit(s, CB_NO_AUX, c == CMD_AUX_OFF);
        return true;
    case CMD_KEYBOARD_OFF:
    case CMD_KEYBOARD_ON:
        set_ram_bit(s, CB_NO_KEYBOARD, c == CMD_KEYBOARD_OFF);
        return true;
    case 0xc1:
    case 0xc2:
        s->poll_input = c & 3;
        return true;
    case 0xdd:
    case 0xdf:
        s->output_port = (uint8_t)(c == 0xdf ? s->output_port | P2_A20 : s->output_port & ~P2_A20);
        return true;
    default:
        return false;
    }
}

/* Commands that answer at once; false: not one of them. */
static bool query_command(struct i8042_state *s, uint8_t c)
{
    switch (c) {
    case 0xa1: reply(s, 0x00, false); return true; /* firmware version */
    case 0xa4: reply(s, 0xf1, false); return true; /* no password installed */
    case 0xa9: reply(s, 0x00, false); return true; /* AUX interface test passed */
    case 0xaa: /* self-test passed */
        s->ram[0] |= CB_SYSTEM;
        reply(s, 0x55, false);
        return true;
    case 0xab: reply(s, 0x00, false); return true; /* keyboard interface test passed */
    case 0xac: diagnostic_dump(s); return true;
    case 0xc0: reply(s, INPUT_PORT, false); return true;
    case 0xd0: reply(s, output_port(s), false); return true;
    case 0xe0: reply(s, test_inputs(s), false); return true;
    default: return false;
    }
}

static void run_command(struct i8042 *x, uint8_t c)
{
    struct i8042_state *s = &x->st;
    s->last_was_command = 1;
    s->command = 0;
    s->poll_input = 0;
    if (c >= 0xf0) { /* a 0 in bits 3-0 pulses that output port bit low */
        if (!(c & 1))
            pulse_reset(x);
    } else if (c >= 0x20 && c < 0x40) {
        reply(s, s->ram[c & 31], false);
    } else if ((c >= 0x60 && c < 0x80) || (c >= CMD_WRITE_OUTPUT_PORT && c <= CMD_TO_AUX)) {
        s->command = c;
    } else if (!switch_command(s, c) && !query_command(s, c)) {
        log_guest(x->w.log, x->dev.id, "command %02x is not modelled", c);
    }
}

/* The data byte of a command, or a byte for the keyboard. */
static void take_data(struct i8042 *x, uint8_t value)
{
    struct i8042_state *s = &x->st;
    uint8_t c = s->command;
    s->last_was_command = 0;
    s->command = 0;
    if (c >= 0x60 && c < 0x80)
        s->ram[c & 31] = value;
    else if (c == CMD_WRITE_OUTPUT_PORT)
        s->output_port = value;
    else if (c == CMD_FAKE_KEYBOARD || c == CMD_FAKE_AUX)
        reply(s, value, c == CMD_FAKE_AUX);
    else
        send(x, c == CMD_TO_AUX ? I8042_AUX : I8042_KEYBOARD, value);
}

/* --- registers --- */

static uint8_t status(const struct i8042_state *s)
{
    uint8_t v = ST_UNLOCKED;
    if (s->full)
        v |= s->aux ? ST_FULL | ST_AUX : ST_FULL;
    if (s->ram[0] & CB_SYSTEM)
        v |= ST_SYSTEM;
    if (s->last_was_command)
        v |= ST_COMMAND;
    if (s->poll_input)
        v = (uint8_t)((v & 15) | (s->poll_input == 1 ? INPUT_PORT << 4 : INPUT_PORT & 0xf0));
    return v;
}

/* Reading empties the buffer; what was in it can be read again until the next byte comes. */
static uint8_t read_data(struct i8042 *x)
{
    struct i8042_state *s = &x->st;
    uint8_t value = s->output;
    s->full = 0;
    drive_irqs(x); /* down first: the next byte is an edge of its own */
    update(x, clock_now(x->w.clk));
    return value;
}

static uint32_t i8042_read(void *dev, uint32_t offset, enum access_size size)
{
    struct i8042 *x = dev;
    (void)size;
    return offset & 4 ? status(&x->st) : read_data(x);
}

static void i8042_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct i8042 *x = dev;
    (void)size;
    if (trace_on(x->w.log, TRACE_KBD))
        trace_line(x->w.log, TRACE_KBD, "%s: %s %02x", x->dev.id, offset & 4 ? "command" : "data",
                   value);
    if (offset & 4)
        run_command(x, (uint8_t)value);
    else
        take_data(x, (uint8_t)value);
    update(x, clock_now(x->w.clk));
}

const struct io_ops i8042_io = {i8042_read, i8042_write, ACCESS_8};

/* --- device --- */

/* Firmware always writes the command byte; until then the keyboard works as on an AT. */
static void i8042_reset(void *dev, enum reset_kind kind)
{
    struct i8042 *x = dev;
    uint8_t ready = x->st.ready; /* driven from outside */
    (void)kind;
    x->st = (struct i8042_state){
        .arrive_at = VTIME_NEVER, .ready = ready, .output_port = P2_RUN | P2_A20};
    x->st.ram[0] = CB_TRANSLATE | CB_NO_AUX | CB_IRQ1;
    update(x, clock_now(x->w.clk));
}

static enum emu_err i8042_post_load(void *dev, struct error *err)
{
    struct i8042 *x = dev;
    vtime now = clock_now(x->w.clk);
    if (x->st.arrive_at != VTIME_NEVER && x->st.arrive_at > now + FRAME_NS)
        return error_set(err, EMU_FORMAT, "%s: a byte arrives too far in the future", x->dev.id);
    update(x, now);
    return EMU_OK;
}

const struct device_class i8042_class = {
    .name = "i8042",
    .state = &i8042_state_desc,
    .state_offset = offsetof(struct i8042, st),
    .reset = i8042_reset,
    .post_load = i8042_post_load,
};

void i8042_init(struct i8042 *x, const char *id, struct i8042_wiring w)
{
    *x = (struct i8042){.dev = {.cls = &i8042_class, .id = id}, .w = w};
    timer_init(&x->timer, "i8042", fire, x);
    i8042_reset(x, RESET_POWER_ON);
}
