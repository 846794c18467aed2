/*
 * The one way in. Everything from outside enters the machine as an input event, applied between two
 * instructions, stamped with the instruction count and logged, so that a run can be replayed:
 * the run is a function of (configuration, images, this log). See ARCHITECTURE.md, law 2.
 */
#ifndef MACHINE_INPUT_H
#define MACHINE_INPUT_H

#include "machine/error.h"
#include "machine/types.h"

enum input_kind {
    INPUT_KEY,       /* a = USB HID usage (page 7), b = 1 down, 0 up */
    INPUT_MOUSE,     /* x, y, z relative motion; a = buttons (1 left, 2 right, 4 middle) */
    INPUT_SERIAL,    /* a = port 0..1, b = byte */
    INPUT_RESET,     /* the reset button */
    INPUT_POWERDOWN, /* the power button (ACPI) */
    INPUT_NMI,
    INPUT_RATE,      /* value = new clock rate (ns per instruction * 65536) */
    INPUT_INSERT,    /* a = drive (floppies, then IDE), b = 1 read-only, value = format (0 found out, 1 raw, 2 qcow2); text = path */
    INPUT_EJECT,     /* a = drive; b = 1: the guest is only asked */
    INPUT_PACKET,    /* a = network card; text, len = the frame */
    INPUT_LINK,      /* a = network card, b = 1: its cable is plugged in */
    INPUT_KINDS
};

struct input_event {
    uint64_t icount; /* when it was applied; set by the machine */
    vtime when;      /* and the virtual time (while the CPU is halted, time passes without instructions) */
    enum input_kind kind;
    uint8_t a, b;
    int16_t x, y, z;
    uint64_t value;
    char *text; /* owned by the queue; NULL where unused */
    size_t len; /* bytes at text; 0: it is a string */
};

/* A queue in order of arrival; the applied part is the log. */
struct input_log {
    struct input_event *event;
    size_t count, cap, applied; /* event[0..applied) are the past */
    bool keep_packets; /* a recorder wants them; else they leave the log, which they would fill */
};

/* Copies `ev` and its text to the end; EMU_NOMEM only. */
MUST_CHECK enum emu_err input_post(struct input_log *log, const struct input_event *ev, struct error *err);
/* event[applied - 1] was applied: what need not be kept is let go. */
void input_forget(struct input_log *log);
void input_free(struct input_log *log);

#endif
