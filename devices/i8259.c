/*
 * Intel 8259A: see i8259.h for the documents and the wiring. Page numbers are those of data sheet
 * 231468-003.
 *
 * NOT MODELLED: MCS-80/85 mode (the CALL sequence), buffered mode's EN pin, and the time between
 * the two INTA pulses. INT stays low while the initialization words are being written.
 */
#include "devices/i8259.h"

enum {
    ICW1_IC4 = 0x01, ICW1_SNGL = 0x02, ICW1_LTIM = 0x08, ICW1_FLAG = 0x10,
    ICW4_AEOI = 0x02, ICW4_SFNM = 0x10,
    OCW3_FLAG = 0x08, OCW3_RIS = 0x01, OCW3_RR = 0x02, OCW3_POLL = 0x04, OCW3_SMM = 0x20,
    OCW3_ESMM = 0x40,
    NONE = 8, /* no pin */
};

STATE_DESC(i8259_state_desc, struct i8259_state, 1,
           FIELD(struct i8259_state, pins, "levels of IR0-7"),
           FIELD(struct i8259_state, irr, "interrupt request register"),
           FIELD(struct i8259_state, isr, "in-service register"),
           FIELD(struct i8259_state, imr, "interrupt mask register"),
           FIELD(struct i8259_state, icw1, "last ICW1"),
           FIELD(struct i8259_state, icw2, "vector base"),
           FIELD(struct i8259_state, icw3, "slave pins, or slave id"),
           FIELD(struct i8259_state, icw4, "last ICW4"),
           FIELD_MAX(struct i8259_state, init_step, 4, "ICW expected next, 0 = none"),
           FIELD_MAX(struct i8259_state, lowest, 7, "pin of lowest priority"),
           FIELD_MAX(struct i8259_state, rotate_aeoi, 1, "rotate in AEOI mode"),
           FIELD_MAX(struct i8259_state, special_mask, 1, "special mask mode"),
           FIELD_MAX(struct i8259_state, poll, 1, "next read polls"),
           FIELD_MAX(struct i8259_state, read_isr, 1, "A0=0 reads ISR"),
           FIELD(struct i8259_state, elcr, "level-triggered pins"));

/* Pins that are level-triggered. Where there is an ELCR, LTIM has no effect (82371SB 3.6.1). */
static uint8_t level_pins(const struct i8259 *x)
{
    if (x->w.elcr_writable)
        return x->st.elcr;
    return x->st.icw1 & ICW1_LTIM ? 0xff : 0;
}

/* The first of the pins in `mask` from the highest priority down: its place 0..7, or NONE. */
static unsigned first_place(const struct i8259_state *s, uint8_t mask)
{
    for (unsigned place = 0; place < 8; place++) {
        if (mask >> ((s->lowest + 1 + place) & 7) & 1)
            return place;
    }
    return NONE;
}

static unsigned pin_at(const struct i8259_state *s, unsigned place)
{
    return (s->lowest + 1 + place) & 7;
}

/* The pin whose request goes to the CPU now, or NONE. */
static unsigned requesting_pin(const struct i8259 *x)
{
    const struct i8259_state *s = &x->st;
    uint8_t in_service = s->isr;
    if (s->init_step)
        return NONE;
    if (s->special_mask) /* a masked level in service holds nobody up (8259A p.16) */
        in_service &= (uint8_t)~s->imr;
    if (s->icw4 & ICW4_SFNM) /* nor does the slave's, so its higher requests pass (p.15) */
        in_service &= (uint8_t)~(x->w.slave ? 1u << x->w.slave_pin : 0);
    unsigned place = first_place(s, s->irr & (uint8_t)~s->imr);
    return place < first_place(s, in_service) ? pin_at(s, place) : NONE;
}

bool i8259_int(const struct i8259 *x)
{
    return requesting_pin(x) != NONE;
}

static void update(struct i8259 *x)
{
    irq_set(&x->w.intr, i8259_int(x));
}

static void set_pin(void *sink, unsigned pin, bool level)
{
    struct i8259 *x = sink;
    struct i8259_state *s = &x->st;
    uint8_t bit = (uint8_t)(1u << pin);
    bool was = s->pins & bit;
    if (level == was)
        return;
    if (trace_on(x->w.log, TRACE_PIC))
        trace_line(x->w.log, TRACE_PIC, "%s: IR%u %s", x->dev.id, pin, level ? "high" : "low");
    s->pins ^= bit;
    if (level)
        s->irr |= bit;
    else
        s->irr &= (uint8_t)~bit; /* must stay high until INTA (8259A p.18) */
    update(x);
}

struct irq_line i8259_pin(struct i8259 *x, unsigned pin)
{
    return (struct irq_line){set_pin, x, pin & 7};
}

static void rotate_to(struct i8259_state *s, unsigned pin)
{
    s->lowest = (uint8_t)pin;
}

/* What the first INTA pulse does to the chosen pin (8259A p.7, 14). */
static void take(struct i8259 *x, unsigned pin)
{
    struct i8259_state *s = &x->st;
    uint8_t bit = (uint8_t)(1u << pin);
    if (!(level_pins(x) & bit))
        s->irr &= (uint8_t)~bit;
    if (!(s->icw4 & ICW4_AEOI))
        s->isr |= bit;
    else if (s->rotate_aeoi)
        rotate_to(s, pin);
}

/* INT drops with INTA and rises again for a further request, so that an edge-triggered master sees
 * each one. */
static void acknowledged(struct i8259 *x, unsigned pin)
{
    irq_set(&x->w.intr, false);
    if (pin != NONE)
        take(x, pin);
    update(x);
}

static uint8_t own_vector(struct i8259 *x)
{
    unsigned pin = requesting_pin(x);
    acknowledged(x, pin);
    return (uint8_t)((x->st.icw2 & 0xf8) | (pin == NONE ? 7 : pin));
}

uint8_t i8259_acknowledge(struct i8259 *master)
{
    unsigned pin = requesting_pin(master);
    bool to_slave = pin != NONE && master->w.slave && pin == master->w.slave_pin &&
                    (master->st.icw3 >> pin & 1);
    uint8_t vector;
    if (to_slave) {
        /* The master's request is taken first: the slave's next one must be an edge again. */
        acknowledged(master, pin);
        vector = own_vector(master->w.slave);
    } else {
        vector = own_vector(master);
    }
    if (trace_on(master->w.log, TRACE_PIC))
        trace_line(master->w.log, TRACE_PIC, "%s: INTA, vector %02x", master->dev.id, vector);
    return vector;
}

/* --- registers --- */

/* ICW1 starts the initialization (8259A p.11): the edge latches, mask and modes are cleared. */
static void write_icw1(struct i8259 *x, uint8_t value)
{
    struct i8259_state *s = &x->st;
    s->icw1 = value;
    s->irr = s->pins & level_pins(x);
    s->isr = 0;
    s->imr = 0;
    s->lowest = 7;
    s->special_mask = 0;
    s->rotate_aeoi = 0;
    s->poll = 0;
    s->read_isr = 0;
    s->init_step = 2;
    if (!(value & ICW1_IC4))
        s->icw4 = 0;
}

static void write_next_icw(struct i8259_state *s, uint8_t value)
{
    bool want3 = !(s->icw1 & ICW1_SNGL), want4 = s->icw1 & ICW1_IC4;
    switch (s->init_step) {
    case 2:
        s->icw2 = value;
        s->init_step = want3 ? 3 : want4 ? 4 : 0;
        break;
    case 3:
        s->icw3 = value;
        s->init_step = want4 ? 4 : 0;
        break;
    default:
        s->icw4 = value;
        s->init_step = 0;
    }
}

/* The pin that a non-specific EOI ends: the highest in service; in special mask mode masked ones
 * are left alone (8259A p.16). */
static unsigned nonspecific_eoi_pin(const struct i8259_state *s)
{
    uint8_t isr = s->special_mask ? s->isr & (uint8_t)~s->imr : s->isr;
    unsigned place = first_place(s, isr);
    return place == NONE ? NONE : pin_at(s, place);
}

/* OCW2: R, SL, EOI in bits 7-5 (8259A p.13, figure 8). */
static void write_ocw2(struct i8259_state *s, uint8_t value)
{
    bool rotate = value & 0x80, specific = value & 0x40, eoi = value & 0x20;
    unsigned pin = value & 7;
    if (!eoi && !specific) {
        s->rotate_aeoi = rotate;
        return;
    }
    if (!eoi && !rotate) /* SL alone: no operation */
        return;
    if (eoi && !specific)
        pin = nonspecific_eoi_pin(s);
    if (pin == NONE)
        return;
    if (eoi)
        s->isr &= (uint8_t) ~(1u << pin);
    if (rotate)
        rotate_to(s, pin);
}

static void write_ocw3(struct i8259_state *s, uint8_t value)
{
    if (value & OCW3_ESMM)
        s->special_mask = (value & OCW3_SMM) != 0;
    if (value & OCW3_POLL)
        s->poll = 1;
    else if (value & OCW3_RR)
        s->read_isr = value & OCW3_RIS;
}

static void i8259_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct i8259 *x = dev;
    struct i8259_state *s = &x->st;
    uint8_t v = (uint8_t)value;
    (void)size;
    if (offset & 1) {
        if (s->init_step)
            write_next_icw(s, v);
        else
            s->imr = v;
    } else if (v & ICW1_FLAG) {
        write_icw1(x, v);
    } else if (v & OCW3_FLAG) {
        write_ocw3(s, v);
    } else {
        write_ocw2(s, v);
    }
    if (trace_on(x->w.log, TRACE_PIC))
        trace_line(x->w.log, TRACE_PIC, "%s: write A0=%u %02x irr=%02x isr=%02x imr=%02x",
                   x->dev.id, (unsigned)(offset & 1), v, s->irr, s->isr, s->imr);
    update(x);
}

/* The read after a poll command stands in for INTA (8259A p.15). */
static uint8_t read_poll(struct i8259 *x)
{
    unsigned pin = requesting_pin(x);
    x->st.poll = 0;
    acknowledged(x, pin);
    return pin == NONE ? 0 : (uint8_t)(0x80 | pin);
}

static uint32_t i8259_read(void *dev, uint32_t offset, enum access_size size)
{
    struct i8259 *x = dev;
    (void)size;
    if (x->st.poll)
        return read_poll(x);
    if (offset & 1)
        return x->st.imr;
    return x->st.read_isr ? x->st.isr : x->st.irr;
}

const struct io_ops i8259_io = {i8259_read, i8259_write, ACCESS_8};

static uint32_t elcr_read(void *dev, uint32_t offset, enum access_size size)
{
    const struct i8259 *x = dev;
    (void)offset;
    (void)size;
    return x->st.elcr;
}

static void elcr_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct i8259 *x = dev;
    struct i8259_state *s = &x->st;
    (void)offset;
    (void)size;
    s->elcr = (uint8_t)value & x->w.elcr_writable;
    s->irr |= s->pins & s->elcr; /* a level-triggered pin requests while it is high */
    update(x);
}

const struct io_ops i8259_elcr_io = {elcr_read, elcr_write, ACCESS_8};

/* --- device --- */

static void i8259_reset(void *dev, enum reset_kind kind)
{
    struct i8259 *x = dev;
    uint8_t pins = x->st.pins; /* driven from outside: no reset of ours changes them */
    (void)kind;
    x->st = (struct i8259_state){.pins = pins, .lowest = 7};
    update(x);
}

static enum emu_err i8259_post_load(void *dev, struct error *err)
{
    struct i8259 *x = dev;
    struct i8259_state *s = &x->st;
    if (s->init_step == 1)
        return error_set(err, EMU_FORMAT, "%s: there is no initialization word 1 to wait for",
                         x->dev.id);
    if (s->elcr & ~x->w.elcr_writable)
        return error_set(err, EMU_FORMAT, "%s: ELCR %02x has bits that it cannot hold", x->dev.id,
                         s->elcr);
    update(x);
    return EMU_OK;
}

const struct device_class i8259_class = {
    .name = "i8259",
    .state = &i8259_state_desc,
    .state_offset = offsetof(struct i8259, st),
    .reset = i8259_reset,
    .post_load = i8259_post_load,
};

void i8259_init(struct i8259 *x, const char *id, struct i8259_wiring w)
{
    *x = (struct i8259){.dev = {.cls = &i8259_class, .id = id}, .w = w};
    i8259_reset(x, RESET_POWER_ON);
}
