/* hot: 100,000 functions of a dozen instructions, all different, called in a mixed order again and
 * again. */
#include "start.h"

enum { FUNCTIONS = 100000, BYTES = 48, PASSES = 20 };

static u8 *put(u8 *at, const u8 *bytes, u32 n)
{
    while (n--)
        *at++ = *bytes++;
    return at;
}

/* ALU instructions on eax and edx with immediates, among them a jump over one, then RET. */
static void make_function(u8 *at, u32 *seed)
{
    static const u8 op_eax[] = {0x05, 0x35, 0x2d}, skip[] = {0xa8, 0x10, 0x74, 0x02, 0xf7, 0xd0};
    for (int i = 0; i < 5; i++) {
        u32 r = next_random(seed);
        u8 alu[] = {op_eax[r % 3], (u8)r, (u8)(r >> 4), (u8)(r >> 8), (u8)(r >> 16)};
        u8 rotate[] = {0xc1, 0xc0, (u8)(1 + r % 30)}, more[] = {0x01, 0xc2, 0x31, 0xd0};
        at = put(at, alu, sizeof(alu));
        if (i == 1)
            at = put(at, rotate, sizeof(rotate));
        if (i == 2)
            at = put(at, skip, sizeof(skip));
        if (i == 3)
            at = put(at, more, sizeof(more));
    }
    *at = 0xc3;
}

int run(u32 rounds)
{
    u8 *code = map_pages(FUNCTIONS * BYTES);
    u32 seed = 99, sum = 0, mixed = 0, other = 0;
    for (u32 i = 0; i < FUNCTIONS; i++)
        make_function(code + i * BYTES, &seed);
    report("hot-made", 0);
    for (u32 i = 0; i < rounds * PASSES * FUNCTIONS; i++) {
        u32 at;
        mixed += 61803; /* no common divisor: each function once a pass */
        if (mixed >= FUNCTIONS)
            mixed -= FUNCTIONS;
        at = (u32)code + mixed * BYTES;
        __asm__ volatile("call *%2" : "+a"(sum), "+d"(other) : "r"(at) : "cc");
    }
    report("hot", sum);
    return 0;
}
