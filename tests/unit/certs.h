/* tests/unit/certs.h: a CA and certificates of every kind, made in a folder of the test's own.
 * Nothing of it is a secret: the keys live as long as the test. */
#ifndef TESTS_UNIT_CERTS_H
#define TESTS_UNIT_CERTS_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct certs {
    char dir[64], path[32][128]; /* path: of the last few asked for */
    int at;
};

static const char *cert_path(struct certs *s, const char *name)
{
    char *to = s->path[s->at++ % 32], whole[128];
    snprintf(whole, sizeof whole, "%s/%s", s->dir, name);
    return memcpy(to, whole, sizeof whole);
}

static void cert_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    if (!(e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) || !X509_add_ext(x, e, -1)) abort();
    X509_EXTENSION_free(e);
}

/* Writes NAME.crt and NAME.key: subject cn, with alt ("DNS:…, IP:…" or NULL), from `from` to `to`
 * days from now, signed by CA.crt and CA.key of the folder; ca NULL: by itself, and it is a CA. */
static void cert_make(struct certs *s, const char *name, const char *cn, const char *alt, int from,
                      int to, const char *ca)
{
    static long serial = 1000;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *signer = key;
    X509 *x = X509_new(), *issuer = x;
    X509_NAME *n = X509_get_subject_name(x);
    char file[100];
    FILE *f;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), from * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(x), to * 86400L);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
    if (ca) {
        snprintf(file, sizeof file, "%s/%s.crt", s->dir, ca);
        if (!(f = fopen(file, "r")) || !(issuer = PEM_read_X509(f, NULL, NULL, NULL))) abort();
        fclose(f);
        snprintf(file, sizeof file, "%s/%s.key", s->dir, ca);
        if (!(f = fopen(file, "r")) || !(signer = PEM_read_PrivateKey(f, NULL, NULL, NULL)))
            abort();
        fclose(f);
    }
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    cert_extension(x, issuer, NID_basic_constraints, ca ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (!ca) cert_extension(x, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (alt) cert_extension(x, issuer, NID_subject_alt_name, alt);
    if (!X509_sign(x, signer, EVP_sha256())) abort();
    snprintf(file, sizeof file, "%s/%s.crt", s->dir, name);
    if (!(f = fopen(file, "w")) || !PEM_write_X509(f, x)) abort();
    fclose(f);
    snprintf(file, sizeof file, "%s/%s.key", s->dir, name);
    if (!(f = fopen(file, "w")) || !PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL))
        abort();
    fclose(f);
    if (issuer != x) X509_free(issuer), EVP_PKEY_free(signer);
    X509_free(x);
    EVP_PKEY_free(key);
}

/* Writes NAME.crl of CA, revoking the certificate of `revoked` (NULL: none), good until `to` days
 * from now. */
static void crl_make(struct certs *s, const char *name, const char *ca, const char *revoked, int to)
{
    X509_CRL *c = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_new();
    X509 *issuer, *x = NULL;
    EVP_PKEY *signer;
    char file[100];
    FILE *f;
    snprintf(file, sizeof file, "%s/%s.crt", s->dir, ca);
    if (!(f = fopen(file, "r")) || !(issuer = PEM_read_X509(f, NULL, NULL, NULL))) abort();
    fclose(f);
    snprintf(file, sizeof file, "%s/%s.key", s->dir, ca);
    if (!(f = fopen(file, "r")) || !(signer = PEM_read_PrivateKey(f, NULL, NULL, NULL))) abort();
    fclose(f);
    X509_CRL_set_version(c, 1);
    X509_CRL_set_issuer_name(c, X509_get_subject_name(issuer));
    X509_CRL_set1_lastUpdate(c, X509_gmtime_adj(t, -10 * 86400L));
    X509_CRL_set1_nextUpdate(c, X509_gmtime_adj(t, to * 86400L));
    if (revoked) {
        X509_REVOKED *r = X509_REVOKED_new();
        snprintf(file, sizeof file, "%s/%s.crt", s->dir, revoked);
        if (!(f = fopen(file, "r")) || !(x = PEM_read_X509(f, NULL, NULL, NULL))) abort();
        fclose(f);
        X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(x));
        X509_REVOKED_set_revocationDate(r, X509_gmtime_adj(t, -86400L));
        X509_CRL_add0_revoked(c, r);
    }
    if (!X509_CRL_sign(c, signer, EVP_sha256())) abort();
    snprintf(file, sizeof file, "%s/%s.crl", s->dir, name);
    if (!(f = fopen(file, "w")) || !PEM_write_X509_CRL(f, c)) abort();
    fclose(f);
    ASN1_TIME_free(t);
    X509_CRL_free(c);
    X509_free(issuer);
    X509_free(x);
    EVP_PKEY_free(signer);
}

static void certs_begin(struct certs *s)
{
    *s = (struct certs){.dir = "/tmp/spoed-certs-XXXXXX"};
    if (!mkdtemp(s->dir)) abort();
}

static void certs_end(struct certs *s)
{
    static const char *const names[] = {"ca",       "other", "server", "elsewhere",
                                        "expired",  "early", "client", "revoked",
                                        "stranger", "dead",  "short"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int k = 0; k < 3; k++) {
            char name[64];
            snprintf(name, sizeof name, "%s.%s", names[i], k == 0 ? "crt" : k == 1 ? "key" : "crl");
            unlink(cert_path(s, name));
        }
    rmdir(s->dir);
}

#endif
