/* A wire: it carries a level, never an event. The receiver's saved state remembers its pins and
 * finds the edges, so a line may be driven to the same level any number of times. */
#ifndef MACHINE_IRQ_H
#define MACHINE_IRQ_H

#include "machine/types.h"

struct irq_line {
    void (*set)(void *sink, unsigned pin, bool level); /* NULL: not connected */
    void *sink;
    unsigned pin;
};

/* Drives the line; an unconnected line swallows it. */
static inline void irq_set(const struct irq_line *line, bool level)
{
    if (line->set)
        line->set(line->sink, line->pin, level);
}

#endif
