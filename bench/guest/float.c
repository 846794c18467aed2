/* float: x87 kernels, in double with the x87's own intermediate precision: planets, a matrix, a
 * fractal. */
#include "start.h"

enum { BODIES = 5, N = 48 };

struct body {
    double x, y, z, vx, vy, vz, mass;
};

static void step(struct body *b, double dt)
{
    for (int i = 0; i < BODIES; i++) {
        for (int j = i + 1; j < BODIES; j++) {
            double dx = b[i].x - b[j].x, dy = b[i].y - b[j].y, dz = b[i].z - b[j].z;
            double d2 = dx * dx + dy * dy + dz * dz, mag = dt / (d2 * __builtin_sqrt(d2));
            b[i].vx -= dx * b[j].mass * mag;
            b[i].vy -= dy * b[j].mass * mag;
            b[i].vz -= dz * b[j].mass * mag;
            b[j].vx += dx * b[i].mass * mag;
            b[j].vy += dy * b[i].mass * mag;
            b[j].vz += dz * b[i].mass * mag;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        b[i].x += dt * b[i].vx;
        b[i].y += dt * b[i].vy;
        b[i].z += dt * b[i].vz;
    }
}

static double planets(int steps)
{
    static struct body b[BODIES];
    for (int i = 0; i < BODIES; i++) {
        struct body start = {i * 1.3, 2.0 - i * i * 0.4, 0.1 * i, 0.01 * i, 0.3 - 0.1 * i,
                             0.02,    1.0 / (1 + i)};
        b[i] = start;
    }
    while (steps--)
        step(b, 0.001);
    return b[0].x + b[1].y + b[2].z + b[3].vx + b[4].vy;
}

static double matrix(int times)
{
    static double a[N][N], b[N][N], c[N][N];
    for (int i = 0; i < N * N; i++) {
        a[i / N][i % N] = 1.0 / (1 + i);
        b[i / N][i % N] = i * 0.25 - 7;
    }
    while (times--) {
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                double sum = c[i][j] * 0.5;
                for (int k = 0; k < N; k++)
                    sum += a[i][k] * b[k][j];
                c[i][j] = sum;
            }
        }
    }
    return c[3][5] + c[N - 1][N - 1];
}

static double fractal(int size)
{
    double total = 0;
    for (int row = 0; row < size; row++) {
        for (int col = 0; col < size; col++) {
            double cr = 2.0 * col / size - 1.5, ci = 2.0 * row / size - 1.0, r = 0, i = 0;
            int n = 0;
            for (; n < 50 && r * r + i * i < 4.0; n++) {
                double t = r * r - i * i + cr;
                i = 2.0 * r * i + ci;
                r = t;
            }
            total += n;
        }
    }
    return total;
}

int run(u32 rounds)
{
    union {
        double d;
        u32 word[2];
    } sum = {0};
    for (; rounds; rounds--)
        sum.d += planets(20000) + matrix(20) + fractal(200);
    report("float", sum.word[0] ^ sum.word[1]);
    return 0;
}
