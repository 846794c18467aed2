/*
 * PIIX3 ISA bridge: PCI interrupt routing and the reset control register.
 * Expected values: Intel 82371SB datasheet (290550), 2.2 and 2.5.6; SeaBIOS's routing (PIRQA-D to
 * IRQ 10, 10, 11, 11) and its table of slots.
 */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/piix.h"

enum { ADDRESS = 0xcf8, DATA = 0xcfc, RCR = 0xcf9, INTA = 0, INTB, INTC, INTD };

struct board {
    struct piix piix;
    struct pci_host host;
    unsigned hard, soft;
};

static void count_reset(void *arg, bool hard)
{
    struct board *x = arg;
    if (hard)
        x->hard++;
    else
        x->soft++;
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct board *x = bench_alloc(b, sizeof(*x));
    struct error err;
    struct piix_wiring w = {.log = &b->log, .reset = count_reset, .arg = x};
    for (unsigned i = 0; i < PIIX_IRQS; i++)
        w.irq[i] = bench_line(b, i);
    piix_init(&x->piix, "piix3", w);
    pci_host_init(&x->host, "pci", (struct pci_host_wiring){
        .log = &b->log, .pass = &piix_reset_io, .pass_dev = &x->piix});
    assert_int_equal(pci_bus_add(&x->host, 1, 0, &x->piix.pci, &err), EMU_OK);
    bench_map(b, ADDRESS, 8, 0, &pci_host_io, &x->host);
    bench_add(b, &x->piix.dev);
    bench_add(b, &x->host.dev);
    *state = b;
    return 0;
}

static struct piix *piix(struct bench *b)
{
    return &((struct board *)b->dev)->piix;
}

static void set8(struct bench *b, unsigned reg, uint8_t value)
{
    out32(b, ADDRESS, 0x80000800u | (reg & 0xfc));
    out8(b, (uint16_t)(DATA + (reg & 3)), value);
}

static uint32_t get32(struct bench *b, unsigned reg)
{
    out32(b, ADDRESS, 0x80000800u | reg);
    return in32(b, DATA);
}

static void route_as_seabios(struct bench *b)
{
    static const uint8_t irq[4] = {10, 10, 11, 11};
    for (unsigned i = 0; i < 4; i++)
        set8(b, 0x60 + i, irq[i]);
}

static void it_is_a_multifunction_isa_bridge(void **state)
{
    struct bench *b = *state;
    assert_int_equal(get32(b, 0x00), 0x70008086);
    assert_int_equal(get32(b, 0x08) >> 8, 0x060100);
    assert_int_equal(get32(b, 0x0c) >> 16 & 0xff, 0x80);
    assert_int_equal(get32(b, 0x60), 0x80808080);
}

static void nothing_is_routed_after_reset(void **state)
{
    struct bench *b = *state;
    for (unsigned pin = 0; pin < 4; pin++)
        piix_set_intx(piix(b), 3 * 4 + pin, true);
    for (unsigned i = 0; i < PIIX_IRQS; i++)
        assert_line(b, i, false);
}

/* SeaBIOS's _PRT: slot 1 = A B C D, slot 2 = B C D A, slot 3 = C D A B, slot 4 = D A B C. */
static void slots_rotate_over_the_pirqs(void **state)
{
    (void)state;
    static const unsigned prt[4][4] = {{0, 1, 2, 3}, {1, 2, 3, 0}, {2, 3, 0, 1}, {3, 0, 1, 2}};
    for (unsigned slot = 1; slot <= 8; slot++) {
        for (unsigned pin = 0; pin < 4; pin++)
            assert_int_equal(piix_pirq_of(slot, pin), prt[(slot - 1) % 4][pin]);
    }
}

static void a_routed_pirq_drives_its_irq(void **state)
{
    struct bench *b = *state;
    route_as_seabios(b);
    piix_set_intx(piix(b), 2 * 4 + INTA, true); /* slot 2 INTA# = PIRQB */
    assert_line(b, 10, true);
    assert_line(b, 11, false);
    piix_set_intx(piix(b), 2 * 4 + INTA, false);
    assert_line(b, 10, false);
    piix_set_intx(piix(b), 3 * 4 + INTA, true); /* PIRQC */
    assert_line(b, 11, true);
}

static void a_shared_irq_is_the_or_of_its_sources(void **state)
{
    struct bench *b = *state;
    route_as_seabios(b);
    piix_set_intx(piix(b), 1 * 4 + INTA, true);
    piix_set_intx(piix(b), 5 * 4 + INTA, true); /* the same PIRQA */
    piix_set_intx(piix(b), 2 * 4 + INTA, true); /* PIRQB, the same IRQ */
    piix_set_isa_irq(piix(b), 10, true);
    piix_set_intx(piix(b), 1 * 4 + INTA, false);
    assert_line(b, 10, true);
    piix_set_intx(piix(b), 5 * 4 + INTA, false);
    assert_line(b, 10, true);
    piix_set_intx(piix(b), 2 * 4 + INTA, false);
    assert_line(b, 10, true);
    piix_set_isa_irq(piix(b), 10, false);
    assert_line(b, 10, false);
    assert_int_equal(b->rises[10], 1);
}

static void changing_the_route_moves_the_level(void **state)
{
    struct bench *b = *state;
    piix_set_intx(piix(b), 1 * 4 + INTA, true);
    set8(b, 0x60, 0x05);
    assert_line(b, 5, true);
    set8(b, 0x60, 0x09);
    assert_line(b, 5, false);
    assert_line(b, 9, true);
    set8(b, 0x60, 0x89);
    assert_line(b, 9, false);
}

/* PIRQRC bits 3-0: 0, 1, 2, 8 and 13 are reserved. */
static void reserved_irqs_are_not_driven(void **state)
{
    struct bench *b = *state;
    static const uint8_t reserved[] = {0, 1, 2, 8, 13};
    piix_set_intx(piix(b), 1 * 4 + INTA, true);
    for (unsigned i = 0; i < ARRAY_LEN(reserved); i++) {
        set8(b, 0x60, reserved[i]);
        assert_line(b, reserved[i], false);
    }
}

/* Devices are made and reset before the bridge; the interrupt controller too. */
static void lines_driven_before_init_and_held_over_reset_arrive(void **state)
{
    struct bench *b = *state;
    struct piix *late = bench_alloc(b, sizeof(*late));
    piix_set_isa_irq(late, 0, true);
    struct piix_wiring w = {.log = &b->log};
    w.irq[0] = bench_line(b, 20);
    piix_init(late, "late", w);
    assert_line(b, 20, true);
    b->line[20] = false; /* as a receiver that was reset */
    piix_class.reset(late, RESET_POWER_ON);
    assert_line(b, 20, true);
    b->line[20] = false;
    piix_set_isa_irq(late, 0, true);
    assert_line(b, 20, true);
}

/* RCR: the transition of bit 2 from 0 to 1 resets; bit 1 set means hard. SeaBIOS writes 02, 06. */
static void cf9_resets_on_the_edge_of_bit_2(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    out8(b, RCR, 0x02);
    assert_int_equal(x->hard + x->soft, 0);
    assert_int_equal(in8(b, RCR), 0x02);
    out8(b, RCR, 0x06);
    assert_int_equal(x->hard, 1);
    out8(b, RCR, 0x06);
    assert_int_equal(x->hard, 1);
    out8(b, RCR, 0x00);
    out8(b, RCR, 0x04);
    assert_int_equal(x->soft, 1);
}

static void writing_the_configuration_address_does_not_reset(void **state)
{
    struct bench *b = *state;
    struct board *x = b->dev;
    out32(b, ADDRESS, 0x80000600);
    assert_int_equal(x->hard + x->soft, 0);
    assert_int_equal(in8(b, RCR), 0x00);
}

static void poke(struct bench *b)
{
    route_as_seabios(b);
    piix_set_intx(piix(b), 2 * 4 + INTB, true);
    piix_set_isa_irq(piix(b), 9, true);
    out8(b, RCR, 0x02);
}

DEVICE_TESTS(piix, setup, &((struct board *)b->dev)->piix.dev, poke);

#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_a_multifunction_isa_bridge),
        T(nothing_is_routed_after_reset),
        T(slots_rotate_over_the_pirqs),
        T(a_routed_pirq_drives_its_irq),
        T(a_shared_irq_is_the_or_of_its_sources),
        T(changing_the_route_moves_the_level),
        T(reserved_irqs_are_not_driven),
        T(lines_driven_before_init_and_held_over_reset_arrive),
        T(cf9_resets_on_the_edge_of_bit_2),
        T(writing_the_configuration_address_does_not_reset),
        DEVICE_TESTS_OF(piix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
