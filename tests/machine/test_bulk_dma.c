/* A guest that does nothing but bulk DMA: instructions that take a long time on the host. The
 * front end must have its turn all the same, and where that is must not show in the guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/pc.h"

enum { MIB = 1 << 20, STRUCTURE = 0x100 };

/* F000:0000  mov dx, 518h / mov eax, address F0100h, big-endian / L: out dx, eax / jmp L */
static const uint8_t program[] = {0xba, 0x18, 0x05, 0x66, 0xb8, 0x00, 0x0f, 0x01,
                                  0x00, 0x66, 0xef, 0xeb, 0xfc};
/* FWCfgDmaAccess: select item 0 and read, 1 MiB, to 1 MiB. */
static const uint8_t structure[] = {0, 0, 0, 0x0a, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0};
static const uint8_t reset_vector[] = {0xea, 0x00, 0x00, 0x00, 0xf0}; /* jmp F000:0000 */

static void write_rom(char *path)
{
    int fd = mkstemp(path);
    uint8_t *image = calloc(1, 65536);
    memcpy(image, program, sizeof(program));
    memcpy(image + STRUCTURE, structure, sizeof(structure));
    memcpy(image + 0xfff0, reset_vector, sizeof(reset_vector));
    assert_int_equal(write(fd, image, 65536), 65536);
    close(fd);
    free(image);
}

static struct machine *new_machine(void)
{
    char rom[] = "/tmp/retrace-test-rom-XXXXXX";
    struct machine_config cfg;
    struct machine_host host = {0};
    struct machine *m = NULL;
    struct error err = {""};
    write_rom(rom);
    machine_config_init(&cfg);
    cfg.bios_path = rom;
    cfg.ram_size = 4 * MIB;
    cfg.icount_fixed = true;
    cfg.icount_shift = 2;
    enum emu_err e = machine_new(&cfg, &host, &m, &err);
    remove(rom);
    if (e)
        fail_msg("%s", err.text);
    phys_set_a20(m->pc->phys, true);
    return m;
}

static int setup(void **state)
{
    *state = new_machine();
    return 0;
}

static int teardown(void **state)
{
    machine_free(*state);
    return 0;
}

/* 3 instructions up to the loop, then 64 transfers with 63 jumps between them. */
static void the_front_end_has_its_turn_after_64_mib(void **state)
{
    struct machine *m = *state;
    assert_int_equal(machine_run(m, VTIME_NEVER, UINT64_MAX), MACHINE_SLICE);
    assert_int_equal(machine_icount(m), 3 + 64 + 63);
    uint8_t got[5];
    phys_peek_bytes(m->pc->phys, MIB, got, 5);
    assert_memory_equal(got, "QEMU\0", 5);
    assert_int_equal(machine_run(m, VTIME_NEVER, UINT64_MAX), MACHINE_SLICE);
    assert_int_equal(machine_icount(m), 3 + 64 + 63 + 128);
}

static void the_time_asked_for_is_still_kept(void **state)
{
    struct machine *m = *state;
    assert_int_equal(machine_run(m, VTIME_NEVER, 20), MACHINE_SLICE);
    assert_int_equal(machine_icount(m), 20);
}

static void turns_leave_no_trace_in_the_machine(void **state)
{
    enum { END = 700 };
    struct machine *m = *state, *other = new_machine();
    while (machine_icount(m) < END)
        assert_int_equal(machine_run(m, VTIME_NEVER, END), MACHINE_SLICE);
    for (uint64_t at = 0; at <= END; at += 7) {
        while (machine_icount(other) < at)
            assert_int_equal(machine_run(other, VTIME_NEVER, at), MACHINE_SLICE);
    }
    assert_int_equal(machine_hash(m), machine_hash(other));
    machine_free(other);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_front_end_has_its_turn_after_64_mib),
        T(the_time_asked_for_is_still_kept),
        T(turns_leave_no_trace_in_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
