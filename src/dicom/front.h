/* src/dicom/front.h: the DICOM listener. front.c (C) listens, accepts, limits and forks; association.cc (C++,
 * DCMTK) serves one association in the child. */
#ifndef SPD_DICOM_FRONT_H
#define SPD_DICOM_FRONT_H

#ifdef __cplusplus
extern "C" {
#endif
struct spd_front {
    const char *address, *ae, *reporting_ae;
    int port, fd; /* fd: control socket to the brain */
};
int spd_dicom_front_main(int argc, char **argv);
/* In the child: serves one accepted connection; brain is the association's own socket. established is in
 * shared memory and is set once the association stands. Returns the exit code. */
int spd_dicom_association(const struct spd_front *f, int connection, int brain, const char *peer,
                          volatile int *established);
#ifdef __cplusplus
}
#endif
#endif
