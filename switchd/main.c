/*
 * retrace-switch: an Ethernet switch between emulators, run by their user. Options become calls of
 * net/switch_server.h; docs/NETWORK.md describes them. Without --uplink the network is alone on this host.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine/nearest.h"
#include "net/addr.h"
#include "net/switch_server.h"

enum { WAIT_MS = 1000, MAX_AGEING = 1000000 };

static volatile sig_atomic_t show, stop; /* set by signals */

static void on_show(int n) { (void)n, show = 1; }
static void on_stop(int n) { (void)n, stop = 1; }

static void to_log(void *arg, const char *line)
{
    if (!*(const bool *)arg)
        fprintf(stderr, "retrace-switch: %s\n", line);
}

static void to_user(void *arg, const char *line) { fprintf(arg, "%s\n", line); }

static int help(void)
{
    puts("Usage: retrace-switch --port PATH[,vlan=N] [--port ...] [--uplink ...] [--control PATH]\n"
         "An Ethernet switch between emulators. Retrace joins with -netdev switch,id=n0,path=PATH, QEMU with\n"
         "-netdev stream,id=n0,addr.type=unix,addr.path=PATH. Without --uplink nothing leaves this host.\n\n"
         "  --port PATH|tcp:HOST:PORT[,SETTINGS]  a socket; each of its peers gets a port set so:\n"
         "      vlan=N                 access port: untagged, in VLAN N (default 1)\n"
         "      trunk=all|10+20+30-39  802.1Q: tagged frames of these VLANs\n"
         "      native=N               on a trunk: untagged frames are in VLAN N (default: dropped)\n"
         "      name=NAME, max=PEERS   what it is called in lists; how many may join\n"
         "  --uplink KIND[,SETTINGS]   a way out, with vlan=, trunk=, native=, name= as above:\n"
         "      user[,hostfwd=...]     NAT to this host's network, with DHCP (options as -netdev user)\n"
         "      tap,ifname=NAME        an interface of this host\n"
         "      stream,addr.type=...   another switch\n"
         "      pcap,file=PATH         a copy of every frame; all VLANs, tagged, or vlan=N\n"
         "  --control PATH             a unix socket that answers \"show ports\" and \"show macs\"\n"
         "  --ask PATH WORDS...        ask there, print the answer and leave\n"
         "  --ageing SECONDS           how long a silent station is remembered (300)\n"
         "  --quiet                    no lines about who joins and leaves\n"
         "  --help, --version\n"
         "SIGUSR1 prints the ports with their counters.");
    return 0;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "retrace-switch: %s\n", err->text);
    return 1;
}

/* --- asking a running one --- */

static enum emu_err ask(const char *path, int words, char **word, struct error *err)
{
    struct address a = {.len = 0};
    char text[200] = "", reply[4096];
    ssize_t n = 0;
    for (int i = 0; i < words; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "", word[i]);
    }
    size_t len = strlen(text);
    if (!len || len + 1 >= sizeof(text))
        return error_set(err, EMU_ARG, "--ask %s: then what to ask, such as show ports", path);
    text[len++] = '\n';
    enum emu_err e = address_unix(path, &a, err);
    if (e)
        return e;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a.sa, a.len) != 0 || write(fd, text, len) != (ssize_t)len)
        e = error_set(err, EMU_IO, "no switch answers at %s: %m; start one with --control %s", path, path);
    while (!e && (n = read(fd, reply, sizeof(reply))) > 0)
        fwrite(reply, 1, (size_t)n, stdout);
    if (fd >= 0)
        close(fd);
    return e;
}

/* --- options --- */

struct options {
    bool quiet;
    unsigned ports;
};

static enum emu_err set_ageing(struct switch_server *s, const char *value, struct error *err)
{
    char *end;
    unsigned long seconds = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || seconds < 1 || seconds > MAX_AGEING)
        return error_set(err, EMU_ARG, "--ageing %s is no number of seconds from 1 to %d", value, MAX_AGEING);
    switch_server_ageing(s, (uint32_t)seconds);
    return EMU_OK;
}

static enum emu_err option(struct switch_server *s, struct options *o, const char *name, const char *value, struct error *err)
{
    static const char *const known[] = {"--port", "--uplink", "--control", "--ageing", "--quiet", "--ask", "--help", "--version", NULL};
    const char *const *k = known;
    while (*k && strcmp(*k, name) != 0)
        k++;
    if (!*k)
        return error_set(err, EMU_ARG, "there is no option %.100s; did you mean %s? (--help lists all)", name, nearest_word(name, known));
    if (!value)
        return error_set(err, EMU_ARG, "%s needs a value (--help)", name);
    if (strcmp(name, "--port") == 0) {
        o->ports++;
        return switch_server_port(s, value, err);
    }
    if (strcmp(name, "--uplink") == 0)
        return switch_server_uplink(s, value, err);
    if (strcmp(name, "--control") == 0)
        return switch_server_control(s, value, err);
    if (strcmp(name, "--ageing") == 0)
        return set_ageing(s, value, err);
    return error_set(err, EMU_ARG, "%s stands alone, as the first option", name);
}

static enum emu_err all_options(struct switch_server *s, struct options *o, int argc, char **argv, struct error *err)
{
    enum emu_err e = EMU_OK;
    for (int i = 1; !e && i < argc; i++) {
        if (strcmp(argv[i], "--quiet") == 0) {
            o->quiet = true;
            continue;
        }
        e = option(s, o, argv[i], i + 1 < argc ? argv[i + 1] : NULL, err);
        i++;
    }
    if (!e && !o->ports)
        e = error_set(err, EMU_ARG, "a switch needs ports; try --port lan.sock (--help)");
    return e;
}

static void serve(struct switch_server *s)
{
    while (!stop) {
        switch_server_poll(s, WAIT_MS);
        if (show)
            switch_server_show(s, "show ports", to_user, stderr);
        show = 0;
    }
}

int main(int argc, char **argv)
{
    struct error err = {""};
    struct options o = {.quiet = false};
    struct switch_server *s = NULL;
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "-h") == 0 || strcmp(first, "--help") == 0)
        return help();
    if (strcmp(first, "--version") == 0)
        return puts("retrace-switch version " RETRACE_VERSION) < 0;
    if (strcmp(first, "--ask") == 0 && argc > 2)
        return ask(argv[2], argc - 3, argv + 3, &err) ? fail(&err) : 0;
    struct sigaction on_usr1 = {.sa_handler = on_show}, on_term = {.sa_handler = on_stop};
    sigaction(SIGUSR1, &on_usr1, NULL);
    sigaction(SIGINT, &on_term, NULL);
    sigaction(SIGTERM, &on_term, NULL);
    enum emu_err e = switch_server_new(to_log, &o.quiet, &s, &err);
    if (!e)
        e = all_options(s, &o, argc, argv, &err);
    if (!e) {
        to_log(&o.quiet, "ready");
        serve(s);
    }
    switch_server_free(s);
    return e ? fail(&err) : 0;
}
