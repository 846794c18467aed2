/*
 * Types for scripts and the monitor: key strokes with pauses in virtual time, as a person would make
 * them, so that no keyboard buffer overflows. Characters are those of a US keyboard.
 */
#ifndef MACHINE_TYPIST_H
#define MACHINE_TYPIST_H

#include "machine/error.h"
#include "machine/types.h"

struct typist_stroke {
    uint8_t hid; /* USB HID usage, page 7 */
    bool down;
    uint32_t pause_us; /* after this stroke */
};

struct typist {
    struct typist_stroke *stroke;
    size_t count, cap, next;
    vtime due; /* of stroke[next] */
};

/* Text with "\n" (Enter), "\t", "\b", "\e"; a character that no US key makes is refused. `now` is the
 * time to start, if nothing is being typed. */
MUST_CHECK enum emu_err typist_text(struct typist *t, const char *text, vtime now, struct error *err);

/* QEMU's sendkey: "ctrl-alt-delete", "ret", "a", "shift-f1"; held for hold_ms. */
MUST_CHECK enum emu_err typist_keys(struct typist *t, const char *keys, unsigned hold_ms, vtime now,
                                    struct error *err);

/* When the next stroke is due; VTIME_NEVER when nothing is left. */
vtime typist_due(const struct typist *t);
/* Takes the stroke that is due. Call only when typist_due() <= now. */
struct typist_stroke typist_take(struct typist *t, vtime now);
void typist_free(struct typist *t);

#endif
