#include "tests/lib/img_tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUT = 1 << 16, LINE = 4096 };

/* The test is BUILD/tests/img/test_x, the program BUILD/retrace-img. */
static void find_tool(void)
{
    char path[LINE], tool[LINE + 16];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = 0;
    for (unsigned i = 0; i < 3; i++) {
        char *slash = strrchr(path, '/');
        if (slash)
            *slash = 0;
    }
    snprintf(tool, sizeof(tool), "%s/retrace-img", path);
    setenv("T", tool, 0);
    setenv("Q", "qemu-img", 0);
}

void img_tool_setup(struct img_tool *t)
{
    /* In memory where that is possible: qemu-img waits for the disk at every turn. */
    const char *tmp = getenv("TMPDIR");
    tmp = tmp ? tmp : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(t->dir, sizeof(t->dir), "%.40s/img-XXXXXX", tmp);
    if (!mkdtemp(t->dir))
        abort();
    find_tool();
    t->tool = img_tool_sh(t, "\"$T\" --version") == 0;
    t->qemu = img_tool_sh(t, "$Q --version && qemu-io --version") == 0;
}

void img_tool_remove(struct img_tool *t)
{
    char line[128];
    snprintf(line, sizeof(line), "rm -rf %s", t->dir);
    if (system(line) != 0)
        fprintf(stderr, "%s could not be removed\n", t->dir);
}

int img_tool_sh(const struct img_tool *t, const char *fmt, ...)
{
    char line[LINE], all[LINE + 256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    snprintf(all, sizeof(all), "cd %s && { %s\n} >%s/out 2>%s/err </dev/null", t->dir, line, t->dir,
             t->dir);
    int status = system(all);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *img_tool_out(const struct img_tool *t)
{
    static char text[OUT];
    char path[128];
    snprintf(path, sizeof(path), "%s/out", t->dir);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        fclose(f);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n] = 0;
    return text;
}
