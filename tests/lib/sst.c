/* The runner for hardware-captured single-step tests. See sst.h. */
#include "tests/lib/sst.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cpu/exec.h"

enum { REGS = 14, MEMORY_MAX = 8192, LINE = 512, STEPS_MAX = 70000, TEXT = 4096 };
enum { R_FLAGS = 13, R_IP = 12 };

static const char *const reg_names[REGS] = {"ax", "bx", "cx", "dx", "cs", "ss", "ds", "es",
                                            "sp", "bp", "si", "di", "ip", "flags"};
static const uint8_t gpr_of[REGS] = {REG_EAX, REG_EBX, REG_ECX, REG_EDX, 0, 0, 0, 0,
                                     REG_ESP, REG_EBP, REG_ESI, REG_EDI};
static const uint8_t seg_of[REGS] = {0, 0, 0, 0, SEG_CS, SEG_SS, SEG_DS, SEG_ES};

struct byte_at {
    uint32_t addr;
    uint8_t value;
};

struct test {
    char form[12];
    char title[LINE];
    char bytes[64];
    uint16_t before[REGS], after[REGS];
    struct byte_at initial[MEMORY_MAX], final[MEMORY_MAX];
    unsigned ninitial, nfinal;
    uint32_t flags_at; /* where FLAGS was pushed; UINT32_MAX: nowhere */
    uint16_t mask;
};

struct sst {
    struct phys *phys;
    struct phys_block *ram;
    struct io_bus io;
    struct clock clk;
    struct cpu cpu;
    struct test test;
    char text[TEXT];
    size_t text_len;
    bool is8086;
};

static uint8_t no_intack(void *arg)
{
    (void)arg;
    return 0;
}

static enum emu_err make_board(struct sst *s, const char *name, struct error *err)
{
    struct cpu_model model;
    enum emu_err e = cpu_model_parse(name, &model, err);
    if (e)
        return e;
    model.features &= ~(uint64_t)FEAT_FPU; /* the captured boards had no coprocessor: ESC only reads */
    s->is8086 = model.level <= CPU_186;
    uint64_t size = s->is8086 ? 1 << 20 : 16 << 20;
    phys_init(s->phys);
    e = phys_block_new(s->phys, "ram", size, false, &s->ram, err);
    if (e)
        return e;
    unsigned region = phys_region_memory(s->phys, "ram", s->ram, 0, 0, size);
    phys_map(s->phys, 0, size, region, PHYS_RW);
    phys_set_a20(s->phys, !s->is8086);
    io_bus_init(&s->io);
    clock_init(&s->clk, 65536);
    struct cpu_wiring w = {.clk = &s->clk, .phys = s->phys, .io = &s->io, .intack = no_intack, .tsc_hz = 1000000};
    return cpu_init(&s->cpu, "cpu", &model, CORE_REFERENCE, w, err);
}

struct sst *sst_new(const char *model, struct error *err)
{
    struct sst *s = calloc(1, sizeof(*s));
    if (s)
        s->phys = calloc(1, sizeof(*s->phys));
    if (!s || !s->phys) {
        free(s);
        error_set(err, EMU_NOMEM, "not enough memory");
        return NULL;
    }
    if (make_board(s, model, err)) {
        sst_free(s);
        return NULL;
    }
    return s;
}

void sst_free(struct sst *s)
{
    if (s->cpu.dev.cls)
        cpu_class.close(&s->cpu);
    phys_free(s->phys);
    free(s->phys);
    free(s);
}

/* Parsing */

static bool parse_registers(const char *p, uint16_t *regs)
{
    char name[8];
    unsigned value;
    int used;
    while (sscanf(p, " %7[a-z]=%x%n", name, &value, &used) == 2) {
        unsigned r = 0;
        while (r < REGS && strcmp(name, reg_names[r]) != 0)
            r++;
        if (r == REGS)
            return false;
        regs[r] = (uint16_t)value;
        p += used;
    }
    return true;
}

static bool parse_byte(const char *p, struct byte_at *list, unsigned *n)
{
    unsigned addr, value;
    if (*n == MEMORY_MAX || sscanf(p, "%x %x", &addr, &value) != 2)
        return false;
    list[(*n)++] = (struct byte_at){addr, (uint8_t)value};
    return true;
}

static void begin_test(struct test *t, const char *line)
{
    t->ninitial = t->nfinal = 0;
    t->mask = 0xffff;
    t->flags_at = UINT32_MAX;
    t->bytes[0] = 0;
    snprintf(t->title, sizeof(t->title), "%s", line);
    size_t n = strcspn(line, ": ");
    snprintf(t->form, sizeof(t->form), "%.*s", (int)(n < 11 ? n : 11), line);
}

static bool parse_line(struct test *t, const char *line)
{
    const char *p = line + 2;
    unsigned vector, value;
    switch (line[0]) {
    case 'T': begin_test(t, p); return true;
    case 'b': snprintf(t->bytes, sizeof(t->bytes), "%.60s", p); return true;
    case 'i':
        if (!parse_registers(p, t->before))
            return false;
        memcpy(t->after, t->before, sizeof(t->after));
        return true;
    case 'm': return parse_byte(p, t->initial, &t->ninitial);
    case 'f': return parse_registers(p, t->after);
    case 'n': return parse_byte(p, t->final, &t->nfinal);
    case 'x': return sscanf(p, "%x %x", &vector, &t->flags_at) == 2;
    case 'k':
        if (sscanf(p, "%x", &value) != 1)
            return false;
        t->mask = (uint16_t)value;
        return true;
    default: return false;
    }
}

/* Where DIV and AAM pushed undefined FLAGS: an INT 0 leaves SP 6 lower. The 8086 file does not tell, the
 * 80286 file rounds odd addresses down. */
static void find_pushed_flags(const struct sst *s, struct test *t)
{
    uint16_t sp = t->after[8];
    if (t->mask != 0xffff && sp == (uint16_t)(t->before[8] - 6))
        t->flags_at = (((uint32_t)t->after[5] << 4) + ((sp + 4u) & 0xffff)) & (uint32_t)(s->ram->size - 1);
}

/* Running */

static uint32_t wrap(const struct sst *s, uint32_t addr)
{
    return addr & (uint32_t)(s->ram->size - 1);
}

static void load(struct sst *s)
{
    const struct test *t = &s->test;
    struct cpu_state *st = &s->cpu.st;
    cpu_class.reset(&s->cpu, RESET_POWER_ON);
    for (unsigned r = 0; r < REGS; r++) {
        if (r >= 4 && r < 8)
            st->seg[seg_of[r]] = (struct cpu_seg){.base = (uint32_t)t->before[r] << 4, .limit = 0xffff,
                                                  .selector = t->before[r], .attr = 0x93};
        else if (r < R_IP)
            st->gpr[gpr_of[r]] = t->before[r];
    }
    st->gpr[REG_EDX] = t->before[3];
    st->eip = t->before[R_IP];
    st->eflags = (t->before[R_FLAGS] & 0xfffu) | FLAG_ONE;
    for (unsigned k = 0; k < t->ninitial; k++)
        s->ram->host[wrap(s, t->initial[k].addr)] = t->initial[k].value;
    cpu_state_changed(&s->cpu);
}

static bool string_goes_on(const struct sst *s)
{
    const struct cpu *c = &s->cpu;
    bool string = c->last_op >= OP_MOVS && c->last_op <= OP_OUTS;
    return string && c->st.eip == s->test.before[R_IP] && c->st.seg[SEG_CS].selector == s->test.before[4];
}

static bool execute(struct sst *s)
{
    for (unsigned k = 0; k < STEPS_MAX; k++) {
        (void)cpu_step(&s->cpu);
        if (s->is8086 ? !string_goes_on(s) : s->cpu.st.halted)
            return true;
    }
    return false;
}

/* Comparing */

static void say(struct sst *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct sst *s, const char *fmt, ...)
{
    va_list ap;
    if (s->text_len >= TEXT - 1)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(s->text + s->text_len, TEXT - s->text_len, fmt, ap);
    va_end(ap);
    s->text_len += n > 0 ? (size_t)n : 0;
}

static uint16_t register_now(const struct sst *s, unsigned r)
{
    const struct cpu *c = &s->cpu;
    if (r == R_FLAGS)
        return (uint16_t)((cpu_eflags(c) & 0xfff) | (s->is8086 ? 0xf000 : (c->st.eflags & 0xf000)));
    if (r == R_IP)
        return (uint16_t)c->st.eip;
    return r >= 4 && r < 8 ? c->st.seg[seg_of[r]].selector : (uint16_t)c->st.gpr[gpr_of[r]];
}

/* Differences outside `flag_mask` bits of FLAGS are none. */
static bool compare_registers(struct sst *s, uint16_t flag_mask)
{
    bool equal = true;
    for (unsigned r = 0; r < REGS; r++) {
        uint16_t mask = r == R_FLAGS ? flag_mask : 0xffff;
        uint16_t now = register_now(s, r), want = s->test.after[r];
        if (((now ^ want) & mask) == 0)
            continue;
        equal = false;
        say(s, "  %s = %04x, hardware %04x (was %04x, compared %04x)\n", reg_names[r], now, want,
            s->test.before[r], mask);
    }
    return equal;
}

/* Which bits of the byte at `addr` count. */
static uint8_t byte_mask(const struct test *t, uint32_t addr, uint16_t flag_mask)
{
    if (addr == t->flags_at)
        return (uint8_t)flag_mask;
    return addr == t->flags_at + 1 && t->flags_at != UINT32_MAX ? (uint8_t)(flag_mask >> 8) : 0xff;
}

static bool compare_final(struct sst *s, uint16_t flag_mask)
{
    const struct test *t = &s->test;
    bool equal = true;
    for (unsigned k = 0; k < t->nfinal; k++) {
        uint32_t addr = wrap(s, t->final[k].addr);
        uint8_t now = s->ram->host[addr], want = t->final[k].value;
        if (((now ^ want) & byte_mask(t, t->final[k].addr, flag_mask)) == 0)
            continue;
        equal = false;
        say(s, "  [%05x] = %02x, hardware %02x\n", addr, now, want);
    }
    return equal;
}

/* Bytes that must not have changed: the initial ones without a final value ... */
static bool compare_initial(struct sst *s)
{
    struct test *t = &s->test;
    bool equal = true;
    for (unsigned k = 0; k < t->nfinal; k++)
        s->ram->host[wrap(s, t->final[k].addr)] = 0;
    for (unsigned k = 0; k < t->ninitial; k++) {
        uint32_t addr = wrap(s, t->initial[k].addr);
        uint8_t now = s->ram->host[addr];
        bool given = false;
        for (unsigned n = 0; n < t->nfinal && !given; n++)
            given = wrap(s, t->final[n].addr) == addr;
        if (!given && now != t->initial[k].value) {
            equal = false;
            say(s, "  [%05x] = %02x, hardware left it %02x\n", addr, now, t->initial[k].value);
        }
    }
    for (unsigned k = 0; k < t->ninitial; k++)
        s->ram->host[wrap(s, t->initial[k].addr)] = 0;
    return equal;
}

/* ... and all others, which are zero. Leaves memory zero again. */
static bool compare_rest(struct sst *s)
{
    bool equal = true;
    for (uint64_t page = 0; page < s->ram->size >> PHYS_PAGE_SHIFT; page++) {
        if (!(s->ram->flags[page] & PHYS_DIRTY))
            continue;
        uint8_t *p = s->ram->host + (page << PHYS_PAGE_SHIFT);
        for (unsigned k = 0; k < PHYS_PAGE_SIZE; k++) {
            if (p[k] == 0)
                continue;
            equal = false;
            say(s, "  [%05x] = %02x, hardware did not write it\n", (unsigned)(page << PHYS_PAGE_SHIFT) + k, p[k]);
            p[k] = 0;
        }
        s->ram->flags[page] &= (uint8_t)~PHYS_DIRTY;
    }
    mmu_flush(&s->cpu.mmu, false);
    return equal;
}

static struct sst_form *find_form(struct sst_totals *totals, const char *name)
{
    unsigned k = 0;
    while (k < totals->nforms && strcmp(totals->form[k].name, name) != 0)
        k++;
    if (k == SST_FORMS)
        k--;
    struct sst_form *f = &totals->form[k];
    if (k == totals->nforms) {
        memcpy(f->name, name, sizeof(f->name));
        totals->nforms++;
    }
    return f;
}

/* True: passed. *exact: with all flags compared. */
static bool run_test(struct sst *s, bool *exact)
{
    struct test *t = &s->test;
    find_pushed_flags(s, t);
    load(s);
    s->text_len = 0;
    bool done = execute(s);
    *exact = compare_registers(s, 0xffff) && compare_final(s, 0xffff);
    s->text_len = 0;
    say(s, "%s [%s]\n", t->title, t->bytes);
    bool ok = compare_registers(s, t->mask);
    ok &= compare_final(s, t->mask);
    ok &= compare_initial(s);
    ok &= compare_rest(s);
    if (!done)
        say(s, "  did not come to an end\n");
    return ok && done;
}

static void count_test(struct sst *s, struct sst_totals *totals, void (*failure)(void *, const char *), void *arg)
{
    bool exact, ok = run_test(s, &exact);
    struct sst_form *f = find_form(totals, s->test.form);
    if (!ok) {
        f->failed++;
        totals->failed++;
        if (failure)
            failure(arg, s->text);
        return;
    }
    f->passed++;
    totals->passed++;
    if (exact) {
        f->exact++;
        totals->exact++;
    }
}

bool sst_run_file(struct sst *s, const char *path, struct sst_totals *totals,
                  void (*failure)(void *arg, const char *text), void *arg, struct error *err)
{
    char line[LINE];
    bool open = false, good = true;
    unsigned number = 0;
    gzFile f = gzopen(path, "rb");
    if (!f) {
        error_set(err, EMU_IO, "cannot open %s", path);
        return false;
    }
    while (good && gzgets(f, line, sizeof(line))) {
        number++;
        line[strcspn(line, "\r\n")] = 0;
        if (line[0]) {
            good = parse_line(&s->test, line);
            open = true;
        } else if (open) {
            count_test(s, totals, failure, arg);
            open = false;
        }
    }
    if (good && open)
        count_test(s, totals, failure, arg);
    gzclose(f);
    if (!good)
        error_set(err, EMU_FORMAT, "%s: line %u is not understood: %s", path, number, line);
    return good;
}
