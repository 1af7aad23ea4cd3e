/* Random identifiers, CRC-32C (polynomial 0x1edc6f41, reflected; RFC 3720, appendix B.4). */
#include "block/format/guid.h"
#include <sys/random.h>

static void fill_random(void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = getrandom((u8 *)buf + done, len - done, 0);
		if (n > 0)
			done += n;
	}
}

void guid_new(u8 ret[16])
{
	fill_random(ret, 16);
	ret[6] = (ret[6] & 0x0f) | 0x40;
	ret[8] = (ret[8] & 0x3f) | 0x80;
}

void guid_new_le(u8 ret[16])
{
	fill_random(ret, 16);
	ret[7] = (ret[7] & 0x0f) | 0x40;
	ret[8] = (ret[8] & 0x3f) | 0x80;
}

u32 random_u32(void)
{
	u32 v;
	fill_random(&v, sizeof(v));
	return v;
}

u32 crc32c(u32 crc, const void *data, size_t len)
{
	static const u32 nibble[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
					0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
					0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
					0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };
	const u8 *p = data;
	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}
