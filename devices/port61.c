/* System control port B: see port61.h. */
#include "devices/port61.h"

enum {
    GATE2 = 0x01, SPEAKER = 0x02, WRITABLE = 0x0f, REFRESH = 0x10, OUT2 = 0x20,
    REFRESH_HZ = 66288, /* the refresh request: timer clock 1193182 / 18, toggles with each one */
};

STATE_DESC(port61_state_desc, struct port61_state, 1,
           FIELD_MAX(struct port61_state, control, WRITABLE, "bits 3-0 as written"));

static void update(struct port61 *x)
{
    irq_set(&x->w.gate2, x->st.control & GATE2);
    irq_set(&x->w.speaker, (x->st.control & SPEAKER) != 0);
}

static uint32_t port61_read(void *dev, uint32_t offset, enum access_size size)
{
    struct port61 *x = dev;
    uint32_t value = x->st.control;
    (void)offset;
    (void)size;
    if (vtime_to_ticks(clock_now(x->w.clk), REFRESH_HZ) & 1)
        value |= REFRESH;
    if (x->w.out2 && x->w.out2(x->w.out2_arg))
        value |= OUT2;
    return value;
}

static void port61_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct port61 *x = dev;
    (void)offset;
    (void)size;
    x->st.control = value & WRITABLE;
    update(x);
}

const struct io_ops port61_io = {port61_read, port61_write, ACCESS_8};

static void port61_reset(void *dev, enum reset_kind kind)
{
    struct port61 *x = dev;
    (void)kind;
    x->st.control = 0;
    update(x);
}

static enum emu_err port61_post_load(void *dev, struct error *err)
{
    struct port61 *x = dev;
    (void)err;
    update(x);
    return EMU_OK;
}

const struct device_class port61_class = {
    .name = "port61",
    .state = &port61_state_desc,
    .state_offset = offsetof(struct port61, st),
    .reset = port61_reset,
    .post_load = port61_post_load,
};

void port61_init(struct port61 *x, const char *id, struct port61_wiring w)
{
    *x = (struct port61){.dev = {.cls = &port61_class, .id = id}, .w = w};
    port61_reset(x, RESET_POWER_ON);
}
