/*
 * Descriptors (SDM 3A 3.4.5, 3.5) and stacks under construction, for seg.c, gate.c, task.c,
 * exception.c and ops_system.c.
 */
#ifndef CPU_DESC_H
#define CPU_DESC_H

#include "cpu/exec.h"

/* System descriptor types (SDM 3A table 3-2); compare with desc_type(). */
enum {
    TYPE_TSS16 = 1, TYPE_LDT = 2, TYPE_TSS16_BUSY = 3, TYPE_CALL16 = 4, TYPE_TASK_GATE = 5,
    TYPE_INT16 = 6, TYPE_TRAP16 = 7, TYPE_TSS32 = 9, TYPE_TSS32_BUSY = 11, TYPE_CALL32 = 12,
    TYPE_INT32 = 14, TYPE_TRAP32 = 15,
    TYPE_32BIT = 8, /* this bit makes 32-bit gates and TSSs of 16-bit ones */
    TYPE_BUSY = 2,
};

struct desc {
    struct cpu_seg seg; /* as a segment register would hold it */
    uint32_t lo, hi;    /* raw */
    laddr at;           /* its linear address */
};

static inline bool sel_null(uint16_t sel) { return (sel & 0xfffc) == 0; }
static inline uint32_t sel_error(uint16_t sel) { return sel & 0xfffcu; }
static inline unsigned sel_rpl(uint16_t sel) { return sel & 3; }

static inline unsigned attr_dpl(uint16_t attr) { return (unsigned)attr >> SEG_ATTR_DPL_SHIFT & 3; }
static inline bool attr_present(uint16_t attr) { return (attr & SEG_ATTR_P) != 0; }
static inline bool attr_system(uint16_t attr) { return !(attr & SEG_ATTR_S); }
static inline bool attr_code(uint16_t attr)
{
    return (attr & (SEG_ATTR_S | SEG_ATTR_CODE)) == (SEG_ATTR_S | SEG_ATTR_CODE);
}
static inline bool attr_conforming(uint16_t attr)
{
    return attr_code(attr) && (attr & SEG_ATTR_EXPAND_DOWN);
}
static inline bool attr_writable(uint16_t attr) /* writable data: fit for SS */
{
    return (attr & (SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_WRITABLE)) == (SEG_ATTR_S | SEG_ATTR_WRITABLE);
}
static inline bool attr_readable(uint16_t attr) /* data or readable code */
{
    return (attr & SEG_ATTR_S) && (!(attr & SEG_ATTR_CODE) || (attr & SEG_ATTR_WRITABLE));
}
static inline unsigned desc_type(const struct desc *d) /* of a system descriptor */
{
    return d->seg.attr & SEG_ATTR_TYPE;
}

/* Reads a descriptor; false: outside its table. Page faults are raised. */
bool desc_read(struct cpu *c, uint16_t sel, struct desc *d);
/* Likewise, but outside the table (and null) raises `vector` with the selector. */
void desc_fetch(struct cpu *c, uint16_t sel, unsigned vector, struct desc *d);
/* The form in which a segment register would hold the two words. */
void desc_unpack(const struct cpu *c, uint16_t sel, uint32_t lo, uint32_t hi, struct desc *d);
/* Sets the accessed bit in memory and in `d`. */
void desc_touch(struct cpu *c, struct desc *d);

static inline uint16_t gate_selector(const struct desc *d) { return (uint16_t)(d->lo >> 16); }
static inline uint32_t gate_offset(const struct desc *d)
{
    uint32_t low = d->lo & 0xffff;
    return desc_type(d) & TYPE_32BIT ? (d->hi & 0xffff0000u) | low : low;
}

/* Is [offset, offset+size) inside the segment? */
bool seg_limit_ok(const struct cpu_seg *s, uint32_t offset, uint32_t size);
/* Selector of CS becomes `sel` with RPL = cpl; CPL changes with it. */
void seg_set_cs(struct cpu *c, const struct desc *d, unsigned cpl);
void seg_set_null(struct cpu *c, unsigned seg, uint16_t sel);
/* Values that V86 mode gives a segment register (SDM 3B 20.2.1). */
void seg_set_v86(struct cpu *c, unsigned seg, uint16_t sel);
/* SDM 3A 5.8.4 (RET, IRET to an outer level): data segments that CPL may not see become null. */
void seg_drop_inner(struct cpu *c);
/* Checks of a code segment that RPL leads to: #GP or #NP (`np`: NP or TS rules are the same). */
void seg_check_return_cs(struct cpu *c, uint16_t sel, struct desc *d);

/* Several pushes as one: all are checked before the first is written. */
enum { FRAME_MAX = 48 };
struct frame {
    struct cpu_seg ss;
    uint32_t sp;
    uint32_t error; /* of #SS when it does not fit */
    unsigned size;  /* bytes of every push */
    unsigned count;
    bool user;      /* privilege of the accesses */
    uint32_t value[FRAME_MAX];
};

void frame_on_current(const struct cpu *c, struct frame *f, unsigned size);
/* The stack of an inner level from the TSS (SDM 3A 5.8.5): #TS, #SS, #NP checks. */
void frame_on_inner(struct cpu *c, struct frame *f, unsigned cpl, unsigned size);
static inline void frame_push(struct frame *f, uint32_t value) { f->value[f->count++] = value; }
void frame_check(struct cpu *c, const struct frame *f); /* raises #SS, #PF */
void frame_write(struct cpu *c, const struct frame *f); /* after frame_check: cannot fault */
void frame_load_sp(struct cpu *c, const struct frame *f); /* (E)SP below the pushed values */

/* EFLAGS bits that exist on this model; the rest read as fixed values. */
uint32_t flags_of_model(const struct cpu *c);
/* FLAGS as PUSHF, INT and task switches store them (8086: bits 15-12 set). */
uint32_t flags_image(const struct cpu *c);
/* Replaces the bits of `mask` and recomputes attention. */
void flags_replace(struct cpu *c, uint32_t value, uint32_t mask);

/* #AC for a misaligned access of the program. */
void lin_check_alignment(struct cpu *c, laddr addr, unsigned size);
/* Linear access at a given privilege; raises #PF. */
uint32_t lin_read(struct cpu *c, laddr addr, unsigned size, bool user);
void lin_probe_write(struct cpu *c, laddr addr, unsigned size, bool user);
void lin_write(struct cpu *c, laddr addr, unsigned size, bool user, uint32_t value);
_Noreturn void raise_page_fault(struct cpu *c);

/* control.c: PDPTE registers of a CR3 value (SDM 3A 4.4.1); false: reserved bits. */
bool control_read_pdptes(struct cpu *c, uint32_t cr3, uint64_t out[4]);
/* CR3 as MOV CR3 and task switches load it; false: reserved PDPTE bits, nothing changed. */
bool control_load_cr3(struct cpu *c, uint32_t cr3);

/* gate.c: a jump through a descriptor that names a TSS or task gate. */
void gate_task_jump(struct cpu *c, uint16_t sel, const struct desc *d, enum task_cause cause);

/* cpuid.c */
void cpuid_leaf(const struct cpu *c, uint32_t leaf, uint32_t out[4]);
/* msr.c; false: #GP(0) */
bool msr_read(struct cpu *c, uint32_t index, uint64_t *value);
bool msr_write(struct cpu *c, uint32_t index, uint64_t value);
uint64_t msr_tsc(const struct cpu *c);

#endif
