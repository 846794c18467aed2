/* Scripts. See script.h. */
#include "machine/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const vtime POLL_NS = 10000000; /* how often a wait looks */

void script_init(struct script *s, struct machine *m, void (*out)(void *arg, const char *text),
                 void *arg)
{
    *s = (struct script){0};
    monitor_init(&s->mon, m, out, arg);
}

void script_free(struct script *s)
{
    buf_free(&s->serial);
    buf_free(&s->debug);
}

void script_serial_byte(struct script *s, uint8_t byte) { buf_put_u8(&s->serial, byte); }
void script_debug_byte(struct script *s, uint8_t byte) { buf_put_u8(&s->debug, byte); }

/* --- conditions --- */

/* The end of TEXT in b from `from` on, or 0. */
static size_t find_bytes(const struct buf *b, size_t from, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = from; i + len <= b->len; i++) {
        if (memcmp(b->data + i, text, len) == 0)
            return i + len;
    }
    return 0;
}

static bool seen(struct buf *b, size_t *mark, const char *text)
{
    size_t end = find_bytes(b, *mark, text);
    if (end)
        *mark = end;
    return end != 0;
}

static bool on_screen(struct script *s, const char *text)
{
    char screen[SCREEN_TEXT_MAX];
    machine_screen_text(s->mon.m, screen, sizeof(screen));
    return strstr(screen, text) != NULL;
}

typedef bool condition(struct script *s, const char *text);

static bool screen_has(struct script *s, const char *text) { return on_screen(s, text); }
static bool serial_has(struct script *s, const char *text)
{
    return seen(&s->serial, &s->serial_seen, text);
}
static bool debug_has(struct script *s, const char *text)
{
    return seen(&s->debug, &s->debug_seen, text);
}
static bool powered_off(struct script *s, const char *text) { return (void)text, s->powered_off; }
static bool at_break(struct script *s, const char *text) { return (void)text, s->at_break; }
static bool never(struct script *s, const char *text) { return (void)s, (void)text, false; }

static bool graphics(struct script *s, const char *text)
{
    char screen[SCREEN_TEXT_MAX];
    (void)text;
    return !machine_screen_text(s->mon.m, screen, sizeof(screen));
}

static uint64_t picture_hash(struct script *s)
{
    struct surface picture = {0};
    machine_draw(s->mon.m, &picture);
    uint64_t hash = surface_hash(&picture);
    surface_free(&picture);
    return hash;
}

static bool moved(struct script *s, const char *text)
{
    (void)text;
    return picture_hash(s) != s->still;
}

/* --- running --- */

static enum emu_err say_break(struct script *s, struct error *err)
{
    char where[200];
    monitor_where(s->mon.m, where, sizeof(where));
    return error_set(err, EMU_ARG, "a breakpoint was reached: %s", where);
}

/* What machine_run() came back with; an error if waiting any longer makes no sense. */
static enum emu_err stopped(struct script *s, enum machine_stop why, struct error *err)
{
    switch (why) {
    case MACHINE_POWEROFF: s->powered_off = true; return EMU_OK;
    case MACHINE_BREAK: s->at_break = true; return EMU_OK;
    case MACHINE_REPLAYED: return error_set(err, EMU_ARG, "the recording is over");
    case MACHINE_REBOOT: return error_set(err, EMU_ARG, "the guest rebooted (-no-reboot)");
    case MACHINE_DEAD_IDLE: return error_set(err, EMU_ARG, "the guest halted for ever");
    case MACHINE_STOPPED:
        return error_set(err, EMU_ARG,
                         s->powered_off ? "the guest has switched the machine off"
                                        : "the machine is stopped; use cont");
    default: return EMU_OK;
    }
}

/* A stretch of at most POLL_NS, and the user's side of it. */
static enum emu_err run_some(struct script *s, vtime end, uint64_t end_icount, struct error *err)
{
    struct machine *m = s->mon.m;
    vtime look = machine_now(m) + POLL_NS;
    enum emu_err e = stopped(s, machine_run(m, look < end ? look : end, end_icount), err);
    const char *leave = !e && s->poll ? s->poll(s->poll_arg) : NULL;
    return leave ? error_set(err, EMU_ARG, "%s", leave) : e;
}

/* Runs until the condition holds or `seconds` of virtual time are over; *held tells which. */
static enum emu_err run_until(struct script *s, condition *holds, const char *text, double seconds,
                              bool *held, struct error *err)
{
    struct machine *m = s->mon.m;
    vtime end = machine_now(m) + (vtime)(seconds * 1e9);
    s->at_break = false;
    for (;;) {
        *held = holds(s, text);
        if (*held || machine_now(m) >= end)
            return EMU_OK;
        enum emu_err e = run_some(s, end, UINT64_MAX, err);
        if (e)
            return e;
        if (!s->powered_off && !s->at_break)
            continue;
        *held = holds(s, text);
        if (*held)
            return EMU_OK;
        return s->at_break ? say_break(s, err)
                           : error_set(err, EMU_ARG, "the guest switched the machine off");
    }
}

static enum emu_err seconds_of(const char *text, double *seconds, struct error *err)
{
    char *end;
    *seconds = strtod(text, &end);
    if (end == text || *end || !(*seconds >= 0 && *seconds <= 1e6))
        return error_set(err, EMU_ARG, "\"%s\" is not a number of seconds", text);
    return EMU_OK;
}

static enum emu_err wait_for(struct script *s, condition *holds, const char *what, const char *text,
                             const char *seconds, struct error *err)
{
    bool held = false;
    double limit;
    enum emu_err e = seconds_of(seconds, &limit, err);
    if (!e)
        e = run_until(s, holds, text, limit, &held, err);
    if (!e && !held)
        e = error_set(err, EMU_ARG, "waited %s virtual seconds for %s%s%s%s", seconds, what,
                      *text ? " \"" : "", text, *text ? "\"" : "");
    return e;
}

/* --- words --- */

static enum emu_err word_wait(struct script *s, char **w, struct error *err)
{
    bool held;
    double seconds;
    enum emu_err e = seconds_of(w[1], &seconds, err);
    return e ? e : run_until(s, never, "", seconds, &held, err);
}

static enum emu_err word_expect(struct script *s, char **w, struct error *err)
{
    return on_screen(s, w[1]) ? EMU_OK
                              : error_set(err, EMU_ARG, "\"%s\" is not on the screen", w[1]);
}

static enum emu_err word_expect_no(struct script *s, char **w, struct error *err)
{
    return on_screen(s, w[1]) ? error_set(err, EMU_ARG, "\"%s\" is on the screen", w[1]) : EMU_OK;
}

static enum emu_err word_wait_screen(struct script *s, char **w, struct error *err)
{
    return wait_for(s, screen_has, "the screen to show", w[1], w[2], err);
}

static enum emu_err word_wait_serial(struct script *s, char **w, struct error *err)
{
    return wait_for(s, serial_has, "the serial port to send", w[1], w[2], err);
}

static enum emu_err word_wait_debug(struct script *s, char **w, struct error *err)
{
    return wait_for(s, debug_has, "the debug port to send", w[1], w[2], err);
}

static enum emu_err word_wait_graphics(struct script *s, char **w, struct error *err)
{
    return wait_for(s, graphics, "a graphics mode", "", w[1], err);
}

static enum emu_err word_wait_motion(struct script *s, char **w, struct error *err)
{
    s->still = picture_hash(s);
    return wait_for(s, moved, "the picture to change", "", w[1], err);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Sorts the picture's pixels: it is spoilt afterwards. */
static size_t count_colours(struct surface *p)
{
    size_t n = (size_t)p->width * p->height, colours = n != 0;
    qsort(p->pixels, n, sizeof(*p->pixels), by_value);
    for (size_t i = 1; i < n; i++)
        colours += p->pixels[i] != p->pixels[i - 1];
    return colours;
}

static enum emu_err word_expect_picture(struct script *s, char **w, struct error *err)
{
    struct surface p = {0};
    machine_draw(s->mon.m, &p);
    size_t colours = count_colours(&p);
    bool fits = p.width == strtoul(w[1], NULL, 0) && p.height == strtoul(w[2], NULL, 0) &&
                colours >= strtoul(w[3], NULL, 0);
    enum emu_err e = fits ? EMU_OK
                          : error_set(err, EMU_ARG, "the picture is %u x %u with %zu colours",
                                      p.width, p.height, colours);
    surface_free(&p);
    return e;
}

static enum emu_err word_wait_poweroff(struct script *s, char **w, struct error *err)
{
    return wait_for(s, powered_off, "the guest to switch off", "", w[1], err);
}

static enum emu_err word_wait_break(struct script *s, char **w, struct error *err)
{
    return wait_for(s, at_break, "a breakpoint", "", w[1], err);
}

/* Hands over the text; it travels while the next words wait. */
static enum emu_err word_serial(struct script *s, char **w, struct error *err)
{
    (void)err;
    for (const char *p = w[1]; *p; p++) {
        uint8_t byte = (uint8_t)*p;
        if (p[0] == '\\' && (p[1] == 'n' || p[1] == '\\'))
            byte = *++p == 'n' ? '\r' : '\\';
        machine_serial_in(s->mon.m, 0, &byte, 1);
    }
    return EMU_OK;
}

static enum emu_err word_run_to(struct script *s, char **w, struct error *err)
{
    char *end;
    uint64_t target = strtoull(w[1], &end, 0);
    if (end == w[1] || *end)
        return error_set(err, EMU_ARG, "\"%s\" is no instruction count", w[1]);
    s->at_break = false;
    while (machine_icount(s->mon.m) < target && !s->powered_off) {
        enum emu_err e = run_some(s, VTIME_NEVER, target, err);
        if (e)
            return e;
        if (s->at_break)
            return say_break(s, err);
    }
    return EMU_OK;
}

static enum emu_err word_echo(struct script *s, char **w, struct error *err)
{
    (void)err;
    s->mon.out(s->mon.arg, w[1]);
    s->mon.out(s->mon.arg, "\n");
    return EMU_OK;
}

static const struct {
    const char *name;
    int args;
    enum emu_err (*fn)(struct script *s, char **w, struct error *err);
} words[] = {
    {"wait", 1, word_wait},
    {"wait-screen", 2, word_wait_screen},
    {"wait-serial", 2, word_wait_serial},
    {"wait-debug", 2, word_wait_debug},
    {"wait-graphics", 1, word_wait_graphics},
    {"wait-motion", 1, word_wait_motion},
    {"expect-picture", 3, word_expect_picture},
    {"wait-poweroff", 1, word_wait_poweroff},
    {"wait-break", 1, word_wait_break},
    {"expect-screen", 1, word_expect},
    {"expect-no-screen", 1, word_expect_no},
    {"serial", 1, word_serial},
    {"run-to", 1, word_run_to},
    {"echo", 1, word_echo},
};

static enum emu_err run_line(struct script *s, const char *line, struct error *err)
{
    enum { MAX = 8 }; /* more words than any of ours takes */
    char copy[512], *w[MAX];
    size_t length = strlen(line);
    if (length >= sizeof(copy))
        return error_set(err, EMU_ARG, "the line is longer than %zu characters", sizeof(copy) - 1);
    memcpy(copy, line, length + 1);
    int n = monitor_split(copy, w, MAX);
    if (n < 0)
        return error_set(err, EMU_ARG, "a quote is not closed");
    if (n == 0 || w[0][0] == '#')
        return EMU_OK;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i].name, w[0]) == 0)
            return n - 1 == words[i].args ? words[i].fn(s, w, err)
                                          : error_set(err, EMU_ARG, "%s takes %d arguments, not %d",
                                                      w[0], words[i].args, n - 1);
    }
    return monitor_run(&s->mon, line, err);
}

/* What a person needs to see why a script failed: the screen, and what came by the serial port. */
static void show_guest(struct script *s)
{
    enum { TAIL = 2000 };
    char screen[SCREEN_TEXT_MAX], tail[TAIL + 1];
    machine_screen_text(s->mon.m, screen, sizeof(screen));
    s->mon.out(s->mon.arg, "--- screen ---\n");
    s->mon.out(s->mon.arg, screen);
    s->mon.out(s->mon.arg, "--- end of screen ---\n");
    size_t n = s->serial.len < TAIL ? s->serial.len : TAIL, used = 0;
    for (size_t i = s->serial.len - n; i < s->serial.len; i++) {
        if (s->serial.data[i] && s->serial.data[i] != '\r')
            tail[used++] = (char)s->serial.data[i];
    }
    tail[used] = 0;
    if (!used)
        return;
    s->mon.out(s->mon.arg, "--- serial port ---\n");
    s->mon.out(s->mon.arg, tail);
    s->mon.out(s->mon.arg, "\n--- end of serial port ---\n");
}

enum emu_err script_run(struct script *s, const char *path, struct error *err)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return error_set(err, EMU_IO, "cannot open the script %s: %m; check the name", path);
    char line[1024];
    enum emu_err e = EMU_OK;
    s->path = path;
    for (s->line = 1; !e && !s->mon.quit && fgets(line, sizeof(line), f); s->line++) {
        line[strcspn(line, "\r\n")] = 0;
        if (!line[0])
            continue;
        e = run_line(s, line, err);
        if (e) {
            error_prefix(err, e, "%s:%u", path, s->line);
            show_guest(s);
        }
    }
    if (!e && ferror(f))
        e = error_set(err, EMU_IO, "cannot read the script %s: %m", path);
    fclose(f);
    return e;
}
