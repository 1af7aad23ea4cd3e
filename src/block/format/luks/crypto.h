/*
 * Ciphers by sector, hashes and key derivation, by the names that disk formats use for them. Any thread, one at a time for each cipher.
 */
#pragma once
#include "base/base.h"
#include "base/err.h"

struct crypto_cipher;

/*
 * cipher: "aes"; mode: "xts", "cbc" or "ecb"; ivgen: "plain", "plain64", "essiv" (with iv_hash) or NULL. The key's length chooses among
 * AES-128, 192 and 256. Names that are not known here are refused.
 */
struct err *crypto_cipher_new(const char *cipher, const char *mode, const char *ivgen, const char *iv_hash,
			      const u8 *key, size_t len, struct crypto_cipher **ret) MUST_CHECK;
/* NULL is ignored. */
void crypto_cipher_free(struct crypto_cipher *c);
/* In place; len: a multiple of 512; sector: number of the first. 0 or -EIO. */
int crypto_sectors(struct crypto_cipher *c, bool encrypt, u64 sector, void *buf, size_t len) MUST_CHECK;

/* Bytes of a digest ("sha1", "sha256", ...); 0: not known. At most 64. */
size_t crypto_hash_size(const char *hash);
int crypto_hash(const char *hash, const void *data, size_t len, u8 *ret) MUST_CHECK;
/* RFC 8018. 0 or -EIO. */
int crypto_pbkdf2(const char *hash, const void *pass, size_t pass_len, const u8 *salt, size_t salt_len,
		  u32 iterations, u8 *ret, size_t len) MUST_CHECK;
/* Iterations that take about ms milliseconds of processor time here, at least 1000. */
u32 crypto_pbkdf2_iterations(const char *hash, size_t len, u32 ms);
/* Random bytes fit for keys. */
int crypto_random(void *ret, size_t len) MUST_CHECK;
/* Overwrites what must not stay in memory. */
void crypto_wipe(void *p, size_t len);
