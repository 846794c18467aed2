/*
 * For tests of retrace-img as a program: a directory of their own, and shell lines in it with $T
 * (retrace-img of this build) and $Q (qemu-img). Tests that need a tool that is missing are
 * skipped with a message.
 */
#ifndef TESTS_LIB_IMG_TOOL_H
#define TESTS_LIB_IMG_TOOL_H

#include "machine/error.h"
#include "machine/types.h"

struct img_tool {
    char dir[64];
    bool tool, qemu; /* they can be run */
};

/* Makes the directory and sets $T and $Q. */
void img_tool_setup(struct img_tool *t);
void img_tool_remove(struct img_tool *t);
/* Runs the line in the directory; its output goes to the file `out` there. The exit status. */
int img_tool_sh(const struct img_tool *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The contents of `out`, without the last newline; until the next call. */
const char *img_tool_out(const struct img_tool *t);

#endif
