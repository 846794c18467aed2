/* Acknowledgements that wait for the next one. See ack.h. */
#include "net/ack.h"

#include <string.h>

enum { ETHERTYPE = 12, IP = 14, IP_LENGTH = IP + 2, IP_FRAGMENT = IP + 6, IP_PROTOCOL = IP + 9, IP_FROM = IP + 12 };
enum { TCP = IP + 20, TCP_ACK = TCP + 8, TCP_OFFSET = TCP + 12, TCP_FLAGS = TCP + 13 };
enum { IP_TCP = 6, FLAG_ACK = 0x10, MORE_FRAGMENTS = 0x20 };

static uint32_t be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static bool is_bare(const uint8_t *f, size_t len)
{
    if (len < ACK_FRAME || len > ACK_MAX || f[ETHERTYPE] != 8 || f[ETHERTYPE + 1] != 0 || f[IP] != 0x45)
        return false;
    return f[IP_LENGTH] == 0 && f[IP_LENGTH + 1] == 40 && !(f[IP_FRAGMENT] & (MORE_FRAGMENTS | 0x1f)) &&
           !f[IP_FRAGMENT + 1] && f[IP_PROTOCOL] == IP_TCP && f[TCP_OFFSET] == 0x50 && f[TCP_FLAGS] == FLAG_ACK;
}

/* Same stations, same ends, and the number is a later one (RFC 793, 3.3). */
static bool follows(const uint8_t *before, const uint8_t *f)
{
    uint32_t by = be32(f + TCP_ACK) - be32(before + TCP_ACK);
    return memcmp(before, f, IP) == 0 && memcmp(before + IP_FROM, f + IP_FROM, TCP_ACK - IP_FROM) == 0 && by != 0 &&
           by < 0x80000000u;
}

bool ack_hold(struct held_ack *h, const uint8_t *frame, size_t len)
{
    if (!is_bare(frame, len) || (h->len && !follows(h->frame, frame)))
        return false;
    memcpy(h->frame, frame, len);
    h->count = h->len ? h->count + 1 : 1;
    h->len = len;
    return true;
}

bool ack_is_due(const struct held_ack *h) { return h->len && h->count >= ACK_EVERY; }
