/*
 * Intel 8237A DMA controller (data sheet 231466), as two of them stand in a PC/AT, with the
 * 74LS612 page registers that give the upper address bits (IBM PC/AT Technical Reference, "DMA").
 *
 * Time: a peripheral pulls its bytes (dma.h) when it has them, and they move at once. Single,
 * demand and block mode therefore look alike; memory-to-memory happens within the write that
 * requests it. The address counter wraps inside its 64 KiB (128 KiB for 16-bit channels) page.
 *
 * NOT MODELLED: priorities and compressed timing (nothing can collide), DACK polarity, the bus
 * cycles of a software request without memory-to-memory (its counters run, memory stays), and the
 * registers that later chip sets added (EISA high pages, 24-bit counts).
 *
 * The board wires DREQ lines (i8237_line), the cascade, the page registers and the ports.
 */
#include "devices/i8237.h"

#include <string.h>

enum { /* register offsets 8-15; 0-7 are address and count of channels 0-3 in turn */
       REG_STATUS_COMMAND = 8,
       REG_REQUEST = 9,
       REG_SINGLE_MASK = 10,
       REG_MODE = 11,
       REG_CLEAR_FLIP_FLOP = 12,
       REG_TEMPORARY_MASTER_CLEAR = 13,
       REG_CLEAR_MASK = 14,
       REG_ALL_MASK = 15,
};

enum { /* command register, 8237A p.8 */
       CMD_MEMORY_TO_MEMORY = 1 << 0,
       CMD_HOLD_ADDRESS_0 = 1 << 1,
       CMD_DISABLE = 1 << 2,
       CMD_DREQ_ACTIVE_LOW = 1 << 6,
};

enum { /* mode register, 8237A p.8 */
       MODE_TYPE = 3 << 2,
       TYPE_VERIFY = 0 << 2,
       TYPE_WRITE = 1 << 2, /* to memory */
       TYPE_READ = 2 << 2,  /* from memory */
       MODE_AUTO_INIT = 1 << 4,
       MODE_DOWN = 1 << 5,
       MODE_SELECT = 3 << 6,
       SELECT_CASCADE = 3 << 6,
};

/* ---- Page registers ---- */

static uint32_t page_read(void *dev, uint32_t offset, enum access_size size)
{
    const struct dma_page *p = dev;
    (void)size;
    return p->st.page[offset & 15];
}

static void page_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct dma_page *p = dev;
    (void)size;
    p->st.page[offset & 15] = (uint8_t)value;
}

/* The 74LS612 has no reset pin. */
static void page_reset(void *dev, enum reset_kind kind)
{
    struct dma_page *p = dev;
    if (kind == RESET_POWER_ON)
        memset(&p->st, 0, sizeof(p->st));
}

STATE_DESC(dma_page_desc, struct dma_page_state, 1,
           FIELD(struct dma_page_state, page, "address bits 16-23, 16 registers"));

const struct io_ops dma_page_io = {.read = page_read, .write = page_write, .sizes = ACCESS_8};

const struct device_class dma_page_class = {
    .name = "dma_page",
    .state = &dma_page_desc,
    .state_offset = offsetof(struct dma_page, st),
    .reset = page_reset,
};

void dma_page_init(struct dma_page *p, const char *id)
{
    p->dev = (struct device){.cls = &dma_page_class, .id = id};
    page_reset(p, RESET_POWER_ON);
}

/* ---- Requests and grants ---- */

/* Channels that ask for service: pins, in the polarity of the command register, and software. */
static uint8_t requests(const struct i8237_state *s)
{
    uint8_t pins = s->command & CMD_DREQ_ACTIVE_LOW ? (uint8_t)~s->dreq : s->dreq;
    return (pins | s->request) & 15;
}

/* Software requests cannot be masked, 8237A p.9. */
static bool channel_served(const struct i8237_state *s, unsigned ch)
{
    uint8_t bit = (uint8_t)(1u << ch);
    if (s->command & CMD_DISABLE || !(requests(s) & bit))
        return false;
    return !(s->mask & bit) || s->request & bit;
}

static bool i8237_granted(void *controller, unsigned ch)
{
    const struct i8237 *d = controller;
    return (d->st.mode[ch & 3] & MODE_SELECT) == SELECT_CASCADE && channel_served(&d->st, ch & 3);
}

/* HRQ towards the next controller, or the CPU, which always answers. */
static bool bus_granted(const struct i8237 *d)
{
    const struct dma_line *up = &d->w.cascade;
    return !up->ops || up->ops->granted(up->controller, up->channel);
}

static void update_cascade(const struct i8237 *d)
{
    const struct i8237_state *s = &d->st;
    bool hrq = !(s->command & CMD_DISABLE) && ((requests(s) & ~s->mask) | s->request);
    dma_request(&d->w.cascade, hrq);
}

static void i8237_request(void *controller, unsigned ch, bool level)
{
    struct i8237 *d = controller;
    uint8_t bit = (uint8_t)(1u << (ch & 3));
    d->st.dreq = level ? d->st.dreq | bit : d->st.dreq & (uint8_t)~bit;
    update_cascade(d);
}

/* ---- Counters ---- */

static unsigned unit(const struct i8237 *d)
{
    return d->w.wide ? 2 : 1;
}

/* Byte address of the channel's current transfer. A wide channel's page bit 0 is not connected. */
static paddr bus_address(const struct i8237 *d, unsigned ch)
{
    paddr page = d->w.pages->st.page[d->w.page_of[ch] & 15];
    if (d->w.wide)
        return (page & 0xfe) << 16 | (paddr)d->st.address[ch] << 1;
    return page << 16 | d->st.address[ch];
}

/* Terminal count: 8237A p.6 (auto-initialize) and p.9 (mask and request are changed by EOP). */
static void reach_tc(struct i8237_state *s, unsigned ch)
{
    uint8_t bit = (uint8_t)(1u << ch);
    s->reached_tc |= bit;
    s->request &= (uint8_t)~bit;
    if (s->mode[ch] & MODE_AUTO_INIT) {
        s->address[ch] = s->base_address[ch];
        s->count[ch] = s->base_count[ch];
    } else {
        s->mask |= bit;
    }
}

/* Moves the counters on by n <= count + 1 transfers; true at terminal count. */
static bool advance(struct i8237_state *s, unsigned ch, uint32_t n, bool hold_address)
{
    bool tc = n == (uint32_t)s->count[ch] + 1;
    if (!hold_address)
        s->address[ch] =
            (uint16_t)(s->mode[ch] & MODE_DOWN ? s->address[ch] - n : s->address[ch] + n);
    s->count[ch] = (uint16_t)(s->count[ch] - n);
    if (tc)
        reach_tc(s, ch);
    return tc;
}

/* Transfers that can be done in one piece: upwards to the end of the page, downwards one. */
static uint32_t piece(const struct i8237_state *s, unsigned ch, size_t wanted)
{
    uint32_t n = (uint32_t)s->count[ch] + 1;
    uint32_t room = s->mode[ch] & MODE_DOWN ? 1 : 0x10000u - s->address[ch];
    if (n > room)
        n = room;
    return wanted < n ? (uint32_t)wanted : n;
}

/* ---- Transfers ---- */

/* The A20 gate stands between the CPU and the bus: it does not change DMA addresses. */
static void memory_access(struct phys *p, paddr at, void *buf, size_t len, enum dma_direction dir)
{
    paddr cpu_mask = p->a20_mask;
    p->a20_mask = ~(paddr)0;
    if (dir == DMA_TO_MEMORY)
        phys_write_bytes(p, at, buf, len);
    else
        phys_read_bytes(p, at, buf, len);
    p->a20_mask = cpu_mask;
}

/* One piece between buf and memory. Where the mode does not fit the direction (or is verify), no
 * memory cycle happens; a peripheral that wanted data finds an idle bus. */
static void move_piece(struct i8237 *d, unsigned ch, uint8_t *buf, size_t len,
                       enum dma_direction dir)
{
    unsigned type = d->st.mode[ch] & MODE_TYPE;
    if (type == (dir == DMA_TO_MEMORY ? TYPE_WRITE : TYPE_READ))
        memory_access(d->w.phys, bus_address(d, ch), buf, len, dir);
    else if (dir == DMA_FROM_MEMORY)
        memset(buf, 0xff, len);
}

static size_t i8237_transfer(void *controller, unsigned ch, void *buf, size_t len,
                             enum dma_direction dir, bool *tc)
{
    struct i8237 *d = controller;
    struct i8237_state *s = &d->st;
    uint8_t *p = buf;
    size_t left = len / unit(d);
    ch &= 3;
    *tc = false;
    if (!channel_served(s, ch) || (s->mode[ch] & MODE_SELECT) == SELECT_CASCADE || !bus_granted(d))
        return 0;
    while (left > 0 && !*tc) {
        uint32_t n = piece(s, ch, left);
        move_piece(d, ch, p, (size_t)n * unit(d), dir);
        p += (size_t)n * unit(d);
        left -= n;
        *tc = advance(s, ch, n, false);
    }
    update_cascade(d);
    if (trace_on(d->w.log, TRACE_DMA))
        trace_line(d->w.log, TRACE_DMA, "%s channel %u: %zu bytes %s memory%s", d->dev.id, ch,
                   (size_t)(p - (uint8_t *)buf), dir == DMA_TO_MEMORY ? "to" : "from",
                   *tc ? ", terminal count" : "");
    return (size_t)(p - (uint8_t *)buf);
}

/* Memory to memory, 8237A p.5: channel 0 reads into the temporary register, channel 1 writes,
 * until channel 1 reaches terminal count. */
static void memory_to_memory(struct i8237 *d)
{
    struct i8237_state *s = &d->st;
    bool tc = false;
    while (!tc) {
        memory_access(d->w.phys, bus_address(d, 0), &s->temporary, 1, DMA_FROM_MEMORY);
        memory_access(d->w.phys, bus_address(d, 1), &s->temporary, 1, DMA_TO_MEMORY);
        advance(s, 0, 1, s->command & CMD_HOLD_ADDRESS_0);
        tc = advance(s, 1, 1, false);
    }
    s->request &= (uint8_t)~3;
}

static void run_software_request(struct i8237 *d, unsigned ch)
{
    struct i8237_state *s = &d->st;
    if (s->command & CMD_DISABLE || !bus_granted(d))
        return;
    if (ch == 0 && s->command & CMD_MEMORY_TO_MEMORY)
        memory_to_memory(d);
    else if ((s->mode[ch] & MODE_SELECT) != SELECT_CASCADE)
        while (!advance(s, ch, piece(s, ch, 0x10000), false))
            continue;
}

/* ---- Registers ---- */

static uint8_t half(struct i8237_state *s, uint16_t value)
{
    s->flip_flop ^= 1;
    return s->flip_flop ? (uint8_t)value : (uint8_t)(value >> 8);
}

static uint32_t i8237_read(void *dev, uint32_t offset, enum access_size size)
{
    struct i8237 *d = dev;
    struct i8237_state *s = &d->st;
    unsigned reg = (d->w.wide ? offset >> 1 : offset) & 15;
    (void)size;
    if (reg < 8)
        return half(s, reg & 1 ? s->count[reg >> 1] : s->address[reg >> 1]);
    if (reg == REG_STATUS_COMMAND) {
        uint8_t status = (uint8_t)(requests(s) << 4 | s->reached_tc);
        s->reached_tc = 0; /* 8237A p.9: cleared by each status read */
        return status;
    }
    if (reg == REG_TEMPORARY_MASTER_CLEAR)
        return s->temporary;
    if (reg == REG_ALL_MASK)
        return 0xf0u | s->mask; /* as the PC chip sets answer; the 8237A leaves it undefined */
    return 0xff;
}

static void set_half(uint16_t *reg, bool high, uint8_t value)
{
    *reg = (uint16_t)(high ? (*reg & 0x00ff) | value << 8 : (*reg & 0xff00) | value);
}

/* A write goes to the base and the current register, 8237A p.6. */
static void write_counter(struct i8237_state *s, unsigned reg, uint8_t value)
{
    unsigned ch = reg >> 1;
    set_half(reg & 1 ? &s->base_count[ch] : &s->base_address[ch], s->flip_flop, value);
    set_half(reg & 1 ? &s->count[ch] : &s->address[ch], s->flip_flop, value);
    s->flip_flop ^= 1;
}

/* 8237A p.9: as a hardware RESET. */
static void master_clear(struct i8237_state *s)
{
    s->command = 0;
    s->reached_tc = 0;
    s->request = 0;
    s->temporary = 0;
    s->flip_flop = 0;
    s->mask = 15;
}

static void write_request(struct i8237 *d, uint8_t value)
{
    uint8_t bit = (uint8_t)(1u << (value & 3));
    if (value & 4) {
        d->st.request |= bit;
        update_cascade(d);
        run_software_request(d, value & 3);
    } else {
        d->st.request &= (uint8_t)~bit;
    }
}

static void i8237_write(void *dev, uint32_t offset, uint32_t value32, enum access_size size)
{
    struct i8237 *d = dev;
    struct i8237_state *s = &d->st;
    unsigned reg = (d->w.wide ? offset >> 1 : offset) & 15;
    uint8_t value = (uint8_t)value32, bit = (uint8_t)(1u << (value & 3));
    (void)size;
    switch (reg) {
    case REG_STATUS_COMMAND: s->command = value; break;
    case REG_REQUEST: write_request(d, value); break;
    case REG_SINGLE_MASK: s->mask = value & 4 ? s->mask | bit : s->mask & (uint8_t)~bit; break;
    case REG_MODE: s->mode[value & 3] = value & 0xfc; break;
    case REG_CLEAR_FLIP_FLOP: s->flip_flop = 0; break;
    case REG_TEMPORARY_MASTER_CLEAR: master_clear(s); break;
    case REG_CLEAR_MASK: s->mask = 0; break;
    case REG_ALL_MASK: s->mask = value & 15; break;
    default: write_counter(s, reg, value); break;
    }
    update_cascade(d);
}

/* ---- Device ---- */

static void i8237_reset(void *dev, enum reset_kind kind)
{
    struct i8237 *d = dev;
    uint8_t pins = d->st.dreq;
    if (kind == RESET_POWER_ON)
        memset(&d->st, 0, sizeof(d->st));
    master_clear(&d->st);
    d->st.dreq = pins; /* the peripherals drive these */
    update_cascade(d);
}

static enum emu_err i8237_post_load(void *dev, struct error *err)
{
    (void)err;
    update_cascade(dev);
    return EMU_OK;
}

STATE_DESC(i8237_desc, struct i8237_state, 1,
           FIELD(struct i8237_state, base_address, "base address registers"),
           FIELD(struct i8237_state, base_count, "base word count registers"),
           FIELD(struct i8237_state, address, "current address registers"),
           FIELD(struct i8237_state, count, "current word count registers"),
           FIELD_MAX(struct i8237_state, mode, 0xfc, "mode registers, channel bits zero"),
           FIELD(struct i8237_state, command, "command register"),
           FIELD_MAX(struct i8237_state, reached_tc, 15, "terminal count bits of the status"),
           FIELD_MAX(struct i8237_state, request, 15, "software requests"),
           FIELD_MAX(struct i8237_state, mask, 15, "masked channels"),
           FIELD_MAX(struct i8237_state, dreq, 15, "levels of the DREQ pins"),
           FIELD_MAX(struct i8237_state, flip_flop, 1, "1: the next byte is the high one"),
           FIELD(struct i8237_state, temporary, "temporary register"),
           FIELD_MAX(struct i8237_state, reserved, 0, "zero"));

const struct io_ops i8237_io = {.read = i8237_read, .write = i8237_write, .sizes = ACCESS_8};

const struct dma_ops i8237_dma_ops = {
    .request = i8237_request,
    .transfer = i8237_transfer,
    .granted = i8237_granted,
};

const struct device_class i8237_class = {
    .name = "i8237",
    .state = &i8237_desc,
    .state_offset = offsetof(struct i8237, st),
    .reset = i8237_reset,
    .post_load = i8237_post_load,
};

void i8237_init(struct i8237 *d, const char *id, struct i8237_wiring w)
{
    memset(&d->st, 0, sizeof(d->st));
    d->dev = (struct device){.cls = &i8237_class, .id = id};
    d->w = w;
    i8237_reset(d, RESET_POWER_ON);
}

struct dma_line i8237_line(struct i8237 *d, unsigned channel)
{
    return (struct dma_line){&i8237_dma_ops, d, channel & 3};
}
