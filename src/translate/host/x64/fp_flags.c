/*
 * Sticky flags: those of MXCSR, and what was raised elsewhere in cpu->fp_flags. To read MXCSR takes as long as what was computed before it, so it is
 * read only where the guest asks, and written only where it has something to lose.
 */
#include "translate/host/x64/fp.h"

enum { MXCSR = MAP0F | 0xae, STORE = 3, LOAD = 2, MXCSR_FLAGS = 0x3f };

static void read_flags(struct jit *j, u32 v)
{
	x_room(&j->c);
	x_rm(&j->c, MXCSR, STORE, CPU(host_fp));
	unsigned d = def_gpr(j, v), t = temp_gpr(j);
	x_rm(&j->c, X_MOV_LOAD, d, CPU(host_fp));
	x_mov_rr(&j->c, 0, t, d);
	x_alu_ri(&j->c, X_AND, 0, d, 1); /* IE */
	x_shift_ri(&j->c, 5, 0, t, 1); /* ZE OE UE PE follow DE */
	x_alu_ri(&j->c, X_AND, 0, t, 0x1e);
	x_rr(&j->c, X_ALU(X_OR), d, t);
	x_rm(&j->c, X_ALU(X_OR), d, CPU(fp_flags));
	j->val[v].flags |= VF_ZERO_UPPER;
}

static void write_flags(struct jit *j, unsigned r)
{
	x_room(&j->c);
	x_rm(&j->c, MXCSR, STORE, CPU(host_fp));
	x_alu_mi(&j->c, X_AND, 0, CPU(host_fp), ~MXCSR_FLAGS);
	x_rm(&j->c, MXCSR, LOAD, CPU(host_fp));
	x_rm(&j->c, X_MOV_STORE, r, CPU(fp_flags));
}

/* Do the host's flags still say how b and c compare? PF is then whether they do not. */
static bool just_compared(const struct jit *j, const struct ir_insn *in)
{
	const struct ir_insn *was = &j->r->insn[j->compared];
	return j->compared && was->op >= IR_FEQ && was->op <= IR_FUNORD &&
	       ((was->a == in->b && was->b == in->c) || (was->a == in->c && was->b == in->b));
}

static void unraise(struct jit *j, const struct ir_insn *in)
{
	enum ir_type type = j->r->insn[in->b].type;
	unsigned flags = use_gpr(j, in->a);
	if (!just_compared(j, in)) {
		flags_clobber(j);
		unsigned b = fp_operand(j, in->b), c = fp_operand(j, in->c);
		fp_ucomis(j, MAP0F | (type == TY_F64 ? P66 : 0) | 0x2e, type, b, c);
	}
	struct cold *cold = cold_new(j, COLD_UNRAISE, x_jcc(&j->c, XC_P));
	cold->a = flags;
	cold->back = j->c.p;
}

void emit_unraise(struct jit *j, const struct cold *c)
{
	enum { PUSH = 0x6a, POPF = 0x9d, UNORDERED = 0x47 /* CF, PF, ZF */ };
	write_flags(j, c->a);
	x_byte(&j->c, PUSH);
	x_byte(&j->c, UNORDERED);
	x_byte(&j->c, POPF);
	x_patch(x_jmp(&j->c), c->back);
}

void lower_fp_flags(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (in->op == IR_UNRAISE) {
		unraise(j, in);
		return;
	}
	flags_clobber(j);
	if (in->op == IR_FPFLAGS)
		read_flags(j, v);
	else
		write_flags(j, use_gpr(j, in->a));
}
