/* See rom_machine.h. */
#include "tests/lib/rom_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROM_SIZE = 65536, RESET_VECTOR = 0xfff0 };
static const uint8_t jump[] = {0xea, 0x00, 0x00, 0x00, 0xf0}; /* jmp F000:0000 */

static void write_rom(struct rom_machine *r, const uint8_t *program, size_t len)
{
    uint8_t *image = calloc(1, ROM_SIZE);
    assert_non_null(image);
    memcpy(image, program, len);
    memcpy(image + RESET_VECTOR, jump, sizeof(jump));
    snprintf(r->rom, sizeof(r->rom), "/tmp/retrace-rom-XXXXXX");
    int fd = mkstemp(r->rom);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, image, ROM_SIZE), ROM_SIZE);
    close(fd);
    free(image);
}

void rom_machine_new(struct rom_machine *r, const uint8_t *program, size_t len, const struct machine_host *host)
{
    struct machine_config cfg;
    struct error err = {""};
    write_rom(r, program, len);
    machine_config_init(&cfg);
    cfg.bios_path = r->rom;
    cfg.ram_size = 4 << 20;
    cfg.icount_fixed = true;
    cfg.icount_shift = 2;
    if (machine_new(&cfg, host, &r->m, &err))
        fail_msg("%s", err.text);
}

void rom_machine_free(struct rom_machine *r)
{
    machine_free(r->m);
    remove(r->rom);
}
