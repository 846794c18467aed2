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
#include "machine/script.h"
#include "ui/chardev.h"
#include "ui/display.h"
#include "ui/host_time.h"
#include "ui/options.h"

enum { MONITOR_LINE = 512 };

struct frontend {
    struct options opt;
    struct machine *m;
    struct display *display; /* NULL: none */
    struct chardev *serial[SERIAL_PORTS], *parallel, *monitor, *debugcon, *gdb_link;
    struct gdbstub *gdb;
    FILE *log;
    struct monitor mon;
    char line[MONITOR_LINE];
    size_t line_len;
    struct script script;
    bool scripted;
    uint64_t last_refresh;
    bool greeted; /* the monitor's banner was written */
};

static volatile sig_atomic_t interrupted; /* Ctrl-C; the one thing that a signal handler may touch */

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

/* --- what the machine tells us --- */

static void on_serial(void *arg, unsigned port, uint8_t byte)
{
    struct frontend *f = arg;
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
    fprintf(f->log ? f->log : stderr, "%s\n", line);
}

static void on_monitor_text(void *arg, const char *text)
{
    struct frontend *f = arg;
    for (; *text; text++) { /* a raw terminal needs the carriage return */
        if (*text == '\n')
            chardev_write(f->monitor, "\r", 1);
        chardev_write(f->monitor, text, 1);
    }
}

static void on_script_text(void *arg, const char *text)
{
    (void)arg;
    fputs(text, stdout);
    fflush(stdout);
}

/* --- set-up --- */

static enum emu_err open_one(const char *spec, struct chardev **out, bool *stdio_used, struct error *err)
{
    enum emu_err e = chardev_open(spec, out, err);
    if (!e && chardev_is_stdio(*out)) {
        if (*stdio_used)
            return error_set(err, EMU_ARG, "stdio is used twice; give one of them a file: or unix: device");
        *stdio_used = true;
    }
    return e;
}

static enum emu_err open_chardevs(struct frontend *f, struct error *err)
{
    bool stdio_used = false;
    enum emu_err e = EMU_OK;
    for (unsigned i = 0; !e && i < SERIAL_PORTS; i++)
        e = open_one(f->opt.serial[i], &f->serial[i], &stdio_used, err);
    if (!e)
        e = open_one(f->opt.parallel, &f->parallel, &stdio_used, err);
    if (!e)
        e = open_one(f->opt.debugcon, &f->debugcon, &stdio_used, err);
    if (!e)
        e = open_one(f->opt.monitor, &f->monitor, &stdio_used, err);
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
static enum emu_err open_display(struct frontend *f, struct error *err)
{
    enum display_kind kind = f->opt.display;
    bool busy = f->opt.script != NULL; /* scripts show nothing unless asked */
    if (kind == DISPLAY_NONE || (kind == DISPLAY_AUTO && busy))
        return EMU_OK;
    if (kind == DISPLAY_TEXT)
        return term_open(&f->display, err);
    enum emu_err e = sdl_open(f->opt.cfg.name ? f->opt.cfg.name : "Retrace", f->opt.full_screen, &f->display, err);
    if (!e || kind == DISPLAY_SDL)
        return e;
    fprintf(stderr, "retrace: %s; showing the guest's text screen in this terminal (Ctrl-A x ends).\n", err->text);
    return term_open(&f->display, err);
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
    f->mon.quit |= mon.quit;
}

static enum emu_err open_gdb(struct frontend *f, struct error *err)
{
    char spec[256];
    if (!f->opt.gdb)
        return EMU_OK;
    snprintf(spec, sizeof(spec), "%s,server,nowait", f->opt.gdb);
    enum emu_err e = chardev_open(spec, &f->gdb_link, err);
    struct gdb_target target = {f, gdb_cpu, gdb_running, gdb_resume, gdb_halt, gdb_step, gdb_monitor};
    return e ? e : gdbstub_new(&target, &f->gdb, err);
}

static enum emu_err set_up(struct frontend *f, struct error *err)
{
    struct machine_host host = {f, on_serial, on_parallel, on_debug, on_log};
    enum emu_err e = open_log(f, err);
    if (!e)
        e = machine_new(&f->opt.cfg, &host, &f->m, err);
    if (e)
        return e;
    f->m->no_reboot = f->opt.no_reboot;
    pc_set_trace(f->m->pc, f->opt.trace);
    monitor_init(&f->mon, f->m, on_monitor_text, f);
    if (f->opt.loadvm)
        e = machine_load(f->m, f->opt.loadvm, err);
    if (!e)
        e = open_display(f, err);
    if (!e)
        e = open_chardevs(f, err);
    if (!e)
        e = open_gdb(f, err);
    f->m->running = !f->opt.paused;
    return e;
}

static void tear_down(struct frontend *f)
{
    if (f->display)
        f->display->close(f->display);
    gdbstub_free(f->gdb);
    machine_free(f->m);
    script_free(&f->script);
    struct chardev *all[] = {f->serial[0], f->serial[1], f->parallel, f->debugcon, f->monitor, f->gdb_link};
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
        size_t n = machine_serial_busy(f->m, i) ? 0 : chardev_read(f->serial[i], data, sizeof(data));
        machine_serial_in(f->m, i, data, n);
    }
}

static void monitor_char(struct frontend *f, char ch)
{
    struct error err;
    if (ch == '\r' || ch == '\n') {
        f->line[f->line_len] = 0;
        f->line_len = 0;
        on_monitor_text(f, "\n");
        monitor_line(&f->mon, f->line, &err);
        if (!f->mon.quit)
            on_monitor_text(f, MONITOR_PROMPT);
        return;
    }
    if ((ch == 8 || ch == 127) && f->line_len) {
        f->line_len--;
        on_monitor_text(f, "\b \b");
    } else if ((unsigned char)ch >= ' ' && ch != 127 && f->line_len < MONITOR_LINE - 1) {
        char echo[2] = {ch, 0};
        f->line[f->line_len++] = ch;
        on_monitor_text(f, echo);
    }
}

static void feed_monitor(struct frontend *f)
{
    char data[256];
    size_t n;
    if (!f->monitor)
        return;
    if (!f->greeted) {
        on_monitor_text(f, "Retrace " RETRACE_VERSION " monitor - type 'help' for more information\n" MONITOR_PROMPT);
        f->greeted = true;
    }
    while ((n = chardev_read(f->monitor, data, sizeof(data))) > 0) {
        for (size_t i = 0; i < n && !f->mon.quit; i++)
            monitor_char(f, data[i]);
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
    while (f->gdb && (n = chardev_read(f->gdb_link, data, sizeof(data))) > 0)
        gdbstub_receive(f->gdb, data, n, gdb_send, f);
}

/* Everything that the host side has for the machine; false: leave. */
static bool serve_host(struct frontend *f)
{
    feed_serial(f);
    feed_monitor(f);
    feed_gdb(f);
    bool ended = chardev_ended(f->serial[0]) && f->opt.display == DISPLAY_NONE && isatty(STDIN_FILENO);
    if (interrupted || f->mon.quit || ended)
        return false;
    if (!f->display)
        return true;
    if (!f->display->poll(f->display, f->m))
        return false;
    uint64_t now = host_now();
    if (now - f->last_refresh >= NS_PER_SECOND / 60) {
        f->last_refresh = now;
        f->display->refresh(f->display, f->m);
    }
    return true;
}

/* --- the main loop --- */

/* Sleeps until input arrives, a frame is due, or the guest has something to do. */
static void rest(struct frontend *f, struct pacer *p, vtime target)
{
    struct chardev *all[] = {f->serial[0], f->serial[1], f->monitor, f->gdb_link};
    struct pollfd fds[ARRAY_LEN(all)];
    nfds_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (chardev_fd(all[i]) >= 0)
            fds[n++] = (struct pollfd){.fd = chardev_fd(all[i]), .events = POLLIN};
    }
    uint64_t limit = f->display ? NS_PER_SECOND / 60 : NS_PER_SECOND / 20, start = host_now();
    vtime next = machine_next_event(f->m);
    if (f->m->running && next > target && next - target < limit)
        limit = next - target;
    struct timespec ts = {0, (long)limit};
    ppoll(fds, n, &ts, NULL);
    pacer_slept(p, host_now() - start);
}

/* One slice of at most 10 ms of virtual time; false: the machine is off for good. */
static bool run_slice(struct frontend *f, struct pacer *p)
{
    vtime target = pacer_target(p, f->m), now = machine_now(f->m);
    vtime until = target < now + 10000000 ? target : now + 10000000;
    enum machine_stop why = machine_run(f->m, until, UINT64_MAX);
    if (why == MACHINE_POWEROFF || why == MACHINE_REBOOT)
        return false;
    if (why == MACHINE_BREAK && f->gdb)
        gdbstub_stopped(f->gdb, gdb_send, f);
    if (why == MACHINE_STOPPED || machine_now(f->m) >= target)
        rest(f, p, target);
    return true;
}

static void main_loop(struct frontend *f)
{
    struct pacer pacer;
    pacer_start(&pacer, f->m, f->opt.cfg.icount_fixed);
    bool was_running = f->m->running;
    while (serve_host(f)) {
        if (f->m->running && !was_running)
            pacer_start(&pacer, f->m, f->opt.cfg.icount_fixed);
        was_running = f->m->running;
        if (!run_slice(f, &pacer))
            break;
    }
}

static bool script_poll(void *arg)
{
    return serve_host(arg);
}

static enum emu_err run_script(struct frontend *f, struct error *err)
{
    script_init(&f->script, f->m, on_script_text, f);
    f->script.poll = script_poll;
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
    return e ? e : machine_flush(f->m, err);
}

int main(int argc, char **argv)
{
    struct frontend f = {0};
    struct error err = {""};
    enum options_result result;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
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
