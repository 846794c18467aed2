/*
 * Runner for the hardware-captured single-step tests (corpus/cpu/README.md has the text format): loads
 * one test's registers and memory into a CPU on flat RAM, runs it, compares everything.
 *
 * 8086: one instruction, a repeated string to its end; 1 MiB, A20 closed. 80286: until HLT; 16 MiB.
 */
#ifndef TESTS_LIB_SST_H
#define TESTS_LIB_SST_H

#include "cpu/cpu.h"

enum { SST_FORMS = 1024 };

struct sst_form {
    char name[12];
    unsigned passed, failed;
    unsigned exact; /* of the passed: also with undefined flags compared */
};

struct sst_totals {
    unsigned passed, failed, exact;
    unsigned nforms;
    struct sst_form form[SST_FORMS];
};

struct sst;

/* `model` as for -cpu. NULL: `err` says why. */
struct sst *sst_new(const char *model, struct error *err);
void sst_free(struct sst *s);

/* Runs every test of the gzipped (or plain) file, adds to `totals`, and passes one text per failure
 * (several lines) to `failure`, which may be NULL. False: `err` says what is wrong with the file. */
bool sst_run_file(struct sst *s, const char *path, struct sst_totals *totals,
                  void (*failure)(void *arg, const char *text), void *arg, struct error *err);

#endif
