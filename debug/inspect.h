/*
 * Looking at the CPU and at memory without changing anything: what `info registers`, `x`, `xp`, `p`
 * and `x/i` print, in QEMU's forms.
 */
#ifndef DEBUG_INSPECT_H
#define DEBUG_INSPECT_H

#include "cpu/cpu.h"

typedef void inspect_emit(void *arg, const char *line);

/* QEMU's "info registers": general, segments, descriptor tables, control, debug, x87, SSE. */
void inspect_registers(struct cpu *c, inspect_emit *emit, void *arg);

/* A number (decimal, 0x hex, octal), $register, + - * / & | ^ ~ ( ) and seg:offset (real-mode shift or
 * descriptor base of a selector that is loaded, such as $cs:$eip or 0xf000:0xfff0). */
MUST_CHECK enum emu_err inspect_expr(struct cpu *c, const char *text, uint64_t *value, struct error *err);

/* `x/FMT EXPR` (linear) and `xp/FMT EXPR` (physical). `fmt` is what follows the slash ("4xw", "10i",
 * "s", "" for the last defaults 1xw). Formats x d u o c i s; sizes b h w g. Instructions use the
 * current code size, or 16 or 32 bits with size h or w. */
MUST_CHECK enum emu_err inspect_memory(struct cpu *c, bool physical, const char *fmt, const char *expr,
                                       inspect_emit *emit, void *arg, struct error *err);

/* One instruction at linear address `addr` as "bytes  text"; returns its length (1 where nothing can
 * be read or decoded). */
unsigned inspect_insn(struct cpu *c, laddr addr, bool code32, char *text, size_t len);

#endif
