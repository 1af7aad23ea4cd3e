/*
 * A64: LD1 to LD4, ST1 to ST4, LD1R to LD4R: multiple and single structures.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD load/store multiple structures", "single structure", both with post-index.
 *
 * Memory is accessed 16 (or 8) bytes at a time, whatever the elements; shuffles take the structures apart and put them together.
 */
#include "guest/arm64/simd.h"
#include "arm64_ldst_struct.decode.h"

static ir_ref load(struct tr *t, ir_ref addr, unsigned at, unsigned bytes)
{
	if (bytes == 16)
		return v_load(t, TY_V128, addr, plain(TY_V128, (i32)at));
	return v_op(t, IR_VZEXT, TY_V128, v_load(t, TY_F64, addr, plain(TY_F64, (i32)at)), 0, 0, 0);
}

static void store(struct tr *t, ir_ref addr, unsigned at, unsigned bytes, ir_ref v)
{
	if (bytes == 16)
		v_store(t, addr, v, plain(TY_V128, (i32)at));
	else
		v_store(t, addr, v_op(t, IR_VTRUNC, TY_F64, v, 0, 0, 0), plain(TY_F64, (i32)at));
}

/* The lower or upper halves of a and b, interleaved by lanes. */
static ir_ref zip(struct tr *t, ir_ref a, ir_ref b, unsigned size, bool upper)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++) {
		unsigned lane = i >> size;
		mask[i] = (lane & 1) * 16 + 8 * upper + (lane / 2 << size) + (i & ((1 << size) - 1));
	}
	return simd_shuffle(t, a, b, mask);
}

/* Bytes of up to four registers: from[i] counts through all of them, 255 is zero. */
static ir_ref gather(struct tr *t, const ir_ref *src, unsigned n, const u8 from[16])
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++)
		mask[i] = (u8)(from[i] < 32 ? from[i] : 255);
	ir_ref v = simd_shuffle(t, src[0], src[n > 1], mask);
	for (unsigned k = 2; k < n; k++) {
		for (unsigned i = 0; i < 16; i++)
			mask[i] = (u8)(from[i] >> 4 == (int)k ? 16 + (from[i] & 15) : (int)i);
		v = simd_shuffle(t, v, src[k], mask);
	}
	return v;
}

/* Elements k, k + n, k + 2n ... of what lies in the registers src. */
static ir_ref pick(struct tr *t, const ir_ref *src, unsigned n_src, unsigned n, unsigned k, unsigned size,
		   unsigned bytes)
{
	u8 from[16];
	for (unsigned i = 0; i < 16; i++)
		from[i] = i < bytes ? (((i >> size) * n + k) << size) + (i & ((1 << size) - 1)) : 255;
	return gather(t, src, n_src, from);
}

/* One register: elements of n members sorted by member. */
static ir_ref sort(struct tr *t, ir_ref v, unsigned n, unsigned size)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++) {
		unsigned member = i / (16 / n), nth = i % (16 / n) >> size;
		mask[i] = ((nth * n + member) << size) + (i & ((1 << size) - 1));
	}
	return simd_shuffle(t, v, v, mask);
}

void simd_split(struct tr *t, ir_ref *src, unsigned n, unsigned size, ir_ref *ret)
{
	if (n == 3 || (n == 2 && size == 2)) {
		for (unsigned k = 0; k < n; k++)
			ret[k] = pick(t, src, n, n, k, size, 16);
		return;
	}
	for (unsigned i = 0; i < n && size < 2; i++)
		src[i] = sort(t, src[i], n, size);
	if (n == 2) {
		ret[0] = zip(t, src[0], src[1], 3, false);
		ret[1] = zip(t, src[0], src[1], 3, true);
		return;
	}
	ir_ref low0 = src[0], low1 = src[2], high0 = src[1], high1 = src[3];
	if (size < 3) {
		low0 = zip(t, src[0], src[1], 2, false);
		low1 = zip(t, src[2], src[3], 2, false);
		high0 = zip(t, src[0], src[1], 2, true);
		high1 = zip(t, src[2], src[3], 2, true);
	}
	ret[0] = zip(t, low0, low1, 3, false);
	ret[1] = zip(t, low0, low1, 3, true);
	ret[2] = zip(t, high0, high1, 3, false);
	ret[3] = zip(t, high0, high1, 3, true);
}

/* With bytes 8 only the first half of ret is meant. */
void simd_join(struct tr *t, const ir_ref *v, unsigned n, unsigned size, unsigned bytes, ir_ref *ret)
{
	if (n == 3) {
		for (unsigned j = 0; j < 3; j++) {
			u8 from[16];
			for (unsigned i = 0; i < 16; i++) {
				unsigned lane = (16 * j + i) >> size;
				unsigned at = (lane / 3 << size) + (i & ((1 << size) - 1));
				from[i] = at < bytes ? lane % 3 * 16 + at : 255;
			}
			ret[j] = gather(t, v, 3, from);
		}
		return;
	}
	if (n == 2) {
		ret[0] = zip(t, v[0], v[1], size, false);
		ret[1] = bytes == 16 ? zip(t, v[0], v[1], size, true) : IR_NONE;
		return;
	}
	for (unsigned upper = 0; upper < bytes / 8; upper++) {
		ir_ref even = zip(t, v[0], v[2], size, upper), odd = zip(t, v[1], v[3], size, upper);
		ret[2 * upper] = zip(t, even, odd, size, false);
		ret[2 * upper + 1] = zip(t, even, odd, size, true);
	}
}

static void update(struct tr *t, unsigned rn, ir_ref base, unsigned rm, unsigned bytes)
{
	set_xsp(t, rn, rm == 31 ? v_addi(t, base, bytes) : v_bin(t, IR_ADD, base, x(t, rm)));
}

/* opcode: how many registers, and how many members a structure has (1: registers one after another). */
static unsigned registers(unsigned opcode)
{
	static const u8 n[16] = { [0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2 };
	return n[opcode];
}
static unsigned members(unsigned opcode)
{
	return opcode & 2 ? 1 : registers(opcode);
}
static bool multiple_ok(unsigned opcode, unsigned size, unsigned q)
{
	return registers(opcode) && (members(opcode) == 1 || size != 3 || q);
}

static void load_multiple(struct tr *t, ir_ref base, unsigned rt, unsigned opcode, unsigned size, unsigned q)
{
	unsigned n = registers(opcode), bytes = q_bytes(q);
	ir_ref v[4], src[4];
	if (members(opcode) == 1) {
		for (unsigned i = 0; i < n; i++)
			v[i] = load(t, base, i * bytes, bytes);
	} else {
		unsigned n_src = 0;
		for (unsigned at = 0; at < n * bytes; at += 16)
			src[n_src++] = load(t, base, at, MIN(16u, n * bytes - at));
		if (q)
			simd_split(t, src, n, size, v);
		else {
			for (unsigned k = 0; k < n; k++)
				v[k] = pick(t, src, n_src, n, k, size, 8);
		}
	}
	for (unsigned i = 0; i < n; i++)
		v_set(t, A64_V0 + ((rt + i) & 31), v[i]);
}

static void store_multiple(struct tr *t, ir_ref base, unsigned rt, unsigned opcode, unsigned size, unsigned q)
{
	unsigned n = registers(opcode), bytes = q_bytes(q);
	ir_ref v[4] = { IR_NONE }, out[4];
	for (unsigned i = 0; i < n; i++)
		v[i] = simd_get(t, (rt + i) & 31);
	if (members(opcode) == 1) {
		for (unsigned i = 0; i < n; i++)
			store(t, base, i * bytes, bytes, v[i]);
		return;
	}
	simd_join(t, v, n, size, bytes, out);
	for (unsigned at = 0; at < n * bytes; at += 16)
		store(t, base, at, MIN(16u, n * bytes - at), out[at / 16]);
}

/* One element of each of n registers. opcode is the manual's without its lowest bit: the element's size, where S:size permit. */
struct single {
	unsigned size, index;
};
static struct single single_of(unsigned opcode, unsigned S, unsigned size, unsigned q)
{
	unsigned index = q << 3 | S << 2 | size;
	if (opcode == 2 && size & 1)
		return (struct single){ 3, index >> 3 };
	return (struct single){ opcode, index >> opcode };
}
static bool single_ok(unsigned opcode, unsigned S, unsigned size)
{
	return opcode == 0 || (opcode == 1 && !(size & 1)) ||
	       (opcode == 2 && (size == 0 || (size == 1 && !S)));
}

static void single(struct tr *t, bool is_load, ir_ref base, unsigned rt, unsigned n, struct single e)
{
	ir_ref v[4];
	enum ir_type type = lane_int(e.size);
	for (unsigned i = 0; i < n; i++) {
		struct ir_mem mem = plain(type, (i32)(i << e.size));
		unsigned reg = (rt + i) & 31;
		if (is_load)
			v[i] = v_load(t, type, base, mem);
		else
			v_store(t, base, simd_scalar(t, IR_VGET, type, type, simd_get(t, reg), e.index), mem);
	}
	for (unsigned i = 0; i < n && is_load; i++) {
		unsigned reg = (rt + i) & 31;
		v_set(t, A64_V0 + reg, v_lanes(t, IR_VSET, type, simd_get(t, reg), v[i], 0, e.index));
	}
}

static void replicate(struct tr *t, ir_ref base, unsigned rt, unsigned n, unsigned size, unsigned q)
{
	ir_ref v[4];
	enum ir_type type = lane_int(size);
	for (unsigned i = 0; i < n; i++)
		v[i] = v_load(t, type, base, plain(type, (i32)(i << size)));
	for (unsigned i = 0; i < n; i++)
		simd_set(t, (rt + i) & 31, v_lanes(t, IR_DUP, type, v[i], 0, 0, 0), q_bytes(q));
}

#define COUNT (1u + (a->n << 1 | a->R))
#define ELEMENT single_of(a->opcode, a->S, a->size, a->Q)

/* clang-format off */

INSN(ld_multiple, "0 Q:1 001100 0 1 000000 opcode:4 size:2 Rn:5 Rt:5", "ld{num(members(opcode))} {list(Rt, registers(opcode), size, Q)}, {mem(Rn, 0)}", "multiple_ok(opcode, size, Q)")
{
	load_multiple(t, xsp(t, a->Rn), a->Rt, a->opcode, a->size, a->Q);
}
INSN(st_multiple, "0 Q:1 001100 0 0 000000 opcode:4 size:2 Rn:5 Rt:5", "st{num(members(opcode))} {list(Rt, registers(opcode), size, Q)}, {mem(Rn, 0)}", "multiple_ok(opcode, size, Q)")
{
	store_multiple(t, xsp(t, a->Rn), a->Rt, a->opcode, a->size, a->Q);
}
INSN(ld_multiple_post, "0 Q:1 001100 1 1 0 Rm:5 opcode:4 size:2 Rn:5 Rt:5", "ld{num(members(opcode))} {list(Rt, registers(opcode), size, Q)}, {postreg(Rn, Rm, registers(opcode) * (Q ? 16 : 8))}", "multiple_ok(opcode, size, Q)")
{
	ir_ref base = xsp(t, a->Rn);
	load_multiple(t, base, a->Rt, a->opcode, a->size, a->Q);
	update(t, a->Rn, base, a->Rm, registers(a->opcode) * q_bytes(a->Q));
}
INSN(st_multiple_post, "0 Q:1 001100 1 0 0 Rm:5 opcode:4 size:2 Rn:5 Rt:5", "st{num(members(opcode))} {list(Rt, registers(opcode), size, Q)}, {postreg(Rn, Rm, registers(opcode) * (Q ? 16 : 8))}", "multiple_ok(opcode, size, Q)")
{
	ir_ref base = xsp(t, a->Rn);
	store_multiple(t, base, a->Rt, a->opcode, a->size, a->Q);
	update(t, a->Rn, base, a->Rm, registers(a->opcode) * q_bytes(a->Q));
}

INSN(ldst_single, "0 Q:1 001101 0 L:1 R:1 00000 opcode:2 n:1 S:1 size:2 Rn:5 Rt:5", "{#L:st|ld}{num((n << 1 | R) + 1)} {elements(Rt, (n << 1 | R) + 1, single_of(opcode, S, size, Q).size, single_of(opcode, S, size, Q).index)}, {mem(Rn, 0)}", "single_ok(opcode, S, size)")
{
	single(t, a->L, xsp(t, a->Rn), a->Rt, COUNT, ELEMENT);
}
INSN(ldst_single_post, "0 Q:1 001101 1 L:1 R:1 Rm:5 opcode:2 n:1 S:1 size:2 Rn:5 Rt:5", "{#L:st|ld}{num((n << 1 | R) + 1)} {elements(Rt, (n << 1 | R) + 1, single_of(opcode, S, size, Q).size, single_of(opcode, S, size, Q).index)}, {postreg(Rn, Rm, ((n << 1 | R) + 1) << single_of(opcode, S, size, Q).size)}", "single_ok(opcode, S, size)")
{
	ir_ref base = xsp(t, a->Rn);
	single(t, a->L, base, a->Rt, COUNT, ELEMENT);
	update(t, a->Rn, base, a->Rm, COUNT << ELEMENT.size);
}
INSN(ld_replicate, "0 Q:1 001101 0 1 R:1 00000 11 n:1 0 size:2 Rn:5 Rt:5", "ld{num((n << 1 | R) + 1)}r {list(Rt, (n << 1 | R) + 1, size, Q)}, {mem(Rn, 0)}", SPECIAL) { replicate(t, xsp(t, a->Rn), a->Rt, COUNT, a->size, a->Q); }
INSN(ld_replicate_post, "0 Q:1 001101 1 1 R:1 Rm:5 11 n:1 0 size:2 Rn:5 Rt:5", "ld{num((n << 1 | R) + 1)}r {list(Rt, (n << 1 | R) + 1, size, Q)}, {postreg(Rn, Rm, ((n << 1 | R) + 1) << size)}", SPECIAL)
{
	ir_ref base = xsp(t, a->Rn);
	replicate(t, base, a->Rt, COUNT, a->size, a->Q);
	update(t, a->Rn, base, a->Rm, COUNT << a->size);
}

/* clang-format on */
#include "arm64_ldst_struct.decode.inc"
