/*
 * Floppy media and the mechanics of a drive: which format an image of a given size is, where the
 * head stands, the disk change line (set when the medium leaves, cleared by a step with a medium
 * in: 82077AA p.14 and any drive's manual), write protection, and at which data rate a medium
 * reads. The controller (i82077.c) owns the drives and their state.
 *
 * A raw image holds sectors of 512 bytes in the order cylinder, head, sector.
 *
 * NOT MODELLED: recording below the sector (gaps, CRCs, interleave, deleted marks, other sector
 * sizes), and what a head of the wrong width does to a track.
 */
#include "devices/floppy.h"

#include <string.h>

#include "machine/state.h"

static const struct floppy_format formats[] = {
    {"160K", 40, 1, 8, DENSITY_DOUBLE, FLOPPY_360K},
    {"180K", 40, 1, 9, DENSITY_DOUBLE, FLOPPY_360K},
    {"320K", 40, 2, 8, DENSITY_DOUBLE, FLOPPY_360K},
    {"360K", 40, 2, 9, DENSITY_DOUBLE, FLOPPY_360K},
    {"400K", 40, 2, 10, DENSITY_DOUBLE, FLOPPY_360K},
    {"410K", 41, 2, 10, DENSITY_DOUBLE, FLOPPY_360K},
    {"640K", 80, 2, 8, DENSITY_DOUBLE, FLOPPY_720K},
    {"720K", 80, 2, 9, DENSITY_DOUBLE, FLOPPY_720K},
    {"800K", 80, 2, 10, DENSITY_DOUBLE, FLOPPY_720K},
    {"820K", 82, 2, 10, DENSITY_DOUBLE, FLOPPY_720K},
    {"830K", 83, 2, 10, DENSITY_DOUBLE, FLOPPY_720K},
    {"1.2M", 80, 2, 15, DENSITY_HIGH, FLOPPY_1200K},
    {"1.44M", 80, 2, 18, DENSITY_HIGH, FLOPPY_1440K},
    {"1.48M", 82, 2, 18, DENSITY_HIGH, FLOPPY_1440K},
    {"1.49M", 83, 2, 18, DENSITY_HIGH, FLOPPY_1440K},
    {"1.60M", 80, 2, 20, DENSITY_HIGH, FLOPPY_1440K},
    {"1.64M", 82, 2, 20, DENSITY_HIGH, FLOPPY_1440K},
    {"1.68M", 80, 2, 21, DENSITY_HIGH, FLOPPY_1440K}, /* DMF */
    {"1.72M", 82, 2, 21, DENSITY_HIGH, FLOPPY_1440K},
    {"1.74M", 83, 2, 21, DENSITY_HIGH, FLOPPY_1440K},
    {"1.76M", 80, 2, 22, DENSITY_HIGH, FLOPPY_1440K},
    {"1.84M", 80, 2, 23, DENSITY_HIGH, FLOPPY_1440K},
    {"1.92M", 80, 2, 24, DENSITY_HIGH, FLOPPY_1440K},
    {"2.88M", 80, 2, 36, DENSITY_EXTRA, FLOPPY_2880K},
    {"3.12M", 80, 2, 39, DENSITY_EXTRA, FLOPPY_2880K},
};

static const struct floppy_format boot_image = {
    "1.44M, only its beginning in the file", 80, 2, 18, DENSITY_HIGH, FLOPPY_1440K};

static uint64_t format_bytes(const struct floppy_format *f)
{
    return (uint64_t)f->cylinders * f->heads * f->sectors * FLOPPY_SECTOR;
}

const struct floppy_format *floppy_format_of(uint64_t bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (format_bytes(&formats[i]) == bytes)
            return &formats[i];
    }
    if (bytes > 0 && bytes < format_bytes(&formats[0]) && bytes % FLOPPY_SECTOR == 0)
        return &boot_image;
    return NULL;
}

uint8_t floppy_drive_type_for(uint64_t bytes)
{
    const struct floppy_format *f = floppy_format_of(bytes);
    return f ? f->drive_type : FLOPPY_1440K;
}

enum emu_err floppy_insert(struct floppy_drive *d, struct floppy_drive_state *st,
                           struct blk *medium, bool read_only, struct error *err)
{
    const struct floppy_format *f = floppy_format_of(medium->size);
    if (!f)
        return error_set(err, EMU_FORMAT,
                         "%s: %llu bytes is no known floppy size (360K, 720K, 1.2M, 1.44M, 2.88M "
                         "and others); a hard disk image goes to -hda, a CD image to -cdrom",
                         medium->name, (unsigned long long)medium->size);
    d->medium = medium;
    d->format = f;
    st->medium_sectors = (uint32_t)(medium->size / FLOPPY_SECTOR);
    st->write_protected = read_only || medium->read_only;
    st->changed = 1;
    return EMU_OK;
}

void floppy_eject(struct floppy_drive *d, struct floppy_drive_state *st)
{
    d->medium = NULL;
    d->format = NULL;
    st->medium_sectors = 0;
    st->write_protected = 0;
    st->changed = 1;
}

void floppy_step(const struct floppy_drive *d, struct floppy_drive_state *st, int steps)
{
    int last = d->type == FLOPPY_360K ? 41 : 83; /* where the mechanics end */
    int to = st->cylinder + steps;
    st->cylinder = (uint8_t)(to < 0 ? 0 : to > last ? last : to);
    if (steps != 0 && d->medium)
        st->changed = 0;
}

/* Only the 1.2M drive turns at 360 rpm, where double density reads at 300 kbit/s. */
uint8_t floppy_rate_code(const struct floppy_drive *d)
{
    static const uint8_t code[] = {[DENSITY_DOUBLE] = 2, [DENSITY_HIGH] = 0, [DENSITY_EXTRA] = 3};
    if (!d->format)
        return 0;
    if (d->type == FLOPPY_1200K && d->format->density == DENSITY_DOUBLE)
        return 1;
    return code[d->format->density];
}

/* A 48 tpi medium in a 96 tpi drive: each of its cylinders is two steps wide. */
static bool double_step(const struct floppy_drive *d)
{
    return d->type == FLOPPY_1200K && d->format->drive_type == FLOPPY_360K;
}

int floppy_cylinder(const struct floppy_drive *d, const struct floppy_drive_state *st,
                    unsigned head)
{
    unsigned at = st->cylinder;
    if (!d->medium || head >= d->format->heads)
        return -1;
    if (double_step(d)) {
        if (at & 1)
            return -1;
        at /= 2;
    }
    return at < d->format->cylinders ? (int)at : -1;
}

vtime floppy_revolution(const struct floppy_drive *d)
{
    return NS_PER_SECOND * 60 / (d->type == FLOPPY_1200K ? 360 : 300);
}

static uint64_t sector_number(const struct floppy_drive *d, unsigned cylinder, unsigned head,
                              unsigned sector)
{
    const struct floppy_format *f = d->format;
    return ((uint64_t)cylinder * f->heads + head) * f->sectors + sector - 1;
}

static bool in_file(const struct floppy_drive *d, uint64_t number)
{
    return (number + 1) * FLOPPY_SECTOR <= d->medium->size;
}

enum emu_err floppy_read(const struct floppy_drive *d, unsigned cylinder, unsigned head,
                         unsigned sector, uint8_t *to, struct error *err)
{
    uint64_t number = sector_number(d, cylinder, head, sector);
    if (in_file(d, number))
        return blk_read(d->medium, number * FLOPPY_SECTOR, to, FLOPPY_SECTOR, err);
    memset(to, 0, FLOPPY_SECTOR);
    return EMU_OK;
}

enum emu_err floppy_write(const struct floppy_drive *d, unsigned cylinder, unsigned head,
                          unsigned sector, const uint8_t *from, struct error *err)
{
    uint64_t number = sector_number(d, cylinder, head, sector);
    if (in_file(d, number))
        return blk_write(d->medium, number * FLOPPY_SECTOR, from, FLOPPY_SECTOR, err);
    return error_set(err, EMU_UNSUPPORTED,
                     "%s: holds only the beginning of a floppy; sector %llu is not in it",
                     d->medium->name, (unsigned long long)number);
}

STATE_DESC(floppy_drive_desc, struct floppy_drive_state, 1,
           FIELD_MAX(struct floppy_drive_state, medium_sectors, 80 * 2 * 48,
                     "sectors in the medium's image, 0: no medium"),
           FIELD_MAX(struct floppy_drive_state, cylinder, 83, "where the head stands"),
           FIELD_MAX(struct floppy_drive_state, changed, 1, "disk change line"),
           FIELD_MAX(struct floppy_drive_state, write_protected, 1, "write protect tab"),
           FIELD_MAX(struct floppy_drive_state, reserved, 0, "zero"));
