/*
 * convert and dd. What the source knows to be zero, or does not have, is neither read nor written;
 * the rest is read in pieces of BUFFER bytes and searched for zeros. Only compression is done by
 * several threads: all that touches an image is done by one.
 */
#include "img/img.h"

#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 4 << 20, MAX_CLUSTERS = BUFFER / 512, MAX_THREADS = 16 };
#define ZERO_CLUSTER SIZE_MAX

struct convert {
    struct blk *source[64];
    unsigned nsources;
    struct blk *target, *backing; /* backing: what is the same there is left out (-B) */
    uint64_t all, done;           /* bytes */
    uint64_t grain;               /* zeros shorter than this are data; 0: no search (-S 0) */
    bool compress, target_is_zero;
    struct progress progress;
    uint8_t *buffer, *below;
    unsigned threads;   /* that compress */
    uint8_t *packed;    /* compressed clusters, each where it was in the piece */
    size_t *packed_len; /* 0: as it is; ZERO_CLUSTER */
};

/* --- writing --- */

static enum emu_err write_zeros(struct convert *c, uint64_t offset, uint64_t len, struct error *err)
{
    if (c->grain == 0) { /* -S 0: everything is allocated */
        enum emu_err rc = EMU_OK;
        memset(c->buffer, 0, BUFFER);
        for (uint64_t n; len > 0 && rc == EMU_OK; offset += n, len -= n) {
            n = len < BUFFER ? len : BUFFER;
            rc = blk_write(c->target, offset, c->buffer, (size_t)n, err);
        }
        return rc;
    }
    return c->target_is_zero ? EMU_OK : blk_zero(c->target, offset, len, err);
}

/* A piece that several threads compress: each takes the next cluster. */
struct packing {
    const struct convert *c;
    const uint8_t *p;
    size_t len, cluster;
    atomic_size_t next;
};

static size_t cluster_len(size_t len, size_t cluster, size_t i)
{
    return len - i * cluster < cluster ? len - i * cluster : cluster;
}

static void *pack_clusters(void *arg)
{
    struct packing *k = arg;
    for (size_t i; (i = atomic_fetch_add(&k->next, 1)) * k->cluster < k->len;) {
        size_t at = i * k->cluster, n = cluster_len(k->len, k->cluster, i);
        k->c->packed_len[i] = k->c->grain && img_is_zero(k->p + at, n)
                                  ? ZERO_CLUSTER
                                  : qcow2_compress(k->c->target, k->p + at, n, k->c->packed + at);
    }
    return NULL;
}

static void pack_all(const struct convert *c, const uint8_t *p, size_t len, size_t cluster)
{
    pthread_t thread[MAX_THREADS];
    struct packing k = {c, p, len, cluster, 0};
    unsigned n = 0;
    while (n + 1 < c->threads && pthread_create(&thread[n], NULL, pack_clusters, &k) == 0)
        n++;
    pack_clusters(&k);
    while (n > 0)
        pthread_join(thread[--n], NULL);
}

static enum emu_err write_clusters(struct convert *c, uint64_t offset, const uint8_t *p, size_t len,
                                   struct error *err)
{
    struct qcow2_info info;
    enum emu_err rc = EMU_OK;
    qcow2_info(c->target, &info);
    pack_all(c, p, len, info.cluster_size);
    for (size_t i = 0, at = 0, n; at < len && rc == EMU_OK; i++, at += n) {
        n = cluster_len(len, info.cluster_size, i);
        rc = c->packed_len[i] == ZERO_CLUSTER
                 ? write_zeros(c, offset + at, n, err)
                 : qcow2_write_packed(c->target, offset + at, p + at, n, c->packed + at,
                                      c->packed_len[i], err);
    }
    return rc;
}

/* How much from `p` on is zero, or is not, in steps of the grain as the target counts it. */
static size_t run_of(const struct convert *c, uint64_t offset, const uint8_t *p, size_t len,
                     bool *zero)
{
    size_t at = 0;
    while (at < len) {
        size_t n = (size_t)(c->grain - (offset + at) % c->grain);
        n = n < len - at ? n : len - at;
        bool z = img_is_zero(p + at, n);
        if (at == 0)
            *zero = z;
        else if (z != *zero)
            break;
        at += n;
    }
    return at;
}

static enum emu_err write_data(struct convert *c, uint64_t offset, const uint8_t *p, size_t len,
                               struct error *err)
{
    enum emu_err rc = EMU_OK;
    if (c->compress)
        return write_clusters(c, offset, p, len, err);
    if (c->grain == 0)
        return blk_write(c->target, offset, p, len, err);
    for (size_t n; len > 0 && rc == EMU_OK; p += n, offset += n, len -= n) {
        bool zero = false;
        n = run_of(c, offset, p, len, &zero);
        rc = zero ? write_zeros(c, offset, n, err) : blk_write(c->target, offset, p, n, err);
    }
    return rc;
}

/* Only clusters that differ from the backing file. */
static enum emu_err write_differences(struct convert *c, uint64_t offset, const uint8_t *p,
                                      size_t len, struct error *err)
{
    enum emu_err rc = img_read_padded(c->backing, offset, c->below, len, err);
    for (size_t at = 0, n; at < len && rc == EMU_OK; at += n) {
        n = len - at < 65536 ? len - at : 65536;
        if (memcmp(p + at, c->below + at, n) != 0)
            rc = img_is_zero(p + at, n) ? blk_zero(c->target, offset + at, n, err)
                                        : blk_write(c->target, offset + at, p + at, n, err);
    }
    return rc;
}

/* --- reading --- */

static enum emu_err copy_extent(struct convert *c, struct blk *from, uint64_t at, uint64_t to,
                                const struct blk_extent *e, struct error *err)
{
    enum emu_err rc = EMU_OK;
    if ((e->zero || !e->present) && !c->backing && !c->compress)
        return write_zeros(c, to, e->len, err);
    for (uint64_t done = 0, n; done < e->len && rc == EMU_OK; done += n) {
        n = e->len - done < BUFFER ? e->len - done : BUFFER;
        rc = blk_read(from, at + done, c->buffer, (size_t)n, err);
        if (rc == EMU_OK)
            rc = c->backing ? write_differences(c, to + done, c->buffer, (size_t)n, err)
                            : write_data(c, to + done, c->buffer, (size_t)n, err);
        progress_show(&c->progress, c->done + done + n, c->all);
    }
    return rc;
}

/* Extents that end inside a cluster would spoil compression: then whole pieces are read. */
static enum emu_err next_extent(struct convert *c, struct blk *from, uint64_t at, uint64_t end,
                                struct blk_extent *e, struct error *err)
{
    enum { WHOLE = BUFFER };
    enum emu_err rc = blk_extent(from, at, end - at, e, err);
    if (rc != EMU_OK || !c->compress)
        return rc;
    if ((e->zero || !e->present) && e->len >= WHOLE && at % WHOLE == 0 && c->target_is_zero) {
        e->len -= at + e->len == end ? 0 : e->len % WHOLE;
        return EMU_OK;
    }
    uint64_t n = WHOLE - at % WHOLE;
    *e = (struct blk_extent){.len = n < end - at ? n : end - at, .data = true, .present = true};
    return rc;
}

static enum emu_err copy_source(struct convert *c, struct blk *from, uint64_t start, uint64_t end,
                                uint64_t to, struct error *err)
{
    struct blk_extent e = {0};
    enum emu_err rc = EMU_OK;
    for (uint64_t at = start; at < end && rc == EMU_OK; at += e.len) {
        rc = next_extent(c, from, at, end, &e, err);
        if (rc == EMU_OK && c->compress && (e.zero || !e.present) && !c->backing)
            ; /* nothing to write in a new image */
        else if (rc == EMU_OK)
            rc = copy_extent(c, from, at, to + (at - start), &e, err);
        c->done += e.len;
        progress_show(&c->progress, c->done, c->all);
    }
    return rc;
}

static enum emu_err copy_all(struct convert *c, struct error *err)
{
    enum emu_err rc = EMU_OK;
    uint64_t to = 0;
    for (unsigned i = 0; i < c->nsources && rc == EMU_OK; i++) {
        rc = copy_source(c, c->source[i], 0, c->source[i]->size, to, err);
        to += c->source[i]->size;
    }
    return rc == EMU_OK ? blk_flush(c->target, err) : rc;
}

static enum emu_err buffers(struct convert *c, struct error *err)
{
    c->buffer = img_buffer(BUFFER);
    c->below = img_buffer(BUFFER);
    if (c->compress) {
        c->threads = c->threads ? c->threads : 8; /* as qemu-img */
        c->packed = malloc(BUFFER);
        c->packed_len = calloc(MAX_CLUSTERS, sizeof(*c->packed_len));
        if (!c->packed || !c->packed_len)
            return error_set(err, EMU_NOMEM, "out of memory");
    }
    return c->buffer && c->below ? EMU_OK : error_set(err, EMU_NOMEM, "out of memory");
}

/* Zeros are looked for in the target's clusters: parts of a cluster would be written anyway. */
static void set_grain(struct convert *c, uint64_t sparse)
{
    struct qcow2_info info;
    c->grain = sparse;
    if (sparse && qcow2_is(c->target)) {
        qcow2_info(c->target, &info);
        c->grain = info.cluster_size > sparse ? info.cluster_size : sparse;
    }
}

/* --- convert --- */

struct convert_options {
    struct img_new target;
    const char *format, *snapshot, *target_path;
    uint64_t sparse;
    unsigned source_flags, threads;
    bool compress, existing, target_is_zero, quiet, progress;
    bool flush; /* -t: qemu-img's default, unsafe, leaves it to the host when it writes */
};

static enum emu_err open_sources(struct convert *c, const struct convert_options *o, char **paths,
                                 int n, struct error *err)
{
    enum emu_err rc = EMU_OK;
    unsigned index;
    for (int i = 0; i < n && rc == EMU_OK; i++) {
        struct blk **b = &c->source[c->nsources];
        rc = img_open(paths[i], o->format, IMAGE_READ_ONLY | o->source_flags, b, err);
        if (rc != EMU_OK)
            return rc;
        c->nsources++;
        if (o->snapshot) {
            rc = img_find_snapshot(*b, o->snapshot, &index, err);
            rc = rc == EMU_OK ? qcow2_snapshot_view(*b, index, err) : rc;
        }
        c->all += (*b)->size;
    }
    return rc;
}

static enum emu_err open_target(struct convert *c, struct convert_options *o, struct error *err)
{
    enum emu_err rc = EMU_OK;
    bool qcow2 = strcmp(o->target.format, "qcow2") == 0;
    if (o->compress && !qcow2)
        return error_set(err, EMU_ARG, "Compression not supported for this file format");
    if (!o->existing) {
        o->target.how.size = ((o->target.has_size ? o->target.how.size : c->all) + 511) & ~511ull;
        rc = img_new_file(&o->target, o->target_path, err);
    }
    if (rc == EMU_OK)
        rc = image_open(o->target_path, o->target.format, o->flush ? 0 : IMAGE_UNSAFE, &c->target,
                        err);
    if (rc == EMU_OK && c->target->size < c->all)
        rc = error_set(err, EMU_ARG, "%s: the image has %llu bytes, but %llu are to be written",
                       o->target_path, (unsigned long long)c->target->size,
                       (unsigned long long)c->all);
    if (rc != EMU_OK)
        return rc;
    c->target_is_zero = !o->target.backing && (!o->existing || o->target_is_zero);
    c->compress = o->compress;
    c->threads = o->threads;
    c->backing = image_backing(c->target);
    set_grain(c, o->sparse);
    return EMU_OK;
}

static int convert(struct convert_options *o, char **paths, int n)
{
    struct convert c = {.progress.on = o->progress && !o->quiet};
    struct error err;
    enum emu_err rc = open_sources(&c, o, paths, n, &err), closed;
    if (rc == EMU_OK)
        rc = open_target(&c, o, &err);
    if (rc == EMU_OK)
        rc = buffers(&c, &err);
    if (rc == EMU_OK) {
        progress_show(&c.progress, 0, c.all);
        rc = copy_all(&c, &err);
    }
    closed = blk_close(c.target, rc == EMU_OK ? &err : NULL);
    for (unsigned i = 0; i < c.nsources; i++)
        blk_close(c.source[i], NULL);
    free(c.buffer);
    free(c.below);
    free(c.packed);
    free(c.packed_len);
    if (rc != EMU_OK || closed != EMU_OK)
        return img_fail(&err);
    progress_end(&c.progress);
    return 0;
}

static bool convert_option(struct convert_options *o, int c, const char *arg)
{
    uint64_t n;
    switch (c) {
    case 'f': o->format = arg; return true;
    case 'O': o->target.format = arg; return true;
    case 'B': o->target.backing = strdup(arg); return true;
    case 'F': o->target.backing_format = strdup(arg); return true;
    case 'o': return true; /* looked at when -O is known */
    case 'l': o->snapshot = arg; return true;
    case 'c': o->compress = true; return true;
    case 'n': o->existing = true; return true;
    case 1: o->target_is_zero = true; return true;
    case 'p': o->progress = true; return true;
    case 'q': o->quiet = true; return true;
    case 'U': o->source_flags |= IMAGE_UNLOCKED; return true;
    case 'S': return img_size(arg, &o->sparse) && o->sparse % 512 == 0;
    case 't': o->flush = strcmp(arg, "unsafe") != 0; return true;
    case 'm':
        return img_size(arg, &n) && n > 0 &&
               (o->threads = n > MAX_THREADS ? MAX_THREADS : (unsigned)n);
    case 'T':
    case 'W':
    case 'r':
    case 'C': return true; /* no difference here */
    default: return false;
    }
}

int img_convert(int argc, char **argv)
{
    struct convert_options o = {.target = {.format = "raw", .how = qcow2_create_default},
                                .sparse = 4096};
    const char *options[16];
    unsigned noptions = 0;
    static const struct option longs[] = {{"target-is-zero", no_argument, NULL, 1}, {0}};
    for (int c;
         (c = getopt_long(argc, argv, "f:O:B:F:o:l:S:t:T:m:r:cnpqUWC", longs, NULL)) != -1;) {
        if (!convert_option(&o, c, optarg))
            return img_usage(argv);
        if (c == 'o' && noptions < 16)
            options[noptions++] = optarg;
    }
    int rc = argc - optind < 2 || argc - optind > 64 ? img_usage(argv) : 0;
    if (rc == 0 && o.target_is_zero && !o.existing)
        rc = img_failf("--target-is-zero needs -n");
    for (unsigned i = 0; i < noptions && rc == 0; i++)
        rc = !img_options(&o.target, options[i]);
    if (rc == 0) {
        o.target_path = argv[argc - 1];
        rc = convert(&o, argv + optind, argc - optind - 1);
    }
    img_new_free(&o.target);
    return rc;
}

/* --- dd --- */

struct dd {
    const char *format, *in, *out;
    uint64_t block, count, skip;
    bool has_count;
    unsigned flags;
    struct img_new target;
};

static bool dd_word(struct dd *d, const char *word)
{
    const char *value = strchr(word, '=');
    size_t n = value ? (size_t)(value - word) : 0;
    if (!value)
        return false;
    value++;
    if (n == 2 && memcmp(word, "if", 2) == 0)
        d->in = value;
    else if (n == 2 && memcmp(word, "of", 2) == 0)
        d->out = value;
    else if (n == 2 && memcmp(word, "bs", 2) == 0)
        return img_size(value, &d->block) && d->block > 0 && d->block <= INT32_MAX;
    else if (n == 4 && memcmp(word, "skip", 4) == 0)
        return img_size(value, &d->skip);
    else if (n == 5 && memcmp(word, "count", 5) == 0)
        return d->has_count = true, img_size(value, &d->count);
    else
        return false;
    return true;
}

static int dd(struct dd *d)
{
    struct convert c = {.nsources = 1};
    struct error err;
    enum emu_err rc = img_open(d->in, d->format, IMAGE_READ_ONLY | d->flags, &c.source[0], &err);
    if (rc != EMU_OK)
        return img_fail(&err);
    uint64_t size = c.source[0]->size,
             start = d->skip < size / d->block + 1 ? d->skip * d->block : size;
    uint64_t end =
        d->has_count && d->count < (size - start) / d->block ? start + d->count * d->block : size;
    if (d->skip && start == size)
        fprintf(stderr, "retrace-img: %s: cannot skip to specified offset\n", d->in);
    d->target.how.size = end - start;
    rc = img_new_file(&d->target, d->out, &err);
    if (rc == EMU_OK)
        rc = image_open(d->out, d->target.format, 0, &c.target, &err);
    if (rc == EMU_OK) {
        c.target_is_zero = true;
        set_grain(&c, 4096);
        rc = buffers(&c, &err);
    }
    if (rc == EMU_OK)
        rc = copy_source(&c, c.source[0], start, end, 0, &err);
    enum emu_err closed = blk_close(c.target, rc == EMU_OK ? &err : NULL);
    blk_close(c.source[0], NULL);
    free(c.buffer);
    free(c.below);
    return rc == EMU_OK && closed == EMU_OK ? 0 : img_fail(&err);
}

int img_dd(int argc, char **argv)
{
    struct dd d = {.block = 512, .target = {.format = "raw", .how = qcow2_create_default}};
    for (int c; (c = getopt(argc, argv, "f:O:U")) != -1;)
        switch (c) {
        case 'f': d.format = optarg; break;
        case 'O': d.target.format = optarg; break;
        case 'U': d.flags |= IMAGE_UNLOCKED; break;
        default: return img_usage(argv);
        }
    for (; optind < argc; optind++)
        if (!dd_word(&d, argv[optind]))
            return img_failf("unrecognized operand %s", argv[optind]);
    return d.in && d.out ? dd(&d) : img_failf("Must specify both input and output file names");
}
