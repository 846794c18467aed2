/*
 * What machine to build. Filled by ui/options.c (or a test), copied by machine_new(); strings stay
 * owned by the caller's arena for the life of the machine.
 */
#ifndef MACHINE_CONFIG_H
#define MACHINE_CONFIG_H

#include "cpu/cpu.h"

enum board { BOARD_PC, BOARD_ISAPC };

enum { FLOPPY_DRIVES = 2, IDE_DRIVES = 4, SERIAL_PORTS = 2 };
/* Where media go (machine_insert): the floppy drives, then the IDE drives. */
enum { MEDIA_IDE = FLOPPY_DRIVES, MEDIA_DRIVES = FLOPPY_DRIVES + IDE_DRIVES };

/* An IDE drive: 0 and 1 on the first channel, 2 and 3 on the second. */
/* What a failure of the host does to a disk's command (-drive werror=, rerror=). DEFAULT: ENOSPC for
 * writes, REPORT for reads. */
enum drive_on_error {
    DRIVE_DEFAULT,
    DRIVE_REPORT, /* the guest sees a disk error */
    DRIVE_IGNORE, /* the guest sees none; reads give zeros */
    DRIVE_STOP,   /* the machine is paused, and tries again after `cont` */
    DRIVE_ENOSPC, /* STOP where the host's disk is full, else REPORT */
};

struct ide_config {
    bool present;
    bool cdrom;
    const char *path;   /* NULL: an empty CD-ROM drive */
    const char *format; /* NULL: what the file is */
    bool readonly;
    bool snapshot;      /* this drive's writes go to memory */
    bool write_through; /* the drive's write cache is off */
    bool real;          /* timing of a real drive */
    bool no_backing;    /* an image with a backing file is refused */
    enum drive_on_error werror, rerror;
};

/* Network cards. */
enum nic_model { NIC_NE2K_ISA, NIC_NE2K_PCI, NIC_PCNET, NIC_MODELS };
enum { MAX_NICS = 4 };

struct nic_config {
    enum nic_model model;
    uint8_t mac[6];
    uint16_t iobase; /* ISA */
    uint8_t irq;     /* ISA */
    char name[32];   /* for the monitor */
    char netdev[32]; /* the back end that it is plugged into; "": none */
    const char *rom_path;    /* PCI: boots from the network; NULL: none */
    unsigned boot_priority;  /* 0: what boot_order says; else before all others, the least number first */
};

enum { DEFAULT_RAM_MIB = 128, MAX_RAM_MIB = 3072 };

struct machine_config {
    enum board board;
    struct cpu_model cpu;
    enum cpu_core core;
    uint64_t ram_size;          /* bytes, a multiple of 4096; 64 KiB to MAX_RAM_MIB */
    const char *bios_path;      /* file to load at the top of memory */
    const char *vgabios_path;   /* NULL: none */
    const char *rom_dir;        /* our own ROM images (linuxboot.bin) */
    const char *floppy_path[FLOPPY_DRIVES]; /* NULL: empty drive */
    const char *floppy_format[FLOPPY_DRIVES]; /* NULL: what the file is */
    bool floppy_readonly[FLOPPY_DRIVES];
    struct ide_config ide[IDE_DRIVES];
    bool snapshot;              /* writes go to memory, not to the images */
    const char *kernel_path, *initrd_path, *append;
    const char *boot_order;     /* letters: a floppy, c disk, d CD, n network; NULL: board's default */
    bool boot_menu;
    uint64_t rtc_base;          /* seconds since 1970-01-01 00:00 at power-on, as the RTC shows it */
    bool icount_fixed;          /* -icount shift=N: 2^N virtual ns per instruction; else follow the wall clock */
    unsigned icount_shift;
    struct nic_config nic[MAX_NICS];
    unsigned nics;
    const char *name;           /* for the window title */
};

/* Defaults: pc, its default CPU, 128 MiB, following the wall clock. */
void machine_config_init(struct machine_config *cfg);

/* The word of -device: "ne2k_isa". */
const char *nic_model_name(enum nic_model model);

/* One sentence about what cannot work (too much memory, a kernel on an 8086...). */
MUST_CHECK enum emu_err machine_config_check(const struct machine_config *cfg, struct error *err);

#endif
