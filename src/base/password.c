/* src/base/password.c: see password.h. */
#define _GNU_SOURCE
#include "base/password.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/str.h"

enum { SALT = 16, HASH = 32, R = 8, P = 1 };
#define MAX_N (1u << 20)
#define MAX_MEMORY ((uint64_t)1200 << 20) /* 128 * N * r at the largest cost, and a little */

struct stored {
    uint64_t n, r, p;
    unsigned char salt[64], hash[64];
    size_t n_salt, n_hash;
};

static bool good_cost(uint64_t n)
{
    return n >= 1u << 10 && n <= MAX_N && (n & (n - 1)) == 0;
}

static bool derive(spd_sv password, const unsigned char *salt, size_t n_salt, uint64_t n, uint64_t r,
                   uint64_t p, unsigned char *ret, size_t n_ret)
{
    uint64_t memory = MAX_MEMORY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)password.ptr,
                                          password.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, n_salt),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx && EVP_KDF_derive(ctx, ret, n_ret, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

enum spd_rc spd_password_hash(spd_sv password, uint64_t n, spd_sv *ret, struct spd_arena *arena,
                              struct spd_err *err)
{
    unsigned char salt[SALT], hash[HASH];
    spd_sv s, h;
    if (!password.len || password.len > SPD_PASSWORD_MAX)
        return spd_fail(err, SPD_INVALID, "password", "must have 1 to %d bytes", SPD_PASSWORD_MAX);
    if (!good_cost(n)) return spd_fail(err, SPD_INVALID, "password", "cost must be a power of two");
    spd_random(salt, sizeof salt);
    if (!derive(password, salt, sizeof salt, n, R, P, hash, sizeof hash))
        return spd_fail(err, SPD_BUG, "password", "scrypt failed");
    s = spd_base64url(arena, salt, sizeof salt);
    h = spd_base64url(arena, hash, sizeof hash);
    explicit_bzero(hash, sizeof hash);
    *ret = spd_arena_printf(arena, "scrypt$%llu$%d$%d$%.*s$%.*s", (unsigned long long)n, R, P,
                            SPD_SV_ARG(s), SPD_SV_ARG(h));
    return SPD_OK;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static bool from_base64url(spd_sv v, unsigned char *ret, size_t max, size_t *ret_n)
{
    unsigned bits = 0, acc = 0;
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++) {
        int x = value_of(v.ptr[i]);
        if (x < 0) return false;
        acc = (acc << 6 | (unsigned)x) & 0xffffff;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        if (n == max) return false;
        ret[n++] = (unsigned char)(acc >> bits);
    }
    *ret_n = n;
    return true;
}

/* Cuts the text up to the next '$' off the front. */
static spd_sv cut(spd_sv *rest)
{
    size_t i = 0;
    spd_sv head;
    while (i < rest->len && rest->ptr[i] != '$') i++;
    head = spd_sv_of(rest->ptr, i);
    rest->ptr += i, rest->len -= i;
    if (rest->len) rest->ptr++, rest->len--;
    return head;
}

static bool number(spd_sv *rest, uint64_t *ret)
{
    int64_t v;
    if (!spd_sv_to_i64(cut(rest), &v) || v < 1) return false;
    *ret = (uint64_t)v;
    return true;
}

static bool parse(spd_sv v, struct stored *s)
{
    if (!spd_sv_is(cut(&v), "scrypt")) return false;
    if (!number(&v, &s->n) || !number(&v, &s->r) || !number(&v, &s->p)) return false;
    return good_cost(s->n) && s->r <= 8 && s->p <= 4 &&
           from_base64url(cut(&v), s->salt, sizeof s->salt, &s->n_salt) && s->n_salt >= 8 &&
           from_base64url(cut(&v), s->hash, sizeof s->hash, &s->n_hash) && s->n_hash >= 16 && !v.len;
}

enum spd_rc spd_password_verify(spd_sv stored, spd_sv password, struct spd_err *err)
{
    struct stored s;
    unsigned char hash[sizeof s.hash];
    bool same;
    if (!parse(stored, &s))
        return spd_fail(err, SPD_INVALID, "password", "the stored string is not a scrypt string");
    if (password.len > SPD_PASSWORD_MAX) return spd_fail(err, SPD_DENIED, "password", "too long");
    if (!derive(password, s.salt, s.n_salt, s.n, s.r, s.p, hash, s.n_hash))
        return spd_fail(err, SPD_BUG, "password", "scrypt failed");
    same = spd_same_secret(spd_sv_of((char *)hash, s.n_hash), spd_sv_of((char *)s.hash, s.n_hash));
    explicit_bzero(hash, sizeof hash);
    return same ? SPD_OK : spd_fail(err, SPD_DENIED, "password", "does not match");
}

enum spd_rc spd_password_pretend(spd_sv password)
{
    static const unsigned char salt[SALT] = "no such user....";
    unsigned char hash[HASH];
    if (password.len > SPD_PASSWORD_MAX) password.len = SPD_PASSWORD_MAX;
    (void)derive(password, salt, sizeof salt, SPD_PASSWORD_N, R, P, hash, sizeof hash);
    return SPD_DENIED;
}
