/* Conversions of arguments that rows and functions of system calls share. */
#pragma once
#include "linux/internal.h"

/* The host's path for a path argument: the guest's own memory, or buf (PATH_MAX) with the -L prefix in front. */
const char *path_arg(struct thread *t, u64 addr, char *buf);
/* open's flags and those derived from them (pipe2, fcntl F_SETFL, ...), both ways. */
u64 oflags_to_host(const struct thread *t, u64 flags);
u64 oflags_to_guest(const struct thread *t, u64 flags);
/* NULL stays NULL. */
static inline void *ptr_arg(const struct thread *t, u64 addr)
{
	return addr ? g2h(t->vm, addr) : NULL;
}
/* A number of 64 bits in two registers, the low half first on little-endian guests. */
static inline u64 pair_arg(const struct thread *t, const u64 *a)
{
	u64 low = (u32)a[t->abi->big_endian], high = (u32)a[!t->abi->big_endian];
	return high << 32 | low;
}
/* File descriptors that are Rhea's own: the guest sees them closed. */
bool fd_is_ours(const struct thread *t, u64 fd);
/* NULL: not one of those that go to the host. */
const char *ioctl_name(u32 number);
