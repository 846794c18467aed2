/* The machine: media, input queue, run loop. See machine.h; the board itself is pc.c. */
#include "machine/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk/image.h"
#include "machine/pc.h"
#include "machine/record.h"

/* --- construction --- */

/* A drive takes its type from the image that it starts with; drive B: exists if it has one. */
static enum emu_err choose_drives(struct machine *m, struct error *err)
{
    m->floppy_type[0] = FLOPPY_1440K;
    for (unsigned d = 0; d < FLOPPY_DRIVES; d++) {
        struct blk *image;
        bool readonly = true;
        if (!m->cfg.floppy_path[d])
            continue;
        enum emu_err e = pc_open_floppy(m, m->cfg.floppy_path[d], m->cfg.floppy_format[d], &readonly, &image, err);
        if (e)
            return e;
        m->floppy_type[d] = floppy_drive_type_for(image->size);
        blk_close(image, NULL);
    }
    return EMU_OK;
}

/* Hard disks and CDs that are in from the start; the board is made with them. */
static enum emu_err open_ide(struct machine *m, struct error *err)
{
    enum emu_err e = EMU_OK;
    for (unsigned d = 0; !e && d < IDE_DRIVES; d++) {
        const struct ide_config *c = &m->cfg.ide[d];
        bool readonly = c->readonly;
        if (c->present && c->path)
            e = pc_open_ide(m, d, c->path, c->format, &readonly, &m->ide[d], err);
    }
    return e;
}

static enum emu_err open_floppies(struct machine *m, struct error *err)
{
    for (unsigned d = 0; d < FLOPPY_DRIVES; d++) {
        if (!m->cfg.floppy_path[d])
            continue;
        enum emu_err e =
            machine_insert(m, d, m->cfg.floppy_path[d], m->cfg.floppy_format[d], m->cfg.floppy_readonly[d], err);
        if (e)
            return e;
    }
    return EMU_OK;
}

enum emu_err machine_new(const struct machine_config *cfg, const struct machine_host *host,
                         struct machine **out, struct error *err)
{
    enum emu_err e = machine_config_check(cfg, err);
    if (e)
        return e;
    struct machine *m = calloc(1, sizeof(*m));
    if (!m)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    m->cfg = *cfg;
    m->host = *host;
    m->running = true;
    e = choose_drives(m, err);
    if (!e)
        e = open_ide(m, err);
    if (!e)
        e = pc_new(m, &m->pc, err);
    if (!e)
        e = open_floppies(m, err);
    if (e) {
        machine_free(m);
        return e;
    }
    *out = m;
    return EMU_OK;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    pc_free(m->pc);
    for (unsigned d = 0; d < FLOPPY_DRIVES; d++)
        blk_close(m->floppy[d], NULL);
    for (unsigned d = 0; d < IDE_DRIVES; d++)
        blk_close(m->ide[d], NULL);
    input_free(&m->input);
    typist_free(&m->typist);
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        buf_free(&m->serial_in[i]);
    for (unsigned i = 0; i < MAX_NICS; i++)
        packets_free(&m->packets[i]);
    free(m);
}

/* --- input --- */

static enum emu_err open_medium(const struct machine *m, unsigned drive, const char *path,
                                const char *format, bool *readonly, struct blk **out, struct error *err)
{
    return drive < MEDIA_IDE ? pc_open_floppy(m, path, format, readonly, out, err)
                             : pc_open_ide(m, drive - MEDIA_IDE, path, format, readonly, out, err);
}

/* What an input event says of a format. */
static const char *const image_formats[] = {NULL, "raw", "qcow2"};

static struct blk **medium_of(struct machine *m, unsigned drive)
{
    return drive < MEDIA_IDE ? &m->floppy[drive] : &m->ide[drive - MEDIA_IDE];
}

struct blk *machine_medium(const struct machine *m, unsigned drive)
{
    return drive < MEDIA_IDE ? m->floppy[drive] : m->ide[drive - MEDIA_IDE];
}

/* Whether the drive already holds this image. */
static bool in_drive(const struct machine *m, unsigned drive, const char *path)
{
    const struct blk *medium = machine_medium(m, drive);
    return medium && image_same_file(medium->name, path);
}

static void remove_medium(struct machine *m, unsigned drive)
{
    if (drive < MEDIA_IDE)
        pc_eject_floppy(m->pc, drive);
    else
        pc_set_cdrom(m->pc, drive - MEDIA_IDE, NULL);
    blk_close(*medium_of(m, drive), NULL);
    *medium_of(m, drive) = NULL;
}

static void apply_insert(struct machine *m, const struct input_event *ev)
{
    struct blk *image = NULL;
    struct error err;
    unsigned drive = ev->a;
    bool readonly = ev->b != 0;
    const char *format = image_formats[ev->value % ARRAY_LEN(image_formats)];
    if (in_drive(m, drive, ev->text))
        remove_medium(m, drive); /* it cannot be opened twice */
    enum emu_err e = open_medium(m, drive, ev->text, format, &readonly, &image, &err);
    if (!e && drive < MEDIA_IDE)
        e = pc_insert_floppy(m->pc, drive, image, readonly, &err);
    else if (!e)
        pc_set_cdrom(m->pc, drive - MEDIA_IDE, image);
    if (e) {
        blk_close(image, NULL);
        log_guest(&m->pc->log, "media", "%s", err.text);
        return;
    }
    blk_close(*medium_of(m, drive), NULL);
    *medium_of(m, drive) = image;
}

static void apply_eject(struct machine *m, const struct input_event *ev)
{
    unsigned drive = ev->a, ide = drive - MEDIA_IDE;
    if (!ev->b)
        remove_medium(m, drive);
    else if (drive >= MEDIA_IDE)
        ata_request_eject(&m->pc->ide[ide / ATA_DRIVES], ide % ATA_DRIVES);
}

void machine_settle(struct machine *m)
{
    struct pc *pc = m->pc;
    clock_run_due(&pc->clk);
    if (pc->reset_requested && !pc->poweroff_requested && !m->no_reboot) {
        pc->reset_requested = false;
        pc_reset(pc, RESET_HARD);
    }
}

/* At an instant where nothing else is due: what was is done first. So where slices end, which depends on the host, makes
 * no difference, and a replay finds the same order. */
static void apply_input(struct machine *m, struct input_event *ev)
{
    machine_settle(m);
    struct pc *pc = m->pc;
    ev->icount = pc->clk.st.icount;
    ev->when = clock_now(&pc->clk);
    if (m->recorder)
        recorder_event(m->recorder, ev);
    if (trace_on(&pc->log, TRACE_INPUT))
        trace_line(&pc->log, TRACE_INPUT, "kind %d a=%u b=%u x=%d y=%d z=%d value=%llu", ev->kind,
                   ev->a, ev->b, ev->x, ev->y, ev->z, (unsigned long long)ev->value);
    switch (ev->kind) {
    case INPUT_KEY: ps2_kbd_key(&pc->keyboard, ev->a, ev->b != 0); break;
    case INPUT_MOUSE: ps2_mouse_move(&pc->mouse, ev->x, ev->y, ev->z, ev->a); break;
    case INPUT_SERIAL: ns16550_receive(&pc->serial[ev->a], ev->b); break;
    case INPUT_RESET: pc_reset(pc, RESET_HARD); break;
    case INPUT_POWERDOWN: pc_power_button(pc); break;
    case INPUT_NMI: pc_pulse_nmi(pc); break;
    case INPUT_RATE: clock_set_rate(&pc->clk, ev->value); break;
    case INPUT_INSERT: apply_insert(m, ev); break;
    case INPUT_EJECT: apply_eject(m, ev); break;
    case INPUT_PACKET: pc_packet_in(pc, ev->a, (const uint8_t *)ev->text, ev->len); break;
    case INPUT_LINK: pc_set_link(pc, ev->a, ev->b != 0); break;
    case INPUT_KINDS: break;
    }
}

static void drain_input(struct machine *m)
{
    while (m->input.applied < m->input.count) {
        apply_input(m, &m->input.event[m->input.applied++]);
        input_forget(&m->input);
    }
}

/* Strokes of the typist that are due become input. */
static void type_due(struct machine *m)
{
    vtime now = machine_now(m);
    while (typist_due(&m->typist) <= now) {
        struct typist_stroke s = typist_take(&m->typist, now);
        machine_key(m, s.hid, s.down);
    }
}

enum emu_err machine_post(struct machine *m, const struct input_event *ev, struct error *err)
{
    return m->player ? EMU_OK : input_post(&m->input, ev, err);
}

/* Input that may be lost when the host has no memory, as a key is when a buffer is full. */
static void post(struct machine *m, struct input_event ev)
{
    struct error err;
    if (machine_post(m, &ev, &err))
        log_guest(&m->pc->log, "input", "%s", err.text);
}

void machine_key(struct machine *m, uint8_t hid, bool down)
{
    post(m, (struct input_event){.kind = INPUT_KEY, .a = hid, .b = down});
}

static int16_t clamp16(int v)
{
    return (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
}

void machine_mouse(struct machine *m, int dx, int dy, int dz, unsigned buttons)
{
    post(m, (struct input_event){.kind = INPUT_MOUSE,
                                 .a = (uint8_t)buttons,
                                 .x = clamp16(dx),
                                 .y = clamp16(dy),
                                 .z = clamp16(dz)});
}

void machine_serial_in(struct machine *m, unsigned port, const uint8_t *data, size_t len)
{
    buf_put(&m->serial_in[port], data, len);
}

bool machine_serial_busy(const struct machine *m, unsigned port)
{
    return m->serial_taken[port] < m->serial_in[port].len;
}

/* Gives each UART that can take one its next byte; the end of that byte's transmission is a
 * deadline of the UART, so the next one follows in time. */
static void feed_serial(struct machine *m)
{
    for (unsigned i = 0; i < SERIAL_PORTS; i++) {
        if (!machine_serial_busy(m, i) || !ns16550_room(&m->pc->serial[i]))
            continue;
        uint8_t byte = m->serial_in[i].data[m->serial_taken[i]++];
        post(m, (struct input_event){.kind = INPUT_SERIAL, .a = (uint8_t)i, .b = byte});
        if (!machine_serial_busy(m, i))
            m->serial_in[i].len = m->serial_taken[i] = 0;
    }
}

/* A card that is off takes nothing: such a frame would be one more thing to record, for no effect. */
void machine_packet_in(struct machine *m, unsigned nic, const uint8_t *frame, size_t len)
{
    struct packet_queue *q = &m->packets[nic];
    if (!q->count)
        q->waiting_since = machine_now(m);
    if (!pc_nic_listens(m->pc, nic) || !packets_put(q, frame, len))
        q->dropped++;
}

void machine_set_link(struct machine *m, unsigned nic, bool up)
{
    m->unplugged[nic] = !up;
    post(m, (struct input_event){.kind = INPUT_LINK, .a = (uint8_t)nic, .b = up});
}

/* A guest that takes nothing for so long gets its frames all the same: its card sees an overflow. */
enum { PATIENCE_NS = 20000000 };

static void give_packet(struct machine *m, unsigned nic)
{
    struct packet_queue *q = &m->packets[nic];
    const struct packet *p = packets_first(q);
    post(m, (struct input_event){
                .kind = INPUT_PACKET, .a = (uint8_t)nic, .text = (char *)p->data, .len = p->len});
    packets_drop_first(q);
    q->waiting_since = machine_now(m);
    drain_input(m);
}

/* Gives each card the frames that it can take now. */
static void feed_network(struct machine *m)
{
    for (unsigned i = 0; i < m->cfg.nics; i++) {
        struct packet_queue *q = &m->packets[i];
        const struct packet *p = packets_first(q);
        if (!p)
            continue;
        bool attends = pc_nic_attends(m->pc, i);
        if (!attends && machine_now(m) - q->waiting_since > PATIENCE_NS)
            give_packet(m, i);
        while (attends && (p = packets_first(q)) &&
               (pc_nic_ready(m->pc, i, p->len) || machine_now(m) - q->waiting_since > PATIENCE_NS))
            give_packet(m, i);
    }
}

/* --- media --- */

/* Can media be put into this drive? */
static enum emu_err check_changeable(const struct machine *m, unsigned drive, struct error *err)
{
    if (drive < MEDIA_IDE || m->cfg.ide[drive - MEDIA_IDE].cdrom)
        return EMU_OK;
    return error_set(err, EMU_ARG, "%s is no drive with changeable media",
                     pc_ide_name(m, drive - MEDIA_IDE));
}

bool machine_locked(const struct machine *m, unsigned drive)
{
    unsigned d = drive - MEDIA_IDE;
    return drive >= MEDIA_IDE && ata_locked(&m->pc->ide[d / ATA_DRIVES], d % ATA_DRIVES);
}

static unsigned format_number(const char *format)
{
    unsigned i = 0;
    while (format && ++i < ARRAY_LEN(image_formats) && strcmp(image_formats[i], format) != 0)
        ;
    return i;
}

enum emu_err machine_insert(struct machine *m, unsigned drive, const char *path, const char *format,
                            bool readonly, struct error *err)
{
    unsigned number = format_number(format);
    struct blk *probe = NULL; /* refuse a bad image now, while the old one is still in */
    bool ro = readonly;
    enum emu_err e = check_changeable(m, drive, err);
    if (!e && number == ARRAY_LEN(image_formats))
        return error_set(err, EMU_ARG, "%s: there is no image format \"%s\" here; raw and qcow2 do", path, format);
    if (!e && !in_drive(m, drive, path))
        e = open_medium(m, drive, path, format, &ro, &probe, err);
    blk_close(probe, NULL);
    if (e)
        return e;
    struct input_event ev = {
        .kind = INPUT_INSERT, .a = (uint8_t)drive, .b = readonly, .value = number, .text = (char *)path};
    e = machine_post(m, &ev, err);
    if (!e)
        drain_input(m);
    return e;
}

void machine_eject(struct machine *m, unsigned drive)
{
    struct error err;
    if (check_changeable(m, drive, &err))
        return;
    post(m, (struct input_event){.kind = INPUT_EJECT, .a = (uint8_t)drive});
    drain_input(m);
}

void machine_press_eject(struct machine *m, unsigned drive)
{
    post(m, (struct input_event){.kind = INPUT_EJECT, .a = (uint8_t)drive, .b = 1});
    drain_input(m);
}

enum emu_err machine_drop_file(struct machine *m, const char *path, struct error *err)
{
    enum emu_err e = machine_insert(m, 0, path, NULL, false, err);
    unsigned d = 0;
    if (e != EMU_FORMAT)
        return e;
    while (d < IDE_DRIVES && !(m->cfg.ide[d].present && m->cfg.ide[d].cdrom))
        d++;
    if (d == IDE_DRIVES)
        return error_set(err, EMU_ARG, "%s has no floppy's size, and the machine has no CD drive (-cdrom)", path);
    if (!machine_locked(m, MEDIA_IDE + d))
        return machine_insert(m, MEDIA_IDE + d, path, NULL, true, err);
    machine_press_eject(m, MEDIA_IDE + d);
    return error_set(err, EMU_ARG, "the guest has locked the CD drive and was asked to eject; drop the file again");
}

enum emu_err machine_flush(struct machine *m, struct error *err)
{
    enum emu_err first = EMU_OK;
    for (unsigned d = 0; d < MEDIA_DRIVES; d++) {
        struct blk *b = machine_medium(m, d);
        enum emu_err e = b ? blk_flush(b, first ? NULL : err) : EMU_OK;
        if (!first)
            first = e;
    }
    return first;
}

/* --- replay --- */

/* Applies what the recording has for this instant; false: it is over. */
static bool replay_due(struct machine *m)
{
    uint64_t icount;
    vtime when;
    while (player_next(m->player, &icount, &when)) {
        uint64_t now_icount = machine_icount(m);
        vtime now = machine_now(m);
        if (icount > now_icount || (icount == now_icount && when > now))
            return true;
        if (icount < now_icount || when < now) {
            player_lost(m->player, m);
            break;
        }
        machine_settle(m);
        struct input_event *ev = player_take(m->player, m);
        if (ev)
            apply_input(m, ev);
    }
    m->running = false;
    return false;
}

/* The run must come back at the next recorded instant: a count or, while the CPU waits, a time. */
static void limit_to_replay(const struct machine *m, vtime *until, uint64_t *until_icount)
{
    uint64_t icount;
    vtime when;
    if (!m->player || !player_next(m->player, &icount, &when))
        return;
    if (icount > machine_icount(m))
        *until_icount = icount < *until_icount ? icount : *until_icount;
    else
        *until = when < *until ? when : *until;
}

/* --- running --- */

vtime machine_now(const struct machine *m) { return clock_now(&m->pc->clk); }

uint64_t machine_icount(const struct machine *m) { return m->pc->clk.st.icount; }

bool machine_idle(const struct machine *m) { return m->pc->cpu.st.halted; }

vtime machine_disk_due(const struct machine *m)
{
    vtime due = VTIME_NEVER;
    for (unsigned n = 0; n < IDE_DRIVES / ATA_DRIVES; n++) {
        vtime at = ata_due(&m->pc->ide[n]);
        due = at < due ? at : due;
    }
    return due;
}

vtime machine_next_event(const struct machine *m) { return clock_next_due(&m->pc->clk); }

/* What devices asked of the board during the last stretch; true: *stop says why to come back. */
static bool board_requests(struct machine *m, enum machine_stop *stop)
{
    struct pc *pc = m->pc;
    if (pc->poweroff_requested) {
        m->running = false;
        *stop = MACHINE_POWEROFF;
        return true;
    }
    if (pc->stop_requested) {
        pc->stop_requested = false;
        m->running = false;
        *stop = MACHINE_STOPPED;
        return true;
    }
    if (!pc->reset_requested)
        return false;
    pc->reset_requested = false;
    if (m->no_reboot) {
        m->running = false;
        *stop = MACHINE_REBOOT;
        return true;
    }
    pc_reset(pc, RESET_HARD);
    return false;
}

static uint64_t run_limit(const struct pc *pc, vtime until, uint64_t until_icount)
{
    vtime due = clock_next_due(&pc->clk);
    uint64_t limit = clock_icount_at(&pc->clk, due < until ? due : until);
#ifdef STRESS /* odd slices: where one ends must not matter */
    uint64_t now = pc->clk.st.icount, slice = now + 1 + (now * 2654435761u >> 20) % 2000;
    limit = limit < slice ? limit : slice;
#endif
    return limit < until_icount ? limit : until_icount;
}

/* The CPU waits: move time to the next event, but no further than the caller wants in one go. */
static bool nap(struct machine *m, vtime until)
{
    vtime end = machine_now(m) + m->nap;
    if (!m->nap || end >= until || end >= clock_next_due(&m->pc->clk))
        return false;
    clock_skip_to(&m->pc->clk, end);
    return true;
}

/* Nobody has to wait for what the machine has got already: a disk at work, bytes on their way to the UART. */
static bool will_go_on(const struct machine *m, vtime until)
{
    bool sure = machine_disk_due(m) < until;
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        sure |= machine_serial_busy(m, i);
    return sure;
}

bool machine_waited(const struct machine *m, vtime until)
{
    return machine_idle(m) && m->wait_until && machine_now(m) >= m->wait_until && !will_go_on(m, until);
}

/* The CPU waits: how far the clock may jump. */
static vtime wait_end(const struct machine *m, vtime until)
{
    bool limited = m->wait_until && m->wait_until < until && !will_go_on(m, until);
    return limited ? m->wait_until : until;
}

/* The CPU waits: move time to the next event. False: nothing will ever happen. */
static bool skip_idle(struct pc *pc, vtime until)
{
    vtime due = clock_next_due(&pc->clk);
    if (due == VTIME_NEVER && until == VTIME_NEVER)
        return false;
    clock_skip_to(&pc->clk, due < until ? due : until);
    return true;
}

#ifdef STRESS
/* The stress build lives through a snapshot every so often; a guest cannot tell. */
static void stress_snapshot(struct machine *m)
{
    enum { EVERY = 2000000 };
    struct buf b = {0};
    struct error err = {""};
    if (machine_icount(m) - m->stress_icount < EVERY)
        return;
    m->stress_icount = machine_icount(m);
    enum emu_err e = machine_save_to(m, &b, &err);
    if (!e)
        e = machine_load_from(m, b.data, b.len, "stress snapshot", &err);
    buf_free(&b);
    if (e)
        log_guest(&m->pc->log, "stress", "%s", err.text);
    ASSERT(!e);
}
#endif

/* One stretch up to the next deadline; true: come back with *stop. */
static bool run_stretch(struct machine *m, vtime until, uint64_t until_icount,
                        enum machine_stop *stop)
{
    struct pc *pc = m->pc;
    pc->clk.deadline_moved = false;
    switch (cpu_run(&pc->cpu, run_limit(pc, until, until_icount))) {
    case CPU_BREAK:
        m->running = false;
        *stop = MACHINE_BREAK;
        return true;
    case CPU_HALTED:
        if (machine_waited(m, until) || nap(m, until)) {
            *stop = MACHINE_SLICE;
            return true;
        }
        if (!skip_idle(pc, wait_end(m, until))) {
            *stop = MACHINE_DEAD_IDLE;
            return true;
        }
        return false;
    case CPU_SHUTDOWN: pc->reset_requested = true; return false;
    default: return false;
    }
}

/* What is due, with the host's time for it if a drive is among it: files and copies, not instructions. */
static void run_due(struct machine *m)
{
    bool disk = m->host.now && machine_disk_due(m) <= machine_now(m);
    uint64_t start = disk ? m->host.now(m->host.arg) : 0;
    clock_run_due(&m->pc->clk);
    if (disk)
        m->disk_ns += m->host.now(m->host.arg) - start;
}

enum machine_stop machine_run(struct machine *m, vtime until, uint64_t until_icount)
{
    enum machine_stop stop;
    for (;;) {
        type_due(m);
        feed_serial(m);
        drain_input(m);
        feed_network(m);
        if (!m->running)
            return MACHINE_STOPPED;
        if (m->player && !replay_due(m))
            return MACHINE_REPLAYED;
        run_due(m);
        if (board_requests(m, &stop))
            return stop;
        if (machine_now(m) >= until || machine_icount(m) >= until_icount)
            return MACHINE_SLICE;
#ifdef STRESS
        stress_snapshot(m);
#endif
        vtime typing = typist_due(&m->typist), end = typing < until ? typing : until;
        uint64_t end_icount = until_icount;
        limit_to_replay(m, &end, &end_icount);
        if (run_stretch(m, end, end_icount, &stop))
            return stop;
        if (m->pc->bulk_moved >= PC_BULK_TURN) {
            m->pc->bulk_moved = 0;
            return MACHINE_SLICE;
        }
    }
}

enum machine_stop machine_step(struct machine *m, uint64_t n)
{
    enum machine_stop stop = MACHINE_SLICE;
    drain_input(m);
    for (; n; n--) {
        struct pc *pc = m->pc;
        clock_run_due(&pc->clk);
        if (board_requests(m, &stop))
            return stop;
        enum cpu_stop s = cpu_step(&pc->cpu);
        if (s == CPU_HALTED && !skip_idle(pc, VTIME_NEVER))
            return MACHINE_DEAD_IDLE;
        if (s == CPU_SHUTDOWN)
            pc->reset_requested = true;
    }
    clock_run_due(&m->pc->clk);
    board_requests(m, &stop);
    return stop;
}

/* --- the screen --- */

void machine_draw(struct machine *m, struct surface *out)
{
    struct error err;
    if (vga_draw(&m->pc->vga, machine_now(m), out, &err))
        log_guest(&m->pc->log, "vga", "%s", err.text);
}

bool machine_screen_text(struct machine *m, char *text, size_t len)
{
    if (vga_text(&m->pc->vga, text, len))
        return true;
    snprintf(text, len, "(graphics mode)\n");
    return false;
}
