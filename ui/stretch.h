/*
 * Scales a picture with linear interpolation, some rows at a time: for hosts without a GPU, where a
 * front end wants to touch only what changed.
 */
#ifndef UI_STRETCH_H
#define UI_STRETCH_H

#include "machine/screen.h"

struct stretch {
    const struct surface *from;
    uint32_t width, height; /* of the result */
};

/* The rows of the result [*first, *end) that depend on rows [from_first, from_end) of the picture. */
void stretch_range(const struct stretch *s, uint32_t from_first, uint32_t from_end, uint32_t *first, uint32_t *end);

/* Row y of the result into to[0..width). `scratch` has room for a row of the picture. */
void stretch_row(const struct stretch *s, uint32_t y, uint32_t *scratch, uint32_t *to);

#endif
