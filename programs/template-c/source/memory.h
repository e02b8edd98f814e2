/* Hand out memory and never take it back: the instance dies after its call. */
#ifndef MEMORY_H
#define MEMORY_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

/*
 * Before a function: it is not put into its callers, as the compiler does with small ones, so that
 * a trap in it tells its name.
 */
#define NAMED __attribute__((noinline))

/* `bytes` bytes, aligned to 16, zero; traps in out_of_memory when there are none. */
void *allocate(u32 bytes);

#endif
