/*
 * Networks on the host: back ends that a guest's card can be plugged into, named and configured as QEMU
 * spells them (-netdev KIND,id=ID,...). A back end is one end of a cable; at the other is a card or a port
 * of a hub. Frames are whole Ethernet frames without CRC.
 *
 * Nothing here touches a machine: the front end carries frames from `deliver` into the machine's input
 * queue, and polls (net_fill, net_done) between two slices. Time is what the front end says it is, so
 * that a connection of a guest that stands still does not time out.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <poll.h>

#include "machine/error.h"
#include "machine/types.h"

enum { NET_MAX_FRAME = 65536, NET_FDS = 256 };

struct net;
struct netdev;

/* Character devices of the front end, which guestfwd= leads to. */
struct net_chars {
    enum emu_err (*open)(const char *spec, void **out, struct error *err);
    size_t (*read)(void *cd, void *to, size_t len);
    void (*write)(void *cd, const void *data, size_t len);
    int (*fd)(void *cd); /* to poll for input; -1: none */
    void (*close)(void *cd);
};

/* What the back ends need from the front end. */
struct net_host {
    void *arg;
    vtime (*now)(void *arg);                    /* never goes back but where a snapshot was loaded */
    void (*say)(void *arg, const char *line);   /* a line for the log; may be NULL */
    const struct net_chars *chars;              /* may be NULL */
};

typedef void net_emit(void *arg, const char *line);
typedef void net_deliver(void *arg, const uint8_t *frame, size_t len);
typedef void net_link(void *arg, bool up);

MUST_CHECK enum emu_err net_new(const struct net_host *host, struct net **out, struct error *err);
void net_free(struct net *net); /* NULL is nothing */

/* -netdev: "user,id=n0,hostfwd=..."; -object: "filter-dump,id=d0,netdev=n0,file=x.pcap". */
MUST_CHECK enum emu_err net_add(struct net *net, const char *spec, struct error *err);
MUST_CHECK enum emu_err net_add_object(struct net *net, const char *spec, struct error *err);
/* The kinds of back ends, one a line ("-netdev help"). */
void net_list_kinds(net_emit *emit, void *arg);
/* This build can do user-mode networking. */
bool net_has_user(void);

/* Plugs a card into the back end `id`; frames for it go to `deliver`. Taken or unknown is EMU_ARG. */
MUST_CHECK enum emu_err net_connect(struct net *net, const char *id, net_deliver *deliver, void *arg,
                                    struct netdev **out, struct error *err);
/* From now on `link` (with the arg of net_connect) hears when the link goes up or down. */
void netdev_watch_link(struct netdev *nd, net_link *link);
bool netdev_link(const struct netdev *nd);
/* A frame from the guest. */
void netdev_send(struct netdev *nd, const uint8_t *frame, size_t len);

/* Before a wait: the descriptors to poll go to fds (at most max; returns how many), *wait_ns is
 * lowered where something is due sooner. After it, with the same fds: everything that happened. */
size_t net_fill(struct net *net, struct pollfd *fds, size_t max, uint64_t *wait_ns);
void net_done(struct net *net, const struct pollfd *fds, size_t count);
/* Both without waiting. True: something came in for the guest. */
bool net_poll(struct net *net);
/* A frame went by not long ago (two seconds): answers may be on their way. */
bool net_talking(const struct net *net);

/* For the monitor. */
void net_print(const struct net *net, const char *id, net_emit *emit, void *arg); /* one back end */
void net_print_hubs(const struct net *net, net_emit *emit, void *arg);
void net_print_user(const struct net *net, net_emit *emit, void *arg); /* connections */
/* "[ID] tcp:HOST:PORT-GUEST:PORT" and "[ID] tcp:HOST:PORT"; id may be NULL. */
MUST_CHECK enum emu_err net_hostfwd_add(struct net *net, const char *id, const char *rule, struct error *err);
MUST_CHECK enum emu_err net_hostfwd_remove(struct net *net, const char *id, const char *rule, struct error *err);
/* Pulls or plugs the cable at the back end; EMU_ARG: there is none of that name. */
MUST_CHECK enum emu_err net_set_link(struct net *net, const char *id, bool up, struct error *err);

#endif
