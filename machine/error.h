/*
 * Host-side failures (channel 3 of ARCHITECTURE.md "Errors") and internal bugs (channel 4).
 * A function that can fail for a reason of the host returns `enum emu_err` and writes one clear
 * sentence (what, where, what to do) into its last parameter, made where the failure happened.
 * Only ui/main.c prints it. Guest actions never come here.
 */
#ifndef MACHINE_ERROR_H
#define MACHINE_ERROR_H

#include "machine/compiler.h"

enum emu_err {
    EMU_OK = 0,
    EMU_IO,          /* the host refused: open, read, write, permission */
    EMU_NOSPC,       /* the host's disk is full */
    EMU_NOMEM,       /* out of host memory */
    EMU_FORMAT,      /* a file is not what it should be */
    EMU_ARG,         /* a wrong option, word or configuration */
    EMU_UNSUPPORTED, /* asked for something that this build or machine does not have */
};

struct error {
    char text[512]; /* one sentence without a final newline; "" while there is no error */
};

/* Formats the sentence into `err` (which may be NULL) and returns `code`, so that a failing
 * function can say `return error_set(err, EMU_IO, "...", ...);`. */
enum emu_err error_set(struct error *err, enum emu_err code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Puts "context: " before the sentence already in `err`; returns `code`. */
enum emu_err error_prefix(struct error *err, enum emu_err code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Our own bug: prints the place and ends the process. Never reachable by guest actions, image
 * contents, packets or snapshot files. Kept on in release builds. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void assert_failed(const char *what, const char *file, int line);
#define ASSERT(cond) \
    do { \
        if (UNLIKELY(!(cond))) \
            assert_failed(#cond, __FILE__, __LINE__); \
    } while (0)

#endif
