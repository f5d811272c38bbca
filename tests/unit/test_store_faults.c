/* tests/unit/test_store_faults.c: a disk that is full, by a file size limit and by a small file
 * system, gives SPD_IO and heals; an fsync that fails, and a corrupt file, end the writer's process
 * with 75. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "store/sqlite.h"
#include "unit/store_folder.h"

#define OK(call) assert_int_equal((call), SPD_OK)
enum { SKIPPED = 77, RAW = 20000 };

static struct folder place;

static int set_up(void **state)
{
    (void)state;
    place = folder_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

/* One transaction with one large row. */
static enum spd_rc write_one(struct spd_store *s, int64_t id)
{
    static char raw[RAW];
    struct spd_message m = {.id = id, .direction = SPD_DIRECTION_IN, .raw = {raw, RAW}};
    enum spd_rc rc = spd_store_begin(s, NULL);
    memset(raw, (int)id, RAW);
    if (rc) return rc;
    if (!(rc = spd_store_savepoint(s, NULL)) && !(rc = spd_put_message(s, &m, NULL, NULL)))
        rc = spd_store_release(s, NULL);
    else
        spd_store_rollback_to(s);
    if (rc || (rc = spd_store_commit(s, NULL))) spd_store_rollback(s);
    return rc;
}

static int64_t write_until_full(struct spd_store *s, int64_t id)
{
    enum spd_rc rc = SPD_OK;
    while (id < 2000 && !(rc = write_one(s, id))) id++;
    assert_int_equal(rc, SPD_IO);
    return id; /* the first that did not fit */
}

static void check(struct spd_store *s, int64_t last)
{
    struct spd_arena *a = spd_arena_new(1 << 20);
    int64_t max = -1, sound = 0;
    OK(spd_store_max_id(s, SPD_T_MESSAGE, &max, NULL));
    assert_int_equal(max, last);
    for (int64_t i = 1; i <= last; i++) {
        struct spd_message m;
        OK(spd_get_message(s, i, &m, a, NULL));
        assert_int_equal(m.raw.len, RAW);
        assert_int_equal((unsigned char)m.raw.ptr[RAW - 1], (unsigned char)i);
        spd_arena_reset(a);
    }
    OK(spd_sqlite_number(spd_store_sqlite_db(s),
                         "SELECT quick_check='ok' FROM pragma_quick_check LIMIT 1", &sound, NULL));
    assert_int_equal(sound, 1);
    spd_arena_free(a);
}

static void a_file_size_limit(void **state)
{
    struct rlimit was, low;
    struct spd_store *s;
    int64_t next;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    OK(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL));
    getrlimit(RLIMIT_FSIZE, &was);
    low = was;
    low.rlim_cur = 2 * 1024 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    next = write_until_full(s, 1);
    assert_true(next > 10);
    assert_int_equal(write_one(s, next), SPD_IO); /* still full, still an honest answer */
    check(s, next - 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    for (int i = 0; i < 5; i++) OK(write_one(s, next++)); /* healed without a restart */
    check(s, next - 1);
    spd_store_close(s);
    OK(spd_store_open(place.url, SPD_STORE_WRITE, &s, NULL));
    check(s, next - 1);
    spd_store_close(s);
}

/* In a child with a mount name space of its own, so that nothing stays behind. */
static int on_a_small_file_system(void)
{
    struct spd_store *s;
    int64_t next;
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", place.path, "tmpfs", 0, "size=3m"))
        return SKIPPED;
    char ballast[96];
    snprintf(ballast, sizeof ballast, "%s/ballast", place.path);
    FILE *f = fopen(ballast, "w");
    for (int i = 0; i < 1024 * 1024; i++) putc('x', f);
    fclose(f);
    OK(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL));
    next = write_until_full(s, 1);
    check(s, next - 1);
    unlink(ballast); /* somebody makes room */
    OK(write_one(s, next++));
    check(s, next - 1);
    spd_store_close(s);
    return 0;
}

static void a_small_file_system(void **state)
{
    int status = 0;
    pid_t pid;
    (void)state;
    fflush(NULL);
    if ((pid = fork()) == 0) _exit(on_a_small_file_system());
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED) {
        print_message("skipped: may not mount a small file system here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- file systems ------------------------------------------------------------------------- */
static long pretend; /* f_type that statfs gives; 0: the true one */

/* The program's own symbol goes before the C library's: the store calls this one. */
int statfs(const char *path, struct statfs *ret)
{
    long rc = syscall(SYS_statfs, path, ret);
    if (pretend) ret->f_type = (__typeof__(ret->f_type))pretend;
    return (int)rc;
}

static void network_file_systems_are_refused(void **state)
{
    static const struct { const char *name; long type; enum spd_rc want;
    } rows[] = {
        {"nfs", 0x6969, SPD_INVALID},
        {"smb", 0x517b, SPD_INVALID},
        {"cifs", 0xff534d42, SPD_INVALID},
        {"smb2", 0xfe534d42, SPD_INVALID},
        {"tmpfs, with a warning", 0x01021994, SPD_OK},
        {"ext4", 0xef53, SPD_OK},
        {"xfs", 0x58465342, SPD_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spd_store *s = NULL;
        pretend = rows[i].type;
        if (spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL) != rows[i].want)
            fail_msg("%s", rows[i].name);
        spd_store_close(s);
    }
    pretend = 0;
}

/* ---- fsync ------------------------------------------------------------------------------- */
static sqlite3_vfs wrapped, *real;
static struct {
    const sqlite3_io_methods *of;
    sqlite3_io_methods with;
} patched[4]; /* one per kind of file */
static bool fsync_fails;
static int (*real_sync)(sqlite3_file *, int);

static int bad_sync(sqlite3_file *f, int flags)
{
    return fsync_fails ? SQLITE_IOERR_FSYNC : real_sync(f, flags);
}

static int patched_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags,
                        int *out)
{
    int rc = real->xOpen(vfs, name, f, flags, out);
    for (int i = 0; i < 4 && rc == SQLITE_OK && f->pMethods; i++) {
        if (patched[i].of && patched[i].of != f->pMethods) continue;
        patched[i].of = f->pMethods;
        patched[i].with = *f->pMethods;
        real_sync = f->pMethods->xSync;
        patched[i].with.xSync = bad_sync;
        f->pMethods = &patched[i].with;
        break;
    }
    return rc;
}

static void a_failed_fsync_ends_the_process(void **state)
{
    int status = 0;
    pid_t pid;
    struct spd_store *s;
    (void)state;
    fflush(NULL);
    if ((pid = fork()) == 0) {
        real = sqlite3_vfs_find(NULL);
        wrapped = *real;
        wrapped.zName = "badsync";
        wrapped.xOpen = patched_open;
        sqlite3_vfs_register(&wrapped, 1);
        if (spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL) ||
            write_one(s, 1))
            _exit(1);
        fsync_fails = true;
        write_one(s, 2);
        _exit(2); /* it should not get here */
    }
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 75);
    OK(spd_store_open(place.url, SPD_STORE_WRITE, &s,
                      NULL)); /* the next start: what was committed is there */
    struct spd_message m;
    struct spd_arena *a = spd_arena_new(1 << 20);
    OK(spd_get_message(s, 1, &m, a, NULL));
    spd_arena_free(a);
    spd_store_close(s);
}

static void a_corrupt_file_ends_the_writer_and_not_a_reader(void **state)
{
    struct spd_store *s;
    struct spd_arena *a = spd_arena_new(1 << 20);
    struct spd_message m;
    int status = 0;
    int64_t page = 0;
    enum spd_rc rc = SPD_OK;
    pid_t pid;
    (void)state;
    OK(spd_store_open(place.url, SPD_STORE_WRITE | SPD_STORE_CREATE, &s, NULL));
    for (int64_t i = 1; i < 50; i++) OK(write_one(s, i));
    OK(spd_sqlite_number(spd_store_sqlite_db(s),
                         "SELECT rootpage FROM sqlite_schema WHERE name='message'", &page, NULL));
    spd_store_close(s); /* empties the log into the file */
    FILE *f = fopen(place.db, "r+");
    fseek(f, (page - 1) * 4096, SEEK_SET);
    fwrite("\xff\xff\xff\xff\xff\xff\xff\xff", 8, 1, f);
    fclose(f);
    if ((pid = fork()) == 0) {
        if (!spd_store_open(place.url, SPD_STORE_WRITE, &s, NULL))
            for (int64_t i = 50; i < 60; i++) write_one(s, i);
        _exit(2);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 75);
    rc = spd_store_open(place.url, SPD_STORE_READ, &s, NULL);
    if (!rc) {
        rc = spd_get_message(s, 1, &m, a, NULL);
        spd_store_close(s);
    }
    assert_int_equal(rc, SPD_IO);
    spd_arena_free(a);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_file_size_limit), CASE(a_small_file_system), CASE(network_file_systems_are_refused),
        CASE(a_failed_fsync_ends_the_process),
        CASE(a_corrupt_file_ends_the_writer_and_not_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
