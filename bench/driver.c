/*
 * driver [-m SOCKET] PLAN COMMAND...: runs an emulator with its first serial port on standard input and
 * output, follows the plan and prints a line "NAME SECONDS CPU INSTRUCTIONS" per measurement: wall time,
 * the emulator's processor time (all its threads), guest instructions. It knows nothing of the emulator,
 * so that the same clocks and the same plan serve all of them.
 *
 *   wait TEXT    until the guest has sent TEXT; what came before it is forgotten
 *   send TEXT    one line, typed at the speed of the host
 *   begin        the present wait's end starts the watch
 *   end NAME     the present wait's end stops it and gives NAME its time
 *
 * The time of a wait is that of the read() that completed its text. With -m, SOCKET leads to a monitor
 * that knows `info hash`: begin and end ask it for the count of instructions; the time that this takes
 * is not counted. Without -m, or where nobody answers, INSTRUCTIONS is 0.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIMEOUT_S = 300, KEPT = 1 << 16 };

struct driver {
    pid_t child;
    int in, out; /* the guest's serial port */
    int monitor; /* -1: none */
    char text[KEPT + 1]; /* what came and no wait has used */
    size_t len;
    double found, began; /* seconds; when the last wait ended, when the watch was started */
    double found_cpu, began_cpu; /* the same in the emulator's processor time */
    unsigned long long icount;
};

static double read_clock(clockid_t clock)
{
    struct timespec ts = {0};
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static double cpu_time(const struct driver *d)
{
    clockid_t clock;
    return clock_getcpuclockid(d->child, &clock) == 0 ? read_clock(clock) : 0;
}

static void die(struct driver *d, const char *what, const char *text)
{
    fprintf(stderr, "driver: %s \"%s\"; the last the guest said:\n%s\n", what, text,
            d->len > 600 ? d->text + d->len - 600 : d->text);
    if (d->child > 0)
        kill(d->child, SIGKILL);
    exit(EXIT_FAILURE);
}

static void start(struct driver *d, char **command)
{
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0 || (d->child = fork()) < 0)
        die(d, "cannot start", command[0]);
    if (d->child == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    d->in = to[1];
    d->out = from[0];
}

/* The guest's next bytes, without the NULs; false: it ended or says nothing any more. */
static int more(struct driver *d, double until)
{
    struct pollfd p = {.fd = d->out, .events = POLLIN};
    if (d->len > KEPT - 4096) {
        memmove(d->text, d->text + d->len - 1024, 1024);
        d->len = 1024;
    }
    if (poll(&p, 1, (int)((until - now()) * 1000)) <= 0)
        return 0;
    char *to = d->text + d->len;
    ssize_t n = read(d->out, to, 4096);
    for (ssize_t i = 0; i < n; i++) {
        if (to[i])
            d->text[d->len++] = to[i];
    }
    d->text[d->len] = 0;
    return n > 0;
}

static void wait_for(struct driver *d, const char *text)
{
    double until = now() + TIMEOUT_S;
    char *at;
    while (!(at = strstr(d->text, text))) {
        if (!more(d, until))
            die(d, "waited in vain for", text);
    }
    d->found = now();
    d->found_cpu = cpu_time(d);
    at += strlen(text);
    d->len -= (size_t)(at - d->text);
    memmove(d->text, at, d->len + 1);
}

static void send_line(struct driver *d, const char *text)
{
    size_t n = strlen(text);
    if (write(d->in, text, n) != (ssize_t)n || write(d->in, "\r", 1) != 1)
        die(d, "cannot send", text);
}

/* --- the monitor --- */

static int connect_monitor(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timespec tenth = {0, 100000000};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    for (int i = 0; i < 50; i++) { /* the emulator makes it when it has started */
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
            return fd;
        close(fd);
        nanosleep(&tenth, NULL);
    }
    return -1;
}

/* "<hash> icount N time T": N; 0 if nobody says it. */
static unsigned long long instructions(struct driver *d)
{
    static const char ask[] = "info hash\n";
    char answer[8192] = "", *at = NULL;
    size_t len = 0;
    struct pollfd p = {.fd = d->monitor, .events = POLLIN};
    if (d->monitor < 0 || write(d->monitor, ask, sizeof(ask) - 1) < 0)
        return 0;
    while (!(at = strstr(answer, "icount ")) || !strstr(at, " time ")) {
        ssize_t n = poll(&p, 1, 20000) > 0 ? read(d->monitor, answer + len, sizeof(answer) - 1 - len) : 0;
        if (n <= 0)
            return 0;
        len += (size_t)n;
        answer[len] = 0;
    }
    return strtoull(at + 7, NULL, 10);
}

/* --- the plan --- */

static void begin(struct driver *d)
{
    double asked = now(), asked_cpu = cpu_time(d);
    d->icount = instructions(d); /* the guest stands still meanwhile */
    d->began = d->found + (now() - asked);
    d->began_cpu = d->found_cpu + (cpu_time(d) - asked_cpu);
}

static void end(struct driver *d, const char *name)
{
    unsigned long long icount = instructions(d);
    printf("%s %.4f %.4f %llu\n", name, d->found - d->began, d->found_cpu - d->began_cpu,
           icount > d->icount ? icount - d->icount : 0);
    fflush(stdout);
}

static void follow(struct driver *d, char *line)
{
    char *rest = strchr(line, ' ');
    if (rest)
        *rest++ = 0;
    if (strcmp(line, "wait") == 0 && rest)
        wait_for(d, rest);
    else if (strcmp(line, "send") == 0 && rest)
        send_line(d, rest);
    else if (strcmp(line, "begin") == 0)
        begin(d);
    else if (strcmp(line, "end") == 0 && rest)
        end(d, rest);
    else
        die(d, "the plan has no word", line);
}

int main(int argc, char **argv)
{
    static struct driver d = {.monitor = -1};
    char line[1024];
    const char *socket_path = NULL;
    if (argc > 2 && strcmp(argv[1], "-m") == 0) {
        socket_path = argv[2];
        argv += 2;
        argc -= 2;
    }
    FILE *plan = argc > 2 ? fopen(argv[1], "r") : NULL;
    if (!plan) {
        fprintf(stderr, "usage: driver [-m SOCKET] PLAN COMMAND...\n");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    start(&d, argv + 2);
    if (socket_path)
        d.monitor = connect_monitor(socket_path);
    while (fgets(line, sizeof(line), plan)) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] && line[0] != '#')
            follow(&d, line);
    }
    kill(d.child, SIGTERM);
    waitpid(d.child, NULL, 0);
    fclose(plan);
    return EXIT_SUCCESS;
}
