/*
 * Recording and replaying: a guest that notes when it hears of each key, driven at odd instants and in slices of odd
 * lengths, is the same machine in the replay, whatever the slices are there; recordings that are damaged, or of another
 * machine, are refused or found out with a sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/pc.h"
#include "machine/record.h"
#include "tests/lib/rom_machine.h"

enum { NOTES = 0x1000, KEY_A = 4, HEADER = 30, EVENT = 37, LONGEST = 5000000 };

/* F000:0000  mov bx,1000h / again: inc edi / in al,64h / test al,1 / jz again / in al,60h / mov [bx],al / mov [bx+4],edi
 * / add bx,8 / jmp again */
static const uint8_t program[] = {0xbb, 0x00, 0x10, 0x66, 0x47, 0xe4, 0x64, 0xa8, 0x01, 0x74, 0xf8, 0xe4,
                                  0x60, 0x88, 0x07, 0x66, 0x89, 0x7f, 0x04, 0x83, 0xc3, 0x08, 0xeb, 0xeb};
/* hlt / jmp to it: time passes without instructions. */
static const uint8_t sleeper[] = {0xf4, 0xeb, 0xfd};

struct session {
    struct rom_machine r;
    char path[64];
    uint64_t hash; /* at the end of the recording */
};

static void ok(enum emu_err e, const struct error *err)
{
    if (e)
        fail_msg("%s", err->text);
}

static void run(struct machine *m, uint64_t insns) { machine_run(m, machine_now(m) + insns * 100, machine_icount(m) + insns); }

static void record(struct session *s, const uint8_t *code, size_t len)
{
    struct machine_host host = {0};
    struct error err = {""};
    rom_machine_new(&s->r, code, len, &host);
    snprintf(s->path, sizeof(s->path), "/tmp/retrace-record-XXXXXX");
    close(mkstemp(s->path));
    ok(recorder_open(s->path, s->r.m, &s->r.m->recorder, &err), &err);
    for (unsigned i = 0; i < 40; i++) {
        run(s->r.m, 100 + 577 * i);
        machine_key(s->r.m, (uint8_t)(KEY_A + i / 2), !(i & 1));
        struct input_event rate = {.kind = INPUT_RATE, .value = 65536ull * (100 + i % 3)}; /* a keyboard is slow */
        if (i % 8 == 0)
            ok(machine_post(s->r.m, &rate, &err), &err);
        if (i == 20)
            ok(machine_post(s->r.m, &(struct input_event){.kind = INPUT_RESET}, &err), &err);
    }
    run(s->r.m, 12345);
    struct recorder *rec = s->r.m->recorder;
    s->r.m->recorder = NULL;
    ok(recorder_close(rec, s->r.m, &err), &err);
    s->hash = machine_hash(s->r.m);
}

static void forget(struct session *s)
{
    remove(s->path);
    rom_machine_free(&s->r);
}

/* The same machine anew, in slices of `slice` instructions; what the player says in the end. */
static enum emu_err replay(const struct session *s, const char *path, uint64_t slice, struct machine **out,
                           struct error *sentence)
{
    struct machine_config cfg = s->r.m->cfg;
    struct machine_host host = {0};
    struct player *p;
    enum emu_err e = player_open(path, &cfg, &p, sentence);
    *out = NULL;
    if (e)
        return e;
    ok(machine_new(&cfg, &host, out, sentence), sentence);
    (*out)->player = p;
    e = player_start(p, *out, sentence);
    for (unsigned i = 0; !e && (*out)->running && machine_icount(*out) < LONGEST; i++) {
        machine_run(*out, VTIME_NEVER, machine_icount(*out) + slice);
        machine_key(*out, 30, i & 1); /* nobody listens */
    }
    if (!e)
        e = player_verdict(p, sentence);
    (*out)->player = NULL;
    player_close(p);
    return e;
}

static void must_replay(const struct session *s, uint64_t slice)
{
    struct machine *m;
    struct error err = {""};
    ok(replay(s, s->path, slice, &m, &err), &err);
    assert_true(machine_hash(m) == s->hash);
    assert_non_null(strstr(err.text, "the same machine"));
    machine_free(m);
}

static void a_busy_guest_replays_in_slices_of_any_length(void **state)
{
    struct session s;
    (void)state;
    record(&s, program, sizeof(program));
    assert_true(phys_read(s.r.m->pc->phys, NOTES, 1) != 0); /* it did hear keys */
    assert_true(phys_read(s.r.m->pc->phys, NOTES + 8, 1) != 0);
    must_replay(&s, 1000000);
    must_replay(&s, 777);
    must_replay(&s, 1);
    forget(&s);
}

static void a_halted_guest_replays(void **state)
{
    struct session s;
    (void)state;
    record(&s, sleeper, sizeof(sleeper));
    must_replay(&s, 1000);
    forget(&s);
}

static char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *data = malloc(1 << 20);
    assert_non_null(f);
    *len = fread(data, 1, 1 << 20, f);
    fclose(f);
    return data;
}

/* The recording with `len` bytes at `at` replaced, cut at `end`. */
static enum emu_err replay_altered(const struct session *s, size_t at, const void *bytes, size_t len, size_t end,
                                   struct error *sentence)
{
    char path[64] = "/tmp/retrace-record-XXXXXX";
    size_t size;
    char *data = slurp(s->path, &size);
    struct machine *m;
    assert_true(at + len <= size);
    memcpy(data + at, bytes, len);
    int fd = mkstemp(path);
    ssize_t n = (ssize_t)(end < size ? end : size);
    assert_int_equal(write(fd, data, (size_t)n), n);
    close(fd);
    enum emu_err e = replay(s, path, 5000, &m, sentence);
    machine_free(m);
    remove(path);
    free(data);
    return e;
}

static void expect_altered(const struct session *s, size_t at, const void *bytes, size_t len, size_t end, const char *words)
{
    struct error err = {""};
    assert_int_not_equal(replay_altered(s, at, bytes, len, end, &err), EMU_OK);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void damage_is_found_and_said(void **state)
{
    struct session s;
    size_t size;
    (void)state;
    record(&s, program, sizeof(program));
    free(slurp(s.path, &size));
    expect_altered(&s, 0, "X", 1, SIZE_MAX, "is no recording");
    expect_altered(&s, 8, "\2", 1, SIZE_MAX, "another version");
    expect_altered(&s, 12, "\x01\x02\x03", 3, SIZE_MAX, "not the machine that");
    expect_altered(&s, 0, "", 0, 10, "is no recording");
    expect_altered(&s, 0, "", 0, size - EVENT, "has no end");
    expect_altered(&s, 0, "", 0, size - 1, "incomplete");
    expect_altered(&s, size - 2 * EVENT + 1, "\x05", 1, SIZE_MAX, "not the recorded one"); /* another key */
    expect_altered(&s, HEADER + EVENT + 9, "\0\0\0\0\0\0\0\0", 8, SIZE_MAX, "went another way"); /* before the first */
    expect_altered(&s, size - EVENT + 25, "\0\1", 2, SIZE_MAX, "not the recorded one"); /* the hash in the mark */
    forget(&s);
}

/* A recording is a file from anybody: what no machine can have had never reaches the devices. */
static void impossible_inputs_are_refused(void **state)
{
    static const uint8_t bad[][2] = {{INPUT_SERIAL, SERIAL_PORTS}, {INPUT_PACKET, 0}, {INPUT_PACKET, MAX_NICS},
                                     {INPUT_LINK, 0},              {INPUT_LINK, 200}, {INPUT_INSERT, 0},
                                     {INPUT_INSERT, 99},           {INPUT_EJECT, 99}, {INPUT_RATE, 0},
                                     {INPUT_KINDS, 0},             {0xfe, 0}};
    static const uint8_t huge[4] = {0xff, 0xff, 0xff, 0xff};
    struct session s;
    (void)state;
    record(&s, program, sizeof(program));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_altered(&s, HEADER, bad[i], 2, SIZE_MAX, "cannot have had");
    expect_altered(&s, HEADER + 33, huge, 4, SIZE_MAX, "incomplete");
    expect_altered(&s, HEADER + 33, "\x08", 1, SIZE_MAX, "cannot have had"); /* a key with bytes */
    forget(&s);
}

static void any_byte_may_be_wrong(void **state)
{
    struct session s;
    size_t size;
    (void)state;
    record(&s, program, sizeof(program));
    free(slurp(s.path, &size));
    for (size_t at = 0; at < size && at < HEADER + 4 * EVENT; at++) {
        struct error err = {""};
        enum emu_err e = replay_altered(&s, at, (uint8_t[]){(uint8_t)(0xa5 ^ at)}, 1, SIZE_MAX, &err);
        assert_true(e == EMU_OK || err.text[0]);
    }
    forget(&s);
}

static void a_recording_that_cannot_be_written_is_said(void **state)
{
    struct session s;
    struct machine_host host = {0};
    struct recorder *rec;
    struct error err = {""};
    (void)state;
    rom_machine_new(&s.r, program, sizeof(program), &host);
    assert_int_equal(recorder_open("/nowhere/at/all", s.r.m, &rec, &err), EMU_IO);
    assert_non_null(strstr(err.text, "cannot write the recording"));
    if (access("/dev/full", W_OK) == 0) {
        ok(recorder_open("/dev/full", s.r.m, &rec, &err), &err);
        assert_int_equal(recorder_close(rec, s.r.m, &err), EMU_IO);
        assert_non_null(strstr(err.text, "it is not complete"));
    }
    rom_machine_free(&s.r);
}

static void snapshots_are_refused_meanwhile(void **state)
{
    struct session s;
    struct machine_host host = {0};
    struct error err = {""};
    (void)state;
    rom_machine_new(&s.r, program, sizeof(program), &host);
    snprintf(s.path, sizeof(s.path), "/tmp/retrace-record-XXXXXX");
    close(mkstemp(s.path));
    ok(recorder_open(s.path, s.r.m, &s.r.m->recorder, &err), &err);
    assert_int_equal(machine_load(s.r.m, "any", &err), EMU_ARG);
    assert_non_null(strstr(err.text, "being recorded"));
    struct recorder *rec = s.r.m->recorder;
    s.r.m->recorder = NULL;
    ok(recorder_close(rec, s.r.m, &err), &err);
    forget(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_guest_replays_in_slices_of_any_length),
        cmocka_unit_test(a_halted_guest_replays),
        cmocka_unit_test(damage_is_found_and_said),
        cmocka_unit_test(impossible_inputs_are_refused),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(a_recording_that_cannot_be_written_is_said),
        cmocka_unit_test(snapshots_are_refused_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
