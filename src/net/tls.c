/* src/net/tls.c: see tls.h. The only file that knows OpenSSL's TLS.
 *
 * Bytes go through a BIO of our own, since OpenSSL's writes with write(2), which may raise SIGPIPE
 * in whoever links us. Renegotiation and read-ahead are off, so that a read takes one record, and
 * epoll shows what is left of it in the socket. */
#define _GNU_SOURCE
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define FILE_ITEMS_MAX 1000

struct spd_tls {
    SSL_CTX *ctx;
    bool server;
    atomic_size_t users;
};

/* ---- the socket under it --------------------------------------------------------------------- */
static int bio_fd(BIO *b)
{
    return (int)(intptr_t)BIO_get_data(b);
}

static int bio_done(BIO *b, ssize_t n, int retry)
{
    BIO_clear_retry_flags(b);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_flags(b, retry | BIO_FLAGS_SHOULD_RETRY);
    return (int)n;
}

static int bio_write(BIO *b, const char *from, int n)
{
    return bio_done(b, send(bio_fd(b), from, (size_t)n, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static int bio_read(BIO *b, char *to, int n)
{
    ssize_t got = recv(bio_fd(b), to, (size_t)n, 0);
    if (got == 0) BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    return bio_done(b, got, BIO_FLAGS_READ);
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
    (void)n, (void)p;
    if (what == BIO_CTRL_EOF) return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
    return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;
static void method_make(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "spoed");
    if (!method) spd_out_of_memory();
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_ctrl(method, bio_ctrl);
}

static BIO *bio_new(int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *b;
    pthread_once(&once, method_make);
    b = BIO_new(method);
    if (!b) return NULL;
    BIO_set_data(b, (void *)(intptr_t)fd);
    BIO_set_init(b, 1);
    return b;
}

/* ---- certificates ---------------------------------------------------------------------------- */
/* The words of OpenSSL's oldest error; they come from its tables, not from the peer. */
static const char *why(void)
{
    unsigned long e = ERR_peek_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;
    if (e && ERR_SYSTEM_ERROR(e)) text = strerror(ERR_GET_REASON(e));
    return text ? text : "it cannot be used";
}

static int no_password(char *to, int n, int writing, void *ctx)
{
    (void)to, (void)n, (void)writing, (void)ctx;
    return -1; /* a daemon has nobody to ask */
}

static enum spd_rc load_pair(SSL_CTX *ctx, const struct spd_tls_files *f, struct spd_err *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, f->certificate) != 1)
        return spd_fail(err, SPD_INVALID, f->certificate, "the certificate: %s", why());
    if (SSL_CTX_use_PrivateKey_file(ctx, f->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return spd_fail(err, SPD_INVALID, f->key, "the key: %s", why());
    return SPD_OK;
}

static enum spd_rc load_trust(SSL_CTX *ctx, const struct spd_tls_files *f, struct spd_err *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509_LOOKUP *lookup;
    if (SSL_CTX_load_verify_file(ctx, f->ca) != 1)
        return spd_fail(err, SPD_INVALID, f->ca, "the CA: %s", why());
    if (!f->crl) return SPD_OK;
    lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (!lookup || X509_load_crl_file(lookup, f->crl, X509_FILETYPE_PEM) < 1)
        return spd_fail(err, SPD_INVALID, f->crl, "the revocation list: %s", why());
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return SPD_OK;
}

static void set_rules(SSL_CTX *ctx, bool server)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, CIPHERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
}

static enum spd_rc make(const struct spd_tls_files *f, bool server, struct spd_tls **ret,
                        struct spd_err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    enum spd_rc rc = SPD_OK;
    if (!ctx) return spd_fail(err, SPD_IO, "tls", "OpenSSL does not start: %s", why());
    ERR_clear_error();
    set_rules(ctx, server);
    if (f->certificate && f->key)
        rc = load_pair(ctx, f, err);
    else if (server || f->certificate || f->key)
        rc = spd_fail(err, SPD_INVALID, "tls", "a certificate and its key go together");
    if (!rc && f->ca)
        rc = load_trust(ctx, f, err);
    else if (!rc)
        rc = spd_fail(err, SPD_INVALID, "tls", "it needs a ca");
    if (!rc && server) SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(f->ca));
    ERR_clear_error();
    if (rc) {
        SSL_CTX_free(ctx);
        return rc;
    }
    *ret = spd_must_malloc(sizeof **ret);
    (*ret)->ctx = ctx, (*ret)->server = server;
    atomic_init(&(*ret)->users, 1);
    return SPD_OK;
}

enum spd_rc spd_tls_server(const struct spd_tls_files *files, struct spd_tls **ret,
                           struct spd_err *err)
{
    return make(files, true, ret, err);
}

enum spd_rc spd_tls_client(const struct spd_tls_files *files, struct spd_tls **ret,
                           struct spd_err *err)
{
    return make(files, false, ret, err);
}

struct spd_tls *spd_tls_ref(struct spd_tls *t)
{
    if (t) atomic_fetch_add(&t->users, 1);
    return t;
}

void spd_tls_unref(struct spd_tls *t)
{
    if (!t || atomic_fetch_sub(&t->users, 1) > 1) return;
    SSL_CTX_free(t->ctx);
    spd_free(t);
}

static bool earlier(const ASN1_TIME *t, spd_usec *end)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1) return false;
    spd_usec at = (spd_usec)timegm(&tm) * SPD_USEC_PER_SEC;
    if (at < *end) *end = at;
    return true;
}

enum spd_rc spd_tls_file_ends(const char *path, spd_usec *ret, struct spd_err *err)
{
    BIO *b = BIO_new_file(path, "r");
    STACK_OF(X509_INFO) *all = b ? PEM_X509_INFO_read_bio(b, NULL, no_password, NULL) : NULL;
    spd_usec end = INT64_MAX;
    bool any = false;
    enum spd_rc rc = SPD_OK;
    for (int i = 0; all && i < sk_X509_INFO_num(all) && i < FILE_ITEMS_MAX; i++) {
        const X509_INFO *x = sk_X509_INFO_value(all, i);
        if (x->x509) any |= earlier(X509_get0_notAfter(x->x509), &end);
        if (x->crl) any |= earlier(X509_CRL_get0_nextUpdate(x->crl), &end);
    }
    if (any)
        *ret = end;
    else
        rc = spd_fail(err, SPD_INVALID, path, "no certificate: %s", why());
    sk_X509_INFO_pop_free(all, X509_INFO_free);
    BIO_free(b);
    ERR_clear_error();
    return rc;
}

/* ---- streams --------------------------------------------------------------------------------- */
static bool aim(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    unsigned char address[16];
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(p, host) == 1;
    return X509_VERIFY_PARAM_set1_host(p, host, 0) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

enum spd_rc spd_stream_open(struct spd_stream *s, int fd, struct spd_tls *tls, const char *host,
                            struct spd_err *err)
{
    SSL *ssl = tls ? SSL_new(tls->ctx) : NULL;
    BIO *b = ssl ? bio_new(fd) : NULL;
    *s = (struct spd_stream){.fd = fd, .tls = ssl, .wants = POLLIN, .shaken = !tls};
    if (!tls) return SPD_OK;
    if (b) SSL_set_bio(ssl, b, b); /* one reference for both */
    if (b && (tls->server || aim(ssl, host))) {
        if (tls->server)
            SSL_set_accept_state(ssl);
        else
            SSL_set_connect_state(ssl);
        return SPD_OK;
    }
    SSL_free(ssl);
    close(fd);
    *s = (struct spd_stream){.fd = -1};
    ERR_clear_error();
    return spd_fail(err, SPD_IO, "tls", "a connection cannot be set up");
}

/* What OpenSSL waits for, as errno EAGAIN; else why it will not go on. */
static ssize_t waits(struct spd_stream *s, int n)
{
    int e = SSL_get_error(s->tls, n);
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
        s->wants = e == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        errno = EAGAIN;
        return -1;
    }
    if (e == SSL_ERROR_ZERO_RETURN) return 0;
    if (e == SSL_ERROR_SYSCALL) {
        errno = errno ? errno : ECONNRESET;
        return -1;
    }
    int reason = ERR_GET_REASON(ERR_peek_error());
    errno = reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED ||
                    reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA ||
                    reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
                    reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED ||
                    reason == SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED ||
                    reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN ||
                    reason == SSL_R_TLSV1_ALERT_ACCESS_DENIED
                ? EACCES
                : EPROTO;
    ERR_clear_error();
    return -1;
}

enum spd_rc spd_stream_shake(struct spd_stream *s, struct spd_err *err)
{
    long verify;
    int n;
    if (s->shaken) return SPD_OK;
    ERR_clear_error();
    errno = 0;
    n = SSL_do_handshake(s->tls);
    if (n == 1) {
        s->shaken = true;
        return SPD_OK;
    }
    verify = SSL_get_verify_result(s->tls);
    if (verify != X509_V_OK)
        spd_fail(err, SPD_DENIED, "tls", "%s", X509_verify_cert_error_string(verify));
    else if (ERR_peek_error())
        spd_fail(err, SPD_DENIED, "tls", "%s", why());
    else
        spd_fail(err, SPD_DENIED, "tls", "the connection was closed");
    return waits(s, n) < 0 && errno == EAGAIN ? SPD_AGAIN : SPD_DENIED;
}

ssize_t spd_stream_recv(struct spd_stream *s, void *to, size_t n)
{
    int got;
    s->wants = POLLIN;
    if (!s->tls) return recv(s->fd, to, n, 0);
    ERR_clear_error();
    errno = 0;
    got = SSL_read(s->tls, to, n < INT32_MAX ? (int)n : INT32_MAX);
    return got > 0 ? got : waits(s, got);
}

ssize_t spd_stream_send(struct spd_stream *s, const void *from, size_t n)
{
    int sent;
    ssize_t rc;
    s->wants = POLLOUT;
    if (!s->tls) return send(s->fd, from, n, MSG_NOSIGNAL);
    ERR_clear_error();
    errno = 0;
    sent = SSL_write(s->tls, from, n < INT32_MAX ? (int)n : INT32_MAX);
    if (sent > 0) return sent;
    rc = waits(s, sent);
    if (rc == 0) errno = EPIPE;
    return -1;
}

void spd_stream_close(struct spd_stream *s)
{
    if (s->fd < 0) return;
    if (s->tls && s->shaken) SSL_shutdown(s->tls);
    SSL_free(s->tls);
    ERR_clear_error();
    close(s->fd);
    *s = (struct spd_stream){.fd = -1};
}

/* ---- names ----------------------------------------------------------------------------------- */
/* A name that could be taken for two, or for another's line, is left out; so is what has no room.
 */
static void add_name(char ret[SPD_TLS_NAMES], size_t *at, const char *name, size_t n)
{
    if (!n || *at + n + 2 > SPD_TLS_NAMES) return;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f) return;
    if (*at) ret[(*at)++] = '\n';
    memcpy(ret + *at, name, n);
    *at += n;
    ret[*at] = 0;
}

static void add_asn1(char ret[SPD_TLS_NAMES], size_t *at, const ASN1_STRING *v)
{
    unsigned char *utf8 = NULL;
    int n = v ? ASN1_STRING_to_UTF8(&utf8, v) : -1;
    if (n > 0) add_name(ret, at, (char *)utf8, (size_t)n);
    if (n >= 0) OPENSSL_free(utf8);
}

static void add_alternatives(char ret[SPD_TLS_NAMES], size_t *at, const X509 *x)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; all && i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        if (g->type == GEN_DNS || g->type == GEN_EMAIL || g->type == GEN_URI)
            add_asn1(ret, at, g->d.ia5);
    }
    GENERAL_NAMES_free(all);
}

void spd_stream_names(const struct spd_stream *s, char ret[SPD_TLS_NAMES])
{
    X509 *x = s->tls ? SSL_get0_peer_certificate(s->tls) : NULL;
    unsigned char digest[32];
    char print[7 + 2 * sizeof digest + 1] = "sha256:";
    size_t at = 0;
    unsigned n = 0;
    ret[0] = 0;
    if (!x) return;
    if (X509_digest(x, EVP_sha256(), digest, &n) == 1 && n == sizeof digest) {
        for (size_t i = 0; i < sizeof digest; i++)
            snprintf(print + 7 + 2 * i, 3, "%02x", digest[i]);
        add_name(ret, &at, print, strlen(print)); /* first: it always fits */
    }
    const X509_NAME *subject = X509_get_subject_name(x);
    int cn = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (cn >= 0) add_asn1(ret, &at, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, cn)));
    add_alternatives(ret, &at, x);
    ERR_clear_error();
}
