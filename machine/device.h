/*
 * What every device has in common. A device struct is
 *   { struct device dev; struct X_wiring w; struct X_state st; struct timer ...; }
 * embedded by value in the board; `dev` comes first.
 */
#ifndef MACHINE_DEVICE_H
#define MACHINE_DEVICE_H

#include "machine/clock.h"
#include "machine/irq.h"
#include "machine/state.h"

struct device_class {
    const char *name;               /* "i8254" */
    const struct state_desc *state; /* every guest-visible bit */
    uint32_t state_offset;          /* of the state struct in the device struct */
    void (*reset)(void *dev, enum reset_kind kind);
    /* After st was loaded: check what `max` cannot, recompute caches, arm timers, drive lines.
     * NULL: nothing to do. */
    enum emu_err (*post_load)(void *dev, struct error *err);
    /* Before st is saved, hashed or printed: bring values kept elsewhere into st. May be NULL. */
    void (*pre_save)(void *dev);
    void (*close)(void *dev); /* release host resources; may be NULL */
};

struct device {
    const struct device_class *cls;
    const char *id;      /* unique on its board: "pit", "pic0" */
    struct device *next; /* the board's list, in wiring order */
};

static inline void *device_state(struct device *dev)
{
    return (char *)dev + dev->cls->state_offset;
}

#endif
