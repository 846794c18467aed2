/* Character devices on POSIX hosts. See chardev.h. */
#define _GNU_SOURCE /* posix_openpt, ppoll */
#include "ui/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

struct chardev {
    int in, out;    /* -1: not connected */
    int listener;   /* -1: none */
    bool is_stdio, is_socket, ended, raw;
    struct termios saved;
    bool escape;    /* Ctrl-A was typed */
    char unlink_path[108];
};

static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void open_stdio(struct chardev *cd)
{
    cd->in = STDIN_FILENO;
    cd->out = STDOUT_FILENO;
    cd->is_stdio = true;
    if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &cd->saved) == 0) {
        struct termios raw = cd->saved;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG | IEXTEN);
        raw.c_iflag &= (tcflag_t) ~(IXON | ICRNL | INLCR);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        cd->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
}

static enum emu_err open_file(struct chardev *cd, const char *path, struct error *err)
{
    cd->out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    return cd->out >= 0 ? EMU_OK : error_set(err, EMU_IO, "cannot write %s: %m; choose another file", path);
}

static enum emu_err open_pty(struct chardev *cd, struct error *err)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
        return error_set(err, EMU_IO, "the host gives no pseudo-terminal: %m");
    fprintf(stderr, "char device redirected to %s\n", ptsname(fd));
    cd->in = cd->out = fd;
    set_nonblocking(fd);
    return EMU_OK;
}

static enum emu_err await_or_connect(struct chardev *cd, int fd, bool server, bool nowait,
                                     const struct sockaddr *addr, socklen_t len, const char *spec,
                                     struct error *err)
{
    cd->is_socket = true;
    if (!server) {
        if (connect(fd, addr, len) != 0) {
            error_set(err, EMU_IO, "cannot connect to %s: %m; is the other side listening?", spec);
            close(fd);
            return EMU_IO;
        }
        cd->in = cd->out = fd;
        set_nonblocking(fd);
        return EMU_OK;
    }
    if (bind(fd, addr, len) != 0 || listen(fd, 1) != 0) {
        error_set(err, EMU_IO, "cannot listen on %s: %m", spec);
        close(fd);
        return EMU_IO;
    }
    cd->listener = fd;
    if (!nowait) {
        cd->in = cd->out = accept(fd, NULL, NULL);
        if (cd->in >= 0)
            set_nonblocking(cd->in);
    } else {
        set_nonblocking(fd);
    }
    return EMU_OK;
}

static bool has_word(const char *options, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = options; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == 0 || p[n] == '='))
            return true;
    }
    return false;
}

static enum emu_err open_unix(struct chardev *cd, const char *spec, struct error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t n = strcspn(spec, ",");
    bool server = has_word(spec + n, "server");
    if (n >= sizeof(addr.sun_path))
        return error_set(err, EMU_ARG, "the socket name %.60s... is too long (at most %zu characters)", spec,
                         sizeof(addr.sun_path) - 1);
    memcpy(addr.sun_path, spec, n);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return error_set(err, EMU_IO, "the host gives no socket: %m");
    if (server) {
        unlink(addr.sun_path);
        memcpy(cd->unlink_path, addr.sun_path, sizeof(addr.sun_path));
    }
    return await_or_connect(cd, fd, server, has_word(spec + n, "nowait"),
                            (struct sockaddr *)&addr, sizeof(addr), addr.sun_path, err);
}

static enum emu_err open_tcp(struct chardev *cd, const char *spec, struct error *err)
{
    char host[256], port[16];
    size_t n = strcspn(spec, ",");
    const char *colon = memchr(spec, ':', n);
    if (!colon)
        return error_set(err, EMU_ARG, "tcp:%s: write it as tcp:HOST:PORT", spec);
    snprintf(host, sizeof(host), "%.*s", (int)(colon - spec), spec);
    snprintf(port, sizeof(port), "%.*s", (int)(spec + n - colon - 1), colon + 1);
    bool server = has_word(spec + n, "server");
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET, .ai_flags = server ? AI_PASSIVE : 0}, *ai;
    if (getaddrinfo(host[0] ? host : (server ? NULL : "localhost"), port, &hints, &ai) != 0)
        return error_set(err, EMU_ARG, "tcp:%s: there is no such host or port", spec);
    int fd = socket(ai->ai_family, ai->ai_socktype, 0), yes = 1;
    enum emu_err e = EMU_IO;
    if (fd < 0) {
        error_set(err, EMU_IO, "the host gives no socket: %m");
    } else {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        e = await_or_connect(cd, fd, server, has_word(spec + n, "nowait"), ai->ai_addr, ai->ai_addrlen, spec, err);
    }
    freeaddrinfo(ai);
    return e;
}

static enum emu_err open_kind(struct chardev *cd, const char *spec, struct error *err)
{
    if (strcmp(spec, "stdio") == 0 || strcmp(spec, "mon:stdio") == 0) {
        open_stdio(cd);
        return EMU_OK;
    }
    if (strcmp(spec, "null") == 0)
        return EMU_OK;
    if (strncmp(spec, "file:", 5) == 0)
        return open_file(cd, spec + 5, err);
    if (strcmp(spec, "pty") == 0)
        return open_pty(cd, err);
    if (strncmp(spec, "unix:", 5) == 0)
        return open_unix(cd, spec + 5, err);
    if (strncmp(spec, "tcp:", 4) == 0)
        return open_tcp(cd, spec + 4, err);
    return error_set(err, EMU_ARG, "\"%s\" is no character device; use stdio, null, file:PATH, pty, tcp:HOST:PORT or unix:PATH", spec);
}

enum emu_err chardev_open(const char *spec, struct chardev **out, struct error *err)
{
    *out = NULL;
    if (!spec || strcmp(spec, "none") == 0)
        return EMU_OK;
    struct chardev *cd = calloc(1, sizeof(*cd));
    if (!cd)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    cd->in = cd->out = cd->listener = -1;
    enum emu_err e = open_kind(cd, spec, err);
    if (e)
        free(cd);
    else
        *out = cd;
    return e;
}

void chardev_close(struct chardev *cd)
{
    if (!cd)
        return;
    if (cd->raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &cd->saved);
    if (!cd->is_stdio) {
        if (cd->out >= 0)
            close(cd->out);
        if (cd->in >= 0 && cd->in != cd->out)
            close(cd->in);
    }
    if (cd->listener >= 0)
        close(cd->listener);
    if (cd->unlink_path[0])
        unlink(cd->unlink_path);
    free(cd);
}

static void hang_up(struct chardev *cd)
{
    if (cd->is_stdio) {
        cd->ended = true;
        cd->in = -1;
        return;
    }
    close(cd->in);
    cd->in = cd->out = -1;
}

/* On a raw terminal Ctrl-A x ends, Ctrl-A Ctrl-A sends one Ctrl-A (QEMU's keys). */
static size_t filter_escape(struct chardev *cd, uint8_t *data, size_t len)
{
    size_t kept = 0;
    for (size_t i = 0; i < len; i++) {
        if (cd->escape) {
            cd->escape = false;
            if (data[i] == 'x')
                cd->ended = true;
            else if (data[i] == 1)
                data[kept++] = 1;
        } else if (data[i] == 1) {
            cd->escape = true;
        } else {
            data[kept++] = data[i];
        }
    }
    return kept;
}

size_t chardev_read(struct chardev *cd, void *to, size_t len)
{
    if (!cd || !len)
        return 0;
    if (cd->in < 0 && cd->listener >= 0) {
        cd->in = cd->out = accept(cd->listener, NULL, NULL);
        if (cd->in >= 0)
            set_nonblocking(cd->in);
    }
    if (cd->in < 0)
        return 0;
    struct pollfd p = {.fd = cd->in, .events = POLLIN};
    if (poll(&p, 1, 0) <= 0)
        return 0;
    ssize_t n = read(cd->in, to, len);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        hang_up(cd);
        return 0;
    }
    if (n < 0)
        return 0;
    return cd->raw ? filter_escape(cd, to, (size_t)n) : (size_t)n;
}

void chardev_write(struct chardev *cd, const void *data, size_t len)
{
    const uint8_t *p = data;
    if (!cd || cd->out < 0)
        return;
    while (len) {
        ssize_t n = cd->is_socket ? send(cd->out, p, len, MSG_NOSIGNAL) : write(cd->out, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) { /* give a slow reader a moment, then drop */
            struct pollfd w = {.fd = cd->out, .events = POLLOUT};
            if (poll(&w, 1, 100) > 0)
                continue;
        }
        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

bool chardev_ended(const struct chardev *cd) { return cd && cd->ended; }
bool chardev_is_stdio(const struct chardev *cd) { return cd && cd->is_stdio; }
int chardev_fd(const struct chardev *cd) { return cd ? (cd->in >= 0 ? cd->in : cd->listener) : -1; }
