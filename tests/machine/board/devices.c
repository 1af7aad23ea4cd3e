/* Devices of the test machine, and its clock. */
#include "board.h"
#include "base/err.h"
#include <stdio.h>
#include <time.h>

static u64 now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

u64 board_time(void *board UNUSED)
{
	return now_ns() / (1000000000 / TIME_HZ);
}

/* ---- interrupts ---- */
static void set_interrupt(struct board *b, unsigned hart, unsigned which, bool level)
{
	riscv_interrupt(b->hart[hart], which, level);
	pthread_cond_broadcast(&b->changed);
}

static void stimecmp(void *board, unsigned hart, u64 when)
{
	struct board *b = board;
	pthread_mutex_lock(&b->lock);
	b->stimecmp[hart] = when;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

/* ---- timer and software interrupts ---- */
enum { CLINT = 0x2000000, MSIP = 0, MTIMECMP = 0x4000, MTIME = 0xbff8 };

/* Registers of 64 bits may be accessed by halves. */
static u64 part(u64 reg, u64 offset, unsigned size)
{
	reg >>= (offset & 7) * 8;
	return size == 8 ? reg : reg & BITS(size * 8);
}

static u64 clint_read(void *board, u64 offset, unsigned size)
{
	struct board *b = board;
	unsigned hart = (offset - MTIMECMP) / 8;
	u64 v = 0;
	pthread_mutex_lock(&b->lock);
	if (offset < 4 * b->n_harts)
		v = ((struct riscv *)b->hart[offset / 4])->p.mip >> RISCV_INT_MSI & 1;
	else if (offset >= MTIMECMP && hart < b->n_harts)
		v = part(b->mtimecmp[hart], offset, size);
	else if (offset >= MTIME)
		v = part(board_time(b), offset, size);
	pthread_mutex_unlock(&b->lock);
	return v;
}

static void clint_write(void *board, u64 offset, unsigned size, u64 value)
{
	struct board *b = board;
	unsigned hart = (offset - MTIMECMP) / 8;
	pthread_mutex_lock(&b->lock);
	if (offset < 4 * b->n_harts) {
		set_interrupt(b, offset / 4, RISCV_INT_MSI, value & 1);
	} else if (offset >= MTIMECMP && hart < b->n_harts) {
		u64 mask = (size == 8 ? ~0ull : BITS(size * 8)) << (offset & 7) * 8;
		b->mtimecmp[hart] = (b->mtimecmp[hart] & ~mask) | (value << (offset & 7) * 8 & mask);
		set_interrupt(b, hart, RISCV_INT_MTI, board_time(b) >= b->mtimecmp[hart]);
	}
	pthread_mutex_unlock(&b->lock);
}
static const struct phys_io clint = { clint_read, clint_write };

/* ---- console ---- */
static u64 uart_read(void *board UNUSED, u64 offset, unsigned size UNUSED)
{
	return offset == 5 ? 0x60 : 0; /* the transmitter is empty */
}

static void uart_write(void *board UNUSED, u64 offset, unsigned size UNUSED, u64 value)
{
	if (offset == 0)
		putchar((int)(value & 0xff));
}
static const struct phys_io uart = { uart_read, uart_write };

/* ---- the end ---- */
static u64 exit_read(void *board UNUSED, u64 offset UNUSED, unsigned size UNUSED)
{
	return 0;
}

static void exit_write(void *board, u64 offset UNUSED, unsigned size UNUSED, u64 value)
{
	struct board *b = board;
	if ((value & 0xffff) == 0x5555)
		board_end(b, 0);
	else if ((value & 0xffff) == 0x3333)
		board_end(b, (int)(value >> 16) ? (int)(value >> 16) : 1);
}
static const struct phys_io finisher = { exit_read, exit_write };

void board_end(struct board *b, int status)
{
	pthread_mutex_lock(&b->lock);
	if (!b->ended)
		b->status = status;
	b->ended = true;
	for (unsigned i = 0; i < b->n_harts; i++)
		cpu_leave(b->hart[i]);
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

struct err *board_devices(struct board *b)
{
	struct err *e = phys_add_ram(b->phys, RAM_BASE, b->ram_size);
	if (!e)
		e = phys_add_io(b->phys, CLINT, 0x10000, &clint, b);
	if (!e)
		e = phys_add_io(b->phys, 0x10000000, 0x1000, &uart, b);
	if (!e)
		e = phys_add_io(b->phys, 0x100000, 0x1000, &finisher, b);
	b->riscv = (struct riscv_board){ .time = board_time, .stimecmp = stimecmp, .user = b };
	for (unsigned i = 0; i < MAX_HARTS; i++)
		b->mtimecmp[i] = b->stimecmp[i] = ~0ull;
	return e;
}

/* ---- while it runs ---- */
/* What a test writes into tohost: 1 passed, other odd numbers failed, a device, command and character otherwise. */
static void poll_host(struct board *b)
{
	u64 *to = b->tohost ? (u64 *)board_ram(b, b->tohost, 8) : NULL;
	u64 v = to ? __atomic_load_n(to, __ATOMIC_SEQ_CST) : 0;
	if (!v)
		return;
	__atomic_store_n(to, 0, __ATOMIC_SEQ_CST);
	if (v >> 56 == 1)
		putchar((int)(v & 0xff));
	else if (v & 1)
		board_end(b, v == 1 ? 0 : (int)MIN(v >> 1, 255ull));
}

/* Interrupts whose time has come; gives when the next one does. Under the lock. */
static u64 timers(struct board *b)
{
	u64 next = ~0ull, now = board_time(b);
	for (unsigned i = 0; i < b->n_harts; i++) {
		if (b->mtimecmp[i] <= now && !(((struct riscv *)b->hart[i])->p.mip >> RISCV_INT_MTI & 1))
			set_interrupt(b, i, RISCV_INT_MTI, true);
		if (b->stimecmp[i] <= now) {
			b->stimecmp[i] = ~0ull;
			riscv_timer_reached(b->hart[i]);
			pthread_cond_broadcast(&b->changed);
		}
		if (b->mtimecmp[i] > now)
			next = MIN(next, b->mtimecmp[i]);
		next = MIN(next, b->stimecmp[i]);
	}
	return next;
}

void board_run(struct board *b, unsigned seconds)
{
	u64 end = now_ns() + seconds * 1000000000ull;
	pthread_mutex_lock(&b->lock);
	while (!b->ended) {
		u64 next = timers(b), tick = 1000000000 / TIME_HZ, until = now_ns() + 1000000;
		if (next < ~0ull / tick)
			until = MIN(until, next * tick);
		struct timespec t = { (time_t)(until / 1000000000), (long)(until % 1000000000) };
		pthread_cond_timedwait(&b->changed, &b->lock, &t);
		pthread_mutex_unlock(&b->lock);
		poll_host(b);
		if (now_ns() > end) {
			fprintf(stderr, "rv-bare: not done after %u seconds\n", seconds);
			board_end(b, 124);
		}
		pthread_mutex_lock(&b->lock);
	}
	pthread_mutex_unlock(&b->lock);
}
