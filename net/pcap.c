/*
 * Frames into a file that tcpdump and Wireshark read (-object filter-dump): libpcap's format, version
 * 2.4, link type Ethernet, stamped with virtual time, so that a repeated run writes the same file.
 * Little-endian on every host.
 */
#include "net/netdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pcap {
    FILE *file;
    uint32_t snap_len;
    bool failed;
    struct pcap *next;
};

static uint8_t *put(uint8_t *to, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *to++ = (uint8_t)(value >> (8 * i));
    return to;
}

static bool write_header(struct pcap *p)
{
    enum { MAGIC = 0xa1b2c3d4, LINK_ETHERNET = 1 };
    uint8_t header[24], *at = header;
    at = put(at, MAGIC, 4);
    at = put(at, 2, 2);
    at = put(at, 4, 2);
    at = put(at, 0, 4); /* UTC */
    at = put(at, 0, 4);
    at = put(at, p->snap_len, 4);
    put(at, LINK_ETHERNET, 4);
    return fwrite(header, sizeof(header), 1, p->file) == 1 && fflush(p->file) == 0;
}

enum emu_err pcap_open(const char *path, uint32_t snap_len, struct pcap **out, struct error *err)
{
    struct pcap *p = calloc(1, sizeof(*p));
    if (!p)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    p->snap_len = snap_len;
    p->file = fopen(path, "wb");
    if (!p->file || !write_header(p)) {
        enum emu_err e = error_set(err, EMU_IO, "cannot write the packets to %s: %m", path);
        pcap_close(p);
        return e;
    }
    *out = p;
    return EMU_OK;
}

bool pcap_frame(struct pcap *p, vtime now, const uint8_t *frame, size_t len)
{
    uint8_t header[16], *at = header;
    uint32_t kept = len < p->snap_len ? (uint32_t)len : p->snap_len;
    if (p->failed)
        return true;
    at = put(at, (uint32_t)(now / NS_PER_SECOND), 4);
    at = put(at, (uint32_t)(now % NS_PER_SECOND / 1000), 4);
    at = put(at, kept, 4);
    put(at, (uint32_t)len, 4);
    if (fwrite(header, sizeof(header), 1, p->file) == 1)
        fwrite(frame, 1, kept, p->file);
    fflush(p->file); /* whoever looks at it sees all, also after a crash of the host */
    p->failed = ferror(p->file);
    return !p->failed;
}

struct pcap *pcap_close(struct pcap *p)
{
    struct pcap *next = p->next;
    if (p->file)
        fclose(p->file);
    free(p);
    return next;
}

void pcap_link(struct pcap *p, struct pcap *next) { p->next = next; }
struct pcap *pcap_next(struct pcap *p) { return p->next; }
