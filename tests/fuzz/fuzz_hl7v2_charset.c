/* Character sets: the first byte chooses one; what decodes is UTF-8 and encodes back to the same
 * bytes. */
#include <stdlib.h>

#include "hl7/v2/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const sets[] = {"8859/1", "8859/2",        "8859/5",        "8859/7",
                                       "8859/9", "8859/15",       "UNICODE UTF-8", "cp1252",
                                       "ASCII",  "GB 18030-2000", "BIG-5",         "KS X 1001"};
    struct spd_arena *arena = spd_arena_new(1 << 22);
    struct spd_err err;
    spd_sv text, back;
    const char *set;
    if (size < 1) return spd_arena_free(arena), 0;
    spd_sv bytes = spd_sv_of((const char *)data + 1, size - 1);
    hl7_charset_of(bytes, SPD_SV_NONE, &set, &err);
    size_t which = data[0] % (sizeof sets / sizeof sets[0]);
    set = hl7_charset_find(spd_sv_from(sets[which]));
    if (!set) abort();
    if (hl7_charset_decode(set, bytes, &text, arena, &err) == SPD_OK) {
        if (!spd_sv_is_utf8(text) && !memchr(bytes.ptr, 0, bytes.len)) abort();
        if (hl7_charset_encode(set, text, &back, arena, &err) == SPD_OK) {
            if (which < 9 && !spd_sv_eq(back, bytes))
                abort(); /* the others have several codes for one character */
        } else if (which < 9) {
            abort();
        }
    }
    spd_arena_free(arena);
    return 0;
}
