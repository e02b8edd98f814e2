// Count the primes below 300,000 with a byte for each number.
#include "kernel.h"

enum { limit = 300000 };
static u8 composite[limit];

EXPORT u64 run(u32 times) {
  u64 sum = 0;
  for (u32 time = 0; time < times; time++) {
    for (int at = 0; at < limit; at++) composite[at] = 0;
    for (int prime = 2; prime * prime < limit; prime++) {
      if (composite[prime]) continue;
      for (int at = prime * prime; at < limit; at += prime) composite[at] = 1;
    }
    u32 found = 0;
    for (int at = 2; at < limit; at++) found += !composite[at];
    sum = sum * 7 + found;
  }
  return sum;
}
