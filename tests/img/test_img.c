/*
 * retrace-img as a program: its verbs against qemu-img's (standard output and exit status of the
 * same line in two equal directories), files inside FAT images, templates, and a tree of images
 * that QEMU reads at every step. Skipped where qemu-img, qemu-io or mtools are missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/img_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    static struct img_tool t;
    img_tool_setup(&t);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    img_tool_remove(*state);
    return 0;
}

static void need(bool there, const char *what)
{
    if (there)
        return;
    print_message("skipped: %s\n", what);
    skip();
}

#define SH(t, ...)                                                                                 \
    do {                                                                                           \
        int rc_ = img_tool_sh(t, __VA_ARGS__);                                                     \
        if (rc_ != 0)                                                                              \
            fail_msg("exit status %d of: %s", rc_, #__VA_ARGS__);                                    \
    } while (0)

static void assert_says(const struct img_tool *t, const char *word)
{
    if (!strstr(img_tool_out(t), word))
        fail_msg("\"%s\" is not in \"%s\"", word, img_tool_out(t));
}

/* --- the same words, the same output, the same exit status --- */

static const char *const same_lines[] = {
    "$T create -f qcow2 n1.qcow2 10M",
    "$T create -f qcow2 -o cluster_size=4k,compat=0.10 n2.qcow2 1G",
    "$T create -f qcow2 -b base.qcow2 -F qcow2 n3.qcow2",
    "$T create -f qcow2 -b base.qcow2 nf.qcow2",
    "$T create -f qcow2 -b missing -F qcow2 nf.qcow2",
    "$T create -f qcow2 -b missing -F qcow2 -u n4.qcow2 5M",
    "$T create -f qcow2 -b missing -F qcow2 -u nf.qcow2",
    "$T create n5.raw 1.5M && wc -c <n5.raw",
    "$T create -f qcow2 nf.qcow2",
    "$T create -f qcow2 nf.qcow2 12x",
    "$T create -f foo nf.qcow2 1M",
    "$T create -f qcow2 -o preallocation=metadata n7.qcow2 1M",
    "$T create -f qcow2 -o preallocation=falloc n7.qcow2 1M",
    "$T create -f raw -o preallocation=full n8.raw 1M && stat -c %b n8.raw",
    "$T create -f raw -o preallocation=falloc n8.raw 1M && stat -c %b n8.raw",
    "$T info base.qcow2",
    "$T info --backing-chain top.qcow2",
    "$T info --output=json base.qcow2",
    "$T info --output=json --backing-chain top.qcow2",
    "$T info missing",
    "$T info --output=foo base.qcow2",
    "$T info -f raw base.qcow2",
    "$T info",
    "$T check base.qcow2",
    "$T check --output=json base.qcow2",
    "$T check top.raw",
    "$T check -q base.qcow2",
    "$T check -r all base.qcow2",
    "$T check -r foo base.qcow2",
    "$T check missing",
    "$T check leaky.qcow2",
    "$T check corrupt.qcow2 >counts", /* theirs also counts the flag of a lost cluster */
    "$T check -r leaks leaky.qcow2",
    "$T check -q leaky.qcow2",
    "$T map base.qcow2",
    "$T map top.qcow2",
    "$T map --output=json base.qcow2",
    "$T map --output=json top.qcow2",
    "$T map --output=json top.raw",
    "$T map --start-offset=1M --max-length=1M --output=json top.qcow2",
    "$T map --start-offset=100M top.qcow2",
    "$T map missing",
    "$T compare top.qcow2 top.raw",
    "$T compare -s top.qcow2 top.raw",
    "$T compare base.qcow2 top.qcow2",
    "$T compare -q base.qcow2 top.qcow2",
    "$T compare base.qcow2 n5.raw",
    "$T compare n1.qcow2 n2.qcow2",
    "$T compare -s n1.qcow2 n2.qcow2",
    "$T compare base.qcow2 missing",
    "$T compare base.qcow2",
    "$T snapshot -l base.qcow2",
    "$T snapshot -c one base.qcow2",
    "$T snapshot -c 7 base.qcow2",
    "$T snapshot -a 1 base.qcow2",
    "$T snapshot -a missing base.qcow2",
    "$T snapshot -d missing base.qcow2",
    "$T snapshot -d 1 base.qcow2",
    "$T convert -l one -O raw base.qcow2 c0.raw && cksum <c0.raw",
    "$T snapshot -d 7 base.qcow2",
    "$T snapshot -d one base.qcow2",
    "$T snapshot -c a -d b base.qcow2",
    "$T resize n1.qcow2 20M",
    "$T resize n1.qcow2 +5M",
    "$T resize n1.qcow2 -5M",
    "$T resize --shrink n1.qcow2 -5M",
    "$T resize n1.qcow2 foo",
    "$T resize --shrink n1.qcow2 -100M",
    "$T resize -f raw n5.raw 20M",
    "$T info n1.qcow2 | grep virtual",
    "$T measure --size 10M -O qcow2",
    "$T measure --size 10M",
    "$T measure -O qcow2 top.qcow2",
    "$T measure -O raw top.qcow2",
    "$T measure --output=json -O qcow2 top.raw",
    "$T measure -O qcow2 -o cluster_size=512 --size 10M",
    "$T measure -O qcow2 -o cluster_size=2M --size 10G",
    "$T measure",
    "$T measure -O foo --size 10M",
    "$T convert -O raw top.qcow2 c1.raw && cmp c1.raw top.raw",
    "$T convert -c -O qcow2 top.raw c3.qcow2 && $T check c3.qcow2 | head -2",
    "$T convert -O qcow2 -o compat=0.10 -f raw top.raw c4.qcow2 && $T info c4.qcow2 | grep compat",
    "$T convert -O qcow2 -B base.qcow2 -F qcow2 top.qcow2 c5.qcow2 && $T compare c5.qcow2 top.raw",
    "$T convert -O raw missing c7.raw",
    "$T convert -O foo top.qcow2 c7.raw",
    "$T convert -c -O raw top.qcow2 c7.raw",
    "$T convert top.qcow2",
    "$T convert -n -O qcow2 top.raw n1.qcow2 && $T compare n1.qcow2 top.raw",
    "$T convert -n -O qcow2 top.raw n7.qcow2",
    "$T convert -S 0 -O raw top.raw c8.raw && stat -c %b c8.raw",
    "$T convert -O raw top.raw n5.raw c9.raw && cksum <c9.raw",
    "$T convert -S 100 -O raw top.raw c11.raw",
    "$T convert -W -m 8 -t none -T none -O raw top.raw c12.raw",
    "$T convert --target-is-zero -n -O raw top.raw c12.raw && cmp c12.raw top.raw",
    "$T convert -p -O raw top.qcow2 c6.raw | tr '\\r' '\\n' | tail -2",
    "$T dd if=top.raw of=d1.raw && cmp d1.raw top.raw",
    "$T dd if=top.raw of=d2.raw bs=1M count=2 && cksum <d2.raw",
    "$T dd if=top.raw of=d3.raw bs=1M skip=1 && cksum <d3.raw",
    "$T dd -O qcow2 if=top.raw of=d4.qcow2 bs=64k && $T compare d4.qcow2 top.raw",
    "$T dd if=top.raw",
    "$T dd if=top.raw of=d5.raw bs=0",
    "$T dd if=top.raw of=d5.raw foo=1",
    "$T dd if=top.raw of=d5.raw bs=1M skip=100 && wc -c <d5.raw",
    "$T commit top.qcow2",
    "$T compare base.qcow2 top.raw",
    "$T commit base.qcow2",
    "$T commit missing",
    "$T create -q -f qcow2 -b base.qcow2 -F qcow2 m1.qcow2 &&"
    " $T create -q -f qcow2 -b m1.qcow2 -F qcow2 m2.qcow2 20M &&"
    " qemu-io -c 'write -P 7 15M 64k' -c 'write -P 9 0 100k' m2.qcow2 >io &&"
    " $T commit -b base.qcow2 m2.qcow2",
    "$T info base.qcow2 | grep virtual",
    "$T commit -b missing m2.qcow2",
    "$T commit -d m2.qcow2",
    "$T info m1.qcow2 | grep virtual",
    "$T commit -q m2.qcow2",
    "$T commit -p m2.qcow2 | tr '\\r' '\\n' | tail -1",
    "$T rebase -b base.qcow2 -F qcow2 m2.qcow2; $T info m2.qcow2 | grep back",
    "$T rebase -b '' m2.qcow2; $T info m2.qcow2 | grep back",
    "$T rebase -u -b missing -F qcow2 m1.qcow2; $T info m1.qcow2 | grep back",
    "$T rebase -b missing -F qcow2 m1.qcow2",
    "$T rebase -u -b base.qcow2 -F qcow2 m1.qcow2; $T info m1.qcow2 | grep back",
    "$T rebase m1.qcow2",
    "$T rebase -b base.qcow2 -F qcow2 top.raw",
    "$T bench -c 10 -s 4096 top.raw | sed 's/in .* sec/in X sec/'",
    "$T bench -w -c 10 --pattern=5 --flush-interval=2 -f raw d1.raw",
    "$T bench missing",
    "$T foo",
    "$T",
};

static const char make_images[] =
    "mkdir q r && for d in q r; do (cd $d; $Q create -q -f qcow2 base.qcow2 10M && "
    "qemu-io -c 'write -P 17 0 1M' -c 'write -P 34 3M 64k' -c 'write -z 4M 1M' base.qcow2 && "
    "$Q create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2 && "
    "qemu-io -c 'write -P 51 512k 1M' top.qcow2 && $Q convert -O raw top.qcow2 top.raw && "
    "for i in leaky corrupt; do $Q create -q -f qcow2 $i.qcow2 1M && "
    "qemu-io -c 'write -P 1 0 128k' $i.qcow2; done && "
    /* The first refcount block is cluster 2: cluster 8 counted but unused; cluster 5 used but not
     */
    "printf '\\000\\001' | dd of=leaky.qcow2 bs=1 seek=131088 conv=notrunc && "
    "printf '\\000\\000' | dd of=corrupt.qcow2 bs=1 seek=131082 conv=notrunc) || exit 1; done";

static void verbs_say_and_answer_what_qemu_img_does(void **state)
{
    struct img_tool *t = *state;
    unsigned wrong = 0;
    need(t->tool && t->qemu, "retrace-img or qemu-img cannot be run (package qemu-utils)");
    SH(t, "%s", make_images);
    for (unsigned i = 0; i < sizeof(same_lines) / sizeof(same_lines[0]); i++) {
        SH(t, "(cd q; T=$Q; %s\necho \"status $?\") >q.out; true", same_lines[i]);
        SH(t, "(cd r; %s\necho \"status $?\") >r.out; true", same_lines[i]);
        if (img_tool_sh(t, "diff q.out r.out") == 0)
            continue;
        print_message("%s\n%s\n", same_lines[i], img_tool_out(t));
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* --- FAT --- */

static void need_mtools(const struct img_tool *t)
{
    need(t->tool, "retrace-img cannot be run");
    need(img_tool_sh(t, "mformat --version && mcopy --version") == 0,
         "mtools are missing (package mtools)");
}

static void files_go_into_a_fat_image_and_out_again(void **state)
{
    struct img_tool *t = *state;
    need_mtools(t);
    SH(t, "mformat -C -i a.raw -f 1440 :: && $T convert -O qcow2 a.raw a.qcow2");
    SH(t, "head -c 100000 /dev/urandom >DATA.BIN && $T cp a.qcow2 DATA.BIN ::/");
    SH(t, "$T check a.qcow2 && $T ls a.qcow2");
    assert_says(t, "100000");
    SH(t, "$T ls -b a.qcow2 /");
    assert_string_equal(img_tool_out(t), "::/DATA.BIN");
    SH(t, "$T cp a.qcow2 ::/DATA.BIN back && cmp DATA.BIN back");
    /* What mtools itself finds in the raw contents. */
    SH(t, "$T convert -O raw a.qcow2 b.raw && mcopy -i b.raw ::DATA.BIN again && "
          "cmp DATA.BIN again");
    assert_int_equal(img_tool_sh(t, "$T cp a.qcow2 ::/MISSING back"), 1);
    assert_int_equal(img_tool_sh(t, "$T ls a.qcow2 /MISSING"), 1);
    assert_int_equal(img_tool_sh(t, "$T cp a.qcow2 DATA.BIN back"), 1);
}

/* MBR: one FAT16 partition (type 6) from sector 63 on, and an extended one (5) with a logical FAT
 * (type 1) 63 sectors behind its begin at sector 20000. */
static void a_partition_is_found_by_its_type_or_number(void **state)
{
    struct img_tool *t = *state;
    need_mtools(t);
    SH(t, "truncate -s 16M a.raw && "
          "printf '\\200\\001\\001\\000\\006\\017\\077\\023\\077\\0\\0\\0\\0\\100\\0\\0"
          "\\0\\0\\0\\0\\005\\0\\0\\0\\040\\116\\0\\0\\0\\050\\0\\0' | "
          "dd of=a.raw bs=1 seek=446 conv=notrunc && "
          "printf '\\125\\252' | dd of=a.raw bs=1 seek=510 conv=notrunc && "
          "printf '\\0\\0\\0\\0\\001\\0\\0\\0\\077\\0\\0\\0\\0\\020\\0\\0' | "
          "dd of=a.raw bs=1 seek=10240446 conv=notrunc && "
          "printf '\\125\\252' | dd of=a.raw bs=1 seek=10240510 conv=notrunc && "
          "mformat -i a.raw@@32256 -T 16384 -h 16 -s 63 -v ONE :: && "
          "mformat -i a.raw@@10272256 -T 4096 -h 16 -s 63 -v FIVE ::");
    SH(t, "$T convert -O qcow2 a.raw a.qcow2 && $T ls a.qcow2");
    assert_says(t, "ONE");
    SH(t, "$T ls --partition=5 a.qcow2");
    assert_says(t, "FIVE");
    SH(t, "mkdir -p d/e && echo x >d/e/f && $T cp -r --partition=5 a.qcow2 d ::/ && "
          "$T ls -R -b --partition=5 a.qcow2");
    assert_says(t, "::/d/e/f");
    SH(t, "$T ls -b a.qcow2");
    assert_string_equal(img_tool_out(t), "");
    assert_int_equal(img_tool_sh(t, "$T ls --partition=3 a.qcow2"), 1);
    SH(t, "truncate -s 1M empty.raw; $T ls empty.raw; test $? = 1");
}

/* --- a tree of images --- */

/* A pseudorandom disk stands for a guest's writes: the same bytes from both programs. */
static void fill(const struct img_tool *t, const char *image, unsigned seed, const char *at)
{
    SH(t,
       "qemu-io -f qcow2 -c 'write -P %u %s 200k' -c 'write -P %u 7M 4k' -c 'write -z 2M 64k' %s",
       seed, at, seed + 1, image);
}

static void remember(const struct img_tool *t, const char *image, const char *as)
{
    SH(t, "$Q convert -f qcow2 -O raw %s %s && $T convert -O raw %s tmp.raw && cmp %s tmp.raw",
       image, as, image, as);
}

/* Both programs read what was remembered, and find the image sound. */
static void assert_holds(const struct img_tool *t, const char *image, const char *as)
{
    SH(t,
       "$Q compare -f qcow2 -F raw %s %s && $T compare -F raw %s %s && $Q check %s && $T check %s",
       image, as, image, as, image, image);
}

static void a_tree_of_clones_is_committed_rolled_back_rebased_and_flattened(void **state)
{
    struct img_tool *t = *state;
    need(t->tool && t->qemu, "retrace-img or qemu-img cannot be run (package qemu-utils)");
    SH(t, "$T create -q -f qcow2 base.qcow2 16M");
    fill(t, "base.qcow2", 10, "1M");
    remember(t, "base.qcow2", "base.0");
    SH(t, "for c in a b c; do $T clone --linked base.qcow2 $c.qcow2 || exit 1; done");
    SH(t, "$T tree .");
    assert_says(t, "├── a.qcow2");
    assert_says(t, "└── c.qcow2");
    for (unsigned i = 0; i < 3; i++) {
        const char *const names[] = {"a.qcow2", "b.qcow2", "c.qcow2"};
        const char *const first[] = {"a.0", "b.0", "c.0"};
        assert_holds(t, names[i], "base.0");
        fill(t, names[i], 20 + 10 * i, "1500k");
        remember(t, names[i], first[i]);
    }
    /* b: a snapshot, more writes, rolled back. */
    SH(t, "$T snapshot -c before b.qcow2");
    fill(t, "b.qcow2", 90, "3M");
    remember(t, "b.qcow2", "b.1");
    SH(t, "$T snapshot -a before b.qcow2");
    assert_holds(t, "b.qcow2", "b.0");
    SH(t, "$T snapshot -c after b.qcow2 && $T snapshot -d before b.qcow2");
    assert_holds(t, "b.qcow2", "b.0");
    /* c: rebased onto a (as it is), then flattened. */
    SH(t, "$T rebase -b a.qcow2 -F qcow2 c.qcow2");
    assert_holds(t, "c.qcow2", "c.0");
    SH(t, "$T rebase -b '' c.qcow2 && ! $T info c.qcow2 | grep 'backing file:'");
    assert_holds(t, "c.qcow2", "c.0");
    /* a: cannot be committed into a template that b still needs. */
    assert_int_equal(img_tool_sh(t, "$T commit a.qcow2"), 1);
    assert_holds(t, "base.qcow2", "base.0");
    SH(t, "$T rebase -b '' b.qcow2");
    assert_holds(t, "b.qcow2", "b.0");
    SH(t, "rm b.qcow2 c.qcow2 && $T commit a.qcow2");
    assert_holds(t, "base.qcow2", "a.0");
    assert_holds(t, "a.qcow2", "a.0");
}

static void a_template_refuses_every_verb_that_writes(void **state)
{
    struct img_tool *t = *state;
    need(t->tool, "retrace-img cannot be run");
    SH(t, "$T create -q -f qcow2 t.qcow2 1M && $T clone -q t.qcow2 c.qcow2 && "
          "$T clone -q --full t.qcow2 f.qcow2");
    static const char *const writers[] = {
        "$T resize t.qcow2 2M",
        "$T snapshot -c x t.qcow2",
        "$T rebase -u -b '' t.qcow2",
        "$T convert -n -O qcow2 f.qcow2 t.qcow2",
        "$T convert -O qcow2 f.qcow2 t.qcow2",
        "$T create -f qcow2 t.qcow2 1M",
        "$T create -f raw t.qcow2 1M",
        "$T bench -w -c 1 t.qcow2",
        "$T dd if=f.qcow2 of=t.qcow2",
    };
    SH(t, "cksum <t.qcow2 >sum");
    for (unsigned i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
        if (img_tool_sh(t, "(%s) 2>said; test $? = 1 && grep 'linked clones' said", writers[i]) !=
            0)
            fail_msg("not refused: %s", writers[i]);
        SH(t, "cksum <t.qcow2 | cmp - sum");
    }
    SH(t, "$T check t.qcow2 && $T info t.qcow2 && rm c.qcow2 && $T resize t.qcow2 2M");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(verbs_say_and_answer_what_qemu_img_does),
        T(files_go_into_a_fat_image_and_out_again),
        T(a_partition_is_found_by_its_type_or_number),
        T(a_tree_of_clones_is_committed_rolled_back_rebased_and_flattened),
        T(a_template_refuses_every_verb_that_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
