/*
 * For tests of the back end: regions are compiled, run on one copy of a CPU's state, interpreted on another, and everything a guest can see is compared. In
 * the unit test program only. RHEA_TEST_SEEDS=N asks for that many random regions instead of some, from RHEA_TEST_FIRST on; RHEA_TEST_DUMP names a file for the code.
 */
#pragma once
#include "translate/host/x64/rig.h"
#include "translate/ir/random.h"

/* Homes of random_slots: mem, x0 to x7, w0; v0 to v3. */
extern const u16 compare_int[], compare_vec[];
extern bool compare_quiet; /* no complaints: a failing region is being made smaller */

/* A rig of random_slots; its CPU. */
struct rig *compare_rig(const u16 *ints, const u16 *vecs);
struct random_cpu *compare_state(struct rig *rig);
/* As rig_compile; complains of a small region that did not fit. */
bool compare_compile(struct rig *rig, const struct ir_region *r);
/* States to start from: by a seed, and with numbers as they hurt. */
void compare_start(struct rig *rig, u64 seed, struct random_cpu *start);
void compare_hard_start(struct rig *rig, u64 seed, struct random_cpu *start);
/* One run each by interpreter and code, of a compiled region. mask: the fp_flags that must agree. seed: for the complaint. */
bool compare_from(struct rig *rig, const struct ir_region *r, u64 seed, const struct random_cpu *start, u32 mask);
/* Takes away what a failing region can do without, then lets it fail aloud. */
void compare_shrink(struct rig *rig, struct ir_region *r, u64 seed, const struct random_cpu *start, u32 mask);
/* The seeds to try, unless the environment says otherwise. */
u64 compare_first_seed(u64 usual);
u64 compare_seeds(u64 usual);
/* The code of the last region to the file named by RHEA_TEST_DUMP. */
void compare_dump(const struct rig *rig);
/*
 * Random regions by RISC-V's rules of floating point, of up to so many blocks, each from eight sets of hard numbers, which change (may be NULL) may alter.
 * *ret_counted: the sum of what count says of the compiled ones.
 */
void compare_hard_seeds(struct rig *rig, struct ir_random_options o, unsigned blocks,
			void (*change)(struct random_cpu *start, u64 values),
			unsigned (*count)(const struct rig *rig, const struct ir_region *r), unsigned *ret_counted);
