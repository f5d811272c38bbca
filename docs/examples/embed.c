/* embed.c: a host in C. Prints the reporting worklist, then again whenever it changes, for as long
 * as it is told.
 *
 *     cc -std=c17 -o embed embed.c -lspoed
 *     ./embed [--socket PATH] [--token TOKEN] [--seconds N] [--order FILE.hl7]
 *
 * It shows how a PACS would do it in its own event loop: one descriptor to poll, no thread, no
 * callback; after a break it subscribes again at the place where it was. Exit: 0, 1 failure, 2
 * usage. */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <spoed/spoed.h>

static int failed(const char *what, const struct spoed_error *e)
{
    fprintf(stderr, "embed: %s: %s: %s\n", what, spoed_code_name(e->code), e->text);
    return 1;
}

static int print_list(const struct spoed *s, int64_t at_least)
{
    struct spoed_query q = SPOED_QUERY_INIT;
    struct spoed_error e = SPOED_ERROR_INIT;
    struct spoed_list *list = NULL;
    q.at_least = at_least, q.limit = 20;
    if (spoed_list_open(s, &q, &list, &e) != SPOED_OK) return failed("list", &e);
    printf("revision %lld%s\n", (long long)spoed_list_revision(list),
           spoed_list_complete(list) ? "" : " (possibly incomplete)");
    for (size_t i = 0; i < spoed_list_count(list); i++)
        printf("%3lld  %-10s  %-12s  %-12s  %s\n", (long long)spoed_list_rank(list, i),
               spoed_list_level(list, i), spoed_list_accession(list, i), spoed_list_status(list, i),
               spoed_list_reason(list, i, 0));
    fflush(stdout);
    spoed_list_free(list);
    return 0;
}

static int submit(const struct spoed *s, const char *path)
{
    static char bytes[1 << 20];
    struct spoed_order_answer a = SPOED_ORDER_ANSWER_INIT;
    struct spoed_error e = SPOED_ERROR_INIT;
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f) fclose(f);
    if (spoed_submit_order(s, bytes, n, &a, &e) != SPOED_OK) return failed("order", &e);
    printf("order: %s %s\n", a.answer, a.reason);
    return print_list(s, a.revision); /* with the order in it, if it is to be listed */
}

/* Follows the changes until the time is over. A stream that ends is no failure: the brain was
 * restarted. */
static int follow(const struct spoed *s, int seconds)
{
    struct spoed_stream *stream = NULL;
    struct spoed_error e = SPOED_ERROR_INIT;
    int64_t place = 0;
    time_t end = time(NULL) + seconds;
    int rc = 0;
    while (!rc && time(NULL) < end) {
        struct spoed_event event = SPOED_EVENT_INIT;
        struct pollfd p = {-1, POLLIN, 0};
        enum spoed_code code;
        int64_t revision = 0;
        if (!stream && spoed_subscribe(s, place, &stream, &e) != SPOED_OK)
            return failed("subscribe", &e);
        p.fd = spoed_stream_fd(stream);
        if (poll(&p, 1, 1000) < 0) break;
        while ((code = spoed_next(stream, &event)) == SPOED_OK)
            revision = event.revision; /* one reading of the list for all that came at once */
        if (revision) rc = print_list(s, revision);
        if (code != SPOED_END) continue;
        place = spoed_stream_place(stream);
        spoed_unsubscribe(stream);
        stream = NULL;
    }
    spoed_unsubscribe(stream);
    return rc;
}

int main(int argc, char **argv)
{
    struct spoed_options o = SPOED_OPTIONS_INIT;
    struct spoed_error e = SPOED_ERROR_INIT;
    struct spoed *s = NULL;
    const char *order = NULL;
    int seconds = 60, rc;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (value && !strcmp(argv[i], "--socket"))
            o.socket_path = value;
        else if (value && !strcmp(argv[i], "--token"))
            o.token = value;
        else if (value && !strcmp(argv[i], "--seconds"))
            seconds = (int)strtol(value, NULL, 10);
        else if (value && !strcmp(argv[i], "--order"))
            order = value;
        else
            return fprintf(stderr, "usage: embed [--socket PATH] [--token TOKEN] [--seconds N] "
                                   "[--order FILE.hl7]\n"),
                   2;
        i++;
    }
    if (spoed_open(&o, &s, &e) != SPOED_OK) return failed("open", &e);
    rc = order ? submit(s, order) : follow(s, seconds);
    spoed_close(s);
    return rc;
}
