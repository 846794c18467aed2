/*
 * Declared state: the exactness proof, the portable encoding, and that no damaged encoding crashes.
 * Expected bytes are those of the encoding's description in machine/state.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine/compiler.h"
#include "machine/state.h"

struct channel {
    uint64_t at;
    uint16_t count;
    uint8_t mode;
    uint8_t reserved;
    uint32_t latch;
};
STATE_DESC(channel_desc, struct channel, 1,
    FIELD(struct channel, at, "time"),
    FIELD(struct channel, count, "count"),
    FIELD_MAX(struct channel, mode, 5, "mode"),
    FIELD_MAX(struct channel, reserved, 0, "0"),
    FIELD(struct channel, latch, "latch"));

struct chip {
    struct channel channel[2];
    uint32_t regs[3];
    uint8_t bytes[20];
};
STATE_DESC(chip_desc, struct chip, 3,
    FIELD_STRUCT(struct chip, channel, struct channel, channel_desc, "channels"),
    FIELD(struct chip, regs, "registers"),
    FIELD(struct chip, bytes, "bytes"));

static struct chip sample(void)
{
    struct chip c = {
        .channel = {{0x1122334455667788ull, 0x99aa, 5, 0, 0xbbccddee}, {1, 2, 3, 0, 4}},
        .regs = {0xdeadbeef, 0, 0xffffffff},
    };
    for (unsigned i = 0; i < sizeof(c.bytes); i++)
        c.bytes[i] = (uint8_t)(i * 7);
    return c;
}

/* --- the exactness proof --- */

struct pair {
    uint32_t a;
    uint32_t b;
};
STATE_DESC(pair_desc, struct pair, 1, FIELD(struct pair, a, ""), FIELD(struct pair, b, ""));
STATE_DESC(pair_without_a, struct pair, 1, FIELD(struct pair, b, ""));
STATE_DESC(pair_without_b, struct pair, 1, FIELD(struct pair, a, ""));
STATE_DESC(pair_twice, struct pair, 1, FIELD(struct pair, a, ""), FIELD(struct pair, a, ""), FIELD(struct pair, b, ""));
STATE_DESC(pair_swapped, struct pair, 1, FIELD(struct pair, b, ""), FIELD(struct pair, a, ""));
struct padded {
    uint8_t a;
    uint32_t b;
};
STATE_DESC(padded_desc, struct padded, 1, FIELD(struct padded, a, ""), FIELD(struct padded, b, ""));
struct tail {
    uint32_t a;
    uint8_t b;
};
STATE_DESC(tail_desc, struct tail, 1, FIELD(struct tail, a, ""), FIELD(struct tail, b, ""));
struct with_signed {
    int32_t a;
};
STATE_DESC(with_signed_desc, struct with_signed, 1, FIELD(struct with_signed, a, ""));
struct with_pointer {
    void *p;
};
STATE_DESC(with_pointer_desc, struct with_pointer, 1, FIELD(struct with_pointer, p, ""));
struct nested {
    struct padded p;
};
STATE_DESC(nested_desc, struct nested, 1, FIELD_STRUCT(struct nested, p, struct padded, padded_desc, ""));
struct other {
    struct pair p;
};
STATE_DESC(other_desc, struct other, 1, FIELD_STRUCT(struct other, p, struct pair, channel_desc, ""));

static void an_exact_description_passes(void **state)
{
    struct error err = {""};
    (void)state;
    assert_int_equal(state_check(&chip_desc, &err), EMU_OK);
    assert_int_equal(state_check(&pair_desc, &err), EMU_OK);
}

static void every_fault_of_a_description_is_found(void **state)
{
    static const struct {
        const struct state_desc *desc;
        const char *says;
    } faults[] = {
        {&pair_without_a, "byte 0"}, {&pair_without_b, "bytes 4 to 7"}, {&pair_twice, "byte 4"},
        {&pair_swapped, "byte 0"},   {&padded_desc, "byte 1"},          {&tail_desc, "bytes 5 to 7"},
        {&with_signed_desc, "a"},    {&with_pointer_desc, "p"},         {&nested_desc, "byte 1"},
        {&other_desc, "sub-description"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct error err = {""};
        assert_int_equal(state_check(faults[i].desc, &err), EMU_FORMAT);
        assert_non_null(strstr(err.text, faults[i].says));
    }
}

/* --- the encoding --- */

static void the_encoding_is_little_endian_and_names_its_fields(void **state)
{
    static const uint8_t expected[] = {
        2, 0, 0, 0,                                           /* fields */
        1, 'a', STATE_U32, 1, 0, 0, 0, 0x44, 0x33, 0x22, 0x11, /* name, kind, count, value */
        1, 'b', STATE_U32, 1, 0, 0, 0, 0x88, 0x77, 0x66, 0x55,
    };
    const struct pair p = {0x11223344, 0x55667788};
    struct buf b = {0};
    (void)state;
    state_save(&pair_desc, &p, &b);
    assert_int_equal(b.len, sizeof(expected));
    assert_memory_equal(b.data, expected, sizeof(expected));
    buf_free(&b);
}

static void what_is_saved_loads_again(void **state)
{
    struct chip before = sample(), after;
    struct error err = {""};
    struct buf b = {0};
    unsigned unknown = 7;
    (void)state;
    memset(&after, 0, sizeof(after));
    state_save(&chip_desc, &before, &b);
    assert_int_equal(state_load(&chip_desc, &after, b.data, b.len, &unknown, &err), EMU_OK);
    assert_int_equal(unknown, 0);
    assert_memory_equal(&before, &after, sizeof(before));
    buf_free(&b);
}

/* A description with more fields than the saved one, and one with fewer. */
struct triple {
    uint32_t a;
    uint32_t c;
    uint32_t b;
};
STATE_DESC(triple_desc, struct triple, 2, FIELD(struct triple, a, ""), FIELD(struct triple, c, ""), FIELD(struct triple, b, ""));

static void absent_fields_keep_their_value_and_unknown_ones_are_counted(void **state)
{
    const struct pair p = {1, 2};
    struct triple t = {7, 8, 9};
    struct pair q = {0, 0};
    struct error err = {""};
    struct buf b = {0};
    unsigned unknown;
    (void)state;
    state_save(&pair_desc, &p, &b);
    assert_int_equal(state_load(&triple_desc, &t, b.data, b.len, &unknown, &err), EMU_OK);
    assert_int_equal(t.a, 1);
    assert_int_equal(t.c, 8);
    assert_int_equal(t.b, 2);
    b.len = 0;
    state_save(&triple_desc, &t, &b);
    assert_int_equal(state_load(&pair_desc, &q, b.data, b.len, &unknown, &err), EMU_OK);
    assert_int_equal(unknown, 1);
    assert_int_equal(q.b, 2);
    buf_free(&b);
}

static void an_unknown_struct_is_stepped_over(void **state)
{
    struct chip c = sample();
    struct {
        uint32_t regs[3];
    } only = {{0}};
    static const struct state_field field[] = {{"regs", "", 0, 4, 3, STATE_U32, UINT64_MAX, NULL}};
    static const struct state_desc desc = {"only", 1, 12, field, 1};
    struct error err = {""};
    struct buf b = {0};
    unsigned unknown;
    (void)state;
    state_save(&chip_desc, &c, &b);
    assert_int_equal(state_load(&desc, &only, b.data, b.len, &unknown, &err), EMU_OK);
    assert_true(unknown >= 2);
    assert_int_equal(only.regs[0], 0xdeadbeef);
    buf_free(&b);
}

static void a_value_over_its_maximum_is_refused_by_name(void **state)
{
    struct chip c = sample(), into;
    struct error err = {""};
    struct buf b = {0};
    (void)state;
    memset(&into, 0, sizeof(into));
    c.channel[1].mode = 6;
    state_save(&chip_desc, &c, &b);
    assert_int_equal(state_load(&chip_desc, &into, b.data, b.len, NULL, &err), EMU_FORMAT);
    assert_non_null(strstr(err.text, "mode"));
    buf_free(&b);
}

static void another_shape_is_refused(void **state)
{
    static const struct state_field shorter[] = {{"a", "", 0, 2, 2, STATE_U16, UINT64_MAX, NULL}};
    static const struct state_desc desc = {"pair", 1, 4, shorter, 1};
    const struct pair p = {1, 2};
    uint16_t into[2];
    struct error err = {""};
    struct buf b = {0};
    (void)state;
    state_save(&pair_desc, &p, &b);
    assert_int_equal(state_load(&desc, into, b.data, b.len, NULL, &err), EMU_FORMAT);
    assert_non_null(strstr(err.text, "shape"));
    buf_free(&b);
}

/* --- damage --- */

static void every_truncation_is_refused(void **state)
{
    struct chip c = sample();
    struct buf b = {0};
    (void)state;
    state_save(&chip_desc, &c, &b);
    for (size_t len = 0; len < b.len; len++) {
        struct chip into = {{{0}}, {0}, {0}};
        struct error err = {""};
        uint8_t *exact = malloc(len ? len : 1); /* for the address sanitizer */
        memcpy(exact, b.data, len);
        assert_int_equal(state_load(&chip_desc, &into, exact, len, NULL, &err), EMU_FORMAT);
        assert_true(strlen(err.text) > 0);
        free(exact);
    }
    buf_put_u8(&b, 0);
    struct chip into = {{{0}}, {0}, {0}};
    assert_int_equal(state_load(&chip_desc, &into, b.data, b.len, NULL, NULL), EMU_FORMAT);
    buf_free(&b);
}

static void every_flipped_bit_is_refused_or_harmless(void **state)
{
    struct chip c = sample();
    struct buf b = {0};
    (void)state;
    state_save(&chip_desc, &c, &b);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        struct {
            struct chip chip;
            uint8_t guard[16];
        } into;
        struct error err = {""};
        memset(&into, 0x5a, sizeof(into));
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum emu_err e = state_load(&chip_desc, &into.chip, b.data, b.len, NULL, &err);
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(e == EMU_OK || e == EMU_FORMAT);
        for (unsigned i = 0; i < sizeof(into.guard); i++)
            assert_int_equal(into.guard[i], 0x5a);
        if (!e) {
            assert_true(into.chip.channel[0].mode <= 5 || into.chip.channel[0].mode == 0x5a);
        }
    }
    buf_free(&b);
}

static void random_bytes_end_soon_whatever_they_say(void **state)
{
    uint64_t seed = 1;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t data[64];
        struct chip into;
        for (unsigned i = 0; i < sizeof(data); i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            data[i] = (uint8_t)(seed >> 60 < 8 ? seed >> 40 & 7 : seed >> 40);
        }
        (void)!state_load(&chip_desc, &into, data, seed >> 33 & 63, NULL, NULL);
    }
}

/* An unknown struct of 2^32 - 1 empty elements, nested: the data ends, and so must the reader. */
static void huge_counts_do_not_make_work(void **state)
{
    struct buf b = {0};
    struct pair into = {0, 0};
    (void)state;
    buf_put_u32(&b, 1);
    buf_put_u8(&b, 1);
    buf_put(&b, "z", 1);
    buf_put_u8(&b, STATE_STRUCT);
    buf_put_u32(&b, 0xffffffff);
    for (unsigned i = 0; i < 100; i++)
        buf_put_u32(&b, 0);
    assert_int_equal(state_load(&pair_desc, &into, b.data, b.len, NULL, NULL), EMU_FORMAT);
    b.len -= 400;
    b.data[b.len - 5] = STATE_U64;
    assert_int_equal(state_load(&pair_desc, &into, b.data, b.len, NULL, NULL), EMU_FORMAT);
    buf_free(&b);
}

static void deep_nesting_is_refused(void **state)
{
    struct buf b = {0};
    struct pair into = {0, 0};
    struct error err = {""};
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        buf_put_u32(&b, 1);
        buf_put_u8(&b, 1);
        buf_put(&b, "z", 1);
        buf_put_u8(&b, STATE_STRUCT);
        buf_put_u32(&b, 1);
    }
    buf_put_u32(&b, 0);
    assert_int_equal(state_load(&pair_desc, &into, b.data, b.len, NULL, &err), EMU_FORMAT);
    assert_non_null(strstr(err.text, "nested"));
    buf_free(&b);
}

/* --- hash and print --- */

static void the_hash_depends_on_every_bit_and_on_the_seed(void **state)
{
    struct chip c = sample();
    uint64_t h = state_hash(0, &chip_desc, &c);
    (void)state;
    assert_true(h == state_hash(0, &chip_desc, &c));
    assert_true(h != state_hash(1, &chip_desc, &c));
    for (size_t bit = 0; bit < sizeof(c) * 8; bit++) {
        ((uint8_t *)&c)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(h != state_hash(0, &chip_desc, &c));
        ((uint8_t *)&c)[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void bytes_hash_by_length_and_content(void **state)
{
    uint64_t seen[40];
    const uint8_t zeros[40] = {0};
    (void)state;
    for (unsigned n = 0; n < 40; n++) {
        seen[n] = hash_bytes(0, zeros, n);
        for (unsigned k = 0; k < n; k++)
            assert_true(seen[k] != seen[n]);
    }
}

struct lines {
    char text[40][200];
    unsigned n;
};
static void on_line(void *arg, const char *line)
{
    struct lines *l = arg;
    snprintf(l->text[l->n++ % 40], sizeof(l->text[0]), "%s", line);
}

static void printing_names_every_field(void **state)
{
    struct chip c = sample();
    struct lines l = {.n = 0};
    (void)state;
    state_print(&chip_desc, &c, on_line, &l);
    assert_string_equal(l.text[0], "channel[0].at = 1122334455667788");
    assert_string_equal(l.text[1], "channel[0].count = 99aa");
    assert_string_equal(l.text[5], "channel[1].at = 0000000000000001");
    assert_string_equal(l.text[10], "regs = deadbeef 00000000 ffffffff");
    assert_string_equal(l.text[12], "bytes[16] = 70 77 7e 85");
    assert_int_equal(l.n, 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_description_passes),
        cmocka_unit_test(every_fault_of_a_description_is_found),
        cmocka_unit_test(the_encoding_is_little_endian_and_names_its_fields),
        cmocka_unit_test(what_is_saved_loads_again),
        cmocka_unit_test(absent_fields_keep_their_value_and_unknown_ones_are_counted),
        cmocka_unit_test(an_unknown_struct_is_stepped_over),
        cmocka_unit_test(a_value_over_its_maximum_is_refused_by_name),
        cmocka_unit_test(another_shape_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused_or_harmless),
        cmocka_unit_test(random_bytes_end_soon_whatever_they_say),
        cmocka_unit_test(huge_counts_do_not_make_work),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(the_hash_depends_on_every_bit_and_on_the_seed),
        cmocka_unit_test(bytes_hash_by_length_and_content),
        cmocka_unit_test(printing_names_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
