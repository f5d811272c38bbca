/* src/base/hash.c: see hash.h. */
#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

void spd_sha256(spd_sv v, unsigned char ret[32])
{
    if (!EVP_Digest(v.len ? v.ptr : "", v.len, ret, NULL, EVP_sha256(), NULL)) abort();
}

void spd_sha256_of(const spd_sv *v, size_t n, unsigned char ret[32])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (!c || !EVP_DigestInit_ex(c, EVP_sha256(), NULL)) abort();
    for (size_t i = 0; i < n; i++)
        if (!EVP_DigestUpdate(c, v[i].len ? v[i].ptr : "", v[i].len)) abort();
    if (!EVP_DigestFinal_ex(c, ret, NULL)) abort();
    EVP_MD_CTX_free(c);
}

void spd_sha1(spd_sv v, unsigned char ret[20])
{
    if (!EVP_Digest(v.len ? v.ptr : "", v.len, ret, NULL, EVP_sha1(), NULL)) abort();
}

void spd_hmac_sha256(spd_sv key, spd_sv v, unsigned char ret[32])
{
    unsigned n = 32;
    if (!HMAC(EVP_sha256(), key.len ? key.ptr : "", (int)key.len,
              (const unsigned char *)(v.len ? v.ptr : ""), v.len, ret, &n))
        abort();
}

void spd_random(void *ret, size_t n)
{
    if (RAND_bytes(ret, (int)n) != 1) abort();
}

bool spd_same_secret(spd_sv a, spd_sv b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

spd_sv spd_hex(struct spd_arena *arena, const void *p, size_t n)
{
    static const char d[] = "0123456789abcdef";
    const unsigned char *b = p;
    char *o = spd_arena_must(arena, n * 2 + 1);
    for (size_t i = 0; i < n; i++)
        o[2 * i] = d[b[i] >> 4], o[2 * i + 1] = d[b[i] & 15];
    return spd_sv_of(o, n * 2);
}

spd_sv spd_base64url(struct spd_arena *arena, const void *p, size_t n)
{
    static const char d[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *b = p;
    char *o = spd_arena_must(arena, n * 4 / 3 + 4);
    size_t k = 0;
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)b[i] << 16 | (i + 1 < n ? (unsigned)b[i + 1] << 8 : 0) |
                     (i + 2 < n ? b[i + 2] : 0);
        o[k++] = d[v >> 18 & 63], o[k++] = d[v >> 12 & 63];
        if (i + 1 < n) o[k++] = d[v >> 6 & 63];
        if (i + 2 < n) o[k++] = d[v & 63];
    }
    return spd_sv_of(o, k);
}

spd_sv spd_sha256_hex(struct spd_arena *arena, spd_sv v)
{
    unsigned char h[32];
    spd_sha256(v, h);
    return spd_hex(arena, h, sizeof h);
}
