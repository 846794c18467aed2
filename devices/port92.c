/* System control port A: see port92.h. */
#include "devices/port92.h"

enum { FAST_RESET = 0x01, A20 = 0x02 };

STATE_DESC(port92_state_desc, struct port92_state, 1,
           FIELD_MAX(struct port92_state, control, 3, "bits 1-0 as written"));

static void update(struct port92 *x)
{
    irq_set(&x->w.a20, (x->st.control & A20) != 0);
    irq_set(&x->w.reset, x->st.control & FAST_RESET);
}

static uint32_t port92_read(void *dev, uint32_t offset, enum access_size size)
{
    const struct port92 *x = dev;
    (void)offset;
    (void)size;
    return x->st.control;
}

static void port92_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct port92 *x = dev;
    (void)offset;
    (void)size;
    x->st.control = value & (A20 | FAST_RESET);
    update(x);
}

const struct io_ops port92_io = {port92_read, port92_write, ACCESS_8};

static void port92_reset(void *dev, enum reset_kind kind)
{
    struct port92 *x = dev;
    (void)kind;
    x->st.control = 0;
    update(x);
}

static enum emu_err port92_post_load(void *dev, struct error *err)
{
    struct port92 *x = dev;
    (void)err;
    update(x);
    return EMU_OK;
}

const struct device_class port92_class = {
    .name = "port92",
    .state = &port92_state_desc,
    .state_offset = offsetof(struct port92, st),
    .reset = port92_reset,
    .post_load = port92_post_load,
};

void port92_init(struct port92 *x, const char *id, struct port92_wiring w)
{
    *x = (struct port92){.dev = {.cls = &port92_class, .id = id}, .w = w};
    port92_reset(x, RESET_POWER_ON);
}
