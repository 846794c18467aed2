/*
 * The line monitor: QEMU's HMP words (`help` lists them). One line in, lines out. It works on a
 * machine between two slices; the front end feeds it from stdio, a socket or a script.
 */
#ifndef MACHINE_MONITOR_H
#define MACHINE_MONITOR_H

#include "machine/machine.h"

struct monitor {
    struct machine *m;
    void (*out)(void *arg, const char *text); /* text with its newlines */
    void *arg;
    bool quit; /* the `quit` word was given */
    char last[512]; /* the line that an empty one repeats (step, x) */
};

#define MONITOR_PROMPT "(qemu) "

void monitor_init(struct monitor *mon, struct machine *m, void (*out)(void *arg, const char *text), void *arg);

/* Executes one line. An error is written to `out` as one sentence and returned as well. */
enum emu_err monitor_line(struct monitor *mon, const char *line, struct error *err);
/* The same for scripts: an error is only returned. */
enum emu_err monitor_run(struct monitor *mon, const char *line, struct error *err);

/* Where the CPU is: "CS:EIP  bytes  instruction". */
void monitor_where(struct machine *m, char *text, size_t len);

/* Splits a line into words in place: blanks separate, "..." quotes (with \" inside; other escapes
 * stay as they are). Returns the count, at most `max`; -1 for an unfinished quote. */
int monitor_split(char *line, char **word, int max);

#endif
