// OpenSSL 3 as Swift sees it: the functions of its headers, and those that are macros there.
#ifndef STATUS2_COPENSSL_SHIM_H
#define STATUS2_COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline int status2_ctx_set_min_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}

static inline int status2_ctx_set_max_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_max_proto_version(context, version);
}

static inline void status2_ctx_set_mode(SSL_CTX *context, long mode) {
    SSL_CTX_set_mode(context, mode);
}

static inline void status2_ctx_set_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

// The client's tickets are handed to the callback and kept there alone.
static inline void status2_ctx_keep_tickets_outside(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(
        context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

static inline void status2_ctx_set_max_cert_list(SSL_CTX *context, long length) {
    SSL_CTX_set_max_cert_list(context, length);
}

static inline int status2_set_server_name(SSL *connection, const char *name) {
    return (int)SSL_set_tlsext_host_name(connection, name);
}

// The seconds until the first certificate of the peer's chain ends, negative where it has; 0 where
// there is none.
static inline long status2_certificates_left(const SSL *connection) {
    STACK_OF(X509) *chain = SSL_get0_verified_chain(connection);
    X509 *own = SSL_get0_peer_certificate(connection);
    long least = 0;
    int count = chain == NULL ? (own == NULL ? 0 : 1) : sk_X509_num(chain);
    for (int index = 0; index < count; index++) {
        const X509 *certificate = chain == NULL ? own : sk_X509_value(chain, index);
        int days = 0;
        int seconds = 0;
        if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate))) continue;
        long left = (long)days * 86400 + seconds;
        if (index == 0 || left < least) least = left;
    }
    return least;
}

static inline void status2_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

static inline void status2_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }

#endif
