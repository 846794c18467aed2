/* Command-line parsing. See options.h; names are QEMU's (docs/OPTIONS.md, `retrace -h`). */
#include "ui/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "machine/nearest.h"
#include "net/net.h"

typedef enum emu_err option_fn(struct options *o, const char *value, struct error *err);

/* One of `words`; its index, or -1 with a sentence. */
static int choose(const char *option, const char *value, const char *const *words, struct error *err)
{
    char list[256] = "";
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0)
            return i;
        size_t n = strlen(list);
        snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", words[i]);
    }
    error_set(err, EMU_ARG, "%s has no choice \"%s\"; did you mean \"%s\"? (choices: %s)", option, value,
              nearest_word(value, words), list);
    return -1;
}

static enum emu_err opt_machine(struct options *o, const char *value, struct error *err)
{
    static const char *const words[] = {"pc", "isapc", NULL};
    char name[64];
    const char *from = strncmp(value, "type=", 5) == 0 ? value + 5 : value;
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(from, ","), from); /* "pc,accel=tcg" */
    int i = choose("-M", name, words, err);
    if (i < 0)
        return EMU_ARG;
    o->cfg.board = i == 0 ? BOARD_PC : BOARD_ISAPC;
    return EMU_OK;
}

static enum emu_err opt_cpu(struct options *o, const char *value, struct error *err)
{
    return cpu_model_parse(value, &o->cfg.cpu, err);
}

static enum emu_err opt_core(struct options *o, const char *value, struct error *err)
{
    static const char *const words[] = {"fast", "reference", NULL};
    int i = choose("-core", value, words, err);
    o->cfg.core = i == 1 ? CORE_REFERENCE : CORE_FAST;
    return i < 0 ? EMU_ARG : EMU_OK;
}

static enum emu_err opt_accel(struct options *o, const char *value, struct error *err)
{
    static const char *const words[] = {"interp", "tcg", NULL};
    (void)o;
    if (strncmp(value, "kvm", 3) == 0)
        return error_set(err, EMU_UNSUPPORTED, "-accel kvm: Retrace interprets every instruction itself; leave -accel out");
    return choose("-accel", value, words, err) < 0 ? EMU_ARG : EMU_OK;
}

static enum emu_err opt_memory(struct options *o, const char *value, struct error *err)
{
    char *end;
    double n = strtod(value + (strncmp(value, "size=", 5) == 0 ? 5 : 0), &end);
    double unit = *end == 'G' || *end == 'g'   ? 1024.0 * 1024 * 1024
                  : *end == 'K' || *end == 'k' ? 1024.0
                                               : 1024.0 * 1024;
    if (*end && strchr("GgKkMm", *end))
        end++;
    if (*end || !(n > 0))
        return error_set(err, EMU_ARG, "-m %s is no memory size; write it as 64, 64M or 1G", value);
    if (n * unit > (double)MAX_RAM_MIB * 1048576)
        return error_set(err, EMU_ARG, "-m %s is more than this machine can have; use at most %dM", value, MAX_RAM_MIB);
    o->cfg.ram_size = (uint64_t)(n * unit) & ~0xfffull;
    return EMU_OK;
}

static enum emu_err opt_fda(struct options *o, const char *v, struct error *e) { (void)e; o->cfg.floppy_path[0] = v; return EMU_OK; }
static enum emu_err opt_fdb(struct options *o, const char *v, struct error *e) { (void)e; o->cfg.floppy_path[1] = v; return EMU_OK; }
static enum emu_err opt_bios(struct options *o, const char *v, struct error *e) { (void)e; o->cfg.bios_path = v; return EMU_OK; }
static enum emu_err opt_kernel(struct options *o, const char *v, struct error *e) { (void)e; o->cfg.kernel_path = v; return EMU_OK; }
static enum emu_err opt_initrd(struct options *o, const char *v, struct error *e) { (void)e; o->cfg.initrd_path = v; return EMU_OK; }
static enum emu_err opt_append(struct options *o, const char *v, struct error *e) { (void)e; o->cfg.append = v; return EMU_OK; }
static enum emu_err opt_snapshot(struct options *o, const char *v, struct error *e) { (void)v, (void)e; o->cfg.snapshot = true; return EMU_OK; }
static enum emu_err opt_parallel(struct options *o, const char *v, struct error *e) { (void)e; o->parallel = v; return EMU_OK; }
static enum emu_err opt_monitor(struct options *o, const char *v, struct error *e) { (void)e; o->monitor = v; return EMU_OK; }
static enum emu_err opt_script(struct options *o, const char *v, struct error *e) { (void)e; o->script = v; return EMU_OK; }
static enum emu_err opt_loadvm(struct options *o, const char *v, struct error *e) { (void)e; o->loadvm = v; return EMU_OK; }
static enum emu_err opt_record(struct options *o, const char *v, struct error *e) { (void)e; o->record = v; return EMU_OK; }
static enum emu_err opt_replay(struct options *o, const char *v, struct error *e) { (void)e; o->replay = v; return EMU_OK; }
static enum emu_err opt_gdb(struct options *o, const char *v, struct error *e) { (void)e; o->gdb = v; return EMU_OK; }
static enum emu_err opt_gdb_default(struct options *o, const char *v, struct error *e) { (void)v, (void)e; o->gdb = "tcp::1234"; return EMU_OK; }
static enum emu_err opt_log(struct options *o, const char *v, struct error *e) { (void)e; o->log_file = v; return EMU_OK; }
static enum emu_err opt_paused(struct options *o, const char *v, struct error *e) { (void)v, (void)e; o->paused = true; return EMU_OK; }
static enum emu_err opt_no_reboot(struct options *o, const char *v, struct error *e) { (void)v, (void)e; o->no_reboot = true; return EMU_OK; }
static enum emu_err opt_full_screen(struct options *o, const char *v, struct error *e) { (void)v, (void)e; o->full_screen = true; return EMU_OK; }
static enum emu_err opt_firmware(struct options *o, const char *v, struct error *e) { (void)e; o->firmware_dir = v; return EMU_OK; }
static enum emu_err opt_trace(struct options *o, const char *v, struct error *e) { return trace_parse(v, &o->trace, e); }

/* "guest=NAME" as well; what follows a comma is for QEMU's process and thread names. */
static enum emu_err opt_name(struct options *o, const char *value, struct error *err)
{
    const char *from = strncmp(value, "guest=", 6) == 0 ? value + 6 : value;
    (void)err;
    snprintf(o->name, sizeof(o->name), "%.*s", (int)strcspn(from, ","), from);
    o->cfg.name = o->name;
    return EMU_OK;
}

/* QEMU's -d words are our trace categories; "cpu" is part of exec. */
static enum emu_err opt_debug(struct options *o, const char *value, struct error *err)
{
    if (strcmp(value, "cpu") == 0)
        value = "exec";
    return trace_parse(value, &o->trace, err);
}

static enum emu_err opt_serial(struct options *o, const char *value, struct error *err)
{
    for (unsigned i = 0; i < SERIAL_PORTS; i++) {
        if (!o->serial[i]) {
            o->serial[i] = value;
            return EMU_OK;
        }
    }
    return error_set(err, EMU_ARG, "more than %d -serial options; this machine has %d ports", SERIAL_PORTS, SERIAL_PORTS);
}

static enum emu_err opt_debugcon(struct options *o, const char *value, struct error *err)
{
    (void)err;
    o->debugcon = value;
    return EMU_OK;
}

/* -global isa-debugcon.iobase=0x402 chooses the port; other globals are refused. */
static enum emu_err opt_global(struct options *o, const char *value, struct error *err)
{
    static const char name[] = "isa-debugcon.iobase=";
    if (strncmp(value, name, sizeof(name) - 1) != 0)
        return error_set(err, EMU_ARG, "-global %s: only isa-debugcon.iobase=PORT can be set", value);
    char *end;
    unsigned long port = strtoul(value + sizeof(name) - 1, &end, 0);
    if (*end || (port != 0x402 && port != 0xe9))
        return error_set(err, EMU_ARG, "-global %s: the debug ports are 0x402 and 0xe9", value);
    o->debug_port = (uint16_t)port;
    return EMU_OK;
}

static enum emu_err opt_display(struct options *o, const char *value, struct error *err)
{
    static const char *const words[] = {"sdl", "text", "curses", "none", "gtk", NULL};
    static const enum display_kind kinds[] = {DISPLAY_SDL, DISPLAY_TEXT, DISPLAY_TEXT, DISPLAY_NONE, DISPLAY_SDL};
    int i = choose("-display", value, words, err);
    if (i < 0)
        return EMU_ARG;
    o->display = kinds[i];
    return EMU_OK;
}

static enum emu_err opt_nographic(struct options *o, const char *value, struct error *err)
{
    (void)value, (void)err;
    o->nographic = true;
    return EMU_OK;
}

/* What -nographic means beside the other options: serial port and monitor share the terminal, as far
 * as neither leads elsewhere. */
static void apply_nographic(struct options *o)
{
    o->display = DISPLAY_NONE;
    if (!o->serial[0])
        o->serial[0] = o->monitor ? (strcmp(o->monitor, "stdio") == 0 ? "none" : "stdio") : "mon:stdio";
}

/* on or off; anything else is an error that names the option. */
static enum emu_err on_off(const char *option, const char *value, bool *on, struct error *err)
{
    static const char *const words[] = {"on", "off", NULL};
    int i = choose(option, value, words, err);
    *on = i == 0;
    return i < 0 ? EMU_ARG : EMU_OK;
}

/* The value of "key=value" in `word`, or NULL. */
static const char *value_of(const char *word, const char *key)
{
    size_t n = strlen(key);
    return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

/* "order=ac", "menu=on", "once=d", or plain letters. */
static enum emu_err boot_word(struct options *o, const char *word, struct error *err)
{
    const char *menu = value_of(word, "menu"), *letters = value_of(word, "order");
    if (menu)
        return on_off("-boot menu=", menu, &o->cfg.boot_menu, err);
    if (!letters)
        letters = value_of(word, "once");
    if (!letters)
        letters = word;
    if (!*letters || letters[strspn(letters, "acdn")])
        return error_set(err, EMU_ARG, "-boot %s: use letters of a (floppy) c (disk) d (CD) n (network), or menu=on", word);
    o->cfg.boot_order = letters;
    return EMU_OK;
}

static enum emu_err opt_boot(struct options *o, const char *value, struct error *err)
{
    char *save = NULL;
    if (strlen(value) >= sizeof(o->boot_words))
        return error_set(err, EMU_ARG, "-boot %.40s...: that is too long", value);
    snprintf(o->boot_words, sizeof(o->boot_words), "%s", value);
    for (char *w = strtok_r(o->boot_words, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        enum emu_err e = boot_word(o, w, err);
        if (e)
            return e;
    }
    return EMU_OK;
}

/* shift=N or auto; QEMU's align= and sleep= have no meaning here beyond what the pacing does anyway. */
static enum emu_err icount_word(struct options *o, const char *word, const char *whole, struct error *err)
{
    enum { MAX_SHIFT = 10 };
    char *end;
    const char *number = value_of(word, "shift");
    const char *rr = value_of(word, "rr"), *rr_file = value_of(word, "rrfile");
    if (value_of(word, "align") || value_of(word, "sleep"))
        return EMU_OK;
    if (rr_file)
        snprintf(o->rr_file, sizeof(o->rr_file), "%s", rr_file);
    if (rr) {
        o->rr_record = strcmp(rr, "record") == 0;
        o->rr_replay = strcmp(rr, "replay") == 0;
    }
    if (rr && !o->rr_record && !o->rr_replay)
        return error_set(err, EMU_ARG, "-icount %s: use rr=record or rr=replay", whole);
    if (rr || rr_file)
        return EMU_OK;
    if (!number)
        number = word;
    o->cfg.icount_fixed = strcmp(number, "auto") != 0;
    if (!o->cfg.icount_fixed)
        return EMU_OK;
    unsigned long shift = strtoul(number, &end, 10);
    if (end == number || *end || number[0] == '-' || shift > MAX_SHIFT)
        return error_set(err, EMU_ARG, "-icount %s: use shift=0 to shift=%d (2^N ns an instruction) or auto", whole, MAX_SHIFT);
    o->cfg.icount_shift = (unsigned)shift;
    return EMU_OK;
}

/* Hands each word of a list "a,b=c" to `take`. */
static enum emu_err each_word(struct options *o, const char *list,
                              enum emu_err (*take)(struct options *o, const char *word, const char *whole, struct error *err),
                              struct error *err)
{
    enum emu_err e = EMU_OK;
    for (const char *p = list; !e; p++) {
        char word[4096];
        size_t n = strcspn(p, ",");
        snprintf(word, sizeof(word), "%.*s", (int)n, p);
        e = take(o, word, list, err);
        p += n;
        if (!*p)
            break;
    }
    return e;
}

static enum emu_err opt_icount(struct options *o, const char *value, struct error *err)
{
    return each_word(o, value, icount_word, err);
}

static bool same_date(const struct tm *a, const struct tm *b)
{
    return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday &&
           a->tm_hour == b->tm_hour && a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

/* 2026-01-31 or 2026-01-31T12:00:00. */
static bool parse_date(const char *text, uint64_t *seconds)
{
    struct tm tm = {0};
    int day_end = 0, end = 0;
    sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &day_end);
    sscanf(text, "%*4d-%*2d-%*2dT%2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    struct tm asked = tm;
    time_t t = timegm(&tm); /* brings 31 February to March: not what was asked for */
    *seconds = (uint64_t)t;
    return day_end && !text[end ? end : day_end] && t >= 0 && same_date(&tm, &asked);
}

/* base=...; the clock always runs with the machine (QEMU's clock=vm). */
static enum emu_err rtc_word(struct options *o, const char *word, const char *whole, struct error *err)
{
    const char *base = value_of(word, "base");
    time_t now = time(NULL);
    if (value_of(word, "clock") || value_of(word, "driftfix"))
        return EMU_OK;
    if (!base)
        base = word;
    if (strcmp(base, "utc") == 0)
        o->cfg.rtc_base = (uint64_t)now;
    else if (strcmp(base, "localtime") == 0)
        o->cfg.rtc_base = (uint64_t)timegm(localtime(&now));
    else if (!parse_date(base, &o->cfg.rtc_base))
        return error_set(err, EMU_ARG, "-rtc %s: use base=utc, base=localtime, base=2026-01-31 or base=2026-01-31T12:00:00", whole);
    return EMU_OK;
}

static enum emu_err opt_rtc(struct options *o, const char *value, struct error *err)
{
    return each_word(o, value, rtc_word, err);
}

/* --- drives --- */

static enum emu_err set_ide(struct options *o, unsigned index, struct ide_config c, struct error *err)
{
    if (o->cfg.ide[index].present)
        return error_set(err, EMU_ARG, "IDE drive %u is given twice; -hda is 0, -hdb 1, -hdc and -cdrom 2, -hdd 3", index);
    c.present = true;
    o->cfg.ide[index] = c;
    return EMU_OK;
}

static enum emu_err opt_hda(struct options *o, const char *v, struct error *e) { return set_ide(o, 0, (struct ide_config){.path = v}, e); }
static enum emu_err opt_hdb(struct options *o, const char *v, struct error *e) { return set_ide(o, 1, (struct ide_config){.path = v}, e); }
static enum emu_err opt_hdc(struct options *o, const char *v, struct error *e) { return set_ide(o, 2, (struct ide_config){.path = v}, e); }
static enum emu_err opt_hdd(struct options *o, const char *v, struct error *e) { return set_ide(o, 3, (struct ide_config){.path = v}, e); }
static enum emu_err opt_cdrom(struct options *o, const char *v, struct error *e) { return set_ide(o, 2, (struct ide_config){.path = v, .cdrom = true}, e); }

/* What -drive says. */
struct drive_words {
    struct ide_config c;
    bool floppy, indexed;
    unsigned index;
};

/* One "key=value" of -drive. The value lives as long as the options. */
static enum emu_err drive_word(struct drive_words *d, const char *key, const char *value, struct error *err)
{
    static const char *const keys[] = {"file", "format", "if", "index", "media", "snapshot", "readonly",
                                       "read-only", "cache", "timing", "id", "werror", "rerror", "backing", NULL};
    static const char *const formats[] = {"raw", "qcow2", NULL}, *const interfaces[] = {"ide", "floppy", NULL};
    static const char *const media[] = {"disk", "cdrom", NULL}, *const timings[] = {"fast", "real", NULL};
    static const char *const caches[] = {"writeback", "none", "unsafe", "writethrough", "directsync", NULL};
    static const char *const errors[] = {"report", "ignore", "stop", "enospc", NULL}, *const backings[] = {"allow", "deny", NULL};
    char *end;
    int i = choose("-drive", key, keys, err);
    switch (i) {
    case 0: d->c.path = value; return EMU_OK;
    case 1: d->c.format = value; return choose("-drive format=", value, formats, err) < 0 ? EMU_ARG : EMU_OK;
    case 2: d->floppy = (i = choose("-drive if=", value, interfaces, err)) == 1; break;
    case 3:
        d->index = (unsigned)strtoul(value, &end, 10);
        d->indexed = true;
        return *value && !*end ? EMU_OK : error_set(err, EMU_ARG, "-drive index=%s: that is no number", value);
    case 4: d->c.cdrom = (i = choose("-drive media=", value, media, err)) == 1; break;
    case 5: return on_off("-drive snapshot=", value, &d->c.snapshot, err);
    case 6:
    case 7: return on_off("-drive readonly=", value, &d->c.readonly, err);
    case 8: d->c.write_through = (i = choose("-drive cache=", value, caches, err)) >= 3; break;
    case 9: d->c.real = (i = choose("-drive timing=", value, timings, err)) == 1; break;
    case 11: d->c.werror = DRIVE_REPORT + (enum drive_on_error)(i = choose("-drive werror=", value, errors, err)); break;
    case 12:
        d->c.rerror = DRIVE_REPORT + (enum drive_on_error)(i = choose("-drive rerror=", value, errors, err));
        return d->c.rerror == DRIVE_ENOSPC ? error_set(err, EMU_ARG, "-drive rerror=enospc: a full disk does not hinder reading; use report, ignore or stop")
               : i < 0                     ? EMU_ARG
                                           : EMU_OK;
    case 13: d->c.no_backing = (i = choose("-drive backing=", value, backings, err)) == 1; break;
    default: break; /* id: nothing refers to it */
    }
    return i < 0 ? EMU_ARG : EMU_OK;
}

/* Splits at commas, a doubled one standing for itself. Ends the list with NULL. */
static enum emu_err split_drive(const char *text, char *copy, char *words[16], struct error *err)
{
    size_t n = 0;
    words[n++] = copy;
    for (const char *p = text; *p; p++) {
        bool doubled = p[0] == ',' && p[1] == ',';
        if (*p == ',' && !doubled) {
            if (n == 15)
                return error_set(err, EMU_ARG, "-drive %.40s...: too many words", text);
            *copy++ = 0;
            words[n++] = copy;
            continue;
        }
        p += doubled;
        *copy++ = *p;
    }
    *copy = 0;
    words[n] = NULL;
    return EMU_OK;
}

static enum emu_err use_floppy(struct options *o, const struct drive_words *d, struct error *err)
{
    unsigned i = d->indexed ? d->index : o->cfg.floppy_path[0] != NULL;
    if (!d->c.path || i >= FLOPPY_DRIVES)
        return error_set(err, EMU_ARG, "-drive if=floppy: give file=X; there are two floppies, index=0 and index=1");
    o->cfg.floppy_path[i] = d->c.path;
    o->cfg.floppy_format[i] = d->c.format;
    o->cfg.floppy_readonly[i] = d->c.readonly;
    if (d->c.snapshot)
        o->cfg.snapshot = true;
    return EMU_OK;
}

static enum emu_err use_ide(struct options *o, const struct drive_words *d, struct error *err)
{
    unsigned i = d->index;
    for (i = d->indexed ? i : 0; !d->indexed && i < IDE_DRIVES && o->cfg.ide[i].present; i++)
        ;
    if (i >= IDE_DRIVES)
        return error_set(err, EMU_ARG, "-drive: there are %d IDE drives, index=0 to index=%d", IDE_DRIVES, IDE_DRIVES - 1);
    if (!d->c.path && !d->c.cdrom)
        return error_set(err, EMU_ARG, "-drive: name the image with file=X, or say media=cdrom");
    return set_ide(o, i, d->c, err);
}

/* file=X,if=ide|floppy,index=N,media=disk|cdrom,snapshot=,readonly=,cache=,timing=,format= */
static enum emu_err opt_drive(struct options *o, const char *value, struct error *err)
{
    struct drive_words d = {0};
    char *words[16], *copy = NULL;
    for (unsigned i = 0; i < ARRAY_LEN(o->drive) && !copy; i++)
        copy = o->drive[i][0] ? NULL : o->drive[i];
    if (!copy || strlen(value) >= sizeof(o->drive[0]))
        return error_set(err, EMU_ARG, "-drive %.40s...: too long, or one drive too many", value);
    enum emu_err e = split_drive(value, copy, words, err);
    for (unsigned i = 0; !e && words[i]; i++) {
        char *eq = strchr(words[i], '=');
        if (!eq)
            return error_set(err, EMU_ARG, "-drive: \"%s\" has no value; write it as file=X,if=ide,index=0", words[i]);
        *eq = 0;
        e = drive_word(&d, words[i], eq + 1, err);
    }
    if (e)
        return e;
    return d.floppy ? use_floppy(o, &d, err) : use_ide(o, &d, err);
}

/* As QEMU has it, there is a CD-ROM drive even if nothing was put in. */
static void add_empty_cdrom(struct options *o)
{
    if (!o->cfg.ide[2].present)
        o->cfg.ide[2] = (struct ide_config){.present = true, .cdrom = true};
}

static enum emu_err opt_vga(struct options *o, const char *value, struct error *err)
{
    static const char *const words[] = {"std", NULL};
    (void)o;
    return choose("-vga", value, words, err) < 0 ? EMU_ARG : EMU_OK;
}

static const struct option {
    const char *name;
    option_fn *fn;
    const char *value; /* NULL: takes none */
    const char *help;
} options[] = {
    {"M", opt_machine, "pc|isapc", "board (PCI, or ISA only)"},
    {"machine", opt_machine, "pc|isapc", "the same"},
    {"cpu", opt_cpu, "MODEL[,+f,-f]", "CPU model (-cpu help)"},
    {"m", opt_memory, "SIZE[K|M|G]", "memory, in MiB without a letter (128)"},
    {"fda", opt_fda, "FILE", "floppy image in drive A:"},
    {"fdb", opt_fdb, "FILE", "floppy image in drive B:"},
    {"hda", opt_hda, "FILE", "hard disk image; -hdb, -hdc, -hdd likewise"},
    {"hdb", opt_hdb, "FILE", "second drive of the first channel"},
    {"hdc", opt_hdc, "FILE", "first drive of the second channel"},
    {"hdd", opt_hdd, "FILE", "second drive of the second channel"},
    {"cdrom", opt_cdrom, "FILE", "CD image (ISO) in the drive of -hdc"},
    {"drive", opt_drive, "file=F,if=ide,...", "index= media=disk|cdrom snapshot= readonly= cache= timing=fast|real werror= rerror= backing=deny"},
    {"snapshot", opt_snapshot, NULL, "writes stay in memory, images are not changed"},
    {"boot", opt_boot, "[order=]acdn[,menu=on]", "boot order; the firmware's boot menu"},
    {"kernel", opt_kernel, "FILE", "Linux kernel (bzImage) to boot"},
    {"initrd", opt_initrd, "FILE", "its initial RAM disk"},
    {"append", opt_append, "TEXT", "its command line"},
    {"bios", opt_bios, "FILE", "any ROM, run from the reset vector"},
    {"L", opt_firmware, "DIR", "directory of bios.bin and the VGA BIOS"},
    {"display", opt_display, "sdl|text|none", "window, text screen in this terminal, nothing"},
    {"nographic", opt_nographic, NULL, "no display; serial port and monitor on stdio (Ctrl-A c)"},
    {"full-screen", opt_full_screen, NULL, "start in full screen"},
    {"vga", opt_vga, "std", "display adapter"},
    {"serial", opt_serial, "CHARDEV", "stdio, mon:stdio, null, file:F, pty, {tcp:H:P|unix:F}[,server[,nowait]]"},
    {"parallel", opt_parallel, "CHARDEV", "where the printer port goes"},
    {"monitor", opt_monitor, "CHARDEV", "line monitor (HMP words)"},
    {"debugcon", opt_debugcon, "CHARDEV", "text that the guest writes to ports 0x402 and 0xE9"},
    {"global", opt_global, "isa-debugcon.iobase=P", "only that debug port"},
    {"nic", opt_nic, "user|none[,model=M,...]", "network card with its back end (default: user)"},
    {"netdev", opt_netdev, "KIND,id=ID,...", "user, switch, tap, stream, dgram, socket, hubport (-netdev help)"},
    {"device", opt_device, "MODEL[,netdev=ID,mac=A]", "network card, PCI ones with romfile=F,bootindex=N (-device help)"},
    {"net", opt_net, "none|nic|user|...", "the old spelling; -net none: no network"},
    {"object", opt_object, "filter-dump,...", "id=X,netdev=ID,file=F[,maxlen=N]: packets to a pcap file"},
    {"rtc", opt_rtc, "base=utc|localtime|DATE", "what the clock shows at power-on"},
    {"icount", opt_icount, "shift=N|auto", "2^N virtual ns an instruction, or follow the wall clock"},
    {"core", opt_core, "fast|reference", "CPU tier"},
    {"accel", opt_accel, "interp", "accepted for habit's sake"},
    {"script", opt_script, "FILE", "run monitor words and wait-... words, then exit"},
    {"loadvm", opt_loadvm, "FILE", "start from a saved machine"},
    {"record", opt_record, "FILE", "write down all input, for -replay; as -icount rr=record,rrfile=FILE"},
    {"replay", opt_replay, "FILE", "the recorded session again, without network and user"},
    {"S", opt_paused, NULL, "start paused"},
    {"s", opt_gdb_default, NULL, "the same as -gdb tcp::1234"},
    {"gdb", opt_gdb, "tcp:[HOST]:PORT", "wait for GDB there"},
    {"no-reboot", opt_no_reboot, NULL, "end where the guest reboots"},
    {"trace", opt_trace, "WORDS", "trace categories (-trace help)"},
    {"d", opt_debug, "WORDS", "the same"},
    {"D", opt_log, "FILE", "log and trace to FILE"},
    {"name", opt_name, "TEXT", "name in the window's title"},
};

static void print_help(void)
{
    printf("Retrace %s: a PC that interprets every instruction\nusage: retrace [options] [disk image]\n\n", RETRACE_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        char head[64];
        snprintf(head, sizeof(head), "-%s %s", options[i].name, options[i].value ? options[i].value : "");
        printf("  %-32s %s\n", head, options[i].help);
    }
    printf("  %-32s %s\n  %-32s %s\n", "-h", "this list", "-version", "version");
    printf("\nIn the window: Ctrl-Alt-G releases the mouse, Ctrl-Alt-F full screen.\n");
}

static void print_line(void *arg, const char *line)
{
    (void)arg;
    puts(line);
}

/* The lists that a value of "help" asks for; true: printed. */
static bool print_list(const char *name, const char *value)
{
    struct error list;
    uint32_t mask = 0;
    if (strcmp(value, "help") != 0 && strcmp(value, "?") != 0)
        return false;
    if (strcmp(name, "cpu") == 0)
        cpu_model_list(print_line, NULL);
    else if (strcmp(name, "M") == 0 || strcmp(name, "machine") == 0)
        puts("pc      i440FX, PIIX3, PIIX4 PM, PCI (default)\nisapc   ISA only");
    else if (strcmp(name, "netdev") == 0)
        net_list_kinds(print_line, NULL);
    else if (strcmp(name, "device") == 0)
        print_nic_models();
    else if ((strcmp(name, "trace") == 0 || strcmp(name, "d") == 0) && trace_parse("help", &mask, &list))
        puts(list.text);
    else
        return false;
    return true;
}

static const struct option *find_option(const char *name, struct error *err)
{
    const char *words[ARRAY_LEN(options) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
        words[i] = options[i].name;
    }
    error_set(err, EMU_ARG, "there is no option -%s; did you mean -%s? (-h lists all)", name, nearest_word(name, words));
    return NULL;
}

/* An image without an option: what its size says that it is. */
static enum emu_err opt_bare(struct options *o, const char *path, struct error *err)
{
    enum { LARGEST_FLOPPY = 80 * 2 * 48 * 512 };
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size > LARGEST_FLOPPY)
        return opt_hda(o, path, err);
    return opt_fda(o, path, err);
}

/* One option at argv[*i]; moves *i behind it. */
static enum emu_err parse_one(struct options *o, int argc, char **argv, int *i,
                              enum options_result *result, struct error *err)
{
    const char *arg = argv[(*i)++];
    if (arg[0] != '-') /* a bare name is a floppy or, as in QEMU, a hard disk */
        return opt_bare(o, arg, err);
    const char *name = arg + 1 + (arg[1] == '-');
    if (strcmp(name, "h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        *result = OPTIONS_DONE;
        return EMU_OK;
    }
    if (strcmp(name, "version") == 0) {
        printf("Retrace %s\n", RETRACE_VERSION);
        *result = OPTIONS_DONE;
        return EMU_OK;
    }
    const struct option *opt = find_option(name, err);
    if (!opt)
        return EMU_ARG;
    if (opt->value && *i >= argc)
        return error_set(err, EMU_ARG, "-%s needs a value: -%s %s", name, name, opt->value);
    const char *value = opt->value ? argv[(*i)++] : NULL;
    if (value && print_list(name, value)) {
        *result = OPTIONS_DONE;
        return EMU_OK;
    }
    return opt->fn(o, value, err);
}

static bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* The firmware files that the board needs, where the user named none. */
static void find_firmware(struct options *o)
{
    const char *dir = o->firmware_dir ? o->firmware_dir : FIRMWARE_DIR;
    bool own_bios = o->cfg.bios_path && (strchr(o->cfg.bios_path, '/') || file_exists(o->cfg.bios_path));
    if (!own_bios) { /* -bios NAME without a path is looked for in -L */
        snprintf(o->bios, sizeof(o->bios), "%s/%s", dir, o->cfg.bios_path ? o->cfg.bios_path : "bios.bin");
        o->cfg.bios_path = o->bios;
    }
    snprintf(o->vgabios, sizeof(o->vgabios), "%s/vgabios-%s.bin", dir, o->cfg.board == BOARD_PC ? "stdvga" : "isavga");
    if (!own_bios || file_exists(o->vgabios))
        o->cfg.vgabios_path = o->vgabios;
}

static const char *find_roms_dir(void)
{
    static const char *const dirs[] = {ROM_DIR, "/usr/local/share/retrace", "/usr/share/retrace"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        if (file_exists(dirs[i]))
            return dirs[i];
    }
    return dirs[0];
}

/* A recorded session leaves the images as they were, so that it can be replayed. */
static enum emu_err finish_record(struct options *o, struct error *err)
{
    if ((o->rr_record || o->rr_replay) && !*o->rr_file)
        return error_set(err, EMU_ARG, "-icount rr=%s needs rrfile=FILE", o->rr_record ? "record" : "replay");
    if (o->rr_record)
        o->record = o->rr_file;
    if (o->rr_replay)
        o->replay = o->rr_file;
    if (o->record && o->replay)
        return error_set(err, EMU_ARG, "-record and -replay together: a replay is a recording already");
    o->cfg.snapshot |= o->record || o->replay;
    return EMU_OK;
}

enum emu_err options_parse(struct options *o, int argc, char **argv, enum options_result *result, struct error *err)
{
    *o = (struct options){0};
    *result = OPTIONS_RUN;
    machine_config_init(&o->cfg);
    o->cfg.rtc_base = (uint64_t)time(NULL);
    enum emu_err e = EMU_OK;
    for (int i = 1; i < argc;) {
        e = parse_one(o, argc, argv, &i, result, err);
        if (e || *result == OPTIONS_DONE)
            return e;
    }
    add_empty_cdrom(o);
    if (o->nographic)
        apply_nographic(o);
    if (!o->cfg.bios_path && o->cfg.cpu.level < CPU_386)
        return error_set(err, EMU_ARG, "the firmware (SeaBIOS) needs a 386 or later, not the %s; choose another -cpu, or "
                                       "give firmware for it with -bios FILE", o->cfg.cpu.name);
    e = finish_record(o, err);
    if (e)
        return e;
    finish_network(o);
    o->cfg.rom_dir = find_roms_dir();
    find_firmware(o);
    return EMU_OK;
}
