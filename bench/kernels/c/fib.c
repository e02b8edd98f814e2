// Calls and nothing else: what counting calls costs at most.
#include "kernel.h"

__attribute__((noinline)) static u64 fib(u32 index) {
  return index < 2 ? index : fib(index - 1) + fib(index - 2);
}

EXPORT u64 run(u32 times) {
  u64 sum = 0;
  for (u32 time = 0; time < times; time++) sum = sum * 3 + fib(20 + (u32)(sum & 3));
  return sum;
}
