/* Frames that wait for a network card. See packets.h. */
#include "machine/packets.h"

#include <stdlib.h>
#include <string.h>

bool packets_put(struct packet_queue *q, const uint8_t *frame, size_t len)
{
    if (q->count == PACKETS_MAX || len == 0 || len > PACKET_BYTES)
        return false;
    uint8_t *copy = malloc(len);
    if (!copy)
        return false;
    memcpy(copy, frame, len);
    q->slot[(q->first + q->count++) % PACKETS_MAX] = (struct packet){copy, len};
    return true;
}

const struct packet *packets_first(const struct packet_queue *q)
{
    return q->count ? &q->slot[q->first] : NULL;
}

void packets_drop_first(struct packet_queue *q)
{
    free(q->slot[q->first].data);
    q->first = (q->first + 1) % PACKETS_MAX;
    q->count--;
}

void packets_free(struct packet_queue *q)
{
    while (q->count)
        packets_drop_first(q);
}
