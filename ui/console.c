/* See console.h. */
#include "ui/console.h"

#include <stdio.h>
#include <string.h>

enum { ESC = 0x1b, DEL = 0x7f, CTRL_U = 0x15, CTRL_C = 3 };

static void put(struct console *c, const char *text)
{
    chardev_write(c->cd, text, strlen(text));
}

/* A raw terminal and QEMU's clients want carriage returns. */
static void put_lines(void *arg, const char *text)
{
    struct console *c = arg;
    while (*text) {
        size_t n = strcspn(text, "\n");
        chardev_write(c->cd, text, n);
        if (text[n])
            put(c, "\r\n");
        text += n + (text[n] != 0);
    }
}

void console_init(struct console *c, struct chardev *cd, struct machine *m)
{
    *c = (struct console){.cd = cd};
    monitor_init(&c->mon, m, put_lines, c);
}

static void remember(struct console *c)
{
    if (!c->len)
        return;
    memcpy(c->history[c->history_count % CONSOLE_HISTORY], c->line, c->len + 1);
    c->history_at = ++c->history_count;
}

static void run_line(struct console *c)
{
    struct error err;
    c->line[c->len] = 0;
    put(c, "\r\n");
    remember(c);
    c->len = 0;
    monitor_line(&c->mon, c->line, &err); /* it writes what went wrong */
    if (!c->mon.quit)
        put(c, MONITOR_PROMPT);
}

static void erase(struct console *c, size_t n)
{
    for (; n && c->len; n--, c->len--)
        put(c, "\b \b");
}

/* Cursor up and down: lines typed before. */
static void recall(struct console *c, int step)
{
    unsigned oldest = c->history_count > CONSOLE_HISTORY ? c->history_count - CONSOLE_HISTORY : 0;
    if (c->history_at == (step < 0 ? oldest : c->history_count))
        return;
    unsigned at = c->history_at += (unsigned)step;
    erase(c, c->len);
    snprintf(c->line, sizeof(c->line), "%s", at < c->history_count ? c->history[at % CONSOLE_HISTORY] : "");
    c->len = strlen(c->line);
    put(c, c->line);
}

/* ESC [ A and the like; true: the byte belongs to a sequence. */
static bool in_escape(struct console *c, char ch)
{
    if (!c->escape_len && ch != ESC)
        return false;
    c->escape[c->escape_len++] = ch;
    bool starts = c->escape_len == 1 || (c->escape_len == 2 && (ch == '[' || ch == 'O'));
    if (starts || (c->escape_len < sizeof(c->escape) && ch < '@'))
        return true;
    c->escape_len = 0;
    if (ch == 'A' || ch == 'B')
        recall(c, ch == 'A' ? -1 : 1);
    return true;
}

static void take_char(struct console *c, char ch)
{
    bool line_feed_of_cr = ch == '\n' && c->after_cr;
    c->after_cr = ch == '\r';
    if (line_feed_of_cr || in_escape(c, ch))
        return;
    if (ch == '\r' || ch == '\n') {
        run_line(c);
    } else if (ch == '\b' || ch == DEL) {
        erase(c, 1);
    } else if (ch == CTRL_U || ch == CTRL_C) {
        erase(c, c->len);
    } else if ((unsigned char)ch >= ' ' && c->len < CONSOLE_LINE - 1) {
        char echo[2] = {ch, 0};
        c->line[c->len++] = ch;
        put(c, echo);
    }
}

static void greet(struct console *c)
{
    unsigned connections = chardev_connections(c->cd);
    if (c->away && c->greeted == connections)
        put(c, "\r\n" MONITOR_PROMPT);
    c->away = false;
    if (c->greeted == connections)
        return;
    c->greeted = connections;
    c->len = c->escape_len = 0;
    put(c, "Retrace " RETRACE_VERSION " monitor - type 'help' for more information\r\n" MONITOR_PROMPT);
}

void console_poll(struct console *c)
{
    char data[256];
    size_t n;
    if (!chardev_at_monitor(c->cd)) {
        c->away = true;
        return;
    }
    do {
        greet(c);
        n = chardev_read(c->cd, true, data, sizeof(data));
        for (size_t i = 0; i < n && !c->mon.quit; i++)
            take_char(c, data[i]);
    } while (n && !c->mon.quit);
    chardev_flush(c->cd);
}

void console_say(struct console *c, const char *line)
{
    if (!c->cd || !c->greeted)
        return;
    put(c, "\r\n");
    put(c, line);
    put(c, "\r\n" MONITOR_PROMPT);
    chardev_write(c->cd, c->line, c->len);
    chardev_flush(c->cd);
}
