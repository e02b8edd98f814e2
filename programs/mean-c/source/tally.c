#include "tally.h"

#define I64_MAX ((i64)(~(u64)0 >> 1))
#define I64_MIN (-I64_MAX - 1)

Numbers open_numbers(u32 most, i64 width) {
  Numbers numbers = {.least = I64_MAX, .largest = I64_MIN, .width = width, .room = most};
  numbers.keys = allocate(most * sizeof *numbers.keys);
  return numbers;
}

void add_number(Numbers *numbers, i64 number) {
  if (numbers->count == numbers->room) __builtin_trap();
  /* Buckets reach down from their number, also below zero. */
  i64 key = number / numbers->width - (number % numbers->width < 0);
  numbers->keys[numbers->count++] = key;
  numbers->sum += number;
  if (number < numbers->least) numbers->least = number;
  if (number > numbers->largest) numbers->largest = number;
}

/* Sorts the keys by merging runs; returns where they are. */
static const i64 *sorted(const Numbers *numbers) {
  i64 *from = numbers->keys, *to = allocate(numbers->count * sizeof *to);
  u32 end = numbers->count;
  for (u32 run = 1; run < end; run *= 2) {
    for (u32 start = 0; start < end; start += 2 * run) {
      u32 left = start, middle = start + run < end ? start + run : end;
      u32 right = middle, last = start + 2 * run < end ? start + 2 * run : end;
      for (u32 at = start; at < last; at++) {
        int is_left = left < middle && (right >= last || from[left] <= from[right]);
        to[at] = is_left ? from[left++] : from[right++];
      }
    }
    i64 *swap = from;
    from = to;
    to = swap;
  }
  return from;
}

u64 tally_result(Numbers *numbers, u64 skipped) {
  const i64 *keys = sorted(numbers);
  u32 count = numbers->count, used = 0;
  Tally *value = allocate(sizeof *value + count * sizeof *value->buckets);
  value->count = count;
  value->skipped = skipped;
  value->sum = numbers->sum;
  value->least = numbers->least;
  value->largest = numbers->largest;
  for (u32 at = 0; at < count; at++) {
    if (at > 0 && keys[at] == keys[at - 1]) value->buckets[used - 1].count++;
    else value->buckets[used++] = (Bucket){keys[at], 1};
  }
  return result(value, sizeof *value + used * sizeof *value->buckets);
}

u32 bucket_count(const Tally *value, u32 length) {
  if (length < sizeof *value || (length - sizeof *value) % sizeof *value->buckets != 0)
    __builtin_trap();
  u32 count = (length - sizeof *value) / sizeof *value->buckets;
  for (u32 at = 1; at < count; at++)
    if (value->buckets[at].key <= value->buckets[at - 1].key) __builtin_trap();
  return count;
}

u64 merge(const Tally *a, u32 a_length, const Tally *b, u32 b_length) {
  const Bucket *left = a->buckets, *left_end = left + bucket_count(a, a_length);
  const Bucket *right = b->buckets, *right_end = right + bucket_count(b, b_length);
  Tally *value = allocate(a_length + b_length);
  value->count = a->count + b->count;
  value->skipped = a->skipped + b->skipped;
  value->sum = (i128)((unsigned __int128)a->sum + (unsigned __int128)b->sum);
  value->least = a->least < b->least ? a->least : b->least;
  value->largest = a->largest > b->largest ? a->largest : b->largest;
  Bucket *to = value->buckets;
  while (left < left_end || right < right_end) {
    int is_left = left < left_end && (right == right_end || left->key <= right->key);
    int is_right = right < right_end && (left == left_end || right->key <= left->key);
    *to = is_left ? *left : *right;
    if (is_left && is_right) to->count = left->count + right->count;
    to++;
    left += is_left;
    right += is_right;
  }
  return result(value, (u32)((u8 *)to - (u8 *)value));
}
