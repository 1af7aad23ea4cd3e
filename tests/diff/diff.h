/*
 * The differential test of front ends: random instructions out of a guest's pattern tables, run by the interpreter here and by a
 * program under the peer there (protocol.h). A guest brings a struct diff_guest.
 */
#pragma once
#include "guest/guest.h"
#include "guest/insn.h"
#include "protocol.h"

struct rng {
	u64 s;
};
static inline u64 rnd(struct rng *r) /* SplitMix64 */
{
	u64 v = r->s += 0x9e3779b97f4a7c15;
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
	v = (v ^ v >> 27) * 0x94d049bb133111eb;
	return v ^ v >> 31;
}
static inline u64 below(struct rng *r, u64 n)
{
	return rnd(r) % n;
}
static inline bool one_in(struct rng *r, u64 n)
{
	return below(r, n) == 0;
}
u64 rnd_value(struct rng *r); /* an integer, often one with an edge */

/* A number given as --set NAME=N, 0 without: what the guest's part of the test must know of the other side. */
u64 diff_option(const char *name);

struct diff_guest {
	const char *name;
	const struct guest *guest;
	const struct insn_group *const *groups; /* ended by NULL */
	u32 trap; /* what lies around the instructions */
	const void *(*model)(void); /* the CPU model that matches the peer's */
	/* Fills a test for this pattern, registers too; false: it cannot be compared. */
	bool (*make)(const struct insn_group *g, const struct insn_pattern *p, const void *model,
		     struct rng *r, struct diff_test *test);
	void (*load)(struct cpu *cpu, const struct diff_regs *in);
	void (*save)(
	    const struct cpu *cpu,
	    struct diff_regs *out); /* bits that are not compared are the same as the peer's mask gives */
	void (*mask)(struct diff_regs *regs); /* clears what is not compared */
	/* A difference that is the peer's mistake: why, or NULL. Told apart by the manual, see there. */
	const char *(*excuse)(const struct insn_pattern *p, const struct diff_test *test,
			      const struct diff_result *ours, const struct diff_result *theirs);
	const char *(*reg_name)(unsigned i, char buf[16]); /* NULL: no register */
};
extern const struct diff_guest diff_aarch64, diff_riscv64, diff_riscv32;

/* Fields of a pattern by name; set puts value's low bits into all pieces. */
bool field_has(const struct insn_pattern *p, const char *name);
u32 field_get(const struct insn_pattern *p, const char *name,
	      u32 word); /* zero-extended; 0 when there is none */
u32 field_set(const struct insn_pattern *p, const char *name, u32 word, u32 value);

/*
 * The words from first to end, by steps, through a front end; every verify_every-th to the verifier, every compile_every-th that is
 * defined through the back end too (0: none). Prints counts; gives the process's exit status.
 */
int diff_words(const struct diff_guest *g, u64 first, u64 end, u32 step, u32 verify_every, u32 compile_every);
