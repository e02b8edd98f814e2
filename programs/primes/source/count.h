/* Count the primes of a short range. */
#ifndef COUNT_H
#define COUNT_H

#include "parameters.h"

/* Up to here a sieve alone decides; above it, the sieve only sorts out and each rest is tested. */
#define SIEVE_END ((u64)1 << 40)
/* Numbers that one range may have. */
#define SIEVE_WIDTH_MAX ((u64)1 << 22)

/* The number of primes p with from <= p < to. */
u64 count_primes(Range range);

#endif
