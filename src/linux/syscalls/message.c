/*
 * Vectors of buffers and socket messages of 32-bit guests: their words become the host's. Manual: man 2 readv, sendmsg, 3 cmsg, 7 socket.
 */
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

/* The vector of n buffers at addr, to be freed; 0 or -errno. */
static i64 get_iov(struct thread *t, u64 addr, u64 n, struct iovec **ret)
{
	u64 base, len;
	unsigned word = t->abi->word;
	*ret = NULL;
	if (n > IOV_MAX)
		return -EINVAL;
	struct iovec *v = try_alloc((n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (u64 i = 0; i < n; i++) {
		if (!get_word(t->vm, addr + 2 * i * word, &base) ||
		    !get_word(t->vm, addr + (2 * i + 1) * word, &len)) {
			free(v);
			return -EFAULT;
		}
		v[i] = (struct iovec){ ptr_arg(t, base), len };
		if ((i32)len < 0) {
			free(v);
			return -EINVAL;
		}
	}
	*ret = v;
	return 0;
}

static i64 vector_call(struct thread *t, long nr, const u64 *a, u64 offset, u64 flags)
{
	struct iovec *v;
	i64 r = get_iov(t, a[1], nr == SYS_vmsplice ? a[2] : (u32)a[2], &v);
	if (!r)
		r = HOST6(nr, a[0], v, a[2], offset, 0, flags);
	free(v);
	return r;
}

i64 sys_readv32(CALL_ARGS)
{
	return vector_call(t, SYS_readv, a, 0, 0);
}

i64 sys_writev32(CALL_ARGS)
{
	return vector_call(t, SYS_writev, a, 0, 0);
}

i64 sys_preadv32(CALL_ARGS)
{
	return vector_call(t, SYS_preadv, a, pair_arg(t, a + 3), 0);
}

i64 sys_pwritev32(CALL_ARGS)
{
	return vector_call(t, SYS_pwritev, a, pair_arg(t, a + 3), 0);
}

i64 sys_preadv2_32(CALL_ARGS)
{
	return vector_call(t, SYS_preadv2, a, pair_arg(t, a + 3), a[5]);
}

i64 sys_pwritev2_32(CALL_ARGS)
{
	return vector_call(t, SYS_pwritev2, a, pair_arg(t, a + 3), a[5]);
}

i64 sys_vmsplice32(CALL_ARGS)
{
	return vector_call(t, SYS_vmsplice, a, a[3], 0);
}

/* ---- messages ---- */
enum {
	HDR_NAME,
	HDR_NAMELEN,
	HDR_IOV,
	HDR_IOVLEN,
	HDR_CONTROL,
	HDR_CONTROLLEN,
	HDR_FLAGS,
	HDR_WORDS,
	CONTROL_MAX = 20480
};

struct message {
	struct msghdr h;
	u64 word[HDR_WORDS]; /* the guest's struct msghdr */
	u8 control[CONTROL_MAX] __attribute__((aligned(8)));
};

static unsigned guest_align(const struct thread *t, u64 len)
{
	return (unsigned)ROUND_UP(len, t->abi->word);
}

/* Bytes of a guest's struct cmsghdr: a word for the length, level, type. */
static unsigned guest_head(const struct thread *t)
{
	return guest_align(t, t->abi->word + 8u);
}

/* The guest's control messages into m->control. */
static i64 get_control(struct thread *t, struct message *m)
{
	u64 at = m->word[HDR_CONTROL], left = m->word[HDR_CONTROLLEN], len;
	unsigned head = guest_head(t), word = t->abi->word;
	size_t used = 0;
	while (left >= head) {
		u32 level, type;
		if (!get_word(t->vm, at, &len) || !get_u32(t->vm, at + word, &level) ||
		    !get_u32(t->vm, at + word + 4, &type))
			return -EFAULT;
		if (len < head || len > left)
			return -EINVAL;
		size_t data = len - head;
		if (used + CMSG_SPACE(data) > sizeof(m->control))
			return -ENOBUFS;
		struct cmsghdr *c = (struct cmsghdr *)(m->control + used);
		memset(c, 0, CMSG_SPACE(data));
		*c = (struct cmsghdr){ CMSG_LEN(data), (int)level, (int)type };
		if (!get_mem(t->vm, CMSG_DATA(c), at + head, data))
			return -EFAULT;
		used += CMSG_SPACE(data);
		u64 step = MIN((u64)guest_align(t, len), left);
		at += step;
		left -= step;
	}
	m->h.msg_control = used ? m->control : NULL;
	m->h.msg_controllen = used;
	return 0;
}

/* Data of a received control message as the guest has it: times in its own words. The length of what is now in buf, or of data. */
static size_t narrow_data(const struct thread *t, const struct cmsghdr *c, u8 *data, size_t len)
{
	bool micro = c->cmsg_type == SO_TIMESTAMP_OLD, nano = c->cmsg_type == SO_TIMESTAMPNS_OLD;
	if (c->cmsg_level != SOL_SOCKET || (!micro && !nano) || len != sizeof(struct timespec) ||
	    t->abi->word == 8)
		return len;
	u64 v[2];
	memcpy(v, data, sizeof(v));
	for (unsigned i = 0; i < 2; i++)
		if (t->abi->big_endian)
			st_be32(data + 4 * i, (u32)v[i]);
		else
			st_le32(data + 4 * i, (u32)v[i]);
	return 8;
}

/* What was received, into the guest's room of size bytes; tells the bytes used, and adds MSG_CTRUNC when it did not fit. */
static bool put_control(struct thread *t, struct message *m, u64 size, u64 *ret_used)
{
	u64 at = m->word[HDR_CONTROL], used = 0;
	unsigned head = guest_head(t), word = t->abi->word;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m->h); c; c = CMSG_NXTHDR(&m->h, c)) {
		size_t data = narrow_data(t, c, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
		if (used + head > size) {
			m->h.msg_flags |= MSG_CTRUNC;
			break;
		}
		if (used + head + data > size) {
			m->h.msg_flags |= MSG_CTRUNC;
			data = size - used - head;
		}
		if (!put_word(t->vm, at + used, head + data) ||
		    !put_u32(t->vm, at + used + word, (u32)c->cmsg_level) ||
		    !put_u32(t->vm, at + used + word + 4, (u32)c->cmsg_type) ||
		    !put_mem(t->vm, at + used + head, CMSG_DATA(c), data))
			return false;
		used += MIN((u64)guest_align(t, head + data), size - used);
	}
	*ret_used = used;
	return true;
}

/* The header with its vector (to be freed). */
static i64 get_header(struct thread *t, u64 addr, struct message *m)
{
	unsigned word = t->abi->word;
	memset(&m->h, 0, sizeof(m->h));
	for (unsigned i = 0; i < HDR_WORDS;
	     i++) { /* namelen and flags are of 32 bits, in a word of their own */
		u32 v;
		bool is_word = i != HDR_NAMELEN && i != HDR_FLAGS;
		if (is_word ? !get_word(t->vm, addr + i * word, &m->word[i])
			    : !get_u32(t->vm, addr + i * word, &v))
			return -EFAULT;
		if (!is_word)
			m->word[i] = v;
	}
	m->h.msg_name = ptr_arg(t, m->word[HDR_NAME]);
	m->h.msg_namelen = (socklen_t)m->word[HDR_NAMELEN];
	m->h.msg_iovlen = m->word[HDR_IOVLEN];
	return m->word[HDR_IOVLEN] > IOV_MAX
		   ? -EMSGSIZE
		   : get_iov(t, m->word[HDR_IOV], m->word[HDR_IOVLEN], &m->h.msg_iov);
}

static i64 send_one(struct thread *t, int fd, u64 addr, u64 flags, struct message *m)
{
	i64 r = get_header(t, addr, m);
	if (!r)
		r = get_control(t, m);
	if (!r)
		r = HOST3(SYS_sendmsg, fd, &m->h, flags);
	free(m->h.msg_iov);
	return r;
}

static i64 receive_one(struct thread *t, int fd, u64 addr, u64 flags, struct message *m)
{
	unsigned word = t->abi->word;
	i64 r = get_header(t, addr, m);
	u64 room = m->word[HDR_CONTROLLEN], used = 0;
	m->h.msg_control = r || !m->word[HDR_CONTROL] || !room ? NULL : m->control;
	m->h.msg_controllen = m->h.msg_control ? sizeof(m->control) : 0;
	if (!r)
		r = HOST3(SYS_recvmsg, fd, &m->h, flags);
	free(m->h.msg_iov);
	if (r < 0)
		return r;
	if (m->h.msg_control && !put_control(t, m, room, &used))
		return -EFAULT;
	bool ok = put_u32(t->vm, addr + HDR_NAMELEN * word, m->h.msg_namelen) &&
		  put_word(t->vm, addr + HDR_CONTROLLEN * word, used) &&
		  put_u32(t->vm, addr + HDR_FLAGS * word, (u32)m->h.msg_flags & ~(u32)MSG_CMSG_CLOEXEC);
	return ok ? r : -EFAULT;
}

i64 sys_sendmsg32(CALL_ARGS)
{
	struct message m;
	return send_one(t, (int)a[0], a[1], a[2], &m);
}

i64 sys_recvmsg32(CALL_ARGS)
{
	struct message m;
	return receive_one(t, (int)a[0], a[1], a[2], &m);
}

/* struct mmsghdr: the header and how many bytes. */
static u64 mmsg_size(const struct thread *t)
{
	return (u64)(HDR_WORDS + 1) * t->abi->word;
}

i64 sys_sendmmsg32(CALL_ARGS)
{
	struct message m;
	u64 n = MIN(a[2], (u64)IOV_MAX), done = 0;
	for (u64 at = a[1]; done < n; done++, at += mmsg_size(t)) {
		i64 r = send_one(t, (int)a[0], at, a[3], &m);
		if (r < 0)
			return done ? (i64)done : r;
		if (!put_u32(t->vm, at + (u64)HDR_WORDS * t->abi->word, (u32)r))
			return -EFAULT;
	}
	return (i64)done;
}

static i64 now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* As the kernel: the time is looked at after each message. */
i64 sys_recvmmsg_time64(CALL_ARGS)
{
	struct message m;
	struct timespec ts;
	u64 n = MIN(a[2], (u64)IOV_MAX), done = 0, flags = a[3] & ~(u64)MSG_WAITFORONE;
	if (a[4] && !get_struct(t->vm, LAYOUT_timespec64, &ts, a[4]))
		return -EFAULT;
	i64 end = a[4] ? now_ns() + ts.tv_sec * 1000000000 + ts.tv_nsec : INT64_MAX;
	for (u64 at = a[1]; done < n; done++, at += mmsg_size(t)) {
		if (done && (now_ns() >= end || a[3] & MSG_WAITFORONE))
			flags |= MSG_DONTWAIT;
		i64 r = receive_one(t, (int)a[0], at, flags, &m);
		if (r < 0)
			return done ? (i64)done : r;
		if (!put_u32(t->vm, at + (u64)HDR_WORDS * t->abi->word, (u32)r))
			return -EFAULT;
	}
	return (i64)done;
}

/* ---- options: times and filters hold words ---- */
static bool is_old_time(const u64 *a)
{
	return (int)a[1] == SOL_SOCKET && ((int)a[2] == SO_RCVTIMEO_OLD || (int)a[2] == SO_SNDTIMEO_OLD);
}

i64 sys_setsockopt32(CALL_ARGS)
{
	u64 sec, usec, filter;
	u32 n;
	unsigned word = t->abi->word;
	if (is_old_time(a)) {
		if (a[4] < 2u * word)
			return -EINVAL;
		if (!get_word(t->vm, a[3], &sec) || !get_word(t->vm, a[3] + word, &usec))
			return -EFAULT;
		struct timeval tv = { (i32)sec, (i32)usec };
		return HOST5(SYS_setsockopt, a[0], a[1], a[2], &tv, sizeof(tv));
	}
	if ((int)a[1] == SOL_SOCKET &&
	    ((int)a[2] == SO_ATTACH_FILTER || (int)a[2] == SO_ATTACH_REUSEPORT_CBPF)) {
		if (a[4] != 2u * word)
			return -EINVAL;
		if (!get_u32(t->vm, a[3], &n) || !get_word(t->vm, a[3] + word, &filter))
			return -EFAULT;
		struct {
			u16 len;
			void *filter;
		} program = { (u16)n, ptr_arg(t, filter) };
		return HOST5(SYS_setsockopt, a[0], a[1], a[2], &program, sizeof(program));
	}
	return HOST5(SYS_setsockopt, a[0], a[1], a[2], ptr_arg(t, a[3]), a[4]);
}

i64 sys_getsockopt32(CALL_ARGS)
{
	struct timeval tv;
	u32 room, len = sizeof(tv);
	unsigned word = t->abi->word;
	if (!is_old_time(a))
		return HOST5(SYS_getsockopt, a[0], a[1], a[2], ptr_arg(t, a[3]), ptr_arg(t, a[4]));
	if (!get_u32(t->vm, a[4], &room))
		return -EFAULT;
	if (room < 2 * word)
		return -EINVAL;
	i64 r = HOST5(SYS_getsockopt, a[0], a[1], a[2], &tv, &len);
	if (r < 0)
		return r;
	bool ok = put_word(t->vm, a[3], (u64)tv.tv_sec) && put_word(t->vm, a[3] + word, (u64)tv.tv_usec) &&
		  put_u32(t->vm, a[4], 2 * word);
	return ok ? r : -EFAULT;
}
