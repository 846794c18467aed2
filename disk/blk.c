/* The one place where bounds and write protection of block devices are checked. See blk.h. */
#include "disk/blk.h"

static enum emu_err check_range(const struct blk *b, const char *verb, uint64_t offset,
                                uint64_t len, struct error *err)
{
    if (offset <= b->size && len <= b->size - offset)
        return EMU_OK;
    return error_set(
        err, EMU_ARG, "%s: cannot %s %llu bytes at offset %llu: the image has %llu bytes", b->name,
        verb, (unsigned long long)len, (unsigned long long)offset, (unsigned long long)b->size);
}

enum emu_err blk_read(struct blk *b, uint64_t offset, void *to, size_t len, struct error *err)
{
    enum emu_err rc = check_range(b, "read", offset, len, err);
    if (rc != EMU_OK || len == 0)
        return rc;
    return b->ops->read(b, offset, to, len, err);
}

static enum emu_err check_writable(const struct blk *b, uint64_t offset, uint64_t len,
                                   struct error *err)
{
    if (b->read_only)
        return error_set(err, EMU_ARG, "%s: cannot write: the image was opened read-only", b->name);
    return check_range(b, "write", offset, len, err);
}

enum emu_err blk_write(struct blk *b, uint64_t offset, const void *from, size_t len,
                       struct error *err)
{
    enum emu_err rc = check_writable(b, offset, len, err);
    if (rc != EMU_OK || len == 0)
        return rc;
    return b->ops->write(b, offset, from, len, err);
}

enum emu_err blk_zero(struct blk *b, uint64_t offset, uint64_t len, struct error *err)
{
    static const uint8_t zeros[65536];
    enum emu_err rc = check_writable(b, offset, len, err);
    if (rc != EMU_OK || len == 0)
        return rc;
    rc = b->ops->zero ? b->ops->zero(b, offset, len, err) : EMU_UNSUPPORTED;
    if (rc != EMU_UNSUPPORTED)
        return rc;
    for (rc = EMU_OK; rc == EMU_OK && len > 0;) {
        size_t n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);
        rc = b->ops->write(b, offset, zeros, n, err);
        offset += n;
        len -= n;
    }
    return rc;
}

enum emu_err blk_discard(struct blk *b, uint64_t offset, uint64_t len, struct error *err)
{
    enum emu_err rc = check_writable(b, offset, len, err);
    if (rc != EMU_OK || len == 0 || !b->ops->discard)
        return rc;
    rc = b->ops->discard(b, offset, len, err);
    return rc == EMU_UNSUPPORTED ? EMU_OK : rc;
}

enum emu_err blk_extent(struct blk *b, uint64_t offset, uint64_t len, struct blk_extent *out,
                        struct error *err)
{
    *out = (struct blk_extent){.len = len, .file = b, .present = true, .data = true};
    enum emu_err rc = check_range(b, "examine", offset, len, err);
    return rc == EMU_OK && b->ops->extent ? b->ops->extent(b, offset, len, out, err) : rc;
}

enum emu_err blk_resize(struct blk *b, uint64_t size, struct error *err)
{
    enum emu_err rc = check_writable(b, 0, 0, err);
    if (rc == EMU_OK && !b->ops->resize)
        rc = error_set(err, EMU_UNSUPPORTED, "%s: an image of format %s cannot be resized", b->name,
                       b->ops->format);
    return rc == EMU_OK ? b->ops->resize(b, size, err) : rc;
}

enum emu_err blk_flush(struct blk *b, struct error *err)
{
    if (b->read_only || !b->ops->flush)
        return EMU_OK;
    return b->ops->flush(b, err);
}

enum emu_err blk_close(struct blk *b, struct error *err)
{
    if (!b)
        return EMU_OK;
    enum emu_err rc = blk_flush(b, err);
    b->ops->close(b);
    return rc;
}
