/*
 * The CPU's guest-visible state. Pointer-free, padding-free, fixed width; described in cpu.c by
 * cpu_state_desc. Registers are 64 bits wide from the start; in 16/32-bit modes the upper halves
 * are zero (general registers, EIP).
 */
#ifndef CPU_STATE_H
#define CPU_STATE_H

#include "machine/types.h"

enum { REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI, REG_NONE /* reads 0 */ };

enum seg_reg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* A segment register with its hidden part (SDM 3A 3.4.3). */
struct cpu_seg {
    uint64_t base;
    uint32_t limit; /* in bytes, granularity applied */
    uint16_t selector;
    uint16_t attr; /* descriptor bits 40-47 in bits 0-7 (SEG_ATTR_*), 52-55 in bits 12-15; 0 = null, unusable */
};

enum {
    SEG_ATTR_ACCESSED = 1 << 0,
    SEG_ATTR_WRITABLE = 1 << 1,   /* data: writable; code: readable */
    SEG_ATTR_EXPAND_DOWN = 1 << 2, /* data: expand-down; code: conforming */
    SEG_ATTR_CODE = 1 << 3,
    SEG_ATTR_TYPE = 0xf,
    SEG_ATTR_S = 1 << 4, /* code or data, not system */
    SEG_ATTR_DPL_SHIFT = 5,
    SEG_ATTR_P = 1 << 7,
    SEG_ATTR_AVL = 1 << 12,
    SEG_ATTR_L = 1 << 13,
    SEG_ATTR_DB = 1 << 14,
    SEG_ATTR_G = 1 << 15,
};

struct cpu_dtr {
    uint64_t base;
    uint32_t limit;
    uint32_t reserved;
};

/* x87/MMX register file and environment (SDM 1 8.1); physical registers R0..R7. */
struct cpu_x87 {
    uint64_t mant[8];
    uint16_t se[8]; /* sign and exponent; FFFF after an MMX write */
    uint16_t control, status; /* status without TOP (bits 13-11 zero) */
    uint8_t top;
    uint8_t empty; /* bit i: R_i is empty; the full tag word is computed */
    uint16_t opcode; /* last non-control instruction, 11 bits */
    uint64_t ip, dp; /* offsets */
    uint16_t cs, ds;
    uint8_t ferr;  /* FERR# pin: an unmasked exception is pending with CR0.NE = 0 */
    uint8_t ignne; /* IGNNE# latch, set by port F0 while FERR# is active */
    uint16_t reserved;
};

/* Reasons that keep an instruction boundary from being an interrupt window. */
enum { INHIBIT_STI = 1, /* the instruction after STI: maskable interrupts */
       INHIBIT_MOV_SS = 2 /* after MOV SS / POP SS: all interrupts and debug traps */ };

struct cpu_state {
    uint64_t gpr[8];
    uint64_t zero; /* REG_NONE: always 0 */
    uint64_t eip;
    uint64_t eflags; /* arithmetic bits (OF SF ZF AF PF CF) only after cpu_sync(); the rest always */
    struct cpu_seg seg[SEG_COUNT];
    struct cpu_dtr gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t dr[8];
    uint64_t pdpte[4]; /* PAE: loaded with CR3 (SDM 3A 4.4.1) */
    uint64_t efer, sysenter_cs, sysenter_esp, sysenter_eip, apic_base, pat, tsc_base;
    uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_var[16];
    uint64_t mcg_status, misc_enable, bios_sign, test_ctl;
    struct cpu_x87 x87;
    uint64_t xmm[8][2]; /* low, high half */
    uint32_t mxcsr;
    uint8_t cpl;
    uint8_t halted;      /* HLT: waiting for an interrupt */
    uint8_t shutdown;    /* triple fault: waiting for a reset */
    uint8_t inhibit;     /* INHIBIT_* */
    uint8_t intr_pin;    /* level of INTR */
    uint8_t nmi_pin;     /* level of NMI */
    uint8_t nmi_pending; /* an edge is latched */
    uint8_t nmi_blocked; /* until IRET */
    uint16_t pending_db; /* DR6 bits of a debug trap to be raised before the next instruction */
    uint16_t reserved;
};

#endif
