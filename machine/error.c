/* Host-side failures as one sentence, and the last words of an internal bug. */
#include "machine/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum emu_err error_set(struct error *err, enum emu_err code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
    }
    return code;
}

enum emu_err error_prefix(struct error *err, enum emu_err code, const char *fmt, ...)
{
    if (err) {
        struct error old = *err;
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        size_t used = n < 0 ? 0 : (size_t)n;
        if (used < sizeof(err->text))
            snprintf(err->text + used, sizeof(err->text) - used, ": %.380s", old.text);
    }
    return code;
}

void assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "retrace: internal error: %s is false at %s:%d; please report this\n", what,
            file, line);
    abort();
}
