/*
 * The A64 instructions that the differential compares, each once: X(operand format, assembly, result here).
 * Operands in d0, d1, d2 (and v4 to v6 with 128 bits of them), result in d3, x9 free; here: a, b, c, ctl, fl.
 */
/* clang-format off */
#define W(f, v) ((f) == FP_F16 ? (u16)(v) : (f) == FP_F32 ? (u32)(v) : (u64)(v))
#define BIN(F, r, insn, fn) X(F, insn " " r "3, " r "0, " r "1", fn(F, W(F, a), W(F, b), ctl, fl))
#define MM(F, r, insn, kind) X(F, insn " " r "3, " r "0, " r "1", fp_minmax(F, W(F, a), W(F, b), kind, ctl, fl))
#define FMA(F, r, insn, neg) X(F, insn " " r "3, " r "0, " r "1, " r "2", fp_fma(F, W(F, a), W(F, b), W(F, c), neg, ctl, fl))
#define RND(F, r, insn, mode, exact) X(F, insn " " r "3, " r "0", fp_round_int(F, W(F, a), mode, exact, ctl, fl))
#define TOI(F, r, insn, g, bits, sig, mode) X(F, insn " " g "9, " r "0; fmov d3, x9", (u64)(bits == 32 ? (u32)fp_to_int(F, W(F, a), bits, sig, 0, mode, ctl, fl) : (u64)fp_to_int(F, W(F, a), bits, sig, 0, mode, ctl, fl)))
#define TOIS(F, r, mode, m) \
	TOI(F, r, "fcvt" m "s", "w", 32, true, mode) TOI(F, r, "fcvt" m "s", "x", 64, true, mode) \
	TOI(F, r, "fcvt" m "u", "w", 32, false, mode) TOI(F, r, "fcvt" m "u", "x", 64, false, mode)
#define FIX(F, r, n) \
	X(F, "fcvtzs x9, " r "0, #" #n "; fmov d3, x9", (u64)fp_to_int(F, W(F, a), 64, true, n, FP_TO_ZERO, ctl, fl)) \
	X(F, "scvtf " r "3, x10, #" #n, fp_from_int(F, (i64)a, n, ctl, fl)) X(F, "ucvtf " r "3, x10, #" #n, fp_from_uint(F, a, n, ctl, fl))
#define CMP(F, r, insn, sig) X(F, insn " " r "0, " r "1; mrs x9, nzcv; fmov d3, x9", nzcv(fp_compare(F, W(F, a), W(F, b), sig, ctl, fl)))
#define CVT(F, r, T, t) X(F, "fcvt " t "3, " r "0", fp_convert(T, F, W(F, a), ctl, fl))
#define FIT(F, r, insn, mode, bits) X(F, insn " " r "3, " r "0", fp_round_int_fit(F, W(F, a), mode, bits, ctl, fl))

#define ALL(F, r) \
	BIN(F, r, "fadd", fp_add) BIN(F, r, "fsub", fp_sub) BIN(F, r, "fmul", fp_mul) BIN(F, r, "fdiv", fp_div) \
	BIN(F, r, "fmulx", fp_arm_mulx) BIN(F, r, "frecps", fp_arm_recip_step) BIN(F, r, "frsqrts", fp_arm_rsqrt_step) \
	X(F, "fnmul " r "3, " r "0, " r "1", fp_neg(F, fp_mul(F, W(F, a), W(F, b), ctl, fl), ctl)) \
	X(F, "fsqrt " r "3, " r "0", fp_sqrt(F, W(F, a), ctl, fl)) \
	X(F, "frecpe " r "3, " r "0", fp_arm_recip_estimate(F, W(F, a), false, ctl, fl)) \
	X(F, "frsqrte " r "3, " r "0", fp_arm_rsqrt_estimate(F, W(F, a), false, ctl, fl)) \
	X(F, "frecpx " r "3, " r "0", fp_arm_recip_exponent(F, W(F, a), ctl, fl)) \
	MM(F, r, "fmax", FP_MM_PROPAGATE) MM(F, r, "fmin", FP_MM_PROPAGATE | FP_MM_MIN) \
	MM(F, r, "fmaxnm", FP_MM_NUMBER_2008) MM(F, r, "fminnm", FP_MM_NUMBER_2008 | FP_MM_MIN) \
	FMA(F, r, "fmadd", 0) FMA(F, r, "fmsub", FP_FMA_NEG_PRODUCT) FMA(F, r, "fnmsub", FP_FMA_NEG_ADDEND) \
	FMA(F, r, "fnmadd", FP_FMA_NEG_PRODUCT | FP_FMA_NEG_ADDEND) \
	RND(F, r, "frinta", FP_NEAREST_AWAY, false) RND(F, r, "frinti", FP_ROUND_CTL, false) RND(F, r, "frintm", FP_DOWN, false) \
	RND(F, r, "frintn", FP_NEAREST_EVEN, false) RND(F, r, "frintp", FP_UP, false) RND(F, r, "frintx", FP_ROUND_CTL, true) \
	RND(F, r, "frintz", FP_TO_ZERO, false) \
	TOIS(F, r, FP_NEAREST_EVEN, "n") TOIS(F, r, FP_UP, "p") TOIS(F, r, FP_DOWN, "m") TOIS(F, r, FP_TO_ZERO, "z") TOIS(F, r, FP_NEAREST_AWAY, "a") \
	FIX(F, r, 1) FIX(F, r, 13) FIX(F, r, 64) CMP(F, r, "fcmp", false) CMP(F, r, "fcmpe", true) \
	X(F, "scvtf " r "3, w10", fp_from_int(F, (i32)a, 0, ctl, fl)) X(F, "scvtf " r "3, x10", fp_from_int(F, (i64)a, 0, ctl, fl)) \
	X(F, "ucvtf " r "3, w10", fp_from_uint(F, (u32)a, 0, ctl, fl)) X(F, "ucvtf " r "3, x10", fp_from_uint(F, a, 0, ctl, fl)) \
	X(F, "facge " r "3, " r "0, " r "1", W(F, -(u64)at_least(fp_compare_abs(F, W(F, a), W(F, b), true, ctl, fl))))

#define ARM_OPS \
	ALL(FP_F16, "h") ALL(FP_F32, "s") ALL(FP_F64, "d") \
	CVT(FP_F16, "h", FP_F32, "s") CVT(FP_F16, "h", FP_F64, "d") CVT(FP_F32, "s", FP_F16, "h") CVT(FP_F32, "s", FP_F64, "d") \
	CVT(FP_F64, "d", FP_F16, "h") CVT(FP_F64, "d", FP_F32, "s") \
	X(FP_F64, "fcvtxn s3, d0", fp_convert(FP_F32, FP_F64, a, to_odd(ctl), fl)) \
	X(FP_F32, "bfcvt h3, s0", fp_arm_bfcvt((u32)a, ctl, fl)) \
	FIT(FP_F32, "s", "frint32x", FP_ROUND_CTL, 32) FIT(FP_F32, "s", "frint32z", FP_TO_ZERO, 32) \
	FIT(FP_F32, "s", "frint64x", FP_ROUND_CTL, 64) FIT(FP_F32, "s", "frint64z", FP_TO_ZERO, 64) \
	FIT(FP_F64, "d", "frint32x", FP_ROUND_CTL, 32) FIT(FP_F64, "d", "frint32z", FP_TO_ZERO, 32) \
	FIT(FP_F64, "d", "frint64x", FP_ROUND_CTL, 64) FIT(FP_F64, "d", "frint64z", FP_TO_ZERO, 64) \
	X(FP_F64, "fjcvtzs w9, d0; mrs x10, nzcv; orr x9, x9, x10, lsl #32; fmov d3, x9", js(a, ctl, fl)) \
	X(FP_F32, "urecpe v3.2s, v0.2s", fp_arm_urecpe((u32)a) | (u64)fp_arm_urecpe(a >> 32) << 32) \
	X(FP_F32, "ursqrte v3.2s, v0.2s", fp_arm_ursqrte((u32)a) | (u64)fp_arm_ursqrte(a >> 32) << 32) \
	X(FP_BF16, "fmov d3, d2; bfdot v3.2s, v0.4h, v1.4h", (u64)fp_arm_bfdot(c >> 32, a >> 32, b >> 32, false, ctl) << 32 | fp_arm_bfdot((u32)c, (u32)a, (u32)b, false, ctl)) \
	X(FP_BF16, "fmov d3, d2; bfmlalb v3.4s, v0.8h, v1.8h", (u64)fp_arm_bfmlal(c >> 32, a >> 32, b >> 32, ctl, fl) << 32 | fp_arm_bfmlal((u32)c, (u16)a, (u16)b, ctl, fl)) \
	X(FP_F16, "fmov d3, d2; fmlal v3.2s, v0.2h, v1.2h", \
		fp_fma_widen(FP_F16, FP_F32, (u16)a, (u16)b, (u32)c, 0, ctl, fl) | fp_fma_widen(FP_F16, FP_F32, a >> 16 & 0xffff, b >> 16 & 0xffff, c >> 32, 0, ctl, fl) << 32) \
	X(FP_F16, "fmov d3, d2; fmlsl v3.2s, v0.2h, v1.2h", \
		fp_fma_widen(FP_F16, FP_F32, (u16)a, (u16)b, (u32)c, FP_FMA_NEG_PRODUCT, ctl, fl) | fp_fma_widen(FP_F16, FP_F32, a >> 16 & 0xffff, b >> 16 & 0xffff, c >> 32, FP_FMA_NEG_PRODUCT, ctl, fl) << 32)
/* clang-format on */
