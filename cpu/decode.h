/*
 * Instruction bytes to a neutral form. decode() is a pure function: no machine state, no faults,
 * total on all byte strings. optable.def is the one table behind it.
 */
#ifndef CPU_DECODE_H
#define CPU_DECODE_H

#include "machine/types.h"

/* Ops, in the order of optable.def's op list. Guaranteed consecutive: ADD OR ADC SBB AND SUB XOR CMP
 * TEST; ROL ROR RCL RCR SHL SHR SAL SAR; BT BTS BTR BTC. */
enum insn_op {
#define INSN_OP(name, handler) OP_##name,
#include "cpu/ops.def"
#undef INSN_OP
    OP_COUNT
};

/* How the operands lie: R register, M memory, I immediate; the first is the destination.
 * RRI/RMI: IMUL r,r/m,imm and SHLD/SHRD (imm = count). */
enum insn_form { FORM_NONE, FORM_RR, FORM_RM, FORM_MR, FORM_RI, FORM_MI, FORM_R, FORM_M, FORM_I, FORM_RRI, FORM_RMI, FORM_MRI };

enum { REP_NONE, REP_Z /* F3: REP, REPE */, REP_NZ /* F2: REPNE */ };

enum { INSN_LOCK = 1,      /* F0 present and allowed (else op is UD) */
       INSN_SEG = 2,       /* a segment override is present */
       INSN_CL = 4,        /* shift or rotate count is CL, not imm */
       INSN_OSIZE = 8,     /* prefix 66 present */
       INSN_ASIZE = 16,    /* prefix 67 present */
       INSN_REP66 = 32 };

struct insn {
    uint16_t op;   /* enum insn_op */
    uint8_t form;  /* enum insn_form */
    uint8_t size;  /* operand size in bytes: 1, 2, 4 (8, 16 for MMX, SSE) */
    uint8_t dst;   /* register number of the first operand (8-bit: 0-3 AL CL DL BL, 4-7 AH CH DH BH);
                      segment, control, debug registers too; for one-register forms as well */
    uint8_t src;   /* register number of the second operand */
    uint8_t base;  /* of the memory operand; REG_NONE if absent */
    uint8_t index; /* REG_NONE if absent */
    uint8_t scale; /* shift 0..3 */
    uint8_t seg;   /* effective segment of the memory operand, override applied (string source too) */
    uint8_t len;   /* bytes, prefixes included */
    uint8_t rep;   /* REP_* where given */
    uint8_t cc;    /* Jcc, SETcc, CMOVcc: condition 0..15 */
    uint8_t asize; /* address size in bytes: 2 or 4 */
    uint8_t flags; /* INSN_* */
    uint8_t modrm; /* the raw ModRM byte where there is one */
    uint16_t opcode; /* opcode byte, 0x0Fxx for two-byte ones: for x87, MMX, SSE and explain */
    uint16_t imm2; /* far pointer selector; ENTER level */
    uint32_t disp; /* displacement, sign-extended; moffs address */
    uint32_t imm;  /* immediate or relative offset, sign-extended to 32 bits where the manual does */
};

/* Mode bits. */
enum { DECODE_CODE32 = 1 /* CS.D */ };

/* Decodes at most 15 bytes. `level` is an enum cpu_level: opcodes that the model lacks give OP_UD
 * (or the 8086's aliases). Returns the length; 0 if `avail` bytes do not hold the whole instruction;
 * an instruction over 15 bytes returns 15 with op OP_TOO_LONG (#GP(0)). */
unsigned decode(const uint8_t *bytes, unsigned avail, unsigned mode, unsigned level,
                uint64_t features, struct insn *out);

#endif
