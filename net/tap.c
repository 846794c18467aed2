/*
 * tap: an interface of the host's kernel (-netdev tap,id=ID,ifname=tap0), which an administrator bridges
 * to a real network. Linux, Documentation/networking/tuntap. Needs an interface that this user owns (ip
 * tuntap add dev tap0 mode tap user NAME) or root.
 *
 * NOT MODELLED: scripts that set the interface up (script= and downscript= are taken only as "no"),
 * offloads, several queues.
 */
#include "net/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if.h>
#include <linux/if_tun.h>
#endif

enum { RETRY_SECONDS = 1 };

struct tap {
    int fd, index; /* -1: none */
    time_t retry;
    char name[16];
};

static time_t seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

static void release(struct tap *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

#ifdef __linux__
static enum emu_err attach(struct tap *t, const char *name, struct error *err)
{
    struct ifreq ifr;
    memset(&ifr, 0, sizeof(ifr));
    ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (strlen(name) >= sizeof(t->name) || strlen(name) >= sizeof(ifr.ifr_name))
        return error_set(err, EMU_ARG, "the interface name %s is too long (at most 15 characters)", name);
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &ifr) != 0) {
        enum emu_err e = error_set(err, EMU_IO, "cannot attach to the interface %s: %m; make one that you own (ip tuntap add dev "
                                      "tap0 mode tap user NAME), or use -netdev user", *name ? name : "tap%d");
        release(t);
        return e;
    }
    snprintf(t->name, sizeof(t->name), "%.15s", ifr.ifr_name);
    return EMU_OK;
}
#else
static enum emu_err attach(struct tap *t, const char *name, struct error *err)
{
    (void)t, (void)name;
    return error_set(err, EMU_UNSUPPORTED, "this host has no tap interfaces; use -netdev user");
}
#endif

static enum emu_err tap_open(struct netdev *nd, struct net_words *w, struct error *err)
{
    const char *name = net_word(w, "ifname"), *up = net_word(w, "script"), *down = net_word(w, "downscript");
    if ((up && strcmp(up, "no") != 0) || (down && strcmp(down, "no") != 0))
        return error_set(err, EMU_UNSUPPORTED, "-netdev %s: scripts are not run; set the interface up yourself and say "
                                               "script=no,downscript=no", w->what);
    struct tap *t = calloc(1, sizeof(*t));
    if (!t)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    t->fd = -1;
    t->index = -1;
    nd->priv = t;
    return attach(t, name ? name : "", err);
}

static void tap_send(struct netdev *nd, const uint8_t *frame, size_t len)
{
    const struct tap *t = nd->priv;
    if (t->fd < 0 || write(t->fd, frame, len) != (ssize_t)len)
        nd->lost++;
}

static void tap_fill(struct netdev *nd, struct net_poll *p)
{
    struct tap *t = nd->priv;
    struct error err;
    if (t->fd < 0 && seconds() >= t->retry) {
        t->retry = seconds() + RETRY_SECONDS;
        if (!attach(t, t->name, &err)) {
            net_say(nd->net, "network %s: the interface %s is back", nd->id, t->name);
            netdev_set_carrier(nd, true);
        }
    }
    t->index = t->fd < 0 ? -1 : net_poll_add(p, t->fd, POLLIN);
}

static void tap_done(struct netdev *nd, const struct net_poll *p)
{
    enum { AT_ONCE = 64 };
    struct tap *t = nd->priv;
    static const short any = POLLIN | POLLERR | POLLHUP;
    if (t->index < 0 || !(p->fds[t->index].revents & any))
        return;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        uint8_t frame[NET_MAX_FRAME];
        ssize_t n = read(t->fd, frame, sizeof(frame));
        if (n > 0)
            netdev_deliver(nd, frame, (size_t)n);
        else if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        else {
            net_say(nd->net, "network %s: the interface %s is gone; trying again", nd->id, t->name);
            release(t);
            t->retry = seconds() + RETRY_SECONDS;
            netdev_set_carrier(nd, false);
            return;
        }
    }
}

static void tap_print(const struct netdev *nd, char *text, size_t len)
{
    snprintf(text, len, "ifname=%s", ((struct tap *)nd->priv)->name);
}

static void tap_close(struct netdev *nd)
{
    release(nd->priv);
    free(nd->priv);
}

static const char *const words[] = {"id", "ifname", "script", "downscript", NULL};
const struct net_kind net_tap = {
    .name = "tap",
    .help = "an interface of this host: ifname=NAME (needs its owner or root)",
    .words = words,
    .open = tap_open,
    .send = tap_send,
    .fill = tap_fill,
    .done = tap_done,
    .print = tap_print,
    .close = tap_close,
};
