/* src/cli/cli.h: the command table of `spoed`. A command is one function in cmd_<name>.c and one line in
 * main.c's table; it gets its own arguments (argv[0] is the command's name) and returns an exit code:
 * 0 ok, 1 failure, 2 usage, 3 configuration or policy invalid, 4 policy tests failed, 5 migration needed. */
#ifndef SPD_CLI_CLI_H
#define SPD_CLI_CLI_H

#include <stdbool.h>

enum { SPD_EXIT_OK = 0, SPD_EXIT_FAILURE = 1, SPD_EXIT_USAGE = 2, SPD_EXIT_CONFIG = 3,
       SPD_EXIT_TESTS = 4, SPD_EXIT_MIGRATE = 5 };

struct spd_cli { /* the options that stand before or after every command */
    const char *config; /* -c FILE; default /etc/spoed/spoed.yaml */
    bool json, quiet, color;
    const char *self;   /* path of this executable, to find spoed-dicom beside it */
};

struct spd_command {
    const char *name;    /* "policy" */
    const char *usage;   /* "policy check|test|explain [ITEM]" */
    const char *summary; /* one line */
    int (*run)(const struct spd_cli *cli, int argc, char **argv);
};
extern const struct spd_command spd_commands[]; /* name == NULL ends */

#endif
