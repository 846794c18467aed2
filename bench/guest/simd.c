/* simd: SSE and SSE2 kernels: packed floats and doubles, packed integers of all widths,
 * conversions. */
#include "start.h"

typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));
typedef u8 u8x16 __attribute__((vector_size(16)));
typedef short i16x8 __attribute__((vector_size(16)));
typedef int i32x4 __attribute__((vector_size(16)));

enum { N = 1024 };

static f32x4 fa[N], fb[N];
static f64x2 da[N], db[N];
static i16x8 wa[N], wb[N];
static u8x16 ba[N], bb[N];

static void prepare(void)
{
    u32 seed = 7;
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 4; k++) {
            fa[i][k] = (float)(next_random(&seed) & 1023) / 64;
            fb[i][k] = (float)(next_random(&seed) & 1023) / 128;
        }
        for (int k = 0; k < 2; k++) {
            da[i][k] = (double)(next_random(&seed) & 0xffff) / 256;
            db[i][k] = 1;
        }
        for (int k = 0; k < 8; k++) {
            wa[i][k] = (short)next_random(&seed);
            wb[i][k] = (short)next_random(&seed);
        }
        for (int k = 0; k < 16; k++)
            ba[i][k] = (u8)next_random(&seed);
    }
}

static void floats(void)
{
    f32x4 half = {0.5f, 0.25f, 0.125f, 0.5f};
    for (int i = 0; i < N; i++)
        fb[i] = fb[i] * half + fa[i];
}

static void doubles(void)
{
    f64x2 half = {0.5, 0.25};
    for (int i = 0; i < N; i++)
        db[i] = (db[i] + da[i] / (db[i] + 1)) * half;
}

static void words(void)
{
    for (int i = 0; i < N; i++)
        wb[i] = (wb[i] * wa[i] + wa[i]) ^ (wb[i] >> 3);
}

static void bytes(void)
{
    for (int i = 0; i < N; i++) {
        u8x16 more = (u8x16)(ba[i] > bb[i]);
        bb[i] = ((ba[i] & more) | (bb[i] & ~more)) + 1;
    }
}

static u32 fold(const void *data, u32 bytes, u32 sum)
{
    const i32x4 *v = data;
    i32x4 total = {(int)sum, 0, 0, 0};
    for (u32 i = 0; i < bytes / 16; i++)
        total = (total << 1) + (v[i] ^ (total >> 5));
    return (u32)(total[0] ^ total[1] ^ total[2] ^ total[3]);
}

int run(u32 rounds)
{
    u32 sum = 0;
    prepare();
    for (u32 i = 0; i < rounds * 2000; i++) {
        floats();
        doubles();
        words();
        bytes();
    }
    sum = fold(fb, sizeof(fb), sum);
    sum = fold(db, sizeof(db), sum);
    sum = fold(wb, sizeof(wb), sum);
    sum = fold(bb, sizeof(bb), sum);
    report("simd", sum);
    return 0;
}
