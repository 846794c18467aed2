/*
 * A machine: a board (struct pc), its media, its input queue and its run loop. Single-threaded: the
 * front end calls machine_run() in slices and does host work in between. Two machines can live in
 * one process.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include "disk/blk.h"
#include "machine/config.h"
#include "machine/input.h"
#include "machine/packets.h"
#include "machine/screen.h"
#include "machine/typist.h"

/* What the machine tells the host. Every callback may be NULL. */
struct machine_host {
    void *arg;
    void (*serial_out)(void *arg, unsigned port, uint8_t byte);
    void (*parallel_out)(void *arg, uint8_t byte);
    void (*debug_out)(void *arg, uint16_t port, uint8_t byte); /* 0x402, 0xE9 */
    void (*log_line)(void *arg, const char *line);
    void (*packet_out)(void *arg, unsigned nic, const uint8_t *frame, size_t len);
    uint64_t (*now)(void *arg); /* the host's clock, ns: for disk_ns, nothing that the guest sees */
    struct net *net;            /* the back ends, for the monitor; NULL: none */
};

/* Why machine_run() came back. */
enum machine_stop {
    MACHINE_SLICE,     /* the time or count asked for is reached, or much was done on the way */
    MACHINE_BREAK,     /* a breakpoint; the machine is stopped */
    MACHINE_STOPPED,   /* it is not running (monitor `stop`, -S) */
    MACHINE_POWEROFF,  /* the guest switched itself off */
    MACHINE_REBOOT,    /* the guest rebooted and -no-reboot was given */
    MACHINE_REPLAYED,  /* the recording is over, or the machine went another way (player_verdict) */
    MACHINE_DEAD_IDLE, /* halted with interrupts off and nothing that could wake it */
};

struct pc;
struct net;
struct recorder;
struct player;

struct machine {
    struct machine_config cfg;
    struct machine_host host;
    struct pc *pc;
    struct blk *floppy[FLOPPY_DRIVES];  /* NULL: empty */
    struct blk *ide[IDE_DRIVES];        /* NULL: an empty CD-ROM drive, or none */
    uint8_t floppy_type[FLOPPY_DRIVES]; /* enum floppy_drive_type: fixed when the machine is made */
    struct input_log input;
    struct recorder *recorder; /* writes every input event down; NULL: none */
    struct player *player;     /* all input comes from there, whatever is posted is dropped; NULL: none */
    struct buf serial_in[SERIAL_PORTS]; /* from the host, waiting for the UART */
    size_t serial_taken[SERIAL_PORTS];
    struct packet_queue packets[MAX_NICS]; /* from the host, waiting for the card */
    bool unplugged[MAX_NICS];              /* as the host has the cables now */
    struct typist typist;   /* what scripts and the monitor type */
    uint32_t trace_enabled; /* log.enabled of every board that is built */
    uint64_t stress_icount; /* stress build: of the last snapshot */
    vtime nap; /* machine_run() comes back after so long of a halted CPU; 0: no such limit */
    vtime wait_until; /* ... and when it has waited until then for anything but a disk or a typed line; 0: no limit */
    uint64_t disk_ns; /* host time that went into hard disks and CDs, of which no instruction is the cause */
    bool running;
    bool no_reboot;
    unsigned mouse_buttons; /* as the monitor last set them */
};

MUST_CHECK enum emu_err machine_new(const struct machine_config *cfg,
                                    const struct machine_host *host, struct machine **out,
                                    struct error *err);
void machine_free(struct machine *m);

/* Runs until virtual time `until` (VTIME_NEVER: no limit) or instruction count `until_icount`
 * (UINT64_MAX: none), whichever is first, or something stops it. With HLT, time jumps ahead to the
 * next event but never past `until`. Pending input is applied first. */
enum machine_stop machine_run(struct machine *m, vtime until, uint64_t until_icount);

/* Executes exactly n instructions (HLT counts as one) even while stopped. */
enum machine_stop machine_step(struct machine *m, uint64_t n);

vtime machine_now(const struct machine *m);
uint64_t machine_icount(const struct machine *m);
/* True while the CPU is halted and only a timer or input can go on (the host may sleep). */
bool machine_idle(const struct machine *m);
/* The CPU waits, wait_until has passed, and nothing that is sure to come before `until` ends it. */
bool machine_waited(const struct machine *m, vtime until);
/* When an IDE drive that is at work will be done; VTIME_NEVER: none is. */
vtime machine_disk_due(const struct machine *m);
/* Virtual time of the next event; VTIME_NEVER if none. */
vtime machine_next_event(const struct machine *m);

/* Does what is due at this instant: where input events apply, so that when the host asks makes no difference. */
void machine_settle(struct machine *m);

/* Posts an input event (see input.h); it is applied when the machine next runs. */
MUST_CHECK enum emu_err machine_post(struct machine *m, const struct input_event *ev,
                                     struct error *err);
void machine_key(struct machine *m, uint8_t hid, bool down);
void machine_mouse(struct machine *m, int dx, int dy, int dz, unsigned buttons);
/* Bytes for a serial port; they arrive at the pace of the line. */
void machine_serial_in(struct machine *m, unsigned port, const uint8_t *data, size_t len);
bool machine_serial_busy(const struct machine *m, unsigned port); /* some are still waiting */

/* A frame (without CRC) for a network card. It waits until the card has room; it is dropped, and counted,
 * where too many wait or nobody listens. */
void machine_packet_in(struct machine *m, unsigned nic, const uint8_t *frame, size_t len);
void machine_set_link(struct machine *m, unsigned nic, bool up);

/* Media. Drives are numbered floppies first, then IDE (MEDIA_IDE). The image is opened (and refused with a sentence)
 * before anything changes. `format` is "raw", "qcow2" or NULL: found out. */
MUST_CHECK enum emu_err machine_insert(struct machine *m, unsigned drive, const char *path, const char *format,
                                       bool readonly, struct error *err);
void machine_eject(struct machine *m, unsigned drive);
/* What is in a drive, or NULL. */
struct blk *machine_medium(const struct machine *m, unsigned drive);
/* Has the guest locked the drive's tray? */
bool machine_locked(const struct machine *m, unsigned drive);
/* The eject button of a locked drive: the guest is asked. */
void machine_press_eject(struct machine *m, unsigned drive);
/* A file that the user drops on the machine: into floppy drive 0 where it has a floppy's size, else into the first CD
 * drive. A locked tray is asked to open, which is an error here. */
MUST_CHECK enum emu_err machine_drop_file(struct machine *m, const char *path, struct error *err);
/* Writes everything that is buffered to the images. */
MUST_CHECK enum emu_err machine_flush(struct machine *m, struct error *err);

/* The picture and the text of the screen now. */
void machine_draw(struct machine *m, struct surface *out);
/* UTF-8, one line per row, trailing blanks trimmed; false: not in a text mode (the text says so).
 */
enum { SCREEN_TEXT_MAX = 40000 };
bool machine_screen_text(struct machine *m, char *text, size_t len);

/* Hash of the whole machine: devices, CPU, memory blocks. The same on every host. */
uint64_t machine_hash(struct machine *m);

/* Snapshot file (docs/FORMATS.md). Save: temporary file, fsync, rename. Load: builds a new board,
 * loads all, checks, then swaps; on error the running machine is untouched. */
MUST_CHECK enum emu_err machine_save(struct machine *m, const char *path, struct error *err);
MUST_CHECK enum emu_err machine_load(struct machine *m, const char *path, struct error *err);
/* The same in memory: appends to `out`; `name` is for the sentences. */
MUST_CHECK enum emu_err machine_save_to(struct machine *m, struct buf *out, struct error *err);
MUST_CHECK enum emu_err machine_load_from(struct machine *m, const void *data, size_t len,
                                          const char *name, struct error *err);

#endif
