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
#include <stdlib.h>
#include <string.h>

#include "cpu/desc.h"

enum { FETCH_MAX = 15, WINDOW = 16, MEMO_ENTRIES = 2048 };

/* decode() is a pure function of bytes and mode (for one model), so that its results may be kept
 * without any care for where the bytes are or who changes them. */
struct memo_entry {
    uint64_t bytes[WINDOW / 8], mask[WINDOW / 8]; /* in memory order; the mask covers insn.len bytes */
    uint8_t mode;
    struct insn insn; /* len 0: empty */
};

struct ref_memo {
    struct memo_entry entry[MEMO_ENTRIES];
};

void ref_init(struct cpu *c)
{
    c->memo = calloc(1, sizeof(*c->memo));
}

void ref_free(struct cpu *c)
{
    free(c->memo);
    c->memo = NULL;
}

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

static unsigned decode_mode(const struct cpu *c)
{
    return code32(c) ? DECODE_CODE32 : 0;
}

/* Fetches as many bytes as the instruction needs and decodes them. */
static unsigned fetch_and_decode(struct cpu *c, uint8_t *buf, struct insn *out)
{
    uint32_t eip = (uint32_t)c->st.eip;
    unsigned have = 0, len;
    do {
        uint32_t at = eip + have;
        if (c->model.level <= CPU_186)
            at &= 0xffff;
        have = fetch_more(c, at, buf, have);
        len = decode(buf, have, decode_mode(c), c->model.level, c->model.features, out);
    } while (len == 0);
    return len;
}

static void remember(struct memo_entry *m, const uint8_t *buf, unsigned len, unsigned mode, const struct insn *i)
{
    memset(m, 0, sizeof(*m));
    memcpy(m->bytes, buf, len);
    memset(m->mask, 0xff, len);
    m->mode = (uint8_t)mode;
    m->insn = *i;
}

static bool remembers(const struct memo_entry *m, const uint8_t *bytes, unsigned mode)
{
    uint64_t v[WINDOW / 8];
    memcpy(v, bytes, WINDOW);
    uint64_t diff = ((v[0] ^ m->bytes[0]) & m->mask[0]) | ((v[1] ^ m->bytes[1]) & m->mask[1]);
    return diff == 0 && m->mode == mode && m->insn.len != 0;
}

/* The bytes at CS:EIP in host memory, where WINDOW of them lie within the page of the last fetch and
 * within CS; else NULL. */
static const uint8_t *bytes_in_window(const struct cpu *c)
{
    const struct mmu_window *w = &c->mmu.fetch;
    laddr addr = code_address(c, (uint32_t)c->st.eip);
    uint32_t in_page = (uint32_t)addr & (PHYS_PAGE_SIZE - 1);
    bool valid = w->gen == c->mmu.gen && w->page == addr - in_page && w->user == c->mmu.user;
    if (!valid || in_page > PHYS_PAGE_SIZE - WINDOW || c->st.eip + WINDOW > c->st.seg[SEG_CS].limit)
        return NULL;
    return w->host + in_page;
}

/* The instruction at CS:EIP, from the memo or decoded into `local`. */
static const struct insn *next_insn(struct cpu *c, struct insn *local)
{
    uint8_t buf[FETCH_MAX];
    unsigned mode = decode_mode(c);
    struct memo_entry *m = c->memo ? &c->memo->entry[cpu_pc(c) % MEMO_ENTRIES] : NULL;
    const uint8_t *bytes = m ? bytes_in_window(c) : NULL;
    if (bytes && remembers(m, bytes, mode))
        return &m->insn;
    unsigned len = fetch_and_decode(c, buf, local);
    if (m)
        remember(m, buf, len, mode, local);
    return local;
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
    struct insn local;
    c->insn_eip = c->st.eip;
    const struct insn *i = next_insn(c, &local);
    c->last_op = i->op;
    ref_execute(c, i);
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
