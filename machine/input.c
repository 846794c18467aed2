/* The input queue. See input.h. */
#include "machine/input.h"

#include <stdlib.h>
#include <string.h>

static enum emu_err no_memory(struct error *err)
{
    return error_set(err, EMU_NOMEM, "the host is out of memory; the input was dropped");
}

static char *copy_text(const char *text, size_t len)
{
    if (!len)
        len = strlen(text) + 1;
    char *copy = malloc(len);
    if (copy)
        memcpy(copy, text, len);
    return copy;
}

static bool grow(struct input_log *log)
{
    if (log->count < log->cap)
        return true;
    size_t cap = log->cap ? log->cap * 2 : 64;
    struct input_event *bigger = realloc(log->event, cap * sizeof(*bigger));
    if (!bigger)
        return false;
    log->event = bigger;
    log->cap = cap;
    return true;
}

enum emu_err input_post(struct input_log *log, const struct input_event *ev, struct error *err)
{
    if (!grow(log))
        return no_memory(err);
    struct input_event copy = *ev;
    if (ev->text && !(copy.text = copy_text(ev->text, ev->len)))
        return no_memory(err);
    log->event[log->count++] = copy;
    return EMU_OK;
}

void input_forget(struct input_log *log)
{
    struct input_event *ev = &log->event[log->applied - 1];
    if (ev->kind != INPUT_PACKET || log->keep_packets)
        return;
    free(ev->text);
    ev->text = NULL;
    ev->len = 0;
    if (log->applied == log->count) /* as ever, since a packet is applied when it is posted */
        log->applied = --log->count;
}

void input_free(struct input_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free(log->event[i].text);
    free(log->event);
    *log = (struct input_log){0};
}
