/* src/dicom/tls.h: DCMTK's TLS layer with the profile that DICOM asks for (PS3.15 B.12: BCP 195, no
 * version below TLS 1.2): our certificate and key, and the authority that peers' certificates must
 * come from. Files are read by spd_tls_new, so call it before a sandbox closes. */
#ifndef SPD_DICOM_TLS_H
#define SPD_DICOM_TLS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
struct spd_tls; /* one for the life of the process */
/* acceptor: peers must show a certificate; else we show ours. NULL: *why says which file is wrong
 * (static text). */
struct spd_tls *spd_tls_new(int acceptor, const char *certificate, const char *key, const char *ca,
                            const char **why);
#ifdef __cplusplus
}
class DcmTransportLayer;
struct T_ASC_Association;
DcmTransportLayer *spd_tls_layer(struct spd_tls *tls);
// What the peer's certificate is called: common name and DNS, mail and URI names, and "sha256:"
// with its fingerprint, one a line. False: it showed none.
bool spd_tls_peer(T_ASC_Association *association, char *names, size_t size);
#endif
#endif
