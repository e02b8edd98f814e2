// Sort 20,000 integers: quicksort by the middle one, short stretches by insertion.
#include "kernel.h"

enum { count = 20000, shortest = 16 };
static u32 list[count];

static void insert(int from, int to) {
  for (int at = from + 1; at <= to; at++) {
    u32 value = list[at];
    int place = at - 1;
    while (place >= from && list[place] > value) {
      list[place + 1] = list[place];
      place--;
    }
    list[place + 1] = value;
  }
}

static void sort(int from, int to) {
  while (to - from > shortest) {
    u32 middle = list[(from + to) >> 1];
    int low = from, high = to;
    while (low <= high) {
      while (list[low] < middle) low++;
      while (list[high] > middle) high--;
      if (low <= high) {
        u32 value = list[low];
        list[low++] = list[high];
        list[high--] = value;
      }
    }
    if (high - from < to - low) {
      sort(from, high);
      from = low;
    } else {
      sort(low, to);
      to = high;
    }
  }
  insert(from, to);
}

EXPORT u64 run(u32 times) {
  u32 seed = 1;
  u64 sum = 0;
  for (u32 time = 0; time < times; time++) {
    for (int at = 0; at < count; at++) list[at] = next(&seed);
    sort(0, count - 1);
    for (int at = 0; at < count; at += 97) sum = sum * 31 + list[at];
  }
  return sum;
}
