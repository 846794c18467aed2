/* Numbers by number: open addressing, grows as it fills. */
#ifndef TOOLS_SEQUENCES_MAP_H
#define TOOLS_SEQUENCES_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map {
    uint64_t *key; /* 0: free */
    uint32_t *value;
    size_t size, used;
};

/* The value of `key` (not 0), 0 if it is new; valid until the next call. */
uint32_t *map_at(struct map *m, uint64_t key);
/* The value, 0 if there is none. */
uint32_t map_get(const struct map *m, uint64_t key);
void map_free(struct map *m);

#endif
