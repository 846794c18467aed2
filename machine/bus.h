/*
 * The port I/O bus. A device sees the offset in its range, never its address. The bus splits an
 * access into sizes that the device implements, low byte first, and an access that runs over the
 * end of a range into single bytes. Absent ports read all ones and swallow writes.
 */
#ifndef MACHINE_BUS_H
#define MACHINE_BUS_H

#include "machine/error.h"
#include "machine/types.h"

struct io_ops {
    uint32_t (*read)(void *dev, uint32_t offset, enum access_size size);
    void (*write)(void *dev, uint32_t offset, uint32_t value, enum access_size size);
    uint8_t sizes; /* ACCESS_* bits that the device implements; the rest is split or, where only
                      wider ones exist, not answered (all ones) */
};

enum { IO_PORTS = 65536, IO_RANGES = 128 };

struct io_range {
    const char *name; /* NULL: free */
    const struct io_ops *ops;
    void *dev;
    uint32_t base, count; /* ports */
    uint32_t first_offset; /* offset that the device sees at base */
};

struct io_bus {
    uint8_t map[IO_PORTS]; /* range index + 1; 0 = absent */
    struct io_range range[IO_RANGES];
    /* Called, where set, for every access after it is done (tracing) and for absent ports. */
    void (*observe)(void *arg, bool write, uint16_t port, uint32_t value, enum access_size size,
                    bool present);
    void *observe_arg;
};

void io_bus_init(struct io_bus *bus);

/* Puts a range on the bus; overlap or exhaustion is EMU_ARG. `name` must outlive the bus. */
MUST_CHECK enum emu_err io_bus_map(struct io_bus *bus, const char *name, uint16_t base,
                                   uint32_t count, uint32_t first_offset, const struct io_ops *ops,
                                   void *dev, struct error *err);

/* Removes all ranges of `dev` that start at `base` (PCI BARs move); absent is no error. */
void io_bus_unmap(struct io_bus *bus, uint16_t base, const void *dev);

uint32_t io_read(struct io_bus *bus, uint16_t port, enum access_size size);
void io_write(struct io_bus *bus, uint16_t port, uint32_t value, enum access_size size);

/* The same splitting for any ops (memory-mapped registers use it too). */
uint32_t io_ops_read(const struct io_ops *ops, void *dev, uint32_t offset, enum access_size size);
void io_ops_write(const struct io_ops *ops, void *dev, uint32_t offset, uint32_t value,
                  enum access_size size);

#endif
