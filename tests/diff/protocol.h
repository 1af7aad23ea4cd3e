/*
 * What the differential test and the program it runs under the peer (tests/guests/diff-GUEST.c) tell each other through pipes.
 * All numbers in the guest's byte order; both sides are built from this file.
 */
#pragma once
#include <stdint.h>
#include <string.h>

#define DIFF_CODE \
	0x10000000ul /* where slots of DIFF_SLOT bytes lie, one test each; the instructions in the middle, traps around them */
#define DIFF_SLOT 512
#define DIFF_SLOTS 256 /* tests in a batch */
#define DIFF_MIDDLE 256
#define DIFF_DATA 0x20000000ul /* scratch memory; nothing is mapped beside it */
#define DIFF_DATA_SIZE 8192
#define DIFF_WORDS 4

/* Registers as a guest sees them; which is which is the guest's matter (diff_aarch64 in aarch64.c). */
#define DIFF_REGS 160
struct diff_regs {
	uint64_t r[DIFF_REGS];
};

struct diff_test {
	uint32_t n_words, pad;
	uint32_t word[DIFF_WORDS]; /* instructions */
	struct diff_regs in;
};

struct diff_batch {
	uint64_t count; /* 0: the end */
	uint64_t seed; /* of the scratch memory */
	struct diff_test test[DIFF_SLOTS];
};

struct diff_result {
	struct diff_regs out;
	uint64_t pc;
	uint64_t signal, fault_addr; /* the signal that ended it: SIGTRAP when nothing went wrong */
	uint64_t memory; /* diff_hash of the scratch memory */
};

static inline void diff_fill(uint64_t *data, uint64_t seed)
{
	for (unsigned i = 0; i < DIFF_DATA_SIZE / 8; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		data[i] = seed ^ seed >> 29;
	}
}

static inline uint64_t diff_hash(const uint64_t *data)
{
	uint64_t h = 0;
	for (unsigned i = 0; i < DIFF_DATA_SIZE / 8; i++)
		h = (h ^ data[i]) * 0x9e3779b97f4a7c15u + (h >> 32);
	return h;
}

/* The hash of the scratch memory, which is made the pattern again; untouched: the pattern's own hash. Most tests do not write. */
static inline uint64_t diff_take(uint64_t *data, const uint64_t *pattern, uint64_t untouched)
{
	uint64_t changed = 0;
	for (unsigned i = 0; i < DIFF_DATA_SIZE / 8; i++)
		changed |= data[i] ^ pattern[i];
	if (!changed)
		return untouched;
	uint64_t h = diff_hash(data);
	memcpy(data, pattern, DIFF_DATA_SIZE);
	return h;
}
