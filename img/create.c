/* create, measure, resize. */
#include "img/img.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void announce(const struct img_new *n, const char *path)
{
    const struct qcow2_create *h = &n->how;
    printf("Formatting '%s', fmt=%s", path, n->format);
    if (strcmp(n->format, "qcow2") == 0) {
        printf(" cluster_size=%u extended_l2=off", 1u << h->cluster_bits);
        if (h->preallocation)
            printf(" preallocation=%s", img_preallocations[h->preallocation]);
        printf(" compression_type=%s", h->compression == QCOW2_ZSTD ? "zstd" : "zlib");
    }
    printf(" size=%" PRIu64, h->size);
    if (strcmp(n->format, "raw") == 0 && h->preallocation)
        printf(" preallocation=%s", img_preallocations[h->preallocation]);
    if (strcmp(n->format, "qcow2") == 0) {
        if (h->version == 2)
            printf(" compat=0.10");
        if (n->backing)
            printf(" backing_file=%s", n->backing);
        if (n->backing && n->backing_format)
            printf(" backing_fmt=%s", n->backing_format);
        printf(" lazy_refcounts=%s refcount_bits=%u", h->lazy_refcounts ? "on" : "off",
               1u << h->refcount_order);
    }
    printf("\n");
}

/* Opens the backing file to see that it is there, and for its size. */
static int look_at_backing(struct img_new *n, const char *path, bool unchecked)
{
    struct error err;
    struct blk *b;
    if (strcmp(n->format, "qcow2") != 0)
        return img_failf("%s: Backing file not supported for file format '%s'", path, n->format);
    if (!n->backing_format && !unchecked)
        return img_failf("%s: Backing file specified without backing format; give it with -F",
                         path);
    if (unchecked)
        return 0; /* without a size that is refused later */
    char *full = image_resolve(path, n->backing);
    if (!full)
        return img_failf("out of memory");
    enum emu_err rc = img_open(full, n->backing_format, IMAGE_READ_ONLY | IMAGE_UNLOCKED, &b, &err);
    free(full);
    if (rc != EMU_OK)
        return img_failf("%s\nCould not open backing image.", err.text);
    if (!n->has_size)
        n->how.size = b->size;
    n->has_size = true;
    blk_close(b, NULL);
    return 0;
}

static int create(struct img_new *n, const char *path, bool unchecked, bool quiet)
{
    struct error err;
    if (!img_known_format(n->format))
        return img_failf("%s: Unknown file format '%s'; there are raw and qcow2", path, n->format);
    if (n->backing && look_at_backing(n, path, unchecked))
        return 1;
    if (strcmp(n->format, "qcow2") == 0) {
        struct qcow2_create how = n->how;
        how.backing = n->backing;
        if (qcow2_create_check(path, &how, &err) != EMU_OK)
            return img_fail(&err);
    }
    if (!n->has_size)
        return img_failf("%s: Image creation needs a size parameter", path);
    n->how.size = (n->how.size + 511) & ~511ull; /* whole sectors */
    if (!quiet)
        announce(n, path);
    return img_new_file(n, path, &err) == EMU_OK ? 0 : img_fail(&err);
}

int img_create(int argc, char **argv)
{
    struct img_new n = {.format = "raw", .how = qcow2_create_default};
    const char *options = NULL, *backing = NULL, *backing_format = NULL;
    bool quiet = false, unchecked = false;
    int rc = 0;
    for (int c; (c = getopt(argc, argv, "f:b:F:uo:q")) != -1;)
        switch (c) {
        case 'f': n.format = optarg; break;
        case 'b': backing = optarg; break;
        case 'F': backing_format = optarg; break;
        case 'u': unchecked = true; break;
        case 'o':
            if (!img_options(&n, optarg))
                rc = 1;
            options = optarg;
            break;
        case 'q': quiet = true; break;
        default: return img_usage(argv);
        }
    (void)options;
    if (rc == 0 && backing) {
        n.backing = strdup(backing);
        n.backing_format = backing_format ? strdup(backing_format) : n.backing_format;
    }
    if (rc == 0 && (optind >= argc || argc - optind > 2))
        rc = img_usage(argv);
    if (rc == 0 && argc - optind == 2) {
        n.has_size = img_size(argv[optind + 1], &n.how.size);
        if (!n.has_size)
            rc = img_failf("Invalid image size specified: %s", argv[optind + 1]);
    }
    if (rc == 0)
        rc = create(&n, argv[optind], unchecked, quiet);
    img_new_free(&n);
    return rc;
}

/* --- measure --- */

/* Bytes that the image has and that are not zero, in clusters of the new one. */
static enum emu_err used_bytes(struct blk *b, unsigned cluster_bits, uint64_t *used,
                               struct error *err)
{
    uint64_t last = UINT64_MAX;
    struct blk_extent e;
    enum emu_err rc = EMU_OK;
    *used = 0;
    for (uint64_t at = 0; at < b->size && rc == EMU_OK; at += e.len) {
        rc = blk_extent(b, at, b->size - at, &e, err);
        if (rc != EMU_OK || e.zero || !e.present || e.len == 0)
            continue;
        uint64_t first = at >> cluster_bits, end = (at + e.len - 1) >> cluster_bits;
        *used += (end - first + (first != last)) << cluster_bits;
        last = end;
    }
    return rc;
}

static int measure(const struct img_new *n, const char *path, const char *format,
                   const char *snapshot, bool json)
{
    struct qcow2_create how = n->how;
    struct error err;
    struct blk *b;
    uint64_t used = 0, required, full;
    unsigned index;
    bool qcow2 = strcmp(n->format, "qcow2") == 0, bitmaps = false;
    enum emu_err rc = EMU_OK;
    struct qcow2_info info;
    if (!img_known_format(n->format))
        return img_failf("Unknown file format '%s'", n->format);
    if (path) {
        rc = img_open(path, format, IMAGE_READ_ONLY, &b, &err);
        if (rc != EMU_OK)
            return img_fail(&err);
        if (snapshot) {
            rc = img_find_snapshot(b, snapshot, &index, &err);
            rc = rc == EMU_OK ? qcow2_snapshot_view(b, index, &err) : rc;
        }
        if (qcow2_is(b) && qcow2) {
            qcow2_info(b, &info);
            bitmaps = info.version >= 3 &&
                      n->how.version >= 3; /* they could have some; none are copied */
        }
        how.size = b->size;
        rc = rc == EMU_OK ? used_bytes(b, how.cluster_bits, &used, &err) : rc;
        blk_close(b, NULL);
        if (rc != EMU_OK)
            return img_fail(&err);
    }
    how.size = (how.size + 511) & ~511ull;
    if (qcow2 && qcow2_create_check("new image", &how, &err) != EMU_OK)
        return img_fail(&err);
    uint64_t cs = 1ull << how.cluster_bits, guest = (how.size + cs - 1) & ~(cs - 1);
    full = qcow2 ? qcow2_measure(&how) : how.size;
    required =
        qcow2 && !how.preallocation ? full - guest + used : full; /* all tables, and the data */
    if (json)
        printf("{\n%s    \"required\": %" PRIu64 ",\n    \"fully-allocated\": %" PRIu64 "\n}\n",
               bitmaps ? "    \"bitmaps\": 0,\n" : "", required, full);
    else
        printf("required size: %" PRIu64 "\nfully allocated size: %" PRIu64 "\n%s", required, full,
               bitmaps ? "bitmaps size: 0\n" : "");
    return 0;
}

int img_measure(int argc, char **argv)
{
    static const struct option longs[] = {
        {"output", required_argument, NULL, 1}, {"size", required_argument, NULL, 2}, {0}};
    struct img_new n = {.format = "raw", .how = qcow2_create_default};
    const char *format = NULL, *snapshot = NULL;
    bool json = false;
    for (int c; (c = getopt_long(argc, argv, "f:l:o:O:Uq", longs, NULL)) != -1;)
        switch (c) {
        case 'f': format = optarg; break;
        case 'l': snapshot = optarg; break;
        case 'O': n.format = optarg; break;
        case 'o':
            if (!img_options(&n, optarg))
                return 1;
            break;
        case 'U':
        case 'q': break;
        case 1: json = strcmp(optarg, "json") == 0; break;
        case 2:
            if (!img_size(optarg, &n.how.size))
                return img_failf("Invalid image size specified: %s", optarg);
            n.has_size = true;
            break;
        default: return img_usage(argv);
        }
    if ((optind < argc) == n.has_size || argc - optind > 1)
        return img_failf("Either --size N or one filename must be specified.");
    int rc = measure(&n, argv[optind], format, snapshot, json);
    img_new_free(&n);
    return rc;
}

/* --- resize --- */

static int resize(const char *path, const char *format, const char *text, bool shrink, bool quiet)
{
    struct error err;
    struct blk *b;
    uint64_t n, size;
    char sign = *text == '+' || *text == '-' ? *text : 0;
    if (!img_size(text + (sign != 0), &n))
        return img_failf("Invalid image size specified: %s", text);
    enum emu_err rc = img_open(path, format, 0, &b, &err);
    if (rc != EMU_OK)
        return img_fail(&err);
    size = sign == '+' ? b->size + n : sign == '-' ? (n < b->size ? b->size - n : 0) : n;
    if (sign == '-' && n >= b->size)
        rc = error_set(&err, EMU_ARG, "New image size must be positive");
    else if (size < b->size && !shrink)
        rc = error_set(&err, EMU_ARG,
                       "Use the --shrink option to perform a shrink operation: it deletes all data "
                       "beyond the new end of the image");
    if (rc == EMU_OK)
        rc = blk_resize(b, size, &err);
    enum emu_err closed = blk_close(b, rc == EMU_OK ? &err : NULL);
    if (rc != EMU_OK || closed != EMU_OK)
        return img_fail(&err);
    if (!quiet)
        printf("Image resized.\n");
    return 0;
}

int img_resize(int argc, char **argv)
{
    static const struct option longs[] = {
        {"shrink", no_argument, NULL, 1}, {"preallocation", required_argument, NULL, 2}, {0}};
    const char *format = NULL, *size = argc > 2 ? argv[argc - 1] : NULL;
    bool shrink = false, quiet = false;
    if (!size)
        return img_usage(argv);
    argv[--argc] = NULL; /* "-1M" is no option */
    for (int c; (c = getopt_long(argc, argv, "f:q", longs, NULL)) != -1;)
        switch (c) {
        case 'f': format = optarg; break;
        case 'q': quiet = true; break;
        case 1: shrink = true; break;
        case 2:
            if (strcmp(optarg, "off") != 0)
                return img_failf("preallocation=%s does not work for resize here", optarg);
            break;
        default: return img_usage(argv);
        }
    return argc - optind == 1 ? resize(argv[optind], format, size, shrink, quiet) : img_usage(argv);
}
