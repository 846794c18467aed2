/*
 * How long a drive takes: virtual times from a model, never from the host.
 *
 *   fast (default)  20 us a command, 0.02 us a sector of 512 bytes; no seeks, no rotation
 *   real, disk      200 us a command; a disk of 7200 rpm with 400 sectors a track and 4 tracks a
 *                   cylinder: a seek takes 1 ms plus up to 13 ms with the square root of its
 *                   distance, then the platter turns to the sector, then sectors pass at 20.8 us each.
 *                   What follows the last access is in the look-ahead buffer (if it is on): no seek,
 *                   no turn. Writes with the write cache on take 30 us a sector.
 *   real, CD        1 ms a command; a seek of 20 ms plus up to 120 ms likewise; 24 times speed,
 *                   555 us a block
 *
 * NOT MODELLED: spin-up, zones, the cost of emptying the write cache, queues.
 */
#include "devices/ata_int.h"

enum { US = 1000, FAST_COMMAND = 20 * US, FAST_SECTOR = US / 50 };
enum { TRACK = 400, CYLINDER = 4 * TRACK, REVOLUTION = 8333333, CACHED_SECTOR = 30 * US };
enum { DISK_COMMAND = 200 * US, CD_COMMAND = 1000 * US, CD_BLOCK = 555 * US };
enum { DISK_SEEK = 1000 * US, DISK_STROKE = 13000 * US, CD_SEEK = 20000 * US, CD_STROKE = 120000 * US };

static bool is_cd(const struct ata *a)
{
    return a->w.drive[a->st.active].kind == ATA_CDROM;
}

vtime ata_command_time(const struct ata *a)
{
    if (!a->w.drive[a->st.active].real)
        return FAST_COMMAND;
    return is_cd(a) ? CD_COMMAND : DISK_COMMAND;
}

/* The square root of n / of, in 1/1024. */
static uint32_t root_1024(uint64_t n, uint64_t of)
{
    uint64_t square = of ? (n < of ? n << 20 : of << 20) / of : 0; /* at most 2^20 */
    uint32_t root = 0;
    for (uint32_t bit = 1024; bit; bit >>= 1) {
        if ((uint64_t)(root + bit) * (root + bit) <= square)
            root += bit;
    }
    return root;
}

static vtime seek_time(const struct ata *a, uint64_t from, uint64_t to)
{
    const struct ata_drive_state *d = &a->st.drive[a->st.active];
    uint64_t distance = from < to ? to - from : from - to;
    uint64_t stroke = is_cd(a) ? d->cd.blocks : d->sectors;
    if (!is_cd(a) && from / CYLINDER == to / CYLINDER)
        return 0;
    uint32_t root = root_1024(distance & 0xffffffffffull, stroke & 0xffffffffffull);
    return is_cd(a) ? CD_SEEK + (vtime)CD_STROKE * root / 1024
                    : DISK_SEEK + (vtime)DISK_STROKE * root / 1024;
}

/* Until sector `lba` of its track is under the head, which stands still at time `at`. */
static vtime turn_time(uint64_t lba, vtime at)
{
    vtime sector_at = lba % TRACK * REVOLUTION / TRACK, now_at = at % REVOLUTION;
    return sector_at >= now_at ? sector_at - now_at : sector_at + REVOLUTION - now_at;
}

vtime ata_access_time(struct ata *a, uint64_t lba, uint32_t n, bool write, vtime at)
{
    struct ata_drive_state *d = ata_active(a);
    bool follows = d->head == lba && (is_cd(a) || d->look_ahead);
    uint64_t from = d->head;
    d->head = lba + n;
    if (!a->w.drive[a->st.active].real)
        return at + (vtime)n * FAST_SECTOR * (is_cd(a) ? ATAPI_BLOCK / ATA_SECTOR : 1);
    if (write && d->write_cache)
        return at + (vtime)n * CACHED_SECTOR;
    if (!follows) {
        at += seek_time(a, from, lba);
        at += is_cd(a) ? 0 : turn_time(lba, at);
    }
    return at + (vtime)n * (is_cd(a) ? CD_BLOCK : REVOLUTION / TRACK);
}
