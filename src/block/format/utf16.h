/* UTF-16 in image headers: names and paths of other systems. */
#pragma once
#include "base/base.h"

/*
 * n units at p (big: big-endian) as UTF-8, up to the first NUL; unpaired surrogates become U+FFFD. Caller frees. slashes: backslashes
 * become slashes and a leading ".\" goes, as a path here.
 */
static inline char *utf16_text(const u8 *p, size_t n, bool big, bool slashes)
{
	char *out = alloc(n * 3 + 1), *o = out;
	for (size_t i = 0; i < n; i++) {
		u32 c = big ? ld_be16(p + i * 2) : ld_le16(p + i * 2);
		if (!c)
			break;
		if (c >= 0xd800 && c < 0xdc00 && i + 1 < n) {
			u32 d = big ? ld_be16(p + i * 2 + 2) : ld_le16(p + i * 2 + 2);
			if (d >= 0xdc00 && d < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + (d - 0xdc00);
				i++;
			}
		}
		if (c >= 0xd800 && c < 0xe000)
			c = 0xfffd;
		if (slashes && c == '\\')
			c = '/';
		if (c < 0x80) {
			*o++ = c;
		} else if (c < 0x800) {
			*o++ = 0xc0 | c >> 6;
			*o++ = 0x80 | (c & 63);
		} else if (c < 0x10000) {
			*o++ = 0xe0 | c >> 12;
			*o++ = 0x80 | (c >> 6 & 63);
			*o++ = 0x80 | (c & 63);
		} else {
			*o++ = 0xf0 | c >> 18;
			*o++ = 0x80 | (c >> 12 & 63);
			*o++ = 0x80 | (c >> 6 & 63);
			*o++ = 0x80 | (c & 63);
		}
	}
	*o = 0;
	if (slashes && out[0] == '.' && out[1] == '/')
		memmove(out, out + 2, strlen(out + 2) + 1);
	return out;
}
