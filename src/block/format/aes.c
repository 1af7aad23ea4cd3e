#include "block/format/aes.h"
#include "block/format/luks/crypto.h"
#include "block/object.h"
#include <errno.h>

#ifdef HAVE_GNUTLS

struct err *aes_open(struct blk_graph *graph, const char *secret, struct crypto_cipher **ret)
{
	u8 key[16] = { 0 };
	const u8 *pass;
	size_t len;
	if (!secret)
		return err_new(ERR_INVALID, "Parameter 'encrypt.key-secret' is required for cipher");
	struct err *e = blk_secret(graph, secret, &pass, &len);
	if (e)
		return e;
	memcpy(key, pass, MIN(len, sizeof(key)));
	e = crypto_cipher_new("aes", "cbc", "plain64", NULL, key, sizeof(key), ret);
	crypto_wipe(key, sizeof(key));
	return e;
}

int aes_change(struct crypto_cipher *c, bool encrypt, u64 offset, void *buf, size_t len)
{
	return crypto_sectors(c, encrypt, offset / 512, buf, len);
}

void aes_close(struct crypto_cipher *c)
{
	crypto_cipher_free(c);
}

#else /* images that are not encrypted alone */

struct err *aes_open(struct blk_graph *graph UNUSED, const char *secret UNUSED,
		     struct crypto_cipher **ret UNUSED)
{
	return err_new(ERR_UNSUPPORTED, "Encrypted images need a build with GnuTLS");
}

int aes_change(struct crypto_cipher *c UNUSED, bool encrypt UNUSED, u64 offset UNUSED, void *buf UNUSED,
	       size_t len UNUSED)
{
	return -ENOTSUP;
}

void aes_close(struct crypto_cipher *c UNUSED)
{
}

#endif
