/*
 * Saving and restoring the x87: FNSTENV, FLDENV, FNSAVE, FRSTOR, FXSAVE, FXRSTOR.
 *
 * Models: SDM vol. 1 8.1.10 with figures 8-9 to 8-12 (four formats: real or protected, 16 or 32 bits), 10.5 and SDM
 * vol. 2 FXSAVE, table 3-43. Tags are computed from the registers when saved; when loaded, only "empty"
 * counts (SDM 1 8.1.7). Every byte of a destination is probed before the first one is written.
 *
 * Wired by cpu/fpu_ops.c (ESC opcodes) and ref.c (0F AE /0, /1).
 */
#include "cpu/operand.h"
#include "cpu/sse.h"

enum { ENV_WORDS = 7, REGISTER_BYTES = 10, FX_BYTES = 512, FX_ST = 32, FX_XMM = 160 };

/* Every image is built in this buffer, low byte first. */
struct image {
    uint8_t byte[FX_BYTES];
};

static void put(struct image *m, unsigned at, unsigned size, uint64_t v)
{
    for (unsigned k = 0; k < size; k++) {
        m->byte[at + k] = (uint8_t)(v >> (8 * k));
    }
}

static uint64_t get(const struct image *m, unsigned at, unsigned size)
{
    uint64_t v = 0;
    while (size--) {
        v = v << 8 | m->byte[at + size];
    }
    return v;
}

/* `size` is even. The first word of an environment is as aligned as #AC wants the area (SDM 3A table 6-7). */
static void image_probe_write(struct cpu *c, const struct insn *i, unsigned size)
{
    uint32_t ea = insn_ea(c, i);
    mem_probe_write(c, i->seg, ea, i->size);
    for (unsigned at = 0; at < size; at += 2) {
        mem_probe_write(c, i->seg, fpu_area(i, ea, at), 2);
    }
}

static void image_write(struct cpu *c, const struct insn *i, const struct image *m, unsigned size)
{
    uint32_t ea = insn_ea(c, i);
    image_probe_write(c, i, size);
    for (unsigned at = 0; at < size; at += 2) {
        mem_write(c, i->seg, fpu_area(i, ea, at), 2, get(m, at, 2));
    }
}

static void image_read(struct cpu *c, const struct insn *i, struct image *m, unsigned size)
{
    uint32_t ea = insn_ea(c, i);
    (void)mem_read(c, i->seg, ea, i->size);
    for (unsigned at = 0; at < size; at += 2) {
        put(m, at, 2, mem_read(c, i->seg, fpu_area(i, ea, at), 2));
    }
}

/* Two bits for each physical register: valid, zero, special, empty (SDM 1 figure 8-7). */
static uint16_t tag_word(const struct cpu *c)
{
    unsigned tags = 0;
    for (unsigned n = 8; n--;) {
        struct f80 v = {c->st.x87.mant[n], c->st.x87.se[n]};
        enum fp_class class = f80_classify(v);
        unsigned tag = class == FP_CLASS_NORMAL ? 0 : class == FP_CLASS_ZERO ? 1 : 2;
        tags = tags << 2 | (c->st.x87.empty >> n & 1 ? 3 : tag);
    }
    return (uint16_t)tags;
}

static void load_tag_word(struct cpu *c, uint16_t tags)
{
    c->st.x87.empty = 0;
    for (unsigned n = 0; n < 8; n++) {
        if ((tags >> 2 * n & 3) == 3) {
            c->st.x87.empty |= (uint8_t)(1u << n);
        }
    }
}

static void load_status(struct cpu *c, uint16_t status)
{
    c->st.x87.top = status >> FPU_TOP_SHIFT & 7;
    c->st.x87.status = status & (uint16_t)~(7u << FPU_TOP_SHIFT);
}

static unsigned env_bytes(const struct insn *i)
{
    return ENV_WORDS * i->size;
}

/* Real-address and virtual-8086 formats: 32-bit linear addresses in two pieces, with the opcode. */
static void env_real(const struct cpu *c, const struct insn *i, struct image *m)
{
    const struct cpu_x87 *f = &c->st.x87;
    uint32_t ip = (uint32_t)f->ip + ((uint32_t)f->cs << 4), dp = (uint32_t)f->dp + ((uint32_t)f->ds << 4);
    unsigned n = i->size;
    put(m, 3 * n, 2, ip);
    put(m, 4 * n, n, (ip >> 16) << 12 | f->opcode);
    put(m, 5 * n, 2, dp);
    put(m, 6 * n, n, (dp >> 16) << 12);
}

static void env_protected(const struct cpu *c, const struct insn *i, struct image *m)
{
    const struct cpu_x87 *f = &c->st.x87;
    unsigned n = i->size;
    put(m, 3 * n, n, f->ip);
    put(m, 4 * n, 2, f->cs);
    if (n == 4) {
        put(m, 4 * n + 2, 2, f->opcode);
    }
    put(m, 5 * n, n, f->dp);
    put(m, 6 * n, 2, f->ds);
}

static void env_store(const struct cpu *c, const struct insn *i, struct image *m)
{
    unsigned n = i->size;
    /* The upper halves of the 32-bit formats are reserved; processors fill them with ones. */
    for (unsigned at = 0; at < env_bytes(i); at++) {
        m->byte[at] = 0xFF;
    }
    put(m, 0, 2, c->st.x87.control);
    put(m, n, 2, fpu_status_word(c));
    put(m, 2 * n, 2, tag_word(c));
    if (in_protected(c)) {
        env_protected(c, i, m);
    } else {
        env_real(c, i, m);
    }
}

static void env_load_pointers(struct cpu *c, const struct insn *i, const struct image *m)
{
    struct cpu_x87 *f = &c->st.x87;
    unsigned n = i->size;
    if (in_protected(c)) {
        f->ip = get(m, 3 * n, n);
        f->cs = (uint16_t)get(m, 4 * n, 2);
        f->opcode = n == 4 ? (uint16_t)(get(m, 4 * n + 2, 2) & 0x7FF) : 0;
        f->dp = get(m, 5 * n, n);
        f->ds = (uint16_t)get(m, 6 * n, 2);
        return;
    }
    uint32_t high_ip = (uint32_t)get(m, 4 * n, n), high_dp = (uint32_t)get(m, 6 * n, n);
    f->ip = get(m, 3 * n, 2) | (uint64_t)(high_ip >> 12) << 16;
    f->dp = get(m, 5 * n, 2) | (uint64_t)(high_dp >> 12) << 16;
    f->opcode = high_ip & 0x7FF;
    f->cs = f->ds = 0;
}

static void env_load(struct cpu *c, const struct insn *i, const struct image *m)
{
    unsigned n = i->size;
    load_status(c, (uint16_t)get(m, n, 2));
    load_tag_word(c, (uint16_t)get(m, 2 * n, 2));
    env_load_pointers(c, i, m);
    fpu_load_control(c, (uint16_t)get(m, 0, 2));
}

/* FNSTENV m14/28byte -- D9 /6. Masks all exceptions afterwards. */
void fpu_op_fnstenv(struct cpu *c, const struct insn *i)
{
    struct image m;
    env_store(c, i, &m);
    image_write(c, i, &m, env_bytes(i));
    fpu_load_control(c, c->st.x87.control | FP_EXCEPTIONS);
}

/* FLDENV m14/28byte -- D9 /4. */
void fpu_op_fldenv(struct cpu *c, const struct insn *i)
{
    struct image m;
    image_read(c, i, &m, env_bytes(i));
    env_load(c, i, &m);
}

/* FNSAVE m94/108byte -- DD /6. The registers in stack order; then as FNINIT. */
void fpu_op_fnsave(struct cpu *c, const struct insn *i)
{
    struct image m;
    unsigned at = env_bytes(i);
    env_store(c, i, &m);
    for (unsigned n = 0; n < 8; n++, at += REGISTER_BYTES) {
        struct f80 v = fpu_st(c, n);
        put(&m, at, 8, v.mant);
        put(&m, at + 8, 2, v.se);
    }
    image_write(c, i, &m, at);
    fpu_init(c);
}

/* FRSTOR m94/108byte -- DD /4. */
void fpu_op_frstor(struct cpu *c, const struct insn *i)
{
    struct image m;
    unsigned at = env_bytes(i);
    image_read(c, i, &m, at + 8 * REGISTER_BYTES);
    load_status(c, (uint16_t)get(&m, i->size, 2));
    for (unsigned n = 0; n < 8; n++, at += REGISTER_BYTES) {
        struct f80 v = {get(&m, at, 8), (uint16_t)get(&m, at + 8, 2)};
        fpu_set_st(c, n, v);
    }
    env_load(c, i, &m);
}

/* Common checks: the feature, CR0, alignment. FXSAVE does not look at pending exceptions. */
/* The whole operand has to be within the segment before any of it is touched. */
static void fx_check(struct cpu *c, const struct insn *i, bool write)
{
    if (!(c->model.features & FEAT_FXSR)) {
        raise_ud(c);
    }
    if (c->st.cr0 & (CR0_EM | CR0_TS)) {
        cpu_raise(c, VEC_NM, 0);
    }
    if ((c->st.seg[i->seg].base + insn_ea(c, i)) & 15) {
        raise_gp(c, 0);
    }
    uint32_t ea = insn_ea(c, i), to_end = address_mask(i) - ea + 1; /* an operand may go on at 0 */
    if (to_end == 0 || to_end >= FX_BYTES) {
        (void)seg_linear(c, i->seg, ea, FX_BYTES, write);
        return;
    }
    (void)seg_linear(c, i->seg, ea, to_end, write);
    (void)seg_linear(c, i->seg, 0, FX_BYTES - to_end, write);
}

static bool fx_has_xmm(const struct cpu *c)
{
    return c->model.features & FEAT_SSE && c->st.cr4 & CR4_OSFXSR;
}

/* SDM 1 11.6.6: 0 stands for FFBF, that is no DAZ; the Pentium III had no such field. */
static uint32_t mxcsr_mask(const struct cpu *c)
{
    uint32_t bits = sse_mxcsr_bits(c);
    return bits & MXCSR_DAZ ? bits : 0;
}

static void fx_registers(const struct cpu *c, struct image *m)
{
    for (unsigned n = 0; n < 8; n++) {
        struct f80 v = fpu_st(c, n);
        put(m, FX_ST + 16 * n, 8, v.mant);
        put(m, FX_ST + 16 * n + 8, 8, v.se); /* and zeros */
        if (fx_has_xmm(c)) {
            put(m, FX_XMM + 16 * n, 8, c->st.xmm[n][0]);
            put(m, FX_XMM + 16 * n + 8, 8, c->st.xmm[n][1]);
        }
    }
}

/* FXSAVE m512byte -- 0F AE /0. Bytes behind the registers keep their value in memory; a fault is one of writing. */
void fpu_fxsave(struct cpu *c, const struct insn *i)
{
    const struct cpu_x87 *f = &c->st.x87;
    struct image m;

    fx_check(c, i, true);
    image_probe_write(c, i, FX_BYTES);
    image_read(c, i, &m, FX_BYTES);
    put(&m, 0, 2, f->control);
    put(&m, 2, 2, fpu_status_word(c));
    put(&m, 4, 2, (uint8_t)~f->empty);
    put(&m, 6, 2, f->opcode);
    put(&m, 8, 4, f->ip);
    put(&m, 12, 4, f->cs);
    put(&m, 16, 4, f->dp);
    put(&m, 20, 4, f->ds);
    if (c->model.features & FEAT_SSE) {
        put(&m, 24, 4, c->st.mxcsr);
        put(&m, 28, 4, mxcsr_mask(c));
    }
    fx_registers(c, &m);
    image_write(c, i, &m, FX_BYTES);
}

static void fx_load_registers(struct cpu *c, const struct image *m)
{
    for (unsigned n = 0; n < 8; n++) {
        struct f80 v = {get(m, FX_ST + 16 * n, 8), (uint16_t)get(m, FX_ST + 16 * n + 8, 2)};
        fpu_set_st(c, n, v);
        if (fx_has_xmm(c)) {
            c->st.xmm[n][0] = get(m, FX_XMM + 16 * n, 8);
            c->st.xmm[n][1] = get(m, FX_XMM + 16 * n + 8, 8);
        }
    }
}

/* FXRSTOR m512byte -- 0F AE /1. */
void fpu_fxrstor(struct cpu *c, const struct insn *i)
{
    struct cpu_x87 *f = &c->st.x87;
    struct image m;

    fx_check(c, i, false);
    image_read(c, i, &m, FX_BYTES);
    if (c->model.features & FEAT_SSE && get(&m, 24, 4) & ~(uint64_t)sse_mxcsr_bits(c)) {
        raise_gp(c, 0);
    }
    load_status(c, (uint16_t)get(&m, 2, 2));
    fx_load_registers(c, &m);
    f->empty = (uint8_t)~m.byte[4];
    f->opcode = get(&m, 6, 2) & 0x7FF;
    f->ip = get(&m, 8, 4);
    f->cs = (uint16_t)get(&m, 12, 2);
    f->dp = get(&m, 16, 4);
    f->ds = (uint16_t)get(&m, 20, 2);
    if (c->model.features & FEAT_SSE) {
        c->st.mxcsr = (uint32_t)get(&m, 24, 4);
    }
    fpu_load_control(c, (uint16_t)get(&m, 0, 2));
}
