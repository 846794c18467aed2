/* Scaling with linear interpolation: exact where it must be, and independent row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "machine/compiler.h"
#include "ui/stretch.c"

static struct surface picture(uint32_t width, uint32_t height)
{
    struct surface s = {0};
    struct error err;
    assert_int_equal(surface_resize(&s, width, height, &err), EMU_OK);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++)
            surface_row(&s, y)[x] = (x * 77 + y * 31) % 256 << 16 | (x ^ y) % 256 << 8 | (x + y * 3) % 256;
    }
    return s;
}

static uint32_t *stretch_all(const struct surface *from, uint32_t width, uint32_t height)
{
    struct stretch s = {from, width, height};
    uint32_t *out = calloc((size_t)width * height, sizeof(*out)), *scratch = calloc(from->width, sizeof(*scratch));
    for (uint32_t y = 0; y < height; y++)
        stretch_row(&s, y, scratch, out + (size_t)y * width);
    free(scratch);
    return out;
}

static void the_same_size_is_a_copy(void **state)
{
    struct surface s = picture(720, 400);
    uint32_t *out = stretch_all(&s, 720, 400);
    (void)state;
    assert_memory_equal(out, s.pixels, (size_t)720 * 400 * sizeof(*out));
    free(out);
    surface_free(&s);
}

static void one_colour_stays_one_colour(void **state)
{
    static const uint32_t sizes[][2] = {{1, 1}, {320, 200}, {721, 541}, {1600, 1200}, {37, 1000}};
    struct surface s = picture(64, 40);
    (void)state;
    for (size_t i = 0; i < 64 * 40; i++)
        s.pixels[i] = 0xaa5501;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint32_t *out = stretch_all(&s, sizes[i][0], sizes[i][1]);
        for (size_t k = 0; k < (size_t)sizes[i][0] * sizes[i][1]; k++)
            assert_int_equal(out[k], 0xaa5501);
        free(out);
    }
    surface_free(&s);
}

/* Two pixels black and white on four: centres at 1/4 and 3/4 of the way give the quarters. */
static void centres_of_pixels_decide_the_weights(void **state)
{
    struct surface s = picture(2, 1);
    (void)state;
    s.pixels[0] = 0x000000;
    s.pixels[1] = 0x808080;
    uint32_t *out = stretch_all(&s, 4, 1);
    assert_int_equal(out[0], 0x000000);
    assert_int_equal(out[1], 0x202020);
    assert_int_equal(out[2], 0x606060);
    assert_int_equal(out[3], 0x808080);
    free(out);
    surface_free(&s);
}

/* What depends on some rows, and only that, changes with them. */
static void the_range_of_rows_is_complete(void **state)
{
    static const uint32_t heights[] = {540, 400, 399, 200, 1201};
    struct surface s = picture(16, 400);
    (void)state;
    for (size_t h = 0; h < ARRAY_LEN(heights); h++) {
        struct stretch st = {&s, 16, heights[h]};
        for (uint32_t row = 0; row < 400; row += 13) {
            uint32_t first, end, height = row % 3 + 1;
            uint32_t *before = stretch_all(&s, 16, heights[h]);
            for (uint32_t y = row; y < row + height && y < 400; y++)
                surface_row(&s, y)[5] ^= 0xffffff;
            uint32_t *after = stretch_all(&s, 16, heights[h]);
            stretch_range(&st, row, row + height, &first, &end);
            assert_in_range(end, first, heights[h]);
            for (uint32_t y = 0; y < heights[h]; y++) {
                if (y < first || y >= end)
                    assert_memory_equal(before + (size_t)y * 16, after + (size_t)y * 16, 16 * sizeof(*before));
            }
            free(before);
            free(after);
        }
    }
    surface_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_size_is_a_copy),
        cmocka_unit_test(one_colour_stays_one_colour),
        cmocka_unit_test(centres_of_pixels_decide_the_weights),
        cmocka_unit_test(the_range_of_rows_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
