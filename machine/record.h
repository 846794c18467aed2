/*
 * Recording and replaying a session. A run is a function of the configuration, the images and the inputs (ARCHITECTURE.md,
 * law 2): the recorder writes every input event to a file when it is applied, with the instant, and at the end a mark
 * with a hash of the machine. The player applies the same events at the same instants to a machine that hears nothing else
 * (no network, keyboard, serial input) and compares the hash. The file is described in docs/FORMATS.md.
 */
#ifndef MACHINE_RECORD_H
#define MACHINE_RECORD_H

#include "machine/machine.h"

/* Writing. `m` is as new or just loaded; nothing was applied yet. */
MUST_CHECK enum emu_err recorder_open(const char *path, struct machine *m, struct recorder **out, struct error *err);
void recorder_event(struct recorder *r, const struct input_event *ev);
/* The mark at the end: the machine is what it is now. Closes and frees; NULL is nothing. */
MUST_CHECK enum emu_err recorder_close(struct recorder *r, struct machine *m, struct error *err);

/* Reading. What a replay needs of the configuration is set in `cfg`: the clock, and -snapshot, so that no recording can
 * change an image. */
MUST_CHECK enum emu_err player_open(const char *path, struct machine_config *cfg, struct player **out, struct error *err);
void player_close(struct player *p); /* NULL is nothing */
/* Refuses a machine that differs from the recorded one. */
MUST_CHECK enum emu_err player_start(struct player *p, struct machine *m, struct error *err);

/* The instant of the next event or of the mark; false: the replay is over. */
bool player_next(const struct player *p, uint64_t *icount, vtime *when);
/* The next event, owned by the player until the following call; NULL: the mark was reached or the replay cannot go on, which
 * player_verdict() tells. `m` stands at its instant. */
struct input_event *player_take(struct player *p, struct machine *m);
/* The machine passed the instant without stopping there, or never gets there: it is another one. */
void player_lost(struct player *p, const struct machine *m);
/* EMU_OK and a sentence: the machine is the recorded one to the last bit. Else what went wrong. */
MUST_CHECK enum emu_err player_verdict(const struct player *p, struct error *sentence);

#endif
