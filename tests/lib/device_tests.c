/* The generated device suite. See device_tests.h. */
#include "tests/lib/device_tests.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 8, STEP_NS = 700001, SETTLE_NS = 10000000, FLIPS = 200, HOSTILES = 100 };

/* Deterministic noise (xorshift64*). */
static uint64_t noise(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 2685821657736338717ull;
}

static struct bench *new_board(const struct device_case *c)
{
    void *state = NULL;
    assert_int_equal(c->setup(&state), 0);
    struct bench *b = state;
    struct device *dut = c->device(b), *d = b->devices;
    while (d && d != dut)
        d = d->next;
    if (!d)
        bench_add(b, dut);
    return b;
}

static void pre_save(struct bench *b)
{
    for (struct device *d = b->devices; d; d = d->next) {
        if (d->cls->pre_save)
            d->cls->pre_save(d);
    }
}

static uint64_t board_hash(struct bench *b)
{
    pre_save(b);
    uint64_t h = state_hash(1, &clock_state_desc, &b->clk.st);
    for (struct device *d = b->devices; d; d = d->next)
        h = state_hash(h, d->cls->state, device_state(d));
    return h;
}

static void save_device(struct device *d, struct buf *out)
{
    if (d->cls->pre_save)
        d->cls->pre_save(d);
    state_save(d->cls->state, device_state(d), out);
    assert_false(out->failed);
}

/* Loads without post_load; a refused encoding leaves the device as it was. */
static enum emu_err load_device(struct device *d, const uint8_t *data, size_t len)
{
    struct error err = {""};
    void *copy = malloc(d->cls->state->size);
    assert_non_null(copy);
    memcpy(copy, device_state(d), d->cls->state->size);
    enum emu_err e = state_load(d->cls->state, copy, data, len, NULL, &err);
    if (e == EMU_OK)
        memcpy(device_state(d), copy, d->cls->state->size);
    else
        assert_true(err.text[0] != 0); /* refused with a sentence */
    free(copy);
    return e;
}

static enum emu_err post_load_all(struct bench *b)
{
    struct error err = {""};
    for (struct device *d = b->devices; d; d = d->next) {
        enum emu_err e = d->cls->post_load ? d->cls->post_load(d, &err) : EMU_OK;
        if (e != EMU_OK) {
            assert_true(err.text[0] != 0);
            return e;
        }
    }
    return EMU_OK;
}

static void copy_memory(struct bench *to, const struct bench *from)
{
    for (unsigned i = 0; i < from->phys->nblocks && i < to->phys->nblocks; i++) {
        struct phys_block *t = &to->phys->block[i];
        assert_int_equal(t->size, from->phys->block[i].size);
        memcpy(t->host, from->phys->block[i].host, (size_t)t->size);
    }
}

/* A new board with the saved state of `from`, loaded as a snapshot is: all states, then post_load
 * in wiring order. */
static struct bench *clone_board(const struct device_case *c, struct bench *from)
{
    struct bench *to = new_board(c);
    to->clk.st = from->clk.st;
    copy_memory(to, from);
    struct device *s = from->devices, *d = to->devices;
    for (; s && d; s = s->next, d = d->next) {
        struct buf out = {0};
        save_device(s, &out);
        assert_int_equal(load_device(d, out.data, out.len), EMU_OK);
        buf_free(&out);
    }
    assert_true(!s && !d);
    assert_int_equal(post_load_all(to), EMU_OK);
    return to;
}

void device_test_description(void **state)
{
    const struct device_case *c = *state;
    struct bench *b = new_board(c);
    for (struct device *d = b->devices; d; d = d->next) {
        struct error err = {""};
        if (state_check(d->cls->state, &err) != EMU_OK)
            fail_msg("%s: %s", d->id, err.text);
    }
    bench_free(b);
}

static void reset_all(struct bench *b, enum reset_kind kind)
{
    for (struct device *d = b->devices; d; d = d->next)
        d->cls->reset(d, kind);
}

void device_test_reset(void **state)
{
    const struct device_case *c = *state;
    static const enum reset_kind kinds[] = {RESET_POWER_ON, RESET_HARD};
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        struct bench *b = new_board(c);
        c->poke(b);
        reset_all(b, kinds[i]);
        uint64_t once = board_hash(b);
        reset_all(b, kinds[i]);
        assert_int_equal(board_hash(b), once);
        bench_free(b);
    }
}

static void assert_same_board(struct bench *a, struct bench *b)
{
    assert_int_equal(board_hash(a), board_hash(b));
    for (unsigned i = 0; i < BENCH_LINES; i++) {
        if (a->line[i] != b->line[i])
            fail_msg("line %u is %d on one board, %d on the other", i, a->line[i], b->line[i]);
    }
}

void device_test_round_trip(void **state)
{
    const struct device_case *c = *state;
    struct bench *a = new_board(c);
    for (unsigned i = 0; i < 2; i++) {
        struct bench *b = clone_board(c, a);
        assert_same_board(a, b);
        bench_free(b);
        c->poke(a);
    }
    bench_free(a);
}

void device_test_poke_and_restore(void **state)
{
    const struct device_case *c = *state;
    struct bench *a = new_board(c);
    struct bench *saved = clone_board(c, a);
    struct device *dut = c->device(a);
    uint64_t before = board_hash(a);
    pre_save(a);
    uint64_t dut_before = state_hash(1, dut->cls->state, device_state(dut));
    c->poke(a);
    pre_save(a);
    assert_int_not_equal(state_hash(1, dut->cls->state, device_state(dut)), dut_before);
    struct bench *b = clone_board(c, saved);
    assert_int_equal(board_hash(b), before);
    bench_free(a);
    bench_free(b);
    bench_free(saved);
}

static void run_steps(const struct device_case *c, struct bench *b, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        if (i % 3 == 0)
            c->poke(b);
        clock_step(b, STEP_NS << i); /* 0.7 ms up to 90 ms */
    }
}

void device_test_replay(void **state)
{
    const struct device_case *c = *state;
    struct bench *unbroken = new_board(c);
    run_steps(c, unbroken, 0, STEPS);
    for (unsigned k = 0; k <= STEPS; k++) {
        struct bench *a = new_board(c);
        run_steps(c, a, 0, k);
        struct bench *b = clone_board(c, a);
        run_steps(c, b, k, STEPS);
        assert_same_board(unbroken, b);
        bench_free(a);
        bench_free(b);
    }
    bench_free(unbroken);
}

void device_test_late_timers(void **state)
{
    const struct device_case *c = *state;
    struct bench *b = new_board(c);
    for (unsigned i = 0; i < 4; i++) {
        c->poke(b);
        clock_jump(b, 333333331ull << (2 * i)); /* a third of a second up to 21 s late */
        assert_true(clock_next_due(&b->clk) > clock_now(&b->clk));
    }
    bench_free(b);
}

void device_test_truncated(void **state)
{
    const struct device_case *c = *state;
    struct bench *b = new_board(c);
    c->poke(b);
    struct buf out = {0};
    struct device *dut = c->device(b);
    save_device(dut, &out);
    size_t stride = out.len / 257 + 1;
    for (size_t len = 0; len < out.len; len += stride)
        assert_int_not_equal(load_device(dut, out.data, len), EMU_OK);
    buf_free(&out);
    bench_free(b);
}

/* If the loader takes the state, the machine must survive living with it. */
static void live_with(const struct device_case *c, const struct clock_state *clk,
                      const uint8_t *data, size_t len)
{
    struct bench *b = new_board(c);
    b->clk.st = *clk;
    if (load_device(c->device(b), data, len) == EMU_OK && post_load_all(b) == EMU_OK) {
        clock_step(b, SETTLE_NS);
        c->poke(b);
        clock_step(b, SETTLE_NS);
    }
    bench_free(b);
}

void device_test_bit_flips(void **state)
{
    const struct device_case *c = *state;
    struct bench *b = new_board(c);
    c->poke(b);
    struct buf out = {0};
    save_device(c->device(b), &out);
    uint64_t seed = 88172645463325252ull;
    for (unsigned i = 0; i < FLIPS; i++) {
        uint64_t bit = noise(&seed) % (out.len * 8);
        out.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        live_with(c, &b->clk.st, out.data, out.len);
        out.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    buf_free(&out);
    bench_free(b);
}

static uint64_t hostile_value(uint64_t *seed, uint64_t max, uint64_t old)
{
    switch (noise(seed) % 4) {
    case 0:
        return max;
    case 1:
        return max == UINT64_MAX ? noise(seed) : noise(seed) % (max + 1);
    case 2:
        return 0;
    default:
        return old;
    }
}

static void scramble_scalar(const struct state_field *f, uint8_t *at, uint64_t *seed)
{
    uint64_t old = 0, width_max = f->size == 8 ? UINT64_MAX : (1ull << (8 * f->size)) - 1;
    uint64_t max = f->max < width_max ? f->max : width_max;
    uint16_t v16;
    uint32_t v32;
    switch (f->size) {
    case 1:
        *at = (uint8_t)hostile_value(seed, max, *at);
        break;
    case 2:
        memcpy(&v16, at, 2);
        v16 = (uint16_t)hostile_value(seed, max, v16);
        memcpy(at, &v16, 2);
        break;
    case 4:
        memcpy(&v32, at, 4);
        v32 = (uint32_t)hostile_value(seed, max, v32);
        memcpy(at, &v32, 4);
        break;
    default:
        memcpy(&old, at, 8);
        old = hostile_value(seed, max, old);
        memcpy(at, &old, 8);
    }
}

/* Any value that the description allows, in every field: what a hostile snapshot can hold. */
static void scramble(const struct state_desc *desc, uint8_t *obj, uint64_t *seed)
{
    for (uint32_t i = 0; i < desc->nfields; i++) {
        const struct state_field *f = &desc->fields[i];
        for (uint32_t k = 0; k < f->count; k++) {
            uint8_t *at = obj + f->offset + (size_t)k * f->size;
            if (f->kind == STATE_STRUCT)
                scramble(f->sub, at, seed);
            else
                scramble_scalar(f, at, seed);
        }
    }
}

void device_test_hostile(void **state)
{
    const struct device_case *c = *state;
    uint64_t seed = 0x9e3779b97f4a7c15ull;
    for (unsigned i = 0; i < HOSTILES; i++) {
        struct bench *b = new_board(c);
        c->poke(b);
        struct device *dut = c->device(b);
        struct buf out = {0};
        scramble(dut->cls->state, device_state(dut), &seed);
        state_save(dut->cls->state, device_state(dut), &out);
        live_with(c, &b->clk.st, out.data, out.len);
        buf_free(&out);
        bench_free(b);
    }
}
