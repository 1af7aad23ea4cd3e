/* What A64 instructions do to NZCV, by their encodings (Arm ARM, C4.1). Unallocated ones may be called FLAGS_NOT: their fault shows older flags. */
#include "guest/arm64/arm64.h"

static const struct {
	u32 mask, value;
	enum guest_flags does;
} classes[] = {
	/* the first that fits counts; most often met first */
	{ 0x0a000000, 0x08000000, FLAGS_NOT }, /* loads and stores */
	{ 0xfffff01f, 0xd503201f, FLAGS_NOT }, /* hints, PACIASP and the like among them */
	{ 0x1c000000, 0x14000000, FLAGS_OTHER }, /* branches, exceptions, system */
	{ 0x3f800000, 0x31000000, FLAGS_SET }, /* ADDS, SUBS immediate */
	{ 0x7f800000, 0x72000000, FLAGS_SET }, /* ANDS immediate */
	{ 0x1c000000, 0x10000000, FLAGS_NOT }, /* others with an immediate */
	{ 0x7f000000, 0x6a000000, FLAGS_SET }, /* ANDS, BICS shifted register */
	{ 0x3f000000, 0x2b000000, FLAGS_SET }, /* ADDS, SUBS registers */
	{ 0x1fe00000, 0x1a000000, FLAGS_OTHER }, /* ADC, SBC, RMIF, SETF */
	{ 0x1fe00000, 0x1a400000, FLAGS_OTHER }, /* CCMN, CCMP */
	{ 0x1fe00000, 0x1a800000, FLAGS_OTHER }, /* conditional selects */
	{ 0x0e000000, 0x0a000000, FLAGS_NOT }, /* others of registers */
	{ 0xff20fc07, 0x1e202000, FLAGS_SET }, /* FCMP, FCMPE */
	{ 0xff200400, 0x1e200400, FLAGS_OTHER }, /* FCCMP; FCSEL has bit 10 too */
	{ 0xfffffc00, 0x1e7e0000, FLAGS_OTHER }, /* FJCVTZS */
};

enum guest_flags arm64_flags(const u8 *code)
{
	u32 word = ld_le32(code);
	for (u32 i = 0; i < LEN(classes); i++)
		if ((word & classes[i].mask) == classes[i].value)
			return classes[i].does;
	return (word & 0x1e000000) <= 0x06000000 ? FLAGS_OTHER : FLAGS_NOT; /* reserved, SME, SVE */
}
