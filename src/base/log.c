/* src/base/log.c: see log.h. One write(2) per line, so lines of threads do not mix. */
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/str.h"

static atomic_int max_level = SPD_LOG_INFO;
static atomic_bool show_patients;
static unsigned char key[32];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    spd_random(key, sizeof key);
}

void spd_log_set_level(enum spd_log_level max)
{
    atomic_store(&max_level, (int)max);
}

void spd_log_show_patients(bool on)
{
    atomic_store(&show_patients, on);
}

static void add_value(struct spd_str *s, spd_sv v)
{
    bool plain = v.len > 0;
    for (size_t i = 0; i < v.len && plain; i++)
        plain = v.ptr[i] > ' ' && v.ptr[i] < 0x7f && v.ptr[i] != '"' && v.ptr[i] != '=';
    if (plain)
        spd_str_add(s, v);
    else
        spd_str_json(s, v);
}

void spd_log_fields(enum spd_log_level level, const char *message, const struct spd_field_log *f)
{
    struct spd_str s = SPD_STR_INIT(4000);
    if ((int)level > atomic_load(&max_level)) return;
    pthread_once(&key_once, make_key);
    spd_str_addf(&s, "<%d>%s", (int)level, message);
    for (; f->key; f++) {
        spd_str_addf(&s, " %s=", f->key);
        if (!f->text.ptr) {
            spd_str_addi(&s, f->number);
        } else if (f->privacy == SPD_PLAIN || atomic_load(&show_patients)) {
            add_value(&s, f->text);
        } else if (f->privacy == SPD_PSEUDO) {
            unsigned char h[32];
            spd_hmac_sha256(spd_sv_of((const char *)key, sizeof key), f->text, h);
            spd_str_addf(&s, "#%02x%02x%02x%02x", h[0], h[1], h[2], h[3]);
        } else {
            spd_str_addc(&s, '-');
        }
    }
    spd_str_addc(&s, '\n');
    ssize_t n = write(2, s.ptr, s.len);
    (void)n;
    spd_str_done(&s);
}
