/*
 * The monitor's words against a machine that runs a tiny ROM. The forms of the answers are those of
 * QEMU 7.2's monitor, where it has the word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/qcow2.h"
#include "machine/monitor.h"
#include "tests/lib/rom_machine.h"

/* F000:0000  mov ax, 1000h / mov ds, ax / L: inc word [0] / jmp L */
static const uint8_t program[] = {0xb8, 0x00, 0x10, 0x8e, 0xd8, 0xff, 0x06, 0x00, 0x00, 0xeb, 0xfa};

struct fixture {
    struct rom_machine r;
    struct machine *m;
    struct monitor mon;
    char dir[64], image[80], file[80];
    char said[65536];
};

static void hear(void *arg, const char *text)
{
    struct fixture *f = arg;
    size_t n = strlen(f->said);
    snprintf(f->said + n, sizeof(f->said) - n, "%s", text);
}

static void write_file(const char *path, size_t size)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    for (size_t i = 0; i < size; i++)
        fputc(0, out);
    assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct machine_host host = {0};
    rom_machine_new(&f->r, program, sizeof(program), &host);
    f->m = f->r.m;
    monitor_init(&f->mon, f->m, hear, f);
    strcpy(f->dir, "/tmp/retrace-monitor-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->image, sizeof(f->image), "%s/floppy.img", f->dir);
    snprintf(f->file, sizeof(f->file), "%s/out", f->dir);
    write_file(f->image, 368640);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    rom_machine_free(&f->r);
    remove(f->image);
    remove(f->file);
    rmdir(f->dir);
    free(f);
    return 0;
}

/* The answer to a line. */
static const char *answer(struct fixture *f, const char *line)
{
    struct error err;
    f->said[0] = 0;
    monitor_line(&f->mon, line, &err);
    return f->said;
}

static void expect(struct fixture *f, const char *line, const char *text)
{
    if (!strstr(answer(f, line), text))
        fail_msg("\"%s\" answers \"%s\", not \"%s\"", line, f->said, text);
}

static void expect_exactly(struct fixture *f, const char *line, const char *text)
{
    assert_string_equal(answer(f, line), text);
}

static void run_to(struct machine *m, uint64_t icount)
{
    while (machine_icount(m) < icount)
        assert_int_equal(machine_run(m, VTIME_NEVER, icount), MACHINE_SLICE);
}

static size_t size_of(const char *path)
{
    FILE *in = fopen(path, "rb");
    size_t n = 0;
    while (in && fgetc(in) != EOF)
        n++;
    if (in)
        fclose(in);
    return n;
}

/* --- splitting --- */

static int split(char *line, const char *text, char **word, int max)
{
    strcpy(line, text);
    return monitor_split(line, word, max);
}

static void blanks_separate_words(void **state)
{
    char line[100], *w[4];
    (void)state;
    assert_int_equal(split(line, "  change\tfloppy0   a.img \r", w, 4), 3);
    assert_string_equal(w[0], "change");
    assert_string_equal(w[1], "floppy0");
    assert_string_equal(w[2], "a.img");
    assert_int_equal(split(line, "", w, 4), 0);
    assert_int_equal(split(line, " \t ", w, 4), 0);
}

static void quotes_keep_blanks_and_quotes(void **state)
{
    char line[100], *w[4];
    (void)state;
    assert_int_equal(split(line, "type \"a b\" c", w, 4), 3);
    assert_string_equal(w[1], "a b");
    assert_string_equal(w[2], "c");
    assert_int_equal(split(line, "type \"say \\\"hi\\\"\"", w, 4), 2);
    assert_string_equal(w[1], "say \"hi\"");
    assert_int_equal(split(line, "type \"\"", w, 4), 2);
    assert_string_equal(w[1], "");
}

/* The typist reads \n and \\; a backslash at the end of the text does not swallow the quote. */
static void other_escapes_stay_for_the_word(void **state)
{
    char line[100], *w[4];
    (void)state;
    assert_int_equal(split(line, "type \"cd \\\\\"", w, 4), 2);
    assert_string_equal(w[1], "cd \\\\");
    assert_int_equal(split(line, "type \"ver\\n\"", w, 4), 2);
    assert_string_equal(w[1], "ver\\n");
}

static void an_unfinished_quote_is_refused(void **state)
{
    char line[100], *w[4];
    (void)state;
    assert_int_equal(split(line, "type \"abc", w, 4), -1);
    assert_int_equal(split(line, "type \"abc\\\"", w, 4), -1);
}

static void no_more_words_than_asked_for(void **state)
{
    char line[100], *w[2];
    (void)state;
    assert_int_equal(split(line, "a b c d", w, 2), 2);
    assert_string_equal(w[1], "b");
}

/* --- mistakes --- */

static void an_unknown_word_names_the_nearest(void **state)
{
    struct fixture *f = *state;
    struct error err;
    expect(f, "screendmup x", "did you mean \"screendump\"");
    expect(f, "info registres", "did you mean \"info registers\"");
    expect(f, "info state pitt", "did you mean \"pit\"");
    expect(f, "sendkey ctrl-delte", "did you mean \"delete\"");
    assert_int_not_equal(monitor_run(&f->mon, "frobnicate", &err), EMU_OK);
    assert_non_null(strstr(err.text, "frobnicate"));
}

static void too_few_and_too_many_words_get_the_usage(void **state)
{
    struct fixture *f = *state;
    expect_exactly(f, "pmemsave 0 16", "usage: pmemsave ADDR LEN FILE\n");
    expect_exactly(f, "stop now", "usage: stop \n");
    expect_exactly(f, "type hello world", "usage: type \"TEXT\"\n");
    assert_true(f->m->running);
}

static void a_line_that_is_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    char line[2000];
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = 0;
    expect(f, line, "longer than");
}

/* --- running --- */

static void stop_cont_and_quit(void **state)
{
    struct fixture *f = *state;
    expect_exactly(f, "info status", "VM status: running\n");
    expect_exactly(f, "stop", "");
    assert_int_equal(machine_run(f->m, VTIME_NEVER, 100), MACHINE_STOPPED);
    expect_exactly(f, "info status", "VM status: paused\n");
    expect_exactly(f, "c", "");
    assert_int_equal(machine_run(f->m, VTIME_NEVER, 100), MACHINE_SLICE);
    assert_false(f->mon.quit);
    expect_exactly(f, "q", "");
    assert_true(f->mon.quit);
}

static void step_shows_the_next_instruction(void **state)
{
    struct fixture *f = *state;
    expect(f, "step", "f000:00000000  b8 00 10"); /* behind the jump of the reset vector */
    expect(f, "step 2", "f000:00000005  ff 06 00 00");
    assert_int_equal(machine_icount(f->m), 3);
    assert_false(f->m->running);
}

static void an_empty_line_repeats_step_and_x_but_nothing_else(void **state)
{
    struct fixture *f = *state;
    answer(f, "step");
    answer(f, "");
    assert_int_equal(machine_icount(f->m), 2);
    expect(f, "x/1xb 0xf0000", "0xb8");
    expect(f, "", "0xb8");
    answer(f, "info status");
    expect_exactly(f, "", "");
    answer(f, "step x");
    expect_exactly(f, "", "");
    answer(f, "nonsense");
    expect_exactly(f, "", "");
    assert_int_equal(machine_icount(f->m), 2);
}

static void a_breakpoint_stops_before_its_instruction(void **state)
{
    struct fixture *f = *state;
    char where[200];
    expect_exactly(f, "b 0xf000:9", "");
    expect_exactly(f, "b", "1  0x000f0009\n");
    assert_int_equal(machine_run(f->m, VTIME_NEVER, 1000), MACHINE_BREAK);
    expect_exactly(f, "p $eip", "0x9\n");
    assert_int_equal(machine_icount(f->m), 4);
    monitor_where(f->m, where, sizeof(where));
    assert_non_null(strstr(where, "f000:00000009  eb fa"));
    answer(f, "cont"); /* the loop comes round: inc and jmp */
    assert_int_equal(machine_run(f->m, VTIME_NEVER, 1000), MACHINE_BREAK);
    assert_int_equal(machine_icount(f->m), 6);
    expect_exactly(f, "del 0xf0009", "");
    expect(f, "del 0xf0009", "no breakpoint");
    answer(f, "cont");
    assert_int_equal(machine_run(f->m, VTIME_NEVER, 1000), MACHINE_SLICE);
}

static void breakpoints_are_limited_in_number(void **state)
{
    struct fixture *f = *state;
    char line[40];
    for (int i = 0; i < CPU_BREAKPOINTS; i++) {
        snprintf(line, sizeof(line), "b %d", i + 1);
        expect_exactly(f, line, "");
    }
    expect(f, "b 0x1234", "no more than");
}

/* --- looking --- */

static void values_and_memory(void **state)
{
    struct fixture *f = *state;
    run_to(f->m, 10);
    expect_exactly(f, "p 2 + 3 * 4", "0xe\n");
    expect_exactly(f, "print /d 0x10", "16\n");
    expect_exactly(f, "p $ds:2", "0x10002\n");
    expect(f, "xp/4xb 0xf0000", ": 0xb8 0x00 0x10 0x8e\n");
    expect(f, "xp /2xh 0xf0000", ": 0x00b8 0x8e10\n");
    expect(f, "x/1i 0xf0000", "mov ax, 0x1000");
    expect(f, "x/1xq 0", "no format");
    expect(f, "x/1xw $foo", "no such register");
    expect(f, "p 1 +", "number or $register is missing");
}

static void every_subject_has_an_answer(void **state)
{
    static const char *const subjects[] = {"registers", "hash", "cpus", "pic", "pci", "mtree", "block", "version"};
    struct fixture *f = *state;
    char line[40];
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
        snprintf(line, sizeof(line), "info %s", subjects[i]);
        assert_string_not_equal(answer(f, line), "");
    }
    expect(f, "info registers", "EAX=00000000 EBX=00000000");
    expect(f, "info block", "floppy0: [not inserted]\n");
    expect(f, "info help", "info registers");
}

static void the_state_of_every_device_prints(void **state)
{
    struct fixture *f = *state;
    char line[80];
    answer(f, "info state");
    for (struct device *d = f->m->pc->devices; d; d = d->next) {
        assert_non_null(strstr(f->said, d->id));
    }
    for (struct device *d = f->m->pc->devices; d; d = d->next) {
        snprintf(line, sizeof(line), "info state %s", d->id);
        assert_string_not_equal(answer(f, line), "");
    }
}

static void help_describes_every_word(void **state)
{
    struct fixture *f = *state;
    char all[16384];
    snprintf(all, sizeof(all), "%.16383s", answer(f, "help"));
    assert_non_null(strstr(all, "screendump FILE -- "));
    for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n"))
        assert_non_null(strstr(line, " -- "));
    expect(f, "help savevm", "savevm FILE -- ");
    expect(f, "help savvm", "did you mean");
}

/* --- files --- */

static void memory_is_saved_as_it_is(void **state)
{
    struct fixture *f = *state;
    char line[200];
    uint8_t got[16];
    snprintf(line, sizeof(line), "pmemsave 0xf0000 11 %s", f->file);
    expect_exactly(f, line, "");
    FILE *in = fopen(f->file, "rb");
    assert_int_equal(fread(got, 1, sizeof(got), in), 11);
    fclose(in);
    assert_memory_equal(got, program, 11);
    snprintf(line, sizeof(line), "memsave 0xf0000 70000 %s", f->file); /* longer than its buffer */
    expect_exactly(f, line, "");
    assert_int_equal(size_of(f->file), 70000);
}

static void a_save_that_fails_keeps_the_older_file(void **state)
{
    struct fixture *f = *state;
    char line[200];
    write_file(f->file, 5);
    snprintf(line, sizeof(line), "pmemsave 0 0x200000000 %s", f->file);
    expect(f, line, "4 GiB");
    assert_int_equal(size_of(f->file), 5);
    expect(f, "pmemsave 0 16 /nowhere/file", "cannot write /nowhere/file");
    expect(f, "screendump /nowhere/shot.ppm", "cannot write");
    expect(f, "savevm /nowhere/machine", "nowhere");
}

static void a_loaded_machine_is_the_saved_one(void **state)
{
    struct fixture *f = *state;
    char line[200], hash[100];
    run_to(f->m, 5000);
    snprintf(hash, sizeof(hash), "%.99s", answer(f, "info hash"));
    snprintf(line, sizeof(line), "savevm %s", f->file);
    expect_exactly(f, line, "");
    run_to(f->m, 6000);
    assert_string_not_equal(answer(f, "info hash"), hash);
    snprintf(line, sizeof(line), "loadvm %s", f->file);
    expect_exactly(f, line, "");
    expect_exactly(f, "info hash", hash);
}

/* --- input and media --- */

static void count_keys(const struct machine *m, unsigned *downs, unsigned *ups)
{
    *downs = *ups = 0;
    for (size_t i = 0; i < m->input.applied; i++) {
        const struct input_event *ev = &m->input.event[i];
        if (ev->kind == INPUT_KEY)
            ++*(ev->b ? downs : ups);
    }
}

static void keys_are_pressed_and_released(void **state)
{
    struct fixture *f = *state;
    unsigned downs, ups;
    expect_exactly(f, "sendkey ctrl-alt-delete 30", "");
    expect_exactly(f, "type \"Ab\\n\"", "");
    assert_int_equal(machine_run(f->m, NS_PER_SECOND, UINT64_MAX), MACHINE_SLICE);
    count_keys(f->m, &downs, &ups);
    assert_int_equal(downs, 3 + 4); /* shift A, b, Enter */
    assert_int_equal(ups, 3 + 4);
    assert_int_equal(f->m->input.event[0].a, 224); /* HID: left Ctrl */
    assert_int_equal(f->m->input.event[2].a, 76);  /* Delete */
    expect(f, "sendkey a 0", "no time in milliseconds");
    expect(f, "type \"\xe4\"", "nothing was typed");
}

static void the_mouse_moves_and_clicks(void **state)
{
    struct fixture *f = *state;
    expect_exactly(f, "mouse_button 1", "");
    expect_exactly(f, "mouse_move 5 -7", "");
    expect(f, "mouse_move 5 up", "\"up\" is no movement");
    expect(f, "mouse_button 8", "no set of buttons");
    run_to(f->m, 10);
    assert_int_equal(f->m->input.count, 2);
    assert_int_equal(f->m->input.event[0].a, 1);
    assert_int_equal(f->m->input.event[1].x, 5);
    assert_int_equal(f->m->input.event[1].y, -7);
    assert_int_equal(f->m->input.event[1].a, 1); /* the button is still down */
}

static void media_change_and_a_bad_image_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char line[200];
    snprintf(line, sizeof(line), "change floppy0 %s", f->image);
    expect_exactly(f, line, "");
    expect(f, "info block", "floppy0: 360 KiB\n");
    write_file(f->file, 1000);
    snprintf(line, sizeof(line), "change floppy0 %s", f->file);
    expect(f, line, "no floppy size");
    expect(f, "change floppy0 /nowhere/x", "/nowhere/x");
    expect(f, "info block", "floppy0: 360 KiB\n");
    snprintf(line, sizeof(line), "change floppy0 %s raw read-only", f->image);
    expect_exactly(f, line, "");
    expect(f, "info block", "floppy0: 360 KiB, read-only\n");
    snprintf(line, sizeof(line), "change floppy0 %s rwa", f->image);
    expect(f, line, "did you mean \"raw\"");
    expect_exactly(f, "eject -f floppy0", "");
    snprintf(line, sizeof(line), "change floppy0 %s qcow2", f->image);
    expect(f, line, "this is no qcow2 image");
    expect(f, "info block", "floppy0: [not inserted]\n");
    expect(f, "eject flopy1", "did you mean \"floppy1\"");
}

static void a_dropped_file_goes_into_the_drive_that_it_fits(void **state)
{
    struct fixture *f = *state;
    struct error err;
    assert_int_equal(machine_drop_file(f->m, f->image, &err), EMU_OK);
    expect(f, "info block", "floppy0: 360 KiB\n");
    write_file(f->file, 3000000);
    assert_int_equal(machine_drop_file(f->m, f->file, &err), EMU_ARG);
    assert_non_null(strstr(err.text, "no CD drive"));
    expect(f, "info block", "floppy0: 360 KiB\n");
    assert_int_equal(machine_drop_file(f->m, "/nowhere/x", &err), EMU_IO);
}

/* Twice 1: the format named, and found out. As raw the file is no floppy. */
static void qcow2_images_can_be_put_in(void **state)
{
    struct fixture *f = *state;
    struct qcow2_create how = qcow2_create_default;
    struct error err;
    char line[200];
    how.size = 1474560;
    assert_int_equal(qcow2_create(f->file, &how, &err), EMU_OK);
    snprintf(line, sizeof(line), "change floppy0 %s qcow2 read-only", f->file);
    expect_exactly(f, line, "");
    expect(f, "info block", "floppy0: 1440 KiB, read-only\n");
    expect_exactly(f, "eject floppy0", "");
    snprintf(line, sizeof(line), "change floppy0 %s", f->file);
    expect_exactly(f, line, "");
    expect(f, "info block", "floppy0: 1440 KiB\n");
    expect_exactly(f, "eject floppy0", "");
    snprintf(line, sizeof(line), "change floppy0 %s raw", f->file);
    expect(f, line, "no floppy size");
}

static void the_reset_button_starts_over(void **state)
{
    struct fixture *f = *state;
    run_to(f->m, 100);
    expect_exactly(f, "system_reset", "");
    run_to(f->m, 102); /* the jump at the reset vector, mov ax */
    expect_exactly(f, "p $eip", "0x3\n");
}

static void trace_words(void **state)
{
    struct fixture *f = *state;
    expect_exactly(f, "trace post,pit", "");
    assert_int_equal(f->m->pc->log.enabled, 1u << TRACE_POST | 1u << TRACE_PIT);
    expect(f, "log pots", "did you mean \"post\"");
    expect_exactly(f, "log none", "");
    assert_int_equal(f->m->pc->log.enabled, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_separate_words),
        cmocka_unit_test(quotes_keep_blanks_and_quotes),
        cmocka_unit_test(other_escapes_stay_for_the_word),
        cmocka_unit_test(an_unfinished_quote_is_refused),
        cmocka_unit_test(no_more_words_than_asked_for),
        T(an_unknown_word_names_the_nearest),
        T(too_few_and_too_many_words_get_the_usage),
        T(a_line_that_is_too_long_is_refused),
        T(stop_cont_and_quit),
        T(step_shows_the_next_instruction),
        T(an_empty_line_repeats_step_and_x_but_nothing_else),
        T(a_breakpoint_stops_before_its_instruction),
        T(breakpoints_are_limited_in_number),
        T(values_and_memory),
        T(every_subject_has_an_answer),
        T(the_state_of_every_device_prints),
        T(help_describes_every_word),
        T(memory_is_saved_as_it_is),
        T(a_save_that_fails_keeps_the_older_file),
        T(a_loaded_machine_is_the_saved_one),
        T(keys_are_pressed_and_released),
        T(the_mouse_moves_and_clicks),
        T(media_change_and_a_bad_image_changes_nothing),
        T(a_dropped_file_goes_into_the_drive_that_it_fits),
        T(qcow2_images_can_be_put_in),
        T(the_reset_button_starts_over),
        T(trace_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
