/* Little-endian loads and stores of guest memory in host memory, on any host. */
#ifndef MMU_ACCESS_H
#define MMU_ACCESS_H

#include <string.h>

#include "machine/types.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ACCESS_LE16(v) __builtin_bswap16(v)
#define ACCESS_LE32(v) __builtin_bswap32(v)
#define ACCESS_LE64(v) __builtin_bswap64(v)
#else
#define ACCESS_LE16(v) (v)
#define ACCESS_LE32(v) (v)
#define ACCESS_LE64(v) (v)
#endif

static inline uint16_t load_le16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return ACCESS_LE16(v);
}
static inline uint32_t load_le32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return ACCESS_LE32(v);
}
static inline uint64_t load_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return ACCESS_LE64(v);
}
static inline void store_le16(uint8_t *p, uint16_t v)
{
    v = ACCESS_LE16(v);
    memcpy(p, &v, 2);
}
static inline void store_le32(uint8_t *p, uint32_t v)
{
    v = ACCESS_LE32(v);
    memcpy(p, &v, 4);
}
static inline void store_le64(uint8_t *p, uint64_t v)
{
    v = ACCESS_LE64(v);
    memcpy(p, &v, 8);
}

/* `size` is 1, 2, 4 or 8. */
static inline uint64_t load_le(const uint8_t *p, unsigned size)
{
    switch (size) {
    case 1: return *p;
    case 2: return load_le16(p);
    case 4: return load_le32(p);
    default: return load_le64(p);
    }
}
static inline void store_le(uint8_t *p, unsigned size, uint64_t v)
{
    switch (size) {
    case 1: *p = (uint8_t)v; break;
    case 2: store_le16(p, (uint16_t)v); break;
    case 4: store_le32(p, (uint32_t)v); break;
    default: store_le64(p, v); break;
    }
}

#endif
