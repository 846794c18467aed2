/*
 * Scripts: the monitor's words, one a line, and words that wait in virtual time. All our guest tests
 * are scripts. "#" starts a comment line.
 *
 *   wait-screen "TEXT" SECONDS     until the text screen contains TEXT
 *   wait-serial "TEXT" SECONDS     until the first serial port has sent TEXT after the last match
 *   wait-debug "TEXT" SECONDS      likewise for the debug ports 0x402 and 0xE9
 *   wait-graphics SECONDS          until the display leaves text mode
 *   wait-motion SECONDS            until the picture changes
 *   expect-picture W H COLOURS     the picture is W x H pixels and has at least that many colours
 *   wait-poweroff SECONDS          until the guest switches the machine off
 *   wait-break SECONDS             until a breakpoint is reached (cont goes on)
 *   wait SECONDS                   let virtual time pass
 *   expect-screen "TEXT"           TEXT is on the screen now
 *   expect-no-screen "TEXT"        it is not
 *   serial "TEXT"                  send to the first serial port; \n is carriage return
 *   run-to ICOUNT                  until that many instructions have retired
 *   echo "TEXT"
 */
#ifndef MACHINE_SCRIPT_H
#define MACHINE_SCRIPT_H

#include "machine/monitor.h"

struct script {
    struct monitor mon;
    const char *path;
    unsigned line;
    struct buf serial, debug;           /* everything sent so far */
    size_t serial_seen, debug_seen;     /* up to the end of the last match */
    bool powered_off, at_break;
    /* Called about every 10 ms of virtual time so that a window stays alive; may be NULL. Returns
     * NULL, or why the script must end (the user closed the window...). */
    const char *(*poll)(void *arg);
    void *poll_arg;
    uint64_t still; /* hash of the picture that wait-motion began with */
};

void script_init(struct script *s, struct machine *m, void (*out)(void *arg, const char *text), void *arg);
void script_free(struct script *s);

/* The front end passes on what the guest sends. */
void script_serial_byte(struct script *s, uint8_t byte);
void script_debug_byte(struct script *s, uint8_t byte);

/* Runs the file. On failure the sentence says file, line and reason, and the screen's text and the end
 * of what the serial port sent have been written through `out`. `quit` in the script ends it with
 * success. */
MUST_CHECK enum emu_err script_run(struct script *s, const char *path, struct error *err);

#endif
