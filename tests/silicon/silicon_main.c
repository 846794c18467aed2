/* build/silicon: the harness from the command line; `make silicon N=1000000`. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/silicon/silicon.h"

static int usage(void)
{
    fprintf(stderr, "usage: silicon [-n CASES] [-s SEED] [-i INDEX] [-m MODEL] [-o MNEMONIC] [-f] [-p DIFFERENCES] [-b] [-c] [-v]\n"
                    "  -i  only this case of the seed, printed in full\n"
                    "  -o  only this mnemonic; x87: all of the x87\n"
                    "  -f  the fast tier as well\n"
                    "  -p  how many differences to print (5)\n"
                    "  -b  one line per difference\n"
                    "  -c  which forms and addressing modes were reached\n"
                    "  -v  what was skipped, which exceptions there were\n");
    return 2;
}

static bool parse(int argc, char **argv, struct silicon_options *o)
{
    int c;
    while ((c = getopt(argc, argv, "n:s:i:m:o:fp:bcv")) != -1) {
        switch (c) {
        case 'n': o->cases = strtoull(optarg, NULL, 0); break;
        case 's': o->seed = strtoull(optarg, NULL, 0); break;
        case 'i': o->only = strtol(optarg, NULL, 0); break;
        case 'm': o->model = optarg; break;
        case 'o': o->mnemonic = optarg; break;
        case 'f': o->fast = true; break;
        case 'p': o->max_prints = (unsigned)strtoul(optarg, NULL, 0); break;
        case 'b': o->brief = true; break;
        case 'c': o->cover = true; break;
        case 'v': o->statistics = true; break;
        default: return false;
        }
    }
    return optind == argc;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    struct silicon_options o = {.model = SILICON_MODEL, .helper = SILICON_HELPER, .seed = 1, .cases = 200000,
                                .only = -1, .max_prints = 5};
    struct silicon_totals t;
    double begin = seconds();
    if (!parse(argc, argv, &o))
        return usage();
    if (o.seed == 0)
        o.seed = (uint64_t)time(NULL) << 20;
    const char *why = silicon_run(&o, stdout, &t);
    if (why) {
        printf("silicon: %s\n", why);
        return 1;
    }
    printf("silicon: %s, seed %llu: %llu cases (%llu instructions, %llu faults, %llu skipped, %llu again) in %.1f s, %llu differ\n",
           o.model, (unsigned long long)o.seed, (unsigned long long)t.compared, (unsigned long long)t.insns,
           (unsigned long long)t.faults, (unsigned long long)t.skipped, (unsigned long long)t.again, seconds() - begin,
           (unsigned long long)t.differences);
    return t.differences != 0;
}
