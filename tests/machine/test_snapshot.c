/* Snapshots of a whole machine that runs a tiny ROM: round trips, refusals, an untouched machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/pc.h"

/* F000:0000  mov ax, 1000h / mov ds, ax / L: inc word [0] / in al, 40h / add [2], al / out 80h, al
 * / jmp L */
static const uint8_t program[] = {0xb8, 0x00, 0x10, 0x8e, 0xd8, 0xff, 0x06, 0x00, 0x00, 0xe4,
                                  0x40, 0x00, 0x06, 0x02, 0x00, 0xe6, 0x80, 0xeb, 0xf2};
static const uint8_t reset_vector[] = {0xea, 0x00, 0x00, 0x00, 0xf0}; /* jmp F000:0000 */

struct fixture {
    char rom[64];
    struct machine *m;
};

static struct machine *new_machine(const char *rom, uint64_t ram)
{
    struct machine_config cfg;
    struct machine_host host = {0};
    struct machine *m = NULL;
    struct error err = {""};
    machine_config_init(&cfg);
    cfg.bios_path = rom;
    cfg.ram_size = ram;
    cfg.icount_fixed = true;
    cfg.icount_shift = 2;
    if (machine_new(&cfg, &host, &m, &err))
        fail_msg("%s", err.text);
    return m;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    strcpy(f->rom, "/tmp/retrace-test-rom-XXXXXX");
    int fd = mkstemp(f->rom);
    uint8_t *image = calloc(1, 65536);
    memcpy(image, program, sizeof(program));
    memcpy(image + 0xfff0, reset_vector, sizeof(reset_vector));
    assert_int_equal(write(fd, image, 65536), 65536);
    close(fd);
    free(image);
    f->m = new_machine(f->rom, 4 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    machine_free(f->m);
    remove(f->rom);
    free(f);
    return 0;
}

static uint16_t counter(struct machine *m)
{
    uint8_t b[2];
    phys_peek_bytes(m->pc->phys, 0x10000, b, 2);
    return (uint16_t)(b[0] | b[1] << 8);
}

static void run_to(struct machine *m, uint64_t icount)
{
    while (machine_icount(m) < icount)
        assert_int_equal(machine_run(m, VTIME_NEVER, icount), MACHINE_SLICE);
}

static struct buf save(struct machine *m)
{
    struct buf b = {0};
    struct error err = {""};
    if (machine_save_to(m, &b, &err))
        fail_msg("%s", err.text);
    return b;
}

static void load(struct machine *m, const struct buf *b)
{
    struct error err = {""};
    if (machine_load_from(m, b->data, b->len, "test", &err))
        fail_msg("%s", err.text);
}

/* 3 instructions up to the loop, 5 in it. */
static void the_rom_runs_from_the_reset_vector(void **state)
{
    struct fixture *f = *state;
    run_to(f->m, 3 + 5 * 1000);
    assert_int_equal(counter(f->m), 1000);
}

static void every_state_description_is_exact(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    for (struct device *d = f->m->pc->devices; d; d = d->next) {
        if (state_check(d->cls->state, &err))
            fail_msg("%s: %s", d->id, err.text);
    }
    assert_int_equal(state_check(&clock_state_desc, &err), EMU_OK);
}

static void a_loaded_machine_ends_as_the_unbroken_run_does(void **state)
{
    struct fixture *f = *state;
    run_to(f->m, 5000);
    struct buf b = save(f->m);
    run_to(f->m, 20000);
    uint64_t unbroken = machine_hash(f->m);
    struct machine *other = new_machine(f->rom, 4 << 20);
    load(other, &b);
    assert_int_equal(machine_icount(other), 5000);
    run_to(other, 20000);
    assert_int_equal(machine_hash(other), unbroken);
    machine_free(other);
    buf_free(&b);
}

static void the_hash_changes_with_one_byte_of_memory(void **state)
{
    struct fixture *f = *state;
    uint64_t before = machine_hash(f->m);
    assert_int_equal(machine_hash(f->m), before);
    phys_write(f->m->pc->phys, 0x200000, 1, 1);
    assert_int_not_equal(machine_hash(f->m), before);
    phys_write(f->m->pc->phys, 0x200000, 0, 1);
    assert_int_equal(machine_hash(f->m), before);
}

/* Any cut must be refused with a sentence, and the machine must go on as before. */
static void a_truncated_snapshot_is_refused_and_nothing_changes(void **state)
{
    struct fixture *f = *state;
    run_to(f->m, 5000);
    struct buf b = save(f->m);
    run_to(f->m, 6000);
    uint64_t before = machine_hash(f->m);
    for (size_t len = 0; len < b.len; len += len < 4096 ? 61 : 4099) {
        struct error err = {""};
        assert_int_not_equal(machine_load_from(f->m, b.data, len, "cut", &err), EMU_OK);
        assert_int_not_equal(err.text[0], 0);
    }
    assert_int_equal(machine_hash(f->m), before);
    buf_free(&b);
}

static void an_altered_snapshot_is_refused_or_loads_whole(void **state)
{
    struct fixture *f = *state;
    run_to(f->m, 5000);
    struct buf b = save(f->m);
    uint64_t before = machine_hash(f->m);
    unsigned refused = 0, tried = 0;
    for (size_t at = 8; at < b.len; at += 97, tried++) {
        struct error err = {""};
        b.data[at] ^= 0x10;
        refused += machine_load_from(f->m, b.data, b.len, "flipped", &err) != EMU_OK;
        b.data[at] ^= 0x10;
    }
    assert_true(refused == tried); /* every chunk has a checksum, the header is compared */
    assert_int_equal(machine_hash(f->m), before);
    buf_free(&b);
}

static void a_snapshot_of_another_machine_is_refused(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct buf b = save(f->m);
    struct machine *other = new_machine(f->rom, 8 << 20);
    assert_int_not_equal(machine_load_from(other, b.data, b.len, "test", &err), EMU_OK);
    assert_non_null(strstr(err.text, "another machine"));
    machine_free(other);
    buf_free(&b);
}

/* Untouched memory costs nothing in a file either. */
static void a_snapshot_of_an_idle_gibibyte_is_small(void **state)
{
    struct fixture *f = *state;
    struct machine *big = new_machine(f->rom, 1ull << 30);
    struct buf b = save(big);
    assert_true(b.len < 1 << 20);
    buf_free(&b);
    machine_free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_rom_runs_from_the_reset_vector, setup, teardown),
        cmocka_unit_test_setup_teardown(every_state_description_is_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(a_loaded_machine_ends_as_the_unbroken_run_does, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_hash_changes_with_one_byte_of_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_truncated_snapshot_is_refused_and_nothing_changes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_altered_snapshot_is_refused_or_loads_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_of_another_machine_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_of_an_idle_gibibyte_is_small, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
