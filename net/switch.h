/*
 * An Ethernet switch: learning, flooding, ageing, VLANs (IEEE 802.1Q-2018 clauses 6.9, 8.6 to 8.8). This
 * is the switch alone, without sockets and clocks: frames come in by switch_frame(), go out by `send`, time
 * is what switch_tick() says. net/switch_server.c puts peers on its ports; docs/NETWORK.md has the rules.
 *
 * NOT MODELLED: spanning tree (a loop of switches is the user's to avoid), link aggregation, GVRP, ingress
 * limits, provider bridges (S-tags are dropped).
 */
#ifndef NET_SWITCH_H
#define NET_SWITCH_H

#include "machine/error.h"
#include "machine/types.h"

enum {
    SWITCH_PORTS = 128,
    SWITCH_MACS = 1024,      /* addresses learned on one port: none can push out another's */
    SWITCH_AGEING = 300,     /* seconds, 802.1Q table 8-6 */
    SWITCH_MIN_FRAME = 60,   /* without CRC; shorter ones are filled up */
    SWITCH_MAX_FRAME = 9216, /* without CRC and tag */
    SWITCH_VLANS = 4094,     /* 0 is "none", 4095 reserved: 802.1Q table 9-2 */
};

/* How a port is set: an access port of `vlan`, or a trunk with the VLANs of `allowed`, tagged, but for
 * `vlan`, which goes untagged (0: untagged frames are dropped). */
struct switch_mode {
    bool trunk, monitor; /* monitor: a copy of every frame goes out, none comes in */
    uint16_t vlan;
    uint8_t allowed[(SWITCH_VLANS + 2) / 8];
};

enum switch_drop {
    DROP_RUNT,     /* too short for its addresses, type and tag */
    DROP_GIANT,    /* longer than SWITCH_MAX_FRAME */
    DROP_SOURCE,   /* the source is a group */
    DROP_RESERVED, /* for 01-80-C2-00-00-0x: never forwarded (802.1Q table 8-1) */
    DROP_VLAN,     /* tagged on an access port, not allowed on this trunk, untagged without native VLAN */
    DROP_TAGS,     /* a second tag would become the first, or an S-tag */
    DROP_FULL,     /* the peer's queue is full */
    SWITCH_DROPS
};
extern const char *const switch_drop_names[SWITCH_DROPS];

struct switch_counters {
    uint64_t in, in_bytes, out, out_bytes;
    uint64_t filtered;  /* known to be where they came from */
    uint64_t unlearned; /* addresses beyond SWITCH_MACS */
    uint64_t drop[SWITCH_DROPS];
};

struct switch_host {
    void *arg;
    bool (*send)(void *arg, unsigned port, const uint8_t *frame, size_t len); /* false: no room */
};

struct eth_switch;
typedef void switch_emit(void *arg, const char *line);

MUST_CHECK enum emu_err switch_new(const struct switch_host *host, struct eth_switch **out, struct error *err);
void switch_free(struct eth_switch *sw); /* NULL is nothing */
/* The number of a new port, -1: all are taken. Closing forgets its addresses and counters. */
int switch_open_port(struct eth_switch *sw, const char *name, const struct switch_mode *mode);
void switch_close_port(struct eth_switch *sw, unsigned port);
const struct switch_counters *switch_counters(const struct eth_switch *sw, unsigned port);

void switch_set_ageing(struct eth_switch *sw, uint32_t seconds);
void switch_tick(struct eth_switch *sw, uint64_t seconds); /* the time; it never goes back */
void switch_frame(struct eth_switch *sw, unsigned port, const uint8_t *frame, size_t len);
/* The port that `mac` was seen on in `vlan`; -1: none. */
int switch_where(const struct eth_switch *sw, unsigned vlan, const uint8_t mac[6]);

void switch_show_ports(const struct eth_switch *sw, switch_emit *emit, void *arg);
void switch_show_macs(const struct eth_switch *sw, switch_emit *emit, void *arg);

/* "10", or "10+20+30-39", or "all" into mode->allowed. */
bool switch_parse_vlans(const char *text, struct switch_mode *mode);
bool switch_mode_has(const struct switch_mode *mode, unsigned vlan);

#endif
