/*
 * Disk images by name: finds the format from the first bytes, opens the backing files below, and
 * makes new images. This is what the machine and retrace-img call; formats are behind it.
 */
#ifndef DISK_IMAGE_H
#define DISK_IMAGE_H

#include "disk/blk.h"

enum { IMAGE_PROBE_SIZE = 8 };

enum {
    IMAGE_READ_ONLY = 1,
    IMAGE_UNLOCKED = 2,        /* takes no locks (only with IMAGE_READ_ONLY) */
    IMAGE_NO_BACKING = 4,      /* an image with a backing file is refused: backing=deny */
    IMAGE_TOP_ONLY = 8,        /* backing files are not opened; what they hold reads as zeros */
    IMAGE_FOR_CHECK = 16,      /* also opens an image that is marked dirty or corrupt, as it is */
    IMAGE_FORCE_TEMPLATE = 32, /* may write to an image that has linked clones */
    IMAGE_UNSAFE = 64,         /* flushes nothing: for images that are made anew after a crash */
};

/* "raw" or "qcow2", from an image's first bytes. */
const char *image_probe(const uint8_t *begin, size_t len);

/* Opens an image and what is below it. `format` is NULL (found out), "raw" or "qcow2". */
MUST_CHECK enum emu_err image_open(const char *path, const char *format, unsigned flags,
                                   struct blk **out, struct error *err);

/* What the user should know of the opened image (a backing file that changed), or NULL. */
const char *image_notice(const struct blk *b);

/* The same; the name of every backing file is said before that is opened, and "top: opening its
 * backing file base" is a line that a user can look at: an image from elsewhere may name any file. */
struct image_show {
    void (*say)(void *arg, const char *line);
    void *arg;
};
MUST_CHECK enum emu_err image_open_shown(const char *path, const char *format, unsigned flags,
                                         const struct image_show *show, struct blk **out,
                                         struct error *err);

/* The next image of the chain, or NULL. */
struct blk *image_backing(const struct blk *b);

/* The file that `name`, found in the image `path`, stands for: relative names begin in the
 * image's directory. Freed by the caller; NULL: out of memory. */
char *image_resolve(const char *path, const char *name);

/* Makes a raw image of `size` zero bytes, or empties one. */
MUST_CHECK enum emu_err raw_create(const char *path, uint64_t size, struct error *err);

/* Linked clones: `base`.clones lists the images that are made on it, a path a line. While one of
 * them exists, image_open() refuses to write to the base. `except` (or NULL) is a clone that does
 * not count. */
MUST_CHECK enum emu_err template_add(const char *base, const char *clone, struct error *err);
MUST_CHECK enum emu_err template_check(const char *base, const char *except, struct error *err);
/* Whether both names stand for one file. */
bool image_same_file(const char *a, const char *b);

/* Between image.c and raw.c. */
MUST_CHECK enum emu_err raw_open_flags(const char *path, unsigned host_flags, bool probed,
                                       struct blk **out, struct error *err);

#endif
