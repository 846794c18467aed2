/*
 * Hard disk commands. ATA/ATAPI-4 (T13 1153D) chapter 8, with the 48-bit commands of ATA/ATAPI-6.
 *
 * PIO: a command moves `left` sectors from `lba` on, in DRQ blocks of one sector or, for MULTIPLE,
 * as many as SET MULTIPLE MODE said; the drive is busy before each block that it reads and after
 * each that it writes. DMA: ATA_SCRATCH bytes at a time, each at the virtual time at which the
 * disk has them. A failed host read is an uncorrectable error (UNC), a failed or refused host write
 * an aborted command, unless the board says otherwise (ATA_IGNORE, ATA_RETRY); the sentence goes to
 * the log. TRIM (ATA8-ACS2 7.10, T13 2015-D) lets the image forget sectors: what they read afterwards
 * is up to its format.
 *
 * NOT MODELLED: what ata.c lists; a SET MAX that outlives the machine's reset (it is volatile).
 */
#include "devices/ata_int.h"

#include <string.h>

enum { EXT = 1, WRITE = 2, MULTI = 4, DMA = 8 };
enum { SECTORS_A_STEP = ATA_SCRATCH / ATA_SECTOR };
enum { SMART_MID = 0x4f, SMART_HIGH = 0xc2 };

/* ---- Addresses ---- */

static uint64_t lba48(const struct ata_taskfile *r)
{
    return r->lba_low[0] | (uint64_t)r->lba_mid[0] << 8 | (uint64_t)r->lba_high[0] << 16 |
           (uint64_t)r->lba_low[1] << 24 | (uint64_t)r->lba_mid[1] << 32 |
           (uint64_t)r->lba_high[1] << 40;
}

static uint32_t low24(const struct ata_taskfile *r)
{
    return r->lba_low[0] | (uint32_t)r->lba_mid[0] << 8 | (uint32_t)r->lba_high[0] << 16;
}

/* The sector that the registers name; false: there is none such (CHS). */
static bool get_address(struct ata *a, bool ext, uint64_t *lba)
{
    const struct ata_drive_state *d = ata_active(a);
    const struct ata_taskfile *r = &d->reg;
    unsigned head = a->st.device & DEVICE_HEAD, sector = r->lba_low[0];
    *lba = ext ? lba48(r) : low24(r) | (uint64_t)head << 24;
    if (ext || a->st.device & DEVICE_LBA)
        return true;
    uint64_t cylinder = r->lba_mid[0] | (unsigned)r->lba_high[0] << 8;
    *lba = (cylinder * d->heads + head) * d->track + sector - 1;
    return head < d->heads && sector >= 1 && sector <= d->track;
}

/* Leaves an address in the registers, in the form that the command used. */
static void put_address(struct ata *a, bool ext, uint64_t lba)
{
    struct ata_drive_state *d = ata_active(a);
    struct ata_taskfile *r = &d->reg;
    if (!ext && !(a->st.device & DEVICE_LBA) && d->heads && d->track) {
        uint64_t track = lba / d->track;
        a->st.device = (uint8_t)((a->st.device & ~DEVICE_HEAD) | (track % d->heads & DEVICE_HEAD));
        r->lba_low[0] = (uint8_t)(lba % d->track + 1);
        r->lba_mid[0] = (uint8_t)(track / d->heads);
        r->lba_high[0] = (uint8_t)(track / d->heads >> 8);
        return;
    }
    r->lba_low[0] = (uint8_t)lba;
    r->lba_mid[0] = (uint8_t)(lba >> 8);
    r->lba_high[0] = (uint8_t)(lba >> 16);
    if (ext) {
        r->lba_low[1] = (uint8_t)(lba >> 24);
        r->lba_mid[1] = (uint8_t)(lba >> 32);
        r->lba_high[1] = (uint8_t)(lba >> 40);
    } else {
        a->st.device = (uint8_t)((a->st.device & ~DEVICE_HEAD) | (lba >> 24 & DEVICE_HEAD));
    }
}

static uint32_t sector_count(const struct ata_taskfile *r, bool ext)
{
    uint32_t n = ext ? r->count[0] | (uint32_t)r->count[1] << 8 : r->count[0];
    return n ? n : ext ? 65536 : 256;
}

static unsigned flags_of(uint8_t command);

static void fail_at(struct ata *a, uint8_t error, uint64_t lba)
{
    put_address(a, flags_of(a->st.command) & EXT, lba);
    ata_fail(a, error);
}

/* `n` sectors are done: the registers follow, as a real drive's do. */
static void advance(struct ata *a, uint32_t n)
{
    bool ext = flags_of(a->st.command) & EXT;
    struct ata_taskfile *r = &ata_active(a)->reg;
    n = n < a->st.left ? n : a->st.left;
    if (n == 0)
        return;
    a->st.lba += n;
    a->st.left -= n;
    put_address(a, ext, a->st.lba - 1);
    r->count[0] = (uint8_t)a->st.left;
    if (ext)
        r->count[1] = (uint8_t)(a->st.left >> 8);
}

/* ---- The medium ---- */

enum { RETRY_NS = 10000000 };

/* The host has failed. The board decides what becomes of it; true: the step goes on as if nothing
 * had happened. Else the command has failed, or the step comes once more: nothing of it counts. */
static bool host_failed(struct ata *a, bool write, enum emu_err code, const struct error *err)
{
    unsigned drive = a->st.active;
    enum ata_on_error what = ATA_REPORT;
    log_guest(a->w.log, a->dev.id, "drive %u: %s", drive, err->text);
    if (a->w.on_error)
        what = a->w.on_error(a->w.on_error_arg, a, drive, write, code, err);
    if (what == ATA_RETRY) {
        if (a->st.job == JOB_WRITE_DMA && a->w.dma.undo)
            a->w.dma.undo(a->w.dma.arg);
        ata_busy(a, a->st.job, clock_now(a->w.clk) + RETRY_NS);
    } else if (what == ATA_REPORT) {
        fail_at(a, write ? ERROR_ABRT : ERROR_UNC, a->st.lba);
    }
    return what == ATA_IGNORE;
}

static bool media_read(struct ata *a, uint8_t *to, uint32_t n)
{
    struct error err = {""};
    struct blk *medium = ata_medium(a);
    size_t len = (size_t)n * ATA_SECTOR;
    enum emu_err rc = medium ? blk_read(medium, a->st.lba * ATA_SECTOR, to, len, &err) : EMU_IO;
    if (rc == EMU_OK)
        return true;
    memset(to, 0, len);
    return host_failed(a, false, rc, &err);
}

static bool media_write(struct ata *a, const uint8_t *from, uint32_t n)
{
    struct error err = {""};
    struct blk *medium = ata_medium(a);
    size_t len = (size_t)n * ATA_SECTOR;
    enum emu_err rc = medium ? blk_write(medium, a->st.lba * ATA_SECTOR, from, len, &err) : EMU_IO;
    if (rc == EMU_OK && !ata_active(a)->write_cache)
        rc = blk_flush(medium, &err);
    return rc == EMU_OK || host_failed(a, true, rc, &err);
}

/* ---- PIO ---- */

static void next_block(struct ata *a)
{
    const struct ata_drive_state *d = ata_active(a);
    bool multi = flags_of(a->st.command) & MULTI;
    uint32_t block = multi && d->multiple ? d->multiple : 1;
    a->st.block = (uint8_t)(block < a->st.left ? block : a->st.left);
    a->st.data_pos = 0;
}

void ata_disk_read_step(struct ata *a, vtime at)
{
    (void)at;
    next_block(a);
    unsigned n = a->st.block;
    if (!media_read(a, a->st.data, n))
        return;
    advance(a, n);
    ata_data_in(a, n * ATA_SECTOR);
}

void ata_disk_read_block(struct ata *a, vtime now)
{
    if (a->st.left == 0) {
        ata_idle(a);
        return;
    }
    next_block(a);
    ata_busy(a, JOB_READ, ata_access_time(a, a->st.lba, a->st.block, false, now));
}

void ata_disk_write_block(struct ata *a, vtime now)
{
    ata_busy(a, JOB_WRITE, ata_access_time(a, a->st.lba, a->st.block, true, now));
}

void ata_disk_write_step(struct ata *a, vtime at)
{
    (void)at;
    if (!media_write(a, a->st.data, a->st.block))
        return;
    advance(a, a->st.block);
    if (a->st.left == 0) {
        ata_done(a);
        return;
    }
    next_block(a);
    ata_data_out(a, a->st.block * (unsigned)ATA_SECTOR);
    ata_interrupt(a);
}

/* ---- DMA, VERIFY, FLUSH ---- */

static uint32_t this_step(const struct ata *a)
{
    return a->st.left < SECTORS_A_STEP ? a->st.left : SECTORS_A_STEP;
}

/* After `moved` bytes of a step: the rest of the command, or its end. */
static void dma_goes_on(struct ata *a, enum ata_job job, uint32_t moved, vtime at)
{
    bool all = moved == this_step(a) * ATA_SECTOR;
    advance(a, moved / ATA_SECTOR);
    if (!all)
        ata_wait_dma(a); /* memory for less was named: until the host does something about it */
    else if (a->st.left)
        ata_busy(a, job, ata_access_time(a, a->st.lba, this_step(a), job == JOB_WRITE_DMA, at));
    else
        ata_done(a);
}

void ata_disk_read_dma_step(struct ata *a, vtime at)
{
    uint32_t n = this_step(a);
    if (!ata_dma_ready(a, true))
        ata_wait_dma(a);
    else if (media_read(a, a->scratch, n))
        dma_goes_on(a, JOB_READ_DMA,
                    a->w.dma.move(a->w.dma.arg, a->scratch, n * ATA_SECTOR, true), at);
}

void ata_disk_write_dma_step(struct ata *a, vtime at)
{
    uint32_t n = this_step(a);
    if (!ata_dma_ready(a, false)) {
        ata_wait_dma(a);
        return;
    }
    uint32_t moved = a->w.dma.move(a->w.dma.arg, a->scratch, n * ATA_SECTOR, false);
    if (media_write(a, a->scratch, moved / ATA_SECTOR))
        dma_goes_on(a, JOB_WRITE_DMA, moved, at);
}

void ata_disk_verify_step(struct ata *a, vtime at)
{
    uint32_t n = this_step(a);
    if (!media_read(a, a->scratch, n))
        return;
    advance(a, n);
    if (a->st.left)
        ata_busy(a, JOB_VERIFY, ata_access_time(a, a->st.lba, this_step(a), false, at));
    else
        ata_done(a);
}

void ata_disk_flush_step(struct ata *a, vtime at)
{
    struct error err = {""};
    struct blk *medium = ata_medium(a);
    (void)at;
    enum emu_err rc = medium ? blk_flush(medium, &err) : EMU_IO;
    if (rc == EMU_OK || host_failed(a, true, rc, &err))
        ata_done(a);
}

/* An entry of DATA SET MANAGEMENT's list: 48 bits of address, 16 of length; length 0 is none. False: not on the disk. */
static bool trim_range(struct ata *a, const uint8_t *entry)
{
    struct error err = {""};
    uint64_t from = 0, n = entry[6] | (uint64_t)entry[7] << 8, end = ata_active(a)->max_sectors;
    for (unsigned i = 0; i < 6; i++)
        from |= (uint64_t)entry[i] << (8 * i);
    if (n == 0)
        return true;
    if (from >= end || n > end - from)
        return false;
    if (blk_discard(ata_medium(a), from * ATA_SECTOR, n * ATA_SECTOR, &err)) /* no harm: it stays as it is */
        log_guest(a->w.log, a->dev.id, "drive %u: %s", a->st.active, err.text);
    return true;
}

void ata_disk_trim_step(struct ata *a, vtime at)
{
    uint32_t bytes = (a->st.left < TRIM_BLOCKS ? a->st.left : TRIM_BLOCKS) * ATA_SECTOR;
    (void)at;
    if (!ata_dma_ready(a, false) || a->w.dma.move(a->w.dma.arg, a->scratch, bytes, false) != bytes) {
        ata_wait_dma(a);
        return;
    }
    for (uint32_t i = 0; i < bytes; i += 8) {
        if (!trim_range(a, a->scratch + i)) {
            ata_fail(a, ERROR_IDNF);
            return;
        }
    }
    a->st.left = 0;
    ata_done(a);
}

/* ---- Commands ---- */

/* Reads the registers into lba and left; false: the command has failed. */
static bool take_range(struct ata *a, bool ext)
{
    struct ata_drive_state *d = ata_active(a);
    a->st.left = sector_count(&d->reg, ext);
    d->power = POWER_ACTIVE;
    if (get_address(a, ext, &a->st.lba) && a->st.lba < d->max_sectors &&
        a->st.left <= d->max_sectors - a->st.lba)
        return true;
    a->st.left = 0;
    ata_fail(a, ERROR_IDNF);
    return false;
}

static void transfer(struct ata *a, unsigned flags, vtime now)
{
    bool write = flags & WRITE, dma = flags & DMA;
    vtime start = now + ata_command_time(a);
    if ((flags & MULTI && !ata_active(a)->multiple) || (dma && !a->w.dma.move) ||
        (write && ata_medium(a)->read_only)) {
        ata_fail(a, ERROR_ABRT);
        return;
    }
    if (!take_range(a, flags & EXT))
        return;
    if (dma) {
        vtime end = ata_access_time(a, a->st.lba, this_step(a), write, start);
        ata_busy(a, write ? JOB_WRITE_DMA : JOB_READ_DMA, end);
        return;
    }
    next_block(a);
    a->st.job = JOB_WRITE;
    if (write) /* the first block is asked for without an interrupt (ATA-4 9.8) */
        ata_data_out(a, a->st.block * (unsigned)ATA_SECTOR);
    else
        ata_busy(a, JOB_READ, ata_access_time(a, a->st.lba, a->st.block, false, start));
}

static void verify(struct ata *a, unsigned flags, vtime now)
{
    if (take_range(a, flags & EXT))
        ata_busy(a, JOB_VERIFY,
                 ata_access_time(a, a->st.lba, this_step(a), false, now + ata_command_time(a)));
}

static void flush(struct ata *a, unsigned flags, vtime now)
{
    (void)flags;
    ata_busy(a, JOB_FLUSH, now + ata_command_time(a));
}

static void finish(struct ata *a, unsigned flags, vtime now)
{
    (void)flags;
    ata_busy(a, JOB_FINISH, now + ata_command_time(a));
}

/* Feature bit 0: TRIM, with a list of `count` blocks. */
static void data_set_management(struct ata *a, unsigned flags, vtime now)
{
    const struct ata_taskfile *r = &ata_active(a)->reg;
    uint32_t blocks = sector_count(r, flags & EXT);
    if (r->feature[0] != 1 || blocks > TRIM_BLOCKS || !a->w.dma.move || ata_medium(a)->read_only) {
        ata_fail(a, ERROR_ABRT);
        return;
    }
    a->st.left = blocks;
    ata_busy(a, JOB_TRIM, now + ata_command_time(a));
}

static void seek(struct ata *a, unsigned flags, vtime now)
{
    uint64_t lba;
    if (!get_address(a, false, &lba) || lba >= ata_active(a)->max_sectors) {
        ata_fail(a, ERROR_IDNF);
        return;
    }
    ata_active(a)->head = lba;
    finish(a, flags, now);
}

static void recalibrate(struct ata *a, unsigned flags, vtime now)
{
    struct ata_taskfile *r = &ata_active(a)->reg;
    ata_active(a)->head = 0;
    r->lba_mid[0] = r->lba_high[0] = 0; /* cylinder 0 (ATA-3, 7.21) */
    finish(a, flags, now);
}

/* 8.16: heads - 1 and sectors a track. */
static void set_translation(struct ata *a, unsigned flags, vtime now)
{
    struct ata_drive_state *d = ata_active(a);
    if (d->reg.count[0] == 0) {
        ata_fail(a, ERROR_ABRT);
        return;
    }
    d->heads = (uint8_t)((a->st.device & DEVICE_HEAD) + 1);
    d->track = d->reg.count[0];
    finish(a, flags, now);
}

static void set_multiple(struct ata *a, unsigned flags, vtime now)
{
    unsigned n = ata_active(a)->reg.count[0];
    if (n > ATA_MULTIPLE_MAX || (n & (n - 1)) != 0) {
        ata_fail(a, ERROR_ABRT);
        return;
    }
    ata_active(a)->multiple = (uint8_t)n;
    finish(a, flags, now);
}

static void buffer_in(struct ata *a, vtime now)
{
    ata_busy(a, JOB_BUFFER_IN, now + ata_command_time(a));
}

static void identify(struct ata *a, unsigned flags, vtime now)
{
    (void)flags;
    ata_identify_disk(a);
    buffer_in(a, now);
}

static void read_buffer(struct ata *a, unsigned flags, vtime now)
{
    (void)flags;
    buffer_in(a, now);
}

static void write_buffer(struct ata *a, unsigned flags, vtime now)
{
    (void)flags, (void)now;
    a->st.job = JOB_BUFFER_OUT;
    ata_data_out(a, ATA_SECTOR);
}

static void set_features(struct ata *a, unsigned flags, vtime now)
{
    if (ata_set_features(a))
        finish(a, flags, now);
    else
        ata_fail(a, ERROR_ABRT);
}

/* 8.9 and 8.17 to 8.43: E0 STANDBY IMMEDIATE, E1 IDLE IMMEDIATE, E2 STANDBY, E3 IDLE, E6 SLEEP;
 * 94 to 99 are the same in older drives. */
static void set_power(struct ata *a, unsigned flags, vtime now)
{
    static const uint8_t mode[] = {POWER_STANDBY, POWER_IDLE, POWER_STANDBY, POWER_IDLE};
    struct ata_drive_state *d = ata_active(a);
    unsigned which = a->st.command >= 0xe0 ? a->st.command - 0xe0u : a->st.command - 0x94u;
    d->power = which < ARRAY_LEN(mode) ? mode[which] : POWER_SLEEP;
    finish(a, flags, now);
}

static void check_power(struct ata *a, unsigned flags, vtime now)
{
    ata_active(a)->reg.count[0] = ata_active(a)->power;
    finish(a, flags, now);
}

/* 8.25 and ATA-6 8.32. */
static void read_native_max(struct ata *a, unsigned flags, vtime now)
{
    struct ata_drive_state *d = ata_active(a);
    uint64_t last = d->sectors - 1;
    if (!(flags & EXT) && last > 0x0ffffffe)
        last = 0x0fffffff;
    put_address(a, flags & EXT, last);
    d->max_read = 1;
    finish(a, flags, now);
}

static void set_max(struct ata *a, unsigned flags, vtime now)
{
    struct ata_drive_state *d = ata_active(a);
    uint64_t lba;
    bool named = get_address(a, flags & EXT, &lba);
    if (!d->max_read || d->reg.feature[0] != 0) { /* other features: passwords */
        ata_fail(a, ERROR_ABRT);
    } else if (!named || lba >= d->sectors) {
        ata_fail(a, ERROR_IDNF);
    } else {
        d->max_sectors = lba + 1;
        finish(a, flags, now);
    }
}

/* 8.41; without logs and self-tests. */
static void smart(struct ata *a, unsigned flags, vtime now)
{
    enum { READ_DATA = 0xd0, READ_THRESHOLDS = 0xd1, AUTOSAVE = 0xd2, ENABLE = 0xd8, DISABLE = 0xd9,
           RETURN_STATUS = 0xda };
    struct ata_drive_state *d = ata_active(a);
    uint8_t feature = d->reg.feature[0];
    bool key = d->reg.lba_mid[0] == SMART_MID && d->reg.lba_high[0] == SMART_HIGH;
    if (!key || (!d->smart && feature != ENABLE)) {
        ata_fail(a, ERROR_ABRT);
    } else if (feature == READ_DATA || feature == READ_THRESHOLDS) {
        ata_smart_data(a, feature == READ_THRESHOLDS);
        buffer_in(a, now);
    } else if (feature == ENABLE || feature == DISABLE) {
        d->smart = feature == ENABLE;
        finish(a, flags, now);
    } else if (feature == AUTOSAVE || feature == RETURN_STATUS) {
        finish(a, flags, now); /* the key left in place says that all is well */
    } else {
        ata_fail(a, ERROR_ABRT);
    }
}

static const struct command {
    uint8_t first, last;
    uint8_t flags;
    void (*start)(struct ata *a, unsigned flags, vtime now);
} commands[] = {
    {0x06, 0x06, EXT, data_set_management},
    {0x10, 0x1f, 0, recalibrate},
    {0x20, 0x21, 0, transfer},
    {0x24, 0x24, EXT, transfer},
    {0x25, 0x25, EXT | DMA, transfer},
    {0x27, 0x27, EXT, read_native_max},
    {0x29, 0x29, EXT | MULTI, transfer},
    {0x30, 0x31, WRITE, transfer},
    {0x34, 0x34, EXT | WRITE, transfer},
    {0x35, 0x35, EXT | DMA | WRITE, transfer},
    {0x37, 0x37, EXT, set_max},
    {0x39, 0x39, EXT | MULTI | WRITE, transfer},
    {0x3c, 0x3c, WRITE, transfer}, /* WRITE VERIFY */
    {0x40, 0x41, 0, verify},
    {0x42, 0x42, EXT, verify},
    {0x70, 0x7f, 0, seek},
    {0x91, 0x91, 0, set_translation},
    {0x94, 0x97, 0, set_power},
    {0x98, 0x98, 0, check_power},
    {0x99, 0x99, 0, set_power},
    {0xb0, 0xb0, 0, smart},
    {0xc4, 0xc4, MULTI, transfer},
    {0xc5, 0xc5, MULTI | WRITE, transfer},
    {0xc6, 0xc6, 0, set_multiple},
    {0xc8, 0xc9, DMA, transfer},
    {0xca, 0xcb, DMA | WRITE, transfer},
    {0xe0, 0xe3, 0, set_power},
    {0xe4, 0xe4, 0, read_buffer},
    {0xe5, 0xe5, 0, check_power},
    {0xe6, 0xe6, 0, set_power},
    {0xe7, 0xe7, 0, flush},
    {0xe8, 0xe8, 0, write_buffer},
    {0xea, 0xea, EXT, flush},
    {0xec, 0xec, 0, identify},
    {0xef, 0xef, 0, set_features},
    {0xf8, 0xf8, 0, read_native_max},
    {0xf9, 0xf9, 0, set_max},
};

static const struct command *find_command(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (code >= commands[i].first && code <= commands[i].last)
            return &commands[i];
    }
    return NULL;
}

static unsigned flags_of(uint8_t command)
{
    const struct command *c = find_command(command);
    return c ? c->flags : 0;
}

void ata_disk_command(struct ata *a, vtime now)
{
    const struct command *c = find_command(a->st.command);
    struct ata_drive_state *d = ata_active(a);
    if (c)
        c->start(a, c->flags, now);
    else
        ata_fail(a, ERROR_ABRT); /* not supported; NOP and the packet commands always end so */
    if (!c || c->start != read_native_max)
        d->max_read = 0; /* 8.38: SET MAX comes right after it, or not at all */
}
