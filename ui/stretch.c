/* See stretch.h. Pixel centres are at half coordinates; positions are in 1/256 of a source pixel. */
#include "ui/stretch.h"

#include <string.h>

/* Where the centre of pixel i of `to` lies among the centres of `from` pixels. */
static int64_t position(uint32_t i, uint32_t from, uint32_t to)
{
    return ((2 * (int64_t)i + 1) * from * 128) / to - 128;
}

/* The two source pixels and the weight of the second, 0..255. */
struct tap {
    uint32_t first, second, weight;
};

static struct tap tap_at(int64_t at, uint32_t from)
{
    if (at < 0)
        return (struct tap){0, 0, 0};
    uint32_t first = (uint32_t)(at >> 8);
    if (first + 1 >= from)
        return (struct tap){from - 1, from - 1, 0};
    return (struct tap){first, first + 1, (uint32_t)(at & 255)};
}

/* Red and blue in one multiplication, green in another. */
static uint32_t blend(uint32_t a, uint32_t b, uint32_t weight)
{
    uint32_t rb = (a & 0xff00ff) * (256 - weight) + (b & 0xff00ff) * weight;
    uint32_t g = (a & 0x00ff00) * (256 - weight) + (b & 0x00ff00) * weight;
    return (rb >> 8 & 0xff00ff) | (g >> 8 & 0x00ff00);
}

void stretch_range(const struct stretch *s, uint32_t from_first, uint32_t from_end, uint32_t *first, uint32_t *end)
{
    uint32_t y = 0;
    while (y < s->height && tap_at(position(y, s->from->height, s->height), s->from->height).second < from_first)
        y++;
    *first = y;
    while (y < s->height && tap_at(position(y, s->from->height, s->height), s->from->height).first < from_end)
        y++;
    *end = y;
}

void stretch_row(const struct stretch *s, uint32_t y, uint32_t *scratch, uint32_t *to)
{
    uint32_t width = s->from->width;
    struct tap v = tap_at(position(y, s->from->height, s->height), s->from->height);
    const uint32_t *above = surface_row(s->from, v.first), *below = surface_row(s->from, v.second);
    uint32_t *row = width == s->width ? to : scratch;
    if (v.weight == 0)
        memcpy(row, above, width * sizeof(*row));
    for (uint32_t x = 0; v.weight && x < width; x++)
        row[x] = blend(above[x], below[x], v.weight);
    for (uint32_t x = 0; row != to && x < s->width; x++) {
        struct tap h = tap_at(position(x, width, s->width), width);
        to[x] = blend(row[h.first], row[h.second], h.weight);
    }
}
