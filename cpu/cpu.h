/*
 * The CPU as the rest of the machine sees it.
 *
 * Two executors share one state, decoder and MMU: the reference tier (ref.c: complete, readable)
 * and the fast tier (fast/: threaded decoded slots, which hands everything rare to ref). Both retire
 * the same instructions with the same results and counts.
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include <setjmp.h>

#include "cpu/state.h"
#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"
#include "mmu/mmu.h"

enum cpu_level { CPU_8086, CPU_186, CPU_286, CPU_386, CPU_486, CPU_PENTIUM, CPU_P6 };

/* Features beyond the level, as in CPUID.1:EDX (same bit positions); 64-bit room for more. */
enum {
    FEAT_FPU = 1 << 0, FEAT_VME = 1 << 1, FEAT_DE = 1 << 2, FEAT_PSE = 1 << 3, FEAT_TSC = 1 << 4,
    FEAT_MSR = 1 << 5, FEAT_PAE = 1 << 6, FEAT_MCE = 1 << 7, FEAT_CX8 = 1 << 8, FEAT_APIC = 1 << 9,
    FEAT_SEP = 1 << 11, FEAT_MTRR = 1 << 12, FEAT_PGE = 1 << 13, FEAT_MCA = 1 << 14,
    FEAT_CMOV = 1 << 15, FEAT_PAT = 1 << 16, FEAT_PSE36 = 1 << 17, FEAT_CLFSH = 1 << 19,
    FEAT_MMX = 1 << 23, FEAT_FXSR = 1 << 24, FEAT_SSE = 1 << 25, FEAT_SSE2 = 1 << 26,
};
#define FEAT_NX (1ull << 52) /* CPUID.80000001:EDX bit 20 */
#define FEAT_BSWAP (1ull << 53) /* not in CPUID: BSWAP came with the 486; see the 386 in cpuid.c */

struct cpu_model {
    const char *name; /* "486" */
    const char *help;
    enum cpu_level level;
    uint64_t features;   /* FEAT_* */
    uint32_t signature;  /* CPUID.1:EAX and EDX at reset */
    uint32_t max_leaf;   /* CPUID.0:EAX; 0 with `has_cpuid` false */
    bool has_cpuid;
    const char *vendor;  /* 12 characters */
    const char *brand;   /* leafs 80000002-4, or NULL */
};

/* "MODEL[,+f][,-f]" -> a model by value; an unknown word names the nearest. */
MUST_CHECK enum emu_err cpu_model_parse(const char *text, struct cpu_model *out, struct error *err);
/* "-cpu help": one line per model. */
void cpu_model_list(void (*emit)(void *arg, const char *line), void *arg);

enum cpu_core { CORE_FAST, CORE_REFERENCE };

/* Why cpu_run() came back. */
enum cpu_stop {
    CPU_LIMIT,    /* the instruction count was reached */
    CPU_HALTED,   /* HLT, nothing to wake it */
    CPU_EXIT,     /* somebody asked (cpu_request_exit, an earlier deadline): ask the clock again */
    CPU_BREAK,    /* a breakpoint before the instruction at CS:EIP */
    CPU_SHUTDOWN, /* triple fault: reset the machine */
};

struct cpu_wiring {
    struct clock *clk;
    struct log *log;
    struct phys *phys;
    struct io_bus *io;
    uint8_t (*intack)(void *arg); /* interrupt acknowledge: vector from the 8259 */
    void *intack_arg;
    struct irq_line ferr; /* FERR# -> IRQ 13 */
    uint64_t tsc_hz;      /* TSC counts virtual time at this rate */
};

/* Work that must be looked at before the next instruction; any bit ends a fast run. */
enum {
    ATTN_INTR = 1,  /* INTR pin high */
    ATTN_NMI = 2,   /* NMI latched */
    ATTN_DB = 4,    /* st.pending_db */
    ATTN_INHIBIT = 8, /* st.inhibit is set: clear it after one instruction */
    ATTN_EXIT = 16, /* cpu_request_exit */
    ATTN_SLOW = 32, /* TF, RF, armed debug registers, breakpoints or tracing: ref only */
    ATTN_HALT = 64, /* st.halted or st.shutdown */
};

enum { CPU_BREAKPOINTS = 256 };

struct fast; /* cpu/fast/ */

struct cpu {
    struct device dev;
    struct cpu_state st; /* gpr[] lies within the first 256 bytes: the fast tier's slots count on it */
    uint64_t fr, fx;     /* arithmetic flags, see flags.h */
    uint32_t attn;       /* ATTN_*; recomputed from st by cpu_update_attn */
    struct cpu_wiring w;
    struct cpu_model model;
    struct mmu mmu;
    enum cpu_core core;
    struct fast *fast;    /* NULL in a reference-only build or when out of memory */
    uint64_t insn_eip;    /* EIP of the instruction being executed: where a fault points */
    jmp_buf fault_jump;   /* cpu_raise() lands in the outer function of the run */
    uint8_t fault_vector, fault_pending, fault_has_error, fault_soft;
    uint32_t fault_error;
    uint8_t delivering;     /* exception.c: class of the event being delivered, 0 = none */
    uint8_t delivering_ext; /* it is external to the program: EXT in error codes */
    uint32_t nbreak;      /* debugger's breakpoints, linear addresses */
    laddr breakpoint[CPU_BREAKPOINTS];
    bool skip_break_once; /* continue from a breakpoint */
    /* Called with every instruction about to run while ATTN_SLOW tracing is on; may be NULL. */
    void (*trace)(void *arg, struct cpu *c);
    void *trace_arg;
    struct ref_memo *memo; /* ref.c: instructions decoded before, by their bytes; NULL: none */
    uint64_t fetch_gen;
    uint16_t last_op;     /* of the last instruction that ref_execute_one ran: single-step rules */
};

extern const struct device_class cpu_class;

/* `c` is zeroed memory of the caller; makes the MMU and, unless `core` is CORE_REFERENCE, the fast
 * tier; leaves the CPU in power-on reset. */
MUST_CHECK enum emu_err cpu_init(struct cpu *c, const char *id, const struct cpu_model *model,
                                 enum cpu_core core, struct cpu_wiring w, struct error *err);

/* Executes until the retired instruction count reaches `limit` or something else stops it.
 * w.clk->st.icount is exact whenever a device is called and on return.
 *
 * What counts: every instruction that completes, every chunk of a repeated string (ops_string.h) and
 * every delivered exception (so that a loop of faults makes progress in virtual time; the faulting
 * instruction itself does not count). Taking an external interrupt or NMI counts nothing; one
 * instruction runs before the next maskable interrupt is looked at. */
enum cpu_stop cpu_run(struct cpu *c, uint64_t limit);

/* Executes one instruction (or takes one interrupt) in the reference tier, whatever `core` says. */
enum cpu_stop cpu_step(struct cpu *c);

void cpu_set_intr(void *cpu, unsigned pin, bool level); /* irq_line sink */
void cpu_set_nmi(void *cpu, unsigned pin, bool level);
void cpu_set_ignne(struct cpu *c, bool asserted); /* port F0 write */
void cpu_request_exit(struct cpu *c);             /* same thread: leave cpu_run after this instruction */

/* Brings st.eflags up to date (pre_save does it too). */
void cpu_sync(struct cpu *c);
/* Recomputes attn, MMU controls and everything derived after st was changed from outside
 * (debugger, snapshot). */
void cpu_state_changed(struct cpu *c);

/* Debugger's view: no side effects. */
bool cpu_peek(struct cpu *c, laddr addr, void *to, size_t len); /* linear, supervisor; false = not mapped */
bool cpu_poke(struct cpu *c, laddr addr, const void *from, size_t len); /* writes even read-only pages */
bool cpu_linear_to_phys(struct cpu *c, laddr addr, paddr *out);

MUST_CHECK bool cpu_break_add(struct cpu *c, laddr addr); /* false: full */
bool cpu_break_remove(struct cpu *c, laddr addr);
/* Turns per-instruction tracing on (fn) or off (NULL). */
void cpu_set_trace(struct cpu *c, void (*fn)(void *arg, struct cpu *c), void *arg);

static inline laddr cpu_pc(const struct cpu *c) /* linear address of CS:EIP */
{
    return (uint32_t)(c->st.seg[SEG_CS].base + c->st.eip);
}

#endif
