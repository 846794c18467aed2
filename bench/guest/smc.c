/* smc: code that writes data into its own page all the time, and patches an instruction now and
 * then. */
#include "start.h"

enum { DATA = 1024, COUNT = 256, PATCH_AT = 11 };

/* mov ecx, 256; mov eax, [esp+4]; next: add eax, IMM; mov [edx+ecx*4], eax; dec ecx; jnz next; ret
 */
static const u8 code[] = {0xb9, 0x00, 0x01, 0x00, 0x00, 0x8b, 0x44, 0x24, 0x04, 0x90, 0x05,
                          0x39, 0x30, 0x00, 0x00, 0x89, 0x04, 0x8a, 0x49, 0x75, 0xf5, 0xc3};

int run(u32 rounds)
{
    u8 *page = map_pages(PAGE);
    u32 sum = 0;
    for (u32 i = 0; i < sizeof(code); i++)
        page[i] = code[i];
    for (u32 i = 0; i < rounds * 20000; i++) {
        u32 result, at = (u32)page;
        if (i % 16 == 0)
            *(volatile u32 *)(page + PATCH_AT) = i; /* the addend */
        __asm__ volatile("push %1\n\tcall *%3\n\tadd $4, %%esp"
                         : "=a"(result)
                         : "r"(i), "d"(page + DATA), "r"(at)
                         : "ecx", "memory", "cc");
        sum = sum * 31 + result;
    }
    report("smc", sum);
    return 0;
}
