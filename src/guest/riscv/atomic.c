/*
 * RISC-V: load-reserved, store-conditional, atomic memory operations, compare and swap.
 * Manual: volume I, chapters "A" and "Zacas".
 *
 * The reservation compares values: LR notes address and value, SC is a compare-and-swap with it.
 */
#include "guest/riscv/riscv.h"
#include "riscv_atomic.decode.h"

static void load_reserved(struct tr *t, unsigned size, unsigned rd, unsigned rs1, unsigned aq, unsigned rl)
{
	struct ir_mem mem = ordered(size, aq | rl, 0);
	ir_ref addr = x(t, rs1), v = v_load(t, size_type(size), addr, mem);
	v_set(t, RV_EXCL_ADDR, wide(t, addr));
	v_set(t, RV_EXCL_VAL, wide(t, v));
	set_x(t, rd, v);
}

static ir_ref compare_and_swap(struct tr *t, unsigned size, ir_ref addr, ir_ref want, ir_ref v,
			       struct ir_mem mem)
{
	return ir_emit(t->ir,
		       &(struct ir_insn){
			   .op = IR_CAS, .type = size_type(size), .a = addr, .b = want, .c = v, .mem = mem });
}

static ir_ref sized(struct tr *t, unsigned size, unsigned n)
{
	return v_trunc(t, size_type(size), x(t, n));
}

/* A misaligned address never has the reservation: no LR there succeeds. */
static void store_conditional(struct tr *t, unsigned size, unsigned rd, unsigned rs1, unsigned rs2,
			      unsigned aq, unsigned rl)
{
	u32 same = inner_block(t, false), other = inner_block(t, true), out = inner_block(t, false),
	    status = ir_local(t->ir, TY_I32);
	ir_ref addr = x(t, rs1);
	v_op(t, IR_BRC, TY_VOID, v_cmp(t, IR_EQ, wide(t, addr), v_get(t, RV_EXCL_ADDR)), same, other, 1);

	ir_block_start(t->ir, other);
	v_set(t, status, konst32(t, 1));
	v_op(t, IR_BR, TY_VOID, out, 0, 0, 0);

	ir_block_start(t->ir, same);
	ir_ref want = v_trunc(t, size_type(size), v_get(t, RV_EXCL_VAL));
	ir_ref old = compare_and_swap(t, size, x(t, rs1), want, sized(t, size, rs2), ordered(size, aq, rl));
	v_set(t, status, v_zext(t, TY_I32, v_cmp(t, IR_NE, old, want)));
	v_op(t, IR_BR, TY_VOID, out, 0, 0, 0);

	ir_block_start(t->ir, out);
	v_set(t, RV_EXCL_ADDR, konst64(t, ~0ull));
	set_x(t, rd, v_get(t, status));
}

static void amo(struct tr *t, enum ir_rmw op, unsigned size, unsigned rd, unsigned rs1, unsigned rs2,
		unsigned aq, unsigned rl)
{
	struct ir_mem mem = ordered(size, aq, rl);
	mem.rmw = op;
	ir_ref addr = x(t, rs1), v = sized(t, size, rs2);
	set_x(t, rd,
	      ir_emit(t->ir, &(struct ir_insn){
				 .op = IR_RMW, .type = size_type(size), .a = addr, .b = v, .mem = mem }));
}

/* A pair of registers as one value of twice the width; the pair of x0 is 0. */
static ir_ref pair(struct tr *t, unsigned n)
{
	return v_op(t, IR_PAIR, is_rv64(t) ? TY_I128 : TY_I64, x(t, n), x(t, n ? n + 1 : 0), 0, 0);
}

static void cas_pair(struct tr *t, unsigned size, unsigned rd, unsigned rs1, unsigned rs2, unsigned aq,
		     unsigned rl)
{
	ir_ref old = compare_and_swap(t, size, x(t, rs1), pair(t, rd), pair(t, rs2), ordered(size, aq, rl));
	if (!rd)
		return;
	ir_ref low = v_op(t, IR_LO, XT(t), old, 0, 0, 0), high = v_op(t, IR_HI, XT(t), old, 0, 0, 0);
	set_x(t, rd, low);
	set_x(t, rd + 1, high);
}

#define ARGS a->rd, a->rs1, a->rs2, (unsigned)a->aq, (unsigned)a->rl
#define SIZE (unsigned)(a->size + 2)

/* clang-format off */
INSN(lr, "00010 aq:1 rl:1 00000 rs1:5 01 size:1 rd:5 0101111", "lr.{#size:w|d}{aqrl(aq, rl)} {x(rd)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { load_reserved(t, SIZE, a->rd, a->rs1, (unsigned)a->aq, (unsigned)a->rl); }
INSN(sc, "00011 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "sc.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { store_conditional(t, SIZE, ARGS); }
INSN(amoswap, "00001 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "amoswap.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { amo(t, RMW_XCHG, SIZE, ARGS); }
INSN(amoadd,  "00000 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "amoadd.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { amo(t, RMW_ADD, SIZE, ARGS); }
INSN(amoxor,  "00100 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "amoxor.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { amo(t, RMW_XOR, SIZE, ARGS); }
INSN(amoand,  "01100 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "amoand.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { amo(t, RMW_AND, SIZE, ARGS); }
INSN(amoor,   "01000 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "amoor.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { amo(t, RMW_OR, SIZE, ARGS); }
INSN(amomin,  "10000 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "amomin.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { amo(t, RMW_MINS, SIZE, ARGS); }
INSN(amomax,  "10100 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "amomax.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { amo(t, RMW_MAXS, SIZE, ARGS); }
INSN(amominu, "11000 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "amominu.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { amo(t, RMW_MINU, SIZE, ARGS); }
INSN(amomaxu, "11100 aq:1 rl:1 rs2:5 rs1:5 01 size:1 rd:5 0101111", "amomaxu.{#size:w|d}{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", A, "!size || INSN_HAS(t, RV64)") { amo(t, RMW_MAXU, SIZE, ARGS); }

/* Zacas: rd holds the value compared with and gets the old one. */
INSN(amocas_w, "00101 aq:1 rl:1 rs2:5 rs1:5 010 rd:5 0101111", "amocas.w{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", ZACAS)
{
	set_x(t, a->rd, compare_and_swap(t, SIZE_W, x(t, a->rs1), w(t, a->rd), w(t, a->rs2), ordered(SIZE_W, (unsigned)a->aq, (unsigned)a->rl)));
}
INSN(amocas_d, "00101 aq:1 rl:1 rs2:5 rs1:5 011 rd:5 0101111", "amocas.d{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", ZACAS, "INSN_HAS(t, RV64) || !((rd | rs2) & 1)")
{
	if (is_rv64(t))
		set_x(t, a->rd, compare_and_swap(t, SIZE_D, x(t, a->rs1), x(t, a->rd), x(t, a->rs2), ordered(SIZE_D, (unsigned)a->aq, (unsigned)a->rl)));
	else
		cas_pair(t, SIZE_D, ARGS);
}
INSN(amocas_q, "00101 aq:1 rl:1 rs2:5 rs1:5 100 rd:5 0101111", "amocas.q{aqrl(aq, rl)} {x(rd)},{x(rs2)},({x(rs1)})", ZACAS, RV64, "!((rd | rs2) & 1)") { cas_pair(t, SIZE_Q, ARGS); }
/* clang-format on */
#include "riscv_atomic.decode.inc"
