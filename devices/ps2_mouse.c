/*
 * PS/2 mouse: see ps2_mouse.h. Motion is gathered until the host has taken the last report and the
 * sample interval is over, so nothing is lost while the host is slow.
 *
 * NOT MODELLED: the self-test at power-on (the mouse is ready and silent at once; the reset command
 * does it), resolution (it is stored and reported, counts pass through), the overflow bits (what
 * does not fit into one report goes into the next).
 */
#include "devices/ps2_mouse.h"

#include <string.h>

enum {
    ACK = 0xfa, RESEND = 0xfe, BAT_OK = 0xaa,
    CMD_SCALE_1_1 = 0xe6, CMD_SCALE_2_1 = 0xe7, CMD_RESOLUTION = 0xe8, CMD_STATUS = 0xe9,
    CMD_STREAM = 0xea, CMD_READ = 0xeb, CMD_RESET_WRAP = 0xec, CMD_WRAP = 0xee, CMD_REMOTE = 0xf0,
    CMD_ID = 0xf2, CMD_RATE = 0xf3, CMD_ENABLE = 0xf4, CMD_DISABLE = 0xf5, CMD_DEFAULTS = 0xf6,
    CMD_RESEND = 0xfe, CMD_RESET = 0xff,
    MOUSE = 0, WHEEL = 3, EXPLORER = 4,
};

STATE_DESC(ps2_mouse_state_desc, struct ps2_mouse_state, 1,
           FIELD(struct ps2_mouse_state, report_at, "earliest time of the next report"),
           FIELD(struct ps2_mouse_state, bat_at, "end of the self-test"),
           FIELD(struct ps2_mouse_state, dx, "motion not reported yet"),
           FIELD(struct ps2_mouse_state, dy, "motion not reported yet"),
           FIELD(struct ps2_mouse_state, dz, "wheel not reported yet"),
           FIELD(struct ps2_mouse_state, queue, "bytes to send, oldest first"),
           FIELD_MAX(struct ps2_mouse_state, queued, PS2_MOUSE_QUEUE, "bytes in queue"),
           FIELD_MAX(struct ps2_mouse_state, buttons, 31, "buttons held"),
           FIELD_MAX(struct ps2_mouse_state, reported, 31, "buttons in the last report"),
           FIELD_MAX(struct ps2_mouse_state, id, 4, "0 mouse, 3 wheel, 4 explorer"),
           FIELD_MAX(struct ps2_mouse_state, enabled, 1, "reports in stream mode"),
           FIELD_MAX(struct ps2_mouse_state, remote, 1, "remote mode"),
           FIELD_MAX(struct ps2_mouse_state, wrap, 1, "echo mode"),
           FIELD_MAX(struct ps2_mouse_state, scaling, 1, "2:1 scaling"),
           FIELD_MAX(struct ps2_mouse_state, resolution, 3, "resolution"),
           FIELD(struct ps2_mouse_state, rate, "reports a second"),
           FIELD(struct ps2_mouse_state, knock, "the two rates set before"),
           FIELD(struct ps2_mouse_state, command, "command that waits for its parameter"),
           FIELD(struct ps2_mouse_state, last_sent, "for the resend command"),
           FIELD_MAX(struct ps2_mouse_state, reserved, 0, "zero"));

static void put(struct ps2_mouse_state *s, uint8_t byte)
{
    if (s->queued < PS2_MOUSE_QUEUE)
        s->queue[s->queued++] = byte;
}

/* --- reports --- */

static int32_t as_signed(uint32_t v)
{
    return v < 0x80000000u ? (int32_t)v : -(int32_t)~v - 1;
}

/* Takes what fits between low and high out of the gathered motion. */
static int32_t take(uint32_t *sum, int32_t low, int32_t high)
{
    int32_t v = as_signed(*sum);
    v = v < low ? low : v > high ? high : v;
    *sum -= (uint32_t)v;
    return v;
}

/* 2:1 scaling of stream mode: 0 1 1 3 6 9, then doubled ("Mouse", scaling). */
static int32_t scale(const struct ps2_mouse_state *s, int32_t v)
{
    static const uint8_t small[] = {0, 1, 1, 3, 6, 9};
    int32_t size = v < 0 ? -v : v;
    if (!s->scaling || s->remote)
        return v;
    size = size < 6 ? small[size] : 2 * size;
    return v < 0 ? -size : size;
}

static void put_report(struct ps2_mouse_state *s)
{
    int32_t limit = s->scaling && !s->remote ? 127 : 255;
    int32_t dx = scale(s, take(&s->dx, -limit, limit)), dy = scale(s, take(&s->dy, -limit, limit));
    put(s, (uint8_t)((s->buttons & 7) | 0x08 | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0)));
    put(s, (uint8_t)dx);
    put(s, (uint8_t)dy);
    if (s->id == EXPLORER)
        put(s, (uint8_t)((take(&s->dz, -8, 7) & 15) | (s->buttons >> 3 & 3) << 4));
    else if (s->id == WHEEL)
        put(s, (uint8_t)take(&s->dz, -8, 7));
    else
        s->dz = 0;
    s->reported = s->buttons;
}

static bool news(const struct ps2_mouse_state *s)
{
    return s->buttons != s->reported || s->dx || s->dy || (s->dz && s->id != MOUSE);
}

static bool wants_to_report(const struct ps2_mouse_state *s)
{
    return s->enabled && !s->remote && !s->wrap && s->bat_at == VTIME_NEVER && s->queued == 0 &&
           news(s);
}

static void drive(struct ps2_mouse *x)
{
    const struct ps2_mouse_state *s = &x->st;
    timer_arm(x->w.clk, &x->timer, wants_to_report(s) ? s->report_at : s->bat_at);
    irq_set(&x->w.ready, s->queued != 0);
}

static void update(struct ps2_mouse *x, vtime now)
{
    struct ps2_mouse_state *s = &x->st;
    if (wants_to_report(s) && s->report_at <= now) {
        put_report(s);
        s->report_at = now + NS_PER_SECOND / (s->rate ? s->rate : 100);
    }
    drive(x);
}

/* Adds to the gathered motion without running over. */
static void gather(uint32_t *sum, int64_t delta)
{
    int64_t v = as_signed(*sum) + delta;
    v = v < -1000000 ? -1000000 : v > 1000000 ? 1000000 : v;
    *sum = (uint32_t)(int32_t)v;
}

void ps2_mouse_move(struct ps2_mouse *x, int dx, int dy, int dz, unsigned buttons)
{
    struct ps2_mouse_state *s = &x->st;
    s->buttons = buttons & 31;
    if (s->enabled || s->remote) { /* a mouse that nobody listens to does not remember */
        gather(&s->dx, dx);
        gather(&s->dy, -(int64_t)dy);
        gather(&s->dz, -(int64_t)dz);
    }
    update(x, clock_now(x->w.clk));
}

/* --- commands --- */

static void forget_motion(struct ps2_mouse_state *s)
{
    s->dx = s->dy = s->dz = 0;
    s->reported = s->buttons;
}

static void set_defaults(struct ps2_mouse_state *s)
{
    s->enabled = 0;
    s->remote = 0;
    s->wrap = 0;
    s->scaling = 0;
    s->resolution = 2;
    s->rate = 100;
    forget_motion(s);
}

/* The knock: rates 200, 100, 80 give the wheel, 200, 200, 80 the five buttons. */
static void set_rate(struct ps2_mouse_state *s, uint8_t rate)
{
    if (s->knock[0] == 200 && s->knock[1] == 100 && rate == 80)
        s->id = WHEEL;
    if (s->knock[0] == 200 && s->knock[1] == 200 && rate == 80)
        s->id = EXPLORER;
    s->knock[0] = s->knock[1];
    s->knock[1] = rate;
    s->rate = rate;
}

static void take_parameter(struct ps2_mouse_state *s, uint8_t value)
{
    uint8_t command = s->command;
    s->command = 0;
    put(s, ACK);
    if (command == CMD_RATE)
        set_rate(s, value);
    else
        s->resolution = value & 3;
}

static void put_status(struct ps2_mouse_state *s)
{
    put(s, (uint8_t)(s->remote << 6 | s->enabled << 5 | s->scaling << 4 | (s->buttons & 1) << 2 |
                     (s->buttons >> 2 & 1) << 1 | (s->buttons >> 1 & 1)));
    put(s, s->resolution);
    put(s, s->rate);
}

static void reset_command(struct ps2_mouse *x)
{
    struct ps2_mouse_state *s = &x->st;
    set_defaults(s);
    s->id = MOUSE;
    s->knock[0] = s->knock[1] = 0;
    s->bat_at = clock_now(x->w.clk) + PS2_BAT_NS;
}

/* Commands that change the mode of reporting; false: not one of them. */
static bool mode_command(struct ps2_mouse_state *s, uint8_t value)
{
    switch (value) {
    case CMD_SCALE_1_1:
    case CMD_SCALE_2_1:
        s->scaling = value == CMD_SCALE_2_1;
        return true;
    case CMD_STREAM:
    case CMD_REMOTE:
        s->remote = value == CMD_REMOTE;
        forget_motion(s);
        return true;
    case CMD_WRAP:
    case CMD_RESET_WRAP:
        s->wrap = value == CMD_WRAP;
        return true;
    case CMD_ENABLE:
    case CMD_DISABLE:
        s->enabled = value == CMD_ENABLE;
        forget_motion(s);
        return true;
    case CMD_DEFAULTS:
        set_defaults(s);
        return true;
    default:
        return false;
    }
}

static void command(struct ps2_mouse *x, uint8_t value)
{
    struct ps2_mouse_state *s = &x->st;
    if (value == CMD_RESEND) {
        put(s, s->last_sent);
        return;
    }
    put(s, ACK);
    if (mode_command(s, value))
        return;
    switch (value) {
    case CMD_RESOLUTION:
    case CMD_RATE:
        s->command = value;
        break;
    case CMD_STATUS:
        put_status(s);
        break;
    case CMD_READ:
        put_report(s);
        break;
    case CMD_ID:
        put(s, s->id);
        break;
    case CMD_RESET:
        reset_command(x);
        break;
    default:
        s->queue[s->queued - 1] = RESEND; /* no command of a mouse */
    }
}

static void ps2_mouse_write(void *dev, uint8_t byte)
{
    struct ps2_mouse *x = dev;
    struct ps2_mouse_state *s = &x->st;
    if (trace_on(x->w.log, TRACE_KBD))
        trace_line(x->w.log, TRACE_KBD, "%s: command byte %02x", x->dev.id, byte);
    s->queued = 0; /* a byte from the host cuts a report or an answer off */
    if (s->command)
        take_parameter(s, byte);
    else if (s->wrap && byte != CMD_RESET_WRAP && byte != CMD_RESET)
        put(s, byte);
    else
        command(x, byte);
    update(x, clock_now(x->w.clk));
}

static uint8_t ps2_mouse_read(void *dev)
{
    struct ps2_mouse *x = dev;
    struct ps2_mouse_state *s = &x->st;
    if (s->queued == 0)
        return 0;
    s->last_sent = s->queue[0];
    s->queued--;
    memmove(s->queue, s->queue + 1, s->queued);
    update(x, clock_now(x->w.clk));
    return s->last_sent;
}

const struct ps2_ops ps2_mouse_ops = {ps2_mouse_write, ps2_mouse_read};

/* --- device --- */

static void fire(void *dev, vtime now)
{
    struct ps2_mouse *x = dev;
    struct ps2_mouse_state *s = &x->st;
    if (s->bat_at <= now) {
        s->bat_at = VTIME_NEVER;
        put(s, BAT_OK);
        put(s, s->id);
    }
    update(x, now);
}

static void ps2_mouse_reset(void *dev, enum reset_kind kind)
{
    struct ps2_mouse *x = dev;
    uint8_t buttons = kind == RESET_HARD ? x->st.buttons : 0; /* fingers stay where they are */
    x->st = (struct ps2_mouse_state){.bat_at = VTIME_NEVER, .buttons = buttons};
    set_defaults(&x->st);
    update(x, clock_now(x->w.clk));
}

static enum emu_err ps2_mouse_post_load(void *dev, struct error *err)
{
    struct ps2_mouse *x = dev;
    struct ps2_mouse_state *s = &x->st;
    vtime limit = clock_now(x->w.clk) + 2 * NS_PER_SECOND;
    if ((s->bat_at != VTIME_NEVER && s->bat_at > limit) || s->report_at > limit)
        return error_set(err, EMU_FORMAT, "%s: a time lies too far in the future", x->dev.id);
    drive(x);
    return EMU_OK;
}

const struct device_class ps2_mouse_class = {
    .name = "ps2_mouse",
    .state = &ps2_mouse_state_desc,
    .state_offset = offsetof(struct ps2_mouse, st),
    .reset = ps2_mouse_reset,
    .post_load = ps2_mouse_post_load,
};

void ps2_mouse_init(struct ps2_mouse *x, const char *id, struct ps2_mouse_wiring w)
{
    *x = (struct ps2_mouse){.dev = {.cls = &ps2_mouse_class, .id = id}, .w = w};
    timer_init(&x->timer, "ps2_mouse", fire, x);
    ps2_mouse_reset(x, RESET_POWER_ON);
}
