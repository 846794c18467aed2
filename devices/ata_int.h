/* Shared by the files of an ATA channel: ata.c (registers, phases, reset), ata_disk.c (hard disk
 * commands), ata_identify.c (what drives say of themselves), ata_time.c (how long things take) and
 * atapi.c (packet commands). */
#ifndef DEVICES_ATA_INT_H
#define DEVICES_ATA_INT_H

#include "devices/ata.h"

enum { /* status register, ATA-4 7.15.6 */
       STATUS_ERR = 0x01,
       STATUS_DRQ = 0x08,
       STATUS_DSC = 0x10,
       STATUS_DF = 0x20,
       STATUS_DRDY = 0x40,
       STATUS_BSY = 0x80,
};

enum { /* error register, ATA-4 7.11 and the commands */
       ERROR_ABRT = 0x04,
       ERROR_IDNF = 0x10,
       ERROR_UNC = 0x40,
};

enum { /* device register */
       DEVICE_HEAD = 0x0f,
       DEVICE_DEV = 0x10,
       DEVICE_LBA = 0x40,
       DEVICE_ONES = 0xa0,
};

enum { /* device control register, ATA-4 7.9 */
       CONTROL_NIEN = 0x02,
       CONTROL_SRST = 0x04,
       CONTROL_HOB = 0x80,
};

enum { /* interrupt reason, in the count register: PACKET */
       REASON_COMMAND = 0x01,
       REASON_TO_HOST = 0x02,
};

enum { TRIM_BLOCKS = 8 /* of ranges that DATA SET MANAGEMENT takes at once */ };

enum { POWER_STANDBY = 0x00, POWER_SLEEP = 0x01, POWER_IDLE = 0x80, POWER_ACTIVE = 0xff };

enum ata_phase {
    PHASE_IDLE,
    PHASE_HELD,     /* SRST is set */
    PHASE_RESET,    /* until the end of a reset */
    PHASE_BUSY,     /* the drive works: until `due` */
    PHASE_DATA_IN,  /* the host reads a block */
    PHASE_DATA_OUT, /* the host writes one */
    PHASE_DMA_WAIT, /* the drive waits for the bus master */
    PHASE_LAST = PHASE_DMA_WAIT,
};

enum ata_job {
    JOB_FINISH, /* nothing left but the interrupt */
    JOB_DIAGNOSTIC,
    JOB_READ,
    JOB_WRITE,
    JOB_READ_DMA,
    JOB_WRITE_DMA,
    JOB_VERIFY,
    JOB_FLUSH,
    JOB_BUFFER_IN,  /* 512 bytes that are in the buffer already */
    JOB_BUFFER_OUT,
    JOB_PACKET,     /* takes the packet */
    JOB_PACKET_IN,
    JOB_PACKET_OUT,
    JOB_PACKET_DMA,
    JOB_PACKET_END,
    JOB_TRIM,
    JOB_LAST = JOB_TRIM,
};

/* A drive at work, with what belongs to it. */
static inline struct ata_drive_state *ata_active(struct ata *a)
{
    return &a->st.drive[a->st.active];
}

static inline struct blk *ata_medium(const struct ata *a)
{
    return a->w.drive[a->st.active].medium;
}

/* ---- ata.c: how a command goes on and ends ---- */

void ata_busy(struct ata *a, enum ata_job job, vtime until);
void ata_wait_dma(struct ata *a);
/* DRQ for bytes [data_pos, data_pos + len) of the buffer. */
void ata_data_in(struct ata *a, unsigned len);
void ata_data_out(struct ata *a, unsigned len);
void ata_interrupt(struct ata *a);
void ata_idle(struct ata *a);               /* ends the command without an interrupt */
void ata_done(struct ata *a);               /* ends it with one */
void ata_fail(struct ata *a, uint8_t error); /* ends it with ERR */
void ata_signature(struct ata *a, unsigned drive);
void ata_drive_defaults(struct ata *a, unsigned drive); /* settings after power-on */

/* Bytes of the DMA scratch that the bus master takes or gives, or 0 where it is not ready. */
bool ata_dma_ready(const struct ata *a, bool to_memory);

/* ---- ata_disk.c ---- */

void ata_disk_command(struct ata *a, vtime now);
void ata_disk_read_step(struct ata *a, vtime at);
void ata_disk_write_step(struct ata *a, vtime at);
void ata_disk_read_dma_step(struct ata *a, vtime at);
void ata_disk_write_dma_step(struct ata *a, vtime at);
void ata_disk_verify_step(struct ata *a, vtime at);
void ata_disk_flush_step(struct ata *a, vtime at);
void ata_disk_trim_step(struct ata *a, vtime at);
void ata_disk_read_block(struct ata *a, vtime now);  /* the host has taken a block */
void ata_disk_write_block(struct ata *a, vtime now); /* has filled one */

/* ---- ata_identify.c ---- */

void ata_identify_disk(struct ata *a);  /* into the buffer */
void ata_identify_cdrom(struct ata *a);
void ata_smart_data(struct ata *a, bool thresholds);

/* SET FEATURES, for both kinds; false: not supported. */
bool ata_set_features(struct ata *a);

/* ---- ata_time.c ---- */

vtime ata_command_time(const struct ata *a);
/* For moving `n` sectors (blocks of a CD) from `lba` on, starting at `at`; moves the head. */
vtime ata_access_time(struct ata *a, uint64_t lba, uint32_t n, bool write, vtime at);

/* ---- atapi.c ---- */

void atapi_command(struct ata *a, vtime now); /* the ATA command register was written */
void atapi_packet_block(struct ata *a, vtime now);
void atapi_in_step(struct ata *a, vtime at);
void atapi_in_block(struct ata *a, vtime now);
void atapi_out_block(struct ata *a, vtime now);
void atapi_dma_step(struct ata *a, vtime at);
void atapi_end_step(struct ata *a, vtime at);
void atapi_reset(struct ata *a, unsigned drive, bool power_on);
void atapi_medium_changed(struct ata *a, unsigned drive);

#endif
