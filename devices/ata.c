/*
 * An ATA channel: command block, device control, PIO data port, INTRQ, resets, and the phases that
 * every command goes through. ATA/ATAPI-4 (T13 1153D, "ATA-4"), chapters 7 and 9; 48-bit addresses
 * from ATA/ATAPI-6. What the commands do is in ata_disk.c and atapi.c, how long they take in
 * ata_time.c.
 *
 * Both drives take every write to the command block; the one that the device register selects
 * answers reads and drives INTRQ. Drive 0 answers for a missing drive 1, with status 00 (9.16.1); a
 * channel without drives reads FF.
 *
 * NOT MODELLED: overlapped and queued commands, READ LONG, security, host protected area passwords,
 * downloads of microcode, the standby timer (the drive never falls asleep by itself), CFA, 8-bit
 * transfers as a mode (bytes of the data port can always be read singly).
 * Wired by the board: ata_io at the command block, ata_control_io at the device control port, irq,
 * the bus master's ata_dma.
 */
#include "devices/ata_int.h"

#include <inttypes.h>
#include <string.h>

enum { REG_DATA, REG_FEATURE, REG_COUNT, REG_LOW, REG_MID, REG_HIGH, REG_DEVICE, REG_COMMAND };
enum { COMMAND_DEVICE_RESET = 0x08, COMMAND_DIAGNOSTIC = 0x90 };

/* A drive may take 31 s to come out of a reset (ATA-4 9.2); no driver minds a fast one. */
enum { RESET_NS = 200000 };

/* ---- Who is there ---- */

static unsigned selected(const struct ata *a)
{
    return a->st.device & DEVICE_DEV ? 1 : 0;
}

static bool present(const struct ata *a, unsigned drive)
{
    return a->w.drive[drive].kind != ATA_NONE;
}

static bool is_cdrom(const struct ata *a, unsigned drive)
{
    return a->w.drive[drive].kind == ATA_CDROM;
}

/* ---- Everything outside st follows from st ---- */

static void update(struct ata *a)
{
    unsigned drive = selected(a);
    bool level = present(a, drive) && a->st.drive[drive].intrq && !(a->st.control & CONTROL_NIEN);
    irq_set(&a->w.irq, level);
    if (a->timer.due != a->st.due)
        timer_arm(a->w.clk, &a->timer, a->st.due);
}

/* ---- How a command goes on and ends ---- */

void ata_busy(struct ata *a, enum ata_job job, vtime until)
{
    a->st.phase = PHASE_BUSY;
    a->st.job = (uint8_t)job;
    a->st.due = until;
}

void ata_wait_dma(struct ata *a)
{
    a->st.phase = PHASE_DMA_WAIT;
    a->st.due = VTIME_NEVER;
}

static void open_block(struct ata *a, enum ata_phase phase, unsigned len)
{
    a->st.phase = (uint8_t)phase;
    a->st.due = VTIME_NEVER;
    a->st.data_end = (uint16_t)(a->st.data_pos + len);
}

void ata_data_in(struct ata *a, unsigned len)
{
    open_block(a, PHASE_DATA_IN, len);
    ata_interrupt(a);
}

void ata_data_out(struct ata *a, unsigned len)
{
    open_block(a, PHASE_DATA_OUT, len);
}

void ata_interrupt(struct ata *a)
{
    ata_active(a)->intrq = 1;
}

void ata_idle(struct ata *a)
{
    a->st.phase = PHASE_IDLE;
    a->st.due = VTIME_NEVER;
}

void ata_done(struct ata *a)
{
    ata_idle(a);
    ata_interrupt(a);
}

void ata_fail(struct ata *a, uint8_t error)
{
    struct ata_drive_state *d = ata_active(a);
    d->status |= STATUS_ERR;
    d->error = error;
    ata_done(a);
    if (trace_on(a->w.log, TRACE_ATA))
        trace_line(a->w.log, TRACE_ATA, "%s.%u command %02x fails, error %02x", a->dev.id,
                   a->st.active, a->st.command, error);
}

bool ata_dma_ready(const struct ata *a, bool to_memory)
{
    return a->w.dma.ready && a->w.dma.ready(a->w.dma.arg, to_memory);
}

struct job {
    uint8_t kind;                            /* of the drive; ATA_NONE: either */
    void (*step)(struct ata *a, vtime at);   /* the drive has worked until now */
    void (*block)(struct ata *a, vtime now); /* the host has moved a block */
};
static const struct job *job_of(const struct ata *a);

/* ---- Resets ---- */

/* Settings that a power-on brings, and SRST unless SET FEATURES 66 was given (ATA-4 8.37.10). */
void ata_drive_defaults(struct ata *a, unsigned drive)
{
    const struct ata_drive_wiring *w = &a->w.drive[drive];
    struct ata_drive_state *d = &a->st.drive[drive];
    d->heads = w->geometry.heads;
    d->track = w->geometry.sectors;
    d->multiple = 0;
    d->write_cache = w->kind == ATA_DISK && !w->no_write_cache;
    d->look_ahead = w->kind == ATA_DISK;
}

/* ATA-4 9.12: how a host tells the kinds of devices apart. */
void ata_signature(struct ata *a, unsigned drive)
{
    struct ata_taskfile *r = &a->st.drive[drive].reg;
    bool cd = is_cdrom(a, drive);
    r->count[0] = r->lba_low[0] = 1;
    r->lba_mid[0] = cd ? 0x14 : 0;
    r->lba_high[0] = cd ? 0xeb : 0;
}

/* The end of any reset. A packet device shows DRDY only after its first command (9.12). */
static void come_up(struct ata *a, unsigned drive)
{
    struct ata_drive_state *d = &a->st.drive[drive];
    ata_signature(a, drive);
    d->error = 1; /* diagnostic code: passed, drive 1 passed or absent */
    d->status = is_cdrom(a, drive) ? 0 : STATUS_DRDY | STATUS_DSC;
    d->power = POWER_ACTIVE;
    d->intrq = 0;
}

static void end_reset(struct ata *a)
{
    ata_idle(a);
    a->st.device = DEVICE_ONES;
    for (unsigned drive = 0; drive < ATA_DRIVES; drive++)
        come_up(a, drive);
}

static void begin_reset(struct ata *a)
{
    a->st.phase = PHASE_RESET;
    a->st.due = clock_now(a->w.clk) + RESET_NS;
}

static void soft_reset(struct ata *a)
{
    a->st.phase = PHASE_HELD;
    a->st.due = VTIME_NEVER;
    for (unsigned drive = 0; drive < ATA_DRIVES; drive++) {
        a->st.drive[drive].intrq = 0;
        if (!a->st.drive[drive].keep_settings)
            ata_drive_defaults(a, drive);
        atapi_reset(a, drive, false);
    }
}

static void diagnostic_step(struct ata *a, vtime at)
{
    (void)at;
    end_reset(a);
    a->st.active = 0;
    ata_interrupt(a);
}

/* ---- Commands ---- */

static void finish_step(struct ata *a, vtime at)
{
    (void)at;
    ata_done(a);
}

static void buffer_in_step(struct ata *a, vtime at)
{
    (void)at;
    a->st.data_pos = 0;
    ata_data_in(a, ATA_SECTOR);
}

static void buffer_in_block(struct ata *a, vtime now)
{
    (void)now;
    ata_idle(a);
}

static void buffer_out_block(struct ata *a, vtime now)
{
    ata_busy(a, JOB_FINISH, now + ata_command_time(a));
}

/* 8.11: both drives execute it, whichever is selected; drive 0 reports. */
static void diagnose(struct ata *a, vtime now)
{
    a->st.active = 0;
    ata_busy(a, JOB_DIAGNOSTIC, now + RESET_NS);
}

/* DEVICE RESET (8.7) gets a packet device out of anything; no interrupt. */
static void device_reset(struct ata *a, unsigned drive)
{
    a->st.active = (uint8_t)drive;
    ata_idle(a);
    atapi_reset(a, drive, false);
    come_up(a, drive);
    a->st.device &= DEVICE_ONES | DEVICE_DEV;
}

static bool takes_command(const struct ata *a)
{
    return a->st.phase == PHASE_IDLE || a->st.phase == PHASE_DATA_IN ||
           a->st.phase == PHASE_DATA_OUT || a->st.phase == PHASE_DMA_WAIT;
}

static void start_command(struct ata *a, unsigned drive, uint8_t command, vtime now)
{
    struct ata_drive_state *d = &a->st.drive[drive];
    a->st.active = (uint8_t)drive;
    a->st.command = command;
    a->st.data_pos = a->st.data_end = a->st.data_have = 0;
    a->st.left = 0;
    d->status = STATUS_DRDY | STATUS_DSC;
    d->error = 0;
    ata_idle(a);
    if (d->power == POWER_SLEEP)
        ata_fail(a, ERROR_ABRT); /* only a reset wakes it (8.40) */
    else if (is_cdrom(a, drive))
        atapi_command(a, now);
    else
        ata_disk_command(a, now);
}

static void write_command(struct ata *a, uint8_t command)
{
    unsigned drive = selected(a);
    vtime now = clock_now(a->w.clk);
    if (trace_on(a->w.log, TRACE_ATA)) {
        const struct ata_taskfile *r = &a->st.drive[drive].reg;
        trace_line(a->w.log, TRACE_ATA,
                   "%s.%u command %02x feature %02x count %02x%02x lba %02x%02x%02x %02x%02x%02x "
                   "device %02x",
                   a->dev.id, drive, command, r->feature[0], r->count[1], r->count[0],
                   r->lba_high[1], r->lba_mid[1], r->lba_low[1], r->lba_high[0], r->lba_mid[0],
                   r->lba_low[0], a->st.device);
    }
    bool resets = command == COMMAND_DEVICE_RESET && is_cdrom(a, drive);
    if (!takes_command(a) && !(resets && a->st.phase == PHASE_BUSY)) {
        log_guest(a->w.log, a->dev.id, "command %02x written to a busy drive", command);
        return;
    }
    if (command == COMMAND_DIAGNOSTIC && (present(a, 0) || present(a, 1))) {
        a->st.drive[0].intrq = a->st.drive[1].intrq = 0;
        diagnose(a, now);
    } else if (present(a, drive)) {
        a->st.drive[drive].intrq = 0;
        if (resets)
            device_reset(a, drive);
        else
            start_command(a, drive, command, now);
    }
}

static void fire(void *dev, vtime now)
{
    struct ata *a = dev;
    vtime at = a->st.due; /* when it was due, which may be a little ago */
    (void)now;
    a->st.due = VTIME_NEVER;
    if (a->st.phase == PHASE_RESET)
        end_reset(a);
    else if (a->st.phase == PHASE_BUSY && job_of(a)->step)
        job_of(a)->step(a, at);
    update(a);
}

void ata_dma_started(struct ata *a)
{
    if (a->st.phase != PHASE_DMA_WAIT)
        return;
    ata_busy(a, a->st.job, clock_now(a->w.clk));
    update(a);
}

/* ---- The data port ---- */

static void end_of_block(struct ata *a)
{
    if (job_of(a)->block)
        job_of(a)->block(a, clock_now(a->w.clk));
    else
        ata_idle(a);
    update(a);
}

/* The bytes of one access. A block of odd length ends in the middle of a word. */
static uint32_t read_data(struct ata *a, unsigned size)
{
    struct ata_state *st = &a->st;
    uint32_t value = 0;
    if (st->phase != PHASE_DATA_IN || selected(a) != st->active)
        return 0xffffffffu >> (32 - 8 * size);
    for (unsigned i = 0; i < size && st->data_pos < st->data_end; i++)
        value |= (uint32_t)st->data[st->data_pos++] << (8 * i);
    if (st->data_pos >= st->data_end)
        end_of_block(a);
    return value;
}

static void write_data(struct ata *a, uint32_t value, unsigned size)
{
    struct ata_state *st = &a->st;
    if (st->phase != PHASE_DATA_OUT || selected(a) != st->active)
        return;
    for (unsigned i = 0; i < size && st->data_pos < st->data_end; i++)
        st->data[st->data_pos++] = (uint8_t)(value >> (8 * i));
    if (st->data_pos >= st->data_end)
        end_of_block(a);
}

/* ---- The other registers ---- */

static uint8_t read_status(const struct ata *a)
{
    const struct ata_state *st = &a->st;
    unsigned drive = selected(a);
    uint8_t status = st->drive[drive].status;
    if (!present(a, drive))
        return present(a, 0) ? 0 : 0xff;
    if (st->phase == PHASE_HELD || st->phase == PHASE_RESET)
        return STATUS_BSY;
    if (drive != st->active || st->phase == PHASE_IDLE)
        return status;
    return status | (st->phase == PHASE_BUSY ? STATUS_BSY : STATUS_DRQ);
}

static uint8_t *file_register(struct ata_taskfile *r, unsigned offset)
{
    switch (offset) {
    case REG_FEATURE: return r->feature;
    case REG_COUNT: return r->count;
    case REG_LOW: return r->lba_low;
    case REG_MID: return r->lba_mid;
    default: return r->lba_high;
    }
}

static uint8_t read_register(struct ata *a, unsigned offset)
{
    unsigned drive = present(a, selected(a)) ? selected(a) : 0;
    bool previous = a->st.control & CONTROL_HOB;
    if (!present(a, drive))
        return 0xff;
    switch (offset) {
    case REG_FEATURE: return a->st.drive[drive].error;
    case REG_DEVICE: return a->st.device;
    default: return file_register(&a->st.drive[drive].reg, offset)[previous];
    }
}

static uint8_t read_byte(struct ata *a, unsigned offset)
{
    uint8_t value;
    if (offset != REG_COMMAND)
        return read_register(a, offset);
    value = read_status(a);
    a->st.drive[selected(a)].intrq = 0; /* 7.15.3: reading status clears the interrupt */
    update(a);
    return value;
}

static void write_byte(struct ata *a, unsigned offset, uint8_t value)
{
    a->st.control &= (uint8_t)~CONTROL_HOB; /* ATA-6 7.8 */
    if (offset == REG_COMMAND) {
        write_command(a, value);
    } else if (offset == REG_DEVICE) {
        a->st.device = value | DEVICE_ONES;
    } else {
        for (unsigned drive = 0; drive < ATA_DRIVES; drive++) {
            uint8_t *r = file_register(&a->st.drive[drive].reg, offset);
            r[1] = r[0];
            r[0] = value;
        }
    }
    update(a);
}

static uint32_t ata_read(void *dev, uint32_t offset, enum access_size size)
{
    uint32_t value = 0;
    if (offset == REG_DATA)
        return read_data(dev, size);
    for (unsigned i = 0; i < (unsigned)size; i++)
        value |= (uint32_t)read_byte(dev, (offset + i) & 7) << (8 * i);
    return value;
}

static void ata_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    if (offset == REG_DATA) {
        write_data(dev, value, size);
        return;
    }
    for (unsigned i = 0; i < (unsigned)size && offset + i <= REG_COMMAND; i++)
        write_byte(dev, offset + i, (uint8_t)(value >> (8 * i)));
}

const struct io_ops ata_io = {ata_read, ata_write, ACCESS_8 | ACCESS_16 | ACCESS_32};

static uint32_t control_read(void *dev, uint32_t offset, enum access_size size)
{
    (void)offset, (void)size;
    return read_status(dev); /* the alternate status: the interrupt stays */
}

static void control_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct ata *a = dev;
    uint8_t old = a->st.control;
    (void)offset, (void)size;
    a->st.control = value & (CONTROL_NIEN | CONTROL_SRST | CONTROL_HOB);
    if (value & CONTROL_SRST)
        soft_reset(a);
    else if (old & CONTROL_SRST)
        begin_reset(a);
    update(a);
}

const struct io_ops ata_control_io = {control_read, control_write, ACCESS_8};

/* ---- Media ---- */

static uint64_t medium_sectors(const struct ata *a, unsigned drive)
{
    const struct blk *medium = a->w.drive[drive].medium;
    return medium ? medium->size / ATA_SECTOR : 0;
}

static uint32_t medium_blocks(const struct ata *a, unsigned drive)
{
    uint64_t blocks = medium_sectors(a, drive) / (ATAPI_BLOCK / ATA_SECTOR);
    return blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)blocks;
}

/* What the state says of the medium. */
static void note_medium(struct ata *a, unsigned drive)
{
    struct ata_drive_state *d = &a->st.drive[drive];
    d->sectors = d->max_sectors = is_cdrom(a, drive) ? 0 : medium_sectors(a, drive);
    d->cd.blocks = is_cdrom(a, drive) ? medium_blocks(a, drive) : 0;
}

void ata_set_medium(struct ata *a, unsigned drive, struct blk *medium)
{
    ASSERT(drive < ATA_DRIVES && is_cdrom(a, drive));
    a->w.drive[drive].medium = medium;
    note_medium(a, drive);
    atapi_medium_changed(a, drive);
    update(a);
}

bool ata_locked(const struct ata *a, unsigned drive)
{
    return a->st.drive[drive].cd.locked;
}

void ata_request_eject(struct ata *a, unsigned drive)
{
    a->st.drive[drive].cd.media_event = 1;
}

/* ---- Device ---- */

static void ata_reset(void *dev, enum reset_kind kind)
{
    struct ata *a = dev;
    uint8_t open[ATA_DRIVES];
    for (unsigned drive = 0; drive < ATA_DRIVES; drive++)
        open[drive] = kind == RESET_POWER_ON ? 0 : a->st.drive[drive].cd.open;
    a->st = (struct ata_state){.due = VTIME_NEVER, .device = DEVICE_ONES};
    for (unsigned drive = 0; drive < ATA_DRIVES; drive++) {
        note_medium(a, drive);
        ata_drive_defaults(a, drive);
        come_up(a, drive);
        a->st.drive[drive].smart = is_cdrom(a, drive) ? 0 : 1;
        a->st.drive[drive].cd.open = open[drive];
        atapi_reset(a, drive, true);
    }
    begin_reset(a);
    update(a);
}

static enum emu_err check_drive(const struct ata *a, unsigned drive, struct error *err)
{
    const struct ata_drive_state *d = &a->st.drive[drive];
    uint64_t sectors = is_cdrom(a, drive) ? 0 : medium_sectors(a, drive);
    uint32_t blocks = is_cdrom(a, drive) ? medium_blocks(a, drive) : 0;
    if (d->sectors != sectors || d->cd.blocks != blocks)
        return error_set(err, EMU_FORMAT, "%s: drive %u was saved with another medium", a->dev.id,
                         drive);
    if (d->max_sectors > sectors)
        return error_set(err, EMU_FORMAT, "%s: drive %u reaches behind its end", a->dev.id, drive);
    return EMU_OK;
}

static enum emu_err ata_post_load(void *dev, struct error *err)
{
    struct ata *a = dev;
    const struct ata_state *st = &a->st;
    uint8_t kind = job_of(a)->kind;
    bool works = st->phase >= PHASE_BUSY;
    for (unsigned drive = 0; drive < ATA_DRIVES; drive++) {
        enum emu_err e = check_drive(a, drive, err);
        if (e)
            return e;
    }
    if (works && kind != ATA_NONE && a->w.drive[st->active].kind != kind)
        return error_set(err, EMU_FORMAT, "%s: drive %u cannot do what it is doing", a->dev.id,
                         st->active);
    if (st->data_pos > st->data_end && (st->phase == PHASE_DATA_IN || st->phase == PHASE_DATA_OUT))
        return error_set(err, EMU_FORMAT, "%s: a block ends before it begins", a->dev.id);
    update(a);
    return EMU_OK;
}

static const struct job jobs[JOB_LAST + 1] = {
    [JOB_FINISH] = {ATA_NONE, finish_step, NULL},
    [JOB_DIAGNOSTIC] = {ATA_NONE, diagnostic_step, NULL},
    [JOB_READ] = {ATA_DISK, ata_disk_read_step, ata_disk_read_block},
    [JOB_WRITE] = {ATA_DISK, ata_disk_write_step, ata_disk_write_block},
    [JOB_READ_DMA] = {ATA_DISK, ata_disk_read_dma_step, NULL},
    [JOB_WRITE_DMA] = {ATA_DISK, ata_disk_write_dma_step, NULL},
    [JOB_VERIFY] = {ATA_DISK, ata_disk_verify_step, NULL},
    [JOB_FLUSH] = {ATA_DISK, ata_disk_flush_step, NULL},
    [JOB_BUFFER_IN] = {ATA_NONE, buffer_in_step, buffer_in_block},
    [JOB_BUFFER_OUT] = {ATA_NONE, NULL, buffer_out_block},
    [JOB_PACKET] = {ATA_CDROM, NULL, atapi_packet_block},
    [JOB_PACKET_IN] = {ATA_CDROM, atapi_in_step, atapi_in_block},
    [JOB_PACKET_OUT] = {ATA_CDROM, NULL, atapi_out_block},
    [JOB_PACKET_DMA] = {ATA_CDROM, atapi_dma_step, NULL},
    [JOB_PACKET_END] = {ATA_CDROM, atapi_end_step, NULL},
    [JOB_TRIM] = {ATA_DISK, ata_disk_trim_step, NULL},
};

static const struct job *job_of(const struct ata *a)
{
    return &jobs[a->st.job];
}

STATE_DESC(ata_taskfile_desc, struct ata_taskfile, 1,
           FIELD(struct ata_taskfile, feature, "features: last, one before"),
           FIELD(struct ata_taskfile, count, "sector count"),
           FIELD(struct ata_taskfile, lba_low, "sector number"),
           FIELD(struct ata_taskfile, lba_mid, "cylinder low"),
           FIELD(struct ata_taskfile, lba_high, "cylinder high"));

STATE_DESC(ata_drive_desc, struct ata_drive_state, 1,
           FIELD(struct ata_drive_state, sectors, "of the hard disk"),
           FIELD(struct ata_drive_state, max_sectors, "of them reachable (SET MAX)"),
           FIELD(struct ata_drive_state, head, "sector under the head"),
           FIELD_STRUCT(struct ata_drive_state, cd, struct atapi_state, atapi_desc,
                        "the packet device"),
           FIELD_STRUCT(struct ata_drive_state, reg, struct ata_taskfile, ata_taskfile_desc,
                        "registers"),
           FIELD_MAX(struct ata_drive_state, status, 0x71, "DRDY 40 DF 20 DSC 10 ERR 01"),
           FIELD(struct ata_drive_state, error, "error register"),
           FIELD_MAX(struct ata_drive_state, intrq, 1, "interrupt pending"),
           FIELD_MAX(struct ata_drive_state, heads, 16, "heads of the translation in use"),
           FIELD(struct ata_drive_state, track, "and its sectors a track"),
           FIELD_MAX(struct ata_drive_state, multiple, ATA_MULTIPLE_MAX,
                     "sectors a block of READ and WRITE MULTIPLE"),
           FIELD_MAX(struct ata_drive_state, mode, 0x7f, "transfer mode"),
           FIELD_MAX(struct ata_drive_state, write_cache, 1, "write cache on"),
           FIELD_MAX(struct ata_drive_state, look_ahead, 1, "read look-ahead on"),
           FIELD_MAX(struct ata_drive_state, keep_settings, 1, "SRST keeps the settings"),
           FIELD(struct ata_drive_state, power, "00 standby 01 sleep 80 idle FF active"),
           FIELD_MAX(struct ata_drive_state, smart, 1, "SMART enabled"),
           FIELD_MAX(struct ata_drive_state, max_read, 1, "READ NATIVE MAX came just now"),
           FIELD_MAX(struct ata_drive_state, reserved, 0, "zero"));

STATE_DESC(ata_desc, struct ata_state, 1,
           FIELD(struct ata_state, due, "when the work at hand is done"),
           FIELD(struct ata_state, lba, "next sector of the command"),
           FIELD(struct ata_state, left, "sectors still to be moved"),
           FIELD_MAX(struct ata_state, reserved1, 0, "zero"),
           FIELD_STRUCT(struct ata_state, drive, struct ata_drive_state, ata_drive_desc, "the drives"),
           FIELD_MAX(struct ata_state, data_pos, ATA_BUFFER, "next byte of the block"),
           FIELD_MAX(struct ata_state, data_end, ATA_BUFFER, "its end"),
           FIELD_MAX(struct ata_state, data_have, ATA_BUFFER, "bytes in the buffer"),
           FIELD(struct ata_state, limit, "bytes a block of a packet command"),
           FIELD_MAX(struct ata_state, phase, PHASE_LAST,
                     "0 idle 1 held 2 reset 3 busy 4 data in 5 data out 6 waits for DMA"),
           FIELD_MAX(struct ata_state, job, JOB_LAST, "what is being done"),
           FIELD_MAX(struct ata_state, active, 1, "drive that executes"),
           FIELD(struct ata_state, command, "its command"),
           FIELD_MAX(struct ata_state, control, 0x86, "device control register"),
           FIELD(struct ata_state, device, "device register"),
           FIELD_MAX(struct ata_state, block, ATA_MULTIPLE_MAX, "sectors in this block"),
           FIELD_MAX(struct ata_state, packet_dma, 1, "the packet command uses DMA"),
           FIELD(struct ata_state, packet, "the packet"),
           FIELD_MAX(struct ata_state, reserved, 0, "zero"),
           FIELD(struct ata_state, data, "the block"));

const struct device_class ata_class = {
    .name = "ata",
    .state = &ata_desc,
    .state_offset = offsetof(struct ata, st),
    .reset = ata_reset,
    .post_load = ata_post_load,
};

void ata_init(struct ata *a, const char *id, struct ata_wiring w)
{
    memset(a, 0, sizeof(*a));
    a->dev = (struct device){.cls = &ata_class, .id = id};
    a->w = w;
    timer_init(&a->timer, id, fire, a);
    ata_reset(a, RESET_POWER_ON);
}
