/* Count the primes p with from <= p < to: the exports of ABI version 1. */
#include "count.h"
#include "memory.h"
#include "parameters.h"

#define EXPORT(name) __attribute__((export_name(#name)))

/* Numbers of one item at least, below the sieve's end, and always above it. */
#define SIEVE_WIDTH_MIN ((u64)1 << 19)
#define TEST_WIDTH ((u64)1 << 16)
/* Returned by anw_count for parameters that are refused. */
#define REFUSED (~(u64)0)

static u64 result(const void *bytes, u32 length) {
  return (u64)(u32)bytes << 32 | length;
}

static u64 number_result(u64 number) {
  u64 *value = allocate(sizeof *value);
  *value = number;
  return result(value, sizeof *value);
}

/* Where a range goes over from the sieve to tests, and how wide its items are below. */
typedef struct {
  u64 middle, width, sieved;
} Split;

static u64 ceiling(u64 numerator, u64 denominator) {
  return numerator / denominator + (numerator % denominator != 0);
}

static Split split(Range range) {
  Split it;
  it.middle = range.to < SIEVE_END ? range.to : SIEVE_END;
  if (it.middle < range.from) it.middle = range.from;
  /* An item must outweigh the primes up to its root, which each item sieves anew. */
  it.width = SIEVE_WIDTH_MIN;
  while (it.width / 4 * (it.width / 4) < it.middle && it.width < SIEVE_WIDTH_MAX) it.width *= 2;
  it.sieved = ceiling(it.middle - range.from, it.width);
  return it;
}

EXPORT(anw_abi_v1) void anw_abi_v1(void) {}

EXPORT(anw_alloc) void *anw_alloc(u32 bytes) { return allocate(bytes); }

/* An empty range still has an item, since a job has one; the count of its primes is 0. */
EXPORT(anw_count) u64 anw_count(const u8 *text, u32 length) {
  Range range;
  if (!read_parameters(text, length, &range)) return REFUSED;
  if (range.from == range.to) return 1;
  Split it = split(range);
  return it.sieved + ceiling(range.to - it.middle, TEST_WIDTH);
}

/* Item i: the i-th part of the range as two numbers, first and behind the last. */
EXPORT(anw_item) u64 anw_item(const u8 *text, u32 length, u64 index) {
  Range range;
  if (!read_parameters(text, length, &range)) __builtin_trap();
  Split it = split(range);
  u64 start = range.from, end = it.middle, width = it.width, place = index;
  if (index >= it.sieved && it.middle != range.to) {
    start = it.middle, end = range.to, width = TEST_WIDTH, place = index - it.sieved;
  }
  if (place > 0 && place >= ceiling(end - start, width)) __builtin_trap();
  Range *item = allocate(sizeof *item);
  item->from = start + place * width;
  item->to = end - item->from < width ? end : item->from + width;
  return result(item, sizeof *item);
}

EXPORT(anw_map) u64 anw_map(const u8 *text, u32 length, const u8 *item, u32 item_length) {
  (void)text, (void)length;
  Range range;
  if (item_length != sizeof range) __builtin_trap();
  __builtin_memcpy(&range, item, sizeof range);
  if (range.from > range.to || range.to - range.from > SIEVE_WIDTH_MAX) __builtin_trap();
  return number_result(count_primes(range));
}

static u64 read_value(const u8 *value, u32 length) {
  u64 number;
  if (length != sizeof number) __builtin_trap();
  __builtin_memcpy(&number, value, sizeof number);
  return number;
}

EXPORT(anw_combine) u64 anw_combine(const u8 *a, u32 a_length, const u8 *b, u32 b_length) {
  return number_result(read_value(a, a_length) + read_value(b, b_length));
}

EXPORT(anw_render)
u64 anw_render(const u8 *text, u32 length, const u8 *value, u32 value_length) {
  (void)text, (void)length;
  u64 number = read_value(value, value_length);
  u8 *end = (u8 *)allocate(20) + 20, *digit = end;
  do {
    *--digit = (u8)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return result(digit, (u32)(end - digit));
}

/* A value for the test of the laws. */
EXPORT(anw_sample) u64 anw_sample(const u8 *seed) { return number_result(read_value(seed, 8)); }
