/*
 * The TLB as flat maps (INTERPRETER.md 4.3): for each privilege and for reads and writes one entry
 * per linear page, so that a hit is one load and one test. Logs of the filled entries make a flush
 * cost what was filled. Only plain memory gets an entry: RAM and ROM for reads, RAM that holds no
 * decoded code for writes. Everything else takes the slow way here: phys_read/phys_write after a walk,
 * which the last few such pages are spared (code beside data, the screen).
 *
 * Reference: SDM 3A 4.10 (caching translation information), 4.10.4.1 (what invalidates).
 */
#include <stdlib.h>

#include "mmu/access.h"
#include "mmu/walk.h"

#define PAGE_MASK 0xfffu
#define CR4_PGE_BIT (1u << 7)

#ifdef STRESS
enum { LOG_ENTRIES = 2, KEEP_SLOW = 0 };
#else
enum { LOG_ENTRIES = 1 << 18 /* reads and writes of 512 MiB */, KEEP_SLOW = 1 };
#endif

static void phys_changed(void *arg)
{
    mmu_flush(arg, false);
}

enum emu_err mmu_init(struct mmu *m, struct phys *phys, struct error *err)
{
    *m = (struct mmu){.phys = phys, .gen = 1};
    m->map = calloc((size_t)4 * MMU_PAGES, sizeof(*m->map));
    m->log[0] = calloc(LOG_ENTRIES, sizeof(*m->log[0]));
    m->log[1] = calloc(LOG_ENTRIES, sizeof(*m->log[1]));
    if (!m->map || !m->log[0] || !m->log[1]) {
        mmu_free(m);
        return error_set(err, EMU_NOMEM, "not enough memory for the TLB's maps (32 MiB of addresses)");
    }
    m->current = m->map;
    phys->changed = phys_changed;
    phys->changed_arg = m;
    return EMU_OK;
}

void mmu_free(struct mmu *m)
{
    if (m->phys && m->phys->changed_arg == m)
        m->phys->changed = NULL;
    free(m->map);
    free(m->log[0]);
    free(m->log[1]);
    *m = (struct mmu){0};
}

/* Index into `map`: privilege, then read or write, then page. */
static uint32_t entry_index(laddr addr, bool write, bool user)
{
    return (user ? 2u : 0u) << 20 | (write ? 1u : 0u) << 20 | (uint32_t)(addr >> PHYS_PAGE_SHIFT & 0xfffff);
}

static void clear_log(struct mmu *m, unsigned which)
{
    for (uint32_t i = 0; i < m->nlog[which]; i++)
        m->map[m->log[which][i]] = 0;
    m->nlog[which] = 0;
}

/* Forgets entries without any change of meaning (capacity). */
static void make_room(struct mmu *m)
{
    clear_log(m, 0);
    clear_log(m, 1);
    memset(m->large, 0, sizeof(m->large));
}

static void removed(struct mmu *m, enum mmu_dropped what, laddr page)
{
    m->gen++;
    if (m->flushed)
        m->flushed(m->flushed_arg, what, page);
}

void mmu_flush(struct mmu *m, bool keep_global)
{
    bool all = !keep_global || !(m->ctl.cr4 & CR4_PGE_BIT);
    clear_log(m, 0);
    if (all) {
        clear_log(m, 1);
        memset(m->large, 0, sizeof(m->large));
    }
    removed(m, all ? MMU_DROPPED_ALL : MMU_DROPPED_LOCAL, 0);
}

void mmu_set_controls(struct mmu *m, const struct mmu_controls *ctl, bool keep_global)
{
    m->ctl = *ctl;
    mmu_flush(m, keep_global);
}

void mmu_set_user(struct mmu *m, bool user)
{
    m->user = user;
    m->current = m->map + (user ? 2 * (size_t)MMU_PAGES : 0);
}

static void clear_range(struct mmu *m, uint32_t first_page, uint32_t pages)
{
    for (uint32_t map = 0; map < 4; map++)
        for (uint32_t i = first_page; i < first_page + pages; i++)
            if (m->map[map << 20 | i])
                m->map[map << 20 | i] = 0;
}

/* Drops the whole page that holds `addr`, also where it is 2M or 4M (SDM 3A 4.10.4.1). */
void mmu_invlpg(struct mmu *m, laddr addr)
{
    uint32_t page = (uint32_t)addr >> PHYS_PAGE_SHIFT, big = (uint32_t)addr >> 22;
    uint32_t bit = 1u << (big & 31);
    if (m->large[big >> 5] & bit) {
        m->large[big >> 5] &= ~bit;
        clear_range(m, big << 10, 1 << 10);
        removed(m, MMU_DROPPED_ALL, 0);
        return;
    }
    clear_range(m, page, 1);
    removed(m, MMU_DROPPED_PAGE, (laddr)page << PHYS_PAGE_SHIFT);
}

static void set_entry(struct mmu *m, uint32_t index, const uint8_t *host, laddr page,
                      const struct mmu_page *p)
{
    uint64_t entry = ((uint64_t)(uintptr_t)host - page) | MMU_VALID;
    if (m->map[index] == entry)
        return;
    unsigned which = p->global ? 1 : 0;
#ifdef STRESS
    if (m->nlog[0] + m->nlog[1] == LOG_ENTRIES)
        make_room(m);
#endif
    if (m->nlog[which] == LOG_ENTRIES)
        make_room(m);
    m->log[which][m->nlog[which]++] = index;
    m->map[index] = entry;
    if (p->large)
        m->large[page >> 27] |= 1u << (page >> 22 & 31);
}

/* A page without an entry. One with code is looked at again each time: without it, it gets an entry. */
static void set_slow(struct mmu *m, laddr page, bool write, bool user, paddr addr, const uint8_t *flags)
{
    if (KEEP_SLOW)
        m->slow[write][page >> PHYS_PAGE_SHIFT & (MMU_SLOW_PAGES - 1)] =
            (struct mmu_slow_page){page, addr, flags, m->gen, user};
}

static const struct mmu_slow_page *find_slow(const struct mmu *m, laddr page, bool write, bool user)
{
    const struct mmu_slow_page *s =
        &m->slow[write][page >> PHYS_PAGE_SHIFT & (MMU_SLOW_PAGES - 1)];
    if (s->gen != m->gen || s->page != page || s->user != user)
        return NULL;
    return !s->flags || (*s->flags & PHYS_CODE) ? s : NULL;
}

bool mmu_stored_to_code(const struct mmu *m, const uint8_t *flags, laddr *page)
{
    for (unsigned k = 0; k < MMU_SLOW_PAGES; k++) {
        const struct mmu_slow_page *s = &m->slow[true][k];
        if (s->flags == flags && s->gen == m->gen && s->user == m->user) {
            *page = s->page;
            return true;
        }
    }
    return false;
}

static void fill_read(struct mmu *m, laddr page, bool user, const struct mmu_page *p)
{
    struct phys_target t = phys_lookup(m->phys, p->addr, false);
    if (t.host && ((uintptr_t)t.host & 1) == 0)
        set_entry(m, entry_index(page, false, user), t.host, page, p);
    else
        set_slow(m, page, false, user, p->addr, NULL);
}

/* Stores through the entry are not seen any more: the page counts as dirty from now on. */
static void fill_write(struct mmu *m, laddr page, bool user, const struct mmu_page *p)
{
    struct phys_target t = phys_lookup(m->phys, p->addr, true);
    if (!t.host || ((uintptr_t)t.host & 1)) {
        set_slow(m, page, true, user, p->addr, NULL);
        return;
    }
    uint8_t *flags = &t.block->flags[t.offset >> PHYS_PAGE_SHIFT];
    if (*flags & PHYS_CODE) {
        set_slow(m, page, true, user, p->addr, flags);
        return;
    }
    *flags |= PHYS_DIRTY | PHYS_STORED;
    set_entry(m, entry_index(page, true, user), t.host, page, p);
}

/* Translates and caches what may be cached. */
static bool fill(struct mmu *m, laddr addr, enum mmu_access access, bool user, paddr *out)
{
    struct mmu_page p;
    laddr page = addr & 0xfffff000u;
    if (access != MMU_EXEC) {
        const struct mmu_slow_page *s = find_slow(m, page, access == MMU_WRITE, user);
        if (s) {
            *out = s->addr | (addr & PAGE_MASK);
            return true;
        }
    }
    if (!mmu_walk(m, addr, access, user, &p))
        return false;
    if (access == MMU_WRITE)
        fill_write(m, page, user, &p);
    else if (access == MMU_READ)
        fill_read(m, page, user, &p);
    *out = p.addr | (addr & PAGE_MASK);
    return true;
}

bool mmu_fill(struct mmu *m, laddr addr, enum mmu_access access, bool user)
{
    paddr pa;
    return fill(m, addr, access, user, &pa);
}

bool mmu_translate(struct mmu *m, laddr addr, enum mmu_access access, bool user, paddr *out)
{
    struct mmu_page p;
    if (!mmu_walk(m, addr, access, user, &p))
        return false;
    *out = p.addr | (addr & PAGE_MASK);
    return true;
}

bool mmu_translate_code(struct mmu *m, laddr addr, bool user, paddr *out, bool *global)
{
    struct mmu_page p;
    if (!mmu_walk(m, addr, MMU_EXEC, user, &p))
        return false;
    *out = p.addr | (addr & PAGE_MASK);
    *global = p.global || !mmu_paging_on(m);
    return true;
}

bool mmu_probe(struct mmu *m, laddr addr, paddr *out)
{
    struct mmu_page p;
    if (!mmu_walk_peek(m, addr, &p))
        return false;
    *out = p.addr | (addr & PAGE_MASK);
    return true;
}

static uint64_t read_phys(struct mmu *m, paddr addr, unsigned size)
{
    if (size < 8)
        return phys_read(m->phys, addr, size);
    uint64_t low = phys_read(m->phys, addr, 4);
    return low | (uint64_t)phys_read(m->phys, addr + 4, 4) << 32;
}

static void write_phys(struct mmu *m, paddr addr, unsigned size, uint64_t value)
{
    if (size < 8) {
        phys_write(m->phys, addr, (uint32_t)value, size);
        return;
    }
    phys_write(m->phys, addr, (uint32_t)value, 4);
    phys_write(m->phys, addr + 4, (uint32_t)(value >> 32), 4);
}

/* Bytes of the access on its first page; `size` if it does not cross. */
static unsigned first_part(laddr addr, unsigned size)
{
    unsigned left = PHYS_PAGE_SIZE - (unsigned)(addr & PAGE_MASK);
    return left < size ? left : size;
}

/* Both pages of an access. The part on the second one starts at its first byte. */
struct span {
    paddr part[2];
    unsigned first; /* bytes on part[0] */
};

static bool translate_span(struct mmu *m, laddr addr, unsigned size, enum mmu_access access,
                           bool user, struct span *s)
{
    s->first = first_part(addr, size);
    if (!fill(m, addr, access, user, &s->part[0]))
        return false;
    return s->first == size || fill(m, (uint32_t)(addr + s->first), access, user, &s->part[1]);
}

static paddr span_byte(const struct span *s, unsigned i)
{
    return i < s->first ? s->part[0] + i : s->part[1] + (i - s->first);
}

static bool read_slow(struct mmu *m, laddr addr, unsigned size, bool user, uint64_t *value)
{
    struct span s;
    if (!translate_span(m, addr, size, MMU_READ, user, &s))
        return false;
    if (s.first == size) {
        *value = read_phys(m, s.part[0], size);
        return true;
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)phys_read(m->phys, span_byte(&s, i), 1) << 8 * i;
    *value = v;
    return true;
}

bool mmu_read(struct mmu *m, laddr addr, unsigned size, bool user, uint64_t *value)
{
    addr = (uint32_t)addr;
    uint64_t entry = m->map[entry_index(addr, false, user)];
    if (LIKELY((entry & MMU_VALID) && (addr & PAGE_MASK) + size <= PHYS_PAGE_SIZE)) {
        *value = load_le(mmu_entry_host(entry, addr), size);
        return true;
    }
    return read_slow(m, addr, size, user, value);
}

static bool write_slow(struct mmu *m, laddr addr, unsigned size, bool user, uint64_t value)
{
    struct span s;
    if (!translate_span(m, addr, size, MMU_WRITE, user, &s))
        return false;
    if (s.first == size) {
        write_phys(m, s.part[0], size, value);
        return true;
    }
    for (unsigned i = 0; i < size; i++)
        phys_write(m->phys, span_byte(&s, i), (uint32_t)(value >> 8 * i) & 0xff, 1);
    return true;
}

bool mmu_write(struct mmu *m, laddr addr, unsigned size, bool user, uint64_t value)
{
    addr = (uint32_t)addr;
    uint64_t entry = m->map[entry_index(addr, true, user)];
    if (LIKELY((entry & MMU_VALID) && (addr & PAGE_MASK) + size <= PHYS_PAGE_SIZE)) {
        store_le(mmu_entry_host(entry, addr), size, value);
        return true;
    }
    return write_slow(m, addr, size, user, value);
}

bool mmu_probe_write(struct mmu *m, laddr addr, unsigned size, bool user)
{
    addr = (uint32_t)addr;
    uint64_t entry = m->map[entry_index(addr, true, user)];
    if (LIKELY((entry & MMU_VALID) && (addr & PAGE_MASK) + size <= PHYS_PAGE_SIZE))
        return true;
    struct span s;
    return translate_span(m, addr, size, MMU_WRITE, user, &s);
}

/* Fetches go through a window of their own: with NX a readable page need not be executable. */
static bool open_window(struct mmu *m, laddr page, bool user, paddr *pa)
{
    if (!fill(m, page, MMU_EXEC, user, pa))
        return false;
    struct phys_target t = phys_lookup(m->phys, *pa, false);
    if (t.host)
        m->fetch = (struct mmu_window){page, t.host, m->gen, user};
    return true;
}

unsigned mmu_fetch(struct mmu *m, laddr addr, uint8_t *to, unsigned max, bool user)
{
    laddr page = addr & 0xfffff000u;
    unsigned n = first_part(addr, max);
    const struct mmu_window *w = &m->fetch;
    paddr pa = 0;
    if (w->gen != m->gen || w->page != page || w->user != user) {
        m->fetch.gen = 0;
        if (!open_window(m, page, user, &pa)) {
            m->fault_addr = (uint32_t)addr;
            return 0;
        }
    }
    if (w->gen == m->gen)
        memcpy(to, w->host + (addr & PAGE_MASK), n);
    else
        phys_read_bytes(m->phys, pa | (addr & PAGE_MASK), to, n);
    return n;
}

/* A new code page is rare; a pass over what is cached is cheaper than a reverse map. */
void mmu_protect_code(struct mmu *m, struct phys_block *block, uint64_t offset)
{
    const uint8_t *host = block->host + (offset & ~(uint64_t)PAGE_MASK);
    uint8_t *flags = &block->flags[offset >> PHYS_PAGE_SHIFT];
    if (!(*flags & PHYS_STORED))
        return; /* as a rule where code is patched again and again; the log may be long */
    *flags &= (uint8_t)~PHYS_STORED;
    for (unsigned which = 0; which < 2; which++) {
        for (uint32_t i = 0; i < m->nlog[which]; i++) {
            uint32_t index = m->log[which][i];
            laddr page = (laddr)(index & 0xfffff) << PHYS_PAGE_SHIFT;
            uint64_t entry = m->map[index];
            if ((index >> 20 & 1) && (entry & MMU_VALID) && mmu_entry_host(entry, page) == host)
                m->map[index] = 0;
        }
    }
}
