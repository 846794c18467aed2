/* mem: sequential and random writes and reads over 256 MiB. */
#include "start.h"

enum { WORDS = 1 << 26, RANDOM = 1 << 23 };

int run(u32 rounds)
{
    u32 *m = map_pages(WORDS * 4u), sum = 0, seed = 1;
    while (rounds--) {
        for (u32 i = 0; i < WORDS; i++)
            m[i] = i ^ rounds;
        for (u32 i = 0; i < RANDOM; i++)
            m[next_random(&seed) * 4 & (WORDS - 1)] += i;
        for (u32 i = 0; i < WORDS; i++)
            sum += m[i];
        for (u32 i = 0; i < RANDOM; i++)
            sum ^= m[next_random(&seed) * 4 & (WORDS - 1)] + i;
    }
    report("mem", sum);
    return 0;
}
