/*
 * What the x87, MMX and SSE files share: the register stack, the bookkeeping of exceptions, the pointers to the last
 * instruction, integer operations. Only cpu/fpu*.c, cpu/mmx.c and cpu/sse*.c include this; the rest of the CPU calls the fpu_ functions
 * declared in cpu/exec.h.
 */
#ifndef CPU_FPU_H
#define CPU_FPU_H

#include "cpu/exec.h"
#include "cpu/softfp.h"

/* Status word (SDM 1 figure 8-4); bits 0-5 are FP_IE .. FP_PE. */
enum {
    FPU_SF = 0x0040, /* stack fault */
    FPU_ES = 0x0080, /* summary of the unmasked exceptions */
    FPU_C0 = 0x0100,
    FPU_C1 = 0x0200,
    FPU_C2 = 0x0400,
    FPU_TOP_SHIFT = 11,
    FPU_C3 = 0x4000,
    FPU_BUSY = 0x8000, /* a copy of ES since the 80287 */
    FPU_CONDITION = FPU_C0 | FPU_C2 | FPU_C3
};

enum { FPU_CW_INIT = 0x037F, FPU_CW_RESET = 0x0040, FPU_CW_DEFINED = 0x1F3F, FPU_CW_ONE = 0x0040 };

/* Registers of the stack: ST(n). */
bool fpu_is_empty(const struct cpu *c, unsigned n);
struct f80 fpu_st(const struct cpu *c, unsigned n);
void fpu_set_st(struct cpu *c, unsigned n, struct f80 v); /* marks it full */
void fpu_free(struct cpu *c, unsigned n);
void fpu_push(struct cpu *c, struct f80 v);
void fpu_pop(struct cpu *c);

/* One instruction's arithmetic context: control word in, no exceptions yet. */
struct fp_ctx fpu_context(const struct cpu *c);
/* ST(n); an empty register is a stack underflow: IE and SF, and the value is the default NaN. */
struct f80 fpu_operand(const struct cpu *c, struct fp_ctx *x, unsigned n);
/* A push onto a full register is a stack overflow: IE, SF, C1. True if there is room. */
bool fpu_room(const struct cpu *c, struct fp_ctx *x);
/* Enters what x raised into the status word: exceptions, C1, ES, and FERR#. */
void fpu_finish(struct cpu *c, const struct fp_ctx *x);
void fpu_set_conditions(struct cpu *c, uint16_t conditions); /* C0, C2, C3 */
/* After a change of control or status word: ES and FERR#. */
void fpu_update_summary(struct cpu *c);
/* An unmasked exception is pending: #MF, or FERR# if CR0.NE is clear. May raise. */
void fpu_check_pending(struct cpu *c);

void fpu_init(struct cpu *c); /* FNINIT */
uint16_t fpu_status_word(const struct cpu *c);
void fpu_load_control(struct cpu *c, uint16_t control);

/* Byte `at` of a memory operand that starts at `ea`, wrapped to the address size. */
uint32_t fpu_area(const struct insn *i, uint32_t ea, uint32_t at);

/* fpu_env.c: FNSTENV, FLDENV, FNSAVE, FRSTOR */
void fpu_op_fnstenv(struct cpu *c, const struct insn *i);
void fpu_op_fldenv(struct cpu *c, const struct insn *i);
void fpu_op_fnsave(struct cpu *c, const struct insn *i);
void fpu_op_frstor(struct cpu *c, const struct insn *i);

/* An x87 instruction. Control instructions do not move the last-instruction pointers (only those of SDM 1 8.1.8's
 * list: FNOP, FFREE, FINCSTP and FDECSTP do); those that start with FN do not look at pending exceptions either
 * (SDM 1 8.6). */
enum fpu_kind { FPU_ILLEGAL, FPU_NUMERIC, FPU_CONTROL, FPU_NO_WAIT };
struct fpu_op {
    op_fn *run;
    uint8_t kind;
};

/* fpu_ops.c: the forms with a memory operand; fpu_reg.c: those on registers. Never NULL. */
const struct fpu_op *fpu_find_memory_op(const struct insn *i);
const struct fpu_op *fpu_find_register_op(const struct cpu *c, const struct insn *i);

/* mmx.c, for the XMM forms too. An operation on 64 bits, by the second opcode byte; NULL: there is none. */
typedef uint64_t mmx_fn(uint64_t a, uint64_t b);
mmx_fn *mmx_binary(unsigned opcode);
mmx_fn *mmx_immediate_shift(const struct insn *i); /* 0F 71 72 73 */
uint64_t mmx_interleave_dwords(uint64_t a, uint64_t b); /* the low ones */
uint64_t mmx_shuffle_words(uint64_t a, unsigned imm);
uint64_t mmx_insert_word(struct cpu *c, const struct insn *i, uint64_t v); /* the second operand into v */
uint32_t mmx_extract_word(uint64_t a, unsigned n);
uint32_t mmx_byte_signs(uint64_t a);
/* To DS:rDI (or overridden) those bytes of v whose mask byte has its sign set. */
void mmx_masked_store(struct cpu *c, const struct insn *i, const uint64_t *v, const uint64_t *mask, unsigned size);
void mmx_enter(struct cpu *c); /* all tags valid, TOP 0 */
void mmx_write(struct cpu *c, unsigned n, uint64_t v); /* enters, too */

/* fpu_ops.c, for both: /0../7 of the arithmetic opcodes, FADD FMUL FCOM FCOMP FSUB FSUBR FDIV FDIVR. */
struct f80 fpu_arithmetic(struct fp_ctx *x, unsigned which, struct f80 a, struct f80 b);
void fpu_enter_relation(struct cpu *c, enum fp_relation r);
/* Whether a comparison enters its outcome: not with an unmasked invalid operand (SDM 2A FCOM); an unmasked
 * denormal only keeps it from popping. */
static inline bool fpu_tells_relation(const struct fp_ctx *x) { return (x->flags & ~x->cw & FP_IE) == 0; }

#endif
