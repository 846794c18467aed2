/*
 * Runs a program in Linux and counts the pieces that it executes. The machine runs on the fast tier; for the stretches
 * that are recorded, the CPU's trace hook sees every instruction. Time depends on the count of instructions
 * alone, so that the same files give the same records.
 *
 * Pieces are kept as a tree: a node is a row of steps, its count is how often a piece was just that row.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/exec.h"
#include "machine/pc.h"
#include "tools/sequences/map.h"
#include "tools/sequences/sequences.h"

enum { PAGE = 4096, ROOT = 1, INSN_BYTES = 15, NAMED = 1, UNNAMED = 2, HEARD = 1 << 16, LOOK = 1000000 /* instructions */ };

static const char prompt[] = "guest# ";
/* Typed after the command in two pieces, so that the terminal's echo is not taken for it. */
static const char over[] = "recording-over", say_over[] = "; echo recording-\"\"over\n";

struct node {
    uint32_t parent, step;
    uint64_t count;
};

struct recorder {
    struct machine *m;
    struct node *node;
    size_t nodes, room;
    struct map child;   /* of node << 32 | step */
    struct map known;   /* of 1 << 32 | step: has it a name? */
    uint32_t at;        /* the piece so far */
    unsigned depth;
    laddr expected;     /* where it goes on */
    uint64_t others;
    char heard[HEARD];  /* on the serial port, the last of it */
    size_t nheard;
};

/* --- pieces ---------------------------------------------------------------------------------- */

static void add_node(struct recorder *r, uint32_t parent, uint32_t step)
{
    if (r->nodes == r->room) {
        r->room = r->room ? 2 * r->room : 1 << 16;
        r->node = grow(r->node, r->room, sizeof(*r->node));
    }
    r->node[r->nodes++] = (struct node){parent, step, 0};
}

static void end_piece(struct recorder *r)
{
    if (r->at != ROOT)
        r->node[r->at].count++;
    r->at = ROOT;
    r->depth = 0;
}

static void add_step(struct recorder *r, uint32_t step)
{
    uint32_t *child = map_at(&r->child, (uint64_t)r->at << 32 | step);
    if (!*child) {
        *child = (uint32_t)r->nodes;
        add_node(r, r->at, step);
    }
    r->at = *child;
    r->depth++;
}

static bool has_name(struct recorder *r, uint32_t step)
{
    uint32_t *known = map_at(&r->known, 1ull << 32 | step);
    char name[64];
    if (!*known)
        *known = step_name(step, name, sizeof(name)) ? NAMED : UNNAMED;
    return *known == NAMED;
}

/* Sequences are for flat code alone (MODE_FLAT). */
static bool is_flat(const struct cpu *c)
{
    static const uint8_t segs[] = {SEG_CS, SEG_DS, SEG_ES, SEG_SS};
    for (size_t k = 0; k < sizeof(segs); k++) {
        const struct cpu_seg *s = &c->st.seg[segs[k]];
        if (s->base || s->limit != 0xffffffffu)
            return false;
    }
    return code32(c) && stack32(c);
}

static bool shifts_nothing(const struct insn *o)
{
    bool shift = (o->op >= OP_ROL && o->op <= OP_SAR) || o->op == OP_SHLD || o->op == OP_SHRD;
    return shift && !(o->flags & INSN_CL) && !(o->imm & 31);
}

/* The instruction at pc as a step, 0: it is none. */
static uint32_t step_at(struct recorder *r, struct cpu *c, laddr pc, unsigned *len)
{
    uint8_t bytes[INSN_BYTES];
    struct insn o;
    unsigned in_page = (unsigned)pc & (PAGE - 1), have = PAGE - in_page < INSN_BYTES ? PAGE - in_page : INSN_BYTES;
    *len = 0;
    if (!is_flat(c) || !cpu_peek(c, pc, bytes, have))
        return 0;
    *len = decode(bytes, have, DECODE_CODE32, c->model.level, c->model.features, &o);
    if (!*len || shifts_nothing(&o))
        return 0;
    uint32_t step = fast_step(&o, in_page + o.len + o.imm < PAGE);
    return step && has_name(r, step) ? step : 0;
}

static void see_insn(void *arg, struct cpu *c)
{
    struct recorder *r = arg;
    unsigned len;
    laddr pc = cpu_pc(c);
    uint32_t step = step_at(r, c, pc, &len);
    if (!step || pc != r->expected || !(pc & (PAGE - 1)) || r->depth == PIECE_STEPS)
        end_piece(r);
    r->expected = pc + len;
    if (!step) {
        r->others++;
        return;
    }
    add_step(r, step);
    if (step_is_last(step))
        end_piece(r);
}

static void write_pieces(const struct recorder *r, FILE *out)
{
    fprintf(out, "%llu\n", (unsigned long long)r->others);
    for (size_t k = ROOT + 1; k < r->nodes; k++) {
        uint32_t step[PIECE_STEPS], n = 0;
        if (!r->node[k].count)
            continue;
        for (uint32_t at = (uint32_t)k; at != ROOT; at = r->node[at].parent)
            step[n++] = r->node[at].step;
        fprintf(out, "%llu", (unsigned long long)r->node[k].count);
        while (n > 0)
            fprintf(out, " %x", step[--n]);
        fputc('\n', out);
    }
}

/* --- the machine ----------------------------------------------------------------------------- */

static void hear(void *arg, unsigned port, uint8_t byte)
{
    struct recorder *r = arg;
    (void)port;
    if (r->nheard == HEARD - 1) {
        r->nheard = HEARD / 2;
        memmove(r->heard, r->heard + HEARD - 1 - r->nheard, r->nheard);
    }
    r->heard[r->nheard++] = byte ? (char)byte : ' ';
    r->heard[r->nheard] = 0;
}

static bool has_heard(const struct recorder *r, const char *text) { return strstr(r->heard, text) != NULL; }

/* Runs n instructions, or until the guest has sent `text`: then false. */
static bool run(struct recorder *r, uint64_t n, const char *text)
{
    uint64_t end = machine_icount(r->m) + n;
    while (machine_icount(r->m) < end && !has_heard(r, text)) {
        uint64_t left = end - machine_icount(r->m);
        enum machine_stop why = machine_run(r->m, VTIME_NEVER, machine_icount(r->m) + (left < LOOK ? left : LOOK));
        if (why != MACHINE_SLICE)
            die("the guest stopped; it said: %s", r->heard);
    }
    return !has_heard(r, text);
}

static void start(struct recorder *r, const struct recording *what)
{
    struct machine_config cfg;
    struct machine_host host = {.arg = r, .serial_out = hear};
    struct error err = {""};
    machine_config_init(&cfg);
    cfg.core = CORE_FAST;
    cfg.ram_size = (uint64_t)what->memory_mib << 20;
    cfg.bios_path = FIRMWARE_DIR "/bios.bin";
    cfg.vgabios_path = FIRMWARE_DIR "/vgabios-stdvga.bin";
    cfg.rom_dir = ROM_DIR;
    cfg.kernel_path = what->kernel;
    cfg.initrd_path = what->initrd;
    cfg.append = "console=ttyS0,115200 quiet";
    cfg.icount_fixed = true;
    cfg.icount_shift = 2;
    if (machine_new(&cfg, &host, &r->m, &err))
        die("%s", err.text);
    r->nodes = ROOT;
    r->at = ROOT;
    r->node = grow(NULL, ROOT, sizeof(*r->node));
    r->room = ROOT;
    add_node(r, 0, 0);
}

/* Boots to the prompt and types the command; when this is over, it begins. */
static void begin_command(struct recorder *r, const char *command)
{
    static const uint64_t boot_insns = 10000000000;
    if (run(r, boot_insns, prompt))
        die("there is no prompt; the guest said: %s", r->heard);
    r->nheard = 0;
    r->heard[0] = 0;
    machine_serial_in(r->m, 0, (const uint8_t *)command, strlen(command));
    machine_serial_in(r->m, 0, (const uint8_t *)say_over, strlen(say_over));
    while (machine_serial_busy(r->m, 0) && run(r, LOOK, over))
        ;
}

void record(const struct recording *what, FILE *out)
{
    struct recorder *r = calloc(1, sizeof(*r));
    if (!r)
        die("out of memory");
    start(r, what);
    const char *end = what->command ? over : prompt;
    uint64_t done = 0;
    bool more = true;
    if (what->command)
        begin_command(r, what->command);
    for (; done < what->stretches && more; done++) {
        cpu_set_trace(&r->m->pc->cpu, see_insn, r);
        more = run(r, what->length, end);
        cpu_set_trace(&r->m->pc->cpu, NULL, NULL);
        end_piece(r);
        more = more && run(r, what->interval - what->length, end);
    }
    write_pieces(r, out);
    fprintf(stderr, "sequences: %llu stretches of %llu instructions, %zu pieces%s\n", (unsigned long long)done,
            (unsigned long long)what->length, r->nodes, more ? "" : "; the program ended");
    machine_free(r->m);
    map_free(&r->child);
    map_free(&r->known);
    free(r->node);
    free(r);
}
