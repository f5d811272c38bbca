/* src/store/sqlite_open.c: a database file: open, pragmas, file system check, schema numbers,
 * migration, backup, and the translation of SQLite's errors. The verbs are in store_sqlite.c.
 *
 * A process that finds that fsync failed cannot know what is on the disk: the kernel may have
 * dropped the pages. It says so and exits; the next start recovers from the write-ahead log.
 * Threads: a connection belongs to one thread. */
#define _GNU_SOURCE
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"

enum { APPLICATION_ID = 0x53706f64 /* "Spod" */, EXIT_STORAGE = 75, BUSY_MS = 5000, PATH_LEN = 4096,
       BACKUP_PAGES = 256 };

#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif

enum spd_rc spd_sqlite_fail(struct sqlite3 *db, bool writer, const char *place, struct spd_err *err)
{
    int code = sqlite3_extended_errcode(db), primary = code & 0xff;
    bool lost = code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC ||
                primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
    if (primary == SQLITE_NOMEM) spd_out_of_memory();
    if (lost && writer) {
        spd_log(SPD_LOG_ERR,
                "storage cannot be trusted any more: exiting, nothing acknowledged is lost",
                SPD_LZ("at", place), SPD_LI("sqlite_code", code));
        _exit(EXIT_STORAGE);
    }
    switch (primary) {
    case SQLITE_FULL: return spd_fail(err, SPD_IO, place, "the disk is full (SQLite %d)", code);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return spd_fail(err, SPD_AGAIN, place, "another process holds the database");
    case SQLITE_CONSTRAINT: return spd_fail(err, SPD_EXISTS, place, "a row with this id exists");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return spd_fail(err, SPD_IO, place, "storage failed (SQLite %d, errno %d)", code,
                        sqlite3_system_errno(db));
    case SQLITE_TOOBIG:
        return spd_fail(err, SPD_LIMIT, place, "a value is too large for the database");
    default: return spd_fail(err, SPD_BUG, place, "SQLite %d", code);
    }
}

static enum spd_rc run(struct sqlite3 *db, bool writer, const char *place, const char *sql,
                       struct spd_err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) ? spd_sqlite_fail(db, writer, place, err)
                                                   : SPD_OK;
}

enum spd_rc spd_sqlite_number(struct sqlite3 *db, const char *sql, int64_t *ret,
                              struct spd_err *err)
{
    sqlite3_stmt *st = NULL;
    enum spd_rc rc = SPD_OK;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) || sqlite3_step(st) != SQLITE_ROW)
        rc = spd_sqlite_fail(db, false, "number", err);
    else
        *ret = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc;
}

/* The folder of a path, in buf; false when it is too long. */
static bool folder_of(const char *path, char *buf, size_t max)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 1;
    if (n + 1 >= max) return false;
    memcpy(buf, slash ? path : ".", n);
    if (!n) buf[n++] = '/';
    buf[n] = 0;
    return true;
}

/* A new name is on the disk only when its folder is. */
static int sync_folder(const char *path)
{
    char folder[PATH_LEN];
    int fd, bad;
    if (!folder_of(path, folder, sizeof folder)) return -1;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    bad = fsync(fd);
    close(fd);
    return bad;
}

/* A network file system breaks the locks that the write-ahead log needs. */
static enum spd_rc check_file_system(const char *path, struct spd_err *err)
{
    char folder[PATH_LEN];
    struct statfs fs;
    if (!folder_of(path, folder, sizeof folder))
        return spd_fail(err, SPD_LIMIT, "store.url", "the path is too long");
    if (statfs(folder, &fs))
        return spd_fail(err, errno == ENOENT ? SPD_NOTFOUND : SPD_IO, "store.url",
                        "the folder of the database: %s", strerror(errno));
    switch ((unsigned long)fs.f_type & 0xffffffffUL) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
        return spd_fail(err, SPD_INVALID, "store.url",
                        "the database must be on a local disk, not on a network file system");
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
        spd_log(SPD_LOG_WARNING, "the database is in memory (tmpfs): a power cut loses it");
        break;
    default: break;
    }
    return SPD_OK;
}

static enum spd_rc set_up(struct sqlite3 *db, enum spd_sqlite_use use, struct spd_err *err)
{
    static const char common[] = "PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF;"
                                 "PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON;"
                                 "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536;";
    bool writer = use == SPD_SQLITE_WRITER;
    enum spd_rc rc;
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    if (sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) ||
        (!writer && sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL)))
        return spd_sqlite_fail(db, false, "open", err);
    if ((rc = run(db, false, "open", common, err))) return rc;
    if (writer)
        return run(db, false, "open",
                   "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                   "PRAGMA wal_autocheckpoint=2000; PRAGMA journal_size_limit=67108864;",
                   err);
    return run(db, false, "open", "PRAGMA query_only=ON; PRAGMA wal_autocheckpoint=0;", err);
}

/* An empty file will be ours; anything else must say that it is. */
static enum spd_rc check_ours(struct sqlite3 *db, struct spd_err *err)
{
    int64_t id = 0, objects = 0;
    enum spd_rc rc;
    if ((rc = spd_sqlite_number(db, "PRAGMA application_id", &id, err)) ||
        (rc = spd_sqlite_number(db, "SELECT count(*) FROM sqlite_schema", &objects, err)))
        return rc;
    if (id == APPLICATION_ID || (id == 0 && objects == 0)) return SPD_OK;
    return spd_fail(err, SPD_INVALID, "store.url", "this file is not a Spoed database");
}

enum spd_rc spd_sqlite_connect(const char *path, enum spd_sqlite_use use, bool create,
                               struct sqlite3 **ret, struct spd_err *err)
{
    struct sqlite3 *db = NULL;
    enum spd_rc rc;
    *ret = NULL;
    if (!*path) return spd_fail(err, SPD_INVALID, "store.url", "sqlite: needs the path of a file");
    if ((rc = check_file_system(path, err))) return rc;
    if (access(path, F_OK)) {
        int fd = -1;
        if (!create) return spd_fail(err, SPD_NOTFOUND, "store.url", "there is no database file");
        fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0640); /* patient data: not for the world */
        if (fd < 0) return spd_fail(err, SPD_IO, "store.url", "cannot create: %s", strerror(errno));
        close(fd);
    }
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL)) {
        rc = db ? spd_sqlite_fail(db, false, "open", err) : SPD_IO;
        sqlite3_close_v2(db);
        return rc;
    }
    if ((rc = check_ours(db, err)) || (rc = set_up(db, use, err))) {
        sqlite3_close_v2(db);
        return rc;
    }
    *ret = db;
    return SPD_OK;
}

enum spd_rc spd_sqlite_version(struct sqlite3 *db, size_t *ret, struct spd_err *err)
{
    int64_t v = 0;
    enum spd_rc rc = spd_sqlite_number(db, "PRAGMA user_version", &v, err);
    *ret = v > 0 ? (size_t)v : 0;
    return rc;
}

static enum spd_rc apply(struct sqlite3 *db, const struct spd_schema *schema, size_t from,
                         struct spd_err *err)
{
    char number[96];
    enum spd_rc rc = SPD_OK;
    for (size_t i = from; i < schema->n && !rc; i++)
        rc = run(db, true, "migrate", schema->sql[i], err);
    snprintf(number, sizeof number, "PRAGMA application_id=%d; PRAGMA user_version=%zu;",
             APPLICATION_ID, schema->n);
    return rc ? rc : run(db, true, "migrate", number, err);
}

enum spd_rc spd_sqlite_migrate(struct sqlite3 *db, const char *path,
                               const struct spd_schema *schema, struct spd_err *err)
{
    char copy[PATH_LEN];
    size_t from;
    enum spd_rc rc = spd_sqlite_version(db, &from, err);
    if (rc) return rc;
    if (from == schema->n) return SPD_OK;
    if (from > schema->n)
        return spd_fail(err, SPD_STALE, "store.url",
                        "the database has schema %zu, this program knows up to %zu", from,
                        schema->n);
    if (from > 0) {
        snprintf(copy, sizeof copy, "%s.before-%zu", path, schema->n);
        rc = spd_sqlite_backup(db, copy, NULL, NULL, err);
        if (rc && rc != SPD_EXISTS)
            return rc; /* EXISTS: the copy of a migration that was cut short */
    }
    if ((rc = run(db, true, "migrate", "BEGIN IMMEDIATE", err))) return rc;
    if (!(rc = apply(db, schema, from, err))) rc = run(db, true, "migrate", "COMMIT", err);
    if (rc && !sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    if (!rc && from)
        spd_log(SPD_LOG_NOTICE, "database schema brought up to date", SPD_LI("from", (int64_t)from),
                SPD_LI("to", (int64_t)schema->n));
    return rc;
}

/* ---- backup -------------------------------------------------------------------------------- */
static enum spd_rc copy_pages(struct sqlite3 *from, struct sqlite3 *to,
                              spd_sqlite_progress progress, void *ctx, struct spd_err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int step;
    if (!b) return spd_sqlite_fail(to, false, "backup", err);
    do {
        step = sqlite3_backup_step(b, BACKUP_PAGES);
        if (step == SQLITE_BUSY || step == SQLITE_LOCKED) sqlite3_sleep(10);
        if (progress) {
            int all = sqlite3_backup_pagecount(b);
            progress(ctx, all - sqlite3_backup_remaining(b), all);
        }
    } while (step == SQLITE_OK || step == SQLITE_BUSY || step == SQLITE_LOCKED);
    return sqlite3_backup_finish(b) ? spd_sqlite_fail(to, false, "backup", err) : SPD_OK;
}

/* The copy is read back, then closed; its bytes are synced by SQLite's own commit. */
static enum spd_rc copy_to(struct sqlite3 *db, const char *part, spd_sqlite_progress progress,
                           void *ctx, struct spd_err *err)
{
    struct sqlite3 *to = NULL;
    enum spd_rc rc;
    int64_t same = 0;
    if (sqlite3_open_v2(part, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL)) {
        rc = spd_sqlite_fail(to, false, "backup", err);
    } else if (!(rc = copy_pages(db, to, progress, ctx, err)) &&
               !(rc = run(to, false, "backup", "PRAGMA journal_mode=DELETE", err)) &&
               !(rc = spd_sqlite_number(
                     to, "SELECT quick_check='ok' FROM pragma_quick_check LIMIT 1", &same, err)) &&
               !same) {
        rc = spd_fail(err, SPD_IO, "backup", "the copy does not pass SQLite's own check");
    }
    sqlite3_close_v2(to);
    return rc;
}

enum spd_rc spd_sqlite_backup(struct sqlite3 *db, const char *to, spd_sqlite_progress progress,
                              void *ctx, struct spd_err *err)
{
    char part[PATH_LEN];
    enum spd_rc rc;
    int fd, n = snprintf(part, sizeof part, "%s.part", to);
    if (n < 0 || (size_t)n >= sizeof part)
        return spd_fail(err, SPD_LIMIT, "backup", "the path is too long");
    if (!access(to, F_OK))
        return spd_fail(err, SPD_EXISTS, "backup", "the file to write is there already");
    unlink(part);
    fd = open(part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
              0600); /* patient data: for the owner only */
    if (fd < 0)
        return spd_fail(err, SPD_IO, "backup", "cannot write the copy: %s", strerror(errno));
    close(fd);
    rc = copy_to(db, part, progress, ctx, err);
    if (!rc && (rename(part, to) || sync_folder(to)))
        rc = spd_fail(err, SPD_IO, "backup", "the copy: %s", strerror(errno));
    if (rc) unlink(part);
    return rc;
}
