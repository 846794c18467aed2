/*
 * What drives say of themselves: IDENTIFY DEVICE (ATA-4 8.12, words as ATA/ATAPI-6 8.15 numbers
 * them), IDENTIFY PACKET DEVICE (8.13), SET FEATURES (8.37), SMART data (8.41.8), and the geometry
 * that a disk reports.
 */
#include "devices/ata_int.h"

#include <string.h>

enum { SMART_ATTRIBUTE = 12, SMART_ATTRIBUTES = 2 };
enum { MWDMA_MODES = 0x07, UDMA_MODES = 0x3f /* 0 to 5 */ };

static void put_word(struct ata *a, unsigned word, unsigned value)
{
    a->st.data[2 * word] = (uint8_t)value;
    a->st.data[2 * word + 1] = (uint8_t)(value >> 8);
}

static void put_words(struct ata *a, unsigned word, uint64_t value, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        put_word(a, word + i, (uint16_t)(value >> (16 * i)));
}

/* ASCII, blank-filled, the first character in the high byte (8.12.9). */
static void put_text(struct ata *a, unsigned word, unsigned len, const char *text)
{
    size_t n = strlen(text);
    for (unsigned i = 0; i < len; i++)
        a->st.data[2 * word + (i ^ 1)] = i < n ? (uint8_t)text[i] : ' ';
}

/* The bits for "mode n selected" of words 63 and 88; kind as SET FEATURES 03 codes it. */
static unsigned selected_mode(const struct ata_drive_state *d, unsigned kind)
{
    return d->mode >> 3 == kind ? 1u << (8 + (d->mode & 7)) : 0;
}

/* What both kinds of drives say alike. */
static void identify_common(struct ata *a, const char *model)
{
    const struct ata_drive_state *d = ata_active(a);
    memset(a->st.data, 0, ATA_SECTOR);
    put_text(a, 10, ATA_SERIAL_LEN, a->w.drive[a->st.active].serial);
    put_text(a, 23, 8, "1.0");
    put_text(a, 27, ATA_MODEL_LEN, model);
    put_word(a, 49, 0x0a00 | (a->w.dma.move ? 0x0100 : 0)); /* IORDY, LBA, DMA */
    put_word(a, 53, 0x0007);                                /* 54-58, 64-70 and 88 are valid */
    if (a->w.dma.move) {
        put_word(a, 63, MWDMA_MODES | selected_mode(d, 4));
        put_word(a, 88, UDMA_MODES | selected_mode(d, 8));
    }
    put_word(a, 64, 0x0003); /* PIO modes 3 and 4 */
    for (unsigned word = 65; word <= 68; word++)
        put_word(a, word, 120); /* ns a cycle */
    put_word(a, 80, 0x007e);    /* ATA-1 to ATA/ATAPI-6 */
    put_word(a, 93, 0x6001);    /* the 80-wire cable is there */
}

static void identify_features(struct ata *a)
{
    const struct ata_drive_state *d = ata_active(a);
    /* NOP, READ and WRITE BUFFER, host protected area, look-ahead, write cache, power, SMART */
    put_word(a, 82, 0x7469);
    put_word(a, 83, 0x7400); /* FLUSH CACHE, FLUSH CACHE EXT, 48-bit addresses */
    put_word(a, 84, 0x4000);
    put_word(a, 85, 0x7408u | (unsigned)d->look_ahead << 6 | (unsigned)d->write_cache << 5 | d->smart);
    put_word(a, 86, 0x3400);
    put_word(a, 87, 0x4000);
}

static void identify_size(struct ata *a)
{
    const struct ata_drive_state *d = ata_active(a);
    const struct ata_geometry *g = &a->w.drive[a->st.active].geometry;
    uint64_t n = d->max_sectors, track = (uint64_t)d->heads * d->track;
    uint64_t cylinders = track ? n / track : 0;
    if (d->heads == g->heads && d->track == g->sectors)
        cylinders = g->cylinders;
    cylinders = cylinders < 65535 ? cylinders : 65535;
    put_word(a, 1, g->cylinders);
    put_word(a, 3, g->heads);
    put_word(a, 6, g->sectors);
    put_word(a, 54, (unsigned)cylinders);
    put_word(a, 55, d->heads);
    put_word(a, 56, d->track);
    put_words(a, 57, cylinders * track, 2);
    put_words(a, 60, n < 0x0fffffff ? n : 0x0fffffff, 2);
    put_words(a, 100, n, 4);
}

/* Word 255: A5 and what makes the sum of all bytes zero. */
static void identify_checksum(struct ata *a)
{
    uint8_t sum = 0xa5;
    for (unsigned i = 0; i < 510; i++)
        sum = (uint8_t)(sum + a->st.data[i]);
    a->st.data[510] = 0xa5;
    a->st.data[511] = (uint8_t)-sum;
}

void ata_identify_disk(struct ata *a)
{
    const struct ata_drive_state *d = ata_active(a);
    identify_common(a, "RETRACE HARDDISK");
    put_word(a, 0, 0x0040); /* not removable */
    put_word(a, 20, 3);     /* a dual-ported buffer with a cache */
    put_word(a, 21, 512);   /* of 256 KiB */
    put_word(a, 22, 4);     /* bytes of ECC with READ LONG */
    put_word(a, 47, 0x8000 | ATA_MULTIPLE_MAX);
    put_word(a, 48, 0x0001); /* 32-bit PIO */
    put_word(a, 50, 0x4000);
    put_word(a, 51, 0x0200); /* PIO mode 2 without IORDY */
    put_word(a, 80, 0x00fe); /* ATA-1 to ATA/ATAPI-7: hosts look for TRIM from there on */
    if (a->w.dma.move) {
        put_word(a, 105, TRIM_BLOCKS);
        put_word(a, 169, 0x0001); /* TRIM (ATA8-ACS2) */
    }
    put_word(a, 59, d->multiple ? 0x0100u | d->multiple : 0);
    identify_size(a);
    identify_features(a);
    identify_checksum(a);
}

void ata_identify_cdrom(struct ata *a)
{
    identify_common(a, "RETRACE CD-ROM");
    put_word(a, 0, 0x85c0);  /* CD-ROM, removable, DRQ within 50 us, packets of 12 bytes */
    put_word(a, 82, 0x4218); /* NOP, DEVICE RESET, PACKET, power */
    put_word(a, 83, 0x4000);
    put_word(a, 84, 0x4000);
    put_word(a, 85, 0x4218);
    put_word(a, 87, 0x4000);
}

/* ---- SET FEATURES ---- */

static bool set_mode(struct ata *a)
{
    static const uint8_t modes[16] = {[0] = 0x03, [1] = 0x1f, [4] = MWDMA_MODES, [8] = UDMA_MODES};
    struct ata_drive_state *d = ata_active(a);
    unsigned kind = d->reg.count[0] >> 3, mode = d->reg.count[0] & 7;
    bool dma = kind >= 4;
    if (kind >= ARRAY_LEN(modes) || !(modes[kind] >> mode & 1) || (dma && !a->w.dma.move))
        return false;
    if (dma) /* words 63 and 88 tell of DMA only */
        d->mode = d->reg.count[0];
    return true;
}

bool ata_set_features(struct ata *a)
{
    struct ata_drive_state *d = ata_active(a);
    bool disk = a->w.drive[a->st.active].kind == ATA_DISK;
    uint8_t feature = d->reg.feature[0];
    switch (feature) {
    case 0x03: return set_mode(a);
    case 0x66:
    case 0xcc: d->keep_settings = feature == 0x66; return true;
    case 0x02:
    case 0x82: d->write_cache = disk && feature == 0x02; return disk;
    case 0x55:
    case 0xaa: d->look_ahead = disk && feature == 0xaa; return disk;
    default: return false;
    }
}

/* ---- SMART ---- */

/* A disk that is in perfect health and never ages: deterministic, and true of an image. */
void ata_smart_data(struct ata *a, bool thresholds)
{
    static const struct {
        uint8_t id, flags, threshold;
    } attribute[] = {
        {1, 0x0b, 16},  /* read errors */
        {5, 0x33, 36},  /* reallocated sectors */
        {9, 0x32, 0},   /* hours */
        {12, 0x32, 20}, /* power cycles */
        {197, 0x32, 0}, /* pending sectors */
    };
    uint8_t *data = a->st.data, sum = 0;
    memset(data, 0, ATA_SECTOR);
    data[0] = 0x10; /* revision */
    for (unsigned i = 0; i < ARRAY_LEN(attribute); i++) {
        uint8_t *at = data + SMART_ATTRIBUTES + i * SMART_ATTRIBUTE;
        at[0] = attribute[i].id;
        at[1] = thresholds ? attribute[i].threshold : attribute[i].flags;
        if (!thresholds)
            at[3] = at[4] = 100; /* value now, and worst */
    }
    for (unsigned i = 0; i < 511; i++)
        sum = (uint8_t)(sum + data[i]);
    data[511] = (uint8_t)-sum;
}

/* ---- Geometry ---- */

enum { MBR_TABLE = 446, MBR_ENTRY = 16, MBR_ENTRIES = 4 };

static bool is_mbr(const uint8_t *mbr)
{
    return mbr[510] == 0x55 && mbr[511] == 0xaa;
}

/* Partitions end at the last head and sector of a cylinder, so the end of one tells both
 * (as every system that cannot ask a BIOS finds out). */
static bool geometry_of_table(const uint8_t *mbr, unsigned *heads, unsigned *sectors)
{
    for (unsigned i = 0; is_mbr(mbr) && i < MBR_ENTRIES; i++) {
        const uint8_t *p = mbr + MBR_TABLE + i * MBR_ENTRY;
        *heads = p[5] + 1u;
        *sectors = p[6] & 63u;
        if (p[4] != 0 && *sectors != 0)
            return true;
    }
    return false;
}

struct ata_geometry ata_guess_geometry(uint64_t sectors, const uint8_t mbr[ATA_SECTOR])
{
    unsigned heads, track;
    if (!geometry_of_table(mbr, &heads, &track) || heads > 16 ||
        sectors / (heads * track) == 0 || sectors / (heads * track) > 16383) {
        heads = 16;
        track = 63;
    }
    uint64_t cylinders = sectors / (heads * track);
    cylinders = cylinders < 1 ? 1 : cylinders < 16383 ? cylinders : 16383;
    return (struct ata_geometry){(uint16_t)cylinders, (uint8_t)heads, (uint8_t)track};
}
