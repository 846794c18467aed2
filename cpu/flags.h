/*
 * Arithmetic flags, always exact, in two words (INTERPRETER.md 4.2):
 *   fr  bits 0-31 the result, sign-extended from 8 or 16 bits; bit 32 CF; above it anything
 *   fx  a ^ b, sign-extended likewise; bit 63 inverts SF, bits 55-48 are xored into PF's byte,
 *       bit 4 gives AF with fr, bits 31/32 give OF with fr
 *   CF = fr.32   ZF = fr[31:0] == 0   PF = parity of (fr ^ fx >> 48) & FF   AF = (fr ^ fx).4
 *   SF = fr.31 ^ fx.63   OF = (fr ^ fx).31 ^ (fr ^ fx).32
 * Logic results set fr = fx = result: CF = AF = OF = 0.
 */
#ifndef CPU_FLAGS_H
#define CPU_FLAGS_H

#include "cpu/cpu.h"

enum {
    FLAG_CF = 1 << 0,
    FLAG_ONE = 1 << 1,
    FLAG_PF = 1 << 2,
    FLAG_AF = 1 << 4,
    FLAG_ZF = 1 << 6,
    FLAG_SF = 1 << 7,
    FLAG_TF = 1 << 8,
    FLAG_IF = 1 << 9,
    FLAG_DF = 1 << 10,
    FLAG_OF = 1 << 11,
    FLAG_IOPL = 3 << 12,
    FLAG_NT = 1 << 14,
    FLAG_RF = 1 << 16,
    FLAG_VM = 1 << 17,
    FLAG_AC = 1 << 18,
    FLAG_VIF = 1 << 19,
    FLAG_VIP = 1 << 20,
    FLAG_ID = 1 << 21,
    FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};

static inline uint32_t flags_parity(uint32_t v)
{
    v ^= v >> 4;
    return 0x9669u >> (v & 15) & 1;
}

static inline uint32_t fl_cf(uint64_t fr) { return (uint32_t)(fr >> 32) & 1; }
static inline uint32_t fl_zf(uint64_t fr) { return (uint32_t)fr == 0; }
static inline uint32_t fl_pf(uint64_t fr, uint64_t fx)
{
    return flags_parity((uint32_t)(fr ^ fx >> 48) & 0xff);
}
static inline uint32_t fl_af(uint64_t fr, uint64_t fx) { return (uint32_t)((fr ^ fx) >> 4) & 1; }
static inline uint32_t fl_sf(uint64_t fr, uint64_t fx)
{
    return (uint32_t)(fr >> 31 ^ fx >> 63) & 1;
}
static inline uint32_t fl_of(uint64_t fr, uint64_t fx)
{
    return (uint32_t)((fr ^ fx) >> 31 ^ (fr ^ fx) >> 32) & 1;
}
/* SF ^ OF: less, in comparisons of signed numbers. Bit 31 of fr is in both. */
static inline uint32_t fl_lt(uint64_t fr, uint64_t fx)
{
    return (uint32_t)((fr ^ fx) >> 32 ^ fx >> 31 ^ fx >> 63) & 1;
}

/* The six arithmetic bits of EFLAGS. */
static inline uint32_t fl_arith(uint64_t fr, uint64_t fx)
{
    return fl_cf(fr) | fl_pf(fr, fx) << 2 | fl_af(fr, fx) << 4 | fl_zf(fr) << 6 |
           fl_sf(fr, fx) << 7 | fl_of(fr, fx) << 11;
}

/* Words that mean the given EFLAGS bits, whatever their combination. */
static inline void fl_encode(uint32_t f, uint64_t *fr, uint64_t *fx)
{
    uint64_t cf = f & 1, pf = f >> 2 & 1, af = f >> 4 & 1, zf = f >> 6 & 1, sf = f >> 7 & 1,
             of = f >> 11 & 1;
    *fr = (zf ? 0 : 0x100) | cf << 32;
    *fx = af << 4 | (of ^ cf) << 32 | sf << 63 | (pf ? 0 : 1ull << 48);
}

/* Replaces CF and OF, keeps the rest (AF PF ZF SF). */
static inline void fl_set_cf_of(uint64_t *fr, uint64_t *fx, uint32_t cf, uint32_t of)
{
    uint64_t carry = 1ull << 32, x = (*fr ^ *fx) >> 31 ^ cf ^ of;
    *fx = (*fx & ~carry) | (x << 32 & carry);
    *fr = (uint32_t)*fr | (uint64_t)cf << 32;
}

/* Condition 0..15 of Jcc, SETcc, CMOVcc (SDM 1 B.1). */
static inline bool fl_cond(unsigned cc, uint64_t fr, uint64_t fx)
{
    uint32_t v;
    switch (cc >> 1) {
    case 0: v = fl_of(fr, fx); break;
    case 1: v = fl_cf(fr); break;
    case 2: v = fl_zf(fr); break;
    case 3: v = fl_cf(fr) | fl_zf(fr); break;
    case 4: v = fl_sf(fr, fx); break;
    case 5: v = fl_pf(fr, fx); break;
    case 6: v = fl_lt(fr, fx); break;
    default: v = fl_zf(fr) | fl_lt(fr, fx); break;
    }
    return (v ^ (cc & 1)) != 0;
}

/* All of EFLAGS; and setting all of it (callers apply the mode's masks first). */
static inline uint32_t cpu_eflags(const struct cpu *c)
{
    return ((uint32_t)c->st.eflags & ~(uint32_t)FLAGS_ARITH) | FLAG_ONE | fl_arith(c->fr, c->fx);
}
static inline void cpu_set_eflags(struct cpu *c, uint32_t f)
{
    c->st.eflags = f | FLAG_ONE;
    fl_encode(f, &c->fr, &c->fx);
}
static inline void flags_set_arith(struct cpu *c, uint32_t f) { fl_encode(f, &c->fr, &c->fx); }

#endif
