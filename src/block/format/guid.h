/* Identifiers in images: random ones, their text, checksums that several formats share. */
#pragma once
#include "base/base.h"

/* A random (version 4) identifier, bytes in the order of its text. */
void guid_new(u8 ret[16]);
/* The same with the first three groups little-endian, as Microsoft's formats store them. */
void guid_new_le(u8 ret[16]);
/* Any 32 bits. */
u32 random_u32(void);
/* CRC-32C (Castagnoli) of len bytes, going on from crc (0 at the start). */
u32 crc32c(u32 crc, const void *data, size_t len);
