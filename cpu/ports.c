/*
 * Port access of the CPU: permission by IOPL and the TSS's I/O bitmap (SDM 1 19.5), I/O breakpoints.
 */
#include "cpu/desc.h"

/* SDM 1 19.5.2: two bytes of the map are read, so that an access may straddle a byte. */
static bool bitmap_allows(struct cpu *c, uint16_t port, unsigned size)
{
    const struct cpu_seg *tr = &c->st.seg[SEG_TR];
    if (!attr_present(tr->attr) || !(tr->attr & TYPE_32BIT) || tr->limit < 0x67)
        return false;
    uint32_t at = sys_read(c, (uint32_t)(tr->base + 0x66), 2) + port / 8;
    if (at + 1 > tr->limit)
        return false;
    uint32_t bits = sys_read(c, (uint32_t)(tr->base + at), 2) >> (port & 7);
    return (bits & ((1u << size) - 1)) == 0;
}

void io_check(struct cpu *c, uint16_t port, unsigned size)
{
    if (in_real_mode(c) || (!in_v86(c) && c->st.cpl <= cpu_iopl(c)))
        return;
    if (!bitmap_allows(c, port, size))
        raise_gp(c, 0);
}

uint32_t cpu_io_read(struct cpu *c, uint16_t port, unsigned size)
{
    if (UNLIKELY(debug_armed(c)))
        debug_check_io(c, port, size);
    return io_read(c->w.io, port, (enum access_size)size);
}

void cpu_io_write(struct cpu *c, uint16_t port, unsigned size, uint32_t value)
{
    if (UNLIKELY(debug_armed(c)))
        debug_check_io(c, port, size);
    io_write(c->w.io, port, value, (enum access_size)size);
}
