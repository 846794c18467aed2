/*
 * The physical address map: RAM, ROM and memory-mapped devices in 4 KiB pages, the A20 gate, PAM
 * shadowing (reads and writes of a page may go to different places), code and dirty marks.
 *
 * Guest memory is reached only through this map (bounds-checked) or through the TLB that is filled
 * from it. Addresses above the map (4 GiB) and pages without a region read all ones and swallow
 * writes. RAM is allocated lazily by the host: untouched pages cost nothing.
 */
#ifndef MMU_PHYS_H
#define MMU_PHYS_H

#include "machine/bus.h"
#include "machine/error.h"
#include "machine/types.h"

enum {
    PHYS_PAGE_SHIFT = 12,
    PHYS_PAGE_SIZE = 1 << PHYS_PAGE_SHIFT,
    PHYS_PAGES = 1 << 20, /* 4 GiB */
    PHYS_REGIONS = 64,
    PHYS_BLOCKS = 16,
};

/* Memory that is saved with the machine (RAM, VRAM) or read-only contents (ROM). */
struct phys_block {
    const char *name; /* "ram", "vga.vram", "bios" */
    uint8_t *host;    /* size bytes, zeroed, then owned by the map */
    uint64_t size;    /* multiple of PHYS_PAGE_SIZE */
    bool rom;         /* contents come from a file: hashed and checked, not saved */
    uint8_t *flags;   /* one byte a page: PHYS_* below */
};

enum { PHYS_DIRTY = 1, /* written since phys_dirty_clear */
       PHYS_CODE = 2, /* the CPU holds decoded instructions of this page */
       PHYS_STORED = 4 /* the TLB may have an entry for stores to it */ };

/* What a range of addresses leads to. */
struct phys_region {
    const char *name;          /* NULL: free */
    struct phys_block *block;  /* memory, or NULL for a device */
    uint64_t block_offset;     /* of the region's first byte in the block */
    const struct io_ops *ops;  /* a device, or NULL for memory */
    void *dev;
    paddr base;
    uint64_t size;
};

struct phys {
    uint8_t read_map[PHYS_PAGES];  /* region index for reads; 0 = nothing there */
    uint8_t write_map[PHYS_PAGES]; /* and for writes; ROM pages have 0 here */
    struct phys_region region[PHYS_REGIONS];
    struct phys_block block[PHYS_BLOCKS];
    unsigned nblocks;
    paddr a20_mask; /* ~0 or ~(1<<20) */
    /* The map or A20 changed, or dirty marks were cleared: drop every cached translation. */
    void (*changed)(void *arg);
    void *changed_arg;
    /* Bytes of a page with PHYS_CODE changed (CPU store, DMA, debugger). `len` 0: a store that changed nothing. */
    void (*code_written)(void *arg, struct phys_block *block, uint64_t offset, uint32_t len);
    void *code_written_arg;
};

enum { PHYS_READ = 1, PHYS_WRITE = 2, PHYS_RW = 3 };

/* struct phys is large: allocate it with calloc, then init. */
void phys_init(struct phys *p);
void phys_free(struct phys *p); /* frees the blocks' memory */

/* New zeroed memory block; size is rounded up to pages. */
MUST_CHECK enum emu_err phys_block_new(struct phys *p, const char *name, uint64_t size, bool rom,
                                       struct phys_block **out, struct error *err);

/* Makes a region (nothing is mapped yet): memory of a block, or a device. The device sees offsets
 * from `base`. Returns its index (> 0) or, where the table is full, 0. */
unsigned phys_region_memory(struct phys *p, const char *name, struct phys_block *block,
                            uint64_t block_offset, paddr base, uint64_t size);
unsigned phys_region_device(struct phys *p, const char *name, const struct io_ops *ops, void *dev,
                            paddr base, uint64_t size);
/* Moves a region (PCI BAR): unmaps it wherever it is mapped, sets the new base; map it again. */
void phys_region_move(struct phys *p, unsigned region, paddr base);

/* Sends reads and/or writes (PHYS_RW bits) of [base, base+size) to `region` (0: nothing). Page
 * granular. Calls `changed`. Later calls win; who overlaps whom is the board's business. */
void phys_map(struct phys *p, paddr base, uint64_t size, unsigned region, unsigned rw);

void phys_set_a20(struct phys *p, bool open);

/* What page `addr` (A20 already applied by the callee) leads to. */
struct phys_target {
    uint8_t *host;             /* of the addressed byte, or NULL for a device or nothing */
    struct phys_block *block;  /* of host */
    uint64_t offset;           /* of the byte in block */
    const struct phys_region *region; /* NULL: nothing there */
};
struct phys_target phys_lookup(struct phys *p, paddr addr, bool write);

/* Guest-visible accesses: little-endian, may cross pages, may reach devices, honour A20, code and dirty marks. */
uint32_t phys_read(struct phys *p, paddr addr, unsigned size); /* size 1, 2 or 4 */
void phys_write(struct phys *p, paddr addr, uint32_t value, unsigned size);
void phys_read_bytes(struct phys *p, paddr addr, void *to, size_t len);
void phys_write_bytes(struct phys *p, paddr addr, const void *from, size_t len);

/* Debugger's read: as phys_read_bytes, but devices are not touched (their bytes read as FF). */
void phys_peek_bytes(struct phys *p, paddr addr, void *to, size_t len);

/* Dirty tracking of one block: tests and clears in one go. */
bool phys_dirty_test(const struct phys_block *b, uint64_t offset, uint64_t len);
void phys_dirty_clear(struct phys *p, struct phys_block *b, uint64_t offset, uint64_t len);

/* Marks bytes as written from outside the CPU's own stores: dirty, and code_written where needed. */
void phys_touch(struct phys *p, struct phys_block *b, uint64_t offset, uint32_t len);

/* "info mtree": one line per stretch of the map. */
void phys_print(const struct phys *p, void (*emit)(void *arg, const char *line), void *arg);

#endif
