/*
 * A64: SME: ZA set to zero; slices of its tiles to and from vectors and memory.
 * Manual: Arm A-profile architecture, C4.1 "SME Move into Array", "SME Move from Array", "SME Zero Array", "SME Memory".
 */
#include "guest/arm64/sve.h"
#include "arm64_sme_za.decode.h"

static void zero_tiles(struct tr *t, unsigned tiles)
{
	ir_ref zero = simd_zero(t);
	for (unsigned i = 0; i < 16; i++)
		if (tiles >> (i & 7) & 1)
			v_set(t, A64_ZA + i, zero);
}

static void insert(struct tr *t, unsigned vertical, unsigned rs, unsigned pg, unsigned rn, unsigned field,
		   unsigned size)
{
	ir_ref slice = sme_slice(t, rs, field, size), mask = sve_governing(t, pg, size);
	sme_set_slice(t, vertical, SME_TILE(field, size), slice, size, mask, simd_get(t, rn));
}

static void extract(struct tr *t, unsigned vertical, unsigned rs, unsigned pg, unsigned rd, unsigned field,
		    unsigned size)
{
	ir_ref slice = sme_slice(t, rs, field, size);
	sve_merge(t, rd, pg, size, sme_get_slice(t, vertical, SME_TILE(field, size), slice, size));
}

/* clang-format off */

INSN(zero_za, "11000000 00001000 00000000 tiles:8", "zero {tiles(tiles)}", SME, "IN_ZA") { zero_tiles(t, a->tiles); }

INSN(mova_za,   "11000000 size:2 000000 V:1 Rs:2 Pg:3 Rn:5 0 za:4", "mov {slice(V, Rs, za, size)}, {pm(Pg)}, {z(Rn, size)}", SME, "IN_SM_ZA") { insert(t, a->V, a->Rs, a->Pg, a->Rn, a->za, a->size); }
INSN(mova_za_q, "11000000 11 000001 V:1 Rs:2 Pg:3 Rn:5 0 za:4", "mov {slice(V, Rs, za, 4)}, {pm(Pg)}, {z(Rn, 4)}", SME, "IN_SM_ZA") { insert(t, a->V, a->Rs, a->Pg, a->Rn, a->za, 4); }
INSN(mova_z,    "11000000 size:2 000010 V:1 Rs:2 Pg:3 0 za:4 Rd:5", "mov {z(Rd, size)}, {pm(Pg)}, {slice(V, Rs, za, size)}", SME, "IN_SM_ZA") { extract(t, a->V, a->Rs, a->Pg, a->Rd, a->za, a->size); }
INSN(mova_z_q,  "11000000 11 000011 V:1 Rs:2 Pg:3 0 za:4 Rd:5", "mov {z(Rd, 4)}, {pm(Pg)}, {slice(V, Rs, za, 4)}", SME, "IN_SM_ZA") { extract(t, a->V, a->Rs, a->Pg, a->Rd, a->za, 4); }

/* clang-format on */
#include "arm64_sme_za.decode.inc"
