/*
 * LUKS version 1: the header with its key slots, wherever it lies: at the start of a luks image, or within a qcow2 image.
 * Belongs to one node and its thread.
 */
#pragma once
#include "block/blk.h"
#include "block/format/luks/crypto.h"

enum { LUKS_SLOTS = 8, LUKS_HEADER = 592, LUKS_KEY_MAX = 64 };

struct luks {
	struct blk_node *file;
	u64 at; /* where in the file the header begins */
	u8 h[LUKS_HEADER];
	struct crypto_cipher *cipher; /* NULL: not unlocked */
	u8 key[LUKS_KEY_MAX]; /* the volume's, when unlocked */
};

/* How a new volume is to be; NULL and 0: as the peer's defaults. */
struct luks_params {
	const char *cipher_alg, *cipher_mode, *ivgen_alg, *ivgen_hash_alg, *hash_alg;
	u32 iter_time; /* milliseconds */
	bool detached; /* the payload lies in another file, from its start */
};

/* Takes creation options, their names with `prefix` in front ("" or "encrypt."). */
struct luks_params luks_params_of(const struct json *opts, const char *prefix);
/* Bytes that header and key slots take up in front of the payload. */
struct err *luks_header_bytes(const struct luks_params *p, u64 *ret) MUST_CHECK;

/* Reads and checks a header. room: bytes that may belong to it. */
struct err *luks_load(struct luks *l, struct blk_node *file, u64 at, u64 room) MUST_CHECK;
/* Finds the slot that the passphrase opens; makes the cipher. */
struct err *luks_unlock(struct luks *l, const u8 *pass, size_t len) MUST_CHECK;
/* A new header with the passphrase in slot 0, written to the file; comes unlocked. */
struct err *luks_format(struct luks *l, struct blk_node *file, u64 at, const struct luks_params *p,
			const u8 *pass, size_t len) MUST_CHECK;
/* Wipes the keys. A zeroed struct is accepted. */
void luks_close(struct luks *l);

/* In place; sector counts from the start of the payload (or of the file: as the format wants it). */
int luks_crypt(struct luks *l, bool encrypt, u64 sector, void *buf, size_t len) MUST_CHECK;
u64 luks_payload(const struct luks *l); /* bytes, from the header's start */
/* What "info" shows: the members of "data". */
struct json *luks_info(const struct luks *l);
/*
 * Changes key slots: options state, keyslot, old-secret, new-secret, iter-time, with prefix. The volume must be unlocked
 * for a new slot.
 */
struct err *luks_amend(struct luks *l, struct blk_graph *graph, const struct json *opts, const char *prefix,
		       bool force) MUST_CHECK;
