/*
 * Keep what is known of some numbers: the program's value, little-endian.
 *
 * How many (u64), lines skipped (u64), the sum (i128), the least and the largest (i64 each; the
 * ends of i64 the other way round where there is none), then the buckets that have any, ascending:
 * number of the bucket (i64), how many (u64).
 */
#ifndef TALLY_H
#define TALLY_H

#include "abi.h"

typedef long long i64;
typedef __int128 i128;

typedef struct {
  i64 key;
  u64 count;
} Bucket;

typedef struct {
  u64 count, skipped;
  i128 sum;
  i64 least, largest;
  Bucket buckets[];
} Tally;

/* Numbers on their way to a value. */
typedef struct {
  i128 sum;
  i64 least, largest, width;
  i64 *keys;
  u32 count, room;
} Numbers;

/* No numbers so far; there may be `most`, in buckets so wide. */
Numbers open_numbers(u32 most, i64 width);
void add_number(Numbers *numbers, i64 number);
u64 tally_result(Numbers *numbers, u64 skipped);

/* The buckets of a value; traps on bytes that are none. */
u32 bucket_count(const Tally *value, u32 length);
u64 merge(const Tally *a, u32 a_length, const Tally *b, u32 b_length);

#endif
