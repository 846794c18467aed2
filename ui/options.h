/* The command line: QEMU's spelling for what exists. */
#ifndef UI_OPTIONS_H
#define UI_OPTIONS_H

#include "machine/config.h"

enum display_kind { DISPLAY_AUTO, DISPLAY_SDL, DISPLAY_TEXT /* the text screen in the terminal */, DISPLAY_NONE };

enum { MAX_NETDEVS = 16 };

struct options {
    struct machine_config cfg;
    enum display_kind display;
    const char *serial[SERIAL_PORTS]; /* character devices: "stdio", "file:x"...; NULL: none */
    const char *parallel, *monitor, *debugcon;
    uint16_t debug_port; /* 0: both 0x402 and 0xE9 */
    const char *script, *loadvm, *gdb, *log_file;
    const char *record, *replay; /* files */
    bool rr_record, rr_replay;   /* as -icount names it */
    uint32_t trace;
    bool paused;      /* -S */
    bool no_reboot;
    bool full_screen, nographic;
    const char *firmware_dir; /* -L */
    bool network_given;       /* -nic, -net, -netdev or a network card: no default */
    const char *netdev[MAX_NETDEVS], *object[MAX_NETDEVS]; /* specifications */
    unsigned netdevs, objects;
    const char *roms_dir;
    /* Storage for names put together here. */
    char netdev_text[MAX_NETDEVS][1024];
    char nic_rom[MAX_NICS][1024];
    bool nic_rom_given[MAX_NICS]; /* romfile=; "" is none */
    char drive[MEDIA_DRIVES][4096], bios[4096], vgabios[4096], boot_words[128], name[128], rr_file[4096];
};

/* What is left to do after parsing. */
enum options_result { OPTIONS_RUN, OPTIONS_DONE /* -h, -version, help lists were printed */ };

/* Parses argv into `o`, which keeps pointers into argv and into itself (so it must not be moved), and
 * prints help lists to stdout itself. On error the sentence names the nearest known option or value. */
MUST_CHECK enum emu_err options_parse(struct options *o, int argc, char **argv, enum options_result *result,
                                      struct error *err);

/* net_options.c */
MUST_CHECK enum emu_err opt_netdev(struct options *o, const char *value, struct error *err);
MUST_CHECK enum emu_err opt_object(struct options *o, const char *value, struct error *err);
MUST_CHECK enum emu_err opt_device(struct options *o, const char *value, struct error *err);
MUST_CHECK enum emu_err opt_nic(struct options *o, const char *value, struct error *err);
MUST_CHECK enum emu_err opt_net(struct options *o, const char *value, struct error *err);
/* After all options: the default network, what depends on the board. */
void finish_network(struct options *o);
void print_nic_models(void);

#endif
