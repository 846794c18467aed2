/*
 * Network cards of the board: ISA cards where the configuration puts them, PCI cards in slots from 3 on
 * (slot 2 is the display adapter), INTA# routed by the PIIX.
 */
#include "machine/pc.h"

#include <string.h>

enum { FIRST_NIC_SLOT = 3 };
/* What a byte takes on the wire: 1 Gbit/s. Slower would be most of a transfer's time in the guest, and no
 * driver cares; at no time at all, a guest could send without end between two instructions. */
enum { WIRE_BYTE_NS = 8 };

unsigned pc_nic_slot(unsigned nic) { return FIRST_NIC_SLOT + nic; }

static struct nic_config *config_of(const struct nic *n) { return &n->pc->m->cfg.nic[n->index]; }

static void send(void *arg, const uint8_t *frame, size_t len)
{
    const struct nic *n = arg;
    const struct machine_host *h = &n->pc->m->host;
    if (h->packet_out)
        h->packet_out(h->arg, n->index, frame, len);
}

/* Frames wait: the run loop must look at the card again. */
static void room(void *arg)
{
    struct nic *n = arg;
    if (n->pc->m->packets[n->index].count)
        n->pc->clk.deadline_moved = true;
}

static void make_ne2000(struct nic *n, bool pci, struct irq_line irq)
{
    static const char *const id[MAX_NICS] = {"nic0", "nic1", "nic2", "nic3"};
    struct ne2000_wiring w = {.clk = &n->pc->clk,
                              .log = &n->pc->log,
                              .irq = irq,
                              .pci = pci,
                              .byte_ns = WIRE_BYTE_NS,
                              .send = send,
                              .room = room,
                              .arg = n};
    memcpy(w.mac, config_of(n)->mac, sizeof(w.mac));
    ne2000_init(&n->ne2000, id[n->index], w);
}

static enum emu_err make_isa(struct nic *n, struct error *err)
{
    const struct nic_config *cfg = config_of(n);
    make_ne2000(n, false, pc_isa_irq(n->pc, cfg->irq));
    enum emu_err e = io_bus_map(&n->pc->io, cfg->name, cfg->iobase, NE2000_PORTS, 0, &ne2000_io, &n->ne2000, err);
    return e ? error_prefix(err, e, "network card %s", cfg->name) : EMU_OK;
}

static void move_ports(void *dev, unsigned bar, uint32_t base, bool enabled)
{
    struct nic *n = CONTAINER_OF((struct pci_card *)dev, struct nic, card);
    (void)bar;
    pci_io_map_move(&n->pc->io_windows, &n->window, base, enabled);
}

static void move_rom(void *dev, unsigned bar, uint32_t base, bool enabled)
{
    struct nic *n = CONTAINER_OF((struct pci_card *)dev, struct nic, card);
    (void)bar;
    phys_region_move(n->pc->phys, n->rom_region, base);
    if (enabled)
        phys_map(n->pc->phys, base, n->rom->size, n->rom_region, PHYS_READ);
}

/* A ROM that serves a whole driver, as those of ipxe-qemu do, names no device or another one (PCI 2.2, 6.3.1.1), and the
 * firmware takes only what names the card: that is written in, and a byte that iPXE keeps for it makes the sum
 * zero again. */
static void name_card(const struct nic *n)
{
    enum { SIGNATURE = 2, DATA_POINTER = 0x18, IDS = 4, SUM = 6 };
    uint8_t *rom = n->rom->host;
    unsigned at = rom[DATA_POINTER] | (unsigned)rom[DATA_POINTER + 1] << 8;
    const struct pci_identity *id = &n->card.identity;
    const uint8_t ids[4] = {(uint8_t)id->vendor, (uint8_t)(id->vendor >> 8), (uint8_t)id->device, (uint8_t)(id->device >> 8)};
    if (memcmp(rom, "\x55\xaa", SIGNATURE) != 0 || at + 0x18 > n->rom->size || memcmp(rom + at, "PCIR", 4) != 0)
        return;
    for (unsigned i = 0; i < sizeof(ids); i++) {
        rom[SUM] = (uint8_t)(rom[SUM] + rom[at + IDS + i] - ids[i]);
        rom[at + IDS + i] = ids[i];
    }
}

/* What boots from the network: a ROM in the card's socket (PCI 2.2, 6.2.5.2). */
static enum emu_err make_rom(struct nic *n, struct error *err)
{
    static const char *const name[MAX_NICS] = {"nic0.rom", "nic1.rom", "nic2.rom", "nic3.rom"};
    if (!config_of(n)->rom_path)
        return EMU_OK;
    enum emu_err e = pc_load_card_rom(n->pc, config_of(n)->rom_path, "network boot ROM",
                                      "install the package ipxe-qemu, or name another file with romfile=", name[n->index],
                                      &n->rom, err);
    if (e)
        return e;
    name_card(n);
    n->rom_region = phys_region_memory(n->pc->phys, name[n->index], n->rom, 0, 0, n->rom->size);
    pci_function_add_bar(&n->card.fn, PCI_ROM, PCI_BAR_ROM, (uint32_t)n->rom->size, move_rom);
    return EMU_OK;
}

static enum emu_err make_pci_card(struct nic *n, const struct pci_identity *identity, uint32_t ports,
                                  const struct io_ops *ops, void *dev, struct error *err)
{
    static const char *const id[MAX_NICS] = {"nic0.pci", "nic1.pci", "nic2.pci", "nic3.pci"};
    struct pc *pc = n->pc;
    pci_card_init(&n->card, id[n->index], config_of(n)->name, identity);
    n->window = (struct pci_io_window){.name = config_of(n)->name, .ops = ops, .dev = dev, .count = ports};
    pci_io_map_add(&pc->io_windows, &n->window);
    pci_function_add_bar(&n->card.fn, 0, PCI_BAR_IO, ports, move_ports);
    enum emu_err e = make_rom(n, err);
    return e ? e : pci_bus_add(&pc->pci, pc_nic_slot(n->index), 0, &n->card.fn, err);
}

static struct irq_line pci_irq(struct nic *n)
{
    return (struct irq_line){piix_set_intx, &n->pc->isa_bridge, pc_nic_slot(n->index) * 4};
}

static enum emu_err make_rtl8029(struct nic *n, struct error *err)
{
    static const struct pci_identity identity = {
        .vendor = 0x10ec,
        .device = 0x8029,
        .class_code = 0x020000,
        .interrupt_pin = 1,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
    };
    make_ne2000(n, true, pci_irq(n));
    return make_pci_card(n, &identity, NE2000_PORTS, &ne2000_io, &n->ne2000, err);
}

static bool is_master(void *arg) { return pci_card_is_master(&((const struct nic *)arg)->card); }

static enum emu_err make_pcnet(struct nic *n, struct error *err)
{
    static const char *const id[MAX_NICS] = {"nic0", "nic1", "nic2", "nic3"};
    static const struct pci_identity identity = {
        .vendor = 0x1022,
        .device = 0x2000,
        .class_code = 0x020000,
        .revision = 0x16,
        .interrupt_pin = 1,
        .status = 0x0280,
    };
    struct pcnet_wiring w = {.clk = &n->pc->clk,
                             .log = &n->pc->log,
                             .phys = n->pc->phys,
                             .irq = pci_irq(n),
                             .byte_ns = WIRE_BYTE_NS,
                             .is_master = is_master,
                             .send = send,
                             .room = room,
                             .arg = n};
    memcpy(w.mac, config_of(n)->mac, sizeof(w.mac));
    enum emu_err e = make_pci_card(n, &identity, PCNET_PORTS, &pcnet_io, &n->pcnet, err);
    pcnet_init(&n->pcnet, id[n->index], w);
    return e;
}

enum emu_err pc_make_nics(struct pc *pc, struct error *err)
{
    enum emu_err e = EMU_OK;
    for (unsigned i = 0; !e && i < pc->m->cfg.nics; i++) {
        struct nic *n = &pc->nic[i];
        n->pc = pc;
        n->index = i;
        switch (pc->m->cfg.nic[i].model) {
        case NIC_NE2K_ISA: e = make_isa(n, err); break;
        case NIC_PCNET: e = make_pcnet(n, err); break;
        default: e = make_rtl8029(n, err); break;
        }
    }
    return e;
}

void pc_list_nics(struct pc *pc, void (*add)(struct pc *pc, struct device *dev))
{
    for (unsigned i = 0; i < pc->m->cfg.nics; i++) {
        struct nic *n = &pc->nic[i];
        if (n->ne2000.dev.cls) /* not where making the board failed before */
            add(pc, &n->ne2000.dev);
        if (n->pcnet.dev.cls)
            add(pc, &n->pcnet.dev);
        if (n->card.dev.cls)
            add(pc, &n->card.dev);
    }
}

/* --- frames: whichever chip the card has --- */

static bool is_pcnet(const struct pc *pc, unsigned nic) { return pc->m->cfg.nic[nic].model == NIC_PCNET; }

bool pc_nic_listens(const struct pc *pc, unsigned nic)
{
    const struct nic *n = &pc->nic[nic];
    return is_pcnet(pc, nic) ? pcnet_listens(&n->pcnet) : ne2000_listens(&n->ne2000);
}

/* A descriptor ring has room for what a burst brings. */
bool pc_nic_attends(const struct pc *pc, unsigned nic)
{
    return is_pcnet(pc, nic) || ne2000_attends(&pc->nic[nic].ne2000);
}

bool pc_nic_ready(const struct pc *pc, unsigned nic, size_t len)
{
    const struct nic *n = &pc->nic[nic];
    return is_pcnet(pc, nic) ? pcnet_ready(&n->pcnet, len) : ne2000_ready(&n->ne2000, len);
}

void pc_packet_in(struct pc *pc, unsigned nic, const uint8_t *frame, size_t len)
{
    if (nic >= pc->m->cfg.nics)
        return;
    if (is_pcnet(pc, nic))
        pcnet_receive(&pc->nic[nic].pcnet, frame, len);
    else
        ne2000_receive(&pc->nic[nic].ne2000, frame, len);
}

void pc_set_link(struct pc *pc, unsigned nic, bool up)
{
    if (nic >= pc->m->cfg.nics)
        return;
    if (is_pcnet(pc, nic))
        pcnet_set_link(&pc->nic[nic].pcnet, up);
    else
        ne2000_set_link(&pc->nic[nic].ne2000, up);
}

bool pc_link(const struct pc *pc, unsigned nic)
{
    const struct nic *n = &pc->nic[nic];
    return is_pcnet(pc, nic) ? n->pcnet.st.link : n->ne2000.st.link;
}
