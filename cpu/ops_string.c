/*
 * MOVS, CMPS, STOS, LODS, SCAS and their repetition (SDM 2A, 2B). See ops_string.h for what one retired
 * instruction of a repeated string is. Within a chunk plain memory is moved through host pointers,
 * with the same result as element by element, overlaps included.
 */
#include "cpu/desc.h"
#include "cpu/operand.h"
#include "cpu/ops_string.h"
#include "mmu/access.h"

enum { PAGE = PHYS_PAGE_SIZE };

/* Operand access with the 286's overrun rule; `reg` has been moved when it faults. */

static uint32_t source(struct cpu *c, const struct insn *i)
{
    if (UNLIKELY(string_overruns(c, i, REG_ESI))) {
        string_advance(c, i, REG_ESI, 1);
        string_overrun(c, i, 1);
    }
    return (uint32_t)mem_read(c, i->seg, string_index(c, i, REG_ESI), i->size);
}

static uint32_t destination(struct cpu *c, const struct insn *i)
{
    if (UNLIKELY(string_overruns(c, i, REG_EDI))) {
        string_advance(c, i, REG_EDI, 1);
        string_overrun(c, i, 1);
    }
    return (uint32_t)mem_read(c, SEG_ES, string_index(c, i, REG_EDI), i->size);
}

/* One element of each */

static void movs_element(struct cpu *c, const struct insn *i)
{
    uint32_t v = source(c, i);
    if (UNLIKELY(string_overruns(c, i, REG_EDI))) {
        string_advance(c, i, REG_ESI, 1);
        string_advance(c, i, REG_EDI, 1);
        string_overrun(c, i, 2);
    }
    mem_write(c, SEG_ES, string_index(c, i, REG_EDI), i->size, v);
    string_advance(c, i, REG_ESI, 1);
    string_advance(c, i, REG_EDI, 1);
}

static void stos_element(struct cpu *c, const struct insn *i)
{
    if (UNLIKELY(string_overruns(c, i, REG_EDI))) {
        string_advance(c, i, REG_EDI, 1);
        string_overrun(c, i, 2);
    }
    mem_write(c, SEG_ES, string_index(c, i, REG_EDI), i->size, reg_read(c, REG_EAX, i->size));
    string_advance(c, i, REG_EDI, 1);
}

static void lods_element(struct cpu *c, const struct insn *i)
{
    reg_write(c, REG_EAX, i->size, source(c, i));
    string_advance(c, i, REG_ESI, 1);
}

/* The order shows where both operands fault, and no manual gives it. The 8086 reads DS:SI first, the 286 ES:DI
 * (captured); Zen 4 as the 286, but REPE CMPSB, which it does in another way, as the 8086 (docs/SILICON.md). */
static bool reads_destination_first(const struct cpu *c, const struct insn *i)
{
    bool repe_cmpsb = i->rep == REP_Z && i->size == 1;
    return c->model.level == CPU_286 || (c->model.level > CPU_286 && !repe_cmpsb);
}

static void cmps_element(struct cpu *c, const struct insn *i)
{
    uint32_t a, b;
    if (reads_destination_first(c, i)) {
        b = destination(c, i);
        if (string_overruns(c, i, REG_ESI))
            string_advance(c, i, REG_EDI, 1);
        a = source(c, i);
    } else {
        a = source(c, i);
        b = destination(c, i);
    }
    alu_sub(i->size, a, b, &c->fr, &c->fx);
    string_advance(c, i, REG_ESI, 1);
    string_advance(c, i, REG_EDI, 1);
}

static void scas_element(struct cpu *c, const struct insn *i)
{
    uint32_t b = destination(c, i);
    alu_sub(i->size, reg_read(c, REG_EAX, i->size), b, &c->fr, &c->fx);
    string_advance(c, i, REG_EDI, 1);
}

/* Chunks */

static bool goes_down(const struct cpu *c)
{
    return (c->st.eflags & FLAG_DF) != 0;
}

/* Elements that start before the operand leaves its page or its index wraps; at least one. A 32-bit
 * index reaches 2^32 bytes at most: their number needs more than 32 bits. */
static uint32_t reach(const struct cpu *c, const struct insn *i, unsigned seg, unsigned reg)
{
    uint32_t index = string_index(c, i, reg);
    uint32_t in_page = (uint32_t)(c->st.seg[seg].base + index) & (PAGE - 1);
    uint32_t page;
    uint64_t wrap;
    if (goes_down(c)) {
        page = in_page / i->size + 1;
        wrap = (uint64_t)index / i->size + 1;
    } else {
        page = (PAGE - in_page + i->size - 1) / i->size;
        wrap = ((uint64_t)address_mask(i) - index) / i->size + 1;
    }
    return page < wrap ? page : (uint32_t)wrap;
}

enum { USES_SI = 1, USES_DI = 2 };

static uint32_t chunk_length(const struct cpu *c, const struct insn *i, unsigned uses)
{
    uint32_t n = string_count(c, i);
    if ((c->st.eflags & FLAG_TF) || debug_armed(c))
        return 1;
    if (uses & USES_SI) {
        uint32_t r = reach(c, i, i->seg, REG_ESI);
        n = r < n ? r : n;
    }
    if (uses & USES_DI) {
        uint32_t r = reach(c, i, SEG_ES, REG_EDI);
        n = r < n ? r : n;
    }
    return n;
}

/* Host memory of `n` elements that lie within one page and one segment, NULL if there is none: then
 * the elements are done one by one, and raise what is to be raised. */
static uint8_t *host_range(struct cpu *c, const struct insn *i, unsigned seg, unsigned reg, uint32_t n, bool write)
{
    const struct cpu_seg *s = &c->st.seg[seg];
    uint32_t bytes = n * i->size, low = string_index(c, i, reg);
    if (goes_down(c))
        low -= bytes - i->size;
    laddr addr = (uint32_t)(s->base + low);
    uint16_t need = SEG_ATTR_P | (write ? SEG_ATTR_WRITABLE : 0);
    bool plain = (s->attr & (need | SEG_ATTR_CODE)) == need && seg_limit_ok(s, low, bytes) &&
                 (addr & (PAGE - 1)) + bytes <= PAGE;
    if (!plain || c->model.level <= CPU_186 || (c->st.eflags & FLAG_AC))
        return NULL;
    const uint64_t *entry = &c->mmu.current[(write ? MMU_PAGES : 0) + (addr >> PHYS_PAGE_SHIFT)];
    if (!(*entry & MMU_VALID) && !mmu_fill(&c->mmu, addr, write ? MMU_WRITE : MMU_READ, c->mmu.user))
        return NULL;
    return (*entry & MMU_VALID) ? mmu_entry_host(*entry, addr) : NULL;
}

/* Copies n elements in the order of DF. `from` and `to` are the lowest addresses. */
static void copy_elements(uint8_t *to, const uint8_t *from, uint32_t n, unsigned size, bool down)
{
    uint32_t bytes = n * size;
    if (to + bytes <= from || from + bytes <= to) {
        memcpy(to, from, bytes);
        return;
    }
    for (uint32_t k = 0; k < n; k++) {
        uint32_t at = (down ? n - 1 - k : k) * size;
        store_le(to + at, size, load_le(from + at, size));
    }
}

static bool movs_bulk(struct cpu *c, const struct insn *i, uint32_t n)
{
    const uint8_t *from = host_range(c, i, i->seg, REG_ESI, n, false);
    uint8_t *to = from ? host_range(c, i, SEG_ES, REG_EDI, n, true) : NULL;
    if (!to)
        return false;
    copy_elements(to, from, n, i->size, goes_down(c));
    string_advance(c, i, REG_ESI, n);
    string_advance(c, i, REG_EDI, n);
    return true;
}

static bool stos_bulk(struct cpu *c, const struct insn *i, uint32_t n)
{
    uint8_t *to = host_range(c, i, SEG_ES, REG_EDI, n, true);
    if (!to)
        return false;
    uint32_t v = reg_read(c, REG_EAX, i->size);
    for (uint32_t k = 0; k < n; k++)
        store_le(to + k * i->size, i->size, v);
    string_advance(c, i, REG_EDI, n);
    return true;
}

/* Element `k` of `n` in the order of DF; `low` is the lowest address. */
static uint32_t element_at(const uint8_t *low, uint32_t k, uint32_t n, unsigned size, bool down)
{
    return (uint32_t)load_le(low + (down ? n - 1 - k : k) * size, size);
}

/* Returns how many of `n` elements were compared, up to the one that ends the repetition; 0: none can be. */
static uint32_t cmps_bulk(struct cpu *c, const struct insn *i, uint32_t n)
{
    const uint8_t *from, *to;
    uint32_t a = 0, b = 0, k = 0;
    bool down = goes_down(c), go_on = i->rep == REP_Z;
    if (reads_destination_first(c, i)) {
        to = host_range(c, i, SEG_ES, REG_EDI, n, false);
        from = to ? host_range(c, i, i->seg, REG_ESI, n, false) : NULL;
    } else {
        from = host_range(c, i, i->seg, REG_ESI, n, false);
        to = from ? host_range(c, i, SEG_ES, REG_EDI, n, false) : NULL;
    }
    if (!from || !to)
        return 0;
    do {
        a = element_at(from, k, n, i->size, down);
        b = element_at(to, k, n, i->size, down);
    } while (++k < n && (a == b) == go_on);
    alu_sub(i->size, a, b, &c->fr, &c->fx);
    string_advance(c, i, REG_ESI, k);
    string_advance(c, i, REG_EDI, k);
    return k;
}

static uint32_t scas_bulk(struct cpu *c, const struct insn *i, uint32_t n)
{
    const uint8_t *to = host_range(c, i, SEG_ES, REG_EDI, n, false);
    uint32_t a = reg_read(c, REG_EAX, i->size), b = 0, k = 0;
    bool down = goes_down(c), go_on = i->rep == REP_Z;
    if (!to)
        return 0;
    do {
        b = element_at(to, k, n, i->size, down);
    } while (++k < n && (a == b) == go_on);
    alu_sub(i->size, a, b, &c->fr, &c->fx);
    string_advance(c, i, REG_EDI, k);
    return k;
}

typedef bool bulk_fn(struct cpu *c, const struct insn *i, uint32_t n);
typedef uint32_t bulk_while_fn(struct cpu *c, const struct insn *i, uint32_t n);

/* MOVS, STOS, LODS: a chunk's elements, as many as possible at once. */
static void repeat(struct cpu *c, const struct insn *i, unsigned uses, string_fn *element, bulk_fn *bulk)
{
    if (!i->rep) {
        element(c, i);
        return;
    }
    if (string_count(c, i) == 0)
        return;
    uint32_t n = chunk_length(c, i, uses);
    if (bulk && n > 1 && bulk(c, i, n)) {
        string_count_down(c, i, n);
    } else {
        for (; n > 0; n--) {
            element(c, i);
            string_count_down(c, i, 1);
        }
    }
    if (string_count(c, i) != 0)
        string_again(c);
}

/* CMPS, SCAS: until the count ends or ZF differs from what REPE or REPNE asks for. */
static void repeat_while(struct cpu *c, const struct insn *i, unsigned uses, string_fn *element,
                         bulk_while_fn *bulk)
{
    if (!i->rep) {
        element(c, i);
        return;
    }
    if (string_count(c, i) == 0)
        return;
    bool more = true;
    uint32_t n = chunk_length(c, i, uses), done = n > 1 ? bulk(c, i, n) : 0;
    if (done) {
        string_count_down(c, i, done);
        more = (fl_zf(c->fr) != 0) == (i->rep == REP_Z);
        n = 0;
    }
    for (; n > 0 && more; n--) {
        element(c, i);
        string_count_down(c, i, 1);
        more = (fl_zf(c->fr) != 0) == (i->rep == REP_Z);
    }
    if (more && string_count(c, i) != 0)
        string_again(c);
}

/* MOVS -- A4, A5. */
void op_movs(struct cpu *c, const struct insn *i) { repeat(c, i, USES_SI | USES_DI, movs_element, movs_bulk); }
/* STOS -- AA, AB. */
void op_stos(struct cpu *c, const struct insn *i) { repeat(c, i, USES_DI, stos_element, stos_bulk); }
/* LODS -- AC, AD. */
void op_lods(struct cpu *c, const struct insn *i) { repeat(c, i, USES_SI, lods_element, NULL); }
/* CMPS -- A6, A7. */
void op_cmps(struct cpu *c, const struct insn *i) { repeat_while(c, i, USES_SI | USES_DI, cmps_element, cmps_bulk); }
/* SCAS -- AE, AF. */
void op_scas(struct cpu *c, const struct insn *i) { repeat_while(c, i, USES_DI, scas_element, scas_bulk); }
