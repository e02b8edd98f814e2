#include "csv.h"

/* Numbers are at most this far from zero, so that nothing overflows here. */
#define NUMBER_MAX (((u64)1 << 61) - 1)

const u8 *find_field(const u8 *line, const u8 *end, u64 column) {
  int quoted = 0;
  const u8 *at = line;
  for (u64 left = column - 1; left > 0; at++) {
    if (at >= end) return 0;
    if (*at == '"') quoted = !quoted;
    else if (*at == ',' && !quoted) left--;
  }
  return at;
}

static const u8 *past_blanks(const u8 *at, const u8 *end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\r')) at++;
  return at;
}

/* Puts a digit behind a number; 0 where that is too much. */
static int add_digit(u64 *value, u64 digit) {
  /* Asked before the product, which may wrap; and without a division, which is dear. */
  if (*value > NUMBER_MAX / 10 || (*value == NUMBER_MAX / 10 && digit > NUMBER_MAX % 10)) return 0;
  *value = *value * 10 + digit;
  return 1;
}

int parse_number(const u8 *field, const u8 *end, u32 digits, i64 *number) {
  const u8 *at = past_blanks(field, end);
  int is_quoted = at < end && *at == '"';
  if (is_quoted) at = past_blanks(at + 1, end);
  int is_negative = at < end && *at == '-';
  if (is_negative || (at < end && *at == '+')) at++;
  u64 value = 0;
  u32 seen = 0, behind = 0;
  int has_point = 0;
  for (; at < end; at++) {
    if (*at == '.' && !has_point) {
      has_point = 1;
      continue;
    }
    if (*at < '0' || *at > '9') break;
    seen = 1;
    if (has_point) {
      /* Zeros beyond the last digit say nothing. */
      if (behind == digits && *at == '0') continue;
      if (behind == digits) return 0;
      behind++;
    }
    if (!add_digit(&value, *at - '0')) return 0;
  }
  for (; behind < digits; behind++)
    if (!add_digit(&value, 0)) return 0;
  *number = is_negative ? -(i64)value : (i64)value;
  at = past_blanks(at, end);
  if (is_quoted) {
    /* A comma inside quotes belongs to the field: "1,234" is no number. */
    if (at == end || *at != '"') return 0;
    at = past_blanks(at + 1, end);
  }
  return seen && (at == end || *at == ',');
}
