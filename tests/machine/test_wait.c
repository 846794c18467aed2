/* How long machine_run() lets a guest wait that does nothing but wait: to the wall clock's time, but
 * through to the end of what a disk is at work on, or of bytes that are on their way to the UART. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/pc.h"

enum { MIB = 1 << 20, MS = 1000000 };

/* F000:0000  cli / mov dx, 1F7h / L: in al, dx / test al, al / js L (busy with its own reset) / dec dx / mov al, A0h /
 * out dx, al / inc dx / mov al, ECh (IDENTIFY DEVICE) / out dx, al / hlt */
static const uint8_t identify[] = {0xfa, 0xba, 0xf7, 0x01, 0xec, 0x84, 0xc0, 0x78, 0xfb, 0x4a,
                                   0xb0, 0xa0, 0xee, 0x42, 0xb0, 0xec, 0xee, 0xf4};
static const uint8_t halt[] = {0xfa, 0xf4};                           /* cli / hlt */
static const uint8_t reset_vector[] = {0xea, 0x00, 0x00, 0x00, 0xf0}; /* jmp F000:0000 */

static void write_image(char *path, const uint8_t *program, size_t len)
{
    int fd = mkstemp(path);
    uint8_t *image = calloc(1, 65536);
    memcpy(image, program, len);
    memcpy(image + 0xfff0, reset_vector, sizeof(reset_vector));
    assert_int_equal(write(fd, image, 65536), 65536);
    close(fd);
    free(image);
}

/* A clock that goes on by 7 ns a look. */
static uint64_t seven(void *arg)
{
    uint64_t *ns = arg;
    return *ns += 7;
}

/* A machine that runs the program from its reset on. Without PCI the disk has its ports at once. */
static struct machine *new_machine(const uint8_t *program, size_t len, uint64_t *ns)
{
    char rom[] = "/tmp/retrace-test-rom-XXXXXX", disk[] = "/tmp/retrace-test-disk-XXXXXX";
    struct machine_config cfg;
    struct machine_host host = {.arg = ns, .now = ns ? seven : NULL};
    struct machine *m = NULL;
    struct error err = {""};
    write_image(rom, program, len);
    write_image(disk, program, len);
    machine_config_init(&cfg);
    cfg.board = BOARD_ISAPC;
    cfg.bios_path = rom;
    cfg.ram_size = 4 * MIB;
    cfg.icount_fixed = true;
    cfg.icount_shift = 2;
    cfg.ide[0] = (struct ide_config){.present = true, .path = disk, .format = "raw"};
    enum emu_err e = machine_new(&cfg, &host, &m, &err);
    remove(rom);
    remove(disk);
    if (e)
        fail_msg("%s", err.text);
    return m;
}

static void a_guest_that_waits_stays_level_with_the_wall_clock(void **state)
{
    struct machine *m = new_machine(halt, sizeof(halt), NULL);
    (void)state;
    m->wait_until = 10 * MS;
    assert_int_equal(machine_run(m, 40 * MS, UINT64_MAX), MACHINE_SLICE);
    assert_int_equal(machine_now(m), 10 * MS);
    assert_true(machine_waited(m, 40 * MS));
    m->wait_until = 0;
    assert_int_equal(machine_run(m, 40 * MS, UINT64_MAX), MACHINE_SLICE);
    assert_int_equal(machine_now(m), 40 * MS);
    machine_free(m);
}

/* Lets the guest begin its command; returns when the disk will be done with it. */
static vtime start_command(struct machine *m)
{
    m->wait_until = 1;
    while (!machine_idle(m))
        assert_int_equal(machine_run(m, machine_now(m) + 100, UINT64_MAX), MACHINE_SLICE);
    assert_in_range(machine_disk_due(m), machine_now(m) + 19000, machine_now(m) + 20000); /* 20 us: docs/DISKS.md */
    return machine_disk_due(m);
}

static void one_that_waits_for_a_disk_is_let_through_to_the_end_of_the_transfer(void **state)
{
    struct machine *m = new_machine(identify, sizeof(identify), NULL);
    (void)state;
    vtime due = start_command(m);
    assert_int_equal(machine_run(m, due + 40 * MS, UINT64_MAX), MACHINE_SLICE);
    assert_int_equal(machine_now(m), due);
    assert_true(machine_waited(m, due + 40 * MS));
    machine_free(m);
}

static void unless_that_takes_longer_than_it_may_be_ahead(void **state)
{
    struct machine *m = new_machine(identify, sizeof(identify), NULL);
    (void)state;
    vtime due = start_command(m), now = machine_now(m);
    assert_int_equal(machine_run(m, due, UINT64_MAX), MACHINE_SLICE);
    assert_int_equal(machine_now(m), now);
    machine_free(m);
}

/* At 9600 baud, which the UART's reset leaves, they take 200 ms. */
static void bytes_on_their_way_to_the_uart_are_no_reason_to_wait(void **state)
{
    struct machine *m = new_machine(halt, sizeof(halt), NULL);
    uint8_t line[200] = {0};
    (void)state;
    machine_serial_in(m, 0, line, sizeof(line));
    m->wait_until = 10 * MS;
    assert_int_equal(machine_run(m, 40 * MS, UINT64_MAX), MACHINE_SLICE);
    assert_int_equal(machine_now(m), 40 * MS);
    machine_free(m);
}

static void the_hosts_time_for_disks_is_counted_apart(void **state)
{
    uint64_t ns = 0;
    struct machine *m = new_machine(identify, sizeof(identify), &ns);
    (void)state;
    vtime due = start_command(m);
    uint64_t before = m->disk_ns;
    assert_int_equal(machine_run(m, due, UINT64_MAX), MACHINE_SLICE);
    assert_int_equal(m->disk_ns, before);
    assert_int_equal(machine_run(m, due + 40 * MS, UINT64_MAX), MACHINE_SLICE);
    assert_int_equal(m->disk_ns, before + 7);
    machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_waits_stays_level_with_the_wall_clock),
        cmocka_unit_test(one_that_waits_for_a_disk_is_let_through_to_the_end_of_the_transfer),
        cmocka_unit_test(unless_that_takes_longer_than_it_may_be_ahead),
        cmocka_unit_test(bytes_on_their_way_to_the_uart_are_no_reason_to_wait),
        cmocka_unit_test(the_hosts_time_for_disks_is_counted_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
