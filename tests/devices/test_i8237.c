/* 8237A DMA controllers and page registers, wired as in a PC/AT. */
#include "devices/i8237.h"
#include "tests/lib/device_tests.h"

#include <string.h>

struct at_dma {
    struct i8237 narrow, wide;
    struct dma_page pages;
};

static struct at_dma *at(struct bench *b)
{
    return b->dev;
}

/* The ports of the PC/AT: 00-0F, C0-DF, pages 81-8F; the 8-bit chip hangs on channel 4. */
static int setup(void **state)
{
    struct bench *b = bench_new();
    struct at_dma *d = bench_alloc(b, sizeof(*d));
    dma_page_init(&d->pages, "dma_page");
    i8237_init(&d->wide, "dma1",
               (struct i8237_wiring){.log = &b->log,
                                     .phys = b->phys,
                                     .pages = &d->pages,
                                     .page_of = {0xf, 0xb, 0x9, 0xa},
                                     .wide = true});
    i8237_init(&d->narrow, "dma0",
               (struct i8237_wiring){.log = &b->log,
                                     .phys = b->phys,
                                     .pages = &d->pages,
                                     .page_of = {0x7, 0x3, 0x1, 0x2},
                                     .cascade = i8237_line(&d->wide, 0)});
    bench_map(b, 0x00, 16, 0, &i8237_io, &d->narrow);
    bench_map(b, 0xc0, 32, 0, &i8237_io, &d->wide);
    bench_map(b, 0x81, 15, 1, &dma_page_io, &d->pages);
    bench_add(b, &d->narrow.dev);
    bench_add(b, &d->wide.dev);
    bench_add(b, &d->pages.dev);
    *state = b;
    return 0;
}

static void open_cascade(struct bench *b)
{
    out8(b, 0xd6, 0xc0);
    out8(b, 0xd4, 0x00);
}

/* Channel 2, as for a floppy. */
static void program_channel_2(struct bench *b, uint8_t mode, uint32_t address, uint16_t count)
{
    open_cascade(b);
    out8(b, 0x0a, 0x06);
    out8(b, 0x0b, mode);
    out8(b, 0x0c, 0);
    out8(b, 0x04, (uint8_t)address);
    out8(b, 0x04, (uint8_t)(address >> 8));
    out8(b, 0x81, (uint8_t)(address >> 16));
    out8(b, 0x05, (uint8_t)count);
    out8(b, 0x05, (uint8_t)(count >> 8));
    out8(b, 0x0a, 0x02);
}

static size_t transfer(struct i8237 *d, unsigned channel, void *buf, size_t len,
                       enum dma_direction dir, bool *tc)
{
    struct dma_line line = i8237_line(d, channel);
    dma_request(&line, true);
    size_t moved = dma_transfer(&line, buf, len, dir, tc);
    dma_request(&line, false);
    return moved;
}

static uint16_t read_pair(struct bench *b, uint16_t port)
{
    uint8_t low = in8(b, port);
    return (uint16_t)(low | in8(b, port) << 8);
}

/* 8237A p.6: base and current registers are written together, low byte first by the flip-flop. */
static void address_and_count_read_back_through_the_flip_flop(void **state)
{
    struct bench *b = *state;
    out8(b, 0x0c, 0);
    for (uint16_t port = 0; port < 8; port++) {
        out8(b, port, (uint8_t)(0x10 + port));
        out8(b, port, (uint8_t)(0xa0 + port));
    }
    for (uint16_t port = 0; port < 8; port++)
        assert_int_equal(read_pair(b, port), (0xa0 + port) << 8 | (0x10 + port));
    in8(b, 0x00);
    out8(b, 0x0c, 0);
    assert_int_equal(in8(b, 0x00), 0x10);
}

/* 8237A p.9: master clear masks all channels and clears status, command and flip-flop. */
static void master_clear_masks_everything(void **state)
{
    struct bench *b = *state;
    out8(b, 0x0f, 0x00);
    assert_int_equal(in8(b, 0x0f) & 15, 0);
    out8(b, 0x08, 0x04);
    in8(b, 0x00);
    out8(b, 0x0d, 0);
    assert_int_equal(in8(b, 0x0f) & 15, 15);
    assert_int_equal(in8(b, 0x08), 0);
    out8(b, 0x00, 0x34);
    out8(b, 0x00, 0x12);
    assert_int_equal(read_pair(b, 0x00), 0x1234);
    out8(b, 0x0e, 0);
    assert_int_equal(in8(b, 0x0f) & 15, 0);
    out8(b, 0x0a, 0x06);
    assert_int_equal(in8(b, 0x0f) & 15, 4);
}

static void a_write_transfer_puts_bytes_into_memory_until_terminal_count(void **state)
{
    struct bench *b = *state;
    uint8_t data[600], memory[600] = {0};
    bool tc;
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i + 1);
    program_channel_2(b, 0x46, 0x12345, 511);
    assert_int_equal(transfer(&at(b)->narrow, 2, data, 100, DMA_TO_MEMORY, &tc), 100);
    assert_false(tc);
    assert_int_equal(in8(b, 0x08) & 15, 0);
    assert_int_equal(transfer(&at(b)->narrow, 2, data + 100, 500, DMA_TO_MEMORY, &tc), 412);
    assert_true(tc);
    phys_read_bytes(b->phys, 0x12345, memory, 513);
    assert_memory_equal(memory, data, 512);
    assert_int_equal(memory[512], 0);
    assert_int_equal(in8(b, 0x08) & 15, 4); /* TC of channel 2 */
    assert_int_equal(in8(b, 0x08) & 15, 0); /* cleared by the read */
    assert_int_equal(in8(b, 0x0f) & 4, 4);  /* masked by TC */
    out8(b, 0x0c, 0);
    assert_int_equal(read_pair(b, 0x04), 0x2345 + 512);
    assert_int_equal(read_pair(b, 0x05), 0xffff);
    assert_int_equal(transfer(&at(b)->narrow, 2, data, 1, DMA_TO_MEMORY, &tc), 0);
}

static void a_read_transfer_takes_bytes_from_memory(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    bool tc;
    phys_write_bytes(b->phys, 0x8000, "sixteen bytes ..", 16);
    program_channel_2(b, 0x4a, 0x8000, 15);
    assert_int_equal(transfer(&at(b)->narrow, 2, data, 16, DMA_FROM_MEMORY, &tc), 16);
    assert_true(tc);
    assert_memory_equal(data, "sixteen bytes ..", 16);
}

/* 8237A p.5: verify transfers count, but no memory cycle takes place. */
static void a_verify_transfer_counts_without_touching_memory(void **state)
{
    struct bench *b = *state;
    uint8_t data[4] = {1, 2, 3, 4}, memory[4];
    bool tc;
    phys_write_bytes(b->phys, 0x8000, "abcd", 4);
    program_channel_2(b, 0x42, 0x8000, 3);
    assert_int_equal(transfer(&at(b)->narrow, 2, data, 4, DMA_TO_MEMORY, &tc), 4);
    assert_true(tc);
    phys_read_bytes(b->phys, 0x8000, memory, 4);
    assert_memory_equal(memory, "abcd", 4);
}

static void auto_initialize_reloads_and_does_not_mask(void **state)
{
    struct bench *b = *state;
    uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    bool tc;
    program_channel_2(b, 0x56, 0x4000, 7);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(transfer(&at(b)->narrow, 2, data, 8, DMA_TO_MEMORY, &tc), 8);
        assert_true(tc);
    }
    assert_int_equal(in8(b, 0x0f) & 4, 0);
    out8(b, 0x0c, 0);
    assert_int_equal(read_pair(b, 0x04), 0x4000);
    assert_int_equal(read_pair(b, 0x05), 7);
}

static void a_decrementing_channel_stores_backwards(void **state)
{
    struct bench *b = *state;
    uint8_t data[4] = {1, 2, 3, 4}, memory[4];
    bool tc;
    program_channel_2(b, 0x66, 0x4003, 3);
    assert_int_equal(transfer(&at(b)->narrow, 2, data, 4, DMA_TO_MEMORY, &tc), 4);
    phys_read_bytes(b->phys, 0x4000, memory, 4);
    assert_memory_equal(memory, ((uint8_t[]){4, 3, 2, 1}), 4);
}

/* PC/AT Technical Reference: the page register does not count; addresses wrap inside 64 KiB. */
static void the_address_wraps_inside_its_64k_page(void **state)
{
    struct bench *b = *state;
    uint8_t data[4] = {1, 2, 3, 4}, high[2], low[2];
    bool tc;
    program_channel_2(b, 0x46, 0x2fffe, 3);
    assert_int_equal(transfer(&at(b)->narrow, 2, data, 4, DMA_TO_MEMORY, &tc), 4);
    phys_read_bytes(b->phys, 0x2fffe, high, 2);
    phys_read_bytes(b->phys, 0x20000, low, 2);
    assert_memory_equal(high, data, 2);
    assert_memory_equal(low, data + 2, 2);
}

static void the_a20_gate_does_not_bend_dma_addresses(void **state)
{
    struct bench *b = *state;
    uint8_t data[1] = {0x5a};
    bool tc;
    phys_set_a20(b->phys, false);
    program_channel_2(b, 0x46, 0x100000, 0); /* behind the end of the bench's RAM */
    assert_int_equal(transfer(&at(b)->narrow, 2, data, 1, DMA_TO_MEMORY, &tc), 1);
    assert_int_equal(phys_read(b->phys, 0, 1), 0);
}

/* Channels 5-7 count words; page bit 0 is ignored and the address is shifted by one. */
static void a_wide_channel_moves_words_within_128k(void **state)
{
    struct bench *b = *state;
    uint8_t data[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, memory[8];
    bool tc;
    open_cascade(b);
    out8(b, 0xd6, 0x45); /* channel 5, write, single */
    out8(b, 0xd8, 0);
    out8(b, 0xc4, 0x00);
    out8(b, 0xc4, 0x90);
    out8(b, 0xc6, 0x03);
    out8(b, 0xc6, 0x00);
    out8(b, 0x8b, 0x03);
    out8(b, 0xd4, 0x01);
    assert_int_equal(transfer(&at(b)->wide, 1, data, 9, DMA_TO_MEMORY, &tc), 8);
    assert_true(tc);
    phys_read_bytes(b->phys, 0x32000, memory, 8);
    assert_memory_equal(memory, data, 8);
    assert_int_equal(in8(b, 0xd0) & 15, 2);
}

static void masked_disabled_unrequested_and_uncascaded_channels_move_nothing(void **state)
{
    struct bench *b = *state;
    struct i8237 *d = &at(b)->narrow;
    struct dma_line line = i8237_line(d, 2);
    uint8_t data[1] = {1};
    bool tc;
    program_channel_2(b, 0x46, 0x4000, 0xffff);
    assert_int_equal(dma_transfer(&line, data, 1, DMA_TO_MEMORY, &tc), 0); /* no DREQ */
    assert_int_equal(transfer(d, 2, data, 1, DMA_TO_MEMORY, &tc), 1);
    out8(b, 0x0a, 0x06);
    assert_int_equal(transfer(d, 2, data, 1, DMA_TO_MEMORY, &tc), 0);
    out8(b, 0x0a, 0x02);
    out8(b, 0x08, 0x04);
    assert_int_equal(transfer(d, 2, data, 1, DMA_TO_MEMORY, &tc), 0);
    out8(b, 0x08, 0x00);
    out8(b, 0xd4, 0x04); /* channel 4 masked */
    assert_int_equal(transfer(d, 2, data, 1, DMA_TO_MEMORY, &tc), 0);
    out8(b, 0xd4, 0x00);
    assert_int_equal(transfer(d, 2, data, 1, DMA_TO_MEMORY, &tc), 1);
}

static void the_status_shows_requests_also_of_masked_channels(void **state)
{
    struct bench *b = *state;
    struct dma_line line = i8237_line(&at(b)->narrow, 3);
    dma_request(&line, true);
    assert_int_equal(in8(b, 0x08) >> 4, 8);
    dma_request(&line, false);
    assert_int_equal(in8(b, 0x08) >> 4, 0);
}

/* 8237A p.5: memory to memory by a software request of channel 0. */
static void memory_to_memory_copies_a_block(void **state)
{
    struct bench *b = *state;
    uint8_t memory[6];
    open_cascade(b);
    phys_write_bytes(b->phys, 0x4000, "copied", 6);
    out8(b, 0x0c, 0);
    out8(b, 0x00, 0x00), out8(b, 0x00, 0x40);
    out8(b, 0x01, 0x05), out8(b, 0x01, 0x00);
    out8(b, 0x02, 0x00), out8(b, 0x02, 0x50);
    out8(b, 0x03, 0x05), out8(b, 0x03, 0x00);
    out8(b, 0x0b, 0x88); /* channel 0: block, read */
    out8(b, 0x0b, 0x85); /* channel 1: block, write */
    out8(b, 0x08, 0x01);
    out8(b, 0x09, 0x04);
    phys_read_bytes(b->phys, 0x5000, memory, 6);
    assert_memory_equal(memory, "copied", 6);
    assert_int_equal(in8(b, 0x08) & 2, 2);
    assert_int_equal(in8(b, 0x0d), 'd');
}

static void memory_to_memory_with_address_hold_fills_a_block(void **state)
{
    struct bench *b = *state;
    uint8_t memory[4];
    open_cascade(b);
    phys_write_bytes(b->phys, 0x4000, "xyz", 3);
    out8(b, 0x0c, 0);
    out8(b, 0x00, 0x00), out8(b, 0x00, 0x40);
    out8(b, 0x01, 0x03), out8(b, 0x01, 0x00);
    out8(b, 0x02, 0x00), out8(b, 0x02, 0x50);
    out8(b, 0x03, 0x03), out8(b, 0x03, 0x00);
    out8(b, 0x0b, 0x88);
    out8(b, 0x0b, 0x85);
    out8(b, 0x08, 0x03);
    out8(b, 0x09, 0x04);
    phys_read_bytes(b->phys, 0x5000, memory, 4);
    assert_memory_equal(memory, "xxxx", 4);
}

static void all_page_registers_read_back(void **state)
{
    struct bench *b = *state;
    for (uint16_t port = 0x81; port < 0x90; port++)
        out8(b, port, (uint8_t)(port ^ 0x5a));
    for (uint16_t port = 0x81; port < 0x90; port++)
        assert_int_equal(in8(b, port), port ^ 0x5a);
}

static void poke(struct bench *b)
{
    uint8_t data[10] = {1, 2, 3};
    bool tc;
    program_channel_2(b, 0x46, 0x14000, 100);
    transfer(&at(b)->narrow, 2, data, 10, DMA_TO_MEMORY, &tc);
    struct dma_line line = i8237_line(&at(b)->narrow, 1);
    dma_request(&line, true);
    out8(b, 0x0a, 0x01);
    in8(b, 0x05);
}

DEVICE_TESTS(i8237, setup, &at(b)->narrow.dev, poke);
DEVICE_TESTS(i8237_wide, setup, &at(b)->wide.dev, poke);
DEVICE_TESTS(dma_page, setup, &at(b)->pages.dev, poke);

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        T(address_and_count_read_back_through_the_flip_flop),
        T(master_clear_masks_everything),
        T(a_write_transfer_puts_bytes_into_memory_until_terminal_count),
        T(a_read_transfer_takes_bytes_from_memory),
        T(a_verify_transfer_counts_without_touching_memory),
        T(auto_initialize_reloads_and_does_not_mask),
        T(a_decrementing_channel_stores_backwards),
        T(the_address_wraps_inside_its_64k_page),
        T(the_a20_gate_does_not_bend_dma_addresses),
        T(a_wide_channel_moves_words_within_128k),
        T(masked_disabled_unrequested_and_uncascaded_channels_move_nothing),
        T(the_status_shows_requests_also_of_masked_channels),
        T(memory_to_memory_copies_a_block),
        T(memory_to_memory_with_address_hold_fills_a_block),
        T(all_page_registers_read_back),
        DEVICE_TESTS_OF(i8237),
        DEVICE_TESTS_OF(i8237_wide),
        DEVICE_TESTS_OF(dma_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
