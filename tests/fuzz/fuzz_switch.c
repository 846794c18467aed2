/*
 * libFuzzer: the switch and its protocol. The first byte chooses.
 *   even  the switch alone: ports open and close, time passes, frames come in; every frame that goes out is
 *         checked against the rules that keep VLANs apart (docs/NETWORK.md)
 *   odd   bytes from a peer as they come over its socket, in pieces; another peer listens
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/switch.h"
#include "net/switch_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) \
    do { \
        if (!(x)) { \
            fprintf(stderr, "line %d: %s\n", __LINE__, #x); \
            abort(); \
        } \
    } while (0)

enum { PORTS = 8 };

struct input {
    const uint8_t *at, *end;
};

static unsigned take(struct input *in) { return in->at < in->end ? *in->at++ : 0; }
static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static bool is_tag(unsigned type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; }

/* --- the switch alone --- */

struct lab {
    struct eth_switch *sw;
    struct switch_mode mode[PORTS];
    bool open[PORTS];
    int port[PORTS];    /* what the switch calls it */
    unsigned from, vlan; /* of the frame that is on its way; vlan 0: it must not pass */
};

/* The VLAN that a frame is in, read from the rules and not from the switch. */
static unsigned vlan_of(const struct switch_mode *m, const uint8_t *f, size_t len)
{
    if (len < 14 || m->monitor || is_tag(get16(f + 12)) != (get16(f + 12) == 0x8100))
        return 0;
    if (get16(f + 12) != 0x8100)
        return m->vlan;
    if (len < 18)
        return 0;
    unsigned vid = get16(f + 14) & 0xfff;
    if (vid == 0)
        return is_tag(get16(f + 16)) ? 0 : m->vlan;
    return m->trunk && switch_mode_has(m, vid) ? vid : 0;
}

static bool goes_out(void *arg, unsigned port, const uint8_t *f, size_t len)
{
    const struct lab *lab = arg;
    unsigned i = 0;
    while (i < PORTS && !(lab->open[i] && lab->port[i] == (int)port))
        i++;
    CHECK(i < PORTS && lab->vlan && len >= 60 && len <= SWITCH_MAX_FRAME + 4);
    const struct switch_mode *m = &lab->mode[i];
    CHECK(i != lab->from && switch_mode_has(m, lab->vlan));
    if (m->trunk && lab->vlan != m->vlan)
        CHECK(get16(f + 12) == 0x8100 && (get16(f + 14) & 0xfff) == lab->vlan && len >= 60);
    else
        CHECK(!is_tag(get16(f + 12)) && len <= SWITCH_MAX_FRAME);
    return f[len - 1] != 0x55; /* sometimes a queue is full */
}

static void open_port(struct lab *lab, unsigned i, struct input *in)
{
    unsigned kind = take(in);
    if (lab->open[i]) {
        switch_close_port(lab->sw, (unsigned)lab->port[i]);
        lab->open[i] = false;
        return;
    }
    struct switch_mode *m = &lab->mode[i];
    *m = (struct switch_mode){.trunk = kind & 1, .monitor = (kind & 0x1e) == 2, .vlan = (uint16_t)(kind >> 5)};
    if (m->trunk)
        CHECK(switch_parse_vlans(kind & 0x10 ? "all" : "1+3-5+4094", m));
    else if (!m->vlan)
        m->vlan = 1;
    if (m->trunk && m->vlan) /* the native VLAN is one of the trunk's */
        m->allowed[0] |= (uint8_t)(1u << m->vlan);
    lab->port[i] = switch_open_port(lab->sw, "p", m);
    lab->open[i] = lab->port[i] >= 0;
}

/* Addresses are few, so that stations meet; the rest is as it comes. */
static void send_frame(struct lab *lab, unsigned i, struct input *in)
{
    static uint8_t f[12000];
    size_t len = take(in), given = (size_t)(in->end - in->at) < 40 ? (size_t)(in->end - in->at) : 40;
    unsigned form = take(in);
    len = form & 0x80 ? len * 40 : len % 80;
    memset(f, (int)form, sizeof(f));
    if (in->at < in->end)
        given = (size_t)(in->end - in->at) < given ? (size_t)(in->end - in->at) : given;
    else
        given = 0;
    memcpy(f, in->at, given);
    in->at += given;
    if (form & 1)
        memcpy(f, "\x52\x54\0\0\0", 5), f[5] &= 3;
    if (form & 2)
        memcpy(f + 6, "\x52\x54\0\0\0", 5), f[11] &= 3;
    if (form & 4)
        f[12] = 0x81, f[13] = 0, f[14] &= 0xf0, f[15] &= 7;
    if (form & 8)
        f[16] = 0x81, f[17] = 0;
    if (!lab->open[i])
        return;
    lab->from = i;
    lab->vlan = vlan_of(&lab->mode[i], f, len);
    switch_frame(lab->sw, (unsigned)lab->port[i], f, len);
}

static void play(struct input *in)
{
    static struct eth_switch *sw; /* one for all runs */
    static uint64_t now;
    static struct lab lab;
    const struct switch_host host = {&lab, goes_out};
    struct error err;
    if (!sw)
        CHECK(!switch_new(&host, &sw, &err));
    lab = (struct lab){.sw = sw};
    for (unsigned i = 0; i < 4; i++)
        open_port(&lab, i, in);
    while (in->at < in->end) {
        unsigned op = take(in), i = op % PORTS;
        if (op < 0xc0)
            send_frame(&lab, i, in);
        else if (op < 0xe0)
            open_port(&lab, i, in);
        else
            switch_tick(lab.sw, now += take(in) * 3);
    }
    for (unsigned i = 0; i < PORTS; i++) {
        if (lab.open[i])
            switch_close_port(sw, (unsigned)lab.port[i]);
    }
}

/* --- its protocol --- */

static void ignore(void *arg, const char *line) { (void)arg, (void)line; }

static struct switch_server *server(void)
{
    static struct switch_server *s; /* one for all runs */
    static char dir[] = "/tmp/fuzz-switch-XXXXXX";
    static const char *const ports[] = {"a,vlan=10", "t,trunk=all,native=5", "b,trunk=10"};
    struct error err = {""};
    char spec[100];
    if (s)
        return s;
    CHECK(mkdtemp(dir) && !switch_server_new(ignore, NULL, &s, &err));
    for (unsigned i = 0; i < 3; i++) { /* the names go at once: only socket pairs join */
        snprintf(spec, sizeof(spec), "%s/%s", dir, ports[i]);
        CHECK(!switch_server_port(s, spec, &err));
        spec[strcspn(spec, ",")] = 0;
        unlink(spec);
    }
    rmdir(dir);
    return s;
}

/* What a peer is sent is whole frames. */
static void drain(int fd)
{
    static uint8_t got[400000];
    size_t n = 0, at = 0;
    ssize_t r;
    while (n < sizeof(got) && (r = recv(fd, got + n, sizeof(got) - n, MSG_DONTWAIT)) > 0)
        n += (size_t)r;
    while (at + 4 <= n) {
        size_t len = (size_t)get16(got + at) << 16 | get16(got + at + 2);
        CHECK(len >= 60 && len <= SWITCH_MAX_FRAME + 4);
        at += 4 + len;
    }
}

static void talk(struct input *in)
{
    struct switch_server *s = server();
    int talker[2], ear[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, talker) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ear) == 0);
    switch_server_join(s, take(in) % 3, talker[0]);
    switch_server_join(s, take(in) % 3, ear[0]);
    while (in->at < in->end) {
        size_t n = take(in) + 1u, left = (size_t)(in->end - in->at);
        n = n < left ? n : left;
        if (send(talker[1], in->at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        in->at += n;
        switch_server_poll(s, 0);
    }
    close(talker[1]);
    switch_server_poll(s, 0);
    drain(ear[1]);
    close(ear[1]);
    for (unsigned i = 0; i < 3; i++)
        switch_server_poll(s, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    if (take(&in) & 1)
        talk(&in);
    else
        play(&in);
    return 0;
}
