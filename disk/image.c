/*
 * Images by name (see image.h): formats, chains of backing files, and the lock of templates.
 *
 * A name that an image gives for its backing file is a name on this host and nothing else: URLs
 * and "json:" descriptions are refused. A chain that leads back to itself is found by comparing
 * the files, not the names.
 */
#include "disk/image.h"

#include "disk/host_file.h"
#include "disk/qcow2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 512 };

/* The images above the one that is being opened. */
struct above {
    const struct above *next;
    dev_t dev;
    ino_t ino;
    unsigned depth;
};

const char *image_probe(const uint8_t *begin, size_t len)
{
    static const uint8_t qcow2[4] = {'Q', 'F', 'I', 0xfb};
    return len >= 8 && memcmp(begin, qcow2, 4) == 0 && begin[7] >= 2 ? "qcow2" : "raw";
}

static enum emu_err probe_file(const char *path, unsigned flags, const char **format,
                               struct error *err)
{
    struct host_file f;
    uint8_t begin[IMAGE_PROBE_SIZE];
    (void)flags;
    enum emu_err rc = host_file_open(&f, path, HOST_FILE_UNLOCKED, err);
    if (rc != EMU_OK)
        return rc;
    rc = host_file_read_padded(&f, 0, begin, sizeof(begin), err);
    host_file_close(&f);
    *format = image_probe(begin, sizeof(begin));
    return rc;
}

char *image_resolve(const char *path, const char *name)
{
    if (strncmp(name, "file:", 5) == 0)
        name += 5;
    const char *slash = strrchr(path, '/');
    size_t dir = name[0] != '/' && slash ? (size_t)(slash - path) + 1 : 0;
    char *out = malloc(dir + strlen(name) + 1);
    if (out) {
        memcpy(out, path, dir);
        strcpy(out + dir, name);
    }
    return out;
}

/* "nbd://host", "json:{...}": another protocol, not a file. A colon after a slash is a name's. */
static bool is_protocol(const char *name)
{
    const char *colon = strchr(name, ':'), *slash = strchr(name, '/');
    return colon && (!slash || colon < slash) && strncmp(name, "file:", 5) != 0;
}

struct blk *image_backing(const struct blk *b) { return qcow2_is(b) ? qcow2_attached(b) : NULL; }

const char *image_notice(const struct blk *b)
{
    for (; b; b = image_backing(b))
        if (qcow2_is(b) && qcow2_notice(b))
            return qcow2_notice(b);
    return NULL;
}

/* --- templates --- */

static char *clones_file(const char *base)
{
    char *name = malloc(strlen(base) + sizeof(".clones"));
    if (name)
        sprintf(name, "%s.clones", base);
    return name;
}

enum emu_err template_add(const char *base, const char *clone, struct error *err)
{
    char *list = clones_file(base);
    FILE *f = list ? fopen(list, "ae") : NULL;
    bool ok = f && fprintf(f, "%s\n", clone) > 0;
    if (f && fclose(f) != 0)
        ok = false;
    enum emu_err rc =
        ok ? EMU_OK
           : error_set(err, EMU_IO, "%s.clones: cannot note the clone: %s", base, strerror(errno));
    free(list);
    return rc;
}

bool image_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

enum emu_err template_check(const char *base, const char *except, struct error *err)
{
    char *list = clones_file(base), line[4096];
    FILE *f = list ? fopen(list, "re") : NULL;
    enum emu_err rc = EMU_OK;
    while (f && rc == EMU_OK && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        char *clone = image_resolve(base, line);
        if (clone && *line && access(clone, F_OK) == 0 &&
            !(except && image_same_file(clone, except)))
            rc = error_set(
                err, EMU_ARG,
                "%.200s: this image is the template of linked clones (%.200s): writing to it "
                "would destroy them; delete or flatten them first",
                base, line);
        free(clone);
    }
    if (f)
        fclose(f);
    free(list);
    return rc;
}

/* --- opening --- */

struct how {
    unsigned flags;
    const struct image_show *show; /* or NULL */
};

static enum emu_err open_chain(const char *path, const char *format, struct how how,
                               const struct above *above, struct blk **out, struct error *err);

static void show_backing(const struct image_show *show, const struct blk *b, const char *path)
{
    char text[600];
    if (!show)
        return;
    snprintf(text, sizeof(text), "%.250s: opening its backing file %.250s", b->name, path);
    show->say(show->arg, text);
}

static void notice_change(struct blk *b, const char *path)
{
    struct host_file_mark was, is;
    char text[512];
    if (!qcow2_backing_mark(b, &was) || host_file_mark(path, &is, NULL) != EMU_OK ||
        (was.size == is.size && was.mtime_ns == is.mtime_ns))
        return;
    snprintf(
        text, sizeof(text),
        "%.200s: its backing file %.200s was changed after this image was made on it; what was "
        "not written here may be damaged",
        b->name, path);
    qcow2_set_notice(b, text);
}

static enum emu_err open_backing(struct blk *b, struct how how, const struct above *above,
                                 struct error *err)
{
    const char *name = qcow2_backing_name(b);
    struct blk *backing;
    if (how.flags & IMAGE_NO_BACKING)
        return error_set(
            err, EMU_ARG,
            "%.200s: the image has the backing file \"%.200s\", and backing files are denied",
            b->name, name);
    if (is_protocol(name))
        return error_set(err, EMU_UNSUPPORTED,
                         "%.200s: its backing file \"%.200s\" is not a file on this host", b->name,
                         name);
    char *path = image_resolve(b->name, name);
    if (!path)
        return error_set(err, EMU_NOMEM, "%s: out of memory", b->name);
    show_backing(how.show, b, path);
    how.flags |= IMAGE_READ_ONLY;
    enum emu_err rc = open_chain(path, qcow2_backing_format(b), how, above, &backing, err);
    if (rc == EMU_OK) {
        notice_change(b, path);
        qcow2_attach(b, backing);
    } else if (above->depth < 4) {
        rc = error_prefix(err, rc, "%.100s: its backing file cannot be used", b->name);
    }
    free(path);
    return rc;
}

static enum emu_err open_one(const char *path, const char *format, unsigned flags, bool probed,
                             struct blk **out, struct error *err)
{
    unsigned host = (flags & IMAGE_READ_ONLY ? 0u : HOST_FILE_WRITE) |
                    (flags & IMAGE_UNLOCKED ? HOST_FILE_UNLOCKED : 0u) |
                    (flags & IMAGE_UNSAFE ? HOST_FILE_UNSAFE : 0u);
    if (!(flags & (IMAGE_READ_ONLY | IMAGE_FORCE_TEMPLATE))) {
        enum emu_err rc = template_check(path, NULL, err);
        if (rc != EMU_OK)
            return rc;
    }
    if (strcmp(format, "qcow2") == 0)
        return qcow2_open(path, flags, out, err);
    if (strcmp(format, "raw") == 0 || strcmp(format, "file") == 0)
        return raw_open_flags(path, host, probed, out, err);
    return error_set(err, EMU_UNSUPPORTED,
                     "%s: images of format \"%.32s\" do not work here; raw and qcow2 do", path,
                     format);
}

static enum emu_err check_loop(const char *path, const struct above *above, struct above *me,
                               struct error *err)
{
    struct stat st;
    *me = (struct above){.next = above, .depth = above ? above->depth + 1 : 0};
    if (stat(path, &st) != 0)
        return EMU_OK; /* opening it will say why */
    me->dev = st.st_dev;
    me->ino = st.st_ino;
    for (const struct above *a = above; a; a = a->next)
        if (a->dev == me->dev && a->ino == me->ino)
            return error_set(err, EMU_FORMAT,
                             "%s: the chain of backing files leads back to this file", path);
    if (me->depth > MAX_DEPTH)
        return error_set(err, EMU_UNSUPPORTED, "%s: more than %d backing files", path, MAX_DEPTH);
    return EMU_OK;
}

static enum emu_err open_chain(const char *path, const char *format, struct how how,
                               const struct above *above, struct blk **out, struct error *err)
{
    unsigned flags = how.flags;
    struct above me;
    bool probed = !format;
    struct blk *b = NULL;
    enum emu_err rc = check_loop(path, above, &me, err);
    if (rc == EMU_OK && probed)
        rc = probe_file(path, flags, &format, err);
    if (rc == EMU_OK)
        rc = open_one(path, format, flags, probed, &b, err);
    if (rc == EMU_OK && b && qcow2_is(b) && qcow2_backing_name(b) && !(flags & IMAGE_TOP_ONLY))
        rc = open_backing(b, how, &me, err);
    if (rc != EMU_OK) {
        blk_close(b, NULL);
        return rc;
    }
    *out = b;
    return EMU_OK;
}

enum emu_err image_open(const char *path, const char *format, unsigned flags, struct blk **out,
                        struct error *err)
{
    return image_open_shown(path, format, flags, NULL, out, err);
}

enum emu_err image_open_shown(const char *path, const char *format, unsigned flags,
                              const struct image_show *show, struct blk **out, struct error *err)
{
    return open_chain(path, format, (struct how){flags, show}, NULL, out, err);
}

enum emu_err raw_create(const char *path, uint64_t size, struct error *err)
{
    struct host_file f;
    enum emu_err rc = template_check(path, NULL, err);
    if (rc == EMU_OK)
        rc = host_file_open(&f, path, HOST_FILE_WRITE | HOST_FILE_CREATE, err);
    if (rc != EMU_OK)
        return rc;
    rc = host_file_truncate(&f, size, err);
    host_file_close(&f);
    return rc;
}
