/*
 * MC146818A: see mc146818.h. "p.N" cites data sheet ADI-856R2.
 *
 * The time registers are brought up to the present when somebody looks, or when an interrupt that
 * depends on them is enabled; an idle clock has no events. Crystal pulse n (32768 Hz) comes at
 * ticks_to_vtime(n), so the clock does not drift against virtual time.
 *
 * NOT MODELLED: the 4.194 MHz and 1.048 MHz time bases (their divider settings run at 32768 Hz),
 * daylight saving (DSE is stored only, as in later chips), SQW, undefined data during an update
 * (the old time is read until the update ends).
 */
#include "devices/mc146818.h"

enum {
    CRYSTAL_HZ = 32768,
    UIP_PULSES = 73, /* UIP leads an update's end by tBUC 244 us + tUC 1984 us (p.14, table 6) */
    SECONDS = 0, SECONDS_ALARM = 1, MINUTES = 2, MINUTES_ALARM = 3, HOURS = 4, HOURS_ALARM = 5,
    WEEKDAY = 6, DAY = 7, MONTH = 8, YEAR = 9, REG_A = 10, REG_B = 11, REG_C = 12, REG_D = 13,
    CENTURY = 0x32,
    A_UIP = 0x80,
    B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_SQWE = 0x08, B_BINARY = 0x04,
    B_24H = 0x02,
    C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10,
    D_VRT = 0x80,
    DAY_SECONDS = 86400,
};

STATE_DESC(mc146818_state_desc, struct mc146818_state, 1,
           FIELD(struct mc146818_state, divider, "crystal pulse at which a second began"),
           FIELD(struct mc146818_state, seen, "crystal pulse accounted for"),
           FIELD(struct mc146818_state, ram, "time, registers A-D, CMOS, second bank"),
           FIELD_MAX(struct mc146818_state, index, 127, "index register"),
           FIELD_MAX(struct mc146818_state, index_high, 127, "index of the second bank"),
           FIELD_MAX(struct mc146818_state, nmi_mask, 1, "bit 7 of the index port"),
           FIELD_MAX(struct mc146818_state, reserved, 0, "zero"));

/* --- calendar --- */

struct calendar {
    int64_t days; /* since 1970-01-01 */
    uint32_t second; /* of the day */
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar; counts years from March, so that the
 * leap day is the last one. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t in_era = y - era * 400;
    int64_t in_year = (153 * ((int64_t)(month + 9) % 12) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t in_era = z - era * 146097;
    int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * in_year + 2) / 153;
    *day = (unsigned)(in_year - (153 * m + 2) / 5 + 1);
    *month = (unsigned)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

/* --- the form of the time registers: BCD or binary, 12 or 24 hours --- */

static uint8_t encode(uint8_t b, unsigned v)
{
    return (uint8_t)(b & B_BINARY ? v : v / 10 % 10 << 4 | v % 10);
}

static unsigned decode(uint8_t b, uint8_t v)
{
    return b & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t encode_hour(uint8_t b, unsigned hour)
{
    if (b & B_24H)
        return encode(b, hour);
    return (uint8_t)(encode(b, (hour + 11) % 12 + 1) | (hour >= 12 ? 0x80 : 0));
}

static unsigned decode_hour(uint8_t b, uint8_t v)
{
    if (b & B_24H)
        return decode(b, v) % 24;
    return decode(b, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

/* The calendar that the registers show; what no clock shows (month 13) is read modulo. */
static struct calendar read_calendar(const struct mc146818_state *s)
{
    uint8_t b = s->ram[REG_B];
    unsigned month = (decode(b, s->ram[MONTH]) + 11) % 12 + 1;
    unsigned day = decode(b, s->ram[DAY]) % 32;
    int64_t year = (int64_t)decode(b, s->ram[CENTURY]) * 100 + decode(b, s->ram[YEAR]) % 100;
    struct calendar c = {days_of(year, month, day ? day : 1), 0};
    c.second = decode_hour(b, s->ram[HOURS]) * 3600 + decode(b, s->ram[MINUTES]) % 60 * 60 +
               decode(b, s->ram[SECONDS]) % 60;
    return c;
}

static void write_calendar(struct mc146818_state *s, struct calendar c)
{
    uint8_t b = s->ram[REG_B];
    int64_t year;
    unsigned month, day;
    date_of(c.days, &year, &month, &day);
    s->ram[SECONDS] = encode(b, c.second % 60);
    s->ram[MINUTES] = encode(b, c.second / 60 % 60);
    s->ram[HOURS] = encode_hour(b, c.second / 3600);
    s->ram[WEEKDAY] = encode(b, (unsigned)((c.days % 7 + 11) % 7) + 1); /* 1 = Sunday */
    s->ram[DAY] = encode(b, day);
    s->ram[MONTH] = encode(b, month);
    s->ram[YEAR] = encode(b, (unsigned)(year % 100));
    s->ram[CENTURY] = encode(b, (unsigned)(year / 100 % 100));
}

static struct calendar later(struct calendar c, uint64_t seconds)
{
    uint64_t sum = c.second + seconds;
    return (struct calendar){c.days + (int64_t)(sum / DAY_SECONDS), (uint32_t)(sum % DAY_SECONDS)};
}

/* --- alarm --- */

/* Alarm bytes from C0 on are "don't care" (p.11). */
static bool alarm_byte_matches(uint8_t alarm, uint8_t now)
{
    return alarm >= 0xc0 || alarm == now;
}

static bool alarm_at(const struct mc146818_state *s, uint32_t second)
{
    uint8_t b = s->ram[REG_B];
    return alarm_byte_matches(s->ram[SECONDS_ALARM], encode(b, second % 60)) &&
           alarm_byte_matches(s->ram[MINUTES_ALARM], encode(b, second / 60 % 60)) &&
           alarm_byte_matches(s->ram[HOURS_ALARM], encode_hour(b, second / 3600));
}

/* Whether the alarm went off in one of the `seconds` updates after `from`. */
static bool alarm_within(const struct mc146818_state *s, uint32_t from, uint64_t seconds)
{
    if (seconds > DAY_SECONDS)
        seconds = DAY_SECONDS;
    for (uint32_t i = 1; i <= seconds; i++) {
        if (alarm_at(s, (from + i) % DAY_SECONDS))
            return true;
    }
    return false;
}

/* --- keeping up with time --- */

static uint64_t pulse_now(const struct mc146818 *x)
{
    return vtime_to_ticks(clock_now(x->w.clk), CRYSTAL_HZ);
}

/* DV2-DV0 = 11x holds the divider chain in reset (p.15, table 4). */
static bool divider_runs(const struct mc146818_state *s)
{
    return (s->ram[REG_A] & 0x60) != 0x60;
}

/* Crystal pulses of the periodic interrupt, 0: none (p.15, table 5). */
static uint32_t period(const struct mc146818_state *s)
{
    unsigned rate = s->ram[REG_A] & 15;
    if (rate == 0)
        return 0;
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

static void do_updates(struct mc146818_state *s, uint64_t updates)
{
    struct calendar c = read_calendar(s);
    if (updates == 0 || s->ram[REG_B] & B_SET)
        return;
    s->ram[REG_C] |= C_UF;
    if (!(s->ram[REG_C] & C_AF) && alarm_within(s, c.second, updates))
        s->ram[REG_C] |= C_AF;
    write_calendar(s, later(c, updates));
}

/* Accounts for all that happened up to pulse t. */
static void catch_up(struct mc146818_state *s, uint64_t t)
{
    uint64_t from = s->seen - s->divider, to = t - s->divider;
    s->seen = t;
    if (!divider_runs(s))
        return;
    uint32_t p = period(s);
    if (p && from / p != to / p)
        s->ram[REG_C] |= C_PF;
    do_updates(s, to / CRYSTAL_HZ - from / CRYSTAL_HZ);
}

/* Pulse of the next event that would raise the interrupt, UINT64_MAX: none. A flag that is set
 * already raises nothing until register C was read. */
static uint64_t next_event(const struct mc146818_state *s)
{
    uint8_t b = s->ram[REG_B], wanted = b & (uint8_t)~s->ram[REG_C];
    uint64_t next = UINT64_MAX, since = s->seen - s->divider;
    uint32_t p = period(s);
    if (!divider_runs(s))
        return UINT64_MAX;
    if (p && wanted & B_PIE)
        next = s->divider + (since / p + 1) * p;
    if (wanted & (B_AIE | B_UIE) && !(b & B_SET)) {
        uint64_t second = s->divider + (since / CRYSTAL_HZ + 1) * CRYSTAL_HZ;
        next = second < next ? second : next;
    }
    return next;
}

static void update(struct mc146818 *x)
{
    struct mc146818_state *s = &x->st;
    bool irq = s->ram[REG_B] & s->ram[REG_C] & (C_PF | C_AF | C_UF);
    if (irq)
        s->ram[REG_C] |= C_IRQF;
    else
        s->ram[REG_C] &= (uint8_t)~C_IRQF;
    irq_set(&x->w.irq, irq);
    irq_set(&x->w.nmi_mask, s->nmi_mask);
    uint64_t next = next_event(s);
    timer_arm(x->w.clk, &x->timer,
              next == UINT64_MAX ? VTIME_NEVER : ticks_to_vtime(next, CRYSTAL_HZ));
}

static void fire(void *dev, vtime now)
{
    struct mc146818 *x = dev;
    catch_up(&x->st, vtime_to_ticks(now, CRYSTAL_HZ));
    update(x);
}

/* --- registers --- */

static bool update_in_progress(const struct mc146818_state *s, uint64_t t)
{
    if (!divider_runs(s) || s->ram[REG_B] & B_SET)
        return false;
    return (t - s->divider) % CRYSTAL_HZ >= CRYSTAL_HZ - UIP_PULSES;
}

/* A divider that is let go updates the time half a second later (p.15). */
static void write_a(struct mc146818_state *s, uint64_t t, uint8_t value)
{
    bool ran = divider_runs(s);
    s->ram[REG_A] = value & 0x7f;
    if (ran || !divider_runs(s))
        return;
    s->divider = t >= CRYSTAL_HZ / 2 ? t - CRYSTAL_HZ / 2 : 0;
    s->seen = t;
}

/* SET going to 1 clears UIE (p.16). */
static void write_b(struct mc146818_state *s, uint8_t value)
{
    s->ram[REG_B] = value & B_SET ? value & (uint8_t)~B_UIE : value;
}

static void write_register(struct mc146818 *x, unsigned index, uint8_t value)
{
    struct mc146818_state *s = &x->st;
    uint64_t t = pulse_now(x);
    if (trace_on(x->w.log, TRACE_RTC))
        trace_line(x->w.log, TRACE_RTC, "%s: write %02x = %02x", x->dev.id, index, value);
    catch_up(s, t);
    switch (index) {
    case REG_A:
        write_a(s, t, value);
        break;
    case REG_B:
        write_b(s, value);
        break;
    case REG_C:
    case REG_D:
        break; /* read only */
    default:
        s->ram[index] = value;
    }
    update(x);
}

static uint8_t read_register(struct mc146818 *x, unsigned index)
{
    struct mc146818_state *s = &x->st;
    uint64_t t = pulse_now(x);
    catch_up(s, t);
    uint8_t value = s->ram[index];
    if (index == REG_A && update_in_progress(s, t))
        value |= A_UIP;
    update(x); /* IRQF */
    if (index == REG_C) {
        value = s->ram[REG_C];
        s->ram[REG_C] = 0;
        update(x);
    }
    return value;
}

static uint32_t mc146818_read(void *dev, uint32_t offset, enum access_size size)
{
    struct mc146818 *x = dev;
    (void)size;
    switch (offset & 3) {
    case 1:
        if (x->st.index <= REG_D || x->st.index == CENTURY)
            return read_register(x, x->st.index);
        return x->st.ram[x->st.index];
    case 2:
        return x->st.index_high;
    case 3:
        return x->st.ram[128 + x->st.index_high];
    default:
        return 0xff; /* write only */
    }
}

static void mc146818_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct mc146818 *x = dev;
    struct mc146818_state *s = &x->st;
    (void)size;
    switch (offset & 3) {
    case 0:
        s->index = value & 0x7f;
        s->nmi_mask = value >> 7 & 1;
        irq_set(&x->w.nmi_mask, s->nmi_mask);
        break;
    case 1:
        if (s->index <= REG_D || s->index == CENTURY)
            write_register(x, s->index, (uint8_t)value);
        else
            s->ram[s->index] = (uint8_t)value;
        break;
    case 2:
        s->index_high = value & 0x7f;
        break;
    default:
        s->ram[128 + s->index_high] = (uint8_t)value;
    }
}

const struct io_ops mc146818_io = {mc146818_read, mc146818_write, ACCESS_8};

void mc146818_set_cmos(struct mc146818 *x, unsigned index, uint8_t value)
{
    x->st.ram[index & 0xff] = value;
}

uint8_t mc146818_cmos(const struct mc146818 *x, unsigned index)
{
    return x->st.ram[index & 0xff];
}

/* --- device --- */

/* RESET# clears the interrupt enables and flags; time, CMOS and register A keep (p.5). A battery
 * keeps them over power-on too. */
static void mc146818_reset(void *dev, enum reset_kind kind)
{
    struct mc146818 *x = dev;
    struct mc146818_state *s = &x->st;
    (void)kind;
    catch_up(s, pulse_now(x));
    s->ram[REG_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    s->ram[REG_C] = 0;
    s->index = 0;
    s->index_high = 0;
    s->nmi_mask = 0;
    update(x);
}

static enum emu_err mc146818_post_load(void *dev, struct error *err)
{
    struct mc146818 *x = dev;
    struct mc146818_state *s = &x->st;
    if (s->seen > pulse_now(x) || s->divider > s->seen)
        return error_set(err, EMU_FORMAT, "%s: the clock's divider is ahead of time", x->dev.id);
    s->ram[REG_A] &= 0x7f;
    s->ram[REG_C] &= 0xf0;
    s->ram[REG_D] = D_VRT;
    update(x);
    return EMU_OK;
}

const struct device_class mc146818_class = {
    .name = "mc146818",
    .state = &mc146818_state_desc,
    .state_offset = offsetof(struct mc146818, st),
    .reset = mc146818_reset,
    .post_load = mc146818_post_load,
};

void mc146818_init(struct mc146818 *x, const char *id, struct mc146818_wiring w)
{
    *x = (struct mc146818){.dev = {.cls = &mc146818_class, .id = id}, .w = w};
    timer_init(&x->timer, "mc146818", fire, x);
    struct mc146818_state *s = &x->st;
    s->ram[REG_A] = 0x26; /* 32768 Hz, periodic rate 1024 Hz */
    s->ram[REG_B] = B_24H;
    s->ram[REG_D] = D_VRT;
    write_calendar(s, (struct calendar){(int64_t)(w.start / DAY_SECONDS),
                                        (uint32_t)(w.start % DAY_SECONDS)});
    mc146818_reset(x, RESET_POWER_ON);
}
