/* Hand out memory and never take it back: the instance dies after its call. */
#ifndef MEMORY_H
#define MEMORY_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

/* `bytes` bytes, aligned to 16, zero; traps when there are none. */
void *allocate(u32 bytes);

#endif
