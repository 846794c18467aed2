/* See map.h. */
#include "tools/sequences/map.h"

#include <stdlib.h>

#include "tools/sequences/sequences.h"

enum { FIRST_SIZE = 1 << 12 };

static size_t place(const struct map *m, uint64_t key)
{
    size_t h = (size_t)(key * 0x9e3779b97f4a7c15ull >> 20) & (m->size - 1);
    while (m->key[h] && m->key[h] != key)
        h = (h + 1) & (m->size - 1);
    return h;
}

static void enlarge(struct map *m)
{
    struct map old = *m;
    m->size = old.size ? 2 * old.size : FIRST_SIZE;
    m->key = calloc(m->size, sizeof(*m->key));
    m->value = calloc(m->size, sizeof(*m->value));
    if (!m->key || !m->value)
        die("out of memory");
    for (size_t k = 0; k < old.size; k++) {
        if (!old.key[k])
            continue;
        size_t h = place(m, old.key[k]);
        m->key[h] = old.key[k];
        m->value[h] = old.value[k];
    }
    map_free(&old);
}

uint32_t *map_at(struct map *m, uint64_t key)
{
    if (2 * m->used >= m->size)
        enlarge(m);
    size_t h = place(m, key);
    if (!m->key[h]) {
        m->key[h] = key;
        m->used++;
    }
    return &m->value[h];
}

uint32_t map_get(const struct map *m, uint64_t key)
{
    return m->size ? m->value[place(m, key)] : 0;
}

void map_free(struct map *m)
{
    free(m->key);
    free(m->value);
    *m = (struct map){0};
}
