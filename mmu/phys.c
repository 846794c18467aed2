/*
 * The physical address map. See phys.h.
 *
 * Two byte maps (reads, writes) lead from a page to one of a few regions; a region is memory of a
 * block, or a device. The board draws the map; PAM and PCI BARs redraw parts of it.
 */
#include "mmu/phys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/access.h"

void phys_init(struct phys *p)
{
    memset(p, 0, sizeof(*p));
    p->region[0] = (struct phys_region){.name = "nothing"};
    p->a20_mask = ~(paddr)0;
}

void phys_free(struct phys *p)
{
    for (unsigned i = 0; i < p->nblocks; i++) {
        free(p->block[i].host);
        free(p->block[i].flags);
    }
    p->nblocks = 0;
}

enum emu_err phys_block_new(struct phys *p, const char *name, uint64_t size, bool rom,
                            struct phys_block **out, struct error *err)
{
    if (p->nblocks == PHYS_BLOCKS)
        return error_set(err, EMU_ARG, "%s: more than %d memory blocks", name, PHYS_BLOCKS);
    size = (size + PHYS_PAGE_SIZE - 1) & ~(uint64_t)(PHYS_PAGE_SIZE - 1);
    uint8_t *host = size <= SIZE_MAX ? calloc(1, (size_t)size) : NULL;
    uint8_t *flags = calloc(1, (size_t)(size >> PHYS_PAGE_SHIFT) + 1);
    if (!host || !flags) {
        free(host);
        free(flags);
        return error_set(err, EMU_NOMEM,
                         "the host has no %llu KiB for %s; give the guest less memory (-m)",
                         (unsigned long long)(size >> 10), name);
    }
    struct phys_block *b = &p->block[p->nblocks++];
    *b = (struct phys_block){.name = name, .host = host, .size = size, .rom = rom, .flags = flags};
    *out = b;
    return EMU_OK;
}

static unsigned new_region(struct phys *p, struct phys_region r)
{
    for (unsigned i = 1; i < PHYS_REGIONS; i++) {
        if (!p->region[i].name) {
            p->region[i] = r;
            return i;
        }
    }
    return 0;
}

unsigned phys_region_memory(struct phys *p, const char *name, struct phys_block *block,
                            uint64_t block_offset, paddr base, uint64_t size)
{
    ASSERT(block_offset <= block->size && size <= block->size - block_offset);
    ASSERT(((block_offset | base | size) & (PHYS_PAGE_SIZE - 1)) ==
           0); /* accesses are checked by page */
    return new_region(p, (struct phys_region){.name = name,
                                              .block = block,
                                              .block_offset = block_offset,
                                              .base = base,
                                              .size = size});
}

unsigned phys_region_device(struct phys *p, const char *name, const struct io_ops *ops, void *dev,
                            paddr base, uint64_t size)
{
    return new_region(
        p, (struct phys_region){.name = name, .ops = ops, .dev = dev, .base = base, .size = size});
}

static void map_changed(struct phys *p)
{
    if (p->changed)
        p->changed(p->changed_arg);
}

void phys_region_move(struct phys *p, unsigned region, paddr base)
{
    for (unsigned page = 0; page < PHYS_PAGES; page++) {
        if (p->read_map[page] == region)
            p->read_map[page] = 0;
        if (p->write_map[page] == region)
            p->write_map[page] = 0;
    }
    p->region[region].base = base;
    map_changed(p);
}

void phys_map(struct phys *p, paddr base, uint64_t size, unsigned region, unsigned rw)
{
    uint64_t first = base >> PHYS_PAGE_SHIFT, count = size >> PHYS_PAGE_SHIFT;
    if (first >= PHYS_PAGES)
        return;
    if (count > PHYS_PAGES - first)
        count = PHYS_PAGES - first;
    const struct phys_block *b = p->region[region].block;
    if (rw & PHYS_READ)
        memset(p->read_map + first, (int)region, (size_t)count);
    if (rw & PHYS_WRITE)
        memset(p->write_map + first, b && b->rom ? 0 : (int)region, (size_t)count);
    map_changed(p);
}

void phys_set_a20(struct phys *p, bool open)
{
    paddr mask = open ? ~(paddr)0 : ~((paddr)1 << 20);
    if (mask == p->a20_mask)
        return;
    p->a20_mask = mask;
    map_changed(p);
}

struct phys_target phys_lookup(struct phys *p, paddr addr, bool write)
{
    addr &= p->a20_mask;
    uint64_t page = addr >> PHYS_PAGE_SHIFT;
    unsigned index = page >= PHYS_PAGES ? 0 : write ? p->write_map[page] : p->read_map[page];
    if (!index)
        return (struct phys_target){0};
    const struct phys_region *r = &p->region[index];
    struct phys_target t = {.region = r};
    uint64_t offset = addr - r->base;
    if (r->block && offset < r->size) {
        t.block = r->block;
        t.offset = r->block_offset + offset;
        t.host = r->block->host + t.offset;
    }
    return t;
}

/* `offset` to offset + len lie in one page. */
static void touch_in_page(struct phys *p, struct phys_block *b, uint64_t offset, uint32_t len)
{
    uint8_t *flags = &b->flags[offset >> PHYS_PAGE_SHIFT];
    *flags |= PHYS_DIRTY;
    if ((*flags & PHYS_CODE) && p->code_written)
        p->code_written(p->code_written_arg, b, offset, len);
}

void phys_touch(struct phys *p, struct phys_block *b, uint64_t offset, uint32_t len)
{
    for (uint64_t end = offset + len; offset < end;) {
        uint64_t next = (offset | (PHYS_PAGE_SIZE - 1)) + 1, to = next < end ? next : end;
        touch_in_page(p, b, offset, (uint32_t)(to - offset));
        offset = to;
    }
}

/* One access within a page. */
static uint32_t read_in_page(struct phys *p, paddr addr, unsigned size)
{
    struct phys_target t = phys_lookup(p, addr, false);
    if (t.host)
        return (uint32_t)load_le(t.host, size);
    if (t.region && t.region->ops)
        return io_ops_read(t.region->ops, t.region->dev,
                           (uint32_t)((addr & p->a20_mask) - t.region->base), size);
    return size == 4 ? 0xffffffffu : (1u << (8 * size)) - 1;
}

static void write_in_page(struct phys *p, paddr addr, uint32_t value, unsigned size)
{
    struct phys_target t = phys_lookup(p, addr, true);
    if (t.host) {
        uint32_t mask = size == 4 ? 0xffffffffu : (1u << (8 * size)) - 1;
        bool changed = load_le(t.host, size) != (value & mask);
        store_le(t.host, size, value);
        touch_in_page(p, t.block, t.offset, changed ? size : 0);
    } else if (t.region && t.region->ops) {
        io_ops_write(t.region->ops, t.region->dev,
                     (uint32_t)((addr & p->a20_mask) - t.region->base), value, size);
    }
}

static bool within_page(paddr addr, unsigned size)
{
    return (addr & (PHYS_PAGE_SIZE - 1)) + size <= PHYS_PAGE_SIZE;
}

uint32_t phys_read(struct phys *p, paddr addr, unsigned size)
{
    if (within_page(addr, size))
        return read_in_page(p, addr, size);
    uint32_t v = 0;
    for (unsigned i = 0; i < size; i++)
        v |= read_in_page(p, addr + i, 1) << (8 * i);
    return v;
}

void phys_write(struct phys *p, paddr addr, uint32_t value, unsigned size)
{
    if (within_page(addr, size)) {
        write_in_page(p, addr, value, size);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        write_in_page(p, addr + i, value >> (8 * i) & 0xff, 1);
}

/* Bytes of [addr, addr+len) that lie in addr's page. */
static size_t page_part(paddr addr, size_t len)
{
    size_t room = PHYS_PAGE_SIZE - (size_t)(addr & (PHYS_PAGE_SIZE - 1));
    return len < room ? len : room;
}

void phys_read_bytes(struct phys *p, paddr addr, void *to, size_t len)
{
    for (uint8_t *out = to; len;) {
        size_t part = page_part(addr, len);
        struct phys_target t = phys_lookup(p, addr, false);
        if (t.host)
            memcpy(out, t.host, part);
        else
            for (size_t i = 0; i < part; i++)
                out[i] = (uint8_t)read_in_page(p, addr + i, 1);
        out += part;
        addr += part;
        len -= part;
    }
}

void phys_write_bytes(struct phys *p, paddr addr, const void *from, size_t len)
{
    for (const uint8_t *in = from; len;) {
        size_t part = page_part(addr, len);
        struct phys_target t = phys_lookup(p, addr, true);
        if (t.host) {
            memcpy(t.host, in, part);
            phys_touch(p, t.block, t.offset, (uint32_t)part);
        } else {
            for (size_t i = 0; i < part; i++)
                write_in_page(p, addr + i, in[i], 1);
        }
        in += part;
        addr += part;
        len -= part;
    }
}

void phys_peek_bytes(struct phys *p, paddr addr, void *to, size_t len)
{
    for (uint8_t *out = to; len;) {
        size_t part = page_part(addr, len);
        struct phys_target t = phys_lookup(p, addr, false);
        if (t.host)
            memcpy(out, t.host, part);
        else
            memset(out, 0xff, part);
        out += part;
        addr += part;
        len -= part;
    }
}

bool phys_dirty_test(const struct phys_block *b, uint64_t offset, uint64_t len)
{
    for (uint64_t page = offset >> PHYS_PAGE_SHIFT; page << PHYS_PAGE_SHIFT < offset + len;
         page++) {
        if (b->flags[page] & PHYS_DIRTY)
            return true;
    }
    return false;
}

void phys_dirty_clear(struct phys *p, struct phys_block *b, uint64_t offset, uint64_t len)
{
    bool any = false;
    for (uint64_t page = offset >> PHYS_PAGE_SHIFT; page << PHYS_PAGE_SHIFT < offset + len;
         page++) {
        any |= (b->flags[page] & PHYS_DIRTY) != 0;
        b->flags[page] &= (uint8_t)~PHYS_DIRTY;
    }
    if (any)
        map_changed(p);
}

void phys_print(const struct phys *p, void (*emit)(void *arg, const char *line), void *arg)
{
    for (unsigned page = 0; page < PHYS_PAGES;) {
        unsigned end = page, r = p->read_map[page], w = p->write_map[page];
        while (end < PHYS_PAGES && p->read_map[end] == r && p->write_map[end] == w)
            end++;
        if (r || w) {
            char line[160];
            snprintf(line, sizeof(line), "%08x-%08x read: %s, write: %s", page << PHYS_PAGE_SHIFT,
                     (end << PHYS_PAGE_SHIFT) - 1u, p->region[r].name, p->region[w].name);
            emit(arg, line);
        }
        page = end;
    }
}
