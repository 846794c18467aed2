/*
 * POST code latch. On a PC/AT the port is an unused DMA page register, readable and writable
 * (IBM PC AT Technical Reference, "manufacturing checkpoint port"); diagnostic cards show its
 * value. Kernels also write it as a short delay, so the trace shows changes of the value only.
 * NOT MODELLED: the delay that a write takes on a real ISA bus.
 * Wired by the board: postcode_io at one port.
 */
#include "devices/postcode.h"

#include <string.h>

STATE_DESC(postcode_desc, struct postcode_state, 1,
           FIELD(struct postcode_state, code, "last code written"));

static uint32_t postcode_read(void *dev, uint32_t offset, enum access_size size)
{
    const struct postcode *p = dev;
    (void)offset;
    (void)size;
    return p->st.code;
}

static void postcode_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct postcode *p = dev;
    (void)offset;
    (void)size;
    uint8_t before = p->st.code;
    p->st.code = (uint8_t)value;
    if (p->st.code != before && trace_on(p->w.log, TRACE_POST))
        trace_line(p->w.log, TRACE_POST, "POST code %02x", p->st.code);
    if (p->w.changed)
        p->w.changed(p->w.arg, p->st.code);
}

const struct io_ops postcode_io = {postcode_read, postcode_write, ACCESS_8};

static void postcode_reset(void *dev, enum reset_kind kind)
{
    struct postcode *p = dev;
    if (kind == RESET_POWER_ON)
        p->st.code = 0; /* the register file has no reset pin and keeps the last code */
}

const struct device_class postcode_class = {
    .name = "postcode",
    .state = &postcode_desc,
    .state_offset = offsetof(struct postcode, st),
    .reset = postcode_reset,
};

void postcode_init(struct postcode *p, const char *id, struct postcode_wiring w)
{
    memset(p, 0, sizeof(*p));
    p->dev.cls = &postcode_class;
    p->dev.id = id;
    p->w = w;
    postcode_reset(p, RESET_POWER_ON);
}
