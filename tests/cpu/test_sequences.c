/*
 * Sequences (cpu/fast/sequences.def): every one is encoded as machine code from its keys and run by both tiers from
 * random states; afterwards all state, the count and memory must be equal. Flat 32-bit code with paging:
 * every linear address is one of a few frames, some not present, some read-only, some the code's own.
 *
 * States lead operands to aligned places (only there a sequence runs in one piece), to others, over the end of
 * a page, to pages that fault and to the code itself. Each is run twice, without and with translations. Behind
 * a sequence is CMC, of which the number done tells the count where the budget ends soon.
 *
 * The oracle is the reference tier, which the architectural tests check. SEQUENCE_STATES=100 takes more states,
 * SEQUENCE_SEED=2 others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/decode.h"
#include "tests/lib/pair.h"
#if defined(RETRACE_FAST)
#include "cpu/fast/core.h"
#include "cpu/fast/sequence.h"
#include "cpu/fast/steps.h"

enum {
    RAM = 0x28000, GDT = 0x1000, IDT = 0x2000, HANDLER = 0x3000, DIRECTORY = 0x4000, PAGES = 0x5000,
    CODE = 0x10000, FAR = 0x11000 /* where transfers to another page go */, CODE_SIZE = 0x2000,
    DATA = 0x20000, DATA_SIZE = 0x8000, ABSENT = 0x30000, READ_ONLY = 0x31000,
    WARM = HANDLER + 0xf00, /* code that reads pages */ LANDING = 0x800, PAGE = 0x1000, OPCODE_CMC = 0xf5,
};

#if defined(STRESS)
enum { WARM_READS = 0 /* they would take the place of other translations */ };
#else
enum { WARM_READS = 2 };
#endif

/* --- machine code ----------------------------------------------------------------------------- */

/* A sequence as machine code at an offset in the page of code. */
struct text {
    struct rng *r;
    bool odd; /* displacements and immediates that make no aligned addresses, jumps back */
    unsigned start, len, steps;
    unsigned before; /* instructions that run before it */
    unsigned called; /* page offset of what its CALL calls, 0: nothing */
    uint32_t key[SEQUENCE_STEPS];
    unsigned at[SEQUENCE_STEPS + 1]; /* offsets of the steps from start */
    uint8_t bytes[16 * SEQUENCE_STEPS];
    struct {
        uint8_t base, index, scale; /* REG_NONE: no such part */
        uint32_t disp;
    } memory[SEQUENCE_STEPS];
};

static unsigned key_op(uint32_t key) { return key & 0xff; }
static unsigned key_form(uint32_t key) { return key >> 8 & 15; }
static unsigned key_size(uint32_t key) { return key >> 12 & 3 ? 2 * (key >> 12 & 3) : 1; }
static unsigned key_reg(uint32_t key) { return key >> 14 & 15; }
static unsigned key_base(uint32_t key) { return key >> 18 & 15; }
static unsigned key_index(uint32_t key) { return key >> 22 & 15; }
static unsigned key_cc(uint32_t key) { return key >> 26 & 15; }
static unsigned key_count(uint32_t key) { return key_form(key) == FORM_RRI ? key_index(key) | key_cc(key) << 4 : key_base(key) | key_index(key) << 4; }
static bool key_flag(uint32_t key) { return key >> 30 & 1; }

static void byte(struct text *t, uint32_t v)
{
    assert_true(t->len < sizeof(t->bytes));
    t->bytes[t->len++] = (uint8_t)v;
}

static void word(struct text *t, uint32_t v, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        byte(t, v >> 8 * k);
}

static bool chance(struct text *t, uint32_t n) { return below(t->r, n) == 0; }

static bool fits_byte(uint32_t v) { return v + 128 < 256; }

static uint32_t displacement(struct text *t)
{
    switch (below(t->r, t->odd ? 8 : 6)) {
    case 0: return 0;
    case 1: case 2: return 4 * below(t->r, 32);
    case 3: return 0u - 4 * below(t->r, 32);
    case 4: return DATA + 4 * below(t->r, DATA_SIZE / 4);
    case 5: return rnd(t->r) << 2;
    case 6: return below(t->r, 256) - 128;
    default: return rnd(t->r);
    }
}

/* Values that meet again in registers, memory and immediates, so that comparisons find them equal. */
static uint32_t one_of_few(struct rng *r)
{
    static const uint32_t few[] = {0, 0, 0, 4, 4, 8, 0u - 4, 0x80000000u, 1, 0u - 1};
    return few[below(r, 10)];
}

static uint32_t immediate(struct text *t)
{
    static const uint32_t some[] = {0, 4, 0u - 4, 0x7c, 0x80, 0x80000000u, 0x8000, 0xfffc, 0x100,
                                    1, 0u - 1, 0x7f, 0xff, 0x7fffffff, 0x7fff};
    switch (below(t->r, 4)) {
    case 0: return some[below(t->r, t->odd ? 15 : 9)];
    case 1: return t->odd ? rnd(t->r) * 2 + below(t->r, 2) : rnd(t->r) << 2;
    case 2: return 4 * below(t->r, 32);
    default: return one_of_few(t->r);
    }
}

static void rm_register(struct text *t, unsigned reg, unsigned rm) { byte(t, 0xc0 | reg << 3 | rm); }

/* [base + (index << scale) + disp], where base and index may be REG_NONE. */
static void rm_memory(struct text *t, unsigned reg, unsigned base, unsigned index, unsigned scale)
{
    unsigned k = t->steps, mod = 2;
    uint32_t disp = displacement(t);
    t->memory[k].base = (uint8_t)base;
    t->memory[k].index = (uint8_t)index;
    t->memory[k].scale = (uint8_t)scale;
    t->memory[k].disp = disp;
    if (base == REG_NONE)
        mod = 0;
    else if (disp == 0 && base != REG_EBP && !chance(t, 4))
        mod = 0;
    else if (fits_byte(disp) && !chance(t, 4))
        mod = 1;
    bool sib = index != REG_NONE || base == REG_ESP || chance(t, 8);
    unsigned low = base == REG_NONE ? 5 : base;
    byte(t, mod << 6 | reg << 3 | (sib ? 4 : low));
    if (sib)
        byte(t, scale << 6 | (index == REG_NONE ? 4 : index) << 3 | low);
    if (base == REG_NONE || mod == 2)
        word(t, disp, 4);
    else if (mod == 1)
        byte(t, disp);
}

static void rm_of(struct text *t, unsigned reg, uint32_t key)
{
    unsigned factor = key_index(key) == REG_NONE ? 1 : key_cc(key);
    rm_memory(t, reg, key_base(key), key_index(key), factor == 8 ? 3 : factor / 2);
}

static unsigned wide(uint32_t key) { return key_size(key) > 1; }

static void immediate_of_size(struct text *t, uint32_t key) { word(t, immediate(t), key_size(key)); }

/* ADD to CMP, by the number of the operation */
static void encode_alu_immediate(struct text *t, uint32_t key, unsigned n)
{
    bool reg = key_form(key) == FORM_RI, shortened = wide(key) && chance(t, 2);
    if (reg && key_reg(key) == REG_EAX && chance(t, 3)) {
        byte(t, 8 * n + 4 + wide(key));
        immediate_of_size(t, key);
        return;
    }
    byte(t, shortened ? 0x83 : 0x80 + wide(key));
    if (reg)
        rm_register(t, n, key_reg(key));
    else
        rm_of(t, n, key);
    if (shortened)
        byte(t, immediate(t));
    else
        immediate_of_size(t, key);
}

/* Operations with an opcode for each direction, `opcode` that of r/m, r of 8 bits; false: another form */
static bool encode_both_ways(struct text *t, uint32_t key, unsigned opcode, unsigned reverse)
{
    switch (key_form(key)) {
    case FORM_RR:
        if (reverse && chance(t, 2)) {
            byte(t, (opcode | reverse) + wide(key));
            rm_register(t, key_reg(key), key_base(key));
        } else {
            byte(t, opcode + wide(key));
            rm_register(t, key_base(key), key_reg(key));
        }
        return true;
    case FORM_RM:
    case FORM_MR:
        byte(t, (key_form(key) == FORM_RM ? opcode | reverse : opcode) + wide(key));
        rm_of(t, key_reg(key), key);
        return true;
    default: return false;
    }
}

static void encode_alu(struct text *t, uint32_t key)
{
    unsigned n = key_op(key) - OP_ADD;
    if (!encode_both_ways(t, key, 8 * n, 2))
        encode_alu_immediate(t, key, n);
}

/* TEST and MOV with an immediate: opcode /0 */
static void encode_group_immediate(struct text *t, uint32_t key, unsigned opcode)
{
    byte(t, opcode + wide(key));
    if (key_form(key) == FORM_RI)
        rm_register(t, 0, key_reg(key));
    else
        rm_of(t, 0, key);
    immediate_of_size(t, key);
}

static void encode_test(struct text *t, uint32_t key)
{
    if (!encode_both_ways(t, key, 0x84, 0))
        encode_group_immediate(t, key, 0xf6);
}

static void encode_mov(struct text *t, uint32_t key)
{
    bool moffs = (key_form(key) == FORM_RM || key_form(key) == FORM_MR) && key_reg(key) == REG_EAX &&
                 key_base(key) == REG_NONE && key_index(key) == REG_NONE;
    if (moffs && chance(t, 2)) {
        byte(t, (key_form(key) == FORM_RM ? 0xa0 : 0xa2) + wide(key));
        word(t, displacement(t), 4);
    } else if (key_form(key) == FORM_RI && chance(t, 2)) {
        byte(t, 0xb0 + 8 * wide(key) + key_reg(key));
        immediate_of_size(t, key);
    } else if (!encode_both_ways(t, key, 0x88, 2)) {
        encode_group_immediate(t, key, 0xc6);
    }
}

/* 0F opcode, to a register from register or memory */
static void encode_to_register(struct text *t, uint32_t key, unsigned opcode)
{
    byte(t, 0x0f);
    byte(t, opcode);
    if (key_form(key) == FORM_RR)
        rm_register(t, key_reg(key), key_base(key));
    else
        rm_of(t, key_reg(key), key);
}

static void encode_shift(struct text *t, uint32_t key)
{
    unsigned n = key_op(key) - OP_ROL;
    if (key_flag(key)) {
        byte(t, 0xd2 + wide(key));
        rm_register(t, n, key_reg(key));
    } else if (key_count(key) == 1 && chance(t, 2)) {
        byte(t, 0xd0 + wide(key));
        rm_register(t, n, key_reg(key));
    } else {
        byte(t, 0xc0 + wide(key));
        rm_register(t, n, key_reg(key));
        byte(t, key_count(key) | below(t->r, 8) << 5);
    }
}

/* One operand: `opcode` /n */
static void encode_one(struct text *t, uint32_t key, unsigned opcode, unsigned n)
{
    byte(t, opcode + wide(key));
    if (key_form(key) == FORM_R)
        rm_register(t, n, key_reg(key));
    else
        rm_of(t, n, key);
}

static void encode_step_by_one(struct text *t, uint32_t key)
{
    unsigned n = key_op(key) == OP_DEC;
    if (key_form(key) == FORM_R && key_size(key) == 4 && chance(t, 2))
        byte(t, 0x40 + 8 * n + key_reg(key));
    else
        encode_one(t, key, 0xfe, n);
}

static void encode_imul3(struct text *t, uint32_t key)
{
    bool shortened = chance(t, 2);
    byte(t, shortened ? 0x6b : 0x69);
    rm_register(t, key_reg(key), key_base(key));
    word(t, immediate(t), shortened ? 1 : 4);
}

static void encode_double_shift(struct text *t, uint32_t key, unsigned opcode)
{
    byte(t, 0x0f);
    byte(t, opcode);
    rm_register(t, key_base(key), key_reg(key));
    byte(t, key_count(key));
}

/* Steps that use the stack count as memory operands when states are made. */
static void notes_stack(struct text *t, unsigned base)
{
    t->memory[t->steps].base = (uint8_t)base;
    t->memory[t->steps].index = REG_NONE;
    t->memory[t->steps].disp = 0;
}

static void encode_push(struct text *t, uint32_t key)
{
    if (key_form(key) == FORM_M) {
        byte(t, 0xff);
        rm_of(t, 6, key);
        return;
    }
    notes_stack(t, REG_ESP);
    if (key_form(key) == FORM_R) {
        byte(t, 0x50 + key_reg(key));
    } else {
        bool shortened = chance(t, 2);
        byte(t, shortened ? 0x6a : 0x68);
        word(t, immediate(t), shortened ? 1 : 4);
    }
}

static void encode_pop(struct text *t, uint32_t key)
{
    notes_stack(t, REG_ESP);
    byte(t, 0x58 + key_reg(key));
}

/* Where a transfer goes: page offset. */
static uint32_t target(struct text *t, bool far)
{
    if (far)
        return PAGE + LANDING + below(t->r, 0x100);
    if (t->odd && chance(t, 4))
        return t->start + t->at[below(t->r, t->steps + 1)];
    return LANDING + below(t->r, 0x100);
}

static void encode_jump(struct text *t, bool far, unsigned near_opcode, unsigned far_opcode)
{
    uint32_t at = target(t, far), to = at - t->start;
    if (near_opcode && fits_byte(to - (t->len + 2))) {
        byte(t, near_opcode);
        byte(t, to - (t->len + 1));
        return;
    }
    if (far_opcode == 0xe8)
        t->called = at;
    if (far_opcode > 0xff)
        byte(t, far_opcode >> 8);
    byte(t, far_opcode);
    word(t, to - (t->len + 4), 4);
}

static void encode_call(struct text *t, uint32_t key)
{
    notes_stack(t, REG_ESP);
    encode_jump(t, key_flag(key), 0, 0xe8);
}

static void encode_return(struct text *t)
{
    notes_stack(t, REG_ESP);
    if (chance(t, 2)) {
        byte(t, 0xc3);
    } else {
        byte(t, 0xc2);
        word(t, below(t->r, 64), 2);
    }
}

static void encode_plain(struct text *t, uint32_t key)
{
    switch (key_op(key)) {
    case OP_ADD: case OP_OR: case OP_ADC: case OP_SBB: case OP_AND: case OP_SUB: case OP_XOR: case OP_CMP:
        encode_alu(t, key);
        break;
    case OP_TEST: encode_test(t, key); break;
    case OP_MOV: encode_mov(t, key); break;
    case OP_MOVZX8: encode_to_register(t, key, 0xb6); break;
    case OP_MOVZX16: encode_to_register(t, key, 0xb7); break;
    case OP_MOVSX8: encode_to_register(t, key, 0xbe); break;
    case OP_MOVSX16: encode_to_register(t, key, 0xbf); break;
    case OP_IMUL2: encode_to_register(t, key, 0xaf); break;
    case OP_CMOV: encode_to_register(t, key, 0x40 + key_cc(key)); break;
    case OP_SETCC: byte(t, 0x0f), byte(t, 0x90 + key_cc(key)), rm_register(t, 0, key_reg(key)); break;
    case OP_LEA: byte(t, 0x8d), rm_of(t, key_reg(key), key); break;
    case OP_ROL: case OP_ROR: case OP_SHL: case OP_SHR: case OP_SAR: encode_shift(t, key); break;
    case OP_INC: case OP_DEC: encode_step_by_one(t, key); break;
    case OP_NOT: encode_one(t, key, 0xf6, 2); break;
    case OP_NEG: encode_one(t, key, 0xf6, 3); break;
    case OP_BSWAP: byte(t, 0x0f), byte(t, 0xc8 + key_reg(key)); break;
    case OP_IMUL3: encode_imul3(t, key); break;
    case OP_SHLD: encode_double_shift(t, key, 0xa4); break;
    case OP_SHRD: encode_double_shift(t, key, 0xac); break;
    case OP_CWD: byte(t, 0x99); break;
    case OP_CBW: byte(t, 0x98); break;
    case OP_NOP: byte(t, 0x90); break;
    default: fail_msg("no encoding of a step with key %x", key);
    }
}

static void encode_step(struct text *t, uint32_t key)
{
    static const uint8_t flat_segments[] = {0x26, 0x36, 0x3e};
    if (t->odd && key_op(key) != OP_NOP && chance(t, 16))
        byte(t, flat_segments[below(t->r, 3)]);
    if (key_size(key) == 2)
        byte(t, 0x66);
    switch (key_op(key)) {
    case OP_PUSH: encode_push(t, key); break;
    case OP_POP: encode_pop(t, key); break;
    case OP_LEAVE: notes_stack(t, REG_EBP), byte(t, 0xc9); break;
    case OP_JCC: encode_jump(t, chance(t, 4), 0x70 + key_cc(key), 0x0f80 + key_cc(key)); break;
    case OP_JMP: encode_jump(t, key_flag(key), 0xeb, 0xe9); break;
    case OP_CALL: encode_call(t, key); break;
    case OP_RET: encode_return(t); break;
    default: encode_plain(t, key);
    }
}

static void encode(struct text *t, const struct fast_sequence *s, struct rng *r, bool odd)
{
    *t = (struct text){.r = r, .odd = odd, .start = 0x100 + below(r, LANDING - 0x200)};
    t->before = below(r, 2) * below(r, 4);
    while (t->steps < SEQUENCE_STEPS && s->key[t->steps]) {
        unsigned k = t->steps;
        t->at[k] = t->len;
        t->key[k] = s->key[k];
        t->memory[k].base = t->memory[k].index = REG_NONE;
        encode_step(t, s->key[k]);
        t->at[++t->steps] = t->len;
    }
}

/* --- the machines ----------------------------------------------------------------------------- */

struct bench {
    struct pair *p;
    struct sequence_index *index;
    struct rng r;
    struct cpu_state clean;
    uint8_t data[DATA_SIZE], code[CODE_SIZE]; /* what is in memory before a run */
    /* Steps of a sequence that is being watched: their general handlers. */
    struct slot *first;
    fast_handler *general[SEQUENCE_STEPS];
    uint32_t epoch; /* of the slots */
    bool left; /* it went to one of them */
    uint64_t killed; /* pages of code until now */
    /* What was tested */
    unsigned runs, pieces, faults, modified, sequences, whole, conditions, both_ways;
};

/* Every address is something: all tables of pages are the one. */
static uint32_t page_entry(struct rng *r, uint32_t page)
{
    uint32_t frame = DATA + below(r, DATA_SIZE / PAGE) * PAGE;
    switch (page) {
    case GDT / PAGE: case IDT / PAGE: case HANDLER / PAGE: return page * PAGE | 5;
    case CODE / PAGE: case FAR / PAGE: return page * PAGE | 7;
    case ABSENT / PAGE: return 0;
    case READ_ONLY / PAGE: return frame | 5;
    default: break;
    }
    if (page >= DATA / PAGE && page < (DATA + DATA_SIZE) / PAGE)
        return page * PAGE | 7;
    switch (page < 64 ? 100 : below(r, 64)) {
    case 0: case 1: return 0;
    case 2: return frame | 5;
    case 3: return CODE | 7;
    default: return frame | 7;
    }
}

static void fill_data(struct bench *b)
{
    for (uint32_t k = 0; k < DATA_SIZE; k += 4) {
        uint32_t v = rnd(&b->r) * 2 + below(&b->r, 2);
        switch (below(&b->r, 8)) {
        case 0: case 1: case 2: v = CODE + (k / 4 % 2) * PAGE + LANDING + below(&b->r, 0x100); break;
        case 3: v = DATA + 4 * below(&b->r, DATA_SIZE / 4); break;
        case 5: v = 4 * below(&b->r, 64); break;
        case 4: case 6: v = one_of_few(&b->r); break;
        default: break;
        }
        store_le32(b->data + k, v);
    }
}

static struct bench *bench_new(uint64_t seed)
{
    static const uint8_t stay[] = {0xeb, 0xfe}; /* jmp $ */
    static const uint8_t warm[] = {0xa0, 0, READ_ONLY >> 8 & 0xff, READ_ONLY >> 16, 0, /* mov al, [..] */
                                   0xa0, 0, CODE >> 8 & 0xff, CODE >> 16, 0};
    uint8_t handler[PAGE - 2];
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    b->r.s = seed;
    b->p = pair_new("pentium2", RAM);
    b->index = fast_sequence_index();
    assert_non_null(b->index);
    pair_enter_protected(b->p, &(struct pair_protected){.gdt = GDT, .idt = IDT, .handler = HANDLER,
                                                        .data_limit = 0xffffffffu, .directory = DIRECTORY});
    for (uint32_t k = 0; k < 1024; k++) {
        pair_put32(b->p, DIRECTORY + 4 * k, PAGES | 7);
        pair_put32(b->p, PAGES + 4 * k, page_entry(&b->r, k));
    }
    memset(handler, OPCODE_CMC, sizeof(handler));
    pair_put(b->p, HANDLER, handler, sizeof(handler));
    pair_put(b->p, WARM, warm, sizeof(warm));
    pair_put(b->p, HANDLER + sizeof(handler), stay, 2);
    fill_data(b);
    pair_put(b->p, DATA, b->data, DATA_SIZE);
    for (unsigned k = 0; k < 2; k++)
        cpu_state_changed(&b->p->m[k].cpu);
    cpu_sync(&b->p->m[0].cpu);
    b->clean = b->p->m[0].cpu.st;
    b->p->m[1].cpu.w.intack_arg = b;
    return b;
}

static void bench_free(struct bench *b)
{
    pair_free(b->p);
    free(b->index);
    free(b);
}

static void put_text(struct bench *b, const struct text *t)
{
    memset(b->code, OPCODE_CMC, sizeof(b->code));
    memcpy(b->code + t->start, t->bytes, t->len);
    if (t->called >= LANDING)
        b->code[t->called + below(&b->r, 8)] = 0xc3; /* back */
    b->code[CODE_SIZE - 2] = 0xeb;
    b->code[CODE_SIZE - 1] = 0xfe;
    pair_put(b->p, CODE, b->code, CODE_SIZE);
    fast_flush_code(&b->p->m[1].cpu);
    b->killed = fast_stats(&b->p->m[1].cpu)->killed;
}

/* --- states ----------------------------------------------------------------------------------- */

struct start {
    uint32_t gpr[8], flags;
    unsigned budget;
};

/* Where operands are; few values: that comparisons find equal. */
enum kind { ALIGNED, ALIGNED_FEW, ANYTHING, MISALIGNED, ACROSS_PAGES, NOT_PRESENT, NOT_WRITABLE, CODE_ITSELF };

static uint32_t any_register(struct rng *r, enum kind kind)
{
    uint32_t low = kind <= ALIGNED_FEW || kind == CODE_ITSELF ? 0 : below(r, 4);
    if (kind == ANYTHING)
        return rnd(r) * 2 + below(r, 2);
    if (kind == ALIGNED_FEW && below(r, 2))
        return one_of_few(r);
    switch (below(r, 16)) {
    case 0: case 1: case 2: case 3: return 4 * below(r, 64) + low;
    case 4: return 0;
    case 5: return (rnd(r) << 2) + low;
    case 6: return 0u - 4 * below(r, 64) + low;
    case 7: return (4 * below(r, 0x4000) | 0x80000000u) + low;
    default: return DATA + 0x400 + 4 * below(r, (DATA_SIZE - 0x800) / 4) + low;
    }
}

static uint32_t special_address(struct bench *b, const struct text *t, enum kind kind)
{
    switch (kind) {
    case MISALIGNED: return DATA + below(&b->r, DATA_SIZE);
    case ACROSS_PAGES:
        return (below(&b->r, 4) ? DATA + PAGE * (1 + below(&b->r, DATA_SIZE / PAGE)) : ABSENT) - 1 - below(&b->r, 3);
    case NOT_PRESENT: /* at the ends: other operands near it are present */
        return (below(&b->r, 2) ? ABSENT : ABSENT + PAGE - 16) + below(&b->r, 16);
    case NOT_WRITABLE: return READ_ONLY + PAGE - 4 * below(&b->r, 64);
    default: return (CODE + t->start + below(&b->r, t->len + 4)) & (below(&b->r, 4) ? ~3u : ~0u);
    }
}

static bool is_operand(const struct text *t, unsigned k)
{
    return t->memory[k].base < REG_NONE && key_op(t->key[k]) != OP_LEA;
}

/* Leads the memory operand of step k there, if no step before changes its registers. */
static void lead(struct bench *b, const struct text *t, struct start *s, enum kind kind, unsigned k)
{
    uint32_t index = t->memory[k].index < REG_NONE ? s->gpr[t->memory[k].index] << t->memory[k].scale : 0;
    s->gpr[t->memory[k].base] = special_address(b, t, kind) - t->memory[k].disp - index;
}

static void make_start(struct bench *b, const struct text *t, struct start *s, enum kind kind, unsigned k)
{
    for (unsigned n = 0; n < 8; n++)
        s->gpr[n] = any_register(&b->r, kind);
    for (unsigned n = below(&b->r, 4); n < 3; n++)
        s->gpr[below(&b->r, 8)] = s->gpr[below(&b->r, 8)];
    if (kind != ANYTHING || below(&b->r, 2))
        s->gpr[REG_ESP] = DATA + DATA_SIZE / 2 + 4 * below(&b->r, 0x100) + (kind == MISALIGNED ? below(&b->r, 4) : 0);
    if (kind >= MISALIGNED)
        lead(b, t, s, kind, k);
    s->flags = rnd(&b->r) & FLAGS_ARITH;
    s->budget = SLACK + 1 + below(&b->r, below(&b->r, 2) ? 14 : 64);
}

/* --- running ---------------------------------------------------------------------------------- */

static void restore_memory(struct bench *b)
{
    const uint8_t *ram = b->p->m[0].ram->host;
    uint64_t killed = fast_stats(&b->p->m[1].cpu)->killed;
    b->modified += killed != b->killed;
    for (uint32_t k = 0; k < DATA_SIZE; k += PAGE) {
        if (memcmp(ram + DATA + k, b->data + k, PAGE) != 0)
            pair_put(b->p, DATA + k, b->data + k, PAGE);
    }
    if (memcmp(ram + CODE, b->code, CODE_SIZE) != 0)
        pair_put(b->p, CODE, b->code, CODE_SIZE);
    if (killed != b->killed) /* what was decoded since may begin within the sequence */
        fast_flush_code(&b->p->m[1].cpu);
    b->killed = fast_stats(&b->p->m[1].cpu)->killed;
}

static void load_registers(struct cpu *c, uint32_t eip, const struct start *s)
{
    for (unsigned k = 0; k < 8; k++)
        c->st.gpr[k] = s->gpr[k];
    c->st.eip = eip;
    cpu_set_eflags(c, s->flags);
}

/* Translations stay, unless the code that ran (data that a RET led to) changed what no sequence changes. */
static void restore_cpu(struct bench *b, struct cpu *c, const struct text *t, const struct start *s)
{
    struct cpu_state st = b->clean;
    memcpy(st.gpr, c->st.gpr, sizeof(st.gpr));
    st.eip = c->st.eip;
    st.eflags = c->st.eflags;
    st.cr2 = c->st.cr2;
    bool other = memcmp(&st, &c->st, sizeof(st)) != 0;
    c->st = b->clean;
    load_registers(c, WARM, s);
    if (other)
        cpu_class.post_load(c, NULL);
    cpu_update_attn(c);
    cpu_run(c, c->w.clk->st.icount + WARM_READS); /* pages that can be read only, and the code, are known for reading */
    load_registers(c, CODE + t->start - t->before, s);
}

static void restore(struct bench *b, const struct text *t, const struct start *s)
{
    restore_memory(b);
    for (unsigned k = 0; k < 2; k++)
        restore_cpu(b, &b->p->m[k].cpu, t, s);
}

/* The slot where the sequence starts, decoded if it was not, with the instructions before it. */
static struct slot *first_slot(struct bench *b, const struct text *t)
{
    struct cpu *c = &b->p->m[1].cpu;
    fast_update_context(c);
    c->fast->cur_lin = CODE + t->start - t->before;
    struct slot *i = fast_find(c);
    assert_non_null(i);
    return i + t->before;
}

static struct slot *leave_sequence(ARGS)
{
    struct bench *b = c->w.intack_arg;
    b->left = true;
    TAIL(b->general[i - b->first]);
}

static void watch(struct bench *b, const struct text *t, struct slot *first)
{
    struct fast *f = b->p->m[1].cpu.fast;
    b->left = false;
    b->first = first;
    b->epoch = f->epoch;
    for (unsigned k = 0; k < t->steps; k++) {
        struct slot_meta *m = &f->meta[first - f->pool + k];
        b->general[k] = m->general;
        m->general = leave_sequence;
    }
}

static void unwatch(struct bench *b, const struct text *t)
{
    struct fast *f = b->p->m[1].cpu.fast;
    for (unsigned k = 0; k < t->steps && f->epoch == b->epoch; k++)
        f->meta[b->first - f->pool + k].general = b->general[k];
}

/* Follows the reference tier through the sequence: which ways its conditional jumps went, 1 on, 2 away. */
static void follow(struct bench *b, const struct text *t, uint64_t limit, uint8_t ways[SEQUENCE_STEPS])
{
    struct pair_machine *m = &b->p->m[0];
    cpu_run(&m->cpu, m->clk.st.icount + t->before);
    for (unsigned k = 0; k < t->steps && m->clk.st.icount < limit; k++) {
        if (m->cpu.st.eip != CODE + t->start + t->at[k])
            return;
        cpu_run(&m->cpu, m->clk.st.icount + 1);
        if (key_op(t->key[k]) == OP_JCC)
            ways[k] |= m->cpu.st.eip == CODE + t->start + t->at[k + 1] ? 1 : 2;
    }
}

static void run(struct bench *b, const struct text *t, const struct start *s, const char *where, uint8_t *ways)
{
    uint64_t limit = b->p->m[0].clk.st.icount + s->budget;
    follow(b, t, limit, ways);
    enum cpu_stop reference = cpu_run(&b->p->m[0].cpu, limit), fast = cpu_run(&b->p->m[1].cpu, limit);
    pair_compare(b->p, where);
    pair_check("stop reason", reference, fast, where);
    pair_compare_memory(b->p, where);
    b->faults += b->p->m[0].cpu.st.eip / PAGE == HANDLER / PAGE;
    b->p->m[0].clk.st.icount = b->p->m[1].clk.st.icount = limit;
    b->runs++;
}

/* Without translations, or those of states before; then with its own. True: the sequence ran in one piece. */
static bool run_twice(struct bench *b, const struct text *t, const struct start *s, fast_handler *fn,
                      const char *where, uint8_t *ways)
{
    restore(b, t, s);
    assert_true(first_slot(b, t)->fn == fn);
    run(b, t, s, where, ways);
    restore(b, t, s);
    struct slot *first = first_slot(b, t);
    assert_true(first->fn == fn);
    watch(b, t, first);
    run(b, t, s, where, ways);
    unwatch(b, t);
    b->pieces += !b->left;
    return !b->left;
}

/* --- tests ------------------------------------------------------------------------------------ */

static uint32_t states_per_text(void)
{
    const char *n = getenv("SEQUENCE_STATES");
    return n ? (uint32_t)strtoul(n, NULL, 10) : 8;
}

static uint64_t seed(void)
{
    const char *n = getenv("SEQUENCE_SEED");
    return n ? strtoull(n, NULL, 10) : 1;
}

/* The bytes are the instructions of the keys, and they are found to be the sequence. */
static void check_text(struct bench *b, const struct text *t, const struct fast_sequence *s, const char *where)
{
    const struct cpu_model *m = &b->p->m[1].cpu.model;
    uint32_t key[SEQUENCE_STEPS];
    for (unsigned k = 0; k < t->steps; k++) {
        struct insn o;
        unsigned at = t->at[k], len = decode(t->bytes + at, t->len - at, DECODE_CODE32, m->level, m->features, &o);
        if (len != t->at[k + 1] - at)
            fail_msg("%s: step %u has %u bytes, decoded %u", where, k, t->at[k + 1] - at, len);
        key[k] = fast_step(&o, t->start + at + len + o.imm < PAGE);
        if (key[k] != t->key[k])
            fail_msg("%s: step %u has key %x, its encoding %x", where, k, t->key[k], key[k]);
    }
    if (fast_sequence_find(b->index, key, t->steps) != s->fn)
        fail_msg("%s: is not found by its steps", where);
}

static void describe(char *to, size_t n, const struct text *t, const char *name, const struct start *s)
{
    int at = snprintf(to, n, "%s, at %x:", name, CODE + t->start);
    for (unsigned k = 0; k < t->len; k++)
        at += snprintf(to + at, n - (size_t)at, " %02x", t->bytes[k]);
    for (unsigned k = 0; s && k < 8; k++)
        at += snprintf(to + at, n - (size_t)at, "%s%x", k ? " " : ", registers ", s->gpr[k]);
    if (s)
        snprintf(to + at, n - (size_t)at, ", flags %x, budget %u", s->flags, s->budget);
}

/* One more state: step k's operand, where the kind has to do with one. True: the sequence ran in one piece. */
static bool test_state(struct bench *b, const struct text *t, const struct fast_sequence *q, const char *name,
                       enum kind kind, unsigned k, uint8_t *ways)
{
    struct start s;
    char where[800];
    make_start(b, t, &s, kind, k);
    describe(where, sizeof(where), t, name, &s);
    return run_twice(b, t, &s, q->fn, where, ways);
}

static void lead_operands(struct bench *b, const struct text *t, const struct fast_sequence *q, const char *name,
                          uint8_t *ways)
{
    for (unsigned k = 0; k < t->steps; k++) {
        for (enum kind kind = MISALIGNED; kind <= CODE_ITSELF && is_operand(t, k); kind++)
            test_state(b, t, q, name, kind, k, ways);
    }
}

static bool test_text(struct bench *b, const struct fast_sequence *q, const char *name, unsigned number,
                      uint8_t *ways)
{
    struct text t;
    char where[800];
    bool whole = false;
    encode(&t, q, &b->r, number == 1);
    describe(where, sizeof(where), &t, name, NULL);
    check_text(b, &t, q, where);
    put_text(b, &t);
    for (uint32_t n = 0; n < states_per_text(); n++) {
        whole |= test_state(b, &t, q, name, n % 8 == 7 ? ANYTHING : (enum kind)(n % 2), 0, ways);
        if (n % 8 == 0 && number < 2)
            lead_operands(b, &t, q, name, ways);
    }
    return whole;
}

static void count(struct bench *b, const struct fast_sequence *q, const uint8_t *ways, bool whole, const char *name)
{
    b->sequences++;
    b->whole += whole;
    if (!whole)
        print_message("%s never ran in one piece\n", name);
    for (unsigned k = 0; k < SEQUENCE_STEPS && q->key[k]; k++) {
        b->conditions += key_op(q->key[k]) == OP_JCC;
        b->both_ways += ways[k] == 3;
    }
}

/* Twice, and again while it has not run in one piece or a jump has gone one way only. */
static void test_sequence(struct bench *b, const struct fast_sequence *q, const char *name)
{
    uint8_t ways[SEQUENCE_STEPS] = {0};
    bool whole = false, more = true;
    for (unsigned number = 0; more && number < 40; number++) {
        whole |= test_text(b, q, name, number, ways);
        more = number < 1 || !whole;
        for (unsigned k = 0; k < SEQUENCE_STEPS && q->key[k]; k++)
            more |= key_op(q->key[k]) == OP_JCC && ways[k] != 3;
    }
    count(b, q, ways, whole, name);
}

static void report(const struct bench *b)
{
    print_message("%u sequences, %u ran in one piece; %u conditional jumps, %u went both ways\n", b->sequences,
                  b->whole, b->conditions, b->both_ways);
    print_message("%u runs, %u in one piece, %u that faulted, %u that wrote to the code\n", b->runs, b->pieces,
                  b->faults, b->modified);
#if defined(STRESS) /* too few translations for some */
    assert_true(b->whole > b->sequences / 10 * 9);
#else
    assert_int_equal(b->whole, b->sequences);
#endif
    assert_true(b->both_ways >= b->conditions - b->conditions / 20);
    assert_true(b->faults > b->sequences / 4 && b->modified > b->sequences / 4);
}

/* A handler leaves its row where it jumps; what stood behind would never run. */
static void transfers_end_a_sequence(void **state)
{
    (void)state;
    for (size_t part = 0; part < SEQUENCE_PARTS; part++) {
        for (size_t k = 0; k < fast_sequences[part]->n; k++) {
            const uint32_t *key = fast_sequences[part]->at[k].key;
            for (unsigned n = 0; n + 1 < SEQUENCE_STEPS && key[n + 1]; n++) {
                unsigned op = key_op(key[n]);
                assert_true(op != OP_JMP && op != OP_CALL && op != OP_RET);
            }
        }
    }
}

static void sequences_do_what_their_instructions_do(void **state)
{
    struct bench *b = bench_new(seed());
    (void)state;
    for (size_t part = 0; part < SEQUENCE_PARTS; part++) {
        for (size_t k = 0; k < fast_sequences[part]->n; k++) {
            char name[40];
            snprintf(name, sizeof(name), "sequence %zu of part %zu", k, part);
            test_sequence(b, &fast_sequences[part]->at[k], name);
        }
    }
    if (b->sequences)
        report(b);
    else
        print_message("no sequences in this build\n");
    bench_free(b);
}
#endif

int main(void)
{
#if defined(RETRACE_FAST)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfers_end_a_sequence),
        cmocka_unit_test(sequences_do_what_their_instructions_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    printf("no fast tier in this build: nothing to compare\n");
    return 0;
#endif
}
