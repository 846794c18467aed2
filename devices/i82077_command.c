/*
 * The command set of the 82077AA (table 5-1), seeks, and the commands that only talk to the
 * controller (82077AA 5.2). See i82077.c.
 */
#include "devices/i82077_int.h"

#include <string.h>

enum { VERSION_CODE = 0x90, MAX_RECALIBRATE_STEPS = 79 };

/* ---- Phases ---- */

void i82077_to_command_phase(struct i82077 *f)
{
    f->st.phase = PHASE_COMMAND;
    f->st.command_have = 0;
    f->st.exec_due = VTIME_NEVER;
}

void i82077_give_result(struct i82077 *f, const uint8_t *bytes, unsigned n)
{
    memcpy(f->st.result, bytes, n);
    f->st.result_have = (uint8_t)n;
    f->st.result_pos = 0;
    f->st.phase = PHASE_RESULT;
    f->st.exec_due = VTIME_NEVER;
}

/* ---- Seeks ---- */

/* The host goes on without the four SENSE INTERRUPTs that it owes after a reset. */
static void reset_noticed(struct i82077_state *s)
{
    s->reset_int = s->reset_senses = 0;
}

/* Moves the head of a unit; the interrupt comes when it has arrived. */
static void start_seek(struct i82077 *f, unsigned unit, int steps, uint8_t target, unsigned st0,
                       vtime now)
{
    struct i82077_state *s = &f->st;
    if (i82077_drive_at(f, unit))
        floppy_step(&f->drive[unit], &s->drive[unit], steps);
    s->seek_target[unit] = target;
    s->seek_st0[unit] = (uint8_t)(ST0_SEEK_END | st0 | unit);
    s->seek_due[unit] = now + (vtime)((steps < 0 ? -steps : steps) + 1) * i82077_step_time(f);
    s->seek_ended &= (uint8_t) ~(1u << unit);
    reset_noticed(s);
}

/* 5.2.1: steps outwards until track 0 shows, at most 79 times. */
static void run_recalibrate(struct i82077 *f, vtime now)
{
    unsigned unit = i82077_unit_of(f);
    const struct floppy_drive *d = i82077_drive_at(f, unit);
    int away = d ? f->st.drive[unit].cylinder : MAX_RECALIBRATE_STEPS + 1;
    int steps = away > MAX_RECALIBRATE_STEPS ? MAX_RECALIBRATE_STEPS : away;
    unsigned st0 = away > steps ? ST0_ABNORMAL | ST0_EQUIPMENT_CHECK : 0;
    start_seek(f, unit, -steps, 0, st0, now);
    i82077_to_command_phase(f);
}

static void run_seek(struct i82077 *f, vtime now)
{
    unsigned unit = i82077_unit_of(f);
    uint8_t target = f->st.command[2];
    start_seek(f, unit, target - f->st.pcn[unit], target, 0, now);
    i82077_to_command_phase(f);
}

static void run_relative_seek(struct i82077 *f, vtime now)
{
    unsigned unit = i82077_unit_of(f);
    int steps = f->st.command[0] & CMD_STEP_IN ? f->st.command[2] : -f->st.command[2];
    start_seek(f, unit, steps, (uint8_t)(f->st.pcn[unit] + steps), 0, now);
    i82077_to_command_phase(f);
}

void i82077_seek_fired(void *dev, vtime now)
{
    struct i82077 *f = dev;
    struct i82077_state *s = &f->st;
    for (unsigned unit = 0; unit < I82077_UNITS; unit++) {
        if (s->seek_due[unit] > now)
            continue;
        s->seek_due[unit] = VTIME_NEVER;
        s->pcn[unit] = s->seek_target[unit];
        s->seek_ended |= (uint8_t)(1u << unit);
    }
    i82077_update(f);
}

/* ---- Starting commands with an execution phase ---- */

/* Starts the disk's work, or waits for index pulses. */
void i82077_start_exec(struct i82077 *f, vtime now)
{
    f->st.phase = PHASE_EXEC;
    f->st.exec_due =
        i82077_spinning(f, i82077_unit_of(f)) ? now + i82077_sector_time(f) : VTIME_NEVER;
}

static void prepare(struct i82077 *f)
{
    struct i82077_state *s = &f->st;
    s->st1 = s->st2 = s->tc = 0;
    reset_noticed(s);
    s->head = f->st.command[1] >> 2 & 1;
}

/* READ ID and FORMAT: no ID is searched for. */
static void run_on_track(struct i82077 *f, vtime now)
{
    prepare(f);
    f->st.cylinder = f->st.pcn[i82077_unit_of(f)];
    f->st.sector = 1;
    f->st.sectors_left = f->st.command[3]; /* FORMAT: SC */
    i82077_start_exec(f, now);
}

/* CONFIGURE's implied seek: the time that it takes comes before the first sector. */
static vtime implied_seek(struct i82077 *f)
{
    struct i82077_state *s = &f->st;
    unsigned unit = i82077_unit_of(f);
    int steps = s->command[2] - s->pcn[unit];
    if (!(s->config & CONFIG_IMPLIED_SEEK) || steps == 0)
        return 0;
    if (i82077_drive_at(f, unit))
        floppy_step(&f->drive[unit], &s->drive[unit], steps);
    s->pcn[unit] = s->command[2];
    return (vtime)(steps < 0 ? -steps : steps) * i82077_step_time(f);
}

static void run_sectors(struct i82077 *f, vtime now)
{
    struct i82077_state *s = &f->st;
    prepare(f);
    s->cylinder = s->command[2];
    s->sector = s->command[4];
    s->last_eot = s->command[6];
    s->sectors_left =
        i82077_command_of(f)->step == i82077_read_track_step ? s->command[6] : s->command[8];
    i82077_start_exec(f, now + implied_seek(f));
}

/* ---- Commands without an execution phase ---- */

static void run_invalid(struct i82077 *f, vtime now)
{
    (void)now;
    i82077_give_result(f, (const uint8_t[]){ST0_INVALID}, 1);
}

static void run_specify(struct i82077 *f, vtime now)
{
    (void)now;
    memcpy(f->st.specify, f->st.command + 1, 2);
    i82077_to_command_phase(f);
}

static void run_sense_drive(struct i82077 *f, vtime now)
{
    unsigned unit = i82077_unit_of(f);
    unsigned st3 = ST3_HIGH_BITS | (f->st.command[1] & 7);
    (void)now;
    if (i82077_drive_at(f, unit)) {
        if (f->st.drive[unit].cylinder == 0)
            st3 |= ST3_TRACK_0;
        if (f->st.drive[unit].write_protected)
            st3 |= ST3_WRITE_PROTECTED;
    }
    i82077_give_result(f, (const uint8_t[]){(uint8_t)st3}, 1);
}

/* 5.2.2: four times after a reset (drive polling), once per seek; else it is an invalid command. */
static void run_sense_interrupt(struct i82077 *f, vtime now)
{
    struct i82077_state *s = &f->st;
    if (s->reset_senses > 0) {
        unsigned unit = I82077_UNITS - s->reset_senses--;
        s->reset_int = 0;
        i82077_give_result(f, (const uint8_t[]){(uint8_t)(ST0_POLLED | unit), s->pcn[unit]}, 2);
        return;
    }
    s->reset_int = 0;
    for (unsigned unit = 0; unit < I82077_UNITS; unit++) {
        if (s->seek_ended >> unit & 1) {
            s->seek_ended &= (uint8_t) ~(1u << unit);
            i82077_give_result(f, (const uint8_t[]){s->seek_st0[unit], s->pcn[unit]}, 2);
            return;
        }
    }
    run_invalid(f, now);
}

static void run_configure(struct i82077 *f, vtime now)
{
    (void)now;
    f->st.config = f->st.command[2] & 0x7f;
    f->st.pretrk = f->st.command[3];
    i82077_to_command_phase(f);
}

static void run_version(struct i82077 *f, vtime now)
{
    (void)now;
    i82077_give_result(f, (const uint8_t[]){VERSION_CODE}, 1);
}

static void run_dumpreg(struct i82077 *f, vtime now)
{
    const struct i82077_state *s = &f->st;
    uint8_t lock = (uint8_t)(s->lock << 7);
    const uint8_t r[10] = {
        s->pcn[0],     s->pcn[1],     s->pcn[2],   s->pcn[3],
        s->specify[0], s->specify[1], s->last_eot, lock | (s->perpendicular & 0x3f),
        s->config,     s->pretrk};
    (void)now;
    i82077_give_result(f, r, sizeof(r));
}

/* 5.2.8: the drive bits change only with OW set. */
static void run_perpendicular(struct i82077 *f, vtime now)
{
    uint8_t new = f->st.command[1], keep = new & 0x80 ? 0 : 0x3c;
    (void)now;
    f->st.perpendicular = (uint8_t)((f->st.perpendicular & keep) | (new & 0x3f & ~keep));
    i82077_to_command_phase(f);
}

static void run_lock(struct i82077 *f, vtime now)
{
    (void)now;
    f->st.lock = f->st.command[0] >> 7;
    i82077_give_result(f, (const uint8_t[]){(uint8_t)(f->st.lock << 4)}, 1);
}

/* ---- Command table, 82077AA table 5-1 ---- */

static const struct command commands[] = {
    {0x1f, 0x06, 9, MOVE_TO_HOST, run_sectors, i82077_read_step, "READ DATA"},
    {0x1f, 0x0c, 9, MOVE_TO_HOST, run_sectors, i82077_read_deleted_step, "READ DELETED DATA"},
    {0x3f, 0x05, 9, MOVE_FROM_HOST, run_sectors, i82077_write_step, "WRITE DATA"},
    {0x3f, 0x09, 9, MOVE_FROM_HOST, run_sectors, i82077_write_step, "WRITE DELETED DATA"},
    {0xbf, 0x02, 9, MOVE_TO_HOST, run_sectors, i82077_read_track_step, "READ TRACK"},
    {0x1f, 0x16, 9, MOVE_NOTHING, run_sectors, i82077_read_step, "VERIFY"},
    {0xbf, 0x0d, 6, MOVE_FROM_HOST, run_on_track, i82077_format_step, "FORMAT TRACK"},
    {0xbf, 0x0a, 2, MOVE_NOTHING, run_on_track, i82077_read_id_step, "READ ID"},
    {0xff, 0x07, 2, MOVE_NOTHING, run_recalibrate, NULL, "RECALIBRATE"},
    {0xff, 0x08, 1, MOVE_NOTHING, run_sense_interrupt, NULL, "SENSE INTERRUPT"},
    {0xff, 0x03, 3, MOVE_NOTHING, run_specify, NULL, "SPECIFY"},
    {0xff, 0x04, 2, MOVE_NOTHING, run_sense_drive, NULL, "SENSE DRIVE"},
    {0xff, 0x0f, 3, MOVE_NOTHING, run_seek, NULL, "SEEK"},
    {0xbf, 0x8f, 3, MOVE_NOTHING, run_relative_seek, NULL, "RELATIVE SEEK"},
    {0xff, 0x13, 4, MOVE_NOTHING, run_configure, NULL, "CONFIGURE"},
    {0xff, 0x10, 1, MOVE_NOTHING, run_version, NULL, "VERSION"},
    {0xff, 0x0e, 1, MOVE_NOTHING, run_dumpreg, NULL, "DUMPREG"},
    {0xff, 0x12, 2, MOVE_NOTHING, run_perpendicular, NULL, "PERPENDICULAR MODE"},
    {0x7f, 0x14, 1, MOVE_NOTHING, run_lock, NULL, "LOCK"},
};

static const struct command invalid = {0, 0, 1, MOVE_NOTHING, run_invalid, NULL, "invalid"};

/* The command whose first byte was taken last. */
const struct command *i82077_command_of(const struct i82077 *f)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if ((f->st.command[0] & commands[i].mask) == commands[i].value)
            return &commands[i];
    }
    return &invalid;
}

void i82077_take_command_byte(struct i82077 *f, uint8_t value)
{
    struct i82077_state *s = &f->st;
    if (s->command_have == 0) {
        s->command[0] = value;
        s->command_need = i82077_command_of(f)->length;
    }
    s->command[s->command_have++] = value;
    if (s->command_have < s->command_need)
        return;
    if (trace_on(f->w.log, TRACE_FDC))
        trace_line(f->w.log, TRACE_FDC, "%s (%02x %02x) C%u H%u R%u", i82077_command_of(f)->name,
                   s->command[0], s->command[1], s->command[2], s->command[3], s->command[4]);
    i82077_command_of(f)->start(f, clock_now(f->w.clk));
}
