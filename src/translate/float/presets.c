/* The floating-point rules of each guest after reset. README.md says where each comes from. */
#include "translate/float/float.h"

const struct fp_ctl fp_arm = {
	.sticky = FP_IEEE_FLAGS | FP_INPUT_FLUSHED,
	.nan_rule = FP_NAN_AB | FP_NAN_SIGNALLING_FIRST,
	.nan_rule3 = FP_NAN_CAB | FP_NAN_SIGNALLING_FIRST,
	.inf_zero_nan = FP_IZN_DEFAULT,
	.int_rule = FP_INT_NAN_ZERO,
	.flush_before_rounding = true,
	.tiny_before_rounding = true,
	.neg_nan = true,
};
const struct fp_ctl fp_arm_ah = {
	.sticky = FP_IEEE_FLAGS | FP_INPUT_DENORMAL,
	.nan_rule = FP_NAN_AB,
	.nan_rule3 = FP_NAN_ABC,
	.inf_zero_nan = FP_IZN_SILENT,
	.int_rule = FP_INT_NAN_ZERO,
	.nan_negative = true,
	.ah = true,
};
const struct fp_ctl fp_x86 = {
	.sticky = FP_IEEE_FLAGS | FP_INPUT_DENORMAL,
	.nan_rule = FP_NAN_AB,
	.nan_rule3 = FP_NAN_ABC,
	.inf_zero_nan = FP_IZN_SILENT,
	.int_rule = FP_INT_INDEFINITE,
	.nan_negative = true,
};
const struct fp_ctl fp_x87 = {
	.sticky = FP_IEEE_FLAGS | FP_INPUT_DENORMAL | FP_ROUNDED_UP, /* the last for C1: cleared before each operation */
	.nan_rule = FP_NAN_LARGER,
	.nan_rule3 = FP_NAN_ABC, /* it has no fused multiply-add */
	.inf_zero_nan = FP_IZN_SILENT,
	.int_rule = FP_INT_INDEFINITE,
	.nan_negative = true,
};
const struct fp_ctl fp_riscv = {
	.nan_rule = FP_NAN_AB,
	.nan_rule3 = FP_NAN_ABC,
	.inf_zero_nan = FP_IZN_INVALID,
	.int_rule = FP_INT_NAN_MAX,
	.default_nan = true,
};
const struct fp_ctl fp_ppc = {
	.sticky = FP_IEEE_FLAGS | FP_INVALID_CAUSES | FP_ROUNDED_UP, /* the last for FR: cleared before each operation */
	.nan_rule = FP_NAN_AB,
	.nan_rule3 = FP_NAN_ACB,
	.inf_zero_nan = FP_IZN_INVALID,
	.int_rule = FP_INT_NAN_MIN,
	.tiny_before_rounding = true,
};
const struct fp_ctl fp_mips_legacy = {
	.nan_rule = FP_NAN_AB | FP_NAN_SIGNALLING_FIRST,
	.nan_rule3 = FP_NAN_ABC | FP_NAN_SIGNALLING_FIRST,
	.inf_zero_nan = FP_IZN_DEFAULT,
	.quiet = FP_QUIET_DEFAULT,
	.nan_shape = FP_SHAPE_REST,
	.int_rule = FP_INT_MAX,
	.default_nan = true,
	.snan_bit_set = true,
};
const struct fp_ctl fp_mips_2008 = {
	.nan_rule = FP_NAN_AB | FP_NAN_SIGNALLING_FIRST,
	.nan_rule3 = FP_NAN_CAB | FP_NAN_SIGNALLING_FIRST,
	.inf_zero_nan = FP_IZN_INVALID,
	.int_rule = FP_INT_NAN_ZERO,
};
const struct fp_ctl fp_sparc = {
	.nan_rule = FP_NAN_BA | FP_NAN_SIGNALLING_FIRST,
	.nan_rule3 = FP_NAN_CBA | FP_NAN_SIGNALLING_FIRST,
	.inf_zero_nan = FP_IZN_INVALID,
	.nan_shape = FP_SHAPE_ONES,
	.int_rule = FP_INT_NAN_SIGN,
	.tiny_before_rounding = true,
};
const struct fp_ctl fp_s390x = {
	.nan_rule = FP_NAN_AB | FP_NAN_SIGNALLING_FIRST,
	.nan_rule3 = FP_NAN_ABC | FP_NAN_SIGNALLING_FIRST,
	.inf_zero_nan = FP_IZN_DEFAULT,
	.int_rule = FP_INT_NAN_MIN_INEXACT,
	.tiny_before_rounding = true,
};
const struct fp_ctl fp_sh4 = {
	.nan_rule = FP_NAN_AB,
	.nan_rule3 = FP_NAN_ABC,
	.inf_zero_nan = FP_IZN_INVALID,
	.quiet = FP_QUIET_DEFAULT,
	.nan_shape = FP_SHAPE_REST,
	.int_rule = FP_INT_NAN_MIN,
	.default_nan = true,
	.snan_bit_set = true,
};
const struct fp_ctl fp_m68k = {
	.nan_rule = FP_NAN_AB, /* a: the destination */
	.nan_rule3 = FP_NAN_ABC,
	.inf_zero_nan = FP_IZN_INVALID,
	.nan_shape = FP_SHAPE_ONES,
	.int_rule = FP_INT_NAN_MAX,
	.tiny_before_rounding = true,
	.f80_m68k = true,
};
const struct fp_ctl fp_hppa = {
	.nan_rule = FP_NAN_AB | FP_NAN_SIGNALLING_FIRST,
	.nan_rule3 = FP_NAN_ABC | FP_NAN_SIGNALLING_FIRST,
	.inf_zero_nan = FP_IZN_INVALID,
	.quiet = FP_QUIET_NEXT,
	.nan_shape = FP_SHAPE_SECOND,
	.int_rule = FP_INT_NAN_MAX,
	.snan_bit_set = true,
	.tiny_before_rounding = true,
};
const struct fp_ctl fp_alpha = {
	.nan_rule = FP_NAN_BA,
	.nan_rule3 = FP_NAN_ABC,
	.inf_zero_nan = FP_IZN_INVALID,
	.int_rule = FP_INT_WRAP,
	.nan_negative = true,
};
const struct fp_ctl fp_loongarch = {
	.nan_rule = FP_NAN_AB | FP_NAN_SIGNALLING_FIRST,
	.nan_rule3 = FP_NAN_CAB | FP_NAN_SIGNALLING_FIRST,
	.inf_zero_nan = FP_IZN_INVALID,
	.int_rule = FP_INT_NAN_ZERO,
};
