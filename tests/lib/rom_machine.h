/* A machine of 4 MiB that runs a tiny ROM, for tests of what is built on machines. */
#ifndef TESTS_LIB_ROM_MACHINE_H
#define TESTS_LIB_ROM_MACHINE_H

#include "machine/pc.h"

struct rom_machine {
    char rom[64]; /* the ROM's file */
    struct machine *m;
};

/* `program` lies at F000:0000 and is jumped to at reset; -icount shift=2. Fails the test on error. */
void rom_machine_new(struct rom_machine *r, const uint8_t *program, size_t len, const struct machine_host *host);
void rom_machine_free(struct rom_machine *r);

#endif
