/*
 * Guest memory for the interpreter and for helpers, and the way out of them.
 *
 * In user mode the guest's memory is the host's: what can fault are the functions marked ACCESS, which lie in a section of their own, so
 * that a signal handler knows a guest's fault from one of ours (cpu_is_access). They call nothing and keep nothing.
 */
#include "translate/ir/cpu.h"

#define ACCESS \
	__attribute__((section("guest_access"), noinline, no_sanitize("address", "thread", "undefined")))
/* The linker's names for the section's ends. */
extern const char __start_guest_access[], __stop_guest_access[];

bool cpu_is_access(uintptr_t host_pc)
{
	return host_pc >= (uintptr_t)__start_guest_access && host_pc < (uintptr_t)__stop_guest_access;
}

void cpu_raise(struct cpu *cpu, enum ir_event event, u64 arg)
{
	cpu->event = event;
	cpu->event_arg = arg;
	cpu->pc = cpu->insn_pc;
	siglongjmp(*cpu->raise, 1);
}

bool cpu_try(struct cpu *cpu, void (*access)(struct cpu *cpu, void *arg), void *arg)
{
	sigjmp_buf here, *outer = cpu->raise;
	u64 pc = cpu->pc;
	if (sigsetjmp(here, 0) == 0) {
		cpu->raise = &here;
		access(cpu, arg);
		cpu->raise = outer;
		return true;
	}
	cpu->raise = outer;
	if (cpu->event != EV_MEMORY && cpu->event != EV_ALIGN)
		cpu_raise(cpu, cpu->event, cpu->event_arg);
	cpu->event = EV_NONE;
	cpu->pc = pc;
	return false;
}

/* ---- single accesses of host memory ---- */

/* clang-format off */
struct loose16 { u16 v; } __attribute__((packed, may_alias));
struct loose32 { u32 v; } __attribute__((packed, may_alias));
struct loose64 { u64 v; } __attribute__((packed, may_alias));
typedef u64 pair64 __attribute__((vector_size(16), may_alias)); /* one access on hosts with 128-bit vectors */
/* clang-format on */

static inline bool aligned(const void *p, unsigned size)
{
	return !((uintptr_t)p & (size - 1));
}

static ACCESS void load(void *buf, const void *p, unsigned size)
{
	switch (size) {
	case 1:
		*(u8 *)buf = __atomic_load_n((const u8 *)p, __ATOMIC_RELAXED);
		return;
	case 2:
		((struct loose16 *)buf)->v = aligned(p, 2) ? __atomic_load_n((const u16 *)p, __ATOMIC_RELAXED)
							   : ((const volatile struct loose16 *)p)->v;
		return;
	case 4:
		((struct loose32 *)buf)->v = aligned(p, 4) ? __atomic_load_n((const u32 *)p, __ATOMIC_RELAXED)
							   : ((const volatile struct loose32 *)p)->v;
		return;
	case 8:
		((struct loose64 *)buf)->v = aligned(p, 8) ? __atomic_load_n((const u64 *)p, __ATOMIC_RELAXED)
							   : ((const volatile struct loose64 *)p)->v;
		return;
	case 16: {
		struct loose64 *to = buf;
		if (aligned(p, 16)) {
			pair64 v = *(const volatile pair64 *)p;
			to[0].v = v[0];
			to[1].v = v[1];
		} else {
			to[0].v = ((const volatile struct loose64 *)p)[0].v;
			to[1].v = ((const volatile struct loose64 *)p)[1].v;
		}
		return;
	}
	}
	for (unsigned i = 0; i < size; i++)
		((volatile u8 *)buf)[i] = ((const volatile u8 *)p)[i];
}

static ACCESS void store(void *p, const void *buf, unsigned size)
{
	switch (size) {
	case 1:
		__atomic_store_n((u8 *)p, *(const u8 *)buf, __ATOMIC_RELAXED);
		return;
	case 2:
		if (aligned(p, 2))
			__atomic_store_n((u16 *)p, ((const struct loose16 *)buf)->v, __ATOMIC_RELAXED);
		else
			((volatile struct loose16 *)p)->v = ((const struct loose16 *)buf)->v;
		return;
	case 4:
		if (aligned(p, 4))
			__atomic_store_n((u32 *)p, ((const struct loose32 *)buf)->v, __ATOMIC_RELAXED);
		else
			((volatile struct loose32 *)p)->v = ((const struct loose32 *)buf)->v;
		return;
	case 8:
		if (aligned(p, 8))
			__atomic_store_n((u64 *)p, ((const struct loose64 *)buf)->v, __ATOMIC_RELAXED);
		else
			((volatile struct loose64 *)p)->v = ((const struct loose64 *)buf)->v;
		return;
	case 16: {
		const struct loose64 *from = buf;
		if (aligned(p, 16)) {
			*(volatile pair64 *)p = (pair64){ from[0].v, from[1].v };
		} else {
			((volatile struct loose64 *)p)[1].v = from[1].v;
			((volatile struct loose64 *)p)[0].v = from[0].v;
		}
		return;
	}
	}
	for (unsigned i = size; i-- > 0;)
		((volatile u8 *)p)[i] = ((const volatile u8 *)buf)[i];
}

void cpu_host_load(void *buf, const void *host, unsigned size)
{
	load(buf, host, size);
}

void cpu_host_store(void *host, const void *buf, unsigned size)
{
	store(host, buf, size);
}

/* For what no host instruction does: accesses over a 16-byte border, and 16 bytes on hosts without such a compare and swap. */
static u8 split_lock;

static void split_enter(void)
{
	while (__atomic_exchange_n(&split_lock, 1, __ATOMIC_ACQUIRE))
		;
}

static void split_leave(void)
{
	__atomic_store_n(&split_lock, 0, __ATOMIC_RELEASE);
}

/* Compare and swap of size bytes at an address aligned to it; *old becomes what was there. Values in host order. */
static ACCESS bool cas_aligned(void *p, unsigned size, u128 *old, u128 desired)
{
	u128 expected = *old;
	switch (size) {
	case 1:
		*old = __sync_val_compare_and_swap((u8 *)p, (u8)expected, (u8)desired);
		break;
	case 2:
		*old = __sync_val_compare_and_swap((u16 *)p, (u16)expected, (u16)desired);
		break;
	case 4:
		*old = __sync_val_compare_and_swap((u32 *)p, (u32)expected, (u32)desired);
		break;
	case 8:
		*old = __sync_val_compare_and_swap((u64 *)p, (u64)expected, (u64)desired);
		break;
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16
	case 16:
		*old = __sync_val_compare_and_swap((u128 *)p, expected, desired);
		break;
#endif
	}
	return *old == expected;
}

/* The same at any address, under the lock, for what the host cannot do at once. Both ends are written first: nothing faults under the lock. */
static bool cas_split(u8 *p, unsigned size, u128 *old, u128 desired)
{
	u128 now = 0;
	for (unsigned at = 0; at < size; at += MAX(size - 1, 1u)) {
		u128 probe = 0;
		cas_aligned(p + at, 1, &probe, 0);
	}
	split_enter();
	load((u8 *)&now, p, size);
	bool same = size == 16 ? now == *old : (u64)now == (u64)*old;
	if (same)
		store(p, &desired, size);
	split_leave();
	*old = now;
	return same;
}

static u128 low_bytes(u128 v, unsigned size)
{
	return size == 16 ? v : v & (((u128)1 << size * 8) - 1);
}

/* Compare and swap at any host address. */
static bool cas(u8 *p, unsigned size, u128 *old, u128 desired)
{
	unsigned in = (uintptr_t)p & 15;
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16
	const unsigned widest = 16;
#else
	const unsigned widest = 8;
#endif
	if (size <= widest && aligned(p, size))
		return cas_aligned(p, size, old, desired);
	if (in + size > 16 || widest < 16 || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return cas_split(p, size, old, desired);
	/* within 16 bytes: exchange all of them */
	u128 mask = low_bytes(~(u128)0, size) << in * 8, seen;
	load(&seen, p - in, 16);
	for (;;) {
		u128 have = (seen & mask) >> in * 8;
		if (have != *old) {
			*old = have;
			return false;
		}
		if (cas_aligned(p - in, 16, &seen, (seen & ~mask) | (desired << in * 8 & mask)))
			return true;
	}
}

/* ---- the guest's accesses ---- */

/* What comes before an access. Its address is noted: a fault does not always tell. */
static void check_align(struct cpu *cpu, u64 addr, unsigned size, struct ir_mem mem, bool write)
{
	cpu->fault_addr = addr;
	if (LIKELY(ir_mem_aligned(mem, addr, size)))
		return;
	cpu->fault_write = write;
	cpu_raise(cpu, EV_ALIGN, 0);
}

static inline void check_watch(struct cpu *cpu, u64 addr, unsigned size, unsigned how)
{
	if (UNLIKELY(cpu->watch))
		cpu->watch(cpu, addr, size, how);
}

static u8 *user_host(struct cpu *cpu, u64 addr)
{
	return cpu->mem_base + (addr & cpu->mem_mask);
}

void cpu_read(struct cpu *cpu, u64 addr, void *buf, unsigned size, struct ir_mem mem)
{
	check_align(cpu, addr, size, mem, false);
	check_watch(cpu, addr, size, WATCH_READ);
	if ((mem.order & ORD_SEQ_CST) == ORD_SEQ_CST)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (cpu->memory) {
		cpu->memory->read(cpu, addr, buf, size, mem);
	} else {
		cpu->fault_write = 0;
		load(buf, user_host(cpu, addr), size);
	}
	if (mem.order & (ORD_ACQUIRE | ORD_TSO))
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

void cpu_write(struct cpu *cpu, u64 addr, const void *buf, unsigned size, struct ir_mem mem)
{
	check_align(cpu, addr, size, mem, true);
	check_watch(cpu, addr, size, WATCH_WRITE);
	if (mem.order & (ORD_RELEASE | ORD_TSO))
		__atomic_thread_fence(__ATOMIC_RELEASE);
	if (cpu->memory) {
		cpu->memory->write(cpu, addr, buf, size, mem);
	} else {
		cpu->fault_write = 1;
		store(user_host(cpu, addr), buf, size);
	}
	if ((mem.order & ORD_SEQ_CST) == ORD_SEQ_CST)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static u8 *atomic_host(struct cpu *cpu, u64 addr, unsigned size, struct ir_mem mem)
{
	check_align(cpu, addr, size, mem, true);
	check_watch(cpu, addr, size, WATCH_READ | WATCH_WRITE);
	if (cpu->memory)
		return cpu->memory->host(cpu, addr, size, mem);
	cpu->fault_write = 1;
	return user_host(cpu, addr);
}

/* Between the host's byte order and what mem says lies in memory. */
static u128 order_bytes(u128 v, unsigned size, struct ir_mem mem)
{
	if (mem.big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
		return v;
	u128 swapped = (u128)__builtin_bswap64(v) << 64 | __builtin_bswap64(v >> 64);
	return swapped >> (128 - size * 8);
}

u128 cpu_cas(struct cpu *cpu, u64 addr, unsigned size, u128 expected, u128 desired, struct ir_mem mem)
{
	u128 old = order_bytes(low_bytes(expected, size), size, mem);
	cas(atomic_host(cpu, addr, size, mem), size, &old, order_bytes(low_bytes(desired, size), size, mem));
	return order_bytes(old, size, mem);
}

static u128 rmw(enum ir_rmw op, unsigned size, u128 old, u128 v)
{
	unsigned unused = 128 - size * 8;
	i128 sold = (i128)(old << unused) >> unused, sv = (i128)(v << unused) >> unused;
	switch (op) {
	case RMW_ADD:
		return old + v;
	case RMW_AND:
		return old & v;
	case RMW_ANDN:
		return old & ~v;
	case RMW_OR:
		return old | v;
	case RMW_XOR:
		return old ^ v;
	case RMW_XCHG:
		return v;
	case RMW_MAXS:
		return sold > sv ? old : v;
	case RMW_MINS:
		return sold < sv ? old : v;
	case RMW_MAXU:
		return old > v ? old : v;
	case RMW_MINU:
		return old < v ? old : v;
	}
	return v;
}

u128 cpu_rmw(struct cpu *cpu, u64 addr, unsigned size, u128 operand, struct ir_mem mem)
{
	u8 *p = atomic_host(cpu, addr, size, mem);
	u128 raw = 0, v = low_bytes(operand, size);
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		cas(p, size, &raw, raw);
	else
		load(&raw, p, size);
	for (;;) {
		u128 old = order_bytes(raw, size, mem);
		u128 new = low_bytes(rmw(mem.rmw, size, old, v), size);
		if (cas(p, size, &raw, order_bytes(new, size, mem)))
			return old;
	}
}
