/* See native.h. The helper is started with the shared memory as file 3 and two pipes as 0 and 1; everything
 * else is closed. Only on x86-64 Linux, whose kernel runs 32-bit programs. */
#define _GNU_SOURCE
#include "tests/silicon/native.h"

#if defined(__x86_64__) && defined(__linux__)
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void be_helper(const char *path, int in, int out, int memory)
{
    char *argv[] = {(char *)"silicon-helper", NULL}, *envp[] = {NULL};
    int fd[3] = {fcntl(in, F_DUPFD, 10), fcntl(out, F_DUPFD, 10), fcntl(memory, F_DUPFD, 10)};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fd[0], 0);
    dup2(fd[1], 1);
    dup2(fd[2], 3);
    for (int k = 4; k < 64; k++)
        close(k);
    execve(path, argv, envp);
    _exit(127);
}

static bool make_memory(struct native *n, int *fd)
{
    *fd = memfd_create("silicon", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, sizeof(struct silicon_shared)) != 0)
        return false;
    n->shared = mmap(NULL, sizeof(struct silicon_shared), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    return n->shared != MAP_FAILED;
}

const char *native_start(struct native *n, const char *helper)
{
    int memory, to[2], from[2];
    char hello = 0;
    memset(n, 0, sizeof(*n));
    if (access(helper, X_OK) != 0)
        return "the helper program has not been built";
    if (!make_memory(n, &memory) || pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        return "no shared memory or pipes";
    signal(SIGPIPE, SIG_IGN);
    n->pid = fork();
    if (n->pid == 0)
        be_helper(helper, to[0], from[1], memory);
    close(to[0]);
    close(from[1]);
    close(memory);
    n->to = to[1];
    n->from = from[0];
    if (n->pid < 0 || read(n->from, &hello, 1) != 1) {
        native_stop(n);
        return "the host's kernel does not run the 32-bit helper";
    }
    n->low = hello & 1;
    n->ldt = hello >> 1 & 1;
    return NULL;
}

void native_stop(struct native *n)
{
    close(n->to);
    close(n->from);
    if (n->pid > 0) {
        kill(n->pid, SIGKILL);
        waitpid(n->pid, NULL, 0);
    }
    if (n->shared)
        munmap(n->shared, sizeof(*n->shared));
}

bool native_send(struct native *n, unsigned buffer, unsigned first, unsigned count, bool keep)
{
    struct silicon_command c = {(uint16_t)buffer, keep, (uint16_t)first, (uint16_t)count};
    return write(n->to, &c, sizeof(c)) == (ssize_t)sizeof(c);
}

bool native_wait(struct native *n)
{
    char done;
    return read(n->from, &done, 1) == 1;
}
#else
const char *native_start(struct native *n, const char *helper)
{
    (void)n;
    (void)helper;
    return "the host is no x86-64 Linux";
}
void native_stop(struct native *n) { (void)n; }
bool native_send(struct native *n, unsigned buffer, unsigned first, unsigned count, bool keep)
{
    (void)n, (void)buffer, (void)first, (void)count, (void)keep;
    return false;
}
bool native_wait(struct native *n)
{
    (void)n;
    return false;
}
#endif
