// src/dicom/main.cc: spoed-dicom front | decode | scu: the processes that touch bytes from outside
// for the brain.
#include <cstdio>
#include <cstring>

#include "dicom/decode.h"
#include "dicom/front.h"
#include "dicom/scu.h"

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "decode")) return spd_dicom_decode_main(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "front")) return spd_dicom_front_main(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "scu")) return spd_dicom_scu_main(argc - 1, argv + 1);
    fprintf(stderr,
            "usage: spoed-dicom decode [--many]\n"
            "       spoed-dicom front --fd N --address A --port P --ae TITLE --reporting-ae TITLE\n"
            "       spoed-dicom scu\n");
    return 2;
}
