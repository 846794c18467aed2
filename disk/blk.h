/*
 * A block device as the emulated drives see it: so many bytes that can be read, perhaps written,
 * and flushed. A format (raw, overlay) implements struct blk_ops; everybody else calls the blk_*
 * functions, which check bounds and write protection once for all formats.
 *
 * Failures are host failures: enum emu_err and one sentence. A failed write has changed nothing
 * outside the bytes that it was to write.
 */
#ifndef DISK_BLK_H
#define DISK_BLK_H

#include "machine/error.h"
#include "machine/state.h"
#include "machine/types.h"

enum { BLK_SECTOR = 512 };

struct blk;

/* What a stretch of a device is made of (blk_extent()). */
struct blk_extent {
    uint64_t len;           /* bytes for which all this holds */
    uint64_t offset;        /* in the file of `file`, if has_offset */
    const struct blk *file; /* the image of the chain that has it; NULL: none */
    unsigned depth;         /* how far that image is below the one asked */
    bool present;           /* an image of the chain says what is there */
    bool data;              /* it is stored, not only known */
    bool zero;              /* reads as zeros */
    bool compressed;
    bool has_offset;
};

struct blk_ops {
    const char *format; /* "raw", "overlay", "qcow2" */
    /* Offset and length are inside the device. */
    enum emu_err (*read)(struct blk *b, uint64_t offset, void *to, size_t len, struct error *err);
    enum emu_err (*write)(struct blk *b, uint64_t offset, const void *from, size_t len,
                          struct error *err);
    enum emu_err (*flush)(struct blk *b, struct error *err); /* NULL: nothing to do */
    void (*close)(struct blk *b);                            /* releases everything, `b` included */
    /* These may be NULL. `zero` may also answer EMU_UNSUPPORTED without a sentence. */
    enum emu_err (*zero)(struct blk *b, uint64_t offset, uint64_t len, struct error *err);
    enum emu_err (*discard)(struct blk *b, uint64_t offset, uint64_t len, struct error *err);
    enum emu_err (*extent)(struct blk *b, uint64_t offset, uint64_t len, struct blk_extent *out,
                           struct error *err);
    enum emu_err (*resize)(struct blk *b, uint64_t size, struct error *err);
};

/* What every format's own struct begins with. */
struct blk {
    const struct blk_ops *ops;
    const char *name; /* what the user called it, for sentences; lives as long as the device */
    uint64_t size;    /* bytes */
    bool read_only;
};

/* All of [offset, offset + len), or an error. len = 0 does nothing. */
MUST_CHECK enum emu_err blk_read(struct blk *b, uint64_t offset, void *to, size_t len,
                                 struct error *err);
MUST_CHECK enum emu_err blk_write(struct blk *b, uint64_t offset, const void *from, size_t len,
                                  struct error *err);

/* Everything written so far is safe against a crash of the host when this returns EMU_OK. */
MUST_CHECK enum emu_err blk_flush(struct blk *b, struct error *err);

/* Makes the bytes zero, without storing them where the format can. */
MUST_CHECK enum emu_err blk_zero(struct blk *b, uint64_t offset, uint64_t len, struct error *err);

/* The guest does not need these bytes any more: they may read as zeros from now on, or not. */
MUST_CHECK enum emu_err blk_discard(struct blk *b, uint64_t offset, uint64_t len,
                                    struct error *err);

/* What the device has at `offset`: out->len of the `len` > 0 bytes are alike. */
MUST_CHECK enum emu_err blk_extent(struct blk *b, uint64_t offset, uint64_t len,
                                   struct blk_extent *out, struct error *err);

/* New bytes read as zeros. Bytes behind a smaller size are lost. */
MUST_CHECK enum emu_err blk_resize(struct blk *b, uint64_t size, struct error *err);

/* Flushes a writable device and frees it, also when the flush fails. NULL is nothing. */
enum emu_err blk_close(struct blk *b, struct error *err);

/* Opens an existing host file or host block device; a missing one is not created. Unless
 * `read_only`, a file that may not be written is an error. */
MUST_CHECK enum emu_err raw_open(const char *path, bool read_only, struct blk **out,
                                 struct error *err);

/* A writable view of `base`: writes stay in memory and vanish at close (-snapshot). Takes `base`
 * over and closes it with itself, but not when it fails. */
MUST_CHECK enum emu_err overlay_open(struct blk *base, struct blk **out, struct error *err);

/* An overlay without a base: `size` zero bytes in memory. */
MUST_CHECK enum emu_err overlay_blank(const char *name, uint64_t size, struct blk **out,
                                      struct error *err);

/* For snapshot files: appends what was written to an overlay (nothing for other devices or NULL);
 * checks saved contents against a device; puts them in place of what was written so far. */
void overlay_save(struct blk *b, struct buf *out);
MUST_CHECK enum emu_err overlay_check(const struct blk *b, const uint8_t *data, size_t len,
                                      struct error *err);
MUST_CHECK enum emu_err overlay_load(struct blk *b, const uint8_t *data, size_t len,
                                     struct error *err);

#endif
