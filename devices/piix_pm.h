/*
 * Power management function of the 82371AB (PIIX4), PCI function 0:1.3: ACPI registers, PM timer,
 * APM control ports, an SMBus host without devices. See piix_pm.c.
 */
#ifndef DEVICES_PIIX_PM_H
#define DEVICES_PIIX_PM_H

#include "devices/pci.h"

enum { PIIX_PM_PORTS = 64, PIIX_SMB_PORTS = 16, PIIX_PM_TIMER_HZ = 3579545 };

struct piix_pm_state {
    struct pci_config pci;
    uint64_t next_toggle; /* PM timer count at which its top bit changes and TMROF_STS is set */
    uint32_t global_control, device_status, device_control, processor_control, global_enable;
    uint32_t gpo;
    uint16_t pm1_status, pm1_enable, pm1_control;
    uint16_t gpe_status, gpe_enable;
    uint16_t global_status;
    uint8_t apm_control, apm_status;
    uint8_t smb[PIIX_SMB_PORTS];
    uint8_t reserved[2];
};

struct piix_pm_wiring {
    struct clock *clk;
    struct log *log;
    struct irq_line sci;
    bool lpt, com1, com2; /* decoded by this chip: firmware tables look here what exists */
    /* The PM (64 ports) and SMBus (16 ports) windows moved. */
    void (*move_pm)(void *arg, uint32_t base, bool enabled);
    void (*move_smb)(void *arg, uint32_t base, bool enabled);
    void (*power_off)(void *arg); /* soft-off was entered */
    void *arg;
};

struct piix_pm {
    struct device dev;
    struct piix_pm_wiring w;
    struct piix_pm_state st;
    struct pci_function pci;
    struct timer timer;
    uint32_t pm_base, smb_base; /* as last told; 0 = off */
};

extern const struct device_class piix_pm_class;
extern const struct io_ops piix_pm_io;    /* 64 ports: the PM window */
extern const struct io_ops piix_smb_io;   /* 16 ports: the SMBus window */
extern const struct io_ops piix_gpe_io;   /* 4 ports: GPSTS and GPEN alone */
extern const struct io_ops piix_apm_io;   /* 2 ports: APMC, APMS */
extern const struct io_ops piix_hotplug_io; /* 16 ports: PCI slots that nothing is plugged into */

void piix_pm_init(struct piix_pm *p, const char *id, struct piix_pm_wiring w);
/* Presses the power button: the guest's ACPI driver is asked to shut down. */
void piix_pm_power_button(struct piix_pm *p);

#endif
