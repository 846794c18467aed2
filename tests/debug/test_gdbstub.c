/*
 * The GDB stub, spoken to as GDB does (GDB manual, appendix E): packets in, packets out, on a CPU with
 * memory only. Register layout: GDB's features/i386/32bit-core.xml and 32bit-sse.xml.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/flags.h"
#include "debug/gdbstub.h"

enum { RAM_SIZE = 1 << 20, CODE = 0x7c00, OUT_MAX = 1 << 16 };

struct fixture {
    struct cpu cpu;
    struct phys *phys;
    struct io_bus *io;
    struct clock clk;
    struct gdbstub *stub;
    bool running;
    unsigned resumes, halts, steps;
    char monitor_line[100];
    char out[OUT_MAX]; /* everything sent since the last `ask` */
    size_t out_len;
    char answer[8192]; /* data of the last packet */
};

/* --- the target --- */

static struct cpu *target_cpu(void *arg) { return &((struct fixture *)arg)->cpu; }
static bool target_running(void *arg) { return ((struct fixture *)arg)->running; }

static void target_resume(void *arg)
{
    struct fixture *f = arg;
    f->cpu.skip_break_once = true;
    f->running = true;
    f->resumes++;
}

static void target_halt(void *arg)
{
    struct fixture *f = arg;
    f->running = false;
    f->halts++;
}

static void target_step(void *arg)
{
    struct fixture *f = arg;
    f->steps++;
    cpu_step(&f->cpu);
}

static void target_monitor(void *arg, const char *line, void (*out)(void *out_arg, const char *text), void *out_arg)
{
    struct fixture *f = arg;
    snprintf(f->monitor_line, sizeof(f->monitor_line), "%s", line);
    out(out_arg, "EIP=");
    out(out_arg, "1\n");
}

static uint8_t no_interrupt(void *arg)
{
    (void)arg;
    return 0;
}

static void on_send(void *arg, const void *data, size_t len)
{
    struct fixture *f = arg;
    if (len < OUT_MAX - f->out_len) {
        memcpy(f->out + f->out_len, data, len);
        f->out_len += len;
        f->out[f->out_len] = 0;
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct phys_block *ram;
    struct cpu_model model;
    struct error err = {""};
    f->phys = calloc(1, sizeof(*f->phys));
    f->io = calloc(1, sizeof(*f->io));
    phys_init(f->phys);
    io_bus_init(f->io);
    clock_init(&f->clk, 65536);
    if (phys_block_new(f->phys, "ram", RAM_SIZE, false, &ram, &err) || cpu_model_parse("pentium3", &model, &err))
        return -1;
    phys_map(f->phys, 0, RAM_SIZE, phys_region_memory(f->phys, "ram", ram, 0, 0, RAM_SIZE), PHYS_RW);
    struct cpu_wiring w = {.clk = &f->clk, .phys = f->phys, .io = f->io, .intack = no_interrupt};
    if (cpu_init(&f->cpu, "cpu", &model, CORE_REFERENCE, w, &err))
        return -1;
    struct cpu_state *s = &f->cpu.st;
    for (unsigned i = 0; i < 6; i++)
        s->seg[i] = (struct cpu_seg){.limit = 0xffff, .attr = 0x93};
    s->eip = CODE;
    struct gdb_target t = {f, target_cpu, target_running, target_resume, target_halt, target_step, target_monitor};
    *state = f;
    return gdbstub_new(&t, &f->stub, &err) ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    gdbstub_free(f->stub);
    f->cpu.dev.cls->close(&f->cpu);
    phys_free(f->phys);
    free(f->phys);
    free(f->io);
    free(f);
    return 0;
}

/* --- packets --- */

static void feed(struct fixture *f, const void *data, size_t len)
{
    f->out_len = 0;
    f->out[0] = 0;
    gdbstub_receive(f->stub, data, len, on_send, f);
}

static unsigned sum_of(const char *data, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += (uint8_t)data[i];
    return sum & 0xff;
}

static void feed_packet(struct fixture *f, const char *data, size_t len)
{
    char packet[10000];
    packet[0] = '$';
    memcpy(packet + 1, data, len);
    snprintf(packet + 1 + len, 4, "#%02x", sum_of(data, len));
    feed(f, packet, len + 4);
}

/* Takes the packet at *at, checks its frame, puts its data in f->answer. */
static void take_packet(struct fixture *f, const char **at)
{
    assert_int_equal(**at, '$');
    const char *data = *at + 1, *end = strchr(data, '#');
    assert_non_null(end);
    assert_true((size_t)(end - data) < sizeof(f->answer));
    assert_int_equal(strtoul(end + 1, NULL, 16), sum_of(data, (size_t)(end - data)));
    memcpy(f->answer, data, (size_t)(end - data));
    f->answer[end - data] = 0;
    *at = end + 3;
}

/* Sends one packet; it must be acknowledged and answered by exactly one. */
static const char *ask(struct fixture *f, const char *text)
{
    feed_packet(f, text, strlen(text));
    const char *at = f->out;
    assert_int_equal(*at, '+');
    at++;
    take_packet(f, &at);
    assert_int_equal(*at, 0);
    return f->answer;
}

static void put_code(struct fixture *f, const char *bytes, size_t len)
{
    phys_write_bytes(f->phys, CODE, bytes, len);
}

/* --- tests --- */

static void the_first_packet_stops_the_machine(void **state)
{
    struct fixture *f = *state;
    f->running = true;
    feed(f, "+", 1);
    assert_int_equal(f->halts, 0);
    ask(f, "qSupported:multiprocess+;swbreak+;hwbreak+");
    assert_int_equal(f->halts, 1);
    assert_false(f->running);
    assert_string_equal(ask(f, "?"), "T05thread:1;");
}

static void features_and_packet_size_are_announced(void **state)
{
    struct fixture *f = *state;
    const char *a = ask(f, "qSupported:multiprocess+;swbreak+");
    static const char *const words[] = {"PacketSize=1000", "qXfer:features:read+", "swbreak+", "QStartNoAckMode+",
                                        "vContSupported+"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        assert_non_null(strstr(a, words[i]));
}

static void unknown_packets_get_the_empty_answer(void **state)
{
    static const char *const unknown[] = {"vMustReplyEmpty", "qTStatus", "qSymbol::", "bs", "QNonStop:0", "!", "vFile:open:61,0,0",
                                          "Z2,1000,4", "qXfer:memory-map:read::0,100"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        assert_string_equal(ask(*state, unknown[i]), "");
}

static void there_is_one_thread_and_it_was_there_before(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(ask(f, "qC"), "QC1");
    assert_string_equal(ask(f, "qfThreadInfo"), "m1");
    assert_string_equal(ask(f, "qsThreadInfo"), "l");
    assert_string_equal(ask(f, "qAttached"), "1");
    assert_string_equal(ask(f, "Hg0"), "OK");
    assert_string_equal(ask(f, "Hc-1"), "OK");
    assert_string_equal(ask(f, "T1"), "OK");
    assert_string_equal(ask(f, "T7"), "E22");
    assert_string_equal(ask(f, "vCont?"), "vCont;c;C;s;S");
}

static void the_target_description_arrives_in_pieces(void **state)
{
    struct fixture *f = *state;
    char xml[20000] = "", request[64];
    size_t n = 0;
    do {
        snprintf(request, sizeof(request), "qXfer:features:read:target.xml:%zx,3f0", n);
        ask(f, request);
        assert_true(f->answer[0] == 'm' || f->answer[0] == 'l');
        assert_true(strlen(f->answer) <= 0x3f1);
        strcat(xml, f->answer + 1);
        n += strlen(f->answer) - 1;
    } while (f->answer[0] == 'm');
    assert_non_null(strstr(xml, "<architecture>i386</architecture>"));
    assert_non_null(strstr(xml, "<feature name=\"org.gnu.gdb.i386.core\">"));
    assert_non_null(strstr(xml, "<reg name=\"fop\" bitsize=\"32\""));
    assert_non_null(strstr(xml, "<reg name=\"st7\" bitsize=\"80\""));
    assert_non_null(strstr(xml, "<reg name=\"cs_base\""));
    assert_non_null(strstr(xml, "</target>"));
    assert_string_equal(ask(f, "qXfer:features:read:target.xml:ffff,10"), "l");
    assert_string_equal(ask(f, "qXfer:features:read:other.xml:0,10"), "E00");
    assert_string_equal(ask(f, "qXfer:features:read:target.xml:zz"), "E22");
}

/* eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs, little-endian. */
static void all_registers_come_in_gdb_s_order(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 8; i++)
        f->cpu.st.gpr[i] = 0x11111111u * (i + 1);
    f->cpu.st.seg[SEG_CS].selector = 0x1234;
    f->cpu.st.seg[SEG_GS].selector = 0xabcd;
    cpu_set_eflags(&f->cpu, 0x246);
    const char *a = ask(f, "g");
    assert_memory_equal(a, "1111111122222222333333334444444455555555666666667777777788888888"
                           "007c000046020000", 80);
    assert_memory_equal(a + 80, "34120000", 8);
    assert_memory_equal(a + 120, "cdab0000", 8);
    /* 16 * 4, 8 * 10, 8 * 4 bytes of the core; 8 * 16 + 4 of SSE; six bases, four CRs, EFER of 8. */
    assert_int_equal(strlen(a), 2 * (64 + 80 + 32 + 132 + 10 * 4 + 8));
}

static void p_reads_what_g_reads(void **state)
{
    struct fixture *f = *state;
    char all[4096];
    size_t at = 0;
    f->cpu.st.x87.mant[3] = 0xc90fdaa22168c235ull;
    f->cpu.st.xmm[7][1] = 0x0123456789abcdefull;
    snprintf(all, sizeof(all), "%s", ask(f, "g"));
    for (unsigned i = 0; i < 52; i++) {
        char request[16];
        snprintf(request, sizeof(request), "p%x", i);
        ask(f, request);
        assert_memory_equal(f->answer, all + at, strlen(f->answer));
        at += strlen(f->answer);
    }
    assert_int_equal(at, strlen(all));
    assert_string_equal(ask(f, "p34"), "E22");
}

static void registers_are_written_one_by_one_and_together(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(ask(f, "P0=78563412"), "OK");
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 0x12345678);
    assert_string_equal(ask(f, "P8=00800000"), "OK");
    assert_int_equal(f->cpu.st.eip, 0x8000);
    assert_string_equal(ask(f, "P0=1234"), "E22");
    assert_string_equal(ask(f, "P99=00000000"), "E22");

    char all[4096];
    snprintf(all, sizeof(all), "G%s", ask(f, "g"));
    memcpy(all + 1 + 8, "efbeadde", 8);
    assert_string_equal(ask(f, all), "OK");
    assert_int_equal(f->cpu.st.gpr[REG_ECX], 0xdeadbeef);
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 0x12345678);
    assert_string_equal(ask(f, "G0"), "E22");
    assert_string_equal(ask(f, "G"), "E22");
}

static void eflags_are_written_with_their_arithmetic_bits(void **state)
{
    struct fixture *f = *state;
    static const unsigned bits[] = {0x001, 0x004, 0x010, 0x040, 0x080, 0x100, 0x200, 0x400, 0x800, 0x8d5, 0};
    for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
        char request[32];
        snprintf(request, sizeof(request), "P9=%02x%02x0000", bits[i] & 0xff, bits[i] >> 8);
        assert_string_equal(ask(f, request), "OK");
        assert_int_equal(cpu_eflags(&f->cpu), bits[i] | 2);
    }
    /* VM cannot be set without the segments that V86 mode needs. */
    assert_string_equal(ask(f, "P9=02000200"), "OK");
    assert_int_equal(cpu_eflags(&f->cpu), 2);
    /* TF takes effect: the CPU looks at every instruction. */
    assert_string_equal(ask(f, "P9=02010000"), "OK");
    assert_true(f->cpu.attn & ATTN_SLOW);
}

static void a_segment_register_follows_real_mode_and_is_refused_in_protected_mode(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(ask(f, "Pc=00b80000"), "OK"); /* ds */
    assert_int_equal(f->cpu.st.seg[SEG_DS].selector, 0xb800);
    assert_int_equal(f->cpu.st.seg[SEG_DS].base, 0xb8000);
    assert_int_equal(f->cpu.st.seg[SEG_DS].limit, 0xffff);
    f->cpu.st.cr0 |= 1;
    cpu_state_changed(&f->cpu);
    assert_string_equal(ask(f, "Pc=10000000"), "E22");
    assert_string_equal(ask(f, "Pc=00b80000"), "OK"); /* no change */
    assert_int_equal(f->cpu.st.seg[SEG_DS].base, 0xb8000);
    assert_string_equal(ask(f, "P2f=00000000"), "E22"); /* cr0 */
}

/* SDM 1 8.1: status with TOP in bits 13-11, tag word of two bits a register, ST(i) from TOP. */
static void x87_registers_are_those_of_the_stack(void **state)
{
    struct fixture *f = *state;
    struct cpu_x87 *x = &f->cpu.st.x87;
    x->top = 6;
    x->status = 0x4100;
    x->control = 0x37f;
    x->empty = 0x3f; /* R6 and R7 are in use */
    x->mant[6] = 0x8000000000000000ull;
    x->se[6] = 0x3fff; /* 1.0 */
    x->mant[7] = 0;
    x->se[7] = 0;
    assert_string_equal(ask(f, "p10"), "0000000000000080ff3f");
    assert_string_equal(ask(f, "p18"), "7f030000");
    assert_string_equal(ask(f, "p19"), "00710000");
    assert_string_equal(ask(f, "p1a"), "ff4f0000"); /* R7 zero (01), R6 valid (00), the rest empty */
    assert_string_equal(ask(f, "P11=00000000000000c00040"), "OK"); /* st1 = 3.0 is R7 */
    assert_int_equal(x->se[7], 0x4000);
    assert_true(x->mant[7] == 0xc000000000000000ull);
    assert_string_equal(ask(f, "P19=00380000"), "OK");
    assert_int_equal(x->top, 7);
    assert_int_equal(x->status, 0);
}

static void memory_is_read_and_written(void **state)
{
    struct fixture *f = *state;
    phys_write_bytes(f->phys, 0x7dfe, "\x55\xaa", 2);
    assert_string_equal(ask(f, "m7dfe,2"), "55aa");
    assert_string_equal(ask(f, "M1000,4:deadBEEF"), "OK");
    assert_int_equal(phys_read(f->phys, 0x1000, 4), 0xefbeadde);
    assert_string_equal(ask(f, "m1000,0"), "");
    assert_string_equal(ask(f, "m1000"), "E22");
    assert_string_equal(ask(f, "M1000,4:dead"), "E22");
    assert_string_equal(ask(f, "M1000,1:zz"), "E22");
    assert_string_equal(ask(f, "m11112222333344445,1"), "E22");
}

static void binary_writes_undo_the_escapes(void **state)
{
    struct fixture *f = *state;
    static const char packet[] = "X2000,5:\x7d\x03\x7d\x04\x7d\x5d\x00\xff"; /* # $ } 0 FF */
    feed_packet(f, packet, sizeof(packet) - 1);
    assert_string_equal(f->out, "+$OK#9a");
    uint8_t bytes[5];
    phys_read_bytes(f->phys, 0x2000, bytes, 5);
    assert_memory_equal(bytes, "#$}\x00\xff", 5);
    assert_string_equal(ask(f, "X2000,0:"), "OK");
    assert_string_equal(ask(f, "X2000,9:abc"), "E22");
}

static void memory_that_is_not_mapped_is_an_error_and_a_read_stops_before_it(void **state)
{
    struct fixture *f = *state;
    /* One page table: linear 0 is mapped, the next page is not (SDM 3A 4.3). */
    phys_write(f->phys, 0x10000, 0x11003, 4);
    phys_write(f->phys, 0x11000, 0x5003, 4);
    phys_write(f->phys, 0x5ffe, 0x1234, 2);
    f->cpu.st.cr3 = 0x10000;
    f->cpu.st.cr0 |= 0x80000001u;
    cpu_sync(&f->cpu);
    cpu_state_changed(&f->cpu);
    assert_string_equal(ask(f, "mffe,4"), "3412");
    assert_string_equal(ask(f, "m1000,4"), "E14");
    assert_string_equal(ask(f, "Mfff,2:0000"), "E14");
    assert_int_equal(phys_read(f->phys, 0x5fff, 1), 0x12); /* not half written */
    assert_string_equal(ask(f, "Mffe,2:5678"), "OK");
    assert_int_equal(phys_read(f->phys, 0x5ffe, 2), 0x7856);
}

static void a_step_runs_one_instruction_and_reports_the_trap(void **state)
{
    struct fixture *f = *state;
    put_code(f, "\x40\x43\x90", 3); /* inc ax; inc bx; nop */
    assert_string_equal(ask(f, "s"), "T05thread:1;");
    assert_int_equal(f->cpu.st.eip, CODE + 1);
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 1);
    assert_string_equal(ask(f, "vCont;s:1;c"), "T05thread:1;");
    assert_int_equal(f->cpu.st.gpr[REG_EBX], 1);
    assert_string_equal(ask(f, "s7c00"), "T05thread:1;");
    assert_int_equal(f->cpu.st.gpr[REG_EAX], 2);
    assert_string_equal(ask(f, "S05;7c01"), "T05thread:1;");
    assert_int_equal(f->cpu.st.gpr[REG_EBX], 2);
    assert_int_equal(f->steps, 4);
}

static void continuing_answers_when_the_breakpoint_is_hit(void **state)
{
    struct fixture *f = *state;
    put_code(f, "\x40\x40\x40\xeb\xfe", 5);
    ask(f, "qSupported:swbreak+");
    assert_string_equal(ask(f, "Z0,7c02,1"), "OK");
    feed_packet(f, "vCont;c", 7);
    assert_string_equal(f->out, "+"); /* no reply yet */
    assert_true(f->running);
    assert_int_equal(cpu_run(&f->cpu, 100), CPU_BREAK);
    f->out_len = 0;
    gdbstub_stopped(f->stub, on_send, f);
    const char *at = f->out;
    take_packet(f, &at);
    assert_string_equal(f->answer, "T05thread:1;swbreak:;");
    assert_int_equal(f->cpu.st.eip, CODE + 2);
    f->out_len = 0;
    f->out[0] = 0;
    gdbstub_stopped(f->stub, on_send, f); /* only once */
    assert_string_equal(f->out, "");
}

static void a_hardware_breakpoint_is_reported_as_one(void **state)
{
    struct fixture *f = *state;
    put_code(f, "\x40\x40\xeb\xfe", 4);
    ask(f, "qSupported:swbreak+;hwbreak+");
    ask(f, "Z1,7c01,1");
    feed_packet(f, "c", 1);
    assert_int_equal(cpu_run(&f->cpu, 100), CPU_BREAK);
    f->out_len = 0;
    gdbstub_stopped(f->stub, on_send, f);
    const char *at = f->out;
    take_packet(f, &at);
    assert_string_equal(f->answer, "T05thread:1;hwbreak:;");
}

static void both_kinds_of_breakpoint_may_share_an_address(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(ask(f, "Z0,7c02,1"), "OK");
    assert_string_equal(ask(f, "Z0,7c02,1"), "OK"); /* inserting twice is one */
    assert_string_equal(ask(f, "Z1,7c02,1"), "OK");
    assert_int_equal(f->cpu.nbreak, 1);
    assert_string_equal(ask(f, "z0,7c02,1"), "OK");
    assert_int_equal(f->cpu.nbreak, 1);
    assert_string_equal(ask(f, "z1,7c02,1"), "OK");
    assert_int_equal(f->cpu.nbreak, 0);
    assert_string_equal(ask(f, "z1,7c02,1"), "OK"); /* removing none is no error: E.2, z packets */
    assert_string_equal(ask(f, "Z0,xx,1"), "E22");
}

static void a_full_breakpoint_table_is_an_error(void **state)
{
    struct fixture *f = *state;
    char request[32];
    for (unsigned i = 0; i < CPU_BREAKPOINTS; i++) {
        snprintf(request, sizeof(request), "Z0,%x,1", 0x1000 + i);
        assert_string_equal(ask(f, request), "OK");
    }
    assert_string_equal(ask(f, "Z0,5000,1"), "E28");
}

static void ctrl_c_stops_a_running_machine(void **state)
{
    struct fixture *f = *state;
    feed_packet(f, "c", 1);
    assert_true(f->running);
    feed(f, "\x03", 1);
    assert_false(f->running);
    const char *at = f->out;
    take_packet(f, &at);
    assert_string_equal(f->answer, "T02thread:1;");
    assert_string_equal(ask(f, "?"), "T02thread:1;");
}

static void detaching_removes_the_breakpoints_and_runs_on(void **state)
{
    struct fixture *f = *state;
    ask(f, "Z0,7c02,1");
    assert_string_equal(ask(f, "D"), "OK");
    assert_int_equal(f->cpu.nbreak, 0);
    assert_true(f->running);
    ask(f, "?"); /* and may come back */
    assert_false(f->running);
}

static void kill_asks_the_monitor_to_quit_and_is_not_answered(void **state)
{
    struct fixture *f = *state;
    feed_packet(f, "k", 1);
    assert_string_equal(f->out, "+");
    assert_string_equal(f->monitor_line, "quit");
}

/* "info" in hex; output in O packets, then OK. */
static void monitor_commands_go_through(void **state)
{
    struct fixture *f = *state;
    feed_packet(f, "qRcmd,696e666f", 14);
    assert_string_equal(f->monitor_line, "info");
    const char *at = f->out + 1;
    take_packet(f, &at);
    assert_string_equal(f->answer, "O4549503d");
    take_packet(f, &at);
    assert_string_equal(f->answer, "O310a");
    take_packet(f, &at);
    assert_string_equal(f->answer, "OK");
    assert_string_equal(ask(f, "qRcmd,6"), "E22");
    assert_string_equal(ask(f, "qRcmd,0000"), "E22");
}

static void a_damaged_packet_is_asked_for_again_and_so_is_a_lost_answer(void **state)
{
    struct fixture *f = *state;
    feed(f, "$qC#00", 6);
    assert_string_equal(f->out, "-");
    assert_string_equal(ask(f, "qC"), "QC1");
    feed(f, "-", 1);
    assert_string_equal(f->out, "$QC1#c5");
    feed(f, "$qC", 3);
    assert_string_equal(f->out, "");
    feed(f, "#b4", 3);
    assert_string_equal(f->out, "+$QC1#c5");
}

static void without_acknowledgements_there_is_only_the_answer(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(ask(f, "QStartNoAckMode"), "OK");
    feed_packet(f, "qC", 2);
    assert_string_equal(f->out, "$QC1#c5");
    /* A new connection begins with acknowledgements, without the old one's breakpoints. */
    feed_packet(f, "Z0,1234,1", 9);
    ask(f, "qSupported:");
    assert_int_equal(f->cpu.nbreak, 0);
    ask(f, "qC");
}

static void a_packet_that_is_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    char data[6000];
    memset(data, 'm', sizeof(data));
    feed_packet(f, data, sizeof(data));
    assert_string_equal(f->out, "-");
    ask(f, "QStartNoAckMode");
    feed_packet(f, data, sizeof(data));
    assert_string_equal(f->out, "$E22#a9");
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Random bytes, and packets with correct frames and half-right contents. */
static void garbage_is_survived(void **state)
{
    static const char *const starts[] = {"g", "G", "p", "P", "m", "M", "X", "Z", "z", "s", "c", "vCont", "H", "T", "q", "Q",
                                         "qRcmd,", "qXfer:features:read:target.xml:", "qSupported", "S", "C", "v", "D"};
    static const char letters[] = "0123456789abcdef,;:=-}*#$zcs";
    struct fixture *f = *state;
    uint32_t seed = 1;
    for (unsigned round = 0; round < 20000; round++) {
        char data[128];
        size_t n = (size_t)snprintf(data, sizeof(data), "%s", starts[next_random(&seed) % ARRAY_LEN(starts)]);
        for (unsigned k = next_random(&seed) % 40; k; k--)
            data[n++] = round & 1 ? (char)next_random(&seed) : letters[next_random(&seed) % (sizeof(letters) - 1)];
        if (round % 3)
            feed_packet(f, data, n);
        else
            feed(f, data, n);
        f->running = false;
    }
    feed(f, "#00", 3); /* ends whatever was begun */
    ask(f, "qSupported:");
    assert_string_equal(ask(f, "qC"), "QC1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_first_packet_stops_the_machine),
        TEST(features_and_packet_size_are_announced),
        TEST(unknown_packets_get_the_empty_answer),
        TEST(there_is_one_thread_and_it_was_there_before),
        TEST(the_target_description_arrives_in_pieces),
        TEST(all_registers_come_in_gdb_s_order),
        TEST(p_reads_what_g_reads),
        TEST(registers_are_written_one_by_one_and_together),
        TEST(eflags_are_written_with_their_arithmetic_bits),
        TEST(a_segment_register_follows_real_mode_and_is_refused_in_protected_mode),
        TEST(x87_registers_are_those_of_the_stack),
        TEST(memory_is_read_and_written),
        TEST(binary_writes_undo_the_escapes),
        TEST(memory_that_is_not_mapped_is_an_error_and_a_read_stops_before_it),
        TEST(a_step_runs_one_instruction_and_reports_the_trap),
        TEST(continuing_answers_when_the_breakpoint_is_hit),
        TEST(a_hardware_breakpoint_is_reported_as_one),
        TEST(both_kinds_of_breakpoint_may_share_an_address),
        TEST(a_full_breakpoint_table_is_an_error),
        TEST(ctrl_c_stops_a_running_machine),
        TEST(detaching_removes_the_breakpoints_and_runs_on),
        TEST(kill_asks_the_monitor_to_quit_and_is_not_answered),
        TEST(monitor_commands_go_through),
        TEST(a_damaged_packet_is_asked_for_again_and_so_is_a_lost_answer),
        TEST(without_acknowledgements_there_is_only_the_answer),
        TEST(a_packet_that_is_too_long_is_refused),
        TEST(garbage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
