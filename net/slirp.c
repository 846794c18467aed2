/*
 * user: a network of its own behind NAT, without privileges (-netdev user,...): DHCP, DNS, TFTP and the way
 * out by libslirp. The guest sees 10.0.2.0/24 with the gateway 10.0.2.2 (which is this host), the name
 * server 10.0.2.3 and itself at 10.0.2.15, and fec0::/64; options and defaults are QEMU's.
 *
 * Its clock is virtual time, so that connections of a guest that stands still, or runs slowly, do not
 * time out.
 *
 * NOT MODELLED: smb=, saving connections in snapshots (docs/NETWORK.md).
 */
#include "net/netdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {"id",       "net",     "host",       "restrict", "hostname", "dhcpstart",
                                    "dns",      "tftp",    "tftp-server-name",       "bootfile", "hostfwd",
                                    "guestfwd", "ipv4",    "ipv6",       "domainname", "dnssearch",
                                    "ipv6-net", "ipv6-host", "ipv6-dns", NULL};

#ifdef HAVE_SLIRP
#include <arpa/inet.h>
#include <libslirp.h>

#include "net/ack.h"

/* slirp's timers: few, looked at when it is polled. */
struct user_timer {
    SlirpTimerCb fire;
    void *arg;
    int64_t due_ms; /* INT64_MAX: not armed */
    struct user_timer *next;
};

/* A server in the guest's network that is a character device: guestfwd=. */
struct char_server {
    struct netdev *nd;
    struct in_addr addr;
    int port, index;
    void *cd;
    struct char_server *next;
};

struct user {
    Slirp *slirp;
    struct char_server *servers;
    struct user_timer *timers;
    struct net_poll *filling;
    const struct net_poll *polled;
    int64_t seen_ms; /* the time when it was last looked at */
    struct held_ack ack;
    struct in_addr net, mask;
    bool restricted;
};

/* --- what libslirp calls --- */

static void let_ack_go(struct netdev *nd)
{
    struct user *u = nd->priv;
    size_t len = u->ack.len;
    u->ack.len = 0;
    if (len)
        netdev_deliver(nd, u->ack.frame, len);
}

static ssize_t send_packet(const void *frame, size_t len, void *opaque)
{
    struct netdev *nd = opaque;
    struct user *u = nd->priv;
    if (!ack_hold(&u->ack, frame, len)) {
        let_ack_go(nd);
        netdev_deliver(nd, frame, len);
    } else if (ack_is_due(&u->ack)) {
        let_ack_go(nd);
    }
    return (ssize_t)len;
}

static void guest_error(const char *msg, void *opaque)
{
    struct netdev *nd = opaque;
    net_say(nd->net, "network %s: %s", nd->id, msg);
}

static int64_t clock_ns(void *opaque)
{
    const struct net_host *h = &((struct netdev *)opaque)->net->host;
    return (int64_t)h->now(h->arg);
}

static void *timer_new(SlirpTimerCb fire, void *arg, void *opaque)
{
    struct user *u = ((struct netdev *)opaque)->priv;
    struct user_timer *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    *t = (struct user_timer){fire, arg, INT64_MAX, u->timers};
    u->timers = t;
    return t;
}

static void timer_free(void *timer, void *opaque)
{
    struct user *u = ((struct netdev *)opaque)->priv;
    struct user_timer **link = &u->timers;
    while (*link && *link != timer)
        link = &(*link)->next;
    if (*link)
        *link = (*link)->next;
    free(timer);
}

static void timer_mod(void *timer, int64_t due_ms, void *opaque)
{
    (void)opaque;
    if (timer)
        ((struct user_timer *)timer)->due_ms = due_ms;
}

static void no_fd(int fd, void *opaque) { (void)fd, (void)opaque; }
static void no_notice(void *opaque) { (void)opaque; }

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_ns,
    .timer_new = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = no_fd,
    .unregister_poll_fd = no_fd,
    .notify = no_notice,
};

/* --- options --- */

static enum emu_err address(struct net_words *w, const char *key, struct in_addr *a, struct error *err)
{
    const char *value = net_word(w, key);
    if (value && inet_pton(AF_INET, value, a) != 1)
        return error_set(err, EMU_ARG, "%s=%s is no address such as 10.0.2.3", key, value);
    return EMU_OK;
}

/* 10.0.2.0/24, 10.0.2.0/255.255.255.0 or 10.0.2.0. */
static enum emu_err network(struct net_words *w, struct user *u, struct error *err)
{
    const char *value = net_word(w, "net");
    char text[64], *slash;
    u->net.s_addr = htonl(0x0a000200);
    u->mask.s_addr = htonl(0xffffff00);
    if (!value)
        return EMU_OK;
    snprintf(text, sizeof(text), "%s", value);
    slash = strchr(text, '/');
    if (slash)
        *slash++ = 0;
    bool ok = inet_pton(AF_INET, text, &u->net) == 1;
    if (ok && slash && inet_pton(AF_INET, slash, &u->mask) != 1) {
        char *end;
        unsigned long bits = strtoul(slash, &end, 10);
        ok = !*end && *slash && bits >= 4 && bits <= 30;
        u->mask.s_addr = ok ? htonl(0xffffffffu << (32 - bits)) : 0;
    }
    if (!ok)
        return error_set(err, EMU_ARG, "net=%s is no network such as 10.0.2.0/24", value);
    u->net.s_addr &= u->mask.s_addr;
    return EMU_OK;
}

static struct in_addr in_net(const struct user *u, uint32_t number)
{
    return (struct in_addr){.s_addr = u->net.s_addr | htonl(number & ~ntohl(u->mask.s_addr))};
}

static enum emu_err addresses(struct net_words *w, const struct user *u, SlirpConfig *cfg, struct error *err)
{
    cfg->vnetwork = u->net;
    cfg->vnetmask = u->mask;
    cfg->vhost = in_net(u, 2);
    cfg->vnameserver = in_net(u, 3);
    cfg->vdhcp_start = in_net(u, 15);
    enum emu_err e = address(w, "host", &cfg->vhost, err);
    if (!e)
        e = address(w, "dns", &cfg->vnameserver, err);
    if (!e)
        e = address(w, "dhcpstart", &cfg->vdhcp_start, err);
    const struct in_addr all[] = {cfg->vhost, cfg->vnameserver, cfg->vdhcp_start};
    for (size_t i = 0; !e && i < ARRAY_LEN(all); i++) {
        if ((all[i].s_addr & u->mask.s_addr) != u->net.s_addr)
            e = error_set(err, EMU_ARG, "-netdev %s: host=, dns= and dhcpstart= must be in the network of net=", w->what);
    }
    if (!e && cfg->vhost.s_addr == cfg->vnameserver.s_addr)
        e = error_set(err, EMU_ARG, "-netdev %s: host= and dns= must differ", w->what);
    return e;
}

static enum emu_err address6(struct net_words *w, const char *key, struct in6_addr *a, struct error *err)
{
    const char *value = net_word(w, key);
    if (value && inet_pton(AF_INET6, value, a) != 1)
        return error_set(err, EMU_ARG, "%s=%s is no address such as fec0::3", key, value);
    return EMU_OK;
}

/* fec0::/64; the gateway is its second address, the name server the third. */
static enum emu_err addresses6(struct net_words *w, SlirpConfig *cfg, struct error *err)
{
    const char *value = net_word(w, "ipv6-net");
    char text[64], *slash;
    snprintf(text, sizeof(text), "%s", value ? value : "fec0::/64");
    slash = strchr(text, '/');
    if (slash)
        *slash++ = 0;
    char *end = NULL;
    unsigned long bits = slash ? strtoul(slash, &end, 10) : 64;
    if (inet_pton(AF_INET6, text, &cfg->vprefix_addr6) != 1 || (end && (*end || end == slash)) || bits > 126 || bits < 1)
        return error_set(err, EMU_ARG, "ipv6-net=%s is no network such as fec0::/64", value);
    cfg->vprefix_len = (uint8_t)bits;
    cfg->vhost6 = cfg->vnameserver6 = cfg->vprefix_addr6;
    cfg->vhost6.s6_addr[15] |= 2;
    cfg->vnameserver6.s6_addr[15] |= 3;
    enum emu_err e = address6(w, "ipv6-host", &cfg->vhost6, err);
    return e ? e : address6(w, "ipv6-dns", &cfg->vnameserver6, err);
}

/* dnssearch=, as often as needed: a NULL-terminated list, which libslirp copies. */
static void search_list(struct net_words *w, const char *list[NET_WORDS + 1])
{
    unsigned n = 0;
    while (n < NET_WORDS && (list[n] = net_word_at(w, "dnssearch", n)) != NULL)
        n++;
    list[n] = NULL;
}

static enum emu_err services(struct net_words *w, SlirpConfig *cfg, struct error *err)
{
    cfg->vhostname = net_word(w, "hostname");
    cfg->tftp_path = net_word(w, "tftp");
    cfg->tftp_server_name = net_word(w, "tftp-server-name");
    cfg->bootfile = net_word(w, "bootfile");
    cfg->vdomainname = net_word(w, "domainname");
    if ((cfg->vhostname && strlen(cfg->vhostname) > 32) || (cfg->bootfile && strlen(cfg->bootfile) > 127))
        return error_set(err, EMU_ARG, "-netdev %s: hostname has at most 32 characters, bootfile 127", w->what);
    return EMU_OK;
}

/* --- forwarding --- */

struct forward {
    bool udp;
    struct in_addr host, guest;
    int host_port, guest_port;
};

/* Up to the next `stop`, which is passed over; false: not there, or too long. */
static bool part(const char **from, char stop, char *to, size_t len)
{
    const char *end = stop ? strchr(*from, stop) : *from + strlen(*from);
    if (!end || (size_t)(end - *from) >= len)
        return false;
    memcpy(to, *from, (size_t)(end - *from));
    to[end - *from] = 0;
    *from = end + (stop != 0);
    return true;
}

static bool host_address(const char *text, struct in_addr *a)
{
    a->s_addr = 0;
    return !*text || inet_pton(AF_INET, text, a) == 1;
}

static bool port_number(const char *text, int *port)
{
    char *end;
    long v = strtol(text, &end, 10);
    *port = (int)v;
    return *text && !*end && v > 0 && v < 65536;
}

static bool protocol(const char **rule, bool *udp)
{
    char word[8];
    if (!part(rule, ':', word, sizeof(word)))
        return false;
    *udp = strcmp(word, "udp") == 0;
    return *udp || !*word || strcmp(word, "tcp") == 0;
}

/* tcp:HOST:PORT-GUEST:PORT; without `whole` up to the dash. */
static bool parse_forward(const char *rule, bool whole, struct forward *f)
{
    char word[64];
    *f = (struct forward){0};
    if (!protocol(&rule, &f->udp) || !part(&rule, ':', word, sizeof(word)) || !host_address(word, &f->host) ||
        !part(&rule, whole ? '-' : 0, word, sizeof(word)) || !port_number(word, &f->host_port))
        return false;
    return !whole || (part(&rule, ':', word, sizeof(word)) && host_address(word, &f->guest) &&
                      port_number(rule, &f->guest_port));
}

enum emu_err user_hostfwd(struct netdev *nd, bool add, const char *rule, struct error *err)
{
    struct user *u = nd->priv;
    struct forward f;
    if (!parse_forward(rule, add, &f))
        return error_set(err, EMU_ARG, "\"%.200s\" is no forwarding; write it as %s", rule,
                         add ? "tcp:[HOST]:PORT-[GUEST]:PORT" : "tcp:[HOST]:PORT");
    if (!add && slirp_remove_hostfwd(u->slirp, f.udp, f.host, f.host_port) != 0)
        return error_set(err, EMU_ARG, "nothing is forwarded from %.200s; `info usernet` lists what is", rule);
    if (add && slirp_add_hostfwd(u->slirp, f.udp, f.host, f.host_port, f.guest, f.guest_port) != 0)
        return error_set(err, EMU_IO, "cannot listen on port %d of this host for %.200s: %m; choose another port",
                         f.host_port, rule);
    return EMU_OK;
}

static const struct net_chars *chars_of(const struct char_server *c) { return c->nd->net->host.chars; }

static ssize_t to_char(const void *data, size_t len, void *opaque)
{
    const struct char_server *c = opaque;
    chars_of(c)->write(c->cd, data, len);
    return (ssize_t)len;
}

/* It is opened now, and has one guest's connection at a time. */
static enum emu_err char_forward(struct netdev *nd, const char *spec, struct in_addr server, int port, bool *taken,
                                 struct error *err)
{
    struct user *u = nd->priv;
    const struct net_chars *chars = nd->net->host.chars;
    struct char_server *c = calloc(1, sizeof(*c));
    if (!c)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    *c = (struct char_server){nd, server, port, -1, NULL, NULL};
    enum emu_err e = chars ? chars->open(spec, &c->cd, err) : error_set(err, EMU_ARG, "there are no character devices here");
    if (e || !c->cd) {
        free(c);
        return e ? e : error_set(err, EMU_ARG, "guestfwd to %.100s: that is no character device", spec);
    }
    c->next = u->servers;
    u->servers = c;
    *taken = slirp_add_guestfwd(u->slirp, to_char, c, &c->addr, port) == 0;
    return EMU_OK;
}

static void fill_chars(const struct user *u, struct net_poll *p)
{
    for (struct char_server *c = u->servers; c; c = c->next) {
        int fd = chars_of(c)->fd(c->cd);
        c->index = fd >= 0 && slirp_socket_can_recv(u->slirp, c->addr, c->port) ? net_poll_add(p, fd, POLLIN) : -1;
    }
}

static void read_chars(const struct user *u)
{
    for (struct char_server *c = u->servers; c; c = c->next) {
        uint8_t data[4096];
        size_t room = slirp_socket_can_recv(u->slirp, c->addr, c->port);
        size_t n = room ? chars_of(c)->read(c->cd, data, room < sizeof(data) ? room : sizeof(data)) : 0;
        if (n)
            slirp_socket_recv(u->slirp, c->addr, c->port, data, (int)n);
    }
}

static void free_chars(struct user *u)
{
    while (u->servers) {
        struct char_server *c = u->servers;
        u->servers = c->next;
        chars_of(c)->close(c->cd);
        free(c);
    }
}

/* [tcp]:SERVER:PORT-cmd:COMMAND, -unix:PATH or -CHARDEV. */
static enum emu_err guest_forward(struct netdev *nd, const char *rule, struct error *err)
{
    struct user *u = nd->priv;
    const char *at = rule;
    char word[64];
    bool udp = false, taken = false;
    struct in_addr server;
    int port = 0;
    bool ok = protocol(&at, &udp) && !udp && part(&at, ':', word, sizeof(word)) && *word && host_address(word, &server) &&
              part(&at, '-', word, sizeof(word)) && port_number(word, &port);
    enum emu_err e = EMU_OK;
    if (ok && strncmp(at, "cmd:", 4) == 0)
        taken = slirp_add_exec(u->slirp, at + 4, &server, port) == 0;
    else if (ok && strncmp(at, "unix:", 5) == 0)
        taken = slirp_add_unix(u->slirp, at + 5, &server, port) == 0;
    else if (ok && *at)
        e = char_forward(nd, at, server, port, &taken, err);
    else
        return error_set(err, EMU_ARG, "guestfwd=%.200s: write it as tcp:SERVER:PORT-cmd:COMMAND, -unix:PATH or -CHARDEV", rule);
    return e || taken ? e : error_set(err, EMU_ARG, "guestfwd=%.200s: that address is not free in the guest's network", rule);
}

static enum emu_err forwards(struct netdev *nd, struct net_words *w, struct error *err)
{
    const char *rule;
    enum emu_err e = EMU_OK;
    for (unsigned i = 0; !e && (rule = net_word_at(w, "hostfwd", i)) != NULL; i++)
        e = user_hostfwd(nd, true, rule, err);
    for (unsigned i = 0; !e && (rule = net_word_at(w, "guestfwd", i)) != NULL; i++)
        e = guest_forward(nd, rule, err);
    return e;
}

/* --- the back end --- */

static enum emu_err user_open(struct netdev *nd, struct net_words *w, struct error *err)
{
    SlirpConfig cfg = {.version = SLIRP_CONFIG_VERSION_MIN};
    bool ipv4, ipv6;
    const char *search[NET_WORDS + 1];
    struct user *u = calloc(1, sizeof(*u));
    if (!u)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    nd->priv = u;
    search_list(w, search);
    cfg.vdnssearch = *search ? search : NULL;
    enum emu_err e = network(w, u, err);
    if (!e)
        e = addresses(w, u, &cfg, err);
    if (!e)
        e = addresses6(w, &cfg, err);
    if (!e)
        e = services(w, &cfg, err);
    if (!e)
        e = net_on_off(w, "restrict", false, &u->restricted, err);
    if (!e)
        e = net_on_off(w, "ipv4", true, &ipv4, err);
    if (!e)
        e = net_on_off(w, "ipv6", true, &ipv6, err);
    if (e)
        return e;
    cfg.restricted = u->restricted;
    cfg.in_enabled = ipv4;
    cfg.in6_enabled = ipv6;
    u->slirp = slirp_new(&cfg, &callbacks, nd);
    if (!u->slirp)
        return error_set(err, EMU_ARG, "-netdev %s: libslirp refuses these options", w->what);
    return forwards(nd, w, err);
}

static void user_send(struct netdev *nd, const uint8_t *frame, size_t len)
{
    struct user *u = nd->priv;
    slirp_input(u->slirp, frame, (int)len);
}

static int add_fd(int fd, int events, void *opaque)
{
    struct user *u = opaque;
    short wanted = 0;
    if (events & SLIRP_POLL_IN)
        wanted |= POLLIN;
    if (events & SLIRP_POLL_OUT)
        wanted |= POLLOUT;
    if (events & SLIRP_POLL_PRI)
        wanted |= POLLPRI;
    return net_poll_add(u->filling, fd, wanted);
}

static void user_fill(struct netdev *nd, struct net_poll *p)
{
    struct user *u = nd->priv;
    uint32_t ms = p->wait_ns / 1000000 < UINT32_MAX ? (uint32_t)(p->wait_ns / 1000000) : UINT32_MAX;
    u->filling = p;
    slirp_pollfds_fill(u->slirp, &ms, add_fd, u);
    u->filling = NULL;
    fill_chars(u, p);
    if ((uint64_t)ms * 1000000 < p->wait_ns)
        p->wait_ns = (uint64_t)ms * 1000000;
    if (u->ack.len) /* a guest with nothing to do may wait for it */
        p->wait_ns = 0;
}

static int events_of(int index, void *opaque)
{
    const struct user *u = opaque;
    if (index < 0 || (size_t)index >= u->polled->count)
        return 0;
    short got = u->polled->fds[index].revents;
    return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) |
           (got & POLLPRI ? SLIRP_POLL_PRI : 0) | (got & POLLERR ? SLIRP_POLL_ERR : 0) |
           (got & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static void user_done(struct netdev *nd, const struct net_poll *p)
{
    struct user *u = nd->priv;
    int64_t now_ms = clock_ns(nd) / 1000000;
    u->polled = p;
    slirp_pollfds_poll(u->slirp, 0, events_of, u);
    u->polled = NULL;
    read_chars(u);
    int64_t back = u->seen_ms > now_ms ? u->seen_ms - now_ms : 0; /* a snapshot was loaded */
    u->seen_ms = now_ms;
    for (struct user_timer *t = u->timers, *next; t; t = next) {
        next = t->next;
        if (t->due_ms != INT64_MAX)
            t->due_ms -= back;
        if (t->due_ms > now_ms)
            continue;
        t->due_ms = INT64_MAX;
        t->fire(t->arg);
    }
    let_ack_go(nd);
}

static void user_print(const struct netdev *nd, char *text, size_t len)
{
    const struct user *u = nd->priv;
    char net[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &u->net, net, sizeof(net));
    snprintf(text, len, "net=%s,restrict=%s", net, u->restricted ? "on" : "off");
}

/* libslirp allocates the text with GLib, whose memory is malloc's. */
char *user_connections(const struct netdev *nd)
{
    const struct user *u = nd->priv;
    return slirp_connection_info(u->slirp);
}

static void user_close(struct netdev *nd)
{
    struct user *u = nd->priv;
    if (u->slirp)
        slirp_cleanup(u->slirp);
    free_chars(u);
    while (u->timers)
        timer_free(u->timers, nd);
    free(u);
}

bool net_has_user(void) { return true; }

#else

static enum emu_err user_open(struct netdev *nd, struct net_words *w, struct error *err)
{
    (void)nd, (void)w;
    return error_set(err, EMU_UNSUPPORTED, "this build has no user-mode network (install libslirp-dev and run ./configure "
                                           "again)");
}

static void user_send(struct netdev *nd, const uint8_t *frame, size_t len) { (void)nd, (void)frame, (void)len; }
static void user_fill(struct netdev *nd, struct net_poll *p) { (void)nd, (void)p; }
static void user_done(struct netdev *nd, const struct net_poll *p) { (void)nd, (void)p; }
static void user_print(const struct netdev *nd, char *text, size_t len) { (void)nd, (void)text, (void)len; }
static void user_close(struct netdev *nd) { (void)nd; }
char *user_connections(const struct netdev *nd) { (void)nd; return NULL; }
bool net_has_user(void) { return false; }

enum emu_err user_hostfwd(struct netdev *nd, bool add, const char *rule, struct error *err)
{
    (void)nd, (void)add, (void)rule;
    return error_set(err, EMU_UNSUPPORTED, "this build has no user-mode network");
}
#endif

const struct net_kind net_user = {
    .name = "user",
    .help = "NAT to this host's network, with DHCP, DNS, TFTP: hostfwd=tcp::2222-:22,guestfwd=,restrict=on,\n"
            "         net=A/N,host=,dns=,dhcpstart=,hostname=,tftp=DIR,bootfile=F",
    .words = words,
    .open = user_open,
    .send = user_send,
    .fill = user_fill,
    .done = user_done,
    .print = user_print,
    .close = user_close,
};
