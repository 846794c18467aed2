/* The NE2000's registers under random accesses and frames, as ISA and as PCI card. See nic.h. */
#include "devices/ne2000.h"
#include "tests/fuzz/nic.h"

static void receive(void *dev, const uint8_t *frame, size_t len) { ne2000_receive(dev, frame, len); }
static void set_link(void *dev, bool up) { ne2000_set_link(dev, up); }

static void ask(void *dev, size_t len)
{
    (void)ne2000_listens(dev);
    (void)ne2000_attends(dev);
    (void)ne2000_ready(dev, len);
}

/* The first byte chooses the card; every other input finds it started, as a driver leaves it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct nic_under_test n;
    static struct ne2000 card;
    static const uint8_t start[][2] = {{0, 0x21}, {1, 0x46}, {2, 0x80}, {3, 0x46}, {0xe, 0x49}, {0xc, 0x1c},
                                       {0xd, 0}, {0xf, 0x3f}, {0, 0x61}, {7, 0x47}, {0, 0x22}};
    if (len == 0)
        return 0;
    nic_prepare(&n);
    n.dev = &card.dev;
    n.io = &ne2000_io;
    n.receive = receive;
    n.ask = ask;
    n.set_link = set_link;
    n.max_frame = NE2000_MAX_FRAME;
    ne2000_init(&card, "nic",
                (struct ne2000_wiring){.clk = &n.clk, .log = &n.log, .irq = nic_line(&n), .pci = data[0] & 1,
                                       .byte_ns = NIC_BYTE_NS, .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
                                       .send = nic_sent, .arg = &n});
    for (size_t i = 0; data[0] & 2 && i < ARRAY_LEN(start); i++)
        io_ops_write(n.io, n.dev, start[i][0], start[i][1], ACCESS_8);
    nic_run(&n, data + 1, len - 1);
    return 0;
}
