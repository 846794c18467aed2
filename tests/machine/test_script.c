/* Scripts against a machine that runs a tiny ROM: waiting in virtual time, and how failures are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/script.h"
#include "tests/lib/rom_machine.h"

/* F000:0000  mov al, 'H' / out E9h, al / mov al, 'i' / out E9h, al / mov ax, 1000h / mov ds, ax
 *      L: inc word [0] / jmp L */
static const uint8_t program[] = {0xb0, 0x48, 0xe6, 0xe9, 0xb0, 0x69, 0xe6, 0xe9, 0xb8, 0x00,
                                  0x10, 0x8e, 0xd8, 0xff, 0x06, 0x00, 0x00, 0xeb, 0xfa};
enum { LOOP = 0xf000d };

struct fixture {
    struct rom_machine r;
    struct script s;
    char path[64];
    char said[65536];
    const char *leave; /* what poll() answers */
    struct error err;
};

static void hear(void *arg, const char *text)
{
    struct fixture *f = arg;
    size_t n = strlen(f->said);
    snprintf(f->said + n, sizeof(f->said) - n, "%s", text);
}

static void on_debug(void *arg, uint16_t port, uint8_t byte)
{
    struct fixture *f = arg;
    (void)port;
    script_debug_byte(&f->s, byte);
}

static const char *poll(void *arg) { return ((struct fixture *)arg)->leave; }

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct machine_host host = {.arg = f, .debug_out = on_debug};
    rom_machine_new(&f->r, program, sizeof(program), &host);
    script_init(&f->s, f->r.m, hear, f);
    f->s.poll = poll;
    f->s.poll_arg = f;
    strcpy(f->path, "/tmp/retrace-script-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    script_free(&f->s);
    rom_machine_free(&f->r);
    remove(f->path);
    free(f);
    return 0;
}

static enum emu_err run(struct fixture *f, const char *text)
{
    FILE *out = fopen(f->path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
    f->said[0] = 0;
    return script_run(&f->s, f->path, &f->err);
}

static void succeeds(struct fixture *f, const char *text)
{
    if (run(f, text))
        fail_msg("%s", f->err.text);
}

/* Fails in line `line` with a sentence that contains `why`. */
static void fails(struct fixture *f, const char *text, unsigned line, const char *why)
{
    char place[100];
    assert_int_not_equal(run(f, text), EMU_OK);
    snprintf(place, sizeof(place), "%s:%u: ", f->path, line);
    if (strncmp(f->err.text, place, strlen(place)) != 0 || !strstr(f->err.text, why))
        fail_msg("\"%s\" is not \"%s...%s\"", f->err.text, place, why);
    assert_null(strchr(f->err.text, '\n'));
}

/* --- lines --- */

static void comments_and_empty_lines_are_passed_over(void **state)
{
    struct fixture *f = *state;
    succeeds(f, "# a comment\n\n   \n  # another\necho \"one two\"\n");
    assert_string_equal(f->said, "one two\n");
}

static void lines_may_end_as_on_dos_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    succeeds(f, "echo a\r\necho b");
    assert_string_equal(f->said, "a\nb\n");
}

static void quit_ends_with_success(void **state)
{
    succeeds(*state, "quit\nfrobnicate\n");
}

static void an_error_names_file_and_line(void **state)
{
    struct fixture *f = *state;
    fails(f, "echo a\n\nfrobnicate\necho b\n", 3, "unknown command: 'frobnicate'");
    assert_null(strstr(f->said, "b\n")); /* nothing after it ran */
    fails(f, "wait-screen \"abc 3\n", 1, "quote");
    fails(f, "wait-screen abc\n", 1, "wait-screen takes 2 arguments, not 1");
    fails(f, "info nonsense\n", 1, "did you mean");
}

static void an_error_is_said_once(void **state)
{
    struct fixture *f = *state;
    fails(f, "frobnicate\n", 1, "frobnicate");
    assert_null(strstr(f->said, "frobnicate"));
}

static void bad_numbers_are_refused(void **state)
{
    struct fixture *f = *state;
    fails(f, "wait soon\n", 1, "\"soon\" is not a number of seconds");
    fails(f, "wait -1\n", 1, "not a number of seconds");
    fails(f, "wait nan\n", 1, "not a number of seconds");
    fails(f, "wait 1e30\n", 1, "not a number of seconds");
    fails(f, "wait-debug x \"\"\n", 1, "not a number of seconds");
    fails(f, "run-to there\n", 1, "no instruction count");
}

static void a_long_line_is_refused(void **state)
{
    char text[3000];
    memset(text, 'x', sizeof(text));
    memcpy(text + sizeof(text) - 2, "\n", 2);
    fails(*state, text, 1, "longer than");
}

static void a_missing_script_is_an_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(script_run(&f->s, "/nowhere/script.rts", &f->err), EMU_IO);
    assert_non_null(strstr(f->err.text, "/nowhere/script.rts"));
}

/* --- time --- */

static void wait_lets_virtual_time_pass(void **state)
{
    struct fixture *f = *state;
    succeeds(f, "wait 0.001\n");
    /* One instruction is 4 ns: it ends at the first one that is not before the end. */
    assert_in_range(machine_now(f->r.m), 1000000, 1000003);
}

static void run_to_stops_at_the_instruction(void **state)
{
    struct fixture *f = *state;
    succeeds(f, "run-to 12345\n");
    assert_int_equal(machine_icount(f->r.m), 12345);
    succeeds(f, "run-to 100\n"); /* in the past: nothing */
    assert_int_equal(machine_icount(f->r.m), 12345);
}

static void a_wait_that_is_not_met_ends_at_its_limit(void **state)
{
    struct fixture *f = *state;
    fails(f, "wait-debug \"Ho\" 0.002\n", 1, "waited 0.002 virtual seconds for the debug port to send \"Ho\"");
    assert_in_range(machine_now(f->r.m), 2000000, 2000003);
}

static void the_same_script_takes_the_same_instructions(void **state)
{
    struct fixture *f = *state;
    succeeds(f, "wait-debug Hi 1\nwait 0.0005\n");
    uint64_t icount = machine_icount(f->r.m), hash = machine_hash(f->r.m);
    teardown(state);
    setup(state);
    f = *state;
    succeeds(f, "wait-debug Hi 1\nwait 0.0005\n");
    assert_int_equal(machine_icount(f->r.m), icount);
    assert_int_equal(machine_hash(f->r.m), hash);
}

/* --- conditions --- */

static void wait_debug_sees_what_the_guest_sends(void **state)
{
    succeeds(*state, "wait-debug \"Hi\" 1\n");
}

static void serial_text_counts_from_the_last_match(void **state)
{
    struct fixture *f = *state;
    for (const char *p = "login: login: $ "; *p; p++)
        script_serial_byte(&f->s, (uint8_t)*p);
    succeeds(f, "wait-serial login: 1\nwait-serial login: 1\nwait-serial \"$ \" 1\n");
    fails(f, "wait-serial login: 0.001\n", 1, "the serial port to send \"login:\"");
}

static void a_failure_shows_the_screen_and_the_serial_port(void **state)
{
    struct fixture *f = *state;
    for (const char *p = "kernel panic\r\n"; *p; p++)
        script_serial_byte(&f->s, (uint8_t)*p);
    fails(f, "wait-serial login: 0.001\n", 1, "login:");
    assert_non_null(strstr(f->said, "--- screen ---"));
    assert_non_null(strstr(f->said, "--- serial port ---\nkernel panic\n"));
}

static void expectations_look_at_the_screen_now(void **state)
{
    struct fixture *f = *state;
    succeeds(f, "expect-no-screen \"C:\\>\"\n");
    fails(f, "expect-screen \"C:\\>\"\n", 1, "is not on the screen");
    assert_int_equal(machine_icount(f->r.m), 0);
}

static void wait_break_ends_at_a_breakpoint(void **state)
{
    struct fixture *f = *state;
    char text[100];
    snprintf(text, sizeof(text), "b %#x\nwait-break 1\n", LOOP);
    succeeds(f, text);
    assert_int_equal(machine_icount(f->r.m), 7); /* the jump and six instructions */
    succeeds(f, "cont\nwait-break 1\n");
    assert_int_equal(machine_icount(f->r.m), 9);
    fails(f, "cont\nwait-debug Ho 1\n", 2, "a breakpoint was reached: f000:0000000d");
    fails(f, "cont\nrun-to 1000\n", 2, "a breakpoint was reached");
}

static void a_stopped_machine_cannot_be_waited_for(void **state)
{
    struct fixture *f = *state;
    fails(f, "stop\nwait 1\n", 2, "the machine is stopped");
    succeeds(f, "cont\nwait 0.001\n");
}

static void the_user_can_end_a_script(void **state)
{
    struct fixture *f = *state;
    f->leave = "interrupted";
    fails(f, "echo a\nwait 1000\n", 2, "interrupted");
    assert_in_range(machine_now(f->r.m), 1, NS_PER_SECOND / 10);
    fails(f, "run-to 100000000000\n", 1, "interrupted");
}

static void monitor_words_work_in_scripts(void **state)
{
    struct fixture *f = *state;
    succeeds(f, "stop\ninfo status\np 6 * 7\n");
    assert_string_equal(f->said, "VM status: paused\n0x2a\n");
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(comments_and_empty_lines_are_passed_over),
        T(lines_may_end_as_on_dos_or_not_at_all),
        T(quit_ends_with_success),
        T(an_error_names_file_and_line),
        T(an_error_is_said_once),
        T(bad_numbers_are_refused),
        T(a_long_line_is_refused),
        T(a_missing_script_is_an_error),
        T(wait_lets_virtual_time_pass),
        T(run_to_stops_at_the_instruction),
        T(a_wait_that_is_not_met_ends_at_its_limit),
        T(the_same_script_takes_the_same_instructions),
        T(wait_debug_sees_what_the_guest_sends),
        T(serial_text_counts_from_the_last_match),
        T(a_failure_shows_the_screen_and_the_serial_port),
        T(expectations_look_at_the_screen_now),
        T(wait_break_ends_at_a_breakpoint),
        T(a_stopped_machine_cannot_be_waited_for),
        T(the_user_can_end_a_script),
        T(monitor_words_work_in_scripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
