// Count the words of 64 KiB of text in a table of hashes.
#include "kernel.h"

enum { size = 65536, slots = 16384 };
static u8 text[size];
static u32 hashes[slots], counts[slots];

static int isLetter(u8 byte) { return byte >= 'a' && byte <= 'z'; }

static void count(u32 hash) {
  u32 slot = hash & (slots - 1);
  while (counts[slot] != 0 && hashes[slot] != hash) slot = (slot + 1) & (slots - 1);
  hashes[slot] = hash;
  counts[slot]++;
}

EXPORT u64 run(u32 times) {
  u32 seed = 1;
  for (int at = 0; at < size; at++) {
    u32 value = next(&seed) >> 24;
    text[at] = value < 64 ? ' ' : 'a' + value % 5;
  }
  u64 sum = 0;
  for (u32 time = 0; time < times; time++) {
    for (int slot = 0; slot < slots; slot++) counts[slot] = 0;
    u32 hash = 0;
    for (int at = 0; at < size; at++) {
      if (isLetter(text[at])) hash = (hash ^ text[at]) * 16777619u + 1;
      else if (hash != 0) {
        count(hash);
        hash = 0;
      }
    }
    for (int slot = 0; slot < slots; slot++) sum = sum * 31 + (u64)counts[slot] * counts[slot];
  }
  return sum;
}
