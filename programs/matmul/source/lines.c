#include "lines.h"

#include "field.h"

Lines open_lines(const u8 *text, u32 length, u32 rows, u32 columns) {
  u64 *cells = allocate((rows + columns) * sizeof *cells);
  return (Lines){text, text + length, cells, rows, columns, 0};
}

static const u8 *past_blanks(const u8 *at, const u8 *end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\r')) at++;
  return at;
}

#define CELL_MAX (PRIME - 1)

/* Reads digits; returns where they end, or 0 if there are none or they are too large a number. */
static const u8 *take_digits(const u8 *at, const u8 *end, u64 *number) {
  const u8 *start = at;
  u64 value = 0;
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    u64 digit = *at - '0';
    /* Asked before the product, which may wrap; and without a division, which is dear. */
    if (value > CELL_MAX / 10 || (value == CELL_MAX / 10 && digit > CELL_MAX % 10)) return 0;
    value = value * 10 + digit;
  }
  *number = value;
  return at == start ? 0 : at;
}

u64 add_magnitudes(u64 a, u64 b) { return a + b > MAGNITUDE_MAX ? MAGNITUDE_MAX : a + b; }

static u64 times_magnitudes(u64 a, u64 b) {
  return a != 0 && b > MAGNITUDE_MAX / a ? MAGNITUDE_MAX : a * b;
}

static Line take_cells(Lines *lines, const u8 *at, const u8 *end) {
  u32 count = lines->rows + lines->columns;
  u64 largest[2] = {0, 0};
  for (u32 cell = 0; cell < count; cell++) {
    if (cell > 0 && (at == end || *at++ != ',')) return LINE_SKIPPED;
    at = past_blanks(at, end);
    int is_negative = at < end && *at == '-';
    if (is_negative || (at < end && *at == '+')) at++;
    u64 number;
    at = take_digits(at, end, &number);
    if (at == 0) return LINE_SKIPPED;
    at = past_blanks(at, end);
    lines->cells[cell] = is_negative && number > 0 ? PRIME - number : number;
    u64 *most = &largest[cell >= lines->rows];
    if (number > *most) *most = number;
  }
  lines->magnitude = times_magnitudes(largest[0], largest[1]);
  return at == end ? LINE_READ : LINE_SKIPPED;
}

Line next_line(Lines *lines) {
  if (lines->at >= lines->end) return LINE_NONE;
  const u8 *start = lines->at, *end = start;
  while (end < lines->end && *end != '\n') end++;
  lines->at = end + 1;
  return take_cells(lines, start, end);
}
