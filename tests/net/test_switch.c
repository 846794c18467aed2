/*
 * The switch alone: IEEE 802.1Q-2018 (".1Q"), IEEE 802.3 for frame sizes, and docs/NETWORK.md where the
 * standards leave a choice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/compiler.h"
#include "net/switch.h"

enum { PORTS = 8 };

struct fixture {
    struct eth_switch *sw;
    struct {
        unsigned frames;
        size_t len;
        uint8_t frame[SWITCH_MAX_FRAME + 4];
        bool full;
    } port[SWITCH_PORTS];
    char text[4000];
};

static bool hear(void *arg, unsigned port, const uint8_t *frame, size_t len)
{
    struct fixture *f = arg;
    if (f->port[port].full)
        return false;
    assert_true(len <= sizeof(f->port[port].frame));
    f->port[port].frames++;
    f->port[port].len = len;
    memcpy(f->port[port].frame, frame, len);
    return true;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error err;
    struct switch_host host = {f, hear};
    assert_int_equal(switch_new(&host, &f->sw, &err), EMU_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    switch_free(f->sw);
    free(f);
    return 0;
}

static int access_port(struct fixture *f, unsigned vlan)
{
    struct switch_mode m = {.vlan = (uint16_t)vlan};
    return switch_open_port(f->sw, "access", &m);
}

static int trunk_port(struct fixture *f, const char *vlans, unsigned native)
{
    struct switch_mode m = {.trunk = true, .vlan = (uint16_t)native};
    assert_true(switch_parse_vlans(vlans, &m));
    return switch_open_port(f->sw, "trunk", &m);
}

static void clear(struct fixture *f)
{
    for (unsigned i = 0; i < SWITCH_PORTS; i++)
        f->port[i].frames = 0;
}

/* Stations are numbers: 52:54:00:00:00:NN; 255 is everybody. */
static void address(uint8_t *to, unsigned n)
{
    static const uint8_t maker[5] = {0x52, 0x54, 0, 0, 0};
    if (n == 255) {
        memset(to, 0xff, 6);
        return;
    }
    memcpy(to, maker, 5);
    to[5] = (uint8_t)n;
}

/* `tags`: up to two 32-bit tags (TPID, TCI), 0 ends. */
static size_t build(uint8_t *frame, unsigned to, unsigned from, uint32_t tag1, uint32_t tag2, size_t len)
{
    size_t at = 12;
    const uint32_t tags[2] = {tag1, tag2};
    memset(frame, 0xab, len);
    address(frame, to);
    address(frame + 6, from);
    for (unsigned i = 0; i < 2 && tags[i]; i++) {
        for (unsigned b = 0; b < 4; b++)
            frame[at++] = (uint8_t)(tags[i] >> (24 - 8 * b));
    }
    frame[at] = 8;
    frame[at + 1] = 0;
    return len;
}

static void send(struct fixture *f, int port, unsigned to, unsigned from)
{
    uint8_t frame[64];
    switch_frame(f->sw, (unsigned)port, frame, build(frame, to, from, 0, 0, sizeof(frame)));
}

static void send_tagged(struct fixture *f, int port, unsigned to, unsigned from, uint32_t tag1, uint32_t tag2)
{
    uint8_t frame[68];
    switch_frame(f->sw, (unsigned)port, frame, build(frame, to, from, tag1, tag2, sizeof(frame)));
}

static uint64_t drops(struct fixture *f, int port, enum switch_drop why)
{
    return switch_counters(f->sw, (unsigned)port)->drop[why];
}

/* .1Q 8.8: to all other ports while the destination is not known, then only to its port. */
static void unknown_destinations_are_flooded_and_learned_ones_are_not(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 1), b = access_port(f, 1), c = access_port(f, 1);
    send(f, a, 2, 1);
    assert_int_equal(f->port[a].frames, 0);
    assert_int_equal(f->port[b].frames, 1);
    assert_int_equal(f->port[c].frames, 1);
    send(f, b, 1, 2);
    assert_int_equal(f->port[a].frames, 1);
    assert_int_equal(f->port[c].frames, 1);
    send(f, a, 2, 1);
    assert_int_equal(f->port[b].frames, 2);
    assert_int_equal(f->port[c].frames, 1);
    send(f, a, 255, 1);
    assert_int_equal(f->port[b].frames, 3);
    assert_int_equal(f->port[c].frames, 2);
}

static void a_frame_for_its_own_port_is_filtered(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 1), b = access_port(f, 1);
    send(f, a, 255, 1);
    send(f, a, 255, 2); /* a hub behind port a */
    clear(f);
    send(f, a, 1, 2);
    assert_int_equal(f->port[a].frames + f->port[b].frames, 0);
    assert_int_equal(switch_counters(f->sw, (unsigned)a)->filtered, 1);
}

static void a_station_that_moves_is_found_at_its_new_port(void **state)
{
    static const uint8_t one[6] = {0x52, 0x54, 0, 0, 0, 1};
    struct fixture *f = *state;
    int a = access_port(f, 1), b = access_port(f, 1);
    send(f, a, 255, 1);
    assert_int_equal(switch_where(f->sw, 1, one), a);
    send(f, b, 255, 1);
    assert_int_equal(switch_where(f->sw, 1, one), b);
    switch_close_port(f->sw, (unsigned)b);
    assert_int_equal(switch_where(f->sw, 1, one), -1);
}

/* .1Q table 8-6: 300 s. */
static void addresses_are_forgotten_after_300_seconds(void **state)
{
    static const uint8_t one[6] = {0x52, 0x54, 0, 0, 0, 1};
    struct fixture *f = *state;
    int a = access_port(f, 1);
    access_port(f, 1);
    switch_tick(f->sw, 1000);
    send(f, a, 255, 1);
    switch_tick(f->sw, 1299);
    assert_int_equal(switch_where(f->sw, 1, one), a);
    switch_tick(f->sw, 1300);
    assert_int_equal(switch_where(f->sw, 1, one), -1);
    send(f, a, 255, 1);
    switch_tick(f->sw, 1599);
    send(f, a, 255, 1); /* seen again: another 300 s */
    switch_tick(f->sw, 1898);
    assert_int_equal(switch_where(f->sw, 1, one), a);
    switch_set_ageing(f->sw, 5);
    assert_int_equal(switch_where(f->sw, 1, one), -1);
}

static void vlans_do_not_hear_each_other(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 10), b = access_port(f, 10), c = access_port(f, 20), d = access_port(f, 20);
    send(f, a, 255, 1);
    send(f, c, 255, 3);
    assert_int_equal(f->port[b].frames, 1);
    assert_int_equal(f->port[d].frames, 1);
    send(f, a, 3, 1); /* known, but in the other VLAN */
    assert_int_equal(f->port[b].frames, 2);
    assert_int_equal(f->port[c].frames, 0);
    send(f, d, 255, 1); /* the same address in both VLANs is two stations: .1Q 8.8.8 */
    clear(f);
    send(f, b, 1, 2);
    assert_int_equal(f->port[a].frames, 1);
    assert_int_equal(f->port[d].frames, 0);
}

/* .1Q 9.6: TPID 8100, then PCP, DEI and VID, between source and type. */
static void a_trunk_carries_its_vlans_tagged(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 10), c = access_port(f, 20), x = access_port(f, 30), t = trunk_port(f, "10+20", 0);
    uint8_t frame[64], tagged[68];
    build(frame, 255, 1, 0, 0, sizeof(frame));
    build(tagged, 255, 1, 0x8100000a, 0, sizeof(tagged));
    send(f, a, 255, 1);
    assert_int_equal(f->port[t].len, 68);
    assert_memory_equal(f->port[t].frame, tagged, 68);
    send(f, x, 255, 7); /* not allowed there */
    assert_int_equal(f->port[t].frames, 1);
    send_tagged(f, t, 255, 1, 0x8100000a, 0);
    assert_int_equal(f->port[a].frames, 1);
    assert_int_equal(f->port[a].len, 64);
    assert_memory_equal(f->port[a].frame, frame, 64);
    send_tagged(f, t, 255, 5, 0x81000014, 0);
    assert_int_equal(f->port[c].frames, 1);
    send_tagged(f, t, 255, 5, 0x8100001e, 0); /* VLAN 30 */
    assert_int_equal(f->port[x].frames, 0);
    assert_int_equal(drops(f, t, DROP_VLAN), 1);
}

/* .1Q 6.9.1 and table 9-2: without a tag, or with VID 0, a frame is in the port's own VLAN. */
static void untagged_frames_on_a_trunk_are_in_its_native_vlan_or_dropped(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 10), t = trunk_port(f, "20", 10), u = trunk_port(f, "10", 0);
    send(f, u, 255, 1);
    assert_int_equal(f->port[a].frames, 0);
    assert_int_equal(drops(f, u, DROP_VLAN), 1);
    send(f, t, 255, 1);
    assert_int_equal(f->port[a].frames, 1);
    assert_int_equal(f->port[u].len, 68);
    send(f, a, 255, 2); /* and out of there without a tag */
    assert_int_equal(f->port[t].len, 64);
    send_tagged(f, t, 255, 1, 0x8100000a, 0); /* its tag is understood */
    assert_int_equal(f->port[a].frames, 2);
}

static void a_priority_tag_is_no_vlan_and_its_priority_stays(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 10), b = access_port(f, 10), t = trunk_port(f, "10", 0);
    uint8_t expected[68], untagged[64];
    build(expected, 255, 1, 0x8100b00a, 0, sizeof(expected)); /* PCP 5, DEI 1 */
    build(untagged, 255, 1, 0, 0, sizeof(untagged));
    send_tagged(f, a, 255, 1, 0x8100b000, 0);
    assert_int_equal(f->port[t].len, 68);
    assert_memory_equal(f->port[t].frame, expected, 68);
    assert_int_equal(f->port[b].len, 64);
    assert_memory_equal(f->port[b].frame, untagged, 64);
}

static void an_access_port_takes_no_tags(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 10), b = access_port(f, 10), c = access_port(f, 20);
    send_tagged(f, a, 255, 1, 0x81000014, 0);
    send_tagged(f, a, 255, 1, 0x8100000a, 0); /* nor its own VLAN's */
    assert_int_equal(f->port[b].frames + f->port[c].frames, 0);
    assert_int_equal(drops(f, a, DROP_VLAN), 2);
}

/* Table 9-2: VID 4095 is reserved. */
static void the_reserved_vlan_is_dropped(void **state)
{
    struct fixture *f = *state;
    int t = trunk_port(f, "all", 1), u = trunk_port(f, "all", 1);
    send_tagged(f, t, 255, 1, 0x81000fff, 0);
    assert_int_equal(drops(f, t, DROP_VLAN), 1);
    assert_int_equal(f->port[u].frames, 0);
    send_tagged(f, t, 255, 1, 0x81000ffe, 0);
    assert_int_equal(f->port[u].frames, 1);
}

/* The way out of a VLAN with two tags: the first is taken off, the second counts at the next switch. */
static void a_second_tag_never_becomes_the_first(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 10), t = trunk_port(f, "10+20", 0), u = trunk_port(f, "10+20", 0), n = trunk_port(f, "20", 10);
    send_tagged(f, t, 255, 1, 0x8100000a, 0x81000014);
    assert_int_equal(f->port[u].frames, 1); /* its tag stays on: what follows is the stations' own */
    assert_int_equal(f->port[u].len, 68);
    assert_memory_equal(f->port[u].frame + 12, "\x81\0\0\x0a\x81\0\0\x14", 8);
    assert_int_equal(f->port[a].frames, 0);
    assert_int_equal(drops(f, a, DROP_TAGS), 1);
    assert_int_equal(f->port[n].frames, 0); /* it would leave without the first */
    assert_int_equal(drops(f, n, DROP_TAGS), 1);
    clear(f);
    send_tagged(f, a, 255, 2, 0x8100000a, 0x81000014);
    send_tagged(f, a, 255, 2, 0x81000000, 0x81000014); /* a priority tag in front */
    send_tagged(f, n, 255, 3, 0x81000000, 0x81000014);
    assert_int_equal(f->port[t].frames + f->port[u].frames, 0);
    assert_int_equal(drops(f, a, DROP_TAGS), 1 + 1);
    assert_int_equal(drops(f, n, DROP_TAGS), 1 + 1);
}

/* .1Q table 9-1: 88A8; 9100 was used before it. */
static void service_tags_are_dropped(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 10), b = access_port(f, 10), t = trunk_port(f, "all", 10);
    send_tagged(f, a, 255, 1, 0x88a8000a, 0);
    send_tagged(f, a, 255, 1, 0x9100000a, 0);
    send_tagged(f, t, 255, 1, 0x88a8000a, 0x8100000a);
    send_tagged(f, t, 255, 1, 0x8100000a, 0x88a8000a);
    assert_int_equal(f->port[b].frames, 0);
    assert_int_equal(drops(f, a, DROP_TAGS), 2 + 1);
    assert_int_equal(drops(f, t, DROP_TAGS), 1 + 0);
}

/* 802.3 3.2.8: 64 bytes with CRC. Cards of emulators do not always fill up. */
static void short_frames_are_filled_up_and_runts_dropped(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 1), b = access_port(f, 1), t = trunk_port(f, "1", 0);
    uint8_t frame[68];
    for (size_t len = 0; len < 14; len++)
        switch_frame(f->sw, (unsigned)a, frame, len ? (build(frame, 255, 1, 0, 0, 20), len) : 0);
    assert_int_equal(drops(f, a, DROP_RUNT), 14);
    build(frame, 255, 1, 0x81000001, 0, 20);
    switch_frame(f->sw, (unsigned)t, frame, 17); /* no room for a type behind the tag */
    assert_int_equal(drops(f, t, DROP_RUNT), 1);
    assert_int_equal(f->port[b].frames, 0);
    switch_frame(f->sw, (unsigned)a, frame, build(frame, 255, 1, 0, 0, 14));
    assert_int_equal(f->port[b].len, 60);
    assert_int_equal(f->port[b].frame[59], 0);
    assert_int_equal(f->port[t].len, 60);
    switch_frame(f->sw, (unsigned)t, frame, build(frame, 255, 2, 0x81000001, 0, 60)); /* 56 without its tag */
    assert_int_equal(f->port[b].len, 60);
    assert_memory_equal(f->port[b].frame + 52, "\xab\xab\xab\xab\0\0\0\0", 8);
}

static void jumbo_frames_pass_and_giants_do_not(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 1), b = access_port(f, 1), t = trunk_port(f, "1", 0);
    static uint8_t frame[70000];
    switch_frame(f->sw, (unsigned)a, frame, build(frame, 255, 1, 0, 0, 9014));
    assert_int_equal(f->port[b].len, 9014);
    assert_int_equal(f->port[t].len, 9018);
    switch_frame(f->sw, (unsigned)a, frame, build(frame, 255, 1, 0, 0, SWITCH_MAX_FRAME));
    assert_int_equal(f->port[t].len, SWITCH_MAX_FRAME + 4);
    switch_frame(f->sw, (unsigned)t, frame, build(frame, 255, 1, 0x81000001, 0, SWITCH_MAX_FRAME + 4));
    assert_int_equal(f->port[b].frames, 3);
    switch_frame(f->sw, (unsigned)a, frame, build(frame, 255, 1, 0, 0, SWITCH_MAX_FRAME + 1));
    switch_frame(f->sw, (unsigned)a, frame, build(frame, 255, 1, 0, 0, sizeof(frame)));
    assert_int_equal(f->port[b].frames, 3);
    assert_int_equal(drops(f, a, DROP_GIANT), 2);
}

/* 802.3 3.2.3: a source is an individual address. .1Q table 8-1: 01-80-C2-00-00-00 to -0F stay on the cable. */
static void impossible_sources_and_reserved_destinations_are_dropped(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 1), b = access_port(f, 1);
    uint8_t frame[60];
    build(frame, 255, 255, 0, 0, sizeof(frame));
    switch_frame(f->sw, (unsigned)a, frame, sizeof(frame));
    assert_int_equal(drops(f, a, DROP_SOURCE), 1);
    build(frame, 255, 1, 0, 0, sizeof(frame));
    memcpy(frame, "\x01\x80\xc2\0\0\0", 6);
    for (unsigned i = 0; i < 18; i++) {
        frame[5] = (uint8_t)i;
        switch_frame(f->sw, (unsigned)a, frame, sizeof(frame));
    }
    assert_int_equal(drops(f, a, DROP_RESERVED), 16);
    assert_int_equal(f->port[b].frames, 2);
}

static void a_full_queue_is_counted_where_it_is(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 1), b = access_port(f, 1), c = access_port(f, 1);
    f->port[b].full = true;
    send(f, a, 255, 1);
    assert_int_equal(drops(f, b, DROP_FULL), 1);
    assert_int_equal(switch_counters(f->sw, (unsigned)b)->out, 0);
    assert_int_equal(f->port[c].frames, 1);
    assert_int_equal(switch_counters(f->sw, (unsigned)c)->out_bytes, 64);
    assert_int_equal(switch_counters(f->sw, (unsigned)a)->in_bytes, 64);
}

static void one_port_cannot_push_out_the_addresses_of_another(void **state)
{
    static const uint8_t one[6] = {0x52, 0x54, 0, 0, 0, 1};
    struct fixture *f = *state;
    int a = access_port(f, 1), b = access_port(f, 1);
    uint8_t frame[60];
    send(f, a, 255, 1);
    for (unsigned i = 0; i < 5000; i++) {
        build(frame, 255, 2, 0, 0, sizeof(frame));
        frame[8] = (uint8_t)i;
        frame[9] = (uint8_t)(i >> 8);
        frame[10] = 0x77;
        switch_frame(f->sw, (unsigned)b, frame, sizeof(frame));
    }
    assert_int_equal(switch_where(f->sw, 1, one), a);
    assert_int_equal(switch_counters(f->sw, (unsigned)b)->unlearned, 5000 - SWITCH_MACS);
    switch_tick(f->sw, 400); /* old ones make room */
    send(f, b, 255, 9);
    assert_int_equal(switch_counters(f->sw, (unsigned)b)->unlearned, 5000 - SWITCH_MACS);
}

static void a_monitor_port_sees_everything_and_sends_nothing(void **state)
{
    struct fixture *f = *state;
    struct switch_mode m = {.trunk = true, .monitor = true};
    assert_true(switch_parse_vlans("all", &m));
    int a = access_port(f, 10), b = access_port(f, 10), mon = switch_open_port(f->sw, "pcap", &m);
    send(f, a, 255, 1);
    send(f, b, 1, 2);
    assert_int_equal(f->port[mon].frames, 2); /* also what has one destination */
    assert_memory_equal(f->port[mon].frame + 12, "\x81\0\0\x0a", 4);
    clear(f);
    send(f, mon, 255, 3);
    assert_int_equal(f->port[a].frames + f->port[b].frames, 0);
}

static void ports_are_limited_and_used_again(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < SWITCH_PORTS; i++)
        assert_int_equal(access_port(f, 1), i);
    assert_int_equal(access_port(f, 1), -1);
    send(f, 7, 255, 1);
    switch_close_port(f->sw, 7);
    send(f, 7, 255, 1); /* a closed port takes nothing */
    assert_int_equal(f->port[6].frames, 1);
    assert_int_equal(access_port(f, 1), 7);
    assert_int_equal(switch_counters(f->sw, 7)->in, 0);
}

static void lists_of_vlans_are_read(void **state)
{
    static const char *const bad[] = {"", "0", "4095", "x", "1+", "1-", "5-4", "1,2", "+1", "99999999999999999999", "1 "};
    struct switch_mode m = {.trunk = true};
    (void)state;
    assert_true(switch_parse_vlans("1+3-5+4094", &m));
    assert_true(switch_mode_has(&m, 1) && !switch_mode_has(&m, 2) && switch_mode_has(&m, 3) && switch_mode_has(&m, 5));
    assert_true(switch_mode_has(&m, 4094) && !switch_mode_has(&m, 4093) && !switch_mode_has(&m, 0) && !switch_mode_has(&m, 4095));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct switch_mode n = {.trunk = true};
        assert_false(switch_parse_vlans(bad[i], &n));
    }
}

static void collect(void *arg, const char *line)
{
    struct fixture *f = arg;
    size_t n = strlen(f->text);
    snprintf(f->text + n, sizeof(f->text) - n, "%s\n", line);
}

static void ports_and_addresses_are_shown(void **state)
{
    struct fixture *f = *state;
    int a = access_port(f, 10);
    trunk_port(f, "10-12+20", 5);
    switch_tick(f->sw, 100);
    send(f, a, 255, 1);
    switch_tick(f->sw, 107);
    send_tagged(f, a, 255, 1, 0x8100000a, 0);
    switch_show_ports(f->sw, collect, f);
    switch_show_macs(f->sw, collect, f);
    assert_string_equal(f->text, "access: vlan=10, 2 in (132 bytes), 0 out (0 bytes), 0 filtered, 1 dropped vlan=1, 1 addresses\n"
                                 "trunk: trunk=5+10-12+20,native=5, 0 in (0 bytes), 1 out (68 bytes), 0 filtered, 0 dropped, 0 addresses\n"
                                 "52:54:00:00:00:01 vlan 10 port access age 7 s\n");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(unknown_destinations_are_flooded_and_learned_ones_are_not),
        TEST(a_frame_for_its_own_port_is_filtered),
        TEST(a_station_that_moves_is_found_at_its_new_port),
        TEST(addresses_are_forgotten_after_300_seconds),
        TEST(vlans_do_not_hear_each_other),
        TEST(a_trunk_carries_its_vlans_tagged),
        TEST(untagged_frames_on_a_trunk_are_in_its_native_vlan_or_dropped),
        TEST(a_priority_tag_is_no_vlan_and_its_priority_stays),
        TEST(an_access_port_takes_no_tags),
        TEST(the_reserved_vlan_is_dropped),
        TEST(a_second_tag_never_becomes_the_first),
        TEST(service_tags_are_dropped),
        TEST(short_frames_are_filled_up_and_runts_dropped),
        TEST(jumbo_frames_pass_and_giants_do_not),
        TEST(impossible_sources_and_reserved_destinations_are_dropped),
        TEST(a_full_queue_is_counted_where_it_is),
        TEST(one_port_cannot_push_out_the_addresses_of_another),
        TEST(a_monitor_port_sees_everything_and_sends_nothing),
        TEST(ports_are_limited_and_used_again),
        TEST(lists_of_vlans_are_read),
        TEST(ports_and_addresses_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
