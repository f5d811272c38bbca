/* tests/fuzz/fuzz_result_write.c: what was read is written: as a data set in both forms, and as DICOM JSON that, where
 * our own reader takes it, says the same again. First byte: explicit or implicit. */
#include <stdlib.h>

#include "result/dcm_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_both(const struct spd_dcm *d, struct spd_arena *arena)
{
    struct spd_str a = SPD_STR_INIT(1 << 20), b = SPD_STR_INIT(1 << 20), once = SPD_STR_INIT(1 << 22),
                   twice = SPD_STR_INIT(1 << 22);
    struct spd_dcm again, third;
    spd_dcm_encode(&d->set, true, &a);
    spd_dcm_encode(&d->set, false, &b);
    spd_dcm_to_json(d, &once, arena);
    if (spd_str_ok(&once) && !spd_dcm_from_json(spd_str_sv(&once), &again, arena, NULL)) {
        if (again.set.n > d->set.n) abort(); /* nothing comes from nowhere */
        if (spd_dcm_from_json(spd_str_sv(&once), &third, arena, NULL) || third.set.n != again.set.n) abort();
        spd_dcm_encode(&again.set, true, &twice);
    }
    spd_str_done(&a), spd_str_done(&b), spd_str_done(&once), spd_str_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spd_arena *arena = spd_arena_new((size_t)64 << 20);
    struct spd_dcm d = {0};
    if (!arena) abort();
    if (size > 1 && size < 65536 &&
        !spd_dcm_parse_dataset(spd_sv_of((const char *)data + 1, size - 1),
                               data[0] & 1 ? SPD_SV("1.2.840.10008.1.2.1") : SPD_SV("1.2.840.10008.1.2"), &d, arena, NULL))
        write_both(&d, arena);
    spd_arena_free(arena);
    return 0;
}
