/* Edit distance (Levenshtein) over short words. See nearest.h. */
#include "machine/nearest.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

enum { MAX_WORD = 63 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static unsigned distance(const char *a, const char *b)
{
    unsigned row[MAX_WORD + 1];
    size_t la = strnlen(a, MAX_WORD), lb = strnlen(b, MAX_WORD);
    for (size_t j = 0; j <= lb; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[lb];
}

const char *nearest_word(const char *typed, const char *const *words)
{
    const char *best = "";
    unsigned least = UINT_MAX;
    for (; *words; words++) {
        unsigned d = distance(typed, *words);
        if (d < least) {
            least = d;
            best = *words;
        }
    }
    return best;
}
