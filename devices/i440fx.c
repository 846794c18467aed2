/*
 * 82441FX host bridge. Intel 440FX PCIset 82441FX PMC datasheet (290549), section 3.2.
 *
 *   59-5F  PAM0-6   bit 0/4 read enable, bit 1/5 write enable: 1 = DRAM, 0 = PCI (where ROM is)
 *   60-67  DRB0-7   upper boundary of each DRAM row, 8 MiB units, cumulative
 *   72     SMRAM    bit 6 open, 5 closed, 4 locked, 3 enabled
 *
 * NOT MODELLED: DRAM timing, ECC and error reporting (registers hold what is written), SMM (SMRAM
 * can be opened, but no SMI is ever raised), the reset register 93.
 * Wired by the board: pci_bus_add at slot 0, set_pam and set_smram to the physical map.
 */
#include "devices/i440fx.h"

#include <string.h>

enum { REG_DRAMC = 0x57, REG_PAM = 0x59, REG_DRB = 0x60, REG_CLT = 0x71, REG_SMRAM = 0x72,
       REG_DBC = 0x53 };
enum { PAM_REGISTERS = 7, PAM_READ = 1, PAM_WRITE = 2 };
enum { SMRAM_OPEN = 0x40, SMRAM_CLOSED = 0x20, SMRAM_LOCKED = 0x10, SMRAM_ENABLE = 0x08,
       SMRAM_SEGMENT = 0x02 /* read-only: A0000 */ };

STATE_DESC(i440fx_desc, struct i440fx_state, 1,
           FIELD_STRUCT(struct i440fx_state, pci, struct pci_config, pci_config_desc,
                        "configuration space"));

static const struct pci_identity identity = {
    .vendor = 0x8086,
    .device = 0x1237,
    .class_code = 0x060000,
    .revision = 0x02,
    .command = 0x0006,
    .status = 0x0280, /* medium DEVSEL#, fast back-to-back */
};

/* Tells one nibble of a PAM register. PAM0's high nibble is F0000-FFFFF; PAM1 starts at C0000
 * with 16 KiB a nibble (table 4, PAM). */
static void tell_pam(struct i440fx *b, unsigned reg, unsigned high, uint8_t value)
{
    unsigned bits = value >> (4 * high) & 3;
    uint32_t base = 0xf0000, size = 0x10000;
    if (reg > 0) {
        base = 0xc0000 + ((reg - 1) * 2 + high) * 0x4000;
        size = 0x4000;
    } else if (!high) {
        return; /* reserved */
    }
    if (b->w.set_pam)
        b->w.set_pam(b->w.arg, base, size, bits & PAM_READ, bits & PAM_WRITE);
}

static bool smram_is_open(const struct i440fx *b)
{
    uint32_t v = pci_get(&b->pci, REG_SMRAM, 1);
    return (v & (SMRAM_OPEN | SMRAM_CLOSED | SMRAM_ENABLE)) == (SMRAM_OPEN | SMRAM_ENABLE);
}

/* Tells what changed, or everything. */
static void i440fx_update(struct i440fx *b, bool everything)
{
    for (unsigned i = 0; i < PAM_REGISTERS; i++) {
        uint8_t value = (uint8_t)pci_get(&b->pci, REG_PAM + i, 1);
        if (!everything && value == b->pam_told[i])
            continue;
        b->pam_told[i] = value;
        tell_pam(b, i, 0, value);
        tell_pam(b, i, 1, value);
    }
    bool open = smram_is_open(b);
    if (b->w.set_smram && (everything || open != b->smram_told))
        b->w.set_smram(b->w.arg, open);
    b->smram_told = open;
}

/* D_LCK can only be set; it clears D_OPEN and makes both and G_SMRAME read-only (SMRAM, bit 4). */
static void smram_lock(struct i440fx *b)
{
    uint32_t v = pci_get(&b->pci, REG_SMRAM, 1);
    if (v & SMRAM_LOCKED) {
        pci_set(&b->pci, REG_SMRAM, v & ~(uint32_t)SMRAM_OPEN, 1);
        pci_function_writable(&b->pci, REG_SMRAM, SMRAM_CLOSED, 1);
    } else {
        pci_function_writable(&b->pci, REG_SMRAM,
                              SMRAM_OPEN | SMRAM_CLOSED | SMRAM_LOCKED | SMRAM_ENABLE, 1);
    }
}

static void config_written(void *dev, unsigned reg, unsigned len)
{
    struct i440fx *b = dev;
    if (reg <= REG_SMRAM && reg + len > REG_SMRAM)
        smram_lock(b);
    i440fx_update(b, false);
}

/* Rows of equal size as far as the RAM goes; later rows repeat the end (an empty row's boundary
 * equals that of the row before). */
static void set_row_boundaries(struct i440fx *b)
{
    uint32_t units = (b->w.ram_mib + 7) / 8;
    if (units > 255)
        units = 255; /* beyond what the chip can say */
    uint32_t row = units > 128 ? 32 : 16;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t end = (i + 1) * row;
        pci_set(&b->pci, REG_DRB + i, end < units ? end : units, 1);
    }
}

static void i440fx_reset(void *dev, enum reset_kind kind)
{
    struct i440fx *b = dev;
    (void)kind;
    pci_function_reset(&b->pci);
    pci_set(&b->pci, REG_DBC, 0x80, 1);
    pci_set(&b->pci, REG_DRAMC, 0x01, 1);
    pci_set(&b->pci, REG_CLT, 0x10, 1);
    pci_set(&b->pci, REG_SMRAM, SMRAM_SEGMENT, 1);
    set_row_boundaries(b);
    smram_lock(b);
    pci_function_update(&b->pci);
    i440fx_update(b, true);
}

static enum emu_err i440fx_post_load(void *dev, struct error *err)
{
    struct i440fx *b = dev;
    (void)err;
    smram_lock(b);
    pci_function_update(&b->pci);
    i440fx_update(b, true);
    return EMU_OK;
}

const struct device_class i440fx_class = {
    .name = "i440fx",
    .state = &i440fx_desc,
    .state_offset = offsetof(struct i440fx, st),
    .reset = i440fx_reset,
    .post_load = i440fx_post_load,
};

static void set_writable_registers(struct pci_function *fn)
{
    pci_function_writable(fn, 0x50, 0xffffffff, 4); /* PMCCFG, DETURBO, DBC */
    pci_function_writable(fn, 0x54, 0xffffffff, 4); /* AXC, DRT, DRAMC */
    pci_function_writable(fn, 0x58, 0x333330ff, 4); /* DRAMT, PAM0-2 */
    pci_function_writable(fn, 0x5c, 0x33333333, 4); /* PAM3-6 */
    pci_function_writable(fn, REG_DRB, 0xffffffff, 4);
    pci_function_writable(fn, REG_DRB + 4, 0xffffffff, 4);
    pci_function_writable(fn, 0x68, 0xff, 1);   /* FDHC */
    pci_function_writable(fn, 0x70, 0xffff, 2); /* MTT, CLT */
    pci_function_writable(fn, 0x90, 0xff, 1);   /* ERRCMD */
    fn->clear[0x91] = 0x11;                     /* ERRSTS */
}

void i440fx_init(struct i440fx *b, const char *id, struct i440fx_wiring w)
{
    memset(b, 0, sizeof(*b));
    b->dev.cls = &i440fx_class;
    b->dev.id = id;
    b->w = w;
    pci_function_init(&b->pci, id, b, &b->st.pci, &identity);
    b->pci.written = config_written;
    set_writable_registers(&b->pci);
    i440fx_reset(b, RESET_POWER_ON);
}
