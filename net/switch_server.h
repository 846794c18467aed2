/*
 * The switch with peers on its ports: what the program retrace-switch runs. Peers are emulators that speak
 * QEMU's stream format (each frame behind its length, four bytes, big-endian) over unix sockets or TCP;
 * uplinks are back ends of net.h (user, tap, stream, ...) or a pcap file. No peer is trusted: queues are
 * bounded, what does not fit is dropped and counted, who sends nonsense is hung up on.
 */
#ifndef NET_SWITCH_SERVER_H
#define NET_SWITCH_SERVER_H

#include "net/switch.h"

struct switch_server;

/* `say` takes lines for the log. */
MUST_CHECK enum emu_err switch_server_new(switch_emit *say, void *arg, struct switch_server **out, struct error *err);
void switch_server_free(struct switch_server *s); /* NULL is nothing */

/* "PATH[,vlan=N | ,trunk=LIST[,native=N]][,name=NAME][,max=PEERS]", or tcp:HOST:PORT for PATH. */
MUST_CHECK enum emu_err switch_server_port(struct switch_server *s, const char *spec, struct error *err);
/* "user,...", "tap,ifname=..." and other back ends, "pcap,file=F", with vlan= and so on as above. */
MUST_CHECK enum emu_err switch_server_uplink(struct switch_server *s, const char *spec, struct error *err);
/* A unix socket that answers "show ports", "show macs", "help". */
MUST_CHECK enum emu_err switch_server_control(struct switch_server *s, const char *path, struct error *err);
void switch_server_ageing(struct switch_server *s, uint32_t seconds);

/* A connected socket becomes a peer of the `listener`th port (from 0), as if it had been accepted there. */
void switch_server_join(struct switch_server *s, unsigned listener, int fd);
/* Waits until something happens, at most `ms`, and serves it. */
void switch_server_poll(struct switch_server *s, unsigned ms);
void switch_server_show(const struct switch_server *s, const char *what, switch_emit *emit, void *arg);

#endif
