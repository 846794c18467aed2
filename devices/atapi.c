/*
 * The packet device of a CD-ROM drive: PACKET, and the commands that come in packets. ATA/ATAPI-4
 * chapters 8.21 and 9.9 (protocol); SFF-8020i and MMC-3 ("MMC", T10 1363D) for the packets.
 *
 * The medium is an image of 2048-byte blocks: one session with one data track (mode 1). Data go to
 * the host in DRQ blocks of at most the byte count that it gave, or by DMA. A changed medium is
 * told as MMC wants it: UNIT ATTENTION 28, and an event for GET EVENT STATUS NOTIFICATION.
 *
 * NOT MODELLED: audio, subchannels, EDC and ECC bytes (READ CD gives zeros), writing, DVD
 * structures and regions, changers; a locked drive's eject button only asks the guest.
 */
#include "devices/ata_int.h"

#include <string.h>

enum { /* packet commands */
       TEST_UNIT_READY = 0x00,
       REQUEST_SENSE = 0x03,
       INQUIRY = 0x12,
       START_STOP_UNIT = 0x1b,
       PREVENT_ALLOW = 0x1e,
       READ_CAPACITY = 0x25,
       READ_10 = 0x28,
       SEEK_10 = 0x2b,
       READ_SUBCHANNEL = 0x42,
       READ_TOC = 0x43,
       READ_HEADER = 0x44,
       GET_CONFIGURATION = 0x46,
       GET_EVENT_STATUS = 0x4a,
       STOP_PLAY = 0x4e,
       READ_DISC_INFO = 0x51,
       READ_TRACK_INFO = 0x52,
       MODE_SELECT_10 = 0x55,
       MODE_SENSE_10 = 0x5a,
       READ_12 = 0xa8,
       READ_CD_MSF = 0xb9,
       SET_CD_SPEED = 0xbb,
       MECHANISM_STATUS = 0xbd,
       READ_CD = 0xbe,
};

enum { /* sense keys */
       KEY_NOT_READY = 2,
       KEY_MEDIUM_ERROR = 3,
       KEY_ILLEGAL_REQUEST = 5,
       KEY_UNIT_ATTENTION = 6,
};

enum { /* additional sense codes */
       ASC_READ_ERROR = 0x11,
       ASC_INVALID_COMMAND = 0x20,
       ASC_OUT_OF_RANGE = 0x21,
       ASC_INVALID_FIELD = 0x24,
       ASC_MEDIUM_CHANGED = 0x28,
       ASC_POWER_ON = 0x29,
       ASC_SAVING_UNSUPPORTED = 0x39,
       ASC_NO_MEDIUM = 0x3a,
       ASC_REMOVAL_PREVENTED = 0x53,
       ASC_ILLEGAL_MODE = 0x64,
};
enum { ASCQ_TRAY_CLOSED = 1, ASCQ_TRAY_OPEN = 2 };
enum { EVENT_EJECT = 1, EVENT_NEW = 2, EVENT_REMOVAL = 3 };
enum { FEATURE_DMA = 0x01, MAX_LIMIT = 0xfffe };
enum { LEAD_OUT = 0xaa, DATA_TRACK = 0x14 /* ADR 1, control 4: data */ };
enum { CD_BLOCKS = 360000 /* 80 minutes; more is a DVD */ };
enum { PROFILE_CD = 0x08, PROFILE_DVD = 0x10 };

/* ---- Ends of a packet command ---- */

static void set_reason(struct ata *a, unsigned reason)
{
    ata_active(a)->reg.count[0] = (uint8_t)reason;
}

static void finish(struct ata *a, vtime now)
{
    ata_busy(a, JOB_PACKET_END, now + ata_command_time(a));
}

void atapi_end_step(struct ata *a, vtime at)
{
    (void)at;
    set_reason(a, REASON_COMMAND | REASON_TO_HOST);
    ata_done(a);
}

/* The error register holds the sense key (ATA-4 8.21.7). */
static void fail(struct ata *a, unsigned key, unsigned code, unsigned qualifier)
{
    struct atapi_state *cd = &ata_active(a)->cd;
    cd->sense[0] = (uint8_t)key;
    cd->sense[1] = (uint8_t)code;
    cd->sense[2] = (uint8_t)qualifier;
    set_reason(a, REASON_COMMAND | REASON_TO_HOST);
    ata_fail(a, (uint8_t)(key << 4 | (key == KEY_ILLEGAL_REQUEST ? ERROR_ABRT : 0)));
}

static void invalid_field(struct ata *a)
{
    fail(a, KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
}

/* ---- Big-endian fields ---- */

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | get16(p + 1);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

/* Block address to minute, second, frame: address 0 is at 00:02:00. */
static void put_msf(uint8_t *p, uint32_t lba)
{
    lba += 150;
    p[0] = (uint8_t)(lba / 75 / 60);
    p[1] = (uint8_t)(lba / 75 % 60);
    p[2] = (uint8_t)(lba % 75);
}

static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
    if (msf)
        put_msf(p + 1, lba);
    else
        put32(p, lba);
}

/* ---- Moving data ---- */

/* Bytes of a block of the running read: 2048, or what READ CD's flags ask for. */
static unsigned block_bytes(const struct ata *a)
{
    const uint8_t *p = a->st.packet;
    if (p[0] != READ_CD && p[0] != READ_CD_MSF)
        return ATAPI_BLOCK;
    return (p[9] & 0x80 ? 12u : 0) + (p[9] & 0x20 ? 4u : 0) + (p[9] & 0x10 ? 2048u : 0) +
           (p[9] & 0x08 ? 288u : 0);
}

/* One block as it is on the disc: sync, header (MSF, mode 1), user data, EDC and ECC. */
static bool read_block(struct ata *a, uint64_t lba, uint8_t *to)
{
    static const uint8_t sync[12] = {0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0};
    const uint8_t *p = a->st.packet;
    bool plain = p[0] != READ_CD && p[0] != READ_CD_MSF;
    uint8_t parts = plain ? 0x10 : p[9];
    struct error err = {""};
    struct blk *medium = ata_medium(a);
    if (parts & 0x80) {
        memcpy(to, sync, sizeof(sync));
        to += sizeof(sync);
    }
    if (parts & 0x20) {
        uint8_t msf[3];
        put_msf(msf, (uint32_t)lba);
        for (unsigned i = 0; i < 3; i++)
            *to++ = (uint8_t)(msf[i] / 10 << 4 | msf[i] % 10);
        *to++ = 1;
    }
    if (parts & 0x10) {
        if (!medium || blk_read(medium, lba * ATAPI_BLOCK, to, ATAPI_BLOCK, &err)) {
            log_guest(a->w.log, a->dev.id, "drive %u: %s", a->st.active, err.text);
            return false;
        }
        to += ATAPI_BLOCK;
    }
    if (parts & 0x08)
        memset(to, 0, 288);
    return true;
}

/* Reads `n` blocks from st.lba on; false: the command has failed. */
static bool read_blocks(struct ata *a, uint8_t *to, uint32_t n)
{
    unsigned bytes = block_bytes(a);
    for (uint32_t i = 0; i < n; i++) {
        if (!read_block(a, a->st.lba, to + (size_t)i * bytes)) {
            fail(a, KEY_MEDIUM_ERROR, ASC_READ_ERROR, 0);
            return false;
        }
        a->st.lba++;
        a->st.left--;
    }
    return true;
}

static uint32_t blocks_now(const struct ata *a, uint32_t room)
{
    uint32_t bytes = block_bytes(a), n = bytes ? room / bytes : 0;
    return n < a->st.left ? n : a->st.left;
}

static void go_on_reading(struct ata *a, enum ata_job job, uint32_t room, vtime at)
{
    ata_busy(a, job, ata_access_time(a, a->st.lba, blocks_now(a, room), false, at));
}

/* The buffer has, or gets, data: the host is offered as much as it takes at once. */
void atapi_in_step(struct ata *a, vtime at)
{
    struct ata_state *st = &a->st;
    (void)at;
    if (st->data_pos >= st->data_have) {
        uint32_t n = blocks_now(a, ATA_BUFFER);
        st->data_pos = 0;
        st->data_have = (uint16_t)(n * block_bytes(a));
        if (!read_blocks(a, st->data, n))
            return;
    }
    unsigned left = st->data_have - st->data_pos, n = left < st->limit ? left : st->limit & ~1u;
    struct ata_taskfile *r = &ata_active(a)->reg;
    r->lba_mid[0] = (uint8_t)n;
    r->lba_high[0] = (uint8_t)(n >> 8);
    set_reason(a, REASON_TO_HOST);
    ata_data_in(a, n);
}

void atapi_in_block(struct ata *a, vtime now)
{
    if (a->st.data_pos < a->st.data_have)
        ata_busy(a, JOB_PACKET_IN, now + ata_command_time(a));
    else if (a->st.left)
        go_on_reading(a, JOB_PACKET_IN, ATA_BUFFER, now);
    else
        finish(a, now);
}

void atapi_dma_step(struct ata *a, vtime at)
{
    struct ata_state *st = &a->st;
    uint8_t *from = st->data;
    uint32_t len = st->data_have, n = blocks_now(a, ATA_SCRATCH);
    if (!ata_dma_ready(a, true)) {
        ata_wait_dma(a);
        return;
    }
    if (n) {
        if (!read_blocks(a, a->scratch, n))
            return;
        from = a->scratch;
        len = n * block_bytes(a);
    }
    st->data_have = 0;
    if (a->w.dma.move(a->w.dma.arg, from, len, true) != len) {
        ata_wait_dma(a); /* memory for less was named */
        return;
    }
    if (st->left)
        go_on_reading(a, JOB_PACKET_DMA, ATA_SCRATCH, at);
    else
        finish(a, at);
}

/* Sends the first `len` bytes of the buffer, as far as the host has room for them. */
static void reply(struct ata *a, unsigned len, unsigned room, vtime now)
{
    a->st.data_have = (uint16_t)(len < room ? len : room);
    a->st.data_pos = 0;
    a->st.left = 0;
    if (a->st.data_have == 0)
        finish(a, now);
    else
        ata_busy(a, a->st.packet_dma ? JOB_PACKET_DMA : JOB_PACKET_IN, now + ata_command_time(a));
}

/* A zeroed buffer for a reply. */
static uint8_t *fresh(struct ata *a)
{
    memset(a->st.data, 0, 512);
    return a->st.data;
}

/* ---- Commands ---- */

static void test_unit_ready(struct ata *a, const uint8_t *p, vtime now)
{
    (void)p;
    finish(a, now);
}

static void request_sense(struct ata *a, const uint8_t *p, vtime now)
{
    struct atapi_state *cd = &ata_active(a)->cd;
    uint8_t *d = fresh(a);
    if (cd->sense[0] == 0 && cd->attention[0] != 0) { /* asked before any other command */
        memcpy(cd->sense, cd->attention, sizeof(cd->sense));
        memset(cd->attention, 0, sizeof(cd->attention));
    }
    d[0] = 0x70;
    d[2] = cd->sense[0];
    d[7] = 10;
    d[12] = cd->sense[1];
    d[13] = cd->sense[2];
    memset(cd->sense, 0, sizeof(cd->sense));
    reply(a, 18, p[4], now);
}

static void inquiry(struct ata *a, const uint8_t *p, vtime now)
{
    uint8_t *d = fresh(a);
    if (p[1] & 1) { /* no vital product data */
        invalid_field(a);
        return;
    }
    d[0] = 0x05; /* CD-ROM */
    d[1] = 0x80; /* removable */
    d[3] = 0x21; /* ATAPI 2, response format 1 (SFF-8020i 10.8.1) */
    d[4] = 31;
    memcpy(d + 8, "RETRACE CD-ROM          1.0 ", 28);
    reply(a, 36, get16(p + 3), now);
}

/* The tray is closed: if there is a medium, it may be another one. */
static void medium_is_in(struct atapi_state *cd)
{
    cd->open = 0;
    cd->media_event = cd->blocks ? EVENT_NEW : EVENT_REMOVAL;
    if (cd->blocks) {
        cd->attention[0] = KEY_UNIT_ATTENTION;
        cd->attention[1] = ASC_MEDIUM_CHANGED;
        cd->attention[2] = 0;
    }
}

/* MMC 5.16: bit 1 load or eject, bit 0 start. */
static void start_stop_unit(struct ata *a, const uint8_t *p, vtime now)
{
    struct atapi_state *cd = &ata_active(a)->cd;
    bool load_eject = p[4] & 2, start = p[4] & 1;
    if (load_eject && !start && cd->locked) {
        fail(a, cd->blocks ? KEY_ILLEGAL_REQUEST : KEY_NOT_READY, ASC_REMOVAL_PREVENTED, 2);
        return;
    }
    if (load_eject && cd->open && start) {
        medium_is_in(cd);
    } else if (load_eject && !start && !cd->open) {
        cd->open = 1;
        cd->media_event = EVENT_REMOVAL;
    }
    cd->stopped = !start;
    finish(a, now);
}

static void prevent_allow(struct ata *a, const uint8_t *p, vtime now)
{
    ata_active(a)->cd.locked = p[4] & 1;
    finish(a, now);
}

static void read_capacity(struct ata *a, const uint8_t *p, vtime now)
{
    uint8_t *d = fresh(a);
    (void)p;
    put32(d, ata_active(a)->cd.blocks - 1);
    put32(d + 4, ATAPI_BLOCK);
    reply(a, 8, 8, now);
}

/* Is [lba, lba + n) on the disc? */
static bool on_disc(struct ata *a, uint64_t lba, uint64_t n)
{
    if (lba + n <= ata_active(a)->cd.blocks)
        return true;
    fail(a, KEY_ILLEGAL_REQUEST, ASC_OUT_OF_RANGE, 0);
    return false;
}

static void start_reading(struct ata *a, uint64_t lba, uint32_t n, vtime now)
{
    vtime start = now + ata_command_time(a);
    if (!on_disc(a, lba, n))
        return;
    a->st.lba = lba;
    a->st.left = n;
    a->st.data_pos = a->st.data_have = 0;
    if (n == 0 || block_bytes(a) == 0)
        finish(a, now);
    else if (a->st.packet_dma)
        go_on_reading(a, JOB_PACKET_DMA, ATA_SCRATCH, start);
    else
        go_on_reading(a, JOB_PACKET_IN, ATA_BUFFER, start);
}

static void read_10(struct ata *a, const uint8_t *p, vtime now)
{
    start_reading(a, get32(p + 2), get16(p + 7), now);
}

static void read_12(struct ata *a, const uint8_t *p, vtime now)
{
    start_reading(a, get32(p + 2), get32(p + 6), now);
}

/* Types 0 (any) and 2 (mode 1) are on the disc; C2 and subchannel data are not to be had. */
static bool can_read_cd(struct ata *a, const uint8_t *p)
{
    unsigned type = p[1] >> 2 & 7;
    if (type != 0 && type != 2) {
        fail(a, KEY_ILLEGAL_REQUEST, ASC_ILLEGAL_MODE, 0);
        return false;
    }
    if (p[9] & 0x06 || p[10] & 7) {
        invalid_field(a);
        return false;
    }
    return true;
}

static void read_cd(struct ata *a, const uint8_t *p, vtime now)
{
    if (can_read_cd(a, p))
        start_reading(a, get32(p + 2), get24(p + 6), now);
}

static uint32_t from_msf(const uint8_t *p)
{
    return (p[0] * 60u + p[1]) * 75 + p[2];
}

static void read_cd_msf(struct ata *a, const uint8_t *p, vtime now)
{
    uint32_t from = from_msf(p + 3), to = from_msf(p + 6);
    if (from < 150 || to < from)
        invalid_field(a);
    else if (can_read_cd(a, p))
        start_reading(a, from - 150, to - from, now);
}

static void seek_10(struct ata *a, const uint8_t *p, vtime now)
{
    if (!on_disc(a, get32(p + 2), 1))
        return;
    ata_active(a)->head = get32(p + 2);
    finish(a, now);
}

/* MMC 5.23: 0 no audio status is to be told. Format 1 position. */
static void read_subchannel(struct ata *a, const uint8_t *p, vtime now)
{
    uint8_t *d = fresh(a);
    bool msf = p[1] & 2, data = p[2] & 0x40;
    d[1] = 0x15; /* no current audio status */
    if (data && p[3] == 1) {
        d[3] = 12;
        d[4] = 1;
        d[5] = DATA_TRACK;
        d[6] = d[7] = 1;
        put_address(d + 8, (uint32_t)ata_active(a)->head, msf);
        put_address(d + 12, (uint32_t)ata_active(a)->head, msf);
    } else if (data) {
        invalid_field(a);
        return;
    }
    reply(a, data ? 16 : 4, get16(p + 7), now);
}

static uint8_t *toc_entry(uint8_t *d, unsigned track, uint32_t lba, bool msf)
{
    d[1] = DATA_TRACK;
    d[2] = (uint8_t)track;
    put_address(d + 4, lba, msf);
    return d + 8;
}

/* MMC 5.24 format 2: the lead-in's entries (first and last track, lead-out, track 1). */
static uint8_t *raw_toc(uint8_t *d, uint32_t blocks)
{
    static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 1};
    for (unsigned i = 0; i < ARRAY_LEN(points); i++, d += 11) {
        d[0] = 1; /* session */
        d[1] = DATA_TRACK;
        d[3] = points[i];
        d[8] = points[i] < 0xa2 ? 1 : 0;
        if (points[i] == 0xa2)
            put_msf(d + 8, blocks);
        else if (points[i] == 1)
            put_msf(d + 8, 0);
    }
    return d;
}

static void read_toc(struct ata *a, const uint8_t *p, vtime now)
{
    uint32_t blocks = ata_active(a)->cd.blocks;
    bool msf = p[1] & 2;
    unsigned format = p[2] & 0x0f ? p[2] & 0x0fu : p[9] >> 6; /* MMC, or SFF-8020i */
    uint8_t *d = fresh(a), *end = d + 4;
    if (format > 2 || (format == 0 && p[6] > 1 && p[6] != LEAD_OUT)) {
        invalid_field(a);
        return;
    }
    d[2] = d[3] = 1; /* first and last track, or session */
    if (format == 2)
        end = raw_toc(end, blocks);
    else if (format == 1 || p[6] <= 1)
        end = toc_entry(end, 1, 0, msf);
    if (format == 0)
        end = toc_entry(end, LEAD_OUT, blocks, msf);
    put16(d, (uint32_t)(end - d) - 2);
    reply(a, (unsigned)(end - d), get16(p + 7), now);
}

static void read_header(struct ata *a, const uint8_t *p, vtime now)
{
    uint8_t *d = fresh(a);
    if (!on_disc(a, get32(p + 2), 1))
        return;
    d[0] = 1; /* mode */
    put_address(d + 4, get32(p + 2), p[1] & 2);
    reply(a, 8, get16(p + 7), now);
}

/* --- features (MMC 5.4, chapter 5.4 and 6 of the features) --- */

static unsigned profile(const struct atapi_state *cd)
{
    if (cd->open || cd->blocks == 0)
        return 0;
    return cd->blocks > CD_BLOCKS ? PROFILE_DVD : PROFILE_CD;
}

/* One feature descriptor with `len` bytes of data from `data`. */
static uint8_t *put_feature(uint8_t *d, unsigned code, unsigned flags, const uint8_t *data,
                            unsigned len)
{
    put16(d, code);
    d[2] = (uint8_t)flags;
    d[3] = (uint8_t)len;
    memcpy(d + 4, data, len);
    return d + 4 + len;
}

static void get_configuration(struct ata *a, const uint8_t *p, vtime now)
{
    unsigned now_in = profile(&ata_active(a)->cd), type = p[1] & 3, start = get16(p + 2);
    const uint8_t profiles[] = {0, PROFILE_DVD, now_in == PROFILE_DVD, 0,
                                0, PROFILE_CD,  now_in == PROFILE_CD,  0};
    const struct {
        uint8_t code, flags, len; /* flags: version 3C, persistent 2, current 1 */
        const uint8_t *data;
    } feature[] = {
        {0x00, 0x03, 8, profiles},
        {0x01, 0x0b, 8, (const uint8_t[8]){0, 0, 0, 2, 1}},  /* core: ATAPI */
        {0x02, 0x07, 4, (const uint8_t[4]){0x02}},           /* morphing: GET EVENT STATUS */
        {0x03, 0x03, 4, (const uint8_t[4]){0x29}},           /* removable: tray, eject, lock */
        {0x10, now_in != 0, 8, (const uint8_t[8]){0, 0, 8, 0, 0, 1}}, /* random readable */
        {0x1e, now_in == PROFILE_CD, 0, profiles},
        {0x1f, now_in == PROFILE_DVD, 0, profiles},
    };
    uint8_t *d = fresh(a), *end = d + 8;
    for (unsigned i = 0; i < ARRAY_LEN(feature); i++) {
        bool wanted = type == 0   ? feature[i].code >= start
                      : type == 1 ? feature[i].code >= start && feature[i].flags & 1
                                  : feature[i].code == start;
        if (wanted)
            end = put_feature(end, feature[i].code, feature[i].flags, feature[i].data,
                              feature[i].len);
    }
    put32(d, (uint32_t)(end - d) - 4);
    put16(d + 6, now_in);
    reply(a, (unsigned)(end - d), get16(p + 7), now);
}

/* MMC 5.5, polled; the media class only. */
static void get_event_status(struct ata *a, const uint8_t *p, vtime now)
{
    struct atapi_state *cd = &ata_active(a)->cd;
    uint8_t *d = fresh(a);
    bool media = p[4] & 0x10;
    if (!(p[1] & 1)) { /* asynchronous notification */
        invalid_field(a);
        return;
    }
    put16(d, media ? 6 : 2);
    d[2] = media ? 4 : 0x80; /* the class, or: none of those */
    d[3] = 0x10;             /* classes that there are */
    if (media) {
        d[4] = cd->media_event;
        d[5] = (uint8_t)((cd->blocks && !cd->open ? 2 : 0) | cd->open);
        cd->media_event = 0;
    }
    reply(a, media ? 8 : 4, get16(p + 7), now);
}

static void read_disc_info(struct ata *a, const uint8_t *p, vtime now)
{
    uint8_t *d = fresh(a);
    put16(d, 32);
    d[2] = 0x0e; /* last session complete, disc finalized */
    d[3] = d[4] = d[5] = d[6] = 1;
    d[7] = 0x20; /* unrestricted use */
    memset(d + 16, 0xff, 8); /* no lead-in and lead-out to be written */
    reply(a, 34, get16(p + 7), now);
}

static void read_track_info(struct ata *a, const uint8_t *p, vtime now)
{
    uint8_t *d = fresh(a);
    put16(d, 34);
    d[2] = d[3] = 1; /* track and session */
    d[5] = 4;        /* data, uninterrupted */
    d[6] = 1;        /* mode 1 */
    put32(d + 24, ata_active(a)->cd.blocks);
    reply(a, 36, get16(p + 7), now);
}

/* --- mode pages --- */

static unsigned error_recovery_page(uint8_t *d, const struct atapi_state *cd)
{
    (void)cd;
    d[0] = 0x01;
    d[1] = 6;
    d[3] = 5; /* retries */
    return 8;
}

static unsigned audio_page(uint8_t *d, const struct atapi_state *cd)
{
    (void)cd;
    d[0] = 0x0e;
    d[1] = 14;
    d[2] = 4;
    return 16;
}

/* MMC 6.3.11: reads DVD-ROM; tray, lock, eject; 24 times speed. */
static unsigned capabilities_page(uint8_t *d, const struct atapi_state *cd)
{
    d[0] = 0x2a;
    d[1] = 18;
    d[2] = 0x08;
    d[4] = 0x40;
    d[6] = (uint8_t)(0x29 | cd->locked << 1);
    put16(d + 8, 24 * 176);
    put16(d + 10, 2); /* volume levels */
    put16(d + 12, 512);
    put16(d + 14, 24 * 176);
    return 20;
}

static unsigned medium_type(const struct atapi_state *cd)
{
    return cd->open ? 0x71 : cd->blocks ? 0x01 : 0x70; /* door open, 120 mm data, none */
}

static void mode_sense(struct ata *a, const uint8_t *p, vtime now)
{
    static const struct {
        uint8_t code;
        unsigned (*put)(uint8_t *d, const struct atapi_state *cd);
    } pages[] = {{0x01, error_recovery_page}, {0x0e, audio_page}, {0x2a, capabilities_page}};
    const struct atapi_state *cd = &ata_active(a)->cd;
    unsigned code = p[2] & 0x3f, control = p[2] >> 6, len = 8;
    uint8_t *d = fresh(a);
    for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
        if (code != 0x3f && code != pages[i].code)
            continue;
        unsigned n = pages[i].put(d + len, cd);
        if (control == 1) /* what can be changed: nothing */
            memset(d + len + 2, 0, n - 2);
        len += n;
    }
    if (control == 3) {
        fail(a, KEY_ILLEGAL_REQUEST, ASC_SAVING_UNSUPPORTED, 0);
    } else if (len == 8) {
        invalid_field(a);
    } else {
        put16(d, len - 2);
        d[2] = (uint8_t)medium_type(cd);
        reply(a, len, get16(p + 7), now);
    }
}

/* Nothing can be changed, but a list may be sent. By DMA it is refused. */
static void mode_select(struct ata *a, const uint8_t *p, vtime now)
{
    unsigned len = get16(p + 7), limit = a->st.limit & ~1u;
    if (a->st.packet_dma || len > limit || len > ATA_BUFFER) {
        invalid_field(a);
        return;
    }
    if (len == 0) {
        finish(a, now);
        return;
    }
    a->st.data_pos = 0;
    a->st.data_have = (uint16_t)len;
    ata_active(a)->reg.lba_mid[0] = (uint8_t)len;
    ata_active(a)->reg.lba_high[0] = (uint8_t)(len >> 8);
    set_reason(a, 0);
    a->st.job = JOB_PACKET_OUT;
    ata_data_out(a, len);
    ata_interrupt(a);
}

void atapi_out_block(struct ata *a, vtime now)
{
    finish(a, now);
}

static void mechanism_status(struct ata *a, const uint8_t *p, vtime now)
{
    uint8_t *d = fresh(a);
    d[1] = (uint8_t)(ata_active(a)->cd.open << 4);
    d[5] = 1; /* slots, of which none is told of */
    reply(a, 8, get16(p + 8), now);
}

/* ---- Packets ---- */

enum { READY = 1,      /* needs a disc that is in */
       NO_ATTENTION = 2 /* runs although a unit attention is pending (MMC 3.1.4) */ };

static const struct packet {
    uint8_t code, flags;
    void (*run)(struct ata *a, const uint8_t *p, vtime now);
} packets[] = {
    {TEST_UNIT_READY, READY, test_unit_ready},
    {REQUEST_SENSE, NO_ATTENTION, request_sense},
    {INQUIRY, NO_ATTENTION, inquiry},
    {START_STOP_UNIT, 0, start_stop_unit},
    {PREVENT_ALLOW, 0, prevent_allow},
    {READ_CAPACITY, READY, read_capacity},
    {READ_10, READY, read_10},
    {SEEK_10, READY, seek_10},
    {READ_SUBCHANNEL, READY, read_subchannel},
    {READ_TOC, READY, read_toc},
    {READ_HEADER, READY, read_header},
    {GET_CONFIGURATION, NO_ATTENTION, get_configuration},
    {GET_EVENT_STATUS, NO_ATTENTION, get_event_status},
    {STOP_PLAY, 0, test_unit_ready},
    {READ_DISC_INFO, READY, read_disc_info},
    {READ_TRACK_INFO, READY, read_track_info},
    {MODE_SELECT_10, 0, mode_select},
    {MODE_SENSE_10, 0, mode_sense},
    {READ_12, READY, read_12},
    {READ_CD_MSF, READY, read_cd_msf},
    {SET_CD_SPEED, 0, test_unit_ready},
    {MECHANISM_STATUS, 0, mechanism_status},
    {READ_CD, READY, read_cd},
};

static const struct packet *find_packet(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
        if (packets[i].code == code)
            return &packets[i];
    }
    return NULL;
}

static void trace_packet(const struct ata *a)
{
    const uint8_t *p = a->st.packet;
    trace_line(a->w.log, TRACE_ATA,
               "%s.%u packet %02x %02x %02x%02x%02x%02x %02x%02x%02x%02x %02x %02x%s", a->dev.id,
               a->st.active, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10],
               p[11], a->st.packet_dma ? " by DMA" : "");
}

static void run_packet(struct ata *a, vtime now)
{
    struct atapi_state *cd = &ata_active(a)->cd;
    const struct packet *c = find_packet(a->st.packet[0]);
    bool ready = cd->blocks != 0 && !cd->open;
    uint8_t attention[3];
    if (c && c->flags & NO_ATTENTION) {
        c->run(a, a->st.packet, now);
        return;
    }
    if (cd->attention[0]) {
        memcpy(attention, cd->attention, sizeof(attention));
        memset(cd->attention, 0, sizeof(cd->attention));
        fail(a, attention[0], attention[1], attention[2]);
        return;
    }
    memset(cd->sense, 0, sizeof(cd->sense));
    if (!c) {
        fail(a, KEY_ILLEGAL_REQUEST, ASC_INVALID_COMMAND, 0);
    } else if (c->flags & READY && !ready) {
        fail(a, KEY_NOT_READY, ASC_NO_MEDIUM, cd->open ? ASCQ_TRAY_OPEN : ASCQ_TRAY_CLOSED);
    } else {
        if (c->flags & READY)
            cd->stopped = 0; /* it spins up again */
        c->run(a, a->st.packet, now);
    }
}

/* The host has written the packet. */
void atapi_packet_block(struct ata *a, vtime now)
{
    memcpy(a->st.packet, a->st.data, ATAPI_PACKET);
    a->st.data_pos = a->st.data_end = a->st.data_have = 0;
    ata_idle(a);
    if (trace_on(a->w.log, TRACE_ATA))
        trace_packet(a);
    run_packet(a, now);
}

/* ---- ATA commands of a packet device ---- */

static void packet(struct ata *a)
{
    struct ata_drive_state *d = ata_active(a);
    unsigned limit = d->reg.lba_mid[0] | (unsigned)d->reg.lba_high[0] << 8;
    a->st.packet_dma = d->reg.feature[0] & FEATURE_DMA;
    a->st.limit = (uint16_t)(limit < 2 || limit > MAX_LIMIT ? MAX_LIMIT : limit);
    if (a->st.packet_dma && !a->w.dma.move) {
        ata_fail(a, ERROR_ABRT);
        return;
    }
    d->power = POWER_ACTIVE;
    set_reason(a, REASON_COMMAND);
    a->st.job = JOB_PACKET;
    a->st.data_pos = 0;
    ata_data_out(a, ATAPI_PACKET);
}

static void done_or_aborted(struct ata *a, bool ok, vtime now)
{
    if (ok)
        ata_busy(a, JOB_FINISH, now + ata_command_time(a));
    else
        ata_fail(a, ERROR_ABRT);
}

/* Any other command is aborted; the disk's own leave the signature that tells what is here
 * (ATA-4 8.12.5, 8.23). */
void atapi_command(struct ata *a, vtime now)
{
    struct ata_drive_state *d = ata_active(a);
    switch (a->st.command) {
    case 0xa0: packet(a); break;
    case 0xa1:
        ata_identify_cdrom(a);
        ata_busy(a, JOB_BUFFER_IN, now + ata_command_time(a));
        break;
    case 0xef: done_or_aborted(a, ata_set_features(a), now); break;
    case 0xe5:
        d->reg.count[0] = d->power;
        done_or_aborted(a, true, now);
        break;
    case 0xe0: d->power = POWER_STANDBY; done_or_aborted(a, true, now); break;
    case 0xe1: d->power = POWER_IDLE; done_or_aborted(a, true, now); break;
    case 0xe6: d->power = POWER_SLEEP; done_or_aborted(a, true, now); break;
    default:
        ata_signature(a, a->st.active);
        ata_fail(a, ERROR_ABRT);
    }
}

/* ---- Resets and media ---- */

void atapi_reset(struct ata *a, unsigned drive, bool power_on)
{
    struct atapi_state *cd = &a->st.drive[drive].cd;
    bool here = a->w.drive[drive].kind == ATA_CDROM;
    memset(cd->sense, 0, sizeof(cd->sense));
    memset(cd->attention, 0, sizeof(cd->attention));
    cd->locked = 0;
    cd->stopped = 0;
    if (here && power_on) {
        cd->attention[0] = KEY_UNIT_ATTENTION;
        cd->attention[1] = ASC_POWER_ON;
    }
}

void atapi_medium_changed(struct ata *a, unsigned drive)
{
    a->st.drive[drive].cd.stopped = 0;
    medium_is_in(&a->st.drive[drive].cd);
}

STATE_DESC(atapi_desc, struct atapi_state, 1,
           FIELD(struct atapi_state, blocks, "of the medium; 0: none"),
           FIELD(struct atapi_state, sense, "sense key, code, qualifier"),
           FIELD(struct atapi_state, attention, "unit attention for the next command"),
           FIELD_MAX(struct atapi_state, locked, 1, "the tray is locked"),
           FIELD_MAX(struct atapi_state, open, 1, "the tray is out"),
           FIELD_MAX(struct atapi_state, media_event, EVENT_REMOVAL,
                     "1 eject asked for 2 new medium 3 removal"),
           FIELD_MAX(struct atapi_state, stopped, 1, "the disc stands still"),
           FIELD_MAX(struct atapi_state, reserved, 0, "zero"));
