/*
 * Hubs: -netdev hubport,id=ID,hubid=N[,netdev=ID]. What comes into one port goes out of all others. A
 * port leads to a card, or, with netdev=, to another back end.
 *
 * NOT MODELLED: speed and collisions; a hub here is a cable with many ends.
 */
#include "net/netdev.h"

#include <stdio.h>
#include <stdlib.h>

enum { HUB_PORTS = 16, MAX_HUB_ID = 999, MAX_DEPTH = 8 };

struct hub {
    int id;
    struct hub *next;
    struct netdev *port[HUB_PORTS];
    unsigned ports;
    unsigned depth; /* a loop of hubs would go round for ever */
};

struct hubport {
    struct hub *hub;
    struct netdev *uplink; /* the back end behind the port; NULL: a card or nothing */
};

static struct hub *find_hub(struct net *net, int id)
{
    struct hub *h = net->hubs;
    while (h && h->id != id)
        h = h->next;
    if (!h && (h = calloc(1, sizeof(*h))) != NULL) {
        *h = (struct hub){.id = id, .next = net->hubs};
        net->hubs = h;
    }
    return h;
}

/* To every port but the one that it came from. */
static void spread(struct hub *h, const struct netdev *from, const uint8_t *frame, size_t len)
{
    if (h->depth == MAX_DEPTH)
        return;
    h->depth++;
    for (unsigned i = 0; i < h->ports; i++) {
        struct netdev *nd = h->port[i];
        const struct hubport *p = nd->priv;
        if (nd == from)
            continue;
        if (p->uplink)
            netdev_send(p->uplink, frame, len);
        else if (nd->deliver)
            netdev_deliver(nd, frame, len);
    }
    h->depth--;
}

static void from_card(struct netdev *nd, const uint8_t *frame, size_t len)
{
    spread(((struct hubport *)nd->priv)->hub, nd, frame, len);
}

static void from_uplink(void *arg, const uint8_t *frame, size_t len) { from_card(arg, frame, len); }

static enum emu_err hub_open(struct netdev *nd, struct net_words *w, struct error *err)
{
    const char *number = net_word(w, "hubid"), *uplink = net_word(w, "netdev");
    char *end = NULL;
    long id = number ? strtol(number, &end, 10) : 0;
    if ((end && *end) || id < 0 || id > MAX_HUB_ID)
        return error_set(err, EMU_ARG, "-netdev %s: hubid is a number up to %d", w->what, MAX_HUB_ID);
    struct hubport *p = calloc(1, sizeof(*p));
    struct hub *h = find_hub(nd->net, (int)id);
    if (!p || !h) {
        free(p);
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    }
    p->hub = h;
    nd->priv = p;
    if (h->ports == HUB_PORTS)
        return error_set(err, EMU_ARG, "hub %ld has more than %d ports", id, HUB_PORTS);
    enum emu_err e = uplink ? net_connect(nd->net, uplink, from_uplink, nd, &p->uplink, err) : EMU_OK;
    if (!e)
        h->port[h->ports++] = nd;
    return e;
}

static void hub_print(const struct netdev *nd, char *text, size_t len)
{
    const struct hubport *p = nd->priv;
    snprintf(text, len, "hubid=%d%s%s", p->hub->id, p->uplink ? ",netdev=" : "", p->uplink ? p->uplink->id : "");
}

static void hub_close(struct netdev *nd) { free(nd->priv); }

void hubs_free(struct net *net)
{
    while (net->hubs) {
        struct hub *h = net->hubs;
        net->hubs = h->next;
        free(h);
    }
}

void net_print_hubs(const struct net *net, net_emit *emit, void *arg)
{
    for (const struct hub *h = net ? net->hubs : NULL; h; h = h->next) {
        char line[128];
        snprintf(line, sizeof(line), "hub %d", h->id);
        emit(arg, line);
        for (unsigned i = 0; i < h->ports; i++) {
            const struct hubport *p = h->port[i]->priv;
            snprintf(line, sizeof(line), " \\ %s%s%s", h->port[i]->id, p->uplink ? ": " : "",
                     p->uplink ? p->uplink->id : "");
            emit(arg, line);
        }
    }
}

static const char *const words[] = {"id", "hubid", "netdev", NULL};
const struct net_kind net_hubport = {
    .name = "hubport",
    .help = "a port of a hub: hubid=N[,netdev=ID]",
    .words = words,
    .open = hub_open,
    .send = from_card,
    .print = hub_print,
    .close = hub_close,
};
