/*
 * Inside the CPU: what instruction bodies call. Only cpu/ includes this.
 *
 * Conventions for a body `static void op_x(struct cpu *c, const struct insn *i)`:
 *  - on entry st.eip points past the instruction, c->insn_eip at it; a fault restores it;
 *  - compute, then every check and read that can fault, then the memory write, then registers and
 *    flags; instructions with several writes probe first (mem_probe_write);
 *  - cpu_raise() does not return.
 */
#ifndef CPU_EXEC_H
#define CPU_EXEC_H

#include "cpu/cpu.h"
#include "cpu/decode.h"
#include "cpu/flags.h"

enum vector {
    VEC_DE = 0, VEC_DB = 1, VEC_NMI = 2, VEC_BP = 3, VEC_OF = 4, VEC_BR = 5, VEC_UD = 6, VEC_NM = 7,
    VEC_DF = 8, VEC_TS = 10, VEC_NP = 11, VEC_SS = 12, VEC_GP = 13, VEC_PF = 14, VEC_MF = 16,
    VEC_AC = 17, VEC_MC = 18, VEC_XM = 19,
};

enum { CR0_PE = 1, CR0_MP = 2, CR0_EM = 4, CR0_TS = 8, CR0_ET = 16, CR0_NE = 32, CR0_WP = 1 << 16,
       CR0_AM = 1 << 18, CR0_NW = 1 << 29, CR0_CD = 1 << 30 };
#define CR0_PG 0x80000000u
enum { CR4_VME = 1, CR4_PVI = 2, CR4_TSD = 4, CR4_DE = 8, CR4_PSE = 16, CR4_PAE = 32, CR4_MCE = 64,
       CR4_PGE = 128, CR4_PCE = 256, CR4_OSFXSR = 512, CR4_OSXMMEXCPT = 1024 };

typedef void op_fn(struct cpu *c, const struct insn *i);
extern op_fn *const op_table[OP_COUNT]; /* ref.c */
#define INSN_OP(name, handler) void handler(struct cpu *c, const struct insn *i);
#include "cpu/ops.def"
#undef INSN_OP

/* exception.c: raising and delivery (SDM 3A chapter 6) */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void cpu_raise(struct cpu *c, unsigned vector, uint32_t error); /* error ignored where the vector has none */
#define raise_gp(c, error) cpu_raise((c), VEC_GP, (error))
#define raise_ud(c) cpu_raise((c), VEC_UD, 0)
/* Delivers the raised exception with double and triple fault rules; sets shutdown on triple. */
void cpu_deliver_fault(struct cpu *c);
/* Hardware interrupt, software INT (soft: DPL checks, IOPL in V86), INT3/INTO/INT1. May raise. */
enum int_kind { INT_EXTERNAL, INT_SOFTWARE, INT_BREAKPOINT /* INT3, INTO: no IOPL check in V86 */, INT_EXCEPTION };
void cpu_interrupt(struct cpu *c, unsigned vector, enum int_kind kind, bool has_error, uint32_t error);

/* Modes */
static inline bool in_real_mode(const struct cpu *c) { return !(c->st.cr0 & CR0_PE); }
static inline bool in_v86(const struct cpu *c) { return (c->st.eflags & FLAG_VM) != 0; }
static inline bool in_protected(const struct cpu *c) { return (c->st.cr0 & CR0_PE) && !in_v86(c); }
static inline bool code32(const struct cpu *c) { return (c->st.seg[SEG_CS].attr & SEG_ATTR_DB) != 0; }
static inline bool stack32(const struct cpu *c) { return (c->st.seg[SEG_SS].attr & SEG_ATTR_DB) != 0; }
static inline unsigned cpu_iopl(const struct cpu *c) { return (unsigned)(c->st.eflags >> 12) & 3; }

/* access.c: memory operands through segmentation and paging; sizes 1, 2, 4, 8. All may raise. */
uint64_t mem_read(struct cpu *c, unsigned seg, uint32_t offset, unsigned size);
void mem_write(struct cpu *c, unsigned seg, uint32_t offset, unsigned size, uint64_t value);
void mem_probe_write(struct cpu *c, unsigned seg, uint32_t offset, unsigned size);
/* As mem_read but with the write checks of a read-modify-write first. */
uint64_t mem_read_rmw(struct cpu *c, unsigned seg, uint32_t offset, unsigned size);
/* Segment limit and type checks alone; returns the linear address. */
laddr seg_linear(struct cpu *c, unsigned seg, uint32_t offset, unsigned size, bool write);
/* Linear accesses of the processor itself (descriptors, TSS, page-independent): supervisor. */
uint32_t sys_read(struct cpu *c, laddr addr, unsigned size);
void sys_write(struct cpu *c, laddr addr, unsigned size, uint32_t value);

/* Effective address of the memory operand, wrapped to asize. */
uint32_t insn_ea(const struct cpu *c, const struct insn *i);

/* Registers by number and size (8-bit numbering as in struct insn). */
uint32_t reg_read(const struct cpu *c, unsigned reg, unsigned size);
void reg_write(struct cpu *c, unsigned reg, unsigned size, uint32_t value);

/* Stack (SS:SP or SS:ESP by stack32). stack_push checks and writes, then moves SP. */
uint32_t stack_pointer(const struct cpu *c);
void stack_set_pointer(struct cpu *c, uint32_t sp); /* only the 16 or 32 bits that count */
void stack_push(struct cpu *c, unsigned size, uint32_t value);
uint32_t stack_peek(struct cpu *c, uint32_t offset, unsigned size); /* at SP + offset */
uint32_t stack_pop(struct cpu *c, unsigned size);

/* seg.c */
void seg_load(struct cpu *c, unsigned seg, uint16_t selector); /* MOV/POP/LxS to ES SS DS FS GS: all checks, #NP #SS #GP; CS not */
void seg_load_real(struct cpu *c, unsigned seg, uint16_t selector); /* real and V86 mode */
void cpu_set_cs_eip(struct cpu *c, uint32_t eip); /* near transfer: limit check (#GP(0)), then EIP */

/* gate.c, task.c: far transfers (SDM 2A CALL, JMP, RET; 3A 5.8, 7.3) */
void far_jump(struct cpu *c, uint16_t selector, uint32_t offset, unsigned size);
void far_call(struct cpu *c, uint16_t selector, uint32_t offset, unsigned size);
void far_return(struct cpu *c, unsigned size, uint32_t release);
void interrupt_return(struct cpu *c, unsigned size);
enum task_cause { TASK_JMP, TASK_CALL, TASK_IRET, TASK_GATE };
void task_switch(struct cpu *c, uint16_t selector, enum task_cause cause, bool has_error, uint32_t error);

/* debugreg.c: hardware breakpoints (SDM 3B 17.2) */
static inline bool debug_armed(const struct cpu *c) { return (c->st.dr[7] & 0xff) != 0; } /* ATTN_SLOW */
void debug_check_code(struct cpu *c);    /* before an instruction while armed: may raise #DB (RF = 0) */
void debug_check_data(struct cpu *c, laddr addr, unsigned size, bool write); /* after an access while
                                            armed: notes a match in st.pending_db */
void debug_check_io(struct cpu *c, uint16_t port, unsigned size);
/* Raises the #DB that st.pending_db stands for (TF, data breakpoints, task T bit) at an instruction
 * boundary, DR6 set; call with insn_eip = eip. */
void debug_trap(struct cpu *c);

/* Port permission by IOPL and the TSS bitmap (SDM 1 19.5.2): raises #GP(0). */
void io_check(struct cpu *c, uint16_t port, unsigned size);
uint32_t cpu_io_read(struct cpu *c, uint16_t port, unsigned size);
void cpu_io_write(struct cpu *c, uint16_t port, unsigned size, uint32_t value);

/* cpu.c: after CPL, CR0, CR3, CR4, EFER or segment changes */
void cpu_set_cpl(struct cpu *c, unsigned cpl);
void cpu_update_mmu(struct cpu *c, bool keep_global);
void cpu_update_attn(struct cpu *c);

/* fpu.c, mmx.c */
void fpu_reset(struct cpu *c);
void fpu_esc(struct cpu *c, const struct insn *i);
void fpu_wait(struct cpu *c);
void fpu_fxsave(struct cpu *c, const struct insn *i);
void fpu_fxrstor(struct cpu *c, const struct insn *i);
void mmx_op(struct cpu *c, const struct insn *i);

/* ref.c: fetch, decode, execute one instruction; all of it may raise. */
void ref_init(struct cpu *c); /* without memory for the memo everything is decoded each time */
void ref_free(struct cpu *c);
void ref_execute_one(struct cpu *c);
/* Runs the body of an already decoded instruction at insn_eip (the fast tier's slow path). */
void ref_execute(struct cpu *c, const struct insn *i);

#endif
