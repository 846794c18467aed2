/*
 * Addresses of sockets, for the back ends and the switch.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <sys/socket.h>

#include "machine/error.h"
#include "machine/types.h"

struct address {
    struct sockaddr_storage sa;
    socklen_t len; /* 0: none */
};

MUST_CHECK enum emu_err address_inet(const char *host, const char *port, bool stream, bool passive, struct address *a,
                                     struct error *err);
MUST_CHECK enum emu_err address_unix(const char *path, struct address *a, struct error *err);
/* HOST:PORT, [HOST]:PORT or :PORT. */
MUST_CHECK enum emu_err address_host_port(const char *text, bool stream, bool passive, struct address *a,
                                          struct error *err);
bool address_is_unix(const struct address *a);
const char *address_name(const struct address *a); /* a unix socket's; else "" */
/* Removes the name that an earlier run left behind; a file that is no socket stays. */
void address_clear_name(const struct address *a);
bool address_answers(const struct address *a); /* somebody listens there */

/* Does not wait, is not inherited, sends small frames at once. */
void socket_prepare(int fd);

#endif
