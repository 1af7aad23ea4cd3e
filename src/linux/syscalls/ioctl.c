/*
 * ioctl: what ioctl.tbl lists goes to the host; the rest is refused, since its argument could be anything.
 */
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <linux/blkpg.h>
#include <linux/cdrom.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/hdreg.h>
#include <linux/if_tun.h>
#include <linux/kd.h>
#include <linux/loop.h>
#include <linux/nsfs.h>
#include <linux/perf_event.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <linux/sockios.h>
#include <linux/vt.h>
#include <net/if.h>
#include <sys/syscall.h>

enum ioctl_kind { IOCTL_none, IOCTL_val, IOCTL_ptr, IOCTL_ifreq, IOCTL_word };
static const struct ioctl_row {
	u32 number;
	enum ioctl_kind kind;
	const char *name;
} ioctls[] = {
#define IOCTL(id, what) { (u32)id, IOCTL_##what, #id },
#include "ioctls.gen.h"
#undef IOCTL
};

static const struct ioctl_row *find(u32 number)
{
	for (unsigned i = 0; i < LEN(ioctls); i++)
		if (ioctls[i].number == number)
			return &ioctls[i];
	return NULL;
}

const char *ioctl_name(u32 number)
{
	const struct ioctl_row *row = find(number);
	return row ? row->name : NULL;
}

/* struct ifreq: a name and a union, in which the host has members of 24 bytes where words have 32 bits 16. */
static i64 ifreq_call(struct thread *t, const u64 *a)
{
	enum { NARROW = 32 };
	u8 req[sizeof(struct ifreq)] = { 0 };
	if (!get_mem(t->vm, req, a[2], NARROW))
		return -EFAULT;
	i64 r = HOST3(SYS_ioctl, a[0], (u32)a[1], req);
	return r >= 0 && !put_mem(t->vm, a[2], req, NARROW) ? -EFAULT : r;
}

static i64 not_there(struct thread *t, const u64 *a)
{
	if (log_has(&t->vm->log, LOG_STRACE))
		strace_remark(t, "Unsupported ioctl: cmd=0x%04x", (u32)a[1]);
	return RAW3(SYS_fcntl, a[0], 3 /* F_GETFL */, 0) < 0 ? -EBADF : -ENOTTY;
}

i64 sys_ioctl(CALL_ARGS)
{
	const struct ioctl_row *row = find((u32)a[1]);
	/* Devices that give sub-numbers with a length, whose memory is plain bytes: names of input devices and the like. */
	if (!row && ((a[1] >> 8 & 0xff) == 'E' || (a[1] >> 8 & 0xff) == 'H') && a[1] >> 16 & 0x3fff)
		return HOST3(SYS_ioctl, a[0], a[1], ptr_arg(t, a[2]));
	bool narrow = t->abi->word == 4;
	if (!row || (narrow && row->kind == IOCTL_word))
		return not_there(t, a);
	if (narrow && row->kind == IOCTL_ifreq)
		return ifreq_call(t, a);
	bool is_number = row->kind == IOCTL_val || row->kind == IOCTL_none;
	return HOST3(SYS_ioctl, a[0], (u32)a[1], is_number ? a[2] : (u64)ptr_arg(t, a[2]));
}
