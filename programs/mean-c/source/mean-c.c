/*
 * Count, add up and sort into buckets the numbers of one column of a CSV file, exactly.
 *
 * What `mean` does in AssemblyScript, in C: values and results are the same bytes. Parameters:
 * {"column": K, "digits": D, "bucket": W}; the last two may be left out.
 */
#include "csv.h"
#include "json.h"

typedef struct {
  u64 column, digits, bucket;
} Parameters;

#define NUMBER_MAX (((u64)1 << 62) - 1)

typedef struct {
  const u8 *at, *end;
} Cursor;

static void skip_space(Cursor *cursor) {
  while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t' ||
                                      *cursor->at == '\n' || *cursor->at == '\r'))
    cursor->at++;
}

static int take(Cursor *cursor, u8 byte) {
  skip_space(cursor);
  if (cursor->at == cursor->end || *cursor->at != byte) return 0;
  cursor->at++;
  return 1;
}

static int take_name(Cursor *cursor, const char *name) {
  const u8 *at = cursor->at;
  for (; *name != 0; name++, at++)
    if (at == cursor->end || *at != (u8)*name) return 0;
  if (at == cursor->end || *at != '"') return 0;
  cursor->at = at + 1;
  return 1;
}

/* A whole number up to NUMBER_MAX; traps on anything else. */
static u64 take_number(Cursor *cursor) {
  skip_space(cursor);
  const u8 *start = cursor->at;
  u64 value = 0;
  for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
    u64 digit = *cursor->at - '0';
    if (value > (NUMBER_MAX - digit) / 10) __builtin_trap();
    value = value * 10 + digit;
  }
  if (cursor->at == start || (*start == '0' && cursor->at > start + 1)) __builtin_trap();
  return value;
}

static Parameters read_parameters(const u8 *text, u32 length) {
  static const char *const names[] = {"column", "digits", "bucket"};
  u64 numbers[] = {0, 0, 1};
  Cursor cursor = {text, text + length};
  u32 seen = 0;
  if (!take(&cursor, '{')) __builtin_trap();
  do {
    u32 place = 0;
    if (!take(&cursor, '"')) __builtin_trap();
    while (place < 3 && !take_name(&cursor, names[place])) place++;
    if (place == 3 || seen >> place & 1 || !take(&cursor, ':')) __builtin_trap();
    seen |= 1u << place;
    numbers[place] = take_number(&cursor);
  } while (take(&cursor, ','));
  if (!take(&cursor, '}')) __builtin_trap();
  skip_space(&cursor);
  if (cursor.at != cursor.end) __builtin_trap();
  if (numbers[0] < 1 || numbers[1] > 9 || numbers[2] < 1) __builtin_trap();
  return (Parameters){numbers[0], numbers[1], numbers[2]};
}

EXPORT(anw_abi_v1) void anw_abi_v1(void) {}

EXPORT(anw_alloc) void *anw_alloc(u32 bytes) { return allocate(bytes); }

EXPORT(anw_map) u64 anw_map(const u8 *text, u32 length, const u8 *item, u32 item_length) {
  Parameters parameters = read_parameters(text, length);
  Numbers numbers = open_numbers(item_length / 2 + 1, (i64)parameters.bucket);
  const u8 *end = item + item_length;
  u64 skipped = 0;
  while (item < end) {
    const u8 *line = item;
    while (item < end && *item != '\n') item++;
    const u8 *field = find_field(line, item, parameters.column);
    i64 number;
    if (field != 0 && parse_number(field, item, (u32)parameters.digits, &number))
      add_number(&numbers, number);
    else skipped++;
    item++;
  }
  return tally_result(&numbers, skipped);
}

EXPORT(anw_combine) u64 anw_combine(const u8 *a, u32 a_length, const u8 *b, u32 b_length) {
  return merge((const Tally *)a, a_length, (const Tally *)b, b_length);
}

EXPORT(anw_render)
u64 anw_render(const u8 *text, u32 length, const u8 *value, u32 value_length) {
  Parameters parameters = read_parameters(text, length);
  return render((const Tally *)value, value_length, (u32)parameters.digits,
                (i64)parameters.bucket);
}

/* A value for the test of the laws: up to fifteen numbers of any magnitude. */
EXPORT(anw_sample) u64 anw_sample(const u8 *seed) {
  u64 state;
  __builtin_memcpy(&state, seed, sizeof state);
  state |= 1;
  u32 count = seed[8] & 15;
  Numbers numbers = open_numbers(16, 1);
  for (u32 at = 0; at < count; at++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    /* Magnitudes of all sizes, and few enough small ones to meet again. */
    add_number(&numbers, (i64)state >> 2 >> (state & 63));
  }
  return tally_result(&numbers, seed[9]);
}
