/* Scalar types named by meaning, and enums that every part shares. */
#ifndef MACHINE_TYPES_H
#define MACHINE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t vtime; /* virtual nanoseconds since power-on */
typedef uint64_t paddr; /* physical address */
typedef uint64_t laddr; /* linear (virtual) address */

#define VTIME_NEVER UINT64_MAX
#define NS_PER_SECOND 1000000000ull

enum access_size { ACCESS_8 = 1, ACCESS_16 = 2, ACCESS_32 = 4 }; /* also the mask bits of io_ops.sizes */

enum reset_kind {
    RESET_POWER_ON, /* everything, as after power-on */
    RESET_HARD,     /* the reset line: port CF9, 8042 command FE, triple fault, system_reset */
};

#endif
