/* What the tests of ATA drives share: media whose contents are computed, and the host's side of the
 * protocols (ATA-4 chapter 9) by polling. */
#ifndef TESTS_DEVICES_ATA_BOARD_H
#define TESTS_DEVICES_ATA_BOARD_H

#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/ata.h"

enum { BASE = 0x1f0, DATA = BASE, ERROR = BASE + 1, FEATURE = BASE + 1, COUNT = BASE + 2, LOW = BASE + 3,
       MID = BASE + 4, HIGH = BASE + 5, DEVICE = BASE + 6, STATUS = BASE + 7, COMMAND = BASE + 7,
       CONTROL = 0x3f6 };
enum { BSY = 0x80, DRDY = 0x40, DSC = 0x10, DRQ = 0x08, ERR = 0x01 };
enum { UNC = 0x40, IDNF = 0x10, ABRT = 0x04 };
enum { LINE = 14, SLOTS = 40 };
static const vtime MS = 1000000;

/* A medium of any size: sector n holds n in its first bytes and n's low byte in the others, until it
 * is written. Sector `bad` cannot be read or written. */
struct test_disk {
    struct blk blk;
    uint64_t bad;
    unsigned flushes, discards, used;
    uint64_t discarded, discarded_len; /* the last range, in bytes */
    uint64_t number[SLOTS];
    uint8_t data[SLOTS][512];
};

static inline uint8_t *disk_slot(struct test_disk *d, uint64_t n, bool make)
{
    for (unsigned i = 0; i < d->used; i++) {
        if (d->number[i] == n)
            return d->data[i];
    }
    if (!make)
        return NULL;
    unsigned i = d->used < SLOTS ? d->used++ : 0; /* more is forgotten */
    d->number[i] = n;
    return d->data[i];
}

static inline void disk_sector(struct test_disk *d, uint64_t n, uint8_t *to)
{
    const uint8_t *slot = disk_slot(d, n, false);
    if (slot) {
        memcpy(to, slot, 512);
        return;
    }
    memset(to, (int)(n & 0xff), 512);
    for (unsigned i = 0; i < 8; i++)
        to[i] = (uint8_t)(n >> (8 * i));
}

static inline enum emu_err disk_read(struct blk *b, uint64_t offset, void *to, size_t len, struct error *err)
{
    struct test_disk *d = CONTAINER_OF(b, struct test_disk, blk);
    for (size_t i = 0; i < len / 512; i++) {
        if (offset / 512 + i == d->bad)
            return error_set(err, EMU_IO, "the test's bad sector");
        disk_sector(d, offset / 512 + i, (uint8_t *)to + 512 * i);
    }
    return EMU_OK;
}

static inline enum emu_err disk_write(struct blk *b, uint64_t offset, const void *from, size_t len,
                                      struct error *err)
{
    struct test_disk *d = CONTAINER_OF(b, struct test_disk, blk);
    for (size_t i = 0; i < len / 512; i++) {
        if (offset / 512 + i == d->bad)
            return error_set(err, EMU_IO, "the test's bad sector");
        memcpy(disk_slot(d, offset / 512 + i, true), (const uint8_t *)from + 512 * i, 512);
    }
    return EMU_OK;
}

static inline enum emu_err disk_flush(struct blk *b, struct error *err)
{
    (void)err;
    CONTAINER_OF(b, struct test_disk, blk)->flushes++;
    return EMU_OK;
}

static inline enum emu_err disk_discard(struct blk *b, uint64_t offset, uint64_t len, struct error *err)
{
    struct test_disk *d = CONTAINER_OF(b, struct test_disk, blk);
    (void)err;
    d->discards++;
    d->discarded = offset;
    d->discarded_len = len;
    return EMU_OK;
}

static inline struct test_disk *new_disk(struct bench *b, uint64_t sectors)
{
    static const struct blk_ops ops = {.read = disk_read, .write = disk_write, .flush = disk_flush, .discard = disk_discard};
    struct test_disk *d = bench_alloc(b, sizeof(*d));
    d->blk = (struct blk){&ops, "test disk", sectors * 512, false};
    d->bad = UINT64_MAX;
    return d;
}

/* ---- The host's side ---- */

/* Gives the drive up to 50 ms, for pokes: they also meet drives that hang. */
static inline void settle(struct bench *b)
{
    for (unsigned i = 0; i < 50 && in8(b, CONTROL) & BSY; i++)
        clock_step(b, MS);
}

/* Until BSY is clear: at most 50 ms. */
static inline uint8_t wait_ready(struct bench *b)
{
    for (unsigned i = 0; i < 50000 && in8(b, CONTROL) & BSY; i++)
        clock_step(b, 1000);
    assert_false(in8(b, CONTROL) & BSY);
    return in8(b, CONTROL);
}

static inline void issue(struct bench *b, uint8_t command, uint8_t feature, uint8_t count, uint32_t lba28,
                         uint8_t device)
{
    out8(b, DEVICE, (uint8_t)(device | (lba28 >> 24 & 15)));
    out8(b, FEATURE, feature);
    out8(b, COUNT, count);
    out8(b, LOW, (uint8_t)lba28);
    out8(b, MID, (uint8_t)(lba28 >> 8));
    out8(b, HIGH, (uint8_t)(lba28 >> 16));
    out8(b, COMMAND, command);
}

static inline void read_words(struct bench *b, uint8_t *to, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i += 2) {
        uint16_t w = in16(b, DATA);
        to[i] = (uint8_t)w;
        to[i + 1] = (uint8_t)(w >> 8);
    }
}

static inline void write_words(struct bench *b, const uint8_t *from, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i += 2)
        out16(b, DATA, (uint16_t)(from[i] | from[i + 1] << 8));
}

static inline unsigned word_at(const uint8_t *data, unsigned word)
{
    return data[2 * word] | (unsigned)data[2 * word + 1] << 8;
}

#endif
