/*
 * The guest's text screen in a terminal. On a terminal: drawn in place with ANSI sequences when it
 * changes, keys typed into the guest. Elsewhere (a pipe, a log): the whole screen, once it is still.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/pc.h"
#include "ui/chardev.h"
#include "ui/display.h"

struct term {
    struct display base;
    struct chardev *keys;  /* standard input; NULL where it is no terminal */
    bool ansi;
    char shown[SCREEN_TEXT_MAX], pending[SCREEN_TEXT_MAX];
    unsigned still; /* refreshes since the screen last changed */
};

/* What terminals send for keys that have no character (ECMA-48, xterm). */
static const struct {
    const char *sequence, *key;
} sequences[] = {
    {"\e[A", "up"}, {"\e[B", "down"}, {"\e[C", "right"}, {"\e[D", "left"}, {"\e[H", "home"},
    {"\e[F", "end"}, {"\e[2~", "insert"}, {"\e[3~", "delete"}, {"\e[5~", "pgup"}, {"\e[6~", "pgdn"},
    {"\eOP", "f1"}, {"\eOQ", "f2"}, {"\eOR", "f3"}, {"\eOS", "f4"}, {"\e[15~", "f5"},
    {"\e[17~", "f6"}, {"\e[18~", "f7"}, {"\e[19~", "f8"}, {"\e[20~", "f9"}, {"\e[21~", "f10"},
};

static size_t type_sequence(struct machine *m, const char *at)
{
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
        size_t n = strlen(sequences[i].sequence);
        if (strncmp(at, sequences[i].sequence, n) == 0)
            return typist_keys(&m->typist, sequences[i].key, 40, machine_now(m), &err) ? n : n;
    }
    return 0;
}

static void type_char(struct machine *m, char ch)
{
    struct error err;
    char text[3] = {ch, 0, 0}, chord[8];
    enum emu_err e;
    if (ch == '\r' || ch == '\n')
        e = typist_keys(&m->typist, "ret", 40, machine_now(m), &err);
    else if (ch == 127 || ch == 8)
        e = typist_keys(&m->typist, "backspace", 40, machine_now(m), &err);
    else if (ch > 0 && ch < 27 && ch != '\t') {
        snprintf(chord, sizeof(chord), "ctrl-%c", 'a' + ch - 1);
        e = typist_keys(&m->typist, chord, 40, machine_now(m), &err);
    } else {
        if (ch == '\\')
            text[1] = '\\'; /* typist_text() reads escapes */
        e = typist_text(&m->typist, text, machine_now(m), &err);
    }
    if (e) /* a character that no key makes: nothing to type */
        return;
}

static bool poll_term(struct display *d, struct machine *m)
{
    struct term *t = (struct term *)d;
    char data[64];
    size_t n = chardev_read(t->keys, data, sizeof(data) - 1);
    data[n] = 0;
    for (size_t i = 0; i < n;) {
        size_t used = data[i] == '\e' ? type_sequence(m, data + i) : 0;
        if (!used) {
            type_char(m, data[i]);
            used = 1;
        }
        i += used;
    }
    return !chardev_ended(t->keys) || !t->ansi;
}

static void draw_ansi(struct term *t)
{
    fputs("\e[H", stdout);
    for (const char *p = t->pending; *p; p++) {
        if (*p == '\n')
            fputs("\e[K\r", stdout);
        fputc(*p, stdout);
    }
    fputs("\e[J", stdout);
    fflush(stdout);
    memcpy(t->shown, t->pending, sizeof(t->shown));
}

/* In a log a screen is worth a print when it has been still for a second. */
static void draw_plain(struct term *t)
{
    printf("%s----\n", t->pending);
    fflush(stdout);
    memcpy(t->shown, t->pending, sizeof(t->shown));
}

static void refresh_term(struct display *d, struct machine *m)
{
    enum { STILL = 60 };
    struct term *t = (struct term *)d;
    char now[SCREEN_TEXT_MAX];
    machine_screen_text(m, now, sizeof(now));
    bool changed = strcmp(now, t->pending) != 0;
    snprintf(t->pending, sizeof(t->pending), "%s", now);
    t->still = changed ? 0 : t->still + 1;
    if (strcmp(t->shown, t->pending) == 0)
        return;
    if (t->ansi)
        draw_ansi(t);
    else if (t->still >= STILL)
        draw_plain(t);
}

static void close_term(struct display *d)
{
    struct term *t = (struct term *)d;
    if (t->ansi)
        fputs("\r\n", stdout);
    else if (strcmp(t->shown, t->pending) != 0)
        draw_plain(t);
    chardev_close(t->keys);
    free(t);
}

enum emu_err term_open(struct display **out, struct error *err)
{
    struct term *t = calloc(1, sizeof(*t));
    if (!t)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    t->base = (struct display){poll_term, refresh_term, close_term};
    t->ansi = isatty(STDOUT_FILENO) != 0;
    enum emu_err e = isatty(STDIN_FILENO) ? chardev_open("stdio", &t->keys, err) : EMU_OK;
    if (e) {
        free(t);
        return e;
    }
    if (t->ansi)
        fputs("\e[2J", stdout);
    *out = &t->base;
    return EMU_OK;
}
