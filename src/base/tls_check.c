//needs: gnutls
/* Checks of certificate files: RFC 5280, 4.1.2.5 (validity), 4.2.1.3 (usage), 4.2.1.9 (constraints), 4.2.1.12 (purpose). */
#include "base/tls_check.h"
#include "base/gnutls.h"
#include <time.h>

enum { MAX_PURPOSES = 32 };

struct list {
	gnutls_x509_crt_t *certs;
	unsigned n;
};

static struct err *load(const char *file, struct list *ret)
{
	gnutls_datum_t text;
	int r = gnutls.load_file(file, &text);
	if (r < 0)
		return err_new(ERR_INVALID, "Cannot load certificate file %s: %s", file, gnutls.strerror(r));
	r = gnutls.x509_crt_list_import2(&ret->certs, &ret->n, &text, GNUTLS_X509_FMT_PEM, 0);
	free(text.data);
	if (r >= 0 && ret->n)
		return NULL;
	return err_new(ERR_INVALID, "Unable to import certificate %s: %s", file,
		       r < 0 ? gnutls.strerror(r) : "there is none in it");
}

static void unload(struct list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		gnutls.x509_crt_deinit(l->certs[i]);
	free(l->certs);
}

static struct err *check_times(gnutls_x509_crt_t cert, const char *file, const char *what)
{
	time_t now = time(NULL);
	if (gnutls.x509_crt_get_expiration_time(cert) < now)
		return err_new(ERR_INVALID, "The %s certificate %s has expired", what, file);
	if (gnutls.x509_crt_get_activation_time(cert) > now)
		return err_new(ERR_INVALID, "The %s certificate %s is not yet active", what, file);
	return NULL;
}

static struct err *check_constraints(gnutls_x509_crt_t cert, const char *file, const char *what, bool ca)
{
	int r = gnutls.x509_crt_get_basic_constraints(cert, NULL, NULL, NULL);
	if (r > 0 && !ca)
		return err_new(ERR_INVALID,
			       "The certificate %s basic constraints show a CA, but we need one for a %s",
			       file, what);
	if (r == 0 && ca)
		return err_new(ERR_INVALID, "The certificate %s basic constraints do not show a CA", file);
	if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return ca ? err_new(ERR_INVALID, "The certificate %s is missing basic constraints for a CA",
				    file)
			  : NULL;
	return r < 0 ? err_new(ERR_INVALID, "Unable to query certificate %s basic constraints: %s", file,
			       gnutls.strerror(r))
		     : NULL;
}

/* Usage that is not marked critical is advice. */
static struct err *check_usage(gnutls_x509_crt_t cert, const char *file, bool ca)
{
	unsigned usage, critical;
	int r = gnutls.x509_crt_get_key_usage(cert, &usage, &critical);
	if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE || (r >= 0 && !critical))
		return NULL;
	if (r < 0)
		return err_new(ERR_INVALID, "Unable to query certificate %s key usage: %s", file,
			       gnutls.strerror(r));
	const char *lacks = ca && !(usage & GNUTLS_KEY_KEY_CERT_SIGN)	     ? "certificate signing"
			    : !ca && !(usage & GNUTLS_KEY_DIGITAL_SIGNATURE) ? "digital signature"
			    : !ca && !(usage & GNUTLS_KEY_KEY_ENCIPHERMENT)  ? "key encipherment"
									     : NULL;
	return lacks ? err_new(ERR_INVALID, "Certificate %s usage does not permit %s", file, lacks) : NULL;
}

static struct err *check_purpose(gnutls_x509_crt_t cert, const char *file, const char *what, bool server)
{
	const char *want = server ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT;
	unsigned critical = 0, any_critical = 0;
	for (unsigned i = 0; i < MAX_PURPOSES; i++) {
		char oid[128];
		size_t len = sizeof(oid);
		int r = gnutls.x509_crt_get_key_purpose_oid(cert, i, oid, &len, &critical);
		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
			if (!any_critical)
				return NULL;
			break;
		}
		if (r < 0)
			return err_new(ERR_INVALID, "Unable to query certificate %s key purpose: %s", file,
				       gnutls.strerror(r));
		any_critical |= critical;
		if (strcmp(oid, want) == 0 || strcmp(oid, GNUTLS_KP_ANY) == 0)
			return NULL;
	}
	return err_new(ERR_INVALID, "Certificate %s purpose does not allow use with a TLS %s", file, what);
}

static struct err *check_one(gnutls_x509_crt_t cert, const char *file, bool ca, bool server)
{
	const char *what = ca ? "CA" : server ? "server" : "client";
	struct err *e = check_times(cert, file, what);
	if (!e)
		e = check_constraints(cert, file, what, ca);
	if (!e)
		e = check_usage(cert, file, ca);
	return e || ca ? e : check_purpose(cert, file, what, server);
}

/* The first reason GnuTLS has. */
static const char *reason(unsigned status)
{
	return status & GNUTLS_CERT_REVOKED		 ? "The certificate has been revoked"
	       : status & GNUTLS_CERT_SIGNER_NOT_FOUND	 ? "The certificate hasn't got a known issuer"
	       : status & GNUTLS_CERT_INSECURE_ALGORITHM ? "The certificate uses an insecure algorithm"
							 : "The certificate is not trusted";
}

static struct err *check_chain(const struct list *cas, const char *ca, const struct list *own,
			       const char *cert)
{
	unsigned status;
	int r = gnutls.x509_crt_list_verify(own->certs, own->n, cas->certs, cas->n, NULL, 0, 0, &status);
	if (r < 0)
		return err_new(ERR_INVALID, "Unable to verify the certificate %s against %s: %s", cert, ca,
			       gnutls.strerror(r));
	return status ? err_new(ERR_INVALID, "Our own certificate %s failed validation against %s: %s", cert,
				ca, reason(status))
		      : NULL;
}

struct err *tls_check_files(const char *ca, const char *cert, bool server)
{
	struct list cas = { 0 }, own = { 0 };
	struct err *e = load(ca, &cas);
	if (!e && cert)
		e = load(cert, &own);
	if (!e && cert)
		e = check_one(own.certs[0], cert, false, server);
	for (unsigned i = 0; i < cas.n && !e; i++)
		e = check_one(cas.certs[i], ca, true, server);
	if (!e && cert)
		e = check_chain(&cas, ca, &own, cert);
	unload(&own);
	unload(&cas);
	return e;
}
