/* Configuration: defaults and what cannot work. See config.h. */
#include "machine/config.h"

enum { MIN_RAM = 64 << 10 };

void machine_config_init(struct machine_config *cfg)
{
    struct error err;
    *cfg = (struct machine_config){.board = BOARD_PC, .ram_size = (uint64_t)DEFAULT_RAM_MIB << 20};
    enum emu_err e = cpu_model_parse("pentium2", &cfg->cpu, &err);
    ASSERT(e == EMU_OK);
}

enum emu_err machine_config_check(const struct machine_config *cfg, struct error *err)
{
    uint64_t max = (uint64_t)MAX_RAM_MIB << 20;
    if (cfg->ram_size < MIN_RAM)
        return error_set(err, EMU_ARG, "%llu KiB of memory is too little; give at least 64 KiB (-m 64K)",
                         (unsigned long long)(cfg->ram_size >> 10));
    if (cfg->ram_size > max)
        return error_set(err, EMU_ARG, "%llu MiB of memory is too much; this machine takes at most %d MiB (-m)",
                         (unsigned long long)(cfg->ram_size >> 20), MAX_RAM_MIB);
    if (cfg->kernel_path && cfg->cpu.level < CPU_386)
        return error_set(err, EMU_ARG, "-kernel needs a 386 or later, not a %s; leave -cpu out", cfg->cpu.name);
    for (unsigned i = 0; i < IDE_DRIVES; i++) {
        if (cfg->ide[i].present && !cfg->ide[i].cdrom && !cfg->ide[i].path)
            return error_set(err, EMU_ARG, "hard disk %u has no image; give one with -hd%c FILE", i, 'a' + (int)i);
    }
    if (cfg->initrd_path && !cfg->kernel_path)
        return error_set(err, EMU_ARG, "-initrd needs -kernel");
    for (unsigned i = 0; i < cfg->nics; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (cfg->nic[i].boot_priority && cfg->nic[i].boot_priority == cfg->nic[k].boot_priority)
                return error_set(err, EMU_ARG, "%s and %s have the same bootindex=%u", cfg->nic[k].name, cfg->nic[i].name,
                                 cfg->nic[i].boot_priority - 1);
        }
        if (cfg->nic[i].rom_path && cfg->nic[i].model == NIC_NE2K_ISA)
            return error_set(err, EMU_ARG, "the card ne2k_isa has no ROM socket (romfile=%s); boot from ne2k_pci or pcnet",
                             cfg->nic[i].rom_path);
        if (cfg->board == BOARD_ISAPC && cfg->nic[i].model != NIC_NE2K_ISA)
            return error_set(err, EMU_ARG, "-M isapc has no PCI slot for %s; use ne2k_isa",
                             nic_model_name(cfg->nic[i].model));
    }
    return EMU_OK;
}

const char *nic_model_name(enum nic_model model)
{
    static const char *const names[NIC_MODELS] = {"ne2k_isa", "ne2k_pci", "pcnet"};
    return names[model];
}
