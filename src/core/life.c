/* src/core/life.c: see life.h. Columns are the inputs in the order of SPD_LIFE_INPUTS. */
#include "core/life.h"

#define SPD_LIFE_NAME(c, n) n,
const char *const spd_life_names[] = {SPD_LIFE_INPUTS(SPD_LIFE_NAME) NULL};

#define LAST SPD_LIFE_N
/* clang-format off */
enum { A = SPD_ORDER_ACTIVE, H = SPD_ORDER_HELD, C = SPD_ORDER_CANCELLED };
static const unsigned char order_next[SPD_ORDER_AXIS_N][LAST] = {
    /*             new hold unhold cancel reopen image complete claim unclaim dict prelim final amended lost */
    [0]                   = {A, H, A, C, A, A, A, A, A, A, A, A, A, A},
    [SPD_ORDER_ACTIVE]    = {A, H, A, C, A, A, A, A, A, A, A, A, A, A},
    [SPD_ORDER_HELD]      = {H, H, A, C, A, H, H, H, H, H, H, H, H, H},
    [SPD_ORDER_CANCELLED] = {C, C, C, C, A, C, C, C, C, C, C, C, C, C},
};
enum { N = SPD_IMAGES_NONE, P = SPD_IMAGES_PARTIAL, F = SPD_IMAGES_COMPLETE };
static const unsigned char images_next[SPD_IMAGES_AXIS_N][LAST] = {
    [0]                   = {N, N, N, N, N, P, F, N, N, N, N, N, N, N},
    [SPD_IMAGES_NONE]     = {N, N, N, N, N, P, F, N, N, N, N, N, N, N},
    [SPD_IMAGES_PARTIAL]  = {P, P, P, P, P, P, F, P, P, P, P, P, P, P},
    [SPD_IMAGES_COMPLETE] = {F, F, F, F, F, F, F, F, F, F, F, F, F, F},
};
enum { U = SPD_READING_UNREAD, L = SPD_READING_CLAIMED, D = SPD_READING_DICTATED };
static const unsigned char reading_next[SPD_READING_AXIS_N][LAST] = {
    [0]                    = {U, U, U, U, U, U, U, L, U, D, D, D, D, U},
    [SPD_READING_UNREAD]   = {U, U, U, U, U, U, U, L, U, D, D, D, D, U},
    [SPD_READING_CLAIMED]  = {L, L, L, L, U, L, L, L, U, D, D, D, D, U},
    [SPD_READING_DICTATED] = {D, D, D, D, U, D, D, D, D, D, D, D, D, U},
};
enum { O = SPD_REPORT_NONE, R = SPD_REPORT_PRELIMINARY, E = SPD_REPORT_FINAL, M = SPD_REPORT_AMENDED };
static const unsigned char report_next[SPD_REPORT_AXIS_N][LAST] = {
    [0]                      = {O, O, O, O, O, O, O, O, O, O, R, E, M, O},
    [SPD_REPORT_NONE]        = {O, O, O, O, O, O, O, O, O, O, R, E, M, O},
    [SPD_REPORT_PRELIMINARY] = {R, R, R, R, O, R, R, R, R, R, R, E, M, O},
    [SPD_REPORT_FINAL]       = {E, E, E, E, O, E, E, E, E, E, E, E, M, O},
    [SPD_REPORT_AMENDED]     = {M, M, M, M, O, M, M, M, M, M, M, M, M, O},
};
/* clang-format on */

enum spd_order_axis spd_life_order(enum spd_order_axis s, enum spd_life_input in)
{
    return (enum spd_order_axis)order_next[s][in];
}

enum spd_images_axis spd_life_images(enum spd_images_axis s, enum spd_life_input in)
{
    return (enum spd_images_axis)images_next[s][in];
}

enum spd_reading_axis spd_life_reading(enum spd_reading_axis s, enum spd_life_input in)
{
    return (enum spd_reading_axis)reading_next[s][in];
}

enum spd_report_axis spd_life_report(enum spd_report_axis s, enum spd_life_input in)
{
    return (enum spd_report_axis)report_next[s][in];
}

bool spd_life_apply(struct spd_item *item, enum spd_life_input in)
{
    struct spd_item was = *item;
    item->order = (int32_t)spd_life_order((enum spd_order_axis)item->order, in);
    item->images = (int32_t)spd_life_images((enum spd_images_axis)item->images, in);
    item->reading = (int32_t)spd_life_reading((enum spd_reading_axis)item->reading, in);
    item->report = (int32_t)spd_life_report((enum spd_report_axis)item->report, in);
    return was.order != item->order || was.images != item->images || was.reading != item->reading ||
           was.report != item->report;
}
