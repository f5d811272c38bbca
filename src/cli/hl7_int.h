/* src/cli/hl7_int.h: what the files of `spoed hl7` share. Private to cmd_hl7.c and hl7_try.c. */
#ifndef SPD_CLI_HL7_INT_H
#define SPD_CLI_HL7_INT_H

#include "base/arena.h"
#include "base/str.h"
#include "cli/cli.h"

struct spd_hl7_run { /* one call of the command */
    const struct spd_cli *cli;
    struct spd_arena *arena;
    const char *file;
    size_t n; /* which message of the file, from 1 */
    bool failed;
    const char *what; /* path of get, "PATH=VALUE" of set */
    void *try;        /* what hl7_try.c keeps */
};
typedef void spd_hl7_message(struct spd_hl7_run *r, spd_sv bytes);

/* Every message of every file; a file that holds none is one empty message. */
void spd_hl7_each(struct spd_hl7_run *r, int argc, char **argv, spd_hl7_message *f);
void spd_hl7_print(struct spd_str *s); /* with a line end; ends s */
/* A JSON string; of bytes that are not UTF-8 the ASCII ones. */
void spd_hl7_json(struct spd_str *s, spd_sv v, struct spd_arena *arena);
int spd_hl7_usage(void);
/* argv: what follows the word try. */
int spd_hl7_try(struct spd_hl7_run *r, int argc, char **argv);

#endif
