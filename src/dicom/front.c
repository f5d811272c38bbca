/* src/dicom/front.c: the DICOM listener: accepts, limits, forks. Single-threaded; reads no DICOM
 * itself.
 *
 * At most 64 associations, 32 from one address. When all places are taken the oldest that has not
 * yet made its association gives way. Every child gets a socket of its own to the brain, which was
 * sent there first. */
#define _GNU_SOURCE
#include "dicom/front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sv.h"
#include "dicom/tls.h"
#include "result/dcm.h"

enum { PLACES = 64, PER_PEER = 32 };

static struct place {
    pid_t pid;
    char peer[INET6_ADDRSTRLEN];
    unsigned long started; /* a counter: the smaller the older */
} places[PLACES];
static volatile int *states; /* enum spd_place, PLACES of them, in shared memory */
static volatile sig_atomic_t stop;
enum { PLAIN = 0, SECURE, LISTENERS };
static int listeners[LISTENERS] = {-1, -1}; /* a child closes them */

static void on_term(int sig)
{
    (void)sig;
    stop = 1;
}
static void on_child(int sig)
{
    (void)sig; /* only to interrupt poll */
}

/* One message to the brain; fd < 0: none goes along. */
static int tell(const struct spd_front *f, char type, const char *text, int fd)
{
    struct iovec io[2] = {{&type, 1}, {(void *)(uintptr_t)text, strlen(text)}};
    union {
        struct cmsghdr h;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = {.msg_iov = io, .msg_iovlen = 2};
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = control.room, m.msg_controllen = sizeof control.room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ssize_t n;
    do
        n = sendmsg(f->fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0;
}

static int listen_on(const struct spd_front *f, int number)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE},
                    *a;
    char port[12];
    int one = 1, fd = -1;
    snprintf(port, sizeof port, "%d", number);
    if (getaddrinfo(f->address, port, &hints, &a)) return -1;
    fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd >= 0 && (bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, 128))) close(fd), fd = -1;
    freeaddrinfo(a);
    return fd;
}

/* A child that crashed (and was not ended by us or by its time limit) is told to the brain. */
static void reap(const struct spd_front *f)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < PLACES; i++)
            if (places[i].pid == pid) places[i].pid = 0;
        int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        if (sig && sig != SIGALRM && sig != SIGKILL && sig != SIGTERM) tell(f, 'C', "", -1);
    }
}

static void peer_text(const struct sockaddr_storage *from, char *ret, size_t size)
{
    const struct sockaddr_in6 *six = (const void *)from;
    const struct sockaddr_in *four = (const void *)from;
    const void *addr =
        from->ss_family == AF_INET6 ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr;
    if (!inet_ntop(from->ss_family, addr, ret, (socklen_t)size)) snprintf(ret, size, "?");
    if (!strncmp(ret, "::ffff:", 7)) memmove(ret, ret + 7, strlen(ret + 7) + 1);
}

/* The one that gives way: the oldest silent one, else the oldest idle one; never one with a message
 * in hand. -1: none. peer NULL: whoever. */
static int gives_way(const char *peer)
{
    int best = -1;
    for (int i = 0; i < PLACES; i++) {
        if (!places[i].pid || states[i] == SPD_PLACE_BUSY || (peer && strcmp(places[i].peer, peer)))
            continue;
        if (best < 0 || states[i] < states[best] ||
            (states[i] == states[best] && places[i].started < places[best].started))
            best = i;
    }
    return best;
}

/* A place for a new child, -1: none. */
static int find_place(const char *peer)
{
    int same = 0, empty = -1, way;
    for (int i = 0; i < PLACES; i++) {
        if (!places[i].pid)
            empty = i;
        else if (!strcmp(places[i].peer, peer))
            same++;
    }
    if (same < PER_PEER && empty >= 0) return empty;
    way = gives_way(same >= PER_PEER
                        ? peer
                        : NULL); /* too many of its own: one of its own goes, nobody else's */
    if (way < 0) return -1;
    kill(places[way].pid, SIGKILL);
    waitpid(places[way].pid, NULL, 0);
    places[way].pid = 0;
    return way;
}

static void child(const struct spd_front *f, int connection, bool secure, int brain, int place)
{
    struct spd_front mine = *f;
    signal(SIGTERM, SIG_DFL), signal(SIGCHLD, SIG_DFL), signal(SIGALRM, SIG_DFL);
    for (int i = 0; i < LISTENERS; i++)
        if (listeners[i] >= 0) close(listeners[i]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(f->fd);
    mine.fd = -1;
    _exit(spd_dicom_association(&mine, connection, secure, brain, places[place].peer,
                                &states[place]));
}

static int take(const struct spd_front *f, int listener, bool secure, unsigned long count)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    char peer[INET6_ADDRSTRLEN] = "";
    int pair[2], one = 1, fd = accept4(listener, (void *)&from, &len, SOCK_CLOEXEC);
    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : (usleep(50000), 0);
    peer_text(&from, peer, sizeof peer);
    int place = find_place(peer);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    if (place < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        close(fd);
        return 0;
    }
    int rc = tell(f, 'A', peer, pair[1]);
    close(pair[1]);
    states[place] = SPD_PLACE_SILENT;
    snprintf(places[place].peer, sizeof places[place].peer, "%s", peer);
    pid_t pid = rc ? -1 : fork();
    if (pid == 0) {
        child(f, fd, secure, pair[0], place);
    }
    if (pid > 0) places[place].pid = pid, places[place].started = count;
    close(fd), close(pair[0]);
    return rc;
}

static int serve(const struct spd_front *f)
{
    unsigned long count = 0;
    while (!stop) {
        struct pollfd p[3] = {
            {listeners[PLAIN], POLLIN, 0}, {f->fd, 0, 0}, {listeners[SECURE], POLLIN, 0}};
        poll(p, 3, 1000); /* -1: there is none */
        reap(f);
        if (p[1].revents & (POLLHUP | POLLERR)) break; /* the brain has gone */
        if (p[0].revents & POLLIN && take(f, listeners[PLAIN], false, ++count)) break;
        if (p[2].revents & POLLIN && take(f, listeners[SECURE], true, ++count)) break;
    }
    for (int i = 0; i < PLACES; i++)
        if (places[i].pid) kill(places[i].pid, SIGTERM);
    return 0;
}

static int parse(int argc, char **argv, struct spd_front *f)
{
    for (int i = 1; i < argc; i += 2) {
        int64_t n = 0;
        const char *v = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--address"))
            f->address = v;
        else if (!strcmp(argv[i], "--ae"))
            f->ae = v;
        else if (!strcmp(argv[i], "--reporting-ae"))
            f->reporting_ae = v;
        else if (!strcmp(argv[i], "--certificate"))
            f->certificate = v;
        else if (!strcmp(argv[i], "--key"))
            f->key = v;
        else if (!strcmp(argv[i], "--ca"))
            f->ca = v;
        else if (!spd_sv_to_i64(spd_sv_from(v), &n) || n < 0 || n > 65535)
            return -1;
        else if (!strcmp(argv[i], "--fd"))
            f->fd = (int)n;
        else if (!strcmp(argv[i], "--port"))
            f->port = (int)n;
        else if (!strcmp(argv[i], "--tls-port"))
            f->tls_port = (int)n;
        else
            return -1;
    }
    return f->fd >= 0 && f->port > 0 && *f->ae && strlen(f->ae) <= 16 &&
                   strlen(f->reporting_ae) <= 16
               ? 0
               : -1;
}

int spd_dicom_front_main(int argc, char **argv)
{
    struct spd_front f = {.address = "127.0.0.1",
                          .ae = "",
                          .reporting_ae = "",
                          .fd = -1,
                          .certificate = "",
                          .key = "",
                          .ca = ""};
    struct sigaction term = {.sa_handler = on_term}, chld = {.sa_handler = on_child};
    if (parse(argc, argv, &f)) {
        fprintf(stderr, "spoed-dicom front: --fd N --address A --port P --ae TITLE --reporting-ae "
                        "TITLE are needed\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigaction(SIGTERM, &term, NULL), sigaction(SIGINT, &term, NULL),
        sigaction(SIGCHLD, &chld, NULL);
    signal(SIGPIPE, SIG_IGN);
    spd_dcm_text_warm();           /* the children may open no file */
    setenv("TCP_NODELAY", "1", 1); /* DCMTK reads it; without, every message waits 40 ms */
    states = mmap(NULL, PLACES * sizeof *states, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                  -1, 0);
    const char *why = NULL;
    int secure = -1, listener = states == MAP_FAILED ? -1 : listen_on(&f, f.port);
    if (listener < 0) why = strerror(errno);
    if (!why && f.tls_port) {
        f.tls = spd_tls_new(1, f.certificate, f.key, f.ca, &why);
        if (f.tls && (secure = listen_on(&f, f.tls_port)) < 0) why = strerror(errno);
    }
    if (why) {
        tell(&f, 'N', why, -1);
        return 1;
    }
    listeners[PLAIN] = listener, listeners[SECURE] = secure;
    tell(&f, 'U', "", -1);
    return serve(&f);
}
