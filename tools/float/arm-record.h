/* What arm-guest writes and arm-check reads. */
#pragma once
#include "base/base.h"

struct arm_record {
	u32 op, fpcr, fpsr, pad;
	u64 a, b, c, result;
};
