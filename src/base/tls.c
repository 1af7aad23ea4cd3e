/* Files and their names: qemu(1), objects tls-creds-*; sessions: GnuTLS manual. */
#include "base/tls.h"

#ifdef HAVE_GNUTLS
#include "base/gnutls.h"
#include "base/loop/loop.h"
#include "base/tls_check.h"
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

struct tls_creds {
	unsigned refs;
	enum tls_kind kind;
	bool server, verify;
	char *priority;
	union {
		gnutls_certificate_credentials_t x509;
		gnutls_psk_client_credentials_t psk_client;
		gnutls_psk_server_credentials_t psk_server;
		gnutls_anon_client_credentials_t anon_client;
		gnutls_anon_server_credentials_t anon_server;
	};
};

struct tls {
	struct tls_creds *creds;
	gnutls_session_t session;
	int fd;
	u8 *out; /* gathers what is sent into records */
};

enum { RECORD = 16384, MAX_KEY_LINE = 8192 };

/* ---- credentials ---- */

static bool readable(const char *dir, const char *name, char **ret)
{
	*ret = strf("%s/%s", dir, name);
	return access(*ret, R_OK) == 0;
}

static struct err *missing(const char *path)
{
	return err_errno(errno, "Unable to access credentials %s", path);
}

static struct err *load_x509(struct tls_creds *c, const struct tls_describe *d)
{
	AUTO(free_ptr) char *ca = NULL, *crl = NULL, *cert = NULL, *key = NULL;
	int r = gnutls.certificate_allocate_credentials(&c->x509);
	if (r < 0)
		return err_new(ERR_BUSY, "Cannot allocate credentials: %s", gnutls.strerror(r));
	if (!d->dir) {
		r = gnutls.certificate_set_x509_system_trust(c->x509);
		return r < 0 ? err_new(ERR_NOT_FOUND, "No certificate authorities on this host: %s",
				       gnutls.strerror(r))
			     : NULL;
	}
	if (!readable(d->dir, "ca-cert.pem", &ca))
		return missing(ca);
	bool has_cert = readable(d->dir, c->server ? "server-cert.pem" : "client-cert.pem", &cert);
	if (!has_cert && c->server)
		return missing(cert);
	bool has_key = readable(d->dir, c->server ? "server-key.pem" : "client-key.pem", &key);
	if (has_cert && !has_key)
		return missing(key);
	struct err *e = d->check ? tls_check_files(ca, has_cert ? cert : NULL, c->server) : NULL;
	if (e)
		return e;
	r = gnutls.certificate_set_x509_trust_file(c->x509, ca, GNUTLS_X509_FMT_PEM);
	if (r < 0)
		return err_new(ERR_INVALID, "Cannot load CA certificate '%s': %s", ca, gnutls.strerror(r));
	if (has_cert) {
		r = gnutls.certificate_set_x509_key_file2(c->x509, cert, key, GNUTLS_X509_FMT_PEM,
							  d->password, 0);
		if (r < 0)
			return err_new(ERR_INVALID, "Cannot load certificate '%s' & key '%s': %s", cert, key,
				       gnutls.strerror(r));
	}
	if (readable(d->dir, "ca-crl.pem", &crl)) {
		r = gnutls.certificate_set_x509_crl_file(c->x509, crl, GNUTLS_X509_FMT_PEM);
		if (r < 0)
			return err_new(ERR_INVALID, "Cannot load CRL '%s': %s", crl, gnutls.strerror(r));
	}
	if (c->server)
		gnutls.certificate_set_known_dh_params(c->x509, GNUTLS_SEC_PARAM_MEDIUM);
	return NULL;
}

/* "user:hexkey", a line each. */
static struct err *find_key(const char *path, const char *user, char **ret)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return missing(path);
	char *line = NULL;
	size_t cap = 0, n = strlen(user);
	ssize_t len;
	*ret = NULL;
	while (!*ret && (len = getline(&line, &cap, f)) > 0 && len < MAX_KEY_LINE) {
		line[strcspn(line, "\r\n")] = 0;
		if (strncmp(line, user, n) == 0 && line[n] == ':')
			*ret = str_dup(line + n + 1);
	}
	if (line)
		explicit_bzero(line, cap);
	free(line);
	fclose(f);
	return *ret ? NULL : err_new(ERR_NOT_FOUND, "Username %s not found in PSK file %s", user, path);
}

static struct err *load_psk(struct tls_creds *c, const struct tls_describe *d)
{
	const char *user = d->username ? d->username : "qemu";
	if (!d->dir && !d->psk_file)
		return err_new(ERR_INVALID, "Missing 'dir' property value");
	AUTO(free_ptr) char *path = d->psk_file ? str_dup(d->psk_file) : strf("%s/keys.psk", d->dir);
	if (access(path, R_OK))
		return missing(path);
	int r;
	if (c->server) {
		if (d->username)
			return err_new(ERR_INVALID, "username should not be set when endpoint=server");
		r = gnutls.psk_allocate_server_credentials(&c->psk_server);
		if (r >= 0)
			r = gnutls.psk_set_server_credentials_file(c->psk_server, path);
		if (r >= 0)
			r = gnutls.psk_set_server_known_dh_params(c->psk_server, GNUTLS_SEC_PARAM_MEDIUM);
	} else {
		AUTO(free_ptr) char *key = NULL;
		struct err *e = find_key(path, user, &key);
		if (e)
			return e;
		gnutls_datum_t k = { (u8 *)key, strlen(key) };
		r = gnutls.psk_allocate_client_credentials(&c->psk_client);
		if (r >= 0)
			r = gnutls.psk_set_client_credentials(c->psk_client, user, &k, GNUTLS_PSK_KEY_HEX);
		explicit_bzero(key, k.size);
	}
	return r < 0 ? err_new(ERR_INVALID, "Cannot set PSK credentials: %s", gnutls.strerror(r)) : NULL;
}

static struct err *load_anon(struct tls_creds *c)
{
	int r = c->server ? gnutls.anon_allocate_server_credentials(&c->anon_server)
			  : gnutls.anon_allocate_client_credentials(&c->anon_client);
	if (r >= 0 && c->server)
		r = gnutls.anon_set_server_known_dh_params(c->anon_server, GNUTLS_SEC_PARAM_MEDIUM);
	return r < 0 ? err_new(ERR_BUSY, "Cannot allocate credentials: %s", gnutls.strerror(r)) : NULL;
}

struct err *tls_creds_new(const struct tls_describe *d, struct tls_creds **ret)
{
	struct err *e = gnutls_open();
	if (e)
		return e;
	struct tls_creds *c = alloc(sizeof(*c));
	c->refs = 1;
	c->kind = d->kind;
	c->server = d->server;
	c->verify = d->verify_peer;
	if (d->priority)
		c->priority = str_dup(d->priority);
	e = d->kind == TLS_X509 ? load_x509(c, d) : d->kind == TLS_PSK ? load_psk(c, d) : load_anon(c);
	if (e) {
		tls_creds_unref(c);
		return e;
	}
	*ret = c;
	return NULL;
}

struct tls_creds *tls_creds_ref(struct tls_creds *c)
{
	c->refs++;
	return c;
}

void tls_creds_unref(struct tls_creds *c)
{
	if (!c || --c->refs)
		return;
	if (c->kind == TLS_X509 && c->x509)
		gnutls.certificate_free_credentials(c->x509);
	else if (c->kind == TLS_PSK && c->server && c->psk_server)
		gnutls.psk_free_server_credentials(c->psk_server);
	else if (c->kind == TLS_PSK && !c->server && c->psk_client)
		gnutls.psk_free_client_credentials(c->psk_client);
	else if (c->kind == TLS_ANON && c->server && c->anon_server)
		gnutls.anon_free_server_credentials(c->anon_server);
	else if (c->kind == TLS_ANON && !c->server && c->anon_client)
		gnutls.anon_free_client_credentials(c->anon_client);
	free(c->priority);
	free(c);
}

bool tls_creds_for_server(const struct tls_creds *c)
{
	return c->server;
}

/* ---- sessions ---- */

static int set_up(struct tls *t, const char *hostname)
{
	static const char *const extra[] = { [TLS_ANON] = "NORMAL:-VERS-TLS1.3:+ANON-DH:+ANON-ECDH",
					     [TLS_PSK] = "NORMAL:+ECDHE-PSK:+DHE-PSK:+PSK",
					     [TLS_X509] = "NORMAL" };
	static const gnutls_credentials_type_t types[] = {
		[TLS_ANON] = GNUTLS_CRD_ANON, [TLS_PSK] = GNUTLS_CRD_PSK, [TLS_X509] = GNUTLS_CRD_CERTIFICATE
	};
	struct tls_creds *c = t->creds;
	int r = gnutls.init(&t->session,
			    (c->server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	if (r < 0) {
		t->session = NULL;
		return r;
	}
	r = gnutls.priority_set_direct(t->session, c->priority ? c->priority : extra[c->kind], NULL);
	if (r >= 0)
		r = gnutls.credentials_set(t->session, types[c->kind], (void *)c->x509);
	/* A client may always show a certificate; without one it fails the check when the server makes it. */
	if (r >= 0 && c->kind == TLS_X509 && c->server)
		gnutls.certificate_server_set_request(t->session,
						      c->verify ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
	if (r >= 0 && c->kind == TLS_X509 && !c->server && hostname)
		gnutls.server_name_set(t->session, GNUTLS_NAME_DNS, hostname, strlen(hostname));
	gnutls.transport_set_int2(t->session, t->fd, t->fd);
	return r;
}

static struct err *check_status(unsigned status)
{
	static const struct {
		unsigned bit;
		const char *text;
	} known[] = {
		{ GNUTLS_CERT_SIGNER_NOT_FOUND, "The certificate hasn't got a known issuer" },
		{ GNUTLS_CERT_REVOKED, "The certificate has been revoked" },
		{ GNUTLS_CERT_EXPIRED, "The certificate has expired" },
		{ GNUTLS_CERT_NOT_ACTIVATED, "The certificate is not yet activated" },
		{ GNUTLS_CERT_INSECURE_ALGORITHM, "The certificate uses an insecure algorithm" },
	};
	if (!status)
		return NULL;
	for (unsigned i = 0; i < LEN(known); i++)
		if (status & known[i].bit)
			return err_new(ERR_DENIED, "%s", known[i].text);
	return err_new(ERR_DENIED, "The certificate is not trusted");
}

static struct err *first_cert(struct tls *t, gnutls_x509_crt_t *ret)
{
	unsigned n;
	const gnutls_datum_t *list = gnutls.certificate_get_peers(t->session, &n);
	if (!list || !n || gnutls.x509_crt_init(ret) < 0)
		return err_new(ERR_DENIED, "No certificate peers");
	int r = gnutls.x509_crt_import(*ret, &list[0], GNUTLS_X509_FMT_DER);
	if (r >= 0)
		return NULL;
	gnutls.x509_crt_deinit(*ret);
	return err_new(ERR_DENIED, "Cannot import certificate: %s", gnutls.strerror(r));
}

static struct err *check_peer(struct tls *t, const char *hostname)
{
	struct tls_creds *c = t->creds;
	unsigned status;
	gnutls_x509_crt_t cert;
	if (c->kind != TLS_X509 || !c->verify)
		return NULL;
	int r = gnutls.certificate_verify_peers2(t->session, &status);
	if (r < 0)
		return err_new(ERR_DENIED, "Verify failed: %s", gnutls.strerror(r));
	struct err *e = check_status(status);
	if (e || c->server)
		return e;
	if (!hostname)
		return err_new(ERR_DENIED, "No hostname for certificate validation");
	if ((e = first_cert(t, &cert)))
		return e;
	if (!gnutls.x509_crt_check_hostname(cert, hostname))
		e = err_new(ERR_DENIED, "Certificate does not match the hostname %s", hostname);
	gnutls.x509_crt_deinit(cert);
	return e;
}

static void wait_for(struct tls *t)
{
	co_wait_fd(t->fd, gnutls.record_get_direction(t->session) ? EPOLLOUT : EPOLLIN);
}

struct err *tls_start(struct tls_creds *creds, int fd, const char *hostname, struct tls **ret)
{
	struct tls *t = alloc(sizeof(*t));
	struct err *e = NULL;
	t->creds = tls_creds_ref(creds);
	t->fd = fd;
	t->out = alloc(RECORD);
	int r = set_up(t, hostname);
	if (r < 0)
		e = err_new(ERR_INVALID, "TLS session cannot be set up: %s", gnutls.strerror(r));
	while (!e && (r = gnutls.handshake(t->session)) < 0) {
		if (r == GNUTLS_E_AGAIN)
			wait_for(t);
		else if (r != GNUTLS_E_INTERRUPTED && gnutls.error_is_fatal(r))
			e = err_new(ERR_DENIED, "TLS handshake failed: %s", gnutls.strerror(r));
	}
	if (!e)
		e = check_peer(t, hostname);
	if (e) {
		if (t->session)
			gnutls.deinit(t->session);
		t->session = NULL;
		tls_end(t);
		return e;
	}
	*ret = t;
	return NULL;
}

char *tls_peer_name(struct tls *t)
{
	gnutls_x509_crt_t cert;
	struct err *e = first_cert(t, &cert);
	gnutls_datum_t dn;
	if (e) {
		err_free(e);
		return NULL;
	}
	char *name = NULL;
	if (gnutls.x509_crt_get_dn2(cert, &dn) >= 0) {
		name = strf("%.*s", (int)dn.size, (char *)dn.data);
		free(dn.data);
	}
	gnutls.x509_crt_deinit(cert);
	return name;
}

static int to_errno(int r)
{
	return r == GNUTLS_E_PREMATURE_TERMINATION ? -ECONNABORTED
	       : r == GNUTLS_E_PULL_ERROR	   ? -ECONNRESET
						   : -EIO;
}

ssize_t tls_recv(struct tls *t, void *buf, size_t len)
{
	for (;;) {
		ssize_t n = gnutls.record_recv(t->session, buf, len);
		if (n >= 0)
			return n;
		if (n == GNUTLS_E_AGAIN)
			co_wait_fd(t->fd, EPOLLIN);
		else if (n != GNUTLS_E_INTERRUPTED && gnutls.error_is_fatal(n))
			return to_errno(n);
	}
}

static int send_record(struct tls *t, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = gnutls.record_send(t->session, t->out + done, len - done);
		if (n >= 0)
			done += n;
		else if (n == GNUTLS_E_AGAIN)
			co_wait_fd(t->fd, EPOLLOUT);
		else if (n != GNUTLS_E_INTERRUPTED && gnutls.error_is_fatal(n))
			return to_errno(n);
	}
	return 0;
}

int tls_send(struct tls *t, const void *head, size_t head_len, struct iovs payload)
{
	size_t n = MIN(head_len, (size_t)RECORD);
	memcpy(t->out, head, n);
	if (n < head_len)
		return -EINVAL;
	for (;;) {
		size_t part = MIN(payload.len, RECORD - n);
		iovs_to_buf(iovs_cut(payload, 0, part), t->out + n);
		int r = send_record(t, n + part);
		if (r || part == payload.len)
			return r;
		payload = iovs_cut(payload, part, payload.len - part);
		n = 0;
	}
}

void tls_end(struct tls *t)
{
	if (!t)
		return;
	if (t->session) {
		gnutls.bye(t->session, GNUTLS_SHUT_WR);
		gnutls.deinit(t->session);
	}
	tls_creds_unref(t->creds);
	explicit_bzero(t->out, RECORD);
	free(t->out);
	free(t);
}

#else /* no GnuTLS: there are no credentials, so nothing below is reached but the first */

struct err *tls_creds_new(const struct tls_describe *d UNUSED, struct tls_creds **ret UNUSED)
{
	return err_new(ERR_UNSUPPORTED, "TLS credentials support requires GNUTLS");
}

struct tls_creds *tls_creds_ref(struct tls_creds *c)
{
	return c;
}

void tls_creds_unref(struct tls_creds *c UNUSED)
{
}

bool tls_creds_for_server(const struct tls_creds *c UNUSED)
{
	return false;
}

struct err *tls_start(struct tls_creds *creds UNUSED, int fd UNUSED, const char *hostname UNUSED,
		      struct tls **ret UNUSED)
{
	return err_new(ERR_UNSUPPORTED, "TLS support requires GNUTLS");
}

char *tls_peer_name(struct tls *t UNUSED)
{
	return NULL;
}

ssize_t tls_recv(struct tls *t UNUSED, void *buf UNUSED, size_t len UNUSED)
{
	return -1;
}

int tls_send(struct tls *t UNUSED, const void *head UNUSED, size_t head_len UNUSED,
	     struct iovs payload UNUSED)
{
	return -1;
}

void tls_end(struct tls *t UNUSED)
{
}
#endif
