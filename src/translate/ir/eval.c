/*
 * ir_eval: what each operation without effects means. One part a section of ops.h: eval_int.c (up to SELECT), eval_flags.c (up to COND),
 * eval_vec.c (up to MMLAUS), eval_fp.c (FADD to BFMLAL, and FLFCMP), eval_crypto.c (the rest).
 *
 * Vectors longer than 16 bytes: operations that speak of lanes or halves mean those of the whole vector. SHUFFLE, TBL, the matrix
 * products (MMLA*) and cryptography work on each 16 bytes alone.
 */
#include "translate/ir/eval.h"
#include <stdio.h>

void ir_eval(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
	     const union ir_val *b, const union ir_val *c, union ir_val *ret, u32 *fp_flags)
{
	if (in->op <= IR_SELECT)
		ir_eval_int(r, in, a, b, c, ret);
	else if (in->op <= IR_COND && in->op != IR_FLFCMP)
		ir_eval_flags(r, in, a, b, c, ret);
	else if (in->op <= IR_MMLAUS && in->op >= IR_DUP)
		ir_eval_vec(r, in, a, b, c, ret);
	else if (in->op >= IR_CLMUL)
		ir_eval_crypto(r, in, a, b, c, ret);
	else if (!ir_eval_fp(r, in, a, b, c, ret, fp_flags)) {
		fprintf(stderr, "rhea: operation %s has no value\n", ir_op_info[in->op].name);
		abort(); /* memory, slots, control: the caller's mistake */
	}
}
