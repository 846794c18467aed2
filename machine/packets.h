/*
 * Frames from the host that wait until their network card has room: a ring of bounded length, so that a
 * guest that reads nothing costs no memory. Not part of the machine: a frame enters it as an input event.
 */
#ifndef MACHINE_PACKETS_H
#define MACHINE_PACKETS_H

#include "machine/types.h"

enum { PACKETS_MAX = 512, PACKET_BYTES = 65550 };

struct packet {
    uint8_t *data;
    size_t len;
};

struct packet_queue {
    struct packet slot[PACKETS_MAX];
    unsigned first, count;
    uint64_t dropped;
    vtime waiting_since; /* of the first; the front end's patience ends some time */
};

/* Copies the frame to the end; false: the queue is full, the frame is impossible, or no memory. */
bool packets_put(struct packet_queue *q, const uint8_t *frame, size_t len);
const struct packet *packets_first(const struct packet_queue *q); /* NULL: empty */
void packets_drop_first(struct packet_queue *q);
void packets_free(struct packet_queue *q);

#endif
