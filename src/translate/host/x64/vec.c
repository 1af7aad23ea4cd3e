/* Vectors: on AVX2. */
#include "translate/host/x64/jit.h"

bool lower_vec(struct jit *j, const struct ir_insn *in, u32 v)
{
	return false;
}
