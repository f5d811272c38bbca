/* src/result/frame.h: bounded frames over a socket between the brain and its DICOM processes.
 *
 * A frame is a 4-byte length (little endian, of what follows), one type byte, and a body. A length beyond the
 * bound, a short read and a closed socket are the end of the connection. Blocking, EINTR-safe, never SIGPIPE.
 *
 * decode: 'D' object bytes -> 'd' spd_sr_doc | 'r' reason it cannot be read ("place: text").
 * front control (one per front, SEQPACKET): 'A' peer address, with the association's socket as SCM_RIGHTS;
 *   'U' "listening"; 'C' a child crashed; 'N' reason why the port cannot be had.
 * association: child sends 'H' hello (answer 'h': 1 may, 0 may not), 'S' store, 'F' find, 'X' cancel, 'N' request (nmsg.h); brain sends 's' u16
 *   status, 'a' dataset, 'f' u16 status, 'n' answer (nmsg.h). Texts within a body: spd_frame_put.
 * scu (see scu/scu.h): brain sends 'O' open, then 'E' echo, 'S' store, 'F' find, 'N' request, 'Q' quit; the process sends
 *   'o' accepted transfer syntaxes, 's' u16 status, 'a' DICOM JSON, 'f' u16 status, 'n' answer, 'e' u16 kind and why. */
#ifndef SPD_RESULT_FRAME_H
#define SPD_RESULT_FRAME_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

enum { SPD_FRAME_MAX = 24 << 20 };

/* milliseconds < 0: no limit. OK, AGAIN (time is up), IO (closed or damaged), LIMIT. */
enum spd_rc spd_frame_read(int fd, char *ret_type, spd_sv *ret_body, int milliseconds, struct spd_arena *arena);
enum spd_rc spd_frame_write(int fd, char type, const spd_sv *parts, size_t n_parts);
static inline enum spd_rc spd_frame_write1(int fd, char type, spd_sv body)
{
    return spd_frame_write(fd, type, &body, 1);
}
/* Bodies: appends and takes length-prefixed texts; 4-byte length. False: damaged. */
void spd_frame_put(struct spd_str *body, spd_sv v);
bool spd_frame_take(spd_sv *body, spd_sv *ret);

#endif
