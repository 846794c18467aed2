/*
 * What the benchmark's own programs stand on: Linux's i386 system calls and a way to print a
 * result. They are linked without a C library, so that they build wherever a compiler makes i386
 * code, and so that nothing but their own loops is measured. Each prints "NAME=CHECKSUM" of what it
 * computed; the plan waits for the checksum that the host's own processor finds.
 */
#ifndef BENCH_START_H
#define BENCH_START_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

enum { SYS_EXIT = 1, SYS_WRITE = 4, SYS_MMAP = 90, SYS_MUNMAP = 91, SYS_MREMAP = 163, PAGE = 4096 };

static inline long syscall5(long n, long a, long b, long c, long d, long e)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return result;
}

/* Fresh zeroed memory, which may hold code. */
static inline void *map_pages(u32 bytes)
{
    u32 args[6] = {0,          bytes, 7 /* read, write, execute */, 0x22 /* private, anonymous */,
                   0xffffffff, 0};
    return (void *)syscall5(SYS_MMAP, (long)args, 0, 0, 0, 0);
}

static inline u32 next_random(u32 *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static inline void report(const char *name, u32 value)
{
    char line[64];
    int n = 0;
    while (*name)
        line[n++] = *name++;
    line[n++] = '=';
    for (int shift = 28; shift >= 0; shift -= 4)
        line[n++] = "0123456789abcdef"[value >> shift & 15];
    line[n++] = '\n';
    syscall5(SYS_WRITE, 1, (long)line, n, 0, 0);
}

int run(u32 rounds); /* the program */

/* Entered with argc, argv[] on the stack; argv[1] is how often the work is done (1). */
__attribute__((used)) static int enter(const u32 *stack)
{
    u32 rounds = 0;
    for (const char *s = stack[0] > 1 ? (const char *)stack[2] : "1"; *s; s++)
        rounds = rounds * 10 + (u32)(*s - '0');
    return run(rounds);
}

__asm__(".globl _start\n"
        "_start: mov %esp, %eax\n"
        "xor %ebp, %ebp\n"
        "and $-16, %esp\n"
        "sub $12, %esp\n"
        "push %eax\n"
        "call enter\n"
        "mov %eax, %ebx\n"
        "mov $1, %eax\n"
        "int $0x80\n");

#endif
