/* bench: how fast an image is read or written, one request at a time. */
#include "img/img.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
    uint64_t count, depth, offset, size, step, flush_every;
    int pattern;
    bool write, quiet;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum emu_err run(const struct bench *k, struct blk *b, uint8_t *buf, struct error *err)
{
    enum emu_err rc = EMU_OK;
    uint64_t at = k->offset;
    for (uint64_t i = 0; i < k->count && rc == EMU_OK; i++) {
        if (b->size < k->size || at > b->size - k->size)
            at = b->size < k->size ? at : at % (b->size - k->size + 1);
        rc = k->write ? blk_write(b, at, buf, (size_t)k->size, err)
                      : blk_read(b, at, buf, (size_t)k->size, err);
        at += k->step;
        if (rc == EMU_OK && k->flush_every && (i + 1) % k->flush_every == 0)
            rc = blk_flush(b, err);
    }
    return rc == EMU_OK ? blk_flush(b, err) : rc;
}

static int bench(const struct bench *k, const char *path, const char *format)
{
    struct error err;
    struct blk *b;
    enum emu_err rc = img_open(path, format, k->write ? 0 : IMAGE_READ_ONLY, &b, &err);
    if (rc != EMU_OK)
        return img_fail(&err);
    uint8_t *buf = malloc((size_t)k->size);
    if (!k->quiet)
        printf("Sending %" PRIu64 " %s requests, %" PRIu64 " bytes each, %" PRIu64
               " in parallel (starting at offset %" PRIu64 ", step size %" PRIu64 ")\n",
               k->count, k->write ? "write" : "read", k->size, k->depth, k->offset, k->step);
    double start = now();
    if (buf) {
        memset(buf, k->pattern, (size_t)k->size);
        rc = run(k, b, buf, &err);
    } else {
        rc = error_set(&err, EMU_NOMEM, "out of memory");
    }
    double took = now() - start;
    free(buf);
    blk_close(b, NULL);
    if (rc != EMU_OK)
        return img_fail(&err);
    if (!k->quiet)
        printf("Run completed in %3.3f seconds.\n", took);
    return 0;
}

int img_bench(int argc, char **argv)
{
    static const struct option longs[] = {{"pattern", required_argument, NULL, 1},
                                          {"flush-interval", required_argument, NULL, 2},
                                          {"no-drain", no_argument, NULL, 3},
                                          {0}};
    struct bench k = {.count = 75000, .depth = 64, .size = 4096};
    const char *format = NULL;
    uint64_t v = 0;
    for (int c; (c = getopt_long(argc, argv, "c:d:f:ni:o:qs:S:t:wU", longs, NULL)) != -1;) {
        if (strchr("cdosS\001\002", c) && !img_size(optarg, &v))
            return img_failf("Invalid number: %s", optarg);
        switch (c) {
        case 'c': k.count = v; break;
        case 'd': k.depth = v; break;
        case 'o': k.offset = v; break;
        case 's': k.size = v; break;
        case 'S': k.step = v; break;
        case 'f': format = optarg; break;
        case 'w': k.write = true; break;
        case 'q': k.quiet = true; break;
        case 'n':
        case 'i':
        case 't':
        case 'U':
        case 3: break;
        case 1: k.pattern = (int)v; break;
        case 2: k.flush_every = v; break;
        default: return img_usage(argv);
        }
    }
    if (argc - optind != 1 || k.size == 0 || k.size > 1u << 30)
        return img_usage(argv);
    k.step = k.step ? k.step : k.size;
    if (k.flush_every && k.flush_every < k.depth)
        return img_failf("Flush interval can't be smaller than depth");
    return bench(&k, argv[optind], format);
}
