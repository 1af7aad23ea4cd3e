/* Which functions are worth being taken in where they are called (former.c). */
#include "translate/engine/priv.h"

enum { SMALL = 32 /* instructions up to the first return */ };

enum step { GOES_ON, RETURNS, REFUSED };

/* Translates one instruction, for what it does alone. */
static enum step step(struct tr *t)
{
	ir_reset(t->ir);
	ir_block_start(t->ir, 0);
	t->len = 0;
	if (t->guest->insn(t) != INSN_OK || !t->len)
		return REFUSED;
	switch (t->ir->insn[t->ir->n_insn - 1].op) {
	case IR_RETURN:
		return RETURNS;
	case IR_GOSUB: /* what it calls does not come back into the region */
	case IR_GOSUBI:
	case IR_JUMPI:
	case IR_RAISE:
		return REFUSED;
	}
	return GOES_ON;
}

bool call_is_small(struct priv *p, u64 pc)
{
	struct tr t = peek_begin(p, pc);
	u32 code;
	t.code = code_at(p, pc, &t.avail, &code);
	t.avail = MIN(t.avail, BIT(PAGE_BITS) - (u32)(pc & BITS(PAGE_BITS)));
	for (unsigned i = 0; t.code && i < SMALL && t.avail >= t.guest->insn_max; i++) {
		enum step s = step(&t);
		if (s != GOES_ON)
			return s == RETURNS;
		t.pc += t.len;
		t.code += t.len;
		t.avail -= t.len;
	}
	return false;
}
