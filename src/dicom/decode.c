/* src/dicom/decode.c: one object's bytes to a SR tree, in a process that may do nothing else. */
#define _GNU_SOURCE
#include "dicom/decode.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dicom/sandbox.h"
#include "result/dcm.h"
#include "result/frame.h"
#include "result/sr_build.h"

static enum spd_rc one(struct spd_arena *arena)
{
    char type;
    spd_sv body;
    struct spd_dcm d;
    struct spd_err err = {0};
    enum spd_rc rc = spd_frame_read(0, &type, &body, -1, arena);
    if (rc) return rc;
    if (type != 'D') return SPD_PROTO;
    if (spd_dcm_parse(body, &d, arena, &err)) {
        spd_sv why = spd_arena_printf(arena, "%s: %s", err.place, err.text);
        return spd_frame_write1(1, 'r', why);
    }
    struct spd_sr_doc doc;
    struct spd_str out = SPD_STR_INIT(SPD_FRAME_MAX - 8);
    spd_sr_doc_build(&d, &doc, arena);
    spd_sr_doc_encode(&doc, &out);
    rc = spd_str_ok(&out) ? spd_frame_write1(1, 'd', spd_str_sv(&out))
                          : spd_frame_write1(1, 'r', SPD_SV("tree: too large"));
    spd_str_done(&out);
    return rc;
}

int spd_dicom_decode_main(int argc, char **argv)
{
    bool many = argc > 1 && !strcmp(argv[1], "--many");
    /* No PDEATHSIG: it follows the thread that spawned, not the brain. The end of the socket ends
     * this process. */
    spd_dcm_text_warm();
    spd_sandbox_enter(many ? 0 : 10);
    do {
        struct spd_arena *arena = spd_arena_new((size_t)400 << 20);
        enum spd_rc rc = arena ? one(arena) : SPD_NOMEM;
        spd_arena_free(arena);
        if (rc) return rc == SPD_IO ? 0 : 1; /* IO: the other side has gone */
    } while (many);
    return 0;
}
