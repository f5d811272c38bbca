/* src/dicom/service.h: the DIMSE services of the front, in C, over whatever moves PDVs
 * (association.cc). */
#ifndef SPD_DICOM_SERVICE_H
#define SPD_DICOM_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
enum spd_pdv { SPD_PDV_OK = 0, SPD_PDV_NONE, SPD_PDV_RELEASE, SPD_PDV_END };
struct spd_pdv_io {
    void *ctx;
    /* The next fragment within seconds (0: only what is there); data is valid until the next call.
     */
    enum spd_pdv (*next)(void *ctx, int seconds, unsigned char *ret_context, bool *ret_command,
                         bool *ret_last, const char **ret_data, size_t *ret_len);
    bool (*write)(void *ctx, unsigned char context, bool command, bool last, const char *data,
                  size_t len);
    /* Transfer and abstract syntax of an accepted context; false: there is none. */
    bool (*context)(void *ctx, unsigned char context, const char **ret_abstract,
                    const char **ret_transfer);
    size_t max_fragment;
};
/* Tells the brain who asks (certificate: its names, one a line; "" without TLS). False: it may not,
 * or nobody answers. */
bool spd_dicom_hello(int brain, const char *called, const char *calling, const char *peer,
                     const char *certificate);
/* Serves until release (SPD_PDV_RELEASE) or the end. brain: this association's socket. */
enum spd_pdv spd_dicom_serve(const struct spd_pdv_io *io, int brain, bool reporting);
#ifdef __cplusplus
}
#endif
#endif
