/* arm64 front end: formatters of the floating-point and Advanced SIMD groups, in the GNU assembler's notation. */
#include "guest/arm64/simd.h"

/* Registers of one arrangement, one size. */
void arm64_text_v2(struct text *o, unsigned d, unsigned n, unsigned size, unsigned q)
{
	arm64_text_v(o, d, size, q);
	text_put(o, ", ");
	arm64_text_v(o, n, size, q);
}

void arm64_text_v3(struct text *o, unsigned d, unsigned n, unsigned m, unsigned size, unsigned q)
{
	arm64_text_v2(o, d, n, size, q);
	text_put(o, ", ");
	arm64_text_v(o, m, size, q);
}

void arm64_text_s2(struct text *o, unsigned d, unsigned n, unsigned size)
{
	arm64_text_f(o, d, size);
	text_put(o, ", ");
	arm64_text_f(o, n, size);
}

void arm64_text_s3(struct text *o, unsigned d, unsigned n, unsigned m, unsigned size)
{
	arm64_text_s2(o, d, n, size);
	text_put(o, ", ");
	arm64_text_f(o, m, size);
}

/* Half an arrangement: v1.2h, v1.4h. */
void arm64_text_vh(struct text *o, unsigned n, unsigned size, unsigned q)
{
	text_fmt(o, "v%u.%u%c", n, (q ? 8u : 4u) >> size, "bhsdq"[size]);
}

/* The operand of by-element instructions. */
void arm64_text_element(struct text *o, unsigned size, unsigned L, unsigned M, unsigned Rm, unsigned H)
{
	if (size == 1)
		arm64_text_elem(o, Rm, 1, H << 2 | L << 1 | M);
	else
		arm64_text_elem(o, M << 4 | Rm, size, size == 2 ? H << 1 | L : H);
}

void arm64_text_quad(struct text *o, unsigned n, unsigned index)
{
	text_fmt(o, "v%u.4b[%u]", n, index);
}

void arm64_text_twin(struct text *o, unsigned n, unsigned index)
{
	text_fmt(o, "v%u.2h[%u]", n, index);
}

/* Shifts by immediate. */
void arm64_text_vi(struct text *o, unsigned d, unsigned n, unsigned imm, unsigned q)
{
	arm64_text_v2(o, d, n, simd_shift_size(imm), q);
}

void arm64_text_si(struct text *o, unsigned d, unsigned n, unsigned imm)
{
	arm64_text_s2(o, d, n, simd_shift_size(imm));
}

/* Narrowing. */
void arm64_text_vin(struct text *o, unsigned d, unsigned n, unsigned imm, unsigned q)
{
	arm64_text_v(o, d, simd_shift_size(imm), q);
	text_put(o, ", ");
	arm64_text_v(o, n, simd_shift_size(imm) + 1, 1);
}

void arm64_text_sin(struct text *o, unsigned d, unsigned n, unsigned imm)
{
	arm64_text_f(o, d, simd_shift_size(imm));
	text_put(o, ", ");
	arm64_text_f(o, n, simd_shift_size(imm) + 1);
}

/* Widening. */
void arm64_text_viw(struct text *o, unsigned d, unsigned n, unsigned imm, unsigned q)
{
	arm64_text_v(o, d, simd_shift_size(imm) + 1, 1);
	text_put(o, ", ");
	arm64_text_v(o, n, simd_shift_size(imm), q);
}

void arm64_text_right(struct text *o, unsigned imm)
{
	text_fmt(o, "%u", simd_shift_right(imm));
}

void arm64_text_left(struct text *o, unsigned imm)
{
	text_fmt(o, "%u", simd_shift_left(imm));
}

/* Of a modified immediate, in bytes. */
void arm64_text_lslimm(struct text *o, unsigned bytes)
{
	if (bytes)
		text_fmt(o, ", lsl #%u", 8 * bytes);
}

void arm64_text_fpimm(struct text *o, unsigned imm)
{
	u64 bits = fp_expand_imm(imm, TY_F64);
	double value;
	memcpy(&value, &bits, sizeof(value));
	text_fmt(o, "#%.18e", value);
}

/* {v1.16b}, {v1.16b-v3.16b}; numbers wrap after 31. */
void arm64_text_list(struct text *o, unsigned n, unsigned count, unsigned size, unsigned q)
{
	unsigned last = (n + count - 1) & 31;
	text_put(o, "{");
	arm64_text_v(o, n, size, q);
	if (count == 2 || (count > 2 && last < n)) {
		for (unsigned i = 1; i < count; i++) {
			text_put(o, ", ");
			arm64_text_v(o, (n + i) & 31, size, q);
		}
	} else if (count > 2) {
		text_put(o, "-");
		arm64_text_v(o, last, size, q);
	}
	text_put(o, "}");
}

/* {v1.b-v3.b}[4] */
void arm64_text_elements(struct text *o, unsigned n, unsigned count, unsigned size, unsigned index)
{
	char lane = "bhsd"[size];
	unsigned last = (n + count - 1) & 31;
	text_fmt(o, "{v%u.%c", n, lane);
	if (count == 2 || (count > 2 && last < n)) {
		for (unsigned i = 1; i < count; i++)
			text_fmt(o, ", v%u.%c", (n + i) & 31, lane);
	} else if (count > 2)
		text_fmt(o, "-v%u.%c", last, lane);
	text_fmt(o, "}[%u]", index);
}

/* Floating-point registers by ftype: 0 single, 1 double, 3 half. */
void arm64_text_t(struct text *o, unsigned n, unsigned ftype)
{
	text_fmt(o, "%c%u", "sd?h"[ftype], n);
}

void arm64_text_t2(struct text *o, unsigned d, unsigned n, unsigned ftype)
{
	arm64_text_t(o, d, ftype);
	text_put(o, ", ");
	arm64_text_t(o, n, ftype);
}

void arm64_text_t3(struct text *o, unsigned d, unsigned n, unsigned m, unsigned ftype)
{
	arm64_text_t2(o, d, n, ftype);
	text_put(o, ", ");
	arm64_text_t(o, m, ftype);
}

/* [x1], #16; [x1], x2 */
void arm64_text_postreg(struct text *o, unsigned n, unsigned m, unsigned bytes)
{
	if (m == 31) {
		arm64_text_post(o, n, bytes);
		return;
	}
	arm64_text_mem(o, n, 0);
	text_put(o, ", ");
	arm64_text_x(o, m);
}
