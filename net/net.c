/*
 * Back ends: their names, what is plugged into what, polling. See net.h; netdev.h for the inside.
 */
#include "net/netdev.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/nearest.h"

static const struct net_kind *const kinds[] = {&net_user,  &net_socket, &net_stream,
                                               &net_dgram, &net_tap,    &net_hubport, &net_switch};

enum { TALK_NS = 2000000000 };

/* --- words --- */

enum emu_err net_split(struct net_words *w, const char *spec, struct error *err)
{
    char *to = w->text;
    *w = (struct net_words){.what = spec};
    if (strlen(spec) >= sizeof(w->text))
        return error_set(err, EMU_ARG, "%.40s...: longer than %d characters", spec, NET_SPEC - 1);
    for (const char *p = spec; *p;) {
        if (w->count == NET_WORDS)
            return error_set(err, EMU_ARG, "%.100s: more than %d words", spec, NET_WORDS);
        char *word = to, *equals = NULL;
        for (; *p && (*p != ',' || p[1] == ','); p++) {
            if (*p == ',')
                p++;
            if (*p == '=' && !equals)
                equals = to;
            *to++ = *p;
        }
        if (*p)
            p++;
        *to++ = 0;
        if (equals)
            *equals = 0;
        w->word[w->count].key = word;
        w->word[w->count++].value = equals ? equals + 1 : "on";
    }
    return EMU_OK;
}

const char *net_word_at(struct net_words *w, const char *key, unsigned n)
{
    for (unsigned i = 0; i < w->count; i++) {
        if (strcmp(w->word[i].key, key) != 0 || n-- > 0)
            continue;
        w->word[i].used = true;
        return w->word[i].value;
    }
    return NULL;
}

/* The last one counts, as with options. */
const char *net_word(struct net_words *w, const char *key)
{
    const char *value = NULL, *next;
    for (unsigned n = 0; (next = net_word_at(w, key, n)) != NULL; n++)
        value = next;
    return value;
}

enum emu_err net_on_off(struct net_words *w, const char *key, bool otherwise, bool *on, struct error *err)
{
    const char *value = net_word(w, key);
    *on = value ? strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "y") == 0 : otherwise;
    if (value && !*on && strcmp(value, "off") != 0 && strcmp(value, "no") != 0 && strcmp(value, "n") != 0)
        return error_set(err, EMU_ARG, "%s=%s: use on or off", key, value);
    return EMU_OK;
}

enum emu_err net_all_used(const struct net_words *w, const char *const *known, struct error *err)
{
    for (unsigned i = 0; i < w->count; i++) {
        if (!w->word[i].used)
            return error_set(err, EMU_ARG, "%.200s: there is no word \"%s\"; did you mean \"%s\"?", w->what,
                             w->word[i].key, nearest_word(w->word[i].key, known));
    }
    return EMU_OK;
}

/* --- the list --- */

enum emu_err net_new(const struct net_host *host, struct net **out, struct error *err)
{
    struct net *net = calloc(1, sizeof(*net));
    if (!net)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    net->host = *host;
    *out = net;
    return EMU_OK;
}

static void netdev_free(struct netdev *nd)
{
    if (nd->priv)
        nd->kind->close(nd);
    while (nd->dump)
        nd->dump = pcap_close(nd->dump);
    free(nd);
}

void net_free(struct net *net)
{
    if (!net)
        return;
    while (net->first) {
        struct netdev *nd = net->first;
        net->first = nd->next;
        netdev_free(nd);
    }
    hubs_free(net);
    free(net);
}

struct netdev *net_find(const struct net *net, const char *id)
{
    struct netdev *nd = net->first;
    while (nd && strcmp(nd->id, id) != 0)
        nd = nd->next;
    return nd;
}

static enum emu_err no_netdev(const struct net *net, const char *id, struct error *err)
{
    const char *ids[64] = {0};
    size_t n = 0;
    for (const struct netdev *nd = net->first; nd && n < ARRAY_LEN(ids) - 1; nd = nd->next)
        ids[n++] = nd->id;
    if (!n)
        return error_set(err, EMU_ARG, "there is no back end \"%s\", nor any other; add one with -netdev", id);
    return error_set(err, EMU_ARG, "there is no back end \"%s\"; did you mean \"%s\"?", id, nearest_word(id, ids));
}

void net_list_kinds(net_emit *emit, void *arg)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char line[200];
        snprintf(line, sizeof(line), "%-8s %s", kinds[i]->name, kinds[i]->help);
        emit(arg, line);
    }
}

static const struct net_kind *find_kind(const char *name, struct error *err)
{
    const char *names[ARRAY_LEN(kinds) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
        names[i] = kinds[i]->name;
    }
    error_set(err, EMU_ARG, "there is no network back end \"%s\"; did you mean \"%s\"? (-netdev help lists all)", name,
              nearest_word(name, names));
    return NULL;
}

static void append(struct net *net, struct netdev *nd)
{
    struct netdev **link = &net->first;
    while (*link)
        link = &(*link)->next;
    *link = nd;
}

static enum emu_err open_netdev(struct net *net, const struct net_kind *kind, struct net_words *w, struct error *err)
{
    const char *id = net_word(w, "id");
    if (!id || !*id || strlen(id) >= sizeof(((struct netdev *)0)->id))
        return error_set(err, EMU_ARG, "-netdev %s needs a name of 1 to 31 characters: id=NAME", w->what);
    if (net_find(net, id))
        return error_set(err, EMU_ARG, "there are two back ends with id=%s", id);
    struct netdev *nd = calloc(1, sizeof(*nd));
    if (!nd)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    *nd = (struct netdev){.kind = kind, .net = net, .up = true, .carrier = true};
    snprintf(nd->id, sizeof(nd->id), "%s", id);
    enum emu_err e = kind->open(nd, w, err);
    if (!e)
        e = net_all_used(w, kind->words, err);
    if (e)
        netdev_free(nd);
    else
        append(net, nd);
    return e;
}

enum emu_err net_add(struct net *net, const char *spec, struct error *err)
{
    struct net_words w;
    enum emu_err e = net_split(&w, spec, err);
    if (e)
        return e;
    const char *type = net_word(&w, "type");
    const struct net_kind *kind = find_kind(type ? type : w.count ? w.word[0].key : "", err);
    if (!kind)
        return EMU_ARG;
    if (!type)
        w.word[0].used = true;
    return open_netdev(net, kind, &w, err);
}

static enum emu_err open_dump(struct net *net, struct net_words *w, struct error *err)
{
    const char *id = net_word(w, "netdev"), *file = net_word(w, "file"), *max = net_word(w, "maxlen");
    struct netdev *nd = id ? net_find(net, id) : NULL;
    struct pcap *p;
    char *end = NULL;
    unsigned long len = max ? strtoul(max, &end, 0) : NET_MAX_FRAME;
    if (!file || !id)
        return error_set(err, EMU_ARG, "-object %s: filter-dump needs netdev=ID and file=PATH", w->what);
    if (!nd)
        return no_netdev(net, id, err);
    if ((end && *end) || len < 14 || len > NET_MAX_FRAME)
        return error_set(err, EMU_ARG, "-object %s: maxlen is 14 to %d", w->what, NET_MAX_FRAME);
    enum emu_err e = pcap_open(file, (uint32_t)len, &p, err);
    if (e)
        return e;
    pcap_link(p, nd->dump);
    nd->dump = p;
    return EMU_OK;
}

enum emu_err net_add_object(struct net *net, const char *spec, struct error *err)
{
    static const char *const known[] = {"filter-dump", "id", "netdev", "file", "maxlen", NULL};
    struct net_words w;
    enum emu_err e = net_split(&w, spec, err);
    if (e)
        return e;
    const char *type = net_word(&w, "qom-type");
    if (strcmp(type ? type : w.count ? w.word[0].key : "", "filter-dump") != 0)
        return error_set(err, EMU_ARG, "-object %s: there is only filter-dump,id=ID,netdev=ID,file=PATH", spec);
    if (!type)
        w.word[0].used = true;
    net_word(&w, "id");
    e = open_dump(net, &w, err);
    return e ? e : net_all_used(&w, known, err);
}

enum emu_err net_connect(struct net *net, const char *id, net_deliver *deliver, void *arg, struct netdev **out,
                         struct error *err)
{
    struct netdev *nd = net_find(net, id);
    if (!nd)
        return no_netdev(net, id, err);
    if (nd->deliver)
        return error_set(err, EMU_ARG, "something is plugged into the back end \"%s\" already; to share it, use hubports",
                         id);
    nd->deliver = deliver;
    nd->deliver_arg = arg;
    *out = nd;
    return EMU_OK;
}

/* --- frames --- */

static void dump(struct netdev *nd, const uint8_t *frame, size_t len)
{
    vtime now = nd->net->host.now(nd->net->host.arg);
    nd->net->last_frame = now;
    for (struct pcap *p = nd->dump; p; p = pcap_next(p))
        if (!pcap_frame(p, now, frame, len))
            net_say(nd->net, "network %s: the file of packets cannot be written any more: %m", nd->id);
}

void netdev_send(struct netdev *nd, const uint8_t *frame, size_t len)
{
    if (!nd->up || len == 0 || len > NET_MAX_FRAME) {
        nd->lost++;
        return;
    }
    nd->out++;
    dump(nd, frame, len);
    nd->kind->send(nd, frame, len);
}

void netdev_deliver(struct netdev *nd, const uint8_t *frame, size_t len)
{
    if (!nd->up || !nd->deliver || len == 0 || len > NET_MAX_FRAME) {
        nd->lost++;
        return;
    }
    nd->in++;
    nd->net->arrived = true;
    dump(nd, frame, len);
    nd->deliver(nd->deliver_arg, frame, len);
}

/* --- the link --- */

bool netdev_link(const struct netdev *nd) { return nd->up && nd->carrier; }

void netdev_watch_link(struct netdev *nd, net_link *link) { nd->link = link; }

static void set_link(struct netdev *nd, bool up, bool carrier)
{
    bool before = netdev_link(nd);
    nd->up = up;
    nd->carrier = carrier;
    if (nd->link && netdev_link(nd) != before)
        nd->link(nd->deliver_arg, !before);
}

void netdev_set_carrier(struct netdev *nd, bool carrier) { set_link(nd, nd->up, carrier); }

/* --- polling --- */

int net_poll_add(struct net_poll *p, int fd, short events)
{
    if (p->count == p->max)
        return -1;
    p->fds[p->count] = (struct pollfd){.fd = fd, .events = events};
    return (int)p->count++;
}

size_t net_fill(struct net *net, struct pollfd *fds, size_t max, uint64_t *wait_ns)
{
    struct net_poll p = {.fds = fds, .max = max, .wait_ns = *wait_ns};
    for (struct netdev *nd = net ? net->first : NULL; nd; nd = nd->next) {
        if (nd->kind->fill)
            nd->kind->fill(nd, &p);
    }
    *wait_ns = p.wait_ns;
    return p.count;
}

void net_done(struct net *net, const struct pollfd *fds, size_t count)
{
    struct net_poll p = {.fds = (struct pollfd *)fds, .count = count, .max = count};
    for (struct netdev *nd = net ? net->first : NULL; nd; nd = nd->next) {
        if (nd->kind->done)
            nd->kind->done(nd, &p);
    }
}

bool net_poll(struct net *net)
{
    struct pollfd fds[NET_FDS];
    uint64_t wait_ns = 0;
    if (!net)
        return false;
    net->arrived = false;
    size_t n = net_fill(net, fds, NET_FDS, &wait_ns);
    if (n)
        poll(fds, (nfds_t)n, 0);
    net_done(net, fds, n);
    return net->arrived;
}

bool net_talking(const struct net *net)
{
    if (!net || !net->last_frame)
        return false;
    vtime now = net->host.now(net->host.arg);
    return now < net->last_frame || now - net->last_frame < TALK_NS;
}

/* --- the monitor --- */

void net_say(const struct net *net, const char *fmt, ...)
{
    char line[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (net->host.say)
        net->host.say(net->host.arg, line);
}

void net_print(const struct net *net, const char *id, net_emit *emit, void *arg)
{
    const struct netdev *nd = net ? net_find(net, id) : NULL;
    char detail[256] = "", line[512];
    if (!nd)
        return;
    nd->kind->print(nd, detail, sizeof(detail));
    snprintf(line, sizeof(line), "%s: index=0,type=%s%s%s%s, %llu out, %llu in, %llu dropped", nd->id, nd->kind->name,
             *detail ? "," : "", detail, netdev_link(nd) ? "" : ",link=off", (unsigned long long)nd->out,
             (unsigned long long)nd->in, (unsigned long long)nd->lost);
    emit(arg, line);
}

void net_print_user(const struct net *net, net_emit *emit, void *arg)
{
    for (const struct netdev *nd = net ? net->first : NULL; nd; nd = nd->next) {
        char *text = nd->kind == &net_user ? user_connections(nd) : NULL, *save = NULL;
        if (!text)
            continue;
        char line[64];
        snprintf(line, sizeof(line), "Hub -1 (%s):", nd->id);
        emit(arg, line);
        for (char *l = strtok_r(text, "\r\n", &save); l; l = strtok_r(NULL, "\r\n", &save))
            emit(arg, l);
        free(text);
    }
}

/* The user-mode back end that is meant: the named one, or the first. */
static enum emu_err the_user(const struct net *net, const char *id, struct netdev **out, struct error *err)
{
    struct netdev *nd = net ? net->first : NULL;
    if (id) {
        nd = net ? net_find(net, id) : NULL;
        if (!nd)
            return net ? no_netdev(net, id, err) : error_set(err, EMU_ARG, "this machine has no network");
    }
    while (!id && nd && nd->kind != &net_user)
        nd = nd->next;
    if (!nd || nd->kind != &net_user)
        return error_set(err, EMU_ARG, "there is no user-mode network to forward to; start with -netdev user,id=NAME");
    *out = nd;
    return EMU_OK;
}

enum emu_err net_hostfwd_add(struct net *net, const char *id, const char *rule, struct error *err)
{
    struct netdev *nd;
    enum emu_err e = the_user(net, id, &nd, err);
    return e ? e : user_hostfwd(nd, true, rule, err);
}

enum emu_err net_hostfwd_remove(struct net *net, const char *id, const char *rule, struct error *err)
{
    struct netdev *nd;
    enum emu_err e = the_user(net, id, &nd, err);
    return e ? e : user_hostfwd(nd, false, rule, err);
}

enum emu_err net_set_link(struct net *net, const char *id, bool up, struct error *err)
{
    struct netdev *nd = net ? net_find(net, id) : NULL;
    if (!nd)
        return net ? no_netdev(net, id, err) : error_set(err, EMU_ARG, "this machine has no network");
    set_link(nd, up, nd->carrier);
    return EMU_OK;
}
