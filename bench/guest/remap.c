/* remap: pages that are mapped, written, moved to another address, read there and unmapped, all the
 * time. */
#include "start.h"

enum { PAGES = 16, MOVE = 3 /* MREMAP_MAYMOVE | MREMAP_FIXED */ };

int run(u32 rounds)
{
    u32 sum = 0;
    for (u32 i = 0; i < rounds * 1000; i++) {
        u32 *from = map_pages(PAGES * PAGE), to = 0x60000000u + (i % 64) * (PAGES * PAGE);
        for (u32 p = 0; p < PAGES; p++)
            from[p * (PAGE / 4)] = i * p;
        u32 *moved =
            (u32 *)syscall5(SYS_MREMAP, (long)from, PAGES * PAGE, PAGES * PAGE, MOVE, (long)to);
        if ((u32)moved != to)
            return 1;
        for (u32 p = 0; p < PAGES; p++)
            sum = sum * 17 + moved[p * (PAGE / 4)];
        syscall5(SYS_MUNMAP, (long)moved, PAGES * PAGE, 0, 0, 0);
    }
    report("remap", sum);
    return 0;
}
