/*
 * 16550A UART on a board without a CPU, as COM1 of a PC: ports 3F8-3FF, IRQ wire 4.
 * Expected values: National Semiconductor PC16550D datasheet; probing sequences of SeaBIOS
 * (reference: IER = 2 reads back, IIR = 2) and of Linux's 8250 driver.
 */
#include "tests/lib/device_tests.h"

#include <string.h>

#include "devices/ns16550.h"

enum { COM = 0x3f8, RBR = COM, THR = COM, IER, IIR, LCR, MCR, LSR, MSR, SCR };
enum { FCR = IIR, IRQ = 4, SENT = 64 };

struct back_end {
    uint8_t sent[SENT];
    unsigned count;
    bool dtr, rts, brk;
    unsigned ready;
};

static void collect(void *arg, uint8_t byte)
{
    struct back_end *e = arg;
    if (e->count < SENT)
        e->sent[e->count] = byte;
    e->count++;
}

static void pins(void *arg, bool dtr, bool rts, bool brk)
{
    struct back_end *e = arg;
    e->dtr = dtr;
    e->rts = rts;
    e->brk = brk;
}

static void ready(void *arg)
{
    struct back_end *e = arg;
    e->ready++;
}

static struct back_end *end_of(struct bench *b)
{
    return b->alloc[1];
}

static int setup(void **state)
{
    struct bench *b = bench_new();
    struct ns16550 *u = bench_alloc(b, sizeof(*u));
    struct back_end *e = bench_alloc(b, sizeof(*e));
    ns16550_init(u, "com1", (struct ns16550_wiring){
        .clk = &b->clk, .log = &b->log, .irq = bench_line(b, IRQ), .out2_gates_irq = true,
        .modem = NS16550_CTS | NS16550_DSR | NS16550_DCD,
        .tx = collect, .modem_out = pins, .rx_ready = ready, .arg = e});
    bench_map(b, COM, 8, 0, &ns16550_io, u);
    bench_add(b, &u->dev);
    *state = b;
    return 0;
}

/* 115200 baud, 8N1: 10 bits of 16 clocks at 1.8432 MHz = 86805.6 ns a byte. */
static const vtime BYTE = 86806;

static void program(struct bench *b, uint8_t fcr)
{
    out8(b, LCR, 0x83);
    out8(b, COM, 1);
    out8(b, COM + 1, 0);
    out8(b, LCR, 0x03);
    out8(b, FCR, fcr);
    out8(b, MCR, 0x0b);
}

static void send(struct bench *b, const char *text)
{
    for (; *text; text++)
        assert_true(ns16550_receive(b->dev, (uint8_t)*text));
}

/* Table I: IER 0, IIR 01, LCR 0, MCR 0, LSR 60, MSR lower half 0. */
static void reset_values_are_those_of_table_1(void **state)
{
    struct bench *b = *state;
    assert_int_equal(in8(b, IER), 0x00);
    assert_int_equal(in8(b, IIR), 0x01);
    assert_int_equal(in8(b, LCR), 0x00);
    assert_int_equal(in8(b, MCR), 0x00);
    assert_int_equal(in8(b, LSR), 0x60);
    assert_int_equal(in8(b, MSR), 0xb0);
    assert_line(b, IRQ, false);
}

static void seabios_finds_the_port(void **state)
{
    struct bench *b = *state;
    out8(b, IER, 0x02);
    assert_int_equal(in8(b, IER), 0x02);
    assert_int_equal(in8(b, IIR) & 0x3f, 0x02);
}

/* Linux 8250_port.c autoconfig(): IER keeps 4 bits, loopback turns 0A into 90, FCR = 1 gives IIR
 * bits 7-6 = 11, no EFR, no 64-byte FIFO bit. */
static void linux_identifies_a_16550a(void **state)
{
    struct bench *b = *state;
    out8(b, IER, 0x00);
    assert_int_equal(in8(b, IER), 0x00);
    out8(b, IER, 0x0f);
    assert_int_equal(in8(b, IER), 0x0f);
    out8(b, IER, 0x00);
    out8(b, MCR, 0x1a);
    assert_int_equal(in8(b, MSR) & 0xf0, 0x90);
    out8(b, MCR, 0x00);
    out8(b, LCR, 0xbf);
    out8(b, FCR, 0x00);
    out8(b, LCR, 0x00);
    out8(b, FCR, 0x01);
    assert_int_equal(in8(b, IIR) >> 6, 3);
    out8(b, LCR, 0x80);
    assert_int_not_equal(in8(b, FCR), 0x00);
    out8(b, FCR, 0x21);
    assert_int_equal(in8(b, IIR) & 0xe0, 0xc0);
}

/* Linux's test for the lost-THRE bug: switching ETBEI off and on interrupts again. */
static void enabling_etbei_with_an_empty_thr_interrupts_each_time(void **state)
{
    struct bench *b = *state;
    out8(b, IER, 0x02);
    assert_int_equal(in8(b, IIR), 0x02);
    assert_int_equal(in8(b, IIR), 0x01);
    out8(b, IER, 0x00);
    out8(b, IER, 0x02);
    assert_int_equal(in8(b, IIR), 0x02);
}

static void the_divisor_latch_hides_data_and_ier(void **state)
{
    struct bench *b = *state;
    out8(b, IER, 0x05);
    out8(b, LCR, 0x80);
    out8(b, COM, 0x34);
    out8(b, COM + 1, 0x12);
    assert_int_equal(in8(b, COM), 0x34);
    assert_int_equal(in8(b, COM + 1), 0x12);
    out8(b, LCR, 0x00);
    assert_int_equal(in8(b, IER), 0x05);
    assert_int_equal(end_of(b)->count, 0);
}

static void scratch_keeps_what_is_written(void **state)
{
    struct bench *b = *state;
    out8(b, SCR, 0xa5);
    assert_int_equal(in8(b, SCR), 0xa5);
}

static void a_byte_leaves_after_its_ten_bits(void **state)
{
    struct bench *b = *state;
    program(b, 0x00);
    out8(b, THR, 'A');
    assert_int_equal(in8(b, LSR), 0x20); /* holding register free, shifter busy */
    clock_step(b, BYTE - 1);
    assert_int_equal(end_of(b)->count, 0);
    clock_step(b, 1);
    assert_int_equal(end_of(b)->count, 1);
    assert_int_equal(end_of(b)->sent[0], 'A');
    assert_int_equal(in8(b, LSR), 0x60);
}

/* 300 baud (divisor 384), 7 data bits, even parity, 2 stop bits = 11 bits: 36.667 ms. */
static void frame_format_and_divisor_set_the_byte_time(void **state)
{
    struct bench *b = *state;
    out8(b, LCR, 0x80);
    out8(b, COM, 384 & 0xff);
    out8(b, COM + 1, 384 >> 8);
    out8(b, LCR, 0x1e);
    out8(b, THR, 0x55);
    clock_step(b, 36666666);
    assert_int_equal(end_of(b)->count, 0);
    clock_step(b, 1);
    assert_int_equal(end_of(b)->count, 1);
}

static void the_transmit_fifo_takes_sixteen_bytes_behind_the_shifter(void **state)
{
    struct bench *b = *state;
    program(b, 0x01);
    for (uint8_t i = 0; i < 17; i++)
        out8(b, THR, i);
    assert_int_equal(in8(b, LSR), 0x00);
    out8(b, THR, 0xee); /* lost */
    clock_step(b, 16 * BYTE);
    assert_int_equal(end_of(b)->count, 16);
    assert_int_equal(in8(b, LSR), 0x20);
    clock_step(b, 2 * BYTE);
    assert_int_equal(end_of(b)->count, 17);
    for (uint8_t i = 0; i < 17; i++)
        assert_int_equal(end_of(b)->sent[i], i);
}

static void an_empty_thr_interrupts_until_iir_is_read_or_thr_written(void **state)
{
    struct bench *b = *state;
    program(b, 0x01);
    out8(b, IER, 0x02);
    assert_line(b, IRQ, true);
    assert_int_equal(in8(b, IIR), 0xc2);
    assert_line(b, IRQ, false);
    out8(b, THR, 'x');
    assert_line(b, IRQ, true); /* moved into the shifter at once */
    out8(b, THR, 'y');
    assert_line(b, IRQ, false);
    clock_step(b, BYTE);
    assert_line(b, IRQ, true);
}

static void out2_opens_the_interrupt_driver(void **state)
{
    struct bench *b = *state;
    out8(b, IER, 0x02);
    assert_line(b, IRQ, false);
    out8(b, MCR, 0x08);
    assert_line(b, IRQ, true);
    out8(b, MCR, 0x18); /* loopback: OUT2 pin inactive */
    assert_line(b, IRQ, false);
}

static void a_received_byte_shows_after_its_time_and_clears_when_read(void **state)
{
    struct bench *b = *state;
    program(b, 0x00);
    out8(b, IER, 0x01);
    send(b, "k");
    clock_step(b, BYTE - 1);
    assert_int_equal(in8(b, LSR), 0x60);
    clock_step(b, 1);
    assert_int_equal(in8(b, LSR), 0x61);
    assert_line(b, IRQ, true);
    assert_int_equal(in8(b, IIR), 0x04);
    assert_int_equal(in8(b, RBR), 'k');
    assert_line(b, IRQ, false);
    assert_int_equal(in8(b, LSR), 0x60);
}

/* Table II, FCR bits 7-6: 1, 4, 8, 14 bytes. */
static void receive_interrupts_come_at_the_trigger_level(void **state)
{
    struct bench *b = *state;
    static const struct { uint8_t fcr; unsigned level; } cases[] = {
        {0x01, 1}, {0x41, 4}, {0x81, 8}, {0xc1, 14}};
    for (unsigned c = 0; c < ARRAY_LEN(cases); c++) {
        program(b, (uint8_t)(cases[c].fcr | 0x06));
        out8(b, IER, 0x01);
        send(b, "0123456789abcdef");
        clock_step(b, (cases[c].level - 1) * BYTE);
        assert_line(b, IRQ, false);
        clock_step(b, BYTE);
        assert_line(b, IRQ, true);
        assert_int_equal(in8(b, IIR), 0xc4);
        assert_int_equal(in8(b, RBR), '0');
        assert_line(b, IRQ, false);
        clock_step(b, 20 * BYTE);
        while (in8(b, LSR) & 1)
            in8(b, RBR);
    }
}

/* 8.10: four character times without a character or a read; cleared by reading RBR. */
static void characters_below_the_trigger_level_time_out(void **state)
{
    struct bench *b = *state;
    program(b, 0xc1);
    out8(b, IER, 0x01);
    send(b, "ab");
    clock_step(b, 2 * BYTE);
    clock_step(b, 4 * BYTE - 10);
    assert_line(b, IRQ, false);
    clock_step(b, 10);
    assert_line(b, IRQ, true);
    assert_int_equal(in8(b, IIR), 0xcc);
    assert_int_equal(in8(b, RBR), 'a');
    assert_line(b, IRQ, false);
    clock_step(b, 4 * BYTE);
    assert_int_equal(in8(b, IIR), 0xcc);
    assert_int_equal(in8(b, RBR), 'b');
    clock_step(b, 10 * BYTE);
    assert_int_equal(in8(b, IIR), 0xc1);
}

static void the_line_waits_while_the_fifo_is_full(void **state)
{
    struct bench *b = *state;
    program(b, 0x01);
    send(b, "0123456789abcdef");
    clock_step(b, 8 * BYTE);
    send(b, "ghijklmn");
    clock_step(b, 40 * BYTE);
    assert_int_equal(ns16550_room(b->dev), 8);
    for (const char *p = "0123456789abcdefghijklmn"; *p; p++) {
        assert_int_equal(in8(b, LSR), 0x61); /* no overrun */
        assert_int_equal(in8(b, RBR), *p);
        clock_step(b, BYTE);
    }
    assert_int_equal(in8(b, LSR), 0x60);
}

static void a_full_line_refuses_and_tells_when_there_is_room(void **state)
{
    struct bench *b = *state;
    unsigned taken = 0;
    program(b, 0x01);
    while (ns16550_receive(b->dev, 'z'))
        taken++;
    assert_int_equal(taken, 17); /* 16 and the one in the shift register */
    assert_int_equal(end_of(b)->ready, 0);
    clock_step(b, BYTE);
    assert_int_equal(end_of(b)->ready, 1);
    assert_true(ns16550_receive(b->dev, 'z'));
}

/* Table IV: line status before data, data before transmitter, transmitter before modem status. */
static void interrupts_have_the_priority_of_table_4(void **state)
{
    struct bench *b = *state;
    program(b, 0x00);
    out8(b, IER, 0x0f);
    ns16550_set_modem(b->dev, NS16550_CTS);
    assert_true(ns16550_receive_error(b->dev, 0xff, NS16550_PARITY));
    clock_step(b, BYTE);
    assert_int_equal(in8(b, IIR), 0x06);
    assert_int_equal(in8(b, LSR), 0x65);
    assert_int_equal(in8(b, IIR), 0x04);
    in8(b, RBR);
    assert_int_equal(in8(b, IIR), 0x02);
    assert_int_equal(in8(b, IIR), 0x00);
    assert_int_equal(in8(b, MSR), 0x1a); /* DSR and DCD went away */
    assert_int_equal(in8(b, IIR), 0x01);
    assert_line(b, IRQ, false);
}

/* 8.3: an error shows when its character reaches the top of the FIFO; bit 7 while one is inside. */
static void an_error_travels_with_its_character(void **state)
{
    struct bench *b = *state;
    program(b, 0x01);
    send(b, "a");
    assert_true(ns16550_receive_error(b->dev, 0, NS16550_BREAK));
    clock_step(b, 2 * BYTE);
    assert_int_equal(in8(b, LSR), 0xe1);
    assert_int_equal(in8(b, RBR), 'a');
    assert_int_equal(in8(b, LSR), 0xf1);
    assert_int_equal(in8(b, LSR), 0x61);
    assert_int_equal(in8(b, RBR), 0x00);
}

/* 8.7, bit 4: the transmitter feeds the receiver; the outputs feed the modem inputs. */
static void loopback_returns_bytes_and_modem_lines(void **state)
{
    struct bench *b = *state;
    program(b, 0x01);
    static const uint8_t wired[4][2] = {{0x11, 0x20}, {0x12, 0x10}, {0x14, 0x40}, {0x18, 0x80}};
    for (unsigned i = 0; i < 4; i++) {
        out8(b, MCR, wired[i][0]);
        assert_int_equal(in8(b, MSR) & 0xf0, wired[i][1]);
    }
    out8(b, THR, 0xa5);
    clock_step(b, BYTE);
    assert_int_equal(in8(b, RBR), 0xa5);
    assert_int_equal(end_of(b)->count, 0);
    assert_false(end_of(b)->dtr);
}

/* 8.3, bit 1: the FIFO stays, the character in the shift register is lost. */
static void loopback_overruns_a_full_fifo(void **state)
{
    struct bench *b = *state;
    program(b, 0x01);
    out8(b, MCR, 0x10);
    for (unsigned i = 0; i < 16; i++)
        out8(b, THR, (uint8_t)i);
    clock_step(b, 17 * BYTE);
    assert_int_equal(in8(b, LSR), 0x61);
    out8(b, THR, 0x99);
    clock_step(b, BYTE);
    assert_int_equal(in8(b, LSR), 0x63);
    assert_int_equal(in8(b, LSR), 0x61);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(in8(b, RBR), i);
    assert_int_equal(in8(b, LSR), 0x60);
}

/* 8.8: bit 2 is the trailing edge of RI only. */
static void modem_changes_are_latched_until_read(void **state)
{
    struct bench *b = *state;
    ns16550_set_modem(b->dev, NS16550_RI);
    assert_int_equal(in8(b, MSR), 0x4b);
    assert_int_equal(in8(b, MSR), 0x40);
    ns16550_set_modem(b->dev, 0);
    assert_int_equal(in8(b, MSR), 0x04);
    assert_int_equal(in8(b, MSR), 0x00);
}

static void fcr_resets_empty_the_fifos(void **state)
{
    struct bench *b = *state;
    program(b, 0x01);
    send(b, "xyz");
    clock_step(b, 3 * BYTE);
    for (unsigned i = 0; i < 5; i++)
        out8(b, THR, 'q');
    out8(b, FCR, 0x07);
    assert_int_equal(in8(b, LSR), 0x20); /* the shifter goes on */
    clock_step(b, 10 * BYTE);
    assert_int_equal(end_of(b)->count, 1);
    assert_int_equal(in8(b, IIR), 0xc1);
}

static void outputs_and_break_reach_the_back_end(void **state)
{
    struct bench *b = *state;
    out8(b, MCR, 0x01);
    assert_true(end_of(b)->dtr && !end_of(b)->rts);
    out8(b, MCR, 0x02);
    assert_true(!end_of(b)->dtr && end_of(b)->rts);
    out8(b, LCR, 0x43);
    assert_true(end_of(b)->brk);
    out8(b, LCR, 0x03);
    assert_false(end_of(b)->brk);
}

static void poke(struct bench *b)
{
    program(b, 0x81);
    out8(b, IER, 0x0f);
    out8(b, SCR, (uint8_t)clock_now(&b->clk));
    for (unsigned i = 0; i < 9; i++)
        out8(b, THR, (uint8_t)('a' + i));
    for (unsigned i = 0; i < 11; i++)
        ns16550_receive_error(b->dev, (uint8_t)i, i % 3 ? 0 : NS16550_FRAMING);
    ns16550_set_modem(b->dev, NS16550_CTS);
    clock_step(b, 4 * BYTE + 7);
    in8(b, RBR);
    in8(b, IIR);
}

DEVICE_TESTS(ns16550, setup, &((struct ns16550 *)b->dev)->dev, poke);

#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(reset_values_are_those_of_table_1),
        T(seabios_finds_the_port),
        T(linux_identifies_a_16550a),
        T(enabling_etbei_with_an_empty_thr_interrupts_each_time),
        T(the_divisor_latch_hides_data_and_ier),
        T(scratch_keeps_what_is_written),
        T(a_byte_leaves_after_its_ten_bits),
        T(frame_format_and_divisor_set_the_byte_time),
        T(the_transmit_fifo_takes_sixteen_bytes_behind_the_shifter),
        T(an_empty_thr_interrupts_until_iir_is_read_or_thr_written),
        T(out2_opens_the_interrupt_driver),
        T(a_received_byte_shows_after_its_time_and_clears_when_read),
        T(receive_interrupts_come_at_the_trigger_level),
        T(characters_below_the_trigger_level_time_out),
        T(the_line_waits_while_the_fifo_is_full),
        T(a_full_line_refuses_and_tells_when_there_is_room),
        T(interrupts_have_the_priority_of_table_4),
        T(an_error_travels_with_its_character),
        T(loopback_returns_bytes_and_modem_lines),
        T(loopback_overruns_a_full_fifo),
        T(modem_changes_are_latched_until_read),
        T(fcr_resets_empty_the_fifos),
        T(outputs_and_break_reach_the_back_end),
        DEVICE_TESTS_OF(ns16550),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
