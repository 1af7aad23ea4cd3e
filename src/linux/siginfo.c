/*
 * siginfo_t as guests of another word size or byte order have it: the same members in the same order, packed by their own sizes.
 * Facts: include/uapi/asm-generic/siginfo.h.
 */
#include "linux/internal.h"

enum { INFO_SIZE = 128 };

/* A place in the guest's siginfo. reading: from it into the host's, else the other way. */
struct cursor {
	const struct linux_abi *abi;
	u8 *guest;
	u32 at;
	bool reading;
};

static u64 get(const u8 *p, unsigned size, bool big)
{
	return size == 8 ? (big ? ld_be64(p) : ld_le64(p)) : (u64)(i32)(big ? ld_be32(p) : ld_le32(p));
}

static void put(u8 *p, unsigned size, bool big, u64 v)
{
	if (size == 8)
		big ? st_be64(p, v) : st_le64(p, v);
	else
		big ? st_be32(p, (u32)v) : st_le32(p, (u32)v);
}

/* One member: host bytes at p, so many on either side; words are aligned. */
static void member(struct cursor *c, void *p, unsigned host_size, unsigned guest_size)
{
	u64 v = 0;
	c->at = ROUND_UP(c->at, guest_size);
	if (c->reading) {
		v = get(c->guest + c->at, guest_size, c->abi->big_endian);
		memcpy(p, &v, host_size);
	} else {
		v = get(p, host_size, false);
		put(c->guest + c->at, guest_size, c->abi->big_endian, v);
	}
	c->at += guest_size;
}
#define INT(field) member(c, &(field), 4, 4)
#define WORD(field) member(c, &(field), 8, c->abi->word)

static void convert(struct cursor *c, siginfo_t *i)
{
	INT(i->si_signo);
	INT(i->si_errno);
	INT(i->si_code);
	c->at = ROUND_UP(c->at, c->abi->word);
	if (i->si_code == SI_TIMER) {
		INT(i->si_timerid);
		INT(i->si_overrun);
		WORD(i->si_ptr);
	} else if (i->si_code <= 0) { /* somebody sent it */
		INT(i->si_pid);
		INT(i->si_uid);
		WORD(i->si_ptr);
	} else if (i->si_signo == SIGCHLD) {
		INT(i->si_pid);
		INT(i->si_uid);
		INT(i->si_status);
		WORD(i->si_utime);
		WORD(i->si_stime);
	} else if (i->si_signo == SIGIO) {
		WORD(i->si_band);
		INT(i->si_fd);
	} else if (i->si_signo == SIGSYS) {
		WORD(i->si_call_addr);
		INT(i->si_syscall);
		INT(i->si_arch);
	} else { /* faults, and what nobody knows */
		WORD(i->si_addr);
	}
}

static bool same_as_host(const struct linux_abi *abi)
{
	return abi->word == 8 && !abi->big_endian;
}

void siginfo_to_guest(const struct linux_abi *abi, u8 guest[INFO_SIZE], const siginfo_t *info)
{
	siginfo_t copy = *info;
	struct cursor c = { abi, guest, 0, false };
	memset(guest, 0, INFO_SIZE);
	if (same_as_host(abi))
		memcpy(guest, info, INFO_SIZE);
	else
		convert(&c, &copy);
}

void siginfo_to_host(const struct linux_abi *abi, siginfo_t *info, const u8 guest[INFO_SIZE])
{
	struct cursor c = { abi, (u8 *)guest, 0, true };
	memset(info, 0, sizeof(*info));
	if (same_as_host(abi))
		memcpy(info, guest, INFO_SIZE);
	else
		convert(&c, info);
}
