/* src/cli/demo_setup.c: the folder, the brain and the users of the demonstration.
 *
 * The rules are the samples of packaging/share with every duration divided by the speed; their tests are
 * left out, since they speak of the real durations. */
#define _GNU_SOURCE
#include "cli/demo.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/source.h"

static bool complain(const char *what, const char *which)
{
    fprintf(stderr, "spoed demo: %s: %s: %s\n", which, what, strerror(errno));
    return false;
}

static bool write_file(const char *path, spd_sv text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    bool ok = fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len;
    if (fd >= 0) close(fd);
    return ok || complain("cannot be written", path);
}

/* ---- rules with other durations ------------------------------------------------------------------ */
/* The reader takes at most 100,000 of a unit: seconds where milliseconds would be too many. */
static void add_duration(struct spd_str *s, spd_usec v)
{
    if (v >= SPD_MIN(1)) spd_str_addf(s, "%llds", (long long)(v / SPD_USEC_PER_SEC));
    else spd_str_addf(s, "%lldms", (long long)(v > 20000 ? v / 1000 : 20));
}

/* At a digit that begins a word: "15m" and the like. */
static size_t duration_at(const char *p, size_t n, spd_usec *ret)
{
    size_t k = 0;
    while (k < n && isdigit((unsigned char)p[k])) k++;
    if (!k || k == n || !strchr("smhd", p[k]) || (k + 1 < n && isalnum((unsigned char)p[k + 1]))) return 0;
    return spd_duration_parse(spd_sv_of(p, k + 1), ret) ? k + 1 : 0;
}

static void scale(spd_sv in, int speed, struct spd_str *out)
{
    size_t end = in.len, at;
    if (spd_sv_find(in, SPD_SV("\ntests:"), &at)) end = at + 1;
    for (size_t i = 0; i < end;) {
        spd_usec v;
        bool begins = i == 0 || (!isalnum((unsigned char)in.ptr[i - 1]) && !strchr("-.#_", in.ptr[i - 1]));
        size_t n = begins ? duration_at(in.ptr + i, end - i, &v) : 0;
        if (n) {
            add_duration(out, v / speed);
            i += n;
        } else {
            spd_str_addc(out, in.ptr[i++]);
        }
    }
}

static bool copy_rules(struct demo *d, const char *sub)
{
    char pattern[400], path[400];
    struct spd_arena *arena = spd_arena_new(8 << 20);
    struct spd_source *files = NULL;
    struct spd_err err = {SPD_OK, "", ""};
    size_t n = 0;
    bool ok;
    snprintf(pattern, sizeof pattern, "%s/%s/*.yaml", d->share, sub);
    snprintf(path, sizeof path, "%s/%s", d->dir, sub);
    ok = (mkdir(path, 0755) == 0 || errno == EEXIST) || complain("cannot be made", path);
    if (ok && (spd_source_glob(pattern, 1 << 20, &files, &n, arena, &err) || n == 0)) {
        fprintf(stderr, "spoed demo: no sample rules in %s\n", pattern);
        ok = false;
    }
    for (size_t i = 0; ok && i < n; i++) {
        struct spd_str text = SPD_STR_INIT(4 << 20);
        const char *name = strrchr(files[i].name.ptr, '/');
        scale(files[i].text, d->speed, &text);
        snprintf(path, sizeof path, "%s/%s%s", d->dir, sub, name ? name : "/rules.yaml");
        ok = write_file(path, spd_str_sv(&text), 0644);
        spd_str_done(&text);
    }
    spd_arena_free(arena);
    return ok;
}

/* packaging/share of the tree that this program was built in, else the installed folder. */
static bool find_share(struct demo *d)
{
    char up[PATH_MAX], probe[PATH_MAX + 64];
    snprintf(up, sizeof up, "%s", d->cli->self);
    for (int i = 0; i < 5; i++) {
        char *slash = strrchr(up, '/');
        if (!slash) break;
        *slash = 0;
        snprintf(probe, sizeof probe, "%s/packaging/share/policy.d", up);
        if (access(probe, R_OK) == 0) {
            snprintf(d->share, sizeof d->share, "%.250s/packaging/share", up);
            return true;
        }
    }
    snprintf(d->share, sizeof d->share, "/usr/share/spoed");
    if (access("/usr/share/spoed/policy.d", R_OK) == 0) return true;
    fprintf(stderr, "spoed demo: the sample rules were not found (packaging/share, /usr/share/spoed)\n");
    return false;
}

static void add_setting(struct spd_str *s, const char *key, int seconds, int speed)
{
    spd_str_addf(s, ", %s: ", key);
    add_duration(s, SPD_SEC(seconds) / speed);
}

static void configuration(struct demo *d, struct spd_str *s)
{
    const struct passwd *me = getpwuid(geteuid());
    spd_str_addf(s, "# Made by `spoed demo`.\nsite: {name: Demoziekenhuis, language: nl, patient_authority: ZH, "
                    "accession_issuer: ZH, public_url: \"%s\"", d->base);
    add_setting(s, "min_dwell", 15, d->speed);
    add_setting(s, "undo", 10, d->speed);
    add_setting(s, "complete_after", 60, d->speed);
    add_setting(s, "unmatched_after", 60, d->speed);
    add_setting(s, "report_timeout", 1200, d->speed);
    spd_str_addf(s, "}\nstore: {url: \"sqlite:%s/spoed.db\"}\npolicy: [\"%s/policy.d/*.yaml\"]\n"
                    "models: [\"%s/models.d/*.yaml\"]\npeople: \"%s/people.yaml\"\nrun: \"%s/run\"\n"
                    "codes: \"%s/codes\"\nsite_codes: \"%s/codes.d\"\ntemplates: \"%s/templates\"\n",
                 d->dir, d->dir, d->dir, d->dir, d->dir, d->share, d->dir, d->share);
    spd_str_addf(s, "listen:\n  http: [{address: 127.0.0.1, port: %d}, {socket: \"%s/run/spoed.sock\", roles: {%s: admin",
                 d->http_port, d->dir, me ? me->pw_name : "root");
    if (getpwnam("orthanc") && (!me || strcmp(me->pw_name, "orthanc"))) spd_str_addz(s, ", orthanc: hook");
    spd_str_addf(s, "}}]\n  mllp: [{address: 127.0.0.1, port: %d}]\n"
                    "  dicom: {ae_title: SPOED, reporting_ae_title: SPOED_READ, address: 127.0.0.1, port: %d}\n",
                 d->mllp_port, d->dicom_port);
    spd_str_addz(s, "peers:\n"
                    "  ris: {match: {door: hl7, address: 127.0.0.1}, roles: [orders, adt, reports], charset: UNICODE UTF-8}\n"
                    "  ai: {match: {door: dicom, ae_title: [DEMOAI]}, roles: [results]}\n"
                    "  orthanc: {match: {door: http, user: orthanc}, roles: [results]}\n");
    /* An Orthanc that packaging/run starts belongs to the same user as this. */
    if (me && strcmp(me->pw_name, "orthanc"))
        spd_str_addf(s, "  orthanc_here: {match: {door: http, user: \"%s\"}, roles: [results]}\n", me->pw_name);
    spd_str_addf(s, "channels:\n"
                    "  pager: {type: webhook, url: \"http://127.0.0.1:%d/page\", secret_file: \"%s/pager.secret\"}\n"
                    "  mail: {type: smtp, url: \"smtp://127.0.0.1:%d\", from: spoed@demo.example}\n"
                    "send:\n  ris: {type: hl7, to: \"mllp://127.0.0.1:%d\", events: [priority, report], mode: live}\n",
                 demo_peers_pager_port(d->peers), d->dir, demo_peers_mail_port(d->peers), demo_peers_ris_port(d->peers));
}

bool demo_write_folder(struct demo *d)
{
    char from[400], to[400];
    struct spd_str s = SPD_STR_INIT(1 << 16);
    struct spd_arena *arena = spd_arena_new(1 << 20);
    struct spd_source people;
    bool ok = find_share(d) && copy_rules(d, "policy.d") && copy_rules(d, "models.d");
    snprintf(from, sizeof from, "%s/people.yaml", d->share);
    snprintf(to, sizeof to, "%s/people.yaml", d->dir);
    ok = ok && spd_source_read(from, 1 << 20, &people, arena, NULL) == SPD_OK && write_file(to, people.text, 0644);
    snprintf(to, sizeof to, "%s/run", d->dir);
    ok = ok && (mkdir(to, 0755) == 0 || errno == EEXIST || complain("cannot be made", to));
    snprintf(to, sizeof to, "%s/pager.secret", d->dir);
    ok = ok && write_file(to, SPD_SV("a-secret-of-the-demonstration"), 0600);
    configuration(d, &s);
    snprintf(d->config, sizeof d->config, "%s/spoed.yaml", d->dir);
    ok = ok && write_file(d->config, spd_str_sv(&s), 0644);
    spd_str_done(&s);
    spd_arena_free(arena);
    return ok;
}

/* ---- processes ------------------------------------------------------------------------------------ */
bool demo_start_brain(struct demo *d)
{
    char log[300];
    posix_spawn_file_actions_t fa;
    char *argv[] = {(char *)d->cli->self, (char *)"-c", d->config, (char *)"serve", NULL};
    int rc, status;
    snprintf(log, sizeof log, "%s/spoed.log", d->dir);
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&fa, 1, 2);
    rc = posix_spawn(&d->brain, d->cli->self, &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    if (rc) return errno = rc, complain("cannot be started", "spoed serve");
    for (int i = 0; i < 300; i++) {
        if (demo_call(d, "GET", NULL, "/healthz", NULL, NULL, NULL) == 200) return true;
        if (waitpid(d->brain, &status, WNOHANG) == d->brain) {
            d->brain = 0;
            break;
        }
        usleep(100000);
    }
    fprintf(stderr, "spoed demo: the brain did not come up; see %s\n", log);
    return false;
}

void demo_stop_brain(struct demo *d)
{
    if (d->brain <= 0) return;
    kill(d->brain, SIGTERM);
    for (int i = 0; i < 150; i++) {
        if (waitpid(d->brain, NULL, WNOHANG) == d->brain) {
            d->brain = 0;
            return;
        }
        usleep(100000);
    }
    kill(d->brain, SIGKILL);
    waitpid(d->brain, NULL, 0);
    d->brain = 0;
}

int demo_run(char *const argv[], const char *input, struct spd_str *out)
{
    posix_spawn_file_actions_t fa;
    int in[2], from[2], status = 0;
    char buf[4096];
    ssize_t n;
    pid_t pid;
    if (pipe2(in, O_CLOEXEC)) return -1;
    if (pipe2(from, O_CLOEXEC)) {
        close(in[0]), close(in[1]);
        return -1;
    }
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, in[0], 0);
    posix_spawn_file_actions_adddup2(&fa, from[1], 1);
    posix_spawn_file_actions_adddup2(&fa, from[1], 2);
    status = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    close(in[0]);
    close(from[1]);
    if (!status && input) {
        ssize_t k = write(in[1], input, strlen(input)); /* short: fits the pipe */
        (void)k;
    }
    close(in[1]);
    while (!status && (n = read(from[0], buf, sizeof buf)) > 0) spd_str_add(out, spd_sv_of(buf, (size_t)n));
    close(from[0]);
    if (status) return -1;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

/* Over the brain's own socket, where this process is known as the administrator. token: where a new API token
 * goes; NULL: the account gets the night's password instead. roles: as a JSON array. */
static bool add_user(struct demo *d, const char *name, const char *roles, char *token, size_t max)
{
    struct spd_str body = SPD_STR_INIT(4096);
    json_t *o = NULL;
    long status;
    bool ok;
    spd_str_addf(&body, "{\"name\":\"%s\",\"roles\":%s,\"%s\":\"%s\"}", name, roles, token ? "token" : "password",
                 token ? "demo" : d->password);
    status = demo_call(d, "POST", DEMO_SOCKET, "/api/v1/users", body.ptr, NULL, &o);
    if (token) snprintf(token, max, "%s", demo_text(o, "token"));
    ok = status == 200 && (!token || *token);
    if (!ok) fprintf(stderr, "spoed demo: the user %s could not be made: HTTP %ld %s\n", name, status, demo_text(o, "detail"));
    json_decref(o);
    spd_str_done(&body);
    return ok;
}

bool demo_add_users(struct demo *d)
{
    return add_user(d, "demo", "[\"reader\",\"reporter\",\"clinician\",\"manager\"]", NULL, 0) &&
           add_user(d, "admin", "[\"admin\"]", NULL, 0) &&
           add_user(d, "smit", "[\"reader\",\"reporter\"]", d->reader, sizeof d->reader) &&
           add_user(d, "visser", "[\"clinician\"]", d->clinician, sizeof d->clinician) &&
           add_user(d, "manager", "[\"manager\",\"admin\"]", d->manager, sizeof d->manager) &&
           add_user(d, "orthanc", "[\"hook\"]", d->hook, sizeof d->hook);
}
