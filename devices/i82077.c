/*
 * Intel 82077AA CHMOS single-chip floppy disk controller (data sheet 290166) in a PC/AT, with two
 * drives (floppy.c holds media and mechanics).
 *
 * Time: a drive runs `speed` times faster than a real one, in stepping as in turning, and the
 * wanted sector is always the next to come by; everything happens at virtual times that follow
 * from that. Without a motor or a medium no index pulse comes and a command waits for one until
 * the host resets the chip, as the real chip does (BIOSes report "not ready" after their time-out).
 *
 * NOT MODELLED: FM recording (no address mark is found); SCAN commands and PART ID, which this
 * version lacks (80h); overruns in non-DMA mode (the disk waits for the host); FIFO threshold (one
 * INT per byte); power down; write precompensation, gaps and perpendicular mode (values are kept);
 * formats other than the image's own (FORMAT then fails); deleted address marks (WRITE DELETED
 * writes normal ones); Model 30 mode.
 *
 * The board wires INT, the DMA line, the drive types and the ports.
 */
#include "devices/i82077_int.h"

#include <string.h>

enum { /* register offsets */
       REG_SRA,
       REG_SRB,
       REG_DOR,
       REG_TDR,
       REG_MSR_DSR,
       REG_FIFO,
       REG_DIR_CCR = 7,
};

enum { /* DSR, 2.1.5 */
       DSR_RATE = 3,
       DSR_DEFAULT = 0x02, /* 250 kbit/s */
       DSR_RESET = 1 << 7,
};

enum { /* MSR, 2.1.6 */
       MSR_COMMAND_BUSY = 1 << 4,
       MSR_NON_DMA = 1 << 5,
       MSR_DIO = 1 << 6,
       MSR_RQM = 1 << 7,
};

enum { DEFAULT_SPEED = 16, RESET_NS = 100000 };

/* ---- Where and how fast ---- */

unsigned i82077_unit_of(const struct i82077 *f)
{
    return f->st.command[1] & 3;
}

/* The drive that the unit number selects, or NULL where none is fitted. */
const struct floppy_drive *i82077_drive_at(const struct i82077 *f, unsigned unit)
{
    return unit < I82077_DRIVES && f->drive[unit].type ? &f->drive[unit] : NULL;
}

/* Index pulses come: the motor runs and there is a medium. */
bool i82077_spinning(const struct i82077 *f, unsigned unit)
{
    const struct floppy_drive *d = i82077_drive_at(f, unit);
    return d && d->medium && f->st.dor & DOR_MOTOR_0 << unit;
}

static vtime scaled(const struct i82077 *f, vtime t)
{
    return t / (f->w.speed ? f->w.speed : DEFAULT_SPEED) + 1;
}

unsigned i82077_data_rate_code(const struct i82077 *f)
{
    return f->st.dsr & DSR_RATE;
}

static uint64_t data_rate(const struct i82077 *f)
{
    static const uint32_t rate[] = {500000, 300000, 250000, 1000000};
    return rate[i82077_data_rate_code(f)];
}

/* The time that one sector passes under the head; the drive of the command must be spinning. */
vtime i82077_sector_time(const struct i82077 *f)
{
    const struct floppy_drive *d = &f->drive[i82077_unit_of(f)];
    return scaled(f, floppy_revolution(d) / d->format->sectors);
}

vtime i82077_byte_time(const struct i82077 *f)
{
    return scaled(f, 8 * NS_PER_SECOND / data_rate(f));
}

/* SPECIFY, table 5-8: (16 - SRT) ms at 500 kbit/s, in proportion at the other rates. */
vtime i82077_step_time(const struct i82077 *f)
{
    unsigned half_mbit_ms = 16u - (f->st.specify[0] >> 4);
    return scaled(f, half_mbit_ms * 500000ull * 1000000 / data_rate(f));
}

bool i82077_non_dma(const struct i82077 *f)
{
    return f->st.specify[1] & 1;
}

/* ---- INT and timers ---- */

/* Seeks are reported while the chip is idle, so that each report is an edge of its own. */
static bool int_level(const struct i82077_state *s)
{
    return s->data_int || (s->phase == PHASE_COMMAND && (s->reset_int || s->seek_ended));
}

void i82077_update(struct i82077 *f)
{
    const struct i82077_state *s = &f->st;
    bool gate = f->w.ps2 || s->dor & DOR_DMA_GATE;
    irq_set(&f->w.irq, gate && int_level(s));

    vtime seek = VTIME_NEVER;
    for (unsigned unit = 0; unit < I82077_UNITS; unit++) {
        if (s->seek_due[unit] < seek)
            seek = s->seek_due[unit];
    }
    if (f->seek_timer.due != seek)
        timer_arm(f->w.clk, &f->seek_timer, seek);
    if (f->exec_timer.due != s->exec_due)
        timer_arm(f->w.clk, &f->exec_timer, s->exec_due);
}

/* ---- Resets ---- */

/* Ends whatever goes on. CONFIGURE's FIFO part survives if it is locked (5.2.9). */
static void chip_reset(struct i82077_state *s)
{
    uint8_t fifo = s->lock ? s->config & (CONFIG_FIFO_OFF | 0x0f) : CONFIG_FIFO_OFF;
    s->config = fifo;
    if (!s->lock)
        s->pretrk = 0;
    s->perpendicular &= 0x3c; /* GAP and WGATE are cleared, 5.2.8 */
    s->data_int = s->reset_int = s->reset_senses = s->seek_ended = 0;
    s->command_have = s->result_have = s->result_pos = 0;
    s->data_pos = 0;
    s->exec_due = VTIME_NEVER;
    for (unsigned unit = 0; unit < I82077_UNITS; unit++) {
        if (s->seek_due[unit] != VTIME_NEVER)
            s->pcn[unit] = s->seek_target[unit]; /* where the head has been sent */
        s->seek_due[unit] = VTIME_NEVER;
    }
}

static void leave_reset(struct i82077 *f)
{
    f->st.phase = PHASE_RESETTING;
    f->st.exec_due = clock_now(f->w.clk) + RESET_NS;
}

static void exec_fired(void *dev, vtime now)
{
    struct i82077 *f = dev;
    struct i82077_state *s = &f->st;
    vtime at = s->exec_due; /* when it was due, which may be a little ago */
    (void)now;
    s->exec_due = VTIME_NEVER;
    if (s->phase == PHASE_RESETTING) {
        i82077_to_command_phase(f);
        s->reset_senses = I82077_UNITS;
        s->reset_int = 1;
    } else if (s->phase == PHASE_BYTE_WAIT) {
        i82077_next_byte(f, at);
    } else if (s->phase == PHASE_EXEC && i82077_spinning(f, i82077_unit_of(f))) {
        i82077_command_of(f)->step(f, at);
    }
    i82077_update(f);
}

/* A command that waits for index pulses gets them now. */
static void resume_exec(struct i82077 *f)
{
    if (f->st.phase == PHASE_EXEC && f->st.exec_due == VTIME_NEVER)
        i82077_start_exec(f, clock_now(f->w.clk));
}

/* ---- Registers ---- */

static uint8_t read_msr(const struct i82077 *f)
{
    const struct i82077_state *s = &f->st;
    uint8_t msr = 0;
    if (s->phase <= PHASE_RESETTING)
        return 0;
    for (unsigned unit = 0; unit < I82077_UNITS; unit++)
        msr |= (uint8_t)((s->seek_due[unit] != VTIME_NEVER) << unit);
    if (s->phase != PHASE_COMMAND || s->command_have > 0)
        msr |= MSR_COMMAND_BUSY;
    if (s->phase != PHASE_EXEC && s->phase != PHASE_BYTE_WAIT)
        msr |= MSR_RQM;
    if (s->phase == PHASE_RESULT)
        msr |= MSR_DIO;
    if (s->phase == PHASE_EXEC || s->phase == PHASE_BYTE_WAIT || s->phase == PHASE_BYTE_READY) {
        bool host = i82077_non_dma(f) && i82077_command_of(f)->move != MOVE_NOTHING;
        msr |= host ? MSR_NON_DMA : 0;
        msr |= host && i82077_command_of(f)->move == MOVE_TO_HOST ? MSR_DIO : 0;
    }
    return msr;
}

static uint8_t read_fifo(struct i82077 *f)
{
    struct i82077_state *s = &f->st;
    uint8_t value = 0xff;
    if (s->phase == PHASE_BYTE_READY && i82077_command_of(f)->move == MOVE_TO_HOST) {
        value = s->data[s->data_pos];
        i82077_byte_done(f, clock_now(f->w.clk));
    } else if (s->phase == PHASE_RESULT) {
        value = s->result[s->result_pos++];
        s->data_int = 0;
        if (s->result_pos >= s->result_have)
            i82077_to_command_phase(f);
    }
    return value;
}

static void write_fifo(struct i82077 *f, uint8_t value)
{
    struct i82077_state *s = &f->st;
    if (s->phase == PHASE_COMMAND) {
        i82077_take_command_byte(f, value);
    } else if (s->phase == PHASE_BYTE_READY && i82077_command_of(f)->move == MOVE_FROM_HOST) {
        s->data[s->data_pos] = value;
        i82077_byte_done(f, clock_now(f->w.clk));
    } else {
        log_guest(f->w.log, f->dev.id, "byte %02x written to a busy controller", value);
    }
}

/* 2.1.8: in AT mode only DSKCHG is driven, the other bits float. */
static uint8_t read_dir(const struct i82077 *f)
{
    unsigned unit = f->st.dor & DOR_SELECT;
    uint8_t changed = i82077_drive_at(f, unit) && f->st.drive[unit].changed ? 0x80 : 0;
    if (!f->w.ps2)
        return changed | 0x7f;
    unsigned rate = f->st.dsr & DSR_RATE;
    bool low_density = rate == 1 || rate == 2;
    return (uint8_t)(changed | 0x78 | rate << 1 | low_density);
}

/* 2.1.1 and 2.1.2; STEP, INDX and the data toggles rest. */
static uint8_t read_sra(const struct i82077 *f)
{
    const struct i82077_state *s = &f->st;
    unsigned unit = s->dor & DOR_SELECT;
    const struct floppy_drive *d = i82077_drive_at(f, unit);
    bool track_0 = d && s->drive[unit].cylinder == 0;
    bool protect = d && s->drive[unit].write_protected;
    bool interrupt = int_level(s);
    return (uint8_t)(interrupt << 7 | !f->drive[1].type << 6 | !track_0 << 4 | s->head << 3 |
                     1 << 2 | !protect << 1);
}

static uint8_t read_srb(const struct i82077 *f)
{
    return (uint8_t)(0xc0 | (f->st.dor & 1) << 5 | (f->st.dor >> 4 & 3));
}

static uint32_t i82077_read(void *dev, uint32_t offset, enum access_size size)
{
    struct i82077 *f = dev;
    uint8_t value = 0xff;
    (void)size;
    switch (offset) {
    case REG_SRA: return f->w.ps2 ? read_sra(f) : 0xff;
    case REG_SRB: return f->w.ps2 ? read_srb(f) : 0xff;
    case REG_DOR: return f->st.dor;
    case REG_TDR: return 0xfcu | f->st.tdr;
    case REG_MSR_DSR: return read_msr(f);
    case REG_FIFO: value = read_fifo(f); break;
    case REG_DIR_CCR: return read_dir(f);
    default: break;
    }
    i82077_update(f);
    return value;
}

static void write_dor(struct i82077 *f, uint8_t value)
{
    uint8_t old = f->st.dor;
    f->st.dor = value;
    if (!(value & DOR_NOT_RESET)) {
        chip_reset(&f->st);
        f->st.phase = PHASE_IN_RESET;
    } else if (!(old & DOR_NOT_RESET)) {
        leave_reset(f);
    } else {
        resume_exec(f); /* a motor may have been switched on */
    }
}

/* The reset bit clears itself, 2.1.5. */
static void write_dsr(struct i82077 *f, uint8_t value)
{
    f->st.dsr = value & 0x7f;
    if (value & DSR_RESET && f->st.dor & DOR_NOT_RESET) {
        chip_reset(&f->st);
        leave_reset(f);
    }
}

static void i82077_write(void *dev, uint32_t offset, uint32_t value32, enum access_size size)
{
    struct i82077 *f = dev;
    uint8_t value = (uint8_t)value32;
    (void)size;
    switch (offset) {
    case REG_DOR: write_dor(f, value); break;
    case REG_TDR: f->st.tdr = value & 3; break;
    case REG_MSR_DSR: write_dsr(f, value); break;
    case REG_FIFO: write_fifo(f, value); break;
    case REG_DIR_CCR: f->st.dsr = (uint8_t)((f->st.dsr & ~DSR_RATE) | (value & DSR_RATE)); break;
    default: break;
    }
    i82077_update(f);
}

/* ---- Media ---- */

enum emu_err i82077_insert(struct i82077 *f, unsigned drive, struct blk *medium, bool read_only,
                           struct error *err)
{
    if (!i82077_drive_at(f, drive))
        return error_set(err, EMU_ARG, "%s: this machine has no floppy drive %u", medium->name,
                         drive);
    enum emu_err rc = floppy_insert(&f->drive[drive], &f->st.drive[drive], medium, read_only, err);
    if (rc == EMU_OK) {
        resume_exec(f);
        i82077_update(f);
    }
    return rc;
}

void i82077_eject(struct i82077 *f, unsigned drive)
{
    if (i82077_drive_at(f, drive) && f->drive[drive].medium)
        floppy_eject(&f->drive[drive], &f->st.drive[drive]);
}

struct blk *i82077_medium(const struct i82077 *f, unsigned drive)
{
    return drive < I82077_DRIVES ? f->drive[drive].medium : NULL;
}

const struct floppy_format *i82077_format(const struct i82077 *f, unsigned drive)
{
    return drive < I82077_DRIVES ? f->drive[drive].format : NULL;
}

uint8_t i82077_cmos_types(const struct i82077 *f)
{
    return (uint8_t)(f->drive[0].type << 4 | f->drive[1].type);
}

/* ---- Device ---- */

/* The RESET pin clears the DOR, which then holds the chip; media and heads stay where they are. */
static void i82077_reset(void *dev, enum reset_kind kind)
{
    struct i82077 *f = dev;
    struct floppy_drive_state drive[I82077_DRIVES];
    memcpy(drive, f->st.drive, sizeof(drive));
    memset(&f->st, 0, sizeof(f->st));
    memcpy(f->st.drive, drive, sizeof(drive));
    for (unsigned unit = 0; unit < I82077_UNITS; unit++)
        f->st.seek_due[unit] = VTIME_NEVER;
    for (unsigned i = 0; kind == RESET_POWER_ON && i < I82077_DRIVES; i++) {
        f->st.drive[i].cylinder = 0;
        f->st.drive[i].changed = f->drive[i].type != FLOPPY_NONE;
    }
    f->st.dsr = DSR_DEFAULT;
    chip_reset(&f->st);
    f->st.phase = PHASE_IN_RESET;
    i82077_update(f);
}

static enum emu_err same_media(const struct i82077 *f, struct error *err)
{
    for (unsigned i = 0; i < I82077_DRIVES; i++) {
        const struct blk *medium = f->drive[i].medium;
        uint64_t here = medium ? medium->size / FLOPPY_SECTOR : 0;
        uint32_t saved = f->st.drive[i].medium_sectors;
        if (here != saved)
            return error_set(err, EMU_FORMAT,
                             "the snapshot has %u sectors in floppy drive %c, this machine has "
                             "%llu: insert the image that was in use",
                             (unsigned)saved, 'A' + (int)i, (unsigned long long)here);
    }
    return EMU_OK;
}

/* What `max` cannot say: positions inside what they index, and a command that has such a phase. */
static bool consistent(const struct i82077 *f)
{
    const struct i82077_state *s = &f->st;
    bool working =
        s->phase == PHASE_EXEC || s->phase == PHASE_BYTE_WAIT || s->phase == PHASE_BYTE_READY;
    bool waits_for_index = s->phase == PHASE_EXEC && s->exec_due == VTIME_NEVER;
    if (working && !i82077_command_of(f)->step)
        return false;
    if (s->phase == PHASE_BYTE_READY && s->data_pos >= i82077_step_bytes(f))
        return false;
    if (working && !waits_for_index && i82077_unit_of(f) >= I82077_DRIVES)
        return false;
    if (s->phase == PHASE_RESULT && s->result_pos >= s->result_have)
        return false;
    if (s->phase == PHASE_COMMAND && s->command_have > 0)
        return s->command_need == i82077_command_of(f)->length && s->command_have < s->command_need;
    return true;
}

static enum emu_err i82077_post_load(void *dev, struct error *err)
{
    struct i82077 *f = dev;
    enum emu_err rc = same_media(f, err);
    if (rc != EMU_OK)
        return rc;
    if (!consistent(f))
        return error_set(err, EMU_FORMAT, "%s: the saved state contradicts itself", f->dev.id);
    i82077_update(f);
    return EMU_OK;
}

STATE_DESC(i82077_desc, struct i82077_state, 1,
           FIELD(struct i82077_state, exec_due, "next step of the execution phase"),
           FIELD(struct i82077_state, seek_due, "end of each unit's seek"),
           FIELD_STRUCT(struct i82077_state, drive, struct floppy_drive_state, floppy_drive_desc,
                        "the drives"),
           FIELD_MAX(struct i82077_state, data_pos, FLOPPY_SECTOR, "next byte of data"),
           FIELD_MAX(struct i82077_state, sectors_left, 255, "sectors still to be done"),
           FIELD(struct i82077_state, dor, "digital output register"),
           FIELD_MAX(struct i82077_state, dsr, 0x7f, "data rate select register"),
           FIELD_MAX(struct i82077_state, tdr, 3, "tape drive register"),
           FIELD_MAX(struct i82077_state, phase, PHASE_LAST,
                     "0 in reset 1 resetting 2 command 3 execution 4 byte wait 5 byte 6 result"),
           FIELD_MAX(struct i82077_state, data_int, 1, "INT because of data or a result"),
           FIELD_MAX(struct i82077_state, reset_int, 1, "INT because of a reset"),
           FIELD_MAX(struct i82077_state, reset_senses, 4, "SENSE INTERRUPTs left after a reset"),
           FIELD_MAX(struct i82077_state, seek_ended, 15, "units whose seek has ended"),
           FIELD(struct i82077_state, seek_st0, "and its status"),
           FIELD(struct i82077_state, seek_target, "cylinder that each unit seeks"),
           FIELD(struct i82077_state, pcn, "present cylinder numbers"),
           FIELD(struct i82077_state, specify, "SRT/HUT, HLT/ND"),
           FIELD_MAX(struct i82077_state, config, 0x7f, "CONFIGURE byte 2"),
           FIELD(struct i82077_state, pretrk, "CONFIGURE byte 3"),
           FIELD_MAX(struct i82077_state, perpendicular, 0x3f, "PERPENDICULAR MODE"),
           FIELD_MAX(struct i82077_state, lock, 1, "LOCK"),
           FIELD(struct i82077_state, last_eot, "EOT of the last command"),
           FIELD(struct i82077_state, command, "command bytes"),
           FIELD_MAX(struct i82077_state, command_have, 9, "bytes taken"),
           FIELD_MAX(struct i82077_state, command_need, 9, "bytes of the command"),
           FIELD(struct i82077_state, result, "result bytes"),
           FIELD_MAX(struct i82077_state, result_have, 10, "bytes of the result"),
           FIELD_MAX(struct i82077_state, result_pos, 10, "next result byte"),
           FIELD(struct i82077_state, cylinder, "C of the sector at work"),
           FIELD_MAX(struct i82077_state, head, 1, "H"), FIELD(struct i82077_state, sector, "R"),
           FIELD(struct i82077_state, st1, "status register 1"),
           FIELD(struct i82077_state, st2, "status register 2"),
           FIELD_MAX(struct i82077_state, tc, 1, "terminal count was seen"),
           FIELD_MAX(struct i82077_state, reserved, 0, "zero"),
           FIELD(struct i82077_state, data, "sector buffer"));

const struct io_ops i82077_io = {.read = i82077_read, .write = i82077_write, .sizes = ACCESS_8};

const struct device_class i82077_class = {
    .name = "i82077",
    .state = &i82077_desc,
    .state_offset = offsetof(struct i82077, st),
    .reset = i82077_reset,
    .post_load = i82077_post_load,
};

void i82077_init(struct i82077 *f, const char *id, struct i82077_wiring w)
{
    memset(f, 0, sizeof(*f));
    f->dev = (struct device){.cls = &i82077_class, .id = id};
    f->w = w;
    for (unsigned i = 0; i < I82077_DRIVES; i++)
        f->drive[i].type = w.drive_type[i];
    timer_init(&f->exec_timer, "floppy transfer", exec_fired, f);
    timer_init(&f->seek_timer, "floppy seek", i82077_seek_fired, f);
    i82077_reset(f, RESET_POWER_ON);
}
