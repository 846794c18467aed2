/*
 * driver [-p] [-m SOCKET] [-r ROWS] PLAN COMMAND...: runs an emulator (or a shell) with its first
 * serial port on standard input and output, follows the plan and prints a line per measurement,
 * with tabs between: NAME, wall seconds, processor seconds of the emulator with all its threads and
 * children, guest instructions, peak memory in KiB, host instructions, host branch misses; "-"
 * where one cannot be had. It knows nothing of the emulator, so that the same clocks and the same
 * plan serve all of them. The lines of a plan:
 *
 * - row NAME...: the lines up to the next row are left out unless ROWS (blanks between, "": all)
 *   has a NAME
 * - wait TEXT: until the guest has sent TEXT; what came before it is forgotten
 * - send TEXT: one line, typed at the speed of the host
 * - begin: the last wait's end starts the watch (before any wait: the emulator's start)
 * - end [NAME]: the last wait's end stops it; the result gets NAME (the row's)
 * - idle SECONDS: lets the guest be for so long, as a wait
 * - monitor TEXT: a line for the monitor of -m; left out where there is none
 *
 * The time of a wait is that of the read() that completed its text. With -m, SOCKET leads to a
 * monitor that knows `info hash`: begin and end ask it for the count of instructions; the time that
 * this takes is not counted. -p: the standard input and output are a terminal, as shells want it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/perf_event.h>
#include <sys/syscall.h>
#endif

enum { TIMEOUT_S = 1800, KEPT = 1 << 16 };
enum counter { TASK_CLOCK, INSTRUCTIONS, BRANCH_MISSES, COUNTERS };

struct sample {
    double wall, cpu; /* seconds */
    unsigned long long host[COUNTERS];
};

struct driver {
    pid_t child;
    int in, out;           /* the guest's serial port */
    int monitor;           /* -1: none */
    int counter[COUNTERS]; /* -1: the host cannot count it */
    char text[KEPT + 1];   /* what came and no wait has used */
    size_t len;
    struct sample found, began; /* when the last wait ended, when the watch was started */
    unsigned long long icount;
    const char *rows;
    char row[64];
    bool skip;
};

static double read_clock(clockid_t clock)
{
    struct timespec ts = {0};
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double now(void) { return read_clock(CLOCK_MONOTONIC); }

static void die(struct driver *d, const char *what, const char *text)
{
    fprintf(stderr, "driver: %s \"%s\"; the last the guest said:\n%s\n", what, text,
            d->len > 600 ? d->text + d->len - 600 : d->text);
    if (d->child > 0)
        kill(d->child, SIGKILL);
    exit(EXIT_FAILURE);
}

/* --- what the host counts --- */

/* Counts in the child, its threads and its children. -1 where the host has no such counter. */
static int open_counter(pid_t child, enum counter which)
{
#ifdef __linux__
    struct perf_event_attr a = {
        .size = sizeof(a), .inherit = 1, .exclude_kernel = 1, .exclude_hv = 1};
    a.type = which == TASK_CLOCK ? PERF_TYPE_SOFTWARE : PERF_TYPE_HARDWARE;
    a.config = which == TASK_CLOCK     ? PERF_COUNT_SW_TASK_CLOCK
               : which == INSTRUCTIONS ? PERF_COUNT_HW_INSTRUCTIONS
                                       : PERF_COUNT_HW_BRANCH_MISSES;
    return (int)syscall(SYS_perf_event_open, &a, child, -1, -1, 0);
#else
    (void)child;
    (void)which;
    return -1;
#endif
}

static struct sample take(const struct driver *d)
{
    struct sample s = {.wall = now()};
    clockid_t clock;
    for (int i = 0; i < COUNTERS; i++) {
        if (d->counter[i] < 0 ||
            read(d->counter[i], &s.host[i], sizeof(s.host[i])) != sizeof(s.host[i]))
            s.host[i] = 0;
    }
    if (d->counter[TASK_CLOCK] >= 0)
        s.cpu = (double)s.host[TASK_CLOCK] / 1e9;
    else if (clock_getcpuclockid(d->child, &clock) == 0)
        s.cpu = read_clock(clock); /* without its children */
    return s;
}

static void reset_peak(const struct driver *d)
{
    char name[64];
    snprintf(name, sizeof(name), "/proc/%d/clear_refs", (int)d->child);
    FILE *f = fopen(name, "w");
    if (f) {
        fputs("5", f);
        fclose(f);
    }
}

static unsigned long peak_kib(const struct driver *d)
{
    char name[64], line[256];
    unsigned long kib = 0;
    snprintf(name, sizeof(name), "/proc/%d/status", (int)d->child);
    FILE *f = fopen(name, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtoul(line + 6, NULL, 10);
    }
    if (f)
        fclose(f);
    return kib;
}

/* --- the emulator and its serial port --- */

static void run_child(int in, int out, int ready, char **command, bool terminal)
{
    char c;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    if (terminal) {
        setsid();
        ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    }
    if (read(ready, &c, 1) == 1) /* its counters are there */
        execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

static void open_port(struct driver *d, bool terminal, int theirs[2])
{
    int to[2], from[2];
    if (terminal) {
        int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 ||
            (theirs[0] = open(ptsname(fd), O_RDWR | O_NOCTTY)) < 0)
            die(d, "cannot make", "a terminal");
        theirs[1] = theirs[0];
        d->in = d->out = fd;
        return;
    }
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        die(d, "cannot make", "a pipe");
    theirs[0] = to[0];
    theirs[1] = from[1];
    d->in = to[1];
    d->out = from[0];
}

static void start(struct driver *d, char **command, bool terminal)
{
    int theirs[2], ready[2];
    open_port(d, terminal, theirs);
    if (pipe2(ready, O_CLOEXEC) != 0 || (d->child = fork()) < 0)
        die(d, "cannot start", command[0]);
    if (d->child == 0)
        run_child(theirs[0], theirs[1], ready[0], command, terminal);
    close(theirs[0]);
    if (theirs[1] != theirs[0])
        close(theirs[1]);
    close(ready[0]);
    for (int i = 0; i < COUNTERS; i++)
        d->counter[i] = open_counter(d->child, (enum counter)i);
    if (write(ready[1], "", 1) != 1)
        die(d, "cannot start", command[0]);
    close(ready[1]);
    d->found = take(d);
}

/* The guest's next bytes, without the NULs; false: it ended or says nothing any more. */
static bool more(struct driver *d, double until)
{
    struct pollfd p = {.fd = d->out, .events = POLLIN};
    if (d->len > KEPT - 4096) {
        memmove(d->text, d->text + d->len - 1024, 1024);
        d->len = 1024;
    }
    double left = until - now();
    if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) <= 0)
        return false;
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
    d->found = take(d);
    at += strlen(text);
    d->len -= (size_t)(at - d->text);
    memmove(d->text, at, d->len + 1);
}

static void idle(struct driver *d, const char *seconds)
{
    double until = now() + strtod(seconds, NULL);
    while (now() < until) {
        if (!more(d, until) && now() < until)
            die(d, "it did not stay for", seconds);
    }
    d->found = take(d);
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
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
            return fd;
        close(fd);
        nanosleep(&tenth, NULL);
    }
    return -1;
}

/* Asks and reads the answer up to the text after FROM that ends it; false if nobody says that. */
static bool ask(struct driver *d, const char *line, const char *from, const char *ending,
                char *answer, size_t size)
{
    struct pollfd p = {.fd = d->monitor, .events = POLLIN};
    size_t len = 0;
    char *at = NULL;
    answer[0] = 0;
    if (d->monitor < 0 || write(d->monitor, line, strlen(line)) < 0 ||
        write(d->monitor, "\n", 1) < 0)
        return false;
    while (!(at = strstr(answer, from)) || !strstr(at, ending)) {
        if (len == size - 1) { /* echoes of what was typed may fill it */
            memmove(answer, answer + size / 2, size - size / 2);
            len -= size / 2;
        }
        ssize_t n = poll(&p, 1, 20000) > 0 ? read(d->monitor, answer + len, size - 1 - len) : 0;
        if (n <= 0)
            return false;
        len += (size_t)n;
        answer[len] = 0;
    }
    return true;
}

/* "<hash> icount N time T": N; 0 if nobody says it. */
static unsigned long long instructions(struct driver *d)
{
    char answer[8192];
    if (!ask(d, "info hash", "icount ", " time ", answer, sizeof(answer)))
        return 0;
    return strtoull(strstr(answer, "icount ") + 7, NULL, 10);
}

/* --- the plan --- */

static void begin(struct driver *d)
{
    struct sample before = take(d), after;
    d->icount = d->found.wall > 0 ? instructions(d) : 0; /* the guest stands still meanwhile */
    reset_peak(d);
    after = take(d);
    d->began = d->found;
    d->began.wall += after.wall - before.wall;
    d->began.cpu += after.cpu - before.cpu;
    for (int i = 0; i < COUNTERS; i++)
        d->began.host[i] += after.host[i] - before.host[i];
}

static void print_count(unsigned long long value)
{
    if (value)
        printf("\t%llu", value);
    else
        printf("\t-");
}

static void end(struct driver *d, const char *name)
{
    unsigned long peak = peak_kib(d);
    unsigned long long icount = instructions(d);
    printf("%s\t%.4f\t%.4f", name, d->found.wall - d->began.wall, d->found.cpu - d->began.cpu);
    print_count(icount > d->icount ? icount - d->icount : 0);
    print_count(peak);
    for (int i = INSTRUCTIONS; i < COUNTERS; i++)
        print_count(d->found.host[i] - d->began.host[i]);
    printf("\n");
    fflush(stdout);
}

static bool has_word(const char *list, const char *word, size_t n)
{
    for (const char *at = list; *at; at += strcspn(at, " ")) {
        at += strspn(at, " ");
        if (n && strncmp(at, word, n) == 0 && (at[n] == ' ' || !at[n]))
            return true;
    }
    return false;
}

/* One of the names is among the rows to be measured. */
static bool chosen(const struct driver *d, const char *names)
{
    for (const char *at = names; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (has_word(d->rows, at, n))
            return true;
        at += n;
    }
    return !*d->rows;
}

static void follow(struct driver *d, char *line)
{
    static char none[] = "";
    char *rest = strchr(line, ' '), answer[8192];
    if (rest)
        *rest++ = 0;
    else
        rest = none;
    if (strcmp(line, "row") == 0) {
        snprintf(d->row, sizeof(d->row), "%s", rest);
        d->skip = !chosen(d, rest);
    } else if (d->skip) {
        return;
    } else if (strcmp(line, "wait") == 0) {
        wait_for(d, rest);
    } else if (strcmp(line, "send") == 0) {
        send_line(d, rest);
    } else if (strcmp(line, "begin") == 0) {
        begin(d);
    } else if (strcmp(line, "end") == 0) {
        end(d, *rest ? rest : d->row);
    } else if (strcmp(line, "idle") == 0) {
        idle(d, rest);
    } else if (strcmp(line, "monitor") == 0) {
        ask(d, rest, "(qemu)", "(qemu)", answer, sizeof(answer));
    } else {
        die(d, "the plan has no word", line);
    }
}

int main(int argc, char **argv)
{
    static struct driver d = {.monitor = -1, .rows = ""};
    char line[1024];
    const char *socket_path = NULL;
    bool terminal = false;
    int option;
    while ((option = getopt(argc, argv, "+pm:r:")) != -1) {
        if (option == 'p')
            terminal = true;
        else if (option == 'm')
            socket_path = optarg;
        else if (option == 'r')
            d.rows = optarg;
        else
            argc = 0;
    }
    FILE *plan = argc - optind > 1 ? fopen(argv[optind], "r") : NULL;
    if (!plan) {
        fprintf(stderr, "usage: driver [-p] [-m SOCKET] [-r ROWS] PLAN COMMAND...\n");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    start(&d, argv + optind + 1, terminal);
    if (socket_path)
        d.monitor = connect_monitor(socket_path);
    while (fgets(line, sizeof(line), plan)) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] && line[0] != '#')
            follow(&d, line);
    }
    kill(d.child, SIGKILL);
    waitpid(d.child, NULL, 0);
    fclose(plan);
    return EXIT_SUCCESS;
}
