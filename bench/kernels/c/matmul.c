// Multiply two matrices of 96 by 96 integers, the product becoming the next factor.
#include "kernel.h"

enum { order = 96 };
static u32 left[order * order], right[order * order], product[order * order];

EXPORT u64 run(u32 times) {
  u32 seed = 1;
  for (int at = 0; at < order * order; at++) left[at] = next(&seed);
  for (int at = 0; at < order * order; at++) right[at] = next(&seed);
  for (u32 time = 0; time < times; time++) {
    for (int row = 0; row < order; row++)
      for (int column = 0; column < order; column++) {
        u32 sum = 0;
        for (int at = 0; at < order; at++) sum += left[row * order + at] * right[at * order + column];
        product[row * order + column] = sum;
      }
    for (int at = 0; at < order * order; at++) left[at] = product[at] | 1;
  }
  u64 sum = 0;
  for (int at = 0; at < order * order; at++) sum += left[at];
  return sum;
}
