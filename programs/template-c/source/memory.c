#include "memory.h"

#define PAGE_BYTES 65536u
/* As much as `anwansi program build` lets a program have: 256 MiB. */
#define PAGES_MAX 4096u
/* Growing once costs the fuel of a thousand pages. */
#define PAGES_STEP 16u

extern u8 __heap_base;
static u64 top;

NAMED static void out_of_memory(void) { __builtin_trap(); }

/* Doubles the memory, for growing may copy it: as often as it doubles, and not at each page. */
static void grow(u32 held, u64 needed) {
  if (needed > PAGES_MAX) out_of_memory();
  u64 wanted = 2 * (u64)held;
  if (wanted < PAGES_STEP) wanted = PAGES_STEP;
  if (wanted < needed) wanted = needed;
  if (wanted > PAGES_MAX) wanted = PAGES_MAX;
  if (__builtin_wasm_memory_grow(0, (u32)wanted - held) != (u32)-1) return;
  if (__builtin_wasm_memory_grow(0, (u32)needed - held) == (u32)-1) out_of_memory();
}

void *allocate(u32 bytes) {
  if (top == 0) top = ((u64)(u32)&__heap_base + 15) & ~(u64)15;
  u64 start = top;
  top = (start + bytes + 15) & ~(u64)15;
  u32 held = (u32)__builtin_wasm_memory_size(0);
  u64 needed = (top + PAGE_BYTES - 1) / PAGE_BYTES;
  if (needed > held) grow(held, needed);
  return (void *)(u32)start;
}
