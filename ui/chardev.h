/*
 * Character devices: where serial ports, the monitor, the debug ports and the printer lead on the
 * host. Non-blocking; the front end polls them between slices.
 *   stdio  null  none  file:PATH  pty  tcp:HOST:PORT[,server[,nowait]]  unix:PATH[,server[,nowait]]
 */
#ifndef UI_CHARDEV_H
#define UI_CHARDEV_H

#include "machine/error.h"
#include "machine/types.h"

struct chardev;

/* NULL or "none" gives *out = NULL, which every function below takes. `notice` receives lines such as
 * the name of a pty. "server" without "nowait" waits for the first connection here. */
MUST_CHECK enum emu_err chardev_open(const char *spec, struct chardev **out, struct error *err);
void chardev_close(struct chardev *cd);

/* Bytes that arrived, at most len; 0 if none. */
size_t chardev_read(struct chardev *cd, void *to, size_t len);
/* Sends all of it, or drops what the other side does not take. */
void chardev_write(struct chardev *cd, const void *data, size_t len);
/* stdio was ended (Ctrl-A x in raw mode, or end of input). */
bool chardev_ended(const struct chardev *cd);
bool chardev_is_stdio(const struct chardev *cd);
/* A file descriptor to poll for input, -1 if none. */
int chardev_fd(const struct chardev *cd);

#endif
