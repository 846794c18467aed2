/*
 * retrace-img: makes, examines, converts and repairs disk images. Verbs, options, output and exit
 * statuses are qemu-img's where it has the verb; `clone`, `tree`, `ls` and `cp` are
 * our own.
 */
#include "img/img.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct verb verbs[] = {
    {"bench",
     "[-c count] [-d depth] [-f fmt] [-n] [-o offset] [-q] [-s size] [-S step] [-w] "
     "[--pattern=n] [--flush-interval=n] filename",
     img_bench},
    {"check", "[-q] [-f fmt] [--output=human|json] [-r leaks|all] [-U] filename", img_check},
    {"clone", "[--linked | --full] [-q] [-p] filename new_filename", img_clone},
    {"commit", "[-q] [-f fmt] [-b base] [-d] [-p] [--force] filename", img_commit},
    {"compare", "[-f fmt] [-F fmt] [-p] [-q] [-s] [-U] filename1 filename2", img_compare},
    {"convert",
     "[-U] [-c] [-p] [-q] [-n] [-f fmt] [-O fmt] [-B backing [-F fmt]] [-o options] "
     "[-l snapshot] [-S sparse_size] filename [...] output_filename",
     img_convert},
    {"cp",
     "[-f fmt] [--partition=n] [-r] [-U] filename source [...] target   (\"::/\" is the image)",
     img_cp},
    {"create", "[-q] [-f fmt] [-b backing [-F fmt]] [-u] [-o options] filename [size]", img_create},
    {"dd", "[-U] [-f fmt] [-O fmt] [bs=size] [count=n] [skip=n] if=input of=output", img_dd},
    {"info", "[-f fmt] [--output=human|json] [--backing-chain] [-U] filename", img_info},
    {"ls", "[-f fmt] [--partition=n] [-R] [-b] [-U] filename [directory]", img_ls},
    {"map", "[-f fmt] [--start-offset=n] [--max-length=n] [--output=human|json] [-U] filename",
     img_map},
    {"measure",
     "[-O fmt] [-o options] [--output=human|json] [--size n | [-f fmt] [-l snapshot] filename]",
     img_measure},
    {"rebase", "[-q] [-f fmt] [-p] [-u] -b backing [-F fmt] filename", img_rebase},
    {"resize", "[-f fmt] [-q] [--shrink] filename [+|-]size", img_resize},
    {"snapshot", "[-q] [-U] [-l | -a snapshot | -c snapshot | -d snapshot] filename", img_snapshot},
    {"tree", "[directory]", img_tree},
};
enum { NVERBS = sizeof(verbs) / sizeof(verbs[0]) };

static int help(void)
{
    printf("retrace-img version " RETRACE_VERSION "\n"
           "usage: retrace-img verb [options]\n\nVerbs:\n");
    for (unsigned i = 0; i < NVERBS; i++)
        printf("  %s %s\n", verbs[i].name, verbs[i].usage);
    printf("\nFormats: raw qcow2. Sizes take k, M, G, T, P or E. -U takes no lock on the image;\n"
           "-q prints nothing but errors; -p shows progress; `-o help` lists the options of a new "
           "image.\n");
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); /* too long a file is an error of a write, like a full disk */
    if (argc < 2)
        return img_failf("Not enough arguments\nTry 'retrace-img --help' for more information");
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
        return help();
    if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("retrace-img version " RETRACE_VERSION "\n");
        return 0;
    }
    for (unsigned i = 0; i < NVERBS; i++)
        if (strcmp(argv[1], verbs[i].name) == 0) {
            if (argc == 3 && (strcmp(argv[2], "-h") == 0 || strcmp(argv[2], "--help") == 0)) {
                printf("usage: retrace-img %s %s\n", verbs[i].name, verbs[i].usage);
                return 0;
            }
            return verbs[i].run(argc - 1, argv + 1);
        }
    return img_failf("Command not found: %s\nTry 'retrace-img --help' for more information",
                     argv[1]);
}
