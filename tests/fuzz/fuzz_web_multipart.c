/* tests/fuzz/fuzz_web_multipart.c: multipart/related in any pieces gives the same, within its bound. First byte: the
 * pieces. */
#include <stdlib.h>

#include "web/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum spd_rc read_all(const char *bytes, size_t n, size_t piece, struct spd_str *out)
{
    struct spd_multipart m;
    if (spd_multipart_begin(&m, SPD_SV("multipart/related; type=\"application/dicom\"; boundary=b"), out)) abort();
    for (size_t at = 0; at < n; at += piece)
        spd_multipart_feed(&m, bytes + at, n - at < piece ? n - at : piece);
    enum spd_rc rc = spd_multipart_end(&m);
    spd_multipart_done(&m);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_str whole = SPD_STR_INIT(1 << 20), pieces = SPD_STR_INIT(1 << 20);
    spd_sv kept, file;
    if (!size) return 0;
    const char *bytes = (const char *)data + 1;
    enum spd_rc a = read_all(bytes, size - 1, size, &whole), b = read_all(bytes, size - 1, 1 + data[0] % 9, &pieces);
    if (a != b || (a == SPD_OK && !spd_sv_eq(spd_str_sv(&whole), spd_str_sv(&pieces)))) abort();
    kept = spd_str_sv(&whole);
    while (a == SPD_OK && spd_multipart_take(&kept, &file)) {
    }
    if (a == SPD_OK && kept.len) abort(); /* what is kept is files and nothing else */
    spd_str_done(&whole), spd_str_done(&pieces);
    return 0;
}
