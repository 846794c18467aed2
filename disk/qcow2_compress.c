/*
 * Compressed clusters of qcow2: raw deflate streams with a window of 4 KiB (RFC 1951; what QEMU
 * writes), or zstd frames where libzstd was there at build time. Whatever the bytes are, exactly
 * a cluster comes out, or an error.
 */
#include "disk/qcow2_int.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

enum { WINDOW_BITS = -12, MEMORY_LEVEL = 9 };

static bool inflate_cluster(const uint8_t *from, size_t len, uint8_t *to, size_t size)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)from, .avail_in = (uInt)len};
    z.next_out = to;
    z.avail_out = (uInt)size;
    if (inflateInit2(&z, WINDOW_BITS) != Z_OK)
        return false;
    int rc = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return (rc == Z_STREAM_END || rc == Z_BUF_ERROR) && z.avail_out == 0;
}

/* Bytes written; 0: it does not become smaller. */
static size_t deflate_cluster(const uint8_t *from, size_t len, uint8_t *to, size_t room)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)from, .avail_in = (uInt)len};
    z.next_out = to;
    z.avail_out = (uInt)room;
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    int rc = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return rc == Z_STREAM_END ? room - z.avail_out : 0;
}

#ifdef HAVE_ZSTD
/* A stream, since bytes of something else may follow the frame. */
static bool zstd_unpack(const uint8_t *from, size_t len, uint8_t *to, size_t size)
{
    ZSTD_inBuffer in = {from, len, 0};
    ZSTD_outBuffer out = {to, size, 0};
    ZSTD_DStream *z = ZSTD_createDStream();
    size_t rc = z ? ZSTD_initDStream(z) : 0;
    bool ok = z && !ZSTD_isError(rc);
    while (ok && out.pos < size && in.pos < in.size) {
        size_t before = in.pos + out.pos;
        rc = ZSTD_decompressStream(z, &out, &in);
        ok = !ZSTD_isError(rc) && in.pos + out.pos > before;
    }
    ZSTD_freeDStream(z);
    return ok && out.pos == size;
}

static size_t zstd_pack(const uint8_t *from, size_t len, uint8_t *to, size_t room)
{
    size_t n = ZSTD_compress(to, room, from, len, ZSTD_CLEVEL_DEFAULT);
    return ZSTD_isError(n) ? 0 : n;
}
#endif

static bool unpack(const struct qcow2 *q, const uint8_t *from, size_t len, uint8_t *to)
{
#ifdef HAVE_ZSTD
    if (q->h.compression == QCOW2_ZSTD)
        return zstd_unpack(from, len, to, q->cluster_size);
#endif
    return inflate_cluster(from, len, to, q->cluster_size);
}

static size_t pack(const struct qcow2 *q, const uint8_t *from, uint8_t *to)
{
#ifdef HAVE_ZSTD
    if (q->h.compression == QCOW2_ZSTD)
        return zstd_pack(from, q->cluster_size, to, q->cluster_size - 1u);
#endif
    return deflate_cluster(from, q->cluster_size, to, q->cluster_size - 1u);
}

enum emu_err qcow2_unpack(struct qcow2 *q, uint64_t entry, const uint8_t **out, struct error *err)
{
    uint64_t offset, len;
    *out = q->unpacked;
    if (entry == q->unpacked_entry && q->unpacked)
        return EMU_OK;
    if (!q->unpacked && !(q->unpacked = malloc(q->cluster_size)))
        return qcow2_nomem(q, err);
    *out = q->unpacked;
    q->unpacked_entry = 0;
    qcow2_packed_range(q, entry, &offset, &len); /* at most two clusters */
    uint8_t *packed = malloc((size_t)len);
    if (!packed)
        return qcow2_nomem(q, err);
    enum emu_err rc = host_file_read_padded(&q->file, offset, packed, (size_t)len, err);
    if (rc == EMU_OK && !unpack(q, packed, (size_t)len, q->unpacked))
        rc = qcow2_damaged(q, err, "the compressed data at offset %llu cannot be unpacked",
                           (unsigned long long)offset);
    free(packed);
    if (rc == EMU_OK)
        q->unpacked_entry = entry;
    return rc;
}

/* --- writing --- */

/* Whether the data can go on in the cluster where the last one ended: that takes another reference.
 */
static enum emu_err join_last(struct qcow2 *q, bool *joined, struct error *err)
{
    uint64_t count = 0;
    *joined = false;
    if (!q->packed_at || !in_cluster(q, q->packed_at))
        return EMU_OK;
    enum emu_err rc = qcow2_refcount(q, cluster_of(q, q->packed_at), &count, err);
    if (rc != EMU_OK || count == 0 || count == qcow2_refcount_max(q))
        return rc;
    *joined = true;
    return qcow2_ref(q, cluster_of(q, q->packed_at), err);
}

/* A place for `len` bytes, less than a cluster, with the references that it takes. */
static enum emu_err place(struct qcow2 *q, size_t len, uint64_t *at, struct error *err)
{
    bool joined;
    uint64_t first = 0, got = 0;
    enum emu_err rc = join_last(q, &joined, err);
    if (rc != EMU_OK)
        return rc;
    uint64_t last = cluster_of(q, q->packed_at),
             room = q->cluster_size - in_cluster(q, q->packed_at);
    if (joined && len <= room) {
        *at = q->packed_at;
        q->packed_at += len;
        return EMU_OK;
    }
    rc = qcow2_alloc(q, 1, 1, &first, &got, err);
    if (rc == EMU_OK && joined && first == last + 1) {
        *at = q->packed_at;
        q->packed_at += len;
        return EMU_OK;
    }
    if (joined) { /* it was not needed after all */
        uint64_t keep = q->packed_at;
        qcow2_unalloc(q, last, 1);
        q->packed_at = keep;
    }
    *at = first << q->h.cluster_bits;
    q->packed_at = rc == EMU_OK ? *at + len : 0;
    return rc;
}

/* Compressed clusters have fewer bits for the offset (qcow2 spec, Compressed Clusters Descriptor).
 */
static uint64_t packed_entry(const struct qcow2 *q, uint64_t at, size_t len)
{
    unsigned bits = 62 - (q->h.cluster_bits - 8);
    uint64_t sectors = (at + len - 1) / 512 - at / 512;
    return QCOW2_COMPRESSED | sectors << bits | at;
}

static enum emu_err store(struct qcow2 *q, uint64_t offset, const uint8_t *packed, size_t len,
                          struct error *err)
{
    uint64_t at;
    enum emu_err rc = place(q, len, &at, err);
    if (rc != EMU_OK)
        return rc;
    uint64_t entry = packed_entry(q, at, len);
    if (at >> 56 || at >> (62 - (q->h.cluster_bits - 8)))
        rc = error_set(err, EMU_UNSUPPORTED, "%s: the image is too large for compressed data",
                       q->blk.name);
    q->unpacked_entry = 0;
    if (rc == EMU_OK)
        rc = host_file_write(&q->file, at, packed, len, err);
    if (rc == EMU_OK)
        rc = qcow2_map_set(q, offset, 1, entry, 0, false, err);
    if (rc != EMU_OK)
        qcow2_unalloc(q, cluster_of(q, at), cluster_of(q, at + len - 1) - cluster_of(q, at) + 1);
    return rc;
}

size_t qcow2_compress(const struct blk *b, const void *from, size_t len, void *to)
{
    const struct qcow2 *q = qcow2_of(b);
    if (len == q->cluster_size)
        return pack(q, from, to);
    uint8_t *padded = calloc(1, q->cluster_size);
    if (!padded)
        return 0;
    memcpy(padded, from, len);
    size_t n = pack(q, padded, to);
    free(padded);
    return n;
}

enum emu_err qcow2_write_packed(struct blk *b, uint64_t offset, const void *from, size_t len,
                                const void *packed, size_t packed_len, struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    if (in_cluster(q, offset) || len > q->cluster_size || len > b->size - offset || b->read_only ||
        packed_len >= q->cluster_size)
        return error_set(err, EMU_ARG, "%s: only single clusters can be compressed", b->name);
    return packed_len == 0 ? qcow2_guest_write(q, offset, from, len, err)
                           : store(q, offset, packed, packed_len, err);
}

enum emu_err qcow2_write_compressed(struct blk *b, uint64_t offset, const void *from, size_t len,
                                    struct error *err)
{
    struct qcow2 *q = qcow2_of(b);
    uint8_t *buf = malloc(q->cluster_size);
    if (!buf)
        return qcow2_nomem(q, err);
    size_t n = len <= q->cluster_size ? qcow2_compress(b, from, len, buf) : 0;
    enum emu_err rc = qcow2_write_packed(b, offset, from, len, buf, n, err);
    free(buf);
    return rc;
}
