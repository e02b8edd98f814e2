#include "json.h"

typedef struct {
  u64 high, low;
} Wide;

static Wide wide(unsigned __int128 number) {
  return (Wide){(u64)(number >> 64), (u64)number};
}

/* Divides a number, bit by bit; returns the rest. The divisor is below 2^63. */
static u64 divide(Wide *number, u64 divisor) {
  u64 rest = 0;
  for (u32 bit = 0; bit < 128; bit++) {
    rest = rest << 1 | number->high >> 63;
    number->high = number->high << 1 | number->low >> 63;
    number->low <<= 1;
    if (rest >= divisor) {
      rest -= divisor;
      number->low |= 1;
    }
  }
  return rest;
}

static void put_byte(Text *text, u8 byte) { *text->end++ = byte; }

/* Writes a number with a point before its last `digits` digits. */
static void put_decimal(Text *text, Wide number, u32 digits) {
  u8 reversed[64];
  u32 count = 0;
  do reversed[count++] = (u8)('0' + divide(&number, 10));
  while (number.high != 0 || number.low != 0 || count <= digits);
  while (count > 0) {
    if (count == digits) put_byte(text, '.');
    put_byte(text, reversed[--count]);
  }
}

static void put_signed(Text *text, i64 number, u32 digits) {
  if (number < 0) put_byte(text, '-');
  put_decimal(text, (Wide){0, number < 0 ? -(u64)number : (u64)number}, digits);
}

/* Digits of the mean behind those of the numbers. */
#define MEAN_DIGITS 6

/* Writes sum / count, cut off behind its last digit. */
static void put_mean(Text *text, Wide sum, u64 count, u32 digits) {
  u64 rest = divide(&sum, count);
  put_decimal(text, sum, digits);
  if (digits == 0) put_byte(text, '.');
  for (u32 digit = 0; digit < MEAN_DIGITS; digit++) {
    rest *= 10;
    put_byte(text, (u8)('0' + rest / count));
    rest %= count;
  }
}

static void put_buckets(Text *text, const Tally *value, u32 count, u32 digits, i64 width) {
  for (u32 at = 0; at < count; at++) {
    put_text(text, at > 0 ? ",[" : "[");
    put_signed(text, (i64)((u64)value->buckets[at].key * (u64)width), digits);
    put_byte(text, ',');
    put_decimal(text, (Wide){0, value->buckets[at].count}, 0);
    put_byte(text, ']');
  }
}

/* One JSON object; a bucket is its lower end and how many numbers are in it. */
u64 render(const Tally *value, u32 length, u32 digits, i64 width) {
  u32 buckets = bucket_count(value, length);
  /* More numbers than any job has; beyond this the digits of the mean would overflow. */
  if (value->count >= (u64)1 << 59) __builtin_trap();
  Text text = open_text(512 + length * 5);
  int is_negative = value->sum < 0;
  Wide sum = wide(is_negative ? -(unsigned __int128)value->sum : (unsigned __int128)value->sum);
  put_text(&text, "{\"count\":");
  put_decimal(&text, (Wide){0, value->count}, 0);
  put_text(&text, ",\"skipped\":");
  put_decimal(&text, (Wide){0, value->skipped}, 0);
  put_text(&text, is_negative ? ",\"sum\":-" : ",\"sum\":");
  put_decimal(&text, sum, digits);
  if (value->count == 0) put_text(&text, ",\"mean\":null,\"minimum\":null,\"maximum\":null");
  else {
    put_text(&text, is_negative ? ",\"mean\":-" : ",\"mean\":");
    put_mean(&text, sum, value->count, digits);
    put_text(&text, ",\"minimum\":");
    put_signed(&text, value->least, digits);
    put_text(&text, ",\"maximum\":");
    put_signed(&text, value->largest, digits);
  }
  put_text(&text, ",\"histogram\":[");
  put_buckets(&text, value, buckets, digits, width);
  put_text(&text, "]}");
  return text_result(&text);
}
