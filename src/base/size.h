/* Sizes as users write and read them: "10G", "1.5M"; "64 KiB". */
#pragma once
#include "base/base.h"

/*
 * Parses a number with an optional suffix b, k, M, G, T, P, E (powers of 1024) and an optional fraction, decimal or
 * 0x hexadecimal. 0, -EINVAL, or -ERANGE above 2^64 - 1.
 */
int size_parse(const char *text, u64 *ret);
/* The same where a number without a suffix counts in units of `unit` bytes. *ret_end: the first character not taken. */
int size_parse_part(const char *text, u64 unit, u64 *ret, const char **ret_end);
/* "64 KiB", "1.5 GiB", three digits of precision; buf holds 32 bytes. */
const char *size_text(u64 bytes, char *buf);
