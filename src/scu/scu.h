/* src/scu/scu.h: the brain asks a DICOM peer: an association that a process of our own
 * (`spoed-dicom scu`) makes for us.
 *
 * Plain C, no DCMTK: what the peer says is read in that process, under its sandbox; answers come
 * back as DICOM JSON. One process per association, ended by spd_scu_close. Blocking, with a limit
 * on every wait. Threads: one at a time per handle. What it is not: a queue; who uses it decides
 * about retries. */
#ifndef SPD_SCU_SCU_H
#define SPD_SCU_SCU_H

#include "base/clock.h"
#include "result/dcm_write.h"
#include "result/nmsg.h"

struct spd_scu;

struct spd_scu_to { /* where to, and as whom; texts borrowed during open */
    spd_sv host;    /* name or IPv4 address */
    int port;
    spd_sv called, calling; /* AE titles, at most 16 characters */
    bool tls;
    spd_sv certificate, key,
        ca;             /* files (PEM); only ca is needed when the peer asks for no certificate */
    int seconds;        /* for the connection and the answer to it; 0 = 5 */
    int answer_seconds; /* for each answer to a request; 0 = 60 */
};
/* "dicom://AET@host:port" or "dicom-tls://AET@host:port" -> called, host, port, tls; the rest
 * stays. INVALID. */
enum spd_rc spd_scu_parse(spd_sv url, struct spd_scu_to *ret, struct spd_err *err);

struct spd_scu_context {
    const char *abstract; /* SOP class */
    const char
        *transfers; /* up to 4, parted by backslash; NULL: explicit and implicit VR little endian */
    bool we_are_scp; /* we offer the service to them (UPS events) */
};
enum { SPD_SCU_CONTEXTS_MAX = 32 };
/* OK: *ret is owned. AGAIN: no connection or no answer. DENIED: the peer rejected us. IO: no
 * process of our own. program NULL: spd_scu_program. */
enum spd_rc spd_scu_open(const char *program, const struct spd_scu_to *to,
                         const struct spd_scu_context *contexts, size_t n, struct spd_scu **ret,
                         struct spd_err *err);
void spd_scu_close(struct spd_scu *s); /* releases; NULL is a no-op */
/* Transfer syntax that the peer accepted for the nth context; "" when it refused it. */
spd_sv spd_scu_accepted(const struct spd_scu *s, size_t context);

/* OK with the peer's status (0x0122 from ourselves: it did not accept the SOP class); AGAIN: no
 * answer in time, or the association broke. Texts are in the arena. */
enum spd_rc spd_scu_echo(struct spd_scu *s, unsigned *ret_status, struct spd_err *err);
/* transfer "": data is a file; then its data set goes, in its own transfer syntax where the peer
 * takes that. */
enum spd_rc spd_scu_store(struct spd_scu *s, spd_sv sop_class, spd_sv sop_uid, spd_sv transfer,
                          spd_sv data, unsigned *ret_status, spd_sv *ret_comment,
                          struct spd_arena *arena, struct spd_err *err);
/* answer: called for each match (in an arena of its own) until it returns false, at most max times.
 */
enum spd_rc spd_scu_find(struct spd_scu *s, const char *abstract, const struct spd_dcm_set *keys,
                         size_t max, bool (*answer)(void *ctx, const struct spd_dcm *d), void *ctx,
                         unsigned *ret_status, spd_sv *ret_comment, struct spd_arena *arena,
                         struct spd_err *err);
/* request: field, type_id, sop_class, sop_uid, tags, abstract ("" = sop_class). data NULL: none.
 * ret->data is DICOM JSON here. */
enum spd_rc spd_scu_n(struct spd_scu *s, const struct spd_n_request *request,
                      const struct spd_dcm_set *data, struct spd_n_answer *ret,
                      struct spd_arena *arena, struct spd_err *err);

/* "<folder of this executable>/spoed-dicom" in arena; SPOED_DICOM_PROGRAM in the environment
 * overrides (tests). */
const char *spd_scu_program(struct spd_arena *arena);

#endif
