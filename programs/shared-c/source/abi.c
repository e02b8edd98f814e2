#include "abi.h"

u64 result(const void *bytes, u32 length) { return (u64)(u32)bytes << 32 | length; }

u64 number_result(u64 number) {
  u64 *value = allocate(sizeof *value);
  *value = number;
  return result(value, sizeof *value);
}

u64 read_number(const u8 *value, u32 length) {
  u64 number;
  if (length != sizeof number) __builtin_trap();
  __builtin_memcpy(&number, value, sizeof number);
  return number;
}

Text open_text(u32 length) {
  u8 *start = allocate(length);
  return (Text){start, start};
}

void put_text(Text *text, const char *word) {
  while (*word != 0) *text->end++ = (u8)*word++;
}

void put_number(Text *text, u64 number, u32 digits) {
  u8 reversed[20];
  u32 count = 0;
  do {
    reversed[count++] = (u8)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  for (; digits > count; digits--) *text->end++ = '0';
  while (count > 0) *text->end++ = reversed[--count];
}

u64 text_result(const Text *text) {
  return result(text->start, (u32)(text->end - text->start));
}
