/*
 * The header of a qcow2 image (qcow2 spec, Header, Header extensions, Feature name table): read
 * with every field checked, since an image may come from anywhere, and written back with
 * everything kept that is unknown here.
 */
#include "disk/image.h"
#include "disk/qcow2_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    V2_LENGTH = 72,
    V3_LENGTH = 104,
    OUR_LENGTH = 112, /* with compression_type and its padding */
    FEATURE_ENTRY = 48,
};

static bool is_control(char c) { return (uint8_t)c < ' ' || c == 0x7f; }

enum emu_err qcow2_damaged(const struct qcow2 *q, struct error *err, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (char *c = text; *c; c++) /* names from the image may be anything */
        *c = is_control(*c) ? '?' : *c;
    return error_set(err, EMU_FORMAT,
                     "%s: the image is damaged: %s; look at it with `retrace-img check`",
                     q->blk.name, text);
}

enum emu_err qcow2_nomem(const struct qcow2 *q, struct error *err)
{
    return error_set(err, EMU_NOMEM, "%s: out of memory for the image's tables", q->blk.name);
}

static void parse(struct qcow2_header *h, const uint8_t *p)
{
    *h = (struct qcow2_header){
        .version = get_be32(p + 4),
        .backing_offset = get_be64(p + 8),
        .backing_size = get_be32(p + 16),
        .cluster_bits = get_be32(p + 20),
        .size = get_be64(p + 24),
        .crypt = get_be32(p + 32),
        .l1_size = get_be32(p + 36),
        .l1_offset = get_be64(p + 40),
        .reftable_offset = get_be64(p + 48),
        .reftable_clusters = get_be32(p + 56),
        .nb_snapshots = get_be32(p + 60),
        .snapshots_offset = get_be64(p + 64),
        .refcount_order = 4,
        .length = V2_LENGTH,
    };
    if (h->version < 3)
        return;
    h->incompatible = get_be64(p + 72);
    h->compatible = get_be64(p + 80);
    h->autoclear = get_be64(p + 88);
    h->refcount_order = get_be32(p + 96);
    h->length = get_be32(p + 100);
    h->compression = h->length > V3_LENGTH ? p[104] : 0;
}

static void compose(const struct qcow2_header *h, uint8_t *p)
{
    put_be32(p, QCOW2_MAGIC);
    put_be32(p + 4, h->version);
    put_be64(p + 8, h->backing_offset);
    put_be32(p + 16, h->backing_size);
    put_be32(p + 20, h->cluster_bits);
    put_be64(p + 24, h->size);
    put_be32(p + 32, h->crypt);
    put_be32(p + 36, h->l1_size);
    put_be64(p + 40, h->l1_offset);
    put_be64(p + 48, h->reftable_offset);
    put_be32(p + 56, h->reftable_clusters);
    put_be32(p + 60, h->nb_snapshots);
    put_be64(p + 64, h->snapshots_offset);
    if (h->version < 3)
        return;
    put_be64(p + 72, h->incompatible);
    put_be64(p + 80, h->compatible);
    put_be64(p + 88, h->autoclear);
    put_be32(p + 96, h->refcount_order);
    put_be32(p + 100, h->length);
    if (h->length > V3_LENGTH)
        p[104] = h->compression;
}

enum emu_err qcow2_header_update(struct qcow2 *q, uint32_t from, uint32_t to, struct error *err)
{
    uint8_t fields[OUR_LENGTH] = {0};
    compose(&q->h, fields);
    return host_file_write(&q->file, from, fields + from, to - from, err);
}

/* --- checks --- */

static enum emu_err unsupported(const struct qcow2 *q, struct error *err, const char *what)
{
    return error_set(err, EMU_UNSUPPORTED,
                     "%s: the image uses the feature \"%s\", which is not supported here",
                     q->blk.name, what);
}

/* The name that the image itself gives to a feature bit, or NULL. */
static const char *feature_name(const struct qcow2 *q, unsigned type, unsigned bit, char name[47])
{
    const struct qcow2_extension *table = qcow2_extension(q, QCOW2_EXT_FEATURES);
    for (uint32_t at = 0; table && at + FEATURE_ENTRY <= table->len; at += FEATURE_ENTRY) {
        const uint8_t *e = table->data + at;
        if (e[0] != type || e[1] != bit)
            continue;
        memcpy(name, e + 2, 46);
        name[46] = 0;
        for (char *c = name; *c; c++)
            if (*c < ' ' || *c > '~')
                *c = '?';
        return name;
    }
    return NULL;
}

static enum emu_err check_features(const struct qcow2 *q, unsigned flags, struct error *err)
{
    const uint64_t known =
        QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT | QCOW2_INCOMPAT_COMPRESSION;
    char name[47];
    if (q->h.crypt)
        return unsupported(q, err, q->h.crypt == 1 ? "AES encryption" : "encryption");
    if (q->h.incompatible & QCOW2_INCOMPAT_DATA_FILE)
        return unsupported(q, err, "external data file");
    if (q->h.incompatible & QCOW2_INCOMPAT_EXTENDED_L2)
        return unsupported(q, err, "extended L2 entries");
    for (unsigned bit = 0; bit < 64; bit++) {
        if (!(q->h.incompatible & ~known & 1ull << bit))
            continue;
        if (!feature_name(q, 0, bit, name))
            snprintf(name, sizeof(name), "incompatible feature bit %u", bit);
        return unsupported(q, err, name);
    }
    if (q->h.incompatible & QCOW2_INCOMPAT_CORRUPT && !q->blk.read_only &&
        !(flags & IMAGE_FOR_CHECK))
        return error_set(err, EMU_FORMAT,
                         "%s: the image is marked as corrupt and can only be read; repair it with "
                         "`retrace-img check -r all`",
                         q->blk.name);
    return EMU_OK;
}

static enum emu_err check_compression(const struct qcow2 *q, struct error *err)
{
    bool flagged = q->h.incompatible & QCOW2_INCOMPAT_COMPRESSION;
    if (q->h.compression > QCOW2_ZSTD)
        return error_set(err, EMU_UNSUPPORTED,
                         "%s: the image uses compression type %u, which is unknown here",
                         q->blk.name, q->h.compression);
    if (flagged != (q->h.compression != QCOW2_ZLIB))
        return qcow2_damaged(q, err, "its compression type and feature bits contradict");
#ifndef HAVE_ZSTD
    if (q->h.compression == QCOW2_ZSTD)
        return unsupported(q, err, "zstd compression (build with libzstd-dev)");
#endif
    return EMU_OK;
}

/* A table of `bytes` must begin at a cluster and end before 2^56. */
static bool placed(const struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
    return in_cluster(q, offset) == 0 && offset <= QCOW2_OFFSET - bytes;
}

static enum emu_err check_places(const struct qcow2 *q, struct error *err)
{
    const struct qcow2_header *h = &q->h;
    uint64_t l1 = (uint64_t)h->l1_size * 8;
    uint64_t reftable = (uint64_t)h->reftable_clusters << h->cluster_bits;
    if (l1 > QCOW2_MAX_L1)
        return error_set(err, EMU_UNSUPPORTED,
                         "%s: the L1 table has %llu bytes; at most 32 MiB work", q->blk.name,
                         (unsigned long long)l1);
    if (reftable > QCOW2_MAX_REFTABLE)
        return error_set(err, EMU_UNSUPPORTED,
                         "%s: the refcount table has %llu bytes; at most 8 MiB work", q->blk.name,
                         (unsigned long long)reftable);
    if (!placed(q, h->l1_offset, l1) || (l1 && !h->l1_offset))
        return qcow2_damaged(q, err, "its L1 table cannot be where it is said to be");
    if (!placed(q, h->reftable_offset, reftable) || !h->reftable_offset || !reftable)
        return qcow2_damaged(q, err, "its refcount table cannot be where it is said to be");
    if (h->size > QCOW2_OFFSET || qcow2_l1_for(q, h->size) > h->l1_size)
        return qcow2_damaged(q, err, "its L1 table is too small for %llu bytes",
                             (unsigned long long)h->size);
    if (h->nb_snapshots > QCOW2_MAX_SNAPSHOTS)
        return qcow2_damaged(q, err, "it cannot have %u snapshots", h->nb_snapshots);
    if (h->nb_snapshots && (!placed(q, h->snapshots_offset, 0) || !h->snapshots_offset))
        return qcow2_damaged(q, err, "its snapshot table cannot be where it is said to be");
    return EMU_OK;
}

static enum emu_err check_geometry(struct qcow2 *q, struct error *err)
{
    const struct qcow2_header *h = &q->h;
    if (h->version != 2 && h->version != 3)
        return error_set(err, EMU_UNSUPPORTED, "%s: this is qcow version %u; only 2 and 3 work",
                         q->blk.name, h->version);
    if (h->cluster_bits < 9 || h->cluster_bits > 21)
        return error_set(err, EMU_UNSUPPORTED,
                         "%s: the image has clusters of 2^%u bytes; only 512 bytes to 2 MiB work",
                         q->blk.name, h->cluster_bits);
    q->cluster_size = 1u << h->cluster_bits;
    if (h->refcount_order > 6)
        return qcow2_damaged(q, err, "its refcounts cannot have 2^%u bits", h->refcount_order);
    if (h->version == 3 && (h->length < V3_LENGTH || h->length % 8 || h->length > q->cluster_size))
        return qcow2_damaged(q, err, "its header cannot have %u bytes", h->length);
    if (h->backing_offset && (h->backing_size == 0 || h->backing_size > QCOW2_MAX_NAME ||
                              h->backing_size > q->cluster_size ||
                              h->backing_offset > q->cluster_size - h->backing_size))
        return qcow2_damaged(q, err, "its backing file's name is not in its header");
    q->l2_bits = h->cluster_bits - 3;
    q->refblock_bits = h->cluster_bits + 3 - h->refcount_order;
    return EMU_OK;
}

/* --- extensions --- */

const struct qcow2_extension *qcow2_extension(const struct qcow2 *q, uint32_t type)
{
    for (unsigned i = 0; i < q->next; i++)
        if (q->ext[i].type == type)
            return &q->ext[i];
    return NULL;
}

static enum emu_err add_extension(struct qcow2 *q, uint32_t type, const void *data, uint32_t len,
                                  struct error *err)
{
    if (q->next == QCOW2_MAX_EXTENSIONS)
        return error_set(err, EMU_UNSUPPORTED, "%s: the image has more than %d header extensions",
                         q->blk.name, QCOW2_MAX_EXTENSIONS);
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        return qcow2_nomem(q, err);
    memcpy(copy, data, len);
    q->ext[q->next++] = (struct qcow2_extension){type, len, copy};
    return EMU_OK;
}

enum emu_err qcow2_extension_set(struct qcow2 *q, uint32_t type, const void *data, uint32_t len,
                                 struct error *err)
{
    for (unsigned i = 0; i < q->next; i++) {
        if (q->ext[i].type != type)
            continue;
        free(q->ext[i].data);
        q->ext[i] = q->ext[--q->next];
        break;
    }
    return len ? add_extension(q, type, data, len, err) : EMU_OK;
}

static enum emu_err read_extensions(struct qcow2 *q, const uint8_t *cluster, struct error *err)
{
    uint32_t end = q->h.backing_offset ? (uint32_t)q->h.backing_offset : q->cluster_size;
    for (uint32_t at = q->h.length; at < end && end - at >= 8;) {
        uint32_t type = get_be32(cluster + at), len = get_be32(cluster + at + 4);
        at += 8;
        if (type == QCOW2_EXT_END)
            break;
        if (len > end - at)
            return qcow2_damaged(q, err, "a header extension is longer than the header");
        enum emu_err rc = add_extension(q, type, cluster + at, len, err);
        if (rc != EMU_OK)
            return rc;
        at += (len + 7u) & ~7u;
    }
    return EMU_OK;
}

static char *string_of(const uint8_t *from, uint32_t len)
{
    char *s = malloc(len + 1u);
    if (s) {
        memcpy(s, from, len);
        s[len] = 0;
    }
    return s;
}

/* Neither a file nor a format has such a name, and a terminal would do strange things. */
static bool has_control(const char *s, size_t len)
{
    for (size_t i = 0; s && i < len; i++)
        if (is_control(s[i]))
            return true;
    return false;
}

static enum emu_err read_strings(struct qcow2 *q, const uint8_t *cluster, struct error *err)
{
    const struct qcow2_extension *format = qcow2_extension(q, (uint32_t)QCOW2_EXT_FORMAT);
    if (q->h.backing_offset) {
        q->backing_name = string_of(cluster + q->h.backing_offset, q->h.backing_size);
        if (!q->backing_name)
            return qcow2_nomem(q, err);
    }
    if (q->h.backing_offset && format && format->len && format->len < 16) {
        q->backing_format = string_of(format->data, format->len);
        if (!q->backing_format)
            return qcow2_nomem(q, err);
    }
    if (has_control(q->backing_name, q->h.backing_size) ||
        has_control(q->backing_format, format ? format->len : 0))
        return qcow2_damaged(q, err, "its backing file's name has control characters");
    return EMU_OK;
}

static enum emu_err read_rest(struct qcow2 *q, const uint8_t *cluster, struct error *err)
{
    if (q->h.length <= OUR_LENGTH)
        return EMU_OK;
    q->rest = malloc(q->h.length - OUR_LENGTH);
    if (!q->rest)
        return qcow2_nomem(q, err);
    memcpy(q->rest, cluster + OUR_LENGTH, q->h.length - OUR_LENGTH);
    return EMU_OK;
}

enum emu_err qcow2_header_read(struct qcow2 *q, unsigned flags, struct error *err)
{
    uint8_t begin[OUR_LENGTH];
    enum emu_err rc = host_file_read_padded(&q->file, 0, begin, sizeof(begin), err);
    if (rc != EMU_OK)
        return rc;
    if (get_be32(begin) != QCOW2_MAGIC)
        return error_set(err, EMU_FORMAT, "%s: this is no qcow2 image", q->blk.name);
    parse(&q->h, begin);
    rc = check_geometry(q, err);
    if (rc != EMU_OK)
        return rc;
    uint8_t *cluster = malloc(q->cluster_size);
    if (!cluster)
        return qcow2_nomem(q, err);
    rc = host_file_read_padded(&q->file, 0, cluster, q->cluster_size, err);
    if (rc == EMU_OK)
        rc = read_extensions(q, cluster, err);
    if (rc == EMU_OK)
        rc = check_features(q, flags, err);
    if (rc == EMU_OK)
        rc = check_compression(q, err);
    if (rc == EMU_OK)
        rc = check_places(q, err);
    if (rc == EMU_OK)
        rc = read_strings(q, cluster, err);
    if (rc == EMU_OK)
        rc = read_rest(q, cluster, err);
    free(cluster);
    return rc;
}

/* --- writing --- */

/* Appends an extension at *at; false: no room. */
static bool put_extension(uint8_t *cluster, uint32_t *at, uint32_t end, uint32_t type,
                          const void *data, uint32_t len)
{
    uint32_t padded = (len + 7u) & ~7u;
    if (end - *at < 8 || padded > end - *at - 8)
        return false;
    put_be32(cluster + *at, type);
    put_be32(cluster + *at + 4, len);
    if (len)
        memcpy(cluster + *at + 8, data, len);
    *at += 8 + padded;
    return true;
}

static bool put_extensions(const struct qcow2 *q, uint8_t *cluster, uint32_t *at)
{
    for (unsigned i = 0; i < q->next; i++) {
        const struct qcow2_extension *e = &q->ext[i];
        if (e->type != (uint32_t)QCOW2_EXT_FORMAT &&
            !put_extension(cluster, at, q->cluster_size, e->type, e->data, e->len))
            return false;
    }
    if (q->backing_name && q->backing_format &&
        !put_extension(cluster, at, q->cluster_size, (uint32_t)QCOW2_EXT_FORMAT, q->backing_format,
                       (uint32_t)strlen(q->backing_format)))
        return false;
    return put_extension(cluster, at, q->cluster_size, QCOW2_EXT_END, NULL, 0);
}

enum emu_err qcow2_header_write(struct qcow2 *q, struct error *err)
{
    uint8_t *cluster = calloc(1, q->cluster_size);
    if (!cluster)
        return qcow2_nomem(q, err);
    uint32_t at = q->h.length;
    size_t name_len = q->backing_name ? strlen(q->backing_name) : 0;
    bool fits = put_extensions(q, cluster, &at) && name_len <= q->cluster_size - at;
    if (!fits) {
        free(cluster);
        return error_set(
            err, EMU_ARG,
            "%s: the backing file's name does not fit into the header of %u bytes; use a "
            "shorter name or larger clusters",
            q->blk.name, q->cluster_size);
    }
    q->h.backing_offset = name_len ? at : 0;
    q->h.backing_size = (uint32_t)name_len;
    if (name_len)
        memcpy(cluster + at, q->backing_name, name_len);
    if (q->rest)
        memcpy(cluster + OUR_LENGTH, q->rest, q->h.length - OUR_LENGTH);
    compose(&q->h, cluster);
    uint32_t used =
        (at + (uint32_t)name_len + 511u) & ~511u; /* whole sectors, as few as possible */
    enum emu_err rc = host_file_write(&q->file, 0, cluster, used, err);
    free(cluster);
    return rc;
}

void qcow2_header_free(struct qcow2 *q)
{
    for (unsigned i = 0; i < q->next; i++)
        free(q->ext[i].data);
    free(q->rest);
    free(q->backing_name);
    free(q->backing_format);
    free(q->notice);
}
