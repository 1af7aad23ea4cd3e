//needs: gnutls
/* Ciphers by sector, hashes and key derivation, by GnuTLS. */
#include "block/format/luks/crypto.h"
#include "base/gnutls.h"
#include <errno.h>
#include <time.h>

enum ivgen { IV_NONE, IV_PLAIN, IV_PLAIN64, IV_ESSIV };
enum { BLOCK = 16, SECTOR = 512 };

struct crypto_cipher {
	gnutls_cipher_hd_t handle, essiv;
	enum ivgen ivgen;
	bool by_block; /* ecb: every block for itself */
};

static const struct hash {
	const char *name;
	gnutls_digest_algorithm_t digest;
	gnutls_mac_algorithm_t mac;
} hashes[] = {
	{ "sha1", GNUTLS_DIG_SHA1, GNUTLS_MAC_SHA1 },
	{ "sha224", GNUTLS_DIG_SHA224, GNUTLS_MAC_SHA224 },
	{ "sha256", GNUTLS_DIG_SHA256, GNUTLS_MAC_SHA256 },
	{ "sha384", GNUTLS_DIG_SHA384, GNUTLS_MAC_SHA384 },
	{ "sha512", GNUTLS_DIG_SHA512, GNUTLS_MAC_SHA512 },
	{ "ripemd160", GNUTLS_DIG_RMD160, GNUTLS_MAC_RMD160 },
	{ "md5", GNUTLS_DIG_MD5, GNUTLS_MAC_MD5 },
};

static bool there(void)
{
	struct err *e = gnutls_open();
	err_free(e);
	return !e;
}

static const struct hash *find_hash(const char *name)
{
	for (unsigned i = 0; i < LEN(hashes) && there(); i++)
		if (strcmp(hashes[i].name, name) == 0)
			return &hashes[i];
	return NULL;
}

/* ---- ciphers ---- */

static gnutls_cipher_algorithm_t algorithm(const char *mode, size_t len)
{
	static const struct {
		const char *mode;
		size_t len;
		gnutls_cipher_algorithm_t algorithm;
	} table[] = {
		{ "xts", 32, GNUTLS_CIPHER_AES_128_XTS }, { "xts", 64, GNUTLS_CIPHER_AES_256_XTS },
		{ "cbc", 16, GNUTLS_CIPHER_AES_128_CBC }, { "cbc", 24, GNUTLS_CIPHER_AES_192_CBC },
		{ "cbc", 32, GNUTLS_CIPHER_AES_256_CBC }, { "ecb", 16, GNUTLS_CIPHER_AES_128_CBC },
		{ "ecb", 24, GNUTLS_CIPHER_AES_192_CBC }, { "ecb", 32, GNUTLS_CIPHER_AES_256_CBC },
	};
	for (unsigned i = 0; i < LEN(table); i++)
		if (strcmp(table[i].mode, mode) == 0 && table[i].len == len)
			return table[i].algorithm;
	return GNUTLS_CIPHER_UNKNOWN;
}

static int make(gnutls_cipher_algorithm_t a, const u8 *key, size_t len, gnutls_cipher_hd_t *ret)
{
	static const u8 zero[BLOCK];
	gnutls_datum_t k = { (u8 *)key, len }, iv = { (u8 *)zero, BLOCK };
	return a == GNUTLS_CIPHER_UNKNOWN ? -1 : gnutls.cipher_init(ret, a, &k, &iv);
}

/* ESSIV: the sector number, encrypted by a hash of the key. */
static int make_essiv(struct crypto_cipher *c, const char *hash, const u8 *key, size_t len)
{
	u8 salt[64];
	size_t n = hash ? crypto_hash_size(hash) : 0;
	if (!n || crypto_hash(hash, key, len, salt))
		return -1;
	int r = make(algorithm("cbc", n), salt, n, &c->essiv);
	crypto_wipe(salt, sizeof(salt));
	return r;
}

struct err *crypto_cipher_new(const char *cipher, const char *mode, const char *ivgen, const char *iv_hash,
			      const u8 *key, size_t len, struct crypto_cipher **ret)
{
	static const char *const gens[] = { "none", "plain", "plain64", "essiv" };
	struct err *e = gnutls_open();
	if (e)
		return e;
	struct crypto_cipher *c = alloc(sizeof(*c));
	unsigned g = 0;
	while (ivgen && g < LEN(gens) && strcmp(gens[g], ivgen) != 0)
		g++;
	c->ivgen = g;
	c->by_block = strcmp(mode, "ecb") == 0;
	if (g == LEN(gens))
		e = err_new(ERR_UNSUPPORTED, "IV generator '%s' not supported", ivgen);
	else if (strcmp(cipher, "aes") != 0 || make(algorithm(mode, len), key, len, &c->handle) < 0)
		e = err_new(ERR_UNSUPPORTED,
			    "Algorithm '%s' with mode '%s' and key size %zu bytes not supported", cipher,
			    mode, len);
	else if (g == IV_ESSIV && make_essiv(c, iv_hash, key, len) < 0)
		e = err_new(ERR_UNSUPPORTED, "Hash '%s' does not make a key for the IV generator",
			    iv_hash ? iv_hash : "");
	if (e) {
		crypto_cipher_free(c);
		return e;
	}
	*ret = c;
	return NULL;
}

void crypto_cipher_free(struct crypto_cipher *c)
{
	if (!c)
		return;
	if (c->handle)
		gnutls.cipher_deinit(c->handle);
	if (c->essiv)
		gnutls.cipher_deinit(c->essiv);
	free(c);
}

static int make_iv(struct crypto_cipher *c, u64 sector, u8 *iv)
{
	static const u8 zero[BLOCK];
	memset(iv, 0, BLOCK);
	if (c->ivgen == IV_PLAIN)
		st_le32(iv, sector);
	else if (c->ivgen != IV_NONE)
		st_le64(iv, sector);
	if (c->ivgen != IV_ESSIV)
		return 0;
	gnutls.cipher_set_iv(c->essiv, (void *)zero, BLOCK);
	return gnutls.cipher_encrypt2(c->essiv, iv, BLOCK, iv, BLOCK);
}

int crypto_sectors(struct crypto_cipher *c, bool encrypt, u64 sector, void *buf, size_t len)
{
	size_t unit = c->by_block ? BLOCK : SECTOR;
	u8 iv[BLOCK];
	for (u8 *p = buf, *end = p + len; p < end; p += unit) {
		if (!((size_t)(p - (u8 *)buf) % SECTOR) && make_iv(c, sector++, iv) < 0)
			return -EIO;
		gnutls.cipher_set_iv(c->handle, iv, BLOCK);
		int r = encrypt ? gnutls.cipher_encrypt2(c->handle, p, unit, p, unit)
				: gnutls.cipher_decrypt2(c->handle, p, unit, p, unit);
		if (r < 0)
			return -EIO;
	}
	return 0;
}

/* ---- hashes, keys, random bytes ---- */

size_t crypto_hash_size(const char *hash)
{
	const struct hash *h = find_hash(hash);
	return h ? gnutls.hash_get_len(h->digest) : 0;
}

int crypto_hash(const char *hash, const void *data, size_t len, u8 *ret)
{
	const struct hash *h = find_hash(hash);
	return h && gnutls.hash_fast(h->digest, data, len, ret) >= 0 ? 0 : -EIO;
}

int crypto_pbkdf2(const char *hash, const void *pass, size_t pass_len, const u8 *salt, size_t salt_len,
		  u32 iterations, u8 *ret, size_t len)
{
	const struct hash *h = find_hash(hash);
	gnutls_datum_t key = { (void *)pass, pass_len }, s = { (void *)salt, salt_len };
	return h && gnutls.pbkdf2(h->mac, &key, &s, iterations, ret, len) >= 0 ? 0 : -EIO;
}

static u64 cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

u32 crypto_pbkdf2_iterations(const char *hash, size_t len, u32 ms)
{
	u8 salt[32] = { 0 }, key[64];
	u64 n = 1 << 10, took = 0;
	/* Long enough to be measured, doubled until it is. */
	for (; n < 1 << 24; n *= 2) {
		u64 start = cpu_ns();
		if (crypto_pbkdf2(hash, "password", 8, salt, sizeof(salt), n, key, MIN(len, sizeof(key))))
			break;
		took = cpu_ns() - start;
		if (took > 20000000)
			break;
	}
	u64 want = took ? n * ms * 1000000ull / took : 0;
	return MIN(MAX(want, 1000ull), (u64)INT32_MAX);
}

int crypto_random(void *ret, size_t len)
{
	return !there() || gnutls.rnd(GNUTLS_RND_KEY, ret, len) < 0 ? -EIO : 0;
}

void crypto_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}
