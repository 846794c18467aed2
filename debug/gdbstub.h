/*
 * GDB remote serial protocol (GDB manual, appendix E) over any byte stream: registers, memory, step,
 * continue, software breakpoints, target description. It knows the CPU but not the machine: the
 * front end gives it a target.
 */
#ifndef DEBUG_GDBSTUB_H
#define DEBUG_GDBSTUB_H

#include "cpu/cpu.h"

struct gdb_target {
    void *arg;
    struct cpu *(*cpu)(void *arg); /* the present one: a snapshot load replaces it */
    bool (*running)(void *arg);
    void (*resume)(void *arg);
    void (*halt)(void *arg);
    void (*step)(void *arg); /* one instruction, now */
    /* A monitor line (qRcmd); text through `out`. May be NULL. */
    void (*monitor)(void *arg, const char *line, void (*out)(void *out_arg, const char *text), void *out_arg);
};

typedef void gdb_send_fn(void *arg, const void *data, size_t len);

struct gdbstub;

MUST_CHECK enum emu_err gdbstub_new(const struct gdb_target *target, struct gdbstub **out, struct error *err);
void gdbstub_free(struct gdbstub *g);

/* Bytes from GDB; answers go through `send`. The first ones stop the machine, as GDB expects. */
void gdbstub_receive(struct gdbstub *g, const void *data, size_t len, gdb_send_fn *send, void *arg);

/* The machine stopped at a breakpoint: tells GDB, if it is waiting. */
void gdbstub_stopped(struct gdbstub *g, gdb_send_fn *send, void *arg);

#endif
