/* Two 8259As in cascade, as in a PC/AT, through their ports and pins. Expected behaviour: data
 * sheet 231468-003 ("p.N") and, for the ELCR, 82371SB 3.6. */
#include "devices/i8259.h"
#include "tests/lib/device_tests.h"

enum { M0 = 0x20, M1 = 0x21, S0 = 0xa0, S1 = 0xa1, ELCR_M = 0x4d0, ELCR_S = 0x4d1, INTR = 0 };

struct pair {
    struct i8259 master, slave;
};

static void init_chips(struct bench *b)
{
    out8(b, M0, 0x11);
    out8(b, M1, 0x08);
    out8(b, M1, 0x04);
    out8(b, M1, 0x01);
    out8(b, S0, 0x11);
    out8(b, S1, 0x70);
    out8(b, S1, 0x02);
    out8(b, S1, 0x01);
}

static struct bench *new_pair(uint8_t elcr_master, uint8_t elcr_slave)
{
    struct bench *b = bench_new();
    struct pair *p = bench_alloc(b, sizeof(*p));
    i8259_init(&p->master, "pic0",
               (struct i8259_wiring){.clk = &b->clk, .log = &b->log, .intr = bench_line(b, INTR),
                                     .slave = &p->slave, .slave_pin = 2,
                                     .elcr_writable = elcr_master});
    i8259_init(&p->slave, "pic1",
               (struct i8259_wiring){.clk = &b->clk, .log = &b->log,
                                     .intr = i8259_pin(&p->master, 2),
                                     .elcr_writable = elcr_slave});
    bench_map(b, M0, 2, 0, &i8259_io, &p->master);
    bench_map(b, S0, 2, 0, &i8259_io, &p->slave);
    bench_map(b, ELCR_M, 1, 0, &i8259_elcr_io, &p->master);
    bench_map(b, ELCR_S, 1, 0, &i8259_elcr_io, &p->slave);
    bench_add(b, &p->master.dev);
    bench_add(b, &p->slave.dev);
    init_chips(b);
    return b;
}

static int setup(void **state)
{
    *state = new_pair(0xf8, 0xde);
    return 0;
}

static int setup_without_elcr(void **state)
{
    *state = new_pair(0, 0);
    return 0;
}

static struct pair *pair_of(struct bench *b)
{
    return b->dev;
}

static void irq(struct bench *b, unsigned n, bool level)
{
    struct pair *p = pair_of(b);
    struct irq_line line = n < 8 ? i8259_pin(&p->master, n) : i8259_pin(&p->slave, n - 8);
    irq_set(&line, level);
}

static uint8_t ack(struct bench *b)
{
    return i8259_acknowledge(&pair_of(b)->master);
}

static uint8_t isr(struct bench *b, uint16_t port)
{
    out8(b, port, 0x0b);
    return in8(b, port);
}

static uint8_t irr(struct bench *b, uint16_t port)
{
    out8(b, port, 0x0a);
    return in8(b, port);
}

static void a_request_raises_int_and_gives_its_vector(void **state)
{
    struct bench *b = *state;
    assert_line(b, INTR, false);
    irq(b, 3, true);
    assert_line(b, INTR, true);
    assert_int_equal(irr(b, M0), 0x08);
    assert_int_equal(ack(b), 0x0b);
    assert_line(b, INTR, false);
    assert_int_equal(isr(b, M0), 0x08);
    assert_int_equal(irr(b, M0), 0);
}

/* p.6: edge mode: a request that stays high asks once. */
static void an_edge_asks_once_until_the_next_edge(void **state)
{
    struct bench *b = *state;
    irq(b, 1, true);
    ack(b);
    out8(b, M0, 0x20);
    assert_line(b, INTR, false);
    irq(b, 1, false);
    irq(b, 1, true);
    assert_line(b, INTR, true);
}

static void masked_requests_wait(void **state)
{
    struct bench *b = *state;
    out8(b, M1, 0x10);
    assert_int_equal(in8(b, M1), 0x10);
    irq(b, 4, true);
    assert_line(b, INTR, false);
    assert_int_equal(irr(b, M0), 0x10);
    out8(b, M1, 0);
    assert_line(b, INTR, true);
    assert_int_equal(ack(b), 0x0c);
}

/* p.14: fully nested: lower priorities wait for the EOI, higher ones interrupt. */
static void fully_nested_priorities(void **state)
{
    struct bench *b = *state;
    irq(b, 4, true);
    assert_int_equal(ack(b), 0x0c);
    irq(b, 6, true);
    assert_line(b, INTR, false);
    irq(b, 1, true);
    assert_line(b, INTR, true);
    assert_int_equal(ack(b), 0x09);
    out8(b, M0, 0x20); /* ends 1 */
    assert_int_equal(isr(b, M0), 0x10);
    assert_line(b, INTR, false);
    out8(b, M0, 0x20); /* ends 4 */
    assert_line(b, INTR, true);
    assert_int_equal(ack(b), 0x0e);
}

static void specific_eoi_ends_the_named_level(void **state)
{
    struct bench *b = *state;
    irq(b, 5, true);
    ack(b);
    irq(b, 3, true);
    ack(b);
    out8(b, M0, 0x65);
    assert_int_equal(isr(b, M0), 0x08);
}

/* p.18: a request that goes away before INTA gives IR7's vector and no in-service bit. */
static void a_request_that_goes_away_is_spurious_irq7(void **state)
{
    struct bench *b = *state;
    irq(b, 3, true);
    irq(b, 3, false);
    assert_line(b, INTR, false);
    assert_int_equal(ack(b), 0x0f);
    assert_int_equal(isr(b, M0), 0);
}

static void slave_requests_pass_through_the_master(void **state)
{
    struct bench *b = *state;
    irq(b, 12, true);
    assert_line(b, INTR, true);
    assert_int_equal(irr(b, M0), 0x04);
    assert_int_equal(ack(b), 0x74);
    assert_int_equal(isr(b, M0), 0x04);
    assert_int_equal(isr(b, S0), 0x10);
    irq(b, 8, true); /* higher in the slave, but the master's level 2 is in service */
    assert_line(b, INTR, false);
    out8(b, S0, 0x20);
    out8(b, M0, 0x20);
    assert_line(b, INTR, true);
    assert_int_equal(ack(b), 0x70);
}

/* A second slave request must still reach the edge-triggered master. */
static void slave_int_is_an_edge_for_each_request(void **state)
{
    struct bench *b = *state;
    irq(b, 14, true);
    irq(b, 9, true);
    assert_int_equal(ack(b), 0x71);
    out8(b, S0, 0x20);
    out8(b, M0, 0x20);
    assert_int_equal(ack(b), 0x76);
}

/* p.18, at the slave: IRQ15 with the master's level 2 in service. */
static void a_slave_request_that_goes_away_during_inta_is_spurious_irq15(void **state)
{
    struct bench *b = *state;
    struct pair *p = pair_of(b);
    irq(b, 11, true);
    p->slave.st.imr = 0xff; /* as if it fell between the two INTA pulses */
    assert_int_equal(ack(b), 0x77);
    assert_int_equal(isr(b, M0), 0x04);
    assert_int_equal(isr(b, S0), 0);
}

/* p.15: special fully nested mode: a higher request of the slave in service gets through. */
static void special_fully_nested_mode_lets_higher_slave_requests_through(void **state)
{
    struct bench *b = *state;
    out8(b, M0, 0x11);
    out8(b, M1, 0x08);
    out8(b, M1, 0x04);
    out8(b, M1, 0x11);
    irq(b, 12, true);
    assert_int_equal(ack(b), 0x74);
    irq(b, 8, true);
    assert_line(b, INTR, true);
    assert_int_equal(ack(b), 0x70);
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
    struct bench *b = *state;
    out8(b, M0, 0x11);
    out8(b, M1, 0x08);
    out8(b, M1, 0x04);
    out8(b, M1, 0x03);
    irq(b, 6, true);
    assert_int_equal(ack(b), 0x0e);
    assert_int_equal(isr(b, M0), 0);
    irq(b, 7, true);
    assert_int_equal(ack(b), 0x0f);
}

/* p.14: rotate on non-specific EOI: the level just served gets the lowest priority. */
static void rotation_on_eoi_makes_the_served_level_the_lowest(void **state)
{
    struct bench *b = *state;
    irq(b, 4, true);
    ack(b);
    irq(b, 4, false);
    out8(b, M0, 0xa0);
    irq(b, 4, true);
    irq(b, 7, true);
    irq(b, 5, true);
    assert_int_equal(ack(b), 0x0d);
    out8(b, M0, 0x20);
    assert_int_equal(ack(b), 0x0f);
    out8(b, M0, 0x20);
    assert_int_equal(ack(b), 0x0c);
}

static void set_priority_command_names_the_lowest_level(void **state)
{
    struct bench *b = *state;
    out8(b, M0, 0xc5); /* IR5 lowest: IR6 highest */
    irq(b, 0, true);
    irq(b, 6, true);
    assert_int_equal(ack(b), 0x0e);
}

static void rotation_in_automatic_eoi_mode(void **state)
{
    struct bench *b = *state;
    out8(b, M0, 0x11);
    out8(b, M1, 0x08);
    out8(b, M1, 0x04);
    out8(b, M1, 0x03);
    out8(b, M0, 0x80);
    irq(b, 0, true);
    assert_int_equal(ack(b), 0x08);
    irq(b, 0, false);
    irq(b, 0, true);
    irq(b, 1, true);
    assert_int_equal(ack(b), 0x09); /* 0 is the lowest now */
}

/* p.16: special mask mode: lower levels get through although a masked one is in service. */
static void special_mask_mode_opens_lower_levels(void **state)
{
    struct bench *b = *state;
    irq(b, 3, true);
    ack(b);
    irq(b, 6, true);
    assert_line(b, INTR, false);
    out8(b, M1, 0x08);
    assert_line(b, INTR, false);
    out8(b, M0, 0x68);
    assert_line(b, INTR, true);
    assert_int_equal(ack(b), 0x0e);
    out8(b, M0, 0x20); /* does not end the masked level 3 */
    assert_int_equal(isr(b, M0), 0x08);
    out8(b, M0, 0x48);
    out8(b, M0, 0x20);
    assert_int_equal(isr(b, M0), 0);
}

/* p.15: the poll command's read is the acknowledge. */
static void poll_reads_and_serves_the_highest_request(void **state)
{
    struct bench *b = *state;
    out8(b, M0, 0x0c);
    assert_int_equal(in8(b, M0), 0);
    irq(b, 5, true);
    out8(b, M0, 0x0c);
    assert_int_equal(in8(b, M0), 0x85);
    assert_int_equal(isr(b, M0), 0x20);
    assert_line(b, INTR, false);
}

static void elcr_holds_only_the_pins_that_can_be_level_triggered(void **state)
{
    struct bench *b = *state;
    out8(b, ELCR_M, 0xff);
    out8(b, ELCR_S, 0xff);
    assert_int_equal(in8(b, ELCR_M), 0xf8);
    assert_int_equal(in8(b, ELCR_S), 0xde);
}

static void a_level_triggered_pin_asks_while_it_is_high(void **state)
{
    struct bench *b = *state;
    out8(b, ELCR_S, 0x0c);
    irq(b, 10, true);
    assert_int_equal(ack(b), 0x72);
    assert_int_equal(irr(b, S0), 0x04);
    out8(b, S0, 0x20);
    out8(b, M0, 0x20);
    assert_line(b, INTR, true);
    assert_int_equal(ack(b), 0x72);
    irq(b, 10, false);
    out8(b, S0, 0x20);
    out8(b, M0, 0x20);
    assert_line(b, INTR, false);
}

static void without_elcr_icw1_selects_level_mode_for_all(void **state)
{
    struct bench *b = *state;
    out8(b, M0, 0x19);
    out8(b, M1, 0x08);
    out8(b, M1, 0x04);
    out8(b, M1, 0x01);
    irq(b, 0, true);
    assert_int_equal(ack(b), 0x08);
    out8(b, M0, 0x20);
    assert_line(b, INTR, true);
    out8(b, ELCR_M, 0xff);
    assert_int_equal(in8(b, ELCR_M), 0);
}

/* p.11: ICW1 clears the mask and needs a new edge of every edge-triggered pin. */
static void icw1_forgets_edges_and_mask(void **state)
{
    struct bench *b = *state;
    out8(b, M1, 0xfb);
    irq(b, 0, true);
    irq(b, 6, true);
    out8(b, M0, 0x11);
    assert_int_equal(irr(b, M0), 0);
    out8(b, M1, 0x20);
    out8(b, M1, 0x04);
    out8(b, M1, 0x01);
    assert_int_equal(in8(b, M1), 0);
    assert_line(b, INTR, false);
    irq(b, 6, false);
    irq(b, 6, true);
    assert_int_equal(ack(b), 0x26);
}

static void single_mode_takes_no_icw3(void **state)
{
    struct bench *b = *state;
    out8(b, M0, 0x13);
    out8(b, M1, 0x40);
    out8(b, M1, 0x01);
    out8(b, M1, 0x55);
    assert_int_equal(in8(b, M1), 0x55);
}

static void poke(struct bench *b)
{
    irq(b, 12, false);
    irq(b, 12, true);
    irq(b, 3, !pair_of(b)->master.st.isr);
    out8(b, ELCR_S, 0x10);
    ack(b);
    out8(b, S1, 0x02);
    out8(b, M0, 0xc3);
    irq(b, 1, true);
    out8(b, S0, 0x68);
}

DEVICE_TESTS(i8259_master, setup, &pair_of(b)->master.dev, poke);
DEVICE_TESTS(i8259_slave, setup, &pair_of(b)->slave.dev, poke);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_raises_int_and_gives_its_vector),
        TEST(an_edge_asks_once_until_the_next_edge),
        TEST(masked_requests_wait),
        TEST(fully_nested_priorities),
        TEST(specific_eoi_ends_the_named_level),
        TEST(a_request_that_goes_away_is_spurious_irq7),
        TEST(slave_requests_pass_through_the_master),
        TEST(slave_int_is_an_edge_for_each_request),
        TEST(a_slave_request_that_goes_away_during_inta_is_spurious_irq15),
        TEST(special_fully_nested_mode_lets_higher_slave_requests_through),
        TEST(automatic_eoi_leaves_nothing_in_service),
        TEST(rotation_on_eoi_makes_the_served_level_the_lowest),
        TEST(set_priority_command_names_the_lowest_level),
        TEST(rotation_in_automatic_eoi_mode),
        TEST(special_mask_mode_opens_lower_levels),
        TEST(poll_reads_and_serves_the_highest_request),
        TEST(elcr_holds_only_the_pins_that_can_be_level_triggered),
        TEST(a_level_triggered_pin_asks_while_it_is_high),
        cmocka_unit_test_setup_teardown(without_elcr_icw1_selects_level_mode_for_all,
                                        setup_without_elcr, bench_teardown),
        TEST(icw1_forgets_edges_and_mask),
        TEST(single_mode_takes_no_icw3),
        DEVICE_TESTS_OF(i8259_master),
        DEVICE_TESTS_OF(i8259_slave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
