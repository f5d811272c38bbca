/* tests/unit/store_folder.h: a temporary folder with one database in it, and its removal. */
#ifndef SPD_TESTS_STORE_FOLDER_H
#define SPD_TESTS_STORE_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
    char path[64], db[96], url[112];
};

static inline struct folder folder_make(void)
{
    struct folder f = {.path = "/tmp/spd-store-XXXXXX"};
    if (!mkdtemp(f.path)) abort();
    snprintf(f.db, sizeof f.db, "%s/test.db", f.path);
    snprintf(f.url, sizeof f.url, "sqlite:%s", f.db);
    return f;
}

static inline void folder_remove(const struct folder *f)
{
    DIR *d = opendir(f->path);
    char path[512];
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", f->path, e->d_name);
        unlink(path);
    }
    if (d) closedir(d);
    rmdir(f->path);
}

#endif
