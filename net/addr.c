/*
 * Addresses of sockets, for the back ends and the switch. See addr.h.
 */
#include "net/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum emu_err address_inet(const char *host, const char *port, bool stream, bool passive, struct address *a,
                                 struct error *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = stream ? SOCK_STREAM : SOCK_DGRAM,
                             .ai_flags = passive ? AI_PASSIVE : 0}, *ai;
    if (passive && (!host || !*host))
        hints.ai_family = AF_INET;
    if (getaddrinfo(host && *host ? host : passive ? NULL : "127.0.0.1", port, &hints, &ai) != 0)
        return error_set(err, EMU_ARG, "there is no host or port %s:%s", host ? host : "", port);
    memcpy(&a->sa, ai->ai_addr, ai->ai_addrlen);
    a->len = ai->ai_addrlen;
    freeaddrinfo(ai);
    return EMU_OK;
}

enum emu_err address_unix(const char *path, struct address *a, struct error *err)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)&a->sa;
    if (strlen(path) >= sizeof(sun->sun_path))
        return error_set(err, EMU_ARG, "the socket name %.60s... is too long", path);
    sun->sun_family = AF_UNIX;
    strcpy(sun->sun_path, path);
    a->len = sizeof(*sun);
    return EMU_OK;
}

enum emu_err address_host_port(const char *text, bool stream, bool passive, struct address *a, struct error *err)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (!colon || n >= sizeof(host))
        return error_set(err, EMU_ARG, "\"%.100s\": write it as HOST:PORT", text);
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']')
        snprintf(host, sizeof(host), "%.*s", (int)n - 2, text + 1);
    else
        snprintf(host, sizeof(host), "%.*s", (int)n, text);
    return address_inet(host, colon + 1, stream, passive, a, err);
}

void socket_prepare(int fd)
{
    int yes = 1;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)); /* not TCP: refused, no harm */
}

bool address_is_unix(const struct address *a) { return a->len && a->sa.ss_family == AF_UNIX; }

void address_clear_name(const struct address *a)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)&a->sa;
    struct stat st;
    if (address_is_unix(a) && stat(sun->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(sun->sun_path);
}

const char *address_name(const struct address *a)
{
    return address_is_unix(a) ? ((const struct sockaddr_un *)&a->sa)->sun_path : "";
}

bool address_answers(const struct address *a)
{
    int fd = socket(a->sa.ss_family, SOCK_STREAM, 0);
    bool answers = fd >= 0 && connect(fd, (const struct sockaddr *)&a->sa, a->len) == 0;
    if (fd >= 0)
        close(fd);
    return answers;
}
