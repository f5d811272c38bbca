/* src/dicom/front.h: the DICOM listener. front.c (C) listens, accepts, limits and forks;
 * association.cc (C++, DCMTK) serves one association in the child. */
#ifndef SPD_DICOM_FRONT_H
#define SPD_DICOM_FRONT_H

#ifdef __cplusplus
extern "C" {
#endif
struct spd_tls;
struct spd_front {
    const char *address, *ae, *reporting_ae;
    int port, fd; /* fd: control socket to the brain */
    int tls_port; /* 0: none */
    const char *certificate, *key, *ca;
    struct spd_tls *tls;
};
int spd_dicom_front_main(int argc, char **argv);
/* How a child is, so that the listener knows who can give way when all places are taken. */
enum spd_place { SPD_PLACE_SILENT = 0, SPD_PLACE_IDLE = 1, SPD_PLACE_BUSY = 2 };
/* In the child: serves one accepted connection, with TLS when secure; brain is the association's
 * own socket. state is in shared memory: idle while an association stands and asks for nothing,
 * busy while it has a message in hand. Returns the exit code. */
int spd_dicom_association(const struct spd_front *f, int connection, int secure, int brain,
                          const char *peer, volatile int *state);
#ifdef __cplusplus
}
#endif
#endif
