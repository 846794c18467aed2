/*
 * Makes cases: base images and instruction sequences with their registers and memory, all from a seed. The forms are the
 * rows of cpu/optable.def that the CPU model announces, so that a new row is tested as soon as a model has it;
 * x87 opcodes, which the table does not list one by one, have a generator of their own.
 */
#ifndef TESTS_SILICON_GEN_H
#define TESTS_SILICON_GEN_H

#include "cpu/cpu.h"
#include "cpu/optable.h"
#include "tests/silicon/layout.h"

struct gen_form {
    const struct optable_entry *row;
    uint16_t opcode;
};

struct gen {
    bool low; /* AT_LOW is mapped */
    bool ldt; /* the segments of SILICON_LDT are there */
    struct gen_form integer[1024], simd[1024];
    unsigned nint, nsimd;
    bool sse;
    uint32_t eflags; /* bits that the model has */
    const char *name; /* only rows of this mnemonic, or NULL */
};

void gen_init(struct gen *g, const struct cpu_model *model, const char *name, bool low, bool ldt);
void gen_image(uint64_t seed, uint8_t *image);                        /* WORK_SIZE bytes */
void gen_case(const struct gen *g, uint64_t seed, unsigned index, struct silicon_case *out);

/* Bytes of a memory operand; `word`: the operand size. */
unsigned gen_operand_bytes(unsigned spec, unsigned word);
unsigned gen_x87_bytes(unsigned opcode, unsigned reg, bool small); /* small: 16-bit operand size */

#endif
