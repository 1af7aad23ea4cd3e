//needs: gnutls
/*
 * LUKS version 1: header and key slots.
 *
 * Spec       "LUKS On-Disk Format Specification", version 1.2.3 (cryptsetup, docs/on-disk-format.pdf).
 * A slot holds the volume key, spread over 4000 stripes (so that erasing a few sectors destroys it) and encrypted by a key that
 * PBKDF2 makes of the passphrase.
 */
#include "block/format/luks/header.h"
#include "block/object.h"
#include <errno.h>
#include <stdio.h>

enum {
	VERSION = 6,
	CIPHER = 8,
	MODE = 40,
	HASH = 72,
	PAYLOAD = 104,
	KEY_BYTES = 108,
	DIGEST = 112,
	DIGEST_SALT = 132,
	DIGEST_ITER = 164,
	UUID = 168,
	SLOTS = 208
};
enum { SLOT_ITER = 4, SLOT_SALT = 8, SLOT_AT = 40, SLOT_STRIPES = 44, SLOT_SIZE = 48 };
enum { MAX_ITER = 1 << 29 }; /* some minutes of waiting; more is a way to stop whoever opens the image */
enum { NAME = 32, SALT = 32, DIGEST_LEN = 20, STRIPES = 4000, ALIGN = 8 /* sectors */ };
#define ENABLED 0x00ac71f3u
#define DISABLED 0x0000deadu
static const char magic[6] = "LUKS\xba\xbe";

static u8 *slot(struct luks *l, unsigned i)
{
	return l->h + SLOTS + i * SLOT_SIZE;
}

static bool active(const struct luks *l, unsigned i)
{
	return ld_be32(l->h + SLOTS + i * SLOT_SIZE) == ENABLED;
}

static u32 key_bytes(const struct luks *l)
{
	return ld_be32(l->h + KEY_BYTES);
}

static const char *hash_of(const struct luks *l)
{
	return (const char *)l->h + HASH;
}

static u64 material_bytes(u32 key)
{
	return (u64)key * STRIPES;
}

/* ---- the cipher that the header names ---- */

/* "xts-plain64", "cbc-essiv:sha256": mode, generator, its hash. The parts lie in buf. */
static void split_mode(const char *text, char buf[NAME], const char **mode, const char **ivgen,
		       const char **iv_hash)
{
	snprintf(buf, NAME, "%s", text);
	char *dash = strchr(buf, '-'), *colon;
	*mode = buf;
	*ivgen = *iv_hash = NULL;
	if (!dash)
		return;
	*dash = 0;
	*ivgen = dash + 1;
	if ((colon = strchr(dash + 1, ':'))) {
		*colon = 0;
		*iv_hash = colon + 1;
	}
}

static struct err *make_cipher(const struct luks *l, const u8 *key, struct crypto_cipher **ret)
{
	char buf[NAME];
	const char *mode, *ivgen, *iv_hash;
	split_mode((const char *)l->h + MODE, buf, &mode, &ivgen, &iv_hash);
	return crypto_cipher_new((const char *)l->h + CIPHER, mode, ivgen, iv_hash, key, key_bytes(l), ret);
}

/* ---- loading ---- */

static struct err *check_slot(const struct luks *l, unsigned i, u64 room)
{
	const u8 *s = l->h + SLOTS + i * SLOT_SIZE;
	u64 at = ld_be32(s + SLOT_AT) * 512ull, len = material_bytes(key_bytes(l));
	if (ld_be32(s + SLOT_STRIPES) != STRIPES)
		return err_new(ERR_CORRUPT, "Keyslot %u is corrupted (stripes %u != %d)", i,
			       ld_be32(s + SLOT_STRIPES), STRIPES);
	if (ld_be32(s) != ENABLED && ld_be32(s) != DISABLED)
		return err_new(ERR_CORRUPT, "Keyslot %u state (active/disable) is corrupted", i);
	if (active(l, i) && !ld_be32(s + SLOT_ITER))
		return err_new(ERR_CORRUPT, "Keyslot %u iteration count is zero", i);
	if (active(l, i) && ld_be32(s + SLOT_ITER) > MAX_ITER)
		return err_new(ERR_UNSUPPORTED, "Keyslot %u iteration count %u is too large", i,
			       ld_be32(s + SLOT_ITER));
	if (at < LUKS_HEADER)
		return err_new(ERR_CORRUPT, "Keyslot %u is overlapping the LUKS header", i);
	if (luks_payload(l) && at + len > luks_payload(l))
		return err_new(ERR_CORRUPT, "Keyslot %u is overlapping with the encrypted payload", i);
	if (active(l, i) && at + len > room)
		return err_new(ERR_CORRUPT, "Keyslot %u lies outside the file", i);
	for (unsigned j = 0; j < i; j++) {
		u64 other = ld_be32(l->h + SLOTS + j * SLOT_SIZE + SLOT_AT) * 512ull;
		if (at < other + len && other < at + len)
			return err_new(ERR_CORRUPT, "Keyslots %u and %u are overlapping in the header", j, i);
	}
	return NULL;
}

static struct err *check_header(const struct luks *l, u64 room)
{
	if (memcmp(l->h, magic, 6) != 0)
		return err_new(ERR_INVALID, "Volume is not in LUKS format");
	if (ld_be16(l->h + VERSION) != 1)
		return err_hint(
		    err_new(ERR_UNSUPPORTED, "LUKS version %u is not supported", ld_be16(l->h + VERSION)),
		    "Version 1 is: make such a volume with 'cryptsetup luksFormat --type luks1'.");
	static const struct {
		u32 at;
		const char *what;
	} names[] = { { CIPHER, "name" }, { MODE, "mode" }, { HASH, "hash" } };
	for (unsigned i = 0; i < LEN(names); i++)
		if (!memchr(l->h + names[i].at, 0, NAME))
			return err_new(ERR_CORRUPT, "LUKS header cipher %s is not NUL terminated",
				       names[i].what);
	if (!key_bytes(l) || key_bytes(l) > LUKS_KEY_MAX)
		return err_new(ERR_CORRUPT, "LUKS key of %u bytes at offset %d is not supported",
			       key_bytes(l), KEY_BYTES);
	if (!crypto_hash_size(hash_of(l)))
		return err_new(ERR_UNSUPPORTED, "Hash algorithm '%s' not supported", hash_of(l));
	if (!ld_be32(l->h + DIGEST_ITER))
		return err_new(ERR_CORRUPT, "LUKS key iteration count is zero");
	if (ld_be32(l->h + DIGEST_ITER) > MAX_ITER)
		return err_new(ERR_UNSUPPORTED, "LUKS key iteration count %u is too large",
			       ld_be32(l->h + DIGEST_ITER));
	struct err *e = NULL;
	for (unsigned i = 0; i < LUKS_SLOTS && !e; i++)
		e = check_slot(l, i, room);
	return e;
}

struct err *luks_load(struct luks *l, struct blk_node *file, u64 at, u64 room)
{
	*l = (struct luks){ .file = file, .at = at };
	int r = room < LUKS_HEADER ? -EINVAL : blk_pread(file, at, l->h, LUKS_HEADER);
	if (r)
		return err_errno(-r, "Unable to read LUKS header");
	return check_header(l, room);
}

void luks_close(struct luks *l)
{
	crypto_cipher_free(l->cipher);
	l->cipher = NULL;
	crypto_wipe(l->key, sizeof(l->key));
}

u64 luks_payload(const struct luks *l)
{
	return ld_be32(l->h + PAYLOAD) * 512ull;
}

int luks_crypt(struct luks *l, bool encrypt, u64 sector, void *buf, size_t len)
{
	return l->cipher ? crypto_sectors(l->cipher, encrypt, sector, buf, len) : -EPERM;
}

/* ---- stripes (2.4, "anti-forensic information splitter") ---- */

static void xor_into(u8 *to, const u8 *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= from[i];
}

/* Every digest-sized part becomes the hash of its number and itself. */
static int diffuse(const char *hash, u8 *block, size_t len)
{
	size_t digest = crypto_hash_size(hash);
	u8 in[4 + 64], out[64];
	for (size_t from = 0, i = 0; from < len; from += digest, i++) {
		size_t part = MIN(digest, len - from);
		st_be32(in, i);
		memcpy(in + 4, block + from, part);
		if (crypto_hash(hash, in, 4 + part, out))
			return -EIO;
		memcpy(block + from, out, part);
	}
	return 0;
}

static int merge(const char *hash, const u8 *stripes, size_t len, u8 *key)
{
	memset(key, 0, len);
	for (unsigned i = 0; i < STRIPES - 1; i++) {
		xor_into(key, stripes + i * len, len);
		if (diffuse(hash, key, len))
			return -EIO;
	}
	xor_into(key, stripes + (STRIPES - 1) * len, len);
	return 0;
}

static int split(const char *hash, const u8 *key, size_t len, u8 *stripes)
{
	u8 block[LUKS_KEY_MAX] = { 0 }, *last = stripes + (STRIPES - 1) * len;
	if (crypto_random(stripes, (STRIPES - 1) * len))
		return -EIO;
	for (unsigned i = 0; i < STRIPES - 1; i++) {
		xor_into(block, stripes + i * len, len);
		if (diffuse(hash, block, len))
			return -EIO;
	}
	memcpy(last, key, len);
	xor_into(last, block, len);
	crypto_wipe(block, sizeof(block));
	return 0;
}

/* ---- slots ---- */

/* The slot's cipher, by a key made of the passphrase. */
static struct err *slot_cipher(struct luks *l, unsigned i, const u8 *pass, size_t len,
			       struct crypto_cipher **ret)
{
	const u8 *s = slot(l, i);
	u8 key[LUKS_KEY_MAX];
	if (crypto_pbkdf2(hash_of(l), pass, len, s + SLOT_SALT, SALT, ld_be32(s + SLOT_ITER), key,
			  key_bytes(l)))
		return err_new(ERR_IO, "Could not derive a key from the passphrase");
	struct err *e = make_cipher(l, key, ret);
	crypto_wipe(key, sizeof(key));
	return e;
}

static int digest_of(const struct luks *l, const u8 *key, u8 *ret)
{
	return crypto_pbkdf2(hash_of(l), key, key_bytes(l), l->h + DIGEST_SALT, SALT,
			     ld_be32(l->h + DIGEST_ITER), ret, DIGEST_LEN);
}

/* *ret_ok: the passphrase opens the slot; the volume's key is in key then. */
static struct err *try_slot(struct luks *l, unsigned i, const u8 *pass, size_t len, u8 *key, bool *ret_ok)
{
	u32 n = key_bytes(l);
	u64 bytes = material_bytes(n), room = ROUND_UP(bytes, 512ull);
	u8 digest[DIGEST_LEN];
	struct crypto_cipher *c = NULL;
	*ret_ok = false;
	AUTO(free_ptr) u8 *stripes = try_alloc(room);
	if (!stripes)
		return err_new(ERR_BUSY, "Could not allocate %llu bytes for a keyslot",
			       (unsigned long long)room);
	struct err *e = slot_cipher(l, i, pass, len, &c);
	if (e)
		return e;
	int r = blk_pread(l->file, l->at + ld_be32(slot(l, i) + SLOT_AT) * 512ull, stripes, room);
	if (!r)
		r = crypto_sectors(c, false, 0, stripes, room);
	if (!r)
		r = merge(hash_of(l), stripes, n, key);
	if (!r)
		r = digest_of(l, key, digest);
	crypto_cipher_free(c);
	crypto_wipe(stripes, room);
	*ret_ok = !r && memcmp(digest, l->h + DIGEST, DIGEST_LEN) == 0;
	return r ? err_errno(-r, "Failed to read key material") : NULL;
}

struct err *luks_unlock(struct luks *l, const u8 *pass, size_t len)
{
	struct err *e = NULL;
	bool ok = false;
	for (unsigned i = 0; i < LUKS_SLOTS && !e && !ok; i++)
		if (active(l, i))
			e = try_slot(l, i, pass, len, l->key, &ok);
	if (!e && !ok)
		e = err_new(ERR_DENIED, "Invalid password, cannot unlock any keyslot");
	return e ? e : make_cipher(l, l->key, &l->cipher);
}

static int write_header(struct luks *l)
{
	int r = blk_pwrite(l->file, l->at, l->h, LUKS_HEADER);
	return r ? r : blk_flush(l->file);
}

/* The key's new home is stable before the header says that there is one. */
static struct err *fill_slot(struct luks *l, unsigned i, const u8 *pass, size_t len, u32 ms)
{
	u32 n = key_bytes(l);
	u64 bytes = material_bytes(n), room = ROUND_UP(bytes, 512ull);
	u8 *s = slot(l, i);
	struct crypto_cipher *c = NULL;
	AUTO(free_ptr) u8 *stripes = try_alloc(room);
	if (!stripes)
		return err_new(ERR_BUSY, "Could not allocate %llu bytes for a keyslot",
			       (unsigned long long)room);
	st_be32(s + SLOT_ITER, crypto_pbkdf2_iterations(hash_of(l), n, ms));
	int r = crypto_random(s + SLOT_SALT, SALT);
	struct err *e = r ? NULL : slot_cipher(l, i, pass, len, &c);
	if (e)
		return e;
	if (!r)
		r = split(hash_of(l), l->key, n, stripes);
	if (!r)
		r = crypto_sectors(c, true, 0, stripes, room);
	crypto_cipher_free(c);
	if (!r)
		r = blk_pwrite(l->file, l->at + ld_be32(s + SLOT_AT) * 512ull, stripes, room);
	if (!r)
		r = blk_flush(l->file);
	if (!r) {
		st_be32(s, ENABLED);
		r = write_header(l);
	}
	return r ? err_errno(-r, "Unable to write the keyslot") : NULL;
}

/* The key's old home is overwritten before the header forgets it. */
static struct err *erase_slot(struct luks *l, unsigned i)
{
	u64 bytes = material_bytes(key_bytes(l));
	u8 *s = slot(l, i);
	AUTO(free_ptr) u8 *noise = try_alloc(bytes);
	int r = noise ? 0 : -ENOMEM;
	for (unsigned pass = 0; pass < 4 && !r; pass++) {
		r = crypto_random(noise, bytes);
		if (!r)
			r = blk_pwrite_flush(l->file, l->at + ld_be32(s + SLOT_AT) * 512ull, noise, bytes);
	}
	if (!r) {
		st_be32(s, DISABLED);
		st_be32(s + SLOT_ITER, 0);
		memset(s + SLOT_SALT, 0, SALT);
		r = write_header(l);
	}
	return r ? err_errno(-r, "Failed to erase the keyslot") : NULL;
}

/* ---- a new volume ---- */

static const char *opt(const struct json *opts, const char *prefix, const char *name)
{
	AUTO(free_ptr) char *full = strf("%s%s", prefix, name);
	return blk_opt_str(opts, full);
}

struct luks_params luks_params_of(const struct json *opts, const char *prefix)
{
	AUTO(free_ptr) char *time = strf("%siter-time", prefix);
	return (struct luks_params){ opt(opts, prefix, "cipher-alg"),
				     opt(opts, prefix, "cipher-mode"),
				     opt(opts, prefix, "ivgen-alg"),
				     opt(opts, prefix, "ivgen-hash-alg"),
				     opt(opts, prefix, "hash-alg"),
				     blk_opt_num(opts, time, 0),
				     blk_opt_bool(opts, "detached-header", false) };
}

/* Fills the header's names and sizes. */
static struct err *choose(struct luks *l, const struct luks_params *p)
{
	static const struct {
		const char *name;
		u32 key;
	} ciphers[] = { { "aes-128", 16 }, { "aes-192", 24 }, { "aes-256", 32 } };
	const char *alg = p->cipher_alg ?: "aes-256", *mode = p->cipher_mode ?: "xts",
		   *gen = p->ivgen_alg ?: "plain64";
	const char *hash = p->hash_alg ?: "sha256", *gen_hash = p->ivgen_hash_alg ?: "sha256";
	unsigned i = 0;
	while (i < LEN(ciphers) && strcmp(ciphers[i].name, alg) != 0)
		i++;
	if (i == LEN(ciphers))
		return err_new(ERR_UNSUPPORTED, "Cipher algorithm '%s' is not supported", alg);
	if (strcmp(mode, "xts") != 0 && strcmp(mode, "cbc") != 0 && strcmp(mode, "ecb") != 0)
		return err_new(ERR_UNSUPPORTED, "Cipher mode '%s' is not supported", mode);
	if (!crypto_hash_size(hash))
		return err_new(ERR_UNSUPPORTED, "Hash algorithm '%s' not supported", hash);
	memset(l->h, 0, LUKS_HEADER);
	memcpy(l->h, magic, 6);
	st_be16(l->h + VERSION, 1);
	snprintf((char *)l->h + CIPHER, NAME, "aes");
	snprintf((char *)l->h + HASH, NAME, "%s", hash);
	int n = strcmp(gen, "essiv") == 0
		    ? snprintf((char *)l->h + MODE, NAME, "%s-%s:%s", mode, gen, gen_hash)
		    : snprintf((char *)l->h + MODE, NAME, "%s-%s", mode, gen);
	if (n >= NAME)
		return err_new(ERR_INVALID, "Cipher mode '%s-%s' is too long", mode, gen);
	st_be32(l->h + KEY_BYTES, ciphers[i].key * (strcmp(mode, "xts") == 0 ? 2 : 1));
	u32 sectors = ROUND_UP((material_bytes(key_bytes(l)) + 511) / 512, (u64)ALIGN);
	for (unsigned s = 0; s < LUKS_SLOTS; s++) {
		st_be32(slot(l, s), DISABLED);
		st_be32(slot(l, s) + SLOT_AT, ALIGN + s * sectors);
		st_be32(slot(l, s) + SLOT_STRIPES, STRIPES);
	}
	st_be32(l->h + PAYLOAD, ALIGN + LUKS_SLOTS * sectors);
	struct err *e = make_cipher(l, l->key, &l->cipher); /* a try: the real key comes later */
	crypto_cipher_free(l->cipher);
	l->cipher = NULL;
	return e;
}

struct err *luks_header_bytes(const struct luks_params *p, u64 *ret)
{
	struct luks l = { .key = { 1 } };
	struct err *e = choose(&l, p);
	*ret = luks_payload(&l);
	return e;
}

static int write_uuid(u8 *to)
{
	u8 u[16];
	int r = crypto_random(u, sizeof(u));
	u[6] = (u[6] & 0x0f) | 0x40;
	u[8] = (u[8] & 0x3f) | 0x80;
	for (unsigned i = 0, o = 0; i < 16; i++, o += 2) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			to[o++] = '-';
		snprintf((char *)to + o, 3, "%02x", u[i]);
	}
	return r;
}

struct err *luks_format(struct luks *l, struct blk_node *file, u64 at, const struct luks_params *p,
			const u8 *pass, size_t len)
{
	u32 ms = p->iter_time ? p->iter_time : 2000;
	*l = (struct luks){ .file = file, .at = at };
	int r = crypto_random(l->key, sizeof(l->key));
	struct err *e = r ? err_new(ERR_IO, "Could not get random bytes for a key") : choose(l, p);
	if (!e)
		e = make_cipher(l, l->key, &l->cipher);
	if (e)
		return e;
	if (p->detached)
		st_be32(l->h + PAYLOAD, 0);
	st_be32(l->h + DIGEST_ITER, MAX(crypto_pbkdf2_iterations(hash_of(l), DIGEST_LEN, ms) / 8, 1000u));
	r = crypto_random(l->h + DIGEST_SALT, SALT);
	if (!r)
		r = write_uuid(l->h + UUID);
	if (!r)
		r = digest_of(l, l->key, l->h + DIGEST);
	return r ? err_errno(-r, "Could not make the LUKS header") : fill_slot(l, 0, pass, len, ms);
}

/* ---- info ---- */

struct json *luks_info(const struct luks *l)
{
	char buf[NAME];
	const char *mode, *ivgen, *iv_hash;
	split_mode((const char *)l->h + MODE, buf, &mode, &ivgen, &iv_hash);
	struct json *j = json_dict(), *list = json_list();
	u32 bits = key_bytes(l) * 8 / (strcmp(mode, "xts") == 0 ? 2 : 1);
	json_set(j, "ivgen-alg", json_str(ivgen ? ivgen : "none"));
	if (iv_hash)
		json_set(j, "ivgen-hash-alg", json_str(iv_hash));
	json_set(j, "hash-alg", json_str(hash_of(l)));
	json_set(j, "cipher-alg", json_strf("%s-%u", (const char *)l->h + CIPHER, bits));
	json_set(j, "uuid", json_strf("%.40s", (const char *)l->h + UUID));
	json_set(j, "cipher-mode", json_str(mode));
	for (unsigned i = 0; i < LUKS_SLOTS; i++) {
		const u8 *s = l->h + SLOTS + i * SLOT_SIZE;
		struct json *o = json_dict();
		json_set(o, "active", json_bool(active(l, i)));
		if (active(l, i))
			json_set(o, "iters", json_int(ld_be32(s + SLOT_ITER)));
		json_set(o, "key-offset", json_int(ld_be32(s + SLOT_AT) * 512ll));
		if (active(l, i))
			json_set(o, "stripes", json_int(ld_be32(s + SLOT_STRIPES)));
		json_add(list, o);
	}
	json_set(j, "slots", list);
	json_set(j, "payload-offset", json_int(luks_payload(l)));
	json_set(j, "master-key-iters", json_int(ld_be32(l->h + DIGEST_ITER)));
	return j;
}

/* ---- amend ---- */

struct change {
	const char *old_id, *new_id;
	int slot; /* -1: not given */
	u32 ms;
	bool force;
};

static unsigned count_active(const struct luks *l)
{
	unsigned n = 0;
	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		n += active(l, i);
	return n;
}

static struct err *add_slot(struct luks *l, struct blk_graph *graph, const struct change *c)
{
	const u8 *pass;
	size_t len;
	unsigned i = 0;
	if (!c->new_id)
		return err_new(ERR_INVALID, "'new-secret' is required to activate a keyslot");
	if (c->old_id)
		return err_new(ERR_INVALID, "'old-secret' must not be given when activating keyslots");
	if (!l->cipher)
		return err_new(ERR_DENIED, "The image must be unlocked with 'key-secret' to add a keyslot");
	struct err *e = blk_secret(graph, c->new_id, &pass, &len);
	if (e)
		return e;
	if (c->slot >= 0) {
		i = c->slot;
		if (active(l, i) && !c->force)
			return err_new(ERR_DENIED,
				       "Refusing to overwrite active keyslot %u - please erase it first", i);
	} else {
		while (i < LUKS_SLOTS && active(l, i))
			i++;
		if (i == LUKS_SLOTS)
			return err_new(ERR_BUSY, "Can't add a keyslot - all keyslots are in use");
	}
	return fill_slot(l, i, pass, len, c->ms);
}

static struct err *erase_matching(struct luks *l, const u8 *pass, size_t len, bool force)
{
	bool match[LUKS_SLOTS] = { 0 };
	unsigned n = 0;
	u8 key[LUKS_KEY_MAX];
	struct err *e = NULL;
	for (unsigned i = 0; i < LUKS_SLOTS && !e; i++)
		if (active(l, i)) {
			e = try_slot(l, i, pass, len, key, &match[i]);
			n += !e && match[i];
		}
	crypto_wipe(key, sizeof(key));
	if (!e && !n)
		e = err_new(ERR_NOT_FOUND, "No keyslots match given (old) password for erase operation");
	if (!e && !force && n == count_active(l))
		e = err_new(
		    ERR_DENIED,
		    "All the active keyslots match the (old) password that was given and erasing them will "
		    "erase all the data in the image irreversibly - refusing operation");
	for (unsigned i = 0; i < LUKS_SLOTS && !e; i++)
		if (match[i])
			e = erase_slot(l, i);
	return e;
}

static struct err *remove_slots(struct luks *l, struct blk_graph *graph, const struct change *c)
{
	const u8 *pass = NULL;
	size_t len = 0;
	bool ok = true;
	u8 key[LUKS_KEY_MAX];
	if (c->new_id)
		return err_new(ERR_INVALID, "'new-secret' must not be given when erasing keyslots");
	struct err *e = c->old_id ? blk_secret(graph, c->old_id, &pass, &len) : NULL;
	if (e)
		return e;
	if (c->slot < 0)
		return c->old_id
			   ? erase_matching(l, pass, len, c->force)
			   : err_new(ERR_INVALID,
				     "To erase keyslot(s), either explicit keyslot index or the password "
				     "currently contained in them must be given");
	unsigned i = c->slot;
	if (!active(l, i) && !c->force)
		return err_new(ERR_INVALID, "Given keyslot %u is already erased (inactive) ", i);
	if (c->old_id && active(l, i) && (e = try_slot(l, i, pass, len, key, &ok)))
		return e;
	if (!ok)
		return err_new(
		    ERR_DENIED,
		    "Given keyslot %u doesn't contain the given (old) password for erase operation", i);
	if (!c->force && count_active(l) == 1)
		return err_new(
		    ERR_DENIED,
		    "Attempt to erase the only active keyslot %u which will erase all the data in the "
		    "image irreversibly - refusing operation",
		    i);
	return erase_slot(l, i);
}

struct err *luks_amend(struct luks *l, struct blk_graph *graph, const struct json *opts, const char *prefix,
		       bool force)
{
	const char *state = opt(opts, prefix, "state"), *number = opt(opts, prefix, "keyslot");
	const char *time = opt(opts, prefix, "iter-time");
	struct change c = { opt(opts, prefix, "old-secret"), opt(opts, prefix, "new-secret"), -1, 2000,
			    force };
	char *end;
	if (number) {
		long n = strtol(number, &end, 10);
		if (!*number || *end || n < 0 || n >= LUKS_SLOTS)
			return err_new(ERR_INVALID,
				       "Invalid keyslot %s specified, should be between 0 and %d", number,
				       LUKS_SLOTS - 1);
		c.slot = n;
	}
	if (time)
		c.ms = strtoul(time, &end, 10);
	if (!c.ms)
		c.ms = 1;
	if (state && strcmp(state, "active") == 0)
		return add_slot(l, graph, &c);
	if (state && strcmp(state, "inactive") == 0)
		return remove_slots(l, graph, &c);
	return state ? err_new(ERR_INVALID, "Invalid parameter '%s'", state)
		     : err_new(ERR_INVALID, "Parameter '%sstate' is missing", prefix);
}
