/* The native half: the helper process and the memory shared with it. */
#ifndef TESTS_SILICON_NATIVE_H
#define TESTS_SILICON_NATIVE_H

#include <stdbool.h>

#include "tests/silicon/layout.h"

struct native {
    struct silicon_shared *shared;
    int pid, to, from;
    bool low; /* the low addresses for 16-bit addressing could be mapped */
    bool ldt; /* the segments of SILICON_LDT are there */
};

/* NULL: started; else why not (wrong host, no 32-bit programs). */
const char *native_start(struct native *n, const char *helper);
void native_stop(struct native *n);
/* Lets the helper run `count` cases from `first` of a buffer, without waiting for it. */
bool native_send(struct native *n, unsigned buffer, unsigned first, unsigned count, bool keep);
bool native_wait(struct native *n); /* false: the helper died */

#endif
