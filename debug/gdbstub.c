/*
 * GDB remote serial protocol (GDB manual, appendix E). See gdbstub.h.
 *
 * One target, one thread (number 1), all-stop. The register file is declared once (`registers`): the
 * target description, g/G and p/P all walk that table. Memory and breakpoint addresses are linear
 * (CS base not added), reads and writes have no side effect on the guest but the bytes written.
 *
 * NOT MODELLED: watchpoints (Z2-Z4), non-stop mode, reverse execution, file transfer. Segment
 * registers can be written in real and V86 mode only (in protected mode the hidden part could not
 * follow); bases and control registers are read-only. `k` is the monitor's `quit`, as in QEMU.
 */
#include "debug/gdbstub.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/flags.h"

enum {
    PACKET_MAX = 4096, /* characters between $ and #, announced as PacketSize */
    REPLY_MAX = PACKET_MAX + 16,
    BREAK_MAX = 512,
};

enum { SIGINT_ = 2, SIGTRAP_ = 5 };

enum rx { RX_IDLE, RX_DATA, RX_SUM_HIGH, RX_SUM_LOW };

struct gdb_break {
    laddr addr;
    uint8_t kind; /* 0 software, 1 hardware: the same to the CPU, two names to GDB */
};

struct gdbstub {
    struct gdb_target t;
    gdb_send_fn *send; /* of the call that is being answered */
    void *send_arg;
    bool attached, waiting /* for a stop reply */, no_ack, knows_swbreak, knows_hwbreak;
    enum rx rx;
    uint8_t sum, sum_high;
    bool too_long;
    char in[PACKET_MAX + 1];
    size_t in_len;
    char out[REPLY_MAX + 8]; /* "$", data, "#ss": kept for a retransmission */
    size_t out_len;
    unsigned last_signal;
    struct gdb_break bp[BREAK_MAX];
    unsigned nbp;
};

/* --- numbers and text --- */

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

/* A hex number at *at; false where there is none or it has over 64 bits. */
static bool take_hex(const char **at, uint64_t *v)
{
    const char *p = *at;
    *v = 0;
    for (; hex_digit(*p) >= 0; p++) {
        if (*v >> 60)
            return false;
        *v = *v << 4 | (uint64_t)hex_digit(*p);
    }
    bool any = p != *at;
    *at = p;
    return any;
}

static bool take_char(const char **at, char ch)
{
    if (**at != ch)
        return false;
    (*at)++;
    return true;
}

/* "ADDR,LEN" with what must follow it. */
static bool take_range(const char **at, uint64_t *addr, uint64_t *len, char after)
{
    return take_hex(at, addr) && take_char(at, ',') && take_hex(at, len) &&
           (after ? take_char(at, after) : **at == 0);
}

/* Pairs of digits to bytes; how many, or -1. */
static int from_hex(const char *text, uint8_t *to, size_t max)
{
    size_t n = 0;
    for (; text[0]; text += 2, n++) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0 || n == max)
            return -1;
        to[n] = (uint8_t)(high << 4 | low);
    }
    return (int)n;
}

static bool begins(const char **at, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

/* --- replies --- */

static void reply_start(struct gdbstub *g)
{
    g->out[0] = '$';
    g->out_len = 1;
}

static void reply_bytes(struct gdbstub *g, const void *data, size_t len)
{
    size_t room = REPLY_MAX - g->out_len;
    if (len > room)
        len = room;
    memcpy(g->out + g->out_len, data, len);
    g->out_len += len;
}

static void reply_text(struct gdbstub *g, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void reply_text(struct gdbstub *g, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    reply_bytes(g, text, strlen(text));
}

static void reply_hex(struct gdbstub *g, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        char pair[2] = {digits[data[i] >> 4], digits[data[i] & 15]};
        reply_bytes(g, pair, 2);
    }
}

/* `}` and the byte with bit 5 flipped for those that frame a packet (E.1). */
static void reply_escaped(struct gdbstub *g, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] && strchr("#$}*", data[i])) {
            char pair[2] = {'}', (char)(data[i] ^ 0x20)};
            reply_bytes(g, pair, 2);
        } else {
            reply_bytes(g, data + i, 1);
        }
    }
}

static void reply_end(struct gdbstub *g)
{
    uint8_t sum = 0;
    for (size_t i = 1; i < g->out_len; i++)
        sum = (uint8_t)(sum + (uint8_t)g->out[i]);
    g->out_len += (size_t)snprintf(g->out + g->out_len, 4, "#%02x", sum);
    g->send(g->send_arg, g->out, g->out_len);
}

static void reply(struct gdbstub *g, const char *text)
{
    reply_start(g);
    reply_bytes(g, text, strlen(text));
    reply_end(g);
}

static void reply_ok(struct gdbstub *g) { reply(g, "OK"); }
static void reply_bad(struct gdbstub *g) { reply(g, "E22"); }       /* malformed: EINVAL */
static void reply_no_memory(struct gdbstub *g) { reply(g, "E14"); } /* not mapped: EFAULT */

static struct cpu *target_cpu(struct gdbstub *g)
{
    return g->t.cpu(g->t.arg);
}

/* What GDB calls the breakpoint at the present address; "" where it has none or does not ask. */
static const char *stop_reason(struct gdbstub *g)
{
    laddr pc = cpu_pc(target_cpu(g));
    const char *reason = "";
    for (unsigned i = 0; i < g->nbp; i++) {
        if (g->bp[i].addr != pc)
            continue;
        if (g->bp[i].kind == 0)
            return g->knows_swbreak ? "swbreak:;" : "";
        reason = g->knows_hwbreak ? "hwbreak:;" : "";
    }
    return reason;
}

static void reply_stop(struct gdbstub *g, unsigned signal, const char *reason)
{
    g->last_signal = signal;
    reply_start(g);
    reply_text(g, "T%02xthread:1;%s", signal, reason);
    reply_end(g);
}

/* --- registers --- */

enum reg_kind { REG_GENERAL, REG_EIP, REG_EFLAGS, REG_SEGMENT, REG_ST, REG_X87, REG_XMM, REG_MXCSR, REG_BASE, REG_CONTROL, REG_EFER };

enum { X87_CONTROL, X87_STATUS, X87_TAGS, X87_CS, X87_IP, X87_DS, X87_DP, X87_OPCODE };

struct gdb_reg {
    const char *name, *type;
    uint8_t kind, index, size; /* bytes */
};

enum { CORE_REGS = 32, SSE_REGS = 9 };

/* In GDB's order for i386 (features/i386/32bit-core.xml, 32bit-sse.xml), then ours. */
static const struct gdb_reg registers[] = {
    {"eax", "int32", REG_GENERAL, REG_EAX, 4}, {"ecx", "int32", REG_GENERAL, REG_ECX, 4},
    {"edx", "int32", REG_GENERAL, REG_EDX, 4}, {"ebx", "int32", REG_GENERAL, REG_EBX, 4},
    {"esp", "data_ptr", REG_GENERAL, REG_ESP, 4}, {"ebp", "data_ptr", REG_GENERAL, REG_EBP, 4},
    {"esi", "int32", REG_GENERAL, REG_ESI, 4}, {"edi", "int32", REG_GENERAL, REG_EDI, 4},
    {"eip", "code_ptr", REG_EIP, 0, 4}, {"eflags", "i386_eflags", REG_EFLAGS, 0, 4},
    {"cs", "int32", REG_SEGMENT, SEG_CS, 4}, {"ss", "int32", REG_SEGMENT, SEG_SS, 4},
    {"ds", "int32", REG_SEGMENT, SEG_DS, 4}, {"es", "int32", REG_SEGMENT, SEG_ES, 4},
    {"fs", "int32", REG_SEGMENT, SEG_FS, 4}, {"gs", "int32", REG_SEGMENT, SEG_GS, 4},
    {"st0", "i387_ext", REG_ST, 0, 10}, {"st1", "i387_ext", REG_ST, 1, 10},
    {"st2", "i387_ext", REG_ST, 2, 10}, {"st3", "i387_ext", REG_ST, 3, 10},
    {"st4", "i387_ext", REG_ST, 4, 10}, {"st5", "i387_ext", REG_ST, 5, 10},
    {"st6", "i387_ext", REG_ST, 6, 10}, {"st7", "i387_ext", REG_ST, 7, 10},
    {"fctrl", "int", REG_X87, X87_CONTROL, 4}, {"fstat", "int", REG_X87, X87_STATUS, 4},
    {"ftag", "int", REG_X87, X87_TAGS, 4}, {"fiseg", "int", REG_X87, X87_CS, 4},
    {"fioff", "int", REG_X87, X87_IP, 4}, {"foseg", "int", REG_X87, X87_DS, 4},
    {"fooff", "int", REG_X87, X87_DP, 4}, {"fop", "int", REG_X87, X87_OPCODE, 4},
    {"xmm0", "vec128", REG_XMM, 0, 16}, {"xmm1", "vec128", REG_XMM, 1, 16},
    {"xmm2", "vec128", REG_XMM, 2, 16}, {"xmm3", "vec128", REG_XMM, 3, 16},
    {"xmm4", "vec128", REG_XMM, 4, 16}, {"xmm5", "vec128", REG_XMM, 5, 16},
    {"xmm6", "vec128", REG_XMM, 6, 16}, {"xmm7", "vec128", REG_XMM, 7, 16},
    {"mxcsr", "i386_mxcsr", REG_MXCSR, 0, 4},
    {"es_base", "int32", REG_BASE, SEG_ES, 4}, {"cs_base", "int32", REG_BASE, SEG_CS, 4},
    {"ss_base", "int32", REG_BASE, SEG_SS, 4}, {"ds_base", "int32", REG_BASE, SEG_DS, 4},
    {"fs_base", "int32", REG_BASE, SEG_FS, 4}, {"gs_base", "int32", REG_BASE, SEG_GS, 4},
    {"cr0", "i386_cr0", REG_CONTROL, 0, 4}, {"cr2", "int32", REG_CONTROL, 2, 4},
    {"cr3", "int32", REG_CONTROL, 3, 4}, {"cr4", "int32", REG_CONTROL, 4, 4},
    {"efer", "int64", REG_EFER, 0, 8},
};
enum { REG_BYTES_MAX = 16 };

static void put_le(uint8_t *to, uint64_t v, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = i < 8 ? (uint8_t)(v >> (8 * i)) : 0;
}

static uint64_t get_le(const uint8_t *from, unsigned size)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < size && i < 8; i++)
        v |= (uint64_t)from[i] << (8 * i);
    return v;
}

/* Tag of a physical register: 0 valid, 1 zero, 2 special, 3 empty (SDM 1 8.1.7). */
static unsigned x87_tag(const struct cpu_x87 *x, unsigned r)
{
    unsigned exponent = x->se[r] & 0x7fff;
    if (x->empty >> r & 1)
        return 3;
    if (exponent == 0 && x->mant[r] == 0)
        return 1;
    return exponent == 0 || exponent == 0x7fff || !(x->mant[r] >> 63) ? 2 : 0;
}

static uint32_t x87_read(const struct cpu_x87 *x, unsigned index)
{
    uint32_t tags = 0;
    switch (index) {
    case X87_CONTROL: return x->control;
    case X87_STATUS: return (uint32_t)(x->status | x->top << 11);
    case X87_TAGS:
        for (unsigned r = 0; r < 8; r++)
            tags |= (uint32_t)x87_tag(x, r) << (2 * r);
        return tags;
    case X87_CS: return x->cs;
    case X87_IP: return (uint32_t)x->ip;
    case X87_DS: return x->ds;
    case X87_DP: return (uint32_t)x->dp;
    default: return x->opcode;
    }
}

static void x87_write(struct cpu_x87 *x, unsigned index, uint32_t v)
{
    switch (index) {
    case X87_CONTROL: x->control = (uint16_t)((v & 0x1f7f) | 0x40); break;
    case X87_STATUS:
        x->status = (uint16_t)(v & ~0x3800u);
        x->top = v >> 11 & 7;
        break;
    case X87_TAGS:
        x->empty = 0;
        for (unsigned r = 0; r < 8; r++)
            x->empty |= (uint8_t)(((v >> (2 * r) & 3) == 3) << r);
        break;
    case X87_CS: x->cs = (uint16_t)v; break;
    case X87_IP: x->ip = v; break;
    case X87_DS: x->ds = (uint16_t)v; break;
    case X87_DP: x->dp = v; break;
    default: x->opcode = v & 0x7ff; break;
    }
}

static void reg_read(const struct cpu *c, const struct gdb_reg *r, uint8_t *to)
{
    const struct cpu_state *s = &c->st;
    const uint64_t control[5] = {s->cr0, 0, s->cr2, s->cr3, s->cr4};
    unsigned st = (s->x87.top + r->index) & 7;
    uint64_t v = 0;
    switch (r->kind) {
    case REG_GENERAL: v = s->gpr[r->index]; break;
    case REG_EIP: v = s->eip; break;
    case REG_EFLAGS: v = cpu_eflags(c); break;
    case REG_SEGMENT: v = s->seg[r->index].selector; break;
    case REG_X87: v = x87_read(&s->x87, r->index); break;
    case REG_MXCSR: v = s->mxcsr; break;
    case REG_BASE: v = s->seg[r->index].base; break;
    case REG_CONTROL: v = control[r->index]; break;
    case REG_EFER: v = s->efer; break;
    case REG_ST:
        put_le(to, s->x87.mant[st], 8);
        put_le(to + 8, s->x87.se[st], 2);
        return;
    default: /* REG_XMM */
        put_le(to, s->xmm[r->index][0], 8);
        put_le(to + 8, s->xmm[r->index][1], 8);
        return;
    }
    put_le(to, v, r->size);
}

/* Real-mode semantics: the limit and rights stay (SDM 3A 20.1.2). False: protected mode. */
static bool segment_write(struct cpu_state *s, unsigned seg, uint16_t selector)
{
    if (s->seg[seg].selector == selector)
        return true;
    if ((s->cr0 & 1) && !(s->eflags & FLAG_VM))
        return false;
    s->seg[seg].selector = selector;
    s->seg[seg].base = (uint64_t)selector << 4;
    return true;
}

/* The bits that POPF at CPL 0 could set; VM only changes with the segments (SDM 1 3.4.3). */
static void eflags_write(struct cpu *c, uint32_t v)
{
    const uint32_t writable = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF |
                              FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID;
    cpu_set_eflags(c, ((uint32_t)c->st.eflags & ~writable) | (v & writable));
}

/* A new place to run from also ends a HLT. */
static void eip_write(struct cpu_state *s, uint32_t eip)
{
    if (s->eip == eip)
        return;
    s->eip = eip;
    s->halted = 0;
}

/* False: this register cannot take the value. The caller ends with reg_written(). */
static bool reg_write(struct cpu *c, const struct gdb_reg *r, const uint8_t *from)
{
    struct cpu_state *s = &c->st;
    uint32_t v = (uint32_t)get_le(from, r->size < 4 ? r->size : 4);
    unsigned st = (s->x87.top + r->index) & 7;
    uint8_t now[REG_BYTES_MAX];
    switch (r->kind) {
    case REG_GENERAL: s->gpr[r->index] = v; return true;
    case REG_EIP: eip_write(s, v); return true;
    case REG_EFLAGS: eflags_write(c, v); return true;
    case REG_SEGMENT: return segment_write(s, r->index, (uint16_t)v);
    case REG_X87: x87_write(&s->x87, r->index, v); return true;
    case REG_MXCSR: s->mxcsr = v & 0xffff; return true;
    case REG_ST:
        s->x87.mant[st] = get_le(from, 8);
        s->x87.se[st] = (uint16_t)get_le(from + 8, 2);
        return true;
    case REG_XMM:
        s->xmm[r->index][0] = get_le(from, 8);
        s->xmm[r->index][1] = get_le(from + 8, 8);
        return true;
    default:
        reg_read(c, r, now);
        return memcmp(now, from, r->size) == 0;
    }
}

/* After writes: everything that the CPU derives from its state. */
static void reg_written(struct cpu *c)
{
    cpu_sync(c);
    cpu_state_changed(c);
}

static void cmd_read_registers(struct gdbstub *g)
{
    struct cpu *c = target_cpu(g);
    reply_start(g);
    for (size_t i = 0; i < ARRAY_LEN(registers); i++) {
        uint8_t bytes[REG_BYTES_MAX];
        reg_read(c, &registers[i], bytes);
        reply_hex(g, bytes, registers[i].size);
    }
    reply_end(g);
}

/* GDB may send fewer registers than there are; those it cannot change keep their value. */
static void cmd_write_registers(struct gdbstub *g, const char *at)
{
    uint8_t bytes[PACKET_MAX / 2];
    int n = from_hex(at, bytes, sizeof(bytes));
    struct cpu *c = target_cpu(g);
    if (n <= 0) {
        reply_bad(g);
        return;
    }
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_LEN(registers) && used + registers[i].size <= (size_t)n; i++) {
        (void)reg_write(c, &registers[i], bytes + used);
        used += registers[i].size;
    }
    reg_written(c);
    reply_ok(g);
}

static void cmd_read_register(struct gdbstub *g, const char *at)
{
    uint64_t n;
    uint8_t bytes[REG_BYTES_MAX];
    if (!take_hex(&at, &n) || *at || n >= ARRAY_LEN(registers)) {
        reply_bad(g);
        return;
    }
    reg_read(target_cpu(g), &registers[n], bytes);
    reply_start(g);
    reply_hex(g, bytes, registers[n].size);
    reply_end(g);
}

static void cmd_write_register(struct gdbstub *g, const char *at)
{
    uint64_t n;
    uint8_t bytes[REG_BYTES_MAX];
    struct cpu *c = target_cpu(g);
    bool ok = take_hex(&at, &n) && take_char(&at, '=') && n < ARRAY_LEN(registers) &&
              from_hex(at, bytes, sizeof(bytes)) == registers[n].size && reg_write(c, &registers[n], bytes);
    if (!ok) {
        reply_bad(g);
        return;
    }
    reg_written(c);
    reply_ok(g);
}

/* --- target description (GDB manual, appendix G) --- */

struct xml {
    char text[8192];
    size_t len;
};

static void xml_put(struct xml *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void xml_put(struct xml *x, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(x->text + x->len, sizeof(x->text) - x->len, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0 && (size_t)n < sizeof(x->text) - x->len);
    x->len += (size_t)n;
}

struct named_bit {
    const char *name; /* NULL ends the list */
    unsigned bit;
};

static void xml_flags(struct xml *x, const char *id, const struct named_bit *bits)
{
    xml_put(x, "<flags id=\"%s\" size=\"4\">", id);
    for (; bits->name; bits++)
        xml_put(x, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", bits->name, bits->bit, bits->bit);
    xml_put(x, "</flags>\n");
}

static void xml_registers(struct xml *x, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        const struct gdb_reg *r = &registers[i];
        const char *group = r->kind == REG_ST || r->kind == REG_X87 ? " group=\"float\""
                            : r->kind >= REG_BASE                  ? " group=\"system\""
                                                                   : "";
        xml_put(x, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"%s/>\n", r->name, r->size * 8u, r->type, group);
    }
}

static void xml_core(struct xml *x)
{
    static const struct named_bit eflags[] = {
        {"CF", 0}, {"", 1}, {"PF", 2}, {"AF", 4}, {"ZF", 6}, {"SF", 7}, {"TF", 8}, {"IF", 9}, {"DF", 10},
        {"OF", 11}, {"NT", 14}, {"RF", 16}, {"VM", 17}, {"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21},
        {NULL, 0}};
    xml_put(x, "<feature name=\"org.gnu.gdb.i386.core\">\n");
    xml_flags(x, "i386_eflags", eflags);
    xml_registers(x, 0, CORE_REGS);
    xml_put(x, "</feature>\n");
}

static void xml_sse(struct xml *x)
{
    static const struct named_bit mxcsr[] = {
        {"IE", 0}, {"DE", 1}, {"ZE", 2}, {"OE", 3}, {"UE", 4}, {"PE", 5}, {"DAZ", 6}, {"IM", 7},
        {"DM", 8}, {"ZM", 9}, {"OM", 10}, {"UM", 11}, {"PM", 12}, {"FZ", 15}, {NULL, 0}};
    static const struct {
        const char *field, *type;
        unsigned count;
    } vectors[] = {{"v4_float", "ieee_single", 4}, {"v2_double", "ieee_double", 2}, {"v16_int8", "int8", 16},
                   {"v8_int16", "int16", 8}, {"v4_int32", "int32", 4}, {"v2_int64", "int64", 2}};
    xml_put(x, "<feature name=\"org.gnu.gdb.i386.sse\">\n");
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        xml_put(x, "<vector id=\"vec_%s\" type=\"%s\" count=\"%u\"/>\n", vectors[i].field, vectors[i].type,
                vectors[i].count);
    xml_put(x, "<union id=\"vec128\">");
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        xml_put(x, "<field name=\"%s\" type=\"vec_%s\"/>", vectors[i].field, vectors[i].field);
    xml_put(x, "<field name=\"uint128\" type=\"uint128\"/></union>\n");
    xml_flags(x, "i386_mxcsr", mxcsr);
    xml_registers(x, CORE_REGS, SSE_REGS);
    xml_put(x, "</feature>\n");
}

static void xml_system(struct xml *x)
{
    static const struct named_bit cr0[] = {{"PE", 0}, {"MP", 1}, {"EM", 2}, {"TS", 3}, {"ET", 4}, {"NE", 5},
                                           {"WP", 16}, {"AM", 18}, {"NW", 29}, {"CD", 30}, {"PG", 31}, {NULL, 0}};
    unsigned first = CORE_REGS + SSE_REGS;
    xml_put(x, "<feature name=\"org.retrace.i386.system\">\n");
    xml_flags(x, "i386_cr0", cr0);
    xml_registers(x, first, (unsigned)ARRAY_LEN(registers) - first);
    xml_put(x, "</feature>\n");
}

static void xml_target(struct xml *x)
{
    x->len = 0;
    xml_put(x, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
               "<target version=\"1.0\"><architecture>i386</architecture>\n");
    xml_core(x);
    xml_sse(x);
    xml_system(x);
    xml_put(x, "</target>\n");
}

/* "target.xml:OFFSET,LENGTH" */
static void query_features(struct gdbstub *g, const char *at)
{
    struct xml x;
    uint64_t offset, len;
    if (!begins(&at, "target.xml:")) {
        reply(g, "E00");
        return;
    }
    if (!take_range(&at, &offset, &len, 0)) {
        reply_bad(g);
        return;
    }
    xml_target(&x);
    uint64_t left = offset < x.len ? x.len - offset : 0;
    if (len > PACKET_MAX / 2)
        len = PACKET_MAX / 2; /* every byte might need an escape */
    if (len > left)
        len = left;
    reply_start(g);
    reply_bytes(g, len < left ? "m" : "l", 1);
    if (len)
        reply_escaped(g, x.text + offset, (size_t)len);
    reply_end(g);
}

/* --- memory --- */

static void cmd_read_memory(struct gdbstub *g, const char *at)
{
    uint64_t addr, len;
    uint8_t bytes[PACKET_MAX / 2];
    if (!take_range(&at, &addr, &len, 0)) {
        reply_bad(g);
        return;
    }
    if (len > sizeof(bytes))
        len = sizeof(bytes);
    size_t n = 0;
    while (n < len && cpu_peek(target_cpu(g), (uint32_t)(addr + n), bytes + n, 1))
        n++;
    if (len && !n) {
        reply_no_memory(g);
        return;
    }
    reply_start(g);
    reply_hex(g, bytes, n);
    reply_end(g);
}

static void write_memory(struct gdbstub *g, uint64_t addr, const uint8_t *bytes, size_t len)
{
    struct cpu *c = target_cpu(g);
    uint8_t probe;
    addr = (uint32_t)addr;
    /* Probe first and last: nothing is half written for what one page cannot hold. */
    bool mapped = len == 0 || (addr + len <= 1ull << 32 && cpu_peek(c, addr, &probe, 1) &&
                               cpu_peek(c, addr + len - 1, &probe, 1) && cpu_poke(c, addr, bytes, len));
    if (mapped)
        reply_ok(g);
    else
        reply_no_memory(g);
}

/* M: hex digits */
static void cmd_write_memory(struct gdbstub *g, const char *at)
{
    uint64_t addr, len;
    uint8_t bytes[PACKET_MAX / 2];
    if (!take_range(&at, &addr, &len, ':') || len > sizeof(bytes) || from_hex(at, bytes, sizeof(bytes)) != (int)len)
        reply_bad(g);
    else
        write_memory(g, addr, bytes, (size_t)len);
}

/* X: binary, `}` escapes */
static void cmd_write_binary(struct gdbstub *g, const char *at)
{
    uint64_t addr, len;
    uint8_t bytes[PACKET_MAX];
    const char *end = g->in + g->in_len;
    size_t n = 0;
    if (!take_range(&at, &addr, &len, ':')) {
        reply_bad(g);
        return;
    }
    for (; at < end; at++) {
        bool escape = *at == '}' && at + 1 < end;
        if (escape)
            at++;
        bytes[n++] = (uint8_t)(escape ? *at ^ 0x20 : *at);
    }
    if (n != len)
        reply_bad(g);
    else
        write_memory(g, addr, bytes, n);
}

/* --- breakpoints --- */

static int find_break(const struct gdbstub *g, laddr addr, unsigned kind, bool any_kind)
{
    for (unsigned i = 0; i < g->nbp; i++) {
        if (g->bp[i].addr == addr && (any_kind || g->bp[i].kind == kind))
            return (int)i;
    }
    return -1;
}

static bool break_insert(struct gdbstub *g, laddr addr, unsigned kind)
{
    if (find_break(g, addr, kind, false) >= 0)
        return true;
    if (g->nbp == BREAK_MAX || !cpu_break_add(target_cpu(g), addr))
        return false;
    g->bp[g->nbp++] = (struct gdb_break){addr, (uint8_t)kind};
    return true;
}

static void break_remove(struct gdbstub *g, laddr addr, unsigned kind)
{
    int i = find_break(g, addr, kind, false);
    if (i < 0)
        return;
    g->bp[i] = g->bp[--g->nbp];
    if (find_break(g, addr, kind, true) < 0)
        cpu_break_remove(target_cpu(g), addr);
}

static void break_remove_all(struct gdbstub *g)
{
    while (g->nbp)
        break_remove(g, g->bp[0].addr, g->bp[0].kind);
}

/* Z and z: "TYPE,ADDR,KIND"; conditions and commands after a semicolon are not offered. */
static void cmd_breakpoint(struct gdbstub *g, const char *at, bool insert)
{
    uint64_t type, addr, kind;
    if (!take_hex(&at, &type) || !take_char(&at, ',') || !take_range(&at, &addr, &kind, 0)) {
        reply_bad(g);
        return;
    }
    if (type > 1) {
        reply(g, ""); /* watchpoints */
        return;
    }
    if (insert && !break_insert(g, (uint32_t)addr, (unsigned)type)) {
        reply(g, "E28"); /* the table is full: ENOSPC */
        return;
    }
    if (!insert)
        break_remove(g, (uint32_t)addr, (unsigned)type);
    reply_ok(g);
}

/* --- running --- */

static void halt(struct gdbstub *g)
{
    if (g->t.running(g->t.arg))
        g->t.halt(g->t.arg);
}

/* A snapshot load gives a CPU without them. */
static void breaks_again(struct gdbstub *g)
{
    for (unsigned i = 0; i < g->nbp; i++)
        (void)!cpu_break_add(target_cpu(g), g->bp[i].addr);
}

static void go_on(struct gdbstub *g)
{
    breaks_again(g);
    g->waiting = true;
    g->t.resume(g->t.arg);
}

static void step(struct gdbstub *g)
{
    g->t.step(g->t.arg);
    reply_stop(g, SIGTRAP_, "");
}

/* "c", "s", "C SIG", "S SIG", each with an optional address (";" before it after a signal). */
static void cmd_resume(struct gdbstub *g, const char *at)
{
    char action = *at++;
    uint64_t v;
    if ((action == 'C' || action == 'S') && (!take_hex(&at, &v) || (*at && !take_char(&at, ';')))) {
        reply_bad(g);
        return;
    }
    if (*at) {
        if (!take_hex(&at, &v) || *at) {
            reply_bad(g);
            return;
        }
        eip_write(&target_cpu(g)->st, (uint32_t)v);
        reg_written(target_cpu(g));
    }
    if (action == 'c' || action == 'C')
        go_on(g);
    else
        step(g);
}

/* "vCont;ACTION[:THREAD]..."; there is one thread, so the first action is the one. */
static void cmd_vcont(struct gdbstub *g, const char *at)
{
    if (*at == '?') {
        reply(g, "vCont;c;C;s;S");
        return;
    }
    if (!take_char(&at, ';') || !strchr("cCsS", *at) || !*at)
        reply_bad(g);
    else if (*at == 'c' || *at == 'C')
        go_on(g);
    else
        step(g);
}

static void let_go(struct gdbstub *g)
{
    break_remove_all(g);
    g->attached = g->waiting = g->no_ack = g->knows_swbreak = g->knows_hwbreak = false;
}

static void cmd_detach(struct gdbstub *g)
{
    let_go(g);
    reply_ok(g);
    g->t.resume(g->t.arg);
}

static void no_output(void *arg, const char *text)
{
    (void)arg, (void)text;
}

static void cmd_kill(struct gdbstub *g)
{
    let_go(g);
    if (g->t.monitor)
        g->t.monitor(g->t.arg, "quit", no_output, NULL);
}

/* --- queries --- */

static void query_supported(struct gdbstub *g, const char *at)
{
    g->knows_swbreak = strstr(at, "swbreak+") != NULL;
    g->knows_hwbreak = strstr(at, "hwbreak+") != NULL;
    reply_start(g);
    reply_text(g, "PacketSize=%x;qXfer:features:read+;swbreak+;hwbreak+;QStartNoAckMode+;vContSupported+",
               PACKET_MAX);
    reply_end(g);
}

/* Monitor output: "O" packets of hex text. */
static void monitor_out(void *arg, const char *text)
{
    struct gdbstub *g = arg;
    size_t len = strlen(text);
    while (len) {
        size_t part = len < PACKET_MAX / 4 ? len : PACKET_MAX / 4;
        reply_start(g);
        reply_bytes(g, "O", 1);
        reply_hex(g, (const uint8_t *)text, part);
        reply_end(g);
        text += part;
        len -= part;
    }
}

static void query_monitor(struct gdbstub *g, const char *at)
{
    uint8_t line[PACKET_MAX / 2 + 1];
    int n = from_hex(at, line, sizeof(line) - 1);
    if (n < 0 || memchr(line, 0, (size_t)n)) {
        reply_bad(g);
        return;
    }
    line[n] = 0;
    if (g->t.monitor)
        g->t.monitor(g->t.arg, (const char *)line, monitor_out, g);
    reply(g, g->t.monitor ? "OK" : "");
}

static void query_thread_text(struct gdbstub *g)
{
    const char *text = g->t.running(g->t.arg) ? "CPU#0 [running]" : "CPU#0 [halted ]";
    reply_start(g);
    reply_hex(g, (const uint8_t *)text, strlen(text));
    reply_end(g);
}

static void cmd_query(struct gdbstub *g, const char *at)
{
    if (begins(&at, "qSupported"))
        query_supported(g, at);
    else if (begins(&at, "qXfer:features:read:"))
        query_features(g, at);
    else if (begins(&at, "qRcmd,"))
        query_monitor(g, at);
    else if (begins(&at, "qThreadExtraInfo,"))
        query_thread_text(g);
    else if (begins(&at, "qAttached"))
        reply(g, "1");
    else if (strcmp(at, "qC") == 0)
        reply(g, "QC1");
    else if (strcmp(at, "qfThreadInfo") == 0)
        reply(g, "m1");
    else if (strcmp(at, "qsThreadInfo") == 0)
        reply(g, "l");
    else
        reply(g, "");
}

static void cmd_set(struct gdbstub *g, const char *at)
{
    if (strcmp(at, "QStartNoAckMode") != 0) {
        reply(g, "");
        return;
    }
    reply_ok(g);
    g->no_ack = true;
}

/* "H OP THREAD", "T THREAD": thread 1, any (0) or all (-1). */
static void cmd_thread(struct gdbstub *g, const char *at)
{
    uint64_t n;
    bool all = strcmp(at, "-1") == 0;
    if (all || (take_hex(&at, &n) && !*at && n <= 1))
        reply_ok(g);
    else
        reply_bad(g);
}

static void cmd_verbose(struct gdbstub *g, const char *at)
{
    if (begins(&at, "vCont"))
        cmd_vcont(g, at);
    else if (begins(&at, "vKill")) {
        reply_ok(g);
        cmd_kill(g);
    } else {
        reply(g, ""); /* vMustReplyEmpty and all that is not offered */
    }
}

static void run_packet(struct gdbstub *g)
{
    const char *at = g->in, *rest = *at ? at + 1 : at;
    switch (*at) {
    case '?': reply_stop(g, g->last_signal, ""); break;
    case 'g': cmd_read_registers(g); break;
    case 'G': cmd_write_registers(g, rest); break;
    case 'p': cmd_read_register(g, rest); break;
    case 'P': cmd_write_register(g, rest); break;
    case 'm': cmd_read_memory(g, rest); break;
    case 'M': cmd_write_memory(g, rest); break;
    case 'X': cmd_write_binary(g, rest); break;
    case 'Z': cmd_breakpoint(g, rest, true); break;
    case 'z': cmd_breakpoint(g, rest, false); break;
    case 'c': case 's': case 'C': case 'S': cmd_resume(g, at); break;
    case 'v': cmd_verbose(g, at); break;
    case 'D': cmd_detach(g); break;
    case 'k': cmd_kill(g); break;
    case 'H': cmd_thread(g, *rest ? rest + 1 : rest); break;
    case 'T': cmd_thread(g, rest); break;
    case 'q': cmd_query(g, at); break;
    case 'Q': cmd_set(g, at); break;
    default: reply(g, ""); break;
    }
}

/* --- the byte stream --- */

static void ack(struct gdbstub *g, const char *sign)
{
    if (!g->no_ack)
        g->send(g->send_arg, sign, 1);
}

/* qSupported opens a connection; the one before it may have ended without a detach. */
static void new_session(struct gdbstub *g)
{
    g->no_ack = g->waiting = false;
    break_remove_all(g);
    halt(g);
}

static void packet_end(struct gdbstub *g, uint8_t sum_low)
{
    g->rx = RX_IDLE;
    g->in[g->in_len] = 0;
    if (strncmp(g->in, "qSupported", strlen("qSupported")) == 0)
        new_session(g);
    if (!g->no_ack && (g->too_long || g->sum != (uint8_t)(g->sum_high << 4 | sum_low))) {
        ack(g, "-");
        return;
    }
    ack(g, "+");
    if (g->too_long) {
        reply_bad(g);
        return;
    }
    run_packet(g);
}

/* Ctrl-C */
static void interrupt(struct gdbstub *g)
{
    halt(g);
    if (g->waiting) {
        g->waiting = false;
        reply_stop(g, SIGINT_, "");
    }
}

static void idle_byte(struct gdbstub *g, char ch)
{
    if (ch == '$') {
        g->rx = RX_DATA;
        g->in_len = 0;
        g->sum = 0;
        g->too_long = false;
    } else if (ch == 3) {
        interrupt(g);
    } else if (ch == '-' && !g->no_ack && g->out_len) {
        g->send(g->send_arg, g->out, g->out_len);
    }
}

static void data_byte(struct gdbstub *g, char ch)
{
    if (ch == '#') {
        g->rx = RX_SUM_HIGH;
        return;
    }
    g->sum = (uint8_t)(g->sum + (uint8_t)ch);
    if (g->in_len < PACKET_MAX)
        g->in[g->in_len++] = ch;
    else
        g->too_long = true;
}

static void receive_byte(struct gdbstub *g, char ch)
{
    int digit = hex_digit(ch);
    switch (g->rx) {
    case RX_IDLE: idle_byte(g, ch); break;
    case RX_DATA: data_byte(g, ch); break;
    case RX_SUM_HIGH:
        g->sum_high = (uint8_t)digit & 15;
        g->rx = digit < 0 ? RX_IDLE : RX_SUM_LOW;
        break;
    case RX_SUM_LOW:
        if (digit < 0)
            g->rx = RX_IDLE;
        else
            packet_end(g, (uint8_t)digit);
        break;
    }
}

void gdbstub_receive(struct gdbstub *g, const void *data, size_t len, gdb_send_fn *send, void *arg)
{
    const char *p = data;
    g->send = send;
    g->send_arg = arg;
    for (size_t i = 0; i < len; i++) {
        if (!g->attached && p[i] == '$') {
            g->attached = true;
            g->last_signal = SIGTRAP_;
            halt(g);
        }
        receive_byte(g, p[i]);
    }
    g->send = NULL;
}

void gdbstub_stopped(struct gdbstub *g, gdb_send_fn *send, void *arg)
{
    if (!g->attached || !g->waiting)
        return;
    g->waiting = false;
    g->send = send;
    g->send_arg = arg;
    reply_stop(g, SIGTRAP_, stop_reason(g));
    g->send = NULL;
}

enum emu_err gdbstub_new(const struct gdb_target *target, struct gdbstub **out, struct error *err)
{
    struct gdbstub *g = calloc(1, sizeof(*g));
    if (!g)
        return error_set(err, EMU_NOMEM, "the host is out of memory for the GDB stub");
    g->t = *target;
    g->last_signal = SIGTRAP_;
    *out = g;
    return EMU_OK;
}

void gdbstub_free(struct gdbstub *g)
{
    free(g);
}
