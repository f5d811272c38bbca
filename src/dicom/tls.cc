// src/dicom/tls.cc: see tls.h.
#include "dicom/tls.h"

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmtls/tlslayer.h"

#include "dicom/upper.h"

struct spd_tls {
    DcmTLSTransportLayer layer;
    explicit spd_tls(bool acceptor)
        : layer(acceptor ? NET_ACCEPTOR : NET_REQUESTOR, NULL, OFTrue)
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
