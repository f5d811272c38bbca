/* hl7/v2/charset.c: see charset.h. UTF-8 and Latin-1 are done here, since nearly every message is
 * one of them; the rest goes through iconv. */
#include "hl7/v2/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>

#include "hl7/v2/msg.h"

static const struct {
    const char *name, *set;
} names[] = {
    {"ASCII", "ASCII"},
    {"8859/1", "ISO-8859-1"},
    {"8859/2", "ISO-8859-2"},
    {"8859/3", "ISO-8859-3"},
    {"8859/4", "ISO-8859-4"},
    {"8859/5", "ISO-8859-5"},
    {"8859/6", "ISO-8859-6"},
    {"8859/7", "ISO-8859-7"},
    {"8859/8", "ISO-8859-8"},
    {"8859/9", "ISO-8859-9"},
    {"8859/15", "ISO-8859-15"},
    {"UNICODE UTF-8", "UTF-8"},
    {"UTF-8", "UTF-8"},
    {"UTF8", "UTF-8"},
    {"UNICODE", "UTF-8"},
    {"ISO IR6", "ASCII"},
    {"ISO IR100", "ISO-8859-1"},
    {"ISO IR101", "ISO-8859-2"},
    {"ISO IR144", "ISO-8859-5"},
    {"ISO IR148", "ISO-8859-9"},
    {"ISO IR192", "UTF-8"},
    {"ISO-8859-1", "ISO-8859-1"},
    {"ISO-8859-2", "ISO-8859-2"},
    {"ISO-8859-15", "ISO-8859-15"},
    {"ISO8859-1", "ISO-8859-1"},
    {"ISO8859-15", "ISO-8859-15"},
    {"LATIN1", "ISO-8859-1"},
    {"CP1252", "CP1252"},
    {"WINDOWS-1252", "CP1252"},
    {"CP1250", "CP1250"},
    {"WINDOWS-1250", "CP1250"},
    {"CP1251", "CP1251"},
    {"WINDOWS-1251", "CP1251"},
    {"CP1253", "CP1253"},
    {"CP1254", "CP1254"},
    {"CP850", "CP850"},
    {"GB 18030-2000", "GB18030"},
    {"KS X 1001", "EUC-KR"},
    {"BIG-5", "BIG5"},
    {"CNS 11643-1992", "EUC-TW"},
};

const char *hl7_charset_find(spd_sv name)
{
    name = spd_sv_trim(name);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (spd_sv_ieq(name, spd_sv_from(names[i].name))) return names[i].set;
    return NULL;
}

/* Offset of the first byte from `from` on that is not ASCII, or len. */
static size_t ascii_until(spd_sv v, size_t from)
{
    size_t i = from;
    for (uint64_t w; i + 8 <= v.len; i += 8) {
        memcpy(&w, v.ptr + i, 8);
        if (w & 0x8080808080808080u) break;
    }
    while (i < v.len && (unsigned char)v.ptr[i] < 0x80)
        i++;
    return i;
}

/* Length of the UTF-8 character at i (2..4); 0: it is none. */
static size_t utf8_char(spd_sv v, size_t i)
{
    const unsigned char *p = (const unsigned char *)v.ptr + i;
    size_t left = v.len - i, n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < n) return 0;
    for (size_t k = 1; k < n; k++)
        if ((p[k] & 0xC0) != 0x80) return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

/* Offset of the first byte that is not UTF-8, or len. */
static size_t utf8_until(spd_sv v)
{
    for (size_t i = 0, n;; i += n) {
        i = ascii_until(v, i);
        if (i >= v.len || !(n = utf8_char(v, i))) return i;
    }
}

static enum spd_rc sniff(spd_sv message, const char **ret)
{
    *ret = utf8_until(message) == message.len ? "UTF-8" : "ISO-8859-1";
    return SPD_OK;
}

enum spd_rc hl7_charset_of(spd_sv message, spd_sv fallback, const char **ret, struct spd_err *err)
{
    struct hl7_msg m;
    const char *declared = NULL;
    *ret = "ASCII";
    enum spd_rc rc = hl7_msg_header(&m, message, err);
    if (rc != SPD_OK) return rc;
    struct hl7_value field = hl7_field(&m, m.segs, 18);
    for (unsigned r = 1; field.is == HL7_VALUE && r <= 8 && r <= hl7_reps(&m, field.raw); r++) {
        struct hl7_value name = hl7_comp(&m, hl7_rep(&m, field, r), 1);
        if (name.is != HL7_VALUE || spd_sv_empty(spd_sv_trim(name.raw))) continue;
        const char *set = hl7_charset_find(name.raw);
        if (!set) {
            char place[96];
            hl7_msg_place(&m, (size_t)(name.raw.ptr - message.ptr), place, sizeof place);
            return spd_fail(err, SPD_INVALID, place,
                            "MSH-18 names a character set that is not known");
        }
        if (!declared || !strcmp(declared, "ASCII")) declared = set;
    }
    *ret = declared ? declared : "ASCII";
    if (declared && strcmp(declared, "ASCII") != 0) return SPD_OK;
    if (ascii_until(message, 0) == message.len)
        return SPD_OK; /* plain ASCII, whatever it is called */
    if (spd_sv_empty(fallback)) return sniff(message, ret);
    if (!(*ret = hl7_charset_find(fallback)))
        return spd_fail(err, SPD_INVALID, "charset", "the peer's character set is not known");
    return SPD_OK;
}

static enum spd_rc bad_byte(size_t at, struct spd_err *err, const char *set)
{
    char place[40];
    snprintf(place, sizeof place, "byte %zu", at + 1);
    return spd_fail(err, SPD_INVALID, place, "not in the character set %s", set);
}

static enum spd_rc from_latin1(spd_sv v, size_t first, spd_sv *ret, struct spd_arena *arena,
                               struct spd_err *err)
{
    size_t high = 0;
    for (size_t i = first; i < v.len; i++)
        high += (unsigned char)v.ptr[i] >> 7;
    char *to = spd_arena_alloc(arena, v.len + high + 1);
    if (!to) return spd_fail(err, SPD_NOMEM, "", "no memory for the text");
    size_t n = first;
    memcpy(to, v.ptr, first);
    for (size_t i = first; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if (c < 0x80)
            to[n++] = (char)c;
        else
            to[n++] = (char)(0xC0 | c >> 6), to[n++] = (char)(0x80 | (c & 0x3F));
    }
    *ret = spd_sv_of(to, n);
    return SPD_OK;
}

/* per: at most so many bytes for one byte. */
static enum spd_rc by_iconv(const char *to_set, const char *from_set, const char *said, spd_sv v,
                            size_t per, spd_sv *ret, struct spd_arena *arena, struct spd_err *err)
{
    char *in = (char *)(uintptr_t)v.ptr; /* iconv's signature; it does not write there */
    size_t left = v.len, cap = v.len * per + 16, room = cap;
    char *buf = spd_arena_alloc(arena, cap), *out = buf;
    if (!buf) return spd_fail(err, SPD_NOMEM, "", "no memory for the text");
    iconv_t cd = iconv_open(to_set, from_set);
    if (cd == (iconv_t)-1)
        return spd_fail(err, errno == ENOMEM ? SPD_NOMEM : SPD_INVALID, "charset",
                        "iconv has no %s here", said);
    size_t n = iconv(cd, &in, &left, &out, &room);
    if (n != (size_t)-1) n = iconv(cd, NULL, NULL, &out, &room);
    iconv_close(cd);
    if (n == (size_t)-1) return bad_byte(v.len - left, err, said);
    *ret = spd_sv_of(buf, cap - room);
    return SPD_OK;
}

enum spd_rc hl7_charset_decode(const char *set, spd_sv bytes, spd_sv *ret, struct spd_arena *arena,
                               struct spd_err *err)
{
    size_t first = ascii_until(bytes, 0);
    *ret = bytes;
    if (first == bytes.len && strncmp(set, "ISO-2022", 8) != 0) return SPD_OK;
    if (!strcmp(set, "UTF-8")) {
        first = utf8_until(bytes);
        return first == bytes.len ? SPD_OK : bad_byte(first, err, set);
    }
    if (!strcmp(set, "ASCII")) return bad_byte(first, err, set);
    if (!strcmp(set, "ISO-8859-1")) return from_latin1(bytes, first, ret, arena, err);
    return by_iconv("UTF-8", set, set, bytes, 4, ret, arena, err);
}

enum spd_rc hl7_charset_encode(const char *set, spd_sv text, spd_sv *ret, struct spd_arena *arena,
                               struct spd_err *err)
{
    size_t first = ascii_until(text, 0);
    *ret = text;
    if (first == text.len) return SPD_OK;
    if (!strcmp(set, "UTF-8")) {
        first = utf8_until(text);
        return first == text.len ? SPD_OK : bad_byte(first, err, set);
    }
    if (!strcmp(set, "ASCII")) return bad_byte(first, err, set);
    return by_iconv(set, "UTF-8", set, text, 2, ret, arena, err);
}
