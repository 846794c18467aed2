/*
 * Between the back ends of net/ and the machine's network cards: plugs them together, carries frames, and
 * polls the host's sockets. Frames reach the machine only through its input queue.
 */
#ifndef UI_NETWORK_H
#define UI_NETWORK_H

#include "machine/machine.h"
#include "net/net.h"
#include "ui/options.h"

struct network_port {
    struct network *network;
    unsigned nic;
    struct netdev *netdev; /* NULL: nothing is plugged in */
};

struct network {
    struct machine *m;
    struct net *net;
    void (*say)(void *arg, const char *line);
    void *say_arg;
    struct network_port port[MAX_NICS];
    uint64_t polled; /* host time */
    struct pollfd fds[NET_FDS];
    size_t nfds;
};

/* Opens the back ends; the machine comes later. `say` takes lines for the log. */
MUST_CHECK enum emu_err network_open(struct network *n, const struct options *o,
                                     void (*say)(void *arg, const char *line), void *say_arg, struct error *err);
/* Cards without a back end lose their link. */
void network_attach(struct network *n, struct machine *m);
void network_close(struct network *n);

void network_send(struct network *n, unsigned nic, const uint8_t *frame, size_t len); /* from the guest */
void network_poll(struct network *n);
/* Waits at most `ns` of host time until something comes in. */
void network_await(struct network *n, uint64_t ns);

#endif
