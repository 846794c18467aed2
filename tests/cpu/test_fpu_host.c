/*
 * x87 and MMX instructions against the host's own unit. On an x86-64 host the same instruction bytes run on both,
 * from the same full state (control and status word, TOP, tags, all eight registers, EAX, EFLAGS, a memory operand);
 * everything that the instruction may have changed must be equal afterwards. On other hosts there is nothing to do.
 *
 * The host side is FRSTOR, the instruction, FNSAVE: neither of the two waits, so that unmasked exceptions can be
 * looked at without a signal. Not compared: the instruction pointers (some processors lose them when the host's kernel
 * switches threads), the last bits of transcendental functions, how far one FPREM step reduces, and what
 * leniency_of() names.
 */
#include <stdio.h>

#if defined(__x86_64__) && defined(__linux__)
#include "cpu/optable.h"
#include "tests/cpu/fpu_bench.h"

enum { OPERAND_BYTES = 128, CODE_BYTES = 4 };

/* --- the host --- */

/* The 32-bit protected-mode image of FNSAVE (SDM 1 figures 8-9 and 8-11). */
struct image {
    uint32_t control, status, tags, pointers[4];
    uint8_t st[8][10];
};

/* What an instruction reads and writes. */
struct context {
    struct image fpu;
    uint64_t eax, eflags;
    uint8_t memory[OPERAND_BYTES];
};

/* 8-byte stubs: ESC opcodes on registers (512), on (%rcx) (64), MMX opcodes with ModRM D0 (256) and 10 (256);
 * 16-byte ones: MMX shifts 71-73 by an immediate 0-79, each with ModRM D0, E0, F0. */
extern const char host_x87_register[], host_x87_memory[], host_mmx_register[], host_mmx_memory[], host_mmx_shift[];
void host_call(const struct image *in, struct image *out, const char *stub, void *memory, uint64_t *eax,
               uint64_t *eflags);

#define STUB(align, ...) ".p2align " align "\n frstor (%rdi)\n .byte " __VA_ARGS__ "\n fnsave (%rsi)\n ret\n"
__asm__(".text\n"
        ".p2align 3\n"
        "host_x87_register:\n"
        " .irp esc, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf\n"
        " .set host_n, 0xc0\n"
        " .rept 64\n" STUB("3", "\\esc, host_n") " .set host_n, host_n + 1\n"
        " .endr\n"
        " .endr\n"
        ".p2align 3\n"
        "host_x87_memory:\n"
        " .irp esc, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf\n"
        " .set host_n, 0x01\n"
        " .rept 8\n" STUB("3", "\\esc, host_n") " .set host_n, host_n + 8\n"
        " .endr\n"
        " .endr\n"
        ".p2align 3\n"
        "host_mmx_register:\n"
        " .set host_n, 0\n"
        " .rept 256\n" STUB("3", "0x0f, host_n, 0xd0") " .set host_n, host_n + 1\n"
        " .endr\n"
        ".p2align 3\n"
        "host_mmx_memory:\n"
        " .set host_n, 0\n"
        " .rept 256\n" STUB("3", "0x0f, host_n, 0x11") " .set host_n, host_n + 1\n"
        " .endr\n"
        ".p2align 4\n"
        "host_mmx_shift:\n"
        " .irp op, 0x71, 0x72, 0x73\n"
        " .irp reg, 0xd0, 0xe0, 0xf0\n"
        " .set host_n, 0\n"
        " .rept 80\n" STUB("4", "0x0f, \\op, \\reg, host_n") " .set host_n, host_n + 1\n"
        " .endr\n"
        " .endr\n"
        " .endr\n"
        ".p2align 4\n"
        "host_call:\n"
        " pushq (%r9)\n"
        " popfq\n"
        " movq (%r8), %rax\n"
        " call *%rdx\n"
        " movq %rax, (%r8)\n"
        " pushfq\n"
        " popq (%r9)\n"
        " ret\n");

/* One instruction: its bytes for the guest, its stub for the host. */
struct instruction {
    uint8_t bytes[CODE_BYTES];
    const char *stub;
};

static struct instruction x87_register(unsigned opcode, unsigned modrm)
{
    struct instruction n = {{(uint8_t)opcode, (uint8_t)modrm, 0x90, 0x90}, NULL};
    n.stub = host_x87_register + ((opcode & 7) * 64 + (modrm & 63)) * 8;
    return n;
}

static struct instruction x87_memory(unsigned opcode, unsigned reg)
{
    struct instruction n = {{(uint8_t)opcode, (uint8_t)(reg << 3 | 1), 0x90, 0x90}, NULL};
    n.stub = host_x87_memory + ((opcode & 7) * 8 + reg) * 8;
    return n;
}

static struct instruction mmx(unsigned opcode, bool memory)
{
    struct instruction n = {{0x0f, (uint8_t)opcode, memory ? 0x11 : 0xd0, 0x90}, NULL};
    n.stub = (memory ? host_mmx_memory : host_mmx_register) + opcode * 8;
    return n;
}

/* which: 0 right, 1 right signed, 2 left */
static struct instruction mmx_shift(unsigned opcode, unsigned which, unsigned count)
{
    struct instruction n = {{0x0f, (uint8_t)opcode, (uint8_t)(0xd0 + 16 * which), (uint8_t)count}, NULL};
    n.stub = host_mmx_shift + (((opcode - 0x71) * 3 + which) * 80 + count) * 16;
    return n;
}

static void run_on_host(const struct instruction *n, struct context *x)
{
    struct image in = x->fpu;
    host_call(&in, &x->fpu, n->stub, x->memory, &x->eax, &x->eflags);
}

/* --- the guest --- */

static void load_guest(struct cpu *c, const struct image *m)
{
    struct cpu_x87 *f = &c->st.x87;
    f->control = (uint16_t)m->control;
    f->status = (uint16_t)m->status & ~(7 << FPU_TOP_SHIFT);
    f->top = m->status >> FPU_TOP_SHIFT & 7;
    f->empty = 0;
    for (unsigned r = 0; r < 8; r++) {
        unsigned n = (r - f->top) & 7; /* register r is ST(n) */
        memcpy(&f->mant[r], m->st[n], 8);
        memcpy(&f->se[r], m->st[n] + 8, 2);
        f->empty |= (uint8_t)(((m->tags >> 2 * r & 3) == 3) << r);
    }
}

/* "Empty" is the only tag that an instruction can observe; the others follow from the registers. */
static void save_guest(const struct cpu *c, struct image *m)
{
    const struct cpu_x87 *f = &c->st.x87;
    m->control = f->control;
    m->status = fpu_status_word(c);
    m->tags = 0;
    for (unsigned r = 0; r < 8; r++) {
        unsigned n = (r - f->top) & 7;
        memcpy(m->st[n], &f->mant[r], 8);
        memcpy(m->st[n] + 8, &f->se[r], 2);
        m->tags |= (f->empty >> r & 1 ? 3u : 0u) << 2 * r;
    }
}

static void run_on_guest(struct fpu_bench *f, const struct instruction *n, struct context *x)
{
    struct cpu *c = &f->cpu;
    phys_write_bytes(f->phys, CODE, n->bytes, CODE_BYTES);
    phys_write_bytes(f->phys, DATA, x->memory, OPERAND_BYTES);
    load_guest(c, &x->fpu);
    c->st.eip = CODE;
    c->st.gpr[REG_ECX] = DATA;
    c->st.gpr[REG_EAX] = x->eax;
    flags_set_arith(c, (uint32_t)x->eflags);
    (void)cpu_step(c);
    if (c->st.eip < CODE || c->st.eip > CODE + CODE_BYTES)
        fail_msg("%02x %02x raised an exception", n->bytes[0], n->bytes[1]);
    save_guest(c, &x->fpu);
    x->eax = c->st.gpr[REG_EAX];
    x->eflags = cpu_eflags(c);
    phys_read_bytes(f->phys, DATA, x->memory, OPERAND_BYTES);
}

/* --- operands --- */

static uint64_t random64(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Zeros, infinities, NaNs, unsupported encodings, pseudo-denormals, denormals. */
static const struct f80 specials[] = {
    {0, 0}, {0x8000000000000000u, 0x7fff}, {0xc000000000000000u, 0x7fff}, {0xc000000000000001u, 0x7fff},
    {0x8000000000000001u, 0x7fff}, {0xbfffffffffffffffu, 0x7fff}, {0x4000000000000000u, 0x7fff}, {0, 0x7fff},
    {0x4000000000000000u, 0x3fff}, {0x8000000000000000u, 0}, {0xffffffffffffffffu, 0}, {1, 0},
    {0x7fffffffffffffffu, 0}, {0x0000008000000000u, 0},
};

static const uint16_t exponents[] = {
    0x0001, 0x0002, 0x003f, 0x3bcc, 0x3bcd, 0x3c01, 0x3f6a, 0x3f81, 0x3fbf, 0x3ffd, 0x3ffe, 0x3fff, 0x4000,
    0x400d, 0x400e, 0x401d, 0x401e, 0x403a, 0x403d, 0x403e, 0x403f, 0x407e, 0x407f, 0x43fe, 0x43ff, 0x7ffd, 0x7ffe,
};

static struct f80 random_real(uint64_t *seed)
{
    uint64_t r = random64(seed);
    uint16_t sign = (uint16_t)(r & 0x8000);
    uint64_t mant = random64(seed) | 0x8000000000000000u;
    if (r >> 40 & 1) /* few bits: exact results and ties */
        mant = mant << (r >> 48 & 63) | 0x8000000000000000u;
    switch (r & 7) {
    case 0:
        return (struct f80){specials[(r >> 16) % ARRAY_LEN(specials)].mant,
                            specials[(r >> 16) % ARRAY_LEN(specials)].se | sign};
    case 1: case 2: return (struct f80){mant, exponents[(r >> 16) % ARRAY_LEN(exponents)] | sign};
    case 3: return (struct f80){mant, (uint16_t)(1 + (r >> 16) % 0x7ffe) | sign};
    case 4: return (struct f80){mant, (uint16_t)(0x3fff - 70 + (r >> 16) % 140) | sign};
    default: return (struct f80){mant, (uint16_t)(0x3fff - 4 + (r >> 16) % 8) | sign};
    }
}

/* Every rounding and precision mode; half of the time everything is masked. */
static uint16_t random_control(uint64_t *seed)
{
    static const uint16_t precision[] = {FP_PC_24, FP_PC_53, FP_PC_64, FP_PC_64};
    uint64_t r = random64(seed);
    unsigned masks = r & 0x100 ? FP_EXCEPTIONS : r >> 16 & FP_EXCEPTIONS;
    return (uint16_t)(FPU_CW_ONE | masks | precision[r & 3] | (r >> 4 & 3) << 10);
}

/* Any flags, but nothing pending: the instruction may be a waiting one. */
static uint16_t random_status(uint64_t *seed, uint16_t control)
{
    uint64_t r = random64(seed);
    unsigned sticky = r & 0x100 ? r & (FP_EXCEPTIONS | FPU_SF) & (control | FPU_SF) : 0;
    return (uint16_t)(sticky | (r >> 16 & (FPU_CONDITION | FPU_C1)) | (r >> 40 & 7) << FPU_TOP_SHIFT);
}

/* A float, a double, an integer, an extended real, BCD digits: whatever the instruction takes it for. */
static void random_memory(uint64_t *seed, uint8_t memory[OPERAND_BYTES])
{
    uint64_t v[OPERAND_BYTES / 8];
    uint64_t r = random64(seed);
    for (unsigned k = 0; k < OPERAND_BYTES / 8; k++)
        v[k] = random64(seed);
    switch (r & 7) {
    case 0: v[0] &= 0x807fffff807fffffu; break;                               /* single denormals, small integers */
    case 1: v[0] = (v[0] & 0x807fffff807fffffu) | 0x7f8000007f800000u; break; /* single infinities, NaNs */
    case 2: v[0] &= 0x800fffffffffffffu; break;                               /* double denormals */
    case 3: v[0] |= 0x7ff0000000000000u; break;                               /* double infinities, NaNs */
    case 4: v[0] = 0; break;
    case 5: v[0] &= 0x9999999999999999u; v[1] &= 0x8099; break; /* digits */
    case 6: v[0] = (uint64_t)((int64_t)v[0] >> (r >> 8 & 63)); break;
    default: break;
    }
    memcpy(memory, v, OPERAND_BYTES);
    if (r >> 20 & 1) {
        struct f80 a = random_real(seed);
        memcpy(memory, &a.mant, 8);
        memcpy(memory + 8, &a.se, 2);
    }
}

static void random_context(uint64_t *seed, struct context *x)
{
    uint64_t r = random64(seed);
    memset(x, 0, sizeof(*x));
    x->fpu.control = random_control(seed);
    x->fpu.status = random_status(seed, (uint16_t)x->fpu.control);
    if ((r & 3) == 0) /* some registers empty; else one, so that there is room to push */
        x->fpu.tags = (r >> 8 & 0x5555) * 3;
    else if ((r & 3) != 1)
        x->fpu.tags = 3u << 2 * (((x->fpu.status >> FPU_TOP_SHIFT) - 1) & 7);
    for (unsigned n = 0; n < 8; n++) {
        struct f80 a = random_real(seed);
        memcpy(x->fpu.st[n], &a.mant, 8);
        memcpy(x->fpu.st[n] + 8, &a.se, 2);
    }
    if (r >> 32 & 1) { /* ST(1) close to ST(0): comparisons, cancellation */
        memcpy(x->fpu.st[1], x->fpu.st[0], 10);
        x->fpu.st[1][0] ^= r >> 40 & 1;
        x->fpu.st[1][9] ^= r >> 41 & 0x80;
    }
    x->eax = (uint32_t)random64(seed);
    x->eflags = 2 | (random64(seed) & FLAGS_ARITH);
    random_memory(seed, x->memory);
}

/* --- comparison --- */

/* Results that processors do not agree on, or the manual leaves open. */
struct leniency {
    uint32_t status;
    bool flags;
};

static bool compares(const struct instruction *n)
{
    unsigned opcode = n->bytes[0], modrm = n->bytes[1], reg = modrm >> 3 & 7;
    if (modrm < 0xc0)
        return !(opcode & 1) && (reg == 2 || reg == 3);
    switch (opcode) {
    case 0xd8: case 0xdc: case 0xde: return reg == 2 || reg == 3;
    case 0xd9: return modrm == 0xe4;
    case 0xda: return modrm == 0xe9;
    case 0xdb: case 0xdf: return reg == 5 || reg == 6;
    case 0xdd: return reg == 4 || reg == 5;
    default: return false;
    }
}

static struct leniency leniency_of(const struct instruction *n, const struct context *host)
{
    unsigned opcode = n->bytes[0], modrm = n->bytes[1];
    struct leniency l = {0, false};
    /* An unmasked invalid comparison enters no outcome (SDM 2A FCOM, FCOMI); AMD's do. */
    if (compares(n) && host->fpu.status & ~host->fpu.control & FP_IE)
        l = (struct leniency){FPU_CONDITION, true};
    /* FCOMI: Intel clears C1 (SDM 2A), AMD keeps it. */
    if (compares(n) && modrm >= 0xc0 && (opcode == 0xdb || opcode == 0xdf))
        l.status |= FPU_C1;
    /* FLD ST(i) of an empty register onto a full one: overflow and underflow at once. */
    if (opcode == 0xd9 && modrm >= 0xc0 && modrm < 0xc8)
        l.status |= FPU_C1;
    return l;
}

/* What of a result is to be compared. */
enum match {
    MATCH_EXACT,
    MATCH_NEAR,      /* transcendental: registers within 2 units in the last place; no PE, UE, OE, C1 */
    MATCH_REMAINDER, /* FPREM: with C2 set, only that */
};

static enum match match_of(const struct instruction *n)
{
    static const uint32_t near = 1u << 0x10 | 1u << 0x11 | 1u << 0x12 | 1u << 0x13 | 1u << 0x19 | 1u << 0x1b |
                                 1u << 0x1e | 1u << 0x1f;
    static const uint32_t remainder = 1u << 0x15 | 1u << 0x18;
    unsigned modrm = n->bytes[1];
    if (n->bytes[0] != 0xd9 || modrm < 0xe0)
        return MATCH_EXACT;
    return near >> (modrm & 31) & 1 ? MATCH_NEAR : remainder >> (modrm & 31) & 1 ? MATCH_REMAINDER : MATCH_EXACT;
}

static void unpack(const uint8_t *st, uint64_t *mant, uint16_t *se)
{
    memcpy(mant, st, 8);
    memcpy(se, st + 8, 2);
}

static bool registers_match(const uint8_t *a, const uint8_t *b, uint64_t ulps)
{
    uint64_t ma, mb;
    uint16_t ea, eb;
    if (ulps == 0)
        return memcmp(a, b, 10) == 0;
    unpack(a, &ma, &ea);
    unpack(b, &mb, &eb);
    /* Denormals have the scale of the least normals. */
    ea |= (ea & 0x7fff) == 0;
    eb |= (eb & 0x7fff) == 0;
    if (ea == eb)
        return ma - mb <= ulps || mb - ma <= ulps;
    /* Across a power of two. */
    return (uint16_t)(ea - eb) == 1 ? ma << 1 <= ulps && ~mb <= ulps : mb << 1 <= ulps && ~ma <= ulps;
}

static bool all_registers_match(const struct image *a, const struct image *b, uint64_t ulps)
{
    for (unsigned n = 0; n < 8; n++)
        if (!registers_match(a->st[n], b->st[n], ulps))
            return false;
    return true;
}

static uint32_t empty_tags(uint32_t tags)
{
    return tags & tags >> 1 & 0x5555;
}

static bool contexts_match(const struct context *host, const struct context *guest, enum match how,
                           struct leniency lenient)
{
    const struct image *h = &host->fpu, *g = &guest->fpu;
    uint32_t ignored = lenient.status | (how == MATCH_NEAR ? FP_PE | FP_UE | FP_OE | FPU_C1 : 0);
    if (how == MATCH_REMAINDER && h->status & g->status & FPU_C2)
        return true;
    return ((h->status ^ g->status) & 0xffff & ~ignored) == 0 && empty_tags(h->tags) == empty_tags(g->tags) &&
           ((h->control ^ g->control) & 0xffff) == 0 &&
           all_registers_match(h, g, how == MATCH_NEAR ? 2 : 0) && host->eax == guest->eax &&
           (lenient.flags || ((host->eflags ^ guest->eflags) & FLAGS_ARITH) == 0) &&
           memcmp(host->memory, guest->memory, OPERAND_BYTES) == 0;
}

static void print_context(const char *what, const struct context *x)
{
    print_error("%s: cw %04x sw %04x tags %04x eax %08x flags %03x memory", what, x->fpu.control & 0xffff,
                x->fpu.status & 0xffff, empty_tags(x->fpu.tags), (unsigned)x->eax, (unsigned)x->eflags & FLAGS_ARITH);
    for (unsigned k = 0; k < 28; k++)
        print_error("%s%02x", k % 4 ? "" : " ", x->memory[k]);
    for (unsigned n = 0; n < 8; n++) {
        uint64_t mant;
        uint16_t se;
        unpack(x->fpu.st[n], &mant, &se);
        print_error("%s%u %04x:%016llx", n % 4 ? "  " : "\n    ", n, se, (unsigned long long)mant);
    }
    print_error("\n");
}

static void check(struct fpu_bench *f, const struct instruction *n, const struct context *before)
{
    struct context host = *before, guest = *before;
    run_on_host(n, &host);
    run_on_guest(f, n, &guest);
    if (contexts_match(&host, &guest, match_of(n), leniency_of(n, &host)))
        return;
    print_context("before", before);
    print_context("host  ", &host);
    print_context("guest ", &guest);
    fail_msg("%02x %02x %02x %02x differs", n->bytes[0], n->bytes[1], n->bytes[2], n->bytes[3]);
}
/* --- the sweeps --- */

static bool is_legal(struct fpu_bench *f, const struct instruction *n)
{
    struct insn i;
    decode(n->bytes, CODE_BYTES, DECODE_CODE32, f->cpu.model.level, f->cpu.model.features, &i);
    const struct fpu_op *op = i.modrm < 0xc0 ? fpu_find_memory_op(&i) : fpu_find_register_op(&f->cpu, &i);
    return op->kind != FPU_ILLEGAL;
}

/* Keeps transcendentals to what both units must agree on: angles that need no reduction by pi, arguments that SDM 2
 * F2XM1 and FYL2XP1 allow, no trapped rounding. FSCALE of the least denormal by 0 does not trap on Intel's processors,
 * of any other it does: docs/SILICON.md. */
static void tame(const struct instruction *n, struct context *x)
{
    uint64_t mant;
    uint16_t se;
    memcpy(&mant, x->fpu.st[0], 8);
    if (n->bytes[0] == 0xd9 && n->bytes[1] == 0xfd && mant == 1)
        x->fpu.control |= FP_UE;
    if (match_of(n) != MATCH_NEAR)
        return;
    x->fpu.control |= FP_OE | FP_UE | FP_PE;
    x->fpu.status &= ~(uint32_t)(FP_OE | FP_UE | FP_PE);
    bool any = n->bytes[1] == 0xf1 || n->bytes[1] == 0xf3; /* FYL2X, FPATAN */
    memcpy(&se, x->fpu.st[0] + 8, 2);
    if (any || (se & 0x7fff) == 0x7fff || (se & 0x7fff) <= 0x3ffc)
        return;
    se = (uint16_t)(0x3ffc | (se & 0x8000));
    memcpy(x->fpu.st[0] + 8, &se, 2);
}

static void register_forms_leave_the_same_state(void **state)
{
    struct fpu_bench *f = *state;
    uint64_t seed = 0x9e3779b97f4a7c15u;
    for (unsigned code = 0; code < 512; code++) {
        struct instruction n = x87_register(0xd8 + code / 64, 0xc0 + code % 64);
        if (!is_legal(f, &n))
            continue;
        for (unsigned k = 0; k < 500; k++) {
            struct context x;
            random_context(&seed, &x);
            tame(&n, &x);
            check(f, &n, &x);
        }
    }
}

/* FLDENV, FNSTENV, FRSTOR, FNSAVE: their images hold the instruction pointers. */
static bool is_environment(const struct instruction *n)
{
    unsigned reg = n->bytes[1] >> 3;
    return (n->bytes[0] == 0xd9 || n->bytes[0] == 0xdd) && (reg == 4 || reg == 6);
}

static void memory_forms_leave_the_same_state(void **state)
{
    struct fpu_bench *f = *state;
    uint64_t seed = 0xd1b54a32d192ed03u;
    for (unsigned code = 0; code < 64; code++) {
        struct instruction n = x87_memory(0xd8 + code / 8, code % 8);
        if (!is_legal(f, &n) || is_environment(&n))
            continue;
        for (unsigned k = 0; k < 2000; k++) {
            struct context x;
            random_context(&seed, &x);
            if (n.bytes[0] == 0xdf && code % 8 == 4) /* FBLD: other digits than 0 to 9 are undefined */
                for (unsigned b = 0; b < 10; b++)
                    x.memory[b] &= k & 1 ? 0x77 : 0x99;
            check(f, &n, &x);
        }
    }
}

static void mmx_case(struct fpu_bench *f, const struct instruction *n, uint64_t *seed)
{
    struct context x;
    random_context(seed, &x);
    for (unsigned k = 0; k < 8; k++) {
        uint64_t v = random64(seed);
        if (k & 1)
            v &= 0x00ff7fff8000007fu;
        memcpy(x.fpu.st[k], &v, 8);
    }
    if (n->bytes[1] >= 0xd1 && (n->bytes[1] & 15) <= 3) { /* a shift: mostly small counts */
        uint64_t count = random64(seed) & (random64(seed) & 7 ? 127 : ~(uint64_t)0);
        memcpy(x.fpu.st[(0 - (x.fpu.status >> FPU_TOP_SHIFT)) & 7], &count, 8);
        memcpy(x.memory, &count, 8);
    }
    check(f, n, &x);
}

static void mmx_instructions_leave_the_same_state(void **state)
{
    struct fpu_bench *f = *state;
    uint64_t seed = 0x8cb92ba72f3d8dd7u;
    for (unsigned opcode = 0x60; opcode < 0xff; opcode++) {
        const struct optable_entry *e = optable_lookup(0x0f00 | opcode, 0x00, 0, CPU_P6, FEAT_MMX);
        if (!e || e->op != OP_MMX || opcode == 0x77) /* EMMS has no ModRM byte */
            continue;
        for (unsigned k = 0; k < 1500; k++) {
            struct instruction n = mmx(opcode, k & 1);
            mmx_case(f, &n, &seed);
        }
    }
}

static void mmx_shifts_by_an_immediate_leave_the_same_state(void **state)
{
    struct fpu_bench *f = *state;
    uint64_t seed = 0xabcdef0123456789u;
    for (unsigned which = 0; which < 9; which++) {
        if (which == 7) /* there is no PSRAQ */
            continue;
        for (unsigned count = 0; count < 80; count++) {
            struct instruction n = mmx_shift(0x71 + which / 3, which % 3, count);
            for (unsigned k = 0; k < 20; k++)
                mmx_case(f, &n, &seed);
        }
    }
}

/* Any words in an image: reserved bits, a summary bit that contradicts the flags, tags that contradict the
 * registers. */
static void random_image(uint64_t *seed, struct image *m)
{
    struct context x;
    random_context(seed, &x);
    *m = x.fpu;
    m->control = (uint32_t)random64(seed);
    m->status = (uint32_t)random64(seed);
    m->tags = (uint32_t)random64(seed);
}

static void frstor_and_fnsave_bring_back_the_same_image(void **state)
{
    struct fpu_bench *f = *state;
    struct instruction idle = x87_register(0xdb, 0xe0); /* does nothing and does not wait */
    uint64_t seed = 0x2545f4914f6cdd1du, eax = 0, eflags = 2;
    for (unsigned k = 0; k < 5000; k++) {
        struct image in, host, guest;
        random_image(&seed, &in);
        host_call(&in, &host, idle.stub, &in, &eax, &eflags);
        phys_write_bytes(f->phys, DATA, &in, sizeof(in));
        f->cpu.st.gpr[REG_ECX] = DATA;
        RUN_OK(f, "\xdd\x21\xdd\x31"); /* frstor [ecx]; fnsave [ecx] */
        phys_read_bytes(f->phys, DATA, &guest, sizeof(guest));
        assert_int_equal(guest.control, host.control);
        assert_int_equal(guest.status, host.status);
        assert_int_equal(guest.tags, host.tags);
        assert_memory_equal(guest.st, host.st, sizeof(guest.st));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(register_forms_leave_the_same_state, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(memory_forms_leave_the_same_state, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(frstor_and_fnsave_bring_back_the_same_image, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(mmx_instructions_leave_the_same_state, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(mmx_shifts_by_an_immediate_leave_the_same_state, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    printf("skipped: the host is no x86-64 Linux\n");
    return 0;
}
#endif
