// src/dicom/tls.cc: see tls.h.
#include "dicom/tls.h"

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmtls/tlslayer.h"
#include "dcmtk/dcmnet/assoc.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstring>

#include "dicom/upper.h"

struct spd_tls {
    DcmTLSTransportLayer layer;
    explicit spd_tls(bool acceptor) : layer(acceptor ? NET_ACCEPTOR : NET_REQUESTOR, NULL, OFTrue)
    {
    }
};

extern "C" struct spd_tls *spd_tls_new(int acceptor, const char *certificate, const char *key,
                                       const char *ca, const char **why)
{
    spd_upper_globals();
    spd_tls *t = new spd_tls(acceptor != 0);
    *why = NULL;
    // Outgoing without a certificate of our own is the peer's business; one named must be right.
    if (*key && t->layer.setPrivateKeyFile(key, DCF_Filetype_PEM).bad())
        *why = "the private key cannot be read";
    else if (*certificate && t->layer.setCertificateFile(certificate, DCF_Filetype_PEM).bad())
        *why = "the certificate cannot be read";
    else if (*key && !t->layer.checkPrivateKeyMatchesCertificate())
        *why = "the private key is not that of the certificate";
    else if (t->layer.addTrustedCertificateFile(ca, DCF_Filetype_PEM).bad())
        *why = "the certificate of the authority cannot be read";
    else if (t->layer.setTLSProfile(TSP_Profile_BCP195_ND).bad() ||
             t->layer.activateCipherSuites().bad())
        *why = "the cipher suites of BCP 195 cannot be had";
    t->layer.setCertificateVerification(DCV_requireCertificate);
    if (!*why) return t;
    delete t;
    return NULL;
}

DcmTransportLayer *spd_tls_layer(struct spd_tls *tls)
{
    return &tls->layer;
}

namespace
{

void add(char *names, size_t size, const char *text, int n)
{
    size_t at = strlen(names);
    // A name with a line end in it could pose as another one.
    if (n <= 0 || memchr(text, '\n', size_t(n)) || memchr(text, 0, size_t(n)) ||
        at + size_t(n) + 2 > size)
        return;
    snprintf(names + at, size - at, "%.*s\n", n, text);
}

void add_alternatives(const X509 *x, char *names, size_t size)
{
    GENERAL_NAMES *all =
        static_cast<GENERAL_NAMES *>(X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL));
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        if (g->type == GEN_DNS || g->type == GEN_EMAIL || g->type == GEN_URI)
            add(names, size, reinterpret_cast<const char *>(ASN1_STRING_get0_data(g->d.ia5)),
                ASN1_STRING_length(g->d.ia5));
    }
    GENERAL_NAMES_free(all);
}

} // namespace

bool spd_tls_peer(T_ASC_Association *association, char *names, size_t size)
{
    unsigned char der[16384], hash[EVP_MAX_MD_SIZE];
    unsigned long n = ASC_getPeerCertificate(association, der, sizeof der);
    const unsigned char *p = der;
    unsigned int hashed = 0;
    X509 *x = n ? d2i_X509(NULL, &p, long(n)) : NULL;
    if (!x) return false;
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *utf8 = NULL;
    names[0] = 0;
    if (at >= 0) {
        int len =
            ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        if (len > 0) add(names, size, reinterpret_cast<char *>(utf8), len);
        OPENSSL_free(utf8);
    }
    add_alternatives(x, names, size);
    X509_free(x);
    if (!EVP_Digest(der, n, hash, &hashed, EVP_sha256(), NULL)) return false;
    char text[7 + 2 * EVP_MAX_MD_SIZE + 1] = "sha256:";
    for (unsigned i = 0; i < hashed; i++)
        snprintf(text + 7 + 2 * i, 3, "%02x", hash[i]);
    add(names, size, text, int(strlen(text)));
    return true;
}
