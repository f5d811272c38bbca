/* src/result/dcm_text.c: DICOM character sets to UTF-8 (PS3.3 C.12.1.1.2, PS3.5 6.1), by iconv.
 *
 * Single-byte and multi-byte sets without code extensions, and ISO 2022 with escape sequences,
 * which are followed within a value and forgotten at its delimiters. Converters are kept per
 * thread. */
#include "result/dcm.h"

#include <iconv.h>

static const struct charset {
    const char *term; /* after "ISO_IR " or "ISO 2022 IR " */
    const char *iconv;
    const char *escape; /* that designates it, without ESC; NULL: none */
} charsets[] = {
    {"6", "ASCII", "(B"},         {"100", "ISO-8859-1", "-A"},  {"101", "ISO-8859-2", "-B"},
    {"109", "ISO-8859-3", "-C"},  {"110", "ISO-8859-4", "-D"},  {"144", "ISO-8859-5", "-L"},
    {"127", "ISO-8859-6", "-G"},  {"126", "ISO-8859-7", "-F"},  {"138", "ISO-8859-8", "-H"},
    {"148", "ISO-8859-9", "-M"},  {"203", "ISO-8859-15", "-b"}, {"13", "SHIFT_JIS", ")I"},
    {"166", "TIS-620", "-T"},     {"192", "UTF-8", NULL},       {"149", "EUC-KR", "$)C"},
    {"58", "GB2312", "$)A"},      {"87", "ISO-2022-JP", "$B"},  {"159", "ISO-2022-JP-2", "$(D"},
    {"GB18030", "GB18030", NULL}, {"GBK", "GBK", NULL}};
enum { N_CHARSETS = sizeof charsets / sizeof *charsets, ASCII = 0, JIS_X0201 = 11, UTF8 = 13 };

static _Thread_local iconv_t converters[N_CHARSETS];
static _Thread_local bool opened[N_CHARSETS];

static iconv_t converter(size_t i)
{
    if (!opened[i]) converters[i] = iconv_open("UTF-8", charsets[i].iconv), opened[i] = true;
    return converters[i];
}

void spd_dcm_text_warm(void)
{
    for (size_t i = 0; i < N_CHARSETS; i++)
        converter(i);
}

static size_t find_charset(spd_sv term)
{
    term = spd_sv_trim(term);
    if (spd_sv_starts(term, SPD_SV("ISO_IR ")))
        term.ptr += 7, term.len -= 7;
    else if (spd_sv_starts(term, SPD_SV("ISO 2022 IR ")))
        term.ptr += 12, term.len -= 12;
    for (size_t i = 0; i < N_CHARSETS; i++)
        if (spd_sv_is(term, charsets[i].term)) return i;
    return term.len ? (size_t)N_CHARSETS : (size_t)ASCII;
}

static void convert(size_t set, spd_sv in, struct spd_str *out, bool *bad)
{
    iconv_t c = set < N_CHARSETS ? converter(set) : (iconv_t)-1;
    char *p = (char *)(uintptr_t)in.ptr, buf[512];
    size_t left = in.len;
    if (c == (iconv_t)-1) c = converter(ASCII), *bad = true;
    iconv(c, NULL, NULL, NULL, NULL);
    while (left) {
        char *o = buf;
        size_t room = sizeof buf;
        size_t r = iconv(c, &p, &left, &o, &room);
        spd_str_add(out, spd_sv_of(buf, (size_t)(o - buf)));
        if (r != (size_t)-1 || (o > buf && left && room < 8)) continue;
        *bad = true; /* this byte means nothing in this set */
        spd_str_addz(out, "\xEF\xBF\xBD");
        p++, left--;
        iconv(c, NULL, NULL, NULL, NULL);
    }
}

/* One run of text that may hold escape sequences. */
static void convert_extended(size_t first, spd_sv in, struct spd_str *out, bool *bad)
{
    size_t now = first, start = 0, i = 0;
    while (i < in.len) {
        char ch = in.ptr[i];
        if (ch == '\\' || ch == '^' || ch == '=' || ch == '\n' || ch == '\r' || ch == '\f') {
            convert(now, spd_sv_of(in.ptr + start, i - start), out, bad);
            spd_str_addc(out, ch);
            start = ++i, now = first;
            continue;
        }
        if (ch != 27) {
            i++;
            continue;
        }
        size_t hit = N_CHARSETS;
        for (size_t k = 0; k < N_CHARSETS; k++)
            if (charsets[k].escape && spd_sv_starts(spd_sv_of(in.ptr + i + 1, in.len - i - 1),
                                                    spd_sv_from(charsets[k].escape)))
                hit = k;
        if (hit == N_CHARSETS &&
            spd_sv_starts(spd_sv_of(in.ptr + i + 1, in.len - i - 1), SPD_SV("(J")))
            hit = JIS_X0201;
        convert(now, spd_sv_of(in.ptr + start, i - start), out, bad);
        if (hit == N_CHARSETS) { /* unknown: shown as damage, the rest goes on */
            *bad = true;
            start = ++i;
            continue;
        }
        now = hit;
        bool jp = !strncmp(charsets[hit].iconv, "ISO-2022-JP", 11);
        size_t skip = 1 + (charsets[hit].escape ? strlen(charsets[hit].escape) : 2);
        start = jp ? i : i + skip; /* iconv wants to see the escape itself */
        i += skip <= in.len - i ? skip : in.len - i;
        if (start > in.len) start = in.len;
    }
    convert(now, spd_sv_of(in.ptr + start, in.len - start), out, bad);
}

static bool plain_ascii(spd_sv v)
{
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] >= 0x80 || v.ptr[i] == 27 || v.ptr[i] == 0) return false;
    return true;
}

spd_sv spd_dcm_utf8(spd_sv charset, spd_sv text, struct spd_arena *arena, bool *ret_bad)
{
    bool ignored, *bad = ret_bad ? ret_bad : &ignored;
    size_t bar, set;
    if (plain_ascii(text)) return text;
    bool extended = spd_sv_find(charset, SPD_SV("2022"), NULL);
    spd_sv first = charset;
    if (spd_sv_find(charset, SPD_SV("\\"), &bar)) first.len = bar, extended = true;
    set = find_charset(first);
    if (set == UTF8 && spd_sv_is_utf8(text)) return text;
    struct spd_str out = SPD_STR_INIT(SPD_DCM_BYTES_MAX * 4);
    if (extended)
        convert_extended(set, text, &out, bad);
    else
        convert(set, text, &out, bad);
    for (size_t i = 0; i < out.len; i++)
        if (!out.ptr[i]) out.ptr[i] = ' ', *bad = true;
    spd_sv ret = spd_arena_dup(arena, spd_str_sv(&out));
    spd_str_done(&out);
    return ret;
}

spd_sv spd_dcm_text(const struct spd_dcm *d, const struct spd_dcm_set *set, uint32_t tag,
                    struct spd_arena *arena, bool *bad)
{
    spd_sv own = spd_dcm_raw(set, 0x00080005); /* an item may have its own */
    return spd_dcm_utf8(own.len ? own : d->charset, spd_dcm_raw(set, tag), arena, bad);
}
