/*
 * PS/2 keyboard: see ps2_kbd.h.
 *
 * NOT MODELLED: the self-test at power-on (the keyboard is ready and silent at once; the reset
 * command does it), keyboards other than the 101/102-key one (ID AB 83), simulated bus time of
 * commands.
 */
#include "devices/ps2_kbd.h"

#include <string.h>

#include "devices/ps2_keys.h"

enum {
    ACK = 0xfa, RESEND = 0xfe, ECHO = 0xee, BAT_OK = 0xaa,
    OVERRUN_SET1 = 0xff, OVERRUN = 0x00,
    CMD_LEDS = 0xed, CMD_ECHO = 0xee, CMD_SET = 0xf0, CMD_ID = 0xf2, CMD_TYPEMATIC = 0xf3,
    CMD_ENABLE = 0xf4, CMD_DISABLE = 0xf5, CMD_DEFAULTS = 0xf6, CMD_ALL_REPEAT = 0xf7,
    CMD_ALL_MAKE_BREAK = 0xf8, CMD_ALL_MAKE = 0xf9, CMD_ALL_FULL = 0xfa, CMD_KEY_REPEAT = 0xfb,
    CMD_KEY_MAKE_BREAK = 0xfc, CMD_KEY_MAKE = 0xfd, CMD_RESEND = 0xfe, CMD_RESET = 0xff,
    TYPEMATIC_DEFAULT = 0x2b, /* 500 ms, 10.9 a second */
};

STATE_DESC(ps2_kbd_state_desc, struct ps2_kbd_state, 1,
           FIELD(struct ps2_kbd_state, repeat_at, "time of the next typematic code"),
           FIELD(struct ps2_kbd_state, bat_at, "end of the self-test"),
           FIELD(struct ps2_kbd_state, buffer, "scan codes, oldest first"),
           FIELD(struct ps2_kbd_state, reply, "answers to commands, oldest first"),
           FIELD(struct ps2_kbd_state, down, "keys held, by HID usage"),
           FIELD(struct ps2_kbd_state, no_break, "set 3 keys without break code"),
           FIELD(struct ps2_kbd_state, no_repeat, "set 3 keys without repeat"),
           FIELD_MAX(struct ps2_kbd_state, buffered, PS2_KBD_BUFFER, "bytes in buffer"),
           FIELD_MAX(struct ps2_kbd_state, replies, PS2_KBD_REPLIES, "bytes in reply"),
           FIELD_MAX(struct ps2_kbd_state, set, 3, "scan code set"),
           FIELD_MAX(struct ps2_kbd_state, enabled, 1, "keys are scanned"),
           FIELD_MAX(struct ps2_kbd_state, leds, 7, "Scroll, Num, Caps"),
           FIELD_MAX(struct ps2_kbd_state, typematic, 127, "delay and rate"),
           FIELD(struct ps2_kbd_state, command, "command that waits for its parameter"),
           FIELD(struct ps2_kbd_state, last_sent, "for the resend command"),
           FIELD(struct ps2_kbd_state, repeat_key, "HID usage of the repeating key"),
           FIELD_MAX(struct ps2_kbd_state, print_form, PS2_KEY_SYSRQ, "Print Screen went down as"),
           FIELD_MAX(struct ps2_kbd_state, reserved, 0, "zero"));

static bool get_bit(const uint8_t *map, unsigned n)
{
    return map[n >> 3] >> (n & 7) & 1;
}

static void put_bit(uint8_t *map, unsigned n, bool v)
{
    uint8_t bit = (uint8_t)(1u << (n & 7));
    map[n >> 3] = (uint8_t)((map[n >> 3] & ~bit) | (v ? bit : 0));
}

static void update(struct ps2_kbd *x)
{
    const struct ps2_kbd_state *s = &x->st;
    timer_arm(x->w.clk, &x->timer, s->repeat_at < s->bat_at ? s->repeat_at : s->bat_at);
    irq_set(&x->w.ready, s->replies || s->buffered);
}

static void reply(struct ps2_kbd_state *s, uint8_t byte)
{
    if (s->replies < PS2_KBD_REPLIES)
        s->reply[s->replies++] = byte;
}

/* --- keys --- */

static enum ps2_key_form form_of(const struct ps2_kbd_state *s, uint8_t hid)
{
    bool ctrl = get_bit(s->down, HID_LEFT_CTRL) || get_bit(s->down, HID_RIGHT_CTRL);
    bool shift = get_bit(s->down, HID_LEFT_SHIFT) || get_bit(s->down, HID_RIGHT_SHIFT);
    bool alt = get_bit(s->down, HID_LEFT_ALT) || get_bit(s->down, HID_RIGHT_ALT);
    if (hid == HID_PAUSE)
        return ctrl ? PS2_KEY_SHIFTED : PS2_KEY_PLAIN;
    if (alt)
        return PS2_KEY_SYSRQ;
    return ctrl || shift ? PS2_KEY_SHIFTED : PS2_KEY_PLAIN;
}

/* Puts the whole sequence into the buffer, or the overrun mark into its last place. */
static void send_key(struct ps2_kbd_state *s, uint8_t hid, bool down)
{
    uint8_t bytes[PS2_KEY_BYTES];
    enum ps2_key_form form = form_of(s, hid);
    if (hid == HID_PRINT_SCREEN && down)
        s->print_form = (uint8_t)form;
    else if (hid == HID_PRINT_SCREEN)
        form = (enum ps2_key_form)s->print_form;
    unsigned n = ps2_key_bytes(hid, s->set, down, form, bytes);
    if (s->buffered + n < PS2_KBD_BUFFER) {
        memcpy(s->buffer + s->buffered, bytes, n);
        s->buffered = (uint8_t)(s->buffered + n);
    } else if (s->buffered < PS2_KBD_BUFFER) {
        s->buffered = PS2_KBD_BUFFER;
        memset(s->buffer + PS2_KBD_BUFFER - 1, s->set == 1 ? OVERRUN_SET1 : OVERRUN, 1);
    }
}

/* Delay before the first repeat: 250 ms times 1 to 4. */
static vtime repeat_delay(const struct ps2_kbd_state *s)
{
    return ((s->typematic >> 5 & 3) + 1u) * 250000000ull;
}

/* Repeat period: (8 + A) * 2^B * 4.17 ms, A bits 2-0, B bits 4-3. */
static vtime repeat_period(const struct ps2_kbd_state *s)
{
    return ((8u + (s->typematic & 7)) << (s->typematic >> 3 & 3)) * 4170000ull;
}

static bool wants_break(const struct ps2_kbd_state *s, uint8_t hid)
{
    return s->set != 3 || !get_bit(s->no_break, ps2_key_set3(hid));
}

static bool wants_repeat(const struct ps2_kbd_state *s, uint8_t hid)
{
    if (s->set == 3)
        return !get_bit(s->no_repeat, ps2_key_set3(hid));
    return ps2_key_repeats(hid);
}

static void key_down(struct ps2_kbd_state *s, uint8_t hid, vtime now)
{
    send_key(s, hid, true);
    s->repeat_key = hid;
    s->repeat_at = wants_repeat(s, hid) ? now + repeat_delay(s) : VTIME_NEVER;
}

static void key_up(struct ps2_kbd_state *s, uint8_t hid)
{
    if (wants_break(s, hid))
        send_key(s, hid, false);
    if (s->repeat_key == hid)
        s->repeat_at = VTIME_NEVER;
}

void ps2_kbd_key(struct ps2_kbd *x, uint8_t hid, bool down)
{
    struct ps2_kbd_state *s = &x->st;
    if (get_bit(s->down, hid) == down)
        return;
    if (trace_on(x->w.log, TRACE_KBD))
        trace_line(x->w.log, TRACE_KBD, "%s: key %02x %s", x->dev.id, hid, down ? "down" : "up");
    put_bit(s->down, hid, down);
    if (s->enabled && s->bat_at == VTIME_NEVER) {
        if (down)
            key_down(s, hid, clock_now(x->w.clk));
        else
            key_up(s, hid);
    }
    update(x);
}

/* A repeat waits for the host to have taken the codes before it. */
static void repeat(struct ps2_kbd_state *s, vtime now)
{
    vtime period = repeat_period(s);
    if (s->buffered == 0)
        send_key(s, s->repeat_key, true);
    s->repeat_at += period * ((now - s->repeat_at) / period + 1);
}

/* --- commands --- */

/* Set 3 as the keyboard wakes up: modifiers make and break, right Ctrl and Alt, locks, editing and
 * function keys make only, the rest repeats without break ("Scan code set 3, key types"). */
static void default_key_types(struct ps2_kbd_state *s)
{
    static const uint8_t make_break[] = {0x11, 0x12, 0x14, 0x19, 0x59};
    static const uint8_t make_only[] = {0x39, 0x58, 0x76, 0x5f, 0x62, 0x57, 0x67, 0x6e, 0x6f, 0x65,
                                        0x6d, 0x08, 0x77, 0x7e, 0x79, 0x07, 0x0f, 0x17, 0x1f, 0x27,
                                        0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x56, 0x5e};
    memset(s->no_break, 0xff, sizeof(s->no_break));
    memset(s->no_repeat, 0, sizeof(s->no_repeat));
    for (unsigned i = 0; i < sizeof(make_break); i++) {
        put_bit(s->no_break, make_break[i], false);
        put_bit(s->no_repeat, make_break[i], true);
    }
    for (unsigned i = 0; i < sizeof(make_only); i++)
        put_bit(s->no_repeat, make_only[i], true);
}

static void set_defaults(struct ps2_kbd_state *s)
{
    s->buffered = 0;
    s->typematic = TYPEMATIC_DEFAULT;
    s->repeat_at = VTIME_NEVER;
    s->set = 2;
    default_key_types(s);
}

static void all_key_types(struct ps2_kbd_state *s, bool no_break, bool no_repeat)
{
    memset(s->no_break, no_break ? 0xff : 0, sizeof(s->no_break));
    memset(s->no_repeat, no_repeat ? 0xff : 0, sizeof(s->no_repeat));
}

static void set_leds(struct ps2_kbd *x, uint8_t leds)
{
    x->st.leds = leds;
    if (x->w.leds)
        x->w.leds(x->w.arg, leds);
}

/* The second byte of a command; false: the command does not take it. */
static bool take_parameter(struct ps2_kbd *x, uint8_t value)
{
    struct ps2_kbd_state *s = &x->st;
    uint8_t command = s->command;
    s->command = 0;
    if (value >= CMD_LEDS) /* a new command in its place */
        return false;
    switch (command) {
    case CMD_LEDS:
        set_leds(x, value & 7);
        break;
    case CMD_TYPEMATIC:
        s->typematic = value & 0x7f;
        break;
    case CMD_SET:
        if (value > 3)
            return false;
        if (value) {
            s->set = value;
            s->buffered = 0;
        }
        break;
    default: /* CMD_KEY_*: types of a single key of set 3 */
        put_bit(s->no_break, value, command != CMD_KEY_MAKE_BREAK);
        put_bit(s->no_repeat, value, command != CMD_KEY_REPEAT);
    }
    reply(s, ACK);
    if (command == CMD_SET && value == 0)
        reply(s, s->set);
    return true;
}

static void reset_command(struct ps2_kbd *x)
{
    struct ps2_kbd_state *s = &x->st;
    set_defaults(s);
    set_leds(x, 0);
    s->bat_at = clock_now(x->w.clk) + PS2_BAT_NS;
}

/* A command whose first answer is ACK. */
static void run_acknowledged(struct ps2_kbd *x, uint8_t value)
{
    struct ps2_kbd_state *s = &x->st;
    reply(s, ACK);
    switch (value) {
    case CMD_ID:
        reply(s, 0xab);
        reply(s, 0x83);
        break;
    case CMD_ENABLE:
        s->buffered = 0;
        s->enabled = 1;
        break;
    case CMD_DISABLE:
        set_defaults(s);
        s->enabled = 0;
        break;
    case CMD_DEFAULTS:
        set_defaults(s);
        break;
    case CMD_ALL_REPEAT:
    case CMD_ALL_MAKE_BREAK:
    case CMD_ALL_MAKE:
    case CMD_ALL_FULL:
        all_key_types(s, value == CMD_ALL_REPEAT || value == CMD_ALL_MAKE,
                      value == CMD_ALL_MAKE_BREAK || value == CMD_ALL_MAKE);
        break;
    case CMD_RESET:
        reset_command(x);
        break;
    default: /* with a parameter */
        s->command = value;
    }
}

static void command(struct ps2_kbd *x, uint8_t value)
{
    struct ps2_kbd_state *s = &x->st;
    if (value == CMD_ECHO)
        reply(s, ECHO);
    else if (value == CMD_RESEND)
        reply(s, s->last_sent);
    else if (value < CMD_LEDS || value == 0xef || value == 0xf1)
        reply(s, RESEND);
    else
        run_acknowledged(x, value);
}

static void ps2_kbd_write(void *dev, uint8_t byte)
{
    struct ps2_kbd *x = dev;
    struct ps2_kbd_state *s = &x->st;
    if (trace_on(x->w.log, TRACE_KBD))
        trace_line(x->w.log, TRACE_KBD, "%s: command byte %02x", x->dev.id, byte);
    s->replies = 0; /* a byte from the host cuts an answer off */
    if (!s->command || !take_parameter(x, byte))
        command(x, byte);
    update(x);
}

static uint8_t shift(uint8_t *bytes, uint8_t *count)
{
    uint8_t first = bytes[0];
    (*count)--;
    memmove(bytes, bytes + 1, *count);
    return first;
}

static uint8_t ps2_kbd_read(void *dev)
{
    struct ps2_kbd *x = dev;
    struct ps2_kbd_state *s = &x->st;
    if (s->replies)
        s->last_sent = shift(s->reply, &s->replies);
    else if (s->buffered)
        s->last_sent = shift(s->buffer, &s->buffered);
    else
        return 0;
    update(x);
    return s->last_sent;
}

const struct ps2_ops ps2_kbd_ops = {ps2_kbd_write, ps2_kbd_read};

uint8_t ps2_kbd_leds(const struct ps2_kbd *x)
{
    return x->st.leds;
}

/* --- device --- */

static void fire(void *dev, vtime now)
{
    struct ps2_kbd *x = dev;
    struct ps2_kbd_state *s = &x->st;
    if (s->bat_at <= now) {
        s->bat_at = VTIME_NEVER;
        s->enabled = 1;
        reply(s, BAT_OK);
    }
    if (s->repeat_at <= now)
        repeat(s, now);
    update(x);
}

/* The keyboard has no reset line: a reset of the machine reaches it by command FF. Ours wakes up
 * with the machine, for guests that expect a fresh one; keys held stay held. */
static void ps2_kbd_reset(void *dev, enum reset_kind kind)
{
    struct ps2_kbd *x = dev;
    struct ps2_kbd_state *s = &x->st, old = *s;
    *s = (struct ps2_kbd_state){.bat_at = VTIME_NEVER, .enabled = 1};
    if (kind == RESET_HARD)
        memcpy(s->down, old.down, sizeof(s->down));
    set_defaults(s);
    set_leds(x, 0);
    update(x);
}

static enum emu_err ps2_kbd_post_load(void *dev, struct error *err)
{
    struct ps2_kbd *x = dev;
    struct ps2_kbd_state *s = &x->st;
    vtime limit = clock_now(x->w.clk) + 2 * NS_PER_SECOND;
    if (s->set == 0)
        return error_set(err, EMU_FORMAT, "%s: there is no scan code set 0", x->dev.id);
    if ((s->bat_at != VTIME_NEVER && s->bat_at > limit) ||
        (s->repeat_at != VTIME_NEVER && s->repeat_at > limit))
        return error_set(err, EMU_FORMAT, "%s: a time lies too far in the future", x->dev.id);
    set_leds(x, s->leds);
    update(x);
    return EMU_OK;
}

const struct device_class ps2_kbd_class = {
    .name = "ps2_kbd",
    .state = &ps2_kbd_state_desc,
    .state_offset = offsetof(struct ps2_kbd, st),
    .reset = ps2_kbd_reset,
    .post_load = ps2_kbd_post_load,
};

void ps2_kbd_init(struct ps2_kbd *x, const char *id, struct ps2_kbd_wiring w)
{
    *x = (struct ps2_kbd){.dev = {.cls = &ps2_kbd_class, .id = id}, .w = w};
    timer_init(&x->timer, "ps2_kbd", fire, x);
    ps2_kbd_reset(x, RESET_POWER_ON);
}
