/*
 * Frames over sockets of the host, as QEMU sends them, so that its guests and ours share a network:
 *   stream  TCP or unix; each frame behind its length, four bytes, big-endian. server=on listens (one
 *           peer at a time), else it connects, again every second while nobody answers.
 *   dgram   UDP or unix; a datagram is a frame. local= and remote= addresses, or a multicast group.
 *   socket  the older spelling of both: listen=, connect=, udp=,localaddr=, mcast=
 *   switch  a port of retrace-switch: a stream that connects to path= or tcp=
 *
 * A stream without its peer is a cable with nothing at its end: the guest's card has no link.
 *
 * NOT MODELLED: fd= and addr.type=fd.
 */
#include "net/netdev.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/addr.h"

enum { RETRY_SECONDS = 1, LENGTH = 4, OUTPUT = 1 << 20, FIRST_WAIT_MS = 300 };

struct link {
    bool stream, server, connecting, gone; /* gone was said */
    int fd, listener, index, listener_index; /* -1: none */
    struct address local, remote;
    uint8_t own[6]; /* the guest's address, as last seen */
    time_t retry;
    char text[160]; /* for people */
    char unlink_path[108];
    uint8_t *input; /* a length and a frame, incomplete */
    size_t input_len;
    uint8_t *output; /* what the peer did not take yet */
    size_t output_len;
};

static time_t seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/* --- addresses --- */

/* PREFIX.type=inet with .host and .port, or PREFIX.type=unix with .path. */
static enum emu_err typed_address(struct net_words *w, const char *prefix, bool stream, bool passive, struct address *a,
                                  struct error *err)
{
    char key[4][32];
    static const char *const ends[4] = {"type", "host", "port", "path"};
    const char *value[4];
    for (unsigned i = 0; i < 4; i++) {
        snprintf(key[i], sizeof(key[i]), "%s.%s", prefix, ends[i]);
        value[i] = net_word(w, key[i]);
    }
    if (!value[0])
        return EMU_OK;
    if (strcmp(value[0], "unix") == 0 && value[3])
        return address_unix(value[3], a, err);
    if (strcmp(value[0], "inet") == 0 && value[2])
        return address_inet(value[1], value[2], stream, passive, a, err);
    return error_set(err, EMU_ARG, "-netdev %.200s: use %s.type=inet,%s.host=H,%s.port=P or %s.type=unix,%s.path=F",
                     w->what, prefix, prefix, prefix, prefix, prefix);
}

/* --- opening --- */

static enum emu_err bind_to(struct link *l, int fd, struct error *err)
{
    int yes = 1;
    address_clear_name(&l->local);
    snprintf(l->unlink_path, sizeof(l->unlink_path), "%s", address_name(&l->local));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&l->local.sa, l->local.len) == 0)
        return EMU_OK;
    l->unlink_path[0] = 0;
    return error_set(err, EMU_IO, "cannot use the address of %s: %m; choose another", l->text);
}

static enum emu_err listen_on(struct link *l, struct error *err)
{
    int fd = socket(l->local.sa.ss_family, SOCK_STREAM, 0);
    if (fd < 0)
        return error_set(err, EMU_IO, "the host gives no socket: %m");
    l->listener = fd;
    socket_prepare(fd);
    enum emu_err e = bind_to(l, fd, err);
    if (!e && listen(fd, 1) != 0)
        e = error_set(err, EMU_IO, "cannot listen for %s: %m", l->text);
    return e;
}

/* Once, however long it lasts. */
static void say_gone(struct netdev *nd, struct link *l, const char *what)
{
    netdev_set_carrier(nd, false);
    if (!l->gone)
        net_say(nd->net, "network %s: %s; %s", nd->id, what, l->server ? "waiting for another" : "trying again");
    l->gone = true;
}

static void joined(struct netdev *nd, struct link *l)
{
    if (l->gone)
        net_say(nd->net, "network %s: connected again", nd->id);
    l->gone = false;
    netdev_set_carrier(nd, true);
}

static void hang_up(struct netdev *nd, struct link *l)
{
    bool was_connecting = l->connecting;
    close(l->fd);
    l->fd = -1;
    l->connecting = false;
    l->input_len = l->output_len = 0;
    l->retry = seconds() + RETRY_SECONDS;
    say_gone(nd, l, was_connecting ? "nobody answers" : "the other side is gone");
}

static void connected(struct netdev *nd, struct link *l)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error) {
        hang_up(nd, l);
        return;
    }
    l->connecting = false;
    joined(nd, l);
}

/* The other side may not be there yet: connecting goes on in the background. */
static void try_connect(struct netdev *nd, struct link *l)
{
    int fd = socket(l->remote.sa.ss_family, SOCK_STREAM, 0);
    l->retry = seconds() + RETRY_SECONDS;
    if (fd < 0)
        return;
    socket_prepare(fd);
    int r = connect(fd, (struct sockaddr *)&l->remote.sa, l->remote.len);
    if (r != 0 && errno != EINPROGRESS) {
        close(fd);
        say_gone(nd, l, "nobody answers");
        return;
    }
    l->fd = fd;
    l->connecting = r != 0;
    if (r == 0)
        joined(nd, l);
}

static enum emu_err join_group(struct link *l, int fd, struct error *err)
{
    const struct sockaddr_in *group = (const struct sockaddr_in *)&l->remote.sa;
    struct ip_mreq membership = {.imr_multiaddr = group->sin_addr, .imr_interface = {htonl(INADDR_ANY)}};
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &yes, sizeof(yes)); /* guests on this host hear each other */
    if (bind(fd, (const struct sockaddr *)group, sizeof(*group)) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof(membership)) != 0)
        return error_set(err, EMU_IO, "cannot join the multicast group of %s: %m", l->text);
    return EMU_OK;
}

static bool is_group(const struct address *a)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
    return a->len && a->sa.ss_family == AF_INET && IN_MULTICAST(ntohl(in->sin_addr.s_addr));
}

static enum emu_err open_datagram(struct link *l, struct error *err)
{
    if (!l->remote.len)
        return error_set(err, EMU_ARG, "-netdev %s: it needs the address of the other side", l->text);
    l->fd = socket(l->remote.sa.ss_family, SOCK_DGRAM, 0);
    if (l->fd < 0)
        return error_set(err, EMU_IO, "the host gives no socket: %m");
    socket_prepare(l->fd);
    if (is_group(&l->remote))
        return join_group(l, l->fd, err);
    if (!l->local.len)
        return error_set(err, EMU_ARG, "-netdev %s: it needs an address of its own", l->text);
    return bind_to(l, l->fd, err);
}

static enum emu_err open_link(struct netdev *nd, struct link *l, struct error *err)
{
    if (!l->stream)
        return open_datagram(l, err);
    l->input = malloc(LENGTH + NET_MAX_FRAME);
    l->output = malloc(OUTPUT);
    if (!l->input || !l->output)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    if (l->server ? !l->local.len : !l->remote.len)
        return error_set(err, EMU_ARG, "-netdev %s: it needs an address to %s", l->text,
                         l->server ? "listen on" : "connect to");
    netdev_set_carrier(nd, false);
    if (l->server)
        return listen_on(l, err);
    try_connect(nd, l);
    if (l->connecting) { /* a guest that starts at once should not find its first frame lost */
        struct pollfd p = {.fd = l->fd, .events = POLLOUT};
        if (poll(&p, 1, FIRST_WAIT_MS) > 0)
            connected(nd, l);
    }
    return EMU_OK;
}

static enum emu_err new_link(struct netdev *nd, const struct net_words *w, struct link **out, struct error *err)
{
    struct link *l = calloc(1, sizeof(*l));
    if (!l)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    l->fd = l->listener = l->index = l->listener_index = -1;
    snprintf(l->text, sizeof(l->text), "%s", w->what);
    *out = nd->priv = l;
    return EMU_OK;
}

static enum emu_err stream_open(struct netdev *nd, struct net_words *w, struct error *err)
{
    struct link *l;
    enum emu_err e = new_link(nd, w, &l, err);
    if (!e)
        e = net_on_off(w, "server", false, &l->server, err);
    if (e)
        return e;
    l->stream = true;
    net_word(w, "reconnect"); /* it always does */
    e = typed_address(w, "addr", true, l->server, l->server ? &l->local : &l->remote, err);
    return e ? e : open_link(nd, l, err);
}

static enum emu_err dgram_open(struct netdev *nd, struct net_words *w, struct error *err)
{
    struct link *l;
    enum emu_err e = new_link(nd, w, &l, err);
    if (!e)
        e = typed_address(w, "local", false, true, &l->local, err);
    if (!e)
        e = typed_address(w, "remote", false, false, &l->remote, err);
    return e ? e : open_link(nd, l, err);
}

static enum emu_err socket_open(struct netdev *nd, struct net_words *w, struct error *err)
{
    struct link *l = NULL;
    enum emu_err e = new_link(nd, w, &l, err);
    const char *listener = net_word(w, "listen"), *peer = net_word(w, "connect"), *group = net_word(w, "mcast");
    const char *udp = net_word(w, "udp"), *local = net_word(w, "localaddr");
    if (e || !l)
        return e;
    if (!!listener + !!peer + !!group + !!udp != 1)
        return error_set(err, EMU_ARG, "-netdev %s: give one of listen=, connect=, mcast=, udp=", l->text);
    l->stream = listener || peer;
    l->server = listener != NULL;
    if (listener)
        e = address_host_port(listener, true, true, &l->local, err);
    else
        e = address_host_port(peer ? peer : group ? group : udp, l->stream, false, &l->remote, err);
    if (!e && local && udp)
        e = address_host_port(local, false, true, &l->local, err);
    if (!e && group && !is_group(&l->remote))
        e = error_set(err, EMU_ARG, "mcast=%s is no multicast group such as 230.0.0.1:1234", group);
    return e ? e : open_link(nd, l, err);
}

/* --- frames --- */

static void flush(struct netdev *nd, struct link *l)
{
    while (l->output_len) {
        ssize_t n = send(l->fd, l->output, l->output_len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            hang_up(nd, l);
            return;
        }
        l->output_len -= (size_t)n;
        memmove(l->output, l->output + n, l->output_len);
    }
}

static void stream_send(struct netdev *nd, struct link *l, const uint8_t *frame, size_t len)
{
    struct pollfd p = {.fd = l->fd, .events = POLLOUT};
    if (l->connecting && poll(&p, 1, 0) > 0)
        connected(nd, l);
    if (l->fd < 0 || l->connecting || LENGTH + len > OUTPUT - l->output_len) {
        nd->lost++;
        return;
    }
    uint8_t *to = l->output + l->output_len;
    for (unsigned i = 0; i < LENGTH; i++)
        to[i] = (uint8_t)(len >> (8 * (LENGTH - 1 - i)));
    memcpy(to + LENGTH, frame, len);
    l->output_len += LENGTH + len;
    flush(nd, l);
}

/* Datagrams have no connection to lose: only who is not there when one is sent is missed. */
static void send_datagram(struct netdev *nd, struct link *l, const uint8_t *frame, size_t len)
{
    if (sendto(l->fd, frame, len, MSG_NOSIGNAL, (struct sockaddr *)&l->remote.sa, l->remote.len) >= 0) {
        l->gone = false;
        return;
    }
    nd->lost++;
    if (!l->gone && (errno == ECONNREFUSED || errno == ENOENT)) {
        l->gone = true;
        net_say(nd->net, "network %s: the other side is gone; frames for it are dropped", nd->id);
    }
}

static void link_send(struct netdev *nd, const uint8_t *frame, size_t len)
{
    struct link *l = nd->priv;
    if (len >= 12)
        memcpy(l->own, frame + 6, 6);
    if (l->fd < 0)
        nd->lost++;
    else if (l->stream)
        stream_send(nd, l, frame, len);
    else
        send_datagram(nd, l, frame, len);
}

/* Whole frames leave the buffer; false: the peer talks nonsense. */
static bool take_frames(struct netdev *nd, struct link *l)
{
    size_t at = 0;
    while (l->input_len - at >= LENGTH) {
        const uint8_t *p = l->input + at;
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (len > NET_MAX_FRAME)
            return false;
        if (l->input_len - at - LENGTH < len)
            break;
        netdev_deliver(nd, p + LENGTH, len);
        at += LENGTH + len;
    }
    l->input_len -= at;
    memmove(l->input, l->input + at, l->input_len);
    return true;
}

static void read_stream(struct netdev *nd, struct link *l)
{
    ssize_t n = recv(l->fd, l->input + l->input_len, LENGTH + NET_MAX_FRAME - l->input_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        l->input_len += (size_t)n;
    if (n <= 0 || !take_frames(nd, l))
        hang_up(nd, l);
}

/* A multicast group gives us our own frames back; a switch would not send a frame where it came from. */
static bool is_own(const struct link *l, const uint8_t *frame, size_t len)
{
    return len >= 12 && is_group(&l->remote) && memcmp(frame + 6, l->own, 6) == 0;
}

static void read_datagrams(struct netdev *nd, struct link *l)
{
    enum { AT_ONCE = 64 };
    for (unsigned i = 0; i < AT_ONCE; i++) {
        uint8_t frame[NET_MAX_FRAME];
        ssize_t n = recv(l->fd, frame, sizeof(frame), 0);
        if (n <= 0)
            return;
        if (!is_own(l, frame, (size_t)n))
            netdev_deliver(nd, frame, (size_t)n);
    }
}

/* --- polling --- */

static void link_fill(struct netdev *nd, struct net_poll *p)
{
    struct link *l = nd->priv;
    if (l->stream && !l->server && l->fd < 0 && seconds() >= l->retry)
        try_connect(nd, l);
    short events = l->connecting ? POLLOUT : (short)(POLLIN | (l->output_len ? POLLOUT : 0));
    l->index = l->fd >= 0 ? net_poll_add(p, l->fd, events) : -1;
    l->listener_index = l->listener >= 0 && l->fd < 0 ? net_poll_add(p, l->listener, POLLIN) : -1;
}

static void link_done(struct netdev *nd, const struct net_poll *p)
{
    struct link *l = nd->priv;
    short got = l->index >= 0 ? p->fds[l->index].revents : 0;
    if (l->listener_index >= 0 && p->fds[l->listener_index].revents) {
        l->fd = accept(l->listener, NULL, NULL);
        if (l->fd >= 0) {
            socket_prepare(l->fd);
            joined(nd, l);
        }
        return;
    }
    if (l->fd < 0 || !got)
        return;
    if (l->connecting)
        connected(nd, l);
    else if (!l->stream)
        read_datagrams(nd, l);
    else if (got & (POLLIN | POLLERR | POLLHUP))
        read_stream(nd, l);
    if (l->fd >= 0 && l->stream && !l->connecting)
        flush(nd, l);
}

static void link_print(const struct netdev *nd, char *text, size_t len)
{
    const struct link *l = nd->priv;
    const char *state = !l->stream ? "" : l->fd < 0 || l->connecting ? ",not connected" : ",connected";
    snprintf(text, len, "%s%s", l->text, state);
}

static void link_close(struct netdev *nd)
{
    struct link *l = nd->priv;
    if (l->fd >= 0)
        close(l->fd);
    if (l->listener >= 0)
        close(l->listener);
    if (l->unlink_path[0])
        unlink(l->unlink_path);
    free(l->input);
    free(l->output);
    free(l);
}

static enum emu_err switch_open(struct netdev *nd, struct net_words *w, struct error *err)
{
    struct link *l = NULL;
    enum emu_err e = new_link(nd, w, &l, err);
    const char *path = net_word(w, "path"), *tcp = net_word(w, "tcp");
    if (e || !l)
        return e;
    if (!path == !tcp)
        return error_set(err, EMU_ARG, "-netdev %s: it needs path=FILE or tcp=HOST:PORT, a --port of retrace-switch", l->text);
    l->stream = true;
    e = path ? address_unix(path, &l->remote, err) : address_host_port(tcp, true, false, &l->remote, err);
    return e ? e : open_link(nd, l, err);
}

static const char *const socket_words[] = {"id", "listen", "connect", "mcast", "udp", "localaddr", NULL};
static const char *const stream_words[] = {"id",        "server",    "addr.type", "addr.host",
                                           "addr.port", "addr.path", "reconnect", NULL};
static const char *const dgram_words[] = {"id",          "local.type",  "local.host",  "local.port",  "local.path",
                                          "remote.type", "remote.host", "remote.port", "remote.path", NULL};

static const char *const switch_words[] = {"id", "path", "tcp", NULL};

#define LINK_OPS .send = link_send, .fill = link_fill, .done = link_done, .print = link_print, .close = link_close
const struct net_kind net_socket = {.name = "socket",
                                    .help = "to another emulator: listen=:PORT, connect=HOST:PORT, mcast=, udp=,localaddr=",
                                    .words = socket_words,
                                    .open = socket_open,
                                    LINK_OPS};
const struct net_kind net_stream = {.name = "stream",
                                    .help = "the same over TCP or unix: server=on|off,addr.type=inet|unix,...",
                                    .words = stream_words,
                                    .open = stream_open,
                                    LINK_OPS};
const struct net_kind net_dgram = {.name = "dgram",
                                   .help = "the same over UDP or unix: local.type=...,remote.type=inet|unix,...",
                                   .words = dgram_words,
                                   .open = dgram_open,
                                   LINK_OPS};
const struct net_kind net_switch = {.name = "switch",
                                    .help = "a port of retrace-switch: path=FILE or tcp=HOST:PORT",
                                    .words = switch_words,
                                    .open = switch_open,
                                    LINK_OPS};
