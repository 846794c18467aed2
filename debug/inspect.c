/* Registers, memory, expressions and instructions as text. See inspect.h. */
#include "debug/inspect.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/disasm.h"
#include "cpu/flags.h"

struct output {
    inspect_emit *emit;
    void *arg;
};

static void say(const struct output *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const struct output *o, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    o->emit(o->arg, line);
}

/* --- registers --- */

static const char gpr_names[8][4] = {"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"};

static void say_gprs(const struct output *o, const uint64_t *r)
{
    say(o, "EAX=%08x EBX=%08x ECX=%08x EDX=%08x", (uint32_t)r[REG_EAX], (uint32_t)r[REG_EBX],
        (uint32_t)r[REG_ECX], (uint32_t)r[REG_EDX]);
    say(o, "ESI=%08x EDI=%08x EBP=%08x ESP=%08x", (uint32_t)r[REG_ESI], (uint32_t)r[REG_EDI],
        (uint32_t)r[REG_EBP], (uint32_t)r[REG_ESP]);
}

static void say_eip(const struct output *o, const struct cpu *c)
{
    uint32_t f = cpu_eflags(c);
    say(o, "EIP=%08x EFL=%08x [%c%c%c%c%c%c%c] CPL=%d II=%d A20=%d SMM=0 HLT=%d", (uint32_t)c->st.eip, f,
        f & FLAG_DF ? 'D' : '-', f & FLAG_OF ? 'O' : '-', f & FLAG_SF ? 'S' : '-', f & FLAG_ZF ? 'Z' : '-',
        f & FLAG_AF ? 'A' : '-', f & FLAG_PF ? 'P' : '-', f & FLAG_CF ? 'C' : '-', c->st.cpl,
        c->st.inhibit != 0, (int)(c->w.phys->a20_mask >> 20 & 1), c->st.halted);
}

static void say_segments(const struct output *o, const struct cpu *c)
{
    static const char *const names[SEG_COUNT] = {"ES ", "CS ", "SS ", "DS ", "FS ", "GS ", "LDT", "TR "};
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct cpu_seg *s = &c->st.seg[i];
        say(o, "%s=%04x %08x %08x %08x", names[i], s->selector, (uint32_t)s->base, s->limit, (uint32_t)s->attr << 8);
    }
    say(o, "GDT=     %08x %08x", (uint32_t)c->st.gdtr.base, c->st.gdtr.limit);
    say(o, "IDT=     %08x %08x", (uint32_t)c->st.idtr.base, c->st.idtr.limit);
}

static void say_control(const struct output *o, const struct cpu *c)
{
    const uint64_t *d = c->st.dr;
    say(o, "CR0=%08x CR2=%08x CR3=%08x CR4=%08x", (uint32_t)c->st.cr0, (uint32_t)c->st.cr2,
        (uint32_t)c->st.cr3, (uint32_t)c->st.cr4);
    say(o, "DR0=%08x DR1=%08x DR2=%08x DR3=%08x", (uint32_t)d[0], (uint32_t)d[1], (uint32_t)d[2], (uint32_t)d[3]);
    say(o, "DR6=%08x DR7=%08x", (uint32_t)d[6], (uint32_t)d[7]);
    say(o, "EFER=%016" PRIx64, c->st.efer);
}

static void say_fpu(const struct output *o, const struct cpu *c)
{
    const struct cpu_x87 *x = &c->st.x87;
    say(o, "FCW=%04x FSW=%04x [ST=%d] FTW=%02x MXCSR=%08x", x->control, x->status | x->top << 11, x->top,
        (uint8_t)~x->empty, c->st.mxcsr);
    for (unsigned i = 0; i < 8; i += 2)
        say(o, "FPR%u=%016" PRIx64 " %04x FPR%u=%016" PRIx64 " %04x", i, x->mant[i], x->se[i], i + 1,
            x->mant[i + 1], x->se[i + 1]);
    for (unsigned i = 0; i < 8; i += 2)
        say(o, "XMM%02u=%016" PRIx64 "%016" PRIx64 " XMM%02u=%016" PRIx64 "%016" PRIx64, i, c->st.xmm[i][1],
            c->st.xmm[i][0], i + 1, c->st.xmm[i + 1][1], c->st.xmm[i + 1][0]);
}

void inspect_registers(struct cpu *c, inspect_emit *emit, void *arg)
{
    struct output o = {emit, arg};
    say_gprs(&o, c->st.gpr);
    say_eip(&o, c);
    say_segments(&o, c);
    say_control(&o, c);
    say_fpu(&o, c);
}

/* --- expressions --- */

struct parser {
    struct cpu *c;
    const char *at, *whole;
    struct error *err;
    bool failed;
    int depth;
};

static uint64_t fail(struct parser *p, const char *what)
{
    if (!p->failed)
        error_set(p->err, EMU_ARG, "\"%s\": %s", p->whole, what);
    p->failed = true;
    return 0;
}

static void skip_space(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool accept(struct parser *p, char ch)
{
    skip_space(p);
    if (*p->at != ch)
        return false;
    p->at++;
    return true;
}

static const char seg_names[6][3] = {"es", "cs", "ss", "ds", "fs", "gs"};

/* A register's value by name without the dollar sign; *seg = its number if it is a segment, else -1. */
static bool register_value(const struct cpu *c, const char *name, uint64_t *v, int *seg)
{
    *seg = -1;
    for (int i = 0; i < 8; i++) {
        if (strcasecmp(name, gpr_names[i]) == 0 || strcasecmp(name, gpr_names[i] + 1) == 0) {
            *v = name[0] == 'e' || name[0] == 'E' ? (uint32_t)c->st.gpr[i] : (uint16_t)c->st.gpr[i];
            return true;
        }
    }
    for (int i = 0; i < 6; i++) {
        if (strcasecmp(name, seg_names[i]) == 0) {
            *v = c->st.seg[i].selector;
            *seg = i;
            return true;
        }
    }
    const struct {
        const char *name;
        uint64_t v;
    } others[] = {
        {"eip", c->st.eip}, {"pc", cpu_pc(c)}, {"eflags", cpu_eflags(c)}, {"cr0", c->st.cr0},
        {"cr2", c->st.cr2}, {"cr3", c->st.cr3}, {"cr4", c->st.cr4}, {"ip", c->st.eip},
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (strcasecmp(name, others[i].name) == 0) {
            *v = others[i].v;
            return true;
        }
    }
    return false;
}

static uint64_t parse_or(struct parser *p);

static uint64_t parse_register(struct parser *p, int *seg)
{
    char name[16];
    uint64_t v = 0;
    size_t n = strspn(p->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    snprintf(name, sizeof(name), "%.*s", (int)n, p->at);
    p->at += n;
    return register_value(p->c, name, &v, seg) ? v : fail(p, "there is no such register");
}

/* The base that selector:offset means: the loaded segment's, or the real-mode one. */
static uint64_t segment_base(const struct cpu *c, uint64_t selector, int seg)
{
    if (seg >= 0)
        return c->st.seg[seg].base;
    for (int i = 0; i < 6; i++) {
        if ((c->st.cr0 & 1) && !(c->st.eflags & FLAG_VM) && c->st.seg[i].selector == selector)
            return c->st.seg[i].base;
    }
    return selector << 4;
}

static uint64_t parse_primary(struct parser *p)
{
    enum { MAX_DEPTH = 32 };
    int seg = -1;
    uint64_t v;
    if (++p->depth > MAX_DEPTH)
        return fail(p, "it is nested too deeply");
    skip_space(p);
    if (accept(p, '(')) {
        v = parse_or(p);
        if (!accept(p, ')'))
            return fail(p, "a parenthesis is not closed");
    } else if (accept(p, '-')) {
        v = 0 - parse_primary(p);
    } else if (accept(p, '~')) {
        v = ~parse_primary(p);
    } else if (accept(p, '$')) {
        v = parse_register(p, &seg);
    } else {
        char *end;
        v = strtoull(p->at, &end, 0);
        if (end == p->at)
            return fail(p, "a number or $register is missing");
        p->at = end;
    }
    if (*p->at == ':') {
        p->at++;
        v = (uint32_t)(segment_base(p->c, v, seg) + parse_primary(p));
    }
    p->depth--;
    return v;
}

static uint64_t parse_product(struct parser *p)
{
    uint64_t v = parse_primary(p);
    for (;;) {
        if (accept(p, '*')) {
            v *= parse_primary(p);
        } else if (accept(p, '/') || accept(p, '%')) {
            char op = p->at[-1];
            uint64_t d = parse_primary(p);
            if (d == 0)
                return fail(p, "division by zero");
            v = op == '/' ? v / d : v % d;
        } else {
            return v;
        }
    }
}

static uint64_t parse_sum(struct parser *p)
{
    uint64_t v = parse_product(p);
    for (;;) {
        if (accept(p, '+'))
            v += parse_product(p);
        else if (accept(p, '-'))
            v -= parse_product(p);
        else
            return v;
    }
}

static uint64_t parse_or(struct parser *p)
{
    uint64_t v = parse_sum(p);
    for (;;) {
        if (accept(p, '&'))
            v &= parse_sum(p);
        else if (accept(p, '|'))
            v |= parse_sum(p);
        else if (accept(p, '^'))
            v ^= parse_sum(p);
        else
            return v;
    }
}

enum emu_err inspect_expr(struct cpu *c, const char *text, uint64_t *value, struct error *err)
{
    struct parser p = {.c = c, .at = text, .whole = text, .err = err};
    *value = parse_or(&p);
    skip_space(&p);
    if (*p.at)
        fail(&p, "something follows the expression");
    return p.failed ? EMU_ARG : EMU_OK;
}

/* --- memory --- */

struct format {
    unsigned count, size;
    char kind; /* x d u o c i s */
};

static bool parse_format(const char *fmt, struct format *f)
{
    char *end;
    *f = (struct format){1, 4, 'x'};
    unsigned long n = strtoul(fmt, &end, 10);
    if (end != fmt)
        f->count = n > 65536 ? 65536 : (unsigned)n;
    bool sized = false;
    for (; *end; end++) {
        static const char sizes[] = "bhwg", kinds[] = "xducois";
        if (strchr(sizes, *end)) {
            f->size = 1u << (strchr(sizes, *end) - sizes);
            sized = true;
        } else if (strchr(kinds, *end)) {
            f->kind = *end;
        } else {
            return false;
        }
    }
    if (f->kind == 'c')
        f->size = 1;
    if (f->kind == 'i' && !sized)
        f->size = 0;
    return true;
}

static bool peek(struct cpu *c, bool physical, uint64_t addr, void *to, size_t len)
{
    for (size_t i = 0; !physical && i < len; i++) {
        if (!cpu_peek(c, (uint32_t)(addr + i), (uint8_t *)to + i, 1)) /* wraps at 4 GiB */
            return false;
    }
    if (physical)
        phys_peek_bytes(c->w.phys, addr, to, len);
    return true;
}

static int print_char(char *to, size_t len, uint8_t ch)
{
    switch (ch) {
    case '\'': return snprintf(to, len, " '\\''");
    case '\\': return snprintf(to, len, " '\\\\'");
    case '\n': return snprintf(to, len, " '\\n'");
    case '\r': return snprintf(to, len, " '\\r'");
    default: return snprintf(to, len, ch >= 32 && ch < 127 ? " '%c'" : " '\\x%02x'", ch);
    }
}

/* Column widths are QEMU's: the digits that the largest value of the size needs. */
static int print_value(char *to, size_t len, const struct format *f, uint64_t v)
{
    unsigned bits = 8 * f->size;
    int decimal = ((int)bits * 10 + 32) / 33, octal = ((int)bits + 2) / 3;
    switch (f->kind) {
    case 'd': return snprintf(to, len, " %*" PRId64, decimal, (int64_t)(v << (64 - bits)) >> (64 - bits));
    case 'u': return snprintf(to, len, " %*" PRIu64, decimal, v);
    case 'o': return snprintf(to, len, " %#*" PRIo64, octal, v);
    case 'c': return print_char(to, len, (uint8_t)v);
    default: return snprintf(to, len, " 0x%0*" PRIx64, (int)bits / 4, v);
    }
}

static enum emu_err no_memory_there(uint64_t addr, struct error *err)
{
    return error_set(err, EMU_ARG, "Cannot access memory at %#" PRIx64 ": nothing is mapped there", addr);
}

static enum emu_err dump_values(struct cpu *c, bool physical, const struct format *f, uint64_t addr,
                                const struct output *o, struct error *err)
{
    unsigned per_line = f->size == 1 ? 8 : 16 / f->size;
    for (unsigned i = 0; i < f->count; i += per_line) {
        char line[256];
        int n = snprintf(line, sizeof(line), "%0*" PRIx64 ":", physical ? 16 : 8, physical ? addr : (uint32_t)addr);
        for (unsigned k = i; k < f->count && k < i + per_line; k++, addr += f->size) {
            uint8_t bytes[8] = {0};
            uint64_t v = 0;
            if (!peek(c, physical, addr, bytes, f->size))
                return no_memory_there(addr, err);
            for (unsigned b = 0; b < f->size; b++)
                v |= (uint64_t)bytes[b] << (8 * b);
            n += print_value(line + n, sizeof(line) - (size_t)n, f, v);
        }
        o->emit(o->arg, line);
    }
    return EMU_OK;
}

/* Instruction bytes from `addr`; fewer than asked where the mapping ends. */
static unsigned peek_code(struct cpu *c, bool physical, uint64_t addr, uint8_t *to, unsigned max)
{
    unsigned n = 0;
    while (n < max && peek(c, physical, addr + n, to + n, 1))
        n++;
    return n;
}

enum { MAX_INSN = 15 };

static unsigned print_insn(const uint8_t *bytes, unsigned avail, bool code32, uint32_t eip, char *text, size_t len)
{
    char name[128], hex[8 * 3 + 1] = "";
    unsigned n = disasm(bytes, avail, code32, eip, name, sizeof(name));
    for (unsigned i = 0; i < 8; i++)
        snprintf(hex + 3 * i, 4, i < n ? "%02x " : "   ", bytes[i < n ? i : 0]);
    snprintf(text, len, "%s%s%s", hex, n > 8 ? ".. " : " ", name);
    return n;
}

unsigned inspect_insn(struct cpu *c, laddr addr, bool code32, char *text, size_t len)
{
    uint8_t bytes[MAX_INSN];
    unsigned avail = peek_code(c, false, addr, bytes, MAX_INSN);
    if (!avail) {
        snprintf(text, len, "(not mapped)");
        return 1;
    }
    return print_insn(bytes, avail, code32, (uint32_t)(addr - c->st.seg[SEG_CS].base), text, len);
}

static enum emu_err dump_code(struct cpu *c, bool physical, const struct format *f, uint64_t addr,
                              const struct output *o, struct error *err)
{
    bool code32 = f->size ? f->size >= 4 : (c->st.seg[SEG_CS].attr & SEG_ATTR_DB) != 0;
    for (unsigned i = 0; i < f->count; i++) {
        uint8_t bytes[MAX_INSN];
        char text[200];
        unsigned avail = peek_code(c, physical, addr, bytes, MAX_INSN);
        if (!avail)
            return no_memory_there(addr, err);
        unsigned n = print_insn(bytes, avail, code32, (uint32_t)(addr - c->st.seg[SEG_CS].base), text, sizeof(text));
        say(o, "0x%08" PRIx64 ":  %s", addr, text);
        addr += n;
    }
    return EMU_OK;
}

static enum emu_err dump_strings(struct cpu *c, bool physical, const struct format *f, uint64_t addr, const struct output *o)
{
    for (unsigned i = 0; i < f->count; i++) {
        char text[200];
        size_t n = 0;
        while (n < sizeof(text) - 1 && peek(c, physical, addr + n, text + n, 1) && text[n])
            n++;
        text[n] = 0;
        for (size_t k = 0; k < n; k++)
            text[k] = text[k] >= 32 && text[k] < 127 ? text[k] : '.';
        say(o, "%08" PRIx64 ": \"%s\"", addr, text);
        addr += n + 1;
    }
    return EMU_OK;
}

enum emu_err inspect_memory(struct cpu *c, bool physical, const char *fmt, const char *expr,
                            inspect_emit *emit, void *arg, struct error *err)
{
    struct format f;
    struct output o = {emit, arg};
    uint64_t addr;
    if (!parse_format(fmt, &f))
        return error_set(err, EMU_ARG, "/%s is no format; use a count, x d u o c i s, and b h w g, such as /4xw", fmt);
    enum emu_err e = inspect_expr(c, expr, &addr, err);
    if (e)
        return e;
    if (!physical)
        addr = (uint32_t)addr;
    if (f.kind == 'i')
        return dump_code(c, physical, &f, addr, &o, err);
    return f.kind == 's' ? dump_strings(c, physical, &f, addr, &o) : dump_values(c, physical, &f, addr, &o, err);
}
