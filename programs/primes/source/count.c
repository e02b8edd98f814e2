#include "count.h"

#include "test.h"

/* Odd numbers of one segment of the sieve: it stays in the processor's nearest cache. */
#define SEGMENT 32768u
/* Primes below this sort out what is tested above SIEVE_END. */
#define SORT_OUT_END 4096u

static u32 root(u64 number) {
  u64 low = 0, high = (u64)1 << 32;
  while (high - low > 1) {
    u64 middle = (low + high) / 2;
    if (middle * middle <= number) low = middle;
    else high = middle;
  }
  return (u32)low;
}

/* Writes the odd primes up to `last` and returns how many. */
static u32 list_primes(u32 last, u32 *primes) {
  u32 half = last / 2 + 1, count = 0;
  u8 *composite = allocate(half);
  for (u32 i = 1; i < half; i++) {
    u32 prime = 2 * i + 1;
    if (composite[i] || prime > last) continue;
    primes[count++] = prime;
    if (prime > 65535) continue;
    for (u32 multiple = prime * prime / 2; multiple < half; multiple += prime)
      composite[multiple] = 1;
  }
  return count;
}

static u64 count_clear(const u8 *composite, u32 length) {
  u64 count = 0;
  for (u32 i = 0; i < length; i++) count += composite[i] ^ 1;
  return count;
}

static u64 count_tested(const u8 *composite, u32 length, u64 first) {
  u64 count = 0;
  for (u32 i = 0; i < length; i++)
    if (!composite[i]) count += (u64)is_prime(first + 2 * (u64)i);
  return count;
}

u64 count_primes(Range range) {
  u64 count = range.from <= 2 && range.to > 2;
  u64 first = range.from < 3 ? 3 : range.from | 1;
  if (first >= range.to) return count;
  int tested = range.to > SIEVE_END;
  u32 last = tested ? SORT_OUT_END : root(range.to - 1);
  u32 *primes = allocate((last / 2 + 1) * sizeof *primes);
  u32 prime_count = list_primes(last, primes);
  /* Where each prime strikes next, in odd numbers from the start of the segment. */
  u32 *strikes = allocate((prime_count + 1) * sizeof *strikes);
  for (u32 i = 0; i < prime_count; i++) {
    u64 prime = primes[i], multiple = prime * prime;
    if (multiple < first) {
      multiple = (first + prime - 1) / prime * prime;
      if (multiple % 2 == 0) multiple += prime;
    }
    strikes[i] = (u32)((multiple - first) / 2);
  }
  u8 *composite = allocate(SEGMENT);
  u64 left = (range.to - first + 1) / 2;
  for (; left > 0; first += 2 * SEGMENT) {
    u32 length = left < SEGMENT ? (u32)left : SEGMENT;
    __builtin_memset(composite, 0, length);
    for (u32 i = 0; i < prime_count; i++) {
      u32 prime = primes[i], at = strikes[i];
      for (; at < length; at += prime) composite[at] = 1;
      strikes[i] = at - length;
    }
    count += tested ? count_tested(composite, length, first) : count_clear(composite, length);
    left -= length;
  }
  return count;
}
