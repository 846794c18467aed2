/* The line monitor. See monitor.h; the words and their forms are QEMU's (docs/MONITOR.md). */
#include "machine/monitor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debug/inspect.h"
#include "machine/nearest.h"
#include "machine/pc.h"
#include "net/net.h"

enum { MAX_WORDS = 16, LINE_MAX_LEN = 511 };

/* --- output --- */

static void say(struct monitor *mon, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct monitor *mon, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    mon->out(mon->arg, text);
}

static void say_line(void *arg, const char *line)
{
    struct monitor *mon = arg;
    mon->out(mon->arg, line);
    mon->out(mon->arg, "\n");
}

/* --- words --- */

struct args {
    int count;
    char *word[MAX_WORDS]; /* word[0] is the command */
    const char *fmt;       /* what follows a slash in "x/4xw" */
};

typedef enum emu_err word_fn(struct monitor *mon, const struct args *a, struct error *err);

static enum emu_err number(struct monitor *mon, const char *text, uint64_t *value, struct error *err)
{
    return inspect_expr(&mon->m->pc->cpu, text, value, err);
}

/* A whole number such as -5; `what` names it in the sentence. */
static enum emu_err integer(const char *text, const char *what, int min, int max, int *value, struct error *err)
{
    char *end;
    long v = strtol(text, &end, 0);
    if (end == text || *end || v < min || v > max)
        return error_set(err, EMU_ARG, "\"%s\" is no %s; give a number from %d to %d", text, what, min, max);
    *value = (int)v;
    return EMU_OK;
}

/* Words from `first` on as one expression: "$esp + 4". */
static const char *join(const struct args *a, int first, char *text, size_t len)
{
    size_t n = 0;
    text[0] = 0;
    for (int i = first; i < a->count && n < len; i++)
        n += (size_t)snprintf(text + n, len - n, "%s%s", i > first ? " " : "", a->word[i]);
    return text;
}

/* The format and the expression of "x/4xw ADDR", also written as "x /4xw ADDR". */
static const char *format_and_expr(const struct args *a, char *text, size_t len, const char **fmt)
{
    bool apart = a->word[1][0] == '/' && a->count > 2;
    *fmt = apart ? a->word[1] + 1 : a->fmt ? a->fmt : "";
    return join(a, apart ? 2 : 1, text, len);
}

static enum emu_err word_stop(struct monitor *mon, const struct args *a, struct error *err)
{
    (void)a, (void)err;
    mon->m->running = false;
    return EMU_OK;
}

static enum emu_err word_cont(struct monitor *mon, const struct args *a, struct error *err)
{
    (void)a, (void)err;
    mon->m->pc->cpu.skip_break_once = true;
    mon->m->running = true;
    return EMU_OK;
}

static enum emu_err word_quit(struct monitor *mon, const struct args *a, struct error *err)
{
    (void)a, (void)err;
    mon->quit = true;
    return EMU_OK;
}

static enum emu_err post(struct monitor *mon, enum input_kind kind, struct error *err)
{
    struct input_event ev = {.kind = kind};
    return machine_post(mon->m, &ev, err);
}

static enum emu_err word_reset(struct monitor *mon, const struct args *a, struct error *err)
{
    (void)a;
    return post(mon, INPUT_RESET, err);
}

static enum emu_err word_powerdown(struct monitor *mon, const struct args *a, struct error *err)
{
    (void)a;
    return post(mon, INPUT_POWERDOWN, err);
}

static enum emu_err word_nmi(struct monitor *mon, const struct args *a, struct error *err)
{
    (void)a;
    return post(mon, INPUT_NMI, err);
}

static enum emu_err examine(struct monitor *mon, const struct args *a, bool physical, struct error *err)
{
    char text[LINE_MAX_LEN + 1];
    const char *fmt, *expr = format_and_expr(a, text, sizeof(text), &fmt);
    return inspect_memory(&mon->m->pc->cpu, physical, fmt, expr, say_line, mon, err);
}

static enum emu_err word_x(struct monitor *mon, const struct args *a, struct error *err)
{
    return examine(mon, a, false, err);
}

static enum emu_err word_xp(struct monitor *mon, const struct args *a, struct error *err)
{
    return examine(mon, a, true, err);
}

static enum emu_err word_print(struct monitor *mon, const struct args *a, struct error *err)
{
    uint64_t v;
    char text[LINE_MAX_LEN + 1];
    const char *fmt, *expr = format_and_expr(a, text, sizeof(text), &fmt);
    enum emu_err e = number(mon, expr, &v, err);
    if (e)
        return e;
    switch (*fmt) {
    case 'd': say(mon, "%" PRId64 "\n", (int64_t)v); break;
    case 'u': say(mon, "%" PRIu64 "\n", v); break;
    case 'o': say(mon, "%#" PRIo64 "\n", v); break;
    case 'c': say(mon, "'%c'\n", v >= 32 && v < 127 ? (int)v : '.'); break;
    case 'x':
    case 0: say(mon, "%#" PRIx64 "\n", v); break;
    default: return error_set(err, EMU_ARG, "/%s is no format for one value; use /x /d /u /o or /c", fmt);
    }
    return EMU_OK;
}

static enum emu_err word_sendkey(struct monitor *mon, const struct args *a, struct error *err)
{
    enum { HOLD_MS = 60, LONGEST_MS = 60000 };
    int hold = HOLD_MS;
    enum emu_err e = a->count > 2 ? integer(a->word[2], "time in milliseconds", 1, LONGEST_MS, &hold, err) : EMU_OK;
    return e ? e : typist_keys(&mon->m->typist, a->word[1], (unsigned)hold, machine_now(mon->m), err);
}

static enum emu_err word_type(struct monitor *mon, const struct args *a, struct error *err)
{
    return typist_text(&mon->m->typist, a->word[1], machine_now(mon->m), err);
}

static enum emu_err word_mouse_move(struct monitor *mon, const struct args *a, struct error *err)
{
    int d[3] = {0};
    for (int i = 0; i < 3 && i + 1 < a->count; i++) {
        enum emu_err e = integer(a->word[i + 1], "movement", INT16_MIN, INT16_MAX, &d[i], err);
        if (e)
            return e;
    }
    machine_mouse(mon->m, d[0], d[1], d[2], mon->m->mouse_buttons);
    return EMU_OK;
}

static enum emu_err word_mouse_button(struct monitor *mon, const struct args *a, struct error *err)
{
    int buttons;
    enum emu_err e = integer(a->word[1], "set of buttons", 0, 7, &buttons, err);
    if (e)
        return e;
    mon->m->mouse_buttons = (unsigned)buttons;
    machine_mouse(mon->m, 0, 0, 0, mon->m->mouse_buttons);
    return EMU_OK;
}

/* QEMU's names for drives: "floppy0", "ide1-cd0"; "fda" and "a:" are the older ones. */
static enum emu_err drive_number(const struct monitor *mon, const char *name, unsigned *drive, struct error *err)
{
    static const char *const floppies[] = {"floppy0", "floppy1", "fda", "fdb", "a:", "b:"};
    const char *words[ARRAY_LEN(floppies) + IDE_DRIVES + 1] = {0};
    unsigned number[ARRAY_LEN(words)], n = 0;
    for (unsigned i = 0; i < ARRAY_LEN(floppies); i++, n++) {
        words[n] = floppies[i];
        number[n] = i & 1;
    }
    for (unsigned d = 0; d < IDE_DRIVES; d++) {
        if (!mon->m->cfg.ide[d].present)
            continue;
        words[n] = pc_ide_name(mon->m, d);
        number[n++] = MEDIA_IDE + d;
    }
    for (unsigned i = 0; words[i]; i++) {
        if (strcmp(words[i], name) == 0) {
            *drive = number[i];
            return EMU_OK;
        }
    }
    return error_set(err, EMU_ARG, "there is no drive \"%s\"; did you mean \"%s\"?", name,
                     nearest_word(name, words));
}

/* A locked tray: the guest is asked to let go, and nothing else happens. */
static enum emu_err ask_locked(struct monitor *mon, unsigned drive, const char *name, struct error *err)
{
    if (!machine_locked(mon->m, drive))
        return EMU_OK;
    machine_press_eject(mon->m, drive);
    return error_set(err, EMU_ARG, "%s is locked by the guest, which was asked to eject; try again, or use eject -f", name);
}

/* change floppy0 FILE [FORMAT [MODE]] */
static enum emu_err word_change(struct monitor *mon, const struct args *a, struct error *err)
{
    static const char *const modes[] = {"retain", "read-only", "read-write", NULL};
    static const char *const formats[] = {"raw", "qcow2", NULL};
    const char *format = a->count > 3 ? a->word[3] : NULL;
    unsigned drive;
    const char *mode = a->count > 4 ? a->word[4] : "retain";
    enum emu_err e = drive_number(mon, a->word[1], &drive, err);
    if (!e && format && strcmp(format, formats[0]) != 0 && strcmp(format, formats[1]) != 0)
        return error_set(err, EMU_ARG, "there is no image format \"%s\"; did you mean \"%s\"?", format, nearest_word(format, formats));
    if (!e)
        e = ask_locked(mon, drive, a->word[1], err);
    for (size_t i = 0; !e && modes[i]; i++) {
        if (strcmp(modes[i], mode) == 0)
            return machine_insert(mon->m, drive, a->word[2], format, i == 1, err);
    }
    return e ? e : error_set(err, EMU_ARG, "there is no mode \"%s\"; did you mean \"%s\"?", mode, nearest_word(mode, modes));
}

static enum emu_err word_eject(struct monitor *mon, const struct args *a, struct error *err)
{
    unsigned drive;
    bool force = strcmp(a->word[1], "-f") == 0 && a->count > 2;
    const char *name = force ? a->word[2] : a->word[1];
    enum emu_err e = drive_number(mon, name, &drive, err);
    if (!e && !force)
        e = ask_locked(mon, drive, name, err);
    if (!e && drive >= MEDIA_IDE && !mon->m->cfg.ide[drive - MEDIA_IDE].cdrom)
        return error_set(err, EMU_ARG, "%s is a hard disk and cannot be ejected", name);
    if (!e)
        machine_eject(mon->m, drive);
    return e;
}

static enum emu_err word_screendump(struct monitor *mon, const struct args *a, struct error *err)
{
    struct surface s = {0};
    machine_draw(mon->m, &s);
    enum emu_err e = screen_save(&s, a->word[1], err);
    surface_free(&s);
    return e;
}

static enum emu_err word_screentext(struct monitor *mon, const struct args *a, struct error *err)
{
    char text[SCREEN_TEXT_MAX];
    (void)a, (void)err;
    machine_screen_text(mon->m, text, sizeof(text));
    mon->out(mon->arg, text);
    return EMU_OK;
}

/* Reads guest memory in parts; false: nothing is mapped there. */
typedef bool peek_fn(struct cpu *c, uint64_t addr, void *to, size_t len);

static bool peek_linear(struct cpu *c, uint64_t addr, void *to, size_t len)
{
    return cpu_peek(c, addr, to, len);
}

static bool peek_physical(struct cpu *c, uint64_t addr, void *to, size_t len)
{
    phys_peek_bytes(c->w.phys, addr, to, len);
    return true;
}

static enum emu_err write_range(struct monitor *mon, FILE *f, uint64_t addr, uint64_t len, peek_fn *peek, struct error *err)
{
    while (len) {
        uint8_t part[4096];
        size_t n = len < sizeof(part) ? (size_t)len : sizeof(part);
        if (!peek(&mon->m->pc->cpu, addr, part, n))
            return error_set(err, EMU_ARG, "no memory is mapped at %#" PRIx64 "; nothing was written", addr);
        if (fwrite(part, 1, n, f) != n)
            return error_set(err, EMU_IO, "cannot write all of it: %m");
        addr += n;
        len -= n;
    }
    return EMU_OK;
}

/* Written under another name first: a failure leaves no partial file, and an older one in place. */
static enum emu_err save_range(struct monitor *mon, const char *path, uint64_t addr, uint64_t len,
                               peek_fn *peek, struct error *err)
{
    char temporary[LINE_MAX_LEN + 8];
    if (len > 1ull << 32 || addr > 1ull << 32)
        return error_set(err, EMU_ARG, "%#" PRIx64 " bytes at %#" PRIx64 " reach beyond 4 GiB", len, addr);
    snprintf(temporary, sizeof(temporary), "%s.part", path);
    FILE *f = fopen(temporary, "wb");
    if (!f)
        return error_set(err, EMU_IO, "cannot write %s: %m; choose a folder that can be written", path);
    enum emu_err e = write_range(mon, f, addr, len, peek, err);
    if (fclose(f) != 0 && !e)
        e = error_set(err, EMU_IO, "cannot write all of it: %m");
    if (!e && rename(temporary, path) == 0)
        return EMU_OK;
    if (!e)
        e = error_set(err, EMU_IO, "it cannot take this name: %m");
    remove(temporary);
    return error_prefix(err, e, "%s", path);
}

static enum emu_err save_words(struct monitor *mon, const struct args *a, peek_fn *peek, struct error *err)
{
    uint64_t addr, len;
    enum emu_err e = number(mon, a->word[1], &addr, err);
    if (!e)
        e = number(mon, a->word[2], &len, err);
    return e ? e : save_range(mon, a->word[3], addr, len, peek, err);
}

static enum emu_err word_memsave(struct monitor *mon, const struct args *a, struct error *err)
{
    return save_words(mon, a, peek_linear, err);
}

static enum emu_err word_pmemsave(struct monitor *mon, const struct args *a, struct error *err)
{
    return save_words(mon, a, peek_physical, err);
}

static enum emu_err word_savevm(struct monitor *mon, const struct args *a, struct error *err)
{
    return machine_save(mon->m, a->word[1], err);
}

static enum emu_err word_loadvm(struct monitor *mon, const struct args *a, struct error *err)
{
    return machine_load(mon->m, a->word[1], err);
}

void monitor_where(struct machine *m, char *text, size_t len)
{
    struct cpu *c = &m->pc->cpu;
    char insn[160];
    inspect_insn(c, cpu_pc(c), (c->st.seg[SEG_CS].attr & SEG_ATTR_DB) != 0, insn, sizeof(insn));
    snprintf(text, len, "%04x:%08x  %s", c->st.seg[SEG_CS].selector, (uint32_t)c->st.eip, insn);
}

static enum emu_err word_step(struct monitor *mon, const struct args *a, struct error *err)
{
    uint64_t n = 1;
    char text[200];
    enum emu_err e = a->count > 1 ? number(mon, a->word[1], &n, err) : EMU_OK;
    if (e)
        return e;
    mon->m->running = false;
    machine_step(mon->m, n);
    monitor_where(mon->m, text, sizeof(text));
    say(mon, "%s\n", text);
    return EMU_OK;
}

static void list_breakpoints(struct monitor *mon)
{
    const struct cpu *c = &mon->m->pc->cpu;
    for (uint32_t i = 0; i < c->nbreak; i++)
        say(mon, "%u  0x%08" PRIx64 "\n", i + 1, c->breakpoint[i]);
}

static enum emu_err word_break(struct monitor *mon, const struct args *a, struct error *err)
{
    uint64_t addr;
    if (a->count < 2) {
        list_breakpoints(mon);
        return EMU_OK;
    }
    enum emu_err e = number(mon, a->word[1], &addr, err);
    if (!e && !cpu_break_add(&mon->m->pc->cpu, addr))
        e = error_set(err, EMU_ARG, "no more than %d breakpoints; delete one (del ADDR)", CPU_BREAKPOINTS);
    return e;
}

static enum emu_err word_delete(struct monitor *mon, const struct args *a, struct error *err)
{
    uint64_t addr;
    enum emu_err e = number(mon, a->word[1], &addr, err);
    if (!e && !cpu_break_remove(&mon->m->pc->cpu, addr))
        e = error_set(err, EMU_ARG, "there is no breakpoint at %#" PRIx64 "; `b` lists them", addr);
    return e;
}

static enum emu_err word_trace(struct monitor *mon, const struct args *a, struct error *err)
{
    uint32_t mask = 0;
    enum emu_err e = strcmp(a->word[1], "none") == 0 ? EMU_OK : trace_parse(a->word[1], &mask, err);
    if (!e)
        pc_set_trace(mon->m->pc, mask);
    return e;
}

/* --- networks --- */

/* hostfwd_add [NETDEV] RULE; the same for hostfwd_remove. */
static enum emu_err word_hostfwd_add(struct monitor *mon, const struct args *a, struct error *err)
{
    bool named = a->count > 2;
    return net_hostfwd_add(mon->m->host.net, named ? a->word[1] : NULL, a->word[named ? 2 : 1], err);
}

static enum emu_err word_hostfwd_remove(struct monitor *mon, const struct args *a, struct error *err)
{
    bool named = a->count > 2;
    return net_hostfwd_remove(mon->m->host.net, named ? a->word[1] : NULL, a->word[named ? 2 : 1], err);
}

/* A card by its name (the guest sees it), else a back end. */
static enum emu_err word_set_link(struct monitor *mon, const struct args *a, struct error *err)
{
    bool up = strcmp(a->word[2], "on") == 0;
    if (!up && strcmp(a->word[2], "off") != 0)
        return error_set(err, EMU_ARG, "\"%s\" is no state of a link; use on or off", a->word[2]);
    for (unsigned i = 0; i < mon->m->cfg.nics; i++) {
        if (strcmp(mon->m->cfg.nic[i].name, a->word[1]) == 0) {
            machine_set_link(mon->m, i, up);
            return EMU_OK;
        }
    }
    return net_set_link(mon->m->host.net, a->word[1], up, err);
}

/* --- info --- */

static void info_registers(struct monitor *mon) { inspect_registers(&mon->m->pc->cpu, say_line, mon); }
static void info_tlb(struct monitor *mon) { mmu_print_tlb(&mon->m->pc->cpu.mmu, say_line, mon); }
static void info_mem(struct monitor *mon) { mmu_print_mem(&mon->m->pc->cpu.mmu, say_line, mon); }
static void info_mtree(struct monitor *mon) { phys_print(mon->m->pc->phys, say_line, mon); }
static void info_pic(struct monitor *mon) { pc_print_pic(mon->m->pc, say_line, mon); }
static void info_pci(struct monitor *mon) { pc_print_pci(mon->m->pc, say_line, mon); }

static void info_status(struct monitor *mon)
{
    say(mon, "VM status: %s\n", mon->m->running ? "running" : "paused");
}

static void info_hash(struct monitor *mon)
{
    say(mon, "%016" PRIx64 " icount %" PRIu64 " time %" PRIu64 "\n", machine_hash(mon->m),
        machine_icount(mon->m), machine_now(mon->m));
}

static void info_cpus(struct monitor *mon)
{
    struct cpu *c = &mon->m->pc->cpu;
    say(mon, "* CPU #0: model=%s core=%s pc=0x%08" PRIx64 "%s\n", c->model.name,
        c->core == CORE_FAST ? "fast" : "reference", cpu_pc(c), c->st.halted ? " (halted)" : "");
}

static void info_drive(struct monitor *mon, const char *name, const struct blk *b, bool snapshot)
{
    if (b)
        say(mon, "%s: %" PRIu64 " KiB%s%s\n", name, b->size / 1024,
            b->read_only ? ", read-only" : "", snapshot && !b->read_only ? ", writes stay in memory" : "");
    else
        say(mon, "%s: [not inserted]\n", name);
}

static void info_block(struct monitor *mon)
{
    static const char *const floppies[FLOPPY_DRIVES] = {"floppy0", "floppy1"};
    const struct machine_config *cfg = &mon->m->cfg;
    for (unsigned d = 0; d < FLOPPY_DRIVES; d++)
        info_drive(mon, floppies[d], machine_medium(mon->m, d), cfg->snapshot);
    for (unsigned d = 0; d < IDE_DRIVES; d++) {
        const char *name = pc_ide_name(mon->m, d);
        if (!cfg->ide[d].present)
            continue;
        info_drive(mon, name, machine_medium(mon->m, MEDIA_IDE + d), cfg->snapshot || cfg->ide[d].snapshot);
        if (machine_locked(mon->m, MEDIA_IDE + d))
            say(mon, "    locked by the guest\n");
    }
}

/* QEMU's form: each card, below it what it is plugged into. */
static void info_network(struct monitor *mon)
{
    const struct machine *m = mon->m;
    net_print_hubs(m->host.net, say_line, mon);
    for (unsigned i = 0; i < m->cfg.nics; i++) {
        const struct nic_config *c = &m->cfg.nic[i];
        say(mon, "%s: index=0,type=nic,model=%s,macaddr=%02x:%02x:%02x:%02x:%02x:%02x%s, %u waiting, %" PRIu64 " dropped\n",
            c->name, nic_model_name(c->model), c->mac[0], c->mac[1], c->mac[2], c->mac[3], c->mac[4], c->mac[5],
            pc_link(m->pc, i) ? "" : ",link=off", m->packets[i].count, m->packets[i].dropped);
        if (c->netdev[0]) {
            say(mon, " \\ ");
            net_print(m->host.net, c->netdev, say_line, mon);
        }
    }
}

static void info_usernet(struct monitor *mon) { net_print_user(mon->m->host.net, say_line, mon); }

static void info_version(struct monitor *mon) { say(mon, "%s\n", RETRACE_VERSION); }

static const struct {
    const char *name;
    void (*fn)(struct monitor *mon);
    const char *help;
} info_words[] = {
    {"registers", info_registers, "the CPU's registers"},
    {"status", info_status, "running or paused"},
    {"hash", info_hash, "hash of the whole machine, instruction count, virtual time"},
    {"cpus", info_cpus, "the CPU"},
    {"pic", info_pic, "the interrupt controllers"},
    {"pci", info_pci, "PCI functions"},
    {"mem", info_mem, "mapped linear ranges"},
    {"tlb", info_tlb, "page translations"},
    {"mtree", info_mtree, "the physical address map"},
    {"block", info_block, "drives and their images"},
    {"network", info_network, "network cards and what they are plugged into"},
    {"usernet", info_usernet, "connections of user-mode networks"},
    {"version", info_version, "version"},
};

/* Without a device: their names. */
static enum emu_err info_state(struct monitor *mon, const char *id, struct error *err)
{
    const char *ids[64] = {0};
    size_t n = 0;
    for (struct device *d = mon->m->pc->devices; d; d = d->next) {
        if (!id)
            say(mon, "%s\n", d->id);
        if (id && strcmp(d->id, id) == 0) {
            if (d->cls->pre_save)
                d->cls->pre_save(d);
            state_print(d->cls->state, device_state(d), say_line, mon);
            return EMU_OK;
        }
        if (n < ARRAY_LEN(ids) - 1)
            ids[n++] = d->id;
    }
    return id ? error_set(err, EMU_ARG, "there is no device \"%s\"; did you mean \"%s\"?", id, nearest_word(id, ids)) : EMU_OK;
}

static enum emu_err info_help(struct monitor *mon)
{
    for (size_t i = 0; i < ARRAY_LEN(info_words); i++)
        say(mon, "info %-10s -- %s\n", info_words[i].name, info_words[i].help);
    say(mon, "info %-10s -- the declared state of a device; without ID: the devices\n", "state [ID]");
    return EMU_OK;
}

static enum emu_err word_info(struct monitor *mon, const struct args *a, struct error *err)
{
    const char *words[ARRAY_LEN(info_words) + 2] = {"state"};
    if (a->count < 2 || strcmp(a->word[1], "help") == 0)
        return info_help(mon);
    if (strcmp(a->word[1], "state") == 0)
        return info_state(mon, a->count > 2 ? a->word[2] : NULL, err);
    for (size_t i = 0; i < ARRAY_LEN(info_words); i++) {
        if (strcmp(info_words[i].name, a->word[1]) == 0) {
            info_words[i].fn(mon);
            return EMU_OK;
        }
        words[i + 1] = info_words[i].name;
    }
    return error_set(err, EMU_ARG, "there is no info about \"%s\"; did you mean \"info %s\"?", a->word[1],
                     nearest_word(a->word[1], words));
}

/* --- the table --- */

static word_fn word_help;

static const struct word {
    const char *name;
    int min, max; /* arguments that it takes */
    word_fn *fn;
    const char *usage, *help;
    bool repeats; /* an empty line runs it again */
} words[] = {
    {"help", 0, 1, word_help, "[WORD]", "this list", false},
    {"info", 0, 2, word_info, "SUBJECT", "show something (info help)", false},
    {"stop", 0, 0, word_stop, "", "pause the machine", false},
    {"cont", 0, 0, word_cont, "", "go on", false},
    {"c", 0, 0, word_cont, "", "go on", false},
    {"quit", 0, 0, word_quit, "", "leave the emulator", false},
    {"q", 0, 0, word_quit, "", "leave the emulator", false},
    {"system_reset", 0, 0, word_reset, "", "press the reset button", false},
    {"system_powerdown", 0, 0, word_powerdown, "", "press the power button", false},
    {"nmi", 0, 0, word_nmi, "", "non-maskable interrupt", false},
    {"x", 1, MAX_WORDS, word_x, "/FMT ADDR", "memory at a linear address", true},
    {"xp", 1, MAX_WORDS, word_xp, "/FMT ADDR", "memory at a physical address", true},
    {"print", 1, MAX_WORDS, word_print, "[/FMT] EXPR", "value of an expression", false},
    {"p", 1, MAX_WORDS, word_print, "[/FMT] EXPR", "value of an expression", false},
    {"sendkey", 1, 2, word_sendkey, "KEYS [MS]", "press keys such as ctrl-alt-delete", false},
    {"type", 1, 1, word_type, "\"TEXT\"", "type text; \\n is Enter", false},
    {"mouse_move", 2, 3, word_mouse_move, "DX DY [DZ]", "move the mouse", false},
    {"mouse_button", 1, 1, word_mouse_button, "STATE", "1 left, 2 right, 4 middle", false},
    {"change", 2, 4, word_change, "DRIVE FILE [FORMAT [MODE]]", "put an image into floppy0, ide1-cd0...", false},
    {"eject", 1, 2, word_eject, "[-f] DRIVE", "empty a drive (-f: also one that the guest has locked)", false},
    {"hostfwd_add", 1, 2, word_hostfwd_add, "[NETDEV] tcp:[HOST]:PORT-[GUEST]:PORT", "forward a port of this host", false},
    {"hostfwd_remove", 1, 2, word_hostfwd_remove, "[NETDEV] tcp:[HOST]:PORT", "no longer", false},
    {"set_link", 2, 2, word_set_link, "NAME on|off", "plug or pull a network cable", false},
    {"screendump", 1, 1, word_screendump, "FILE", "save the picture (PNG, or PPM by name)", false},
    {"screentext", 0, 0, word_screentext, "", "the text on the screen", false},
    {"pmemsave", 3, 3, word_pmemsave, "ADDR LEN FILE", "save physical memory", false},
    {"memsave", 3, 3, word_memsave, "ADDR LEN FILE", "save linear memory", false},
    {"savevm", 1, 1, word_savevm, "FILE", "save the whole machine", false},
    {"loadvm", 1, 1, word_loadvm, "FILE", "load a saved machine", false},
    {"step", 0, 1, word_step, "[N]", "execute N instructions", true},
    {"s", 0, 1, word_step, "[N]", "execute N instructions", true},
    {"b", 0, 1, word_break, "[ADDR]", "breakpoint at a linear address; without one: list", false},
    {"del", 1, 1, word_delete, "ADDR", "remove a breakpoint", false},
    {"trace", 1, 1, word_trace, "WORDS", "trace categories (none, all, pit,pic,...)", false},
    {"log", 1, 1, word_trace, "WORDS", "the same", false},
};

static const struct word *find_word(const char *name, struct error *err)
{
    const char *names[ARRAY_LEN(words) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i].name, name) == 0)
            return &words[i];
        names[i] = words[i].name;
    }
    error_set(err, EMU_ARG, "unknown command: '%s'; did you mean \"%s\"? (help lists all)", name,
              nearest_word(name, names));
    return NULL;
}

static enum emu_err word_help(struct monitor *mon, const struct args *a, struct error *err)
{
    const struct word *only = a->count > 1 ? find_word(a->word[1], err) : NULL;
    if (a->count > 1 && !only)
        return EMU_ARG;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!only || only == &words[i])
            say(mon, "%s%s%s -- %s\n", words[i].name, *words[i].usage ? " " : "", words[i].usage, words[i].help);
    }
    return EMU_OK;
}

int monitor_split(char *line, char **word, int max)
{
    int n = 0;
    for (char *p = line; n < max;) {
        p += strspn(p, " \t\r\n");
        if (!*p)
            break;
        bool quoted = *p == '"';
        char *to = p += quoted;
        word[n++] = p;
        while (*p && (quoted ? *p != '"' : !strchr(" \t\r\n", *p))) {
            if (quoted && p[0] == '\\' && p[1] == '"')
                p++;
            else if (quoted && p[0] == '\\' && p[1])
                *to++ = *p++;
            *to++ = *p++;
        }
        if (quoted && !*p)
            return -1;
        if (*p)
            p++;
        *to = 0;
    }
    return n;
}

/* *repeats: an empty line may run these words again. */
static enum emu_err run_words(struct monitor *mon, struct args *a, bool *repeats, struct error *err)
{
    char *slash = strchr(a->word[0], '/'); /* x/4xw */
    if (slash) {
        *slash = 0;
        a->fmt = slash + 1;
    }
    const struct word *w = find_word(a->word[0], err);
    if (!w)
        return EMU_ARG;
    if (a->count - 1 < w->min || a->count - 1 > w->max)
        return error_set(err, EMU_ARG, "usage: %s %s", w->name, w->usage);
    *repeats = w->repeats;
    return w->fn(mon, a, err);
}

enum emu_err monitor_run(struct monitor *mon, const char *line, struct error *err)
{
    char copy[LINE_MAX_LEN + 1];
    struct args a = {0};
    if (strlen(line) > LINE_MAX_LEN)
        return error_set(err, EMU_ARG, "the line is longer than %d characters", LINE_MAX_LEN);
    if (*line)
        snprintf(mon->last, sizeof(mon->last), "%s", line);
    snprintf(copy, sizeof(copy), "%s", mon->last);
    a.count = monitor_split(copy, a.word, MAX_WORDS);
    bool repeats = false;
    enum emu_err e = a.count < 0   ? error_set(err, EMU_ARG, "a quote is not closed in: %.200s", line)
                     : a.count > 0 ? run_words(mon, &a, &repeats, err)
                                   : EMU_OK;
    if (e || !repeats)
        mon->last[0] = 0;
    return e;
}

enum emu_err monitor_line(struct monitor *mon, const char *line, struct error *err)
{
    enum emu_err e = monitor_run(mon, line, err);
    if (e)
        say(mon, "%s\n", err->text);
    return e;
}

void monitor_init(struct monitor *mon, struct machine *m, void (*out)(void *arg, const char *text), void *arg)
{
    *mon = (struct monitor){.m = m, .out = out, .arg = arg};
}
