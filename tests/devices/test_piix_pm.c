/*
 * PIIX4 power management: windows, PM timer, SCI, sleep and the APM command port, programmed as
 * SeaBIOS and an ACPI driver do it.
 * Expected values: Intel 82371AB datasheet (290562), 7; ACPI 1.0b, 4.7.
 */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/piix_pm.h"

enum { ADDRESS = 0xcf8, DATA = 0xcfc, PM = 0xb000, SMB = 0xb100, APM = 0xb2, GPE = 0xafe0,
       HOTPLUG = 0xae00, SCI = 9 };
enum { STATUS = PM, ENABLE = PM + 2, CONTROL = PM + 4, TIMER = PM + 8 };

struct board {
    struct piix_pm pm;
    struct pci_host host;
    struct pci_io_map map;
    struct pci_io_window pm_window, smb_window;
    unsigned power_offs;
};

static void move_pm(void *arg, uint32_t base, bool enabled)
{
    struct board *x = arg;
    pci_io_map_move(&x->map, &x->pm_window, base, enabled);
}

static void move_smb(void *arg, uint32_t base, bool enabled)
{
    struct board *x = arg;
    pci_io_map_move(&x->map, &x->smb_window, base, enabled);
}

static void power_off(void *arg)
{
    struct board *x = arg;
    x->power_offs++;
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct board *x = bench_alloc(b, sizeof(*x));
    struct error err;
    x->map = (struct pci_io_map){.bus = &b->io, .log = &b->log};
    x->pm_window = (struct pci_io_window){.name = "pm", .ops = &piix_pm_io, .dev = &x->pm,
                                          .count = PIIX_PM_PORTS};
    x->smb_window = (struct pci_io_window){.name = "smb", .ops = &piix_smb_io, .dev = &x->pm,
                                           .count = PIIX_SMB_PORTS};
    pci_io_map_add(&x->map, &x->pm_window);
    pci_io_map_add(&x->map, &x->smb_window);
    bench_map(b, APM, 2, 0, &piix_apm_io, &x->pm);
    bench_map(b, GPE, 4, 0, &piix_gpe_io, &x->pm);
    bench_map(b, HOTPLUG, 16, 0, &piix_hotplug_io, &x->pm);
    piix_pm_init(&x->pm, "pm", (struct piix_pm_wiring){
        .clk = &b->clk, .log = &b->log, .sci = bench_line(b, SCI), .lpt = true, .com1 = true,
        .move_pm = move_pm, .move_smb = move_smb, .power_off = power_off, .arg = x});
    pci_host_init(&x->host, "pci", (struct pci_host_wiring){.log = &b->log});
    assert_int_equal(pci_bus_add(&x->host, 1, 3, &x->pm.pci, &err), EMU_OK);
    bench_map(b, ADDRESS, 8, 0, &pci_host_io, &x->host);
    bench_add(b, &x->pm.dev);
    bench_add(b, &x->host.dev);
    *state = b;
    return 0;
}

static void select(struct bench *b, unsigned reg)
{
    out32(b, ADDRESS, 0x80000b00u | (reg & 0xfc));
}

/* SeaBIOS pciinit.c: interrupt line 9, PMBASE, PMIOSE, SMBus base and enable. */
static void set_up_as_seabios(struct bench *b)
{
    select(b, 0x3c);
    out8(b, DATA, 9);
    select(b, 0x40);
    out32(b, DATA, PM | 1);
    select(b, 0x80);
    out8(b, DATA, 1);
    select(b, 0x90);
    out32(b, DATA, SMB | 1);
    select(b, 0xd0);
    out8(b, DATA + 2, 9);
}

static void it_is_the_function_that_brings_acpi_tables(void **state)
{
    struct bench *b = *state;
    select(b, 0x00);
    assert_int_equal(in32(b, DATA), 0x71138086);
    select(b, 0x08);
    assert_int_equal(in32(b, DATA) >> 8, 0x068000);
}

static void windows_answer_where_and_when_enabled(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in16(b, CONTROL), 0xffff);
    set_up_as_seabios(b);
    assert_int_equal(in16(b, CONTROL), 0x0000);
    assert_int_equal(in8(b, SMB), 0x00);
    select(b, 0x40);
    assert_int_equal(in32(b, DATA), PM | 1);
    out32(b, DATA, 0x600 | 1);
    assert_int_equal(in16(b, CONTROL), 0xffff);
    assert_int_equal(in16(b, 0x604), 0x0000);
    select(b, 0x80);
    out8(b, DATA, 0);
    assert_int_equal(in16(b, 0x604), 0xffff);
}

/* 3.579545 MHz: one second is 3579545 counts; 24 bits, the upper byte reads 0. */
static void the_pm_timer_counts_at_3_58_mhz_in_24_bits(void **state)
{
    struct bench *b = *state;
    set_up_as_seabios(b);
    uint32_t start = in32(b, TIMER);
    clock_step(b, NS_PER_SECOND);
    assert_int_equal(in32(b, TIMER) - start, 3579545);
    clock_step(b, 4 * NS_PER_SECOND);
    assert_int_equal(in32(b, TIMER), (start + 5 * 3579545) & 0xffffff);
}

/* ACPI 1.0b 4.7.3.1.1: TMR_STS is set when the top bit changes: every 2^23 counts = 2.3435 s. */
static void the_timers_top_bit_raises_an_sci(void **state)
{
    struct bench *b = *state;
    set_up_as_seabios(b);
    out8(b, APM, 0xf1);
    out16(b, ENABLE, 0x0001);
    clock_step_to(b, ticks_to_vtime(0x800000, 3579545) - 1);
    assert_line(b, SCI, false);
    clock_step(b, 1);
    assert_line(b, SCI, true);
    assert_int_equal(in16(b, STATUS), 0x0001);
    out16(b, STATUS, 0x0001);
    assert_line(b, SCI, false);
    clock_step_to(b, ticks_to_vtime(0x1000000, 3579545));
    assert_line(b, SCI, true);
}

static void an_unwatched_timer_still_sets_its_status(void **state)
{
    struct bench *b = *state;
    set_up_as_seabios(b);
    clock_step(b, 3 * NS_PER_SECOND);
    assert_int_equal(in16(b, STATUS), 0x0001);
    assert_line(b, SCI, false);
}

/* The FADT's SMI_CMD = B2, ACPI_ENABLE = F1, ACPI_DISABLE = F0. */
static void the_apm_port_switches_acpi_mode(void **state)
{
    struct bench *b = *state;
    set_up_as_seabios(b);
    assert_int_equal(in16(b, CONTROL) & 1, 0);
    out8(b, APM, 0xf1);
    assert_int_equal(in16(b, CONTROL) & 1, 1);
    assert_int_equal(in8(b, APM), 0xf1);
    out8(b, APM, 0xf0);
    assert_int_equal(in16(b, CONTROL) & 1, 0);
    out8(b, APM + 1, 0x5a);
    assert_int_equal(in8(b, APM + 1), 0x5a);
}

static void firmware_is_told_that_smm_needs_no_setting_up(void **state)
{
    struct bench *b = *state;
    select(b, 0x58);
    out32(b, DATA, 0);
    assert_int_equal(in32(b, DATA), 1 << 25);
}

/* SLP_TYP 0 is soft-off on this chip (PMCNTRL bits 12-10); SLP_EN is bit 13. */
static void soft_off_powers_off(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    set_up_as_seabios(b);
    out16(b, CONTROL, 0x0001);
    assert_int_equal(x->power_offs, 0);
    out16(b, CONTROL, 0x2001);
    assert_int_equal(x->power_offs, 1);
    assert_int_equal(in16(b, CONTROL), 0x0001); /* SLP_EN reads 0 */
}

static void other_sleep_types_wake_at_once(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    set_up_as_seabios(b);
    out16(b, CONTROL, 0x2401);
    assert_int_equal(x->power_offs, 0);
    assert_int_equal(in16(b, STATUS), 0x8000);
    assert_int_equal(b->log_lines, 1);
}

static void the_power_button_raises_an_sci(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    set_up_as_seabios(b);
    out16(b, ENABLE, 0x0100);
    piix_pm_power_button(&x->pm);
    assert_line(b, SCI, false); /* not in ACPI mode */
    out8(b, APM, 0xf1);
    assert_line(b, SCI, true);
    assert_int_equal(in16(b, STATUS), 0x0100);
    out16(b, STATUS, 0x0100);
    assert_line(b, SCI, false);
}

static void gpe_registers_answer_in_both_places(void **state)
{
    struct bench *b = *state;
    set_up_as_seabios(b);
    out16(b, GPE + 2, 0x0005);
    assert_int_equal(in16(b, PM + 0x0e), 0x0005);
    assert_int_equal(in16(b, GPE), 0x0000);
}

static void no_slot_can_be_ejected(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in32(b, HOTPLUG), 0);
    assert_int_equal(in32(b, HOTPLUG + 12), 0);
}

/* The DSDT asks bits 7 of 5F (LPT), 3 of 67 (COM1) and 7 of 67 (COM2). */
static void the_tables_see_which_ports_exist(void **state)
{
    struct bench *b = *state;
    select(b, 0x5c);
    assert_int_equal(in8(b, DATA + 3) & 0x80, 0x80);
    select(b, 0x64);
    assert_int_equal(in8(b, DATA + 3) & 0x88, 0x08);
}

static void an_smbus_transaction_finds_nobody(void **state)
{
    struct bench *b = *state;
    set_up_as_seabios(b);
    out8(b, SMB + 4, 0xa1);
    out8(b, SMB + 2, 0x48);
    assert_int_equal(in8(b, SMB), 0x04);
    out8(b, SMB, 0x04);
    assert_int_equal(in8(b, SMB), 0x00);
}

static void a_reset_closes_the_windows(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    set_up_as_seabios(b);
    piix_pm_class.reset(&x->pm, RESET_HARD);
    assert_int_equal(in16(b, CONTROL), 0xffff);
}

static void poke(struct bench *b)
{
    set_up_as_seabios(b);
    out8(b, APM, 0xf1);
    out16(b, ENABLE, 0x0101);
    out32(b, PM + 0x28, 0x12345678);
    piix_pm_power_button(&((struct board *)b->dev)->pm);
    clock_step(b, 1000000);
}

DEVICE_TESTS(piix_pm, setup, &((struct board *)b->dev)->pm.dev, poke);

#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_the_function_that_brings_acpi_tables),
        T(windows_answer_where_and_when_enabled),
        T(the_pm_timer_counts_at_3_58_mhz_in_24_bits),
        T(the_timers_top_bit_raises_an_sci),
        T(an_unwatched_timer_still_sets_its_status),
        T(the_apm_port_switches_acpi_mode),
        T(firmware_is_told_that_smm_needs_no_setting_up),
        T(soft_off_powers_off),
        T(other_sleep_types_wake_at_once),
        T(the_power_button_raises_an_sci),
        T(gpe_registers_answer_in_both_places),
        T(no_slot_can_be_ejected),
        T(the_tables_see_which_ports_exist),
        T(an_smbus_transaction_finds_nobody),
        T(a_reset_closes_the_windows),
        DEVICE_TESTS_OF(piix_pm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
