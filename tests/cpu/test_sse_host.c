/*
 * SSE and SSE2 instructions, and the MMX ones beside them, against the host's own unit. On an x86-64 host the same
 * instruction bytes run on both from the same state (three XMM and three MMX registers, ECX, EDX, EFLAGS, MXCSR, 16
 * bytes of memory); everything must be equal afterwards, bit by bit. Exceptions are unmasked in half of the cases:
 * then both must raise #XM (the host's arrives as SIGFPE), with the same flags in MXCSR and nothing else changed.
 * On other hosts there is nothing to do.
 *
 * The forms come from the opcode table: every one with a register and every one with a memory operand; immediates in
 * all values. Not compared: RCPPS and RSQRTPS, whose bits are the processor's own.
 */
#include <stdio.h>

#if defined(__x86_64__) && defined(__linux__)
#include <signal.h>
#include <ucontext.h>

#include "cpu/optable.h"
#include "tests/cpu/fpu_bench.h"

/* --- the host --- */

struct context {
    uint64_t xmm[3][2];
    uint64_t mm[3];
    uint32_t ecx, edx;
    uint32_t trapped, mxcsr;
    uint64_t eflags;
    uint64_t memory[2] __attribute__((aligned(16)));
};
_Static_assert(offsetof(struct context, mxcsr) == 84 && offsetof(struct context, memory) == 96, "host_sse_call");

/* 16-byte stubs, by prefix (3E, which means nothing, for "none"), then by opcode, with ModRM CA (registers 1 and 2)
 * and 0E (register 1 and memory at rSI); of 70, C2, C4, C5, C6 for each immediate; of 71-73 for /0 to /7 on register 2
 * and each immediate up to 31. */
extern const char host_register[], host_memory[], host_register_imm[], host_memory_imm[], host_shift[];
void host_sse_call(struct context *x, const char *stub, void *memory);

#define STUB(...) ".p2align 4\n .byte " __VA_ARGS__ "\n ret\n"
#define FOR_PREFIXES " .irp pre, 0x3e, 0x66, 0xf3, 0xf2\n"
#define REPEAT(times, ...) " .set host_n, 0\n .rept " times "\n" STUB(__VA_ARGS__) " .set host_n, host_n + 1\n .endr\n"
__asm__(".text\n"
        ".p2align 4\n"
        "host_register:\n" FOR_PREFIXES REPEAT("256", "\\pre, 0x0f, host_n, 0xca") " .endr\n"
        ".p2align 4\n"
        "host_memory:\n" FOR_PREFIXES REPEAT("256", "\\pre, 0x0f, host_n, 0x0e") " .endr\n"
        ".p2align 4\n"
        "host_register_imm:\n" FOR_PREFIXES " .irp op, 0x70, 0xc2, 0xc4, 0xc5, 0xc6\n"
        REPEAT("256", "\\pre, 0x0f, \\op, 0xca, host_n") " .endr\n .endr\n"
        ".p2align 4\n"
        "host_memory_imm:\n" FOR_PREFIXES " .irp op, 0x70, 0xc2, 0xc4, 0xc5, 0xc6\n"
        REPEAT("256", "\\pre, 0x0f, \\op, 0x0e, host_n") " .endr\n .endr\n"
        ".p2align 4\n"
        "host_shift:\n" FOR_PREFIXES " .irp op, 0x71, 0x72, 0x73\n"
        " .irp modrm, 0xc2, 0xca, 0xd2, 0xda, 0xe2, 0xea, 0xf2, 0xfa\n"
        REPEAT("128", "\\pre, 0x0f, \\op, \\modrm, host_n") " .endr\n .endr\n .endr\n"
        ".p2align 4\n"
        "host_sse_call:\n"
        " pushq %rbx\n"
        " pushq %rbp\n"
        " subq $8, %rsp\n"
        " movq %rdi, %rbx\n"
        " movq %rsi, %rbp\n"
        " movq %rdx, %rsi\n"
        " movq %rdx, %rdi\n"
        " movups (%rbx), %xmm0\n"
        " movups 16(%rbx), %xmm1\n"
        " movups 32(%rbx), %xmm2\n"
        " movq 48(%rbx), %mm0\n"
        " movq 56(%rbx), %mm1\n"
        " movq 64(%rbx), %mm2\n"
        " movl 72(%rbx), %ecx\n"
        " movl 76(%rbx), %edx\n"
        " ldmxcsr 84(%rbx)\n"
        " pushq 88(%rbx)\n"
        " popfq\n"
        " call *%rbp\n"
        " pushfq\n"
        " popq 88(%rbx)\n"
        " stmxcsr 84(%rbx)\n"
        " movl %ecx, 72(%rbx)\n"
        " movl %edx, 76(%rbx)\n"
        " movups %xmm0, (%rbx)\n"
        " movups %xmm1, 16(%rbx)\n"
        " movups %xmm2, 32(%rbx)\n"
        " movq %mm0, 48(%rbx)\n"
        " movq %mm1, 56(%rbx)\n"
        " movq %mm2, 64(%rbx)\n"
        " addq $8, %rsp\n"
        " popq %rbp\n"
        " popq %rbx\n"
        " ret\n");

static sigjmp_buf trap_jump;
static volatile uint32_t trap_mxcsr;

static void on_sigfpe(int signal_number, siginfo_t *info, void *where)
{
    const ucontext_t *u = where;
    (void)signal_number;
    (void)info;
    trap_mxcsr = u->uc_mcontext.fpregs->mxcsr;
    siglongjmp(trap_jump, 1);
}

/* A trap leaves the registers as they were. */
static void run_on_host(const char *stub, struct context *x)
{
    uint32_t plain = 0x1f80;
    struct context out = *x;
    if (sigsetjmp(trap_jump, 0)) {
        x->trapped = 1;
        x->mxcsr = trap_mxcsr;
    } else {
        host_sse_call(&out, stub, out.memory);
        *x = out;
    }
    __asm__ volatile("emms\n ldmxcsr %0" : : "m"(plain));
}

/* --- the guest --- */

static void load_guest(struct fpu_bench *f, const struct context *x)
{
    struct cpu *c = &f->cpu;
    for (unsigned n = 0; n < 3; n++) {
        c->st.xmm[n][0] = x->xmm[n][0];
        c->st.xmm[n][1] = x->xmm[n][1];
        c->st.x87.mant[n] = x->mm[n];
    }
    c->st.gpr[REG_ECX] = x->ecx;
    c->st.gpr[REG_EDX] = x->edx;
    c->st.gpr[REG_ESI] = c->st.gpr[REG_EDI] = DATA;
    c->st.mxcsr = x->mxcsr;
    flags_set_arith(c, (uint32_t)x->eflags);
    phys_write_bytes(f->phys, DATA, x->memory, 16);
}

static void save_guest(struct fpu_bench *f, struct context *x)
{
    struct cpu *c = &f->cpu;
    for (unsigned n = 0; n < 3; n++) {
        x->xmm[n][0] = c->st.xmm[n][0];
        x->xmm[n][1] = c->st.xmm[n][1];
        x->mm[n] = c->st.x87.mant[n];
    }
    x->ecx = (uint32_t)c->st.gpr[REG_ECX];
    x->edx = (uint32_t)c->st.gpr[REG_EDX];
    x->mxcsr = c->st.mxcsr;
    x->eflags = cpu_eflags(c);
    phys_read_bytes(f->phys, DATA, x->memory, 16);
}

static void run_on_guest(struct fpu_bench *f, const uint8_t *code, size_t len, struct context *x)
{
    load_guest(f, x);
    int vector = bench_run(f, code, len);
    save_guest(f, x);
    x->trapped = vector == VEC_XM;
    if (vector != NO_FAULT && vector != VEC_XM)
        fail_msg("%02x %02x %02x %02x raised exception %d", code[0], code[1], code[2], code[3], vector);
}

/* --- operands --- */

static uint64_t random64(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Exponent fields where something happens: denormals, products and quotients at the ends of the range, the range of
 * 32-bit integers, the range of singles in doubles, infinities and NaNs. */
static const uint16_t single_exponents[] = {0, 0, 0, 1, 2, 24, 62, 63, 64, 65, 103, 104, 125, 126, 127, 128, 129, 149, 150,
                                            156, 157, 158, 159, 189, 190, 191, 230, 253, 254, 255, 255};
static const uint16_t double_exponents[] = {0, 0, 0, 1, 2, 53, 510, 511, 512, 513, 871, 872, 873, 874, 895, 896, 897, 898,
                                            1021, 1022, 1023, 1024, 1025, 1052, 1053, 1054, 1055, 1075, 1076, 1149, 1150,
                                            1151, 1534, 1535, 1536, 2045, 2046, 2047, 2047};

/* Few bits, many bits, all ones, an edge of the single format in a double. */
static uint64_t random_fraction(uint64_t *seed, unsigned bits)
{
    uint64_t r = random64(seed), v = random64(seed) >> (64 - bits), mask = ((uint64_t)1 << bits) - 1;
    switch (r & 7) {
    case 0: return 0;
    case 1: return mask;
    case 2: return (uint64_t)1 << (r >> 8) % bits;
    case 3: return v << (r >> 8) % bits & mask;
    case 4: return v >> (r >> 8) % bits;
    case 5: return bits == 52 ? (v & ~0x1fffffffull) + ((r >> 8 & 3) + 0xfffffffull) : mask - 1;
    default: return v;
    }
}

static uint64_t random_real(uint64_t *seed, unsigned bits)
{
    uint64_t r = random64(seed), sign = r >> 63, exp;
    unsigned fraction_bits = bits == 32 ? 23 : 52;
    unsigned special = bits == 32 ? 0xff : 0x7ff;
    switch (r & 3) {
    case 0: exp = (r >> 8) % (special + 1); break;
    case 1: exp = special / 2 - 3 + (r >> 8) % 7; break;
    default:
        exp = bits == 32 ? single_exponents[(r >> 8) % ARRAY_LEN(single_exponents)]
                         : double_exponents[(r >> 8) % ARRAY_LEN(double_exponents)];
        break;
    }
    return sign << (bits - 1) | exp << fraction_bits | random_fraction(seed, fraction_bits);
}

enum kind { SINGLES, DOUBLES, BITS };

/* Eight bytes of operand. */
static uint64_t random_half(uint64_t *seed, enum kind kind)
{
    uint64_t r = random64(seed);
    switch (kind) {
    case SINGLES: return random_real(seed, 32) | random_real(seed, 32) << 32;
    case DOUBLES: return random_real(seed, 64);
    default: return r & 1 ? random64(seed) : r & 2 ? random64(seed) >> (r >> 8 & 63) : random64(seed) & random64(seed);
    }
}

/* Close to `a`, element by element: cancellation, equality, order. */
static uint64_t relative(uint64_t *seed, uint64_t a)
{
    uint64_t r = random64(seed);
    return a ^ (r & 0x8000000080000000u) ^ (r & 0x100 ? 1 : 0) ^ (r & 0x200 ? 0x100000000u : 0);
}

static uint32_t random_mxcsr(uint64_t *seed)
{
    uint64_t r = random64(seed);
    uint32_t masks = r & 1 ? 0x1f80 : r >> 8 & 0x1f80;
    uint32_t flags = r & 2 ? r >> 32 & 0x3f : 0;
    uint32_t modes = (r >> 40 & 3) << 13 | ((r >> 44 & 3) == 0 ? 0x40 : 0) | ((r >> 46 & 3) == 0 ? 0x8000u : 0);
    return masks | flags | modes;
}

static void random_context(uint64_t *seed, enum kind kind, struct context *x)
{
    memset(x, 0, sizeof(*x));
    if ((random64(seed) & 7) == 0)
        kind = (enum kind)(random64(seed) % 3);
    bool related = (random64(seed) & 3) == 0;
    for (unsigned half = 0; half < 2; half++) {
        x->xmm[0][half] = random64(seed);
        x->xmm[1][half] = random_half(seed, kind);
        x->xmm[2][half] = related ? relative(seed, x->xmm[1][half]) : random_half(seed, kind);
        x->memory[half] = related ? relative(seed, x->xmm[1][half]) : random_half(seed, kind);
    }
    for (unsigned n = 0; n < 3; n++)
        x->mm[n] = random_half(seed, BITS);
    x->ecx = (uint32_t)random_half(seed, BITS);
    x->edx = (uint32_t)random_half(seed, BITS);
    x->mxcsr = random_mxcsr(seed);
    x->eflags = 2 | (random64(seed) & FLAGS_ARITH);
}

/* --- comparison --- */

static bool contexts_match(const struct context *a, const struct context *b)
{
    return memcmp(a->xmm, b->xmm, sizeof(a->xmm)) == 0 && memcmp(a->mm, b->mm, sizeof(a->mm)) == 0 &&
           a->ecx == b->ecx && a->edx == b->edx && a->trapped == b->trapped && a->mxcsr == b->mxcsr &&
           ((a->eflags ^ b->eflags) & FLAGS_ARITH) == 0 && memcmp(a->memory, b->memory, 16) == 0;
}

static void print_context(const char *what, const struct context *x)
{
    print_error("%s: mxcsr %04x%s ecx %08x edx %08x flags %03x memory %016llx%016llx\n", what, x->mxcsr,
                x->trapped ? " #XM" : "", x->ecx, x->edx, (unsigned)x->eflags & FLAGS_ARITH,
                (unsigned long long)x->memory[1], (unsigned long long)x->memory[0]);
    for (unsigned n = 1; n < 3; n++)
        print_error("    xmm%u %016llx%016llx mm%u %016llx\n", n, (unsigned long long)x->xmm[n][1],
                    (unsigned long long)x->xmm[n][0], n, (unsigned long long)x->mm[n]);
}

struct sweep {
    struct fpu_bench *bench;
    uint64_t seed;
    unsigned cases, trapped;
};

static void check(struct sweep *s, const char *stub, const uint8_t *code, size_t len, enum kind kind)
{
    struct context before, host, guest;
    random_context(&s->seed, kind, &before);
    host = guest = before;
    run_on_host(stub, &host);
    run_on_guest(s->bench, code, len, &guest);
    s->cases++;
    s->trapped += host.trapped;
    if (contexts_match(&host, &guest))
        return;
    print_context("before", &before);
    print_context("host  ", &host);
    print_context("guest ", &guest);
    fail_msg("%02x %02x %02x %02x %02x differs (prefix 3e means none)", code[0], code[1], code[2], code[3],
             len > 4 ? code[4] : 0);
}

/* --- the sweeps --- */

static const uint8_t prefix_byte[4] = {0x3e, 0x66, 0xf3, 0xf2};
static const uint8_t with_immediate[5] = {0x70, 0xc2, 0xc4, 0xc5, 0xc6};

static const struct optable_entry *row_of(const struct sweep *s, unsigned prefix, unsigned opcode, unsigned modrm)
{
    static const unsigned select[4] = {0, S_66, S_F3, S_F2};
    const struct optable_entry *e = optable_lookup(0x0f00 | opcode, (uint8_t)modrm, select[prefix],
                                                   CPU_P6, s->bench->cpu.model.features);
    return e && (e->op == OP_SSE || e->op == OP_MMX) && opcode != 0x77 ? e : NULL;
}

/* What the operands are taken for: floats from 10 to 5F, C2 and C6. */
static enum kind kind_of(unsigned prefix, unsigned opcode)
{
    if (opcode >= 0x60 && opcode != 0xc2 && opcode != 0xc6 && opcode != 0xe6)
        return BITS;
    if (opcode == 0x2a || (opcode == 0x5b && prefix == 0) || (opcode == 0xe6 && prefix == 2))
        return BITS;
    return prefix == 0 || prefix == 2 || opcode == 0x5b ? SINGLES : DOUBLES;
}

static bool is_approximation(unsigned opcode) { return opcode == 0x52 || opcode == 0x53; }

static bool takes_immediate(unsigned opcode)
{
    return memchr(with_immediate, (int)opcode, sizeof(with_immediate)) != NULL || (opcode >= 0x71 && opcode <= 0x73);
}

static void sweep_opcodes(struct sweep *s, const char *stubs, uint8_t modrm, unsigned times)
{
    for (unsigned prefix = 0; prefix < 4; prefix++) {
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            uint8_t code[] = {prefix_byte[prefix], 0x0f, (uint8_t)opcode, modrm};
            if (is_approximation(opcode) || takes_immediate(opcode) || !row_of(s, prefix, opcode, modrm))
                continue;
            enum kind kind = kind_of(prefix, opcode);
            for (unsigned n = 0; n < (kind == BITS ? times / 4 : times); n++)
                check(s, stubs + 16 * (256 * prefix + opcode), code, sizeof(code), kind);
        }
    }
}

static void sweep_immediates(struct sweep *s, const char *stubs, uint8_t modrm, unsigned times)
{
    for (unsigned prefix = 0; prefix < 4; prefix++) {
        for (unsigned k = 0; k < ARRAY_LEN(with_immediate); k++) {
            unsigned opcode = with_immediate[k];
            if (!row_of(s, prefix, opcode, modrm))
                continue;
            for (unsigned n = 0; n < times; n++) {
                unsigned imm = opcode == 0xc2 ? n & 7 : n & 255; /* beyond 7 CMPPS's are reserved */
                uint8_t code[] = {prefix_byte[prefix], 0x0f, (uint8_t)opcode, modrm, (uint8_t)imm};
                const char *stub = stubs + 16 * (256 * (ARRAY_LEN(with_immediate) * prefix + k) + imm);
                check(s, stub, code, sizeof(code), kind_of(prefix, opcode));
            }
        }
    }
}

/* The handler goes in here: cmocka has its own while a test runs. */
static struct sweep sweep_of(void **state)
{
    struct sigaction on_fpe = {.sa_sigaction = on_sigfpe, .sa_flags = SA_SIGINFO | SA_NODEFER};
    assert_int_equal(sigaction(SIGFPE, &on_fpe, NULL), 0);
    struct sweep s = {.bench = *state, .seed = 0x9e3779b97f4a7c15u};
    return s;
}

static void report(const struct sweep *s)
{
    print_message("             %u cases, %u raised #XM\n", s->cases, s->trapped);
}

static void register_forms_equal_the_host(void **state)
{
    struct sweep s = sweep_of(state);
    sweep_opcodes(&s, host_register, 0xca, 1200);
    report(&s);
}

static void memory_forms_equal_the_host(void **state)
{
    struct sweep s = sweep_of(state);
    s.seed ^= 0x5555;
    sweep_opcodes(&s, host_memory, 0x0e, 800);
    report(&s);
}

static void forms_with_immediates_equal_the_host(void **state)
{
    struct sweep s = sweep_of(state);
    sweep_immediates(&s, host_register_imm, 0xca, 2048);
    sweep_immediates(&s, host_memory_imm, 0x0e, 1024);
    report(&s);
}

static void shifts_by_immediates_equal_the_host(void **state)
{
    struct sweep s = sweep_of(state);
    for (unsigned prefix = 0; prefix < 2; prefix++)
        for (unsigned opcode = 0x71; opcode <= 0x73; opcode++)
            for (unsigned reg = 0; reg < 8; reg++) {
                uint8_t modrm = (uint8_t)(0xc2 | reg << 3);
                if (!row_of(&s, prefix, opcode, modrm))
                    continue;
                for (unsigned imm = 0; imm < 128; imm++) {
                    uint8_t code[] = {prefix_byte[prefix], 0x0f, (uint8_t)opcode, modrm, (uint8_t)imm};
                    const char *stub = host_shift + 16 * (((prefix * 3 + opcode - 0x71) * 8 + reg) * 128 + imm);
                    check(&s, stub, code, sizeof(code), BITS);
                    check(&s, stub, code, sizeof(code), BITS);
                }
            }
    report(&s);
}

static int setup(void **state)
{
    struct fpu_bench *b = bench_new("pentium4");
    fpu_init(&b->cpu);
    b->cpu.st.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    *state = b;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(register_forms_equal_the_host, setup, bench_teardown),
        cmocka_unit_test_setup_teardown(memory_forms_equal_the_host, setup, bench_teardown),
        cmocka_unit_test_setup_teardown(forms_with_immediates_equal_the_host, setup, bench_teardown),
        cmocka_unit_test_setup_teardown(shifts_by_immediates_equal_the_host, setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    puts("test_sse_host: skipped, needs an x86-64 Linux host");
    return 0;
}
#endif
