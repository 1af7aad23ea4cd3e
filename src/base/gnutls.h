/*
 * GnuTLS, opened when first needed (lib.h): with what it needs in turn it takes longer to load than most runs of a program.
 * Its functions are called as members of `gnutls`: gnutls.init() for gnutls_init().
 */
#pragma once
#ifdef HAVE_GNUTLS
#include "base/err.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

/* clang-format off */
#define GNUTLS_FUNCTIONS(F) \
	F(anon_allocate_client_credentials) F(anon_allocate_server_credentials) \
	F(anon_free_client_credentials) F(anon_free_server_credentials) F(anon_set_server_known_dh_params) \
	F(bye) F(certificate_allocate_credentials) F(certificate_free_credentials) \
	F(certificate_get_peers) F(certificate_server_set_request) F(certificate_set_known_dh_params) \
	F(certificate_set_x509_crl_file) F(certificate_set_x509_key_file2) \
	F(certificate_set_x509_system_trust) F(certificate_set_x509_trust_file) \
	F(certificate_verify_peers2) F(cipher_decrypt2) F(cipher_deinit) F(cipher_encrypt2) F(cipher_init) \
	F(cipher_set_iv) F(credentials_set) F(deinit) F(error_is_fatal) F(handshake) F(hash_fast) \
	F(hash_get_len) F(init) F(load_file) F(pbkdf2) F(priority_set_direct) \
	F(psk_allocate_client_credentials) F(psk_allocate_server_credentials) \
	F(psk_free_client_credentials) F(psk_free_server_credentials) F(psk_set_client_credentials) \
	F(psk_set_server_credentials_file) F(psk_set_server_known_dh_params) F(record_get_direction) \
	F(record_recv) F(record_send) F(rnd) F(server_name_set) F(strerror) F(transport_set_int2) \
	F(x509_crt_check_hostname) F(x509_crt_deinit) F(x509_crt_get_activation_time) \
	F(x509_crt_get_basic_constraints) F(x509_crt_get_dn2) F(x509_crt_get_expiration_time) \
	F(x509_crt_get_key_purpose_oid) F(x509_crt_get_key_usage) F(x509_crt_import) F(x509_crt_init) \
	F(x509_crt_list_import2) F(x509_crt_list_verify)
/* clang-format on */

#define GNUTLS_MEMBER(name) typeof(gnutls_##name) *name;
extern struct gnutls {
	GNUTLS_FUNCTIONS(GNUTLS_MEMBER)
} gnutls; /* filled by gnutls_open */
#undef GNUTLS_MEMBER

/* Before any function is called; any thread, any number of times. */
struct err *gnutls_open(void) MUST_CHECK;
#endif
