/*
 * compare, commit, rebase, clone, tree: what is about more than one image.
 *
 * commit and rebase write all contents and flush them before they change what a header says or
 * empty the image above, so that a crash at any moment leaves every image with its contents.
 */
#include "img/img.h"

#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STEP = 512 << 10 }; /* two of them fit into a processor's cache */

struct buffers {
    uint8_t *a, *b;
};

static enum emu_err buffers_make(struct buffers *m, struct error *err)
{
    m->a = img_buffer(STEP);
    m->b = img_buffer(STEP);
    return m->a && m->b ? EMU_OK : error_set(err, EMU_NOMEM, "out of memory");
}

static void buffers_free(struct buffers *m)
{
    free(m->a);
    free(m->b);
}

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* --- compare --- */

struct compare {
    struct blk *a, *b;
    bool strict, quiet;
    uint64_t all;
    struct progress progress;
    struct buffers m;
};

/* qemu-img's exit statuses. */
enum { SAME = 0, DIFFERENT = 1, FAILED = 2 };

static int differ(const struct compare *c, const char *where, uint64_t at, const char *what)
{
    if (!c->quiet)
        printf("%s %llu%s!\n", where, (unsigned long long)at, what);
    return DIFFERENT;
}

static enum emu_err extent_at(struct blk *b, uint64_t at, uint64_t len, struct blk_extent *e,
                              struct error *err)
{
    *e = (struct blk_extent){.len = len, .zero = true};
    return at < b->size ? blk_extent(b, at, min_u64(len, b->size - at), e, err) : EMU_OK;
}

static int compare_bytes(struct compare *c, uint64_t at, size_t len)
{
    struct error err;
    enum emu_err rc = img_read_padded(c->a, at, c->m.a, len, &err);
    if (rc == EMU_OK)
        rc = img_read_padded(c->b, at, c->m.b, len, &err);
    if (rc != EMU_OK)
        return img_fail(&err), FAILED;
    if (memcmp(c->m.a, c->m.b, len) == 0)
        return SAME;
    uint64_t i = 0;
    while (c->m.a[i] == c->m.b[i])
        i++;
    return differ(c, "Content mismatch at offset", (at + i) & ~511ull, "");
}

static int compare_piece(struct compare *c, uint64_t at, uint64_t all, uint64_t *len)
{
    struct blk_extent x, y;
    struct error err;
    enum emu_err rc = extent_at(c->a, at, all - at, &x, &err);
    if (rc == EMU_OK)
        rc = extent_at(c->b, at, all - at, &y, &err);
    if (rc != EMU_OK)
        return img_fail(&err), FAILED;
    *len = min_u64(x.len, y.len);
    if (c->strict && x.present != y.present)
        return differ(c, "Strict mode: Offset", at, " block status mismatch");
    if (x.zero && y.zero)
        return SAME;
    /* To ask for extents costs time in proportion to their length: once for each. */
    int same = SAME;
    for (uint64_t done = 0, n; done < *len && same == SAME; done += n) {
        n = min_u64(*len - done, STEP);
        same = compare_bytes(c, at + done, (size_t)n);
        progress_show(&c->progress, at + done, c->all);
    }
    return same;
}

static int compare(struct compare *c)
{
    uint64_t all = c->a->size > c->b->size ? c->a->size : c->b->size, len;
    uint64_t both = min_u64(c->a->size, c->b->size);
    int rc = SAME;
    c->all = all;
    if (c->strict && both != all) {
        if (!c->quiet)
            printf("Strict mode: Image size mismatch!\n");
        return DIFFERENT;
    }
    for (uint64_t at = 0; at < all && rc == SAME; at += len) {
        if (at == both && !c->quiet)
            printf("Warning: Image size mismatch!\n");
        rc = compare_piece(c, at, at < both ? both : all, &len);
        progress_show(&c->progress, at, all);
    }
    if (rc == SAME && !c->quiet)
        printf("Images are identical.\n");
    return rc;
}

int img_compare(int argc, char **argv)
{
    const char *f1 = NULL, *f2 = NULL;
    struct compare c = {0};
    struct error err;
    unsigned flags = IMAGE_READ_ONLY;
    for (int o; (o = getopt(argc, argv, "f:F:T:psqU")) != -1;)
        switch (o) {
        case 'f': f1 = optarg; break;
        case 'F': f2 = optarg; break;
        case 'T': break;
        case 'p': c.progress.on = true; break;
        case 's': c.strict = true; break;
        case 'q': c.quiet = true; break;
        case 'U': flags |= IMAGE_UNLOCKED; break;
        default: return img_usage(argv);
        }
    if (argc - optind != 2)
        return img_usage(argv); /* 1, as qemu-img */
    int rc = FAILED;
    enum emu_err e = img_open(argv[optind], f1, flags, &c.a, &err);
    if (e == EMU_OK)
        e = img_open(argv[optind + 1], f2, flags, &c.b, &err);
    if (e == EMU_OK)
        e = buffers_make(&c.m, &err);
    if (e == EMU_OK)
        rc = compare(&c);
    else
        img_fail(&err);
    progress_end(&c.progress);
    buffers_free(&c.m);
    blk_close(c.b, NULL);
    blk_close(c.a, NULL);
    return rc;
}

/* --- commit --- */

struct commit {
    const char *path, *format, *base;
    bool keep, quiet, force;
    struct progress progress;
};

static enum emu_err open_base(const struct commit *c, const char *path, const char *format,
                              bool template, struct blk **out, struct error *err)
{
    enum emu_err rc = template && !c->force ? template_check(path, c->path, err) : EMU_OK;
    return rc == EMU_OK ? image_open(path, format, IMAGE_FORCE_TEMPLATE, out, err) : rc;
}

/* Opens `top`'s chain down to the base, which is opened for writing, and hangs it below. */
static enum emu_err open_down(const struct commit *c, struct blk *top, unsigned *depth,
                              struct blk **base, struct error *err)
{
    struct blk *b = top, *next;
    enum emu_err rc = EMU_OK;
    for (*depth = 1; rc == EMU_OK; ++*depth) {
        const char *name = qcow2_is(b) ? qcow2_backing_name(b) : NULL;
        if (!name)
            return *depth == 1
                       ? error_set(err, EMU_ARG, "%s: Image does not have a backing file", b->name)
                       : error_set(err, EMU_ARG, "Did not find '%s' in the backing chain of '%s'",
                                   c->base, c->path);
        char *path = image_resolve(b->name, name);
        if (!path)
            return error_set(err, EMU_NOMEM, "out of memory");
        bool last = !c->base || strcmp(c->base, name) == 0 || image_same_file(c->base, path);
        rc = last ? open_base(c, path, qcow2_backing_format(b), true, &next, err)
                  : image_open(path, qcow2_backing_format(b), IMAGE_READ_ONLY | IMAGE_TOP_ONLY,
                               &next, err);
        free(path);
        if (rc != EMU_OK)
            break;
        qcow2_attach(b, next);
        b = next;
        if (last)
            break;
    }
    *base = b;
    return rc;
}

static enum emu_err commit_data(struct blk *top, struct blk *base, unsigned depth,
                                struct progress *p, struct error *err)
{
    struct blk_extent e;
    struct buffers m;
    enum emu_err rc = buffers_make(&m, err);
    if (rc == EMU_OK && base->size < top->size)
        rc = blk_resize(base, top->size, err);
    for (uint64_t at = 0; at < top->size && rc == EMU_OK; at += e.len) {
        progress_show(p, at, top->size);
        rc = blk_extent(top, at, top->size - at, &e, err);
        if (rc != EMU_OK || !e.present || e.depth >= depth)
            continue; /* the base's own, or nobody's */
        if (e.zero && !e.data) {
            rc = blk_zero(base, at, e.len, err);
            continue;
        }
        for (uint64_t done = 0, n; done < e.len && rc == EMU_OK; done += n) {
            n = min_u64(e.len - done, STEP);
            rc = blk_read(top, at + done, m.a, (size_t)n, err);
            if (rc == EMU_OK)
                rc = blk_write(base, at + done, m.a, (size_t)n, err);
            progress_show(p, at + done, top->size);
        }
    }
    buffers_free(&m);
    return rc == EMU_OK ? blk_flush(base, err) : rc;
}

static int commit(struct commit *c)
{
    struct error err;
    struct blk *top, *base = NULL;
    unsigned depth = 0;
    enum emu_err rc = img_open(c->path, c->format, IMAGE_TOP_ONLY, &top, &err);
    if (rc != EMU_OK)
        return img_fail(&err);
    rc = open_down(c, top, &depth, &base, &err);
    if (rc == EMU_OK && base)
        rc = commit_data(top, base, depth, &c->progress, &err);
    if (rc == EMU_OK && !c->keep && !c->base)
        rc = qcow2_make_empty(top, &err);
    if (rc == EMU_OK)
        rc = img_record(top, &err);
    enum emu_err closed = blk_close(top, rc == EMU_OK ? &err : NULL);
    if (rc != EMU_OK || closed != EMU_OK)
        return img_fail(&err);
    progress_end(&c->progress);
    if (!c->quiet)
        printf("Image committed.\n");
    return 0;
}

int img_commit(int argc, char **argv)
{
    static const struct option longs[] = {{"force", no_argument, NULL, 1}, {0}};
    struct commit c = {0};
    for (int o; (o = getopt_long(argc, argv, "f:t:b:r:dpq", longs, NULL)) != -1;)
        switch (o) {
        case 'f': c.format = optarg; break;
        case 'b': c.base = optarg; break;
        case 'd': c.keep = true; break;
        case 'p': c.progress.on = true; break;
        case 'q': c.quiet = true; break;
        case 't':
        case 'r': break;
        case 1: c.force = true; break;
        default: return img_usage(argv);
        }
    if (argc - optind != 1)
        return img_usage(argv);
    c.path = argv[optind];
    return commit(&c);
}

/* --- rebase --- */

struct rebase {
    const char *path, *format, *to, *to_format;
    bool unsafe, quiet;
    struct progress progress;
};

/* What the image has only from below must not change when something else is below. */
static enum emu_err keep_piece(struct blk *top, struct blk *to, uint64_t at, size_t len,
                               bool has_below, struct buffers *m, struct error *err)
{
    enum { GRAIN = 65536 };
    enum emu_err rc = blk_read(top, at, m->a, len, err);
    if (rc == EMU_OK)
        rc = img_read_padded(to, at, m->b, len, err);
    for (size_t i = 0, n; i < len && rc == EMU_OK; i += n) {
        n = (size_t)min_u64(GRAIN - (at + i) % GRAIN, len - i);
        if (memcmp(m->a + i, m->b + i, n) == 0)
            continue;
        /* Without a backing file zeros are what is there already, and would not be stored. */
        rc = has_below && img_is_zero(m->a + i, n) ? blk_zero(top, at + i, n, err)
                                                   : blk_write(top, at + i, m->a + i, n, err);
    }
    return rc;
}

static enum emu_err keep_contents(struct blk *top, struct blk *to, struct progress *p,
                                  struct error *err)
{
    struct buffers m;
    struct blk_extent e;
    bool has_below = qcow2_backing_name(top) != NULL;
    enum emu_err rc = buffers_make(&m, err);
    for (uint64_t at = 0; at < top->size && rc == EMU_OK; at += e.len) {
        progress_show(p, at, top->size);
        rc = blk_extent(top, at, top->size - at, &e, err);
        if (rc != EMU_OK || (e.present && e.depth == 0) || (!to && (e.zero || !e.present)))
            continue;
        for (uint64_t done = 0, n; done < e.len && rc == EMU_OK; done += n) {
            n = min_u64(e.len - done, STEP);
            rc = keep_piece(top, to, at + done, (size_t)n, has_below, &m, err);
            progress_show(p, at + done, top->size);
        }
    }
    buffers_free(&m);
    return rc == EMU_OK ? blk_flush(top, err) : rc;
}

static enum emu_err rebase_open(const struct rebase *r, struct blk **top, struct blk **to,
                                struct error *err)
{
    enum emu_err rc = img_open(r->path, r->format, r->unsafe ? IMAGE_TOP_ONLY : 0, top, err);
    if (rc != EMU_OK)
        return rc;
    if (!qcow2_is(*top))
        return error_set(err, EMU_UNSUPPORTED, "%s: a raw image has no backing file", r->path);
    if (r->unsafe || !*r->to)
        return EMU_OK;
    char *path = image_resolve(r->path, r->to);
    if (!path)
        return error_set(err, EMU_NOMEM, "out of memory");
    rc = img_open(path, r->to_format, IMAGE_READ_ONLY, to, err);
    free(path);
    return rc;
}

static int rebase(struct rebase *r)
{
    struct error err;
    struct blk *top = NULL, *to = NULL;
    enum emu_err rc = rebase_open(r, &top, &to, &err);
    if (rc == EMU_OK && !r->unsafe)
        rc = keep_contents(top, to, &r->progress, &err);
    if (rc == EMU_OK)
        rc = qcow2_set_backing(top, *r->to ? r->to : NULL, r->to_format, &err);
    if (rc == EMU_OK && *r->to)
        rc = img_record(top, &err);
    blk_close(to, NULL);
    enum emu_err closed = blk_close(top, rc == EMU_OK ? &err : NULL);
    if (rc != EMU_OK || closed != EMU_OK)
        return img_fail(&err);
    progress_end(&r->progress);
    return 0;
}

int img_rebase(int argc, char **argv)
{
    struct rebase r = {0};
    for (int o; (o = getopt(argc, argv, "f:F:b:t:T:upqU")) != -1;)
        switch (o) {
        case 'f': r.format = optarg; break;
        case 'F': r.to_format = optarg; break;
        case 'b': r.to = optarg; break;
        case 'u': r.unsafe = true; break;
        case 'p': r.progress.on = true; break;
        case 'q': r.quiet = true; break;
        case 't':
        case 'T':
        case 'U': break;
        default: return img_usage(argv);
        }
    if (argc - optind != 1)
        return img_usage(argv);
    if (!r.to)
        return img_failf("The -b option (a backing file, or an empty string) is needed");
    if (*r.to && !r.to_format)
        return img_failf(
            "Could not change the backing file to '%s': backing format must be specified", r.to);
    r.path = argv[optind];
    return rebase(&r);
}

/* --- clone --- */

/* The base as the clone is to name it: relative where both are in one directory. */
static const char *base_name_for(const char *base, const char *clone, char *full, size_t room)
{
    const char *b = strrchr(base, '/'), *c = strrchr(clone, '/');
    size_t nb = b ? (size_t)(b - base) : 0, nc = c ? (size_t)(c - clone) : 0;
    if (nb == nc && strncmp(base, clone, nb) == 0)
        return b ? b + 1 : base;
    char *real = realpath(base, NULL);
    if (real && strlen(real) < room)
        strcpy(full, real);
    else
        *full = 0;
    free(real);
    return full;
}

static int clone_linked(const char *base, const char *clone, bool quiet)
{
    static char base_full[4096], clone_full[4096];
    struct img_new n = {.format = "qcow2", .how = qcow2_create_default};
    struct error err;
    struct blk *b;
    enum emu_err rc = img_open(base, NULL, IMAGE_READ_ONLY, &b, &err);
    if (rc != EMU_OK)
        return img_fail(&err);
    n.how.size = b->size;
    n.backing = strdup(base_name_for(base, clone, base_full, sizeof(base_full)));
    n.backing_format = strdup(b->ops->format);
    rc = img_new_file(&n, clone, &err);
    blk_close(b, NULL);
    img_new_free(&n);
    if (rc == EMU_OK)
        rc = template_add(base, base_name_for(clone, base, clone_full, sizeof(clone_full)), &err);
    if (rc != EMU_OK)
        return img_fail(&err);
    if (!quiet)
        printf("Linked clone '%s' made; '%s' may not be written while it exists.\n", clone, base);
    return 0;
}

int img_clone(int argc, char **argv)
{
    static const struct option longs[] = {
        {"linked", no_argument, NULL, 1}, {"full", no_argument, NULL, 2}, {0}};
    bool full = false, quiet = false, progress = false;
    struct stat st;
    for (int o; (o = getopt_long(argc, argv, "qp", longs, NULL)) != -1;)
        switch (o) {
        case 1: full = false; break;
        case 2: full = true; break;
        case 'q': quiet = true; break;
        case 'p': progress = true; break;
        default: return img_usage(argv);
        }
    if (argc - optind != 2)
        return img_usage(argv);
    char *base = argv[optind], *clone = argv[optind + 1];
    if (stat(clone, &st) == 0)
        return img_failf("%s: there is such a file already", clone);
    if (!full)
        return clone_linked(base, clone, quiet);
    char verb[] = "convert", p[] = "-p", O[] = "-O", qcow2[] = "qcow2";
    char *args[] = {verb, O, qcow2, base, clone, NULL, NULL};
    if (progress) {
        args[3] = p;
        args[4] = base;
        args[5] = clone;
    }
    optind = 1;
    return img_convert(progress ? 6 : 5, args);
}

/* --- tree --- */

struct node {
    char *path, *backing; /* backing: resolved; NULL: none */
    const char *format;
    uint64_t size;
    bool shown;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

static bool read_node(const char *path, struct node *n)
{
    struct stat st;
    struct blk *b;
    size_t len = strlen(path);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        (len > 7 && strcmp(path + len - 7, ".clones") == 0) ||
        image_open(path, NULL, IMAGE_READ_ONLY | IMAGE_UNLOCKED | IMAGE_TOP_ONLY, &b, NULL) !=
            EMU_OK)
        return false;
    *n = (struct node){.path = strdup(path), .format = b->ops->format, .size = b->size};
    if (qcow2_is(b) && qcow2_backing_name(b))
        n->backing = image_resolve(path, qcow2_backing_name(b));
    blk_close(b, NULL);
    return n->path != NULL;
}

static bool is_child(const struct node *child, const struct node *of)
{
    return child->backing &&
           (strcmp(child->backing, of->path) == 0 || image_same_file(child->backing, of->path));
}

static void draw(struct node *n, unsigned count, struct node *at, const char *indent, bool last,
                 bool top)
{
    char below[512], size[32];
    const char *slash = strrchr(at->path, '/');
    if (at->shown || strlen(indent) > sizeof(below) - 16)
        return;
    at->shown = true;
    printf("%s%s%s  (%s, %s)%s%s\n", indent,
           top    ? ""
           : last ? "└── "
                  : "├── ",
           slash ? slash + 1 : at->path, at->format, img_human(at->size, size),
           top && at->backing ? "  on " : "", top && at->backing ? at->backing : "");
    snprintf(below, sizeof(below), "%s%s", indent, top ? "" : last ? "    " : "│   ");
    struct node *final = NULL;
    for (unsigned i = 0; i < count; i++)
        if (is_child(&n[i], at))
            final = &n[i];
    for (unsigned i = 0; i < count; i++)
        if (is_child(&n[i], at))
            draw(n, count, &n[i], below, &n[i] == final, false);
}

static void draw_all(struct node *n, unsigned count)
{
    qsort(n, count, sizeof(*n), by_path);
    for (unsigned i = 0; i < count; i++) {
        bool child = false;
        for (unsigned j = 0; j < count; j++)
            child |= j != i && is_child(&n[i], &n[j]);
        if (!child)
            draw(n, count, &n[i], "", true, true);
    }
    for (unsigned i = 0; i < count; i++) /* in a loop */
        draw(n, count, &n[i], "", true, true);
}

int img_tree(int argc, char **argv)
{
    enum { MOST = 4096 };
    const char *dir = argc > 1 ? argv[1] : ".";
    DIR *d = opendir(dir);
    if (!d)
        return img_failf("%s: cannot read the directory", dir);
    struct node *n = calloc(MOST, sizeof(*n));
    unsigned count = 0;
    char path[4096];
    for (struct dirent *e; n && (e = readdir(d)) != NULL && count < MOST;) {
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (read_node(path, &n[count]))
            count++;
    }
    closedir(d);
    if (n)
        draw_all(n, count);
    for (unsigned i = 0; i < count; i++) {
        free(n[i].path);
        free(n[i].backing);
    }
    free(n);
    return 0;
}
