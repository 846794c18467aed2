/*
 * The command: options, front end, main loop. The only place that prints errors and that exits.
 */
#define _GNU_SOURCE /* posix_openpt, ppoll */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debug/gdbstub.h"
#include "machine/pc.h"
#include "machine/record.h"
#include "machine/script.h"
#include "ui/chardev.h"
#include "ui/console.h"
#include "ui/display.h"
#include "ui/host_time.h"
#include "ui/network.h"
#include "ui/options.h"
#include "ui/watch.h"

enum { FRAME_NS = 1000000000 / 60, USER_NS = 8000000, NAP_NS = 200000 };
enum { REST_NS = 10000000, LONG_REST_NS = 25000000, QUIET_NS = 1000000000 };

struct frontend {
    struct options opt;
    struct machine *m;
    struct display *display; /* NULL: none */
    struct chardev *serial[SERIAL_PORTS], *parallel, *monitor, *debugcon, *gdb_link;
    bool monitor_shared; /* f->monitor is one of the others (mon:stdio) */
    struct gdbstub *gdb;
    FILE *log;
    struct console console;
    struct script script;
    bool scripted;
    struct network network;
    struct player *player; /* NULL: no replay */
    struct pacer pacer;
    struct watch watch;
    bool ready;          /* a character device has something */
    bool sign;           /* the guest, or its user, has shown that it is alive */
    uint64_t last_look, last_refresh, last_sign;
};

static volatile sig_atomic_t interrupted; /* the signal; the one thing that a handler may touch */

static void on_signal(int sig)
{
    interrupted = sig;
}

/* --- what the machine tells us --- */

static void on_serial(void *arg, unsigned port, uint8_t byte)
{
    struct frontend *f = arg;
    f->sign = true;
    chardev_write(f->serial[port], &byte, 1);
    if (f->scripted && port == 0)
        script_serial_byte(&f->script, byte);
}

static void on_parallel(void *arg, uint8_t byte)
{
    struct frontend *f = arg;
    chardev_write(f->parallel, &byte, 1);
}

static void on_debug(void *arg, uint16_t port, uint8_t byte)
{
    struct frontend *f = arg;
    if (f->opt.debug_port && port != f->opt.debug_port)
        return;
    chardev_write(f->debugcon, &byte, 1);
    if (f->scripted)
        script_debug_byte(&f->script, byte);
}

static void on_log(void *arg, const char *line)
{
    struct frontend *f = arg;
    if (f->log)
        fprintf(f->log, "%s\n", line);
    else if (!f->display || !f->display->owns_terminal || !isatty(STDERR_FILENO))
        fprintf(stderr, "%s\n", line);
}

static void on_packet(void *arg, unsigned nic, const uint8_t *frame, size_t len)
{
    struct frontend *f = arg;
    f->sign = true;
    network_send(&f->network, nic, frame, len);
}

static uint64_t clock_for_disks(void *arg)
{
    ((struct frontend *)arg)->sign = true;
    return host_now();
}

static void flush_all(struct frontend *f)
{
    struct chardev *all[] = {f->serial[0], f->serial[1], f->parallel, f->debugcon, f->gdb_link};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        chardev_flush(all[i]);
}

static void on_script_text(void *arg, const char *text)
{
    flush_all(arg); /* in the order in which things happened */
    fputs(text, stdout);
    fflush(stdout);
}

/* --- set-up --- */

/* Opens one device; stdio has room for one, but for the monitor beside a mon:stdio. */
static enum emu_err open_one(struct frontend *f, const char *spec, struct chardev **out, bool *stdio_used,
                             struct error *err)
{
    enum emu_err e = chardev_open(spec, out, err);
    if (e || !chardev_is_stdio(*out))
        return e;
    if (*stdio_used)
        return error_set(err, EMU_ARG, "stdio is used twice; use mon:stdio (serial port and monitor), or give one of "
                                       "them a file:, unix: or tcp: device");
    *stdio_used = true;
    if (chardev_is_shared(*out) && out != &f->monitor) {
        f->monitor_shared = true;
        f->monitor = *out;
    }
    return EMU_OK;
}

static enum emu_err open_chardevs(struct frontend *f, bool *stdio_used, struct error *err)
{
    enum emu_err e = EMU_OK;
    for (unsigned i = 0; !e && i < SERIAL_PORTS; i++)
        e = open_one(f, f->opt.serial[i], &f->serial[i], stdio_used, err);
    if (!e)
        e = open_one(f, f->opt.parallel, &f->parallel, stdio_used, err);
    if (!e)
        e = open_one(f, f->opt.debugcon, &f->debugcon, stdio_used, err);
    if (!e && f->monitor_shared && f->opt.monitor)
        return error_set(err, EMU_ARG, "mon:stdio has the monitor already; leave -monitor out");
    if (!e && !f->monitor_shared)
        e = open_one(f, f->opt.monitor, &f->monitor, stdio_used, err);
    return e;
}

static enum emu_err open_log(struct frontend *f, struct error *err)
{
    if (!f->opt.log_file)
        return EMU_OK;
    f->log = fopen(f->opt.log_file, "w");
    return f->log ? EMU_OK : error_set(err, EMU_IO, "cannot write the log %s: %m", f->opt.log_file);
}

/* A window where there is a display; else the text screen here, said in one sentence. */
static enum emu_err open_display(struct frontend *f, bool stdio_used, struct error *err)
{
    enum display_kind kind = f->opt.display;
    bool busy = f->opt.script != NULL; /* scripts show nothing unless asked */
    if (kind == DISPLAY_NONE || (kind == DISPLAY_AUTO && busy))
        return EMU_OK;
    if (kind == DISPLAY_TEXT && stdio_used)
        return error_set(err, EMU_ARG, "-display text needs the terminal; give what is on stdio a file:, unix: or "
                                       "tcp: device");
    if (kind == DISPLAY_TEXT)
        return term_open(true, &f->display, err);
    enum emu_err e = sdl_open(f->opt.cfg.name ? f->opt.cfg.name : "Retrace", f->opt.full_screen, &f->display, err);
    if (!e || kind == DISPLAY_SDL)
        return e;
    if (stdio_used) {
        fprintf(stderr, "retrace: %s; going on without one, since stdio is in use.\n", err->text);
        return EMU_OK;
    }
    fprintf(stderr, "retrace: %s; showing the guest's text screen in this terminal (%s ends).\n", err->text,
            isatty(STDIN_FILENO) ? "Ctrl-A x" : "Ctrl-C");
    return term_open(true, &f->display, err);
}

/* --- what GDB may do with the machine --- */

static struct cpu *gdb_cpu(void *arg) { return &((struct frontend *)arg)->m->pc->cpu; }
static bool gdb_running(void *arg) { return ((struct frontend *)arg)->m->running; }
static void gdb_halt(void *arg) { ((struct frontend *)arg)->m->running = false; }
static void gdb_step(void *arg) { machine_step(((struct frontend *)arg)->m, 1); }

static void gdb_resume(void *arg)
{
    struct frontend *f = arg;
    f->m->pc->cpu.skip_break_once = true;
    f->m->running = true;
}

static void gdb_monitor(void *arg, const char *line, void (*out)(void *out_arg, const char *text), void *out_arg)
{
    struct frontend *f = arg;
    struct monitor mon;
    struct error err;
    monitor_init(&mon, f->m, out, out_arg);
    if (monitor_line(&mon, line, &err))
        return; /* the sentence went out already */
    f->console.mon.quit |= mon.quit;
}

static enum emu_err open_gdb(struct frontend *f, struct error *err)
{
    char spec[256];
    if (!f->opt.gdb)
        return EMU_OK;
    if (strncmp(f->opt.gdb, "tcp:", 4) != 0 && strncmp(f->opt.gdb, "unix:", 5) != 0)
        return error_set(err, EMU_ARG, "-gdb %s: use tcp::PORT or unix:PATH", f->opt.gdb);
    snprintf(spec, sizeof(spec), "%s,server,nowait", f->opt.gdb);
    enum emu_err e = chardev_open(spec, &f->gdb_link, err);
    struct gdb_target target = {f, gdb_cpu, gdb_running, gdb_resume, gdb_halt, gdb_step, gdb_monitor};
    return e ? e : gdbstub_new(&target, &f->gdb, err);
}

/* From here on every input counts. */
static enum emu_err open_record(struct frontend *f, struct error *err)
{
    if (f->opt.record)
        return recorder_open(f->opt.record, f->m, &f->m->recorder, err);
    if (!f->player)
        return EMU_OK;
    f->m->player = f->player;
    return player_start(f->player, f->m, err);
}

static enum emu_err close_record(struct frontend *f, struct error *err)
{
    struct recorder *r = f->m->recorder;
    f->m->recorder = NULL;
    enum emu_err e = recorder_close(r, f->m, err);
    if (e || !f->player)
        return e;
    e = player_verdict(f->player, err);
    if (!e)
        printf("%s\n", err->text);
    return e;
}

static enum emu_err set_up(struct frontend *f, struct error *err)
{
    bool stdio_used = false;
    enum emu_err e = open_log(f, err);
    if (!e && f->opt.replay)
        e = player_open(f->opt.replay, &f->opt.cfg, &f->player, err);
    if (!e && !f->opt.replay)
        e = network_open(&f->network, &f->opt, on_log, f, err);
    struct machine_host host = {.arg = f,
                                .serial_out = on_serial,
                                .parallel_out = on_parallel,
                                .debug_out = on_debug,
                                .log_line = on_log,
                                .packet_out = on_packet,
                                .now = clock_for_disks,
                                .net = f->network.net};
    if (!e)
        e = machine_new(&f->opt.cfg, &host, &f->m, err);
    if (e)
        return e;
    f->m->no_reboot = f->opt.no_reboot;
    pc_set_trace(f->m->pc, f->opt.trace);
    if (f->opt.loadvm)
        e = machine_load(f->m, f->opt.loadvm, err);
    if (!e)
        e = open_record(f, err);
    network_attach(&f->network, f->m);
    if (!e)
        e = open_chardevs(f, &stdio_used, err);
    if (!e)
        e = open_display(f, stdio_used, err);
    if (!e)
        e = open_gdb(f, err);
    console_init(&f->console, f->monitor, f->m);
    f->m->running = !f->opt.paused;
    return e;
}

static void tear_down(struct frontend *f)
{
    if (f->m && f->m->recorder)
        (void)!close_record(f, NULL);
    if (f->display)
        f->display->close(f->display);
    gdbstub_free(f->gdb);
    network_close(&f->network);
    machine_free(f->m);
    player_close(f->player);
    script_free(&f->script);
    watch_free(&f->watch);
    struct chardev *all[] = {f->serial[0], f->serial[1], f->parallel, f->debugcon,
                             f->monitor_shared ? NULL : f->monitor, f->gdb_link};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        chardev_close(all[i]);
    if (f->log)
        fclose(f->log);
}

/* --- input from character devices --- */

static void feed_serial(struct frontend *f)
{
    for (unsigned i = 0; i < SERIAL_PORTS; i++) {
        uint8_t data[256];
        size_t n = machine_serial_busy(f->m, i) ? 0 : chardev_read(f->serial[i], false, data, sizeof(data));
        machine_serial_in(f->m, i, data, n);
    }
}

static void gdb_send(void *arg, const void *data, size_t len)
{
    struct frontend *f = arg;
    chardev_write(f->gdb_link, data, len);
}

static void feed_gdb(struct frontend *f)
{
    uint8_t data[4096];
    size_t n;
    while (f->gdb && (n = chardev_read(f->gdb_link, false, data, sizeof(data))) > 0)
        gdbstub_receive(f->gdb, data, n, gdb_send, f);
}

static bool user_left(const struct frontend *f)
{
    return chardev_ended(f->serial[0]) || chardev_ended(f->serial[1]) || chardev_ended(f->monitor);
}

/* Draws about 60 times a second. */
static void refresh(struct frontend *f, uint64_t now)
{
    if (now - f->last_refresh < FRAME_NS)
        return;
    f->last_refresh = now;
    bool changed = watch_picture(&f->watch, f->m);
    f->sign |= changed && f->watch.still == 0; /* a blinking cursor is no sign */
    if (!f->scripted)
        pacer_idle(&f->pacer, f->m, watch_polling(&f->watch, f->m, changed));
    if (f->display)
        f->display->refresh(f->display, f->m, changed);
}

/* A script's machine does not wait for the wall clock; one that only waits for an answer from the host
 * would be hours ahead when it comes. While frames go to and fro, its idle time is the host's. */
static void await_network(struct frontend *f)
{
    bool talking = net_talking(f->network.net);
    f->m->nap = talking ? NAP_NS : 0;
    if (talking && machine_idle(f->m))
        network_await(&f->network, NAP_NS);
}

/* Everything that the host side has for the machine. NULL, or why to leave. */
static const char *serve_host(void *arg)
{
    struct frontend *f = arg;
    uint64_t now = host_now();
    flush_all(f);
    if (interrupted)
        return "interrupted";
    network_poll(&f->network);
    if (f->scripted)
        await_network(f);
    if (!f->ready && now - f->last_look < USER_NS)
        return NULL;
    f->last_look = now;
    f->ready = false;
    feed_serial(f);
    console_poll(&f->console);
    feed_gdb(f);
    if (f->console.mon.quit)
        return "the monitor's user left";
    if (user_left(f))
        return "the user left (Ctrl-A x)";
    if (f->display && !f->display->poll(f->display, f->m))
        return "the window was closed";
    refresh(f, now);
    return NULL;
}

/* --- the main loop --- */

static void add_fd(struct pollfd *fds, nfds_t *n, const struct chardev *cd)
{
    if (chardev_fd(cd) >= 0)
        fds[(*n)++] = (struct pollfd){.fd = chardev_fd(cd), .events = POLLIN};
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long the timers of a waiting guest may wait, so that one with a fast tick does not wake the host at every one:
 * they come late by the wall clock, exactly by its own. Longer where nobody has seen or said anything for a while. */
static uint64_t patience(struct frontend *f)
{
    uint64_t now = host_now();
    if (f->sign || f->ready)
        f->last_sign = now;
    f->sign = false;
    return now - f->last_sign < QUIET_NS ? REST_NS : LONG_REST_NS;
}

/* Sleeps until input arrives, a frame is due, or the guest has something to do. */
static void rest(struct frontend *f, vtime target)
{
    struct pollfd fds[SERIAL_PORTS + 2 + NET_FDS];
    nfds_t n = 0;
    for (unsigned i = 0; i < SERIAL_PORTS; i++) { /* a port with a backlog is not read */
        if (!machine_serial_busy(f->m, i))
            add_fd(fds, &n, f->serial[i]);
    }
    add_fd(fds, &n, f->monitor_shared ? NULL : f->monitor);
    add_fd(fds, &n, f->gdb_link);
    uint64_t limit = f->display ? FRAME_NS : 3 * FRAME_NS, soon = patience(f);
    vtime next = min_u64(machine_next_event(f->m), typist_due(&f->m->typist));
    if (f->m->running)
        limit = next <= target ? 0 : next < target + soon ? min_u64(limit, soon) : min_u64(limit, next - target);
    if (f->log)
        fflush(f->log);
    if (f->m->running)
        n += (nfds_t)net_fill(f->network.net, fds + n, NET_FDS, &limit);
    struct timespec ts = {0, (long)limit};
    if (limit)
        f->ready = ppoll(fds, n, &ts, NULL) > 0;
}

static void say_break(struct frontend *f)
{
    char line[200];
    monitor_where(f->m, line, sizeof(line));
    console_say(&f->console, line);
    if (f->gdb)
        gdbstub_stopped(f->gdb, gdb_send, f);
}

/* One slice of about 10 ms; false: the machine is off for good. A guest that computes may be ahead of the wall clock,
 * and one that waits for a disk: a host's sleep takes longer than most transfers, and a guest makes thousands of them.
 * One that waits for anything else stays level with it. */
static bool run_slice(struct frontend *f)
{
    struct machine *m = f->m;
    vtime target = m->running ? pacer_target(&f->pacer, m) : machine_now(m), until = target + PACER_LEAD_NS;
    uint64_t insns = machine_icount(m), disk = m->disk_ns, start = host_now();
    m->wait_until = target;
    enum machine_stop why = machine_run(m, until, pacer_limit(&f->pacer, m));
    disk = m->disk_ns - disk;
    pacer_ran(&f->pacer, m, host_now() - start - disk, machine_icount(m) - insns);
    if (why == MACHINE_POWEROFF || why == MACHINE_REBOOT || why == MACHINE_REPLAYED)
        return false;
    if (why == MACHINE_BREAK)
        say_break(f);
    flush_all(f);
    if (!m->running || machine_now(m) >= until || machine_waited(m, until))
        rest(f, target);
    return true;
}

/* With nobody to look on, a replay is as fast as it can be. */
static bool replay_slice(struct frontend *f)
{
    enum { INSNS = 10000000 };
    enum machine_stop why = machine_run(f->m, VTIME_NEVER, machine_icount(f->m) + INSNS);
    if (why == MACHINE_BREAK)
        say_break(f);
    if (why == MACHINE_DEAD_IDLE)
        player_lost(f->player, f->m);
    if (!f->m->running)
        rest(f, machine_now(f->m));
    return why == MACHINE_SLICE || why == MACHINE_BREAK || why == MACHINE_STOPPED;
}

static void main_loop(struct frontend *f)
{
    pacer_init(&f->pacer, f->m, f->opt.cfg.icount_fixed);
    bool was_running = f->m->running;
    while (!serve_host(f)) {
        if (f->m->running && !was_running)
            pacer_resume(&f->pacer, f->m);
        was_running = f->m->running;
        if (!(f->player && !f->display ? replay_slice(f) : run_slice(f)))
            break;
    }
}

static enum emu_err run_script(struct frontend *f, struct error *err)
{
    script_init(&f->script, f->m, on_script_text, f);
    f->script.poll = serve_host;
    f->script.poll_arg = f;
    f->scripted = true;
    return script_run(&f->script, f->opt.script, err);
}

static enum emu_err run(struct frontend *f, struct error *err)
{
    enum emu_err e = set_up(f, err);
    if (e)
        return e;
    if (f->opt.script)
        e = run_script(f, err);
    else
        main_loop(f);
    if (!e)
        e = close_record(f, err);
    return e ? e : machine_flush(f->m, err);
}

/* Without SA_RESTART: a wait for a connection ends, too. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction leave = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &leave, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* too long a file is an error of a write, like a full disk */
}

int main(int argc, char **argv)
{
    struct frontend f = {0};
    struct error err = {""};
    enum options_result result;
    catch_signals();
    enum emu_err e = options_parse(&f.opt, argc, argv, &result, &err);
    if (!e && result == OPTIONS_DONE)
        return EXIT_SUCCESS;
    if (!e)
        e = run(&f, &err);
    tear_down(&f);
    if (e)
        fprintf(stderr, "retrace: %s\n", err.text);
    return e ? EXIT_FAILURE : EXIT_SUCCESS;
}
