/*
 * qcow2: encryption of guest data. LUKS keeps its header in clusters that a header extension names, and counts sectors by their
 * place in the file; the old AES method has no header at all: the passphrase is the key, and sectors count in the guest's disk.
 * Metadata and compressed clusters are never encrypted.
 */
#include "block/format/qcow2/qcow2.h"
#include "block/format/aes.h"
#include "block/format/luks/header.h"
#include "block/object.h"
#include <errno.h>

#ifdef HAVE_GNUTLS

static const char *const names[] = { "none", "aes", "luks" }; /* by method number of the header */

struct qcow2_crypt {
	struct luks luks;
	struct crypto_cipher *aes;
};

static struct err *need_secret(void)
{
	return err_new(ERR_INVALID, "Parameter 'encrypt.key-secret' is required for cipher");
}

struct err *qcow2_open_crypt(struct blk_node *node, struct json *opts, u32 flags)
{
	struct qcow2 *s = node->state;
	AUTO(free_ptr) char *format = blk_take_str(opts, "encrypt.format");
	AUTO(free_ptr) char *id = blk_take_str(opts, "encrypt.key-secret");
	const u8 *pass = NULL;
	size_t len = 0;
	if (!s->crypt_method)
		return format || id
			   ? err_new(ERR_INVALID,
				     "No encryption in image header, but options specified format '%s'",
				     format ? format : "luks")
			   : NULL;
	if (s->crypt_method > QCOW2_LUKS)
		return err_new(ERR_UNSUPPORTED, "Unsupported encryption method %u", s->crypt_method);
	if (format && strcmp(format, names[s->crypt_method]) != 0)
		return err_new(ERR_INVALID, "Header reported '%s' encryption format but options specify '%s'",
			       names[s->crypt_method], format);
	struct qcow2_crypt *c = s->crypt = alloc(sizeof(*c));
	node->encoded = true;
	if (s->crypt_method != QCOW2_LUKS)
		return flags & BLK_NO_IO ? NULL : aes_open(node->graph, id, &c->aes);
	struct err *e = id ? blk_secret(node->graph, id, &pass, &len) : NULL;
	if (!e)
		e = luks_load(&c->luks, node->file, s->crypto_offset, s->crypto_len);
	if (e || (flags & BLK_NO_IO))
		return e;
	return id ? luks_unlock(&c->luks, pass, len) : need_secret();
}

void qcow2_close_crypt(struct qcow2 *s)
{
	if (!s->crypt)
		return;
	luks_close(&s->crypt->luks);
	aes_close(s->crypt->aes);
	free(s->crypt);
}

static int change(struct blk_node *node, bool encrypt, u64 offset, u64 file_offset, void *buf, size_t len)
{
	struct qcow2 *s = node->state;
	if (s->crypt->aes)
		return aes_change(s->crypt->aes, encrypt, offset, buf, len);
	return s->crypt->luks.cipher ? luks_crypt(&s->crypt->luks, encrypt, file_offset / 512, buf, len)
				     : -EPERM;
}

struct json *qcow2_crypt_info(const struct qcow2 *s)
{
	if (!s->crypt)
		return NULL;
	struct json *j = s->crypt_method == QCOW2_LUKS ? luks_info(&s->crypt->luks) : json_dict();
	json_set(j, "format", json_str(names[s->crypt_method]));
	return j;
}

struct err *qcow2_amend_crypt(struct blk_node *node, const struct json *opts, bool force)
{
	struct qcow2 *s = node->state;
	static const char *const known[] = { "encrypt.state", "encrypt.keyslot", "encrypt.old-secret",
					     "encrypt.new-secret", "encrypt.iter-time" };
	bool any = false;
	for (unsigned i = 0; i < LEN(known); i++)
		any |= !!blk_opt_str(opts, known[i]);
	if (!any)
		return NULL;
	if (!s->crypt)
		return err_new(ERR_INVALID, "Can't amend encryption options - encryption not present");
	if (s->crypt_method != QCOW2_LUKS)
		return err_new(ERR_UNSUPPORTED, "Only LUKS encryption options can be amended for qcow2 with "
						"blockdev-amend");
	return luks_amend(&s->crypt->luks, node->graph, opts, "encrypt.", force);
}

/* ---- making ---- */

struct err *qcow2_crypt_params(const struct json *opts, u32 *ret_method, u64 *ret_bytes)
{
	const char *format = blk_opt_str(opts, "encrypt.format");
	*ret_method = 0;
	*ret_bytes = 0;
	if (format && blk_opt_str(opts, "encryption"))
		return err_new(ERR_INVALID,
			       "'encrypt.format' and its alias 'encryption' can't be used at the same time");
	if (!format && blk_opt_bool(opts, "encryption", false))
		format = "aes";
	if (!format)
		return NULL;
	for (u32 i = 1; i < LEN(names); i++)
		if (strcmp(format, names[i]) == 0)
			*ret_method = i;
	if (!*ret_method)
		return err_new(ERR_INVALID, "Parameter 'format' does not accept value '%s'", format);
	struct luks_params p = luks_params_of(opts, "encrypt.");
	return *ret_method == QCOW2_LUKS ? luks_header_bytes(&p, ret_bytes) : NULL;
}

/* Clusters in a row for the LUKS header, zeroed, and the header itself. */
static struct err *make_luks(struct blk_node *node, const struct json *opts, u64 bytes, const u8 *pass,
			     size_t len)
{
	struct qcow2 *s = node->state;
	struct luks_params p = luks_params_of(opts, "encrypt.");
	u64 n = (bytes + s->cluster_size - 1) >> s->cluster_bits, at;
	co_lock(&node->place_lock);
	int r = qcow2_alloc(node, n, &at);
	co_unlock(&node->place_lock);
	if (!r)
		r = blk_zero(node->file, at, n << s->cluster_bits, 0);
	if (r)
		return err_errno(-r, "Could not make room for the LUKS header");
	struct err *e = luks_format(&s->crypt->luks, node->file, at, &p, pass, len);
	s->crypto_offset = at;
	s->crypto_len = bytes;
	return e;
}

struct err *qcow2_create_crypt(struct blk_node *node, const struct json *opts, u32 method, u64 bytes)
{
	struct qcow2 *s = node->state;
	const char *id = blk_opt_str(opts, "encrypt.key-secret");
	const u8 *pass;
	size_t len;
	if (!method)
		return NULL;
	if (!id)
		return need_secret();
	struct err *e = blk_secret(node->graph, id, &pass, &len);
	if (e)
		return e;
	s->crypt_method = method;
	s->crypt = alloc(sizeof(*s->crypt));
	node->encoded = true;
	return method == QCOW2_LUKS ? make_luks(node, opts, bytes, pass, len)
				    : aes_open(node->graph, id, &s->crypt->aes);
}

#else /* only images that are not encrypted */

struct err *qcow2_open_crypt(struct blk_node *node, struct json *opts, u32 flags)
{
	struct qcow2 *s = node->state;
	return s->crypt_method ? err_new(ERR_UNSUPPORTED, "Encrypted images need a build with GnuTLS") : NULL;
}

void qcow2_close_crypt(struct qcow2 *s)
{
}

static int change(struct blk_node *node, bool encrypt, u64 offset, u64 file_offset, void *buf, size_t len)
{
	return -ENOTSUP;
}

struct json *qcow2_crypt_info(const struct qcow2 *s)
{
	return NULL;
}

struct err *qcow2_amend_crypt(struct blk_node *node, const struct json *opts, bool force)
{
	return NULL;
}

struct err *qcow2_crypt_params(const struct json *opts, u32 *ret_method, u64 *ret_bytes)
{
	*ret_method = 0;
	*ret_bytes = 0;
	if (blk_opt_str(opts, "encrypt.format") || blk_opt_bool(opts, "encryption", false))
		return err_new(ERR_UNSUPPORTED, "Encrypted images need a build with GnuTLS");
	return NULL;
}

struct err *qcow2_create_crypt(struct blk_node *node, const struct json *opts, u32 method, u64 bytes)
{
	return NULL;
}

#endif

int qcow2_decode(struct blk_node *node, u64 offset, u64 file_offset, void *buf, size_t len)
{
	return change(node, false, offset, file_offset, buf, len);
}

int qcow2_encode(struct blk_node *node, u64 offset, u64 file_offset, void *buf, size_t len)
{
	return change(node, true, offset, file_offset, buf, len);
}
