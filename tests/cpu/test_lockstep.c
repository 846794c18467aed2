/*
 * Both tiers on the same programs: after every slice of instructions all state, the count and, in the
 * end, all memory must be equal. Programs are random: instructions of a list with random operands, and
 * plain random bytes, in real mode, flat and segmented 32-bit protected mode, with and without paging.
 * They write over their own code, fault into handlers that go on elsewhere, and take interrupts.
 *
 * The oracle is the reference tier, which the architectural tests check.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/pair.h"
#if defined(RETRACE_FAST)
#include "cpu/fast/fast.h"
#endif

enum {
    RAM = 2 << 20, GDT = 0x1000, IDT = 0x2000, HANDLER = 0x3000, TABLE = 0x3800, COUNTER = 0x3ff0,
    DIRECTORY = 0x4000, PAGES = 0x5000, CODE = 0x10000, CODE_SIZE = 0x3000, DATA = 0x20000, STACK = 0x30000,
    ENTRIES = 64,
};

/* --- programs --------------------------------------------------------------------------------- */

struct program {
    uint8_t bytes[CODE_SIZE];
    size_t len;
    bool wide; /* 32-bit code */
};

static void byte(struct program *p, uint32_t v)
{
    if (p->len < CODE_SIZE)
        p->bytes[p->len++] = (uint8_t)v;
}

static void word(struct program *p, uint32_t v, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        byte(p, v >> 8 * k);
}

static unsigned address_bytes(const struct program *p) { return p->wide ? 4 : 2; }

/* A displacement that mostly leads to the data area, at times across a page or segment end. */
static uint32_t displacement(struct program *p, struct rng *r)
{
    uint32_t v = below(r, 0x1800);
    if (below(r, 32) == 0)
        v = rnd(r);
    if (below(r, 48) == 0)
        return p->wide ? CODE + below(r, CODE_SIZE) : below(r, CODE_SIZE);
    return p->wide ? DATA + v : v;
}

/* ModRM with `reg`; with registers as base only where they are small. */
static void modrm(struct program *p, struct rng *r, unsigned reg, bool memory_only)
{
    uint32_t kind = below(r, memory_only ? 3 : 5);
    if (kind >= 3) {
        byte(p, 0xc0 | reg << 3 | below(r, 8));
    } else if (p->wide && kind == 2) { /* [base + index * scale + disp32] */
        byte(p, 0x80 | reg << 3 | 4);
        byte(p, rnd(r));
        word(p, displacement(p, r), 4);
    } else if (kind == 1) { /* [register + disp] */
        uint32_t rm = below(r, 8);
        byte(p, 0x80 | reg << 3 | rm);
        if (p->wide && rm == 4)
            byte(p, rnd(r));
        word(p, displacement(p, r), address_bytes(p));
    } else {
        byte(p, reg << 3 | (p->wide ? 5 : 6));
        word(p, displacement(p, r), address_bytes(p));
    }
}

static void one_byte(struct program *p, struct rng *r, uint32_t opcode, bool memory_only)
{
    byte(p, opcode);
    modrm(p, r, below(r, 8), memory_only);
}

static void two_byte(struct program *p, struct rng *r, uint32_t opcode)
{
    byte(p, 0x0f);
    modrm(p, r, (byte(p, opcode), below(r, 8)), false);
}

/* A register gets a small value, so that addresses stay near. */
static void small_register(struct program *p, struct rng *r)
{
    byte(p, 0xb8 + below(r, 8));
    word(p, below(r, 4) ? below(r, 0x400) : rnd(r), address_bytes(p));
}

static void stack_reset(struct program *p, struct rng *r)
{
    byte(p, 0xbc);
    word(p, (p->wide ? STACK : 0x7000) + below(r, 2) * below(r, 64), address_bytes(p));
}

static void branch(struct program *p, struct rng *r)
{
    static const uint8_t near[] = {0xe8, 0xe9, 0xe8};
    uint32_t target = below(r, 4) ? below(r, CODE_SIZE) : (uint32_t)p->len + below(r, 64);
    switch (below(r, 8)) {
    case 0: case 1: case 2: case 3: /* forwards: programs get on */
        byte(p, 0x70 + below(r, 16));
        byte(p, below(r, 24));
        break;
    case 4:
        byte(p, 0xe0 + below(r, 4));
        byte(p, 0u - below(r, 40));
        break;
    case 5:
        byte(p, 0x0f);
        byte(p, 0x80 + below(r, 16));
        word(p, target - ((uint32_t)p->len + address_bytes(p)), address_bytes(p));
        break;
    case 6:
        byte(p, near[below(r, 3)]);
        word(p, target - ((uint32_t)p->len + address_bytes(p)), address_bytes(p));
        break;
    default: byte(p, below(r, 4) ? 0xc3 : 0xcf);
    }
}

static void immediate(struct program *p, struct rng *r, uint32_t opcode, unsigned bytes)
{
    byte(p, opcode);
    modrm(p, r, below(r, 8), false);
    word(p, rnd(r), bytes);
}

static void string(struct program *p, struct rng *r)
{
    static const uint8_t ops[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    uint32_t area = p->wide ? DATA : 0;
    bool repeated = below(r, 2);
    if (repeated || below(r, 2)) {
        byte(p, 0xbe);
        word(p, area + below(r, 0x1800), address_bytes(p));
        byte(p, 0xbf);
        word(p, area + below(r, 0x1800), address_bytes(p));
        byte(p, 0xb9);
        word(p, below(r, 3) ? below(r, 16) : below(r, 0x1200), address_bytes(p));
        byte(p, below(r, 8) ? 0xfc : 0xfd);
    }
    if (repeated)
        byte(p, 0xf2 + below(r, 2));
    byte(p, ops[below(r, sizeof(ops))]);
}

/* Without a memory operand of their own. */
static void simple(struct program *p, struct rng *r)
{
    static const uint8_t ops[] = {0x90, 0x98, 0x99, 0x9e, 0x9f, 0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0x27, 0x2f,
                                  0x37, 0x3f, 0xd7, 0xc9, 0x9c, 0x60, 0x61, 0x90, 0xfa, 0xfb, 0x9d};
    uint32_t n = below(r, sizeof(ops) + 40);
    if (n < sizeof(ops))
        byte(p, ops[n]);
    else
        byte(p, 0x40 + below(r, 32)); /* INC DEC PUSH POP */
}

static void arithmetic(struct program *p, struct rng *r)
{
    unsigned full = address_bytes(p);
    switch (below(r, 10)) {
    case 0: case 1: case 2: one_byte(p, r, below(r, 8) << 3 | below(r, 4), false); break;
    case 3: immediate(p, r, 0x80, 1); break;
    case 4: immediate(p, r, 0x81, full); break;
    case 5: immediate(p, r, 0x83, 1); break;
    case 6: immediate(p, r, 0xc0 + below(r, 2), 1); break;
    case 7: one_byte(p, r, 0xd0 + below(r, 4), false); break;
    case 8: one_byte(p, r, 0xf6 + below(r, 2), false), word(p, rnd(r), below(r, 5)); break;
    default: immediate(p, r, 0x69 + 2 * below(r, 2), 1); break;
    }
}

static void move(struct program *p, struct rng *r)
{
    static const uint8_t ops[] = {0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8d, 0x88, 0x89, 0x8a, 0x8b, 0x8f, 0xfe};
    static const uint8_t twos[] = {0xb6, 0xb7, 0xbe, 0xbf, 0xa3, 0xab, 0xb3, 0xbb, 0xbc, 0xbd, 0xa5, 0xad, 0xaf, 0xc0, 0xc1, 0xb0, 0xb1};
    switch (below(r, 6)) {
    case 0: case 1: one_byte(p, r, ops[below(r, sizeof(ops))], false); break;
    case 2: two_byte(p, r, twos[below(r, sizeof(twos))]); break;
    case 3: two_byte(p, r, (below(r, 2) ? 0x40 : 0x90) + below(r, 16)); break;
    case 4: two_byte(p, r, 0xba), byte(p, rnd(r)); break;
    default: byte(p, 0x0f), byte(p, 0xc8 + below(r, 8)); break;
    }
}

static void instruction(struct program *p, struct rng *r)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0x26, 0x36, 0x3e, 0x64, 0x66, 0x2e, 0xf0};
    if (below(r, 12) == 0)
        byte(p, prefixes[below(r, sizeof(prefixes))]);
    switch (below(r, 16)) {
    case 0: case 1: small_register(p, r); break;
    case 2: case 3: case 4: case 5: arithmetic(p, r); break;
    case 6: case 7: case 8: case 9: move(p, r); break;
    case 10: case 11: case 12: branch(p, r); break;
    case 13: simple(p, r); break;
    case 14: below(r, 3) ? simple(p, r) : stack_reset(p, r); break;
    default: string(p, r);
    }
}

/* MOV to or from memory by a given base, on the stack near its top. */
static void move_by(struct program *p, struct rng *r, uint32_t base)
{
    bool esp = p->wide && base == 4;
    byte(p, below(r, 2) ? 0x8b : 0x89);
    byte(p, 0x80 | below(r, 8) << 3 | base);
    if (esp)
        byte(p, 0x24);
    word(p, esp ? below(r, 0x80) : displacement(p, r), address_bytes(p));
}

/* Neighbours that share a handler: comparison and jump, pairs of moves, of pushes, of pops, a copy and its shift. */
static void neighbours(struct program *p, struct rng *r)
{
    uint32_t rm = below(r, 8), dec = 0x40 + below(r, 16);
    switch (below(r, 10)) {
    case 0: byte(p, 0x39), byte(p, 0xc0 | below(r, 64)); break;
    case 1: byte(p, 0x85), byte(p, 0xc0 | rm * 9); break;
    case 2: byte(p, 0x83), byte(p, (below(r, 2) ? 0xf8 : 0xe8) | rm), byte(p, below(r, 4)); break;
    case 3: byte(p, dec); break;
    case 4:
        move_by(p, r, rm), move_by(p, r, rm);
        return;
    case 5:
        rm = 4 + below(r, 2), move_by(p, r, rm), move_by(p, r, rm);
        return;
    case 6: /* of 32 bits, as handlers are */
        p->wide ? (void)0 : byte(p, 0x66);
        byte(p, 0x8b), byte(p, 0xc0 | rm << 3 | below(r, 8));
        p->wide ? (void)0 : byte(p, 0x66);
        byte(p, 0xc1), byte(p, 0xc0 | below(r, 8) << 3 | rm), byte(p, below(r, 40));
        return;
    case 7: /* CMP with 16 bits */
        p->wide ? byte(p, 0x66) : (void)0;
        byte(p, 0x81), modrm(p, r, 7, false), word(p, rnd(r), 2);
        break;
    case 8: byte(p, 0xf6), modrm(p, r, 0, false), byte(p, rnd(r)); break; /* TEST with 8 */
    default:
        rm = 0x50 + 8 * below(r, 2);
        byte(p, rm + below(r, 8)), byte(p, rm + below(r, 8));
        return;
    }
    byte(p, 0x70 + below(r, 16));
    byte(p, 3);
}

static void compose(struct program *p, struct rng *r)
{
    p->len = 0;
    while (p->len + 16 < CODE_SIZE) {
        instruction(p, r);
        if (below(r, 4) == 0)
            neighbours(p, r);
    }
    while (p->len < CODE_SIZE)
        byte(p, 0x90);
}

/* MMX, SSE and SSE2 with any mandatory prefix; some forms do not exist, some operands are not aligned. */
static void vector(struct program *p, struct rng *r)
{
    static const uint8_t prefixes[] = {0x3e, 0x66, 0xf3, 0xf2};
    static const uint8_t first[] = {0x10, 0x28, 0x50, 0x60, 0x70, 0xc0, 0xd0, 0xe0, 0xf0};
    uint32_t opcode = first[below(r, sizeof(first))] + below(r, 16);
    byte(p, prefixes[below(r, 4)]);
    byte(p, 0x0f);
    byte(p, opcode == 0x20 || opcode == 0xcf ? 0xae : opcode); /* and FXSAVE, LDMXCSR, the fences */
    modrm(p, r, below(r, 8), false);
    if (opcode == 0x70 || opcode == 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6) || (opcode >= 0x71 && opcode <= 0x73))
        byte(p, rnd(r));
}

static void compose_vectors(struct program *p, struct rng *r)
{
    p->len = 0;
    while (p->len + 32 < CODE_SIZE) {
        vector(p, r);
        if (below(r, 2))
            vector(p, r);
        else
            instruction(p, r);
    }
    while (p->len < CODE_SIZE)
        byte(p, 0x90);
}

static bool is_vector_opcode(uint32_t op)
{
    return (op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2f) || (op >= 0x50 && op <= 0x76) || op == 0x7e ||
           op == 0x7f || op == 0xc2 || (op >= 0xc4 && op <= 0xc6) || (op >= 0xd1 && op <= 0xfe);
}

/* With its prefix and operands; registers 0 to 3, so that ESP stays. 71-73 are shifts by an immediate: /2 /4 /6 (/3 /7). */
static void vector_form(struct program *p, struct rng *r, uint32_t prefix, uint32_t op, bool memory)
{
    static const uint8_t shifts[] = {2, 4, 6, 2}, quad_shifts[] = {2, 3, 6, 7};
    bool shift = op >= 0x71 && op <= 0x73;
    uint32_t reg = !shift ? below(r, 4) : op == 0x73 ? quad_shifts[below(r, 4)] : shifts[below(r, 4)];
    if (prefix)
        byte(p, prefix);
    byte(p, 0x0f), byte(p, op);
    if (memory && !shift)
        byte(p, reg << 3 | 5), word(p, DATA + 16 * below(r, 64), 4);
    else
        byte(p, 0xc0 | reg << 3 | below(r, 4));
    if (shift || op == 0x70 || op == 0xc2 || (op >= 0xc4 && op <= 0xc6))
        byte(p, op == 0xc2 ? below(r, 8) : rnd(r));
}

/* Each opcode with each prefix in turn, from a random one on. What is no instruction faults and goes on elsewhere. */
static void compose_every_vector(struct program *p, struct rng *r)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};
    uint32_t first = below(r, 1024);
    p->len = 0;
    for (uint32_t n = 0; n < 1024 && p->len + 32 < CODE_SIZE; n++) {
        uint32_t k = (first + n) % 1024, op = k >> 2;
        if (!is_vector_opcode(op))
            continue;
        vector_form(p, r, prefixes[k & 3], op, false);
        vector_form(p, r, prefixes[k & 3], op, true);
    }
    while (p->len < CODE_SIZE)
        byte(p, 0x90);
}

/* A control word of every rounding and precision, mostly with all exceptions masked: mov word [m], imm; fldcw [m]. */
static void control_word(struct program *p, struct rng *r)
{
    uint32_t at = (p->wide ? DATA : 0) + 2 * below(r, 64);
    uint32_t masks = below(r, 4) ? 0x3f : below(r, 64);
    if (p->wide)
        byte(p, 0x66);
    byte(p, 0xc7), byte(p, p->wide ? 5 : 6), word(p, at, address_bytes(p));
    word(p, below(r, 2) ? 0x37f : below(r, 16) << 8 | 0x40 | masks, 2);
    byte(p, 0xd9), byte(p, 5 << 3 | (p->wide ? 5 : 6)), word(p, at, address_bytes(p));
}

/* x87: opcode and ModRM.reg of loads and stores; then whatever there is. */
static void float_instruction(struct program *p, struct rng *r)
{
    static const uint8_t loads[][2] = {{0xd9, 0}, {0xdd, 0}, {0xdb, 0}, {0xdf, 0}, {0xdf, 5}, {0xdb, 5}, {0xdb, 0}, {0xd9, 0}};
    static const uint8_t stores[][2] = {{0xd9, 2}, {0xd9, 3}, {0xdd, 2}, {0xdd, 3}, {0xdb, 2}, {0xdb, 3}, {0xdf, 3}, {0xdf, 7}, {0xdb, 7}, {0xdd, 7}, {0xd9, 7}};
    static const uint8_t constants[] = {0xe8, 0xee, 0xeb, 0xe0, 0xe1, 0xe4, 0xfa, 0xfc, 0xe5, 0xf8};
    const uint8_t *op;
    switch (below(r, 16)) {
    case 0: case 1: case 2: case 3:
        op = loads[below(r, 8)];
        byte(p, op[0]), modrm(p, r, op[1], true);
        break;
    case 4: case 5:
        op = stores[below(r, 11)];
        byte(p, op[0]), modrm(p, r, op[1], true);
        break;
    case 6: case 7: byte(p, 0xd8 + 2 * below(r, 4)), modrm(p, r, below(r, 8), true); break;
    case 8: case 9: byte(p, 0xd8), byte(p, 0xc0 | below(r, 8) << 3 | below(r, 3)); break;
    case 10: byte(p, 0xdc), byte(p, 0xc0 | below(r, 8) << 3 | below(r, 3)); break;
    case 11: byte(p, 0xde), byte(p, 0xc0 | below(r, 8) << 3 | below(r, 3)); break;
    case 12: byte(p, 0xd9), byte(p, constants[below(r, sizeof(constants))]); break;
    case 13: byte(p, 0xd9), byte(p, 0xc0 | below(r, 16)); break;
    case 14: byte(p, 0xd8 + below(r, 8)), byte(p, 0xc0 | below(r, 64)); break;
    default: below(r, 2) ? control_word(p, r) : (byte(p, 0xdb), byte(p, 0xe3)); /* FNINIT */
    }
}

static void compose_floats(struct program *p, struct rng *r)
{
    p->len = 0;
    while (p->len + 32 < CODE_SIZE) {
        float_instruction(p, r);
        if (below(r, 3) == 0)
            instruction(p, r);
    }
    while (p->len < CODE_SIZE)
        byte(p, 0x90);
}

/* Forms that compose() seldom makes: the P6's, other operand sizes, memory operands of stack and flow. */
static void rare_instruction(struct program *p, struct rng *r)
{
    static const uint8_t twos[] = {0xb6, 0xb7, 0xbe, 0xbf, 0xa5, 0xad, 0xbc, 0xbd, 0xa3, 0xab, 0xb3, 0xbb, 0xaf};
    bool other_size = below(r, 2);
    unsigned full = other_size == p->wide ? 2 : 4;
    if (other_size)
        byte(p, 0x66);
    switch (below(r, 18)) {
    case 0: case 1: two_byte(p, r, 0x40 + below(r, 16)); break; /* CMOVcc */
    case 2: two_byte(p, r, 0x90 + below(r, 16)); break;
    case 3: one_byte(p, r, 0x8d, true); break; /* LEA */
    case 4: case 5: two_byte(p, r, twos[below(r, sizeof(twos))]); break;
    case 6: two_byte(p, r, 0xa4 + 8 * below(r, 2)), byte(p, rnd(r)); break; /* SHLD, SHRD imm8 */
    case 7: byte(p, 0xff), modrm(p, r, 6, true); break; /* PUSH m */
    case 8: byte(p, 0x8f), modrm(p, r, 0, true); break;
    case 9: byte(p, 0x50 + below(r, 16)); break;
    case 10: byte(p, 0x68), word(p, rnd(r), full); break;
    case 11: byte(p, 0x31), byte(p, 0xd2), byte(p, 0xf6 + below(r, 2)), modrm(p, r, 6 + below(r, 2), false); break;
    case 12: byte(p, 0x31), byte(p, 0xc0 | below(r, 8) * 9); break; /* XOR r,r */
    case 13: one_byte(p, r, 0x69, false), word(p, rnd(r), full); break;
    case 15: two_byte(p, r, below(r, 2) ? 0xb0 + below(r, 2) : 0xc0 + below(r, 2)); break; /* CMPXCHG, XADD */
    case 16: byte(p, 0x0f), byte(p, 0xc7), modrm(p, r, 1, true); break; /* CMPXCHG8B */
    case 17: byte(p, below(r, 2) ? 0x9c : 0xfa + below(r, 2)); break; /* PUSHF, CLI, STI */
    case 14: byte(p, 0x80), byte(p, 0xf8 | below(r, 8)), byte(p, rnd(r)), byte(p, 0x70 + below(r, 16)), byte(p, 3); break;
    default:
        if (below(r, 4) == 0)
            byte(p, 0xff), modrm(p, r, 2 + 2 * below(r, 2), true); /* CALL m, JMP m */
        else
            stack_reset(p, r);
    }
}

static void compose_rare(struct program *p, struct rng *r)
{
    p->len = 0;
    while (p->len + 16 < CODE_SIZE)
        rare_instruction(p, r);
    while (p->len < CODE_SIZE)
        byte(p, 0x90);
}

static void noise(struct program *p, struct rng *r)
{
    for (p->len = 0; p->len < CODE_SIZE;)
        byte(p, rnd(r));
}

/* --- modes ------------------------------------------------------------------------------------ */

enum mode { REAL, REAL_ODD /* CS starts within a page */, FLAT, SEGMENTED, PAGED, MODES };

static const char *const mode_names[MODES] = {"real", "real, odd CS", "flat", "segmented", "paged"};

static bool is_wide(enum mode mode) { return mode >= FLAT; }

/* Every fault and interrupt goes on at another place of the program, with a sane stack. */
static void handlers(struct pair *p, enum mode mode, struct rng *r, uint32_t code)
{
    static const uint8_t wide[] = {0xbc, 0, 0, 3, 0, /* mov esp, STACK */
                                   0xff, 0x05, 0xf0, 0x3f, 0, 0, /* inc dword [COUNTER] */
                                   0xa1, 0xf0, 0x3f, 0, 0, 0x83, 0xe0, 0x3f, /* mov eax, [..]; and eax, 63 */
                                   0x8b, 0x04, 0x85, 0, 0x38, 0, 0, /* mov eax, [TABLE + eax * 4] */
                                   0xfc, 0xff, 0xe0}; /* cld; jmp eax */
    static const uint8_t narrow[] = {0x31, 0xc0, 0x8e, 0xd8, 0xb8, 0, 0x20, 0x8e, 0xd0, 0xbc, 0, 0x70, /* ds 0, ss 2000, sp 7000 */
                                     0xff, 0x06, 0xf0, 0x3f, 0xa1, 0xf0, 0x3f, 0x83, 0xe0, 0x3f, /* inc, mov, and */
                                     0xc1, 0xe0, 2, 0x89, 0xc3, /* shl ax, 2; mov bx, ax */
                                     0x8b, 0x8f, 0, 0x38, 0x8b, 0x97, 2, 0x38, /* mov cx, [bx+3800]; mov dx, [bx+3802] */
                                     0xb8, 0, 0x20, 0x8e, 0xd8, 0x8e, 0xc0, /* ds = es = 2000 */
                                     0xfc, 0x52, 0x51, 0xcb}; /* cld; push dx; push cx; retf */
    if (is_wide(mode))
        pair_put(p, HANDLER, wide, sizeof(wide));
    else
        pair_put(p, HANDLER, narrow, sizeof(narrow));
    for (unsigned k = 0; k < ENTRIES; k++) {
        uint32_t off = below(r, CODE_SIZE - 64);
        pair_put32(p, TABLE + 4 * k, is_wide(mode) ? code + off : (code >> 4) << 16 | off);
    }
}

/* The tables themselves are out of the programs' reach: after a store to one, a TLB may go on with what it
 * had or not (SDM 3A 4.10.2.3), and the tiers may differ in that. */
static uint32_t frame_of(uint32_t page)
{
    uint32_t frame = page % (RAM >> 12);
    return frame == DIRECTORY >> 12 || frame == PAGES >> 12 ? (RAM >> 12) - 1 : frame;
}

static void identity_pages(struct pair *p, struct rng *r)
{
    pair_put32(p, DIRECTORY, PAGES | 7);
    for (uint32_t k = 0; k < 1024; k++) {
        bool safe = k < (DATA >> 12) || k >= (STACK >> 12) + 1;
        uint32_t bits = safe || below(r, 4) ? 7 : below(r, 8);
        pair_put32(p, PAGES + 4 * k, frame_of(k) << 12 | bits);
    }
}

static void enter_protected(struct pair *p, enum mode mode, struct rng *r)
{
    bool cut = mode == SEGMENTED;
    const struct pair_protected how = {.gdt = GDT, .idt = IDT, .handler = HANDLER,
                                       .data_limit = cut ? DATA + 0xfff : 0xffffffffu,
                                       .directory = mode == PAGED ? DIRECTORY : 0};
    pair_enter_protected(p, &how);
    if (mode == PAGED)
        identity_pages(p, r);
    for (unsigned k = 0; k < 2 && cut; k++) {
        p->m[k].cpu.st.seg[SEG_SS].limit = 0xffffffffu;
        p->m[k].cpu.st.seg[SEG_GS].base = 0x123;
    }
}

static void enter_real(struct pair *p, uint32_t code)
{
    for (unsigned v = 0; v < 256; v++)
        pair_put32(p, 4 * v, HANDLER);
    for (unsigned k = 0; k < 2; k++) {
        struct cpu *c = &p->m[k].cpu;
        pair_set_segment(c, SEG_CS, (uint16_t)(code >> 4), code, 0xffff, 0x93);
        for (unsigned s = 0; s < 6; s++) {
            if (s != SEG_CS)
                pair_set_segment(c, s, DATA >> 4, DATA, 0xffff, 0x93);
        }
    }
}

static void set_up(struct pair *p, enum mode mode, const struct program *prog, struct rng *r)
{
    uint32_t code = mode == REAL_ODD ? CODE + 0x7c0 : CODE;
    pair_put(p, code, prog->bytes, prog->len);
    if (is_wide(mode))
        enter_protected(p, mode, r);
    else
        enter_real(p, code);
    handlers(p, mode, r, code);
    for (uint32_t k = 0; k < 0x2000; k += 4)
        pair_put32(p, DATA + k, below(r, 3) ? rnd(r) : below(r, 256));
    for (unsigned k = 0; k < 2; k++) {
        struct cpu *c = &p->m[k].cpu;
        c->st.eip = is_wide(mode) ? code : 0;
        c->st.gpr[REG_ESP] = is_wide(mode) ? STACK : 0x7000;
        cpu_state_changed(c);
    }
}

/* --- comparison ------------------------------------------------------------------------------- */

/* Runs both for slices of up to `slice` instructions. */
static void run_both(struct pair *p, struct rng *r, const char *what, unsigned slices, uint32_t slice)
{
    for (unsigned s = 0; s < slices; s++) {
        uint64_t limit = p->m[0].clk.st.icount + 1 + below(r, slice);
        bool interrupt = below(r, 8) == 0;
        enum cpu_stop stop[2];
        char where[128];
        for (unsigned k = 0; k < 2; k++) {
            cpu_set_intr(&p->m[k].cpu, 0, interrupt);
            stop[k] = cpu_run(&p->m[k].cpu, limit);
        }
        snprintf(where, sizeof(where), "%s, slice %u to %llu", what, s, (unsigned long long)limit);
        pair_compare(p, where);
        pair_check("stop reason", stop[0], stop[1], where);
        if (stop[0] == CPU_HALTED || stop[0] == CPU_SHUTDOWN)
            break;
    }
    pair_compare_memory(p, what);
}

typedef void compose_fn(struct program *p, struct rng *r);

static void lockstep(const char *model, enum mode mode, compose_fn *make, uint32_t first, uint32_t seeds)
{
    static struct program prog;
    for (uint32_t seed = first; seed < first + seeds; seed++) {
        struct rng r = {seed * 0x9e3779b97f4a7c15ull + 1};
        char what[80];
        snprintf(what, sizeof(what), "%s %s, seed %u", model, mode_names[mode], seed);
        prog.wide = is_wide(mode);
        make(&prog, &r);
        struct pair *p = pair_new(model, RAM);
        set_up(p, mode, &prog, &r);
        run_both(p, &r, what, 120, seed % 2 ? 400 : 3000);
        pair_free(p);
    }
}

static uint32_t seeds(void)
{
    const char *n = getenv("LOCKSTEP_SEEDS");
    return n ? (uint32_t)strtoul(n, NULL, 10) : 6;
}

static uint32_t first_seed(void)
{
    const char *n = getenv("LOCKSTEP_FIRST");
    return n ? (uint32_t)strtoul(n, NULL, 10) : 1;
}

static void real_mode_programs_run_alike(void **state)
{
    (void)state;
    lockstep("pentium", REAL, compose, first_seed(), seeds());
    lockstep("486", REAL_ODD, compose, first_seed(), seeds());
}

static void real_mode_noise_runs_alike_on_all_models(void **state)
{
    (void)state;
    static const char *const models[] = {"8086", "286", "386", "pentium"};
    for (unsigned k = 0; k < 4; k++)
        lockstep(models[k], REAL_ODD, noise, first_seed() + 100 * k, seeds());
    lockstep("8086", REAL_ODD, noise, 204, 1); /* goes on behind an opcode that the 8086 does not know */
}

static void flat_programs_run_alike(void **state)
{
    (void)state;
    lockstep("pentium", FLAT, compose, first_seed(), 2 * seeds());
    lockstep("pentium", FLAT, noise, first_seed(), seeds());
}

static void segmented_programs_run_alike(void **state)
{
    (void)state;
    lockstep("486", SEGMENTED, compose, first_seed(), seeds());
}

static void paged_programs_run_alike(void **state)
{
    (void)state;
    lockstep("pentium", PAGED, compose, first_seed(), 2 * seeds());
}

static void vector_programs_run_alike(void **state)
{
    (void)state;
    lockstep("pentium4", FLAT, compose_vectors, first_seed(), seeds());
    lockstep("pentium4", PAGED, compose_vectors, first_seed(), seeds());
    lockstep("pentium3", SEGMENTED, compose_vectors, first_seed(), seeds());
    lockstep("pentium4", FLAT, compose_every_vector, first_seed(), seeds());
}

static void float_programs_run_alike(void **state)
{
    (void)state;
    lockstep("pentium2", FLAT, compose_floats, first_seed(), 2 * seeds());
    lockstep("pentium2", PAGED, compose_floats, first_seed(), seeds());
    lockstep("pentium", SEGMENTED, compose_floats, first_seed(), seeds());
    lockstep("486", REAL, compose_floats, first_seed(), seeds());
}

static void rare_forms_run_alike(void **state)
{
    (void)state;
    lockstep("pentium2", FLAT, compose_rare, first_seed(), 2 * seeds());
    lockstep("pentium2", PAGED, compose_rare, first_seed(), seeds());
    lockstep("pentium2", SEGMENTED, compose_rare, first_seed(), seeds());
    lockstep("pentium2", REAL, compose_rare, first_seed(), seeds());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rare_forms_run_alike),
        cmocka_unit_test(real_mode_programs_run_alike),
        cmocka_unit_test(real_mode_noise_runs_alike_on_all_models),
        cmocka_unit_test(flat_programs_run_alike),
        cmocka_unit_test(segmented_programs_run_alike),
        cmocka_unit_test(paged_programs_run_alike),
        cmocka_unit_test(vector_programs_run_alike),
        cmocka_unit_test(float_programs_run_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
