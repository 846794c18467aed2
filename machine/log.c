/* Log lines, trace lines and the words of -trace. See log.h. */
#include "machine/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine/nearest.h"

static const struct {
    const char *word, *help;
} categories[] = {
#define TRACE_CATEGORY(id, word, help) {word, help},
#include "machine/trace.def"
#undef TRACE_CATEGORY
};

const char *trace_word(enum trace_category cat)
{
    return categories[cat].word;
}

static int stamp(const struct log *log, char *line, size_t len)
{
    char where[64] = "";
    if (!log->clk)
        return 0;
    vtime now = clock_now(log->clk);
    if (log->where)
        log->where(log->where_arg, where, sizeof(where));
    return snprintf(line, len, "[%llu.%09llu %s] ", (unsigned long long)(now / NS_PER_SECOND),
                    (unsigned long long)(now % NS_PER_SECOND), where);
}

static void emit(struct log *log, const char *source, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
static void emit(struct log *log, const char *source, const char *fmt, va_list ap)
{
    char line[1024];
    size_t n = (size_t)stamp(log, line, sizeof(line));
    n += (size_t)snprintf(line + n, sizeof(line) - n, "%s: ", source);
    vsnprintf(line + n, sizeof(line) - n, fmt, ap);
    log->sink(log->arg, line);
}

void trace_line(struct log *log, enum trace_category cat, const char *fmt, ...)
{
    if (!log->sink)
        return;
    va_list ap;
    va_start(ap, fmt);
    emit(log, categories[cat].word, fmt, ap);
    va_end(ap);
}

enum { ODD_PER_SECOND = 20 };

/* True while this virtual second still has room for a line. */
static bool rate_allows(struct log *log)
{
    if (log->enabled >> TRACE_GUEST & 1)
        return true;
    vtime now = log->clk ? clock_now(log->clk) : 0;
    if (now - log->odd_window >= NS_PER_SECOND) {
        log->odd_window = now;
        log->odd_count = 0;
    }
    return log->odd_count++ < ODD_PER_SECOND;
}

void log_guest(struct log *log, const char *source, const char *fmt, ...)
{
    if (!log || !log->sink || !rate_allows(log))
        return;
    va_list ap;
    va_start(ap, fmt);
    emit(log, source, fmt, ap);
    va_end(ap);
    if (log->odd_count == ODD_PER_SECOND && !(log->enabled >> TRACE_GUEST & 1))
        log->sink(log->arg, "guest: more such lines follow; they are left out for this second "
                            "(-trace guest_errors shows all)");
}

static enum emu_err list_categories(struct error *err)
{
    char text[sizeof(err->text)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(categories) && n < sizeof(text); i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? ", " : "", categories[i].word);
    return error_set(err, EMU_ARG, "trace categories: %s, all", text);
}

static enum emu_err parse_word(const char *word, uint32_t *mask, struct error *err)
{
    const char *words[TRACE_CATEGORIES + 2] = {0};
    if (strcmp(word, "all") == 0) {
        *mask |= (1u << TRACE_CATEGORIES) - 1;
        return EMU_OK;
    }
    if (strcmp(word, "help") == 0)
        return list_categories(err);
    for (unsigned i = 0; i < TRACE_CATEGORIES; i++) {
        if (strcmp(word, categories[i].word) == 0) {
            *mask |= 1u << i;
            return EMU_OK;
        }
        words[i] = categories[i].word;
    }
    words[TRACE_CATEGORIES] = "all";
    return error_set(err, EMU_ARG, "there is no trace category \"%s\"; did you mean \"%s\"?", word,
                     nearest_word(word, words));
}

enum emu_err trace_parse(const char *words, uint32_t *mask, struct error *err)
{
    while (*words) {
        char word[32];
        size_t n = strcspn(words, ",");
        snprintf(word, sizeof(word), "%.*s", (int)n, words);
        enum emu_err e = n ? parse_word(word, mask, err) : EMU_OK;
        if (e)
            return e;
        words += n + (words[n] == ',');
    }
    return EMU_OK;
}
