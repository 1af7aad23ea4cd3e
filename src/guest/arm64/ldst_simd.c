/*
 * A64: loads and stores of SIMD and floating-point registers.
 * Manual: Arm A-profile architecture, C4.1 "Load register (literal)", "Load/store register ...", "Load/store register pair ...", V = 1.
 */
#include "guest/arm64/simd.h"
#include "arm64_ldst_simd.decode.h"

/* What a register of 1 << size bytes is moved as: types that a host loads into a vector register without a detour. */
static enum ir_type move_type(unsigned size)
{
	static const u8 type[5] = { TY_I8, TY_I16, TY_F32, TY_F64, TY_V128 };
	return type[size];
}

static ir_ref load(struct tr *t, ir_ref addr, i32 disp, unsigned size)
{
	return v_load(t, move_type(size), addr, plain(move_type(size), disp));
}

static void put(struct tr *t, unsigned reg, ir_ref v, unsigned size)
{
	v_set(t, A64_V0 + reg, size == 4 ? v : v_op(t, IR_VZEXT, TY_V128, v, 0, 0, 0));
}

static void store(struct tr *t, ir_ref addr, i32 disp, unsigned size, unsigned reg)
{
	ir_ref v = simd_get(t, reg);
	if (size < 4)
		v = v_op(t, IR_VTRUNC, move_type(size), v, 0, 0, 0);
	v_store(t, addr, v, plain(move_type(size), disp));
}

/* The register's size: Q when the high bit of opc is set. */
#define SIZE (a->q ? 4u : (unsigned)a->size)

static void move(struct tr *t, bool is_load, ir_ref addr, i32 disp, unsigned size, unsigned reg)
{
	if (is_load)
		put(t, reg, load(t, addr, disp, size), size);
	else
		store(t, addr, disp, size, reg);
}

/* Pre- and post-index: the access at disp, then the base register changes by step. */
static void move_update(struct tr *t, bool is_load, unsigned rn, i32 disp, i32 step, unsigned size,
			unsigned reg)
{
	ir_ref base = xsp(t, rn);
	ir_ref next = v_addi(t, base, step);
	move(t, is_load, base, disp, size, reg);
	set_xsp(t, rn, next);
}

static void pair(struct tr *t, bool is_load, unsigned rn, i32 disp, i32 step, unsigned size, unsigned rt,
		 unsigned rt2)
{
	ir_ref base = xsp(t, rn);
	ir_ref next = v_addi(t, base, step);
	if (is_load) {
		ir_ref first = load(t, base, disp, size), second = load(t, base, disp + (1 << size), size);
		put(t, rt, first, size);
		put(t, rt2, second, size);
	} else {
		store(t, base, disp, size, rt);
		store(t, base, disp + (1 << size), size, rt2);
	}
	if (step)
		set_xsp(t, rn, next);
}
#define PAIR_SIZE (2u + a->opc)
#define PAIR_OFFSET (a->imm * (1 << PAIR_SIZE))
#define PAIR(disp, step) pair(t, a->L, a->Rn, disp, step, PAIR_SIZE, a->Rt, a->Rt2)

/* clang-format off */

INSN(ldr_lit_f, "opc:2 011 1 00 imm:19s Rt:5", "ldr {f(Rt, 2 + opc)}, {label((i64)imm * 4)}", "opc != 3")
{
	put(t, a->Rt, load(t, konst(t, t->pc + (u64)((i64)a->imm * 4)), 0, 2u + a->opc), 2u + a->opc);
}

INSN(ldur_f, "size:2 111 1 00 q:1 L:1 0 imm:9s 00 Rn:5 Rt:5", "{#L:st|ld}ur {f(Rt, q ? 4 : size)}, {mem(Rn, imm)}", "!q || !size") { move(t, a->L, xsp(t, a->Rn), a->imm, SIZE, a->Rt); }
INSN(ldr_post_f, "size:2 111 1 00 q:1 L:1 0 imm:9s 01 Rn:5 Rt:5", "{#L:st|ld}r {f(Rt, q ? 4 : size)}, {post(Rn, imm)}", "!q || !size") { move_update(t, a->L, a->Rn, 0, a->imm, SIZE, a->Rt); }
INSN(ldr_pre_f, "size:2 111 1 00 q:1 L:1 0 imm:9s 11 Rn:5 Rt:5", "{#L:st|ld}r {f(Rt, q ? 4 : size)}, {pre(Rn, imm)}", "!q || !size") { move_update(t, a->L, a->Rn, a->imm, a->imm, SIZE, a->Rt); }
INSN(ldr_reg_f, "size:2 111 1 00 q:1 L:1 1 Rm:5 option=x1x S:1 10 Rn:5 Rt:5", "{#L:st|ld}r {f(Rt, q ? 4 : size)}, {index(Rn, Rm, option, S, q ? 4 : size)}", "!q || !size")
{
	ir_ref addr = v_bin(t, IR_ADD, xsp(t, a->Rn), extend_reg(t, a->Rm, a->option, a->S ? SIZE : 0));
	move(t, a->L, addr, 0, SIZE, a->Rt);
}
INSN(ldr_imm_f, "size:2 111 1 01 q:1 L:1 imm:12 Rn:5 Rt:5", "{#L:st|ld}r {f(Rt, q ? 4 : size)}, {mem(Rn, imm << (q ? 4 : size))}", "!q || !size") { move(t, a->L, xsp(t, a->Rn), a->imm << SIZE, SIZE, a->Rt); }

INSN(ldnp_f, "opc:2 101 1 000 L:1 imm:7s Rt2:5 Rn:5 Rt:5", "{#L:st|ld}np {s2(Rt, Rt2, 2 + opc)}, {mem(Rn, imm * (4 << opc))}", "opc != 3") { PAIR(PAIR_OFFSET, 0); }
INSN(ldp_post_f, "opc:2 101 1 001 L:1 imm:7s Rt2:5 Rn:5 Rt:5", "{#L:st|ld}p {s2(Rt, Rt2, 2 + opc)}, {post(Rn, imm * (4 << opc))}", "opc != 3") { PAIR(0, PAIR_OFFSET); }
INSN(ldp_f, "opc:2 101 1 010 L:1 imm:7s Rt2:5 Rn:5 Rt:5", "{#L:st|ld}p {s2(Rt, Rt2, 2 + opc)}, {mem(Rn, imm * (4 << opc))}", "opc != 3") { PAIR(PAIR_OFFSET, 0); }
INSN(ldp_pre_f, "opc:2 101 1 011 L:1 imm:7s Rt2:5 Rn:5 Rt:5", "{#L:st|ld}p {s2(Rt, Rt2, 2 + opc)}, {pre(Rn, imm * (4 << opc))}", "opc != 3") { PAIR(PAIR_OFFSET, PAIR_OFFSET); }

/* clang-format on */
#include "arm64_ldst_simd.decode.inc"
