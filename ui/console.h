/*
 * The monitor on a character device: greeting, prompt, echo and line editing as QEMU's monitor has
 * them, so that tools written for it work. Each new connection is greeted.
 */
#ifndef UI_CONSOLE_H
#define UI_CONSOLE_H

#include "machine/monitor.h"
#include "ui/chardev.h"

enum { CONSOLE_LINE = 512, CONSOLE_HISTORY = 32 };

struct console {
    struct chardev *cd;
    struct monitor mon;
    unsigned greeted;      /* connections that were greeted */
    char line[CONSOLE_LINE];
    size_t len;
    bool away;             /* the keys of a shared device went to the serial port */
    bool after_cr;         /* a line feed that follows belongs to it */
    char escape[8];        /* a cursor key's sequence so far */
    size_t escape_len;
    char history[CONSOLE_HISTORY][CONSOLE_LINE];
    unsigned history_count, history_at;
};

void console_init(struct console *c, struct chardev *cd, struct machine *m);
/* Takes what arrived and runs complete lines. */
void console_poll(struct console *c);
/* A line between prompts: the guest stopped at a breakpoint... */
void console_say(struct console *c, const char *line);

#endif
