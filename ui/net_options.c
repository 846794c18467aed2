/*
 * The options about networks: -netdev, -device, -nic, -net, -object. They become network cards of the
 * machine's configuration, and specifications that net_add() takes. docs/OPTIONS.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/nearest.h"
#include "net/netdev.h"
#include "ui/options.h"

enum { DEFAULT_IOBASE = 0x300, DEFAULT_IRQ = 9 };

static const char *const models[] = {"ne2k_isa", "ne2k_pci", "pcnet", NULL};
static const char *const model_help[] = {"NE2000, ISA: iobase=0x300,irq=9", "NE2000, PCI (RTL8029AS): romfile=F,bootindex=N",
                                         "AMD PCnet-PCI II (Am79C970A): romfile=F,bootindex=N"};

void print_nic_models(void)
{
    for (unsigned i = 0; models[i]; i++)
        printf("%-10s %s\n", models[i], model_help[i]);
}

/* --- back ends --- */

static enum emu_err add_netdev(struct options *o, const char *spec, struct error *err)
{
    o->network_given = true;
    if (o->netdevs == MAX_NETDEVS)
        return error_set(err, EMU_ARG, "more than %d network back ends", MAX_NETDEVS);
    o->netdev[o->netdevs++] = spec;
    return EMU_OK;
}

enum emu_err opt_netdev(struct options *o, const char *value, struct error *err) { return add_netdev(o, value, err); }

enum emu_err opt_object(struct options *o, const char *value, struct error *err)
{
    if (o->objects == MAX_NETDEVS)
        return error_set(err, EMU_ARG, "more than %d -object options", MAX_NETDEVS);
    o->object[o->objects++] = value;
    return EMU_OK;
}

/* A specification put together here: "KIND,id=ID" and words of `w` that are not used yet. */
static enum emu_err compose(struct options *o, const char *kind, const char *id, struct net_words *w, struct error *err)
{
    if (o->netdevs == MAX_NETDEVS)
        return error_set(err, EMU_ARG, "more than %d network back ends", MAX_NETDEVS);
    char *text = o->netdev_text[o->netdevs];
    size_t size = sizeof(o->netdev_text[0]), n = (size_t)snprintf(text, size, "%s,id=%s", kind, id);
    for (unsigned i = 0; w && i < w->count && n < size; i++) {
        if (w->word[i].used)
            continue;
        n += (size_t)snprintf(text + n, size - n, ",%s=", w->word[i].key);
        for (const char *p = w->word[i].value; *p && n + 2 < size; p++) { /* a comma goes doubled again */
            text[n++] = *p;
            if (*p == ',')
                text[n++] = ',';
            text[n] = 0;
        }
    }
    if (n + 2 >= size)
        return error_set(err, EMU_ARG, "%.100s...: that is too long", w ? w->what : kind);
    return add_netdev(o, text, err);
}

/* --- cards --- */

static enum emu_err parse_mac(const char *text, uint8_t mac[6], struct error *err)
{
    unsigned b[6];
    int end = 0;
    if (!text)
        return EMU_OK;
    int n = sscanf(text, "%2x%*[:-]%2x%*[:-]%2x%*[:-]%2x%*[:-]%2x%*[:-]%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end);
    if (n != 6 || text[end] || b[0] & 1)
        return error_set(err, EMU_ARG, "mac=%s is no address of a card such as 52:54:00:12:34:56", text);
    for (unsigned i = 0; i < 6; i++)
        mac[i] = (uint8_t)b[i];
    return EMU_OK;
}

/* A number among `allowed` (0 ends the list). */
static bool one_of(const char *text, unsigned long *value, const unsigned long *allowed)
{
    char *end;
    *value = strtoul(text, &end, 0);
    while (*allowed && *allowed != *value)
        allowed++;
    return *text && !*end && *allowed;
}

static enum emu_err isa_words(struct net_words *w, struct nic_config *nic, struct error *err)
{
    static const unsigned long ports[] = {0x200, 0x220, 0x240, 0x260, 0x280, 0x2a0, 0x2c0, 0x2e0,
                                          0x300, 0x320, 0x340, 0x360, 0x380, 0x3a0, 0x3c0, 0x3e0, 0};
    static const unsigned long irqs[] = {2, 3, 4, 5, 7, 9, 10, 11, 12, 15, 0};
    const char *iobase = net_word(w, "iobase"), *irq = net_word(w, "irq");
    unsigned long v = DEFAULT_IOBASE;
    if (iobase && !one_of(iobase, &v, ports))
        return error_set(err, EMU_ARG, "iobase=%s: use 0x200, 0x220 and so on up to 0x3e0", iobase);
    nic->iobase = (uint16_t)v;
    v = DEFAULT_IRQ;
    if (irq && !one_of(irq, &v, irqs))
        return error_set(err, EMU_ARG, "irq=%s: use 3, 4, 5, 7, 9, 10, 11, 12 or 15", irq);
    nic->irq = (uint8_t)(v == 2 ? 9 : v); /* the AT's bus has IRQ 9 on that pin */
    return EMU_OK;
}

/* `model` NIC_MODELS: what suits the board, which a later option may choose. */
static void default_card(const struct options *o, struct nic_config *nic, enum nic_model model)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    *nic = (struct nic_config){.model = model, .iobase = DEFAULT_IOBASE, .irq = DEFAULT_IRQ};
    memcpy(nic->mac, mac, sizeof(mac));
    nic->mac[5] = (uint8_t)(nic->mac[5] + o->cfg.nics);
}

static enum emu_err model_by_name(const char *name, enum nic_model *model, struct error *err)
{
    for (unsigned i = 0; models[i]; i++) {
        if (strcmp(models[i], name) == 0) {
            *model = (enum nic_model)i;
            return EMU_OK;
        }
    }
    return error_set(err, EMU_ARG, "there is no device \"%s\"; did you mean \"%s\"? (-device help lists all)", name,
                     nearest_word(name, models));
}

/* romfile= and bootindex=. */
static enum emu_err nic_boot_words(struct options *o, struct net_words *w, struct nic_config *nic, struct error *err)
{
    const char *rom = net_word(w, "romfile"), *at = net_word(w, "bootindex");
    char *end = NULL;
    unsigned long index = at ? strtoul(at, &end, 10) : 0;
    if (at && (!*at || *end || *at == '-' || index > 1000))
        return error_set(err, EMU_ARG, "bootindex=%s: use a number from 0, for the first, to 1000", at);
    nic->boot_priority = at ? (unsigned)index + 1 : 0;
    if (rom && strlen(rom) >= sizeof(o->nic_rom[0]))
        return error_set(err, EMU_ARG, "romfile=%.40s...: that is too long", rom);
    o->nic_rom_given[o->cfg.nics] = rom != NULL;
    snprintf(o->nic_rom[o->cfg.nics], sizeof(o->nic_rom[0]), "%s", rom ? rom : "");
    return EMU_OK;
}

/* Words of a card, in any of the options; what it does not know is left for others. */
static enum emu_err add_card(struct options *o, enum nic_model model, const char *netdev, struct net_words *w,
                             struct error *err)
{
    struct nic_config *nic = &o->cfg.nic[o->cfg.nics];
    o->network_given = true;
    if (o->cfg.nics == MAX_NICS)
        return error_set(err, EMU_ARG, "more than %d network cards", MAX_NICS);
    default_card(o, nic, model);
    const char *mac = net_word(w, "mac"), *old_mac = net_word(w, "macaddr"), *id = net_word(w, "id");
    enum emu_err e = parse_mac(mac ? mac : old_mac, nic->mac, err);
    if (!e && (model == NIC_NE2K_ISA || model == NIC_MODELS))
        e = isa_words(w, nic, err);
    if (!e)
        e = nic_boot_words(o, w, nic, err);
    if (!e && ((id && strlen(id) >= sizeof(nic->name)) || (netdev && strlen(netdev) >= sizeof(nic->netdev))))
        e = error_set(err, EMU_ARG, "%.100s: a name has at most 31 characters", w->what);
    if (e)
        return e;
    if (id)
        snprintf(nic->name, sizeof(nic->name), "%s", id);
    if (netdev)
        snprintf(nic->netdev, sizeof(nic->netdev), "%s", netdev);
    o->cfg.nics++;
    return EMU_OK;
}

enum emu_err opt_device(struct options *o, const char *value, struct error *err)
{
    static const char *const known[] = {"netdev", "mac", "iobase", "irq", "id", "romfile", "bootindex", NULL};
    struct net_words w;
    enum nic_model model;
    enum emu_err e = net_split(&w, value, err);
    if (e)
        return e;
    const char *driver = net_word(&w, "driver");
    if (!driver && w.count)
        w.word[0].used = true;
    e = model_by_name(driver ? driver : w.count ? w.word[0].key : "", &model, err);
    if (!e)
        e = add_card(o, model, net_word(&w, "netdev"), &w, err);
    return e ? e : net_all_used(&w, known, err);
}

/* -nic none, or a card and its back end in one: user,model=ne2k_pci,mac=...,hostfwd=... */
enum emu_err opt_nic(struct options *o, const char *value, struct error *err)
{
    struct net_words w;
    char id[32];
    enum emu_err e = net_split(&w, value, err);
    if (e)
        return e;
    o->network_given = true;
    const char *type = net_word(&w, "type"), *name = net_word(&w, "model");
    if (!type && w.count) {
        type = w.word[0].key;
        w.word[0].used = true;
    }
    if (!type || strcmp(type, "none") == 0)
        return EMU_OK;
    enum nic_model model = NIC_MODELS;
    if (name)
        e = model_by_name(name, &model, err);
    snprintf(id, sizeof(id), "#nic%u", o->cfg.nics);
    if (!e)
        e = add_card(o, model, id, &w, err);
    return e ? e : compose(o, type, id, &w, err);
}

/* The old spelling: everything on one hub. */
enum emu_err opt_net(struct options *o, const char *value, struct error *err)
{
    struct net_words w, port;
    char id[32], hubport[32], words[96];
    enum emu_err e = net_split(&w, value, err);
    if (e)
        return e;
    o->network_given = true;
    const char *kind = w.count ? w.word[0].key : "none";
    if (strcmp(kind, "none") == 0)
        return EMU_OK;
    w.word[0].used = true;
    snprintf(hubport, sizeof(hubport), "#hub0port%u", o->netdevs);
    if (strcmp(kind, "nic") == 0) {
        static const char *const known[] = {"model", "macaddr", "iobase", "irq", "id", "romfile", "bootindex", NULL};
        const char *name = net_word(&w, "model");
        enum nic_model model = NIC_MODELS;
        if (name)
            e = model_by_name(name, &model, err);
        if (!e)
            e = add_card(o, model, hubport, &w, err);
        if (!e)
            e = net_all_used(&w, known, err);
        snprintf(words, sizeof(words), "hubid=0");
    } else {
        snprintf(id, sizeof(id), "#net%u", o->netdevs);
        e = compose(o, kind, id, &w, err);
        snprintf(words, sizeof(words), "hubid=0,netdev=%s", id);
    }
    if (!e)
        e = net_split(&port, words, err);
    return e ? e : compose(o, "hubport", hubport, &port, err);
}

/*
 * A card on a user-mode network, where nothing was said about networks. A build that has none plugs it into an empty hub:
 * the guest sees the same machine on every host, its state hash included.
 */
static void default_network(struct options *o)
{
    struct nic_config *nic = &o->cfg.nic[0];
    default_card(o, nic, NIC_MODELS);
    o->cfg.nics = 1;
    o->netdev[o->netdevs++] = net_has_user() ? "user,id=n0" : "hubport,id=n0,hubid=0";
    snprintf(nic->netdev, sizeof(nic->netdev), "n0");
}

/* iPXE for a card, which the firmware runs if it may boot from the network at all: every other guest starts as if
 * there were none. */
static void find_boot_rom(struct options *o, unsigned i)
{
    static const char *const dirs[] = {"/usr/lib/ipxe/qemu", "/usr/share/qemu", "/usr/local/share/qemu"};
    struct nic_config *nic = &o->cfg.nic[i];
    const char *letters = o->cfg.boot_order, *file = nic->model == NIC_PCNET ? "pxe-pcnet.rom" : "pxe-ne2k_pci.rom";
    bool wanted = nic->boot_priority || o->cfg.boot_menu || (letters && strchr(letters, 'n'));
    if (!o->nic_rom_given[i] && wanted && nic->model != NIC_NE2K_ISA) {
        if (o->firmware_dir)
            snprintf(o->nic_rom[i], sizeof(o->nic_rom[i]), "%s/%s", o->firmware_dir, file);
        for (size_t d = 0; d < ARRAY_LEN(dirs) && access(o->nic_rom[i], R_OK); d++)
            snprintf(o->nic_rom[i], sizeof(o->nic_rom[i]), "%s/%s", dirs[d], file);
        if (access(o->nic_rom[i], R_OK)) {
            fprintf(stderr, "retrace: there is no %s to boot %s from the network; install the package ipxe-qemu, or name a "
                            "ROM with -device %s,romfile=FILE\n", file, nic->name, nic_model_name(nic->model));
            o->nic_rom[i][0] = 0;
        }
    }
    nic->rom_path = o->nic_rom[i][0] ? o->nic_rom[i] : NULL;
}

void finish_network(struct options *o)
{
    if (!o->network_given)
        default_network(o);
    for (unsigned i = 0; i < o->cfg.nics; i++) {
        struct nic_config *nic = &o->cfg.nic[i];
        if (nic->model == NIC_MODELS)
            nic->model = o->cfg.board == BOARD_ISAPC ? NIC_NE2K_ISA : NIC_NE2K_PCI;
        if (!nic->name[0])
            snprintf(nic->name, sizeof(nic->name), "%s.%u", nic_model_name(nic->model), i);
        find_boot_rom(o, i);
    }
}
