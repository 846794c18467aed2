/*
 * The disassembler: cases from the manuals written out by hand, and a sweep over all one- and two-byte
 * opcodes against Capstone (where the build has it). Deliberate differences are a table: each entry
 * must still occur.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/disasm.h"
#include "machine/compiler.h"

enum { ORIGIN = 0x1000 };

struct example {
    const char *bytes, *text;
};

static unsigned parse_bytes(const char *text, uint8_t *to)
{
    unsigned n = 0;
    char *end;
    for (unsigned long v = strtoul(text, &end, 16); end != text; v = strtoul(text, &end, 16)) {
        to[n++] = (uint8_t)v;
        text = end;
    }
    return n;
}

static void check_examples(const struct example *e, size_t count, bool code32)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[16];
        char text[100];
        unsigned n = parse_bytes(e[i].bytes, bytes);
        unsigned len = disasm(bytes, n, code32, ORIGIN, text, sizeof(text));
        assert_string_equal(text, e[i].text);
        assert_int_equal(len, n);
    }
}

/* SDM 2A-2D, encodings of the instructions' own pages. */
static void code_of_16_bits_reads_as_the_manual_says(void **state)
{
    static const struct example e[] = {
        {"b8 34 12", "mov ax, 0x1234"},
        {"66 b8 78 56 34 12", "mov eax, 0x12345678"},
        {"8b 47 fe", "mov ax, [bx-2]"},
        {"26 8a 04", "mov al, [es:si]"},
        {"c6 06 34 12 05", "mov byte [0x1234], 5"},
        {"67 c7 04 8b 01 00", "mov word [ebx+ecx*4], 1"},
        {"67 a1 78 56 34 12", "mov ax, [dword 0x12345678]"},
        {"ea 5b e0 00 f0", "jmp 0xf000:0xe05b"},
        {"66 ea 00 00 10 00 08 00", "jmp dword 8:0x100000"},
        {"ff 2e 34 12", "jmp far [0x1234]"},
        {"66 ff 2e 34 12", "jmp far dword [0x1234]"},
        {"e8 fd ff", "call 0x1000"},
        {"66 e8 fa ff ff ff", "o32 call 0x1000"},
        {"eb fe", "jmp 0x1000"},
        {"0f 84 00 01", "je 0x1104"},
        {"66 c3", "o32 ret"},
        {"cb", "retf"},
        {"f3 a5", "rep movsw"},
        {"f3 66 a5", "rep movsd"},
        {"66 f3 67 a5", "a32 rep movsd"},
        {"2e ac", "cs lodsb"},
        {"f2 ae", "repne scasb"},
        {"f3 a7", "repe cmpsw"},
        {"d4 0a", "aam"},
        {"d5 10", "aad 0x10"},
        {"98", "cbw"},
        {"66 98", "cwde"},
        {"99", "cwd"},
        {"60", "pusha"},
        {"66 9d", "popfd"},
        {"cf", "iret"},
        {"c8 10 00 01", "enter 0x10, 1"},
        {"e3 fe", "jcxz 0x1000"},
        {"67 e3 fd", "jecxz 0x1000"},
        {"67 e2 fd", "loop 0x1000, ecx"},
        {"66 6a ff", "push dword -1"},
        {"0f 01 16 34 12", "lgdt [0x1234]"},
        {"66 0f 01 16 34 12", "o32 lgdt [0x1234]"},
        {"0f 05", "loadall"},
        {"9b", "wait"},
    };
    (void)state;
    check_examples(e, ARRAY_LEN(e), false);
}

static void code_of_32_bits_reads_as_the_manual_says(void **state)
{
    static const struct example e[] = {
        {"8b 43 08", "mov eax, [ebx+8]"},
        {"8b 84 91 00 ff ff ff", "mov eax, [ecx+edx*4-0x100]"},
        {"8b 04 8d 10 00 00 00", "mov eax, [ecx*4+0x10]"},
        {"8b 0c 24", "mov ecx, [esp]"},
        {"65 a1 14 00 00 00", "mov eax, [gs:0x14]"},
        {"67 8b 07", "mov eax, [bx]"},
        {"66 83 c0 ff", "add ax, -1"},
        {"80 38 7f", "cmp byte [eax], 0x7f"},
        {"d3 20", "shl dword [eax], cl"},
        {"d1 f8", "sar eax, 1"},
        {"0f b6 00", "movzx eax, byte [eax]"},
        {"0f bf 45 fc", "movsx eax, word [ebp-4]"},
        {"0f a4 d0 04", "shld eax, edx, 4"},
        {"0f 94 c0", "sete al"},
        {"0f 4f c1", "cmovg eax, ecx"},
        {"0f c7 0e", "cmpxchg8b [esi]"},
        {"f0 0f b1 0a", "lock cmpxchg [edx], ecx"},
        {"6b c0 0a", "imul eax, eax, 0xa"},
        {"8e d8", "mov ds, ax"},
        {"8c 18", "mov [eax], ds"},
        {"0f 22 c0", "mov cr0, eax"},
        {"0f 21 f8", "mov eax, dr7"},
        {"0f 24 f0", "mov eax, tr6"},
        {"66 e8 fc ff", "o16 call 0x1000"},
        {"ff 14 85 00 10 00 00", "call dword [eax*4+0x1000]"},
        {"ff e0", "jmp eax"},
        {"9a 00 00 00 00 08 00", "call 8:0"},
        {"e4 60", "in al, 0x60"},
        {"ef", "out dx, eax"},
        {"6d", "insd"},
        {"cd 80", "int 0x80"},
        {"0f 0b", "ud2"},
        {"0f 1f 44 00 00", "nop dword [eax+eax]"},
        {"d7", "xlatb"},
        {"0f a2", "cpuid"},
        {"0f 6f c1", "movq mm0, mm1"},
        {"66 0f 6f 01", "movdqa xmm0, [ecx]"},
        {"f3 0f 58 c1", "addss xmm0, xmm1"},
        {"f2 0f 2a c0", "cvtsi2sd xmm0, eax"},
        {"0f c2 c1 02", "cmpleps xmm0, xmm1"},
        {"0f c2 c1 09", "cmpps xmm0, xmm1, 9"},
        {"66 0f 73 f8 04", "pslldq xmm0, 4"},
    };
    (void)state;
    check_examples(e, ARRAY_LEN(e), true);
}

/* SDM 2D table A-7 ff.; D8 works on st0, DC on sti with SUB and SUBR exchanged. */
static void x87_escapes_read_as_the_manual_says(void **state)
{
    static const struct example e[] = {
        {"d8 c1", "fadd st0, st1"},    {"dc c1", "fadd st1, st0"},   {"d8 e1", "fsub st0, st1"},
        {"dc e1", "fsubr st1, st0"},   {"dc e9", "fsub st1, st0"},   {"de e9", "fsubp st1, st0"},
        {"de f1", "fdivrp st1, st0"},  {"de d9", "fcompp"},          {"d9 00", "fld dword [eax]"},
        {"dd 00", "fld qword [eax]"},  {"db 28", "fld tword [eax]"}, {"df 20", "fbld tword [eax]"},
        {"df 28", "fild qword [eax]"}, {"da 00", "fiadd dword [eax]"}, {"de 00", "fiadd word [eax]"},
        {"d9 c9", "fxch st1"},         {"d9 e8", "fld1"},            {"d9 ff", "fcos"},
        {"d9 28", "fldcw word [eax]"}, {"66 d9 30", "o16 fnstenv [eax]"}, {"dd 30", "fnsave [eax]"},
        {"df e0", "fnstsw ax"},        {"db e3", "fninit"},          {"da e9", "fucompp"},
        {"db e9", "fucomi st0, st1"},  {"df f1", "fcomip st0, st1"}, {"db d1", "fcmovnbe st0, st1"},
        {"dd e2", "fucom st2"},        {"dd c7", "ffree st7"},
    };
    (void)state;
    check_examples(e, ARRAY_LEN(e), true);
}

static void what_is_no_instruction_is_bad_and_one_byte_long(void **state)
{
    static const char *const bad[] = {
        "0f ff", "f0 89 07", "c5 c0", "fe f8", "0f 04", "d9 08", "8d c0", "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90",
        "b8 34", "0f", "", "26", "8b 84 91 00",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t bytes[16];
        char text[100];
        unsigned n = parse_bytes(bad[i], bytes);
        assert_int_equal(disasm(bytes, n, true, 0, text, sizeof(text)), 1);
        assert_string_equal(text, "(bad)");
    }
}

static void a_short_buffer_is_never_overrun(void **state)
{
    static const uint8_t bytes[] = {0x67, 0xc7, 0x84, 0x91, 0x78, 0x56, 0x34, 0x12, 0x34, 0x12};
    char whole[100];
    (void)state;
    disasm(bytes, sizeof(bytes), false, 0, whole, sizeof(whole));
    for (size_t len = 0; len < 50; len++) {
        char text[64];
        memset(text, 0x55, sizeof(text));
        assert_int_equal(disasm(bytes, sizeof(bytes), false, 0, text, len), sizeof(bytes));
        assert_int_equal(text[len], 0x55);
        if (len)
            assert_int_equal(strncmp(text, whole, strlen(text)), 0);
    }
}

/* Every text is made of bytes that are there (the address sanitizer looks), and is one line. */
static void random_bytes_are_read_no_further_than_they_go(void **state)
{
    uint64_t seed = 1;
    (void)state;
    for (unsigned round = 0; round < 200000; round++) {
        uint8_t bytes[16];
        char text[100];
        for (unsigned i = 0; i < sizeof(bytes); i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            bytes[i] = (uint8_t)(seed >> 56);
        }
        unsigned avail = (unsigned)(seed >> 50 & 15);
        uint8_t *exact = malloc(avail ? avail : 1);
        memcpy(exact, bytes, avail);
        unsigned len = disasm(exact, avail, seed >> 40 & 1, (uint32_t)seed, text, sizeof(text));
        assert_true(len >= 1 && (len <= avail || strcmp(text, "(bad)") == 0));
        assert_true(strlen(text) < 80);
        for (const char *p = text; *p; p++)
            assert_true(isprint((unsigned char)*p));
        free(exact);
    }
}

#ifndef HAVE_CAPSTONE

static void the_sweep_agrees_with_capstone(void **state)
{
    (void)state;
    print_message("skipped: built without Capstone (./configure --install-deps)\n");
    skip();
}

#else

#include <capstone/capstone.h>

/* --- both texts in one form --- */

static void replace_all(char *text, const char *from, const char *to)
{
    size_t nf = strlen(from), nt = strlen(to);
    for (char *at = strstr(text, from); at; at = strstr(at + nt, from)) {
        memmove(at + nt, at + nf, strlen(at + nf) + 1);
        memcpy(at, to, nt);
    }
}

/* Every number as plain hex without leading zeros, under `mask`. */
static void plain_numbers(char *text, unsigned long mask)
{
    char out[200];
    size_t n = 0;
    for (const char *p = text; *p && n < sizeof(out) - 20;) {
        bool starts = isdigit((unsigned char)*p) && (p == text || !isalnum((unsigned char)p[-1]));
        if (!starts) {
            out[n++] = *p++;
            continue;
        }
        char *end;
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%lx", strtoul(p, &end, 0) & mask);
        p = end;
    }
    out[n] = 0;
    memcpy(text, out, n + 1);
}

/* "es:[bx" -> "[es:bx" */
static void segment_inside(char *text)
{
    for (char *at = strstr(text, ":["); at; at = strstr(at + 1, ":[")) {
        char seg[2] = {at[-2], at[-1]};
        at[-2] = '[';
        memcpy(at - 1, seg, 2);
        at[1] = ':';
    }
}

static const char *const string_ops[] = {"movs", "cmps", "stos", "lods", "scas", "ins", "outs"};

static bool is_string_text(const char *mnemonic)
{
    const char *word = strrchr(mnemonic, ' ');
    word = word ? word + 1 : mnemonic;
    for (size_t i = 0; i < ARRAY_LEN(string_ops); i++) {
        size_t n = strlen(string_ops[i]);
        if (strncmp(word, string_ops[i], n) == 0 && word[n] && strchr("bwd", word[n]) && !word[n + 1])
            return true;
    }
    return false;
}

static void drop_prefix(char *text, const char *prefix)
{
    if (strncmp(text, prefix, strlen(prefix)) == 0)
        memmove(text, text + strlen(prefix), strlen(text + strlen(prefix)) + 1);
}

/* Operands in alphabetical order, for instructions where their order means nothing. */
static void sort_two(char *operands)
{
    char first[100], *comma = strchr(operands, ',');
    size_t n = comma ? (size_t)(comma - operands) : 0, m = comma ? strlen(comma + 1) : 0;
    if (!comma || n >= sizeof(first) || strncmp(operands, comma + 1, n < m ? n : m) <= 0)
        return;
    memcpy(first, operands, n);
    memmove(operands, comma + 1, m);
    operands[m] = ',';
    memcpy(operands + m + 1, first, n);
}

struct canon {
    char mnemonic[40], operands[200];
    unsigned long mask;
};

static void canon_operands(struct canon *c)
{
    char *o = c->operands;
    replace_all(o, " ", "");
    segment_inside(o);
    plain_numbers(o, c->mask);
    if (c->mnemonic[0] == 'f') { /* an implied st0 may be written or not */
        drop_prefix(o, "st0,");
        size_t n = strlen(o);
        if (n > 4 && strcmp(o + n - 4, ",st0") == 0)
            o[n - 4] = 0;
    }
    if (strcmp(c->mnemonic, "xchg") == 0 || strcmp(c->mnemonic, "test") == 0)
        sort_two(o);
}

static const char *const size_words[] = {"byte ", "dword ", "qword ", "tword ", "xmmword ", "word "};

static void strip_sizes(char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(size_words); i++)
        replace_all(text, size_words[i], "");
}

/* "lock add [eax], ecx" -> mnemonic "lock add", operands "[eax],ecx" */
static void canon_ours(const char *text, struct canon *c)
{
    char copy[200];
    static const char *const dropped[] = {"o16 ", "o32 ", "a16 ", "a32 "};
    static const char *const prefixes[] = {"lock ", "rep ", "repe ", "repne ", "es ", "cs ", "ss ", "ds ", "fs ", "gs "};
    snprintf(copy, sizeof(copy), "%s", text);
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        drop_prefix(copy, dropped[i]);
    strip_sizes(copy);
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(copy + n, prefixes[i], strlen(prefixes[i])) == 0)
            n += strlen(prefixes[i]);
    }
    n += strcspn(copy + n, " ");
    if (strncmp(copy + n, " far", 4) == 0)
        n += 4;
    snprintf(c->mnemonic, sizeof(c->mnemonic), "%.*s", (int)n, copy);
    snprintf(c->operands, sizeof(c->operands), "%s", copy + n + (copy[n] == ' '));
    if (strncmp(c->mnemonic, "loop", 4) == 0)
        c->operands[strcspn(c->operands, ",")] = 0;
    canon_operands(c);
}

/* The override of a string source: "es lodsb" is Capstone's lodsb al, byte ptr es:[si]. */
static void canon_string(const char *operands, struct canon *c)
{
    char seg[4] = "", copy[sizeof(c->mnemonic) + 4];
    const char *at = strstr(operands, ":[esi]");
    if (!at)
        at = strstr(operands, ":[si]");
    if (at)
        snprintf(seg, sizeof(seg), "%.2s ", at - 2);
    char *word = strrchr(c->mnemonic, ' ');
    word = word ? word + 1 : c->mnemonic;
    snprintf(copy, sizeof(copy), "%.*s%s%s", (int)(word - c->mnemonic), c->mnemonic, seg, word);
    snprintf(c->mnemonic, sizeof(c->mnemonic), "%.39s", copy);
    c->operands[0] = 0;
}

static void canon_capstone(const cs_insn *in, struct canon *c)
{
    char copy[200];
    snprintf(c->mnemonic, sizeof(c->mnemonic), "%s", in->mnemonic);
    drop_prefix(c->mnemonic, "bnd "); /* MPX: F2 on a branch */
    if (is_string_text(c->mnemonic) && strncmp(in->op_str, "xmm", 3) != 0 && !strstr(in->op_str, "xmm")) {
        canon_string(in->op_str, c);
        return;
    }
    snprintf(copy, sizeof(copy), "%s", in->op_str);
    replace_all(copy, " ptr ", " ");
    replace_all(copy, "xword ", "tword ");
    replace_all(copy, "tbyte ", "tword ");
    strip_sizes(copy);
    for (unsigned i = 0; i < 8; i++) {
        char from[8] = "st(0)", to[8] = "st0";
        from[3] = to[2] = (char)('0' + i);
        replace_all(copy, from, to);
    }
    snprintf(c->operands, sizeof(c->operands), "%s", copy);
    canon_operands(c);
}

/* A size that ours writes must be Capstone's. */
static bool sizes_agree(const char *ours, const char *theirs)
{
    static const char *const pairs[][2] = {{"byte [", "byte ptr"}, {" word [", "word ptr"}, {"dword [", "dword ptr"},
                                           {"qword [", "qword ptr"}, {"tword [", "xword ptr"}};
    if (strstr(theirs, "tbyte ptr"))
        return strstr(ours, "tword [") != NULL;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        if (strstr(ours, pairs[i][0]))
            return strstr(theirs, pairs[i][1]) != NULL;
    }
    return true;
}

/* --- the instruction's bytes --- */

static bool is_prefix(unsigned b)
{
    return b == 0x26 || b == 0x2e || b == 0x36 || b == 0x3e || (b >= 0x64 && b <= 0x67) || b == 0xf0 ||
           b == 0xf2 || b == 0xf3;
}

static const uint8_t *opcode_of(const uint8_t *bytes)
{
    while (is_prefix(*bytes))
        bytes++;
    return bytes;
}

static bool has_prefix(const uint8_t *bytes, uint8_t prefix)
{
    const uint8_t *end = opcode_of(bytes);
    for (; bytes < end; bytes++) {
        if (*bytes == prefix)
            return true;
    }
    return false;
}

/* Two-byte opcodes on which 66, F2, F3 choose the instruction. */
static bool is_vector(const uint8_t *op)
{
    if (op[0] != 0x0f)
        return false;
    unsigned row = op[1] >> 4;
    return (row == 1 && op[1] < 0x18) || (row == 2 && op[1] >= 0x28) || (row >= 5 && row <= 7) ||
           (op[1] >= 0xc2 && op[1] <= 0xc6) || row >= 0xd;
}

/* --- deliberate differences --- */

#define ANY "*" /* whatever Capstone says; "" = no instruction */

/* By opcode range and by the first word of both texts. */
static const struct difference {
    unsigned first, last;
    const char *ours, *theirs, *reason;
} differences[] = {
    {0x00, 0x33, "(bad)", "lock", "LOCK is #UD without a memory destination (SDM 2A, LOCK)"},
    {0x0f1f, 0x0f1f, "(bad)", "lock", "the same"},
    {0x60, 0x60, "pusha", "pushaw", "name"},
    {0x60, 0x60, "pushad", "pushal", "name"},
    {0x61, 0x61, "popa", "popaw", "name"},
    {0x61, 0x61, "popad", "popal", "name"},
    {0x83, 0x83, "and", "and", "the sign of a sign-extended byte is kept"},
    {0x83, 0x83, "or", "or", "the same"},
    {0x83, 0x83, "xor", "xor", "the same"},
    {0x83, 0x83, "lock", "lock", "the same"},
    {0x86, 0x87, "xchg", "xacquire", "TSX is not modelled"},
    {0x86, 0x87, "xchg", "xrelease", "the same"},
    {0x8b, 0x8b, "mov", "mov", "[eax*1+n] is another encoding than [eax+n]"},
    {0x8e, 0x8e, "(bad)", "mov", "CS cannot be loaded by MOV"},
    {0x8e, 0x8e, "mov", "mov", "the source register of MOV Sreg is written as the word it is"},
    {0x90, 0x90, "pause", "nop", "Capstone: not in 16-bit mode, not with 66"},
    {0x98, 0x98, "cbw", "cwde", "Capstone: wrong in 16-bit mode"},
    {0x99, 0x99, "cwd", "cdq", "the same"},
    {0x9a, 0x9a, "call", "lcall", "name"},
    {0xa5, 0xa5, "repne", "movsd", "Capstone loses the prefix (it shares the name with SSE2)"},
    {0xc4, 0xc5, "(bad)", ANY, "AVX is not modelled"},
    {0xc6, 0xc6, "(bad)", "xabort", "TSX is not modelled"},
    {0xc7, 0xc7, "(bad)", "xbegin", "the same"},
    {0xc8, 0xc8, "enter", "enter", "ENTER's operands are unsigned"},
    {0xd7, 0xd7, "cs", "xlatb", "an override changes the table's segment"},
    {0xd7, 0xd7, "es", "xlatb", "the same"},
    {0xd7, 0xd7, "gs", "xlatb", "the same"},
    {0xd9, 0xd9, "fstp", "fstpnce", "undocumented alias"},
    {0xdb, 0xdf, "(bad)", "fisttp", "SSE3 is not modelled"},
    {0xdb, 0xdb, "fneni", "feni8087_nop", "name"},
    {0xdb, 0xdb, "fndisi", "fdisi8087_nop", "name"},
    {0xdb, 0xdb, "fnsetpm", "fsetpm", "name"},
    {0xea, 0xea, "jmp", "ljmp", "name"},
    {0xff, 0xff, "call", "lcall", "name"},
    {0xff, 0xff, "jmp", "ljmp", "name"},
    {0x0f01, 0x0f01, "(bad)", ANY, "VMX, SVM, MONITOR, TSX and others are not modelled"},
    {0x0f02, 0x0f02, "lar", "lar", "the source register is written as the word it is"},
    {0x0f03, 0x0f03, "lsl", "lsl", "the same"},
    {0x0f05, 0x0f05, "loadall", "syscall", "the 286's LOADALL; SYSCALL is of AMD's models"},
    {0x0f05, 0x0f05, "(bad)", "syscall", "the same"},
    {0x0f07, 0x0f07, "(bad)", "sysret", "of AMD's models"},
    {0x0f0d, 0x0f0f, "(bad)", ANY, "3DNow! is of AMD's models"},
    {0x0f18, 0x0f1f, "nop", "", "hint space: register forms are NOPs too"},
    {0x0f19, 0x0f19, "nop", "nop", "Capstone shows an operand that the instruction does not have"},
    {0x0f24, 0x0f26, "mov", "", "the 386's and 486's test registers"},
    {0x0f37, 0x0f3a, "(bad)", ANY, "SMX, SSSE3 and SSE4 are not modelled"},
    {0x0f78, 0x0f79, "(bad)", ANY, "VMX is not modelled"},
    {0x0fa6, 0x0fa7, "(bad)", ANY, "VIA PadLock is not modelled"},
    {0x0fae, 0x0fae, "(bad)", ANY, "XSAVE and others are not modelled"},
    {0x0fae, 0x0fae, "clflush", "clflushopt", "the same"},
    {0x0fae, 0x0fae, "sfence", "pcommit", "the same"},
    {0x0fae, 0x0fae, "lfence", "", "the r/m field of a fence is ignored"},
    {0x0fae, 0x0fae, "mfence", "", "the same"},
    {0x0fae, 0x0fae, "sfence", "", "the same"},
    {0x0fb8, 0x0fb8, "(bad)", "popcnt", "SSE4 is not modelled"},
    {0x0fb9, 0x0fb9, "ud1", "ud2b", "name, operands (SDM 2B, UD)"},
    {0x0fbc, 0x0fbc, "bsf", "tzcnt", "BMI is not modelled: F3 has no effect"},
    {0x0fbd, 0x0fbd, "bsr", "lzcnt", "the same"},
    {0x0fc7, 0x0fc7, "(bad)", ANY, "RDRAND, XSAVEC, VMX and others are not modelled"},
    {0x0fff, 0x0fff, "(bad)", "ud0", "models differ about its length"},
};

static bool word_is(const char *text, const char *word)
{
    size_t n = strcspn(text, " ");
    return strcmp(word, ANY) == 0 || (strlen(word) == n && strncmp(text, word, n) == 0);
}

/* --- the comparison --- */

struct sweep {
    csh handle[2];
    cs_insn *insn;
    unsigned long compared, failures;
    unsigned seen[ARRAY_LEN(differences)];
};

static bool is_deliberate(struct sweep *s, unsigned opcode, const char *ours, const char *theirs)
{
    for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
        const struct difference *d = &differences[i];
        if (opcode >= d->first && opcode <= d->last && word_is(ours, d->ours) && word_is(theirs, d->theirs)) {
            s->seen[i]++;
            return true;
        }
    }
    return false;
}

/* Capstone ignores 66, F2 or F3 where no such instruction exists; to the processor it is undefined. */
static bool ignores_prefix(const uint8_t *bytes, const char *ours)
{
    bool mandatory = bytes[0] == 0x66 || bytes[0] == 0xf2 || bytes[0] == 0xf3;
    return mandatory && is_vector(opcode_of(bytes)) && strcmp(ours, "(bad)") == 0;
}

/* SSE3 among the opcodes of SSE2. */
static bool is_sse3(const char *theirs)
{
    static const char *const words[] = {"haddps", "haddpd", "hsubps", "hsubpd", "addsubps", "addsubpd", "lddqu",
                                        "movddup", "movshdup", "movsldup"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (word_is(theirs, words[i]))
            return true;
    }
    return false;
}

/* With several prefixes, or any in 16-bit mode, Capstone confuses the mandatory one. */
static bool is_comparable(const uint8_t *bytes, bool code32)
{
    const uint8_t *op = opcode_of(bytes);
    return !is_vector(op) || op == bytes || (op == bytes + 1 && code32);
}

static bool agree(const struct sweep *s, const struct canon *a, const struct canon *b, unsigned len, const char *text)
{
    return len == s->insn->size && strcmp(a->mnemonic, b->mnemonic) == 0 && strcmp(a->operands, b->operands) == 0 &&
           sizes_agree(text, s->insn->op_str);
}

static void report(struct sweep *s, const uint8_t *bytes, bool code32, const char *ours, const char *theirs)
{
    if (s->failures++ >= 50)
        return;
    print_error("%u-bit", code32 ? 32 : 16);
    for (unsigned i = 0; i < 12; i++)
        print_error(" %02x", bytes[i]);
    print_error(": \"%s\", Capstone \"%s\"\n", ours, theirs);
}

static void compare(struct sweep *s, const uint8_t *bytes, unsigned avail, bool code32)
{
    /* With 66 or 67 Capstone does not always cut addresses and targets to 16 bits. */
    unsigned long mask = has_prefix(bytes, 0x66) || has_prefix(bytes, 0x67) ? 0xffff : 0xffffffff;
    struct canon a = {"", "", mask}, b = a;
    char text[100], theirs[sizeof(s->insn->mnemonic) + sizeof(s->insn->op_str) + 2] = "";
    const uint8_t *at = bytes, *op = opcode_of(bytes);
    size_t left = avail;
    uint64_t addr = ORIGIN;
    if (!is_comparable(bytes, code32))
        return;
    unsigned len = disasm(bytes, avail, code32, ORIGIN, text, sizeof(text));
    bool ok = cs_disasm_iter(s->handle[code32], &at, &left, &addr, s->insn);
    bool bad = strcmp(text, "(bad)") == 0;
    s->compared++;
    canon_ours(text, &a);
    if (ok) {
        canon_capstone(s->insn, &b);
        snprintf(theirs, sizeof(theirs), "%s %s", s->insn->mnemonic, s->insn->op_str);
    }
    if (bad ? !ok || is_sse3(theirs) : ok && agree(s, &a, &b, len, text))
        return;
    unsigned opcode = op[0] == 0x0f ? 0x0f00u | op[1] : op[0];
    if (!ignores_prefix(bytes, text) && !is_deliberate(s, opcode, bad ? text : a.mnemonic, ok ? b.mnemonic : ""))
        report(s, bytes, code32, text, theirs);
}

/* --- what is compared --- */

static const char *const prefix_sets[] = {"", "66", "67", "f2", "f3", "66 67", "2e", "65", "f0", "f3 66", "26 66"};

/* What follows the ModRM byte: small and large, positive and negative. */
static const uint8_t tails[2][10] = {{0x24, 0x12, 0x34, 0x56, 0x71, 0x05, 0x18, 0x29, 0x3a, 0x4b},
                                     {0xc5, 0xfe, 0xff, 0xff, 0xff, 0x80, 0xf1, 0xe2, 0xd3, 0xc4}};

static void sweep_opcode(struct sweep *s, const char *prefixes, unsigned opcode, unsigned modrm_step)
{
    for (unsigned modrm = 0; modrm < 256; modrm += modrm_step) {
        uint8_t bytes[32];
        unsigned n = parse_bytes(prefixes, bytes);
        if (opcode > 0xff)
            bytes[n++] = 0x0f;
        bytes[n++] = (uint8_t)opcode;
        bytes[n++] = (uint8_t)modrm;
        memcpy(bytes + n, tails[(modrm ^ modrm >> 3) & 1], sizeof(tails[0]));
        for (unsigned mode = 0; mode < 2; mode++)
            compare(s, bytes, n + (unsigned)sizeof(tails[0]), mode);
    }
}

static void sweep_sib(struct sweep *s)
{
    for (unsigned mod = 0; mod < 3; mod++) {
        for (unsigned sib = 0; sib < 256; sib++) {
            uint8_t bytes[12] = {0x8b, (uint8_t)(mod << 6 | 4), (uint8_t)sib, 0x85, 0xff, 0x01, 0x02};
            compare(s, bytes, sizeof(bytes), true);
        }
    }
}

static void the_sweep_agrees_with_capstone(void **state)
{
    struct sweep s = {0};
    (void)state;
    assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_16, &s.handle[0]), CS_ERR_OK);
    assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_32, &s.handle[1]), CS_ERR_OK);
    s.insn = cs_malloc(s.handle[0]);
    for (size_t p = 0; p < ARRAY_LEN(prefix_sets); p++) {
        for (unsigned opcode = 0; opcode < 512; opcode++) {
            if (opcode != 0x0f && (opcode > 0xff || !is_prefix(opcode)))
                sweep_opcode(&s, prefix_sets[p], opcode, p < 2 ? 1 : 7);
        }
    }
    sweep_sib(&s);
    cs_free(s.insn, 1);
    cs_close(&s.handle[0]);
    cs_close(&s.handle[1]);
    print_message("%lu instructions compared with Capstone\n", s.compared);
    for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
        if (!s.seen[i])
            print_error("no longer a difference: %02x %s (%s)\n", differences[i].first, differences[i].ours,
                        differences[i].reason);
        s.failures += s.seen[i] == 0;
    }
    assert_int_equal(s.failures, 0);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_of_16_bits_reads_as_the_manual_says),
        cmocka_unit_test(code_of_32_bits_reads_as_the_manual_says),
        cmocka_unit_test(x87_escapes_read_as_the_manual_says),
        cmocka_unit_test(what_is_no_instruction_is_bad_and_one_byte_long),
        cmocka_unit_test(a_short_buffer_is_never_overrun),
        cmocka_unit_test(random_bytes_are_read_no_further_than_they_go),
        cmocka_unit_test(the_sweep_agrees_with_capstone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
