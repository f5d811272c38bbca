/* tests/fuzz/driver.c: replays a corpus folder (or single files) through a fuzz target without libFuzzer,
 * so that every corpus runs in the ordinary test run, under the sanitizers. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long ran;

static int run(const char *path)
{
    struct stat st;
    if (stat(path, &st)) return perror(path), 1;
    if (S_ISDIR(st.st_mode)) {
        DIR *d = opendir(path);
        struct dirent *e;
        int rc = 0;
        while (d && (e = readdir(d))) {
            char sub[4096];
            if (e->d_name[0] == '.') continue;
            snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
            rc |= run(sub);
        }
        if (d) closedir(d);
        return rc;
    }
    FILE *f = fopen(path, "rb");
    if (!f) return perror(path), 1;
    uint8_t *buf = malloc((size_t)st.st_size + 1); /* +1: never a zero-sized block */
    size_t n = fread(buf, 1, (size_t)st.st_size, f);
    fclose(f);
    uint8_t *exact = malloc(n ? n : 1); /* so that the sanitizer sees one byte too many */
    memcpy(exact, buf, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    free(buf);
    ran++;
    return 0;
}

int main(int argc, char **argv)
{
    int rc = 0;
    for (int i = 1; i < argc; i++) rc |= run(argv[i]);
    printf("%lu inputs replayed\n", ran);
    return rc || ran == 0;
}
