/* An 8042 with keyboard and mouse on a bench, as the tests of all three want it. */
#ifndef TESTS_DEVICES_PS2_BOARD_H
#define TESTS_DEVICES_PS2_BOARD_H

#include "devices/i8042.h"
#include "devices/ps2_kbd.h"
#include "devices/ps2_mouse.h"
#include "tests/lib/device_tests.h"

enum { DATA = 0x60, STATUS = 0x64, COMMAND = 0x64, IRQ1 = 1, IRQ12 = 12, A20 = 20, RESET = 21 };

struct ps2_board {
    struct i8042 kbc;
    struct ps2_kbd keyboard;
    struct ps2_mouse mouse;
};

static inline struct ps2_board *board_of(struct bench *b)
{
    return b->dev;
}

static inline struct bench *new_ps2_board(void)
{
    struct bench *b = bench_new();
    struct ps2_board *x = bench_alloc(b, sizeof(*x));
    i8042_init(&x->kbc, "kbc",
               (struct i8042_wiring){.clk = &b->clk, .log = &b->log,
                                     .irq_keyboard = bench_line(b, IRQ1),
                                     .irq_aux = bench_line(b, IRQ12), .a20 = bench_line(b, A20),
                                     .reset = bench_line(b, RESET),
                                     .port = {{&ps2_kbd_ops, &x->keyboard},
                                              {&ps2_mouse_ops, &x->mouse}}});
    ps2_kbd_init(&x->keyboard, "kbd",
                 (struct ps2_kbd_wiring){.clk = &b->clk, .log = &b->log,
                                         .ready = i8042_ready(&x->kbc, I8042_KEYBOARD)});
    ps2_mouse_init(&x->mouse, "mouse",
                   (struct ps2_mouse_wiring){.clk = &b->clk, .log = &b->log,
                                             .ready = i8042_ready(&x->kbc, I8042_AUX)});
    bench_map(b, DATA, 1, 0, &i8042_io, &x->kbc);
    bench_map(b, STATUS, 1, 4, &i8042_io, &x->kbc);
    bench_add(b, &x->kbc.dev);
    bench_add(b, &x->keyboard.dev);
    bench_add(b, &x->mouse.dev);
    return b;
}

static inline void command_byte(struct bench *b, uint8_t value)
{
    out8(b, COMMAND, 0x60);
    out8(b, DATA, value);
}

/* Waits as a driver does, up to a second, and reads; -1: nothing came. */
static inline int receive(struct bench *b)
{
    for (unsigned i = 0; i < 20000; i++) {
        if (in8(b, STATUS) & 1)
            return in8(b, DATA);
        clock_step(b, 50000);
    }
    return -1;
}

static inline void assert_receives(struct bench *b, const void *bytes, size_t n)
{
    const uint8_t *want = bytes;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(receive(b), want[i]);
}

static inline void assert_silent(struct bench *b)
{
    clock_step(b, 200000000);
    assert_int_equal(in8(b, STATUS) & 1, 0);
}

static inline void to_mouse(struct bench *b, uint8_t byte)
{
    out8(b, COMMAND, 0xd4);
    out8(b, DATA, byte);
    assert_int_equal(receive(b), 0xfa);
}

static inline void to_keyboard(struct bench *b, uint8_t byte)
{
    out8(b, DATA, byte);
    assert_int_equal(receive(b), 0xfa);
}

#endif
