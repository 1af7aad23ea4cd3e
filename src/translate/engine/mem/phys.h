/*
 * A machine's physical address space, as CPUs see it: RAM (all of it in one memory file, mapped once) and registers of devices.
 *
 * It is filled before CPUs run and does not change while they do; machine/mem will stand here when there is one.
 */
#pragma once
#include "base/base.h"

struct err;

/* A device's registers. Called on the accessing CPU's thread; offset within the range, size 1, 2, 4, 8, naturally aligned. */
struct phys_io {
	u64 (*read)(void *user, u64 offset, unsigned size);
	void (*write)(void *user, u64 offset, unsigned size, u64 value);
};

enum phys_code { PHYS_DATA, PHYS_CODE_SOON /* stores that have begun may still come */, PHYS_CODE };

struct phys_range {
	u64 base, size;
	u8 *host; /* RAM: where it is; NULL: registers */
	u64 offset; /* RAM: in the memory file */
	u8 *code; /* RAM: a byte for each page of 4 KiB: not 0 where it holds translated code (enum phys_code). Atomic */
	u8 *windowed; /* RAM: a byte for each page: not 0 where it was ever mapped in a window */
	const struct phys_io *io;
	void *user;
};

struct phys_map;
struct phys_map *phys_new(void);
void phys_free(struct phys_map *map);
/* Ranges are whole pages and must not overlap. */
struct err *phys_add_ram(struct phys_map *map, u64 base, u64 size) MUST_CHECK;
struct err *phys_add_io(struct phys_map *map, u64 base, u64 size, const struct phys_io *io, void *user) MUST_CHECK;
/* The range that holds an address; NULL: nothing is there. */
const struct phys_range *phys_find(const struct phys_map *map, u64 addr);
/* The memory file. */
int phys_fd(const struct phys_map *map);
