/* What the verbs of retrace-img share. A verb gets argv from its own name on and returns the exit
 * status. */
#ifndef IMG_IMG_H
#define IMG_IMG_H

#include "disk/image.h"
#include "disk/qcow2.h"

struct verb {
    const char *name, *usage;
    int (*run)(int argc, char **argv);
};

int img_create(int argc, char **argv);
int img_measure(int argc, char **argv);
int img_resize(int argc, char **argv);
int img_convert(int argc, char **argv);
int img_dd(int argc, char **argv);
int img_info(int argc, char **argv);
int img_check(int argc, char **argv);
int img_map(int argc, char **argv);
int img_snapshot(int argc, char **argv);
int img_compare(int argc, char **argv);
int img_commit(int argc, char **argv);
int img_rebase(int argc, char **argv);
int img_clone(int argc, char **argv);
int img_tree(int argc, char **argv);
int img_bench(int argc, char **argv);
int img_ls(int argc, char **argv);
int img_cp(int argc, char **argv);

/* "retrace-img: sentence" on stderr. */
int img_fail(const struct error *err); /* returns 1 */
int img_failf(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* A wrong option of the verb `argv[0]`: says how to get help, returns 1. */
int img_usage(char **argv);

/* "10M", "1.5G", "4096"; false: not a size. */
bool img_size(const char *text, uint64_t *size);
/* "10 MiB" as qemu-img writes it. */
const char *img_human(uint64_t size, char text[32]);

/* What -o and its friends say of a new image. */
struct img_new {
    const char *format; /* "raw", "qcow2" */
    struct qcow2_create how;
    bool has_size;
    char *backing, *backing_format; /* owned */
};
/* The words of -o preallocation=, by enum qcow2_preallocation; NULL ends them. */
extern const char *const img_preallocations[];
bool img_known_format(const char *format);
/* Adds "cluster_size=64k,compat=0.10"; false: a sentence was printed. `-o help` prints and exits.
 */
bool img_options(struct img_new *n, const char *options);
void img_new_free(struct img_new *n);
MUST_CHECK enum emu_err img_new_file(const struct img_new *n, const char *path, struct error *err);
/* Opens it and prints what image_notice() says. */
MUST_CHECK enum emu_err img_open(const char *path, const char *format, unsigned flags,
                                 struct blk **out, struct error *err);
/* `snapshot` is an id, a name, or "snapshot.id=..", "snapshot.name=..". */
MUST_CHECK enum emu_err img_find_snapshot(const struct blk *b, const char *snapshot,
                                          unsigned *index, struct error *err);
/* Records what the backing file looks like now. */
MUST_CHECK enum emu_err img_record(struct blk *b, struct error *err);

/* -p */
struct progress {
    bool on;
    int last; /* hundredths of a percent */
};
void progress_show(struct progress *p, uint64_t done, uint64_t all);
void progress_end(struct progress *p);

/* For whole pieces of images; free() it. NULL: out of memory. */
uint8_t *img_buffer(size_t len);
bool img_is_zero(const uint8_t *p, size_t len);
/* Reads what is beyond the image's end as zeros. NULL: all is zero. */
MUST_CHECK enum emu_err img_read_padded(struct blk *b, uint64_t offset, uint8_t *to, size_t len,
                                        struct error *err);

#endif
