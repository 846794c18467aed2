/*
 * A DMA channel as a peripheral sees it: a DREQ wire, and a data path that the peripheral pulls.
 * The peripheral knows neither the controller's type nor its channel number; the board fills in a
 * struct dma_line and gives it to the peripheral's wiring.
 *
 * Use: dma_request(line, true); moved = dma_transfer(line, buf, len, dir, &tc);
 * dma_request(line, false). A transfer without a request moves nothing.
 */
#ifndef DEVICES_DMA_H
#define DEVICES_DMA_H

#include "machine/types.h"

enum dma_direction { DMA_TO_MEMORY, DMA_FROM_MEMORY };

struct dma_ops {
    void (*request)(void *controller, unsigned channel, bool level);
    /* Moves up to len bytes and stops at terminal count; *tc tells whether it was reached. Returns
     * the bytes moved: 0 while the channel is masked, disabled or not requested. */
    size_t (*transfer)(void *controller, unsigned channel, void *buf, size_t len,
                       enum dma_direction dir, bool *tc);
    /* The cascade: may another controller that hangs on this channel use the bus? */
    bool (*granted)(void *controller, unsigned channel);
};

struct dma_line {
    const struct dma_ops *ops; /* NULL: not connected */
    void *controller;
    unsigned channel;
};

static inline void dma_request(const struct dma_line *line, bool level)
{
    if (line->ops)
        line->ops->request(line->controller, line->channel, level);
}

static inline size_t dma_transfer(const struct dma_line *line, void *buf, size_t len,
                                  enum dma_direction dir, bool *tc)
{
    *tc = false;
    return line->ops ? line->ops->transfer(line->controller, line->channel, buf, len, dir, tc) : 0;
}

#endif
