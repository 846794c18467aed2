/* The one place where bounds and write protection of block devices are checked. See blk.h. */
#include "disk/blk.h"

static enum emu_err check_range(const struct blk *b, const char *verb, uint64_t offset, size_t len,
                                struct error *err)
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

enum emu_err blk_write(struct blk *b, uint64_t offset, const void *from, size_t len,
                       struct error *err)
{
    if (b->read_only)
        return error_set(err, EMU_ARG, "%s: cannot write: the image was opened read-only", b->name);
    enum emu_err rc = check_range(b, "write", offset, len, err);
    if (rc != EMU_OK || len == 0)
        return rc;
    return b->ops->write(b, offset, from, len, err);
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
