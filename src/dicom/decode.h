/* src/dicom/decode.h: the C parts of spoed-dicom, called from main.cc. */
#ifndef SPD_DICOM_DECODE_H
#define SPD_DICOM_DECODE_H

#ifdef __cplusplus
extern "C" {
#endif
/* `spoed-dicom decode`: frames of frame.h on fd 0 (a socket, or a pipe with fd 1 for the answers); --many
 * serves until the end of input, else one object and exit. Returns the exit code. */
int spd_dicom_decode_main(int argc, char **argv);
#ifdef __cplusplus
}
#endif
#endif
