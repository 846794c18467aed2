/*
 * The switch's sockets: peers in QEMU's stream format (docs/system/... "-netdev stream"), back ends of our
 * own, uplinks, and peers that misbehave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "machine/compiler.h"
#include "net/net.h"
#include "net/netdev.h"
#include "net/switch_server.h"

struct fixture {
    struct switch_server *s;
    struct net *net; /* of a guest */
    struct error err;
    char dir[64], said[4000], text[4000];
    unsigned frames, links;
    bool link;
    uint8_t frame[NET_MAX_FRAME];
    size_t len;
};

static void append(char *to, size_t size, const char *line)
{
    size_t n = strlen(to);
    snprintf(to + n, size - n, "%s\n", line);
}

static void say(void *arg, const char *line) { append(((struct fixture *)arg)->said, sizeof(((struct fixture *)0)->said), line); }
static void show(void *arg, const char *line) { append(((struct fixture *)arg)->text, sizeof(((struct fixture *)0)->text), line); }
static vtime now(void *arg) { return ((struct fixture *)arg)->frames + 1; }

static void hear(void *arg, const uint8_t *frame, size_t len)
{
    struct fixture *f = arg;
    f->frames++;
    f->len = len;
    memcpy(f->frame, frame, len);
}

static void on_link(void *arg, bool up)
{
    struct fixture *f = arg;
    f->links++;
    f->link = up;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct net_host host = {.arg = f, .now = now, .say = say};
    strcpy(f->dir, "/tmp/retrace-switch-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(switch_server_new(say, f, &f->s, &f->err), EMU_OK);
    assert_int_equal(net_new(&host, &f->net, &f->err), EMU_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[100];
    net_free(f->net);
    switch_server_free(f->s);
    snprintf(command, sizeof(command), "rm -r %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void port(struct fixture *f, const char *settings)
{
    char spec[200];
    snprintf(spec, sizeof(spec), "%s/%s", f->dir, settings);
    if (switch_server_port(f->s, spec, &f->err))
        fail_msg("%s", f->err.text);
}

static void turn(struct fixture *f)
{
    for (unsigned i = 0; i < 10; i++) {
        switch_server_poll(f->s, 0);
        net_poll(f->net);
    }
}

static int join(struct fixture *f, const char *name)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", f->dir, name);
    assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    turn(f);
    return fd;
}

/* Broadcast from station 52:54:00:00:00:FROM, `tag` 0: none. */
static size_t wire_frame(uint8_t *to, uint8_t from, uint32_t tag, size_t len)
{
    const uint8_t head[] = {0, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, 255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 0, 0, from};
    memset(to, 0x33, len + 4);
    memcpy(to, head, sizeof(head));
    for (unsigned i = 0; i < 4 && tag; i++)
        to[16 + i] = (uint8_t)(tag >> (24 - 8 * i));
    return len + 4;
}

static void send_frame(struct fixture *f, int fd, uint8_t from, uint32_t tag, size_t len)
{
    static uint8_t wire[NET_MAX_FRAME + 4];
    size_t n = wire_frame(wire, from, tag, len);
    for (size_t at = 0; at < n;) {
        ssize_t w = send(fd, wire + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        at += w > 0 ? (size_t)w : 0;
        turn(f);
    }
}

/* What waits at a socket. */
static size_t waiting(int fd, uint8_t *to, size_t size)
{
    ssize_t n = recv(fd, to, size, MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}

static void peers_of_a_vlan_hear_each_other(void **state)
{
    struct fixture *f = *state;
    uint8_t got[300], expected[64];
    port(f, "ten,vlan=10");
    port(f, "twenty,vlan=20");
    port(f, "trunk,trunk=10+20");
    int a = join(f, "ten"), b = join(f, "ten"), c = join(f, "twenty"), t = join(f, "trunk");
    send_frame(f, a, 1, 0, 60);
    wire_frame(expected, 1, 0, 60);
    assert_int_equal(waiting(b, got, sizeof(got)), 64);
    assert_memory_equal(got, expected, 64);
    assert_int_equal(waiting(c, got, sizeof(got)), 0);
    assert_int_equal(waiting(t, got, sizeof(got)), 68);
    assert_memory_equal(got, "\0\0\0\x40", 4);
    assert_memory_equal(got + 16, "\x81\0\0\x0a", 4);
    send_frame(f, t, 9, 0x81000014, 64);
    assert_int_equal(waiting(c, got, sizeof(got)), 64);
    assert_int_equal(waiting(a, got, sizeof(got)) + waiting(b, got, sizeof(got)), 0);
    switch_server_show(f->s, "show macs", show, f);
    assert_non_null(strstr(f->text, "52:54:00:00:00:01 vlan 10 port ten.1"));
    assert_non_null(strstr(f->text, "52:54:00:00:00:09 vlan 20 port trunk.1"));
    close(a), close(b), close(c), close(t);
}

static void frames_come_in_pieces_and_in_heaps(void **state)
{
    struct fixture *f = *state;
    uint8_t wire[64 * 3], got[300];
    port(f, "lan");
    int a = join(f, "lan"), b = join(f, "lan");
    for (unsigned i = 0; i < 3; i++)
        wire_frame(wire + 64 * i, (uint8_t)i, 0, 60);
    for (size_t at = 0; at < 64; at++) {
        assert_int_equal(write(a, wire + at, 1), 1);
        turn(f);
    }
    assert_int_equal(write(a, wire + 64, 100), 100);
    turn(f);
    assert_int_equal(write(a, wire + 164, 28), 28);
    turn(f);
    assert_int_equal(waiting(b, got, sizeof(got)), sizeof(wire));
    assert_memory_equal(got, wire, sizeof(wire));
    close(a), close(b);
}

static void impossible_lengths_are_hung_up_on_with_one_line(void **state)
{
    static const char *const bad[] = {"\0\0\0\0", "\0\1\x10\1", "\377\377\377\377", "GET "};
    struct fixture *f = *state;
    uint8_t got[10];
    port(f, "lan");
    int b = join(f, "lan");
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        int a = join(f, "lan");
        f->said[0] = 0;
        assert_int_equal(write(a, bad[i], 4), 4);
        turn(f);
        assert_int_equal(recv(a, got, sizeof(got), MSG_DONTWAIT), 0);
        assert_non_null(strstr(f->said, "impossible"));
        assert_ptr_equal(strchr(f->said, '\n'), f->said + strlen(f->said) - 1);
        close(a);
    }
    assert_int_equal(recv(b, got, sizeof(got), MSG_DONTWAIT), -1); /* others do not notice */
    int a = join(f, "lan");
    send_frame(f, a, 1, 0, 65536); /* long, but a frame: dropped and counted */
    send_frame(f, a, 1, 0, 60);
    switch_server_show(f->s, "show ports", show, f);
    assert_non_null(strstr(f->text, "dropped giant=1"));
    close(a), close(b);
}

static void a_peer_that_does_not_read_loses_frames_and_stops_nobody(void **state)
{
    struct fixture *f = *state;
    static uint8_t got[70000];
    port(f, "lan");
    int a = join(f, "lan"), deaf = join(f, "lan"), c = join(f, "lan");
    size_t heard = 0;
    for (unsigned i = 0; i < 1000; i++) {
        send_frame(f, a, 1, 0, 1514);
        heard += waiting(c, got, sizeof(got));
    }
    assert_int_equal(heard, 1000 * 1518);
    switch_server_show(f->s, "show ports", show, f);
    const char *line = strstr(f->text, "lan.2");
    assert_non_null(line);
    assert_non_null(strstr(line, "dropped full="));
    assert_true(strstr(line, "dropped full=") < strchr(line, '\n'));
    for (heard = 0; (size_t)recv(deaf, got, 1518, MSG_DONTWAIT | MSG_WAITALL) == 1518; heard++) /* what it reads at last is whole */
        assert_memory_equal(got, "\0\0\5\xea\377\377\377\377\377\377\x52\x54", 12);
    assert_true(heard > 10);
    close(a), close(deaf), close(c);
}

static void too_many_peers_are_turned_away(void **state)
{
    struct fixture *f = *state;
    uint8_t got[1];
    port(f, "lan,max=2,name=office");
    int a = join(f, "lan"), b = join(f, "lan"), c = join(f, "lan");
    assert_int_equal(recv(c, got, 1, MSG_DONTWAIT), 0);
    assert_non_null(strstr(f->said, "port office: no room"));
    close(a);
    turn(f);
    int d = join(f, "lan");
    assert_int_equal(recv(d, got, 1, MSG_DONTWAIT), -1);
    close(b), close(c), close(d);
}

static struct netdev *guest(struct fixture *f, const char *words)
{
    char spec[200];
    struct netdev *nd = NULL;
    snprintf(spec, sizeof(spec), "switch,id=n,path=%s/%s", f->dir, words);
    if (net_add(f->net, spec, &f->err) || net_connect(f->net, "n", hear, f, &nd, &f->err))
        fail_msg("%s", f->err.text);
    f->link = netdev_link(nd);
    netdev_watch_link(nd, on_link);
    return nd;
}

/* A switch that dies is one line and a dead link; it is found again when it returns. */
static void a_guest_loses_its_link_and_gets_it_back(void **state)
{
    struct fixture *f = *state;
    uint8_t wire[64];
    struct netdev *nd = guest(f, "lan"); /* no switch yet */
    assert_false(f->link);
    assert_non_null(strstr(f->said, "network n: nobody answers"));
    netdev_send(nd, wire, 60);
    assert_int_equal(nd->lost, 1);
    port(f, "lan");
    for (unsigned i = 0; i < 150 && !f->link; i++) {
        usleep(20000);
        turn(f);
    }
    assert_true(f->link);
    int a = join(f, "lan");
    send_frame(f, a, 1, 0, 60);
    assert_int_equal(f->frames, 1);
    switch_server_free(f->s);
    f->said[0] = 0;
    for (unsigned i = 0; i < 60; i++) {
        net_poll(f->net);
        usleep(20000);
    }
    assert_false(f->link);
    assert_string_equal(f->said, "network n: the other side is gone; trying again\n");
    assert_int_equal(f->links, 2);
    assert_int_equal(switch_server_new(say, f, &f->s, &f->err), EMU_OK);
    port(f, "lan");
    for (unsigned i = 0; i < 150 && !f->link; i++) {
        usleep(20000);
        turn(f);
    }
    assert_true(f->link);
    wire_frame(wire, 7, 0, 60);
    netdev_send(nd, wire + 4, 60);
    turn(f);
    switch_server_show(f->s, "show macs", show, f);
    assert_non_null(strstr(f->text, "52:54:00:00:00:07 vlan 1 port lan.1"));
    close(a);
}

/* libslirp answers an ARP request (RFC 826) on the VLAN it is in, and on no other. */
static void an_uplink_belongs_to_its_vlan(void **state)
{
    struct fixture *f = *state;
    static const uint8_t request[64] = {0, 0, 0, 60, 255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
                                        0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2};
    uint8_t got[300];
    if (!net_has_user())
        skip();
    port(f, "ten,vlan=10");
    port(f, "twenty,vlan=20");
    assert_int_equal(switch_server_uplink(f->s, "user,vlan=10,ipv6=off,name=nat", &f->err), EMU_OK);
    int a = join(f, "ten"), b = join(f, "twenty");
    assert_int_equal(write(b, request, 64), 64);
    turn(f);
    assert_int_equal(waiting(b, got, sizeof(got)), 0);
    assert_int_equal(write(a, request, 64), 64);
    turn(f);
    assert_true(waiting(a, got, sizeof(got)) >= 64);
    assert_memory_equal(got + 4 + 28, "\12\0\2\2", 4);
    switch_server_show(f->s, "show ports", show, f);
    assert_non_null(strstr(f->text, "nat: vlan=10, 1 in (64 bytes), 1 out"));
    close(a), close(b);
}

/* pcap-savefile(5): 24 bytes, then 16 before each frame. */
static void a_file_gets_every_frame_with_its_vlan(void **state)
{
    struct fixture *f = *state;
    char spec[200];
    uint8_t file[300];
    snprintf(spec, sizeof(spec), "pcap,file=%s/x.pcap", f->dir);
    assert_int_equal(switch_server_uplink(f->s, spec, &f->err), EMU_OK);
    port(f, "ten,vlan=10");
    int a = join(f, "ten");
    send_frame(f, a, 1, 0, 60);
    snprintf(spec, sizeof(spec), "%s/x.pcap", f->dir);
    FILE *in = fopen(spec, "rb");
    assert_int_equal(fread(file, 1, sizeof(file), in), 24 + 16 + 64);
    fclose(in);
    assert_memory_equal(file + 40 + 12, "\x81\0\0\x0a", 4);
    close(a);
}

static size_t asked(struct fixture *f, const char *question)
{
    int fd = join(f, "ctl");
    size_t n = 0;
    ssize_t got;
    assert_int_equal(write(fd, question, strlen(question)), (ssize_t)strlen(question));
    for (unsigned i = 0; i < 20; i++) {
        turn(f);
        got = recv(fd, f->text + n, sizeof(f->text) - 1 - n, MSG_DONTWAIT);
        n += got > 0 ? (size_t)got : 0;
    }
    assert_int_equal(recv(fd, f->text + n, 1, MSG_DONTWAIT), 0);
    f->text[n] = 0;
    close(fd);
    return n;
}

static void the_control_socket_answers(void **state)
{
    struct fixture *f = *state;
    char path[100], line[400];
    snprintf(path, sizeof(path), "%s/ctl", f->dir);
    assert_int_equal(switch_server_control(f->s, path, &f->err), EMU_OK);
    port(f, "lan");
    int a = join(f, "lan");
    assert_true(asked(f, "show ports\n") > 0);
    assert_memory_equal(f->text, "lan.1: vlan=1, 0 in", 19);
    assert_true(asked(f, "help\r\n") > 0);
    assert_true(asked(f, "frob\n") > 0);
    assert_memory_equal(f->text, "error:", 6);
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = 0;
    int fd = join(f, "ctl"); /* a line without end is hung up on */
    assert_int_equal(write(fd, line, 399), 399);
    turn(f);
    assert_true(recv(fd, line, 1, MSG_DONTWAIT) <= 0);
    close(fd);
    for (unsigned i = 0; i < 20; i++)
        close(join(f, "ctl"));
    assert_true(asked(f, "show macs\nmore") == 0);
    close(a);
}

static void wrong_settings_get_a_sentence(void **state)
{
    static const char *const ports[] = {"",           ",vlan=1",      "x,vlan=0",        "x,vlan=4095",     "x,vlan=1x", "x,trunk=",
                                        "x,trunk=5-", "x,native=3",   "x,vlan=1,trunk=2", "x,frob=1",        "x,max=0",   "x,max=1000",
                                        "tcp:x",      "x,native=0,trunk=all", "/nowhere/at/all", "x=y"};
    static const char *const uplinks[] = {"", "frob", "pcap", "pcap,file=/nowhere/x", "user,frob=1", "tap,ifname=averyverylongname0", "user,vlan=x"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        f->err.text[0] = 0;
        assert_int_not_equal(switch_server_port(f->s, ports[i], &f->err), EMU_OK);
        assert_true(strlen(f->err.text) > 10);
    }
    for (size_t i = 0; i < ARRAY_LEN(uplinks); i++) {
        f->err.text[0] = 0;
        assert_int_not_equal(switch_server_uplink(f->s, uplinks[i], &f->err), EMU_OK);
        assert_true(strlen(f->err.text) > 10);
    }
    port(f, "lan");
    char spec[100];
    snprintf(spec, sizeof(spec), "%s/lan", f->dir);
    assert_int_equal(switch_server_port(f->s, spec, &f->err), EMU_ARG); /* taken */
    assert_non_null(strstr(f->err.text, "already"));
}

/* TCP, as QEMU's -netdev socket,connect= joins. */
static void peers_join_over_tcp(void **state)
{
    struct fixture *f = *state;
    char spec[100];
    struct netdev *nd[2];
    static const uint8_t frame[60] = {255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 0, 0, 1, 8};
    int tcp = 20000 + (int)getpid() % 30000;
    snprintf(spec, sizeof(spec), "tcp:127.0.0.1:%d", tcp);
    assert_int_equal(switch_server_port(f->s, spec, &f->err), EMU_OK);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(spec, sizeof(spec), i ? "socket,id=b,connect=127.0.0.1:%d" : "switch,id=a,tcp=127.0.0.1:%d", tcp);
        assert_int_equal(net_add(f->net, spec, &f->err), EMU_OK);
        assert_int_equal(net_connect(f->net, i ? "b" : "a", hear, f, &nd[i], &f->err), EMU_OK);
    }
    turn(f);
    netdev_send(nd[0], frame, sizeof(frame));
    turn(f);
    assert_int_equal(f->frames, 1);
    assert_int_equal(nd[1]->in, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(peers_of_a_vlan_hear_each_other),
        TEST(frames_come_in_pieces_and_in_heaps),
        TEST(impossible_lengths_are_hung_up_on_with_one_line),
        TEST(a_peer_that_does_not_read_loses_frames_and_stops_nobody),
        TEST(too_many_peers_are_turned_away),
        TEST(a_guest_loses_its_link_and_gets_it_back),
        TEST(an_uplink_belongs_to_its_vlan),
        TEST(a_file_gets_every_frame_with_its_vlan),
        TEST(the_control_socket_answers),
        TEST(wrong_settings_get_a_sentence),
        TEST(peers_join_over_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
