/*
 * Random regions for tests: every operation with operands that fit, over a guest CPU made for it. In the unit test program only.
 *
 *	struct random_cpu cpu;
 *	ir_random(r, seed, &(struct ir_random_options){ .insns = 100, .blocks = 5 });
 *	random_cpu_init(&cpu, seed);
 *	enum ir_event event = ir_run(r, &cpu.cpu);
 */
#pragma once
#include "translate/ir/cpu.h"

enum { RANDOM_MEMORY = 512 };

struct random_cpu {
	struct cpu cpu;
	u64 mem; /* slot: where the guest's memory starts, at most 240 below its end when used with an index */
	u64 x[12];
	u32 w[4];
	u16 h[2];
	u8 b[2], bit[2];
	u32 fl[2];
	u32 s[2];
	u64 d[2];
	u128 q[2];
	u8 v[6][16];
	u8 y[2][32];
	u8 memory[RANDOM_MEMORY] __attribute__((aligned(64)));
	sigjmp_buf raise;
};
extern const struct ir_slot random_slots[];

struct ir_random_options {
	u32 insns, blocks; /* about how many; 0: some */
	bool no_memory, no_flags, no_vectors, no_crypto, no_i128, no_loops, no_carry_over /* values stay in their blocks */;
	bool wide; /* vectors of 256 bits too */
	bool floats; /* floating point */
	bool faults; /* now and then an access outside the memory */
	/* NULL, or: whether this instruction may occur (types and literals are set). */
	bool (*allow)(const struct ir_region *r, const struct ir_insn *in);
};

/* Fills a region made over random_slots. The same seed and options give the same region. */
void ir_random(struct ir_region *r, u64 seed, const struct ir_random_options *options);
/* Registers and memory filled from the seed; memory accesses go to .memory and raise EV_MEMORY outside it. user: in user mode instead. */
void random_cpu_init(struct random_cpu *c, u64 seed, bool user);
/* Compares everything a guest can see (not cpu.cpu but for pc, event and fault); says in text what differs. fl: flags too. */
bool random_cpu_same(const struct random_cpu *a, const struct random_cpu *b, bool fl, char *text, size_t size);
/* A generator of numbers: splitmix64. */
u64 random_next(u64 *state);
