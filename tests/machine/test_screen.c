/*
 * Pictures on disk: PNG read back with libpng, PPM by its text header, and characters of code page
 * 437 against the Unicode Consortium's table (CP437.TXT) and IBM's pictures of the control codes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#ifdef HAVE_PNG
#include <png.h>
#endif

#include "machine/screen.h"

struct fixture {
    struct surface s;
    char dir[64], path[128];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/test_screen.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(surface_resize(&f->s, 5, 3, NULL), EMU_OK);
    for (uint32_t y = 0; y < 3; y++)
        for (uint32_t x = 0; x < 5; x++)
            surface_row(&f->s, y)[x] = x * 50 << 16 | y * 100 << 8 | (x + y);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0); /* so no temporary file was left behind */
    surface_free(&f->s);
    free(f);
    return 0;
}

static const char *file(struct fixture *f, const char *name)
{
    snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, name);
    return f->path;
}

#ifdef HAVE_PNG
static void a_png_decodes_to_the_same_pixels(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(screen_save(&f->s, file(f, "a.png"), NULL), EMU_OK);
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, f->path));
    image.format = PNG_FORMAT_RGB;
    assert_int_equal(image.width, 5);
    assert_int_equal(image.height, 3);
    uint8_t rgb[45];
    assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
    for (uint32_t i = 0; i < 15; i++) {
        uint32_t x = i % 5, y = i / 5;
        assert_int_equal(rgb[3 * i], x * 50);
        assert_int_equal(rgb[3 * i + 1], y * 100);
        assert_int_equal(rgb[3 * i + 2], x + y);
    }
}
#endif

static void a_ppm_has_its_header_and_bytes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(screen_save(&f->s, file(f, "a.PPM"), NULL), EMU_OK);
    FILE *in = fopen(f->path, "rb");
    char bytes[64];
    size_t n = fread(bytes, 1, sizeof(bytes), in);
    fclose(in);
    assert_int_equal(n, 11 + 45);
    assert_memory_equal(bytes, "P6\n5 3\n255\n", 11);
    assert_int_equal((uint8_t)bytes[11 + 44 - 2], 200); /* the last pixel: 200, 200, 6 */
    assert_int_equal((uint8_t)bytes[11 + 44 - 1], 200);
    assert_int_equal((uint8_t)bytes[11 + 44], 6);
}

static void an_impossible_path_is_one_sentence(void **state)
{
    struct fixture *f = *state;
    struct error err = {{0}};
    char path[160];
    snprintf(path, sizeof(path), "%s/none/a.ppm", f->dir);
    assert_int_equal(screen_save(&f->s, path, &err), EMU_IO);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "No such file"));
}

static void an_empty_surface_is_refused(void **state)
{
    struct fixture *f = *state;
    struct surface empty = {0};
    struct error err = {{0}};
    assert_int_equal(screen_save(&empty, file(f, "a.ppm"), &err), EMU_ARG);
    assert_true(access(f->path, F_OK) != 0);
}

static void hash_tells_size_and_pixels_apart(void **state)
{
    struct fixture *f = *state;
    uint64_t before = surface_hash(&f->s);
    surface_row(&f->s, 2)[4] ^= 1;
    assert_true(surface_hash(&f->s) != before);
    surface_row(&f->s, 2)[4] ^= 1;
    assert_true(surface_hash(&f->s) == before);
    f->s.width = f->s.stride = 3;
    f->s.height = 5;
    assert_true(surface_hash(&f->s) != before);
}

static void code_page_437_maps_to_unicode(void **state)
{
    (void)state;
    static const struct { uint8_t ch; uint16_t unicode; } known[] = {
        {0x41, 0x0041}, {0x80, 0x00c7}, {0x9e, 0x20a7}, {0xb3, 0x2502}, {0xc9, 0x2554},
        {0xdb, 0x2588}, {0xe1, 0x00df}, {0xf8, 0x00b0}, {0xfe, 0x25a0}, {0x01, 0x263a},
        {0x10, 0x25ba}, {0x1b, 0x2190}, {0x7f, 0x2302}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_int_equal(cp437_to_unicode(known[i].ch), known[i].unicode);
    for (unsigned ch = 0x20; ch < 0x7f; ch++)
        assert_int_equal(cp437_to_unicode((uint8_t)ch), ch);
}

static void utf8_has_one_to_three_bytes(void **state)
{
    (void)state;
    char out[CP437_UTF8_MAX];
    assert_int_equal(cp437_to_utf8('z', out), 1);
    assert_memory_equal(out, "z", 1);
    assert_int_equal(cp437_to_utf8(0x84, out), 2);
    assert_memory_equal(out, "\xc3\xa4", 2); /* U+00E4 */
    assert_int_equal(cp437_to_utf8(0xdb, out), 3);
    assert_memory_equal(out, "\xe2\x96\x88", 3); /* U+2588 */
}

static void text_is_cut_at_a_whole_character(void **state)
{
    (void)state;
    char out[4];
    struct screen_text t;
    screen_text_begin(&t, out, sizeof(out));
    screen_text_put(&t, 'a');
    screen_text_put(&t, 0xdb); /* three bytes and the NUL do not fit */
    screen_text_put(&t, 'b');  /* nothing follows a gap */
    assert_string_equal(out, "a");
    assert_true(t.full);
    screen_text_begin(&t, out, 0);
    screen_text_put(&t, 'a');
    screen_text_end_row(&t);
    assert_true(t.full);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef HAVE_PNG
        T(a_png_decodes_to_the_same_pixels),
#endif
        T(a_ppm_has_its_header_and_bytes),
        T(an_impossible_path_is_one_sentence),
        T(an_empty_surface_is_refused),
        T(hash_tells_size_and_pixels_apart),
        cmocka_unit_test(code_page_437_maps_to_unicode),
        cmocka_unit_test(utf8_has_one_to_three_bytes),
        cmocka_unit_test(text_is_cut_at_a_whole_character),
    };
    return cmocka_run_group_tests_name("screen", tests, NULL, NULL);
}
