/*
 * The guest's text screen in a terminal. On a terminal: in place, with colours and the cursor, keys
 * typed into the guest. Elsewhere (a pipe, a log): the whole screen as plain text, once it is still.
 *
 * A terminal smaller than the guest's screen shows the part around the cursor. How to leave stands
 * below the guest's screen; where there is no room, on the last row for the first seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine/pc.h"
#include "ui/chardev.h"
#include "ui/display.h"
#include "ui/term_keys.h"

enum { MAX_CELLS = 16384, HINT_REFRESHES = 240 };

struct term {
    struct display base;
    struct chardev *keys;  /* standard input; NULL where it is no terminal */
    bool ansi;
    char typed[64];        /* the start of a key's sequence */
    size_t typed_len;
    /* On a terminal. */
    struct vga_text_screen screen;
    struct vga_cell now[MAX_CELLS], shown[MAX_CELLS];
    unsigned rows, columns, first; /* of the terminal; the guest's row at its top */
    unsigned refreshes;
    bool blank;            /* nothing of `shown` is on the terminal */
    /* Elsewhere. */
    char text[SCREEN_TEXT_MAX], printed[SCREEN_TEXT_MAX];
    unsigned still;        /* refreshes since the screen last changed */
};

/* --- keys --- */

static void type_key(struct machine *m, const char *keys, char ch)
{
    enum { HOLD_MS = 15 };
    struct error err;
    char text[3] = {ch, ch == '\\' ? '\\' : 0, 0}; /* typist_text() reads escapes */
    enum emu_err e = *keys ? typist_keys(&m->typist, keys, HOLD_MS, machine_now(m), &err)
                           : typist_text(&m->typist, text, machine_now(m), &err);
    if (e) /* no key of a US keyboard makes it: nothing to type */
        return;
}

static bool poll_term(struct display *d, struct machine *m)
{
    struct term *t = (struct term *)d;
    char keys[TERM_KEY_NAME], ch;
    size_t used = 1, at = 0;
    size_t n = chardev_read(t->keys, false, t->typed + t->typed_len, sizeof(t->typed) - t->typed_len);
    t->typed_len += n;
    while (used && at < t->typed_len) {
        used = term_key(t->typed + at, t->typed_len - at, n == 0, keys, &ch);
        at += used;
        if (*keys || ch)
            type_key(m, keys, ch);
    }
    t->typed_len -= at;
    memmove(t->typed, t->typed + at, t->typed_len);
    return !chardev_ended(t->keys);
}

/* --- on a terminal --- */

static void put_character(uint8_t ch)
{
    char utf8[CP437_UTF8_MAX];
    unsigned n = cp437_to_utf8(ch, utf8);
    fwrite(utf8, 1, n, stdout);
}

/* The PC's colours are blue 1, green 2, red 4; a terminal's are red 1, green 2, blue 4. Light grey
 * on black is what the terminal shows by default. */
static void put_colors(uint8_t attribute)
{
    static const uint8_t ansi[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    unsigned front = attribute & 15, back = attribute >> 4 & 7;
    fputs("\e[0", stdout);
    if (front != 7 || back)
        printf(";%u", (front & 8 ? 90u : 30u) + ansi[front & 7]);
    if (back)
        printf(";%u", 40u + ansi[back]);
    fputc('m', stdout);
}

static void draw_row(const struct vga_cell *cell, unsigned columns)
{
    int attribute = -1;
    while (columns && cell[columns - 1].attribute == 7 && (cell[columns - 1].ch == ' ' || !cell[columns - 1].ch))
        columns--;
    for (unsigned i = 0; i < columns; i++) {
        if (cell[i].attribute != attribute)
            put_colors(cell[i].attribute);
        attribute = cell[i].attribute;
        put_character(cell[i].ch);
    }
    fputs("\e[0m\e[K", stdout);
}

/* The terminal's size, and which part of the guest's screen fits. */
static void measure(struct term *t)
{
    struct winsize size = {0};
    unsigned rows = 25, columns = 80, first = t->first;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
        rows = size.ws_row;
        columns = size.ws_col;
    }
    if (t->screen.rows <= rows)
        first = 0;
    else if (t->screen.cursor_on && t->screen.cursor_row < first)
        first = t->screen.cursor_row;
    else if (t->screen.cursor_on && t->screen.cursor_row >= first + rows)
        first = t->screen.cursor_row - rows + 1;
    t->blank |= rows != t->rows || columns != t->columns || first != t->first;
    t->rows = rows;
    t->columns = columns;
    t->first = first;
}

static void draw_graphics(struct term *t)
{
    if (t->blank)
        fputs("\e[0m\e[2J\e[1;1H(the guest shows graphics; a window or screendump shows them)\e[?25l", stdout);
    fflush(stdout);
    t->screen = (struct vga_text_screen){0};
    t->blank = false;
}

static void draw_hint(const struct term *t)
{
    bool room = t->rows > t->screen.rows;
    if (room || t->refreshes < HINT_REFRESHES)
        printf("\e[%u;1H\e[0;7m Retrace: Ctrl-A x leaves \e[0m", t->rows);
}

static void place_cursor(const struct term *t)
{
    unsigned row = t->screen.cursor_row - t->first;
    if (t->screen.cursor_on && row < t->rows && t->screen.cursor_column < t->columns)
        printf("\e[%u;%uH\e[?25h", row + 1, t->screen.cursor_column + 1);
    else
        fputs("\e[?25l", stdout);
}

static void draw_text(struct term *t)
{
    unsigned columns = t->screen.columns, shown = columns < t->columns ? columns : t->columns;
    if (t->blank)
        fputs("\e[0m\e[2J", stdout);
    for (unsigned r = t->first; r < t->screen.rows && r - t->first < t->rows; r++) {
        const struct vga_cell *now = t->now + (size_t)r * columns;
        if ((size_t)(r + 1) * columns > MAX_CELLS)
            break;
        if (!t->blank && memcmp(now, t->shown + (size_t)r * columns, columns * sizeof(*now)) == 0)
            continue;
        printf("\e[%u;1H", r - t->first + 1);
        draw_row(now, shown);
    }
    draw_hint(t);
    place_cursor(t);
    fflush(stdout);
    memcpy(t->shown, t->now, sizeof(t->shown));
    t->blank = false;
}

static void refresh_ansi(struct term *t, struct machine *m)
{
    const struct vga *v = &m->pc->vga;
    struct vga_text_screen before = t->screen;
    bool text = vga_text_screen(v, &t->screen);
    t->blank |= before.rows != t->screen.rows || before.columns != t->screen.columns;
    measure(t);
    if (!text) {
        draw_graphics(t);
        return;
    }
    vga_text_cells(v, t->now, MAX_CELLS);
    draw_text(t);
}

/* --- elsewhere --- */

static void print_plain(struct term *t)
{
    printf("%s----\n", t->text);
    fflush(stdout);
    memcpy(t->printed, t->text, sizeof(t->printed));
}

/* In a log a screen is worth a print when it has been still for a second. */
static void refresh_plain(struct term *t, struct machine *m)
{
    enum { STILL = 60 };
    char now[SCREEN_TEXT_MAX];
    machine_screen_text(m, now, sizeof(now));
    t->still = strcmp(now, t->text) == 0 ? t->still + 1 : 0;
    memcpy(t->text, now, strlen(now) + 1);
    if (t->still >= STILL && strcmp(t->printed, t->text) != 0)
        print_plain(t);
}

static bool size_changed(const struct term *t)
{
    struct winsize size = {0};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row &&
           (size.ws_row != t->rows || size.ws_col != t->columns);
}

static void refresh_term(struct display *d, struct machine *m, bool changed)
{
    struct term *t = (struct term *)d;
    if (t->ansi) {
        t->blank |= ++t->refreshes == HINT_REFRESHES;
        if (changed || t->blank || size_changed(t))
            refresh_ansi(t, m);
    } else if (changed || t->still <= 60) {
        refresh_plain(t, m);
    }
}

/* Leaves the terminal as it was, with the last screen as text. */
static void close_ansi(const struct term *t)
{
    unsigned columns = t->screen.columns, last = t->screen.rows;
    fputs("\e[0m\e[?25h\e[?1049l", stdout);
    while (last && columns) {
        const struct vga_cell *c = t->shown + (size_t)(last - 1) * columns;
        unsigned used = columns;
        while (used && (c[used - 1].ch == ' ' || !c[used - 1].ch))
            used--;
        if (used)
            break;
        last--;
    }
    for (unsigned r = 0; r < last && (size_t)(r + 1) * columns <= MAX_CELLS; r++) {
        draw_row(t->shown + (size_t)r * columns, columns);
        fputs("\r\n", stdout);
    }
    fflush(stdout);
}

static void close_term(struct display *d)
{
    struct term *t = (struct term *)d;
    if (t->ansi)
        close_ansi(t);
    else if (strcmp(t->printed, t->text) != 0)
        print_plain(t);
    chardev_close(t->keys);
    free(t);
}

enum emu_err term_open(bool keys, struct display **out, struct error *err)
{
    struct term *t = calloc(1, sizeof(*t));
    if (!t)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    t->base = (struct display){poll_term, refresh_term, close_term, isatty(STDOUT_FILENO) != 0};
    t->ansi = t->base.owns_terminal;
    t->blank = true;
    enum emu_err e = keys && isatty(STDIN_FILENO) ? chardev_open("raw:stdio", &t->keys, err) : EMU_OK;
    if (e) {
        free(t);
        return e;
    }
    if (t->ansi)
        fputs("\e[?1049h\e[2J", stdout);
    *out = &t->base;
    return EMU_OK;
}
