/*
 * The monitor on a socket, from the client's side: greeting, echo, editing, line ends; and the escape
 * keys of shared stdio on a pseudo-terminal are in the guest test terminal.test.sh.
 */
#define _GNU_SOURCE /* as ui/chardev.c, which is included here */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#include "tests/lib/rom_machine.h"
#include "ui/chardev.c"
#include "ui/console.c"

static const uint8_t program[] = {0xeb, 0xfe}; /* jmp $ */
static const char greeting[] = "Retrace " RETRACE_VERSION " monitor - type 'help' for more information\r\n(qemu) ";

struct fixture {
    struct rom_machine r;
    struct chardev *cd;
    struct console c;
    char path[80];
    int client;
};

static void connect_client(struct fixture *f)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    strcpy(addr.sun_path, f->path);
    f->client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(f->client, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct machine_host host = {0};
    struct error err = {""};
    char spec[120];
    rom_machine_new(&f->r, program, sizeof(program), &host);
    snprintf(f->path, sizeof(f->path), "%s.sock", f->r.rom);
    snprintf(spec, sizeof(spec), "unix:%s,server,nowait", f->path);
    if (chardev_open(spec, &f->cd, &err))
        fail_msg("%s", err.text);
    console_init(&f->c, f->cd, f->r.m);
    connect_client(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->client);
    chardev_close(f->cd);
    assert_int_not_equal(access(f->path, F_OK), 0); /* the socket's name is gone */
    rom_machine_free(&f->r);
    free(f);
    return 0;
}

/* Sends text, lets the console work, and returns what came back. */
static const char *talk(struct fixture *f, const char *text)
{
    static char got[8192];
    size_t n = 0;
    ssize_t r;
    assert_int_equal(write(f->client, text, strlen(text)), strlen(text));
    console_poll(&f->c);
    while (n < sizeof(got) - 1 && (r = recv(f->client, got + n, sizeof(got) - 1 - n, MSG_DONTWAIT)) > 0)
        n += (size_t)r;
    got[n] = 0;
    return got;
}

static void each_connection_is_greeted_once(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(talk(f, ""), greeting);
    assert_string_equal(talk(f, ""), "");
    close(f->client);
    console_poll(&f->c);
    connect_client(f);
    assert_string_equal(talk(f, ""), greeting);
}

static void a_line_is_echoed_answered_and_followed_by_the_prompt(void **state)
{
    struct fixture *f = *state;
    talk(f, "");
    assert_string_equal(talk(f, "info status\n"), "info status\r\nVM status: running\r\n(qemu) ");
    assert_string_equal(talk(f, "info "), "info ");
    assert_string_equal(talk(f, "status\r"), "status\r\nVM status: running\r\n(qemu) ");
}

/* A client that ends lines with CR LF must not send an empty line after each. */
static void cr_lf_is_one_line_end(void **state)
{
    struct fixture *f = *state;
    talk(f, "");
    assert_string_equal(talk(f, "step\r\n"), "step\r\nf000:00000000  eb fe                    jmp 0x0\r\n(qemu) ");
    assert_int_equal(machine_icount(f->r.m), 1);
    talk(f, "info status\r\n");
    assert_string_equal(talk(f, "\r\n"), "\r\n(qemu) ");
}

static void backspace_and_ctrl_u_erase(void **state)
{
    struct fixture *f = *state;
    talk(f, "");
    assert_string_equal(talk(f, "ab\x7f"), "ab\b \b");
    assert_string_equal(talk(f, "\x7f\x7f"), "\b \b"); /* no further than the prompt */
    assert_string_equal(talk(f, "abc\x15"), "abc\b \b\b \b\b \b");
    assert_string_equal(talk(f, "p 1\n"), "p 1\r\n0x1\r\n(qemu) ");
}

static void cursor_up_brings_back_lines(void **state)
{
    struct fixture *f = *state;
    talk(f, "");
    talk(f, "p 1\np 2\n");
    assert_string_equal(talk(f, "\x1b[A"), "p 2");
    assert_string_equal(talk(f, "\x1b[A\x1b[A"), "\b \b\b \b\b \bp 1"); /* not beyond the first */
    assert_string_equal(talk(f, "\x1b[B"), "\b \b\b \b\b \bp 2");
    assert_string_equal(talk(f, "\n"), "\r\n0x2\r\n(qemu) ");
}

static void a_line_that_is_too_long_is_cut_not_overrun(void **state)
{
    struct fixture *f = *state;
    char text[3000];
    talk(f, "");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_int_equal(strlen(talk(f, text)), CONSOLE_LINE - 1);
    assert_non_null(strstr(talk(f, "\n"), "unknown command"));
    assert_string_equal(talk(f, "p 3\n"), "p 3\r\n0x3\r\n(qemu) ");
}

static void quit_answers_nothing_more(void **state)
{
    struct fixture *f = *state;
    talk(f, "");
    assert_string_equal(talk(f, "quit\ninfo status\n"), "quit\r\n");
    assert_true(f->c.mon.quit);
}

static void news_keep_the_line_that_is_being_typed(void **state)
{
    struct fixture *f = *state;
    talk(f, "");
    talk(f, "info st");
    console_say(&f->c, "a breakpoint");
    assert_string_equal(talk(f, ""), "\r\na breakpoint\r\n(qemu) info st");
}

/* The guest must not wait for somebody who does not read. */
static void a_reader_that_sleeps_loses_output_but_stops_nobody(void **state)
{
    struct fixture *f = *state;
    static char much[1 << 20];
    talk(f, "");
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < 10; i++)
        chardev_write(f->cd, much, sizeof(much));
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec <= 2);
    while (talk(f, "")[0] || recv(f->client, much, sizeof(much), MSG_DONTWAIT) > 0) /* it wakes up */
        ;
    assert_string_equal(talk(f, "p 4\n"), "p 4\r\n0x4\r\n(qemu) ");
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_connection_is_greeted_once),
        T(a_line_is_echoed_answered_and_followed_by_the_prompt),
        T(cr_lf_is_one_line_end),
        T(backspace_and_ctrl_u_erase),
        T(cursor_up_brings_back_lines),
        T(a_line_that_is_too_long_is_cut_not_overrun),
        T(quit_answers_nothing_more),
        T(news_keep_the_line_that_is_being_typed),
        T(a_reader_that_sleeps_loses_output_but_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
