/* Fuzzing of network cards. See nic.h. */
#include "tests/fuzz/nic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FRAME = 65535, FIRES = 1000 };
enum { WRITE, WRITE_DATA, READ, FRAME, MEMORY, TIME, REPEAT, RARE, KINDS };

/* The rest of the input; all zeros behind its end. */
struct input {
    const uint8_t *at;
    size_t left;
};

static unsigned take(struct input *in, unsigned bytes)
{
    unsigned value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | (in->left ? *in->at : 0);
        if (in->left) {
            in->at++;
            in->left--;
        }
    }
    return value;
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

void nic_prepare(struct nic_under_test *n)
{
    struct error err = {""};
    struct phys_block *ram;
    clock_init(&n->clk, 65536);
    n->log = (struct log){.clk = &n->clk};
    n->sent = 0;
    n->line = false;
    if (n->phys) {
        memset(n->phys->block[0].host, 0, NIC_RAM);
        return;
    }
    n->phys = calloc(1, sizeof(*n->phys));
    must(n->phys != NULL, "no memory");
    phys_init(n->phys);
    must(phys_block_new(n->phys, "ram", NIC_RAM, false, &ram, &err) == EMU_OK, err.text);
    phys_map(n->phys, 0, NIC_RAM, phys_region_memory(n->phys, "ram", ram, 0, 0, NIC_RAM), PHYS_RW);
}

static void set_line(void *sink, unsigned pin, bool level)
{
    (void)pin;
    ((struct nic_under_test *)sink)->line = level;
}

struct irq_line nic_line(struct nic_under_test *n) { return (struct irq_line){set_line, n, 0}; }

void nic_sent(void *arg, const uint8_t *frame, size_t len)
{
    struct nic_under_test *n = arg;
    unsigned sum = 0;
    must(len > 0 && len <= n->max_frame, "a frame of impossible length went out");
    for (size_t i = 0; i < len; i++) /* reads it all: the sanitizer looks on */
        sum += frame[i];
    n->sent += sum + 1;
}

static enum access_size some_size(unsigned v) { return v % 4 == 2 ? ACCESS_16 : v % 4 == 3 ? ACCESS_32 : ACCESS_8; }

static void write_port(struct nic_under_test *n, struct input *in, unsigned port)
{
    enum access_size size = some_size(take(in, 1));
    io_ops_write(n->io, n->dev, port % NIC_PORTS, take(in, size), size);
}

/* Short and usual lengths mostly, sometimes one that no wire carries; contents from the input, over and over. */
static void frame(struct nic_under_test *n, struct input *in)
{
    static uint8_t data[MAX_FRAME];
    unsigned how = take(in, 1);
    size_t len = how < 64 ? how : how < 240 ? take(in, 2) % 1600 : take(in, 2), unique = take(in, 1) % 64 + 1;
    for (size_t i = 0; i < len; i++)
        data[i] = i < unique ? (uint8_t)take(in, 1) : data[i % unique];
    n->ask(n->dev, len);
    n->receive(n->dev, data, len);
}

static void memory(struct nic_under_test *n, struct input *in)
{
    uint32_t at = take(in, 2);
    for (unsigned i = take(in, 1) % 32; i; i--)
        phys_write(n->phys, at++ % NIC_RAM, take(in, 1), 1);
}

static void pass_time(struct nic_under_test *n, vtime dt)
{
    clock_skip_to(&n->clk, clock_now(&n->clk) + dt);
    clock_run_due(&n->clk);
}

/* The data port as REP INSW and REP OUTSW use it, or any other port. */
static void repeat(struct nic_under_test *n, struct input *in)
{
    unsigned port = take(in, 1) % NIC_PORTS, times = take(in, 2) % 2048, what = take(in, 1);
    enum access_size size = some_size(what >> 1);
    for (unsigned i = 0; i < times; i++) {
        if (what & 1)
            io_ops_write(n->io, n->dev, port, i * 0x01010101u, size);
        else
            io_ops_read(n->io, n->dev, port, size);
    }
}

static void rare(struct nic_under_test *n, struct input *in)
{
    unsigned what = take(in, 1);
    if (what < 8)
        n->dev->cls->reset(n->dev, what & 1 ? RESET_HARD : RESET_POWER_ON);
    else
        n->set_link(n->dev, what & 7);
}

static void one(struct nic_under_test *n, struct input *in)
{
    unsigned what = take(in, 1);
    switch (what % KINDS) {
    case WRITE: write_port(n, in, what / KINDS); break;
    case WRITE_DATA: write_port(n, in, take(in, 1)); break;
    case READ: io_ops_read(n->io, n->dev, what / KINDS, some_size(take(in, 1))); break;
    case FRAME: frame(n, in); break;
    case MEMORY: memory(n, in); break;
    case TIME: pass_time(n, (vtime)1 << what / KINDS); break;
    case REPEAT: repeat(n, in); break;
    default: rare(n, in); break;
    }
}

/* Whatever is under way goes on, each frame in its own time. It need not end: a ring where no memory is reads as
 * frames for ever. */
static void run_on(struct nic_under_test *n)
{
    for (unsigned i = 0; i < FIRES && clock_next_due(&n->clk) != VTIME_NEVER; i++) {
        must(clock_next_due(&n->clk) > clock_now(&n->clk), "a timer is due without end");
        clock_skip_to(&n->clk, clock_next_due(&n->clk));
        clock_run_due(&n->clk);
    }
}

static struct buf saved(const struct nic_under_test *n)
{
    struct buf b = {0};
    state_save(n->dev->cls->state, device_state(n->dev), &b);
    must(!b.failed, "no memory");
    return b;
}

/* The whole is compared, not a hash of it: that would be most of an input's time. */
static void must_be(const struct nic_under_test *n, const struct buf *before, const char *what)
{
    struct buf now = saved(n);
    must(now.len == before->len && memcmp(now.data, before->data, now.len) == 0, what);
    buf_free(&now);
}

static void save_and_load(struct nic_under_test *n, size_t len)
{
    struct buf b = saved(n);
    struct error err = {""};
    bool line = n->line;
    must(state_load(n->dev->cls->state, device_state(n->dev), b.data, b.len, NULL, &err) == EMU_OK, err.text);
    must(n->dev->cls->post_load(n->dev, &err) == EMU_OK, err.text);
    must(n->line == line, "loading its own state changed the card's line");
    must_be(n, &b, "loading its own state changed the card");
    n->ask(n->dev, len);
    must_be(n, &b, "a question changed the card");
    buf_free(&b);
}

void nic_run(struct nic_under_test *n, const uint8_t *data, size_t len)
{
    struct input in = {data, len};
    for (unsigned i = 0; in.left && i < 4000; i++)
        one(n, &in);
    save_and_load(n, len);
    run_on(n);
    save_and_load(n, len);
}
