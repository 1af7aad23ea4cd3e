/* Floating point: on the host's, with checks where its answer may not be the guest's. */
#include "translate/host/x64/jit.h"

bool lower_fp(struct jit *j, const struct ir_insn *in, u32 v)
{
	return false;
}
