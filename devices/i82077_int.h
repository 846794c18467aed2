/* Shared by the files of the 82077AA: i82077.c (registers, resets, media), i82077_command.c (the
 * command set, seeks) and i82077_exec.c (execution phases that touch the disk's data). */
#ifndef DEVICES_I82077_INT_H
#define DEVICES_I82077_INT_H

#include "devices/i82077.h"

enum { /* DOR, 82077AA 2.1.3 */
       DOR_SELECT = 3,
       DOR_NOT_RESET = 1 << 2,
       DOR_DMA_GATE = 1 << 3,
       DOR_MOTOR_0 = 1 << 4,
};

enum { /* bits of the first command byte */
       CMD_MT = 0x80,
       CMD_MFM = 0x40,
       CMD_SK = 0x20,
       CMD_STEP_IN = 0x40, /* RELATIVE SEEK */
       VERIFY_EC = 0x80,   /* in the second byte */
};

enum { /* CONFIGURE, 5.2.7 */
       CONFIG_IMPLIED_SEEK = 0x40,
       CONFIG_FIFO_OFF = 0x20,
};

enum { /* status registers, 6.0 */
       ST0_ABNORMAL = 0x40,
       ST0_INVALID = 0x80,
       ST0_POLLED = 0xc0, /* a change of the ready signal: after a reset */
       ST0_EQUIPMENT_CHECK = 0x10,
       ST0_SEEK_END = 0x20,
       ST1_MISSING_ADDRESS_MARK = 0x01,
       ST1_NOT_WRITABLE = 0x02,
       ST1_NO_DATA = 0x04,
       ST1_OVERRUN = 0x10,
       ST1_DATA_ERROR = 0x20,
       ST1_END_OF_CYLINDER = 0x80,
       ST2_WRONG_CYLINDER = 0x10,
       ST2_DATA_ERROR_IN_DATA = 0x20,
       ST2_CONTROL_MARK = 0x40,
       ST3_HIGH_BITS = 0x28, /* always one on this chip */
       ST3_TRACK_0 = 0x10,
       ST3_WRITE_PROTECTED = 0x40,
};

enum phase {
    PHASE_IN_RESET,   /* the DOR holds the chip */
    PHASE_RESETTING,  /* until the interrupt that ends a reset */
    PHASE_COMMAND,    /* idle, or taking command bytes */
    PHASE_EXEC,       /* the disk works: until exec_due */
    PHASE_BYTE_WAIT,  /* non-DMA: until the FIFO has a byte, or room for one */
    PHASE_BYTE_READY, /* non-DMA: the host's turn */
    PHASE_RESULT,
    PHASE_LAST = PHASE_RESULT,
};

enum transfer { MOVE_NOTHING, MOVE_TO_HOST, MOVE_FROM_HOST };

struct command {
    uint8_t mask, value; /* of the first byte */
    uint8_t length;
    enum transfer move;
    void (*start)(struct i82077 *f, vtime now);
    void (*step)(struct i82077 *f, vtime at); /* of the execution phase, per sector */
    const char *name;
};

/* ---- i82077_command.c ---- */

const struct command *i82077_command_of(const struct i82077 *f); /* whose first byte came last */
void i82077_take_command_byte(struct i82077 *f, uint8_t value);
void i82077_seek_fired(void *dev, vtime now);
/* Starts the disk's work, or waits for index pulses. */
void i82077_start_exec(struct i82077 *f, vtime now);
void i82077_to_command_phase(struct i82077 *f);
void i82077_give_result(struct i82077 *f, const uint8_t *bytes, unsigned n);

/* ---- i82077_exec.c ---- */

void i82077_read_step(struct i82077 *f, vtime at);
void i82077_read_deleted_step(struct i82077 *f, vtime at);
void i82077_read_track_step(struct i82077 *f, vtime at);
void i82077_write_step(struct i82077 *f, vtime at);
void i82077_format_step(struct i82077 *f, vtime at);
void i82077_read_id_step(struct i82077 *f, vtime at);
unsigned i82077_step_bytes(const struct i82077 *f); /* that the host moves per step */
/* Non-DMA: the host has moved a byte of data[]; the chip is ready for what follows. */
void i82077_byte_done(struct i82077 *f, vtime now);
void i82077_next_byte(struct i82077 *f, vtime at);

/* ---- i82077.c ---- */

void i82077_update(struct i82077 *f);
unsigned i82077_unit_of(const struct i82077 *f); /* of the command */
/* The drive that the unit number selects, or NULL where none is fitted. */
const struct floppy_drive *i82077_drive_at(const struct i82077 *f, unsigned unit);
/* Index pulses come: the motor runs and there is a medium. */
bool i82077_spinning(const struct i82077 *f, unsigned unit);
/* The time that one sector passes under the head; the drive of the command must be spinning. */
vtime i82077_sector_time(const struct i82077 *f);
vtime i82077_byte_time(const struct i82077 *f);
vtime i82077_step_time(const struct i82077 *f);
bool i82077_non_dma(const struct i82077 *f);
unsigned i82077_data_rate_code(const struct i82077 *f);

#endif
