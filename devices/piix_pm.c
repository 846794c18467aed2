/*
 * PIIX4 power management. Intel 82371AB (PIIX4) datasheet (290562), chapter 7 (function 3) and
 * 7.2 (I/O registers); register meaning by ACPI 1.0b, 4.7.
 *
 *   PM window (configuration register 40, enabled by 80 bit 0):
 *   00 PM1 status  02 PM1 enable  04 PM1 control  08 PM timer (24 bits)  0C GPE status  0E enable
 *   10-2F processor, global and device control: hold what is written   30 GPI   34 GPO
 *
 * Switching to ACPI: the ACPI tables name APMC (port B2) as the SMI command port with F1 = enable
 * and F0 = disable, as SeaBIOS has them. A real board's SMI handler then sets or clears SCI_EN;
 * as there is no SMM here, the chip does it itself. For the same reason DEVACTB bit 25 (SMI on
 * APMC) reads as set from reset on: firmware takes that for "SMM is set up" and lets it be.
 * Sleep: SUS_TYP 0 (soft-off) powers off. Suspend types 1-4 are NOT MODELLED: they wake at once
 * (WAK_STS). Also NOT MODELLED: SMI, device monitors, clock control, thermal events, SMBus devices
 * (each transaction ends with "no answer").
 * Wired by the board: pci_bus_add at slot 1 function 3, sci, windows; piix_gpe_io and
 * piix_hotplug_io at the ports that SeaBIOS's ACPI tables expect.
 */
#include "devices/piix_pm.h"

#include <inttypes.h>
#include <string.h>

enum { REG_PMBASE = 0x40, REG_DEVACTB = 0x58, REG_DEVRESA = 0x5c, REG_DEVRESB = 0x60,
       REG_DEVRESG = 0x64, REG_PMMISC = 0x80, REG_SMBBASE = 0x90, REG_SMBHST = 0xd2 };
enum { PM1_STATUS = 0x00, PM1_ENABLE = 0x02, PM1_CONTROL = 0x04, PM_TIMER = 0x08, GPE_STATUS = 0x0c,
       GPE_ENABLE = 0x0e, PROC_CONTROL = 0x10, GLOBAL_STATUS = 0x18, DEVICE_STATUS = 0x1c,
       GLOBAL_ENABLE = 0x20, GLOBAL_CONTROL = 0x28, DEVICE_CONTROL = 0x2c, GPI = 0x30, GPO = 0x34 };
enum { TMR = 0x0001, GBL = 0x0020, PWRBTN = 0x0100, RTC = 0x0400, WAK = 0x8000 };
enum { PM1_STATUS_BITS = TMR | 0x0010 | GBL | PWRBTN | RTC | 0x0800 | WAK,
       PM1_ENABLE_BITS = TMR | GBL | PWRBTN | RTC };
enum { SCI_EN = 0x0001, SUS_TYP_SHIFT = 10, SUS_EN = 0x2000 };
enum { CONTROL_BITS = 0x1c03 }; /* SCI_EN, BRLD_EN_BM, SUS_TYP; GBL_RLS and SUS_EN read as 0 */
enum { APMC_ACPI_DISABLE = 0xf0, APMC_ACPI_ENABLE = 0xf1 };
enum { DEVACTB_APMC_EN = 1 << 25 };
enum { TIMER_BITS = 24, TIMER_TOP = 1 << (TIMER_BITS - 1) };
enum { SMB_STATUS = 0, SMB_CONTROL = 2, SMB_START = 0x40, SMB_DEV_ERR = 0x04 };

STATE_DESC(piix_pm_desc, struct piix_pm_state, 1,
           FIELD_STRUCT(struct piix_pm_state, pci, struct pci_config, pci_config_desc,
                        "configuration space"),
           FIELD(struct piix_pm_state, next_toggle, "PM timer count that sets TMROF_STS next"),
           FIELD(struct piix_pm_state, global_control, "GLBCTL"),
           FIELD(struct piix_pm_state, device_status, "DEVSTS"),
           FIELD(struct piix_pm_state, device_control, "DEVCTL"),
           FIELD(struct piix_pm_state, processor_control, "PCNTRL"),
           FIELD(struct piix_pm_state, global_enable, "GLBEN"),
           FIELD(struct piix_pm_state, gpo, "general purpose outputs"),
           FIELD_MAX(struct piix_pm_state, pm1_status, PM1_STATUS_BITS, "PMSTS"),
           FIELD_MAX(struct piix_pm_state, pm1_enable, PM1_ENABLE_BITS, "PMEN"),
           FIELD_MAX(struct piix_pm_state, pm1_control, CONTROL_BITS, "PMCNTRL"),
           FIELD(struct piix_pm_state, gpe_status, "GPSTS"),
           FIELD(struct piix_pm_state, gpe_enable, "GPEN"),
           FIELD(struct piix_pm_state, global_status, "GLBSTS"),
           FIELD(struct piix_pm_state, apm_control, "APMC"),
           FIELD(struct piix_pm_state, apm_status, "APMS"),
           FIELD(struct piix_pm_state, smb, "SMBus host registers"),
           FIELD_MAX(struct piix_pm_state, reserved, 0, "zero"));

static const struct pci_identity identity = {
    .vendor = 0x8086,
    .device = 0x7113,
    .class_code = 0x068000,
    .revision = 0x03,
    .interrupt_pin = 1,
    .status = 0x0280,
};

/* --- PM timer: counts from power-on, never reset --- */

static uint64_t timer_count(vtime now)
{
    return vtime_to_ticks(now, PIIX_PM_TIMER_HZ);
}

static uint64_t toggle_after(uint64_t count)
{
    return (count | (TIMER_TOP - 1)) + 1;
}

static void advance(struct piix_pm *p, vtime now)
{
    uint64_t count = timer_count(now);
    if (count < p->st.next_toggle)
        return;
    p->st.pm1_status |= TMR;
    p->st.next_toggle = toggle_after(count);
}

/* SCI: an enabled event while ACPI mode is on (PMCNTRL bit 0); the timer runs a deadline only if it
 * could interrupt. */
static void piix_pm_update(struct piix_pm *p)
{
    const struct piix_pm_state *st = &p->st;
    bool acpi = st->pm1_control & SCI_EN;
    bool event = (st->pm1_status & st->pm1_enable) || (st->gpe_status & st->gpe_enable);
    irq_set(&p->w.sci, acpi && event);
    bool runs = acpi && (st->pm1_enable & TMR) && !(st->pm1_status & TMR);
    timer_arm(p->w.clk, &p->timer,
              runs ? ticks_to_vtime(st->next_toggle, PIIX_PM_TIMER_HZ) : VTIME_NEVER);
}

static void piix_pm_fire(void *dev, vtime now)
{
    advance(dev, now);
    piix_pm_update(dev);
}

void piix_pm_power_button(struct piix_pm *p)
{
    p->st.pm1_status |= PWRBTN;
    piix_pm_update(p);
}

/* --- windows --- */

static void move_windows(struct piix_pm *p)
{
    uint32_t pm = 0, smb = 0;
    if (pci_get(&p->pci, REG_PMMISC, 1) & 1)
        pm = pci_get(&p->pci, REG_PMBASE, 4) & 0xffc0;
    if (pci_get(&p->pci, REG_SMBHST, 1) & 1)
        smb = pci_get(&p->pci, REG_SMBBASE, 4) & 0xfff0;
    if (pm != p->pm_base) {
        p->pm_base = pm;
        if (p->w.move_pm)
            p->w.move_pm(p->w.arg, pm, pm != 0);
    }
    if (smb != p->smb_base) {
        p->smb_base = smb;
        if (p->w.move_smb)
            p->w.move_smb(p->w.arg, smb, smb != 0);
    }
}

static void config_written(void *dev, unsigned reg, unsigned len)
{
    (void)reg;
    (void)len;
    move_windows(dev);
}

/* --- PM registers --- */

/* The register that a byte belongs to, with its offset; NULL: reads as 0, not writable. */
static uint16_t *register16(struct piix_pm_state *st, uint32_t offset)
{
    switch (offset & ~1u) {
    case PM1_STATUS:
        return &st->pm1_status;
    case PM1_ENABLE:
        return &st->pm1_enable;
    case PM1_CONTROL:
        return &st->pm1_control;
    case GPE_STATUS:
        return &st->gpe_status;
    case GPE_ENABLE:
        return &st->gpe_enable;
    case GLOBAL_STATUS:
        return &st->global_status;
    default:
        return NULL;
    }
}

static uint32_t *register32(struct piix_pm_state *st, uint32_t offset)
{
    switch (offset & ~3u) {
    case PROC_CONTROL:
        return &st->processor_control;
    case DEVICE_STATUS:
        return &st->device_status;
    case GLOBAL_ENABLE:
        return &st->global_enable;
    case GLOBAL_CONTROL:
        return &st->global_control;
    case DEVICE_CONTROL:
        return &st->device_control;
    case GPO:
        return &st->gpo;
    default:
        return NULL;
    }
}

static uint32_t piix_pm_read(void *dev, uint32_t offset, enum access_size size)
{
    struct piix_pm *p = dev;
    vtime now = clock_now(p->w.clk);
    (void)size;
    advance(p, now);
    if ((offset & ~3u) == PM_TIMER)
        return (timer_count(now) & 0xffffff) >> (8 * (offset & 3)) & 0xff;
    if ((offset & ~3u) == GPI)
        return 0xff; /* inputs pulled up */
    const uint16_t *r16 = register16(&p->st, offset);
    if (r16)
        return *r16 >> (8 * (offset & 1)) & 0xff;
    const uint32_t *r32 = register32(&p->st, offset);
    return r32 ? *r32 >> (8 * (offset & 3)) & 0xff : 0;
}

/* Entering a sleep state (PMCNTRL, SUS_TYP: 0 soft-off, 1-4 suspend, 5 working). */
static void enter_sleep(struct piix_pm *p)
{
    unsigned type = p->st.pm1_control >> SUS_TYP_SHIFT & 7;
    if (trace_on(p->w.log, TRACE_PCI))
        trace_line(p->w.log, TRACE_PCI, "%s sleep type %u", p->dev.id, type);
    if (type == 0) {
        if (p->w.power_off)
            p->w.power_off(p->w.arg);
    } else if (type < 5) {
        log_guest(p->w.log, p->dev.id, "suspend type %u is not modelled: waking at once", type);
        p->st.pm1_status |= WAK;
    }
}

static void write_control(struct piix_pm *p, unsigned high, uint16_t in)
{
    uint16_t mask = CONTROL_BITS & (high ? 0xff00 : 0x00ff);
    p->st.pm1_control = (uint16_t)((p->st.pm1_control & ~mask) | (in & mask));
    if (high && in & SUS_EN)
        enter_sleep(p);
}

static void write_register(struct piix_pm *p, uint32_t offset, uint8_t value)
{
    struct piix_pm_state *st = &p->st;
    uint16_t *r16 = register16(st, offset);
    uint32_t *r32 = register32(st, offset);
    if (r16) {
        uint16_t in = (uint16_t)(value << (8 * (offset & 1)));
        uint16_t kept = *r16 & (offset & 1 ? 0x00ff : 0xff00);
        if (r16 == &st->pm1_status || r16 == &st->gpe_status || r16 == &st->global_status)
            *r16 &= (uint16_t)~in; /* cleared by writing ones */
        else if (r16 == &st->pm1_control)
            write_control(p, offset & 1, in);
        else
            *r16 = kept | (r16 == &st->pm1_enable ? in & PM1_ENABLE_BITS : in);
    } else if (r32 == &st->device_status) {
        *r32 &= ~((uint32_t)value << (8 * (offset & 3)));
    } else if (r32) {
        uint32_t mask = 0xffu << (8 * (offset & 3));
        *r32 = (*r32 & ~mask) | (uint32_t)value << (8 * (offset & 3));
    }
}

static void piix_pm_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct piix_pm *p = dev;
    (void)size;
    if (trace_on(p->w.log, TRACE_PCI))
        trace_line(p->w.log, TRACE_PCI, "%s write %02" PRIx32 " %02" PRIx32, p->dev.id, offset,
                   value);
    advance(p, clock_now(p->w.clk));
    write_register(p, offset, (uint8_t)value);
    piix_pm_update(p);
}

const struct io_ops piix_pm_io = {piix_pm_read, piix_pm_write, ACCESS_8};

static uint32_t piix_gpe_read(void *dev, uint32_t offset, enum access_size size)
{
    return piix_pm_read(dev, GPE_STATUS + (offset & 3), size);
}

static void piix_gpe_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    piix_pm_write(dev, GPE_STATUS + (offset & 3), value, size);
}

const struct io_ops piix_gpe_io = {piix_gpe_read, piix_gpe_write, ACCESS_8};

/* --- APM control and status (290562, 4.2.7) --- */

static uint32_t piix_apm_read(void *dev, uint32_t offset, enum access_size size)
{
    const struct piix_pm *p = dev;
    (void)size;
    return offset == 0 ? p->st.apm_control : p->st.apm_status;
}

static void piix_apm_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct piix_pm *p = dev;
    struct piix_pm_state *st = &p->st;
    (void)size;
    if (offset != 0) {
        st->apm_status = (uint8_t)value;
        return;
    }
    st->apm_control = (uint8_t)value;
    if (value == APMC_ACPI_ENABLE)
        st->pm1_control |= SCI_EN;
    else if (value == APMC_ACPI_DISABLE)
        st->pm1_control &= (uint16_t)~SCI_EN;
    advance(p, clock_now(p->w.clk));
    piix_pm_update(p);
}

const struct io_ops piix_apm_io = {piix_apm_read, piix_apm_write, ACCESS_8};

/* --- SMBus host: idle, and nobody on the bus --- */

static uint32_t piix_smb_read(void *dev, uint32_t offset, enum access_size size)
{
    const struct piix_pm *p = dev;
    (void)size;
    return p->st.smb[offset % PIIX_SMB_PORTS];
}

static void piix_smb_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct piix_pm *p = dev;
    uint8_t *reg = &p->st.smb[offset % PIIX_SMB_PORTS];
    (void)size;
    if (offset == SMB_STATUS)
        *reg &= (uint8_t)~value;
    else
        *reg = (uint8_t)value;
    if (offset == SMB_CONTROL && value & SMB_START) {
        *reg &= (uint8_t)~SMB_START; /* reads as 0 */
        p->st.smb[SMB_STATUS] |= SMB_DEV_ERR;
    }
}

const struct io_ops piix_smb_io = {piix_smb_read, piix_smb_write, ACCESS_8};

/* --- slot registers of SeaBIOS's ACPI tables: nothing comes, goes or can be ejected --- */

static uint32_t piix_hotplug_read(void *dev, uint32_t offset, enum access_size size)
{
    (void)dev;
    (void)offset;
    (void)size;
    return 0;
}

static void piix_hotplug_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    (void)dev;
    (void)offset;
    (void)value;
    (void)size;
}

const struct io_ops piix_hotplug_io = {piix_hotplug_read, piix_hotplug_write,
                                       ACCESS_8 | ACCESS_16 | ACCESS_32};

/* --- device --- */

static void reset_config(struct piix_pm *p)
{
    struct pci_function *fn = &p->pci;
    pci_function_reset(fn);
    pci_set(fn, REG_PMBASE, 1, 4); /* bit 0: an I/O address */
    pci_set(fn, REG_SMBBASE, 1, 4);
    pci_set(fn, REG_DEVACTB, DEVACTB_APMC_EN, 4);
    /* Decodes that a board's firmware switches on for what it has: LPT, COM1 and COM2 enables. */
    pci_set(fn, REG_DEVRESA + 3, p->w.lpt ? 0x80 : 0, 1);
    pci_set(fn, REG_DEVRESB + 3, 0x60, 1);
    pci_set(fn, REG_DEVRESG + 3, (p->w.com1 ? 0x08u : 0) | (p->w.com2 ? 0x90u : 0), 1);
    pci_function_update(fn);
    move_windows(p);
}

static void piix_pm_reset(void *dev, enum reset_kind kind)
{
    struct piix_pm *p = dev;
    (void)kind;
    memset(&p->st, 0, sizeof(p->st));
    p->st.next_toggle = toggle_after(timer_count(clock_now(p->w.clk)));
    reset_config(p);
    piix_pm_update(p);
}

static enum emu_err piix_pm_post_load(void *dev, struct error *err)
{
    struct piix_pm *p = dev;
    uint64_t latest = toggle_after(timer_count(clock_now(p->w.clk)));
    (void)err;
    if (p->st.next_toggle > latest) /* only in a state that no run produced */
        p->st.next_toggle = latest;
    pci_function_update(&p->pci);
    move_windows(p);
    piix_pm_update(p);
    return EMU_OK;
}

const struct device_class piix_pm_class = {
    .name = "piix4_pm",
    .state = &piix_pm_desc,
    .state_offset = offsetof(struct piix_pm, st),
    .reset = piix_pm_reset,
    .post_load = piix_pm_post_load,
};

static void set_writable_registers(struct pci_function *fn)
{
    pci_function_writable(fn, REG_PMBASE, 0xffc0, 4);
    for (unsigned reg = 0x44; reg < 0x80; reg += 4) /* CNTA .. DEVRESJ */
        pci_function_writable(fn, reg, 0xffffffff, 4);
    pci_function_writable(fn, REG_DEVACTB, 0xffffffff & ~(uint32_t)DEVACTB_APMC_EN, 4);
    pci_function_writable(fn, REG_PMMISC, 0x01, 1);
    pci_function_writable(fn, REG_SMBBASE, 0xfff0, 4);
    pci_function_writable(fn, REG_SMBHST, 0x0f, 1);
    pci_function_writable(fn, 0xd3, 0xff, 1);   /* SMBSLVC */
    pci_function_writable(fn, 0xd4, 0xffff, 2); /* SMBSHDW1, 2 */
}

void piix_pm_init(struct piix_pm *p, const char *id, struct piix_pm_wiring w)
{
    memset(p, 0, sizeof(*p));
    p->dev.cls = &piix_pm_class;
    p->dev.id = id;
    p->w = w;
    pci_function_init(&p->pci, id, p, &p->st.pci, &identity);
    p->pci.written = config_written;
    set_writable_registers(&p->pci);
    timer_init(&p->timer, id, piix_pm_fire, p);
    piix_pm_reset(p, RESET_POWER_ON);
}
