/* Tell primes from composites below 2^64 without error. */
#ifndef TEST_H
#define TEST_H

#include "memory.h"

/* Whether an odd number above 2^20 is prime. */
int is_prime(u64 number);

#endif
