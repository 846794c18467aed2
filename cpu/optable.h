/*
 * The opcode table: one row per instruction form (optable.def), the single source for decoding,
 * dispatch, disassembly, #UD rules and the flag masks of the tests.
 *
 * A row is found by opcode, then by the first row of that opcode that the CPU model has and whose
 * selector fits ModRM and the mandatory prefixes. Operand specifications are those of the SDM's
 * opcode map (SDM 2D appendix A.2): addressing method (capital letter) and operand type.
 */
#ifndef CPU_OPTABLE_H
#define CPU_OPTABLE_H

#include "cpu/cpu.h"
#include "cpu/decode.h"
#include "cpu/flags.h"

/* Addressing method. From OPK_E on a method uses the ModRM byte. */
enum {
    OPK_NONE,
    OPK_REG8,  /* fixed byte register: number in the type bits */
    OPK_REGV,  /* fixed word/dword register */
    OPK_SREG,  /* fixed segment register */
    OPK_DX,    /* port number in DX */
    OPK_ONE,   /* the constant 1 */
    OPK_CL,    /* count in CL */
    OPK_A,     /* far pointer in the instruction */
    OPK_I,     /* immediate */
    OPK_J,     /* relative branch target */
    OPK_O,     /* offset of memory operand in the instruction */
    OPK_X,     /* DS:rSI */
    OPK_Y,     /* ES:rDI */
    OPK_Z,     /* register in the low three opcode bits */
    OPK_E,     /* ModRM r/m: register or memory */
    OPK_G,     /* ModRM reg: general register */
    OPK_M,     /* ModRM r/m: memory (a register form is another row, or #UD) */
    OPK_S,     /* ModRM reg: segment register */
    OPK_R,     /* ModRM r/m: general register, mod ignored */
    OPK_C,     /* ModRM reg: control register */
    OPK_D,     /* ModRM reg: debug register */
    OPK_T,     /* ModRM reg: test register */
    OPK_P,     /* ModRM reg: MMX register */
    OPK_Q,     /* ModRM r/m: MMX register or memory */
    OPK_N,     /* ModRM r/m: MMX register */
    OPK_V,     /* ModRM reg: XMM register */
    OPK_W,     /* ModRM r/m: XMM register or memory */
    OPK_U,     /* ModRM r/m: XMM register */
};

/* Operand type. */
enum {
    OPT_NONE,
    OPT_b,  /* byte */
    OPT_bs, /* byte immediate, sign-extended to the operand size */
    OPT_w,  /* word */
    OPT_d,  /* dword */
    OPT_q,  /* qword */
    OPT_v,  /* word or dword by operand size */
    OPT_vw, /* register: word or dword by operand size; memory: word */
    OPT_p,  /* 16:16 or 16:32 far pointer */
    OPT_a,  /* two operands of operand size (BOUND) */
    OPT_s,  /* 6-byte pseudo-descriptor */
    OPT_o,  /* 16 bytes: dq, ps, pd */
    OPT_ss, /* scalar single */
    OPT_sd, /* scalar double */
};

#define SPEC(kind, type) ((kind) << 4 | (type))
enum operand_spec {
    SPEC__ = 0,
    SPEC_AL = SPEC(OPK_REG8, REG_EAX), SPEC_AH = SPEC(OPK_REG8, 4),
    SPEC_rAX = SPEC(OPK_REGV, REG_EAX),
    SPEC_ES = SPEC(OPK_SREG, SEG_ES), SPEC_CS = SPEC(OPK_SREG, SEG_CS),
    SPEC_SS = SPEC(OPK_SREG, SEG_SS), SPEC_DS = SPEC(OPK_SREG, SEG_DS),
    SPEC_FS = SPEC(OPK_SREG, SEG_FS), SPEC_GS = SPEC(OPK_SREG, SEG_GS),
    SPEC_DX = SPEC(OPK_DX, OPT_w), SPEC_1 = SPEC(OPK_ONE, 0), SPEC_CL = SPEC(OPK_CL, OPT_b),
    SPEC_Ap = SPEC(OPK_A, OPT_p),
    SPEC_Ib = SPEC(OPK_I, OPT_b), SPEC_Ibs = SPEC(OPK_I, OPT_bs), SPEC_Iw = SPEC(OPK_I, OPT_w),
    SPEC_Iz = SPEC(OPK_I, OPT_v),
    SPEC_Jb = SPEC(OPK_J, OPT_b), SPEC_Jz = SPEC(OPK_J, OPT_v),
    SPEC_Ob = SPEC(OPK_O, OPT_b), SPEC_Ov = SPEC(OPK_O, OPT_v),
    SPEC_Xb = SPEC(OPK_X, OPT_b), SPEC_Xv = SPEC(OPK_X, OPT_v),
    SPEC_Yb = SPEC(OPK_Y, OPT_b), SPEC_Yv = SPEC(OPK_Y, OPT_v),
    SPEC_Zb = SPEC(OPK_Z, OPT_b), SPEC_Zv = SPEC(OPK_Z, OPT_v),
    SPEC_Eb = SPEC(OPK_E, OPT_b), SPEC_Ew = SPEC(OPK_E, OPT_w), SPEC_Ed = SPEC(OPK_E, OPT_d),
    SPEC_Ev = SPEC(OPK_E, OPT_v), SPEC_Evw = SPEC(OPK_E, OPT_vw),
    SPEC_Gb = SPEC(OPK_G, OPT_b), SPEC_Gw = SPEC(OPK_G, OPT_w), SPEC_Gd = SPEC(OPK_G, OPT_d),
    SPEC_Gv = SPEC(OPK_G, OPT_v),
    SPEC_M = SPEC(OPK_M, OPT_NONE), SPEC_Mb = SPEC(OPK_M, OPT_b), SPEC_Mw = SPEC(OPK_M, OPT_w),
    SPEC_Md = SPEC(OPK_M, OPT_d), SPEC_Mq = SPEC(OPK_M, OPT_q), SPEC_Mp = SPEC(OPK_M, OPT_p),
    SPEC_Ma = SPEC(OPK_M, OPT_a), SPEC_Ms = SPEC(OPK_M, OPT_s), SPEC_Mo = SPEC(OPK_M, OPT_o),
    SPEC_Sw = SPEC(OPK_S, OPT_w),
    SPEC_Rd = SPEC(OPK_R, OPT_d), SPEC_Cd = SPEC(OPK_C, OPT_d), SPEC_Dd = SPEC(OPK_D, OPT_d),
    SPEC_Td = SPEC(OPK_T, OPT_d),
    SPEC_Esc = SPEC(OPK_E, OPT_NONE), /* x87: opcode and ModRM tell the rest */
    SPEC_Pd = SPEC(OPK_P, OPT_d), SPEC_Pq = SPEC(OPK_P, OPT_q),
    SPEC_Qd = SPEC(OPK_Q, OPT_d), SPEC_Qq = SPEC(OPK_Q, OPT_q), SPEC_Nq = SPEC(OPK_N, OPT_q),
    SPEC_Vd = SPEC(OPK_V, OPT_d), SPEC_Vq = SPEC(OPK_V, OPT_q), SPEC_Vo = SPEC(OPK_V, OPT_o),
    SPEC_Vss = SPEC(OPK_V, OPT_ss), SPEC_Vsd = SPEC(OPK_V, OPT_sd),
    SPEC_Wd = SPEC(OPK_W, OPT_d), SPEC_Wq = SPEC(OPK_W, OPT_q), SPEC_Wo = SPEC(OPK_W, OPT_o),
    SPEC_Wss = SPEC(OPK_W, OPT_ss), SPEC_Wsd = SPEC(OPK_W, OPT_sd),
    SPEC_Uo = SPEC(OPK_U, OPT_o), SPEC_Uq = SPEC(OPK_U, OPT_q),
};
static inline unsigned spec_kind(unsigned spec) { return spec >> 4; }
static inline unsigned spec_type(unsigned spec) { return spec & 15; }

/* Row selector: what ModRM and the prefixes must be. */
enum {
    S_ANY = 0,
    S_R0 = 0x08, S_R1 = 0x09, S_R2 = 0x0a, S_R3 = 0x0b, /* ModRM reg field */
    S_R4 = 0x0c, S_R5 = 0x0d, S_R6 = 0x0e, S_R7 = 0x0f,
    S_REGMASK = 0x0f,
    S_MEM = 0x10, /* mod != 3 */
    S_REG = 0x20, /* mod == 3 */
    S_NP = 0x40,  /* none of 66 F2 F3, where the CPU has SSE (else they are no mandatory prefixes) */
    S_66 = 0x80, S_F3 = 0x100, S_F2 = 0x200, /* F2 and F3 go before 66 */
};

/* First and last CPU level that has the row. */
#define LEVELS(first, last) ((first) << 4 | (last))
enum {
    L86 = LEVELS(CPU_8086, CPU_P6), L186 = LEVELS(CPU_186, CPU_P6), L286 = LEVELS(CPU_286, CPU_P6),
    L386 = LEVELS(CPU_386, CPU_P6), L486 = LEVELS(CPU_486, CPU_P6),
    L586 = LEVELS(CPU_PENTIUM, CPU_P6), L686 = LEVELS(CPU_P6, CPU_P6),
    O86 = LEVELS(CPU_8086, CPU_8086), O286 = LEVELS(CPU_286, CPU_286),
    O386 = LEVELS(CPU_386, CPU_486),
};

/* Notes. */
enum {
    N_LOCK = 1,   /* LOCK allowed with a memory destination */
    N_REP = 2,    /* REP/REPE/REPNE means repetition */
    N_PROT = 4,   /* #UD in real and V86 mode */
    N_CPL0 = 8,   /* #GP(0) unless CPL = 0 (protected and V86 mode) */
    N_IOPL = 16,  /* IOPL-sensitive */
    N_UNDOC = 32, /* undocumented */
};

/* Sets of arithmetic flags. */
enum {
    F_NONE = 0,
    F_ALL = FLAGS_ARITH,
    F_C = FLAG_CF, F_A = FLAG_AF, F_Z = FLAG_ZF, F_O = FLAG_OF,
    F_OC = FLAG_OF | FLAG_CF, F_AO = FLAG_AF | FLAG_OF, F_AC = FLAG_AF | FLAG_CF,
    F_notC = FLAGS_ARITH & ~FLAG_CF,
    F_notA = FLAGS_ARITH & ~FLAG_AF,
    F_notO = FLAGS_ARITH & ~FLAG_OF,
    F_notZ = FLAGS_ARITH & ~FLAG_ZF,
    F_SZAP = FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF,
    F_OSZP = FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF,
    F_OSAP = FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF,
    F_SZP = FLAG_SF | FLAG_ZF | FLAG_PF,
    F_OAC = FLAG_OF | FLAG_AF | FLAG_CF,
    F_SZPC = FLAG_SF | FLAG_ZF | FLAG_PF | FLAG_CF,
};

struct optable_entry {
    const char *mnemonic; /* lower case; a trailing "*" stands for the condition (j*, set*, cmov*) */
    uint64_t feature;     /* FEAT_* needed, 0 = none */
    uint16_t opcode;      /* first opcode: 00-FF, 0F00-0FFF */
    uint16_t op;          /* enum insn_op */
    uint16_t select;      /* S_* */
    uint16_t spec[3];     /* enum operand_spec, in Intel order */
    uint16_t written;     /* arithmetic flags with a documented result */
    uint16_t undefined;   /* arithmetic flags that the manual leaves undefined */
    uint8_t levels;       /* L* */
    uint8_t notes;        /* N_* */
    uint8_t more;         /* another row of the same opcode, not the first */
    uint8_t modrm;        /* uses a ModRM byte */
};

/* Mandatory prefixes of a decoded instruction as S_66, S_F3, S_F2 or 0. */
unsigned optable_prefix(const struct insn *i);

/* First row of `opcode` that the model has, whatever ModRM and prefixes; NULL: undefined opcode. */
const struct optable_entry *optable_first(unsigned opcode, unsigned level, uint64_t features);

/* The row that applies; NULL: undefined (#UD). `prefix` as optable_prefix() gives it. */
const struct optable_entry *optable_lookup(unsigned opcode, uint8_t modrm, unsigned prefix,
                                           unsigned level, uint64_t features);

/* All rows, for tests and listings. */
const struct optable_entry *optable_rows(unsigned *count);

#endif
