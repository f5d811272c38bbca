/* src/base/hash.h: SHA-256, HMAC, random bytes, hex and base64url, by OpenSSL's libcrypto. */
#ifndef SPD_BASE_HASH_H
#define SPD_BASE_HASH_H

#include "base/arena.h"

void spd_sha256(spd_sv v, unsigned char ret[32]);
void spd_sha256_of(const spd_sv *v, size_t n, unsigned char ret[32]); /* of all of them, joined */
void spd_sha1(spd_sv v, unsigned char ret[20]); /* RFC 6455 wants it; for nothing that must hold */
void spd_hmac_sha256(spd_sv key, spd_sv v, unsigned char ret[32]);
void spd_random(void *ret, size_t n);     /* aborts when the system has no randomness */
bool spd_same_secret(spd_sv a, spd_sv b); /* constant time for equal lengths */
spd_sv spd_hex(struct spd_arena *arena, const void *p, size_t n);
spd_sv spd_base64url(struct spd_arena *arena, const void *p, size_t n); /* no padding */
spd_sv spd_sha256_hex(struct spd_arena *arena, spd_sv v);

#endif
