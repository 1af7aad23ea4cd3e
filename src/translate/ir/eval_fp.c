/* Floating point: the operations from FADD to BFMLAL, and FLFCMP. */
#include "translate/ir/eval.h"

bool ir_eval_fp(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		const union ir_val *b, const union ir_val *c, union ir_val *ret, u32 *fp_flags)
{
	return false;
}
