/*
 * Back ends: words, hubs, sockets in QEMU's wire formats (docs/system/... "-netdev stream": a 32-bit
 * big-endian length before each frame), pcap files, and user-mode networking as a guest meets it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/netdev.h"

struct ear {
    unsigned frames, links;
    bool link;
    size_t len;
    uint8_t frame[NET_MAX_FRAME];
};

struct fixture {
    struct net *net;
    struct error err;
    vtime now;
    struct ear ear[4];
    char dir[64];
    char said[1000];
};

static vtime now(void *arg) { return ((struct fixture *)arg)->now; }

static void say(void *arg, const char *line)
{
    struct fixture *f = arg;
    snprintf(f->said, sizeof(f->said), "%s", line);
}

static void hear(void *arg, const uint8_t *frame, size_t len)
{
    struct ear *e = arg;
    e->frames++;
    e->len = len;
    memcpy(e->frame, frame, len);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct net_host host = {.arg = f, .now = now, .say = say};
    f->now = 1;
    strcpy(f->dir, "/tmp/retrace-net-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(net_new(&host, &f->net, &f->err), EMU_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[100];
    net_free(f->net);
    snprintf(command, sizeof(command), "rm -r %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void add(struct fixture *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add(struct fixture *f, const char *fmt, ...)
{
    char spec[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(spec, sizeof(spec), fmt, ap);
    va_end(ap);
    if (net_add(f->net, spec, &f->err))
        fail_msg("%s: %s", spec, f->err.text);
}

static struct netdev *plug(struct fixture *f, const char *id, struct ear *ear)
{
    struct netdev *nd;
    assert_int_equal(net_connect(f->net, id, hear, ear, &nd, &f->err), EMU_OK);
    return nd;
}

static void poll_some(struct fixture *f)
{
    for (unsigned i = 0; i < 20; i++) {
        net_poll(f->net);
        usleep(1000);
    }
}

static const uint8_t hello[20] = "to....from..xxhello";

static void words_are_split_and_commas_doubled(void **state)
{
    struct net_words w;
    struct error err;
    bool on;
    (void)state;
    assert_int_equal(net_split(&w, "user,id=a,,b,restrict=on,hostfwd=1,hostfwd=2", &err), EMU_OK);
    assert_string_equal(net_word(&w, "id"), "a,b");
    assert_string_equal(net_word_at(&w, "hostfwd", 0), "1");
    assert_string_equal(net_word_at(&w, "hostfwd", 1), "2");
    assert_null(net_word_at(&w, "hostfwd", 2));
    assert_int_equal(net_on_off(&w, "restrict", false, &on, &err), EMU_OK);
    assert_true(on);
    assert_int_equal(net_on_off(&w, "id", false, &on, &err), EMU_ARG);
    assert_int_equal(net_all_used(&w, (const char *const[]){"id", NULL}, &err), EMU_ARG); /* "user" was not */
}

static void wrong_specifications_get_a_sentence(void **state)
{
    static const char *const bad[] = {"usr,id=a",
                                      "hubport",
                                      "hubport,id=a,hubid=x",
                                      "hubport,id=a,frob=1",
                                      "hubport,id=a,netdev=nobody",
                                      "socket,id=a",
                                      "socket,id=a,listen=:1,connect=:2",
                                      "socket,id=a,connect=nocolon",
                                      "socket,id=a,udp=127.0.0.1:5",
                                      "socket,id=a,mcast=127.0.0.1:5",
                                      "stream,id=a",
                                      "stream,id=a,server=maybe",
                                      "stream,id=a,addr.type=inet",
                                      "dgram,id=a",
                                      "tap,id=a,script=yes.sh",
                                      "tap,id=a,ifname=averyverylongname0",
                                      ""};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        f->err.text[0] = 0;
        assert_int_not_equal(net_add(f->net, bad[i], &f->err), EMU_OK);
        assert_true(strlen(f->err.text) > 10);
    }
    assert_null(f->net->first);
    add(f, "hubport,id=a");
    assert_int_equal(net_add(f->net, "hubport,id=a", &f->err), EMU_ARG);
    assert_int_equal(net_add_object(f->net, "filter-dump,id=d,netdev=b,file=x", &f->err), EMU_ARG);
    assert_non_null(strstr(f->err.text, "did you mean \"a\""));
}

static void a_hub_sends_to_all_others(void **state)
{
    struct fixture *f = *state;
    struct netdev *nd[4];
    for (unsigned i = 0; i < 4; i++) {
        char id[8];
        snprintf(id, sizeof(id), "p%u", i);
        add(f, "hubport,id=%s,hubid=%u", id, i / 3); /* the last one on a hub of its own */
        nd[i] = plug(f, id, &f->ear[i]);
    }
    netdev_send(nd[1], hello, sizeof(hello));
    assert_int_equal(f->ear[0].frames, 1);
    assert_int_equal(f->ear[1].frames, 0);
    assert_int_equal(f->ear[2].frames, 1);
    assert_int_equal(f->ear[3].frames, 0);
    assert_memory_equal(f->ear[2].frame, hello, sizeof(hello));
}

static void loops_of_hubs_end(void **state)
{
    struct fixture *f = *state;
    add(f, "hubport,id=a,hubid=0");
    add(f, "hubport,id=a1,hubid=1,netdev=a");
    add(f, "hubport,id=b,hubid=0");
    add(f, "hubport,id=b1,hubid=1,netdev=b");
    add(f, "hubport,id=card,hubid=0");
    netdev_send(plug(f, "card", &f->ear[0]), hello, sizeof(hello));
    assert_true(f->ear[0].frames < 100);
}

static void streams_carry_frames_both_ways(void **state)
{
    struct fixture *f = *state;
    uint8_t big[9000];
    memset(big, 0x5a, sizeof(big));
    add(f, "stream,id=s,server=on,addr.type=unix,addr.path=%s/sock", f->dir);
    add(f, "stream,id=c,addr.type=unix,addr.path=%s/sock", f->dir);
    struct netdev *s = plug(f, "s", &f->ear[0]), *c = plug(f, "c", &f->ear[1]);
    poll_some(f);
    netdev_send(c, hello, sizeof(hello));
    netdev_send(c, big, sizeof(big));
    poll_some(f);
    assert_int_equal(f->ear[0].frames, 2);
    assert_memory_equal(f->ear[0].frame, big, sizeof(big));
    netdev_send(s, hello, sizeof(hello));
    poll_some(f);
    assert_int_equal(f->ear[1].frames, 1);
    assert_int_equal(f->ear[1].len, sizeof(hello));
}

static int connect_to(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    return fd;
}

/* The format as QEMU writes it; parts of a frame, nonsense, and the next peer. */
static void a_stream_survives_its_peers(void **state)
{
    struct fixture *f = *state;
    char path[100];
    static const uint8_t wire[] = {0, 0, 0, 16, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p'};
    snprintf(path, sizeof(path), "%s/sock", f->dir);
    add(f, "stream,id=s,server=on,addr.type=unix,addr.path=%s", path);
    struct netdev *nd = plug(f, "s", &f->ear[0]);
    netdev_send(nd, hello, sizeof(hello)); /* nobody there: dropped */
    assert_int_equal(nd->lost, 1);
    int fd = connect_to(path);
    for (size_t i = 0; i < sizeof(wire); i++) {
        assert_int_equal(write(fd, wire + i, 1), 1);
        net_poll(f->net);
        net_poll(f->net);
    }
    assert_int_equal(f->ear[0].frames, 1);
    assert_int_equal(f->ear[0].len, 16);
    netdev_send(nd, hello, sizeof(hello));
    uint8_t got[24];
    assert_int_equal(read(fd, got, sizeof(got)), 24);
    assert_memory_equal(got, "\0\0\0\24", 4);
    assert_memory_equal(got + 4, hello, 20);
    assert_int_equal(write(fd, "\377\377\377\377xxxx", 8), 8);
    poll_some(f);
    assert_int_equal(read(fd, got, 1), 0); /* it hung up */
    assert_non_null(strstr(f->said, "gone"));
    close(fd);
    fd = connect_to(path);
    assert_int_equal(write(fd, wire, sizeof(wire)), (ssize_t)sizeof(wire));
    poll_some(f);
    assert_int_equal(f->ear[0].frames, 2);
    close(fd);
}

static void on_link(void *arg, bool up)
{
    struct ear *e = arg;
    e->links++;
    e->link = up;
}

static struct netdev *plug_watched(struct fixture *f, const char *id, struct ear *ear)
{
    struct netdev *nd = plug(f, id, ear);
    ear->link = netdev_link(nd);
    netdev_watch_link(nd, on_link);
    return nd;
}

static void until(struct fixture *f, const bool *what, bool value)
{
    for (unsigned i = 0; i < 200 && *what != value; i++) {
        net_poll(f->net);
        usleep(20000);
    }
    assert_int_equal(*what, value);
}

/* A server that dies: one line, no link; the client finds the next one by itself, and says so. */
static void a_client_finds_its_server_again(void **state)
{
    struct fixture *f = *state, other = {.now = 1};
    struct net_host host = {.arg = &other, .now = now, .say = say};
    char spec[200];
    struct error err;
    snprintf(spec, sizeof(spec), "stream,id=s,server=on,addr.type=unix,addr.path=%s/sock", f->dir);
    assert_int_equal(net_new(&host, &other.net, &err), EMU_OK);
    assert_int_equal(net_add(other.net, spec, &err), EMU_OK);
    add(f, "stream,id=c,addr.type=unix,addr.path=%s/sock", f->dir);
    struct netdev *c = plug_watched(f, "c", &f->ear[0]), *s = plug_watched(&other, "s", &other.ear[0]);
    assert_true(f->ear[0].link);
    assert_false(other.ear[0].link); /* not accepted yet */
    until(&other, &other.ear[0].link, true);
    netdev_send(c, hello, sizeof(hello));
    poll_some(&other);
    assert_int_equal(other.ear[0].frames, 1);
    assert_int_equal(s->in, 1);
    net_free(other.net);
    until(f, &f->ear[0].link, false);
    assert_string_equal(f->said, "network c: the other side is gone; trying again");
    f->said[0] = 0;
    for (unsigned i = 0; i < 60; i++) {
        netdev_send(c, hello, sizeof(hello));
        net_poll(f->net);
        usleep(20000);
    }
    assert_int_equal(c->lost, 60);
    assert_string_equal(f->said, ""); /* once is enough */
    assert_int_equal(net_new(&host, &other.net, &err), EMU_OK);
    assert_int_equal(net_add(other.net, spec, &err), EMU_OK);
    plug(&other, "s", &other.ear[1]);
    until(f, &f->ear[0].link, true);
    assert_string_equal(f->said, "network c: connected again");
    netdev_send(c, hello, sizeof(hello));
    poll_some(&other);
    assert_int_equal(other.ear[1].frames, 1);
    net_free(other.net);
}

/* The other side does not read: what does not fit is dropped and counted, and the sender goes on. */
static void a_full_stream_drops_and_counts(void **state)
{
    struct fixture *f = *state;
    char path[100];
    static uint8_t frame[1514];
    snprintf(path, sizeof(path), "%s/sock", f->dir);
    add(f, "stream,id=s,server=on,addr.type=unix,addr.path=%s", path);
    struct netdev *nd = plug(f, "s", &f->ear[0]);
    int fd = connect_to(path);
    poll_some(f);
    for (unsigned i = 0; i < 3000; i++)
        netdev_send(nd, frame, sizeof(frame));
    assert_true(nd->lost > 1000);
    assert_true(nd->lost < 3000);
    assert_true(netdev_link(nd));
    close(fd);
}

/* tun(4), as root: deleting the interface is its death; being root, we may make it again. */
static void an_interface_that_dies_is_tried_again(void **state)
{
    struct fixture *f = *state;
    char name[16], command[100], spec[64];
    snprintf(name, sizeof(name), "rt%d", (int)getpid() % 100000);
    snprintf(spec, sizeof(spec), "tap,id=t,ifname=%s,script=no", name);
    if (net_add(f->net, spec, &f->err))
        skip(); /* not root, or no tap here */
    struct netdev *nd = plug_watched(f, "t", &f->ear[0]);
    assert_true(f->ear[0].link);
    netdev_send(nd, hello, sizeof(hello)); /* the interface is down: dropped */
    assert_int_equal(nd->lost, 1);
    snprintf(command, sizeof(command), "ip link del %s 2>/dev/null", name);
    if (system(command) != 0)
        skip(); /* no ip command */
    until(f, &f->ear[0].link, false);
    assert_non_null(strstr(f->said, "is gone; trying again"));
    until(f, &f->ear[0].link, true);
    assert_non_null(strstr(f->said, "is back"));
}

static void datagrams_for_nobody_are_counted_and_said_once(void **state)
{
    struct fixture *f = *state;
    add(f, "dgram,id=a,local.type=unix,local.path=%s/a,remote.type=unix,remote.path=%s/b", f->dir, f->dir);
    struct netdev *a = plug(f, "a", &f->ear[0]);
    netdev_send(a, hello, sizeof(hello));
    assert_string_equal(f->said, "network a: the other side is gone; frames for it are dropped");
    f->said[0] = 0;
    netdev_send(a, hello, sizeof(hello));
    assert_string_equal(f->said, "");
    assert_int_equal(a->lost, 2);
    add(f, "dgram,id=b,local.type=unix,local.path=%s/b,remote.type=unix,remote.path=%s/a", f->dir, f->dir);
    plug(f, "b", &f->ear[1]);
    netdev_send(a, hello, sizeof(hello));
    poll_some(f);
    assert_int_equal(f->ear[1].frames, 1);
}

static void datagrams_carry_frames(void **state)
{
    struct fixture *f = *state;
    add(f, "dgram,id=a,local.type=unix,local.path=%s/a,remote.type=unix,remote.path=%s/b", f->dir, f->dir);
    add(f, "dgram,id=b,local.type=unix,local.path=%s/b,remote.type=unix,remote.path=%s/a", f->dir, f->dir);
    struct netdev *a = plug(f, "a", &f->ear[0]), *b = plug(f, "b", &f->ear[1]);
    netdev_send(a, hello, sizeof(hello));
    netdev_send(b, hello, 16);
    poll_some(f);
    assert_int_equal(f->ear[0].len, 16);
    assert_int_equal(f->ear[1].len, sizeof(hello));
}

static void a_pulled_cable_carries_nothing(void **state)
{
    struct fixture *f = *state;
    add(f, "hubport,id=a");
    add(f, "hubport,id=b");
    struct netdev *a = plug_watched(f, "a", &f->ear[0]);
    plug(f, "b", &f->ear[1]);
    assert_int_equal(net_set_link(f->net, "a", false, &f->err), EMU_OK);
    netdev_send(a, hello, sizeof(hello));
    assert_int_equal(f->ear[1].frames, 0);
    assert_int_equal(a->lost, 1);
    assert_false(f->ear[0].link); /* the card knows */
    assert_int_equal(net_set_link(f->net, "a", true, &f->err), EMU_OK);
    netdev_send(a, hello, sizeof(hello));
    assert_int_equal(f->ear[1].frames, 1);
    assert_int_equal(net_set_link(f->net, "c", true, &f->err), EMU_ARG);
}

/* libpcap's file format (pcap-savefile(5)). */
static void frames_go_to_a_pcap_file(void **state)
{
    struct fixture *f = *state;
    char path[100], object[200];
    uint8_t file[100];
    static const uint8_t expected[] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0,
                                       3, 0, 0, 0, 64, 226, 1, 0, 16, 0, 0, 0, 20, 0, 0, 0};
    snprintf(path, sizeof(path), "%s/x.pcap", f->dir);
    snprintf(object, sizeof(object), "filter-dump,id=d,netdev=a,file=%s,maxlen=16", path);
    add(f, "hubport,id=a");
    assert_int_equal(net_add_object(f->net, object, &f->err), EMU_OK);
    f->now = 3123456789; /* 3.123456 s: 123456 is 01 E2 40 */
    netdev_send(plug(f, "a", &f->ear[0]), hello, sizeof(hello));
    FILE *in = fopen(path, "rb");
    size_t n = fread(file, 1, sizeof(file), in);
    fclose(in);
    assert_int_equal(n, sizeof(expected) + 16);
    assert_memory_equal(file, expected, sizeof(expected));
    assert_memory_equal(file + sizeof(expected), hello, 16);
}

/* From 10.0.2.15 for the gateway (RFC 826). */
static const uint8_t arp_request[60] = {255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
                                        0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2};

static void the_gateway_answers_arp(void **state)
{
    struct fixture *f = *state;
    if (!net_has_user())
        skip();
    add(f, "user,id=u,ipv6=off");
    netdev_send(plug(f, "u", &f->ear[0]), arp_request, sizeof(arp_request));
    assert_int_equal(f->ear[0].frames, 1);
    assert_memory_equal(f->ear[0].frame, arp_request + 6, 6);
    assert_memory_equal(f->ear[0].frame + 20, "\0\2", 2); /* reply */
    assert_memory_equal(f->ear[0].frame + 28, "\12\0\2\2", 4);
}

/* The header's checksum (RFC 791 3.1) of 20 bytes, whose own field is 0. */
static void put_ip_checksum(uint8_t *ip)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < 20; i += 2)
        sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = 0xffff - ((sum & 0xffff) + (sum >> 16));
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
}

/* A UDP socket of this host, as a server on it has. */
static int host_socket(uint16_t *port)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* From 10.0.2.15 port 4660 to the gateway, which stands for this host (RFC 768; a checksum of 0: none). The host says
 * it back in capitals. */
static void a_datagram_reaches_a_socket_of_the_host_and_its_answer_comes_back(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[60] = {0x52, 0x55, 10, 0, 2, 2, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 0, 0x45, 0, 0, 33, 0, 1, 0, 0,
                         64, 17, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2, 0x12, 0x34, 0, 0, 0, 13, 0, 0, 'h', 'e', 'l', 'l', 'o'};
    char got[16];
    uint16_t port;
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    if (!net_has_user())
        skip();
    add(f, "user,id=u,ipv6=off");
    struct netdev *nd = plug(f, "u", &f->ear[0]);
    int fd = host_socket(&port);
    frame[36] = (uint8_t)(port >> 8);
    frame[37] = (uint8_t)port;
    put_ip_checksum(frame + 14);
    netdev_send(nd, arp_request, sizeof(arp_request)); /* so that it knows where an answer goes */
    netdev_send(nd, frame, sizeof(frame));
    poll_some(f);
    assert_int_equal(recvfrom(fd, got, sizeof(got), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len), 5);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(sendto(fd, "HELLO", 5, 0, (struct sockaddr *)&from, from_len), 5);
    poll_some(f);
    close(fd);
    assert_memory_equal(f->ear[0].frame + 26, "\12\0\2\2\12\0\2\17", 8); /* addresses */
    assert_memory_equal(f->ear[0].frame + 34, frame + 36, 2);                  /* ports */
    assert_memory_equal(f->ear[0].frame + 36, "\x12\x34", 2);
    assert_memory_equal(f->ear[0].frame + 42, "HELLO", 5);
}

static void forwardings_are_added_and_removed(void **state)
{
    static const char *const bad[] = {"",         "tcp::1",        "icmp::1-:2", "tcp::0-:2", "tcp::70000-:2", "tcp:x:1-:2",
                                      "tcp::1-:", "tcp::1-:2-:3", "tcp::1-2",   "::-:"};
    struct fixture *f = *state;
    char rule[64];
    if (!net_has_user())
        skip();
    add(f, "user,id=u,net=192.168.7.0/24,dhcpstart=192.168.7.9");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_not_equal(net_hostfwd_add(f->net, NULL, bad[i], &f->err), EMU_OK);
    snprintf(rule, sizeof(rule), "tcp:127.0.0.1:%d-:80", 20000 + (int)getpid() % 30000);
    assert_int_equal(net_hostfwd_add(f->net, "u", rule, &f->err), EMU_OK);
    assert_int_not_equal(net_hostfwd_add(f->net, "u", rule, &f->err), EMU_OK); /* taken */
    *strchr(rule, '-') = 0;
    assert_int_equal(net_hostfwd_remove(f->net, NULL, rule, &f->err), EMU_OK);
    assert_int_not_equal(net_hostfwd_remove(f->net, NULL, rule, &f->err), EMU_OK);
    assert_int_equal(net_hostfwd_add(f->net, "v", rule, &f->err), EMU_ARG);
}

/* Router advertisement (RFC 4861 4.2, 4.6.2): the prefix that ipv6-net= says. */
static void the_prefix_of_ipv6_is_advertised(void **state)
{
    struct fixture *f = *state;
    /* Router solicitation from :: to ff02::2; the checksum covers the pseudo-header (RFC 8200 8.1). */
    static const uint8_t solicit[62] = {0x33, 0x33, 0, 0, 0, 2, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 58, 255,
                                        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
                                        133, 0, 0x7b, 0xb8};
    if (!net_has_user())
        skip();
    add(f, "user,id=u,ipv4=off,ipv6-net=fd00:77::/64,dnssearch=a.example,dnssearch=b.example");
    netdev_send(plug(f, "u", &f->ear[0]), solicit, sizeof(solicit));
    assert_int_equal(f->ear[0].frames, 1);
    const uint8_t *ra = f->ear[0].frame + 54;
    assert_int_equal(ra[0], 134);
    bool found = false;
    for (size_t at = 54 + 16; at + 32 <= f->ear[0].len && f->ear[0].frame[at + 1]; at += 8u * f->ear[0].frame[at + 1])
        found |= f->ear[0].frame[at] == 3 && f->ear[0].frame[at + 2] == 64 && !memcmp(f->ear[0].frame + at + 16, "\xfd\0\0\x77\0\0\0\0", 8);
    assert_true(found);
}

static void user_networks_refuse_what_cannot_be(void **state)
{
    static const char *const bad[] = {"user,id=u,net=10.0.2",         "user,id=u,net=10.0.2.0/31", "user,id=u,dns=10.1.1.1",
                                      "user,id=u,host=frob",          "user,id=u,host=10.0.2.3",   "user,id=u,hostfwd=frob",
                                      "user,id=u,restrict=sometimes", "user,id=u,hostfw=tcp::1-:1",
                                      "user,id=u,ipv6-net=10.0.2.0/24", "user,id=u,ipv6-net=fec0::/", "user,id=u,ipv6-net=fec0::/200",
                                      "user,id=u,ipv6-host=frob",     "user,id=u,guestfwd=tcp:10.0.2.9:1-", "user,id=u,guestfwd=tcp:10.0.2.9:1-file:x",
                                      "user,id=u,guestfwd=udp:10.0.2.9:1-cmd:cat", "user,id=u,guestfwd=tcp::1-cmd:cat"};
    struct fixture *f = *state;
    if (!net_has_user())
        skip();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_not_equal(net_add(f->net, bad[i], &f->err), EMU_OK);
}

/* Random bytes as frames: a guest may send anything. */
static void garbage_does_no_harm(void **state)
{
    struct fixture *f = *state;
    uint32_t seed = 99;
    add(f, net_has_user() ? "user,id=u" : "hubport,id=u");
    struct netdev *nd = plug(f, "u", &f->ear[0]);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t frame[1600];
        for (size_t k = 0; k < sizeof(frame); k++) {
            seed = seed * 1664525 + 1013904223;
            frame[k] = (uint8_t)(seed >> 24);
        }
        memcpy(frame + 12, i & 1 ? "\x08\x00\x45" : i & 2 ? "\x08\x06\x00" : "\x86\xdd\x60", 3);
        netdev_send(nd, frame, seed >> 8 & 0x5ff);
        f->now += 1000000;
    }
    net_poll(f->net);
    assert_true(nd->out > 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(words_are_split_and_commas_doubled),
        TEST(wrong_specifications_get_a_sentence),
        TEST(a_hub_sends_to_all_others),
        TEST(loops_of_hubs_end),
        TEST(streams_carry_frames_both_ways),
        TEST(a_stream_survives_its_peers),
        TEST(a_client_finds_its_server_again),
        TEST(a_full_stream_drops_and_counts),
        TEST(an_interface_that_dies_is_tried_again),
        TEST(datagrams_carry_frames),
        TEST(datagrams_for_nobody_are_counted_and_said_once),
        TEST(a_pulled_cable_carries_nothing),
        TEST(frames_go_to_a_pcap_file),
        TEST(the_gateway_answers_arp),
        TEST(a_datagram_reaches_a_socket_of_the_host_and_its_answer_comes_back),
        TEST(forwardings_are_added_and_removed),
        TEST(the_prefix_of_ipv6_is_advertised),
        TEST(user_networks_refuse_what_cannot_be),
        TEST(garbage_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
