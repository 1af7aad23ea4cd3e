#include "base/iov.h"

unsigned iovs_list(struct iovs s, struct iovec *out, unsigned max, size_t *ret_len)
{
	unsigned n = 0;
	size_t left = s.len, skip = s.skip;
	for (unsigned i = 0; i < s.n && left && n < max; i++, skip = 0) {
		size_t part = MIN(s.v[i].iov_len - skip, left);
		if (part)
			out[n++] = (struct iovec){ (char *)s.v[i].iov_base + skip, part };
		left -= part;
	}
	*ret_len = s.len - left;
	return n;
}

/* Runs body for each piece; p and part name it, done counts the bytes before it. */
#define EACH_PIECE(s, p, part, done, body) \
	do { \
		size_t skip_ = (s).skip, done = 0; \
		for (unsigned i_ = 0; i_ < (s).n && done < (s).len; i_++, skip_ = 0) { \
			size_t part = MIN((s).v[i_].iov_len - skip_, (s).len - done); \
			char *p = (char *)(s).v[i_].iov_base + skip_; \
			body; \
			done += part; \
		} \
	} while (0)

void iovs_to_buf(struct iovs s, void *buf)
{
	EACH_PIECE(s, p, part, done, memcpy((char *)buf + done, p, part));
}

void iovs_from_buf(struct iovs s, const void *buf)
{
	EACH_PIECE(s, p, part, done, memcpy(p, (const char *)buf + done, part));
}

void iovs_fill(struct iovs s, int byte)
{
	EACH_PIECE(s, p, part, done, memset(p, byte, part));
}

bool iovs_is_zero(struct iovs s)
{
	EACH_PIECE(s, p, part, done, {
		if (!is_zero(p, part))
			return false;
	});
	return true;
}

bool is_zero(const void *p, size_t len)
{
	typedef u64 vec __attribute__((vector_size(32), aligned(1), may_alias));
	const u8 *b = p;
	if (len < 64) {
		u8 any = 0;
		for (size_t i = 0; i < len; i++)
			any |= b[i];
		return !any;
	}
	/* The ends first: data rarely begins and ends with zeros. */
	if (b[0] || b[len - 1] || b[len / 2])
		return false;
	size_t i = 0;
	for (; i + 128 <= len; i += 128) {
		const vec *v = (const vec *)(b + i);
		vec any = v[0] | v[1] | v[2] | v[3];
		if (any[0] | any[1] | any[2] | any[3])
			return false;
	}
	for (; i < len; i++)
		if (b[i])
			return false;
	return true;
}
