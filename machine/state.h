/*
 * Declared state (ARCHITECTURE.md, law 3). Every bit that a guest can see lives in a pointer-free,
 * padding-free struct of fixed-width members, described once by a struct state_desc; saving,
 * loading, printing, comparing and hashing all walk that description. state_check() proves that
 * a description tiles its struct exactly.
 *
 *   STATE_DESC(pit_channel_desc, struct pit_channel, 1,
 *       FIELD(struct pit_channel, loaded_at, "virtual time of the last reload"),
 *       FIELD_MAX(struct pit_channel, mode, 5, "8254 datasheet, table 3"));
 *   STATE_DESC(i8254_desc, struct i8254_state, 1,
 *       FIELD_STRUCT(struct i8254_state, channel, struct pit_channel, pit_channel_desc, "..."));
 */
#ifndef MACHINE_STATE_H
#define MACHINE_STATE_H

#include "machine/error.h"
#include "machine/types.h"

enum state_kind { STATE_UNKNOWN, STATE_U8, STATE_U16, STATE_U32, STATE_U64, STATE_STRUCT };

struct state_desc;

struct state_field {
    const char *name;
    const char *help;
    uint32_t offset; /* in the struct */
    uint32_t size;   /* bytes of one element */
    uint32_t count;  /* elements; arrays of arrays are flattened */
    enum state_kind kind;
    uint64_t max; /* greatest legal value, checked by the loader */
    const struct state_desc *sub; /* of STATE_STRUCT */
};

struct state_desc {
    const char *name; /* of the struct */
    uint32_t version;
    uint32_t size; /* of the struct */
    const struct state_field *fields;
    uint32_t nfields;
};

/* The kind of a scalar or one-dimensional array member, found at compile time. */
#define STATE_KIND_(x) \
    _Generic((x), uint8_t: STATE_U8, uint8_t *: STATE_U8, uint16_t: STATE_U16, uint16_t *: STATE_U16, \
             uint32_t: STATE_U32, uint32_t *: STATE_U32, uint64_t: STATE_U64, uint64_t *: STATE_U64, \
             default: STATE_UNKNOWN)
#define STATE_ELEM_(x) \
    _Generic((x), uint8_t: 1, uint8_t *: 1, uint16_t: 2, uint16_t *: 2, uint32_t: 4, uint32_t *: 4, \
             uint64_t: 8, uint64_t *: 8, default: 1)
#define STATE_MEMBER_(type, member) (((type *)0)->member)

#define FIELD_MAX(type, member, maximum, help_) \
    { #member, help_, (uint32_t)offsetof(type, member), STATE_ELEM_(STATE_MEMBER_(type, member)), \
      (uint32_t)(sizeof(STATE_MEMBER_(type, member)) / STATE_ELEM_(STATE_MEMBER_(type, member))), \
      STATE_KIND_(STATE_MEMBER_(type, member)), (maximum), NULL }
#define FIELD(type, member, help_) FIELD_MAX(type, member, UINT64_MAX, help_)
#define FIELD_STRUCT(type, member, subtype, subdesc, help_) \
    { #member, help_, (uint32_t)offsetof(type, member), (uint32_t)sizeof(subtype), \
      (uint32_t)(sizeof(STATE_MEMBER_(type, member)) / sizeof(subtype)), STATE_STRUCT, UINT64_MAX, \
      &(subdesc) }

#define STATE_DESC(name_, type, version_, ...) \
    static const struct state_field name_##_fields[] = {__VA_ARGS__}; \
    const struct state_desc name_ = {#type, version_, (uint32_t)sizeof(type), name_##_fields, \
                                     (uint32_t)(sizeof(name_##_fields) / sizeof(name_##_fields[0]))}

/* A growing byte buffer that the encoder writes to; owned by the caller, freed by buf_free. */
struct buf {
    uint8_t *data;
    size_t len, cap;
    bool failed; /* out of memory: data is incomplete */
};
void buf_put(struct buf *b, const void *data, size_t len);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v); /* little-endian, as all below */
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_free(struct buf *b);

/* Proves that the fields cover every byte of the struct exactly once, in order, with known kinds,
 * recursively; the first fault is written to `err`. */
MUST_CHECK enum emu_err state_check(const struct state_desc *d, struct error *err);

/* Appends the portable encoding: u32 field count, then per field {u8 name length, name, u8 kind,
 * u32 element count, little-endian values}; a struct field holds an encoding per element. */
void state_save(const struct state_desc *d, const void *obj, struct buf *out);

/* Decodes into `obj`. Unknown fields are skipped and counted in *unknown (may be NULL); absent
 * fields keep the value that obj has; a count, kind or `max` that does not fit, or a truncated
 * encoding, is refused and obj is then undefined (load into a copy). */
MUST_CHECK enum emu_err state_load(const struct state_desc *d, void *obj, const uint8_t *data,
                                   size_t len, unsigned *unknown, struct error *err);

/* 64-bit hash of the portable encoding, the same on every host. */
uint64_t state_hash(uint64_t seed, const struct state_desc *d, const void *obj);
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);

/* One "name = hex values" line per field through `emit`. */
void state_print(const struct state_desc *d, const void *obj,
                 void (*emit)(void *arg, const char *line), void *arg);

#endif
