/*
 * TLS: credentials as the objects tls-creds-x509, tls-creds-psk and tls-creds-anon describe them, and sessions over
 * connected sockets. Sessions wait as coroutines, or with poll(). By GnuTLS; a build without it refuses credentials.
 */
#pragma once
#include "base/err.h"
#include "base/iov.h"
#include <sys/types.h>

struct tls_creds;
struct tls;

enum tls_kind { TLS_ANON, TLS_PSK, TLS_X509 };

struct tls_describe {
	enum tls_kind kind;
	bool server, verify_peer;
	bool check; /* x509: the certificates are looked through first, as a TLS handshake would later */
	const char *dir; /* of the files; NULL for an x509 client: the host's certificate authorities */
	const char *psk_file; /* instead of dir/keys.psk */
	const char *username; /* of a PSK client, NULL: "qemu" */
	const char *priority; /* GnuTLS priority string, NULL: the usual one */
	const char *password; /* of the private key, NULL: none */
};

/* Reads the files. The credentials come with one reference. */
struct err *tls_creds_new(const struct tls_describe *d, struct tls_creds **ret) MUST_CHECK;
struct tls_creds *tls_creds_ref(struct tls_creds *c);
/* NULL is ignored. */
void tls_creds_unref(struct tls_creds *c);
bool tls_creds_for_server(const struct tls_creds *c);

/* Shakes hands and checks the other side's certificate where the credentials ask for that. */
struct err *tls_start(struct tls_creds *creds, int fd, const char *hostname, struct tls **ret) MUST_CHECK;
/* The name in the other side's certificate ("C=GB,O=..."), NULL when it has none. Caller frees. */
char *tls_peer_name(struct tls *t);
/* Some bytes: their number, 0 at the end, -errno. */
ssize_t tls_recv(struct tls *t, void *buf, size_t len);
/* Everything: 0 or -errno. */
int tls_send(struct tls *t, const void *head, size_t head_len, struct iovs payload);
/* Says goodbye where that does not wait, and frees. NULL is ignored. */
void tls_end(struct tls *t);
