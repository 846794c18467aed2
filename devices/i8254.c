/*
 * Intel 8254: see i8254.h. "p.N" cites data sheet 231164-005.
 *
 * Nothing counts: a counter is the CLK pulse that loaded it and a count, and its contents and OUT
 * are functions of the number of the present pulse. Pulse n comes at ticks_to_vtime(n), so a
 * periodic counter stays exact for ever. A write takes effect with the pulse after it (p.7: counts
 * are loaded and counters decremented on the falling edge of CLK).
 *
 * NOT MODELLED: a gate that falls and rises between two pulses outside modes 1, 2, 3 and 5 (which
 * latch the edge), and what a count of 1 does in modes 2 and 3, where it is illegal (OUT stays
 * high).
 */
#include "devices/i8254.h"

enum i8254_phase {
    IDLE,    /* a mode, but no count (or no trigger) yet */
    RUNNING,
    HELD,    /* the gate stopped it */
};

STATE_DESC(i8254_channel_desc, struct i8254_channel, 1,
           FIELD(struct i8254_channel, start, "CLK pulse that loads the count"),
           FIELD(struct i8254_channel, next_start, "CLK pulse that loads next_count"),
           FIELD(struct i8254_channel, held, "pulses counted before the gate fell"),
           FIELD(struct i8254_channel, shown_at, "CLK pulse up to which OUT was driven"),
           FIELD_MAX(struct i8254_channel, count, 65536, "initial count"),
           FIELD_MAX(struct i8254_channel, next_count, 65536, "count to be loaded next"),
           FIELD(struct i8254_channel, before, "counter contents before start"),
           FIELD(struct i8254_channel, latch, "counter latch"),
           FIELD_MAX(struct i8254_channel, phase, HELD, "idle, running, held by the gate"),
           FIELD_MAX(struct i8254_channel, mode, 5, "p.5, control word M2-M0"),
           FIELD_MAX(struct i8254_channel, bcd, 1, "counts in BCD"),
           FIELD_MAX(struct i8254_channel, rw, 3, "bytes that are read and written"),
           FIELD_MAX(struct i8254_channel, pending, 1, "next_count waits"),
           FIELD_MAX(struct i8254_channel, out_before, 1, "OUT before start"),
           FIELD_MAX(struct i8254_channel, gate, 1, "GATE input"),
           FIELD_MAX(struct i8254_channel, write_high, 1, "next write is the high byte"),
           FIELD(struct i8254_channel, write_low, "low byte written"),
           FIELD_MAX(struct i8254_channel, read_high, 1, "next read is the high byte"),
           FIELD_MAX(struct i8254_channel, latched, 1, "counter latch is full"),
           FIELD(struct i8254_channel, status, "status latch"),
           FIELD_MAX(struct i8254_channel, status_latched, 1, "status latch is full"),
           FIELD_MAX(struct i8254_channel, shown, 1, "level driven on OUT"),
           FIELD_MAX(struct i8254_channel, reserved, 0, "zero"));

STATE_DESC(i8254_state_desc, struct i8254_state, 1,
           FIELD_STRUCT(struct i8254_state, channel, struct i8254_channel, i8254_channel_desc,
                        "the three counters"));

/* --- a counter as a function of the pulse number --- */

static bool periodic(const struct i8254_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

/* Mode 3: pulses of a period with OUT high; an odd count gives the extra one to high (p.10). */
static uint32_t high_pulses(const struct i8254_channel *c)
{
    return c->mode == 3 ? (c->count + 1) / 2 : c->count - 1;
}

/* Place in the period. Mode 3 may start with the low half, when a new count was loaded there. */
static uint32_t place(const struct i8254_channel *c, uint64_t t)
{
    uint64_t first = c->mode == 3 && !c->out_before ? high_pulses(c) : 0;
    return (uint32_t)((t - c->start + first) % c->count);
}

static bool illegal_one(const struct i8254_channel *c)
{
    return periodic(c) && c->count == 1;
}

/* OUT of a running counter at pulse t >= start. */
static bool running_out(const struct i8254_channel *c, uint64_t t)
{
    uint64_t elapsed = t - c->start;
    switch (c->mode) {
    case 0:
    case 1:
        return elapsed >= c->count;
    case 2:
    case 3:
        return illegal_one(c) || place(c, t) < high_pulses(c);
    default:
        return elapsed != c->count; /* one low pulse when it reaches zero */
    }
}

static bool out_at(const struct i8254_channel *c, uint64_t t)
{
    if (c->phase == HELD)
        return c->mode == 0 ? c->held >= c->count : true;
    if (c->phase == IDLE)
        return c->out_before;
    if (t >= c->start)
        return running_out(c, t);
    return periodic(c) || c->out_before;
}

/* The first of a few candidate pulses after t. */
static uint64_t first_after(uint64_t t, const uint64_t *candidate, unsigned n)
{
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < n; i++) {
        if (candidate[i] > t && candidate[i] < best)
            best = candidate[i];
    }
    return best;
}

/* The next pulse after t at which OUT may change, UINT64_MAX: never as things are. */
static uint64_t next_transition(const struct i8254_channel *c, uint64_t t)
{
    if (c->phase != RUNNING)
        return UINT64_MAX;
    if (periodic(c) && t >= c->start) {
        uint32_t at = place(c, t), high = high_pulses(c);
        if (c->pending && c->next_start != UINT64_MAX && c->next_start <= t)
            return t + 1;
        return illegal_one(c) ? (c->pending ? c->next_start : UINT64_MAX)
                              : t + (at < high ? high - at : c->count - at);
    }
    uint64_t zero = c->start + c->count;
    const uint64_t candidate[] = {c->start, zero, zero + 1};
    return first_after(t, candidate, c->mode < 2 ? 2 : 3);
}

static uint16_t to_bcd(uint32_t v)
{
    return (uint16_t)(v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12);
}

static uint32_t from_bcd(uint16_t v)
{
    return (v & 15) + (v >> 4 & 15) * 10u + (v >> 8 & 15) * 100u + (v >> 12) * 1000u;
}

/* Mode 3 counts down by twos, from count - 1 where the count is odd (p.10). */
static uint32_t square_contents(const struct i8254_channel *c, uint64_t t)
{
    uint32_t at = place(c, t), high = high_pulses(c);
    uint32_t in_half = at < high ? at : at - high;
    return (c->count & ~1u) - 2 * in_half;
}

/* Contents of the counting element, in the form in which they are read. */
static uint16_t contents_at(const struct i8254_channel *c, uint64_t t)
{
    uint32_t wrap = c->bcd ? 10000 : 65536, value;
    if (c->phase == IDLE || (c->phase == RUNNING && t < c->start))
        return c->before;
    uint64_t elapsed = c->phase == HELD ? c->held : t - c->start;
    if (c->phase == RUNNING && c->mode == 3)
        value = square_contents(c, t);
    else if (c->phase == RUNNING && c->mode == 2)
        value = c->count - place(c, t);
    else /* runs on past zero */
        value = (c->count % wrap + wrap - (uint32_t)(elapsed % wrap)) % wrap;
    return c->bcd ? to_bcd(value) : (uint16_t)value;
}

/* --- keeping up with time --- */

static uint64_t pulse_now(const struct i8254 *x)
{
    return vtime_to_ticks(clock_now(x->w.clk), I8254_HZ);
}

/* A new count of modes 2 and 3 that has come into force by pulse t becomes the running one. */
static void settle(struct i8254_channel *c, uint64_t t)
{
    if (!c->pending || c->next_start > t)
        return;
    if (c->mode == 3)
        c->out_before = running_out(c, c->next_start); /* the half that begins there */
    c->start = c->next_start;
    c->count = c->next_count;
    c->pending = 0;
}

/* Whether OUT left the level `shown` after pulse `from`, up to pulse t. */
static bool left_level(const struct i8254_channel *c, uint64_t from, uint64_t t)
{
    for (unsigned i = 0; i < 4; i++) { /* more candidates than that never go by without a change */
        from = next_transition(c, from);
        if (from > t)
            return false;
        if (out_at(c, from) != c->shown)
            return true;
    }
    return false;
}

/* Brings the OUT pin up to pulse t. A pulse that began and ended since is still shown as two
 * edges, however late the timer came. */
static void show(struct i8254 *x, unsigned channel, uint64_t t)
{
    struct i8254_channel *c = &x->st.channel[channel];
    const struct irq_line *line = &x->w.out[channel];
    uint64_t until = c->pending && c->next_start < t ? c->next_start : t;
    bool left = left_level(c, c->shown_at, until);
    settle(c, t);
    bool level = out_at(c, t);
    if (level == c->shown && (left || left_level(c, until, t)))
        irq_set(line, !level);
    c->shown = level;
    c->shown_at = t;
    irq_set(line, level);
}

static void arm(struct i8254 *x)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < 3; i++) {
        const struct i8254_channel *c = &x->st.channel[i];
        uint64_t n = x->w.out[i].set ? next_transition(c, c->shown_at) : UINT64_MAX;
        if (n < next)
            next = n;
    }
    timer_arm(x->w.clk, &x->timer,
              next == UINT64_MAX ? VTIME_NEVER : ticks_to_vtime(next, I8254_HZ));
}

static void update(struct i8254 *x, uint64_t t)
{
    for (unsigned i = 0; i < 3; i++)
        show(x, i, t);
    arm(x);
}

static void fire(void *dev, vtime now)
{
    struct i8254 *x = dev;
    update(x, vtime_to_ticks(now, I8254_HZ));
}

/* --- counts and gates --- */

static uint32_t effective_count(const struct i8254_channel *c, uint16_t written)
{
    uint32_t n = c->bcd ? from_bcd(written) : written;
    if (n == 0)
        return c->bcd ? 10000 : 65536; /* zero is the largest count (p.9) */
    return n;
}

/* From pulse t + 1 on the counter counts from `count`. */
static void load(struct i8254_channel *c, uint64_t t, uint32_t count, bool out_before)
{
    c->before = contents_at(c, t);
    c->out_before = out_before;
    c->count = count;
    c->start = t + 1;
    c->pending = 0;
    c->held = 0;
    c->phase = RUNNING;
}

/* Where a running counter of mode 2 or 3 takes up a new count: at the end of the period, or of the
 * half period (p.9, p.10). */
static uint64_t reload_pulse(const struct i8254_channel *c, uint64_t t)
{
    if (t < c->start)
        return c->start;
    if (illegal_one(c))
        return t + 1;
    uint32_t at = place(c, t), high = high_pulses(c);
    return t + (c->mode == 3 && at < high ? high - at : c->count - at);
}

static void wait_for(struct i8254_channel *c, uint32_t count, uint64_t at)
{
    c->next_count = count;
    c->next_start = at;
    c->pending = 1;
}

/* The count register is full. */
static void count_written(struct i8254_channel *c, uint64_t t, uint16_t written)
{
    uint32_t count = effective_count(c, written);
    switch (c->mode) {
    case 0:
    case 4:
        load(c, t, count, c->mode == 4);
        if (!c->gate)
            c->phase = HELD;
        break;
    case 2:
    case 3:
        if (c->phase == RUNNING && t >= c->start)
            wait_for(c, count, reload_pulse(c, t));
        else if (c->gate)
            load(c, t, count, true);
        else
            wait_for(c, count, UINT64_MAX);
        break;
    default: /* 1 and 5 wait for the trigger */
        wait_for(c, count, UINT64_MAX);
    }
}

static void gate_rose(struct i8254_channel *c, uint64_t t)
{
    switch (c->mode) {
    case 0:
    case 4:
        if (c->phase == HELD) {
            c->before = contents_at(c, t);
            c->start = t - (c->held < t ? c->held : t);
            c->phase = RUNNING;
        }
        break;
    default: /* a trigger: load with the next pulse (p.8-11) */
        if (c->phase == IDLE && !c->pending)
            break;
        load(c, t, c->pending ? c->next_count : c->count, periodic(c) || out_at(c, t));
    }
}

static void gate_fell(struct i8254_channel *c, uint64_t t)
{
    if (c->phase != RUNNING || c->mode == 1 || c->mode == 5)
        return;
    c->before = contents_at(c, t);
    c->held = t > c->start ? t - c->start : 0;
    if (periodic(c)) {
        c->phase = IDLE; /* OUT high at once; contents stay until the trigger (p.9) */
        c->out_before = 1;
        if (!c->pending)
            c->next_count = c->count;
        c->next_start = UINT64_MAX;
        c->pending = 1;
    } else {
        c->phase = HELD;
    }
}

void i8254_set_gate(struct i8254 *x, unsigned channel, bool level)
{
    struct i8254_channel *c = &x->st.channel[channel];
    uint64_t t = pulse_now(x);
    if (c->gate == level)
        return;
    update(x, t);
    c->gate = level;
    if (level)
        gate_rose(c, t);
    else
        gate_fell(c, t);
    update(x, t);
}

static void set_gate(void *sink, unsigned channel, bool level)
{
    i8254_set_gate(sink, channel, level);
}

struct irq_line i8254_gate(struct i8254 *x, unsigned channel)
{
    return (struct irq_line){set_gate, x, channel % 3};
}

bool i8254_out(struct i8254 *x, unsigned channel)
{
    struct i8254_channel *c = &x->st.channel[channel];
    uint64_t t = pulse_now(x);
    settle(c, t);
    return out_at(c, t);
}

/* --- registers --- */

/* No count of the present one is in the counting element yet (p.8, null count). */
static bool null_count(const struct i8254_channel *c, uint64_t t)
{
    return c->pending || c->phase == IDLE || (c->phase == RUNNING && t < c->start);
}

static void latch_count(struct i8254_channel *c, uint64_t t)
{
    if (c->latched)
        return; /* held until it is read (p.7) */
    c->latch = contents_at(c, t);
    c->latched = 1;
}

static void latch_status(struct i8254_channel *c, uint64_t t)
{
    if (c->status_latched)
        return;
    c->status = (uint8_t)(out_at(c, t) << 7 | null_count(c, t) << 6 | c->rw << 4 | c->mode << 1 |
                          c->bcd);
    c->status_latched = 1;
}

/* Read-back command: 11 COUNT# STATUS# CNT2 CNT1 CNT0 0 (p.7). */
static void read_back(struct i8254 *x, uint64_t t, uint8_t value)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!(value >> (i + 1) & 1))
            continue;
        if (!(value & 0x20))
            latch_count(&x->st.channel[i], t);
        if (!(value & 0x10))
            latch_status(&x->st.channel[i], t);
    }
}

/* A control word puts the counter's logic into its initial state (p.5). */
static void set_mode(struct i8254_channel *c, uint64_t t, uint8_t value)
{
    uint8_t mode = value >> 1 & 7;
    uint16_t contents = contents_at(c, t);
    *c = (struct i8254_channel){
        .shown = c->shown,
        .shown_at = c->shown_at,
        .gate = c->gate,
        .count = 1,
        .before = contents,
        .mode = mode > 5 ? mode - 4 : mode, /* M2 is "don't care" for modes 2 and 3 */
        .bcd = value & 1,
        .rw = value >> 4 & 3,
        .phase = IDLE,
    };
    c->out_before = c->mode != 0;
}

static void write_control(struct i8254 *x, uint64_t t, uint8_t value)
{
    unsigned channel = value >> 6;
    if (trace_on(x->w.log, TRACE_PIT))
        trace_line(x->w.log, TRACE_PIT, "%s: control word %02x", x->dev.id, value);
    if (channel == 3)
        read_back(x, t, value);
    else if ((value & 0x30) == 0)
        latch_count(&x->st.channel[channel], t);
    else
        set_mode(&x->st.channel[channel], t, value);
}

static void write_count(struct i8254 *x, unsigned channel, uint64_t t, uint8_t value)
{
    struct i8254_channel *c = &x->st.channel[channel];
    uint16_t count = value;
    if (c->rw == 2) {
        count = (uint16_t)(value << 8);
    } else if (c->rw == 3 && !c->write_high) {
        c->write_low = value;
        c->write_high = 1;
        if (c->mode == 0) { /* the first byte stops counting, OUT goes low at once (p.8) */
            c->before = contents_at(c, t);
            c->phase = IDLE;
            c->out_before = 0;
        }
        return;
    } else if (c->rw == 3) {
        c->write_high = 0;
        count = (uint16_t)(value << 8 | c->write_low);
    }
    if (trace_on(x->w.log, TRACE_PIT))
        trace_line(x->w.log, TRACE_PIT, "%s: counter %u mode %u count %04x", x->dev.id, channel,
                   c->mode, count);
    count_written(c, t, count);
}

static void i8254_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct i8254 *x = dev;
    uint64_t t = pulse_now(x);
    (void)size;
    update(x, t);
    if ((offset & 3) == 3)
        write_control(x, t, (uint8_t)value);
    else
        write_count(x, offset & 3, t, (uint8_t)value);
    update(x, t);
}

static uint8_t read_count(struct i8254_channel *c, uint64_t t)
{
    uint16_t value = c->latched ? c->latch : contents_at(c, t);
    bool high = c->rw == 2 || (c->rw == 3 && c->read_high);
    if (c->rw == 3)
        c->read_high ^= 1;
    if (high || c->rw != 3)
        c->latched = 0;
    return (uint8_t)(high ? value >> 8 : value);
}

static uint32_t i8254_read(void *dev, uint32_t offset, enum access_size size)
{
    struct i8254 *x = dev;
    uint64_t t = pulse_now(x);
    (void)size;
    if ((offset & 3) == 3)
        return 0xff; /* no operation, the bus floats (p.4) */
    struct i8254_channel *c = &x->st.channel[offset & 3];
    settle(c, t);
    if (c->status_latched) {
        c->status_latched = 0;
        return c->status;
    }
    return read_count(c, t);
}

const struct io_ops i8254_io = {i8254_read, i8254_write, ACCESS_8};

/* --- device --- */

/* The chip has no reset pin: only power-on, after which its state is undefined (p.4); ours is a
 * counter that waits for its first control word with OUT high. */
static void i8254_reset(void *dev, enum reset_kind kind)
{
    struct i8254 *x = dev;
    uint64_t t = pulse_now(x);
    if (kind == RESET_POWER_ON) {
        for (unsigned i = 0; i < 3; i++) {
            struct i8254_channel *c = &x->st.channel[i];
            c->gate = 1;
            set_mode(c, t, 0x36);
            c->before = 0;
            c->shown_at = t;
        }
    }
    update(x, t);
}

/* Pulse numbers of a saved state lie in the past or within two periods of the present. */
static bool plausible(const struct i8254_channel *c, uint64_t t)
{
    uint64_t limit = t + 3 * 65536;
    bool next_ok = !c->pending || (c->next_count != 0 &&
                                   (c->next_start == UINT64_MAX ||
                                    (c->next_start <= limit && c->next_start >= c->start)));
    bool waits_ok = !c->pending || c->next_start == UINT64_MAX || periodic(c);
    return c->count != 0 && c->start <= limit && c->shown_at <= t && next_ok && waits_ok &&
           c->held <= t;
}

static enum emu_err i8254_post_load(void *dev, struct error *err)
{
    struct i8254 *x = dev;
    for (unsigned i = 0; i < 3; i++) {
        if (!plausible(&x->st.channel[i], pulse_now(x)))
            return error_set(err, EMU_FORMAT, "%s: the state of counter %u is impossible",
                             x->dev.id, i);
    }
    for (unsigned i = 0; i < 3; i++)
        irq_set(&x->w.out[i], x->st.channel[i].shown);
    arm(x);
    return EMU_OK;
}

const struct device_class i8254_class = {
    .name = "i8254",
    .state = &i8254_state_desc,
    .state_offset = offsetof(struct i8254, st),
    .reset = i8254_reset,
    .post_load = i8254_post_load,
};

void i8254_init(struct i8254 *x, const char *id, struct i8254_wiring w)
{
    *x = (struct i8254){.dev = {.cls = &i8254_class, .id = id}, .w = w};
    timer_init(&x->timer, "i8254", fire, x);
    i8254_reset(x, RESET_POWER_ON);
}
