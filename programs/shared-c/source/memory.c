#include "memory.h"

#define PAGE_BYTES 65536u

extern u8 __heap_base;
static u64 top;

void *allocate(u32 bytes) {
  if (top == 0) top = ((u64)(u32)&__heap_base + 15) & ~(u64)15;
  u64 start = top;
  top = (start + bytes + 15) & ~(u64)15;
  u64 held = (u64)__builtin_wasm_memory_size(0) * PAGE_BYTES;
  if (top > held) {
    u64 pages = (top - held + PAGE_BYTES - 1) / PAGE_BYTES;
    if (pages > PAGE_BYTES) __builtin_trap();
    if (__builtin_wasm_memory_grow(0, (u32)pages) == (u32)-1) __builtin_trap();
  }
  return (void *)(u32)start;
}
