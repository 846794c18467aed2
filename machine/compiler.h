/* Compiler extensions behind macros, each with a portable fallback (ARCHITECTURE.md, law 7). */
#ifndef MACHINE_COMPILER_H
#define MACHINE_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define NOINLINE __attribute__((noinline))
#define COLD __attribute__((noinline, cold))
#else
#define LIKELY(x) (x)
#define UNLIKELY(x) (x)
#define PRINTF_LIKE(fmt, args)
#define MUST_CHECK
#define NOINLINE
#define COLD
#endif

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The enclosing struct of a member: container_of(ptr, struct i8254, dev). */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
