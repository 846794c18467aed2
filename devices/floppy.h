/* Floppy media and the mechanics of a drive, without its controller. See floppy.c. */
#ifndef DEVICES_FLOPPY_H
#define DEVICES_FLOPPY_H

#include "disk/blk.h"
#include "machine/error.h"
#include "machine/types.h"

/* Drive types, numbered as in CMOS byte 10 (IBM PC/AT Technical Reference; PS/2 for 3.5"). */
enum floppy_drive_type {
    FLOPPY_NONE = 0,
    FLOPPY_360K = 1,
    FLOPPY_1200K = 2,
    FLOPPY_720K = 3,
    FLOPPY_1440K = 4,
    FLOPPY_2880K = 5,
};

enum floppy_density { DENSITY_DOUBLE, DENSITY_HIGH, DENSITY_EXTRA };

struct floppy_format {
    const char *name; /* "1.44M" */
    uint8_t cylinders, heads, sectors;
    uint8_t density;    /* enum floppy_density */
    uint8_t drive_type; /* the plainest drive that takes it */
};

enum { FLOPPY_SECTOR = 512, FLOPPY_N = 2 }; /* 128 << N bytes */

/* The format of an image of so many bytes, or NULL. A file smaller than the smallest floppy, in
 * whole sectors, is the beginning of a 1.44M floppy (a boot sector, a small loader). */
const struct floppy_format *floppy_format_of(uint64_t bytes);

/* The drive type (CMOS byte 10) that suits an image of so many bytes; unknown sizes: 1.44M. */
uint8_t floppy_drive_type_for(uint64_t bytes);

struct floppy_drive_state {
    uint32_t medium_sectors; /* size of the image; 0: no medium */
    uint8_t cylinder;        /* where the head is, in the drive's own steps */
    uint8_t changed;         /* the disk change line */
    uint8_t write_protected;
    uint8_t reserved;
};

struct floppy_drive {
    struct blk *medium;                 /* borrowed; NULL: empty */
    const struct floppy_format *format; /* of the medium */
    uint8_t type;                       /* enum floppy_drive_type, fixed */
};

extern const struct state_desc floppy_drive_desc;

/* Puts a medium in (taking out what was there). It must outlive its stay in the drive, and is not
 * closed by the drive. An image of no known floppy size is an error and changes nothing. */
MUST_CHECK enum emu_err floppy_insert(struct floppy_drive *d, struct floppy_drive_state *st,
                                      struct blk *medium, bool read_only, struct error *err);
void floppy_eject(struct floppy_drive *d, struct floppy_drive_state *st);

/* Steps the head by `steps` cylinders (negative: outwards), stopping at the ends. */
void floppy_step(const struct floppy_drive *d, struct floppy_drive_state *st, int steps);

/* The 82077's data rate code (0: 500, 1: 300, 2: 250, 3: 1000 kbit/s) at which the medium reads. */
uint8_t floppy_rate_code(const struct floppy_drive *d);

/* Cylinder of the medium under the head, or -1 where nothing is recorded (beyond the last one,
 * between two, head 1 of a single-sided medium, no medium). */
int floppy_cylinder(const struct floppy_drive *d, const struct floppy_drive_state *st,
                    unsigned head);

/* Time of one revolution. */
vtime floppy_revolution(const struct floppy_drive *d);

/* One sector, numbered from 1, of an existing cylinder, head and sector. Sectors behind the end of
 * a short image read zero and cannot be written. */
MUST_CHECK enum emu_err floppy_read(const struct floppy_drive *d, unsigned cylinder, unsigned head,
                                    unsigned sector, uint8_t *to, struct error *err);
MUST_CHECK enum emu_err floppy_write(const struct floppy_drive *d, unsigned cylinder, unsigned head,
                                     unsigned sector, const uint8_t *from, struct error *err);

#endif
