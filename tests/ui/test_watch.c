/* What the front end watches: changes of the picture, and a guest that waits by polling the BIOS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "machine/compiler.h"
#include "tests/lib/rom_machine.h"
#include "ui/watch.c"

static const uint8_t spin_in_bios[] = {0xeb, 0xfe}; /* F000:0000  jmp $ */

struct fixture {
    struct rom_machine r;
    struct machine *m;
    struct watch w;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct machine_host host = {0};
    rom_machine_new(&f->r, spin_in_bios, sizeof(spin_in_bios), &host);
    f->m = f->r.m;
    f->m->pc->vga.st.gc[6] = 1; /* graphics: nothing blinks */
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    watch_free(&f->w);
    rom_machine_free(&f->r);
    free(f);
    return 0;
}

static void run_frame(struct machine *m)
{
    assert_int_equal(machine_run(m, machine_now(m) + NS_PER_SECOND / 60, machine_icount(m) + 1000), MACHINE_SLICE);
}

static bool look(struct fixture *f)
{
    run_frame(f->m);
    return watch_picture(&f->w, f->m);
}

static void only_changes_are_reported(void **state)
{
    struct fixture *f = *state;
    uint8_t *vram = f->m->pc->vga.w.vram->host;
    assert_true(look(f)); /* the first one */
    assert_false(look(f));
    vram[4 * 65536 - 1] ^= 1; /* the last byte that a standard mode can show */
    assert_true(look(f));
    assert_false(look(f));
    f->m->pc->vga.st.dac[5] ^= 1;
    assert_true(look(f));
    assert_false(look(f));
}

/* The cursor's phase is 8 frames of about 1/70 s. */
static void a_text_screen_changes_as_it_blinks(void **state)
{
    struct fixture *f = *state;
    struct vga_state *st = &f->m->pc->vga.st;
    static const uint8_t crtc[] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f}; /* 80 x 25 text, 400 lines */
    memcpy(st->crtc, crtc, sizeof(crtc));
    st->crtc[0x12] = 0x8f;
    st->gc[6] = 0;
    unsigned changes = 0;
    for (vtime end = machine_now(f->m) + 2 * NS_PER_SECOND; machine_now(f->m) < end;) {
        assert_int_equal(machine_run(f->m, machine_now(f->m) + 10000000, UINT64_MAX), MACHINE_SLICE);
        changes += watch_picture(&f->w, f->m);
    }
    assert_in_range(changes, 12, 26);
}

static bool poll_for(struct fixture *f, unsigned looks)
{
    bool polling = false;
    while (looks--) {
        bool changed = look(f);
        polling = watch_polling(&f->w, f->m, changed);
    }
    return polling;
}

static void a_guest_that_stays_in_the_bios_is_idle_after_a_while(void **state)
{
    struct fixture *f = *state;
    assert_false(poll_for(f, 60));
    assert_true(poll_for(f, 60));
    assert_true(poll_for(f, 1000)); /* and stays so */
}

static void a_key_or_a_new_picture_ends_idleness_at_once(void **state)
{
    struct fixture *f = *state;
    assert_true(poll_for(f, 120));
    machine_key(f->m, 4, true);
    assert_false(poll_for(f, 1));
    assert_true(poll_for(f, 120));
    f->m->pc->vga.w.vram->host[0] ^= 1;
    assert_false(poll_for(f, 1));
    assert_true(poll_for(f, 120));
    f->m->pc->dma[0].st.address[2]++; /* the floppy moves data */
    assert_false(poll_for(f, 1));
}

/* What this very detection posts must not end it. */
static void a_change_of_the_rate_is_no_input(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct input_event rate = {.kind = INPUT_RATE, .value = 65536};
    assert_true(poll_for(f, 120));
    assert_int_equal(machine_post(f->m, &rate, &err), EMU_OK);
    assert_true(poll_for(f, 1));
}

static void a_guest_in_protected_mode_is_not_polling_the_bios(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 200; i++) {
        bool changed = look(f);
        f->m->pc->cpu.st.cr0 |= 1;
        assert_false(watch_polling(&f->w, f->m, changed));
        f->m->pc->cpu.st.cr0 &= ~(uint64_t)1;
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(only_changes_are_reported),
        T(a_text_screen_changes_as_it_blinks),
        T(a_guest_that_stays_in_the_bios_is_idle_after_a_while),
        T(a_key_or_a_new_picture_ends_idleness_at_once),
        T(a_change_of_the_rate_is_no_input),
        T(a_guest_in_protected_mode_is_not_polling_the_bios),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
