/*
 * A view of a list of buffers: a part of a struct iovec array, cut without copying anything.
 * The arrays and the bytes belong to the caller and must outlive the view. Any thread.
 */
#pragma once
#include "base/base.h"
#include <sys/uio.h>

struct iovs {
	const struct iovec *v;
	unsigned n; /* entries at v */
	size_t skip; /* bytes of v[0] that are not part of the view */
	size_t len; /* bytes in the view; the entries may hold more */
};

/* A view of one buffer; vec is storage that must live as long as the view. */
static inline struct iovs iovs_one(struct iovec *vec, const void *buf, size_t len)
{
	*vec = (struct iovec){ (void *)buf, len };
	return (struct iovs){ vec, 1, 0, len };
}

/* The len bytes that begin at offset; offset + len must lie within the view. */
static inline struct iovs iovs_cut(struct iovs s, size_t offset, size_t len)
{
	s.skip += offset;
	while (s.n && s.skip >= s.v->iov_len && (len || s.skip)) {
		s.skip -= s.v->iov_len;
		s.v++;
		s.n--;
	}
	s.len = len;
	return s;
}

/*
 * Writes the view out as plain entries, at most max of them; gives their number. *ret_len: the bytes they hold, less
 * than s.len when max did not suffice.
 */
unsigned iovs_list(struct iovs s, struct iovec *out, unsigned max, size_t *ret_len);
void iovs_to_buf(struct iovs s, void *buf);
void iovs_from_buf(struct iovs s, const void *buf);
void iovs_fill(struct iovs s, int byte);
/* True when every byte is zero. */
bool iovs_is_zero(struct iovs s);
/* The buffer itself when the view lies in one piece, else NULL. */
static inline void *iovs_flat(struct iovs s)
{
	return s.n && s.v->iov_len - s.skip >= s.len ? (char *)s.v->iov_base + s.skip : NULL;
}

/* True when the len bytes at p are all zero. */
bool is_zero(const void *p, size_t len);
