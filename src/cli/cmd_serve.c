/* src/cli/cmd_serve.c: `spoed serve`. */
#include "cli/cli.h"
#include "daemon/daemon.h"

int cmd_serve(const struct spd_cli *cli, int argc, char **argv);

int cmd_serve(const struct spd_cli *cli, int argc, char **argv)
{
    (void)argc, (void)argv;
    switch (spd_daemon_serve(cli->config, cli->quiet)) {
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
