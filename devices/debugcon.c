/*
 * Debug console port. No datasheet: Bochs's "port_e9_hack" and QEMU's isa-debugcon are the
 * convention (write: a character; read: E9).
 * NOT MODELLED: nothing is left out.
 * Wired by the board: debugcon_io at one port, out.
 */
#include "devices/debugcon.h"

#include <string.h>

STATE_DESC(debugcon_desc, struct debugcon_state, 1,
           FIELD(struct debugcon_state, count, "bytes written since reset"));

static uint32_t debugcon_read(void *dev, uint32_t offset, enum access_size size)
{
    const struct debugcon *d = dev;
    (void)offset;
    (void)size;
    return d->w.readback;
}

static void debugcon_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct debugcon *d = dev;
    (void)offset;
    (void)size;
    d->st.count++;
    if (d->w.out)
        d->w.out(d->w.arg, (uint8_t)value);
}

const struct io_ops debugcon_io = {debugcon_read, debugcon_write, ACCESS_8};

static void debugcon_reset(void *dev, enum reset_kind kind)
{
    struct debugcon *d = dev;
    (void)kind;
    d->st.count = 0;
}

const struct device_class debugcon_class = {
    .name = "debugcon",
    .state = &debugcon_desc,
    .state_offset = offsetof(struct debugcon, st),
    .reset = debugcon_reset,
};

void debugcon_init(struct debugcon *d, const char *id, struct debugcon_wiring w)
{
    memset(d, 0, sizeof(*d));
    d->dev.cls = &debugcon_class;
    d->dev.id = id;
    d->w = w;
    debugcon_reset(d, RESET_POWER_ON);
}
