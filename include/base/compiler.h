/*
 * base/compiler.h - attributes, small macros, and the C library functions that nobody here may call.
 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN               __attribute__((noreturn))
#define UNUSED                 __attribute__((unused))

/* Whether this is a build with sanitizers, which want a little more of the system. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The structure of type @type whose member @member is at @ptr. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/*
 * An invariant of the process's own structures: stays on in release builds, logs where, and aborts,
 * so that the master replaces the process. What a peer can cause is never an assert.
 */
#define ASSERT(cond) ((cond) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__))
NORETURN void assert_failed(const char *cond, const char *file, int line);

/* Unbounded, silently truncating, locale-bound or non-reentrant: use base/str.h instead. (rand(3) cannot be
 * poisoned, OpenSSL's headers use the word; scripts/check-layers finds it.) */
#ifndef COMPILER_ALLOW_ALL
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#undef sprintf /* macros of a fortified libc with clang */
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok atoi atol gets
#endif

#endif
