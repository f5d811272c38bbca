/* src/cli/cmd_serve.c: `spoed serve`. With --detach it first leaves the process that started it (design §3: a
 * hook that starts the brain must be able to die without it). */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"

int cmd_serve(const struct spd_cli *cli, int argc, char **argv);

/* Closes every descriptor from 3 on, becomes a session of its own and a child of init. Standard error stays: what
 * the brain says goes where its starter's goes. False: could not, and why was said. The starter's process never
 * comes back from here. */
static bool detach(void)
{
    int null;
    if (close_range(3, ~0u, 0)) {
        perror("spoed: close_range");
        return false;
    }
    switch (fork()) {
    case -1:
        perror("spoed: fork");
        return false;
    case 0:
        break;
    default:
        _exit(SPD_EXIT_OK);
    }
    setsid();
    if (chdir("/") || (null = open("/dev/null", O_RDWR)) < 0) {
        perror("spoed: /dev/null");
        return false;
    }
    dup2(null, 0), dup2(null, 1);
    if (null > 2) close(null);
    return true;
}

int cmd_serve(const struct spd_cli *cli, int argc, char **argv)
{
    char path[PATH_MAX];
    const char *config = cli->config;
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--detach") != 0)) {
        fputs("usage: spoed serve [--detach]\n", stderr);
        return SPD_EXIT_USAGE;
    }
    if (argc == 2) {
        if (!realpath(config, path)) {
            fprintf(stderr, "spoed: %s: ", config);
            perror(NULL);
            return SPD_EXIT_CONFIG;
        }
        config = path;
        if (!detach()) return SPD_EXIT_FAILURE;
    }
    switch (spd_daemon_serve(config, cli->quiet)) {
    case SPD_OK:
    case SPD_EXISTS:
        return SPD_EXIT_OK; /* another brain has the database: what was asked for is there */
    case SPD_INVALID:
    case SPD_NOTFOUND:
        return SPD_EXIT_CONFIG;
    case SPD_STALE:
        return SPD_EXIT_MIGRATE;
    default:
        return SPD_EXIT_FAILURE;
    }
}
