/*
 * Character devices: where serial ports, the monitor, the debug ports and the printer lead on the
 * host. Non-blocking; the front end polls them between slices.
 *   stdio  null  none  file:PATH  pty  tcp:HOST:PORT[,server[,nowait]]  unix:PATH[,server[,nowait]]
 *   raw:stdio  the terminal's keys with Ctrl-C among them, for the text screen
 *   mon:stdio  likewise, shared by a serial port and the monitor; Ctrl-A c goes from one to the other
 */
#ifndef UI_CHARDEV_H
#define UI_CHARDEV_H

#include "machine/error.h"
#include "machine/types.h"

struct chardev;

/* NULL or "none" gives *out = NULL, which every function below takes. The name of a pty goes to
 * standard error. "server" without "nowait" waits for the first connection here. */
MUST_CHECK enum emu_err chardev_open(const char *spec, struct chardev **out, struct error *err);
void chardev_close(struct chardev *cd);

/* Takes a waiting connection. Returns how many there were so far; a device that needs none has one. */
unsigned chardev_connections(struct chardev *cd);

/* Bytes that arrived, at most len; 0 if none. Of a shared device, those for `monitor` or not. */
size_t chardev_read(struct chardev *cd, bool monitor, void *to, size_t len);
/* Sends all of it at the next flush or sooner, or drops what the other side does not take. */
void chardev_write(struct chardev *cd, const void *data, size_t len);
void chardev_flush(struct chardev *cd);
/* The user asked to leave: Ctrl-A x, or the terminal went away. */
bool chardev_ended(const struct chardev *cd);
bool chardev_is_stdio(const struct chardev *cd);
bool chardev_is_shared(const struct chardev *cd);
/* The monitor has the keys now: always, but for a shared device. */
bool chardev_at_monitor(const struct chardev *cd);
/* A file descriptor to poll for input, -1 if none. */
int chardev_fd(const struct chardev *cd);

#endif
