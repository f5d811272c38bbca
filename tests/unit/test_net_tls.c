/* tests/unit/test_net_tls.c: TLS on the MLLP listener and client (reliability S3): who gets in, who
 * does not and why, and that nobody who is slow about it holds up another. Real sockets,
 * certificates made on the spot. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "certs.h"
#include "net/mllp.h"
#include "net/mllp_client.h"
#include "net/socket.h"

static struct certs certs;

struct host {
    pthread_mutex_t lock;
    struct spd_mllp *m;
    char names[SPD_TLS_NAMES];
};

static enum spd_rc on_frame(void *ctx, struct spd_mllp_ticket t, const struct spd_mllp_from *from,
                            spd_sv frame)
{
    struct host *h = ctx;
    pthread_mutex_lock(&h->lock);
    snprintf(h->names, sizeof h->names, "%s", from->certificate);
    pthread_mutex_unlock(&h->lock);
    spd_mllp_answer(h->m, t, frame);
    return SPD_OK;
}

static struct spd_tls *server(const char *name, const char *crl)
{
    char crt[32], key[32];
    struct spd_tls_files f = {.ca = cert_path(&certs, "ca.crt"),
                              .crl = crl ? cert_path(&certs, crl) : NULL};
    struct spd_tls *t;
    struct spd_err err = {0};
    snprintf(crt, sizeof crt, "%s.crt", name), snprintf(key, sizeof key, "%s.key", name);
    f.certificate = cert_path(&certs, crt), f.key = cert_path(&certs, key);
    if (spd_tls_server(&f, &t, &err)) fail_msg("%s: %s", err.place, err.text);
    return t;
}

static struct spd_tls *client(const char *name, const char *ca)
{
    char crt[32], key[32];
    struct spd_tls_files f = {.ca = cert_path(&certs, ca)};
    struct spd_tls *t;
    struct spd_err err = {0};
    if (name) {
        snprintf(crt, sizeof crt, "%s.crt", name), snprintf(key, sizeof key, "%s.key", name);
        f.certificate = cert_path(&certs, crt), f.key = cert_path(&certs, key);
    }
    if (spd_tls_client(&f, &t, &err)) fail_msg("%s: %s", err.place, err.text);
    return t;
}

static void start(struct host *h, const char *certificate, const char *crl,
                  const struct spd_mllp_options *more)
{
    struct spd_mllp_options o = more ? *more : (struct spd_mllp_options){0};
    int fd;
    *h = (struct host){.lock = PTHREAD_MUTEX_INITIALIZER};
    o.tls = server(certificate, crl);
    assert_int_equal(spd_net_listen("127.0.0.1", 0, &fd, NULL), SPD_OK);
    assert_int_equal(spd_mllp_start(fd, &o, on_frame, h, &h->m, NULL), SPD_OK);
    spd_tls_unref(o.tls);
}

/* One message through; how it ended, and the reason. */
static enum spd_rc talk(struct host *h, struct spd_tls *tls, const char *server_name,
                        const char *text, struct spd_err *err)
{
    struct spd_mllp_target to = {.size = sizeof to,
                                 .host = "127.0.0.1",
                                 .port = spd_mllp_port(h->m),
                                 .timeout = SPD_SEC(5),
                                 .tls = tls,
                                 .server_name = server_name};
    struct spd_arena *a = spd_arena_new(1 << 20);
    struct spd_mllp_client *c = NULL;
    spd_sv answer;
    enum spd_rc rc = spd_mllp_dial(&to, &c, err);
    if (!rc) rc = spd_mllp_exchange(c, spd_sv_from(text), SPD_SEC(5), 1 << 20, &answer, a, err);
    if (!rc && !spd_sv_is(answer, text)) rc = SPD_BUG;
    spd_mllp_close(c);
    spd_arena_free(a);
    return rc;
}

/* What a client with OpenSSL's own words sees: for what our client would never do. */
static bool raw_handshake(int port, int version, const char *ciphers)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl;
    char byte;
    bool in;
    int fd;
    SSL_CTX_set_security_level(ctx, 0); /* whatever the client would be willing to do */
    SSL_CTX_set_min_proto_version(ctx, version), SSL_CTX_set_max_proto_version(ctx, version);
    if (ciphers && !SSL_CTX_set_cipher_list(ctx, ciphers)) abort();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_path(&certs, "client.crt")) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, cert_path(&certs, "client.key"), SSL_FILETYPE_PEM) != 1)
        abort();
    ssl = SSL_new(ctx);
    assert_int_equal(spd_net_connect("127.0.0.1", port, SPD_SEC(5), &fd, NULL), SPD_OK);
    SSL_set_fd(ssl, fd);
    in = SSL_connect(ssl) == 1 && SSL_write(ssl, "\x0bx\x1c\r", 4) == 4 &&
         SSL_read(ssl, &byte, 1) == 1 && byte == 0x0b;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return in;
}

/* The other side may know a moment before the listener has counted. */
static void wait_untrusted(struct host *h, uint64_t n)
{
    for (int i = 0; i < 500 && spd_mllp_stats(h->m).untrusted < n; i++)
        usleep(10000);
    assert_int_equal(spd_mllp_stats(h->m).untrusted, n);
    assert_int_equal(spd_mllp_stats(h->m).frames, 0);
}

static void who_has_a_good_certificate_gets_in(void **state)
{
    struct host h;
    struct spd_tls *c = client("client", "ca.crt");
    struct spd_err err = {0};
    (void)state;
    start(&h, "server", "ca.crl", NULL);
    for (int i = 0; i < 3; i++)
        if (talk(&h, c, NULL, "hallo", &err)) fail_msg("%s", err.text);
    if (talk(&h, c, "spoed.example", "hallo", &err)) fail_msg("by name: %s", err.text);
    assert_int_equal(strncmp(h.names, "sha256:", 7), 0);
    assert_non_null(strstr(h.names, "\nris.example"));
    assert_non_null(strstr(h.names, "\nris-b.example"));
    assert_non_null(strstr(h.names, "\nurn:ris:7"));
    assert_true(raw_handshake(spd_mllp_port(h.m), TLS1_2_VERSION, NULL));
    assert_true(raw_handshake(spd_mllp_port(h.m), TLS1_3_VERSION, NULL));
    assert_int_equal(spd_mllp_stats(h.m).untrusted, 0);
    spd_mllp_stop(h.m);
    spd_tls_unref(c);
}

/* The listener's side of the matrix. */
static void who_has_none_does_not(void **state)
{
    static const struct {
        const char *name, *certificate, *crl;
    } rows[] = {
        {"no certificate", NULL, NULL},
        {"expired", "expired", NULL},
        {"not valid yet", "early", NULL},
        {"of another CA", "stranger", NULL},
        {"revoked", "revoked", "ca.crl"},
        {"the revocation list is out of date", "client", "dead.crl"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host h;
        struct spd_tls *c = client(rows[i].certificate, "ca.crt");
        struct spd_err err = {0};
        enum spd_rc rc;
        start(&h, "server", rows[i].crl, NULL);
        for (int k = 0; k < 5; k++) {
            rc = talk(&h, c, NULL, "mag niet", &err);
            if (!rc) fail_msg("%s: got in", rows[i].name);
            if (rc != SPD_DENIED && rc != SPD_UNKNOWN && rc != SPD_AGAIN)
                fail_msg("%s: %s", rows[i].name, spd_rc_name(rc));
        }
        wait_untrusted(&h, 5);
        spd_mllp_stop(h.m);
        spd_tls_unref(c);
    }
}

static void old_versions_and_weak_ciphers_do_not(void **state)
{
    static const struct {
        const char *name;
        int version;
        const char *ciphers;
    } rows[] = {
        {"TLS 1.0", TLS1_VERSION, NULL},
        {"TLS 1.1", TLS1_1_VERSION, NULL},
        {"CBC", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384"},
        {"no forward secrecy", TLS1_2_VERSION, "AES128-GCM-SHA256"},
        {"no authentication", TLS1_2_VERSION, "AECDH-AES128-SHA"},
    };
    struct host h;
    (void)state;
    start(&h, "server", NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (raw_handshake(spd_mllp_port(h.m), rows[i].version, rows[i].ciphers))
            fail_msg("%s: got in", rows[i].name);
    wait_untrusted(&h, sizeof rows / sizeof *rows);
    spd_mllp_stop(h.m);
}

/* The client's side of the matrix: it tells nobody anything before it knows who that is. */
static void whom_the_client_does_not_trust(void **state)
{
    static const struct {
        const char *name, *certificate, *server_name, *ca, *why;
    } rows[] = {
        {"expired", "expired", NULL, "ca.crt", "certificate has expired"},
        {"of another CA", "server", NULL, "other.crt", "unable to get local issuer certificate"},
        {"another address", "elsewhere", NULL, "ca.crt", "IP address mismatch"},
        {"another name", "server", "ris.example", "ca.crt", "hostname mismatch"},
        {"half a wildcard", "elsewhere", "spoed7.example", "ca.crt", "hostname mismatch"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host h;
        struct spd_tls *c = client("client", rows[i].ca);
        struct spd_err err = {0};
        enum spd_rc rc;
        start(&h, rows[i].certificate, NULL, NULL);
        rc = talk(&h, c, rows[i].server_name, "geheim", &err);
        if (rc != SPD_DENIED) fail_msg("%s: %s", rows[i].name, spd_rc_name(rc));
        if (strcmp(err.text, rows[i].why)) fail_msg("%s: \"%s\"", rows[i].name, err.text);
        assert_int_equal(spd_mllp_stats(h.m).frames, 0);
        spd_mllp_stop(h.m);
        spd_tls_unref(c);
    }
}

static void files_that_cannot_be_used(void **state)
{
    struct spd_tls *t = NULL;
    struct spd_err err = {0};
    spd_usec ends = 0, now = spd_clock_now();
    const struct {
        const char *name;
        struct spd_tls_files files;
    } rows[] = {
        {"no certificate", {NULL, NULL, cert_path(&certs, "ca.crt"), NULL}},
        {"no file",
         {"/nonexistent.crt", cert_path(&certs, "server.key"), cert_path(&certs, "ca.crt"), NULL}},
        {"another's key",
         {cert_path(&certs, "server.crt"), cert_path(&certs, "client.key"),
          cert_path(&certs, "ca.crt"), NULL}},
        {"a key as CA",
         {cert_path(&certs, "server.crt"), cert_path(&certs, "server.key"),
          cert_path(&certs, "server.key"), NULL}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (spd_tls_server(&rows[i].files, &t, &err) != SPD_INVALID)
            fail_msg("%s: taken", rows[i].name);
        assert_true(*err.text);
    }
    assert_int_equal(spd_tls_client(&(struct spd_tls_files){0}, &t, &err), SPD_INVALID);
    assert_int_equal(spd_tls_server(&(struct spd_tls_files){cert_path(&certs, "server.crt"),
                                                            cert_path(&certs, "server.key"),
                                                            cert_path(&certs, "ca.crt"),
                                                            cert_path(&certs, "ca.crt")},
                                    &t, &err),
                     SPD_INVALID);
    assert_int_equal(spd_tls_file_ends(cert_path(&certs, "short.crt"), &ends, NULL), SPD_OK);
    assert_in_range(ends, now + SPD_HOUR(24 * 4), now + SPD_HOUR(24 * 6));
    assert_int_equal(spd_tls_file_ends(cert_path(&certs, "ca.crl"), &ends, NULL), SPD_OK);
    assert_in_range(ends, now + SPD_HOUR(24 * 29), now + SPD_HOUR(24 * 31));
    assert_int_equal(spd_tls_file_ends(cert_path(&certs, "ca.key"), &ends, &err), SPD_INVALID);
    assert_int_equal(spd_tls_file_ends("/nonexistent.crt", &ends, &err), SPD_INVALID);
}

static bool closed(int fd, int wait)
{
    char b[64];
    struct pollfd p = {fd, POLLIN, 0};
    while (poll(&p, 1, wait) > 0)
        if (recv(fd, b, sizeof b, MSG_DONTWAIT) <= 0) return true;
    return false;
}

/* Silence, bytes that are no TLS, half a handshake: each ends alone, and in time. */
static void a_slow_handshake_holds_up_nobody(void **state)
{
    enum { SILENT = 50 };
    struct host h;
    struct spd_tls *c = client("client", "ca.crt");
    struct spd_err err = {0};
    int fd[SILENT], half, plain;
    spd_usec begin;
    (void)state;
    start(&h, "server", NULL, &(struct spd_mllp_options){.shake_time = 1500000});
    for (int i = 0; i < SILENT; i++)
        assert_int_equal(spd_net_connect("127.0.0.1", spd_mllp_port(h.m), SPD_SEC(5), &fd[i], NULL),
                         SPD_OK);
    assert_int_equal(spd_net_connect("127.0.0.1", spd_mllp_port(h.m), SPD_SEC(5), &half, NULL),
                     SPD_OK);
    assert_int_equal(send(half, "\x16\x03\x01\x02\x00\x01\x00", 7, MSG_NOSIGNAL), 7);
    assert_int_equal(spd_net_connect("127.0.0.1", spd_mllp_port(h.m), SPD_SEC(5), &plain, NULL),
                     SPD_OK);
    assert_int_equal(send(plain, "\x0bMSH|^~\\&|\x1c\r", 13, MSG_NOSIGNAL), 13);
    begin = spd_clock_monotonic();
    for (int i = 0; i < 5; i++)
        if (talk(&h, c, NULL, "hallo", &err)) fail_msg("%s", err.text);
    assert_true(spd_clock_monotonic() - begin < SPD_SEC(1));
    assert_true(closed(plain, 1000)); /* no TLS: at once */
    for (int i = 0; i < SILENT; i++)
        assert_true(closed(fd[i], 5000));
    assert_true(closed(half, 5000));
    assert_int_equal(spd_mllp_stats(h.m).timed_out, SILENT + 1);
    for (int i = 0; i < SILENT; i++)
        close(fd[i]);
    close(half), close(plain);
    spd_mllp_stop(h.m);
    spd_tls_unref(c);
}

static void a_long_message_both_ways(void **state)
{
    enum { LONG = 3 << 20 };
    struct host h;
    struct spd_tls *c = client("client", "ca.crt");
    struct spd_mllp_target to = {
        .size = sizeof to, .host = "127.0.0.1", .timeout = SPD_SEC(5), .tls = c};
    struct spd_arena *a = spd_arena_new(16 << 20);
    struct spd_mllp_client *line;
    char *text = malloc(LONG);
    spd_sv answer;
    (void)state;
    for (size_t i = 0; i < LONG; i++)
        text[i] = (char)('a' + i % 25);
    start(&h, "server", NULL, NULL);
    to.port = spd_mllp_port(h.m);
    assert_int_equal(spd_mllp_dial(&to, &line, NULL), SPD_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            spd_mllp_exchange(line, spd_sv_of(text, LONG), SPD_SEC(20), 4 << 20, &answer, a, NULL),
            SPD_OK);
        assert_true(spd_sv_eq(answer, spd_sv_of(text, LONG)));
        assert_false(spd_mllp_stale(line));
    }
    spd_mllp_close(line);
    spd_mllp_stop(h.m);
    spd_tls_unref(c);
    spd_arena_free(a);
    free(text);
}

static void new_certificates_for_new_connections(void **state)
{
    struct host h;
    struct spd_tls *c = client("client", "ca.crt"), *revoked = client("revoked", "ca.crt");
    struct spd_mllp_options o = {.size = sizeof o};
    struct spd_err err = {0};
    (void)state;
    start(&h, "expired", NULL, NULL);
    assert_int_equal(talk(&h, c, NULL, "x", &err), SPD_DENIED);
    o.tls = server("server", NULL);
    assert_int_equal(spd_mllp_retune(h.m, &o, &err), SPD_OK);
    spd_tls_unref(o.tls);
    assert_int_equal(talk(&h, c, NULL, "x", &err), SPD_OK);
    assert_int_equal(talk(&h, revoked, NULL, "x", &err), SPD_OK); /* nobody has said so yet */
    o.tls = server("server", "ca.crl");
    assert_int_equal(spd_mllp_retune(h.m, &o, &err), SPD_OK);
    spd_tls_unref(o.tls);
    assert_true(talk(&h, revoked, NULL, "x", &err) != SPD_OK);
    assert_int_equal(talk(&h, c, NULL, "x", &err), SPD_OK);
    assert_int_equal(spd_mllp_retune(h.m, &(struct spd_mllp_options){0}, &err),
                     SPD_INVALID); /* not to plain */
    assert_int_equal(talk(&h, NULL, NULL, "x", &err), SPD_UNKNOWN);
    spd_mllp_stop(h.m);
    spd_tls_unref(c), spd_tls_unref(revoked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_has_a_good_certificate_gets_in),
                                       cmocka_unit_test(who_has_none_does_not),
                                       cmocka_unit_test(old_versions_and_weak_ciphers_do_not),
                                       cmocka_unit_test(whom_the_client_does_not_trust),
                                       cmocka_unit_test(files_that_cannot_be_used),
                                       cmocka_unit_test(a_slow_handshake_holds_up_nobody),
                                       cmocka_unit_test(a_long_message_both_ways),
                                       cmocka_unit_test(new_certificates_for_new_connections)};
    int failed;
    certs_begin(&certs);
    cert_make(&certs, "ca", "Test CA", NULL, -10, 100, NULL);
    cert_make(&certs, "other", "Other CA", NULL, -10, 100, NULL);
    cert_make(&certs, "server", "spoed.example", "DNS:spoed.example,IP:127.0.0.1", -10, 50, "ca");
    cert_make(&certs, "elsewhere", "elsewhere.example",
              "DNS:elsewhere.example,DNS:spoed*.example,IP:192.0.2.1", -10, 50, "ca");
    cert_make(&certs, "expired", "expired.example", "DNS:expired.example,IP:127.0.0.1", -20, -1,
              "ca");
    cert_make(&certs, "early", "early.example", NULL, 1, 20, "ca");
    cert_make(&certs, "client", "ris.example", "DNS:ris-b.example,URI:urn:ris:7", -10, 50, "ca");
    cert_make(&certs, "revoked", "gone.example", NULL, -10, 50, "ca");
    cert_make(&certs, "stranger", "ris.example", NULL, -10, 50, "other");
    cert_make(&certs, "short", "short.example", NULL, -10, 5, "ca");
    crl_make(&certs, "ca", "ca", "revoked", 30);
    crl_make(&certs, "dead", "ca", NULL, -1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    certs_end(&certs);
    return failed;
}
