/*
 * LODS, STOS, SCAS, MOVS, CMPS without repetition. FLAT: 32-bit addresses in flat segments; ANY: through the
 * segments with their limits, index registers cut to the address size. Slots: sc = source segment << 5, mask = of
 * the index registers. REP MOVS and REP STOS upwards within a page are done here, other repeated strings by the
 * reference tier.
 */
#include "cpu/fast/core.h"

/* SI and DI move by this. */
INLINE uint32_t string_step(const struct cpu *c, unsigned size)
{
    return (c->st.eflags & FLAG_DF) ? 0u - size : size;
}

INLINE void string_move(struct cpu *c, const struct slot *i, unsigned reg, uint32_t step)
{
    uint64_t mask = i->mask;
    uint64_t old = REG32(reg);
    GPR(reg) = (old & ~mask) | ((old + step) & mask);
}

INLINE uint32_t string_ea(struct cpu *c, const struct slot *i, unsigned reg)
{
    return REG32(reg) & i->mask;
}

/* Host addresses of the operands at [SI] and ES:[DI]; false: slow. */
INLINE bool source_flat(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, uint8_t **p)
{
    (void)i;
    return fast_host(tl, REG32(REG_ESI), size, p);
}
INLINE bool target_flat(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, bool write, uint8_t **p)
{
    (void)i;
    return fast_host(tl + (write ? MMU_PAGES : 0), REG32(REG_EDI), size, p);
}
INLINE bool source_any(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, uint8_t **p)
{
    return fast_segment(c, tl, i->sc >> 5, string_ea(c, i, REG_ESI), size, false, p);
}
INLINE bool target_any(struct cpu *c, const struct slot *i, const uint64_t *tl, unsigned size, bool write, uint8_t **p)
{
    return fast_segment(c, tl, SEG_ES, string_ea(c, i, REG_EDI), size, write, p);
}

#define STRINGS(N, mode) \
    HANDLER(lods##N##_##mode) \
    { \
        uint8_t *from; \
        if (UNLIKELY(!source_##mode(c, i, TL, BYTES_##N, &from))) \
            SLOW; \
        set##N(c, GPR_OFFSET(REG_EAX), load##N(from)); \
        string_move(c, i, REG_ESI, string_step(c, BYTES_##N)); \
        NEXT; \
    } \
    HANDLER(stos##N##_##mode) \
    { \
        uint8_t *to; \
        if (UNLIKELY(!target_##mode(c, i, TL, BYTES_##N, true, &to))) \
            SLOW; \
        store##N(to, reg##N(c, GPR_OFFSET(REG_EAX))); \
        string_move(c, i, REG_EDI, string_step(c, BYTES_##N)); \
        NEXT; \
    } \
    HANDLER(scas##N##_##mode) \
    { \
        uint8_t *to; \
        if (UNLIKELY(!target_##mode(c, i, TL, BYTES_##N, false, &to))) \
            SLOW; \
        alu_sub(BYTES_##N, reg##N(c, GPR_OFFSET(REG_EAX)), load##N(to), &FR, &FX); \
        string_move(c, i, REG_EDI, string_step(c, BYTES_##N)); \
        NEXT; \
    } \
    HANDLER(movs##N##_##mode) \
    { \
        uint8_t *from, *to; \
        if (UNLIKELY(!source_##mode(c, i, TL, BYTES_##N, &from)) || \
            UNLIKELY(!target_##mode(c, i, TL, BYTES_##N, true, &to))) \
            SLOW; \
        store##N(to, load##N(from)); \
        string_move(c, i, REG_ESI, string_step(c, BYTES_##N)); \
        string_move(c, i, REG_EDI, string_step(c, BYTES_##N)); \
        NEXT; \
    } \
    HANDLER(cmps##N##_##mode) \
    { \
        uint8_t *from, *to; \
        if (UNLIKELY(!source_##mode(c, i, TL, BYTES_##N, &from)) || \
            UNLIKELY(!target_##mode(c, i, TL, BYTES_##N, false, &to))) \
            SLOW; \
        alu_sub(BYTES_##N, load##N(from), load##N(to), &FR, &FX); \
        string_move(c, i, REG_ESI, string_step(c, BYTES_##N)); \
        string_move(c, i, REG_EDI, string_step(c, BYTES_##N)); \
        NEXT; \
    }
STRINGS(8, flat)
STRINGS(16, flat)
STRINGS(32, flat)
STRINGS(8, any)
STRINGS(16, any)
STRINGS(32, any)

#define MODES(n) {n##_flat, n##_any}
#define SIZES(n) {MODES(n##8), MODES(n##16), MODES(n##32)}
fast_handler *const fast_string_table[5][3][2] = {SIZES(movs), SIZES(cmps), SIZES(stos), SIZES(lods), SIZES(scas)};

/* Repeated, in one chunk (ops_string.h) */
INLINE bool ends_in_page(uint32_t l, uint64_t bytes) { return (l & (FAST_PAGE - 1)) + bytes <= FAST_PAGE; }

INLINE void fill(uint8_t *to, uint32_t v, unsigned size, uint32_t bytes)
{
    if (size == 1 || v == (v & 0xff) * (size == 2 ? 0x101u : 0x1010101u)) {
        memset(to, (int)(v & 0xff), bytes);
        return;
    }
    for (uint32_t k = 0; k < bytes; k += size) {
        if (size == 2)
            store16(to + k, v);
        else
            store32(to + k, v);
    }
}

#define REPEATED(N) \
    HANDLER(rep_stos##N) \
    { \
        uint64_t bytes = (uint64_t)REG32(REG_ECX) * BYTES_##N; \
        uint32_t edi = REG32(REG_EDI); \
        uint64_t entry = (TL + MMU_PAGES)[edi >> PHYS_PAGE_SHIFT]; \
        if (UNLIKELY((c->st.eflags & FLAG_DF) || !ends_in_page(edi, bytes) || !(entry & MMU_VALID))) \
            TAIL(fast_rare); \
        fill(mmu_entry_host(entry, edi), reg##N(c, GPR_OFFSET(REG_EAX)), BYTES_##N, (uint32_t)bytes); \
        GPR(REG_EDI) = (uint32_t)(edi + bytes); \
        GPR(REG_ECX) = 0; \
        NEXT; \
    } \
    HANDLER(rep_movs##N) \
    { \
        uint64_t bytes = (uint64_t)REG32(REG_ECX) * BYTES_##N; \
        uint32_t esi = REG32(REG_ESI), edi = REG32(REG_EDI); \
        uint64_t source = TL[esi >> PHYS_PAGE_SHIFT], target = (TL + MMU_PAGES)[edi >> PHYS_PAGE_SHIFT]; \
        if (UNLIKELY((c->st.eflags & FLAG_DF) || !ends_in_page(esi, bytes) || !ends_in_page(edi, bytes) || \
                     !(source & target & MMU_VALID))) \
            TAIL(fast_rare); \
        const uint8_t *from = mmu_entry_host(source, esi); \
        uint8_t *to = mmu_entry_host(target, edi); \
        if (UNLIKELY((uintptr_t)to - (uintptr_t)from < bytes)) /* what is written is read again */ \
            TAIL(fast_rare); \
        memmove(to, from, bytes); \
        GPR(REG_ESI) = (uint32_t)(esi + bytes); \
        GPR(REG_EDI) = (uint32_t)(edi + bytes); \
        GPR(REG_ECX) = 0; \
        NEXT; \
    }
REPEATED(8)
REPEATED(16)
REPEATED(32)
fast_handler *const fast_repeat_table[2][3] = {{rep_movs8, rep_movs16, rep_movs32}, {rep_stos8, rep_stos16, rep_stos32}};
