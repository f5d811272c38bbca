/* tests/abi/fake_brain.h: an HTTP server on a Unix socket, in a thread, that answers what it is told to, as
 * late or as broken as it is told to. One connection at a time. It takes no memory: the sweep counts that. */
#ifndef SPD_TESTS_FAKE_BRAIN_H
#define SPD_TESTS_FAKE_BRAIN_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct fake_brain {
    char path[108];
    int fd, stop;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    const char *answer;   /* bytes; NULL: says nothing until the client goes */
    bool hold;            /* after the answer: keeps the connection until the client goes */
    int piece;            /* bytes at a time, with a pause; 0: all at once */
    int connections;
    char got[1 << 16]; /* the last request */
};

/* Until the request is whole, or the client goes. */
static void fake_read(struct fake_brain *b, int fd)
{
    size_t n = 0, want = 0;
    char *end;
    do {
        ssize_t k = recv(fd, b->got + n, sizeof b->got - 1 - n, 0);
        if (k <= 0) break;
        n += (size_t)k;
        b->got[n] = 0;
        end = strstr(b->got, "\r\n\r\n");
        if (end && !want) {
            const char *length = strstr(b->got, "Content-Length: ");
            want = (size_t)(end + 4 - b->got) + (length ? strtoul(length + 16, NULL, 10) : 0);
        }
    } while (!want || (n < want && n < sizeof b->got - 1));
}

static void fake_wait_for_end(struct fake_brain *b, int fd)
{
    char c[256];
    struct pollfd p[2] = {{fd, POLLIN, 0}, {b->stop, POLLIN, 0}};
    while (poll(p, 2, -1) > 0 && !p[1].revents)
        if (recv(fd, c, sizeof c, 0) <= 0) return;
}

static void fake_serve(struct fake_brain *b, int fd)
{
    const char *answer;
    bool hold;
    int piece;
    pthread_mutex_lock(&b->lock);
    fake_read(b, fd);
    b->connections++;
    answer = b->answer, hold = b->hold || !answer, piece = b->piece;
    pthread_mutex_unlock(&b->lock);
    for (size_t n = answer ? strlen(answer) : 0, k; n; n -= k, answer += k) {
        ssize_t sent = send(fd, answer, piece && (size_t)piece < n ? (size_t)piece : n, MSG_NOSIGNAL);
        if (sent <= 0) return;
        k = (size_t)sent;
        if (piece) usleep(200);
    }
    if (hold) fake_wait_for_end(b, fd);
}

static void *fake_run(void *arg)
{
    struct fake_brain *b = arg;
    struct pollfd p[2] = {{b->fd, POLLIN, 0}, {b->stop, POLLIN, 0}};
    while (poll(p, 2, -1) > 0 && !p[1].revents) {
        int fd = accept(b->fd, NULL, NULL);
        if (fd < 0) continue;
        fake_serve(b, fd);
        close(fd);
    }
    return NULL;
}

static int fake_start(struct fake_brain *b)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memset(b, 0, sizeof *b);
    pthread_mutex_init(&b->lock, NULL);
    snprintf(b->path, sizeof b->path, "/tmp/spoed-abi-%ld.sock", (long)getpid());
    unlink(b->path);
    memcpy(a.sun_path, b->path, sizeof a.sun_path);
    b->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    b->stop = eventfd(0, EFD_CLOEXEC);
    if (b->fd < 0 || b->stop < 0 || bind(b->fd, (struct sockaddr *)&a, sizeof a) || listen(b->fd, 64)) return -1;
    return pthread_create(&b->thread, NULL, fake_run, b);
}

static void fake_stop(struct fake_brain *b)
{
    uint64_t one = 1;
    ssize_t n = write(b->stop, &one, sizeof one);
    (void)n;
    pthread_join(b->thread, NULL);
    close(b->fd), close(b->stop);
    unlink(b->path);
    pthread_mutex_destroy(&b->lock);
}

static void fake_says(struct fake_brain *b, const char *answer)
{
    pthread_mutex_lock(&b->lock);
    b->answer = answer, b->hold = false, b->piece = 0;
    pthread_mutex_unlock(&b->lock);
}

/* "HTTP/1.0 <status> X", with a length. In a buffer of the caller's. */
static const char *fake_http(char *to, size_t size, int status, const char *type, const char *body)
{
    snprintf(to, size, "HTTP/1.0 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", status, type, strlen(body), body);
    return to;
}

#define FAKE_ORDER "{\"answer\":\"AR\",\"reason\":\"peer not configured\",\"revision\":12,\"ack\":\"MSH|^~\\\\&|\\rMSA|AR|M1\\r\"}"
#define FAKE_RESULT "{\"outcome\":\"parked\",\"reason\":\"no such patient\",\"id\":7,\"revision\":13}"
#define FAKE_DONE "{\"revision\":14}"
#define FAKE_LIST                                                                                                    \
    "{\"revision\":41,\"now\":\"2026-11-23T03:00:00+01:00\",\"complete\":true,\"observe\":[],\"items\":["              \
    "{\"id\":5,\"rank\":1,\"level\":\"critical\",\"due\":\"2026-11-23T03:15:00.250+01:00\",\"arrived\":\"2026-11-23T03:00:00+01:00\"," \
    "\"reasons\":[{\"rule\":\"ich\",\"text\":\"AI: bloeding\"},{\"rule\":\"ed\",\"text\":\"SEH\"}],"                    \
    "\"accession\":{\"value\":\"A5\",\"issuer\":\"ZH\"},\"study_uids\":[\"1.2.3\",\"1.2.4\"],"                          \
    "\"patient\":{\"ids\":[{\"value\":\"ZZ5\",\"authority\":\"ZH\"}],\"name\":\"ZZCANARY^Test\"},\"modality\":\"CT\","    \
    "\"status\":\"in_progress\",\"reader\":\"smit\"},"                                                                \
    "{\"id\":6,\"rank\":null,\"level\":\"routine\",\"due\":null,\"arrived\":null,\"reasons\":[],\"accession\":{\"value\":null}," \
    "\"study_uids\":[],\"patient\":{\"ids\":[]},\"modality\":null,\"status\":\"ordered\",\"reader\":null}],\"next\":\"r1.2.3.4\"}"
#define FAKE_STREAM_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n"
#define FAKE_STREAM                                                                                                  \
    FAKE_STREAM_HEAD "retry: 2000\n\nevent: reset\nid: 40\ndata: {\"revision\":40}\n\n"                               \
                     "event: item\ndata: {\"id\":5,\"revision\":41}\n\n: alive\n\n"                                   \
                     "event: alert\nid: 41\ndata: {\"id\":9,\"revision\":41}\n\n"

#endif
