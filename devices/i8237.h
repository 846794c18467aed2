/* The 8237A DMA controller and the 74LS612 page registers of the PC/AT. See i8237.c. */
#ifndef DEVICES_I8237_H
#define DEVICES_I8237_H

#include "devices/dma.h"
#include "machine/device.h"
#include "machine/log.h"
#include "mmu/phys.h"

/* ---- Page registers: address bits 16-23 of every channel ---- */

struct dma_page_state {
    uint8_t page[16];
};

struct dma_page {
    struct device dev;
    struct dma_page_state st;
};

extern const struct device_class dma_page_class;
extern const struct io_ops dma_page_io; /* offset 0-15 */

void dma_page_init(struct dma_page *p, const char *id);

/* ---- One controller, four channels ---- */

struct i8237_state {
    uint16_t base_address[4];
    uint16_t base_count[4];
    uint16_t address[4]; /* current */
    uint16_t count[4];   /* current: transfers left - 1 */
    uint8_t mode[4];     /* bits 2-7 as written */
    uint8_t command;
    uint8_t reached_tc; /* status bits 0-3 */
    uint8_t request;    /* software requests */
    uint8_t mask;
    uint8_t dreq;      /* levels of the pins */
    uint8_t flip_flop; /* 1: the next byte is the high one */
    uint8_t temporary;
    uint8_t reserved;
};

struct i8237_wiring {
    struct log *log;
    struct phys *phys;
    struct dma_page *pages;
    uint8_t page_of[4]; /* page register of each channel */
    bool wide;          /* 16-bit channels: addresses shifted by one, registers 2 ports apart */
    struct dma_line cascade; /* the channel that this controller hangs on; unconnected: the CPU */
};

struct i8237 {
    struct device dev;
    struct i8237_wiring w;
    struct i8237_state st;
};

extern const struct device_class i8237_class;
extern const struct io_ops i8237_io;       /* 16 registers; a wide one takes 32 offsets */
extern const struct dma_ops i8237_dma_ops; /* for struct dma_line */

void i8237_init(struct i8237 *d, const char *id, struct i8237_wiring w);

/* The line for a peripheral on `channel` (0-3 of this controller). */
struct dma_line i8237_line(struct i8237 *d, unsigned channel);

#endif
