/*
 * The reference tier: fetch, decode, dispatch. It executes every instruction in every mode by calling
 * one short function per op (ops_*.c); nothing in it is traded for speed. The fast tier falls back to
 * ref_execute for whatever is rare.
 *
 * Bytes come through CS with its limit (#GP(0) beyond) and the MMU, first up to the end of the page;
 * the next page is touched only if the instruction needs it. The 8086's IP wraps within CS.
 *
 * NOT MODELLED: the prefetch queue (stores to the bytes just ahead are seen at once).
 */
#include "cpu/desc.h"

enum { FETCH_MAX = 15 };

op_fn *const op_table[OP_COUNT] = {
#define INSN_OP(name, handler) handler,
#include "cpu/ops.def"
#undef INSN_OP
};

/* Bytes left in CS at `eip`, at most FETCH_MAX; 0: beyond the limit. */
static unsigned bytes_to_limit(const struct cpu *c, uint32_t eip)
{
    uint32_t limit = c->st.seg[SEG_CS].limit;
    if (c->model.level <= CPU_186)
        limit = 0xffff;
    if (eip > limit)
        return 0;
    return limit - eip < FETCH_MAX - 1 ? limit - eip + 1 : FETCH_MAX;
}

static laddr code_address(const struct cpu *c, uint32_t eip)
{
    laddr addr = (uint32_t)(c->st.seg[SEG_CS].base + eip);
    return c->model.level <= CPU_186 ? addr & 0xfffff : addr;
}

/* Appends bytes from `eip` on to the `have` ones in `buf`; at most to the end of a page. */
static unsigned fetch_more(struct cpu *c, uint32_t eip, uint8_t *buf, unsigned have)
{
    unsigned max = bytes_to_limit(c, eip);
    if (max == 0)
        raise_gp(c, 0);
    if (max > FETCH_MAX - have)
        max = FETCH_MAX - have;
    unsigned n = mmu_fetch(&c->mmu, code_address(c, eip), buf + have, max, c->mmu.user);
    if (n == 0)
        raise_page_fault(c);
    return have + n;
}

static void fetch_and_decode(struct cpu *c, struct insn *out)
{
    uint8_t buf[FETCH_MAX];
    uint32_t eip = (uint32_t)c->st.eip;
    unsigned mode = code32(c) ? DECODE_CODE32 : 0, have = 0;
    do {
        uint32_t at = eip + have;
        if (c->model.level <= CPU_186)
            at &= 0xffff;
        have = fetch_more(c, at, buf, have);
    } while (decode(buf, have, mode, c->model.level, c->model.features, out) == 0);
}

/* On the 286 LOCK is IOPL-sensitive (80286PRM B, LOCK). */
static void check_lock(struct cpu *c)
{
    if (c->model.level == CPU_286 && in_protected(c) && c->st.cpl > cpu_iopl(c))
        raise_gp(c, 0);
}

void ref_execute(struct cpu *c, const struct insn *i)
{
    uint32_t next = (uint32_t)c->insn_eip + i->len;
    if (c->model.level <= CPU_286)
        next &= 0xffff;
    c->st.eip = next;
    if (UNLIKELY(i->flags & INSN_LOCK))
        check_lock(c);
    op_table[i->op](c, i);
    if (UNLIKELY(c->st.halted))
        c->attn |= ATTN_HALT;
}

void ref_execute_one(struct cpu *c)
{
    struct insn i;
    c->insn_eip = c->st.eip;
    fetch_and_decode(c, &i);
    c->last_op = i.op;
    ref_execute(c, &i);
}

/* Undefined opcodes; the 8086 has no #UD and goes on. */
void op_ud(struct cpu *c, const struct insn *i)
{
    (void)i;
    if (c->model.level > CPU_8086)
        raise_ud(c);
}

/* Over 15 bytes, on the 286 over 10 (SDM 3A 6.15, #GP). */
void op_too_long(struct cpu *c, const struct insn *i)
{
    (void)i;
    raise_gp(c, 0);
}

void op_nop(struct cpu *c, const struct insn *i)
{
    (void)c;
    (void)i;
}

/* The doors to the x87, MMX and SSE units */

/* ESC -- D8-DF. */
void op_esc(struct cpu *c, const struct insn *i) { fpu_esc(c, i); }
/* WAIT -- 9B. */
void op_wait(struct cpu *c, const struct insn *i) { (void)i; fpu_wait(c); }
/* MMX instructions, EMMS. */
void op_mmx(struct cpu *c, const struct insn *i) { mmx_op(c, i); }
/* FXSAVE -- 0F AE /0; FXRSTOR -- 0F AE /1. */
void op_fxsave(struct cpu *c, const struct insn *i) { fpu_fxsave(c, i); }
void op_fxrstor(struct cpu *c, const struct insn *i) { fpu_fxrstor(c, i); }

/* No model announces SSE yet, so that these never decode. */
void op_sse(struct cpu *c, const struct insn *i) { (void)i; raise_ud(c); }
void op_ldmxcsr(struct cpu *c, const struct insn *i) { (void)i; raise_ud(c); }
void op_stmxcsr(struct cpu *c, const struct insn *i) { (void)i; raise_ud(c); }
