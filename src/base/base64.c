#include "base/base64.h"

static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
	const u8 *in = data;
	char *out = alloc((len + 2) / 3 * 4 + 1), *at = out;
	for (size_t i = 0; i < len; i += 3) {
		size_t n = MIN(len - i, (size_t)3);
		u32 acc = in[i] << 16 | (n > 1 ? in[i + 1] : 0) << 8 | (n > 2 ? in[i + 2] : 0);
		for (unsigned k = 0; k < 4; k++)
			*at++ = k <= n ? set[acc >> (18 - 6 * k) & 63] : '=';
	}
	return out;
}

struct err *base64_decode(const char *text, size_t len, u8 **ret, size_t *ret_len)
{
	u8 *out = try_alloc(len / 4 * 3 + 4);
	size_t n = 0;
	u32 acc = 0;
	unsigned bits = 0;
	if (!out)
		return err_new(ERR_BUSY, "No memory for %zu bytes of base64", len);
	for (size_t i = 0; i < len && text[i] != '='; i++) {
		const char *digit = text[i] ? strchr(set, text[i]) : NULL;
		if (!digit && text[i] && strchr(" \t\r\n", text[i]))
			continue;
		if (!digit) {
			free(out);
			return err_new(ERR_INVALID, "Base64 data contains invalid characters");
		}
		acc = acc << 6 | (digit - set);
		if ((bits += 6) >= 8)
			out[n++] = acc >> (bits -= 8);
	}
	*ret = out;
	*ret_len = n;
	return NULL;
}
