/* src/core/life.h: the life of an item (domain §2): four axes, one const table each, every cell
 * written.
 *
 * An input is a piece of evidence (an order message, an image, a person's act). Applying it looks
 * up the next state of every axis; an empty cell does not exist. Pure. docs/life-of-an-item.md is
 * printed from these tables by a test. */
#ifndef SPD_CORE_LIFE_H
#define SPD_CORE_LIFE_H

#include "model/model.h"

#define SPD_LIFE_INPUTS(X)                                                                         \
    X(LIFE_NEW, "order new or changed")                                                            \
    X(LIFE_HOLD, "order held") X(LIFE_UNHOLD, "order released") X(LIFE_CANCEL, "order cancelled")  \
        X(LIFE_REOPEN, "reopened by a person or a new order") X(LIFE_IMAGE, "image or AI result")  \
            X(LIFE_COMPLETE, "images complete") X(LIFE_CLAIM, "claimed")                           \
                X(LIFE_UNCLAIM, "released or lease ended") X(LIFE_DICTATED, "dictated elsewhere")  \
                    X(LIFE_PRELIMINARY, "preliminary report or accepted draft")                    \
                        X(LIFE_FINAL, "final report") X(LIFE_AMENDED, "corrected report")          \
                            X(LIFE_REPORT_LOST, "report not delivered or withdrawn")

#define SPD_LIFE_CONST(c, n) SPD_##c,
enum spd_life_input { SPD_LIFE_INPUTS(SPD_LIFE_CONST) SPD_LIFE_N };
extern const char *const spd_life_names[];

/* Next state of one axis. Total: every (state, input) has an answer. */
enum spd_order_axis spd_life_order(enum spd_order_axis s, enum spd_life_input in);
enum spd_images_axis spd_life_images(enum spd_images_axis s, enum spd_life_input in);
enum spd_reading_axis spd_life_reading(enum spd_reading_axis s, enum spd_life_input in);
enum spd_report_axis spd_life_report(enum spd_report_axis s, enum spd_life_input in);

/* The one setter: applies the input to all four axes. Returns whether anything changed. */
bool spd_life_apply(struct spd_item *item, enum spd_life_input in);

#endif
