/* The PCnet's registers, rings and initialization block under random accesses and frames. See nic.h. */
#include "devices/pcnet.h"
#include "tests/fuzz/nic.h"

enum { BLOCK = 0x1000, RINGS = 0x2000, BUFFERS = 0x4000 };
enum { RDP = 0x10, RAP = 0x12, BDP = 0x16 };

static void receive(void *dev, const uint8_t *frame, size_t len) { pcnet_receive(dev, frame, len); }
static void set_link(void *dev, bool up) { pcnet_set_link(dev, up); }

static void ask(void *dev, size_t len)
{
    (void)pcnet_listens(dev);
    (void)pcnet_ready(dev, len);
}

static void csr(struct nic_under_test *n, unsigned which, uint32_t value)
{
    io_ops_write(n->io, n->dev, RAP, which, ACCESS_16);
    io_ops_write(n->io, n->dev, RDP, value, ACCESS_16);
}

static void put(struct nic_under_test *n, uint32_t at, uint32_t value) { phys_write(n->phys, at, value, 4); }

/* As a driver leaves it: rings of four 32-bit descriptors, all receive buffers the card's. */
static void start(struct nic_under_test *n, uint16_t mode)
{
    io_ops_write(n->io, n->dev, RAP, 20, ACCESS_16);
    io_ops_write(n->io, n->dev, BDP, 2, ACCESS_16); /* style 2 */
    put(n, BLOCK, 0x20200000u | mode); /* four and four */
    put(n, BLOCK + 4, 0x12005452);
    put(n, BLOCK + 8, 0x5634);
    put(n, BLOCK + 20, RINGS);
    put(n, BLOCK + 24, RINGS + 0x100);
    for (uint32_t i = 0; i < 4; i++) {
        put(n, RINGS + 16 * i, BUFFERS + 2048 * i);
        put(n, RINGS + 16 * i + 4, 0x8000fa00);
        put(n, RINGS + 0x100 + 16 * i, BUFFERS + 2048 * i);
        put(n, RINGS + 0x100 + 16 * i + 4, 0x8300ff00 + (i << 4));
    }
    csr(n, 1, BLOCK);
    csr(n, 2, 0);
    csr(n, 0, 0x43); /* INIT, STRT, IENA */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct nic_under_test n;
    static struct pcnet card;
    if (len == 0)
        return 0;
    nic_prepare(&n);
    n.dev = &card.dev;
    n.io = &pcnet_io;
    n.receive = receive;
    n.ask = ask;
    n.set_link = set_link;
    n.max_frame = PCNET_MAX_FRAME;
    pcnet_init(&card, "nic",
               (struct pcnet_wiring){.clk = &n.clk, .log = &n.log, .phys = n.phys, .irq = nic_line(&n),
                                     .byte_ns = NIC_BYTE_NS, .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
                                     .send = nic_sent, .arg = &n});
    if (data[0] & 1)
        start(&n, data[0] & 2 ? 0x8000 : data[0] & 4 ? 4 : 0); /* promiscuous, loopback */
    nic_run(&n, data + 1, len - 1);
    return 0;
}
