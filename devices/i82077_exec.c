/*
 * Execution phases of the 82077AA that touch the disk's data: finding sectors, moving them through
 * DMA or byte by byte, READ, WRITE, VERIFY, READ TRACK, FORMAT and READ ID (82077AA 5.1). Each
 * command has a step that runs once per sector, when the sector has come by. See i82077.c.
 */
#include "devices/i82077_int.h"

#include <string.h>

static void end_sector(struct i82077 *f, vtime at);

/* The drive of the command; only while it is spinning. */
static const struct floppy_drive *drive_of(const struct i82077 *f)
{
    return &f->drive[i82077_unit_of(f)];
}

/* ---- Ends ---- */

/* Ends a command that had an execution phase: ST0-2, C, H, R, N and an interrupt. */
static void finish(struct i82077 *f)
{
    struct i82077_state *s = &f->st;
    bool failed = s->st1 || s->st2 & (uint8_t)~ST2_CONTROL_MARK;
    uint8_t st0 = (uint8_t)((failed ? ST0_ABNORMAL : 0) | s->head << 2 | i82077_unit_of(f));
    uint8_t r[7] = {st0, s->st1, s->st2, s->cylinder, s->head, s->sector, FLOPPY_N};
    i82077_give_result(f, r, sizeof(r));
    s->data_int = 1;
    if (trace_on(f->w.log, TRACE_FDC))
        trace_line(f->w.log, TRACE_FDC, "%s ends: ST %02x %02x %02x, C%u H%u R%u",
                   i82077_command_of(f)->name, r[0], r[1], r[2], r[3], r[4], r[5]);
}

static void finish_with(struct i82077 *f, unsigned st1, unsigned st2)
{
    f->st.st1 |= (uint8_t)st1;
    f->st.st2 |= (uint8_t)st2;
    finish(f);
}

/* The host's file failed: for the guest, a data field that cannot be read or written. */
static void finish_host_failure(struct i82077 *f, const struct error *err)
{
    log_guest(f->w.log, f->dev.id, "%s", err->text);
    finish_with(f, ST1_DATA_ERROR, ST2_DATA_ERROR_IN_DATA);
}

/* ---- Execution phase: finding sectors ---- */

static unsigned head_select(const struct i82077 *f)
{
    return f->st.command[1] >> 2 & 1;
}

/* The medium's cylinder under the head if address marks can be read there at all, else -1. */
static int readable_cylinder(const struct i82077 *f, unsigned head)
{
    unsigned unit = i82077_unit_of(f);
    const struct floppy_drive *d = &f->drive[unit];
    if (!(f->st.command[0] & CMD_MFM) || i82077_data_rate_code(f) != floppy_rate_code(d))
        return -1;
    return floppy_cylinder(d, &f->st.drive[unit], head);
}

/* Is C, H, R, N on the track? Address marks and IDs are checked; faults go to ST1 and ST2. */
static bool find_sector(struct i82077 *f)
{
    struct i82077_state *s = &f->st;
    int cylinder = readable_cylinder(f, s->head);
    if (cylinder < 0) {
        s->st1 |= ST1_MISSING_ADDRESS_MARK;
        return false;
    }
    if (cylinder != s->cylinder) {
        s->st1 |= ST1_NO_DATA;
        s->st2 |= ST2_WRONG_CYLINDER;
        return false;
    }
    if (s->sector == 0 || s->sector > drive_of(f)->format->sectors ||
        s->command[3] != head_select(f) || s->command[5] != FLOPPY_N) {
        s->st1 |= ST1_NO_DATA;
        return false;
    }
    return true;
}

/* R is EOT and, with MT, the head is the second one. */
static bool at_last_sector(const struct i82077_state *s)
{
    return s->sector == s->command[6] && !(s->command[0] & CMD_MT && s->head == 0);
}

/* Moves on in C, H, R as table 5-5 says. */
static void next_sector(struct i82077_state *s)
{
    bool last = at_last_sector(s);
    if (s->sector != s->command[6]) {
        s->sector++;
        return;
    }
    s->sector = 1;
    if (s->command[0] & CMD_MT)
        s->head ^= 1;
    if (last)
        s->cylinder++;
}

static void next_step(struct i82077 *f, vtime at)
{
    f->st.phase = PHASE_EXEC;
    f->st.exec_due = at + i82077_sector_time(f);
}

/* After a sector was moved: goes on, or ends by terminal count, or by end of cylinder, where C, H
 * and R stay at the last sector. */
static void after_sector(struct i82077 *f, vtime at)
{
    struct i82077_state *s = &f->st;
    if (s->tc || s->st2 & ST2_CONTROL_MARK) {
        next_sector(s);
        finish(f);
    } else if (at_last_sector(s)) {
        finish_with(f, ST1_END_OF_CYLINDER, 0);
    } else {
        next_sector(s);
        next_step(f, at);
    }
}

/* ---- Execution phase: moving data ---- */

/* Bytes that the host moves per step. */
unsigned i82077_step_bytes(const struct i82077 *f)
{
    return (f->st.command[0] & 0x1f) == 0x0d ? 4 : FLOPPY_SECTOR; /* FORMAT: an ID */
}

/* Moves data[] through DMA. False: the controller did not keep up, the command is over. */
static bool dma_data(struct i82077 *f, enum dma_direction dir)
{
    struct i82077_state *s = &f->st;
    unsigned want = i82077_step_bytes(f);
    bool tc = false;
    size_t moved = 0;
    if (f->w.ps2 || s->dor & DOR_DMA_GATE) {
        dma_request(&f->w.dma, true);
        moved = dma_transfer(&f->w.dma, s->data, want, dir, &tc);
        dma_request(&f->w.dma, false);
    }
    if (moved < want && !tc) {
        finish_with(f, ST1_OVERRUN, 0);
        return false;
    }
    if (dir == DMA_FROM_MEMORY) /* TC within a sector: the rest is zeros, 5.1.3 */
        memset(s->data + moved, 0, want - moved);
    s->tc |= tc;
    return true;
}

static void offer_bytes(struct i82077 *f)
{
    f->st.data_pos = 0;
    f->st.phase = PHASE_BYTE_READY;
    f->st.exec_due = VTIME_NEVER;
    f->st.data_int = 1;
}

/* data[] is loaded, or has to be filled by the host, before end_sector() takes over. */
static void move_data(struct i82077 *f, vtime at)
{
    enum transfer move = i82077_command_of(f)->move;
    if (move == MOVE_NOTHING)
        end_sector(f, at);
    else if (i82077_non_dma(f))
        offer_bytes(f);
    else if (dma_data(f, move == MOVE_TO_HOST ? DMA_TO_MEMORY : DMA_FROM_MEMORY))
        end_sector(f, at);
}

/* The host has moved its byte of a non-DMA transfer. INT falls, and rises again for the next one
 * or for the result. */
void i82077_byte_done(struct i82077 *f, vtime now)
{
    struct i82077_state *s = &f->st;
    s->data_int = 0;
    s->data_pos++;
    s->phase = PHASE_BYTE_WAIT;
    s->exec_due = now + i82077_byte_time(f);
}

void i82077_next_byte(struct i82077 *f, vtime at)
{
    struct i82077_state *s = &f->st;
    if (s->data_pos < i82077_step_bytes(f)) {
        s->phase = PHASE_BYTE_READY;
        s->data_int = 1;
    } else {
        s->data_pos = 0;
        end_sector(f, at);
    }
}

/* ---- READ DATA, READ DELETED DATA, VERIFY, READ TRACK, WRITE DATA, WRITE DELETED DATA ---- */

/* Reads the sector at work into data[]. */
static bool load_sector(struct i82077 *f, unsigned cylinder, unsigned sector)
{
    struct error err = {0};
    if (floppy_read(drive_of(f), cylinder, f->st.head, sector, f->st.data, &err) == EMU_OK)
        return true;
    finish_host_failure(f, &err);
    return false;
}

void i82077_read_step(struct i82077 *f, vtime at)
{
    if (!find_sector(f))
        finish(f);
    else if (load_sector(f, f->st.cylinder, f->st.sector))
        move_data(f, at);
}

/* All data fields of an image are normal ones, so this meets the wrong mark at every sector: with
 * SK it skips them all, without it delivers one and stops (table 5-6). */
void i82077_read_deleted_step(struct i82077 *f, vtime at)
{
    if (!find_sector(f)) {
        finish(f);
    } else if (f->st.command[0] & CMD_SK) {
        after_sector(f, at);
    } else if (load_sector(f, f->st.cylinder, f->st.sector)) {
        f->st.st2 |= ST2_CONTROL_MARK;
        move_data(f, at);
    }
}

/* EOT sectors from the index hole on, whatever their IDs say; ND tells of a mismatch (5.1.5). */
void i82077_read_track_step(struct i82077 *f, vtime at)
{
    struct i82077_state *s = &f->st;
    const struct floppy_format *format = drive_of(f)->format;
    unsigned done = (unsigned)(s->command[6] - s->sectors_left) & 0xff;
    int cylinder = readable_cylinder(f, s->head);
    if (cylinder < 0) {
        finish_with(f, ST1_MISSING_ADDRESS_MARK, 0);
        return;
    }
    unsigned sector = done % format->sectors + 1;
    if (cylinder != s->cylinder || sector != s->sector || s->command[5] != FLOPPY_N)
        s->st1 |= ST1_NO_DATA;
    if (load_sector(f, (unsigned)cylinder, sector))
        move_data(f, at);
}

static bool writable(const struct i82077 *f)
{
    return !f->st.drive[i82077_unit_of(f)].write_protected;
}

void i82077_write_step(struct i82077 *f, vtime at)
{
    if (!writable(f))
        finish_with(f, ST1_NOT_WRITABLE, 0);
    else if (!find_sector(f))
        finish(f);
    else
        move_data(f, at);
}

static void store_sector(struct i82077 *f, vtime at)
{
    struct error err = {0};
    const struct i82077_state *s = &f->st;
    /* The medium may have changed while the host filled the buffer. */
    if (!i82077_spinning(f, i82077_unit_of(f)) || !writable(f))
        finish_with(f, ST1_NOT_WRITABLE, 0);
    else if (!find_sector(f))
        finish(f);
    else if (floppy_write(drive_of(f), s->cylinder, s->head, s->sector, s->data, &err) != EMU_OK)
        finish_host_failure(f, &err);
    else
        after_sector(f, at);
}

/* VERIFY ends well at EOT or, with EC, after SC sectors (table 5-7). */
static void after_verified(struct i82077 *f, vtime at)
{
    struct i82077_state *s = &f->st;
    bool done = at_last_sector(s);
    if (s->command[1] & VERIFY_EC && s->sectors_left <= 1)
        done = true;
    if (s->sectors_left > 0)
        s->sectors_left--;
    next_sector(s);
    if (done)
        finish(f);
    else
        next_step(f, at);
}

static void after_track_sector(struct i82077 *f, vtime at)
{
    struct i82077_state *s = &f->st;
    s->sector++;
    if (s->sectors_left > 0)
        s->sectors_left--;
    if (s->tc)
        finish(f);
    else if (s->sectors_left == 0)
        finish_with(f, ST1_END_OF_CYLINDER, 0);
    else
        next_step(f, at);
}

/* ---- FORMAT TRACK, READ ID ---- */

void i82077_format_step(struct i82077 *f, vtime at)
{
    if (!writable(f))
        finish_with(f, ST1_NOT_WRITABLE, 0);
    else if (readable_cylinder(f, f->st.head) < 0)
        finish_with(f, ST1_MISSING_ADDRESS_MARK, 0);
    else
        move_data(f, at);
}

/* data[0..3] is the C, H, R, N to record. An image has room for its own IDs only. */
static void format_sector(struct i82077 *f, vtime at)
{
    struct i82077_state *s = &f->st;
    struct error err = {0};
    uint8_t filler = s->command[5];
    bool ready = i82077_spinning(f, i82077_unit_of(f)) && writable(f);
    int cylinder = ready ? readable_cylinder(f, s->head) : -1;
    s->cylinder = s->data[0];
    s->sector = s->data[2];
    if (cylinder != s->data[0] || s->head != s->data[1] || s->data[3] != FLOPPY_N ||
        s->data[2] == 0 || s->data[2] > drive_of(f)->format->sectors) {
        log_guest(f->w.log, f->dev.id, "FORMAT with an ID that the image has no room for");
        finish_with(f, ST1_NO_DATA, 0);
        return;
    }
    memset(s->data, filler, FLOPPY_SECTOR);
    if (floppy_write(drive_of(f), s->cylinder, s->head, s->sector, s->data, &err) != EMU_OK) {
        finish_host_failure(f, &err);
        return;
    }
    if (s->sectors_left > 0)
        s->sectors_left--;
    if (s->sectors_left == 0 || s->tc)
        finish(f);
    else
        next_step(f, at);
}

/* The sectors come by one after the other, so the time tells which ID is next. */
void i82077_read_id_step(struct i82077 *f, vtime at)
{
    struct i82077_state *s = &f->st;
    int cylinder = readable_cylinder(f, s->head);
    if (cylinder < 0) {
        finish_with(f, ST1_MISSING_ADDRESS_MARK, 0);
        return;
    }
    s->cylinder = (uint8_t)cylinder;
    s->sector = (uint8_t)(at / i82077_sector_time(f) % drive_of(f)->format->sectors + 1);
    finish(f);
}

/* The data of the sector at work has been moved: what follows depends on the command. */
static void end_sector(struct i82077 *f, vtime at)
{
    const struct command *c = i82077_command_of(f);
    if (c->step == i82077_format_step)
        format_sector(f, at);
    else if (c->step == i82077_write_step)
        store_sector(f, at);
    else if (!i82077_spinning(f, i82077_unit_of(f)))
        finish_with(f, ST1_MISSING_ADDRESS_MARK, 0);
    else if (c->step == i82077_read_track_step)
        after_track_sector(f, at);
    else if (c->move == MOVE_NOTHING)
        after_verified(f, at);
    else
        after_sector(f, at);
}
