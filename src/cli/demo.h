/* src/cli/demo.h: what the files of `spoed demo` share. The demonstration starts a brain of its own on an
 * embedded database, plays a small hospital around it (demo_peers.h) and goes through the real doors only:
 * MLLP, C-STORE and HTTP. Not for other commands. One thread drives the night. */
#ifndef SPD_CLI_DEMO_H
#define SPD_CLI_DEMO_H

#include <jansson.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/demo_peers.h"
#include "cli/demo_sr.h"

enum { DEMO_CHECKS = 32 };

struct demo {
    const struct spd_cli *cli;
    int speed;               /* divides every wait */
    bool once;
    int http_port, mllp_port, dicom_port;
    char dir[256], config[300], share[300], base[64];
    char password[32];
    char reader[160], clinician[160], hook[160], manager[160]; /* API tokens */
    pid_t brain;
    struct demo_peers *peers;
    const char *scene;       /* being played */
    struct { const char *scene; bool ok; char what[160]; } checks[DEMO_CHECKS];
    size_t n_checks;
    unsigned number;         /* of control ids, UIDs */
    char root[64];           /* of the night's UIDs */
};

/* ---- demo_setup.c */
/* Writes the folder: configuration, scaled rules, secret. False with a sentence on standard error. */
bool demo_write_folder(struct demo *d);
bool demo_start_brain(struct demo *d); /* and waits until it is ready */
void demo_stop_brain(struct demo *d);
bool demo_add_users(struct demo *d);
/* Runs a program with input on its standard input; its output (both) into out. Returns the exit code, -1. */
int demo_run(char *const argv[], const char *input, struct spd_str *out);

/* ---- demo_api.c */
#define DEMO_SOCKET "" /* as token: call over the brain's socket, as whom it takes this process for */
/* Method on base + path. body: NULL for none. if_match: NULL for none. The answer's JSON (owned, may be NULL)
 * into *ret when it is not NULL. Returns the HTTP status, 0 when there was no answer. */
long demo_call(struct demo *d, const char *method, const char *token, const char *path, const char *body,
               const char *if_match, json_t **ret);
json_t *demo_get(struct demo *d, const char *token, const char *path); /* NULL unless 200 */
const char *demo_text(const json_t *o, const char *key);               /* "" when absent */

/* ---- demo_night.c */
void demo_night(struct demo *d);

/* ---- cmd_demo.c */
void demo_say(struct demo *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void demo_check(struct demo *d, bool ok, const char *what);
void demo_wait(struct demo *d, double seconds); /* of the night, so divided by speed */

#endif
