/* The 82077AA floppy disk controller with two drives. See i82077.c. */
#ifndef DEVICES_I82077_H
#define DEVICES_I82077_H

#include "devices/dma.h"
#include "devices/floppy.h"
#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

enum { I82077_DRIVES = 2, I82077_UNITS = 4 /* that the chip can address */ };

struct i82077_state {
    uint64_t exec_due;    /* next step of the work, or end of reset; all ones: none */
    uint64_t seek_due[4]; /* end of each unit's seek; all ones: none */
    struct floppy_drive_state drive[I82077_DRIVES];
    uint16_t data_pos;     /* next byte of data that the host moves (non-DMA) */
    uint16_t sectors_left; /* of the commands that count sectors */
    uint8_t dor, dsr, tdr;
    uint8_t phase;        /* enum phase of i82077.c */
    uint8_t data_int;     /* INT because of data or a result */
    uint8_t reset_int;    /* INT because of a reset */
    uint8_t reset_senses; /* SENSE INTERRUPTs still to be answered after a reset */
    uint8_t seek_ended;   /* bit per unit: its seek awaits SENSE INTERRUPT */
    uint8_t seek_st0[4];
    uint8_t seek_target[4];
    uint8_t pcn[4]; /* present cylinder numbers */
    uint8_t specify[2];
    uint8_t config, pretrk; /* CONFIGURE */
    uint8_t perpendicular;
    uint8_t lock;
    uint8_t last_eot; /* for DUMPREG */
    uint8_t command[9];
    uint8_t command_have, command_need;
    uint8_t result[10];
    uint8_t result_have, result_pos;
    uint8_t cylinder, head, sector; /* the sector at work: C, H, R */
    uint8_t st1, st2;
    uint8_t tc; /* terminal count was seen */
    uint8_t reserved[4];
    uint8_t data[FLOPPY_SECTOR];
};

struct i82077_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line irq;
    struct dma_line dma;
    uint8_t drive_type[I82077_DRIVES]; /* enum floppy_drive_type; FLOPPY_NONE: no drive */
    bool ps2;       /* PS/2 register mode: SRA and SRB answer. A PC/AT has it off */
    unsigned speed; /* drives run so many times faster than real ones; 0: the default, 16 */
};

struct i82077 {
    struct device dev;
    struct i82077_wiring w;
    struct i82077_state st;
    struct floppy_drive drive[I82077_DRIVES];
    struct timer exec_timer, seek_timer;
};

extern const struct device_class i82077_class;
extern const struct io_ops i82077_io; /* offsets 0-5 and 7 */

void i82077_init(struct i82077 *f, const char *id, struct i82077_wiring w);

/* Puts a medium into drive 0 or 1, or takes it out. The medium is borrowed: it must outlive its
 * stay, and whoever opened it closes it. An image of no known floppy size, or a drive that the
 * machine does not have, is an error and leaves the drive as it was. */
MUST_CHECK enum emu_err i82077_insert(struct i82077 *f, unsigned drive, struct blk *medium,
                                      bool read_only, struct error *err);
void i82077_eject(struct i82077 *f, unsigned drive);

/* What is in the drive, or NULL. */
struct blk *i82077_medium(const struct i82077 *f, unsigned drive);
const struct floppy_format *i82077_format(const struct i82077 *f, unsigned drive);

/* The drive types as CMOS byte 10 holds them: drive 0 in the high nibble. */
uint8_t i82077_cmos_types(const struct i82077 *f);

#endif
