/*
 * Raw images: a host file, or a host block device, whose bytes are the disk's bytes.
 *
 * A raw image keeps the size it had when it was opened until blk_resize(). If somebody else
 * shortens the file meanwhile, reads behind its new end fail with a sentence instead of delivering
 * zeros, and writes there fail before the file would grow.
 *
 * An image whose format nobody named and that was found to be raw by its first bytes must stay so:
 * a guest that writes another format's magic number there could make the next start open files of
 * the host as backing files. Such a write is refused.
 *
 * NOT MODELLED: sizes that are no multiple of a sector are passed on as they are; who needs
 * sectors checks (ATA, floppy).
 */
#include "disk/blk.h"
#include "disk/host_file.h"
#include "disk/image.h"

#include <stdlib.h>
#include <string.h>

struct raw {
    struct blk blk;
    struct host_file file;
    bool probed;
    char path[]; /* blk.name and file.name point here */
};

static struct raw *raw_of(struct blk *b) { return CONTAINER_OF(b, struct raw, blk); }

static enum emu_err shrunk(const struct blk *b, uint64_t at, struct error *err)
{
    return error_set(err, EMU_IO,
                     "%s: the file ends at byte %llu, but it had %llu bytes when it was opened: "
                     "another program shortened it",
                     b->name, (unsigned long long)at, (unsigned long long)b->size);
}

/* An error if the file ends before `end`. */
static enum emu_err check_end(struct blk *b, uint64_t end, struct error *err)
{
    uint64_t size;
    enum emu_err rc = host_file_size(&raw_of(b)->file, &size, err);
    return rc == EMU_OK && size < end ? shrunk(b, size, err) : rc;
}

static enum emu_err raw_read(struct blk *b, uint64_t offset, void *to, size_t len,
                             struct error *err)
{
    enum emu_err rc = host_file_read(&raw_of(b)->file, offset, to, len, err);
    return rc == EMU_OK || check_end(b, offset + len, NULL) == EMU_OK
               ? rc
               : check_end(b, offset + len, err);
}

/* Refuses to let a probed image begin like a qcow2 image. */
static enum emu_err check_magic(struct blk *b, uint64_t offset, const uint8_t *from, size_t len,
                                struct error *err)
{
    uint8_t begin[IMAGE_PROBE_SIZE] = {0};
    size_t have = b->size < sizeof(begin) ? (size_t)b->size : sizeof(begin);
    if (!raw_of(b)->probed || offset >= have)
        return EMU_OK;
    enum emu_err rc = raw_read(b, 0, begin, have, err);
    if (rc != EMU_OK)
        return rc;
    size_t n = have - (size_t)offset;
    memcpy(begin + offset, from, len < n ? len : n);
    if (strcmp(image_probe(begin, have), "raw") == 0)
        return EMU_OK;
    return error_set(
        err, EMU_IO,
        "%s: the guest would make this raw image look like a %s image; give its format "
        "(format=raw) to allow that",
        b->name, image_probe(begin, have));
}

static enum emu_err raw_write(struct blk *b, uint64_t offset, const void *from, size_t len,
                              struct error *err)
{
    enum emu_err rc = check_end(b, offset + len, err);
    if (rc == EMU_OK)
        rc = check_magic(b, offset, from, len, err);
    return rc == EMU_OK ? host_file_write(&raw_of(b)->file, offset, from, len, err) : rc;
}

static enum emu_err raw_flush(struct blk *b, struct error *err)
{
    return host_file_sync(&raw_of(b)->file, err);
}

/* EMU_UNSUPPORTED: the host makes no holes; blk_zero() writes zeros then. */
static enum emu_err raw_zero(struct blk *b, uint64_t offset, uint64_t len, struct error *err)
{
    enum emu_err rc = check_end(b, offset + len, err);
    if (rc == EMU_OK && !host_file_punch(&raw_of(b)->file, offset, len))
        rc = EMU_UNSUPPORTED;
    return rc;
}

static enum emu_err raw_extent(struct blk *b, uint64_t offset, uint64_t len, struct blk_extent *out,
                               struct error *err)
{
    (void)err;
    *out = (struct blk_extent){.present = true, .has_offset = true, .offset = offset, .file = b};
    out->data = host_file_has_data(&raw_of(b)->file, offset, len, &out->len);
    out->zero = !out->data;
    return EMU_OK;
}

static enum emu_err raw_resize(struct blk *b, uint64_t size, struct error *err)
{
    enum emu_err rc = host_file_truncate(&raw_of(b)->file, size, err);
    if (rc == EMU_OK)
        b->size = size;
    return rc;
}

static void raw_close(struct blk *b)
{
    host_file_close(&raw_of(b)->file);
    free(raw_of(b));
}

static const struct blk_ops raw_ops = {
    .format = "raw",
    .read = raw_read,
    .write = raw_write,
    .flush = raw_flush,
    .close = raw_close,
    .zero = raw_zero,
    .discard = raw_zero,
    .extent = raw_extent,
    .resize = raw_resize,
};

enum emu_err raw_open_flags(const char *path, unsigned flags, bool probed, struct blk **out,
                            struct error *err)
{
    size_t name_len = strlen(path) + 1;
    struct raw *r = calloc(1, sizeof(*r) + name_len);
    if (!r)
        return error_set(err, EMU_NOMEM, "%s: out of memory", path);
    memcpy(r->path, path, name_len);
    uint64_t size = 0;
    enum emu_err rc = host_file_open(&r->file, r->path, flags | HOST_FILE_OWN, err);
    if (rc == EMU_OK) {
        rc = host_file_size(&r->file, &size, err);
        if (rc != EMU_OK)
            host_file_close(&r->file);
    }
    if (rc != EMU_OK) {
        free(r);
        return rc;
    }
    r->probed = probed;
    r->blk = (struct blk){&raw_ops, r->path, size, r->file.read_only};
    *out = &r->blk;
    return EMU_OK;
}

enum emu_err raw_open(const char *path, bool read_only, struct blk **out, struct error *err)
{
    return raw_open_flags(path, read_only ? 0 : HOST_FILE_WRITE, false, out, err);
}
