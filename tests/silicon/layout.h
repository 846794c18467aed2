/*
 * What the runner, the emulated CPU and the native helper (helper.asm) agree on: where a case's memory lies,
 * and how a case and its result look in the memory shared with the helper. helper.asm repeats the numbers.
 *
 * A case sees a flat 32-bit address space with nothing in it but the pages below. The six "work" pages
 * are one block: two of code, two of data, one read-only, one of stack. A batch starts with a base image of
 * them; every case patches it, runs, and leaves the difference to the image as a hash.
 */
#ifndef TESTS_SILICON_LAYOUT_H
#define TESTS_SILICON_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* Linear addresses. */
enum {
    AT_CODE = 0x00800000,  /* 2 pages, read, write, execute; nothing behind */
    AT_DATA = 0x00900000,  /* 2 pages, read, write; then a read-only one; nothing before and behind */
    AT_STACK = 0x00a00000, /* 1 page, read, write */
    AT_LOW = 0x2000,       /* the data pages again, for 16-bit addressing */
    AT_HELPER = 0x08048000, HELPER_SIZE = 0x8000, /* only the helper has this; the exit is at its start */
    AT_EXIT = AT_HELPER + 0x100,                  /* a case jumps here when it is through */
    AT_SHARED = 0x40000000,
};

/* The work pages as one block. */
enum {
    PAGE = 4096,
    WORK_CODE = 0, WORK_DATA = 2 * PAGE, WORK_READONLY = 4 * PAGE, WORK_STACK = 5 * PAGE, WORK_SIZE = 6 * PAGE,
};

/* Selectors of Linux's 32-bit programs. */
enum { USER_CS = 0x23, USER_DS = 0x2b };

/* The LDT that the helper makes of this list (modify_ldt) and our kernel likewise: entry 0 and on. */
enum {
    LDT_DATA = 0x07,        /* read, write, 32 bits */
    LDT_SMALL = 0x0f,       /* a part of it, to the byte */
    LDT_DOWN = 0x17,        /* expand-down, from its second page on */
    LDT_READONLY = 0x1f,
    LDT_CODE = 0x27,        /* readable */
    LDT_CODE16 = 0x2f,      /* execute-only, 16 bits */
    LDT_ABSENT = 0x37,      /* data, not present */
    LDT_STACK16 = 0x3f,     /* 16 bits */
    LDT_ENTRIES = 8,
};

/* Contents as modify_ldt has them: 0 data, 1 expand-down, 2 code. */
struct silicon_segment {
    uint32_t base, limit;
    uint8_t wide, contents, readonly, absent;
};

#define SILICON_LDT                                                                                \
    {                                                                                              \
        {AT_DATA, 0x2fff, 1, 0, 0, 0}, {AT_DATA + 0x804, 0x7fe, 1, 0, 0, 0},                       \
        {AT_DATA, 0xfff, 1, 1, 0, 0}, {AT_DATA, 0x1fff, 1, 0, 1, 0},                               \
        {AT_CODE, 0x1fff, 1, 2, 0, 0}, {AT_CODE, 0x1fff, 0, 2, 1, 0},                              \
        {AT_DATA, 0xffff, 1, 0, 0, 1}, {AT_STACK, 0xfff, 0, 0, 0, 0},                              \
    }

enum { CODE_MAX = 128, PATCHES = 12, MASKS = 2, BATCH = 2048, FX_SIZE = 512 };

/* Vectors beside the processor's. */
enum { VECTOR_NONE = 0xff /* came to the exit */, VECTOR_TIMEOUT = 0xfe };

struct silicon_patch {
    uint32_t at, value; /* offset in the work block; bytes of `value` low first */
};

struct silicon_case {
    uint32_t gpr[8];
    uint32_t eip, eflags;
    uint32_t seg[6]; /* ES CS SS DS FS GS */
    uint32_t npatch;
    uint32_t nmask; /* ranges of the work block that are not to be compared */
    struct { uint32_t at, len; } mask[MASKS];
    uint32_t code_at, code_len; /* in the work block */
    struct silicon_patch patch[PATCHES];
    uint8_t code[CODE_MAX];
    uint8_t fx[FX_SIZE]; /* FXRSTOR image */
};

struct silicon_result {
    uint32_t gpr[8];
    uint32_t eip, eflags;
    uint32_t seg[6];
    uint32_t vector, error, cr2;
    uint32_t hash[2]; /* of the changed 16-byte blocks */
    uint32_t reserved[3];
    uint8_t fx[FX_SIZE]; /* FXSAVE image */
};

struct silicon_slot {
    struct silicon_case in;
    struct silicon_result out;
};

struct silicon_buffer {
    uint8_t base[WORK_SIZE];
    struct silicon_slot slot[BATCH];
};

/* The file behind it all; mapped at AT_SHARED in the helper. */
struct silicon_shared {
    uint8_t work[WORK_SIZE];
    struct silicon_buffer buffer[2];
};

/* Command to the helper: 8 bytes through a pipe; it answers with one byte. */
struct silicon_command {
    uint16_t buffer, keep; /* keep: leave the work pages as the (last) case left them */
    uint16_t first, count;
};

_Static_assert(offsetof(struct silicon_case, npatch) == 64, "helper.asm");
_Static_assert(offsetof(struct silicon_case, mask) == 72, "helper.asm");
_Static_assert(offsetof(struct silicon_case, code_at) == 88, "helper.asm");
_Static_assert(offsetof(struct silicon_case, patch) == 96, "helper.asm");
_Static_assert(offsetof(struct silicon_case, code) == 192, "helper.asm");
_Static_assert(offsetof(struct silicon_case, fx) == 320, "helper.asm");
_Static_assert(offsetof(struct silicon_result, vector) == 64, "helper.asm");
_Static_assert(offsetof(struct silicon_result, hash) == 76, "helper.asm");
_Static_assert(offsetof(struct silicon_result, fx) == 96, "helper.asm");
_Static_assert(sizeof(struct silicon_case) == 832 && sizeof(struct silicon_slot) == 1440, "helper.asm");

/* One differing block enters the hash: its offset, then its four words (helper.asm, scan). */
static inline void silicon_hash(uint32_t hash[2], uint32_t at, const uint32_t words[4])
{
    uint32_t h = hash[0] ^ at, g = hash[1];
    for (unsigned k = 0; k < 4; k++) {
        h = (h ^ words[k]) * 0x9e3779b1u;
        g = (g << 5 | g >> 27) + h;
    }
    hash[0] = h;
    hash[1] = g;
}

#endif
