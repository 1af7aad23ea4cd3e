/*
 * The few names every file may use: integer types, container_of, annotations, byte order.
 * Layer: base. Includes nothing but the C library.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned __int128 u128;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef __int128 i128;

#define BIT(n) (1ull << (n))
#define BITS(n) (BIT(n) - 1) /* n < 64 */
#define LEN(array) (sizeof(array) / sizeof((array)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* clang-format off */
#define MIN(a, b) ({ __typeof__(a) min_a_ = (a); __typeof__(b) min_b_ = (b); min_a_ < min_b_ ? min_a_ : min_b_; })
#define MAX(a, b) ({ __typeof__(a) max_a_ = (a); __typeof__(b) max_b_ = (b); max_a_ > max_b_ ? max_a_ : max_b_; })
/* clang-format on */
/* a: a power of two */
#define ROUND_UP(n, a) (((n) + (a)-1) & ~((__typeof__(n))(a)-1))
#define ROUND_DOWN(n, a) ((n) & ~((__typeof__(n))(a)-1))

#define KiB (1ull << 10)
#define MiB (1ull << 20)
#define GiB (1ull << 30)
#define TiB (1ull << 40)

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
/* What runs inside handlers of signals that the thread sanitizer does not know of: they may come while it holds a lock of its own. */
#define NO_TSAN __attribute__((no_sanitize("thread")))
#define LIKELY(cond) __builtin_expect(!!(cond), 1)
#define UNLIKELY(cond) __builtin_expect(!!(cond), 0)

/* Scope-bound clean-up: `AUTO(buf_free) struct buf b = ...`. The function accepts a zeroed value. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/* Lock annotations, checked by clang -Wthread-safety, no-ops elsewhere. */
#if defined(__clang__)
#define GUARDED_BY(lock) __attribute__((guarded_by(lock)))
#define REQUIRES(lock) __attribute__((exclusive_locks_required(lock)))
#else
#define GUARDED_BY(lock)
#define REQUIRES(lock)
#endif

/* Control-path allocation: zeroed, never returns NULL (ends the process when memory is out). Freed with free(). */
void *alloc(size_t size);
/* The same for sizes that a guest, a file or a client chose: NULL when it cannot be had. */
void *try_alloc(size_t size) MUST_CHECK;
/* Resizes an array to hold at least n elements of the given size, doubling; new elements are not zeroed. Never NULL. */
void *grow(void *array, size_t *cap, size_t n, size_t size);
/* A formatted string, owned by the caller. */
char *strf(const char *fmt, ...) PRINTF(1, 2);
char *str_dup(const char *s);

/* For AUTO(free_ptr): frees what the pointer variable holds. */
static inline void free_ptr(void *p)
{
	free(*(void **)p);
}

/* Loads and stores of a given byte order, at any alignment. */
/* clang-format off */
#define BYTE_ORDER_ACCESS(bits) \
	static inline u##bits ld_le##bits(const void *p) { u##bits v; memcpy(&v, p, sizeof(v)); return host_le##bits(v); } \
	static inline u##bits ld_be##bits(const void *p) { u##bits v; memcpy(&v, p, sizeof(v)); return host_be##bits(v); } \
	static inline void st_le##bits(void *p, u##bits v) { v = host_le##bits(v); memcpy(p, &v, sizeof(v)); } \
	static inline void st_be##bits(void *p, u##bits v) { v = host_be##bits(v); memcpy(p, &v, sizeof(v)); }
/* clang-format on */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define host_le16(v) ((u16)(v))
#define host_le32(v) ((u32)(v))
#define host_le64(v) ((u64)(v))
#define host_be16(v) __builtin_bswap16(v)
#define host_be32(v) __builtin_bswap32(v)
#define host_be64(v) __builtin_bswap64(v)
#else
#define host_be16(v) ((u16)(v))
#define host_be32(v) ((u32)(v))
#define host_be64(v) ((u64)(v))
#define host_le16(v) __builtin_bswap16(v)
#define host_le32(v) __builtin_bswap32(v)
#define host_le64(v) __builtin_bswap64(v)
#endif
BYTE_ORDER_ACCESS(16)
BYTE_ORDER_ACCESS(32)
BYTE_ORDER_ACCESS(64)
