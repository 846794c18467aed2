/* The port I/O bus: a byte map from port to range, and the splitting of accesses. See bus.h. */
#include "machine/bus.h"

#include <string.h>

void io_bus_init(struct io_bus *bus)
{
    memset(bus, 0, sizeof(*bus));
}

static int free_range(const struct io_bus *bus)
{
    for (int i = 0; i < IO_RANGES; i++) {
        if (!bus->range[i].name)
            return i;
    }
    return -1;
}

enum emu_err io_bus_map(struct io_bus *bus, const char *name, uint16_t base, uint32_t count,
                        uint32_t first_offset, const struct io_ops *ops, void *dev,
                        struct error *err)
{
    if (count == 0 || count > (uint32_t)(IO_PORTS - base))
        return error_set(err, EMU_ARG, "%s: port range %04x+%x does not fit", name, base, count);
    for (uint32_t i = 0; i < count; i++) {
        unsigned other = bus->map[base + i];
        if (other)
            return error_set(err, EMU_ARG, "%s: port %04x belongs to %s already", name, base + i,
                             bus->range[other - 1].name);
    }
    int slot = free_range(bus);
    if (slot < 0)
        return error_set(err, EMU_ARG, "%s: no room for more than %d port ranges", name, IO_RANGES);
    bus->range[slot] = (struct io_range){name, ops, dev, base, count, first_offset};
    memset(bus->map + base, slot + 1, count);
    return EMU_OK;
}

void io_bus_unmap(struct io_bus *bus, uint16_t base, const void *dev)
{
    for (int i = 0; i < IO_RANGES; i++) {
        struct io_range *r = &bus->range[i];
        if (r->name && r->base == base && r->dev == dev) {
            memset(bus->map + r->base, 0, r->count);
            r->name = NULL;
        }
    }
}

static uint32_t all_ones(enum access_size size)
{
    return size == ACCESS_32 ? 0xffffffffu : (1u << (8 * size)) - 1;
}

uint32_t io_ops_read(const struct io_ops *ops, void *dev, uint32_t offset, enum access_size size)
{
    if (ops->sizes & size)
        return ops->read(dev, offset, size) & all_ones(size);
    if (size == ACCESS_8)
        return all_ones(size);
    enum access_size half = size / 2;
    uint32_t low = io_ops_read(ops, dev, offset, half);
    return low | io_ops_read(ops, dev, offset + half, half) << (8 * half);
}

void io_ops_write(const struct io_ops *ops, void *dev, uint32_t offset, uint32_t value,
                  enum access_size size)
{
    value &= all_ones(size);
    if (ops->sizes & size) {
        ops->write(dev, offset, value, size);
    } else if (size != ACCESS_8) {
        enum access_size half = size / 2;
        io_ops_write(ops, dev, offset, value & all_ones(half), half);
        io_ops_write(ops, dev, offset + half, value >> (8 * half), half);
    }
}

/* The range that holds all of [port, port+size), or NULL. */
static struct io_range *range_of(struct io_bus *bus, uint16_t port, unsigned size)
{
    unsigned index = bus->map[port];
    if (!index)
        return NULL;
    struct io_range *r = &bus->range[index - 1];
    return (uint32_t)port + size <= r->base + r->count ? r : NULL;
}

static uint32_t read_bytes(struct io_bus *bus, uint16_t port, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        uint16_t at = (uint16_t)(port + i);
        struct io_range *r = range_of(bus, at, 1);
        uint32_t byte = 0xff;
        if (r)
            byte = io_ops_read(r->ops, r->dev, at - r->base + r->first_offset, ACCESS_8);
        value |= byte << (8 * i);
    }
    return value;
}

uint32_t io_read(struct io_bus *bus, uint16_t port, enum access_size size)
{
    struct io_range *r = range_of(bus, port, size);
    uint32_t value;
    if (r)
        value = io_ops_read(r->ops, r->dev, port - r->base + r->first_offset, size);
    else
        value = read_bytes(bus, port, size);
    if (UNLIKELY(bus->observe != NULL))
        bus->observe(bus->observe_arg, false, port, value, size, bus->map[port] != 0);
    return value;
}

static void write_bytes(struct io_bus *bus, uint16_t port, uint32_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint16_t at = (uint16_t)(port + i);
        struct io_range *r = range_of(bus, at, 1);
        if (r)
            io_ops_write(r->ops, r->dev, at - r->base + r->first_offset, value >> (8 * i) & 0xff,
                         ACCESS_8);
    }
}

void io_write(struct io_bus *bus, uint16_t port, uint32_t value, enum access_size size)
{
    if (UNLIKELY(bus->observe != NULL))
        bus->observe(bus->observe_arg, true, port, value, size, bus->map[port] != 0);
    struct io_range *r = range_of(bus, port, size);
    if (r)
        io_ops_write(r->ops, r->dev, port - r->base + r->first_offset, value, size);
    else
        write_bytes(bus, port, value, size);
}
