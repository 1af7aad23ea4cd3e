/*
 * The test machine: RAM, a UART, a timer, an exit device, the host interface of the riscv-tests, one to four harts. Not a product: it proves
 * translator and guest until there is a machine core. Places of devices are those of the "virt" board, so that bare programs run on both.
 *
 * Facts: RISC-V ACLINT specification (msip, mtimecmp, mtime), PC16550D data sheet (THR, LSR), SiFive test finisher (0x5555, 0x3333),
 * riscv-software-src/riscv-tests (tohost, fromhost).
 */
#pragma once
#include "base/base.h"
#include "guest/riscv/riscv.h"
#include "translate/engine/engine.h"
#include "translate/engine/mem/phys.h"
#include <pthread.h>

enum { MAX_HARTS = 4, TIME_HZ = 10000000 };
#define RAM_BASE 0x80000000ull

struct board {
	struct phys_map *phys;
	u64 ram_size;
	unsigned n_harts;
	struct cpu *hart[MAX_HARTS];
	u64 entry, tohost, fromhost; /* physical addresses; 0: not in this program */
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t changed; /* an interrupt, a timer, the end */
	u64 mtimecmp[MAX_HARTS], stimecmp[MAX_HARTS];
	bool ended;
	int status;
	struct riscv_board riscv;
};

struct err *board_devices(struct board *b) MUST_CHECK;
u64 board_time(void *board); /* mtime */
void board_end(struct board *b, int status);
/* Until the program ends or seconds have passed: timers, and the host interface. */
void board_run(struct board *b, unsigned seconds);
/* Loads an ELF file; *ret_rv64 by its class. With phys NULL only looks at the class. */
struct err *board_load(struct board *b, const char *path, bool *ret_rv64) MUST_CHECK;
u8 *board_ram(struct board *b, u64 phys, u64 size); /* NULL: not in RAM */
