/*
 * Character devices on POSIX hosts. See chardev.h.
 *
 * On a terminal the keys go through raw; Ctrl-A is the escape, as in QEMU's -nographic. Plain stdio
 * keeps the terminal's signals (Ctrl-C ends Retrace); mon:stdio hands Ctrl-C to the guest.
 */
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
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum { CTRL_A = 1, HELD = 256, OUTPUT = 4096 };

struct chardev {
    int in, out;    /* -1: not connected */
    int listener;   /* -1: none */
    int far_end;    /* of a pty; -1: none */
    bool is_stdio, is_socket, ended, raw;
    bool shared, to_monitor; /* mon:stdio, and who has the keys now */
    bool drawn_on;  /* raw:stdio: the text screen owns the terminal, nothing else is written there */
    bool escape;    /* Ctrl-A was typed */
    bool stalled;   /* the other side does not read: no more waiting for it */
    unsigned connections;
    uint8_t held[HELD]; /* typed behind Ctrl-A c: for the other reader */
    size_t held_len;
    uint8_t output[OUTPUT]; /* not sent yet: a byte at a time would be slow */
    size_t output_len;
    struct termios saved;
    char unlink_path[108];
};

static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void open_stdio(struct chardev *cd, bool signals)
{
    cd->in = STDIN_FILENO;
    cd->out = STDOUT_FILENO;
    cd->is_stdio = true;
    if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &cd->saved) == 0) {
        struct termios raw = cd->saved;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | IEXTEN | (signals ? 0 : ISIG));
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

/* Its other end stays open here too, so that programs can come and go; raw, so that it does not send
 * the guest's output back. */
static enum emu_err open_pty(struct chardev *cd, struct error *err)
{
    struct termios raw;
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    cd->in = cd->out = fd;
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
        return error_set(err, EMU_IO, "the host gives no pseudo-terminal: %m");
    cd->far_end = open(ptsname(fd), O_RDWR | O_NOCTTY);
    if (cd->far_end < 0 || tcgetattr(cd->far_end, &raw) != 0)
        return error_set(err, EMU_IO, "the pseudo-terminal %s cannot be opened: %m", ptsname(fd));
    cfmakeraw(&raw);
    tcsetattr(cd->far_end, TCSANOW, &raw);
    fprintf(stderr, "char device redirected to %s\n", ptsname(fd));
    set_nonblocking(fd);
    return EMU_OK;
}

static bool take_connection(struct chardev *cd)
{
    int fd = accept(cd->listener, NULL, NULL);
    if (fd < 0)
        return false;
    set_nonblocking(fd);
    cd->in = cd->out = fd;
    cd->stalled = false;
    cd->connections++;
    return true;
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
        error_set(err, EMU_IO, "cannot listen on %s: %m; choose another name or port", spec);
        close(fd);
        return EMU_IO;
    }
    cd->listener = fd;
    if (!nowait)
        fprintf(stderr, "retrace: waiting for a connection on %s\n", spec);
    if (!nowait && !take_connection(cd))
        return error_set(err, EMU_IO, "nobody connected to %s: %m (add ,nowait to start without)", spec);
    set_nonblocking(fd);
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
    struct stat st; /* a socket that an earlier run left behind is in the way; a file is not ours */
    if (server && stat(addr.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(addr.sun_path);
    enum emu_err e = await_or_connect(cd, fd, server, has_word(spec + n, "nowait"),
                                      (struct sockaddr *)&addr, sizeof(addr), addr.sun_path, err);
    if (!e && server)
        memcpy(cd->unlink_path, addr.sun_path, sizeof(addr.sun_path));
    return e;
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
    cd->shared = strcmp(spec, "mon:stdio") == 0;
    cd->drawn_on = strcmp(spec, "raw:stdio") == 0;
    if (cd->shared || cd->drawn_on || strcmp(spec, "stdio") == 0) {
        open_stdio(cd, spec[0] == 's');
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
    cd->in = cd->out = cd->listener = cd->far_end = -1;
    enum emu_err e = open_kind(cd, spec, err);
    if (e) {
        chardev_close(cd);
        return e;
    }
    if (cd->listener < 0)
        cd->connections = 1;
    *out = cd;
    return EMU_OK;
}

void chardev_close(struct chardev *cd)
{
    if (!cd)
        return;
    chardev_flush(cd);
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
    if (cd->far_end >= 0)
        close(cd->far_end);
    if (cd->unlink_path[0])
        unlink(cd->unlink_path);
    free(cd);
}

static void hang_up(struct chardev *cd)
{
    if (cd->is_stdio) {
        cd->ended = cd->raw;
        cd->in = -1;
        return;
    }
    close(cd->in);
    cd->in = cd->out = -1;
    cd->output_len = 0;
}

unsigned chardev_connections(struct chardev *cd)
{
    if (!cd)
        return 0;
    struct pollfd p = {.fd = cd->listener, .events = POLLIN}; /* a negative one is passed over */
    if (cd->in < 0 && poll(&p, 1, 0) > 0)
        take_connection(cd);
    return cd->connections;
}

static void escape_help(struct chardev *cd)
{
    static const char text[] = "\r\nCtrl-A x  leave Retrace\r\nCtrl-A h  this help\r\n";
    static const char shared[] = "Ctrl-A c  go from the serial port to the monitor and back\r\n";
    static const char self[] = "Ctrl-A Ctrl-A  send one Ctrl-A\r\n";
    chardev_write(cd, text, sizeof(text) - 1);
    if (cd->shared)
        chardev_write(cd, shared, sizeof(shared) - 1);
    chardev_write(cd, self, sizeof(self) - 1);
}

/* What follows Ctrl-A (QEMU's keys). True: the byte is data. */
static bool escaped(struct chardev *cd, uint8_t byte)
{
    if (byte == 'x')
        cd->ended = true;
    else if (byte == 'h' && !cd->drawn_on)
        escape_help(cd);
    else if (byte == 'c' && cd->shared)
        cd->to_monitor = !cd->to_monitor;
    return byte == CTRL_A;
}

/* Takes the escapes out of data[0..len). What follows a change of readers is held for the other. */
static size_t filter_escape(struct chardev *cd, uint8_t *data, size_t len)
{
    size_t kept = 0;
    bool monitor = cd->to_monitor;
    for (size_t i = 0; i < len; i++) {
        if (monitor != cd->to_monitor) {
            memmove(cd->held + (len - i), cd->held, cd->held_len);
            memcpy(cd->held, data + i, len - i);
            cd->held_len += len - i;
            break;
        }
        bool special = cd->escape || data[i] == CTRL_A;
        bool is_data = cd->escape ? escaped(cd, data[i]) : !special;
        cd->escape = special && !cd->escape;
        if (is_data)
            data[kept++] = data[i];
    }
    return kept;
}

/* Bytes from the host; 0 if there are none now. */
static size_t read_host(struct chardev *cd, void *to, size_t len)
{
    struct pollfd p = {.fd = cd->in, .events = POLLIN};
    if (poll(&p, 1, 0) <= 0)
        return 0;
    ssize_t n = read(cd->in, to, len);
    if (n > 0)
        return (size_t)n;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        hang_up(cd);
    return 0;
}

size_t chardev_read(struct chardev *cd, bool monitor, void *to, size_t len)
{
    if (!cd || !len || (cd->shared && monitor != cd->to_monitor))
        return 0;
    if (len > HELD)
        len = HELD;
    if (cd->held_len) {
        size_t n = cd->held_len < len ? cd->held_len : len;
        memcpy(to, cd->held, n);
        cd->held_len -= n;
        memmove(cd->held, cd->held + n, cd->held_len);
        return filter_escape(cd, to, n);
    }
    if (cd->in < 0)
        chardev_connections(cd);
    size_t n = cd->in >= 0 ? read_host(cd, to, len) : 0;
    return cd->raw ? filter_escape(cd, to, n) : n;
}

/* The other side is slow: gives it a moment, once. True: try again. */
static bool wait_for_reader(struct chardev *cd)
{
    struct pollfd w = {.fd = cd->out, .events = POLLOUT};
    bool ready = poll(&w, 1, cd->stalled ? 0 : 100) > 0;
    cd->stalled = !ready;
    return ready;
}

static void send_bytes(struct chardev *cd, const uint8_t *p, size_t len)
{
    while (len && cd->out >= 0) {
        ssize_t n = cd->is_socket ? send(cd->out, p, len, MSG_NOSIGNAL) : write(cd->out, p, len);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for_reader(cd))))
            continue;
        if (n <= 0)
            return;
        cd->stalled = false;
        p += n;
        len -= (size_t)n;
    }
}

void chardev_flush(struct chardev *cd)
{
    if (!cd || !cd->output_len)
        return;
    send_bytes(cd, cd->output, cd->output_len);
    cd->output_len = 0;
}

void chardev_write(struct chardev *cd, const void *data, size_t len)
{
    if (!cd || cd->out < 0)
        return;
    if (len > OUTPUT - cd->output_len)
        chardev_flush(cd);
    if (len > OUTPUT) {
        send_bytes(cd, data, len);
        return;
    }
    memcpy(cd->output + cd->output_len, data, len);
    cd->output_len += len;
}

bool chardev_ended(const struct chardev *cd) { return cd && cd->ended; }
bool chardev_is_stdio(const struct chardev *cd) { return cd && cd->is_stdio; }
bool chardev_is_shared(const struct chardev *cd) { return cd && cd->shared; }
bool chardev_at_monitor(const struct chardev *cd) { return cd && (!cd->shared || cd->to_monitor); }
int chardev_fd(const struct chardev *cd) { return cd ? (cd->in >= 0 ? cd->in : cd->listener) : -1; }
