#include "parameters.h"

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

static int take_word(Cursor *cursor, const char *word) {
  const u8 *at = cursor->at;
  for (; *word != 0; word++, at++)
    if (at == cursor->end || *at != (u8)*word) return 0;
  cursor->at = at;
  return 1;
}

/* A whole number without sign, fraction, exponent or leading zero, at most NUMBER_MAX. */
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

int read_parameters(const u8 *text, u32 length, Range *range) {
  Cursor cursor = {text, text + length};
  int has_from = 0, has_to = 0;
  if (!take(&cursor, '{')) return 0;
  do {
    if (!take(&cursor, '"')) return 0;
    int from = take_word(&cursor, "from\"");
    if (!from && !take_word(&cursor, "to\"")) return 0;
    if (from ? has_from++ : has_to++) return 0;
    if (!take(&cursor, ':') || !take_number(&cursor, from ? &range->from : &range->to)) return 0;
  } while (take(&cursor, ','));
  if (!take(&cursor, '}')) return 0;
  skip_space(&cursor);
  return cursor.at == cursor.end && has_from && has_to && range->from <= range->to;
}
