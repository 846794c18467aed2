/* Sizes, options, progress and messages of retrace-img. */
#include "img/img.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int img_failf(const char *fmt, ...)
{
    va_list ap;
    fflush(stdout);
    fputs("retrace-img: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 1;
}

int img_fail(const struct error *err) { return img_failf("%s", err->text); }

int img_usage(char **argv)
{
    return img_failf("wrong arguments; 'retrace-img %s --help' lists them", argv[0]);
}

bool img_size(const char *text, uint64_t *size)
{
    static const char suffix[] = "bkmgtpe";
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long long whole = strtoull(text, &end, 0);
    double fraction = 0;
    if (*end == '.')
        fraction = strtod(end, &end);
    if (errno || end == text)
        return false;
    const char *s = *end ? strchr(suffix, *end | 0x20) : suffix;
    if (!s || !*s || (*end && end[1]))
        return false;
    unsigned shift = 10 * (unsigned)(s - suffix);
    if (whole > UINT64_MAX >> shift || (fraction > 0 && shift == 0))
        return false;
    *size = (uint64_t)whole << shift;
    *size += (uint64_t)(fraction * (double)(1ull << shift));
    return *size <= INT64_MAX;
}

const char *img_human(uint64_t size, char text[32])
{
    static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    unsigned i = 0;
    double v = (double)size;
    for (; v >= 1000 && i < 6; i++) /* as qemu-img: 1000 KiB are 0.977 MiB */
        v /= 1024;
    snprintf(text, 32, "%0.3g %sB", v, units[i]);
    return text;
}

/* --- options of new images --- */

static bool on_off(const char *name, const char *value, bool *out)
{
    bool on = strcmp(value, "on") == 0 || strcmp(value, "true") == 0 || strcmp(value, "yes") == 0;
    *out = on;
    if (on || strcmp(value, "off") == 0 || strcmp(value, "false") == 0 || strcmp(value, "no") == 0)
        return true;
    img_failf("Parameter '%s' expects 'on' or 'off'", name);
    return false;
}

static bool power_of_two(const char *name, const char *value, unsigned *log2)
{
    uint64_t v;
    if (!img_size(value, &v) || v == 0 || v & (v - 1)) {
        img_failf("Parameter '%s' expects a power of two", name);
        return false;
    }
    for (*log2 = 0; v > 1; v >>= 1)
        ++*log2;
    return true;
}

static bool option_compat(struct img_new *n, const char *value)
{
    bool two = strcmp(value, "0.10") == 0 || strcmp(value, "v2") == 0;
    if (!two && strcmp(value, "1.1") != 0 && strcmp(value, "v3") != 0) {
        img_failf("Invalid parameter '%s': compat is 0.10 (v2) or 1.1 (v3)", value);
        return false;
    }
    n->how.version = two ? 2 : 3;
    return true;
}

const char *const img_preallocations[] = {"off", "metadata", "falloc", "full", NULL};

bool img_known_format(const char *format)
{
    return strcmp(format, "raw") == 0 || strcmp(format, "qcow2") == 0;
}

static bool option_words(struct img_new *n, const char *name, const char *value)
{
    if (strcmp(name, "compression_type") == 0) {
        n->how.compression = strcmp(value, "zstd") == 0 ? QCOW2_ZSTD : QCOW2_ZLIB;
        if (n->how.compression == QCOW2_ZSTD || strcmp(value, "zlib") == 0)
            return true;
    } else if (strcmp(name, "preallocation") == 0) {
        bool raw = strcmp(n->format, "raw") == 0;
        for (unsigned i = 0; img_preallocations[i]; i++)
            if (strcmp(value, img_preallocations[i]) == 0 &&
                !(raw && i == QCOW2_PREALLOC_METADATA)) {
                n->how.preallocation = (enum qcow2_preallocation)i;
                return true;
            }
    }
    img_failf("Invalid parameter '%s' of option '%s'", value, name);
    return false;
}

static bool set_string(char **to, const char *value)
{
    free(*to);
    *to = strdup(value);
    return *to != NULL;
}

static bool one_option(struct img_new *n, const char *name, const char *value)
{
    bool on = false;
    if (strcmp(name, "size") == 0) {
        n->has_size = img_size(value, &n->how.size);
        if (!n->has_size)
            img_failf("Parameter 'size' expects a non-negative number below 2^63");
        return n->has_size;
    }
    if (strcmp(n->format, "qcow2") == 0) {
        if (strcmp(name, "compat") == 0)
            return option_compat(n, value);
        if (strcmp(name, "cluster_size") == 0)
            return power_of_two(name, value, &n->how.cluster_bits);
        if (strcmp(name, "refcount_bits") == 0)
            return power_of_two(name, value, &n->how.refcount_order);
        if (strcmp(name, "lazy_refcounts") == 0)
            return on_off(name, value, &n->how.lazy_refcounts);
        if (strcmp(name, "backing_file") == 0)
            return set_string(&n->backing, value);
        if (strcmp(name, "backing_fmt") == 0)
            return set_string(&n->backing_format, value);
        if (strcmp(name, "compression_type") == 0)
            return option_words(n, name, value);
        if (strcmp(name, "extended_l2") == 0 || strcmp(name, "data_file_raw") == 0 ||
            strcmp(name, "encryption") == 0) {
            if (!on_off(name, value, &on))
                return false;
            if (on)
                img_failf("Option '%s' is not supported here", name);
            return !on;
        }
    }
    if (strcmp(name, "preallocation") == 0)
        return option_words(n, name, value);
    img_failf("Invalid option '%s' for format '%s'", name, n->format);
    return false;
}

static void option_help(const char *format)
{
    printf("Supported %s options:\n", format);
    if (strcmp(format, "qcow2") == 0)
        printf("  backing_file=<str>     - File name of a base image\n"
               "  backing_fmt=<str>      - Image format of the base image\n"
               "  cluster_size=<size>    - qcow2 cluster size\n"
               "  compat=<str>           - Compatibility level (v2 [0.10] or v3 [1.1])\n"
               "  compression_type=<str> - Compression method (zlib, zstd)\n"
               "  lazy_refcounts=<bool (on/off)> - Note that refcounts may be written late\n"
               "  refcount_bits=<num>    - Width of a reference count entry in bits\n");
    printf("  preallocation=<str>    - Preallocation mode (off, metadata, falloc, full)\n"
           "  size=<size>            - Virtual disk size\n");
}

bool img_options(struct img_new *n, const char *options)
{
    if (strcmp(options, "help") == 0 || strcmp(options, "?") == 0) {
        option_help(n->format);
        exit(0);
    }
    char *copy = strdup(options), *rest = copy;
    bool ok = copy != NULL;
    for (char *o; ok && (o = strsep(&rest, ",")) != NULL;) {
        char *value = strchr(o, '=');
        if (value)
            *value++ = 0;
        if (*o)
            ok = one_option(n, o, value ? value : "on");
    }
    free(copy);
    return ok;
}

void img_new_free(struct img_new *n)
{
    free(n->backing);
    free(n->backing_format);
}

/* Zeros that the host's disk has room for. */
static enum emu_err fill_raw(const char *path, const struct qcow2_create *how, struct error *err)
{
    enum { PIECE = 1 << 20 };
    struct host_file f;
    enum emu_err rc = host_file_open(&f, path, HOST_FILE_WRITE, err);
    if (rc != EMU_OK)
        return rc;
    bool done = how->preallocation == QCOW2_PREALLOC_FALLOC && host_file_reserve(&f, 0, how->size);
    uint8_t *zeros = calloc(1, PIECE);
    if (!zeros)
        rc = error_set(err, EMU_NOMEM, "out of memory");
    for (uint64_t at = 0, n; !done && at < how->size && rc == EMU_OK; at += n) {
        n = how->size - at < PIECE ? how->size - at : PIECE;
        rc = host_file_write(&f, at, zeros, (size_t)n, err);
    }
    free(zeros);
    host_file_close(&f);
    return rc;
}

enum emu_err img_new_file(const struct img_new *n, const char *path, struct error *err)
{
    struct qcow2_create how = n->how;
    how.backing = n->backing;
    how.backing_format = n->backing_format;
    if (strcmp(n->format, "raw") == 0) {
        enum emu_err rc = raw_create(path, how.size, err);
        return rc == EMU_OK && how.preallocation ? fill_raw(path, &how, err) : rc;
    }
    if (strcmp(n->format, "qcow2") != 0)
        return error_set(err, EMU_UNSUPPORTED,
                         "%s: Unknown file format '%s'; there are raw and qcow2", path, n->format);
    struct host_file_mark mark;
    char *full = n->backing ? image_resolve(path, n->backing) : NULL;
    if (full && host_file_mark(full, &mark, NULL) == EMU_OK)
        how.mark = &mark;
    free(full);
    return qcow2_create(path, &how, err);
}

/* --- images --- */

enum emu_err img_open(const char *path, const char *format, unsigned flags, struct blk **out,
                      struct error *err)
{
    enum emu_err rc = image_open(path, format, flags, out, err);
    if (rc == EMU_OK && image_notice(*out))
        fprintf(stderr, "retrace-img: warning: %s\n", image_notice(*out));
    return rc;
}

enum emu_err img_find_snapshot(const struct blk *b, const char *snapshot, unsigned *index,
                               struct error *err)
{
    if (strncmp(snapshot, "snapshot.id=", 12) == 0)
        snapshot += 12;
    else if (strncmp(snapshot, "snapshot.name=", 14) == 0)
        snapshot += 14;
    int i = qcow2_is(b) ? qcow2_snapshot_find(b, snapshot) : -1;
    if (i < 0)
        return error_set(err, EMU_ARG, "%s: there is no snapshot '%s'", b->name, snapshot);
    *index = (unsigned)i;
    return EMU_OK;
}

enum emu_err img_record(struct blk *b, struct error *err)
{
    struct host_file_mark mark;
    char *path = image_resolve(b->name, qcow2_backing_name(b));
    if (!path)
        return error_set(err, EMU_NOMEM, "out of memory");
    enum emu_err rc =
        host_file_mark(path, &mark, NULL) == EMU_OK ? qcow2_record_backing(b, &mark, err) : EMU_OK;
    free(path);
    return rc;
}

enum emu_err img_read_padded(struct blk *b, uint64_t offset, uint8_t *to, size_t len,
                             struct error *err)
{
    uint64_t have = b && offset < b->size ? b->size - offset : 0;
    size_t n = len < have ? len : (size_t)have;
    memset(to + n, 0, len - n);
    return n ? blk_read(b, offset, to, n, err) : EMU_OK;
}

/* A host copies to the start of a page up to half as fast again as to where malloc() puts large blocks. */
uint8_t *img_buffer(size_t len)
{
    enum { PAGE = 4096 };
    return aligned_alloc(PAGE, (len + PAGE - 1) / PAGE * PAGE);
}

bool img_is_zero(const uint8_t *p, size_t len)
{
    return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* --- progress --- */

void progress_show(struct progress *p, uint64_t done, uint64_t all)
{
    int now = all ? (int)((double)done / (double)all * 10000) : 10000;
    if (!p->on || (now < p->last + 100 && now != 10000 && now != 0))
        return;
    p->last = now;
    printf("    (%d.%02d/100%%)\r", now / 100, now % 100);
    fflush(stdout);
}

void progress_end(struct progress *p)
{
    if (!p->on)
        return;
    progress_show(p, 1, 1);
    printf("\n");
}
