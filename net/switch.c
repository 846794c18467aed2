/*
 * The switch itself. See switch.h; IEEE 802.1Q-2018 is cited as .1Q.
 *
 * A frame is classified into a VLAN where it comes in (.1Q 6.9.1) and is from there on without its tag; a
 * tag is put on, or not, at each port where it goes out (.1Q 6.9.2). What keeps VLANs apart: no frame leaves
 * an access port with a tag, and the first tag of one that leaves a trunk is that of the VLAN it is in.
 */
#include "net/switch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ADDRESSES = 12, /* destination and source */
    TAG = 4,
    HEADER = ADDRESSES + 2,
    C_TAG = 0x8100,
    S_TAG = 0x88a8, /* .1Q table 9-1 */
    OLD_TAG = 0x9100,
    VID = 0xfff,
    BUCKETS = 1 << 15,
    ENTRIES = SWITCH_PORTS * SWITCH_MACS,
    MAX_DEPTH = 4, /* an uplink may answer while it is sent to */
    SWEEP = 10,    /* seconds */
};

const char *const switch_drop_names[SWITCH_DROPS] = {"runt", "giant", "source", "reserved", "vlan", "tags", "full"};

struct mac_entry {
    uint64_t seen;
    int32_t next; /* of the bucket, or of the free ones; -1 ends */
    uint16_t vlan, port;
    uint8_t mac[6];
};

struct switch_port {
    bool open;
    unsigned macs;
    char name[48];
    struct switch_mode mode;
    struct switch_counters count;
};

struct eth_switch {
    struct switch_host host;
    uint64_t now, swept;
    uint32_t ageing;
    unsigned ports; /* one more than the highest that was ever open */
    unsigned depth;
    int32_t free_entry;
    int32_t entries; /* one more than the highest that was ever used */
    struct switch_port port[SWITCH_PORTS];
    int32_t bucket[BUCKETS];
    struct mac_entry entry[ENTRIES];
};

/* A frame on its way: `body` is what follows the addresses and the tag. */
struct passing {
    const uint8_t *addresses, *body;
    size_t body_len;
    unsigned vlan, from;
    uint16_t priority; /* PCP and DEI, where they are in a tag */
};

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static bool is_tag(unsigned type) { return type == C_TAG || type == S_TAG || type == OLD_TAG; }
static bool is_group(const uint8_t *mac) { return mac[0] & 1; }

/* --- modes --- */

bool switch_mode_has(const struct switch_mode *mode, unsigned vlan)
{
    if (!mode->trunk)
        return vlan == mode->vlan;
    return vlan <= SWITCH_VLANS && (mode->allowed[vlan / 8] >> (vlan % 8) & 1);
}

static bool one_vlan(const char **text, unsigned long *vlan)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    *vlan = strtoul(*text, &end, 10);
    *text = end;
    return *vlan >= 1 && *vlan <= SWITCH_VLANS;
}

bool switch_parse_vlans(const char *text, struct switch_mode *mode)
{
    unsigned long first, last;
    if (strcmp(text, "all") == 0)
        text = "1-4094";
    for (;; text++) {
        if (!one_vlan(&text, &first))
            return false;
        last = first;
        if (*text == '-' && (text++, !one_vlan(&text, &last)))
            return false;
        if (last < first)
            return false;
        for (unsigned long v = first; v <= last; v++)
            mode->allowed[v / 8] |= (uint8_t)(1u << (v % 8));
        if (!*text)
            return true;
        if (*text != '+')
            return false;
    }
}

/* --- addresses --- */

static uint32_t bucket_of(unsigned vlan, const uint8_t *mac)
{
    uint32_t h = vlan * 0x9e3779b1u;
    for (unsigned i = 0; i < 6; i++)
        h = (h ^ mac[i]) * 0x01000193u;
    return (h ^ h >> 15) % BUCKETS;
}

static bool is_old(const struct eth_switch *sw, const struct mac_entry *e) { return sw->now - e->seen >= sw->ageing; }

static int32_t find_entry(const struct eth_switch *sw, unsigned vlan, const uint8_t *mac)
{
    int32_t i = sw->bucket[bucket_of(vlan, mac)];
    while (i >= 0 && (sw->entry[i].vlan != vlan || memcmp(sw->entry[i].mac, mac, 6) != 0))
        i = sw->entry[i].next;
    return i;
}

static void forget(struct eth_switch *sw, int32_t i)
{
    struct mac_entry *e = &sw->entry[i];
    int32_t *link = &sw->bucket[bucket_of(e->vlan, e->mac)];
    while (*link != i)
        link = &sw->entry[*link].next;
    *link = e->next;
    sw->port[e->port].macs--;
    *e = (struct mac_entry){.next = sw->free_entry};
    sw->free_entry = i;
}

/* Of one port (SWITCH_PORTS: of all), the old ones or all. */
static void forget_many(struct eth_switch *sw, unsigned port, bool old_only)
{
    for (int32_t i = 0; i < sw->entries; i++) {
        const struct mac_entry *e = &sw->entry[i];
        if (e->vlan && (port == SWITCH_PORTS || e->port == port) && (!old_only || is_old(sw, e)))
            forget(sw, i);
    }
}

/* .1Q 8.7: a station that moved is where it was seen last. */
static void learn(struct eth_switch *sw, const struct passing *f)
{
    const uint8_t *mac = f->addresses + 6;
    struct switch_port *p = &sw->port[f->from];
    int32_t i = find_entry(sw, f->vlan, mac);
    if (i >= 0 && sw->entry[i].port == f->from) {
        sw->entry[i].seen = sw->now;
        return;
    }
    if (p->macs >= SWITCH_MACS || (i < 0 && sw->free_entry < 0)) {
        p->count.unlearned++;
        return;
    }
    if (i >= 0)
        forget(sw, i);
    i = sw->free_entry;
    sw->free_entry = sw->entry[i].next;
    if (sw->entries <= i)
        sw->entries = i + 1;
    int32_t *bucket = &sw->bucket[bucket_of(f->vlan, mac)];
    sw->entry[i] = (struct mac_entry){sw->now, *bucket, (uint16_t)f->vlan, (uint16_t)f->from, {0}};
    memcpy(sw->entry[i].mac, mac, 6);
    *bucket = i;
    p->macs++;
}

int switch_where(const struct eth_switch *sw, unsigned vlan, const uint8_t mac[6])
{
    int32_t i = find_entry(sw, vlan, mac);
    return i < 0 || is_old(sw, &sw->entry[i]) ? -1 : sw->entry[i].port;
}

/* --- coming in --- */


/* .1Q 6.9.1. SWITCH_DROPS: it may pass. */
static enum switch_drop classify(const struct switch_mode *m, const uint8_t *frame, size_t len, struct passing *f)
{
    static const uint8_t reserved[5] = {0x01, 0x80, 0xc2, 0, 0};
    if (len < HEADER)
        return DROP_RUNT;
    bool tagged = get16(frame + ADDRESSES) == C_TAG;
    size_t start = tagged ? ADDRESSES + TAG : ADDRESSES;
    if (len < start + 2)
        return DROP_RUNT;
    if (len - start + ADDRESSES > SWITCH_MAX_FRAME)
        return DROP_GIANT;
    if (is_group(frame + 6))
        return DROP_SOURCE;
    if (memcmp(frame, reserved, 5) == 0 && frame[5] < 0x10)
        return DROP_RESERVED;
    f->addresses = frame;
    f->body = frame + start;
    f->body_len = len - start;
    unsigned tci = tagged ? get16(frame + HEADER) : 0;
    f->priority = (uint16_t)(tci & ~(unsigned)VID);
    f->vlan = tci & VID;
    if (f->vlan == 0) { /* no tag, or one for the priority alone: .1Q table 9-2 */
        if (is_tag(get16(f->body)))
            return DROP_TAGS; /* it would become the first */
        f->vlan = m->vlan;
        return f->vlan ? SWITCH_DROPS : DROP_VLAN;
    }
    return m->trunk && switch_mode_has(m, f->vlan) ? SWITCH_DROPS : DROP_VLAN;
}

/* --- going out --- */

/* Both forms of a frame, made when the first port wants them. */
struct forms {
    size_t len[2]; /* 0: not made yet */
    uint8_t frame[2][SWITCH_MAX_FRAME + TAG];
};

static void make_form(struct forms *o, bool tagged, const struct passing *f)
{
    uint8_t *to = o->frame[tagged];
    memcpy(to, f->addresses, ADDRESSES);
    to += ADDRESSES;
    if (tagged) {
        unsigned tci = f->priority | f->vlan;
        const uint8_t tag[TAG] = {C_TAG >> 8, C_TAG & 0xff, (uint8_t)(tci >> 8), (uint8_t)tci};
        memcpy(to, tag, TAG);
        to += TAG;
    }
    memcpy(to, f->body, f->body_len);
    size_t len = (size_t)(to - o->frame[tagged]) + f->body_len;
    if (len < SWITCH_MIN_FRAME) { /* .1Q G.2.1: also what became short with its tag */
        memset(o->frame[tagged] + len, 0, SWITCH_MIN_FRAME - len);
        len = SWITCH_MIN_FRAME;
    }
    o->len[tagged] = len;
}

static void transmit(struct eth_switch *sw, unsigned port, const struct passing *f, struct forms *o)
{
    struct switch_port *p = &sw->port[port];
    bool tagged = p->mode.trunk && f->vlan != p->mode.vlan;
    if (!tagged && is_tag(get16(f->body))) {
        p->count.drop[DROP_TAGS]++;
        return;
    }
    if (!o->len[tagged])
        make_form(o, tagged, f);
    if (!sw->host.send(sw->host.arg, port, o->frame[tagged], o->len[tagged])) {
        p->count.drop[DROP_FULL]++;
        return;
    }
    p->count.out++;
    p->count.out_bytes += o->len[tagged];
}

static bool wants(const struct switch_port *p, const struct passing *f)
{
    return p->open && switch_mode_has(&p->mode, f->vlan);
}

/* .1Q 8.8: to the port where the destination is, to all of the VLAN where that is not known. */
static void forward(struct eth_switch *sw, const struct passing *f)
{
    struct forms o = {.len = {0}};
    int to = is_group(f->addresses) ? -1 : switch_where(sw, f->vlan, f->addresses);
    if (to == (int)f->from)
        sw->port[f->from].count.filtered++;
    for (unsigned i = 0; i < sw->ports; i++) {
        bool here = sw->port[i].mode.monitor || (to < 0 ? i != f->from : (int)i == to && i != f->from);
        if (here && wants(&sw->port[i], f))
            transmit(sw, i, f, &o);
    }
}

void switch_frame(struct eth_switch *sw, unsigned port, const uint8_t *frame, size_t len)
{
    struct switch_port *p = &sw->port[port];
    struct passing f = {.from = port};
    if (!p->open || p->mode.monitor || sw->depth == MAX_DEPTH)
        return;
    p->count.in++;
    p->count.in_bytes += len;
    enum switch_drop why = classify(&p->mode, frame, len, &f);
    if (why != SWITCH_DROPS) {
        p->count.drop[why]++;
        return;
    }
    learn(sw, &f);
    sw->depth++;
    forward(sw, &f);
    sw->depth--;
}

/* --- the rest --- */

enum emu_err switch_new(const struct switch_host *host, struct eth_switch **out, struct error *err)
{
    struct eth_switch *sw = calloc(1, sizeof(*sw));
    if (!sw)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    sw->host = *host;
    sw->ageing = SWITCH_AGEING;
    for (unsigned i = 0; i < BUCKETS; i++)
        sw->bucket[i] = -1;
    for (int32_t i = 0; i < ENTRIES; i++)
        sw->entry[i].next = i + 1 < ENTRIES ? i + 1 : -1;
    *out = sw;
    return EMU_OK;
}

void switch_free(struct eth_switch *sw) { free(sw); }

int switch_open_port(struct eth_switch *sw, const char *name, const struct switch_mode *mode)
{
    unsigned i = 0;
    while (i < SWITCH_PORTS && sw->port[i].open)
        i++;
    if (i == SWITCH_PORTS)
        return -1;
    sw->port[i] = (struct switch_port){.open = true, .mode = *mode};
    snprintf(sw->port[i].name, sizeof(sw->port[i].name), "%s", name);
    if (mode->trunk && mode->vlan)
        sw->port[i].mode.allowed[mode->vlan / 8] |= (uint8_t)(1u << (mode->vlan % 8));
    if (sw->ports <= i)
        sw->ports = i + 1;
    return (int)i;
}

void switch_close_port(struct eth_switch *sw, unsigned port)
{
    if (sw->port[port].macs)
        forget_many(sw, port, false);
    sw->port[port].open = false;
}

const struct switch_counters *switch_counters(const struct eth_switch *sw, unsigned port)
{
    return &sw->port[port].count;
}

void switch_set_ageing(struct eth_switch *sw, uint32_t seconds) { sw->ageing = seconds; }

void switch_tick(struct eth_switch *sw, uint64_t seconds)
{
    if (seconds > sw->now)
        sw->now = seconds;
    if (sw->now - sw->swept < SWEEP)
        return;
    sw->swept = sw->now;
    forget_many(sw, SWITCH_PORTS, true);
}

/* --- for people --- */

static void print_mode(const struct switch_mode *m, char *text, size_t size)
{
    size_t n = 0;
    if (!m->trunk) {
        snprintf(text, size, "vlan=%u", m->vlan);
        return;
    }
    for (unsigned v = 1, last; v <= SWITCH_VLANS && n < size; v = last + 1) {
        for (last = v; last <= SWITCH_VLANS && switch_mode_has(m, last); last++)
            continue;
        if (last == v)
            continue;
        n += (size_t)snprintf(text + n, size - n, "%s%u", n ? "+" : "trunk=", v);
        if (--last > v && n < size)
            n += (size_t)snprintf(text + n, size - n, "-%u", last);
    }
    if (m->vlan && n < size)
        snprintf(text + n, size - n, ",native=%u", m->vlan);
}

static void print_drops(const struct switch_counters *c, char *text, size_t size)
{
    uint64_t sum = 0;
    size_t n = 0;
    for (unsigned i = 0; i < SWITCH_DROPS; i++)
        sum += c->drop[i];
    n += (size_t)snprintf(text, size, "%llu dropped", (unsigned long long)sum);
    for (unsigned i = 0; i < SWITCH_DROPS && n < size; i++) {
        if (c->drop[i])
            n += (size_t)snprintf(text + n, size - n, " %s=%llu", switch_drop_names[i], (unsigned long long)c->drop[i]);
    }
}

void switch_show_ports(const struct eth_switch *sw, switch_emit *emit, void *arg)
{
    for (unsigned i = 0; i < sw->ports; i++) {
        const struct switch_port *p = &sw->port[i];
        const struct switch_counters *c = &p->count;
        char mode[128] = "", drops[256], line[640];
        if (!p->open)
            continue;
        print_mode(&p->mode, mode, sizeof(mode));
        print_drops(c, drops, sizeof(drops));
        snprintf(line, sizeof(line), "%s: %s%s, %llu in (%llu bytes), %llu out (%llu bytes), %llu filtered, %s, %u addresses",
                 p->name, mode, p->mode.monitor ? ",monitor" : "", (unsigned long long)c->in,
                 (unsigned long long)c->in_bytes, (unsigned long long)c->out, (unsigned long long)c->out_bytes,
                 (unsigned long long)c->filtered, drops, p->macs);
        emit(arg, line);
    }
}

void switch_show_macs(const struct eth_switch *sw, switch_emit *emit, void *arg)
{
    for (int32_t i = 0; i < sw->entries; i++) {
        const struct mac_entry *e = &sw->entry[i];
        const uint8_t *m = e->mac;
        char line[128];
        if (!e->vlan || is_old(sw, e))
            continue;
        snprintf(line, sizeof(line), "%02x:%02x:%02x:%02x:%02x:%02x vlan %u port %s age %llu s", m[0], m[1], m[2], m[3],
                 m[4], m[5], e->vlan, sw->port[e->port].name, (unsigned long long)(sw->now - e->seen));
        emit(arg, line);
    }
}
