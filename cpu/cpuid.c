/*
 * CPU models (-cpu): level, features and what CPUID says of them (SDM 2A CPUID; AP-485).
 *
 * Signatures are those of real steppings. No model has a local APIC yet; the word +apic is refused. SSE brings
 * along what it is built on (MMX, FXSAVE), SSE2 brings SSE; taking one of them away takes what needs it.
 */
#include "cpu/desc.h"

#include <stdio.h>
#include <string.h>

#include "machine/nearest.h"

#define FEATURES_486 (FEAT_FPU | FEAT_VME | FEAT_BSWAP)
#define FEATURES_P5 (FEATURES_486 | FEAT_DE | FEAT_PSE | FEAT_TSC | FEAT_MSR | FEAT_MCE | FEAT_CX8)
#define FEATURES_PPRO (FEATURES_P5 | FEAT_PAE | FEAT_MTRR | FEAT_PGE | FEAT_MCA | FEAT_CMOV)
#define FEATURES_P2 (FEATURES_PPRO | FEAT_SEP | FEAT_PAT | FEAT_PSE36 | FEAT_MMX | FEAT_FXSR)
#define FEATURES_P3 (FEATURES_P2 | FEAT_SSE)
#define FEATURES_P4 (FEATURES_P3 | FEAT_SSE2 | FEAT_CLFSH)
#define INTEL "GenuineIntel"

/* The 386 takes BSWAP, which only the 486 brought: the firmware (SeaBIOS) uses it on every CPU and
 * would not start. `-cpu 386,-bswap` is the chip as it was. */
/* Not all names are CPUs of their own: "8088" is in the BIOS's eyes an 8086. */
static const struct cpu_model models[] = {
    {.name = "8086", .help = "Intel 8086: real mode, 1 MiB", .level = CPU_8086},
    {.name = "186", .help = "Intel 80186", .level = CPU_186},
    {.name = "286", .help = "Intel 80286 with 80287XL: 16-bit protected mode, 16 MiB", .level = CPU_286,
     .features = FEAT_FPU},
    {.name = "386", .help = "Intel 386DX with 387: paging, V86 mode (and BSWAP, for the firmware)", .level = CPU_386,
     .features = FEAT_FPU | FEAT_BSWAP, .signature = 0x0308},
    {.name = "486", .help = "Intel 486DX4 with CPUID", .level = CPU_486, .features = FEATURES_486,
     .signature = 0x0480, .max_leaf = 1, .has_cpuid = true, .vendor = INTEL},
    {.name = "pentium", .help = "Intel Pentium (P54C): 4 MiB pages, TSC, MSRs", .level = CPU_PENTIUM,
     .features = FEATURES_P5, .signature = 0x0525, .max_leaf = 1, .has_cpuid = true, .vendor = INTEL},
    {.name = "pentium-mmx", .help = "Intel Pentium MMX (P55C)", .level = CPU_PENTIUM,
     .features = FEATURES_P5 | FEAT_MMX, .signature = 0x0543, .max_leaf = 1, .has_cpuid = true,
     .vendor = INTEL},
    {.name = "pentiumpro", .help = "Intel Pentium Pro: PAE, global pages, CMOV, MTRRs", .level = CPU_P6,
     .features = FEATURES_PPRO, .signature = 0x0619, .max_leaf = 2, .has_cpuid = true, .vendor = INTEL},
    {.name = "pentium2", .help = "Intel Pentium II (Deschutes): MMX, SYSENTER, FXSAVE; the default",
     .level = CPU_P6, .features = FEATURES_P2, .signature = 0x0652, .max_leaf = 2, .has_cpuid = true,
     .vendor = INTEL},
    {.name = "pentium3", .help = "Intel Pentium III (Coppermine): SSE", .level = CPU_P6,
     .features = FEATURES_P3, .signature = 0x068a, .max_leaf = 2, .has_cpuid = true, .vendor = INTEL},
    {.name = "pentium4", .help = "Intel Pentium 4 (Northwood): SSE, SSE2, CLFLUSH",
     .level = CPU_P6, .features = FEATURES_P4, .signature = 0x0f29, .max_leaf = 2,
     .has_cpuid = true, .vendor = INTEL, .brand = "Intel(R) Pentium(R) 4 CPU 2.40GHz"},
};

#define SSE_NEEDS (FEAT_MMX | FEAT_FXSR)

/* Words after + and -, as /proc/cpuinfo spells them. */
static const struct feature_word {
    const char *word;
    uint64_t bit;
    uint64_t needs; /* comes along with it */
    bool missing;   /* not modelled yet */
} features[] = {
    {"fpu", FEAT_FPU, 0, false}, {"vme", FEAT_VME, 0, false}, {"de", FEAT_DE, 0, false},
    {"pse", FEAT_PSE, 0, false}, {"tsc", FEAT_TSC, 0, false}, {"msr", FEAT_MSR, 0, false},
    {"pae", FEAT_PAE, 0, false}, {"mce", FEAT_MCE, 0, false}, {"cx8", FEAT_CX8, 0, false},
    {"apic", FEAT_APIC, 0, true}, {"sep", FEAT_SEP, 0, false}, {"mtrr", FEAT_MTRR, 0, false},
    {"pge", FEAT_PGE, 0, false}, {"mca", FEAT_MCA, 0, false}, {"cmov", FEAT_CMOV, 0, false},
    {"pat", FEAT_PAT, 0, false}, {"pse36", FEAT_PSE36, 0, false}, {"clflush", FEAT_CLFSH, 0, false},
    {"mmx", FEAT_MMX, 0, false}, {"fxsr", FEAT_FXSR, 0, false}, {"sse", FEAT_SSE, SSE_NEEDS, false},
    {"sse2", FEAT_SSE2, SSE_NEEDS | FEAT_SSE, false}, {"nx", FEAT_NX, 0, false},
    {"bswap", FEAT_BSWAP, 0, false},
};

static const struct cpu_model *find_model(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(models); i++)
        if (!strcmp(models[i].name, name))
            return &models[i];
    return NULL;
}

static enum emu_err unknown_model(const char *name, struct error *err)
{
    const char *names[ARRAY_LEN(models) + 1] = {NULL};
    for (unsigned i = 0; i < ARRAY_LEN(models); i++)
        names[i] = models[i].name;
    return error_set(err, EMU_ARG, "-cpu: there is no model \"%s\"; did you mean \"%s\"? (-cpu help lists all)",
                     name, nearest_word(name, names));
}

static enum emu_err unknown_feature(const char *name, struct error *err)
{
    const char *names[ARRAY_LEN(features) + 1] = {NULL};
    for (unsigned i = 0; i < ARRAY_LEN(features); i++)
        names[i] = features[i].word;
    return error_set(err, EMU_ARG, "-cpu: there is no feature \"%s\"; did you mean \"%s\"?", name,
                     nearest_word(name, names));
}

static enum emu_err add_feature(const struct feature_word *f, struct cpu_model *out, struct error *err)
{
    if (f->missing)
        return error_set(err, EMU_UNSUPPORTED, "-cpu: %s is not modelled yet", f->word);
    if (f->needs && out->level < CPU_P6)
        return error_set(err, EMU_UNSUPPORTED, "-cpu: the %s cannot have %s; pentiumpro and later can", out->name,
                         f->word);
    out->features |= f->bit | f->needs;
    return EMU_OK;
}

static void drop_feature(const struct feature_word *f, struct cpu_model *out)
{
    out->features &= ~f->bit;
    for (unsigned i = 0; i < ARRAY_LEN(features); i++)
        if (features[i].needs & f->bit)
            out->features &= ~features[i].bit;
}

/* "+mmx" or "-mmx". */
static enum emu_err apply_feature(const char *word, struct cpu_model *out, struct error *err)
{
    if (*word != '+' && *word != '-')
        return error_set(err, EMU_ARG, "-cpu: write +%s or -%s after the model", word, word);
    for (unsigned i = 0; i < ARRAY_LEN(features); i++) {
        if (strcmp(features[i].word, word + 1))
            continue;
        if (*word == '+')
            return add_feature(&features[i], out, err);
        drop_feature(&features[i], out);
        return EMU_OK;
    }
    return unknown_feature(word + 1, err);
}

enum emu_err cpu_model_parse(const char *text, struct cpu_model *out, struct error *err)
{
    char copy[256];
    if (strlen(text) >= sizeof(copy))
        return error_set(err, EMU_ARG, "-cpu: the text is longer than %zu characters", sizeof(copy) - 1);
    strcpy(copy, text);
    char *next = strchr(copy, ',');
    if (next)
        *next++ = 0;
    const struct cpu_model *m = find_model(copy);
    if (!m)
        return unknown_model(copy, err);
    *out = *m;
    while (next) {
        char *word = next;
        next = strchr(word, ',');
        if (next)
            *next++ = 0;
        enum emu_err e = apply_feature(word, out, err);
        if (e)
            return e;
    }
    return EMU_OK;
}

void cpu_model_list(void (*emit)(void *arg, const char *line), void *arg)
{
    char line[256];
    for (unsigned i = 0; i < ARRAY_LEN(models); i++) {
        snprintf(line, sizeof(line), "%-12s %s", models[i].name, models[i].help);
        emit(arg, line);
    }
    size_t n = (size_t)snprintf(line, sizeof(line), "features (+f, -f):");
    for (unsigned i = 0; i < ARRAY_LEN(features); i++)
        if (!features[i].missing && n < sizeof(line))
            n += (size_t)snprintf(line + n, sizeof(line) - n, " %s", features[i].word);
    emit(arg, line);
}

static uint32_t chars(const char *s)
{
    return (uint32_t)(uint8_t)s[0] | (uint32_t)(uint8_t)s[1] << 8 | (uint32_t)(uint8_t)s[2] << 16 |
           (uint32_t)(uint8_t)s[3] << 24;
}

static void leaf_features(const struct cpu_model *m, uint32_t out[4])
{
    out[0] = m->signature;
    out[1] = m->features & FEAT_CLFSH ? 8 << 8 : 0; /* line size in 8-byte units */
    out[3] = (uint32_t)m->features;
}

/* Cache and TLB descriptors (AP-485 table 2-7): Pentium II with 512 KiB, III with 256, 4 with 512. */
static void leaf_caches(const struct cpu_model *m, uint32_t out[4])
{
    out[0] = 0x03020101;
    out[3] = 0x0c040843;
    if (m->signature == 0x068a)
        out[3] = 0x0c040882;
    if (m->signature >> 8 == 0x0f) {
        out[0] = 0x665b5101;
        out[3] = 0x007b7040;
    }
}

static void leaf_brand(const struct cpu_model *m, unsigned part, uint32_t out[4])
{
    char text[48] = "";
    size_t len = m->brand ? strlen(m->brand) : 0;
    memcpy(text, m->brand ? m->brand : "", len < sizeof(text) ? len : sizeof(text) - 1);
    for (unsigned i = 0; i < 4; i++)
        out[i] = chars(text + part * 16 + i * 4);
}

static uint32_t max_extended(const struct cpu_model *m)
{
    if (m->brand)
        return 0x80000004u;
    return m->features & FEAT_NX ? 0x80000001u : 0;
}

static void leaf_extended(const struct cpu_model *m, uint32_t leaf, uint32_t out[4])
{
    if (leaf == 0x80000000u)
        out[0] = max_extended(m);
    else if (leaf == 0x80000001u)
        out[3] = (uint32_t)((m->features & FEAT_NX) >> 32);
    else
        leaf_brand(m, leaf - 0x80000002u, out);
}

/* Beyond the last leaf Intel's CPUs answer as for the highest basic one. */
void cpuid_leaf(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    const struct cpu_model *m = &c->model;
    memset(out, 0, 4 * sizeof(*out));
    if (leaf & 0x80000000u && leaf <= max_extended(m)) {
        leaf_extended(m, leaf, out);
        return;
    }
    if (leaf > m->max_leaf)
        leaf = m->max_leaf;
    if (leaf == 0) {
        out[0] = m->max_leaf;
        out[1] = chars(m->vendor);
        out[3] = chars(m->vendor + 4);
        out[2] = chars(m->vendor + 8);
    } else if (leaf == 1) {
        leaf_features(m, out);
    } else {
        leaf_caches(m, out);
    }
}
