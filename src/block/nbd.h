/*
 * Numbers of the NBD protocol, for client and server.
 *
 * Specification  doc/proto.md and doc/uri.md of the NetworkBlockDevice project.
 */
#pragma once
#include "base/base.h"

#define NBD_MAGIC 0x4e42444d41474943ull
#define NBD_OPT_MAGIC 0x49484156454f5054ull
#define NBD_OLD_MAGIC 0x00420281861253ull
#define NBD_REP_MAGIC 0x3e889045565a9ull
#define NBD_REQUEST_MAGIC 0x25609513u
#define NBD_REPLY_MAGIC 0x67446698u
#define NBD_CHUNK_MAGIC 0x668e33efu

enum { NBD_DEFAULT_PORT = 10809, NBD_MAX_STRING = 4096, NBD_MAX_NAME = 4096, NBD_MAX_DATA = 32 << 20 };
enum { NBD_FIXED_NEWSTYLE = BIT(0), NBD_NO_ZEROES = BIT(1) };
enum nbd_opt {
	NBD_OPT_EXPORT_NAME = 1,
	NBD_OPT_ABORT,
	NBD_OPT_LIST,
	NBD_OPT_STARTTLS = 5,
	NBD_OPT_INFO,
	NBD_OPT_GO,
	NBD_OPT_STRUCTURED_REPLY,
	NBD_OPT_LIST_META,
	NBD_OPT_SET_META
};
enum { NBD_REP_ACK = 1, NBD_REP_SERVER, NBD_REP_INFO, NBD_REP_META };
#define NBD_REP_ERR(n) (BIT(31) + (n))
enum {
	NBD_ERR_UNSUP = 1,
	NBD_ERR_POLICY,
	NBD_ERR_INVALID,
	NBD_ERR_PLATFORM,
	NBD_ERR_TLS_REQD,
	NBD_ERR_UNKNOWN,
	NBD_ERR_SHUTDOWN,
	NBD_ERR_BLOCK_SIZE,
	NBD_ERR_TOO_BIG
};
enum { NBD_INFO_EXPORT, NBD_INFO_NAME, NBD_INFO_DESCRIPTION, NBD_INFO_BLOCK_SIZE };
enum {
	NBD_HAS_FLAGS = BIT(0),
	NBD_READ_ONLY = BIT(1),
	NBD_SEND_FLUSH = BIT(2),
	NBD_SEND_FUA = BIT(3),
	NBD_SEND_TRIM = BIT(5),
	NBD_SEND_WRITE_ZEROES = BIT(6),
	NBD_SEND_DF = BIT(7),
	NBD_MULTI_CONN = BIT(8),
	NBD_SEND_CACHE = BIT(10),
	NBD_SEND_FAST_ZERO = BIT(11)
};
enum nbd_cmd {
	NBD_CMD_READ,
	NBD_CMD_WRITE,
	NBD_CMD_DISC,
	NBD_CMD_FLUSH,
	NBD_CMD_TRIM,
	NBD_CMD_CACHE,
	NBD_CMD_WRITE_ZEROES,
	NBD_CMD_BLOCK_STATUS
};
enum {
	NBD_FLAG_FUA = BIT(0),
	NBD_FLAG_NO_HOLE = BIT(1),
	NBD_FLAG_DF = BIT(2),
	NBD_FLAG_REQ_ONE = BIT(3),
	NBD_FLAG_FAST_ZERO = BIT(4)
};
enum { NBD_CHUNK_DONE = BIT(0) };
enum {
	NBD_CHUNK_NONE,
	NBD_CHUNK_DATA,
	NBD_CHUNK_HOLE,
	NBD_CHUNK_STATUS = 5,
	NBD_CHUNK_ERROR = 0x8001,
	NBD_CHUNK_ERROR_OFFSET = 0x8002
};
enum { NBD_STATE_HOLE = BIT(0), NBD_STATE_ZERO = BIT(1) };

/* The protocol's error numbers are Linux's, a few of them. */
static inline u32 nbd_errno(int negative)
{
	static const int known[] = { 1, 5, 12, 22, 28, 75, 95, 108 };
	for (unsigned i = 0; i < LEN(known); i++)
		if (negative == -known[i])
			return known[i];
	return negative == -30 || negative == -13 ? 1 : negative == -27 || negative == -122 ? 28 : 22;
}

/* Anything else a server says is taken for EINVAL. */
static inline int nbd_from_errno(u32 error)
{
	return error ? -(int)nbd_errno(-(int)MIN(error, 1000u)) : 0;
}
