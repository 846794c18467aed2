/*
 * Acknowledgements of TCP that a later one makes needless (RFC 1122, 4.2.3.2: a receiver need not answer each
 * segment). libslirp answers every segment of an upload at once, and each answer costs the guest thousands of
 * instructions; so a bare one is held until ACK_EVERY have become one, or something else is due.
 *
 * Held back is only what says nothing but "more has arrived": Ethernet, IPv4 without options, TCP without
 * options or data, no flag but ACK. What repeats a number, as a loss or a new window does, goes as it is.
 */
#ifndef NET_ACK_H
#define NET_ACK_H

#include "machine/types.h"

enum { ACK_FRAME = 54, ACK_MAX = 60, ACK_EVERY = 8 };

struct held_ack {
    uint8_t frame[ACK_MAX];
    size_t len;     /* 0: none is held */
    unsigned count; /* how many it stands for */
};

/* True: it is held, or took the place of the one that was. Else that one goes first, then this one. */
bool ack_hold(struct held_ack *h, const uint8_t *frame, size_t len);
/* It has waited for as many as it may. */
bool ack_is_due(const struct held_ack *h);

#endif
