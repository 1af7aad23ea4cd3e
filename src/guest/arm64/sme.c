/* arm64 front end: SME: tiles and slices of ZA. */
#include "guest/arm64/sve.h"

ir_ref sme_slice(struct tr *t, unsigned rs, unsigned field, unsigned size)
{
	unsigned offset = field & (sve_elements(size) - 1);
	ir_ref n = v_addi(t, w(t, 12 + rs), offset);
	return v_bin(t, IR_AND, n, konst32(t, sve_elements(size) - 1));
}

/* The array's number of a horizontal slice. */
static ir_ref row_of(struct tr *t, unsigned tile, ir_ref slice, unsigned size)
{
	ir_ref row = size ? v_bin(t, IR_SHL, slice, konst32(t, size)) : slice;
	return v_addi(t, row, tile);
}

/* 0xff in the bytes of element number `slice` (i32), which is not a constant. */
static ir_ref column_mask(struct tr *t, ir_ref slice, unsigned size)
{
	u8 element[16];
	for (unsigned i = 0; i < 16; i++)
		element[i] = i >> size;
	return simd_op2(t, IR_VEQ, TY_I8, v_lanes(t, IR_DUP, TY_I8, slice, 0, 0, 0), v_const128(t, element));
}

/* The elements of a column side by side: row i gives its bytes by a table in which all other places are out of range. */
static ir_ref column(struct tr *t, unsigned tile, ir_ref slice, unsigned size)
{
	ir_ref first = v_lanes(t, IR_DUP, TY_I8, v_bin(t, IR_SHL, slice, konst32(t, size)), 0, 0, 0),
	       r = IR_NONE;
	for (unsigned i = 0; i < sve_elements(size); i++) {
		u8 byte[16];
		for (unsigned k = 0; k < 16; k++)
			byte[k] = k >> size == i ? k & BITS(size) : 0x80;
		ir_ref from = simd_or(t, first, v_const128(t, byte));
		ir_ref part = v_op(t, IR_TBL, TY_V128, v_get(t, SME_ROW(tile, size, i)), from, 0, 0);
		r = r ? simd_or(t, r, part) : part;
	}
	return r;
}

ir_ref sme_get_slice(struct tr *t, bool vertical, unsigned tile, ir_ref slice, unsigned size)
{
	if (vertical)
		return column(t, tile, slice, size);
	return v_op(t, IR_GETX, TY_V128, row_of(t, tile, slice, size), 0, 0, A64_ZA);
}

static void set_column(struct tr *t, unsigned tile, ir_ref slice, unsigned size, ir_ref mask, ir_ref v)
{
	ir_ref in_column = column_mask(t, slice, size);
	for (unsigned i = 0; i < sve_elements(size); i++) {
		unsigned row = SME_ROW(tile, size, i);
		ir_ref where =
		    mask ? simd_and(t, in_column, simd_dup(t, mask, size, i, SVE_BYTES)) : in_column;
		v_set(t, row, sve_select(t, where, simd_dup(t, v, size, i, SVE_BYTES), v_get(t, row)));
	}
}

void sme_set_slice(struct tr *t, bool vertical, unsigned tile, ir_ref slice, unsigned size, ir_ref mask,
		   ir_ref v)
{
	if (vertical) {
		set_column(t, tile, slice, size, mask, v);
		return;
	}
	ir_ref row = row_of(t, tile, slice, size);
	if (mask)
		v = sve_select(t, mask, v, v_op(t, IR_GETX, TY_V128, row, 0, 0, A64_ZA));
	v_op(t, IR_SETX, TY_VOID, row, v, 0, A64_ZA);
}

/* ---- text ---- */
void arm64_text_tile(struct text *o, unsigned tile, unsigned size)
{
	text_fmt(o, "za%u.%c", tile, "bhsdq"[size]);
}

void arm64_text_slice(struct text *o, unsigned vertical, unsigned rs, unsigned field, unsigned size)
{
	text_fmt(o, "za%u%c.%c[w%u, %u]", SME_TILE(field, size), "hv"[vertical & 1], "bhsdq"[size], 12 + rs,
		 field & (sve_elements(size) - 1));
}

void arm64_text_tiles(struct text *o, unsigned tiles)
{
	const char *comma = "";
	if (tiles == 0xff) {
		text_put(o, "{za}");
		return;
	}
	text_put(o, "{");
	for (unsigned size = 1; size <= 3; size++)
		for (unsigned i = 0; i < 1u << size; i++) {
			unsigned all = 0;
			for (unsigned k = i; k < 8; k += 1u << size)
				all |= 1u << k;
			if ((tiles & all) != all)
				continue;
			tiles &= ~all;
			text_put(o, comma);
			arm64_text_tile(o, i, size);
			comma = ", ";
		}
	text_put(o, "}");
}
