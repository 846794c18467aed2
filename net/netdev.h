/*
 * What a back end of net/ looks like from inside: one file per kind, each with a struct net_kind.
 */
#ifndef NET_NETDEV_H
#define NET_NETDEV_H

#include "machine/compiler.h"
#include "net/net.h"

/* "a=b,c=d" in parts; a doubled comma stands for one in a value. */
enum { NET_WORDS = 32, NET_SPEC = 4096 };
struct net_words {
    unsigned count;
    struct {
        const char *key, *value; /* "key" alone has the value "on" */
        bool used;
    } word[NET_WORDS];
    const char *what; /* the whole, for sentences */
    char text[NET_SPEC];
};

MUST_CHECK enum emu_err net_split(struct net_words *w, const char *spec, struct error *err);
/* The value of the `n`th (from 0) word `key`, marked as used; NULL: none. */
const char *net_word_at(struct net_words *w, const char *key, unsigned n);
const char *net_word(struct net_words *w, const char *key);
/* on or off; `otherwise` where there is no such word. */
MUST_CHECK enum emu_err net_on_off(struct net_words *w, const char *key, bool otherwise, bool *on, struct error *err);
/* EMU_ARG, with the nearest of `known` (NULL-terminated), if some word was not used. */
MUST_CHECK enum emu_err net_all_used(const struct net_words *w, const char *const *known, struct error *err);

struct net_poll {
    struct pollfd *fds;
    size_t count, max;
    uint64_t wait_ns;
};
/* Adds a descriptor; its index, or -1 where there is no room. */
int net_poll_add(struct net_poll *p, int fd, short events);

struct net_kind {
    const char *name, *help;
    const char *const *words; /* known, NULL-terminated; without id */
    enum emu_err (*open)(struct netdev *nd, struct net_words *w, struct error *err);
    void (*send)(struct netdev *nd, const uint8_t *frame, size_t len); /* from the guest */
    void (*fill)(struct netdev *nd, struct net_poll *p);               /* may be NULL, as done */
    void (*done)(struct netdev *nd, const struct net_poll *p);
    void (*print)(const struct netdev *nd, char *text, size_t len); /* "net=10.0.2.0" for "info network" */
    void (*close)(struct netdev *nd);
};
extern const struct net_kind net_user, net_socket, net_stream, net_dgram, net_tap, net_hubport, net_switch;

struct pcap;

struct netdev {
    const struct net_kind *kind;
    struct net *net;
    struct netdev *next;
    char id[32];
    void *priv; /* the kind's own */
    net_deliver *deliver; /* the other end; NULL: nothing is plugged in */
    void *deliver_arg;
    struct pcap *dump; /* filter-dump; a list */
    bool up;      /* as the monitor's user wants it (set_link) */
    bool carrier; /* somebody is at the back end's other side */
    net_link *link;
    uint64_t out, in, lost; /* frames from and for the guest, dropped ones */
};

struct net {
    struct net_host host;
    struct netdev *first;
    struct hub *hubs;
    bool arrived; /* since net_poll() began */
    vtime last_frame;
};

/* For the back ends: a frame for the guest. */
void netdev_deliver(struct netdev *nd, const uint8_t *frame, size_t len);
/* The other side came or went: the card's link follows. */
void netdev_set_carrier(struct netdev *nd, bool carrier);
struct netdev *net_find(const struct net *net, const char *id);
void net_say(const struct net *net, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* hub.c */
void hubs_free(struct net *net);

/* pcap.c: a file of frames, stamped with virtual time. */
MUST_CHECK enum emu_err pcap_open(const char *path, uint32_t snap_len, struct pcap **out, struct error *err);
/* False, once: the disk is full; nothing more will be written. */
bool pcap_frame(struct pcap *p, vtime now, const uint8_t *frame, size_t len);
struct pcap *pcap_close(struct pcap *p); /* returns the next of the list */
void pcap_link(struct pcap *p, struct pcap *next);
struct pcap *pcap_next(struct pcap *p);

/* slirp.c */
MUST_CHECK enum emu_err user_hostfwd(struct netdev *nd, bool add, const char *rule, struct error *err);
char *user_connections(const struct netdev *nd); /* to be freed with free(); NULL: none */

#endif
