/*
 * A host that fails: pwrite, fdatasync, ftruncate and fallocate are replaced for the whole program
 * that includes this (one file of it only). The process dies at a chosen host write, the power
 * fails and takes any of the unsynced sectors with it, writes fail or come back short.
 *
 * What the power leaves is made from copies of the files as of their last sync: each sector that
 * differs is old or new by chance.
 */
#ifndef TESTS_LIB_FAULTS_H
#define TESTS_LIB_FAULTS_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FAULTS_FILES = 2, FAULTS_MAX_FILE = 4 << 20, FAULTS_DIED = 42 };

static struct {
    long until; /* host writes until `how` happens; 0: never */
    enum { NOTHING, DIE, FAIL, SHORT } how;
    int error;  /* of FAIL */
    long count; /* host writes seen */
    struct {
        char path[64];
        uint8_t *synced; /* the contents at the last sync */
        size_t synced_len;
    } file[FAULTS_FILES]; /* the files under test */
    unsigned power;       /* seed of what the power takes; 0: the host survives */
} host;

static size_t slurp(const char *path, uint8_t *to)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(to, 1, FAULTS_MAX_FILE, f) : 0;
    if (f)
        fclose(f);
    return n;
}

static unsigned chance(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void power_fails_for(unsigned i, unsigned *seed)
{
    static uint8_t now[FAULTS_MAX_FILE];
    size_t len = slurp(host.file[i].path, now);
    for (size_t at = 0; at < len; at += 512) {
        static const uint8_t zeros[512];
        const uint8_t *old = at + 512 <= host.file[i].synced_len ? host.file[i].synced + at : zeros;
        if (at + 512 <= len && memcmp(now + at, old, 512) != 0 && chance(seed) % 2)
            memcpy(now + at, old, 512);
    }
    FILE *f = fopen(host.file[i].path, "r+b");
    if (f && fwrite(now, 1, len, f) == len)
        fclose(f);
}

static void die(void)
{
    unsigned seed = host.power;
    for (unsigned i = 0; i < FAULTS_FILES && host.power; i++)
        if (host.file[i].synced)
            power_fails_for(i, &seed);
    _exit(FAULTS_DIED);
}

/* In the process that is to die at host write `n`. */
static void faults_arm(long n, unsigned power)
{
    host.how = DIE;
    host.until = n;
    host.power = power;
    for (unsigned i = 0; i < FAULTS_FILES && power; i++) {
        if (!host.file[i].path[0])
            continue;
        host.file[i].synced = malloc(FAULTS_MAX_FILE);
        host.file[i].synced_len = slurp(host.file[i].path, host.file[i].synced);
    }
}

/* True: the call fails, errno is set. */
static int fault_comes(void)
{
    host.count++;
    if (!host.until || --host.until != 0)
        return 0;
    if (host.how == DIE)
        die();
    if (host.how != FAIL)
        return 0;
    host.until = 1; /* and so on, until the test says otherwise */
    errno = host.error;
    return 1;
}

ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at);
ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at)
{
    if (fault_comes())
        return -1;
    if (host.how == SHORT && len > 1)
        len = len / 2;
    return syscall(SYS_pwrite64, fd, from, len, at);
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at);
ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
    return pwrite64(fd, from, len, at);
}

int ftruncate64(int fd, off64_t size);
int ftruncate64(int fd, off64_t size)
{
    return fault_comes() ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size);
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* Holes: nothing else is asked for. */
int fallocate64(int fd, int mode, off64_t at, off64_t len);
int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
    return fault_comes() ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, len);
}

int fallocate(int fd, int mode, off_t at, off_t len);
int fallocate(int fd, int mode, off_t at, off_t len) { return fallocate64(fd, mode, at, len); }

int fdatasync(int fd);
int fdatasync(int fd)
{
    struct stat a, b;
    for (unsigned i = 0; i < FAULTS_FILES; i++)
        if (host.file[i].synced && fstat(fd, &a) == 0 && stat(host.file[i].path, &b) == 0 &&
            a.st_ino == b.st_ino)
            host.file[i].synced_len = slurp(host.file[i].path, host.file[i].synced);
    return 0;
}

#endif
