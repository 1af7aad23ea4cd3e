/*
 * The encryption that qcow images had before LUKS: AES-128-CBC, its key the passphrase itself, its vectors the numbers of sectors
 * on the disk. Weak by design: for images that exist.
 */
#pragma once
#include "block/blk.h"

struct crypto_cipher;

/* secret: an object's id; NULL is refused. */
struct err *aes_open(struct blk_graph *graph, const char *secret, struct crypto_cipher **ret) MUST_CHECK;
/* In place, at an offset of the disk. 0 or -EIO. */
int aes_change(struct crypto_cipher *c, bool encrypt, u64 offset, void *buf, size_t len) MUST_CHECK;
/* NULL is ignored. */
void aes_close(struct crypto_cipher *c);
