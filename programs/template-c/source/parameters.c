#include "parameters.h"

#define NUMBER_MAX (((u64)1 << 63) - 1)

typedef struct {
  const u8 *at, *end;
} Cursor;

static void skip_space(Cursor *cursor) {
  while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t' ||
                                      *cursor->at == '\n' || *cursor->at == '\r'))
    cursor->at++;
}

/* Whether `byte` comes next, past spaces; if so it is taken. */
static int take(Cursor *cursor, u8 byte) {
  skip_space(cursor);
  if (cursor->at == cursor->end || *cursor->at != byte) return 0;
  cursor->at++;
  return 1;
}

/* Whether a name and its closing quote come next; if so they are taken. */
static int take_name(Cursor *cursor, const char *name) {
  const u8 *at = cursor->at;
  for (; *name != 0; name++, at++)
    if (at == cursor->end || *at != (u8)*name) return 0;
  if (at == cursor->end || *at != '"') return 0;
  cursor->at = at + 1;
  return 1;
}

/* A whole number without sign, fraction, exponent or leading zero. */
static int take_number(Cursor *cursor, u64 *number) {
  skip_space(cursor);
  const u8 *start = cursor->at;
  u64 value = 0;
  while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
    u64 digit = *cursor->at++ - '0';
    if (value > (NUMBER_MAX - digit) / 10) return 0;
    value = value * 10 + digit;
  }
  *number = value;
  return cursor->at > start && (*start != '0' || cursor->at == start + 1);
}

/* Whether an object of `count` names or fewer comes next; `seen` has a bit for each that is there. */
static int take_object(Cursor *cursor, const char *const *names, u64 *numbers, u32 count,
                       u64 *seen) {
  if (!take(cursor, '{')) return 0;
  if (take(cursor, '}')) return 1;
  do {
    if (!take(cursor, '"')) return 0;
    u32 place = 0;
    while (place < count && !take_name(cursor, names[place])) place++;
    if (place == count || *seen >> place & 1) return 0;
    *seen |= (u64)1 << place;
    if (!take(cursor, ':') || !take_number(cursor, &numbers[place])) return 0;
  } while (take(cursor, ','));
  return take(cursor, '}');
}

NAMED static void too_many_names(void) { __builtin_trap(); }

int read_optional_numbers(const u8 *text, u32 length, const char *const *names, u64 *numbers,
                          u32 count, u32 needed) {
  if (count > 32 || needed > count) too_many_names();
  Cursor cursor = {text, text + length};
  u64 seen = 0, all = ((u64)1 << needed) - 1;
  if (length > 0 && !take_object(&cursor, names, numbers, count, &seen)) return 0;
  skip_space(&cursor);
  return cursor.at == cursor.end && (seen & all) == all;
}

int read_numbers(const u8 *text, u32 length, const char *const *names, u64 *numbers, u32 count) {
  return read_optional_numbers(text, length, names, numbers, count, count);
}
