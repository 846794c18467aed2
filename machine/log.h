/*
 * Log and trace. The log is for people: one line, rate-limited per source, for what the guest does
 * that is odd or not modelled (channel 2 of ARCHITECTURE.md "Errors"). Trace events are listed in
 * trace.def, always compiled in, one bit test when off, stamped with virtual time and CS:EIP.
 * A struct log is given to whoever may need it; where it writes is the front end's decision.
 */
#ifndef MACHINE_LOG_H
#define MACHINE_LOG_H

#include "machine/clock.h"
#include "machine/compiler.h"
#include "machine/types.h"

enum trace_category {
#define TRACE_CATEGORY(id, word, help) TRACE_##id,
#include "machine/trace.def"
#undef TRACE_CATEGORY
    TRACE_CATEGORIES
};

struct log {
    uint32_t enabled; /* bit per trace_category */
    void (*sink)(void *arg, const char *line); /* NULL: dropped */
    void *arg;
    const struct clock *clk; /* for stamps; NULL: no stamp */
    void (*where)(void *arg, char *text, size_t len); /* writes "CS:EIP" for the stamp; may be NULL */
    void *where_arg;
    uint32_t odd_count; /* guest-odd lines so far in this rate window */
    vtime odd_window;   /* its start */
};

static inline bool trace_on(const struct log *log, enum trace_category cat)
{
    return log && UNLIKELY((log->enabled >> cat) & 1);
}

/* One trace line; callers test trace_on() first. */
void trace_line(struct log *log, enum trace_category cat, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The guest did something odd or not modelled: at most 20 lines a virtual second, then one that
 * says that more were left out. `log` may be NULL. */
void log_guest(struct log *log, const char *source, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Parses "-trace pit,ata" words into `mask`; "all" and "help" included (help: EMU_ARG with the list
 * of words as text). An unknown word names the nearest known one. */
MUST_CHECK enum emu_err trace_parse(const char *words, uint32_t *mask, struct error *err);
const char *trace_word(enum trace_category cat);

#endif
