/*
 * arm64 front end: SVE's and SME's loads and stores of vectors under a predicate.
 *
 * Where one access of host memory does the whole instruction generated code does it: a contiguous store of which every element is active; a contiguous load whose
 * first element is active, in one page, of which the inactive elements are then cleared: it faults where and only where the first element does. (That reads
 * bytes that the program did not ask for, which in memory nobody sees.) Gathers and scatters of which every element is active make their two or four
 * accesses themselves. All else goes element by element in a helper.
 * Manual: Arm A-profile architecture, the Sail form's execute_LD1B_Z_P_BR_U8, execute_LDFF1B_Z_P_BR_U8, execute_LD1B_Z_P_BZ_S_x32_unscaled and their likes.
 */
#include "guest/arm64/sve.h"

/* ---- element by element ---- */

/* struct sve_access in a helper's argument. */
static u32 pack(struct sve_access a)
{
	return a.elem | a.mem << 3 | a.sign << 6 | a.more << 7 | a.reg << 9 | a.offsets << 14 |
	       a.scale << 16 | a.faults << 18;
}

static struct sve_access unpack(u32 v)
{
	return (struct sve_access){ .elem = v & 7,
				    .mem = v >> 3 & 7,
				    .sign = v >> 6 & 1,
				    .more = v >> 7 & 3,
				    .reg = v >> 9 & 31,
				    .offsets = v >> 14 & 3,
				    .scale = v >> 16 & 3,
				    .faults = v >> 18 & 3 };
}

/* An instruction at work: arguments 0 to 3 of every helper, and how far it is. */
struct walk {
	struct sve_access how;
	const u8 *pred;
	u64 base;
	const u8 *offset;
	unsigned at, end; /* bytes of the vector that are done, or to be done in this go */
	u8 v[4][SVE_BYTES];
};

static struct walk walk_of(const union ir_val *arg)
{
	return (struct walk){ .how = unpack(arg[0].w),
			      .pred = arg[1].b,
			      .base = arg[2].u,
			      .offset = arg[3].b,
			      .end = SVE_BYTES };
}

/* Where the element is, of structures the first member. */
static u64 address(const struct cpu *cpu, const struct walk *w)
{
	u64 offset = (u64)(w->at >> w->how.elem) * (w->how.more + 1u) << w->how.mem;
	switch (w->how.offsets) {
	case SVE_CONTIGUOUS:
		break;
	case SVE_OFFSETS_U32:
		offset = (u64)ld_le32(w->offset + w->at) << w->how.scale;
		break;
	case SVE_OFFSETS_S32:
		offset = (u64)(i64)(i32)ld_le32(w->offset + w->at) << w->how.scale;
		break;
	case SVE_OFFSETS_64:
		offset = ld_le64(w->offset + w->at) << w->how.scale;
		break;
	}
	u64 addr = w->base + offset;
	return cpu->key & KEY_TAGS ? (u64)((i64)(addr << TAG_BITS) >> TAG_BITS) : addr;
}

static struct ir_mem element(const struct walk *w)
{
	return (struct ir_mem){ .type = lane_int(w->how.mem) };
}

static void load_elements(struct cpu *cpu, void *arg)
{
	struct walk *w = arg;
	unsigned step = 1u << w->how.elem, bytes = 1u << w->how.mem;
	for (; w->at < w->end; w->at += step) {
		for (unsigned k = 0; w->pred[w->at] && k <= w->how.more; k++) {
			u8 *to = w->v[k] + w->at;
			cpu_read(cpu, address(cpu, w) + k * bytes, to, bytes, element(w));
			memset(to + bytes, w->how.sign && to[bytes - 1] & 0x80 ? 0xff : 0, step - bytes);
		}
	}
}

/* Bytes of the vector, from an active element on, that one access stores: of elements side by side in memory, too, a power of two. */
static unsigned together(const struct walk *w)
{
	unsigned step = 1u << w->how.elem, n = step, more = step;
	if (w->how.offsets != SVE_CONTIGUOUS || w->how.mem != w->how.elem || w->how.more)
		return step;
	for (; w->at + 2 * n <= w->end; n *= 2)
		for (; more < 2 * n; more += step)
			if (!w->pred[w->at + more])
				return n;
	return n;
}

static void store_elements(struct cpu *cpu, struct walk *w)
{
	unsigned bytes = 1u << w->how.mem, step;
	for (; w->at < w->end; w->at += step) {
		step = 1u << w->how.elem;
		if (!w->pred[w->at])
			continue;
		step = together(w);
		for (unsigned k = 0; k <= w->how.more; k++)
			cpu_write(cpu, address(cpu, w) + k * bytes, w->v[k] + w->at,
				  step >> (w->how.elem - w->how.mem), element(w));
	}
}

static void load(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	struct walk w = walk_of(arg);
	load_elements(cpu, &w);
	memcpy(ret->b, w.v[0], SVE_BYTES);
}

/* The last argument is FFR; ret: the vector, the new FFR. What fails, and all behind it, is zero. */
static void load_some(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	struct arm64 *a = (struct arm64 *)cpu;
	struct walk w = walk_of(arg);
	if (w.how.faults == SVE_FIRST_FAULTS) {
		while (w.at < SVE_BYTES && !w.pred[w.at])
			w.at += 1u << w.how.elem;
		w.end = MIN(w.at + (1u << w.how.elem), (unsigned)SVE_BYTES);
		load_elements(cpu, &w);
		w.end = SVE_BYTES;
	}
	if (!cpu_try(cpu, load_elements, &w)) {
		memset(w.v[0] + w.at, 0, SVE_BYTES - w.at);
		memset(a->p[16].b + w.at, 0, SVE_BYTES - w.at);
	}
	memcpy(ret->b, w.v[0], SVE_BYTES);
}

static void store(struct cpu *cpu, union ir_val *ret UNUSED, const union ir_val *arg)
{
	struct walk w = walk_of(arg);
	memcpy(w.v[0], arg[4].b, SVE_BYTES);
	store_elements(cpu, &w);
}

static void load_many(struct cpu *cpu, union ir_val *ret UNUSED, const union ir_val *arg)
{
	struct arm64 *a = (struct arm64 *)cpu;
	struct walk w = walk_of(arg);
	load_elements(cpu, &w);
	for (unsigned k = 0; k <= w.how.more; k++)
		memcpy(a->v[(w.how.reg + k) & 31].b, w.v[k], SVE_BYTES);
}

static void store_many(struct cpu *cpu, union ir_val *ret UNUSED, const union ir_val *arg)
{
	struct arm64 *a = (struct arm64 *)cpu;
	struct walk w = walk_of(arg);
	for (unsigned k = 0; k <= w.how.more; k++)
		memcpy(w.v[k], a->v[(w.how.reg + k) & 31].b, SVE_BYTES);
	store_elements(cpu, &w);
}

static const u16 ffr_slot[] = { A64_FFR, 0xffff };
HELPER(arm64_sve_load) = { .name = "arm64_sve_load", .fn = load, .effects = HELP_MEMORY };
HELPER(arm64_sve_load_some) = { .name = "arm64_sve_load_some",
				.fn = load_some,
				.effects = HELP_READS | HELP_WRITES | HELP_MEMORY,
				.slots = ffr_slot };
HELPER(arm64_sve_store) = { .name = "arm64_sve_store", .fn = store, .effects = HELP_MEMORY };
HELPER(arm64_sve_load_many) = { .name = "arm64_sve_load_many",
				.fn = load_many,
				.effects = HELP_READS | HELP_WRITES | HELP_MEMORY };
HELPER(arm64_sve_store_many) = { .name = "arm64_sve_store_many",
				 .fn = store_many,
				 .effects = HELP_READS | HELP_MEMORY };

/* ---- what is emitted ---- */

/* A helper, with the arguments of walk_of and perhaps one more. */
static ir_ref call(struct tr *t, const struct ir_helper *helper, struct sve_access how, ir_ref pred,
		   ir_ref base, ir_ref offsets, ir_ref v)
{
	enum ir_type type = helper->fn == load || helper->fn == load_some ? TY_V128 : TY_VOID;
	ir_ref arg[5] = { konst32(t, pack(how)), pred, base, offsets ? offsets : pred, v };
	return v_call(t, helper, type, arg, v ? 5 : 4);
}

/* An instruction's ways: in one access if cond, else by a helper; then on. The first is begun. */
struct ways {
	u32 slow, on;
};
static struct ways ways_begin(struct tr *t, ir_ref cond)
{
	u32 fast = inner_block(t, false);
	struct ways w = { inner_block(t, true), inner_block(t, false) };
	v_op(t, IR_BRC, TY_VOID, cond, fast, w.slow, 1);
	ir_block_start(t->ir, fast);
	return w;
}
static void ways_slow(struct tr *t, struct ways w)
{
	v_op(t, IR_BR, TY_VOID, w.on, 0, 0, 0);
	ir_block_start(t->ir, w.slow);
}
static void ways_end(struct tr *t, struct ways w)
{
	v_op(t, IR_BR, TY_VOID, w.on, 0, 0, 0);
	ir_block_start(t->ir, w.on);
}

/* A bit in front of each active element, and of each element. */
static ir_ref active_bits(struct tr *t, ir_ref pred, unsigned size)
{
	ir_ref bits = sve_bits(t, pred);
	return size ? v_bin(t, IR_AND, bits, konst32(t, BITS(SVE_BYTES) / BITS(1u << size))) : bits;
}

static ir_ref all_active(struct tr *t, ir_ref pred, unsigned size)
{
	return v_cmp(t, IR_EQ, active_bits(t, pred, size), konst32(t, BITS(SVE_BYTES) / BITS(1u << size)));
}

static ir_ref none_active(struct tr *t, ir_ref pred, unsigned size)
{
	return v_cmp(t, IR_EQ, active_bits(t, pred, size), konst32(t, 0));
}

/* The first element is active, and so many bytes at base are in one page (of 4 KiB, which none is smaller than). */
static ir_ref first_in_page(struct tr *t, ir_ref pred, ir_ref base, unsigned bytes)
{
	enum { PAGE_BITS = 12 };
	ir_ref low = v_op(t, IR_EXTRACTU, TY_I32, v_trunc(t, TY_I32, base), 0, PAGE_BITS, 0);
	ir_ref over = v_bin(t, IR_AND, v_addi(t, low, bytes - 1), konst32(t, 1u << PAGE_BITS));
	ir_ref first = simd_scalar(t, IR_VGET, TY_I32, TY_I8, pred, 0); /* 0 or 0xff */
	return v_cmp(t, IR_LTU, over, first); /* 0 and not 0 */
}

/* A vector's worth of elements at base, widened. */
static ir_ref load_whole(struct tr *t, struct sve_access how, ir_ref base)
{
	static const enum ir_type type[] = { TY_V128, TY_F64, TY_F32, TY_I16 };
	unsigned narrow = how.elem - how.mem;
	ir_ref v = v_load(t, narrow == 3 ? TY_I32 : type[narrow], base, plain(type[narrow], 0));
	if (narrow)
		v = v_op(t, IR_VZEXT, TY_V128, v, 0, 0, 0);
	for (unsigned size = how.mem; size < how.elem; size++)
		v = simd_op1(t, how.sign ? IR_WIDENS : IR_WIDENU, lane_int(size), v);
	return v;
}

/* The elements as they lie in memory, from the lowest byte on. */
static ir_ref packed(struct tr *t, struct sve_access how, ir_ref v)
{
	for (unsigned size = how.elem; size > how.mem; size--)
		v = simd_op1(t, IR_NARROW, lane_int(size), v);
	return v;
}

static void store_whole(struct tr *t, struct sve_access how, ir_ref base, ir_ref v)
{
	static const enum ir_type type[] = { TY_V128, TY_F64, TY_F32, TY_I16 };
	unsigned narrow = how.elem - how.mem;
	v = packed(t, how, v);
	if (narrow)
		v = v_op(t, IR_VTRUNC, narrow == 3 ? TY_I32 : type[narrow], v, 0, 0, 0);
	v_store(t, base, v, plain(type[narrow], 0));
}

/* Where element i of a gather or scatter is. */
static ir_ref element_address(struct tr *t, struct sve_access how, ir_ref base, ir_ref offsets, unsigned i)
{
	bool words = how.offsets != SVE_OFFSETS_64;
	enum ir_op get = how.offsets == SVE_OFFSETS_S32 ? IR_VGETS : IR_VGET;
	ir_ref offset =
	    simd_scalar(t, get, TY_I64, words ? TY_I32 : TY_I64, offsets, words ? i << (how.elem - 2) : i);
	return v_bin(t, IR_ADD, base, how.scale ? v_bin(t, IR_SHL, offset, konst(t, how.scale)) : offset);
}

static ir_ref load_each(struct tr *t, struct sve_access how, ir_ref base, ir_ref offsets)
{
	enum ir_type lane = lane_int(how.elem);
	struct ir_mem mem = plain(lane_int(how.mem), 0);
	mem.sign = how.sign;
	ir_ref v = simd_zero(t);
	for (unsigned i = 0; i < sve_elements(how.elem); i++)
		v = v_lanes(t, IR_VSET, lane, v,
			    v_load(t, lane, element_address(t, how, base, offsets, i), mem), 0, i);
	return v;
}

static void store_each(struct tr *t, struct sve_access how, ir_ref base, ir_ref offsets, ir_ref v)
{
	enum ir_type lane = lane_int(how.elem);
	for (unsigned i = 0; i < sve_elements(how.elem); i++)
		v_store(t, element_address(t, how, base, offsets, i),
			simd_scalar(t, IR_VGET, lane, lane, v, i), plain(lane_int(how.mem), 0));
}

/*
 * The first elements, as the ends of arrays have them, n bytes in memory, fewer than all: a store of 8 bytes if n has an 8, behind it one of 4 if n has a 4, ...
 * What is left of the vector waits in a local slot.
 */
static void store_first(struct tr *t, struct sve_access how, ir_ref base, ir_ref v, ir_ref n)
{
	unsigned most = 3u - (how.elem - how.mem), size = how.mem;
	u32 local = ir_local(t->ir, TY_I64);
	v = packed(t, how, v);
	v_set(t, local, simd_scalar(t, IR_VGET, TY_I64, TY_I64, v, 0));
	for (unsigned log = most; log + 1 > size; log--) {
		u32 then = inner_block(t, false), on = inner_block(t, false);
		v_op(t, IR_BRC, TY_VOID,
		     v_cmp(t, IR_NE, v_bin(t, IR_AND, n, konst32(t, 1 << log)), konst32(t, 0)), then, on, 0);
		ir_block_start(t->ir, then);
		ir_ref behind = v_zext(t, TY_I64, v_bin(t, IR_AND, n, konst32(t, 16 - (2 << log)))),
		       rest = v_get(t, local);
		v_store(t, log == most ? base : v_bin(t, IR_ADD, base, behind),
			v_trunc(t, size_type(log), rest), plain(size_type(log), 0));
		if (log > size)
			v_set(t, local,
			      log == 3 ? simd_scalar(t, IR_VGET, TY_I64, TY_I64, v, 1)
				       : v_bin(t, IR_SHR, rest, konst(t, 8u << log)));
		v_op(t, IR_BR, TY_VOID, on, 0, 0, 0);
		ir_block_start(t->ir, on);
	}
}

/* Some elements side by side, not all: none, the first ones, or by a helper. */
static void store_some(struct tr *t, struct sve_access how, ir_ref v, ir_ref pred, ir_ref base, u32 on)
{
	u32 some = inner_block(t, false);
	ir_ref bits = sve_bits(t, sve_mask(t, pred, how.elem));
	v_op(t, IR_BRC, TY_VOID, v_cmp(t, IR_EQ, bits, konst32(t, 0)), on, some, 0);
	ir_block_start(t->ir, some);
	ir_ref behind = v_bin(t, IR_AND, bits, v_addi(t, bits, 1));
	struct ways w = ways_begin(t, v_cmp(t, IR_EQ, behind, konst32(t, 0)));
	store_first(t, how, base, v,
		    v_bin(t, IR_SHR, v_un(t, IR_POPCNT, bits), konst32(t, how.elem - how.mem)));
	ways_slow(t, w);
	call(t, &ir_helper_arm64_sve_store, how, pred, base, IR_NONE, v);
	ways_end(t, w);
}

/* Of elements that lie anywhere, not all: none, or by a helper. */
static void scatter_some(struct tr *t, struct sve_access how, ir_ref v, ir_ref pred, ir_ref base,
			 ir_ref offsets)
{
	struct ways w = ways_begin(t, none_active(t, pred, how.elem));
	ways_slow(t, w);
	call(t, &ir_helper_arm64_sve_store, how, pred, base, offsets, v);
	ways_end(t, w);
}

/* Not the first element, or over the end of a page, or none at all, as behind the end of an array. */
static void load_rest(struct tr *t, struct sve_access how, unsigned slot, ir_ref pred, ir_ref base,
		      ir_ref offsets)
{
	if (how.faults) {
		v_set(t, slot, call(t, &ir_helper_arm64_sve_load_some, how, pred, base, offsets, IR_NONE));
		return;
	}
	struct ways w = ways_begin(t, none_active(t, pred, how.elem));
	v_set(t, slot, simd_zero(t));
	ways_slow(t, w);
	v_set(t, slot, call(t, &ir_helper_arm64_sve_load, how, pred, base, offsets, IR_NONE));
	ways_end(t, w);
}

void sve_load(struct tr *t, struct sve_access how, unsigned slot, ir_ref pred, ir_ref base, ir_ref offsets)
{
	bool contiguous = how.offsets == SVE_CONTIGUOUS;
	if (how.faults == SVE_NO_FAULTS || (how.faults && !contiguous)) {
		load_rest(t, how, slot, pred, base, offsets);
		return;
	}
	unsigned bytes = SVE_BYTES >> (how.elem - how.mem);
	struct ways w =
	    ways_begin(t, contiguous ? first_in_page(t, pred, base, bytes) : all_active(t, pred, how.elem));
	v_set(t, slot,
	      contiguous ? simd_and(t, load_whole(t, how, base), sve_mask(t, pred, how.elem))
			 : load_each(t, how, base, offsets));
	ways_slow(t, w);
	load_rest(t, how, slot, pred, base, offsets);
	ways_end(t, w);
}

void sve_store(struct tr *t, struct sve_access how, ir_ref v, ir_ref pred, ir_ref base, ir_ref offsets)
{
	struct ways w = ways_begin(t, all_active(t, pred, how.elem));
	if (how.offsets == SVE_CONTIGUOUS)
		store_whole(t, how, base, v);
	else
		store_each(t, how, base, offsets, v);
	ways_slow(t, w);
	if (how.offsets == SVE_CONTIGUOUS)
		store_some(t, how, v, pred, base, w.on);
	else
		scatter_some(t, how, v, pred, base, offsets);
	ways_end(t, w);
}

void sve_load_structures(struct tr *t, struct sve_access how, ir_ref pred, ir_ref base)
{
	unsigned n = how.more + 1;
	struct ways w = ways_begin(t, all_active(t, pred, how.elem));
	ir_ref src[4], v[4];
	for (unsigned k = 0; k < n; k++)
		src[k] = v_load(t, TY_V128, base, plain(TY_V128, (i32)k * SVE_BYTES));
	simd_split(t, src, n, how.elem, v);
	for (unsigned k = 0; k < n; k++)
		sve_set(t, (how.reg + k) & 31, v[k]);
	ways_slow(t, w);
	call(t, &ir_helper_arm64_sve_load_many, how, pred, base, IR_NONE, IR_NONE);
	ways_end(t, w);
}

void sve_store_structures(struct tr *t, struct sve_access how, ir_ref pred, ir_ref base)
{
	unsigned n = how.more + 1;
	struct ways w = ways_begin(t, all_active(t, pred, how.elem));
	ir_ref v[4], out[4];
	for (unsigned k = 0; k < n; k++)
		v[k] = simd_get(t, (how.reg + k) & 31);
	simd_join(t, v, n, how.elem, SVE_BYTES, out);
	for (unsigned k = 0; k < n; k++)
		v_store(t, base, out[k], plain(TY_V128, (i32)k * SVE_BYTES));
	ways_slow(t, w);
	call(t, &ir_helper_arm64_sve_store_many, how, pred, base, IR_NONE, IR_NONE);
	ways_end(t, w);
}
