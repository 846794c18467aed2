/*
 * Makes handlers of one part of sequences.def: included by sequences_N.c, which define PART and the name of their
 * table. There are several of them to compile side by side.
 */
#include "cpu/fast/sequence.h"
#include "cpu/fast/steps.h"

#if defined(RETRACE_SMALL) || (defined(RETRACE_FEW) && PART > 0)
const struct fast_sequences TABLE = {NULL, 0};
#else
#define EACH_1(X, a) X(a)
#define EACH_2(X, a, ...) X(a) EACH_1(X, __VA_ARGS__)
#define EACH_3(X, a, ...) X(a) EACH_2(X, __VA_ARGS__)
#define EACH_4(X, a, ...) X(a) EACH_3(X, __VA_ARGS__)
#define EACH_5(X, a, ...) X(a) EACH_4(X, __VA_ARGS__)
#define EACH_6(X, a, ...) X(a) EACH_5(X, __VA_ARGS__)
#define EACH_7(X, a, ...) X(a) EACH_6(X, __VA_ARGS__)
#define EACH_8(X, a, ...) X(a) EACH_7(X, __VA_ARGS__)

#define DO_STEP(step) \
    STEP_##step \
    if (STEP_SETS_ESP(KEY_##step)) \
        stack.left = 0;
#define PUSHES(step) +STEP_PUSHES(KEY_##step)
#define POPS(step) +STEP_POPS(KEY_##step)
#define STEP_NUMBER(step) KEY_##step,
#define HANDLER_NAME PASTE(sequence_, __LINE__)

#define SEQUENCE(n, ...) \
    HANDLER(HANDLER_NAME) \
    { \
        struct known known = {KNOWN_WORDS, 0, 0}; \
        struct stack_steps stack = {.pushes = 0 EACH_##n(PUSHES, __VA_ARGS__), .pops = 0 EACH_##n(POPS, __VA_ARGS__)}; \
        (void)known, (void)stack; \
        EACH_##n(DO_STEP, __VA_ARGS__) \
        ADVANCE(0); \
        DISPATCH; \
    }
#include "cpu/fast/sequences.def"
#undef SEQUENCE

#define SEQUENCE(n, ...) {HANDLER_NAME, {EACH_##n(STEP_NUMBER, __VA_ARGS__)}},
static const struct fast_sequence table[] = {
#include "cpu/fast/sequences.def"
};

const struct fast_sequences TABLE = {table, ARRAY_LEN(table)};
#endif
