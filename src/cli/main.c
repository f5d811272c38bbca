/* src/cli/main.c: the `spoed` command: options, table, help. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int cmd_version(const struct spd_cli *cli, int argc, char **argv)
{
    (void)argc, (void)argv;
    printf(cli->json ? "{\"version\": \"%s\"}\n" : "spoed %s\n", "0.1.0");
    return SPD_EXIT_OK;
}

/* One line per command; each is defined in cmd_<name>.c. */
#define COMMANDS(X)                                                                                \
    X(check, "check", "check configuration, policy, models and people")                            \
    X(config, "config show [--effective]", "print the configuration")                               \
    X(db, "db migrate|status|backup FILE", "look after the database")                              \
    X(demo, "demo [--speed N] [--once] [--port P] [--dir D]", "play a synthetic emergency night") \
    X(hl7, "hl7 show|validate|get|set|diff|try FILE…", "look at HL7 v2 messages without a brain")      \
    X(dicom, "dicom show FILE…", "what is in an object and what we made of it")                  \
    X(dicom_front, "dicom-front --address A --port P …", "the DICOM listener; serve starts it by itself") \
    X(policy, "policy check|test|explain [FILES…]", "check, test or explain the rules")             \
    X(serve, "serve [--detach]", "run the brain, in the foreground unless told otherwise")             \
    X(doctor, "doctor [--quick]", "ask a running brain how it is, and what to do")                 \
    X(export, "export journal [--from N]", "every event as a JSON line")                           \
    X(import, "import hl7|csv|mwl|fhir FILE…|URL [--dry-run]", "load open orders; nothing goes out by it")  \
    X(reconcile, "reconcile FILE…|URL [--apply]", "compare with the RIS's open list")               \
    X(model, "model list|set-mode ID VERSION MODE REASON", "AI models and their modes")            \
    X(queue, "queue list|show|retry|discard|pause|resume …", "what has to leave the house")            \
    X(send, "send FILE… [--to mllp://HOST:PORT]", "send HL7 messages, and show the answers")          \
    X(user, "user add NAME --role a,b [--token]", "an account; the password on standard input")    \
    X(worklist, "worklist", "the reporting worklist, in order")                                    \
    X(version, "version", "print the version")

#define DECLARE(name, usage, summary) int cmd_##name(const struct spd_cli *cli, int argc, char **argv);
COMMANDS(DECLARE)
#define TABLE(name, usage, summary) {#name, usage, summary, cmd_##name},
const struct spd_command spd_commands[] = {COMMANDS(TABLE){NULL, NULL, NULL, NULL}};

/* The word of a command is its function's name with dashes for underscores. */
static bool is_word(const char *name, const char *word)
{
    for (; *name && *word; name++, word++)
        if (*name != *word && !(*name == '_' && *word == '-')) return false;
    return *name == *word;
}

static void help(FILE *to)
{
    fprintf(to, "usage: spoed [-c FILE] [--json] [--quiet] [--no-color] COMMAND …\n\n");
    for (const struct spd_command *c = spd_commands; c->name; c++)
        fprintf(to, "  %-48s %s\n", c->usage, c->summary);
    fprintf(to, "\n-c FILE  configuration, default /etc/spoed/spoed.yaml\n"
                "exit: 0 ok, 1 failure, 2 usage, 3 configuration or policy invalid, 4 policy tests failed,\n"
                "      5 store needs migration\n");
}

/* Takes the general options out of argv, wherever they stand. */
static int take_options(struct spd_cli *cli, int argc, char **argv)
{
    int n = 1;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-c") && i + 1 < argc) cli->config = argv[++i];
        else if (!strcmp(argv[i], "--json")) cli->json = true;
        else if (!strcmp(argv[i], "--quiet")) cli->quiet = true;
        else if (!strcmp(argv[i], "--no-color")) cli->color = false;
        else argv[n++] = argv[i];
    }
    argv[n] = NULL;
    return n;
}

/* Announced and not yet there: whoever types them hears that, and not that they are misspelt. */
static const char *const later[] = {"send", "simulate", "oncall", "template"};

int main(int argc, char **argv)
{
    static char self[PATH_MAX];
    struct spd_cli cli = {"/etc/spoed/spoed.yaml", false, false, isatty(1) && !getenv("NO_COLOR"), self};
    ssize_t k = readlink("/proc/self/exe", self, sizeof self - 1);
    if (k > 0) self[k] = 0;
    argc = take_options(&cli, argc, argv);
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        help(argc < 2 ? stderr : stdout);
        return argc < 2 ? SPD_EXIT_USAGE : SPD_EXIT_OK;
    }
    for (const struct spd_command *c = spd_commands; c->name; c++)
        if (is_word(c->name, argv[1])) {
            if (argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h"))) {
                printf("usage: spoed %s\n%s\n", c->usage, c->summary);
                return SPD_EXIT_OK;
            }
            return c->run(&cli, argc - 1, argv + 1);
        }
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (!strcmp(later[i], argv[1])) {
            fprintf(stderr, "spoed: %s is not in this version; README.md says what follows\n", argv[1]);
            return SPD_EXIT_USAGE;
        }
    if (!strcmp(argv[1], "-c"))
        fputs("spoed: -c needs the path of a configuration\n", stderr);
    else
        fprintf(stderr, "spoed: no such command: %s (see spoed --help)\n", argv[1]);
    return SPD_EXIT_USAGE;
}
