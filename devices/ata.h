/*
 * One ATA channel with up to two drives: hard disks (ata_disk.c) and ATAPI CD-ROMs (atapi.c). See
 * ata.c.
 */
#ifndef DEVICES_ATA_H
#define DEVICES_ATA_H

#include "devices/atapi.h"
#include "disk/blk.h"
#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"

enum {
    ATA_DRIVES = 2,
    ATA_SECTOR = 512,
    ATA_MULTIPLE_MAX = 16,              /* sectors a block */
    ATA_BUFFER = 16 * ATA_SECTOR,       /* what one PIO block holds */
    ATA_SCRATCH = 128 * ATA_SECTOR,     /* what DMA moves in one step */
    ATA_SERIAL_LEN = 20,
    ATA_MODEL_LEN = 40,
};

enum ata_kind { ATA_NONE, ATA_DISK, ATA_CDROM };

/* Cylinders, heads and sectors a track. */
struct ata_geometry {
    uint16_t cylinders;
    uint8_t heads, sectors;
};

/* The geometry that a disk of so many sectors reports: what its partition table (`mbr`, the first
 * sector) was made for, where that is a geometry of at most 16 heads, else 16 heads and 63 sectors. */
struct ata_geometry ata_guess_geometry(uint64_t sectors, const uint8_t mbr[ATA_SECTOR]);

/* The registers that both drives take when the host writes them; [1] is what was there before
 * (48-bit addresses are written in two halves). */
struct ata_taskfile {
    uint8_t feature[2], count[2], lba_low[2], lba_mid[2], lba_high[2];
};

struct ata_drive_state {
    uint64_t sectors;     /* hard disk: of the medium */
    uint64_t max_sectors; /* hard disk: what SET MAX leaves reachable */
    uint64_t head;        /* the sector after the last one moved: where the head stands */
    struct atapi_state cd;
    struct ata_taskfile reg;
    uint8_t status; /* DRDY, DF, DSC, ERR; BSY and DRQ follow from the channel's phase */
    uint8_t error;
    uint8_t intrq;
    uint8_t heads, track; /* translation in use (INITIALIZE DEVICE PARAMETERS) */
    uint8_t multiple;     /* sectors a block; 0: READ MULTIPLE is off */
    uint8_t mode;         /* SET FEATURES 03: transfer mode */
    uint8_t write_cache, look_ahead, keep_settings; /* SET FEATURES */
    uint8_t power;        /* what CHECK POWER MODE says; 1: asleep, wakes by reset */
    uint8_t smart;
    uint8_t max_read;     /* SET MAX needs a READ NATIVE MAX before it */
    uint8_t reserved;
};

struct ata_state {
    uint64_t due; /* when the work at hand is done; all ones: nothing under way */
    uint64_t lba; /* next sector (block) of the command */
    uint32_t left; /* sectors (blocks) still to be moved */
    uint32_t reserved1;
    struct ata_drive_state drive[ATA_DRIVES];
    uint16_t data_pos, data_end, data_have; /* next byte, end of this DRQ block, filled bytes */
    uint16_t limit;  /* ATAPI: bytes a DRQ block */
    uint8_t phase;   /* enum ata_phase */
    uint8_t job;     /* enum ata_job */
    uint8_t active;  /* drive that executes */
    uint8_t command; /* its command */
    uint8_t control; /* device control register */
    uint8_t device;  /* device register: the drive, LBA, head */
    uint8_t block;   /* sectors in the present PIO block */
    uint8_t packet_dma;
    uint8_t packet[ATAPI_PACKET];
    uint8_t reserved[4];
    uint8_t data[ATA_BUFFER];
};

/* Who moves data between a drive and memory. All NULL: the channel has no DMA. */
struct ata_dma {
    /* Is a transfer in this direction set up and started? */
    bool (*ready)(void *arg, bool to_memory);
    /* Moves bytes; returns how many there was room for. */
    uint32_t (*move)(void *arg, uint8_t *data, uint32_t len, bool to_memory);
    void *arg;
    /* The bytes of the last move() could not be used and will be asked for again. */
    void (*undo)(void *arg);
};

/* What becomes of a failure of the medium: the guest sees an error; it sees none; the drive stays
 * busy and tries again after a while. */
enum ata_on_error { ATA_REPORT, ATA_IGNORE, ATA_RETRY };

struct ata_drive_wiring {
    uint8_t kind;         /* enum ata_kind */
    bool real;            /* timing of a real drive, not the fast one */
    bool no_write_cache;  /* the cache is off after power-on */
    struct blk *medium;   /* borrowed; a hard disk always has one */
    struct ata_geometry geometry; /* of a hard disk */
    char serial[ATA_SERIAL_LEN + 1];
};

struct ata;
struct ata_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line irq;
    struct ata_dma dma;
    struct ata_drive_wiring drive[ATA_DRIVES];
    /* Hard disks: asked at every failure; NULL: all are reported. */
    enum ata_on_error (*on_error)(void *arg, const struct ata *a, unsigned drive, bool write,
                                  enum emu_err code, const struct error *err);
    void *on_error_arg;
};

struct ata {
    struct device dev;
    struct ata_wiring w;
    struct ata_state st;
    struct timer timer;
    uint8_t scratch[ATA_SCRATCH]; /* within one step only */
};

extern const struct device_class ata_class;
extern const struct io_ops ata_io;         /* 8 ports: the command block */
extern const struct io_ops ata_control_io; /* 1 port: alternate status, device control */

void ata_init(struct ata *a, const char *id, struct ata_wiring w);

/* When the drive at work is done; VTIME_NEVER: none is. */
static inline vtime ata_due(const struct ata *a)
{
    return a->st.due;
}

/* The bus master was started: a drive that waits for it goes on. */
void ata_dma_started(struct ata *a);

/* Media of CD-ROM drives. A medium is borrowed and must outlive its stay. NULL takes it out. */
void ata_set_medium(struct ata *a, unsigned drive, struct blk *medium);
/* The guest has locked the tray (PREVENT MEDIUM REMOVAL). */
bool ata_locked(const struct ata *a, unsigned drive);
/* Presses the eject button of a locked drive: the guest is asked. */
void ata_request_eject(struct ata *a, unsigned drive);

#endif
