/*
 * Peers, uplinks and the control socket of the switch. See switch_server.h.
 *
 * One socket serves any number of peers, each on a port of its own (NAME.1, NAME.2, ...) with the socket's
 * settings: who may reach the socket is in its VLAN, so a unix socket's directory is the key to it.
 */
#include "net/switch_server.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/addr.h"
#include "net/netdev.h"

enum {
    LISTENERS = 64,
    CLIENTS = 8, /* of the control socket */
    LENGTH = 4,
    INPUT = LENGTH + 4096 + 65536, /* the longest that QEMU sends (NET_BUFSIZE) */
    OUTPUT = 256 * 1024,           /* a peer's queue */
    REQUEST = 200,
    LINES_A_SECOND = 20,
    FDS = LISTENERS + SWITCH_PORTS + CLIENTS + 1 + NET_FDS,
};

struct listener {
    int fd;
    unsigned peers, max, number; /* now, at most, given out so far */
    struct address at;
    char name[32];
    struct switch_mode mode;
};

struct endpoint {
    enum { NOBODY, PEER, UPLINK, FILE_UPLINK } kind;
    char name[48];
    unsigned port;
    struct switch_server *server;
    /* a peer */
    int fd;
    struct listener *from;
    uint8_t *input, *output;
    size_t input_len, output_at, output_len;
    bool broken; /* to be closed when nobody is sending to it */
    /* uplinks */
    struct netdev *netdev;
    struct pcap *pcap;
};

struct client {
    int fd; /* -1: none */
    char request[REQUEST];
    size_t request_len, at, answer_len;
    char *answer; /* NULL: still asking */
};

struct switch_server {
    struct eth_switch *sw;
    struct net *net;
    switch_emit *say;
    void *say_arg;
    struct listener listener[LISTENERS];
    unsigned listeners, uplinks;
    struct endpoint end[SWITCH_PORTS];
    int control; /* -1: none */
    struct address control_at;
    struct client client[CLIENTS];
    struct pollfd fds[FDS];
    int64_t line_second;
    unsigned lines;
};

static struct timespec host_clock(clockid_t clock)
{
    struct timespec ts = {0, 0};
    clock_gettime(clock, &ts);
    return ts;
}

static vtime host_ns(void *arg)
{
    struct timespec ts = host_clock(CLOCK_MONOTONIC);
    (void)arg;
    return (vtime)ts.tv_sec * NS_PER_SECOND + (vtime)ts.tv_nsec;
}

/* Peers that come and go for ever do not fill the log. */
static void say(struct switch_server *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct switch_server *s, const char *fmt, ...)
{
    char line[300];
    va_list ap;
    int64_t second = host_clock(CLOCK_MONOTONIC).tv_sec;
    if (second != s->line_second)
        s->lines = 0;
    s->line_second = second;
    if (s->lines++ > LINES_A_SECOND)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    s->say(s->say_arg, s->lines > LINES_A_SECOND ? "more than 20 lines this second; the rest is left out" : line);
}

static void say_line(void *arg, const char *line) { say(arg, "%s", line); }

/* --- frames --- */

static bool queue_frame(struct endpoint *e, const uint8_t *frame, size_t len)
{
    if (e->broken || LENGTH + len > OUTPUT - e->output_len)
        return false;
    if (e->output_at + e->output_len + LENGTH + len > OUTPUT) {
        memmove(e->output, e->output + e->output_at, e->output_len);
        e->output_at = 0;
    }
    uint8_t *to = e->output + e->output_at + e->output_len;
    for (unsigned i = 0; i < LENGTH; i++)
        to[i] = (uint8_t)(len >> (8 * (LENGTH - 1 - i)));
    memcpy(to + LENGTH, frame, len);
    e->output_len += LENGTH + len;
    return true;
}

/* From the switch. */
static bool frame_out(void *arg, unsigned port, const uint8_t *frame, size_t len)
{
    struct endpoint *e = &((struct switch_server *)arg)->end[port];
    struct timespec ts;
    switch (e->kind) {
    case PEER: return queue_frame(e, frame, len);
    case UPLINK: netdev_send(e->netdev, frame, len); return true;
    case FILE_UPLINK:
        ts = host_clock(CLOCK_REALTIME);
        if (!pcap_frame(e->pcap, (vtime)ts.tv_sec * NS_PER_SECOND + (vtime)ts.tv_nsec, frame, len))
            say(arg, "%s: the file of packets cannot be written any more: %m", e->name);
        return true;
    case NOBODY: break;
    }
    return false;
}

static void from_uplink(void *arg, const uint8_t *frame, size_t len)
{
    const struct endpoint *e = arg;
    switch_frame(e->server->sw, e->port, frame, len);
}

/* --- peers --- */

static void drop_peer(struct switch_server *s, struct endpoint *e, const char *why)
{
    const struct switch_counters *c = switch_counters(s->sw, e->port);
    unsigned long long dropped = 0;
    for (unsigned i = 0; i < SWITCH_DROPS; i++)
        dropped += c->drop[i];
    say(s, "port %s: %s (%llu in, %llu out, %llu dropped)", e->name, why, (unsigned long long)c->in,
        (unsigned long long)c->out, dropped);
    switch_close_port(s->sw, e->port);
    close(e->fd);
    free(e->input);
    free(e->output);
    e->from->peers--;
    *e = (struct endpoint){.kind = NOBODY, .fd = -1};
}

/* Whole frames leave the buffer; false: the peer talks nonsense. */
static bool take_frames(struct switch_server *s, struct endpoint *e)
{
    size_t at = 0;
    while (e->input_len - at >= LENGTH) {
        const uint8_t *p = e->input + at;
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (len == 0 || len > INPUT - LENGTH) {
            char why[100];
            snprintf(why, sizeof(why), "a frame of %llu bytes is impossible; hung up", (unsigned long long)len);
            drop_peer(s, e, why);
            return false;
        }
        if (e->input_len - at - LENGTH < len)
            break;
        switch_frame(s->sw, e->port, p + LENGTH, len);
        at += LENGTH + len;
    }
    e->input_len -= at;
    memmove(e->input, e->input + at, e->input_len);
    return true;
}

static void read_peer(struct switch_server *s, struct endpoint *e)
{
    ssize_t n = recv(e->fd, e->input + e->input_len, INPUT - e->input_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop_peer(s, e, "left");
        return;
    }
    e->input_len += (size_t)n;
    take_frames(s, e);
}

static void write_peer(struct endpoint *e)
{
    while (e->output_len && !e->broken) {
        ssize_t n = send(e->fd, e->output + e->output_at, e->output_len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        e->broken = n <= 0;
        if (n > 0) {
            e->output_at += (size_t)n;
            e->output_len -= (size_t)n;
        }
    }
    if (!e->output_len)
        e->output_at = 0;
}

static struct endpoint *open_end(struct switch_server *s, const char *name, const struct switch_mode *mode)
{
    int port = switch_open_port(s->sw, name, mode);
    if (port < 0)
        return NULL;
    struct endpoint *e = &s->end[port];
    *e = (struct endpoint){.port = (unsigned)port, .server = s, .fd = -1};
    snprintf(e->name, sizeof(e->name), "%s", name);
    return e;
}

/* NULL: no port or no memory for it. */
static struct endpoint *new_peer(struct switch_server *s, struct listener *l, int fd)
{
    char name[48];
    uint8_t *input = malloc(INPUT), *output = malloc(OUTPUT);
    snprintf(name, sizeof(name), "%s.%u", l->name, l->number + 1);
    struct endpoint *e = input && output && l->peers < l->max ? open_end(s, name, &l->mode) : NULL;
    if (!e) {
        free(input);
        free(output);
        return NULL;
    }
    e->kind = PEER;
    e->fd = fd;
    e->from = l;
    e->input = input;
    e->output = output;
    l->peers++;
    l->number++;
    return e;
}

void switch_server_join(struct switch_server *s, unsigned listener, int fd)
{
    struct listener *l = &s->listener[listener];
    socket_prepare(fd);
    const struct endpoint *e = new_peer(s, l, fd);
    if (e) {
        say(s, "port %s: joined", e->name);
        return;
    }
    say(s, "port %s: no room for another peer (%u are there)", l->name, l->peers);
    close(fd);
}

static void accept_peer(struct switch_server *s, unsigned listener)
{
    int fd = accept(s->listener[listener].fd, NULL, NULL);
    if (fd >= 0)
        switch_server_join(s, listener, fd);
}

/* --- set-up --- */

static enum emu_err number(struct net_words *w, const char *key, unsigned long most, unsigned long *value, struct error *err)
{
    const char *text = net_word(w, key);
    char *end;
    if (!text)
        return EMU_OK;
    *value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || *value < 1 || *value > most)
        return error_set(err, EMU_ARG, "%.200s: %s=%s is no number from 1 to %lu", w->what, key, text, most);
    return EMU_OK;
}

/* vlan=N, or trunk=LIST[,native=N]; `otherwise`: neither was given. */
static enum emu_err parse_mode(struct net_words *w, const struct switch_mode *otherwise, struct switch_mode *m, struct error *err)
{
    unsigned long vlan = 0, native = 0;
    const char *trunk = net_word(w, "trunk");
    enum emu_err e = number(w, "vlan", SWITCH_VLANS, &vlan, err);
    if (!e)
        e = number(w, "native", SWITCH_VLANS, &native, err);
    if (e)
        return e;
    *m = *otherwise;
    if (vlan && trunk)
        return error_set(err, EMU_ARG, "%.200s: a port has vlan= (access) or trunk=, not both", w->what);
    if (native && !trunk)
        return error_set(err, EMU_ARG, "%.200s: native= is for a trunk; an access port has vlan=", w->what);
    if (vlan)
        *m = (struct switch_mode){.vlan = (uint16_t)vlan, .monitor = otherwise->monitor};
    if (!trunk)
        return EMU_OK;
    *m = (struct switch_mode){.trunk = true, .vlan = (uint16_t)native, .monitor = otherwise->monitor};
    if (!switch_parse_vlans(trunk, m))
        return error_set(err, EMU_ARG, "trunk=%.100s: write VLANs as all or as 10+20+30-39 (1 to %d)", trunk, SWITCH_VLANS);
    return EMU_OK;
}

static enum emu_err listen_at(const struct address *a, const char *what, int *out, struct error *err)
{
    int yes = 1;
    if (address_is_unix(a) && address_answers(a))
        return error_set(err, EMU_ARG, "something listens at %s already; stop it or choose another name", what);
    *out = socket(a->sa.ss_family, SOCK_STREAM, 0);
    if (*out < 0)
        return error_set(err, EMU_IO, "the host gives no socket: %m");
    socket_prepare(*out);
    address_clear_name(a);
    setsockopt(*out, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(*out, (const struct sockaddr *)&a->sa, a->len) == 0 && listen(*out, 16) == 0)
        return EMU_OK;
    enum emu_err e = error_set(err, EMU_IO, "cannot listen at %s: %m", what);
    close(*out);
    *out = -1;
    return e;
}

/* What a port is called where its user said nothing: the last part of its path. */
static void port_name(struct listener *l, const char *name, const char *where)
{
    const char *slash = strrchr(where, '/');
    snprintf(l->name, sizeof(l->name), "%s", name ? name : slash ? slash + 1 : where);
}

enum emu_err switch_server_port(struct switch_server *s, const char *spec, struct error *err)
{
    static const char *const known[] = {"vlan", "trunk", "native", "name", "max", NULL};
    static const struct switch_mode plain = {.vlan = 1};
    struct net_words w;
    struct listener *l = &s->listener[s->listeners];
    unsigned long max = SWITCH_PORTS;
    if (s->listeners == LISTENERS)
        return error_set(err, EMU_ARG, "more than %d --port options", LISTENERS);
    enum emu_err e = net_split(&w, spec, err);
    if (e)
        return e;
    const char *where = w.count ? w.word[0].key : "";
    *l = (struct listener){.fd = -1};
    if (!*where || strcmp(w.word[0].value, "on") != 0)
        return error_set(err, EMU_ARG, "--port %.200s: write it as PATH or tcp:HOST:PORT, then ,vlan=N or ,trunk=LIST", spec);
    w.word[0].used = true;
    e = strncmp(where, "tcp:", 4) == 0 ? address_host_port(where + 4, true, true, &l->at, err) : address_unix(where, &l->at, err);
    if (!e)
        e = parse_mode(&w, &plain, &l->mode, err);
    if (!e)
        e = number(&w, "max", SWITCH_PORTS, &max, err);
    port_name(l, net_word(&w, "name"), where);
    l->max = (unsigned)max;
    if (!e)
        e = net_all_used(&w, known, err);
    if (!e)
        e = listen_at(&l->at, where, &l->fd, err);
    s->listeners += !e;
    return e;
}

/* "KIND,id=NAME" and the words that are not used yet, for net_add(). */
static enum emu_err compose(const struct net_words *w, const char *kind, const char *id, char *text, size_t size, struct error *err)
{
    size_t n = (size_t)snprintf(text, size, "%s,id=%s", kind, id);
    for (unsigned i = 0; i < w->count && n + 3 < size; i++) {
        if (w->word[i].used)
            continue;
        n += (size_t)snprintf(text + n, size - n, ",%s=", w->word[i].key);
        for (const char *p = w->word[i].value; *p && n + 3 < size; p++) { /* a comma goes doubled again */
            text[n++] = *p;
            if (*p == ',')
                text[n++] = ',';
            text[n] = 0;
        }
    }
    return n + 3 < size ? EMU_OK : error_set(err, EMU_ARG, "--uplink %.100s...: that is too long", w->what);
}

static enum emu_err file_uplink(struct net_words *w, struct endpoint *e, struct error *err)
{
    static const char *const known[] = {"file", "name", "vlan", "trunk", NULL};
    const char *file = net_word(w, "file");
    if (!file)
        return error_set(err, EMU_ARG, "--uplink %.200s: pcap needs file=PATH", w->what);
    enum emu_err r = net_all_used(w, known, err);
    if (!r)
        r = pcap_open(file, SWITCH_MAX_FRAME + 4, &e->pcap, err);
    e->kind = FILE_UPLINK;
    return r;
}

static enum emu_err back_end_uplink(struct switch_server *s, const struct net_words *w, const char *kind, struct endpoint *e,
                                    struct error *err)
{
    char text[NET_SPEC];
    enum emu_err r = compose(w, kind, e->name, text, sizeof(text), err);
    if (!r)
        r = net_add(s->net, text, err);
    if (!r)
        r = net_connect(s->net, e->name, from_uplink, e, &e->netdev, err);
    e->kind = UPLINK;
    return r;
}

enum emu_err switch_server_uplink(struct switch_server *s, const char *spec, struct error *err)
{
    struct net_words w;
    struct switch_mode mode, plain = {.vlan = 1};
    char made[32];
    enum emu_err r = net_split(&w, spec, err);
    if (r)
        return r;
    const char *kind = w.count ? w.word[0].key : "", *name = net_word(&w, "name");
    bool pcap = strcmp(kind, "pcap") == 0;
    if (w.count)
        w.word[0].used = true;
    if (pcap) {
        plain = (struct switch_mode){.trunk = true, .monitor = true};
        if (!switch_parse_vlans("all", &plain))
            return EMU_ARG;
    }
    r = parse_mode(&w, &plain, &mode, err);
    if (r)
        return r;
    snprintf(made, sizeof(made), "uplink%u", ++s->uplinks);
    struct endpoint *e = open_end(s, name ? name : made, &mode);
    if (!e)
        return error_set(err, EMU_ARG, "more than %d ports", SWITCH_PORTS);
    r = pcap ? file_uplink(&w, e, err) : back_end_uplink(s, &w, kind, e, err);
    if (r) {
        e->kind = NOBODY;
        switch_close_port(s->sw, e->port);
    }
    return r;
}

enum emu_err switch_server_control(struct switch_server *s, const char *path, struct error *err)
{
    if (s->control >= 0)
        return error_set(err, EMU_ARG, "--control %s: there is one already", path);
    enum emu_err e = address_unix(path, &s->control_at, err);
    return e ? e : listen_at(&s->control_at, path, &s->control, err);
}

void switch_server_ageing(struct switch_server *s, uint32_t seconds) { switch_set_ageing(s->sw, seconds); }

enum emu_err switch_server_new(switch_emit *say_fn, void *arg, struct switch_server **out, struct error *err)
{
    struct switch_server *s = calloc(1, sizeof(*s));
    if (!s)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    const struct switch_host host = {s, frame_out};
    const struct net_host net_host = {.arg = s, .now = host_ns, .say = say_line};
    s->say = say_fn;
    s->say_arg = arg;
    s->control = -1;
    for (unsigned i = 0; i < CLIENTS; i++)
        s->client[i].fd = -1;
    enum emu_err e = switch_new(&host, &s->sw, err);
    if (!e)
        e = net_new(&net_host, &s->net, err);
    if (e)
        switch_server_free(s);
    else
        *out = s;
    return e;
}

static void close_listener(int fd, const struct address *at)
{
    if (fd < 0)
        return;
    close(fd);
    address_clear_name(at);
}

static void close_client(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->answer);
    *c = (struct client){.fd = -1};
}

void switch_server_free(struct switch_server *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        struct endpoint *e = &s->end[i];
        if (e->kind == PEER) {
            close(e->fd);
            free(e->input);
            free(e->output);
        } else if (e->kind == FILE_UPLINK) {
            pcap_close(e->pcap);
        }
    }
    for (unsigned i = 0; i < s->listeners; i++)
        close_listener(s->listener[i].fd, &s->listener[i].at);
    close_listener(s->control, &s->control_at);
    for (unsigned i = 0; i < CLIENTS; i++)
        close_client(&s->client[i]);
    net_free(s->net);
    switch_free(s->sw);
    free(s);
}

/* --- the control socket --- */

void switch_server_show(const struct switch_server *s, const char *what, switch_emit *emit, void *arg)
{
    if (strcmp(what, "show ports") == 0)
        switch_show_ports(s->sw, emit, arg);
    else if (strcmp(what, "show macs") == 0)
        switch_show_macs(s->sw, emit, arg);
    else if (strcmp(what, "help") == 0)
        emit(arg, "show ports   settings and counters of every port\nshow macs    where stations were seen\nhelp         this list");
    else
        emit(arg, "error: there is only \"show ports\", \"show macs\" and \"help\"");
}

static void to_file(void *arg, const char *line) { fprintf(arg, "%s\n", line); }

/* One line is asked, the answer follows, then the end. */
static void answer(const struct switch_server *s, struct client *c)
{
    FILE *f = open_memstream(&c->answer, &c->answer_len);
    if (!f) {
        close_client(c);
        return;
    }
    c->request[strcspn(c->request, "\r\n")] = 0;
    switch_server_show(s, c->request, to_file, f);
    if (fclose(f) != 0 || !c->answer)
        close_client(c);
}

static void read_client(const struct switch_server *s, struct client *c)
{
    ssize_t n = recv(c->fd, c->request + c->request_len, REQUEST - 1 - c->request_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        c->request_len += (size_t)n;
    c->request[c->request_len] = 0;
    if (strchr(c->request, '\n') || (n == 0 && c->request_len))
        answer(s, c);
    else if (n <= 0 || c->request_len == REQUEST - 1)
        close_client(c);
}

static void write_client(struct client *c)
{
    ssize_t n = send(c->fd, c->answer + c->at, c->answer_len - c->at, MSG_NOSIGNAL);
    if (n > 0)
        c->at += (size_t)n;
    if (c->at == c->answer_len || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_client(c);
}

static void accept_client(struct switch_server *s)
{
    int fd = accept(s->control, NULL, NULL);
    if (fd < 0)
        return;
    socket_prepare(fd);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (s->client[i].fd < 0) {
            s->client[i] = (struct client){.fd = fd};
            return;
        }
    }
    close(fd);
}

/* --- polling --- */

static struct pollfd *watch(struct pollfd *at, int fd, short events)
{
    *at = (struct pollfd){.fd = fd, .events = events}; /* -1 is passed over by poll() */
    return at + 1;
}

/* Listeners, the control socket, its clients, then the peers by port; behind them the uplinks. */
static struct pollfd *fill(struct switch_server *s)
{
    struct pollfd *at = s->fds;
    for (unsigned i = 0; i < LISTENERS; i++)
        at = watch(at, i < s->listeners ? s->listener[i].fd : -1, POLLIN);
    at = watch(at, s->control, POLLIN);
    for (unsigned i = 0; i < CLIENTS; i++)
        at = watch(at, s->client[i].fd, s->client[i].answer ? POLLOUT : POLLIN);
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        const struct endpoint *e = &s->end[i];
        at = watch(at, e->kind == PEER ? e->fd : -1, (short)(POLLIN | (e->output_len ? POLLOUT : 0)));
    }
    return at;
}

static void serve_clients(struct switch_server *s, const struct pollfd *at)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *c = &s->client[i];
        if (c->fd < 0 || !at[i].revents)
            continue;
        if (c->answer)
            write_client(c);
        else
            read_client(s, c);
    }
}

static void serve_peers(struct switch_server *s, const struct pollfd *at)
{
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        if (s->end[i].kind == PEER && at[i].fd == s->end[i].fd && at[i].revents & (POLLIN | POLLERR | POLLHUP))
            read_peer(s, &s->end[i]);
    }
}

static void send_all(struct switch_server *s)
{
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        struct endpoint *e = &s->end[i];
        if (e->kind == PEER)
            write_peer(e);
        if (e->kind == PEER && e->broken)
            drop_peer(s, e, "left");
    }
}

void switch_server_poll(struct switch_server *s, unsigned ms)
{
    uint64_t wait_ns = (uint64_t)ms * 1000000;
    struct pollfd *uplinks = fill(s), *at = s->fds;
    size_t n = net_fill(s->net, uplinks, NET_FDS, &wait_ns);
    poll(s->fds, (nfds_t)(uplinks - s->fds) + n, (int)((wait_ns + 999999) / 1000000));
    switch_tick(s->sw, (uint64_t)host_clock(CLOCK_MONOTONIC).tv_sec);
    serve_peers(s, at + LISTENERS + 1 + CLIENTS);
    net_done(s->net, uplinks, n);
    send_all(s);
    serve_clients(s, at + LISTENERS + 1);
    for (unsigned i = 0; i < s->listeners; i++) {
        if (at[i].revents)
            accept_peer(s, i);
    }
    if (at[LISTENERS].revents)
        accept_client(s);
}
