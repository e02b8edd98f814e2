#include "abi.h"

u64 result(const void *bytes, u32 length) { return (u64)(u32)bytes << 32 | length; }

u64 number_result(u64 number) {
  u64 *value = allocate(sizeof *value);
  *value = number;
  return result(value, sizeof *value);
}

NAMED static void wrong_value(void) { __builtin_trap(); }

u64 read_number(const u8 *value, u32 length) {
  u64 number;
  if (length != sizeof number) wrong_value();
  __builtin_memcpy(&number, value, sizeof number);
  return number;
}

Text open_text(u32 length) {
  u8 *start = allocate(length);
  return (Text){start, start, start + length};
}

NAMED static void text_is_full(void) { __builtin_trap(); }

static void put_byte(Text *text, u8 byte) {
  if (text->end == text->limit) text_is_full();
  *text->end++ = byte;
}

void put_text(Text *text, const char *word) {
  while (*word != 0) put_byte(text, (u8)*word++);
}

void put_number(Text *text, u64 number, u32 digits) {
  u8 reversed[20];
  u32 count = 0;
  do {
    reversed[count++] = (u8)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  for (; digits > count; digits--) put_byte(text, '0');
  while (count > 0) put_byte(text, reversed[--count]);
}

u64 text_result(const Text *text) {
  return result(text->start, (u32)(text->end - text->start));
}
