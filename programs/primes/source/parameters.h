/* Read {"from": N, "to": M} exactly: JavaScript would round such numbers. */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "memory.h"

typedef struct {
  u64 from, to;
} Range;

#define NUMBER_MAX ((u64)1 << 63)

/* Whether the text is a JSON object of exactly these two, with 0 <= from <= to <= 2^63. */
int read_parameters(const u8 *text, u32 length, Range *range);

#endif
