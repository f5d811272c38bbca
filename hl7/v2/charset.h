/* hl7/v2/charset.h: character sets of HL7 table 0211, strictly, by iconv.
 *
 * A message is converted to UTF-8 as a whole before it is parsed: all delimiters are ASCII, and in
 * GB 18030 or Big5 a trail byte may look like one. Bytes that the set does not have are an error
 * with their position; nothing is guessed or replaced. Threads: values only. NOMEM when the arena
 * is full. */
#ifndef HL7_V2_CHARSET_H
#define HL7_V2_CHARSET_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

/* A name of table 0211 ("8859/1", "UNICODE UTF-8") or a common one ("cp1252", "utf-8") to iconv's
 * name; NULL: not known. */
const char *hl7_charset_find(spd_sv name);
/* The set of a message: MSH-18 (first repetition that is not ASCII), else fallback; both empty:
 * UTF-8 when the bytes are well-formed UTF-8 beyond ASCII, else 8859/1. INVALID: MSH-18 names a set
 * that is not known. */
enum spd_rc hl7_charset_of(spd_sv message, spd_sv fallback, const char **ret, struct spd_err *err);
/* ret borrows bytes when nothing changes, else in arena. err.place: "byte N", from 1. */
enum spd_rc hl7_charset_decode(const char *set, spd_sv bytes, spd_sv *ret, struct spd_arena *arena,
                               struct spd_err *err);
/* UTF-8 back to the set. INVALID: a character that it does not have. */
enum spd_rc hl7_charset_encode(const char *set, spd_sv text, spd_sv *ret, struct spd_arena *arena,
                               struct spd_err *err);

#endif
