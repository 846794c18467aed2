/* The command line: QEMU's spelling, and one sentence for what cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "ui/net_options.c"
#include "ui/options.c"

enum { MAX_ARGS = 16 };

struct parsed {
    struct options o;
    struct error err;
    enum emu_err e;
    enum options_result result;
    char line[512];
};

/* Parses a line that is split at blanks. */
static void parse(struct parsed *p, const char *line)
{
    char *argv[MAX_ARGS] = {"retrace"}, *save = NULL;
    int argc = 1;
    strcpy(p->line, line);
    for (char *w = strtok_r(p->line, " ", &save); w && argc < MAX_ARGS; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    p->err.text[0] = 0;
    p->e = options_parse(&p->o, argc, argv, &p->result, &p->err);
}

static void accepts(struct parsed *p, const char *line)
{
    parse(p, line);
    if (p->e)
        fail_msg("%s: %s", line, p->err.text);
}

static void refuses(const char *line, const char *why)
{
    struct parsed p;
    parse(&p, line);
    if (!p.e || !strstr(p.err.text, why))
        fail_msg("%s: \"%s\" has no \"%s\"", line, p.e ? p.err.text : "(accepted)", why);
    assert_null(strchr(p.err.text, '\n'));
}

static void defaults(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "");
    assert_int_equal(p.o.cfg.board, BOARD_PC);
    assert_int_equal(p.o.cfg.ram_size, 128ull << 20);
    assert_string_equal(p.o.cfg.cpu.name, "pentium2");
    assert_false(p.o.cfg.icount_fixed);
    assert_false(p.o.cfg.boot_menu);
    assert_int_equal(p.o.display, DISPLAY_AUTO);
    assert_null(p.o.monitor);
    assert_int_equal(p.result, OPTIONS_RUN);
}

static void memory_sizes(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "-m 64");
    assert_int_equal(p.o.cfg.ram_size, 64ull << 20);
    accepts(&p, "-m 640K");
    assert_int_equal(p.o.cfg.ram_size, 640ull << 10);
    accepts(&p, "-m 2G");
    assert_int_equal(p.o.cfg.ram_size, 2ull << 30);
    accepts(&p, "-m size=1.5M");
    assert_int_equal(p.o.cfg.ram_size, 1536ull << 10);
    refuses("-m 4G", "at most 3072M");
    refuses("-m 0", "no memory size");
    refuses("-m -5", "no memory size");
    refuses("-m nan", "no memory size");
    refuses("-m inf", "at most 3072M");
    refuses("-m 64X", "no memory size");
}

static void boards_and_processors(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "-M isapc -cpu 486");
    assert_int_equal(p.o.cfg.board, BOARD_ISAPC);
    assert_int_equal(p.o.cfg.cpu.level, CPU_486);
    accepts(&p, "-machine type=pc,accel=tcg");
    assert_int_equal(p.o.cfg.board, BOARD_PC);
    refuses("-M q35", "did you mean");
    refuses("-cpu pentum", "did you mean");
    refuses("-cpu 8086", "SeaBIOS");
    refuses("-cpu 286", "-bios");
    accepts(&p, "-cpu 8086 -bios ./rom.bin");
    refuses("-accel kvm", "leave -accel out");
}

static void the_nearest_option_is_named(void **state)
{
    (void)state;
    refuses("-snapshop", "did you mean -snapshot?");
    refuses("-hdx x", "did you mean -hd");
    refuses("--kernle x", "did you mean -kernel?");
    refuses("-display sld", "did you mean \"sdl\"");
    refuses("-kernel", "needs a value");
}

static void a_bare_name_is_a_floppy(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "dos.img -fdb other.img");
    assert_string_equal(p.o.cfg.floppy_path[0], "dos.img");
    assert_string_equal(p.o.cfg.floppy_path[1], "other.img");
    accepts(&p, "-drive file=x.img,if=floppy,index=1,readonly=on,format=raw");
    assert_string_equal(p.o.cfg.floppy_path[1], "x.img");
    assert_true(p.o.cfg.floppy_readonly[1]);
    refuses("-drive file=x.img,if=floppy,index=2", "floppies");
}

static void hard_disks_and_cds(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "-hda c.img -cdrom d.iso");
    assert_string_equal(p.o.cfg.ide[0].path, "c.img");
    assert_false(p.o.cfg.ide[0].cdrom);
    assert_true(p.o.cfg.ide[2].cdrom);
    assert_string_equal(p.o.cfg.ide[2].path, "d.iso");
    accepts(&p, "-drive file=a,,b.img -drive file=e.iso,media=cdrom,index=3 "
                "-drive file=f.img,snapshot=on,timing=real,cache=writethrough");
    assert_string_equal(p.o.cfg.ide[0].path, "a,b.img"); /* a doubled comma is one */
    assert_true(p.o.cfg.ide[3].cdrom);
    assert_string_equal(p.o.cfg.ide[1].path, "f.img"); /* the next free one */
    assert_true(p.o.cfg.ide[1].snapshot && p.o.cfg.ide[1].real && p.o.cfg.ide[1].write_through);
    assert_true(p.o.cfg.ide[2].present && !p.o.cfg.ide[2].path); /* an empty drive */
    refuses("-hdc x -cdrom y", "twice");
    refuses("-drive file=x,index=4", "index=3");
    refuses("-drive file=x,chache=none", "did you mean \"cache\"");
    refuses("-drive media=disk", "file=X");
}

static void boot_words(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "-boot order=ca,menu=on");
    assert_string_equal(p.o.cfg.boot_order, "ca");
    assert_true(p.o.cfg.boot_menu);
    accepts(&p, "-boot c");
    assert_string_equal(p.o.cfg.boot_order, "c");
    accepts(&p, "-boot menu=off");
    assert_false(p.o.cfg.boot_menu);
    refuses("-boot menu=maybe", "on, off");
    refuses("-boot order=xyz", "-boot order=xyz");
    refuses("-boot order=", "use letters");
}

static void clocks(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "-rtc base=2026-01-31T12:00:00,clock=vm");
    assert_int_equal(p.o.cfg.rtc_base, 1769860800); /* date -u -d 2026-01-31T12:00:00 +%s */
    accepts(&p, "-rtc base=2000-02-29");
    assert_int_equal(p.o.cfg.rtc_base, 951782400);
    refuses("-rtc base=2026-02-30", "use base=utc");
    refuses("-rtc base=2026-01-31T25:00:00", "use base=utc");
    refuses("-rtc base=2026-01-31T12:00", "use base=utc");
    refuses("-rtc base=2026-01-31x", "use base=utc");
    refuses("-rtc base=yesterday", "use base=utc");
    accepts(&p, "-icount shift=5");
    assert_true(p.o.cfg.icount_fixed);
    assert_int_equal(p.o.cfg.icount_shift, 5);
    accepts(&p, "-icount 2,align=off");
    assert_int_equal(p.o.cfg.icount_shift, 2);
    accepts(&p, "-icount shift=3 -icount auto");
    assert_false(p.o.cfg.icount_fixed);
    refuses("-icount shift=11", "shift=10");
    refuses("-icount shift=-1", "shift=10");
    refuses("-icount shift=2x", "shift=10");
}

static void nographic_shares_the_terminal(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "-nographic");
    assert_int_equal(p.o.display, DISPLAY_NONE);
    assert_string_equal(p.o.serial[0], "mon:stdio");
    accepts(&p, "-nographic -serial file:x");
    assert_string_equal(p.o.serial[0], "file:x");
    accepts(&p, "-nographic -monitor unix:x,server");
    assert_string_equal(p.o.serial[0], "stdio");
    accepts(&p, "-nographic -monitor stdio");
    assert_string_equal(p.o.serial[0], "none");
}

static void character_devices_and_names(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "-serial null -serial stdio -name guest=box,process=x -S -s -no-reboot");
    assert_string_equal(p.o.serial[0], "null");
    assert_string_equal(p.o.serial[1], "stdio");
    assert_string_equal(p.o.cfg.name, "box");
    assert_true(p.o.paused);
    assert_true(p.o.no_reboot);
    assert_string_equal(p.o.gdb, "tcp::1234");
    refuses("-serial null -serial null -serial null", "more than 2");
    refuses("-global isa-debugcon.iobase=0x500", "0x402");
    accepts(&p, "-global isa-debugcon.iobase=0xe9");
    assert_int_equal(p.o.debug_port, 0xe9);
}

static void trace_words(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "-trace pit,pic -d int");
    assert_int_equal(p.o.trace, 1u << TRACE_PIT | 1u << TRACE_PIC | 1u << TRACE_INT);
    refuses("-trace pitt", "did you mean \"pit\"");
}

static void there_is_a_network_unless_it_is_refused(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "");
    assert_int_equal(p.o.cfg.nics, 1);
    assert_int_equal(p.o.cfg.nic[0].model, NIC_NE2K_PCI);
    assert_string_equal(p.o.cfg.nic[0].name, "ne2k_pci.0");
    assert_memory_equal(p.o.cfg.nic[0].mac, "\x52\x54\x00\x12\x34\x56", 6);
    assert_int_equal(p.o.netdevs, 1);
    accepts(&p, "-M isapc");
    assert_int_equal(p.o.cfg.nic[0].model, NIC_NE2K_ISA);
    assert_int_equal(p.o.cfg.nic[0].iobase, 0x300);
    assert_int_equal(p.o.cfg.nic[0].irq, 9);
    accepts(&p, "-nic none");
    assert_int_equal(p.o.cfg.nics, 0);
    assert_int_equal(p.o.netdevs, 0);
    accepts(&p, "-net none");
    assert_int_equal(p.o.cfg.nics, 0);
}

static void cards_and_back_ends_are_configured(void **state)
{
    struct parsed p;
    (void)state;
    accepts(&p, "-netdev hubport,id=h -device ne2k_isa,netdev=h,iobase=0x340,irq=2,mac=02:aa:BB:00:01:02,id=isa -device pcnet");
    assert_int_equal(p.o.cfg.nics, 2);
    assert_int_equal(p.o.cfg.nic[0].iobase, 0x340);
    assert_int_equal(p.o.cfg.nic[0].irq, 9); /* the AT's slots have IRQ 9 on the XT's IRQ 2 pin */
    assert_memory_equal(p.o.cfg.nic[0].mac, "\x02\xaa\xbb\x00\x01\x02", 6);
    assert_string_equal(p.o.cfg.nic[0].name, "isa");
    assert_string_equal(p.o.cfg.nic[0].netdev, "h");
    assert_int_equal(p.o.cfg.nic[1].model, NIC_PCNET);
    assert_int_equal(p.o.cfg.nic[1].mac[5], 0x57);
    assert_string_equal(p.o.cfg.nic[1].netdev, "");
    assert_string_equal(p.o.netdev[0], "hubport,id=h");
    accepts(&p, "-nic user,model=pcnet,mac=52:54:00:00:00:01,hostfwd=tcp::1-:2,hostfwd=tcp::3-:4,tftp=a,,b");
    assert_int_equal(p.o.cfg.nic[0].model, NIC_PCNET);
    assert_string_equal(p.o.netdev[0], "user,id=#nic0,hostfwd=tcp::1-:2,hostfwd=tcp::3-:4,tftp=a,,b");
    accepts(&p, "-nic user -M isapc");
    assert_int_equal(p.o.cfg.nic[0].model, NIC_NE2K_ISA);
    accepts(&p, "-net nic,model=ne2k_pci,macaddr=52:54:00:00:00:02 -net user,restrict=on");
    assert_string_equal(p.o.netdev[0], "hubport,id=#hub0port0,hubid=0");
    assert_string_equal(p.o.netdev[1], "user,id=#net1,restrict=on");
    assert_string_equal(p.o.netdev[2], "hubport,id=#hub0port1,hubid=0,netdev=#net1");
    assert_string_equal(p.o.cfg.nic[0].netdev, "#hub0port0");
}

static void impossible_networks_are_refused(void **state)
{
    (void)state;
    refuses("-device ne2k_pic", "did you mean \"ne2k_pci\"");
    refuses("-nic user,model=e1000", "did you mean");
    refuses("-device ne2k_pci,iobase=0x300", "\"iobase\"");
    refuses("-device ne2k_isa,iobase=0x301", "iobase=");
    refuses("-device ne2k_isa,irq=8", "irq=");
    refuses("-device pcnet,mac=01:00:00:00:00:00", "mac=");
    refuses("-device pcnet,mac=52:54", "mac=");
    refuses("-nic none -device pcnet -device pcnet -device pcnet -device pcnet -device pcnet", "more than 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(memory_sizes),
        cmocka_unit_test(boards_and_processors),
        cmocka_unit_test(the_nearest_option_is_named),
        cmocka_unit_test(a_bare_name_is_a_floppy),
        cmocka_unit_test(hard_disks_and_cds),
        cmocka_unit_test(boot_words),
        cmocka_unit_test(clocks),
        cmocka_unit_test(nographic_shares_the_terminal),
        cmocka_unit_test(character_devices_and_names),
        cmocka_unit_test(trace_words),
        cmocka_unit_test(there_is_a_network_unless_it_is_refused),
        cmocka_unit_test(cards_and_back_ends_are_configured),
        cmocka_unit_test(impossible_networks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
