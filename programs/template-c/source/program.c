/*
 * Add the whole numbers of a text, one a line; other lines are counted as skipped.
 *
 * Change three functions to make a program of your own: anw_map makes a value of an item,
 * anw_combine makes one value of two, anw_render shows the last one. A value is any bytes, here
 * two numbers of eight. Equal values must be equal bytes, and combine must not mind order or
 * bracket: `anwansi program check` looks for a counterexample.
 */
#include "abi.h"

typedef struct {
  u64 sum, skipped;
} Value;

static u64 value_result(Value value) {
  Value *bytes = allocate(sizeof value);
  *bytes = value;
  return result(bytes, sizeof value);
}

NAMED static void wrong_value(void) { __builtin_trap(); }

static Value read_value(const u8 *bytes, u32 length) {
  Value value;
  if (length != sizeof value) wrong_value();
  __builtin_memcpy(&value, bytes, sizeof value);
  return value;
}

EXPORT(anw_abi_v1) void anw_abi_v1(void) {}

EXPORT(anw_alloc) void *anw_alloc(u32 bytes) { return allocate(bytes); }

EXPORT(anw_map) u64 anw_map(const u8 *text, u32 length, const u8 *item, u32 item_length) {
  (void)text, (void)length;
  const u8 *end = item + item_length;
  Value value = {0, 0};
  while (item < end) {
    u64 number = 0;
    int is_number = *item != '\n';
    for (; item < end && *item != '\n'; item++) {
      u8 digit = *item - '0';
      if (digit > 9) is_number = 0;
      number = number * 10 + digit;
    }
    if (is_number) value.sum += number;
    else value.skipped++;
    item++;
  }
  return value_result(value);
}

EXPORT(anw_combine) u64 anw_combine(const u8 *a, u32 a_length, const u8 *b, u32 b_length) {
  Value left = read_value(a, a_length), right = read_value(b, b_length);
  return value_result((Value){left.sum + right.sum, left.skipped + right.skipped});
}

EXPORT(anw_render)
u64 anw_render(const u8 *text, u32 length, const u8 *bytes, u32 bytes_length) {
  (void)text, (void)length;
  Value value = read_value(bytes, bytes_length);
  Text shown = open_text(64);
  put_number(&shown, value.sum, 1);
  put_text(&shown, " skipped ");
  put_number(&shown, value.skipped, 1);
  return text_result(&shown);
}
