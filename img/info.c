/* info, check, map, snapshot. */
#include "img/img.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#ifdef HAVE_JANSSON
#include <jansson.h>
#endif

static bool want_json(const char *arg, bool *json)
{
    *json = strcmp(arg, "json") == 0;
    if (!*json && strcmp(arg, "human") != 0)
        return false;
    return true;
}

#ifndef HAVE_JANSSON
static int no_json(void)
{
    return img_failf("--output=json is missing: this program was built without libjansson");
}
#endif

static uint64_t disk_usage(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

/* --- snapshots in text --- */

static void print_snapshots(const struct blk *b, unsigned n)
{
    char size[32], date[32], clock[32], icount[24];
    printf("Snapshot list:\n%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE",
           "VM CLOCK", "ICOUNT");
    for (unsigned i = 0; i < n; i++) {
        const struct qcow2_snapshot *s = qcow2_snapshot_at(b, i);
        time_t when = (time_t)s->date_sec;
        struct tm tm;
        uint64_t ms = s->vm_clock_nsec / 1000000;
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", localtime_r(&when, &tm));
        snprintf(clock, sizeof(clock), "%02u:%02u:%02u.%03u", (unsigned)(ms / 3600000) % 10000,
                 (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
        snprintf(icount, sizeof(icount), "%" PRIu64, s->icount);
        printf("%-9s %-16s %8s%20s%13s%11s\n", s->id, s->name, img_human(s->vm_state_size, size),
               date, clock, s->icount == UINT64_MAX ? "" : icount);
    }
}

/* --- info --- */

static const char *compression_name(enum qcow2_compression c)
{
    return c == QCOW2_ZSTD ? "zstd" : "zlib";
}

static const char *yes(bool b) { return b ? "true" : "false"; }

static void print_backing(const struct blk *b)
{
    const char *name = qcow2_backing_name(b), *format = qcow2_backing_format(b);
    if (!name)
        return;
    char *full = image_resolve(b->name, name);
    printf("backing file: %s", name);
    if (full && strcmp(full, name) != 0)
        printf(" (actual path: %s)", full);
    printf("\n");
    free(full);
    if (format)
        printf("backing file format: %s\n", format);
}

static void info_text(const struct blk *b)
{
    char virtual[32], disk[32];
    struct qcow2_info q;
    printf("image: %s\nfile format: %s\nvirtual size: %s (%" PRIu64 " bytes)\ndisk size: %s\n",
           b->name, b->ops->format, img_human(b->size, virtual), b->size,
           img_human(disk_usage(b->name), disk));
    if (!qcow2_is(b))
        return;
    qcow2_info(b, &q);
    if (q.dirty)
        printf("cleanly shut down: no\n");
    printf("cluster_size: %u\n", q.cluster_size);
    print_backing(b);
    if (q.nb_snapshots)
        print_snapshots(b, q.nb_snapshots);
    printf("Format specific information:\n    compat: %s\n    compression type: %s\n",
           q.version == 2 ? "0.10" : "1.1", compression_name(q.compression));
    if (q.version >= 3)
        printf("    lazy refcounts: %s\n", yes(q.lazy_refcounts));
    printf("    refcount bits: %u\n", q.refcount_bits);
    if (q.version >= 3)
        printf("    corrupt: %s\n    extended l2: false\n", yes(q.corrupt));
}

#ifdef HAVE_JANSSON
static json_t *snapshots_json(const struct blk *b, unsigned n)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < n; i++) {
        const struct qcow2_snapshot *s = qcow2_snapshot_at(b, i);
        json_t *j = json_object();
        if (s->icount != UINT64_MAX)
            json_object_set_new(j, "icount", json_integer((json_int_t)s->icount));
        json_object_set_new(j, "vm-clock-nsec",
                            json_integer((json_int_t)(s->vm_clock_nsec % NS_PER_SECOND)));
        json_object_set_new(j, "name", json_string(s->name));
        json_object_set_new(j, "date-sec", json_integer(s->date_sec));
        json_object_set_new(j, "date-nsec", json_integer(s->date_nsec));
        json_object_set_new(j, "vm-clock-sec",
                            json_integer((json_int_t)(s->vm_clock_nsec / NS_PER_SECOND)));
        json_object_set_new(j, "id", json_string(s->id));
        json_object_set_new(j, "vm-state-size", json_integer((json_int_t)s->vm_state_size));
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *specific_json(const struct qcow2_info *q)
{
    json_t *data = json_object(), *j = json_object();
    json_object_set_new(data, "compat", json_string(q->version == 2 ? "0.10" : "1.1"));
    json_object_set_new(data, "compression-type", json_string(compression_name(q->compression)));
    if (q->version >= 3)
        json_object_set_new(data, "lazy-refcounts", json_boolean(q->lazy_refcounts));
    json_object_set_new(data, "refcount-bits", json_integer(q->refcount_bits));
    if (q->version >= 3) {
        json_object_set_new(data, "corrupt", json_boolean(q->corrupt));
        json_object_set_new(data, "extended-l2", json_false());
    }
    json_object_set_new(j, "type", json_string("qcow2"));
    json_object_set_new(j, "data", data);
    return j;
}

static json_t *info_json(const struct blk *b)
{
    struct qcow2_info q = {0};
    json_t *j = json_object();
    if (qcow2_is(b)) {
        qcow2_info(b, &q);
        if (q.nb_snapshots)
            json_object_set_new(j, "snapshots", snapshots_json(b, q.nb_snapshots));
        if (qcow2_backing_format(b))
            json_object_set_new(j, "backing-filename-format", json_string(qcow2_backing_format(b)));
    }
    json_object_set_new(j, "virtual-size", json_integer((json_int_t)b->size));
    json_object_set_new(j, "filename", json_string(b->name));
    if (q.cluster_size)
        json_object_set_new(j, "cluster-size", json_integer(q.cluster_size));
    json_object_set_new(j, "format", json_string(b->ops->format));
    json_object_set_new(j, "actual-size", json_integer((json_int_t)disk_usage(b->name)));
    if (q.cluster_size)
        json_object_set_new(j, "format-specific", specific_json(&q));
    if (q.cluster_size && qcow2_backing_name(b)) {
        char *full = image_resolve(b->name, qcow2_backing_name(b));
        json_object_set_new(j, "full-backing-filename", json_string(full ? full : ""));
        json_object_set_new(j, "backing-filename", json_string(qcow2_backing_name(b)));
        free(full);
    }
    json_object_set_new(j, "dirty-flag", json_boolean(q.dirty));
    return j;
}

static void print_json(json_t *j)
{
    json_dumpf(j, stdout, JSON_INDENT(4) | JSON_PRESERVE_ORDER);
    printf("\n");
    json_decref(j);
}

static int info_all_json(struct blk *b, bool chain)
{
    json_t *list = json_array();
    for (struct blk *at = b; at; at = image_backing(at))
        json_array_append_new(list, info_json(at));
    json_t *first = json_array_get(list, 0);
    print_json(chain ? json_incref(list) : json_incref(first));
    json_decref(list);
    return 0;
}
#else
static int info_all_json(struct blk *b, bool chain)
{
    (void)b, (void)chain;
    return no_json();
}
#endif

static int info(const char *path, const char *format, unsigned flags, bool json, bool chain)
{
    struct error err;
    struct blk *b;
    int rc = 0;
    enum emu_err e =
        img_open(path, format, flags | IMAGE_READ_ONLY | (chain ? 0u : IMAGE_TOP_ONLY), &b, &err);
    if (e != EMU_OK)
        return img_fail(&err);
    if (json)
        rc = info_all_json(b, chain);
    for (struct blk *at = b; at && !json; at = image_backing(at)) {
        info_text(at);
        if (image_backing(at))
            printf("\n");
    }
    blk_close(b, NULL);
    return rc;
}

int img_info(int argc, char **argv)
{
    static const struct option longs[] = {
        {"output", required_argument, NULL, 1}, {"backing-chain", no_argument, NULL, 2}, {0}};
    const char *format = NULL;
    bool json = false, chain = false;
    unsigned flags = 0;
    for (int c; (c = getopt_long(argc, argv, "f:U", longs, NULL)) != -1;)
        switch (c) {
        case 'f': format = optarg; break;
        case 'U': flags |= IMAGE_UNLOCKED; break;
        case 1:
            if (!want_json(optarg, &json))
                return img_failf("--output must be used with human or json as argument.");
            break;
        case 2: chain = true; break;
        default: return img_usage(argv);
        }
    return argc - optind == 1 ? info(argv[optind], format, flags, json, chain) : img_usage(argv);
}

/* --- check --- */

static void say_line(void *arg, const char *line)
{
    if (!*(const bool *)arg)
        fprintf(stderr, "%s\n", line);
}

static void check_text(const struct qcow2_check *c)
{
    if (c->leaks_fixed || c->corruptions_fixed)
        printf("The following inconsistencies were found and repaired:\n\n"
               "    %" PRIu64 " leaked clusters\n    %" PRIu64 " corruptions\n\n"
               "Double checking the fixed image now...\n",
               c->leaks_fixed, c->corruptions_fixed);
    if (!c->corruptions && !c->leaks)
        printf("No errors were found on the image.\n");
    if (c->corruptions)
        printf("\n%" PRIu64
               " errors were found on the image.\nData may be corrupted, or further writes to "
               "the image may corrupt it.\n",
               c->corruptions);
    if (c->leaks)
        printf("\n%" PRIu64
               " leaked clusters were found on the image.\nThis means waste of disk space, but "
               "no harm to data.\n",
               c->leaks);
    if (c->total_clusters && c->allocated)
        printf("%" PRIu64 "/%" PRIu64
               " = %0.2f%% allocated, %0.2f%% fragmented, %0.2f%% compressed clusters\n",
               c->allocated, c->total_clusters,
               (double)c->allocated * 100 / (double)c->total_clusters,
               (double)c->fragmented * 100 / (double)c->allocated,
               (double)c->compressed * 100 / (double)c->allocated);
    printf("Image end offset: %" PRIu64 "\n", c->end_offset);
}

#ifdef HAVE_JANSSON
static void put_count(json_t *j, const char *name, uint64_t v)
{
    if (v)
        json_object_set_new(j, name, json_integer((json_int_t)v));
}

static int check_json(const struct qcow2_check *c, const char *path)
{
    json_t *j = json_object();
    put_count(j, "image-end-offset", c->end_offset);
    put_count(j, "total-clusters", c->total_clusters);
    json_object_set_new(j, "check-errors", json_integer(0));
    put_count(j, "corruptions", c->corruptions);
    put_count(j, "corruptions-fixed", c->corruptions_fixed);
    put_count(j, "leaks", c->leaks);
    put_count(j, "leaks-fixed", c->leaks_fixed);
    put_count(j, "allocated-clusters", c->allocated);
    put_count(j, "fragmented-clusters", c->fragmented);
    put_count(j, "compressed-clusters", c->compressed);
    json_object_set_new(j, "filename", json_string(path));
    json_object_set_new(j, "format", json_string("qcow2"));
    print_json(j);
    return 0;
}
#else
static int check_json(const struct qcow2_check *c, const char *path)
{
    (void)c, (void)path;
    return no_json();
}
#endif

enum { CHECK_FAILED = 1, CHECK_CORRUPT = 2, CHECK_LEAKS = 3, CHECK_UNSUPPORTED = 63 };

static int check_image(struct blk *b, enum qcow2_repair repair, bool json, bool quiet)
{
    struct error err;
    bool mute = quiet || json;
    struct qcow2_check c = {.say = say_line, .arg = &mute};
    if (qcow2_check(b, repair, &c, &err) != EMU_OK)
        return img_fail(&err), CHECK_FAILED;
    if (c.corruptions_fixed || c.leaks_fixed) {
        struct qcow2_check again = {.say = say_line, .arg = &mute};
        if (qcow2_check(b, QCOW2_REPAIR_NONE, &again, &err) != EMU_OK)
            return img_fail(&err), CHECK_FAILED;
        again.corruptions_fixed = c.corruptions_fixed;
        again.leaks_fixed = c.leaks_fixed;
        c = again;
    }
    if (json && check_json(&c, b->name))
        return CHECK_FAILED;
    if (!json && !quiet)
        check_text(&c);
    return c.corruptions ? CHECK_CORRUPT : c.leaks ? CHECK_LEAKS : 0;
}

static int check(const char *path, const char *format, enum qcow2_repair repair, unsigned flags,
                 bool json, bool quiet)
{
    struct error err;
    struct blk *b;
    if (repair == QCOW2_REPAIR_NONE)
        flags |= IMAGE_READ_ONLY;
    if (image_open(path, format, flags | IMAGE_FOR_CHECK | IMAGE_TOP_ONLY | IMAGE_FORCE_TEMPLATE,
                   &b, &err) != EMU_OK)
        return img_fail(&err);
    int rc = CHECK_UNSUPPORTED;
    if (qcow2_is(b))
        rc = check_image(b, repair, json, quiet);
    else
        img_failf("This image format does not support checks");
    if (blk_close(b, &err) != EMU_OK) {
        img_fail(&err);
        rc = CHECK_FAILED;
    }
    return rc;
}

int img_check(int argc, char **argv)
{
    static const struct option longs[] = {
        {"output", required_argument, NULL, 1}, {"repair", required_argument, NULL, 'r'}, {0}};
    enum qcow2_repair repair = QCOW2_REPAIR_NONE;
    const char *format = NULL;
    bool json = false, quiet = false;
    unsigned flags = 0;
    for (int c; (c = getopt_long(argc, argv, "f:qr:T:U", longs, NULL)) != -1;)
        switch (c) {
        case 'f': format = optarg; break;
        case 'q': quiet = true; break;
        case 'U': flags |= IMAGE_UNLOCKED; break;
        case 'T': break;
        case 'r':
            repair = strcmp(optarg, "all") == 0 ? QCOW2_REPAIR_ALL : QCOW2_REPAIR_LEAKS;
            if (repair == QCOW2_REPAIR_LEAKS && strcmp(optarg, "leaks") != 0)
                return img_failf("-r expects 'leaks' or 'all' as argument.");
            break;
        case 1:
            if (!want_json(optarg, &json))
                return img_failf("--output must be used with human or json as argument.");
            break;
        default: return img_usage(argv);
        }
    return argc - optind == 1 ? check(argv[optind], format, repair, flags, json, quiet)
                              : img_usage(argv);
}

/* --- map --- */

static void map_line(const struct blk_extent *e, uint64_t at, bool json, bool first)
{
    if (!json) {
        if (e->data && !e->zero && e->has_offset)
            printf("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", at, e->len, e->offset,
                   e->file->name);
        return;
    }
    printf("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64
           ", \"depth\": %u, \"present\": %s, \"zero\": %s, "
           "\"data\": %s",
           first ? "[" : ",\n", at, e->len, e->depth, yes(e->present), yes(e->zero), yes(e->data));
    if (e->has_offset)
        printf(", \"offset\": %" PRIu64, e->offset);
    printf("}");
}

static bool joins(const struct blk_extent *a, const struct blk_extent *b)
{
    return a->depth == b->depth && a->present == b->present && a->zero == b->zero &&
           a->data == b->data && a->has_offset == b->has_offset && a->file == b->file &&
           a->compressed == b->compressed && (!a->has_offset || a->offset + a->len == b->offset);
}

static enum emu_err map(struct blk *b, uint64_t from, uint64_t to, bool json, struct error *err)
{
    struct blk_extent e, last = {0};
    uint64_t last_at = from;
    bool first = true;
    enum emu_err rc = EMU_OK;
    if (!json)
        printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
    for (uint64_t at = from; at < to && rc == EMU_OK; at += e.len) {
        rc = blk_extent(b, at, to - at, &e, err);
        if (rc != EMU_OK)
            break;
        if (last.len && joins(&last, &e)) {
            last.len += e.len;
            continue;
        }
        if (last.len) {
            map_line(&last, last_at, json, first);
            first = false;
        }
        last = e;
        last_at = at;
    }
    if (last.len)
        map_line(&last, last_at, json, first);
    if (json)
        printf(last.len ? "]\n" : "[]\n");
    return rc;
}

int img_map(int argc, char **argv)
{
    static const struct option longs[] = {{"output", required_argument, NULL, 1},
                                          {"start-offset", required_argument, NULL, 's'},
                                          {"max-length", required_argument, NULL, 'l'},
                                          {0}};
    const char *format = NULL;
    uint64_t start = 0, most = UINT64_MAX;
    unsigned flags = IMAGE_READ_ONLY;
    bool json = false;
    struct error err;
    struct blk *b;
    for (int c; (c = getopt_long(argc, argv, "f:s:l:U", longs, NULL)) != -1;)
        switch (c) {
        case 'f': format = optarg; break;
        case 'U': flags |= IMAGE_UNLOCKED; break;
        case 's':
        case 'l':
            if (!img_size(optarg, c == 's' ? &start : &most))
                return img_failf("Invalid size specified: %s", optarg);
            break;
        case 1:
            if (!want_json(optarg, &json))
                return img_failf("--output must be used with human or json as argument.");
            break;
        default: return img_usage(argv);
        }
    if (argc - optind != 1)
        return img_usage(argv);
    enum emu_err rc = img_open(argv[optind], format, flags, &b, &err);
    if (rc == EMU_OK) {
        uint64_t left = start < b->size ? b->size - start : 0;
        rc = map(b, start, start + (most < left ? most : left), json, &err);
        blk_close(b, NULL);
    }
    return rc == EMU_OK ? 0 : img_fail(&err);
}

/* --- snapshot --- */

static enum emu_err find_by_name(const struct blk *b, const char *name, unsigned *index,
                                 struct error *err)
{
    struct qcow2_info info;
    qcow2_info(b, &info);
    for (*index = 0; *index < info.nb_snapshots; ++*index)
        if (strcmp(qcow2_snapshot_at(b, *index)->name, name) == 0)
            return EMU_OK;
    return error_set(err, EMU_ARG, "%s: there is no snapshot with the name '%s'", b->name, name);
}

static enum emu_err change(struct blk *b, int action, const char *name, struct error *err)
{
    struct timespec now;
    unsigned index;
    if (!qcow2_is(b))
        return error_set(err, EMU_UNSUPPORTED, "%s: a %s image cannot have snapshots", b->name,
                         b->ops->format);
    if (action == 'c') {
        clock_gettime(CLOCK_REALTIME, &now);
        return qcow2_snapshot_create(
            b, name, (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec, err);
    }
    /* As qemu-img: a name that looks like another one's id must not delete that one. */
    enum emu_err rc = action == 'd' ? find_by_name(b, name, &index, err)
                                    : img_find_snapshot(b, name, &index, err);
    if (rc != EMU_OK)
        return error_prefix(
            err, rc, action == 'a' ? "Could not apply snapshot" : "Could not delete snapshot");
    return action == 'a' ? qcow2_snapshot_apply(b, index, err)
                         : qcow2_snapshot_delete(b, index, err);
}

int img_snapshot(int argc, char **argv)
{
    const char *name = NULL;
    int action = 0;
    unsigned flags = 0;
    struct error err;
    struct blk *b;
    struct qcow2_info info;
    for (int c; (c = getopt(argc, argv, "la:c:d:qU")) != -1;)
        switch (c) {
        case 'l':
        case 'a':
        case 'c':
        case 'd':
            if (action)
                return img_failf("Cannot mix '-l', '-a', '-c', '-d'");
            action = c;
            name = optarg;
            break;
        case 'q': break;
        case 'U': flags |= IMAGE_UNLOCKED; break;
        default: return img_usage(argv);
        }
    if (argc - optind != 1)
        return img_usage(argv);
    if (!action || action == 'l')
        flags |= IMAGE_READ_ONLY;
    enum emu_err rc = img_open(argv[optind], NULL, flags, &b, &err);
    if (rc != EMU_OK)
        return img_fail(&err);
    if (!(flags & IMAGE_READ_ONLY)) {
        rc = change(b, action, name, &err);
    } else if (qcow2_is(b)) {
        qcow2_info(b, &info);
        if (info.nb_snapshots)
            print_snapshots(b, info.nb_snapshots);
    }
    enum emu_err closed = blk_close(b, rc == EMU_OK ? &err : NULL);
    return rc == EMU_OK && closed == EMU_OK ? 0 : img_fail(&err);
}
