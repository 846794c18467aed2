/* Network cards and back ends. See network.h. */
#define _GNU_SOURCE /* ppoll */
#include "ui/network.h"

#include <stdio.h>
#include <string.h>

#include "ui/chardev.h"
#include "ui/host_time.h"

enum { POLL_NS = 1000000 }; /* how often a busy guest's sockets are looked at */

static vtime virtual_now(void *arg)
{
    const struct network *n = arg;
    return n->m ? machine_now(n->m) : 0;
}

static void say_line(void *arg, const char *line)
{
    const struct network *n = arg;
    n->say(n->say_arg, line);
}

static void deliver(void *arg, const uint8_t *frame, size_t len)
{
    const struct network_port *p = arg;
    if (p->network->m)
        machine_packet_in(p->network->m, p->nic, frame, len);
}

static void on_link(void *arg, bool up)
{
    const struct network_port *p = arg;
    if (p->network->m)
        machine_set_link(p->network->m, p->nic, up);
}

/* --- guestfwd: servers that are character devices --- */

static enum emu_err char_open(const char *spec, void **out, struct error *err)
{
    struct chardev *cd = NULL;
    enum emu_err e = chardev_open(spec, &cd, err);
    *out = cd;
    return e;
}

static size_t char_read(void *cd, void *to, size_t len)
{
    return chardev_connections(cd) ? chardev_read(cd, false, to, len) : 0;
}

static void char_write(void *cd, const void *data, size_t len)
{
    if (!chardev_connections(cd))
        return;
    chardev_write(cd, data, len);
    chardev_flush(cd);
}

static int char_fd(void *cd) { return chardev_fd(cd); }
static void char_close(void *cd) { chardev_close(cd); }

static const struct net_chars chars = {char_open, char_read, char_write, char_fd, char_close};

static enum emu_err plug(struct network *n, const struct machine_config *cfg, struct error *err)
{
    enum emu_err e = EMU_OK;
    for (unsigned i = 0; !e && i < cfg->nics; i++) {
        struct network_port *p = &n->port[i];
        *p = (struct network_port){.network = n, .nic = i};
        if (cfg->nic[i].netdev[0])
            e = net_connect(n->net, cfg->nic[i].netdev, deliver, p, &p->netdev, err);
    }
    return e;
}

enum emu_err network_open(struct network *n, const struct options *o,
                          void (*say)(void *arg, const char *line), void *say_arg, struct error *err)
{
    struct net_host host = {.arg = n, .now = virtual_now, .say = say_line, .chars = &chars};
    n->say = say;
    n->say_arg = say_arg;
    enum emu_err e = net_new(&host, &n->net, err);
    for (unsigned i = 0; !e && i < o->netdevs; i++)
        e = net_add(n->net, o->netdev[i], err);
    for (unsigned i = 0; !e && i < o->objects; i++)
        e = net_add_object(n->net, o->object[i], err);
    return e ? e : plug(n, &o->cfg, err);
}

void network_attach(struct network *n, struct machine *m)
{
    n->m = m;
    for (unsigned i = 0; i < m->cfg.nics; i++) {
        struct netdev *nd = n->port[i].netdev;
        if (!nd || !netdev_link(nd))
            machine_set_link(m, i, false);
        if (nd)
            netdev_watch_link(nd, on_link);
    }
}

void network_close(struct network *n)
{
    net_free(n->net);
    n->net = NULL;
}

void network_poll(struct network *n)
{
    if (!n->net)
        return;
    n->polled = host_now();
    net_poll(n->net);
}

void network_send(struct network *n, unsigned nic, const uint8_t *frame, size_t len)
{
    if (!n->port[nic].netdev)
        return;
    netdev_send(n->port[nic].netdev, frame, len);
    if (host_now() - n->polled > POLL_NS)
        network_poll(n);
}

void network_await(struct network *n, uint64_t ns)
{
    if (!n->net)
        return;
    n->nfds = net_fill(n->net, n->fds, NET_FDS, &ns);
    struct timespec ts = {0, (long)ns};
    if (n->nfds)
        ppoll(n->fds, (nfds_t)n->nfds, &ts, NULL);
    net_done(n->net, n->fds, n->nfds);
}
