/* src/cli/problems.h: what a checking command has found: printed as "file:line:col: text", or as
 * JSON at the end. Not thread-safe; one per command. */
#ifndef SPD_CLI_PROBLEMS_H
#define SPD_CLI_PROBLEMS_H

#include "base/str.h"
#include "cli/cli.h"
#include "daemon/config.h"

struct spd_problems {
    const struct spd_cli *cli;
    struct spd_str json;
    size_t errors, warnings;
};

void spd_problems_init(struct spd_problems *p, const struct spd_cli *cli);
/* The shape that spd_rules_check calls; ctx is the struct spd_problems. */
void spd_problems_say(void *ctx, bool error, const char *place, const char *text);
void spd_problems_err(struct spd_problems *p, const struct spd_err *err);
/* Prints the JSON object ({"ok", "errors", "warnings", "problems"}) where asked, and gives the exit
 * code. */
int spd_problems_end(struct spd_problems *p);

/* The policy of the files named, or with none of the configuration. *ret_c may stay NULL; both
 * owned. Problems are said. NULL: not loaded. */
struct spd_policy *spd_problems_policy(struct spd_problems *p, int n, char **files,
                                       struct spd_config **ret_c);
#endif
