/*
 * The machinery of the fast tier. Private to cpu/fast/.
 *
 * A slot is one decoded instruction: a handler and its operands. A handler does its work and
 * tail-calls the next slot's handler, so that every handler has a dispatch jump of its own. Its
 * rules: no side effect before the last check; where a check fails (TLB miss, device, limit, page
 * crossing) it ends with SLOW, and the reference tier executes that one instruction.
 *
 * What is where while handlers run:
 *   general registers  cpu.st.gpr, always current; slots name them by byte offset from the cpu
 *   FR, FX             the flag words (cpu/flags.h), in arguments
 *   TL                 read map of the current privilege, write map at + MMU_PAGES
 *   REM                instructions left, counted at taken transfers only:
 *                      retired = fast.limit - REM + slot_meta.cnt
 *   EIP                page of fast.cur_lin + slot_meta.off - CS base; never stored
 *
 * Hosts without sure sibling calls (no optimization, sanitizers, s390x) get LOOPCALL from the same
 * source: a handler returns the next slot, and the values above live in memory.
 */
#ifndef CPU_FAST_CORE_H
#define CPU_FAST_CORE_H

#include "cpu/alu.h"
#include "cpu/exec.h"
#include "cpu/fast/fast.h"
#include "machine/compiler.h"
#include "mmu/access.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define FAST_SANITIZED 1
#endif
#endif
/* Where six arguments travel in registers that a sibling call may change (not s390x: r6 is the callee's to keep). */
#if (defined(__x86_64__) && !defined(_WIN32)) || defined(__aarch64__) || \
    (defined(__riscv) && __riscv_xlen == 64)
#define FAST_SIBCALLS 1
#endif
#if defined(RETRACE_LOOPCALL) || !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || \
    defined(__SANITIZE_THREAD__) || defined(FAST_SANITIZED) || !defined(__GNUC__) || !defined(FAST_SIBCALLS)
#define FAST_LOOPCALL 1
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define ASSUME(x) do { if (!(x)) __builtin_unreachable(); } while (0)
#else
#define INLINE static inline
#define ASSUME(x) (void)0
#endif

struct slot;
struct code_page;

#ifdef FAST_LOOPCALL
#if defined(__GNUC__)
#define ARGS __attribute__((unused)) struct cpu *c, struct slot *i
#else
#define ARGS struct cpu *c, struct slot *i
#endif
#define ARGV c, i
#define FR c->fr
#define FX c->fx
#define TL ((const uint64_t *)c->mmu.current)
#define REM c->fast->rem
#define SPILL (void)0
#define FILL (void)0
#define TAIL(function) return function(ARGV)
#define DISPATCH return i
#else
#define ARGS struct cpu *c, struct slot *i, uint64_t fr, uint64_t fx, const uint64_t *tl, int64_t rem
#define ARGV c, i, fr, fx, tl, rem
#define FR fr
#define FX fx
#define TL tl
#define REM rem
#define SPILL (c->fr = fr, c->fx = fx, c->fast->rem = rem)
#define FILL (fr = c->fr, fx = c->fx, tl = c->mmu.current, rem = c->fast->rem)
#if defined(__clang__)
#define TAIL(function) __attribute__((musttail)) return function(ARGV)
#else
#define TAIL(function) return function(ARGV)
#endif
#define DISPATCH TAIL(i->fn)
#endif

typedef struct slot *fast_handler(ARGS);

/* Handlers are called through slots only: gcc must not split or merge them. */
#if defined(__GNUC__) && !defined(__clang__)
#define HANDLER(name) static __attribute__((noipa)) struct slot *name(ARGS)
#else
#define HANDLER(name) static struct slot *name(ARGS)
#endif
/* The barrier keeps the compiler from splitting "add, jump through" into more. */
#if defined(__GNUC__)
#define ADVANCE(n) do { i += (n); __asm__("" : "+r"(i)); } while (0)
#else
#define ADVANCE(n) (i += (n))
#endif
#define NEXT do { ADVANCE(1); DISPATCH; } while (0)
/* Keeps the arguments where they arrived: gcc else moves them aside to make room, and back. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(_WIN32) && !defined(FAST_LOOPCALL)
#define FAST_STAY 1
#define STAY __asm__("" : "+D"(c), "+d"(fr), "+c"(fx))
#else
#define STAY (void)0
#endif
#define SLOW TAIL(fast_slow)
/* For handlers that are made for the usual case only. */
#define GENERAL TAIL(fast_general)

struct slot {
    union {
        fast_handler *fn;
        uint64_t wide; /* slots have one size on all hosts */
    };
    uint8_t d; /* register operand (offset from the cpu; bit 0: the second byte) */
    uint8_t s; /* other register, or base of the memory operand */
    uint8_t x; /* index */
    uint8_t sc; /* scale 0..3; segment number in bits 5-7 */
    uint32_t a; /* displacement, or branch: distance in bytes to the target's slot, or page offset */
    uint32_t b; /* immediate, or branch: instructions to charge; calls: return offset << 16 */
    uint32_t mask; /* of the effective address: FFFF or FFFFFFFF; branches: of EIP */
};

/* Occupies the slot(s) after a transfer that may leave its page: where it went before. */
struct link {
    union {
        struct slot *to;
        uint64_t wide;
    };
    uint64_t key;   /* fast.key of then | linear target */
    int32_t adjust; /* instructions before `to` in its run */
    uint32_t reserved;
};

/* What only the slow paths need of a slot. */
struct slot_meta {
    uint16_t off; /* of the instruction in its page; META_HERE: code at fast.cur_lin */
    uint8_t cnt;  /* instructions before it in its run */
    uint8_t slow; /* times it went slow */
    uint32_t insn; /* its struct insn in fast.insns, 0 = none */
    union {
        fast_handler *general; /* handler of this instruction alone, for all operands */
        uint64_t wide;
    };
};

enum {
    FAST_PAGE = PHYS_PAGE_SIZE,
    META_HERE = 0xffff,
    MAX_RUN = 64,
    SLACK = MAX_RUN + 8, /* a run may pass the end of its budget by this */
    LINKS = 8, /* targets that an indirect jump or call remembers */
    RETURNS = 32,
    CODE_LINES = 1024,
    CONTEXTS = 64,
    PAGE_HASH = 4096,
    BESIDE = 4,
#ifdef STRESS
    POOL_SLOTS = 4096,
    POOL_INSNS = 512,
    MAX_PAGES = 2,
#else
    POOL_SLOTS = 2 << 20,
    POOL_INSNS = 1 << 20,
    MAX_PAGES = 4096,
#endif
};

/* How the code was decoded: address size and whether segmentation can be left out. */
enum fast_mode { MODE_16, MODE_32, MODE_FLAT /* 32 bits; CS DS ES SS with base 0, limit 4G */ };

/* A segment for data accesses; a negative limit: always slow. */
struct fast_seg {
    int64_t read_limit, write_limit;
    uint32_t base, reserved;
};

/* Decoded code of one physical page, valid for one mode and for offsets lo <= off < hi (the part of
 * the page that CS covers). */
struct code_page {
    struct code_page *next; /* same hash, or free */
    struct phys_block *block;
    uint64_t offset; /* of the page in the block */
    uint64_t covered[FAST_PAGE / 64]; /* bit per byte: it belongs to a decoded instruction */
    uint16_t lo, hi;
    uint8_t mode;
    uint32_t slot[FAST_PAGE]; /* pool index of the slot at an offset, 0 = none */
};

/* A page that holds decoded code, for stores to its other bytes. */
struct fast_beside {
    const uint64_t *map; /* of the privilege; NULL: none */
    uint8_t *host;
    uint32_t page; /* linear */
    uint64_t covered[FAST_PAGE / 64]; /* bit per byte: it belongs to a decoded instruction */
};

/* A running environment of links and look-ups: they hold under the same number only. */
struct fast_context {
    uint32_t number; /* 0 = free */
    uint8_t mode, user;
    bool local; /* code was looked up through translations that are not global */
    uint32_t cs_base, cs_limit;
};

struct fast {
    uint64_t key; /* context number << 32 */
    uint32_t cur_lin; /* linear address of the last transfer that may have left its page */
    uint32_t cs_base, cs_limit;
    uint32_t lin_mask; /* FFFFF on the 8086 */
    uint32_t sp_mask;
    uint8_t mode;
    bool stale; /* code or translations were dropped: look up again */
    int64_t rem;    /* REM outside handlers */
    uint64_t limit; /* retired instructions at which REM is 0 */
    uint32_t nreturn;
    struct {
        uint64_t key;
        struct slot *to;
    } returns[RETURNS];
    struct fast_seg seg[6];
    struct {
        uint64_t key; /* fast.key | linear page number */
        struct code_page *page;
    } line[CODE_LINES];
    struct fast_context context[CONTEXTS];
    struct fast_context *current;
    uint32_t last_context;
    uint64_t seen[MMU_PAGES / 64]; /* linear pages that code was looked up in under contexts in use */
    struct slot *pool;
    struct slot_meta *meta;
    uint32_t pool_used;
    struct insn *insns;
    uint32_t insns_used;
    struct code_page *hash[PAGE_HASH];
    struct code_page *free_pages;
    uint32_t npages;
    struct fast_beside beside[BESIDE]; /* by the low bits of the page's number */
    struct {
        struct phys_block *block; /* NULL: none */
        uint64_t page;
    } stored; /* the page with code that was stored to beside it */
    uint32_t epoch; /* counts whole flushes */
    struct sequence_index *sequences;
    struct fast_stats stats;
};

/* --- run.c: out of line ---------------------------------------------------------------------- */
/* Cold: the ways to them are laid out apart from the handlers, which so fill fewer lines of the host's cache. */
COLD struct slot *fast_slow(ARGS);    /* the instruction of slot i by the reference tier */
COLD struct slot *fast_general(ARGS); /* the same by its general handler */
struct slot *fast_rare(ARGS);    /* handler of instructions without one: cached struct insn, ref */
bool fast_make_rare(struct fast *f, struct slot *i, const struct insn *o); /* false: no room */
enum { RARE_PLAIN, RARE_STRING /* repeated */, RARE_SEGMENT /* loads DS ES FS GS */, RARE_OTHER /* leaves the run, or may change modes or segments */ }; /* slot.d */
COLD struct slot *fast_span(ARGS);    /* an instruction that leaves its page or segment part */
COLD struct slot *fast_relink(ARGS);  /* charged transfer of i to cur_lin: find it, fill its link */
COLD struct slot *fast_relink_indirect(ARGS); /* the same with LINKS links */
COLD struct slot *fast_goto(ARGS);    /* charged transfer to cur_lin without a link */
struct slot *fast_here(ARGS);    /* slot: the code is at cur_lin (after a call at a page end) */
COLD struct slot *fast_dead(ARGS);    /* slot: its page was written, look its code up again */
COLD struct slot *fast_expired(ARGS); /* REM < 0 before slot i */
COLD struct slot *fast_resolve(ARGS); /* slot: first use of a branch within a page */
void fast_update_context(struct cpu *c); /* after changes of segments, mode, privilege, TLB */

/* --- code.c ---------------------------------------------------------------------------------- */
struct slot *fast_find(struct cpu *c); /* code at cur_lin; NULL: cannot be cached (fault, device) */
bool fast_decode_at(struct cpu *c, const struct code_page *pg, uint32_t off, struct insn *o);
void fast_drop_all(struct cpu *c);
void fast_translations_dropped(void *cpu, enum mmu_dropped what, laddr page); /* mmu.flushed */
bool fast_ends_run(const struct insn *o); /* nothing is decoded behind it */
struct code_page *fast_page(struct cpu *c); /* of cur_lin; NULL as above */
void fast_bind(struct fast *f, struct slot *branch, const struct slot *to); /* branch within a page */
void fast_code_written(void *cpu, struct phys_block *block, uint64_t offset, uint32_t len);
void fast_keep_beside(struct cpu *c); /* the page of `stored`: its next stores are quick */

/* --- select.c, handler tables ---------------------------------------------------------------- */
/* Fills fn and operands for a non-transfer instruction; false: no handler. */
bool fast_select(const struct cpu *c, const struct insn *o, enum fast_mode mode, struct slot *s);
/* A handler for a repeated string whose slot is made for fast_rare already, or NULL. */
fast_handler *fast_repeated(const struct insn *o, enum fast_mode mode);
/* Indirect JMP and CALL, likewise. */
bool fast_select_indirect(const struct insn *o, enum fast_mode mode, struct slot *s);
/* Handler for two neighbouring instructions in the slot of the first, or NULL. */
fast_handler *fast_fuse(const struct insn *first, const struct insn *second, enum fast_mode mode);

/* The handler made for just these registers, or NULL (special_*.c). */
fast_handler *fast_special(const struct insn *o, enum fast_mode mode);
fast_handler *fast_special_move(const struct insn *o, bool flat_stack, bool flat);
fast_handler *fast_special_narrow(const struct insn *o, bool flat);
/* Does the memory operand need no segmentation? */
bool fast_flat_operand(const struct insn *o, enum fast_mode mode);

/* Operand forms of two-operand instructions; M0 flat [base+disp], M1 flat with index, M2 any. */
enum { F_RR, F_RI, F_RM0, F_RM1, F_RM2, F_MR0, F_MR1, F_MR2, F_MI0, F_MI1, F_MI2, F_COUNT };
extern fast_handler *const fast_alu_table[9][3][F_COUNT]; /* ADD.. TEST; 8, 16, 32 bits */
extern fast_handler *const fast_mov_table[3][F_COUNT];
extern fast_handler *const fast_unary_table[4][3][4]; /* INC DEC NOT NEG; R M0 M1 M2 */
extern fast_handler *const fast_shift_table[8][3][2][4]; /* ROL..SAR; immediate, CL; R M0 M1 M2 */
extern fast_handler *const fast_extend_table[4][2][4]; /* ZX8 ZX16 SX8 SX16; to 16, 32; R M0.. */
extern fast_handler *const fast_lea_table[2][3]; /* to 16, 32 */
extern fast_handler *const fast_xchg_table[3][4];
extern fast_handler *const fast_xadd_table[3], *const fast_cmpxchg_table[3]; /* 32 bits; M0 M1 M2 */
extern fast_handler *const fast_cmpxchg8b_table[3];
extern fast_handler *const fast_cmov_table[2][4];
extern fast_handler *const fast_setcc_table[4];
extern fast_handler *const fast_imul2_table[2][4];
extern fast_handler *const fast_imul3_table[2][4];
extern fast_handler *const fast_multiply_table[4][3][4]; /* MUL IMUL1 DIV IDIV */
extern fast_handler *const fast_double_shift_table[2][2][2]; /* SHLD SHRD; 16, 32; imm, CL */
extern fast_handler *const fast_bit_table[4][2][2][4]; /* BT..BTC; 16, 32; register, imm; R M0.. */
extern fast_handler *const fast_scan_table[2][2][4]; /* BSF BSR */
enum { P_PUSH_R, P_PUSH_I, P_PUSH_M0, P_PUSH_M1, P_PUSH_M2, P_POP_R, P_LEAVE, P_COUNT };
extern fast_handler *const fast_stack_table[2][P_COUNT]; /* flat, any */
enum { S_NOP, S_CBW, S_CWDE, S_CWD, S_CDQ, S_CLC, S_STC, S_CMC, S_CLD, S_STD, S_LAHF, S_SAHF, S_BSWAP,
       S_ZERO, S_PUSHF_FLAT, S_PUSHSEG_FLAT, S_CLI, S_STI, S_COUNT };
extern fast_handler *const fast_simple_table[S_COUNT];
extern fast_handler *const fast_string_table[5][3][2]; /* MOVS CMPS STOS LODS SCAS; 8, 16, 32; flat, any */
extern fast_handler *const fast_repeat_table[2][3]; /* REP MOVS, STOS; 8, 16, 32; flat; else they leave it to fast_rare */

/* Transfers: flat, any */
extern fast_handler *const fast_jcc_table[16];
enum { J_JMP, /* within the page */ J_FAR_FLAT, J_FAR_ANY, /* to another page */
       J_CALL_FLAT, J_CALL_ANY, J_CALL_FAR_FLAT, J_CALL_FAR_ANY, J_RET_FLAT, J_RET_ANY,
       J_LOOP, J_LOOPZ, J_LOOPNZ, J_JCXZ, J_COUNT };
extern fast_handler *const fast_jump_table[J_COUNT];
extern fast_handler *const fast_indirect_table[2][2][4]; /* JMP CALL; flat, any; R M0 M1 M2 */

/* --- registers by offset --------------------------------------------------------------------- */
#define REG_AT(off) (*(uint64_t *)(void *)((char *)c + (off)))

/* How registers are read and written decides on the speed of chains of instructions: hosts rename a
 * value in memory that is loaded by a plain move (1 cycle from the store to its use on Zen 4), but not one
 * that is an operand of arithmetic or is extended while it is loaded (12 to 27 cycles); and a load wider
 * than the store before it waits for the cache (20 cycles). So reads are moves of 32 bits, writes are whole.
 * OPAQUE keeps the compiler from making anything else of them. */
#if defined(__GNUC__)
#define OPAQUE(v) __asm__("" : "+r"(v))
#else
#define OPAQUE(v) (void)0
#endif
INLINE uint32_t reg32(struct cpu *c, unsigned off)
{
    uint32_t v = (uint32_t)REG_AT(off);
    OPAQUE(v);
    return v;
}
INLINE uint32_t reg16(struct cpu *c, unsigned off) { return (uint16_t)reg32(c, off); }
INLINE uint32_t reg8(struct cpu *c, unsigned off) { return (uint8_t)(reg32(c, off & 0xf8) >> ((off & 1) * 8)); }

INLINE void set32(struct cpu *c, unsigned off, uint32_t v) { REG_AT(off) = v; }
INLINE void set_part(struct cpu *c, unsigned off, uint64_t mask, uint64_t v)
{
    uint64_t old = REG_AT(off);
    OPAQUE(old);
    REG_AT(off) = (old & ~mask) | v;
}
INLINE void set16(struct cpu *c, unsigned off, uint32_t v) { set_part(c, off, 0xffff, (uint16_t)v); }
INLINE void set8(struct cpu *c, unsigned off, uint32_t v)
{
    unsigned shift = (off & 1) * 8;
    set_part(c, off & 0xf8, (uint64_t)0xff << shift, (uint64_t)(uint8_t)v << shift);
}

INLINE uint32_t load8(const uint8_t *p) { return *p; }
INLINE uint32_t load16(const uint8_t *p) { return load_le16(p); }
INLINE uint32_t load32(const uint8_t *p)
{
    uint32_t v = load_le32(p);
    OPAQUE(v); /* a plain move, as with registers: variables on the stack */
    return v;
}
INLINE void store8(uint8_t *p, uint32_t v) { *p = (uint8_t)v; }
INLINE void store16(uint8_t *p, uint32_t v) { store_le16(p, (uint16_t)v); }
INLINE void store32(uint8_t *p, uint32_t v) { store_le32(p, v); }

/* --- memory operands ------------------------------------------------------------------------- */
INLINE bool crosses_page(uint32_t l, unsigned size)
{
    if (size <= 4 && LIKELY(!(l & (size - 1)))) /* most are aligned, which is the shorter test */
        return false;
    return (l & (FAST_PAGE - 1)) > FAST_PAGE - size;
}

INLINE bool fast_host(const uint64_t *map, uint32_t l, unsigned size, uint8_t **p)
{
    uint64_t entry = map[l >> PHYS_PAGE_SHIFT];
    if (UNLIKELY(!(entry & MMU_VALID)) || UNLIKELY(crosses_page(l, size)))
        return false;
    *p = mmu_entry_host(entry, l);
    return true;
}

/* Stores find no entry for a page with code; those that do not change any need not go slow for it. */
INLINE bool fast_host_beside(const struct cpu *c, const uint64_t *tl, uint32_t l, unsigned size, uint8_t **p)
{
    const struct fast_beside *b = &c->fast->beside[l >> PHYS_PAGE_SHIFT & (BESIDE - 1)];
    uint32_t off = l & (FAST_PAGE - 1);
    if (b->map != tl || b->page != l - off || (off & 63) + size > 64 ||
        (b->covered[off >> 6] >> (off & 63) & ((1ull << size) - 1)))
        return false;
    *p = b->host + off;
    return true;
}

INLINE bool fast_host_write(const struct cpu *c, const uint64_t *tl, uint32_t l, unsigned size, uint8_t **p)
{
    return LIKELY(fast_host(tl + MMU_PAGES, l, size, p)) || fast_host_beside(c, tl, l, size, p);
}

INLINE uint32_t fast_ea0(struct cpu *c, const struct slot *i) { return reg32(c, i->s) + i->a; }
INLINE uint32_t fast_ea1(struct cpu *c, const struct slot *i)
{
    return reg32(c, i->s) + (reg32(c, i->x) << (i->sc & 31)) + i->a;
}
INLINE uint32_t fast_ea2(struct cpu *c, const struct slot *i) { return fast_ea1(c, i) & i->mask; }

INLINE bool fast_segment(struct cpu *c, const uint64_t *tl, unsigned seg, uint32_t ea, unsigned size,
                         bool write, uint8_t **p)
{
    const struct fast *f = c->fast;
    const struct fast_seg *g = &f->seg[seg];
    if (UNLIKELY((int64_t)ea + (size - 1) > (write ? g->write_limit : g->read_limit)))
        return false;
    uint32_t l = (ea + g->base) & f->lin_mask;
    return write ? fast_host_write(c, tl, l, size, p) : fast_host(tl, l, size, p);
}

INLINE bool fast_read_0(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, uint8_t **p)
{
    return fast_host(tl, fast_ea0(c, i), size, p);
}
INLINE bool fast_read_1(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, uint8_t **p)
{
    return fast_host(tl, fast_ea1(c, i), size, p);
}
INLINE bool fast_read_2(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, uint8_t **p)
{
    return fast_segment(c, tl, i->sc >> 5, fast_ea2(c, i), size, false, p);
}
INLINE bool fast_write_0(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, uint8_t **p)
{
    return fast_host_write(c, tl, fast_ea0(c, i), size, p);
}
INLINE bool fast_write_1(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, uint8_t **p)
{
    return fast_host_write(c, tl, fast_ea1(c, i), size, p);
}
INLINE bool fast_write_2(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, uint8_t **p)
{
    return fast_segment(c, tl, i->sc >> 5, fast_ea2(c, i), size, true, p);
}

/* Declares `p`, the host address of the memory operand of address kind K, or goes slow. */
#define SOURCE(K, SIZE) \
    uint8_t *p; \
    STAY; \
    if (UNLIKELY(!fast_read_##K(c, i, TL, (SIZE), &p))) SLOW; \
    STAY
#define TARGET(K, SIZE) \
    uint8_t *p; \
    STAY; \
    if (UNLIKELY(!fast_write_##K(c, i, TL, (SIZE), &p))) SLOW; \
    STAY

#define BYTES_8 1
#define BYTES_16 2
#define BYTES_32 4

/* Register slots with fixed numbers. */
#define GPR_OFFSET(reg) ((unsigned)(offsetof(struct cpu, st.gpr) + 8u * (reg)))
#define GPR(reg) (c->st.gpr[reg]) /* to write; to read: */
#define REG32(reg) reg32(c, GPR_OFFSET(reg))

/* --- transfers ------------------------------------------------------------------------------- */
#define PAGE_BASE (c->fast->cur_lin & ~(uint32_t)(FAST_PAGE - 1))

INLINE struct link *link_of(struct slot *i) { return (struct link *)(void *)(i + 1); }

INLINE struct link *link_find(struct link *l, uint64_t key)
{
    for (unsigned k = 0; k < LINKS; k++, l++)
        if (l->key == key)
            return l;
    return NULL;
}

/* To the slot i (REM charged already). */
#define ENTER \
    do { \
        if (UNLIKELY(REM < 0)) \
            TAIL(fast_expired); \
        DISPATCH; \
    } while (0)

/* Within the page: distance in i->a. */
#define JUMP_NEAR(charge) \
    do { \
        REM -= (charge); \
        i = (struct slot *)(void *)((char *)i + (int32_t)i->a); \
        ENTER; \
    } while (0)

/* To linear address `target`, remembered in the one link of slot i. */
#define JUMP_LINKED(target, charge) \
    do { \
        struct fast *f_ = c->fast; \
        uint32_t t_ = (target); \
        REM -= (charge); \
        f_->cur_lin = t_; \
        struct link *l_ = link_of(i); \
        if (UNLIKELY(l_->key != (f_->key | t_))) \
            TAIL(fast_relink); \
        REM += l_->adjust; \
        i = l_->to; \
        ENTER; \
    } while (0)

/* The same with LINKS links. */
#define JUMP_INDIRECT(target, charge) \
    do { \
        struct fast *f_ = c->fast; \
        uint32_t t_ = (target); \
        REM -= (charge); \
        f_->cur_lin = t_; \
        struct link *l_ = link_find(link_of(i), f_->key | t_); \
        if (UNLIKELY(!l_)) \
            TAIL(fast_relink_indirect); \
        REM += l_->adjust; \
        i = l_->to; \
        ENTER; \
    } while (0)

INLINE void return_push(struct fast *f, uint32_t lin, struct slot *to)
{
    uint32_t n = (f->nreturn + 1) % RETURNS;
    f->nreturn = n;
    f->returns[n].key = f->key | lin;
    f->returns[n].to = to;
}

/* CALL pushes; `next` is the slot behind it. Near the charge is signed: the target may lie within a run. */
#define CALL_CHARGE (int16_t)i->b
#define PUSH_RETURN_AT(top, esp, next) \
    do { \
        uint32_t return_ = PAGE_BASE + (i->b >> 16); \
        store32((top), return_); \
        GPR(REG_ESP) = (esp); \
        return_push(c->fast, return_, (next)); \
    } while (0)
#define PUSH_RETURN_FLAT(next) \
    uint32_t esp_ = REG32(REG_ESP) - 4; \
    uint8_t *top_; \
    if (UNLIKELY(!fast_host(TL + MMU_PAGES, esp_, 4, &top_))) \
        SLOW; \
    PUSH_RETURN_AT(top_, esp_, next)

/* To `target` by the return stack. */
#define JUMP_RETURN(target, charge) \
    do { \
        struct fast *f_ = c->fast; \
        uint32_t t_ = (target), n_ = f_->nreturn; \
        REM -= (charge); \
        f_->cur_lin = t_; \
        f_->nreturn = (n_ - 1) % RETURNS; \
        if (UNLIKELY(f_->returns[n_].key != (f_->key | t_))) \
            TAIL(fast_goto); \
        i = f_->returns[n_].to; \
        ENTER; \
    } while (0)

#endif
