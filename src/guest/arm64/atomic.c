/*
 * A64: exclusive, ordered and atomic accesses (DDI 0487 C4.1.94): LDXR to STXP, LDAR, STLR, LDAPR, FEAT_LRCPC2, FEAT_LSE.
 *
 * The exclusive monitor compares values: a load-exclusive notes address and value, a store-exclusive is a compare-and-swap with it.
 * LORegions are not kept apart: LDLAR and STLLR are LDAR and STLR, as allowed.
 */
#include "guest/arm64/arm64.h"
#include "arm64_atomic.decode.h"

static ir_ref rmw(struct tr *t, enum ir_rmw op, unsigned size, ir_ref addr, ir_ref v, enum ir_order order)
{
	struct ir_mem mem = ordered(t, size, order);
	mem.rmw = op;
	addr = v_address(t, addr);
	return ir_emit(
	    t->ir, &(struct ir_insn){ .op = IR_RMW, .type = size_type(size), .a = addr, .b = v, .mem = mem });
}

static ir_ref cas(struct tr *t, struct ir_mem mem, ir_ref addr, ir_ref want, ir_ref v)
{
	return ir_emit(
	    t->ir,
	    &(struct ir_insn){
		.op = IR_CAS, .type = mem.type, .a = v_address(t, addr), .b = want, .c = v, .mem = mem });
}

static enum ir_order order_of(unsigned acquire, unsigned release)
{
	return (enum ir_order)((acquire ? ORD_ACQUIRE : 0) | (release ? ORD_RELEASE : 0));
}

/* A register as a value of 1 << size bytes. */
static ir_ref sized(struct tr *t, unsigned size, unsigned n)
{
	return v_trunc(t, size_type(size), x(t, n));
}

static ir_ref pair(struct tr *t, unsigned sf, unsigned n, unsigned m)
{
	return v_op(t, IR_PAIR, sf ? TY_I128 : TY_I64, r(t, sf, n), r(t, sf, m), 0, 0);
}

static ir_ref half(struct tr *t, enum ir_op op, unsigned sf, ir_ref v)
{
	return v_op(t, op, int_type(sf), v, 0, 0, 0);
}

static void load_exclusive(struct tr *t, unsigned size, unsigned rt, unsigned rn, enum ir_order order)
{
	ir_ref addr = xsp(t, rn), v = v_load(t, TY_I64, addr, exclusive(size, order));
	v_set(t, A64_EXCL_ADDR, addr);
	v_set(t, A64_EXCL_LO, v);
	set_x(t, rt, v);
}

static void load_exclusive_pair(struct tr *t, unsigned sf, unsigned rt, unsigned rt2, unsigned rn,
				enum ir_order order)
{
	ir_ref addr = xsp(t, rn), v = v_load(t, sf ? TY_I128 : TY_I64, addr, exclusive(sf ? 4 : 3, order));
	ir_ref low = half(t, IR_LO, sf, v), high = half(t, IR_HI, sf, v);
	v_set(t, A64_EXCL_ADDR, addr);
	v_set(t, A64_EXCL_LO, sf ? low : v);
	if (sf)
		v_set(t, A64_EXCL_HI, high);
	set_x(t, rt, low);
	set_x(t, rt2, high);
}

/* i1: do two values of 1 << size bytes differ? In the widths that hosts compare. */
static ir_ref differ(struct tr *t, unsigned size, ir_ref a, ir_ref b)
{
	if (size < 4)
		return v_cmp(t, IR_NE, v_zext(t, int_type(size == 3), a), v_zext(t, int_type(size == 3), b));
	ir_ref low = v_bin(t, IR_XOR, half(t, IR_LO, 1, a), half(t, IR_LO, 1, b));
	ir_ref high = v_bin(t, IR_XOR, half(t, IR_HI, 1, a), half(t, IR_HI, 1, b));
	return v_cmp(t, IR_NE, v_bin(t, IR_OR, low, high), konst(t, 0));
}

static void store_exclusive(struct tr *t, unsigned size, unsigned rs, unsigned rn, ir_ref v, ir_ref want,
			    enum ir_order order)
{
	u32 same = inner_block(t, false), other = inner_block(t, true), out = inner_block(t, false),
	    status = ir_local(t->ir, TY_I32);
	ir_ref addr = xsp(t, rn);
	v_op(t, IR_BRC, TY_VOID, v_cmp(t, IR_EQ, addr, v_get(t, A64_EXCL_ADDR)), same, other, 1);

	ir_block_start(t->ir, other);
	v_set(t, status, konst32(t, 1));
	v_op(t, IR_BR, TY_VOID, out, 0, 0, 0);

	ir_block_start(t->ir, same);
	ir_ref old = cas(t, exclusive(size, order), addr, want, v);
	v_set(t, status, v_zext(t, TY_I32, differ(t, size, old, want)));
	v_op(t, IR_BR, TY_VOID, out, 0, 0, 0);

	ir_block_start(t->ir, out);
	v_set(t, A64_EXCL_ADDR, konst(t, ~0ull));
	set_x(t, rs, v_get(t, status));
}

static void compare_and_swap_pair(struct tr *t, unsigned sf, unsigned rs, unsigned rt, unsigned rn,
				  enum ir_order order)
{
	ir_ref addr = xsp(t, rn);
	ir_ref old = cas(t, ordered(t, sf ? 4 : 3, order), addr, pair(t, sf, rs, rs + 1),
			 pair(t, sf, rt, rt == 30 ? 31 : rt + 1));
	ir_ref low = half(t, IR_LO, sf, old), high = half(t, IR_HI, sf, old);
	set_x(t, rs, low);
	set_x(t, rs + 1, high);
}

/* clang-format off */

/* Exclusives. */
INSN(stxr, "size:2 001000 0 0 0 Rs:5 o0:1 xxxxx Rn:5 Rt:5", "st{?o0:l}xr{#size:b|h||} {w(Rs)}, {r(size == 3, Rt)}, {mem(Rn, 0)}")
{
	ir_ref want = v_trunc(t, size_type(a->size), v_get(t, A64_EXCL_LO));
	store_exclusive(t, a->size, a->Rs, a->Rn, sized(t, a->size, a->Rt), want, order_of(0, a->o0));
}
INSN(ldxr, "size:2 001000 0 1 0 xxxxx o0:1 xxxxx Rn:5 Rt:5", "ld{?o0:a}xr{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, 0)}")
{
	load_exclusive(t, a->size, a->Rt, a->Rn, order_of(a->o0, 0));
}
INSN(stxp, "1 sf:1 001000 0 0 1 Rs:5 o0:1 Rt2:5 Rn:5 Rt:5", "st{?o0:l}xp {w(Rs)}, {r(sf, Rt)}, {r(sf, Rt2)}, {mem(Rn, 0)}")
{
	ir_ref want = v_get(t, A64_EXCL_LO);
	if (a->sf)
		want = v_op(t, IR_PAIR, TY_I128, want, v_get(t, A64_EXCL_HI), 0, 0);
	store_exclusive(t, a->sf ? 4 : 3, a->Rs, a->Rn, pair(t, a->sf, a->Rt, a->Rt2), want, order_of(0, a->o0));
}
INSN(ldxp, "1 sf:1 001000 0 1 1 xxxxx o0:1 Rt2:5 Rn:5 Rt:5", "ld{?o0:a}xp {r(sf, Rt)}, {r(sf, Rt2)}, {mem(Rn, 0)}")
{
	load_exclusive_pair(t, a->sf, a->Rt, a->Rt2, a->Rn, order_of(a->o0, 0));
}

/* Ordered. */
INSN(stlr, "size:2 001000 1 0 0 xxxxx 1 xxxxx Rn:5 Rt:5", "stlr{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, 0)}")
{
	v_store(t, xsp(t, a->Rn), x(t, a->Rt), ordered(t, a->size, ORD_RELEASE));
}
INSN(ldar, "size:2 001000 1 1 0 xxxxx 1 xxxxx Rn:5 Rt:5", "ldar{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, 0)}")
{
	set_x(t, a->Rt, v_load(t, TY_I64, xsp(t, a->Rn), ordered(t, a->size, ORD_ACQUIRE)));
}
INSN(stllr, "size:2 001000 1 0 0 xxxxx 0 xxxxx Rn:5 Rt:5", "stllr{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, 0)}", LSE)
{
	v_store(t, xsp(t, a->Rn), x(t, a->Rt), ordered(t, a->size, ORD_RELEASE));
}
INSN(ldlar, "size:2 001000 1 1 0 xxxxx 0 xxxxx Rn:5 Rt:5", "ldlar{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, 0)}", LSE)
{
	set_x(t, a->Rt, v_load(t, TY_I64, xsp(t, a->Rn), ordered(t, a->size, ORD_ACQUIRE)));
}
INSN(ldapr, "size:2 111 0 00 1 0 1 11111 1 100 00 Rn:5 Rt:5", "ldapr{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, 0)}", LRCPC)
{
	set_x(t, a->Rt, v_load(t, TY_I64, xsp(t, a->Rn), ordered(t, a->size, ORD_ACQUIRE)));
}
static struct ir_mem unscaled(const struct tr *t, unsigned size, enum ir_order order, i32 disp)
{
	struct ir_mem mem = ordered(t, size, order);
	mem.disp = disp;
	return mem;
}
INSN(stlur, "size:2 011001 00 0 imm:9s 00 Rn:5 Rt:5", "stlur{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, imm)}", LRCPC2)
{
	v_store(t, xsp(t, a->Rn), x(t, a->Rt), unscaled(t, a->size, ORD_RELEASE, a->imm));
}
INSN(ldapur, "size:2 011001 01 0 imm:9s 00 Rn:5 Rt:5", "ldapur{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, imm)}", LRCPC2)
{
	set_x(t, a->Rt, v_load(t, TY_I64, xsp(t, a->Rn), unscaled(t, a->size, ORD_ACQUIRE, a->imm)));
}
INSN(ldapurs, "size:2 011001 1 o:1 0 imm:9s 00 Rn:5 Rt:5", "ldapurs{#size:b|h|w} {r(!o, Rt)}, {mem(Rn, imm)}", LRCPC2, "size + o <= 2")
{
	struct ir_mem mem = unscaled(t, a->size, ORD_ACQUIRE, a->imm);
	mem.sign = 1;
	set_x(t, a->Rt, v_load(t, a->o ? TY_I32 : TY_I64, xsp(t, a->Rn), mem));
}

/* Compare and swap. */
INSN(cas, "size:2 001000 1 A:1 1 Rs:5 R:1 11111 Rn:5 Rt:5", "cas{?A:a}{?R:l}{#size:b|h||} {r(size == 3, Rs)}, {r(size == 3, Rt)}, {mem(Rn, 0)}", LSE)
{
	set_x(t, a->Rs, cas(t, ordered(t, a->size, order_of(a->A, a->R)), xsp(t, a->Rn), sized(t, a->size, a->Rs), sized(t, a->size, a->Rt)));
}
INSN(casp, "0 sf:1 001000 0 A:1 1 Rs:5 R:1 11111 Rn:5 Rt:5",
     "casp{?A:a}{?R:l} {r(sf, Rs)}, {r(sf, Rs + 1)}, {r(sf, Rt)}, {r(sf, Rt + 1)}, {mem(Rn, 0)}", LSE, "!(Rs & 1) && !(Rt & 1)")
{
	compare_and_swap_pair(t, a->sf, a->Rs, a->Rt, a->Rn, order_of(a->A, a->R));
}

/* Atomic memory operations. */
INSN(ldop, "size:2 111 0 00 A:1 R:1 1 Rs:5 0 op:3 00 Rn:5 Rt:5",
     "[Rt == 31 && !A] st{#op:add|clr|eor|set|smax|smin|umax|umin}{?R:l}{#size:b|h||} {r(size == 3, Rs)}, {mem(Rn, 0)}; "
     "ld{#op:add|clr|eor|set|smax|smin|umax|umin}{?A:a}{?R:l}{#size:b|h||} {r(size == 3, Rs)}, {r(size == 3, Rt)}, {mem(Rn, 0)}", LSE)
{
	static const u8 op[8] = { RMW_ADD, RMW_ANDN, RMW_XOR, RMW_OR, RMW_MAXS, RMW_MINS, RMW_MAXU, RMW_MINU };
	set_x(t, a->Rt, rmw(t, (enum ir_rmw)op[a->op], a->size, xsp(t, a->Rn), sized(t, a->size, a->Rs), order_of(a->A, a->R)));
}
INSN(swp, "size:2 111 0 00 A:1 R:1 1 Rs:5 1 000 00 Rn:5 Rt:5", "swp{?A:a}{?R:l}{#size:b|h||} {r(size == 3, Rs)}, {r(size == 3, Rt)}, {mem(Rn, 0)}", LSE)
{
	set_x(t, a->Rt, rmw(t, RMW_XCHG, a->size, xsp(t, a->Rn), sized(t, a->size, a->Rs), order_of(a->A, a->R)));
}
/* clang-format on */
#include "arm64_atomic.decode.inc"
